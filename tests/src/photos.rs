//! Photos as evidence, of noise.
// A failure here is a failed test.
#![allow(clippy::unwrap_used)]

use node::Filter;
use node::office::{self, Here, PhotoFiles, PhotoInput};

use crate::{Place, clerk};

/// Bytes that nothing makes smaller.
pub fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(2_654_435_761) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x as u8
        })
        .collect()
}

/// Three sizes as `web` would make them.
pub fn files(seed: u32) -> PhotoFiles {
    PhotoFiles {
        preview: noise(seed, 14_000),
        copy: noise(seed + 1, 290_000),
        original: Some(noise(seed + 2, 2_000_000)),
    }
}

/// Puts a photo beside a session.
pub fn add(place: &Place, session: &str, files: &PhotoFiles) {
    let input = PhotoInput {
        kind: "sign_in_sheet".into(),
        caption: "签到表（𬭊老师代签处已注明）".into(),
        date: "2025-10-09".into(),
        ..PhotoInput::default()
    };
    office::add_photo(&place.node, &clerk(), session, &input, files).unwrap();
}

/// Which sizes of each photo lie at a place.
pub fn here(place: &Place) -> Vec<Here> {
    let sessions = place.node.records(&Filter::kind("session")).unwrap();
    let ids: Vec<&str> = sessions.iter().map(|s| s.id.as_str()).collect();
    let found = office::photos(&place.node, &ids).unwrap();
    found.into_values().flatten().map(|photo| photo.here).collect()
}
