//! Taking an import back: what it made becomes void with the reason, what it changed gets the earlier values.
//! Nothing is deleted. What the county has decided since stays, and so does what somebody has changed since.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use records::{Kinds, Lang, Value};
use store::imports::{self, Written};

use super::attendance::{VOID, tallies};
use super::claims::{ClaimState, weigh};
use super::draft::Draft;
use super::imports::Values;
use super::lookup::{Row, key};
use super::roster::{Edits, OTHER_FACTS, newest};
use super::{By, invalid, no_such, own_school, turn};
use crate::{Error, Filter, Node, Record};

/// What becomes of one record that an import wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It becomes void.
    Back,
    /// It gets its earlier values.
    Restored,
    /// It stays as it is: somebody has changed it since, or something else rests on it. In Chinese and English.
    Kept([String; 2]),
    /// It stays: the county has decided since. In Chinese and English.
    Refused([String; 2]),
}

/// One record that an import wrote, and what taking the import back does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// Where the row stands in the file.
    pub key: String,
    /// Kind id.
    pub kind: String,
    /// Record id.
    pub record: String,
    /// The person's name, or the session's title.
    pub title: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// A record with what the import did to it.
struct Item {
    written: Written,
    now: Option<Record>,
    before: Values,
    after: Values,
}

impl Item {
    /// A field as it is now, or as it was written while the record is not here.
    fn text(&self, field: &str) -> &str {
        let now = self.now.as_ref().and_then(|now| now.fields.get(field));
        let value = now.or_else(|| self.after.get(field)?.as_ref());
        value.and_then(Value::as_text).unwrap_or_default()
    }

    /// The session and person of a mark, a claim or a result.
    fn place(&self) -> (String, String) {
        (self.text("session").to_owned(), self.text("person").to_owned())
    }
}

type Judged = (Fate, Option<Draft>);

/// What taking an import back would do. Nothing is written.
pub fn undo_preview(node: &Node, import: &str) -> Result<Vec<Undone>, Error> {
    let items = items(node, import)?;
    let judged = judge(node, &items, "")?;
    shown(node, &items, &judged)
}

/// Takes an import back, for a reason that the records keep.
pub fn undo_import(node: &Node, by: &By, import: &str, reason: &str) -> Result<Vec<Undone>, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 80 {
        return Err(invalid(
            "reason",
            "请写明撤销的原因（80字以内）",
            "Say why, in at most 80 characters",
        ));
    }
    own_school(node, &node.home_school().unwrap_or_default())?;
    let _turn = turn();
    let items = items(node, import)?;
    let judged = judge(node, &items, &format!("导入撤销：{reason}"))?;
    let told = shown(node, &items, &judged)?;
    let (mut edits, mut places) = (Edits::default(), Vec::new());
    for (item, (fate, draft)) in items.iter().zip(judged) {
        if matches!(fate, Fate::Back | Fate::Restored) {
            places.push(item.written.place);
        }
        if let (Some(now), Some(draft)) = (&item.now, draft)
            && let Some(edit) = draft.change(node, now, by)?
        {
            edits.push(&now.doc, edit);
        }
    }
    edits.commit(node)?;
    let at = node.clock();
    node.local(|conn| imports::undone(conn, import, &places, &by.account, reason, at))?;
    Ok(told)
}

/// What an import wrote and nobody has taken back yet.
fn items(node: &Node, import: &str) -> Result<Vec<Item>, Error> {
    if node.read(|conn| imports::get(conn, import))?.is_none() {
        return Err(no_such("import", "导入", "import"));
    }
    let rows = node.read(|conn| imports::rows(conn, import))?;
    let values = |json: &str| serde_json::from_str::<Values>(json).unwrap_or_default();
    rows.into_iter()
        .filter(|row| !row.undone)
        .map(|written| {
            Ok(Item {
                now: node.record(&written.record)?,
                before: values(&written.before),
                after: values(&written.after),
                written,
            })
        })
        .collect()
}

