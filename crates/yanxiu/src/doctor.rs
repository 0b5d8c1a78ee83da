//! `doctor`: why peers do not see each other. Ends with code 1 when something keeps records from travelling.

use std::path::Path;

use node::Node;
use node::doctor::{self, Both, Finding, Setting, Severity, Sure};

use crate::Failure;
use crate::args::Serve;
use crate::config::Config;
use crate::serve::runtime;

pub fn doctor(data: &Path, config: &Config, json: bool) -> Result<(), Failure> {
    let findings = examine(data, config)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            show(finding);
        }
    }
    match doctor::has_fault(&findings) {
        true => Err(Failure::new(
            "有需要处理的问题，见上 / there are faults, see above",
        )),
        false => Ok(()),
    }
}

fn examine(data: &Path, config: &Config) -> Result<Vec<Finding>, Failure> {
    let node = match Node::open(data) {
        Ok(node) => node,
        // What keeps the directory from being opened is a finding, unless there is nothing there.
        Err(node::Error::Store(error)) => return Ok(vec![doctor::unopened(&error.to_string())]),
        Err(error) => return Err(error.into()),
    };
    let network = config.network(&Serve::default())?;
    let serving = doctor::is_serving(data);
    let setting = match node.ran_last().filter(|_| serving) {
        Some(running) => Setting::of(running),
        None => Setting {
            listen: network.listen,
            serving,
            mdns: network.mdns,
            no_tcp: None,
        },
    };
    match runtime()?.block_on(doctor::examine(&node, &setting)) {
        Ok(seen) => Ok(doctor::judge(&seen)),
        // Pages that had to be read for the question itself.
        Err(node::Error::Store(error)) => Ok(vec![doctor::unopened(&error.to_string())]),
        Err(error) => Err(error.into()),
    }
}

fn show(finding: &Finding) {
    let severity = match finding.severity {
        Severity::Fault => "【故障 fault】",
        Severity::Warning => "【注意 warning】",
        Severity::Fine => "【正常 fine】",
    };
    let sure = match finding.sure {
        Sure::Certain => "确定 certain",
        Sure::Likely => "很可能 likely",
        Sure::Possible => "可能 possible",
    };
    println!("{severity} {} · {sure}", finding.code);
    let line = |what: &str, text: &Both| println!("  {what} {}\n             {}", text.zh, text.en);
    line("试了 tried ", &finding.tried);
    line("看到 saw   ", &finding.saw);
    line("怎么办 do  ", &finding.todo);
}
