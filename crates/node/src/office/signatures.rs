//! Signatures (签字) on a record: several people sign on one device, without a network, each with the own
//! account's PIN, and each signature binds the content that its signer saw (domain.md §3.5, no. 10 and 19).
//!
//! Which sides a record has stands in its kind's file: the steps that need a signature bound to the content. Who
//! may sign for a side, where the record names a person for it, is in [`PEOPLE`]. A signature stands in the
//! document of the record it is about, as a record of the kind that [`SIGNING`] names for that family. Nobody
//! edits one: who signs anew after a change makes a new signature, and the old one stays, marked as void.

use records::kinds::{Actor, BINDS, Kind, Need, Related, Scene};
use records::{Fields, Kinds, Lang, Value, parts_digest, record_digest_with};

use super::draft::Draft;
use super::entries::{KEY, around, as_related, device_key, reference, stand_of};
use super::lookup::record_of;
use super::roster::Edits;
use super::titles::Titles;
use super::{By, invalid, no_such, own_school, turn};
use crate::accounts::{self, Account};
use crate::{Error, Node, Record, Way};

/// The kind of a signature, by the family of the document that holds what is signed, and its field for the side.
const SIGNING: [(&str, &str, &str); 2] = [
    ("log", "signature", CAPACITY),
    ("visits", "visit_signature", "side"),
];

/// Where a record names the person of a side: kind, side, and the fields to follow from the record. A side that is
/// not listed may be signed by any person of the school.
const PEOPLE: [(&str, &str, &[&str]); 5] = [
    ("observation", "observer", &["observer"]),
    ("observation", "teacher", &["lesson", "teacher"]),
    ("pairing", "mentor", &["mentor"]),
    ("pairing", "mentee", &["mentee"]),
    ("waiver", "participant", &["person"]),
];

/// The field that binds what the signed record is about, of an observation its lesson; and what hangs on the signed
/// record, of a visit its team, days and tasks.
pub(super) const BENEATH: &str = "binds_about";

/// The field for what one signs as.
const CAPACITY: &str = "sign_role";
/// The side of a visit that is no school's.
const MENTOR_SIDE: &str = "mentor";
const OWN_ACCOUNT: &str = "own_account";

/// Whose hand signs.
#[derive(Clone, Debug)]
pub enum Hand {
    /// The account that is signed in on this page is the signer's own.
    SignedIn,
    /// Another person at the same device, whose account and PIN were proved a moment ago ([`accounts::prove`]).
    Account(Account),
    /// Signed on paper by this person; the officer who is signed in enters it.
    Paper(String),
    /// Signed in presence on a visitor's device, which holds no accounts of the school.
    Present {
        /// The person on the school's roster; empty for the visitor.
        person: String,
        /// What one signs as: a code of `sign_role`.
        capacity: String,
    },
}

/// A signature on a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Record id.
    pub id: String,
    /// Code of the side.
    pub role: String,
    /// What the side is called, in Chinese and English.
    pub side: [String; 2],
    /// Record id of the signer, empty for one who is on no roster.
    pub person: String,
    /// Name of the signer; of a visitor, who is on no roster, the account.
    pub name: String,
    /// What the signer signed as, where that is not the side itself, in Chinese and English.
    pub capacity: [String; 2],
    /// How it was given, in Chinese and English.
    pub means: [String; 2],
    /// `YYYY-MM-DD`, typed.
    pub on: String,
    /// The account that wrote it.
    pub by: String,
    /// The device whose key signed the change that holds it.
    pub device: String,
    /// Whether it covers what the record says now.
    pub holds: bool,
    /// How far it has come.
    pub way: Way,
    /// Two devices say different things about it: it covers nothing.
    pub disputed: bool,
}

/// One side of a record that is to be signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Its code.
    pub role: String,
    /// What it is called, in Chinese and English.
    pub label: [String; 2],
    /// The person whom the record names for it, and the name.
    pub person: Option<(String, String)>,
    /// The signature that holds, else the last one that was given on older content.
    pub signature: Option<Signature>,
}

impl Side {
    /// Signed on what the record says now.
    pub fn signed(&self) -> bool {
        self.signature.as_ref().is_some_and(|s| s.holds)
    }

