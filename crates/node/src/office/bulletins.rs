//! Bulletins (情况通报): each carries the cut-off that its figures rest on, and a later one names the one it replaces,
//! so that readers know which is right when two offices published different numbers (domain.md §3.5, no. 21).
//!
//! When the next one is due: `schedule`; who has read one: `readings`.

pub(super) mod readings;
pub(super) mod schedule;

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use sync::ChangeHash;

use super::draft::{Draft, year_of};
use super::in_touch::{COMPLETE, NOT_ENROLLED, Upto, upto};
use super::lookup::record_of;
use super::schools::schools_on;
use super::{By, invalid, no_such, turn};
use crate::{Error, Filter, Node, Record, policy};

const KIND: &str = "bulletin";

/// The part of a line of figures that says until when the school's records were here.
const REACHING: usize = 7;

/// What a form says about a bulletin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulletinInput {
    /// 期号.
    pub no: String,
    /// Code of the kind: status, monthly or summary.
    pub bulletin_kind: String,
    /// 通报事项.
    pub topic: String,
    /// 截止日期, `YYYY-MM-DD`.
    pub cut_on: String,
    /// 签发日期, `YYYY-MM-DD`.
    pub issued_on: String,
    /// 说明.
    pub text: String,
    /// Record ids of the bulletins that it replaces; empty = none.
    pub replaces: [String; 2],
}

/// A bulletin as everybody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulletin {
    /// Record id.
    pub id: String,
    /// 期号.
    pub no: String,
    /// Code of the kind.
    pub bulletin_kind: String,
    /// 通报事项.
    pub topic: String,
    /// 截止日期.
    pub cut_on: String,
    /// 签发日期.
    pub issued_on: String,
    /// 说明.
    pub text: String,
    /// The figures as they were frozen: one line a school, its parts split.
    pub figures: Vec<Vec<String>>,
    /// Digest of the heads that the figures rest on, 64 digits.
    pub heads: String,
    /// The account that wrote it, and the device.
    pub by: String,
    /// What that device is called.
    pub device: String,
    /// Code of the state: draft, issued or dropped.
    pub state: String,
    /// Numbers of the bulletins that it replaces.
    pub replaces: Vec<String>,
    /// Numbers of those that have replaced it.
    pub replaced_by: Vec<String>,
    /// 待核: numbers of others that are in force on the same subject, and neither names the other.
    pub rivals: Vec<String>,
    /// Two devices say different things about it.
    pub disputed: bool,
}

impl Bulletin {
    /// Schools whose figures are not complete, as frozen: name, and the day until which its records were here (or the
    /// word that there were none). A bulletin of an older program says nothing of it.
    pub fn unsynced(&self) -> Vec<(&str, &str)> {
        self.reaching()
            .filter(|(_, upto)| *upto != NOT_ENROLLED)
            .collect()
    }

    /// Names of schools that had no device.
    pub fn not_enrolled(&self) -> Vec<&str> {
        let without = self.reaching().filter(|(_, upto)| *upto == NOT_ENROLLED);
        without.map(|(name, _)| name).collect()
    }

    fn reaching(&self) -> impl Iterator<Item = (&str, &str)> {
        self.figures
            .iter()
            .filter_map(|line| Some((line.first()?.as_str(), line.get(REACHING)?.as_str())))
            .filter(|(_, upto)| *upto != COMPLETE)
    }

    /// Whether it is the one to go by.
    pub fn in_force(&self) -> bool {
        self.state == "issued" && self.replaced_by.is_empty() && self.rivals.is_empty() && !self.disputed
    }
}

/// All bulletins, those issued last first.
pub fn bulletins(node: &Node) -> Result<Vec<Bulletin>, Error> {
    let records = node.records(&Filter::kind(KIND))?;
    let number = |record: &Record| record.text("no").to_owned();
    let mut all: Vec<Bulletin> = records
        .iter()
        .map(|record| {
            let others = || records.iter().filter(|other| other.id != record.id);
            let stands = replacing(&records, record).next().is_none() && record.text("state") == "issued";
            let rivals =
                others().filter(|other| stands && same_subject(other, record) && in_force(&records, other));
            Bulletin {
                id: record.id.clone(),
                no: number(record),
                bulletin_kind: record.text("bulletin_kind").to_owned(),
                topic: record.text("topic").to_owned(),
                cut_on: record.text("cut_on").to_owned(),
                issued_on: record.text("issued_on").to_owned(),
                text: record.text("text").to_owned(),
                figures: record.text("figures").lines().map(parts).collect(),
                heads: record.text("heads").to_owned(),
                by: record.text("_by").to_owned(),
                device: node.device_label(&record.author),
                state: record.text("state").to_owned(),
                replaces: others()
                    .filter(|other| names(record, other))
                    .map(number)
                    .collect(),
                replaced_by: replacing(&records, record).map(number).collect(),
                rivals: rivals.map(number).collect(),
                disputed: record.disputed,
            }
        })
        .collect();
    all.sort_by(|a, b| (&b.issued_on, &b.no, &b.id).cmp(&(&a.issued_on, &a.no, &a.id)));
    Ok(all)
}

