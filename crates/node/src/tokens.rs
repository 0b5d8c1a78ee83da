//! Tokens (令牌) of the county's other systems, which read or bring data over the JSON API.
//!
//! ```text
//! token    "yxk_" id 16 hexadecimal digits "_" secret 64 hexadecimal digits (256 random bits)
//! ```
//! It is shown once. Kept is its SHA-256: there is nothing to guess in 256 random bits, so that no slow hash is needed.

use data_encoding::HEXLOWER;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use records::FieldError;
use records::date::parse_stored_date;
use records::kinds::find_personal;
use sha2::{Digest, Sha256};
use store::tokens as sql;
use subtle::ConstantTimeEq;

use crate::office::By;
use crate::{Error, Node};

/// What every token begins with, so that one that lies about is recognised.
const PREFIX: &str = "yxk_";

/// Longest time that a token is good for, in days.
pub const LONGEST_DAYS: i64 = 730;

/// Writing the last use on every request would cost a disk flush each.
const TOUCH_SECONDS: i64 = 60;

/// Longest name, in characters.
const LABEL_CHARS: usize = 60;

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Organisations, and until when the records of each school are here.
    ReadSchools,
    /// Names and facts of teachers.
    ReadPeople,
    /// Sessions, claims, decisions and totals.
    ReadCredits,
    /// Bringing class-hours earned outside the school.
    WriteOutsideHours,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 4] = [
        Scope::ReadSchools,
        Scope::ReadPeople,
        Scope::ReadCredits,
        Scope::WriteOutsideHours,
    ];

    /// The code in tables, forms and answers.
    pub const fn code(self) -> &'static str {
        match self {
            Scope::ReadSchools => "read:schools",
            Scope::ReadPeople => "read:people",
            Scope::ReadCredits => "read:credits",
            Scope::WriteOutsideHours => "write:outside_hours",
        }
    }

    /// The scope of a code.
    pub fn from_code(code: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.code() == code)
    }

    /// Chinese and English words for people.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Scope::ReadSchools => ("读学校和数据截止", "read schools and how far their data go"),
            Scope::ReadPeople => ("读教师姓名和岗位", "read names and posts of teachers"),
            Scope::ReadCredits => ("读活动、登分和学分", "read sessions, claims and credits"),
            Scope::WriteOutsideHours => ("送校外学时", "bring class-hours earned outside"),
        }
    }
}

/// A token as the county's page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// The system that has it.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Unix seconds.
    pub made_at: i64,
    /// The account that made it.
    pub made_by: String,
    /// From when on it is good no more, unix seconds.
    pub expires_at: i64,
    /// When it was used last, to a minute.
    pub used_at: Option<i64>,
    /// When and by whom it was taken back.
    pub revoked: Option<(i64, String)>,
}

impl Token {
    fn of(row: sql::TokenRow) -> Token {
        Token {
            scopes: row.scopes.split(' ').filter_map(Scope::from_code).collect(),
            id: row.id,
            label: row.label,
            made_at: row.made_at,
            made_by: row.made_by,
            expires_at: row.expires_at,
            used_at: row.used_at,
            revoked: row.revoked_at.map(|at| (at, row.revoked_by.unwrap_or_default())),
        }
    }

    /// Whether it is good at this moment.
    pub fn good(&self, now: i64) -> bool {
        self.revoked.is_none() && now < self.expires_at
    }
}

/// The answer to a token that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Good.
    Good(Token),
    /// No such token.
    Unknown,
    /// Its time is over, or it was taken back.
    Over(Token),
}

