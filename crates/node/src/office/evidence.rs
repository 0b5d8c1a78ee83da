//! Evidence (佐证材料): the index entry of a photo, and whether the photo itself is here.

use std::collections::{BTreeSet, HashMap};

use super::attendance::own_session;
use super::draft::Draft;
use super::entries::state_of;
use super::lookup::{Key, by_about, by_id, key, organisation_names, record_of};
use super::{By, invalid, turn};
use crate::{Error, Node, blobs};

/// A photo that proves something.
#[derive(Clone, Debug)]
pub struct Photo {
    /// Record id of its entry.
    pub id: String,
    /// Code of the kind of evidence.
    pub kind: String,
    /// What the school says about it.
    pub caption: String,
    /// 姓名 of whose it is; empty = of all.
    pub person_name: String,
    /// Date that the clerk gave.
    pub date: String,
    /// Name of the blob.
    pub hash: String,
    /// Its size.
    pub bytes: i64,
    /// Whether the photo itself is here.
    pub here: bool,
    /// Name of the school where it is.
    pub school_name: String,
    /// The account that entered it.
    pub by: String,
    /// Two devices say different things.
    pub disputed: bool,
}

/// What is entered with a photo.
#[derive(Clone, Debug, Default)]
pub struct PhotoInput {
    /// Code of the kind of evidence.
    pub kind: String,
    /// Whose it is: record id of a person; empty = of all.
    pub person: String,
    /// A sentence about it.
    pub caption: String,
    /// Date, `YYYY-MM-DD`.
    pub date: String,
}

/// What is wrong with the words beside a photo; empty = good. Asked before a large file is worked on.
pub fn check_photo(session: &str, input: &PhotoInput) -> Vec<records::FieldError> {
    let whole = draft(session, input, &blobs::name_of(&[]), 0);
    whole.faults()
}

fn draft(session: &str, input: &PhotoInput, hash: &str, bytes: usize) -> Draft {
    Draft::new("evidence")
        .text("evidence_kind", &input.kind)
        .text("hash", hash)
        .text("mime", "image/jpeg")
        .int("bytes", i64::try_from(bytes).ok())
        .text("about", session)
        .text("person", &input.person)
        .text("date", &input.date)
        .text("caption", &input.caption)
}

/// Keeps a photo (a JPEG that holds nothing but the picture) of a session of the own school: first the file, then
/// its entry, so that nothing is shown as saved that is not on the disk. The same photo again adds nothing.
pub fn add_photo(node: &Node, by: &By, session: &str, input: &PhotoInput, jpeg: &[u8]) -> Result<(), Error> {
    let record = own_session(node, session)?;
    if state_of(node, &record)? == "void" {
        return Err(invalid("state", "活动已作废", "The session is void"));
    }
    let hash = blobs::keep(node, jpeg)?;
    let _turn = turn();
    let school = record.school.as_deref().unwrap_or_default();
    let known = by_about(node, "evidence", &[session])?
        .remove(&key(school, session))
        .unwrap_or_default();
    if known
        .iter()
        .any(|photo| photo.text("hash") == hash && photo.person == input.person)
    {
        return Ok(());
    }
    let edit = draft(session, input, &hash, jpeg.len()).create(node, node.new_id(), by)?;
    node.commit(&record.doc, vec![edit])
}

/// The photos about each of these records, by school and record.
pub fn photos(node: &Node, about: &[&str]) -> Result<HashMap<(String, String), Vec<Photo>>, Error> {
    let found: HashMap<Key, Vec<_>> = by_about(node, "evidence", about)?;
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let names = organisation_names(node)?;
    let of: BTreeSet<&str> = found.values().flatten().map(|row| row.person.as_str()).collect();
    let of: Vec<&str> = of.into_iter().filter(|person| !person.is_empty()).collect();
    let persons = by_id(node, "person", &of)?;
    let photo = |row: super::lookup::Row| Photo {
        kind: row.text("evidence_kind").to_owned(),
        caption: row.text("caption").to_owned(),
        person_name: persons
            .get(&key(&row.school, &row.person))
            .map_or_else(String::new, |person| person.text("name").to_owned()),
        date: row.text("date").to_owned(),
        hash: row.text("hash").to_owned(),
        bytes: row.int("bytes"),
        here: blobs::is_here(node, row.text("hash")),
        school_name: names.get(&row.school).cloned().unwrap_or_default(),
        by: row.text("_by").to_owned(),
        disputed: row.disputed,
        id: row.id,
    };
    Ok(found
        .into_iter()
        .map(|(about, rows)| (about, rows.into_iter().map(photo).collect()))
        .collect())
}

/// The content of a photo whose entry is this record; `None` if either is not here.
pub fn photo(node: &Node, id: &str) -> Result<Option<Vec<u8>>, Error> {
    match record_of(node, "evidence", id)? {
        Some(record) if record.text("mime") == "image/jpeg" => blobs::read(node, record.text("hash")),
        _ => Ok(None),
    }
}
