//! `token`: which other systems may call the JSON API.

use std::path::Path;

use node::accounts::{self, AccessRow};
use node::office::By;
use node::tokens::{self, Scope};
use node::{Node, now};

use crate::Failure;
use crate::args::TokenCommand;

/// Who the access log names when nobody is signed in.
const HERE: &str = "命令行";

pub fn token(data: &Path, command: TokenCommand) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let by = By { account: HERE.into() };
    let log = |act: &str, object: String| {
        let line = AccessRow {
            at: now(),
            name: HERE.into(),
            act: act.into(),
            object,
            ..AccessRow::default()
        };
        accounts::log(&node, line)
    };
    match command {
        TokenCommand::Make { label, scope, until } => {
            let read = |code: &String| {
                Scope::from_code(code).ok_or_else(|| {
                    let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.code()).collect();
                    Failure::new(format!("没有权限 {code} / no scope {code}: {}", all.join(" ")))
                })
            };
            let scopes = scope.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let (token, secret) = tokens::make(&node, &by, &label, &scopes, &until, now())?;
            log("token", format!("{} {}", token.id, token.label))?;
            // The secret alone on standard output, so that a script can take it.
            eprintln!("令牌只显示这一次 / shown this one time; 编号 id {}", token.id);
            println!("{secret}");
        }
        TokenCommand::List => {
            for token in tokens::list(&node)? {
                let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.code()).collect();
                let state = match (&token.revoked, token.good(now())) {
                    (Some(_), _) => "已撤销 revoked",
                    (None, false) => "已过期 expired",
                    (None, true) => "有效 good",
                };
                println!("{} {} {} {state}", token.id, token.label, scopes.join(","));
            }
        }
        TokenCommand::Revoke { id } => {
            tokens::revoke(&node, &by, &id, now())?;
            log("token revoke", id.clone())?;
            println!("已撤销 / revoked: {id}");
        }
    }
    Ok(())
}
