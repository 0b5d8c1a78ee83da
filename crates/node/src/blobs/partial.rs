//! What has come of a blob: `blobs/parts/<name>.part`, [`PARTS`] bytes in all.
//!
//! ```text
//! offset 0   4        12          16           16 + 32 n
//!        YXP1 | size u64 le | n u32 le | hashes of the n groups | groups from the first on, as far as they came
//! ```
//! Nothing of it is trusted when it is opened: the hashes must add up to the name, and each group must fit its hash.
//! So it needs no sync, and any number of peers can go on with it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sync::BlobName;
use sync::blob::{Outline, group_len, groups_of};
use sync::limits;

use crate::directory::file;
use crate::{Error, Node};

const MAGIC: &[u8; 4] = b"YXP1";

/// A blob of which some has come.
#[derive(Debug)]
pub(crate) struct Partial {
    name: BlobName,
    path: PathBuf,
    file: File,
    outline: Outline,
    got: u64,
}

/// Bytes of all parts together: some twenty originals. What was touched longest ago goes first.
const PARTS: u64 = 256 << 20;

fn folder(node: &Node) -> PathBuf {
    node.dir().join("blobs").join("parts")
}

fn path(node: &Node, name: &BlobName) -> PathBuf {
    folder(node).join(format!("{name}.part"))
}

/// Makes room for a new part: peers may begin any number and end none.
fn make_room(node: &Node, more: u64) {
    let mut parts: Vec<_> = fs::read_dir(folder(node))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    parts.sort();
    let mut total = more + parts.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
    for (_, bytes, path) in parts {
        if total <= PARTS {
            break;
        }
        // One that somebody is writing to is unlinked under their hands; it is begun anew then.
        if fs::remove_file(path).is_ok() {
            total -= bytes;
        }
    }
}

/// What is here of a blob, to go on with; `None` if nothing is, or nothing that can be gone on with. Only for who fetches
/// it: what stands behind the last good group is thrown away.
pub(crate) fn open(node: &Node, name: &BlobName) -> Result<Option<Partial>, Error> {
    let path = path(node, name);
    let Some(mut file) = opened(&path, OpenOptions::new().read(true).write(true))? else {
        return Ok(None);
    };
    let Some(outline) = read_head(&mut file, name) else {
        return Ok(None);
    };
    let got = good_groups(&mut file, &outline);
    let mut partial = Partial {
        name: *name,
        path,
        file,
        outline,
        got,
    };
    partial.stand_at(got)?;
    Ok(Some(partial))
}

/// How many bytes of a blob have come so far. Changes nothing, so it may be asked while more is coming.
pub(crate) fn came(node: &Node, name: &BlobName) -> Result<u64, Error> {
    let Some(mut file) = opened(&path(node, name), OpenOptions::new().read(true))? else {
        return Ok(0);
    };
    let Some(outline) = read_head(&mut file, name) else {
        return Ok(0);
    };
    let got = good_groups(&mut file, &outline);
    Ok(bytes_before(&outline, got))
}

fn opened(path: &Path, how: &OpenOptions) -> Result<Option<File>, Error> {
    match how.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(path)(error)),
    }
}

/// How many groups stand in a file behind its head before the first that does not fit.
fn good_groups(file: &mut File, outline: &Outline) -> u64 {
    let fits = |group: &u64| {
        let mut bytes = vec![0; group_len(outline.size(), *group)];
        file.read_exact(&mut bytes).is_ok() && outline.fits(*group, &bytes)
    };
    (0..outline.groups()).take_while(fits).count() as u64
}

fn bytes_before(outline: &Outline, group: u64) -> u64 {
    (0..group).map(|g| group_len(outline.size(), g) as u64).sum()
}

