//! What stands behind claims on a form (F1, F8): the session, evidence, results and objections, read for these
//! claims alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use records::record_digest_with;
use records::text::half_width;

use super::claims::ClaimRow;
use super::lookup::{By, Key, Row, by_about, by_id, courses, key, rows};
use crate::{Error, Node, Record};

/// What a form says of a claim besides the claim itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// 主题.
    pub theme: String,
    /// Code of the form of the session.
    pub form: String,
    /// 主办单位.
    pub organiser: String,
    /// Last day of the session, `YYYY-MM-DD`; empty if it has one day.
    pub until: String,
    /// Code of the course of the county's catalogue.
    pub course: String,
    /// Codes of the kinds of evidence for the claim or its session, without what is another person's.
    pub evidence: BTreeSet<String>,
    /// Id of the county's word (核准, 备案) on the plan: the session's own or that of its filing package, for what
    /// stands there now; empty while there is none.
    pub(super) plan_filed: String,
    /// Whether a pass list among them is this person's own.
    named: bool,
    /// 考核结果.
    pub result: Option<Assessed>,
    /// Code of the state of an objection against the claim or else its session.
    pub objection: String,
}

impl Behind {
    /// The kinds of evidence, with the pass list (合格名单) only for whom it names: a picture of it that stands for
    /// all says of nobody that this one has passed.
    pub(super) fn proofs(&self) -> BTreeSet<String> {
        let passed = |a: &Assessed| !a.disputed && PASSED.contains(&a.result.as_str());
        let named = self.named || self.result.as_ref().is_some_and(passed);
        let others = self.evidence.iter().filter(|kind| *kind != PASS_LIST).cloned();
        others.chain(named.then(|| PASS_LIST.to_owned())).collect()
    }
}

const PASS_LIST: &str = "pass_list";

/// Results of who has passed.
const PASSED: [&str; 3] = ["excellent", "good", "passed"];

/// The result of an assessment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessed {
    /// Code of the result.
    pub result: String,
    /// In hundredths.
    pub points: Option<i64>,
    /// Two devices say different things.
    pub disputed: bool,
}

/// For each claim what stands behind it, in the same order. Nothing of another school than the claim's.
pub fn behind<'a>(
    node: &Node,
    claims: impl IntoIterator<Item = &'a ClaimRow> + Clone,
) -> Result<Vec<Behind>, Error> {
    let sessions: BTreeSet<&str> = claims.clone().into_iter().map(|c| c.session.as_str()).collect();
    let sessions: Vec<&str> = sessions.into_iter().collect();
    let records = by_id(node, "session", &sessions)?.into_iter();
    let records = records.map(|(name, row)| (name, Arc::new(row))).collect();
    behind_with(node, claims, &records)
}

/// [`behind`], where the sessions have been read already.
pub(super) fn behind_with<'a>(
    node: &Node,
    claims: impl IntoIterator<Item = &'a ClaimRow> + Clone,
    records: &HashMap<Key, Arc<Row>>,
) -> Result<Vec<Behind>, Error> {
    let all = || claims.clone().into_iter();
    let sessions: BTreeSet<&str> = all().map(|c| c.session.as_str()).collect();
    let about: Vec<&str> = all()
        .map(|c| c.id.as_str())
        .chain(sessions.iter().copied())
        .collect();
    let sessions: Vec<&str> = sessions.into_iter().collect();
    let taught = records.values().any(|session| !session.text("course").is_empty());
    let courses = if taught { courses(node)? } else { HashMap::new() };
    let code = |course: &Record| half_width(course.text("code")).trim().to_owned();
    let evidence = by_about(node, "evidence", &about)?;
    let mut results: HashMap<(Key, String), Assessed> = HashMap::new();
    for row in rows(node, "assessment", By::About, &sessions)? {
        if row.text("state") != "void" {
            let assessed = Assessed {
                result: row.text("result").to_owned(),
                points: row.fields.get("points").and_then(|points| points.as_int()),
                disputed: row.disputed,
            };
            // Two that say different things are a dispute, whichever came first.
            let of = (key(&row.school, &row.about), row.person);
            let both = |known: &mut Assessed| known.disputed |= *known != assessed;
            results.entry(of).and_modify(both).or_insert(assessed.clone());
        }
    }
    let mut objections: HashMap<Key, String> = HashMap::new();
    for row in rows(node, "objection", By::About, &about)? {
        objections.insert(key(&row.school, &row.about), row.text("state").to_owned());
    }
    let filed = plans_filed(node, records)?;
    let of = |claim: &ClaimRow| {
        let (this, session) = (key(&claim.school, &claim.id), key(&claim.school, &claim.session));
        let record = records.get(&session);
        let text = |field: &str| record.map_or_else(String::new, |row| row.text(field).to_owned());
        let proofs = [&session, &this]
            .into_iter()
            .filter_map(|of| evidence.get(of))
            .flatten();
        let proofs: Vec<&Row> = proofs
            .filter(|row| row.person.is_empty() || row.person == claim.person)
            .collect();
        Behind {
            theme: text("theme"),
            form: text("form"),
            organiser: text("organiser"),
            until: text("until"),
            plan_filed: filed.get(&session).cloned().unwrap_or_default(),
            course: courses.get(&text("course")).map(code).unwrap_or_default(),
            named: proofs
                .iter()
                .any(|row| row.text("evidence_kind") == PASS_LIST && row.person == claim.person),
            evidence: proofs
                .iter()
                .map(|row| row.text("evidence_kind").to_owned())
                .collect(),
            objection: objections
                .get(&this)
                .or_else(|| objections.get(&session))
                .cloned()
                .unwrap_or_default(),
            result: results.get(&(session, claim.person.clone())).cloned(),
        }
    };
    Ok(all().map(of).collect())
}

/// For each session whose plan the county has filed or approved as it stands: the id of its word.
fn plans_filed(node: &Node, sessions: &HashMap<Key, Arc<Row>>) -> Result<HashMap<Key, String>, Error> {
    let packages: Vec<&str> = sessions.values().map(|row| row.text("package")).collect();
    let packages = by_id(node, "filing_package", &packages)?;
    let handed_in: Vec<&str> = sessions
        .keys()
        .chain(packages.keys())
        .map(|(_, id)| id.as_str())
        .collect();
    let words = by_about(node, "filing_decision", &handed_in)?;
    if words.is_empty() {
        return Ok(HashMap::new());
    }
    let kinds = node.kinds();
    let word_on = |record: &Row| {
        let digest = record_digest_with(&kinds, &record.fields);
        let words = words.get(&key(&record.school, &record.id))?;
        let holds = |word: &&Row| {
            !word.disputed && FILED.contains(&word.text("verdict")) && word.text("binds") == digest
        };
        words.iter().find(holds).map(|word| word.id.clone())
    };
    let of = |(session, row): (&Key, &Arc<Row>)| {
        let package = || {
            packages
                .get(&key(&session.0, row.text("package")))
                .and_then(word_on)
        };
        Some((session.clone(), word_on(row).or_else(package)?))
    };
    Ok(sessions.iter().filter_map(of).collect())
}

/// Verdicts by which a plan is filed.
const FILED: [&str; 2] = ["approved", "filed"];