    /// 已变更（待重签）: it was signed, and the content was changed since.
    pub fn changed(&self) -> bool {
        self.signature.as_ref().is_some_and(|s| !s.holds)
    }
}

/// The signatures on a record.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    /// The sides that its kind asks for, in the order of its file.
    pub sides: Vec<Side>,
    /// Every signature, the oldest first.
    pub all: Vec<Signature>,
    /// Whether a signature can be given now, and if not why, in Chinese and English.
    pub refused: Option<[String; 2]>,
}

impl Signatures {
    /// Whether any side is to be signed anew.
    pub fn changed(&self) -> bool {
        self.sides.iter().any(Side::changed)
    }
}

/// Signs a record of this node's documents for one side. Takes the step that waited for this signature, if no
/// other is missing. Signing twice what is signed makes nothing new. Returns the record id of the signature.
pub fn sign(
    node: &Node,
    by: &By,
    actor: Actor,
    about: &str,
    role: &str,
    on: &str,
    hand: Hand,
) -> Result<String, Error> {
    let _turn = turn();
    let kinds = node.kinds();
    let record = node.record(about)?.ok_or_else(|| no_such("id", "", "record"))?;
    let form = kinds
        .get(&reference(&record))
        .ok_or_else(|| no_such("_kind", "表单", "form"))?;
    let (signing, side) = signing_kind(&record)?;
    if record.doc.starts_with("log/") {
        own_school(node, record.school.as_deref().unwrap_or_default())?;
    } else if !super::visits::is_own(node, &record.doc) {
        return Err(invalid(
            "id",
            "送教记录在写它的专家的笔记本上签字；这台设备只能看",
            "A visit sheet is signed on the laptop of the mentor who wrote it; this device only shows it",
        ));
    }
    if let Some([zh, en]) = refused(node, &kinds, form, &record)? {
        return Err(invalid("id", &zh, &en));
    }
    let mine = || by.account.clone();
    let (account, person, means, capacity) = match hand {
        Hand::SignedIn => (mine(), person_of(node, &by.account)?, OWN_ACCOUNT, None),
        Hand::Account(account) => (
            account.name,
            account.person.unwrap_or_default(),
            OWN_ACCOUNT,
            None,
        ),
        Hand::Paper(person) => (mine(), person, "on_paper", None),
        Hand::Present { person, capacity } => (mine(), person, "on_device", Some(capacity)),
    };
    rightful(node, &record, form, role, &person)?;
    let digest = record_digest_with(&kinds, &record.fields);
    let beneath = beneath(node, &kinds, &record)?;
    let mut around = around(node, &record)?;
    around.retain(|other| covers(&other.fields, beneath.as_deref()));
    let same = around.iter().find(|other| {
        other.kind == signing
            && !other.disputed
            && other.text(side) == role
            && other.text("person") == person
            && other.text(BINDS) == digest
            && covers(&other.fields, beneath.as_deref())
    });
    if let Some(same) = same {
        return Ok(same.id.clone());
    }
    let by = By { account };
    let draft = Draft::new(signing)
        .text("about", about)
        .text("person", &person)
        .text(side, role)
        .text("means", means)
        .text("signed_on", on)
        .text(KEY, &device_key(&node.id()))
        .text(BINDS, &digest)
        .text(BENEATH, beneath.as_deref().unwrap_or_default());
    let draft = match capacity {
        Some(capacity) => draft.text(CAPACITY, &capacity),
        None => draft,
    };
    let given = draft.over(Fields::new());
    let id = node.new_id();
    let mut edits = Edits::default();
    edits.push(&record.doc, draft.create(node, id.clone(), &by)?);
    let mut related: Vec<Related<'_>> = around.iter().map(as_related).collect();
    related.push(Related {
        kind: signing,
        fields: &given,
        disputed: false,
    });
    if let Some(steps) = waited(&kinds, form, &record, &related, actor) {
        let step = |draft: Draft, (name, value): (String, Option<Value>)| draft.value(&name, value);
        let draft = steps.into_iter().fold(Draft::new(&form.id), step);
        if let Some(edit) = draft.change(node, &record, &by)? {
            edits.push(&record.doc, edit);
        }
    }
    edits.commit(node)?;
    Ok(id)
}

