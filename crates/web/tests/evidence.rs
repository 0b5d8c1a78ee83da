//! A photo from a phone as evidence: kept on the school's disk, shown to the auditor where it is.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use node::accounts::Role;
use node::office;
use node::{Filter, blobs};
use support::{Browser, Site, until};

/// A JPEG with a comment in it, as phones write place and model.
fn photo(shade: u8) -> Vec<u8> {
    let picture = RgbImage::from_pixel(2400, 1800, Rgb([shade, 120, 90]));
    let mut plain = Vec::new();
    JpegEncoder::new(&mut plain).encode_image(&picture).unwrap();
    let words = b"Exif\0\0GPS N30.1234 E103.4567 HUAWEI";
    let mut file = plain[..2].to_vec();
    file.extend([0xff, 0xe1, 0, u8::try_from(words.len() + 2).unwrap()]);
    file.extend(words);
    file.extend(&plain[2..]);
    file
}

fn files(under: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(under) else {
        return Vec::new();
    };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}

/// A held session with one person present; its address.
fn session(clerk: &Browser, site: &Site) -> String {
    let facts = [
        ("name", "王𬭊"),
        ("teacher_code", "YL001"),
        ("status", "serving"),
        ("post", "teacher"),
        ("from", "2025.9.1"),
    ];
    clerk.submit("/roster/new", "/roster/new", &facts).is(200);
    let fields = [
        ("title", "第３次研课磨课"),
        ("date", "2025年9月12日"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", "１.５"),
    ];
    let page = clerk.submit("/sessions/new", "/sessions/new", &fields);
    let here = page.path.split('?').next().unwrap().to_owned();
    let me = office::roster(&site.node, &site.node.home_school().unwrap()).unwrap()[0]
        .id
        .clone();
    let mark = format!("m-{me}");
    clerk
        .submit(
            &here,
            &format!("{here}/attendance"),
            &[(mark.as_str(), "present")],
        )
        .is(200);
    here
}

const WORDS: [(&str, &str); 3] = [
    ("evidence_kind", "sign_in_sheet"),
    ("caption", "签到表（𬭊老师代签处已注明）"),
    ("date", "２０２５年９月１２日"),
];

#[test]
fn a_photo_is_on_the_disk_before_it_is_said_to_be_saved_and_holds_only_the_picture() {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let here = session(&clerk, &site);
    let page = format!("{here}/evidence");
    clerk.get(&here).has("佐证照片");
    clerk
        .get(&page)
        .has("accept=\"image/jpeg,image/png\"")
        .has("name=\"viewport\"");

    // Faults: nothing is kept, and what was typed stays.
    let refused = clerk.upload_to(&page, &WORDS, "签到表.jpg", b"no picture at all");
    refused
        .has("不是能读的照片")
        .has("value=\"签到表（𬭊老师代签处已注明）\"");
    clerk.upload_to(&page, &WORDS, "", b"").has("请选择或拍一张照片");
    let bad = [("evidence_kind", "sign_in_sheet"), ("date", "昨天")];
    clerk
        .upload_to(&page, &bad, "a.jpg", &photo(10))
        .has("date-error");
    assert!(files(&site.node.dir().join("blobs")).is_empty());

    clerk
        .upload_to(&page, &WORDS, "IMG_0001.jpg", &photo(10))
        .has("已保存在本校")
        .has("签到表 · 签到表（𬭊老师代签处已注明） · 2025-09-12")
        .has("李专管员");
    // Preview, copy and original, each under the name that the record gives it.
    let kept = files(&site.node.dir().join("blobs"));
    assert_eq!(kept.len(), 3, "{kept:?}");
    let entry = site.node.records(&Filter::kind("evidence")).unwrap().remove(0);
    let sizes = [
        ("preview", 480, 360),
        ("hash", 1600, 1200),
        ("original", 2400, 1800),
    ];
    for (field, width, height) in sizes {
        let named = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap() == entry.text(field);
        let bytes = std::fs::read(kept.iter().find(named).unwrap()).unwrap();
        assert_eq!(entry.text(field), blobs::name_of(&bytes));
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(!holds(b"GPS") && !holds(b"HUAWEI") && !holds(b"Exif"), "{field}");
        let picture = image::load_from_memory(&bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (width, height), "{field}");
        let length = match field {
            "hash" => entry.int("bytes"),
            "original" => entry.int("original_bytes"),
            _ => bytes.len() as i64,
        };
        assert_eq!(length, bytes.len() as i64, "{field}");
    }
    assert_eq!(entry.text("mime"), "image/jpeg");
    for size in ["", "?size=preview", "?size=original"] {
        let shown = clerk.get(&format!("/photos/{}{size}", entry.id));
        shown.is(200);
        assert_eq!(shown.header("content-type"), "image/jpeg");
    }
    clerk.get(&page).has("?size=original").has("原图").lacks("要原图");
    // The same photo again is the same evidence.
    clerk.upload_to(&page, &WORDS, "IMG_0001.jpg", &photo(10)).is(200);
    assert_eq!(site.node.count(&Filter::kind("evidence")).unwrap(), 1);

    // A teacher's account and a stranger see no photos; a leader adds none.
    site.signed_in("㙇伟", Role::Teacher)
        .get(&format!("/photos/{}", entry.id))
        .is(403);
    site.browser().get(&format!("/photos/{}", entry.id)).has("登录");
    let leader = site.signed_in("周校长", Role::Leader);
    leader.get(&page).has("签到表").lacks("type=\"file\"");
    leader.upload_to(&page, &WORDS, "a.jpg", &photo(30)).is(403);
    // A damaged file is not shown as the photo.
    for file in &kept {
        std::fs::write(file, "坏了").unwrap();
    }
    clerk.get(&format!("/photos/{}", entry.id)).is(404);
}

#[test]
fn the_auditor_sees_the_photo_where_it_is_here_and_is_told_where_it_is_not() {
    let county = Site::county(true);
    let mut site = county.enrol_school("青石镇中心小学");
    site.disconnect();
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let here = session(&clerk, &site);
    let page = format!("{here}/evidence");
    clerk
        .upload_to(&page, &WORDS, "IMG_0002.jpg", &photo(50))
        .has("已保存在本校");
    // The school has the record and, for now, not the file: it lies on another of its computers.
    let entry = site.node.records(&Filter::kind("evidence")).unwrap().remove(0);
    let bytes = blobs::read(&site.node, entry.text("hash")).unwrap().unwrap();
    std::fs::remove_dir_all(site.node.dir().join("blobs")).unwrap();
    site.connect(&county);
    clerk.submit(&here, &format!("{here}/end"), &[]);
    clerk
        .submit(&here, &format!("{here}/claims"), &[("claimed_on", "2025-09-20")])
        .is(200);

    let auditor = county.signed_in("王审核员", Role::Auditor);
    let absent = "照片在青石镇中心小学的电脑上，尚未传来";
    until(&auditor, "/audit", absent)
        .has("第3次研课磨课")
        .has("签到表");
    // At once, above the list: which school, from which computer, and that it is in touch at this moment.
    until(
        &auditor,
        "/audit",
        "青石镇中心小学：1 张照片还没到；等“青石镇中心小学”传来，最近联系：现在",
    );
    site.disconnect();
    until(&auditor, "/audit", "传来，最近联系：刚刚").lacks("最近联系：现在");
    let one = auditor
        .get("/audit")
        .links("/audit/")
        .into_iter()
        .find(|l| !l.ends_with("opening"))
        .unwrap();
    auditor
        .get(&one)
        .has(absent)
        .has("佐证照片")
        .lacks("<img src=\"/photos/");
    auditor.get(&format!("/photos/{}", entry.id)).is(404);

    // A mentor's laptop has given a receipt for it: it is on its way.
    let laptop = county.enrol_mentor("mt-07", &["青石镇中心小学"]);
    let (name, carrier) = (entry.text("hash").to_owned(), laptop.node.id().0.to_vec());
    drop(laptop);
    let noted = county.node.local(|c| {
        let sql = "INSERT INTO blob_receipt (name, node, store, signature, at) VALUES (?, ?, ?, ?, 0)";
        Ok(c.execute(sql, (name, carrier, vec![1_u8; 16], vec![0_u8; 64]))?)
    });
    assert_eq!(noted.unwrap(), 1);
    auditor.get("/audit").has("已带上一份在路上，最近联系：还没有");
    // The school's only computer is stolen: nobody is waited for in vain.
    node::enrol::revoke(&county.node, &site.node.id()).unwrap();
    auditor.get("/audit").has("那所学校没有在用的电脑");

    // Once the blob has come, whichever way, it is shown beside the claim.
    blobs::keep(&county.node, &bytes).unwrap();
    auditor
        .get("/audit")
        .lacks(absent)
        .has(&format!("src=\"/photos/{}?size=preview\"", entry.id));
    auditor
        .get(&one)
        .lacks(absent)
        .has(&format!("src=\"/photos/{}?size=preview\"", entry.id));
    auditor.get(&format!("/photos/{}", entry.id)).is(200);
}

/// Over a real link: the auditor sees the photo without anybody's doing, and asks for the original.
#[test]
fn a_photo_comes_to_the_auditor_by_itself_and_the_original_when_asked_for() {
    let county = Site::county(true);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let here = session(&clerk, &site);
    let page = format!("{here}/evidence");
    clerk
        .upload_to(&page, &WORDS, "IMG_0003.jpg", &photo(70))
        .has("已保存在本校");
    let auditor = county.signed_in("王审核员", Role::Auditor);
    until(&auditor, &page, "?size=preview").has("要原图");
    let entry = county.node.records(&Filter::kind("evidence")).unwrap().remove(0);
    until(&clerk, &page, "县里已有");
    let original = format!("/photos/{}/original", entry.id);
    auditor
        .submit(&page, &original, &[("back", page.as_str())])
        .is(200)
        .has("签到表");
    until(&auditor, &page, "?size=original");
    auditor
        .get(&format!("/photos/{}?size=original", entry.id))
        .is(200);
    // Nobody is led away from here.
    let led = auditor.submit(&page, &original, &[("back", "//example.org/")]);
    assert_eq!(led.path, "/");
}

/// 存储空间: what only this computer has goes after somebody has ticked that nothing brings it back.
#[test]
fn an_original_that_the_county_has_not_got_goes_only_by_an_act_of_its_own() {
    let county = Site::county(true);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    let here = session(&clerk, &site);
    let page = format!("{here}/evidence");
    clerk
        .upload_to(&page, &WORDS, "IMG_0004.jpg", &photo(90))
        .has("已保存在本校");
    until(&clerk, &page, "县里已有");
    let admin = site.signed_in("王校长", Role::Admin);
    let entry = site.node.records(&Filter::kind("evidence")).unwrap().remove(0);
    let original = || blobs::read(&site.node, entry.text("original")).unwrap();
    let form = |act: &'static str| [("months", "1"), ("do", act)];
    admin
        .submit("/storage", "/storage", &form("look"))
        .is(200)
        .has("可删：")
        .has("只有本机有的原图")
        .has("删了就再也找不回来")
        .lacks("删除这些</button>");
    // Not by the other button, nor without the tick.
    admin.submit("/storage", "/storage", &form("tidy")).is(200);
    admin
        .submit("/storage", "/storage", &form("let_go"))
        .has("请先勾选");
    assert!(original().is_some());
    let sure = [&form("let_go")[..], &[("sure", "1")]].concat();
    admin
        .submit("/storage", "/storage", &sure)
        .is(200)
        .lacks("只有本机有的原图");
    assert!(original().is_none());
    assert!(blobs::read(&site.node, entry.text("hash")).unwrap().is_some());
    admin.get("/accounts").has("删除县里没有的原图");
}
