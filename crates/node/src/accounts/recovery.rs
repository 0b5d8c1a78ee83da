//! A forgotten PIN, and a clerk's handover, without a network.
//!
//! A sheet of codes is printed at set-up and kept on paper, one strip by the head of the school and one by the
//! county, never with the computer: the disk holds hashes alone, so whoever steals it has no code. A leader may
//! also give a code for one account. Each code is used once. The person types a new PIN, which nobody else learns.
//!
//! In a handover the old account is closed and a new one opened under the new person's name. The old name stays
//! taken, so what stands under it in records and in the access log stays that person's.

use records::text::half_width;
use store::recovery as rows;
pub use store::recovery::{HandoverRow, Sheet};

use super::*;

/// Codes on a sheet.
pub const CODES: usize = 4;
/// How long a code that a leader gave is good, in seconds.
pub const GIVEN_SECONDS: i64 = 24 * 3600;

/// Digits of a code: 79 bits, which nobody finds from their hash.
const DIGITS: usize = 24;

/// What somebody with a code wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Name of the account that is locked out or handed over.
    pub name: String,
    /// The code as typed: blanks, hyphens and full-width digits do no harm.
    pub code: String,
    /// The new person's name in a handover; `None`: the same person sets a new PIN.
    pub successor: Option<String>,
    /// The new PIN or password.
    pub secret: String,
}

/// Makes a new sheet of codes and voids the one before. `secret` is the PIN of the account that asks: whoever
/// finds a browser signed in must not walk away with a sheet.
pub fn new_sheet(node: &Node, account: &str, secret: &str, now: i64) -> Result<Vec<String>, Error> {
    let row = own(node, account, "secret", secret, now)?;
    let codes: Vec<String> = (0..CODES).map(|_| random_code()).collect::<Result<_, _>>()?;
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash_token(code)).collect();
    node.local(|conn| rows::replace_sheet(conn, &hashes, &row.name, now))?;
    Ok(codes.iter().map(|code| grouped(code)).collect())
}

/// Gives a code for one account, good for [`GIVEN_SECONDS`]; `by` is the account that gives it.
pub fn give_code(node: &Node, account: &str, by: &str, now: i64) -> Result<String, Error> {
    let known = node.read(|conn| sql::account(conn, account))?;
    if known.is_none_or(|row| !row.active) {
        return Err(no_account());
    }
    let code = random_code()?;
    node.local(|conn| rows::replace_code_of(conn, account, &hash_token(&code), by, now))?;
    Ok(grouped(&code))
}

/// How many codes on paper are left.
pub fn sheet(node: &Node) -> Result<Sheet, Error> {
    node.read(rows::sheet)
}

/// Whose work went over to whom, the newest first.
pub fn handovers(node: &Node) -> Result<Vec<HandoverRow>, Error> {
    node.read(rows::handovers)
}

/// What the database said to a code.
enum Said {
    Done,
    Wrong,
    Taken,
    Locked(i64),
}

/// Uses a code: a new PIN for an account, or its handover. Every outcome goes to the access log. Wrong codes
/// lock for everybody; a form with another fault uses up nothing.
pub fn recover(node: &Node, asked: Recovery, remote: &str, now: i64) -> Result<(), Error> {
    let name = plain(&asked.name);
    let hash = hash_token(&digits(&asked.code));
    let secret = checked_secret("secret", &asked.secret)?;
    let successor = match asked.successor {
        Some(new) => Some(
            new_row(
                node,
                NewAccount {
                    name: new,
                    role: Role::Clerk,
                    secret,
                    person: None,
                },
                now,
            )
            .map_err(|error| said_of(error, "name", "successor"))?,
        ),
        None => None,
    };
    let secret = match &successor {
        Some(row) => row.secret.clone(),
        None => hash_secret(&plain(&asked.secret))?,
    };
    let said = node.local(|conn| {
        if let Some(until) = rows::begin_try(conn, now, MAX_FAILURES, LOCK_SECONDS)? {
            return Ok(Said::Locked(until));
        }
        // A teacher's account is that teacher's; it has no successor.
        let account = sql::account_named(conn, &name)?.filter(|row| {
            row.active && (successor.is_none() || Role::from_code(&row.role) != Some(Role::Teacher))
        });
        let Some(account) = account else {
            return Ok(Said::Wrong);
        };
        if rows::good_for(conn, &hash, &account.id, now, GIVEN_SECONDS)?.is_none() {
            return Ok(Said::Wrong);
        }
        rows::forget_tries(conn)?;
        match &successor {
            Some(new) => {
                let new = sql::AccountRow {
                    role: account.role.clone(),
                    ..new.clone()
                };
                if !sql::insert_account(conn, &new)? {
                    return Ok(Said::Taken);
                }
                sql::set_active(conn, &account.id, false)?;
                rows::insert_handover(
                    conn,
                    &rows::HandoverRow {
                        old: account.name,
                        new: new.name,
                        role: account.role,
                        at: now,
                    },
                )?;
            }
            None => {
                sql::set_secret(conn, &account.id, &secret)?;
                sql::clear_failures(conn, &account.id)?;
            }
        }
        sql::delete_web_sessions_of(conn, &account.id, None)?;
        rows::use_up(conn, &hash, now)?;
        Ok(Said::Done)
    })?;
    let act = match (&said, &successor) {
        (Said::Done, None) => "recover",
        (Said::Done, Some(_)) => "handover",
        (Said::Locked(_), _) => "recover_locked",
        (Said::Wrong | Said::Taken, _) => "recover_failed",
    };
    let line = AccessRow {
        at: now,
        account: String::new(),
        name: name.chars().take(MAX_CHARS).collect(),
        act: act.into(),
        object: successor.map_or_else(String::new, |new| format!("→ {}", new.name)),
        remote: remote.into(),
    };
    log(node, line)?;
    match said {
        Said::Done => Ok(()),
        Said::Wrong => Err(invalid(
            "code",
            "姓名或恢复码不对，或者这个码已经用过、过期",
            "The name or the code is wrong, or the code was used or is too old",
        )),
        Said::Taken => Err(invalid(
            "successor",
            "这个名称已有账号；同名的请加区别，如“李老师（二）”",
            "There is already an account of this name; add something that tells them apart",
        )),
        Said::Locked(until) => {
            let minutes = (until.saturating_sub(now) + 59) / 60;
            Err(invalid(
                "code",
                &format!("输错次数太多，请 {minutes} 分钟后再试"),
                &format!("Too many wrong codes; try again in {minutes} min"),
            ))
        }
    }
}

/// The digits of a code as typed.
fn digits(typed: &str) -> String {
    half_width(typed).chars().filter(char::is_ascii_digit).collect()
}

fn grouped(code: &str) -> String {
    let groups: Vec<&str> = (0..DIGITS)
        .step_by(4)
        .filter_map(|at| code.get(at..at + 4))
        .collect();
    groups.join("-")
}

fn random_code() -> Result<String, Error> {
    // The remainder of 128 random bits by 10^24 is even to one part in 10^14.
    let number = u128::from_le_bytes(directory::random::<16>()?) % 10_u128.pow(DIGITS as u32);
    Ok(format!("{number:0width$}", width = DIGITS))
}

#[cfg(test)]
mod tests;
