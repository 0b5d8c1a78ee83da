//! A hub and a school as real processes in network namespaces, and what their link has carried.
// Each example that includes this file uses a part of it.
#![allow(dead_code)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use node::office::By;
use node::office::{self, OrganisationInput};
use node::{Node, Role, enrol};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HUB: &str = "10.77.0.1:4433";

pub(crate) struct World {
    pub(crate) linkemu: String,
    pub(crate) yanxiu: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) net: String,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Bytes {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

impl Bytes {
    pub(crate) fn minus(self, before: Bytes) -> Bytes {
        Bytes {
            up: self.up - before.up,
            down: self.down - before.down,
        }
    }

    pub(crate) fn sum(self) -> u64 {
        self.up + self.down
    }
}

/// Seconds since the last dialling.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) stored: Option<f64>,
    pub(crate) equal: Option<f64>,
}

/// A process, killed at the end.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn signal(&self, what: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([what, &self.0.id().to_string()])
            .status()?;
        status.success().then_some(()).ok_or_else(|| "kill".into())
    }

    /// Lets it say goodbye, or its peer would go on asking for it in the next measurement.
    pub(crate) fn end(mut self) -> Result<()> {
        self.signal("-INT")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network with the hub's process.
pub(crate) struct Run<'w> {
    pub(crate) world: &'w World,
    pub(crate) net: String,
    pub(crate) hub: Running,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let _ = self.world.emu(&["down", &self.net]);
    }
}

impl<'w> Run<'w> {
    pub(crate) fn up(world: &'w World, hub: &Node, link: &str) -> Result<Run<'w>> {
        let net = world.net.clone();
        world.emu(&["up", &net, "hub=wire", &format!("school={link}")])?;
        let hub = world.serve(&net, "hub", hub, true)?;
        std::thread::sleep(Duration::from_millis(700));
        Ok(Run { world, net, hub })
    }

    pub(crate) fn link(&self, link: &str) -> Result<()> {
        self.world
            .emu(&["set", &self.net, &format!("school={link}")])
            .map(drop)
    }

    pub(crate) fn stats(&self, reset: bool) -> Result<Bytes> {
        let mut args = vec!["stats", self.net.as_str()];
        args.extend(reset.then_some("--reset"));
        let stats: serde_json::Value = serde_json::from_str(&self.world.emu(&args)?)?;
        let bytes = |d: &str| stats["school"][format!("{d}_bytes")].as_u64().unwrap_or(0);
        Ok(match reset {
            true => Bytes::default(),
            false => Bytes {
                up: bytes("up"),
                down: bytes("down"),
            },
        })
    }

    /// A fresh school process, until both are equal and the school holds all receipts.
    pub(crate) fn meet(&self, school: &Node, stay: bool) -> Result<Running> {
        let equal = self.world.equals(school)?;
        let pc = self.world.serve(&self.net, "school", school, stay)?;
        wait("the two are not equal", || Ok(self.world.equals(school)? > equal))?;
        self.all_there(school)?;
        Ok(pc)
    }

    pub(crate) fn all_there(&self, school: &Node) -> Result<()> {
        wait("receipts are missing", || {
            Ok(school.not_at_county()? == 0 && self.world.equals(school)? > 0)
        })
    }
}

/// Runs iproute2.
pub(crate) fn ip(args: &[&str]) -> Result<()> {
    let out = Command::new("ip").args(args).output()?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr)).into()),
    }
}

pub(crate) fn wait(what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    wait_long(what, Duration::from_secs(400), done)
}

