//! What of a request goes into the access log (谁看过、做过什么; 网络安全法 asks for six months of it).
//!
//! A handler names its act with `Ctx::log`; what was saved by a form that named none is noted here by its address, so that
//! no act is missing because nobody thought of it. Whose card or photos were looked at is noted once in ten minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use node::accounts::{self, AccessRow};

use crate::app::App;
use crate::page;

/// Open pages fetch themselves anew: the same account looking at the same thing is one look for so many seconds.
const LOOK_SECONDS: i64 = 600;
/// Looks that are remembered; beyond, all are forgotten, and noted once more.
const LOOKS: usize = 10_000;
/// Longest object of a line, in characters.
const CHARS: usize = 200;

/// Who a request turned out to be of, and whether its act stands in the log. Shared by the layer and the handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Traced>>);

#[derive(Debug, Default)]
struct Traced {
    /// Account id, name and address.
    who: Option<[String; 3]>,
    logged: bool,
}

impl Trace {
    pub(crate) fn set_who(&self, account: &str, name: &str, remote: &str) {
        self.lock().who = Some([account, name, remote].map(str::to_owned));
    }

    pub(crate) fn set_logged(&self) {
        self.lock().logged = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Traced> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was looked at lately: account and object, with the moment.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<(String, String), i64>>);

impl Looks {
    /// Whether a look is to be noted.
    pub(crate) fn is_new(&self, account: &str, object: &str, now: i64) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS {
            looks.clear();
        }
        let key = (account.to_owned(), object.to_owned());
        match looks.get(&key) {
            Some(at) if now.saturating_sub(*at).saturating_abs() < LOOK_SECONDS => false,
            _ => {
                looks.insert(key, now);
                true
            }
        }
    }
}

/// Layer: notes a form that was carried out, if its handler has not named the act. A form that came back with faults,
/// or was refused, has changed nothing.
pub(crate) async fn note(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let trace = Trace::default();
    let object: String = request.uri().path().chars().take(CHARS).collect();
    request.extensions_mut().insert(trace.clone());
    let response = next.run(request).await;
    if response.status() != StatusCode::SEE_OTHER {
        return response;
    }
    let who = {
        let mut traced = trace.lock();
        let logged = traced.logged;
        traced.who.take().filter(|_| !logged)
    };
    if let Some([account, name, remote]) = who {
        let line = AccessRow {
            at: page::now(),
            account,
            name,
            act: "form".to_owned(),
            object,
            remote,
        };
        if app.run(move |n| accounts::log(n, line)).await.is_err() {
            tracing::error!("a form could not be written into the access log");
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_noted_once_in_ten_minutes() {
        let looks = Looks::default();
        assert!(looks.is_new("甲", "卡1", 1_000));
        assert!(!looks.is_new("甲", "卡1", 1_599));
        assert!(looks.is_new("甲", "卡2", 1_000) && looks.is_new("乙", "卡1", 1_000));
        assert!(looks.is_new("甲", "卡1", 1_600));
        // A clock that was put back far hides nothing.
        assert!(looks.is_new("甲", "卡1", 100));
    }
}
