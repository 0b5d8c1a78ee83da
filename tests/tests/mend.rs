//! Backups put back, machines set back, directories cloned, branches cut: everybody goes on working, what a
//! person saw as saved stays, and nothing forks silently (design.md §4).
#![cfg(unix)]
// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use node::{Filter, Node, enrol, office};
use sync::DocKey;
use yanxiu_tests::*;

async fn meet(place: &mut Place) {
    place.up().await;
    at_county(place).await;
    place.down().await;
}

/// Heads of every log that both hold.
fn heads(node: &Node) -> Vec<(String, Vec<[u8; 32]>)> {
    node.read(|c| {
        let mut all = Vec::new();
        for d in store::changes::documents(c)? {
            if d.key.segment(0) == Some("log") {
                all.push((d.key.to_string(), store::changes::heads(c, d.id)?));
            }
        }
        all.sort();
        Ok(all)
    })
    .unwrap()
}

struct Scene {
    county: Place,
    school: Place,
}

/// A county and a school with one session at both; the school is down and has been copied.
async fn scene() -> (Scene, tempfile::TempDir) {
    let mut county = Place::county();
    let id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &id, "青石小学 电脑");
    county.up().await;
    school.knows(&county);
    add_session(&school, "之前", "2025-10-01");
    meet(&mut school).await;
    let copy = school.copy();
    (Scene { county, school }, copy)
}

/// The backup is written over the files in their place, and the clerk types before any contact.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_put_back_in_its_place_is_noticed_at_once() {
    let (
        Scene {
            mut county,
            mut school,
        },
        backup,
    ) = scene().await;
    add_session(&school, "备份之后", "2025-10-02");
    meet(&mut school).await;
    let store = school.node.store_id();
    let mut school = school.put_back(&backup);
    assert_ne!(school.node.store_id(), store);
    assert_eq!(school.event_codes(), ["copied"]);
    add_session(&school, "恢复之后", "2025-10-03");
    school.up().await;
    let all = sorted(&["之前", "备份之后", "恢复之后"]);
    until("both have all three", 30, || {
        titles(&county) == all && titles(&school) == all
    })
    .await;
    at_county(&school).await;
    assert!(county.node.quarantines().unwrap().is_empty());
    assert!(school.node.quarantines().unwrap().is_empty());
    school.down().await;
    county.down().await;
}

/// A virtual machine is set back and nothing was typed since: the lost records come back with the first
/// contact, and what is typed then takes none of their numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_set_back_takes_its_records_back() {
    let (
        Scene {
            mut county,
            mut school,
        },
        snapshot,
    ) = scene().await;
    add_session(&school, "丢失一", "2025-10-02");
    add_session(&school, "丢失二", "2025-10-03");
    meet(&mut school).await;
    drop(school);
    let mut school = Place::set_back(snapshot);
    assert_eq!(
        school.event_codes(),
        Vec::<String>::new(),
        "nothing in the directory tells"
    );
    assert_eq!(titles(&school), ["之前"]);
    let store = school.node.store_id();
    school.up().await;
    let three = sorted(&["之前", "丢失一", "丢失二"]);
    until("its records are back", 30, || titles(&school) == three).await;
    until("it has noticed", 10, || {
        school.event_codes().contains(&"rolled-back".into())
    })
    .await;
    assert_ne!(school.node.store_id(), store);
    add_session(&school, "之后", "2025-10-04");
    at_county(&school).await;
    until("the county has all", 10, || titles(&county).len() == 4).await;
    assert!(county.node.quarantines().unwrap().is_empty());
    until("both hold the same", 10, || {
        heads(&county.node) == heads(&school.node)
    })
    .await;
    school.down().await;
    county.down().await;
}

