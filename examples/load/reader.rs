//! Somebody at the county who reads the main pages while schools come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use yanxiu_examples::visitor;

use crate::{Pages, Result};

/// The account.
pub const NAME: &str = "王审核员";
/// Its PIN.
pub const SECRET: &str = "271828";

/// 总览, 各校, 审核, 同步.
const PAGES: [&str; 4] = ["/", "/schools", "/audit", "/sync"];

/// Between two pages.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads until it is stopped.
pub struct Reader {
    over: Arc<AtomicBool>,
    reading: JoinHandle<std::result::Result<Pages, String>>,
}

impl Reader {
    /// Signs in under `base`, and begins. Each page was read once before it counts.
    pub fn start(base: &str) -> Result<Reader> {
        let agent = visitor::signed_in(base, NAME, SECRET)?;
        let base = base.to_owned();
        for path in PAGES {
            read(&agent, &base, path)?;
        }
        let over = Arc::new(AtomicBool::new(false));
        let stop = over.clone();
        let reading = std::thread::spawn(move || {
            let mut times: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
            while !stop.load(Ordering::Relaxed) {
                for path in PAGES {
                    let begun = Instant::now();
                    read(&agent, &base, path)?;
                    times.entry(path).or_default().push(begun.elapsed());
                    std::thread::sleep(PAUSE);
                }
            }
            Ok(times.into_iter().collect())
        });
        Ok(Reader { over, reading })
    }

    /// What it saw: the times of each page.
    pub fn stop(self) -> Result<Pages> {
        self.over.store(true, Ordering::Relaxed);
        Ok(self.reading.join().map_err(|_| "the reader panicked")??)
    }
}

fn read(agent: &ureq::Agent, base: &str, path: &str) -> std::result::Result<(), String> {
    let failed = |e: ureq::Error| format!("{path}: {e}");
    let mut answer = agent.get(format!("{base}{path}")).call().map_err(failed)?;
    let body = answer.body_mut().with_config().limit(1 << 26).read_to_vec();
    body.map_err(failed)?;
    match answer.status().as_u16() {
        200 => Ok(()),
        status => Err(format!("{path}: {status}")),
    }
}
