//! Tables computed from documents. They hold nothing that cannot be computed again.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params, params_from_iter};
use sync::{ActorId, NodeId};

use crate::{Error, Result, changes, fixed};

/// The changes that a record's values stand in: each actor's highest sequence number.
pub type Parts = Vec<(ActorId, u64)>;

/// One record as the views hold it.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Document row.
    pub doc: i64,
    /// Document key.
    pub doc_key: String,
    /// School of the key, if it has one.
    pub school: Option<String>,
    /// School year of the key, if it has one.
    pub year: Option<i32>,
    /// Record id.
    pub id: String,
    /// Kind id.
    pub kind: String,
    /// Kind version.
    pub version: u32,
    /// The person it is about.
    pub person: Option<String>,
    /// The record it is about.
    pub about: Option<String>,
    /// Its date.
    pub date: Option<String>,
    /// JSON object of winning values.
    pub fields: String,
    /// JSON object of fields with several concurrent values.
    pub others: Option<String>,
    /// Whether such a field counts.
    pub disputed: bool,
    /// Device of the newest value.
    pub author: NodeId,
    /// The changes its values stand in: each actor's highest.
    pub parts: Parts,
}

/// Removes all rows of a document.
pub fn clear(c: &Connection, doc: i64) -> Result<()> {
    c.prepare_cached("DELETE FROM record WHERE doc = ?")?
        .execute([doc])?;
    Ok(())
}

/// Removes one row.
pub fn remove(c: &Connection, doc: i64, id: &str) -> Result<()> {
    c.prepare_cached("DELETE FROM record WHERE doc = ? AND id = ?")?
        .execute((doc, id))?;
    Ok(())
}

/// Writes one row.
pub fn put(c: &Connection, r: &Row) -> Result<()> {
    let parts: Vec<u8> = r
        .parts
        .iter()
        .flat_map(|(a, s)| a.to_bytes().into_iter().chain(s.to_be_bytes()))
        .collect();
    c.prepare_cached(
        // No REPLACE: it would take the old row away without the triggers that keep the tallies.
        "INSERT INTO record (doc, doc_key, school, year, id, kind, version, person, about, date,
            fields, others, disputed, author, parts)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (doc, id) DO UPDATE SET kind = excluded.kind, version = excluded.version,
            person = excluded.person, about = excluded.about, date = excluded.date, fields = excluded.fields,
            others = excluded.others, disputed = excluded.disputed, author = excluded.author, parts = excluded.parts",
    )?
    .execute(params![
        r.doc, r.doc_key, r.school, r.year, r.id, r.kind, r.version, r.person, r.about, r.date, r.fields,
        r.others, r.disputed, r.author.0, parts
    ])?;
    Ok(())
}

/// Which rows to read; every given part must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Kind id.
    pub kind: Option<String>,
    /// Record id.
    pub id: Option<String>,
    /// School.
    pub school: Option<String>,
    /// School year of the document.
    pub year: Option<i32>,
    /// Person.
    pub person: Option<String>,
    /// Record it is about.
    pub about: Option<String>,
    /// By date, newest first (else oldest first).
    pub newest_first: bool,
    /// At most so many.
    pub limit: Option<u32>,
}

/// The condition for rows of a kind, spelled out: an index that holds one kind alone serves no statement that learns the
/// kind later.
pub fn is_kind(kind: &str) -> String {
    format!("kind = '{}'", kind.replace('\'', "''"))
}

fn clause(f: &Filter) -> (String, Vec<Sql>) {
    let mut parts = vec!["1".to_string()];
    let mut values = Vec::new();
    // The more exact name comes first and alone picks the index: without the plus sign SQLite, which has no statistics,
    // goes through everything of a kind that a school has.
    let columns = [
        ("id", &f.id),
        ("about", &f.about),
        ("person", &f.person),
        ("school", &f.school),
    ];
    // A school's year is a document or two, read as they lie: what it costs does not grow with the years before.
    let whole = match (&f.school, f.year) {
        (Some(school), Some(year)) if [&f.id, &f.about, &f.person].iter().all(|v| v.is_none()) => {
            Some(format!("/{school}/{year}"))
        }
        _ => None,
    };
    let mut named = whole.is_some();
    if let Some(kind) = &f.kind {
        let plus = if f.id.is_some() || named { "+" } else { "" };
        parts.push(format!("{plus}{}", is_kind(kind)));
    }
    for (column, wanted) in columns {
        if let Some(v) = wanted {
            let plus = if named { "+" } else { "" };
            parts.push(format!("{plus}{column} = ?"));
            named = true;
            values.push(Sql::Text(v.clone()));
        }
    }
    if let Some(year) = f.year {
        parts.push("year = ?".to_string());
        values.push(Sql::Integer(year.into()));
        // The document is known to an index, the year to the row alone.
        let plus = if whole.is_some() { "" } else { "+" };
        let ending = whole.unwrap_or_else(|| format!("/{year}"));
        parts.push(format!(
            "{plus}doc IN (SELECT id FROM document WHERE substr(key, -length(?)) = ?)"
        ));
        values.extend([Sql::Text(ending.clone()), Sql::Text(ending)]);
    }
    (parts.join(" AND "), values)
}

const COLUMNS: &str =
    "doc, doc_key, school, year, id, kind, version, person, about, date, fields, others, disputed,
    author, parts";

