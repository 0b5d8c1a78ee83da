//! What the scenarios share.

use std::time::{Duration, Instant};

use node::Filter;
use node::accounts::{self, NewAccount, Role};

use crate::support::*;

pub const QINGSHI: &str = "青石镇中心小学";
pub const FIRST: &str = "云岭县第一小学";

/// What a clerk types of a session.
pub fn typed<'t>(title: &'t str, date: &'t str, hours: &'t str) -> [(&'t str, &'t str); 6] {
    [
        ("title", title),
        ("date", date),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", hours),
    ]
}

/// The same as [`held`] on the pages, with everybody present; its address.
pub fn hold(clerk: &Browser, title: &str, date: &str) -> String {
    let page = clerk.submit("/sessions/new", "/sessions/new", &typed(title, date, "4"));
    page.is(200).has("已保存在本校");
    let here = page.path.split('?').next().unwrap().to_owned();
    let act = |what: &str, fields: &[(&str, &str)]| clerk.submit(&here, &format!("{here}/{what}"), fields);
    act("attendance", &[("fill", "present")]).has("考勤已保存在本校");
    act("end", &[]).is(200);
    act("claims", &[("claimed_on", date)]).is(200);
    here
}

/// Waits for something that no page says.
pub fn wait(what: &str, ready: impl Fn() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many sessions, marks, claims, people, photos and visit sheets of a school a site holds.
pub fn counts(site: &Site, school: &str) -> [u64; 6] {
    ["session", "attendance", "claim", "person", "evidence", "visit"]
        .map(|kind| site.node.count(&Filter::kind(kind).school(school)).unwrap())
}

/// Waits until two sites hold the same of a school, and says what.
pub fn equal(one: &Site, other: &Site, school: &str) -> [u64; 6] {
    wait("equal counts", || {
        let behind = |site: &Site| site.node.views_behind().unwrap() > 0;
        !behind(one) && !behind(other) && counts(one, school) == counts(other, school)
    });
    counts(one, school)
}

/// How often a badge stands on a page.
pub fn badges(page: &Page, word: &str) -> usize {
    page.body.matches(&format!(">{word}</span>")).count()
}

/// The auditor ticks everything that waits; how much it was.
pub fn recognise_all(auditor: &Browser, on: &str) -> usize {
    let queue = auditor.get("/audit");
    let mark = "name=\"claim\" value=\"";
    let ticked: Vec<&str> = queue
        .body
        .split(mark)
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(value, _)| value)
        .collect();
    let mut fields: Vec<(&str, &str)> = ticked.iter().map(|value| ("claim", *value)).collect();
    fields.push(("decided_on", on));
    let done = auditor.submit("/audit", "/audit", &fields);
    done.has(&format!("已审核 {} 条", ticked.len()));
    ticked.len()
}

/// A teacher who is signed in with the own account.
pub fn teacher_at(site: &Site, name: &str, person: &str) -> Browser {
    let new = NewAccount {
        name: name.into(),
        role: Role::Teacher,
        secret: PIN.into(),
        person: Some(person.into()),
    };
    accounts::create(&site.node, new, node::now()).unwrap();
    let browser = site.browser();
    browser
        .submit("/login", "/login", &[("name", name), ("secret", PIN)])
        .has(name);
    browser
}

/// Enters a record by the form of its kind; its address.
pub fn enter(who: &Browser, kind: &str, fields: &[(&str, &str)]) -> String {
    let new = format!("/records/{kind}/new");
    saved(&who.submit(&new, &new, fields))
}

/// Enters one about another record, as the button on that one's page begins it.
pub fn answer(who: &Browser, kind: &str, about: &str, fields: &[(&str, &str)]) -> String {
    let begin = format!("/records/{kind}/new?about={about}");
    let mut all = vec![("about", about)];
    all.extend_from_slice(fields);
    saved(&who.submit(&begin, &format!("/records/{kind}/new"), &all))
}

/// A step of a record on its page.
pub fn step(who: &Browser, record: &str, to: &str) -> Page {
    who.submit(record, &format!("{record}/step"), &[("to", to)])
}

pub fn id(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}
