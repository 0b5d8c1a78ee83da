//! The printed forms, and the sheet that two people sign on one device.

use super::chromium::Chromium;
use super::county::{CLERK, County, PIN, TEACHER};
use super::every;
use super::tab::Tab;

/// The teacher whose lesson is heard.
const TAUGHT: &str = "李𬭊";

/// Gives a teacher of the roster an account of the same name.
fn account(tab: &Tab, pages: &str, teacher: &str) {
    tab.open(&format!("{pages}/accounts"));
    let person = format!(
        "[...document.querySelector('#person').options].find(o => tidy(o.innerText).startsWith({})).value",
        super::tab::quoted(teacher)
    );
    let person = tab.text(&person);
    tab.run(&format!(
        "document.querySelector('#person').value = '{person}';
         document.querySelector('#role').value = 'teacher';
         document.querySelector('#name').value = '{teacher}';
         document.querySelector('#secret').value = '{PIN}';"
    ));
    let form = tab.js("[...document.forms].findIndex(f => f.querySelector('#secret'))");
    tab.submit_unchecked(usize::try_from(form.as_u64().unwrap()).unwrap());
    tab.has("账号已保存");
}

/// An observation that the teacher who is signed in enters of a lesson of another; its path.
fn observation(tab: &Tab, pages: &str, process: &str) -> String {
    tab.open(&format!("{pages}/observations/new"));
    tab.choose("授课教师", TAUGHT);
    tab.fill("听课日期", "２０２５年１０月２２日");
    tab.fill("课题", "认识分数：㙇同学分月饼");
    tab.fill("学科", "数学");
    tab.fill("年级班", "三（2）班");
    tab.fill("节次", "第3节");
    tab.choose("课型", "公开课");
    tab.choose("听课方式", "集中");
    tab.choose("听课人身份", "同伴");
    tab.fill("教学过程", process);
    tab.fill("优点", "从学生的错误出发，板书工整");
    tab.fill("不足", "小组讨论的时间不够");
    tab.fill("建议", "给每组一份学具");
    tab.fill("总分", "８８");
    tab.click_and_go("button", "保存");
    let address = tab.address();
    address.split('?').next().unwrap().to_string()
}

fn debrief(tab: &Tab) {
    tab.click_and_go("a", "修改");
    tab.fill("评课人", TEACHER);
    tab.fill("评课时间", "2025.10.22");
    tab.fill("评课地点", "数学组办公室");
    tab.click_and_go("button", "保存");
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn an_observer_and_the_taught_teacher_sign_one_sheet_on_one_device_without_a_network() {
    let mut county = County::found();
    let pages = county.school.pages.clone();
    let browser = Chromium::start();
    let clerk = browser.person();
    clerk.sign_in(&pages, CLERK, PIN);
    account(&clerk, &pages, TAUGHT);
    county.hub_stops();

    let tab = browser.person();
    tab.sign_in(&pages, TEACHER, PIN);
    tab.click_and_go("nav a", "听评课");
    tab.has("还没有听评课记录");
    let sheet = observation(&tab, &pages, "8:00｜出示月饼图｜观察、说想法");
    tab.has("草稿").has("还不能签字");
    debrief(&tab);
    tab.has("已评课").has("未签");
    tab.click_and_go("a", "去签字");
    // 评课人、时间、地点 stand before the eyes of who signs.
    tab.has("数学组办公室").has("2025-10-22").has("欧阳㙇");
    tab.click_and_go("button", "我确认并签字");
    tab.has("已签字，保存在本校。");
    // The taught teacher at the same keyboard: a wrong PIN first.
    tab.fill("本人的 PIN 或密码", "135791");
    tab.click_and_go("button", "本人输入 PIN 签字");
    tab.has("还没有保存").has("账号或 PIN（密码）不对");
    tab.fill("本人的 PIN 或密码", PIN);
    tab.click_and_go("button", "本人输入 PIN 签字");
    tab.has("已签字，保存在本校。").has("双方已签").lacks("未签");
    tab.has("本人账号");

    // Later the text is changed: both are to sign anew, and what was signed stays readable.
    tab.click_and_go("a", "返回");
    tab.click_and_go("a", "修改");
    tab.has("已有人签字");
    tab.fill("不足", "没有不足");
    tab.click_and_go("button", "保存");
    tab.has("已变更（待重签）");
    tab.click_and_go("a", "去签字");
    tab.has("已失效的签字").has("小组讨论的时间不够").has("没有不足");

    // The taught teacher finds the sheet among the own and answers; that voids nothing.
    let taught = browser.person();
    taught.sign_in(&pages, TAUGHT, PIN);
    taught.click_and_go("nav a", "听评课");
    taught.click_and_go("a", "认识分数：㙇同学分月饼");
    taught.click_and_go("a", "去签字");
    taught.click_and_go("button", "我确认并签字");
    taught.click_and_go("a", "返回");
    taught.fill("您的意见（不影响签字）", "下次给每组一份学具");
    taught.click_and_go("button", "保存意见");
    taught.has("已保存在本校").has("下次给每组一份学具");
    let signed = "[...document.querySelectorAll('#sides .badge')].map(name)";
    assert_eq!(every::strings(&taught.js(signed)), ["已签", "已变更（待重签）"]);
    // Nobody else's sheets: a third teacher's account.
    account(&clerk, &pages, "赵一鸣");
    let third = browser.person();
    third.sign_in(&pages, "赵一鸣", PIN);
    third.open(&sheet);
    third.has("没有权限").lacks("学具");
    third.open(&format!("{pages}/sign/{}", sheet.rsplit('/').next().unwrap()));
    third.has("没有权限").lacks("学具");
}

/// Whether a sheet says on itself all that every sheet must, and holds what stands on it; one line for each fault.
const SHEETS: &str = "[...document.querySelectorAll('.sheet')].flatMap((s, i, all) => {
  const at = `sheet ${i + 1}: `, faults = [];
  const text = tidy(s.innerText), end = s.querySelector('.end').getBoundingClientRect();
  for (const word of ['学校名称：青石小学', '学校标识码', '制表日期', '填表人', '审核人', '（公章）', '数据截止：20', '规则：', '/1）',
                      `第 ${i + 1} 页 共 ${all.length} 页`])
    if (!text.includes(word)) faults.push(at + 'lacks ' + word);
  if (!s.querySelector('h1, .h1').innerText) faults.push(at + 'no title');
  for (const table of s.querySelectorAll('table'))
    if (!table.querySelector('tbody tr')) faults.push(at + 'an empty table');
  for (const part of s.querySelectorAll('.middle > *'))
    if (part.getBoundingClientRect().bottom > end.top + 0.5) faults.push(at + 'falls off: ' + part.innerText.slice(0, 40));
  for (const cell of s.querySelectorAll('td, th, h1, .h1, li'))
    if (cell.scrollWidth > cell.clientWidth + 1 && getComputedStyle(cell).display !== 'inline')
      faults.push(at + 'cut off: ' + cell.innerText.slice(0, 40));
  const width = s.clientWidth;
  for (const part of s.querySelectorAll('*'))
    if (part.getBoundingClientRect().right > s.getBoundingClientRect().right + 0.5)
      faults.push(at + 'beyond the edge: ' + part.innerText.slice(0, 40));
  return faults;
})";

