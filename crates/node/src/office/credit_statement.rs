//! 学分证明: the county gives out what it has recognised for a person as a signed file ([`crate::credential`]), and keeps
//! in the ledger that it did. A school gives out none: the one who earns does not certify (domain.md §2.3, C41).

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use records::date::parse_stored_date;
use records::rules::Reason;
use records::{Date, SchoolYear};

use super::audit::own_person;
use super::bulletins::heads;
use super::card::{CardView, credit_card};
use super::claims::{ClaimRow, ClaimState, GIVING};
use super::draft::{Draft, year_of};
use super::lookup::{is_of_school, record_of};
use super::opening::OpeningRow;
use super::organisations::organisation_names;
use super::{By, invalid, no_such, turn};
use crate::credential::{
    self, Covered, CredentialError, CreditStatement, Holder, Line, Requirement, Rules, Verified,
};
use crate::{Error, Filter, Node, Record};

const KIND: &str = "credit_statement";

/// What begins the text in the QR picture of a printed statement: `YXC1:` id `:` digest.
const CODE: &str = "YXC1:";

/// What a form says about a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementInput {
    /// Record id of the person.
    pub person: String,
    /// First day, `YYYY-MM-DD`; empty with `until` = the whole cycle of the card.
    pub from: String,
    /// Last day.
    pub until: String,
    /// What it is for.
    pub purpose: String,
    /// 签发日期, `YYYY-MM-DD`.
    pub issued_on: String,
}

/// A statement that the ledger names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedStatement {
    /// 编号: record id.
    pub id: String,
    /// Record id of the person.
    pub person: String,
    /// First day.
    pub from: String,
    /// Last day.
    pub until: String,
    /// Class-hours, in hundredths.
    pub hours_c: i64,
    /// Credits, in hundredths.
    pub credits_c: i64,
    /// What it is for.
    pub purpose: String,
    /// 签发日期.
    pub issued_on: String,
    /// The account that issued it.
    pub by: String,
    /// Digest of the file.
    pub digest: String,
    /// Why it was withdrawn; `None` = it stands.
    pub withdrawn: Option<String>,
    /// Whether the file is on this computer.
    pub here: bool,
}

/// What the ledger on this computer says of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InLedger {
    /// The same.
    Same,
    /// The county has withdrawn it, for this reason.
    Withdrawn(String),
    /// Another content under this number.
    Differs,
    /// It is not there: not arrived yet, or beyond the cut of a revoked device.
    Absent,
    /// This computer does not read the ledger of that school.
    NotRead,
}

/// A statement whose file was checked, with what the ledger here says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedStatement {
    /// What the file proves.
    pub verified: Verified,
    /// What the ledger says of it.
    pub ledger: InLedger,
}

impl CheckedStatement {
    /// Whether it may be relied on.
    pub fn good(&self) -> bool {
        !matches!(self.ledger, InLedger::Withdrawn(_) | InLedger::Differs)
    }
}

/// Issues a statement of a person's credit: signs the file, keeps it here, and writes into the ledger of the person's
/// present school that it was given out. Returns the file.
pub fn issue_statement(node: &Node, by: &By, input: &StatementInput) -> Result<(String, String), Error> {
    let _turn = turn();
    if !node.is_auditor() {
        return Err(invalid(
            "person",
            "学分证明由县级学分审核员签发；本校可以打印学分卡（未经县里签发）",
            "The county's auditors issue credit statements; a school prints the card, which nobody has signed",
        ));
    }
    let view = credit_card(node, &input.person)?.ok_or_else(|| no_such("person", "人员", "person"))?;
    let school = view.teacher.school.clone();
    let own = own_person(node, by)?;
    let is_own = |id: &str| own.as_deref() == Some(id);
    if node.home_school() == Some(school.clone())
        || is_own(&view.teacher.id)
        || view.elsewhere.iter().any(|(_, id)| is_own(id))
    {
        return Err(invalid(
            "person",
            "不能给本校或本人签发学分证明，请由另一位审核员签发",
            "Nobody certifies credit of the own school or the own person; let another auditor do it",
        ));
    }
    let ledger = format!("ledger/{school}/{}", year_of("issued_on", &input.issued_on)?);
    let id = node.new_id();
    let statement = content(node, by, input, &view, &id)?;
    let draft = |digest: &str| {
        Draft::new(KIND)
            .text("person", &statement.holder.id)
            .text("from", &statement.period.from)
            .text("until", &statement.period.until)
            .text("rule_ref", &statement.rules.reference)
            .int("hours_c", Some(statement.hours_c))
            .int("credits_c", Some(statement.credits_c))
            .text("purpose", &input.purpose)
            .text("issued_on", &input.issued_on)
            .text("digest", digest)
            .text("state", "issued")
    };
    let file = credential::sign(&statement, &node.0.key, &node.roll());
    let edit = draft(&credential::digest(&file)).create(node, id.clone(), by)?;
    // First the file: what the ledger names can be handed out.
    node.local(|conn| store::credentials::put(conn, &id, &file))?;
    node.commit(&ledger, vec![edit])?;
    Ok((id, file))
}

