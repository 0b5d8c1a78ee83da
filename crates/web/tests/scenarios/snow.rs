//! S1: a week of snow. S7: a computer that believes it is 1970.

use std::time::{Duration, Instant};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use node::accounts::Role;

use crate::common::*;
use crate::support::*;

fn photo(shade: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let picture = RgbImage::from_pixel(800, 600, Rgb([shade, 120, 90]));
    JpegEncoder::new(&mut file).encode_image(&picture).unwrap();
    file
}

#[test]
fn s1_sixty_sessions_of_a_snowed_in_school_go_up_in_one_window() {
    let county = Site::county(true);
    let mut school = county.enrol_school(QINGSHI);
    let own = county.school_id(QINGSHI);
    let people: Vec<String> = ["欧阳㙇", "王𬭊", "张三"]
        .iter()
        .enumerate()
        .map(|(n, name)| teacher_since(&school, name, &format!("T00{n}"), "2025-09-01"))
        .collect();
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let leader = school.signed_in("周校长", Role::Leader);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    until(&clerk, "/", "全部已到县");

    // Twelve days without a link, five sessions a day, three sheets photographed.
    school.disconnect();
    let mut days = Vec::new();
    for day in 1..=12 {
        for part in 1..=5 {
            let (title, date) = (format!("雪天研课 {day}-{part}"), format!("2025-12-{day:02}"));
            days.push(match part {
                1 if day <= 2 => hold(&clerk, &title, &date),
                _ => format!("/sessions/{}", held(&school, &title, &date, &people)),
            });
        }
    }
    let words = [
        ("evidence_kind", "sign_in_sheet"),
        ("caption", "签到表"),
        ("date", "2025-12-05"),
    ];
    for (here, shade) in days.iter().zip([10, 90, 170]) {
        let page = format!("{here}/evidence");
        clerk
            .upload_to(&page, &words, "签到表.jpg", &photo(shade))
            .has("已保存在本校");
    }

    // What each of them sees before the window.
    let list = clerk.get("/sessions");
    assert_eq!((badges(&list, "已保存在本校"), badges(&list, "已到县")), (60, 0));
    let waiting = school.node.not_at_county().unwrap();
    assert_eq!(waiting, 60 * (1 + 3 + 3) + 3, "sessions, marks, claims, photos");
    let before = format!("{waiting} 条未到县");
    clerk.get("/sync").has(&before).lacks("全部已到县");
    leader.get("/").has(&before).has("没有网时照常登记，都保存在本校");
    assert_eq!(badges(&clerk.get("/claims?q=雪天"), "已到县"), 0);
    assert_eq!(counts(&county, &own), [0, 0, 0, 3, 0, 0]);
    auditor.get("/sessions").has("还没有活动");
    auditor.get("/audit").has("没有待审的登记");

    // The window opens, and while it goes up the clerk goes on.
    school.connect(&county);
    let extra = hold(&clerk, "雪停之后", "2025-12-13");
    let begun = Instant::now();
    until(&clerk, "/sync", "全部已到县");
    assert!(
        begun.elapsed() < Duration::from_secs(240),
        "the window was not enough"
    );

    // Afterwards: the same on both sides, to the record.
    assert_eq!(equal(&school, &county, &own), [61, 183, 183, 3, 3, 0]);
    let list = until(&clerk, "/sessions", "雪停之后");
    assert_eq!((badges(&list, "已保存在本校"), badges(&list, "已到县")), (0, 61));
    clerk
        .get("/sync")
        .has("全部已到县")
        .lacks("条未到县")
        .has(">在线</span>");
    leader.get("/").has("全部已到县");
    until(&auditor, "/audit", "183 条待审");
    let list = auditor.get("/sessions");
    assert_eq!(badges(&list, "已收到"), 61);
    auditor.get("/schools").has(QINGSHI).has("<b>183</b>");
    // The photos come after the records, in the same window, and both ends say so.
    for here in &days[..3] {
        let page = format!("{here}/evidence");
        until(&auditor, &page, "?size=preview");
        until(&clerk, &page, "县里已有");
    }

    // The link is gone again: a change of what was received waits for a receipt of its own.
    school.disconnect();
    let here = extra;
    clerk
        .submit(
            &here,
            &format!("{here}/attendance"),
            &[(&format!("m-{}", people[1]), "late")],
        )
        .has("考勤已保存在本校");
    let edit = format!("{here}/edit");
    clerk
        .submit(&edit, &edit, &typed("雪停之后补课", "2025-12-13", "4"))
        .is(200);
    let list = clerk.get("/sessions");
    assert_eq!((badges(&list, "已保存在本校"), badges(&list, "已到县")), (1, 60));
    clerk.get("/sync").has("2 条未到县");
    auditor.get("/sessions").lacks("雪停之后补课");
    school.connect(&county);
    until(&clerk, "/sync", "全部已到县");
    until(&auditor, "/sessions", "雪停之后补课");
    assert_eq!(equal(&school, &county, &own), [61, 183, 183, 3, 3, 0]);
}