/// Prints the page that is open: how many sheets, and on each which heads of columns.
pub fn printed(tab: &Tab, name: &str, wide: bool) -> (usize, Vec<String>) {
    tab.paper(true);
    let faults = every::strings(&tab.js(SHEETS));
    assert_eq!(faults, [""; 0], "{name}");
    let heads = tab.js(
        "[...document.querySelectorAll('.sheet')].map(s => [...s.querySelectorAll('thead')].map(h => tidy(h.innerText)).join(' | '))",
    );
    tab.paper(false);
    let sheets = tab
        .js("document.querySelectorAll('.sheet').length")
        .as_u64()
        .unwrap();
    let pdf = tab.pdf();
    if let Ok(root) = std::env::var("YANXIU_PICTURES") {
        let folder = std::path::PathBuf::from(root).join("pdf");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.pdf")), &pdf).unwrap();
    }
    let text = String::from_utf8_lossy(&pdf);
    // The size of each page, in points; Chromium writes these parts of a PDF as plain text.
    let boxes: Vec<Vec<f64>> = text
        .split("/MediaBox [")
        .skip(1)
        .map(|rest| {
            rest.split(']')
                .next()
                .unwrap()
                .split(' ')
                .map(|n| n.parse().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(boxes.len() as u64, sheets, "{name}: pages of the PDF");
    let a4 = if wide { [841.89, 595.28] } else { [595.28, 841.89] };
    for at in &boxes {
        let off = [(at[2] - at[0] - a4[0]).abs(), (at[3] - at[1] - a4[1]).abs()];
        assert!(off.iter().all(|off| *off < 1.0), "{name}: {at:?} is no A4");
    }
    (boxes.len(), every::strings(&heads))
}

#[test]
#[ignore = "needs Chromium; .ci/run runs it"]
fn every_form_is_a4_with_heads_seal_cut_off_rules_and_number_on_each_sheet() {
    let county = County::found();
    let pages = county.school.pages.clone();
    let browser = Chromium::start();
    let clerk = browser.person();
    clerk.sign_in(&pages, CLERK, PIN);

    // Forty more teachers, so that lists go on overleaf.
    let given: Vec<char> = "一二三四五六七八九十".chars().collect();
    let rows: String = (0..40)
        .map(|n| {
            let name = format!("{}{}𬭊", ["㙇", "欧阳", "王", "买买提·"][n / 10], given[n % 10]);
            let code = n + 6;
            format!("青石小学,{name},T{code:03},女,1985,专任教师,一级教师,语文,小学\n")
        })
        .collect();
    let list = format!("学校,姓名,教师编号,性别,出生年,岗位,职称,任教学科,学段\n{rows}");
    let preview = county.quick.upload(&pages, "教师.csv", list.as_bytes());
    let token = preview.value("token");
    let fields = [("token", token.as_str())];
    county
        .quick
        .submit(&format!("{pages}/import"), "/import/confirm", &fields)
        .has("已导入");

    let session = county.session(
        "第三次校本研修：读懂学生的错误——基于课堂观察的三年级分数教学改进",
        "2025-10-16",
    );
    let id = session.rsplit('/').next().unwrap().to_string();
    clerk.open(&format!("{pages}{session}"));
    clerk.click_and_go("a", "打印签到表");
    let (sheets, heads) = printed(&clerk, "F9 签到表", false);
    assert!(sheets >= 2, "{sheets}");
    assert!(
        heads
            .iter()
            .all(|h| h == "序号 姓名 单位 学科 签名 到达 离开 备注"),
        "{heads:?}"
    );
    clerk.has("应到").has("45 人");
    clerk.click_and_go("a", "空白签到表");
    let (more, _) = printed(&clerk, "F9 空白签到表", false);
    assert!(more >= sheets);

    county
        .quick
        .submit(&format!("{pages}{session}"), &format!("{session}/end"), &[]);
    let on = [("claimed_on", "2025-10-17")];
    county
        .quick
        .submit(&format!("{pages}{session}"), &format!("{session}/claims"), &on);
    clerk.open(&format!("{pages}/claims"));
    clerk.click_and_go("a", "打印登记表");
    let (sheets, heads) = printed(&clerk, "F8 学时学分登记表", true);
    assert!(sheets >= 2, "{sheets}");
    assert!(
        heads
            .iter()
            .all(|h| h.starts_with("序号 姓名 教师编号") && h.ends_with("登记号")),
        "{heads:?}"
    );
    let first = clerk.js("document.querySelectorAll('.sheet tbody tr').length");
    assert_eq!(first, 46, "45 claims and the sum");

    // The card of a teacher, by the teacher.
    let teacher = browser.person();
    teacher.sign_in(&pages, TEACHER, PIN);
    teacher.click_and_go("a", "打印档案（学分卡）");
    printed(&teacher, "F1 教师成长档案", false);
    teacher
        .has("培训记录")
        .has("第三次校本研修")
        .has("各项要求与缺口")
        .has("发展规划");

    // A sheet with a long course of the lesson, and one that is only begun.
    let line = "8:05｜出示三幅月饼图，追问“为什么是平均分”，请㙇同学的小组上台演示折纸｜独立折一折，再与同桌说说每份是几分之几\n";
    observation(&teacher, &pages, &line.repeat(60));
    debrief(&teacher);
    teacher.click_and_go("a", "打印记录表");
    let (sheets, _) = printed(&teacher, "F7 听评课记录表", false);
    assert!(sheets >= 3, "{sheets}");
    teacher.has("2025-2026学年").has("第一学期").has("认识分数");

    // 备案/核准.
    let fields = [
        ("title", "读懂学生的错误：校本课程"),
        ("gate", "file"),
        ("category", "practice"),
        ("forms", "school_based"),
        ("begins_on", "2025-09-10"),
        ("ends_on", "2026-01-10"),
        ("hours_c", "１２"),
        ("sessions", "6"),
        ("lecture_minutes", "60"),
        ("minutes", "720"),
        ("content", "第一讲　错误从哪里来\n第二讲　课堂观察工具"),
        ("participants", "全体教师"),
        ("assessment", "考勤、笔记"),
        ("responsible", "教务处"),
        ("principal_agrees", "1"),
    ];
    let new = format!("{pages}/records/filing_package/new");
    let page = county.quick.submit(&new, "/records/filing_package/new", &fields);
    page.has("已保存在本机");
    clerk.open(&page.url);
    clerk.click_and_go("a", "打印备案（核准）表");
    printed(&clerk, "F15 备案核准表", false);
    clerk
        .has("8.3%（60 / 720 分钟）")
        .has("12.0 学时，6 场")
        .has("备案");

    // The county prints what it has received.
    let hub = county.hub().pages.clone();
    county.quick.until(&format!("{hub}/audit"), "45 条待审");
    let auditor = browser.person();
    auditor.sign_in(&hub, super::county::AUDITOR, PIN);
    auditor.open(&format!("{hub}/sessions/{id}"));
    auditor.click_and_go("a", "打印签到表");
    printed(&auditor, "F9 县", false);
}
