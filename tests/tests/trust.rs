//! Acceptance 4: strangers, revoked devices, foreign writers and forgers change no total, and each is told
//! why, at the sender and on the operator's page.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use node::office;
use node::{Filter, Role, enrol};
use sync::{ActorId, Change, DocKey};
use yanxiu_tests::villain::Villain;
use yanxiu_tests::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_and_told_why() {
    let mut county = Place::county();
    county.up().await;
    // Pinned the county, was never approved.
    let mut stranger = Place::device("来历不明");
    let helper = Place::device("帮手");
    let (device, _) = enrol::read_request(&enrol::request_file(&helper.node)).unwrap();
    let answer = enrol::approve(&county.node, &device, "帮手", &[(Role::School, "x".into())]).unwrap();
    assert!(
        enrol::accept(&stranger.node, &answer.text).is_err(),
        "another device's answer fits nobody else"
    );
    stranger.up().await;
    stranger.knows(&county);
    until("the stranger sees the county's digits", 20, || {
        enrol::candidate(&stranger.node).unwrap().is_some()
    })
    .await;
    assert!(!enrol::candidate(&stranger.node).unwrap().unwrap().approved);
    until("the county sees the wish", 20, || {
        enrol::pending(&county.node).unwrap().len() == 1
    })
    .await;
    assert_eq!(
        enrol::pending(&county.node).unwrap()[0].digits,
        enrol::candidate(&stranger.node).unwrap().unwrap().digits
    );
    enrol::confirm(&stranger.node).unwrap();
    until("it is told", 20, || {
        stranger
            .event_codes()
            .contains(&"they-refused-NotEnrolled".into())
    })
    .await;
    until("the operator sees it", 20, || {
        county.event_codes().contains(&"we-refused-NotEnrolled".into())
    })
    .await;
    assert!(stranger.node.commit("log/x/2025", vec![]).is_err());
    assert_eq!(county.node.count(&Filter::default()).unwrap(), 0);
    stranger.down().await;
    county.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_device_wrote_before_counts_and_nothing_after() {
    let mut county = Place::county();
    let school_id = add_school(&county, "青石小学");
    let mut lost = Place::school(&county, &school_id, "会丢的电脑");
    let mut other = Place::school(&county, &school_id, "另一台");
    for place in [&mut county, &mut lost, &mut other] {
        place.up().await;
    }
    lost.knows(&county);
    other.knows(&county);
    let person = add_teacher(&lost, "张三", "T1");
    held_session(&lost, "撤销前", "2025-10-01", std::slice::from_ref(&person));
    until("all three have it", 20, || {
        [&county, &lost, &other].iter().all(|p| titles(p) == ["撤销前"])
            && lost.node.not_at_county().unwrap() == 0
    })
    .await;
    until("and nothing is left to show", 10, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    let claims_before = office::audit_queue(&county.node, 100).unwrap().len();
    // The thief works offline; the other device still meets him and takes his changes along.
    county.down().await;
    other.down().await;
    lost.down().await;
    held_session(&lost, "撤销后", "2025-10-09", std::slice::from_ref(&person));
    lost.up().await;
    other.up().await;
    lost.knows(&other);
    county_tells(&county, &lost, &other);
    until("the other device took it along", 20, || titles(&other).len() == 2).await;
    lost.down().await;

    enrol::revoke(&county.node, &lost.node.id()).unwrap();
    county.up().await;
    until("the other device has heard", 20, || titles(&other) == ["撤销前"]).await;
    until("both are equal", 20, || {
        other
            .node
            .peers()
            .unwrap()
            .iter()
            .any(|p| p.county && p.waiting.0 == 0)
    })
    .await;
    until("and nothing is left to show", 10, || {
        county.node.views_behind().unwrap() == 0
    })
    .await;
    assert_eq!(titles(&county), ["撤销前"]);
    assert_eq!(
        office::audit_queue(&county.node, 100).unwrap().len(),
        claims_before
    );

    lost.up().await;
    until("the revoked device is told", 20, || {
        lost.event_codes().contains(&"they-refused-Revoked".into())
    })
    .await;
    until("the operator sees it", 20, || {
        county.event_codes().contains(&"we-refused-Revoked".into())
    })
    .await;
    until("it knows", 20, || lost.node.standing() == node::Standing::Revoked).await;
    assert!(
        lost.node
            .commit(&format!("log/{school_id}/2025"), vec![])
            .is_err()
    );
    // The honest device goes on writing beside what no longer counts.
    held_session(&other, "之后照常", "2025-10-12", &[person]);
    until("its work arrives", 20, || {
        titles(&county) == ["之后照常", "撤销前"]
    })
    .await;
    assert_eq!(titles(&other), ["之后照常", "撤销前"]);
    for place in [&mut county, &mut lost, &mut other] {
        place.down().await;
    }
}

/// A record of a session, as one change of `actor`.
fn record(actor: ActorId, id: &str) -> Change {
    let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(&actor.to_bytes()[..]));
    let object = doc.put_object(ROOT, id, automerge::ObjType::Map).unwrap();
    for (field, value) in [
        ("_kind", "session/1"),
        ("title", "假活动"),
        ("date", "2025-10-10"),
        ("state", "ended"),
    ] {
        doc.put(&object, field, value).unwrap();
    }
    doc.commit();
    Change::from_chunk(doc.get_changes(&[])[0].raw_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_cannot_write_anothers_log_or_the_ledger() {
    let mut county = Place::county();
    let (a, b) = (add_school(&county, "甲校"), add_school(&county, "乙校"));
    let mut victim = Place::school(&county, &a, "甲校电脑");
    let bad = Place::school(&county, &b, "乙校电脑");
    add_session(&victim, "真活动", "2025-10-01");
    // Through its own program it cannot even begin.
    for document in [
        format!("log/{a}/2025"),
        format!("ledger/{b}/2025"),
        "registry".into(),
    ] {
        let error = bad.node.commit(&document, vec![]).unwrap_err();
        assert!(error.to_string().contains("may not write"), "{error}");
    }
    county.up().await;
    victim.up().await;
    victim.knows(&county);
    until("the county has the real one", 20, || {
        titles(&county) == ["真活动"]
    })
    .await;
    let before = county.node.count(&Filter::default()).unwrap();
    let villain = Villain::of(&bad);
    for document in [
        format!("log/{a}/2025"),
        format!("ledger/{b}/2025"),
        "registry".into(),
    ] {
        let change = record(villain.actor(), "0190aaaa");
        let said = villain
            .push(
                &county,
                vec![villain.offer(&document, &change, Some(&villain.key))],
            )
            .await;
        assert_eq!(said, Ok(vec!["Held(NotTheWriter)".to_string()]), "{document}");
    }
    assert_eq!(county.node.count(&Filter::default()).unwrap(), before);
    assert_eq!(titles(&county), ["真活动"]);
    let shown = county.node.events(100).unwrap();
    let about: Vec<_> = shown
        .iter()
        .filter(|e| e.code == "held-here-NotTheWriter")
        .collect();
    assert_eq!(about.len(), 3, "one line a document: {shown:?}");
    assert!(
        about
            .iter()
            .all(|e| e.peer == Some(bad.node.id()) && e.text_zh.contains("无权"))
    );
    county.down().await;
    victim.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_tip_nobody_makes_anothers_changes_wait() {
    let mut county = Place::county();
    let school = add_school(&county, "甲校");
    let mut victim = Place::school(&county, &school, "甲校电脑");
    let bad = Place::school(&county, &school, "同校的坏设备");
    county.up().await;
    victim.up().await;
    add_session(&victim, "第一次", "2025-10-01");
    victim.knows(&county);
    until("the county has it", 20, || titles(&county) == ["第一次"]).await;
    victim.down().await;
    add_session(&victim, "第二次", "2025-10-02");

    let villain = Villain::of(&bad);
    let document = format!("log/{school}/2025");
    let real = victim_actor(&county, &document, &victim);
    // In the victim's name: its next number without its past, with a missing dependency, and its first
    // number once more; unsigned, and signed by the villain.
    let mut forged = vec![record(real, "0190ffff")];
    let mut on_top = AutoCommit::new().with_actor(automerge::ActorId::from(&real.to_bytes()[..]));
    for i in 0..3 {
        on_top.put(ROOT, format!("x{i}"), "假").unwrap();
        on_top.commit();
    }
    forged.extend(
        on_top
            .get_changes(&[])
            .iter()
            .map(|c| Change::from_chunk(c.raw_bytes()).unwrap()),
    );
    for signer in [None, Some(&villain.key)] {
        let offered = forged
            .iter()
            .map(|c| villain.offer(&document, c, signer))
            .collect();
        let said = villain.push(&county, offered).await.unwrap();
        assert_eq!(said, vec!["Dropped(NoTip)"; 4]);
    }
    assert!(county.node.quarantines().unwrap().is_empty());
    assert!(county.node.held().unwrap().is_empty());
    victim.up().await;
    until("the victim's changes arrive", 20, || {
        titles(&county) == ["第一次", "第二次"]
    })
    .await;
    assert!(county.event_codes().contains(&"dropped-here-NoTip".into()));
    county.down().await;
    victim.down().await;
}

fn victim_actor(county: &Place, document: &str, victim: &Place) -> ActorId {
    let key = DocKey::parse(document).unwrap();
    let vector = county
        .node
        .read(|c| {
            let doc = store::changes::find(c, &key)?.unwrap();
            store::changes::vector(c, doc)
        })
        .unwrap();
    vector
        .into_iter()
        .map(|v| v.0)
        .find(|a| a.device == victim.node.id())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_another_county_is_refused() {
    let mut ours = Place::county();
    ours.up().await;
    let theirs = Place::county();
    let school = add_school(&theirs, "外县小学");
    let mut guest = Place::school(&theirs, &school, "外县电脑");
    guest.up().await;
    guest.knows(&ours);
    until("it is refused", 20, || {
        ours.event_codes().contains(&"we-refused-OtherCounty".into())
    })
    .await;
    until("it is told", 20, || {
        let codes = guest.event_codes();
        codes.contains(&"they-refused-OtherCounty".into()) || codes.contains(&"we-refused-OtherCounty".into())
    })
    .await;
    guest.down().await;
    ours.down().await;
}