/// The same, and the clerk has typed before the first contact: two changes with one number. Both branches'
/// records stay, at all times, without anybody's help.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_set_back_and_typed_into_loses_neither_branch() {
    let (
        Scene {
            mut county,
            mut school,
        },
        snapshot,
    ) = scene().await;
    add_session(&school, "丢失一", "2025-10-02");
    add_session(&school, "丢失二", "2025-10-03");
    meet(&mut school).await;
    drop(school);
    let mut school = Place::set_back(snapshot);
    add_session(&school, "新写一", "2025-10-04");
    add_session(&school, "新写二", "2025-10-05");
    add_session(&school, "新写三", "2025-10-06");
    let typed = ["新写一", "新写二", "新写三"];
    let shown = || {
        let now = titles(&school);
        assert!(
            typed.iter().all(|t| now.contains(&t.to_string())),
            "gone from the page: {now:?}"
        );
        now
    };
    let mut network = node::Network::start(
        school.node.clone(),
        node::NetworkConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            mdns: false,
            retry_min: std::time::Duration::from_millis(150),
            ..node::NetworkConfig::default()
        },
    )
    .await
    .unwrap();
    let all = sorted(&["之前", "丢失一", "丢失二", "新写一", "新写二", "新写三"]);
    until("both have both branches", 30, || {
        let here = shown();
        here == all && titles(&county) == all
    })
    .await;
    at_county(&school).await;
    until("both hold the same", 10, || {
        heads(&county.node) == heads(&school.node)
    })
    .await;
    assert!(school.event_codes().contains(&"own-branch".into()));
    assert!(school.node.quarantines().unwrap().is_empty());
    // The county sees it, with the evidence, and nobody else is touched.
    let seen = county.node.quarantines().unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].fault, "Equivocation");
    assert_eq!(seen[0].actor.device, school.node.id());
    // Once said is enough: a new start says nothing twice.
    network.stop().await;
    let before = heads(&school.node);
    drop(Node::open(school.node.dir()).unwrap());
    assert_eq!(heads(&school.node), before);
    network = node::Network::start(
        school.node.clone(),
        node::NetworkConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            mdns: false,
            ..node::NetworkConfig::default()
        },
    )
    .await
    .unwrap();
    add_session(&school, "再后来", "2025-10-07");
    at_county(&school).await;
    until("and shown", 10, || titles(&county).len() == 7).await;
    network.stop().await;
    county.down().await;
    let _ = &mut school;
}

/// A long time is lost, and as much was typed since: more than is looked at in one step.
#[tokio::test(flavor = "multi_thread")]
async fn long_branches_are_mended_too() {
    let (
        Scene {
            mut county,
            mut school,
        },
        snapshot,
    ) = scene().await;
    let session = add_session(&school, "共同", "2025-10-01");
    let edit = |place: &Place, n: usize, what: &str| {
        let home = place.node.home_school().unwrap();
        for i in 0..n {
            let input = session_input(&format!("{what}{i}"), "2025-10-02");
            office::save_session(&place.node, &clerk(), &home, None, input).unwrap();
        }
    };
    let _ = session;
    edit(&school, 150, "丢失");
    meet(&mut school).await;
    drop(school);
    let mut school = Place::set_back(snapshot);
    // As many changes as the county has of it, so that no number tells.
    edit(&school, 151, "新写");
    school.up().await;
    until("both have both branches", 60, || {
        [&county, &school].iter().all(|p| {
            let now = titles(p);
            let of = |what: &str| now.iter().filter(|t| t.starts_with(what)).count();
            of("丢失") == 150 && of("新写") == 151 && of("共同") == 1
        })
    })
    .await;
    at_county(&school).await;
    until("both hold the same", 20, || {
        heads(&county.node) == heads(&school.node)
    })
    .await;
    school.down().await;
    county.down().await;
}

/// A neighbour alone has the lost branch; the county gets the new one first.
#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_only_a_neighbour_has_is_not_lost() {
    let (
        Scene {
            mut county,
            mut school,
        },
        snapshot,
    ) = scene().await;
    let home = school.node.home_school().unwrap();
    let mut neighbour = Place::school(&county, &home, "青石小学 第二台");
    neighbour.knows(&county);
    meet(&mut neighbour).await;
    county_tells(&county, &school, &neighbour);
    county.down().await;
    // Without the county the two meet; then the first is set back.
    add_session(&school, "邻居有", "2025-10-02");
    neighbour.up().await;
    school.knows(&neighbour);
    school.up().await;
    until("the neighbour has it", 30, || {
        titles(&neighbour).contains(&"邻居有".into())
    })
    .await;
    school.down().await;
    neighbour.down().await;
    drop(school);
    let mut school = Place::set_back(snapshot);
    county_tells(&county, &school, &neighbour);
    add_session(&school, "新写", "2025-10-03");
    county.up().await;
    meet(&mut school).await;
    until("the county has the new one", 10, || {
        titles(&county) == sorted(&["之前", "新写"])
    })
    .await;
    // Now the neighbour comes with the old branch: both are there, on all three.
    school.knows(&neighbour);
    school.up().await;
    neighbour.up().await;
    let all = sorted(&["之前", "邻居有", "新写"]);
    until("the school and the county have both", 40, || {
        titles(&school) == all && titles(&county) == all
    })
    .await;
    at_county(&school).await;
    add_session(&school, "照常", "2025-10-05");
    until("work goes on", 30, || titles(&county).contains(&"照常".into())).await;
    at_county(&school).await;
    // The county's cut makes all three equal: it keeps what it holds.
    let q = county.node.quarantines().unwrap();
    for q in &q {
        let key = DocKey::parse(&q.document).unwrap();
        let (seq, hash) = county
            .node
            .read(|c| {
                let doc = store::changes::find(c, &key)?.unwrap();
                let all = store::changes::vector(c, doc)?;
                Ok(all
                    .into_iter()
                    .find(|v| v.0 == q.actor)
                    .map(|v| (v.1, v.2))
                    .unwrap())
            })
            .unwrap();
        enrol::cut(&county.node, &key, q.actor, seq, hash).unwrap();
    }
    assert_eq!(q.len(), 1, "{q:?}");
    let all = sorted(&["之前", "邻居有", "新写", "照常"]);
    until("all three are equal", 60, || {
        heads(&county.node) == heads(&school.node)
            && heads(&county.node) == heads(&neighbour.node)
            && [&county, &school, &neighbour].iter().all(|p| titles(p) == all)
    })
    .await;
    // What was said twice is one record, no dispute, and can be edited.
    let sessions = office::sessions(&school.node, None, 100).unwrap();
    let twice = sessions.iter().find(|s| s.title == "新写").unwrap();
    let input = session_input("新写改", &twice.date);
    office::save_session(&school.node, &clerk(), &home, Some(&twice.id), input).unwrap();
    let all = sorted(&["之前", "邻居有", "新写改", "照常"]);
    until("the edit is everywhere", 20, || {
        [&county, &school, &neighbour].iter().all(|p| titles(p) == all)
    })
    .await;
    for place in [&county, &school, &neighbour] {
        let records = place.node.records(&Filter::kind("session")).unwrap();
        assert!(records.iter().all(|r| !r.disputed), "{records:?}");
    }
    for place in [&mut county, &mut school, &mut neighbour] {
        place.down().await;
    }
}