fn read_head(file: &mut File, name: &BlobName) -> Option<Outline> {
    let mut head = [0; 16];
    file.read_exact(&mut head).ok()?;
    let (magic, rest) = head.split_at(4);
    let (size, count) = rest.split_at(8);
    let size = u64::from_le_bytes(size.try_into().ok()?);
    let count = u64::from(u32::from_le_bytes(count.try_into().ok()?));
    if magic != MAGIC || size > limits::BLOB_BYTES || count != groups_of(size) {
        return None;
    }
    let mut hashes = vec![[0; 32]; count as usize];
    for hash in &mut hashes {
        file.read_exact(hash).ok()?;
    }
    Outline::new(name, size, hashes)
}

/// Begins anew with an outline that a peer has told.
pub(crate) fn begin(node: &Node, name: &BlobName, outline: Outline) -> Result<Partial, Error> {
    let (folder, path) = (folder(node), path(node, name));
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    make_room(node, outline.size());
    let mut head = MAGIC.to_vec();
    head.extend(outline.size().to_le_bytes());
    head.extend((outline.groups() as u32).to_le_bytes());
    head.extend(outline.hashes().concat());
    let made = (|| {
        let mut made = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        made.write_all(&head)?;
        Ok(made)
    })();
    Ok(Partial {
        name: *name,
        file: made.map_err(file(&path))?,
        path,
        outline,
        got: 0,
    })
}

impl Partial {
    /// The first group that is missing.
    pub(crate) fn got(&self) -> u64 {
        self.got
    }

    /// Whether every group is here.
    pub(crate) fn is_whole(&self) -> bool {
        self.got == self.outline.groups()
    }

    /// Adds the next group; `false` if these bytes are not it.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        if !self.outline.fits(self.got, bytes) {
            return Ok(false);
        }
        self.file.write_all(bytes).map_err(file(&self.path))?;
        self.got += 1;
        Ok(true)
    }

    /// The bytes of the whole blob; `None` if they are not what its name says.
    pub(crate) fn bytes(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.stand_at(0)?;
        let mut bytes = Vec::with_capacity(self.outline.size() as usize);
        self.file.read_to_end(&mut bytes).map_err(file(&self.path))?;
        Ok((BlobName::of(&bytes) == self.name).then_some(bytes))
    }

    /// Removes the file: the blob has been kept, or is of no use.
    pub(crate) fn discard(self) -> Result<(), Error> {
        drop(self.file);
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file(&self.path)(error)),
            _ => Ok(()),
        }
    }

    fn stand_at(&mut self, group: u64) -> Result<(), Error> {
        let head = 16 + 32 * self.outline.groups();
        let data = bytes_before(&self.outline, group);
        let stood = (|| {
            // What stands behind the last good group is thrown away.
            if group == self.got {
                self.file.set_len(head + data)?;
            }
            self.file.seek(SeekFrom::Start(head + data))
        })();
        stood.map(|_| ()).map_err(file(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use sync::blob::{GROUP, group_hash};

    use super::*;

    #[test]
    fn who_looks_how_far_it_is_takes_nothing_from_under_who_writes() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member(&dir.path().join("school"), "石桥小学").unwrap();
        let bytes: Vec<u8> = (0..3 * GROUP + 100).map(|n| (n % 251) as u8).collect();
        let (name, groups) = (BlobName::of(&bytes), bytes.chunks(GROUP));
        let hashes = groups.clone().zip(0..).map(|(group, n)| group_hash(4, n, group));
        let outline = Outline::new(&name, bytes.len() as u64, hashes.collect()).unwrap();
        assert_eq!(came(&node, &name).unwrap(), 0);
        let mut writing = begin(&node, &name, outline).unwrap();
        for (n, group) in groups.enumerate() {
            // In the middle of a group somebody looks.
            let (one, two) = group.split_at(50);
            writing.file.write_all(one).unwrap();
            assert_eq!(came(&node, &name).unwrap(), (n * GROUP) as u64);
            writing.file.write_all(two).unwrap();
            writing.got += 1;
        }
        assert_eq!(came(&node, &name).unwrap(), bytes.len() as u64);
        assert_eq!(writing.bytes().unwrap(), Some(bytes));
    }
}