fn content(
    node: &Node,
    by: &By,
    input: &StatementInput,
    view: &CardView,
    id: &str,
) -> Result<CreditStatement, Error> {
    let (card, teacher) = (&view.card, &view.teacher);
    let (first, last, cycle) = days(input, view)?;
    let (first, last) = (first.to_string(), last.to_string());
    let within = |day: &str| first.as_str() <= day && day <= last.as_str();
    let claims = view.lines.iter().filter(|row| within(&row.date));
    let mut lines: Vec<Line> = claims.filter_map(|row| line(view, row)).collect();
    lines.extend(
        view.opening
            .iter()
            .filter_map(|row| opening(view, row))
            .filter(|line| within(&line.date)),
    );
    lines.sort_by(|a, b| (&a.date, &a.id).cmp(&(&b.date, &b.id)));
    let counting = || lines.iter().filter(|line| line.why_not.is_empty());
    let schools = organisation_names(node)?;
    let requirements = card
        .requirements
        .iter()
        .filter(|outcome| cycle && !outcome.waived);
    Ok(CreditStatement {
        version: credential::VERSION,
        id: id.to_owned(),
        county: node.county_name().unwrap_or_default(),
        issued_on: input.issued_on.trim().to_owned(),
        issued_by: by.account.clone(),
        purpose: input.purpose.trim().to_owned(),
        holder: Holder {
            id: teacher.id.clone(),
            name: teacher.name.clone(),
            teacher_code: teacher.teacher_code.clone(),
            school: schools.get(&teacher.school).cloned().unwrap_or_default(),
            school_id: teacher.school.clone(),
        },
        rules: Rules {
            reference: card.rule_ref.clone(),
            title_zh: card.title_zh.clone(),
            title_en: card.title_en.clone(),
            unit: serde_json::to_value(card.unit)
                .ok()
                .and_then(|unit| unit.as_str().map(str::to_owned))
                .unwrap_or_default(),
            complete: cycle.then_some(card.complete),
        },
        hours_c: counting().map(|line| line.hours_c).sum(),
        credits_c: counting().map(|line| line.credits_c).sum(),
        counted_c: counting().map(|line| line.counted_c).sum(),
        requirements: requirements
            .map(|outcome| Requirement {
                id: outcome.id.clone(),
                zh: outcome.zh.clone(),
                en: outcome.en.clone(),
                earned_c: outcome.earned_c,
                min_c: outcome.min_c,
                met: outcome.met,
            })
            .collect(),
        cut_off: view.cutoff.clone(),
        heads: heads_of(node, view, &lines)?,
        period: Covered {
            from: first,
            until: last,
            cycle,
        },
        lines,
    })
}

