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
