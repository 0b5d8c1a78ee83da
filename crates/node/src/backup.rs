//! Backups of a data directory, made beside a running node or without one, each verified before it has its name;
//! and putting one back ([`restore`]).
//!
//! ```text
//! <target>/
//!   yanxiu-<first letters of the device>-<number>/    whole, or not there
//!     manifest.json    what is in it: `Manifest`
//!     manifest.b3      BLAKE3 of manifest.json, 64 hexadecimal digits
//!     yanxiu.db  device.key  yanxiu.toml  blobs/  mail/  county-root/     as in the data directory (`directory`)
//!   yanxiu-….part/     being written, or left by a crash; the next backup of that device removes it
//!   yanxiu-….lock      held while one is written
//! ```
//! The database comes first, as it stands at one moment. What the other files have more than it is taken up when the
//! directory is opened (`blobs::reconcile`); a photo that went meanwhile comes back from a peer. Photos never change, so
//! a backup shares those of the one before it, where the disk can (hard links).
//!
//! The file `life` is left out: a directory without it takes itself for a copy, and goes on as a new store under a new
//! incarnation (`life`). So all receipts that the old store gave after the backup are void when a school meets the
//! restored hub, and the schools send again what it lacks, without anybody's act.

mod manifest;
mod restore;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sync::BlobName;

pub use manifest::{Manifest, check};
pub use restore::{Restored, restore};

use crate::directory::{file, sync_folder};
use crate::{Error, Node, directory};

/// Files of the data directory that go along, where they are there.
const FILES: [&str; 2] = ["device.key", "yanxiu.toml"];
/// Folders that go along, with what lies in them and in their folders.
const FOLDERS: [&str; 3] = ["blobs", "mail", "county-root"];
const DATABASE: &str = "yanxiu.db";
/// Ends the name of what is not whole yet.
const PART: &str = ".part";
/// Bytes read at a time.
const BLOCK: usize = 128 << 10;

/// Why a backup could not be made, checked or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target lies inside the data directory.
    #[error("{0} lies inside the data directory: a backup there is lost with it; choose another disk")]
    Inside(PathBuf),
    /// Another backup is being written there.
    #[error("another backup of this computer is being written to {0}; wait until it has ended")]
    Busy(PathBuf),
    /// No manifest.
    #[error("{0} is no backup of yanxiu; give the folder that holds manifest.json")]
    NoBackup(PathBuf),
    /// Something in it is not as it was written.
    #[error("the backup is damaged: {path} {what}; use an older backup, and keep this one", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: Damage,
    },
    /// Of a newer program.
    #[error("{path} was made by a newer yanxiu (format {format}); install that version first", path = .path.display())]
    Newer {
        /// The backup.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The directory to restore into holds something.
    #[error("{0} is not empty; a backup is put back into a new directory only")]
    NotEmpty(PathBuf),
}

/// What is wrong with a file of a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// Its content is another.
    Changed,
    /// It cannot be understood, or stands under a name that leads elsewhere.
    Unreadable,
    /// The manifest does not name it.
    Unnamed,
    /// It holds other documents than the manifest says.
    OtherContents,
}

impl Damage {
    /// In Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Damage::Missing => "不见了",
            Damage::Changed => "的内容已改变",
            Damage::Unreadable => "无法读取",
            Damage::Unnamed => "不在清单里",
            Damage::OtherContents => "里的文档与清单不符",
        }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Damage::Missing => "is missing",
            Damage::Changed => "has other content than was written",
            Damage::Unreadable => "cannot be read",
            Damage::Unnamed => "is not in the manifest",
            Damage::OtherContents => "holds other documents than the manifest says",
        })
    }
}

impl BackupError {
    /// Whether a backup is at fault, and not who asked.
    pub fn is_damage(&self) -> bool {
        matches!(self, BackupError::Damaged { .. } | BackupError::NoBackup(_))
    }

    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            BackupError::Inside(at) => {
                format!("{} 在数据目录里面，会和数据一起丢失；请换一个磁盘", at.display())
            }
            BackupError::Busy(at) => format!("{} 正在写另一份备份；请等它结束", at.display()),
            BackupError::NoBackup(at) => {
                format!("{} 不是研修的备份；请指明含 manifest.json 的文件夹", at.display())
            }
            BackupError::Damaged { path, what } => {
                format!(
                    "备份已损坏：{} {}；请用更早的一份，这份留着别删",
                    path.display(),
                    what.zh()
                )
            }
            BackupError::Newer { path, format } => {
                format!(
                    "{} 由更新版本的程序生成（格式 {format}）；请先装那个版本",
                    path.display()
                )
            }
            BackupError::NotEmpty(dir) => format!("{} 不是空目录；备份只能恢复到新的目录", dir.display()),
        }
    }
}

/// A backup that was written and verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    /// Photos that it shares with the backup before it.
    pub shared: usize,
    /// Photos whose content is not what their name says: left out.
    pub damaged: Vec<String>,
    /// Older ones that were removed.
    pub removed: Vec<PathBuf>,
}

