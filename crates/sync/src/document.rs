//! Names of documents and of changes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// SHA-256 over an Automerge change's type, length and body.
pub type ChangeHash = [u8; 32];

/// The key of a document: segments of `a-z 0-9 - _` joined by `/`, such as `log/<school>/2025`.
/// The first segment is the document's kind; who may write and read follows from it (`authority`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DocKey(String);

impl DocKey {
    /// Checks the form; `None` when it has other characters, empty segments or is too long.
    pub fn parse(text: &str) -> Option<DocKey> {
        let good = |s: &str| {
            !s.is_empty()
                && s.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        };
        (text.len() <= limits::KEY_BYTES && text.split('/').all(good)).then(|| DocKey(text.to_string()))
    }

    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Segment `i`, counted from 0 (the kind).
    pub fn segment(&self, i: usize) -> Option<&str> {
        self.0.split('/').nth(i)
    }
}

impl<'de> Deserialize<'de> for DocKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        DocKey::parse(&text).ok_or_else(|| serde::de::Error::custom("not a document key"))
    }
}

impl fmt::Display for DocKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked() {
        assert!(DocKey::parse("log/0190-ab/2025").is_some());
        for bad in [
            "",
            "log//2025",
            "/log",
            "Log/x",
            "log/../x",
            "日志/x",
            "log/x y",
            &"a".repeat(161),
        ] {
            assert_eq!(DocKey::parse(bad), None, "{bad}");
        }
    }
}
