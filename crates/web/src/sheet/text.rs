//! Cleaning of what people type into cells: full-width forms, padding, invisible characters.

/// Full-width ASCII to half-width, every kind of space to ' ', invisible characters dropped.
/// Nothing else changes: rare characters outside the BMP pass as they are.
pub fn fold(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0),
            // Zero-width characters and the BOM come along when text is copied out of WPS or a web page.
            '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}' => None,
            c if c.is_whitespace() => Some(' '),
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

/// [`fold`] without any space: for codes, numbers, headings and comparisons.
pub fn squeeze(text: &str) -> String {
    fold(text).chars().filter(|c| *c != ' ').collect()
}

/// [`fold`] with single inner spaces and none at the ends.
pub fn tidy(text: &str) -> String {
    fold(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A person's name: “张 三” and “张　三” are 张三 (names are padded so that two characters
/// fill the width of three). Spaces stay only between Latin words; the dots of minority
/// names become U+00B7.
pub fn clean_name(text: &str) -> String {
    let folded = tidy(text);
    let mut out = String::with_capacity(folded.len());
    let mut chars = folded.chars().peekable();
    while let Some(c) = chars.next() {
        let keep = match c {
            ' ' => {
                out.chars().last().is_some_and(|p| p.is_ascii_alphabetic())
                    && chars.peek().is_some_and(|n| n.is_ascii_alphabetic())
            }
            _ => true,
        };
        if keep {
            let between = !out.is_empty() && chars.peek().is_some();
            out.push(match c {
                '•' | '・' | '‧' | '●' | '∙' | '⋅' => '·',
                '.' if between && !out.ends_with(|p: char| p.is_ascii()) => '·',
                other => other,
            });
        }
    }
    out
}

/// `C17` for row 16, column 2 (both from 0).
pub fn address(row: usize, column: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters.reverse();
    format!("{}{}", String::from_utf8_lossy(&letters), row + 1)
}

/// First `most` characters of `text`, with “…” when there was more.
pub fn shorten(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_padding_but_not_rare_characters() {
        assert_eq!(clean_name("张 三"), "张三");
        assert_eq!(clean_name("张　三"), "张三");
        assert_eq!(clean_name(" 李\u{200B}\u{A0}𬭊 "), "李𬭊");
        assert_eq!(clean_name("㙇　玉"), "㙇玉");
        assert_eq!(clean_name("买买提•艾力"), "买买提·艾力");
        assert_eq!(clean_name("买买提．艾力"), "买买提·艾力");
        assert_eq!(clean_name("Mary  Ann"), "Mary Ann");
    }

    #[test]
    fn full_width_digits_fold() {
        assert_eq!(squeeze("Ｔ２０２５　００１ "), "T2025001");
    }

    #[test]
    fn addresses() {
        assert_eq!(address(16, 2), "C17");
        assert_eq!(address(0, 25), "Z1");
        assert_eq!(address(0, 26), "AA1");
        assert_eq!(address(9, 701), "ZZ10");
        assert_eq!(address(9, 702), "AAA10");
    }
}
