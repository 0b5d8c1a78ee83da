//! A county's kit: what a stick brings to schools that have no network, what comes back, and what a lost device held.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use node::enrol::batch::{self, Asking, Batch};
use node::held::{self, Sure};
use node::kit::{self, Made, Order};
use node::office::{self, OrganisationInput};
use node::stick::{self, Wishes};
use node::{Error, Filter, NodeId, Role, enrol};
use yanxiu_tests::*;

const SCHOOLS: [&str; 3] = ["云雾小学", "白沙小学", "青石小学"];

struct Scene {
    county: Place,
    stick: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let county = Place::county();
        SCHOOLS.iter().for_each(|name| drop(add_school(&county, name)));
        enrol::publish_address(&county.node, "hub.yunling.example:4433").unwrap();
        Scene {
            county,
            stick: tempfile::tempdir().unwrap(),
        }
    }

    fn kit(&self, order: &Order) -> Result<Made, Error> {
        kit::make(&self.county.node, &self.stick.path().join(kit::FOLDER), order)
    }

    fn folder(&self, school: &str) -> PathBuf {
        self.stick.path().join(kit::FOLDER).join(school)
    }

    /// A new computer at a school, as its clerk does it.
    fn asks(&self, school: &str, label: &str) -> Place {
        let place = Place::device(label);
        let invitation = kit::find(&place.node, &self.folder(school))
            .unwrap()
            .invitation
            .unwrap();
        assert_eq!(enrol::school_named(&invitation), school);
        let said = enrol::invited(&place.node, &invitation).unwrap();
        assert_eq!(said.school, school);
        assert_eq!(said.addresses, ["hub.yunling.example:4433"]);
        assert_eq!(place.node.addresses().unwrap(), said.addresses);
        assert_eq!(
            enrol::candidate(&place.node).unwrap().unwrap().digits,
            said.digits
        );
        kit::leave_request(&place.node, &self.folder(school)).unwrap();
        place
    }

    fn look(&self) -> Batch {
        batch::find(&self.county.node, &[self.stick.path().to_path_buf()]).unwrap()
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut all: Vec<String> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    all.sort();
    all
}

