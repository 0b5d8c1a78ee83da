//! A door for `tests/fuzz`: what a node does with stored changes, over a connection alone.

use records::Kinds;
use store::Connection;
use store::changes;
use sync::authority::Policy;
use sync::tip::sign_tip;
use sync::{ActorId, DeviceKey, DocKey, Roll};

use crate::documents::{Around, Cache};
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
