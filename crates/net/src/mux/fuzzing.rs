//! A door for `tests/fuzz`: the streams of a link over TCP without the link.

use super::chunk::{Head, MAX_BODY, STREAMS, WINDOW};
use super::state::State;
use crate::Error;

/// One side of a link.
pub struct Side {
    state: State,
    head: Head,
    /// Of the chunk whose bytes are coming: kind, stream, length, and what has come.
    coming: Option<(u8, u32, usize, Vec<u8>)>,
}

/// What one of our own callers does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Gives a stream up.
    Reset(u32),
    /// Wants no more of it.
    Stop(u32),
    /// Lets go of the sending half.
    DropWriter,
    /// Lets go of the receiving half.
    DropReader,
    /// Ranks it.
    Rank(i32),
}

impl Side {
    /// Nothing said and nothing heard.
    pub fn new(dialled: bool) -> Side {
        Side {
            state: State::new(dialled),
            head: Head::default(),
            coming: None,
        }
    }

    /// Hears bytes, cut anywhere, as `mux::hear` does. `Err`: the peer broke the protocol. `Ok(false)`: it has closed the
    /// link.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<bool, &'static str> {
        for byte in bytes {
            match &mut self.coming {
                None => {
                    let head = self.head.take(*byte)?;
                    self.coming = head.map(|(kind, stream, len)| (kind, stream, len, Vec::new()));
                }
                Some((.., body)) => body.push(*byte),
            }
            if let Some((kind, stream, _, body)) = self.coming.take_if(|(_, _, len, body)| body.len() == *len)
            {
                self.head = Head::default();
                self.state.hear(kind, stream, &body)?;
            }
            if self.state.ended.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What there is to say, one chunk.
    pub fn say(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.state.say(&mut out).then_some(out)
    }

    /// Opens a stream; `None`: all are in use, or the link has ended.
    pub fn open(&mut self) -> Option<u32> {
        self.state.open()?.ok()
    }

    /// The peer's next stream.
    pub fn accept(&mut self) -> Option<u32> {
        self.state.accept()?
    }

    /// Writes; how many bytes there was place for.
    pub fn push(&mut self, id: u32, bytes: &[u8]) -> Option<usize> {
        self.state.push(id, bytes)?.ok()
    }

    /// Reads what has come; `Ok(None)`: nothing yet.
    pub fn read(&mut self, id: u32, most: usize) -> Result<Option<Vec<u8>>, Error> {
        match self.state.read(id, most) {
            None => Ok(None),
            Some(Ok(None)) => Err(Error::StreamEnded),
            Some(read) => read,
        }
    }

    /// Whether the peer has all of a finished stream.
    pub fn is_delivered(&self, id: u32) -> bool {
        matches!(self.state.delivered(id), Some(Ok(())))
    }

    /// Says that all has been written; `false`: there is no such stream, or it is over.
    pub fn finish(&mut self, id: u32) -> bool {
        self.state.finish(id)
    }

    /// Does something to a stream.
    pub fn act(&mut self, id: u32, act: Act) {
        match act {
            Act::Reset(code) => self.state.reset(id, code),
            Act::Stop(code) => self.state.stop(id, code),
            Act::DropWriter => self.state.drop_writer(id),
            Act::DropReader => self.state.drop_reader(id),
            Act::Rank(rank) => self.state.set_priority(id, rank),
        }
    }

    /// Asks the peer whether it is there.
    pub fn ping(&mut self) {
        self.state.ping = Some(*b"yanxiu??");
    }

    /// Whether all is within the caps: streams of both sides, and bytes waiting in each direction.
    pub fn is_within_caps(&self) -> bool {
        let (streams, bytes) = self.state.held();
        let coming = self.coming.as_ref().map_or(0, |c| c.3.len());
        streams <= 3 * STREAMS && bytes <= streams * 2 * WINDOW as usize && coming <= MAX_BODY
    }
}
