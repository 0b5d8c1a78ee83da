//! A network that lets no UDP through: records travel over TCP all the same, and go back to QUIC when it works.
//! Between school and hub stands a relay with one address: TCP goes through, UDP is swallowed until it is not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use node::{Road, RoadTimes};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use yanxiu_tests::{Place, add_school, add_session, at_county, until};

/// The way to a hub.
struct Way {
    address: SocketAddr,
    udp: Arc<AtomicBool>,
    /// Datagrams that were swallowed.
    swallowed: Arc<AtomicU64>,
}

impl Way {
    /// One free port for both.
    async fn to(hub: SocketAddr) -> Way {
        let (tcp, socket) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            if let Ok(socket) = UdpSocket::bind(tcp.local_addr().expect("an address")).await {
                break (tcp, Arc::new(socket));
            }
        };
        let address = tcp.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut here, _)) = tcp.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut there) = TcpStream::connect(hub).await {
                        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                    }
                });
            }
        });
        let (udp, swallowed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (open, count) = (udp.clone(), swallowed.clone());
        tokio::spawn(async move {
            let mut callers: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut bytes = [0; 2048];
            while let Ok((len, from)) = socket.recv_from(&mut bytes).await {
                if !open.load(Ordering::Relaxed) {
                    count.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let there = match callers.get(&from) {
                    Some(there) => there.clone(),
                    None => {
                        let there = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a port"));
                        there.connect(hub).await.expect("connected");
                        callers.insert(from, there.clone());
                        let (back, answers) = (socket.clone(), there.clone());
                        tokio::spawn(async move {
                            let mut bytes = [0; 2048];
                            while let Ok(len) = answers.recv(&mut bytes).await {
                                let _ = back.send_to(&bytes[..len], from).await;
                            }
                        });
                        there
                    }
                };
                let _ = there.send(&bytes[..len]).await;
            }
        });
        Way {
            address,
            udp,
            swallowed,
        }
    }

    fn let_udp_through(&self, through: bool) {
        self.udp.store(through, Ordering::Relaxed);
    }
}

fn quick() -> RoadTimes {
    RoadTimes {
        doubt: Duration::from_millis(600),
        again_min: Duration::from_secs(1),
        again_max: Duration::from_secs(2),
    }
}

/// The road of the session with another place, if there is one.
fn road(here: &Place, there: &Place) -> Option<Road> {
    let peers = here.node.peers().expect("peers");
    peers
        .into_iter()
        .find(|p| p.node == there.node.id())
        .and_then(|p| p.road)
}

async fn county_and_school() -> (Place, Place, Way) {
    let mut county = Place::county();
    county.up().await;
    let school = add_school(&county, "青石小学");
    let mut place = Place::school(&county, &school, "青石小学 办公室电脑");
    place.roads = quick();
    let way = Way::to(county.address().parse().expect("an address")).await;
    place
        .node
        .add_address(&way.address.to_string())
        .expect("an address");
    (county, place, way)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_udp_a_school_syncs_over_tcp_and_returns_to_quic() {
    let (mut county, mut school, way) = county_and_school().await;
    add_session(&school, "分数的意义研讨", "2025-10-11");
    school.up().await;
    at_county(&school).await;
    assert_eq!(road(&school, &county), Some(Road::Tcp));
    assert_eq!(road(&county, &school), Some(Road::Tcp));
    assert!(way.swallowed.load(Ordering::Relaxed) > 0, "UDP was tried first");
    assert!(school.event_codes().contains(&"udp-blocked".to_string()));
    assert_eq!(school.node.udp_blocked(), [way.address.to_string()]);

    // The link lives on: news of both sides go through it.
    add_session(&school, "听评课：圆的认识", "2025-10-12");
    at_county(&school).await;
    add_school(&county, "白沙小学");
    until("the news of the county is here", 10, || {
        let all = node::office::organisations(&school.node).expect("organisations");
        all.iter().any(|o| o.name == "白沙小学")
    })
    .await;
    assert_eq!(road(&school, &county), Some(Road::Tcp));

    way.let_udp_through(true);
    until("back on QUIC", 10, || {
        road(&school, &county) == Some(Road::Quic) && road(&county, &school) == Some(Road::Quic)
    })
    .await;
    assert!(school.event_codes().contains(&"udp-works".to_string()));
    assert_eq!(school.node.udp_blocked(), Vec::<String>::new());
    until("the link over TCP is given up", 10, || {
        county.counters().open == 1
    })
    .await;
    add_session(&school, "作业设计", "2025-10-13");
    at_county(&school).await;
    school.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_that_was_met_before_finds_the_other_road_as_well() {
    let (mut county, mut school, way) = county_and_school().await;
    way.let_udp_through(true);
    // Paid by the byte: whoever is equal hangs up. With the ticket of this meeting the next link is handed out
    // before anybody has answered.
    school.node.set_metered(true).expect("kept");
    add_session(&school, "第一次", "2025-10-11");
    school.up().await;
    at_county(&school).await;
    until("hung up", 10, || {
        road(&school, &county).is_none() && county.counters().open == 0
    })
    .await;
    assert_eq!(school.event_codes(), Vec::<String>::new());
    way.let_udp_through(false);
    add_session(&school, "第二次", "2025-10-12");
    at_county(&school).await;
    assert!(school.event_codes().contains(&"udp-blocked".to_string()));
    school.node.set_metered(false).expect("kept");
    school.down().await;

    // It is remembered over a restart: TCP first.
    add_session(&school, "第三次", "2025-10-13");
    assert_eq!(school.node.udp_blocked(), [way.address.to_string()]);
    school.up().await;
    at_county(&school).await;
    assert_eq!(road(&school, &county), Some(Road::Tcp));
    school.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_over_udp_has_answered() {
    let mut county = Place::county();
    county.up().await;
    let mut stranger = Place::device("路过的电脑");
    stranger.roads = quick();
    stranger.knows(&county);
    stranger.up().await;
    until("the county has seen it", 10, || {
        !node::enrol::pending(&county.node).expect("a list").is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stranger.node.udp_blocked(), Vec::<String>::new());
    assert!(!stranger.event_codes().contains(&"udp-blocked".to_string()));
    stranger.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_quiet_hours_nothing_is_dialled_until_somebody_asks() {
    let mut county = Place::county();
    county.up().await;
    let school = add_school(&county, "青石小学");
    let mut place = Place::school(&county, &school, "青石小学 办公室电脑");
    // All day but the minute before midnight, and all day but the one after: one of them is now.
    let minute = |text: &str| text.parse::<node::Quiet>().expect("hours");
    let now = place.node.clock();
    let all: Vec<_> = ["00:00-23:59", "00:01-00:00"].map(minute).into();
    place.quiet = all.into_iter().find(|q| q.holds_at(now) && q.holds_at(now + 30));
    assert!(place.quiet.is_some());
    place.knows(&county);
    add_session(&place, "夜里登记", "2025-10-11");
    place.up().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(county.counters(), net::Counters::default(), "nobody has called");
    place.node.sync_now();
    at_county(&place).await;
    place.down().await;
    county.down().await;
}
