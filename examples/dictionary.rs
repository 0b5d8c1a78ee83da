//! Trains the dictionary that pieces are compressed with, and says what it is worth.
//!
//! `cargo run --release -p yanxiu-examples --example dictionary -- OUT.zdict`
//!
//! Samples are what really travels: pieces of one to twenty changes that a real node has written, of records
//! of every kind with generated values. Judged on pieces of other records: generated ones of
//! another county (the same words, other keys and ids), and records with texts that neither generator nor training has seen. Put a new one beside the old ones as
//! `crates/sync/src/wire/dictionary_<n>.zdict` and name it in `stream.rs`; a released one is never changed.

use std::error::Error;

use node::office::{self, By, OrganisationInput};
use node::{Edit, Node, Role, Value, enrol};
use records::Kinds;
use records::kinds::{Field, FieldType};
use sync::admission::Offered;
use sync::wire::{Piece, stream};
use yanxiu_examples::{Random, TRAINING, UNSEEN, note};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Bytes of the dictionary: more gains little, and each stream loads it anew.
const SIZE: usize = 24 * 1024;

/// Records a kind.
const RECORDS: usize = 480;

fn main() -> Result<()> {
    let out = std::env::args()
        .nth(1)
        .ok_or("say where the dictionary is to be written")?;
    let sentences: Vec<String> = TRAINING
        .split(['\n', '，', '。', '；', '、'])
        .map(str::to_string)
        .collect();
    let training = sentences.join(" ");
    let plain: Vec<Vec<u8>> = pieces(1, RECORDS, &training)?
        .iter()
        .filter_map(stream::plain)
        .collect();
    let dictionary = zstd::dict::from_samples(&plain, SIZE)?;
    std::fs::write(&out, &dictionary)?;
    println!("{} samples -> {} bytes in {out}", plain.len(), dictionary.len());

    println!(
        "{:<44} {:>8} {:>8} {:>8}",
        "bytes a piece", "plain", "zstd", "dict"
    );
    let held_back = pieces(2, RECORDS / 4, &training)?;
    let unseen = pieces(3, RECORDS / 4, UNSEEN)?;
    for (what, all) in [
        ("generated, of another county", held_back),
        ("texts never seen", unseen),
    ] {
        for (size, changes) in [("1 change", 1..2), ("2-20 changes", 2..21)] {
            let of_size: Vec<Vec<u8>> = all
                .iter()
                .filter(|p| changes.contains(&p.changes.len()))
                .filter_map(stream::plain)
                .collect();
            let mean = |f: &dyn Fn(&[u8]) -> usize| {
                of_size.iter().map(|p| f(p)).sum::<usize>() / of_size.len().max(1)
            };
            let with = |dictionary: &[u8], p: &[u8]| {
                zstd::bulk::Compressor::with_dictionary(19, dictionary)
                    .and_then(|mut c| c.compress(p))
                    .map_or(0, |c| c.len())
            };
            println!(
                "{:<44} {:>8} {:>8} {:>8}",
                format!("{what}, {size} ({} pieces)", of_size.len()),
                mean(&|p| p.len()),
                mean(&|p| with(&[], p)),
                mean(&|p| with(&dictionary, p)),
            );
        }
    }
    Ok(())
}

/// Pieces as a node sends them: records of every kind, written by a real node, in runs of 1 to 20 changes.
fn pieces(seed: u64, records: usize, words: &str) -> Result<Vec<Piece>> {
    let dir = tempfile::tempdir()?;
    let hub = Node::init_county(&dir.path().join("hub"), "云岭县")?;
    let by = By {
        account: "训练".into(),
    };
    let input = OrganisationInput {
        name: "青石小学".into(),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    office::save_organisations(&hub, &by, vec![(None, input)])?;
    let school = office::organisations(&hub)?.remove(0).id;
    let pc = Node::init_member(&dir.path().join("school"), "青石小学 电脑")?;
    let (device, _) = enrol::read_request(&enrol::request_file(&pc))?;
    let answer = enrol::approve(&hub, &device, "青石小学 电脑", &[(Role::School, school.clone())])?;
    enrol::accept(&pc, &answer.text)?;
    enrol::confirm(&pc)?;

    let mut random = Random(seed);
    let mut ids: Vec<String> = Vec::new();
    let kinds: Vec<_> = Kinds::builtin().iter().collect();
    for i in 0..records * kinds.len() {
        // References repeat within a session's marks, and seldom beyond.
        if i % 12 == 0 {
            ids = (0..8).map(|_| pc.new_id()).collect();
        }
        let Some(kind) = kinds.get((i / 12) % kinds.len()) else {
            continue;
        };
        let mut fields = vec![
            ("_kind".to_string(), Some(Value::Text(kind.reference()))),
            ("_by".to_string(), Some(Value::Text(note(&mut random, words, 3)))),
        ];
        for field in &kind.fields {
            if field.required || random.below(10) < 7 {
                fields.push((field.id.clone(), value(field, &mut random, words, &ids)));
            }
        }
        let year = 2023 + random.below(3);
        let (writer, document) = match kind.document.as_str() {
            "registry" => (&hub, "registry".to_string()),
            "ledger" => (&hub, format!("ledger/{school}/{year}")),
            other => (&pc, format!("{other}/{school}/{year}")),
        };
        let id = writer.new_id();
        writer.commit(&document, vec![Edit { id, fields }])?;
    }

    let mut all = Vec::new();
    for node in [&pc, &hub] {
        let changes: Vec<Offered> = node.read(store::outgoing::everything)?;
        let mut rest = changes.as_slice();
        while !rest.is_empty() {
            let n = match random.below(3) {
                0 => 1,
                _ => 1 + random.below(20),
            }
            .min(rest.len());
            let (now, later) = rest.split_at(n);
            let mut changes = now.to_vec();
            let last = changes.len() - 1;
            for (i, c) in changes.iter_mut().enumerate() {
                if i != last {
                    c.tip = None;
                }
            }
            all.push(Piece {
                upto: Some(all.len() as u64),
                changes,
            });
            rest = later;
        }
    }
    Ok(all)
}

fn value(field: &Field, random: &mut Random, words: &str, ids: &[String]) -> Option<Value> {
    let text = |t: String| Some(Value::Text(t));
    let date = |random: &mut Random| {
        let (y, m, d) = (2023 + random.below(3), 1 + random.below(12), 1 + random.below(28));
        format!("{y}-{m:02}-{d:02}")
    };
    match field.field_type {
        FieldType::Code | FieldType::Codes => {
            text(field.codes.get(random.below(field.codes.len()))?.id.clone())
        }
        FieldType::Int => Some(Value::Int(random.below(200) as i64)),
        FieldType::Hundredths => Some(Value::Int(50 * (1 + random.below(8) as i64))),
        FieldType::Bool => Some(Value::Bool(random.below(2) == 0)),
        FieldType::Date => text(date(random)),
        FieldType::Year => Some(Value::Int(2023 + random.below(3) as i64)),
        FieldType::Ref => text(ids.get(random.below(ids.len()))?.clone()),
        FieldType::Text if field.format.is_some() => {
            text(format!("{:016x}{:016x}", random.next(), random.next()))
        }
        FieldType::Text => {
            let most = field.max_len.unwrap_or(60).clamp(4, 60);
            let chars = 2 + random.below(most - 2);
            text(note(random, words, chars))
        }
    }
}
