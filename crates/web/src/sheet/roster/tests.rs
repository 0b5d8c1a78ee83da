//! Plans against files as schools and counties hand them over.

use super::*;
use crate::sheet::grid::{Workbook, read};
use encoding_rs::GB18030;

const HOME: &str = "0197a1b2-3c4d-7e5f-8a6b-0123456789ab";

fn school(teachers: Vec<KnownTeacher>) -> RosterContext {
    RosterContext {
        home_school: Some(HomeSchool {
            id: HOME.into(),
            name: "云岭县河口镇中心小学".into(),
            short_name: "河口中心小学".into(),
            code: "2168000012".into(),
        }),
        school_year: 2025,
        teachers,
        ..RosterContext::default()
    }
}

fn county(organisations: Vec<KnownOrganisation>) -> RosterContext {
    RosterContext {
        is_county: true,
        school_year: 2025,
        organisations,
        ..RosterContext::default()
    }
}

fn csv(text: &str) -> Workbook {
    read(text.as_bytes(), "花名册.csv").unwrap()
}

/// The teachers known after a plan was applied.
fn after(plan: &RosterPlan, before: &[KnownTeacher]) -> Vec<KnownTeacher> {
    let mut all = before.to_vec();
    for row in &plan.teachers.changed {
        let id = row.id.clone().unwrap();
        all.iter_mut().find(|t| t.id == id).unwrap().facts = row.facts.clone();
    }
    for (number, row) in plan.teachers.new.iter().enumerate() {
        all.push(KnownTeacher {
            id: format!("t{}", before.len() + number),
            facts: row.facts.clone(),
        });
    }
    all
}

fn organisations_after(plan: &RosterPlan) -> Vec<KnownOrganisation> {
    let id = |name: &str| format!("id of {name}");
    let rows = plan.organisations.add.iter();
    rows.map(|row| {
        let mut facts = row.facts.clone();
        if !row.parent_name.is_empty() {
            facts.parent = id(&row.parent_name);
        }
        KnownOrganisation {
            id: id(&facts.name),
            facts,
        }
    })
    .collect()
}

fn at(plan: &RosterPlan, cell: &str) -> Problem {
    let found: Vec<&Problem> = plan.found.problems.iter().filter(|p| p.cell == cell).collect();
    assert_eq!(found.len(), 1, "{cell} in {:#?}", plan.found.problems);
    found[0].clone()
}

const ROSTER: &str = "\
云岭县2025学年教师花名册\r\n\
\r\n\
序号,姓　名,教师编号,性别,出生年月,学校,岗位,职称,任教学科,学段,班主任,参加工作时间,状态,身份证号,联系电话\r\n\
1,张 三,Ｔ００１,男,1985.9,河口中心小学,专任教师,一级教师,语文,小学,是,2008,在岗,x,y\r\n\
\r\n\
2,李　𬭊,T002,2,１９９０年３月,云岭县河口镇中心小学,副校长（主持工作）,小学高级,数学,小学,否,2012-09-01,在职,x,y\r\n\
,合计,2人,,,,,,,,,,,,\r\n\
3,㙇玉,T003,女,19781203,河口中心小学,教师,二级,英语,小学,三（２）班,200009,在岗,x,y\r\n\
4,王五,T900,男,1980,云岭县第一中学,教师,高级,物理,高中,否,2003,在岗,x,y\r\n\
5,,,,,河口中心小学,,,,,,,,,\r\n\
制表人：李专管员,,,,,,,,,,,,,,\r\n";

