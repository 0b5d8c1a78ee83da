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
use crate::pages::board::{self, Division, Progress, Whose};
use crate::pages::export;
use crate::pages::sessions::{PAGE, month_bars};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "schools.html")]
struct SchoolsPage {
    l: Lang,
    c: Chrome,
    rows: Vec<Line>,
    /// Each choice beside what was chosen: name of the field, words, options.
    choices: Vec<(&'static str, &'static str, Vec<Choice>, String)>,
    /// Something was asked for.
    asked: bool,
    q: String,
    sum: Sum,
    progress: Progress,
    /// Persons whose figures are still to be computed.
    behind: usize,
    divisions: Vec<Division>,
    /// Schools beside each other: sessions, and how much of what was claimed is decided.
    sessions: Vec<Bar>,
    decided: Vec<Bar>,
}

/// A school with the figures of its people.
pub(crate) struct Line {
    s: SchoolRow,
    p: Progress,
    area: String,
}

/// The schools beside each other, those with most first; what a school has none of is left out.
fn compare(rows: &[Line], figures: impl Fn(&SchoolRow) -> (u64, Option<u64>, String)) -> Vec<Bar> {
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut all: Vec<(u64, Option<u64>, String, &SchoolRow)> = rows
        .iter()
        .map(|line| {
            let (have, want, words) = figures(&line.s);
            (have, want, words, &line.s)
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
    fn of(rows: &[Line]) -> Sum {
        rows.iter()
            .map(|line| &line.s)
            .fold(Sum::default(), |sum, s| Sum {
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
    let met = n.met()?.into_iter();
    let connected: HashSet<NodeId> = met.filter(|(_, (_, now))| *now).map(|(peer, _)| peer).collect();
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
pub(crate) async fn list(
    ctx: Ctx,
    Query(search): Query<Search>,
    Query(whose): Query<Whose>,
) -> Result<Response, Fault> {
    ctx.county()?;
    ctx.need(Right::Read)?;
    let l = ctx.l;
    let asked = (search, whose);
    let on = jiff::Zoned::now().date();
    let (lines, board, (search, whose)) = ctx
        .run(move |node| {
            let (search, whose) = &asked;
            let mut rows = rows(node)?;
            search.apply(&mut rows);
            let ids: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            let area = board::areas(node)?;
            let inside = |id: &str| whose.area.is_empty() || area.of(id) == Some(&*whose.area);
            let mut board = board::board(node, l, whose, &area, |id| ids.contains(id) && inside(id), on)?;
            let line = |s: SchoolRow| Line {
                p: board.schools.remove(&s.id).unwrap_or_default(),
                area: area.of(&s.id).map_or_else(String::new, |id| area.name(id)),
                s,
            };
            let mut lines: Vec<Line> = rows.into_iter().filter(|s| inside(&s.id)).map(line).collect();
            if whose.some() {
                lines.retain(|line| line.p.people > 0);
            }
            Ok((lines, board, asked))
        })
        .await?;
    let Search { rural, contact, q } = search;
    let some = whose != Whose::default() || [&rural, &contact, &q].iter().any(|asked| !asked.is_empty());
    let contacts = vec![
        Choice::new("silent", l.t("已入网但一周没联系", "Enrolled, silent for a week")),
        Choice::new("none", l.t("尚未入网", "Not enrolled yet")),
    ];
    let of = |field: &str| labels::choices(l, "staff_fact", field);
    html(&SchoolsPage {
        l,
        c: Chrome::new(&ctx, l.t("学校", "Schools"), "schools"),
        sum: Sum::of(&lines),
        progress: lines
            .iter()
            .fold(Progress::default(), |sum, line| sum.with(&line.p)),
        sessions: compare(&lines, |s| {
            let words = if l.zh() {
                format!("{} 场", s.sessions)
            } else {
                s.sessions.to_string()
            };
            (s.sessions, None, words)
        }),
        decided: compare(&lines, |s| {
            let all = s.decided_claims + s.open_claims;
            let words = match l.zh() {
                true => format!("已审 {} / 登分 {all}", s.decided_claims),
                false => format!("{} decided of {all}", s.decided_claims),
            };
            (s.decided_claims, Some(all), words)
        }),
        rows: lines,
        behind: board.behind,
        divisions: board.divisions,
        choices: vec![
            ("area", l.t("片", "Area"), board.areas, whose.area),
            (
                "rural",
                l.t("城乡", "Town or rural"),
                labels::choices(l, "organisation", "rural"),
                rural,
            ),
            ("stage", l.t("学段", "Stage"), of("stage"), whose.stage),
            ("subject", l.t("学科", "Subject"), board.subjects, whose.subject),
            ("title", l.t("职称", "Title"), of("title"), whose.title),
            (
                "band",
                l.t("教龄", "Years of service"),
                board::bands(l),
                whose.band,
            ),
            ("contact", l.t("联系", "Contact"), contacts, contact),
        ],
        asked: some,
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
