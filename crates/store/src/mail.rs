//! Sealed bundles on their way (`mail`), those that were taken up, and how the devices stand that they come from.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use sync::{DocKey, NodeId, StoreId, limits};

use crate::reach::Reach;
use crate::{Result, changes, fixed};

/// A bundle that lies here to be carried on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its name, and its file's.
    pub name: String,
    /// For whom.
    pub to: NodeId,
    /// By whom.
    pub from: NodeId,
    /// Size of the file.
    pub bytes: u64,
    /// Number of the bundle, by its maker's count.
    pub number: u64,
    /// This is part so many…
    pub part: u16,
    /// …of so many.
    pub parts: u16,
    /// When it was made, by its maker's clock.
    pub made: i64,
    /// When it came here, by ours.
    pub got_at: i64,
    /// Of our own bundles, a hash of what is inside.
    pub content: Option<[u8; 32]>,
    /// Of our own bundles, the changes in all their parts.
    pub changes: u64,
    /// It was written to a stick.
    pub handed: bool,
    /// When it was made, on the clock of [`clock`]: the present less its age.
    pub born: i64,
    /// Copies of it that there may be here and with those who are handed it without a reason (`node`'s errands).
    pub copies: u32,
}

/// The clock by which mail ages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Seconds that never go back.
    pub seconds: i64,
    /// What the machine's clock said when they were counted last (unix seconds).
    pub at: i64,
    /// What `seconds` were when time was added last that nothing has measured; `None`: never.
    pub night: Option<i64>,
}

/// How a device stands that bundles come from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Correspondent {
    /// It waits for an answer.
    pub owed: bool,
    /// Its store and the highest number of a bundle of it.
    pub heard: Option<(StoreId, u64)>,
    /// The roll that it has.
    pub roll: Option<[u8; 8]>,
    /// What it is to hear of its own changes.
    pub verdicts: Vec<u8>,
}

const COLUMNS: &str =
    "SELECT name, recipient, sender, bytes, number, part, parts, made, got_at, content, changes,
    handed, born, copies FROM mail";

/// Rows kept of what was taken up: thirty years of weekly bundles of a hundred schools are fewer.
const TAKEN: i64 = 200_000;

fn row(r: &rusqlite::Row<'_>) -> Result<Row> {
    let content: Option<Vec<u8>> = r.get(9)?;
    Ok(Row {
        name: r.get(0)?,
        to: NodeId(fixed(r.get(1)?, "mail recipient")?),
        from: NodeId(fixed(r.get(2)?, "mail sender")?),
        bytes: r.get::<_, i64>(3)? as u64,
        number: r.get::<_, i64>(4)? as u64,
        part: r.get(5)?,
        parts: r.get(6)?,
        made: r.get(7)?,
        got_at: r.get(8)?,
        content: content.map(|c| fixed(c, "mail content")).transpose()?,
        changes: r.get::<_, i64>(10)? as u64,
        handed: r.get(11)?,
        born: r.get::<_, Option<i64>>(12)?.unwrap_or(0),
        copies: r.get(13)?,
    })
}

/// All that lies here, oldest first.
pub fn list(c: &Connection) -> Result<Vec<Row>> {
    let mut statement = c.prepare_cached(&format!("{COLUMNS} ORDER BY got_at, number, part, name"))?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(r) = rows.next()? {
        all.push(row(r)?);
    }
    Ok(all)
}

/// One of them.
pub fn get(c: &Connection, name: &str) -> Result<Option<Row>> {
    let mut statement = c.prepare_cached(&format!("{COLUMNS} WHERE name = ?"))?;
    let mut rows = statement.query([name])?;
    rows.next()?.map(row).transpose()
}

/// Keeps a row; one that is there stays.
pub fn insert(c: &Connection, r: &Row) -> Result<()> {
    c.prepare_cached(
        "INSERT OR IGNORE INTO mail (name, recipient, sender, bytes, number, part, parts, made, got_at, content,
            changes, born, copies) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        r.name,
        r.to.0,
        r.from.0,
        r.bytes as i64,
        r.number as i64,
        r.part,
        r.parts,
        r.made,
        r.got_at,
        r.content,
        r.changes as i64,
        r.born,
        r.copies
    ])?;
    Ok(())
}

/// It was written to a stick, or is asked for again.
pub fn set_handed(c: &Connection, name: &str, handed: bool) -> Result<()> {
    c.prepare_cached("UPDATE mail SET handed = ? WHERE name = ?")?
        .execute((handed, name))?;
    Ok(())
}