/// The days that are asked for, and whether they are the whole cycle.
fn days(input: &StatementInput, view: &CardView) -> Result<(Date, Date, bool), Error> {
    let period = view.card.period.as_ref();
    if input.from.trim().is_empty() && input.until.trim().is_empty() {
        return match period {
            Some(period) => Ok((period.first, period.last, true)),
            None => Err(invalid(
                "from",
                "这位教师的周期还算不出来，请写明起止日期",
                "The cycle of this teacher is not known; give the first and the last day",
            )),
        };
    }
    let day = |field: &str, text: &str| {
        parse_stored_date(text.trim()).map_err(|error| invalid(field, &error.zh(), &error.to_string()))
    };
    let (first, last) = (day("from", &input.from)?, day("until", &input.until)?);
    if first > last {
        return Err(invalid(
            "until",
            "截止日期早于起始日期",
            "The last day is before the first",
        ));
    }
    let cycle = period.is_some_and(|period| (period.first, period.last) == (first, last));
    Ok((first, last, cycle))
}

/// A claim that the county has decided on.
fn line(view: &CardView, row: &ClaimRow) -> Option<Line> {
    let ClaimState::Decided {
        verdict,
        credits_c,
        hours_c,
        on,
        ..
    } = &row.state
    else {
        return None;
    };
    let account = view.card.account(&row.id);
    let why_not = match (account, GIVING.contains(&verdict.as_str())) {
        (_, false) => "县里未予认定",
        (Some(account), true) => account.reason.map_or("", Reason::zh),
        (None, true) => "待核，或已由新的登记代替",
    };
    let what = match row.claimed_by.is_empty() && row.claimed_on.is_empty() {
        true => "carried",
        false => "claim",
    };
    Some(Line {
        id: row.id.clone(),
        what: what.into(),
        date: row.date.clone(),
        title: row.session_title.clone(),
        category: label(&view.card.categories, &row.category),
        channel: label(&view.card.channels, &row.channel),
        verdict: verdict.clone(),
        decided_on: on.clone(),
        hours_c: *hours_c,
        credits_c: *credits_c,
        counted_c: account.map_or(0, |account| account.amount_c),
        why_not: why_not.into(),
    })
}

/// 期初学分 that the county has confirmed.
fn opening(view: &CardView, row: &OpeningRow) -> Option<Line> {
    let entry = row.entry.as_ref()?;
    let account = view.card.account(&row.id);
    Some(Line {
        id: row.id.clone(),
        what: "opening".into(),
        date: entry.date.to_string(),
        title: row.source.clone(),
        category: label(&view.card.categories, &row.cell.category),
        channel: label(&view.card.channels, &row.cell.channel),
        verdict: "recognised".into(),
        decided_on: entry.decided_on.map_or_else(String::new, |day| day.to_string()),
        hours_c: entry.hours_c,
        credits_c: entry.credits_c,
        counted_c: account.map_or(0, |account| account.amount_c),
        why_not: account
            .and_then(|account| account.reason)
            .map_or_else(String::new, |reason| reason.zh().to_owned()),
    })
}

fn label(codes: &[records::rules::Labelled], code: &str) -> String {
    let known = codes.iter().find(|known| known.id == code);
    known.map_or_else(|| code.to_owned(), |known| known.zh.clone())
}

/// Heads of the logs and ledgers of every school and year that a line is of.
fn heads_of(
    node: &Node,
    view: &CardView,
    lines: &[Line],
) -> Result<std::collections::BTreeMap<String, Vec<String>>, Error> {
    let year = |day: &str| parse_stored_date(day).ok().map(|day| SchoolYear::of(day).0);
    let of = |id: &str| lines.iter().any(|line| line.id == id);
    let claims = view.lines.iter().filter(|row| of(&row.id));
    let of_claims = claims.filter_map(|row| Some((row.school.clone(), year(&row.date)?)));
    let openings = view.opening.iter().filter(|row| of(&row.id));
    let of_openings = openings.map(|row| (row.school.clone(), row.year));
    let wanted: BTreeSet<String> = of_claims
        .chain(of_openings)
        .flat_map(|(school, year)| ["log", "ledger"].map(|sort| format!("{sort}/{school}/{year}")))
        .collect();
    let mut all = heads(node)?;
    all.retain(|document, _| wanted.contains(document));
    let letters = |heads: Vec<sync::ChangeHash>| heads.iter().map(|head| HEXLOWER.encode(head)).collect();
    Ok(all
        .into_iter()
        .map(|(document, heads)| (document, letters(heads)))
        .collect())
}

