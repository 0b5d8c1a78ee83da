//! Who may write and read a document, and which stored changes count: pure functions of the roll
//! and of the document policy that the caller hands in as a table.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use crate::change::Header;
use crate::document::{ChangeHash, DocKey};
use crate::identity::NodeId;
use crate::limits;
use crate::roll::{Grant, RoleCode, Roll};

/// A role, and the key segments that its scope must equal (joined by `/`). No segments: any scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// The role.
    pub role: RoleCode,
    /// Segments of the key, counted from 0 (the kind).
    pub scope: &'static [usize],
}

/// One kind of document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRow {
    /// First segment of the key.
    pub kind: &'static str,
    /// Number of segments of the key.
    pub segments: usize,
    /// The segment that is a year, four digits within `limits::YEARS`.
    pub year: Option<usize>,
    /// The writing authority.
    pub write: Vec<Access>,
    /// Readers beside the writers.
    pub read: Vec<Access>,
    /// Sending order: lower first (roll, then decisions, then records: design.md §5).
    pub priority: u8,
}

/// The table of document kinds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy(pub Vec<PolicyRow>);

impl Policy {
    /// The row of a key; `None` for a kind that this version does not know, and for a name that no document
    /// of its kind can have.
    pub fn row(&self, key: &DocKey) -> Option<&PolicyRow> {
        let row = self.of_kind(key)?;
        (!self.is_misnamed(key)).then_some(row)
    }

    /// Whether the kind is known and the name is none of its documents'.
    pub fn is_misnamed(&self, key: &DocKey) -> bool {
        let is_year = |text: &str| {
            text.len() == 4
                && text.bytes().all(|b| b.is_ascii_digit())
                && text.parse().is_ok_and(|y| limits::YEARS.contains(&y))
        };
        self.of_kind(key).is_some_and(|row| {
            key.as_str().split('/').count() != row.segments
                || row.year.is_some_and(|i| !key.segment(i).is_some_and(is_year))
        })
    }

    /// Where a document stands among those that go out: by the priority of its kind, then the latest year first
    /// (design.md §5). What this version does not know comes last.
    pub fn order(&self, key: &DocKey) -> (u8, Reverse<Option<u16>>) {
        match self.row(key) {
            Some(row) => {
                let year = row.year.and_then(|i| key.segment(i)?.parse().ok());
                (row.priority, Reverse(year))
            }
            None => (u8::MAX, Reverse(None)),
        }
    }

    fn of_kind(&self, key: &DocKey) -> Option<&PolicyRow> {
        self.0.iter().find(|r| key.segment(0) == Some(r.kind))
    }
}

fn fits(access: &Access, grant: &Grant, key: &DocKey) -> bool {
    if access.role != grant.role {
        return false;
    }
    if access.scope.is_empty() {
        return true;
    }
    let wanted: Option<Vec<&str>> = access.scope.iter().map(|i| key.segment(*i)).collect();
    wanted.is_some_and(|w| w.join("/") == grant.scope)
}

/// Whether the device was ever given the document to write, revoked or not. Decides what is stored.
pub fn was_writer(policy: &Policy, roll: &Roll, device: &NodeId, key: &DocKey) -> bool {
    policy.row(key).is_some_and(|row| {
        roll.grants(device)
            .any(|g| row.write.iter().any(|a| fits(a, g, key)))
    })
}

/// Whether the device may write the document now.
pub fn may_write(policy: &Policy, roll: &Roll, device: &NodeId, key: &DocKey) -> bool {
    !roll.is_revoked(device) && was_writer(policy, roll, device, key)
}

/// Whether the document may be sent to the device now.
pub fn may_read(policy: &Policy, roll: &Roll, device: &NodeId, key: &DocKey) -> bool {
    !roll.is_revoked(device) && was_reader(policy, roll, device, key)
}

/// Whether the document could be sent to the device at some time, revoked or not: what it may hold.
pub fn was_reader(policy: &Policy, roll: &Roll, device: &NodeId, key: &DocKey) -> bool {
    policy.row(key).is_some_and(|row| {
        roll.grants(device)
            .any(|g| row.write.iter().chain(&row.read).any(|a| fits(a, g, key)))
    })
}

