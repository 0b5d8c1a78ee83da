//! Acceptance 2 of issue 4 over real nodes: in whatever order, portions and repetitions the changes of devices that
//! were apart arrive, in whatever order the devices met, everybody who may read the same documents shows the same
//! totals, states and open questions.
//!
//! A seed decides everything: [`acts`] on devices of a [`town`], their meetings, and what reaches each reader when.

pub mod acts;
pub mod picture;
pub mod town;

use node::{Role, office};

use crate::apart::{heads, same};
use crate::sim::rng::Rng;
use crate::sim::vfs;
use crate::{add_school, add_session, add_teacher, held_session};

use acts::{Counts, Person, YEARS};
use picture::{Picture, differences, picture};
use town::{Courier, Device, all_changes, meet};

/// Rounds of work, with some meetings after each.
const ROUNDS: u64 = 2;

/// What a seed came to.
pub struct Outcome {
    /// What was done and met.
    pub counts: Counts,
    /// Where somebody says something else than somebody who holds the same.
    pub differing: Vec<String>,
}

/// Lets a seed's people work apart and their changes arrive at readers.
pub fn run(seed: u64) -> Outcome {
    vfs::begin(seed);
    let rng = &mut Rng::new(seed);
    let hub = Device::new("hub", true, rng);
    let schools = ["青石小学", "石门村小"].map(|name| add_school(&hub.place, name));
    let county = [(Role::County, String::new()), (Role::Auditor, String::new())];
    let at_school = |at: usize| [(Role::School, schools[at].clone())];
    let office = Device::enrolled("office", &hub, &county, rng);
    let a = Device::enrolled("a", &hub, &at_school(0), rng);
    let b = Device::enrolled("b", &hub, &at_school(0), rng);
    let c = Device::enrolled("c", &hub, &at_school(1), rng);
    // 欧阳㙇 was entered at both schools.
    let names = [("欧阳㙇", "T001"), ("王𬭊", "T002"), ("张三", "T003")];
    let people = names.map(|(name, code)| add_teacher(&a.place, name, code));
    for (name, code) in [names[0], ("李四", "T004")] {
        add_teacher(&c.place, name, code);
    }
    // What both computers of a school know, and may say different things about from the first day on.
    held_session(&a.place, "期中质量分析", "2025-10-09", &people);
    add_session(&a.place, "师德专题", "2025-10-10");
    let writers = [&hub, &office, &a, &b, &c];
    let everybody_meets = || {
        for _ in 0..3 {
            for device in &writers[1..] {
                meet(device, &hub);
            }
        }
    };
    everybody_meets();

    let mut counts = Counts::new();
    for round in 1..=ROUNDS {
        let mut turns: Vec<usize> = (0..writers.len()).flat_map(|at| [at; 6]).collect();
        rng.shuffle(&mut turns);
        for (minute, at) in turns.into_iter().enumerate() {
            let device = writers[at];
            device.tick(round * 1_000 + minute as u64);
            let account = ["王审核员", "刘审核员", "李专管员", "赵组长", "孙专管员"][at];
            Person::at(device, account, rng).act(&mut counts);
        }
        for _ in 0..rng.range(2, 6) {
            let pairs = [
                (&a, &hub),
                (&b, &hub),
                (&c, &hub),
                (&office, &hub),
                (&a, &b),
                (&a, &office),
            ];
            let (one, other) = pairs[rng.below(pairs.len() as u64) as usize];
            meet(one, other);
        }
    }
    everybody_meets();
    note_what_was_met(&hub, &mut counts);

    let courier = Courier::new(&hub, rng);
    let mut readers = Vec::new();
    for (name, grants) in [
        ("reader 1", &county[..]),
        ("reader 2", &county),
        ("reader 3 of a school", &at_school(0)),
        ("reader 4 of a school", &at_school(0)),
    ] {
        readers.push(Device::enrolled(name, &hub, grants, rng));
    }
    let all = all_changes(&writers);
    counts.insert("changes".into(), all.len() as u64);
    let readers: Vec<Device> = readers
        .into_iter()
        .map(|reader| courier.bring(&hub, reader, &all, rng))
        .collect();

    // Who may read the same; what one who wrote it says is compared with what each of the readers says.
    let turn = usize::from(seed.is_multiple_of(2));
    let circles = [
        [[&hub, &office][turn], &readers[0], &readers[1]],
        [[&a, &b][turn], &readers[2], &readers[3]],
    ];
    let mut differing = Vec::new();
    for circle in &circles {
        let places: Vec<&crate::Place> = circle.iter().map(|device| &device.place).collect();
        if !same(&places) {
            let lacking = circle
                .iter()
                .map(|device| (&device.name, heads(&device.place).len()));
            differing.push(format!("heads: {:?}", lacking.collect::<Vec<_>>()));
            continue;
        }
        let of = |device: &Device| picture(device.node(), &YEARS);
        let first: Picture = of(circle[0]);
        for device in &circle[1..] {
            let others = differences(&first, &of(device));
            differing.extend(
                others
                    .iter()
                    .map(|text| format!("{} or {}: {text}", circle[0].name, device.name)),
            );
        }
    }
    Outcome { counts, differing }
}

/// What there is to agree about, so that a seed without it is noticed.
fn note_what_was_met(hub: &Device, counts: &mut Counts) {
    let node = hub.node();
    let mut add = |name: &str, n: usize| *counts.entry(format!("met: {name}")).or_default() += n as u64;
    for found in office::open_conflicts(node).expect("conflicts") {
        add(&format!("open {}", found.matter.code()), 1);
    }
    for school in office::schools(node).expect("schools") {
        let claims = office::all_claims(node, &school.id).expect("claims");
        add("claims", claims.iter().count());
        add(
            "claims in dispute",
            claims.iter().filter(|claim| claim.disputed).count(),
        );
        add("late claims", claims.iter().filter(|claim| claim.late).count());
        let changed = |claim: &&office::ClaimRow| claim.state == office::ClaimState::ChangedAfterDecision;
        add(
            "claims changed after the decision",
            claims.iter().filter(changed).count(),
        );
    }
    let openings = office::openings(node, None).expect("openings");
    add(
        "openings that count",
        openings.iter().filter(|row| row.counts()).count(),
    );
    let closings = office::closings(node).expect("closings");
    add(
        "closings that stand",
        closings.iter().filter(|one| one.reopened.is_none()).count(),
    );
    let joined = office::same_persons(node).expect("same persons");
    add(
        "same persons",
        joined
            .iter()
            .filter(|one| !one.withdrawn && !one.disputed)
            .count(),
    );
    for person in node.records(&node::Filter::kind("person")).expect("persons") {
        let card = office::credit_card(node, &person.id)
            .expect("a card")
            .expect("a card");
        add("cards with credits", usize::from(card.card.total_c > 0));
        add("cards of several names", usize::from(!card.elsewhere.is_empty()));
        add("cards under two versions", usize::from(card.versions.len() > 1));
    }
}