fn parts(line: &str) -> Vec<String> {
    line.split('｜').map(str::to_owned).collect()
}

fn names(record: &Record, other: &Record) -> bool {
    ["replaces", "replaces_also"]
        .iter()
        .any(|field| record.text(field) == other.id)
}

fn same_subject(one: &Record, other: &Record) -> bool {
    ["bulletin_kind", "topic"]
        .iter()
        .all(|field| one.text(field).trim() == other.text(field).trim())
}

/// The issued bulletins that name this one.
fn replacing<'r>(all: &'r [Record], record: &'r Record) -> impl Iterator<Item = &'r Record> {
    all.iter()
        .filter(|other| other.id != record.id && other.text("state") == "issued" && names(other, record))
}

fn in_force(all: &[Record], record: &Record) -> bool {
    record.text("state") == "issued" && replacing(all, record).next().is_none()
}

/// Drafts a bulletin with the figures of every school as they are on this node, and the heads that they rest on.
/// Returns the record id. It is read by the schools once it is issued.
pub fn draft_bulletin(node: &Node, by: &By, input: &BulletinInput) -> Result<String, Error> {
    if !node.is_county() {
        return Err(invalid(
            "",
            "通报由县里起草",
            "Bulletins are drafted by the county",
        ));
    }
    let _turn = turn();
    for id in input.replaces.iter().filter(|id| !id.is_empty()) {
        record_of(node, KIND, id)?.ok_or_else(|| no_such("replaces", "通报", "bulletin"))?;
    }
    let doc = format!("plan/{}", year_of("cut_on", &input.cut_on)?);
    let heads = heads(node)?;
    let reaches = upto(node)?;
    let mut figures = Vec::new();
    for school in schools_on(node, input.cut_on.trim())? {
        let own = digest(heads.iter().filter(|(key, _)| belongs(key, &school.id)));
        let reach = reaches.get(&school.id).unwrap_or(&Upto::NotEnrolled);
        let line = [
            school.name,
            school.teachers.to_string(),
            school.sessions.to_string(),
            school.attendances.to_string(),
            school.decided_claims.to_string(),
            school.open_claims.to_string(),
            format!("#{}", own.get(..8).unwrap_or_default()),
            reach.said(input.cut_on.trim()),
        ];
        figures.push(line.join("｜"));
    }
    let id = node.new_id();
    let draft = Draft::new(KIND)
        .text("no", &input.no)
        .text("bulletin_kind", &input.bulletin_kind)
        .text("topic", &input.topic)
        .text("cut_on", &input.cut_on)
        .text("issued_on", &input.issued_on)
        .text("text", &input.text)
        .text("heads", &digest(heads.iter()))
        .text("figures", &figures.join("\n"))
        .text("replaces", &input.replaces[0])
        .text("replaces_also", &input.replaces[1])
        .text("state", "draft");
    node.commit(&doc, vec![draft.create(node, id.clone(), by)?])?;
    Ok(id)
}

pub(super) type Heads = BTreeMap<String, Vec<ChangeHash>>;

/// Heads of every document that figures rest on: the schools', not the county's own plan.
pub(super) fn heads(node: &Node) -> Result<Heads, Error> {
    node.read(|conn| {
        let mut all = Heads::new();
        for document in store::changes::documents(conn)? {
            if !matches!(document.key.segment(0), Some("plan" | "registry")) {
                let mut heads = store::changes::heads(conn, document.id)?;
                heads.sort();
                all.insert(document.key.to_string(), heads);
            }
        }
        Ok(all)
    })
}

fn belongs(key: &str, school: &str) -> bool {
    let key = sync::DocKey::parse(key);
    key.is_some_and(|key| policy::school_and_year(&key).0.as_deref() == Some(school))
}

/// Digest over documents and their heads, ascending: for each its key, a zero byte, and its heads (32 bytes each)
/// after their number (u32, big-endian).
fn digest<'h>(heads: impl Iterator<Item = (&'h String, &'h Vec<ChangeHash>)>) -> String {
    let mut hash = Sha256::new();
    for (key, heads) in heads {
        hash.update(key.as_bytes());
        hash.update([0]);
        hash.update(u32::try_from(heads.len()).unwrap_or(u32::MAX).to_be_bytes());
        heads.iter().for_each(|head| hash.update(head));
    }
    HEXLOWER.encode(&hash.finalize())
}

/// Whether a draft may be issued: whatever is in force on its subject is named as replaced.
pub(super) fn may_issue(node: &Node, draft: &Record) -> Result<(), Error> {
    let all = node.records(&Filter::kind(KIND))?;
    let open = all.iter().find(|other| {
        other.id != draft.id && same_subject(other, draft) && in_force(&all, other) && !names(draft, other)
    });
    match open {
        None => Ok(()),
        Some(other) => Err(invalid(
            "replaces",
            &format!(
                "同一事项已有第 {} 期（截止 {}）有效：请另拟一份，写明替代哪一份",
                other.text("no"),
                other.text("cut_on")
            ),
            &format!(
                "No. {} (cut-off {}) is in force on this subject: draft one that names it as replaced",
                other.text("no"),
                other.text("cut_on")
            ),
        )),
    }
}
