//! The pages. One file for each subject; each holds its handlers and its templates' data.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod card;
pub(crate) mod claims;
pub(crate) mod county;
pub(crate) mod devices;
pub(crate) mod export;
mod export_lines;
pub(crate) mod import;
pub(crate) mod imports;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod overview;
pub(crate) mod publishing;
pub(crate) mod quarantine;
pub(crate) mod record_form;
pub(crate) mod records;
pub(crate) mod roster;
pub(crate) mod session_form;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod sync;
