//! Looking: everything is bounded in number and time, and nothing is changed. Peers are dialled under a key made for
//! the occasion, because a second link under this node's own would end the one that is open.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::Duration;

use net::{Discovery, Endpoint, Found, Tuning, county_tag};
use sync::{DeviceKey, NodeId};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{Answer, Dialled, Mdns, Near, Observed, Port};
use crate::peers::read_address;
use crate::{Error, Node, Running, directory, schedule};

/// What only the program around the node knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Where the node is to listen.
    pub listen: SocketAddr,
    /// Whether it runs, in this process or another one.
    pub serving: bool,
    /// Whether neighbours are looked for.
    pub mdns: bool,
    /// Why no calls over TCP are taken, if that is known.
    pub no_tcp: Option<String>,
}

impl Setting {
    /// Of a network side that runs.
    pub fn of(running: Running) -> Setting {
        Setting {
            listen: running.address,
            serving: true,
            mdns: running.mdns,
            no_tcp: running.no_tcp,
        }
    }
}

/// An honest hub answers in a few round trips; the slowest links have 1.2 s.
const FAR: Duration = Duration::from_secs(8);
const LOCAL: Duration = Duration::from_secs(3);
/// Who is in the network answers a first question within a second.
const LISTEN: Duration = Duration::from_secs(3);
const MOST_DIALLED: usize = 16;
const MOST_NEAR: usize = 32;
/// Events that are older say nothing of now.
const LATELY: i64 = 7 * 86_400;

/// Looks at everything; 15 seconds at most, much less when all is well.
pub async fn examine(node: &Node, setting: &Setting) -> Result<Observed, Error> {
    let looking = {
        let node = node.clone();
        tokio::task::spawn_blocking(move || quiet(&node))
    };
    let caller = Caller::new(node)?;
    let targets = targets(node)?;
    let (dialled, port, (mdns, near)) = tokio::join!(
        all_dialled(&caller, targets),
        own_port(&caller, node, setting),
        neighbours(&caller, node, setting),
    );
    caller.close();
    let inside = looking
        .await
        .map_err(|_| Error::Store(store::Error::BadRow("check")))??;
    Ok(Observed {
        standing: node.standing(),
        county_office: node.is_county(),
        practice: node.practice(),
        county: node.county_root().map(|root| county_tag(&root)),
        clock_plausible: node.clock_is_plausible(),
        clocks_differ: inside.clocks,
        versions_differ: inside.versions,
        listen: setting.listen,
        port,
        no_tcp: setting.no_tcp.clone(),
        interfaces: schedule::interfaces().into_iter().collect(),
        dialled,
        near,
        mdns,
        free: fs4::available_space(node.dir()).ok(),
        database: inside.database,
    })
}

/// What is found without a network.
struct Inside {
    database: Vec<String>,
    clocks: Vec<String>,
    versions: Vec<String>,
}

fn quiet(node: &Node) -> Result<Inside, Error> {
    let database = match node.store().quick_check() {
        Ok(problems) => problems,
        Err(error) => vec![error.to_string()],
    };
    let (mut clocks, mut versions) = (Vec::new(), Vec::new());
    // What a damaged database still gives; the damage is told above.
    for event in node.events(200).unwrap_or_default() {
        let list = match event.code.as_str() {
            "clock-differs" => &mut clocks,
            "we-refused-Version" | "they-refused-Version" => &mut versions,
            _ => continue,
        };
        if (node.clock() - event.at).abs() < LATELY && !list.contains(&event.peer_label) {
            list.push(event.peer_label);
        }
    }
    Ok(Inside {
        database,
        clocks,
        versions,
    })
}

