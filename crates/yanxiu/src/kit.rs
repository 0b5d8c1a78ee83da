//! `kit`, `enrol approve --all` and `enrol join`: a county's schools join by sticks.

use std::path::{Path, PathBuf};

use jiff::Zoned;
use node::enrol;
use node::enrol::batch::{self, Asking, Batch};
use node::kit::{self, Order};
use node::{Error, Node, bundle, office, stick};
use records::SchoolYear;

use crate::args::{Approve, Kit};
use crate::enrol::{compared, confirm, show_digits};
use crate::{Failure, ask_line, courier};

/// The county: a folder for each school, and for each of its devices.
pub fn kit(data: &Path, args: &Kit) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let mut order = Order {
        only: (args.only.as_ref())
            .map(|text| bundle::find_device(&node, text))
            .transpose()?,
        schools: (args.school.iter())
            .map(|text| office::find_school(&node, text))
            .collect::<Result<_, _>>()?,
        programs: args.program.clone(),
        ..Order::default()
    };
    if order.programs.is_empty() && !args.no_program {
        order.programs.push(std::env::current_exe()?);
    }
    if let Some(roster) = &args.roster {
        let bytes = std::fs::read(roster)
            .map_err(|e| Failure::new(format!("读不了 / cannot read {}: {e}", roster.display())))?;
        let name = roster.file_name().unwrap_or_default().to_string_lossy();
        let year = SchoolYear::of(Zoned::now().date()).0;
        order.rosters = web::rosters(&node, &bytes, &name, year, &order.schools)??;
        if order.rosters.is_empty() {
            return Err(Failure::new(
                "花名册里没有认出这些学校的教师，什么也没有写 / no teacher of these schools was found in the roster; nothing was written",
            ));
        }
    }
    let made = kit::make(&node, &args.out, &order)?;
    for program in &made.programs {
        println!("程序 program: {}（已复核 checked）", program.display());
    }
    for folder in made.schools.iter().chain(&made.devices) {
        println!(
            "{}: {}（{} 个文件 files）",
            folder.name,
            folder.path.display(),
            folder.files
        );
    }
    for (name, error) in &made.failed {
        println!("✗ {name}：没有写成 / not written: {} / {error}", error.zh());
    }
    if order.rosters.len() > 1 {
        println!(
            "注意：这里有 {} 所学校教师的名单。分别送到各校的U盘，请用 --school 只装一所 / names of several schools lie here; give each school a stick of its own (--school)",
            order.rosters.len()
        );
    }
    if made.schools.is_empty() && made.devices.is_empty() && made.failed.is_empty() {
        println!("名册上还没有学校 / there is no school yet: yanxiu import 花名册.xlsx");
    }
    match made.failed.len() {
        0 => Ok(()),
        n => Err(Failure::new(format!(
            "有 {n} 个文件夹没有写成，见上；其余都写好了 / {n} folders were not written, see above; all others were"
        ))),
    }
}

/// The county: the requests of many schools in one list, approved in one act.
pub fn approve_all(node: &Node, args: &Approve) -> Result<(), Failure> {
    let found = batch::find(node, &args.all)?;
    show(&found);
    if found.asking.is_empty() {
        return ended(
            found.turned.len(),
            "没有可以批准的申请 / no request can be approved",
        );
    }
    let typed = match &args.pick {
        Some(typed) => typed.clone(),
        None => ask_line(
            "和学校逐一核对过数字以后：批准哪些？all 或编号如 1,3-5，直接回车为不批准 / which, once the digits were compared? ",
        )?,
    };
    let picked = pick(&typed, &found.asking)?;
    if picked.is_empty() {
        println!("没有做任何改动 / nothing was changed");
        return Ok(());
    }
    let mut failed = found.turned.len();
    for (asking, done) in batch::approve_all(node, &picked) {
        match done {
            Ok(folders) => {
                for folder in folders {
                    println!(
                        "已批准 approved: {} · {} → {}",
                        asking.school_name,
                        asking.label,
                        folder.display()
                    );
                }
            }
            Err(error) => {
                failed += 1;
                println!(
                    "✗ {} · {}：{} / {error}",
                    asking.school_name,
                    asking.label,
                    error.zh()
                );
            }
        }
    }
    ended(failed, "")
}