/// It was handed to a device with so many of its copies; one stays. The same device a second time costs none.
pub fn give(c: &Connection, name: &str, to: &NodeId, copies: u32) -> Result<()> {
    let first = c
        .prepare_cached("INSERT OR IGNORE INTO mail_given (name, node, copies) VALUES (?, ?, ?)")?
        .execute(params![name, to.0, copies])?;
    if first > 0 {
        c.prepare_cached("UPDATE mail SET copies = MAX(1, copies - ?) WHERE name = ?")?
            .execute((copies, name))?;
    }
    Ok(())
}

/// The copies that a device was handed of each; 0 of those that it has said to have.
pub fn given(c: &Connection, to: &NodeId) -> Result<HashMap<String, u32>> {
    let mut statement = c.prepare_cached("SELECT name, copies FROM mail_given WHERE node = ?")?;
    let rows = statement.query_map([to.0], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A device has said that it has one that it was handed.
pub fn set_arrived(c: &Connection, name: &str, to: &NodeId) -> Result<()> {
    c.prepare_cached("UPDATE mail_given SET copies = 0 WHERE name = ? AND node = ?")?
        .execute(params![name, to.0])?;
    Ok(())
}

/// It goes out as if it had been made now.
pub fn renew(c: &Connection, name: &str, born: i64, copies: u32) -> Result<()> {
    c.prepare_cached("UPDATE mail SET born = ?, copies = ? WHERE name = ?")?
        .execute((born, copies, name))?;
    c.prepare_cached("DELETE FROM mail_given WHERE name = ?")?
        .execute([name])?;
    Ok(())
}

/// How the clock stands by which mail ages; `None` before the first time.
pub fn clock(c: &Connection) -> Result<Option<Clock>> {
    let kept = crate::meta(c, "mail_clock")?.and_then(|b| <[u8; 16]>::try_from(b).ok());
    // By itself: a store of an earlier program has the other two.
    let night = crate::meta(c, "mail_night")?.and_then(|b| <[u8; 8]>::try_from(b).ok());
    Ok(kept.map(|bytes| {
        let both = u128::from_be_bytes(bytes);
        Clock {
            seconds: (both >> 64) as i64,
            at: both as i64,
            night: night.map(i64::from_be_bytes),
        }
    }))
}

/// Keeps it. What an older program has kept counts from when it came, by the machine's clock; as new, if that said
/// less than `believed` (unix seconds) then or says so now.
pub fn set_clock(c: &Connection, clock: &Clock, believed: i64) -> Result<()> {
    let bytes = [clock.seconds.to_be_bytes(), clock.at.to_be_bytes()].concat();
    crate::set_meta(c, "mail_clock", &bytes)?;
    if let Some(night) = clock.night {
        crate::set_meta(c, "mail_night", &night.to_be_bytes())?;
    }
    c.prepare_cached(
        "UPDATE mail SET born = ?1 - CASE WHEN MIN(?2, got_at) >= ?3 THEN MAX(0, ?2 - got_at) ELSE 0 END
         WHERE born IS NULL",
    )?
    .execute((clock.seconds, clock.at, believed))?;
    Ok(())
}

/// Forgets one.
pub fn remove(c: &Connection, name: &str) -> Result<()> {
    for table in ["mail", "mail_given"] {
        c.prepare_cached(&format!("DELETE FROM {table} WHERE name = ?"))?
            .execute([name])?;
    }
    Ok(())
}

/// Notes that a bundle for this node was taken up, or refused with a code; says whether it is the first time.
/// One that was refused and can be taken now counts as taken.
pub fn note_taken(c: &Connection, name: &str, sender: &NodeId, refused: u8, at: i64) -> Result<bool> {
    let before: Option<u8> = c
        .prepare_cached("SELECT refused FROM mail_taken WHERE name = ?")?
        .query_row([name], |r| r.get(0))
        .optional()?;
    let refused = match before {
        Some(0) => 0,
        _ => refused,
    };
    // Also of one that is known: its sender asks again, so the next answer has to name it.
    c.prepare_cached("DELETE FROM mail_taken WHERE name = ?")?
        .execute([name])?;
    c.prepare_cached("INSERT INTO mail_taken (name, sender, refused, at) VALUES (?, ?, ?, ?)")?
        .execute(params![name, sender.0, refused, at])?;
    c.prepare_cached("DELETE FROM mail_taken WHERE turn <= (SELECT MAX(turn) FROM mail_taken) - ?")?
        .execute([TAKEN])?;
    Ok(before.is_none_or(|b| b != 0))
}

/// Whether a bundle was taken up before.
pub fn was_taken(c: &Connection, name: &str) -> Result<bool> {
    let found: Option<u8> = c
        .prepare_cached("SELECT refused FROM mail_taken WHERE name = ?")?
        .query_row([name], |r| r.get(0))
        .optional()?;
    Ok(found == Some(0))
}

/// The last bundles of a sender that an answer names, with the codes of those that were refused.
pub fn answers(c: &Connection, sender: &NodeId) -> Result<Vec<(String, u8)>> {
    let mut statement =
        c.prepare_cached("SELECT name, refused FROM mail_taken WHERE sender = ? ORDER BY turn DESC LIMIT ?")?;
    let rows = statement.query_map(params![sender.0, limits::BUNDLE_ANSWERS as i64], |r| {
        Ok((r.get(0)?, r.get(1)?))
    })?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

/// How a device stands.
pub fn correspondent(c: &Connection, node: &NodeId) -> Result<Correspondent> {
    let mut statement =
        c.prepare_cached("SELECT owed, store, heard, roll, verdicts FROM mail_peer WHERE node = ?")?;
    let mut rows = statement.query([node.0])?;
    let Some(r) = rows.next()? else {
        return Ok(Correspondent::default());
    };
    let (store, heard): (Option<Vec<u8>>, Option<i64>) = (r.get(1)?, r.get(2)?);
    let store = store.map(|s| fixed(s, "store id").map(StoreId)).transpose()?;
    let roll: Option<Vec<u8>> = r.get(3)?;
    Ok(Correspondent {
        owed: r.get(0)?,
        heard: store.zip(heard.map(|h| h as u64)),
        roll: roll.map(|r| fixed(r, "roll digest")).transpose()?,
        verdicts: r.get::<_, Option<Vec<u8>>>(4)?.unwrap_or_default(),
    })
}

/// Keeps how a device stands.
pub fn set_correspondent(c: &Connection, node: &NodeId, s: &Correspondent) -> Result<()> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO mail_peer (node, owed, store, heard, roll, verdicts) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        node.0,
        s.owed,
        s.heard.map(|h| h.0.0),
        s.heard.map(|h| h.1 as i64),
        s.roll,
        s.verdicts
    ])?;
    Ok(())
}

