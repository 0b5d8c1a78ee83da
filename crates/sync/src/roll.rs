//! The roll: the county's grow-only set of signed statements (design.md §4).
//!
//! A statement verifies by itself, so it may come from anyone, in any order, twice or never; what
//! follows from a set of statements is a pure function of the set.
//!
//! ```text
//! statement  suite 1 | county 32 | issuer 32 | number uleb | kind 1 | payload: length uleb, postcard
//! on a wire  statement | signature 64      signed: "yanxiu roll 1" | statement
//! ```
//! A kind that a node does not know is kept and passed on without effect.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::document::{ChangeHash, DocKey};
use crate::identity::{ActorId, DeviceKey, NodeId, SUITE_ED25519_SHA256};
use crate::limits;

const SIGNED_AS: &[u8] = b"yanxiu roll 1";

/// A number that stands for a role; the document policy gives it meaning (`authority`).
pub type RoleCode = u8;

/// What a statement says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// `key` may issue statements. Without `limit`, signed by the county root. With a limit (a school's
    /// own officer device) it may only grant that role in that scope; an officer may sign it.
    Officer {
        /// The officer's key.
        key: NodeId,
        /// The one role and scope it may grant.
        limit: Option<(RoleCode, String)>,
    },
    /// `device` has `role` in `scope` (a school id, `mentor/school`, or empty).
    Grant {
        /// The device.
        device: NodeId,
        /// What it may do.
        role: RoleCode,
        /// Where.
        scope: String,
        /// A name of the device for people; never a person's name.
        label: String,
    },
    /// `device` is out for good. What it wrote counts up to its cuts and nowhere else.
    Revoke {
        /// The device.
        device: NodeId,
    },
    /// In `document`, `actor` counts up to `seq`, whose change is `hash` (`seq` 0: nothing counts).
    Cut {
        /// The document.
        document: DocKey,
        /// The actor that ends there.
        actor: ActorId,
        /// Its last counting sequence number.
        seq: u64,
        /// The change at `seq`.
        hash: ChangeHash,
    },
    /// A hub answers at `address` (`host:port`).
    HubAddress {
        /// The hub.
        hub: NodeId,
        /// Where it listens.
        address: String,
    },
    /// Statements of officer `key` with a number above `last` do not count. Signed by the root.
    RetireOfficer {
        /// The officer.
        key: NodeId,
        /// Its last good number.
        last: u64,
    },
    /// The hash of the key that succeeds the county root, fixed before it is needed. Signed by the root.
    Successor {
        /// SHA-256 of the next root key.
        hash: [u8; 32],
    },
    /// A kind that this version does not know.
    Unknown {
        /// Its number.
        kind: u8,
        /// Its bytes.
        payload: Vec<u8>,
    },
}

/// One verified statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The county's root key.
    pub county: NodeId,
    /// Who signed.
    pub issuer: NodeId,
    /// Grows with time; of two statements about one thing the higher number holds.
    pub number: u64,
    /// What is said.
    pub body: Body,
    signature: [u8; 64],
}

/// Why bytes are not a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadStatement {
    /// Cut, damaged or too long.
    #[error("the statement is damaged")]
    Damaged,
    /// Written in a suite this version does not know.
    #[error("the statement uses an unknown signature suite")]
    UnknownSuite,
    /// The signature is not the issuer's.
    #[error("the statement's signature is wrong")]
    BadSignature,
}

impl Statement {
    /// Writes and signs.
    pub fn sign(county: NodeId, key: &DeviceKey, number: u64, body: Body) -> Statement {
        let mut statement = Statement {
            county,
            issuer: key.id(),
            number,
            body,
            signature: [0; 64],
        };
        statement.signature = key.sign(&statement.signed_bytes());
        statement
    }

