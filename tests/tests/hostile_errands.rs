//! Hostile errands: files and sealed bundles asked for, offered and sent on streams beside the session, by strangers and by
//! members. See `hostile.rs` for what every attack is held to.
#![cfg(target_os = "linux")]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use node::office::PhotoFiles;
use node::{blobs, bundle, enrol, mail};
use sync::blob::{BlobReceipt, GROUP, group_hash, group_len, groups_of};
use sync::wire::Frame;
use sync::wire::errand::{Errand, Item, Letter, Reason};
use sync::{BlobName, DeviceKey, StoreId, limits};
use yanxiu_tests::photos::{add, files};
use yanxiu_tests::siege::Siege;
use yanxiu_tests::villain::{Lively, SOON, Villain, heard};
use yanxiu_tests::*;

/// A siege with photos: the honest school's lie at the hub; of the villain's school's the hub has the record and the
/// preview, and misses the copy, which another computer of that school has.
struct Scene {
    siege: Siege,
    mate: Place,
    honest: PhotoFiles,
    own: PhotoFiles,
}

async fn scene() -> Scene {
    let siege = Siege::begin().await;
    let (honest, own) = (files(10), files(20));
    let session = add_session(&siege.honest, "有照片的", "2025-10-02");
    add(&siege.honest, &session, &honest);
    let mut mate = Place::school(&siege.hub, &siege.school, "同校另一台");
    let session = add_session(&mate, "白沙的", "2025-10-03");
    add(&mate, &session, &own);
    mate.metered = true;
    mate.up().await;
    mate.knows(&siege.hub);
    until("the hub has what it should, and misses one copy", 30, || {
        has(&siege.hub, &honest.copy)
            && has(&siege.hub, &own.preview)
            && mate.node.not_at_county().unwrap() == 0
    })
    .await;
    assert!(!has(&siege.hub, &own.copy));
    mate.down().await;
    siege.honest_goes_on_from(4).await;
    Scene {
        siege,
        mate,
        honest,
        own,
    }
}

impl Scene {
    fn name(&self) -> BlobName {
        BlobName::of(&self.own.copy)
    }

    /// After all that was done, the other computer of that school is served and heard as ever.
    async fn end(self) {
        let Scene {
            siege, mut mate, own, ..
        } = self;
        mate.metered = false;
        mate.up().await;
        until("the copy comes from an honest computer", 60, || {
            has(&siege.hub, &own.copy)
        })
        .await;
        until("which has the county's receipt", 20, || {
            let sql = "SELECT COUNT(*) FROM blob_receipt";
            mate.node
                .read(|c| Ok(c.query_row(sql, [], |r| r.get::<_, i64>(0))?))
                .unwrap()
                >= 2
        })
        .await;
        mate.down().await;
        siege.end().await;
    }
}

/// So long no answer is waited for where there must be none.
const NEVER: Duration = Duration::from_millis(1_500);

fn has(place: &Place, bytes: &[u8]) -> bool {
    blobs::is_here(&place.node, &blobs::name_of(bytes))
}

fn item(bytes: &[u8]) -> Item {
    Item {
        name: BlobName::of(bytes),
        from: 0,
    }
}

fn first(name: &BlobName) -> [u8; 8] {
    name.0[..8].try_into().unwrap()
}

/// Bytes of the files below a folder of a place.
fn weight(place: &Place, folder: &str) -> u64 {
    fn below(dir: &Path) -> u64 {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .map(|e| match e.path().is_dir() {
                true => below(&e.path()),
                false => e.metadata().map_or(0, |m| m.len()),
            })
            .sum()
    }
    below(&place.node.dir().join(folder))
}

fn part_of(place: &Place, name: &BlobName) -> PathBuf {
    place.node.dir().join("blobs/parts").join(format!("{name}.part"))
}

fn groups(bytes: &[u8]) -> Vec<Vec<u8>> {
    let size = bytes.len() as u64;
    let group = |g: u64| bytes[g as usize * GROUP..g as usize * GROUP + group_len(size, g)].to_vec();
    (0..groups_of(size)).map(group).collect()
}