/// The signatures on a record, side by side; empty if the record or its form is not here.
pub fn signatures(node: &Node, about: &str) -> Result<Signatures, Error> {
    let kinds = node.kinds();
    let Some(record) = node.record(about)? else {
        return Ok(Signatures::default());
    };
    let Some(form) = kinds.get(&reference(&record)) else {
        return Ok(Signatures::default());
    };
    let digest = record_digest_with(&kinds, &record.fields);
    let beneath = beneath(node, &kinds, &record)?;
    let mut titles = Titles::new(node, &kinds);
    let mut all = Vec::new();
    let mut given = around(node, &record)?;
    // One stands in the document of what it is on: nobody signs in another's.
    given.retain(|other| other.doc == record.doc && side_field(&other.kind).is_some());
    given.sort_by(|a, b| (a.text("signed_on"), &a.id).cmp(&(b.text("signed_on"), &b.id)));
    for one in given {
        let kind = kinds.get(&reference(&one));
        let mut shown = |name: &str| match one.fields.get(name) {
            Some(value) => titles.shown(kind.and_then(|kind| kind.field(name)), value),
            None => Ok(Default::default()),
        };
        let field = side_field(&one.kind).unwrap_or(CAPACITY);
        let [mut name, _] = shown("person")?;
        if one.text("person").is_empty() {
            name = one.text("_by").to_owned();
        }
        let (side, means) = (shown(field)?, shown("means")?);
        let capacity = match field {
            CAPACITY => Default::default(),
            _ => shown(CAPACITY)?,
        };
        // A signature is that of the device whose key it names.
        let own = one.text(KEY).is_empty() || one.text(KEY) == device_key(&one.author);
        all.push(Signature {
            role: one.text(field).to_owned(),
            person: one.text("person").to_owned(),
            name,
            capacity,
            side,
            means,
            on: one.text("signed_on").to_owned(),
            by: one.text("_by").to_owned(),
            device: node.device_label(&one.author),
            holds: one.text(BINDS) == digest
                && covers(&one.fields, beneath.as_deref())
                && own
                && !one.disputed
                && !record.disputed,
            way: one.way,
            disputed: one.disputed,
            id: one.id,
        });
    }
    let mut sides: Vec<Side> = Vec::new();
    for role in needed(form) {
        if sides.iter().any(|side| side.role == role) {
            continue;
        }
        let person = expected(node, &record, role)?;
        let fits =
            |s: &&Signature| s.role == role && person.as_ref().is_none_or(|person| *person == s.person);
        let of_side = || all.iter().rev().filter(fits);
        let signature = of_side().find(|s| s.holds).or_else(|| of_side().next()).cloned();
        let label = side_label(&kinds, &record, role);
        let person = match person {
            Some(id) => {
                let [name, _] = titles.named("person", &id)?;
                Some((id, name))
            }
            None => None,
        };
        sides.push(Side {
            role: role.to_owned(),
            label,
            person,
            signature,
        });
    }
    Ok(Signatures {
        refused: refused(node, &kinds, form, &record)?,
        sides,
        all,
    })
}

/// Digest of what a record is about, if that is here: a change of the lesson is a change of the sheet. Of a visit, of
/// what hangs on it: a change of the team is one too.
pub(super) fn beneath(node: &Node, kinds: &Kinds, record: &Record) -> Result<Option<String>, Error> {
    if record.kind == super::visits::VISIT {
        let parts = super::visits::parts(node, kinds, record)?;
        let each = parts
            .iter()
            .map(|part| (part.id.as_str(), record_digest_with(kinds, &part.fields)));
        return Ok(Some(parts_digest(each)));
    }
    let field = kinds
        .get(&reference(record))
        .and_then(|kind| kind.view.about.as_deref());
    let Some(id) = field.map(|field| record.text(field)).filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    let found = node.record(id)?.filter(|about| about.school == record.school);
    Ok(found.map(|about| record_digest_with(kinds, &about.fields)))
}

