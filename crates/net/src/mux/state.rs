//! What a link over TCP knows of its streams: pure steps, no waiting. Every collection has a bound, so that
//! nothing that a peer sends makes it grow without end.

use std::collections::{BTreeMap, VecDeque};

use super::chunk::{self, STREAMS, WINDOW};
use crate::{CloseReason, ClosedBy, Error};

/// Bytes of a stream that may wait to be sent.
const UNSENT: usize = 64 << 10;
/// Room is given back in pieces of this size at least.
const ROOM_STEP: u32 = WINDOW / 4;
/// Streams of the peer here, at most. An honest one has [`STREAMS`] open, but may count one as over before we do.
const PEER_STREAMS: usize = 2 * STREAMS;

pub(super) struct State {
    next_own: u32,
    /// Streams of the peer from this number on are new.
    next_peer: u32,
    streams: BTreeMap<u32, Stream>,
    /// Opened by the peer and not fetched yet.
    fresh: VecDeque<u32>,
    pub(super) ping: Option<[u8; 8]>,
    pong: Option<[u8; 8]>,
    /// Set once we have ended the link; `true` once that is said.
    pub(super) closing: Option<(u32, String, bool)>,
    pub(super) ended: Option<CloseReason>,
    /// The stream that was served last.
    turn: u32,
}

struct Stream {
    unsent: VecDeque<u8>,
    /// Bytes that the peer has room for.
    credit: u32,
    finishing: bool,
    end_said: bool,
    /// The peer has all of it.
    confirmed: bool,
    reset: Option<u32>,
    reset_said: bool,
    stopped: Option<u32>,
    priority: i32,
    writer_gone: bool,

    unread: VecDeque<u8>,
    /// Bytes that the peer may still send.
    room: u32,
    /// Bytes read that it has not been told of.
    owed: u32,
    end_heard: bool,
    confirm: bool,
    reset_heard: Option<u32>,
    stop: Option<u32>,
    stop_said: bool,
    reader_gone: bool,
}

impl Stream {
    fn new() -> Stream {
        Stream {
            unsent: VecDeque::new(),
            credit: WINDOW,
            finishing: false,
            end_said: false,
            confirmed: false,
            reset: None,
            reset_said: false,
            stopped: None,
            priority: 0,
            writer_gone: false,
            unread: VecDeque::new(),
            room: WINDOW,
            owed: 0,
            end_heard: false,
            confirm: false,
            reset_heard: None,
            stop: None,
            stop_said: false,
            reader_gone: false,
        }
    }

    fn is_over(&self) -> bool {
        let sent = self.reset_said || (self.end_said && (self.confirmed || self.stopped.is_some()));
        let heard = (self.end_heard && !self.confirm) || self.reset_heard.is_some();
        self.writer_gone && self.reader_gone && sent && heard
    }
}

impl State {
    pub(super) fn new(dialled: bool) -> State {
        let (next_own, next_peer) = if dialled { (2, 1) } else { (1, 2) };
        State {
            next_own,
            next_peer,
            streams: BTreeMap::new(),
            fresh: VecDeque::new(),
            ping: None,
            pong: None,
            closing: None,
            ended: None,
            turn: 0,
        }
    }

    /// The error of a call that the end of the link has overtaken.
    fn over(&self) -> Option<Error> {
        let reason = match (&self.ended, &self.closing) {
            (Some(reason), _) => reason.clone(),
            (None, Some(_)) => closed_by_us(),
            (None, None) => return None,
        };
        Some(Error::LinkClosed(reason))
    }

    /// A new stream; `None`: all of ours are in use.
    pub(super) fn open(&mut self) -> Option<Result<u32, Error>> {
        if let Some(error) = self.over() {
            return Some(Err(error));
        }
        let parity = self.next_own % 2;
        if self.streams.keys().filter(|id| **id % 2 == parity).count() >= STREAMS {
            return None;
        }
        let id = self.next_own;
        let Some(next) = id.checked_add(2) else {
            return Some(Err(Error::StreamEnded));
        };
        self.next_own = next;
        self.streams.insert(id, Stream::new());
        Some(Ok(id))
    }

    /// Streams, and bytes that wait in them: what the caps of this file bound.
    pub(super) fn held(&self) -> (usize, usize) {
        let bytes = self.streams.values().map(|s| s.unsent.len() + s.unread.len());
        (self.streams.len().max(self.fresh.len()), bytes.sum())
    }

    /// The peer's next stream; `Some(None)`: the link has ended.
    pub(super) fn accept(&mut self) -> Option<Option<u32>> {
        match self.fresh.pop_front() {
            _ if self.over().is_some() => Some(None),
            Some(id) => Some(Some(id)),
            None => None,
        }
    }

