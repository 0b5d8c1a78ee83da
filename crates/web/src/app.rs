//! The state shared by all requests, and the bridge from async handlers to the blocking node.

use std::ops::Deref;
use std::sync::Arc;

use node::{Node, Role, Standing};

use crate::WebConfig;
use crate::access::Looks;
use crate::fault::Fault;
use crate::page;
use crate::pages::import::Uploads;

/// Cheap to clone; one per served node.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    /// The node whose records are shown.
    pub(crate) node: Node,
    /// How the pages are served.
    pub(crate) config: WebConfig,
    /// Files that wait between preview and confirmation.
    pub(crate) uploads: Uploads,
    /// What was looked at lately, for the access log.
    pub(crate) looks: Looks,
    /// Cookies are shared by all ports of a host name, so each node's cookies carry its id: a hub
    /// and three schools on one machine must not sign one another out.
    pub(crate) cookie: String,
    /// What the device calls itself.
    pub(crate) label: String,
    /// Unix seconds of the program's start, part of the mark of `pages::live`.
    pub(crate) born: i64,
}

/// What a node is used for, as its grants say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Desk {
    /// The county's hub or an auditor's device.
    County,
    /// A school's PC.
    School,
    /// A mentor's laptop.
    Mentor,
    /// Not enrolled, so that nobody can tell yet.
    Open,
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Reads the database: not for async threads.
    pub(crate) fn new(node: Node, config: WebConfig) -> App {
        let id = node.id().to_string();
        let tail: String = id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        if let Err(error) = node::accounts::started(&node) {
            tracing::warn!(%error, "old page sessions could not be ended");
        }
        let (cookie, label) = (format!("yanxiu_{tail}"), node.label());
        App(Arc::new(Inner {
            node,
            config,
            uploads: Uploads::default(),
            looks: Looks::default(),
            cookie,
            label,
            born: page::now(),
        }))
    }

    /// Whether this node sees the whole county: the hub, or an auditor's own device.
    pub(crate) fn county(&self) -> bool {
        self.node.is_county() || self.node.is_auditor()
    }

    /// Whether this is a device of the county's that belongs to no school, such as a mentor's laptop.
    pub(crate) fn schoolless(&self) -> bool {
        !self.county() && self.node.standing() == Standing::Member && self.node.home_school().is_none()
    }

    /// The schools that a mentor's laptop was assigned to (organisation ids): it reads their records
    /// and enters none. Empty on every other device.
    pub(crate) fn mentored(&self) -> Vec<String> {
        if !self.schoolless() {
            return Vec::new();
        }
        let visits = self.node.scopes(Role::Mentor).into_iter();
        // A mentor's scope is `code/school`, a reader's the school alone.
        let mut schools: Vec<String> = visits
            .filter_map(|scope| scope.rsplit('/').next().map(str::to_owned))
            .chain(self.node.scopes(Role::MentorReader))
            .collect();
        schools.sort();
        schools.dedup();
        schools
    }

    /// Whose desk this node stands on.
    pub(crate) fn desk(&self) -> Desk {
        if self.county() {
            Desk::County
        } else if !self.mentored().is_empty() {
            Desk::Mentor
        } else if self.node.home_school().is_some() {
            Desk::School
        } else {
            Desk::Open
        }
    }

    /// Runs blocking work on the node away from the async threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Node) -> Result<T, node::Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let node = self.node.clone();
        match tokio::task::spawn_blocking(move || node::in_front(|| work(&node))).await {
            Ok(done) => done.map_err(Fault::from),
            Err(stopped) => Err(Fault::Inside(format!("blocking work stopped: {stopped}"))),
        }
    }

    /// Like [`App::run`], but keeps the node's error for callers that put it beside a form.
    pub(crate) async fn attempt<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Node) -> Result<T, node::Error> + Send + 'static,
    ) -> Result<Result<T, node::Error>, Fault> {
        let node = self.node.clone();
        tokio::task::spawn_blocking(move || node::in_front(|| work(&node)))
            .await
            .map_err(|stopped| Fault::Inside(format!("blocking work stopped: {stopped}")))
    }
}
