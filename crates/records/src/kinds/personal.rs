//! Numbers that must never enter a document: identity card (身份证), mobile telephone, bank account.
//!
//! Documents keep their history for ever, so such a number could never be taken back (design.md §3).
//! This is a guard against slips, not a proof: it finds the plain, the full-width and the usual
//! grouped ways of writing.

use crate::text::{half_width, is_invisible};

/// Kind of personal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    /// 身份证号: 17 digits and a digit or X.
    IdentityCard,
    /// 手机号: 11 digits that begin with 13–19, with or without 86 before.
    Mobile,
    /// 银行账号: 16 to 19 digits (longer runs too).
    BankAccount,
}

impl Personal {
    /// Message in Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Personal::IdentityCard => "含有类似身份证号的数字，不能写入记录，请删去",
            Personal::Mobile => "含有类似手机号的数字，不能写入记录，请删去",
            Personal::BankAccount => "含有类似银行账号的长数字，不能写入记录，请删去",
        }
    }

    /// Message in English.
    pub fn en(self) -> &'static str {
        match self {
            Personal::IdentityCard => {
                "holds what looks like an identity-card number, which may not be recorded; remove it"
            }
            Personal::Mobile => "holds what looks like a mobile number, which may not be recorded; remove it",
            Personal::BankAccount => {
                "holds a long number like a bank account, which may not be recorded; remove it"
            }
        }
    }
}

/// The first personal number in a text, if there is one.
///
/// Ids of records (UUID) and hashes (64 digits, hexadecimal) are passed over: of some three thousand ids one
/// ends in what looks like a mobile number.
pub fn find_personal(text: &str) -> Option<Personal> {
    let plain: String = half_width(text)
        .chars()
        .filter(|char| !is_invisible(*char))
        .collect();
    let runs = digit_runs(&without_ids(&plain));
    runs.iter()
        .find_map(|run| judge_run(&run.digits, run.then_x))
        .or_else(|| (0..runs.len()).find_map(|from| judge_groups(&runs[from..])))
}

/// The text with `#` in place of each id of a record and each hash that stands by itself.
fn without_ids(text: &str) -> String {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_id = |word: &str| match word.len() {
        36 => word.bytes().all(|byte| is_hex(byte) || byte == b'-') && uuid::Uuid::try_parse(word).is_ok(),
        64 => word.bytes().all(is_hex),
        _ => false,
    };
    text.split_inclusive(|char: char| !char.is_alphanumeric() && char != '-')
        .map(|part| {
            let word = part.trim_end_matches(|char: char| !char.is_alphanumeric() && char != '-');
            if is_id(word) {
                part.replacen(word, "#", 1)
            } else {
                part.to_owned()
            }
        })
        .collect()
}

/// A run of decimal digits: whether an `X` follows, and whether one blank or hyphen and then the next run.
struct Run {
    digits: String,
    then_x: bool,
    joined: bool,
}

fn digit_runs(text: &str) -> Vec<Run> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut runs = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        if !at(index).is_ascii_digit() {
            index += 1;
            continue;
        }
        let start = index;
        while at(index).is_ascii_digit() {
            index += 1;
        }
        let then_x = matches!(at(index), 'x' | 'X') && !at(index + 1).is_ascii_alphanumeric();
        let joined = matches!(at(index), ' ' | '-' | '\t') && at(index + 1).is_ascii_digit();
        runs.push(Run {
            digits: chars.get(start..index).unwrap_or(&[]).iter().collect(),
            then_x,
            joined,
        });
    }
    runs
}

fn judge_run(digits: &str, then_x: bool) -> Option<Personal> {
    match digits.len() {
        17 if then_x => Some(Personal::IdentityCard),
        18 if has_birth_date(digits) => Some(Personal::IdentityCard),
        16.. => Some(Personal::BankAccount),
        11 if is_mobile(digits) => Some(Personal::Mobile),
        13 if digits.starts_with("86") && digits.get(2..).is_some_and(is_mobile) => Some(Personal::Mobile),
        _ => None,
    }
}

