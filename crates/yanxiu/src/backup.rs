//! `backup` and `restore`; and the backup that `serve` makes once a day.

use std::path::Path;
use std::time::Duration;

use node::backup::{self, Made};
use node::{Node, now};
use tokio::sync::watch;

use crate::Failure;
use crate::args;
use crate::config::{self, Config};

pub fn backup(data: &Path, config: &Config, args: &args::Backup) -> Result<(), Failure> {
    if let Some(path) = &args.check {
        let manifest = backup::check(path)?;
        println!("备份完好 / the backup is whole: {}", path.display());
        println!("{}", words(&manifest));
        return Ok(());
    }
    let target = args.target.as_deref().or(config.backup.dir.as_deref()).ok_or_else(|| {
        Failure::new("请指明写到哪里，或在配置里写 backup.dir / say where to, or set backup.dir in the configuration")
    })?;
    let keep = match args.target {
        Some(_) => args.keep.map(|n| n as usize),
        None => Some(args.keep.map_or(config.backup.keep(), |n| n as usize)),
    };
    let node = Node::open(data)?;
    let made = backup::make(&node, target, keep)?;
    println!("已备份并核对 / backed up and verified: {}", made.path.display());
    println!("{}", words(&made.manifest));
    tell(&made);
    println!(
        "里面有本机密钥和教师姓名，未加密，请像纸质档案一样保管 / it holds this computer's key and teachers' names in \
         plain form: keep it like the paper files"
    );
    if made
        .manifest
        .files
        .iter()
        .any(|f| f.path.starts_with("county-root/"))
    {
        println!(
            "里面还有县根密钥：请把数据目录里的 county-root 移到 U 盘锁好，以后的备份就不再带它 / it also holds the \
             county's root keys: take county-root away from the data directory, and backups hold it no more"
        );
    }
    Ok(())
}

fn words(m: &backup::Manifest) -> String {
    format!(
        "{}：{} 份文档，{} 条改动，{} 个文件，{} KB（{}）/ {} documents, {} changes, {} files",
        m.label,
        m.documents,
        m.changes,
        m.files.len(),
        m.bytes().div_ceil(1024),
        date(m.made_at),
        m.documents,
        m.changes,
        m.files.len()
    )
}

fn date(at: i64) -> String {
    match jiff::Timestamp::from_second(at) {
        Ok(at) => at
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M")
            .to_string(),
        Err(_) => "?".to_string(),
    }
}

fn tell(made: &Made) {
    if made.shared > 0 {
        println!(
            "与上一份共用的照片 / photos shared with the backup before: {}",
            made.shared
        );
    }
    for name in &made.damaged {
        println!("照片已损坏，没有备份，会从别处补回 / damaged photo, left out: {name}");
    }
    for path in &made.removed {
        println!("已删去旧备份 / removed: {}", path.display());
    }
}

pub fn restore(from: &Path, dir: &Path) -> Result<(), Failure> {
    let restored = backup::restore(from, dir)?;
    println!("已核对并恢复到 / verified and restored into: {}", dir.display());
    println!("{}", words(&restored.manifest));
    println!(
        "以新的编号继续 / goes on as store {}（原编号 was {}）",
        data_encoding::HEXLOWER.encode(&restored.node.store_id().0),
        restored.manifest.store
    );
    println!(
        "现在运行 yanxiu --data {} serve：备份以后的内容，各校联系上以后自动补回，不用学校做什么；原来那台不要再开 / \
         now run `serve` with it; what came after the backup comes back from the schools by themselves. Do not start the \
         old one again",
        dir.display()
    );
    Ok(())
}

/// Between two backups.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// After a backup that failed.
const AGAIN: Duration = Duration::from_secs(3600);

/// Makes a backup once a day until stopped; at once when the last is older than that. Faults are noted at the node,
/// where page and metrics find them.
pub async fn daily(node: Node, config: &config::Backup, mut stopped: watch::Receiver<bool>) {
    let Some(dir) = config.dir.clone() else { return };
    let keep = config.keep();
    let mut wait = first_wait(&node);
    loop {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|s| *s) => return,
            () = tokio::time::sleep(wait) => {}
        }
        let (node, dir) = (node.clone(), dir.clone());
        let made = tokio::task::spawn_blocking(move || backup::make(&node, &dir, Some(keep))).await;
        wait = match made {
            Ok(Ok(made)) => {
                tracing::info!(path = %made.path.display(), "backed up");
                DAY
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the daily backup failed");
                AGAIN
            }
            Err(_) => AGAIN,
        };
    }
}

/// A clock that jumped makes one too early, never none.
fn first_wait(node: &Node) -> Duration {
    let last = backup::last(node).ok().and_then(|(good, _)| good);
    let age = last.and_then(|last| u64::try_from(now() - last.at).ok());
    DAY.saturating_sub(age.map_or(DAY, Duration::from_secs))
}
