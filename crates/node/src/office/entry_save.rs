//! Saving a record of any kind, and taking steps with it, as its kind's file allows.

use std::collections::BTreeSet;
use std::sync::Arc;

use records::kinds::{Actor, BINDS, FieldType, Kind, Related, Scene};
use records::{Kinds, Value, record_digest_with};

use super::bulletins::may_issue;
use super::carry::follow;
use super::closing::reopened_with;
use super::draft::{Draft, year_of};
use super::entries::{
    KEY, around, as_related, device_key, filled_by_program, has_own_acts, may_write_kind, reference, stand_of,
};
use super::lookup::{key, record_of};
use super::places::may_confirm;
use super::roster::Edits;
use super::same_person::follow_act;
use super::signatures::{BENEATH, beneath, covers};
use super::{By, fault, invalid, no_such, own_school, turn};
use crate::{Error, Filter, Node, Record, Role};

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
    // A session begins on its own page; what its form adds is edited here.
    if has_own_acts(&form.id) || (form.id == "session" && old.is_none()) {
        return Err(invalid(
            "_kind",
            "这种记录请在它自己的页面上登记",
            "Records of this kind are entered on their own page",
        ));
    }
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
        draft = said_of(node, actor, &kinds, form, about, old.as_ref(), draft)?;
    }
    let Some(old) = old else {
        if let Some(states) = &form.states {
            let first = states.initial.first().map(|state| Value::from(state.as_str()));
            draft = draft.value(&states.field, first);
        }
        let id = node.new_id();
        let document = document(node, form, &whole, about.as_ref());
        // What is missing stands beside its field before it is asked where the record goes.
        let mut edits = Edits::default();
        if form.id == TRANSFER {
            // Neither school reads the other's ledger: the order stands in both, under one number.
            let to = whole.get("to").and_then(Value::as_text).unwrap_or_default();
            let home = about.as_ref().and_then(|about| about.school.as_deref());
            if home.is_none() || whole.get("from").and_then(Value::as_text) != home {
                return Err(invalid(
                    "from",
                    "调出学校应是这位教师现在的学校",
                    "The old school must be the teacher's present one",
                ));
            }
            if home == Some(to) {
                return Err(invalid(
                    "to",
                    "调入学校与现在的学校相同",
                    "The new school is the present one",
                ));
            }
            if !copies(
                node,
                whole.get("order_no").and_then(Value::as_text).unwrap_or_default(),
            )?
            .is_empty()
            {
                return Err(invalid(
                    "order_no",
                    "这个文号已经用过",
                    "This number was used before",
                ));
            }
            let year = document
                .as_deref()
                .unwrap_or_default()
                .rsplit('/')
                .next()
                .unwrap_or_default();
            let there = format!("ledger/{to}/{year}");
            edits.push(&there, draft.clone().create(node, node.new_id(), by)?);
        }
        let edit = draft.create(node, id.clone(), by)?;
        edits.push(&document?, edit);
        edits.commit(node)?;
        return Ok(id);
    };
    editable(node, &kinds, form, &old)?;
    if form.document != "registry"
        && form.view.date.is_some()
        && document(node, form, &whole, about.as_ref())? != old.doc
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
    // A mentor's laptop reads several schools: what it writes about one names nobody of another.
    let about = form
        .view
        .about
        .as_deref()
        .and_then(|field| whole.get(field)?.as_text());
    let home = match (node.home_school(), form.document == "visits", about) {
        (Some(home), _, _) => Some(home),
        (None, true, Some(about)) => node.record(about)?.and_then(|about| about.school),
        (None, true, None) => whole.get("host").and_then(Value::as_text).map(str::to_owned),
        (None, false, _) => None,
    };
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
    // A signature says on which device it was given.
    let draft = match form.field(KEY) {
        Some(_) => draft.text(KEY, &device_key(&node.id())),
        None => draft,
    };
    // And, where its form has room for it, what hangs on the record.
    let draft = match form.field(BENEATH).and(beneath(node, kinds, about)?) {
        Some(digest) => draft.text(BENEATH, &digest),
        None => draft,
    };
    Ok(match form.field(BINDS) {
        Some(_) => draft.text(BINDS, &record_digest_with(kinds, &about.fields)),
        None => draft,
    })
}

