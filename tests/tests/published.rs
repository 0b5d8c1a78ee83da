//! Acceptance 4 of issue 4: a county changes its rules and adds a form while a school is offline and records with
//! the old ones; afterwards totals show both versions and the difference, and the new form is at the school.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::office::{self, ClaimState, Difference, EntryInput};
use node::{Filter, Role, Unusable, Value};
use records::kinds::Actor;
use yanxiu_tests::second_version::second_version;
use yanxiu_tests::*;

/// 读书报告: a form of the county's own.
const BOOK: &str = r#"
id = "c_book_report"
version = 1
zh = "读书报告"
en = "Book report"
document = "log"
writers = ["school"]

[view]
person = "person"
date = "date"
title = "book"

[[field]]
id = "person"
zh = "教师"
en = "Teacher"
type = "ref"
ref = "person"
required = true
counts = true

[[field]]
id = "book"
zh = "书名"
en = "Book"
type = "text"
required = true
max_len = 60

[[field]]
id = "date"
zh = "读完日期"
en = "Finished on"
type = "date"
required = true

[[field]]
id = "state"
zh = "状态"
en = "State"
type = "code"
required = true
codes = [{ id = "draft", zh = "草稿", en = "Draft" }, { id = "shared", zh = "已交流", en = "Shared" }]

[states]
field = "state"
initial = ["draft"]

[[states.move]]
from = "draft"
to = "shared"
zh = "已在教研组交流"
en = "Shared in the group"
who = ["leader"]
"#;

fn report(person: &str, book: &str, date: &str) -> EntryInput {
    EntryInput {
        kind: "c_book_report".into(),
        id: None,
        values: [("person", person), ("book", book), ("date", date)]
            .map(|(name, value)| (name.to_string(), Some(Value::from(value))))
            .into(),
    }
}

