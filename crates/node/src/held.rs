//! What a device holds at most, as far as this county knows: for the day on which it is lost. A device may have every
//! document that its grants ever let it read; what it has acknowledged, or written, it has for certain. What it got of
//! others by itself (a neighbour, a stick) is not known here, but is of the same documents.

use std::collections::{BTreeMap, HashMap};

use records::{Kinds, Lang};
use store::{Connection, changes, peers};
use sync::NodeId;
use sync::authority::was_reader;

use crate::blobs::storage::Amount;
use crate::policy::{Role, school_and_year};
use crate::{Error, Node, mail};

/// How sure it is that something lies on the device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sure {
    /// It may read it; whether it has got it is not known.
    MayBe,
    /// It has written or acknowledged a part of it.
    Partly,
    /// It has written or acknowledged all of it.
    All,
}

impl Sure {
    /// In Chinese and English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Sure::MayBe => ("可能有", "perhaps"),
            Sure::Partly => ("确知有一部分", "a part for certain"),
            Sure::All => ("确知全有", "all for certain"),
        }
    }
}

/// Documents of one sort, school and year.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// The sort, in Chinese and English.
    pub sort: (&'static str, &'static str),
    /// The school's name; empty: of the whole county.
    pub school: String,
    /// First year of the school year; `None` where a document has none.
    pub year: Option<i32>,
    /// How many documents.
    pub documents: usize,
    /// Records by kind: its id, and how many. The most first.
    pub kinds: Vec<(String, u64)>,
    /// Photos that these records name, by the size of their copies.
    pub photos: Amount,
    /// The least sure of the documents.
    pub sure: Sure,
}

/// What a device holds at most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// By school, then sort and year.
    pub shares: Vec<Share>,
    /// It was a school's own PC: the originals of its photos may lie there and nowhere else.
    pub originals: bool,
    /// Sealed bundles of this county for it, which it can open.
    pub sealed_for_it: Amount,
    /// Sealed bundles for others that lay here when it was last in contact, which it may carry and cannot open.
    pub carried: Amount,
    /// Unix seconds of the last contact.
    pub seen_at: Option<i64>,
    /// Unix seconds of the last time both sides were equal.
    pub in_sync_at: Option<i64>,
}

/// The sorts of documents, by the first part of their keys.
const SORTS: [(&str, (&str, &str)); 8] = [
    ("base", ("教职工花名册（姓名在这里）", "staff, with their names")),
    ("log", ("校本研修记录", "the school's records")),
    ("ledger", ("学分审核账", "the ledger of credits")),
    ("portfolio", ("教师档案", "portfolios")),
    ("visits", ("送教记录", "visits of mentors")),
    ("registry", ("机构与规则", "organisations and rules")),
    ("plan", ("县级计划", "the county's plans")),
    ("group", ("工作坊、工作室", "workshops and studios")),
];

/// What the device holds at most. For the county, which reads all documents.
pub fn at_most(node: &Node, device: &NodeId) -> Result<Held, Error> {
    if !node.is_county() {
        return Err(Error::NotTheCounty);
    }
    let roll = node.roll();
    let schools: HashMap<String, String> = crate::office::organisations(node)?
        .into_iter()
        .map(|o| (o.id, o.name))
        .collect();
    let mut all: BTreeMap<(String, usize, Option<i32>), Share> = BTreeMap::new();
    let peer = node.read(|c| {
        let peer = peers::get(c, device)?;
        let acked = peer.as_ref().and_then(|p| p.acked).unwrap_or(0);
        let receipts = peers::held_by(c, std::slice::from_ref(device))?;
        for document in changes::documents(c)? {
            if !was_reader(&node.0.policy, &roll, device, &document.key) {
                continue;
            }
            let sort = SORTS
                .iter()
                .position(|(kind, _)| document.key.segment(0) == Some(*kind));
            let (Some(place), (school, year)) = (sort, school_and_year(&document.key)) else {
                continue;
            };
            let school = school.map_or(String::new(), |id| schools.get(&id).cloned().unwrap_or(id));
            let sure = match u64::try_from(document.last).is_ok_and(|last| last <= acked) {
                true => Sure::All,
                false => {
                    let vector = changes::vector(c, document.id)?;
                    let has = |(actor, seq, _): &(sync::ActorId, u64, _)| {
                        actor.device == *device
                            || receipts.get(&(document.id, *actor)).is_some_and(|r| r >= seq)
                    };
                    let some = |(actor, _, _): &(sync::ActorId, u64, _)| {
                        actor.device == *device || receipts.contains_key(&(document.id, *actor))
                    };
                    match (vector.iter().all(has), vector.iter().any(some)) {
                        (true, _) => Sure::All,
                        (false, true) => Sure::Partly,
                        (false, false) => Sure::MayBe,
                    }
                }
            };
            let share = all.entry((school.clone(), place, year)).or_insert_with(|| Share {
                sort: SORTS.get(place).map_or(("", ""), |(_, names)| *names),
                school,
                year,
                documents: 0,
                kinds: Vec::new(),
                photos: Amount::default(),
                sure,
            });
            share.documents += 1;
            share.sure = match share.sure == sure {
                true => sure,
                false => share.sure.min(sure).max(Sure::Partly),
            };
            count(c, document.id, share)?;
        }
        Ok(peer)
    })?;
    let (seen_at, in_sync_at) = peer.map_or((None, None), |p| (p.seen_at, p.in_sync_at));
    let mut held = Held {
        originals: roll.grants(device).any(|g| g.role == Role::School.code()),
        shares: all.into_values().collect(),
        seen_at,
        in_sync_at,
        ..Held::default()
    };
    for share in &mut held.shares {
        share.kinds.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    }
    for item in mail::list(node)? {
        if item.to == *device {
            held.sealed_for_it.add(item.bytes);
        } else if item.from != *device && seen_at.is_some_and(|at| item.got_at <= at) {
            held.carried.add(item.bytes);
        }
    }
    Ok(held)
}