fn hashes(bytes: &[u8]) -> Vec<[u8; 32]> {
    let all = groups(bytes);
    let count = all.len() as u64;
    (0..count)
        .zip(&all)
        .map(|(g, group)| group_hash(count, g, group))
        .collect()
}

/// Somebody whom the county does not know, a member before its session is live, a device of another school, and one
/// that has been revoked meanwhile: none is given a byte of what it may not read, nor told that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_given_what_it_may_not_read() {
    let scene = scene().await;
    let siege = &scene.siege;
    let wanted = [item(&scene.honest.preview), item(&scene.honest.copy)];
    let names = wanted.iter().map(|i| first(&i.name)).collect::<Vec<_>>();
    let questions = [
        Errand::Fetch(wanted.to_vec()),
        Errand::WhoHas(names.clone()),
        Errand::MailList {
            known: Vec::new(),
            meets: Vec::new(),
        },
    ];

    let stranger = Villain::stranger(&siege.hub, [200; 32]);
    for county in [None, Some(stranger.county())] {
        let mut line = stranger.dial(&siege.hub).await;
        let hello = stranger.hello();
        line.say(Frame::Hello(sync::wire::Hello { county, ..hello }))
            .await;
        for question in &questions {
            let Ok((mut out, mut inn)) = line.link.open().await else {
                continue;
            };
            let _ = out.write(&question.encode()).await;
            assert_eq!(heard(&mut inn, NEVER).await, None, "a stranger: {question:?}");
        }
    }
    // A member that has not said what it holds.
    let line = siege.villain.enter(&siege.hub).await;
    for question in &questions {
        let (mut out, mut inn) = line.link.open().await.unwrap();
        out.write(&question.encode()).await.unwrap();
        assert_eq!(
            heard(&mut inn, SOON).await,
            None,
            "before its session is live: {question:?}"
        );
    }
    drop(line);
    // A member of another school.
    let lively = siege.villain.live(&siege.hub).await;
    for (asked, answer) in [
        (wanted[0], Reason::NotForYou),
        (wanted[1], Reason::NotForYou),
        (Item { from: 3, ..wanted[1] }, Reason::NotForYou),
        // What is not here at all is not told from it.
        (item(b"nowhere"), Reason::NotForYou),
        (
            Item {
                from: u32::MAX,
                ..item(&scene.own.preview)
            },
            Reason::NotHere,
        ),
    ] {
        let said = lively.ask(&Errand::Fetch(vec![asked])).await;
        assert_eq!(said, Some(Errand::Absent(answer)), "{asked:?}");
    }
    assert_eq!(
        lively.ask(&Errand::WhoHas(names)).await,
        Some(Errand::Receipts(Vec::new()))
    );
    // What its school has written it is given, and receipts for it.
    let own = item(&scene.own.preview);
    let said = lively.ask(&Errand::Fetch(vec![own])).await;
    assert!(
        matches!(said, Some(Errand::Blob { size: 14_000, .. })),
        "{said:?}"
    );
    let said = lively.ask(&Errand::WhoHas(vec![first(&own.name)])).await;
    assert!(
        matches!(&said, Some(Errand::Receipts(some)) if some.len() == 1 && some[0].is_good()),
        "{said:?}"
    );
    // A sealed bundle that was offered to nobody is no blob.
    let bundle = bundle::make(&siege.honest.node, &scene.mate.node.id(), bundle::MAX)
        .unwrap()
        .remove(0);
    mail::keep(&siege.hub.node, &bundle.bytes).unwrap();
    let letter = item(&bundle.bytes);
    let said = lively.ask(&Errand::Fetch(vec![letter])).await;
    assert_eq!(said, Some(Errand::Absent(Reason::NotForYou)));
    // A stream that was open when the device was revoked.
    let (mut out, mut inn) = lively.link.open().await.unwrap();
    out.write(&Errand::Fetch(vec![item(&scene.own.preview)]).encode())
        .await
        .unwrap();
    assert!(heard(&mut inn, SOON).await.is_some());
    enrol::revoke(&siege.hub.node, &siege.villain.key.id()).unwrap();
    while let Some(said) = heard(&mut inn, SOON).await {
        assert!(matches!(said, Errand::Group(_)), "{said:?}");
    }
    let _ = out
        .write(&Errand::Fetch(vec![item(&scene.own.preview)]).encode())
        .await;
    assert_eq!(heard(&mut inn, NEVER).await, None, "revoked");
    assert_eq!(
        lively.ask(&Errand::WhoHas(vec![first(&own.name)])).await,
        None,
        "revoked"
    );
    scene.end().await;
}

