//! 已阅: who has read a bulletin (domain.md C20, F4). A receipt says that it lies at a school; that somebody has read it
//! is a record of the school (`bulletin_read`), which travels to the county like all others.

use std::collections::HashMap;

use super::super::draft::{Draft, year_of};
use super::super::in_touch::deliveries;
use super::super::lookup::record_of;
use super::super::{By, no_such, own_school, turn};
use super::{KIND, bulletins};
use crate::{Error, Filter, Node, Record};

const READ: &str = "bulletin_read";

/// Somebody at a school has read a bulletin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The account.
    pub by: String,
    /// The day, `YYYY-MM-DD`.
    pub on: String,
}

/// How far a bulletin has got: each school stands in one of the four.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Names of schools where somebody has read it, with the first who did.
    pub read: Vec<(String, Reading)>,
    /// Names of schools that have it, and nobody has said that it was read.
    pub unread: Vec<String>,
    /// Names of schools with a device, none of which has acknowledged it.
    pub missing: Vec<String>,
    /// Names of schools that have no device.
    pub not_enrolled: Vec<String>,
}

/// Says for this school that a bulletin was read on a day. Who has said so says nothing twice.
pub fn read_bulletin(node: &Node, by: &By, bulletin: &str, read_on: &str) -> Result<(), Error> {
    let school = node.home_school().unwrap_or_default();
    own_school(node, &school)?;
    let _turn = turn();
    let issued = record_of(node, KIND, bulletin)?.filter(|record| record.text("state") == "issued");
    if issued.is_none() {
        return Err(no_such("bulletin", "通报", "bulletin"));
    }
    let doc = format!("log/{school}/{}", year_of("read_on", read_on)?);
    let known = node.records(&Filter::kind(READ).about(bulletin).school(&school))?;
    if known.iter().any(|record| record.text("_by") == by.account) {
        return Ok(());
    }
    let draft = Draft::new(READ)
        .text("bulletin", bulletin)
        .text("read_on", read_on);
    node.commit(&doc, vec![draft.create(node, node.new_id(), by)?])?;
    Ok(())
}

/// Who at a school has read a bulletin, the first one first.
pub fn readings(node: &Node, bulletin: &str, school: &str) -> Result<Vec<Reading>, Error> {
    let mut all = by_school(node, bulletin)?;
    Ok(all.remove(school).unwrap_or_default())
}

/// Subjects of the bulletins that nobody at this school has read; what was replaced need not be read any more.
pub fn unread_bulletins(node: &Node) -> Result<Vec<String>, Error> {
    let Some(school) = node.home_school() else {
        return Ok(Vec::new());
    };
    let mut unread = Vec::new();
    for bulletin in bulletins(node)? {
        let standing = bulletin.state == "issued" && bulletin.replaced_by.is_empty();
        if standing && readings(node, &bulletin.id, &school)?.is_empty() {
            unread.push(bulletin.topic);
        }
    }
    Ok(unread)
}

fn by_school(node: &Node, bulletin: &str) -> Result<HashMap<String, Vec<Reading>>, Error> {
    let mut all: HashMap<String, Vec<Reading>> = HashMap::new();
    let reading = |record: &Record| Reading {
        by: record.text("_by").to_owned(),
        on: record.text("read_on").to_owned(),
    };
    for record in node.records(&Filter::kind(READ).about(bulletin))? {
        // The document names the school: what stands there was admitted from its own devices alone.
        let said = reading(&record);
        if let Some(school) = record.school {
            all.entry(school).or_default().push(said);
        }
    }
    for said in all.values_mut() {
        said.sort_by(|a, b| (&a.on, &a.by).cmp(&(&b.on, &b.by)));
    }
    Ok(all)
}

/// [`Reach`] of each of these bulletins, as the county knows it.
pub fn reach(node: &Node, bulletins: &[&str]) -> Result<Vec<Reach>, Error> {
    let mut all = Vec::new();
    for (id, schools) in bulletins.iter().zip(deliveries(node, bulletins)?) {
        let mut read = by_school(node, id)?;
        let mut reach = Reach::default();
        for school in schools {
            // Who has read it has it, by whatever way it came there.
            match (
                read.remove(&school.school).map(|said| said.into_iter().next()),
                school.there,
            ) {
                (Some(Some(first)), _) => reach.read.push((school.name, first)),
                (_, Some(true)) => reach.unread.push(school.name),
                (_, Some(false)) => reach.missing.push(school.name),
                (_, None) => reach.not_enrolled.push(school.name),
            }
        }
        all.push(reach);
    }
    Ok(all)
}
