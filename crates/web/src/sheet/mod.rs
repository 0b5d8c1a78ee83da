//! Tables of the office in and out: XLSX and CSV, roster import with a preview, export.

pub mod dates;
mod delimited;
mod error;
pub mod grid;
pub mod header;
pub mod text;
mod xlsx;

pub use error::SheetError;
