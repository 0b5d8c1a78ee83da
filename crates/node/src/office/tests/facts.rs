//! What a person is and has agreed reaches the rules: cards of real nodes for the rows whose figures
//! `records/src/rules/oracles` works out by hand.

use records::date::parse_stored_date;
use records::kinds::Actor;
use records::rules::Reason;
use records::{CreditCard, Value};

use super::entries::input;
use super::*;
use crate::Filter;

const ON: &str = "2025-12-01";

/// Everybody present in a session is recognised by the county; both sides know.
fn earned(world: &World, school: &School, session: &SessionInput, more: &[(&str, Value)]) -> String {
    let id = save_session(&school.node, &by(), &school.id, None, session.clone()).unwrap();
    if !more.is_empty() {
        save_entry(
            &school.node,
            &by(),
            Actor::Clerk,
            input("session", Some(&id), more),
        )
        .unwrap();
    }
    school.mark(&school.node, &id, ["present"; 3]);
    end_session(&school.node, &by(), &id).unwrap();
    register_claims(&school.node, &by(), &id, "2025-10-20").unwrap();
    recognise_all(world, school);
    id
}

/// A photo whose three sizes are these bytes.
fn files(bytes: &[u8]) -> PhotoFiles {
    PhotoFiles {
        preview: bytes.to_vec(),
        copy: bytes.to_vec(),
        original: None,
    }
}

fn recognise_all(world: &World, school: &School) {
    carry(&school.node, &world.hub);
    for claim in audit_queue(&world.hub, 100).unwrap() {
        decide(
            &world.hub,
            &auditor(),
            &claim.id,
            "recognised",
            None,
            "",
            "",
            "2025-10-21",
        )
        .unwrap();
    }
    carry(&world.hub, &school.node);
}

fn teacher_is(school: &School, person: usize, input: TeacherInput) {
    let known = teacher(&school.node, &school.persons[person]).unwrap().unwrap();
    let input = TeacherInput {
        name: known.name,
        ..input
    };
    save_teacher(
        &school.node,
        &by(),
        &school.id,
        Some(&school.persons[person]),
        input,
    )
    .unwrap();
}

fn card(school: &School, person: usize) -> CreditCard {
    credit_card(&school.node, &school.persons[person])
        .unwrap()
        .unwrap()
        .card
}

fn others(school: &School, person: usize) -> Vec<CreditCard> {
    let on = parse_stored_date(ON).unwrap();
    credit_cards(&school.node, &school.persons[person], on)
        .unwrap()
        .unwrap()
        .1
}

/// D17: of the five required courses, a wants a note by hand and b the list of who has passed.
#[test]
fn a_required_course_is_met_by_what_shows_it() {
    let world = World::new();
    let school = world.school_with_teachers();
    let course = |code: &str, title: &str| {
        let fields = [("title", Value::from(title)), ("code", code.into())];
        let new = input("course", None, &fields);
        let id = save_entry(&world.hub, &by(), Actor::County, new).unwrap();
        take_step(&world.hub, &by(), Actor::County, "course", &id, "published", "").unwrap();
        id
    };
    let (ethics, ict) = (course("a", "教师职业理想与道德"), course("b", "教育技术能力"));
    carry(&world.hub, &school.node);
    let held = |course: &str, day: &str| {
        let session = SessionInput {
            date: day.into(),
            ..a_session()
        };
        earned(&world, &school, &session, &[("course", course.into())])
    };
    let (first, second) = (held(&ethics, "2025-10-15"), held(&ict, "2025-10-16"));
    let met = |person: usize, code: &str| {
        let card = others(&school, person).remove(1);
        let course = card.courses.iter().find(|course| course.id == code).unwrap();
        assert_eq!(course.hours_c, 150, "{code} is known by its record");
        course.met
    };
    assert_eq!([met(0, "a"), met(1, "a"), met(0, "b")], [false; 3]);
    // A note of one person shows the course for that person alone.
    let note = PhotoInput {
        kind: "handwritten_note".into(),
        person: school.persons[0].clone(),
        ..PhotoInput::default()
    };
    add_photo(&school.node, &by(), &first, &note, &files(b"jpeg")).unwrap();
    assert_eq!([met(0, "a"), met(1, "a")], [true, false]);
    let photos = photos(&school.node, &[&first]).unwrap();
    assert_eq!(photos[&(school.id.clone(), first)][0].person_name, "王𬭊");
    for (person, result) in [(0, "passed"), (1, "failed")] {
        let passed = [
            ("session", Value::from(second.as_str())),
            ("person", school.persons[person].as_str().into()),
            ("date", "2025-10-16".into()),
            ("result", result.into()),
        ];
        save_entry(
            &school.node,
            &by(),
            Actor::Clerk,
            input("assessment", None, &passed),
        )
        .unwrap();
    }
    assert_eq!([met(0, "b"), met(1, "b")], [true, false]);
    // A picture of the list says of nobody that this one stands on it.
    let list = PhotoInput {
        kind: "pass_list".into(),
        ..PhotoInput::default()
    };
    add_photo(&school.node, &by(), &second, &list, &files(b"list")).unwrap();
    assert_eq!([met(0, "b"), met(1, "b"), met(2, "b")], [true, false, false]);
}

