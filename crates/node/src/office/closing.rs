//! Closing a school year (学年结账): an act of the county alone, with a statement for each teacher, which stands
//! once however many schools hold records of that year (domain.md §3.5, no. 8). What comes after it is kept and
//! marked 迟报; the county reopens the year or makes a correction (no. 23).
//!
//! The cut-off of a closing, as hexadecimal digits; numbers are big-endian:
//!
//! ```text
//! for each document of the school and year but the county's ledger, ascending by key:
//!   u16 length, key in UTF-8
//!   u16 number of actors, for each: actor (36 bytes), u64 its highest sequence number
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};

use data_encoding::HEXLOWER;
use store::views::{Parts, read_parts};
use sync::{ActorId, DocKey};

use super::audit::{audit_queue_of, decide_with};
use super::carry::claims_of;
use super::claims::{ClaimRow, Weighed, all_claims};
use super::draft::{Draft, year_of};
use super::lookup::{By as Pick, json_list, key, of_own_school, record_of, rows, words};
use super::once::Waits;
use super::organisations::organisation_names;
use super::people::People;
use super::roster::{Edits, Teacher, roster};
use super::titles::Titles;
use super::{By, invalid, no_such, turn};
use crate::{Error, Filter, Node, Record, policy};

const KIND: &str = "year_close";

/// A school year that the county has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Record id.
    pub id: String,
    /// Record id of the school.
    pub school: String,
    /// Name of the school.
    pub school_name: String,
    /// First calendar year of the school year.
    pub year: i64,
    /// 结账日期.
    pub closed_on: String,
    /// Teachers with a statement.
    pub people: i64,
    /// Class-hours recognised.
    pub hours_c: i64,
    /// Credits recognised.
    pub credits_c: i64,
    /// The account that closed it.
    pub by: String,
    /// It was reopened, and why; empty = it stands.
    pub reopened: Option<String>,
    /// 待核: two offices that were apart have closed the year on different records. It stays closed; the county
    /// reopens one of them.
    pub differ: bool,
}

/// What a closing says of one teacher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Record id of the person.
    pub person: String,
    /// 姓名.
    pub name: String,
    /// Class-hours when the year was closed.
    pub hours_c: i64,
    /// Credits when the year was closed.
    pub credits_c: i64,
    /// Of the class-hours, those held at other schools.
    pub elsewhere_c: i64,
    /// What corrections have added or taken since: class-hours and credits.
    pub corrected_c: (i64, i64),
}

/// A record that came after its year was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRecord {
    /// Record id.
    pub id: String,
    /// Kind id.
    pub kind: String,
    /// What the kind is called, in Chinese and English.
    pub label: [String; 2],
    /// What it is called.
    pub title: String,
    /// The device that wrote it last.
    pub device: String,
}

type Cut = BTreeMap<String, BTreeMap<ActorId, u64>>;

/// The school years that stand closed on this node: ids of their closings. The cut-offs, which are long, are read
/// for the years that somebody asks about.
#[derive(Default)]
pub(super) struct Closed(BTreeMap<(String, i32), Vec<String>>);

/// What the closings of one school year say together.
#[derive(Default)]
struct Standing {
    closings: Vec<Record>,
    differ: bool,
    /// What was there in any of them.
    cut: Cut,
}

impl Closed {
    pub(super) fn load(node: &Node) -> Result<Closed, Error> {
        let roll = node.roll();
        node.read(|conn| {
            let mut closed = Closed::default();
            let mut query = conn.prepare_cached(
                "SELECT school, year, id, parts FROM record WHERE kind = ?1 AND school IS NOT NULL AND year IS NOT NULL
                   AND json_extract(fields, '$.state') = 'closed' AND json_extract(fields, '$.year') = year
                 ORDER BY id",
            )?;
            let mut found = query.query([KIND])?;
            while let Some(row) = found.next()? {
                let year: (String, i32) = (row.get(0)?, row.get(1)?);
                if of_own_school(&roll, &row.get::<_, Vec<u8>>(3)?, &year.0) {
                    continue;
                }
                closed.0.entry(year).or_default().push(row.get(2)?);
            }
            Ok(closed)
        })
    }

    fn of(&self, document: &str) -> Option<&Vec<String>> {
        if self.0.is_empty() {
            return None;
        }
        let (school, year) = policy::school_and_year(&DocKey::parse(document)?);
        self.0.get(&(school?, year?))
    }

