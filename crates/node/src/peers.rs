//! Other nodes, as the sync page and `yanxiu status` show them.

use std::collections::HashMap;

use store::reach::Reach;
use sync::authority::prefixes;
use sync::{NodeId, Roll};

use crate::{Error, Exchange, Node};

/// A node that was met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerRow {
    /// Who.
    pub node: NodeId,
    /// Its name.
    pub label: String,
    /// Whether it is a county store.
    pub county: bool,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Where it was reached last.
    pub address: Option<String>,
    /// Unix seconds of the last contact.
    pub seen_at: Option<i64>,
    /// Unix seconds when both sides were last found equal.
    pub in_sync_at: Option<i64>,
    /// Whether a session is open now.
    pub connected: bool,
    /// The road of that session.
    pub road: Option<net::Road>,
    /// Changes and bytes that it may read and has not acknowledged.
    pub waiting: (u32, u64),
    /// What the last contact moved, if any did since the program was started.
    pub exchange: Option<Exchange>,
}

impl Node {
    /// All nodes that were met, last seen first.
    pub fn peers(&self) -> Result<Vec<PeerRow>, Error> {
        self.peers_where(|_| true)
    }

    /// The county's stores among them.
    pub fn county_peers(&self) -> Result<Vec<PeerRow>, Error> {
        self.peers_where(|peer| self.is_county_store(peer))
    }

    /// When each node was met last, unix seconds, and whether it is connected now.
    pub fn met(&self) -> Result<HashMap<NodeId, (Option<i64>, bool)>, Error> {
        let connected = self.0.outward.connected().clone();
        let all = self.store().read(store::peers::list)?.into_iter();
        Ok(all
            .map(|p| (p.node, (p.seen_at, connected.contains_key(&p.node))))
            .collect())
    }

    /// What waits for a peer is counted in each document that it may read: it is not asked of a thousand schools for
    /// the sake of one hub.
    fn peers_where(&self, wanted: impl Fn(&NodeId) -> bool) -> Result<Vec<PeerRow>, Error> {
        let roll = self.roll();
        let connected = self.0.outward.connected().clone();
        self.store().read(|c| {
            let mut rows = Vec::new();
            for p in store::peers::list(c)?.into_iter().filter(|p| wanted(&p.node)) {
                let reach = self.reach(&roll, &p.node);
                rows.push(PeerRow {
                    label: self.device_label(&p.node),
                    county: self.is_county_store(&p.node),
                    revoked: roll.is_revoked(&p.node),
                    exchange: self.last_exchange(&p.node),
                    waiting: store::outgoing::waiting(c, p.acked.unwrap_or(0), &p.node, &reach)?,
                    node: p.node,
                    address: p.address,
                    seen_at: p.seen_at,
                    in_sync_at: p.in_sync_at,
                    connected: connected.contains_key(&p.node),
                    road: connected.get(&p.node).copied(),
                });
            }
            Ok(rows)
        })
    }

    fn reach<'a>(&'a self, roll: &'a Roll, peer: &'a NodeId) -> Reach<'a> {
        let prefixes = prefixes(&self.0.policy, roll, peer);
        Reach::new(prefixes, move |key| self.may_read(roll, peer, key))
    }

    /// Whether a peer lacks changes of ours that it may read.
    pub(crate) fn has_news_for(&self, peer: &NodeId) -> Result<bool, Error> {
        let roll = self.roll();
        self.store().read(|c| {
            let acked = store::peers::get(c, peer)?.and_then(|p| p.acked);
            let reach = self.reach(&roll, peer);
            Ok(store::outgoing::waiting(c, acked.unwrap_or(0), peer, &reach)?.0 > 0)
        })
    }

    /// Typed addresses.
    pub fn addresses(&self) -> Result<Vec<String>, Error> {
        Ok(self.store().read(store::peers::addresses)?)
    }

    /// Keeps an address to dial: `host:port`, or `host:port#device` as [`Node::own_addresses`] writes it.
    pub fn add_address(&self, address: &str) -> Result<(), Error> {
        let (_, device) = read_address(address).ok_or_else(|| Error::BadAddress(address.to_string()))?;
        if device == Some(self.id()) {
            return Err(Error::OwnAddress(address.to_string()));
        }
        self.store()
            .write(|tx| store::peers::add_address(tx, address, self.now()))?;
        self.0.roll_changed.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Forgets an address.
    pub fn remove_address(&self, address: &str) -> Result<(), Error> {
        self.store()
            .write(|tx| store::peers::remove_address(tx, address))?;
        // What is typed besides for the same place counts from now on.
        self.0.roll_changed.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Actors under quarantine, with document and fault.
    pub fn quarantines(&self) -> Result<Vec<store::changes::Quarantined>, Error> {
        Ok(self.store().read(store::changes::quarantines)?)
    }

    /// Changes that wait, by document and author.
    pub fn held(&self) -> Result<Vec<store::cases::KeptRow>, Error> {
        Ok(self.store().read(store::cases::held)?)
    }
}

/// Reads an address as people type or scan it: where to dial, `host:port`, and who is to answer there, if `#` and the letters
/// of a device stand behind it.
pub(crate) fn read_address(text: &str) -> Option<(&str, Option<NodeId>)> {
    let (place, device) = match text.split_once('#') {
        Some((place, letters)) => (place, Some(NodeId::parse(letters)?)),
        None => (text, None),
    };
    let (host, port) = place.rsplit_once(':')?;
    let good =
        !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|p| p > 0);
    good.then_some((place, device))
}