/// A device waits for an answer, or no more.
pub fn set_owed(c: &Connection, node: &NodeId, owed: bool) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO mail_peer (node, owed) VALUES (?1, ?2) ON CONFLICT (node) DO UPDATE SET owed = ?2",
    )?
    .execute(params![node.0, owed])?;
    Ok(())
}

/// The devices that bundles come from, and those that wait for an answer first.
pub fn correspondents(c: &Connection) -> Result<Vec<(NodeId, bool)>> {
    let mut statement = c.prepare_cached("SELECT node, owed FROM mail_peer ORDER BY owed DESC, node")?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get(1)?)))?;
    rows.map(|row| {
        let (node, owed) = row?;
        Ok((NodeId(fixed(node, "correspondent")?), owed))
    })
    .collect()
}

/// The next number of a bundle of this store.
pub fn next_number(c: &Connection) -> Result<u64> {
    let last = crate::meta(c, "bundle_number")?.and_then(|b| <[u8; 8]>::try_from(b).ok());
    let next = last.map_or(0, u64::from_be_bytes) + 1;
    crate::set_meta(c, "bundle_number", &next.to_be_bytes())?;
    Ok(next)
}

/// Changes that are looked at, at a time, to move a cursor by receipts.
const LOOKED_AT: i64 = 20_000;

/// How far a device's present store has all that it may read, by its receipts alone: the local sequence from
/// `after` up to the first change that no receipt covers.
pub fn covered_upto(c: &Connection, node: &NodeId, after: u64, reach: &Reach<'_>) -> Result<u64> {
    let held = crate::peers::held_by(c, &[*node])?;
    let mut lets: HashMap<i64, bool> = HashMap::new();
    let mut key = c.prepare_cached("SELECT key FROM document WHERE id = ?")?;
    let mut statement =
        c.prepare_cached("SELECT seq, doc, actor, actor_seq FROM change WHERE seq > ? ORDER BY seq LIMIT ?")?;
    let mut rows = statement.query(params![after as i64, LOOKED_AT])?;
    let mut upto = after;
    while let Some(r) = rows.next()? {
        let (seq, doc, actor_seq): (i64, i64, i64) = (r.get(0)?, r.get(1)?, r.get(3)?);
        let readable = match lets.get(&doc) {
            Some(known) => *known,
            None => {
                let text: String = key.query_row([doc], |r| r.get(0))?;
                let lets_it = DocKey::parse(&text).is_some_and(|k| reach.lets(&k));
                *lets.entry(doc).or_insert(lets_it)
            }
        };
        let actor = changes::actor_of(&r.get::<_, Vec<u8>>(2)?)?;
        if readable && held.get(&(doc, actor)).is_none_or(|h| *h < actor_seq as u64) {
            break;
        }
        upto = seq as u64;
    }
    Ok(upto)
}
