//! Frames: how a stream of bytes is cut into messages.
//!
//! ```text
//! offset  0             4                    4 + len
//!         | len         |  len bytes         |  next frame …
//!         | u32, little |  (may be 0 bytes)  |
//!         | endian      |                    |
//! ```
//!
//! The stream may end before a frame begins and nowhere else.

use std::task::{Context, Poll};
use std::time::Duration;

use sync::NodeId;
use tokio::time::Instant;

use crate::Error;
use crate::cork::{Cork, waiting};
use crate::early::Settling;
use crate::mux::{TcpReader, TcpWriter};

/// The longest frame in bytes, its length field not counted: 1 MiB. Transfers are cut into pieces
/// that commit on their own, and at 64 kbit/s one such frame already takes two minutes; whatever
/// announces more is a mistake or an attack. Larger things (photos) travel as ranges.
pub const MAX_FRAME: u32 = 1 << 20;

/// How long a frame may take: the longest one at 20 kbit/s takes seven minutes.
const FRAME_TIME: Duration = Duration::from_secs(600);

/// Sent when a reader gives a stream up because of an oversize frame.
const CODE_TOO_LONG: u32 = 1;
/// Sent when a write was dropped half-way and the stream cannot go on.
const CODE_CUT: u32 = 2;

/// Bytes of a stream that go out.
#[derive(Debug)]
pub(crate) enum Sending {
    Quic(quinn::SendStream),
    Tcp(TcpWriter),
}

/// Bytes of a stream that come in.
#[derive(Debug)]
pub(crate) enum Receiving {
    Quic(quinn::RecvStream),
    Tcp(TcpReader),
}

/// Some of them.
enum Piece {
    Quic(quinn::Chunk),
    Tcp(Vec<u8>),
}

impl std::ops::Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Quic(chunk) => &chunk.bytes,
            Piece::Tcp(bytes) => bytes,
        }
    }
}

/// The sending half of a stream. Dropping it finishes the stream (or resets it in mid-frame).
#[derive(Debug)]
pub struct FrameWriter {
    stream: Sending,
    /// Of a stream opened before the end of the handshake.
    early: Option<Settling>,
    cork: Option<Cork>,
    /// A write has begun and not ended.
    in_frame: bool,
}

impl FrameWriter {
    pub(crate) fn new(stream: Sending, early: Option<Settling>, cork: Option<Cork>) -> FrameWriter {
        FrameWriter {
            stream,
            early,
            cork,
            in_frame: false,
        }
    }

    /// Sends one frame; waits while the peer's or our window is full. `Ok` means handed to the
    /// transport, not received: see [`FrameWriter::delivered`].
    ///
    /// Not cancel-safe: a write that is dropped half-way resets the stream, so that the peer never
    /// takes the rest of one frame for the next one; every later write is [`Error::StreamEnded`].
    pub async fn write(&mut self, frame: &[u8]) -> Result<(), Error> {
        self.write_together(std::slice::from_ref(&frame)).await
    }

    /// Like [`FrameWriter::write`], several at once: as few packets as they fit in.
    pub async fn write_together(&mut self, frames: &[impl AsRef<[u8]>]) -> Result<(), Error> {
        // One buffer, so that a length never leaves in a packet of its own.
        let mut bytes = Vec::new();
        for frame in frames {
            let frame = frame.as_ref();
            let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
            if len > MAX_FRAME {
                return Err(Error::FrameTooLong {
                    len: frame.len() as u64,
                    limit: MAX_FRAME,
                });
            }
            bytes.reserve(4 + frame.len());
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(frame);
        }
        if self.in_frame {
            return Err(Error::StreamEnded);
        }
        self.in_frame = true;
        match &mut self.stream {
            Sending::Quic(stream) => {
                if let Err(error) = waiting(self.cork.as_ref(), stream.write_chunk(bytes.into())).await {
                    return Err(self.failed(error).await);
                }
            }
            Sending::Tcp(stream) => stream.write_all(&bytes).await?,
        }
        self.in_frame = false;
        if let Some(cork) = &self.cork {
            cork.loosen();
        }
        Ok(())
    }

