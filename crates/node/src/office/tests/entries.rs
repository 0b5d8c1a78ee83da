//! Records of any kind between nodes that were apart.

use records::Value;
use records::kinds::Actor;

use super::*;

fn account(name: &str) -> By {
    By { account: name.into() }
}

pub(super) fn input(kind: &str, id: Option<&str>, values: &[(&str, Value)]) -> EntryInput {
    EntryInput {
        kind: kind.into(),
        id: id.map(str::to_owned),
        values: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
            .collect(),
    }
}

fn zh(result: Result<impl std::fmt::Debug, Error>) -> String {
    result.unwrap_err().zh()
}

#[test]
fn a_session_that_was_handed_in_begins_when_the_county_has_filed_it() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (node, hub) = (&school.node, &world.hub);
    let session = save_session(node, &by(), &school.id, None, a_session()).unwrap();
    let step = |to: &str| take_step(node, &by(), Actor::Clerk, "session", &session, to, "");
    // 四落实: time, content, persons, assessment.
    assert_eq!(
        zh(step("submitted_for_filing")),
        "还没有填“研修主题”；还没有填“参加对象”；还没有填“考评方式”"
    );
    let more = [
        ("theme", "读懂㙇同学的错误".into()),
        ("participants", "全体教师".into()),
        ("assessment", "notes".into()),
        ("methods", "case discussion".into()),
    ];
    save_entry(node, &by(), Actor::Clerk, input("session", Some(&session), &more)).unwrap();
    step("submitted_for_filing").unwrap();
    // Marks can be made, but nothing is held before the county has spoken.
    school.mark(node, &session, ["present"; 3]);
    assert_eq!(zh(end_session(node, &by(), &session)), "活动现在不能结束");
    carry(node, hub);
    let word = [
        ("about", Value::from(session.as_str())),
        ("verdict", "filed".into()),
        ("decided_on", "2025-10-10".into()),
    ];
    // Nobody of the school says it, and no clerk of the county's hub either.
    assert!(save_entry(node, &by(), Actor::Clerk, input("filing_decision", None, &word)).is_err());
    assert_eq!(
        zh(save_entry(
            hub,
            &by(),
            Actor::County,
            input("filing_decision", None, &word)
        )),
        "由县级学分审核员来做"
    );
    save_entry(
        hub,
        &account("王审核员"),
        Actor::Auditor,
        input("filing_decision", None, &word),
    )
    .unwrap();
    carry(hub, node);
    let stand = |node: &Node| {
        entries(node, "session", None, 10)
            .unwrap()
            .pop()
            .unwrap()
            .stand
            .unwrap()
    };
    assert_eq!(
        (stand(node).zh.as_str(), stand(hub).zh.as_str()),
        ("已备案", "已备案")
    );
    school.mark(node, &session, ["present", "present", "late"]);
    assert_eq!(stand(node).zh, "进行中");
    end_session(node, &by(), &session).unwrap();
    assert_eq!(register_claims(node, &by(), &session, "2025-10-20").unwrap(), 3);
}

