//! Records of any kind, as the kind's file says: what there is, list, one with its history, and the steps.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Entry, EntryDetail, Opinions, SeriesPlan};
use records::Kind;
use records::kinds::{Actor, COUNTY_PREFIX, COUNTY_VERSIONS};
use serde::Deserialize;

use crate::app::Desk;
use crate::fault::Fault;
use crate::form::Form;
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::visits;
use crate::who::{Ctx, Post, Right};

/// Rows of a list at first.
const PAGE: u32 = 100;

/// Kinds whose lists have pages of their own, and that page.
const OWN_LISTS: [(&str, &str); 10] = [
    ("visit", "/visits"),
    ("bulletin", "/bulletins"),
    ("same_person", "/people"),
    ("year_close", "/closing"),
    ("session", "/sessions"),
    ("person", "/roster"),
    ("claim", "/claims"),
    ("decision", "/audit"),
    ("organisation", "/schools"),
    ("published", "/publishing"),
];

/// Kinds that stand under others and have no list of their own.
const UNDER_OTHERS: [&str; 19] = [
    "bulletin_read",
    "visit_member",
    "visit_day",
    "visit_task",
    "visit_observation",
    "carried_credit",
    "correction",
    "credit_statement",
    "outside_hours",
    "visit_signature",
    "year_statement",
    "attendance",
    "evidence",
    "staff_fact",
    "session_part",
    "signature",
    "filing_decision",
    "transfer_release",
    "transfer_accept",
];

/// What is looked for first, in this order; a county's own forms follow.
const ORDER: [&str; 33] = [
    "survey",
    "visit_plan",
    "bulletin_schedule",
    "lesson",
    "observation",
    "trip",
    "assessment",
    "filing_package",
    "series",
    "pairing",
    "pair_act",
    "group",
    "group_member",
    "notice",
    "objection",
    "inspection",
    "finding",
    "study_note",
    "research_project",
    "contest",
    "contest_entry",
    "honour",
    "question",
    "tutor_duty",
    "programme",
    "programme_step",
    "course",
    "waiver",
    "unmet_need",
    "transfer_order",
    "personal_plan",
    "training_group",
    "enrolment",
];

/// Who acts, as steps ask it.
pub(crate) fn actor(ctx: &Ctx) -> Actor {
    use node::accounts::Role;
    match ctx.who.account.role {
        Role::Clerk if ctx.app.desk() == Desk::Mentor => Actor::Mentor,
        Role::Clerk => Actor::Clerk,
        Role::Leader => Actor::Leader,
        Role::Teacher => Actor::Teacher,
        Role::Auditor => Actor::Auditor,
        Role::Admin => Actor::County,
    }
}

/// Whether this account may enter records of a kind here.
pub(crate) fn may_enter(ctx: &Ctx, kind: &Kind) -> bool {
    let right = match kind.document.as_str() {
        "ledger" => Right::Audit,
        "registry" | "plan" => Right::Registry,
        // On the laptop of a mentor or host, which belongs to no school.
        "visits" | "group" => return ctx.who.may(Right::Enter, ctx.app.county()) && writes(ctx, kind),
        _ => Right::Enter,
    };
    ctx.may(right) && writes(ctx, kind)
}

/// Records of schools are for who may read them; what the county writes for all by a general form is also for who
/// keeps the registry.
fn need_read(ctx: &Ctx, kind: &str) -> Result<(), Fault> {
    let kinds = ctx.app.node.kinds();
    let common = kinds
        .latest(kind)
        .is_some_and(|kind| matches!(kind.document.as_str(), "registry" | "plan"));
    match common && !office::has_own_acts(kind) && ctx.may(Right::Registry) {
        true => Ok(()),
        false => ctx.need(Right::Read),
    }
}

fn writes(ctx: &Ctx, kind: &Kind) -> bool {
    office::may_write_kind(&ctx.app.node, kind) && !office::has_own_acts(&kind.id)
}

/// One line of the list of kinds.
struct KindRow {
    zh: String,
    en: String,
    count: u64,
    enter: bool,
    /// The county has published it.
    county: bool,
    href: String,
}

#[derive(Template)]
#[template(path = "record_kinds.html")]
struct KindsPage {
    l: Lang,
    c: Chrome,
    rows: Vec<KindRow>,
    /// Kinds of records whose form is not here, with how many there are.
    unknown: Vec<(String, u64)>,
}

