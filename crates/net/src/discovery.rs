//! Who is near: announcing this node on the local network, and hearing of others, by mDNS/DNS-SD.
//!
//! A node announces an instance of `_yanxiu._udp.local.` named by its node id, with its port and
//! this TXT record:
//!
//! | key | value |
//! |---|---|
//! | `v` | `1`, the version of this table; instances of another one are passed over |
//! | `id` | the node id, 52 base32 letters |
//! | `c` | county tag: the first 8 letters of the county root, or `-` before enrolment |
//!
//! Anybody on the network can announce anything. What is found is an address worth dialling with
//! the found id as the expected one, nothing more.
//!
//! **How much is said.** Announcements are multicast: on Wi-Fi each takes the air from everybody. Who hears of a node
//! keeps its addresses for two minutes and asks for them anew at 96 seconds; nodes that heard the same announcement all
//! ask at the same moment, each for each. So every node says where it is again (`AGAIN`) before anybody asks, and
//! what is said grows with the number of nodes instead of its square. [`CHATTER`] is what that comes to at most,
//! measured by `examples/neighbours.rs`.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use mdns_sd::{DaemonEvent, IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use sync::NodeId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::Error;

/// The DNS-SD service type.
pub const SERVICE: &str = "_yanxiu._udp.local.";

const VERSION: &str = "1";
const NO_COUNTY: &str = "-";

/// Nodes whose news may wait for the caller. A network with more neighbours than that is flooded;
/// the first ones are kept, and every later announcement gets another chance.
const MAX_WAITING: usize = 1024;
/// Addresses kept of one node; real ones have a handful.
const MAX_ADDRS: usize = 16;

/// A neighbour as it announces itself, unproven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The node it claims to be.
    pub node: NodeId,
    /// Its [`county_tag`]; `None` before enrolment (and when `gone`).
    pub county: Option<String>,
    /// Where to dial it, IPv4 first; no loopback, and link-local IPv6 only with its interface.
    pub addrs: Vec<SocketAddr>,
    /// It said goodbye, or was not heard for so long that its announcement ran out.
    pub gone: bool,
}

/// Announces this node and listens for others until dropped.
pub struct Discovery {
    daemon: ServiceDaemon,
    /// Who is announced, and at which port; nobody by one that only listens.
    own: Option<(NodeId, u16)>,
    /// What is announced.
    said: watch::Sender<Option<ServiceInfo>>,
}

/// A node says where it is again after a random time between these: twice before somebody would ask, so that one lost
/// packet does not bring the questions.
const AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(45));

/// So long a node asks who is there; after that it hears of everybody by what they say again. Each question lists all
/// nodes that are known already (RFC 6762 §7.1), and the daemon would go on asking at doubled intervals.
const ASKING: Duration = Duration::from_secs(5);

/// What discovery sends at most in any minute, in bytes of whole Ethernet frames for each node on the network.
pub const CHATTER: u64 = 1_500;

/// The addresses of this computer are looked at so often, in seconds: a hotspot that was just joined is used soon.
const LOOK_AT_ADDRESSES: u32 = 1;

/// What a node announces of its county: enough to pass others over, too little to trust.
pub fn county_tag(root: &NodeId) -> String {
    root.short()
}

impl Discovery {
    /// Announces `id` at the port of `listen` on every interface but loopback and reports every other node, each
    /// again whenever its announcement changes. Slow callers get the newest news of each node; the
    /// receiver ends when the `Discovery` is dropped. Who listens on IPv4 alone speaks on IPv4 alone: it could be
    /// reached over nothing else, and everything would be said twice. Must be called within a tokio runtime.
    pub fn start(
        id: &NodeId,
        county: Option<&NodeId>,
        listen: SocketAddr,
    ) -> Result<(Discovery, mpsc::Receiver<Found>), Error> {
        Discovery::begin(Some((*id, listen.port())), county, listen.is_ipv6())
    }

    /// Listens for everybody, this node included, and announces nothing.
    pub fn listen() -> Result<(Discovery, mpsc::Receiver<Found>), Error> {
        Discovery::begin(None, None, false)
    }

