//! S4: two hosts of a workshop give the same fiftieth seat.

use node::Value;
use node::accounts::Role;
use node::office::{self, EntryInput};
use records::kinds::Actor;

use crate::common::*;
use crate::support::*;

#[test]
fn s4_the_fiftieth_seat_is_given_twice_and_nobody_is_dropped() {
    let county = Site::county(true);
    let school = county.enrol_school(QINGSHI);
    let own = county.school_id(QINGSHI);
    let grant = [(node::Role::Host, "ws-1".to_owned())];
    let mut one = county.enrol("工作坊 坊主", &grant);
    let mut two = county.enrol("工作坊 辅导教师", &grant);
    let [host, tutor] = [(&one, "孙坊主"), (&two, "何辅导")].map(|(s, name)| s.signed_in(name, Role::Clerk));
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    until(&host, "/sync", ">在线</span>");
    wait("the registry is here", || {
        [&one, &two]
            .iter()
            .all(|site| office::organisations(&site.node).unwrap().len() >= 2)
    });
    let group = enter(
        &host,
        "training_group",
        &[
            ("name", "小学数学教师工作坊"),
            ("group_kind", "workshop"),
            ("seats", "50"),
            ("from", "2025-09-01"),
        ],
    );
    for at in 0..49 {
        let values = [
            ("group", id(&group)),
            ("school", &own),
            ("teacher_code", &format!("T{at:03}")),
            ("applied_on", "2025-09-02"),
            ("applied_at", "08:30"),
        ];
        let input = EntryInput {
            kind: "enrolment".into(),
            id: None,
            values: values
                .iter()
                .map(|(name, text)| ((*name).to_owned(), Some(Value::from(*text))))
                .collect(),
        };
        office::save_entry(&one.node, &by("孙坊主"), Actor::Mentor, input).unwrap();
    }
    let seats = format!("/places/{}", id(&group));
    until(&tutor, &seats, "<b>49 / 50</b>");
    until(&auditor, &seats, "<b>49 / 50</b>");
    one.disconnect();
    two.disconnect();

    // Apart, each gives the last seat; the tutor's applicant had signed half an hour earlier.
    let apply = |who: &Browser, code: &str, time: &str| {
        let fields = [
            ("group", id(&group)),
            ("school", &own),
            ("teacher_code", code),
            ("applied_on", "2025-9-3"),
            ("applied_at", time),
        ];
        enter(who, "enrolment", &fields)
    };
    let later = apply(&host, "T900", "10:05");
    apply(&tutor, "T901", "09:35");
    for (who, code, other) in [(&host, "T900", "T901"), (&tutor, "T901", "T900")] {
        who.get(&seats)
            .has("<b>50 / 50</b>")
            .has(code)
            .lacks(other)
            .lacks("报名超过名额");
    }
    auditor.get(&seats).has("<b>49 / 50</b>");

    // Together: everybody reads the same, with the reason and what to do.
    one.connect(&county);
    two.connect(&county);
    let waits = |page: &Page, code: &str| {
        let row = page
            .body
            .split("<tr>")
            .find(|row| row.contains(&format!(">{code}</a>")));
        row.unwrap_or_else(|| panic!("{code} was dropped:\n{}", page.body))
            .contains("reduced\">待定</span>")
    };
    for who in [&host, &tutor, &auditor, &clerk] {
        let page = until(who, &seats, "报名超过名额");
        page.has("<b>50 / 50</b>")
            .has("一个也不丢")
            .has("2025-09-03 09:35");
        assert_eq!(page.body.matches("<b>1</b><span>待定</span>").count(), 1);
        assert!(waits(&page, "T900") && !waits(&page, "T901"));
    }
    // The host decides, and everybody reads that.
    saved(&step(&host, &later, "confirmed"));
    for who in [&tutor, &auditor, &clerk] {
        let begun = std::time::Instant::now();
        while waits(&who.get(&seats), "T900") {
            assert!(begun.elapsed().as_secs() < 40, "the host's word never came");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(waits(&who.get(&seats), "T901"));
    }
    let all = |site: &Site| site.node.count(&node::Filter::kind("enrolment")).unwrap();
    assert_eq!([all(&one), all(&two), all(&county), all(&school)], [51; 4]);
}
