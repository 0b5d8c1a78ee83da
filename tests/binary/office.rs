//! What the built binary exports, opened and saved again by LibreOffice, is imported as the same records.
//!
//! It needs LibreOffice Calc (`soffice`; `YANXIU_SOFFICE` names one that is not in the path), so a plain `cargo test`
//! reports it as ignored and `.ci/run` runs it with `--ignored`, or says that it could not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, dead_code)]

#[path = "browser/county.rs"]
mod county;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use county::County;
use support::{Browser, Page};

/// How long LibreOffice may take for all files of one call.
const OFFICE: Duration = Duration::from_secs(180);

/// Has LibreOffice open files and save them as `kind`, as the menu would; the folder with the results.
fn saved_again(files: &[PathBuf], kind: &str, into: &Path) -> PathBuf {
    let out = into.join(kind.split(':').next().unwrap());
    let soffice = std::env::var("YANXIU_SOFFICE").unwrap_or_else(|_| "soffice".into());
    let mut child = Command::new(&soffice)
        // Nobody's own settings, and no window that is open already.
        .arg(format!("-env:UserInstallation=file://{}/profile", into.display()))
        .args(["--headless", "--norestore", "--convert-to", kind, "--outdir"])
        .arg(&out)
        .args(files)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("LibreOffice ({soffice}) does not start: {error}"));
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > OFFICE {
            child.kill().unwrap();
            panic!("LibreOffice did not finish {files:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    for file in files {
        let end = kind.split(':').next().unwrap();
        let made = out.join(file.with_extension(end).file_name().unwrap());
        assert!(made.exists(), "LibreOffice could not open {}", file.display());
    }
    out
}

/// Confirms the preview of a list.
fn confirm(browser: &Browser, pages: &str, preview: &Page) -> Page {
    let token = preview.value("token");
    browser.submit(&format!("{pages}/imports"), "/import/list", &[("token", &token)])
}

/// The rows of a CSV below its heading, without the remarks at its foot.
fn rows(csv: &Page) -> Vec<String> {
    let lines = csv.body.lines().skip(1).filter(|line| !line.contains("说明："));
    lines.map(str::to_owned).collect()
}

const OUTSIDE: &str = "姓名,教师编号,培训项目名称,培训机构名称,起止,学时,培训方式,课程类别,培训渠道\n\
    李𬭊,T002,“国培计划”送教下乡,省师范学院,2025.7.1-7.5,40,集中,知识与技能,市级\n\
    欧阳㙇,T001,“国培计划”送教下乡,省师范学院,2025.7.1-7.5,40,集中,知识与技能,市级\n";

