//! Takes a piece from a peer: judged by `sync::admission`, stored, held or quarantined in one transaction.

use std::collections::{BTreeSet, VecDeque};

use rusqlite::{Connection, ToSql, params};
use sync::admission::{Fault, History, Offered, Verdict, Wait, admit, admit_held};
use sync::authority::{Policy, within_end};
use sync::tip::{BY_CUT, Receipt, Tip};
use sync::{ActorId, Change, ChangeHash, DocKey, NodeId, Roll, branch, limits};

use crate::aside::{self, Why};
use crate::changes::{self, Past};
use crate::evidence;
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
    /// What was stored: others may wait for it.
    fresh: Vec<(DocKey, ChangeHash)>,
    /// Documents in which it may be our branch that a cut has ended.
    doubtful: BTreeSet<DocKey>,
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
    let fresh = std::mem::take(&mut outcome.fresh);
    // What stands aside may come back with what it stands on; and what a cut names may have come in several
    // pieces that show only together which branch is right.
    let mut again = std::mem::take(&mut outcome.doubtful);
    for (key, _) in &fresh {
        if !again.contains(key) && aside::any(c, key)? {
            again.insert(key.clone());
        }
    }
    outcome.stored += release(c, policy, roll, fresh, now)?;
    for key in again {
        outcome.stored += retry_document(c, policy, roll, &key, now)?;
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
    leave(c, branch::to_leave(roll, offered, &Past(c))?, now)?;
    for judged in admit(policy, roll, offered, &Past(c))? {
        let Some(offer) = offered.get(judged.index) else {
            continue;
        };
        let (key, tip) = (&offer.document, offer.tip.as_ref());
        match (judged.verdict, &judged.change) {
            (Verdict::Stored, Some(change)) => {
                changes::insert(c, key, change, tip_of(roll, key, change, tip), from, now)?;
                outcome.stored += 1;
                outcome.fresh.push((key.clone(), change.header.hash));
            }
            // What stands aside is known and kept already.
            (Verdict::Held(_), Some(change)) if aside::has(c, key, &change.header.hash)? => {}
            (Verdict::Held(wait), Some(change)) => hold(c, key, change, tip, wait, from, now)?,
            // Also of a branch that this device left: somebody still holds it, and the county must hear of it.
            (Verdict::Quarantined(fault), Some(change)) => {
                let proof = evidence::in_offer(&roll.county(), offered, judged.index);
                changes::quarantine(c, key, fault, change, proof.as_ref(), from, now)?;
                if settled(roll, key, fault, change) && !aside::has(c, key, &change.header.hash)? {
                    hold(c, key, change, tip, Wait::Quarantine, from, now)?;
                }
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
                let within =
                    |c: &Change| roll.cut(key, &c.header.actor).is_some() && within_end(roll, key, &c.header);
                if matches!(verdict, Verdict::Held(_)) && change.as_ref().is_some_and(within) {
                    outcome.doubtful.insert(key.clone());
                }
                let hash = change.map_or([0; 32], |c| c.header.hash);
                outcome.verdicts.push((key.clone(), hash, verdict));
            }
        }
    }
    Ok(outcome)
}

/// Leaves the branches that were proven wrong.
fn leave(c: &Connection, wrong: Vec<branch::Leave>, now: i64) -> Result<()> {
    for wrong in wrong {
        aside::set_aside(c, &wrong.document, &wrong.actor, wrong.from, Why::Branch, now)?;
    }
    Ok(())
}

/// Whether the county has already decided between the branches of which this is the other one: it waits to be
/// shown to its author, who may have lost it and says it again ([`crate::shown`]).
fn settled(roll: &Roll, key: &DocKey, fault: Fault, change: &Change) -> bool {
    fault == Fault::Equivocation && roll.cut(key, &change.header.actor).is_some()
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
    if !has_room(c, change, wait, from)? {
        // Dropped here, and found missing by the next check with whoever has it.
        return Ok(());
    }
    let needs = needs(c, key, change, wait)?;
    c.prepare_cached(
        "INSERT INTO held (document, hash, actor, actor_seq, wait, needs, body, tip, from_peer, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (document, hash) DO UPDATE SET
            wait = excluded.wait, needs = excluded.needs, tip = COALESCE(held.tip, excluded.tip)",
    )?
    .execute(params![
        key.as_str(),
        change.header.hash,
        change.header.actor.to_bytes(),
        change.header.seq as i64,
        format!("{wait:?}"),
        needs,
        change.body,
        tip.map(|t| t.to_vec()),
        from.map(|n| n.0),
        now
    ])?;
    Ok(())
}

