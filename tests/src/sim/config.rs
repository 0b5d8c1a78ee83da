//! What a seed decides before the week begins: sizes, links and which faults happen how often. Each class of
//! faults is on or off by itself (swarm testing), so that no fault hides behind another.

use super::rng::Rng;

/// Schools of the county.
pub const SCHOOLS: usize = 8;

/// Second PCs that may exist: at the first schools.
pub const SECOND_PCS: usize = 3;

/// Mentors.
pub const MENTORS: usize = 2;

/// Milliseconds of a day.
pub const DAY: u64 = 86_400_000;

/// How a school reaches others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Connected for hours, many times a week.
    Often,
    /// About once a day.
    Daily,
    /// Once or twice a week.
    Rarely,
    /// Never the hub: mentors and neighbours carry.
    Carried,
}

/// How a link behaves.
#[derive(Clone, Debug)]
pub struct Links {
    /// One way, milliseconds.
    pub delay: u64,
    /// Bytes a second.
    pub rate: u64,
    /// More delay at random, milliseconds; frames stay in order.
    pub jitter: u64,
    /// Losses come in bursts: of a thousand frames so many wait for a repetition…
    pub bursts: u32,
    /// …so long, milliseconds.
    pub burst: u64,
    /// Of a thousand contacts so many are cut in the middle.
    pub cuts: u32,
    /// Of a thousand first flights so many come a second time, later (0-RTT may be repeated by anybody).
    pub repeats: u32,
    /// Of a thousand replaced connections so many go on for a while beside the new one.
    pub overlaps: u32,
}

/// Faults in a week, on average; 0: none of this class.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Power cuts at a moment when nothing runs.
    pub power_cuts: u32,
    /// Power cuts in the middle of writing.
    pub power_cuts_in_writes: u32,
    /// Processes that end without a word.
    pub kills: u32,
    /// Disks that fill up for hours.
    pub full_disks: u32,
    /// Reads that fail.
    pub bad_reads: u32,
    /// Clocks that jump: 1970, 2035, back and forth.
    pub clock_jumps: u32,
    /// Backups put back.
    pub restores: u32,
    /// Directories copied to another PC, both of which go on.
    pub clones: u32,
    /// Devices put out.
    pub revocations: u32,
    /// New devices.
    pub enrolments: u32,
    /// Mentors who get another school.
    pub moves: u32,
    /// Machines that are set back to an earlier state as a whole, which the node cannot tell by itself (a
    /// virtual machine's snapshot).
    pub set_backs: u32,
    /// Earlier states that go on beside the machine: the device contradicts itself.
    pub twins: u32,
    /// Views that come late.
    pub slow_views: bool,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Virtual days.
    pub days: u64,
    /// Second PCs in use.
    pub second_pcs: usize,
    /// Each school's reach.
    pub reach: [Reach; SCHOOLS],
    /// What people do at one device in the week.
    pub uses: u64,
    /// Of a thousand of them so many change a record that is there.
    pub edits: u32,
    /// Tables that somebody takes in: many records at once.
    pub imports: u32,
    /// Of a thousand contacts so many stay connected.
    pub stay: u32,
    /// Clocks that are wrong from the beginning, of a thousand.
    pub wrong_clocks: u32,
    /// Links.
    pub links: Links,
    /// Faults.
    pub faults: Faults,
}

impl Config {
    /// The configuration of a seed.
    pub fn draw(rng: &mut Rng) -> Config {
        let reach = std::array::from_fn(|_| match rng.below(10) {
            0..=3 => Reach::Often,
            4..=6 => Reach::Daily,
            7..=8 => Reach::Rarely,
            _ => Reach::Carried,
        });
        let links = Links {
            delay: [2, 40, 150, 300, 900][rng.below(5) as usize],
            rate: [2_000, 8_000, 50_000, 1_000_000][rng.below(4) as usize],
            jitter: rng.below(300),
            bursts: some(rng, 60),
            burst: rng.range(200, 20_000),
            cuts: some(rng, 500),
            repeats: some(rng, 200),
            overlaps: some(rng, 500),
        };
        let faults = Faults {
            power_cuts: some(rng, 6),
            power_cuts_in_writes: some(rng, 10),
            kills: some(rng, 5),
            full_disks: some(rng, 4),
            bad_reads: some(rng, 4),
            clock_jumps: some(rng, 6),
            restores: some(rng, 3),
            clones: some(rng, 2),
            revocations: some(rng, 2),
            enrolments: some(rng, 2),
            moves: some(rng, 2),
            set_backs: if rng.permille(200) {
                rng.range(1, 2) as u32
            } else {
                0
            },
            twins: if rng.permille(100) { 1 } else { 0 },
            slow_views: rng.permille(300),
        };
        Config {
            days: 7,
            second_pcs: rng.range(0, SECOND_PCS as u64) as usize,
            reach,
            uses: rng.range(3, 10),
            edits: rng.below(600) as u32,
            imports: if rng.permille(300) {
                rng.range(1, 3) as u32
            } else {
                0
            },
            stay: rng.below(1000) as u32,
            wrong_clocks: some(rng, 500),
            links,
            faults,
        }
    }
}

/// Nothing in half of all seeds, else up to `most`.
fn some(rng: &mut Rng, most: u64) -> u32 {
    match rng.permille(500) {
        true => 0,
        false => rng.range(1, most) as u32,
    }
}