/// The hub asks for a copy that it misses, and is answered with a larger file than the record allows, with sizes and
/// hashes that are none, with groups that do not fit, are too long, too many or too few, with other frames and with
/// garbage. Kept: the groups that fit, once.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_its_name_is_not_kept() {
    let scene = scene().await;
    let siege = &scene.siege;
    let (copy, name) = (&scene.own.copy, scene.name());
    let (size, outline, all) = (copy.len() as u64, hashes(copy), groups(copy));
    let blob = |size, hashes: &[[u8; 32]]| {
        let hashes = hashes.to_vec();
        Errand::Blob { size, hashes }.encode()
    };
    let group = |bytes: &[u8]| Errand::Group(bytes.to_vec()).encode();
    let mut wrong = outline.clone();
    wrong[3][0] ^= 1;
    let mut other = all[1].clone();
    other[100] ^= 1;
    let good: Vec<Vec<u8>> = all.iter().map(|g| group(g)).collect();
    let with = |head: Vec<u8>, rest: &[Vec<u8>]| [&[head], rest].concat();
    let far = files(90).original.unwrap();
    let head = 16 + 32 * all.len();
    // What is answered, and how many groups are kept of it; none: no file.
    type Attack = (&'static str, Vec<Vec<u8>>, Option<usize>);
    let attacks: Vec<Attack> = vec![
        (
            "a file larger than the record allows",
            with(blob(2_000_001, &hashes(&far)), &good),
            None,
        ),
        ("a size without end", with(blob(u64::MAX, &[]), &good), None),
        ("no hashes", with(blob(size, &[]), &good), None),
        ("hashes that do not add up", with(blob(size, &wrong), &good), None),
        (
            "hashes of another file",
            with(blob(far.len() as u64 - 1, &hashes(&far)), &good),
            None,
        ),
        ("an empty file", vec![blob(0, &[BlobName::of(b"").0])], None),
        (
            "another size, the same groups",
            with(blob(size + GROUP as u64, &outline), &good),
            None,
        ),
        (
            "a frame longer than any errand",
            vec![vec![5; limits::ERRAND_BYTES + 2]],
            None,
        ),
        ("garbage", vec![vec![255; 900], vec![]], None),
        ("nothing but a letter", vec![vec![3]], None),
        (
            "an answer to another question",
            vec![Errand::Mail(Vec::new()).encode()],
            None,
        ),
        ("a group before the blob", vec![good[0].clone()], None),
        ("nothing at all", vec![], None),
        (
            "a group of another file",
            with(blob(size, &outline), &[good[0].clone(), group(&other)]),
            Some(1),
        ),
        (
            "a group that is cut",
            with(blob(size, &[]), &[group(&all[1][..9])]),
            Some(1),
        ),
        (
            "a longer group",
            with(blob(size, &[]), &[group(&[&all[1][..], b"x"].concat())]),
            Some(1),
        ),
        (
            "two groups, and another frame",
            with(blob(size, &[]), &[good[1].clone(), good[2].clone(), blob(1, &[])]),
            Some(3),
        ),
    ];
    for (what, frames, kept) in attacks {
        let lively = siege.villain.live(&siege.hub).await;
        let asked = lively
            .serve(SOON, |errand| match errand {
                Errand::Fetch(_) => frames.clone(),
                _ => vec![Errand::Mail(Vec::new()).encode()],
            })
            .await;
        let from = kept.map_or(0, |k| if k > 1 { 1 } else { 0 });
        let fetches = |e: &&Errand| matches!(e, Errand::Fetch(items) if items.iter().any(|i| i.name == name));
        assert!(asked.iter().filter(fetches).count() >= 1, "{what}: it was asked");
        println!("{what}: asked {} times, from group {from}", asked.len());
        drop(lively);
        assert!(!has(&siege.hub, copy), "{what}");
        let part = fs::read(part_of(&siege.hub, &name)).ok();
        assert_eq!(part.map(|p| (p.len() - head).div_ceil(GROUP)), kept, "{what}");
    }
    assert!(weight(&siege.hub, "blobs/parts") < (head + 4 * GROUP) as u64);
    assert_eq!(siege.count("SELECT COUNT(*) FROM blob"), 3);
    scene.end().await;
}

