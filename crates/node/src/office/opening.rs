//! Opening balances (期初学分): what teachers had earned in earlier years of the cycle, from paper. A clerk enters
//! a school on one page; the county confirms or returns; only what it has confirmed counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use records::date::parse_stored_date;
use records::rules::{Entry, PersonFacts, When};
use records::{SchoolYear, record_digest_with};

use super::audit::own_person;
use super::claims::rules_in_use;
use super::draft::{Draft, kind_of, year_of};
use super::entries::{Stand, stands};
use super::lookup::{By as Pick, Row, by_about, by_id, key, rows};
use super::organisations::organisation_names;
use super::roster::Edits;
use super::{By, fault, invalid, no_such, own_school, turn};
use crate::{Error, Filter, Node, Record};

const KIND: &str = "opening_balance";
const WORD: &str = "filing_decision";

/// Where an amount stands in the table of a rule set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Code of the category.
    pub category: String,
    /// Code of the sub-category; empty where the category has none.
    pub sub: String,
    /// Code of the channel.
    pub channel: String,
}

/// One opening balance.
#[derive(Clone, Debug)]
pub struct OpeningRow {
    /// Record id.
    pub id: String,
    /// Record id of the school.
    pub school: String,
    /// Name of the school.
    pub school_name: String,
    /// Record id of the person.
    pub person: String,
    /// 姓名.
    pub person_name: String,
    /// The calendar year in which its school year begins.
    pub year: i32,
    /// Where in the table.
    pub cell: Cell,
    /// Credits, in hundredths.
    pub credits_c: i64,
    /// 依据.
    pub source: String,
    /// Where it stands.
    pub stand: Stand,
    /// 待核: two devices, or two records of one cell, say different things. Counts zero.
    pub disputed: bool,
    /// Another record of the same cell says the same; this one does not count again.
    pub again: bool,
    /// The account that entered it.
    pub by: String,
    /// Digest of what it says now, which a decision binds.
    pub digest: String,
    /// The county's last word, if it returned it.
    pub returned: String,
    /// What it puts before the rules; `None` while it does not count.
    pub(super) entry: Option<Entry>,
}

impl OpeningRow {
    /// Whether it counts: confirmed by the county as it stands.
    pub fn counts(&self) -> bool {
        self.entry.is_some()
    }
}

/// The opening balances of a school, of all schools if `None`; voided ones are left out.
pub fn openings(node: &Node, school: Option<&str>) -> Result<Vec<OpeningRow>, Error> {
    let filter = match school {
        Some(school) => Filter::kind(KIND).school(school),
        None => Filter::kind(KIND),
    };
    shown(node, node.records(&filter)?)
}

/// The opening balances of a person at a school.
pub(super) fn of_person(node: &Node, person: &str, school: &str) -> Result<Vec<OpeningRow>, Error> {
    shown(
        node,
        node.records(&Filter::kind(KIND).person(person).school(school))?,
    )
}

fn shown(node: &Node, records: Vec<Record>) -> Result<Vec<OpeningRow>, Error> {
    let kinds = node.kinds();
    let stands = stands(node, &records)?;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let words = by_about(node, WORD, &ids)?;
    let names = organisation_names(node)?;
    let persons: BTreeSet<&str> = records.iter().map(|record| record.text("person")).collect();
    let persons = by_id(node, "person", &persons.into_iter().collect::<Vec<_>>())?;
    let mut all: Vec<OpeningRow> = Vec::new();
    for (record, stand) in records.iter().zip(stands) {
        let Some(stand) = stand.filter(|stand| stand.code != "void") else {
            continue;
        };
        let school = record.school.clone().unwrap_or_default();
        let digest = record_digest_with(&kinds, &record.fields);
        let words = words
            .get(&key(&school, &record.id))
            .map_or(&[][..], Vec::as_slice);
        let sound =
            kind_of(&kinds, KIND, &record.fields).is_some_and(|kind| kind.check(&record.fields).is_ok());
        let person = persons.get(&key(&school, record.text("person")));
        all.push(OpeningRow {
            id: record.id.clone(),
            school_name: names.get(&school).cloned().unwrap_or_default(),
            person: record.text("person").to_owned(),
            person_name: person.map_or("", |row| row.text("name")).to_owned(),
            year: i32::try_from(record.int("year")).unwrap_or_default(),
            cell: Cell {
                category: record.text("category").to_owned(),
                sub: record.text("sub").to_owned(),
                channel: record.text("channel").to_owned(),
            },
            credits_c: record.int("credits_c"),
            source: record.text("source").to_owned(),
            disputed: record.disputed || stand.differ || !sound,
            again: false,
            by: record.text("_by").to_owned(),
            returned: words
                .iter()
                .rfind(|word| word.text("verdict") == "returned")
                .map_or("", |word| word.text("reason"))
                .to_owned(),
            entry: entry(record, &stand, &digest, words),
            digest,
            stand,
            school,
        });
    }
    twins(&mut all);
    Ok(all)
}

