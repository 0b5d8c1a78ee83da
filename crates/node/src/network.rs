//! Listens, finds and dials: one task that knows whom to reach and when, one conversation per peer.
//!
//! Dialled are the hub addresses of the roll, typed addresses and neighbours of the county found by mDNS,
//! each with its own jittered back-off so that a county never comes in step. A local commit shortens the
//! wait; a peer that is connected is not dialled.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use net::{Discovery, Found};
use net::{Endpoint, Link, Tuning};
use sync::NodeId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::care::{Ledger, Patience};
use crate::conversation::{Ended, Opening, converse};
use crate::outward::Running;
use crate::peers::read_address;
use crate::roads::{Place, RoadTimes, Roads};
use crate::schedule::{self, Quiet};
use crate::talk::Manner;
use crate::{Error, Node, directory, enrol};

/// How a node reaches others. All of it has defaults.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Address to listen on, UDP and TCP.
    pub listen: SocketAddr,
    /// `host:port` that a hub publishes in the roll for its schools; `None`: do not publish.
    pub publish: Option<String>,
    /// Find neighbours by mDNS.
    pub mdns: bool,
    /// Stay connected when both sides are equal.
    pub keep_open: bool,
    /// The connection is paid by the byte, unless the page's switch says otherwise ([`Node::metered`]): links are
    /// not kept open, and what is equal is left alone for longer.
    pub metered: bool,
    /// Hours in which nothing is dialled but when a person asks for it. Links that are open stay.
    pub quiet: Option<Quiet>,
    /// When TCP is taken, and when UDP is tried again.
    pub roads: RoadTimes,
    /// Shortest wait before dialling again.
    pub retry_min: Duration,
    /// Longest wait.
    pub retry_max: Duration,
    /// How long peers are waited for.
    pub patience: Patience,
}

impl Default for NetworkConfig {
    fn default() -> NetworkConfig {
        NetworkConfig {
            listen: SocketAddr::from(([0, 0, 0, 0], 4433)),
            publish: None,
            mdns: true,
            keep_open: true,
            metered: false,
            quiet: None,
            roads: RoadTimes::default(),
            retry_min: Duration::from_secs(2),
            retry_max: Duration::from_secs(300),
            patience: Patience::default(),
        }
    }
}

/// A running network side of a node.
pub struct Network {
    endpoint: Endpoint,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    address: SocketAddr,
}

