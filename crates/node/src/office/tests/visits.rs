//! A mentor's visit between mentor, school and county: what R5 says of it, and what its signatures bind.

use records::Value;
use records::kinds::Actor;
use records::visits::Fit;

use super::entries::input;
use super::*;

/// A mentor's laptop that holds these schools under one code.
fn mentor(world: &World, code: &str, schools: &[&str]) -> Node {
    let label = format!("送教笔记本 {code}");
    let node = Node::init_member(&world.dir.path().join(&label), &label).unwrap();
    let (id, _) = enrol::read_request(&enrol::request_code(&node)).unwrap();
    let grants: Vec<(Role, String)> = schools
        .iter()
        .flat_map(|school| {
            [
                (Role::Mentor, format!("{code}/{school}")),
                (Role::MentorReader, (*school).to_owned()),
            ]
        })
        .collect();
    let answer = enrol::approve(&world.hub, &id, &label, &grants).unwrap();
    enrol::accept(&node, &answer.text).unwrap();
    enrol::confirm(&node).unwrap();
    carry(&world.hub, &node);
    node
}

fn write(node: &Node, kind: &str, values: &[(&str, Value)]) -> Result<String, Error> {
    save_entry(node, &by(), Actor::Mentor, input(kind, None, values))
}

fn fit(findings: &[records::visits::Finding], id: &str) -> Fit {
    findings.iter().find(|f| f.id == id).unwrap().fit
}

/// The week from Sunday 12 to Friday 17 October 2025.
fn week(node: &Node, school: &str, survey: &str) -> String {
    let mut values = vec![
        ("host", Value::from(school)),
        ("visit_kind", "school_training".into()),
        ("theme", "《分数的意义》研课磨课".into()),
        ("from", "2025-10-12".into()),
        ("to", "2025-10-17".into()),
        ("summary", "听诊四节，磨课三天，反馈课两节".into()),
        ("leader_came", "2025-10-12".into()),
        ("leader_stayed", true.into()),
    ];
    if !survey.is_empty() {
        values.push(("survey", survey.into()));
    }
    write(node, "visit", &values).unwrap()
}

fn member(node: &Node, visit: &str, name: &str, origin: &str) -> String {
    let values = [
        ("visit", Value::from(visit)),
        ("name", name.into()),
        ("unit", "县教师进修学校".into()),
        ("origin", origin.into()),
        ("role", "expert".into()),
        ("days", "d1 d2".into()),
    ];
    write(node, "visit_member", &values).unwrap()
}

fn day(node: &Node, visit: &str, date: &str, segment: &str, teacher: &str) -> Result<String, Error> {
    let mut values = vec![
        ("visit", Value::from(visit)),
        ("date", date.into()),
        ("segment", segment.into()),
        ("topic", "分数的意义".into()),
    ];
    if !teacher.is_empty() {
        values.push(("teacher", teacher.into()));
    }
    write(node, "visit_day", &values)
}

fn sign_here(node: &Node, visit: &str, side: &str, person: &str) -> Result<String, Error> {
    let capacity = if side == "mentor" { "leader" } else { "principal" };
    let hand = Hand::Present {
        person: person.into(),
        capacity: capacity.into(),
    };
    sign(node, &by(), Actor::Mentor, visit, side, "2025-10-17", hand)
}

#[test]
fn the_rules_are_asked_of_what_was_recorded() {
    let world = World::new();
    let school = world.school_with_teachers();
    let laptop = mentor(&world, "zj01", &[&school.id]);
    carry(&school.node, &laptop);
    let survey = [
        ("host", Value::from(school.id.as_str())),
        ("title", "四年级数学需求".into()),
        ("date", "2025-09-13".into()),
    ];
    // 13 September is not a month before 12 October.
    let survey = write(&laptop, "survey", &survey).unwrap();
    let id = week(&laptop, &school.id, &survey);
    let asked = || visit(&laptop, &id).unwrap().unwrap();
    let v = asked();
    assert_eq!(fit(&v.findings, "survey"), Fit::Broken);
    assert_eq!(fit(&v.findings, "leader"), Fit::Met);
    assert_eq!(fit(&v.findings, "days"), Fit::Met);
    for lacking in ["local", "feedback", "feedback-day"] {
        assert_eq!(fit(&v.findings, lacking), Fit::Lacking, "{lacking}");
    }
    let earlier = [("date", Value::from("2025-09-12"))];
    save_entry(
        &laptop,
        &by(),
        Actor::Mentor,
        input("survey", Some(&survey), &earlier),
    )
    .unwrap();
    assert_eq!(fit(&asked().findings, "survey"), Fit::Met);

    // Four of six are more than 60 %; one local that was entered by mistake makes it three of five.
    let team: Vec<String> = [
        ("周", "local"),
        ("吴", "local"),
        ("郑𬭊", "local"),
        ("王", "local"),
        ("冯", "external"),
        ("陈", "external"),
    ]
    .map(|(name, origin)| member(&laptop, &id, name, origin))
    .into();
    assert_eq!(fit(&asked().findings, "local"), Fit::Broken);
    take_step(
        &laptop,
        &by(),
        Actor::Mentor,
        "visit_member",
        &team[3],
        "void",
        "没有来",
    )
    .unwrap();
    let v = asked();
    assert_eq!((v.team.len(), fit(&v.findings, "local")), (5, Fit::Met));

    // Feedback lessons are those of the school's own teachers, on Friday.
    day(&laptop, &id, "2025-10-17", "feedback", &school.persons[0]).unwrap();
    day(&laptop, &id, "2025-10-17", "feedback", "").unwrap();
    let v = asked();
    assert_eq!(fit(&v.findings, "feedback"), Fit::Lacking);
    assert_eq!(fit(&v.findings, "feedback-day"), Fit::Met);
    day(&laptop, &id, "2025-10-16", "feedback", &school.persons[1]).unwrap();
    let v = asked();
    assert_eq!(fit(&v.findings, "feedback"), Fit::Met);
    assert_eq!(fit(&v.findings, "feedback-day"), Fit::Broken);
    assert!(v.year.is_empty(), "no delivery, no rounds");
    assert_eq!(
        v.rules[0],
        "国培计划中西部项目（项目县）（seed002.guopei-county/1）"
    );
}

