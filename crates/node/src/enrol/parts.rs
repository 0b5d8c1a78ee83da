//! An enrolment answer as pictures: its code is too long for one QR picture that a telephone reads from a screen, so it is
//! cut into parts, each a picture of its own. What was scanned is pasted in any order, with or without line breaks.
//!
//! ```text
//! part    "YXT:" number 1 | ":" | count 1 | ":" mark 4 ":" letters "."       an answer of one part is the code itself
//! mark    the first 20 bits of SHA-256 over the whole code, in base32: parts of two answers are not mixed up
//! ```
//! All of it are letters that a QR picture holds in five and a half bits each. Pure.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use super::ANSWER;
use crate::Error;

/// Letters of one picture: version 13 at medium redundancy, 69 squares wide, which an old telephone reads.
const LETTERS: usize = 400;
/// Parts of one answer at most; a longer one travels as a file.
const MOST: usize = 9;
const PART: &str = "YXT:";

/// The texts of the pictures of an answer file or code; none if it is too long for pictures, or no answer.
pub fn parts(answer: &str) -> Vec<String> {
    let code = answer
        .rsplit_once("code:")
        .map_or(answer, |(_, code)| code)
        .trim();
    if !code.starts_with(ANSWER) || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Vec::new();
    }
    let count = code.len().div_ceil(LETTERS);
    match count {
        1 => vec![code.to_owned()],
        // Of one size: no picture is left with a few letters.
        2..=MOST => {
            let letters: Vec<char> = code.chars().collect();
            let each = letters.chunks(letters.len().div_ceil(count));
            let mark = mark(code);
            (1..)
                .zip(each)
                .map(|(n, part)| {
                    let part: String = part.iter().collect();
                    format!("{PART}{n}:{count}:{mark}:{part}.")
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The code that these parts make; `None` if there are none in the text. Whatever stands between them is passed over.
pub(super) fn joined(text: &str) -> Result<Option<String>, Error> {
    // An input method may have made another colon of it.
    let text = records::text::half_width(text).to_ascii_uppercase();
    let mut whole: Option<(usize, String, Vec<Option<String>>)> = None;
    for found in text.split(PART).skip(1) {
        let bad = || Error::BadCode("answer");
        let mut fields = found.splitn(4, ':').map(str::trim);
        let mut number = || fields.next().and_then(|f| f.parse::<usize>().ok());
        let (n, count) = (number().ok_or_else(bad)?, number().ok_or_else(bad)?);
        let (said, letters) = (fields.next().ok_or_else(bad)?, fields.next().ok_or_else(bad)?);
        if !(2..=MOST).contains(&count) || !(1..=count).contains(&n) {
            return Err(bad());
        }
        let letters = letters.split('.').next().unwrap_or_default();
        let letters: String = letters.chars().filter(char::is_ascii_alphanumeric).collect();
        let (of, mark, parts) = whole.get_or_insert_with(|| (count, said.to_owned(), vec![None; count]));
        if *of != count || mark != said {
            return Err(Error::WrongAnswer("these are pictures of two answers"));
        }
        if let Some(place) = parts.get_mut(n - 1) {
            *place = Some(letters);
        }
    }
    let Some((of, said, parts)) = whole else {
        return Ok(None);
    };
    let missing: Vec<String> = (1..)
        .zip(&parts)
        .filter(|(_, part)| part.is_none())
        .map(|(n, _): (usize, _)| n.to_string())
        .collect();
    if !missing.is_empty() {
        let missing = missing.join("、");
        return Err(Error::MissingPart { of, missing });
    }
    let code: String = parts.into_iter().flatten().collect();
    match mark(&code) == said {
        true => Ok(Some(code)),
        false => Err(Error::BadCode("answer")),
    }
}

fn mark(code: &str) -> String {
    let mut letters = BASE32_NOPAD.encode(&Sha256::digest(code)[..3]);
    letters.truncate(4);
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(letters: usize) -> String {
        let letters = (0..letters).map(|n| char::from(b'A' + (n * 7 % 26) as u8));
        format!("{ANSWER}{}", letters.collect::<String>())
    }

    #[test]
    fn parts_come_back_in_any_order_and_typed_anyhow() {
        assert_eq!(parts(&code(200)), [code(200)], "one picture needs no marks");
        for letters in [398, 900, 1_600, 3_000] {
            let whole = code(letters);
            let file = format!("研修 入网批复\n核对码 digits: 1\ncode: {whole}\n");
            let mut all = parts(&file);
            assert!(
                all.len() > 1 && all.iter().all(|p| p.len() <= LETTERS + 16),
                "{letters}"
            );
            assert_eq!(joined(&all.concat()).unwrap(), Some(whole.clone()));
            all.reverse();
            all.push(all[0].clone());
            let pasted = all.join("\n\n").to_lowercase().replacen(':', "：", 3);
            assert_eq!(joined(&pasted).unwrap(), Some(whole.clone()));
            // A line break in the middle, as some telephones put.
            let broken: String = all
                .join("\n")
                .chars()
                .flat_map(|c| [Some(c), (c == 'Q').then_some('\n')])
                .flatten()
                .collect();
            assert_eq!(joined(&broken).unwrap(), Some(whole));
            let missing = joined(&all[1..all.len() - 1].concat()).unwrap_err();
            assert!(matches!(&missing, Error::MissingPart { .. }), "{missing}");
        }
        assert!(parts(&code(4_000)).is_empty() && parts("YXQABC").is_empty());
        assert_eq!(joined("没有二维码").unwrap(), None);
    }

    #[test]
    fn parts_of_two_answers_and_damaged_ones_are_refused() {
        let (one, other) = (parts(&code(900)), parts(&code(901)));
        assert!(matches!(
            joined(&[&one[0], &other[1]].map(String::as_str).concat()),
            Err(Error::WrongAnswer(_))
        ));
        let mut damaged = one.concat();
        damaged.replace_range(30..31, if &damaged[30..31] == "A" { "B" } else { "A" });
        assert!(matches!(joined(&damaged), Err(Error::BadCode("answer"))));
        for bad in [
            "YXT:",
            "YXT:1:2",
            "YXT:3:2:AAAA:B.",
            "YXT:0:2:AAAA:B.",
            "YXT:1:99999999999999999999:A:B",
        ] {
            assert!(matches!(joined(bad), Err(Error::BadCode("answer"))), "{bad}");
        }
    }
}