    /// Takes bytes to send, as many as there is place for.
    pub(super) fn push(&mut self, id: u32, bytes: &[u8]) -> Option<Result<usize, Error>> {
        if let Some(error) = self.over() {
            return Some(Err(error));
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return Some(Err(Error::StreamEnded));
        };
        if let Some(code) = stream.stopped {
            return Some(Err(Error::StreamStopped { code: code.into() }));
        }
        if stream.finishing || stream.reset.is_some() {
            return Some(Err(Error::StreamEnded));
        }
        let place = UNSENT - stream.unsent.len();
        if place == 0 && !bytes.is_empty() {
            return None;
        }
        let taken = place.min(bytes.len());
        stream.unsent.extend(bytes.iter().take(taken));
        Some(Ok(taken))
    }

    /// `false`: it was finished or given up before.
    pub(super) fn finish(&mut self, id: u32) -> bool {
        match self.streams.get_mut(&id) {
            Some(s) if !s.finishing && s.reset.is_none() && s.stopped.is_none() => {
                s.finishing = true;
                true
            }
            _ => false,
        }
    }

    pub(super) fn reset(&mut self, id: u32, code: u32) {
        if let Some(s) = self.streams.get_mut(&id)
            && !s.confirmed
        {
            s.reset.get_or_insert(code);
            s.unsent.clear();
        }
    }

    /// Whether the peer has all of a finished stream.
    pub(super) fn delivered(&self, id: u32) -> Option<Result<(), Error>> {
        match self.streams.get(&id) {
            Some(s) if s.confirmed => Some(Ok(())),
            Some(s) if s.stopped.is_some() => {
                let code = s.stopped.unwrap_or(0).into();
                Some(Err(Error::StreamStopped { code }))
            }
            Some(s) if s.reset.is_some() => Some(Err(Error::StreamEnded)),
            None => Some(Err(Error::StreamEnded)),
            Some(_) => self.over().map(Err),
        }
    }

    pub(super) fn set_priority(&mut self, id: u32, priority: i32) {
        if let Some(s) = self.streams.get_mut(&id) {
            s.priority = priority;
        }
    }

    /// Up to `max` bytes that have come; `Some(Ok(None))` at the end of the stream.
    pub(super) fn read(&mut self, id: u32, max: usize) -> Option<Result<Option<Vec<u8>>, Error>> {
        let over = self.over();
        let Some(s) = self.streams.get_mut(&id) else {
            return Some(Err(Error::StreamEnded));
        };
        if s.stop.is_some() {
            return Some(Err(Error::StreamEnded));
        }
        if !s.unread.is_empty() && max > 0 {
            let taken = max.min(s.unread.len());
            s.owed += taken as u32;
            return Some(Ok(Some(s.unread.drain(..taken).collect())));
        }
        if let Some(code) = s.reset_heard {
            return Some(Err(Error::StreamReset { code: code.into() }));
        }
        if s.end_heard {
            return Some(Ok(None));
        }
        over.map(Err)
    }

    pub(super) fn stop(&mut self, id: u32, code: u32) {
        if let Some(s) = self.streams.get_mut(&id)
            && !s.end_heard
            && s.reset_heard.is_none()
        {
            s.stop.get_or_insert(code);
            s.unread = VecDeque::new();
        }
    }

    pub(super) fn drop_writer(&mut self, id: u32) {
        self.finish(id);
        if let Some(s) = self.streams.get_mut(&id) {
            s.writer_gone = true;
        }
        self.sweep();
    }

    pub(super) fn drop_reader(&mut self, id: u32) {
        self.stop(id, 0);
        if let Some(s) = self.streams.get_mut(&id) {
            s.reader_gone = true;
            s.unread = VecDeque::new();
        }
        self.sweep();
    }

    fn sweep(&mut self) {
        self.streams.retain(|_, s| !s.is_over());
    }

