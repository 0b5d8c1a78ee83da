//! Records that travel by stick: nodes that never meet over a network, and carriers that cannot read.

use std::fs;
use std::path::{Path, PathBuf};

use node::bundle::{self, BundleError};
use node::mail::{self, Delivered};
use node::office;
use node::stick::{self, Report, Wishes};
use node::{Error, Filter, Node, Role, Way, enrol};
use yanxiu_tests::{
    Place, add_school, add_teacher, clerk, held_session, issued_bulletin, recognise, sorted, titles,
};

fn plug(place: &Place, stick: &Path) -> Report {
    let report = stick::exchange(&place.node, stick, &Wishes::default()).expect("a stick");
    let last = report.lines().pop().expect("a line");
    println!("{:#?}", report.lines());
    assert!(last.0.contains("可以拔下U盘"), "{last:?}");
    report
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

fn bundles(dir: &Path) -> Vec<PathBuf> {
    let mut all = files(dir);
    all.retain(|p| p.extension().is_some_and(|e| e == "yx"));
    all
}

fn ways(place: &Place) -> Vec<Way> {
    let mut all: Vec<Way> = ["person", "session", "attendance", "claim"]
        .iter()
        .flat_map(|k| place.node.records(&Filter::kind(k)).expect("records"))
        .map(|r| r.way)
        .collect();
    all.sort();
    all.dedup();
    all
}

/// A school with one session of three teachers, and its county; the school has no network at all.
fn school_with_work(county: &Place, name: &str, teachers: [&str; 3]) -> (Place, String) {
    let id = add_school(county, name);
    let school = Place::school(county, &id, &format!("{name} 办公室电脑"));
    let people: Vec<String> = (1..)
        .zip(teachers)
        .map(|(i, t)| add_teacher(&school, t, &format!("T{i}")))
        .collect();
    held_session(&school, &format!("{name}集体备课"), "2025-11-03", &people);
    (school, id)
}

/// Acceptance 1, the stick: A (never on a network) → county → A.
#[test]
fn a_stick_to_the_county_and_back_shows_what_has_arrived() {
    let county = Place::county();
    let (school, school_id) = school_with_work(&county, "青石小学", ["欧阳㙇", "王𬭊", "张三"]);
    let stick = tempfile::tempdir().unwrap();
    assert_eq!(ways(&school), [Way::Saved]);

    let report = plug(&school, stick.path());
    assert_eq!(report.written.len(), 1);
    let at = stick.path().join("研修U盘");
    assert!(at.join("先看这里.txt").is_file());
    let name = bundles(&at.join("送县里"))[0]
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert!(
        name.starts_with("青石小学 办公室电脑-20") && name.ends_with("-1之1.yx"),
        "{name}"
    );
    println!("school → stick: {} bytes", report.written[0].bytes);
    // Written once: nothing is new the second time.
    assert!(plug(&school, stick.path()).written.is_empty());
    assert_eq!(
        ways(&school),
        [Way::Saved],
        "nothing is believed without a receipt"
    );

    let report = plug(&county, stick.path());
    assert_eq!(
        (report.taken.len(), report.failed.len(), report.written.len()),
        (1, 0, 1)
    );
    assert!(
        report.taken[0].stored > 0 && report.taken[0].held == 0,
        "{:?}",
        report.taken
    );
    assert_eq!(titles(&county), ["青石小学集体备课"]);
    assert_eq!(office::roster(&county.node, &school_id).unwrap().len(), 3);
    // What was taken up is off the stick, and the answer on it.
    let left = bundles(&at);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        left[0].starts_with(at.join("带给学校").join("青石小学 办公室电脑")),
        "{left:?}"
    );

    let report = plug(&school, stick.path());
    assert_eq!(report.taken.len(), 1);
    assert!(report.taken[0].arrived > 0, "{:?}", report.taken);
    assert_eq!(ways(&school), [Way::AtCounty]);
    assert_eq!(school.node.not_at_county().unwrap(), 0);
    // The county's list of schools came along.
    assert_eq!(office::organisations(&school.node).unwrap().len(), 1);

    // A decision goes the same way; receipts alone are answered by nothing.
    let claim = office::audit_queue(&county.node, 10).unwrap()[0].id.clone();
    recognise(&county, &claim, "2025-11-10").unwrap();
    plug(&county, stick.path());
    let report = plug(&school, stick.path());
    assert!(report.taken.iter().any(|t| t.stored > 0));
    let decided = office::claims(&school.node, None, 10).unwrap();
    assert!(
        decided
            .iter()
            .any(|c| c.id == claim && matches!(c.state, office::ClaimState::Decided { .. })),
        "{decided:?}"
    );
    for _ in 0..3 {
        plug(&county, stick.path());
        plug(&school, stick.path());
    }
    let report = plug(&county, stick.path());
    assert!(
        report.taken.is_empty() && report.written.is_empty(),
        "it has come to rest: {report:?}"
    );
    assert!(mail::list(&school.node).unwrap().iter().all(|i| i.changes == 0));
}