/// D24, D26: who is a homeroom teacher lacks the topic until it was taken; a senior is asked for 54.
#[test]
fn a_homeroom_teacher_and_a_senior_are_asked_for_more() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (mut homeroom, mut senior) = (teacher_named(""), teacher_named(""));
    homeroom.homeroom = true;
    senior.title = "senior".into();
    senior.stage = "junior".into();
    teacher_is(&school, 0, homeroom);
    teacher_is(&school, 1, senior);
    let topic = |person: usize| {
        card(&school, person)
            .requirement("homeroom.topic")
            .map(|o| (o.earned_c, o.met))
    };
    assert_eq!([topic(0), topic(1)], [Some((0, false)), None]);
    assert_eq!(card(&school, 0).total().unwrap().min_c, 3600);
    assert_eq!(card(&school, 1).total().unwrap().min_c, 5400);
    let training = SessionInput {
        theme: "班主任专题培训".into(),
        category: "knowledge_skill".into(),
        channel: "city".into(),
        hours_c: 3000,
        ..a_session()
    };
    earned(&world, &school, &training, &[]);
    // 30 学时 = 3 学分.
    assert_eq!(topic(0), Some((300, true)));
}

/// D25: 见习期 by a list of trainings outside, whose project is the name that the rules know.
#[test]
fn an_imported_induction_year_is_known_as_one() {
    let world = World::new();
    let school = world.school_with_teachers();
    let mut novice = teacher_named("");
    novice.teaching_from = Some(2025);
    teacher_is(&school, 0, novice);
    let row = OutsideRow {
        person: school.persons[0].clone(),
        training: OutsideInput {
            project: "见习期规范化培训".into(),
            organiser: "县教师发展中心".into(),
            from: "2025-10-15".into(),
            form: "intensive".into(),
            category: "practice".into(),
            channel: "district".into(),
            hours_c: 12000,
            ..OutsideInput::default()
        },
        ..OutsideRow::default()
    };
    let file = ImportFile {
        id: "01".repeat(16),
        what: "outside".into(),
        name: "校外学时.xlsx".into(),
        ..ImportFile::default()
    };
    assert_eq!(
        import_outside(&school.node, &by(), &file, vec![row], "2025-10-20").unwrap(),
        1
    );
    let induction = || {
        card(&school, 0)
            .requirement("novice.induction")
            .map(|o| (o.earned_c, o.met))
    };
    assert_eq!(induction(), Some((0, false)));
    recognise_all(&world, &school);
    // 120 学时 = 12 学分.
    assert_eq!(induction(), Some((1200, true)));
}

/// D27: electives are waived by what the teacher has signed and the head agreed to, and no longer once it is
/// withdrawn.
#[test]
fn an_agreed_waiver_changes_what_is_asked() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    let asked = |person: usize| {
        let card = card(&school, person);
        let city = card.requirement("ch.city").unwrap();
        (card.total().unwrap().min_c, city.waived)
    };
    assert_eq!(asked(0), (3600, false));
    let wish = [
        ("person", Value::from(school.persons[0].as_str())),
        ("channels", "city district".into()),
        ("applied_on", "2025-09-10".into()),
        ("retire_year", Value::Int(2029)),
        ("state", "applied".into()),
    ];
    let waiver = save_entry(node, &by(), Actor::Clerk, input("waiver", None, &wish)).unwrap();
    let step =
        |who: Actor, to: &str, reason: &str| take_step(node, &by(), who, "waiver", &waiver, to, reason);
    assert!(step(Actor::Leader, "agreed", "").is_err(), "nobody has signed");
    assert_eq!(asked(0), (3600, false), "a wish alone changes nothing");
    let hand = Hand::Paper(school.persons[0].clone());
    sign(
        node,
        &by(),
        Actor::Clerk,
        &waiver,
        "participant",
        "2025-09-11",
        hand,
    )
    .unwrap();
    step(Actor::Leader, "agreed", "").unwrap();
    assert_eq!(asked(0), (1800, true));
    assert_eq!(asked(1), (3600, false));
    step(Actor::Clerk, "withdrawn", "继续参加").unwrap();
    assert_eq!(asked(0), (3600, false));
}

