//! `bundle` and `stick`: sealed bundles by hand, and what a clerk means by plugging in a stick.

use std::path::Path;

use node::stick::{self, Report, Wishes};
use node::{Node, bundle, mail};

use crate::Failure;
use crate::args::{BundleCommand, StickArgs};

pub fn bundle(data: &Path, command: BundleCommand) -> Result<(), Failure> {
    let node = Node::open(data)?;
    match command {
        BundleCommand::Make { to, out, max } => make(&node, &to, &out, size(max.as_deref())?),
        BundleCommand::Take { files } => {
            let mut failed = 0;
            for path in &files {
                let report = stick::take(&node, path)?;
                failed += report.failed.len();
                print(&report, false);
            }
            match failed {
                0 => Ok(()),
                n => Err(Failure::new(format!(
                    "有 {n} 个文件没有收 / {n} files were not taken"
                ))),
            }
        }
        BundleCommand::List => list(&node),
    }
}

fn make(node: &Node, to: &str, out: &Path, max: usize) -> Result<(), Failure> {
    let to = bundle::find_device(node, to)?;
    let made = mail::prepare(node, &to, max)?;
    let label = node.device_label(&to);
    if made.is_empty() {
        println!("没有要带给“{label}”的新内容 / nothing new for {label}");
        return Ok(());
    }
    for item in &made {
        let path = stick::export(node, out, item)?;
        println!(
            "给“{label}” for {label}: {} · {} KB",
            path.display(),
            item.bytes.div_ceil(1024)
        );
    }
    println!("封好了，只有收件设备能打开；每份可以单独带、先后不限 / sealed; any part may be taken alone");
    Ok(())
}

fn list(node: &Node) -> Result<(), Failure> {
    let all = mail::list(node)?;
    if all.is_empty() {
        println!("没有在途的数据包 / no bundle is on its way");
    }
    for i in &all {
        let kind = match i.from == node.id() {
            true => "本机 own    ",
            false => "捎带 carried",
        };
        println!(
            "{kind} {} → {}  第 {} 号 {}/{}  {} KB  {}",
            node.device_label(&i.from),
            node.device_label(&i.to),
            i.number,
            i.part,
            i.parts,
            i.bytes.div_ceil(1024),
            i.name.get(..12).unwrap_or_default()
        );
    }
    Ok(())
}

pub fn stick(data: &Path, args: &StickArgs) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let wishes = Wishes {
        max: size(args.max.as_deref())?,
        everyone: args.all,
    };
    let report = stick::exchange(&node, &args.dir, &wishes)?;
    print(&report, true);
    match report.all_written() {
        false => Err(Failure::new("U盘没有写完 / the stick was not written to its end")),
        true => Ok(()),
    }
}

pub fn print(report: &Report, last: bool) {
    let lines = report.lines();
    let shown = lines.len() - usize::from(!last);
    for (zh, en) in lines.iter().take(shown) {
        println!("{zh} / {en}");
    }
}

/// `8M`, `500K`, or bytes.
fn size(text: Option<&str>) -> Result<usize, Failure> {
    let Some(text) = text else { return Ok(bundle::MAX) };
    let upper = text.trim().to_ascii_uppercase();
    let (digits, unit) = match upper.trim_end_matches('B') {
        t if t.ends_with('M') => (t.trim_end_matches('M').to_owned(), 1 << 20),
        t if t.ends_with('K') => (t.trim_end_matches('K').to_owned(), 1 << 10),
        t => (t.to_owned(), 1),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(unit));
    bytes
        .filter(|n| (bundle::MIN..=bundle::LARGEST).contains(n))
        .ok_or_else(|| {
            Failure::new(format!(
                "大小“{text}”不对；请写 64K 至 63M，如 8M / {text:?} is no size; write 64K to 63M, such as 8M"
            ))
        })
}
