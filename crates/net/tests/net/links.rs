//! How links live and end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use net::{ClosedBy, Endpoint, Error, Tuning};

use crate::support::{endpoint, exchange, id, join, key, relay, soon, tuned};

#[tokio::test]
async fn the_peer_hears_code_and_words() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, far) = join(&school, &hub).await;
    near.close(7, "已撤销：设备遗失");
    let why = soon(far.closed()).await;
    assert_eq!(
        (why.by, why.code, why.text.as_str()),
        (ClosedBy::Peer, 7, "已撤销：设备遗失")
    );
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Us);
    assert!(soon(far.accept()).await.is_none());
    let got = soon(far.open()).await;
    assert!(
        matches!(&got, Err(Error::LinkClosed(why)) if why.code == 7),
        "{got:?}"
    );
}

#[tokio::test]
async fn closing_an_endpoint_ends_links_and_accept() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, _far) = join(&school, &hub).await;
    let waiting = tokio::spawn({
        let hub = hub.clone();
        async move { hub.accept().await.is_none() }
    });
    hub.close();
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Peer);
    assert!(soon(waiting).await.unwrap());
    soon(hub.wait_idle()).await;
}

#[tokio::test]
async fn dropping_an_endpoint_closes_its_links() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let (near, _far) = join(&school, &hub).await;
    let second = hub.clone();
    drop(hub);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), near.closed())
            .await
            .is_err()
    );
    drop(second);
    assert_eq!(soon(near.closed()).await.by, ClosedBy::Peer);
}

#[tokio::test]
async fn a_dead_way_is_noticed_and_keep_alive_holds_a_quiet_one() {
    let quiet = |keep_alive| Tuning {
        idle_timeout: Duration::from_millis(600),
        keep_alive,
        ..Tuning::default()
    };
    let hub = tuned(2, quiet(None));
    let (addr, cut) = relay(hub.local_addr().unwrap()).await;

    let school = tuned(1, quiet(Some(Duration::from_millis(100))));
    let link = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    let held = tokio::time::timeout(Duration::from_millis(1500), link.closed()).await;
    assert!(held.is_err(), "{held:?}");
    cut.store(true, Ordering::SeqCst);
    assert_eq!(soon(link.closed()).await.by, ClosedBy::Silence);

    cut.store(false, Ordering::SeqCst);
    let school = tuned(3, quiet(None));
    let link = soon(school.connect(addr, Some(id(2)))).await.unwrap();
    assert_eq!(soon(link.closed()).await.by, ClosedBy::Silence);
}

#[tokio::test]
async fn a_link_can_have_its_own_tuning() {
    let (school, hub) = (endpoint(1), endpoint(2));
    let metered = Tuning {
        initial_rtt: Duration::from_millis(1200),
        keep_alive: None,
        path_mtu_discovery: false,
        ..Tuning::default()
    };
    let link = soon(school.connect_tuned(hub.local_addr().unwrap(), Some(id(2)), &metered))
        .await
        .unwrap();
    let far = soon(hub.accept()).await.unwrap();
    exchange(&link, &far).await;
    let wrong = Tuning {
        idle_timeout: Duration::MAX,
        ..Tuning::default()
    };
    let got = soon(school.connect_tuned(hub.local_addr().unwrap(), None, &wrong)).await;
    assert!(matches!(got, Err(Error::Tuning("idle_timeout"))), "{got:?}");
}

#[tokio::test]
async fn one_socket_serves_both_families() {
    let hub = Endpoint::bind("[::]:0".parse().unwrap(), &key(2), Tuning::default()).unwrap();
    let port = hub.local_addr().unwrap().port();
    for (from, to) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let school = Endpoint::bind(from.parse().unwrap(), &key(1), Tuning::default()).unwrap();
        let to = std::net::SocketAddr::new(to.parse().unwrap(), port);
        let _link = soon(school.connect(to, Some(id(2)))).await.unwrap();
        let far = soon(hub.accept()).await.unwrap();
        assert_eq!(far.remote().ip(), school.local_addr().unwrap().ip());
    }
}
