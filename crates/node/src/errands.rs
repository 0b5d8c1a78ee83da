//! Beside each conversation: blobs asked for and served, on streams of the same link that give way to it
//! (`sync::wire::errand`).
//!
//! Both sides do both. Asking begins when the session is live, so records go first; what is missing is looked up anew
//! whenever something new has arrived. Serving asks the roll for each blob. A part that came stays, whatever becomes of
//! the link ([`crate::blobs::partial`]); a group that does not fit ends asking this peer for that blob, and the
//! next peer goes on where it was.

pub(crate) mod claims;
mod passed;
mod post;
mod reasons;
mod receipts;
mod wishes;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use net::{FrameReader, FrameWriter, Link};
use sync::blob::{GROUP, Outline, group_hash, group_len, groups_of};
use sync::wire::Speaks;
use sync::wire::errand::{Errand, Item, Reason, Wish};
use sync::{BlobName, NodeId, limits};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::blobs::partial::{self, Partial};
use crate::blobs::wanted::{self, Size};
use crate::{Error, Node, blobs};
use claims::{Claims, STANDS_STILL, To};
use passed::Passed;
use reasons::Introduction;
use receipts::{own_receipt, receipts_for, take_receipts};

/// Below the session's stream.
const PRIORITY: i32 = -1;
/// Streams of a peer that are served at a time; more wait.
const SERVED: usize = 2;
/// What a peer asks for has so long to be asked for: then a conversation that wanted to end may.
const GRACE: Duration = Duration::from_secs(8);
/// So long passes at least between two looks for what is missing.
const LOOKS_APART: Duration = Duration::from_secs(1);
/// A peer that asks and then reads or says nothing for so long is not served any longer.
const MUTE: Duration = Duration::from_secs(600);
/// Blobs asked for at a time: what this link has claimed no other one fetches meanwhile.
const ASKED: usize = 8;
/// Whoever has taken a bundle of ours is asked for the answer after so long each time, until there is one.
const ANSWER_AFTER: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(60),
];
/// Mail is asked for again after so long on a link that stays.
const MAIL_APART: Duration = Duration::from_secs(600);
/// Groups read from the disk at a time.
const READ_AT_ONCE: u64 = 4;

/// What went wrong in an errand: the peer, or this node.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the peer broke the rules of an errand: {0}")]
    Peer(&'static str),
    #[error(transparent)]
    Here(#[from] Error),
    #[error(transparent)]
    Link(#[from] net::Error),
    #[error("no answer for ten minutes")]
    Mute,
}

/// The errands of one conversation; they end when this is dropped.
pub(crate) struct Errands {
    _tasks: JoinSet<()>,
    live: watch::Sender<Option<(Instant, Speaks)>>,
    state: Arc<State>,
}

struct State {
    node: Node,
    link: Link,
    /// The link among those of this node.
    to: To,
    /// Blobs under way, in both directions.
    active: watch::Sender<usize>,
    /// Counts bundles that the peer has fetched: it may have an answer now.
    mail_went: watch::Sender<u64>,
    /// Something is missing here or may be missing there, or nobody has looked yet.
    expecting: watch::Sender<bool>,
    /// The peer has asked for mail, which it does after it has told what else it asks for.
    heard: watch::Sender<bool>,
}

impl Errands {
    /// Begins to serve; asking waits for [`Errands::session_is_live`].
    pub(crate) fn begin(node: Node, link: Link) -> Errands {
        let to = claims(&node).link(link.peer());
        let state = Arc::new(State {
            node,
            link,
            to,
            active: watch::Sender::new(0),
            mail_went: watch::Sender::new(0),
            expecting: watch::Sender::new(true),
            heard: watch::Sender::new(false),
        });
        let (live, is_live) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_all(state.clone(), is_live.clone()));
        tasks.spawn(ask(state.clone(), is_live));
        Errands {
            _tasks: tasks,
            live,
            state,
        }
    }

    /// Both sides have exchanged their records, or all that can be for now.
    pub(crate) fn session_is_live(&self, peer: Speaks) {
        self.live.send_if_modified(|live| {
            let first = live.is_none();
            live.get_or_insert((Instant::now(), peer));
            first
        });
    }

    /// Whether a conversation that has said all should stay: until when at least, without a new reason.
    pub(crate) fn stay_until(&self) -> Option<Instant> {
        if *self.state.active.borrow() > 0 {
            return Some(Instant::now() + GRACE);
        }
        let (since, peer) = (*self.live.borrow())?;
        let until = since + GRACE;
        // Who hangs up before the other has spoken does not hear its wishes until the next link.
        let unheard = peer.mail() && !*self.state.heard.borrow();
        let waits = unheard || *self.state.expecting.borrow();
        (waits && Instant::now() < until).then_some(until)
    }

    /// Waits for a change of [`Errands::stay_until`]. Cancel-safe.
    pub(crate) async fn changed(&self) {
        let State {
            active,
            expecting,
            heard,
            ..
        } = &*self.state;
        let (mut active, mut expecting, mut heard) =
            (active.subscribe(), expecting.subscribe(), heard.subscribe());
        tokio::select! {
            _ = active.changed() => {}
            _ = expecting.changed() => {}
            _ = heard.changed() => {}
        }
    }
}

/// Since when the session is live, and what the peer's program reads.
type Live = watch::Receiver<Option<(Instant, Speaks)>>;

/// Counts one blob under way.
struct UnderWay<'s>(&'s State);

