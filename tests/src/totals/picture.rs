//! Everything that a device adds up or asks its people about, as texts by name: two devices that hold the same
//! changes must say the same.

use std::collections::BTreeMap;
use std::fmt::Debug;

use node::{Filter, Node, office};
use records::SchoolYear;

/// What a device says, by what it is about.
pub type Picture = BTreeMap<String, String>;

/// How far a record has come is each device's own knowledge, from receipts, and no total.
const OWN: [&str; 4] = ["SavedAtSchool", "Carried", "AtCounty", "way: "];

fn said(thing: &impl Debug) -> String {
    let text = format!("{thing:#?}");
    let lines = text.lines().map(|line| {
        let own = OWN.iter().any(|own| line.contains(own));
        if own { "…" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The picture of a device, with what it knows of these school years.
pub fn picture(node: &Node, years: &[i32]) -> Picture {
    let mut all = Picture::new();
    let mut add = |name: String, text: String| {
        let twice = all.insert(name.clone(), text);
        assert!(twice.is_none(), "{name}");
    };
    let of_kind = |kind: &str| node.records(&Filter::kind(kind)).expect("records");
    let mut schools: Vec<String> = of_kind("organisation").into_iter().map(|one| one.id).collect();
    schools.sort();

    for person in of_kind("person") {
        let card = office::credit_card(node, &person.id).expect("the store answers");
        add(format!("card of {}", person.id), said(&card.expect("a card")));
    }
    for school in &schools {
        let claims = office::all_claims(node, school).expect("claims");
        let mut rows: Vec<String> = claims.iter().map(said).collect();
        add(format!("claims of {school}"), rows.join("\n"));
        let behind = office::behind(node, claims.iter()).expect("what stands behind");
        rows = behind.iter().map(said).collect();
        add(format!("behind the claims of {school}"), rows.join("\n"));
        let sessions = office::all_sessions(node, school).expect("sessions");
        rows = sessions.iter().map(said).collect();
        add(format!("sessions of {school}"), rows.join("\n"));
        let held = office::statistics(node, school, "2024-09-01", "2026-08-31").expect("statistics");
        add(format!("statistics of {school}"), said(&held));
        let months = office::held_by_month(node, school).expect("months");
        add(format!("months of {school}"), said(&months));
        let openings = office::openings(node, Some(school)).expect("openings");
        add(format!("openings of {school}"), said(&openings));
        add(
            format!("roster of {school}"),
            said(&office::roster(node, school).expect("a roster")),
        );
        for year in years {
            let late = office::late_records(node, school, *year).expect("late records");
            add(format!("late in {} of {school}", SchoolYear(*year)), said(&late));
        }
    }
    let closings = office::closings(node).expect("closings");
    for closing in &closings {
        let lines = office::statements(node, &closing.id).expect("statements");
        add(format!("statements of closing {}", closing.id), said(&lines));
    }
    add("closings".into(), said(&closings));
    let open = office::open_conflicts(node).expect("conflicts");
    for conflict in office::conflicts(node, &open).expect("conflicts") {
        let choices: Vec<_> = conflict
            .choices
            .iter()
            .map(|one| {
                // When it came is each device's own.
                let who: Vec<_> = one.said.iter().map(|said| (&said.by, &said.device)).collect();
                (&one.value, &one.label, &one.note, who, one.reason)
            })
            .collect();
        add(
            format!("choices of {}", conflict.found.name()),
            said(&(&conflict.title, choices)),
        );
    }
    add("open conflicts".into(), said(&open));
    add(
        "same persons".into(),
        said(&office::same_persons(node).expect("same persons")),
    );
    let rows = office::schools(node).expect("schools");
    let counts = rows.iter().map(|row| {
        (
            &row.id,
            row.teachers,
            row.sessions,
            row.attendances,
            row.open_claims,
            row.decided_claims,
        )
    });
    add("summary of the schools".into(), said(&counts.collect::<Vec<_>>()));
    if node.is_auditor() {
        let queue = office::audit_queue(node, 1_000).expect("a queue");
        add("queue".into(), said(&queue));
        let openings = office::opening_queue(node).expect("a queue");
        add("queue of openings".into(), said(&openings));
    }
    all
}

/// Where two pictures differ: the first lines of each thing that does.
pub fn differences(one: &Picture, other: &Picture) -> Vec<String> {
    let names = one
        .keys()
        .chain(other.keys().filter(|name| !one.contains_key(*name)));
    let mut all = Vec::new();
    for name in names {
        let empty = String::new();
        let [left, right] = [one, other].map(|picture| picture.get(name).unwrap_or(&empty));
        if left == right {
            continue;
        }
        let pairs = left.lines().zip(right.lines());
        let at = pairs.take_while(|(a, b)| a == b).count();
        let from = at.saturating_sub(4);
        let some = |text: &str| text.lines().skip(from).take(9).collect::<Vec<_>>().join("\n");
        all.push(format!(
            "{name}, line {at}:\n{}\n--- or ---\n{}",
            some(left),
            some(right)
        ));
    }
    all
}