/// Beginnings of document keys among which lies everything that [`may_read`] lets the device read: where a
/// store with tens of thousands of documents has to look. More lies among them too, so `may_read` is still
/// asked for each key. Sorted; none begins another.
pub fn prefixes(policy: &Policy, roll: &Roll, device: &NodeId) -> Vec<String> {
    if roll.is_revoked(device) {
        return Vec::new();
    }
    let mut all = BTreeSet::new();
    for row in &policy.0 {
        for access in row.write.iter().chain(&row.read) {
            for grant in roll.grants(device).filter(|g| g.role == access.role) {
                // As far as the scope names the segments behind the kind one after the other.
                let mut prefix = row.kind.to_string();
                let mut scope = grant.scope.split('/');
                for (place, segment) in access.scope.iter().enumerate() {
                    let (true, Some(value)) = (*segment == place + 1, scope.next()) else {
                        break;
                    };
                    prefix = format!("{prefix}/{value}");
                }
                if prefix.split('/').count() < row.segments {
                    prefix.push('/');
                }
                all.insert(prefix);
            }
        }
    }
    let mut kept: Vec<String> = Vec::new();
    for prefix in all {
        if !kept.last().is_some_and(|k| prefix.starts_with(k.as_str())) {
            kept.push(prefix);
        }
    }
    kept
}

/// The stored changes of one document that count: those of writers, up to their cuts, whose whole past
/// counts. A revoked device counts up to its cuts and, in documents without one, not at all.
///
/// `stored` must have dependencies before dependants, as they are stored. The same changes and the same
/// roll give the same set on every node, in whatever order they came.
pub fn counted<'a>(
    policy: &Policy,
    roll: &Roll,
    key: &DocKey,
    stored: impl IntoIterator<Item = &'a Header>,
) -> HashSet<ChangeHash> {
    let mut counted = HashSet::new();
    for head in stored {
        if counts(policy, roll, key, head, |dep| counted.contains(dep)) {
            counted.insert(head.hash);
        }
    }
    counted
}

/// Whether one change counts, given which of its dependencies do.
pub fn counts(
    policy: &Policy,
    roll: &Roll,
    key: &DocKey,
    head: &Header,
    dep_counts: impl Fn(&ChangeHash) -> bool,
) -> bool {
    was_writer(policy, roll, &head.actor.device, key)
        && within_end(roll, key, head)
        && head.deps.iter().all(dep_counts)
}

