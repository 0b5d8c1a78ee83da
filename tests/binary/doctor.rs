//! `yanxiu doctor` with the built binary: eleven faults that are staged on loopback, each named by its cause, and four more
//! in network namespaces, for which the test must be root: it is ignored otherwise, and run by
//! `cargo test -p yanxiu --test doctor -- --ignored`. Every other finding is judged from what was seen, without a network,
//! in `crates/node/src/doctor/tests.rs`.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{TcpListener, UdpSocket};

use records::sample::County;
use serde_json::Value;
use support::{Place, Server, free_address};

/// A county with its hub up, and one school enrolled by file.
struct Scene {
    _dir: tempfile::TempDir,
    hub: Place,
    school: Place,
    address: String,
}

/// The school listens here; mDNS is off, so that a test hears nothing of the network around it.
fn configure(place: &Place, listen: &str, more: &str) {
    let text = format!("[sync]\nretry_seconds = [0.2, 2]\nmdns = false\nlisten = \"{listen}\"\n{more}");
    std::fs::write(place.data.join("yanxiu.toml"), text).unwrap();
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let county = County::generate(7);
    let file = dir.path().join("云岭县教师花名册.xlsx");
    std::fs::write(&file, web::sheet::write::county_roster(&county).unwrap()).unwrap();
    let hub = Place::init(dir.path(), "hub", &["--county", "云岭县"]);
    hub.ok(&["import", file.to_str().unwrap(), "--yes"]);
    let school = Place::init(dir.path(), "school", &["--name", "青石小学 办公室电脑"]);
    configure(&school, &free_address(), "");
    let (request, answer) = (dir.path().join("申请.txt"), dir.path().join("批复.txt"));
    let (request, answer) = (request.to_str().unwrap(), answer.to_str().unwrap());
    school.ok(&["enrol", "request", "--out", request]);
    let name = county.schools[0].name.clone();
    let said = hub.type_at(
        &["enrol", "approve", request, "--school", &name, "--out", answer],
        "y\n",
    );
    assert!(said.ok, "{}{}", said.out, said.err);
    let said = school.type_at(&["enrol", "accept", answer], "y\n");
    assert!(said.ok, "{}{}", said.out, said.err);
    Scene {
        _dir: dir,
        hub,
        school,
        address: free_address(),
    }
}

impl Scene {
    fn hub_up(&self) -> Server {
        self.hub
            .serve(&["--listen", &self.address, "--publish", &self.address])
    }
}

/// What doctor finds: its codes, and whether it ended with 0.
fn doctor(place: &Place) -> (Vec<String>, bool) {
    let said = place.run(&["doctor", "--json"]);
    let found: Vec<Value> =
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}{}", said.out, said.err));
    for finding in &found {
        for part in ["tried", "saw", "todo"] {
            assert!(!finding[part]["zh"].as_str().unwrap().is_empty(), "{finding}");
            assert!(!finding[part]["en"].as_str().unwrap().is_empty(), "{finding}");
        }
    }
    let codes = found
        .iter()
        .map(|f| f["code"].as_str().unwrap().to_string())
        .collect();
    (codes, said.ok)
}

fn has(found: &(Vec<String>, bool), code: &str) -> bool {
    found.0.iter().any(|c| c == code)
}

