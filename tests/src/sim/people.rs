//! What people do: sessions, marks, claims, edits, decisions; and when machines meet.

use node::office::{self, SessionInput};
use node::{Edit, Error, Filter, Node, Value};
use store::rusqlite::params;

use super::config::{DAY, MENTORS, Reach, SCHOOLS};
use super::county::Post;
use super::world::{What, World};
use crate::{auditor, clerk};

const TITLES: [&str; 6] = [
    "听评课：分数的意义",
    "集体备课",
    "读书交流",
    "课例研讨",
    "教学反思",
    "专题讲座",
];

const DATES: [&str; 4] = ["2025-11-17", "2025-11-18", "2025-10-09", "2025-09-30"];

impl World {
    /// Spreads a machine's uses and contacts over what is left of the week.
    pub fn plan_machine(&mut self, m: usize) {
        let left = (self.config.days * DAY).saturating_sub(self.now);
        for _ in 0..self.config.uses * left / (self.config.days * DAY) {
            let wait = self.rng.below(left);
            self.after(wait, What::Use(m));
        }
        let hub = match self.machines[m].post {
            Post::Hub => None,
            Post::Mentor(_) => Some(40),
            Post::School(s) => match self.config.reach[s] {
                Reach::Often => Some(20),
                Reach::Daily => Some(36),
                Reach::Rarely => Some(90),
                Reach::Carried => None,
            },
        };
        if let Some(hours) = hub {
            self.plan_contacts(m, hours, |_, _| 0);
        }
        match self.machines[m].post {
            Post::Mentor(_) => self.plan_contacts(m, 26, |world, _| world.some_school()),
            Post::School(_) => self.plan_contacts(m, 60, |world, m| world.neighbour(m)),
            Post::Hub => {}
        }
    }

    fn plan_contacts(&mut self, m: usize, hours: u64, with: impl Fn(&mut World, usize) -> usize) {
        let end = self.config.days * DAY;
        let mut time = self.now;
        loop {
            time += self.rng.wait(hours * 3_600_000);
            if time >= end {
                return;
            }
            let other = with(self, m);
            if other != m {
                let (a, b) = if self.rng.permille(500) && other != 0 {
                    (other, m)
                } else {
                    (m, other)
                };
                self.at(time, What::Dial(a, b));
            }
        }
    }

    fn some_school(&mut self) -> usize {
        self.rng.range(1, SCHOOLS as u64) as usize
    }

    /// Another PC of the same school, if there is one.
    fn neighbour(&mut self, m: usize) -> usize {
        let post = self.machines[m].post;
        let others: Vec<usize> = (0..self.machines.len())
            .filter(|o| *o != m && self.machines[*o].post == post)
            .collect();
        self.rng.pick(&others).copied().unwrap_or(m)
    }

    /// A person sits down at a machine.
    pub fn use_machine(&mut self, m: usize) {
        let Some(node) = self.machines[m].node.clone() else {
            return;
        };
        self.tick(m);
        let result = match self.machines[m].post {
            Post::Hub => self.county_work(&node),
            Post::School(school) => self.school_work(&node, school),
            Post::Mentor(mentor) => self.mentor_work(&node, mentor % MENTORS),
        };
        drop(node);
        match result {
            Ok(()) => {
                self.count("uses");
                self.look(m);
            }
            // A person is told what is wrong; nothing was written.
            Err(
                Error::Invalid(_)
                | Error::NotEnrolled
                | Error::Revoked
                | Error::NotTheWriter(_)
                | Error::HasRole(_),
            ) => self.count("uses refused"),
            Err(error) => self.excuse(m, "use", &error),
        }
        self.after_work(m);
    }

    fn school_work(&mut self, node: &Node, school: usize) -> Result<(), Error> {
        let school_id = self.county.schools[school].clone();
        let sessions = node.records(&Filter::kind("session").school(&school_id))?;
        let known = self.rng.pick(&sessions).cloned();
        let edit = self.rng.permille(self.config.edits);
        let Some(session) = known.filter(|_| edit) else {
            let title = format!("{}{}", TITLES[self.rng.below(6) as usize], self.rng.below(1000));
            let date = DATES[self.rng.below(4) as usize];
            office::save_session(node, &clerk(), &school_id, None, input(&title, date))?;
            return Ok(());
        };
        match self.rng.below(5) {
            // One field of a record that somebody else may be changing.
            0 | 1 => {
                let field = ["title", "theme", "place"][self.rng.below(3) as usize];
                let value = format!("改{}", self.rng.below(1000));
                let edit = Edit {
                    id: session.id.clone(),
                    fields: vec![(field.into(), Some(Value::from(value.as_str())))],
                };
                node.commit(&session.doc, vec![edit])
            }
            2 => {
                let status = ["present", "absent", "leave"];
                let marks: Vec<(String, String)> = self.county.clone().teachers[school]
                    .iter()
                    .map(|t| (t.clone(), status[self.rng.below(3) as usize].to_string()))
                    .collect();
                office::mark_attendance(node, &clerk(), &session.id, &marks).map(drop)
            }
            3 => office::end_session(node, &clerk(), &session.id),
            _ => office::register_claims(node, &clerk(), &session.id, "2025-11-20").map(drop),
        }
    }

