//! What a person's choice writes.

use std::collections::BTreeMap;

use records::Value;

use super::find::{content, open_conflicts};
use super::show::values_of;
use super::{Choice, Found, Matter, conflict};
use crate::office::attendance::{PRESENT, remark};
use crate::office::audit::decide;
use crate::office::claims::weigh;
use crate::office::draft::Draft;
use crate::office::lookup::{Row, record_of};
use crate::office::roster::Edits;
use crate::office::{By, invalid, turn};
use crate::{Error, Filter, Node, Record};

/// Chosen: both records stand.
pub(super) const BOTH: &str = "both";

/// Chosen: a session and a mentor's sheet are about the same work. Both stand with their signatures.
pub(super) const SAME: &str = "same";

/// Settles an open conflict, named by [`Found::name`]: `choice` is the value of one of its choices, `on` the date
/// of a decision (the county's alone). After it nothing is open about it, on this node and, when they have heard of
/// it, on all others; what was not chosen stays readable in the history.
pub fn settle(
    node: &Node,
    by: &By,
    name: &str,
    choice: &str,
    reason: &str,
    on: &str,
) -> Result<Found, Error> {
    let found = open_conflicts(node)?
        .into_iter()
        .find(|found| found.name() == name);
    let Some(found) = found else {
        return Err(invalid(
            "choice",
            "这一处已经选定过，或内容又有变化；请看最新的列表",
            "This is settled already, or has changed since; look at the present list",
        ));
    };
    if !found.settled_here(node) {
        return Err(invalid(
            "choice",
            "这一处不在本机选定：学校的记录由本校选定，审核结论由县里选定",
            "This is not settled here: a school settles its own records, the county its decisions",
        ));
    }
    let shown = conflict(node, &found)?;
    let Some(chosen) = shown.choices.iter().find(|one| one.value == choice) else {
        return Err(invalid("choice", "请选定一个", "Choose one"));
    };
    let reason = reason.trim();
    if chosen.reason && reason.is_empty() {
        return Err(invalid("reason", "请写明理由", "Give a reason"));
    }
    let home = node.home_school().as_deref() == Some(found.school.as_str());
    match found.matter {
        Matter::Decision => decided_anew(node, by, &found, choice, reason, on)?,
        Matter::Overlap | Matter::Claims if !home => refuse_others(node, by, &found, choice, reason, on)?,
        _ => {
            let _turn = turn();
            let mut edits = Edits::default();
            write(node, by, &found, choice, &mut edits)?;
            note(node, by, &found, &shown.choices, chosen, reason, &mut edits)?;
            edits.commit(node)?;
        }
    }
    Ok(found)
}

fn write(node: &Node, by: &By, found: &Found, choice: &str, edits: &mut Edits) -> Result<(), Error> {
    match found.matter {
        Matter::Mark => {
            let marks = marks_of(node, found, &found.about)?;
            remark(node, by, &marks.iter().collect::<Vec<_>>(), choice, edits)?;
        }
        Matter::Value => {
            let record = node.record(&found.about)?.ok_or_else(gone)?;
            let value = values_of(&record, &found.field)
                .into_iter()
                .find(|value| as_text(value.as_ref()) == choice)
                .ok_or_else(gone)?;
            let draft = Draft::new(&record.kind).value(&found.field, value);
            if let Some(edit) = draft.change(node, &record, by)? {
                edits.push(&record.doc, edit);
            }
        }
        Matter::Duplicate if choice != SAME => duplicate(node, by, found, choice, edits)?,
        Matter::Overlap if choice != BOTH => {
            let other = if choice == found.about {
                &found.other
            } else {
                &found.about
            };
            let marks = marks_of(node, found, other)?;
            remark(node, by, &marks.iter().collect::<Vec<_>>(), "absent", edits)?;
        }
        Matter::Claims => {
            let record = record_of(node, "claim", choice)?.ok_or_else(gone)?;
            for twin in live_claims(node, found)? {
                let draft = CLAIMED.iter().fold(Draft::new("claim"), |draft, field| {
                    draft.value(field, record.fields.get(*field).cloned())
                });
                if let Some(edit) = draft.change(node, &twin, by)? {
                    edits.push(&twin.doc, edit);
                }
            }
        }
        Matter::Duplicate | Matter::Overlap | Matter::Groups | Matter::Decision | Matter::Signature => {}
    }
    Ok(())
}

