//! A full disk, a read-only one and a damaged page, with the built hub on a small disk of its own: the fault is named on
//! the page, in the figures and by the exit code; the school loses nothing, for it has a receipt only for what is on the
//! hub's disk; and the documented way back (`crates/yanxiu/OPERATION.md`) works.
//!
//! The small disk is a tmpfs that the test mounts in a name space of its own, which needs no root where the kernel lets
//! people make such name spaces. Not every one does: `cargo test` reports them as ignored, and `.ci/run` runs them with
//! `--ignored`, or says that it could not.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use node::Node;
use support::database::Database;
use support::schools::{self, runtime};
use support::{Browser, Place, Server, free_address, until};

/// A shell in a mount name space of its own that holds the small disk; other processes join it by its pid.
struct Disk {
    shell: Child,
    at: PathBuf,
}

impl Disk {
    fn new(at: &Path, size: &str) -> Disk {
        std::fs::create_dir_all(at).unwrap();
        let ready = at.with_extension("ready");
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs {at} && touch {ready} && exec sleep 3600",
            at = at.display(),
            ready = ready.display()
        );
        let mut shell = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut mounted = false;
        until("the small disk is mounted", || {
            mounted = ready.exists();
            mounted || shell.try_wait().unwrap().is_some()
        });
        assert!(mounted, "no small disk: this system lets nobody mount one");
        Disk {
            shell,
            at: at.to_path_buf(),
        }
    }

    /// Words that run a command inside.
    fn inside(&self) -> Vec<String> {
        let pid = self.shell.id().to_string();
        [
            "nsenter",
            "--user",
            "--preserve-credentials",
            "--mount",
            "-t",
            &pid,
        ]
        .map(str::to_string)
        .to_vec()
    }

    /// Mounts it anew with other rights.
    fn remount(&self, how: &str) {
        let words = self.inside();
        let at = self.at.to_str().unwrap();
        let status = Command::new(&words[0])
            .args(&words[1..])
            .args(["mount", "-o", &format!("remount,{how}"), at])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// A path on the disk as other processes see it.
    fn seen(&self, path: &Path) -> PathBuf {
        let root = format!("/proc/{}/root", self.shell.id());
        Path::new(&root).join(path.strip_prefix("/").unwrap())
    }

    /// Takes all room that there is.
    fn fill(&self) {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.seen(&self.at).join("fill"))
            .unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        drop(file);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.seen(&self.at).join("fill")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

const SCHOOL: &str = "青石小学";

/// The hub on its small disk, and a school in this process that holds a network of its own.
struct Bench {
    disk: Disk,
    hub: Place,
    address: String,
    school: Node,
    root: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(&root.path().join("disk"), "6m");
        // Set up outside: enrolment by this process, then moved onto the small disk.
        let data = root.path().join("made");
        let address = free_address();
        let node = schools::county(&data, &[SCHOOL.to_string()]);
        let school = schools::school(&node, SCHOOL, &root.path().join("school"), &address);
        drop(node);
        let hub = Place::new(&disk.at, "hub").within(disk.inside());
        let to = disk.seen(&hub.data);
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(&data).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        Bench {
            disk,
            hub,
            address,
            school,
            root,
        }
    }

    fn serve(&self) -> Server {
        self.hub
            .serve(&["--listen", &self.address, "--ops", "127.0.0.1:0"])
    }

    fn enter(&self, title: &str, theme: usize) {
        schools::enter(&self.school, title, theme);
    }

    /// Enters at the school, which has a disk of its own, until the hub has noticed that it has no room.
    fn enter_until_full(&self, ops: &str, what: &str) {
        let mut n = 0;
        until("the hub notices", || {
            for _ in 0..20 {
                n += 1;
                self.enter(&format!("{what} {n}"), 200);
            }
            figure(ops, "yanxiu_storage_trouble{kind=\"full\"}") == "1"
        });
    }

    /// The hub's database as it lies there, with its log. SQLite would follow the way into the name space to this side.
    fn left(&self) -> Database {
        let copy = self.root.path().join("left.db");
        Database::copied(&self.disk.seen(&self.hub.database()), &copy)
    }

    /// No receipt of the school is for a change that is not on the hub's disk. The hub must have ended.
    fn receipts_are_true(&self) -> usize {
        let receipts = Database::open(&self.school.dir().join("yanxiu.db")).receipts();
        let stored = self.left().stored();
        for receipt in &receipts {
            assert!(
                stored.contains(receipt),
                "a receipt without its change: {receipt:?}"
            );
        }
        receipts.len()
    }

    fn all_at_hub(&self) {
        until("all of it is at the hub", || {
            self.school.not_at_county().unwrap() == 0
        });
    }
}

