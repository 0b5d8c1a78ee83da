//! Records of any kind, as their kind's file says: list, one with what stands around it, saving, steps.
//!
//! Nothing here knows a kind by its name. What a kind asks is in its file; `records::kinds` says what is wrong and which steps lead on, and this applies it.

use std::collections::{BTreeSet, HashMap};

use records::kinds::{Actor, BINDS, FieldType, Format, Kind, Related, Scene, split_reference};
use records::{Kinds, Lang, Value, record_digest_with};
use sync::authority::may_write;
use sync::{DocKey, NodeId};

use super::closing::Closed;
use super::lookup::{Key, Row, by_about, key, newest, record_of};
use super::organisations::organisation_names;
use super::signatures::{beneath, binds_beneath, covers};
use super::titles::Titles;
use crate::{Act, Error, Filter, Node, Record, Role, Way};

/// Where a record stands, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The state's code.
    pub code: String,
    /// Its Chinese label.
    pub zh: String,
    /// Its English label.
    pub en: String,
    /// 审后改动: the county's word on it is on other content.
    pub stale: bool,
    /// 待核: there are two different words on it.
    pub differ: bool,
    /// 已变更（待重签）: the signatures that brought it here are on other content.
    pub unsigned: bool,
    /// Nothing of its content is edited in this state.
    pub closed: bool,
}

/// A record in a list.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Record id.
    pub id: String,
    /// Kind id.
    pub kind: String,
    /// Kind version.
    pub version: u32,
    /// Whether this node has that version of the form. If not, the record is shown raw and counts nothing.
    pub known: bool,
    /// What names it for people.
    pub title: String,
    /// Its date, `YYYY-MM-DD`.
    pub date: String,
    /// The person it is about.
    pub person: String,
    /// Record id of the school, empty for what is the county's.
    pub school: String,
    /// Name of the school.
    pub school_name: String,
    /// Where it stands; `None` for a kind without states.
    pub stand: Option<Stand>,
    /// Two devices say different things.
    pub disputed: bool,
    /// 迟报: it, or a change of it, came after its school year was closed.
    pub late: bool,
    /// How far it has come.
    pub way: Way,
    /// The account that wrote it last.
    pub by: String,
}

/// One field of a record for readers.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Stored name.
    pub id: String,
    /// Chinese label; the stored name for a field that the form does not have.
    pub zh: String,
    /// English label.
    pub en: String,
    /// The value, in Chinese and English.
    pub value: [String; 2],
    /// Where it leads, if it names a record: kind and id.
    pub link: Option<(String, String)>,
    /// What other devices say, in Chinese and English.
    pub others: Vec<[String; 2]>,
}

/// A step for a button.
#[derive(Clone, Debug)]
pub struct Next {
    /// The state it leads to.
    pub to: String,
    /// Its Chinese label.
    pub zh: String,
    /// Its English label.
    pub en: String,
    /// Whether a reason must be given.
    pub reason: bool,
    /// Why not, in Chinese and English; empty = allowed.
    pub refused: Vec<[String; 2]>,
    /// The kind of record that makes the step, if another authority makes it, with the field and value that do.
    pub elsewhere: Option<[String; 3]>,
}

/// A record about another one.
#[derive(Clone, Debug)]
pub struct About {
    /// The record.
    pub entry: Entry,
    /// Whether it binds the present content of the one it is about; `None`: it binds nothing.
    pub binds: Option<bool>,
    /// What else it says, in Chinese and English: the reason of a return, the number of a filing.
    pub said: [String; 2],
}

/// A record with what stands around it.
#[derive(Clone, Debug)]
pub struct EntryDetail {
    /// The line of the list.
    pub entry: Entry,
    /// The form, if this node has it.
    pub kind: Option<Kind>,
    /// The record itself.
    pub record: Record,
    /// Its fields in the order of the form, then those that the form does not have.
    pub fields: Vec<Shown>,
    /// What leads on.
    pub steps: Vec<Next>,
    /// The records about it.
    pub about: Vec<About>,
    /// Kinds of which a record about it can be written here: id and both labels.
    pub more: Vec<(String, String, String)>,
    /// Whether this node may edit its content now.
    pub editable: bool,
    /// Who, when, what before; the oldest first.
    pub history: Vec<Done>,
}