    /// Whether the year of a document is closed.
    pub(super) fn is_closed(&self, document: &str) -> bool {
        self.of(document).is_some()
    }

    fn standing(&self, node: &Node, document: &str) -> Result<Option<Standing>, Error> {
        let Some(ids) = self.of(document) else {
            return Ok(None);
        };
        let mut standing = Standing::default();
        for id in ids {
            let Some(record) = record_of(node, KIND, id)? else {
                continue;
            };
            let same = |first: &Record| {
                ["cut", "people", "hours_c", "credits_c"]
                    .iter()
                    .all(|field| first.fields.get(*field) == record.fields.get(*field))
            };
            let read = read_cut(record.text("cut"));
            standing.differ |=
                !standing.closings.first().is_none_or(same) || record.disputed || read.is_none();
            for (key, actors) in read.unwrap_or_default() {
                let known = standing.cut.entry(key).or_default();
                for (actor, seq) in actors {
                    let seen = known.entry(actor).or_default();
                    *seen = (*seen).max(seq);
                }
            }
            standing.closings.push(record);
        }
        Ok(Some(standing))
    }

    /// Of records with these ids, those that hold something which came after their year was closed: document
    /// and id.
    pub(super) fn late(&self, node: &Node, ids: &[&str]) -> Result<HashSet<(String, String)>, Error> {
        if self.0.is_empty() || ids.is_empty() {
            return Ok(HashSet::new());
        }
        let wanted = "id IN (SELECT value FROM json_each(?1))";
        self.late_where(node, wanted, &json_list(ids))
    }

    fn late_where(&self, node: &Node, wanted: &str, value: &str) -> Result<HashSet<(String, String)>, Error> {
        let sql =
            format!("SELECT doc_key, id, parts FROM record WHERE {wanted} AND doc_key NOT LIKE 'ledger/%'");
        let rows = node.read(|conn| {
            let mut rows: BTreeMap<String, Vec<(String, Parts)>> = BTreeMap::new();
            let mut query = conn.prepare_cached(&sql)?;
            let mut found = query.query([value])?;
            while let Some(row) = found.next()? {
                let document: String = row.get(0)?;
                if self.is_closed(&document) {
                    let parts = read_parts(&row.get::<_, Vec<u8>>(2)?)?;
                    rows.entry(document).or_default().push((row.get(1)?, parts));
                }
            }
            Ok(rows)
        })?;
        let mut late = HashSet::new();
        for (document, records) in rows {
            let standing = self.standing(node, &document)?.unwrap_or_default();
            let known = standing.cut.get(&document);
            let covered =
                |(actor, seq): &(ActorId, u64)| known.and_then(|k| k.get(actor)).is_some_and(|k| k >= seq);
            let beyond = records
                .into_iter()
                .filter(|(_, parts)| !parts.iter().all(covered));
            late.extend(beyond.map(|(id, _)| (document.clone(), id)));
        }
        Ok(late)
    }
}

/// All closings, the newest year first, then by school; also those that were reopened. Equal ones that two
/// offices made apart are one.
pub fn closings(node: &Node) -> Result<Vec<Closing>, Error> {
    let closed = Closed::load(node)?;
    let schools = organisation_names(node)?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    let words: BTreeSet<String> = words(node, KIND)?.into_iter().map(|row| row.id).collect();
    for record in node.records(&Filter::kind(KIND))? {
        if !words.contains(&record.id) {
            continue;
        }
        let school = record.school.clone().unwrap_or_default();
        let stands = record.text("state") == "closed";
        let same = (school.clone(), record.int("year"), record.text("cut").to_owned());
        if stands && !seen.insert(same) {
            continue;
        }
        let several = closed.of(&record.doc).is_some_and(|ids| ids.len() > 1) || record.disputed;
        let standing = match stands && several {
            true => closed.standing(node, &record.doc)?,
            false => None,
        };
        all.push(Closing {
            school_name: schools.get(&school).cloned().unwrap_or_default(),
            school,
            year: record.int("year"),
            closed_on: record.text("closed_on").to_owned(),
            people: record.int("people"),
            hours_c: record.int("hours_c"),
            credits_c: record.int("credits_c"),
            by: record.text("_by").to_owned(),
            reopened: (!stands).then(|| record.text("state_reason").to_owned()),
            differ: standing.is_some_and(|standing| standing.differ),
            id: record.id,
        });
    }
    all.sort_by(|a, b| {
        (b.year, &a.school_name, &a.school, &a.id).cmp(&(a.year, &b.school_name, &b.school, &b.id))
    });
    Ok(all)
}