/// Whether a `serve` of this data directory runs: it holds the lock.
pub fn is_serving(dir: &Path) -> bool {
    let lock = std::fs::File::options()
        .append(true)
        .open(dir.join(directory::SERVE_LOCK));
    lock.is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Dials under a key of its own.
struct Caller {
    v4: Endpoint,
    v6: Option<Endpoint>,
}

impl Caller {
    fn new(node: &Node) -> Result<Caller, Error> {
        let key = DeviceKey::from_seed(node.random()?);
        let tuning = Tuning {
            early_data: false,
            handshake_timeout: FAR,
            ..Tuning::default()
        };
        let at = |ip: std::net::IpAddr| Endpoint::bind(SocketAddr::new(ip, 0), &key, tuning.clone());
        Ok(Caller {
            v4: at(Ipv4Addr::UNSPECIFIED.into())?,
            v6: at(Ipv6Addr::UNSPECIFIED.into()).ok(),
        })
    }

    fn for_address(&self, at: SocketAddr) -> &Endpoint {
        match &self.v6 {
            Some(v6) if at.is_ipv6() => v6,
            _ => &self.v4,
        }
    }

    fn close(&self) {
        self.v4.close();
        if let Some(v6) = &self.v6 {
            v6.close();
        }
    }
}

async fn ask(
    endpoint: Endpoint,
    at: SocketAddr,
    expect: Option<NodeId>,
    patience: Duration,
) -> (Answer, Answer) {
    let until = Instant::now() + patience;
    let udp = async { answer(timeout_at(until, endpoint.connect(at, expect)).await.ok()) };
    let tcp = async { answer(timeout_at(until, endpoint.connect_tcp(at, expect)).await.ok()) };
    tokio::join!(udp, tcp)
}

fn answer(met: Option<Result<net::Link, net::Error>>) -> Answer {
    use net::Error as E;
    match met {
        None | Some(Err(E::NoAnswer { .. })) => Answer::Silence,
        Some(Ok(link)) => {
            link.close(0, "doctor");
            Answer::Yes
        }
        Some(Err(E::WrongPeer { found, .. })) => Answer::Other(found.short()),
        Some(Err(E::Busy { .. })) => Answer::Busy,
        Some(Err(E::NotListening { .. })) => Answer::NotListening,
        Some(Err(E::NotYanxiu { detail, .. })) => Answer::Foreign(detail),
        Some(Err(error)) => Answer::NoWay(error.to_string()),
    }
}

/// Addresses of the roll and typed ones.
fn targets(node: &Node) -> Result<Vec<(String, Option<NodeId>)>, Error> {
    let (roll, me) = (node.roll(), node.id());
    let mut all: Vec<(String, Option<NodeId>)> = (roll.hubs())
        .filter(|(hub, _)| *hub != me)
        .map(|(hub, address)| (address.to_string(), Some(hub)))
        .collect();
    for typed in node.addresses()? {
        let Some((place, device)) = read_address(&typed) else {
            continue;
        };
        if !all.iter().any(|(known, _)| known == place) {
            all.push((place.to_string(), device));
        }
    }
    all.truncate(MOST_DIALLED);
    Ok(all)
}

async fn all_dialled(caller: &Caller, targets: Vec<(String, Option<NodeId>)>) -> Vec<Dialled> {
    let mut asking = JoinSet::new();
    for (place, (address, expect)) in targets.into_iter().enumerate() {
        let (v4, v6) = (caller.v4.clone(), caller.v6.clone());
        asking.spawn(async move {
            let name = address.clone();
            let resolved = tokio::task::spawn_blocking(move || {
                let found = name.to_socket_addrs().map_err(|e| e.to_string())?.next();
                found.ok_or_else(|| "no address".to_string())
            });
            let resolved = resolved.await.unwrap_or_else(|e| Err(e.to_string()));
            let (udp, tcp) = match resolved {
                Ok(at) => ask(Caller { v4, v6 }.for_address(at).clone(), at, expect, FAR).await,
                Err(_) => Default::default(),
            };
            let dialled = Dialled {
                address,
                resolved: Some(resolved),
                udp,
                tcp,
            };
            (place, dialled)
        });
    }
    let mut all: BTreeMap<usize, Dialled> = BTreeMap::new();
    while let Some(done) = asking.join_next().await {
        all.extend(done.ok());
    }
    all.into_values().collect()
}

async fn own_port(caller: &Caller, node: &Node, setting: &Setting) -> Port {
    let mut at = setting.listen;
    if at.ip().is_unspecified() {
        at.set_ip(match at.is_ipv4() {
            true => Ipv4Addr::LOCALHOST.into(),
            false => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let free = UdpSocket::bind(setting.listen);
    let error = match (free, setting.serving) {
        (Ok(_), false) => return Port::NotRunning,
        (Ok(_), true) => return Port::Mute,
        (Err(error), _) => error,
    };
    match ask(caller.for_address(at).clone(), at, Some(node.id()), LOCAL)
        .await
        .0
    {
        Answer::Yes | Answer::Busy => Port::Answers,
        Answer::Other(who) => Port::Taken(format!("yanxiu {who}")),
        _ if setting.serving => Port::Mute,
        _ => Port::Taken(error.to_string()),
    }
}

async fn neighbours(caller: &Caller, node: &Node, setting: &Setting) -> (Mdns, Vec<Near>) {
    if !setting.mdns || setting.listen.ip().is_loopback() {
        return (Mdns::Off, Vec::new());
    }
    let (_listening, mut news) = match Discovery::listen() {
        Ok(both) => both,
        Err(error) => return (Mdns::Failed(error.to_string()), Vec::new()),
    };
    let (until, mut own) = (Instant::now() + LISTEN, false);
    let mut heard: BTreeMap<NodeId, Found> = BTreeMap::new();
    while let Ok(Some(found)) = timeout_at(until, news.recv()).await {
        if found.node == node.id() {
            own = true;
        } else if found.gone {
            heard.remove(&found.node);
        } else if heard.len() < MOST_NEAR || heard.contains_key(&found.node) {
            heard.insert(found.node, found);
        }
    }
    let mut asking = JoinSet::new();
    for (id, found) in heard {
        let Some(at) = found.addrs.first().copied() else {
            continue;
        };
        let (endpoint, label) = (caller.for_address(at).clone(), node.device_label(&id));
        asking.spawn(async move {
            let (udp, tcp) = ask(endpoint, at, Some(id), LOCAL).await;
            Near {
                label,
                county: found.county,
                at,
                udp,
                tcp,
            }
        });
    }
    let mut near = Vec::new();
    while let Some(done) = asking.join_next().await {
        near.extend(done.ok());
    }
    near.sort_by(|a, b| a.label.cmp(&b.label));
    (Mdns::Heard { own }, near)
}