/// A20, D03, B09: who is a backbone teacher or a reserve cadre has R6 on the card, by what was heard, debriefed,
/// given and recognised; the school's twenty lessons count each lesson once.
#[test]
fn parts_of_a_person_bring_their_quotas() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    assert_eq!(others(&school, 0).len(), 2, "nobody else is asked by R6");
    for (person, part) in [(0, "town_backbone"), (1, "reserve")] {
        let mut input = teacher_named("");
        input.parts = Some(part.into());
        teacher_is(&school, person, input);
    }
    let lesson = |teacher: usize, day: &str, kind: &str| {
        let fields = [
            ("teacher", Value::from(school.persons[teacher].as_str())),
            ("date", day.into()),
            ("subject", "语文".into()),
            ("topic", "《㙇字的来历》".into()),
            ("lesson_kind", kind.into()),
            ("level", "town".into()),
            ("state", "taught".into()),
        ];
        save_entry(node, &by(), Actor::Clerk, input("lesson", None, &fields)).unwrap()
    };
    lesson(0, "2025-10-15", "open");
    let heard = lesson(2, "2025-10-16", "ordinary");
    for observer in [0, 1] {
        let sheet = [
            ("lesson", Value::from(heard.as_str())),
            ("observer", school.persons[observer].as_str().into()),
            ("observer_role", "peer".into()),
            ("date", "2025-10-16".into()),
            ("debrief_by", "㙇伟".into()),
            ("debrief_on", "2025-10-16".into()),
            ("debrief_place", "语文组办公室".into()),
        ];
        let sheet = save_entry(node, &by(), Actor::Teacher, input("observation", None, &sheet)).unwrap();
        if observer == 0 {
            take_step(
                node,
                &by(),
                Actor::Teacher,
                "observation",
                &sheet,
                "debriefed",
                "",
            )
            .unwrap();
        }
    }
    let session = earned(
        &world,
        &school,
        &SessionInput {
            hours_c: 600,
            ..a_session()
        },
        &[],
    );
    let quota = |person: usize, id: &str| {
        let card = others(&school, person).remove(2);
        let outcome = card.requirement(id).unwrap();
        (outcome.earned_c, outcome.met)
    };
    assert_eq!(quota(0, "backbone.listen"), (100, false));
    assert_eq!(quota(0, "backbone.debrief"), (100, false));
    assert_eq!(quota(0, "backbone.open_class"), (100, false));
    // 6 of 60 hours, and only with the notes.
    assert_eq!(quota(1, "cadre.hours").0, 0);
    let note = PhotoInput {
        kind: "handwritten_note".into(),
        ..PhotoInput::default()
    };
    add_photo(node, &by(), &session, &note, &files(b"jpeg")).unwrap();
    assert_eq!(quota(1, "cadre.hours"), (600, false));
    assert_eq!(others(&school, 2).len(), 2);
    let on = parse_stored_date(ON).unwrap();
    let page = listening(node, &school.id, on, on).unwrap();
    let counted: Vec<(&str, i64)> = page.school.iter().map(|o| (o.id.as_str(), o.earned_c)).collect();
    assert_eq!(
        counted,
        [("school.open_class", 100), ("school.listen_debrief", 100)]
    );
}

/// A08: the weekly 政治学习 is 师德 from the plan on; A07, B12: the sessions carry the group.
#[test]
fn sessions_of_a_plan_say_their_sub_category_and_group() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    let group = [
        ("name", Value::from("语文教研组")),
        ("group_kind", "research".into()),
        ("from", "2025-09-01".into()),
        ("state", "running".into()),
    ];
    let group = save_entry(node, &by(), Actor::Clerk, input("group", None, &group)).unwrap();
    let plan = [
        ("title", Value::from("周三政治学习")),
        ("series_kind", "weekly_plan".into()),
        ("from", "2025-09-01".into()),
        ("to", "2025-09-30".into()),
        ("every", "week".into()),
        ("weekday", "wed".into()),
        ("form", "school_based".into()),
        ("category", "ethics_literacy".into()),
        ("sub", "ethics".into()),
        ("group", group.as_str().into()),
        ("hours_c", Value::Int(100)),
    ];
    let series = save_entry(node, &by(), Actor::Clerk, input("series", None, &plan)).unwrap();
    assert_eq!(enter_series(node, &by(), &series).unwrap(), 4);
    for session in node.records(&Filter::kind("session")).unwrap() {
        assert_eq!(
            (session.text("sub"), session.text("group")),
            ("ethics", group.as_str())
        );
    }
}

