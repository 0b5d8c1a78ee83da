//! Lists as schools hand them over, against a roster.

use super::*;
use crate::sheet::grid::read;
use node::Way;

fn teacher(id: &str, name: &str, code: &str) -> Teacher {
    Teacher {
        id: id.into(),
        teacher_code: code.into(),
        name: name.into(),
        sex: String::new(),
        birth_year: None,
        status: "serving".into(),
        post: String::new(),
        title: String::new(),
        subject: "语文".into(),
        stage: String::new(),
        homeroom: false,
        parts: String::new(),
        teaching_from: None,
        from: String::new(),
        school: "s".into(),
        way: Way::Saved,
        whereabouts: node::office::Whereabouts::default(),
        disputed: false,
    }
}

fn context(what: What) -> ListContext {
    ListContext {
        what,
        people: vec![
            teacher("a", "王𬭊", "yl001"),
            teacher("b", "㙇伟", "YL002"),
            teacher("c", "李娜", "YL003"),
            teacher("d", "李娜", "YL004"),
            teacher("e", "阿依古丽·买买提", ""),
        ],
        others: ["白沙小学".to_owned()].into(),
        year: 2025,
        form: "intensive".into(),
        category: "practice".into(),
        channel: "district".into(),
        ..ListContext::default()
    }
}

fn plan(what: What, text: &str) -> ListPlan {
    plan_list(&read(text.as_bytes(), "表.csv").unwrap(), &context(what))
}

fn choose(ids: &[&str]) -> Found {
    Found::Choose(ids.iter().map(|id| (*id).to_owned()).collect())
}

fn sure(id: &str) -> Found {
    Found::Sure(id.to_owned())
}

#[test]
fn a_person_is_found_by_number_and_never_by_name_alone() {
    let plan = plan(
        What::Attendance,
        "姓名,编号\n王 𬭊,ＹＬ００１\n王某某,YL001x\n王（金龙）,YL002\n李娜,\n阿依古丽•买买提,\n㙇伟,YL003\n李娜,YL999\n",
    );
    let found: Vec<(&str, Found)> = plan
        .rows
        .iter()
        .map(|r| (r.key.as_str(), r.found.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("表!2", sure("a")),
            // Another way to write the name: the number decides, and it is said.
            ("表!4", sure("b")),
            ("表!5", choose(&["c", "d"])),
            ("表!6", choose(&["e"])),
            // Number and name are two different people's.
            ("表!7", choose(&["c", "b"])),
            ("表!8", choose(&["c", "d"])),
        ]
    );
    let cells: Vec<&str> = plan.found.problems.iter().map(|p| p.cell.as_str()).collect();
    assert_eq!(cells, ["B3", "A4", "A5", "B7", "B8"]);
}

#[test]
fn attendance_is_read_in_every_usual_way() {
    let plan = plan(
        What::Attendance,
        "签到表\n序号,姓名,教师编号,单位,签到情况,签到时间,备注\n1,王𬭊,YL001,,√,8点5分,\n2,㙇伟,YL002,,,０８：１０,\n\
         3,李娜,YL003,,,,公假\n4,李娜,YL004,白沙小学,√,,\n5,阿依古丽·买买提,,,睡着了,,\n记录人：王老师,,,,,,\n",
    );
    let says: Vec<Says> = plan.rows.iter().map(|r| r.says.clone()).collect();
    let mark = |status: &str, arrived: &str| Says::Mark {
        status: status.into(),
        arrived: arrived.into(),
        left: String::new(),
        reason: String::new(),
    };
    assert_eq!(
        says,
        [
            mark("present", "08:05"),
            mark("present", "08:10"),
            mark("on_duty", "")
        ]
    );
    assert_eq!(
        (plan.found.skipped.other_school_rows(), plan.found.skipped.remarks),
        (1, 1)
    );
    let wrong = &plan.found.problems[0];
    assert_eq!((wrong.cell.as_str(), wrong.value.as_str()), ("E7", "睡着了"));
    assert!(wrong.zh.contains("请写：到、迟到"), "{}", wrong.zh);
    // Where the table has the column and a row says nothing, nothing is guessed.
    let silent = super::plan_list(
        &read("姓名,教师编号,出勤\n王𬭊,YL001,\n".as_bytes(), "表.csv").unwrap(),
        &context(What::Attendance),
    );
    assert_eq!((silent.rows.len(), silent.found.errors), (0, 1));
}

#[test]
fn the_days_of_a_training_are_read_as_schools_write_them() {
    let days = |span: &str| {
        let text = format!("姓名,教师编号,项目名称,主办单位,起止,学时\n王𬭊,YL001,国培,师范学院,{span},8\n");
        match plan(What::Outside, &text).rows.pop().map(|row| row.says) {
            Some(Says::Outside(training)) => Some((training.from, training.until)),
            _ => None,
        }
    };
    let five = Some(("2025-07-01".to_owned(), "2025-07-05".to_owned()));
    for span in [
        "2025-07-01至2025-07-05",
        "2025年7月1日—7月5日",
        "2025.7.1-7.5",
        "2025.7.1-2025.7.5",
        "2025/7/1～2025/7/5",
        "２０２５．７．１－７．５",
        "2025-07-01 至 2025-07-05",
    ] {
        assert_eq!(days(span), five, "{span}");
    }
    assert_eq!(days("2025.12.28-1.5").unwrap().1, "2026-01-05");
    assert_eq!(days("2025年7月1日至5日"), five);
    let one = Some(("2025-07-01".to_owned(), String::new()));
    for span in ["2025-07-01", "20250701", "2025.7.1", "2025-07-01至2025-07-01"] {
        assert_eq!(days(span), one, "{span}");
    }
    for span in [
        "2025.7.5-2025.7.1",
        "七月",
        "2025",
        "2025.7.1-某日",
        "2025.7.1-2025.13.1",
        "",
    ] {
        assert_eq!(days(span), None, "{span}");
    }
}

#[test]
fn names_need_no_heading_and_what_is_no_list_is_said_to_be_none() {
    let bare = plan(What::Attendance, "王𬭊\n㙇伟\n");
    assert_eq!(bare.rows[0].key, "表!1");
    assert_eq!(bare.rows.len(), 2);
    let coded = plan(What::Passes, "YL001,王𬭊\nYL002,㙇伟\n");
    assert_eq!(coded.rows[1].found, sure("b"));
    let none = plan(What::Attendance, "金额,数量\n3,4\n");
    assert!(none.rows.is_empty() && none.found.notes[0].zh.contains("没有认出表头"));
    // One row for one person.
    let twice = plan(What::Attendance, "姓名,教师编号\n王𬭊,YL001\n王𬭊,YL001\n");
    assert_eq!((twice.rows.len(), twice.found.errors), (1, 1));
}

proptest::proptest! {
    #[test]
    fn no_table_makes_it_panic(text in "(姓名|教师编号|出勤|起止|学时|考核结果|到达|成绩|,|\n|王𬭊|YL001|[-0-9.:年月日至～]{0,6}|.){0,40}") {
        for what in [What::Attendance, What::Outside, What::Passes] {
            if let Ok(book) = read(text.as_bytes(), "表.csv") {
                plan_list(&book, &context(what));
            }
        }
    }
}