/// Closes a school year of a school. Every claim must have its decision first. Returns the record id.
pub fn close_year(node: &Node, by: &By, school: &str, year: i32, closed_on: &str) -> Result<String, Error> {
    allowed(node, school)?;
    let _turn = turn();
    let ledger = format!("ledger/{school}/{year}");
    let none = || no_such("school", "学校", "school");
    record_of(node, "organisation", school)?.ok_or_else(none)?;
    if Closed::load(node)?.is_closed(&ledger) {
        return Err(invalid(
            "year",
            "这一学年已经结账",
            "This school year is closed already",
        ));
    }
    let (first, last) = (format!("{year}-09-01"), format!("{}-08-31", i64::from(year) + 1));
    let of_year =
        |row: &&ClaimRow| row.date.is_empty() || year_of("date", &row.date).is_ok_and(|of| of == year);
    let open = audit_queue_of(node, Some(school), u32::MAX)?;
    let open = open.iter().filter(of_year).count();
    if open > 0 {
        return Err(invalid(
            "year",
            &format!("还有 {open} 条登分没有审核，审完再结账"),
            &format!("{open} claims still wait for a decision; decide on them first"),
        ));
    }
    let twice = all_claims(node, school)?;
    let twice = twice
        .of_year(year)
        .iter()
        .filter(|row| row.waits == Waits::SameTime)
        .count();
    if twice > 0 {
        return Err(invalid(
            "year",
            &format!(
                "有 {twice} 条学分是同一人同一时间的另一场（一个学时只计一次），请先在“待核”页选定，再结账"
            ),
            &format!(
                "{twice} claims are for a time that another session of the same person has too (an hour counts once); settle them on the page of conflicts first"
            ),
        ));
    }
    let people = People::load(node)?;
    let mut lines = Vec::new();
    for teacher in roster(node, school)? {
        let of = key(school, &teacher.id);
        if people.on(&of, &last) != of {
            continue;
        }
        let (hours, credits, elsewhere) = given(&claims_of(node, &people.names(&of))?, school, &first, &last);
        if teacher.on_strength(&last) || hours > 0 {
            lines.push((teacher, hours, credits, elsewhere));
        }
    }
    let sum = |of: fn(&(Teacher, i64, i64, i64)) -> i64| lines.iter().map(of).sum::<i64>();
    let id = node.new_id();
    let mut edits = Edits::default();
    let closing = Draft::new(KIND)
        .text("title", &format!("{year}-{} 学年", i64::from(year) + 1))
        .int("year", Some(i64::from(year)))
        .text("closed_on", closed_on)
        .int("people", i64::try_from(lines.len()).ok())
        .int("hours_c", Some(sum(|line| line.1)))
        .int("credits_c", Some(sum(|line| line.2)))
        .text("cut", &write_cut(&cut(node, school, year)?))
        .text("state", "closed");
    edits.push(&ledger, closing.create(node, id.clone(), by)?);
    for (teacher, hours, credits, elsewhere) in lines {
        let statement = Draft::new("year_statement")
            .text("closing", &id)
            .text("person", &teacher.id)
            .int("year", Some(i64::from(year)))
            .int("hours_c", Some(hours))
            .int("credits_c", Some(credits))
            .int("elsewhere_c", Some(elsewhere));
        edits.push(&ledger, statement.create(node, node.new_id(), by)?);
    }
    edits.commit(node)?;
    Ok(id)
}

/// The closings that are reopened with this one: equal closings of two offices are one.
pub(super) fn reopened_with(node: &Node, record: &Record) -> Result<Vec<Record>, Error> {
    let school = record.school.as_deref().unwrap_or_default();
    allowed(node, school)?;
    let mut twins = node.records(&Filter::kind(KIND).school(school))?;
    twins.retain(|twin| {
        ["year", "cut", "state"]
            .iter()
            .all(|field| twin.fields.get(*field) == record.fields.get(*field))
    });
    Ok(twins)
}

/// Decides on a claim of a closed year: the decision counts, and a correction beside the closing says what it
/// changed and why. `note` must say why.
#[allow(clippy::too_many_arguments)]
pub fn correct(
    node: &Node,
    by: &By,
    claim: &str,
    verdict: &str,
    credits_c: Option<i64>,
    reason: &str,
    note: &str,
    made_on: &str,
) -> Result<(), Error> {
    if note.trim().is_empty() {
        return Err(invalid(
            "note",
            "结账后更正，请写明说明",
            "Say why the closed year is corrected",
        ));
    }
    decide_with(node, by, claim, verdict, credits_c, reason, note, made_on, true)
}

