//! Two branches of one actor, and the cut that says which is right (design.md §4).
//!
//! A device that was rolled back or copied has signed two changes with one number; nodes that met different
//! copies of it store different branches. A cut `{document, actor, seq, hash}` names the right one: its hash
//! covers the whole chain below. A node on another branch leaves it once it is shown that chain, and takes
//! the named one; so all nodes with the same roll come to store the same, in whatever order things came.
//!
//! Pure and bounded by the piece: only changes that are offered together are looked at.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::admission::{History, Offered, covered, parse};
use crate::change::Change;
use crate::document::{ChangeHash, DocKey};
use crate::identity::ActorId;
use crate::roll::Roll;

/// A stored branch that is not the one a cut names: everything of `actor` from number `from` on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leave {
    /// The document.
    pub document: DocKey,
    /// Whose branch.
    pub actor: ActorId,
    /// The first change that is to go.
    pub from: u64,
}

/// The chain below the change that a cut names, as far as the offer shows it: index by sequence number.
struct Chain {
    document: DocKey,
    actor: ActorId,
    members: BTreeMap<u64, usize>,
}

fn chains(roll: &Roll, offered: &[Offered], parsed: &[Option<Change>]) -> Vec<Chain> {
    let mut place: HashMap<(&DocKey, ChangeHash), usize> = HashMap::new();
    let mut named = Vec::new();
    for (i, (o, c)) in offered.iter().zip(parsed).enumerate() {
        let Some(c) = c else { continue };
        place.insert((&o.document, c.header.hash), i);
        let cut = roll.cut(&o.document, &c.header.actor);
        if cut.is_some_and(|cut| cut.seq == c.header.seq && cut.hash == c.header.hash) {
            named.push(i);
        }
    }
    named
        .into_iter()
        .filter_map(|top| chain(top, offered, parsed, &place))
        .collect()
}

/// Downwards without a gap; two changes of one number in one past end it, for admission refuses those.
fn chain(
    top: usize,
    offered: &[Offered],
    parsed: &[Option<Change>],
    place: &HashMap<(&DocKey, ChangeHash), usize>,
) -> Option<Chain> {
    let document = &offered.get(top)?.document;
    let actor = parsed.get(top)?.as_ref()?.header.actor;
    let mut all: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut seen = HashSet::from([top]);
    let mut next = vec![top];
    while let Some(at) = next.pop() {
        let Some(head) = parsed.get(at).and_then(|c| c.as_ref()).map(|c| &c.header) else {
            continue;
        };
        if head.actor == actor {
            all.entry(head.seq).or_default().push(at);
        }
        for dep in &head.deps {
            if let Some(&d) = place.get(&(document, *dep))
                && seen.insert(d)
            {
                next.push(d);
            }
        }
    }
    let mut members = BTreeMap::new();
    let mut expected = None;
    for (seq, here) in all.into_iter().rev() {
        let [only] = here[..] else { break };
        if expected.is_some_and(|e| e != seq) {
            break;
        }
        expected = Some(seq.saturating_sub(1));
        members.insert(seq, only);
    }
    Some(Chain {
        document: document.clone(),
        actor,
        members,
    })
}

/// The offered changes that lie on the branch that a cut names.
pub fn named(roll: &Roll, offered: &[Offered]) -> HashSet<usize> {
    if !roll.has_cuts() {
        return HashSet::new();
    }
    let chains = chains(roll, offered, &parse(offered));
    chains.into_iter().flat_map(|c| c.members.into_values()).collect()
}

/// The stored branches that an offer proves wrong. The caller sets them aside, with all that depends on them,
/// and then judges the offer (`admission::admit`).
pub fn to_leave<H: History>(roll: &Roll, offered: &[Offered], history: &H) -> Result<Vec<Leave>, H::Error> {
    if !roll.has_cuts() {
        return Ok(Vec::new());
    }
    let parsed = parse(offered);
    let covered = covered(roll, offered, &parsed);
    proven_wrong(roll, offered, &parsed, |i| covered.contains(&i), history)
}

/// The same for changes that waited or stood aside: their signatures were verified before.
pub fn to_leave_held<H: History>(roll: &Roll, held: &[Offered], history: &H) -> Result<Vec<Leave>, H::Error> {
    if !roll.has_cuts() {
        return Ok(Vec::new());
    }
    proven_wrong(roll, held, &parse(held), |_| true, history)
}

fn proven_wrong<H: History>(
    roll: &Roll,
    offered: &[Offered],
    parsed: &[Option<Change>],
    covered: impl Fn(usize) -> bool,
    history: &H,
) -> Result<Vec<Leave>, H::Error> {
    let mut leave = Vec::new();
    for chain in chains(roll, offered, parsed) {
        for (seq, i) in &chain.members {
            let Some(change) = parsed.get(*i).and_then(|c| c.as_ref()) else {
                continue;
            };
            let here = history.at(&chain.document, &chain.actor, *seq)?;
            if covered(*i) && here.is_some_and(|h| h != change.header.hash) {
                leave.push(Leave {
                    document: chain.document.clone(),
                    actor: chain.actor,
                    from: *seq,
                });
                break;
            }
        }
    }
    Ok(leave)
}