#[test]
fn a_roster_of_the_office() {
    let plan = plan_roster(&csv(ROSTER), &school(vec![]));
    assert_eq!(plan.found.problems, []);
    let names: Vec<&str> = plan.teachers.new.iter().map(|t| t.facts.name.as_str()).collect();
    assert_eq!(names, ["张三", "李𬭊", "㙇玉"]);
    assert_eq!(
        plan.teachers.new[0].facts,
        TeacherFacts {
            teacher_code: "T001".into(),
            name: "张三".into(),
            sex: "1".into(),
            birth_year: Some(1985),
            status: "serving".into(),
            post: "teacher".into(),
            title: "first".into(),
            subject: "语文".into(),
            stage: "primary".into(),
            homeroom: true,
            parts: None,
            teaching_from: Some(2008),
            from: "2025-09-01".into(),
        }
    );
    let second = &plan.teachers.new[1].facts;
    assert_eq!((second.sex.as_str(), second.birth_year), ("2", Some(1990)));
    assert_eq!(
        (second.post.as_str(), second.title.as_str()),
        ("vice_principal", "first")
    );
    assert!(plan.teachers.new[2].facts.homeroom);
    assert_eq!(plan.teachers.new[2].at, "花名册!B8");
    assert_eq!(
        (
            plan.found.skipped.blank,
            plan.found.skipped.totals,
            plan.found.skipped.remarks
        ),
        (2, 1, 1)
    );
    assert_eq!(
        plan.found.skipped.other_schools,
        [("云岭县第一中学".to_owned(), 1)].into()
    );
    assert!(
        plan.found
            .notes
            .iter()
            .any(|n| n.zh.contains("身份证号、联系电话")),
        "{:?}",
        plan.found.notes
    );
}

#[test]
fn gb18030_says_the_same() {
    let (bytes, _, unmapped) = GB18030.encode(ROSTER);
    assert!(!unmapped);
    let book = read(&bytes, "花名册.csv").unwrap();
    assert_eq!(
        plan_roster(&book, &school(vec![])),
        plan_roster(&csv(ROSTER), &school(vec![]))
    );
}

#[test]
fn a_second_import_changes_nothing() {
    let first = plan_roster(&csv(ROSTER), &school(vec![]));
    let known = after(&first, &[]);
    let second = plan_roster(&csv(ROSTER), &school(known.clone()));
    assert!(second.is_empty(), "{second:#?}");
    assert_eq!((second.teachers.same, second.teachers.not_in_file), (3, 0));
    // And it can fail: one changed cell is one change.
    let other = ROSTER.replace("1985.9", "1986.9");
    let third = plan_roster(&csv(&other), &school(known));
    assert_eq!(third.teachers.changed.len(), 1);
    assert_eq!(
        third.teachers.changed[0].changes,
        [Change {
            zh: "出生年".into(),
            en: "year of birth".into(),
            old: "1985".into(),
            new: "1986".into()
        }]
    );
}

#[test]
fn missing_columns_and_blank_cells_keep_what_is_known() {
    let known = after(&plan_roster(&csv(ROSTER), &school(vec![])), &[]);
    let short = "姓名,教师编号,职称,任教学科\n张三,T001,高级教师,\n";
    let plan = plan_roster(&csv(short), &school(known));
    assert_eq!(plan.teachers.changed.len(), 1);
    let facts = &plan.teachers.changed[0].facts;
    assert_eq!((facts.title.as_str(), facts.subject.as_str()), ("senior", "语文"));
    assert_eq!((facts.birth_year, facts.homeroom), (Some(1985), true));
    assert_eq!(plan.teachers.not_in_file, 2);
}

#[test]
fn facts_entered_later_than_the_school_year_are_changed_in_place() {
    let mut known = after(&plan_roster(&csv(ROSTER), &school(vec![])), &[]);
    known[0].facts.from = "2025-11-01".into();
    known[0].facts.title = "senior".into();
    let plan = plan_roster(&csv(ROSTER), &school(known.clone()));
    assert_eq!(plan.teachers.changed[0].facts.from, "2025-11-01");
    assert!(plan_roster(&csv(ROSTER), &school(after(&plan, &known))).is_empty());
}

