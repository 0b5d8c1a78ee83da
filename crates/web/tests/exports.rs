//! Forms that leave as tables: what stands on them, as what, and who may take them.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office::{self, ImportFile, MarkInput, OutsideInput, OutsideRow, SessionInput, TeacherInput};
use support::{Site, by, until};
use web::sheet::grid::{Cell, Sheet, read};

/// Two teachers with long numbers, a session that both came to, a training outside with a claim each.
fn records(site: &Site) -> String {
    let (node, clerk) = (&site.node, by("李专管员"));
    let school = node.home_school().unwrap();
    for (name, code) in [("王𬭊", "216800000100012"), ("㙇伟", "0021680000010")] {
        let input = TeacherInput {
            teacher_code: code.into(),
            name: name.into(),
            status: "serving".into(),
            subject: "语文".into(),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        office::save_teacher(node, &clerk, &school, None, input).unwrap();
    }
    let people: Vec<String> = office::roster(node, &school)
        .unwrap()
        .into_iter()
        .map(|t| t.id)
        .collect();
    let input = SessionInput {
        title: "听评课".into(),
        date: "2025-09-12".into(),
        place: "录播教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 200,
        lecturers: "教研组".into(),
        minutes: Some(90),
        lecture_minutes: Some(30),
        ..SessionInput::default()
    };
    let session = office::save_session(node, &clerk, &school, None, input).unwrap();
    let file = |what: &str, about: &str| ImportFile {
        id: node.new_id(),
        what: what.into(),
        about: about.into(),
        name: "表.csv".into(),
        hash: what.into(),
    };
    let mark = |person: &String, status: &str, arrived: &str, reason: &str| MarkInput {
        person: person.clone(),
        status: status.into(),
        arrived: arrived.into(),
        reason: reason.into(),
        ..MarkInput::default()
    };
    let marks = vec![
        mark(&people[0], "late", "08:35", "堵车"),
        mark(&people[1], "on_duty", "", "=开会"),
    ];
    office::import_attendance(node, &clerk, &file("attendance", &session), marks).unwrap();
    let training = OutsideInput {
        project: "“国培计划”送教下乡".into(),
        organiser: "省师范学院".into(),
        from: "2025-07-01".into(),
        until: "2025-07-05".into(),
        form: "intensive".into(),
        category: "knowledge_skill".into(),
        channel: "city".into(),
        hours_c: 4000,
        ..OutsideInput::default()
    };
    let rows = people.iter().map(|person| OutsideRow {
        key: person.clone(),
        person: person.clone(),
        training: training.clone(),
    });
    office::import_outside(node, &clerk, &file("outside", ""), rows.collect(), "2025-11-10").unwrap();
    session
}

/// The cells of a row of text.
fn texts(sheet: &Sheet, row: usize) -> Vec<String> {
    sheet.rows[row]
        .iter()
        .map(|cell| cell.text().into_owned())
        .collect()
}

/// The first row that has this text.
fn row_of(sheet: &Sheet, text: &str) -> usize {
    sheet
        .rows
        .iter()
        .position(|row| row.iter().any(|cell| cell.text() == text))
        .unwrap()
}

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

#[test]
fn every_form_has_its_columns_its_head_and_long_numbers_as_text() {
    let county = Site::county(true);
    let site = county.enrol_school("青石镇中心小学");
    let session = records(&site);
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let ticked = until(&auditor, "/audit", "2 条待审").value("claim");
    auditor
        .submit(
            "/audit",
            "/audit",
            &[("claim", &ticked), ("decided_on", "2025-11-20")],
        )
        .has("已审核 1 条");
    until(&clerk, "/claims", ">县已认定</span>");
    let forms = [
        (
            format!("/sessions/{session}/export/signin"),
            "序号,姓名,教师编号,单位,学科,出勤,签名,到达,离开,备注",
        ),
        (
            "/export/claims".to_owned(),
            "序号,姓名,教师编号,项目/活动名称,主题,形式,主办单位,起止,学时,类别,渠道,折算学分,证明材料,考核结果,专管员,校长,公示起止,异议,县审核意见,审核人,审核日期,登记号",
        ),
        (
            "/export/training".to_owned(),
            "姓名,教师编号,培训年度,培训类别,培训项目名称,培训机构名称,培训方式,培训获得学时,培训获得学分",
        ),
        (
            "/export/summary".to_owned(),
            "学校,应参加人数,实际人数,师德与素养学分,知识与技能学分,实践体验学分,学分合计,人均学分,达标人数,达标率,未达标名单,校本研修学时,讲座占比,证据缺失数,待审,退回,认定,不予认定",
        ),
    ];
    for (address, heading) in &forms {
        let csv = clerk.get(&format!("{address}.csv?made_on=2026-3-5"));
        assert_eq!(csv.is(200).bytes[..3], BOM, "{address}");
        let sheet = read(&csv.bytes, "x.csv").unwrap().sheets.remove(0);
        assert_eq!(texts(&sheet, 0).join(","), *heading, "{address}");
        let book = clerk.get(&format!("{address}.xlsx?made_on=2026-3-5"));
        let sheet = read(&book.is(200).bytes, "x.xlsx").unwrap().sheets.remove(0);
        let at = sheet
            .rows
            .iter()
            .position(|row| row.len() > 2 && row[1].text() == heading.split(',').nth(1).unwrap());
        assert_eq!(texts(&sheet, at.unwrap()).join(","), *heading, "{address}");
        let said: String = sheet
            .rows
            .iter()
            .flatten()
            .map(|cell| format!("{}|", cell.text()))
            .collect();
        for part in [
            "学校名称：青石镇中心小学",
            "学校标识码：2168000001",
            "制表日期：2026-03-05",
            "数据截止：",
            "学分规则：五年36/54学分（seed003.five-year-36-54/1）",
            "填表人：",
            "审核人：",
            "（公章）",
        ] {
            assert!(said.contains(part), "{address} has no {part}: {said}");
        }
        if *address != forms[3].0 {
            let code = |cell: &&Cell| cell.text().trim().len() > 11 && cell.text().starts_with(['2', '0']);
            let codes: Vec<&Cell> = sheet.rows.iter().flatten().filter(code).collect();
            assert!(
                codes.iter().any(|cell| matches!(cell, Cell::Text(text) if text == "216800000100012" || text == "0021680000010")),
                "{address}: {codes:?}"
            );
        }
    }
    let sheet = |address: &str| {
        let book = clerk.get(&format!("{address}.xlsx?made_on=2026-3-5"));
        read(&book.bytes, "x.xlsx").unwrap().sheets.remove(0)
    };
    let signin = sheet(&forms[0].0);
    let row = |name: &str| texts(&signin, row_of(&signin, name));
    assert_eq!(
        row("㙇伟")[3..],
        ["青石镇中心小学", "语文", "迟到", "", "08:35", "", "堵车"]
    );
    assert_eq!(
        row("王𬭊")[3..],
        ["青石镇中心小学", "语文", "公假", "", "", "", "=开会"]
    );
    let about: String = signin
        .rows
        .iter()
        .map(|row| row.first().map_or(String::new(), |cell| cell.text().into_owned()))
        .collect();
    for part in [
        "活动名称：听评课",
        "时间：2025-09-12",
        "地点：录播教室",
        "主讲人：教研组",
        "应到：2　　实到：1",
    ] {
        assert!(about.contains(part), "{about}");
    }
    let register = sheet("/export/claims");
    let row = texts(&register, row_of(&register, "王𬭊"));
    assert_eq!(
        row[6..12],
        [
            "省师范学院",
            "2025-07-01 至 2025-07-05",
            "40",
            "知识与技能",
            "市级",
            "4"
        ]
    );
    assert_eq!(row[14], "李专管员");
    // What the county recognised, one of two.
    let training = sheet("/export/training");
    let at = row_of(&training, "“国培计划”送教下乡");
    assert_eq!(
        texts(&training, at)[2..],
        [
            "2025",
            "市级",
            "“国培计划”送教下乡",
            "省师范学院",
            "集中研修",
            "40",
            "4"
        ]
    );
    let rows = training
        .rows
        .iter()
        .filter(|row| row.iter().any(|cell| cell.text() == "集中研修"));
    assert_eq!(rows.count(), 1);
    let summary = sheet("/export/summary");
    let row = texts(&summary, row_of(&summary, "青石镇中心小学"));
    assert_eq!(row[12..], ["33.3%", "2", "1", "0", "1", "0"]);

    // The county's dashboard, of the schools that were asked for; the sums at its foot.
    let csv = auditor.get("/schools/export/dashboard.csv?rural=township&made_on=2026-3-5");
    csv.is(200)
        .has("青石镇中心小学")
        .has("2168000001")
        .lacks("云岭县第一小学");
    let all = read(
        &auditor.get("/schools/export/dashboard.xlsx").is(200).bytes,
        "x.xlsx",
    )
    .unwrap()
    .sheets
    .remove(0);
    let school = texts(&all, row_of(&all, "青石镇中心小学"));
    assert_eq!(
        school[3..11],
        ["乡镇", "2", "0", "0.0%", "2", "0.0%", "0.0%", "100.0%"]
    );
    assert_eq!(school[14..16], ["1", "0"]);
    let sum = texts(&all, row_of(&all, "合计"));
    assert_eq!((sum[4].as_str(), sum[14].as_str()), ("2", "1"));
    assert!(
        all.rows
            .iter()
            .flatten()
            .any(|cell| cell.text().contains("数据截止："))
    );
    // The county has the sign-in sheet of what has arrived.
    auditor
        .get(&format!("/sessions/{session}/export/signin.csv"))
        .is(200)
        .has("王𬭊");

    // Who may: whoever reads the records.
    let leader = site.signed_in("周校长", Role::Leader);
    leader.get(&format!("{}.csv", forms[0].0)).is(200);
    let admin = site.signed_in("系统管理员", Role::Admin);
    for address in [
        format!("{}.csv", forms[0].0),
        "/export/training.csv?made_on=2026-3-5".to_owned(),
    ] {
        admin.get(&address).is(403);
    }
    clerk.get("/schools/export/dashboard.csv").is(403);
    clerk
        .get(&format!("/sessions/{session}/export/secrets.csv"))
        .is(404);
    clerk
        .get(&format!("/sessions/{session}/export/signin.exe"))
        .is(404);
    clerk.get("/sessions/none/export/signin.csv").is(404);
    clerk.get("/accounts").has("导出").has("signin.csv");
}
