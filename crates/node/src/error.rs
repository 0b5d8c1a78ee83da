//! What can go wrong at a node, in words that say what to do next. Pages translate by variant.

use std::path::PathBuf;

use records::FieldError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A form has faults; nothing was written.
    #[error("{}", faults(.0))]
    Invalid(Vec<FieldError>),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The network.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// A file of the data directory.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory holds no node.
    #[error("{0} holds no yanxiu data yet; run `yanxiu init` first")]
    NotInitialised(PathBuf),
    /// The directory holds a node already.
    #[error("{0} holds yanxiu data already; choose another --data directory or use this one")]
    AlreadyInitialised(PathBuf),
    /// The device key file is damaged.
    #[error("{0} is no device key; restore it from a backup, or enrol this computer as a new device")]
    BadKey(PathBuf),
    /// The node may not write a document.
    #[error("this device may not write {0}: its grants do not cover it (see `yanxiu status`)")]
    NotTheWriter(String),
    /// The node is not enrolled.
    #[error("this device is not enrolled in a county yet; run `yanxiu enrol request`")]
    NotEnrolled,
    /// The node was revoked.
    #[error("this device was revoked by the county; what it writes no longer counts")]
    Revoked,
    /// An enrolment code or file cannot be read.
    #[error("this is no enrolment {0}: letters are missing or wrong; copy it whole, or use the file")]
    BadCode(&'static str),
    /// An enrolment answer does not fit.
    #[error("the answer does not fit this device: {0}")]
    WrongAnswer(&'static str),
    /// Only the county does this.
    #[error("only the county's device can do this")]
    NotTheCounty,
    /// A school is unknown.
    #[error("no school is called {0:?}; `yanxiu status` lists them, `yanxiu import` brings the roster")]
    NoSuchSchool(String),
    /// Several schools fit.
    #[error("several schools fit {0:?}; give the whole name or the school code")]
    ManySchools(String),
    /// A document could not be read though its changes were admitted.
    #[error("the document {0} cannot be read; run `yanxiu status` and send the county its list")]
    Unreadable(String),
    /// The machine gave no randomness.
    #[error("the operating system gave no random numbers")]
    Random,
    /// Hashing a password failed.
    #[error("the password could not be hashed")]
    Hashing,
    /// A typed address is wrong.
    #[error("{0:?} is no address; write host:port, such as 192.168.1.10:4433")]
    BadAddress(String),
}

fn faults(list: &[FieldError]) -> String {
    list.iter()
        .map(|f| format!("{}: {} / {}", f.field, f.zh, f.en))
        .collect::<Vec<_>>()
        .join("; ")
}