fn contains(dir: &Path, text: &str) -> bool {
    files(dir).iter().any(|path| {
        let bytes = fs::read(path).expect("read");
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    })
}

/// Acceptance 1, the neighbour: B's whole directory holds none of A's texts.
#[test]
fn a_neighbour_carries_what_it_cannot_read() {
    let county = Place::county();
    let (a, _) = school_with_work(&county, "青石小学", ["欧阳㙇", "王𬭊", "张三"]);
    let (b, _) = school_with_work(&county, "白沙小学", ["李四", "赵五", "钱六"]);
    let stick = tempfile::tempdir().unwrap();
    // B hears of A's device from the county, as over any link or by its own stick.
    plug(&b, stick.path());
    plug(&county, stick.path());
    plug(&b, stick.path());
    let stick = tempfile::tempdir().unwrap();
    plug(&a, stick.path());
    let report = plug(&b, stick.path());
    assert_eq!((report.taken.len(), report.carried), (0, 1));
    let carried: Vec<_> = mail::list(&b.node)
        .unwrap()
        .into_iter()
        .filter(|i| i.from == a.node.id())
        .collect();
    assert_eq!(carried.len(), 1);
    let bytes = mail::read(&b.node, &carried[0].name).unwrap().unwrap();
    let error = bundle::take(&b.node, &bytes).unwrap_err();
    assert!(
        matches!(error, Error::Bundle(BundleError::NotForUs { .. })),
        "{error}"
    );
    for text in ["欧阳㙇", "青石小学集体备课", "读懂学生的错误"] {
        assert!(contains(a.node.dir(), text), "{text} is at A");
        let own = text == "读懂学生的错误";
        assert_eq!(contains(b.node.dir(), text), own, "{text} at B");
        assert!(!contains(stick.path(), text), "{text} on the stick");
    }
    // The stick is lost; B's mail reaches the county over a link, and the answer comes back the same way.
    drop(stick);
    assert!(matches!(mail::deliver(&county.node, &bytes).unwrap(), Delivered::Taken(t) if t.stored > 0));
    assert!(titles(&county).contains(&"青石小学集体备课".to_string()));
    let answer: Vec<_> = mail::list(&county.node)
        .unwrap()
        .into_iter()
        .filter(|i| i.to == a.node.id())
        .collect();
    assert_eq!(answer.len(), 1);
    let answer = mail::read(&county.node, &answer[0].name).unwrap().unwrap();
    assert_eq!(mail::deliver(&b.node, &answer).unwrap(), Delivered::Kept);
    let left: Vec<_> = mail::list(&b.node)
        .unwrap()
        .into_iter()
        .filter(|i| i.from == a.node.id())
        .collect();
    assert!(
        left.is_empty(),
        "the answer has passed through: what it answers need not be carried any more"
    );
    assert!(matches!(mail::deliver(&a.node, &answer).unwrap(), Delivered::Taken(t) if t.arrived > 0));
    assert_eq!(ways(&a), [Way::AtCounty]);
}