/// Makes a token that is good to the end of the day `until` (`YYYY-MM-DD`); `now` is unix seconds. Returns it with its
/// only copy of the secret.
pub fn make(
    node: &Node,
    by: &By,
    label: &str,
    scopes: &[Scope],
    until: &str,
    now: i64,
) -> Result<(Token, String), Error> {
    if !node.is_county() {
        return Err(Error::NotTheCounty);
    }
    let label = label.trim();
    let mut faults = Vec::new();
    if label.is_empty() || label.chars().count() > LABEL_CHARS || label.chars().any(char::is_control) {
        faults.push(fault(
            "label",
            "请写明给哪个系统用，最多60字",
            "Name the system that it is for, in 60 characters",
        ));
    } else if let Some(found) = find_personal(label) {
        faults.push(fault("label", found.zh(), found.en()));
    }
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        faults.push(fault("scopes", "请至少选一项", "Choose one at least"));
    }
    let expires_at = match parse_stored_date(until.trim()) {
        Ok(day) => match end_of(day).filter(|end| *end > now && *end <= now + (LONGEST_DAYS + 1) * 86_400) {
            Some(end) => end,
            None => {
                faults.push(fault(
                    "until",
                    "有效期应在今天以后、两年以内",
                    "It must end after today and within two years",
                ));
                0
            }
        },
        Err(error) => {
            faults.push(fault("until", &error.zh(), &error.to_string()));
            0
        }
    };
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let id = HEXLOWER.encode(&node.random::<8>()?);
    let secret = format!("{PREFIX}{id}_{}", HEXLOWER.encode(&node.random::<32>()?));
    let codes: Vec<&str> = scopes.iter().map(|scope| scope.code()).collect();
    let row = sql::TokenRow {
        hash: hash(&secret),
        label: label.to_owned(),
        scopes: codes.join(" "),
        made_at: now,
        made_by: by.account.clone(),
        expires_at,
        id,
        ..sql::TokenRow::default()
    };
    node.local(|conn| sql::add(conn, &row))?;
    Ok((Token::of(row), secret))
}

/// The first moment after a day, by this computer's calendar.
fn end_of(day: Date) -> Option<i64> {
    let next = day.checked_add(1.day()).ok()?;
    Some(next.to_zoned(TimeZone::system()).ok()?.timestamp().as_second())
}

/// All tokens, the newest first.
pub fn list(node: &Node) -> Result<Vec<Token>, Error> {
    Ok(node.read(sql::list)?.into_iter().map(Token::of).collect())
}

/// Takes a token back at once.
pub fn revoke(node: &Node, by: &By, id: &str, now: i64) -> Result<(), Error> {
    if node.local(|conn| sql::revoke(conn, id, now, &by.account))? {
        return Ok(());
    }
    Err(Error::Invalid(vec![fault(
        "id",
        "没有这个令牌，或者已经撤销",
        "There is no such token, or it was taken back before",
    )]))
}

/// What a token that was sent is good for at `now`. A good one's last use is noted.
pub fn check(node: &Node, sent: &str, now: i64) -> Result<Checked, Error> {
    let id = sent
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('_'))
        .map(|(id, _)| id);
    let row = match id {
        Some(id) => node.read(|conn| sql::get(conn, id))?,
        None => None,
    };
    let Some(row) = row.filter(|row| bool::from(row.hash.ct_eq(&hash(sent)))) else {
        return Ok(Checked::Unknown);
    };
    let token = Token::of(row);
    if !token.good(now) {
        return Ok(Checked::Over(token));
    }
    if token
        .used_at
        .is_none_or(|at| now.saturating_sub(at).saturating_abs() >= TOUCH_SECONDS)
    {
        node.local(|conn| sql::touch(conn, &token.id, now))?;
    }
    Ok(Checked::Good(token))
}

/// What a key of an import by this token was answered with: digest of the content, and the answer.
pub fn answered(node: &Node, token: &str, key: &str) -> Result<Option<(Vec<u8>, String)>, Error> {
    node.read(|conn| sql::answered(conn, token, key))
}