/// One act in the history of a record.
#[derive(Clone, Debug)]
pub struct Done {
    /// Unix seconds by this node's clock.
    pub at: i64,
    /// The account, as the record says.
    pub by: String,
    /// The device that signed it.
    pub device: String,
    /// Whether the record began with it.
    pub made: bool,
    /// What changed.
    pub changes: Vec<Changed>,
}

/// One field that an act changed, in Chinese and English.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What the field is called.
    pub label: [String; 2],
    /// What stood there; empty = nothing.
    pub before: [String; 2],
    /// What stands there since; empty = nothing.
    pub after: [String; 2],
}

/// The field of a signature that names the device on which it was given.
pub(super) const KEY: &str = "key";

/// A device's key as records write it: 64 digits.
pub(super) fn device_key(device: &NodeId) -> String {
    data_encoding::HEXLOWER.encode(&device.0)
}

/// Fields that the program fills: the state, its reason, the round, the digest.
pub fn filled_by_program(kind: &Kind, field: &str) -> bool {
    let states = kind.states.as_ref();
    field == BINDS
        || kind.field(field).is_some_and(|field| field.program)
        || states.is_some_and(|s| {
            s.field == field || s.reason.as_deref() == Some(field) || s.round.as_deref() == Some(field)
        })
}

/// Kinds whose records have rules of their own (one mark per person, credits by the rule set, a file behind an
/// evidence, a person's own hand behind a signature): they are written on their own pages and by no general form.
const OWN_ACTS: [&str; 21] = [
    "bulletin",
    "bulletin_read",
    "carried_credit",
    "correction",
    "credit_statement",
    "outside_hours",
    "person",
    "same_person",
    "year_close",
    "year_statement",
    "staff_fact",
    "organisation",
    "attendance",
    "evidence",
    "claim",
    "decision",
    "published",
    "settlement",
    "opening_balance",
    "unlisted",
    "signature",
];

/// Whether records of a kind are written by acts of their own alone.
pub fn has_own_acts(kind: &str) -> bool {
    OWN_ACTS.contains(&kind)
}

/// Whether this device may write records of a kind at all.
pub fn may_write_kind(node: &Node, kind: &Kind) -> bool {
    kind.writers.iter().any(|writer| match writer.as_str() {
        "school" => node.home_school().is_some(),
        "county" => node.is_county(),
        "auditor" => node.is_auditor(),
        "mentor" => !node.scopes(Role::Mentor).is_empty(),
        "host" => !node.scopes(Role::Host).is_empty(),
        _ => false,
    })
}

/// Whether this device may write the document that a record stands in.
fn may_write_here(node: &Node, record: &Record) -> bool {
    DocKey::parse(&record.doc).is_some_and(|key| may_write(&node.0.policy, &node.roll(), &node.id(), &key))
}

/// Records of one kind, newest first; of all schools that this node reads if `school` is `None`.
pub fn entries(node: &Node, kind: &str, school: Option<&str>, limit: u32) -> Result<Vec<Entry>, Error> {
    let records = node.records(&newest(kind, school, limit))?;
    rows(node, &records)
}