fn judge(node: &Node, items: &[Item], reason: &str) -> Result<Vec<Judged>, Error> {
    let verdicts = verdicts(node, items)?;
    let new_people: BTreeSet<&str> = items
        .iter()
        .filter(|item| item.written.kind == "person" && item.written.made)
        .map(|item| item.written.record.as_str())
        .collect();
    let mut judged: Vec<Option<Judged>> = Vec::new();
    for item in items {
        let Some(now) = &item.now else {
            judged.push(Some((kept("这条没有写入", "It was never written"), None)));
            continue;
        };
        let kind = item.written.kind.as_str();
        let one = match kind {
            "attendance" | "assessment" | "claim" => match verdicts.get(&item.place()) {
                Some([zh, en]) => Some((
                    Fate::Refused([
                        format!("县里已经审核（{zh}），不能撤销；确要更正，请先请县里退回补正"),
                        format!("The county has decided ({en}); ask the county to return the claim first"),
                    ]),
                    None,
                )),
                None if kind == "attendance" && item.written.made => {
                    Some(void(item, now, "status", "reason", reason))
                }
                None if kind == "assessment" && item.written.made => {
                    Some(void(item, now, "state", "state_reason", reason))
                }
                // A claim goes with the mark that it rests on.
                None if kind == "claim" && item.written.made => None,
                None => Some(restore(item, now)),
            },
            "person" if item.written.made => Some(match used(node, now)? {
                0 => void(item, now, "status", "", reason),
                n => (
                    kept(
                        &format!("这位教师已有 {n} 条别的记录（考勤、登分等），不能撤销"),
                        &format!("{n} other records name this teacher"),
                    ),
                    None,
                ),
            }),
            "staff_fact" if item.written.made && new_people.contains(item.text("person")) => None,
            "staff_fact" if item.written.made => Some(as_before(node, item, now)?),
            "session" => None,
            _ => Some(restore(item, now)),
        };
        judged.push(one);
    }
    let fates: HashMap<&str, Fate> = items
        .iter()
        .zip(&judged)
        .filter_map(|(item, one)| Some((item.written.record.as_str(), one.as_ref()?.0.clone())))
        .collect();
    let mark_of: HashMap<(String, String), &str> = items
        .iter()
        .filter(|item| item.written.kind == "attendance")
        .map(|item| (item.place(), item.written.record.as_str()))
        .collect();
    let mut all = Vec::new();
    for (item, one) in items.iter().zip(judged) {
        let one = match (one, &item.now) {
            (Some(one), _) => one,
            (None, Some(now)) if item.written.kind == "session" => {
                session(node, items, &fates, item, now, reason)?
            }
            (None, _) => {
                let follows = match item.written.kind.as_str() {
                    "claim" => mark_of.get(&item.place()).copied(),
                    _ => Some(item.text("person")),
                };
                let fate = follows.and_then(|record| fates.get(record)).cloned();
                let alone = || {
                    kept(
                        "登分随考勤：请把这个人的考勤改为缺席",
                        "A claim follows the mark: set the mark to absent",
                    )
                };
                (fate.unwrap_or_else(alone), None)
            }
        };
        all.push(one);
    }
    Ok(all)
}

fn kept(zh: &str, en: &str) -> Fate {
    Fate::Kept([zh.to_owned(), en.to_owned()])
}

fn changed_since() -> Judged {
    (
        kept(
            "导入以后又改过，保留现在的内容",
            "Changed since the import; it stays as it is now",
        ),
        None,
    )
}

/// Whether a field is still as the import left it.
fn untouched(item: &Item, now: &Record, field: &str) -> bool {
    now.fields.get(field) == item.after.get(field).and_then(Option::as_ref) && !now.others.contains_key(field)
}

/// A record that the import made becomes void, unless somebody has changed it since.
fn void(item: &Item, now: &Record, state: &str, why: &str, reason: &str) -> Judged {
    if now.text(state) == VOID {
        return (Fate::Back, None);
    }
    let own = |field: &&String| !field.starts_with('_');
    if item
        .after
        .keys()
        .filter(own)
        .any(|field| !untouched(item, now, field))
    {
        return changed_since();
    }
    let mut draft = Draft::new(&now.kind).text(state, VOID);
    if !why.is_empty() {
        draft = draft.text(why, reason);
    }
    (Fate::Back, Some(draft))
}

/// A record that the import changed gets back what stood there, field by field.
fn restore(item: &Item, now: &Record) -> Judged {
    let mut draft = Draft::new(&now.kind);
    let mut any = false;
    for (field, before) in item.before.iter().filter(|(field, _)| !field.starts_with('_')) {
        if untouched(item, now, field) {
            draft = draft.value(field, before.clone());
            any = true;
        }
    }
    if any {
        (Fate::Restored, Some(draft))
    } else {
        changed_since()
    }
}

/// A dated row that the import added to a known teacher says again what the row before it says.
fn as_before(node: &Node, item: &Item, now: &Record) -> Result<Judged, Error> {
    let own = |field: &&String| !field.starts_with('_');
    if item
        .after
        .keys()
        .filter(own)
        .any(|field| !untouched(item, now, field))
    {
        return Ok(changed_since());
    }
    let rows = node.records(
        &Filter::kind("staff_fact")
            .person(now.text("person"))
            .school(now.school.as_deref().unwrap_or_default()),
    )?;
    let earlier = rows
        .iter()
        .filter(|row| row.id != now.id && row.text("from") <= now.text("from"));
    let earlier = newest(earlier);
    let mut draft = Draft::new("staff_fact");
    let facts = ["post", "title", "subject", "stage", "homeroom", "teaching_from"];
    for field in facts.iter().chain(&OTHER_FACTS) {
        let value = earlier.and_then(|row| row.fields.get(*field).cloned());
        draft = draft.value(field, value);
    }
    Ok((Fate::Restored, Some(draft)))
}

