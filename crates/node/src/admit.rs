//! What is done with changes and answers of a peer, whichever way they came: over a link (`talk`) or in a
//! sealed bundle (`bundle`).

use std::borrow::Cow;

use store::admitting::Outcome;
use store::{admitting, events, mail, peers};
use sync::admission::{Offered, Verdict};
use sync::tip::Receipt;
use sync::{Change, ChangeHash, DocKey, NodeId, StoreId};

use crate::events::verdict_code;
use crate::{Error, Node, talk};

impl Node {
    /// Judges and stores one piece, durably and in one transaction, and with it how far the peer's store has
    /// been heard. The views follow by themselves.
    pub(crate) fn admit_from(
        &self,
        peer: &NodeId,
        offered: &[Offered],
        upto: Option<u64>,
    ) -> Result<Outcome, Error> {
        let roll = self.roll();
        let policy = &self.0.policy;
        let county = self.is_county();
        let (outcome, lost) = self.store().write(|tx| {
            let own = self.give_way(tx, &roll, peer, offered)?;
            let lost = own.lost;
            let mut offered = Cow::Borrowed(offered);
            if !own.withdrawn.is_empty() {
                offered.to_mut().retain(|o| {
                    let hash = Change::from_body(o.body.clone()).map(|c| c.header.hash);
                    let is = |(key, h): &(DocKey, ChangeHash)| *key == o.document && hash == Ok(*h);
                    !own.withdrawn.iter().any(is)
                });
            }
            let mut outcome = admitting::take(tx, policy, &roll, &offered, Some(peer), self.now())?;
            let withdrawn = own.withdrawn.iter().cloned();
            outcome.verdicts.extend(
                withdrawn.map(|(key, hash)| (key, hash, Verdict::Held(sync::admission::Wait::Quarantine))),
            );
            self.took(tx, peer, own)?;
            self.note_verdicts(tx, peer, &outcome.verdicts, true)?;
            if let Some(upto) = upto {
                peers::set_have(tx, peer, upto)?;
            }
            if county && outcome.stored > 0 {
                // Its author was not here itself: it learns by a sealed bundle that this has arrived.
                for device in outcome.receipts.iter().map(|r| r.actor.device) {
                    if device != *peer && device != self.id() {
                        mail::set_owed(tx, &device, true)?;
                    }
                }
            }
            Ok::<_, Error>((outcome, lost))
        })?;
        let counters = &self.0.counters;
        counters.judged(outcome.stored, outcome.receipts.len(), &outcome.verdicts);
        if lost || outcome.stored > 0 {
            self.0.arrived.send_modify(|n| *n += 1);
        }
        if outcome.stored > 0 {
            tracing::debug!(peer = %peer.short(), changes = outcome.stored, "stored");
            self.note_stored();
        }
        Ok(outcome)
    }

    /// Keeps a peer's verified receipts and what it did not store of ours.
    pub(crate) fn acknowledged_by(
        &self,
        peer: &NodeId,
        store: &StoreId,
        upto: Option<u64>,
        receipts: &[Receipt],
        verdicts: &[(DocKey, ChangeHash, Verdict)],
    ) -> Result<(), Error> {
        // A receipt for what the peer may not even read would make a page say that it was taken along.
        let roll = self.roll();
        let reach = talk::shared(self, &roll, peer);
        let (good, foreign): (Vec<Receipt>, Vec<Receipt>) =
            receipts.iter().cloned().partition(|r| reach.lets(&r.document));
        self.store().write(|tx| {
            for r in &foreign {
                let key = r.document.as_str();
                events::add(tx, "foreign-receipt", Some(peer), key, "", self.now())?;
            }
            peers::keep_receipts(tx, peer, store, &good, self.now())?;
            if let Some(upto) = upto {
                peers::set_acked(tx, peer, upto, self.now())?;
            }
            self.refused(tx, &roll, peer, verdicts)?;
            self.note_verdicts(tx, peer, verdicts, false)
        })?;
        self.0.counters.acknowledged(good.len());
        if !verdicts.is_empty() {
            self.0.arrived.send_modify(|n| *n += 1);
        }
        self.0.changed.send_modify(|n| *n += 1);
        Ok(())
    }

    fn note_verdicts(
        &self,
        c: &store::Connection,
        peer: &NodeId,
        verdicts: &[(DocKey, ChangeHash, Verdict)],
        ours: bool,
    ) -> Result<(), Error> {
        for (document, _, verdict) in verdicts {
            let code = verdict_code(*verdict, ours);
            events::add(c, &code, Some(peer), document.as_str(), "", self.now())?;
        }
        Ok(())
    }
}
