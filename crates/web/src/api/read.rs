//! What can be read: organisations, how far the data of each school go, people, sessions, claims, totals.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use node::office::{self, ClaimRow, ClaimState, Organisation, SchoolRow, SessionRow, Teacher, Upto};
use node::tokens::Scope;
use node::{Error, Node};
use serde::Serialize;

use super::Caller;
use super::paging::{Asked, Rows, page, whole};
use super::problem::Problem;

type Answer<T> = Result<Json<T>, Problem>;
type AskedOrNot = Result<Query<Asked>, QueryRejection>;

/// Cards take some milliseconds each.
const CARDS: usize = 50;

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[derive(Serialize)]
pub(super) struct OrganisationItem {
    id: String,
    name: String,
    short_name: Option<String>,
    org_kind: String,
    school_code: Option<String>,
    division: Option<String>,
    rural: Option<String>,
    parent: Option<String>,
    active: bool,
}

impl From<Organisation> for OrganisationItem {
    fn from(o: Organisation) -> OrganisationItem {
        OrganisationItem {
            short_name: some(&o.short_name),
            school_code: some(&o.school_code),
            division: some(&o.division),
            rural: some(&o.rural),
            parent: some(&o.parent),
            id: o.id,
            name: o.name,
            org_kind: o.org_kind,
            active: o.active,
        }
    }
}

/// `GET /api/v1/organisations`
pub(super) async fn organisations(caller: Caller, asked: AskedOrNot) -> Answer<Rows<OrganisationItem>> {
    caller.need(Scope::ReadSchools).await?;
    let Query(asked) = asked?;
    asked.only(&[])?;
    let (after, limit) = (asked.after(), asked.limit()?);
    let all = caller.app.run(office::organisations).await?;
    let all = all.into_iter().map(|o| (o.id.clone(), o.into())).collect();
    Ok(Json(whole(all, &after, limit)))
}

#[derive(Serialize)]
pub(super) struct SchoolItem {
    id: String,
    name: String,
    org_kind: String,
    rural: Option<String>,
    devices: usize,
    /// RFC 3339.
    last_contact: Option<String>,
    /// `now`, `day`, `never` or `not_enrolled`.
    in_step: &'static str,
    /// Until which day all records are here.
    complete_until: Option<String>,
    teachers: u64,
    sessions: u64,
    attendances: u64,
    open_claims: u64,
    decided_claims: u64,
}

impl SchoolItem {
    fn of(row: SchoolRow, upto: Option<&Upto>) -> SchoolItem {
        let (in_step, complete_until) = match upto {
            Some(Upto::Now) => ("now", None),
            Some(Upto::Day(day)) => ("day", Some(day.clone())),
            Some(Upto::Never) => ("never", None),
            Some(Upto::NotEnrolled) | None => ("not_enrolled", None),
        };
        let moment = |at: i64| jiff::Timestamp::from_second(at).ok().map(|at| at.to_string());
        SchoolItem {
            rural: some(&row.rural),
            id: row.id,
            name: row.name,
            org_kind: row.org_kind,
            devices: row.enrolled_devices,
            last_contact: row.last_contact.and_then(moment),
            in_step,
            complete_until,
            teachers: row.teachers,
            sessions: row.sessions,
            attendances: row.attendances,
            open_claims: row.open_claims,
            decided_claims: row.decided_claims,
        }
    }
}

/// `GET /api/v1/schools`
pub(super) async fn schools(caller: Caller, asked: AskedOrNot) -> Answer<Rows<SchoolItem>> {
    caller.need(Scope::ReadSchools).await?;
    let Query(asked) = asked?;
    asked.only(&[])?;
    let (after, limit) = (asked.after(), asked.limit()?);
    let (all, upto) = caller
        .app
        .run(|n| Ok((office::schools(n)?, office::upto(n)?)))
        .await?;
    let item = |row: SchoolRow| (row.id.clone(), SchoolItem::of(row.clone(), upto.get(&row.id)));
    Ok(Json(whole(all.into_iter().map(item).collect(), &after, limit)))
}

#[derive(Serialize)]
pub(super) struct PersonItem {
    id: String,
    school: String,
    name: String,
    teacher_code: Option<String>,
    status: String,
    in_service: bool,
    post: Option<String>,
    title: Option<String>,
    subject: Option<String>,
    stage: Option<String>,
    homeroom: bool,
}

