//! Lists that clerks import: who came, who passed, who learned outside; the preview, and taking an import back.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use node::Filter;
use node::accounts::Role;
use node::office::{self, Teacher};
use support::{Browser, Page, Site};

/// A school whose roster has two teachers of one name, one with a rare character, one without a number.
const ROSTER: &str = "姓名,教师编号,任教学科,在岗情况\n王𬭊,YL001,语文,在岗\n㙇伟,YL002,数学,在岗\n\
                      李娜,YL003,英语,在岗\n李娜,YL004,音乐,在岗\n赵一鸣,,体育,在岗\n";

fn school() -> (Site, Site, Browser) {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let page = clerk.upload("花名册.csv", ROSTER.as_bytes());
    page.has("新增 5");
    let fields = [("csrf", page.value("csrf")), ("token", page.value("token"))];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    clerk.post("/import/confirm", &fields).has("已导入 5 行");
    (county, site, clerk)
}

fn session(clerk: &Browser, title: &str) -> String {
    let fields = [
        ("title", title),
        ("date", "2025年9月12日"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", "1.5"),
    ];
    let page = clerk.submit("/sessions/new", "/sessions/new", &fields);
    page.is(200).has("已保存在本校");
    page.path.split('?').next().unwrap().to_owned()
}

/// Confirms a preview with these choices.
fn confirm(clerk: &Browser, preview: &Page, choices: &[(&str, &str)]) -> Page {
    let (csrf, token) = (preview.value("csrf"), preview.value("token"));
    let mut fields = vec![("csrf", csrf.as_str()), ("token", token.as_str())];
    fields.extend_from_slice(choices);
    clerk.post("/import/list", &fields)
}

fn roster(site: &Site) -> Vec<Teacher> {
    office::roster(&site.node, &site.node.home_school().unwrap()).unwrap()
}

fn id(site: &Site, code: &str) -> String {
    let found = roster(site).into_iter().find(|t| t.teacher_code == code);
    found.unwrap().id
}

/// Number of the teacher → status of the live mark, of one session.
fn marks(site: &Site, session: &str) -> BTreeMap<String, String> {
    let session = session.rsplit('/').next().unwrap();
    let codes: BTreeMap<String, String> = roster(site).into_iter().map(|t| (t.id, t.teacher_code)).collect();
    let detail = office::session(&site.node, session).unwrap().unwrap();
    let marks = detail
        .marks
        .into_iter()
        .filter_map(|m| Some((codes[&m.person].clone(), m.status?)));
    marks.collect()
}

fn shown(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

const LIST: &str = "青石镇中心小学签到表,,,\n姓名,教师编号,签到情况,备注\n王（金龙）,ＹＬ００１,√,\n㙇 伟,YL002,迟到,堵车\n\
                    李娜,,到,\n赵一鸣,,到,\n钱多多,YL009,到,\n合计,5,,\n";

#[test]
fn an_attendance_list_goes_in_by_number_with_the_clerks_choices_once() {
    let (_county, site, clerk) = school();
    let here = session(&clerk, "第三次研课磨课");
    clerk.get(&here).has(&format!("{here}/import"));
    let import = format!("{here}/import");
    let page = clerk.upload_to(&import, &[("what", "attendance")], "签到.csv", LIST.as_bytes());
    // The number decides, whatever the name; two of one name and a name alone are the clerk's to choose.
    page.is(200)
        .has("按教师编号找到 2 行；要你选定是谁的 2 行")
        .has("这个编号在花名册上是“王𬭊”")
        .has("有 2 位同名的老师")
        .has("李娜 YL003 · 英语")
        .has("李娜 YL004 · 音乐")
        .has("花名册上没有这个教师编号，也没有这个姓名")
        .has("签到!B7")
        .has("堵车");
    assert_eq!(marks(&site, &here), shown(&[]), "nothing is written by a preview");

    // Nothing chosen is lost on a fault; a name alone is not taken without the tick.
    let music = id(&site, "YL004");
    let alone = id(&site, "");
    let faulty = confirm(&clerk, &page, &[("p-2", &music), ("p-3", &alone)]);
    faulty
        .has("请逐一核对上面选定的人")
        .has("id=\"checked-error\"")
        .has(&format!("<option value=\"{music}\" selected>"));
    assert_eq!(marks(&site, &here), shown(&[]));
    let twice = confirm(
        &clerk,
        &page,
        &[("p-2", &music), ("p-3", &music), ("checked", "1")],
    );
    twice.has("请在列出的老师里选").has("id=\"p-3-error\"");
    let done = confirm(
        &clerk,
        &page,
        &[("p-2", &music), ("p-3", &alone), ("checked", "1")],
    );
    done.has("已导入 4 行").has("签到.csv").has("撤销这次导入");
    let four = [
        ("", "present"),
        ("YL001", "present"),
        ("YL002", "late"),
        ("YL004", "present"),
    ];
    assert_eq!(marks(&site, &here), shown(&four));
    clerk.get(&here).has("进行中").has("实到 4");
    let record = site
        .node
        .records(&Filter::kind("attendance").person(&id(&site, "YL002")))
        .unwrap()
        .remove(0);
    assert_eq!(
        (record.text("source"), record.text("reason")),
        ("list_import", "堵车")
    );

    // The same file again: nothing new, also after somebody corrected a mark; a press twice neither.
    confirm(&clerk, &page, &[("p-2", &music), ("checked", "1")]).has("没有再次导入");
    let field = format!("m-{}", id(&site, "YL002"));
    clerk.submit(&here, &format!("{here}/attendance"), &[(&field, "present")]);
    let again = clerk.upload_to(&import, &[("what", "attendance")], "签到.csv", LIST.as_bytes());
    again
        .has("没有要保存的内容")
        .has("这个文件以前导入过的 4 行")
        .lacks("确认导入");
    // In another encoding it is another file: what it says already stands there, but for the correction.
    let (bytes, _, lost) = encoding_rs::GB18030.encode(LIST);
    assert!(!lost);
    let other = clerk.upload_to(&import, &[("what", "attendance")], "签到.txt", &bytes);
    other
        .has("和现有记录一样，不再写：1 行")
        .has("到 · 堵车 → 迟到 · 堵车");
}

#[test]
fn an_import_is_taken_back_without_touching_what_came_since() {
    let (_county, site, clerk) = school();
    let here = session(&clerk, "集体备课");
    let before = format!("m-{}", id(&site, "YL003"));
    clerk.submit(&here, &format!("{here}/attendance"), &[(&before, "sick")]);
    let list = "姓名\t教师编号\t出勤\n王𬭊\tYL001\t到\n㙇伟\tYL002\t到\n李娜\tYL003\t到\n";
    let page = clerk.upload_to(&format!("{here}/import"), &[("paste", list)], "", b"");
    page.has("病假 → 到");
    let done = confirm(&clerk, &page, &[]);
    done.has("已导入 3 行");
    let import = done.path.split('?').next().unwrap().to_owned();
    // One is corrected by hand afterwards.
    let corrected = format!("m-{}", id(&site, "YL002"));
    clerk.submit(&here, &format!("{here}/attendance"), &[(&corrected, "late")]);

    let page = clerk.get(&import);
    page.has("会撤销 2 条")
        .has("导入以后又改过")
        .has("恢复导入前的内容");
    clerk
        .submit(&import, &import, &[("reason", " ")])
        .has("请写明撤销的原因")
        .has("id=\"reason-error\"");
    clerk
        .submit(&import, &import, &[("reason", "名单传错了")])
        .has("已撤销 2 条")
        .has("名单传错了");
    assert_eq!(
        marks(&site, &here),
        shown(&[("YL002", "late"), ("YL003", "sick")])
    );
    // Nothing is deleted: the mark says why it counts no longer.
    let mark = site
        .node
        .records(&Filter::kind("attendance").person(&id(&site, "YL001")))
        .unwrap()
        .remove(0);
    assert_eq!(
        (mark.text("status"), mark.text("reason")),
        ("void", "导入撤销：名单传错了")
    );
    clerk
        .get(&format!("/records/attendance/{}", mark.id))
        .has("已撤销")
        .has("名单传错了");
    clerk.get("/imports").has("粘贴的名单").has("李专管员");
    // The same list may be imported anew.
    let page = clerk.upload_to(&format!("{here}/import"), &[("paste", list)], "", b"");
    page.has("这个文件以前导入过的 1 行");
    confirm(&clerk, &page, &[]).has("已导入 2 行");
    assert_eq!(marks(&site, &here)["YL001"], "present");
    let mark = site.node.record(&mark.id).unwrap().unwrap();
    assert_eq!((mark.text("status"), mark.text("reason")), ("present", ""));
}

const OUTSIDE: &str = "姓名,教师编号,培训项目名称,培训机构名称,起止,培训获得学时,课程类别,培训级别,培训获得学分,身份证号\n\
    王𬭊,YL001,“国培计划”送教下乡,省师范学院,2025.7.1-7.5,４０,知识与技能,市级,4,510\n\
    㙇伟,YL002,“国培计划”送教下乡,省师范学院,2025年7月1日至2025年7月5日,40.0,知识与技能,市级,4,510\n\
    李娜,YL003,网络研修,县电教馆,2025-11-03,7、2,知识与技能,县级,,\n\
    李娜,YL004,网络研修,县电教馆,昨天,6,知识与技能,县级,,\n\
    赵一鸣,,网络研修,县电教馆,2025-11-03,6,宇宙,县级,,\n\
    㙇伟,YL002,校本研修,青石镇中心小学,2025-11-03,6,实践体验,县级,,\n";

fn outside(clerk: &Browser) -> Page {
    let fields = [("year", "2025"), ("form", "intensive"), ("on", "2025-11-10")];
    clerk.upload_to("/import/outside", &fields, "校外学时.csv", OUTSIDE.as_bytes())
}

#[test]
fn outside_hours_become_claims_once_and_every_wrong_cell_is_named() {
    let (_county, site, clerk) = school();
    clerk
        .get("/import")
        .has("href=\"/import/outside\"")
        .has("href=\"/imports\"");
    let page = outside(&clerk);
    page.has("按教师编号找到 2 行")
        .has("校外学时!F4")
        .has("7.2")
        .has("校外学时!E5")
        .has("读不出开始日期")
        .has("校外学时!G6")
        .has("不认识这个课程类别")
        .has("校外学时!D7")
        .has("主办单位是本校")
        .has("身份证号")
        .lacks(">510<");
    confirm(&clerk, &page, &[])
        .has("已导入 2 行")
        .has("王𬭊")
        .has("“国培计划”送教下乡");
    let school = site.node.home_school().unwrap();
    let claims = office::claims(&site.node, Some(&school), 10).unwrap();
    assert_eq!(claims.len(), 2);
    for claim in &claims {
        assert_eq!(
            (claim.hours_c, claim.credits_c, claim.disputed),
            (4000, 400, false)
        );
        assert_eq!(
            (claim.date.as_str(), claim.channel.as_str()),
            ("2025-07-01", "city")
        );
        assert_eq!(claim.claimed_on, "2025-11-10");
    }
    let sessions = site.node.records(&Filter::kind("session")).unwrap();
    assert_eq!(sessions.len(), 1, "one training, one session");
    assert_eq!(
        (sessions[0].text("organiser"), sessions[0].text("until")),
        ("省师范学院", "2025-07-05")
    );
    // Once: the same file, and another that says the same.
    outside(&clerk).has("这个文件以前导入过的 2 行").lacks("确认导入");
    let other = OUTSIDE.replace("２０２５", "2025").replace("４０", "40");
    let fields = [("form", "intensive"), ("on", "2025-11-10")];
    let page = clerk.upload_to("/import/outside", &fields, "又一份.csv", other.as_bytes());
    page.has("和现有记录一样，不再写：2 行").lacks("确认导入");
    // Into the register, and out of it again as the same.
    let f8 = clerk.get("/export/claims.csv?made_on=2026-1-5");
    f8.has("省师范学院")
        .has("2025-07-01 至 2025-07-05")
        .has("李专管员");
    let page = clerk.upload_to("/import/outside", &fields, "登记表.csv", f8.body.as_bytes());
    page.has("和现有记录一样，不再写：2 行").lacks("确认导入");
}

#[test]
fn a_pass_list_stands_in_the_register_until_it_is_taken_back() {
    let (_county, site, clerk) = school();
    let here = session(&clerk, "新课标测试");
    let field = format!("m-{}", id(&site, "YL001"));
    clerk.submit(&here, &format!("{here}/attendance"), &[(&field, "present")]);
    clerk.submit(&here, &format!("{here}/end"), &[]);
    clerk.submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-9-15")]);
    let list = "姓名,教师编号,考核等级,成绩,证书编号\n王𬭊,YL001,优秀,９５.5,苏培２０２５-0123\n㙇伟,YL002,特优,90,\n李娜,YL003,合格,,202568000000000123\n";
    let fields = [("what", "passes"), ("on", "2025-9-20")];
    let import = format!("{here}/import");
    let page = clerk.upload_to(&import, &fields, "合格名单.csv", list.as_bytes());
    page.has("优秀 · 95.5 · 苏培2025-0123")
        .has("合格名单!E4")
        .has("证书编号没有导入")
        .has("合格名单!C3")
        .has("不认识这个等级");
    let done = confirm(&clerk, &page, &[]);
    done.has("已导入 2 行").has("考核结果");
    clerk.get("/export/claims.csv?made_on=2026-1-5").has("优秀 95.5");
    clerk
        .upload_to(&import, &fields, "合格名单.csv", list.as_bytes())
        .has("以前导入过的 2 行");
    let import = done.path.split('?').next().unwrap().to_owned();
    clerk
        .submit(&import, &import, &[("reason", "重考")])
        .has("已撤销 2 条")
        .has("已全部撤销");
    clerk
        .get("/export/claims.csv?made_on=2026-1-5")
        .lacks("优秀 95.5");
    let result = site.node.records(&Filter::kind("assessment")).unwrap().remove(0);
    assert_eq!(
        (result.text("state"), result.text("state_reason")),
        ("void", "导入撤销：重考")
    );
}

#[test]
fn a_roster_is_taken_back_to_what_it_was() {
    let (_county, site, clerk) = school();
    let changed = "姓名,教师编号,任教学科,职称,在岗情况\n王𬭊,YL001,科学,高级,在岗\n新来的,YL010,美术,一级,在岗\n阿依古丽,YL011,美术,一级,在岗\n";
    let page = clerk.upload("改.csv", changed.as_bytes());
    let fields = [("csrf", page.value("csrf")), ("token", page.value("token"))];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    clerk
        .post("/import/confirm", &fields)
        .has("已导入 3 行")
        .has("新来的");
    // One of the new ones was at a session since: that one stays.
    let here = session(&clerk, "集体备课");
    let field = format!("m-{}", id(&site, "YL011"));
    clerk.submit(&here, &format!("{here}/attendance"), &[(&field, "present")]);
    let import = clerk.get("/imports").links("/imports/")[0].clone();
    clerk.get(&import).has("这位教师已有 1 条别的记录");
    clerk
        .submit(&import, &import, &[("reason", "用错了表")])
        .has("已撤销");
    let teachers: BTreeMap<String, Teacher> = roster(&site)
        .into_iter()
        .map(|t| (t.teacher_code.clone(), t))
        .collect();
    let wang = &teachers["YL001"];
    assert_eq!((wang.subject.as_str(), wang.title.as_str()), ("语文", ""));
    assert_eq!(
        (teachers["YL010"].status.as_str(), teachers["YL010"].in_service()),
        ("void", false)
    );
    assert_eq!(teachers["YL011"].status, "serving");
    clerk.get(&here).lacks("新来的").has("阿依古丽");
    clerk
        .get("/export/roster.csv?made_on=2026-1-5")
        .lacks("新来的")
        .has("阿依古丽");
    // The same file again brings back who was taken away.
    let page = clerk.upload("改.csv", changed.as_bytes());
    page.has("变更 2").has("登记作废 → 在岗");
}

#[test]
fn what_the_county_has_decided_is_not_taken_back() {
    let county = Site::county(true);
    let site = county.enrol_school("青石镇中心小学");
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let page = clerk.upload("花名册.csv", ROSTER.as_bytes());
    let fields = [("csrf", page.value("csrf")), ("token", page.value("token"))];
    let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    clerk.post("/import/confirm", &fields);
    let done = confirm(&clerk, &outside(&clerk), &[]);
    let import = done.path.split('?').next().unwrap().to_owned();
    let queue = support::until(&auditor, "/audit", "2 条待审");
    let ticked = queue.value("claim");
    auditor
        .submit(
            "/audit",
            "/audit",
            &[("claim", &ticked), ("decided_on", "2025-11-20")],
        )
        .has("已审核 1 条");
    support::until(&clerk, "/claims", ">县已认定</span>");
    let page = clerk.get(&import);
    page.has("县里已经审核（认定），不能撤销")
        .has("活动里还有 1 人的考勤，活动保留")
        .has("会撤销 1 条");
    clerk
        .submit(&import, &import, &[("reason", "传错了")])
        .has("已撤销 1 条")
        .has("县里已经审核（认定），不能撤销");
    // What was decided counts on; the other claim rests on nothing any more.
    let school = site.node.home_school().unwrap();
    let claims = office::claims(&site.node, Some(&school), 10).unwrap();
    let counts = claims.iter().filter(|claim| !claim.disputed).count();
    assert_eq!((claims.len(), counts), (2, 1));
    // Nobody else may: neither the head nor the county's people.
    let leader = site.signed_in("周校长", Role::Leader);
    leader.get(&import).is(403);
    leader.submit("/", &import, &[("reason", "x")]).is(403);
    auditor.get("/imports").is(403);
}

#[test]
fn what_cannot_be_read_is_said_and_what_was_typed_stays() {
    let (_county, _site, clerk) = school();
    let import = format!("{}/import", session(&clerk, "听评课"));
    let typed = [("what", "passes"), ("on", "下周"), ("paste", "王𬭊 㙇伟")];
    clerk
        .upload_to(&import, &typed, "", b"")
        .has("id=\"on-error\"")
        .has("value=\"下周\"")
        .has(">王𬭊 㙇伟</textarea>")
        .has("<option value=\"passes\" selected>");
    let passes = [("what", "passes"), ("on", "2025-9-20")];
    clerk
        .upload_to(&import, &passes, "", b"")
        .has("请选择一个文件，或把名单粘贴在下面");
    for (name, bytes, said) in [
        ("名单.xlsx", &b"PK\x03\x04 no workbook"[..], "已损坏"),
        ("名单.xls", &b"\xD0\xCF\x11\xE0 old"[..], "请另存为不加密的 .xlsx"),
        (
            "名单.png",
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
            "这不是表格文件",
        ),
        ("名单.csv", &b",,\n,,\n"[..], "文件是空的"),
    ] {
        clerk
            .upload_to(&import, &passes, name, bytes)
            .has(said)
            .has("id=\"file-error\"");
    }
    clerk
        .upload_to(&import, &passes, "名单.csv", "金额,数量\n3,4\n".as_bytes())
        .has("没有认出表头")
        .has("姓名");
    // Names alone, as they are copied out of a chat.
    let page = clerk.upload_to(
        &import,
        &[("what", "attendance"), ("paste", "王𬭊、㙇伟，钱多多")],
        "",
        b"",
    );
    page.has("要你选定是谁的 2 行")
        .has("粘贴的名单!A3")
        .has("花名册上没有这个姓名");
    clerk
        .upload_to(
            "/import/outside",
            &[("on", "2025-9-20")],
            "x.csv",
            "姓名\n王𬭊\n".as_bytes(),
        )
        .has("没有学时")
        .has("x!A2");
}
