//! Who may use this node's pages: local accounts with a PIN or password, their sign-ins, and the
//! access log (design.md §4, "People").
//!
//! Accounts belong to one node and never travel. The first one is made through a one-time setup
//! link that the program prints at start. Times are unix seconds brought by the caller; since an
//! office PC's clock may jump, nothing here trusts it for more than its own node's convenience.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use data_encoding::HEXLOWER;
use records::FieldError;
use records::kinds::find_personal;
use records::text::half_width;
use sha2::{Digest, Sha256};
use store::accounts as sql;
pub use store::accounts::{AccessFilter, AccessRow};

use crate::{Error, Node, directory};

/// Failed sign-ins in a row after which an account is locked.
pub const MAX_FAILURES: i64 = 5;
/// How long a locked account stays locked, in seconds.
pub const LOCK_SECONDS: i64 = 15 * 60;
/// How long a page session lives without a request, in seconds.
pub const IDLE_SECONDS: i64 = 12 * 3600;
/// The access log keeps every line for at least six months (网络安全法 第二十一条): 190 days.
pub const LOG_SECONDS: i64 = 190 * 86_400;
/// The access log keeps at least this many lines whatever the clock says.
pub const LOG_LINES: u32 = 100_000;

/// Writing `seen_at` on every request would cost a disk flush each; once a minute is enough.
const TOUCH_SECONDS: i64 = 60;
/// Longest name and secret, in characters.
const MAX_CHARS: usize = 64;
/// Argon2id memory in KiB and passes: OWASP's smallest advice, about 50 ms on an old office PC.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hash of a secret that nobody has, checked for unknown names so that they take as long as
/// known ones. Same parameters as [`hasher`]; a test holds that.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// One hash at a time in the whole process: each takes 19 MiB, and many sign-ins at once must not
/// push an old PC into swapping.
static HASHING: Mutex<()> = Mutex::new(());

/// What an account's owner does on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// 师训专管员: keeps roster, sessions and claims.
    Clerk,
    /// 县级学分审核员: decides on claims.
    Auditor,
    /// 系统管理员: accounts, devices, backup.
    Admin,
    /// 教师: sees the own card.
    Teacher,
    /// 校长/分管领导: sees everything of the school.
    Leader,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [
        Role::Clerk,
        Role::Auditor,
        Role::Admin,
        Role::Teacher,
        Role::Leader,
    ];

    /// The code kept in the database and sent by forms.
    pub fn code(self) -> &'static str {
        match self {
            Role::Clerk => "clerk",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
            Role::Teacher => "teacher",
            Role::Leader => "leader",
        }
    }

    /// The role with this code.
    pub fn from_code(code: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// One account, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// UUID text.
    pub id: String,
    /// The name typed at sign-in and written into records as `_by`.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Record id of the teacher whose account this is.
    pub person: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds until which sign-in is refused.
    pub locked_until: Option<i64>,
    /// Whether it may sign in.
    pub active: bool,
}

impl Account {
    /// `None` for a role written by a newer program: such an account cannot be used here.
    fn from_row(row: sql::AccountRow) -> Option<Account> {
        Some(Account {
            role: Role::from_code(&row.role)?,
            id: row.id,
            name: row.name,
            person: row.person,
            created_at: row.created_at,
            locked_until: (row.locked_until > 0).then_some(row.locked_until),
            active: row.active,
        })
    }
}

/// What is needed for a new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// 1–64 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// A PIN of at least 6 digits, or at least 8 characters.
    pub secret: String,
    /// Record id of the teacher whose account this is.
    pub person: Option<String>,
}

/// A signed-in account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose session it is.
    pub account: Account,
    /// Token that every form of this session must carry.
    pub csrf: String,
}

/// The answer to a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Signed in; `token` goes into the cookie and is kept nowhere else.
    In {
        /// 32 hexadecimal digits.
        token: String,
        /// The session it opens.
        session: Session,
    },
    /// Unknown name or wrong secret: the page says the same for both.
    Wrong,
    /// Too many failures.
    Locked {
        /// Seconds until the next attempt is allowed.
        seconds: i64,
    },
}

/// Whether any account exists; without one the program prints a setup link.
pub fn any(node: &Node) -> Result<bool, Error> {
    Ok(node.read(sql::account_count)? > 0)
}

/// All accounts, by name.
pub fn list(node: &Node) -> Result<Vec<Account>, Error> {
    Ok(node
        .read(sql::accounts)?
        .into_iter()
        .filter_map(Account::from_row)
        .collect())
}

