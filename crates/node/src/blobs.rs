//! Files beside the documents (photos), by their content: `blobs/<first two digits>/<name>`.
//!
//! The name is a multihash in lower-case hexadecimal: `1e20` (BLAKE3, 32 bytes), then the digest. So another hash
//! needs no new format, and equal content is one file. A file that is there under its name is whole: it is written
//! beside, synced, and renamed. What a record names may be elsewhere: blobs travel on their own.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::directory::file;
use crate::{Error, Node};

/// BLAKE3, 32 bytes, as multihash names them.
const BLAKE3: &str = "1e20";

/// The name of this content.
pub fn name_of(bytes: &[u8]) -> String {
    format!("{BLAKE3}{}", blake3::hash(bytes).to_hex())
}

/// Where a blob stands; `None` for what is no name of one, so that no path can be smuggled in.
fn path(node: &Node, name: &str) -> Option<PathBuf> {
    let digest = name.strip_prefix(BLAKE3)?;
    let plain = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| place(node, name))
}

fn place(node: &Node, name: &str) -> PathBuf {
    let shelf = name.get(BLAKE3.len()..BLAKE3.len() + 2).unwrap_or_default();
    node.dir().join("blobs").join(shelf).join(name)
}

/// Whether a blob is here.
pub fn is_here(node: &Node, name: &str) -> bool {
    path(node, name).is_some_and(|path| path.is_file())
}

/// Keeps a blob and returns its name. It is on the disk, name and content, when this returns.
pub fn keep(node: &Node, bytes: &[u8]) -> Result<String, Error> {
    let name = name_of(bytes);
    if read(node, &name)?.is_some() {
        return Ok(name);
    }
    let to = place(node, &name);
    let shelf = to.parent().unwrap_or(node.dir());
    let shelves = shelf.parent().unwrap_or(node.dir());
    fs::create_dir_all(shelf).map_err(file(shelf))?;
    // Two requests may bring the same photo at once; each writes its own file.
    let beside = shelf.join(format!("{name}.{}.part", node.new_id()));
    let written = (|| {
        let mut out = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        drop(out);
        fs::rename(&beside, &to)
    })();
    if let Err(error) = written {
        // What is left of it is of no use; that it cannot be removed changes nothing about the error.
        let _ = fs::remove_file(&beside);
        return Err(file(&beside)(error));
    }
    // The names must survive a power cut as well as the content.
    #[cfg(unix)]
    for folder in [shelf, shelves, node.dir()] {
        fs::File::open(folder)
            .and_then(|d| d.sync_all())
            .map_err(file(folder))?;
    }
    Ok(name)
}

/// The content of a blob; `None` if it is not here, or no longer what its name says.
pub fn read(node: &Node, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = path(node, name) else {
        return Ok(None);
    };
    match fs::read(&path) {
        Ok(bytes) => Ok((name_of(&bytes) == name).then_some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(&path)(error)),
    }
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
        let path = path(&node, &name).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::write(&path, "别的").unwrap();
        assert_eq!(read(&node, &name).unwrap(), None);
        // Kept again, it is whole again.
        keep(&node, "照片".as_bytes()).unwrap();
        assert!(read(&node, &name).unwrap().is_some());
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
