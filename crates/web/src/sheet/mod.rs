//! Tables of the office in and out: XLSX and CSV, roster import with a preview, export.

pub mod codes;
mod columns;
pub mod dates;
mod delimited;
mod error;
mod findings;
pub mod grid;
pub mod header;
pub mod lists;
pub mod roster;
mod row;
pub mod table;
pub mod text;
pub mod write;
mod xlsx;

pub use error::SheetError;