impl<'s> UnderWay<'s> {
    fn new(state: &'s State) -> UnderWay<'s> {
        state.active.send_modify(|n| *n += 1);
        UnderWay(state)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.active.send_modify(|n| *n = n.saturating_sub(1));
    }
}

/// What one fetch keeps other links from fetching meanwhile.
struct Claim<'n>(&'n Node, u64);

impl<'n> Claim<'n> {
    fn begin(node: &'n Node) -> Claim<'n> {
        Claim(node, claims(node).begin())
    }

    fn take(&self, on: To, name: BlobName) -> bool {
        claims(self.0).take(self.1, on, name, Instant::now())
    }

    fn go_on(&self, name: &BlobName) -> bool {
        claims(self.0).go_on(self.1, name, Instant::now())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        claims(self.0).end(self.1);
    }
}

fn claims(node: &Node) -> std::sync::MutexGuard<'_, Claims> {
    node.0.fetching.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let lost = |_| Error::Store(store::Error::BadRow("errand"));
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

/// A hub has hundreds of peers: reading for a few at a time keeps its disk for records. Held while something is read,
/// and not while a slow peer takes it.
async fn seat(state: &State) -> Result<tokio::sync::SemaphorePermit<'_>, Trouble> {
    let lost = |_| Error::Store(store::Error::BadRow("errand"));
    Ok(state.node.0.errands.acquire().await.map_err(lost)?)
}

async fn read(reader: &mut FrameReader) -> Result<Option<Errand>, Trouble> {
    let frame = tokio::time::timeout(MUTE, reader.read())
        .await
        .map_err(|_| Trouble::Mute)??;
    let Some(bytes) = frame else { return Ok(None) };
    Errand::decode(&bytes)
        .map(Some)
        .map_err(|_| Trouble::Peer("a frame that cannot be read"))
}

async fn write(writer: &mut FrameWriter, errand: &Errand) -> Result<(), Trouble> {
    Ok(tokio::time::timeout(MUTE, writer.write(&errand.encode()))
        .await
        .map_err(|_| Trouble::Mute)??)
}

/// By what a name is told from others where a few bytes count.
fn first(name: &[u8; 32]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&name[..8]);
    first
}

fn told(peer: &NodeId, result: Result<(), Trouble>) {
    match result {
        Ok(()) | Err(Trouble::Link(_)) => {}
        Err(trouble) => tracing::warn!(peer = %peer.short(), %trouble, "an errand ended"),
    }
}

