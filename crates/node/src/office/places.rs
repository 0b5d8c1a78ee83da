//! Seats of a workshop or station (名额): two offices that were apart may each have given the last one. Nobody is
//! dropped: who stands beyond the seats is 待定, in the order of the signed applications, until the host decides
//! (domain.md §3.5, no. 13).

use std::collections::{BTreeMap, BTreeSet};

use super::lookup::record_of;
use super::organisations::organisation_names;
use super::{invalid, no_such};
use crate::{Error, Filter, Node, Record};

/// A workshop or station with everybody who applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Record id.
    pub id: String,
    /// 名称.
    pub name: String,
    /// Code of the kind of group.
    pub group_kind: String,
    /// 名额.
    pub seats: i64,
    /// How many of them are taken.
    pub taken: i64,
    /// Two devices say different things about the group itself.
    pub disputed: bool,
    /// Those with a seat, by application; then those who wait, by application; then those who left.
    pub people: Vec<Applicant>,
}

/// Somebody who applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// Record id of the first application.
    pub id: String,
    /// Name of the school.
    pub school_name: String,
    /// 教师编号.
    pub teacher_code: String,
    /// Day and time of the application, as it was signed.
    pub applied: String,
    /// Code of the state that the host has given.
    pub state: String,
    /// Whether there is a seat.
    pub standing: Seat,
    /// Two devices say different things about it.
    pub disputed: bool,
    /// Applications that offices entered for this person.
    pub entered: usize,
}

/// Whether an applicant has a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seat {
    /// 在册, or the application stands within the seats.
    Taken,
    /// 待定: beyond the seats, in dispute, or so decided.
    Waiting,
    /// Left, removed or completed.
    Gone,
}

/// States in which a person is no longer there.
const GONE: [&str; 3] = ["left", "removed", "completed"];

/// The seats of a group; `None` if it is not here. A pure function of what is recorded: every node that has it
/// shows the same list.
pub fn places(node: &Node, group: &str) -> Result<Option<Places>, Error> {
    let Some(record) = record_of(node, "training_group", group)? else {
        return Ok(None);
    };
    let seats = record.int("seats");
    let schools = organisation_names(node)?;
    // One application for each person, whichever offices entered it.
    let mut entered: BTreeMap<(String, String), Vec<Record>> = BTreeMap::new();
    for each in node.records(&Filter::kind("enrolment").about(group))? {
        if each.doc == record.doc {
            let person = (
                each.text("school").to_owned(),
                each.text("teacher_code").to_owned(),
            );
            entered.entry(person).or_default().push(each);
        }
    }
    let mut people: Vec<Applicant> = Vec::new();
    for ((school, teacher_code), mut of) in entered {
        of.sort_by_key(|record| (applied(record), record.id.clone()));
        let decided: BTreeSet<&str> = of
            .iter()
            .map(|r| r.text("state"))
            .filter(|s| *s != "enrolled")
            .collect();
        let disputed = decided.len() > 1 || of.iter().any(|record| record.disputed);
        let state = decided.first().copied().unwrap_or("enrolled").to_owned();
        let Some(first) = of.first() else { continue };
        people.push(Applicant {
            id: first.id.clone(),
            school_name: schools.get(&school).cloned().unwrap_or_default(),
            teacher_code,
            applied: applied(first),
            standing: match state.as_str() {
                _ if disputed => Seat::Waiting,
                gone if GONE.contains(&gone) => Seat::Gone,
                "waiting" => Seat::Waiting,
                _ => Seat::Taken,
            },
            state,
            disputed,
            entered: of.len(),
        });
    }
    // Whom the host has confirmed comes first; among equals the application that was signed earlier.
    let order = |p: &Applicant| (p.state != "confirmed", p.applied.clone(), p.id.clone());
    people.sort_by_key(order);
    let mut taken = 0;
    for person in people.iter_mut().filter(|p| p.standing == Seat::Taken) {
        if taken < seats {
            taken += 1;
        } else {
            person.standing = Seat::Waiting;
        }
    }
    people.sort_by_key(|p| (p.standing, p.applied.clone(), p.id.clone()));
    Ok(Some(Places {
        id: record.id.clone(),
        name: record.text("name").to_owned(),
        group_kind: record.text("group_kind").to_owned(),
        seats,
        taken,
        disputed: record.disputed,
        people,
    }))
}

/// Day and time of an application; digits and colon in whichever width they were typed.
fn applied(record: &Record) -> String {
    let time = records::text::half_width(record.text("applied_at"));
    format!("{} {time}", record.text("applied_on"))
}

/// Whether the host may confirm one more: never more than there are seats.
pub(super) fn may_confirm(node: &Node, enrolment: &Record) -> Result<(), Error> {
    let group = enrolment.text("group");
    let places = places(node, group)?.ok_or_else(|| no_such("group", "工作坊或培育站", "such group"))?;
    let confirmed = places
        .people
        .iter()
        .filter(|p| p.state == "confirmed" && !p.disputed);
    if i64::try_from(confirmed.count()).unwrap_or(i64::MAX) < places.seats {
        return Ok(());
    }
    Err(invalid(
        "state",
        &format!("名额 {} 已满：先请一位退出或转为待定，或增加名额", places.seats),
        &format!(
            "All {} seats are confirmed: somebody leaves or waits first, or there are more seats",
            places.seats
        ),
    ))
}
