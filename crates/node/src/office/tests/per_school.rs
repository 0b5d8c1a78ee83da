//! What is kept of each school, for a page that does not wait.

use std::time::Duration;

use super::*;
use crate::office::per_school::PerSchool;

static SESSIONS: PerSchool<usize> = PerSchool::new(usize::MAX);

#[test]
fn who_does_not_wait_gets_what_was_known_and_is_told_for_how_many_schools() {
    let world = World::new();
    let school = world.school_with_teachers();
    let counted = |within: Duration| {
        let count = |of: &str| Ok(sessions(&school.node, Some(of), 10)?.len());
        let found = SESSIONS.all_within(&school.node, |one| one == school.id, count, within);
        found.unwrap()
    };
    // Never looked at: nothing, and said so. Then once in full.
    assert_eq!(counted(Duration::ZERO), (vec![], 1));
    assert_eq!(counted(Duration::MAX), (vec![0], 0));
    assert_eq!(counted(Duration::ZERO), (vec![0], 0));
    save_session(&school.node, &by(), &school.id, None, a_session()).unwrap();
    assert_eq!(counted(Duration::ZERO), (vec![0], 1));
    assert_eq!(counted(Duration::MAX), (vec![1], 0));
    assert_eq!(counted(Duration::ZERO), (vec![1], 0));
}