/// A crash after a branch was left and before its values were said again: the next start says them, once.
#[test]
fn what_was_left_before_a_crash_is_said_at_the_next_start() {
    let county = Place::county();
    let home = add_school(&county, "青石小学");
    let school = Place::school(&county, &home, "青石小学 电脑");
    for title in ["一", "二", "三"] {
        add_session(&school, title, "2025-10-01");
    }
    let key = DocKey::parse(&format!("log/{home}/2025")).unwrap();
    let gone = school
        .node
        .local(|c| {
            let doc = store::changes::find(c, &key)?.unwrap();
            let actor = store::changes::vector(c, doc)?[0].0;
            store::aside::set_aside(c, &key, &actor, 2, store::aside::Why::Withdrawn, 0)
        })
        .unwrap();
    assert_eq!(gone, 2);
    let all = sorted(&["一", "二", "三"]);
    assert_eq!(titles(&school), all, "nobody sees them gone");
    let again = Node::open(school.node.dir()).unwrap();
    let after = heads(&again);
    assert_eq!(titles(&school), all);
    drop(Node::open(school.node.dir()).unwrap());
    assert_eq!(heads(&again), after, "said once");
    let actors = again
        .read(|c| {
            let doc = store::changes::find(c, &key)?.unwrap();
            store::changes::vector(c, doc)
        })
        .unwrap();
    assert_eq!(actors.len(), 2, "a new incarnation: {actors:?}");
}

/// The county cuts before the machine that was set back has met anybody: it keeps what the county holds, and
/// what was typed on the other branch is said again.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_names_the_other_branch_loses_nothing() {
    let (
        Scene {
            mut county,
            mut school,
        },
        snapshot,
    ) = scene().await;
    for i in 0..3 {
        add_session(&school, &format!("县里有{i}"), "2025-10-02");
    }
    meet(&mut school).await;
    county.down().await;
    drop(school);
    let mut school = Place::set_back(snapshot);
    for i in 0..5 {
        add_session(&school, &format!("没交过{i}"), "2025-10-03");
    }
    // The office has heard of it by telephone.
    let home = school.node.home_school().unwrap();
    let key = DocKey::parse(&format!("log/{home}/2025")).unwrap();
    let last = county
        .node
        .read(|c| {
            let doc = store::changes::find(c, &key)?.unwrap();
            store::changes::vector(c, doc)
        })
        .unwrap();
    let (actor, seq, hash) = last[0];
    enrol::cut(&county.node, &key, actor, seq, hash).unwrap();
    county.up().await;
    school.up().await;
    let all = sorted(&[
        "之前",
        "县里有0",
        "县里有1",
        "县里有2",
        "没交过0",
        "没交过1",
        "没交过2",
        "没交过3",
        "没交过4",
    ]);
    until("both have both branches", 40, || {
        titles(&county) == all && titles(&school) == all
    })
    .await;
    at_county(&school).await;
    until("both hold the same", 20, || {
        heads(&county.node) == heads(&school.node)
    })
    .await;
    assert!(county.node.cases().unwrap().cases.iter().all(|c| c.cut.is_some()));
    add_session(&school, "照常", "2025-10-08");
    until("work goes on", 20, || titles(&county).len() == 10).await;
    school.down().await;
    county.down().await;
}