/// Notes what a key of an import was answered with; of two at one moment the first stays.
pub fn note_answer(
    node: &Node,
    token: &str,
    key: &str,
    digest: &[u8],
    answer: &str,
    now: i64,
) -> Result<(), Error> {
    node.local(|conn| sql::note_answer(conn, token, key, digest, answer, now))
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn fault(field: &str, zh: &str, en: &str) -> FieldError {
    FieldError {
        field: field.into(),
        zh: zh.into(),
        en: en.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-10 12:00 in UTC.
    const NOW: i64 = 1_768_046_400;

    fn by() -> By {
        By {
            account: "周审核员".into(),
        }
    }

    fn county() -> (tempfile::TempDir, Node) {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_county(&dir.path().join("hub"), "云溪县").unwrap();
        (dir, node)
    }

    #[test]
    fn a_token_is_good_until_its_last_day_or_until_it_is_taken_back() {
        let (_dir, node) = county();
        let scopes = [Scope::ReadCredits, Scope::ReadSchools, Scope::ReadCredits];
        let (token, secret) = make(&node, &by(), "人事系统", &scopes, "2026-02-10", NOW).unwrap();
        assert_eq!(token.scopes, [Scope::ReadSchools, Scope::ReadCredits]);
        let Checked::Good(read) = check(&node, &secret, NOW).unwrap() else {
            panic!("a new token is refused");
        };
        assert_eq!(read, token);
        assert_eq!(list(&node).unwrap()[0].used_at, Some(NOW));
        // Not written again within the minute.
        check(&node, &secret, NOW + 59).unwrap();
        assert_eq!(list(&node).unwrap()[0].used_at, Some(NOW));
        let last = token.expires_at;
        assert!(matches!(
            check(&node, &secret, last - 1).unwrap(),
            Checked::Good(_)
        ));
        assert!(matches!(check(&node, &secret, last).unwrap(), Checked::Over(_)));
        revoke(&node, &by(), &token.id, NOW).unwrap();
        assert!(matches!(check(&node, &secret, NOW).unwrap(), Checked::Over(_)));
        assert!(revoke(&node, &by(), &token.id, NOW).is_err());
        assert!(revoke(&node, &by(), "没有", NOW).is_err());
    }

    #[test]
    fn the_database_holds_no_token_and_no_other_text_is_one() {
        let (_dir, node) = county();
        let (token, secret) =
            make(&node, &by(), "人事系统", &[Scope::ReadPeople], "2026-02-10", NOW).unwrap();
        let kept = node.read(|conn| sql::get(conn, &token.id)).unwrap().unwrap();
        assert!(
            !secret
                .as_bytes()
                .windows(32)
                .any(|part| part == kept.hash.as_slice())
        );
        let mut wrong = secret.clone();
        wrong.replace_range(secret.len() - 1.., if secret.ends_with('0') { "1" } else { "0" });
        let id = format!("yxk_{}_", token.id);
        for sent in [
            "",
            "yxk_",
            &id,
            &wrong,
            &secret[1..],
            &format!("{secret} "),
            "令牌",
        ] {
            assert_eq!(check(&node, sent, NOW).unwrap(), Checked::Unknown, "{sent}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_new_token_is_said_beside_its_field() {
        let (_dir, node) = county();
        let long = "系".repeat(61);
        let faults = |label: &str, scopes: &[Scope], until: &str| match make(
            &node,
            &by(),
            label,
            scopes,
            until,
            NOW,
        ) {
            Err(Error::Invalid(list)) => list.into_iter().map(|f| f.field).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(faults("", &[], "昨天"), ["label", "scopes", "until"]);
        assert_eq!(
            faults(&long, &[Scope::ReadPeople], "2026-01-01"),
            ["label", "until"]
        );
        assert_eq!(
            faults("人事系统 11010519491231002X", &[Scope::ReadPeople], "2029-01-01"),
            ["label", "until"]
        );
        let school = Node::init_member(&node.dir().join("学校"), "石桥小学").unwrap();
        let made = make(
            &school,
            &by(),
            "人事系统",
            &[Scope::ReadPeople],
            "2026-02-10",
            NOW,
        );
        assert!(matches!(made, Err(Error::NotTheCounty)));
    }
}