    /// The bytes to store and send.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.unsigned();
        out.extend(self.signature);
        out
    }

    /// Reads and verifies.
    pub fn from_bytes(bytes: &[u8]) -> Result<Statement, BadStatement> {
        if bytes.len() > limits::STATEMENT_BYTES || bytes.len() < 64 {
            return Err(BadStatement::Damaged);
        }
        let (unsigned, signature) = bytes.split_at(bytes.len() - 64);
        let ((suite, county, issuer, number, kind, payload), rest): (Unsigned, &[u8]) =
            postcard::take_from_bytes(unsigned).map_err(|_| BadStatement::Damaged)?;
        if suite != SUITE_ED25519_SHA256 {
            return Err(BadStatement::UnknownSuite);
        }
        let body = Body::read(kind, payload).ok_or(BadStatement::Damaged)?;
        let signature = signature.try_into().map_err(|_| BadStatement::Damaged)?;
        let statement = Statement {
            county,
            issuer,
            number,
            body,
            signature,
        };
        // One statement has one form of bytes, so that its hash names it.
        if !rest.is_empty() || statement.unsigned() != unsigned {
            return Err(BadStatement::Damaged);
        }
        if !issuer.verify(&statement.signed_bytes(), &statement.signature) {
            return Err(BadStatement::BadSignature);
        }
        Ok(statement)
    }

    /// Names the statement.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }

    fn unsigned(&self) -> Vec<u8> {
        let (kind, payload) = self.body.write();
        let head: Unsigned = (
            SUITE_ED25519_SHA256,
            self.county,
            self.issuer,
            self.number,
            kind,
            payload,
        );
        postcard::to_stdvec(&head).unwrap_or_default()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [SIGNED_AS, &self.unsigned()].concat()
    }
}

type Unsigned = (u8, NodeId, NodeId, u64, u8, Vec<u8>);

impl Body {
    fn write(&self) -> (u8, Vec<u8>) {
        fn pack<T: Serialize>(value: &T) -> Vec<u8> {
            postcard::to_stdvec(value).unwrap_or_default()
        }
        match self {
            Body::Officer { key, limit } => (0, pack(&(key, limit))),
            Body::Grant {
                device,
                role,
                scope,
                label,
            } => (1, pack(&(device, role, scope, label))),
            Body::Revoke { device } => (2, pack(device)),
            Body::Cut {
                document,
                actor,
                seq,
                hash,
            } => (3, pack(&(document, actor, seq, hash))),
            Body::HubAddress { hub, address } => (4, pack(&(hub, address))),
            Body::RetireOfficer { key, last } => (5, pack(&(key, last))),
            Body::Successor { hash } => (6, pack(hash)),
            Body::Unknown { kind, payload } => (*kind, payload.clone()),
        }
    }

    fn read(kind: u8, payload: Vec<u8>) -> Option<Body> {
        fn unpack<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
            postcard::from_bytes(bytes).ok()
        }
        Some(match kind {
            0 => unpack(&payload).map(|(key, limit)| Body::Officer { key, limit })?,
            1 => unpack(&payload).map(|(device, role, scope, label)| Body::Grant {
                device,
                role,
                scope,
                label,
            })?,
            2 => Body::Revoke {
                device: unpack(&payload)?,
            },
            3 => unpack(&payload).map(|(document, actor, seq, hash)| Body::Cut {
                document,
                actor,
                seq,
                hash,
            })?,
            4 => unpack(&payload).map(|(hub, address)| Body::HubAddress { hub, address })?,
            5 => unpack(&payload).map(|(key, last)| Body::RetireOfficer { key, last })?,
            6 => Body::Successor {
                hash: unpack(&payload)?,
            },
            _ => Body::Unknown { kind, payload },
        })
    }
}

/// What a device may do, from one statement.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Grant {
    /// The role.
    pub role: RoleCode,
    /// Where it holds.
    pub scope: String,
    /// The device's name for people.
    pub label: String,
}

/// Where an actor ends in a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Last counting sequence number; 0: none counts.
    pub seq: u64,
    /// The change at `seq`.
    pub hash: ChangeHash,
    number: u64,
}

/// How a statement was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Added {
    /// New; it counts, or will when its officer is known.
    New,
    /// Already here.
    Known,
    /// Of another county, or no room for statements of unknown issuers.
    Refused,
}

