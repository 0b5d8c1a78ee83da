//! Holds one conversation over one link: frames in, steps of [`Talk`], frames out, and when to give up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use net::{FrameWriter, Link};
use sync::NodeId;
use sync::session::Event;
use tokio::sync::{mpsc, watch};

use crate::care::{Ledger, Outbox, Patience, Writing};
use crate::errands::Errands;
use crate::talk::{LINGER, Manner, Talk};
use crate::{Error, Node};

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    /// Both sides were equal at some moment.
    pub in_sync: bool,
    /// One side refused the other.
    pub refused: bool,
    /// The peer broke the protocol.
    pub broke: bool,
}

/// A busy hub stores something every few milliseconds: a conversation looks for news of it at this interval.
const NEWS_APART: Duration = Duration::from_millis(50);

/// Frames that wait to be sent go to the transport together, so many at most: short ones share a packet.
const WRITTEN_TOGETHER: usize = 8;

/// Application close codes on the wire.
const CLOSE_DONE: u32 = 0;
const CLOSE_REPLACED: u32 = 1;

/// A conversation that is about to begin.
pub(crate) struct Opening {
    stored: watch::Receiver<u64>,
    roll_changed: watch::Receiver<u64>,
    talk: Talk,
    /// Our first flight.
    pub first: Vec<Vec<u8>>,
    /// The stream on which the first flight has been written already.
    pub stream: Option<net::Stream>,
}

impl Opening {
    /// Reads what there is to say to a peer.
    pub async fn prepare(node: &Node, peer: NodeId, manner: Manner) -> Result<Opening, Error> {
        // Before the conversation reads anything: nothing is missed in between.
        let (stored, roll_changed) = (node.0.stored.subscribe(), node.0.roll_changed.subscribe());
        let starting = node.clone();
        let (talk, first) = blocking(node, move || {
            let mut talk = Talk::new(starting, peer, manner)?;
            let first = talk.step(Event::Started)?.frames;
            Ok((talk, first))
        })
        .await?;
        Ok(Opening {
            stored,
            roll_changed,
            talk,
            first,
            stream: None,
        })
    }
}

/// Frames that have come already are heard before the first is answered, so many at most: then one packet
/// answers them.
const HEARD_TOGETHER: usize = 4;

