//! Finding neighbours over this machine's real network, by multicast.

use std::time::Duration;

use net::{Discovery, Found, county_tag};
use sync::NodeId;
use tokio::sync::mpsc::Receiver;

use crate::support::{endpoint, id};

/// The next news of `node` that `fits`; announcements come more than once.
async fn news(of: &mut Receiver<Found>, node: NodeId, fits: impl Fn(&Found) -> bool) -> Found {
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let found = of.recv().await.expect("discovery goes on");
            if found.node == node && fits(&found) {
                return found;
            }
        }
    })
    .await
    .expect("no such news within 20 s")
}

fn local(port: u16) -> std::net::SocketAddr {
    ([0, 0, 0, 0], port).into()
}

#[tokio::test]
async fn two_nodes_find_each_other_and_say_goodbye() {
    // Other tests and other runs on this machine announce too: keys of this test alone.
    let (school, hub) = (endpoint(201), endpoint(202));
    let ports = (
        school.local_addr().unwrap().port(),
        hub.local_addr().unwrap().port(),
    );
    let root = id(200);
    let (one, mut by_one) = Discovery::start(&id(201), None, local(ports.0)).unwrap();
    let (two, mut by_two) = Discovery::start(&id(202), Some(&root), local(ports.1)).unwrap();

    let found = news(&mut by_one, id(202), |f| !f.gone).await;
    assert_eq!(found.county, Some(county_tag(&root)));
    assert!(
        found
            .addrs
            .iter()
            .all(|a| a.port() == ports.1 && !a.ip().is_loopback()),
        "{found:?}"
    );
    assert!(!found.addrs.is_empty());

    let found = news(&mut by_two, id(201), |f| !f.gone).await;
    assert_eq!(found.county, None);

    // Enrolled: the county tag follows.
    one.set_county(Some(&root)).unwrap();
    news(&mut by_two, id(201), |f| f.county == Some(county_tag(&root))).await;

    drop(two);
    let found = news(&mut by_one, id(202), |f| f.gone).await;
    assert!(found.addrs.is_empty());
    // Nobody ever reports itself.
    while let Ok(found) = by_one.try_recv() {
        assert_ne!(found.node, id(201));
    }
    drop(one);
}

#[tokio::test]
async fn who_has_asked_long_enough_still_hears_of_everybody() {
    let (_one, mut by_one) = Discovery::start(&id(221), None, local(4433)).unwrap();
    let (_old, _by_old) = Discovery::start(&id(222), None, local(4434)).unwrap();
    news(&mut by_one, id(222), |f| !f.gone).await;
    // All its addresses are known by then.
    tokio::time::sleep(Duration::from_secs(3)).await;
    while by_one.try_recv().is_ok() {}
    // It asks for five seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    while let Ok(found) = by_one.try_recv() {
        assert_ne!(found.node, id(222), "said once");
    }
    let (two, _by_two) = Discovery::start(&id(223), None, local(4435)).unwrap();
    news(&mut by_one, id(223), |f| !f.gone).await;
    drop(two);
    news(&mut by_one, id(223), |f| f.gone).await;
}

#[tokio::test]
async fn dropping_it_ends_the_news() {
    let (discovery, mut news) = Discovery::start(&id(210), None, local(4433)).unwrap();
    drop(discovery);
    tokio::time::timeout(Duration::from_secs(5), async {
        while news.recv().await.is_some() {}
    })
    .await
    .expect("the receiver ends");
}
