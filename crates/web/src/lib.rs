//! What people see: the pages of one node, and the tables that they bring and take.
//!
//! [`serve`] binds an address and answers until told to stop. A request passes, in this order: the
//! host name check and the security headers (`guard`), the layer that gives errors a page (`fault`),
//! and the extractors `Ctx` or `Post` (`who`), which know the signed-in account and have checked the
//! form's token. A handler in `pages` then asks `node::office` on a blocking thread, and renders a
//! template of `templates/` with the frame of `page`. Texts are inline pairs of Chinese and English
//! (`lang`); labels of codes come from the kinds (`labels`).
//!
//! Every page works without its script. Nothing is loaded from elsewhere, and what a page says about
//! a record's way to the county it has from [`node`], which has it from receipts.
//!
//! Not here, on purpose: TLS (pages are for this computer, or for a school's own network when `lan` is
//! on), and anything about sync itself.

mod access;
mod api;
mod app;
mod assets;
mod chart;
mod fault;
mod form;
mod guard;
pub mod import;
mod labels;
mod lang;
pub mod ops;
mod page;
mod pages;
mod picture;
mod qr;
mod routes;
pub mod sheet;
mod who;

pub use import::rosters;
pub use pages::export::table as export_table;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use node::Node;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the pages of a node are served.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Whether other computers may connect. Off: an address other than loopback is refused.
    pub lan: bool,
    /// Host names, without port, under which the pages may be opened besides addresses and `localhost`.
    pub names: Vec<String>,
    /// Where it is noted how long the pages took.
    pub timings: ops::Timings,
}

impl Default for WebConfig {
    fn default() -> WebConfig {
        WebConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 8780)),
            lan: false,
            names: Vec::new(),
            timings: ops::Timings::default(),
        }
    }
}

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is open to other computers, and `lan` is off.
    #[error("{0} is not a loopback address; turn the LAN on to let other computers open the pages")]
    NotLoopback(SocketAddr),
    /// The address is taken or not of this computer.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Figures would be open to other computers without a password.
    #[error("{0} is not a loopback address; set a token for the figures, or listen on 127.0.0.1")]
    NoToken(SocketAddr),
    /// The server ended by itself.
    #[error("the page server stopped: {0}")]
    Stopped(String),
}

/// Running pages.
#[derive(Debug)]
pub struct Serving {
    /// Where they are, with the real port.
    pub addr: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

/// Open connections get this long to finish after the stop.
const GRACE: Duration = Duration::from_secs(3);

impl Serving {
    /// The address to open in a browser on this computer.
    pub fn url(&self) -> String {
        if self.addr.ip().is_unspecified() {
            return format!("http://127.0.0.1:{}/", self.addr.port());
        }
        format!("http://{}/", self.addr)
    }

    /// Waits until the pages have stopped.
    pub async fn wait(self) -> Result<(), Error> {
        match self.task.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::Stopped(error.to_string())),
            Err(error) => Err(Error::Stopped(error.to_string())),
        }
    }
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Bind { addr: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

/// Binds the address and serves the node's pages until `shutdown` is done. Several nodes of one
/// process may be served side by side.
pub async fn serve(
    node: Node,
    config: WebConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving, Error> {
    if !config.lan && !config.listen.ip().is_loopback() {
        return Err(Error::NotLoopback(config.listen));
    }
    let (listener, addr) = bind(config.listen).await?;
    let app = tokio::task::spawn_blocking(move || app::App::new(node, config)).await;
    let router = routes::router(app.map_err(|e| Error::Stopped(e.to_string()))?);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let server = axum::serve(listener, service).with_graceful_shutdown(async move {
            shutdown.await;
            let _ = stop.send(());
        });
        tokio::select! {
            done = async { server.await } => done,
            // A browser that keeps a connection busy does not hold up the end.
            () = async {
                let _ = stopped.await;
                tokio::time::sleep(GRACE).await;
            } => Ok(()),
        }
    });
    Ok(Serving { addr, task })
}