/// Whether a signature was given on what stands beneath now; a record of another kind binds nothing there.
pub(super) fn covers(fields: &Fields, beneath: Option<&str>) -> bool {
    match (fields.get(BENEATH).and_then(Value::as_text), beneath) {
        (Some(signed), Some(now)) => signed == now,
        _ => true,
    }
}

/// Whether that is to be asked of a record.
pub(super) fn binds_beneath(fields: &Fields) -> bool {
    fields.contains_key(BENEATH)
}

/// What a record said when a signature was given: its fields then, for readers who see 已变更. `None` when no
/// state of the record that came here is the one that was signed.
pub fn signed_content(node: &Node, signature: &str) -> Result<Option<Fields>, Error> {
    let Some(given) = node.record(signature)? else {
        return Ok(None);
    };
    let Some(record) = node.record(given.text("about"))? else {
        return Ok(None);
    };
    let kinds = node.kinds();
    // The kind of a record does not change; names that begin with `_` are not in its history.
    let mut then: Fields = record.fields.clone();
    then.retain(|name, _| name == "_kind");
    for act in node.history(&record.id)? {
        for (name, _, after) in act.fields {
            match after {
                Some(value) => then.insert(name, value),
                None => then.remove(&name),
            };
        }
        if record_digest_with(&kinds, &then) == given.text(BINDS) {
            return Ok(Some(then));
        }
    }
    Ok(None)
}

/// Proves the account of a person who signs on a device at which another account is signed in. A wrong PIN is a
/// fault beside `secret` and counts towards the lock-out; the access log names who signed what.
pub fn hand_of(
    node: &Node,
    name: &str,
    secret: &str,
    about: &str,
    remote: &str,
    now: i64,
) -> Result<Hand, Error> {
    accounts::prove(node, name, secret, about, remote, now).map(Hand::Account)
}

/// The person whom a record names for a side.
pub(super) fn expected(node: &Node, record: &Record, role: &str) -> Result<Option<String>, Error> {
    let found = PEOPLE
        .iter()
        .find(|(kind, side, _)| *kind == record.kind && *side == role);
    let Some((_, _, path)) = found else {
        return Ok(None);
    };
    let mut at = record.clone();
    let mut named = String::new();
    for (step, field) in path.iter().enumerate() {
        if step > 0 {
            match node.record(&named)? {
                Some(next) if next.school == record.school => at = next,
                // Not here yet: then nobody can be told to be the right one.
                _ => return Ok(Some(String::new())),
            }
        }
        named = at.text(field).to_owned();
    }
    Ok(Some(named))
}

/// The kind of a signature on a record, and its field for the side.
fn signing_kind(record: &Record) -> Result<(&'static str, &'static str), Error> {
    let family = record.doc.split('/').next().unwrap_or_default();
    let found = SIGNING.iter().find(|(of, _, _)| *of == family);
    found.map(|(_, kind, side)| (*kind, *side)).ok_or_else(|| {
        invalid(
            "id",
            "这种记录不用签字",
            "Records of this kind are not signed by people",
        )
    })
}

/// The field for the side in signatures of a kind; `None` for what is no signature.
fn side_field(kind: &str) -> Option<&'static str> {
    let found = SIGNING.iter().find(|(_, signing, _)| *signing == kind);
    found.map(|(_, _, side)| *side)
}

/// The sides that a kind's steps ask for.
fn needed(form: &Kind) -> impl Iterator<Item = &str> {
    let moves = form.states.iter().flat_map(|states| &states.moves);
    let needs = moves
        .flat_map(|each| &each.needs)
        .filter(|need| is_signature(need));
    needs.filter_map(|need| {
        let side = side_field(need.record.as_deref()?)?;
        need.wanted.get(side).map(String::as_str)
    })
}

fn is_signature(need: &Need) -> bool {
    need.binds
        && need
            .record
            .as_deref()
            .is_some_and(|kind| side_field(kind).is_some())
}

