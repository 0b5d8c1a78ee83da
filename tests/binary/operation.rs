//! What an operator types and reads: backup, restore, verify, rebuild, figures, health, the log; with the built program.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use support::schools::{self, runtime};
use support::{Browser, Place, free_address, until};

const SCHOOL: &str = "青石小学";

fn backups(at: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(at)
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().path());
    let mut found: Vec<_> = all.filter(|p| p.join("manifest.json").exists()).collect();
    found.sort();
    found
}

fn configure(place: &Place, text: &str) {
    std::fs::write(place.data.join("yanxiu.toml"), text).unwrap();
}

#[test]
fn a_hub_backs_itself_up_and_the_backup_is_checked_and_restored_by_command() {
    let root = tempfile::tempdir().unwrap();
    let hub = Place::new(root.path(), "hub");
    let address = free_address();
    let county = schools::county(&hub.data, &[SCHOOL.to_string()]);
    let school = schools::school(&county, SCHOOL, &root.path().join("school"), &address);
    drop(county);
    let at = root.path().join("备份");
    configure(&hub, &format!("[backup]\ndir = \"{}\"\nkeep = 2\n", at.display()));
    let server = hub.serve(&["--listen", &address, "--ops", "127.0.0.1:0"]);
    // The first at once, by itself; further ones by command, beside it, into the same place.
    until("the hub has backed itself up", || backups(&at).len() == 1);
    let ops = server.ops.clone().unwrap();
    let browser = Browser::new();
    until("and says so", || {
        browser
            .open(&format!("{ops}/metrics"))
            .body
            .contains("yanxiu_last_backup_timestamp_seconds ")
    });
    let (runtime, names) = (runtime(), ["第一次", "第二次"]);
    let network = runtime.block_on(schools::online(&school));
    for name in names {
        schools::enter(&school, name, 10);
    }
    until("it is at the hub", || school.not_at_county().unwrap() == 0);
    let out = hub.ok(&["backup"]);
    assert!(
        out.contains("已备份并核对") && out.contains("county-root"),
        "{out}"
    );
    hub.ok(&["backup"]);
    let status = hub.ok(&["status"]);
    assert!(
        status.contains(&format!("秒前 {}", backups(&at)[1].display())),
        "{status}"
    );
    let kept = backups(&at);
    assert_eq!(kept.len(), 2, "{kept:?}");
    let newest = kept[1].to_str().unwrap();
    assert!(hub.ok(&["backup", "--check", newest]).contains("备份完好"));
    hub.refused(
        &["backup", hub.data.join("里面").to_str().unwrap()],
        "数据目录里面",
    );
    assert_eq!(
        hub.run(&["backup", "--check", root.path().to_str().unwrap()])
            .code,
        Some(15)
    );
    server.stop();

    let new = Place::new(root.path(), "new");
    let dir = new.data.to_str().unwrap();
    assert!(new.ok(&["restore", newest, dir]).contains("以新的编号继续"));
    new.refused(&["restore", newest, dir], "不是空目录");
    assert_eq!(new.count("sessions"), 2);
    let server = new.serve(&["--listen", &address]);
    schools::enter(&school, "恢复以后", 10);
    until("the school goes on by itself", || {
        school.not_at_county().unwrap() == 0
    });
    runtime.block_on(network.stop());
    server.stop();
}

#[test]
fn verify_says_what_is_wrong_and_rebuild_puts_views_right() {
    let root = tempfile::tempdir().unwrap();
    let hub = Place::new(root.path(), "hub");
    drop(schools::county(&hub.data, &[SCHOOL.to_string()]));
    let sound = hub.ok(&["verify"]);
    assert!(
        sound.contains("核验通过") && sound.contains("签名 signatures"),
        "{sound}"
    );
    let db = rusqlite::Connection::open(hub.database()).unwrap();
    let sql = "UPDATE record SET fields = json_set(fields, '$.name', '白沙小学')";
    assert_eq!(db.execute(sql, []).unwrap(), 1);
    drop(db);
    let said = hub.run(&["verify"]);
    assert_eq!(said.code, Some(14), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("registry") && said.out.contains("yanxiu rebuild"),
        "{}",
        said.out
    );
    assert!(hub.ok(&["rebuild"]).contains("已重建"));
    assert!(hub.ok(&["verify"]).contains("核验通过"));
    assert!(hub.ok(&["status"]).contains("schools     1"));
}

