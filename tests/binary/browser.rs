//! The pages as people use them, in a real headless Chromium, served by the built binary.
//!
//! They need a Chromium (`YANXIU_CHROMIUM` names one that is not in the path), so a plain `cargo test` reports
//! them as ignored and `.ci/run` runs them with `--ignored`. `YANXIU_PICTURES=<folder>` keeps a picture of
//! every page at both widths.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/county.rs"]
mod county;
#[path = "browser/every.rs"]
mod every;
mod support;
#[path = "browser/tab.rs"]
mod tab;

use chromium::Chromium;
use std::collections::BTreeMap;

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
    tab.has("已保存在本校。").has("第三次校本研修：读懂学生的错误").has("2025-10-16");
    assert_eq!(badges(&tab), ["草稿", SAVED]);

    // All are there, but one was ill.
    tab.tab_to("button", "全部到");
    tab.press("Enter");
    tab.has("还没有保存");
    tab.tab_to("input", "李𬭊 到");
    tab.arrow_to("李𬭊 病假");
    tab.press_and_go("Enter");
    tab.has("考勤已保存在本校：5 人。").has("实到 4");
    assert_eq!(tab.js("[...document.querySelectorAll('.mark input:checked')].map(name).join()"), "欧阳㙇 到,李𬭊 病假,王小兰 到,赵一鸣 到,阿依古丽·买买提 到");
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
    tab.tab_to("button", "退出");
    tab.press_and_go("Enter");
    tab.has("PIN 或密码");
}

/// The labels beside the title.
fn badges(tab: &Tab) -> Vec<String> {
    let all = tab.js("[...document.querySelectorAll('#badges .badge')].map(name)");
    all.as_array().unwrap().iter().map(|b| b.as_str().unwrap().to_string()).collect()
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn no_page_of_any_role_needs_scrolling_to_the_side_on_a_phone() {
    let county = County::found().busy();
    let browser = Chromium::start();
    let (mut faults, mut broken) = (Vec::new(), Vec::new());
    every::each_role(&browser, &county, |tab, role| {
        let mut pages = 0;
        tab.size(390, 844, true);
        every::every_page(&tab, role, &mut broken, |tab, path| {
            let wide = every::too_wide(tab);
            if !wide.is_empty() {
                faults.push(format!("{} {path}: {wide}", role.name));
            }
            every::keep_picture(tab, role, path, "390");
            pages += 1;
        });
        println!("{}: {pages} pages", role.name);
    });
    faults.extend(broken);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "needs Chromium and axe-core (YANXIU_AXE); .ci/run runs it with both"]
fn axe_finds_nothing_serious_on_any_page_of_any_role() {
    let axe = every::Axe::read();
    let county = County::found().busy();
    let browser = Chromium::start();
    let (mut faults, mut broken) = (Vec::new(), Vec::new());
    every::each_role(&browser, &county, |tab, role| {
        every::every_page(&tab, role, &mut broken, |tab, path| {
            let found = axe.faults(tab);
            faults.extend(found.iter().map(|f| format!("{} {path}: {f}", role.name)));
            every::keep_picture(tab, role, path, "1280");
        });
    });
    faults.extend(broken);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn bad_input_on_any_form_is_explained_and_nothing_typed_is_lost() {
    let county = County::found().busy();
    let browser = Chromium::start();
    let (mut tried, mut faults) = (BTreeMap::new(), Vec::new());
    every::each_role(&browser, &county, |tab, role| {
        every::every_form(&tab, role, &mut tried, &mut faults, |tab, path| {
            every::keep_picture(tab, role, path, "faults");
        });
    });
    println!("{tried:#?}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
