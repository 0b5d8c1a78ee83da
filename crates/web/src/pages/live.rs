//! How fresh a page is. `/state.json` answers with a small mark that moves whenever the node
//! committed or received anything; the script then fetches the page again and swaps the states.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use node::Node;
use serde::Serialize;

use crate::app::App;
use crate::fault::Fault;
use crate::who::Visit;

#[derive(Serialize)]
struct State {
    mark: String,
    /// The token for forms: a page that outlived its sign-in takes the new one from here, so that
    /// signing in in another window does not cost what was typed.
    csrf: String,
}

/// Stands for all that the node shows. The start of the program is part of it, because the count
/// begins anew then.
pub(crate) fn mark(app: &App) -> String {
    format!("{}-{}", app.born, *app.node.watch().borrow())
}

/// `GET /state.json`
pub(crate) async fn state(visit: Visit) -> Result<Response, Fault> {
    match visit.who {
        Some(who) => Ok(Json(State {
            mark: visit.mark,
            csrf: who.csrf,
        })
        .into_response()),
        None => Ok((
            StatusCode::UNAUTHORIZED,
            Json(State {
                mark: String::new(),
                csrf: String::new(),
            }),
        )
            .into_response()),
    }
}

/// How this node's records stand with the county.
pub(crate) struct Link {
    /// Records without a receipt of a county store; none at the county.
    pub(crate) waiting: u64,
    /// Unix seconds of the last contact with a county node.
    pub(crate) county_at: Option<i64>,
    /// Changes held here, of any school, that no county node is known to have; unknown before the
    /// first contact with one.
    pub(crate) carried: Option<u32>,
}

/// Reads [`Link`].
pub(crate) fn link(node: &Node) -> Result<Link, node::Error> {
    let mut hubs = node.county_peers()?;
    hubs.retain(|p| !p.revoked);
    let now = crate::page::now();
    let county_at = hubs
        .iter()
        .filter_map(|p| if p.connected { Some(now) } else { p.seen_at })
        .max();
    Ok(Link {
        // A county's pages show none of it, and it would be counted among the records of all schools.
        waiting: if node.is_county() {
            0
        } else {
            node.not_at_county()?
        },
        county_at,
        carried: hubs.iter().map(|p| p.waiting.0).min(),
    })
}
