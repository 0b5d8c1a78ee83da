//! The two page languages. Every text on a page is written as an inline pair, `l.t("中文", "English")`,
//! so that a term and its translation stand side by side and cannot drift apart.

/// The language of one answer: Chinese unless the reader asks for English.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// 简体中文, the office language.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The text of this language out of a fixed pair.
    pub fn t(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// The same choice for texts that are not fixed (error texts, labels of code tables).
    pub fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Lang::En if !en.is_empty() => en,
            _ => zh,
        }
    }

    /// Whether the page is Chinese; templates use it where word order differs.
    pub fn zh(self) -> bool {
        self == Lang::Zh
    }

    /// The value of the `lang` attribute (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }

    /// The language that a cookie or the path of the switch names.
    pub fn from_code(code: &str) -> Option<Lang> {
        match code {
            "zh" => Some(Lang::Zh),
            "en" => Some(Lang::En),
            _ => None,
        }
    }

    /// The switch (cookie) wins over `Accept-Language`; without either the page is Chinese.
    pub fn choose(cookie: Option<&str>, accept: Option<&str>) -> Lang {
        if let Some(lang) = cookie.and_then(Lang::from_code) {
            return lang;
        }
        let mut best = (Lang::Zh, 0.0_f32);
        for item in accept.unwrap_or_default().split(',').take(20) {
            let mut parts = item.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let quality = match parts.find_map(|p| p.trim().strip_prefix("q=")) {
                Some(q) => q
                    .trim()
                    .parse::<f32>()
                    .ok()
                    .filter(|q| q.is_finite())
                    .unwrap_or(0.0),
                None => 1.0,
            };
            let lang = match tag.split('-').next().unwrap_or_default() {
                "zh" => Lang::Zh,
                "en" => Lang::En,
                _ => continue,
            };
            if quality > best.1 {
                best = (lang, quality);
            }
        }
        best.0
    }
}

impl From<Lang> for records::Lang {
    fn from(lang: Lang) -> records::Lang {
        match lang {
            Lang::Zh => records::Lang::Zh,
            Lang::En => records::Lang::En,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lang;

    #[test]
    fn chinese_unless_english_is_preferred() {
        assert_eq!(Lang::choose(None, None), Lang::Zh);
        assert_eq!(Lang::choose(None, Some("fr-FR,fr;q=0.9")), Lang::Zh);
        assert_eq!(Lang::choose(None, Some("zh-CN,zh;q=0.9,en;q=0.8")), Lang::Zh);
        assert_eq!(Lang::choose(None, Some("en-GB,en;q=0.9,zh;q=0.5")), Lang::En);
        assert_eq!(Lang::choose(None, Some("en;q=0.3, zh-TW;q=0.7")), Lang::Zh);
        assert_eq!(Lang::choose(None, Some("en;q=0")), Lang::Zh);
        assert_eq!(Lang::choose(None, Some("en;q=NaN, zh")), Lang::Zh);
        assert_eq!(Lang::choose(Some("zh"), Some("en")), Lang::Zh);
        assert_eq!(Lang::choose(Some("en"), Some("zh")), Lang::En);
        assert_eq!(Lang::choose(Some("xx"), Some("en")), Lang::En);
    }

    #[test]
    fn a_missing_translation_falls_back_to_chinese() {
        assert_eq!(Lang::En.pick("听课", ""), "听课");
        assert_eq!(Lang::En.pick("听课", "observation"), "observation");
    }
}