#[test]
fn a_year_of_delivery_is_that_of_one_school_and_subject_whoever_came() {
    let world = World::new();
    let (school, other) = (world.school("石桥小学"), world.school("白沙小学"));
    let one = mentor(&world, "zj01", &[&school, &other]);
    let two = mentor(&world, "zj02", &[&school]);
    let round = |node: &Node, host: &str, subject: &str, number: i64, stage: &str, from: &str| {
        let values = [
            ("host", Value::from(host)),
            ("visit_kind", "delivery".into()),
            ("theme", "送教下乡".into()),
            ("from", from.into()),
            ("to", from.into()),
            ("days_c", 200.into()),
            ("round", number.into()),
            ("stage", stage.into()),
            ("subject", subject.into()),
            ("summary", "示范课一节".into()),
        ];
        write(node, "visit", &values).unwrap()
    };
    let first = round(&one, &school, "数学", 1, "diagnose", "2025-09-20");
    round(&one, &school, "数学", 2, "polish", "2025-11-08");
    round(&one, &school, "语文", 3, "show", "2026-03-14");
    round(&one, &other, "数学", 3, "show", "2026-03-14");
    // The next school year.
    round(&one, &school, "数学", 4, "review", "2026-09-09");
    round(&two, &school, "数学", 3, "show", "2026-03-14");
    round(&two, &school, "数学", 4, "review", "2026-05-14");
    carry(&one, &world.hub);
    carry(&two, &world.hub);
    let year = |node: &Node| visit(node, &first).unwrap().unwrap().year;
    // A mentor does not read what another wrote; the county reads all of it.
    assert_eq!(year(&one)[0].why[0], "已送教 2 轮，还缺第 3、4 轮");
    assert!(
        year(&world.hub).iter().all(|f| f.fit == Fit::Met),
        "{:#?}",
        year(&world.hub)
    );
}

