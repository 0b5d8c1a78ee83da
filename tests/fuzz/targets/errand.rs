//! Errands: any bytes; and a blob whose outline or groups somebody has changed.
#![no_main]

use fuzz::guard::watch;
use fuzz::script::Script;
use sync::BlobName;
use sync::blob::{GROUP, Outline, group_hash, group_len, groups_of};
use sync::limits;
use sync::wire::errand::Errand;

const MEMORY: usize = 64 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    match script.byte() {
        0 => read(script.0),
        1 => blob(script),
        kind => read(&[&[kind - 1], script.0].concat()),
    }
}));

fn read(bytes: &[u8]) {
    let Ok(errand) = Errand::decode(bytes) else { return };
    let again = errand.encode();
    assert!(again.len() <= limits::ERRAND_BYTES + 1 || matches!(errand, Errand::Group(_)));
    assert_eq!(
        Errand::decode(&again).as_ref(),
        Ok(&errand),
        "it reads differently when it is written again"
    );
    match errand {
        Errand::Blob { size, hashes } => {
            // The hashes that a peer tells are put together before anything is believed.
            let name = BlobName(hashes.first().copied().unwrap_or_default());
            if let Some(outline) = Outline::new(&name, size, hashes) {
                assert!(outline.size() <= limits::BLOB_BYTES);
                assert_eq!(outline.groups(), groups_of(size));
            }
        }
        Errand::Receipts(receipts) => {
            for receipt in receipts.iter().take(4) {
                let _ = receipt.is_good();
            }
        }
        _ => {}
    }
}

/// Content that the script repeats to some length, and a change to what is told of it: either nothing fits, or what fits
/// is the content.
fn blob(mut s: Script<'_>) {
    let len = usize::from(s.byte()) * 700 + usize::from(s.byte());
    let (size, told) = (len as u64, s.number());
    let (at, flip, cut) = (s.below(12), s.byte(), s.byte());
    let seed = if s.is_empty() { &[1][..] } else { s.0 };
    let content: Vec<u8> = seed.iter().cycle().take(len).copied().collect();
    let name = BlobName::of(&content);
    let groups = groups_of(size);
    let group = |g: u64| &content[g as usize * GROUP..g as usize * GROUP + group_len(size, g)];
    let mut hashes: Vec<[u8; 32]> = (0..groups).map(|g| group_hash(groups, g, group(g))).collect();
    let whole = Outline::new(&name, size, hashes.clone()).expect("its own outline");
    for g in 0..groups {
        assert!(whole.fits(g, group(g)));
        let mut other = group(g).to_vec();
        other.truncate(other.len().saturating_sub(usize::from(cut)));
        if let Some(byte) = other.get_mut(usize::from(cut)) {
            *byte ^= flip;
        }
        assert_eq!(whole.fits(g, &other), other == group(g));
    }
    assert!(!whole.fits(groups, b""));
    if let Some(outline) = Outline::new(&name, told, hashes.clone()) {
        assert_eq!(outline.groups(), groups, "no other number of groups adds up");
    }
    if flip != 0
        && let Some(hash) = hashes.get_mut(at)
    {
        hash[usize::from(cut) % 32] ^= flip;
        assert_eq!(Outline::new(&name, size, hashes), None);
    }
}
