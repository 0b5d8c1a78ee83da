//! The people of the kill test: a clerk and an auditor at their pages, and somebody at the command line.
//! Each goes on through every kill; what is answered with success is acknowledged, and nothing else.

use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::Bench;
use crate::side::{Random, Side};
use crate::support::{Browser, Page};

/// One form at a side's page. `Some`: where success leads to. A broken link is no answer: the record may be
/// there or not.
fn send(bench: &Bench, browser: &Browser, side: &Side, form: &Form<'_>) -> Option<String> {
    let pages = side.pages();
    let answer = browser
        .try_get(&format!("{pages}{}", form.page))
        .and_then(|page| {
            let Some(token) = page.field("csrf") else {
                return Ok(page);
            };
            let mut all = vec![("csrf", token.as_str())];
            all.extend_from_slice(form.fields);
            browser.try_post(&format!("{pages}{}", form.action), &all)
        });
    match answer {
        Ok(Page {
            status: 303,
            location: Some(to),
            ..
        }) if to.contains("?done=") => Some(to),
        Ok(page) => {
            let text: String = page
                .body
                .chars()
                .filter(|c| !c.is_whitespace())
                .take(3_000)
                .collect();
            let odd = format!(
                "{} {}: {} {:?} {text}",
                side.place.name(),
                form.action,
                page.status,
                page.location
            );
            bench.odd.lock().unwrap_or_else(PoisonError::into_inner).push(odd);
            None
        }
        Err(_) => {
            bench.unanswered.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
            None
        }
    }
}

struct Form<'a> {
    page: &'a str,
    action: &'a str,
    fields: &'a [(&'a str, &'a str)],
}

/// Enters session after session: its facts, three people's attendance, mostly its end, then 登分.
pub fn clerk(bench: &Bench, browser: &Browser, mut random: Random) {
    let people: Vec<String> = crate::support::database::Database::open(&bench.school.place.database())
        .records()
        .into_iter()
        .filter(|(_, fields)| fields["_kind"].as_str().is_some_and(|k| k.starts_with("person/")))
        .map(|(id, _)| id)
        .collect();
    let marks: Vec<(String, &str)> = people.iter().map(|p| (format!("m-{p}"), "present")).collect();
    let marks: Vec<(&str, &str)> = marks
        .iter()
        .map(|(name, status)| (name.as_str(), *status))
        .collect();
    let each = |word: &str, session: &str, end: &str| {
        people
            .iter()
            .map(|p| format!("{word} {session} {p}{end}"))
            .collect::<Vec<_>>()
    };
    let mut count = 0;
    while !bench.over.load(Ordering::Relaxed) {
        let _entering = bench.quiet.read().unwrap_or_else(PoisonError::into_inner);
        count += 1;
        let title = format!("第{count}次集体备课：读懂学生的错误");
        let send = |page: &str, action: &str, fields: &[(&str, &str)]| {
            send(bench, browser, &bench.school, &Form { page, action, fields })
        };
        // A time of its own for each: two at one time are a question for a person.
        let (day, slot) = (count / 48, count % 48);
        let date = format!("2025-{:02}-{:02}", 9 + day / 28 % 4, 1 + day % 28);
        let [begins, ends] = [slot, slot + 1].map(|slot| format!("{:02}:{:02}", 6 + slot / 3, slot % 3 * 20));
        let fields = [
            ("title", title.as_str()),
            ("date", date.as_str()),
            ("begins", begins.as_str()),
            ("ends", ends.as_str()),
            ("form", "school_based"),
            ("category", "practice"),
            ("channel", "school"),
            ("hours_c", "1"),
        ];
        let Some(to) = send("/sessions/new", "/sessions/new", &fields) else {
            continue;
        };
        let Some(id) = to
            .strip_prefix("/sessions/")
            .and_then(|rest| rest.split('?').next())
        else {
            continue;
        };
        bench.acknowledge([format!("session {id} {title}")]);
        let page = format!("/sessions/{id}");
        if send(&page, &format!("{page}/attendance"), &marks).is_none() {
            continue;
        }
        bench.acknowledge(each("attendance", id, " present"));
        if random.below(3) == 0 || send(&page, &format!("{page}/end"), &[]).is_none() {
            continue;
        }
        bench.acknowledge([format!("ended {id}")]);
        if send(&page, &format!("{page}/claims"), &[("claimed_on", "2025-12-31")]).is_some() {
            bench.acknowledge(each("claim", id, ""));
        }
    }
}

/// Recognises what waits at the hub, a few claims at a time.
pub fn auditor(bench: &Bench, browser: &Browser) {
    while !bench.over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        let _entering = bench.quiet.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(queue) = browser.try_get(&format!("{}/audit", bench.hub.pages())) else {
            continue;
        };
        let claims = queue.values("claim");
        let mut fields: Vec<(&str, &str)> = claims.iter().take(5).map(|c| ("claim", c.as_str())).collect();
        if fields.is_empty() {
            continue;
        }
        fields.push(("decided_on", "2026-01-05"));
        if send(
            bench,
            browser,
            &bench.hub,
            &Form {
                page: "/audit",
                action: "/audit",
                fields: &fields,
            },
        )
        .is_some()
        {
            let ids = fields
                .iter()
                .filter_map(|(_, value)| Some(value.split_once(':')?.0));
            bench.acknowledge(ids.map(|id| format!("decision {id} recognised")));
        }
    }
}

/// Imports one teacher at the school or one school at the hub, beside the running program or without it. One
/// command in four is killed itself.
pub fn commands(bench: &Bench, scratch: &Path, mut random: Random) {
    let mut count = 1000;
    while !bench.over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(200 + random.below(400)));
        let _entering = bench.quiet.read().unwrap_or_else(PoisonError::into_inner);
        count += 1;
        let (side, table, fact) = if random.below(2) == 0 {
            let name = name(count);
            let table = format!("姓名,教师编号,在岗情况\n{name},T{count},调出\n");
            (&bench.school, table, format!("person T{count} {name}"))
        } else {
            let code = 2_168_000_000_u64 + count;
            let table =
                format!("学校名称,学校标识码,学校类别,城乡类型\n第{count}教学点,{code},教学点,村庄\n");
            (&bench.hub, table, format!("organisation {code} 第{count}教学点"))
        };
        let file = scratch.join("一行.csv");
        std::fs::write(&file, table).unwrap();
        let args = ["import", file.to_str().unwrap(), "--yes"];
        let _files = side.files.lock().unwrap_or_else(PoisonError::into_inner);
        if random.below(4) == 0 {
            let mut child = side.place.begin(&args);
            std::thread::sleep(Duration::from_millis(random.below(100)));
            let _ = child.kill();
            if child.wait().unwrap().success() {
                bench.acknowledge([fact]);
            }
            continue;
        }
        let said = side.place.run(&args);
        if said.ok && said.out.contains("已导入 1 条") {
            bench.acknowledge([fact]);
        } else {
            let odd = format!(
                "{} {table}: {}{}",
                side.place.name(),
                said.out,
                said.err,
                table = args[1]
            );
            bench.odd.lock().unwrap_or_else(PoisonError::into_inner).push(odd);
        }
    }
}

/// A name for each number: names have no digits.
fn name(count: u64) -> String {
    let digits: Vec<char> = "甲乙丙丁戊己庚辛壬癸".chars().collect();
    let given = count
        .to_string()
        .bytes()
        .map(|b| digits[usize::from(b - b'0')])
        .collect::<String>();
    format!("㙇{given}")
}