#[test]
fn bad_rows_are_named_by_cell_and_stop_no_other() {
    let plan = plan_roster(
        &csv("\
姓名,教师编号,性别,出生年,职称,班主任,任教年份\n\
张三,T001,男,1985,一级,是,2008\n\
李四,T002,里,1985,一级,是,2008\n\
王五,T003,女,去年,一级,是,2008\n\
,T004,女,1985,一级,是,2008\n\
赵六,T001,女,1985,一级,是,2008\n\
钱?,T005,女,1985,一级,是,2008\n\
孙七,T006,女,2024,一级,是,2008\n\
周八,T007,女,1985,大师,待定,2008\n\
68012319800101123X,T008,女,1985,一级,是,2008\n\
吴九,680123198001011234,女,1985,一级,是,2008\n\
郑十,3.20E+17,女,1985,一级,是,2008\n\
冯一,T009,女,1985,一级,是,9月1日\n\
陈二,T010,女,1985,一级,是,2010\n"),
        &school(vec![]),
    );
    let names: Vec<&str> = plan.teachers.new.iter().map(|t| t.facts.name.as_str()).collect();
    assert_eq!(names, ["张三", "周八", "郑十", "陈二"]);
    for (cell, severity, words) in [
        ("C3", Severity::Error, "男"),
        ("D4", Severity::Error, "出生年读不出年份"),
        ("A5", Severity::Error, "缺少姓名"),
        ("B6", Severity::Error, "花名册!A2"),
        ("A7", Severity::Error, "生僻字"),
        ("D8", Severity::Error, "1920 至 2011"),
        ("E9", Severity::Warn, "不认识这个职称"),
        ("F9", Severity::Warn, "是"),
        ("B11", Severity::Error, "身份证号"),
        ("B12", Severity::Warn, "长数字丢失精度"),
        ("G13", Severity::Error, "任教年份读不出年份"),
    ] {
        let problem = at(&plan, cell);
        assert_eq!(problem.severity, severity, "{cell}");
        assert!(problem.zh.contains(words), "{cell} {}", problem.zh);
        assert_eq!(problem.sheet, "花名册");
    }
    assert!(
        plan.found
            .problems
            .iter()
            .any(|p| p.cell == "A10" && p.severity == Severity::Error)
    );
    assert!(
        !plan.found.problems.iter().any(|p| p.value.contains("1980010112")),
        "numbers are masked"
    );
    assert_eq!(plan.teachers.new[1].facts.title, "");
    assert_eq!(plan.teachers.new[2].facts.teacher_code, "");
}

#[test]
fn people_without_code() {
    let teacher = |id: &str, name: &str, code: &str, birth| KnownTeacher {
        id: id.into(),
        facts: TeacherFacts {
            name: name.into(),
            teacher_code: code.into(),
            birth_year: birth,
            status: "serving".into(),
            from: "2025-09-01".into(),
            ..TeacherFacts::default()
        },
    };
    let known = vec![
        teacher("a", "张三", "T001", Some(1985)),
        teacher("b", "张三", "T002", Some(1990)),
        teacher("c", "李四", "T003", Some(1980)),
        teacher("d", "李四", "T004", Some(1980)),
        teacher("e", "王五", "", None),
        teacher("f", "赵六", "", Some(1970)),
    ];
    let plan = plan_roster(
        &csv("\
姓名,教师编号,出生年,职称\n\
张三,,1990,一级\n\
李四,,1980,一级\n\
王五,,1975,一级\n\
赵六,T009,1970,一级\n\
赵六,T010,1970,一级\n\
孙七,,1988,一级\n\
孙七,,1988,二级\n\
孙七,,1989,二级\n\
张三,T055,1985,一级\n"),
        &school(known),
    );
    let changed: Vec<&str> = plan
        .teachers
        .changed
        .iter()
        .filter_map(|t| t.id.as_deref())
        .collect();
    assert_eq!(changed, ["b", "f"]);
    assert_eq!(plan.teachers.changed[1].facts.teacher_code, "T009");
    assert!(at(&plan, "A3").zh.contains("补教师编号"));
    assert!(at(&plan, "A4").zh.contains("补教师编号"));
    assert!(at(&plan, "A8").zh.contains("花名册!A7"));
    // Same name, same year of birth, other code: two people, with a warning when the first is known.
    assert_eq!(at(&plan, "B10").severity, Severity::Warn);
    let new: Vec<&str> = plan.teachers.new.iter().map(|t| t.at.as_str()).collect();
    assert_eq!(new, ["花名册!A6", "花名册!A7", "花名册!A9", "花名册!A10"]);
}

const SCHOOLS: &str = "\
学校名称,学校标识码,学校类别,城乡类型,行政区划代码,上级单位\n\
云岭县教师进修学校,9268000001,,县城,680123,\n\
云岭县河口镇中心小学,2168000012,中心小学,镇区,680123,云岭县教师进修学校\n\
合计,,2,,,\n\
双溪村教学点,2168000013,,乡村,,云岭县河口镇中心小学\n\
某某单位,2168000014,,乡村,,\n\
白石小学,216800001,小学,乡村,,\n\
青山小学,2168000012,小学,乡村,,\n\
松林小学,2168000016,小学,火星,,没有的学校\n";

