//! Quarantines as the operator sees and mends them: who, where, why, the evidence, and where the county may
//! cut. A cut is a statement of the roll; every node then takes the same branch and counts anew by itself.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
pub use store::cases::KeptRow;
use store::cases::{self as rows, Signed};
use store::changes;
use store::evidence::{self, Proof};
use sync::admission::History;
use sync::{ActorId, ChangeHash, DocKey, NodeId};

use crate::{Error, Node, enrol};

/// A change, in short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exhibit {
    /// Number.
    pub seq: u64,
    /// Hash, in hexadecimal.
    pub hash: String,
    /// Bytes of its body.
    pub bytes: usize,
    /// Whether its author's own signature lies beside it.
    pub signed: bool,
}

/// Where the county may cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// After all that came here of the stored branch: both branches are honest work (a backup, a copy of the
    /// directory); what the device wrote on the other one it says again by itself.
    Stored,
    /// Before the fault: for a device that was stolen or tampered with.
    BeforeFault,
}

/// A proposed cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Which.
    pub point: Point,
    /// The last number that counts; 0: none.
    pub seq: u64,
    /// Its change.
    pub hash: ChangeHash,
    /// How many stored changes of the actor end beyond it.
    pub lost: u64,
}

/// One actor under quarantine in one document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Names it on pages and at the command line.
    pub id: String,
    /// The document.
    pub document: DocKey,
    /// The actor.
    pub actor: ActorId,
    /// Its device's name.
    pub label: String,
    /// The name of the fault.
    pub fault: String,
    /// Why, in words.
    pub why_zh: String,
    /// The same in English.
    pub why_en: String,
    /// The accusing change.
    pub faulty: Exhibit,
    /// The one that it contradicts, where there is one.
    pub other: Option<Exhibit>,
    /// Who brought it.
    pub from: Option<NodeId>,
    /// Its name.
    pub from_label: String,
    /// Changes of the actor that wait here.
    pub waiting: u64,
    /// Where the county has cut already: the case is settled.
    pub cut: Option<u64>,
    /// Where it may; the first is proposed.
    pub proposals: Vec<Proposal>,
    /// Unix seconds.
    pub at: i64,
}

/// The whole list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cases {
    /// Quarantines: open ones first, newest first.
    pub cases: Vec<Case>,
    /// What waits.
    pub held: Vec<KeptRow>,
    /// What this node has set aside.
    pub aside: Vec<KeptRow>,
}

fn exhibit(signed: &Signed) -> Exhibit {
    Exhibit {
        seq: signed.change.header.seq,
        hash: HEXLOWER.encode(&signed.change.header.hash),
        bytes: signed.change.body.len(),
        signed: signed.tip.is_some(),
    }
}

fn case_id(document: &DocKey, actor: &ActorId) -> String {
    let hash = Sha256::new()
        .chain_update(document.as_str())
        .chain_update([0])
        .chain_update(actor.to_bytes())
        .finalize();
    HEXLOWER.encode(&hash[..6])
}

/// Why, in Chinese and English.
pub fn fault_words(fault: &str) -> (&'static str, &'static str) {
    match fault {
        "Equivocation" => (
            "同一设备用同一序号写了两份不同内容：它的数据多半被还原或复制过，也可能密钥被盗用",
            "One device wrote two contents under one number: its data was probably restored or copied, or its key was stolen",
        ),
        "SequenceGap" | "MissingPredecessor" | "BadStartOp" => (
            "设备签名的改动和它自己之前的内容接不上：程序被改动过，或数据损坏",
            "The device signed a change that does not continue its own: a changed program, or damaged data",
        ),
        "Unreadable" => (
            "改动签名无误，但内容无法读取：程序被改动过，或数据损坏",
            "The change is properly signed and cannot be read: a changed program, or damaged data",
        ),
        _ => ("设备的改动有误", "A change of the device is faulty"),
    }
}