/// The document that holds a new record of this kind.
fn document(
    node: &Node,
    form: &Kind,
    fields: &records::Fields,
    about: Option<&Record>,
) -> Result<String, Error> {
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
            Some(about) if about.doc.starts_with("base/") => Ok(format!(
                "ledger/{}/{}",
                about.school.as_deref().unwrap_or_default(),
                year()?
            )),
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
        // One plan of a person stands beside the other, by school.
        "portfolio" => {
            let school = node.home_school().unwrap_or_default();
            own_school(node, &school)?;
            let person = form
                .view
                .person
                .as_deref()
                .and_then(|field| fields.get(field)?.as_text());
            Ok(format!("portfolio/{school}/{}", person.unwrap_or_default()))
        }
        // What a mentor writes about a sheet goes beside it; a sheet goes to the school that it names.
        "visits" if about.is_some() => Ok(about.map(|about| about.doc.clone()).unwrap_or_default()),
        "visits" => {
            let host = fields.get("host").and_then(Value::as_text).unwrap_or_default();
            let scope = node.scopes(Role::Mentor).into_iter().find(|scope| {
                let school = scope.rsplit_once('/').map(|(_, school)| school);
                school == Some(host)
            });
            let scope = scope.ok_or_else(|| {
                invalid(
                    "host",
                    "县里没有把这所学校分给这台设备；请选分给的学校",
                    "The county has not assigned this school to this device; choose one that it has",
                )
            })?;
            Ok(format!("visits/{scope}/{}", year()?))
        }
        "group" if about.is_some() => Ok(about.map(|about| about.doc.clone()).unwrap_or_default()),
        "group" => {
            let scope = node.scopes(Role::Host).into_iter().next().unwrap_or_default();
            Ok(format!("group/{scope}/{}", year()?))
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
    match stand_of(node, kinds, form, record)? {
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
    match (form.id.as_str(), to) {
        ("bulletin", "issued") => may_issue(node, &record)?,
        ("enrolment", "confirmed") => may_confirm(node, &record)?,
        _ => {}
    }
    // Both copies of a transfer's order take the step, or none: it needs the old school's release and the new
    // one's acceptance.
    let taking = match form.id.as_str() {
        TRANSFER => copies(node, record.text("order_no"))?,
        "year_close" => reopened_with(node, &record)?,
        _ => vec![record],
    };
    let mut drafts = Vec::new();
    for record in &taking {
        let beneath = beneath(node, &kinds, record)?;
        let mut around = around(node, record)?;
        around.retain(|other| covers(&other.fields, beneath.as_deref()));
        let related: Vec<Related<'_>> = around.iter().map(as_related).collect();
        let scene = Scene {
            kinds: &kinds,
            kind: form,
            fields: &record.fields,
            disputed: record.disputed,
            related: &related,
        };
        let said = scene.take(actor, to, reason).map_err(Error::Invalid)?;
        let draft = said.iter().fold(Draft::new(&form.id), |draft, (name, value)| {
            draft.value(name, value.clone())
        });
        drafts.push((record, draft));
    }
    // What both copies allow says from then on who the person is at the new school.
    let moved = match form.id == TRANSFER && to == "effective" {
        true => Some(accepted_as(node, &taking)?),
        false => None,
    };
    let mut edits = Edits::default();
    for (record, mut draft) in drafts {
        if let Some(person) = &moved {
            draft = draft.text("to_person", person);
        }
        if let Some(edit) = draft.change(node, record, by)? {
            edits.push(&record.doc, edit);
        }
    }
    edits.commit(node)?;
    // Credits go where the county now says that a person is.
    match (taking.first(), form.id.as_str(), to) {
        (Some(order), TRANSFER, "effective") => {
            follow(node, by, &key(order.text("from"), order.text("person"))).map(drop)?;
        }
        (Some(act), "same_person", _) => follow_act(node, by, act)?,
        _ => {}
    }
    Ok(())
}

/// Whom the new school has named in its acceptance.
fn accepted_as(node: &Node, copies: &[Record]) -> Result<String, Error> {
    let there = copies
        .iter()
        .find(|copy| copy.school.as_deref() == Some(copy.text("to")));
    let mut named = BTreeSet::new();
    if let Some(copy) = there {
        for word in around(node, copy)?
            .into_iter()
            .filter(|word| word.kind == "transfer_accept")
        {
            if !word.disputed && word.text("person") != copy.text("person") {
                named.insert(word.text("person").to_owned());
            }
        }
    }
    match (named.pop_first(), named.is_empty()) {
        (Some(person), true) => Ok(person),
        _ => Err(invalid(
            "state",
            "新学校的接收还没有写明本校花名册上是哪一位，或写了不同的人",
            "The new school’s acceptance does not name one person of its roster yet",
        )),
    }
}

/// The kind of the county's order that a teacher moves.
const TRANSFER: &str = "transfer_order";

/// Both copies of such an order.
fn copies(node: &Node, order_no: &str) -> Result<Vec<Record>, Error> {
    let mut copies = node.records(&Filter::kind(TRANSFER))?;
    copies.retain(|order| order.text("order_no") == order_no.trim());
    Ok(copies)
}