#[test]
fn schools_at_the_county() {
    let plan = plan_roster(&csv(SCHOOLS), &county(vec![]));
    let names: Vec<&str> = plan
        .organisations
        .add
        .iter()
        .map(|o| o.facts.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "云岭县教师进修学校",
            "云岭县河口镇中心小学",
            "双溪村教学点",
            "松林小学"
        ]
    );
    let second = &plan.organisations.add[1];
    assert_eq!(
        (second.facts.org_kind.as_str(), second.facts.rural.as_str()),
        ("central_school", "township")
    );
    assert_eq!(second.parent_name, "云岭县教师进修学校");
    assert_eq!(plan.found.skipped.totals, 1);
    assert!(at(&plan, "C6").zh.contains("学校类别"));
    assert!(at(&plan, "B7").zh.contains("学校标识码"));
    assert!(at(&plan, "B8").zh.contains("重复"));
    assert_eq!(at(&plan, "D9").severity, Severity::Warn);
    assert_eq!(at(&plan, "F9").severity, Severity::Warn);

    let known = organisations_after(&plan);
    let second = plan_roster(&csv(SCHOOLS), &county(known.clone()));
    assert!(second.is_empty(), "{second:#?}");
    assert_eq!(second.organisations.same, 4);
    let renamed = plan_roster(&csv("学校,标识码\n河口实验小学,2168000012\n"), &county(known));
    assert_eq!(renamed.organisations.change[0].changes.len(), 1);
    assert_eq!(renamed.organisations.change[0].facts.org_kind, "central_school");
}

#[test]
fn two_schools_of_one_name() {
    let text = "学校,学校标识码\n光明小学,2168000021\n光明小学,2168000022\n";
    let plan = plan_roster(&csv(text), &county(vec![]));
    assert_eq!(plan.organisations.add.len(), 2, "{plan:#?}");
    let known: Vec<KnownOrganisation> = (0..1)
        .map(|n| KnownOrganisation {
            id: n.to_string(),
            facts: plan.organisations.add[n].facts.clone(),
        })
        .collect();
    let plan = plan_roster(&csv(text), &county(known));
    assert_eq!(
        (plan.organisations.add.len(), plan.organisations.same),
        (1, 1),
        "{plan:#?}"
    );
}

#[test]
fn the_county_takes_schools_but_no_names() {
    let plan = plan_roster(&csv(ROSTER), &county(vec![]));
    assert!(plan.teachers.new.is_empty());
    assert_eq!(plan.found.skipped.teachers_at_county, 4);
    assert!(
        plan.found.notes.iter().any(|n| n.zh.contains("共 4 人未导入")),
        "{:?}",
        plan.found.notes
    );
    let names: Vec<&str> = plan
        .organisations
        .add
        .iter()
        .map(|o| o.facts.name.as_str())
        .collect();
    assert_eq!(names, ["河口中心小学", "云岭县河口镇中心小学", "云岭县第一中学"]);
    assert!(plan.found.problems.iter().all(|p| p.severity == Severity::Warn));
    assert!(!format!("{:?}", plan.organisations).contains("张三"));
}

#[test]
fn a_school_takes_no_schools_and_no_unenrolled_node_anything() {
    let plan = plan_roster(&csv(SCHOOLS), &school(vec![]));
    assert!(plan.is_empty());
    assert!(plan.found.notes.iter().any(|n| n.zh.contains("由县里登记")));
    let plan = plan_roster(&csv(ROSTER), &RosterContext::default());
    assert!(plan.is_empty());
    assert!(plan.found.notes[0].zh.contains("尚未加入"));
}

#[test]
fn a_file_of_other_schools_only() {
    let plan = plan_roster(
        &csv("姓名,学校\n张三,云岭一中\n李四,云岭一中\n王五,\n"),
        &school(vec![]),
    );
    assert!(plan.is_empty());
    assert_eq!(plan.found.skipped.other_school_rows(), 2);
    assert!(plan.found.notes.iter().any(|n| n.zh.contains("云岭一中")));
    assert!(at(&plan, "B4").zh.contains("没有写学校"));
}

#[test]
fn an_unpaired_quotation_mark_is_named() {
    let mut text = String::from("姓名,任教学科\n张三,\"语文\n");
    for n in 0..60 {
        text.push_str(&format!("教师{},数学\n", char::from_u32(0x4E00 + n).unwrap()));
    }
    let plan = plan_roster(&csv(&text), &school(vec![]));
    assert!(plan.is_empty());
    assert!(at(&plan, "B2").zh.contains("引号"));
}

