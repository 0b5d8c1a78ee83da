//! Tidying of text that people typed or that came from a spreadsheet.

/// Full-width forms to half-width: digits, Latin letters, punctuation and the ideographic space.
/// For codes and numbers; prose keeps its Chinese punctuation, use [`tidy`].
pub fn half_width(text: &str) -> String {
    text.chars().map(half_width_char).collect()
}

/// One line of prose: full-width digits and letters become half-width, runs of blanks (also
/// U+3000, tabs, line breaks) become one space, invisible characters go, ends are trimmed.
pub fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut blank = false;
    for char in text.chars().filter(|char| !is_invisible(*char)) {
        if char.is_whitespace() {
            blank = true;
            continue;
        }
        if blank && !tidied.is_empty() {
            tidied.push(' ');
        }
        blank = false;
        let half = half_width_char(char);
        tidied.push(if half.is_ascii_alphanumeric() { half } else { char });
    }
    tidied
}

/// A person's name: blanks that touch a Chinese character go ("张 三" → "张三", padded two-character
/// names), the separating dot of non-Han names is written `·`, and others keep single spaces.
pub fn person_name(text: &str) -> String {
    let tidied: Vec<char> = tidy(text)
        .chars()
        .map(|char| {
            if matches!(char, '•' | '‧' | '・' | '．' | '∙' | '⋅') {
                '·'
            } else {
                char
            }
        })
        .collect();
    let mut name = String::new();
    for (at, char) in tidied.iter().enumerate() {
        let touches = |other: Option<&char>| other.is_some_and(|other| is_han(*other) || *other == '·');
        if *char == ' '
            && (touches(tidied.get(at + 1)) || touches(at.checked_sub(1).and_then(|at| tidied.get(at))))
        {
            continue;
        }
        name.push(*char);
    }
    name
}

/// Whether a character is a Han character, with every extension (㙇 is in A, 𬭊 in E) and 〇.
pub fn is_han(char: char) -> bool {
    matches!(u32::from(char), 0x3007 | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

fn half_width_char(char: char) -> char {
    match char {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(char) - 0xFEE0).unwrap_or(char),
        other => other,
    }
}

/// Zero-width and byte-order marks that spreadsheets and chat programs leave behind.
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn full_width_becomes_half_width() {
        assert_eq!(half_width("２０２６年９月，ＡＢ　c"), "2026年9月,AB c");
    }

    #[test]
    fn prose_keeps_its_punctuation() {
        assert_eq!(
            tidy("  第３次\t研课磨课，\n 说课　评课  "),
            "第3次 研课磨课， 说课 评课"
        );
        assert_eq!(tidy("\u{FEFF}语\u{200B}文"), "语文");
        assert_eq!(tidy(" \u{3000}\n"), "");
    }

    #[test]
    fn padded_names_lose_their_padding() {
        for (typed, name) in [
            ("张 三", "张三"),
            ("张　　三", "张三"),
            (" 欧阳 若 兰 ", "欧阳若兰"),
            ("王 𬭊", "王𬭊"),
            ("㙇 伟", "㙇伟"),
            ("买买提 • 艾力", "买买提·艾力"),
            ("John  Smith", "John Smith"),
        ] {
            assert_eq!(person_name(typed), name);
        }
    }

    proptest! {
        #[test]
        fn tidying_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = tidy(&text);
            prop_assert_eq!(tidy(&once), once.clone());
            let name = person_name(&text);
            prop_assert_eq!(person_name(&name), name.clone());
        }
    }
}
