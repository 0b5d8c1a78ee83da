//! A mentor's visits (送教下乡、送培到校; domain.md §6, F5 and F6): the sheet with its team, days, tasks and
//! observations, what R5 says of it, the county's plan, and what a mentor takes along before leaving.
//!
//! All of a visit stands in the document of the mentor who wrote it, `visits/<mentor>/<school>/<year>`. Its parts are
//! records about the sheet in that same document; what somebody else writes about it is no part. Forms are the general
//! ones (`entry_save`), signatures are in `signatures`.

use std::collections::HashMap;

use records::date::parse_stored_date;
use records::visits::{self as rules, Asked, Finding};
use records::{Date, Kinds, RuleSet, SchoolYear};
use store::rusqlite::Connection;

use super::entries::{Entry, Shown, around, reference, rows, shown};
use super::organisations::organisation_names;
use super::signatures::{Signatures, signatures};
use crate::{Error, Filter, Node, Record, Role};

/// The kind of the sheet.
pub(super) const VISIT: &str = "visit";
const MEMBER: &str = "visit_member";
const DAY: &str = "visit_day";
const TASK: &str = "visit_task";
const OBSERVATION: &str = "visit_observation";
const VOID: &str = "void";

/// Records that one page lists.
const MANY: u32 = 2_000;

/// A visit in a list.
#[derive(Clone, Debug)]
pub struct VisitRow {
    /// What every record has in a list; its title is the theme, its date the first day.
    pub entry: Entry,
    /// The mentor's code.
    pub mentor: String,
    /// Last day.
    pub to: String,
    /// The sheet's fields.
    pub record: Record,
}

/// A part of a visit with its fields for readers.
#[derive(Clone, Debug)]
pub struct Part {
    /// What every record has in a list.
    pub entry: Entry,
    /// The record.
    pub record: Record,
    /// Its fields, by stored name.
    pub shown: HashMap<String, [String; 2]>,
}

impl Part {
    /// A field for readers, or "".
    pub fn said(&self, field: &str, lang: records::Lang) -> &str {
        let said = self.shown.get(field);
        said.map_or("", |[zh, en]| lang.pick(zh, en))
    }
}

/// A visit with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Its line.
    pub row: VisitRow,
    /// Its fields for readers, in the order of its form.
    pub fields: Vec<Shown>,
    /// The team, leaders first.
    pub team: Vec<Part>,
    /// What was done, day by day.
    pub days: Vec<Part>,
    /// What is to be done.
    pub tasks: Vec<Part>,
    /// Lessons heard.
    pub observations: Vec<Part>,
    /// What R5 says of it.
    pub findings: Vec<Finding>,
    /// What R5 says of the school year of delivery at this school in this subject.
    pub year: Vec<Finding>,
    /// The rule set that was asked with its version, in Chinese and English; empty when none was.
    pub rules: [String; 2],
    /// Days of work in hundredths: those typed, else those between first and last.
    pub worked_c: i64,
    /// Its signatures.
    pub signed: Signatures,
    /// Whether this device wrote it and may go on writing.
    pub own: bool,
}

impl Visit {
    /// A field of the sheet for readers, in Chinese and English.
    pub fn said(&self, field: &str) -> [String; 2] {
        let found = self.fields.iter().find(|shown| shown.id == field);
        found.map_or_else(Default::default, |shown| shown.value.clone())
    }
}

/// One of the county's assignments.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// What every record has in a list; its title is the purpose.
    pub entry: Entry,
    /// The mentor's code.
    pub mentor: String,
    /// Record id of the school.
    pub school: String,
    /// Name of the school, empty before the registry has come.
    pub school_name: String,
    /// Last day.
    pub to: String,
    /// Kind of visit, round and stage for readers.
    pub shown: HashMap<String, [String; 2]>,
    /// Visits that say they carry it out.
    pub visits: Vec<String>,
}

/// What of a school is on this device: unix seconds when something of it last came in, if anything did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenAlong {
    /// Roster (`base`).
    pub base: Option<i64>,
    /// Sessions, lessons and so on (`log`).
    pub log: Option<i64>,
}

/// Whether a document of visits is this device's to write.
pub(super) fn is_own(node: &Node, doc: &str) -> bool {
    let Some(scope) = doc.strip_prefix("visits/").and_then(|rest| rest.rsplit_once('/')) else {
        return false;
    };
    node.scopes(Role::Mentor).iter().any(|own| own == scope.0)
}

fn mentor_of(doc: &str) -> &str {
    doc.split('/').nth(1).unwrap_or_default()
}