/// The correction that goes beside a decision on a claim of a closed year.
pub(super) fn correction(
    node: &Node,
    by: &By,
    weighed: &Weighed,
    now: (i64, i64),
    note: &str,
    made_on: &str,
) -> Result<(String, crate::Edit), Error> {
    let closed = Closed::load(node)?;
    let standing = closed.standing(node, &weighed.claim.doc)?;
    let closing = standing
        .and_then(|standing| standing.closings.into_iter().next())
        .ok_or_else(|| {
            invalid(
                "claim",
                "这一学年没有结账，直接审核即可",
                "This school year is not closed; decide as usual",
            )
        })?;
    let before = weighed.given().unwrap_or_default();
    let draft = Draft::new("correction")
        .text("closing", &closing.id)
        .text("claim", &weighed.row.id)
        .text("person", &weighed.row.person)
        .int("before_hours_c", Some(before.0))
        .int("before_credits_c", Some(before.1))
        .int("hours_c", Some(now.0))
        .int("credits_c", Some(now.1))
        .text("made_on", made_on)
        .text("note", note);
    Ok((closing.doc.clone(), draft.create(node, node.new_id(), by)?))
}

/// What a closing says of each teacher, by name, with the corrections since.
pub fn statements(node: &Node, closing: &str) -> Result<Vec<Statement>, Error> {
    let Some(record) = record_of(node, KIND, closing)? else {
        return Err(no_such("id", "结账", "closing"));
    };
    let school = record.school.clone().unwrap_or_default();
    let people = People::load(node)?;
    let mut corrected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let said: BTreeSet<String> = words(node, "correction")?.into_iter().map(|row| row.id).collect();
    for each in node.records(&Filter::kind("correction"))? {
        // A correction of what the person did at another school belongs to the statement here.
        let of = key(each.school.as_deref().unwrap_or_default(), each.text("person"));
        let last = format!("{}-08-31", record.int("year") + 1);
        let at = people.on(&of, &last);
        if at.0 == school && each.year == record.year && !each.disputed && said.contains(&each.id) {
            let sum = corrected.entry(at.1).or_default();
            sum.0 += each.int("hours_c") - each.int("before_hours_c");
            sum.1 += each.int("credits_c") - each.int("before_credits_c");
        }
    }
    let mut all = Vec::new();
    for line in rows(node, "year_statement", Pick::About, &[closing])? {
        if line.school != school {
            continue;
        }
        let person = line.text("person").to_owned();
        let found = record_of(node, "person", &person)?;
        all.push(Statement {
            name: found.map_or_else(String::new, |p| p.text("name").to_owned()),
            hours_c: line.int("hours_c"),
            credits_c: line.int("credits_c"),
            elsewhere_c: line.int("elsewhere_c"),
            corrected_c: corrected.get(&person).copied().unwrap_or_default(),
            person,
        });
    }
    all.sort_by(|a, b| (&a.name, &a.person).cmp(&(&b.name, &b.person)));
    Ok(all)
}

/// What came after a closed year of a school was closed; empty for one that is open.
pub fn late_records(node: &Node, school: &str, year: i32) -> Result<Vec<LateRecord>, Error> {
    let closed = Closed::load(node)?;
    if !closed.is_closed(&format!("ledger/{school}/{year}")) {
        return Ok(Vec::new());
    }
    let kinds = node.kinds();
    let mut titles = Titles::new(node, &kinds);
    let mut all = Vec::new();
    for (document, id) in closed.late_where(node, "school = ?1", school)? {
        let Some(record) = node
            .record(&id)?
            .filter(|r| r.doc == document && r.year == Some(year))
        else {
            continue;
        };
        let label = |lang| {
            let form = kinds.latest(&record.kind);
            form.map_or_else(|| record.kind.clone(), |form| form.label(lang).to_owned())
        };
        all.push(LateRecord {
            label: [records::Lang::Zh, records::Lang::En].map(label),
            title: titles.of(&record, 2)?[0].clone(),
            device: node.device_label(&record.author),
            kind: record.kind,
            id,
        });
    }
    all.sort_by(|a, b| (&a.kind, &a.title, &a.id).cmp(&(&b.kind, &b.title, &b.id)));
    Ok(all)
}