/// Holds a conversation until one side ends it, the link is gone, or `stop` fires.
pub(crate) async fn converse(
    node: Node,
    link: Link,
    manner: Manner,
    patience: Patience,
    ledger: &Ledger,
    opening: Option<Opening>,
    mut stop: watch::Receiver<bool>,
) -> Result<Ended, Error> {
    let mut news_from = tokio::time::Instant::now();
    let mut ended = Ended {
        in_sync: false,
        refused: false,
        broke: false,
    };
    // With a kept ticket the first flight travels as 0-RTT data. It may be thrown away (the peer restarted):
    // then it is said again on new streams. What it carries is signed and idempotent (design.md §5).
    let mut early = manner.dialled.is_some() && link.early();
    let mut opening = opening;
    let (out, mut writing, mut reader, opening) = loop {
        let mut now = match opening.take() {
            Some(ready) => ready,
            None => Opening::prepare(&node, link.peer(), manner.clone()).await?,
        };
        let said = now.stream.is_some();
        let (writer, mut reader) = match (now.stream.take(), &manner.dialled) {
            (Some(stream), _) => stream,
            (None, Some(_)) => link.open().await?,
            (None, None) => match tokio::time::timeout(patience.first_frame, link.accept()).await {
                Ok(Some(streams)) => streams,
                _ => return Ok(ended),
            },
        };
        reader.set_patience(patience.frame);
        let (out, written, state) = Outbox::new();
        let writing = tokio::spawn(write_all(writer, written, state));
        now.talk.source = link.remote().ip().to_string();
        now.talk.road = link.road();
        for frame in std::mem::take(&mut now.first) {
            if !said {
                out.send(frame);
            }
        }
        let accepted = match early {
            false => true,
            true => tokio::select! {
                biased;
                _ = stop.changed() => return Ok(ended),
                settled = link.settled() => settled?,
            },
        };
        if accepted {
            break (out, writing, reader, now);
        }
        early = false;
        writing.abort();
    };
    let Opening {
        mut stored,
        mut roll_changed,
        mut talk,
        ..
    } = opening;
    let errands = Errands::begin(node.clone(), link.clone());
    let mut unsaid: Vec<Vec<u8>> = Vec::new();
    // Nothing but the first flight.
    let mut said_more = false;
    let mut next = None;
    let (mut heard, mut rest_until) = (Instant::now(), None);
    let mut leave_at = None;
    let result = loop {
        if let Some(event) = next.take() {
            let from_peer = matches!(event, Event::Frame(_));
            // Everything that an event leads to is done before the next frame is read.
            let (back, step, spent) = blocking(&node, move || {
                let begun = Instant::now();
                let step = talk.step(event);
                Ok((talk, step, begun.elapsed()))
            })
            .await?;
            talk = back;
            let step = match step {
                Ok(step) => step,
                Err(error) => break Err(error),
            };
            if from_peer && !step.news {
                let rest = ledger.work(&link.peer(), spent, Instant::now());
                rest_until = (!rest.is_zero()).then(|| Instant::now() + rest);
            }
            ended.in_sync |= step.in_sync;
            ended.refused |= step.refused;
            ended.broke |= step.broke;
            said_more |= !step.frames.is_empty();
            unsaid.extend(step.frames);
            if !step.close
                && !step.leave
                && !talk.session.is_live()
                && from_peer
                && unsaid.len() < HEARD_TOGETHER
            {
                let waiting = tokio::select! {
                    biased;
                    frame = reader.read() => frame.ok().flatten(),
                    () = std::future::ready(()) => None,
                };
                if let Some(bytes) = waiting {
                    heard = Instant::now();
                    next = Some(Event::Frame(bytes));
                    continue;
                }
            }
            let sent = std::mem::take(&mut unsaid).into_iter().all(|f| out.send(f));
            if talk.session.is_live() {
                errands.session_is_live();
            }
            if !sent || step.close {
                break Ok(());
            }
        }
        leave_at = match (talk.may_leave(), errands.stay_until()) {
            (false, _) => None,
            (true, Some(until)) => Some(until),
            (true, None) if manner.dialled.is_some() => break Ok(()),
            (true, None) => leave_at.or_else(|| Some(Instant::now() + LINGER)),
        };
        // What is waited for, and until when.
        let (full, resting) = (out.is_full(), rest_until.is_some());
        let deadline = if full {
            Some(out.last_taken() + patience.mute)
        } else if talk.may_rest() || reader.in_frame() || resting {
            None
        } else if talk.is_member() {
            Some(heard + patience.mute)
        } else {
            Some(heard + patience.first_frame)
        };
        tokio::select! {
            biased;
            _ = stop.changed() => break Ok(()),
            () = until(leave_at) => {
                if errands.stay_until().is_none() {
                    break Ok(());
                }
            }
            () = errands.changed() => {}
            () = until(deadline) => {
                // A frame that has begun meanwhile has a time of its own.
                if !full && reader.in_frame() {
                    continue;
                }
                talk.gave_up(if full { "reads-nothing" } else { "says-nothing" })?;
                break Ok(());
            }
            () = out.taken(), if full => {}
            // While nothing is read, the link's end shows here.
            _ = &mut writing, if full => break Ok(()),
            () = until(rest_until), if resting => {
                rest_until = None;
                heard = Instant::now();
            }
            frame = reader.read(), if !full && !resting => match frame {
                Ok(Some(bytes)) => {
                    heard = Instant::now();
                    next = Some(Event::Frame(bytes));
                }
                Err(error @ (net::Error::FrameTooLong { .. } | net::Error::FrameSlow { .. })) => {
                    let refusal = talk.bad_frame(&error.to_string())?;
                    (ended.refused, ended.broke) = (true, true);
                    out.send(refusal);
                    break Ok(());
                }
                Ok(None) | Err(_) => break Ok(()),
            },
            Ok(()) = roll_changed.changed(), if !full => next = Some(talk.roll_event()),
            Ok(()) = news(&mut stored, news_from), if !full => {
                news_from = tokio::time::Instant::now() + NEWS_APART;
                next = Some(Event::Committed);
            }
        }
    };
    let _ = blocking(&node, move || talk.keep_cursor()).await;
    let (code, words) = if *stop.borrow() {
        (CLOSE_REPLACED, "replaced or shutting down")
    } else {
        (CLOSE_DONE, "done")
    };
    // The peer has answered all that we have said, or both could not be equal: nothing is left to arrive there,
    // and two packets that would say so are saved.
    if manner.dialled.is_some() && ended.in_sync && !said_more && code == CLOSE_DONE && result.is_ok() {
        tokio::select! {
            () = link.next_ticket() => {}
            _ = stop.changed() => {}
            _ = link.closed() => {}
        }
        link.close(code, "");
    }
    drop(out);
    // What was said last must arrive (a refusal, an answer) before the link is closed.
    if !writing.is_finished() {
        let _ = tokio::time::timeout(Duration::from_secs(5), writing).await;
    }
    link.close(code, words);
    result.map(|()| ended)
}

async fn write_all(mut writer: FrameWriter, mut frames: mpsc::Receiver<Vec<u8>>, state: Arc<Writing>) {
    let mut waiting = Vec::new();
    while frames.recv_many(&mut waiting, WRITTEN_TOGETHER).await > 0 {
        let bytes = waiting.iter().map(Vec::len).sum();
        if writer.write_together(&waiting).await.is_err() {
            return;
        }
        waiting.clear();
        state.wrote(bytes);
    }
    if writer.finish().is_ok() {
        let _ = writer.delivered().await;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits until something is stored, and not before `from`: what comes at short intervals goes out together.
/// Cancel-safe.
async fn news(
    stored: &mut watch::Receiver<u64>,
    from: tokio::time::Instant,
) -> Result<(), watch::error::RecvError> {
    tokio::time::sleep_until(from).await;
    stored.changed().await
}

/// Runs a step of a conversation. Few run at a time, however many conversations there are: a step holds
/// pieces and documents in memory, and most of them wait for the same database.
async fn blocking<T: Send + 'static>(
    node: &Node,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let lost = || Error::Store(store::Error::BadRow("conversation"));
    let _seat = node.0.steps.acquire().await.map_err(|_| lost())?;
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(lost()),
    }
}