pub(crate) fn wait_long(what: &str, most: Duration, done: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !done()? {
        if begun.elapsed() > most {
            return Err(format!("{what} after {} s", most.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Nobody who measures sits out a long wait.
fn quick(stay: bool) -> String {
    format!("[sync]\nstay_connected = {stay}\nretry_seconds = [0.3, 8]\n")
}

impl World {
    /// The binary beside this example, and a network of its own.
    pub(crate) fn new(linkemu: String, dir: &Path) -> Result<World> {
        let yanxiu = std::env::current_exe()?
            .parent()
            .and_then(Path::parent)
            .ok_or("no target dir")?
            .join("yanxiu");
        Ok(World {
            linkemu,
            yanxiu,
            dir: dir.to_path_buf(),
            net: format!("yx{}", std::process::id() % 10_000),
        })
    }

    /// A hub and an enrolled school, which know one another's roll.
    pub(crate) fn county(&self, name: &str) -> Result<(Node, Node)> {
        let by = By {
            account: "测量".into(),
        };
        let hub = Node::init_county(&self.dir.join(name).join("hub"), "云岭县")?;
        let input = OrganisationInput {
            name: "青石小学".into(),
            org_kind: "primary_school".into(),
            rural: "township".into(),
            ..OrganisationInput::default()
        };
        office::save_organisations(&hub, &by, vec![(None, input)])?;
        let id = office::organisations(&hub)?.remove(0).id;
        enrol::publish_address(&hub, HUB)?;
        let school = Node::init_member(&self.dir.join(name).join("school"), "青石小学 电脑")?;
        let (device, _) = enrol::read_request(&enrol::request_file(&school))?;
        let answer = enrol::approve(&hub, &device, "青石小学 电脑", &[(Role::School, id)])?;
        enrol::accept(&school, &answer.text)?;
        enrol::confirm(&school)?;
        Ok((hub, school))
    }

    pub(crate) fn serve(&self, net: &str, host: &str, node: &Node, stay: bool) -> Result<Running> {
        self.start(net, host, node, &quick(stay), &["--no-mdns"])
    }

    /// The same, found by and finding neighbours; it stays connected.
    pub(crate) fn serve_and_find(&self, net: &str, host: &str, node: &Node) -> Result<Running> {
        self.start(net, host, node, &quick(true), &[])
    }

    /// With all times as they are without a configuration.
    pub(crate) fn serve_as_shipped(&self, net: &str, host: &str, node: &Node) -> Result<Running> {
        self.start(net, host, node, "", &["--no-mdns"])
    }

    fn start(&self, net: &str, host: &str, node: &Node, config: &str, more: &[&str]) -> Result<Running> {
        fs::write(node.dir().join("yanxiu.toml"), config)?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_file(node.dir()))?;
        let child = Command::new(&self.linkemu)
            .args(["exec", net, host, "--"])
            .arg(&self.yanxiu)
            .arg("--data")
            .arg(node.dir())
            .args(["serve", "--web", "127.0.0.1:8780"])
            .args(more)
            .env(
                "YANXIU_LOG",
                std::env::var("YANXIU_LOG").unwrap_or("warn,node=debug".into()),
            )
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut running = Running(child);
        std::thread::sleep(Duration::from_millis(150));
        match running.0.try_wait()? {
            Some(status) => {
                let log = fs::read_to_string(log_file(node.dir()))?;
                Err(format!("yanxiu serve ended at once ({status}): {log}").into())
            }
            None => Ok(running),
        }
    }

    pub(crate) fn emu(&self, args: &[&str]) -> Result<String> {
        let out = Command::new(&self.linkemu).args(args).output()?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
        }
        Ok(String::from_utf8(out.stdout)?)
    }

    /// How often the node's processes have said that both sides are equal.
    pub(crate) fn equals(&self, node: &Node) -> Result<usize> {
        let text = fs::read_to_string(log_file(node.dir())).unwrap_or_default();
        Ok(text.matches("both sides are equal").count())
    }

    /// How long the node's log is.
    pub(crate) fn mark(&self, node: &Node) -> Result<usize> {
        Ok(fs::read_to_string(log_file(node.dir())).unwrap_or_default().len())
    }

    /// From the first dialling behind `mark`.
    pub(crate) fn times(&self, school: &Node, hub: &impl HasLog, mark: usize) -> Result<Times> {
        let text = fs::read_to_string(log_file(school.dir()))?;
        let lines: Vec<&str> = text.get(mark..).unwrap_or_default().lines().collect();
        let at = |what: &str| lines.iter().find(|l| l.contains(what)).and_then(|l| seconds(l));
        let Some(dialled) = at("dialling") else {
            return Ok(Times {
                stored: None,
                equal: None,
            });
        };
        let hub = fs::read_to_string(hub.log())?;
        let stored = hub
            .lines()
            .filter(|l| l.contains("stored"))
            .filter_map(seconds)
            .rfind(|t| *t > dialled);
        Ok(Times {
            stored: stored.map(|t| t - dialled),
            equal: at("both sides are equal").map(|t| t - dialled),
        })
    }
}

pub(crate) trait HasLog {
    fn log(&self) -> PathBuf;
}

impl HasLog for Node {
    fn log(&self) -> PathBuf {
        log_file(self.dir())
    }
}

impl HasLog for PathBuf {
    fn log(&self) -> PathBuf {
        log_file(self)
    }
}

pub(crate) fn log_file(dir: &Path) -> PathBuf {
    dir.join("measured.log")
}

/// Seconds of the day of a log line such as `2026-11-22T11:24:05.123456Z DEBUG …`, whatever colours it has.
pub(crate) fn seconds(line: &str) -> Option<f64> {
    let (_, time) = line.split_once('T')?;
    let (time, _) = time.split_once('Z')?;
    let mut parts = time.split(':').map(|p| p.parse::<f64>().ok());
    Some(parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??)
}