/// How many records of each kind this node has.
pub fn entry_counts(node: &Node) -> Result<HashMap<String, u64>, Error> {
    node.read(|conn| {
        let mut query = conn.prepare_cached("SELECT kind, COUNT(*) FROM record GROUP BY kind")?;
        let rows = query.query_map((), |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
}

pub(super) fn rows(node: &Node, records: &[Record]) -> Result<Vec<Entry>, Error> {
    let kinds = node.kinds();
    let names = organisation_names(node)?;
    let words = words(node, &kinds, records)?;
    let mut titles = Titles::new(node, &kinds);
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let late = Closed::load(node)?.late(node, &ids)?;
    records
        .iter()
        .map(|record| {
            let known = kinds.get(&reference(record));
            let school = record.school.clone().unwrap_or_default();
            let about = words.get(&key(&school, &record.id)).map(Vec::as_slice);
            let column = |column: fn(&records::kinds::View) -> &Option<String>| {
                let field = known.and_then(|kind| column(&kind.view).as_deref());
                field.map_or("", |field| record.text(field)).to_owned()
            };
            Ok(Entry {
                id: record.id.clone(),
                kind: record.kind.clone(),
                version: record.version,
                known: known.is_some(),
                title: titles.of(record, 2)?[0].clone(),
                date: column(|view| &view.date),
                person: titles.named("person", &column(|view| &view.person))?[0].clone(),
                school_name: names.get(&school).cloned().unwrap_or_default(),
                stand: known.and_then(|kind| stand(&kinds, kind, record, about.unwrap_or_default())),
                disputed: record.disputed,
                late: late.contains(&key(&record.doc, &record.id)),
                way: record.way,
                by: record.text("_by").to_owned(),
                school,
            })
        })
        .collect()
}

/// The records whose word or signature these stand on, by what they are about.
fn words(node: &Node, kinds: &Kinds, records: &[Record]) -> Result<HashMap<Key, Vec<Row>>, Error> {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    for kind in records.iter().filter_map(|record| kinds.get(&reference(record))) {
        for each in kind.states.iter().flat_map(|states| &states.moves) {
            wanted.extend(each.by.as_ref().map(|by| by.kind.as_str()));
            let signed = each.needs.iter().filter(|need| need.binds);
            wanted.extend(signed.filter_map(|need| need.record.as_deref()));
        }
    }
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let mut words: HashMap<Key, Vec<Row>> = HashMap::new();
    for kind in wanted {
        for (about, rows) in by_about(node, kind, &ids)? {
            words.entry(about).or_default().extend(rows);
        }
    }
    for record in records {
        let school = record.school.clone().unwrap_or_default();
        let Some(rows) = words.get_mut(&key(&school, &record.id)) else {
            continue;
        };
        if rows.iter().any(|row| binds_beneath(&row.fields)) {
            let beneath = beneath(node, kinds, record)?;
            rows.retain(|row| covers(&row.fields, beneath.as_deref()));
        }
    }
    Ok(words)
}

fn stand(kinds: &Kinds, kind: &Kind, record: &Record, about: &[Row]) -> Option<Stand> {
    let related: Vec<Related<'_>> = about.iter().map(related).collect();
    let scene = Scene {
        kinds,
        kind,
        fields: &record.fields,
        disputed: record.disputed,
        related: &related,
    };
    let standing = scene.standing()?;
    let states = kind.states.as_ref()?;
    let label = |lang| kind.code_label(&states.field, standing.state, lang).to_owned();
    Some(Stand {
        code: standing.state.to_owned(),
        zh: label(Lang::Zh),
        en: label(Lang::En),
        stale: standing.stale,
        differ: standing.differ,
        unsigned: standing.unsigned,
        closed: states.closed.iter().any(|closed| closed == standing.state),
    })
}

/// Where each of these records stands, in their order.
pub(super) fn stands(node: &Node, records: &[Record]) -> Result<Vec<Option<Stand>>, Error> {
    let kinds = node.kinds();
    let words = words(node, &kinds, records)?;
    let of = |record: &Record| {
        let school = record.school.clone().unwrap_or_default();
        let about = words.get(&key(&school, &record.id)).map(Vec::as_slice);
        stand(
            &kinds,
            kinds.get(&reference(record))?,
            record,
            about.unwrap_or_default(),
        )
    };
    Ok(records.iter().map(of).collect())
}

pub(super) fn stand_of(
    node: &Node,
    kinds: &Kinds,
    form: &Kind,
    record: &Record,
) -> Result<Option<Stand>, Error> {
    let words = words(node, kinds, std::slice::from_ref(record))?;
    let school = record.school.clone().unwrap_or_default();
    let about = words.get(&key(&school, &record.id)).map(Vec::as_slice);
    Ok(stand(kinds, form, record, about.unwrap_or_default()))
}

/// The state in which a record stands, the county's word on it included; as stored if its form is not here.
pub(super) fn state_of(node: &Node, record: &Record) -> Result<String, Error> {
    let kinds = node.kinds();
    let stand = match kinds.get(&reference(record)) {
        Some(form) => stand_of(node, &kinds, form, record)?,
        None => None,
    };
    Ok(stand.map_or_else(|| record.text("state").to_owned(), |stand| stand.code))
}

pub(super) fn related(row: &Row) -> Related<'_> {
    let reference = row.text("_kind");
    Related {
        kind: split_reference(reference).map_or("", |(id, _)| id),
        fields: &row.fields,
        disputed: row.disputed,
    }
}

/// "lesson/1", as the record names it.
pub(super) fn reference(record: &Record) -> String {
    format!("{}/{}", record.kind, record.version)
}

/// One record with what stands around it, for this actor; `None` if it is not here.
pub fn entry(node: &Node, actor: Actor, kind: &str, id: &str) -> Result<Option<EntryDetail>, Error> {
    let Some(record) = record_of(node, kind, id)? else {
        return Ok(None);
    };
    let Some(entry) = rows(node, std::slice::from_ref(&record))?.pop() else {
        return Ok(None);
    };
    let kinds = node.kinds();
    let form = kinds.get(&reference(&record));
    let around = around(node, &record)?;
    let digest = record_digest_with(&kinds, &record.fields);
    let beneath = beneath(node, &kinds, &record)?;
    let bound = |record: &Record| {
        // A signature is that of the device whose key it names.
        let key = record.fields.get(KEY).and_then(Value::as_text);
        let own = key.is_none_or(|key| key == device_key(&record.author));
        let covers = own && covers(&record.fields, beneath.as_deref());
        let binds = record.fields.get(BINDS)?;
        Some(covers && binds.as_text() == Some(&digest))
    };
    let about_rows = rows(node, &around)?;
    let about = around
        .iter()
        .zip(about_rows)
        .map(|(record, entry)| About {
            binds: bound(record),
            said: [Lang::Zh, Lang::En].map(|lang| said(&kinds, record, lang)),
            entry,
        })
        .collect();
    let mut standing = around;
    standing.retain(|other| covers(&other.fields, beneath.as_deref()));
    let mut steps = form.map_or_else(Vec::new, |form| steps(&kinds, form, &record, &standing, actor));
    // A mentor's sheet is read at the school; who cannot write it takes no step of it.
    if !may_write_here(node, &record) {
        steps.retain(|step| step.elsewhere.is_some());
    }
    let home = node.home_school();
    let ours = record.school.is_none()
        || home == record.school
        || form.is_some_and(|f| f.document == "ledger")
        || super::visits::is_own(node, &record.doc);
    let editable = ours
        && form.is_some_and(|form| may_write_kind(node, form) && !has_own_acts(&form.id))
        && !entry.stand.as_ref().is_some_and(|stand| stand.closed);
    Ok(Some(EntryDetail {
        fields: shown(node, &kinds, form, &record)?,
        more: more(node, &kinds, &record),
        history: past(node, &kinds, form, id)?,
        kind: form.cloned(),
        entry,
        record,
        steps,
        about,
        editable,
    }))
}

/// What a record says beside its name, person, date and state, in one line.
fn said(kinds: &Kinds, record: &Record, lang: Lang) -> String {
    let Some(form) = kinds.get(&reference(record)) else {
        return String::new();
    };
    let title = form.title_field().map(|field| field.id.as_str());
    let date = form.view.date.as_deref();
    let said = form.fields.iter().filter(|field| {
        field.field_type != FieldType::Ref
            && ![title, date].contains(&Some(field.id.as_str()))
            && !filled_by_program(form, &field.id)
    });
    let said = said.filter_map(|field| {
        let value = field.show(record.fields.get(&field.id)?, lang);
        Some(format!("{}{}{value}", field.label(lang), lang.pick("：", ": ")))
    });
    said.collect::<Vec<_>>().join(lang.pick("；", "; "))
}

/// The records about one, of its own school.
pub(super) fn around(node: &Node, record: &Record) -> Result<Vec<Record>, Error> {
    let mut all = node.records(&Filter::all_about(&record.id))?;
    all.retain(|other| other.school == record.school);
    Ok(all)
}

fn steps(kinds: &Kinds, form: &Kind, record: &Record, around: &[Record], actor: Actor) -> Vec<Next> {
    let related: Vec<Related<'_>> = around.iter().map(as_related).collect();
    let scene = Scene {
        kinds,
        kind: form,
        fields: &record.fields,
        disputed: record.disputed,
        related: &related,
    };
    let steps = scene.steps(actor).into_iter();
    steps
        .map(|step| Next {
            to: step.to.to_owned(),
            zh: step.zh.to_owned(),
            en: step.en.to_owned(),
            reason: step.reason,
            refused: step.refused.into_iter().map(|e| [e.zh, e.en]).collect(),
            elsewhere: step
                .elsewhere
                .map(|by| [by.kind.clone(), by.field.clone(), by.value.clone()]),
        })
        .collect()
}

pub(super) fn as_related(record: &Record) -> Related<'_> {
    Related {
        kind: &record.kind,
        fields: &record.fields,
        disputed: record.disputed,
    }
}

/// The kinds of which a record about this one can be written on this device.
fn more(node: &Node, kinds: &Kinds, record: &Record) -> Vec<(String, String, String)> {
    let fits = |kind: &&Kind| {
        let target = kind.view.about.as_deref().and_then(|field| kind.field(field));
        let target = target.and_then(|field| field.ref_kind.as_deref());
        let any = target == Some("*") && kind.document != "registry" && record.school.is_some();
        (target == Some(record.kind.as_str()) || any) && may_write_kind(node, kind) && !has_own_acts(&kind.id)
    };
    // What hangs on a mentor's visit is that mentor's.
    if record.doc.starts_with("visits/") && !super::visits::is_own(node, &record.doc) {
        return Vec::new();
    }
    let fitting = kinds.newest().filter(fits);
    fitting
        .map(|kind| (kind.id.clone(), kind.zh.clone(), kind.en.clone()))
        .collect()
}

pub(super) fn shown(
    node: &Node,
    kinds: &Kinds,
    form: Option<&Kind>,
    record: &Record,
) -> Result<Vec<Shown>, Error> {
    let mut titles = Titles::new(node, kinds);
    let mut all = Vec::new();
    let ordered = form
        .iter()
        .flat_map(|form| &form.fields)
        .map(|field| field.id.as_str());
    let ordered: Vec<&str> = ordered.collect();
    let raw = record.fields.keys().map(String::as_str);
    let raw = raw.filter(|name| !name.starts_with('_') && !ordered.contains(name));
    for name in ordered.iter().copied().chain(raw) {
        let field = form.and_then(|form| form.field(name));
        let value = record.fields.get(name);
        let others = record.others.get(name).map(Vec::as_slice).unwrap_or_default();
        // A snapshot is for the program to read.
        let snapshot = field.is_some_and(|field| field.format == Some(Format::Hex) && field.min_len == 0);
        if (value.is_none() && others.is_empty()) || name == BINDS || snapshot {
            continue;
        }
        let link = field
            .filter(|field| field.field_type == FieldType::Ref)
            .and_then(|_| value?.as_text())
            .map(|id| node.record(id))
            .transpose()?
            .flatten()
            .map(|target| (target.kind, target.id));
        all.push(Shown {
            id: name.to_owned(),
            zh: field.map_or(name, |field| &field.zh).to_owned(),
            en: field.map_or(name, |field| &field.en).to_owned(),
            value: match value {
                Some(value) => titles.shown(field, value)?,
                None => Default::default(),
            },
            link,
            others: others
                .iter()
                .map(|other| titles.shown(field, other))
                .collect::<Result<_, _>>()?,
        });
    }
    Ok(all)
}

fn past(node: &Node, kinds: &Kinds, form: Option<&Kind>, id: &str) -> Result<Vec<Done>, Error> {
    let mut titles = Titles::new(node, kinds);
    let mut all = Vec::new();
    for act in node.history(id)? {
        let Act {
            at,
            device_label,
            by,
            made,
            fields,
            ..
        } = act;
        let mut changes = Vec::new();
        for (name, before, after) in fields.into_iter().filter(|(name, _, _)| name != BINDS) {
            let field = form.and_then(|form| form.field(&name));
            let mut stood = [Vec::new(), Vec::new()];
            for value in &before {
                let [zh, en] = titles.shown(field, value)?;
                stood[0].push(zh);
                stood[1].push(en);
            }
            changes.push(Changed {
                label: match field {
                    Some(field) => [field.zh.clone(), field.en.clone()],
                    None => [name.clone(), name],
                },
                before: [stood[0].join(" ／ "), stood[1].join(" / ")],
                after: match &after {
                    Some(value) => titles.shown(field, value)?,
                    None => Default::default(),
                },
            });
        }
        all.push(Done {
            at,
            by,
            device: device_label,
            made,
            changes,
        });
    }
    Ok(all)
}
