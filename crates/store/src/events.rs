//! What an operator should know: refusals, faults, waiting changes. Equal events are counted, not repeated.

use rusqlite::{Connection, params};
use sync::NodeId;

use crate::{Result, fixed};

/// Rows kept of one code; the oldest go first. Keys cost nothing: a thousand strangers must not push out what
/// else the operator should see.
const KEPT: i64 = 200;

/// Rows of one peer, whatever their codes: further ones name neither document nor particulars, so that one
/// device that names a thousand documents fills a few lines.
const BY_PEER: i64 = 60;

/// One line of the operator's list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Unix seconds of the last time.
    pub at: i64,
    /// A stable code that pages translate.
    pub code: String,
    /// The other node, if one.
    pub peer: Option<NodeId>,
    /// The document, or empty.
    pub document: String,
    /// Particulars, or empty.
    pub detail: String,
    /// How often.
    pub count: u64,
}

/// Adds an event or counts it again.
pub fn add(
    c: &Connection,
    code: &str,
    peer: Option<&NodeId>,
    document: &str,
    detail: &str,
    at: i64,
) -> Result<()> {
    let peer = peer.map(|p| p.0.to_vec()).unwrap_or_default();
    let again = |document: &str, detail: &str| {
        c.prepare_cached(
            "UPDATE event SET count = count + 1, at = ?5
             WHERE code = ?1 AND peer = ?2 AND document = ?3 AND detail = ?4",
        )?
        .execute(params![code, peer, document, detail, at])
    };
    if again(document, detail)? > 0 {
        return Ok(());
    }
    let count: i64 = match peer.is_empty() {
        true => 0,
        false => c
            .prepare_cached("SELECT COUNT(*) FROM event WHERE peer = ?")?
            .query_row([&peer], |r| r.get(0))?,
    };
    let (document, detail) = match count < BY_PEER {
        true => (document, detail),
        false if again("", "")? > 0 => return Ok(()),
        false => ("", ""),
    };
    c.prepare_cached("INSERT INTO event (at, code, peer, document, detail) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![at, code, peer, document, detail])?;
    c.prepare_cached(
        "DELETE FROM event WHERE id IN
            (SELECT id FROM event WHERE code = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
    )?
    .execute(params![code, KEPT])?;
    Ok(())
}

/// The newest events.
pub fn list(c: &Connection, limit: u32) -> Result<Vec<Event>> {
    let mut statement = c.prepare_cached(
        "SELECT at, code, peer, document, detail, count FROM event ORDER BY at DESC, id DESC LIMIT ?",
    )?;
    let rows = statement.query_map([limit], |r| {
        Ok((
            r.get(0)?,
            r.get(1)?,
            r.get::<_, Vec<u8>>(2)?,
            r.get(3)?,
            r.get(4)?,
            r.get::<_, i64>(5)?,
        ))
    })?;
    rows.map(|row| {
        let (at, code, peer, document, detail, count) = row?;
        let peer = if peer.is_empty() {
            None
        } else {
            Some(NodeId(fixed(peer, "peer")?))
        };
        Ok(Event {
            at,
            code,
            peer,
            document,
            detail,
            count: count as u64,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_by_one_or_by_many_leaves_the_others_lines() {
        let dir = tempfile::tempdir().unwrap();
        let store = crate::Store::open(&dir.path().join("yanxiu.db")).unwrap();
        let all = store
            .write(|tx| {
                let peer = |n: u16| {
                    let mut id = [7; 32];
                    id[..2].copy_from_slice(&n.to_be_bytes());
                    NodeId(id)
                };
                add(tx, "copied", None, "", "", 1)?;
                add(tx, "we-refused-Revoked", Some(&peer(1)), "", "", 1)?;
                for n in 0..3_000 {
                    add(
                        tx,
                        "held-here-NotTheWriter",
                        Some(&peer(2)),
                        &format!("log/x/{n}"),
                        "",
                        2,
                    )?;
                    add(tx, "we-refused-NotEnrolled", Some(&peer(10 + n)), "", "", 2)?;
                }
                list(tx, 10_000)
            })
            .unwrap();
        let count = |code: &str| all.iter().filter(|e| e.code == code).count() as i64;
        assert_eq!((count("copied"), count("we-refused-Revoked")), (1, 1));
        assert_eq!(count("held-here-NotTheWriter"), BY_PEER + 1);
        assert_eq!(count("we-refused-NotEnrolled"), KEPT);
        let rest = all
            .iter()
            .find(|e| e.code.starts_with("held") && e.document.is_empty());
        assert_eq!(rest.unwrap().count as i64, 3_000 - BY_PEER);
    }
}
