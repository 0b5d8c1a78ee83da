//! Sessions (研修活动): the list, and one session with its people. Entering and changing a
//! session's own facts is in `session_form`.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Mark, MonthHeld, SessionDetail, SessionRow};
use node::{Filter, Node};
use records::Kinds;
use serde::Deserialize;

use crate::chart::Bar;
use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, DISPUTED, html};
use crate::pages::claims::group;
use crate::who::{Ctx, Post, Right};

/// How many lines a list shows before one asks for more.
pub(crate) const PAGE: u32 = 100;
/// The most that one page shows, and says so.
pub(crate) const MOST: u32 = 1_000;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    l: Lang,
    c: Chrome,
    rows: Vec<SessionRow>,
    enter: bool,
    /// The schools that a mentor may choose from; empty elsewhere.
    schools: Vec<Choice>,
    school: String,
    /// Addresses of the earlier and of the later ones, if there are any.
    earlier: Option<String>,
    later: Option<String>,
    /// Held against planned, by month.
    months: Vec<Bar>,
}

/// Held against planned sessions by month, the longest bar for the month with most.
pub(crate) fn month_bars(l: Lang, months: &[MonthHeld]) -> Vec<Bar> {
    let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let most = months.iter().map(|m| whole(m.planned)).max().unwrap_or(0);
    let bar = |m: &MonthHeld| {
        let (held, planned) = (m.held, m.planned);
        let figures = match l.zh() {
            true => format!("已开 {held} / 计划 {planned}"),
            false => format!("{held} held of {planned} planned"),
        };
        Bar::new(&m.month, figures, whole(held), Some(whole(planned)), most)
    };
    months.iter().map(bar).collect()
}

impl SessionsPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "session", field, code)
    }
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    l: Lang,
    c: Chrome,
    s: SessionDetail,
    f: Form,
    /// Whether this person may enter here: the session is one of this node's own school.
    enter: bool,
    statuses: Vec<Choice>,
    /// Whether it is a session of this node's own school.
    own: bool,
    /// People who took part and are not on the roster yet.
    unlisted: usize,
    /// For a disputed mark, what the recorders said.
    said: BTreeMap<String, String>,
    /// Fields of the session itself with two values: label and both.
    differing: Vec<(String, String)>,
    today: String,
}

impl SessionPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "session", field, code)
    }

    fn status(&self, code: &Option<String>) -> String {
        let code = code.as_deref().unwrap_or_default();
        if code.is_empty() {
            "—".to_owned()
        } else {
            labels::label(self.l, "attendance", "status", code)
        }
    }

    /// What the choice shows: what was just typed, else what is saved. A disputed mark shows none, so
    /// that saving the page does not settle it by accident.
    fn chosen(&self, mark: &Mark, code: &str) -> bool {
        let saved = if mark.disputed {
            ""
        } else {
            mark.status.as_deref().unwrap_or_default()
        };
        self.f.chosen(&format!("m-{}", mark.person), code, saved)
    }

    fn said(&self, person: &str) -> &str {
        self.said.get(person).map_or("", String::as_str)
    }

    fn held(&self) -> bool {
        self.s.row.state == "held"
    }

    /// Ended, so that credits may be registered, again after a change too.
    fn ended(&self) -> bool {
        matches!(self.s.row.state.as_str(), "ended" | "credited")
    }

    fn void(&self) -> bool {
        self.s.row.state == "void"
    }

    /// Persons present without a claim, or with one that the county returned.
    fn to_register(&self) -> usize {
        let returned = |m: &&Mark| m.claim.as_ref().is_some_and(|c| group(c) == "returned");
        self.s.row.present.saturating_sub(self.s.row.claims) + self.s.marks.iter().filter(returned).count()
    }

    fn unmarked(&self) -> usize {
        self.s.marks.iter().filter(|m| m.status.is_none()).count()
    }

    fn in_dispute(&self) -> usize {
        self.s.marks.iter().filter(|m| m.disputed).count()
    }
}

/// `?from=`: how many later ones are passed over; on a mentor's laptop also `?school=`.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    from: Option<u32>,
    #[serde(default)]
    school: String,
}

/// `?limit=` of a list.
#[derive(Deserialize)]
pub(crate) struct Limit {
    limit: Option<u32>,
}

