//! Enrolment and revocation (design.md §4). Two-sided: the county approves the device's key, the device
//! pins the county's root, and both compare 25 digits over both keys.
//!
//! ```text
//! request code   "YXQ" base32( version 1 | device key 32 | checksum 4 )           56 letters and more
//! answer code    "YXA" base32( version 1 | postcard(county root, county name, statements) | checksum 4 )
//! invitation     "YXI", see [`invitation`]
//! checksum       first 4 bytes of SHA-256 over all before it
//! ```
//! They also come as text files that a person can read; the code stands in them after `code:`. And as QR pictures: of an
//! answer several ([`parts`]). Requests that come on sticks are approved many at once ([`batch`]).

pub mod batch;
mod invitation;
mod parts;

pub use invitation::{Invitation, invite, invited, school_named};
pub use parts::parts;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use store::{changes, peers};
use sync::identity::comparison_digits;
use sync::roll::{Body, Statement};
use sync::{DocKey, NodeId, Roll};

use crate::bundle::BundleError;
use crate::policy::Role;
use crate::{Error, Node};

const REQUEST: &str = "YXQ";
const ANSWER: &str = "YXA";
const INVITATION: &str = "YXI";
const CODE_VERSION: u8 = 1;

/// Longest device name, in bytes (20 Chinese characters): it stands in a signed statement.
pub const LABEL_BYTES: usize = 60;

/// A device that waits for approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    /// The device.
    pub node: NodeId,
    /// What it calls itself.
    pub label: String,
    /// What both sides compare.
    pub digits: String,
    /// Unix seconds of its last wish.
    pub at: i64,
}

/// A county that this device may join, not pinned yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its root key.
    pub root: NodeId,
    /// Its name.
    pub name: String,
    /// What both sides compare.
    pub digits: String,
    /// Whether its statements name this device already.
    pub approved: bool,
}

/// What the county hands back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The device.
    pub device: NodeId,
    /// What both sides compare.
    pub digits: String,
    /// The answer file's text.
    pub text: String,
}

fn encode(prefix: &str, body: &[u8]) -> String {
    let mut bytes = vec![CODE_VERSION];
    bytes.extend(body);
    let sum = Sha256::digest(&bytes);
    bytes.extend(&sum[..4]);
    format!("{prefix}{}", BASE32_NOPAD.encode(&bytes))
}

