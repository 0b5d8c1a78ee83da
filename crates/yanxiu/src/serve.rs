//! `serve`: pages and sync until Ctrl-C.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use node::{Network, Node, Standing, accounts};
use tokio::sync::watch;

use crate::Failure;
use crate::args::Serve;
use crate::backup;
use crate::config::Config;

pub fn serve(data: &Path, config: &Config, flags: &Serve) -> Result<(), Failure> {
    let (network, web) = (config.network(flags)?, config.web(flags));
    let node = Node::open(data)?;
    let _only = only_one(data)?;
    runtime()?.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let timings = web.timings.clone();
        let network = Network::start(node.clone(), network).await?;
        let pages = web::serve(node.clone(), web, until(stopped.clone())).await?;
        println!(
            "研修 yanxiu · {} · {}",
            node.label(),
            standing_words(node.standing())
        );
        println!("同步 sync:  {}", network.local_addr());
        println!("网页 pages: {}", pages.url());
        if let Some(link) = setup_link(&node, &pages.url())? {
            println!("首次使用，请打开一次性链接建立账号 / first use, one-time link:\n  {link}");
        }
        let ops = match config.ops(flags) {
            Some(at) => Some(web::ops::serve(node.clone(), timings, at, until(stopped.clone())).await?),
            None => None,
        };
        if let Some(ops) = &ops {
            println!("监控 ops:   {}metrics", ops.url());
        }
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            device = %node.id().short(),
            sync = %network.local_addr(),
            pages = %pages.url(),
            "serving"
        );
        println!("按 Ctrl-C 结束 / Ctrl-C ends it");
        let beside = async {
            tokio::join!(
                backup::daily(node.clone(), &config.backup, stopped.clone()),
                watch_disk(node.clone(), stopped)
            );
        };
        tokio::select! {
            () = stop_signal() => {}
            () = beside => {}
        }
        println!("正在结束 / stopping");
        tracing::info!("stopping");
        stop.send_replace(true);
        network.stop().await;
        pages.wait().await?;
        if let Some(ops) = ops {
            ops.wait().await?;
        }
        // The service manager and who reads its journal learn what stands, too.
        match node.trouble() {
            None => Ok(()),
            Some(trouble) => {
                let (zh, en) = node::trouble_words(trouble);
                Err(Failure::with(trouble.into(), format!("{zh} / {en}")))
            }
        }
    })
}

/// Between two looks at a disk that refused something, and between two at every page of the database.
const LOOK: Duration = Duration::from_secs(5);
const EVERY_PAGE: Duration = Duration::from_secs(24 * 3600);

/// Notices that a disk takes something again, also when nobody enters anything; looks at all pages at the start and
/// once a day.
async fn watch_disk(node: Node, mut stopped: watch::Receiver<bool>) {
    let mut looked: Option<Instant> = None;
    loop {
        let pages = looked.is_none_or(|at| at.elapsed() > EVERY_PAGE);
        if pages {
            looked = Some(Instant::now());
        }
        let looking = node.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || looking.look_at_disk(pages)).await {
            tracing::error!(%error, "the disk");
        }
        tokio::select! {
            biased;
            _ = stopped.wait_for(|s| *s) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// One `serve` per data directory: two would speak under one name and turn each other's links away. The
/// system frees the lock when the process ends, however it ends.
fn only_one(data: &Path) -> Result<File, Failure> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(data.join(node::SERVE_LOCK))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Failure::new(format!(
            "数据目录 {0} 的研修程序已在运行，请用它的网页 / yanxiu already runs on {0}; use its pages",
            data.display()
        ))),
        // A file system without locks: go on as if alone.
        _ => Ok(file),
    }
}

/// The link for the first account; `None` when there is one.
pub fn setup_link(node: &Node, url: &str) -> Result<Option<String>, Failure> {
    if accounts::any(node)? {
        return Ok(None);
    }
    new_link(node, url).map(Some)
}

fn new_link(node: &Node, url: &str) -> Result<String, Failure> {
    let token = accounts::new_setup_token(node, node::now())?;
    Ok(format!("{url}setup/{token}"))
}

/// For whoever sits at this computer: a forgotten PIN, a new clerk.
pub fn print_setup_link(data: &Path, config: &Config) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let url = match node.page_address() {
        Some(url) => url,
        None => format!("http://{}/", config.web(&Serve::default()).listen),
    };
    println!("在本机浏览器打开，建立新账号；只能用一次 / open it in a browser here, once:");
    println!("  {}", new_link(&node, &url)?);
    Ok(())
}

/// Threads for blocking work at most: few, for each holds memory (tokio's own cap is 512). Conversations take
/// no more than a few of them at a time, the rest is for pages and names to look up.
const BLOCKING_THREADS: usize = 64;

pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?)
}

pub async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|s| *s).await;
}

/// Ctrl-C, or the service manager's stop.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

pub fn standing_words(standing: Standing) -> &'static str {
    match standing {
        Standing::NotEnrolled => "未入网 (not enrolled)",
        Standing::Waiting => "等待县里批准 (waiting for approval)",
        Standing::Member => "已入网 (enrolled)",
        Standing::Revoked => "已被撤销 (revoked)",
    }
}
