use super::*;

fn fields(pairs: &[(&str, Value)]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn package() -> Fields {
    fields(&[
        ("_kind", "filing_package/1".into()),
        ("title", "第１期 师德专题：㙇老师讲《教育的目的》".into()),
        ("gate", "file".into()),
        ("category", "practice".into()),
        ("begins_on", "2025-09-10".into()),
        ("ends_on", "2025-12-10".into()),
        ("hours_c", 1200.into()),
        ("content", "听课、议课、评课".into()),
        ("participants", "全体数学教师".into()),
        ("assessment", "每人一份反思".into()),
        ("responsible", "教导处".into()),
        ("principal_agrees", true.into()),
        ("state", "draft".into()),
    ])
}

fn scene<'a>(kind: &str, fields: &'a Fields, related: &'a [Related<'a>]) -> Scene<'a> {
    let kinds = Kinds::builtin();
    Scene {
        kinds,
        kind: kinds.get(kind).unwrap(),
        fields,
        disputed: false,
        related,
    }
}

fn apply(fields: &mut Fields, edits: Vec<(String, Option<Value>)>) {
    for (name, value) in edits {
        match value {
            Some(value) => drop(fields.insert(name, value)),
            None => drop(fields.remove(&name)),
        }
    }
}

fn word(verdict: &str, on: &Fields) -> Fields {
    fields(&[
        ("_kind", "filing_decision/1".into()),
        ("verdict", verdict.into()),
        ("binds", record_digest_with(Kinds::builtin(), on).into()),
    ])
}

fn about<'a>(kind: &'a str, fields: &'a Fields) -> Related<'a> {
    Related {
        kind,
        fields,
        disputed: false,
    }
}

#[test]
fn a_package_without_the_four_musts_is_not_handed_in() {
    let full = package();
    assert!(
        Kinds::builtin()
            .get("filing_package/1")
            .unwrap()
            .check(&full)
            .is_ok()
    );
    for (field, zh) in [
        ("content", "还没有填“内容安排”"),
        ("participants", "还没有填“参加对象”"),
        ("assessment", "还没有填“考评办法”"),
        ("principal_agrees", "还没有填“校长同意”"),
    ] {
        let mut lacking = full.clone();
        lacking.remove(field);
        let scene = scene("filing_package/1", &lacking, &[]);
        let refused = scene.take(Actor::Clerk, "submitted_for_filing", "").unwrap_err();
        assert_eq!(refused.iter().map(|e| e.zh.as_str()).collect::<Vec<_>>(), [zh]);
        // The same is told before anybody presses the button.
        let steps = scene.steps(Actor::Clerk);
        let step = steps
            .iter()
            .find(|step| step.to == "submitted_for_filing")
            .unwrap();
        assert_eq!(step.refused, refused);
    }
    let scene = scene("filing_package/1", &full, &[]);
    let refused = scene
        .take(Actor::Teacher, "submitted_for_filing", "")
        .unwrap_err();
    assert_eq!(refused[0].zh, "由师训专管员来做");
    let edits = scene.take(Actor::Clerk, "submitted_for_filing", "").unwrap();
    assert!(edits.contains(&("state".to_owned(), Some("submitted_for_filing".into()))));
    assert!(edits.contains(&("round".to_owned(), Some(1.into()))));
}

#[test]
fn the_word_of_the_county_holds_for_what_it_saw() {
    let mut sent = package();
    let edits = scene("filing_package/1", &sent, &[]).take(Actor::Clerk, "submitted_for_filing", "");
    apply(&mut sent, edits.unwrap());
    let filed = word("filed", &sent);
    let related = [about("filing_decision", &filed)];
    let standing = scene("filing_package/1", &sent, &related).standing().unwrap();
    assert_eq!(
        (standing.state, standing.by, standing.stale),
        ("filed", Some(0), false)
    );
    // An approval is no answer to a filing, and nobody of the school writes the county's step.
    let approved = word("approved", &sent);
    let wrong = [about("filing_decision", &approved)];
    assert_eq!(
        scene("filing_package/1", &sent, &wrong).standing().unwrap().state,
        "submitted_for_filing"
    );
    assert!(
        scene("filing_package/1", &sent, &[])
            .take(Actor::Clerk, "filed", "")
            .is_err()
    );
    // 审后改动: more class-hours than were filed are not filed.
    sent.insert("hours_c".into(), 2400.into());
    let standing = scene("filing_package/1", &sent, &related).standing().unwrap();
    assert_eq!((standing.state, standing.stale), ("submitted_for_filing", true));
    // Two officers say different things: neither holds.
    let (one, two) = (word("filed", &sent), word("returned", &sent));
    for words in [[&one, &two], [&two, &one]] {
        let related = words.map(|fields| about("filing_decision", fields));
        let standing = scene("filing_package/1", &sent, &related).standing().unwrap();
        assert_eq!((standing.state, standing.differ), ("submitted_for_filing", true));
    }
}

