//! Files beside the documents (photos), by their content: `blobs/<first two digits>/<name>`.
//!
//! The name is a multihash ([`BlobName`]), so equal content is one file. A file that is there under its name is whole:
//! it is written beside, synced, and renamed. What a record names may be elsewhere: blobs travel on their own
//! ([`wanted`], `errands.rs`), group by group, and what has come of one waits in a file of its own ([`partial`]).

pub(crate) mod partial;
pub mod storage;
pub mod wanted;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use store::blobs;
use sync::BlobName;

use crate::directory::{file, write_whole};
use crate::{Error, Node};

/// The name of this content.
pub fn name_of(bytes: &[u8]) -> String {
    BlobName::of(bytes).to_string()
}

fn folder(node: &Node) -> PathBuf {
    node.dir().join("blobs")
}

pub(crate) fn place(node: &Node, name: &BlobName) -> PathBuf {
    let name = name.to_string();
    let shelf = name.get(4..6).unwrap_or_default();
    folder(node).join(shelf).join(&name)
}

/// Whether a blob is here; what is no name of one leads nowhere.
pub fn is_here(node: &Node, name: &str) -> bool {
    BlobName::parse(name).is_some_and(|name| place(node, &name).is_file())
}

/// Keeps a blob and returns its name. It is on the disk, name and content, when this returns.
pub fn keep(node: &Node, bytes: &[u8]) -> Result<String, Error> {
    let name = BlobName::of(bytes);
    if read(node, &name.to_string())?.is_none() {
        // Two requests may bring the same photo at once; each writes its own file.
        write_whole(&place(node, &name), &format!("{}.new", node.new_id()), bytes)
            .inspect_err(|error| node.store().note(error))?;
    }
    let (size, at) = (bytes.len() as u64, node.now());
    node.store().write(|tx| blobs::put(tx, &name, size, at))?;
    Ok(name.to_string())
}

/// The content of a blob; `None` if it is not here, or no longer what its name says.
pub fn read(node: &Node, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(name) = BlobName::parse(name) else {
        return Ok(None);
    };
    let path = place(node, &name);
    match fs::read(&path) {
        Ok(bytes) => Ok((BlobName::of(&bytes) == name).then_some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(&path)(error)),
    }
}

/// Removes a blob. Whether it may go is for the caller to know.
pub(crate) fn remove(node: &Node, name: &BlobName) -> Result<(), Error> {
    let path = place(node, name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file(&path)(error)),
        _ => {}
    }
    Ok(node.store().write(|tx| blobs::remove(tx, name))?)
}

/// Puts a file aside that is no longer what its name says: it can be had elsewhere, or it is the only one there is, and
/// most of a damaged photo can still be seen.
pub(crate) fn put_aside(node: &Node, name: &BlobName) -> Result<(), Error> {
    let path = place(node, name);
    let aside = path.with_extension("damaged");
    match fs::rename(&path, &aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file(&path)(error)),
        _ => {}
    }
    Ok(node.store().write(|tx| blobs::remove(tx, name))?)
}

/// Makes the list of what is here agree with the folder, after a backup was put back or a crash between the two.
pub(crate) fn reconcile(node: &Node) -> Result<(), Error> {
    let mut found: BTreeMap<BlobName, u64> = BTreeMap::new();
    let shelves = match fs::read_dir(folder(node)) {
        Ok(shelves) => shelves,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file(&folder(node))(error)),
    };
    for shelf in shelves.flatten() {
        for entry in fs::read_dir(shelf.path()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let (Some(name), Ok(meta)) = (BlobName::parse(name), entry.metadata()) {
                found.insert(name, meta.len());
            } else if name.ends_with(".new") {
                // Of a crash; nothing names it.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    let listed = node.store().read(blobs::all)?;
    if listed == found {
        return Ok(());
    }
    let at = node.now();
    Ok(node.store().write(|tx| {
        for name in listed.keys().filter(|name| !found.contains_key(name)) {
            blobs::remove(tx, name)?;
        }
        for (name, size) in found.iter().filter(|(name, _)| !listed.contains_key(name)) {
            blobs::put(tx, name, *size, at)?;
        }
        Ok::<_, store::Error>(())
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_is_one_file_and_a_damaged_one_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member(&dir.path().join("school"), "石桥小学").unwrap();
        let name = keep(&node, "照片".as_bytes()).unwrap();
        assert_eq!(name.len(), 68);
        assert_eq!(keep(&node, "照片".as_bytes()).unwrap(), name);
        assert_eq!(read(&node, &name).unwrap().as_deref(), Some("照片".as_bytes()));
        let path = place(&node, &BlobName::parse(&name).unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::write(&path, "别的").unwrap();
        assert_eq!(read(&node, &name).unwrap(), None);
        // Kept again, it is whole again.
        keep(&node, "照片".as_bytes()).unwrap();
        assert!(read(&node, &name).unwrap().is_some());
    }

    #[test]
    fn what_the_folder_holds_is_listed_anew_at_the_next_opening() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("school");
        let node = Node::init_member(&data, "石桥小学").unwrap();
        let [kept, lost] = ["签到表", "现场"].map(|text| keep(&node, text.as_bytes()).unwrap());
        let listed = |node: &Node| node.store().read(blobs::all).unwrap();
        assert_eq!(listed(&node).len(), 2);
        fs::remove_file(place(&node, &BlobName::parse(&lost).unwrap())).unwrap();
        // A file of an older program, which kept no list.
        let kept = BlobName::parse(&kept).unwrap();
        node.store().write(|tx| blobs::remove(tx, &kept)).unwrap();
        drop(node);
        let node = Node::open(&data).unwrap();
        assert_eq!(listed(&node).into_iter().collect::<Vec<_>>(), [(kept, 9)]);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member(&dir.path().join("school"), "石桥小学").unwrap();
        let far = format!("1e20{}", "0".repeat(64));
        for name in [
            "",
            "../device.key",
            "1e20../../device.key",
            "device.key",
            far.as_str(),
        ] {
            assert!(!is_here(&node, name), "{name}");
            assert_eq!(read(&node, name).unwrap(), None, "{name}");
        }
    }
}
