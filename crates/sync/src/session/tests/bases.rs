//! Streams on what the peer has acknowledged.

use super::*;

/// A first flight that stands on what the peer once had: it no longer has it, and gets all of it.
#[test]
fn a_stream_on_a_base_that_is_gone_loses_nothing() {
    for new_store in [true, false] {
        for more in [1, 7] {
            let (mut hub, mut school) = (Memory::new(1), Memory::new(2));
            school.write("log/a/2025", "一");
            talk(&mut school, &mut hub, usize::MAX);
            let old = hub.clone();
            school.write("log/a/2025", "二");
            talk(&mut school, &mut hub, usize::MAX);
            for n in 0..more {
                school.write("log/a/2025", &format!("三之{n}"));
            }
            let store = if new_store { StoreId([99; 16]) } else { old.store };
            hub = Memory { store, ..old };
            talk(&mut school, &mut hub, usize::MAX);
            assert_eq!(hub.changes.len(), 2 + more);
            assert!(!school.lacks_receipts(&hub.id()));
            // What is acknowledged now is there.
            school.write("log/a/2025", "四");
            talk(&mut school, &mut hub, usize::MAX);
            assert_eq!(hub.changes.len(), 3 + more);
        }
    }
}