/// Two records of one cell, which devices that were apart may make: equal ones count once, different ones not.
fn twins(rows: &mut [OpeningRow]) {
    let mut cells: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let cell = (row.school.clone(), row.person.clone(), row.year, row.cell.clone());
        cells.entry(cell).or_default().push(at);
    }
    for mut of_cell in cells.into_values().filter(|of_cell| of_cell.len() > 1) {
        let amount = |at: &usize| rows.get(*at).map(|row| row.credits_c);
        let differ = of_cell
            .iter()
            .any(|at| amount(at) != of_cell.first().and_then(amount));
        // Of equal ones that which the county has confirmed counts, then the first by id.
        of_cell.sort_by_key(|at| rows.get(*at).map(|row| (row.entry.is_none(), row.id.clone())));
        for (place, at) in of_cell.into_iter().enumerate() {
            if let Some(row) = rows.get_mut(at) {
                row.disputed |= differ;
                row.again = !differ && place > 0;
            }
        }
    }
    for row in rows.iter_mut().filter(|row| row.disputed || row.again) {
        row.entry = None;
    }
}

/// What a confirmed balance puts before the rules: an entry of its own year, whose ground is the paper that the
/// county accepted.
fn entry(record: &Record, stand: &Stand, digest: &str, words: &[Row]) -> Option<Entry> {
    if stand.code != "confirmed" {
        return None;
    }
    let bound = words
        .iter()
        .filter(|word| word.text("verdict") == "approved" && word.text("binds") == digest);
    let word = bound.min_by(|a, b| a.id.cmp(&b.id))?;
    let year = SchoolYear(i32::try_from(record.int("year")).ok()?);
    let sub = record.text("sub");
    Some(Entry {
        id: record.id.clone(),
        category: record.text("category").to_owned(),
        sub: (!sub.is_empty()).then(|| sub.to_owned()),
        channel: record.text("channel").to_owned(),
        rule_ref: record.text("rule_ref").to_owned(),
        hours_c: record.int("hours_c"),
        credits_c: record.int("credits_c"),
        date: year.start()?,
        source: record.text("source").to_owned(),
        evidence: BTreeSet::from(["source_paper".to_owned()]),
        decision: word.id.clone(),
        decided_on: parse_stored_date(word.text("decided_on")).ok(),
        ..Entry::default()
    })
}

/// What a clerk entered for one cell of one person.
#[derive(Clone, Debug)]
pub struct OpeningInput {
    /// Record id of the person.
    pub person: String,
    /// Where in the table.
    pub cell: Cell,
    /// Credits in hundredths; `None`: the field is empty.
    pub credits_c: Option<i64>,
}