fn recognise_all(county: &Place, on: &str) {
    for claim in office::audit_queue(&county.node, 100).unwrap() {
        recognise(county, &claim.id, on).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_forms_that_the_county_publishes_reach_a_school_that_was_offline() {
    let mut county = Place::county();
    let school_id = add_school(&county, "石门村小");
    let mut school = Place::school(&county, &school_id, "石门村小 电脑");
    let person = add_teacher(&school, "欧阳㙇", "T001");
    let one = std::slice::from_ref(&person);

    // The school is offline; the county changes the rules and adds a form.
    let name = "seed003.five-year-36-54";
    office::publish(
        &county.node,
        &auditor(),
        &second_version(),
        "2025-10-01",
        "总学分提高到40，8学时折1学分",
    )
    .unwrap();
    office::publish(&county.node, &auditor(), BOOK, "2025-10-01", "").unwrap();
    let newest = county.node.rules().newest(name).unwrap().reference();
    assert_eq!(newest, format!("{name}/2"));

    // Meanwhile the school registers under the only version it has, and lacks the form.
    held_session(&school, "第１次研课：分数的意义", "2025-10-16", one);
    let error = office::save_entry(
        &school.node,
        &clerk(),
        Actor::Clerk,
        report(&person, "教育的目的", "2025-10-20"),
    );
    assert!(error.unwrap_err().zh().contains("本机还没有这种表单"));
    let under_old = school.node.records(&Filter::kind("claim")).unwrap();
    assert_eq!(under_old[0].text("rule_ref"), format!("{name}/1"));

    // Contact.
    county.up().await;
    school.up().await;
    school.knows(&county);
    until("the new form is at the school", 20, || {
        school.node.kinds().latest("c_book_report").is_some()
    })
    .await;
    until("and the new rules", 20, || {
        school.node.rules().newest(name).unwrap().head.version == 2
    })
    .await;
    until("the claim is at the county", 20, || {
        county.node.views_behind().unwrap() == 0 && office::audit_queue(&county.node, 10).unwrap().len() == 1
    })
    .await;

    // The new form is used at once, by its own checks and steps.
    let faults = office::save_entry(
        &school.node,
        &clerk(),
        Actor::Clerk,
        report(&person, &"书".repeat(61), "2025-10-20"),
    );
    assert_eq!(faults.unwrap_err().zh(), "书名：共 61 字，最多 60 字");
    let id = office::save_entry(
        &school.node,
        &clerk(),
        Actor::Clerk,
        report(&person, "教育的目的", "2025-10-20"),
    )
    .unwrap();
    let refused = office::take_step(
        &school.node,
        &clerk(),
        Actor::Clerk,
        "c_book_report",
        &id,
        "shared",
        "",
    );
    assert_eq!(refused.unwrap_err().zh(), "由校长、分管领导来做");
    office::take_step(
        &school.node,
        &clerk(),
        Actor::Leader,
        "c_book_report",
        &id,
        "shared",
        "",
    )
    .unwrap();
    held_session(&school, "第２次研课：《荷塘月色》", "2025-11-06", one);
    until("all is at the county", 20, || {
        school.node.not_at_county().unwrap() == 0
            && county.node.views_behind().unwrap() == 0
            && office::audit_queue(&county.node, 10).unwrap().len() == 2
    })
    .await;
    let there = office::entries(&county.node, "c_book_report", None, 10).unwrap();
    assert_eq!((there.len(), there[0].title.as_str()), (1, "教育的目的"));
    assert_eq!((there[0].known, there[0].person.as_str()), (true, "欧阳㙇"));
    assert_eq!(there[0].stand.as_ref().unwrap().zh, "已交流");

    // A claim of each version; both are decided on, and the card shows both and what is different. By hand: each
    // session has 4 class-hours. Under version 1, at 10 a credit, that is 0.40, so that was claimed and recognised for
    // the first; under version 2, at 8 a credit, it is 0.50, as recognised for the second. What was recognised under
    // another version counts anew from its class-hours (other_version = "hours"): 0.40 + 0.40 = 0.80 of 36 under
    // version 1, and 0.50 + 0.50 = 1.00 of 40 under version 2. The same in the two other requirements that both
    // sessions count for, whose figures have stayed: 实践体验 10, 校级 18.
    recognise_all(&county, "2025-11-20");
    let card = || office::credit_card(&school.node, &person).unwrap().unwrap();
    until("the decisions are at the school", 20, || {
        card().card.total_c == 100
    })
    .await;
    let card = card();
    let mut given: Vec<i64> = card
        .lines
        .iter()
        .map(|line| match &line.state {
            ClaimState::Decided { credits_c, .. } => *credits_c,
            other => panic!("{other:?}"),
        })
        .collect();
    given.sort();
    assert_eq!(given, [40, 50], "what was recognised stays as it was");
    assert_eq!(card.card.rule_ref, format!("{name}/2"));
    let shown: Vec<(&str, usize, i64, i64)> = card
        .versions
        .iter()
        .map(|v| (v.reference.as_str(), v.registered, v.total_c, v.wanted_c))
        .collect();
    assert_eq!(
        shown,
        [
            ("seed003.five-year-36-54/1", 1, 80, 3600),
            ("seed003.five-year-36-54/2", 1, 100, 4000)
        ]
    );
    let difference = |zh: &str, en: &str, wanted: [i64; 2]| Difference {
        zh: zh.into(),
        en: en.into(),
        earned_c: [Some(80), Some(100)],
        wanted_c: wanted.map(Some),
        met: [Some(false), Some(false)],
    };
    assert_eq!(
        card.differences,
        [
            difference("总学分", "Total credits", [3600, 4000]),
            difference("实践体验", "Practice & experience", [1000, 1000]),
            difference("校级（校本研修）", "School", [1800, 1800]),
        ]
    );
    // The county computes the very same.
    let theirs = office::credit_card(&county.node, &person).unwrap().unwrap();
    assert_eq!(
        (theirs.versions, theirs.differences),
        (card.versions, card.differences)
    );

    // Registering again brings nothing under other rules than those it was registered under.
    let claims = school.node.records(&Filter::kind("claim")).unwrap();
    let again =
        office::register_claims(&school.node, &clerk(), claims[0].text("session"), "2025-12-01").unwrap();
    assert_eq!(again, 0);
    school.down().await;
    county.down().await;
}

/// A neighbour that was never told of a form keeps and passes on what was recorded with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_form_shows_it_raw_and_loses_nothing() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut a = Place::school(&county, &school_id, "青石 教务处");
    let mut b = Place::school(&county, &school_id, "青石 教研组");
    let person = add_teacher(&a, "王𬭊", "T001");
    office::publish(&county.node, &auditor(), BOOK, "2025-10-01", "").unwrap();
    county.up().await;
    a.up().await;
    a.knows(&county);
    until("the form is at one computer", 20, || {
        a.node.kinds().has("c_book_report")
    })
    .await;
    county.down().await;
    let id = office::save_entry(
        &a.node,
        &clerk(),
        Actor::Clerk,
        report(&person, "给教师的建议", "2025-10-20"),
    )
    .unwrap();

    // The other computer of the school hears of the record before it hears of the form.
    a.down().await;
    let before = b.node.kinds();
    assert!(!before.has("c_book_report"));
    // As a stick would carry the log alone.
    let key = sync::DocKey::parse(&a.node.record(&id).unwrap().unwrap().doc).unwrap();
    let carried = a.node.read(|c| {
        let doc = store::changes::find(c, &key)?.unwrap();
        store::changes::after(c, doc, 0)
    });
    b.node
        .local(|c| {
            for s in &carried.unwrap() {
                store::changes::insert(c, &key, &s.change, None, None, 0)?;
            }
            Ok(())
        })
        .unwrap();
    county_tells(&county, &a, &b);
    b.node.refresh_views().unwrap();
    let raw = office::entry(&b.node, Actor::Clerk, "c_book_report", &id)
        .unwrap()
        .unwrap();
    assert!(!raw.entry.known && raw.steps.is_empty() && !raw.editable);
    assert!(
        raw.fields
            .iter()
            .any(|f| f.id == "book" && f.value[0] == "给教师的建议")
    );
    assert_eq!(
        raw.entry.person, "",
        "which field names the person is not known yet"
    );

    // Then the form comes.
    county.up().await;
    b.up().await;
    b.knows(&county);
    until("the form is at the other computer", 20, || {
        let found = office::entries(&b.node, "c_book_report", None, 10).unwrap();
        found.len() == 1 && found[0].known && !found[0].date.is_empty()
    })
    .await;
    b.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_is_never_changed() {
    let county = Place::county();
    office::publish(&county.node, &auditor(), BOOK, "2025-10-01", "").unwrap();
    let other = BOOK.replace("读书报告", "读书心得");
    let fresh = BOOK.replace("c_book_report", "c_other");
    for (text, zh) in [
        (
            other.clone(),
            "“c_book_report/1”已经发布，内容不能再改；请把 version 加 1，作为新版本发布",
        ),
        (
            BOOK.to_string(),
            "“c_book_report/1”已经在用，内容完全一样，不必再发布",
        ),
        (
            second_version().replace("version = 2", "version = 1"),
            "已经发布，内容不能再改",
        ),
        (
            BOOK.replace("max_len = 60", ""),
            "第 24 行，栏目“book”：文字栏目要写 max_len（最多几个字）",
        ),
        (
            fresh.replace("[\"school\"]", "[\"county\"]"),
            "document = \"log\" 时，writers 要写 [\"school\"]",
        ),
        (fresh.replace("\"log\"", "\"visits\""), "document 不能是“visits”"),
        (fresh.replace("date = \"date\"\n", ""), "不知道属于哪个学年"),
    ] {
        let error = office::publish(&county.node, &auditor(), &text, "2025-10-02", "").unwrap_err();
        assert!(error.zh().contains(zh), "{zh}\n{}", error.zh());
    }
    let second = other.replace("version = 1", "version = 2");
    office::publish(&county.node, &auditor(), &second, "2025-10-02", "").unwrap();
    assert_eq!(
        county.node.kinds().latest("c_book_report").unwrap().zh,
        "读书心得"
    );
    assert_eq!(county.node.kinds().get("c_book_report/1").unwrap().zh, "读书报告");
    // A school publishes nothing.
    let school = Place::school(&county, &add_school(&county, "石门村小"), "石门村小 电脑");
    let error = office::publish(&school.node, &clerk(), BOOK, "2025-10-02", "").unwrap_err();
    assert_eq!(error.zh(), "表单和规则由县里发布");
}

/// Two officers' computers that were apart publish different content under one name: nobody can tell which is
/// meant, on no node, until one is withdrawn.
#[tokio::test(flavor = "multi_thread")]
async fn two_contents_of_one_version_put_neither_into_force_until_one_is_withdrawn() {
    let mut county = Place::county();
    let mut second = Place::device("县进修学校 第二台");
    second.enrol(
        &county,
        &[(Role::County, String::new()), (Role::Auditor, String::new())],
    );
    county.up().await;
    second.up().await;
    second.knows(&county);
    until("the second computer is in sync", 20, || {
        second
            .node
            .peers()
            .unwrap()
            .iter()
            .any(|peer| peer.in_sync_at.is_some())
    })
    .await;
    second.down().await;
    let other = BOOK.replace("读书报告", "读书心得");
    let mine = office::publish(&county.node, &auditor(), BOOK, "2025-10-01", "").unwrap();
    let theirs = office::publish(&second.node, &auditor(), &other, "2025-10-01", "").unwrap();
    assert_eq!(
        second.node.kinds().latest("c_book_report").unwrap().zh,
        "读书心得"
    );
    second.up().await;
    until("both know both", 20, || {
        [&county, &second].iter().all(|place| {
            let unusable = place.node.unusable();
            [&mine, &theirs]
                .iter()
                .all(|id| unusable.get(*id) == Some(&Unusable::Contradicted))
                && !place.node.kinds().has("c_book_report")
        })
    })
    .await;
    office::take_step(
        &county.node,
        &auditor(),
        Actor::Auditor,
        "published",
        &theirs,
        "withdrawn",
        "与第一台重复",
    )
    .unwrap();
    until("the one that stands is in force everywhere", 20, || {
        [&county, &second].iter().all(|place| {
            place.node.unusable().is_empty()
                && place
                    .node
                    .kinds()
                    .latest("c_book_report")
                    .is_some_and(|kind| kind.zh == "读书报告")
        })
    })
    .await;
    second.down().await;
    county.down().await;
}