/// Windows that close after a moment, with the clerk at work in each: what the school calls 已到县 is at the county,
/// and what it entered meanwhile is called so only after a receipt of its own.
#[test]
fn s1_a_window_that_closes_too_early_promises_nothing() {
    let county = Site::county(true);
    let mut school = county.enrol_school(QINGSHI);
    let own = county.school_id(QINGSHI);
    let people: Vec<String> = (0..20)
        .map(|n| teacher_since(&school, &format!("张{n}"), &format!("T0{n:02}"), "2025-09-01"))
        .collect();
    let clerk = school.signed_in("李专管员", Role::Clerk);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    until(&clerk, "/", "全部已到县");
    school.disconnect();
    for n in 0..40 {
        held(&school, &format!("第{n}次研课"), "2025-12-01", &people);
    }
    let (mut all, mut partly) = (40, 0);
    let stored_changes = || {
        let counted = county
            .node
            .read(|c| Ok(c.query_row("SELECT COUNT(*) FROM change", (), |row| row.get::<_, i64>(0))?));
        counted.unwrap()
    };
    for round in 0..6 {
        // Closed as soon as something has come.
        let before = stored_changes();
        school.connect(&county);
        let begun = Instant::now();
        while stored_changes() == before && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let meanwhile = held(&school, &format!("窗口里的会{round}"), "2025-12-02", &people);
        all += 1;
        school.disconnect();
        wait("the county shows what it has", || {
            county.node.views_behind().unwrap() == 0
        });
        let (here, there) = (clerk.get("/sessions"), auditor.get("/sessions"));
        let mut promised = 0;
        for row in here
            .body
            .split("<tr>")
            .skip(1)
            .filter(|row| row.contains("href=\"/sessions/"))
        {
            let link = row.split_once("href=\"").unwrap().1.split_once('"').unwrap().0;
            let at_county = row.contains(">已到县</span>");
            assert!(at_county || row.contains(">已保存在本校</span>"), "{row}");
            assert!(!at_county || there.body.contains(link), "{link} is not there");
            promised += usize::from(at_county);
        }
        let stored = badges(&there, "已收到");
        assert!(promised <= stored && stored <= all, "{promised} {stored} {all}");
        partly += usize::from(stored > 0 && promised < all);
        if !there.body.contains(&meanwhile) {
            clerk
                .get(&format!("/sessions/{meanwhile}"))
                .has(">已保存在本校</span>");
            clerk.get("/sync").has("条未到县").lacks("全部已到县");
        }
    }
    assert!(partly > 0, "no window closed in between: nothing was tried");
    school.connect(&county);
    until(&clerk, "/sync", "全部已到县");
    assert_eq!(equal(&school, &county, &own), [46, 920, 920, 20, 0, 0]);
    assert_eq!(badges(&clerk.get("/sessions"), "已到县"), 46);
}

#[test]
fn s7_a_school_in_1970_loses_nothing_and_everybody_is_told() {
    let county = Site::county(true);
    let mut lost = county.enrol_school_of(QINGSHI, 86_400_000);
    let right = county.enrol_school(FIRST);
    let own = county.school_id(QINGSHI);
    let clerk = lost.signed_in("李专管员", Role::Clerk);
    let leader = lost.signed_in("周校长", Role::Leader);
    let other = right.signed_in("周专管员", Role::Clerk);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let person = teacher_since(&lost, "欧阳㙇", "T001", "2025-09-01");
    let me = teacher_at(&lost, "欧阳㙇", &person);
    lost.disconnect();

    // Told before anything is entered, whoever looks; and nobody is hindered.
    let wrong = "本机时钟不对";
    for page in [
        lost.browser().get("/login"),
        clerk.get("/sessions/new"),
        leader.get("/"),
        me.get("/"),
    ] {
        page.is(200).has(wrong).has("请校正本机的日期和时间");
    }
    hold(&clerk, "旧钟研课", "2025-09-12");
    clerk
        .get("/sessions")
        .has("时钟不准")
        .has("2025-09-12")
        .has("已保存在本校")
        .lacks("1970");
    other.get("/sessions").lacks(wrong);
    other
        .submit(
            "/sessions/new",
            "/sessions/new",
            &typed("准钟研课", "2025-09-13", "2"),
        )
        .has("已保存在本校");

    // Together: taken in full, marked at the county, and the operator of each side is told whose date differs.
    lost.connect(&county);
    until(&clerk, "/sessions", ">已到县</span>");
    assert_eq!(equal(&lost, &county, &own), [1, 1, 1, 1, 0, 0]);
    until(&auditor, "/sessions", "准钟研课");
    let list = auditor.get("/sessions");
    list.has("旧钟研课").lacks(wrong);
    assert_eq!(list.body.matches("时钟不准</span>").count(), 1);
    // By the dates that people typed, not by the clock.
    assert!(list.body.find("准钟研课").unwrap() < list.body.find("旧钟研课").unwrap());
    until(&auditor, "/sync", "日期与本机相差一天以上");
    until(&clerk, "/sync", "日期与本机相差一天以上");
    other.get("/sync").lacks("日期与本机相差一天以上");

    // What the county decides comes back and counts.
    until(&auditor, "/audit", "欧阳㙇").has("时钟不准");
    assert_eq!(recognise_all(&auditor, "2025-09-20"), 1);
    until(&clerk, "/claims", ">县已认定</span>").has("2025-09-20");
    until(&me, "/", "<b>0.4</b>").has("旧钟研课").has(wrong);
}
