//! Claims (学分登记) of a school with their way to the county.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use node::office::{self, ClaimRow, ClaimState};
use serde::Deserialize;

use crate::fault::{Fault, encode};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::sessions::{MOST, PAGE, more};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "claims.html")]
struct ClaimsPage {
    l: Lang,
    c: Chrome,
    q: String,
    state: String,
    states: Vec<Choice>,
    rows: Vec<ClaimRow>,
    more: Option<String>,
}

impl ClaimsPage {
    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }
}

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    limit: Option<u32>,
}

/// Which group of the filter a claim belongs to.
pub(crate) fn group(claim: &ClaimRow) -> &'static str {
    match &claim.state {
        _ if claim.disputed => "disputed",
        ClaimState::SavedAtSchool | ClaimState::Carried => "here",
        ClaimState::AtCounty => "county",
        ClaimState::ChangedAfterDecision => "changed",
        ClaimState::Decided { verdict, .. } => match verdict.as_str() {
            "recognised" | "reduced" => "given",
            "returned" => "returned",
            _ => "rejected",
        },
    }
}

/// Whether a claim is of the person or session that was looked for.
pub(crate) fn named(claim: &ClaimRow, q: &str) -> bool {
    let wanted = records::text::person_name(q);
    wanted.is_empty() || claim.person_name.contains(&wanted) || claim.session_title.contains(q.trim())
}

/// The words of the filter.
fn groups(l: Lang) -> Vec<Choice> {
    let all = [
        ("here", l.t("还没到县", "Not yet at the county")),
        ("county", l.t("等县里审核", "At the county, waiting")),
        ("given", l.t("已认定或核减", "Recognised or reduced")),
        ("returned", l.t("县退回", "Returned")),
        ("rejected", l.t("不予认定", "Rejected")),
        ("changed", l.t("审后改动", "Changed after decision")),
        ("disputed", l.t("待核", "To be settled")),
    ];
    all.map(|(code, label)| Choice::new(code, label)).to_vec()
}

/// `GET /claims`
pub(crate) async fn list(ctx: Ctx, Query(search): Query<Search>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let school = ctx.school()?;
    let Search { q, state, limit } = search;
    let filtered = !(q.is_empty() && state.is_empty());
    // A filter looks through everything; only what is shown is cut.
    let limit = limit.unwrap_or(PAGE).clamp(1, MOST);
    let (rows, path): (Vec<ClaimRow>, String) = match filtered {
        true => {
            let all = ctx.run(move |n| office::all_claims(n, &school)).await?;
            let wanted = |r: &&ClaimRow| (state.is_empty() || group(r) == state) && named(r, &q);
            let rows = all.iter().filter(wanted).take(limit as usize).cloned();
            let path = format!("/claims?state={}&q={}", encode(&state), encode(&q));
            (rows.collect(), path)
        }
        false => {
            let rows = ctx.run(move |n| office::claims(n, Some(&school), limit)).await?;
            (rows, "/claims".to_owned())
        }
    };
    let more = more(&path, rows.len(), limit);
    let l = ctx.l;
    html(&ClaimsPage {
        l,
        c: Chrome::new(&ctx, l.t("学分登记", "Claims"), "claims"),
        q,
        state,
        states: groups(l),
        rows,
        more,
    })
}