/// Brings the opening balances of one school year to what the page says; how many were new, changed or taken
/// back. A field that was emptied takes its balance back. An amount that nobody changed keeps its paper, unless the
/// county returned it, or `restate` says that the paper of all that is not confirmed was named wrongly.
#[allow(clippy::too_many_arguments)]
pub fn save_openings(
    node: &Node,
    by: &By,
    year: i32,
    source: &str,
    restate: bool,
    entered_on: &str,
    inputs: &[OpeningInput],
) -> Result<usize, Error> {
    let _turn = turn();
    let school = node.home_school().unwrap_or_default();
    own_school(node, &school)?;
    let this = year_of("entered_on", entered_on)?;
    if year > this {
        return Err(invalid(
            "year",
            "学年还没有开始，没有期初学分",
            "This school year has not begun",
        ));
    }
    let rules = rules_in_use(node);
    let records = node.records(&Filter::kind(KIND).school(&school))?;
    let known: HashMap<&str, &Record> = records.iter().map(|r| (r.id.as_str(), r)).collect();
    let standing = shown(node, records.clone())?;
    let persons: BTreeSet<String> = node
        .records(&Filter::kind("person").school(&school))?
        .into_iter()
        .map(|person| person.id)
        .collect();
    let document = format!("log/{school}/{this}");
    let (mut edits, mut changed) = (Edits::default(), 0);
    for input in inputs {
        let rows: Vec<&OpeningRow> = standing
            .iter()
            .filter(|row| row.person == input.person && row.year == year && row.cell == input.cell)
            .collect();
        let Some(credits_c) = input.credits_c else {
            for row in &rows {
                if let Some(record) = known.get(row.id.as_str()) {
                    let void = Draft::new(KIND)
                        .text("state", "void")
                        .text("state_reason", "清空");
                    void.change(node, record, by)?
                        .into_iter()
                        .for_each(|edit| edits.push(&record.doc, edit));
                }
            }
            changed += usize::from(!rows.is_empty());
            continue;
        };
        if !persons.contains(&input.person) {
            return Err(no_such("person", "教师", "teacher of this school"));
        }
        // Wide enough for any amount that the kind takes.
        let hours_c = i128::from(credits_c) * i128::from(rules.convert.hours_per_credit.0) / 100;
        let content = |source: &str| {
            Draft::new(KIND)
                .text("person", &input.person)
                .int("year", Some(year.into()))
                .text("rule_ref", &rules.reference())
                .text("category", &input.cell.category)
                .text("sub", &input.cell.sub)
                .text("channel", &input.cell.channel)
                .int("hours_c", i64::try_from(hours_c).ok())
                .int("credits_c", Some(credits_c))
                .text("source", source)
        };
        let mut touched = false;
        for row in &rows {
            let restated = match row.stand.code.as_str() {
                "confirmed" => false,
                "returned" => true,
                _ => restate,
            };
            if row.credits_c == credits_c && !row.disputed && !restated {
                continue;
            }
            let paper = if source.trim().is_empty() {
                &row.source
            } else {
                source
            };
            let Some(record) = known.get(row.id.as_str()) else {
                continue;
            };
            if let Some(edit) = content(paper).change(node, record, by)? {
                edits.push(&record.doc, edit);
                touched = true;
            }
        }
        if rows.is_empty() {
            let new = content(source)
                .text("entered_on", entered_on)
                .text("state", "entered");
            edits.push(&document, new.create(node, node.new_id(), by)?);
            touched = true;
        }
        changed += usize::from(touched);
    }
    edits.commit(node)?;
    Ok(changed)
}

/// The balances that wait for the county's word: of other schools than the auditor's own, by school, year, person.
pub fn opening_queue(node: &Node) -> Result<Vec<OpeningRow>, Error> {
    if !node.is_auditor() {
        return Ok(Vec::new());
    }
    let home = node.home_school();
    let mut waiting = openings(node, None)?;
    waiting.retain(|row| row.stand.code == "entered" && home.as_deref() != Some(&row.school));
    waiting.sort_by(|a, b| {
        let place = |row: &OpeningRow| {
            (
                row.school_name.clone(),
                row.school.clone(),
                row.year,
                row.person_name.clone(),
            )
        };
        (place(a), &a.cell, &a.id).cmp(&(place(b), &b.cell, &b.id))
    });
    Ok(waiting)
}

