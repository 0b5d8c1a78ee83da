//! What the county's monitoring asks: `/metrics` (OpenMetrics text, which Prometheus reads), `/health/live` and
//! `/health/ready`, on a listener of their own, so that the pages' port shows none of it.
//!
//! Figures name no person, school or document. On loopback they are open to whoever is on this computer; on any other
//! address `/metrics` and `/health/ready` want `Authorization: Bearer <token>`, and without a token set nothing is
//! served there.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use node::{Figures, Node};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::{Error, Serving};

/// Where the figures are served.
#[derive(Clone, Debug)]
pub struct OpsConfig {
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// What a reader must show; needed on every address but loopback.
    pub token: Option<String>,
}

/// How long pages take. Clones share it.
#[derive(Clone, Debug)]
pub struct Timings {
    pages: Histogram,
    faults: Counter,
}

impl Default for Timings {
    fn default() -> Timings {
        // Seconds; pages are to stay under 0.3.
        let buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0];
        Timings {
            pages: Histogram::new(buckets),
            faults: Counter::default(),
        }
    }
}

/// Layer around all pages.
pub(crate) async fn time(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let response = next.run(request).await;
    let timings = &app.config.timings;
    timings.pages.observe(begun.elapsed().as_secs_f64());
    if response.status().is_server_error() {
        timings.faults.inc();
    }
    response
}

#[derive(Clone)]
struct Ops {
    node: Node,
    timings: Timings,
    token: Option<String>,
}

/// Binds the address and answers until `shutdown` is done.
pub async fn serve(
    node: Node,
    timings: Timings,
    config: OpsConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, Error> {
    let token = config.token.filter(|t| !t.is_empty());
    if token.is_none() && !config.listen.ip().is_loopback() {
        return Err(Error::NoToken(config.listen));
    }
    let (listener, addr) = crate::bind(config.listen).await?;
    let ops = Ops { node, timings, token };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(ops);
    let task = tokio::spawn(async move {
        tokio::select! {
            done = async { axum::serve(listener, router).await } => done,
            () = shutdown => Ok(()),
        }
    });
    Ok(Serving { addr, task })
}

fn may(ops: &Ops, request: &Request) -> bool {
    let Some(token) = &ops.token else { return true };
    let shown = request.headers().get(header::AUTHORIZATION);
    let shown = shown.and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| shown.ct_eq(token.as_bytes()).into())
}

fn refused() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

async fn figures(ops: &Ops) -> Result<Figures, Response> {
    let node = ops.node.clone();
    tokio::task::spawn_blocking(move || node.figures())
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// 200 when something that is entered or received now would be kept; else 503 and the fault.
async fn ready(State(ops): State<Ops>, request: Request) -> Response {
    if !may(&ops, &request) {
        return refused();
    }
    match figures(&ops).await {
        Ok(Figures { trouble: None, .. }) => "ready\n".into_response(),
        Ok(Figures {
            trouble: Some(trouble),
            ..
        }) => {
            let (zh, en) = node::trouble_words(trouble);
            let text = format!("{}\n{zh}\n{en}\n", trouble.word());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        Err(response) => response,
    }
}

async fn metrics(State(ops): State<Ops>, request: Request) -> Response {
    if !may(&ops, &request) {
        return refused();
    }
    let figures = match figures(&ops).await {
        Ok(figures) => figures,
        Err(response) => return response,
    };
    let mut registry = Registry::with_prefix("yanxiu");
    let info = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", info);
    registry.register_with_unit(
        "page_duration",
        "Time to answer a page",
        Unit::Seconds,
        ops.timings.pages.clone(),
    );
    registry.register(
        "page_faults",
        "Pages answered with 5xx",
        ops.timings.faults.clone(),
    );
    registry.register_collector(Box::new(Now(figures)));
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A moment's figures as metrics.
#[derive(Debug)]
struct Now(Figures);

impl Collector for Now {
    fn encode(&self, mut e: DescriptorEncoder) -> fmt::Result {
        let f = &self.0;
        let ended = [("ok", f.sessions), ("broken", f.sessions_broken)];
        counters(&mut e, "sessions", "Sessions that have ended", "end", &ended)?;
        gauge(&mut e, "sessions_open", "Sessions open now", f.sessions_open)?;
        let verdicts = [
            ("stored", f.stored),
            ("held", f.held),
            ("dropped", f.dropped),
            ("quarantined", f.quarantined),
        ];
        counters(
            &mut e,
            "changes_received",
            "Changes from peers, by what became of them",
            "verdict",
            &verdicts,
        )?;
        let receipts = [("given", f.receipts_given), ("taken", f.receipts_taken)];
        counters(
            &mut e,
            "receipts",
            "Receipts made for peers, and kept from peers",
            "side",
            &receipts,
        )?;
        let bytes = [("sent", f.sent), ("received", f.received)];
        counters(
            &mut e,
            "link_bytes",
            "Bytes over links, payload of UDP or TCP",
            "direction",
            &bytes,
        )?;
        let troubles: Vec<(&str, u64)> = f.troubles.iter().map(|(t, n)| (t.word(), *n)).collect();
        counters(
            &mut e,
            "storage_errors",
            "Faults of disk and database",
            "kind",
            &troubles,
        )?;
        let standing: Vec<(&str, u64)> = (f.troubles.iter())
            .map(|(t, _)| (t.word(), u64::from(f.trouble == Some(*t))))
            .collect();
        gauges(
            &mut e,
            "storage_trouble",
            "1 while the fault stands",
            "kind",
            &standing,
        )?;
        if let Some(free) = f.free {
            gauge(&mut e, "disk_free_bytes", "Free where the data is", free)?;
        }
        gauge(&mut e, "documents", "Documents stored", f.documents)?;
        gauge(&mut e, "changes", "Changes stored", f.changes)?;
        gauge(
            &mut e,
            "views_behind",
            "Documents whose views lag behind",
            f.behind,
        )?;
        if let Some(at) = f.backup_at {
            gauge(
                &mut e,
                "last_backup_timestamp_seconds",
                "When the last good backup was made",
                u64::try_from(at).unwrap_or_default(),
            )?;
            gauge(&mut e, "last_backup_bytes", "Its size", f.backup_bytes)?;
        }
        gauge(
            &mut e,
            "backup_failed",
            "1 when the last attempt at a backup failed",
            u64::from(f.backup_failed),
        )
    }
}

fn gauge(e: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    metric.encode(e.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauges(
    e: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &str,
    all: &[(&str, u64)],
) -> fmt::Result {
    let kind = ConstGauge::new(0_i64).metric_type();
    let mut family = e.encode_descriptor(name, help, None, kind)?;
    for (value, n) in all {
        let metric = ConstGauge::new(i64::try_from(*n).unwrap_or(i64::MAX));
        metric.encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}

fn counters(
    e: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &str,
    all: &[(&str, u64)],
) -> fmt::Result {
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut family = e.encode_descriptor(name, help, None, kind)?;
    for (value, n) in all {
        ConstCounter::new(*n).encode(family.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}
