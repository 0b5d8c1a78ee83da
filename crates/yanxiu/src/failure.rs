//! Why a command ended: words for the person and a number for the service manager.

use std::fmt;
use std::process::ExitCode;

use node::Trouble;

/// Exit codes. They are documented (`crates/yanxiu/OPERATION.md`) and never change their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Code {
    /// Anything without a number of its own. (clap ends with 2 when the arguments are wrong.)
    Other = 1,
    /// The disk is full.
    Full = 10,
    /// The disk is read-only, or may not be written.
    ReadOnly = 11,
    /// The database has damaged pages, or is none.
    Damaged = 12,
    /// The disk gives errors.
    Disk = 13,
    /// `verify` found something that is not as it must be.
    Unsound = 14,
    /// A backup is damaged, incomplete or no backup.
    BadBackup = 15,
}

impl From<Trouble> for Code {
    fn from(trouble: Trouble) -> Code {
        match trouble {
            Trouble::Full => Code::Full,
            Trouble::ReadOnly => Code::ReadOnly,
            Trouble::Damaged => Code::Damaged,
            Trouble::Disk => Code::Disk,
        }
    }
}

/// Why a command ended; shown to the person as it is.
#[derive(Debug)]
pub struct Failure {
    text: String,
    code: Code,
}

impl Failure {
    /// With words of one's own.
    pub fn new(text: impl Into<String>) -> Failure {
        Failure::with(Code::Other, text)
    }

    /// With a code of its own.
    pub fn with(code: Code, text: impl Into<String>) -> Failure {
        Failure {
            text: text.into(),
            code,
        }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

/// In both languages where this program words the error itself.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        let any: &(dyn std::error::Error + 'static) = &error;
        let of_node = any.downcast_ref::<node::Error>();
        let trouble = match of_node {
            Some(e) => e.trouble(),
            None => Trouble::of(any),
        };
        let code = match of_node {
            Some(node::Error::Backup(e)) if e.is_damage() => Code::BadBackup,
            _ => trouble.map_or(Code::Other, Code::from),
        };
        let zh = if let Some(e) = of_node {
            e.zh()
        } else if let Some(e) = any.downcast_ref::<web::sheet::SheetError>() {
            e.zh()
        } else if let Some(web::Error::NotLoopback(at)) = any.downcast_ref::<web::Error>() {
            format!("{at} 不是本机回环地址；要让别的电脑打开网页，请加 --lan")
        } else if let Some(web::Error::NoToken(at)) = any.downcast_ref::<web::Error>() {
            format!("{at} 不是本机回环地址；监控请设 ops.token，或改在 127.0.0.1 上监听")
        } else {
            return Failure::with(code, error.to_string());
        };
        Failure::with(code, format!("{zh} / {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