impl From<Teacher> for PersonItem {
    fn from(t: Teacher) -> PersonItem {
        PersonItem {
            in_service: t.in_service(),
            teacher_code: some(&t.teacher_code),
            post: some(&t.post),
            title: some(&t.title),
            subject: some(&t.subject),
            stage: some(&t.stage),
            id: t.id,
            school: t.school,
            name: t.name,
            status: t.status,
            homeroom: t.homeroom,
        }
    }
}

/// `GET /api/v1/people`
pub(super) async fn people(caller: Caller, asked: AskedOrNot) -> Answer<Rows<PersonItem>> {
    caller.need(Scope::ReadPeople).await?;
    let Query(asked) = asked?;
    asked.only(&["school"])?;
    let (after, limit) = (asked.after(), asked.limit()?);
    let rows = move |n: &Node| {
        page(n, asked.school.as_deref(), &after, limit, |school| {
            let people = office::roster(n, school)?.into_iter();
            Ok(people.map(|t| (t.id.clone(), PersonItem::from(t))).collect())
        })
    };
    Ok(Json(caller.app.run(rows).await?))
}

#[derive(Serialize)]
pub(super) struct SessionItem {
    id: String,
    school: String,
    title: String,
    date: String,
    form: String,
    category: String,
    sub: Option<String>,
    channel: String,
    hours_c: i64,
    state: String,
    present: usize,
    claims: usize,
    decided: usize,
    disputed: bool,
    late: bool,
}

impl From<&SessionRow> for SessionItem {
    fn from(s: &SessionRow) -> SessionItem {
        SessionItem {
            id: s.id.clone(),
            school: s.school.clone(),
            title: s.title.clone(),
            date: s.date.clone(),
            form: s.form.clone(),
            category: s.category.clone(),
            sub: some(&s.sub),
            channel: s.channel.clone(),
            hours_c: s.hours_c,
            state: s.state.clone(),
            present: s.present,
            claims: s.claims,
            decided: s.decided,
            disputed: s.disputed,
            late: s.late,
        }
    }
}

/// `GET /api/v1/sessions`
pub(super) async fn sessions(caller: Caller, asked: AskedOrNot) -> Answer<Rows<SessionItem>> {
    caller.need(Scope::ReadCredits).await?;
    let Query(asked) = asked?;
    asked.only(&["school", "from", "until"])?;
    let (after, limit, (first, last)) = (asked.after(), asked.limit()?, asked.days()?);
    let rows = move |n: &Node| {
        page(n, asked.school.as_deref(), &after, limit, |school| {
            let all = office::all_sessions(n, school)?;
            let within = all.iter().filter(|s| first <= s.date && s.date <= last);
            Ok(within.map(|s| (s.id.clone(), SessionItem::from(s))).collect())
        })
    };
    Ok(Json(caller.app.run(rows).await?))
}

#[derive(Serialize)]
pub(super) struct ClaimItem {
    id: String,
    school: String,
    person: String,
    session: String,
    date: String,
    category: String,
    sub: Option<String>,
    channel: String,
    hours_c: i64,
    credits_c: i64,
    claimed_on: Option<String>,
    /// `waiting`, `decided` or `changed` (审后改动).
    state: &'static str,
    verdict: Option<String>,
    given_hours_c: Option<i64>,
    given_credits_c: Option<i64>,
    decided_on: Option<String>,
    disputed: bool,
    late: bool,
}

impl From<&ClaimRow> for ClaimItem {
    fn from(c: &ClaimRow) -> ClaimItem {
        let mut item = ClaimItem {
            id: c.id.clone(),
            school: c.school.clone(),
            person: c.person.clone(),
            session: c.session.clone(),
            date: c.date.clone(),
            category: c.category.clone(),
            sub: some(&c.sub),
            channel: c.channel.clone(),
            hours_c: c.hours_c,
            credits_c: c.credits_c,
            claimed_on: some(&c.claimed_on),
            state: "waiting",
            verdict: None,
            given_hours_c: None,
            given_credits_c: None,
            decided_on: None,
            disputed: c.disputed,
            late: c.late,
        };
        match &c.state {
            ClaimState::Decided {
                verdict,
                credits_c,
                hours_c,
                on,
                ..
            } => {
                item.state = "decided";
                item.verdict = Some(verdict.clone());
                item.given_hours_c = Some(*hours_c);
                item.given_credits_c = Some(*credits_c);
                item.decided_on = some(on);
            }
            ClaimState::ChangedAfterDecision => item.state = "changed",
            _ => {}
        }
        item
    }
}