impl Limit {
    pub(crate) fn rows(&self) -> u32 {
        self.limit.unwrap_or(PAGE).clamp(1, MOST)
    }
}

/// The address of a list ten times as long, if this one was cut.
pub(crate) fn more(path: &str, shown: usize, limit: u32) -> Option<String> {
    let cut = shown >= limit as usize && limit < MOST;
    cut.then(|| {
        format!(
            "{path}{}limit={}",
            if path.contains('?') { '&' } else { '?' },
            limit.saturating_mul(10).min(MOST)
        )
    })
}

/// `GET /sessions`
pub(crate) async fn list(ctx: Ctx, Query(wanted): Query<Wanted>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let assigned = ctx.app.mentored();
    let chosen = Some(wanted.school.clone()).filter(|s| assigned.contains(s));
    let (school, path) = match &chosen {
        Some(id) => (chosen.clone(), format!("/sessions?school={id}&from=")),
        None if ctx.app.county() || !assigned.is_empty() => (None, "/sessions?from=".to_owned()),
        None => (Some(ctx.school()?), "/sessions?from=".to_owned()),
    };
    let from = wanted.from.unwrap_or(0);
    // One more tells whether there are earlier ones.
    let (mut rows, schools, months) = ctx
        .run(move |n| {
            let mut schools = Vec::new();
            if !assigned.is_empty() {
                schools = office::organisations(n)?;
                schools.retain(|o| assigned.contains(&o.id));
            }
            let months = match &school {
                Some(school) => office::held_by_month(n, school)?,
                None => Vec::new(),
            };
            let rows = office::sessions_from(n, school.as_deref(), from, PAGE + 1)?;
            Ok((rows, schools, months))
        })
        .await?;
    let l = ctx.l;
    let earlier = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    html(&SessionsPage {
        l,
        c: Chrome::new(&ctx, l.t("研修活动", "Sessions"), "sessions"),
        earlier: earlier.then(|| format!("{path}{}", from.saturating_add(PAGE))),
        later: (from > 0).then(|| format!("{path}{}", from.saturating_sub(PAGE))),
        months: month_bars(l, &months),
        rows,
        enter: ctx.may(Right::Enter),
        schools: schools.into_iter().map(|o| Choice::new(o.id, o.name)).collect(),
        school: chosen.unwrap_or_default(),
    })
}

/// `GET /sessions/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    session_page(&ctx, id, Form::default()).await
}

async fn session_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let found = ctx
        .run(move |n| {
            let found = load(n, &id, l)?;
            let school = found.as_ref().map_or("", |(s, _, _)| s.row.school.as_str());
            let unlisted = office::unlisted(n, school, Some(&id))?.len();
            Ok(found.map(|found| (found, unlisted)))
        })
        .await?;
    let Some(((s, said, differing), unlisted)) = found else {
        return Err(Fault::NotFound);
    };
    let own = ctx
        .app
        .node
        .home_school()
        .is_some_and(|school| school == s.row.school);
    html(&SessionPage {
        l,
        c: Chrome::new(ctx, &s.row.title, "sessions"),
        enter: own && ctx.may(Right::Enter),
        // A mark is taken back where it came from, not here.
        statuses: labels::choices(l, "attendance", "status")
            .into_iter()
            .filter(|choice| choice.code != "void")
            .collect(),
        own,
        unlisted,
        today: page::today(),
        s,
        f,
        said,
        differing,
    })
}

type Loaded = (SessionDetail, BTreeMap<String, String>, Vec<(String, String)>);

fn load(node: &Node, id: &str, l: Lang) -> Result<Option<Loaded>, node::Error> {
    let Some(detail) = office::session(node, id)? else {
        return Ok(None);
    };
    let said = if detail.marks.iter().any(|m| m.disputed) {
        said(node, id, l)?
    } else {
        BTreeMap::new()
    };
    let differing = if detail.row.disputed {
        differing(node, id, l)?
    } else {
        Vec::new()
    };
    Ok(Some((detail, said, differing)))
}

