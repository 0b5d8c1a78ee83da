//! What the scenarios share: a county of real nodes in one process, each with its own directory, keys and
//! QUIC endpoint on loopback.

pub mod apart;
pub mod generated;
pub mod photos;
pub mod second_version;
pub mod siege;
pub mod sim;
pub mod totals;
pub mod villain;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use node::enrol;
use node::office::{self, By, EntryInput, OrganisationInput, SessionInput, TeacherInput};
use node::{Network, NetworkConfig, Node, Patience, Quiet, RoadTimes, Role, Surroundings, Value};
use records::kinds::{Actor, FieldType};
use tempfile::TempDir;

/// A node, its directory, and its network while it is up.
pub struct Place {
    /// The node.
    pub node: Node,
    /// Its data directory, removed when dropped.
    pub dir: TempDir,
    network: Option<Network>,
    /// UDP port, kept over restarts.
    port: u16,
    /// How long it waits for peers.
    pub patience: Patience,
    /// Its links are paid by the byte.
    pub metered: bool,
    /// When it takes the other road.
    pub roads: RoadTimes,
    /// When it dials nobody.
    pub quiet: Option<Quiet>,
}

/// The account that the scenarios type as.
pub fn clerk() -> By {
    By {
        account: "李专管员".into(),
    }
}

/// The county's auditor.
pub fn auditor() -> By {
    By {
        account: "王审核员".into(),
    }
}

impl Place {
    /// A county with its hub.
    pub fn county() -> Place {
        Place::county_named("云岭县")
    }

