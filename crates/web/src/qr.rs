//! QR pictures of short texts.

use qrcode::QrCode;
use qrcode::render::svg;

/// The picture of a text, ready to stand in a page; empty when the text is too long for one. Hyphens are for people and
/// are left out.
pub(crate) fn picture(text: &str) -> String {
    plain(&text.replace('-', ""))
}

/// The picture of a text as it is.
pub(crate) fn plain(text: &str) -> String {
    let Ok(code) = QrCode::new(text.as_bytes()) else {
        return String::new();
    };
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(224, 224).build();
    // The XML heading may not stand inside a page.
    drawn
        .find("<svg")
        .and_then(|at| drawn.get(at..))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn a_request_code_fits_into_a_picture() {
        let drawn = picture("YXQA-ABCD-2345");
        assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>"), "{drawn}");
        assert!(!drawn.contains("style="));
        assert_eq!(picture(&"长".repeat(4_000)), "");
    }
}