/// A row of the first version of its form takes a field that came later, and says so.
#[test]
fn a_row_of_an_older_form_takes_a_part() {
    let world = World::new();
    let school = world.school_with_teachers();
    let node = &school.node;
    let row = node
        .records(&Filter::kind("staff_fact").person(&school.persons[0]))
        .unwrap()
        .remove(0);
    let older = crate::Edit {
        id: row.id.clone(),
        fields: vec![("_kind".into(), Some("staff_fact/1".into()))],
    };
    node.commit(&row.doc, vec![older]).unwrap();
    let mut input = teacher_named("");
    input.parts = Some("reserve".into());
    teacher_is(&school, 0, input);
    let now = node.record(&row.id).unwrap().unwrap();
    assert_eq!(
        (now.text("_kind"), now.text("parts")),
        ("staff_fact/2", "reserve")
    );
    assert_eq!(others(&school, 0).len(), 3);
}

/// R1, 实践体验: where the county wants the plan filed whatever is decided on the claim, its word on the session or on
/// the filing package that the session belongs to is that filing, as long as it is on what stands there.
#[test]
fn a_plan_that_the_county_has_filed_opens_the_gate() {
    let world = World::new();
    let school = world.school_with_teachers();
    let (node, hub) = (&school.node, &world.hub);
    let strict = include_str!("../../../../records/rules/r1_five_year_36_54.toml")
        .replace("\nversion = 1\n", "\nversion = 2\n")
        .replace(
            "approval_covers_filing = true ",
            "approval_covers_filing = false ",
        );
    publish(hub, &by(), &strict, "2025-09-01", "方案一律报备案").unwrap();
    carry(hub, node);
    let filed = |about: &str| {
        let word = [
            ("about", Value::from(about)),
            ("verdict", "filed".into()),
            ("decided_on", "2025-10-10".into()),
        ];
        carry(node, hub);
        save_entry(hub, &by(), Actor::Auditor, input("filing_decision", None, &word)).unwrap();
        carry(hub, node);
    };
    let more = [
        ("theme", Value::from("读懂㙇同学的错误")),
        ("participants", "全体教师".into()),
        ("assessment", "notes".into()),
        ("methods", "case discussion".into()),
    ];
    let own = school.ended_session();
    let handed_in = save_session(node, &by(), &school.id, None, a_session()).unwrap();
    save_entry(
        node,
        &by(),
        Actor::Clerk,
        input("session", Some(&handed_in), &more),
    )
    .unwrap();
    let step =
        |kind: &str, id: &str, to: &str| take_step(node, &by(), Actor::Clerk, kind, id, to, "").unwrap();
    step("session", &handed_in, "submitted_for_filing");
    filed(&handed_in);
    let package = [
        ("title", Value::from("研课磨课课程")),
        ("gate", "file".into()),
        ("category", "practice".into()),
        ("begins_on", "2025-10-01".into()),
        ("ends_on", "2025-12-31".into()),
        ("hours_c", Value::from(3000)),
        ("content", "十次研课".into()),
        ("participants", "全体教师".into()),
        ("assessment", "考勤与心得".into()),
        ("responsible", "李专管员".into()),
        ("principal_agrees", Value::from(true)),
    ];
    let package = save_entry(node, &by(), Actor::Clerk, input("filing_package", None, &package)).unwrap();
    step("filing_package", &package, "submitted_for_filing");
    filed(&package);
    let of_package = save_session(node, &by(), &school.id, None, a_session()).unwrap();
    let link = [("package", Value::from(package.as_str()))];
    save_entry(
        node,
        &by(),
        Actor::Clerk,
        input("session", Some(&of_package), &link),
    )
    .unwrap();
    for session in [&handed_in, &of_package] {
        school.mark(node, session, ["present"; 3]);
        end_session(node, &by(), session).unwrap();
    }
    // On three days, so that no two are for one time.
    let on = |session: &str, date: &str| {
        let fields = [("date", Value::from(date))];
        save_entry(
            node,
            &by(),
            Actor::Clerk,
            input("session", Some(session), &fields),
        )
        .unwrap();
    };
    on(&own, "2025-10-16");
    on(&of_package, "2025-10-17");
    for session in [&own, &handed_in, &of_package] {
        register_claims(node, &by(), session, "2025-10-18").unwrap();
    }
    let decide_all = || {
        carry(node, hub);
        for claim in audit_queue(hub, 100).unwrap() {
            decide(hub, &by(), &claim.id, "recognised", None, "", "", ON).unwrap();
        }
        carry(hub, node);
    };
    decide_all();
    let counted = |session: &str| {
        let card = credit_card(node, &school.persons[0]).unwrap().unwrap();
        let line = card.lines.iter().find(|line| line.session == session).unwrap();
        let account = card.card.account(&line.id).unwrap();
        (account.amount_c, account.reason)
    };
    assert_eq!(counted(&own), (0, Some(Reason::NotFiled)));
    assert_eq!(counted(&of_package), (15, None));
    assert_eq!(counted(&handed_in), (15, None));
    // What the county has filed was on another day.
    on(&handed_in, "2025-10-14");
    decide_all();
    assert_eq!(counted(&handed_in), (0, Some(Reason::NotFiled)));
}
