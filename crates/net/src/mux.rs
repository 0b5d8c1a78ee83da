//! Several streams over one TLS connection on TCP: the same calls as of a QUIC connection.
//!
//! Made here and not taken from a library: yamux, the usual one, has no codes for streams that end, no words for
//! links that do, no rank of streams and no word that a stream has arrived; the callers of [`crate::Link`] use all
//! of these. `chunk.rs` draws the format, `state.rs` holds what is known of the streams. Here one task for each
//! link hears and speaks; everybody else changes the state and wakes it.

mod chunk;
pub mod fuzzing;
mod state;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::link::LinkStats;
use crate::{CloseReason, ClosedBy, Error};
use state::State;

/// Bytes that are handed to TLS together.
const BATCH: usize = 16 << 10;
/// How long a link that was told to end may take to say so, and then to hear that the peer has read it.
const PARTING: Duration = Duration::from_secs(2);

/// What the link's task and everybody else share.
#[derive(Clone)]
struct Mux(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The state has changed for somebody who waits.
    moved: Notify,
    /// There may be something to say.
    to_say: Notify,
    /// Microseconds.
    rtt: AtomicU64,
    remote: SocketAddr,
    counted: Arc<Counted>,
}

/// Bytes that went through a TCP connection.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

/// A link over TCP. When the last clone and the last stream are gone, it closes with code 0.
#[derive(Clone)]
pub(crate) struct TcpLink(Arc<Held>);

struct Held(Mux);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.close(0, "");
    }
}

impl std::fmt::Debug for TcpLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TcpLink({})", self.0.0.0.remote)
    }
}

/// How a link is kept.
pub(crate) struct Keeping {
    pub(crate) idle_timeout: Duration,
    pub(crate) keep_alive: Option<Duration>,
}

impl TcpLink {
    /// A link over a connection whose peer is proven; `ending` becomes true when the endpoint closes. The future
    /// is the link's work, and ends with it.
    pub(crate) fn begin<S: AsyncRead + AsyncWrite + Send + 'static>(
        stream: S,
        dialled: bool,
        remote: SocketAddr,
        rtt: Duration,
        counted: Arc<Counted>,
        keeping: Keeping,
        ending: watch::Receiver<bool>,
    ) -> (TcpLink, impl Future<Output = ()> + Send + 'static) {
        let mux = Mux(Arc::new(Shared {
            state: Mutex::new(State::new(dialled)),
            moved: Notify::new(),
            to_say: Notify::new(),
            rtt: AtomicU64::new(rtt.as_micros() as u64),
            remote,
            counted,
        }));
        let work = run(mux.clone(), stream, keeping, ending);
        (TcpLink(Arc::new(Held(mux))), work)
    }

    fn mux(&self) -> &Mux {
        &self.0.0
    }

    pub(crate) async fn open(&self) -> Result<(TcpWriter, TcpReader), Error> {
        let id = self.mux().wait(State::open).await?;
        Ok(self.both(id))
    }

    pub(crate) async fn accept(&self) -> Option<(TcpWriter, TcpReader)> {
        let id = self.mux().wait(State::accept).await?;
        Some(self.both(id))
    }

    fn both(&self, id: u32) -> (TcpWriter, TcpReader) {
        let link = self.clone();
        (
            TcpWriter { link, id },
            TcpReader {
                link: self.clone(),
                id,
            },
        )
    }

    pub(crate) fn close(&self, code: u32, words: &str) {
        self.mux().close(code, words);
    }

    pub(crate) async fn closed(&self) -> CloseReason {
        self.mux().wait(|state| state.ended.clone()).await
    }

    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_micros(self.mux().0.rtt.load(Ordering::Relaxed))
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.mux().0.remote
    }

    pub(crate) fn stats(&self) -> LinkStats {
        let counted = &self.mux().0.counted;
        LinkStats {
            sent: counted.sent.load(Ordering::Relaxed),
            received: counted.received.load(Ordering::Relaxed),
            lost_packets: 0,
        }
    }
}

/// The sending half of a stream. Dropping it finishes the stream.
#[derive(Debug)]
pub(crate) struct TcpWriter {
    link: TcpLink,
    id: u32,
}

impl TcpWriter {
    /// Not cancel-safe.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let taken = self.link.mux().wait(|state| state.push(self.id, bytes)).await?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        match self.link.mux().change(|state| state.finish(self.id)) {
            true => Ok(()),
            false => Err(Error::StreamEnded),
        }
    }

    pub(crate) fn reset(&mut self, code: u32) {
        self.link.mux().change(|state| state.reset(self.id, code));
    }

    /// Waits until the peer has said that all has come.
    pub(crate) async fn delivered(&self) -> Result<(), Error> {
        self.link.mux().wait(|state| state.delivered(self.id)).await
    }

    pub(crate) fn set_priority(&self, priority: i32) {
        (self.link.mux()).change(|state| state.set_priority(self.id, priority));
    }
}

impl Drop for TcpWriter {
    fn drop(&mut self) {
        self.link.mux().change(|state| state.drop_writer(self.id));
    }
}

/// The receiving half of a stream. Dropping it tells the peer to stop.
#[derive(Debug)]
pub(crate) struct TcpReader {
    link: TcpLink,
    id: u32,
}

impl TcpReader {
    /// Cancel-safe.
    pub(crate) async fn read(&mut self, max: usize) -> Result<Option<Vec<u8>>, Error> {
        self.link.mux().wait(|state| state.read(self.id, max)).await
    }

    pub(crate) fn stop(&mut self, code: u32) {
        self.link.mux().change(|state| state.stop(self.id, code));
    }
}

impl Drop for TcpReader {
    fn drop(&mut self) {
        self.link.mux().change(|state| state.drop_reader(self.id));
    }
}

