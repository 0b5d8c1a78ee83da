//! Starting and stopping: addresses, several nodes in one process, the end.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use node::Node;
use node::accounts::Role;
use support::Site;
use tokio::sync::oneshot;
use web::{Error, WebConfig};

#[test]
fn an_address_open_to_others_needs_the_lan_switch() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::init_member(dir.path(), "青石小学").unwrap();
    let rt = tokio::runtime::Runtime::new().unwrap();
    let open = WebConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..WebConfig::default()
    };
    let refused = rt.block_on(web::serve(node.clone(), open.clone(), std::future::pending()));
    assert!(matches!(refused, Err(Error::NotLoopback(_))));
    let open = WebConfig { lan: true, ..open };
    let serving = rt
        .block_on(web::serve(node.clone(), open, std::future::pending()))
        .unwrap();
    assert!(serving.url().starts_with("http://127.0.0.1:"));
    let taken = WebConfig {
        listen: ([127, 0, 0, 1], serving.addr.port()).into(),
        ..WebConfig::default()
    };
    let second = rt.block_on(web::serve(node, taken, std::future::pending()));
    assert!(matches!(second, Err(Error::Bind { .. })));
}

#[test]
fn the_end_does_not_wait_for_a_browser_that_stays() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::init_member(dir.path(), "青石小学").unwrap();
    let rt = tokio::runtime::Runtime::new().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let config = WebConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..WebConfig::default()
    };
    let until = async move {
        let _ = stopped.await;
    };
    let serving = rt.block_on(web::serve(node, config, until)).unwrap();
    let addr = serving.addr;
    let mut browser = TcpStream::connect(addr).unwrap();
    // Half a request, and one whole: both connections stay open.
    write!(browser, "GET /health HTTP/1.1\r\nHost: {addr}\r\n").unwrap();
    let mut other = TcpStream::connect(addr).unwrap();
    write!(other, "GET /health HTTP/1.1\r\nHost: {addr}\r\n\r\n").unwrap();
    let mut answer = [0; 16];
    other.read_exact(&mut answer).unwrap();
    let begun = Instant::now();
    stop.send(()).unwrap();
    rt.block_on(serving.wait()).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[test]
fn two_nodes_of_one_machine_do_not_sign_each_other_out() {
    let (one, two) = (Site::loose(), Site::loose());
    let browser = one.signed_in("王𬭊", Role::Clerk);
    let other = two.signed_in("㙇伟", Role::Clerk);
    browser.get("/").has("王𬭊");
    other.get("/").has("㙇伟");
    let names = |site: &Site| {
        let page = site.raw(&format!(
            "GET /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            site.addr
        ));
        page.lines()
            .find_map(|l| l.strip_prefix("set-cookie: ")?.split_once('='))
            .unwrap()
            .0
            .to_owned()
    };
    assert_ne!(names(&one), names(&two));
}