#[test]
fn staged_faults_are_named() {
    let s = scene();
    let listen = free_address();
    configure(&s.school, &listen, "");
    // What is true of the test machine is told as well: its network is loopback alone, its disk nearly full. Once it must
    // be told, then it is left out.
    let machine = of_this_machine(&s.school);
    let told = doctor(&s.school).0;
    assert!(machine.iter().all(|c| told.contains(c)), "{machine:?} {told:?}");
    let rest = |found: &(Vec<String>, bool)| -> Vec<String> {
        found.0.iter().filter(|c| !machine.contains(c)).cloned().collect()
    };

    // 1: the program does not run; 2: nobody told it an address.
    let found = doctor(&s.school);
    assert_eq!(
        (rest(&found), found.1),
        (vec!["not-running".into(), "no-address".into()], false)
    );

    // All is well.
    let hub = s.hub_up();
    let school = s.school.serve(&[]);
    add_address(&s.school, &s.address);
    let found = doctor(&s.school);
    assert_eq!(
        rest(&found),
        if machine.is_empty() {
            vec!["well".to_string()]
        } else {
            vec![]
        }
    );
    // A disk that is nearly full is a warning, not a fault.
    let offline = machine.iter().any(|c| c == "no-network");
    assert_eq!(found.1, !offline);
    let words = s.school.run(&["doctor"]);
    assert!(
        machine.is_empty() == words.out.contains("【正常 fine】 well"),
        "{}",
        words.out
    );

    // 3: the hub is down, its computer is there.
    hub.stop();
    let found = doctor(&s.school);
    assert_eq!((rest(&found), found.1), (vec!["hub-not-running".into()], false));

    // 4: UDP is swallowed, TCP answers.
    let hub = s.hub_up();
    let (relay, _udp) = tcp_alone(&s.address);
    only_address(&s.school, &s.address, &relay);
    let found = doctor(&s.school);
    assert!(
        has(&found, "udp-blocked") && !has(&found, "unreachable"),
        "{found:?}"
    );

    // 5: neither is answered. (An address that leads nowhere would do, but some networks answer for every one.)
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let hole = mute.local_addr().unwrap().to_string();
    let _swallows = UdpSocket::bind(&hole).unwrap();
    only_address(&s.school, &relay, &hole);
    let found = doctor(&s.school);
    assert!(
        has(&found, "unreachable") && !has(&found, "udp-blocked"),
        "{found:?}"
    );

    // 6: a name that leads nowhere.
    only_address(&s.school, &hole, "hub.yunling.invalid:4433");
    let found = doctor(&s.school);
    assert!(has(&found, "name-unresolved"), "{found:?}");

    // 7: another kind of program at the address.
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = web.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in web.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    only_address(&s.school, "hub.yunling.invalid:4433", &other);
    let found = doctor(&s.school);
    assert!(has(&found, "version"), "{found:?}");

    // 8: the port is taken by another program.
    school.stop();
    let taken = UdpSocket::bind(&listen).unwrap();
    let found = doctor(&s.school);
    assert!(has(&found, "port-taken") && !found.1, "{found:?}");
    s.school.refused(&["serve", "--web", "127.0.0.1:0"], "");
    drop(taken);

    // 9: put out by the county, and told so.
    only_address(&s.school, &other, &s.address);
    let school = s.school.serve(&[]);
    let id = s.school.ok(&["status"]);
    let id = id
        .lines()
        .next()
        .unwrap()
        .rsplit_once('(')
        .unwrap()
        .1
        .trim_end_matches(')')
        .to_string();
    s.hub.ok(&["enrol", "revoke", &id[..12], "--yes"]);
    s.school.until_status("已被撤销");
    let found = doctor(&s.school);
    assert!(has(&found, "revoked") && !found.1, "{found:?}");
    school.stop();
    hub.stop();

    // 10: not enrolled.
    let loose = Place::init(s.school.data.parent().unwrap(), "loose", &["--name", "新电脑"]);
    configure(&loose, &free_address(), "");
    assert!(has(&doctor(&loose), "not-enrolled"));

    // 11: the database is damaged in the middle: the command says so and does not fall over.
    let db = s.school.database();
    for beside in ["yanxiu.db-wal", "yanxiu.db-shm"] {
        let _ = std::fs::remove_file(s.school.data.join(beside));
    }
    let mut bytes = std::fs::read(&db).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 16 * 4096].fill(0x5a);
    std::fs::write(&db, bytes).unwrap();
    let found = doctor(&s.school);
    assert_eq!(
        found.0.first().map(String::as_str),
        Some("database-damaged"),
        "{found:?}"
    );
    assert!(!found.1);
}

/// What this machine itself gives doctor to tell.
fn of_this_machine(place: &Place) -> Vec<String> {
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    let connected = probe.connect("192.0.2.1:9").is_ok() && !probe.local_addr().unwrap().ip().is_loopback();
    let free = fs4::available_space(&place.data).unwrap();
    [("no-network", !connected), ("disk-low", free < 1 << 30)]
        .into_iter()
        .filter(|(_, so)| *so)
        .map(|(code, _)| code.to_string())
        .collect()
}

