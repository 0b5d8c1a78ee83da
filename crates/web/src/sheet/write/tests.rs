//! What is written can be read by people, and by the import.

use super::county::sample_facts;
use super::*;
use crate::sheet::grid::{Workbook, read};
use crate::sheet::roster::{HomeSchool, RosterContext, Severity, plan_roster};
use node::Way;
use node::office::{ClaimRow, ClaimState, Teacher};
use records::sample::{County, CountySize};

fn teacher(id: &str, name: &str, status: &str) -> Teacher {
    Teacher {
        id: id.into(),
        teacher_code: format!("00{id}"),
        name: name.into(),
        sex: "2".into(),
        birth_year: Some(1985),
        status: status.into(),
        post: "teacher".into(),
        title: "first".into(),
        subject: "语文".into(),
        stage: "primary".into(),
        homeroom: true,
        parts: String::new(),
        teaching_from: Some(2008),
        from: "2025-09-01".into(),
        school: "s".into(),
        way: Way::Saved,
        whereabouts: node::office::Whereabouts::default(),
        disputed: false,
    }
}

fn heads() -> Heads {
    Heads {
        school_name: "云岭县河口镇中心小学".into(),
        school_code: "2168000012".into(),
        cutoff: "2026-01-10 #1a2b3c4d".into(),
        ruleset: "五年36/54学分（seed003.five-year-36-54/1）".into(),
        made_on: "2026-01-12".into(),
    }
}

fn school_context(teachers: Vec<crate::sheet::roster::KnownTeacher>) -> RosterContext {
    RosterContext {
        home_school: Some(HomeSchool {
            id: "s".into(),
            name: "云岭县河口镇中心小学".into(),
            short_name: String::new(),
            code: "2168000012".into(),
        }),
        school_year: 2025,
        teachers,
        ..RosterContext::default()
    }
}

#[test]
fn the_countys_workbook_is_imported_whole() {
    let county = County::generate(7);
    let bytes = county_roster(&county).unwrap();
    assert_eq!(bytes, county_roster(&county).unwrap());
    let book = read(&bytes, "花名册.xlsx").unwrap();
    let at_county = RosterContext {
        is_county: true,
        school_year: 2025,
        ..RosterContext::default()
    };
    let plan = plan_roster(&book, &at_county);
    assert_eq!(plan.found.problems, []);
    assert_eq!(plan.organisations.add.len(), county.schools.len());
    assert_eq!(plan.found.skipped.teachers_at_county, county.teachers.len());
    assert!(
        plan.found.notes.iter().any(|n| n.zh.contains("1640")),
        "{:?}",
        plan.found.notes
    );
    for (row, school) in plan.organisations.add.iter().zip(&county.schools) {
        assert_eq!(row.facts.name, school.name);
        assert_eq!(row.facts.short_name, school.short_name);
        assert_eq!(row.facts.school_code, school.school_code);
        assert_eq!(row.facts.org_kind, school.kind.org_kind());
        assert_eq!(row.facts.rural, school.rural);
    }

    let mut imported = 0;
    for (index, school) in county.schools.iter().enumerate() {
        let home = HomeSchool {
            id: index.to_string(),
            name: school.name.clone(),
            short_name: school.short_name.clone(),
            code: school.school_code.clone(),
        };
        let context = RosterContext {
            home_school: Some(home),
            school_year: 2025,
            ..RosterContext::default()
        };
        let plan = plan_roster(&book, &context);
        assert!(
            plan.found.problems.iter().all(|p| p.severity == Severity::Warn),
            "{:?}",
            plan.found.problems
        );
        let expected: Vec<TeacherFacts> = county
            .teachers_of(index)
            .map(|at| TeacherFacts {
                from: "2025-09-01".into(),
                ..sample_facts(&county.teachers[at])
            })
            .collect();
        let got: Vec<TeacherFacts> = plan.teachers.new.iter().map(|t| t.facts.clone()).collect();
        assert_eq!(got, expected, "{}", school.name);
        imported += got.len();
    }
    assert_eq!(imported, 1640);
}