/// Why nothing is signed now, if so: two versions, a closed record, or one that is not ready for it.
fn refused(node: &Node, kinds: &Kinds, form: &Kind, record: &Record) -> Result<Option<[String; 2]>, Error> {
    let pair = |zh: &str, en: &str| Some([zh.to_owned(), en.to_owned()]);
    if record.disputed {
        return Ok(pair(
            "内容有两种说法（待核），先选定一种再签",
            "Two devices say different things; choose first, then sign",
        ));
    }
    let (Some(states), Some(stand)) = (&form.states, stand_of(node, kinds, form, record)?) else {
        return Ok(None);
    };
    if stand.closed {
        return Ok(Some([
            format!("“{}”的记录不再签字", stand.zh),
            format!("A record that stands at “{}” is not signed any more", stand.en),
        ]));
    }
    let asking = || states.moves.iter().filter(|m| m.needs.iter().any(is_signature));
    let ready = |m: &records::kinds::Move| {
        m.to.iter()
            .any(|to| m.leads(&stand.code, to) || *to == stand.code)
    };
    if asking().next().is_none() || asking().any(ready) {
        return Ok(None);
    }
    Ok(Some([
        format!("现在是“{}”，还不能签字：先把前面的步骤办完", stand.zh),
        format!("It stands at “{}”: finish the steps before signing", stand.en),
    ]))
}

/// Whether this person may sign for this side.
fn rightful(node: &Node, record: &Record, form: &Kind, role: &str, person: &str) -> Result<(), Error> {
    if needed(form).next().is_some() && !needed(form).any(|side| side == role) {
        return Err(invalid(
            CAPACITY,
            "这张表不要这一方签字",
            "This sheet asks for no signature of that side",
        ));
    }
    let visiting = record.doc.starts_with("visits/");
    if visiting && role == MENTOR_SIDE {
        return match person.is_empty() {
            true => Ok(()),
            false => Err(invalid(
                "person",
                "送教专家一方由专家自己签，不选学校的人",
                "The mentor’s side is signed by the mentor, by nobody of the school",
            )),
        };
    }
    let known = record_of(node, "person", person)?;
    if visiting && known.as_ref().is_none_or(|known| known.school != record.school) {
        return Err(invalid(
            "person",
            "请从这所学校的花名册上选签字人",
            "Choose who signs from the roster of this school",
        ));
    }
    if known.is_none_or(|known| known.school != record.school) {
        return Err(invalid(
            "person",
            "这个账号没有对应本校花名册上的人：请在“账号”页把账号和教师对上",
            "This account stands for nobody on the school's roster: link it to a teacher on the accounts page",
        ));
    }
    match expected(node, record, role)? {
        Some(named) if named != person => {
            let mut titles = Titles::new(node, Kinds::builtin());
            let [name, en] = titles.named("person", &named)?;
            Err(invalid(
                "person",
                &format!("这一栏要由{name}本人签；别人不能代签"),
                &format!("{en} signs here in person; nobody signs for another"),
            ))
        }
        _ => Ok(()),
    }
}

/// What the step that waited for a signature writes, if it lacks nothing more.
fn waited(
    kinds: &Kinds,
    form: &Kind,
    record: &Record,
    related: &[Related<'_>],
    actor: Actor,
) -> Option<Vec<(String, Option<Value>)>> {
    let scene = Scene {
        kinds,
        kind: form,
        fields: &record.fields,
        disputed: record.disputed,
        related,
    };
    let states = form.states.as_ref()?;
    let state = scene.standing()?.state;
    let moves = states.moves.iter().filter(|m| m.needs.iter().any(is_signature));
    let mut to = moves.flat_map(|m| m.to.iter().filter(|to| m.leads(state, to)));
    to.find_map(|to| scene.take(actor, to, "").ok())
}

/// The person of the account that is signed in.
fn person_of(node: &Node, account: &str) -> Result<String, Error> {
    let account = node.read(|conn| store::accounts::account_named(conn, account))?;
    Ok(account.and_then(|account| account.person).unwrap_or_default())
}

fn side_label(kinds: &Kinds, record: &Record, role: &str) -> [String; 2] {
    let signing = signing_kind(record).ok();
    let kind = signing.and_then(|(kind, side)| Some((kinds.latest(kind)?, side)));
    let label = |lang| {
        kind.map_or(role, |(kind, side)| kind.code_label(side, role, lang))
            .to_owned()
    };
    [Lang::Zh, Lang::En].map(label)
}
