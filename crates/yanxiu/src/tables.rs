//! `import` and `export`: tables that people hand over.

use std::path::Path;

use node::Node;
use node::office::By;
use records::SchoolYear;
use web::sheet::grid;
use web::sheet::roster::{RosterPlan, Severity, plan_roster};

use crate::args::{Export, Import, What};
use crate::{Failure, ask};

/// Who a record says typed it, when it was the command line.
pub fn by_command() -> By {
    By {
        account: "命令行".into(),
    }
}

pub fn import(data: &Path, import: &Import) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let bytes = std::fs::read(&import.file)
        .map_err(|e| Failure::new(format!("读不了 / cannot read {}: {e}", import.file.display())))?;
    let name = import
        .file
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let plan = plan(&node, &bytes, &name, import.year)?;
    show(&plan);
    if plan.is_empty() {
        println!("没有需要写入的内容 / nothing to write");
        return Ok(());
    }
    if import.preview || !(import.yes || ask("按此导入吗？ / import this?")?) {
        println!("没有写入 / nothing was written");
        return Ok(());
    }
    let file = web::import::roster_file(node.new_id(), &name, &bytes);
    let done = web::import::apply(&node, &by_command(), &plan, Some(&file))?;
    println!("已导入 {done} 条 / {done} records written");
    Ok(())
}

/// What an import of these bytes would do at this node.
pub fn plan(node: &Node, bytes: &[u8], name: &str, year: Option<i32>) -> Result<RosterPlan, Failure> {
    let year = year.unwrap_or_else(|| SchoolYear::of(jiff::Zoned::now().date()).0);
    let book = grid::read(bytes, name)?;
    Ok(plan_roster(&book, &web::import::context(node, year)?))
}

fn show(plan: &RosterPlan) {
    for line in plan.summary_zh() {
        println!("{line}");
    }
    for p in &plan.found.problems {
        let mark = if p.severity == Severity::Error { "✗" } else { "!" };
        println!("{mark} {} {} “{}”：{} / {}", p.sheet, p.cell, p.value, p.zh, p.en);
    }
}

pub fn export(data: &Path, export: &Export) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let school = node.home_school().ok_or_else(|| {
        Failure::new("只有学校的设备能导出本校的表 / only a school's device exports its tables")
    })?;
    let what = match export.what {
        What::Roster => "roster",
        What::Claims => "claims",
    };
    let kind = export
        .out
        .extension()
        .map(|e| e.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    if kind != "xlsx" && kind != "csv" {
        return Err(Failure::new(
            "文件名要以 .xlsx 或 .csv 结尾 / the file must end in .xlsx or .csv",
        ));
    }
    let made_on = jiff::Zoned::now().date().to_string();
    let bytes = web::export_table(&node, &school, what, kind == "xlsx", &made_on)??;
    std::fs::write(&export.out, bytes)?;
    println!("已导出 / exported: {}", export.out.display());
    Ok(())
}
