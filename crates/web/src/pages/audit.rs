//! The county's audit (学分审核): the queue, recognising several at once, and one claim in full.

use std::collections::{BTreeSet, HashMap};

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::Node;
use node::office::{self, ClaimRow, ClaimState, SessionDetail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::fault::{Fault, encode};
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, DISPUTED, html};
use crate::pages::evidence::{Shown, awaited_by_school, shown};
use crate::pages::sessions::more;
use crate::who::{Ctx, Post, Right};

/// Claims on one page: what a person can look through before pressing the button once.
const QUEUE: u32 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct QueuePage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<ClaimRow>,
    /// Photos about claims and sessions, by school and record.
    photos: Photos,
    /// Photos of this list that are not here, school by school.
    awaited: Vec<String>,
    /// All that wait, also those beyond this page.
    total: u64,
    schools: Vec<Choice>,
    school: String,
    today: String,
    /// Claims of the last batch that could not be decided: whose, and why.
    failed: Vec<(String, String)>,
    more: Option<String>,
}

impl QueuePage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "claim", field, code)
    }

    /// The photos about a claim and its session.
    fn photos(&self, r: &ClaimRow) -> impl Iterator<Item = &Shown> {
        let about = [&r.id, &r.session].map(|id| self.photos.get(&(r.school.clone(), id.clone())));
        about.into_iter().flatten().flatten()
    }

    /// Ticked in the form that came back with an error.
    fn ticked(&self, r: &ClaimRow) -> bool {
        self.f.all("claim").any(|c| c.split(':').next() == Some(&r.id))
    }
}

#[derive(Template)]
#[template(path = "audit_one.html")]
struct OnePage {
    l: Lang,
    c: Chrome,
    f: Form,
    r: ClaimRow,
    s: SessionDetail,
    photos: Vec<Shown>,
    /// How the person was marked at the session.
    attendance: String,
    verdicts: Vec<Choice>,
    reasons: Vec<Choice>,
    today: String,
}

impl OnePage {
    fn here(&self) -> String {
        format!("/audit/{}", self.r.id)
    }

    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }
}

type Photos = HashMap<(String, String), Vec<Shown>>;

/// The photos about these claims and their sessions.
fn photos_of(node: &Node, l: Lang, rows: &[ClaimRow]) -> Result<Photos, node::Error> {
    let about = rows.iter().flat_map(|r| [r.id.as_str(), r.session.as_str()]);
    let about: BTreeSet<&str> = about.collect();
    let found = office::photos(node, &about.into_iter().collect::<Vec<_>>())?;
    Ok(found
        .into_iter()
        .map(|(about, photos)| (about, shown(l, photos)))
        .collect())
}

#[derive(Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    school: String,
    limit: Option<u32>,
}

/// What the auditor saw of a claim. It travels through the form, so that a decision never covers
/// content that changed while the page was open.
fn seen(r: &ClaimRow) -> String {
    let mut hash = Sha256::new();
    let amounts = [r.hours_c, r.credits_c].map(|n| n.to_string());
    let parts = [
        &r.id,
        &r.person,
        &r.session,
        &r.session_title,
        &r.date,
        &r.category,
        &r.sub,
        &r.channel,
        &amounts[0],
        &amounts[1],
    ];
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update([r.disputed, r.closed].map(u8::from));
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// `GET /audit`
pub(crate) async fn queue(ctx: Ctx, Query(search): Query<Search>) -> Result<Response, Fault> {
    queue_page(&ctx, search, Form::default(), Vec::new()).await
}

async fn queue_page(
    ctx: &Ctx,
    search: Search,
    f: Form,
    failed: Vec<(String, String)>,
) -> Result<Response, Fault> {
    ctx.need(Right::Audit)?;
    let limit = search.limit.unwrap_or(QUEUE).clamp(1, 2_000);
    let school = Some(search.school.clone()).filter(|school| !school.is_empty());
    let (mut rows, waiting) = ctx
        .run(move |n| {
            // One more than is shown tells whether the list is cut.
            let rows = office::audit_queue_of(n, school.as_deref(), limit + 1)?;
            Ok((rows, office::schools(n)?))
        })
        .await?;
    let whole = rows.len() <= limit as usize;
    let mut schools: Vec<Choice> = rows
        .iter()
        .map(|r| Choice::new(&r.school, &r.school_name))
        .collect();
    let open = waiting.iter().filter(|s| s.open_claims > 0);
    schools.extend(open.map(|s| Choice::new(&s.id, &s.name)));
    schools.sort_by(|a, b| (&a.label, &a.code).cmp(&(&b.label, &b.code)));
    schools.dedup();
    let mut path = "/audit".to_owned();
    if !search.school.is_empty() {
        path = format!("/audit?school={}", encode(&search.school));
    }
    // The list itself says how many there are, unless it was cut: then the schools' counts do.
    let counted = waiting
        .iter()
        .filter(|s| search.school.is_empty() || s.id == search.school);
    let total = match (whole, rows.len() as u64) {
        (true, listed) => listed,
        (false, listed) => listed.max(counted.map(|s| s.open_claims).sum()),
    };
    rows.truncate(limit as usize);
    let l = ctx.l;
    let (rows, photos) = ctx
        .run(move |n| {
            let photos = photos_of(n, l, &rows)?;
            Ok((rows, photos))
        })
        .await?;
    let more = more(&path, rows.len(), limit).filter(|_| !whole);
    html(&QueuePage {
        l,
        awaited: awaited_by_school(l, photos.values().flatten()),
        c: Chrome::new(ctx, l.t("学分审核", "Audit"), "audit"),
        f,
        rows,
        photos,
        total,
        schools,
        school: search.school,
        today: page::today(),
        failed,
        more,
    })
}

/// `POST /audit`: recognises the ticked claims. One that cannot be recognised does not stop the rest.
pub(crate) async fn recognise(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Audit)?;
    let search = Search {
        school: form.text("school"),
        limit: None,
    };
    let on = form::date(&mut form, "decided_on");
    if !form.ok() {
        return queue_page(&ctx, search, form, Vec::new()).await;
    }
    let ticked: Vec<(String, String)> = form
        .all("claim")
        .filter_map(|v| v.split_once(':'))
        .map(|(id, seen)| (id.to_owned(), seen.to_owned()))
        .collect();
    if ticked.is_empty() {
        form.fail(
            "claim",
            "一条也没有选。请先勾选。",
            "Nothing was ticked. Tick some first.",
        );
        return queue_page(&ctx, search, form, Vec::new()).await;
    }
    let (by, l) = (ctx.who.by(), ctx.l);
    let (done, failed) = ctx
        .run(move |n| {
            let (mut done, mut failed) = (Vec::new(), Vec::new());
            for (id, shown) in ticked {
                let decided = match unchanged(n, &id, &shown)? {
                    Some(_) => office::decide(n, &by, &id, "recognised", None, "", "", &on),
                    None => Err(moved()),
                };
                match decided {
                    Ok(()) => done.push(id),
                    Err(node::Error::Invalid(errors)) => {
                        let who =
                            one(n, &id)?.map(|(r, ..)| format!("{} {}", r.person_name, r.session_title));
                        let why: Vec<&str> = errors.iter().map(|e| l.pick(&e.zh, &e.en)).collect();
                        failed.push((who.unwrap_or(id), why.join("; ")));
                    }
                    Err(other) => return Err(other),
                }
            }
            Ok((done, failed))
        })
        .await?;
    for id in &done {
        ctx.log("decide", id).await;
    }
    if failed.is_empty() {
        return Ok(Redirect::to(&format!(
            "/audit?done=decided&n={}&school={}",
            done.len(),
            encode(&search.school)
        ))
        .into_response());
    }
    queue_page(&ctx, search, Form::default(), failed).await
}

