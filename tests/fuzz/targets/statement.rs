//! Roll statements: any bytes, any payload under a good signature, and any sequence of good statements:
//! what follows from them does not depend on their order.
#![no_main]

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fuzz::guard::watch;
use fuzz::script::Script;
use fuzz::world::{DEVICES, actor, document, id, key, root};
use sync::roll::{Body, Cut, Grant, Roll};
use sync::{NodeId, Statement};

const MEMORY: usize = 64 << 20;

/// Statements of one script; fewer than the roll keeps of unknown issuers, which are the first to come.
const MOST: usize = 40;

libfuzzer_sys::fuzz_target!(|data: &[u8]| watch(MEMORY, || {
    let mut script = Script(data);
    match script.byte() {
        0 => read(script.0),
        1 => {
            let by = script.below(DEVICES);
            let (number, kind) = (script.number(), script.byte());
            let head = (1u8, root(), id(by), number, kind, script.0);
            let mut bytes = postcard::to_stdvec(&head).unwrap_or_default();
            let signed = [b"yanxiu roll 1".as_slice(), &bytes].concat();
            bytes.extend(key(by).sign(&signed));
            read(&bytes);
        }
        _ => orders(script),
    }
}));

fn read(bytes: &[u8]) {
    let Ok(statement) = Statement::from_bytes(bytes) else {
        return;
    };
    assert_eq!(statement.to_bytes(), bytes, "one statement has one form");
    let mut roll = Roll::new(root());
    roll.add(statement);
}

/// One statement in seven bytes, so that a mutation changes one thing.
fn statement(s: &mut Script<'_>) -> Statement {
    let plan: [u8; 7] = std::array::from_fn(|_| s.byte());
    // Signing is most of the time; the same statement comes again and again.
    static SIGNED: Mutex<Option<HashMap<[u8; 7], Statement>>> = Mutex::new(None);
    let mut kept = SIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.get_or_insert_default();
    if kept.len() > 50_000 {
        kept.clear();
    }
    kept.entry(plan).or_insert_with(|| sign(plan)).clone()
}

fn sign([kind, by, number, a, b, c, d]: [u8; 7]) -> Statement {
    let (who, scope) = (id(a.into()), ["", "a", "b"][usize::from(c) % 3].to_string());
    let role = b % 4;
    let body = match kind % 9 {
        0 => Body::Officer {
            key: who,
            limit: None,
        },
        1 => Body::Officer {
            key: who,
            limit: Some((role, scope)),
        },
        2 | 3 => Body::Grant {
            device: who,
            role,
            scope,
            label: format!("电脑{}", d % 2),
        },
        4 => Body::Revoke { device: who },
        5 => Body::Cut {
            document: document(c.into()),
            actor: actor(a.into()),
            seq: u64::from(b % 4),
            hash: [d; 32],
        },
        6 => Body::HubAddress {
            hub: who,
            address: format!("10.0.0.{}:4433", b % 4),
        },
        7 => Body::RetireOfficer {
            key: who,
            last: u64::from(b % 8),
        },
        _ if d % 2 == 0 => Body::Successor { hash: [b; 32] },
        _ => Body::Unknown {
            kind: 7 + b % 200,
            payload: vec![c; usize::from(d)],
        },
    };
    let by = usize::from(by) % 6;
    let county = if d == 255 { id(9) } else { root() };
    Statement::sign(county, key(by), u64::from(number % 8), body)
}

fn orders(mut script: Script<'_>) {
    let turn = script.byte();
    let mut list = Vec::new();
    while !script.is_empty() && list.len() < MOST {
        list.push(statement(&mut script));
    }
    let mut at_once = Roll::new(root());
    at_once.add_all(list.clone());

    let mut backwards = Roll::new(root());
    for s in list.iter().rev() {
        backwards.add(s.clone());
    }
    let mut in_lots = Roll::new(root());
    let mut shuffled = list.clone();
    let n = shuffled.len();
    for i in 0..n {
        shuffled.swap(i, (i * 7 + usize::from(turn)) % n);
    }
    for lot in shuffled.chunks(1 + usize::from(turn) % 5) {
        in_lots.add_all(lot.iter().cloned().chain(lot.first().cloned()));
    }
    let all = facts(&at_once);
    assert_eq!(all, facts(&backwards), "backwards, one by one");
    assert_eq!(all, facts(&in_lots), "in lots, some of them twice");
}

/// What a roll says of one device.
#[derive(PartialEq, Debug)]
struct Facts<'r> {
    grants: Vec<&'r Grant>,
    member: bool,
    revoked: bool,
    officer: bool,
    for_stranger: Vec<Statement>,
    cuts: Vec<Option<Cut>>,
}

/// Everything that a roll says of the world.
fn facts(roll: &Roll) -> (bool, Vec<(NodeId, &str)>, Vec<Facts<'_>>, [u8; 8]) {
    let of = |n: usize| {
        let device = id(n);
        let facts = Facts {
            grants: roll.grants(&device).collect(),
            member: roll.is_member(&device),
            revoked: roll.is_revoked(&device),
            officer: roll.is_officer(&device),
            for_stranger: roll.for_stranger(&device),
            cuts: (0..5).map(|d| roll.cut(&document(d), &actor(n))).collect(),
        };
        assert!(!(facts.member && facts.revoked), "a revoked member");
        facts
    };
    let all = (0..DEVICES).map(of).collect();
    (roll.has_cuts(), roll.hubs().collect(), all, roll.digest())
}