/// Three parts, the second first, one twice.
#[test]
fn parts_may_come_alone_in_any_order_and_twice() {
    let county = Place::county();
    let (school, _) = school_with_work(&county, "双河小学", ["欧阳㙇", "王𬭊", "张三"]);
    let people: Vec<String> = (10..150)
        .map(|i| add_teacher(&school, &format!("教师{i}"), &format!("T{i}")))
        .collect();
    for day in 1..=28 {
        held_session(
            &school,
            &format!("第{day:02}次备课"),
            &format!("2025-10-{day:02}"),
            &people,
        );
    }
    let parts = bundle::make(&school.node, &county.node.id(), bundle::MIN).unwrap();
    assert!(parts.len() >= 3, "{}", parts.len());
    println!(
        "{} parts of {:?} bytes",
        parts.len(),
        parts.iter().map(|p| p.bytes.len()).collect::<Vec<_>>()
    );
    assert!(parts.iter().all(|p| p.bytes.len() <= bundle::MIN));
    let take = |i: usize| bundle::take(&county.node, &parts[i].bytes).expect("taken");
    let second = take(1);
    assert!(second.held > 0, "{second:?}");
    assert!(
        !second.again && second.words().0.contains("在等"),
        "{:?}",
        second.words()
    );
    // What it is answered with says nothing of what only waits.
    let early = bundle::make(&county.node, &school.node.id(), bundle::MAX).unwrap();
    bundle::take(&school.node, &early[0].bytes).unwrap();
    assert!(school.node.not_at_county().unwrap() > 0);
    for i in (0..parts.len()).rev() {
        take(i);
    }
    let again = take(0);
    assert!(
        again.again && again.stored == 0 && again.words().0.contains("以前收过"),
        "{again:?}"
    );
    assert_eq!(titles(&county), titles(&school));
    let answer = bundle::make(&county.node, &school.node.id(), bundle::MAX).unwrap();
    let back = bundle::take(&school.node, &answer[0].bytes).unwrap();
    assert!(back.arrived > 0, "{back:?}");
    assert_eq!(school.node.not_at_county().unwrap(), 0);
    // Now the cursor has moved: nothing is left to send, and one record more is a small bundle.
    assert!(
        mail::prepare(&school.node, &county.node.id(), bundle::MAX)
            .unwrap()
            .iter()
            .all(|i| i.changes == 0)
    );
    add_teacher(&school, "新来的老师", "T999");
    let one = bundle::make(&school.node, &county.node.id(), bundle::MAX).unwrap();
    assert_eq!(bundle::take(&county.node, &one[0].bytes).unwrap().changes, 1);
}

#[test]
fn what_was_changed_on_the_way_or_comes_of_a_revoked_device_is_refused_in_plain_words() {
    let county = Place::county();
    let (school, _) = school_with_work(&county, "青石小学", ["欧阳㙇", "王𬭊", "张三"]);
    let made = bundle::make(&school.node, &county.node.id(), bundle::MAX)
        .unwrap()
        .remove(0);
    let refused = |bytes: &[u8]| match bundle::take(&county.node, bytes) {
        Err(Error::Bundle(error)) => error,
        other => panic!("{other:?}"),
    };
    let body = made.bytes.len() - made.head.body_len as usize;
    for i in (0..body).step_by(7) {
        let mut bytes = made.bytes.clone();
        bytes[i] ^= 4;
        refused(&bytes);
    }
    let mut bytes = made.bytes.clone();
    bytes[body + 400] ^= 1;
    assert!(matches!(refused(&bytes), BundleError::Damaged { .. }));
    assert!(matches!(
        refused(&made.bytes[..body + 100]),
        BundleError::Damaged { .. }
    ));
    assert!(matches!(refused(b"PK\x03\x04"), BundleError::NoBundle));
    assert!(titles(&county).is_empty());
    // A node of another county takes nothing.
    let other = Place::county();
    assert!(matches!(
        bundle::take(&other.node, &made.bytes),
        Err(Error::Bundle(BundleError::NotForUs { .. }))
    ));
    assert!(matches!(
        mail::keep(&other.node, &made.bytes),
        Err(Error::Bundle(BundleError::Stranger(_)))
    ));
    // Nor does a device that is not enrolled.
    let new = Place::device("新电脑");
    assert!(matches!(
        bundle::take(&new.node, &made.bytes),
        Err(Error::NotEnrolled)
    ));
    enrol::revoke(&county.node, &school.node.id()).unwrap();
    let error = refused(&made.bytes);
    assert!(
        matches!(error, BundleError::Revoked(_)) && error.zh().contains("撤销"),
        "{error}"
    );
    assert!(titles(&county).is_empty());
    assert!(matches!(
        bundle::make(&county.node, &school.node.id(), bundle::MAX),
        Err(Error::Bundle(BundleError::NotAMember(_)))
    ));
}

