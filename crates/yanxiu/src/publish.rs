//! `publish`: the county's officer checks a form or rule set and puts it into force.

use std::path::Path;

use node::Node;
use node::accounts::{self, AccessRow};
use node::office::{self, By};

use crate::args::Publish;
use crate::{Failure, ask};

/// Who the access log and the record name when nobody is signed in.
const HERE: &str = "命令行";

pub fn publish(data: &Path, publish: &Publish) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&publish.file)
        .map_err(|error| Failure::new(format!("{}: {error}", publish.file.display())))?;
    let node = Node::open(data)?;
    let checked = office::check_publication(&node, &text)?;
    println!(
        "检查通过 / sound: {} {} ({})",
        checked.name, checked.zh, checked.en
    );
    if let Some(before) = &checked.before {
        println!("现在用的 / in use: {before}");
    }
    if publish.check {
        return Ok(());
    }
    if !publish.yes && !ask("发布后不能再改，只能发新版本。发布？/ publish?")? {
        println!("没有发布 / nothing was published");
        return Ok(());
    }
    let by = By { account: HERE.into() };
    let date = publish.date.as_deref().unwrap_or_default();
    let id = office::publish(&node, &by, &text, date, &publish.note)?;
    let line = AccessRow {
        at: node::now(),
        account: String::new(),
        name: HERE.into(),
        act: "publish".into(),
        object: id,
        remote: String::new(),
    };
    accounts::log(&node, line)?;
    println!("已发布，各校下次与县里联系后使用 / published; schools have it after their next contact");
    Ok(())
}