    /// A county of this name with its hub.
    pub fn county_named(name: &str) -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        Place::at(
            Node::init_county(&dir.path().join("data"), name).expect("a county"),
            dir,
        )
    }

    /// A device that is not enrolled.
    pub fn device(label: &str) -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        Place::at(
            Node::init_member(&dir.path().join("data"), label).expect("a device"),
            dir,
        )
    }

    /// A device with a clock of its own (unix milliseconds), not enrolled.
    pub fn device_with_clock(label: &str, clock: Arc<AtomicI64>) -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        let around = Surroundings {
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            ..Surroundings::default()
        };
        let made = Node::init_member_with(&dir.path().join("data"), label, around);
        Place::at(made.expect("a device"), dir)
    }

    /// A node on a simulated disk (`sim`); the directory that belongs to it stays empty.
    pub fn simulated(node: Node) -> Place {
        Place::at(node, tempfile::tempdir().expect("a directory"))
    }

    fn at(node: Node, dir: TempDir) -> Place {
        Place {
            node,
            dir,
            network: None,
            port: 0,
            patience: Patience::default(),
            metered: false,
            roads: RoadTimes::default(),
            quiet: None,
        }
    }

    /// The data directory as it is now, copied: a backup, or a clone.
    pub fn copy(&self) -> TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("data");
        std::fs::create_dir(&to).expect("a directory");
        for entry in std::fs::read_dir(self.node.dir()).expect("files") {
            let entry = entry.expect("a file");
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
            }
        }
        dir
    }

    /// Opens a copied directory as a place of its own.
    pub fn of_copy(dir: TempDir) -> Place {
        Place::at(Node::open(&dir.path().join("data")).expect("the copy opens"), dir)
    }

    /// A backup put back on a new machine.
    pub fn restored(backup: &std::path::Path) -> Place {
        let dir = tempfile::tempdir().expect("a directory");
        let restored = node::backup::restore(backup, &dir.path().join("data")).expect("it is restored");
        Place::at(restored.node, dir)
    }

    /// A machine that was set back as a whole, disk and all, to a copied directory: nothing in the directory
    /// tells it from the one that was lost.
    pub fn set_back(dir: TempDir) -> Place {
        use std::os::unix::fs::MetadataExt;
        let data = dir.path().join("data");
        let life = std::fs::metadata(data.join("life")).expect("a life file");
        let mark = format!("{}:{}.{}", life.ino(), life.ctime(), life.ctime_nsec());
        let db = store::Connection::open(data.join("yanxiu.db")).expect("a database");
        db.execute(
            "UPDATE meta SET value = ? WHERE key = 'life_mark'",
            [mark.as_bytes()],
        )
        .expect("set back");
        drop(db);
        Place::of_copy(dir)
    }

    /// Puts an old copy back in its place: its bytes are written over the files of this directory. The place
    /// must be down.
    pub fn put_back(self, backup: &TempDir) -> Place {
        assert!(self.network.is_none(), "still up");
        let Place { node, dir, port, .. } = self;
        drop(node);
        let data = dir.path().join("data");
        for entry in std::fs::read_dir(backup.path().join("data")).expect("files") {
            let entry = entry.expect("a file");
            let bytes = std::fs::read(entry.path()).expect("read");
            std::fs::write(data.join(entry.file_name()), bytes).expect("written");
        }
        for leftover in ["yanxiu.db-wal", "yanxiu.db-shm"] {
            if !backup.path().join("data").join(leftover).exists() {
                let _ = std::fs::remove_file(data.join(leftover));
            }
        }
        let mut place = Place::at(Node::open(&data).expect("it opens"), dir);
        place.port = port;
        place
    }

    /// A device enrolled by file at a school of the county.
    pub fn school(county: &Place, school: &str, label: &str) -> Place {
        let place = Place::device(label);
        place.enrol(county, &[(Role::School, school.to_string())]);
        place
    }

    /// Enrols by file, both sides comparing the digits.
    pub fn enrol(&self, county: &Place, grants: &[(Role, String)]) {
        let (device, label) = enrol::read_request(&enrol::request_file(&self.node)).expect("a request");
        let answer =
            enrol::approve(&county.node, &device, &label.unwrap_or_default(), grants).expect("approved");
        let offer = enrol::accept(&self.node, &answer.text).expect("an answer");
        assert_eq!(offer.digits, answer.digits);
        enrol::confirm(&self.node).expect("pinned");
    }

    /// Goes online on loopback, without mDNS, with short waits, and stays connected.
    pub async fn up(&mut self) {
        self.up_and(true).await;
    }

    /// Goes online; `stay` connected or hang up when both sides are equal.
    pub async fn up_and(&mut self, stay: bool) {
        assert!(self.network.is_none(), "already up");
        let config = NetworkConfig {
            listen: ([127, 0, 0, 1], self.port).into(),
            mdns: false,
            keep_open: stay,
            retry_min: Duration::from_millis(150),
            retry_max: Duration::from_secs(2),
            patience: self.patience,
            metered: self.metered,
            roads: self.roads,
            quiet: self.quiet,
            ..NetworkConfig::default()
        };
        // The port of the last time is free again once its connections have drained.
        let begun = Instant::now();
        let network = loop {
            match Network::start(self.node.clone(), config.clone()).await {
                Ok(network) => break network,
                Err(e) => assert!(begun.elapsed() < Duration::from_secs(15), "network: {e}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        self.port = network.local_addr().port();
        self.network = Some(network);
    }

    /// Goes online at the address of another place that is gone.
    pub async fn up_at(&mut self, address: &str) {
        self.port = address
            .rsplit_once(':')
            .and_then(|(_, p)| p.parse().ok())
            .expect("a port");
        self.up().await;
    }

    /// Goes offline.
    pub async fn down(&mut self) {
        if let Some(network) = self.network.take() {
            let begun = Instant::now();
            network.stop().await;
            println!("{:>6} ms  to go offline", begun.elapsed().as_millis());
        }
    }

    /// Handshakes and links since it went online.
    pub fn counters(&self) -> net::Counters {
        self.network.as_ref().expect("up").counters()
    }

    /// `host:port` of this node.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Dials another place from now on.
    pub fn knows(&self, other: &Place) {
        self.node.add_address(&other.address()).expect("an address");
    }

    /// The codes of this node's events.
    pub fn event_codes(&self) -> Vec<String> {
        self.node
            .events(100)
            .expect("events")
            .into_iter()
            .map(|e| e.code)
            .collect()
    }
}

/// Waits until `test` holds; fails after `seconds` with `what`.
pub async fn until(what: &str, seconds: u64, mut test: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !test() {
        assert!(
            begun.elapsed() < Duration::from_secs(seconds),
            "not within {seconds} s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    println!("{:>6} ms  {what}", begun.elapsed().as_millis());
}

/// Makes a school at the county; its record id.
pub fn add_school(county: &Place, name: &str) -> String {
    let input = OrganisationInput {
        name: name.into(),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(&county.node, &auditor(), vec![(None, input)]).expect("a school");
    let all = office::organisations(&county.node).expect("organisations");
    all.into_iter().find(|o| o.name == name).expect("the school").id
}

/// Puts a teacher on the school's roster; the record id.
pub fn add_teacher(place: &Place, name: &str, code: &str) -> String {
    let school = place.node.home_school().expect("a school");
    office::save_teacher(&place.node, &clerk(), &school, None, teacher_input(name, code)).expect("a teacher")
}

/// What a clerk types for a teacher as most are.
pub fn teacher_input(name: &str, code: &str) -> TeacherInput {
    TeacherInput {
        teacher_code: code.into(),
        name: name.into(),
        sex: "2".into(),
        birth_year: Some(1985),
        status: "serving".into(),
        post: "teacher".into(),
        title: "first".into(),
        subject: "语文".into(),
        stage: "primary".into(),
        from: "2025-09-01".into(),
        ..TeacherInput::default()
    }
}

/// What a clerk types for a school-based session of four class-hours.
pub fn session_input(title: &str, date: &str) -> SessionInput {
    SessionInput {
        title: title.into(),
        theme: "读懂学生的错误".into(),
        date: date.into(),
        place: "多媒体教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 400,
        lecturers: "教研组".into(),
        ..SessionInput::default()
    }
}

/// Such a session, still open; the record id.
pub fn add_session(place: &Place, title: &str, date: &str) -> String {
    let school = place.node.home_school().expect("a school");
    let input = session_input(title, date);
    office::save_session(&place.node, &clerk(), &school, None, input).expect("a session")
}

/// A session that was held with these people and whose credit is registered (登分); the record id.
pub fn held_session(place: &Place, title: &str, date: &str, people: &[String]) -> String {
    let session = add_session(place, title, date);
    let marks: Vec<(String, String)> = people.iter().map(|p| (p.clone(), "present".into())).collect();
    office::mark_attendance(&place.node, &clerk(), &session, &marks).expect("marks");
    office::end_session(&place.node, &clerk(), &session).expect("ended");
    office::register_claims(&place.node, &clerk(), &session, date).expect("claims");
    session
}

/// Enters a record of any kind as the generic form does.
pub fn enter(
    place: &Place,
    actor: Actor,
    kind: &str,
    values: &[(&str, &str)],
) -> Result<String, node::Error> {
    let by = match actor {
        Actor::Auditor | Actor::County => auditor(),
        _ => clerk(),
    };
    let kinds = place.node.kinds();
    let form = kinds.latest(kind).expect("the form");
    let value = |name: &str, text: &str| match form.field(name).map(|field| field.field_type) {
        Some(FieldType::Int | FieldType::Hundredths | FieldType::Year) => {
            Value::from(text.parse::<i64>().expect("a number"))
        }
        _ => Value::from(text),
    };
    let input = EntryInput {
        kind: kind.into(),
        id: None,
        values: values
            .iter()
            .map(|(name, text)| ((*name).to_string(), Some(value(name, text))))
            .collect(),
    };
    office::save_entry(&place.node, &by, actor, input)
}

/// Takes a step of a record of any kind, as the county's auditor types it.
pub fn step(
    place: &Place,
    actor: Actor,
    kind: &str,
    id: &str,
    to: &str,
    reason: &str,
) -> Result<(), node::Error> {
    office::take_step(&place.node, &auditor(), actor, kind, id, to, reason)
}

/// The county has issued a bulletin (情况通报); its record id.
pub fn issued_bulletin(county: &Place) -> String {
    let input = office::BulletinInput {
        no: "1".into(),
        bulletin_kind: "status".into(),
        topic: "网络研修进度".into(),
        cut_on: "2025-10-19".into(),
        issued_on: "2025-10-20".into(),
        text: "请各校核对。".into(),
        ..office::BulletinInput::default()
    };
    let id = office::draft_bulletin(&county.node, &auditor(), &input).expect("a draft");
    step(county, Actor::Auditor, "bulletin", &id, "issued", "").expect("issued");
    id
}

/// The county recognises a claim as it stands.
pub fn recognise(place: &Place, claim: &str, on: &str) -> Result<(), node::Error> {
    office::decide(&place.node, &auditor(), claim, "recognised", None, "", "", on)
}

/// Titles of the sessions that a node knows, sorted.
pub fn titles(place: &Place) -> Vec<String> {
    let mut all: Vec<String> = office::sessions(&place.node, None, 10_000)
        .expect("sessions")
        .into_iter()
        .map(|s| s.title)
        .collect();
    all.sort();
    all
}

/// Titles in the order of [`titles`].
pub fn sorted(all: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = all.iter().map(|t| t.to_string()).collect();
    all.sort();
    all
}

/// Waits until the county has acknowledged all that is written here.
pub async fn at_county(place: &Place) {
    until("it is at the county", 30, || {
        place.node.not_at_county().expect("the store answers") == 0
    })
    .await;
}

/// A school hears of a mentor's grants, as it would with the registry.
pub fn county_tells_all(county: &Place, a: &Place, b: &Place) {
    for (to, about) in [(a, b), (b, a)] {
        let answer = enrol::approve(&county.node, &about.node.id(), "设备", &[]).expect("approved");
        enrol::accept(&to.node, &answer.text).expect("an answer");
    }
}

/// Two devices of one school hear of one another's grant by file, as a school without a network would.
pub fn county_tells(county: &Place, a: &Place, b: &Place) {
    for (to, about) in [(a, b), (b, a)] {
        let grants = [(Role::School, to.node.home_school().expect("a school"))];
        let answer = enrol::approve(&county.node, &about.node.id(), "本校", &grants).expect("approved");
        enrol::accept(&to.node, &answer.text).expect("an answer");
    }
}