/// Two machines from one image, both running: the same key, store and actor.
#[tokio::test(flavor = "multi_thread")]
async fn a_clone_beside_its_original_forks_nothing() {
    let (
        Scene {
            mut county,
            mut school,
        },
        image,
    ) = scene().await;
    let mut clone = Place::set_back(image);
    for round in 0..3 {
        add_session(&school, &format!("原机{round}"), "2025-10-02");
        add_session(&clone, &format!("克隆{round}"), "2025-10-03");
        // One key: they meet the county one after the other.
        meet(&mut clone).await;
        meet(&mut school).await;
    }
    meet(&mut clone).await;
    let all = sorted(&["之前", "原机0", "原机1", "原机2", "克隆0", "克隆1", "克隆2"]);
    until("the county has all", 10, || titles(&county) == all).await;
    for place in [&mut school, &mut clone] {
        place.up().await;
        until("it has all", 30, || titles(place) == all).await;
        until("it holds what the county holds", 10, || {
            heads(&county.node) == heads(&place.node)
        })
        .await;
        place.down().await;
    }
    county.down().await;
}

/// The hub itself is set back, and decides before a school has met it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_set_back_takes_its_own_work_back() {
    let mut county = Place::county();
    let id = add_school(&county, "青石小学");
    let mut school = Place::school(&county, &id, "青石小学 电脑");
    county.up().await;
    school.knows(&county);
    add_session(&school, "之前", "2025-10-01");
    meet(&mut school).await;
    county.down().await;
    let snapshot = county.copy();
    county.up().await;
    add_school(&county, "后来的学校");
    add_session(&school, "县里丢过的", "2025-10-02");
    school.up().await;
    until("the school has the new list", 30, || {
        office::organisations(&school.node).unwrap().len() == 2
    })
    .await;
    at_county(&school).await;
    county.down().await;
    let port = county.address();
    drop(county);
    let mut county = Place::set_back(snapshot);
    add_school(&county, "又一所学校");
    county.up_at(&port).await;
    until("nothing is lost", 40, || {
        let names = |p: &Place| {
            let mut all: Vec<String> = office::organisations(&p.node)
                .unwrap()
                .into_iter()
                .map(|o| o.name)
                .collect();
            all.sort();
            all
        };
        let all = sorted(&["青石小学", "后来的学校", "又一所学校"]);
        names(&county) == all && names(&school) == all && titles(&county).len() == 2
    })
    .await;
    at_county(&school).await;
    school.down().await;
    county.down().await;
}

/// The county puts a device out after another one has built on what is cut: the honest one says it again.
#[tokio::test(flavor = "multi_thread")]
async fn honest_work_on_top_of_a_cut_is_said_again() {
    let mut county = Place::county();
    let home = add_school(&county, "青石小学");
    let mut lost = Place::school(&county, &home, "会丢的电脑");
    let mut honest = Place::school(&county, &home, "另一台");
    county.up().await;
    lost.knows(&county);
    honest.knows(&county);
    add_session(&lost, "撤销前", "2025-10-01");
    meet(&mut lost).await;
    meet(&mut honest).await;
    county.down().await;
    // The thief writes, the honest device takes it along and goes on, on top of it.
    county_tells(&county, &lost, &honest);
    let stolen = add_session(&lost, "撤销后", "2025-10-08");
    lost.up().await;
    honest.up().await;
    honest.knows(&lost);
    until("the honest one has it", 30, || titles(&honest).len() == 2).await;
    lost.down().await;
    let person = add_teacher(&honest, "张三", "T1");
    held_session(&honest, "诚实的活动", "2025-10-09", std::slice::from_ref(&person));
    let _ = stolen;
    let before = [
        honest.node.count(&Filter::kind("attendance")).unwrap(),
        honest.node.count(&Filter::kind("claim")).unwrap(),
    ];
    assert_eq!(before, [1, 1]);
    enrol::revoke(&county.node, &lost.node.id()).unwrap();
    county.up().await;
    let all = sorted(&["撤销前", "诚实的活动"]);
    until("both show what counts, and all of it", 40, || {
        titles(&honest) == all && titles(&county) == all
    })
    .await;
    at_county(&honest).await;
    for place in [&honest, &county] {
        assert_eq!(
            [
                place.node.count(&Filter::kind("attendance")).unwrap(),
                place.node.count(&Filter::kind("claim")).unwrap(),
            ],
            before
        );
    }
    until("both hold the same", 20, || {
        heads(&county.node) == heads(&honest.node)
    })
    .await;
    assert!(county.node.quarantines().unwrap().is_empty());
    assert!(honest.event_codes().contains(&"said-again".into()));
    // And it goes on.
    add_session(&honest, "之后照常", "2025-10-12");
    until("its work arrives", 20, || {
        titles(&county).contains(&"之后照常".into())
    })
    .await;
    for place in [&mut county, &mut honest] {
        place.down().await;
    }
}
