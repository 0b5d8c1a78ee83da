//! The pages as people use them, in a real headless Chromium, served by the built binary.
//!
//! They need a Chromium (`YANXIU_CHROMIUM` names one that is not in the path), so a plain `cargo test` reports
//! them as ignored and `.ci/run` runs them with `--ignored`. `YANXIU_PICTURES=<folder>` keeps a picture of
//! every page at both widths. `YANXIU_AXE` names the file `axe.min.js` of the npm package axe-core.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/county.rs"]
mod county;
#[path = "browser/every.rs"]
mod every;
#[path = "browser/forms.rs"]
mod forms;
#[path = "browser/officer.rs"]
mod officer;
#[path = "browser/routes.rs"]
mod routes;
mod support;
#[path = "browser/tab.rs"]
mod tab;
#[path = "browser/visits.rs"]
mod visits;

use chromium::Chromium;
use std::collections::{BTreeMap, BTreeSet};

use county::{AUDITOR, CLERK, County, PEOPLE, PIN, TEACHER};
use tab::Tab;

const SAVED: &str = "已保存在本校";
const AT_COUNTY: &str = "已到县";

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn a_clerks_day_by_keyboard_alone() {
    let mut county = County::found();
    // Morning without a network.
    county.hub_stops();
    let browser = Chromium::start();
    let tab = browser.person();
    tab.open(&county.school.pages);
    // The cursor stands in the name already.
    tab.tab_to("input", "姓名");
    tab.type_text(CLERK);
    tab.tab_to("input", "PIN 或密码");
    tab.type_text(PIN);
    tab.press_and_go("Enter");
    tab.has("总览").has(CLERK);

    tab.tab_to("nav a", "活动");
    tab.press_and_go("Enter");
    tab.tab_to("a", "登记活动");
    tab.press_and_go("Enter");
    tab.tab_to("input", "活动名称");
    tab.type_text("第三次校本研修：读懂学生的错误");
    tab.tab_to("input", "日期");
    tab.type_text("２０２５年１０月１６日");
    tab.tab_to("select", "课程类别");
    tab.choose_by_key("实践体验");
    tab.tab_to("input", "学时");
    tab.type_text("４");
    tab.press_and_go("Enter");
    tab.has("已保存在本校。")
        .has("第三次校本研修：读懂学生的错误")
        .has("2025-10-16");
    assert_eq!(badges(&tab), ["草稿", SAVED]);

    // All are there, but one was ill.
    tab.tab_to("button", "全部到");
    tab.press("Enter");
    tab.has("还没有保存");
    tab.tab_to("input", "李𬭊 到");
    tab.arrow_to("李𬭊 病假");
    tab.press_and_go("Enter");
    tab.has("考勤已保存在本校：5 人。").has("实到 4");
    assert_eq!(
        tab.js("[...document.querySelectorAll('.mark input:checked')].map(name).join()"),
        "欧阳㙇 到,李𬭊 病假,王小兰 到,赵一鸣 到,阿依古丽·买买提 到"
    );
    tab.tab_to("button", "结束活动");
    tab.press_and_go("Enter");
    tab.has("活动已结束，可以登分了。");
    tab.tab_to("button", "登分");
    tab.press_and_go(" ");
    tab.has("已登分 4 人");
    assert_eq!(badges(&tab), ["已结束", SAVED]);
    let claims = "[...document.querySelectorAll('.mark .badge')].map(name).join()";
    assert_eq!(tab.js(claims), [SAVED; 4].join(","));

    // Afternoon: the network is back. The open page says so by itself.
    county.hub_comes_back();
    let all = format!("{claims} === {}", tab::quoted(&[AT_COUNTY; 4].join(",")));
    tab.until("已到县 everywhere", &all);
    assert_eq!(badges(&tab)[1], AT_COUNTY);

    // Whoever leaves a form half filled in is asked first; nobody was asked after saving.
    assert_eq!(browser.asked_to_stay.get(), 0);
    tab.tab_to("nav a", "活动");
    tab.press_and_go("Enter");
    tab.tab_to("a", "登记活动");
    tab.press_and_go("Enter");
    tab.type_text("半截活动");
    tab.tab_to("a", "不改了");
    tab.press_and_go("Enter");
    assert_eq!(browser.asked_to_stay.get(), 1);
    tab.lacks("半截活动");
    tab.tab_to("button", "退出");
    tab.press_and_go("Enter");
    tab.has("PIN 或密码");
}