#[test]
fn a_stick_has_a_folder_for_each_school_and_each_program_once() {
    let scene = Scene::new();
    let office = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str| {
        let path = office.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    let ids: Vec<String> = node::office::organisations(&scene.county.node)
        .unwrap()
        .into_iter()
        .map(|o| o.id)
        .collect();
    let mut order = Order {
        programs: vec![program("yanxiu", "甲"), program("yanxiu.exe", "乙")],
        rosters: [(ids[1].clone(), b"PK roster".to_vec())].into(),
        ..Order::default()
    };
    let made = scene.kit(&order).unwrap();
    assert_eq!((made.schools.len(), made.devices.len()), (3, 0));
    assert_eq!(
        made.schools.iter().map(|f| f.files).collect::<Vec<_>>(),
        [2, 3, 2],
        "one has a roster"
    );
    let root = scene.stick.path().join(kit::FOLDER);
    assert_eq!(
        names(&root),
        sorted(&["云雾小学", "先读我.txt", "白沙小学", "程序", "青石小学"])
    );
    assert_eq!(
        names(&root.join("程序")),
        sorted(&["yanxiu", "yanxiu.exe", "校验.txt"])
    );
    let sums = fs::read_to_string(root.join("程序/校验.txt")).unwrap();
    // b3sum of the text 甲.
    let sum = blake3_of("甲");
    assert!(sums.contains(&format!("{sum}  yanxiu\r\n")), "{sums}");
    assert_eq!(
        names(&scene.folder("云雾小学")),
        sorted(&["先读我.txt", "入网邀请.txt"])
    );
    let with_roster: Vec<&str> = SCHOOLS
        .into_iter()
        .filter(|s| scene.folder(s).join("花名册.xlsx").exists())
        .collect();
    assert_eq!(with_roster.len(), 1);

    // A damaged program is made good, a good one is left alone.
    let good = fs::metadata(root.join("程序/yanxiu.exe"))
        .unwrap()
        .modified()
        .unwrap();
    fs::write(root.join("程序/yanxiu"), "坏了").unwrap();
    scene.kit(&order).unwrap();
    assert_eq!(fs::read_to_string(root.join("程序/yanxiu")).unwrap(), "甲");
    let after = fs::metadata(root.join("程序/yanxiu.exe"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(after, good);

    order.programs.push(program("另一处/YANXIU.exe", "丙"));
    assert!(matches!(scene.kit(&order), Err(Error::TwoPrograms(name)) if name == "YANXIU.exe"));
    order.programs = vec![office.path().join("没有")];
    assert!(matches!(scene.kit(&order), Err(Error::File { .. })));
    order.schools = vec!["没有这所学校".into()];
    assert!(matches!(scene.kit(&order), Err(Error::NoSuchSchool(_))));
    let some = Order {
        schools: vec![ids[0].clone()],
        ..Order::default()
    };
    assert_eq!(scene.kit(&some).unwrap().schools.len(), 1);
    let school = Place::school(&scene.county, &ids[0], "学校电脑");
    assert!(matches!(
        kit::make(&school.node, scene.stick.path(), &some),
        Err(Error::NotTheCounty)
    ));
}

/// Something lies where a school's folder should be, or a device's: the others are made, and those are named.
#[test]
fn a_folder_that_cannot_be_made_holds_up_no_other() {
    let scene = Scene::new();
    let pcs = ["云雾小学", "青石小学"].map(|school| {
        let id = node::office::find_school(&scene.county.node, school).unwrap();
        Place::school(&scene.county, &id, &format!("{school} 电脑"))
    });
    let root = scene.stick.path().join(kit::FOLDER);
    fs::create_dir_all(scene.folder("云雾小学")).unwrap();
    fs::write(root.join("白沙小学"), "别的文件").unwrap();
    let own = format!("云雾小学 电脑-{}", pcs[0].node.id().short());
    fs::write(scene.folder("云雾小学").join(&own), "别的文件").unwrap();
    let made = scene.kit(&Order::default()).unwrap();
    let named = |folders: &[kit::Folder]| folders.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    assert_eq!(named(&made.schools), ["云雾小学", "青石小学"]);
    assert_eq!(named(&made.devices), ["青石小学 电脑"]);
    let failed: Vec<&str> = made.failed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(failed, ["白沙小学", "云雾小学 电脑"]);
    assert!(
        made.failed
            .iter()
            .all(|(_, error)| matches!(error, Error::File { .. }))
    );
    assert!(root.join("先读我.txt").is_file());
    for (place, found) in pcs.iter().zip([false, true]) {
        let school = place.node.label().replace(" 电脑", "");
        let answer = kit::find(&place.node, &scene.folder(&school)).unwrap().answer;
        assert_eq!(answer.is_some(), found, "{school}");
    }
}

/// Two schools of one name, as merged townships have them, and one whose name differs in nothing that a stick can tell.
#[test]
fn two_schools_of_one_name_get_folders_of_their_own() {
    let scene = Scene::new();
    let add = |name: &str, code: &str| {
        let input = OrganisationInput {
            name: name.into(),
            org_kind: "primary_school".into(),
            school_code: code.into(),
            ..OrganisationInput::default()
        };
        let before: Vec<String> = ids(&scene);
        office::save_organisations(&scene.county.node, &clerk(), vec![(None, input)]).unwrap();
        ids(&scene).into_iter().find(|id| !before.contains(id)).unwrap()
    };
    let north = add("中心小学", "2153001234");
    let south = add("中心小学", "2153005678");
    let nameless = add("中心小学.", "");
    let made = scene.kit(&Order::default()).unwrap();
    let mut paths: Vec<&Path> = made.schools.iter().map(|f| f.path.as_path()).collect();
    let all = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!((paths.len(), all), (6, 6), "{paths:?}");
    let folders = [
        (&north, "中心小学-2153001234".to_owned()),
        (&south, "中心小学-2153005678".to_owned()),
        (
            &nameless,
            format!("中心小学-{nameless}").chars().take(45).collect(),
        ),
    ];
    for (school, folder) in &folders {
        assert!(
            paths
                .iter()
                .any(|path| path.file_name().unwrap().to_string_lossy() == *folder),
            "{folder}: {paths:?}"
        );
        // A request that names no school belongs to the one whose folder it lies in.
        let place = Place::device(&format!("{folder} 电脑"));
        fs::write(
            scene.folder(folder).join("申请.txt"),
            enrol::request_code(&place.node),
        )
        .unwrap();
        let found = scene.look();
        let asking = found.asking.iter().find(|a| a.device == place.node.id()).unwrap();
        assert_eq!(asking.school, **school);
        assert!(asking.is_expected());
    }
    // A second one for the same school: neither is what a county expects, and of the others nothing changes.
    let second = Place::device("又一台");
    fs::write(
        scene.folder(&folders[1].1).join("又一份.txt"),
        enrol::request_code(&second.node),
    )
    .unwrap();
    for asking in scene.look().asking {
        assert_eq!(asking.rivals, usize::from(asking.school == south));
        assert_eq!(asking.is_expected(), asking.school != south);
    }
    // The kit of one alone lies where it lay in the kit of all, and approved devices beside it.
    let pc = Place::school(&scene.county, &south, "电脑");
    let one = Order {
        schools: vec![south.clone()],
        ..Order::default()
    };
    let made = scene.kit(&one).unwrap();
    assert_eq!(made.schools[0].path, scene.folder("中心小学-2153005678"));
    assert_eq!(
        made.devices[0].path.parent().unwrap(),
        scene.folder("中心小学-2153005678")
    );
    assert!(
        kit::find(&pc.node, &scene.folder("中心小学-2153005678"))
            .unwrap()
            .answer
            .is_some()
    );
}

/// Record ids of all organisations.
fn ids(scene: &Scene) -> Vec<String> {
    let all = office::organisations(&scene.county.node).unwrap();
    all.into_iter().map(|o| o.id).collect()
}

/// As b3sum prints it.
fn blake3_of(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&sync::BlobName::of(text.as_bytes()).0)
}

#[test]
fn schools_join_by_a_stick_and_are_approved_in_one_act() {
    let scene = Scene::new();
    let made = scene.kit(&Order::default()).unwrap();
    assert!(made.programs.is_empty());
    let new = SCHOOLS.map(|school| scene.asks(school, &format!("{school} 办公室电脑")));
    // Nobody is approved by looking.
    let found = scene.look();
    assert!(found.turned.is_empty(), "{:?}", found.turned);
    assert_eq!(
        found
            .asking
            .iter()
            .map(|a| a.school_name.as_str())
            .collect::<Vec<_>>(),
        SCHOOLS
    );
    for (asking, place) in found.asking.iter().zip(&new) {
        assert_eq!(asking.device, place.node.id());
        assert_eq!(
            asking.digits,
            enrol::candidate(&place.node).unwrap().unwrap().digits,
            "both see the same"
        );
        assert!(!asking.known && asking.beside.is_empty());
        assert!(!scene.county.node.roll().is_member(&asking.device));
    }
    // Some of them.
    let chosen: Vec<&Asking> = found.asking.iter().take(2).collect();
    for (_, written) in batch::approve_all(&scene.county.node, &chosen) {
        assert_eq!(written.unwrap().len(), 1);
    }
    let found = scene.look();
    assert_eq!(
        found.asking.iter().map(|a| a.known).collect::<Vec<_>>(),
        [true, true, false]
    );
    assert!(!scene.county.node.roll().is_member(&new[2].node.id()));
    for (place, school) in new.iter().zip(SCHOOLS).take(2) {
        let (answer, own) = kit::find(&place.node, &scene.folder(school))
            .unwrap()
            .answer
            .unwrap();
        let offer = enrol::accept(&place.node, &answer).unwrap();
        assert!(offer.approved);
        enrol::confirm(&place.node).unwrap();
        let report = stick::take(&place.node, &own).unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        let home = place.node.home_school().unwrap();
        assert_eq!(
            place.node.record(&home).unwrap().unwrap().text("name"),
            school,
            "with the county's list"
        );
        // The whole roll: also who was approved after it.
        assert_eq!(place.node.devices().len(), scene.county.node.devices().len());
    }
    assert!(
        kit::find(&new[2].node, &scene.folder(SCHOOLS[2]))
            .unwrap()
            .answer
            .is_none()
    );
    // Once more: nothing is said twice.
    let statements = scene.county.node.roll().statements().count();
    let again = &scene.look().asking[0];
    let done = batch::approve_all(&scene.county.node, &[again]);
    assert!(done[0].1.is_ok(), "{done:?}");
    assert_eq!(scene.county.node.roll().statements().count(), statements);
}

#[test]
fn what_does_not_fit_is_named_and_holds_up_nothing() {
    let scene = Scene::new();
    scene.kit(&Order::default()).unwrap();
    let id = |name: &str| node::office::find_school(&scene.county.node, name).unwrap();
    let put =
        |school: &str, name: &str, text: &str| fs::write(scene.folder(school).join(name), text).unwrap();
    let good = scene.asks("青石小学", "青石 电脑");
    // Known at another school; revoked; an office device; of a school that is not there; in no school's folder; for two
    // schools at once; damaged.
    let known = Place::school(&scene.county, &id("白沙小学"), "白沙 旧电脑");
    put(
        "青石小学",
        "错.txt",
        &enrol::request_file(&known.node).replace("白沙小学", "青石小学"),
    );
    let gone = Place::school(&scene.county, &id("云雾小学"), "云雾 旧电脑");
    enrol::revoke(&scene.county.node, &gone.node.id()).unwrap();
    put("云雾小学", "撤.txt", &enrol::request_code(&gone.node));
    let office = Place::device("审核员电脑");
    office.enrol(&scene.county, &[(Role::County, String::new())]);
    put("云雾小学", "县.txt", &enrol::request_code(&office.node));
    let strange = Place::device("别的县");
    put(
        "云雾小学",
        "外.txt",
        &format!("学校 school: 别处小学\n{}", enrol::request_file(&strange.node)),
    );
    let loose = Place::device("没写学校");
    fs::write(
        scene.stick.path().join("散.txt"),
        enrol::request_code(&loose.node),
    )
    .unwrap();
    let double = scene.asks("云雾小学", "两处申请");
    put("白沙小学", "又.txt", &enrol::request_code(&double.node));
    put("白沙小学", "坏.txt", "code: YXQA-BCDE");
    // Not requests at all, however long.
    put("白沙小学", "通知.txt", "关于开展校本研修的通知");
    put("白沙小学", "长.txt", &"YXQ".repeat(40_000));
    put("白沙小学", "邀请.txt", "code: YXIA-BCDY-XQAB");
    put("白沙小学", "说明.txt", "编号 no. 7, see YXQ\n");

    let found = scene.look();
    let asking: Vec<NodeId> = found.asking.iter().map(|a| a.device).collect();
    assert_eq!(asking, [good.node.id()]);
    let why = |name: &str| {
        let mut all = found.turned.iter().filter(|t| t.file.ends_with(name));
        let one = all.next().unwrap_or_else(|| panic!("{name}: {:?}", found.turned));
        assert!(!one.why.zh().is_empty());
        &one.why
    };
    assert!(matches!(why("错.txt"), Error::OtherSchool(name) if name == "白沙小学"));
    assert!(
        matches!(why("撤.txt"), Error::WasRevoked(_)),
        "{:?}",
        why("撤.txt")
    );
    assert!(matches!(why("县.txt"), Error::HasRole(_)));
    assert!(matches!(why("外.txt"), Error::NoSuchSchool(name) if name == "别处小学"));
    assert!(matches!(why("散.txt"), Error::NamesNoSchool));
    assert!(matches!(why("坏.txt"), Error::BadCode("request")));
    assert!(matches!(why("又.txt"), Error::TwoSchools(name) if name == "云雾小学"));
    assert_eq!(found.turned.len(), 8, "{:?}", found.turned);
    // Between looking and approving somebody has revoked a device: that one fails, the other does not.
    let mut late = found.asking[0].clone();
    late.device = gone.node.id();
    let done = batch::approve_all(&scene.county.node, &[&late, &found.asking[0]]);
    assert!(
        matches!(done[0].1, Err(Error::WasRevoked(_))) && done[1].1.is_ok(),
        "{done:?}"
    );
    assert!(scene.county.node.roll().is_member(&good.node.id()));
    assert!(batch::find(&scene.county.node, &[PathBuf::from("/没有/这里")]).is_err());
    assert!(matches!(
        batch::find(&known.node, &[scene.stick.path().to_path_buf()]),
        Err(Error::NotTheCounty)
    ));
}

#[test]
fn an_invitation_is_taken_once_and_of_one_county_alone() {
    let scene = Scene::new();
    scene.kit(&Order::default()).unwrap();
    let text = kit::invitation(&scene.folder("青石小学")).unwrap().unwrap();
    let place = Place::device("青石 电脑");
    // On the page it is pasted where answers are.
    let offer = enrol::accept(&place.node, &text).unwrap();
    assert!(!offer.approved);
    let bad = text.replacen("code: YXIA", "code: YXIB", 1);
    assert_ne!(bad, text);
    assert!(enrol::accept(&place.node, &bad).is_err());
    assert!(matches!(
        enrol::invited(&place.node, &bad),
        Err(Error::BadCode("invitation"))
    ));
    assert!(enrol::request_file(&place.node).contains("学校 school: 青石小学\n"));
    let other = Place::county();
    place.enrol(&other, &[(Role::County, String::new())]);
    assert!(matches!(
        enrol::invited(&place.node, &text),
        Err(Error::WrongAnswer(_))
    ));
}

/// A stick to the county and back, so that both know what the other has.
fn exchange(scene: &Scene, place: &Place) {
    for place in [place, &scene.county, place, &scene.county] {
        let report = stick::exchange(&place.node, scene.stick.path(), &Wishes::default()).unwrap();
        assert!(
            report.failed.is_empty() && report.unwritten.is_none(),
            "{report:?}"
        );
    }
}

#[test]
fn a_lost_device_held_what_it_could_read_and_no_more() {
    let scene = Scene::new();
    let id = |name: &str| node::office::find_school(&scene.county.node, name).unwrap();
    let old = Place::school(&scene.county, &id("青石小学"), "青石 旧电脑");
    let new = Place::school(&scene.county, &id("青石小学"), "青石 新电脑");
    let far = Place::school(&scene.county, &id("白沙小学"), "白沙 电脑");
    let people = [
        add_teacher(&old, "王老师", "T1"),
        add_teacher(&old, "马老师", "T2"),
    ];
    held_session(&old, "磨课", "2025-10-08", &people);
    add_teacher(&far, "欧阳老师", "T9");
    exchange(&scene, &old);
    exchange(&scene, &far);
    let list = |device: NodeId| held::at_most(&scene.county.node, &device).unwrap();
    let share = |device: NodeId, sort: &str| {
        let held = list(device);
        let found = held.shares.into_iter().find(|s| s.sort.0.starts_with(sort));
        found.unwrap_or_else(|| panic!("no {sort}"))
    };
    let of = |device: NodeId| -> Vec<String> {
        let mut all: Vec<String> = list(device).shares.into_iter().map(|s| s.school).collect();
        all.sort();
        all.dedup();
        all
    };
    // Its own school's and the whole county's, nothing of the neighbour's.
    assert_eq!(of(old.node.id()), ["", "青石小学"]);
    assert_eq!(of(far.node.id()), ["", "白沙小学"]);
    let base = share(old.node.id(), "教职工花名册");
    assert_eq!(
        (base.year, base.sure),
        (Some(2025), Sure::All),
        "it wrote that itself"
    );
    assert!(
        base.kinds.contains(&("person".to_string(), 2)),
        "{:?}",
        base.kinds
    );
    let log = share(old.node.id(), "校本研修记录");
    let attendance = scene.county.node.count(&Filter::kind("attendance")).unwrap();
    assert!(log.kinds.contains(&("attendance".to_string(), attendance)) && attendance == 2);
    // The other PC of the school may read the same; of what it has the county has heard nothing.
    assert_eq!(share(new.node.id(), "教职工花名册").sure, Sure::MayBe);
    assert_eq!(share(new.node.id(), "教职工花名册").records(), base.records());
    // Revoked, it is as before.
    let before = list(old.node.id());
    enrol::revoke(&scene.county.node, &old.node.id()).unwrap();
    assert_eq!(list(old.node.id()).shares, before.shares);
    assert!(before.originals);
    let words = before.lines();
    assert!(words[0].0.contains("最多可能有"), "{words:?}");
    assert!(
        words
            .iter()
            .any(|(zh, _)| zh.starts_with("青石小学 2025-2026 学年 校本研修记录"))
    );
    // A mentor's laptop: the schools that were assigned to it, and no originals.
    let mentor = Place::device("陈老师 笔记本");
    let far_id = id("白沙小学");
    mentor.enrol(
        &scene.county,
        &[
            (Role::Mentor, format!("m1/{far_id}")),
            (Role::MentorReader, far_id),
        ],
    );
    assert_eq!(of(mentor.node.id()), ["", "白沙小学"]);
    assert!(!list(mentor.node.id()).originals);
    // What the county has sealed for it and handed out can be opened there.
    let sealed = node::mail::prepare(&scene.county.node, &mentor.node.id(), node::bundle::MAX).unwrap();
    assert!(!sealed.is_empty());
    assert_eq!(list(mentor.node.id()).sealed_for_it.files, sealed.len() as u64);
    assert!(matches!(
        held::at_most(&far.node, &old.node.id()),
        Err(Error::NotTheCounty)
    ));
}
