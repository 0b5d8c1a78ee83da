//! One node: its directory, key, store, roll and documents. Blocking, thread-safe, cheap to clone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use records::Kinds;
use store::{Connection, Store, changes};
use sync::admission::History;
use sync::authority::{Policy, may_read, may_write};
use sync::roll::{Added, Body, Statement};
use sync::tip::sign_tip;
use sync::{ActorId, DeviceKey, DocKey, NodeId, Roll, StoreId};
use tokio::sync::{Semaphore, watch};

use crate::documents::{Around, Cache, Edit, Room};
use crate::exchange::Contacts;
use crate::figures::Counters;
use crate::life::{self, Life};
use crate::outward::Outward;
use crate::policy::{Role, document_policy};
use crate::published::{InForce, REGISTRY};
use crate::roll::{RollState, invalidate, load_roll, schools_of};
use crate::surroundings::{Ids, Surroundings};
use crate::{Error, directory};

/// A node. Clones share everything.
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub dir: PathBuf,
    pub key: DeviceKey,
    pub store: Store,
    store_id: Mutex<StoreId>,
    pub policy: Policy,
    /// Forms and rules (`published.rs`).
    pub in_force: RwLock<InForce>,
    roll: RwLock<RollState>,
    documents: Mutex<Cache>,
    /// Counts whatever pages may show anew.
    pub changed: watch::Sender<u64>,
    /// Counts commits of changes, for those who pass them on.
    pub stored: watch::Sender<u64>,
    /// Seats for steps of conversations.
    pub steps: Semaphore,
    /// Seats for streams of pieces.
    pub streams: Arc<Semaphore>,
    /// Seats for blobs that are served.
    pub errands: Semaphore,
    /// When the age of mail was counted last.
    pub mail_clock: Mutex<crate::mail::age::Counted>,
    /// Blobs that some link is fetching.
    pub fetching: Mutex<crate::errands::claims::Claims>,
    /// Counts pieces from peers whose changes the views may not hold yet.
    pub arrived: watch::Sender<u64>,
    /// Counts changes of the roll.
    pub roll_changed: watch::Sender<u64>,
    /// Where everybody stands is kept up by the running network, so no page need wait for it.
    pub following: AtomicBool,
    /// A page has found that conflicts were not looked for everywhere since something changed.
    pub conflicts_wanted: tokio::sync::Notify,
    outside: Mutex<i64>,
    life: Mutex<Life>,
    /// Peers, and heads of ours that stayed different from theirs (`first_doubt`).
    pub(crate) doubted: Mutex<HashSet<(NodeId, Vec<sync::ChangeHash>)>>,
    /// Stores that have seen what is shown beside the documents (`store::shown`).
    pub(crate) shown: Mutex<HashSet<(StoreId, sync::ChangeHash)>>,
    around: Surroundings,
    ids: Ids,
    pub contacts: Contacts,
    pub outward: Outward,
    pub counters: Counters,
}

/// What became of statements.
#[derive(Default, Debug)]
pub(crate) struct Taken {
    pub new: Vec<Statement>,
    /// Of another county, or of nobody who may speak for this one.
    pub refused: usize,
}

/// Where a device stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No county is pinned.
    NotEnrolled,
    /// A county is pinned, and its roll does not name this device (yet).
    Waiting,
    /// A device of the county.
    Member,
    /// Out.
    Revoked,
}

/// A device of the county.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its key.
    pub node: NodeId,
    /// Its name.
    pub label: String,
    /// Its role.
    pub role: Role,
    /// Where the role holds.
    pub scope: String,
    /// Whether it is out.
    pub revoked: bool,
}

/// Steps of conversations that run at a time.
const STEPS: usize = 8;

/// Streams of pieces that are open at a time, some 3 MB each; a session that gets none sends its pieces one by
/// one, which costs a few more bytes; and blobs that are served at a time.
const STREAMS: usize = 16;
const ERRANDS: usize = 16;

