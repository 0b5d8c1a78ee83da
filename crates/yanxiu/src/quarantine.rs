//! `quarantine` and `cut`: the list of quarantined devices, and the county's way to settle a case.

use std::path::{Path, PathBuf};

use node::accounts::{self, AccessRow};
use node::{Case, Node, Point};

use crate::args::Cut;
use crate::{Failure, ask};

pub fn show(data: &Path, case: Option<String>, evidence: Option<PathBuf>) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let all = node.cases()?;
    if let (Some(id), Some(out)) = (&case, evidence) {
        let text = node.evidence_file(id)?.ok_or_else(no_such_case)?;
        std::fs::write(&out, text)?;
        println!("证据已写入 / evidence written to {}", out.display());
        return Ok(());
    }
    let wanted = |c: &&Case| case.as_ref().is_none_or(|id| c.id == *id);
    let shown: Vec<&Case> = all.cases.iter().filter(wanted).collect();
    if shown.is_empty() {
        if case.is_some() {
            return Err(no_such_case());
        }
        println!("没有被隔离的设备 / no device is quarantined");
    }
    for c in shown {
        println!("编号 case       {}", c.id);
        println!("设备 device     {} ({})", c.label, c.actor.device.short());
        println!("文档 document   {}", c.document);
        println!("原因 why        {} / {}", c.why_zh, c.why_en);
        println!("证据 evidence   @{} {}", c.faulty.seq, c.faulty.hash);
        if let Some(other) = &c.other {
            println!("     against    @{} {}", other.seq, other.hash);
        }
        println!("在等待 waiting  {}", c.waiting);
        match c.cut {
            Some(seq) => println!("已截断 cut      @{seq}"),
            None => {
                for p in &c.proposals {
                    println!("可截断 may cut  {}", words(p.point, p.seq, p.lost));
                }
            }
        }
        println!();
    }
    if case.is_none() {
        for (what, rows) in [("等待 held ", &all.held), ("留证 aside", &all.aside)] {
            for row in rows {
                let author = node.device_label(&row.device);
                println!("{what}      {} {author} {} ×{}", row.document, row.why, row.count);
            }
        }
    }
    Ok(())
}

fn words(point: Point, seq: u64, lost: u64) -> String {
    let what = match point {
        Point::Stored => "保留已收下的全部 / keep all that is stored",
        Point::BeforeFault => "只保留出错之前的 / keep what came before the fault",
    };
    format!("@{seq} {what}（不再计入 lost: {lost}）")
}

fn no_such_case() -> Failure {
    Failure::new("没有这个编号；请看 yanxiu quarantine / no such case; see `yanxiu quarantine`")
}

pub fn cut(data: &Path, cut: &Cut) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let case = node.case(&cut.case)?.ok_or_else(no_such_case)?;
    let proposal = match cut.before_fault {
        true => case.proposals.iter().find(|p| p.point == Point::BeforeFault),
        false => case.proposals.first(),
    };
    let proposal = proposal.or(case.proposals.first()).ok_or_else(no_such_case)?;
    let question = format!(
        "截断 {} ({}) 在 {} {}？ / cut?",
        case.label,
        case.actor.device.short(),
        case.document,
        words(proposal.point, proposal.seq, proposal.lost)
    );
    if !cut.yes && !ask(&question)? {
        return Ok(());
    }
    node.cut_case(&case.id, proposal.point)?;
    let line = AccessRow {
        at: node::now(),
        account: String::new(),
        name: "命令行".into(),
        act: "cut".into(),
        object: format!(
            "{} {} @{}",
            case.document,
            case.actor.device.short(),
            proposal.seq
        ),
        remote: String::new(),
    };
    accounts::log(&node, line)?;
    println!(
        "已截断 / cut: {} @{}；各台设备收到后自动改用同一份 / every computer follows by itself",
        case.document, proposal.seq
    );
    Ok(())
}