/// Everything that was recorded about each person's attendance.
fn said(node: &Node, session: &str, l: Lang) -> Result<BTreeMap<String, String>, node::Error> {
    let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in node.records(&Filter::kind("attendance").about(session))? {
        let entry = codes.entry(record.text("person").to_owned()).or_default();
        entry.insert(record.text("status").to_owned());
        let others = record.others.get("status").into_iter().flatten();
        entry.extend(others.filter_map(|v| v.as_text().map(str::to_owned)));
    }
    // In the order of the kind, then whatever it does not know.
    let known = labels::choices(l, "attendance", "status");
    let words = |mut codes: BTreeSet<String>| {
        let mut said: Vec<String> = known
            .iter()
            .filter(|c| codes.remove(&c.code))
            .map(|c| c.label.clone())
            .collect();
        said.extend(codes);
        said.join(" / ")
    };
    Ok(codes
        .into_iter()
        .map(|(person, codes)| (person, words(codes)))
        .collect())
}

/// The fields of a session for which two devices wrote different values.
fn differing(node: &Node, id: &str, l: Lang) -> Result<Vec<(String, String)>, node::Error> {
    let Some(record) = node.record(id)? else {
        return Ok(Vec::new());
    };
    let kind = Kinds::builtin().latest("session");
    let shown = |field: &str, value: &node::Value| match value.as_int() {
        Some(number) if field.ends_with("_c") => page::amount(&number),
        _ => labels::label(l, "session", field, &value.to_string()),
    };
    let line = |(field, values): (&String, &Vec<node::Value>)| {
        let label = kind
            .and_then(|k| k.field(field))
            .map_or(field.as_str(), |f| f.label(l.into()));
        let values: Vec<String> = values.iter().map(|v| shown(field, v)).collect();
        (label.to_owned(), values.join(" / "))
    };
    Ok(record.others.iter().map(line).collect())
}

/// `POST /sessions/{id}/attendance`
pub(crate) async fn mark(Path(id): Path<String>, Post { ctx, form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let mut marks: Vec<(String, String)> = form
        .with_prefix("m-")
        .filter(|(_, status)| !status.is_empty())
        .map(|(person, status)| (person.to_owned(), status.to_owned()))
        .collect();
    // 全部到, pressed without the script: everyone who has no mark yet.
    if form.get("fill") == "present" {
        let wanted = id.clone();
        let detail = ctx
            .run(move |n| office::session(n, &wanted))
            .await?
            .ok_or(Fault::NotFound)?;
        let chosen: BTreeSet<String> = marks.iter().map(|(person, _)| person.clone()).collect();
        let rest = detail
            .marks
            .into_iter()
            .filter(|m| m.status.is_none() && !chosen.contains(&m.person));
        marks.extend(rest.map(|m| (m.person, "present".to_owned())));
    }
    let (by, session, sent) = (ctx.who.by(), id.clone(), marks.len());
    let done = ctx
        .app
        .attempt(move |n| office::mark_attendance(n, &by, &session, &marks))
        .await?;
    after(&ctx, id, form, done.map(|_| format!("attendance&n={sent}"))).await
}

/// `POST /sessions/{id}/end`
pub(crate) async fn end(Path(id): Path<String>, Post { ctx, form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let (by, session) = (ctx.who.by(), id.clone());
    let done = ctx
        .app
        .attempt(move |n| office::end_session(n, &by, &session))
        .await?;
    after(&ctx, id, form, done.map(|()| "ended".to_owned())).await
}

/// `POST /sessions/{id}/claims`: 登分.
pub(crate) async fn register(
    Path(id): Path<String>,
    Post { ctx, mut form }: Post,
) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let on = form::date(&mut form, "claimed_on");
    if !form.ok() {
        return session_page(&ctx, id, form).await;
    }
    let (by, session) = (ctx.who.by(), id.clone());
    let done = ctx
        .app
        .attempt(move |n| office::register_claims(n, &by, &session, &on))
        .await?;
    after(&ctx, id, form, done.map(|n| format!("claims&n={n}"))).await
}

/// Back to the session with a note, or the session again with what was wrong.
async fn after(
    ctx: &Ctx,
    id: String,
    mut form: Form,
    done: Result<String, node::Error>,
) -> Result<Response, Fault> {
    match done {
        Ok(note) => Ok(Redirect::to(&format!("/sessions/{id}?done={note}")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            session_page(ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}
