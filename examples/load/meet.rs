//! Schools come on line, each until it has the county's receipts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use node::{Network, NetworkConfig, Node};
use tokio::sync::{Barrier, Semaphore};
use tokio::task::{JoinSet, spawn_blocking};

use crate::{Result, check};

/// A school that has no receipts by then has failed.
const PATIENCE: Duration = Duration::from_secs(300);

type Sent<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Brings each of the directories' nodes on line, `online` at a time; with `together` all dial in one moment. How long
/// each took from its first dial.
pub async fn all(dirs: &[PathBuf], online: usize, together: Option<Arc<Barrier>>) -> Result<Vec<Duration>> {
    let seats = Arc::new(Semaphore::new(online));
    let mut coming = JoinSet::new();
    for (number, dir) in dirs.iter().cloned().enumerate() {
        let seat = seats.clone().acquire_owned().await?;
        let together = together.clone();
        coming.spawn(async move {
            let took = one(&dir, number, together).await;
            drop(seat);
            took.map_err(|e| format!("{}: {e}", dir.display()))
        });
    }
    let mut took = Vec::with_capacity(dirs.len());
    while let Some(done) = coming.join_next().await {
        took.push(done??);
    }
    Ok(took)
}

async fn one(dir: &Path, number: usize, together: Option<Arc<Barrier>>) -> Sent<Duration> {
    let dir = dir.to_path_buf();
    let (school, looking) = spawn_blocking(move || -> Sent<_> {
        let school = Node::open(&dir)?;
        let looking = check::open(&dir).map_err(|e| e.to_string())?;
        Ok((school, Arc::new(Mutex::new(looking))))
    })
    .await??;
    // Each at an address of its own: the hub's gate counts handshakes by address.
    let config = NetworkConfig {
        listen: format!("127.0.{}.{}:0", 1 + number / 200, 1 + number % 200).parse()?,
        mdns: false,
        ..NetworkConfig::default()
    };
    if let Some(together) = together {
        together.wait().await;
    }
    let mut changed = school.watch();
    let network = Network::start(school.clone(), config).await?;
    let begun = Instant::now();
    loop {
        changed.borrow_and_update();
        let (asking, looking) = (school.clone(), looking.clone());
        let done = spawn_blocking(move || -> Sent<bool> {
            let peers = asking.peers()?;
            // The scheduler would wait for up to half a second, so that not all dial at once; here that is wanted.
            if !peers.iter().any(|p| p.connected) {
                asking.sync_now();
            }
            let met = peers.iter().any(|p| p.in_sync_at.is_some());
            let looking = looking.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = check::waiting(&looking).map_err(|e| e.to_string())?;
            Ok(met && waiting == 0 && asking.not_at_county()? == 0)
        });
        if done.await?? {
            break;
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("no receipts after {} s", PATIENCE.as_secs()).into());
        }
        let _ = tokio::time::timeout(Duration::from_millis(50), changed.changed()).await;
    }
    let took = begun.elapsed();
    network.stop().await;
    Ok(took)
}
