//! The hub as a process of its own, and what the system says of it. Linux: it reads `/proc`.

use std::error::Error;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A running `yanxiu serve`; killed when it is dropped.
#[derive(Debug)]
pub struct Hub {
    child: Child,
    /// From the start of the process until it listened.
    pub started: Duration,
}

/// Memory of a process, in KB.
#[derive(Clone, Copy, Default, Debug)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// The most that was resident since [`Hub::watch`] began.
    pub high: u64,
    /// Resident, each shared page by the share of this process.
    pub pss: u64,
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on loopback at which nobody listened a moment ago.
///
/// # Errors
/// The system gives none.
pub fn free_address() -> std::io::Result<SocketAddr> {
    UdpSocket::bind("127.0.0.1:0")?.local_addr()
}

impl Hub {
    /// Starts the `yanxiu` beside this program's directory on `data`, its sync at `listen` and its pages at `web`.
    ///
    /// # Errors
    /// It cannot be started, ends at once, or does not listen within five minutes.
    pub fn start(data: &Path, listen: &str, web: &str) -> Result<Hub, Box<dyn Error>> {
        let yanxiu: PathBuf = std::env::current_exe()?
            .parent()
            .and_then(Path::parent)
            .ok_or("no target dir")?
            .join("yanxiu");
        let begun = Instant::now();
        let child = Command::new(&yanxiu)
            .arg("--data")
            .arg(data)
            .args(["serve", "--no-mdns", "--listen", listen, "--web", web])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| format!("{}: {e}; cargo build -p yanxiu makes it", yanxiu.display()))?;
        let mut hub = Hub {
            child,
            started: Duration::ZERO,
        };
        // It listens once it holds the port, and has pages once they answer.
        let pages = web.parse::<SocketAddr>()?;
        while UdpSocket::bind(listen).is_ok() || (pages.port() != 0 && TcpStream::connect(pages).is_err()) {
            if let Some(status) = hub.child.try_wait()? {
                return Err(format!("the hub ended at once: {status}").into());
            }
            if begun.elapsed() > Duration::from_secs(300) {
                return Err("the hub does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        hub.started = begun.elapsed();
        Ok(hub)
    }

    /// Number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.id())).unwrap_or_default()
    }

    /// What it holds now.
    pub fn memory(&self) -> Memory {
        let (status, smaps) = (self.proc("status"), self.proc("smaps_rollup"));
        Memory {
            rss: field(&status, "VmRSS:"),
            high: field(&status, "VmHWM:"),
            pss: field(&smaps, "Pss:"),
        }
    }

    /// Milliseconds of processor time, and bytes read through system calls.
    pub fn spent(&self) -> (f64, f64) {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        // utime and stime, in hundredths of a second on Linux.
        (
            (ticks(11) + ticks(12)) * 10.0,
            field(&self.proc("io"), "rchar:") as f64,
        )
    }

    /// Samples while `work` runs: the highest RSS and Pss, in KB.
    pub fn watch<T>(&self, work: impl FnOnce() -> T) -> (T, u64, u64) {
        let (rss, pss) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let sampling = {
            let (rss, pss, over, pid) = (rss.clone(), pss.clone(), over.clone(), self.id());
            std::thread::spawn(move || {
                let read = |f: &str| std::fs::read_to_string(format!("/proc/{pid}/{f}")).unwrap_or_default();
                let mut n = 0;
                while !over.load(Ordering::Relaxed) {
                    rss.fetch_max(field(&read("status"), "VmRSS:"), Ordering::Relaxed);
                    if n % 10 == 0 {
                        pss.fetch_max(field(&read("smaps_rollup"), "Pss:"), Ordering::Relaxed);
                    }
                    n += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        };
        // The kernel's own high-water mark from here on, so that no peak falls between two samples.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.id()), "5");
        let result = work();
        over.store(true, Ordering::Relaxed);
        let _ = sampling.join();
        let peak = rss.load(Ordering::Relaxed).max(self.memory().high);
        (result, peak, pss.load(Ordering::Relaxed))
    }
}

/// A number behind a name; kB where the file says kB.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