/// All statements of one county, and what follows from them.
#[derive(Clone, Debug)]
pub struct Roll {
    county: NodeId,
    statements: BTreeMap<[u8; 32], Statement>,
    derived: Derived,
}

#[derive(Clone, Default, Debug)]
struct Derived {
    grants: HashMap<NodeId, BTreeSet<Grant>>,
    revoked: HashSet<NodeId>,
    cuts: HashMap<(DocKey, ActorId), Cut>,
    hubs: BTreeMap<NodeId, (u64, String)>,
    officers: HashMap<NodeId, Option<(RoleCode, String)>>,
    retired: HashMap<NodeId, u64>,
    /// The statements that have effect: by the root, by officers in time and within their limits.
    counting: BTreeSet<[u8; 32]>,
    /// First 8 bytes of SHA-256 over them: asked for with every page and session.
    digest: [u8; 8],
    last_number: u64,
}

impl Roll {
    /// An empty roll of the county whose root key is `county`.
    pub fn new(county: NodeId) -> Roll {
        let mut roll = Roll {
            county,
            statements: BTreeMap::new(),
            derived: Derived::default(),
        };
        roll.derive();
        roll
    }

    /// The county root.
    pub fn county(&self) -> NodeId {
        self.county
    }

    /// Takes one verified statement.
    pub fn add(&mut self, statement: Statement) -> Added {
        self.add_all([statement]).pop().unwrap_or(Added::Refused)
    }

    /// Takes many; what follows from them is computed once. Officers' own statements go first, so that the
    /// order within a lot does not matter.
    pub fn add_all(&mut self, statements: impl IntoIterator<Item = Statement>) -> Vec<Added> {
        let lot: Vec<Statement> = statements.into_iter().collect();
        let (first, rest): (Vec<usize>, Vec<usize>) =
            (0..lot.len()).partition(|i| matches!(lot[*i].body, Body::Officer { .. }));
        let mut added = vec![Added::Refused; lot.len()];
        for part in [first, rest] {
            let mut waiting = self.statements.len() - self.derived.counting.len();
            let mut fresh = false;
            for i in part {
                let Some(statement) = lot.get(i) else { continue };
                let hash = statement.hash();
                let taken = if self.statements.contains_key(&hash) {
                    Added::Known
                } else {
                    self.room_for(statement, &mut waiting)
                };
                if taken == Added::New {
                    fresh = true;
                    let officer = matches!(statement.body, Body::Officer { .. });
                    self.statements.insert(hash, statement.clone());
                    // An officer may name further ones in the same lot.
                    if officer && self.may_speak(statement) {
                        self.derive();
                        waiting = self.statements.len() - self.derived.counting.len();
                    }
                }
                if let Some(place) = added.get_mut(i) {
                    *place = taken;
                }
            }
            if fresh {
                self.derive();
            }
        }
        added
    }

    /// Whether the statement has effect by what is known of officers now.
    fn may_speak(&self, s: &Statement) -> bool {
        let in_time = self.derived.retired.get(&s.issuer).is_none_or(|l| s.number <= *l);
        s.issuer == self.county
            || in_time
                && match self.derived.officers.get(&s.issuer) {
                    Some(None) => true,
                    Some(Some((r, sc))) => {
                        matches!(&s.body, Body::Grant { role, scope, .. } if role == r && scope == sc)
                    }
                    None => false,
                }
    }

    /// What nobody who may speak has said takes little room: keys and signatures cost nothing.
    fn room_for(&self, s: &Statement, waiting: &mut usize) -> Added {
        let all = self.statements.len();
        let limited = matches!(self.derived.officers.get(&s.issuer), Some(Some(_)));
        let room = if s.county != self.county {
            false
        } else if s.issuer == self.county {
            all < limits::ROLL_STATEMENTS + limits::ROLL_RESERVED
        } else if all >= limits::ROLL_STATEMENTS {
            false
        } else if self.may_speak(s) {
            let said = || self.statements.values().filter(|o| o.issuer == s.issuer).count();
            !limited || said() < limits::ROLL_PER_LIMITED_OFFICER
        } else if self
            .derived
            .retired
            .get(&s.issuer)
            .is_some_and(|last| s.number > *last)
        {
            // Whatever else is said of its issuer, it will never count.
            false
        } else {
            // By a stranger, or by an officer beyond its limit: a statement that comes later may give it the
            // right, and the order must not matter.
            *waiting += 1;
            *waiting <= limits::ROLL_UNKNOWN_ISSUER
        };
        if room { Added::New } else { Added::Refused }
    }

