//! What is recorded, and what it comes to.
pub mod date;
pub mod fixed;
pub mod kinds;
pub mod lang;
pub mod position;
pub mod text;
pub mod value;

pub use date::{DateError, SchoolYear, from_excel_serial, parse_date};
pub use fixed::{FixedError, parse_hundredths, show_hundredths};
pub use jiff::civil::Date;
pub use kinds::{Field, FieldError, FieldType, Kind, Kinds, KindsError};
pub use lang::Lang;
pub use position::Position;
pub use value::{Fields, Value};
