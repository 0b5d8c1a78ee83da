//! Taking calls: each caller gets a task of its own, within the limits, until its handshake ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cork::Cork;
use crate::early::{Failure, Fate, Handshake, Settling, Side, is_complete};
use crate::gate::{Entry, Gate, Seat};
use crate::link::{canonical, identity};
use crate::{Error, Link, Tuning};

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// Runs until the endpoint closes.
pub(crate) async fn take_calls(
    quic: quinn::Endpoint,
    tuning: Tuning,
    gate: Arc<Gate>,
    counts: Arc<Counts>,
    queue: mpsc::Sender<Link>,
) {
    while let Some(incoming) = quic.accept().await {
        let from = canonical(incoming.remote_address());
        let entry = if quic.open_connections() >= tuning.max_links {
            Entry::Full
        } else {
            gate.enter(from.ip(), incoming.remote_address_validated())
        };
        match entry {
            Entry::Seat(seat) => {
                let call = Call {
                    handshake: Handshake {
                        addr: from,
                        patience: tuning.handshake_timeout,
                        side: Side::Called,
                    },
                    early_data: tuning.early_data,
                    counts: counts.clone(),
                    queue: queue.clone(),
                };
                tokio::spawn(call.shake_hands(incoming, seat));
            }
            // An unproven caller may always be asked; were it not so, dropping the error refuses it.
            Entry::ProveAddress => drop(incoming.retry()),
            Entry::Full => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%from, "call refused: no seat free");
                incoming.refuse();
            }
        }
    }
}

struct Call {
    handshake: Handshake,
    early_data: bool,
    counts: Arc<Counts>,
    queue: mpsc::Sender<Link>,
}

impl Call {
    /// The seat is taken until the handshake has ended, also if the link is handed out before.
    async fn shake_hands(self, incoming: quinn::Incoming, seat: Seat) {
        let patience: Duration = self.handshake.patience;
        let fault = match timeout(patience, self.meet(incoming)).await {
            Ok(Ok(Met::Proven(link))) => {
                drop(seat);
                // Fails only when the endpoint is gone; the link closes with it.
                let _ = self.queue.send(link).await;
                return;
            }
            Ok(Ok(Met::Early(conn, peer, accepted, cork))) => {
                let (settling, watcher) = Settling::new(self.handshake.clone());
                let link = Link::unsettled(conn.clone(), peer, settling, cork);
                let watching = async {
                    let fate = watcher.watch(conn, accepted, None).await;
                    drop(seat);
                    fate
                };
                match tokio::join!(self.queue.send(link), watching).1 {
                    Some(Fate::Failed(failure)) => self.handshake.error(failure).to_string(),
                    _ => return,
                }
            }
            Ok(Err(e)) => e.to_string(),
            Err(_) => "too slow".to_string(),
        };
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(from = %self.handshake.addr, fault, "handshake of a caller failed");
    }

    /// Waits until the caller's key is proven: by the ticket in its first packet, whose secret only
    /// the node has to which it was given, or by its signature at the end of a full handshake.
    async fn meet(&self, incoming: quinn::Incoming) -> Result<Met, Error> {
        let lost = |error| self.handshake.error(Failure::Lost(error));
        let (connecting, cork) = Cork::around(|| incoming.accept());
        let connecting = connecting.map_err(lost)?;
        if !self.early_data {
            cork.pull();
            return Link::new(connecting.await.map_err(lost)?).map(Met::Proven);
        }
        let (conn, accepted) = match connecting.into_0rtt() {
            Ok(both) => both,
            // Never for a call that was taken, says quinn.
            Err(connecting) => {
                cork.pull();
                return Link::new(connecting.await.map_err(lost)?).map(Met::Proven);
            }
        };
        // Of a resumed session, and then TLS has checked that the caller knows its secret. (A first message of
        // TLS that comes in pieces is not read yet: that caller waits for the end of the handshake.)
        if let Some(peer) = identity(&conn) {
            return Ok(Met::Early(conn, peer, accepted, cork));
        }
        cork.pull();
        // A stranger as yet: neither its data nor a way to answer is handed out.
        accepted.await;
        match conn.close_reason() {
            Some(error) if !is_complete(&conn) => Err(lost(error)),
            _ => Link::new(conn).map(Met::Proven),
        }
    }
}

enum Met {
    /// The handshake is complete.
    Proven(Link),
    /// The peer is known, the handshake goes on.
    Early(quinn::Connection, sync::NodeId, quinn::ZeroRttAccepted, Cork),
}
