//! Sessions of professional learning (研修活动): draft 草稿 → held 进行中 → ended 已结束, or void.

use std::collections::HashMap;

use records::kinds::Actor;
use records::sample::SampleSession;

use super::attendance::{Mark, PRESENT, VOID, own_session, tallies};
use super::claims;
use super::closing::Closed;
use super::draft::{Draft, year_of};
use super::lookup::{Key, json_list, key, newest, record_of};
use super::organisations::organisation_names;
use super::per_school::{PerYear, Years};
use super::roster::roster;
use super::{By, invalid, own_school, take_step, turn};
use crate::{Error, Node, Record, Way};

/// What a form says about a session. Blank text means not known.
#[derive(Clone, Debug, Default)]
pub struct SessionInput {
    /// 活动名称.
    pub title: String,
    /// 研修主题.
    pub theme: String,
    /// `YYYY-MM-DD`, typed by a person.
    pub date: String,
    /// 开始时间, as `08:30`.
    pub begins: String,
    /// 结束时间.
    pub ends: String,
    /// 地点.
    pub place: String,
    /// Code of the form of learning.
    pub form: String,
    /// Code of the course category.
    pub category: String,
    /// Code of the sub-category.
    pub sub: String,
    /// Code of the channel.
    pub channel: String,
    /// Class-hours in hundredths.
    pub hours_c: i64,
    /// 主讲人.
    pub lecturers: String,
    /// Whole length in minutes.
    pub minutes: Option<i64>,
    /// Minutes of it that were lectures.
    pub lecture_minutes: Option<i64>,
}

/// What a clerk would type of a session of the sample county.
impl From<&SampleSession> for SessionInput {
    fn from(sample: &SampleSession) -> SessionInput {
        SessionInput {
            title: sample.title.clone(),
            theme: sample.theme.clone(),
            date: sample.date.to_string(),
            place: sample.place.clone(),
            form: sample.form.into(),
            category: sample.category.into(),
            sub: sample.sub.into(),
            channel: sample.channel.into(),
            hours_c: sample.hours_c,
            lecturers: sample.lecturers.clone(),
            minutes: Some(sample.minutes),
            lecture_minutes: Some(sample.lecture_minutes),
            ..SessionInput::default()
        }
    }
}

impl SessionInput {
    fn draft(&self) -> Draft {
        Draft::new("session")
            .text("title", &self.title)
            .text("theme", &self.theme)
            .text("date", &self.date)
            .text("begins", &self.begins)
            .text("ends", &self.ends)
            .text("place", &self.place)
            .text("form", &self.form)
            .text("category", &self.category)
            .text("sub", &self.sub)
            .text("channel", &self.channel)
            .int("hours_c", Some(self.hours_c))
            .text("lecturers", &self.lecturers)
            .int("minutes", self.minutes)
            .int("lecture_minutes", self.lecture_minutes)
    }
}

/// A session in a list.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Record id.
    pub id: String,
    /// Record id of the school.
    pub school: String,
    /// Name of the school.
    pub school_name: String,
    /// 活动名称.
    pub title: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// 地点.
    pub place: String,
    /// Code of the form of learning.
    pub form: String,
    /// Code of the course category.
    pub category: String,
    /// Code of the sub-category.
    pub sub: String,
    /// Code of the channel.
    pub channel: String,
    /// Class-hours in hundredths.
    pub hours_c: i64,
    /// Code of the state: draft, held, ended, void.
    pub state: String,
    /// Persons who count as present.
    pub present: usize,
    /// Persons with a mark, disputed ones too.
    pub marked: usize,
    /// Persons with a claim.
    pub claims: usize,
    /// Persons with a claim on which the county has spoken.
    pub decided: usize,
    /// How far the session's own record has come.
    pub way: Way,
    /// Two devices say different things about the session itself.
    pub disputed: bool,
    /// 迟报: it, or a change of it, came after its school year was closed.
    pub late: bool,
}

/// A session with its people.
#[derive(Clone, Debug)]
pub struct SessionDetail {
    /// The line of the list.
    pub row: SessionRow,
    /// 研修主题.
    pub theme: String,
    /// 主讲人.
    pub lecturers: String,
    /// Whole length in minutes.
    pub minutes: Option<i64>,
    /// Minutes of it that were lectures.
    pub lecture_minutes: Option<i64>,
    /// 开始时间 and 结束时间, as `08:30`; empty when not known.
    pub times: [String; 2],
    /// Why it stands where it does, such as the reason why it is void.
    pub state_reason: String,
    /// Everyone in service at the school, and everyone else who was marked.
    pub marks: Vec<Mark>,
}

