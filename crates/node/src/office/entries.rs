//! Records of any kind, as their kind's file says: list, one with what stands around it, saving, steps.
//!
//! Nothing here knows a kind by its name but for the signature, whose means must be true. What a kind asks is
//! in its file; `records::kinds` says what is wrong and which steps lead on, and this applies it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use records::kinds::{Actor, BINDS, Field, FieldType, Kind, Related, Scene, split_reference};
use records::{Kinds, Lang, Value, record_digest_with};

use super::draft::{Draft, year_of};
use super::lookup::{Key, Row, by_about, key, newest, organisation_names, record_of};
use super::{By, fault, invalid, no_such, own_school, turn};
use crate::{Act, Error, Filter, Node, Record, Way};

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

/// What a form says.
#[derive(Clone, Debug, Default)]
pub struct EntryInput {
    /// Kind id.
    pub kind: String,
    /// Record id; `None` for a new one.
    pub id: Option<String>,
    /// Every field that the form has; `None` empties it.
    pub values: Vec<(String, Option<Value>)>,
}

/// Fields that the program fills: the state, its reason, the round, the digest.
pub fn filled_by_program(kind: &Kind, field: &str) -> bool {
    let states = kind.states.as_ref();
    field == BINDS
        || states.is_some_and(|s| {
            s.field == field || s.reason.as_deref() == Some(field) || s.round.as_deref() == Some(field)
        })
}

/// Whether this device may write records of a kind at all.
pub fn may_write_kind(node: &Node, kind: &Kind) -> bool {
    kind.writers.iter().any(|writer| match writer.as_str() {
        "school" => node.home_school().is_some(),
        "county" => node.is_county(),
        "auditor" => node.is_auditor(),
        _ => false,
    })
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

fn rows(node: &Node, records: &[Record]) -> Result<Vec<Entry>, Error> {
    let kinds = node.kinds();
    let names = organisation_names(node)?;
    let words = words(node, &kinds, records)?;
    let mut titles = Titles::new(node, &kinds);
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
                way: record.way,
                by: record.text("_by").to_owned(),
                school,
            })
        })
        .collect()
}

/// The records whose word makes steps of these, by what they are about.
fn words(node: &Node, kinds: &Kinds, records: &[Record]) -> Result<HashMap<Key, Vec<Row>>, Error> {
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    for kind in records.iter().filter_map(|record| kinds.get(&reference(record))) {
        let moves = kind.states.iter().flat_map(|states| &states.moves);
        wanted.extend(moves.filter_map(|each| Some(each.by.as_ref()?.kind.as_str())));
    }
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let mut words: HashMap<Key, Vec<Row>> = HashMap::new();
    for kind in wanted {
        for (about, rows) in by_about(node, kind, &ids)? {
            words.entry(about).or_default().extend(rows);
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
        closed: states.closed.iter().any(|closed| closed == standing.state),
    })
}

fn related(row: &Row) -> Related<'_> {
    let reference = row.text("_kind");
    Related {
        kind: split_reference(reference).map_or("", |(id, _)| id),
        fields: &row.fields,
        disputed: row.disputed,
    }
}