/// Makes a new one-time setup token (32 hexadecimal digits) and voids the one before it.
pub fn new_setup_token(node: &Node, now: i64) -> Result<String, Error> {
    let token = random_token()?;
    node.local(|conn| sql::replace_setup_link(conn, &hash_token(&token), now))?;
    Ok(token)
}

/// Whether `token` is the present setup token and unused.
pub fn setup_open(node: &Node, token: &str) -> Result<bool, Error> {
    node.read(|conn| sql::setup_link_open(conn, &hash_token(token)))
}

/// Makes an account with a setup token and uses the token up. An invalid form leaves it unused.
pub fn setup(node: &Node, token: &str, new: NewAccount, now: i64) -> Result<Account, Error> {
    let row = new_row(node, new, now)?;
    let hash = hash_token(token);
    if !node.local(|conn| sql::use_setup_link(conn, &hash, now))? {
        return Err(invalid(
            "token",
            "设置链接无效或已用过，请在本机重新生成",
            "This setup link is wrong or used; make a new one on this computer",
        ));
    }
    let made = add(node, row);
    if made.is_err() {
        node.local(|conn| sql::reopen_setup_link(conn, &hash))?;
    }
    made
}

/// Makes an account (an administrator's act; the caller has checked that).
pub fn create(node: &Node, new: NewAccount, now: i64) -> Result<Account, Error> {
    let row = new_row(node, new, now)?;
    add(node, row)
}

/// Signs in. Every outcome goes to the access log with `remote`, the browser's address.
pub fn login(node: &Node, name: &str, secret: &str, remote: &str, now: i64) -> Result<Login, Error> {
    let name = plain(name);
    let (outcome, account) = match attempt(node, &name, secret, now)? {
        Checked::Good(row) => {
            let (token, csrf) = (random_token()?, random_token()?);
            node.local(|conn| {
                sql::prune_web_sessions(conn, now, IDLE_SECONDS)?;
                sql::insert_web_session(conn, &hash_token(&token), &row.id, &csrf, now)
            })?;
            let id = row.id.clone();
            match Account::from_row(row) {
                Some(account) => (
                    Login::In {
                        token,
                        session: Session { account, csrf },
                    },
                    id,
                ),
                None => (Login::Wrong, id),
            }
        }
        Checked::Wrong => (Login::Wrong, String::new()),
        Checked::Locked { seconds } => (Login::Locked { seconds }, String::new()),
    };
    let act = match outcome {
        Login::In { .. } => "login",
        Login::Wrong => "login_failed",
        Login::Locked { .. } => "login_locked",
    };
    let line = AccessRow {
        at: now,
        account,
        name: name.chars().take(MAX_CHARS).collect(),
        act: act.into(),
        object: String::new(),
        remote: remote.into(),
    };
    log(node, line)?;
    if matches!(outcome, Login::In { .. }) {
        prune_access_log(node, now)?;
    }
    Ok(outcome)
}

/// Proves that the person at this page holds another account (a signature on a device at which somebody else is
/// signed in); opens no session. A wrong PIN is a fault beside `secret` and counts towards the lock-out. The access
/// log says who signed `object`, or failed to.
pub fn prove(
    node: &Node,
    name: &str,
    secret: &str,
    object: &str,
    remote: &str,
    now: i64,
) -> Result<Account, Error> {
    let name = plain(name);
    let (proved, act, id) = match attempt(node, &name, secret, now)? {
        Checked::Good(row) => {
            let id = row.id.clone();
            (Account::from_row(row).ok_or_else(|| wrong("secret")), "sign", id)
        }
        Checked::Wrong => (Err(wrong("secret")), "sign_failed", String::new()),
        Checked::Locked { seconds } => (Err(locked("secret", seconds)), "sign_locked", String::new()),
    };
    let line = AccessRow {
        at: now,
        account: id,
        name: name.chars().take(MAX_CHARS).collect(),
        act: act.into(),
        object: object.into(),
        remote: remote.into(),
    };
    log(node, line)?;
    proved
}

fn wrong(field: &str) -> Error {
    invalid(
        field,
        "账号或 PIN（密码）不对",
        "The account or its PIN (password) is wrong",
    )
}

fn locked(field: &str, seconds: i64) -> Error {
    let minutes = (seconds + 59) / 60;
    Error::Invalid(vec![FieldError {
        field: field.into(),
        zh: format!("错误次数过多，请 {minutes} 分钟后再试"),
        en: format!("Too many failures; try again in {minutes} min"),
    }])
}