/// Addresses are typed on the page; here they are put where the page puts them.
fn add_address(place: &Place, address: &str) {
    let db = rusqlite::Connection::open(place.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute(
        "INSERT OR REPLACE INTO address (address, at) VALUES (?, 1)",
        [address],
    )
    .unwrap();
}

fn only_address(place: &Place, old: &str, new: &str) {
    let db = rusqlite::Connection::open(place.database()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute("DELETE FROM address WHERE address = ?", [old])
        .unwrap();
    drop(db);
    add_address(place, new);
}

/// A relay of TCP to `hub`, at a port where UDP is swallowed.
fn tcp_alone(hub: &str) -> (String, UdpSocket) {
    let (listener, udp) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(listener.local_addr().unwrap()) {
            break (listener, udp);
        }
    };
    let (at, hub) = (listener.local_addr().unwrap().to_string(), hub.to_string());
    std::thread::spawn(move || {
        for here in listener.incoming().flatten() {
            let Ok(there) = std::net::TcpStream::connect(&hub) else {
                continue;
            };
            for (mut from, mut to) in [
                (here.try_clone().unwrap(), there.try_clone().unwrap()),
                (there, here),
            ] {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    (at, udp)
}

/// Computers on a switch of their own, each in a network namespace; they go with it.
struct Switch(Vec<String>);

impl Switch {
    const BRIDGE: &str = "yxd-br";

    fn new(computers: u8) -> Switch {
        let switch = Switch((1..=computers).map(|n| format!("yxd{n}")).collect());
        switch.down();
        ip(&format!("link add {} type bridge mcast_snooping 0", Self::BRIDGE));
        ip(&format!("link set {} up", Self::BRIDGE));
        for (n, space) in (1..).zip(&switch.0) {
            ip(&format!("netns add {space}"));
            ip(&format!("-n {space} link set lo up"));
            ip(&format!(
                "link add {space}p type veth peer name eth0 netns {space}"
            ));
            ip(&format!("link set {space}p master {} up", Self::BRIDGE));
            ip(&format!("-n {space} addr add 10.87.0.{n}/24 dev eth0"));
            ip(&format!("-n {space} link set eth0 up"));
        }
        switch
    }

    /// Words that run a command on one of them.
    fn inside(&self, computer: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.0[computer]]
            .map(str::to_string)
            .to_vec()
    }

    fn down(&self) {
        for space in &self.0 {
            let _ = quiet_ip(&format!("netns del {space}"));
        }
        let _ = quiet_ip(&format!("link del {}", Self::BRIDGE));
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.down();
    }
}

fn quiet_ip(line: &str) -> bool {
    let out = std::process::Command::new("ip").args(line.split(' ')).output();
    out.is_ok_and(|out| out.status.success())
}

fn ip(line: &str) {
    assert!(
        quiet_ip(line),
        "ip {line} failed; this test needs root and iproute2"
    );
}

#[test]
#[ignore = "needs root and iproute2"]
fn faults_of_the_network_are_named_in_namespaces() {
    let s = scene();
    let switch = Switch::new(3);
    let (hub, school) = (
        s.hub.clone().within(switch.inside(0)),
        s.school.clone().within(switch.inside(1)),
    );
    std::fs::write(
        school.data.join("yanxiu.toml"),
        "[sync]\nretry_seconds = [0.2, 2]\n",
    )
    .unwrap();
    let hub_at = "10.87.0.1:4433";
    let served_hub = hub.serve_near(&["--listen", "0.0.0.0:4433", "--publish", hub_at]);
    let served = school.serve_near(&["--listen", "0.0.0.0:4433"]);
    add_address(&school, hub_at);
    support::until("they have met", || doctor(&school).0 == ["well"]);

    // 12: the neighbour is heard and does not answer, as behind an access point that keeps its clients apart.
    // What goes to it alone leaves for a card that is not there; what goes to all arrives.
    ip("-n yxd2 neigh replace 10.87.0.1 lladdr 02:00:00:00:00:99 nud permanent dev eth0");
    let found = doctor(&school);
    assert!(
        has(&found, "isolation") && has(&found, "unreachable"),
        "{found:?}"
    );
    ip("-n yxd2 neigh del 10.87.0.1 dev eth0");

    // 13: UDP is swallowed on the way and TCP is not.
    // The table of local addresses is asked after our rule.
    ip("-n yxd1 rule add pref 10 lookup local");
    ip("-n yxd1 rule del pref 0");
    ip("-n yxd1 rule add pref 5 ipproto udp dport 4433 blackhole");
    let found = doctor(&school);
    assert!(
        has(&found, "udp-blocked") && !has(&found, "unreachable"),
        "{found:?}"
    );
    ip("-n yxd1 rule del pref 5 ipproto udp dport 4433 blackhole");

    // 14: a neighbour of another county.
    let other = Place::init(s.school.data.parent().unwrap(), "other", &["--county", "邻县"]);
    let other = other.within(switch.inside(2));
    std::fs::write(
        other.data.join("yanxiu.toml"),
        "[sync]\nretry_seconds = [0.2, 2]\n",
    )
    .unwrap();
    let served_other = other.serve_near(&["--listen", "0.0.0.0:4433", "--publish", "10.87.0.3:4433"]);
    support::until("it is heard", || has(&doctor(&school), "other-county"));
    served_other.stop();

    // 15: the cable is out.
    ip("-n yxd2 link set eth0 down");
    let found = doctor(&school);
    assert!(has(&found, "no-network") && !found.1, "{found:?}");
    ip("-n yxd2 link set eth0 up");
    support::until("all is well again", || doctor(&school).0 == ["well"]);
    served.stop();
    served_hub.stop();
}