/// Saves a session of the node's own school; returns the record id. A new one is a draft.
pub fn save_session(
    node: &Node,
    by: &By,
    school: &str,
    id: Option<&str>,
    input: SessionInput,
) -> Result<String, Error> {
    own_school(node, school)?;
    let _turn = turn();
    let Some(id) = id else {
        let id = node.new_id();
        let edit = input
            .draft()
            .text("host", school)
            .text("state", "draft")
            .create(node, id.clone(), by)?;
        let year = year_of("date", &input.date)?;
        node.commit(&format!("log/{school}/{year}"), vec![edit])?;
        return Ok(id);
    };
    let record = own_session(node, id)?;
    let edit = input.draft().change(node, &record, by)?;
    // A record stays in its document, and the document is its school year.
    if record
        .year
        .is_some_and(|year| year_of("date", &input.date).is_ok_and(|new| new != year))
    {
        return Err(invalid(
            "date",
            "日期不能改到另一学年，请作废后重新登记",
            "The date cannot move to another school year; void this session and enter a new one",
        ));
    }
    if let Some(edit) = edit {
        node.commit(&record.doc, vec![edit])?;
    }
    Ok(record.id)
}

/// Voids a session (已作废), with the reason: it stays readable with its marks, its claims count no longer, and a
/// step of its kind restores it.
pub fn void_session(node: &Node, by: &By, session: &str, reason: &str) -> Result<(), Error> {
    take_step(node, by, Actor::Clerk, "session", session, "void", reason)
}

/// Sessions, newest first; of all schools that this node reads if `school` is `None`.
pub fn sessions(node: &Node, school: Option<&str>, limit: u32) -> Result<Vec<SessionRow>, Error> {
    sessions_from(node, school, 0, limit)
}

/// The same after the `skip` newest.
pub fn sessions_from(
    node: &Node,
    school: Option<&str>,
    skip: u32,
    limit: u32,
) -> Result<Vec<SessionRow>, Error> {
    let (first, most) = (skip as usize, limit as usize);
    let Some(school) = school else {
        let mut records = node.records(&newest("session", None, skip.saturating_add(limit)))?;
        records.drain(..first.min(records.len()));
        return rows(node, records);
    };
    // A session lies in the document of its day, so the years one after another are the order of days.
    let all = all_sessions(node, school)?;
    Ok(all.iter().skip(first).take(most).cloned().collect())
}

static OF_YEAR: PerYear<SessionRow> = PerYear::new(24);

/// All sessions of a school.
pub fn all_sessions(node: &Node, school: &str) -> Result<Years<SessionRow>, Error> {
    OF_YEAR.years(node, school, |year| {
        rows(
            node,
            node.records(&newest("session", Some(school), u32::MAX).year(year))?,
        )
    })
}

/// One session with its marks and claims.
pub fn session(node: &Node, id: &str) -> Result<Option<SessionDetail>, Error> {
    let Some(record) = record_of(node, "session", id)? else {
        return Ok(None);
    };
    let number = |field: &str| record.fields.get(field).and_then(|value| value.as_int());
    let (theme, lecturers) = (
        record.text("theme").to_owned(),
        record.text("lecturers").to_owned(),
    );
    let (minutes, lecture_minutes) = (number("minutes"), number("lecture_minutes"));
    let times = ["begins", "ends"].map(|field| record.text(field).to_owned());
    let state_reason = record.text("state_reason").to_owned();
    let school = record.school.clone().unwrap_or_default();
    let Some(row) = rows(node, vec![record])?.pop() else {
        return Ok(None);
    };

    let mut tallies = tallies(node, &[id])?
        .remove(&key(&school, id))
        .unwrap_or_default();
    let mut claims = claims::of_session(node, &school, id)?;
    let mut marks = Vec::new();
    for teacher in roster(node, &school)? {
        let tally = tallies.remove(&teacher.id);
        if tally.is_none() && !teacher.on_strength(&row.date) {
            continue;
        }
        marks.push(Mark {
            attendance: tally.as_ref().map(|t| t.id.clone()),
            disputed: tally.as_ref().is_some_and(|t| t.disputed),
            status: tally.map(|t| t.status),
            claim: claims.remove(&teacher.id),
            person: teacher.id,
            name: teacher.name,
        });
    }
    // Marked, but not on this roster: a person whose record has not arrived, or of another school.
    for (person, tally) in tallies {
        marks.push(Mark {
            attendance: Some(tally.id),
            status: Some(tally.status),
            disputed: tally.disputed,
            claim: claims.remove(&person),
            name: node
                .record(&person)?
                .map_or_else(String::new, |p| p.text("name").to_owned()),
            person,
        });
    }
    Ok(Some(SessionDetail {
        row,
        theme,
        lecturers,
        minutes,
        lecture_minutes,
        times,
        state_reason,
        marks,
    }))
}