/// Adds the records of a document, and the photos that they name.
fn count(c: &Connection, doc: i64, share: &mut Share) -> store::Result<()> {
    let mut query = c.prepare_cached(
        "SELECT kind, COUNT(*), COALESCE(SUM(CASE kind WHEN 'evidence' THEN fields ->> 'bytes' END), 0)
         FROM record WHERE doc = ? GROUP BY kind",
    )?;
    let mut rows = query.query([doc])?;
    while let Some(row) = rows.next()? {
        let (kind, n, bytes): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let n = u64::try_from(n).unwrap_or(0);
        if kind == "evidence" {
            share.photos.files += n;
            share.photos.bytes += u64::try_from(bytes).unwrap_or(0);
        }
        match share.kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sum)) => *sum += n,
            None => share.kinds.push((kind, n)),
        }
    }
    Ok(())
}

impl Share {
    /// All its records.
    pub fn records(&self) -> u64 {
        self.kinds.iter().map(|(_, n)| n).sum()
    }

    /// Its records by kind, in words.
    pub fn kinds_in(&self, lang: Lang) -> String {
        let kinds = Kinds::builtin();
        let name = |id: &str| {
            let kind = kinds.latest(id);
            kind.map_or_else(|| id.to_string(), |kind| kind.label(lang).to_string())
        };
        let each = self.kinds.iter().map(|(kind, n)| format!("{} {n}", name(kind)));
        each.collect::<Vec<_>>().join(match lang {
            Lang::Zh => "、",
            Lang::En => ", ",
        })
    }
}

impl Held {
    /// Line by line for people, in Chinese and English; the first says what the list is worth.
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut out = vec![(
            "最多可能有（县里所知：按角色能读到的全部；别人另外带给它的，也只会是这些文档里的）："
                .to_string(),
            "at most (as the county knows it: all that its roles let it read):".to_string(),
        )];
        for s in &self.shares {
            let (sure_zh, sure_en) = s.sure.words();
            let (year_zh, year_en) = match s.year {
                Some(y) => (format!(" {y}-{} 学年", y + 1), format!(" {y}-{}", y + 1)),
                None => (String::new(), String::new()),
            };
            let school = if s.school.is_empty() { "全县" } else { &s.school };
            let (zh, en) = (s.kinds_in(Lang::Zh), s.kinds_in(Lang::En));
            out.push((
                format!(
                    "{school}{year_zh} {}：{} 份，{} 条（{zh}），照片 {} 张，{sure_zh}",
                    s.sort.0,
                    s.documents,
                    s.records(),
                    s.photos.files
                ),
                format!(
                    "{}{year_en} {}: {} documents, {} records ({en}), {} photos, {sure_en}",
                    s.school,
                    s.sort.1,
                    s.documents,
                    s.records(),
                    s.photos.files
                ),
            ));
        }
        if self.originals {
            out.push((
                "照片的原图可能只在这台电脑上（县里有压缩过的）".into(),
                "originals of photos may lie there and nowhere else (the county has the copies)".into(),
            ));
        }
        let kb = |a: &Amount| a.bytes.div_ceil(1024);
        out.push((
            format!(
                "县里封给它、它能打开的数据包：{} 个，{} KB",
                self.sealed_for_it.files,
                kb(&self.sealed_for_it)
            ),
            format!(
                "sealed for it, which it can open: {} bundles, {} KB",
                self.sealed_for_it.files,
                kb(&self.sealed_for_it)
            ),
        ));
        out.push((
            format!(
                "可能替别人捎带、它打不开的数据包：{} 个，{} KB（别处交给它的，县里不知道）",
                self.carried.files,
                kb(&self.carried)
            ),
            format!(
                "it may carry for others, which it cannot open: {} bundles, {} KB (what it got elsewhere is not known)",
                self.carried.files,
                kb(&self.carried)
            ),
        ));
        out
    }
}
