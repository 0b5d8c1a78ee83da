//! A mentor's visit on two screens side by side: the laptop that the mentor brings, and the school's own computer.

use super::chromium::Chromium;
use super::county::{AUDITOR, CLERK, County, MENTOR, PIN, SCHOOL};
use super::forms::printed;
use super::tab::Tab;

/// Saves the form that is open.
fn save(tab: &Tab) {
    tab.click_and_go("button", "保存");
    tab.has("已保存在本机");
}

fn member(tab: &Tab, name: &str, unit: &str, origin: &str, role: &str) {
    tab.click_and_go("a", "登记团队成员");
    tab.fill("姓名", name);
    tab.fill("单位", unit);
    tab.choose("本地/外地", origin);
    tab.choose("角色", role);
    for day in 1..=6 {
        tab.click("label", &format!("第{day}天"));
    }
    save(tab);
}

fn day(tab: &Tab, date: &str, segment: &str, teacher: &str, topic: &str) {
    tab.click_and_go("a", "登记日程");
    tab.fill("日期", date);
    tab.choose("环节", segment);
    if !teacher.is_empty() {
        tab.choose("授课教师（本校）", teacher);
    }
    tab.choose("主讲/指导专家", "周𬭊");
    tab.fill("课题或内容", topic);
    tab.choose("课程类别", "高效课堂模式");
    save(tab);
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn a_mentors_visit_from_the_countys_plan_to_the_schools_screen() {
    let mut county = County::found();
    let (laptop, pages, hub) = (
        county.mentor(),
        county.school.pages.clone(),
        county.hub().pages.clone(),
    );
    let browser = Chromium::start();

    // The county assigns the visit.
    let auditor = browser.person();
    auditor.sign_in(&hub, AUDITOR, PIN);
    auditor.click_and_go("nav a", "送教送培");
    auditor.click_and_go("a", "安排送教任务");
    auditor.fill("专家代号", "zj01");
    auditor.choose("学校", SCHOOL);
    auditor.choose("类别", "送培到校");
    auditor.fill("计划到校", "2025-10-12");
    auditor.fill("计划离校", "2025-10-17");
    auditor.fill("任务", "四年级语文送培");
    save(&auditor);

    // In the county town the laptop fetches what it takes along.
    let mentor = browser.person();
    mentor.sign_in(&laptop, MENTOR, PIN);
    mentor.click_and_go("nav a", "送教送培");
    county.quick.until(&format!("{laptop}/visits"), "四年级语文送培");
    county.quick.until(&format!("{laptop}/visits"), "花名册已带");
    mentor.open(&format!("{laptop}/visits"));
    mentor.has("我的任务").has("四年级语文送培").has("花名册已带");

    // At the school there is no way to the county.
    county.hub_stops();
    mentor.click_and_go("a", "开始登记");
    mentor.fill("项目", "国培计划（2025）送培到校");
    mentor.fill("学科", "语文");
    mentor.fill("参训人数", "36");
    mentor.fill(
        "内容与指导情况",
        "听诊四节，研课磨课三天，反馈课两节；重点改进习作教学的支架设计。",
    );
    mentor.fill("存在问题", "习作课教师讲得多，学生动笔少。");
    mentor.fill("改进建议", "每课留十五分钟当堂写；同年级共用一套评价单。");
    mentor.fill("生成资源", "课例两节，评价单一套");
    mentor.fill("满意度（%）", "96");
    mentor.fill("问卷回收数", "34");
    mentor.fill("组长到校日期", "2025-10-12");
    mentor.click("label", "组长全程驻校");
    save(&mentor);
    mentor.has("规则对照").has("还没有填送教团队");
    member(&mentor, "周𬭊", "云岭县教师进修学校", "本地", "组长");
    member(&mentor, "吴若兰", "云岭县第一小学", "本地", "专家");
    member(&mentor, "郑㙇", "省教育学院", "外地", "专家");
    mentor.has("本地 2 人，共 3 人，占 66.6%").has("不符合");
    member(&mentor, "冯一鸣", "市实验小学", "外地", "示范课教师");
    mentor.has("本地 2 人，共 4 人，占 50%");
    day(&mentor, "2025-10-12", "到校", "", "与学校商定一周安排");
    day(&mentor, "2025-10-13", "听诊", "李𬭊", "习作：我的心爱之物");
    day(
        &mentor,
        "2025-10-14",
        "说课",
        "李𬭊",
        "习作：我的心爱之物（第二稿教案）",
    );
    day(&mentor, "2025-10-15", "试教", "王小兰", "推荐一个好地方");
    day(&mentor, "2025-10-16", "议课", "王小兰", "推荐一个好地方");
    day(&mentor, "2025-10-17", "反馈课", "李𬭊", "习作：我的心爱之物");
    day(&mentor, "2025-10-17", "反馈课", "王小兰", "推荐一个好地方");
    mentor.has("2025-10-17（星期五）").has("6.0 天");
    mentor.click_and_go("a", "登记后续任务");
    mentor.fill("任务", "全校推广习作评价单");
    mentor.fill("负责人", "教导处");
    mentor.fill("完成时间", "2025-11-28");
    save(&mentor);

    // Both sign at the mentor's keyboard.
    mentor.choose("签字身份", "送培组长");
    mentor.click_and_go("button", "我确认并签字");
    mentor.has("已签字，保存在这台笔记本");
    mentor.choose("学校签字人", "王小兰");
    mentor.fill("本人输入自己的姓名", "李𬭊");
    mentor.click_and_go("button", "学校已阅看，当面签字");
    mentor.has("与所选签字人的姓名不一致");
    mentor.fill("本人输入自己的姓名", "王小兰");
    mentor.click_and_go("button", "学校已阅看，当面签字");
    mentor.has("双方已签").has("王小兰 · 校长").lacks("未签");
    let visit = mentor.address().split('?').next().unwrap().to_string();
    let visit = visit.strip_prefix(&laptop).unwrap().to_string();

    // One network, one button; the school's screen stands open beside.
    let clerk = browser.person();
    clerk.sign_in(&pages, CLERK, PIN);
    clerk.click_and_go("nav a", "送教送培");
    clerk.has("还没有送教送培记录");
    mentor.open(&format!("{laptop}/sync"));
    mentor.fill("新地址（主机:端口）", &county.school.sync.to_string());
    mentor.click_and_go("button", "添加");
    mentor.open(&format!("{laptop}/visits"));
    mentor.click_and_go("button", "现在同步");
    mentor.has("正在联系能找到的设备");
    clerk.until(
        "the visit has come",
        "document.body.innerText.includes('双方已签')",
    );
    let line = "[...document.querySelectorAll('.exchange b')].map(b => b.innerText).find(t => t.includes(' 条 · ')) || ''";
    let both = |tab: &Tab| {
        let text = tab.text(line);
        text.rsplit_once(" · 约")
            .map_or_else(String::new, |(counts, _)| counts.to_string())
    };
    super::support::until("both screens agree", || {
        let (here, there) = (both(&mentor), both(&clerk));
        !here.is_empty() && here == there
    });
    println!("both screens: {}", mentor.text(line));
    if let Ok(root) = std::env::var("YANXIU_PICTURES") {
        let root = std::path::Path::new(&root);
        mentor.picture(&root.join("visits-mentor.png"));
        clerk.picture(&root.join("visits-school.png"));
    }
    clerk.open(&format!("{pages}{visit}"));
    clerk
        .has("王小兰 · 校长")
        .has("全校推广习作评价单")
        .lacks("登记日程");
    if let Ok(root) = std::env::var("YANXIU_PICTURES") {
        clerk.picture(&std::path::Path::new(&root).join("visit-school.png"));
    }

    // The papers.
    clerk.click_and_go("a", "打印记录单");
    printed(&clerk, "F5 送培到校记录单", false);
    clerk
        .has("周𬭊")
        .has("全校推广习作评价单")
        .has("96%")
        .has("送培组长");
    clerk.click_and_go("a", "日程表");
    printed(&clerk, "F6 六天日程表", false);
    clerk.has("第6天").has("星期五").has("到场专家");

    // A change afterwards is seen on the other screen.
    clerk.open(&format!("{pages}{visit}"));
    mentor.open(&format!("{laptop}{visit}"));
    mentor.click_and_go("a", "修改");
    mentor.fill("满意度（%）", "97");
    save(&mentor);
    mentor.has("已变更（待重签）");
    clerk.until(
        "it is to be signed anew",
        "document.querySelector('#sides').innerText.includes('已变更（待重签）')",
    );

    // Back at the county everything goes up.
    county.hub_comes_back();
    county
        .quick
        .until(&format!("{}{visit}", county.hub().pages), "97");

    // The survey, and a pair of the school.
    mentor.open(&format!("{laptop}/records/survey/new"));
    mentor.choose("学校", SCHOOL);
    mentor.fill("调研主题", "四年级语文习作需求");
    mentor.fill("调研日期", "2025-09-10");
    mentor.fill(
        "听课诊断",
        "语文｜我的心爱之物｜讲得多，写得少\n数学｜角的度量｜学具不够",
    );
    mentor.fill("需求排序", "习作教学\n大单元备课\n信息技术");
    save(&mentor);
    mentor.click_and_go("a", "打印调研表");
    printed(&mentor, "F11 训前调研表", false);
    mentor.has("角的度量").has("大单元备课");
    clerk.open(&format!("{pages}/records/pairing/new"));
    clerk.choose("师傅", "王小兰");
    clerk.choose("徒弟", "李𬭊");
    clerk.choose("结对类别", "师徒");
    clerk.fill("开始日期", "2025-09-01");
    clerk.fill("目标", "一年内上好一节公开课");
    save(&clerk);
    clerk.click_and_go("a", "登记 师徒活动");
    clerk.choose("活动", "听徒弟的课");
    clerk.fill("日期", "2025-10-09");
    clerk.fill("内容", "听《我的心爱之物》");
    save(&clerk);
    clerk.open(&format!("{pages}/records/pairing"));
    clerk.click_and_go("main a", "李𬭊");
    clerk.click_and_go("a", "打印协议与记录");
    printed(&clerk, "F12 师徒结对", false);
    clerk.has("听《我的心爱之物》").has("一年内上好一节公开课");
}