#[derive(Template)]
#[template(path = "record_list.html")]
struct ListPage {
    l: Lang,
    c: Chrome,
    kind: String,
    rows: Vec<Entry>,
    states: Vec<Choice>,
    state: String,
    q: String,
    enter: bool,
    dated: bool,
    stated: bool,
    more: bool,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    l: Lang,
    c: Chrome,
    f: Form,
    e: EntryDetail,
    edit: bool,
    /// Where the page of its own is, for kinds that have one.
    own: Option<String>,
    /// The step whose form was sent back.
    tried: String,
    /// The sessions of a series beside its plan.
    plan: Option<SeriesPlan>,
    /// What the observers say of a lesson.
    opinions: Option<Opinions>,
    /// What the kinds of the records about it are called.
    labels: Vec<(String, String)>,
}

impl RecordPage {
    fn label(&self, kind: &str) -> String {
        let label = self.labels.iter().find(|(id, _)| id == kind);
        label.map_or_else(|| kind.to_owned(), |(_, label)| label.clone())
    }

    /// Whether its steps need people's signatures.
    fn signed(&self) -> bool {
        let states = self.e.kind.as_ref().and_then(|kind| kind.states.as_ref());
        let mut needs = states.iter().flat_map(|s| &s.moves).flat_map(|each| &each.needs);
        needs.any(|need| need.record.as_deref() == Some("signature"))
    }

    fn state_field(&self, id: &str) -> bool {
        let kind = self.e.kind.as_ref();
        kind.is_some_and(|kind| kind.states.as_ref().is_some_and(|s| s.field == id))
    }
}

/// `GET /records`
pub(crate) async fn kinds(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let counts = ctx.run(office::entry_counts).await?;
    let known = ctx.app.node.kinds();
    let place = |id: &str| ORDER.iter().position(|one| *one == id).unwrap_or(ORDER.len());
    let mut shown: Vec<&Kind> = known
        .newest()
        .filter(|kind| !UNDER_OTHERS.contains(&kind.id.as_str()))
        .filter(|kind| OWN_LISTS.iter().all(|(own, _)| *own != kind.id))
        .collect();
    shown.sort_by_key(|kind| (place(&kind.id), kind.id.clone()));
    let rows = shown
        .into_iter()
        .map(|kind| KindRow {
            count: counts.get(&kind.id).copied().unwrap_or_default(),
            enter: may_enter(&ctx, kind) && kind.document != "ledger",
            county: kind.version >= COUNTY_VERSIONS || kind.id.starts_with(COUNTY_PREFIX),
            href: format!("/records/{}", kind.id),
            zh: kind.zh.clone(),
            en: kind.en.clone(),
        })
        .collect();
    let mut unknown: Vec<(String, u64)> = counts.into_iter().filter(|(id, _)| !known.has(id)).collect();
    unknown.sort();
    let l = ctx.l;
    html(&KindsPage {
        l,
        c: Chrome::new(&ctx, l.t("业务表单", "Forms"), "records"),
        rows,
        unknown,
    })
}

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    state: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    all: String,
}

/// `GET /records/{kind}`
pub(crate) async fn list(
    ctx: Ctx,
    Path(kind): Path<String>,
    Query(search): Query<Search>,
) -> Result<Response, Fault> {
    need_read(&ctx, &kind)?;
    let known = ctx.app.node.kinds();
    let form = known.latest(&kind);
    let limit = if search.all.is_empty() { PAGE } else { 10_000 };
    let wanted = kind.clone();
    let mut rows = ctx.run(move |n| office::entries(n, &wanted, None, limit)).await?;
    if form.is_none() && rows.is_empty() {
        return Err(Fault::NotFound);
    }
    let more = rows.len() as u32 == limit;
    let Search { state, q, .. } = search;
    if !state.is_empty() {
        rows.retain(|row| row.stand.as_ref().is_some_and(|stand| stand.code == state));
    }
    let sought = q.trim().to_lowercase();
    if !sought.is_empty() {
        rows.retain(|row| {
            [&row.title, &row.person, &row.date, &row.school_name]
                .iter()
                .any(|text| text.to_lowercase().contains(&sought))
        });
    }
    let l = ctx.l;
    let codes = form.and_then(|form| form.field(&form.states.as_ref()?.field));
    let states: Vec<Choice> = codes
        .iter()
        .flat_map(|field| &field.codes)
        .map(|code| Choice::new(&code.id, l.pick(&code.zh, &code.en)))
        .collect();
    let title = form.map_or(kind.as_str(), |form| form.label(l.into()));
    html(&ListPage {
        l,
        c: Chrome::new(&ctx, title, "records"),
        enter: form.is_some_and(|form| may_enter(&ctx, form) && form.document != "ledger"),
        dated: form.is_none_or(|form| form.view.date.is_some()),
        stated: !states.is_empty(),
        states,
        state,
        q,
        rows,
        more,
        kind,
    })
}

