//! Why a file could not be read as a table, or a table not be written.

use thiserror::Error;

/// What stops a whole file. Faults of single cells are `roster::Problem`s and stop nothing.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SheetError {
    /// No bytes, or no cell with anything in it.
    #[error("the file is empty")]
    Empty,
    /// The file itself is over the limit.
    #[error("the file has {bytes} bytes; the limit is {limit}")]
    TooBig {
        /// Size of the file in bytes.
        bytes: usize,
        /// Largest size read, in bytes.
        limit: usize,
    },
    /// An XLSX whose parts unpack to more than the limit (zip bomb), or announce sizes they cannot have.
    #[error("the workbook unpacks to more than {limit} bytes")]
    Bomb {
        /// Most unpacked bytes read.
        limit: usize,
    },
    /// More than one table may hold.
    #[error("sheet “{sheet}” is too large: more than {limit} {what}")]
    TooMany {
        /// Name of the sheet.
        sheet: String,
        /// `sheets`, `rows`, `columns`, `cells` or `bytes of text`.
        what: &'static str,
        /// The limit passed.
        limit: usize,
    },
    /// `.xls`, `.et`, or an encrypted workbook (all three are OLE compound files).
    #[error("this is an old .xls/.et or an encrypted workbook; save it as .xlsx without a password")]
    OldFormat,
    /// Neither a workbook nor text.
    #[error("this is not a table: neither .xlsx nor .csv")]
    NotATable,
    /// A damaged workbook.
    #[error("the workbook is damaged: {0}")]
    Broken(String),
    /// Writing failed.
    #[error("the table could not be written: {0}")]
    Write(String),
}

impl SheetError {
    /// The same sentence in Chinese, for the page.
    pub fn zh(&self) -> String {
        match self {
            Self::Empty => "文件是空的，没有任何内容。".into(),
            Self::TooBig { bytes, limit } => format!(
                "文件太大（{} KB），最多可读 {} KB。",
                bytes.div_ceil(1024),
                limit / 1024
            ),
            Self::Bomb { limit } => format!("工作簿解压后超过 {} MB，已拒绝读取。", limit / (1024 * 1024)),
            Self::TooMany { sheet, what, limit } => {
                let what = match *what {
                    "sheets" => "张工作表",
                    "rows" => "行",
                    "columns" => "列",
                    "cells" => "个单元格",
                    _ => "字节文字",
                };
                format!("工作表“{sheet}”太大：超过 {limit} {what}。")
            }
            Self::OldFormat => "这是旧版 .xls/.et 或加了密码的工作簿，请另存为不加密的 .xlsx 再导入。".into(),
            Self::NotATable => "这不是表格文件：请用 .xlsx 或 .csv。".into(),
            Self::Broken(detail) => format!("工作簿已损坏，无法读取（{detail}）。"),
            Self::Write(detail) => format!("表格无法写出（{detail}）。"),
        }
    }
}
