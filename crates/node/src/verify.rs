//! Everything that this node holds, looked at anew: every page of the database, every statement, signature and hash,
//! every change admitted once more as if a stranger had brought it, every view row computed once more and compared,
//! every receipt against its change, every photo against its name. And views made anew ([`Node::rebuild_views`]).
//!
//! Each document goes on its own through an empty database in memory, so a hub of any size needs little room. What is
//! compared is one moment: a running node may go on.

use std::collections::{BTreeMap, HashMap};

use store::{Connection, admitting, changes, outgoing, views};
use sync::admission::Offered;
use sync::tip::{BY_CUT, verify_tip};
use sync::{BlobName, Change, ChangeHash, Roll};

use crate::documents::{Around, Cache, Room};
use crate::events::verdict_code;
use crate::{Error, Node, blobs};

/// Faults that are listed; more are counted.
const LISTED: usize = 500;

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Documents.
    pub documents: u64,
    /// Changes whose hash was computed and which were admitted anew.
    pub changes: u64,
    /// Signatures that were verified: of changes, statements, and receipts for photos.
    pub signatures: u64,
    /// Rows of the views that were computed anew.
    pub records: u64,
    /// Receipts of other stores that were held against their changes.
    pub receipts: u64,
    /// Photos whose content was held against their name.
    pub photos: u64,
    /// Documents whose views were about to be brought up and were not compared.
    pub behind: u64,
    /// What is wrong, the first few hundred.
    pub faults: Vec<Finding>,
    /// How much is wrong.
    pub found: u64,
}

/// One thing that is not as it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What sort of thing.
    pub what: What,
    /// The document, photo or page.
    pub place: String,
    /// Which of it: a hash, a record, the words of SQLite.
    pub detail: String,
}

/// What can be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// SQLite finds a page or index damaged.
    Page,
    /// A stored change whose content does not fit its hash.
    Hash,
    /// A stored change that would not be admitted: its signature, author or place.
    NotAdmitted,
    /// A signature beside a change that is none of its author's.
    Signature,
    /// The columns beside a change are not what its content says.
    Columns,
    /// The heads or sums of a document.
    Heads,
    /// A view row that does not come of the changes.
    View,
    /// A receipt for a change that is not here.
    Receipt,
    /// A photo whose content is another.
    Photo,
}

impl What {
    /// In Chinese and English, with what to do.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            What::Page => (
                "数据库页损坏；请恢复最近的备份（yanxiu restore）",
                "a page of the database is damaged; put the newest backup back (`yanxiu restore`)",
            ),
            What::Hash => (
                "改动的内容与哈希不符；请恢复最近的备份（yanxiu restore）",
                "a change does not fit its hash; put the newest backup back (`yanxiu restore`)",
            ),
            What::NotAdmitted => (
                "改动重新核验未通过；请把本报告发给县级管理员",
                "a stored change is not admitted when judged anew; send this report to the county office",
            ),
            What::Signature => (
                "签名不是作者的；请恢复最近的备份（yanxiu restore）",
                "a signature is not its author's; put the newest backup back (`yanxiu restore`)",
            ),
            What::Columns => (
                "改动的索引与内容不符；请恢复最近的备份（yanxiu restore）",
                "what stands beside a change is not what it says; put the newest backup back (`yanxiu restore`)",
            ),
            What::Heads => (
                "文档的末端或合计不符；请恢复最近的备份（yanxiu restore）",
                "heads or sums of a document are wrong; put the newest backup back (`yanxiu restore`)",
            ),
            What::View => (
                "视图与重新计算的不同；请运行 yanxiu rebuild",
                "a view row is not what its changes give; run `yanxiu rebuild`",
            ),
            What::Receipt => (
                "回执所指的改动不在本机；请恢复最近的备份（yanxiu restore），缺的会补回",
                "a receipt names a change that is not here; put the newest backup back, and what is missing comes back",
            ),
            What::Photo => (
                "照片内容已损坏；把这个文件移走，会从别处补回",
                "a photo has other content than its name says; move the file away, and it comes back from a peer",
            ),
        }
    }
}

impl Report {
    /// Whether all is as it must be.
    pub fn is_sound(&self) -> bool {
        self.found == 0
    }

    fn find(&mut self, what: What, place: impl Into<String>, detail: impl Into<String>) {
        self.found += 1;
        if self.faults.len() < LISTED {
            self.faults.push(Finding {
                what,
                place: place.into(),
                detail: detail.into(),
            });
        }
    }
}

impl Node {
    /// Looks at everything that this node holds.
    pub fn verify(&self) -> Result<Report, Error> {
        let mut report = Report::default();
        for problem in self.store().check()? {
            report.find(What::Page, "yanxiu.db", problem);
        }
        self.store().read(|c| self.verify_rows(c, &mut report))?;
        self.verify_blobs(&mut report)?;
        Ok(report)
    }

    fn verify_rows(&self, c: &Connection, report: &mut Report) -> Result<(), Error> {
        // Each statement is verified when it is read.
        let roll = match self.county_root() {
            Some(root) => store::roll::load(c, root)?,
            None => Roll::new(sync::NodeId([0; 32])),
        };
        report.signatures += store::roll::count(c)?;
        let mut scratch = store::scratch()?;
        for d in changes::documents(c)? {
            // Undone at the end of each document.
            let tx = scratch.transaction().map_err(store::Error::from)?;
            self.verify_document(c, &tx, &roll, &d, report)?;
        }
        for (kind, school, kept, counted) in views::wrong_tallies(c)? {
            report.find(
                What::View,
                format!("tally {kind} {school}"),
                format!("{kept} ≠ {counted}"),
            );
        }
        for bad in store::peers::receipts_without_change(c)? {
            report.find(
                What::Receipt,
                bad.document,
                format!("{:?} @{}", bad.actor, bad.seq),
            );
        }
        report.receipts += store::peers::count_receipts(c)?;
        Ok(())
    }

