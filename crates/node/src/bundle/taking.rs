//! Takes a bundle up: the same admission as in a session, and an answer in return.

use std::io::Read;

use store::{events, mail, peers};
use sync::admission::{Fault, Verdict, Wait};
use sync::tip::receipt_bytes;
use sync::wire::Ack;
use sync::{ChangeHash, DocKey, Statement, limits};

use super::inside::{Frames, Item, Refusal};
use super::{BundleError, Head, Refused, check_body, hash_of, name_of, seal};
use crate::node::Standing;
use crate::{Error, Node, talk};

/// What was in a bundle, for people.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// The bundle's name.
    pub name: String,
    /// Its maker's name for people.
    pub from: String,
    /// Part so many…
    pub part: u16,
    /// …of so many.
    pub parts: u16,
    /// Size of the file.
    pub bytes: u64,
    /// It had been taken before.
    pub again: bool,
    /// Changes in it.
    pub changes: usize,
    /// Of these, what is new here, with what had waited for them.
    pub stored: usize,
    /// What waits, for another part or for the county's word.
    pub held: usize,
    /// What was not taken, for a fault.
    pub faulty: usize,
    /// Statements about devices that are new here.
    pub statements: usize,
    /// Records of ours that had no receipt of the county before this, and have now.
    pub arrived: u64,
    /// Bundles of ours that it answers.
    pub answers: usize,
    /// Bundles of ours that its maker could not open.
    pub refused: usize,
}

/// Verdicts kept for one device until it has heard of them.
const VERDICTS: usize = 256;

/// Takes up a bundle for this device. Its changes are stored when this returns; the views show them. What cannot
/// be opened is remembered, and its sender told with the next answer.
pub fn take(node: &Node, bytes: &[u8]) -> Result<Taken, Error> {
    match node.standing() {
        Standing::NotEnrolled => return Err(Error::NotEnrolled),
        Standing::Revoked => return Err(Error::Revoked),
        Standing::Waiting | Standing::Member => {}
    }
    if bytes.len() > limits::BUNDLE_BYTES {
        return Err(BundleError::TooLarge.into());
    }
    let (head, name, len) = Head::read(bytes)?;
    if head.to != node.id() {
        let to = node.device_label(&head.to);
        return Err(BundleError::NotForUs { to }.into());
    }
    let from = node.device_label(&head.from);
    let mut taken = Taken {
        name,
        part: head.part,
        parts: head.parts,
        bytes: bytes.len() as u64,
        ..Taken::default()
    };
    let body = bytes.get(len..).unwrap_or_default();
    let result = check_body(node, &head, body).map_err(Error::from).and_then(|()| {
        match seal::open(&node.0.key, body) {
            Some(inside) => read(node, &head, inside, &mut taken),
            None => Err(BundleError::NotOpened(from).into()),
        }
    });
    if let Err(error) = result {
        if let Error::Bundle(bundle) = &error
            && let Some(code) = bundle.refusal()
        {
            refuse(node, &head, &taken.name, code)?;
        }
        return Err(error);
    }
    taken.from = node.device_label(&head.from);
    Ok(taken)
}

/// Remembers that a bundle did not open; strangers are told nothing.
fn refuse(node: &Node, head: &Head, name: &str, code: Refused) -> Result<(), Error> {
    if !node.roll().is_member(&head.from) {
        return Ok(());
    }
    Ok(node.store().write(|tx| {
        mail::note_taken(tx, name, &head.from, code as u8, node.now())?;
        mail::set_owed(tx, &head.from, true)
    })?)
}

fn read(node: &Node, head: &Head, inside: impl Read, taken: &mut Taken) -> Result<(), Error> {
    let before = node.not_at_county()?;
    let bad = |why| BundleError::Inside {
        from: node.device_label(&head.from),
        why,
    };
    let mut frames = Frames::new(inside).map_err(bad)?;
    // Statements stand in front: the sender may be known by them alone.
    let mut next = frames.next().map_err(bad)?;
    let (mut foreign, mut about) = (0, None);
    loop {
        match next {
            Some(Item::Roll(statements)) => {
                let statements = statements.iter().map(|s| Statement::from_bytes(s));
                let all: Vec<Statement> = statements.filter_map(Result::ok).collect();
                let taken_in = node.take_statements(all)?;
                taken.statements += taken_in.new.len();
                foreign += taken_in.refused;
                if foreign > limits::ROLL_FOREIGN {
                    return Err(bad("statements of nobody in the county").into());
                }
            }
            Some(Item::About(a)) => about = Some(a),
            other => {
                next = other;
                break;
            }
        }
        next = frames.next().map_err(bad)?;
    }
    let present = meet(node, head, about.map(|a| a.roll))?;
    let mut verdicts: Vec<(DocKey, ChangeHash, Verdict)> = Vec::new();
    while let Some(item) = next {
        match item {
            Item::Piece(piece) => {
                taken.changes += piece.changes.len();
                let outcome = node.admit_from(&head.from, &piece.changes, None)?;
                taken.stored += outcome.stored;
                for (_, _, verdict) in &outcome.verdicts {
                    match verdict {
                        Verdict::Held(_) => taken.held += 1,
                        Verdict::Dropped(_) | Verdict::Quarantined(_) => taken.faulty += 1,
                        Verdict::Stored | Verdict::Known => {}
                    }
                }
                verdicts.extend(
                    outcome
                        .verdicts
                        .into_iter()
                        .filter(|(_, _, v)| is_for_its_author(*v)),
                );
                verdicts.truncate(VERDICTS);
            }
            Item::Ack(ack) if present => acknowledged(node, head, &ack)?,
            Item::Refused(refusal) => taken.refused += usize::from(refused(node, head, &refusal)?),
            Item::Roll(statements) => {
                let statements = statements.iter().map(|s| Statement::from_bytes(s));
                let taken_in = node.take_statements(statements.filter_map(Result::ok).collect())?;
                taken.statements += taken_in.new.len();
            }
            Item::Ack(_) | Item::About(_) | Item::Other => {}
        }
        next = frames.next().map_err(bad)?;
    }
    taken.answers = settle(node, head, taken, &verdicts)?;
    node.refresh_views()?;
    if let Err(error) = crate::office::follow_arrivals(node) {
        tracing::error!(%error, "credits could not be brought over");
    }
    // Counted on what the pages showed before: what came in now is not ours.
    taken.arrived = before.saturating_sub(node.not_at_county()?);
    node.0.changed.send_modify(|n| *n += 1);
    Ok(())
}