/// The statements of a person that the ledgers here name, the newest first.
pub fn issued_statements(node: &Node, person: &str) -> Result<Vec<IssuedStatement>, Error> {
    let mut all = Vec::new();
    for record in node.records(&Filter::kind(KIND).person(person))? {
        all.extend(issued(node, &record)?);
    }
    all.sort_by(|a, b| (&b.issued_on, &b.id).cmp(&(&a.issued_on, &a.id)));
    Ok(all)
}

/// A statement by its number.
pub fn issued_statement(node: &Node, id: &str) -> Result<Option<IssuedStatement>, Error> {
    match record_of(node, KIND, id)? {
        Some(record) => issued(node, &record),
        None => Ok(None),
    }
}

/// The file of a statement, if it was issued on this computer.
pub fn statement_file(node: &Node, id: &str) -> Result<Option<String>, Error> {
    node.read(|conn| store::credentials::get(conn, id))
}

/// What the ledger says; nothing that a school's own PC has written there is a word of the county.
fn issued(node: &Node, record: &Record) -> Result<Option<IssuedStatement>, Error> {
    let school = record.school.as_deref().unwrap_or_default();
    if !record.doc.starts_with("ledger/") || is_of_school(&node.roll(), &record.author, school) {
        return Ok(None);
    }
    let text = |field: &str| record.text(field).to_owned();
    let withdrawn = record.text("state") != "issued" || record.disputed;
    Ok(Some(IssuedStatement {
        id: record.id.clone(),
        person: text("person"),
        from: text("from"),
        until: text("until"),
        hours_c: record.int("hours_c"),
        credits_c: record.int("credits_c"),
        purpose: text("purpose"),
        issued_on: text("issued_on"),
        by: text("_by"),
        digest: text("digest"),
        withdrawn: withdrawn.then(|| text("state_reason")),
        here: node.read(|conn| store::credentials::has(conn, &record.id))?,
    }))
}

/// Checks a file with what this node knows: its county's key and roll, and the ledger where it is read here. A device
/// that was revoked is believed for what the ledger has of it, and for nothing else.
pub fn check_statement(node: &Node, file: &str) -> Result<CheckedStatement, Error> {
    let county = node.county_root().ok_or(Error::NotEnrolled)?;
    let verified = credential::verify(file, &county, Some(&node.roll()))?;
    let said = &verified.statement;
    let read_here = node.is_county()
        || node.is_auditor()
        || node.home_school().as_deref() == Some(said.holder.school_id.as_str());
    let ledger = match issued_statement(node, &said.id)? {
        None if read_here => InLedger::Absent,
        None => InLedger::NotRead,
        Some(row) if row.digest != verified.digest || row.person != said.holder.id => InLedger::Differs,
        Some(row) => row.withdrawn.map_or(InLedger::Same, InLedger::Withdrawn),
    };
    if verified.revoked && matches!(ledger, InLedger::Absent | InLedger::NotRead | InLedger::Differs) {
        return Err(CredentialError::Revoked(said.id.clone()).into());
    }
    Ok(CheckedStatement { verified, ledger })
}

/// The text in the QR picture of a printed statement.
pub fn statement_code(id: &str, digest: &str) -> String {
    format!("{CODE}{id}:{digest}")
}

/// The statement that the text of a QR picture names, if the ledger here has it with that digest. `None`: the text is
/// no such code.
pub fn find_statement(node: &Node, code: &str) -> Result<Option<Option<IssuedStatement>>, Error> {
    let code = records::text::half_width(code.trim()).to_ascii_lowercase();
    let Some((id, digest)) = code
        .strip_prefix(&CODE.to_ascii_lowercase())
        .and_then(|rest| rest.split_once(':'))
    else {
        return Ok(None);
    };
    let found = issued_statement(node, id)?;
    Ok(Some(found.filter(|row| row.digest == digest)))
}
