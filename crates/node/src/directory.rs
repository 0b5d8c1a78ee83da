//! The data directory of a node.
//!
//! ```text
//! device.key        the device's secret key, 64 hexadecimal digits; readable by its owner alone
//! yanxiu.db         everything recorded and received (SQLite, with -wal and -shm beside it)
//! life              a random number that the database holds too; a copy of either does not fit (`life`)
//! blobs/            photos, by their content (`blobs`)
//! mail/             sealed bundles on their way, our own and those of others (`mail`)
//! serve.lock        held by the one running `yanxiu serve`
//! yanxiu.toml       settings, if somebody wrote any
//! county-root/      only where the county was founded: root.key and successor.key, to be taken offline
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sync::DeviceKey;

use crate::Error;

/// Locked by the one `yanxiu serve` of a data directory.
pub const SERVE_LOCK: &str = "serve.lock";

/// The database file.
pub fn database(dir: &Path) -> PathBuf {
    dir.join("yanxiu.db")
}

/// The device key file.
pub fn device_key(dir: &Path) -> PathBuf {
    dir.join("device.key")
}

/// The number that tells this database from a copy of it.
pub fn life(dir: &Path) -> PathBuf {
    dir.join("life")
}

/// Where the county root and its successor are written.
pub fn county_root(dir: &Path) -> PathBuf {
    dir.join("county-root")
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

/// Makes the directory; refuses one that holds a node already.
pub fn make(dir: &Path) -> Result<(), Error> {
    if device_key(dir).exists() || database(dir).exists() {
        return Err(Error::AlreadyInitialised(dir.to_path_buf()));
    }
    fs::create_dir_all(dir).map_err(file(dir))?;
    close_to_others(dir)
}

/// The directory holds names and keys: nobody else of this computer looks into it.
pub fn close_to_others(dir: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(file(dir))?;
    Ok(())
}

/// Writes a new secret key; never over an old one.
pub fn write_key(path: &Path, key: &DeviceKey) -> Result<(), Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(file(parent))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(path).map_err(file(path))?;
    writeln!(out, "{}", HEXLOWER.encode(&key.seed())).map_err(file(path))?;
    out.sync_all().map_err(file(path))?;
    // The name must survive a power cut as well as the content.
    match path.parent() {
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Brings the names in a folder onto the disk. Windows has no such call; there they are written with the file.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    fs::File::open(folder)
        .and_then(|d| d.sync_all())
        .map_err(file(folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Writes a file that is whole whenever it is there, also after a power cut: beside it, synced, and renamed, with the
/// names of the folders that were made for it. `mark` ends the name that it has till then; two who may write the same
/// file at once need two marks.
pub(crate) fn write_whole(to: &Path, mark: &str, bytes: &[u8]) -> Result<(), Error> {
    let parent = to.parent().unwrap_or(to);
    // Those that hold a new name: the file's, and that of each folder that is not there yet.
    let holders = parent
        .ancestors()
        .take(1 + parent.ancestors().take_while(|a| !here(a).exists()).count());
    let holders: Vec<PathBuf> = holders.map(|a| here(a).to_path_buf()).collect();
    fs::create_dir_all(parent).map_err(file(parent))?;
    let mut beside = to.as_os_str().to_owned();
    beside.push(".");
    beside.push(mark);
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut out = fs::File::create(&beside)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        drop(out);
        fs::rename(&beside, to)
    })();
    written.map_err(|error| {
        // What is left of it is of no use; that it cannot be removed changes nothing about the error.
        let _ = fs::remove_file(&beside);
        file(to)(error)
    })?;
    holders.iter().try_for_each(|folder| sync_folder(folder))
}

/// What a path without folders stands in.
fn here(path: &Path) -> &Path {
    match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    }
}

/// Reads a secret key.
pub fn read_key(path: &Path) -> Result<DeviceKey, Error> {
    let text = fs::read_to_string(path).map_err(file(path))?;
    let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok();
    let seed = bytes.and_then(|b| <[u8; 32]>::try_from(b).ok());
    Ok(DeviceKey::from_seed(
        seed.ok_or_else(|| Error::BadKey(path.to_path_buf()))?,
    ))
}

/// What tells this database file from a copy of it: device and inode. A directory that was copied or restored
/// has another one; a moved one may. `None` where the system has no such thing.
pub fn file_identity(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(path).ok()?;
        Some(format!("{}:{}", meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// What a file has that a copy of it, or the same bytes written over it, do not: inode and time of change.
/// The device's number is left out: some systems give another one at each start.
pub fn file_mark(path: &Path) -> String {
    let Ok(meta) = fs::metadata(path) else {
        return String::new();
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        format!("{}:{}.{}", meta.ino(), meta.ctime(), meta.ctime_nsec())
    }
    #[cfg(not(unix))]
    {
        let nanos = |t: std::io::Result<std::time::SystemTime>| {
            t.ok()
                .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
                .map_or(0, |d| d.as_nanos())
        };
        format!("{}:{}", nanos(meta.created()), nanos(meta.modified()))
    }
}

pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = device_key(dir.path());
        let key = DeviceKey::from_seed(random().unwrap());
        write_key(&path, &key).unwrap();
        assert_eq!(read_key(&path).unwrap().id(), key.id());
        assert!(write_key(&path, &key).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            close_to_others(dir.path()).unwrap();
            assert_eq!(
                fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        fs::write(&path, "").unwrap();
        assert!(matches!(read_key(&path), Err(Error::BadKey(_))));
    }
}