/// A session that the import made is void once nobody's mark is left in it; one that it began is a draft again.
fn session(
    node: &Node,
    items: &[Item],
    fates: &HashMap<&str, Fate>,
    item: &Item,
    now: &Record,
    reason: &str,
) -> Result<Judged, Error> {
    let school = now.school.clone().unwrap_or_default();
    let going: BTreeSet<&str> = items
        .iter()
        .filter(|other| other.written.kind == "attendance" && other.text("session") == now.id)
        .filter(|other| fates.get(other.written.record.as_str()) == Some(&Fate::Back))
        .map(|other| other.text("person"))
        .collect();
    let marks = tallies(node, &[&now.id])?
        .remove(&key(&school, &now.id))
        .unwrap_or_default();
    let left = marks
        .keys()
        .filter(|person| !going.contains(person.as_str()))
        .count();
    if left > 0 {
        let fate = kept(
            &format!("活动里还有 {left} 人的考勤，活动保留"),
            &format!("{left} marks are left in this session; it stays"),
        );
        return Ok((fate, None));
    }
    if !item.written.made {
        return Ok(restore(item, now));
    }
    if now.text("state") == VOID {
        return Ok((Fate::Back, None));
    }
    let draft = Draft::new("session")
        .text("state", VOID)
        .text("state_reason", reason);
    Ok((Fate::Back, Some(draft)))
}

/// What the county has said about claims of these persons for these sessions, by session and person. A claim that
/// was returned is the school's again.
fn verdicts(node: &Node, items: &[Item]) -> Result<HashMap<(String, String), [String; 2]>, Error> {
    let asked = ["attendance", "assessment", "claim"];
    let sessions: BTreeSet<String> = items
        .iter()
        .filter(|item| asked.contains(&item.written.kind.as_str()))
        .map(|item| item.place().0)
        .collect();
    let mut verdicts = HashMap::new();
    for session in sessions {
        let Some(school) = node.record(&session)?.and_then(|record| record.school) else {
            continue;
        };
        let claims = node.records(&Filter::kind("claim").about(&session).school(&school))?;
        for weighed in weigh(node, claims.into_iter().map(Row::from).collect())? {
            let said = match &weighed.row.state {
                ClaimState::Decided { verdict, .. } if verdict == "returned" => continue,
                ClaimState::Decided { verdict, .. } => {
                    let label = |lang| {
                        Kinds::builtin()
                            .code_label("decision", "verdict", verdict, lang)
                            .to_owned()
                    };
                    [label(Lang::Zh), label(Lang::En)]
                }
                _ if weighed.decisions.is_empty() => continue,
                _ => ["审后改动".to_owned(), "changed after the decision".to_owned()],
            };
            verdicts.insert((session.clone(), weighed.row.person.clone()), said);
        }
    }
    Ok(verdicts)
}

/// How many other records name this person.
fn used(node: &Node, person: &Record) -> Result<usize, Error> {
    let mut ids = BTreeMap::new();
    for record in node
        .records(&Filter::default().person(&person.id))?
        .into_iter()
        .chain(node.records(&Filter::all_about(&person.id))?)
    {
        let gone = record.kind == "staff_fact"
            || (record.kind == "attendance" && record.text("status") == VOID)
            || record.text("state") == VOID;
        if !gone && record.id != person.id {
            ids.insert(record.id, ());
        }
    }
    Ok(ids.len())
}

fn shown(node: &Node, items: &[Item], judged: &[Judged]) -> Result<Vec<Undone>, Error> {
    let mut all = Vec::new();
    for (item, (fate, _)) in items.iter().zip(judged) {
        let kind = item.written.kind.as_str();
        // What follows another record is not told twice.
        if kind == "claim" && matches!(fate, Fate::Back | Fate::Refused(_))
            || kind == "staff_fact" && item.written.made && matches!(fate, Fate::Back)
        {
            continue;
        }
        let title = match kind {
            "session" => item.text("title").to_owned(),
            "person" => item.text("name").to_owned(),
            _ => node
                .record(item.text("person"))?
                .map_or_else(String::new, |person| person.text("name").to_owned()),
        };
        all.push(Undone {
            key: item.written.row_key.clone(),
            kind: kind.to_owned(),
            record: item.written.record.clone(),
            title,
            fate: fate.clone(),
        });
    }
    Ok(all)
}
