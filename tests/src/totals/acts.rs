//! What people do at their computers, drawn at random: each act is one of the office's, with its own checks. What the
//! office refuses is no act.

use std::collections::BTreeMap;

use node::office::{self, By, Cell, ClaimState, Matter, OpeningInput, SessionInput, TeacherInput};
use node::{Error, Filter, Node, Record};
use records::kinds::Actor;

use crate::second_version::second_version;
use crate::sim::rng::Rng;
use crate::{enter, session_input, step};

use super::town::Device;

/// How often what was done, and what the office refused.
pub type Counts = BTreeMap<String, u64>;

/// Few of each, so that different people often say something about the same.
const TITLES: [&str; 7] = [
    "送教下乡：分数的意义",
    "送教下乡《分数的意义》诊断示范",
    "集体备课：第３单元",
    "师德专题",
    "错题怎样变成资源",
    "《荷塘月色》同课异构",
    "期中质量分析",
];
const DATES: [&str; 6] = [
    "2025-10-16",
    "2025-10-16",
    "2025-10-23",
    "2025-11-06",
    "2025-12-04",
    "2024-11-07",
];
const TIMES: [[&str; 2]; 5] = [
    ["", ""],
    ["", ""],
    ["08:30", "11:30"],
    ["10:00", "12:00"],
    ["14:00", "17:00"],
];
const STATUSES: [&str; 5] = ["present", "present", "present", "late", "absent"];
const DAYS: [&str; 4] = ["2025-11-20", "2025-11-21", "2025-12-01", "2026-01-10"];

/// The school years in which something happens.
pub const YEARS: [i32; 2] = [2024, 2025];

fn one<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    *rng.pick(of).expect("something to choose from")
}

/// Somebody who acts at a device.
pub struct Person<'a> {
    device: &'a Device,
    by: By,
    rng: &'a mut Rng,
}