#[test]
#[ignore = "needs LibreOffice (soffice); .ci/run runs it"]
fn what_libreoffice_saves_again_is_imported_as_the_same_records() {
    let county = County::found();
    let (quick, pages) = (&county.quick, county.school.pages.clone());
    let dir = tempfile::tempdir().unwrap();

    // A term's records: a session with arrivals and a leave, trainings outside, one recognised by the county.
    let first = county.session("第三次校本研修：读懂学生的错误", "2025-10-16");
    let list = "姓名\t教师编号\t出勤\t到达\t离开\t备注\n李𬭊\tT002\t迟到\t08:35\t\t堵车\n欧阳㙇\tT001\t到\t8:05\t17:00\t\n\
                王小兰\tT003\t公假\t\t\t县里开会\n";
    let import = format!("{pages}{first}/import");
    let preview = quick.upload_to(&import, &[("what", "attendance"), ("paste", list)], "", b"");
    confirm(quick, &pages, &preview).has("已导入 3 行");
    let outside = format!("{pages}/import/outside");
    let typed = [("on", "2025-11-10")];
    let preview = quick.upload_to(&outside, &typed, "校外.csv", OUTSIDE.as_bytes());
    confirm(quick, &pages, &preview).has("已导入 2 行");
    let audit = format!("{}/audit", county.hub().pages);
    let ticked = quick.until(&audit, "2 条待审").value("claim");
    quick
        .submit(
            &audit,
            "/audit",
            &[("claim", &ticked), ("decided_on", "2025-11-20")],
        )
        .has("已审核 1 条");
    quick.until(&format!("{pages}/claims"), "县已认定</span>");

    // Every form that there is, out as a workbook.
    let hub = county.hub().pages.clone();
    let addresses = [
        ("roster", format!("{pages}/export/roster.xlsx?made_on=2026-1-5")),
        ("claims", format!("{pages}/export/claims.xlsx?made_on=2026-1-5")),
        ("summary", format!("{pages}/export/summary.xlsx?made_on=2026-1-5")),
        (
            "training",
            format!("{pages}/export/training.xlsx?made_on=2026-1-5"),
        ),
        ("signin", format!("{pages}{first}/export/signin.xlsx")),
        ("dashboard", format!("{hub}/schools/export/dashboard.xlsx")),
    ];
    let files: Vec<PathBuf> = addresses
        .iter()
        .map(|(name, url)| {
            let file = dir.path().join(format!("{name}.xlsx"));
            std::fs::write(&file, &quick.open(url).is(200).bytes).unwrap();
            file
        })
        .collect();
    let again = saved_again(&files, "xlsx", dir.path());
    let file = |name: &str| std::fs::read(again.join(format!("{name}.xlsx"))).unwrap();

    // Roster, sign-in sheet and register say what is recorded already.
    let preview = quick.upload(&pages, "花名册.xlsx", &file("roster"));
    preview
        .has("新增 0，变更 0，无变化 5")
        .has("没有要保存的内容")
        .lacks("有问题的单元格");
    let preview = quick.upload_to(&import, &[("what", "attendance")], "签到表.xlsx", &file("signin"));
    preview
        .has("不再写：5 行")
        .has("没有要保存的内容")
        .lacks("有问题的单元格");
    let preview = quick.upload_to(&outside, &typed, "登记表.xlsx", &file("claims"));
    preview
        .has("不再写：2 行")
        .has("没有要保存的内容")
        .lacks("有问题的单元格");

    // Into a session where nobody is marked otherwise, the sheet makes the same marks.
    let second = county.session("第三次校本研修：读懂学生的错误（补）", "2025-10-17");
    let import = format!("{pages}{second}/import");
    let preview = quick.upload_to(&import, &[("what", "attendance")], "签到表.xlsx", &file("signin"));
    confirm(quick, &pages, &preview).has("已导入 3 行");
    let sheet = |session: &str| rows(&quick.open(&format!("{pages}{session}/export/signin.csv")));
    let marks = sheet(&first);
    assert_eq!(marks, sheet(&second));
    assert!(
        marks.iter().any(|row| row.contains("李𬭊")
            && row.contains("迟到")
            && row.contains("08:35")
            && row.contains("堵车")),
        "{marks:?}"
    );

    // As a CSV made by LibreOffice out of the workbook it reads the same.
    let texts = saved_again(&files, "csv:Text - txt - csv (StarCalc):44,34,76,1", dir.path());
    let text = |name: &str| std::fs::read(texts.join(format!("{name}.csv"))).unwrap();
    quick
        .upload(&pages, "花名册.csv", &text("roster"))
        .has("新增 0，变更 0，无变化 5");
    let preview = quick.upload_to(&import, &[("what", "attendance")], "签到表.csv", &text("signin"));
    preview.has("不再写：5 行").lacks("有问题的单元格");
    let said = |name: &str| String::from_utf8(text(name)).unwrap().replace('"', "");
    let training = said("training");
    assert!(
        training.contains("培训年度,培训类别,培训项目名称,培训机构名称,培训方式,培训获得学时,培训获得学分"),
        "{training}"
    );
    assert!(
        training.contains("2025,市级,“国培计划”送教下乡,省师范学院,集中研修,40.0,4.0"),
        "{training}"
    );
    let dashboard = said("dashboard");
    assert!(
        dashboard.contains("青石小学") && dashboard.contains("合计"),
        "{dashboard}"
    );
    for name in ["roster", "claims", "summary", "training", "signin"] {
        let said = said(name);
        for part in [
            "学校名称：青石小学",
            "制表日期：",
            "数据截止：",
            "学分规则：",
            "填表人：",
            "审核人：",
            "（公章）",
        ] {
            assert!(said.contains(part), "{name} has no {part}:\n{said}");
        }
    }
}
