//! The county's audit of claims: 认定, 核减, 不予认定, 退回补正.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use records::{Fields, Kinds, claim_digest_with};

use super::carry::follow;
use super::claims::{ClaimRow, ClaimState, GIVING, Weighed, weigh, weigh_alone};
use super::closing::correction;
use super::draft::Draft;
use super::lookup::{By as Pick, Row, key, of_own_school, record_of, rows};
use super::once::rival;
use super::per_school::{PerYear, Years};
use super::roster::Edits;
use super::{By, invalid, no_such, turn};
use crate::{Error, Filter, Node};

/// Claims that wait for the auditors of this node, the longest waiting first: those without a
/// decision, then those changed after theirs (审后改动) or with decisions that differ. Claims of
/// the auditor's own school are not among them.
pub fn audit_queue(node: &Node, limit: u32) -> Result<Vec<ClaimRow>, Error> {
    audit_queue_of(node, None, limit)
}

/// [`audit_queue`], of one school alone if there is one.
pub fn audit_queue_of(node: &Node, school: Option<&str>, limit: u32) -> Result<Vec<ClaimRow>, Error> {
    if !node.is_auditor() {
        return Ok(Vec::new());
    }
    let home = node.home_school().unwrap_or_default();
    let wanted = |one: &str| one != home && school.is_none_or(|school| school == one);
    let mut ids = undecided(node, wanted, limit)?;
    let room = limit.saturating_sub(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    if room > 0 {
        ids.extend(reopened(node, wanted, room)?);
    }
    let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut claims = rows(node, "claim", Pick::Id, &keys)?;
    // Another school may have used the same id.
    claims.retain(|claim| wanted(&claim.school));
    let place: HashMap<&str, usize> = keys.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    claims.sort_by_key(|claim| place.get(claim.id.as_str()).copied());
    let weighed = weigh(node, claims)?;
    Ok(weighed
        .into_iter()
        .filter(|w| !w.superseded)
        .map(|w| w.row)
        .collect())
}

/// Decides on a claim of another school: `recognised`, `reduced` (with fewer credits than claimed),
/// `rejected` or `returned`; all but the first need a reason. The decision binds the content of
/// claim and session as they are now. A decision that is already there is renewed.
#[allow(clippy::too_many_arguments)]
pub fn decide(
    node: &Node,
    by: &By,
    claim: &str,
    verdict: &str,
    credits_c: Option<i64>,
    reason: &str,
    note: &str,
    decided_on: &str,
) -> Result<(), Error> {
    decide_with(
        node, by, claim, verdict, credits_c, reason, note, decided_on, false,
    )
}

/// [`decide`], or for a claim of a closed year with the correction that stands beside the closing.
#[allow(clippy::too_many_arguments)]
pub(super) fn decide_with(
    node: &Node,
    by: &By,
    claim: &str,
    verdict: &str,
    credits_c: Option<i64>,
    reason: &str,
    note: &str,
    decided_on: &str,
    correcting: bool,
) -> Result<(), Error> {
    if !node.is_auditor() {
        return Err(invalid(
            "verdict",
            "只有县级审核员才能审核学分",
            "Only a county auditor may decide",
        ));
    }
    let _turn = turn();
    let row = rows(node, "claim", Pick::Id, &[claim])?;
    if row.len() > 1 {
        return Err(invalid(
            "claim",
            "有两所学校用了同一个登分编号，不能审核；请联系系统管理员",
            "Two schools use this claim's id; it cannot be decided; tell the administrator",
        ));
    }
    let weighed = weigh(node, row)?
        .pop()
        .ok_or_else(|| no_such("claim", "登分", "claim"))?;
    allowed(node, by, &weighed, verdict, decided_on)?;
    if weighed.row.closed && !correcting {
        return Err(invalid(
            "claim",
            "这一学年已经结账：请作“结账后更正”，或先重开学年",
            "This school year is closed: make a correction, or reopen the year first",
        ));
    }
    let (hours_c, credits_c) = amounts(&weighed.row, verdict, credits_c)?;
    if verdict != "recognised" && reason.trim().is_empty() {
        return Err(invalid("reason", "请选择理由", "Give a reason"));
    }
    let Some(session) = &weighed.session else {
        return Err(invalid(
            "session",
            "活动记录还没有同步到本机（待同步）",
            "The session has not arrived here yet",
        ));
    };
    let kinds = node.kinds();
    let draft = || {
        Draft::new("decision")
            .text("verdict", verdict)
            .int("hours_c", Some(hours_c))
            .int("credits_c", Some(credits_c))
            .text("reason", reason)
            .text("note", note)
            .text("decided_on", decided_on)
            .text(
                "binds",
                &claim_digest_with(&kinds, &weighed.claim.fields, &session.fields),
            )
    };
    let mut edits = Edits::default();
    // Of twins made on two devices all are renewed, so that they agree again.
    for twin in &weighed.decisions {
        let Some(record) = record_of(node, "decision", &twin.id)? else {
            continue;
        };
        if let Some(edit) = draft().change(node, &record, by)? {
            edits.push(&record.doc, edit);
        }
    }
    if weighed.decisions.is_empty() {
        let doc = weighed.claim.doc.replacen("log/", "ledger/", 1);
        edits.push(
            &doc,
            draft().text("claim", claim).create(node, node.new_id(), by)?,
        );
    }
    if correcting {
        let (doc, edit) = correction(node, by, &weighed, (hours_c, credits_c), note, decided_on)?;
        edits.push(&doc, edit);
    }
    edits.commit(node)?;
    // What is recognised at one school is said to the one where the person is now.
    follow(node, by, &key(&weighed.row.school, &weighed.row.person))?;
    Ok(())
}

/// Record id of the person whose account this is, if it is a teacher's.
pub(super) fn own_person(node: &Node, by: &By) -> Result<Option<String>, Error> {
    let account = node.read(|conn| store::accounts::account_named(conn, &by.account))?;
    Ok(account.and_then(|account| account.person))
}

/// Who may give this verdict on this claim, and whether it may have it now.
fn allowed(node: &Node, by: &By, weighed: &Weighed, verdict: &str, decided_on: &str) -> Result<(), Error> {
    let row = &weighed.row;
    if node.home_school().as_deref() == Some(row.school.as_str())
        || own_person(node, by)?.as_deref() == Some(row.person.as_str())
    {
        return Err(invalid(
            "claim",
            "不能审核本校或本人的学分",
            "Nobody decides on claims of the own school or the own person",
        ));
    }
    if weighed.superseded {
        return Err(invalid(
            "claim",
            "此登分已被更正，请审核新的一条",
            "A later claim takes its place; decide on that one",
        ));
    }
    if !GIVING.contains(&verdict) {
        return Ok(());
    }
    if row.date.as_str() > decided_on {
        return Err(invalid(
            "claim",
            "活动日期还没到，不能认定；请核对活动日期和审核日期",
            "The session is on a later day than this decision; check both dates",
        ));
    }
    // Differing decisions are what this one settles; the rest must be settled by the school.
    if !weighed.sound {
        return Err(invalid(
            "claim",
            "此登分待核（内容有争议、活动作废或出勤已改），不能认定",
            "This claim is in dispute or no longer founded; it cannot be recognised",
        ));
    }
    let twins = node.records(&Filter::kind("claim").about(&row.session).school(&row.school))?;
    let twins = twins
        .into_iter()
        .filter(|c| c.text("person") == row.person && c.id != row.id);
    let twins = weigh(node, twins.map(Row::from).collect())?;
    if twins
        .iter()
        .any(|twin| !twin.superseded && twin.given().is_some())
    {
        return Err(invalid(
            "claim",
            "同一人同一活动已有认定的学分（重复）",
            "Credit for this person and session has already been given (duplicate)",
        ));
    }
    let Some(given) = rival(node, weighed)? else {
        return Ok(());
    };
    let mut title = given.row.session_title;
    if given.row.school != row.school {
        title = format!("{title}（{}）", given.row.school_name);
    }
    Err(invalid(
        "claim",
        &format!("同一人同一时间的“{title}”已经认定（一个学时只计一次）；请先在“待核”页选定"),
        &format!(
            "“{title}” of the same person at the same time is recognised already (an hour counts once); settle it on the page of conflicts first"
        ),
    ))
}

/// Class-hours and credits (hundredths) that a verdict gives.
fn amounts(row: &ClaimRow, verdict: &str, credits_c: Option<i64>) -> Result<(i64, i64), Error> {
    match verdict {
        "recognised" if credits_c.is_none_or(|credits| credits == row.credits_c) => {
            Ok((row.hours_c, row.credits_c))
        }
        "recognised" => Err(invalid(
            "credits_c",
            "认定的学分应等于登记的学分；要减少请用“核减”",
            "Recognised credits equal those claimed; to give fewer, reduce",
        )),
        "reduced" => match credits_c {
            Some(credits) if (0..row.credits_c).contains(&credits) => {
                // In proportion and rounded down, so that never more hours than claimed come out.
                let hours = i128::from(row.hours_c) * i128::from(credits) / i128::from(row.credits_c);
                Ok((i64::try_from(hours).unwrap_or(0), credits))
            }
            _ => Err(invalid(
                "credits_c",
                "核减后的学分应不小于0并小于登记的学分",
                "Reduced credits must be 0 or more and fewer than claimed",
            )),
        },
        "rejected" | "returned" => Ok((0, 0)),
        _ => Err(invalid("verdict", "请选择审核结论", "Choose a verdict")),
    }
}

/// Claims of a county are looked through by the hundred thousand, those of one school and year in milliseconds.
static UNDECIDED: PerYear<(String, String)> = PerYear::new(usize::MAX);

/// Ids of claims without any decision, oldest first.
fn undecided(node: &Node, wanted: impl Fn(&str) -> bool, limit: u32) -> Result<Vec<String>, Error> {
    let years = UNDECIDED.all_years(node, wanted, |school, year| {
        node.read(|conn| {
            let mut query = conn.prepare_cached(
                "SELECT COALESCE(c.date, ''), c.id FROM record c
                 WHERE c.kind = 'claim' AND c.school = ?1 AND +c.doc = (SELECT id FROM document WHERE key = ?2)
                   AND NOT EXISTS (SELECT 1 FROM record d
                        WHERE d.kind = 'decision' AND d.about = c.id AND d.school IS c.school)",
            )?;
            let found = query.query_map((school, format!("log/{school}/{year}")), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    })?;
    let mut all: Vec<&(String, String)> = years.iter().flat_map(Years::iter).collect();
    all.sort();
    let first = all.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(first.map(|(_, id)| id.clone()).collect())
}

/// Ids of claims whose decision must be renewed or settled.
pub(super) fn reopened(node: &Node, wanted: impl Fn(&str) -> bool, limit: u32) -> Result<Vec<String>, Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut waiting = Vec::new();
    for suspects in suspects(node, wanted)? {
        let keys: Vec<&str> = suspects.iter().map(String::as_str).collect();
        for some in keys.chunks(200) {
            let weighed = weigh_alone(node, rows(node, "claim", Pick::Id, some)?)?;
            let open = weighed.into_iter().filter(|w| !w.superseded).filter(|w| {
                w.decisions_differ
                    || w.decisions.is_empty()
                    || w.row.state == ClaimState::ChangedAfterDecision
            });
            waiting.extend(open.map(|w| w.row.id));
            if waiting.len() >= limit {
                waiting.truncate(limit);
                return Ok(waiting);
            }
        }
    }
    Ok(waiting)
}

/// A digest of every decided claim of a county takes seconds, of one school and year milliseconds.
static SUSPECTS: PerYear<String> = PerYear::new(usize::MAX);

/// Per school and year: ids of claims that are not what their decision binds, have several decisions or one of their own school,
/// or one that gives more than was claimed.
fn suspects(node: &Node, wanted: impl Fn(&str) -> bool) -> Result<Vec<Years<String>>, Error> {
    let kinds = node.kinds();
    let roll = node.roll();
    SUSPECTS.all_years(node, wanted, |school, year| {
        let own = |parts: &[u8]| of_own_school(&roll, parts, school);
        node.read(|conn| suspects_of(conn, &kinds, &format!("ledger/{school}/{year}"), own))
    })
}

fn suspects_of(
    conn: &store::Connection,
    kinds: &Kinds,
    ledger: &str,
    own: impl Fn(&[u8]) -> bool,
) -> store::Result<Vec<String>> {
    let mut query = conn.prepare_cached(
        "SELECT c.id, d.disputed, json_extract(d.fields, '$.binds'), c.fields, c.about, s.fields, d.parts,
            max(json_extract(d.fields, '$.hours_c') - json_extract(c.fields, '$.hours_c'),
                json_extract(d.fields, '$.credits_c') - json_extract(c.fields, '$.credits_c'))
         FROM record d
         JOIN record c ON +c.kind = 'claim' AND c.id = d.about AND c.school IS d.school
         JOIN record s ON s.doc = c.doc AND s.id = c.about
         WHERE d.doc = (SELECT id FROM document WHERE key = ?1) AND d.kind = 'decision'",
    )?;
    let mut sessions: HashMap<String, Fields> = HashMap::new();
    let mut seen = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut found = query.query([ledger])?;
    while let Some(row) = found.next()? {
        let id: String = row.get(0)?;
        let binds: Option<String> = row.get(2)?;
        let claim = parsed(row.get_ref(3)?.as_str().unwrap_or_default());
        let session = match sessions.entry(row.get(4)?) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(parsed(row.get_ref(5)?.as_str().unwrap_or_default())),
        };
        let again = !seen.insert(id.clone());
        let beyond = row.get::<_, Option<i64>>(7)?.is_some_and(|more| more > 0);
        if again
            || beyond
            || row.get(1)?
            || own(&row.get::<_, Vec<u8>>(6)?)
            || binds.unwrap_or_default() != claim_digest_with(kinds, &claim, session)
        {
            ids.insert(id);
        }
    }
    Ok(ids.into_iter().collect())
}

fn parsed(json: &str) -> Fields {
    serde_json::from_str(json).unwrap_or_default()
}