#[test]
fn what_was_returned_is_handed_in_again_even_when_only_an_attachment_was_missing() {
    let mut sent = package();
    let edits = scene("filing_package/1", &sent, &[]).take(Actor::Clerk, "submitted_for_filing", "");
    apply(&mut sent, edits.unwrap());
    let returned = word("returned", &sent);
    let related = [about("filing_decision", &returned)];
    let again = scene("filing_package/1", &sent, &related);
    assert_eq!(again.standing().unwrap().state, "returned");
    let edits = again.take(Actor::Clerk, "submitted_for_filing", "").unwrap();
    apply(&mut sent, edits);
    let standing = scene("filing_package/1", &sent, &related).standing().unwrap();
    assert_eq!(standing.state, "submitted_for_filing");
}

#[test]
fn a_signature_is_worth_what_it_signed() {
    let mut seen = fields(&[
        ("_kind", "observation/1".into()),
        ("lesson", "l".into()),
        ("strengths", "板书清楚".into()),
        ("debrief_by", "教研组长 𬭊老师".into()),
        ("debrief_on", "2025-10-16".into()),
        ("debrief_place", "录播教室".into()),
        ("state", "debriefed".into()),
    ]);
    let sign = |role: &str, on: &Fields| {
        fields(&[
            ("_kind", "signature/1".into()),
            ("sign_role", role.into()),
            ("binds", record_digest_with(Kinds::builtin(), on).into()),
        ])
    };
    let (teacher, observer) = (sign("teacher", &seen), sign("observer", &seen));
    let one = [about("signature", &teacher)];
    let refused = scene("observation/1", &seen, &one)
        .take(Actor::Clerk, "signed", "")
        .unwrap_err();
    assert_eq!(refused[0].zh, "还没有：听课人签字（签的是现在的内容）");
    let both = [about("signature", &teacher), about("signature", &observer)];
    assert!(
        scene("observation/1", &seen, &both)
            .take(Actor::Clerk, "signed", "")
            .is_ok()
    );
    let mut signed = seen.clone();
    signed.insert("state".into(), "signed".into());
    assert!(
        !scene("observation/1", &signed, &both)
            .standing()
            .unwrap()
            .unsigned
    );
    assert!(scene("observation/1", &signed, &one).standing().unwrap().unsigned);
    assert!(
        !scene("observation/1", &seen, &[]).standing().unwrap().unsigned,
        "nobody has asked for one yet"
    );
    signed.insert("advice".into(), "多提问".into());
    assert!(
        scene("observation/1", &signed, &both)
            .standing()
            .unwrap()
            .unsigned,
        "已变更（待重签）"
    );
    // A word changed after the signatures: both are void.
    seen.insert("strengths".into(), "板书清楚，提问少".into());
    let refused = scene("observation/1", &seen, &both)
        .take(Actor::Clerk, "signed", "")
        .unwrap_err();
    assert_eq!(refused.len(), 2);
}

#[test]
fn a_step_back_or_out_needs_its_reason_and_an_old_reason_does_not_stay() {
    let mut trip = fields(&[
        ("_kind", "trip/1".into()),
        ("cover", "张三代第3节".into()),
        ("state", "requested".into()),
    ]);
    let refused = scene("trip/1", &trip, &[])
        .take(Actor::Clerk, "void", "　")
        .unwrap_err();
    assert_eq!(
        (refused[0].field.as_str(), refused[0].zh.as_str()),
        ("reason", "请写明理由")
    );
    let edits = scene("trip/1", &trip, &[]).take(Actor::Clerk, "void", "改派他人");
    apply(&mut trip, edits.unwrap());
    assert_eq!(trip.get("state_reason"), Some(&"改派他人".into()));
    assert!(
        scene("trip/1", &trip, &[]).steps(Actor::Clerk).is_empty(),
        "nothing leads on"
    );
    trip.insert("state".into(), "requested".into());
    let edits = scene("trip/1", &trip, &[])
        .take(Actor::Leader, "dispatched", "")
        .unwrap();
    assert!(edits.contains(&("state_reason".to_owned(), None)));
    // B10: no grade, no money and no closing without the report-back session.
    trip.insert("state".into(), "returned".into());
    let refused = scene("trip/1", &trip, &[])
        .take(Actor::Clerk, "reported", "")
        .unwrap_err();
    assert_eq!(refused[0].zh, "还没有填“汇报交流（二级培训）活动”");
}

#[test]
fn nothing_moves_while_two_values_stand_against_each_other() {
    let trip = fields(&[
        ("_kind", "trip/1".into()),
        ("cover", "张三代课".into()),
        ("state", "requested".into()),
    ]);
    let disputed = Scene {
        disputed: true,
        ..scene("trip/1", &trip, &[])
    };
    for step in disputed.steps(Actor::Leader) {
        assert!(step.refused[0].zh.contains("待核"));
    }
    assert!(disputed.take(Actor::Leader, "dispatched", "").is_err());
}

/// Every state of every kind can be reached, and every state that is not closed can be left.
#[test]
fn no_kind_has_a_dead_end() {
    for kind in Kinds::builtin().iter() {
        let Some(states) = &kind.states else { continue };
        let codes = &kind.field(&states.field).unwrap().codes;
        let mut reached: Vec<&str> = states.initial.iter().map(String::as_str).collect();
        for _ in codes {
            for code in codes {
                if reached.iter().any(|from| kind.may_move(Some(from), &code.id))
                    && !reached.contains(&code.id.as_str())
                {
                    reached.push(&code.id);
                }
            }
        }
        assert_eq!(reached.len(), codes.len(), "{}: {reached:?}", kind.reference());
    }
}
