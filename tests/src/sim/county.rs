//! The county as it stands on Monday morning: founded and enrolled once, then copied into each week.

use std::cell::OnceCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use node::office::{self, OrganisationInput};
use node::{Disk as NodeDisk, Node, Role, Surroundings, enrol};
use sync::DeviceKey;

use super::config::{MENTORS, SCHOOLS, SECOND_PCS};
use super::disk::{Disk, Image, Shared};
use super::rng::Rng;
use super::vfs;
use crate::{auditor, clerk, teacher_input};

/// What a machine is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Post {
    /// The county's hub.
    Hub,
    /// A PC of a school.
    School(usize),
    /// A mentor's laptop.
    Mentor(usize),
}

/// A device as the county has enrolled it.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its post.
    pub post: Post,
    /// Its key.
    pub seed: [u8; 32],
    /// Its disk on Monday.
    pub image: Image,
    /// What tells this disk from a copy.
    pub identity: String,
}

/// The founded county.
#[derive(Debug)]
pub struct County {
    /// Hub, first PCs, second PCs, mentors.
    pub devices: Vec<Device>,
    /// Record ids of the schools.
    pub schools: Vec<String>,
    /// Of each school the record ids of its teachers.
    pub teachers: Vec<Vec<String>>,
}

/// 2025-11-17 08:00, a Monday.
pub const MONDAY: i64 = 1_763_337_600_000;

/// A machine's clock and randomness.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Unix milliseconds that it shows.
    pub clock: Arc<AtomicI64>,
    /// Milliseconds that nobody sets.
    pub uptime: Arc<AtomicU64>,
    /// Its randomness.
    pub random: Arc<Mutex<Rng>>,
}

impl Inside {
    /// A machine with the right time.
    pub fn new(rng: Rng) -> Inside {
        Inside {
            clock: Arc::new(AtomicI64::new(MONDAY)),
            uptime: Arc::new(AtomicU64::new(0)),
            random: Arc::new(Mutex::new(rng)),
        }
    }

    /// What its node is given.
    pub fn surroundings(&self, seed: &[u8; 32], identity: &str) -> Surroundings {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let uptime = self.uptime.clone();
        Surroundings {
            uptime: Arc::new(move || uptime.load(Ordering::Relaxed)),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            random: Arc::new(move |bytes| {
                random.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
                true
            }),
            disk: NodeDisk::Simulated {
                vfs: vfs::NAME.to_string(),
                key: Box::new(DeviceKey::from_seed(*seed)),
                identity: identity.to_string(),
            },
        }
    }
}

thread_local! {
    static FOUNDED: OnceCell<Rc<County>> = const { OnceCell::new() };
}

/// The county, founded at the first call of this thread.
pub fn county() -> Rc<County> {
    FOUNDED.with(|c| c.get_or_init(|| Rc::new(found())).clone())
}

fn found() -> County {
    vfs::begin(0);
    let mut rng = Rng::new(1);
    let mut made: Vec<(Post, [u8; 32], Shared, Node)> = Vec::new();
    let posts = std::iter::once(Post::Hub)
        .chain((0..SCHOOLS).map(Post::School))
        .chain((0..SECOND_PCS).map(Post::School))
        .chain((0..MENTORS).map(Post::Mentor));
    let mut schools = Vec::new();
    let mut teachers = Vec::new();
    for (i, post) in posts.enumerate() {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        let disk = Disk::of(&Image::new());
        let machine = format!("t{i}");
        vfs::mount(&machine, disk.clone());
        let around = Inside::new(rng.fork()).surroundings(&seed, &identity(i));
        let dir = Path::new(&machine);
        let node = match (post, made.first()) {
            (_, None) => {
                let hub = Node::init_county_with(dir, "云岭县", around).expect("a county");
                schools = found_schools(&hub);
                hub
            }
            (_, Some((_, _, _, hub))) => {
                let node = Node::init_member_with(dir, &format!("设备{i}"), around).expect("a device");
                enrol_by_file(hub, &node, &grants(post, &schools));
                node
            }
        };
        if let (Post::School(s), true) = (post, teachers.len() < SCHOOLS) {
            teachers.push((0..3).map(|t| add_teacher(&node, &schools[s], t)).collect());
        }
        made.push((post, seed, disk, node));
    }
    let mut devices = Vec::new();
    for (i, (post, seed, disk, node)) in made.into_iter().enumerate() {
        drop(node);
        let image = disk.borrow().image();
        vfs::unmount(&format!("t{i}"));
        devices.push(Device {
            post,
            seed,
            image,
            identity: identity(i),
        });
    }
    County {
        devices,
        schools,
        teachers,
    }
}

fn identity(device: usize) -> String {
    format!("disk {device}")
}

fn found_schools(hub: &Node) -> Vec<String> {
    let input = |i: usize| OrganisationInput {
        name: format!("第{i}小学"),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    let all = (0..SCHOOLS).map(|i| (None, input(i))).collect();
    office::save_organisations(hub, &auditor(), all).expect("schools");
    let known = office::organisations(hub).expect("schools");
    (0..SCHOOLS)
        .filter_map(|i| known.iter().find(|o| o.name == format!("第{i}小学")))
        .map(|o| o.id.clone())
        .collect()
}

/// What a post is granted; mentors begin with three schools each.
pub fn grants(post: Post, schools: &[String]) -> Vec<(Role, String)> {
    match post {
        Post::Hub => vec![(Role::County, String::new())],
        Post::School(s) => vec![(Role::School, schools[s].clone())],
        Post::Mentor(m) => (0..3)
            .flat_map(|i| mentor_grants(m, &schools[(m * 3 + i) % SCHOOLS]))
            .collect(),
    }
}

/// A mentor's grants at one school.
pub fn mentor_grants(mentor: usize, school: &str) -> [(Role, String); 2] {
    [
        (Role::Mentor, format!("m{mentor}/{school}")),
        (Role::MentorReader, school.to_string()),
    ]
}

/// Enrols a device by file.
pub fn enrol_by_file(hub: &Node, node: &Node, grants: &[(Role, String)]) {
    let answer = enrol::approve(hub, &node.id(), &node.label(), grants).expect("approved");
    enrol::accept(node, &answer.text).expect("an answer");
    enrol::confirm(node).expect("pinned");
}

fn add_teacher(node: &Node, school: &str, n: usize) -> String {
    let input = teacher_input(&format!("教师{n}"), &format!("T{n}"));
    office::save_teacher(node, &clerk(), school, None, input).expect("a teacher")
}
