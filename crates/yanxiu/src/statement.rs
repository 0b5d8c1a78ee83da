//! `statement`: the county gives out a credit statement as a signed file; anybody checks one.

use std::path::Path;

use node::accounts::{self, AccessRow};
use node::credential::{self, CreditStatement};
use node::office::{self, By, InLedger, StatementInput};
use node::{Error, Filter, Node, NodeId};

use crate::Failure;
use crate::args::{MakeStatement, StatementCommand};

/// Who the access log and the record name when nobody is signed in.
const HERE: &str = "命令行";

pub fn statement(data: &Path, command: StatementCommand) -> Result<(), Failure> {
    match command {
        StatementCommand::Make(make) => issue(data, &make),
        StatementCommand::Verify { file, county } => verify(data, &file, county.as_deref()),
    }
}

fn issue(data: &Path, make: &MakeStatement) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let input = StatementInput {
        person: person(&node, &make.person)?,
        from: make.from.clone().unwrap_or_default(),
        until: make.until.clone().unwrap_or_default(),
        purpose: make.purpose.clone(),
        issued_on: make.date.clone(),
    };
    let (id, file) = office::issue_statement(&node, &By { account: HERE.into() }, &input)?;
    std::fs::write(&make.out, file)
        .map_err(|error| Failure::new(format!("{}: {error}", make.out.display())))?;
    let line = AccessRow {
        at: node::now(),
        name: HERE.into(),
        act: "issue statement".into(),
        object: id.clone(),
        ..AccessRow::default()
    };
    accounts::log(&node, line)?;
    println!("已签发 / issued: {id}\n文件 file: {}", make.out.display());
    if let Some(root) = node.county_root() {
        println!("本县公钥 county key: {root}");
        println!("没有研修数据的电脑这样核验 / where there is no node:");
        println!("  yanxiu statement verify {} --county {root}", make.out.display());
    }
    Ok(())
}

/// The person of a record id, a teacher code, or a name that is there once.
fn person(node: &Node, typed: &str) -> Result<String, Failure> {
    let typed = typed.trim();
    let mut found = node.records(&Filter::kind("person"))?;
    let is = |field: &'static str| move |r: &node::Record| r.text(field) == typed;
    let exact = |r: &node::Record| r.id == typed || is("teacher_code")(r);
    match found.iter().any(exact) {
        true => found.retain(exact),
        false => found.retain(is("name")),
    }
    match found.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(Failure::new(format!(
            "没有叫“{typed}”的教师 / no teacher is called {typed:?}"
        ))),
        several => {
            let ids: Vec<&str> = several.iter().map(|r| r.id.as_str()).collect();
            Err(Failure::new(format!(
                "有 {} 位教师符合“{typed}”，请改用编号 / several fit, give one of these ids: {}",
                ids.len(),
                ids.join(" ")
            )))
        }
    }
}

fn verify(data: &Path, file: &Path, county: Option<&str>) -> Result<(), Failure> {
    let text = std::fs::read(file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let text = String::from_utf8_lossy(&text);
    let wanted = match county {
        Some(key) => Some(NodeId::parse(key).ok_or_else(|| {
            Failure::new("县公钥应是 52 个字母和数字 / a county key is 52 letters and digits")
        })?),
        None => None,
    };
    let node = match Node::open(data) {
        Ok(node) => Some(node).filter(|n| {
            n.county_root()
                .is_some_and(|root| wanted.is_none_or(|w| w == root))
        }),
        Err(Error::NotInitialised(_)) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(node) = node {
        let checked = office::check_statement(&node, &text).map_err(refused)?;
        show(&checked.verified.statement);
        println!("签名设备 device  {}", checked.verified.device_label);
        let ledger = match &checked.ledger {
            InLedger::Same => "有，内容相同 / there, the same".to_owned(),
            InLedger::Withdrawn(why) => format!("已撤回 / withdrawn: {why}"),
            InLedger::Differs => "编号相同而内容不同 / another content under this number".to_owned(),
            InLedger::Absent => "本机的台账里还没有 / not here (yet)".to_owned(),
            InLedger::NotRead => "本机不读那所学校的台账 / not read on this computer".to_owned(),
        };
        println!("台账 ledger      {ledger}");
        return match checked.good() {
            true => {
                println!("核验通过 / good");
                Ok(())
            }
            false => Err(Failure::new(
                "这份证明已不能使用 / the statement is not valid any more",
            )),
        };
    }
    let Some(county) = wanted else {
        let said = credential::county_of(&text)
            .map_err(Error::from)
            .map_err(refused)?;
        return Err(Failure::new(format!(
            "本机没有入网，请用 --county 写明县公钥（文件自称 {said}，须另行核对） / \
             give the county's key with --county; the file names {said}, which it cannot prove itself"
        )));
    };
    let verified = credential::verify(&text, &county, None)
        .map_err(Error::from)
        .map_err(refused)?;
    show(&verified.statement);
    println!("签名设备 device  {}", verified.device_label);
    println!(
        "核验通过 / good（设备后来是否撤销、证明是否撤回，本机不知道 / whether it was withdrawn since is not known here）"
    );
    Ok(())
}

fn refused(error: Error) -> Failure {
    Failure::new(format!("核验不通过 / refused: {} / {error}", error.zh()))
}

fn show(s: &CreditStatement) {
    let amount = |hundredths| records::show_hundredths(hundredths);
    println!("姓名 name        {} {}", s.holder.name, s.holder.teacher_code);
    println!("学校 school      {}", s.holder.school);
    println!("起止 period      {} – {}", s.period.from, s.period.until);
    println!("学时 hours       {}", amount(s.hours_c));
    println!("学分 credits     {}", amount(s.credits_c));
    println!("规则 rules       {} ({})", s.rules.title_zh, s.rules.reference);
    if let Some(complete) = s.rules.complete {
        println!("达标 complete    {}", if complete { "是 yes" } else { "否 no" });
    }
    println!("登记 lines       {}", s.lines.len());
    println!("签发 issued      {} {} {}", s.county, s.issued_on, s.issued_by);
    println!("编号 number      {}", s.id);
}