// ---- serving

async fn serve_all(state: Arc<State>, mut is_live: Live) {
    let mut served = JoinSet::new();
    // Nobody is served whom the session has not let in.
    if is_live.wait_for(Option::is_some).await.is_err() {
        return;
    }
    // What came before the handshake's end may be another's words said again (0-RTT): nothing is served on it.
    if state.link.settled().await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            stream = state.link.accept(), if served.len() < SERVED => {
                let Some((writer, reader)) = stream else { return };
                let state = state.clone();
                served.spawn(async move {
                    let result = serve(&state, writer, reader).await;
                    told(&state.link.peer(), result);
                });
            }
            Some(_) = served.join_next() => {}
        }
    }
}

async fn serve(state: &State, mut writer: FrameWriter, mut reader: FrameReader) -> Result<(), Trouble> {
    writer.set_priority(PRIORITY);
    reader.set_limit(limits::ERRAND_BYTES as u32 + 1);
    let peer = state.link.peer();
    // The bundles that were offered on this stream, by the hash of their bytes, and the copies that go with each.
    let mut offered: HashMap<BlobName, (String, u32)> = HashMap::new();
    let (mut lists, mut meets, mut wished) = (0, Vec::new(), false);
    // Between two errands a peer may be silent as long as the link lasts.
    while let Some(bytes) = reader.read().await? {
        let errand = Errand::decode(&bytes).map_err(|_| Trouble::Peer("a frame that cannot be read"))?;
        if !state.node.roll().is_member(&peer) {
            return Err(Trouble::Peer("no member of the county any more"));
        }
        match errand {
            Errand::Fetch(items) => {
                let _under_way = UnderWay::new(state);
                for item in items {
                    let letter = offered.get(&item.name).cloned();
                    let name = letter.as_ref().map(|(name, _)| name.clone());
                    let went = serve_one(state, &mut writer, item, name).await?;
                    if let Some((name, copies)) = letter.filter(|_| went) {
                        let node = state.node.clone();
                        blocking(move || crate::mail::give(&node, &name, &peer, copies)).await?;
                        state.mail_went.send_modify(|n| *n += 1);
                    }
                }
            }
            Errand::WhoHas(names) => {
                let node = state.node.clone();
                let known = blocking(move || receipts_for(&node, &peer, &names)).await?;
                write(&mut writer, &Errand::Receipts(known)).await?;
            }
            Errand::Receipts(receipts) => {
                let node = state.node.clone();
                blocking(move || take_receipts(&node, receipts)).await?;
            }
            Errand::MailList { known, meets: said } => {
                if !said.is_empty() {
                    meets = said;
                }
                // A look through all mail costs something.
                if lists > 0 {
                    tokio::time::sleep(LOOKS_APART).await;
                }
                lists += 1;
                let reading = seat(state).await?;
                let node = state.node.clone();
                let who = meets.clone();
                let offers = blocking(move || post::offer(&node, &peer, &known, &who)).await?;
                drop(reading);
                let named = |o: &post::Offered| (o.letter.blob, (post::name(&o.letter), o.copies));
                offered = offers.iter().map(named).collect();
                let letters = offers.into_iter().map(|o| o.letter).collect();
                write(&mut writer, &Errand::Mail(letters)).await?;
                state.heard.send_replace(true);
            }
            Errand::Wishes(wishes) => {
                if wished {
                    tokio::time::sleep(LOOKS_APART).await;
                }
                wished = true;
                let node = state.node.clone();
                blocking(move || wishes::take(&node, &peer, &wishes)).await?;
            }
            Errand::Unknown(_) => {}
            Errand::Blob { .. } | Errand::Absent(_) | Errand::Group(_) | Errand::Mail(_) => {
                return Err(Trouble::Peer("an answer to nothing"));
            }
        }
    }
    Ok(())
}