#[test]
fn very_many_problems_are_counted() {
    let mut text = String::from("姓名,性别\n");
    for _ in 0..MAX_PROBLEMS + 7 {
        text.push_str("张三,里\n");
    }
    let plan = plan_roster(&csv(&text), &school(vec![]));
    assert_eq!(
        (
            plan.found.problems.len(),
            plan.found.more_problems,
            plan.found.errors
        ),
        (MAX_PROBLEMS, 7, 507)
    );
    assert!(
        plan.summary_zh().iter().any(|l| l.contains("507")),
        "{:?}",
        plan.summary_zh()
    );
}

#[test]
fn a_school_that_does_not_know_its_own_name_yet() {
    let mut context = school(vec![]);
    context.home_school = Some(HomeSchool {
        id: HOME.into(),
        ..HomeSchool::default()
    });
    let plan = plan_roster(&csv(ROSTER), &context);
    assert!(plan.is_empty());
    assert!(
        plan.found.notes.iter().any(|n| n.zh.contains("先与县里同步")),
        "{:?}",
        plan.found.notes
    );
}

/// XLSX as an office makes it: merged title, heading over two rows, a school merged over its rows,
/// codes and years as numbers, a real date cell, a formula.
#[test]
fn a_workbook_with_merged_cells_and_numbers() {
    use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook as Book};
    let mut book = Book::new();
    let (plain, date) = (Format::new(), Format::new().set_num_format("yyyy-mm-dd"));
    let sheet = book.add_worksheet();
    sheet.set_name("花名册").unwrap();
    sheet
        .merge_range(0, 0, 0, 6, "河口镇中心小学教师花名册", &plain)
        .unwrap();
    for (column, head) in [(0, "学校"), (1, "姓名"), (2, "教师编号")] {
        sheet.merge_range(1, column, 2, column, head, &plain).unwrap();
    }
    sheet.merge_range(1, 3, 1, 4, "时间", &plain).unwrap();
    sheet.merge_range(1, 5, 2, 5, "身份证号码", &plain).unwrap();
    sheet.merge_range(1, 6, 2, 6, "职称", &plain).unwrap();
    sheet.write_string(2, 3, "出生年月").unwrap();
    sheet.write_string(2, 4, "参加工作时间").unwrap();
    sheet.merge_range(3, 0, 6, 0, "河口中心小学", &plain).unwrap();
    sheet.write_string(3, 1, "张　𬭊").unwrap();
    sheet.write_number(3, 2, 21001).unwrap();
    sheet.write_number(3, 3, 1985).unwrap();
    sheet
        .write_datetime_with_format(3, 4, ExcelDateTime::from_ymd(2008, 9, 1).unwrap(), &date)
        .unwrap();
    sheet.write_number(3, 5, 680_123_198_501_011_234.0).unwrap();
    sheet.write_string(3, 6, "一级").unwrap();
    sheet.write_string(5, 1, "合计").unwrap();
    sheet.write_string(6, 1, "㙇玉").unwrap();
    sheet
        .write_formula(6, 2, Formula::new("=21000+2").set_result("21002"))
        .unwrap();
    sheet.write_string(6, 3, "１９９０．０３").unwrap();
    sheet.write_number(6, 4, 41153).unwrap();
    sheet.write_string(6, 6, "中级").unwrap();
    let bytes = book.save_to_buffer().unwrap();
    let plan = plan_roster(&read(&bytes, "x.xlsx").unwrap(), &school(vec![]));
    assert_eq!(plan.found.problems, []);
    let seen: Vec<_> = plan
        .teachers
        .new
        .iter()
        .map(|t| {
            (
                t.facts.name.as_str(),
                t.facts.teacher_code.as_str(),
                t.facts.birth_year,
                t.facts.teaching_from,
                t.at.as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("张𬭊", "21001", Some(1985), Some(2008), "花名册!B4"),
            ("㙇玉", "21002", Some(1990), Some(2012), "花名册!B7"),
        ]
    );
    assert_eq!((plan.found.skipped.blank, plan.found.skipped.totals), (1, 1));
    assert!(plan.found.notes.iter().any(|n| n.zh.contains("身份证号码")));
    assert!(
        !format!("{plan:?}").contains("68012319"),
        "the number is nowhere in the plan"
    );
}
