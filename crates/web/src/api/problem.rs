//! What cannot be done, as RFC 9457 (`application/problem+json`) with Chinese beside the English.

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use node::tokens::Scope;
use serde::Serialize;

use crate::fault::Fault;

/// One fault of what was sent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Wrong {
    /// Which row, beginning at 0; `None` = the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) row: Option<usize>,
    /// Which field.
    pub(crate) field: String,
    /// In English.
    pub(crate) detail: String,
    /// In Chinese.
    pub(crate) detail_zh: String,
}

/// Why a call was not served.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// Ends the `type`.
    code: &'static str,
    zh: String,
    en: String,
    wrong: Vec<Wrong>,
    /// What `WWW-Authenticate` says.
    challenge: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    title_zh: &'a str,
    status: u16,
    detail: &'a str,
    detail_zh: &'a str,
    #[serde(skip_serializing_if = "<[Wrong]>::is_empty")]
    errors: &'a [Wrong],
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Problem {
        Problem {
            status,
            code,
            zh: zh.into(),
            en: en.into(),
            wrong: Vec::new(),
            challenge: None,
        }
    }

    /// Something in the address cannot be read.
    pub(crate) fn bad_request(zh: impl Into<String>, en: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", zh, en)
    }

    /// No token, or none that is good.
    pub(crate) fn unauthorised() -> Problem {
        Problem {
            challenge: Some("Bearer realm=\"yanxiu\"".into()),
            ..Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorised",
                "请求里没有有效的令牌：没有写、已过期或已撤销。请向县里要一个。",
                "The request has no good token: it is missing, expired or revoked. Ask the county for one.",
            )
        }
    }

    /// The token may not do this.
    pub(crate) fn scope(scope: Scope) -> Problem {
        let (zh, en) = scope.names();
        Problem {
            challenge: Some(format!(
                "Bearer realm=\"yanxiu\", error=\"insufficient_scope\", scope=\"{}\"",
                scope.code()
            )),
            ..Problem::new(
                StatusCode::FORBIDDEN,
                "scope",
                format!("这个令牌没有“{zh}”（{}）的权限", scope.code()),
                format!("The token does not cover {}: {en}", scope.code()),
            )
        }
    }

    /// No such address or record.
    pub(crate) fn not_found() -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "没有这个地址或这条记录",
            "There is no such address or record",
        )
    }

    /// An address that does not take this method.
    pub(crate) fn method() -> Problem {
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "这个地址不接受这种请求方法",
            "This address does not take that method",
        )
    }

    /// The body is no JSON by its own word.
    pub(crate) fn media_type() -> Problem {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "请发送 application/json",
            "Send application/json",
        )
    }

    /// The key was used with another content.
    pub(crate) fn conflict(zh: impl Into<String>, en: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, "conflict", zh, en)
    }

    /// The content is read, and wrong; nothing was written.
    pub(crate) fn content(wrong: Vec<Wrong>) -> Problem {
        Problem {
            wrong,
            ..Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "content",
                "内容有误，什么也没有写入；每一处见 errors",
                "The content is wrong, and nothing was written; see errors",
            )
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        let inside = |text: String| {
            tracing::error!("{text}");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "inside",
                "程序内部出错，这一步没有完成；原因在运行日志里",
                "Something failed inside the program; the reason is in its log",
            )
        };
        match fault {
            Fault::NotFound => Problem::not_found(),
            Fault::Refused(zh, en) => Problem::conflict(zh, en),
            Fault::Unreadable(zh, en) => Problem::bad_request(zh, en),
            Fault::Disk(trouble) => {
                let (zh, en) = node::trouble_words(trouble);
                Problem::new(crate::fault::disk_status(trouble), "disk", zh, en)
            }
            Fault::Inside(text) => inside(text),
            other => inside(format!("{other:?}")),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(fault: QueryRejection) -> Problem {
        let fault = fault.body_text();
        Problem::bad_request(
            format!("查询参数不对：{fault}"),
            format!("The query cannot be read: {fault}"),
        )
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Problem {
        Problem::not_found()
    }
}

impl From<BytesRejection> for Problem {
    fn from(fault: BytesRejection) -> Problem {
        match fault.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "内容太大，请分成几次送（每次最多 1 MB）",
                "Too much at once; send it in several parts of 1 MB at most",
            ),
            _ => Problem::bad_request("请求没有完整传到", "The request did not arrive whole"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (title_zh, title) = match self.code {
            "bad-request" => ("请求读不了", "The request cannot be read"),
            "unauthorised" => ("没有有效的令牌", "No good token"),
            "scope" => ("权限不够", "Outside the token's scope"),
            "not-found" => ("没有", "Not found"),
            "method" => ("方法不对", "Method not allowed"),
            "media-type" => ("格式不对", "Unsupported media type"),
            "conflict" => ("与已有的冲突", "Conflict"),
            "content" => ("内容有误", "The content is wrong"),
            "too-large" => ("太大", "Too large"),
            _ => ("内部出错", "Internal fault"),
        };
        let body = Body {
            r#type: format!("urn:yanxiu:problem:{}", self.code),
            title,
            title_zh,
            status: self.status.as_u16(),
            detail: &self.en,
            detail_zh: &self.zh,
            errors: &self.wrong,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(challenge) = self.challenge.and_then(|said| HeaderValue::from_str(&said).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