/// Serves one blob; whether it was here, and went to its end.
async fn serve_one(
    state: &State,
    writer: &mut FrameWriter,
    item: Item,
    letter: Option<String>,
) -> Result<bool, Trouble> {
    let reading = seat(state).await?;
    let (node, peer) = (state.node.clone(), state.link.peer());
    let opened = blocking(move || {
        let path = match letter {
            Some(letter) => Ok(post::path(&node, &letter)),
            None => may_have(&node, &peer, &item.name)?,
        };
        path.map_or_else(|reason| Ok(Err(reason)), |path| open(&node, &path, item))
    })
    .await?;
    let (mut file, size, hashes) = match opened {
        Err(reason) => {
            write(writer, &Errand::Absent(reason)).await?;
            return Ok(false);
        }
        Ok(opened) => opened,
    };
    drop(reading);
    write(writer, &Errand::Blob { size, hashes }).await?;
    let mut next = u64::from(item.from);
    while next < groups_of(size) {
        let reading = seat(state).await?;
        let (back, lot) = blocking(move || read_lot(file, size, next)).await?;
        drop(reading);
        file = back;
        let Some(lot) = lot else {
            // It shrank under our hands: the stream cannot be gone on with.
            return Err(Trouble::Here(Error::Store(store::Error::BadRow("blob"))));
        };
        for group in lot {
            write(writer, &Errand::Group(group)).await?;
            next += 1;
        }
    }
    Ok(true)
}

type Opened = (File, u64, Vec<[u8; 32]>);
type Groups = Vec<Vec<u8>>;

/// Where a blob lies that a peer may have.
fn may_have(node: &Node, peer: &NodeId, name: &BlobName) -> Result<Result<PathBuf, Reason>, Error> {
    let sizes = wanted::sizes_for(node, peer, name)?;
    Ok(if sizes.is_empty() {
        Err(Reason::NotForYou)
    } else if node.metered() && !sizes.contains(&Size::Preview) {
        Err(Reason::Metered)
    } else {
        Ok(blobs::place(node, name))
    })
}

/// Opens a file that is served as this blob, with the hashes of its groups if it begins at the first.
fn open(node: &Node, path: &Path, item: Item) -> Result<Result<Opened, Reason>, Error> {
    let Ok(mut file) = File::open(path) else {
        return Ok(Err(Reason::NotHere));
    };
    let size = file.metadata().map_err(crate::directory::file(path))?.len();
    let groups = groups_of(size);
    if size > limits::BLOB_BYTES || u64::from(item.from) >= groups {
        return Ok(Err(Reason::NotHere));
    }
    let mut hashes = Vec::new();
    if item.from == 0 {
        for group in 0..groups {
            let mut bytes = vec![0; group_len(size, group)];
            if file.read_exact(&mut bytes).is_err() {
                return Ok(Err(Reason::NotHere));
            }
            hashes.push(group_hash(groups, group, &bytes));
        }
        if Outline::new(&item.name, size, hashes.clone()).is_none() {
            // No longer what its name says: it is to be had elsewhere, and to be fetched anew here.
            tracing::warn!(name = %item.name, path = %path.display(), "a damaged file is not served");
            if path == blobs::place(node, &item.name) {
                blobs::put_aside(node, &item.name)?;
            }
            return Ok(Err(Reason::NotHere));
        }
    }
    Ok(Ok((file, size, hashes)))
}

/// Groups from one on, and the file again; `None` if it has become shorter.
fn read_lot(mut file: File, size: u64, from: u64) -> Result<(File, Option<Groups>), Error> {
    let upto = (from + READ_AT_ONCE).min(groups_of(size));
    let mut lot = Vec::new();
    if file.seek(SeekFrom::Start(from * GROUP as u64)).is_err() {
        return Ok((file, None));
    }
    for group in from..upto {
        let mut bytes = vec![0; group_len(size, group)];
        if file.read_exact(&mut bytes).is_err() {
            return Ok((file, None));
        }
        lot.push(bytes);
    }
    Ok((file, Some(lot)))
}