fn moved() -> node::Error {
    node::Error::Invalid(vec![records::FieldError {
        field: "claim".into(),
        zh: "打开页面后内容有变化，请看过新内容再审".into(),
        en: "the content changed after the page was opened; look at it again before deciding".into(),
    }])
}

/// The claim, if it still is what the auditor saw.
fn unchanged(node: &Node, id: &str, shown: &str) -> Result<Option<ClaimRow>, node::Error> {
    Ok(one(node, id)?.map(|(r, ..)| r).filter(|r| seen(r) == shown))
}

/// One claim with its session, and the status code of the person's attendance.
fn one(node: &Node, id: &str) -> Result<Option<(ClaimRow, SessionDetail, String)>, node::Error> {
    let Some(record) = node.record(id)?.filter(|r| r.kind == "claim") else {
        return Ok(None);
    };
    let Some(session) = office::session(node, record.text("session"))? else {
        return Ok(None);
    };
    let mark = session
        .marks
        .iter()
        .find(|m| m.claim.as_ref().is_some_and(|c| c.id == id));
    let Some((row, status)) = mark.and_then(|m| Some((m.claim.clone()?, m.status.clone()))) else {
        return Ok(None);
    };
    Ok(Some((row, session, status.unwrap_or_default())))
}

/// `GET /audit/{claim}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Audit)?;
    one_page(&ctx, id, Form::default()).await
}

async fn one_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let found = ctx.run(move |n| {
        let Some((r, s, status)) = one(n, &id)? else {
            return Ok(None);
        };
        let photos = photos_of(n, l, std::slice::from_ref(&r))?;
        Ok(Some((
            r,
            s,
            status,
            photos.into_values().flatten().collect::<Vec<_>>(),
        )))
    });
    let Some((r, s, status, photos)) = found.await? else {
        return Err(Fault::NotFound);
    };
    let attendance = if status.is_empty() {
        "—".to_owned()
    } else {
        labels::label(l, "attendance", "status", &status)
    };
    html(&OnePage {
        l,
        c: Chrome::new(ctx, l.t("审核一条登记", "Decide on a claim"), "audit"),
        f,
        r,
        s,
        photos,
        attendance,
        verdicts: labels::choices(l, "decision", "verdict"),
        reasons: labels::choices(l, "decision", "reason"),
        today: page::today(),
    })
}

/// `POST /audit/{claim}`
pub(crate) async fn decide(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Audit)?;
    let on = form::date(&mut form, "decided_on");
    let verdict = form.text("verdict");
    if verdict.is_empty() {
        form.fail("verdict", "请选择审核结论", "Choose a verdict");
    }
    if !matches!(verdict.as_str(), "" | "recognised") && !form.has("reason") {
        form.fail("reason", "请选择理由", "Choose a reason");
    }
    let credits_c = if verdict == "reduced" {
        Some(form::amount(&mut form, "credits_c"))
    } else {
        None
    };
    if !form.ok() {
        return one_page(&ctx, id, form).await;
    }
    let (by, claim, shown) = (ctx.who.by(), id.clone(), form.text("seen"));
    let (reason, note) = (form.text("reason"), records::text::tidy(form.get("note")));
    let done = ctx
        .app
        .attempt(move |n| match unchanged(n, &claim, &shown)? {
            Some(row) if row.closed => {
                office::correct(n, &by, &claim, &verdict, credits_c, &reason, &note, &on)
            }
            Some(_) => office::decide(n, &by, &claim, &verdict, credits_c, &reason, &note, &on),
            None => Err(moved()),
        })
        .await?;
    match done {
        Ok(()) => {
            ctx.log("decide", &id).await;
            Ok(Redirect::to("/audit?done=decided&n=1").into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            one_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}