#[test]
fn what_both_sign_is_the_sheet_with_all_that_hangs_on_it() {
    let world = World::new();
    let school = world.school_with_teachers();
    let elsewhere = world.school("白沙小学");
    let far = world.device("白沙小学 办公室", Role::School, &elsewhere);
    let stranger = save_teacher(&far, &by(), &elsewhere, None, teacher_named("钱㙇")).unwrap();
    let laptop = mentor(&world, "zj01", &[&school.id, &elsewhere]);
    carry(&school.node, &laptop);
    carry(&far, &laptop);
    let id = week(&laptop, &school.id, "");
    member(&laptop, &id, "周𬭊", "local");
    // Nobody of another school teaches or signs here.
    assert_eq!(
        refused(day(&laptop, &id, "2025-10-13", "diagnosis", &stranger)),
        ["teacher"]
    );
    assert_eq!(refused(sign_here(&laptop, &id, "school", &stranger)), ["person"]);
    assert_eq!(
        refused(sign_here(&laptop, &id, "mentor", &school.persons[0])),
        ["person"]
    );
    let mentors = sign_here(&laptop, &id, "mentor", "").unwrap();
    assert_eq!(
        sign_here(&laptop, &id, "mentor", "").unwrap(),
        mentors,
        "twice is once"
    );
    let signed = |node: &Node| visit(node, &id).unwrap().unwrap().signed;
    assert_eq!(
        signed(&laptop).sides.iter().map(Side::signed).collect::<Vec<_>>(),
        [true, false]
    );
    sign_here(&laptop, &id, "school", &school.persons[0]).unwrap();
    let stand = |node: &Node| visit(node, &id).unwrap().unwrap().row.entry.stand.unwrap();
    assert_eq!(
        (stand(&laptop).code.as_str(), stand(&laptop).unsigned),
        ("signed", false)
    );

    // The school reads it, sees who signed on which device, and signs nothing there.
    carry(&laptop, &school.node);
    let seen = visit(&school.node, &id).unwrap().unwrap();
    assert!(!seen.own && seen.team.len() == 1);
    let hand = seen.signed.sides[1].signature.as_ref().unwrap();
    assert!(hand.holds && seen.signed.sides[1].role == "school");
    assert_eq!((hand.name.as_str(), hand.capacity[0].as_str()), ("王𬭊", "校长"));
    assert!(sign_here(&school.node, &id, "school", &school.persons[1]).is_err());

    // A further task that is done later is no change; a further day is one, for every reader.
    let task = [
        ("visit", Value::from(id.as_str())),
        ("task", "每组一份学具".into()),
        ("who", "教务处".into()),
        ("due", "2025-11-10".into()),
    ];
    let task = write(&laptop, "visit_task", &task).unwrap();
    assert!(stand(&laptop).unsigned && signed(&laptop).changed());
    for (side, person) in [("mentor", ""), ("school", school.persons[0].as_str())] {
        sign_here(&laptop, &id, side, person).unwrap();
    }
    take_step(&laptop, &by(), Actor::Mentor, "visit_task", &task, "done", "").unwrap();
    assert!(
        !stand(&laptop).unsigned,
        "that it was done is no change of what was signed"
    );
    let late = day(&laptop, &id, "2025-10-13", "diagnosis", &school.persons[1]).unwrap();
    carry(&laptop, &school.node);
    for node in [&laptop, &school.node] {
        assert!(stand(node).unsigned && signed(node).sides.iter().all(Side::changed));
    }
    // Taken back, it says again what was signed.
    take_step(
        &laptop,
        &by(),
        Actor::Mentor,
        "visit_day",
        &late,
        "void",
        "记错了",
    )
    .unwrap();
    assert!(!stand(&laptop).unsigned);
}

#[test]
fn the_countys_plan_reaches_whom_it_names() {
    let world = World::new();
    let (school, other) = (world.school("石桥小学"), world.school("白沙小学"));
    let plan = |mentor: &str, to: &str, from: &str| {
        let values = [
            ("mentor", Value::from(mentor)),
            ("school", to.into()),
            ("visit_kind", "delivery".into()),
            ("from", from.into()),
            ("to", from.into()),
            ("purpose", "第一轮：诊断示范".into()),
        ];
        save_entry(
            &world.hub,
            &by(),
            Actor::County,
            input("visit_plan", None, &values),
        )
        .unwrap()
    };
    let mine = plan("ZJ01", &school, "2025-10-13");
    plan("zj02", &school, "2025-10-14");
    plan("zj01", &other, "2025-10-15");
    let laptop = mentor(&world, "zj01", &[&school]);
    let pc = world.device("石桥小学 办公室", Role::School, &school);
    let seen = assignments(&laptop).unwrap();
    let ids: Vec<&str> = seen.iter().map(|a| a.entry.id.as_str()).collect();
    assert_eq!(
        ids,
        [mine.as_str()],
        "neither another mentor's nor a school that was not given"
    );
    assert_eq!(
        (seen[0].school_name.as_str(), seen[0].visits.len()),
        ("石桥小学", 0)
    );
    assert_eq!(assignments(&pc).unwrap().len(), 2);
    assert_eq!(assignments(&world.hub).unwrap().len(), 3);
    // Mentors write no plan.
    assert!(write(&laptop, "visit_plan", &[("mentor", "zj01".into())]).is_err());
    let values = [
        ("host", Value::from(school.as_str())),
        ("plan", mine.as_str().into()),
        ("visit_kind", "delivery".into()),
        ("theme", "诊断示范".into()),
        ("from", "2025-10-13".into()),
        ("to", "2025-10-13".into()),
        ("summary", "听课四节".into()),
    ];
    let visit = write(&laptop, "visit", &values).unwrap();
    assert_eq!(assignments(&laptop).unwrap()[0].visits, [visit]);
    // Nothing of the school has come yet.
    assert_eq!(taken_along(&laptop, &school).unwrap(), TakenAlong::default());
    save_teacher(&pc, &by(), &school, None, teacher_named("王𬭊")).unwrap();
    carry(&pc, &laptop);
    let taken = taken_along(&laptop, &school).unwrap();
    assert!(taken.base.is_some() && taken.log.is_none());
}