    fn begin(
        own: Option<(NodeId, u16)>,
        county: Option<&NodeId>,
        v6: bool,
    ) -> Result<(Discovery, mpsc::Receiver<Found>), Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let daemon = ServiceDaemon::new().map_err(fault)?;
        // Made before anything can fail, so that its drop ends the daemon's thread.
        let said = watch::Sender::new(None);
        let discovery = Discovery { daemon, own, said };
        let daemon = &discovery.daemon;
        daemon.set_ip_check_interval(LOOK_AT_ADDRESSES).map_err(fault)?;
        daemon
            .disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])
            .map_err(fault)?;
        if !v6 {
            daemon.disable_interface(IfKind::IPv6).map_err(fault)?;
        }
        let troubles = daemon.monitor().map_err(fault)?;
        discovery.set_county(county)?;
        let events = daemon.browse(SERVICE).map_err(fault)?;

        runtime.spawn(async move {
            while let Ok(event) = troubles.recv_async().await {
                match event {
                    DaemonEvent::Error(e) => tracing::warn!("looking for neighbours: {e}"),
                    // Only a copy of this very device can have our name.
                    DaemonEvent::NameChange(change) => {
                        tracing::warn!(
                            "another device announces our node id: renamed to {}",
                            change.new_name
                        );
                    }
                    _ => {}
                }
            }
        });
        runtime.spawn(say_again(daemon.clone(), discovery.said.subscribe()));
        let (send, receive) = mpsc::channel(16);
        let ended = discovery.said.subscribe();
        runtime.spawn(forward(
            daemon.clone(),
            events,
            own.map(|(id, _)| id),
            send,
            ended,
        ));
        Ok((discovery, receive))
    }

    /// Announces another county from now on: the node was enrolled.
    pub fn set_county(&self, county: Option<&NodeId>) -> Result<(), Error> {
        let Some((id, port)) = self.own else {
            return Ok(());
        };
        let tag = county.map_or_else(|| NO_COUNTY.to_string(), county_tag);
        let id = id.to_string();
        // A host name of our own: two nodes on one PC (or two PCs of one name) stay apart.
        let host = format!("yanxiu-{id}.local.");
        let txt = [("v", VERSION), ("id", id.as_str()), ("c", tag.as_str())];
        let info = ServiceInfo::new(SERVICE, &id, &host, "", port, &txt[..]).map_err(fault)?;
        let info = info.enable_addr_auto();
        self.daemon.register(info.clone()).map_err(fault)?;
        self.said.send_replace(Some(info));
        Ok(())
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        // Says goodbye to the neighbours and ends the daemon's thread. Nobody is left to tell of a failure.
        let _ = self.daemon.shutdown();
    }
}

fn fault(error: mdns_sd::Error) -> Error {
    Error::Discovery(error.to_string())
}

/// Says again what was said last, until the `Discovery` is dropped.
async fn say_again(daemon: ServiceDaemon, mut said: watch::Receiver<Option<ServiceInfo>>) {
    let (least, most) = AGAIN;
    loop {
        let info = said.borrow_and_update().clone();
        // Nodes that were switched on together must not go on speaking together.
        let part = RandomState::new().hash_one(()) as u32;
        let wait = least + (most - least).mul_f64(f64::from(part) / f64::from(u32::MAX));
        tokio::select! {
            changed = said.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(wait) => if let Some(info) = info {
                // Fails while the daemon is too busy: next time, then.
                let _ = daemon.register(info);
            },
        }
    }
}

/// Passes news on until the daemon or the caller is gone. It never lets the daemon wait, which
/// ends a subscription whose queue is full; what the caller has not taken is kept once per node.
async fn forward(
    daemon: ServiceDaemon,
    mut events: mdns_sd::Receiver<ServiceEvent>,
    own: Option<NodeId>,
    out: mpsc::Sender<Found>,
    mut ended: watch::Receiver<Option<ServiceInfo>>,
) {
    let mut waiting: BTreeMap<NodeId, Found> = BTreeMap::new();
    // Who was reported, and how: a daemon that begins to listen names everybody once more.
    let mut told: BTreeMap<NodeId, Found> = BTreeMap::new();
    let (mut asking, mut until) = (true, Instant::now() + ASKING);
    // The news of a daemon that only listens: begins where `events` ends.
    let mut listening = None;
    loop {
        tokio::select! {
            // Whatever becomes of the daemon, which may be too busy to take its leave.
            changed = ended.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep_until(until), if asking => {
                asking = false;
                // Fails when the daemon has ended, which `events` tells, or is too busy: then it goes on asking.
                listening = daemon.browse_cache(SERVICE).ok();
            }
            event = events.recv_async() => {
                let news = match event {
                    Ok(ServiceEvent::ServiceResolved(service)) => found(&service),
                    Ok(ServiceEvent::ServiceRemoved(_, name)) => gone(&name),
                    Ok(_) => None,
                    Err(_) if listening.is_some() => {
                        events = listening.take().unwrap_or(events);
                        None
                    }
                    // Our queue overflowed all the same, or the daemon has ended.
                    Err(_) => match daemon.browse(SERVICE) {
                        Ok(again) => {
                            tracing::warn!("the local network is flooded with announcements; listening anew");
                            events = again;
                            (asking, until) = (true, Instant::now() + ASKING);
                            None
                        }
                        Err(_) => return,
                    },
                };
                if let Some(news) = news.filter(|f| Some(f.node) != own && told.get(&f.node) != Some(f))
                    && (waiting.len() < MAX_WAITING || waiting.contains_key(&news.node))
                {
                    if news.gone {
                        told.remove(&news.node);
                    } else if told.len() < MAX_WAITING {
                        told.insert(news.node, news.clone());
                    }
                    waiting.insert(news.node, news);
                }
            }
            place = out.reserve(), if !waiting.is_empty() => match (place, waiting.pop_first()) {
                (Ok(place), Some((_, news))) => place.send(news),
                (Ok(_), None) => {}
                (Err(_), _) => return,
            },
            () = out.closed() => return,
        }
    }
}

