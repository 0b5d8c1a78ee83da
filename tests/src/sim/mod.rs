//! A county in one thread: real nodes, conversations and stores over simulated disks, links and clocks.
//!
//! A seed decides everything: [`config::Config`] is drawn first, then [`world::World`] lives through a week
//! of [`people`] and [`trouble`], then [`calm`] lets everybody meet and judges. What must hold at every
//! moment is in [`law`]. The same seed gives the same bytes: [`Outcome::digest`] covers every event.

pub mod calm;
pub mod config;
pub mod county;
pub mod disk;
pub mod law;
pub mod people;
pub mod rng;
pub mod show;
pub mod trouble;
pub mod vfs;
pub mod world;

use config::{Config, DAY};
use rng::Rng;
use world::{Counts, What, World};

/// What a seed came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// SHA-256 over every event.
    pub digest: [u8; 32],
    /// How many there were.
    pub events: u64,
    /// What was met.
    pub counts: Counts,
    /// The law that was broken.
    pub broken: Option<String>,
    /// What was drawn.
    pub config: String,
}

/// Lives through the week of a seed.
pub fn run(seed: u64) -> Outcome {
    let mut rng = Rng::new(seed);
    let config = Config::draw(&mut rng);
    let mut world = World::new(seed, config, rng);
    world.note_config();
    for m in 0..world.machines.len() {
        world.plan_machine(m);
    }
    world.plan_troubles();
    for part in 1..=4 {
        world.at(part * world.config.days * DAY / 4 - 1, What::Laws);
    }
    world.run(world.config.days * DAY);
    if world.broken.is_none() {
        world.calm_down();
    }
    let (kept, dropped, torn, names) = {
        let l = &world.losses;
        (l.kept, l.dropped, l.torn, l.names)
    };
    for (name, n) in [
        ("unsynced writes kept", kept),
        ("unsynced writes dropped", dropped),
        ("unsynced writes torn", torn),
        ("unsynced names lost", names),
        ("saved changes lost with their only disk", world.lost.len() as u64),
        ("events", world.events),
    ] {
        *world.counts.entry(name).or_default() += n;
    }
    Outcome {
        digest: world.digest(),
        events: world.events,
        counts: std::mem::take(&mut world.counts),
        broken: world.broken.take(),
        config: format!("{:?}", world.config),
    }
}
