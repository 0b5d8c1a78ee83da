//! Evidence (佐证材料): the index entry of a photo, and whether the photo itself is here.

use std::collections::{BTreeSet, HashMap};

use super::attendance::own_session;
use super::draft::Draft;
use super::entries::state_of;
use super::in_touch;
use super::lookup::{Key, by_about, by_id, key, record_of};
use super::organisations::organisation_names;
use super::{By, invalid, turn};
use crate::blobs::{partial, wanted::Size};
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
    /// Name of the copy for the network.
    pub hash: String,
    /// Its size.
    pub bytes: i64,
    /// Size of the original; 0 = there is none besides.
    pub original_bytes: i64,
    /// Which of the three sizes are here.
    pub here: Here,
    /// Whether the county has the copy.
    pub at_county: bool,
    /// Name of the school where it is.
    pub school_name: String,
    /// The account that entered it.
    pub by: String,
    /// Two devices say different things.
    pub disputed: bool,
    /// From where the copy is expected, while it is not here.
    pub awaited: Option<Awaited>,
}

/// From where a photo is expected that is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// The school's computers that are not revoked, the one met last first.
    pub devices: Vec<in_touch::Met>,
    /// Others that have it and are on their way with it (导师, 捎带), by their receipts.
    pub carriers: Vec<in_touch::Met>,
    /// Bytes of it that have come.
    pub begun: u64,
    /// This computer is on a connection paid by the byte and fetches previews alone.
    pub metered: bool,
}

/// Which sizes of a photo are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Here {
    /// Something to show in a list.
    pub preview: bool,
    /// What proves something.
    pub copy: bool,
    /// As it was taken.
    pub original: bool,
    /// The original was asked for and has not come yet.
    pub wished: bool,
}

impl Here {
    /// Whether there is anything to show.
    pub fn any(&self) -> bool {
        self.preview || self.copy
    }
}

/// A photo in its three sizes; `web` makes them of what a phone brings.
#[derive(Clone, Debug, Default)]
pub struct PhotoFiles {
    /// JPEG of at most [`crate::blobs::wanted::PREVIEW_BYTES`].
    pub preview: Vec<u8>,
    /// JPEG of at most [`crate::blobs::wanted::COPY_BYTES`].
    pub copy: Vec<u8>,
    /// The file as it was taken, without place and time; `None` if the copy is as good.
    pub original: Option<Vec<u8>>,
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
    draft(session, input, &blobs::name_of(&[]), &PhotoFiles::default()).faults()
}

fn draft(session: &str, input: &PhotoInput, hash: &str, files: &PhotoFiles) -> Draft {
    let length = |bytes: &Vec<u8>| i64::try_from(bytes.len()).ok();
    let name = |bytes: &Vec<u8>| blobs::name_of(bytes);
    Draft::new("evidence")
        .text("evidence_kind", &input.kind)
        .text("hash", hash)
        .text("preview", &name(&files.preview))
        .text(
            "original",
            &files.original.as_ref().map_or_else(String::new, name),
        )
        .int("original_bytes", files.original.as_ref().and_then(length))
        .text("mime", "image/jpeg")
        .int("bytes", length(&files.copy))
        .text("about", session)
        .text("person", &input.person)
        .text("date", &input.date)
        .text("caption", &input.caption)
}