/// The last backup of a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Last {
    /// Unix seconds.
    pub at: i64,
    /// Where it is, or was to be.
    pub path: String,
    /// Bytes in it.
    pub bytes: u64,
    /// Why it failed; `None` when it is whole.
    pub failed: Option<String>,
}

/// The key of the table `meta` under which the last good backup, and the last that failed since, are noted.
const NOTED: [&str; 2] = ["backup", "backup_failed"];

/// Writes a backup into a folder of `target`, and removes this device's oldest beyond `keep`. Whether it succeeded is
/// noted at the node.
pub fn make(node: &Node, target: &Path, keep: Option<usize>) -> Result<Made, Error> {
    let made = write(node, target, keep);
    let last = match &made {
        Ok(made) => Last {
            at: node.now(),
            path: made.path.display().to_string(),
            bytes: made.manifest.bytes(),
            failed: None,
        },
        Err(error) => Last {
            at: node.now(),
            path: target.display().to_string(),
            bytes: 0,
            failed: Some(error.zh()),
        },
    };
    // A full disk may be why it failed: then this cannot be noted either, and the error itself says it.
    if let Err(error) = note(node, &last) {
        tracing::error!(%error, "the backup could not be noted");
    }
    made
}

fn note(node: &Node, last: &Last) -> Result<(), Error> {
    let text = serde_json::to_vec(last).map_err(|_| store::Error::BadRow("backup"))?;
    let [good, failed] = NOTED;
    node.local(|c| match &last.failed {
        None => {
            store::set_meta(c, good, &text)?;
            store::set_meta(c, failed, b"")
        }
        Some(why) => {
            store::set_meta(c, failed, &text)?;
            store::events::add(c, "backup-failed", None, "", &crate::events::plain(why), last.at)
        }
    })
}

/// The last good backup, and the last attempt if that failed since.
pub fn last(node: &Node) -> Result<(Option<Last>, Option<Last>), Error> {
    let [good, failed] = NOTED.map(|key| {
        let text = node.read(|c| store::meta(c, key))?;
        Ok::<_, Error>(text.and_then(|t| serde_json::from_slice(&t).ok()))
    });
    Ok((good?, failed?))
}

fn write(node: &Node, target: &Path, keep: Option<usize>) -> Result<Made, Error> {
    fs::create_dir_all(target).map_err(file(target))?;
    let real = |p: &Path| fs::canonicalize(p).map_err(file(p));
    if real(target)?.starts_with(real(node.dir())?) {
        return Err(BackupError::Inside(target.to_path_buf()).into());
    }
    let name = format!("yanxiu-{}", node.id().short().to_lowercase());
    let _only = lock(target, &name)?;
    for left in named(target, &format!("{name}-"))?
        .into_iter()
        .filter(|p| is_part(p))
    {
        fs::remove_dir_all(&left).map_err(file(&left))?;
    }
    let before = numbered(target, &name)?;
    let number = before.last().map_or(0, |(n, _)| *n) + 1;
    let path = target.join(format!("{name}-{number:06}"));
    let part = target.join(format!("{name}-{number:06}{PART}"));
    let written = fill(node, &part, before.last().map(|(_, path)| path.as_path()));
    let (manifest, shared, damaged) = match written {
        Ok(written) => written,
        Err(error) => {
            // What is half written helps nobody, and may be what fills the disk.
            let _ = fs::remove_dir_all(&part);
            return Err(error);
        }
    };
    fs::rename(&part, &path).map_err(file(&path))?;
    sync_folder(target)?;
    let mut removed = Vec::new();
    if let Some(keep) = keep {
        let old = before.len() + 1 - keep.clamp(1, before.len() + 1);
        for (_, path) in before.into_iter().take(old) {
            // Under this name it is no backup any more, also when the removing is cut short.
            let gone = with_part(&path);
            fs::rename(&path, &gone).map_err(file(&path))?;
            fs::remove_dir_all(&gone).map_err(file(&gone))?;
            removed.push(path);
        }
    }
    Ok(Made {
        path,
        manifest,
        shared,
        damaged,
        removed,
    })
}

