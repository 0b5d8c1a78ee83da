//! The tickets that a dialler keeps, and word of their coming: who hangs up before the ticket has come pays for a
//! full handshake the next time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use tokio::sync::watch;

/// Peers of which tickets are kept, up to 8 of each, about 0.5 KB each.
const PEERS: usize = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tickets {
    kept: ClientSessionMemoryCache,
    /// How many have come from each peer.
    come: Mutex<HashMap<ServerName<'static>, u64>>,
    changed: watch::Sender<()>,
}

impl Tickets {
    pub(crate) fn new() -> Arc<Tickets> {
        Arc::new(Tickets {
            kept: ClientSessionMemoryCache::new(PEERS * 8),
            come: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    fn come(&self, name: &ServerName<'static>) -> u64 {
        let come = self.come.lock().unwrap_or_else(PoisonError::into_inner);
        come.get(name).copied().unwrap_or(0)
    }

    /// To wait for the next one from this peer.
    pub(crate) fn next(self: &Arc<Self>, name: &str) -> Option<NextTicket> {
        let name = ServerName::try_from(name.to_string()).ok()?;
        Some(NextTicket {
            before: self.come(&name),
            tickets: self.clone(),
            name,
        })
    }
}

/// A ticket that has not come yet.
#[derive(Clone, Debug)]
pub(crate) struct NextTicket {
    tickets: Arc<Tickets>,
    name: ServerName<'static>,
    before: u64,
}

impl NextTicket {
    /// Waits for it, so long at most.
    pub(crate) async fn wait(&self, at_most: Duration) {
        let mut changed = self.tickets.changed.subscribe();
        let come = async {
            while self.tickets.come(&self.name) <= self.before {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(at_most, come).await;
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(name)
    }

    // TLS 1.3 alone is spoken.
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.kept.insert_tls13_ticket(name.clone(), value);
        let mut come = self.come.lock().unwrap_or_else(PoisonError::into_inner);
        if come.len() >= 4 * PEERS {
            come.clear();
        }
        *come.entry(name).or_default() += 1;
        drop(come);
        self.changed.send_replace(());
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(name)
    }
}