/// Keeps a photo of a session of the own school: first the files, then its entry, so that nothing is shown as saved
/// that is not on the disk. The same photo again adds nothing.
pub fn add_photo(
    node: &Node,
    by: &By,
    session: &str,
    input: &PhotoInput,
    files: &PhotoFiles,
) -> Result<(), Error> {
    let record = own_session(node, session)?;
    if state_of(node, &record)? == "void" {
        return Err(invalid("state", "活动已作废", "The session is void"));
    }
    for file in [Some(&files.preview), files.original.as_ref()]
        .into_iter()
        .flatten()
    {
        blobs::keep(node, file)?;
    }
    let hash = blobs::keep(node, &files.copy)?;
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
    let edit = draft(session, input, &hash, files).create(node, node.new_id(), by)?;
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
    let wishes = node.read(store::blobs::wishes)?;
    let at_county = |hash: &str| -> Result<bool, Error> {
        let Some(name) = sync::BlobName::parse(hash) else {
            return Ok(false);
        };
        Ok(!node.read(|c| store::blobs::receipts(c, &name))?.is_empty())
    };
    let mut met = None;
    let mut photo = |row: super::lookup::Row| -> Result<Photo, Error> {
        let here = |size: Size| blobs::is_here(node, row.text(size.field()));
        let sizes = Here {
            preview: here(Size::Preview),
            copy: here(Size::Copy),
            original: here(Size::Original),
            wished: wishes.contains(row.text("original")),
        };
        let awaited = match sizes.copy {
            true => None,
            false => {
                // Of a county with a thousand schools asked once for the whole list, and not at all where nothing is missing.
                let met = match &mut met {
                    Some(met) => met,
                    none => none.insert(in_touch::met(node)?),
                };
                Some(awaited(node, met, &row)?)
            }
        };
        Ok(Photo {
            awaited,
            kind: row.text("evidence_kind").to_owned(),
            caption: row.text("caption").to_owned(),
            person_name: persons
                .get(&key(&row.school, &row.person))
                .map_or_else(String::new, |person| person.text("name").to_owned()),
            date: row.text("date").to_owned(),
            hash: row.text("hash").to_owned(),
            bytes: row.int("bytes"),
            original_bytes: row.int("original_bytes"),
            here: sizes,
            at_county: at_county(row.text("hash"))?,
            school_name: names.get(&row.school).cloned().unwrap_or_default(),
            by: row.text("_by").to_owned(),
            disputed: row.disputed,
            id: row.id,
        })
    };
    found
        .into_iter()
        .map(|(about, rows)| {
            let photos = rows.into_iter().map(&mut photo).collect::<Result<_, Error>>()?;
            Ok((about, photos))
        })
        .collect()
}

/// From where the copy of a photo is expected.
fn awaited(node: &Node, met: &in_touch::AllMet, row: &super::lookup::Row) -> Result<Awaited, Error> {
    let mut awaited = Awaited {
        devices: met.of_school(&row.school),
        metered: node.metered(),
        ..Awaited::default()
    };
    let Some(name) = sync::BlobName::parse(row.text(Size::Copy.field())) else {
        return Ok(awaited);
    };
    let own: Vec<sync::NodeId> = awaited.devices.iter().map(|device| device.node).collect();
    for receipt in node.read(|c| store::blobs::receipts(c, &name))? {
        if receipt.node != node.id() && !own.contains(&receipt.node) {
            awaited.carriers.push(met.one(node, &receipt.node));
        }
    }
    awaited.begun = partial::came(node, &name)?;
    Ok(awaited)
}

/// The content of a photo whose entry is this record, in this size; `None` if either is not here.
pub fn photo(node: &Node, id: &str, size: Size) -> Result<Option<Vec<u8>>, Error> {
    match record_of(node, "evidence", id)? {
        Some(record) if record.text("mime") == "image/jpeg" => blobs::read(node, record.text(size.field())),
        _ => Ok(None),
    }
}

/// Asks for the original of a photo: it comes with the next contact with somebody who has it.
pub fn ask_original(node: &Node, id: &str) -> Result<(), Error> {
    let Some(record) = record_of(node, "evidence", id)? else {
        return Ok(());
    };
    let Some(name) = sync::BlobName::parse(record.text("original")) else {
        return Ok(());
    };
    let at = node.now();
    node.store().write(|tx| store::blobs::wish(tx, &name, at))?;
    node.0.changed.send_modify(|n| *n += 1);
    Ok(())
}