/// Edits in one change, so that a change stays far below the caps.
pub(crate) const EDITS_PER_CHANGE: usize = 200;

impl Node {
    /// Opens an existing data directory.
    pub fn open(dir: &Path) -> Result<Node, Error> {
        Node::open_with(dir, Surroundings::default())
    }

    /// Opens one on a machine of the caller's making.
    pub fn open_with(dir: &Path, around: Surroundings) -> Result<Node, Error> {
        let key = around.read_key(dir)?;
        let store = around.open_store(dir)?;
        let store_id = life::begin(&store, dir, &around)?;
        let roll = RwLock::new(load_roll(&store)?);
        let outside = Mutex::new(store.outside_version()?);
        let life = Mutex::new(Life::new(&store)?);
        let node = Node(Arc::new(Inner {
            dir: dir.to_path_buf(),
            key,
            store,
            store_id: Mutex::new(store_id),
            policy: document_policy(),
            in_force: RwLock::new(InForce::builtin()),
            roll,
            documents: Mutex::new(Cache::default()),
            changed: watch::Sender::new(0),
            stored: watch::Sender::new(0),
            steps: Semaphore::new(STEPS),
            streams: Arc::new(Semaphore::new(STREAMS)),
            errands: Semaphore::new(ERRANDS),
            mail_clock: Mutex::default(),
            fetching: Mutex::default(),
            arrived: watch::Sender::new(0),
            roll_changed: watch::Sender::new(0),
            following: AtomicBool::new(false),
            conflicts_wanted: tokio::sync::Notify::new(),
            outside,
            life,
            doubted: Mutex::new(HashSet::new()),
            shown: Mutex::new(HashSet::new()),
            around,
            ids: Ids::default(),
            contacts: Contacts::default(),
            outward: Outward::default(),
            counters: Counters::default(),
        }));
        node.enforce_all()?;
        node.take_published()?;
        node.refresh_views()?;
        crate::blobs::reconcile(&node)?;
        Ok(node)
    }

    /// Makes a school PC's or a mentor's laptop's data directory; it is enrolled afterwards.
    pub fn init_member(dir: &Path, label: &str) -> Result<Node, Error> {
        Node::init_member_with(dir, label, Surroundings::default())
    }

    /// The same on a machine of the caller's making.
    pub fn init_member_with(dir: &Path, label: &str, around: Surroundings) -> Result<Node, Error> {
        around.make(dir)?;
        let store = around.open_store(dir)?;
        store.write(|tx| store::set_meta(tx, "label", label.as_bytes()))?;
        drop(store);
        // Last: a directory with a key is a whole one.
        let key = around.new_key()?;
        around.write_key(&directory::device_key(dir), &key)?;
        Node::open_with(dir, around)
    }

    /// Founds a county: root and successor keys (to be taken offline), and this device as its hub,
    /// officer and auditor.
    pub fn init_county(dir: &Path, name: &str) -> Result<Node, Error> {
        Node::init_county_with(dir, name, Surroundings::default())
    }

