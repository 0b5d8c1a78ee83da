//! What an operator should know: refusals, faults, waiting changes. Equal events are counted, not repeated.

use rusqlite::{Connection, params};
use sync::NodeId;

use crate::{Result, fixed};

/// Rows kept; the oldest go first.
const KEPT: i64 = 2_000;

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
    c.prepare_cached(
        "INSERT INTO event (at, code, peer, document, detail) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (code, peer, document, detail) DO UPDATE SET count = count + 1, at = excluded.at",
    )?
    .execute(params![at, code, peer, document, detail])?;
    c.prepare_cached("DELETE FROM event WHERE id <= (SELECT MAX(id) FROM event) - ?")?
        .execute([KEPT])?;
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
