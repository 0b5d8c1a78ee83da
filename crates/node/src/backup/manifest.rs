//! What a backup says of itself, and whether that is so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Component, Path};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use store::snapshot::Contents;

use super::{BLOCK, BackupError, DATABASE, Damage, below};
use crate::directory::file;
use crate::{Error, Node};

/// Version of the manifest; a reader refuses a newer one.
pub const FORMAT: u32 = 1;
const NAME: &str = "manifest.json";
const SUM: &str = "manifest.b3";
/// A manifest of a hundred thousand photos is far below.
const MANIFEST_BYTES: u64 = 64 << 20;

/// What is in a backup. Hashes, keys and ids are in lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form.
    pub format: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// Name of the device, for people.
    pub label: String,
    /// The device's key.
    pub device: String,
    /// The county's root key; empty before enrolment.
    pub county: String,
    /// The store that it is of. Whoever goes on with the backup is another one.
    pub store: String,
    /// The incarnation that wrote at that store.
    pub incarnation: String,
    /// Unix seconds by the clock of that computer, for people.
    pub made_at: i64,
    /// Number of the database's migration.
    pub schema: i64,
    /// Highest local sequence.
    pub last: u64,
    /// Statements of the roll.
    pub statements: u64,
    /// How many documents.
    pub documents: u64,
    /// How many changes in all of them.
    pub changes: u64,
    /// BLAKE3 over each document's key (length as u32 le, bytes) and heads (count as u32 le, 32 bytes each),
    /// by key.
    pub heads: String,
    /// Every file but the two of the manifest, by path.
    pub files: Vec<Entry>,
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// From the backup's folder, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub blake3: String,
}

impl Entry {
    pub(super) fn of(name: &str, path: &Path) -> Result<Entry, Error> {
        let mut input = fs::File::open(path).map_err(file(path))?;
        let (mut hasher, mut bytes, mut block) = (blake3::Hasher::new(), 0, vec![0; BLOCK]);
        loop {
            let n = input.read(&mut block).map_err(file(path))?;
            let Some(read) = block.get(..n).filter(|r| !r.is_empty()) else {
                break;
            };
            hasher.update(read);
            bytes += read.len() as u64;
        }
        Ok(Entry {
            path: name.to_string(),
            bytes,
            blake3: HEXLOWER.encode(hasher.finalize().as_bytes()),
        })
    }
}

impl Manifest {
    pub(super) fn new(node: &Node, contents: &Contents, mut files: Vec<Entry>) -> Manifest {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let county = node.county_root().map(|root| HEXLOWER.encode(&root.0));
        Manifest {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_string(),
            label: node.label(),
            device: HEXLOWER.encode(&node.id().0),
            county: county.unwrap_or_default(),
            store: HEXLOWER.encode(&contents.store),
            incarnation: HEXLOWER.encode(&contents.incarnation),
            made_at: node.now(),
            schema: contents.schema,
            last: contents.last,
            statements: contents.statements,
            documents: contents.documents.len() as u64,
            changes: contents.documents.iter().map(|d| d.changes).sum(),
            heads: heads(contents),
            files,
        }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    fn fits(&self, contents: &Contents) -> bool {
        self.schema == contents.schema
            && self.store == HEXLOWER.encode(&contents.store)
            && self.last == contents.last
            && self.statements == contents.statements
            && self.documents == contents.documents.len() as u64
            && self.changes == contents.documents.iter().map(|d| d.changes).sum::<u64>()
            && self.heads == heads(contents)
    }
}

/// Names what a store holds: equal in two stores that hold the same.
pub(super) fn heads(contents: &Contents) -> String {
    let mut hasher = blake3::Hasher::new();
    for d in &contents.documents {
        let key = d.key.as_str().as_bytes();
        hasher.update(&(key.len() as u32).to_le_bytes());
        hasher.update(key);
        hasher.update(&((d.heads.len() / 32) as u32).to_le_bytes());
        hasher.update(&d.heads);
    }
    HEXLOWER.encode(hasher.finalize().as_bytes())
}

pub(super) fn write(folder: &Path, manifest: &Manifest) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(manifest).map_err(|_| store::Error::BadRow("manifest"))?;
    let sum = format!("{}\n", blake3::hash(&text).to_hex());
    for (name, bytes) in [(NAME, text.as_slice()), (SUM, sum.as_bytes())] {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(file(&path))?;
        super::secret(&path)?;
    }
    Ok(())
}

/// Reads and hashes every file of a backup, checks every page of its database, and returns the manifest if all is
/// as it was written.
pub fn check(backup: &Path) -> Result<Manifest, Error> {
    let damaged = |name: &str, what: Damage| {
        Error::from(BackupError::Damaged {
            path: backup.join(name),
            what,
        })
    };
    let manifest = read(backup)?;
    let names: BTreeMap<&str, &Entry> = manifest.files.iter().map(|f| (f.path.as_str(), f)).collect();
    let here: BTreeSet<String> = below(backup, "")?.into_iter().collect();
    if let Some(more) = here
        .iter()
        .find(|p| !names.contains_key(p.as_str()) && *p != NAME && *p != SUM)
    {
        return Err(damaged(more, Damage::Unnamed));
    }
    for entry in &manifest.files {
        if !is_plain(&entry.path) {
            return Err(damaged(NAME, Damage::Unreadable));
        }
        if !here.contains(&entry.path) {
            return Err(damaged(&entry.path, Damage::Missing));
        }
        if Entry::of(&entry.path, &backup.join(&entry.path))? != *entry {
            return Err(damaged(&entry.path, Damage::Changed));
        }
    }
    if !names.contains_key(DATABASE) {
        return Err(damaged(DATABASE, Damage::Missing));
    }
    let contents = store::snapshot::inspect(&backup.join(DATABASE))?;
    if !manifest.fits(&contents) {
        return Err(damaged(DATABASE, Damage::OtherContents));
    }
    Ok(manifest)
}

fn read(backup: &Path) -> Result<Manifest, Error> {
    let damaged = |name: &str, what: Damage| {
        Error::from(BackupError::Damaged {
            path: backup.join(name),
            what,
        })
    };
    let path = backup.join(NAME);
    let length = match fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(_) => return Err(BackupError::NoBackup(backup.to_path_buf()).into()),
    };
    if length > MANIFEST_BYTES {
        return Err(damaged(NAME, Damage::Changed));
    }
    let text = fs::read(&path).map_err(file(&path))?;
    let sum = fs::read_to_string(backup.join(SUM)).map_err(|_| damaged(SUM, Damage::Missing))?;
    if sum.trim() != blake3::hash(&text).to_hex().as_str() {
        return Err(damaged(NAME, Damage::Changed));
    }
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let unreadable = |_| damaged(NAME, Damage::Unreadable);
    let Format { format } = serde_json::from_slice(&text).map_err(unreadable)?;
    if format > FORMAT {
        return Err(BackupError::Newer {
            path: backup.to_path_buf(),
            format,
        }
        .into());
    }
    serde_json::from_slice(&text).map_err(unreadable)
}

/// Whether a path leads to a file below, by plain names alone.
fn is_plain(path: &str) -> bool {
    !path.contains('\\')
        && Path::new(path)
            .components()
            .all(|c| matches!(c, Component::Normal(_)))
}