    /// Every statement that has effect, in the order of their hashes. Those of unknown issuers wait apart and
    /// are not passed on, or anybody could fill every roll of the county.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.derived
            .counting
            .iter()
            .filter_map(|h| self.statements.get(h))
    }

    /// Whether a statement of this hash is kept and has effect.
    pub fn counts(&self, hash: &[u8; 32]) -> bool {
        self.derived.counting.contains(hash)
    }

    /// Whether a statement is kept.
    pub fn knows(&self, hash: &[u8; 32]) -> bool {
        self.statements.contains_key(hash)
    }

    /// How many are kept, those of unknown issuers included.
    pub fn kept(&self) -> usize {
        self.statements.len()
    }

    /// [`Roll::statements`] with their hashes.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8; 32], &Statement)> {
        self.derived
            .counting
            .iter()
            .filter_map(|h| self.statements.get_key_value(h))
    }

    /// First 8 bytes of SHA-256 over the hashes of [`Roll::statements`]: equal for equal rolls.
    pub fn digest(&self) -> [u8; 8] {
        self.derived.digest
    }

    /// The highest number that the root or a full officer has used; the next statement takes one more. What
    /// others say does not move it, or one of them could leave no number above its own.
    pub fn last_number(&self) -> u64 {
        self.derived.last_number
    }

    /// What `device` was ever granted, revoked or not.
    pub fn grants(&self, device: &NodeId) -> impl Iterator<Item = &Grant> {
        self.derived.grants.get(device).into_iter().flatten()
    }

    /// Every device with a grant.
    pub fn devices(&self) -> impl Iterator<Item = (&NodeId, &BTreeSet<Grant>)> {
        self.derived.grants.iter()
    }

    /// Whether the device is out.
    pub fn is_revoked(&self, device: &NodeId) -> bool {
        self.derived.revoked.contains(device)
    }

    /// Whether the device belongs to the county today.
    pub fn is_member(&self, device: &NodeId) -> bool {
        self.derived.grants.contains_key(device) && !self.is_revoked(device)
    }

    /// Where `actor` ends in `document`, if the county cut it.
    pub fn cut(&self, document: &DocKey, actor: &ActorId) -> Option<Cut> {
        self.derived.cuts.get(&(document.clone(), *actor)).copied()
    }

    /// Every cut that holds.
    pub fn cuts(&self) -> impl Iterator<Item = (&DocKey, &ActorId, &Cut)> {
        self.derived.cuts.iter().map(|((d, a), c)| (d, a, c))
    }

    /// Every device that is out.
    pub fn revoked(&self) -> impl Iterator<Item = &NodeId> {
        self.derived.revoked.iter()
    }

    /// Where `actor` ends in `document`: at its cut, or, of a revoked device that has none there, before its
    /// first change. `None`: it may go on.
    pub fn end(&self, document: &DocKey, actor: &ActorId) -> Option<Cut> {
        let nowhere = Cut {
            seq: 0,
            hash: [0; 32],
            number: 0,
        };
        self.cut(document, actor)
            .or_else(|| self.is_revoked(&actor.device).then_some(nowhere))
    }

    /// Whether any cut or revocation exists: without one, counting needs no walk.
    pub fn has_cuts(&self) -> bool {
        !self.derived.cuts.is_empty() || !self.derived.revoked.is_empty()
    }

    /// Hubs and where they listen.
    pub fn hubs(&self) -> impl Iterator<Item = (NodeId, &str)> {
        self.derived
            .hubs
            .iter()
            .map(|(hub, (_, address))| (*hub, address.as_str()))
    }

    /// Whether `key` may issue any statement in the county (the root or a full officer).
    pub fn is_officer(&self, key: &NodeId) -> bool {
        *key == self.county || self.derived.officers.get(key) == Some(&None)
    }

    /// The few statements that a stranger needs to see whether it is enrolled: officers and their grants,
    /// hub addresses and what is said of the stranger itself. None tells of another school's device.
    pub fn for_stranger(&self, device: &NodeId) -> Vec<Statement> {
        self.statements()
            .filter(|s| match &s.body {
                Body::Officer { limit, .. } => limit.is_none(),
                Body::HubAddress { .. } | Body::RetireOfficer { .. } => true,
                Body::Grant { device: d, .. } | Body::Revoke { device: d } => {
                    d == device || self.is_officer(d)
                }
                _ => false,
            })
            .cloned()
            .collect()
    }

    fn derive(&mut self) {
        let mut d = Derived::default();
        let mut retired: HashMap<NodeId, u64> = HashMap::new();
        for s in self.statements.values().filter(|s| s.issuer == self.county) {
            match &s.body {
                Body::Officer { key, limit: None } => {
                    d.officers.insert(*key, None);
                }
                Body::RetireOfficer { key, last } => {
                    let entry = retired.entry(*key).or_insert(*last);
                    *entry = (*entry).min(*last);
                }
                _ => {}
            }
        }
        let in_time = |s: &Statement| retired.get(&s.issuer).is_none_or(|last| s.number <= *last);
        let full = |d: &Derived, s: &Statement| {
            s.issuer == self.county || (d.officers.get(&s.issuer) == Some(&None) && in_time(s))
        };
        for s in self.statements.values() {
            if let Body::Officer {
                key,
                limit: Some(limit),
            } = &s.body
                && full(&d, s)
            {
                d.officers.entry(*key).or_insert(Some(limit.clone()));
            }
        }
        for (hash, s) in &self.statements {
            let allowed = match (&s.body, d.officers.get(&s.issuer)) {
                (Body::Grant { role, scope, .. }, Some(Some((r, sc)))) => {
                    role == r && scope == sc && in_time(s)
                }
                _ => full(&d, s),
            };
            if !allowed {
                continue;
            }
            d.counting.insert(*hash);
            if s.issuer == self.county || d.officers.get(&s.issuer) == Some(&None) {
                d.last_number = d.last_number.max(s.number);
            }
            match &s.body {
                Body::Grant {
                    device,
                    role,
                    scope,
                    label,
                } => {
                    d.grants.entry(*device).or_default().insert(Grant {
                        role: *role,
                        scope: scope.clone(),
                        label: label.clone(),
                    });
                }
                Body::Revoke { device } => {
                    d.revoked.insert(*device);
                }
                Body::Cut {
                    document,
                    actor,
                    seq,
                    hash,
                } => {
                    let cut = Cut {
                        seq: *seq,
                        hash: *hash,
                        number: s.number,
                    };
                    let entry = d.cuts.entry((document.clone(), *actor)).or_insert(cut);
                    // Equal numbers (two officers apart): the earlier end, then the smaller hash, holds.
                    let rank = |c: &Cut| (c.number, std::cmp::Reverse((c.seq, c.hash)));
                    if rank(&cut) > rank(entry) {
                        *entry = cut;
                    }
                }
                Body::HubAddress { hub, address } => {
                    let new = (s.number, address.clone());
                    let entry = d.hubs.entry(*hub).or_insert(new.clone());
                    *entry = entry.clone().max(new);
                }
                _ => {}
            }
        }
        d.hubs.retain(|hub, _| !d.revoked.contains(hub));
        d.retired = retired;
        let mut all = Sha256::new();
        for hash in &d.counting {
            all.update(hash);
        }
        d.digest.copy_from_slice(&all.finalize()[..8]);
        self.derived = d;
    }
}

#[cfg(test)]
mod tests;