/// The session of a cookie's token, if it is alive at `now`.
pub fn session(node: &Node, token: &str, now: i64) -> Result<Option<Session>, Error> {
    let hash = hash_token(token);
    let Some(row) = node.read(|conn| sql::web_session(conn, &hash))? else {
        return Ok(None);
    };
    let idle = now.saturating_sub(row.seen_at).saturating_abs();
    if idle > IDLE_SECONDS {
        node.local(|conn| sql::delete_web_session(conn, &hash))?;
        return Ok(None);
    }
    if idle >= TOUCH_SECONDS {
        node.local(|conn| sql::touch_web_session(conn, &hash, now))?;
    }
    Ok(Account::from_row(row.account).map(|account| Session {
        account,
        csrf: row.csrf,
    }))
}

/// The program has started. A clock that begins at the same wrong date after each start tells of no time that
/// has passed: such a computer's sessions end here, or they would never.
pub fn started(node: &Node) -> Result<(), Error> {
    match node.clock_is_plausible() {
        true => Ok(()),
        false => node.local(sql::delete_all_web_sessions),
    }
}

/// Ends the session of a cookie's token.
pub fn logout(node: &Node, token: &str) -> Result<(), Error> {
    node.local(|conn| sql::delete_web_session(conn, &hash_token(token)))
}

/// Changes an account's own PIN or password and ends its other sessions; `token` is the session
/// that asks. A wrong `old` counts towards the lock-out like a wrong sign-in.
pub fn change_secret(
    node: &Node,
    account: &str,
    token: &str,
    old: &str,
    new: &str,
    now: i64,
) -> Result<(), Error> {
    let secret = hash_secret(&checked_secret("new", new)?)?;
    own(node, account, "old", old, now)?;
    node.local(|conn| {
        sql::set_secret(conn, account, &secret)?;
        sql::delete_web_sessions_of(conn, account, Some(&hash_token(token)))
    })
}

/// The account whose own PIN or password was typed in `field`. A wrong one counts towards the lock-out.
fn own(node: &Node, account: &str, field: &str, typed: &str, now: i64) -> Result<sql::AccountRow, Error> {
    let Some(row) = node.read(|conn| sql::account(conn, account))? else {
        return Err(no_account());
    };
    match attempt(node, &row.name, typed, now)? {
        Checked::Good(row) => Ok(row),
        Checked::Wrong => Err(invalid(field, "PIN 或密码不对", "The PIN or password is wrong")),
        Checked::Locked { seconds } => Err(locked(field, seconds)),
    }
}

/// Sets another's PIN or password (an administrator's act), unlocks the account and ends its
/// sessions.
pub fn reset_secret(node: &Node, account: &str, new: &str) -> Result<(), Error> {
    let secret = hash_secret(&checked_secret("new", new)?)?;
    let known = node.local(|conn| {
        sql::clear_failures(conn, account)?;
        sql::delete_web_sessions_of(conn, account, None)?;
        sql::set_secret(conn, account, &secret)
    })?;
    if known { Ok(()) } else { Err(no_account()) }
}

/// Lets an account sign in, or stops it at once.
pub fn set_active(node: &Node, account: &str, active: bool) -> Result<(), Error> {
    let known = node.local(|conn| {
        if !active {
            sql::delete_web_sessions_of(conn, account, None)?;
        }
        sql::set_active(conn, account, active)
    })?;
    if known { Ok(()) } else { Err(no_account()) }
}

/// Adds a line to the access log.
pub fn log(node: &Node, line: AccessRow) -> Result<(), Error> {
    node.local(|conn| sql::insert_access(conn, &line))
}

/// The last `limit` lines of the access log, newest first.
pub fn access_log(node: &Node, limit: u32) -> Result<Vec<AccessRow>, Error> {
    node.read(|conn| sql::access_log(conn, limit))
}

/// Lines of the access log that fit, newest first, each with its place: what is older is asked for with the last one.
pub fn access_lines(node: &Node, filter: &AccessFilter, limit: u32) -> Result<Vec<(i64, AccessRow)>, Error> {
    node.read(|conn| sql::access_lines(conn, filter, limit))
}

/// Removes lines of the access log that are past both [`LOG_SECONDS`] and [`LOG_LINES`].
pub fn prune_access_log(node: &Node, now: i64) -> Result<usize, Error> {
    let before = now.saturating_sub(LOG_SECONDS);
    node.local(|conn| sql::prune_access_log(conn, before, LOG_LINES))
}

/// Outcome of checking a name and secret against the lock-out.
enum Checked {
    Good(sql::AccountRow),
    Wrong,
    Locked { seconds: i64 },
}

