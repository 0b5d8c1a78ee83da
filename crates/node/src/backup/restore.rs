//! Puts a backup back into a new directory.

use std::fs;
use std::path::{Path, PathBuf};

use super::{BackupError, Damage, Manifest, check, copy, sync_all};
use crate::directory::{self, file, sync_folder};
use crate::{Error, Node};

/// A backup that was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The node, open: already another store than the one of the backup.
    pub node: Node,
    /// What the backup said of itself.
    pub manifest: Manifest,
}

/// Verifies a backup, writes it into `dir`, which must be new or empty, and opens it: it goes on as a new store under a
/// new incarnation. `dir` is whole when it is there.
pub fn restore(backup: &Path, dir: &Path) -> Result<Restored, Error> {
    let manifest = check(backup)?;
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(BackupError::NotEmpty(dir.to_path_buf()).into());
            }
            fs::remove_dir(dir).map_err(file(dir))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(file(dir)(error)),
    }
    let part = super::with_part(dir);
    // Of a restore that was cut short.
    if part.exists() {
        fs::remove_dir_all(&part).map_err(file(&part))?;
    }
    let filled = fill(backup, &manifest, &part).and_then(|()| {
        fs::rename(&part, dir).map_err(file(dir))?;
        sync_folder(&parent(dir))
    });
    if let Err(error) = filled {
        let _ = fs::remove_dir_all(&part);
        return Err(error);
    }
    let node = Node::open(dir)?;
    Ok(Restored { node, manifest })
}

fn fill(backup: &Path, manifest: &Manifest, part: &Path) -> Result<(), Error> {
    fs::create_dir_all(part).map_err(file(part))?;
    directory::close_to_others(part)?;
    for entry in &manifest.files {
        let (from, to) = (backup.join(&entry.path), part.join(&entry.path));
        let folder = to.parent().unwrap_or(part);
        fs::create_dir_all(folder).map_err(file(folder))?;
        // Read a second time: a stick may give other bytes than a moment ago.
        if copy(&from, &to, &entry.path)?.as_ref() != Some(entry) {
            return Err(BackupError::Damaged {
                path: from,
                what: Damage::Changed,
            }
            .into());
        }
    }
    sync_all(part)
}

fn parent(dir: &Path) -> PathBuf {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
