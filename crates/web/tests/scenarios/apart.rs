//! S5: an approval on an old version. S6: one roster, two computers.

use node::accounts::Role;
use node::office;

use crate::common::*;
use crate::support::*;

#[test]
fn s5_an_approval_of_an_old_version_counts_nothing_until_it_is_renewed() {
    let county = Site::county(true);
    let mut school = county.enrol_school(QINGSHI);
    let own = county.school_id(QINGSHI);
    let person = teacher_since(&school, "欧阳㙇", "T001", "2025-09-01");
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let me = teacher_at(&school, "欧阳㙇", &person);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let leader = county.signed_in("局领导", Role::Leader);
    let here = hold(&clerk, "单元整体设计", "2025-10-16");
    until(&auditor, "/audit", "1 条待审");
    until(&clerk, "/claims", ">已到县</span>");

    // Apart: the county recognises four class-hours, the school corrects them to two.
    school.disconnect();
    assert_eq!(recognise_all(&auditor, "2025-10-20"), 1);
    let edit = format!("{here}/edit");
    clerk
        .submit(&edit, &edit, &typed("单元整体设计", "2025-10-16", "2"))
        .is(200)
        .has("已保存在本校");
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-10-20")])
        .is(200);
    clerk.get("/claims").has(">已保存在本校</span>").lacks("县已认定");
    auditor
        .get(&format!("/teachers/{person}"))
        .has("<b>0.4</b><span>县已认定学分");

    // Together: said at both ends, counted at none, and it is the county's to renew.
    school.connect(&county);
    until(&clerk, "/claims", ">审后改动</span>").lacks(">县已认定</span>");
    until(&auditor, "/audit", ">审后改动</span>");
    for (who, path) in [
        (&me, "/".to_owned()),
        (&clerk, format!("/teachers/{person}")),
        (&auditor, format!("/teachers/{person}")),
    ] {
        until(who, &path, ">审后改动</span>").has("<b>0.0</b><span>县已认定学分");
    }
    let renewed = "认定 0.4 学分 → 按现在的内容认定：校级（校本研修） · 实践体验 · 2.0 学时 · 0.2 学分";
    until(&clerk, "/conflicts", "由县里选定")
        .has(renewed)
        .has("王审核员");
    leader
        .get("/conflicts")
        .has(renewed)
        .lacks("name=\"choice\" value=\"re");
    let page = until(&auditor, "/conflicts", renewed);
    let (name, choice) = (page.value("conflict"), choice(&page));
    let button = format!("value=\"{choice}\"");
    page.has(&button);
    for reader in [&leader, &clerk] {
        reader.get("/conflicts").has(renewed).lacks(&button);
    }
    let settle = |who: &Browser, on: &str| {
        let fields = [
            ("conflict", name.as_str()),
            ("choice", choice.as_str()),
            ("decided_on", on),
        ];
        who.submit("/conflicts", "/conflicts", &fields)
    };
    settle(&clerk, "2025-10-27").has("不在本机选定");
    settle(&auditor, "").lacks("已选定并保存在本机");
    settle(&auditor, "2025-10-27")
        .has("已选定并保存在本机")
        .has("没有待核的记录");
    until(&clerk, "/claims", ">县已认定</span>")
        .lacks(">审后改动</span>")
        .has("2025-10-27");
    until(&clerk, "/conflicts", "没有待核的记录");
    until(&me, "/", "<b>0.2</b><span>县已认定学分");
    auditor
        .get(&format!("/teachers/{person}"))
        .has("<b>0.2</b><span>县已认定学分");
    assert_eq!(equal(&school, &county, &own), [1, 1, 1, 1, 0, 0]);
}

/// What the first real choice of a page of conflicts sends.
fn choice(page: &Page) -> String {
    let mark = "name=\"choice\" value=\"";
    let all = page.body.split(mark).skip(1);
    let mut values = all.filter_map(|rest| Some(rest.split_once('"')?.0));
    values.find(|value| *value != "?").unwrap().to_owned()
}

const ROSTER: &str = "姓名,教师编号,出生年,任教学科,在岗情况\n李㙇,T010,1990,语文,在岗\n王𬭊,T011,1979,数学,在岗\n\
                      陈静,,1988,英语,在岗\n陈静,,1971,音乐,在岗\n";

fn import(clerk: &Browser) {
    let page = clerk.upload("花名册.csv", ROSTER.as_bytes());
    page.has("新增 4");
    let (csrf, token) = (page.value("csrf"), page.value("token"));
    clerk
        .post("/import/confirm", &[("csrf", &csrf), ("token", &token)])
        .has("已导入 4 行");
}

#[test]
fn s6_the_same_roster_imported_on_two_computers_is_one_roster() {
    let county = Site::county(true);
    let mut sites = [county.enrol_school(QINGSHI), county.enrol_school(QINGSHI)];
    let own = county.school_id(QINGSHI);
    let clerks = [
        sites[0].signed_in("李专管员", Role::Clerk),
        sites[1].signed_in("赵组长", Role::Clerk),
    ];
    let auditor = county.signed_in("王审核员", Role::Auditor);
    for site in &mut sites {
        site.disconnect();
    }
    // Neither knows of the other: each imports the county's file, and holds a session of its own.
    for (clerk, (title, date)) in clerks
        .iter()
        .zip([("听评课", "2025-10-16"), ("集体备课", "2025-10-23")])
    {
        import(clerk);
        hold(clerk, title, date);
        clerk
            .get("/roster")
            .has("李㙇")
            .has("已保存在本校")
            .lacks("已到县");
    }
    clerks[0].get("/sessions").lacks("集体备课");
    auditor.get(&format!("/schools/{own}")).lacks("李㙇");
    for site in &mut sites {
        site.connect(&county);
    }

    // Four people on every page, two of them of one name; nothing to settle; both sessions are theirs.
    for (clerk, other) in clerks.iter().zip(["集体备课", "听评课"]) {
        until(clerk, "/sessions", other);
        until(clerk, "/", "全部已到县");
        let roster = until(clerk, "/roster", ">已到县</span>");
        assert_eq!(roster.links("/teachers/").len(), 4);
        assert_eq!((badges(&roster, "已到县"), badges(&roster, "待核")), (4, 0));
        assert_eq!(roster.body.matches(">陈静</a>").count(), 2);
        clerk.get("/conflicts").has("没有待核的记录");
        // Once more: nothing.
        clerk
            .upload("花名册.csv", ROSTER.as_bytes())
            .has("没有要保存的内容")
            .lacks("确认导入");
    }
    for site in &sites {
        assert_eq!(equal(site, &county, &own), [2, 8, 8, 4, 0, 0]);
    }
    until(&auditor, "/audit", "8 条待审");
    auditor.get("/conflicts").has("没有待核的记录");
    auditor.get("/people").lacks("T010");
    assert_eq!(recognise_all(&auditor, "2025-11-01"), 8);
    for (site, clerk) in sites.iter().zip(&clerks) {
        let roster = office::roster(&site.node, &own).unwrap();
        let li = roster.iter().find(|t| t.name == "李㙇").unwrap();
        until(clerk, &format!("/teachers/{}", li.id), "<b>0.8</b>")
            .has("听评课")
            .has("集体备课");
    }
}
