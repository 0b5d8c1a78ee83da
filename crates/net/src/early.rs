//! Between the first flight and the end of the handshake (0-RTT).
//!
//! With a ticket of an earlier meeting the dialler encrypts its first data under a secret that only
//! the two nodes of that meeting hold, and sends it together with the first packet; the node that is
//! called hands it up at once. Both know from the ticket who the other is. What is still open until
//! the handshake ends, and is watched here:
//!
//! - Dialling: did the peer keep its half of the ticket? If not, the first flight is lost unread, the
//!   handshake goes on as a full one, and the key is checked as in a first meeting.
//! - Called: is the dialler there, or only a copy of its packets? A ticket opens one handshake and is
//!   struck off at its first use, so a copied flight is read by nobody; but a flight that was held
//!   back on the way and let go later is. Hence **only idempotent data may travel early**.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::{ConnectionError, TransportErrorCode, VarInt, ZeroRttAccepted};
use sync::NodeId;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::link::identity;
use crate::tls::PeerKeys;
use crate::{CloseReason, ClosedBy, Error};

/// How a handshake went that was still under way when its link was handed out.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    Open,
    /// Done; the first flight was read.
    Taken,
    /// Done; the first flight was thrown away.
    Rejected,
    Failed(Failure),
}

#[derive(Debug, Clone)]
pub(crate) enum Failure {
    TooSlow,
    Lost(ConnectionError),
    /// Another key than the expected one.
    Stranger(NodeId),
    NoIdentity,
}

/// One handshake, as far as errors tell of it.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    pub(crate) addr: SocketAddr,
    pub(crate) patience: Duration,
    pub(crate) side: Side,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    Dialled {
        expect: Option<NodeId>,
        /// The link was handed out before the end.
        early: bool,
    },
    Called,
}

impl Handshake {
    pub(crate) fn error(&self, failure: Failure) -> Error {
        let addr = self.addr;
        match (failure, &self.side) {
            (Failure::TooSlow, Side::Dialled { .. }) => self.no_answer(),
            (Failure::TooSlow, Side::Called) => Error::LinkClosed(CloseReason {
                by: ClosedBy::Silence,
                code: 0,
                text: String::new(),
            }),
            (Failure::Lost(error), Side::Dialled { early, .. }) => self.lost(error, *early),
            (Failure::Lost(error), Side::Called) => error.into(),
            (
                Failure::Stranger(found),
                &Side::Dialled {
                    expect: Some(expected),
                    ..
                },
            ) => Error::WrongPeer {
                addr,
                expected,
                found,
            },
            (Failure::Stranger(_) | Failure::NoIdentity, _) => Error::NoIdentity { addr },
        }
    }

    fn no_answer(&self) -> Error {
        Error::NoAnswer {
            addr: self.addr,
            seconds: self.patience.as_secs(),
        }
    }

    /// Why dialling failed.
    fn lost(&self, error: ConnectionError, early: bool) -> Error {
        use ConnectionError as E;
        let addr = self.addr;
        match error {
            E::TimedOut => self.no_answer(),
            E::ConnectionClosed(close) if close.error_code == TransportErrorCode::CONNECTION_REFUSED => {
                Error::Busy { addr }
            }
            // By whoever holds the link here or there.
            E::LocallyClosed | E::ApplicationClosed(_) if early => error.into(),
            E::ConnectionClosed(ref close)
                if early && close.error_code == TransportErrorCode::APPLICATION_ERROR =>
            {
                error.into()
            }
            E::LocallyClosed => Error::EndpointClosed,
            E::TransportError(fault) => Error::NotYanxiu {
                addr,
                detail: fault.to_string(),
            },
            other => Error::NotYanxiu {
                addr,
                detail: other.to_string(),
            },
        }
    }
}

/// What a link and its early streams know of a handshake that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Settling {
    handshake: Handshake,
    fate: watch::Receiver<Fate>,
}