impl Mux {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` has something; it may change the state.
    async fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut moved = pin!(self.0.moved.notified());
            // Before looking, so that no change in between is missed.
            moved.as_mut().enable();
            if let Some(value) = ready(&mut self.state()) {
                self.0.to_say.notify_one();
                return value;
            }
            moved.await;
        }
    }

    /// Changes the state, and wakes whom that may concern.
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let value = act(&mut self.state());
        self.0.to_say.notify_one();
        self.0.moved.notify_waiters();
        value
    }

    fn close(&self, code: u32, words: &str) {
        let words: String = words.chars().take(60).collect();
        self.change(|state| state.closing.get_or_insert((code, words, false)).2);
    }
}

/// The work of a link, until it has ended.
async fn run<S: AsyncRead + AsyncWrite + Send + 'static>(
    mux: Mux,
    stream: S,
    keeping: Keeping,
    mut ending: watch::Receiver<bool>,
) {
    let (reading, mut writing) = tokio::io::split(stream);
    let mut reading = BufReader::new(reading);
    let why = {
        let mut speaking = pin!(speak(&mux, &mut writing));
        let mut hearing = pin!(hear(&mux, &mut reading, &keeping));
        let told = async {
            // An endpoint that is gone ends its links as well.
            let _ = ending.wait_for(|now| *now).await;
            mux.close(0, "shutting down");
            std::future::pending::<()>().await
        };
        let parting = async {
            mux.wait(|state| state.closing.as_ref().map(|_| ())).await;
            tokio::time::sleep(PARTING).await;
        };
        tokio::select! {
            biased;
            why = &mut speaking => why,
            why = &mut hearing => why,
            () = parting => state::closed_by_us(),
            () = told => state::closed_by_us(),
        }
    };
    if why.by == ClosedBy::Fault {
        tracing::debug!(remote = %mux.0.remote, %why, "a link over TCP ended");
    }
    let by_us = why.by == ClosedBy::Us;
    mux.change(|state| state.ended.get_or_insert(why).by);
    let _ = timeout(PARTING, writing.shutdown()).await;
    if by_us {
        // Were the socket dropped with bytes unread, the system would take back what we said last.
        let _ = timeout(PARTING, async {
            while matches!(reading.read(&mut [0; 4096]).await, Ok(1..)) {}
        })
        .await;
    }
}

/// Says what there is to say, until the link ends.
async fn speak(mux: &Mux, writing: &mut (impl AsyncWrite + Unpin)) -> CloseReason {
    let mut batch = Vec::new();
    loop {
        batch.clear();
        let last = {
            let mut state = mux.state();
            while batch.len() < BATCH && state.say(&mut batch) {}
            state.closing.as_ref().is_some_and(|(_, _, said)| *said)
        };
        if batch.is_empty() {
            mux.0.to_say.notified().await;
            continue;
        }
        mux.0.moved.notify_waiters();
        let said = async {
            writing.write_all(&batch).await?;
            writing.flush().await
        };
        match said.await {
            Err(error) => return fault(&error.to_string()),
            Ok(()) if last => return state::closed_by_us(),
            Ok(()) => {}
        }
    }
}

/// Hears what the peer says, until the link ends.
async fn hear(mux: &Mux, reading: &mut (impl AsyncRead + Unpin), keeping: &Keeping) -> CloseReason {
    let mut begun = Instant::now();
    let mut asked = None;
    loop {
        let chunk = {
            let mut chunk = pin!(read_chunk(reading, keeping.idle_timeout));
            loop {
                let quiet = keeping.keep_alive.filter(|_| asked.is_none());
                tokio::select! {
                    biased;
                    chunk = &mut chunk => break chunk,
                    () = sleep(quiet.map(|q| begun + q)) => {
                        asked = Some(Instant::now());
                        mux.change(|state| state.ping = Some(*b"yanxiu??"));
                    }
                }
            }
        };
        begun = Instant::now();
        let (kind, stream, body) = match chunk {
            Ok(chunk) => chunk,
            Err(why) => return why,
        };
        if kind == chunk::PONG {
            if let Some(asked) = asked.take() {
                let rtt = asked.elapsed().as_micros() as u64;
                mux.0.rtt.store(rtt, Ordering::Relaxed);
            }
            continue;
        }
        match mux.change(|state| (state.hear(kind, stream, &body), state.ended.clone())) {
            (Err(what), _) => return fault(what),
            (Ok(()), Some(why)) => return why,
            (Ok(()), None) => {}
        }
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn read_chunk(
    reading: &mut (impl AsyncRead + Unpin),
    patience: Duration,
) -> Result<(u8, u32, Vec<u8>), CloseReason> {
    let mut head = chunk::Head::default();
    let (kind, stream, len) = loop {
        let byte = patiently(patience, reading.read_u8()).await?;
        if let Some(head) = head.take(byte).map_err(fault)? {
            break head;
        }
    };
    let mut body = vec![0; len];
    let mut have = 0;
    while let Some(rest) = body.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match patiently(patience, reading.read(rest)).await? {
            0 => return Err(fault("the connection was cut off")),
            some => have += some,
        }
    }
    Ok((kind, stream, body))
}

async fn patiently<T>(
    patience: Duration,
    reading: impl Future<Output = std::io::Result<T>>,
) -> Result<T, CloseReason> {
    match timeout(patience, reading).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(fault(&error.to_string())),
        Err(_) => Err(CloseReason {
            by: ClosedBy::Silence,
            code: 0,
            text: String::new(),
        }),
    }
}

fn fault(what: &str) -> CloseReason {
    CloseReason {
        by: ClosedBy::Fault,
        code: 0,
        text: what.to_string(),
    }
}