    fn verify_document(
        &self,
        c: &Connection,
        scratch: &Connection,
        roll: &Roll,
        d: &changes::Document,
        report: &mut Report,
    ) -> Result<(), Error> {
        let key = d.key.as_str();
        report.documents += 1;
        let rows = changes::rows(c, d.id)?;
        let (mut offered, mut bytes): (Vec<Offered>, u64) = (Vec::new(), 0);
        for row in &rows {
            bytes += row.body.len() as u64;
            let head = match Change::from_body(row.body.clone()) {
                Ok(change) if change.header.hash == row.hash => change.header,
                _ => {
                    report.find(What::Hash, key, hex(&row.hash));
                    continue;
                }
            };
            report.changes += 1;
            let deps: Vec<u8> = head.deps.concat();
            if (head.actor, head.seq, head.start_op, head.ops, &deps)
                != (row.actor, row.actor_seq, row.start_op, row.ops, &row.deps)
            {
                report.find(What::Columns, key, hex(&row.hash));
            }
            if let Some(tip) = row.tip.filter(|t| *t != BY_CUT) {
                report.signatures += 1;
                if !verify_tip(&roll.county(), &d.key, &head, &tip) {
                    report.find(What::Signature, key, hex(&row.hash));
                }
            }
            offered.push(Offered {
                document: d.key.clone(),
                body: row.body.clone(),
                tip: row.tip,
            });
        }
        offered.extend(outgoing::escort_of(c, &d.key, &rows)?);
        let outcome = admitting::take(scratch, &self.0.policy, roll, &offered, None, self.now())?;
        let verdicts: HashMap<ChangeHash, String> = outcome
            .verdicts
            .iter()
            .map(|(_, hash, verdict)| (*hash, verdict_code(*verdict, true)))
            .collect();
        let Some(again) = changes::get(scratch, &d.key)? else {
            if !rows.is_empty() {
                report.find(What::NotAdmitted, key, format!("{} ×", rows.len()));
            }
            return Ok(());
        };
        let admitted = changes::rows(scratch, again.id)?;
        let admitted: HashMap<ChangeHash, ()> = admitted.iter().map(|r| (r.hash, ())).collect();
        for row in rows.iter().filter(|r| !admitted.contains_key(&r.hash)) {
            let why = verdicts.get(&row.hash).cloned().unwrap_or_default();
            report.find(What::NotAdmitted, key, format!("{} {why}", hex(&row.hash)));
        }
        let sums = (rows.len() as u64, bytes, rows.last().map_or(0, |r| r.seq));
        if again.heads != d.heads || sums != (d.changes, d.bytes, d.last) {
            report.find(What::Heads, key, format!("{} {} {}", d.changes, d.bytes, d.last));
        }
        match d.viewed == d.last {
            true => self.verify_views(c, scratch, roll, d, again.id, report),
            false => {
                report.behind += 1;
                Ok(())
            }
        }
    }

    fn verify_views(
        &self,
        c: &Connection,
        scratch: &Connection,
        roll: &Roll,
        d: &changes::Document,
        again: i64,
        report: &mut Report,
    ) -> Result<(), Error> {
        let kinds = self.kinds();
        let around = Around {
            conn: scratch,
            policy: &self.0.policy,
            roll,
            kinds: &kinds,
            room: Room::SCHOOL,
            now: self.now(),
        };
        match Cache::default().refresh(&around, again, &d.key, -1) {
            Ok(()) => {}
            Err(Error::Unreadable(key)) => {
                report.find(What::NotAdmitted, key, "Automerge");
                return Ok(());
            }
            Err(other) => return Err(other),
        }
        let by_id = |rows: Vec<views::Row>| -> BTreeMap<String, views::Row> {
            let same = |r: views::Row| (r.id.clone(), views::Row { doc: d.id, ..r });
            rows.into_iter().map(same).collect()
        };
        let stored = by_id(views::of_document(c, d.id)?);
        let computed = by_id(views::of_document(scratch, again)?);
        report.records += computed.len() as u64;
        for id in stored
            .keys()
            .chain(computed.keys().filter(|id| !stored.contains_key(*id)))
        {
            if stored.get(id) != computed.get(id) {
                report.find(What::View, d.key.as_str(), id.clone());
            }
        }
        Ok(())
    }

    fn verify_blobs(&self, report: &mut Report) -> Result<(), Error> {
        for name in self.store().read(store::blobs::all)?.keys() {
            report.photos += 1;
            // It may have gone since; what is there must be whole.
            if blobs::read(self, &name.to_string())?.is_none() && blobs::is_here(self, &name.to_string()) {
                report.find(What::Photo, blobs::place(self, name).display().to_string(), "");
            }
            for receipt in self.store().read(|c| store::blobs::receipts(c, name))? {
                report.signatures += 1;
                if !receipt.is_good() {
                    report.find(What::Receipt, BlobName::to_string(name), receipt.node.to_string());
                }
            }
        }
        Ok(())
    }

    /// Makes all indexes and all views anew, document by document: readers see the old or the new rows of each. How
    /// many documents.
    pub fn rebuild_views(&self) -> Result<usize, Error> {
        self.documents().forget(None);
        self.store().write(|tx| {
            store::reindex(tx)?;
            views::clear_orphans(tx)?;
            changes::forget_views(tx)
        })?;
        let done = self.refresh_views()?;
        self.store().write(|tx| views::count_again(tx))?;
        self.take_published()?;
        self.note_stored();
        Ok(done)
    }
}

fn hex(hash: &ChangeHash) -> String {
    data_encoding::HEXLOWER.encode(&hash[..8])
}
