//! The county's view of its schools (F3 县达标看板, the columns of the main path).

use std::collections::HashSet;

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use node::office::{self, SchoolRow, SessionRow, Teacher};
use node::{Node, NodeId, Role};
use serde::Deserialize;

use crate::chart::Bar;
use crate::fault::Fault;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::export;
use crate::pages::sessions::{PAGE, month_bars};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "schools.html")]
struct SchoolsPage {
    l: Lang,
    c: Chrome,
    rows: Vec<SchoolRow>,
    rurals: Vec<Choice>,
    rural: String,
    /// What the list was asked for by contact: `silent`, `none`, or empty.
    contact: String,
    q: String,
    sum: Sum,
    /// Schools beside each other: sessions, and how much of what was claimed is decided.
    sessions: Vec<Bar>,
    decided: Vec<Bar>,
}

/// The schools beside each other, those with most first; what a school has none of is left out.
fn compare(rows: &[SchoolRow], figures: impl Fn(&SchoolRow) -> (u64, Option<u64>, String)) -> Vec<Bar> {
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut all: Vec<(u64, Option<u64>, String, &SchoolRow)> = rows
        .iter()
        .map(|school| {
            let (have, want, words) = figures(school);
            (have, want, words, school)
        })
        .filter(|(have, want, ..)| have.max(&want.unwrap_or(0)) > &0)
        .collect();
    all.sort_by(|a, b| (b.1, b.0, &a.3.name).cmp(&(a.1, a.0, &b.3.name)));
    let most = all
        .iter()
        .map(|(have, want, ..)| whole(want.unwrap_or(0).max(*have)))
        .max();
    let bar = |(have, want, words, school): (u64, Option<u64>, String, &SchoolRow)| {
        let bar = Bar::new(
            &school.name,
            words,
            whole(have),
            want.map(whole),
            most.unwrap_or(0),
        );
        bar.leading(format!("/schools/{}", school.id))
    };
    all.into_iter().map(bar).collect()
}

/// The last line of the table.
#[derive(Default)]
struct Sum {
    devices: usize,
    teachers: u64,
    sessions: u64,
    attendances: u64,
    open: u64,
    decided: u64,
}

impl Sum {
    fn of(rows: &[SchoolRow]) -> Sum {
        rows.iter().fold(Sum::default(), |sum, s| Sum {
            devices: sum.devices + s.enrolled_devices,
            teachers: sum.teachers + s.teachers,
            sessions: sum.sessions + s.sessions,
            attendances: sum.attendances + s.attendances,
            open: sum.open + s.open_claims,
            decided: sum.decided + s.decided_claims,
        })
    }
}

impl SchoolsPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "organisation", field, code)
    }
}

#[derive(Template)]
#[template(path = "school.html")]
struct SchoolPage {
    l: Lang,
    c: Chrome,
    s: SchoolRow,
    sessions: Vec<SessionRow>,
    /// Held against planned, by month.
    months: Vec<Bar>,
    teachers: Vec<Teacher>,
    audit: bool,
    /// Code and name of each table that can be taken as a file.
    tables: [[&'static str; 2]; 4],
    today: String,
}

impl SchoolPage {
    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }
}

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    rural: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    q: String,
}

impl Search {
    /// Leaves the schools that were asked for.
    pub(super) fn apply(&self, rows: &mut Vec<SchoolRow>) {
        match self.contact.as_str() {
            "silent" => rows.retain(silent),
            "none" => rows.retain(|r| r.enrolled_devices == 0),
            _ => {}
        }
        if !self.rural.is_empty() {
            rows.retain(|r| r.rural == self.rural);
        }
        let q = self.q.trim();
        if !q.is_empty() {
            rows.retain(|r| r.name.contains(q));
        }
    }
}

/// After this many seconds without contact a school counts as silent.
const SILENT: i64 = 7 * 86_400;

/// Enrolled, and not in touch for a week.
pub(crate) fn silent(s: &SchoolRow) -> bool {
    let since = page::now() - SILENT;
    s.enrolled_devices > 0 && s.last_contact.is_none_or(|at| at < since)
}

/// All schools; one that is connected at this moment was last in touch now, not when it connected.
pub(crate) fn rows(n: &Node) -> Result<Vec<SchoolRow>, node::Error> {
    let mut rows = office::schools(n)?;
    let peers = n.peers()?.into_iter().filter(|p| p.connected);
    let connected: HashSet<NodeId> = peers.map(|p| p.node).collect();
    let mut here: HashSet<String> = HashSet::new();
    for device in n.devices() {
        if device.role == Role::School && !device.revoked && connected.contains(&device.node) {
            here.insert(device.scope);
        }
    }
    for row in rows.iter_mut().filter(|r| here.contains(&r.id)) {
        row.last_contact = Some(page::now());
    }
    Ok(rows)
}

/// `GET /schools`
pub(crate) async fn list(ctx: Ctx, Query(search): Query<Search>) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let mut rows = ctx.run(rows).await?;
    search.apply(&mut rows);
    let Search { rural, contact, q } = search;
    let l = ctx.l;
    html(&SchoolsPage {
        l,
        c: Chrome::new(&ctx, l.t("学校", "Schools"), "schools"),
        sum: Sum::of(&rows),
        sessions: compare(&rows, |s| {
            let words = if l.zh() {
                format!("{} 场", s.sessions)
            } else {
                s.sessions.to_string()
            };
            (s.sessions, None, words)
        }),
        decided: compare(&rows, |s| {
            let all = s.decided_claims + s.open_claims;
            let words = match l.zh() {
                true => format!("已审 {} / 登分 {all}", s.decided_claims),
                false => format!("{} decided of {all}", s.decided_claims),
            };
            (s.decided_claims, Some(all), words)
        }),
        rows,
        rurals: labels::choices(l, "organisation", "rural"),
        rural,
        contact,
        q,
    })
}

/// `GET /schools/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let found = ctx
        .run(move |n| {
            let Some(school) = rows(n)?.into_iter().find(|s| s.id == id) else {
                return Ok(None);
            };
            Ok(Some((
                school,
                office::sessions(n, Some(&id), PAGE)?,
                office::roster(n, &id)?,
                office::held_by_month(n, &id)?,
            )))
        })
        .await?;
    let Some((s, sessions, teachers, months)) = found else {
        return Err(Fault::NotFound);
    };
    html(&SchoolPage {
        l: ctx.l,
        c: Chrome::new(&ctx, &s.name, "schools"),
        s,
        sessions,
        months: month_bars(ctx.l, &months),
        teachers,
        audit: ctx.may(Right::Audit),
        tables: export::tables(ctx.l).map(|[code, name, _]| [code, name]),
        today: page::today(),
    })
}