/// "lesson/1", as the record names it.
fn reference(record: &Record) -> String {
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
    let bound = |record: &Record| {
        record
            .fields
            .get(BINDS)
            .map(|binds| binds.as_text() == Some(&digest))
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
    let steps = form.map_or_else(Vec::new, |form| steps(&kinds, form, &record, &around, actor));
    let home = node.home_school();
    let ours =
        record.school.is_none() || home == record.school || form.is_some_and(|f| f.document == "ledger");
    let editable = ours
        && form.is_some_and(|form| may_write_kind(node, form))
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
fn around(node: &Node, record: &Record) -> Result<Vec<Record>, Error> {
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

fn as_related(record: &Record) -> Related<'_> {
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
        (target == Some(record.kind.as_str()) || any) && may_write_kind(node, kind)
    };
    let fitting = kinds.newest().filter(fits);
    fitting
        .map(|kind| (kind.id.clone(), kind.zh.clone(), kind.en.clone()))
        .collect()
}

fn shown(node: &Node, kinds: &Kinds, form: Option<&Kind>, record: &Record) -> Result<Vec<Shown>, Error> {
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
        if (value.is_none() && others.is_empty()) || name == BINDS {
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

/// What records are called, each looked up once.
struct Titles<'a> {
    node: &'a Node,
    kinds: &'a Kinds,
    known: HashMap<String, [String; 2]>,
}

impl<'a> Titles<'a> {
    fn new(node: &'a Node, kinds: &'a Kinds) -> Titles<'a> {
        Titles {
            node,
            kinds,
            known: HashMap::new(),
        }
    }

    /// A value for readers, in Chinese and English; a reference by its name.
    fn shown(&mut self, field: Option<&Field>, value: &Value) -> Result<[String; 2], Error> {
        match (field, value) {
            (Some(field), Value::Text(id)) if field.field_type == FieldType::Ref => {
                self.named(field.ref_kind.as_deref().unwrap_or("*"), id)
            }
            (Some(field), value) => Ok([Lang::Zh, Lang::En].map(|lang| field.show(value, lang))),
            (None, value) => Ok([value.to_string(), value.to_string()]),
        }
    }

    /// What a record is called, following references so many times.
    fn of(&mut self, record: &Record, depth: u8) -> Result<[String; 2], Error> {
        let kind = self.kinds.get(&reference(record));
        let field = match record.kind.as_str() {
            "person" | "organisation" => kind.and_then(|kind| kind.field("name")),
            _ => kind.and_then(Kind::title_field),
        };
        let Some((field, value)) = field.and_then(|field| Some((field, record.fields.get(&field.id)?)))
        else {
            // Of a form that is not here: whatever text it begins with.
            let texts = record.fields.iter().filter(|(name, _)| !name.starts_with('_'));
            let first = texts.filter_map(|(_, value)| value.as_text()).next();
            let first = first.unwrap_or_default().to_owned();
            return Ok([first.clone(), first]);
        };
        match value {
            Value::Text(id) if field.field_type == FieldType::Ref && depth > 0 => {
                self.named_at(field.ref_kind.as_deref().unwrap_or("*"), id, depth - 1)
            }
            value => Ok([Lang::Zh, Lang::En].map(|lang| field.show(value, lang))),
        }
    }

    /// What the record with this id is called; said so when it is not here (待同步).
    fn named(&mut self, kind: &str, id: &str) -> Result<[String; 2], Error> {
        self.named_at(kind, id, 2)
    }

    fn named_at(&mut self, kind: &str, id: &str, depth: u8) -> Result<[String; 2], Error> {
        if id.is_empty() {
            return Ok(Default::default());
        }
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let found = self.node.record(id)?;
        let name = match found.filter(|record| kind == "*" || record.kind == kind) {
            Some(record) => self.of(&record, depth)?,
            None => ["（待同步）".to_owned(), "(not here yet)".to_owned()],
        };
        self.known.insert(id.to_owned(), name.clone());
        Ok(name)
    }
}

/// Records that a field may name, for a list to choose from: id and what they are called.
pub fn choices(node: &Node, field: &Field, school: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    const MANY: u32 = 300;
    match field.ref_kind.as_deref() {
        Some("person") => {
            let Some(school) = school else {
                return Ok(Vec::new());
            };
            let teachers = super::roster(node, school)?;
            Ok(teachers.into_iter().map(|t| (t.id, t.name)).collect())
        }
        Some("organisation") => {
            let all = super::organisations(node)?;
            Ok(all.into_iter().map(|o| (o.id, o.name)).collect())
        }
        Some("*") | None => Ok(Vec::new()),
        Some(kind) => {
            let all = entries(node, kind, school, MANY)?;
            let named = |e: Entry| match e.date.is_empty() {
                true => (e.id, e.title),
                false => (e.id, format!("{} {}", e.date, e.title)),
            };
            Ok(all.into_iter().map(named).collect())
        }
    }
}

/// Saves a record of any kind; returns its id. A new one stands in the first state of its kind.
pub fn save_entry(node: &Node, by: &By, actor: Actor, input: EntryInput) -> Result<String, Error> {
    let _turn = turn();
    let kinds = node.kinds();
    let old = match &input.id {
        Some(id) => Some(record_of(node, &input.kind, id)?.ok_or_else(|| no_such("id", "", "record"))?),
        None => None,
    };
    let form = match &old {
        Some(old) => kinds.get(&reference(old)),
        None => kinds.latest(&input.kind),
    };
    let form = form.ok_or_else(|| {
        invalid(
            "_kind",
            "本机还没有这种表单，请先与县里同步",
            "This node does not have this form yet; sync with the county first",
        )
    })?;
    if !may_write_kind(node, form) {
        return Err(invalid(
            "_kind",
            "这种记录不在这台设备上登记",
            "Records of this kind are not entered on this device",
        ));
    }
    let mut draft = Draft::new(&form.id);
    for (name, value) in input.values {
        if form.field(&name).is_some() && !filled_by_program(form, &name) {
            draft = draft.value(&name, value);
        }
    }
    let whole = draft.over(old.as_ref().map(|old| old.fields.clone()).unwrap_or_default());
    let about = match form
        .view
        .about
        .as_deref()
        .and_then(|field| whole.get(field)?.as_text())
    {
        Some(id) => node.record(id)?,
        None => None,
    };
    targets(node, form, &whole, old.as_ref())?;
    if let Some(about) = &about {
        draft = said_of(node, by, actor, &kinds, form, about, old.as_ref(), draft)?;
    }
    let Some(old) = old else {
        if let Some(states) = &form.states {
            let first = states.initial.first().map(|state| Value::from(state.as_str()));
            draft = draft.value(&states.field, first);
        }
        let id = node.new_id();
        let document = document(node, form, &draft, about.as_ref());
        // What is missing stands beside its field before it is asked where the record goes.
        let edit = draft.create(node, id.clone(), by)?;
        node.commit(&document?, vec![edit])?;
        return Ok(id);
    };
    editable(node, &kinds, form, &old)?;
    if form.document != "registry"
        && form.view.date.is_some()
        && document(node, form, &draft, about.as_ref())? != old.doc
    {
        return Err(invalid(
            form.view.date.as_deref().unwrap_or_default(),
            "日期不能改到另一学年，请作废后重新登记",
            "The date cannot move to another school year; void this record and enter a new one",
        ));
    }
    if let Some(edit) = draft.change(node, &old, by)? {
        node.commit(&old.doc, vec![edit])?;
    }
    Ok(old.id)
}

/// A reference names a record that is here, of the right kind, and of the same school (or the county's).
fn targets(node: &Node, form: &Kind, whole: &records::Fields, old: Option<&Record>) -> Result<(), Error> {
    let mut faults = Vec::new();
    let home = node.home_school();
    for field in form.fields.iter().filter(|f| f.field_type == FieldType::Ref) {
        let Some(id) = whole.get(&field.id).and_then(Value::as_text) else {
            continue;
        };
        if old.is_some_and(|old| old.text(&field.id) == id) {
            continue;
        }
        let wanted = field.ref_kind.as_deref().unwrap_or("*");
        let found = node.record(id)?;
        let good = found.is_some_and(|target| {
            (wanted == "*" || target.kind == wanted)
                && (target.school.is_none() || home.is_none() || target.school == home)
        });
        if !good {
            faults.push(fault(
                &field.id,
                &format!("{}：本机没有这条记录，请重新选择", field.zh),
                &format!("{}: there is no such record here; choose again", field.en),
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(faults))
    }
}

/// What a record about another one must keep to, and the digest that binds it.
#[allow(clippy::too_many_arguments)]
fn said_of(
    node: &Node,
    by: &By,
    actor: Actor,
    kinds: &Kinds,
    form: &Kind,
    about: &Record,
    old: Option<&Record>,
    draft: Draft,
) -> Result<Draft, Error> {
    let whole = draft.over(old.map(|old| old.fields.clone()).unwrap_or_default());
    if form.document == "ledger" && node.home_school().is_some() && node.home_school() == about.school {
        return Err(invalid(
            form.view.about.as_deref().unwrap_or_default(),
            "不能审核本校的记录",
            "Nobody decides on records of the own school",
        ));
    }
    if form.id == "signature" && whole.get("means").and_then(Value::as_text) == Some("own_account") {
        let account = node.read(|conn| store::accounts::account_named(conn, &by.account))?;
        let person = account.and_then(|account| account.person).unwrap_or_default();
        if person.is_empty() || whole.get("person").and_then(Value::as_text) != Some(person.as_str()) {
            return Err(invalid(
                "means",
                "现在登录的不是签字人本人的账号；请本人登录后签，或选“纸上签字”",
                "The account signed in is not the signer's own; sign in as the signer, or choose “on paper”",
            ));
        }
    }
    if let Some(of) = kinds.get(&reference(about)) {
        // The word that is renewed does not stand against itself.
        let mut around = around(node, about)?;
        around.retain(|other| old.is_none_or(|old| old.id != other.id));
        let related: Vec<Related<'_>> = around.iter().map(as_related).collect();
        let scene = Scene {
            kinds,
            kind: of,
            fields: &about.fields,
            disputed: about.disputed,
            related: &related,
        };
        scene.word(actor, &form.id, &whole).map_err(Error::Invalid)?;
    }
    Ok(match form.field(BINDS) {
        Some(_) => draft.text(BINDS, &record_digest_with(kinds, &about.fields)),
        None => draft,
    })
}

/// The document that holds a new record of this kind.
fn document(node: &Node, form: &Kind, draft: &Draft, about: Option<&Record>) -> Result<String, Error> {
    let fields = draft.over(records::Fields::new());
    let date = form.view.date.as_deref();
    let year = || match date.and_then(|field| Some((field, fields.get(field)?.as_text()?))) {
        Some((field, typed)) => year_of(field, typed),
        None => about.and_then(|about| about.year).ok_or_else(|| {
            invalid(
                date.unwrap_or("_kind"),
                "不知道属于哪个学年：请填写日期",
                "The school year is not known; enter the date",
            )
        }),
    };
    match form.document.as_str() {
        "registry" => Ok("registry".to_owned()),
        "plan" => Ok(format!("plan/{}", year()?)),
        "ledger" => match about {
            // The county's word stands in the year of what it is about.
            Some(about) if about.doc.starts_with("log/") => Ok(about.doc.replacen("log/", "ledger/", 1)),
            _ => Err(invalid(
                form.view.about.as_deref().unwrap_or("_kind"),
                "请从学校的记录上办理",
                "Begin at the school's record",
            )),
        },
        family @ ("log" | "base") => {
            let school = node.home_school().unwrap_or_default();
            own_school(node, &school)?;
            Ok(format!("{family}/{school}/{}", year()?))
        }
        _ => Err(invalid(
            "_kind",
            "这种记录还不能在这里登记",
            "Records of this kind cannot be entered here yet",
        )),
    }
}

fn editable(node: &Node, kinds: &Kinds, form: &Kind, record: &Record) -> Result<(), Error> {
    if matches!(form.document.as_str(), "log" | "base") {
        own_school(node, record.school.as_deref().unwrap_or_default())?;
    }
    let words = words(node, kinds, std::slice::from_ref(record))?;
    let school = record.school.clone().unwrap_or_default();
    let about = words.get(&key(&school, &record.id)).map(Vec::as_slice);
    match stand(kinds, form, record, about.unwrap_or_default()) {
        Some(stand) if stand.closed => Err(invalid(
            "state",
            &format!("“{}”的记录不能再修改", stand.zh),
            &format!("A record that stands at “{}” is not edited any more", stand.en),
        )),
        _ => Ok(()),
    }
}

/// Takes a step (提交、作废 …), if the kind allows it to this actor now.
pub fn take_step(
    node: &Node,
    by: &By,
    actor: Actor,
    kind: &str,
    id: &str,
    to: &str,
    reason: &str,
) -> Result<(), Error> {
    let _turn = turn();
    let record = record_of(node, kind, id)?.ok_or_else(|| no_such("id", "", "record"))?;
    let kinds: Arc<Kinds> = node.kinds();
    let form = kinds
        .get(&reference(&record))
        .ok_or_else(|| no_such("_kind", "表单", "form"))?;
    if matches!(form.document.as_str(), "log" | "base") {
        own_school(node, record.school.as_deref().unwrap_or_default())?;
    }
    let around = around(node, &record)?;
    let related: Vec<Related<'_>> = around.iter().map(as_related).collect();
    let scene = Scene {
        kinds: &kinds,
        kind: form,
        fields: &record.fields,
        disputed: record.disputed,
        related: &related,
    };
    let edits = scene.take(actor, to, reason).map_err(Error::Invalid)?;
    let draft = edits.iter().fold(Draft::new(&form.id), |draft, (name, value)| {
        draft.value(name, value.clone())
    });
    match draft.change(node, &record, by)? {
        Some(edit) => node.commit(&record.doc, vec![edit]),
        None => Ok(()),
    }
}