impl Network {
    /// Binds and starts. Must run inside a tokio runtime.
    pub async fn start(node: Node, config: NetworkConfig) -> Result<Network, Error> {
        let endpoint = Endpoint::bind(config.listen, &node.0.key, Tuning::default())?;
        let address = endpoint.local_addr()?;
        if let (Some(publish), true) = (&config.publish, node.is_county()) {
            enrol::publish_address(&node, publish)?;
        }
        let (stop, stopped) = watch::channel(false);
        // Nobody can reach a node that listens on loopback alone: it announces nothing.
        let (discovery, found) = match config.mdns && !address.ip().is_loopback() {
            true => match Discovery::start(&node.id(), node.county_root().as_ref(), address) {
                Ok((discovery, found)) => (Some(discovery), Some(found)),
                Err(error) => {
                    tracing::warn!(%error, "no neighbours will be found by themselves");
                    (None, None)
                }
            },
            false => (None, None),
        };
        (node.0.outward.metered).store(config.metered, Ordering::Relaxed);
        let running = Running {
            address,
            no_tcp: endpoint.no_tcp().map(str::to_string),
            mdns: discovery.is_some(),
        };
        if let Err(error) = node.set_running(running) {
            tracing::warn!(%error, "the address could not be noted");
        }
        let hall = Arc::new(Hall {
            roads: Roads::new(config.roads, node.udp_blocked()),
            node: node.clone(),
            open: Mutex::new(HashMap::new()),
            ledger: Ledger::default(),
            numbers: AtomicU64::new(0),
            config,
        });
        let accepting = accept_all(hall.clone(), endpoint.clone(), stopped.clone());
        let viewing = keep_views(node.clone(), stopped.clone());
        let standing = keep_standings(node.clone(), stopped.clone());
        let dialling = dial_all(hall, endpoint.clone(), discovery, found, stopped);
        let task = tokio::spawn(async move {
            tokio::join!(accepting, viewing, standing, dialling);
            node.0.outward.set_running(None);
            // The last pieces came while the views were no longer kept.
            let last = move || {
                show(&node);
                node.keep_life(true)
            };
            if let Ok(Err(error)) = tokio::task::spawn_blocking(last).await {
                tracing::warn!(%error, "the life file could not be written");
            }
        });
        Ok(Network {
            endpoint,
            stop,
            task,
            address,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Handshakes and links so far.
    pub fn counters(&self) -> net::Counters {
        self.endpoint.counters()
    }

    /// Ends all conversations and waits until their last words are said.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(Duration::from_secs(8), self.task).await;
        self.endpoint.close();
        let _ = tokio::time::timeout(Duration::from_secs(2), self.endpoint.wait_idle()).await;
    }
}

/// Where conversations meet: at most one per peer goes on.
pub(crate) struct Hall {
    pub node: Node,
    pub roads: Roads,
    open: Mutex<HashMap<NodeId, Guest>>,
    ledger: Ledger,
    numbers: AtomicU64,
    config: NetworkConfig,
}

struct Guest {
    since: Instant,
    dialled_by: NodeId,
    stop: watch::Sender<bool>,
    number: u64,
    member: bool,
}

/// Links with nodes that are not in the roll. Whoever enrols is done in a second; beyond this number the one
/// that has been here longest goes, so that keys made by the thousand cannot take the seats of the county.
const STRANGERS: usize = 64;

/// Two links of the same two nodes within this time are a crossing: both sides keep the same one.
const CROSSING: Duration = Duration::from_secs(5);

impl Hall {
    /// Lets a link in, or turns it away because a better one with that peer is open.
    fn enter(&self, peer: NodeId, dialled_by: NodeId) -> Option<(u64, watch::Receiver<bool>)> {
        if self.ledger.is_shut(&peer, Instant::now()) {
            return None;
        }
        let member = self.node.roll().is_member(&peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let strangers = open.iter().filter(|(id, g)| !g.member && **id != peer);
        if !member && strangers.clone().count() >= STRANGERS {
            let oldest = strangers.min_by_key(|(_, g)| g.since);
            oldest.map(|(_, g)| g.stop.send_replace(true));
        }
        // Never used twice: a conversation that is slow to end must not take a later one along.
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        if let Some(old) = open.get(&peer) {
            let crossing = old.since.elapsed() < CROSSING && old.dialled_by != dialled_by;
            if crossing && old.dialled_by < dialled_by {
                return None;
            }
            old.stop.send_replace(true);
        }
        let (stop, stopped) = watch::channel(false);
        open.insert(
            peer,
            Guest {
                since: Instant::now(),
                dialled_by,
                stop,
                number,
                member,
            },
        );
        Some((number, stopped))
    }

    fn leave(&self, peer: NodeId, number: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&peer).is_some_and(|g| g.number == number) {
            open.remove(&peer);
            self.node.set_connected(&peer, None);
        }
    }

    fn is_open(&self, peer: &NodeId) -> bool {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(peer)
    }

    fn end_all(&self) {
        for guest in self.open.lock().unwrap_or_else(PoisonError::into_inner).values() {
            guest.stop.send_replace(true);
        }
    }

    /// Whether a link stays when both sides are equal.
    fn keep_open(&self) -> bool {
        self.config.keep_open && !self.node.metered()
    }

    pub async fn talk(&self, link: Link, dialled: Option<String>, opening: Option<Opening>) -> Ended {
        let peer = link.peer();
        let by = if dialled.is_some() { self.node.id() } else { peer };
        let nothing = Ended {
            in_sync: false,
            refused: false,
            broke: false,
        };
        let Some((number, stopped)) = self.enter(peer, by) else {
            link.close(1, "another link is open, or not now");
            return nothing;
        };
        let manner = Manner {
            dialled,
            keep_open: self.keep_open(),
        };
        self.node.0.counters.begins(number, link.clone());
        let result = converse(
            self.node.clone(),
            link,
            manner,
            self.config.patience,
            &self.ledger,
            opening,
            stopped,
        )
        .await;
        self.leave(peer, number);
        let cost = self.node.0.counters.ends(number, result.is_ok());
        let (sent, received, lost) = (cost.sent, cost.received, cost.lost_packets);
        if let Ok(ended) = &result {
            let (in_sync, refused) = (ended.in_sync, ended.refused);
            tracing::info!(peer = %peer.short(), in_sync, refused, sent, received, lost, "a session ended");
        }
        if result.as_ref().is_ok_and(|ended| ended.broke) {
            let penalty = self.config.patience.penalty;
            self.ledger.broke(&peer, penalty, Instant::now());
        }
        result.unwrap_or_else(|error| {
            tracing::warn!(peer = %peer.short(), %error, sent, received, lost, "a session ended");
            nothing
        })
    }
}

async fn accept_all(hall: Arc<Hall>, endpoint: Endpoint, mut stopped: watch::Receiver<bool>) {
    let mut talks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            link = endpoint.accept() => {
                let Some(link) = link else { break };
                let hall = hall.clone();
                talks.spawn(async move { hall.talk(link, None, None).await });
            }
            Some(_) = talks.join_next() => {}
        }
    }
    hall.end_all();
    while talks.join_next().await.is_some() {}
}