/// The county confirms (`approved`) or returns (`returned`, with a reason) several balances, each named with the
/// digest of what the auditor saw. Those that have changed since, or cannot be decided, come back with the reason;
/// the others are decided.
pub fn decide_openings(
    node: &Node,
    by: &By,
    chosen: &[(String, String)],
    verdict: &str,
    reason: &str,
    decided_on: &str,
) -> Result<(usize, Vec<(String, records::FieldError)>), Error> {
    if !node.is_auditor() {
        return Err(invalid(
            "verdict",
            "只有县级审核员才能核准",
            "Only a county auditor may decide",
        ));
    }
    if verdict == "returned" && reason.trim().is_empty() {
        return Err(invalid("reason", "请写明理由", "Give a reason"));
    }
    let _turn = turn();
    let queue = opening_queue(node)?;
    let wanted: Vec<&str> = chosen.iter().map(|(id, _)| id.as_str()).collect();
    let documents: HashMap<String, String> = rows(node, KIND, Pick::Id, &wanted)?
        .into_iter()
        .map(|row| (row.id, row.doc))
        .collect();
    let own_person = own_person(node, by)?;
    let (mut edits, mut decided, mut left) = (Edits::default(), 0, Vec::new());
    for (id, seen) in chosen {
        let row = queue.iter().find(|row| row.id == *id);
        let against = match row {
            None => Some(("已经办过，或本机没有这条", "decided already, or not here")),
            Some(row) if row.digest != *seen => {
                Some(("学校刚改过，请再看一遍", "changed meanwhile; look again"))
            }
            Some(row) if own_person.as_ref() == Some(&row.person) => {
                Some(("不能审核本人的期初学分", "nobody decides on the own balance"))
            }
            Some(row) if row.disputed && verdict == "approved" => {
                Some(("待核：有两种说法，可以退回", "two versions; you can return it"))
            }
            Some(row) if row.again && verdict == "approved" => Some((
                "重复：同一格已有一条",
                "another record of this cell says the same",
            )),
            Some(_) => None,
        };
        let (Some(row), Some(document), None) = (row, documents.get(id), against) else {
            let (zh, en) = against.unwrap_or(("本机没有这条", "not here"));
            let name = row.map_or("", |row| row.person_name.as_str()).to_owned();
            left.push((name, fault("opening", zh, en)));
            continue;
        };
        let word = Draft::new(WORD)
            .text("about", id)
            .text("verdict", verdict)
            .text("reason", reason)
            .text("decided_on", decided_on)
            .text("binds", &row.digest);
        edits.push(
            &document.replacen("log/", "ledger/", 1),
            word.create(node, node.new_id(), by)?,
        );
        decided += 1;
    }
    edits.commit(node)?;
    Ok((decided, left))
}

/// A column of the page on which balances are entered.
#[derive(Clone, Debug)]
pub struct OpeningColumn {
    /// Where in the table.
    pub cell: Cell,
    /// Channel and category, in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
}

/// The table of the rule set in use, and the school years of its cycle that have begun by `today`, newest first.
pub fn opening_table(node: &Node, today: records::Date) -> (Vec<OpeningColumn>, Vec<SchoolYear>) {
    let rules = rules_in_use(node);
    let mut columns = Vec::new();
    for channel in &rules.channels {
        for category in &rules.categories {
            let mut column = |sub: &str, zh: &str, en: &str| {
                columns.push(OpeningColumn {
                    cell: Cell {
                        category: category.id.clone(),
                        sub: sub.to_owned(),
                        channel: channel.id.clone(),
                    },
                    zh: format!("{} · {zh}", channel.zh),
                    en: format!("{} · {en}", channel.en),
                });
            };
            if category.subs.is_empty() {
                column("", &category.zh, &category.en);
            }
            for sub in &category.subs {
                column(&sub.id, &sub.zh, &sub.en);
            }
        }
    }
    let this = SchoolYear::of(today).0;
    let period = rules.period(
        &PersonFacts::default(),
        &When {
            on: Some(today),
            ..When::default()
        },
    );
    let first = period.map_or(this - 1, |period| SchoolYear::of(period.first).0);
    // A cycle that is only beginning has no earlier year; its first is then the present one.
    let years = (first.min(this)..=this).rev().map(SchoolYear).collect();
    (columns, years)
}