/// `GET /api/v1/claims`
pub(super) async fn claims(caller: Caller, asked: AskedOrNot) -> Answer<Rows<ClaimItem>> {
    caller.need(Scope::ReadCredits).await?;
    let Query(asked) = asked?;
    asked.only(&["school", "person", "from", "until"])?;
    let (after, limit, (first, last)) = (asked.after(), asked.limit()?, asked.days()?);
    let rows = move |n: &Node| {
        let of = |c: &&ClaimRow| asked.person.as_ref().is_none_or(|person| c.person == *person);
        page(n, asked.school.as_deref(), &after, limit, |school| {
            let all = office::all_claims(n, school)?;
            let within = all
                .iter()
                .filter(of)
                .filter(|c| first <= c.date && c.date <= last);
            Ok(within.map(|c| (c.id.clone(), ClaimItem::from(c))).collect())
        })
    };
    Ok(Json(caller.app.run(rows).await?))
}

#[derive(Serialize)]
pub(super) struct CreditsItem {
    /// Whom it was asked for.
    person: String,
    /// Under which name and school the person counts now.
    counts_as: String,
    school: String,
    rules: String,
    unit: String,
    from: Option<String>,
    until: Option<String>,
    total_c: i64,
    hours_c: i64,
    complete: bool,
    cut_off: String,
    requirements: Vec<RequirementItem>,
}

#[derive(Serialize)]
struct RequirementItem {
    id: String,
    zh: String,
    en: String,
    earned_c: i64,
    min_c: i64,
    gap_c: i64,
    met: bool,
    waived: bool,
}

/// The totals of a person; `None` if there is no such person.
fn card(node: &Node, person: &str) -> Result<Option<CreditsItem>, Error> {
    let Some(view) = office::credit_card(node, person)? else {
        return Ok(None);
    };
    let (card, period) = (&view.card, view.card.period.as_ref());
    let requirements = card.requirements.iter().map(|r| RequirementItem {
        id: r.id.clone(),
        zh: r.zh.clone(),
        en: r.en.clone(),
        earned_c: r.earned_c,
        min_c: r.min_c,
        gap_c: r.gap_c,
        met: r.met,
        waived: r.waived,
    });
    Ok(Some(CreditsItem {
        person: person.to_owned(),
        counts_as: view.teacher.id.clone(),
        school: view.teacher.school.clone(),
        rules: card.rule_ref.clone(),
        unit: format!("{:?}", card.unit).to_lowercase(),
        from: period.map(|p| p.first.to_string()),
        until: period.map(|p| p.last.to_string()),
        total_c: card.total_c,
        hours_c: card.total_hours_c,
        complete: card.complete,
        cut_off: view.cutoff.clone(),
        requirements: requirements.collect(),
    }))
}

/// `GET /api/v1/people/{id}/credits`
pub(super) async fn credits_of(
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    asked: AskedOrNot,
) -> Answer<CreditsItem> {
    caller.need(Scope::ReadCredits).await?;
    let Path(id) = id?;
    let Query(asked) = asked?;
    asked.only(&[])?;
    let found = caller.app.run(move |n| card(n, &id)).await?;
    found.map(Json).ok_or_else(Problem::not_found)
}

/// `GET /api/v1/credits`
pub(super) async fn credits(caller: Caller, asked: AskedOrNot) -> Answer<Rows<CreditsItem>> {
    caller.need(Scope::ReadCredits).await?;
    let Query(asked) = asked?;
    asked.only(&["school"])?;
    let (after, limit) = (asked.after(), asked.limit()?.min(CARDS));
    let rows = move |n: &Node| {
        let people = page(n, asked.school.as_deref(), &after, limit, |school| {
            let people = office::roster(n, school)?.into_iter();
            Ok(people.map(|t| (t.id.clone(), t.id)).collect())
        })?;
        let mut items = Vec::new();
        for person in &people.items {
            items.extend(card(n, person)?);
        }
        Ok(Rows {
            items,
            next: people.next,
        })
    };
    Ok(Json(caller.app.run(rows).await?))
}