/// `GET /records/{kind}/{id}`
pub(crate) async fn show(ctx: Ctx, Path((kind, id)): Path<(String, String)>) -> Result<Response, Fault> {
    record_page(&ctx, kind, id, Form::default()).await
}

async fn record_page(ctx: &Ctx, kind: String, id: String, f: Form) -> Result<Response, Fault> {
    need_read(ctx, &kind)?;
    let (actor, wanted) = (actor(ctx), id);
    let found = ctx.run(move |n| office::entry(n, actor, &kind, &wanted)).await?;
    let Some(mut e) = found else {
        return Err(Fault::NotFound);
    };
    let known = ctx.app.node.kinds();
    // A visit is signed on its own page.
    e.more.retain(|(id, _, _)| {
        id != "visit_signature" && known.latest(id).is_some_and(|kind| may_enter(ctx, kind))
    });
    let title = if e.entry.title.is_empty() {
        let label = e.kind.as_ref().map(|kind| kind.label(ctx.l.into()).to_owned());
        label.unwrap_or_else(|| e.entry.kind.clone())
    } else {
        e.entry.title.clone()
    };
    let edit = e.editable && e.kind.as_ref().is_some_and(|kind| may_enter(ctx, kind));
    let own = match e.entry.kind.as_str() {
        "session" => Some(format!("/sessions/{}", e.entry.id)),
        "person" if !ctx.app.schoolless() => Some(format!("/teachers/{}", e.entry.id)),
        "training_group" => Some(format!("/places/{}", e.entry.id)),
        "year_close" => Some(format!("/closing/{}", e.entry.id)),
        "observation" if !ctx.app.county() => Some(format!("/observations/{}", e.entry.id)),
        _ => visits::page_of(&e.record),
    };
    let plan = match (e.entry.kind.as_str(), e.entry.known) {
        ("series", true) => {
            let id = e.entry.id.clone();
            Some(ctx.run(move |n| office::series_plan(n, &id)).await?)
        }
        _ => None,
    };
    let opinions = match e.entry.kind.as_str() {
        "lesson" => {
            let id = e.entry.id.clone();
            Some(ctx.run(move |n| office::opinions(n, &id)).await?)
        }
        _ => None,
    };
    let label = |kind: &Kind| (kind.id.clone(), kind.label(ctx.l.into()).to_owned());
    let labels = known.newest().map(label).collect();
    html(&RecordPage {
        l: ctx.l,
        labels,
        plan,
        opinions,
        c: Chrome::new(ctx, &title, "records"),
        tried: f.text("to"),
        f,
        e,
        edit,
        own,
    })
}

/// `POST /records/{kind}/{id}/step`
pub(crate) async fn step(
    Path((kind, id)): Path<(String, String)>,
    Post { ctx, mut form }: Post,
) -> Result<Response, Fault> {
    need_read(&ctx, &kind)?;
    let (by, actor) = (ctx.who.by(), actor(&ctx));
    let (of, at, to, reason) = (kind.clone(), id.clone(), form.text("to"), form.text("reason"));
    let done = ctx
        .app
        .attempt(move |n| office::take_step(n, &by, actor, &of, &at, &to, &reason))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/records/{kind}/{id}?done=step")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            record_page(&ctx, kind, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /series/{id}/sessions`: enters the sessions that the plan still lacks.
pub(crate) async fn enter_series(Path(id): Path<String>, Post { ctx, .. }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let (by, series) = (ctx.who.by(), id.clone());
    let done = ctx
        .app
        .attempt(move |n| match n.record(&series)? {
            Some(_) => office::enter_series(n, &by, &series).map(Some),
            None => Ok(None),
        })
        .await?;
    let made = match done {
        Ok(made) => made.ok_or(Fault::NotFound)?,
        Err(node::Error::Invalid(_)) => {
            return Err(Fault::Refused(
                "这个系列现在不能登记活动：请核对它的日期、次数和状态。",
                "No sessions can be entered of this series now: check its dates, number and state.",
            ));
        }
        Err(other) => return Err(other.into()),
    };
    Ok(Redirect::to(&format!("/records/series/{id}?done=series&n={made}")).into_response())
}
