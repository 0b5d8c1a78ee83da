//! Compares what the schools hold with what the hub holds, with SQL and from outside.

use std::path::Path;
use std::time::Duration;

use store::Connection;
use store::rusqlite::OpenFlags;

use crate::Result;
use crate::county::County;

/// What was compared, and what was not found.
#[derive(Default, Debug)]
pub struct Found {
    pub changes: i64,
    pub lost_changes: i64,
    pub records: i64,
    pub lost_records: i64,
    pub receipts: i64,
    pub empty_receipts: i64,
}

/// What stands in a school's own documents, whether the hub has the same, and whether what the hub has given a receipt
/// for is there.
const COMPARED: [(&str, &str); 3] = [
    (
        "school.change c JOIN school.document d ON d.id = c.doc WHERE d.key LIKE 'base/%' OR d.key LIKE 'log/%'",
        "SELECT 1 FROM change h JOIN document k ON k.id = h.doc
         WHERE k.key = d.key AND h.hash = c.hash AND h.body = c.body",
    ),
    (
        "school.record r WHERE r.doc_key LIKE 'base/%' OR r.doc_key LIKE 'log/%'",
        "SELECT 1 FROM record h WHERE h.id = r.id AND h.doc_key = r.doc_key AND h.fields = r.fields",
    ),
    (
        "school.receipt r JOIN school.document d ON d.id = r.doc",
        "SELECT 1 FROM change h JOIN document k ON k.id = h.doc
         WHERE k.key = d.key AND h.actor = r.actor AND h.actor_seq = r.seq AND h.hash = r.hash",
    ),
];

/// The school's own documents, each by one device here, whose last change has no receipt.
const WAITING: &str = "SELECT COUNT(*) FROM document d WHERE (d.key LIKE 'base/%' OR d.key LIKE 'log/%')
     AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.doc = d.id
                     AND r.seq = (SELECT MAX(c.actor_seq) FROM change c WHERE c.doc = d.id))";

/// What a school still waits for, for a look every few milliseconds: `Node::not_at_county` reads every record.
pub fn waiting(school: &Connection) -> Result<i64> {
    Ok(school.query_row(WAITING, [], |r| r.get(0))?)
}

/// The database of a node, for reading beside it.
pub fn open(dir: &Path) -> Result<Connection> {
    let hub = Connection::open_with_flags(dir.join("yanxiu.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    hub.busy_timeout(Duration::from_secs(20))?;
    Ok(hub)
}

/// Documents of which the views do not show everything yet.
pub fn behind(hub: &Path) -> Result<usize> {
    Ok(store::changes::unviewed(&open(hub)?)?.len())
}

/// Every school against the hub.
pub fn compare(county: &County) -> Result<Found> {
    let hub = open(&county.hub)?;
    let mut found = Found::default();
    for school in &county.schools {
        hub.execute("ATTACH ? AS school", [school.join("yanxiu.db").to_string_lossy()])?;
        let mut numbers = [[0_i64; 2]; COMPARED.len()];
        for ((here, there), numbers) in COMPARED.iter().zip(&mut numbers) {
            let sql = format!("SELECT COUNT(*), COUNT(*) FILTER (WHERE NOT EXISTS ({there})) FROM {here}");
            *numbers = hub.query_row(&sql, [], |r| Ok([r.get(0)?, r.get(1)?]))?;
        }
        hub.execute_batch("DETACH school")?;
        let [
            [changes, lost_changes],
            [records, lost_records],
            [receipts, empty_receipts],
        ] = numbers;
        found.changes += changes;
        found.lost_changes += lost_changes;
        found.records += records;
        found.lost_records += lost_records;
        found.receipts += receipts;
        found.empty_receipts += empty_receipts;
    }
    Ok(found)
}
