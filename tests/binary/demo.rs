//! Acceptance 1: the README's first command, started as a user starts it.
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A started demo; killed if the test fails.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    fn start(data: &Path, more: &[&str]) -> (Demo, mpsc::Receiver<String>) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_yanxiu"))
            .arg("--data")
            .arg(data)
            .arg("demo")
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (lines, seen) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        (Demo(child), seen)
    }

    /// Ctrl-C; how it ended.
    fn interrupt(mut self) -> bool {
        Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status()
            .unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("Ctrl-C did not end it");
    }
}

/// Reads lines until one begins with `last`.
fn read_until(lines: &mpsc::Receiver<String>, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let line = lines
            .recv_timeout(Duration::from_secs(180))
            .unwrap_or_else(|e| panic!("no line {last:?} ({e}); so far:\n{}", all.join("\n")));
        let found = line.starts_with(last);
        all.push(line);
        if found {
            return all;
        }
    }
}

/// The table of totals: lines after its head, up to the page addresses.
fn totals(lines: &[String]) -> Vec<String> {
    let head = lines
        .iter()
        .position(|l| l.trim_start().starts_with("活动 出勤 登分 审核"))
        .unwrap();
    lines[head + 1..].iter().take(4).cloned().collect()
}

#[test]
fn the_demo_works_ends_cleanly_and_finds_its_data_again() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, lines) = Demo::start(dir.path(), &[]);
    let seen = read_until(&lines, "按 Ctrl-C 结束");
    let text = seen.join("\n");
    assert!(text.contains("45 所学校，1640 名教师"), "{text}");
    assert!(
        seen.iter().filter(|l| l.starts_with("[4/5]")).count() > 40,
        "progress is visible\n{text}"
    );
    let addresses: Vec<&str> = seen
        .iter()
        .rev()
        .take(6)
        .filter_map(|l| l.split_whitespace().find(|w| w.starts_with("http")))
        .collect();
    assert_eq!(addresses.len(), 4, "{text}");
    for address in addresses {
        let page = ureq::get(address)
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap();
        assert!(
            page.contains("研修") && page.contains("<form"),
            "{address} shows no sign-in page"
        );
    }
    for data in ["hub", "school-1", "school-2", "school-3"] {
        assert!(
            dir.path().join("demo").join(data).join("device.key").exists(),
            "{data} has no key of its own"
        );
    }
    let first = totals(&seen);
    let hub: Vec<u64> = first[0]
        .split_whitespace()
        .filter_map(|w| w.parse().ok())
        .collect();
    let schools: Vec<u64> = first[1..]
        .iter()
        .map(|l| {
            l.split_whitespace()
                .filter_map(|w| w.parse::<u64>().ok())
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(
        hub[0],
        schools.iter().sum::<u64>(),
        "the hub has every session of the schools: {first:?}"
    );
    assert!(hub[0] >= 50, "a term of sessions: {first:?}");
    assert!(demo.interrupt(), "Ctrl-C must end it with success");

    let (mut again, lines) = Demo::start(dir.path(), &["--once"]);
    let seen = read_until(&lines, "已结束");
    assert_eq!(
        totals(&seen),
        first,
        "the second start finds the data of the first and adds nothing"
    );
    assert!(again.0.wait().unwrap().success());
}

#[test]
fn ctrl_c_in_the_middle_of_the_work_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, lines) = Demo::start(dir.path(), &[]);
    let seen = read_until(&lines, "[4/5]");
    assert!(demo.interrupt(), "{}", seen.join("\n"));
    let (mut again, lines) = Demo::start(dir.path(), &["--once"]);
    let seen = read_until(&lines, "已结束");
    assert!(again.0.wait().unwrap().success());
    let totals = totals(&seen);
    let hub: Vec<u64> = totals[0]
        .split_whitespace()
        .filter_map(|w| w.parse().ok())
        .collect();
    assert!(
        hub[0] >= 50 && hub[2] > 1000,
        "the second start finishes the work: {totals:?}"
    );
}
