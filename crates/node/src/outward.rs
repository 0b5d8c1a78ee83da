//! What a node knows of its network side while that runs, for pages, commands and whoever else asks.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use net::Road;
use sync::NodeId;
use tokio::sync::watch;

use crate::schedule::interfaces;
use crate::{Error, Node};

/// See the module.
pub(crate) struct Outward {
    /// Peers with an open session, and the road that it goes on.
    connected: Mutex<HashMap<NodeId, Road>>,
    /// Moves when somebody wants everything dialled now.
    pub sync_now: watch::Sender<u64>,
    /// What the configuration says of the connection; the page's switch goes first.
    pub metered: AtomicBool,
    running: Mutex<Option<Running>>,
}

/// A network side that runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Why no calls over TCP are taken, if so.
    pub no_tcp: Option<String>,
    /// Whether it looks for neighbours.
    pub mdns: bool,
}

impl Default for Outward {
    fn default() -> Outward {
        Outward {
            connected: Mutex::default(),
            sync_now: watch::Sender::new(0),
            metered: AtomicBool::new(false),
            running: Mutex::default(),
        }
    }
}

impl Outward {
    pub fn connected(&self) -> MutexGuard<'_, HashMap<NodeId, Road>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_running(&self, running: Option<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }
}

/// The switch of the page.
const METERED: &str = "metered";
/// The network side that ran last: address, `mdns` or `-`, and why there is no TCP, if so; a line each.
const RAN_LAST: &str = "ran_last";
/// Addresses where UDP got no answer and TCP did, one a line.
const BLOCKED: &str = "udp_blocked";

impl Node {
    /// Where the pages of this node were served last, for commands that print a link.
    pub fn page_address(&self) -> Option<String> {
        self.meta_text("page_address")
    }

    /// Remembers where the pages are served.
    pub fn set_page_address(&self, url: &str) -> Result<(), Error> {
        self.local(|c| store::set_meta(c, "page_address", url.as_bytes()))
    }

    /// Whether the connection is paid by the byte (流量卡): whoever has large things to send asks first.
    pub fn metered(&self) -> bool {
        match self.meta_text(METERED).as_deref() {
            Some("1") => true,
            Some("0") => false,
            _ => self.0.outward.metered.load(Ordering::Relaxed),
        }
    }

    /// Says whether the connection is paid by the byte.
    pub fn set_metered(&self, metered: bool) -> Result<(), Error> {
        let text: &[u8] = if metered { b"1" } else { b"0" };
        self.local(|c| store::set_meta(c, METERED, text))
    }

    /// The network side that ran last in any process: for commands beside the one that serves.
    pub fn ran_last(&self) -> Option<Running> {
        let text = self.meta_text(RAN_LAST)?;
        let mut lines = text.splitn(3, '\n');
        Some(Running {
            address: lines.next()?.parse().ok()?,
            mdns: lines.next()? == "mdns",
            no_tcp: lines.next().map(str::to_string),
        })
    }

    pub(crate) fn set_running(&self, running: Running) -> Result<(), Error> {
        let mut text = format!("{}\n{}", running.address, if running.mdns { "mdns" } else { "-" });
        if let Some(why) = &running.no_tcp {
            text += &format!("\n{why}");
        }
        self.0.outward.set_running(Some(running));
        self.local(|c| store::set_meta(c, RAN_LAST, text.as_bytes()))
    }

    /// Has everything dialled now, quiet hours or not.
    pub fn sync_now(&self) {
        self.0.outward.sync_now.send_modify(|n| *n += 1);
    }

    /// The network side of this process, while it runs.
    pub fn running(&self) -> Option<Running> {
        let running = self.0.outward.running.lock();
        running.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where others on the same network reach this node while it runs, in the words of [`Node::add_address`]:
    /// `host:port#device`. What a hub has published comes first.
    pub fn own_addresses(&self) -> Vec<String> {
        let Some(running) = self.running() else {
            return Vec::new();
        };
        let (roll, me) = (self.roll(), self.id());
        let published = roll.hubs().filter(|(hub, _)| *hub == me);
        let mut all: Vec<String> = published.map(|(_, address)| address.to_string()).collect();
        let own = running.address;
        let mut ips: Vec<IpAddr> = match own.ip().is_unspecified() {
            true => interfaces().into_iter().map(|(_, ip)| ip).collect(),
            false => vec![own.ip()],
        };
        // Of what is good on one link alone, nobody else could say which link is meant.
        ips.retain(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()));
        ips.sort();
        ips.dedup();
        for ip in ips {
            let address = SocketAddr::new(ip, own.port()).to_string();
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all.iter().map(|address| format!("{address}#{me}")).collect()
    }

    /// Addresses that are reached over TCP, because UDP got no answer there.
    pub fn udp_blocked(&self) -> Vec<String> {
        let text = self.meta_text(BLOCKED).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    }

    pub(crate) fn set_udp_blocked(&self, addresses: &[String]) -> Result<(), Error> {
        self.local(|c| store::set_meta(c, BLOCKED, addresses.join("\n").as_bytes()))
    }

    pub(crate) fn set_connected(&self, peer: &NodeId, road: Option<Road>) {
        let mut all = self.0.outward.connected();
        match road {
            Some(road) => all.insert(*peer, road),
            None => all.remove(peer),
        };
    }
}
