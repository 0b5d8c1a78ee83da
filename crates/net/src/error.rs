//! What can go wrong on the way, one variant for each thing a person can do something about.

use std::fmt;
use std::net::SocketAddr;

use sync::NodeId;

/// An error of this crate. The texts say what happened, to what, and what to do next; pages
/// translate by variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The UDP socket could not be opened.
    #[error(
        "cannot listen on {addr}: {source}; choose another address or port, or end the program that uses it"
    )]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Called outside a tokio runtime.
    #[error("networking was started outside a tokio runtime; call it from within one")]
    NoRuntime,
    /// A [`crate::Tuning`] value that QUIC cannot express.
    #[error("the tuning value {0} is out of range; use a smaller one")]
    Tuning(&'static str),
    /// The TLS library refused our own key or settings: a fault of this build.
    #[error("the secure transport cannot be set up: {0}; this is a fault of the program, please report it")]
    Setup(String),
    /// The endpoint was closed.
    #[error("this node is shutting its network down; start it again to connect")]
    EndpointClosed,
    /// The address cannot be dialled from this socket (IPv6 from an IPv4 socket, port 0 …).
    #[error("{addr} cannot be dialled from this node; check the address, the port and the listen address")]
    BadAddress {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Nobody answered in time.
    #[error(
        "no answer from {addr} within {seconds} s; check that the node runs there, the link is up and UDP is let through"
    )]
    NoAnswer {
        /// The address that was dialled.
        addr: SocketAddr,
        /// How long we waited.
        seconds: u64,
    },
    /// The computer there answers, and nothing listens at that TCP port.
    #[error(
        "{addr} is there, but no program listens at that TCP port; start yanxiu there or correct the port"
    )]
    NotListening {
        /// The address that was dialled.
        addr: SocketAddr,
    },
    /// The system knows no way there, or TCP got no answer.
    #[error("{addr} cannot be reached ({detail}); check the network and the address")]
    Unreachable {
        /// The address that was dialled.
        addr: SocketAddr,
        /// What the system said.
        detail: String,
    },
    /// Another node than the expected one answered. Nothing was sent to it that it can read.
    #[error("{addr} answered as node {} instead of {}; the address may belong to another device now, or somebody stands in between",
        .found.short(), .expected.short())]
    WrongPeer {
        /// The address that was dialled.
        addr: SocketAddr,
        /// Who was expected.
        expected: NodeId,
        /// Who answered.
        found: NodeId,
    },
    /// The peer is at its limit of connections.
    #[error("{addr} refuses new connections at the moment; try again later")]
    Busy {
        /// The address that was dialled.
        addr: SocketAddr,
    },
    /// The handshake failed: what answers there is no yanxiu node, or one of another protocol version.
    #[error(
        "{addr} does not speak this version of the yanxiu protocol ({detail}); check the address and both versions"
    )]
    NotYanxiu {
        /// The address that was dialled.
        addr: SocketAddr,
        /// What the handshake said.
        detail: String,
    },
    /// The peer showed no usable key although the handshake ended. Never seen; refused all the same.
    #[error("the node at {addr} proved no identity; the connection was closed")]
    NoIdentity {
        /// The peer's address.
        addr: SocketAddr,
    },
    /// The link has ended.
    #[error("the link has ended ({0}); it is opened again when the peer can be reached")]
    LinkClosed(CloseReason),
    /// A frame longer than the limit was announced or handed in. Nothing of it was kept or sent.
    #[error("a frame of {len} bytes is longer than the limit of {limit}; the stream was given up")]
    FrameTooLong {
        /// Announced or given length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u32,
    },
    /// A frame began and was not whole in time.
    #[error("a frame was not whole {seconds} s after it had begun; the stream was given up")]
    FrameSlow {
        /// The limit in seconds.
        seconds: u64,
    },
    /// The stream ended in the middle of a frame.
    #[error("the stream ended {missing} bytes before the end of a frame; ask the peer again")]
    FrameCut {
        /// Bytes that were still to come.
        missing: u64,
    },
    /// The peer gave up sending on this stream.
    #[error("the peer gave up this stream (code {code}); ask it again")]
    StreamReset {
        /// The peer's code.
        code: u64,
    },
    /// The peer does not want more of this stream.
    #[error("the peer wants no more of this stream (code {code})")]
    StreamStopped {
        /// The peer's code.
        code: u64,
    },
    /// The peer could not read the first flight (it restarted, or forgot the ticket). What was
    /// written on this stream is lost; the link lives: see [`crate::Link::settled`].
    #[error("the peer could not read what was sent early; open another stream and send it again")]
    EarlyDataRejected,
    /// The stream was already finished, or a write on it was dropped half-way.
    #[error("this stream has ended or was broken off; open another one")]
    StreamEnded,
    /// Looking for neighbours by mDNS failed.
    #[error("looking for neighbours on the local network failed: {0}; typed addresses still work")]
    Discovery(String),
}

/// Who ended a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// This node, by [`crate::Link::close`] or by closing the endpoint.
    Us,
    /// The peer, on purpose: `code` and `text` are its own.
    Peer,
    /// Nobody: nothing was heard for the idle timeout.
    Silence,
    /// A fault of the transport: the peer restarted, or broke the protocol.
    Fault,
}

/// Why a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// Who ended it.
    pub by: ClosedBy,
    /// The peer's code if [`ClosedBy::Peer`], else 0.
    pub code: u32,
    /// The peer's words (at most 200 characters, no control characters) or the transport's.
    pub text: String,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            ClosedBy::Us => f.write_str("closed by this node"),
            ClosedBy::Peer if self.text.is_empty() => {
                write!(f, "closed by the peer, code {}", self.code)
            }
            ClosedBy::Peer => write!(f, "closed by the peer, code {}: {}", self.code, self.text),
            ClosedBy::Silence => f.write_str("nothing was heard for too long"),
            ClosedBy::Fault => write!(f, "transport fault: {}", self.text),
        }
    }
}

impl CloseReason {
    /// As the peer said it.
    pub(crate) fn from_peer(code: u32, words: &[u8]) -> CloseReason {
        CloseReason {
            by: ClosedBy::Peer,
            code,
            text: printable(words),
        }
    }
}

impl From<quinn::ConnectionError> for CloseReason {
    fn from(error: quinn::ConnectionError) -> CloseReason {
        use quinn::ConnectionError as E;
        let reason = |by, text: String| CloseReason { by, code: 0, text };
        match error {
            E::ApplicationClosed(close) => CloseReason::from_peer(
                u32::try_from(close.error_code.into_inner()).unwrap_or(u32::MAX),
                &close.reason,
            ),
            E::LocallyClosed => reason(ClosedBy::Us, String::new()),
            E::TimedOut => reason(ClosedBy::Silence, String::new()),
            E::Reset => reason(ClosedBy::Fault, "the peer has restarted".to_string()),
            E::ConnectionClosed(close) => {
                let said = printable(&close.reason);
                reason(
                    ClosedBy::Fault,
                    format!("{} {said}", close.error_code).trim_end().to_string(),
                )
            }
            other => reason(ClosedBy::Fault, other.to_string()),
        }
    }
}

impl From<quinn::ConnectionError> for Error {
    fn from(error: quinn::ConnectionError) -> Error {
        Error::LinkClosed(error.into())
    }
}

/// Foreign bytes made fit for a log line.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_words_cannot_break_a_log_line() {
        let text = printable("备案\r\n\u{1b}[31m假日志𬭊".as_bytes());
        assert_eq!(text, "备案[31m假日志𬭊");
        assert_eq!(printable(&[b'a'; 5000]).len(), 200);
    }
}