/// One address to dial.
struct Target {
    node: Option<NodeId>,
    /// A person wants it dialled, quiet hours or not.
    asked: bool,
    source: Source,
    due: Instant,
    wait: Duration,
    dialling: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Roll,
    Typed,
    /// Typed or scanned with the device that is to answer there.
    Named,
    Neighbour,
}

/// A neighbour on the same network answers at once or not at all.
const NEIGHBOUR_ANSWERS: Duration = Duration::from_secs(5);

/// So long after no word over UDP a neighbour is dialled over TCP.
const NEIGHBOUR_DOUBT: Duration = Duration::from_secs(2);

/// The addresses of this computer are looked at so often: asking the system takes far less than a millisecond.
const LOOK_AT_INTERFACES: Duration = Duration::from_secs(2);

/// On a connection paid by the byte a peer that is equal is asked for news no more often than this.
const METERED_WAIT: Duration = Duration::from_secs(1800);

/// A neighbour that is equal to us dials when it has news, as we do.
const NEIGHBOUR_WAIT: Duration = Duration::from_secs(3600);

/// A neighbour with the larger id waits so long before it dials: usually the other has come by then.
const POLITE: Duration = Duration::from_secs(4);

async fn dial_all(
    hall: Arc<Hall>,
    endpoint: Endpoint,
    discovery: Option<Discovery>,
    mut found: Option<mpsc::Receiver<Found>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut targets: HashMap<String, Target> = HashMap::new();
    let mut talks = tokio::task::JoinSet::new();
    let mut changed = hall.node.watch();
    let mut roll_changed = hall.node.0.roll_changed.subscribe();
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(LOOK_AT_INTERFACES);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut interfaces = None;
    let mut asked = hall.node.0.outward.sync_now.subscribe();
    collect(&hall, &mut targets);
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            Some(done) = talks.join_next() => {
                if let Ok((address, reached)) = done {
                    finished(&hall, &mut targets, address, reached);
                }
            }
            Some(neighbour) = next(&mut found) => meet(&hall, &mut targets, neighbour),
            Ok(()) = roll_changed.changed() => {
                collect(&hall, &mut targets);
                announce(&hall, &discovery);
            }
            Ok(()) = changed.changed() => {
                let news = have_news(&hall, &targets).await;
                let soon = Instant::now() + hall.config.retry_min;
                for (_, t) in targets.iter_mut().filter(|(a, _)| news.contains(*a)) {
                    t.due = t.due.min(soon);
                }
            }
            Ok(()) = asked.changed() => {
                at_once(&mut targets, hall.config.retry_min, true);
                dial_due(&hall, &endpoint, &mut targets, &mut talks, &stopped);
            }
            _ = look.tick() => {
                let Ok(now) = tokio::task::spawn_blocking(schedule::interfaces).await else { continue };
                let before = interfaces.replace(now);
                if before.is_some() && before != interfaces {
                    tracing::info!("the network interfaces have changed");
                    hall.roads.interfaces_changed();
                    at_once(&mut targets, hall.config.retry_min, false);
                    announce(&hall, &discovery);
                }
            }
            _ = tick.tick() => {
                if outside(&hall).await {
                    collect(&hall, &mut targets);
                }
                dial_due(&hall, &endpoint, &mut targets, &mut talks, &stopped);
            }
        }
    }
    hall.end_all();
    while talks.join_next().await.is_some() {}
}