/// What is signed with a visit: its parts, without those that were made void.
pub(super) fn parts(node: &Node, kinds: &Kinds, visit: &Record) -> Result<Vec<Record>, Error> {
    let mut all = around(node, visit)?;
    all.retain(|part| {
        part.doc == visit.doc
            && [MEMBER, DAY, TASK, OBSERVATION].contains(&part.kind.as_str())
            && part.text("state") != VOID
            && kinds.get(&reference(part)).is_some()
    });
    Ok(all)
}

/// Visits, the latest first; of all schools that this node reads if `school` is `None`.
pub fn visits(node: &Node, school: Option<&str>) -> Result<Vec<VisitRow>, Error> {
    let filter = Filter::kind(VISIT).newest_first().limit(MANY);
    let records = node.records(&match school {
        Some(school) => filter.school(school),
        None => filter,
    })?;
    Ok(rows(node, &records)?
        .into_iter()
        .zip(records)
        .map(|(entry, record)| row(entry, record))
        .collect())
}

fn row(entry: Entry, record: Record) -> VisitRow {
    VisitRow {
        mentor: mentor_of(&record.doc).to_owned(),
        to: record.text("to").to_owned(),
        entry,
        record,
    }
}

/// One visit with everything that belongs to it; `None` if it is not here.
pub fn visit(node: &Node, id: &str) -> Result<Option<Visit>, Error> {
    let Some(record) = node.record(id)?.filter(|record| record.kind == VISIT) else {
        return Ok(None);
    };
    let Some(entry) = rows(node, std::slice::from_ref(&record))?.pop() else {
        return Ok(None);
    };
    let kinds = node.kinds();
    let mut by_kind: HashMap<String, Vec<Part>> = HashMap::new();
    let parts = parts(node, &kinds, &record)?;
    for (entry, record) in rows(node, &parts)?.into_iter().zip(parts) {
        let form = kinds.get(&reference(&record));
        let said = shown(node, &kinds, form, &record)?;
        let said = said.into_iter().map(|field| (field.id, field.value)).collect();
        let part = Part {
            entry,
            record,
            shown: said,
        };
        by_kind.entry(part.record.kind.clone()).or_default().push(part);
    }
    let mut of = |kind: &str| by_kind.remove(kind).unwrap_or_default();
    let (mut team, mut days, mut tasks, mut observations) = (of(MEMBER), of(DAY), of(TASK), of(OBSERVATION));
    team.sort_by_key(|p| (p.record.text("role") != "leader", p.record.id.clone()));
    days.sort_by_key(|p| (p.record.text("date").to_owned(), p.record.id.clone()));
    tasks.sort_by_key(|p| (p.record.text("due").to_owned(), p.record.id.clone()));
    observations.sort_by_key(|p| (p.record.text("date").to_owned(), p.record.id.clone()));
    let own = is_own(node, &record.doc);
    let mut seen = Visit {
        fields: shown(node, &kinds, kinds.get(&reference(&record)), &record)?,
        signed: signatures(node, id)?,
        row: row(entry, record),
        team,
        days,
        tasks,
        observations,
        findings: Vec::new(),
        year: Vec::new(),
        rules: Default::default(),
        worked_c: 0,
        own,
    };
    judge(node, &mut seen)?;
    Ok(Some(seen))
}

/// The rules of visits that are in force here, with title and version in Chinese and English.
pub fn visit_rules(node: &Node) -> Option<(Asked, [String; 2])> {
    let in_force = node.rules();
    let shipped = records::rules::r5();
    let of = |rules: &RuleSet| {
        let head = &rules.head;
        let named = |title: &str| format!("{title}（{}/{}）", head.id, head.version);
        Some((Asked::of(rules)?, [named(&head.title_zh), named(&head.title_en)]))
    };
    let published = in_force.newest(&shipped.head.id);
    published.as_deref().and_then(of).or_else(|| of(shipped))
}

/// Asks them of a visit.
fn judge(node: &Node, seen: &mut Visit) -> Result<(), Error> {
    let facts = facts(node, &seen.row.record, &seen.team, &seen.days)?;
    let (Some((asked, title)), Some(facts)) = (visit_rules(node), facts) else {
        return Ok(());
    };
    seen.worked_c = facts.worked_c();
    let record = &seen.row.record;
    match record.text("visit_kind") {
        "school_training" => seen.findings = rules::at_school(&asked, &facts),
        "delivery" => {
            seen.findings = rules::of_round(&asked, &facts);
            seen.year = rules::of_year(&asked, &same_year(node, record, facts.from)?);
        }
        _ => return Ok(()),
    }
    seen.rules = title;
    Ok(())
}

