//! What a page answers when it cannot do what was asked. Handlers return a [`Fault`]; one layer
//! ([`show`]) turns it into a page in the reader's language, so no handler words its own errors.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::App;
use crate::lang::Lang;
use crate::page;

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nobody is signed in: sent to the sign-in page, and back to this path afterwards.
    SignIn(String),
    /// The account's role may not do this.
    Forbidden,
    /// No such page, session, teacher …
    NotFound,
    /// The form's token is not the one of this sign-in (old tab, or a forged request).
    Stale,
    /// The form or file could not be read; both texts say why.
    Unreadable(&'static str, &'static str),
    /// This node cannot do it at all; both texts say why and what to do.
    Refused(&'static str, &'static str),
    /// The disk or the database file is at fault.
    Disk(node::Trouble),
    /// A fault inside; the text goes to the log only.
    Inside(String),
}

impl From<node::Error> for Fault {
    fn from(error: node::Error) -> Fault {
        match error {
            node::Error::NotEnrolled => Fault::Refused(
                "本机还没有加入本县，不能登记。请先在“同步”页办理加入。",
                "This computer does not belong to the county yet, so nothing can be entered. Enrol it on the Sync page first.",
            ),
            node::Error::Revoked => Fault::Refused(
                "本机已被县里撤销，新的登记不再计入。请联系县教师进修学校。",
                "This computer was revoked by the county; new entries count no longer. Please call the county centre.",
            ),
            node::Error::NotTheWriter(_) | node::Error::NotTheCounty => Fault::Refused(
                "这台设备没有权限写这份记录。请联系县教师进修学校核对设备的角色。",
                "This device may not write these records. Ask the county centre to check its role.",
            ),
            other => match other.trouble() {
                Some(trouble) => {
                    tracing::error!(trouble = trouble.word(), "{}", chain(&other));
                    Fault::Disk(trouble)
                }
                None => Fault::Inside(chain(&other)),
            },
        }
    }
}

/// The words of an error that a person caused and can correct, to stand beside the field; everything
/// else is a fault of its own.
pub(crate) fn said(error: node::Error) -> Result<(String, String), Fault> {
    let zh = match &error {
        node::Error::Invalid(list) => {
            let join =
                |of: fn(&records::FieldError) -> &str| list.iter().map(of).collect::<Vec<_>>().join("; ");
            return Ok((join(|e| &e.zh), join(|e| &e.en)));
        }
        node::Error::MissingPart { .. }
        | node::Error::OwnAddress(_)
        | node::Error::OwnDevice
        | node::Error::HasRole(_)
        | node::Error::HasDecided
        | node::Error::WasRevoked(_)
        | node::Error::NoSuchSchool(_)
        | node::Error::NotCopied(_)
        | node::Error::BadCode("invitation") => return Ok((error.zh(), error.to_string())),
        node::Error::BadCode("answer") => "这不是批复码：有字母缺失或写错。请整段复制，或用批复文件的内容。",
        node::Error::BadCode(_) => "这不是申请码：有字母缺失或写错。请整段复制，或用申请文件的内容。",
        node::Error::WrongAnswer(_) => "这份批复不是给本机的，或者来自别的县。请向县里重要一份。",
        node::Error::Credential(fault) => return Ok((fault.zh(), error.to_string())),
        node::Error::Bundle(bundle) => return Ok((bundle.zh(), error.to_string())),
        node::Error::BadAddress(_) => "地址不对，请写成 主机:端口，如 192.168.1.10:4433",
        _ => return Err(error.into()),
    };
    Ok((zh.to_owned(), error.to_string()))
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Fault {
        Fault::Inside(format!("template: {error}"))
    }
}

