//! A week of snow, then four minutes of 2G (domain.md §5.4 S1; issue 5): what of 60 sessions with 30 marks each and 20
//! photos is at the hub when the window shuts, and what the windows after it bring. Real `yanxiu serve` processes
//! in network namespaces. Needs root, Linux and the `linkemu` tool.
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example window -- LINKEMU`
//!
//! The bytes of the photos are random, as those of JPEG nearly are: previews of 15,000 bytes, copies of 290,000,
//! originals of 5,000,000, which stay at the school.
//!
//! It fails (issue 5, line 4) if a record or a preview is not at the hub within the first window, if a copy is missing
//! after the last, if the hub asked for any part of a copy that stood on its disk when the window before was shut, or if
//! a window after the first sent more than the copies that arrived in it and what goes around them (`AROUND`, `TALK`):
//! then something was sent a second time.

use std::collections::HashMap;
use std::io::Read;
use std::time::{Duration, Instant};

use node::office::{self, By, PhotoFiles, PhotoInput, SessionInput, TeacherInput};
use node::{Filter, Node};
use yanxiu_examples::{Asked, Random, UNSEEN, note};

#[path = "links/world.rs"]
mod world;

use world::{Result, Run, World};

const TEACHERS: usize = 30;
const SESSIONS: usize = 60;
const PHOTOS: usize = 20;
const WINDOW: Duration = Duration::from_secs(240);
const PREVIEW: usize = 15_000;
const COPY: usize = 290_000;
const ORIGINAL: usize = 5_000_000;
/// What may go up around each byte of a copy. In the smallest packets that QUIC falls back to on a bad link, 1,228 bytes
/// with the heads of IP and UDP hold some 1,155 of a stream: 6.3 %; the rest is for acknowledgements and what was held
/// lost and was only late. What the link did lose is not in the emulator's figures, so nothing is allowed for it.
const AROUND: f64 = 0.08;
/// What may go up in a window beside copies: the handshake, two looks at what is equal, hashes of the groups; and of
/// each of the two files that a node serves at once the group that was under way when the window before was shut, of
/// which no part is kept.
const TALK: u64 = 20_000 + 2 * sync::blob::GROUP as u64;

fn main() -> Result<()> {
    let linkemu = std::env::args().nth(1).ok_or("give the path of linkemu")?;
    let dir = tempfile::Builder::new()
        .prefix("window")
        .disable_cleanup(std::env::var("KEEP").is_ok())
        .tempdir()?;
    let world = World::new(linkemu, dir.path())?;
    let (hub, school) = world.county("snow")?;
    let home = school.home_school().ok_or("no school")?;
    let by = By {
        account: "李专管员".into(),
    };
    let mut people = Vec::new();
    for n in 0..TEACHERS {
        let input = TeacherInput {
            teacher_code: format!("QS{n:03}"),
            name: format!("教师{n}"),
            status: "serving".into(),
            post: "teacher".into(),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        people.push(office::save_teacher(&school, &by, &home, None, input)?);
    }
    let run = Run::up(&world, &hub, "wire")?;
    // They have met before the snow.
    drop(run.meet(&school, false)?);
    run.link("off")?;

    snow(&school, &home, &by, &people)?;
    let records = school.not_at_county()?;
    println!("{records} records and {PHOTOS} photos after twelve days offline");
    let mut pc = world.serve(&run.net, "school", &school, true)?;
    let mut known = Seen::at(&hub)?;
    let mut asked = Asked::default();
    let all = SESSIONS + SESSIONS * TEACHERS + PHOTOS;
    asked.that(records == all as u64, format!("{all} records to be sent"));
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10}",
        "window of 240 s", "records", "previews", "copies", "KB up", "KB down", "KB of copies"
    );
    for (number, link) in ["2g", "2g", "2g", "4g-edge"].into_iter().enumerate() {
        run.stats(true)?;
        run.link(link)?;
        let before = known.copy_bytes;
        let (stood, said) = (groups_at(&hub)?, log_of(&hub).len());
        let begun = Instant::now();
        let (mut all_records, mut all_previews) = (None, None);
        while begun.elapsed() < WINDOW {
            std::thread::sleep(Duration::from_millis(250));
            known = Seen::at(&hub)?;
            let now = begun.elapsed().as_secs_f64();
            if school.not_at_county()? == 0 {
                all_records.get_or_insert(now);
            }
            if known.previews == PHOTOS {
                all_previews.get_or_insert(now);
            }
            if known.copies == PHOTOS {
                break;
            }
        }
        let (bytes, lasted) = (run.stats(false)?, begun.elapsed().as_secs_f64());
        run.link("off")?;
        // Days without contact: the PC is switched off and on, so that no connection outlives the window. What stood in
        // the link's queue has been counted and still comes in.
        std::thread::sleep(Duration::from_secs(20));
        drop(pc);
        pc = world.serve(&run.net, "school", &school, true)?;
        known = Seen::at(&hub)?;
        println!(
            "{:<28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10}",
            format!("{} {link}, {lasted:.0} s", number + 1),
            known.records,
            known.previews,
            known.copies,
            bytes.up / 1000,
            bytes.down / 1000,
            known.copy_bytes / 1000,
        );
        if number == 0 {
            let seconds =
                |at: Option<f64>| at.map_or("not within the window".to_owned(), |s| format!("{s:.1} s"));
            println!(
                "  receipts for all records at the school: {}",
                seconds(all_records)
            );
            println!("  all previews at the hub: {}", seconds(all_previews));
            asked.that(
                all_records.is_some() && known.records == all,
                "all records at the hub in the first window",
            );
            asked.that(
                all_previews.is_some(),
                "all previews at the hub in the first window",
            );
        } else {
            let content = known.copy_bytes.saturating_sub(before);
            let allowed = content + (content as f64 * AROUND) as u64 + TALK;
            let questions = asked_for(log_of(&hub).get(said..).unwrap_or_default());
            let known_before =
                |(name, from): &&(String, u64)| stood.get(name).is_some_and(|have| from < have);
            let again = questions.iter().filter(known_before).count();
            println!(
                "  {} questions for files; for something that was here already: {again}",
                questions.len()
            );
            asked.that(
                again == 0 && !questions.is_empty(),
                "nothing that stood on the hub's disk is asked for again",
            );
            asked.that(known.copy_bytes >= before, "what came of a copy is kept");
            asked.that(
                bytes.up <= allowed,
                format!(
                    "at most {allowed} bytes up for {content} of copies, not {}",
                    bytes.up
                ),
            );
        }
    }
    drop(pc);
    let whole = (PHOTOS * COPY) as u64;
    asked.that(
        known.copies == PHOTOS && known.copy_bytes == whole,
        format!(
            "{PHOTOS} copies, {whole} bytes, not {} and {}",
            known.copies, known.copy_bytes
        ),
    );
    asked.end()
}

/// How many groups of each file are on the hub's disk.
fn groups_at(hub: &Node) -> Result<HashMap<String, u64>> {
    let (mut groups, blobs) = (HashMap::new(), hub.dir().join("blobs"));
    for shelf in std::fs::read_dir(blobs).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(shelf.path())?.flatten() {
            let (path, bytes) = (file.path(), file.metadata()?.len());
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let whole = path.extension().is_none();
            let have = match whole {
                true => u64::MAX,
                // A head, then groups of which the last may be shorter (`node/src/blobs/partial.rs`).
                false => {
                    let mut head = [0; 16];
                    std::fs::File::open(&path)?.read_exact(&mut head)?;
                    let [.., a, b, c, d] = head;
                    let head = 16 + 32 * u64::from(u32::from_le_bytes([a, b, c, d]));
                    bytes.saturating_sub(head) / sync::blob::GROUP as u64
                }
            };
            groups.insert(name, have);
        }
    }
    Ok(groups)
}

/// What a node has said, without colours.
fn log_of(hub: &Node) -> String {
    let text = std::fs::read_to_string(world::log_file(hub.dir())).unwrap_or_default();
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| {
        plain + piece.split_once('m').map_or("", |(_, rest)| rest)
    })
}

/// The files that a node's log says were asked for, and from which group on.
fn asked_for(log: &str) -> Vec<(String, u64)> {
    let word = |line: &str, key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let lines = log.lines().filter(|line| line.contains("a file is asked for"));
    lines
        .filter_map(|line| Some((word(line, "name=")?, word(line, "from=")?.parse().ok()?)))
        .collect()
}

/// What the hub has.
struct Seen {
    records: usize,
    previews: usize,
    copies: usize,
    /// Bytes of copies, those in parts too.
    copy_bytes: u64,
}

impl Seen {
    fn at(hub: &Node) -> Result<Seen> {
        let (mut previews, mut copies, mut copy_bytes) = (0, 0, 0);
        for shelf in std::fs::read_dir(hub.dir().join("blobs"))
            .into_iter()
            .flatten()
            .flatten()
        {
            for file in std::fs::read_dir(shelf.path())?.flatten() {
                let bytes = file.metadata().map_or(0, |meta| meta.len());
                let part = file.path().extension().is_some_and(|e| e == "part");
                match bytes as usize {
                    _ if part => copy_bytes += bytes,
                    PREVIEW => previews += 1,
                    COPY => {
                        copies += 1;
                        copy_bytes += bytes;
                    }
                    _ => {}
                }
            }
        }
        let count = |kind: &str| hub.count(&Filter::kind(kind)).map(|n| n as usize);
        Ok(Seen {
            records: count("session")? + count("attendance")? + count("evidence")?,
            previews,
            copies,
            copy_bytes,
        })
    }
}

/// Twelve days: five sessions a day, everybody marked, and photos of some.
fn snow(school: &Node, home: &str, by: &By, people: &[String]) -> Result<()> {
    let mut random = Random(2026);
    for n in 0..SESSIONS {
        let input = SessionInput {
            title: format!("第{}次研课磨课", n + 1),
            theme: note(&mut random, UNSEEN, 20),
            date: format!("2025-12-{:02}", 1 + n / 5),
            place: "多媒体教室".into(),
            form: "school_based".into(),
            category: "practice".into(),
            channel: "school".into(),
            hours_c: 200,
            lecturers: "教研组".into(),
            ..SessionInput::default()
        };
        let session = office::save_session(school, by, home, None, input)?;
        let mark = |person: &String| {
            let status = if random.below(20) == 0 { "sick" } else { "present" };
            (person.clone(), status.to_string())
        };
        let marks: Vec<(String, String)> = people.iter().map(mark).collect();
        office::mark_attendance(school, by, &session, &marks)?;
        if n % (SESSIONS / PHOTOS) == 0 {
            let mut bytes = |len: usize| -> Vec<u8> { (0..len).map(|_| random.next() as u8).collect() };
            let files = PhotoFiles {
                preview: bytes(PREVIEW),
                copy: bytes(COPY),
                original: Some(bytes(ORIGINAL)),
            };
            let photo = PhotoInput {
                kind: "sign_in_sheet".into(),
                caption: "签到表".into(),
                date: format!("2025-12-{:02}", 1 + n / 5),
                ..PhotoInput::default()
            };
            office::add_photo(school, by, &session, &photo, &files)?;
        }
    }
    Ok(())
}