    /// The same on a machine of the caller's making.
    pub fn init_county_with(dir: &Path, name: &str, around: Surroundings) -> Result<Node, Error> {
        around.make(dir)?;
        let root = DeviceKey::from_seed(around.random()?);
        let successor = DeviceKey::from_seed(around.random()?);
        let device = around.new_key()?;
        let county = root.id();
        let grant = |role: Role| Body::Grant {
            device: device.id(),
            role: role.code(),
            scope: String::new(),
            label: name.to_string(),
        };
        let hash = sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            successor.id().0,
        ));
        let bodies = [
            Body::Successor { hash: hash.into() },
            Body::Officer {
                key: device.id(),
                limit: None,
            },
            grant(Role::County),
            grant(Role::Auditor),
        ];
        let statements: Vec<Statement> = bodies
            .into_iter()
            .enumerate()
            .map(|(i, body)| Statement::sign(county, &root, i as u64 + 1, body))
            .collect();
        let store = around.open_store(dir)?;
        store.write(|tx| {
            store::set_meta(tx, "county", &county.0)?;
            store::set_meta(tx, "county_name", name.as_bytes())?;
            store::set_meta(tx, "label", name.as_bytes())?;
            store::roll::insert(tx, &statements, around.now())
        })?;
        drop(store);
        let root_dir = directory::county_root(dir);
        around.write_key(&root_dir.join("root.key"), &root)?;
        around.write_key(&root_dir.join("successor.key"), &successor)?;
        around.write_key(&directory::device_key(dir), &device)?;
        Node::open_with(dir, around)
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// This device.
    pub fn id(&self) -> NodeId {
        self.0.key.id()
    }

    /// Names this life of the database.
    pub fn store_id(&self) -> StoreId {
        *self.0.store_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_store_id(&self, id: StoreId) {
        *self.0.store_id.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// What the device calls itself.
    pub fn label(&self) -> String {
        self.meta_text("label").unwrap_or_default()
    }

    /// The pinned county's name.
    pub fn county_name(&self) -> Option<String> {
        let state = self.roll_state();
        state.pinned.then_some(state.county_name)
    }

    /// The pinned county's root key.
    pub fn county_root(&self) -> Option<NodeId> {
        let state = self.roll_state();
        state.pinned.then(|| state.roll.county())
    }

    /// Where this device stands.
    pub fn standing(&self) -> Standing {
        let state = self.roll_state();
        match state.pinned {
            false => Standing::NotEnrolled,
            true if state.roll.is_revoked(&self.id()) => Standing::Revoked,
            true if state.roll.is_member(&self.id()) => Standing::Member,
            true => Standing::Waiting,
        }
    }

    /// Whether the device holds a role today; the scopes it holds it in.
    pub fn scopes(&self, role: Role) -> Vec<String> {
        if self.standing() != Standing::Member {
            return Vec::new();
        }
        let roll = self.roll();
        let me = self.id();
        let grants = roll.grants(&me);
        grants
            .filter(|g| g.role == role.code())
            .map(|g| g.scope.clone())
            .collect()
    }

    /// Whether this is a device of the county office.
    pub fn is_county(&self) -> bool {
        !self.scopes(Role::County).is_empty()
    }

    /// Whether this device may decide on credits.
    pub fn is_auditor(&self) -> bool {
        !self.scopes(Role::Auditor).is_empty()
    }

    /// The school whose PC this is (an organisation's record id).
    pub fn home_school(&self) -> Option<String> {
        self.scopes(Role::School).into_iter().next()
    }

    /// Every device that the roll names, with each of its roles.
    pub fn devices(&self) -> Vec<Device> {
        let roll = self.roll();
        let mut all: Vec<Device> = roll
            .devices()
            .flat_map(|(node, grants)| {
                let revoked = roll.is_revoked(node);
                grants.iter().filter_map(move |g| {
                    let (label, scope) = (g.label.clone(), g.scope.clone());
                    Some(Device {
                        node: *node,
                        label,
                        role: Role::of(g.role)?,
                        scope,
                        revoked,
                    })
                })
            })
            .collect();
        all.sort_by(|a, b| (a.role, &a.scope, &a.label, a.node).cmp(&(b.role, &b.scope, &b.label, b.node)));
        all
    }

    /// The name of a device for people.
    pub fn device_label(&self, node: &NodeId) -> String {
        let roll = self.roll();
        let label = roll.grants(node).map(|g| g.label.clone()).find(|l| !l.is_empty());
        label.unwrap_or_else(|| node.short())
    }

    /// Whether the device is this one or another of the same school.
    pub(crate) fn is_ours(&self, device: &NodeId) -> bool {
        *device == self.id()
            || self
                .home_school()
                .is_some_and(|home| schools_of(&self.roll(), device).any(|school| school == home))
    }

    /// Whether a receipt of this node means 已到县.
    pub(crate) fn is_county_store(&self, node: &NodeId) -> bool {
        let roll = self.roll();
        roll.is_member(node) && roll.grants(node).any(|g| g.role == Role::County.code())
    }

    /// A new record id: a UUIDv7, whose time part is this node's clock and decides nothing.
    pub fn new_id(&self) -> String {
        self.0.ids.next(&self.0.around)
    }

    /// Unix seconds by this node's clock.
    pub(crate) fn now(&self) -> i64 {
        self.0.around.now()
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        self.0.around.random()
    }

    /// Milliseconds by a clock that only goes forward.
    pub(crate) fn uptime(&self) -> u64 {
        (self.0.around.uptime)()
    }

    /// Writes records into a document this device may write: signed, and on the disk with their view rows
    /// when this returns. Many edits become several changes of one transaction.
    pub fn commit(&self, document: &str, edits: Vec<Edit>) -> Result<(), Error> {
        let key = DocKey::parse(document).ok_or_else(|| Error::NotTheWriter(document.to_string()))?;
        match self.standing() {
            Standing::Member => {}
            Standing::Revoked => return Err(Error::Revoked),
            _ => return Err(Error::NotEnrolled),
        }
        let kinds = self.kinds();
        for edit in &edits {
            let kind = edit
                .fields
                .iter()
                .find(|(f, _)| f == "_kind")
                .and_then(|(_, v)| v.as_ref()?.as_text());
            let known = kind.and_then(|k| kinds.get(k));
            if known.is_some_and(|k| Some(k.document.as_str()) != key.segment(0)) {
                return Err(Error::Misplaced {
                    kind: kind.unwrap_or_default().into(),
                    document: key.to_string(),
                });
            }
        }
        // Held until the rows are written: what counts must not change in between. Lock order: roll,
        // documents, store.
        let state = self.0.roll.read().unwrap_or_else(PoisonError::into_inner);
        let roll = state.roll.clone();
        if !may_write(&self.0.policy, &roll, &self.id(), &key) {
            return Err(Error::NotTheWriter(document.to_string()));
        }
        let mut cache = self.documents();
        let result = self.0.store.write(|tx| {
            let kinds = self.kinds();
            let around = self.around(tx, &roll, &kinds);
            let mut changed = !self.say_again(&around, Some(&key))?.is_empty();
            for part in edits.chunks(EDITS_PER_CHANGE) {
                changed |= cache.edit(
                    &around,
                    &key,
                    |counts| self.actor(tx, &roll, &key, counts),
                    part,
                    |change| {
                        let tip = sign_tip(&self.0.key, &roll.county(), &key, &change.header);
                        Ok(changes::insert(tx, &key, change, Some(&tip), None, around.now)?)
                    },
                )?;
            }
            Ok::<bool, Error>(changed)
        });
        match result {
            Ok(false) => Ok(()),
            Ok(true) => {
                drop((cache, state));
                if key.as_str() == REGISTRY && self.take_published()? {
                    self.refresh_views()?;
                }
                self.note_stored();
                Ok(())
            }
            Err(error) => {
                cache.forget(None);
                Err(error)
            }
        }
    }

    /// The actor to write as: key and incarnation. A new incarnation begins when our last change of the
    /// document no longer counts (a cut took it): the next could not name it as its predecessor.
    fn actor(
        &self,
        c: &Connection,
        roll: &Roll,
        key: &DocKey,
        counts: &dyn Fn(&sync::ChangeHash) -> bool,
    ) -> Result<ActorId, Error> {
        let stored = store::meta(c, "incarnation")?.and_then(|b| <[u8; 4]>::try_from(b).ok());
        if let Some(incarnation) = stored {
            let actor = ActorId {
                device: self.id(),
                incarnation,
            };
            let past = changes::Past(c);
            let last = past.last_seq(key, &actor)?;
            let hash = past.at(key, &actor, last)?;
            // Nor when the county has ended it, or part of it stands aside: its numbers are taken elsewhere.
            let ended = roll.end(key, &actor).is_some()
                || past.quarantined(key, &actor)?
                || store::aside::has_actor(c, key, &actor)?;
            if !ended && hash.is_none_or(|h| counts(&h)) {
                return Ok(actor);
            }
        }
        let incarnation = self.0.around.random()?;
        store::set_meta(c, "incarnation", &incarnation)?;
        Ok(ActorId {
            device: self.id(),
            incarnation,
        })
    }

    /// Brings all views up to the stored changes; one bad document never stops the others.
    pub fn refresh_views(&self) -> Result<usize, Error> {
        let mut done = 0;
        self.say_again_now()?;
        loop {
            let (seen, published) = self.refresh_once()?;
            done += seen;
            if !published || !self.take_published()? {
                return Ok(done);
            }
        }
    }

    /// One pass; how many documents were brought up, and whether what the county publishes was among them.
    fn refresh_once(&self) -> Result<(usize, bool), Error> {
        let (mut done, mut published) = (0, false);
        for d in self.0.store.read(changes::unviewed)? {
            // Held while the rows are written, so that a new roll cannot be overtaken by an old count.
            let state = self.0.roll.read().unwrap_or_else(PoisonError::into_inner);
            let roll = state.roll.clone();
            let mut cache = self.documents();
            // Loading a document takes its time: sessions may write meanwhile.
            let loaded = self.0.store.read(|c| {
                let viewed = changes::viewed(c, d.id)?;
                cache.load(&self.around(c, &roll, &self.kinds()), d.id, &d.key, viewed)
            });
            let result = loaded.and_then(|()| {
                self.0.store.write(|tx| {
                    let viewed = changes::viewed(tx, d.id)?;
                    cache.refresh(&self.around(tx, &roll, &self.kinds()), d.id, &d.key, viewed)
                })
            });
            published |= d.key.as_str() == REGISTRY;
            match result {
                Ok(()) => done += 1,
                Err(Error::Unreadable(key)) => {
                    cache.forget(Some(d.id));
                    self.note_event("unreadable", None, &key, "")?;
                }
                Err(other) => {
                    cache.forget(Some(d.id));
                    return Err(other);
                }
            }
        }
        Ok((done, published))
    }

    /// Says own set-aside values again, and shows them, document by document.
    fn say_again_now(&self) -> Result<(), Error> {
        let me = self.id();
        for (key, _) in self.0.store.read(|c| store::aside::unsaid(c, &me))? {
            let state = self.0.roll.read().unwrap_or_else(PoisonError::into_inner);
            let roll = state.roll.clone();
            let mut cache = self.documents();
            let said = self.0.store.write(|tx| {
                let kinds = self.kinds();
                let around = self.around(tx, &roll, &kinds);
                let said = self.say_again(&around, Some(&key))?;
                if let Some(d) = changes::documents(tx)?.into_iter().find(|d| d.key == key) {
                    cache.refresh(&around, d.id, &d.key, d.viewed)?;
                }
                Ok::<_, Error>(said)
            });
            match said {
                Ok(said) if said.is_empty() => {}
                Ok(_) => self.note_stored(),
                // One bad document never stops the others.
                Err(error) => {
                    tracing::error!(document = %key, %error, "cannot say again what was set aside");
                    cache.forget(None);
                }
            }
        }
        Ok(())
    }

    /// How many documents have changes that pages do not show yet (received a moment ago).
    pub fn views_behind(&self) -> Result<usize, Error> {
        Ok(self.0.store.read(changes::unviewed)?.len())
    }

    /// Takes statements into the roll; where they change what counts, the views are computed again.
    pub(crate) fn add_statements(&self, statements: Vec<Statement>) -> Result<Vec<Statement>, Error> {
        Ok(self.take_statements(statements)?.new)
    }

    /// The same, and how many were refused.
    pub(crate) fn take_statements(&self, mut statements: Vec<Statement>) -> Result<Taken, Error> {
        {
            let roll = self.roll();
            statements.retain(|s| !roll.knows(&s.hash()));
        }
        if statements.is_empty() {
            return Ok(Taken::default());
        }
        self.speak(false, |_, _| Ok(statements))
    }

    /// Makes statements out of what is stored at this moment and takes them into the roll, in one step: what
    /// is committed before is in what `make` sees, and what comes after is judged by the new roll. With
    /// `whole`, all of them are taken or none.
    pub(crate) fn speak(
        &self,
        whole: bool,
        make: impl FnOnce(&Connection, &Roll) -> Result<Vec<Statement>, Error>,
    ) -> Result<Taken, Error> {
        let mut state = self.0.roll.write().unwrap_or_else(PoisonError::into_inner);
        let mut roll = (*state.roll).clone();
        let mut cache = self.documents();
        let taken = self.0.store.write(|tx| {
            let statements = make(tx, &roll)?;
            let mut taken = Taken::default();
            for (statement, added) in statements.iter().zip(roll.add_all(statements.iter().cloned())) {
                match added {
                    Added::New => taken.new.push(statement.clone()),
                    Added::Refused => taken.refused += 1,
                    Added::Known => {}
                }
            }
            if whole && taken.refused > 0 {
                return Err(Error::RollFull);
            }
            if !taken.new.is_empty() {
                store::roll::insert(tx, &taken.new, self.now())?;
                invalidate(tx, &mut cache, &taken.new)?;
                self.enforce(tx, &roll, &taken.new)?;
                store::admitting::retry(tx, &self.0.policy, &roll, self.now())?;
            }
            Ok::<_, Error>(taken)
        })?;
        drop(cache);
        if taken.new.is_empty() {
            return Ok(taken);
        }
        state.statements += taken.new.len() as u64;
        state.roll = Arc::new(roll);
        drop(state);
        self.refresh_views()?;
        self.0.roll_changed.send_modify(|n| *n += 1);
        self.note_stored();
        Ok(taken)
    }

    /// Looks whether another process (a command beside the running node) has written to the database.
    pub fn notice_outside_changes(&self) -> Result<bool, Error> {
        let version = self.0.store.outside_version()?;
        {
            let mut seen = self.0.outside.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == version {
                return Ok(false);
            }
            *seen = version;
        }
        let statements = self.0.store.read(store::roll::count)?;
        let (known, pinned) = {
            let state = self.roll_state();
            (state.statements, state.pinned)
        };
        let pinned_now = self.0.store.read(|c| store::meta(c, "county"))?.is_some();
        if statements != known || pinned != pinned_now {
            let fresh = load_roll(&self.0.store)?;
            let mut state = self.0.roll.write().unwrap_or_else(PoisonError::into_inner);
            let before: HashSet<[u8; 32]> = state.roll.statements().map(Statement::hash).collect();
            let new: Vec<Statement> = fresh
                .roll
                .statements()
                .filter(|s| !before.contains(&s.hash()))
                .cloned()
                .collect();
            let mut cache = self.documents();
            cache.forget(None);
            // The other process has counted anew; a refresh of ours by the old roll may have come after it.
            self.0.store.write(|tx| {
                invalidate(tx, &mut cache, &new)?;
                self.enforce(tx, &fresh.roll, &new)?;
                store::admitting::retry(tx, &self.0.policy, &fresh.roll, self.now())?;
                Ok::<_, Error>(())
            })?;
            drop(cache);
            *state = fresh;
            drop(state);
            self.0.roll_changed.send_modify(|n| *n += 1);
        }
        // The other process may have brought the views up itself.
        self.take_published()?;
        self.refresh_views()?;
        self.note_stored();
        Ok(true)
    }

    /// Now and then, and when a running node ends: a backup made before this is known as one when it comes back.
    pub(crate) fn keep_life(&self, ending: bool) -> Result<(), Error> {
        if !self.0.around.has_files() {
            return Ok(());
        }
        crate::mail::age::clock(self)?;
        let mut life = self.0.life.lock().unwrap_or_else(PoisonError::into_inner);
        life.keep(&self.0.store, &self.0.dir, ending)
    }

    /// Reads the tables with SQL of one's own.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> store::Result<T>) -> Result<T, Error> {
        Ok(self.0.store.read(work)?)
    }

    /// Writes tables that never travel (accounts, the access log) in one transaction.
    pub fn local<T>(&self, work: impl FnOnce(&Connection) -> store::Result<T>) -> Result<T, Error> {
        Ok(self.0.store.write(|tx| work(tx))?)
    }

    /// Changes whenever something was committed or received: wait on it to show it.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Changes whenever the roll has changed: open conversations are to be told (`Talk::roll_event`).
    pub fn watch_roll(&self) -> watch::Receiver<u64> {
        self.0.roll_changed.subscribe()
    }

    /// Changes whenever pieces have arrived that the views may not hold yet.
    pub fn watch_arrivals(&self) -> watch::Receiver<u64> {
        self.0.arrived.subscribe()
    }

    /// The present roll.
    pub fn roll(&self) -> Arc<Roll> {
        self.roll_state().roll
    }

    pub(crate) fn roll_state(&self) -> RollState {
        self.0.roll.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pins a county: its roll becomes this node's.
    pub(crate) fn pin_county(
        &self,
        county: NodeId,
        name: &str,
        statements: &[Statement],
    ) -> Result<(), Error> {
        self.0.store.write(|tx| {
            store::roll::clear(tx)?;
            store::set_meta(tx, "county", &county.0)?;
            store::set_meta(tx, "county_name", name.as_bytes())?;
            store::roll::insert(tx, statements, self.now())
        })?;
        *self.0.roll.write().unwrap_or_else(PoisonError::into_inner) = load_roll(&self.0.store)?;
        self.0.roll_changed.send_modify(|n| *n += 1);
        Ok(())
    }

    pub(crate) fn may_read(&self, roll: &Roll, peer: &NodeId, key: &DocKey) -> bool {
        may_read(&self.0.policy, roll, peer, key)
    }

    /// Changes are stored: to be passed on and shown.
    pub(crate) fn note_stored(&self) {
        self.0.stored.send_modify(|n| *n += 1);
        self.0.changed.send_modify(|n| *n += 1);
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn note_event(
        &self,
        code: &str,
        peer: Option<&NodeId>,
        document: &str,
        detail: &str,
    ) -> Result<(), Error> {
        Ok(self
            .0
            .store
            .write(|tx| store::events::add(tx, code, peer, document, detail, self.now()))?)
    }

    pub(crate) fn meta_text(&self, key: &str) -> Option<String> {
        let bytes = self.0.store.read(|c| store::meta(c, key)).ok().flatten()?;
        String::from_utf8(bytes).ok()
    }

    pub(crate) fn around<'a>(&'a self, conn: &'a Connection, roll: &'a Roll, kinds: &'a Kinds) -> Around<'a> {
        let office = roll.grants(&self.id()).any(|g| g.role == Role::County.code());
        Around {
            conn,
            policy: &self.0.policy,
            roll,
            kinds,
            room: if office { Room::COUNTY } else { Room::SCHOOL },
            now: self.now(),
        }
    }

    /// Lock order: roll, documents, store.
    pub(crate) fn documents(&self) -> MutexGuard<'_, Cache> {
        self.0.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({} at {})", self.id().short(), self.0.dir.display())
    }
}

/// Unix seconds by this machine's clock: for people and logs; nothing is ordered or refused by it.
pub fn now() -> i64 {
    Surroundings::default().now()
}
