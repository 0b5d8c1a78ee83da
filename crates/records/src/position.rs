//! A place in a text file, for messages.

use std::fmt;
use std::ops::Range;

/// Line and column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The position of a byte range's start; the beginning of the file when the parser names none.
    pub fn of(text: &str, span: Option<Range<usize>>) -> Position {
        let before = span.and_then(|span| text.get(..span.start)).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// What the TOML parser says, in Chinese where it is one of the usual mistakes of people who write such files.
pub fn said_zh(message: &str) -> String {
    let known = || {
        let known = message.split_once("expected ").map_or("", |(_, known)| known);
        known.trim_start_matches("one of ").replace('`', "")
    };
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    if message.starts_with("unknown field") {
        format!("没有“{}”这一项；可以写的是 {}", quoted(), known())
    } else if message.starts_with("missing field") {
        format!("缺少“{}”这一项，请补上", quoted())
    } else if message.starts_with("duplicate key") {
        "同一项写了两次，请删去一处".to_owned()
    } else if message.starts_with("unknown variant") {
        format!("“{}”不能用在这里；可以写的是 {}", quoted(), known())
    } else if message.starts_with("invalid type") {
        format!("这一项的类型不对（文字要加引号，数字不要）：{message}")
    } else {
        format!("写法不对，请检查引号、括号和等号是否成对：{message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "甲乙\n丙丁戊";
        let at = text.find('戊').unwrap();
        assert_eq!(
            Position::of(text, Some(at..at + 1)),
            Position { line: 2, column: 3 }
        );
        assert_eq!(Position::of(text, None), Position { line: 1, column: 1 });
    }
}