// ---- asking

async fn ask(state: Arc<State>, mut is_live: Live) {
    let live = is_live.wait_for(Option::is_some).await.map(|live| *live);
    let Ok(Some((_, speaks))) = live else { return };
    let peer = state.link.peer();
    let result = ask_on(&state, speaks).await;
    state.expecting.send_replace(false);
    told(&peer, result);
}

async fn ask_on(state: &State, speaks: Speaks) -> Result<(), Trouble> {
    let (node, peer) = (state.node.clone(), state.link.peer());
    // Whatever changes from now on is looked at again.
    let mut news = node.0.changed.subscribe();
    if !speaks.errands() {
        return Ok(());
    }
    let kept_blob: Keep = Arc::new(|node, bytes| blobs::keep(node, bytes).map(|_| true));
    let mut streams: Option<(FrameWriter, FrameReader)> = None;
    // What this peer has not got, or has in pieces that do not fit.
    let mut without = Passed::default();
    let mut asked_receipts = false;
    // Originals that are asked for, as they were told last on this link; and whom the peer knows us to meet.
    let (mut told, mut introduction) = (None, Introduction::default());
    // Mail is asked for when the link begins, and when the peer has taken some of ours or long after.
    let mut went = state.mail_went.subscribe();
    let (mut seen, mut asks, mut due) = (0, 0, Instant::now());
    loop {
        if speaks.mail() {
            let (looking, before): (_, Option<Vec<Wish>>) = (node.clone(), told.clone());
            let wishes = blocking(move || wishes::news(&looking, &peer, before.as_deref())).await?;
            if let Some(wishes) = wishes {
                let (writer, _) = opened(state, &mut streams).await?;
                write(writer, &Errand::Wishes(wishes.clone())).await?;
                told = Some(wishes);
            }
        }
        let (looking, on, passed) = (node.clone(), state.to, without.names(Instant::now()));
        let (names, unreceipted, others) = blocking(move || {
            let claimed = claims(&looking).held(on, Instant::now());
            let others = !claimed.is_empty();
            let passed: HashSet<BlobName> = passed.union(&claimed).copied().collect();
            let names = wanted::missing(&looking, &peer, &passed, ASKED)?;
            let most = limits::ERRAND_NAMES / 2;
            Ok((names, wanted::unreceipted(&looking, &peer, most)?, others))
        })
        .await?;
        let county = node.is_county_store(&peer);
        state
            .expecting
            .send_replace(!names.is_empty() || (county && !unreceipted.is_empty()));
        if names.is_empty() {
            if !unreceipted.is_empty() && !asked_receipts && !node.is_county() {
                asked_receipts = true;
                let (writer, reader) = opened(state, &mut streams).await?;
                let names = unreceipted.iter().map(|name| first(&name.0)).collect();
                write(writer, &Errand::WhoHas(names)).await?;
                if let Some(Errand::Receipts(receipts)) = read(reader).await? {
                    let node = node.clone();
                    blocking(move || take_receipts(&node, receipts)).await?;
                }
                continue;
            }
            let given = *went.borrow_and_update();
            if given != seen {
                (seen, asks) = (given, ANSWER_AFTER.len());
                due = Instant::now() + ANSWER_AFTER[0];
            }
            let looking = node.clone();
            let meets = blocking(move || reasons::meets(&looking)).await?;
            due = introduction.due(&peer, &meets).map_or(due, |at| due.min(at));
            if Instant::now() >= due && speaks.mail() {
                let open = opened(state, &mut streams).await?;
                let came = mail(state, open, &mut without, (&mut introduction, meets)).await?;
                asks = if came { 0 } else { asks.saturating_sub(1) };
                let next = ANSWER_AFTER.len() - asks;
                due = Instant::now() + ANSWER_AFTER.get(next).copied().unwrap_or(MAIL_APART);
                continue;
            }
            tokio::time::sleep(LOOKS_APART).await;
            let again = without.again(Instant::now());
            tokio::select! {
                changed = news.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    news.mark_unchanged();
                }
                _ = went.changed() => went.mark_changed(),
                () = tokio::time::sleep_until(due.into()), if speaks.mail() => {}
                // What it has not got may have come to it.
                () = tokio::time::sleep_until(again.unwrap_or_else(Instant::now).into()), if again.is_some() => {}
                // What another link fetches may be ours to fetch then.
                () = tokio::time::sleep(STANDS_STILL), if others => {}
            }
            continue;
        }
        let open = opened(state, &mut streams).await?;
        let kept = fetch(state, open, names, &mut without, &kept_blob).await?;
        asked_receipts = false;
        if kept.is_empty() {
            continue;
        }
        node.0.changed.send_modify(|n| *n += 1);
        let signing = node.clone();
        let receipts = blocking(move || {
            let each = kept.iter().map(|name| own_receipt(&signing, name));
            Ok(each
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect::<Vec<_>>())
        })
        .await?;
        if !receipts.is_empty() {
            let (writer, _) = opened(state, &mut streams).await?;
            write(writer, &Errand::Receipts(receipts)).await?;
        }
    }
}