    /// Sends bytes as they are, with no length before them: what a hostile peer may do. For tests of this
    /// workspace, and nothing else.
    #[doc(hidden)]
    pub async fn write_raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.stream {
            Sending::Quic(stream) => stream.write_all(bytes).await.map_err(write_error),
            Sending::Tcp(stream) => stream.write_all(bytes).await,
        }
    }

    /// Says that no more frames come. The peer's reader returns `None` after the last one.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.in_frame {
            return Err(Error::StreamEnded);
        }
        if self.is_dead() {
            return Err(Error::EarlyDataRejected);
        }
        match &mut self.stream {
            Sending::Quic(stream) => stream.finish().map_err(|_| Error::StreamEnded),
            Sending::Tcp(stream) => stream.finish(),
        }
    }

    /// Finishes if that has not been done, and waits until the peer's transport has acknowledged
    /// every byte. It is no receipt: received is not stored. Needed before [`crate::Link::close`],
    /// which throws away what is still under way.
    pub async fn delivered(&mut self) -> Result<(), Error> {
        if self.in_frame {
            return Err(Error::StreamEnded);
        }
        // Already finished is fine; a dead one says so below.
        let dead = self.is_dead();
        let stopped = match &mut self.stream {
            Sending::Quic(stream) => {
                if !dead {
                    let _ = stream.finish();
                }
                waiting(self.cork.as_ref(), stream.stopped()).await
            }
            Sending::Tcp(stream) => {
                let _ = stream.finish();
                return stream.delivered().await;
            }
        };
        match stopped {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(Error::StreamStopped {
                code: code.into_inner(),
            }),
            Err(e) => Err(self.failed(e.into()).await),
        }
    }

    /// Streams of a higher number go first; 0 at the start. Blobs run below records.
    pub fn set_priority(&self, priority: i32) {
        if !self.is_dead() {
            match &self.stream {
                // Fails only on a stream that has ended, where it means nothing.
                Sending::Quic(stream) => drop(stream.set_priority(priority)),
                Sending::Tcp(stream) => stream.set_priority(priority),
            }
        }
    }

    /// Whether the first flight, and this stream with it, was thrown away. The next stream then gets
    /// the same number, and quinn 0.11.12 checks that in all calls on streams but two, `finish` and
    /// `set_priority`, which would hit the new one.
    fn is_dead(&self) -> bool {
        let (Some(early), Sending::Quic(stream)) = (&self.early, &self.stream) else {
            return false;
        };
        if early.was_called() {
            return false;
        }
        let now = std::pin::pin!(stream.stopped()).poll(&mut Context::from_waker(std::task::Waker::noop()));
        matches!(now, Poll::Ready(Err(quinn::StoppedError::ZeroRttRejected)))
    }

    async fn failed(&self, error: quinn::WriteError) -> Error {
        match (error, &self.early) {
            (quinn::WriteError::ZeroRttRejected, Some(early)) => early.why_dead().await,
            (error, _) => write_error(error),
        }
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        if self.in_frame {
            match &mut self.stream {
                // Fails only if the stream has ended already.
                Sending::Quic(stream) => drop(stream.reset(CODE_CUT.into())),
                Sending::Tcp(stream) => stream.reset(CODE_CUT),
            }
        }
    }
}

/// The receiving half of a stream. Dropping it tells the peer to stop sending.
#[derive(Debug)]
pub struct FrameReader {
    stream: Receiving,
    peer: NodeId,
    /// As in [`FrameWriter`].
    early: Option<Settling>,
    cork: Option<Cork>,
    limit: u32,
    /// The length field of the frame being read, and how many bytes of it have come.
    header: [u8; 4],
    header_len: usize,
    /// What has come of the frame itself.
    body: Vec<u8>,
    /// When the frame being read began.
    begun: Option<Instant>,
    /// How long a frame may take from its first byte on.
    patience: Duration,
}

impl FrameReader {
    pub(crate) fn new(
        stream: Receiving,
        peer: NodeId,
        early: Option<Settling>,
        cork: Option<Cork>,
    ) -> FrameReader {
        FrameReader {
            stream,
            peer,
            early,
            cork,
            limit: MAX_FRAME,
            header: [0; 4],
            header_len: 0,
            body: Vec::new(),
            begun: None,
            patience: FRAME_TIME,
        }
    }

    /// Who sends: [`crate::Link::peer`].
    pub fn peer(&self) -> NodeId {
        self.peer
    }

    /// Refuses frames longer than `bytes` from now on (at most [`MAX_FRAME`]). For peers that are
    /// not yet known to be members.
    pub fn set_limit(&mut self, bytes: u32) {
        self.limit = bytes.min(MAX_FRAME);
    }