/// Counts of a session's people.
#[derive(Clone, Copy, Default)]
struct Counts {
    present: usize,
    marked: usize,
    claims: usize,
    decided: usize,
}

fn rows(node: &Node, records: Vec<Record>) -> Result<Vec<SessionRow>, Error> {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let counts = counts(node, &ids)?;
    let names = organisation_names(node)?;
    let late = Closed::load(node)?.late(node, &ids)?;
    Ok(records
        .into_iter()
        .map(|record| {
            let school = record.school.clone().unwrap_or_default();
            let counts = counts.get(&key(&school, &record.id)).copied().unwrap_or_default();
            let text = |field: &str| record.text(field).to_owned();
            SessionRow {
                school_name: names.get(&school).cloned().unwrap_or_default(),
                school,
                title: text("title"),
                date: text("date"),
                place: text("place"),
                form: text("form"),
                category: text("category"),
                sub: text("sub"),
                channel: text("channel"),
                hours_c: record.int("hours_c"),
                state: text("state"),
                present: counts.present,
                marked: counts.marked,
                claims: counts.claims,
                decided: counts.decided,
                way: record.way,
                disputed: record.disputed,
                late: late.contains(&key(&record.doc, &record.id)),
                id: record.id,
            }
        })
        .collect())
}

/// The same rule as [`super::attendance::tallies`], for many sessions in one pass of SQL. `CROSS JOIN` makes SQLite
/// look up each session instead of reading all marks there are.
fn counts(node: &Node, sessions: &[&str]) -> Result<HashMap<Key, Counts>, Error> {
    let present = PRESENT.map(|status| format!("'{status}'")).join(", ");
    let marks_sql = format!(
        "SELECT school, about, COUNT(*), SUM(present) FROM (
           SELECT school, about, person,
                  MAX(disputed) = 0 AND COUNT(DISTINCT status) = 1 AND MIN(status) IN ({present}) AS present
           FROM (SELECT school, about, person, disputed, COALESCE(json_extract(fields, '$.status'), '') AS status
                 FROM json_each(?1) j CROSS JOIN record r ON r.kind = 'attendance' AND r.about = j.value)
           WHERE disputed = 1 OR status <> '{VOID}'
           GROUP BY school, about, person)
         GROUP BY school, about"
    );
    let claims_sql =
        "SELECT c.school, c.about, COUNT(DISTINCT c.person), COUNT(DISTINCT iif(d.id IS NULL, NULL, c.person))
         FROM json_each(?1) j CROSS JOIN record c ON c.kind = 'claim' AND c.about = j.value
         LEFT JOIN record d ON d.kind = 'decision' AND d.about = c.id AND d.school IS c.school
         GROUP BY c.school, c.about";
    let keys = json_list(sessions);
    let count = |number: i64| usize::try_from(number).unwrap_or(0);
    node.read(|conn| {
        let mut counts: HashMap<Key, Counts> = HashMap::new();
        let named = |row: &store::rusqlite::Row<'_>| -> store::Result<Key> {
            Ok((row.get::<_, Option<String>>(0)?.unwrap_or_default(), row.get(1)?))
        };
        let mut query = conn.prepare_cached(&marks_sql)?;
        let mut found = query.query([&keys])?;
        while let Some(row) = found.next()? {
            let entry = counts.entry(named(row)?).or_default();
            (entry.marked, entry.present) = (count(row.get(2)?), count(row.get(3)?));
        }
        let mut query = conn.prepare_cached(claims_sql)?;
        let mut found = query.query([&keys])?;
        while let Some(row) = found.next()? {
            let entry = counts.entry(named(row)?).or_default();
            (entry.claims, entry.decided) = (count(row.get(2)?), count(row.get(3)?));
        }
        Ok(counts)
    })
}