/// Whether a change is not beyond the end of its actor, nor on another branch than the one a cut names.
pub fn within_end(roll: &Roll, key: &DocKey, head: &Header) -> bool {
    roll.end(key, &head.actor)
        .is_none_or(|end| head.seq < end.seq || (head.seq == end.seq && head.hash == end.hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ActorId, DeviceKey};
    use crate::roll::{Body, Statement};

    const COUNTY: RoleCode = 1;
    const SCHOOL: RoleCode = 3;

    fn policy() -> Policy {
        let school = Access {
            role: SCHOOL,
            scope: &[1],
        };
        let county = Access {
            role: COUNTY,
            scope: &[],
        };
        Policy(vec![
            PolicyRow {
                kind: "log",
                segments: 3,
                year: Some(2),
                write: vec![school.clone()],
                read: vec![county.clone()],
                priority: 2,
            },
            PolicyRow {
                kind: "ledger",
                segments: 3,
                year: Some(2),
                write: vec![county],
                read: vec![school],
                priority: 1,
            },
        ])
    }

    fn key(n: u8) -> DeviceKey {
        DeviceKey::from_seed([n; 32])
    }

    fn roll(bodies: &[Body]) -> Roll {
        let root = key(0);
        let mut roll = Roll::new(root.id());
        let mut all = vec![Body::Officer {
            key: root.id(),
            limit: None,
        }];
        for (device, role, scope) in [
            (1, COUNTY, ""),
            (2, SCHOOL, "a"),
            (3, SCHOOL, "a"),
            (4, SCHOOL, "b"),
        ] {
            all.push(Body::Grant {
                device: key(device).id(),
                role,
                scope: scope.into(),
                label: String::new(),
            });
        }
        all.extend_from_slice(bodies);
        roll.add_all(
            all.into_iter()
                .enumerate()
                .map(|(i, b)| Statement::sign(root.id(), &root, i as u64, b)),
        );
        roll
    }

    fn doc(text: &str) -> DocKey {
        DocKey::parse(text).unwrap()
    }

    #[test]
    fn one_writing_authority() {
        let (p, r) = (policy(), roll(&[]));
        assert!(may_write(&p, &r, &key(2).id(), &doc("log/a/2025")));
        assert!(
            !may_write(&p, &r, &key(4).id(), &doc("log/a/2025")),
            "another school"
        );
        assert!(
            !may_write(&p, &r, &key(2).id(), &doc("ledger/a/2025")),
            "the ledger is the county's"
        );
        assert!(
            !may_write(&p, &r, &key(1).id(), &doc("log/a/2025")),
            "the county does not write logs"
        );
        assert!(may_read(&p, &r, &key(1).id(), &doc("log/a/2025")));
        assert!(may_read(&p, &r, &key(2).id(), &doc("ledger/a/2025")));
        assert!(!may_read(&p, &r, &key(4).id(), &doc("ledger/a/2025")));
        assert!(!may_read(&p, &r, &key(2).id(), &doc("unknown/a/2025")));
        assert!(!may_read(&p, &r, &key(2).id(), &doc("log/a")));
        for name in [
            "log/a/0001",
            "log/a/1898",
            "log/a/2101",
            "log/a/20251",
            "log/a/x",
            "log/a/2025/x",
        ] {
            assert!(
                p.is_misnamed(&doc(name)) && !may_write(&p, &r, &key(2).id(), &doc(name)),
                "{name}"
            );
        }
        assert!(!p.is_misnamed(&doc("unknown/a")) && !p.is_misnamed(&doc("log/a/1899")));
    }

    #[test]
    fn decisions_go_before_records_and_this_year_before_the_last() {
        let mut keys: Vec<DocKey> = [
            "unknown/a",
            "log/a/2024",
            "log/a/2025",
            "ledger/b/2024",
            "ledger/a/2025",
        ]
        .map(doc)
        .into();
        keys.sort_by_key(|k| policy().order(k));
        assert_eq!(
            keys,
            [
                "ledger/a/2025",
                "ledger/b/2024",
                "log/a/2025",
                "log/a/2024",
                "unknown/a"
            ]
            .map(doc)
        );
    }

    #[test]
    fn a_cut_takes_the_rest_and_its_descendants() {
        let actor = |n| ActorId {
            device: key(n).id(),
            incarnation: [0; 4],
        };
        let change = |n: u8, by: u8, seq: u64, deps: &[u8]| Header {
            hash: [n; 32],
            deps: deps.iter().map(|d| [*d; 32]).collect(),
            actor: actor(by),
            seq,
            start_op: 1,
            ops: 1,
        };
        // 2 writes 1, 2, 3; 3 writes 10 on 1, then 11 on 2 (beyond the cut), then 12 on 11.
        let stored = [
            change(1, 2, 1, &[]),
            change(10, 3, 1, &[1]),
            change(2, 2, 2, &[1]),
            change(11, 3, 2, &[10, 2]),
            change(3, 2, 3, &[2]),
            change(12, 3, 3, &[11]),
        ];
        let key_of = doc("log/a/2025");
        let names = |r: &Roll| {
            let mut all: Vec<u8> = counted(&policy(), r, &key_of, &stored)
                .into_iter()
                .map(|h| h[0])
                .collect();
            all.sort();
            all
        };
        assert_eq!(names(&roll(&[])), [1, 2, 3, 10, 11, 12]);
        let revoke = Body::Revoke { device: key(2).id() };
        assert_eq!(names(&roll(std::slice::from_ref(&revoke))), Vec::<u8>::new());
        let cut = Body::Cut {
            document: key_of.clone(),
            actor: actor(2),
            seq: 1,
            hash: [1; 32],
        };
        assert_eq!(names(&roll(&[revoke.clone(), cut])), [1, 10]);
        let wrong_branch = Body::Cut {
            document: key_of.clone(),
            actor: actor(2),
            seq: 2,
            hash: [77; 32],
        };
        assert_eq!(names(&roll(&[revoke, wrong_branch])), [1, 10]);
    }
}