/// The labels beside the title.
fn badges(tab: &Tab) -> Vec<String> {
    let all = tab.js("[...document.querySelectorAll('#badges .badge')].map(name)");
    every::strings(&all)
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn a_teacher_reads_the_own_card_on_a_phone() {
    let county = County::found().busy();
    let browser = Chromium::start();
    let tab = browser.person();
    tab.size(390, 844, true);
    tab.sign_in(&county.school.pages, TEACHER, PIN);
    // Her first page is her card: what the county recognised, what is missing, which session, who decided.
    tab.has("学分卡")
        .has("县已认定学分")
        .has("还差学分")
        .has("读懂学生的错误")
        .has("县已认定")
        .has(AUDITOR);
    assert_eq!(
        tab.text("tidy(document.querySelector('.figures b').innerText)"),
        "0.4"
    );
    assert_eq!(every::too_wide(&tab), None);
    // No figure is hidden at the right of a table either, and nothing is written too small to read.
    let hidden = tab
        .js("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(name)");
    assert_eq!(every::strings(&hidden), [""; 0]);
    let small = tab.js(
        "[...document.querySelectorAll('body *')].filter(e => shown(e) && parseFloat(getComputedStyle(e).fontSize) < 13)
           .map(e => e.outerHTML.slice(0, 80))",
    );
    assert_eq!(every::strings(&small), [""; 0]);
    // Nobody else's records.
    tab.open(&format!("{}/sessions", county.school.pages));
    tab.has("没有权限").lacks("读懂学生的错误");
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn the_auditor_works_off_the_queue_with_reasons() {
    let county = County::found();
    let session = county.session("第三次校本研修：读懂学生的错误", "2025-10-16");
    county.claims(&session);
    let browser = Chromium::start();
    let tab = browser.person();
    tab.sign_in(&county.hub().pages, AUDITOR, PIN);
    tab.until(
        "claims to audit",
        "document.querySelector('#todo').innerText.includes('5 条学分待审')",
    );
    tab.click_and_go("a", "去审核");
    assert_eq!(
        tab.js("document.querySelectorAll('#queue tbody tr').length"),
        PEOPLE
    );

    // 核减 needs the reason and the amount; what was typed waits until they are there.
    tab.click_and_go("a", "细看、核减、退回：李𬭊");
    tab.has("本人考勤").has("180 分钟");
    tab.click("input", "审核结论必填 核减");
    tab.fill("审核意见", "本学年校本学时已满");
    tab.click_and_go("button", "提交审核");
    tab.has("还没有保存").has("请选择理由");
    assert_eq!(tab.text("document.activeElement.name"), "credits_c");
    assert_eq!(tab.js("find('input', '审核结论必填 核减').checked"), true);
    assert_eq!(
        tab.text("find('textarea', '审核意见').value"),
        "本学年校本学时已满"
    );
    tab.fill("核减后的学分", "０.２");
    tab.choose("理由", "超额");
    tab.click_and_go("button", "提交审核");
    tab.has("已审核 1 条").has("4 条待审");

    tab.click_and_go("a", "细看、核减、退回：王小兰");
    tab.click("input", "审核结论必填 退回补正");
    tab.choose("理由", "无证据");
    tab.click_and_go("button", "提交审核");
    tab.has("已审核 1 条").has("3 条待审");

    // Nothing ticked, then a wrong date: ticks stay.
    tab.click_and_go("button", "认定所选");
    tab.has("一条也没有选");
    tab.click("input", "全选");
    tab.fill("审核日期", "昨天");
    tab.click_and_go("button", "认定所选");
    assert_eq!(
        tab.js("document.querySelectorAll('[name=claim]:checked').length"),
        3
    );
    assert_eq!(
        tab.text("document.activeElement.name + document.activeElement.value"),
        "decided_on昨天"
    );
    tab.type_text("2025-10-20");
    tab.press_and_go("Enter");
    tab.has("已审核 3 条").has("没有待审的登记");

    // The school is told, with the reasons.
    let clerk = browser.person();
    clerk.sign_in(&county.school.pages, CLERK, PIN);
    clerk.open(&format!("{}/claims", county.school.pages));
    let all = "['县已核减', '县退回', '县已认定'].every(w => document.querySelector('#rows')?.innerText.includes(w))";
    clerk.until("the decisions", all);
    clerk
        .has("核减为 0.2")
        .has("超额：本学年校本学时已满")
        .has("无证据")
        .has(AUDITOR)
        .has("2025-10-20");
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn what_was_typed_outlives_a_sign_out() {
    let county = County::found();
    let browser = Chromium::start();
    let tab = browser.person();
    tab.sign_in(&county.school.pages, CLERK, PIN);
    tab.open(&format!("{}/sessions/new", county.school.pages));
    tab.fill("活动名称", "写到一半就退出的活动");
    tab.choose("课程类别", "实践体验");
    tab.fill("学时", "2");
    // Signed out in another window: the page says so and keeps everything.
    let other = tab.another();
    other.open(&county.school.pages);
    other.click_and_go("button", "退出");
    let told = "document.body.innerText.includes('你已退出登录')";
    tab.until("a word about the sign-out", told);
    other.sign_in(&county.school.pages, CLERK, PIN);
    tab.until("the new sign-in", &format!("!{told}"));
    tab.click_and_go("button", "保存");
    tab.has("已保存在本校。").has("写到一半就退出的活动");
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn what_two_computers_wrote_differently_is_settled_by_one_choice_each() {
    let mut county = County::found();
    let session = county.session("第三次校本研修：读懂学生的错误", "2025-10-16");
    county.differ(&session);
    let browser = Chromium::start();
    let tab = browser.person();
    tab.sign_in(&county.school.pages, CLERK, PIN);
    tab.open(&format!("{}{session}", county.school.pages));
    tab.has("待核：两处记录不同（病假 / 缺席），请选一个")
        .has("学时：3.0 / 5.0");
    // Neither 全部到 nor saving something else settles it by accident.
    tab.click("button", "全部到");
    tab.click_and_go("button", "保存考勤");
    tab.has("待核：两处记录不同（病假 / 缺席），请选一个");
    tab.click("input", "欧阳㙇 病假");
    tab.click_and_go("button", "保存考勤");
    tab.lacks("待核：两处记录不同");
    tab.click_and_go("a", "修改活动");
    tab.fill("学时", "3");
    tab.click_and_go("button", "保存");
    tab.has("已保存在本校。")
        .lacks("待核")
        .lacks("记录不一样")
        .has("3.0 · 180 分钟");
    // The other computer has it as well, by itself.
    let other = format!("{}{session}", county.others[0].0.pages);
    let page = county
        .quick
        .until_page(&other, "one value", |p| !p.body.contains("记录不一样"));
    page.has("3.0 · 180").lacks("待核：两处");
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn the_core_acts_work_without_javascript() {
    let county = County::found();
    let browser = Chromium::start();
    let tab = browser.person();
    tab.without_script();
    tab.sign_in(&county.school.pages, CLERK, PIN);
    tab.click_and_go("nav a", "活动");
    tab.click_and_go("a", "登记活动");
    tab.fill("活动名称", "集体备课：分数的初步认识");
    tab.fill("日期", "2025.9.12");
    tab.choose("课程类别", "知识与技能");
    tab.fill("学时", "1.5");
    tab.click_and_go("button", "保存");
    tab.has("已保存在本校。").has("2025-09-12");
    // 全部到 saves, with the exception that was chosen before.
    tab.click("input", "李𬭊 公假");
    tab.click_and_go("button", "全部到");
    tab.has("考勤已保存在本校：5 人。");
    assert_eq!(tab.js("find('input', '李𬭊 公假').checked"), true);
    tab.click("input", "王小兰 缺席");
    tab.click_and_go("button", "保存考勤");
    tab.has("考勤已保存在本校：5 人。");
    tab.click_and_go("button", "结束活动");
    tab.click_and_go("button", "登分");
    let claims = every::strings(&tab.js("[...document.querySelectorAll('.mark .badge')].map(name)"));
    assert!(!claims.is_empty(), "{}", tab.words());

    let auditor = browser.person();
    auditor.without_script();
    auditor.sign_in(&county.hub().pages, AUDITOR, PIN);
    county.quick.until(
        &format!("{}/audit", county.hub().pages),
        &format!("{} 条待审", claims.len()),
    );
    auditor.click_and_go("nav a", "学分审核");
    auditor.click("input", "赵一鸣 集体备课");
    auditor.click_and_go("button", "认定所选");
    auditor.has("已审核 1 条");
    auditor.click_and_go("a", "细看、核减、退回：欧阳㙇");
    auditor.click("input", "审核结论必填 退回补正");
    auditor.choose("理由", "其他");
    auditor.fill("审核意见", "缺签到表");
    auditor.click_and_go("button", "提交审核");
    auditor.has("已审核 1 条");

    county
        .quick
        .until(&format!("{}/claims", county.school.pages), "缺签到表");
    tab.click_and_go("nav a", "学分登记");
    tab.has("县已认定").has("县退回").has("其他：缺签到表");
    tab.click_and_go("button", "退出");
    tab.has("PIN 或密码");
}

/// The three checks of the next test must be able to fail.
#[test]
#[ignore = "needs Chromium and axe-core (YANXIU_AXE); .ci/run runs it with both"]
fn what_is_wrong_with_a_page_is_seen() {
    let axe = every::Axe::read();
    let county = County::found();
    let browser = Chromium::start();
    let tab = browser.person();
    tab.open(&format!("{}/login", county.school.pages));
    assert_eq!(axe.faults(&tab), [""; 0]);
    assert_eq!(every::focus_hidden(&tab), [""; 0]);
    tab.size(390, 844, true);
    assert_eq!(every::too_wide(&tab), None);
    tab.run(
        "const bad = new CSSStyleSheet();
         bad.replaceSync('h1 { color: #ccc; width: 600px } .main { outline: none !important }');
         document.adoptedStyleSheets = [bad];",
    );
    let found = axe.faults(&tab);
    assert!(
        found.len() == 1 && found[0].starts_with("color-contrast: <h1>"),
        "{found:?}"
    );
    assert!(every::too_wide(&tab).unwrap().contains("<h1>"));
    let hidden = every::focus_hidden(&tab);
    assert!(
        hidden.iter().any(|f| f.starts_with("no ring: BUTTON 登录")),
        "{hidden:?}"
    );
}

#[test]
#[ignore = "needs Chromium and axe-core (YANXIU_AXE); .ci/run runs it with both"]
fn every_page_of_every_role_passes_axe_fits_a_phone_and_shows_the_focus() {
    let axe = every::Axe::read();
    let county = County::found().busy();
    let browser = Chromium::start();
    let (mut faults, mut broken) = (Vec::new(), Vec::new());
    every::each_role(&browser, &county, |tab, role| {
        let (mut pages, mut kinds) = (0, BTreeSet::new());
        every::every_page(&tab, role, &mut broken, |tab, path| {
            let mut found = axe.faults(tab);
            if kinds.insert(every::kind(path)) {
                // A low window, where the bar at the bottom is most in the way.
                tab.size(1280, 480, false);
                found.extend(every::focus_hidden(tab));
            }
            tab.size(1280, 800, false);
            every::keep_picture(tab, &format!("{}{path}", role.name), "1280");
            tab.size(390, 844, true);
            found.extend(every::too_wide(tab));
            every::keep_picture(tab, &format!("{}{path}", role.name), "390");
            tab.language("en");
            tab.open(&tab.address());
            found.extend(every::too_wide(tab));
            tab.language("zh-CN");
            tab.size(1280, 800, false);
            faults.extend(found.iter().map(|f| format!("{} {path}: {f}", role.name)));
            pages += 1;
        });
        println!("{}: {pages} pages", role.name);
    });
    faults.extend(broken);
    // A page that follows on a form alone: the answer to a device that was approved.
    let tab = browser.person();
    tab.sign_in(&county.hub().pages, AUDITOR, PIN);
    tab.open(&format!("{}/devices", county.hub().pages));
    let request = tab.text("tidy(document.querySelector('#pending .todo').innerText.split('申请号：')[1])");
    tab.fill("申请", &request);
    tab.choose("学校", "白沙小学");
    tab.click("input", "已核对");
    tab.click_and_go("button", "批准");
    tab.has("两边要核对的数字");
    faults.extend(axe.faults(&tab));
    tab.size(390, 844, true);
    faults.extend(every::too_wide(&tab));
    every::keep_picture(&tab, "device answer", "390");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "needs Chromium and axe-core (YANXIU_AXE); .ci/run runs it with both"]
fn bad_input_on_any_form_is_explained_and_nothing_typed_is_lost() {
    let axe = every::Axe::read();
    let county = County::found().busy().waiting();
    let browser = Chromium::start();
    let (mut tried, mut faults, mut seen) = (BTreeMap::new(), Vec::new(), Vec::new());
    every::each_role(&browser, &county, |tab, role| {
        every::every_form(&tab, role, &mut tried, &mut faults, |tab, path| {
            let found = axe.faults(tab);
            seen.extend(found.iter().map(|f| format!("{} {path}: {f}", role.name)));
            every::keep_picture(tab, &format!("{}{path}", role.name), "faults");
        });
    });
    faults.extend(seen);
    faults.extend(routes::faults(&tried));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "needs Chromium and axe-core (YANXIU_AXE); .ci/run runs it with both"]
fn a_wrong_pin_a_bad_first_account_and_a_bad_file_are_explained() {
    let axe = every::Axe::read();
    let dir = tempfile::tempdir().unwrap();
    let new = support::Place::init(dir.path(), "new", &["--county", "云岭县"]);
    let served = new.serve(&["--listen", "127.0.0.1:0"]);
    let browser = Chromium::start();
    let tab = browser.person();
    let wrong_in = |field: &str, message: &str| {
        tab.has(message);
        assert_eq!(tab.text("document.activeElement.name"), field, "{}", tab.words());
        let tied =
            "document.getElementById(document.activeElement.getAttribute('aria-describedby').split(' ')[0])";
        let said = tab.text(&format!("{tied}.innerText"));
        assert!(said.contains(message), "{field}: {said}");
    };

    tab.open(served.setup.as_ref().unwrap());
    tab.fill("姓名", "王𬭊");
    tab.fill("PIN 或密码", "1234");
    tab.fill("再输一次", "1234");
    tab.click_and_go("button", "建立账号");
    wrong_in("secret", "PIN 至少6位数字");
    assert_eq!(tab.text("find('input', '姓名').value"), "王𬭊");
    tab.type_text(PIN);
    tab.fill("再输一次", "202604");
    tab.click_and_go("button", "建立账号");
    wrong_in("again", "两次输入不一样");
    tab.fill("PIN 或密码", PIN);
    tab.fill("再输一次", PIN);
    tab.click_and_go("button", "建立账号");
    tab.has("账号已建好");

    tab.fill("姓名", "王𬭊");
    tab.fill("PIN 或密码", "135790");
    tab.click_and_go("button", "登录");
    wrong_in("secret", "姓名或密码不对");
    assert_eq!(tab.text("find('input', '姓名').value"), "王𬭊");
    tab.type_text(PIN);
    tab.press_and_go("Enter");
    tab.has("总览");

    // A picture under the name of a table, then no file at all, then a table with rows of every sort.
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    tab.click_and_go("nav a", "导入");
    tab.choose("属于哪一学年", "2025-2026学年");
    tab.choose_file("#file", &file("名单.xlsx", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"));
    tab.click_and_go("button", "上传并预览");
    wrong_in("file", "表格");
    assert_eq!(
        tab.text("find('select', '属于哪一学年').selectedOptions[0].innerText"),
        "2025-2026学年"
    );
    tab.submit_unchecked(1);
    wrong_in("file", "请选择一个文件");
    let table =
        "学校名称,学校类别,城乡类型\n青石小学,完全小学,乡镇\n,完全小学,村庄\n白沙小学,宇宙学校,村庄\n";
    tab.choose_file("#file", &file("名单.csv", table.as_bytes()));
    tab.click_and_go("button", "上传并预览");
    tab.has("有问题的单元格").has("宇宙学校").has("确认导入");
    assert_eq!(axe.faults(&tab), [""; 0]);
    every::keep_picture(&tab, "王𬭊 preview", "1280");
    tab.size(390, 844, true);
    assert_eq!(every::too_wide(&tab), None);
    every::keep_picture(&tab, "王𬭊 preview", "390");
}