/// Everything is due, and what was learnt of waits is forgotten.
fn at_once(targets: &mut HashMap<String, Target>, wait: Duration, asked: bool) {
    for target in targets.values_mut() {
        (target.due, target.wait) = (Instant::now(), wait);
        target.asked |= asked;
    }
}

/// Tells the neighbours who and where we are.
fn announce(hall: &Hall, discovery: &Option<Discovery>) {
    if let Some(discovery) = discovery {
        let _ = discovery.set_county(hall.node.county_root().as_ref());
    }
}

async fn next(found: &mut Option<mpsc::Receiver<Found>>) -> Option<Found> {
    match found {
        Some(f) => f.recv().await,
        None => std::future::pending().await,
    }
}

/// The addresses behind which somebody waits for changes of ours, or may: for them a long back-off is not
/// sat out.
async fn have_news(hall: &Hall, targets: &HashMap<String, Target>) -> Vec<String> {
    let mut idle: Vec<(String, Option<NodeId>)> = targets
        .iter()
        .filter(|(_, t)| !t.dialling)
        .map(|(a, t)| (a.clone(), t.node))
        .collect();
    idle.retain(|(_, node)| node.is_none_or(|n| !hall.is_open(&n)));
    if idle.is_empty() {
        return Vec::new();
    }
    let node = hall.node.clone();
    let asked = tokio::task::spawn_blocking(move || {
        idle.retain(|(_, peer)| peer.is_none_or(|p| node.has_news_for(&p).unwrap_or(true)));
        idle.into_iter().map(|(address, _)| address).collect()
    });
    asked.await.unwrap_or_default()
}

/// Commands beside the running node write to the same database: whether one just did.
async fn outside(hall: &Hall) -> bool {
    let node = hall.node.clone();
    let look = move || {
        node.keep_life(false)?;
        node.notice_outside_changes()
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(Ok(noticed)) => noticed,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database could not be read");
            false
        }
        Err(_) => false,
    }
}

/// Brings the views up to what arrived, apart from the sessions: many pieces cost one refresh, and a
/// slow document holds up no peer.
async fn keep_views(node: Node, mut stopped: watch::Receiver<bool>) {
    let mut arrived = node.0.arrived.subscribe();
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            Ok(()) = arrived.changed() => {}
        }
        tokio::time::sleep(COALESCE).await;
        arrived.mark_unchanged();
        let showing = node.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || show(&showing)).await {
            tracing::error!(%error, "views could not be brought up to date");
        }
    }
}

/// At a county: keeps where everybody stands up to what has come in and what is decided here, and what is in conflict
/// if a page has asked, apart from the views, which do not wait for it.
async fn keep_standings(node: Node, mut stopped: watch::Receiver<bool>) {
    /// While it lasts, no page waits for all lines.
    struct Following(Node);
    impl Drop for Following {
        fn drop(&mut self) {
            self.0.0.following.store(false, Ordering::Relaxed);
        }
    }
    node.0.following.store(true, Ordering::Relaxed);
    let _following = Following(node.clone());
    let mut changed = node.watch();
    changed.mark_changed();
    loop {
        let asked = tokio::select! {
            biased;
            _ = stopped.changed() => return,
            () = node.0.conflicts_wanted.notified() => true,
            Ok(()) = changed.changed() => false,
        };
        tokio::time::sleep(COALESCE).await;
        changed.mark_unchanged();
        let following = node.clone();
        let stop = stopped.clone();
        let done = tokio::task::spawn_blocking(move || {
            let followed =
                crate::office::follow_standings(&following, || *stop.borrow()).and_then(
                    |times| match asked {
                        true => crate::office::open_conflicts(&following).map(|_| times + 1),
                        false => Ok(times),
                    },
                );
            match followed {
                Ok(0) => {}
                Ok(_) => following.0.changed.send_modify(|n| *n += 1),
                Err(error) => tracing::error!(%error, "the dashboard could not be brought up to date"),
            }
        });
        if let Err(error) = done.await {
            tracing::error!(%error, "the dashboard could not be brought up to date");
        }
    }
}

