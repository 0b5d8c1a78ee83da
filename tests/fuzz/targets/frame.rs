//! Frames: any bytes; pieces of each encoding, also behind zstd; parts of one stream. What is read reads the same
//! again.
#![no_main]

use fuzz::guard::watch;
use fuzz::script::{Script, stored_in_zstd};
use sync::wire::stream::{BaseName, Begin, DICTIONARY, Reader, StreamPart};
use sync::wire::{BadFrame, Frame};

/// A frame of at most 4 KB may hold changes whose dependencies are written as one byte each.
const MEMORY: usize = 64 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    let frame = match script.byte() {
        // Inside zstd, so that the reader of what was compressed is reached without compressing well.
        8..=15 => return stream(script),
        kind @ 1..=7 => [&[3, kind], &stored_in_zstd(script.0)[..]].concat(),
        _ => script.0.to_vec(),
    };
    if let Ok(read) = Frame::decode(&frame) {
        let again = read.encode();
        assert!(
            matches!(Frame::decode(&again), Ok(same) if same == read),
            "{read:?} reads differently when it is written again"
        );
        if let Frame::Streamed(part) = read {
            let _ = Reader::default().read(&part, &[]);
        }
    }
}));

/// Parts of a stream, whose packs are stored in zstd or whose bytes are the input's own.
fn stream(mut script: Script<'_>) {
    let mut reader = Reader::default();
    // What the last part held is the base of one that wants one.
    let mut base = Vec::new();
    while !script.is_empty() {
        let how = script.byte();
        let bytes = script.bytes();
        let part = StreamPart {
            more: how & 1 == 0,
            begin: (how & 2 == 0).then(|| Begin {
                dictionary: how >> 2 & (DICTIONARY + 1),
                base: BaseName::of(&base).filter(|_| how & 0x40 != 0),
            }),
            bytes: if how & 0x80 == 0 {
                stored_in_zstd(bytes)
            } else {
                bytes.to_vec()
            },
        };
        let encoded = Frame::Streamed(part.clone()).encode();
        assert_eq!(Frame::decode(&encoded), Ok(Frame::Streamed(part.clone())));
        match reader.read(&part, &base) {
            Ok(piece) => {
                base = piece.changes.clone();
                drop(Frame::Piece(piece).encode());
            }
            Err(BadFrame::UnknownEncoding(_)) => unreachable!("a stream knows one encoding"),
            Err(_) => {}
        }
    }
}