impl Node {
    /// Quarantines, what waits and what was set aside.
    pub fn cases(&self) -> Result<Cases, Error> {
        let roll = self.roll();
        let (found, held, aside) = self.store().read(|c| {
            let mut found = Vec::new();
            for a in rows::accusations(c)? {
                let past = changes::Past(c);
                let (seq, hash) = (a.faulty.change.header.seq, a.faulty.change.header.hash);
                let other = rows::contradicted(c, &a.document, &a.actor, seq, &hash)?;
                let last = past.last_seq(&a.document, &a.actor)?;
                let before = last.min(seq.saturating_sub(1));
                let early = (
                    before,
                    past.at(&a.document, &a.actor, before)?.unwrap_or_default(),
                );
                let policy = &self.0.policy;
                let end = || rows::end_of_branch(c, policy, &roll, &a.document, &a.actor);
                let points = match a.fault.as_str() {
                    // What Automerge cannot read is stored, and must go.
                    "Unreadable" => vec![(Point::BeforeFault, early)],
                    _ if before == last => vec![(Point::Stored, end()?)],
                    _ => vec![(Point::Stored, end()?), (Point::BeforeFault, early)],
                };
                let proposals = points.into_iter().map(|(point, (seq, hash))| Proposal {
                    point,
                    seq,
                    hash,
                    lost: last.saturating_sub(seq),
                });
                let proposals = proposals.collect();
                let waiting = rows::waiting(c, &a.document, &a.actor)?;
                found.push((a, other, waiting, proposals));
            }
            Ok::<_, Error>((found, rows::held(c)?, rows::aside(c)?))
        })?;
        let mut cases: Vec<Case> = found
            .into_iter()
            .map(|(a, other, waiting, proposals)| {
                let (zh, en) = fault_words(&a.fault);
                Case {
                    id: case_id(&a.document, &a.actor),
                    label: self.device_label(&a.actor.device),
                    why_zh: zh.into(),
                    why_en: en.into(),
                    faulty: exhibit(&a.faulty),
                    other: other.as_ref().map(exhibit),
                    from_label: a.from.map(|p| self.device_label(&p)).unwrap_or_default(),
                    from: a.from,
                    waiting,
                    cut: roll.end(&a.document, &a.actor).map(|c| c.seq),
                    proposals,
                    at: a.at,
                    document: a.document,
                    actor: a.actor,
                    fault: a.fault,
                }
            })
            .collect();
        cases.sort_by_key(|c| c.cut.is_some());
        Ok(Cases { cases, held, aside })
    }

    /// One case by its id.
    pub fn case(&self, id: &str) -> Result<Option<Case>, Error> {
        Ok(self.cases()?.cases.into_iter().find(|c| c.id == id))
    }

    /// The evidence of a case as a text file: both changes, whole, each with the signature that its device's
    /// key gave for it or for a later one, and the changes that lead there.
    pub fn evidence_file(&self, id: &str) -> Result<Option<String>, Error> {
        let Some(case) = self.case(id)? else {
            return Ok(None);
        };
        let county = self.roll().county();
        let found = self
            .store()
            .read(|c| evidence::evidence(c, &county, &case.document, &case.actor))?;
        let mut text = format!(
            "研修 隔离证据 (yanxiu evidence)\n县根公钥 county: {county}\n文档 document: {}\n设备 device: {} {}\n\
             编号 actor: {}\n原因 fault: {} {} / {}\n",
            case.document,
            case.actor.device,
            case.label,
            HEXLOWER.encode(&case.actor.to_bytes()),
            case.fault,
            case.why_zh,
            case.why_en,
        );
        let (first, second) = found.map_or((None, None), |e| (e.first, e.second));
        for (name, shown, proof) in [
            ("已收下的 stored", case.other.as_ref(), first),
            ("有误的 faulty", Some(&case.faulty), second),
        ] {
            let Some(shown) = shown else { continue };
            text.push_str(&format!("\n{name}\nseq: {}\nhash: {}\n", shown.seq, shown.hash));
            if let Some(Proof { body, chain, tip }) = proof {
                text.push_str(&format!("body: {}\n", HEXLOWER.encode(&body)));
                for next in chain {
                    text.push_str(&format!("then: {}\n", HEXLOWER.encode(&next)));
                }
                text.push_str(&format!("tip: {}\n", HEXLOWER.encode(&tip)));
            }
        }
        Ok(Some(text))
    }

    /// Issues the cut of a proposal; the county's officer alone.
    pub fn cut_case(&self, id: &str, point: Point) -> Result<Option<Case>, Error> {
        let Some(case) = self.case(id)? else {
            return Ok(None);
        };
        let Some(p) = case.proposals.iter().find(|p| p.point == point) else {
            return Ok(None);
        };
        enrol::cut(self, &case.document, case.actor, p.seq, p.hash)?;
        Ok(Some(case))
    }
}
