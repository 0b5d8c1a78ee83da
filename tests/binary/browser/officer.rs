//! A day of an officer at the county: dashboard, queue, bulletin, devices, at a desk and on a phone. Each page is looked
//! at with axe at both widths, and kept as a picture.

use super::AUDITOR;
use super::chromium::Chromium;
use super::county::{CLERK, County, PIN, SCHOOL};
use super::every::{self, Axe};
use super::tab::Tab;

/// Looks at the page as it stands, at 1280 and 390 px.
fn look(tab: &Tab, axe: &Axe, what: &str, faults: &mut Vec<String>) {
    for (width, height, phone) in [(1280, 800, false), (390, 844, true)] {
        tab.size(width, height, phone);
        let mut found = axe.faults(tab);
        if phone {
            found.extend(every::too_wide(tab));
        }
        faults.extend(found.iter().map(|fault| format!("{what}, {width} px: {fault}")));
        every::keep_picture(tab, what, &format!("officer-{width}"));
    }
    tab.size(1280, 800, false);
}

#[test]
#[ignore = "needs Chromium and axe-core (YANXIU_AXE); .ci/run runs it with both"]
fn a_county_officers_day_from_the_dashboard_to_a_lost_device() {
    let axe = Axe::read();
    let mut county = County::found();
    let mentor = county.mentor();
    let session = county.session("第三次校本研修：读懂学生的错误", "2025-10-16");
    county.claims(&session);
    let (hub, school) = (county.hub().pages.clone(), county.school.pages.clone());
    let browser = Chromium::start();
    let tab = browser.person();
    let mut faults = Vec::new();
    let mut see = |tab: &Tab, what: &str| look(tab, &axe, what, &mut faults);

    // What came in, and down to one school, one session and who was there.
    tab.sign_in(&hub, AUDITOR, PIN);
    tab.until(
        "claims",
        "document.querySelector('#todo').innerText.includes('5 条学分待审')",
    );
    see(&tab, "overview");
    tab.open(&format!("{hub}/schools"));
    tab.has(SCHOOL).has("白沙小学");
    see(&tab, "dashboard");
    // At a desk every column is on the screen, and a head sorts by its column, the sum staying last.
    tab.until(
        "all columns",
        "(() => { const box = document.querySelector('#rows .scroll'); return box.scrollWidth <= box.clientWidth; })()",
    );
    let order =
        "[...document.querySelectorAll('#rows tbody th')].map((th) => th.firstChild.textContent).join()";
    for (head, rows) in [
        ("教师", "青石小学,白沙小学,合计"),
        ("教师", "白沙小学,青石小学,合计"),
        ("学校", "白沙小学,青石小学,合计"),
        ("学校", "青石小学,白沙小学,合计"),
    ] {
        tab.click("button", head);
        assert_eq!(tab.text(order), rows, "sorted by {head}");
    }
    see(&tab, "dashboard sorted");
    tab.open(&format!("{hub}/schools?q=%E9%9D%92%E7%9F%B3"));
    tab.has(SCHOOL).lacks("白沙小学");
    see(&tab, "dashboard filtered");
    tab.click_and_go("a", SCHOOL);
    tab.has("读懂学生的错误");
    see(&tab, "school");
    tab.click_and_go("a", "第三次校本研修：读懂学生的错误");
    tab.has("李𬭊");
    see(&tab, "session");
    tab.open(&format!("{hub}/audit"));
    tab.has("5 条待审");
    see(&tab, "queue");

    // A schedule; what is due today is drafted, checked and issued by a person.
    tab.open(&format!("{hub}/bulletins"));
    tab.has("还没有通报安排");
    let today = tab.text("document.querySelector('#cut_on').value");
    tab.click_and_go("a", "新的安排");
    tab.fill("通报事项", "网络研修进度");
    tab.choose("类别", "情况通报");
    tab.fill("开始日期", &today);
    tab.fill("结束日期", "2030-12-31");
    for day in [
        "星期一",
        "星期二",
        "星期三",
        "星期四",
        "星期五",
        "星期六",
        "星期日",
    ] {
        tab.click("input", day);
    }
    see(&tab, "schedule form");
    tab.click_and_go("button", "保存");
    tab.open(&hub);
    tab.has("情况通报到期：网络研修进度");
    tab.click_and_go("a", "去通报");
    tab.has("今天应发").has("每周");
    see(&tab, "bulletin due");
    tab.click_and_go("button", "起草第 1 期");
    tab.has("草拟").has("各校数据");
    see(&tab, "bulletin draft");
    tab.click_and_go("button", "签发");
    tab.open(&format!("{hub}/bulletins"));
    tab.has("有效").lacks("今天应发");

    // The school reads it and says so; the county sees who has not.
    let clerk = browser.person();
    clerk.sign_in(&school, CLERK, PIN);
    clerk.open(&format!("{school}/bulletins"));
    while !clerk.words().contains("网络研修进度") {
        std::thread::sleep(std::time::Duration::from_millis(200));
        clerk.open(&format!("{school}/bulletins"));
    }
    see(&clerk, "bulletin at the school");
    clerk.click_and_go("button", "已阅");
    clerk.has("本校已阅").has(CLERK);
    see(&clerk, "bulletin read");
    tab.until(
        "the reading",
        "document.querySelector('main').innerText.includes('已阅的学校 1 所')",
    );
    tab.has("尚未入网，请另行通知的学校 1 所：白沙小学");
    see(&tab, "bulletin issued");

    // A mentor is sent, and finds that on the laptop.
    tab.open(&format!("{hub}/visits"));
    tab.click_and_go("a", "安排送教任务");
    tab.fill("专家代号", "zj01");
    tab.choose("学校", SCHOOL);
    tab.choose("类别", "送培到校");
    tab.fill("计划到校", "2025-10-12");
    tab.fill("计划离校", "2025-10-17");
    tab.fill("任务", "四年级语文送培");
    see(&tab, "assignment form");
    tab.click_and_go("button", "保存");
    tab.open(&format!("{hub}/visits"));
    tab.has("四年级语文送培").has("zj01");
    see(&tab, "assignments");
    let sent = browser.person();
    sent.sign_in(&mentor, super::county::MENTOR, PIN);
    sent.open(&format!("{mentor}/visits"));
    sent.until(
        "the assignment",
        "document.querySelector('main').innerText.includes('四年级语文送培')",
    );
    sent.has("已安排").has("送培到校");

    // A school's computer asks: both sides see the same digits, and it is let in.
    let asking = county.asking();
    let new = browser.person();
    new.sign_in(&asking, "白沙专管员", PIN);
    new.open(&format!("{asking}/sync"));
    let digits = "[...document.querySelectorAll('.digits')].map((p) => p.textContent).join()";
    new.until("the digits", "!!document.querySelector('.digits')");
    new.click("input", "我已和县里核对，25 位数字完全一样");
    tab.open(&format!("{hub}/devices"));
    tab.until("it asks", "!!document.querySelector('#pending .digits')");
    assert_eq!(tab.text(digits), new.text(digits));
    let asked = tab.text("document.querySelector('#pending .digits + p').textContent.split('：')[1]");
    tab.fill("申请", &asked[..8]);
    tab.choose("学校（学校的电脑要选）", "白沙小学");
    see(&tab, "a device that asks");
    tab.click("input", "已核对：25 位数字完全一样");
    new.click_and_go("button", "加入");
    tab.click_and_go("button", "批准");
    tab.open(&format!("{hub}/devices"));
    tab.has("白沙小学 办公室").has("现在没有设备在网上申请");
    new.until(
        "it belongs to the county",
        "document.querySelector('main').innerText.includes('已加入')",
    );

    // Devices: who has what; the mentor's laptop is lost.
    tab.open(&format!("{hub}/devices"));
    tab.has("语文送教一组").has("zj01");
    see(&tab, "devices");
    tab.click_and_go("a", "语文送教一组");
    see(&tab, "device");
    tab.open(&format!("{hub}/devices"));
    tab.click_and_go("a", "撤销 语文送教一组");
    tab.has("县里现在已收到的记录仍然有效");
    see(&tab, "revoke");
    tab.click_and_go("button", "撤销这台设备");
    tab.open(&format!("{hub}/devices"));
    tab.has("已撤销");
    see(&tab, "devices after");
    let lost = browser.person();
    lost.sign_in(&mentor, super::county::MENTOR, PIN);
    lost.open(&format!("{mentor}/sync"));
    lost.until(
        "the laptop knows",
        "document.querySelector('main').innerText.includes('撤销')",
    );
    see(&lost, "a revoked laptop");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