/// A receipt is believed of a county store alone: not of a school, not of a device that is none, not forged in the
/// county's name.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_are_the_countys_to_give() {
    let scene = scene().await;
    let siege = &scene.siege;
    let county = siege.hub.node.id();
    let store = StoreId([9; 16]);
    let name = scene.name();
    let honest = BlobName::of(&scene.honest.copy);
    let forged: Vec<BlobReceipt> = [name, honest]
        .into_iter()
        .flat_map(|name| {
            let own = BlobReceipt::sign(&siege.villain.key, store, name);
            let borrowed = BlobReceipt::from_parts(county, store, name, own.signature());
            let nobody = BlobReceipt::sign(&DeviceKey::from_seed([77; 32]), store, name);
            [own, borrowed, nobody]
        })
        .collect();
    for place in [&siege.hub, &siege.honest] {
        let lively = siege.villain.live(place).await;
        let (mut out, mut inn) = lively.link.open().await.unwrap();
        for _ in 0..20 {
            out.write(&Errand::Receipts(forged.clone()).encode())
                .await
                .unwrap();
        }
        // An answer to something after them: they were read.
        out.write(&Errand::WhoHas(vec![first(&name)]).encode())
            .await
            .unwrap();
        let said = heard(&mut inn, SOON).await;
        assert_eq!(said, Some(Errand::Receipts(Vec::new())));
        // As an answer to the question who has them.
        let asked = lively
            .serve(Duration::from_secs(2), |errand| match errand {
                Errand::Fetch(items) => vec![Errand::Absent(Reason::NotHere).encode(); items.len()],
                Errand::WhoHas(_) => vec![Errand::Receipts(forged.clone()).encode()],
                _ => vec![Errand::Mail(Vec::new()).encode()],
            })
            .await;
        println!("{} questions", asked.len());
        let sql = "SELECT COUNT(*) FROM blob_receipt WHERE store = x'09090909090909090909090909090909'";
        let kept: i64 = place
            .node
            .read(|c| Ok(c.query_row(sql, [], |r| r.get(0))?))
            .unwrap();
        assert_eq!(kept, 0);
    }
    // What the county signs is kept.
    until("the county's own receipts are kept", 20, || {
        let sql = "SELECT COUNT(*) FROM blob_receipt";
        let kept: i64 = siege
            .honest
            .node
            .read(|c| Ok(c.query_row(sql, [], |r| r.get(0))?))
            .unwrap();
        kept == 2
    })
    .await;
    scene.end().await;
}

