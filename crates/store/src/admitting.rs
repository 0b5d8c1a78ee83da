//! Takes a piece from a peer: judged by `sync::admission`, stored, held or quarantined in one transaction.

use std::collections::BTreeSet;

use rusqlite::{Connection, params, params_from_iter};
use sync::admission::{Fault, Offered, Verdict, Wait, admit};
use sync::authority::Policy;
use sync::tip::{BY_CUT, Receipt, Tip};
use sync::{Change, ChangeHash, DocKey, NodeId, Roll, branch, limits};

use crate::aside::{self, Why};
use crate::changes::{self, Past};
use crate::{Result, fixed};

/// What became of a piece.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// New changes in the store.
    pub stored: usize,
    /// The last change of each actor and document of the piece that is stored (now or before).
    pub receipts: Vec<Receipt>,
    /// Verdicts other than `Stored` and `Known`.
    pub verdicts: Vec<(DocKey, ChangeHash, Verdict)>,
}

/// Judges and stores one piece. Call it inside a write transaction.
pub fn take(
    c: &Connection,
    policy: &Policy,
    roll: &Roll,
    offered: &[Offered],
    from: Option<&NodeId>,
    now: i64,
) -> Result<Outcome> {
    let mut outcome = judge(c, policy, roll, offered, from, now)?;
    // What a cut names may have come in several pieces: together they show which branch is right.
    let held = || outcome.verdicts.iter().any(|v| matches!(v.2, Verdict::Held(_)));
    if outcome.stored > 0 || (roll.has_cuts() && held()) {
        // What waited can only have waited for changes of the same document.
        let documents: BTreeSet<&DocKey> = offered.iter().map(|o| &o.document).collect();
        for document in documents {
            outcome.stored += retry_document(c, policy, roll, document, now)?;
        }
    }
    Ok(outcome)
}

fn judge(
    c: &Connection,
    policy: &Policy,
    roll: &Roll,
    offered: &[Offered],
    from: Option<&NodeId>,
    now: i64,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    leave(c, roll, offered, now)?;
    for judged in admit(policy, roll, offered, &Past(c))? {
        let Some(offer) = offered.get(judged.index) else {
            continue;
        };
        let (key, tip) = (&offer.document, offer.tip.as_ref());
        match (judged.verdict, &judged.change) {
            (Verdict::Stored, Some(change)) => {
                changes::insert(c, key, change, tip_of(roll, key, change, tip), from, now)?;
                outcome.stored += 1;
            }
            // What stands aside is known and kept already.
            (_, Some(change)) if aside::has(c, key, &change.header.hash)? => {}
            (Verdict::Held(wait), Some(change)) => hold(c, key, change, tip, wait, from, now)?,
            (Verdict::Quarantined(fault), Some(change)) => {
                changes::quarantine(c, key, fault, change, tip, from, now)?;
            }
            _ => {}
        }
        match (judged.verdict, judged.change) {
            (Verdict::Stored | Verdict::Known, Some(change)) => {
                let h = change.header;
                let receipt = Receipt {
                    document: key.clone(),
                    actor: h.actor,
                    seq: h.seq,
                    hash: h.hash,
                };
                match outcome
                    .receipts
                    .iter_mut()
                    .find(|r| r.document == *key && r.actor == h.actor)
                {
                    Some(r) if r.seq < receipt.seq => *r = receipt,
                    Some(_) => {}
                    None => outcome.receipts.push(receipt),
                }
            }
            (verdict, change) => {
                let hash = change.map_or([0; 32], |c| c.header.hash);
                outcome.verdicts.push((key.clone(), hash, verdict));
            }
        }
    }
    Ok(outcome)
}

/// Leaves the branches that these changes prove wrong.
fn leave(c: &Connection, roll: &Roll, offered: &[Offered], now: i64) -> Result<()> {
    for wrong in branch::to_leave(roll, offered, &Past(c))? {
        aside::set_aside(c, &wrong.document, &wrong.actor, wrong.from, Why::Branch, now)?;
    }
    Ok(())
}

/// A change that a cut names needs no other signature to be sent on.
fn tip_of<'t>(roll: &Roll, key: &DocKey, change: &Change, tip: Option<&'t Tip>) -> Option<&'t Tip> {
    let h = &change.header;
    let named = || {
        roll.cut(key, &h.actor)
            .is_some_and(|cut| cut.seq == h.seq && cut.hash == h.hash)
    };
    tip.or_else(|| named().then_some(&BY_CUT))
}

