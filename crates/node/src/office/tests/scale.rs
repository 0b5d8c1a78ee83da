use std::time::Instant;

use super::super::audit::reopened;
use super::super::schools::in_service;
use super::*;

/// A county's term in the view table alone: 45 schools, 60 sessions each, 25 marks a session, and a
/// claim and decision for every mark. Prints times; the bound only catches a query that reads what
/// it need not (a debug build on an old PC is far below it).
#[test]
fn lists_stay_quick_over_a_whole_county() {
    let world = World::new();
    let school = world.school("石桥小学");
    for n in 1..45 {
        world.school(&format!("第{n}小学"));
    }
    let schools_known: Vec<String> = organisations(&world.hub)
        .unwrap()
        .into_iter()
        .map(|o| o.id)
        .collect();
    world
        .hub
        .local(|conn| {
            let sql = "INSERT INTO record (doc, doc_key, school, year, id, kind, version, person, about,
                         date, fields, others, disputed, author, parts)
                       VALUES ((SELECT id FROM document WHERE key = ?1), ?1, ?2, 2025, ?3, ?4, 1, ?5, ?6, ?7, ?8, NULL, 0, zeroblob(32), x'')";
            let mut insert = conn.prepare(sql)?;
            for (s, school) in schools_known.iter().enumerate() {
                let (log, ledger) = (format!("log/{school}/2025"), format!("ledger/{school}/2025"));
                for key in [&log, &ledger] {
                    conn.execute("INSERT INTO document (key) VALUES (?1)", [key])?;
                }
                for n in 0..60 {
                    let session = format!("s-{s}-{n}");
                    let date = format!("2025-10-{:02}", n % 28 + 1);
                    let held = format!(
                        r#"{{"_kind":"session/1","_by":"李专管员","title":"第{n}次校本研修","theme":"整本书阅读教学","date":"{date}","host":"{school}","form":"school_based","category":"practice","channel":"school","hours_c":150,"minutes":70,"state":"ended"}}"#
                    );
                    insert.execute((&log, school, &session, "session", None::<&str>, None::<&str>, &date, &held))?;
                    for p in 0..25 {
                        let person = format!("p-{s}-{p}");
                        let fields = format!(
                            r#"{{"_kind":"attendance/1","_by":"李专管员","session":"{session}","person":"{person}","status":"present","source":"roll_call"}}"#
                        );
                        let id = format!("a-{s}-{n}-{p}");
                        insert.execute((&log, school, &id, "attendance", &person, &session, None::<&str>, &fields))?;
                        let fields = format!(
                            r#"{{"_kind":"claim/1","_by":"李专管员","session":"{session}","person":"{person}","rule_ref":"seed003.five-year-36-54/1","category":"practice","channel":"school","hours_c":150,"credits_c":15,"claimed_on":"{date}"}}"#
                        );
                        let claim = format!("c-{s}-{n}-{p}");
                        insert.execute((&log, school, &claim, "claim", &person, &session, &date, &fields))?;
                        if p >= 20 {
                            continue;
                        }
                        // One school's first session was changed after its decisions.
                        let seen = if s + n == 0 { held.replace("150", "300") } else { held.clone() };
                        let binds = digest(&fields, &seen);
                        let fields = format!(
                            r#"{{"_kind":"decision/1","_by":"周审核员","claim":"{claim}","verdict":"recognised","hours_c":150,"credits_c":15,"decided_on":"{date}","binds":"{binds}"}}"#
                        );
                        let id = format!("d-{s}-{n}-{p}");
                        insert.execute((&ledger, school, &id, "decision", None::<&str>, &claim, &date, &fields))?;
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let timed = |what: &str, work: &dyn Fn() -> usize| {
        let start = Instant::now();
        let rows = work();
        let took = start.elapsed();
        println!("{what}: {rows} rows in {took:?}");
        assert!(took.as_secs() < 15, "{what} took {took:?}");
        rows
    };
    let hub = &world.hub;
    assert_eq!(timed("schools", &|| schools(hub).unwrap().len()), 45);
    let own = schools(hub).unwrap();
    let own = own.iter().find(|row| row.id == school).unwrap();
    assert_eq!(
        (own.sessions, own.attendances, own.open_claims, own.decided_claims),
        (60, 1500, 300, 1200)
    );
    assert_eq!(
        timed("sessions of a school", &|| super::sessions(
            hub,
            Some(&school),
            500
        )
        .unwrap()
        .len()),
        60
    );
    assert_eq!(
        timed("sessions of the county", &|| super::sessions(hub, None, 100)
            .unwrap()
            .len()),
        100
    );
    assert_eq!(
        timed("claims of a school", &|| super::claims(hub, Some(&school), 200)
            .unwrap()
            .len()),
        200
    );
    assert_eq!(
        timed("audit queue", &|| audit_queue(hub, 100).unwrap().len()),
        100
    );
    assert_eq!(
        timed("decisions to renew", &|| reopened(hub, |_| true, 100)
            .unwrap()
            .len()),
        20
    );
    assert_eq!(
        timed("the same again", &|| reopened(hub, |_| true, 100).unwrap().len()),
        20
    );
}

fn digest(claim: &str, session: &str) -> String {
    let parsed = |json: &str| serde_json::from_str(json).unwrap();
    records::claim_digest(&parsed(claim), &parsed(session))
}

#[test]
fn who_is_in_service_is_counted_from_an_index() {
    let world = World::new();
    let plan = world.hub.read(|conn| {
        let mut query = conn.prepare(&format!("EXPLAIN QUERY PLAN {}", in_service()))?;
        let found = query.query_map((), |row| row.get::<_, String>(3))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?.join("; "))
    });
    let plan = plan.unwrap();
    assert!(plan.contains("COVERING INDEX record_status"), "{plan}");
}