#[test]
fn other_sizes_can_be_written_too() {
    let size = CountySize::published();
    assert!(county_roster(&County::of_size(1, size)).is_ok());
}

#[test]
fn an_exported_roster_comes_back_unchanged() {
    let teachers = [
        teacher("1", "张𬭊", "serving"),
        teacher("2", "㙇玉", "maternity"),
        teacher("3", "买买提·艾力", "serving"),
    ];
    for bytes in [
        roster_xlsx(&teachers, &heads()).unwrap(),
        roster_csv(&teachers, &heads()).unwrap(),
    ] {
        let book = read(&bytes, "花名册.csv").unwrap();
        let first = plan_roster(&book, &school_context(vec![]));
        assert_eq!(first.found.problems, []);
        let got: Vec<TeacherFacts> = first.teachers.new.iter().map(|t| t.facts.clone()).collect();
        assert_eq!(got, teachers.iter().map(facts).collect::<Vec<_>>());
        let known = teachers
            .iter()
            .map(|t| crate::sheet::roster::KnownTeacher {
                id: t.id.clone(),
                facts: facts(t),
            })
            .collect();
        let second = plan_roster(&book, &school_context(known));
        assert!(second.is_empty());
        assert_eq!(second.teachers.same, 3);
    }
}

fn claim(person: &str, state: ClaimState) -> ClaimRow {
    ClaimRow {
        id: format!("claim-{person}"),
        school: "s".into(),
        school_name: "云岭县河口镇中心小学".into(),
        person: person.into(),
        person_name: "张𬭊".into(),
        session: "x".into(),
        session_title: "=第３次研课磨课".into(),
        date: "2025-10-15".into(),
        category: "practice".into(),
        sub: String::new(),
        channel: "school".into(),
        hours_c: 150,
        credits_c: 15,
        claimed_on: "2025-10-16".into(),
        claimed_by: String::new(),
        state,
        disputed: false,
        waits: node::office::Waits::No,
        late: false,
        closed: false,
    }
}

fn decided(verdict: &str, credits_c: i64) -> ClaimState {
    ClaimState::Decided {
        verdict: verdict.into(),
        credits_c,
        hours_c: credits_c * 10,
        reason: "over_cap".into(),
        note: "超出上限".into(),
        by: "王审核".into(),
        on: "2025-11-01".into(),
    }
}

fn texts(book: &Workbook, row: usize) -> Vec<String> {
    book.sheets[0].rows[row]
        .iter()
        .map(|c| c.text().into_owned())
        .collect()
}

#[test]
fn claims_in_the_order_of_form_f8() {
    let line = |person, state| ClaimLine {
        claim: claim(person, state),
        teacher_code: "2168012001".into(),
        theme: "朗读教学".into(),
        form: "mutual_inquiry".into(),
        more: ClaimMore::default(),
    };
    let lines = [line("1", decided("reduced", 10)), line("2", ClaimState::AtCounty)];
    let csv = read(&claims_csv(&lines, &heads()).unwrap(), "x.csv").unwrap();
    let heading = "序号,姓名,教师编号,项目/活动名称,主题,形式,主办单位,起止,学时,类别,渠道,折算学分,证明材料,考核结果,专管员,校长,公示起止,异议,县审核意见,审核人,审核日期,登记号";
    assert_eq!(texts(&csv, 0).join(","), heading);
    let row = texts(&csv, 1);
    assert_eq!(row[..4], ["1", "张𬭊", "2168012001", "=第３次研课磨课"]);
    assert_eq!(
        row[5..12],
        [
            "互助探究",
            "云岭县河口镇中心小学",
            "2025-10-15",
            "1.5",
            "实践体验",
            "校级（校本研修）",
            "0.15"
        ]
    );
    assert_eq!(
        row[18..],
        ["核减为 0.1 学分：超出上限", "王审核", "2025-11-01", "claim-1"]
    );
    assert_eq!(texts(&csv, 2)[18], "已到县，待审核");
    let last = texts(&csv, csv.sheets[0].rows.len() - 1);
    assert_eq!(
        last[0],
        "说明：数据截止：2026-01-10 #1a2b3c4d　　学分规则：五年36/54学分（seed003.five-year-36-54/1）"
    );

    let xlsx = read(&claims_xlsx(&lines, &heads()).unwrap(), "x.xlsx").unwrap();
    assert_eq!(texts(&xlsx, 0)[0], "云岭县河口镇中心小学学时学分登记表");
    assert!(texts(&xlsx, 1)[0].contains("学校标识码：2168000012"));
    assert!(texts(&xlsx, 2)[0].contains("学分规则：五年36/54学分"));
    assert_eq!(texts(&xlsx, 3).join(","), heading);
    let total = texts(&xlsx, 6);
    assert_eq!(
        (total[0].as_str(), total[8].as_str(), total[11].as_str()),
        ("合计", "3", "0.3")
    );
}