/// Whether a change may wait: within the room of its author, of the peer who brought it, of strangers if its
/// author is one, and of all (`limits::HELD_…`).
fn has_room(c: &Connection, change: &Change, wait: Wait, from: Option<&NodeId>) -> Result<bool> {
    let room = |filter: &str, values: &[&dyn ToSql], changes: usize, bytes: usize| -> Result<bool> {
        // Answered from the indices alone.
        let sql = format!("SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM held {filter}");
        let (n, b): (i64, i64) = c
            .prepare_cached(&sql)?
            .query_row(values, |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(n < changes as i64 && b + change.body.len() as i64 <= bytes as i64)
    };
    let actor = |incarnation| {
        let device = change.header.actor.device;
        ActorId { device, incarnation }.to_bytes()
    };
    let (first, last) = (actor([0; 4]), actor([255; 4]));
    let by_author: &[&dyn ToSql] = &[&first, &last];
    let unknown = format!("{:?}", Wait::UnknownAuthor);
    Ok(room("", &[], limits::HELD_CHANGES, limits::HELD_BYTES)?
        && room(
            "WHERE actor BETWEEN ? AND ?",
            by_author,
            limits::HELD_PER_AUTHOR,
            limits::HELD_BYTES_PER_AUTHOR,
        )?
        && match from {
            None => true,
            Some(peer) => room(
                "WHERE from_peer = ?",
                &[&peer.0],
                limits::HELD_PER_PEER,
                limits::HELD_BYTES_PER_PEER,
            )?,
        }
        && (wait != Wait::UnknownAuthor
            || room(
                "WHERE wait = ?",
                &[&unknown],
                limits::HELD_UNKNOWN,
                limits::HELD_BYTES_UNKNOWN,
            )?))
}

/// The first dependency that is not stored.
fn needs(c: &Connection, key: &DocKey, change: &Change, wait: Wait) -> Result<Option<ChangeHash>> {
    if wait != Wait::Dependency {
        return Ok(None);
    }
    for dep in &change.header.deps {
        if Past(c).header(key, dep)?.is_none() {
            return Ok(Some(*dep));
        }
    }
    Ok(None)
}

/// Judges again the changes that waited for `fresh` ones, and those that waited for them: each is looked at
/// once for each dependency that comes, however many wait beside it.
fn release(
    c: &Connection,
    policy: &Policy,
    roll: &Roll,
    fresh: Vec<(DocKey, ChangeHash)>,
    now: i64,
) -> Result<usize> {
    let (mut stored, mut queue) = (0, VecDeque::from(fresh));
    while let Some((key, hash)) = queue.pop_front() {
        let mut statement = c.prepare_cached(
            "SELECT id, body, tip, from_peer FROM held WHERE document = ? AND needs = ? ORDER BY id",
        )?;
        let rows = statement.query_map(params![key.as_str(), hash], held_row)?;
        for row in rows.collect::<rusqlite::Result<Vec<_>>>()? {
            let (id, offer, from) = row.read(&key)?;
            for judged in admit_held(policy, roll, std::slice::from_ref(&offer), &Past(c))? {
                let Some(change) = judged.change else { continue };
                match judged.verdict {
                    Verdict::Held(wait) => {
                        let needs = needs(c, &key, &change, wait)?;
                        go_on_waiting(c, id, wait, needs)?;
                        continue;
                    }
                    Verdict::Stored => {
                        let tip = tip_of(roll, &key, &change, offer.tip.as_ref());
                        changes::insert(c, &key, &change, tip, from.as_ref(), now)?;
                        stored += 1;
                        queue.push_back((key.clone(), change.header.hash));
                    }
                    Verdict::Quarantined(fault) => {
                        let proof = evidence::in_offer(&roll.county(), std::slice::from_ref(&offer), 0);
                        changes::quarantine(c, &key, fault, &change, proof.as_ref(), from.as_ref(), now)?;
                        if settled(roll, &key, fault, &change) {
                            go_on_waiting(c, id, Wait::Quarantine, None)?;
                            continue;
                        }
                    }
                    Verdict::Known | Verdict::Dropped(_) => {}
                }
                c.prepare_cached("DELETE FROM held WHERE id = ?")?.execute([id])?;
            }
        }
    }
    Ok(stored)
}

struct HeldChange(i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

fn held_row(r: &rusqlite::Row<'_>) -> rusqlite::Result<HeldChange> {
    Ok(HeldChange(r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
}

impl HeldChange {
    fn read(self, key: &DocKey) -> Result<(i64, Offered, Option<NodeId>)> {
        let offer = Offered {
            document: key.clone(),
            body: self.1,
            tip: self.2.map(|t| fixed(t, "tip")).transpose()?,
        };
        let from = self.3.map(|n| fixed(n, "peer").map(NodeId)).transpose()?;
        Ok((self.0, offer, from))
    }
}

/// A change that waits.
pub(crate) struct Waiting {
    id: i64,
    pub(crate) offer: Offered,
    from: Option<NodeId>,
}

/// What waits in a document, in the order of operation numbers, which grow along dependencies: one pass finds
/// all that can go.
pub(crate) fn waiting_in(c: &Connection, key: &DocKey) -> Result<Vec<Waiting>> {
    let mut statement = c.prepare_cached("SELECT id, body, tip, from_peer FROM held WHERE document = ?")?;
    let rows = statement.query_map([key.as_str()], held_row)?;
    let mut all = Vec::new();
    for row in rows {
        let (id, offer, from) = row?.read(key)?;
        let head = Change::from_body(offer.body.clone()).map(|c| (c.header.start_op, c.header.seq));
        all.push((head.unwrap_or_default(), Waiting { id, offer, from }));
    }
    all.sort_by_key(|(number, w)| (*number, w.id));
    Ok(all.into_iter().map(|(_, w)| w).collect())
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

fn go_on_waiting(c: &Connection, id: i64, wait: Wait, needs: Option<ChangeHash>) -> Result<()> {
    c.prepare_cached("UPDATE held SET wait = ?, needs = ? WHERE id = ?")?
        .execute(params![format!("{wait:?}"), needs, id])?;
    Ok(())
}

fn retry_document(c: &Connection, policy: &Policy, roll: &Roll, key: &DocKey, now: i64) -> Result<usize> {
    let mut stored = 0;
    loop {
        let (mut waiting, mut offered) = (Vec::new(), Vec::new());
        for (offer, from) in aside::candidates(c, roll, key)? {
            waiting.push((None, from));
            offered.push(offer);
        }
        for w in waiting_in(c, key)? {
            waiting.push((Some(w.id), w.from));
            offered.push(w.offer);
        }
        if offered.is_empty() {
            return Ok(stored);
        }
        let mut progress = 0;
        leave(c, branch::to_leave_held(roll, &offered, &Past(c))?, now)?;
        for judged in admit_held(policy, roll, &offered, &Past(c))? {
            let (Some(offer), Some((id, from))) = (offered.get(judged.index), waiting.get(judged.index))
            else {
                continue;
            };
            let (tip, from) = (offer.tip.as_ref(), from.as_ref());
            if let (Verdict::Stored, Some(change)) = (judged.verdict, &judged.change) {
                changes::insert(c, key, change, tip_of(roll, key, change, tip), from, now)?;
                progress += 1;
            }
            // What stands aside stays there.
            let Some(id) = id else { continue };
            match (judged.verdict, &judged.change) {
                (Verdict::Held(wait), Some(change)) => {
                    let needs = needs(c, key, change, wait)?;
                    go_on_waiting(c, *id, wait, needs)?;
                    continue;
                }
                (Verdict::Quarantined(fault), Some(change)) => {
                    let proof = evidence::in_offer(&roll.county(), &offered, judged.index);
                    changes::quarantine(c, key, fault, change, proof.as_ref(), from, now)?;
                    if settled(roll, key, fault, change) {
                        go_on_waiting(c, *id, Wait::Quarantine, None)?;
                        continue;
                    }
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