/// The code in a text, without what people and paper put between its letters.
fn code_in(text: &str) -> String {
    let after = text.rsplit_once("code:").map_or(text, |(_, code)| code);
    let letters = after.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

fn decode(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let code = code_in(text);
    let mut bytes = BASE32_NOPAD.decode(code.strip_prefix(prefix)?.as_bytes()).ok()?;
    let sum = bytes.split_off(bytes.len().checked_sub(4)?);
    if Sha256::digest(&bytes)[..4] != sum[..] || *bytes.first()? != CODE_VERSION {
        return None;
    }
    Some(bytes.split_off(1))
}

fn grouped(code: &str) -> String {
    let chars: Vec<char> = code.chars().collect();
    chars
        .chunks(4)
        .map(|c| c.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-")
}

/// The code that a school reads or types to the county: it names this device.
pub fn request_code(node: &Node) -> String {
    grouped(&encode(REQUEST, &node.id().0))
}

/// The same as a file; after an invitation it names the school as well.
pub fn request_file(node: &Node) -> String {
    let school = match school_on_answer(node) {
        Some((name, code)) => school_lines(&name, &code),
        None => String::new(),
    };
    format!(
        "研修 入网申请 (yanxiu enrolment request)\n设备 label: {}\n{school}code: {}\n",
        node.label(),
        request_code(node)
    )
}

fn school_lines(name: &str, code: &str) -> String {
    format!("学校 school: {name}\n学校标识码 school code: {code}\n")
}

/// What stands behind a label in a file for people; empty if it is not there.
fn line(text: &str, label: &str) -> String {
    let found = text.lines().find_map(|l| l.split_once(label));
    found.map_or(String::new(), |(_, v)| v.trim().to_string())
}

/// Reads a request: a code, or a file's text with its label.
pub fn read_request(text: &str) -> Result<(NodeId, Option<String>), Error> {
    let key = decode(REQUEST, text).and_then(|b| <[u8; 32]>::try_from(b).ok());
    let node = NodeId(key.ok_or(Error::BadCode("request"))?);
    Ok((node, Some(line(text, "label:")).filter(|l| !l.is_empty())))
}

/// The digits that both sides compare before they trust one another.
pub fn digits(county_root: &NodeId, device: &NodeId) -> String {
    comparison_digits(county_root, device)
}

/// Devices that asked over the network and are not enrolled yet.
pub fn pending(node: &Node) -> Result<Vec<Pending>, Error> {
    let Some(root) = node.county_root() else {
        return Ok(Vec::new());
    };
    let roll = node.roll();
    let wishes = node.store().read(peers::wishes)?;
    Ok(wishes
        .into_iter()
        .filter(|(device, _, _)| roll.grants(device).next().is_none() && !roll.is_revoked(device))
        .map(|(device, label, at)| Pending {
            node: device,
            label,
            digits: comparison_digits(&root, &device),
            at,
        })
        .collect())
}

/// Finds the device that a person means: a request code or file, or the first letters of a pending one.
pub fn find_request(node: &Node, text: &str) -> Result<(NodeId, Option<String>), Error> {
    if let Ok(found) = read_request(text) {
        return Ok(found);
    }
    let wanted = text.trim().to_ascii_lowercase();
    let mut fitting = pending(node)?;
    fitting.retain(|p| wanted.len() >= 4 && p.node.to_string().starts_with(&wanted));
    match fitting.as_slice() {
        [one] => Ok((one.node, Some(one.label.clone()))),
        _ => Err(Error::BadCode("request")),
    }
}

/// Gives a device its roles. `label` names it for people (never a person's name).
pub fn approve(
    node: &Node,
    device: &NodeId,
    label: &str,
    grants: &[(Role, String)],
) -> Result<Answer, Error> {
    let held = may_have(node, device, grants)?;
    let label = cut_text(label, LABEL_BYTES);
    // Approving twice says nothing twice.
    let new: Vec<(Role, String)> = grants.iter().filter(|g| !held.contains(g)).cloned().collect();
    let bodies = new.iter().map(|(role, scope)| Body::Grant {
        device: *device,
        role: role.code(),
        scope: scope.clone(),
        label: label.clone(),
    });
    issue(node, bodies.collect())?;
    node.store().write(|tx| peers::remove_wish(tx, device))?;
    answer_for(node, device)
}

/// Whether a device may be given these roles; those that it has already.
fn may_have(node: &Node, device: &NodeId, grants: &[(Role, String)]) -> Result<Vec<(Role, String)>, Error> {
    officer(node)?;
    let roll = node.roll();
    if roll.is_revoked(device) {
        return Err(Error::WasRevoked(device.short()));
    }
    let held: Vec<(Role, String)> = roll
        .grants(device)
        .filter_map(|g| Some((Role::of(g.role)?, g.scope.clone())))
        .collect();
    if !goes_with(&held, grants) {
        let mut names: Vec<&str> = held.iter().map(|(role, _)| role.names().0).collect();
        names.dedup();
        return Err(Error::HasRole(names.join("、")));
    }
    for (_, school) in grants.iter().filter(|(role, _)| *role == Role::School) {
        if held.iter().any(|(role, _)| *role == Role::Auditor) && has_decided(node, device, school)? {
            return Err(Error::HasDecided);
        }
    }
    Ok(held)
}

/// Approves a device in the place of another (a dead PC, a stolen one): it gets the roles of the old one, which is revoked
/// with the end of what the county holds of it. What somebody still brings of the old one afterwards does not count, so
/// whoever carries some comes first. The new one is approved first: a power cut in between leaves both, and the same
/// step again ends it.
pub fn replace(node: &Node, device: &NodeId, label: &str, old: &NodeId) -> Result<Answer, Error> {
    officer(node)?;
    if old == &node.id() || device == old {
        return Err(Error::OwnDevice);
    }
    let grants: Vec<(Role, String)> = (node.devices().into_iter())
        .filter(|d| d.node == *old)
        .map(|d| (d.role, d.scope))
        .collect();
    if grants.is_empty() {
        return Err(BundleError::NoSuchDevice(old.short()).into());
    }
    let answer = approve(node, device, label, &grants)?;
    if !node.roll().is_revoked(old) {
        revoke(node, old)?;
    }
    Ok(answer)
}

/// The answer to a device that is approved already, once more.
pub fn answer_for(node: &Node, device: &NodeId) -> Result<Answer, Error> {
    let digits = comparison_digits(&officer(node)?, device);
    Ok(Answer {
        device: *device,
        text: answer_file(node, device, &digits)?,
        digits,
    })
}

/// Whether a device has had its word in the ledger of a school. As a PC of that school it would have decided for the
/// own, and all of it would count no more.
fn has_decided(node: &Node, device: &NodeId, school: &str) -> Result<bool, Error> {
    let parts = node.read(|conn| {
        let mut query = conn.prepare_cached(
            "SELECT parts FROM record WHERE doc_key >= 'ledger/' || ?1 || '/' AND doc_key < 'ledger/' || ?1 || '0'",
        )?;
        let found = query.query_map([school], |row| row.get::<_, Vec<u8>>(0))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?)
    })?;
    for parts in parts {
        let parts = store::views::read_parts(&parts)?;
        if parts.iter().any(|(actor, _)| actor.device == *device) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether new roles may stand beside those that a device has: a PC belongs to one school (whose clerk may
/// be an auditor, of other schools' claims), a laptop to one mentor, who may get more schools, and an office
/// device may be both county and auditor.
fn goes_with(held: &[(Role, String)], new: &[(Role, String)]) -> bool {
    let all: Vec<&(Role, String)> = held.iter().chain(new).collect();
    let only = |roles: &[Role]| all.iter().all(|(role, _)| roles.contains(role));
    let mut schools: Vec<&str> = all
        .iter()
        .filter(|(r, _)| *r == Role::School)
        .map(|(_, s)| s.as_str())
        .collect();
    schools.sort();
    schools.dedup();
    let mut mentors: Vec<&str> = all
        .iter()
        .filter(|(r, _)| *r == Role::Mentor)
        .filter_map(|(_, s)| s.split('/').next())
        .collect();
    mentors.sort();
    mentors.dedup();
    (only(&[Role::School, Role::Auditor]) && schools.len() <= 1)
        || (only(&[Role::Mentor, Role::MentorReader]) && mentors.len() <= 1)
        || only(&[Role::County, Role::Auditor])
        || only(&[Role::Host])
}

fn answer_file(node: &Node, device: &NodeId, digits: &str) -> Result<String, Error> {
    let state = node.roll_state();
    let statements: Vec<Vec<u8>> = state
        .roll
        .for_stranger(device)
        .iter()
        .map(Statement::to_bytes)
        .collect();
    let body = postcard::to_stdvec(&(state.roll.county(), &state.county_name, statements))
        .map_err(|_| Error::BadCode("answer"))?;
    // The school's name, so that a school without a network can take its rows out of the county's roster
    // before the county's list of schools has reached it.
    let school = state.roll.grants(device).find(|g| g.role == Role::School.code());
    let school = match school.map(|g| node.record(&g.scope)).transpose()?.flatten() {
        Some(record) => school_lines(record.text("name"), record.text("school_code")),
        None => String::new(),
    };
    Ok(format!(
        "研修 入网批复 (yanxiu enrolment answer)\n县 county: {}\n{school}核对码 digits: {digits}\ncode: {}\n",
        state.county_name,
        encode(ANSWER, &body)
    ))
}

/// Takes the county's answer (file, code or scanned pictures) as a candidate; [`confirm`] pins it after the digits were
/// compared. An invitation is taken as well: its county is a candidate that has not approved this device yet.
pub fn accept(node: &Node, answer: &str) -> Result<Candidate, Error> {
    if decode(INVITATION, answer).is_some() {
        let said = invited(node, answer)?;
        return candidate_of(node, said.root, said.county, false);
    }
    let scanned = parts::joined(answer)?;
    let body = decode(ANSWER, scanned.as_deref().unwrap_or(answer)).ok_or(Error::BadCode("answer"))?;
    let (root, name, statements): (NodeId, String, Vec<Vec<u8>>) =
        postcard::from_bytes(&body).map_err(|_| Error::BadCode("answer"))?;
    if let Some(pinned) = node.county_root() {
        if pinned != root {
            return Err(Error::WrongAnswer("it is another county's"));
        }
        // Statements are true whomever they name; but a person should know when the file is not this
        // device's own.
        let good: Vec<Statement> = statements
            .iter()
            .filter_map(|s| Statement::from_bytes(s).ok())
            .collect();
        let me = node.id();
        let ours = good
            .iter()
            .any(|s| matches!(&s.body, Body::Grant { device, .. } if *device == me));
        node.add_statements(good)?;
        return candidate_of(node, root, name, ours);
    }
    let good: Vec<Statement> = statements
        .iter()
        .filter_map(|s| Statement::from_bytes(s).ok())
        .collect();
    let mut roll = Roll::new(root);
    roll.add_all(good.iter().cloned());
    if !roll.is_member(&node.id()) {
        return Err(Error::WrongAnswer("it is for another device"));
    }
    keep_candidate(node, root, &name, &good, true)?;
    keep_school(node, &line(answer, "school:"), &line(answer, "school code:"))?;
    candidate_of(node, root, name, true)
}

/// Keeps what the county calls this device's school.
fn keep_school(node: &Node, name: &str, code: &str) -> Result<(), Error> {
    Ok(node.store().write(|tx| {
        store::set_meta(tx, "school_name", cut_text(name, 200).as_bytes())?;
        store::set_meta(tx, "school_code", cut_text(code, 40).as_bytes())
    })?)
}

/// Name and code of this device's school as its invitation or answer file gave them: until the county's list has come.
pub fn school_on_answer(node: &Node) -> Option<(String, String)> {
    let name = node.meta_text("school_name").filter(|n| !n.is_empty())?;
    Some((name, node.meta_text("school_code").unwrap_or_default()))
}

fn candidate_of(node: &Node, root: NodeId, name: String, approved: bool) -> Result<Candidate, Error> {
    Ok(Candidate {
        root,
        name,
        digits: comparison_digits(&root, &node.id()),
        approved,
    })
}

type Kept = (NodeId, String, Vec<Vec<u8>>);

fn kept(node: &Node) -> Result<Option<Kept>, Error> {
    let bytes = node.store().read(|c| store::meta(c, "candidate"))?;
    Ok(bytes.and_then(|b| postcard::from_bytes(&b).ok()))
}

/// Keeps what a county says, unless another candidate stands (`replace` puts it aside).
pub(crate) fn keep_candidate(
    node: &Node,
    root: NodeId,
    name: &str,
    statements: &[Statement],
    replace: bool,
) -> Result<(), Error> {
    let mut all = match kept(node)? {
        Some((known, _, all)) if known == root => all,
        Some(_) if !replace => return Ok(()),
        _ => Vec::new(),
    };
    for bytes in statements
        .iter()
        .filter(|s| s.county == root)
        .map(Statement::to_bytes)
    {
        if !all.contains(&bytes) && all.len() < 1_000 {
            all.push(bytes);
        }
    }
    let value: Kept = (root, cut_text(name, 200), all);
    let bytes = postcard::to_stdvec(&value).map_err(|_| Error::BadCode("answer"))?;
    Ok(node
        .store()
        .write(|tx| store::set_meta(tx, "candidate", &bytes))?)
}

/// Forgets a candidate: the person begins anew, perhaps with another hub.
pub fn forget_candidate(node: &Node) -> Result<(), Error> {
    Ok(node.store().write(|tx| store::set_meta(tx, "candidate", b""))?)
}

/// The county that waits to be confirmed.
pub fn candidate(node: &Node) -> Result<Option<Candidate>, Error> {
    if node.county_root().is_some() {
        return Ok(None);
    }
    let Some((root, name, statements)) = kept(node)? else {
        return Ok(None);
    };
    let mut roll = Roll::new(root);
    roll.add_all(statements.iter().filter_map(|s| Statement::from_bytes(s).ok()));
    let approved = roll.is_member(&node.id());
    candidate_of(node, root, name, approved).map(Some)
}

/// Pins the candidate's root: a person has compared the digits.
pub fn confirm(node: &Node) -> Result<Candidate, Error> {
    let found = candidate(node)?.ok_or(Error::WrongAnswer("no county has answered yet"))?;
    let Some((root, name, statements)) = kept(node)? else {
        return Err(Error::NotEnrolled);
    };
    let good: Vec<Statement> = statements
        .iter()
        .filter_map(|s| Statement::from_bytes(s).ok())
        .collect();
    node.pin_county(root, &name, &good)?;
    Ok(found)
}

/// Puts a device out. What the county holds of it counts; what it writes or sends afterwards does not.
pub fn revoke(node: &Node, device: &NodeId) -> Result<(), Error> {
    officer(node)?;
    if *device == node.id() {
        return Err(Error::OwnDevice);
    }
    // In one step: what is acknowledged before this moment counts, and nothing falls in between.
    node.speak(true, |c, roll| {
        let mut bodies = vec![Body::Revoke { device: *device }];
        for d in changes::documents(c)? {
            for (actor, seq, hash) in changes::vector(c, d.id)? {
                if actor.device == *device {
                    bodies.push(Body::Cut {
                        document: d.key.clone(),
                        actor,
                        seq,
                        hash,
                    });
                }
            }
        }
        Ok(signed(node, roll, bodies))
    })?;
    Ok(())
}

/// Ends an actor in a document after `seq` (clone, poisonous change, revocation moved).
pub fn cut(
    node: &Node,
    document: &DocKey,
    actor: sync::ActorId,
    seq: u64,
    hash: sync::ChangeHash,
) -> Result<(), Error> {
    officer(node)?;
    issue(
        node,
        vec![Body::Cut {
            document: document.clone(),
            actor,
            seq,
            hash,
        }],
    )
}

/// Publishes where this hub listens; every member learns it with the roll.
pub fn publish_address(node: &Node, address: &str) -> Result<(), Error> {
    officer(node)?;
    let known = node
        .roll()
        .hubs()
        .any(|(hub, a)| hub == node.id() && a == address);
    if known {
        return Ok(());
    }
    issue(
        node,
        vec![Body::HubAddress {
            hub: node.id(),
            address: address.to_string(),
        }],
    )
}

fn officer(node: &Node) -> Result<NodeId, Error> {
    let root = node.county_root().ok_or(Error::NotTheCounty)?;
    let roll = node.roll();
    if roll.is_revoked(&node.id()) {
        return Err(Error::Revoked);
    }
    if roll.is_officer(&node.id()) {
        Ok(root)
    } else {
        Err(Error::NotTheCounty)
    }
}

fn issue(node: &Node, bodies: Vec<Body>) -> Result<(), Error> {
    if bodies.is_empty() {
        return Ok(());
    }
    node.speak(true, |_, roll| Ok(signed(node, roll, bodies)))?;
    Ok(())
}

/// The next number stands above all that count, so that the new statements hold.
fn signed(node: &Node, roll: &Roll, bodies: Vec<Body>) -> Vec<Statement> {
    let number = roll.last_number().saturating_add(1);
    let key = &node.0.key;
    bodies
        .into_iter()
        .map(|b| Statement::sign(roll.county(), key, number, b))
        .collect()
}

fn cut_text(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_string()
}