#[test]
fn two_computers_that_were_apart_say_different_things_and_the_history_tells_all_of_it() {
    let world = World::new();
    let school = world.school_with_teachers();
    let one = &school.node;
    let two = &world.device("石桥小学 教研组", Role::School, &school.id);
    let trip = [
        ("person", Value::from(school.persons[0].as_str())),
        ("project", "跟岗学习".into()),
        ("place", "省城".into()),
        ("from", "2025-10-08".into()),
        ("to", "2025-10-12".into()),
        ("cover", "王老师代课".into()),
    ];
    let id = save_entry(one, &by(), Actor::Clerk, input("trip", None, &trip)).unwrap();
    carry(one, two);
    for (node, who, to) in [(one, "李专管员", "2025-10-13"), (two, "赵主任", "2025-10-15")] {
        let change = input("trip", Some(&id), &[("to", to.into())]);
        save_entry(node, &account(who), Actor::Clerk, change).unwrap();
    }
    carry(one, two);
    carry(two, one);
    for node in [one, two] {
        let trip = entry(node, Actor::Leader, "trip", &id).unwrap().unwrap();
        assert!(trip.entry.disputed);
        assert!(
            trip.steps.iter().all(|step| step.refused[0][0].contains("待核")),
            "{:?}",
            trip.steps
        );
        let to = trip.fields.iter().find(|field| field.id == "to").unwrap();
        let mut said: Vec<&str> = to.others.iter().map(|other| other[0].as_str()).collect();
        said.sort_unstable();
        assert_eq!(said, ["2025-10-13", "2025-10-15"]);
        assert!(take_step(node, &by(), Actor::Leader, "trip", &id, "dispatched", "").is_err());
    }
    // One choice settles it; the history keeps who said what, and what stood there.
    let choice = input("trip", Some(&id), &[("to", "2025-10-15".into())]);
    save_entry(one, &by(), Actor::Clerk, choice).unwrap();
    take_step(
        one,
        &account("周校长"),
        Actor::Leader,
        "trip",
        &id,
        "dispatched",
        "",
    )
    .unwrap();
    carry(one, two);
    for node in [one, two] {
        let trip = entry(node, Actor::Clerk, "trip", &id).unwrap().unwrap();
        assert!(!trip.entry.disputed);
        assert_eq!(trip.entry.stand.unwrap().zh, "派出");
        let mut acts: Vec<String> = trip
            .history
            .iter()
            .map(|act| {
                let change = act
                    .changes
                    .iter()
                    .find(|change| !act.made && change.label[0] != "状态说明");
                let change = change.map(|c| format!("{} {}→{}", c.label[0], c.before[0], c.after[0]));
                format!("{} {}", act.by, change.unwrap_or_else(|| "登记".into()))
            })
            .collect();
        // The two that were apart came in another order at each.
        acts[1..3].sort();
        assert_eq!(acts[0], "李专管员 登记");
        assert_eq!(acts[1], "李专管员 结束日期 2025-10-12→2025-10-13");
        assert_eq!(acts[2], "赵主任 结束日期 2025-10-12→2025-10-15");
        assert!(
            acts[3].starts_with("李专管员 结束日期 ") && acts[3].ends_with("→2025-10-15"),
            "{}",
            acts[3]
        );
        assert!(acts[3].contains(" ／ "), "both values stood there: {}", acts[3]);
        assert_eq!(acts[4], "周校长 状态 申请→派出");
    }
}

#[test]
fn a_record_names_only_what_is_here_and_of_its_own_school() {
    let world = World::new();
    let school = world.school_with_teachers();
    let lesson = |teacher: &str, date: &str| {
        let values = [
            ("teacher", Value::from(teacher)),
            ("date", date.into()),
            ("subject", "数学".into()),
            ("topic", "分数的意义".into()),
            ("lesson_kind", "open".into()),
        ];
        save_entry(&school.node, &by(), Actor::Clerk, input("lesson", None, &values))
    };
    let nobody = school.node.new_id();
    assert_eq!(
        zh(lesson(&nobody, "2025-10-16")),
        "授课教师：本机没有这条记录，请重新选择"
    );
    // The school itself is no person.
    assert!(lesson(&school.id, "2025-10-16").is_err());
    let id = lesson(&school.persons[1], "2025-10-16").unwrap();
    // A record stays in its school year; a closed one is not edited.
    let moved = input("lesson", Some(&id), &[("date", "2026-10-16".into())]);
    assert!(zh(save_entry(&school.node, &by(), Actor::Clerk, moved)).contains("不能改到另一学年"));
    take_step(
        &school.node,
        &by(),
        Actor::Clerk,
        "lesson",
        &id,
        "void",
        "重复登记",
    )
    .unwrap();
    let late = input("lesson", Some(&id), &[("topic", "分数".into())]);
    assert_eq!(
        zh(save_entry(&school.node, &by(), Actor::Clerk, late)),
        "“已作废”的记录不能再修改"
    );
    // The county writes nothing of a school's.
    let hub = input("lesson", None, &[("topic", "分数".into())]);
    assert!(zh(save_entry(&world.hub, &by(), Actor::Auditor, hub)).contains("不在这台设备上登记"));
    // What has rules of its own is not written by a form.
    let claim = input("claim", None, &[("person", school.persons[0].as_str().into())]);
    assert!(zh(save_entry(&school.node, &by(), Actor::Clerk, claim)).contains("自己的页面"));
}