/// What of a claim is brought to the one that was chosen.
const CLAIMED: [&str; 6] = ["channel", "category", "sub", "hours_c", "credits_c", "rule_ref"];

fn gone() -> Error {
    invalid(
        "choice",
        "这条记录已经变化，请看最新的列表",
        "The record has changed since; look at the present list",
    )
}

/// A value as a form carries it.
pub(super) fn as_text(value: Option<&Value>) -> String {
    value.map_or_else(|| "∅".to_owned(), Value::to_string)
}

/// The marks of the person of a conflict in a session.
pub(super) fn marks_of(node: &Node, found: &Found, session: &str) -> Result<Vec<Record>, Error> {
    let mut marks = node.records(&Filter::kind("attendance").about(session).school(&found.school))?;
    marks.retain(|mark| mark.text("person") == found.person);
    Ok(marks)
}

/// The claims of a conflict that could still count.
pub(super) fn live_claims(node: &Node, found: &Found) -> Result<Vec<Record>, Error> {
    let mut own = node.records(&Filter::kind("claim").about(&found.about).school(&found.school))?;
    own.retain(|claim| claim.text("person") == found.person);
    let weighed = weigh(node, own.iter().cloned().map(Row::from).collect())?;
    let old: Vec<String> = weighed
        .into_iter()
        .filter(|w| w.superseded)
        .map(|w| w.row.id)
        .collect();
    own.retain(|claim| !old.contains(&claim.id));
    Ok(own)
}

/// One session that was entered twice: the one that stands takes over who was marked in the other (a mark that
/// differs becomes a question of its own), and the other becomes void. Both keep their ids, signatures and evidence.
fn duplicate(node: &Node, by: &By, found: &Found, choice: &str, edits: &mut Edits) -> Result<(), Error> {
    if choice == BOTH && record_of(node, "visit", &found.other)?.is_some() {
        return Ok(());
    }
    let session = |id: &str| -> Result<Record, Error> { record_of(node, "session", id)?.ok_or_else(gone) };
    let both = [session(&found.about)?, session(&found.other)?];
    let state = |record: &Record, to: &str, why: &str, edits: &mut Edits| -> Result<(), Error> {
        let draft = Draft::new("session").text("state", to).text("state_reason", why);
        if let Some(edit) = draft.change(node, record, by)? {
            edits.push(&record.doc, edit);
        }
        Ok(())
    };
    // Credit was registered for it, so it was over.
    let taken_place = |record: &Record| -> Result<&str, Error> {
        let claims = node.count(&Filter::kind("claim").about(&record.id).school(&found.school))?;
        Ok(if claims > 0 { "ended" } else { "held" })
    };
    if choice == BOTH {
        for record in both.iter().filter(|record| record.text("state") == "void") {
            state(record, taken_place(record)?, "核实是两场活动，恢复", edits)?;
        }
        return Ok(());
    }
    let [one, two] = both;
    let (kept, dropped) = if choice == one.id { (one, two) } else { (two, one) };
    let marks = |id: &str| node.records(&Filter::kind("attendance").about(id).school(&found.school));
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mark in marks(&kept.id)? {
        let said = known.entry(mark.text("person").to_owned()).or_default();
        said.push(mark.text("status").to_owned());
    }
    for mark in marks(&dropped.id)? {
        let (person, status) = (mark.text("person"), mark.text("status"));
        let said = known.entry(person.to_owned()).or_default();
        if said.iter().any(|known| known == status) {
            continue;
        }
        said.push(status.to_owned());
        let draft = Draft::new("attendance")
            .text("session", &kept.id)
            .text("person", person)
            .text("status", status)
            .text("source", mark.text("source"));
        edits.push(&kept.doc, draft.create(node, node.new_id(), by)?);
    }
    let anybody = known
        .values()
        .flatten()
        .any(|status| PRESENT.contains(&status.as_str()));
    if kept.text("state") == "void" || (kept.text("state") == "draft" && anybody) {
        state(&kept, taken_place(&kept)?, "", edits)?;
    }
    let why = format!("与“{}”是同一场活动", kept.text("title"));
    state(&dropped, "void", &why, edits)
}