/// Asks which sealed bundles there are, and fetches those that are for this node or to be carried on; whether any came.
async fn mail(
    state: &State,
    (writer, reader): (&mut FrameWriter, &mut FrameReader),
    without: &mut Passed,
    (introduction, meets): (&mut Introduction, Vec<[u8; 8]>),
) -> Result<bool, Trouble> {
    let (node, peer) = (state.node.clone(), state.link.peer());
    let looking = node.clone();
    let asked = Errand::MailList {
        known: blocking(move || post::known(&looking)).await?,
        meets: introduction.say(&peer, &meets, Instant::now()),
    };
    write(writer, &asked).await?;
    let letters = match read(reader).await? {
        Some(Errand::Mail(letters)) => letters,
        None => return Err(Trouble::Link(net::Error::StreamEnded)),
        Some(_) => return Err(Trouble::Peer("no mail where it was due")),
    };
    let said = post::said(&letters);
    let keep: Keep = Arc::new(move |node, bytes| post::deliver(node, bytes, &said));
    let mut names = blocking(move || post::wanted(&node, &peer, &letters, &meets)).await?;
    let passed = without.names(Instant::now());
    names.retain(|(name, _)| !passed.contains(name));
    let mut came = false;
    for few in names.chunks(ASKED) {
        let open = (&mut *writer, &mut *reader);
        came |= !fetch(state, open, few.to_vec(), without, &keep).await?.is_empty();
    }
    Ok(came)
}

async fn opened<'s>(
    state: &State,
    streams: &'s mut Option<(FrameWriter, FrameReader)>,
) -> Result<(&'s mut FrameWriter, &'s mut FrameReader), Trouble> {
    let (writer, reader) = match streams.take() {
        Some(open) => streams.insert(open),
        None => {
            let (writer, mut reader) = state.link.open().await?;
            writer.set_priority(PRIORITY);
            reader.set_limit(limits::ERRAND_BYTES as u32 + 1);
            streams.insert((writer, reader))
        }
    };
    Ok((writer, reader))
}

