//! What is recorded about teachers' professional learning, and what it comes to.
//!
//! The crate is pure: no input or output, no clock, no randomness from outside, no async. Its main
//! path is the way of a record:
//!
//! 1. People and spreadsheets bring text. [`text`], [`date`] and [`fixed`] read it: padded names,
//!    full-width digits, six styles of dates, decimal amounts as integers in hundredths.
//! 2. The result is a flat map of scalars, [`Fields`] of [`Value`]s. Its [`Kind`] (data, one TOML
//!    file per version under `kinds/`) says which fields there are; [`Kind::check`] names every
//!    mistake in Chinese and English, and keeps numbers of identity cards, telephones and bank
//!    accounts out of documents that never forget.
//! 3. A school registers credit (登分): [`RuleSet::credits_of`] turns class-hours into credits,
//!    exactly. The county decides; [`claim_digest`] is what its decision binds, so that an edit
//!    afterwards cannot hide behind it.
//! 4. [`rules::evaluate`] turns what was recognised into a person's card under a [`RuleSet`] (data too,
//!    under `rules/`): the channel × category table, each requirement with what is missing and the
//!    entries behind it. The order in which records arrived, and how often, changes no figure.
//!
//! [`sample`] makes up a county of the published size for the demo, tests and measurements.
//!
//! The crate does not know documents' changes, devices, signatures or tables; it meets them in `node`.

pub mod clock;
pub mod date;
pub mod digest;
pub mod fixed;
pub mod kinds;
pub mod lang;
pub mod occasion;
pub mod position;
pub mod rhythm;
pub mod rules;
pub mod sample;
pub mod series;
pub mod text;
pub mod value;
pub mod visits;

pub use clock::{id_time, wrong_clock};
pub use date::{DateError, SchoolYear, from_excel_serial, parse_date, parse_stored_date};
pub use digest::{claim_digest, claim_digest_with, parts_digest, record_digest_with};
pub use fixed::{Amount, FixedError, parse_hundredths, show_hundredths};
pub use jiff::civil::Date;
pub use kinds::{Field, FieldError, FieldType, Kind, Kinds, KindsError, split_reference};
pub use lang::Lang;
pub use occasion::{Occasion, minute_of_day, titles_alike};
pub use position::Position;
pub use rules::{ConvertError, CreditCard, Entry, PersonFacts, RuleSet, RulesError, credit_card};
pub use value::{Fields, Value};
