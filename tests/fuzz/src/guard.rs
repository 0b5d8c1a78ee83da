//! What counts as a finding: a panic that nobody catches, a panic in a line of this repository even if
//! somebody catches it, a single allocation of [`LARGEST`] bytes, or more memory than the target allows.
// A global allocator cannot be written without it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// No input of a fuzzer (some KB) may make anything ask for this much at once.
pub const LARGEST: usize = 256 << 20;

struct Counting;

static NOW: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
static ASKED: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: isize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(now, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged, or refused by a null pointer.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGEST {
            ASKED.store(layout.size(), Relaxed);
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size >= LARGEST {
            ASKED.store(size, Relaxed);
            return std::ptr::null_mut();
        }
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics of other crates that the product catches are theirs; a panic of ours never is.
fn ours(at: &Location<'_>) -> bool {
    let file = at.file();
    !file.contains("/registry/") && !file.starts_with("/rustc/") && file.contains("crates/")
}

/// Replaces libfuzzer-sys's hook, which would end the process at a panic that the product catches.
fn hook() {
    set_hook(Box::new(|panic| {
        let text = panic.to_string();
        if panic.location().is_some_and(ours) {
            eprintln!("a panic in this repository: {text}");
            std::process::abort();
        }
        LAST.with_borrow_mut(|last| *last = text);
    }));
}

/// Runs one input: ends the process at a panic, or when more than `most` bytes were held at once.
pub fn watch(most: usize, work: impl FnOnce()) {
    static HOOK: Once = Once::new();
    HOOK.call_once(hook);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        LAST.with_borrow(|last| eprintln!("a panic: {last}"));
        std::process::abort();
    }
    let asked = ASKED.swap(0, Relaxed);
    let held = PEAK.load(Relaxed) - before;
    if asked > 0 || held > most as isize {
        eprintln!("memory: {held} bytes were held, {asked} bytes asked for at once, {most} are allowed");
        std::process::abort();
    }
}

/// What `work` gives, or `None` when it panics: for Automerge's own reader.
pub fn quiet<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