/// The settlement itself. That of two records is one for all devices: who settles it again changes it, with all
/// twins of it, so that they agree.
fn note(
    node: &Node,
    by: &By,
    found: &Found,
    choices: &[Choice],
    chosen: &Choice,
    reason: &str,
    edits: &mut Edits,
) -> Result<(), Error> {
    let others: Vec<&str> = choices
        .iter()
        .filter(|one| one.value != chosen.value && !one.said.is_empty())
        .map(|one| one.label[0].as_str())
        .collect();
    let mut said = format!("选定：{}", chosen.label[0]);
    if chosen.value != BOTH && !others.is_empty() {
        said = format!("{said}；不取：{}", others.join("、"));
    }
    let said: String = said.chars().take(400).collect();
    let value: String = chosen.value.chars().take(4000).collect();
    let draft = || {
        Draft::new("settlement")
            .text("chosen", &value)
            .text("said", &said)
            .text("reason", reason)
    };
    if !found.other.is_empty() {
        let mut known = node.records(
            &Filter::kind("settlement")
                .about(&found.about)
                .school(&found.school),
        )?;
        known.retain(|old| {
            [
                ("matter", found.matter.code()),
                ("other", &found.other),
                ("person", &found.person),
            ]
            .iter()
            .all(|(field, value)| old.text(field) == *value)
        });
        for old in &known {
            if let Some(edit) = draft().change(node, old, by)? {
                edits.push(&old.doc, edit);
            }
        }
        if !known.is_empty() {
            return Ok(());
        }
    }
    let record = node.record(&found.about)?.ok_or_else(gone)?;
    let year = record.year.ok_or_else(gone)?;
    let draft = draft()
        .text("about", &found.about)
        .text("other", &found.other)
        .text("person", &found.person)
        .text("matter", found.matter.code());
    edits.push(
        &format!("log/{}/{year}", found.school),
        draft.create(node, node.new_id(), by)?,
    );
    Ok(())
}

/// The county's choice between claims: the others give nothing, as duplicates.
fn refuse_others(
    node: &Node,
    by: &By,
    found: &Found,
    choice: &str,
    reason: &str,
    on: &str,
) -> Result<(), Error> {
    let mut refused = Vec::new();
    if found.matter == Matter::Claims {
        let claims = live_claims(node, found)?;
        let weighed = weigh(node, claims.into_iter().map(Row::from).collect())?;
        let kept = weighed
            .iter()
            .find(|w| w.row.id == choice)
            .map(content)
            .ok_or_else(gone)?;
        refused.extend(
            weighed
                .iter()
                .filter(|w| content(w) != kept)
                .map(|w| w.row.id.clone()),
        );
    } else {
        let other = if choice == found.about {
            &found.other
        } else {
            &found.about
        };
        let at = found.side(other);
        refused.extend(live_claims(node, &at)?.into_iter().map(|claim| claim.id));
        if refused.is_empty() {
            return Err(invalid(
                "choice",
                "另一场还没有登分，现在不用选；登分以后再选定，或由学校改正考勤、补上起止时间",
                "The other session has no claim yet: choose when it has, or let the school correct the mark or the times",
            ));
        }
    }
    for id in refused {
        decide(node, by, &id, "rejected", None, "duplicate", reason, on)?;
    }
    Ok(())
}

/// One of several decisions, or one of its own, on what stands there now.
fn decided_anew(
    node: &Node,
    by: &By,
    found: &Found,
    choice: &str,
    note: &str,
    on: &str,
) -> Result<(), Error> {
    let (verdict, credits_c, reason) = match record_of(node, "decision", choice)? {
        Some(decision) => {
            let text = |field: &str| decision.text(field).to_owned();
            let credits_c = (text("verdict") == "reduced").then(|| decision.int("credits_c"));
            (text("verdict"), credits_c, text("reason"))
        }
        None => ("rejected".to_owned(), None, "other".to_owned()),
    };
    decide(node, by, &found.about, &verdict, credits_c, &reason, note, on)
}
