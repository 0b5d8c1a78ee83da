//! Starts the built `yanxiu` as a person does, and opens its pages as a browser does.
//!
//! No port is fixed, every started process ends with its [`Server`], and what it printed is shown when the
//! test fails.
#![allow(dead_code, unused_imports)]

mod browser;
pub mod database;
pub mod schools;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use browser::{Browser, Page};

/// Long enough for two cores that also compile; nothing waits so long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A computer: a data directory, and how the command is started on it.
#[derive(Clone)]
pub struct Place {
    pub data: PathBuf,
    name: String,
    /// Words before the command, such as those that enter a name space.
    within: Vec<String>,
}

/// What a command said.
pub struct Said {
    pub ok: bool,
    /// What it ended with.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    /// A computer whose data directory does not exist yet.
    pub fn new(root: &Path, name: &str) -> Place {
        Place {
            data: root.join(name),
            name: name.to_string(),
            within: Vec::new(),
        }
    }

    /// The same, reached by these words.
    pub fn within(mut self, words: Vec<String>) -> Place {
        self.within = words;
        self
    }

    /// The same, printing its log at this level.
    pub fn with_log(&self, level: &str) -> Place {
        let words = ["env".to_string(), format!("YANXIU_LOG={level}")];
        self.clone().within([&self.within[..], &words[..]].concat())
    }

    /// Sets it up with `init`, and leaves a configuration file beside the data.
    pub fn init(root: &Path, name: &str, flags: &[&str]) -> Place {
        let place = Place::new(root, name);
        place.ok(&[&["init"], flags].concat());
        std::fs::write(
            place.data.join("yanxiu.toml"),
            "[sync]\nretry_seconds = [0.2, 2]\n",
        )
        .unwrap();
        place
    }

    fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_yanxiu").to_string();
        let mut words = self.within.iter().cloned().chain([program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command.arg("--data").arg(&self.data).args(args);
        command
            .env_remove("YANXIU_DATA")
            .env_remove("YANXIU_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, with nobody at the keyboard.
    pub fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Runs a command and types `line` when it asks.
    pub fn type_at(&self, args: &[&str], line: &str) -> Said {
        let pipes = (Stdio::piped(), Stdio::piped(), Stdio::piped());
        let mut child = self
            .command(args)
            .stdin(pipes.0)
            .stdout(pipes.1)
            .stderr(pipes.2)
            .spawn()
            .unwrap();
        // A command that ends without asking closes the pipe first.
        let _ = child.stdin.take().unwrap().write_all(line.as_bytes());
        said(child.wait_with_output().unwrap())
    }

    /// Runs a command that must succeed; what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert!(
            said.ok,
            "{}: yanxiu {args:?} failed:\n{}{}",
            self.name, said.out, said.err
        );
        said.out
    }

    /// Runs a command that must fail with this text; what it printed to both.
    pub fn refused(&self, args: &[&str], text: &str) -> String {
        let said = self.run(args);
        assert!(
            !said.ok,
            "{}: yanxiu {args:?} succeeded:\n{}",
            self.name, said.out
        );
        assert!(
            said.err.contains(text),
            "{}: yanxiu {args:?} said:\n{}",
            self.name,
            said.err
        );
        said.out + &said.err
    }

    /// Starts a command without waiting for its end.
    pub fn begin(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Starts `serve` with pages on any free port and without mDNS, and waits until it is ready.
    pub fn serve(&self, flags: &[&str]) -> Server {
        let always = ["serve", "--no-mdns", "--web", "127.0.0.1:0"];
        Server::start(&self.name, self.command(&always).args(flags))
    }

    /// The same, found by and finding its neighbours.
    pub fn serve_near(&self, flags: &[&str]) -> Server {
        let always = ["serve", "--web", "127.0.0.1:0"];
        Server::start(&self.name, self.command(&always).args(flags))
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.data.join("yanxiu.db")
    }

    /// The number at the end of the line of `status` that has this word.
    pub fn count(&self, word: &str) -> u64 {
        let status = self.ok(&["status"]);
        let line = status.lines().find(|l| l.contains(word));
        let number = line.and_then(|l| l.rsplit(' ').next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {word} in:\n{status}"))
    }

    /// Waits until `status` prints this text.
    pub fn until_status(&self, text: &str) {
        let what = format!("{}: status with {text:?}", self.name);
        until(&what, || self.ok(&["status"]).contains(text));
    }
}

fn said(output: Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        ok: output.status.success(),
        code: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// A running `yanxiu serve`. Dropping it kills it.
pub struct Server {
    /// `http://127.0.0.1:port`, without a slash at the end.
    pub pages: String,
    /// Where it listens for other nodes.
    pub sync: SocketAddr,
    /// `http://127.0.0.1:port` of its figures, if it serves them.
    pub ops: Option<String>,
    /// The one-time link for the first account, if it printed one.
    pub setup: Option<String>,
    name: String,
    child: Child,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(name: &str, command: &mut Command) -> Server {
        let begun = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(Vec::new()));
        keep_lines(child.stdout.take().unwrap(), printed.clone());
        keep_lines(child.stderr.take().unwrap(), printed.clone());
        let mut server = Server {
            pages: String::new(),
            sync: SocketAddr::from(([0, 0, 0, 0], 0)),
            ops: None,
            setup: None,
            name: name.to_string(),
            child,
            printed,
        };
        loop {
            let lines = server.printed();
            if lines.iter().any(|l| l.starts_with("按 Ctrl-C")) {
                let after = |word: &str| {
                    lines
                        .iter()
                        .find_map(|l| Some(l.split_once(word)?.1.trim().to_string()))
                };
                server.sync = after("sync:").unwrap().parse().unwrap();
                server.pages = after("pages:").unwrap().trim_end_matches('/').to_string();
                server.ops = after("ops:").map(|at| at.trim_end_matches("/metrics").to_string());
                server.setup = lines
                    .iter()
                    .map(|l| l.trim())
                    .find(|l| l.contains("/setup/"))
                    .map(str::to_string);
                return server;
            }
            let over = server.child.try_wait().unwrap();
            assert!(
                over.is_none(),
                "{name}: serve ended at once: {over:?}\n{}",
                server.printed().join("\n")
            );
            assert!(
                begun.elapsed() < PATIENCE,
                "{name}: serve is not ready\n{}",
                lines.join("\n")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Every line that it has printed.
    pub fn printed(&self) -> Vec<String> {
        self.printed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// `kill -9`; what it had printed until then. A panic before is a fault.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let printed = self.printed();
        assert!(
            !printed.iter().any(|l| l.contains("panicked")),
            "{}:\n{}",
            self.name,
            printed.join("\n")
        );
        printed
    }

    /// Ends it as a service manager or Ctrl-C does; it must end by itself and without a fault.
    pub fn stop(self) {
        let name = self.name.clone();
        let printed = self.printed.clone();
        let code = self.end();
        let lines = printed.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        assert_eq!(code, Some(0), "{name} ended\n{lines}");
    }

    /// Ends it in the same way; what it ended with.
    pub fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let name = self.name.clone();
        let mut status = None;
        until(&format!("{name} has stopped"), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} printed:\n{}", self.name, self.printed().join("\n"));
        }
    }
}

fn keep_lines(from: impl std::io::Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            into.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}

/// A UDP port of loopback that is free now. A hub needs its own before it starts, to publish it.
pub fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

/// Waits until `test` holds.
pub fn until(what: &str, mut test: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !test() {
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {} s: {what}",
            PATIENCE.as_secs()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The digits to compare, in what a command printed.
pub fn digits(text: &str) -> String {
    let after = text
        .split_once("核对码 digits")
        .unwrap_or_else(|| panic!("no digits in:\n{text}"))
        .1;
    let after = after.trim_start_matches(':');
    let digits: String = after
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ' ')
        .collect();
    assert!(
        digits.chars().filter(char::is_ascii_digit).count() >= 25,
        "{text}"
    );
    digits.trim().to_string()
}

/// The same digits with the last one changed.
pub fn wrong(digits: &str) -> String {
    let last = digits.chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    format!("{}{other}", &digits[..digits.len() - 1])
}