/// The deliveries of one school year at one school in one subject, whichever mentor wrote them.
fn same_year(node: &Node, of: &Record, from: Date) -> Result<Vec<rules::Visit>, Error> {
    let school = of.school.clone().unwrap_or_default();
    let filter = Filter::kind(VISIT).school(&school).year(SchoolYear::of(from).0);
    let mut same = Vec::new();
    for other in node.records(&filter.limit(MANY))? {
        let delivery = other.text("visit_kind") == "delivery" && other.text("subject") == of.text("subject");
        if delivery && other.text("state") != VOID && !other.disputed {
            same.extend(facts(node, &other, &[], &[])?);
        }
    }
    Ok(same)
}

/// A visit as the rules ask about it; `None` when its days cannot be read.
fn facts(node: &Node, visit: &Record, team: &[Part], days: &[Part]) -> Result<Option<rules::Visit>, Error> {
    let day = |text: &str| parse_stored_date(text).ok();
    let (Some(from), Some(to)) = (day(visit.text("from")), day(visit.text("to"))) else {
        return Ok(None);
    };
    let survey = match visit.text("survey") {
        "" => None,
        id => node
            .record(id)?
            .filter(|survey| survey.school == visit.school && survey.text("state") != VOID)
            .and_then(|survey| day(survey.text("date"))),
    };
    let number = |field: &str| visit.fields.get(field).and_then(|value| value.as_int());
    let expert = |part: &&Part| !part.entry.disputed && part.record.text("role") != "coordinator";
    let lessons = days.iter().filter(|d| d.record.text("segment") == "feedback");
    Ok(Some(rules::Visit {
        from,
        to,
        days_c: number("days_c"),
        round: number("round"),
        stage: visit.text("stage").to_owned(),
        leader_came: day(visit.text("leader_came")),
        leader_stayed: visit.flag("leader_stayed"),
        survey,
        team: team
            .iter()
            .filter(expert)
            .map(|part| part.record.text("origin") == "local")
            .collect(),
        feedback: lessons
            .filter(|lesson| !lesson.entry.disputed)
            .filter_map(|lesson| {
                Some((
                    day(lesson.record.text("date"))?,
                    !lesson.record.text("teacher").is_empty(),
                ))
            })
            .collect(),
    }))
}

/// The county's assignments that concern this device: a mentor's own, a school's, all at the county; the next first.
pub fn assignments(node: &Node) -> Result<Vec<Assignment>, Error> {
    let names = organisation_names(node)?;
    let all = node.records(&Filter::kind("visit_plan").newest_first().limit(MANY))?;
    let scopes = node.scopes(Role::Mentor);
    let home = node.home_school();
    let county = node.is_county() || node.is_auditor();
    let concerns = |plan: &Record| {
        let own = format!(
            "{}/{}",
            plan.text("mentor").to_ascii_lowercase(),
            plan.text("school")
        );
        county || home.as_deref() == Some(plan.text("school")) || scopes.contains(&own)
    };
    let all: Vec<Record> = all.into_iter().filter(concerns).collect();
    let mut carried: HashMap<String, Vec<String>> = HashMap::new();
    if !all.is_empty() {
        for visit in node.records(&Filter::kind(VISIT).limit(MANY))? {
            let plan = visit.text("plan");
            if !plan.is_empty() && visit.text("state") != VOID {
                carried.entry(plan.to_owned()).or_default().push(visit.id.clone());
            }
        }
    }
    let kinds = node.kinds();
    let mut found = Vec::new();
    for (entry, plan) in rows(node, &all)?.into_iter().zip(all) {
        let said = shown(node, &kinds, kinds.get(&reference(&plan)), &plan)?;
        found.push(Assignment {
            mentor: plan.text("mentor").to_owned(),
            school: plan.text("school").to_owned(),
            school_name: names.get(plan.text("school")).cloned().unwrap_or_default(),
            to: plan.text("to").to_owned(),
            visits: carried.remove(&plan.id).unwrap_or_default(),
            shown: said.into_iter().map(|field| (field.id, field.value)).collect(),
            entry,
        });
    }
    Ok(found)
}

/// What of a school is here.
pub fn taken_along(node: &Node, school: &str) -> Result<TakenAlong, Error> {
    node.read(|conn| {
        let came = |conn: &Connection, family: &str| -> store::Result<Option<i64>> {
            let mut query = conn.prepare_cached(
                "SELECT MAX(c.at) FROM document d JOIN change c ON c.doc = d.id
                 WHERE d.key LIKE ?1 || '/' || ?2 || '/%' AND c.from_peer IS NOT NULL",
            )?;
            Ok(query.query_row([family, school], |row| row.get(0))?)
        };
        Ok(TakenAlong {
            base: came(conn, "base")?,
            log: came(conn, "log")?,
        })
    })
}
