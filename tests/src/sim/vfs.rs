//! SQLite's file system over [`super::disk`]: `machine/file` names, one thread.
#![allow(unsafe_code)] // SQLite calls a file system through C function pointers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::Once;

use store::rusqlite::ffi;

use super::disk::{Disk, Image, No, Node, Shared, Shm};
use super::rng::Rng;

/// The name under which SQLite knows it.
pub const NAME: &str = "yanxiu-sim";
const C_NAME: &CStr = c"yanxiu-sim";

/// `2026-11-22` as SQLite counts: milliseconds since noon of 24 November 4714 BC.
const SOME_DAY: i64 = 212_663_016_000_000;

thread_local! {
    static DISKS: RefCell<BTreeMap<String, Shared>> = const { RefCell::new(BTreeMap::new()) };
    static RANDOM: RefCell<Rng> = RefCell::new(Rng::new(0));
}

/// Registers the file system, forgets all disks of this thread and seeds SQLite's own random numbers.
pub fn begin(seed: u64) {
    static ONCE: Once = Once::new();
    ONCE.call_once(register);
    DISKS.with_borrow_mut(BTreeMap::clear);
    RANDOM.set(Rng::new(seed));
    // SAFETY: length 0 resets the generator, which then asks the default file system for a new seed.
    unsafe { ffi::sqlite3_randomness(0, ptr::null_mut()) };
}

/// Puts a disk into a machine.
pub fn mount(machine: &str, disk: Shared) {
    DISKS.with_borrow_mut(|all| all.insert(machine.to_string(), disk));
}

/// Takes it out.
pub fn unmount(machine: &str) {
    DISKS.with_borrow_mut(|all| all.remove(machine));
}

/// An open file as SQLite holds it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    open: *mut Open,
}