fn attempt(node: &Node, name: &str, secret: &str, now: i64) -> Result<Checked, Error> {
    let begun = node.local(|conn| sql::begin_attempt(conn, name, now, MAX_FAILURES, LOCK_SECONDS))?;
    Ok(match begun {
        sql::Attempt::Unknown => {
            verify(secret, NOBODY);
            Checked::Wrong
        }
        sql::Attempt::Locked(until) => Checked::Locked {
            seconds: until.saturating_sub(now),
        },
        sql::Attempt::Open(row) => {
            if verify(secret, &row.secret) {
                node.local(|conn| sql::clear_failures(conn, &row.id))?;
                Checked::Good(sql::AccountRow {
                    failures: 0,
                    locked_until: 0,
                    ..row
                })
            } else {
                Checked::Wrong
            }
        }
    })
}

/// Checks the form and hashes the secret.
fn new_row(node: &Node, new: NewAccount, now: i64) -> Result<sql::AccountRow, Error> {
    let name = plain(&new.name);
    if name.is_empty() || name.chars().count() > MAX_CHARS || name.chars().any(char::is_control) {
        return Err(invalid(
            "name",
            "请填姓名或称呼，最多64字",
            "Give a name of 1 to 64 characters",
        ));
    }
    // The name is written into records as `_by`, where such a number must never stand.
    if let Some(found) = find_personal(&name) {
        return Err(invalid("name", found.zh(), found.en()));
    }
    let secret = checked_secret("secret", &new.secret)?;
    Ok(sql::AccountRow {
        id: node.new_id(),
        name,
        role: new.role.code().into(),
        secret: hash_secret(&secret)?,
        person: new.person,
        created_at: now,
        failures: 0,
        locked_until: 0,
        active: true,
    })
}

fn add(node: &Node, row: sql::AccountRow) -> Result<Account, Error> {
    if !node.local(|conn| sql::insert_account(conn, &row))? {
        return Err(invalid(
            "name",
            "这个名称已有账号",
            "There is already an account of this name",
        ));
    }
    Account::from_row(row).ok_or_else(no_account)
}

/// A name or secret as compared: trimmed, and with the full-width letters and digits that a
/// Chinese input method types turned into plain ones.
fn plain(text: &str) -> String {
    half_width(text).trim().to_owned()
}

fn checked_secret(field: &str, secret: &str) -> Result<String, Error> {
    let secret = plain(secret);
    let length = secret.chars().count();
    let digits = secret.chars().all(|c| c.is_ascii_digit());
    let least = if digits { 6 } else { 8 };
    if (least..=MAX_CHARS).contains(&length) {
        return Ok(secret);
    }
    Err(invalid(
        field,
        "PIN 至少6位数字，密码至少8个字符，最多64个",
        "A PIN needs at least 6 digits, a password at least 8 characters, at most 64",
    ))
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| Error::Hashing)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_secret(secret: &str) -> Result<String, Error> {
    let _one = HASHING.lock().unwrap_or_else(PoisonError::into_inner);
    let hash: PasswordHash = hasher()?
        .hash_password(secret.as_bytes())
        .map_err(|_| Error::Hashing)?;
    Ok(hash.to_string())
}

/// Whether `secret` as typed belongs to the PHC string `stored`.
fn verify(secret: &str, stored: &str) -> bool {
    let _one = HASHING.lock().unwrap_or_else(PoisonError::into_inner);
    let (Ok(argon2), Ok(stored)) = (hasher(), PasswordHash::new(stored)) else {
        return false;
    };
    argon2.verify_password(plain(secret).as_bytes(), &stored).is_ok()
}

/// 16 random bytes in hexadecimal.
fn random_token() -> Result<String, Error> {
    Ok(HEXLOWER.encode(&directory::random::<16>()?))
}

/// Tokens have 128 random bits, so a plain SHA-256 keeps a stolen database from naming them.
fn hash_token(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn invalid(field: &str, zh: &str, en: &str) -> Error {
    Error::Invalid(vec![FieldError {
        field: field.into(),
        zh: zh.into(),
        en: en.into(),
    }])
}

/// The same faults, said of the field of this name on the page.
fn said_of(error: Error, field: &str, page: &str) -> Error {
    match error {
        Error::Invalid(mut faults) => {
            for fault in faults.iter_mut().filter(|fault| fault.field == field) {
                fault.field = page.into();
            }
            Error::Invalid(faults)
        }
        other => other,
    }
}

fn no_account() -> Error {
    invalid("account", "没有这个账号", "There is no such account")
}

pub mod recovery;
#[cfg(test)]
mod tests;