fn allowed(node: &Node, school: &str) -> Result<(), Error> {
    if node.is_auditor() && node.home_school().as_deref() != Some(school) {
        return Ok(());
    }
    Err(invalid(
        "",
        "学年由县里结账，学校不能结",
        "The county closes a school year; a school cannot",
    ))
}

/// Class-hours and credits given for sessions of these days, each session once; and the class-hours among them that
/// other schools recorded. A session of which two schools say different things counts for nothing here.
fn given(claims: &[Weighed], school: &str, first: &str, last: &str) -> (i64, i64, i64) {
    let mut sessions: BTreeMap<&str, Option<(i64, i64, bool)>> = BTreeMap::new();
    for weighed in claims.iter().filter(|w| !w.superseded) {
        let (Some((hours, credits)), date) = (weighed.given(), weighed.row.date.as_str()) else {
            continue;
        };
        if date < first || date > last {
            continue;
        }
        let elsewhere = weighed.row.school != school;
        match sessions.get_mut(weighed.row.session.as_str()) {
            None => {
                sessions.insert(&weighed.row.session, Some((hours, credits, elsewhere)));
            }
            Some(known) => {
                let same = known.filter(|known| (known.0, known.1) == (hours, credits));
                *known = same.map(|known| (hours, credits, known.2 && elsewhere));
            }
        }
    }
    let counted = sessions.into_values().flatten();
    counted.fold((0, 0, 0), |sum, (hours, credits, elsewhere)| {
        let there = if elsewhere { hours } else { 0 };
        (sum.0 + hours, sum.1 + credits, sum.2 + there)
    })
}

/// How far the documents of a school and year have come here.
fn cut(node: &Node, school: &str, year: i32) -> Result<Cut, Error> {
    node.read(|conn| {
        let mut cut = Cut::new();
        for document in store::changes::documents(conn)? {
            let of = policy::school_and_year(&document.key);
            if of == (Some(school.to_owned()), Some(year)) && document.key.segment(0) != Some("ledger") {
                let vector = store::changes::vector(conn, document.id)?;
                let actors = vector.into_iter().map(|(actor, seq, _)| (actor, seq)).collect();
                cut.insert(document.key.to_string(), actors);
            }
        }
        Ok(cut)
    })
}

fn write_cut(cut: &Cut) -> String {
    let mut bytes = Vec::new();
    // Keys and actors of one school year are far below 2¹⁶.
    let count = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    for (key, actors) in cut {
        bytes.extend(count(key.len()));
        bytes.extend(key.as_bytes());
        bytes.extend(count(actors.len()));
        for (actor, seq) in actors {
            bytes.extend(actor.to_bytes());
            bytes.extend(seq.to_be_bytes());
        }
    }
    HEXLOWER.encode(&bytes)
}

fn read_cut(text: &str) -> Option<Cut> {
    fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(taken)
    }
    fn count(bytes: &mut &[u8]) -> Option<usize> {
        Some(u16::from_be_bytes(take(bytes, 2)?.try_into().ok()?).into())
    }
    let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
    let mut rest = bytes.as_slice();
    let mut cut = Cut::new();
    while !rest.is_empty() {
        let length = count(&mut rest)?;
        let key = std::str::from_utf8(take(&mut rest, length)?).ok()?.to_owned();
        let actors = cut.entry(key).or_default();
        for _ in 0..count(&mut rest)? {
            let actor = ActorId::from_bytes(take(&mut rest, ActorId::LEN)?)?;
            let seq = u64::from_be_bytes(take(&mut rest, 8)?.try_into().ok()?);
            actors.insert(actor, seq);
        }
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_read_as_it_was_written_and_damage_is_refused() {
        let actor = |n: u8| ActorId::from_bytes(&[n; ActorId::LEN]).unwrap();
        let cut = Cut::from([
            ("base/s/2025".to_owned(), BTreeMap::from([(actor(1), 3)])),
            (
                "log/s/2025".to_owned(),
                BTreeMap::from([(actor(1), 7), (actor(9), u64::MAX)]),
            ),
        ]);
        let text = write_cut(&cut);
        assert_eq!(read_cut(&text), Some(cut));
        for length in 1..text.len() {
            let part = read_cut(&text[..length]);
            assert!(part.is_none_or(|part| part.len() < 2), "{length}");
        }
        assert_eq!(read_cut("zz"), None);
        assert_eq!(read_cut(""), Some(Cut::new()));
    }
}