/// Numbers written in groups with one blank or hyphen between: 138 1234 5678, 6222 0000 1234 5678.
fn judge_groups(runs: &[Run]) -> Option<Personal> {
    let joined = runs.iter().take(5).scan(true, |open, run| {
        let take = *open;
        *open = run.joined;
        take.then_some(run)
    });
    let groups: Vec<&Run> = joined.collect();
    let sizes: Vec<usize> = groups.iter().map(|run| run.digits.len()).collect();
    let text = |count: usize| {
        groups
            .iter()
            .take(count)
            .map(|run| run.digits.as_str())
            .collect::<String>()
    };
    match sizes.as_slice() {
        [3, 4, 4, ..] if is_mobile(&text(3)) => Some(Personal::Mobile),
        [6, 8, 4, ..] if has_birth_date(&text(3)) => Some(Personal::IdentityCard),
        [6, 8, 3, ..] if groups.get(2).is_some_and(|run| run.then_x) => Some(Personal::IdentityCard),
        // Four groups of four may be four years, also when the check digit of bank cards happens to fit.
        [4, 4, 4, 4, ..]
            if groups.iter().take(4).all(|run| {
                run.digits
                    .parse()
                    .is_ok_and(|year: u32| (1900..=2100).contains(&year))
            }) =>
        {
            None
        }
        [4, 4, 4, 4, 3, ..] if passes_luhn(&text(5)) => Some(Personal::BankAccount),
        [4, 4, 4, 4, ..] if passes_luhn(&text(4)) => Some(Personal::BankAccount),
        _ => None,
    }
}

fn is_mobile(digits: &str) -> bool {
    digits.len() == 11 && digits.starts_with('1') && matches!(digits.as_bytes().get(1), Some(b'3'..=b'9'))
}

/// Whether digits 7 to 14 are a plausible date of birth.
fn has_birth_date(digits: &str) -> bool {
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or(0)
    };
    (1900..=2100).contains(&number(6, 10))
        && (1..=12).contains(&number(10, 12))
        && (1..=31).contains(&number(12, 14))
}

fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            if at % 2 == 0 {
                digit
            } else {
                digit * 2 / 10 + digit * 2 % 10
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    // All numbers here are made up: no such division code, number range or card prefix is in use.
    #[test]
    fn personal_numbers_are_found_however_written() {
        for (text, kind) in [
            ("680123198001011234", Personal::IdentityCard),
            ("身份证：68012319800101123X。", Personal::IdentityCard),
            ("６８０１２３１９８００１０１１２３ｘ", Personal::IdentityCard),
            ("680123 19800101 1234", Personal::IdentityCard),
            ("680123 19800101 123X", Personal::IdentityCard),
            ("680123\u{200B}198001011234", Personal::IdentityCard),
            ("电话13800000000，请联系", Personal::Mobile),
            ("１３８００００００００", Personal::Mobile),
            ("138 0000 0000", Personal::Mobile),
            ("138-0000-0000", Personal::Mobile),
            ("+8613800000000", Personal::Mobile),
            ("+86 13800000000", Personal::Mobile),
            ("工资卡0000111122223333", Personal::BankAccount),
            ("0000111122223333444", Personal::BankAccount),
            ("4000 0000 0000 0002", Personal::BankAccount),
            ("123456789012345678901234567890", Personal::BankAccount),
            // Nearly an id, and beside one.
            ("0197a1b2-3c4d-7e5f-8a6b-a13800000000号", Personal::Mobile),
            (
                "0197a1b2-3c4d-7e5f-8a6b-0123456789ab 13800000000",
                Personal::Mobile,
            ),
        ] {
            assert_eq!(find_personal(text), Some(kind), "{text}");
        }
    }

    #[test]
    fn ordinary_office_text_passes() {
        for text in [
            "2026-09-01 至 2026-09-05 第3次研课磨课",
            "20260901-20260905",
            "2023 2024 2025 2026 四年总结",
            "参加 50 人，共 3500 人次，1443.92 平方公里",
            "学校标识码 2168000123，座机 0812-3456789",
            "教龄12345678901年",
            "文号：云教〔2026〕12号",
            // Ids of records, alone and in a text: the ends look like a mobile number, the groups like a card's.
            "0197a1b2-3c4d-7e5f-8a6b-a13800000000",
            "0197a1b2-3c4d-7e5f-8a6b-13800000000f",
            "见 0197a1b2-3c4d-7e5f-8a6b-a13800000000，0197a1b2-3c4d-7e5f-8a6b-13800000000f。",
            "a13800000000a123456789012345678abcdefabcdefabcdefabcdefabcdefabc",
            "",
        ] {
            assert_eq!(find_personal(text), None, "{text}");
        }
    }
}