impl<'a> Person<'a> {
    /// Whoever sits at this device.
    pub fn at(device: &'a Device, account: &str, rng: &'a mut Rng) -> Person<'a> {
        let by = By {
            account: account.to_owned(),
        };
        Person { device, by, rng }
    }

    fn node(&self) -> &'a Node {
        self.device.node()
    }

    fn day(&mut self) -> &'static str {
        one(self.rng, &DAYS)
    }

    fn some(&mut self, kind: &str) -> Option<Record> {
        let mut all = self.node().records(&Filter::kind(kind)).expect("records");
        all.sort_by(|a, b| a.id.cmp(&b.id));
        self.rng.pick(&all).cloned()
    }

    /// Does something, as often as it takes until the office agrees to one thing.
    pub fn act(&mut self, counts: &mut Counts) {
        for _ in 0..12 {
            let (name, done) = match self.node().home_school() {
                Some(school) => self.school(&school),
                None => self.county(),
            };
            match done {
                Ok(true) => {
                    *counts.entry(name.to_owned()).or_default() += 1;
                    return;
                }
                Ok(false) => {}
                Err(Error::Invalid(_)) => *counts.entry("refused".into()).or_default() += 1,
                Err(error) => panic!("{name}: {error} ({error:?})"),
            }
        }
    }

    fn school(&mut self, school: &str) -> (&'static str, Result<bool, Error>) {
        let session = |person: &mut Self| {
            let mut all = person
                .node()
                .records(&Filter::kind("session").school(school))
                .expect("sessions");
            all.sort_by(|a, b| a.id.cmp(&b.id));
            // Mostly of the first few, so that two devices often write about one.
            all.truncate(if person.rng.permille(700) { 3 } else { all.len() });
            person.rng.pick(&all).map(|record| record.id.clone())
        };
        let node = self.node();
        match self.rng.below(24) {
            0..=2 => ("session with marks and claims", self.hold(school)),
            3 => {
                let input = self.input();
                let saved = office::save_session(node, &self.by, school, None, input);
                ("session", saved.map(|_| true))
            }
            4..=7 => {
                let Some(id) = session(self) else {
                    return ("edit", Ok(false));
                };
                let input = self.input();
                let saved = office::save_session(node, &self.by, school, Some(&id), input);
                ("session edited", saved.map(|_| true))
            }
            8..=10 => match session(self) {
                Some(id) => {
                    let marks = self.marks(school);
                    let marked = office::mark_attendance(node, &self.by, &id, &marks);
                    ("marks", marked.map(|changed| changed > 0))
                }
                None => ("marks", Ok(false)),
            },
            11 => match session(self) {
                Some(id) => (
                    "session ended",
                    office::end_session(node, &self.by, &id).map(|()| true),
                ),
                None => ("session ended", Ok(false)),
            },
            12..=13 => match session(self) {
                Some(id) => {
                    let day = self.day();
                    let made = office::register_claims(node, &self.by, &id, day);
                    ("claims", made.map(|changed| changed > 0))
                }
                None => ("claims", Ok(false)),
            },
            14 => match session(self) {
                Some(id) if self.rng.permille(600) => {
                    let done = office::void_session(node, &self.by, &id, "登记有误");
                    ("session void", done.map(|()| true))
                }
                Some(id) => {
                    let to = "held";
                    let done =
                        office::take_step(node, &self.by, Actor::Clerk, "session", &id, to, "核实后恢复");
                    ("session restored", done.map(|()| true))
                }
                None => ("session void", Ok(false)),
            },
            15..=16 => ("openings", self.openings(school)),
            17 => ("roster", self.roster(school)),
            18..=20 => ("transfer answered", self.answer_transfer()),
            _ => self.settle(),
        }
    }

    fn county(&mut self) -> (&'static str, Result<bool, Error>) {
        match self.rng.below(32) {
            0..=15 => self.decide(),
            16..=19 => ("openings decided", self.decide_openings()),
            20..=22 => self.settle(),
            23..=24 => ("same person", self.same_person()),
            25..=28 => ("transfer", self.transfer()),
            29 => ("year closed", self.close_year()),
            30 => ("year corrected", self.correct()),
            _ => ("rules published", self.publish()),
        }
    }

    fn input(&mut self) -> SessionInput {
        let [begins, ends] = one(self.rng, &TIMES);
        let (category, sub) = one(
            self.rng,
            &[
                ("practice", ""),
                ("practice", ""),
                ("ethics_literacy", "ethics"),
                ("knowledge_skill", ""),
            ],
        );
        SessionInput {
            begins: begins.into(),
            ends: ends.into(),
            category: category.into(),
            sub: sub.into(),
            channel: one(self.rng, &["school", "school", "district"]).into(),
            hours_c: one(self.rng, &[400, 400, 600, 800]),
            ..session_input(one(self.rng, &TITLES), one(self.rng, &DATES))
        }
    }

    fn people(&self, school: &str) -> Vec<String> {
        let roster = office::roster(self.node(), school).expect("a roster");
        roster.into_iter().map(|teacher| teacher.id).collect()
    }

    fn marks(&mut self, school: &str) -> Vec<(String, String)> {
        let mut people = self.people(school);
        people.retain(|_| self.rng.permille(700));
        let status = |person| (person, one(self.rng, &STATUSES).to_owned());
        people.into_iter().map(status).collect()
    }

    fn hold(&mut self, school: &str) -> Result<bool, Error> {
        let (node, input, day) = (self.node(), self.input(), self.day());
        let id = office::save_session(node, &self.by, school, None, input)?;
        let mut marks = self.marks(school);
        if let Some(first) = self.people(school).into_iter().next() {
            marks.push((first, "present".into()));
        }
        office::mark_attendance(node, &self.by, &id, &marks)?;
        office::end_session(node, &self.by, &id)?;
        office::register_claims(node, &self.by, &id, day)?;
        Ok(true)
    }

    fn openings(&mut self, school: &str) -> Result<bool, Error> {
        let people = self.people(school);
        let inputs: Vec<OpeningInput> = (0..self.rng.range(1, 3))
            .filter_map(|_| {
                let (category, sub) = one(self.rng, &[("practice", ""), ("ethics_literacy", "ethics")]);
                Some(OpeningInput {
                    person: self.rng.pick(&people)?.clone(),
                    cell: Cell {
                        category: category.into(),
                        sub: sub.into(),
                        channel: "school".into(),
                    },
                    credits_c: one(self.rng, &[Some(200), Some(200), Some(200), Some(150), None]),
                })
            })
            .collect();
        let year = one(self.rng, &YEARS);
        let restate = self.rng.permille(300);
        let source = one(self.rng, &["２０２４年学分登记册", "学分卡原件"]);
        let saved = office::save_openings(
            self.node(),
            &self.by,
            year,
            source,
            restate,
            "2025-10-08",
            &inputs,
        )?;
        Ok(saved > 0)
    }

    fn roster(&mut self, school: &str) -> Result<bool, Error> {
        let roster = office::roster(self.node(), school)?;
        let Some(teacher) = self.rng.pick(&roster).cloned() else {
            return Ok(false);
        };
        let input = TeacherInput {
            teacher_code: teacher.teacher_code,
            name: teacher.name,
            sex: teacher.sex,
            birth_year: teacher.birth_year,
            status: one(self.rng, &["serving", "serving", "sick"]).into(),
            post: one(self.rng, &["teacher", "dean"]).into(),
            title: one(self.rng, &["first", "second"]).into(),
            subject: "语文".into(),
            stage: teacher.stage,
            homeroom: self.rng.permille(500),
            from: one(self.rng, &["2025-09-01", "2026-02-20"]).into(),
            ..TeacherInput::default()
        };
        office::save_teacher(self.node(), &self.by, school, Some(&teacher.id), input).map(|_| true)
    }

    fn settle(&mut self) -> (&'static str, Result<bool, Error>) {
        let node = self.node();
        let mut open = office::open_conflicts(node).expect("conflicts");
        open.retain(|found| found.settled_here(node));
        let Some(found) = self.rng.pick(&open) else {
            return ("settlement", Ok(false));
        };
        let conflict = office::conflict(node, found).expect("a conflict");
        let Some(choice) = self.rng.pick(&conflict.choices) else {
            return ("settlement", Ok(false));
        };
        let (name, day) = (found.name(), self.day());
        let done = office::settle(node, &self.by, &name, &choice.value, "问过本人", day);
        let what = match (found.matter, node.is_auditor()) {
            (Matter::Mark, _) => "settlement of marks",
            (Matter::Value, _) => "settlement of values",
            (Matter::Duplicate, _) => "settlement of a session entered twice",
            (Matter::Overlap, false) => "settlement of two at one time, by the school",
            (Matter::Overlap, true) => "settlement of two at one time, by the county",
            (Matter::Claims, _) => "settlement of two claims",
            (Matter::Decision, _) => "settlement of decisions",
            (Matter::Signature | Matter::Groups, _) => "settlement",
        };
        (what, done.map(|_| true))
    }

    fn decide(&mut self) -> (&'static str, Result<bool, Error>) {
        let (node, day) = (self.node(), self.day());
        // Also what has its decision already: it is renewed.
        let claims = match self.rng.permille(850) {
            true => office::audit_queue(node, 100),
            false => office::claims(node, None, 100),
        };
        let claims = claims.expect("claims");
        let Some(claim) = self.rng.pick(&claims) else {
            return ("decision", Ok(false));
        };
        let (name, verdict, credits_c, reason) = match self.rng.below(10) {
            0..=5 => ("recognised", "recognised", None, ""),
            6..=7 => ("reduced", "reduced", Some(claim.credits_c / 2), "over_cap"),
            8 => ("rejected", "rejected", None, "no_evidence"),
            _ => ("returned", "returned", None, "wrong_form"),
        };
        let done = office::decide(node, &self.by, &claim.id, verdict, credits_c, reason, "", day);
        (name, done.map(|()| true))
    }

    fn decide_openings(&mut self) -> Result<bool, Error> {
        let mut queue = office::opening_queue(self.node())?;
        queue.retain(|_| self.rng.permille(600));
        let chosen: Vec<(String, String)> = queue.into_iter().map(|row| (row.id, row.digest)).collect();
        let (verdict, reason) = one(
            self.rng,
            &[("approved", ""), ("approved", ""), ("returned", "缺原件")],
        );
        let day = self.day();
        let (decided, _) = office::decide_openings(self.node(), &self.by, &chosen, verdict, reason, day)?;
        Ok(decided > 0)
    }

    fn same_person(&mut self) -> Result<bool, Error> {
        let known = office::same_persons(self.node())?;
        let act = self.rng.pick(&known).filter(|act| !act.withdrawn);
        if let (Some(act), true) = (act, self.rng.permille(200)) {
            let kind = "same_person";
            office::take_step(
                self.node(),
                &self.by,
                Actor::Auditor,
                kind,
                &act.id,
                "withdrawn",
                "认定有误",
            )?;
            return Ok(true);
        }
        let alike = office::maybe_same(self.node())?;
        let Some(pair) = self.rng.pick(&alike) else {
            return Ok(false);
        };
        let [one, two] = pair;
        let (alias, kept) = if self.rng.permille(500) {
            (one, two)
        } else {
            (two, one)
        };
        let day = self.day();
        let (alias, kept) = ((&*alias.school, &*alias.person), (&*kept.school, &*kept.person));
        office::declare_same(self.node(), &self.by, alias, kept, day, "县里核对").map(|_| true)
    }

    fn transfer(&mut self) -> Result<bool, Error> {
        if let Some(order) = self.some("transfer_order").filter(|_| self.rng.permille(700)) {
            let to = one(self.rng, &["effective", "effective", "effective", "revoked"]);
            step(
                &self.device.place,
                Actor::Auditor,
                "transfer_order",
                &order.id,
                to,
                "核对无误",
            )?;
            return Ok(true);
        }
        let Some(person) = self.some("person") else {
            return Ok(false);
        };
        let from = person.school.clone().unwrap_or_default();
        let Some(to) = self.some("organisation").filter(|to| to.id != from) else {
            return Ok(false);
        };
        let order = [
            (
                "order_no",
                one(self.rng, &["云教调〔2026〕１号", "云教调〔2026〕２号"]),
            ),
            ("person", &person.id),
            ("person_label", person.text("teacher_code")),
            ("from", &from),
            ("to", &to.id),
            ("reason", "transfer"),
            ("effective", one(self.rng, &["2025-11-01", "2026-03-01"])),
            ("ordered_on", "2025-10-20"),
        ];
        enter(&self.device.place, Actor::Auditor, "transfer_order", &order).map(|_| true)
    }

    fn answer_transfer(&mut self) -> Result<bool, Error> {
        let home = self.node().home_school().expect("a school");
        let orders = self.node().records(&Filter::kind("transfer_order"))?;
        let open = |order: &&Record| matches!(order.text("state"), "ordered" | "released" | "accepted");
        let mut orders: Vec<Record> = orders.iter().filter(open).cloned().collect();
        orders.sort_by(|a, b| a.id.cmp(&b.id));
        let Some(order) = self.rng.pick(&orders) else {
            return Ok(false);
        };
        let place = &self.device.place;
        if order.text("from") == home {
            let release = [
                ("about", &*order.id),
                ("answer", "released"),
                ("date", "2025-10-25"),
            ];
            return enter(place, Actor::Clerk, "transfer_release", &release).map(|_| true);
        }
        let people = self.people(&home);
        let Some(person) = self.rng.pick(&people) else {
            return Ok(false);
        };
        let accept = [
            ("about", &*order.id),
            ("answer", "accepted"),
            ("person", person),
            ("date", "2025-10-27"),
        ];
        enter(place, Actor::Clerk, "transfer_accept", &accept).map(|_| true)
    }

    fn close_year(&mut self) -> Result<bool, Error> {
        let closings = office::closings(self.node())?;
        let standing = self
            .rng
            .pick(&closings)
            .filter(|closing| closing.reopened.is_none());
        if let (Some(closing), true) = (standing, self.rng.permille(400)) {
            let kind = "year_close";
            let step = office::take_step(
                self.node(),
                &self.by,
                Actor::Auditor,
                kind,
                &closing.id,
                "reopened",
                "有迟报",
            );
            return step.map(|()| true);
        }
        let Some(school) = self.some("organisation") else {
            return Ok(false);
        };
        // Everything must have its decision first: the auditor goes through what waits.
        let day = self.day();
        for claim in office::audit_queue_of(self.node(), Some(&school.id), 200)? {
            let done = office::decide(
                self.node(),
                &self.by,
                &claim.id,
                "rejected",
                None,
                "overdue",
                "结账前清理",
                day,
            );
            match done {
                Ok(()) | Err(Error::Invalid(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let year = one(self.rng, &YEARS);
        office::close_year(self.node(), &self.by, &school.id, year, "2026-09-10").map(|_| true)
    }

    fn correct(&mut self) -> Result<bool, Error> {
        let mut claims = office::claims(self.node(), None, 200)?;
        claims.retain(|claim| claim.closed && matches!(claim.state, ClaimState::Decided { .. }));
        let Some(claim) = self.rng.pick(&claims) else {
            return Ok(false);
        };
        let (verdict, reason) = one(self.rng, &[("recognised", ""), ("rejected", "duplicate")]);
        let day = self.day();
        let note = "结账后查实";
        office::correct(self.node(), &self.by, &claim.id, verdict, None, reason, note, day).map(|()| true)
    }

    fn publish(&mut self) -> Result<bool, Error> {
        let on = "2025-10-01";
        office::publish(self.node(), &self.by, &second_version(), on, "总学分提高").map(|_| true)
    }
}