fn ended(failed: usize, otherwise: &str) -> Result<(), Failure> {
    match failed {
        0 => {
            if !otherwise.is_empty() {
                println!("{otherwise}");
            }
            Ok(())
        }
        n => Err(Failure::new(format!(
            "有 {n} 份申请没有批准，见上 / {n} requests were not approved, see above"
        ))),
    }
}

fn show(found: &Batch) {
    for (n, asking) in (1..).zip(&found.asking) {
        let mut state = String::new();
        if asking.known {
            state += "早已批准，批复重写一份 / approved before";
        }
        if !asking.known && !asking.beside.is_empty() {
            state += &format!("该校已有 / the school has {}  ", asking.beside.join("、"));
        }
        if !asking.known && asking.rivals > 0 {
            state += &format!(
                "该校共有 {0} 份申请 / {0} requests for this school",
                asking.rivals + 1
            );
        }
        println!(
            "[{n}] {} {} · {} ({})  核对码 digits: {}  {state}",
            asking.school_name,
            asking.school_code,
            asking.label,
            asking.device.short(),
            asking.digits
        );
    }
    for turned in &found.turned {
        let device = turned.device.map(|d| format!("({}) ", d.short()));
        println!(
            "✗ {} {}{}：{} / {}",
            turned.label,
            device.unwrap_or_default(),
            turned.file.display(),
            turned.why.zh(),
            turned.why
        );
    }
    if found.passed_over > 0 {
        println!(
            "还有 {0} 个文件没有看 / {0} files were passed over",
            found.passed_over
        );
    }
}

/// Those of a list that somebody names by their numbers.
fn pick<'a>(typed: &str, all: &'a [Asking]) -> Result<Vec<&'a Asking>, Failure> {
    if matches!(typed.trim(), "all" | "a" | "全部") {
        return Ok(all.iter().collect());
    }
    let narrow = records::text::half_width(typed);
    let mut wanted = std::collections::BTreeSet::new();
    for part in narrow.split([',', '、', ' ']).filter(|p| !p.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<usize>().ok().filter(|n| (1..=all.len()).contains(n));
        match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => wanted.extend(from..=to),
            _ => {
                return Err(Failure::new(format!(
                    "“{part}”不是表中的编号，没有做任何改动 / {part:?} is no number of the list; nothing was changed"
                )));
            }
        }
    }
    Ok(wanted.into_iter().filter_map(|n| all.get(n - 1)).collect())
}

/// A school's computer joins by the folder that the county has made: it leaves its request there, and takes the answer and
/// what it begins with when that has come.
pub fn join(data: &Path, folder: &Path, name: Option<String>, digits: Option<String>) -> Result<(), Failure> {
    let missing = || {
        Failure::new(format!(
            "{} 里没有“入网邀请.txt”；请写U盘上本校文件夹的位置 / there is no invitation in this folder",
            folder.display()
        ))
    };
    let invitation = kit::invitation(folder)?.ok_or_else(missing)?;
    let node = match Node::open(data) {
        Err(Error::NotInitialised(_)) => {
            let name = name.unwrap_or_else(|| format!("{} 电脑", enrol::school_named(&invitation)));
            let node = Node::init_member(data, name.trim())?;
            println!(
                "已初始化 / ready: {}. 数据目录 data: {}",
                node.label(),
                data.display()
            );
            node
        }
        node => node?,
    };
    let found = kit::find(&node, folder)?;
    if let Some((answer, own)) = found.answer {
        let offer = enrol::accept(&node, &answer)?;
        match node.county_root() {
            None => confirm(&node, &offer, digits)?,
            Some(_) => println!("批复已收下 / answer taken"),
        }
        let report = stick::take(&node, &own)?;
        courier::print(&report, false);
        return match report.failed.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(
                "有文件没有收；重新插好U盘再运行一次 / some files were not taken; plug the stick in and run this again",
            )),
        };
    }
    let said = enrol::invited(&node, &invitation)?;
    if let Some(digits) = digits {
        compared(&said.digits, Some(digits))?;
    }
    let request: PathBuf = kit::leave_request(&node, folder)?;
    println!("学校 school: {}", said.school);
    show_digits(&said.county, &said.digits);
    println!(
        "抄下这些数字。申请已写入 {}：有网就运行 yanxiu serve；没有网就把U盘交回县里，带回来后再运行一次 / keep these digits; run `yanxiu serve` with a network, or bring the stick back to the county and run this again when it returns",
        request.display()
    );
    Ok(())
}