/// Brings the views up to what is stored, and does what a hub does of itself when something has arrived.
fn show(node: &Node) {
    let shown = node
        .refresh_views()
        .and_then(|_| crate::office::follow_arrivals(node));
    if let Err(error) = shown {
        tracing::error!(%error, "views could not be brought up to date");
    }
    node.0.changed.send_modify(|n| *n += 1);
}

/// Pieces that arrive within this time are shown together.
const COALESCE: Duration = Duration::from_millis(40);

/// Addresses of the roll and typed ones.
fn collect(hall: &Hall, targets: &mut HashMap<String, Target>) {
    let roll = hall.node.roll();
    let me = hall.node.id();
    let mut wanted: Vec<(String, Option<NodeId>, Source)> = roll
        .hubs()
        .filter(|(hub, _)| *hub != me)
        .map(|(hub, address)| (address.to_string(), Some(hub), Source::Roll))
        .collect();
    let typed = hall.node.addresses().unwrap_or_default();
    wanted.extend(typed.iter().filter_map(|typed| {
        let (place, device) = read_address(typed)?;
        let source = device.map_or(Source::Typed, |_| Source::Named);
        Some((place.to_string(), device, source))
    }));
    targets.retain(|a, t| t.source == Source::Neighbour || wanted.iter().any(|(w, _, _)| w == a));
    for (address, node, source) in wanted {
        add(hall, targets, address, node, source, Duration::ZERO);
    }
}

fn add(
    hall: &Hall,
    targets: &mut HashMap<String, Target>,
    address: String,
    node: Option<NodeId>,
    source: Source,
    after: Duration,
) {
    let due = Instant::now() + after + jitter(hall.config.retry_min / 4);
    let wait = hall.config.retry_min;
    let target = targets.entry(address).or_insert(Target {
        node,
        asked: false,
        source,
        due,
        wait,
        dialling: false,
    });
    target.node = node.or(target.node);
    target.due = target.due.min(due);
}

fn meet(hall: &Hall, targets: &mut HashMap<String, Target>, found: Found) {
    let ours = hall.node.county_root().map(|r| net::county_tag(&r));
    if found.gone {
        targets.retain(|_, t| t.source != Source::Neighbour || t.node != Some(found.node) || t.dialling);
        return;
    }
    if found.node == hall.node.id() || ours.is_none() || found.county != ours {
        return;
    }
    let after = if hall.node.id() < found.node {
        Duration::ZERO
    } else {
        POLITE
    };
    for address in found.addrs {
        add(
            hall,
            targets,
            address.to_string(),
            Some(found.node),
            Source::Neighbour,
            after,
        );
    }
}

type Talks = tokio::task::JoinSet<(String, Reached)>;

/// What came of a dial.
pub(crate) enum Reached {
    /// Nobody, or nobody whom we may talk to.
    Nobody,
    /// Somebody else than this address used to be.
    Another,
    /// This node; how the conversation ended.
    Node(NodeId, Ended),
}

fn dial_due(
    hall: &Arc<Hall>,
    endpoint: &Endpoint,
    targets: &mut HashMap<String, Target>,
    talks: &mut Talks,
    stopped: &watch::Receiver<bool>,
) {
    let now = Instant::now();
    // By a clock that stands wrong it may be any hour.
    let quiet =
        (hall.config.quiet).is_some_and(|q| hall.node.clock_is_plausible() && q.holds_at(hall.node.clock()));
    let mut being_dialled: Vec<NodeId> = targets
        .values()
        .filter(|t| t.dialling)
        .filter_map(|t| t.node)
        .collect();
    for (address, target) in targets.iter_mut() {
        let busy = target
            .node
            .is_some_and(|n| hall.is_open(&n) || being_dialled.contains(&n));
        if target.dialling || target.due > now || busy || (quiet && !target.asked) {
            continue;
        }
        (target.dialling, target.asked) = (true, false);
        being_dialled.extend(target.node);
        let (hall, endpoint, address, expect) =
            (hall.clone(), endpoint.clone(), address.clone(), target.node);
        let times = if target.source == Source::Neighbour {
            (NEIGHBOUR_ANSWERS, hall.config.roads.doubt.min(NEIGHBOUR_DOUBT))
        } else {
            (Duration::MAX, hall.config.roads.doubt)
        };
        let stopped = stopped.clone();
        talks.spawn(async move {
            let reached = dial(&hall, &endpoint, &address, expect, times, stopped).await;
            (address, reached)
        });
    }
}