/// Bundles that are none, lie about their size, are of strangers or of another's making, and good ones without end.
/// A carrier keeps its limit, and what another school gave it is not what goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_is_not_filled() {
    let scene = scene().await;
    let siege = &scene.siege;
    let mate = &scene.mate;
    let letter = |bytes: &[u8], said: u64| Letter {
        blob: BlobName::of(bytes),
        name: [0; 32],
        to: siege.honest.node.id(),
        from: siege.villain.key.id(),
        bytes: said,
        along: None,
    };
    let whole = |bytes: &[u8]| {
        let size = bytes.len() as u64;
        let hashes = hashes(bytes);
        let mut frames = vec![Errand::Blob { size, hashes }.encode()];
        frames.extend(groups(bytes).iter().map(|g| Errand::Group(g.clone()).encode()));
        frames
    };
    let kept = |place: &Place| mail::list(&place.node).unwrap().len();
    let give = async |lively: &Lively, letters: Vec<Letter>, all: &[Vec<u8>]| {
        lively
            .serve(Duration::from_secs(6), |errand| match errand {
                Errand::MailList { .. } => vec![Errand::Mail(letters.clone()).encode()],
                Errand::Fetch(items) => {
                    let of = |item: &Item| match all.iter().find(|b| BlobName::of(b) == item.name) {
                        Some(bytes) => whole(bytes),
                        None => vec![Errand::Absent(Reason::NotHere).encode()],
                    };
                    items.iter().flat_map(of).collect()
                }
                _ => Vec::new(),
            })
            .await
    };
    // A bundle that waits at the hub for the villain's neighbour.
    let held = bundle::make(&siege.honest.node, &mate.node.id(), bundle::MAX)
        .unwrap()
        .remove(0);
    mail::keep(&siege.hub.node, &held.bytes).unwrap();
    let limit = held.bytes.len() as u64 * 4;
    mail::set_limit(&siege.hub.node, limit).unwrap();
    let before = kept(&siege.hub);

    let of_stranger = {
        let mut bytes = held.bytes.clone();
        // The sender's key stands behind the recipient's.
        bytes[5 + 32] ^= 1;
        bytes
    };
    let junk: Vec<Vec<u8>> = vec![
        vec![7; 20_000],
        b"YXB\x01\x01".to_vec(),
        held.bytes[..held.bytes.len() / 2].to_vec(),
        of_stranger,
    ];
    let lively = siege.villain.live(&siege.hub).await;
    let letters = junk.iter().map(|b| letter(b, b.len() as u64)).collect();
    let asked = give(&lively, letters, &junk).await;
    assert!(asked.iter().any(|e| matches!(e, Errand::Fetch(_))), "{asked:?}");
    drop(lively);
    assert_eq!(kept(&siege.hub), before);
    // Sizes that are a lie, the names of others, and more letters than there may be.
    let big = files(70).original.unwrap();
    let lies: Vec<(&str, Vec<Letter>)> = vec![
        ("smaller than it is", vec![letter(&big, 900)]),
        ("larger than any", vec![letter(&big, u64::MAX)]),
        (
            "for somebody unknown",
            vec![Letter {
                to: DeviceKey::from_seed([66; 32]).id(),
                ..letter(&junk[0], 20_000)
            }],
        ),
        (
            "too many",
            vec![letter(&junk[0], 20_000); limits::ERRAND_ITEMS + 1],
        ),
    ];
    for (what, letters) in lies {
        let lively = siege.villain.live(&siege.hub).await;
        give(&lively, letters, std::slice::from_ref(&big)).await;
        drop(lively);
        assert_eq!(kept(&siege.hub), before, "{what}");
    }
    assert!(
        weight(&siege.hub, "blobs/parts") < 60_000,
        "nothing of two megabytes"
    );
    // Good ones of one school without end.
    let many: Vec<Vec<u8>> = (0..24)
        .map(|_| {
            bundle::make(&mate.node, &siege.honest.node.id(), bundle::MAX)
                .unwrap()
                .remove(0)
                .bytes
        })
        .collect();
    let lively = siege.villain.live(&siege.hub).await;
    let letters: Vec<Letter> = many
        .iter()
        .map(|b| Letter {
            name: BlobName::of(b).0,
            ..letter(b, b.len() as u64)
        })
        .collect();
    give(&lively, letters, &many).await;
    drop(lively);
    let now = mail::list(&siege.hub.node).unwrap();
    let own = |i: &&mail::Item| i.from != siege.hub.node.id();
    let bytes: u64 = now.iter().filter(own).map(|i| i.bytes).sum();
    assert!(bytes <= limit, "{bytes} bytes carried, limit {limit}");
    assert!(
        now.iter().any(|i| i.from == mate.node.id()),
        "some of them are carried"
    );
    assert!(
        now.iter().any(|i| i.name == held.name),
        "what the honest school gave is still there"
    );
    assert!(weight(&siege.hub, "mail") <= limit + 200_000);
    mail::set_limit(&siege.hub.node, mail::LIMIT).unwrap();
    scene.end().await;
}