struct Open {
    disk: Shared,
    node: Node,
    life: u64,
    handle: u64,
    /// Its first sync makes its name durable, as SQLite's own file system does for journals.
    name_with_sync: bool,
    remove_on_close: Option<String>,
    shm: Option<Rc<RefCell<Shm>>>,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn register() {
    let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<File>() as c_int,
        mxPathname: 200,
        pNext: ptr::null_mut(),
        zName: C_NAME.as_ptr(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: None,
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: `vfs` lives for ever. It is the default, because SQLite seeds its random numbers from that one.
    let registered = unsafe { ffi::sqlite3_vfs_register(vfs, 1) };
    assert_eq!(registered, ffi::SQLITE_OK);
}

/// The disk and the file of a full name.
fn find(name: &str) -> Option<(Shared, String)> {
    let (machine, file) = name.split_once('/')?;
    let disk = DISKS.with_borrow(|all| all.get(machine).cloned())?;
    Some((disk, file.to_string()))
}

/// SAFETY: `name` is NULL or a C string, as SQLite promises.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: see above.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// SAFETY: `file` was opened by `open` and not closed yet, as SQLite promises; one thread.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Open {
    // SAFETY: see above.
    unsafe { &mut *(*file.cast::<File>()).open }
}

impl Open {
    /// Whether the process that opened it still runs.
    fn alive(&self) -> bool {
        let disk = self.disk.borrow();
        !disk.dead && disk.life == self.life
    }
}

fn code(no: No, error: c_int) -> c_int {
    match no {
        No::Error => error,
        No::Full => ffi::SQLITE_FULL,
    }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let handle = file.cast::<File>();
    // SAFETY: SQLite gives `szOsFile` bytes at `file`; without methods it will not close the file.
    unsafe { (*handle).base.pMethods = ptr::null() };
    // SAFETY: a C string or NULL.
    let name = unsafe { text(name) };
    let found = match name {
        Some(name) => find(name),
        // A file without a name holds what SQLite sorts and undoes.
        None => Some((Disk::of(&Image::new()), "temporary".to_string())),
    };
    let Some((disk, file_name)) = found else {
        return ffi::SQLITE_CANTOPEN;
    };
    let mut inner = disk.borrow_mut();
    if inner.dead {
        return ffi::SQLITE_IOERR;
    }
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let Some(node) = inner.open(&file_name, create) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let journal = flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL) != 0;
    let remove = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
    let state = Open {
        node,
        life: inner.life,
        handle: inner.handle(),
        name_with_sync: create && journal,
        remove_on_close: remove.then_some(file_name),
        shm: None,
        disk: disk.clone(),
    };
    // SAFETY: as above; `close` takes the box back.
    unsafe {
        (*handle).open = Box::into_raw(Box::new(state));
        (*handle).base.pMethods = &METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: opened by `open`, closed once.
    let open = unsafe { Box::from_raw((*file.cast::<File>()).open) };
    open.node.borrow_mut().locks.remove(&open.handle);
    if let Some(shm) = &open.shm {
        shm.borrow_mut().locks.remove(&open.handle);
    }
    if let (Some(name), true) = (&open.remove_on_close, open.alive()) {
        let _ = open.disk.borrow_mut().remove(name, false);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: open, and `n` bytes are there.
    let (open, into) = unsafe {
        (
            opened(file),
            std::slice::from_raw_parts_mut(into.cast::<u8>(), n as usize),
        )
    };
    if !open.alive() || open.disk.borrow_mut().may_read().is_err() {
        return ffi::SQLITE_IOERR_READ;
    }
    match open.node.borrow().read(at as usize, into) == into.len() {
        true => ffi::SQLITE_OK,
        false => ffi::SQLITE_IOERR_SHORT_READ,
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, n: c_int, at: i64) -> c_int {
    // SAFETY: open, and `n` bytes are there.
    let (open, from) = unsafe {
        (
            opened(file),
            std::slice::from_raw_parts(from.cast::<u8>(), n as usize),
        )
    };
    if !open.alive() {
        return ffi::SQLITE_IOERR_WRITE;
    }
    let mut node = open.node.borrow_mut();
    let growth = (at as usize + from.len()).saturating_sub(node.len());
    let mut disk = open.disk.borrow_mut();
    if let Err(no) = disk.burn().and_then(|()| disk.take_room(growth)) {
        return code(no, ffi::SQLITE_IOERR_WRITE);
    }
    node.write(at as usize, from);
    ffi::SQLITE_OK
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if !open.alive() || open.disk.borrow_mut().burn().is_err() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    open.node.borrow_mut().truncate(size as usize);
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if !open.alive() || open.disk.borrow_mut().burn().is_err() {
        return ffi::SQLITE_IOERR_FSYNC;
    }
    open.node.borrow_mut().sync();
    if std::mem::take(&mut open.name_with_sync) {
        open.disk.borrow_mut().sync_names();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: open; `size` is SQLite's.
    unsafe {
        let open = opened(file);
        if !open.alive() {
            return ffi::SQLITE_IOERR_FSTAT;
        }
        *size = open.node.borrow().len() as i64;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if !open.alive() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    let mut node = open.node.borrow_mut();
    let strongest = node
        .locks
        .iter()
        .filter(|(h, _)| **h != open.handle)
        .map(|(_, l)| *l)
        .max();
    let others = strongest.unwrap_or(ffi::SQLITE_LOCK_NONE);
    let free = match level {
        ffi::SQLITE_LOCK_SHARED => others < ffi::SQLITE_LOCK_PENDING,
        ffi::SQLITE_LOCK_RESERVED => others < ffi::SQLITE_LOCK_RESERVED,
        _ => others < ffi::SQLITE_LOCK_SHARED,
    };
    if free {
        node.locks.insert(open.handle, level);
        return ffi::SQLITE_OK;
    }
    // A writer that waits for readers lets no new ones in.
    if level == ffi::SQLITE_LOCK_EXCLUSIVE && others <= ffi::SQLITE_LOCK_SHARED {
        node.locks.insert(open.handle, ffi::SQLITE_LOCK_PENDING);
    }
    ffi::SQLITE_BUSY
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if open.alive() {
        let mut node = open.node.borrow_mut();
        match level {
            ffi::SQLITE_LOCK_NONE => drop(node.locks.remove(&open.handle)),
            _ => drop(node.locks.insert(open.handle, level)),
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: open; `out` is SQLite's.
    unsafe {
        let open = opened(file);
        let node = open.node.borrow();
        *out = c_int::from(node.locks.values().any(|l| *l >= ffi::SQLITE_LOCK_RESERVED));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

/// What SQLite's own file system says of a disk: a write never harms bytes beside it.
unsafe extern "C" fn characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if !open.alive() {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    let shm = open
        .shm
        .get_or_insert_with(|| open.node.borrow_mut().shm.get_or_insert_default().clone());
    let mut shm = shm.borrow_mut();
    while shm.regions.len() <= region as usize {
        if extend == 0 {
            // SAFETY: `out` is SQLite's.
            unsafe { *out = ptr::null_mut() };
            return ffi::SQLITE_OK;
        }
        shm.regions.push(vec![0; size as usize / 8].into());
    }
    // SAFETY: a box never moves, and every handle that maps it holds the list.
    unsafe { *out = shm.regions[region as usize].as_mut_ptr().cast() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, n: c_int, flags: c_int) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if !open.alive() {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    let Some(shm) = &open.shm else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    let mut shm = shm.borrow_mut();
    let mask = ((1u32 << n) - 1) << offset;
    let others = shm.locks.iter().filter(|(h, _)| **h != open.handle);
    let (shared, exclusive) = others.fold((0, 0), |(s, e), (_, l)| (s | l.0, e | l.1));
    let mine = shm.locks.entry(open.handle).or_default();
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        *mine = (mine.0 & !mask, mine.1 & !mask);
    } else if flags & ffi::SQLITE_SHM_SHARED != 0 {
        if exclusive & mask != 0 {
            return ffi::SQLITE_BUSY;
        }
        mine.0 |= mask;
    } else {
        if (exclusive | shared) & mask != 0 {
            return ffi::SQLITE_BUSY;
        }
        mine.1 |= mask;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, remove: c_int) -> c_int {
    // SAFETY: open.
    let open = unsafe { opened(file) };
    if let Some(shm) = open.shm.take() {
        shm.borrow_mut().locks.remove(&open.handle);
        // The file and this handle hold it, and no other.
        if remove != 0 && open.alive() && Rc::strong_count(&shm) == 2 {
            open.node.borrow_mut().shm = None;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: a C string.
    let Some((disk, file)) = unsafe { text(name) }.and_then(find) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    match disk.borrow_mut().remove(&file, sync != 0) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(_) => ffi::SQLITE_IOERR_DELETE,
    }
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: a C string; `out` is SQLite's.
    unsafe {
        let there = text(name)
            .and_then(find)
            .is_some_and(|(disk, file)| disk.borrow().exists(&file));
        *out = c_int::from(there);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: a C string, and `room` bytes at `out`.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > room as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, n: c_int, out: *mut c_char) -> c_int {
    // SAFETY: `n` bytes are there.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), n as usize) };
    RANDOM.with_borrow_mut(|rng| rng.fill(out));
    n
}

/// Nobody else runs: waiting would change nothing.
unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    micros
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: `out` is SQLite's.
    unsafe { *out = SOME_DAY };
    ffi::SQLITE_OK
}
