//! Row 13: the last seat is given twice.

use node::Role;
use node::office;
use records::kinds::Actor;
use yanxiu_tests::*;

use crate::common::*;

/// Row 13. Two offices enrol the last seat of a station.
#[tokio::test(flavor = "multi_thread")]
async fn row_13_who_stands_beyond_the_seats_waits_by_application_and_the_host_decides() {
    let mut county = Place::county();
    let school = add_school(&county, "青石小学");
    let mut one = Place::device("培育站 主持人");
    let mut two = Place::device("培育站 导师组");
    for place in [&one, &two] {
        place.enrol(&county, &[(Role::Host, "station-1".into())]);
    }
    meet(&mut county, &mut [&mut one, &mut two]).await;
    let station = [
        ("name", "乡村骨干教师培育站（小学数学）"),
        ("group_kind", "station"),
        ("seats", "25"),
        ("from", "2025-09-01"),
    ];
    let station = enter(&one, Actor::Mentor, "training_group", &station).unwrap();
    let apply = |place: &Place, code: &str, day: &str, time: &str| {
        let values = [
            ("group", station.as_str()),
            ("school", school.as_str()),
            ("teacher_code", code),
            ("applied_on", day),
            ("applied_at", time),
        ];
        enter(place, Actor::Mentor, "enrolment", &values).unwrap()
    };
    for at in 0..24 {
        apply(&one, &format!("T{at:03}"), "2025-09-02", "08:30");
    }
    meet(&mut county, &mut [&mut one, &mut two]).await;
    let list = |place: &Place| office::places(&place.node, &station).unwrap().unwrap();
    assert_eq!((list(&two).taken, list(&two).people.len()), (24, 24));

    // Apart, each gives the last seat; one of the two applications was signed earlier, and typed in wide digits.
    let later = apply(&one, "T900", "2025-09-03", "10:05");
    apply(&two, "T901", "2025-09-03", "０９：４０");
    // Both enter one more who had applied already: still one person.
    apply(&two, "T000", "2025-09-02", "08:30");
    assert_eq!((list(&one).taken, list(&two).taken), (25, 25));
    meet(&mut county, &mut [&mut one, &mut two]).await;

    for place in [&county, &one, &two] {
        let places = list(place);
        assert_eq!((places.seats, places.taken, places.people.len()), (25, 25, 26));
        let waiting: Vec<&str> = places
            .people
            .iter()
            .filter(|person| person.standing == office::Seat::Waiting)
            .map(|person| person.teacher_code.as_str())
            .collect();
        assert_eq!(
            waiting,
            ["T900"],
            "nobody is dropped; the later application waits"
        );
        let last = places
            .people
            .iter()
            .find(|person| person.teacher_code == "T901")
            .unwrap();
        assert_eq!(
            (last.standing, last.applied.as_str()),
            (office::Seat::Taken, "2025-09-03 09:40")
        );
        let twice = places
            .people
            .iter()
            .find(|person| person.teacher_code == "T000")
            .unwrap();
        assert_eq!((twice.entered, twice.standing), (2, office::Seat::Taken));
    }

    // The host decides: the one who waits is confirmed, so the last of the rest waits instead.
    step(&one, Actor::Mentor, "enrolment", &later, "confirmed", "").unwrap();
    meet(&mut county, &mut [&mut one, &mut two]).await;
    let waits = |place: &Place| -> Vec<String> {
        let people = list(place).people.into_iter();
        people
            .filter(|p| p.standing == office::Seat::Waiting)
            .map(|p| p.teacher_code)
            .collect()
    };
    assert_eq!([&county, &one, &two].map(waits), [["T901"], ["T901"], ["T901"]]);
    // Somebody leaves, and the seat goes to the one who waits.
    let first = list(&two).people[0].id.clone();
    step(&two, Actor::Mentor, "enrolment", &first, "left", "").unwrap_err();
    let leaves = list(&two)
        .people
        .iter()
        .find(|p| p.teacher_code == "T001")
        .unwrap()
        .id
        .clone();
    step(&two, Actor::Mentor, "enrolment", &leaves, "left", "本人申请退出").unwrap();
    assert!(waits(&two).is_empty());
    // Never more are confirmed on one device than there are seats.
    for person in list(&two).people {
        if person.standing == office::Seat::Taken && person.state == "enrolled" {
            step(&two, Actor::Mentor, "enrolment", &person.id, "confirmed", "").unwrap();
        }
    }
    let more = apply(&two, "T950", "2025-09-04", "08:00");
    let refused = step(&two, Actor::Mentor, "enrolment", &more, "confirmed", "").unwrap_err();
    assert_eq!(refused.zh(), "名额 25 已满：先请一位退出或转为待定，或增加名额");
}
