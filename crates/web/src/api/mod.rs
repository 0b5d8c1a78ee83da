//! The JSON API for the county's other systems: `/api/v1`, described by `openapi.json` (OpenAPI 3.1).
//!
//! A caller shows a token ([`node::tokens`]) as `Authorization: Bearer …`; what it may do says its scope, and every call
//! stands in the access log. Lists come in pages (`limit`, `cursor`), amounts in hundredths, days as `YYYY-MM-DD`, moments
//! as RFC 3339. What cannot be done is answered as RFC 9457 says, in both languages ([`problem`]). Only the county's node
//! answers: a school's own data go to the county by themselves.

mod outside;
mod paging;
mod problem;
mod read;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use node::accounts::{self, AccessRow};
use node::tokens::{self, Checked, Scope, Token};

use crate::app::App;
use crate::page;
use problem::Problem;

/// What the API is, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// 500 rows are some 200 KB.
const BODY_BYTES: usize = 1024 * 1024;

/// Longest object of a line in the access log, in characters.
const LOGGED: usize = 200;

/// Everything below `/api/v1`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/organisations", get(read::organisations))
        .route("/schools", get(read::schools))
        .route("/people", get(read::people))
        .route("/people/{id}/credits", get(read::credits_of))
        .route("/credits", get(read::credits))
        .route("/sessions", get(read::sessions))
        .route("/claims", get(read::claims))
        .route(
            "/outside-hours",
            post(outside::receive).layer(DefaultBodyLimit::max(BODY_BYTES)),
        )
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method() })
}

async fn openapi() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"yanxiu-openapi.json\"",
        ),
    ];
    (headers, OPENAPI)
}

/// A caller whose token is good.
pub(crate) struct Caller {
    app: App,
    token: Token,
    line: AccessRow,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Problem> {
        let app = app.clone();
        if !app.node.is_county() {
            return Err(Problem::not_found());
        }
        let sent = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        let sent = sent
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some(sent) = sent.map(|(_, token)| token.trim().to_owned()) else {
            return Err(Problem::unauthorised());
        };
        let checked = app.run(move |n| tokens::check(n, &sent, page::now())).await?;
        let remote = ConnectInfo::<std::net::SocketAddr>::from_request_parts(parts, &app).await;
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        let line = |token: &Token, act: &str| AccessRow {
            at: page::now(),
            account: token.id.clone(),
            name: format!("API：{}", token.label),
            act: act.to_owned(),
            object: format!("{} /api/v1{path}", parts.method)
                .chars()
                .take(LOGGED)
                .collect(),
            remote: remote
                .as_ref()
                .map_or_else(|_| String::new(), |at| at.ip().to_string()),
        };
        match checked {
            Checked::Good(token) => Ok(Caller {
                line: line(&token, "api"),
                app,
                token,
            }),
            // Whoever has it once had a good one: that it is still in use is worth a line.
            Checked::Over(token) => {
                write(&app, line(&token, "api refused")).await;
                Err(Problem::unauthorised())
            }
            Checked::Unknown => Err(Problem::unauthorised()),
        }
    }
}

impl Caller {
    /// Refuses a call outside the token's scope, and writes it into the access log either way.
    async fn need(&self, scope: Scope) -> Result<(), Problem> {
        let may = self.token.scopes.contains(&scope);
        let act = if may { "api" } else { "api refused" };
        let line = AccessRow {
            act: act.to_owned(),
            ..self.line.clone()
        };
        write(&self.app, line).await;
        match may {
            true => Ok(()),
            false => Err(Problem::scope(scope)),
        }
    }
}

/// The act stands even if the log cannot be written; the fault goes to the program's log.
async fn write(app: &App, line: AccessRow) {
    if app.run(move |n| accounts::log(n, line)).await.is_err() {
        tracing::error!("a call of the API could not be written into the access log");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A route that nobody has described, or a description without a route, is a fault.
    #[test]
    fn the_description_names_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.insert((path.clone(), method.clone()));
            }
        }
        let source = include_str!("mod.rs");
        let router = source
            .split("fn router()")
            .nth(1)
            .unwrap()
            .split(".fallback(")
            .next()
            .unwrap();
        let mut routes = BTreeSet::new();
        for route in router.split(".route(").skip(1) {
            let path = route.split('"').nth(1).unwrap().to_owned();
            for method in ["get", "post", "put", "delete", "patch"] {
                if route.contains(&format!("{method}(")) {
                    routes.insert((path.clone(), method.to_owned()));
                }
            }
        }
        assert!(routes.len() >= 9, "the router is read wrongly: {routes:?}");
        assert_eq!(described, routes);
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], "1");
    }

    /// The codes that it names are those of the form that they end in.
    #[test]
    fn codes_are_those_of_the_kinds() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
        let row = &document["components"]["schemas"]["OutsideRow"]["properties"];
        let kind = records::Kinds::builtin().latest("session").unwrap();
        for field in ["form", "category", "sub", "channel"] {
            let codes: Vec<&str> = kind
                .field(field)
                .unwrap()
                .codes
                .iter()
                .map(|c| c.id.as_str())
                .collect();
            assert_eq!(row[field]["enum"], serde_json::json!(codes), "{field}");
        }
    }

    #[test]
    fn every_scope_is_described() {
        for scope in Scope::ALL {
            assert!(OPENAPI.contains(scope.code()), "{}", scope.code());
        }
    }
}
