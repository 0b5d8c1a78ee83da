//! 谁看过、做过什么: every act at the county stands in its access log, and is found by person, day and sort.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, Role};
use node::tokens::{self, Scope};
use support::{Site, by, held, recognised, teacher};

#[test]
fn looks_acts_and_calls_are_found_by_sort_and_person() {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let person = teacher(&school, "王𬭊", "YL001");
    held(
        &school,
        "第３次研课磨课",
        "2025-09-12",
        std::slice::from_ref(&person),
    );
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    recognised(&auditor, "王𬭊");
    // Looked at twice within ten minutes, noted once; and by somebody else.
    let card = format!("/teachers/{person}");
    auditor.get(&card).is(200);
    auditor.get(&card).is(200);
    let leader = county.signed_in("何主任", Role::Leader);
    leader.get(&card).is(200);
    // A form that names no act of its own, one that came back with a fault, and one that was refused.
    let bulletin = [
        ("no", "2026-1"),
        ("bulletin_kind", "status"),
        ("topic", "秋季研修"),
        ("cut_on", "2025-10-20"),
        ("issued_on", "2025-10-21"),
    ];
    auditor
        .submit("/bulletins", "/bulletins", &[("no", "2026-1")])
        .is(200);
    let before = accounts::access_log(&county.node, 200).unwrap();
    assert!(before.iter().all(|row| row.act != "form"), "{before:?}");
    auditor
        .submit("/bulletins", "/bulletins", &bulletin)
        .is(200)
        .has("秋季研修");
    leader.submit("/password", "/bulletins", &bulletin).is(403);
    let wrong = county.browser();
    wrong
        .submit("/login", "/login", &[("name", "陈审核员"), ("secret", "000000")])
        .has("不对");
    let scopes = [Scope::ReadSchools];
    let (_, key) = tokens::make(
        &county.node,
        &by("陈审核员"),
        "市人事系统",
        &scopes,
        "2027-06-30",
        node::now(),
    )
    .unwrap();
    for path in ["schools", "people"] {
        let raw = format!(
            "GET /api/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        );
        county.raw(&raw);
    }

    let rows = |query: &str| {
        let page = auditor.get(&format!("/access{query}"));
        let table = page
            .is(200)
            .body
            .split("<tbody>")
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        table.split("<tr>").skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let looks = rows("?sort=look");
    assert_eq!(looks.len(), 2, "{looks:?}");
    assert!(
        looks
            .iter()
            .all(|row| row.contains("查看") && row.contains(&card))
    );
    assert!(
        looks[0].contains("何主任") && looks[1].contains("陈审核员"),
        "the newest first"
    );
    let decided = rows("?sort=decide");
    assert!(
        decided.len() == 1 && decided[0].contains("审核学分"),
        "{decided:?}"
    );
    let api = rows("?sort=api");
    assert!(
        api[0].contains("被拒绝") && api[0].contains("/api/v1/people"),
        "{api:?}"
    );
    assert!(api[1].contains("API：市人事系统") && api[1].contains("GET /api/v1/schools"));
    let signed_in = rows("?sort=sign-in");
    assert!(signed_in[0].contains("登录失败"), "{signed_in:?}");
    let of_one = rows("?who=%E4%BD%95%E4%B8%BB%E4%BB%BB");
    assert!(
        of_one.len() == 2 && of_one.iter().all(|row| row.contains("何主任")),
        "{of_one:?}"
    );
    let forms: Vec<String> = rows("")
        .into_iter()
        .filter(|row| row.contains("填报或操作"))
        .collect();
    assert!(
        forms.len() == 1 && forms[0].contains("/bulletins") && forms[0].contains("陈审核员"),
        "{forms:?}"
    );
    assert!(rows("?until=2020-01-01").is_empty() && !rows("?from=2020-01-01").is_empty());
    auditor
        .get("/access?from=%E6%98%A8%E5%A4%A9")
        .has("id=\"from-error\"");

    // A bare administrator keeps the log; a leader does not read it.
    county.signed_in("系统管理员", Role::Admin).get("/access").is(200);
    leader.get("/access").is(403);
}

#[test]
fn older_lines_come_in_pages() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    for n in 0..450 {
        let line = accounts::AccessRow {
            at: node::now(),
            name: "赵老师".into(),
            act: "export".into(),
            object: format!("第{n:03}行"),
            ..accounts::AccessRow::default()
        };
        accounts::log(&county.node, line).unwrap();
    }
    let (mut seen, mut path) = (Vec::new(), "/access?sort=look&who=%E8%B5%B5".to_owned());
    loop {
        let page = auditor.get(&path);
        let lines = page.body.split("<span class=\"sub\">").skip(1);
        seen.extend(lines.map(|line| line.split('<').next().unwrap().to_owned()));
        match page
            .links("/access?sort=")
            .into_iter()
            .find(|link| link.contains("before="))
        {
            Some(older) => path = older.replace("&amp;", "&").replace("&#38;", "&"),
            None => break,
        }
    }
    let wanted: Vec<String> = (0..450).rev().map(|n| format!("第{n:03}行")).collect();
    assert_eq!(seen, wanted);
}
