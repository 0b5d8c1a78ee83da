//! A county's sticks with the built binary: schools join by a folder each, their requests are approved in one act; a new
//! computer in the place of a dead one; the answer as pictures.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use records::sample::County;
use support::{Place, digits, wrong};

struct Scene {
    dir: tempfile::TempDir,
    hub: Place,
    county: County,
    roster: PathBuf,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let county = County::generate(7);
    let roster = dir.path().join("云岭县教师花名册.xlsx");
    std::fs::write(&roster, web::sheet::write::county_roster(&county).unwrap()).unwrap();
    let hub = Place::init(dir.path(), "hub", &["--county", "云岭县"]);
    hub.ok(&["import", text(&roster), "--yes"]);
    Scene {
        dir,
        hub,
        county,
        roster,
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The first eight letters of the device, as `status` names it.
fn short(place: &Place) -> String {
    let status = place.ok(&["status"]);
    let line = status.lines().next().unwrap();
    let id = line.rsplit_once('(').unwrap().1.trim_end_matches(')');
    id[..8].to_string()
}

/// The command of the stick's own program, not of the test's.
fn from_the_stick(program: &Path, data: &Path, args: &[&str]) -> String {
    let out = Command::new(program)
        .arg("--data")
        .arg(data)
        .args(args)
        .env_remove("YANXIU_DATA")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    said
}

#[test]
fn schools_join_by_one_stick_with_the_program_on_it() {
    let s = scene();
    let stick = s.dir.path().join("U盘");
    let kit = stick.join("研修入网");
    let windows = s.dir.path().join("yanxiu.exe");
    std::fs::write(&windows, "MZ 给 Windows 的程序").unwrap();
    let own = PathBuf::from(env!("CARGO_BIN_EXE_yanxiu"));
    let names: Vec<&str> = [8, 9, 10]
        .map(|i: usize| s.county.schools[i].name.as_str())
        .to_vec();
    let said = s.hub.ok(&[
        "kit",
        "--out",
        text(&kit),
        "--program",
        text(&own),
        "--program",
        text(&windows),
        "--roster",
        text(&s.roster),
        "--school",
        names[0],
        "--school",
        names[1],
        "--school",
        names[2],
    ]);
    assert!(
        said.contains("已复核") && said.contains("有 3 所学校教师的名单"),
        "{said}"
    );
    let program = kit.join("程序").join(own.file_name().unwrap());
    assert_eq!(std::fs::read(&program).unwrap(), std::fs::read(&own).unwrap());
    assert!(kit.join("程序/yanxiu.exe").is_file());
    s.hub.refused(
        &[
            "kit",
            "--out",
            text(&kit),
            "--school",
            "没有这所学校",
            "--no-program",
        ],
        "没有叫",
    );

    // At the schools: a new computer each, nothing on it but what the stick brings.
    let folder = |name: &str| kit.join(name);
    let mut shown = Vec::new();
    let places: Vec<Place> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let place = Place::new(s.dir.path(), &format!("school{n}"));
            let said = from_the_stick(&program, &place.data, &["enrol", "join", text(&folder(name))]);
            assert!(said.contains(&format!("学校 school: {name}")) && said.contains("县 county: 云岭县"));
            shown.push(digits(&said));
            place
        })
        .collect();
    places[0].refused(&["enrol", "join", text(&stick)], "入网邀请.txt");
    // One request has got into another school's folder as well, and one is of no school.
    let request = |n: usize| folder(names[n]).join(format!("入网申请-{}.txt", short(&places[n])));
    let text_of = |n: usize| std::fs::read_to_string(request(n)).unwrap();
    let misplaced = text_of(2).replace(names[2], names[0]);
    let misplaced: String = misplaced
        .lines()
        .filter(|l| !l.contains("school code"))
        .map(|l| format!("{l}\n"))
        .collect();
    std::fs::write(folder(names[0]).join("放错.txt"), misplaced).unwrap();
    let said = s
        .hub
        .run(&["enrol", "approve", "--all", text(&stick), "--pick", "1"]);
    assert!(
        !said.ok && said.err.contains("有 2 份申请没有批准"),
        "{}{}",
        said.out,
        said.err
    );
    assert!(said.out.contains("同时还申请了"), "{}", said.out);
    assert_eq!(said.out.matches("已批准 approved").count(), 1, "{}", said.out);
    for digits in &shown[..2] {
        assert!(said.out.contains(digits), "{}", said.out);
    }
    std::fs::remove_file(folder(names[0]).join("放错.txt")).unwrap();
    s.hub.refused(
        &["enrol", "approve", "--all", text(&stick), "--pick", "1-9"],
        "不是表中的编号",
    );
    let before = s
        .hub
        .ok(&["enrol", "approve", "--all", text(&stick), "--pick", ""]);
    assert!(before.contains("没有做任何改动"), "{before}");
    let said = s
        .hub
        .type_at(&["enrol", "approve", "--all", text(&stick)], "all\n");
    assert!(said.ok, "{}{}", said.out, said.err);
    assert_eq!(said.out.matches("已批准 approved").count(), 3, "{}", said.out);
    assert_eq!(said.out.matches("approved before").count(), 1, "{}", said.out);