/// The other end of a [`Settling`]. Ends its work when nobody holds one any more.
pub(crate) struct Watcher {
    fate: watch::Sender<Fate>,
    patience: Duration,
}

impl Settling {
    pub(crate) fn new(handshake: Handshake) -> (Settling, Watcher) {
        let (sender, fate) = watch::channel(Fate::Open);
        let watcher = Watcher {
            fate: sender,
            patience: handshake.patience,
        };
        (Settling { handshake, fate }, watcher)
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.fate.borrow(), Fate::Open)
    }

    pub(crate) fn was_called(&self) -> bool {
        self.handshake.side == Side::Called
    }

    /// Waits for the end; whether the first flight was read. Cancel-safe.
    pub(crate) async fn end(&self) -> Result<bool, Error> {
        let mut fate = self.fate.clone();
        let fate = match fate.wait_for(|fate| !matches!(fate, Fate::Open)).await {
            Ok(fate) => fate.clone(),
            // The runtime is being taken down.
            Err(_) => return Err(Error::EndpointClosed),
        };
        match fate {
            Fate::Open | Fate::Taken => Ok(true),
            Fate::Rejected => Ok(false),
            Fate::Failed(failure) => Err(self.handshake.error(failure)),
        }
    }

    /// Why a stream of the first flight is dead: QUIC says the same of one that was rejected and of
    /// one whose handshake failed.
    pub(crate) async fn why_dead(&self) -> Error {
        match self.end().await {
            Ok(_) => Error::EarlyDataRejected,
            Err(error) => error,
        }
    }
}

impl Watcher {
    /// Waits for the end of the handshake and says how it went: a dialled one if `expected` is given.
    /// Closes the connection if it failed. `None`: nobody held the link any more.
    pub(crate) async fn watch(
        self,
        conn: quinn::Connection,
        accepted: ZeroRttAccepted,
        expected: Option<(NodeId, &PeerKeys)>,
    ) -> Option<Fate> {
        let ended = tokio::select! {
            biased;
            ended = timeout(self.patience, accepted) => ended,
            () = self.fate.closed() => return None,
        };
        let fate = match (ended, expected) {
            (Err(_), _) => Fate::Failed(Failure::TooSlow),
            (Ok(_), expected) if !is_complete(&conn) => Fate::Failed(cause(&conn, expected)),
            (Ok(_), None) => Fate::Taken,
            // The verifier has refused others, and a resumed session is filed under its name; this
            // holds even if one of the two should change.
            (Ok(taken), Some((expected, _))) => match identity(&conn) {
                Some(found) if found == expected && taken => Fate::Taken,
                Some(found) if found == expected => Fate::Rejected,
                Some(found) => Fate::Failed(Failure::Stranger(found)),
                None => Fate::Failed(Failure::NoIdentity),
            },
        };
        if let Fate::Failed(failure) = &fate {
            tracing::debug!(?failure, "the handshake of an early link failed");
            conn.close(VarInt::from_u32(0), b"the handshake failed");
        }
        self.fate.send_replace(fate.clone());
        Some(fate)
    }
}

/// Why a handshake ended before it was complete.
fn cause(conn: &quinn::Connection, expected: Option<(NodeId, &PeerKeys)>) -> Failure {
    match (conn.close_reason(), expected) {
        (Some(error), Some((expected, peers))) => peers.failure(error, Some(&expected)),
        (Some(error), None) => Failure::Lost(error),
        // TLS broke off right after its end, and QUIC has not said so yet.
        (None, _) => Failure::Lost(ConnectionError::LocallyClosed),
    }
}

/// Whether the handshake has ended well, also if the connection has been closed since: only then are
/// there secrets to derive others from. (quinn's own word for it on a connection that was handed out
/// early does not tell a lost connection from a rejected first flight.)
pub(crate) fn is_complete(conn: &quinn::Connection) -> bool {
    conn.export_keying_material(&mut [0; 32], b"EXPORTER-yanxiu-complete", b"")
        .is_ok()
}