async fn dial(
    hall: &Arc<Hall>,
    endpoint: &Endpoint,
    address: &str,
    expect: Option<NodeId>,
    (patience, doubt): (Duration, Duration),
    mut stopped: watch::Receiver<bool>,
) -> Reached {
    let name = address.to_string();
    // A name may have addresses of both kinds; the socket speaks one of them best.
    let v6 = endpoint.local_addr().is_ok_and(|own| own.is_ipv6());
    let found = tokio::task::spawn_blocking(move || {
        let all: Vec<std::net::SocketAddr> = name.to_socket_addrs().ok()?.collect();
        let fits = all.iter().find(|at| at.is_ipv6() == v6);
        fits.or(all.first()).copied()
    })
    .await;
    let Some(resolved) = found.ok().flatten() else {
        return Reached::Nobody;
    };
    // What there is to say to a known node is ready before the first packet leaves, so that it goes with it.
    let manner = Manner {
        dialled: Some(address.to_string()),
        keep_open: hall.keep_open(),
    };
    let mut opening = match expect {
        Some(peer) => Opening::prepare(&hall.node, peer, manner).await.ok(),
        None => None,
    };
    let first = (opening.as_mut()).map_or(Vec::new(), |o| o.first.clone());
    let place = Place {
        hall,
        endpoint,
        address,
        at: resolved,
        expect,
        doubt,
    };
    tracing::debug!(%address, "dialling");
    let connected = tokio::select! {
        biased;
        _ = stopped.wait_for(|s| *s) => return Reached::Nobody,
        connected = place.reach(&first) => connected,
        () = tokio::time::sleep(patience) => return Reached::Nobody,
    };
    match connected {
        Ok((link, _)) if link.peer() == hall.node.id() => Reached::Nobody,
        Ok((link, _)) if hall.is_open(&link.peer()) => {
            link.close(1, "another link of the same two nodes is open");
            Reached::Node(
                link.peer(),
                Ended {
                    in_sync: true,
                    refused: false,
                    broke: false,
                },
            )
        }
        Ok((link, stream)) => {
            if let Some(opening) = &mut opening {
                opening.stream = stream;
            }
            place.talk(link, opening).await
        }
        Err(net::Error::WrongPeer { .. }) => Reached::Another,
        Err(error) => {
            tracing::debug!(%address, %error, "no answer");
            Reached::Nobody
        }
    }
}

/// After a conversation (or none): when to dial again.
fn finished(hall: &Hall, targets: &mut HashMap<String, Target>, address: String, reached: Reached) {
    let Some(target) = targets.get_mut(&address) else {
        return;
    };
    target.dialling = false;
    // Who answers at a typed address is learnt, so that it is not dialled while we talk to that node.
    match (&reached, target.source) {
        (Reached::Node(peer, _), Source::Typed) => target.node = Some(*peer),
        (Reached::Another, Source::Typed) => target.node = None,
        _ => {}
    }
    let config = &hall.config;
    target.wait = match reached {
        // Cut off while connected: back soon. Hung up on purpose: news of ours will shorten the wait.
        Reached::Node(_, Ended { in_sync: true, .. }) if hall.keep_open() => config.retry_min,
        Reached::Node(_, Ended { in_sync: true, .. }) => match target.source {
            Source::Neighbour => config.retry_max.max(NEIGHBOUR_WAIT),
            _ if hall.node.metered() => config.retry_max.max(METERED_WAIT),
            _ => config.retry_max,
        },
        // Refused: a person has to act first; waiting for approval is what a school does for hours.
        _ => (target.wait * 2).min(config.retry_max),
    };
    let waiting_for_approval = hall.node.standing() != crate::Standing::Member;
    if waiting_for_approval {
        target.wait = target.wait.min(config.retry_min * 4);
    }
    target.due = Instant::now() + target.wait / 2 + jitter(target.wait);
}

/// A random part of `most`.
pub(crate) fn jitter(most: Duration) -> Duration {
    let random = directory::random::<4>().map_or(0, u32::from_be_bytes);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