/// The words after a name in the figures.
fn figure(ops: &str, name: &str) -> String {
    let text = Browser::new().open(&format!("{ops}/metrics")).body;
    let line = text.lines().find(|l| l.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .rsplit(' ')
        .next()
        .unwrap()
        .to_string()
}

#[test]
#[ignore = "needs user and mount name spaces; .ci/run runs it"]
fn a_full_disk_is_named_everywhere_and_goes_on_by_itself_when_there_is_room() {
    let bench = Bench::new();
    let runtime = runtime();
    let server = bench.serve();
    let link = server.setup.clone().unwrap();
    let auditor = Browser::new();
    auditor.first_account(&link, "王审核员", "auditor", "２０２６０３");
    let network = runtime.block_on(schools::online(&bench.school));
    bench.enter("磁盘满以前", 10);
    bench.all_at_hub();
    let ops = server.ops.clone().unwrap();
    assert_eq!(figure(&ops, "yanxiu_storage_trouble{kind=\"full\"}"), "0");
    bench.disk.fill();
    bench.enter_until_full(&ops, "磁盘满以后");
    assert_ne!(figure(&ops, "yanxiu_storage_errors_total{kind=\"full\"}"), "0");
    let ready = Browser::new().open(&format!("{ops}/health/ready"));
    ready.is(503).has("full").has("磁盘已满");
    Browser::new().open(&format!("{ops}/health/live")).is(200);
    Browser::new()
        .open(&format!("{}/login", server.pages))
        .has("磁盘已满");
    assert!(bench.school.not_at_county().unwrap() > 0);
    // Ended, it says why; started again, it cannot, and says why.
    assert_eq!(server.end(), Some(10));
    assert!(bench.receipts_are_true() > 0);
    bench.disk.fill();
    let said = bench
        .hub
        .run(&["serve", "--listen", &bench.address, "--web", "127.0.0.1:0"]);
    assert!(
        !said.ok && said.code == Some(10),
        "{:?} {}{}",
        said.code,
        said.out,
        said.err
    );
    assert!(said.err.contains("磁盘已满"), "{}", said.err);
    assert!(bench.receipts_are_true() > 0);
    // The way back: room. Also beside a running program.
    bench.disk.make_room();
    let server = bench.serve();
    let ops = server.ops.clone().unwrap();
    bench.all_at_hub();
    bench.disk.fill();
    bench.enter_until_full(&ops, "又满了");
    bench.disk.make_room();
    bench.all_at_hub();
    until("it is ready again", || {
        Browser::new().open(&format!("{ops}/health/ready")).status == 200
    });
    Browser::new()
        .open(&format!("{}/login", server.pages))
        .lacks("磁盘已满");
    assert!(bench.hub.ok(&["verify"]).contains("核验通过"));
    assert_eq!(server.end(), Some(0));
    assert!(bench.receipts_are_true() > 0);
    runtime.block_on(network.stop());
}

#[test]
#[ignore = "needs user and mount name spaces; .ci/run runs it"]
fn a_read_only_disk_is_named_everywhere_and_goes_on_when_it_is_writable() {
    let bench = Bench::new();
    let runtime = runtime();
    let server = bench.serve();
    let network = runtime.block_on(schools::online(&bench.school));
    bench.enter("只读以前", 10);
    bench.all_at_hub();
    // The system refuses while files are open for writing, where a failing disk does not ask.
    assert_eq!(server.end(), Some(0));
    bench.disk.remount("ro");
    bench.enter("只读以后", 10);
    let said = bench
        .hub
        .run(&["serve", "--listen", &bench.address, "--web", "127.0.0.1:0"]);
    assert!(
        !said.ok && said.code == Some(11),
        "{:?} {}{}",
        said.code,
        said.out,
        said.err
    );
    assert!(said.err.contains("只读"), "{}", said.err);
    bench.disk.remount("rw");
    let server = bench.serve();
    bench.all_at_hub();
    assert_eq!(server.end(), Some(0));
    assert!(bench.receipts_are_true() > 0);
    runtime.block_on(network.stop());
}

#[test]
#[ignore = "needs user and mount name spaces; .ci/run runs it"]
fn a_damaged_page_is_named_everywhere_and_a_backup_brings_the_hub_back() {
    let bench = Bench::new();
    let runtime = runtime();
    let backups = bench.root.path().join("backups");
    let backups = backups.to_str().unwrap();
    let server = bench.serve();
    let network = runtime.block_on(schools::online(&bench.school));
    bench.enter("备份以前", 10);
    bench.all_at_hub();
    bench.hub.ok(&["backup", backups]);
    for n in 0..40 {
        bench.enter(&format!("备份以后 {n}"), 200);
    }
    bench.all_at_hub();
    assert_eq!(server.end(), Some(0));
    // A page of the table of changes gets other bytes, as by a failing disk.
    let file = bench.disk.seen(&bench.hub.database());
    let root = bench
        .left()
        .number("SELECT rootpage FROM sqlite_schema WHERE name = 'change'");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = (root as usize - 1) * 4096;
    bytes[at..at + 4096].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let server = bench.serve();
    let ops = server.ops.clone().unwrap();
    until("the hub notices", || {
        figure(&ops, "yanxiu_storage_trouble{kind=\"damaged\"}") == "1"
    });
    Browser::new()
        .open(&format!("{ops}/health/ready"))
        .is(503)
        .has("damaged");
    Browser::new()
        .open(&format!("{}/login", server.pages))
        .has("损坏的页");
    // From then on it takes nothing, and gives no receipt.
    bench.enter("损坏以后", 10);
    std::thread::sleep(Duration::from_secs(3));
    assert!(bench.school.not_at_county().unwrap() > 0);
    assert_eq!(server.end(), Some(12));
    let verify = bench.hub.run(&["verify"]);
    assert!(
        !verify.ok && matches!(verify.code, Some(12 | 14)),
        "{:?} {}{}",
        verify.code,
        verify.out,
        verify.err
    );
    // A damaged database is not backed up as if it were whole.
    let refused = bench.hub.run(&["backup", backups]);
    assert!(
        !refused.ok && refused.code == Some(12),
        "{:?} {}",
        refused.code,
        refused.err
    );
    assert_eq!(
        std::fs::read_dir(backups)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().is_dir())
            .count(),
        1
    );
    // The way back.
    let newest = std::fs::read_dir(backups)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.is_dir())
        .unwrap();
    let new = Place::new(bench.root.path(), "new");
    let out = new.ok(&["restore", newest.to_str().unwrap(), new.data.to_str().unwrap()]);
    assert!(out.contains("已核对并恢复"), "{out}");
    let server = new.serve(&["--listen", &bench.address]);
    bench.all_at_hub();
    // The views follow what is stored.
    until("every record is there again", || {
        let all = Database::open(&new.database()).records().into_values();
        let titles: BTreeSet<String> = all
            .filter_map(|f| Some(f.get("title")?.as_str()?.to_string()))
            .collect();
        titles.len() == 42
    });
    assert!(new.ok(&["verify"]).contains("核验通过"));
    // A backup that was changed is refused with its own number.
    std::fs::write(newest.join("device.key"), "0".repeat(64)).unwrap();
    let refused = new.run(&[
        "restore",
        newest.to_str().unwrap(),
        bench.root.path().join("x").to_str().unwrap(),
    ]);
    assert_eq!(refused.code, Some(15), "{}", refused.err);
    assert_eq!(server.end(), Some(0));
    runtime.block_on(network.stop());
}