/// Reads rows.
pub fn list(c: &Connection, f: &Filter) -> Result<Vec<Row>> {
    let (clause, values) = clause(f);
    let order = if f.newest_first {
        "date DESC, id DESC"
    } else {
        "date, id"
    };
    let limit = f.limit.map_or(String::new(), |n| format!(" LIMIT {n}"));
    let sql = format!("SELECT {COLUMNS} FROM record WHERE {clause} ORDER BY {order}{limit}");
    read(c, &sql, values)
}

/// All rows of a document, by record id.
pub fn of_document(c: &Connection, doc: i64) -> Result<Vec<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE doc = ? ORDER BY id");
    read(c, &sql, vec![Sql::Integer(doc)])
}

/// Removes rows of documents that are not here.
pub fn clear_orphans(c: &Connection) -> Result<()> {
    c.execute(
        "DELETE FROM record WHERE doc NOT IN (SELECT id FROM document)",
        [],
    )?;
    Ok(())
}

fn read(c: &Connection, sql: &str, values: Vec<Sql>) -> Result<Vec<Row>> {
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), |r| {
        Ok((
            Row {
                doc: r.get(0)?,
                doc_key: r.get(1)?,
                school: r.get(2)?,
                year: r.get(3)?,
                id: r.get(4)?,
                kind: r.get(5)?,
                version: r.get(6)?,
                person: r.get(7)?,
                about: r.get(8)?,
                date: r.get(9)?,
                fields: r.get(10)?,
                others: r.get(11)?,
                disputed: r.get(12)?,
                author: NodeId([0; 32]),
                parts: Vec::new(),
            },
            r.get::<_, Vec<u8>>(13)?,
            r.get::<_, Vec<u8>>(14)?,
        ))
    })?;
    rows.map(|row| {
        let (mut row, author, parts) = row?;
        row.author = NodeId(fixed(author, "author")?);
        row.parts = read_parts(&parts)?;
        Ok(row)
    })
    .collect()
}

/// Reads the parts of a record as the table holds them.
pub fn read_parts(bytes: &[u8]) -> Result<Parts> {
    bytes
        .chunks_exact(ActorId::LEN + 8)
        .map(|part| {
            let (actor, seq) = part.split_at(ActorId::LEN);
            let seq = seq.try_into().map_err(|_| Error::BadRow("record"))?;
            Ok((changes::actor_of(actor)?, u64::from_be_bytes(seq)))
        })
        .collect()
}

/// Counts rows.
pub fn count(c: &Connection, f: &Filter) -> Result<u64> {
    let (clause, values) = clause(f);
    let n: i64 = c
        .prepare_cached(&format!("SELECT COUNT(*) FROM record WHERE {clause}"))?
        .query_row(params_from_iter(values), |r| r.get(0))?;
    Ok(n as u64)
}

/// How many records of a kind a school has.
type Tally = (String, String, i64);

/// What the tallies of the dashboard say, and what the rows say, where the two differ: kind, school, both numbers.
pub fn wrong_tallies(c: &Connection) -> Result<Vec<(String, String, i64, i64)>> {
    let read = |sql: &str| -> Result<std::collections::BTreeMap<(String, String), i64>> {
        let mut statement = c.prepare(sql)?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        rows.map(|row| {
            row.map(|(kind, school, n): Tally| ((kind, school), n))
                .map_err(Error::from)
        })
        .collect()
    };
    let kept = read("SELECT kind, school, n FROM tally WHERE n <> 0")?;
    let counted = read(COUNTED)?;
    let names: std::collections::BTreeSet<_> = kept.keys().chain(counted.keys()).cloned().collect();
    let both = names.into_iter().map(|name| {
        let [kept, counted] = [&kept, &counted].map(|of| of.get(&name).copied().unwrap_or(0));
        (name.0, name.1, kept, counted)
    });
    Ok(both.filter(|(.., kept, counted)| kept != counted).collect())
}

/// Makes the tallies anew from the rows, and has every standing computed again.
pub fn count_again(c: &Connection) -> Result<()> {
    c.execute("DELETE FROM tally", [])?;
    c.execute(&format!("INSERT INTO tally {COUNTED}"), [])?;
    c.execute("DELETE FROM standing", [])?;
    c.execute("INSERT OR IGNORE INTO stale VALUES ('', '', 0)", [])?;
    Ok(())
}

/// The same as in `migrations/015_dashboard.sql`.
const COUNTED: &str = "SELECT kind, school, COUNT(*) FROM record
     WHERE kind IN ('session', 'attendance', 'claim') AND school IS NOT NULL GROUP BY kind, school
     UNION ALL
     SELECT 'decided', school, COUNT(DISTINCT doc || '/' || about) FROM record
     WHERE kind = 'decision' AND school IS NOT NULL AND about IS NOT NULL AND doc_key LIKE 'ledger/%' GROUP BY school";

/// The parts of every record: document row, and each actor's highest change in it.
pub fn parts(c: &Connection) -> Result<Vec<(i64, Parts)>> {
    let mut statement = c.prepare_cached("SELECT doc, parts FROM record")?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?)))?;
    rows.map(|row| {
        let (doc, parts) = row?;
        Ok((doc, read_parts(&parts)?))
    })
    .collect()
}