#[test]
fn a_schools_summary_counts_only_what_counts() {
    let teachers = [
        teacher("1", "张三", "serving"),
        teacher("2", "李四", "serving"),
        teacher("3", "王五", "serving"),
        teacher("4", "赵六", "retired"),
    ];
    let mut unsettled = claim("2", decided("recognised", 500));
    unsettled.disputed = true;
    let claims = [
        claim("1", decided("recognised", 15)),
        claim("1", decided("reduced", 10)),
        claim("1", decided("rejected", 0)),
        claim("1", decided("returned", 0)),
        claim("3", ClaimState::AtCounty),
        claim("4", ClaimState::SavedAtSchool),
        unsettled,
    ];
    let mut summary = SchoolSummary::of("河口小学", &teachers, &claims);
    assert_eq!((summary.due, summary.took_part), (3, 2));
    assert_eq!(summary.credits_c, [("practice".to_owned(), 25)].into());
    assert_eq!(
        (
            summary.recognised,
            summary.rejected,
            summary.returned,
            summary.waiting
        ),
        (2, 1, 1, 3)
    );
    assert_eq!(summary.school_hours_c, 250);
    summary.met = Some(1);
    summary.unmet = vec!["李四".into(), "王五".into()];
    let book = read(
        &school_summary_csv(&[summary.clone()], &heads()).unwrap(),
        "x.csv",
    )
    .unwrap();
    let row = texts(&book, 1);
    assert_eq!(
        row[..12],
        [
            "河口小学",
            "3",
            "2",
            "0.0",
            "0.0",
            "0.25",
            "0.25",
            "0.08",
            "1",
            "33.3%",
            "李四、王五",
            "2.5"
        ]
    );
    assert!(school_summary_xlsx(&[summary], &heads()).is_ok());
}

/// Through the real node: what the plan says is written, and a second import plans nothing.
#[test]
fn the_countys_file_twice_through_a_real_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = node::Node::init_county(dir.path(), "云岭县").unwrap();
    let by = node::office::By {
        account: "李专管员".into(),
    };
    let county = County::generate(7);
    let book = read(&county_roster(&county).unwrap(), "花名册.xlsx").unwrap();
    let plan = plan_roster(&book, &crate::import::context(&node, 2025).unwrap());
    assert!(plan.organisations.add.iter().any(|o| !o.parent_name.is_empty()));
    assert_eq!(crate::import::apply(&node, &by, &plan, None).unwrap(), 45);
    let known = node::office::organisations(&node).unwrap();
    assert_eq!(known.len(), 45);
    for school in &county.schools {
        let above = super::county::central_school(&county, school);
        let written = known.iter().find(|o| o.name == school.name).unwrap();
        let parent = known.iter().find(|o| o.id == written.parent);
        assert_eq!(parent.map_or("", |o| o.name.as_str()), above);
    }
    let again = plan_roster(&book, &crate::import::context(&node, 2025).unwrap());
    assert!(again.is_empty(), "{:?}", again.organisations.change);
    assert_eq!(again.organisations.same, 45);
    assert_eq!(crate::import::apply(&node, &by, &again, None).unwrap(), 0);
}