/// What the sender's own device has to do something about.
fn is_for_its_author(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Quarantined(Fault::Equivocation) | Verdict::Held(Wait::Quarantine)
    )
}

/// The sender must be a device of the county, and is noted as met; says whether its store is the present one.
fn meet(node: &Node, head: &Head, their_roll: Option<[u8; 8]>) -> Result<bool, Error> {
    let roll = node.roll();
    if roll.is_revoked(&head.from) {
        return Err(BundleError::Revoked(node.device_label(&head.from)).into());
    }
    if !roll.is_member(&head.from) {
        return Err(BundleError::Stranger(node.device_label(&head.from)).into());
    }
    let scope = talk::scope(&roll, &head.from);
    Ok(node.store().write(|tx| {
        let known = peers::get(tx, &head.from)?;
        let other = known
            .as_ref()
            .is_some_and(|p| p.store.is_some_and(|s| s != head.store));
        // A bundle may lie in a drawer for a year. It says that its store is the present one only if it was made
        // after we met the other: what is believed wrongly here would show records as arrived that are lost.
        let met = known.and_then(|p| p.seen_at).unwrap_or(i64::MIN);
        if other && head.made < met {
            events::add(tx, "old-store", Some(&head.from), "", "", node.now())?;
            return Ok(false);
        }
        peers::met(tx, &head.from, &head.store, &scope, None, node.now())?;
        let mut stands = mail::correspondent(tx, &head.from)?;
        let newest = stands
            .heard
            .is_none_or(|(s, n)| s != head.store || n <= head.number);
        if newest {
            stands.heard = Some((head.store, head.number));
            stands.roll = their_roll.or(stands.roll);
            mail::set_correspondent(tx, &head.from, &stands)?;
        }
        Ok::<_, store::Error>(true)
    })?)
}

fn acknowledged(node: &Node, head: &Head, ack: &Ack) -> Result<(), Error> {
    let signed = ack.receipts.is_empty()
        || <[u8; 64]>::try_from(ack.signature.as_slice())
            .is_ok_and(|s| head.from.verify(&receipt_bytes(&head.store, &ack.receipts), &s));
    if !signed {
        return node.note_event("bad-receipt", Some(&head.from), "", "");
    }
    node.acknowledged_by(&head.from, &head.store, None, &ack.receipts, &ack.verdicts)
}

/// Our bundle that the sender could not open: shown to the operator, and sealed anew the next time.
fn refused(node: &Node, head: &Head, refusal: &Refusal) -> Result<bool, Error> {
    let name = name_of(&refusal.name);
    let ours = node.store().read(|c| mail::get(c, &name))?;
    let Some(ours) = ours.filter(|m| m.from == node.id() && m.to == head.from) else {
        return Ok(false);
    };
    crate::mail::forget(node, &name)?;
    let detail = format!("#{} {}/{}", ours.number, ours.part, ours.parts);
    node.note_event("bundle-refused", Some(&head.from), "", &detail)?;
    Ok(true)
}

/// Notes that it was taken, lets go of what it answers, and moves the cursor as far as receipts reach.
fn settle(
    node: &Node,
    head: &Head,
    taken: &mut Taken,
    verdicts: &[(DocKey, ChangeHash, Verdict)],
) -> Result<usize, Error> {
    let roll = node.roll();
    let reach = talk::shared(node, &roll, &head.from);
    taken.again = !node.store().write(|tx| {
        let first = mail::note_taken(tx, &taken.name, &head.from, 0, node.now())?;
        let mut stands = mail::correspondent(tx, &head.from)?;
        // Only what brings changes or statements waits for an answer, or two nodes would answer one another for ever.
        stands.owed |= taken.changes + taken.statements > 0;
        let mut kept: Vec<_> = postcard::from_bytes(&stands.verdicts).unwrap_or_default();
        for v in verdicts {
            if !kept.contains(v) && kept.len() < VERDICTS {
                kept.push(v.clone());
            }
        }
        stands.verdicts = postcard::to_stdvec(&kept).unwrap_or_default();
        mail::set_correspondent(tx, &head.from, &stands)?;
        let acked = peers::get(tx, &head.from)?.and_then(|p| p.acked).unwrap_or(0);
        let upto = mail::covered_upto(tx, &head.from, acked, &reach)?;
        if upto > acked {
            peers::set_acked(tx, &head.from, upto, node.now())?;
        }
        Ok::<_, store::Error>(first)
    })?;
    crate::mail::answered(node, head)
}

/// The names in a head, as files are called.
pub(crate) fn answered_names(head: &Head) -> Vec<String> {
    head.answers
        .iter()
        .map(name_of)
        .filter(|n| hash_of(n).is_some())
        .collect()
}