/// A stick that cannot be written to; and what others gave to carry is bounded, our own is not lost.
#[test]
fn a_bad_stick_loses_nothing_and_a_carrier_keeps_its_limit() {
    let county = Place::county();
    let (a, _) = school_with_work(&county, "青石小学", ["欧阳㙇", "王𬭊", "张三"]);
    let (b, _) = school_with_work(&county, "白沙小学", ["李四", "赵五", "钱六"]);
    // A file where our folder should be: nothing can be written, whoever runs the tests.
    let bad = tempfile::tempdir().unwrap();
    fs::write(bad.path().join("研修U盘"), "别的文件").unwrap();
    let report = stick::exchange(&a.node, bad.path(), &Wishes::default()).unwrap();
    assert!(report.unwritten.is_some() && report.written.is_empty());
    assert!(
        report.lines().pop().unwrap().0.contains("没有丢失"),
        "{:?}",
        report.lines()
    );
    assert_eq!(mail::list(&a.node).unwrap().len(), 1, "it is still here, sealed");
    assert!(stick::exchange(&a.node, &bad.path().join("没有"), &Wishes::default()).is_err());

    let stick = tempfile::tempdir().unwrap();
    plug(&b, stick.path());
    plug(&county, stick.path());
    plug(&b, stick.path());
    let one = bundle::make(&a.node, &county.node.id(), bundle::MAX)
        .unwrap()
        .remove(0);
    mail::set_limit(&b.node, one.bytes.len() as u64 * 3 / 2).unwrap();
    assert_eq!(mail::keep(&b.node, &one.bytes).unwrap(), Delivered::Kept);
    assert_eq!(mail::keep(&b.node, &one.bytes).unwrap(), Delivered::Known);
    let two = bundle::make(&a.node, &county.node.id(), bundle::MAX)
        .unwrap()
        .remove(0);
    assert_ne!(one.name, two.name);
    assert_eq!(mail::keep(&b.node, &two.bytes).unwrap(), Delivered::Kept);
    let carried = |node: &Node| -> Vec<String> {
        let all = mail::list(node).unwrap().into_iter();
        all.filter(|i| i.from == a.node.id()).map(|i| i.name).collect()
    };
    assert_eq!(
        carried(&b.node),
        std::slice::from_ref(&two.name),
        "the oldest went"
    );
    mail::set_limit(&b.node, 0).unwrap();
    assert!(carried(&b.node).is_empty());
    assert!(mail::keep(&b.node, &one.bytes).is_err());
    assert!(mail::read(&b.node, "../device.key").unwrap().is_none());
}

/// A PC that died: a new one in its place is filled from one stick.
#[test]
fn a_new_computer_of_a_school_is_filled_by_a_stick_of_the_county() {
    let county = Place::county();
    let (old, school_id) = school_with_work(&county, "青石小学", ["欧阳㙇", "王𬭊", "张三"]);
    let stick = tempfile::tempdir().unwrap();
    plug(&old, stick.path());
    plug(&county, stick.path());
    drop(old);
    let new = Place::device("青石小学 新电脑");
    new.enrol(&county, &[(Role::School, school_id.clone())]);
    // The county makes a folder with the school's name, and plugs in.
    fs::create_dir_all(stick.path().join("研修U盘/带给学校/青石小学")).unwrap();
    plug(&county, stick.path());
    // Somebody names the folder itself.
    let report = plug(&new, &stick.path().join("研修U盘"));
    assert!(!stick.path().join("研修U盘/研修U盘").exists());
    assert!(report.taken.iter().any(|t| t.stored > 0), "{report:?}");
    assert_eq!(titles(&new), sorted(&["青石小学集体备课"]));
    assert_eq!(office::roster(&new.node, &school_id).unwrap().len(), 3);
}