/// An error with all its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The words of an error page: a title, what happened, what to do.
#[derive(Clone, Debug)]
struct Words {
    title: (&'static str, &'static str),
    what: (&'static str, &'static str),
    number: String,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut number = String::new();
        let (status, title, what) = match self {
            Fault::SignIn(next) => {
                return Redirect::to(&format!("/login?next={}", encode(&next))).into_response();
            }
            Fault::Forbidden => (
                StatusCode::FORBIDDEN,
                ("没有权限", "Not allowed"),
                (
                    "你的账号不能打开这一页或做这件事。需要时请本机的管理员给你换一个账号。",
                    "Your account may not open this page or do this. Ask the administrator of this computer for another account.",
                ),
            ),
            Fault::NotFound => (
                StatusCode::NOT_FOUND,
                ("没有这一页", "Page not found"),
                (
                    "地址可能写错了，或者这条记录不在本机。请从总览重新进入。",
                    "The address may be wrong, or the record is not on this computer. Start again from the overview.",
                ),
            ),
            Fault::Stale => (
                StatusCode::FORBIDDEN,
                ("页面已过期", "This page is out of date"),
                (
                    "你在别处重新登录过，或者页面开得太久。没有保存任何内容：请按浏览器的“后退”，刷新后再提交一次。",
                    "You signed in again elsewhere, or the page was open for too long. Nothing was saved: go back, reload and submit again.",
                ),
            ),
            Fault::Unreadable(zh, en) => (
                StatusCode::BAD_REQUEST,
                ("读不了提交的内容", "The submission could not be read"),
                (zh, en),
            ),
            Fault::Refused(zh, en) => (
                StatusCode::CONFLICT,
                ("现在不能做这件事", "This cannot be done now"),
                (zh, en),
            ),
            Fault::Disk(trouble) => (
                disk_status(trouble),
                ("没有保存", "Not saved"),
                node::trouble_words(trouble),
            ),
            Fault::Inside(text) => {
                number = short_id();
                tracing::error!(number, "{text}");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ("程序内部出错", "Something failed inside the program"),
                    (
                        "刚才这一步没有完成，已经保存的记录不受影响。请再试一次；还是不行，就把下面的编号告诉管理员，他能在运行日志里找到原因。",
                        "This step was not completed; records already saved are safe. Please try again. If it fails again, give the number below to your administrator, who will find the reason in the log.",
                    ),
                )
            }
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(Words { title, what, number });
        response
    }
}

/// The status of an answer when the disk is at fault.
pub(crate) fn disk_status(trouble: node::Trouble) -> StatusCode {
    match trouble {
        node::Trouble::Full => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Eight letters and digits that name one line of the log.
fn short_id() -> String {
    let mut bytes = [0_u8; 5];
    // A number only has to be findable; without randomness the clock of the log line is enough.
    let _ = getrandom::fill(&mut bytes);
    data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase()
}

/// Percent-encodes a path for use inside a query.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Layer: gives every bare error answer, also those of the router itself, a page.
pub(crate) async fn show(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let l = crate::guard::language(headers);
    let response = next.run(request).await;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let words = match response.extensions().get::<Words>() {
        Some(words) => words.clone(),
        None if is_page(&response) => return response,
        None => plain(status),
    };
    error_page(&app, l, status, &words)
}

fn is_page(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    ["text/html", "application/json", "application/problem+json"]
        .iter()
        .any(|own| kind.starts_with(own))
}

/// Words for answers of the router (unknown path, wrong method, body too long).
fn plain(status: StatusCode) -> Words {
    let (title, what) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => (
            ("文件太大", "The file is too large"),
            (
                "一次最多 16 MB。请把表格分成几份。",
                "At most 16 MB at a time. Please split the table.",
            ),
        ),
        StatusCode::NOT_FOUND => (
            ("没有这一页", "Page not found"),
            (
                "地址可能写错了，或者这条记录不在本机。请从总览重新进入。",
                "The address may be wrong, or the record is not on this computer. Start again from the overview.",
            ),
        ),
        _ => (
            ("这个请求不能处理", "This request cannot be served"),
            (
                "请从总览重新进入，再做一次。",
                "Please start again from the overview.",
            ),
        ),
    };
    Words {
        title,
        what,
        number: String::new(),
    }
}

fn error_page(app: &App, l: Lang, status: StatusCode, words: &Words) -> Response {
    let shown = page::FaultPage {
        l,
        c: page::Chrome::bare(app, l, l.t(words.title.0, words.title.1)),
        what: l.t(words.what.0, words.what.1),
        number: &words.number,
    };
    match page::html(&shown) {
        Ok(response) => (status, response).into_response(),
        Err(_) => status.into_response(),
    }
}
