//! One side of the kill test: its place, its process while it lives, and what its database says.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::database::Database;
use crate::support::{Place, Server};

/// SplitMix64: small, and the same on every machine.
pub struct Random(u64);

impl Random {
    /// Each thread has a stream of its own.
    pub fn new(seed: u64, stream: u64) -> Random {
        Random(seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// School or hub.
pub struct Side {
    pub place: Place,
    flags: Vec<String>,
    server: Mutex<Option<Server>>,
    pages: Mutex<String>,
    /// Held while a command writes to the database, and while it is copied.
    pub files: Mutex<()>,
    /// Warnings that the killed processes had printed.
    printed: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Side {
    pub fn start(place: Place, flags: &[&str]) -> Side {
        let side = Side {
            place,
            flags: flags.iter().map(|f| f.to_string()).collect(),
            server: Mutex::default(),
            pages: Mutex::default(),
            files: Mutex::default(),
            printed: Mutex::default(),
        };
        side.restart();
        side
    }

    /// Starts the process as ever; it must open its data by itself.
    pub fn restart(&self) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let server = self.place.serve(&flags);
        *lock(&self.pages) = server.pages.clone();
        *lock(&self.server) = Some(server);
    }

    /// Where its pages are, or were until it was killed.
    pub fn pages(&self) -> String {
        lock(&self.pages).clone()
    }

    pub fn setup_link(&self) -> String {
        lock(&self.server).as_ref().and_then(|s| s.setup.clone()).unwrap()
    }

    pub fn kill(&self) {
        let server = lock(&self.server).take().unwrap();
        let printed = server.kill();
        lock(&self.printed).extend(
            printed
                .into_iter()
                .filter(|l| l.contains("WARN") || l.contains("ERROR")),
        );
    }

    /// Starts it and kills it before it is ready.
    pub fn kill_while_starting(&self, after: Duration) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let mut child = self
            .place
            .begin(&[&["serve", "--no-mdns", "--web", "127.0.0.1:0"], &flags[..]].concat());
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Its database as it lies there; commands wait meanwhile.
    pub fn copied(&self, into: &Path) -> Database {
        let _files = lock(&self.files);
        Database::copied(&self.place.database(), into)
    }

    /// Says what was refused, held or warned about at this side.
    pub fn report(&self) {
        let events = Database::open(&self.place.database()).events();
        println!("{}: events {events:?}", self.place.name());
        let mut kinds: Vec<String> = lock(&self.printed)
            .iter()
            .map(|l| l.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
            .collect();
        kinds.sort();
        kinds.dedup();
        for line in kinds.iter().take(20) {
            println!("{}: printed {line}", self.place.name());
        }
    }
}

/// What the records of a database say, one line each, as far as this test enters them.
pub fn facts(database: &Database) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for (id, fields) in database.records() {
        let text = |name: &str| fields.get(name).and_then(|v| v.as_str()).unwrap_or_default();
        let fact = match text("_kind").split('/').next().unwrap_or_default() {
            "session" => {
                if matches!(text("state"), "ended" | "credited") {
                    facts.insert(format!("ended {id}"));
                }
                format!("session {id} {}", text("title"))
            }
            "attendance" => format!(
                "attendance {} {} {}",
                text("session"),
                text("person"),
                text("status")
            ),
            "claim" => format!("claim {} {}", text("session"), text("person")),
            "decision" => format!("decision {} {}", text("claim"), text("verdict")),
            "person" => format!("person {} {}", text("teacher_code"), text("name")),
            "organisation" => format!("organisation {} {}", text("school_code"), text("name")),
            _ => continue,
        };
        facts.insert(fact);
    }
    facts
}