#[test]
fn figures_and_health_are_for_those_who_may_and_the_log_is_json_if_wanted() {
    let root = tempfile::tempdir().unwrap();
    let hub = Place::new(root.path(), "hub");
    drop(schools::county(&hub.data, &[SCHOOL.to_string()]));
    hub.refused(
        &["serve", "--web", "127.0.0.1:0", "--ops", "0.0.0.0:0"],
        "ops.token",
    );
    configure(&hub, "[ops]\nlisten = \"127.0.0.1:0\"\ntoken = \"k7Qm-3f9a\"\n");
    let server = hub
        .with_log("info")
        .serve(&["--listen", "127.0.0.1:0", "--log-format", "json"]);
    let ops = server.ops.clone().unwrap();
    let browser = Browser::new();
    browser.open(&format!("{}/login", server.pages)).is(200);
    browser.open(&format!("{ops}/health/live")).is(200).has("live");
    for path in ["metrics", "health/ready"] {
        let at = format!("{ops}/{path}");
        browser.open(&at).is(401);
        for (token, status) in [
            ("Bearer k7Qm-3f9", 401),
            ("Bearer k7Qm-3f9a", 200),
            ("k7Qm-3f9a", 401),
        ] {
            let answer = ureq::get(&at)
                .header(
                    "authorization",
                    ureq::http::HeaderValue::from_bytes(token.as_bytes()).unwrap(),
                )
                .config()
                .http_status_as_error(false)
                .build()
                .call()
                .unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path} {token}");
        }
    }
    let text = ureq::get(&format!("{ops}/metrics"))
        .header(
            "authorization",
            ureq::http::HeaderValue::from_bytes("Bearer k7Qm-3f9a".as_bytes()).unwrap(),
        )
        .call()
        .unwrap()
        .into_body()
        .read_to_string()
        .unwrap();
    for name in [
        "yanxiu_build_info{version=",
        "yanxiu_sessions_total{end=\"ok\"} 0",
        "yanxiu_sessions_open 0",
        "yanxiu_changes_received_total{verdict=\"stored\"} 0",
        "yanxiu_receipts_total{side=\"given\"} 0",
        "yanxiu_link_bytes_total{direction=\"sent\"} 0",
        "yanxiu_storage_errors_total{kind=\"damaged\"} 0",
        "yanxiu_storage_trouble{kind=\"full\"} 0",
        "yanxiu_disk_free_bytes ",
        "yanxiu_documents 1",
        "yanxiu_page_duration_seconds_count 1",
        "yanxiu_backup_failed 0",
    ] {
        assert!(text.lines().any(|l| l.starts_with(name)), "no {name} in\n{text}");
    }
    assert!(
        text.ends_with("# EOF\n") && !text.contains(SCHOOL) && text.is_ascii(),
        "{text}"
    );
    // Each name is described once, before its values, as Prometheus wants it.
    let types: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let mut once = types.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), types.len());
    let logged = || -> Vec<serde_json::Value> {
        let lines = server.printed().into_iter().filter(|l| l.starts_with('{'));
        lines.map(|l| serde_json::from_str(&l).unwrap()).collect()
    };
    until("it has logged that it serves", || {
        let serving = logged().into_iter().find(|l| l["message"] == "serving");
        serving.is_some_and(|l| l["pages"] == format!("{}/", server.pages))
    });
    let whole = |l: &serde_json::Value| l["level"].is_string() && l["timestamp"].is_string();
    assert!(logged().iter().all(whole));
    server.stop();
    // Why a command fails is for the person, in words.
    let failed = hub.run(&[
        "--log-format",
        "json",
        "bundle",
        "make",
        "--for",
        "没有的学校",
        "--out",
        "/tmp",
    ]);
    assert!(
        failed.err.contains("没有叫“没有的学校”的设备或学校"),
        "{}",
        failed.err
    );
}