/// Asks for these blobs and keeps what comes of them.
async fn fetch(
    state: &State,
    (writer, reader): (&mut FrameWriter, &mut FrameReader),
    names: Vec<(BlobName, u64)>,
    without: &mut Passed,
    keep: &Keep,
) -> Result<Vec<BlobName>, Trouble> {
    let _under_way = UnderWay::new(state);
    let node = &state.node;
    let claim = Claim::begin(node);
    let mut items = Vec::new();
    let mut parts = Vec::new();
    let mut kept = Vec::new();
    for (name, most) in names {
        if !claim.take(state.to, name) {
            continue;
        }
        let opening = node.clone();
        let part = blocking(move || partial::open(&opening, &name)).await?;
        let part = match part {
            // Whole already, and not kept when it was: the last step again.
            Some(part) if part.is_whole() => {
                let (node, keep) = (node.clone(), keep.clone());
                if blocking(move || finish(&node, part, &keep)).await? {
                    kept.push(name);
                }
                continue;
            }
            part => part.filter(|part| part.got() > 0),
        };
        let from = part.as_ref().map_or(0, Partial::got) as u32;
        tracing::debug!(%name, from, "a file is asked for");
        items.push(Item { name, from });
        parts.push((part, most));
    }
    if items.is_empty() {
        return Ok(kept);
    }
    write(writer, &Errand::Fetch(items.clone())).await?;
    for (item, (part, most)) in items.into_iter().zip(parts) {
        match read(reader).await? {
            Some(Errand::Absent(_)) => without.absent(item.name, Instant::now()),
            Some(Errand::Blob { size, .. }) if size > most => {
                return Err(Trouble::Peer("a file larger than its record allows"));
            }
            Some(Errand::Blob { size, hashes }) => {
                let part = Coming {
                    item,
                    part,
                    size,
                    hashes,
                };
                if take_blob(&claim, reader, part, keep).await? {
                    kept.push(item.name);
                } else {
                    without.damaged(item.name);
                }
            }
            None => return Err(Trouble::Link(net::Error::StreamEnded)),
            Some(_) => return Err(Trouble::Peer("no blob where one was due")),
        }
    }
    Ok(kept)
}

/// Keeps a blob that is whole; whether it was what its name says.
fn finish(node: &Node, mut part: Partial, keep: &Keep) -> Result<bool, Error> {
    let kept = match part.bytes()? {
        Some(bytes) => keep(node, &bytes)?,
        None => false,
    };
    part.discard()?;
    Ok(kept)
}

/// What becomes of a blob that has come whole; `false` if it is not to be asked for again on this link.
type Keep = Arc<dyn Fn(&Node, &[u8]) -> Result<bool, Error> + Send + Sync>;

/// A blob that is due on the stream.
struct Coming {
    item: Item,
    part: Option<Partial>,
    size: u64,
    hashes: Vec<[u8; 32]>,
}

/// Takes one blob's groups from the stream; whether it is here now. What does not fit is read to its end, so that
/// the next blob begins where it should, and is not asked of this peer again.
async fn take_blob(
    claim: &Claim<'_>,
    reader: &mut FrameReader,
    coming: Coming,
    keep: &Keep,
) -> Result<bool, Trouble> {
    let Coming {
        item,
        part,
        size,
        hashes,
    } = coming;
    let node = claim.0;
    let mut part = match part {
        Some(part) => Some(part),
        None => match Outline::new(&item.name, size, hashes) {
            Some(outline) => {
                let node = node.clone();
                Some(blocking(move || partial::begin(&node, &item.name, outline)).await?)
            }
            None => None,
        },
    };
    let groups = groups_of(size).saturating_sub(u64::from(item.from));
    for _ in 0..groups {
        let group = match read(reader).await? {
            Some(Errand::Group(group)) => group,
            None => return Err(Trouble::Link(net::Error::StreamEnded)),
            Some(_) => return Err(Trouble::Peer("no group where one was due")),
        };
        if !claim.go_on(&item.name) {
            // It came too slowly: another link has begun to fetch it, and goes on with the file.
            part = None;
        }
        if let Some(mut taking) = part.take() {
            part = blocking(move || Ok(taking.add(&group)?.then_some(taking))).await?;
            if part.is_none() {
                tracing::warn!(name = %item.name, "a damaged part of a file was thrown away");
            }
        }
    }
    match part.filter(Partial::is_whole) {
        None => Ok(false),
        Some(part) => {
            let (node, keep) = (node.clone(), keep.clone());
            Ok(blocking(move || finish(&node, part, &keep)).await?)
        }
    }
}
