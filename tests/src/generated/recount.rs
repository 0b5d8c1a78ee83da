//! A county's totals counted again from what its documents say: stored changes are given to Automerge, and the maps in
//! it are read as they are. No view, no SQL but that which fetches the changes, and none of the office's code.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ROOT, ReadDoc, ScalarValue};
use node::Node;
use store::changes;

/// A record: its document, its id and its fields as text.
#[derive(Clone, Debug)]
pub struct Said {
    /// Key of the document.
    pub doc: String,
    /// Record id.
    pub id: String,
    fields: BTreeMap<String, String>,
}

impl Said {
    /// A field, or "".
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }

    /// A field as a number, or zero.
    pub fn int(&self, field: &str) -> i64 {
        self.text(field).parse().unwrap_or(0)
    }

    /// A part of the document's key.
    pub fn of(&self, segment: usize) -> &str {
        self.doc.split('/').nth(segment).unwrap_or("")
    }
}

/// All that the documents of a node say, by kind.
pub struct Documents(BTreeMap<String, Vec<Said>>);

impl Documents {
    /// Reads them from the changes that a node has stored.
    pub fn read(node: &Node) -> Documents {
        let mut all: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        for document in node.read(changes::documents).expect("documents") {
            let rows = node
                .read(|conn| changes::rows(conn, document.id))
                .expect("changes");
            let parsed = rows.into_iter().map(|row| {
                let change = sync::Change::from_body(row.body).expect("a change");
                Change::from_bytes(change.to_chunk()).expect("a change")
            });
            let mut doc = Automerge::new();
            doc.apply_changes(parsed.collect::<Vec<_>>()).expect("applied");
            for id in doc.keys(ROOT).collect::<Vec<_>>() {
                let (_, map) = doc.get(ROOT, &id).expect("read").expect("a record");
                let mut fields = BTreeMap::new();
                for field in doc.keys(&map).collect::<Vec<_>>() {
                    let said = doc.get_all(&map, &field).expect("read");
                    assert_eq!(said.len(), 1, "nobody says two things in a generated county");
                    let text = match said[0].0.as_scalar() {
                        Some(ScalarValue::Str(text)) => text.to_string(),
                        Some(ScalarValue::Int(number)) => number.to_string(),
                        Some(ScalarValue::Boolean(flag)) => flag.to_string(),
                        Some(ScalarValue::Null) => continue,
                        other => panic!("{other:?} in {}", document.key),
                    };
                    fields.insert(field, text);
                }
                let kind = fields["_kind"].split('/').next().unwrap_or_default().to_owned();
                let doc = document.key.to_string();
                all.entry(kind).or_default().push(Said { doc, id, fields });
            }
        }
        Documents(all)
    }

    /// The records of a kind.
    pub fn of(&self, kind: &str) -> &[Said] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a school has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfSchool {
    /// Persons in service.
    pub teachers: u64,
    /// Sessions.
    pub sessions: u64,
    /// Attendance marks of any status.
    pub attendances: u64,
    /// Claims without a decision.
    pub open: u64,
    /// Claims with one.
    pub decided: u64,
    /// 人次 of the school's own sessions: present, late or left early.
    pub attended: i64,
    /// Class-hours of these, in hundredths.
    pub person_hours_c: i64,
    /// 人次 of trainings outside the school.
    pub outside: i64,
}

/// 人次 of a training: how often it was held, and who took part.
pub type Trainings = BTreeMap<String, (i64, i64)>;

impl Documents {
    /// Schools by name: kinds of organisation that keep records of teachers.
    pub fn schools(&self) -> BTreeMap<String, OfSchool> {
        let mut all = BTreeMap::new();
        for school in self
            .of("organisation")
            .iter()
            .filter(|o| o.text("org_kind") != "area")
        {
            all.insert(school.text("name").to_owned(), self.school(&school.id));
        }
        all
    }

    fn school(&self, school: &str) -> OfSchool {
        let own = |kind: &str| {
            self.of(kind)
                .iter()
                .filter(|said| said.of(1) == school)
                .collect::<Vec<_>>()
        };
        let decisions = own("decision");
        let decided: BTreeSet<&str> = decisions.iter().map(|said| said.text("claim")).collect();
        let claims = own("claim");
        let sessions = own("session");
        let marks = own("attendance");
        let mut of = OfSchool {
            teachers: own("person")
                .iter()
                .filter(|p| in_service(p.text("status")))
                .count() as u64,
            sessions: sessions.len() as u64,
            attendances: marks.len() as u64,
            open: claims
                .iter()
                .filter(|claim| !decided.contains(claim.id.as_str()))
                .count() as u64,
            decided: decided.len() as u64,
            ..OfSchool::default()
        };
        let by_id: BTreeMap<&str, &Said> = sessions.iter().map(|said| (said.id.as_str(), *said)).collect();
        for mark in marks.iter().filter(|mark| took_part(mark)) {
            let session = by_id[mark.text("session")];
            match session.text("organiser") {
                "" => {
                    of.attended += 1;
                    of.person_hours_c += session.int("hours_c");
                }
                _ => of.outside += 1,
            }
        }
        of
    }

    /// Trainings outside the schools, by project.
    pub fn trainings(&self) -> Trainings {
        let sessions: BTreeMap<(&str, &str), &Said> = self
            .of("session")
            .iter()
            .map(|said| ((said.of(1), said.id.as_str()), said))
            .collect();
        let mut held: BTreeMap<&str, (BTreeSet<&str>, i64)> = BTreeMap::new();
        for mark in self.of("attendance").iter().filter(|mark| took_part(mark)) {
            let session = sessions[&(mark.of(1), mark.text("session"))];
            if !session.text("organiser").is_empty() {
                let of = held.entry(session.text("project")).or_default();
                of.0.insert(session.text("date"));
                of.1 += 1;
            }
        }
        held.into_iter()
            .map(|(project, (days, marks))| (project.to_owned(), (days.len() as i64, marks)))
            .collect()
    }

    /// Class-hours and credits (hundredths) that decisions give to each person, by school and person.
    pub fn given(&self) -> BTreeMap<(String, String), (i64, i64)> {
        let claims: BTreeMap<&str, &Said> = self
            .of("claim")
            .iter()
            .map(|said| (said.id.as_str(), said))
            .collect();
        let mut all: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
        for decision in self.of("decision") {
            let claim = claims[decision.text("claim")];
            let of = all
                .entry((claim.of(1).to_owned(), claim.text("person").to_owned()))
                .or_default();
            of.0 += decision.int("hours_c");
            of.1 += decision.int("credits_c");
        }
        all
    }
}

fn took_part(mark: &Said) -> bool {
    matches!(mark.text("status"), "present" | "late" | "left_early")
}

fn in_service(status: &str) -> bool {
    !matches!(status, "retired" | "left" | "transferred" | "void")
}