fn hold(
    c: &Connection,
    key: &DocKey,
    change: &Change,
    tip: Option<&Tip>,
    wait: Wait,
    from: Option<&NodeId>,
    now: i64,
) -> Result<()> {
    let device = change.header.actor.device.0;
    let counted = "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM held";
    let room = |sql: &str, device: Option<[u8; 32]>, changes: usize, bytes: usize| -> Result<bool> {
        let (n, b): (i64, i64) = c
            .prepare_cached(sql)?
            .query_row(params_from_iter(device), |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(n < changes as i64 && b + change.body.len() as i64 <= bytes as i64)
    };
    let of_device = format!("{counted} WHERE substr(actor, 1, 32) = ?");
    // No room: dropped here, and found missing by the next check with whoever has it.
    if !room(counted, None, limits::HELD_CHANGES, limits::HELD_BYTES)?
        || !room(
            &of_device,
            Some(device),
            limits::HELD_PER_AUTHOR,
            limits::HELD_BYTES_PER_AUTHOR,
        )?
    {
        return Ok(());
    }
    c.prepare_cached(
        "INSERT INTO held (document, hash, actor, actor_seq, wait, body, tip, from_peer, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (document, hash) DO UPDATE SET wait = excluded.wait, tip = COALESCE(held.tip, excluded.tip)",
    )?
    .execute(params![
        key.as_str(),
        change.header.hash,
        change.header.actor.to_bytes(),
        change.header.seq as i64,
        format!("{wait:?}"),
        change.body,
        tip.map(|t| t.to_vec()),
        from.map(|n| n.0),
        now
    ])?;
    Ok(())
}

/// Judges all held changes again, after new roll statements; returns how many were stored.
pub fn retry(c: &Connection, policy: &Policy, roll: &Roll, now: i64) -> Result<usize> {
    let mut statement = c.prepare_cached("SELECT DISTINCT document FROM held")?;
    let rows = statement.query_map([], |r| r.get::<_, String>(0))?;
    let mut documents = rows.collect::<rusqlite::Result<BTreeSet<_>>>()?;
    documents.extend(aside::documents(c)?);
    let mut stored = 0;
    for document in documents.iter().filter_map(|d| DocKey::parse(d)) {
        stored += retry_document(c, policy, roll, &document, now)?;
    }
    Ok(stored)
}

fn retry_document(c: &Connection, policy: &Policy, roll: &Roll, key: &DocKey, now: i64) -> Result<usize> {
    let mut stored = 0;
    loop {
        let mut statement =
            c.prepare_cached("SELECT id, body, tip, from_peer FROM held WHERE document = ? ORDER BY id")?;
        let rows = statement.query_map([key.as_str()], |r| {
            Ok((
                r.get::<_, i64>(0)?,
                r.get::<_, Vec<u8>>(1)?,
                r.get::<_, Option<Vec<u8>>>(2)?,
                r.get::<_, Option<Vec<u8>>>(3)?,
            ))
        })?;
        let (mut waiting, mut offered) = (Vec::new(), Vec::new());
        for (offer, from) in aside::candidates(c, roll, key)? {
            waiting.push((None, from));
            offered.push(offer);
        }
        for row in rows {
            let (id, body, tip, from) = row?;
            let tip = tip.map(|t| fixed(t, "tip")).transpose()?;
            let from = from.map(|n| fixed(n, "peer").map(NodeId)).transpose()?;
            waiting.push((Some(id), from));
            offered.push(Offered {
                document: key.clone(),
                body,
                tip,
            });
        }
        if offered.is_empty() {
            return Ok(stored);
        }
        let mut progress = 0;
        leave(c, roll, &offered, now)?;
        for judged in admit(policy, roll, &offered, &Past(c))? {
            let (Some(offer), Some((id, from))) = (offered.get(judged.index), waiting.get(judged.index))
            else {
                continue;
            };
            let (tip, from) = (offer.tip.as_ref(), from.as_ref());
            match (judged.verdict, &judged.change) {
                (Verdict::Held(_), _) | (Verdict::Dropped(Fault::NoTip), _) => continue,
                (Verdict::Stored, Some(change)) => {
                    changes::insert(c, key, change, tip_of(roll, key, change, tip), from, now)?;
                    progress += 1;
                }
                // What stands aside stays there.
                _ if id.is_none() => continue,
                (Verdict::Quarantined(fault), Some(change)) => {
                    changes::quarantine(c, key, fault, change, tip, from, now)?;
                }
                _ => {}
            }
            c.prepare_cached("DELETE FROM held WHERE id = ?")?.execute([id])?;
        }
        if progress == 0 {
            return Ok(stored);
        }
        stored += progress;
    }
}

/// One line of the operator's list of waiting changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldRow {
    /// The document.
    pub document: String,
    /// Who wrote them.
    pub device: NodeId,
    /// What they wait for (the name of a `sync::admission::Wait`).
    pub wait: String,
    /// How many.
    pub count: u64,
    /// Unix seconds of the newest.
    pub at: i64,
}

/// Waiting changes by document, author and reason.
pub fn held(c: &Connection) -> Result<Vec<HeldRow>> {
    let mut statement = c.prepare_cached(
        "SELECT document, substr(actor, 1, 32), wait, COUNT(*), MAX(at) FROM held GROUP BY 1, 2, 3 ORDER BY 5 DESC",
    )?;
    let rows = statement.query_map([], |r| {
        Ok((
            r.get(0)?,
            r.get::<_, Vec<u8>>(1)?,
            r.get(2)?,
            r.get::<_, i64>(3)?,
            r.get(4)?,
        ))
    })?;
    rows.map(|row| {
        let (document, device, wait, count, at) = row?;
        Ok(HeldRow {
            document,
            device: NodeId(fixed(device, "device")?),
            wait,
            count: count as u64,
            at,
        })
    })
    .collect()
}