    /// A school takes in a table: several pieces on the wire.
    pub fn import(&mut self, m: usize) {
        let Post::School(school) = self.machines[m].post else {
            return;
        };
        let Some(node) = self.machines[m].node.clone() else {
            return;
        };
        self.tick(m);
        self.count("imports");
        let document = format!("log/{}/2025", self.county.schools[school]);
        let edits = (0..self.rng.range(40, 160)).map(|_| {
            let mut text = String::new();
            for _ in 0..60 {
                text.push(char::from_u32(0x4e00 + self.rng.below(6000) as u32).unwrap_or('研'));
            }
            Edit {
                id: node.new_id(),
                fields: vec![
                    ("_kind".into(), Some(Value::from("note/1"))),
                    ("text".into(), Some(Value::from(text.as_str()))),
                ],
            }
        });
        // One change each, as a person types them.
        for edit in edits.collect::<Vec<_>>() {
            match node.commit(&document, vec![edit]) {
                Ok(()) => self.look(m),
                Err(Error::NotEnrolled | Error::Revoked | Error::NotTheWriter(_)) => break,
                Err(error) => {
                    self.excuse(m, "import", &error);
                    break;
                }
            }
        }
        drop(node);
        self.after_work(m);
    }

    fn county_work(&mut self, node: &Node) -> Result<(), Error> {
        let queue = office::audit_queue(node, 20)?;
        let Some(claim) = self.rng.pick(&queue) else {
            let id = node.new_id();
            let text = format!("通知{}", self.rng.below(1000));
            let fields = vec![
                ("_kind".into(), Some(Value::from("circular/1"))),
                ("title".into(), Some(Value::from(text.as_str()))),
            ];
            return node.commit("plan/2025", vec![Edit { id, fields }]);
        };
        office::decide(
            node,
            &auditor(),
            &claim.id,
            "recognised",
            None,
            "",
            "",
            "2025-11-21",
        )
    }

    fn mentor_work(&mut self, node: &Node, mentor: usize) -> Result<(), Error> {
        let school = self.rng.below(SCHOOLS as u64) as usize;
        let document = format!("visits/m{mentor}/{}/2025", self.county.schools[school]);
        let text = format!("听课记录{}", self.rng.below(1000));
        let fields = vec![
            ("_kind".into(), Some(Value::from("visit/1"))),
            ("title".into(), Some(Value::from(text.as_str()))),
        ];
        node.commit(
            &document,
            vec![Edit {
                id: node.new_id(),
                fields,
            }],
        )
    }

    /// Looks what a node has committed since the last look: that much its people were told is saved.
    pub fn look(&mut self, m: usize) {
        let Some(node) = self.machines[m].node.clone() else {
            return;
        };
        let after = self.machines[m].looked_at;
        let new = node.read(|c| {
            // With the records whose values stand in the change.
            let mut statement = c.prepare_cached(
                "SELECT c.seq, d.key, c.hash, (SELECT group_concat(r.id) FROM record r
                     WHERE r.doc = c.doc AND instr(r.parts, c.actor || unhex(printf('%016X', c.actor_seq))))
                 FROM change c JOIN document d ON d.id = c.doc
                 WHERE c.seq > ? AND c.from_peer IS NULL ORDER BY c.seq",
            )?;
            let rows = statement.query_map(params![after as i64], |r| {
                let ids: Option<String> = r.get(3)?;
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, ids.unwrap_or_default()))
            })?;
            Ok(rows.collect::<Result<Vec<(i64, String, [u8; 32], String)>, _>>()?)
        });
        match new {
            Ok(new) => {
                for (seq, document, hash, ids) in new {
                    self.machines[m].looked_at = seq as u64;
                    self.note(b's', m, m, &hash);
                    self.count("changes saved");
                    let saved = (document.clone(), hash);
                    for id in ids.split(',').filter(|id| !id.is_empty()) {
                        self.made_by.entry(id.to_string()).or_insert((m, saved.clone()));
                    }
                    self.lost.remove(&saved);
                    self.ever_saved.insert(saved, m);
                    self.machines[m].saved.push((document, hash));
                }
            }
            Err(error) => self.excuse(m, "look", &error),
        }
    }
}

fn input(title: &str, date: &str) -> SessionInput {
    SessionInput {
        title: title.into(),
        theme: "读懂学生的错误".into(),
        date: date.into(),
        place: "多媒体教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 400,
        lecturers: "教研组".into(),
        ..SessionInput::default()
    }
}