    /// A frame that has begun must be whole after so long.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Whether a part of a frame has come.
    pub fn in_frame(&self) -> bool {
        self.begun.is_some()
    }

    /// The next frame, or `None` when the peer has finished the stream.
    ///
    /// Cancel-safe: what has come of a frame is kept in the reader, so that a `read` dropped by
    /// `tokio::select!` loses nothing and the next one goes on where it was.
    ///
    /// Memory follows the bytes that have come, never the length that was announced.
    pub async fn read(&mut self) -> Result<Option<Vec<u8>>, Error> {
        while self.header_len < self.header.len() {
            let Some(chunk) = self.chunk(self.header.len() - self.header_len).await? else {
                return match self.header_len {
                    0 => Ok(None),
                    some => Err(Error::FrameCut {
                        missing: (self.header.len() - some) as u64,
                    }),
                };
            };
            self.begun.get_or_insert_with(Instant::now);
            for (place, byte) in self.header.iter_mut().skip(self.header_len).zip(chunk.iter()) {
                *place = *byte;
            }
            self.header_len += chunk.len();
        }

        let len = u32::from_le_bytes(self.header);
        if len > self.limit {
            // The header stays, so that every later read says the same.
            match &mut self.stream {
                Receiving::Quic(stream) => drop(stream.stop(CODE_TOO_LONG.into())),
                Receiving::Tcp(stream) => stream.stop(CODE_TOO_LONG),
            }
            return Err(Error::FrameTooLong {
                len: u64::from(len),
                limit: self.limit,
            });
        }
        let len = len as usize;
        while self.body.len() < len {
            let missing = len - self.body.len();
            let Some(chunk) = self.chunk(missing).await? else {
                return Err(Error::FrameCut {
                    missing: missing as u64,
                });
            };
            // Double what is there, but not beyond the frame.
            if self.body.capacity() - self.body.len() < chunk.len() {
                self.body
                    .reserve_exact(self.body.len().max(chunk.len()).min(missing));
            }
            self.body.extend_from_slice(&chunk);
        }
        self.header_len = 0;
        self.begun = None;
        Ok(Some(std::mem::take(&mut self.body)))
    }

    /// At most `max` bytes, as soon as there are any; `None` at the end of the stream. The only
    /// place that waits, and cancel-safe: quinn promises it, and `mux.rs` takes nothing before it is ready.
    async fn chunk(&mut self, max: usize) -> Result<Option<Piece>, Error> {
        let deadline = self.begun.map(|begun| begun + self.patience);
        let reading = self.piece(max);
        match deadline {
            None => reading.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, reading).await {
                Ok(read) => read,
                Err(_) => {
                    let seconds = self.patience.as_secs();
                    Err(Error::FrameSlow { seconds })
                }
            },
        }
    }

    async fn piece(&mut self, max: usize) -> Result<Option<Piece>, Error> {
        let stream = match &mut self.stream {
            Receiving::Quic(stream) => stream,
            Receiving::Tcp(stream) => return Ok(stream.read(max).await?.map(Piece::Tcp)),
        };
        let read = waiting(self.cork.as_ref(), stream.read_chunk(max, true)).await;
        match (read, &self.early) {
            (Ok(chunk), _) => Ok(chunk.map(Piece::Quic)),
            (Err(quinn::ReadError::ZeroRttRejected), Some(early)) => Err(early.why_dead().await),
            (Err(error), _) => Err(read_error(error)),
        }
    }

    /// Bytes set aside for the frame being read.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> usize {
        self.body.capacity()
    }
}

fn write_error(error: quinn::WriteError) -> Error {
    match error {
        quinn::WriteError::Stopped(code) => Error::StreamStopped {
            code: code.into_inner(),
        },
        quinn::WriteError::ConnectionLost(e) => e.into(),
        quinn::WriteError::ClosedStream => Error::StreamEnded,
        quinn::WriteError::ZeroRttRejected => Error::EarlyDataRejected,
    }
}

fn read_error(error: quinn::ReadError) -> Error {
    match error {
        quinn::ReadError::Reset(code) => Error::StreamReset {
            code: code.into_inner(),
        },
        quinn::ReadError::ConnectionLost(e) => e.into(),
        quinn::ReadError::ClosedStream | quinn::ReadError::IllegalOrderedRead => Error::StreamEnded,
        quinn::ReadError::ZeroRttRejected => Error::EarlyDataRejected,
    }
}
