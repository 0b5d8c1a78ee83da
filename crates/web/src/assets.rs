//! The style sheet, the script and the icon, compiled into the program.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::fault::Fault;

const STYLE: &str = concat!(
    include_str!("../static/base.css"),
    include_str!("../static/parts.css"),
    include_str!("../static/records.css"),
    include_str!("../static/charts.css"),
    include_str!("../static/print.css")
);
/// Of printed forms alone: the size of their pages must not reach other pages.
const FORMS: &str = include_str!("../static/forms.css");
const SCRIPT: &str = include_str!("../static/app.js");
const ICON: &str = include_str!("../static/icon.svg");

/// A short digest of all assets; part of their addresses, so browsers may keep them for long.
pub(crate) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hash = Sha256::new();
        for part in [STYLE, FORMS, SCRIPT, ICON] {
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        data_encoding::HEXLOWER.encode(digest.get(..6).unwrap_or(&digest))
    })
}

/// `GET /static/{name}`
pub(crate) async fn serve(Path(name): Path<String>) -> Result<Response, Fault> {
    let (kind, body) = match name.as_str() {
        "app.css" => ("text/css; charset=utf-8", STYLE),
        "forms.css" => ("text/css; charset=utf-8", FORMS),
        "app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Fault::NotFound),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, body).into_response())
}
