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
