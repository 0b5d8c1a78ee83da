//! The office against real nodes: a county, its schools with one or two devices each, and changes
//! carried between them by hand.

mod claims;
mod credit_statements;
mod entries;
mod facts;
mod once;
mod per_school;
mod roster;
mod scale;
mod sessions;
mod signatures;
mod visits;

use store::{admitting, peers};
use sync::DocKey;
use sync::admission::Offered;
use tempfile::TempDir;

use super::*;
use crate::{Role, enrol};

/// A county's hub and a place for further nodes.
struct World {
    dir: TempDir,
    hub: Node,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let hub = Node::init_county(&dir.path().join("hub"), "云溪县").unwrap();
        World { dir, hub }
    }

    /// Registers a school at the county; its record id.
    fn school(&self, name: &str) -> String {
        let input = OrganisationInput {
            name: name.into(),
            org_kind: "primary_school".into(),
            rural: "village".into(),
            ..OrganisationInput::default()
        };
        assert_eq!(
            save_organisations(&self.hub, &by(), vec![(None, input)]).unwrap(),
            1
        );
        let all = organisations(&self.hub).unwrap();
        all.into_iter().find(|o| o.name == name).unwrap().id
    }

    /// Enrols a device with one role.
    fn device(&self, label: &str, role: Role, scope: &str) -> Node {
        let node = Node::init_member(&self.dir.path().join(label), label).unwrap();
        let (id, _) = enrol::read_request(&enrol::request_code(&node)).unwrap();
        let answer = enrol::approve(&self.hub, &id, label, &[(role, scope.into())]).unwrap();
        enrol::accept(&node, &answer.text).unwrap();
        enrol::confirm(&node).unwrap();
        carry(&self.hub, &node);
        node
    }

    /// A school with one device and three teachers on its roster.
    fn school_with_teachers(&self) -> School {
        let id = self.school("石桥小学");
        let node = self.device("石桥小学 办公室", Role::School, &id);
        let persons = ["王𬭊", "㙇伟", "欧阳若兰"]
            .map(|name| save_teacher(&node, &by(), &id, None, teacher_named(name)).unwrap());
        School { id, node, persons }
    }
}

struct School {
    id: String,
    node: Node,
    persons: [String; 3],
}

impl School {
    /// A session in which all three were present, ended.
    fn ended_session(&self) -> String {
        let session = save_session(&self.node, &by(), &self.id, None, a_session()).unwrap();
        self.mark(&self.node, &session, ["present"; 3]);
        end_session(&self.node, &by(), &session).unwrap();
        session
    }

    fn mark(&self, node: &Node, session: &str, statuses: [&str; 3]) -> usize {
        let marks: Vec<(String, String)> = self
            .persons
            .iter()
            .cloned()
            .zip(statuses.map(str::to_owned))
            .collect();
        mark_attendance(node, &by(), session, &marks).unwrap()
    }
}

/// The day on which the county decides.
const ON: &str = "2025-10-20";

fn auditor() -> By {
    By {
        account: "周审核员".into(),
    }
}

fn recognise(node: &Node, claim: &str) -> Result<(), Error> {
    decide(node, &auditor(), claim, "recognised", None, "", "", ON)
}

fn total_c(node: &Node, person: &str) -> i64 {
    credit_card(node, person).unwrap().unwrap().card.total_c
}

fn by() -> By {
    By {
        account: "李专管员".into(),
    }
}

fn teacher_named(name: &str) -> TeacherInput {
    TeacherInput {
        name: name.into(),
        sex: "2".into(),
        birth_year: Some(1988),
        status: "serving".into(),
        post: "teacher".into(),
        title: "first".into(),
        subject: "语文".into(),
        stage: "primary".into(),
        teaching_from: Some(2010),
        from: "2025-09-01".into(),
        ..TeacherInput::default()
    }
}

/// 1.5 class-hours of school-based practice.
fn a_session() -> SessionInput {
    SessionInput {
        title: "第３次研课磨课".into(),
        date: "2025-10-15".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 150,
        minutes: Some(70),
        ..SessionInput::default()
    }
}

/// Brings everything that `to` may read from one node to another, as a session would.
fn carry(from: &Node, to: &Node) {
    to.add_statements(from.roll().statements().cloned().collect())
        .unwrap();
    let rows: Vec<(String, Vec<u8>, Option<Vec<u8>>)> = from
        .read(|conn| {
            let mut query = conn.prepare(
                "SELECT d.key, c.body, c.tip FROM change c JOIN document d ON d.id = c.doc ORDER BY c.seq",
            )?;
            let rows = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.map(Result::unwrap).collect())
        })
        .unwrap();
    let roll = to.roll();
    let offered: Vec<Offered> = rows
        .into_iter()
        .map(|(key, body, tip)| Offered {
            document: DocKey::parse(&key).unwrap(),
            body,
            tip: tip.map(|tip| tip.try_into().unwrap()),
        })
        .filter(|offer| to.may_read(&roll, &to.id(), &offer.document))
        .collect();
    let policy = crate::document_policy();
    let taken = to
        .store()
        .write(|tx| admitting::take(tx, &policy, &roll, &offered, Some(&from.id()), 0))
        .unwrap();
    assert_eq!(taken.verdicts, []);
    to.refresh_views().unwrap();
    // The receipt goes back, as it would in the same session.
    from.store()
        .write(|tx| {
            peers::met(tx, &to.id(), &to.store_id(), b"", None, 0)?;
            peers::keep_receipts(tx, &to.id(), &to.store_id(), &taken.receipts, 0)
        })
        .unwrap();
}

/// Both ways, so that both have everything.
fn meet(a: &Node, b: &Node) {
    carry(a, b);
    carry(b, a);
}

/// The fields that a refused form names.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result {
        Err(Error::Invalid(faults)) => {
            assert!(
                faults
                    .iter()
                    .all(|fault| !fault.zh.is_empty() && !fault.en.is_empty())
            );
            faults.into_iter().map(|fault| fault.field).collect()
        }
        other => panic!("not refused as invalid: {other:?}"),
    }
}

fn changes_of(node: &Node) -> i64 {
    node.read(|conn| Ok(conn.query_row("SELECT COUNT(*) FROM change", (), |row| row.get(0))?))
        .unwrap()
}
