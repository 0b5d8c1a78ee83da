//! Rolls that are not equal when two nodes meet.

use super::*;

#[test]
fn an_old_roll_is_brought_up_to_date_in_the_same_session() {
    let (mut hub, mut new) = (Memory::new(1), Memory::new(7));
    let body = Body::Grant {
        device: new.id(),
        role: SCHOOL,
        scope: "a".into(),
        label: String::new(),
    };
    new.roll.add(Statement::sign(key(0).id(), &key(0), 20, body));
    new.write("log/a/2025", "新设备");
    talk(&mut new, &mut hub, usize::MAX);
    assert_eq!(hub.changes.len(), 1);
    assert_eq!(hub.verdicts, []);
}

#[test]
fn a_roll_that_changes_behind_the_hello_keeps_nobody_waiting() {
    let body = Body::Grant {
        device: key(7).id(),
        role: SCHOOL,
        scope: "a".into(),
        label: String::new(),
    };
    let news = [Statement::sign(key(0).id(), &key(0), 20, body)];
    for known_there in [false, true] {
        let (mut school, mut hub) = (Memory::new(2), Memory::new(1));
        if known_there {
            hub.roll.add_all(news.to_vec());
        }
        school.write("log/a/2025", "两台同时来");
        let (_, equal) = talk_while(&mut school, &mut hub, usize::MAX, &news);
        assert!(equal, "known there: {known_there}");
        assert_eq!(hub.roll.digest(), school.roll.digest());
        assert_eq!(hub.changes.len(), 1);
    }
}
