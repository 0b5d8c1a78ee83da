//! A door for `tests/fuzz`: what a node does with stored changes, over a connection alone; and what stands in a sealed
//! bundle.

pub use crate::bundle::fuzzing::*;

use records::Kinds;
use store::Connection;
use store::changes;
use sync::authority::Policy;
use sync::tip::sign_tip;
use sync::{ActorId, DeviceKey, DocKey, Roll};

use crate::documents::{Around, Cache, Room};
use crate::{Edit, Error};

/// Documents and their views in a transaction.
pub struct Documents<'a> {
    around: Around<'a>,
    cache: Cache,
}

impl<'a> Documents<'a> {
    /// Nothing in memory yet.
    pub fn new(conn: &'a Connection, policy: &'a Policy, roll: &'a Roll, kinds: &'a Kinds) -> Documents<'a> {
        let around = Around {
            conn,
            policy,
            roll,
            kinds,
            room: Room::SCHOOL,
            now: 0,
        };
        Documents {
            around,
            cache: Cache::default(),
        }
    }

    /// Brings all views up to the stored changes.
    pub fn show(&mut self) -> Result<(), Error> {
        for d in changes::unviewed(self.around.conn)? {
            self.cache.refresh(&self.around, d.id, &d.key, d.viewed)?;
        }
        Ok(())
    }

    /// Writes records as a new actor of a device.
    pub fn write(
        &mut self,
        device: &DeviceKey,
        incarnation: [u8; 4],
        key: &DocKey,
        edits: &[Edit],
    ) -> Result<bool, Error> {
        let actor = ActorId {
            device: device.id(),
            incarnation,
        };
        let Around { conn, roll, .. } = self.around;
        self.cache.edit(
            &self.around,
            key,
            |_| Ok(actor),
            edits,
            |change| {
                let tip = sign_tip(device, &roll.county(), key, &change.header);
                Ok(changes::insert(conn, key, change, Some(&tip), None, 0)?)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, ObjType, ROOT};
    use store::Store;
    use sync::Change;
    use sync::admission::Fault;
    use sync::roll::{Body, Statement};

    use super::*;

    /// Found by the fuzzer: the quarantine for another fault of the same actor hid that a change of it cannot be
    /// read, and the document could not be shown any more.
    #[test]
    fn an_actor_with_two_faults_holds_up_nobody() {
        let device = |n: u8| DeviceKey::from_seed([n; 32]);
        let actor = |n: u8| ActorId {
            device: device(n).id(),
            incarnation: [n; 4],
        };
        let mut roll = Roll::new(device(0).id());
        for n in [2, 3] {
            let body = Body::Grant {
                device: device(n).id(),
                role: crate::Role::School.code(),
                scope: "a".into(),
                label: String::new(),
            };
            roll.add(Statement::sign(device(0).id(), &device(0), n.into(), body));
        }
        let made_by = |n: u8| {
            let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor(n).to_bytes()[..]));
            let record = doc.put_object(ROOT, "r1", ObjType::Map).unwrap();
            for (field, value) in [("_kind", "session/1"), ("title", "错题怎样变成资源")] {
                doc.put(&record, field, value).unwrap();
            }
            doc.commit();
            (doc, record)
        };
        let (mut doc, _) = made_by(2);
        let (mut elsewhere, record) = made_by(4);
        elsewhere.set_actor(automerge::ActorId::from(&actor(3).to_bytes()[..]));
        elsewhere.put(&record, "title", "毒").unwrap();
        elsewhere.commit();
        let read = |c: &automerge::Change| Change::from_chunk(c.raw_bytes()).unwrap();
        let (good, edit) = (
            read(&doc.get_changes(&[])[0]),
            read(&elsewhere.get_last_local_change().unwrap()),
        );
        // The edit writes into an object that is not there, as many actors of one device.
        let tail = &edit.body[1 + 32 + 1 + ActorId::LEN + 2..];
        let poisons: Vec<Change> = (0..30)
            .map(|n| {
                let mut actor = actor(3);
                actor.incarnation[0] = n;
                let head = [&[0, ActorId::LEN as u8][..], &actor.to_bytes(), &[1, 1]].concat();
                Change::from_body([&head, tail].concat()).unwrap()
            })
            .collect();

        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("yanxiu.db")).unwrap();
        let (key, policy) = (DocKey::parse("log/a/2025").unwrap(), crate::document_policy());
        let shown: Result<(), Error> = store.write(|tx| {
            for poison in &poisons {
                changes::insert(tx, &key, poison, None, None, 0)?;
            }
            changes::insert(tx, &key, &good, None, None, 0)?;
            changes::quarantine(tx, &key, Fault::SequenceGap, &edit, None, None, 0)?;
            Documents::new(tx, &policy, &roll, Kinds::builtin()).show()
        });
        shown.unwrap();
        let left_out = store.read(|c| changes::unreadable(c, &key)).unwrap();
        assert_eq!(left_out.len(), poisons.len());
        // What goes leaves nothing behind that would hold up another branch of its actor.
        let kept: Result<usize, store::Error> = store.write(|tx| {
            let (gone, why) = (&poisons[0].header.actor, store::aside::Why::End);
            store::aside::set_aside(tx, &key, gone, 1, why, 0)?;
            Ok(changes::unreadable(tx, &key)?.len())
        });
        assert_eq!(kept.unwrap(), poisons.len() - 1);
        let faults = store.read(changes::quarantines).unwrap();
        let first = faults.iter().find(|q| q.actor == actor(3)).unwrap();
        assert_eq!(first.fault, "SequenceGap", "the first evidence stays");
        let records = "SELECT COUNT(*) FROM record WHERE id = 'r1'";
        let rows: i64 = store
            .read(|c| Ok::<_, store::Error>(c.query_row(records, [], |r| r.get(0))?))
            .unwrap();
        assert_eq!(rows, 1);
    }
}
