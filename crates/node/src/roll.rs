//! The roll as a node holds it: read from its rows, and what a new statement makes doubtful.

use std::sync::Arc;

use store::{Connection, Store, changes};
use sync::roll::{Body, Statement};
use sync::{ActorId, NodeId, Roll};

use crate::Error;
use crate::documents::Cache;
use crate::policy::Role;

/// The present roll.
#[derive(Clone)]
pub(crate) struct RollState {
    /// The pinned county's roll; before enrolment an empty one under a zero key.
    pub roll: Arc<Roll>,
    pub pinned: bool,
    pub county_name: String,
    /// Statements stored, to notice what another process added.
    pub statements: u64,
}

/// Marks the views of every document in which these statements may change what counts.
pub(crate) fn invalidate(c: &Connection, cache: &mut Cache, statements: &[Statement]) -> Result<(), Error> {
    for s in statements {
        match &s.body {
            Body::HubAddress { .. } | Body::Successor { .. } => {}
            // A device that is granted again brings back what counted no more; a new one has written nothing.
            Body::Grant { device, .. }
            | Body::Revoke { device }
            | Body::Cut {
                actor: ActorId { device, .. },
                ..
            } => {
                for doc in changes::documents_of(c, device)? {
                    cache.forget(Some(doc));
                    changes::set_viewed(c, doc, -1)?;
                }
            }
            _ => {
                cache.forget(None);
                changes::forget_views(c)?;
            }
        }
    }
    Ok(())
}

/// Reads the pinned county's roll.
pub(crate) fn load_roll(store: &Store) -> Result<RollState, Error> {
    Ok(store.read(|c| {
        let county = store::meta(c, "county")?
            .and_then(|b| <[u8; 32]>::try_from(b).ok())
            .map(NodeId);
        let name = store::meta(c, "county_name")?.and_then(|b| String::from_utf8(b).ok());
        Ok::<_, store::Error>(RollState {
            roll: Arc::new(store::roll::load(c, county.unwrap_or(NodeId([0; 32])))?),
            pinned: county.is_some(),
            county_name: name.unwrap_or_default(),
            statements: store::roll::count(c)?,
        })
    })?)
}

/// The schools whose computer a device is.
pub(crate) fn schools_of<'a>(roll: &'a Roll, device: &'a NodeId) -> impl Iterator<Item = &'a str> {
    let grants = roll.grants(device).filter(|g| g.role == Role::School.code());
    grants.map(|g| g.scope.as_str())
}