    // The stick is back at the schools.
    for (n, name) in names.iter().enumerate() {
        let own = folder(name);
        let join = ["enrol", "join", text(&own), "--digits"];
        if n == 0 {
            places[n].refused(&[&join[..], &[&wrong(&shown[n])]].concat(), "数字不同");
        }
        let said = places[n].ok(&[&join[..], &[&shown[n]]].concat());
        assert!(said.contains("已入网 云岭县"), "{said}");
        let again = places[n].ok(&join[..3]);
        assert!(again.contains("批复已收下"), "{again}");
        // Its own rows of the roster, and nobody else's.
        let roster = folder(name).join("花名册.xlsx");
        let at = s
            .county
            .schools
            .iter()
            .position(|school| school.name == *name)
            .unwrap();
        let teachers = s.county.teachers_of(at).count();
        let said = places[n].ok(&["import", text(&roster), "--yes"]);
        assert!(said.contains(&format!("已导入 {teachers} 条")), "{said}");
        assert!(!said.contains("别的学校") && !said.contains('✗'), "{said}");
    }
}

#[test]
fn a_dead_computer_is_replaced_and_only_its_folder_is_made() {
    let s = scene();
    let name = s.county.schools[8].name.clone();
    let approve = |place: &Place, more: &[&str]| {
        let request = s.dir.path().join(format!("{}.txt", place.name()));
        place.ok(&["enrol", "request", "--out", text(&request)]);
        let args = [&["enrol", "approve", text(&request)], more].concat();
        s.hub.type_at(&args, "y\n")
    };
    let old = Place::init(s.dir.path(), "old", &["--name", "旧电脑"]);
    let said = approve(&old, &["--school", &name]);
    assert!(said.ok, "{}{}", said.out, said.err);
    assert!(
        !said.out.contains("二维码"),
        "nobody asked for pictures: {}",
        said.out
    );
    let other = Place::init(s.dir.path(), "other", &["--name", "另一台"]);
    assert!(approve(&other, &["--school", &s.county.schools[9].name]).ok);

    let new = Place::init(s.dir.path(), "new", &["--name", "新电脑"]);
    let (dead, fresh) = (short(&old), short(&new));
    let said = approve(&new, &["--replaces", "aaaaaaaa"]);
    assert!(!said.ok && said.err.contains("没有这台设备"), "{}", said.err);
    let answer = s.dir.path().join("批复.txt");
    let said = approve(&new, &["--replaces", &dead, "--out", text(&answer), "--qr"]);
    assert!(said.ok, "{}{}", said.out, said.err);
    assert!(
        said.out.contains("已代替") && said.out.contains(&fresh),
        "{}",
        said.out
    );
    // Revoked, with what it held.
    let held = s.hub.ok(&["enrol", "held", &dead]);
    assert!(held.contains("最多可能有") && held.contains("旧电脑"), "{held}");

    // The pictures say the answer that is in the file.
    let pictures = read_pictures(&said.out);
    let file = std::fs::read_to_string(&answer).unwrap();
    assert_eq!(pictures, node::enrol::parts(&file));
    assert!(pictures.len() > 1);

    let stick = s.dir.path().join("U盘");
    let said = s
        .hub
        .ok(&["kit", "--only", &fresh, "--out", text(&stick), "--no-program"]);
    assert!(said.contains(&fresh), "{said}");
    let all: Vec<String> = std::fs::read_dir(&stick)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(all, [name.as_str()], "its school's folder and nothing else");
    let folder = stick.join(&name).join(format!("新电脑-{fresh}"));
    let pasted = pictures.join("\n");
    let said = new.type_at(&["enrol", "accept", &pasted], "y\n");
    assert!(said.ok, "{}{}", said.out, said.err);
    let taken = new.ok(&["bundle", "take", text(&folder)]);
    assert!(taken.contains("收到"), "{taken}");
    assert_eq!(new.count("schools"), 45);
    // Of what is revoked nothing is made.
    s.hub
        .refused(&["kit", "--only", &dead, "--out", text(&stick)], "没有叫");
}

/// The QR pictures of half squares in what a command printed, as a telephone reads them.
fn read_pictures(printed: &str) -> Vec<String> {
    let is_picture =
        |line: &&str| !line.is_empty() && line.chars().all(|c| matches!(c, '█' | '▀' | '▄' | ' '));
    let mut all = Vec::new();
    let mut lines = printed.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with("批复二维码") {
            continue;
        }
        let mut rows: Vec<Vec<bool>> = Vec::new();
        while let Some(line) = lines.next_if(is_picture) {
            // A filled half is light, as on a dark terminal.
            rows.push(line.chars().map(|c| matches!(c, ' ' | '▄')).collect());
            rows.push(line.chars().map(|c| matches!(c, ' ' | '▀')).collect());
        }
        let width = rows[0].len();
        let mut picture = rqrr::PreparedImage::prepare_from_bitmap(width * 4, rows.len() * 4, |x, y| {
            rows[y / 4].get(x / 4).copied().unwrap_or(false)
        });
        let found = picture.detect_grids();
        let (_, text) = found.first().expect("a picture").decode().unwrap();
        all.push(text);
    }
    all
}