/// `None` for what is no node of this version.
fn found(service: &ResolvedService) -> Option<Found> {
    if service.get_property_val_str("v") != Some(VERSION) {
        return None;
    }
    let node = NodeId::parse(service.get_property_val_str("id")?)?;
    // The goodbye names the instance alone, so an instance named otherwise could never leave.
    if instance(service.get_fullname()) != Some(node) {
        return None;
    }
    let county = match service.get_property_val_str("c") {
        None | Some(NO_COUNTY) => None,
        Some(tag) if tag.len() == 8 && tag.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Some(tag.to_string())
        }
        Some(_) => return None,
    };
    let mut addrs: Vec<SocketAddr> = service
        .get_addresses()
        .iter()
        .filter_map(|ip| dialable(ip, service.get_port()))
        .collect();
    if addrs.is_empty() {
        return None;
    }
    addrs.sort();
    addrs.truncate(MAX_ADDRS);
    Some(Found {
        node,
        county,
        addrs,
        gone: false,
    })
}

fn gone(fullname: &str) -> Option<Found> {
    instance(fullname).map(|node| Found {
        node,
        county: None,
        addrs: Vec::new(),
        gone: true,
    })
}

/// The node named by `<node id>._yanxiu._udp.local.`.
fn instance(fullname: &str) -> Option<NodeId> {
    NodeId::parse(fullname.split('.').next()?)
}

/// The address to dial, if it can be dialled from another PC.
fn dialable(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    let plain = ip.to_ip_addr();
    if port == 0 || plain.is_loopback() || plain.is_unspecified() || plain.is_multicast() {
        return None;
    }
    match (plain, ip) {
        (IpAddr::V6(v6), ScopedIp::V6(scoped)) if v6.is_unicast_link_local() => {
            let interface = scoped.scope_id().index;
            (interface != 0).then(|| SocketAddrV6::new(v6, port, 0, interface).into())
        }
        (plain, _) => Some(SocketAddr::new(plain, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> NodeId {
        sync::DeviceKey::from_seed([5; 32]).id()
    }

    fn service(name: &str, ips: &[&str], txt: &[(&str, &str)]) -> ResolvedService {
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        ServiceInfo::new(SERVICE, name, "h.local.", &ips[..], 4433, txt)
            .unwrap()
            .as_resolved_service()
    }

    #[test]
    fn an_announcement_is_read() {
        let text = id().to_string();
        let txt = [("v", "1"), ("id", text.as_str()), ("c", "abcdefg2")];
        let got = found(&service(
            &text,
            &["2001:db8::1", "192.0.2.7", "127.0.0.1", "fe80::1"],
            &txt,
        ))
        .unwrap();
        assert_eq!(got.node, id());
        assert_eq!(got.county.as_deref(), Some("abcdefg2"));
        let addrs: Vec<String> = got.addrs.iter().map(ToString::to_string).collect();
        assert_eq!(
            addrs,
            ["192.0.2.7:4433", "[2001:db8::1]:4433"],
            "no loopback, no unscoped link-local"
        );
    }

    #[test]
    fn what_is_no_node_of_this_version_is_passed_over() {
        let text = id().to_string();
        let ips = ["192.0.2.7"];
        for txt in [
            vec![("v", "2"), ("id", text.as_str()), ("c", "-")],
            vec![("id", text.as_str()), ("c", "-")],
            vec![("v", "1"), ("c", "-")],
            vec![("v", "1"), ("id", "教师"), ("c", "-")],
            vec![("v", "1"), ("id", text.as_str()), ("c", "<script>")],
        ] {
            assert_eq!(found(&service(&text, &ips, &txt)), None, "{txt:?}");
        }
        let good = [("v", "1"), ("id", text.as_str()), ("c", "-")];
        assert_eq!(found(&service(&text, &ips, &good)).unwrap().county, None);
        assert_eq!(
            found(&service("打印机", &ips, &good)),
            None,
            "named by something else"
        );
        assert_eq!(
            found(&service(&text, &["127.0.0.1"], &good)),
            None,
            "nowhere to dial"
        );
    }

    #[test]
    fn a_goodbye_names_its_node() {
        assert_eq!(gone(&format!("{}.{SERVICE}", id())).unwrap().node, id());
        assert_eq!(gone("打印机._yanxiu._udp.local."), None);
        assert_eq!(gone(""), None);
    }
}