/// Writes all files of a backup, verifies them, and syncs their names; what it shares, and what was left out.
fn fill(node: &Node, part: &Path, before: Option<&Path>) -> Result<(Manifest, usize, Vec<String>), Error> {
    fs::create_dir(part).map_err(file(part))?;
    directory::close_to_others(part)?;
    let database = part.join(DATABASE);
    node.store().copy_to(&database)?;
    secret(&database)?;
    let contents = store::snapshot::inspect(&database)?;
    let mut files = vec![manifest::Entry::of(DATABASE, &database)?];
    let (mut shared, mut damaged) = (0, Vec::new());
    for name in FILES {
        files.extend(copy(&node.dir().join(name), &part.join(name), name)?);
    }
    for folder in FOLDERS {
        for path in below(node.dir(), folder)? {
            let (from, to) = (node.dir().join(&path), part.join(&path));
            let blob = path.rsplit('/').next().and_then(BlobName::parse);
            // What is half here or being written has another name (`blobs::partial`, `write_whole`).
            let whole = match folder {
                "blobs" => blob.is_some(),
                "mail" => path.ends_with(".yx"),
                _ => true,
            };
            let Some(parent) = to.parent().filter(|_| whole) else {
                continue;
            };
            fs::create_dir_all(parent).map_err(file(parent))?;
            let linked = match (blob, before) {
                (Some(blob), Some(before)) => link(&before.join(&path), &to, &path, &blob)?,
                _ => None,
            };
            shared += usize::from(linked.is_some());
            let entry = match linked {
                Some(entry) => Some(entry),
                None => copy(&from, &to, &path)?,
            };
            match (entry, blob) {
                (Some(entry), Some(blob)) if entry.blake3 != HEXLOWER.encode(&blob.0) => {
                    fs::remove_file(&to).map_err(file(&to))?;
                    damaged.push(path);
                }
                (entry, _) => files.extend(entry),
            }
        }
    }
    let manifest = Manifest::new(node, &contents, files);
    manifest::write(part, &manifest)?;
    check(part)?;
    sync_all(part)?;
    Ok((manifest, shared, damaged))
}

/// Copies a file and syncs it; `None` when it is not there (any more).
fn copy(from: &Path, to: &Path, name: &str) -> Result<Option<manifest::Entry>, Error> {
    let mut input = match fs::File::open(from) {
        Ok(input) => input,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file(from)(error)),
    };
    let mut out = fs::File::options()
        .write(true)
        .create_new(true)
        .open(to)
        .map_err(file(to))?;
    let (mut hasher, mut bytes, mut block) = (blake3::Hasher::new(), 0, vec![0; BLOCK]);
    loop {
        let n = input.read(&mut block).map_err(file(from))?;
        let Some(read) = block.get(..n).filter(|r| !r.is_empty()) else {
            break;
        };
        out.write_all(read).map_err(file(to))?;
        hasher.update(read);
        bytes += read.len() as u64;
    }
    out.sync_all().map_err(file(to))?;
    secret(to)?;
    Ok(Some(manifest::Entry {
        path: name.to_string(),
        bytes,
        blake3: HEXLOWER.encode(hasher.finalize().as_bytes()),
    }))
}

/// Shares a photo with the backup before, if it is there and sound, and the file system has links.
fn link(from: &Path, to: &Path, name: &str, blob: &BlobName) -> Result<Option<manifest::Entry>, Error> {
    if fs::hard_link(from, to).is_err() {
        return Ok(None);
    }
    let entry = manifest::Entry::of(name, to)?;
    if entry.blake3 == HEXLOWER.encode(&blob.0) {
        return Ok(Some(entry));
    }
    fs::remove_file(to).map_err(file(to))?;
    Ok(None)
}

/// The files in a folder of `root` and in its folders, as paths from `root` with `/`, in order.
fn below(root: &Path, folder: &str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let at = root.join(folder);
    let entries = match fs::read_dir(&at) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(file(&at)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(file(&at))?;
        let name = entry.file_name();
        // Every name that this program gives is plain; others are not ours.
        let Some(name) = name.to_str() else { continue };
        let path = match folder.is_empty() {
            true => name.to_string(),
            false => format!("{folder}/{name}"),
        };
        let kind = entry.file_type().map_err(file(&entry.path()))?;
        if kind.is_dir() {
            found.extend(below(root, &path)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Brings the names of a folder and of all folders in it onto the disk.
fn sync_all(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(file(folder))? {
        let entry = entry.map_err(file(folder))?;
        if entry.file_type().map_err(file(&entry.path()))?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// The key and teachers' names are in it: for its owner alone. A stick without rights keeps none.
fn secret(path: &Path) -> Result<(), Error> {
    let opened = fs::File::open(path).map_err(file(path))?;
    opened.sync_all().map_err(file(path))?;
    #[cfg(unix)]
    let _ = opened.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    Ok(())
}

fn with_part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    PathBuf::from(name)
}

fn is_part(path: &Path) -> bool {
    path.to_str().is_some_and(|p| p.ends_with(PART))
}

fn named(target: &Path, prefix: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(target).map_err(file(target))? {
        let entry = entry.map_err(file(target))?;
        let ours = entry.file_name().to_str().is_some_and(|n| n.starts_with(prefix));
        if ours && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The whole backups of a device, oldest first. Their numbers order them, for clocks lie.
fn numbered(target: &Path, name: &str) -> Result<Vec<(u64, PathBuf)>, Error> {
    let prefix = format!("{name}-");
    let mut all: Vec<(u64, PathBuf)> = named(target, &prefix)?
        .into_iter()
        .filter_map(|path| {
            let number = path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    all.sort();
    Ok(all)
}

/// One backup of a device to a target at a time; freed by the system however the process ends.
fn lock(target: &Path, name: &str) -> Result<fs::File, Error> {
    let path = target.join(format!("{name}.lock"));
    let lock = fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(file(&path))?;
    match lock.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(BackupError::Busy(target.to_path_buf()).into()),
        // A file system without locks: go on as if alone.
        _ => Ok(lock),
    }
}
