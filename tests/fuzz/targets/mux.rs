//! Links over TCP: any bytes at a side that is in the midst of its work; and two honest sides whose bytes are cut anywhere:
//! what one wrote the other reads, in order, and neither takes the other for a breaker of the protocol.
#![no_main]

use std::collections::BTreeMap;

use fuzz::guard::watch;
use fuzz::script::Script;
use net::fuzzing::{Act, Side};

const MEMORY: usize = 64 << 20;

/// Steps of one script.
const STEPS: usize = 400;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    match script.byte() & 1 {
        0 => hostile(script),
        _ => honest(script),
    }
}));

/// One step of our own callers.
fn act(side: &mut Side, streams: &mut Vec<u32>, s: &mut Script<'_>) {
    let what = s.byte();
    if what % 12 < 2 {
        streams.extend(if what % 12 == 0 {
            side.open()
        } else {
            side.accept()
        });
        return;
    }
    let Some(&id) = streams.get(s.below(streams.len())) else {
        return;
    };
    match what % 12 {
        2 | 3 => drop(side.push(id, &vec![s.byte(); usize::from(s.byte()) * 300])),
        4 | 5 => drop(side.read(id, usize::from(s.byte()) * 300)),
        6 => drop(side.finish(id)),
        7 => side.act(id, Act::Reset(u32::from(s.byte()))),
        8 => side.act(id, Act::Stop(u32::from(s.byte()))),
        9 => side.act(id, Act::Rank(i32::from(s.byte()) - 128)),
        10 => side.ping(),
        _ => {
            side.act(id, Act::DropReader);
            side.act(id, Act::DropWriter);
        }
    }
}

fn hostile(mut s: Script<'_>) {
    let mut side = Side::new(s.byte() & 1 == 0);
    let mut streams = Vec::new();
    for _ in 0..STEPS {
        if s.is_empty() {
            break;
        }
        match s.byte() % 4 {
            0 => act(&mut side, &mut streams, &mut s),
            1 => drop(side.say()),
            2 => {
                if !matches!(side.hear(s.bytes()), Ok(true)) {
                    break;
                }
            }
            // A chunk of good form that the script need not spell.
            _ => {
                let (kind, stream, len) = (s.byte() % 10, s.byte() % 40, usize::from(s.byte()) * 16);
                let mut chunk = vec![kind, stream, len as u8 & 0x7f | 0x80, (len >> 7) as u8];
                chunk.extend(vec![s.byte(); len]);
                if !matches!(side.hear(&chunk), Ok(true)) {
                    break;
                }
            }
        }
        assert!(side.is_within_caps());
    }
}

/// What was written to each stream, and how much of it has been read; no stream is given up.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    read: usize,
    finished: bool,
}

fn honest(mut s: Script<'_>) {
    let mut sides = [Side::new(true), Side::new(false)];
    let mut wires = [Vec::new(), Vec::new()];
    let mut all: [BTreeMap<u32, Written>; 2] = Default::default();
    let mut open: Vec<u32> = Vec::new();
    let mut steps = 0;
    // When the script is over, all that was written still arrives.
    while steps < STEPS {
        steps += 1;
        let from = s.below(2);
        match s.byte() % 8 {
            0 if open.len() < 12 => {
                if let Some(id) = sides[from].open() {
                    open.push(id);
                }
            }
            1 | 2 if !open.is_empty() => {
                let id = open[s.below(open.len())];
                let written = all[from].entry(id).or_default();
                let bytes: Vec<u8> = (0..usize::from(s.byte()) * 97)
                    .map(|n| (n + written.bytes.len()) as u8)
                    .collect();
                if !written.finished
                    && let Some(taken) = sides[from].push(id, &bytes)
                {
                    written.bytes.extend(&bytes[..taken]);
                }
            }
            3 if !open.is_empty() => {
                let id = open[s.below(open.len())];
                if sides[from].finish(id) {
                    all[from].entry(id).or_default().finished = true;
                }
            }
            4 => sides[from].ping(),
            _ => {
                let cut = usize::from(s.byte()) * 40;
                travel(&mut sides, &mut wires, &mut all, &open, from, cut);
            }
        }
        if s.is_empty() {
            break;
        }
    }
    for _ in 0..2_000 {
        let before: usize = all.iter().flat_map(|w| w.values()).map(|w| w.read).sum();
        let mut said = 0;
        for from in [0, 1] {
            said += travel(&mut sides, &mut wires, &mut all, &open, from, usize::MAX);
        }
        let after: usize = all.iter().flat_map(|w| w.values()).map(|w| w.read).sum();
        if said == 0 && before == after {
            break;
        }
    }
    for (from, written) in all.iter().enumerate() {
        for (id, written) in written {
            assert_eq!(written.read, written.bytes.len(), "all of stream {id} has come");
            assert_eq!(sides[from].is_delivered(*id), written.finished, "stream {id}");
        }
    }
}

/// Says what there is to say, lets `cut` bytes of it arrive, and reads what has come.
fn travel(
    sides: &mut [Side; 2],
    wires: &mut [Vec<u8>; 2],
    all: &mut [BTreeMap<u32, Written>; 2],
    open: &[u32],
    from: usize,
    cut: usize,
) -> usize {
    let to = 1 - from;
    while wires[from].len() < 1 << 16
        && let Some(chunk) = sides[from].say()
    {
        wires[from].extend(chunk);
    }
    let arriving: Vec<u8> = {
        let len = cut.min(wires[from].len());
        wires[from].drain(..len).collect()
    };
    assert_eq!(
        sides[to].hear(&arriving),
        Ok(true),
        "an honest peer is no breaker of the protocol"
    );
    while sides[to].accept().is_some() {}
    for id in open {
        while let Ok(Some(bytes)) = sides[to].read(*id, 5_000) {
            let written = all[from].entry(*id).or_default();
            assert_eq!(
                written.bytes.get(written.read..written.read + bytes.len()),
                Some(&bytes[..])
            );
            written.read += bytes.len();
        }
    }
    assert!(sides.iter().all(Side::is_within_caps));
    arriving.len()
}