/// At the county, a file lies where one school's folder should be: the others get theirs, and that one is named.
#[test]
fn a_folder_that_cannot_be_made_holds_up_no_other_school() {
    let county = Place::county();
    let schools: Vec<Place> = ["青石小学", "白沙小学", "黑井小学"]
        .iter()
        .map(|name| Place::school(&county, &add_school(&county, name), &format!("{name} 电脑")))
        .collect();
    let stick = tempfile::tempdir().unwrap();
    let to_schools = stick.path().join("研修U盘/带给学校");
    fs::create_dir_all(&to_schools).unwrap();
    fs::write(to_schools.join("白沙小学 电脑"), "别的文件").unwrap();
    let everyone = Wishes {
        everyone: true,
        ..Wishes::default()
    };
    let report = stick::exchange(&county.node, stick.path(), &everyone).unwrap();
    let mut to: Vec<&str> = report.written.iter().map(|w| w.to.as_str()).collect();
    to.sort();
    assert_eq!(to, sorted(&["青石小学 电脑", "黑井小学 电脑"]));
    let missed: Vec<&str> = report.missed.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(missed, ["白沙小学 电脑"]);
    assert!(!report.all_written() && report.unwritten.is_none());
    let words = report.lines();
    assert!(
        words
            .iter()
            .any(|(zh, _)| zh.starts_with("给“白沙小学 电脑”的没有写到U盘")),
        "{words:?}"
    );
    assert!(words.last().unwrap().0.contains("没有丢失"), "{words:?}");
    // The same again with the file out of the way: what is still to go goes.
    fs::remove_file(to_schools.join("白沙小学 电脑")).unwrap();
    let report = stick::exchange(&county.node, stick.path(), &everyone).unwrap();
    assert!(report.all_written(), "{report:?}");
    for place in &schools {
        let taken = stick::take(&place.node, stick.path()).unwrap();
        assert_eq!(taken.taken.len(), 1, "{:?}", taken.failed);
    }
}

/// A bulletin reaches a school that has no network, and that it was read comes back the same way (domain.md C20, F4).
#[test]
fn a_bulletin_goes_to_a_school_on_a_stick_and_the_reading_comes_back() {
    let county = Place::county();
    let (school, _) = school_with_work(&county, "青石小学", ["欧阳㙇", "王𬭊", "张三"]);
    let (silent, _) = school_with_work(&county, "石门村小", ["张四", "李五", "赵六"]);
    let id = issued_bulletin(&county);
    let reach = || office::reach(&county.node, &[&id]).unwrap().remove(0);
    assert_eq!(sorted(&["石门村小", "青石小学"]), {
        let mut missing = reach().missing;
        missing.sort();
        missing
    });
    // Nobody has read what is not there.
    assert!(office::read_bulletin(&school.node, &clerk(), &id, "2025-10-22").is_err());

    let stick = tempfile::tempdir().unwrap();
    for place in [&school, &county, &school] {
        plug(place, stick.path());
    }
    let there = office::bulletins(&school.node).unwrap();
    assert!(there.len() == 1 && there[0].in_force() && there[0].id == id);
    // It lies there; the county hears of it with the next stick, and that it was read with the same one.
    assert_eq!(reach().missing.len(), 2);
    plug(&school, stick.path());
    plug(&county, stick.path());
    assert_eq!(
        (reach().unread, reach().missing),
        (vec!["青石小学".to_owned()], vec!["石门村小".to_owned()])
    );
    for _ in 0..2 {
        office::read_bulletin(&school.node, &clerk(), &id, "2025-10-22").unwrap();
    }
    assert!(office::read_bulletin(&school.node, &clerk(), &id, "昨天").is_err());
    plug(&school, stick.path());
    plug(&county, stick.path());
    let read = reach();
    let first = office::Reading {
        by: clerk().account,
        on: "2025-10-22".to_owned(),
    };
    assert_eq!(read.read, [("青石小学".to_owned(), first)]);
    assert_eq!((read.unread, read.missing), (vec![], vec!["石门村小".to_owned()]));
    assert_eq!(county.node.count(&Filter::kind("bulletin_read")).unwrap(), 1);
    // The county does not read for a school, and a school that has not got it says nothing of it.
    assert!(office::read_bulletin(&county.node, &clerk(), &id, "2025-10-22").is_err());
    assert!(office::read_bulletin(&silent.node, &clerk(), &id, "2025-10-22").is_err());
}