    /// One chunk of the peer. `Err`: it broke the protocol, and the link ends.
    pub(super) fn hear(&mut self, kind: u8, id: u32, body: &[u8]) -> Result<(), &'static str> {
        match kind {
            chunk::CLOSE => {
                self.ended.get_or_insert(CloseReason::from_peer(
                    chunk::code(body)?,
                    body.get(4..).unwrap_or_default(),
                ));
                return Ok(());
            }
            chunk::PING => {
                self.pong = body.first_chunk::<8>().copied();
                return Ok(());
            }
            chunk::DATA..=chunk::RESET => {}
            _ => return Ok(()),
        }
        if id == 0 {
            return Err("a chunk of stream 0");
        }
        if id % 2 != self.next_own % 2 && id >= self.next_peer {
            // Those of smaller numbers are open as well: what is said in them may come later.
            let peers = self.streams.keys().filter(|k| **k % 2 == id % 2).count();
            let new = (id - self.next_peer) as usize / 2 + 1;
            if peers.saturating_add(new) > PEER_STREAMS {
                return Err("too many streams");
            }
            for id in (self.next_peer..=id).step_by(2) {
                self.streams.insert(id, Stream::new());
                self.fresh.push_back(id);
            }
            self.next_peer = id.checked_add(2).ok_or("too many streams")?;
        } else if id % 2 == self.next_own % 2 && id >= self.next_own {
            return Err("a stream of ours that is not open");
        }
        // Of a stream that is over: said before the peer knew.
        let Some(s) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        match kind {
            chunk::DATA => {
                if s.end_heard || body.len() as u64 > u64::from(s.room) {
                    return Err("more bytes than there was room for");
                }
                s.room -= body.len() as u32;
                if s.stop.is_none() && !s.reader_gone {
                    s.unread.extend(body);
                }
            }
            chunk::END if !s.end_heard => (s.end_heard, s.confirm) = (true, true),
            chunk::ENDED if s.end_said => s.confirmed = true,
            chunk::ROOM => {
                s.credit = (s.credit.checked_add(chunk::code(body)?))
                    .filter(|c| *c <= WINDOW)
                    .ok_or("more room than was taken")?;
            }
            chunk::STOP => {
                s.stopped.get_or_insert(chunk::code(body)?);
                s.unsent = VecDeque::new();
                if !s.end_said {
                    // The answer: no more comes.
                    s.reset.get_or_insert(0);
                }
            }
            chunk::RESET => {
                s.reset_heard.get_or_insert(chunk::code(body)?);
                s.unread = VecDeque::new();
            }
            _ => {}
        }
        self.sweep();
        Ok(())
    }

    /// Appends the next chunk to say; `false`: nothing is to be said now.
    pub(super) fn say(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some((code, words, said)) = &mut self.closing {
            if !std::mem::replace(said, true) {
                let mut body = code.to_le_bytes().to_vec();
                body.extend(words.bytes());
                chunk::put(out, chunk::CLOSE, 0, &body);
                return true;
            }
            return false;
        }
        if let Some(pong) = self.pong.take() {
            chunk::put(out, chunk::PONG, 0, &pong);
            return true;
        }
        if let Some(ping) = self.ping.take() {
            chunk::put(out, chunk::PING, 0, &ping);
            return true;
        }
        let said = self.say_of_streams(out) || self.say_data(out);
        if said {
            self.sweep();
        }
        said
    }

    fn say_of_streams(&mut self, out: &mut Vec<u8>) -> bool {
        for (id, s) in &mut self.streams {
            if std::mem::take(&mut s.confirm) {
                chunk::put(out, chunk::ENDED, *id, &[]);
                return true;
            }
            if let (Some(code), false) = (s.stop, s.stop_said) {
                s.stop_said = true;
                chunk::put(out, chunk::STOP, *id, &code.to_le_bytes());
                return true;
            }
            if let (Some(code), false) = (s.reset, s.reset_said || s.confirmed) {
                s.reset_said = true;
                chunk::put(out, chunk::RESET, *id, &code.to_le_bytes());
                return true;
            }
            if s.owed >= ROOM_STEP && !s.end_heard {
                s.room += s.owed;
                chunk::put(out, chunk::ROOM, *id, &std::mem::take(&mut s.owed).to_le_bytes());
                return true;
            }
        }
        false
    }

    /// Data of the most important stream that has some and room for it; those of one rank take turns.
    fn say_data(&mut self, out: &mut Vec<u8>) -> bool {
        let turn = self.turn;
        let best = (self.streams.iter())
            .filter(|(_, s)| s.reset.is_none() && s.stopped.is_none() && !s.end_said)
            .filter(|(_, s)| (!s.unsent.is_empty() && s.credit > 0) || (s.finishing && s.unsent.is_empty()))
            .max_by_key(|(id, s)| (s.priority, **id > turn, std::cmp::Reverse(**id)))
            .map(|(id, _)| *id);
        let Some((id, s)) = best.and_then(|id| self.streams.get_mut(&id).map(|s| (id, s))) else {
            return false;
        };
        self.turn = id;
        let len = s.unsent.len().min(s.credit as usize).min(chunk::MAX_BODY);
        if len > 0 {
            let body: Vec<u8> = s.unsent.drain(..len).collect();
            s.credit -= len as u32;
            chunk::put(out, chunk::DATA, id, &body);
        }
        if s.finishing && s.unsent.is_empty() {
            s.end_said = true;
            chunk::put(out, chunk::END, id, &[]);
        }
        true
    }
}

pub(super) fn closed_by_us() -> CloseReason {
    CloseReason {
        by: ClosedBy::Us,
        code: 0,
        text: String::new(),
    }
}