/// As many streams as a link may have, with half a header, half a frame, garbage, questions whose answers are read
/// by nobody, and then silence; and again. The hub serves two streams of a peer at a time and holds nobody else's
/// seat: the honest school's photo arrives meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn streams_without_end_take_nobodys_seat() {
    let scene = scene().await;
    let siege = &scene.siege;
    let own = item(&scene.own.preview);
    let greedy = Errand::Fetch(vec![own; limits::ERRAND_ITEMS]).encode();
    let framed = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
    let beginnings: Vec<(&str, Vec<u8>)> = vec![
        ("half a header", vec![9, 0]),
        ("half a frame", [&900u32.to_le_bytes()[..], &[1; 40]].concat()),
        ("a frame of four gigabytes", u32::MAX.to_le_bytes().to_vec()),
        ("garbage", vec![0xa5; 30_000]),
        ("later errands", framed(&[200; 60]).repeat(200)),
        (
            "an answer to nothing",
            framed(&Errand::Group(vec![1; 9]).encode()),
        ),
        ("questions that nobody hears answered", framed(&greedy).repeat(40)),
        (
            "lists without end",
            framed(
                &Errand::MailList {
                    known: vec![[1; 8]; 400],
                    meets: vec![[2; 8]; 400],
                }
                .encode(),
            )
            .repeat(60),
        ),
    ];
    for (n, (what, bytes)) in beginnings.iter().enumerate() {
        let lively = siege.villain.live(&siege.hub).await;
        let (mut streams, mut opened) = (Vec::new(), 0);
        // All at once; then those are given up and others begun, as fast as it goes.
        for _ in 0..2 {
            let flood = async {
                while let Ok((mut out, inn)) = lively.link.open().await {
                    let said = out.write_raw(bytes);
                    let _ = tokio::time::timeout(Duration::from_millis(300), said).await;
                    opened += 1;
                    streams.push((out, inn));
                }
            };
            let _ = tokio::time::timeout(Duration::from_millis(1_500), flood).await;
            streams.truncate(streams.len() / 2);
        }
        println!("{what}: {opened} streams");
        // Meanwhile the honest school is served.
        let session = add_session(&siege.honest, &format!("同时{n}"), "2025-10-08");
        let photo = files(1_000 + 10 * n as u32);
        add(&siege.honest, &session, &photo);
        until("its photo is at the county", 20, || has(&siege.hub, &photo.copy)).await;
        drop(streams);
    }
    let sessions = titles(&siege.hub).len();
    siege.honest_goes_on_from(sessions + 1).await;
    scene.end().await;
}

/// A member sends half of a file and then nothing more: whoever else has it brings it, long before the silent one is given
/// up.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_go_on_is_had_from_another() {
    let mut scene = scene().await;
    let (copy, name) = (scene.own.copy.clone(), scene.name());
    let lively = scene.siege.villain.live(&scene.siege.hub).await;
    let mut half = vec![
        Errand::Blob {
            size: copy.len() as u64,
            hashes: hashes(&copy),
        }
        .encode(),
    ];
    half.extend(
        groups(&copy)
            .iter()
            .take(9)
            .map(|g| Errand::Group(g.clone()).encode()),
    );
    let (mut out, mut inn) = lively.link.accept().await.unwrap();
    let asked = heard(&mut inn, SOON).await;
    assert!(
        matches!(&asked, Some(Errand::Fetch(items)) if items[0].name == name),
        "{asked:?}"
    );
    for frame in half {
        out.write(&frame).await.unwrap();
    }
    scene.mate.metered = false;
    scene.mate.up().await;
    until("another computer has brought the rest", 75, || {
        has(&scene.siege.hub, &copy)
    })
    .await;
    until("nothing is left of the parts", 5, || {
        !part_of(&scene.siege.hub, &name).exists()
    })
    .await;
    // What the silent one says now is of no use, and does no harm.
    for group in groups(&copy).iter().skip(9) {
        let _ = out.write(&Errand::Group(group.clone()).encode()).await;
    }
    drop(lively);
    scene.mate.down().await;
    assert_eq!(
        blobs::read(&scene.siege.hub.node, &name.to_string())
            .unwrap()
            .unwrap(),
        copy
    );
    scene.end().await;
}
