//! What sync costs on a poor link: whole IP packets in both directions and seconds, between real `yanxiu serve`
//! processes in network namespaces. Needs root, Linux and the `linkemu` tool.
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example links -- LINKEMU`
//!
//! The school's log holds 2,400 records of 12 fields with about 60 Chinese characters, one change a record.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use node::office::{self, By, OrganisationInput};
use node::{Edit, Filter, Node, Role, Value, enrol};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HUB: &str = "10.77.0.1:4433";

fn main() -> Result<()> {
    let linkemu = std::env::args().nth(1).ok_or("give the path of linkemu")?;
    let yanxiu = std::env::current_exe()?
        .parent()
        .and_then(Path::parent)
        .ok_or("no target dir")?
        .join("yanxiu");
    let world = World {
        linkemu,
        yanxiu,
        dir: tempfile::tempdir()?.keep(),
    };
    println!("{:<44} {:>9} {:>9} {:>9} {:>8}", "", "up", "down", "sum", "s");
    for link in ["wire", "rate=128,delay=300"] {
        let (hub, school) = world.county(&format!("a-{}", link.len()))?;
        write(&school, 0, 2_400)?;
        world.run(link, &hub, &school, &format!("S1 everything ({link})"))?;
        world.run(link, &hub, &school, &format!("S3 nothing new ({link})"))?;
        write(&school, 2_400, 20)?;
        world.run(link, &hub, &school, &format!("S2 20 new records ({link})"))?;
    }
    Ok(())
}

struct World {
    linkemu: String,
    yanxiu: PathBuf,
    dir: PathBuf,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    /// A hub and an enrolled school, which know one another's roll.
    fn county(&self, name: &str) -> Result<(Node, Node)> {
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

    fn serve(&self, net: &str, host: &str, node: &Node) -> Result<Running> {
        let child = Command::new(&self.linkemu)
            .args(["exec", net, host, "--"])
            .arg(&self.yanxiu)
            .arg("--data")
            .arg(node.dir())
            .args(["serve", "--no-mdns", "--web", "127.0.0.1:8780"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Running(child))
    }

    fn emu(&self, args: &[&str]) -> Result<String> {
        let out = Command::new(&self.linkemu).args(args).output()?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
        }
        Ok(String::from_utf8(out.stdout)?)
    }

    /// Lets both run until the school has receipts for everything and both were equal.
    fn run(&self, link: &str, hub: &Node, school: &Node, what: &str) -> Result<()> {
        let net = format!("yx{}", std::process::id() % 10_000);
        self.emu(&["up", &net, "hub=wire", &format!("school={link}")])?;
        let result = (|| {
            let _hub = self.serve(&net, "hub", hub)?;
            std::thread::sleep(Duration::from_millis(700));
            self.emu(&["stats", &net, "--reset"])?;
            let before = school
                .peers()?
                .into_iter()
                .find_map(|p| p.in_sync_at)
                .unwrap_or(0);
            while node::now() <= before {
                std::thread::sleep(Duration::from_millis(50));
            }
            let begun = Instant::now();
            let _school = self.serve(&net, "school", school)?;
            let done = || -> Result<bool> {
                let equal = school
                    .peers()?
                    .iter()
                    .any(|p| p.in_sync_at.is_some_and(|at| at > before));
                Ok(equal && school.not_at_county()? == 0)
            };
            while !done()? {
                if begun.elapsed() > Duration::from_secs(300) {
                    return Err("not within 300 s".into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let seconds = begun.elapsed().as_secs_f64();
            // The last receipts and acknowledgements are still on the way.
            std::thread::sleep(Duration::from_secs(2));
            Ok::<_, Box<dyn Error>>((seconds, self.emu(&["stats", &net])?))
        })();
        self.emu(&["down", &net])?;
        let (seconds, stats) = result?;
        let stats: serde_json::Value = serde_json::from_str(&stats)?;
        let bytes = |d: &str| stats["school"][format!("{d}_bytes")].as_u64().unwrap_or(0);
        let (up, down) = (bytes("up"), bytes("down"));
        println!("{what:<44} {up:>9} {down:>9} {:>9} {seconds:>8.2}", up + down);
        Ok(())
    }
}

/// Records of a school's log, one change each.
fn write(school: &Node, from: usize, count: usize) -> Result<()> {
    let id = school.home_school().ok_or("no school")?;
    let phrases = [
        "学生的错误是课堂里最好的资源",
        "先学后教，当堂训练，分层作业",
        "评课围绕目标、内容、方法和效果",
        "集体备课时先个人说课再议课",
    ];
    for i in from..from + count {
        let note: String = (0..4)
            .map(|k| phrases[(i * 7 + k * 3) % 4])
            .collect::<Vec<_>>()
            .join("；");
        let text = |v: String| Some(Value::Text(v));
        let fields = vec![
            ("_kind".into(), text("session/1".into())),
            ("_by".into(), text("李专管员".into())),
            ("title".into(), text(format!("第{i}次听评课"))),
            ("theme".into(), text(note)),
            (
                "date".into(),
                text(format!("2025-{:02}-{:02}", 9 + i % 4, 1 + i % 28)),
            ),
            ("place".into(), text(format!("{}年级{}班", 1 + i % 6, 1 + i % 3))),
            ("form".into(), text("school_based".into())),
            ("category".into(), text("practice".into())),
            ("channel".into(), text("school".into())),
            ("hours_c".into(), Some(Value::Int(100 + (i as i64 % 4) * 50))),
            ("lecturers".into(), text(format!("教师{}", i % 40))),
            ("state".into(), text("ended".into())),
        ];
        school.commit(
            &format!("log/{id}/2025"),
            vec![Edit {
                id: school.new_id(),
                fields,
            }],
        )?;
    }
    assert_eq!(school.count(&Filter::kind("session"))? as usize, from + count);
    Ok(())
}
