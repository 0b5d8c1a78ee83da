//! Frames: any bytes; pieces of each encoding, also behind zstd. What is read reads the same again.
#![no_main]

use fuzz::guard::watch;
use fuzz::script::Script;
use sync::wire::Frame;

/// A frame of at most 4 KB may hold changes whose dependencies are written as one byte each.
const MEMORY: usize = 64 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    let frame = match script.byte() {
        // Inside zstd, so that the reader of what was compressed is reached without compressing well.
        kind @ 1..=7 => [&[3, kind], &stored_in_zstd(script.0)[..]].concat(),
        _ => script.0.to_vec(),
    };
    if let Ok(read) = Frame::decode(&frame) {
        let again = read.encode();
        assert!(
            matches!(Frame::decode(&again), Ok(same) if same == read),
            "{read:?} reads differently when it is written again"
        );
    }
}));

/// A zstd frame (RFC 8878 §3.1) of one uncompressed block.
fn stored_in_zstd(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[..bytes.len().min(100_000)];
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(&((bytes.len() as u32) << 3 | 1).to_le_bytes()[..3]);
    out.extend(bytes);
    out
}
