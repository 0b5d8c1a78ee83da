//! The names that a person has had here: people are known by their record, never by a name (domain.md §3.5, no. 18).

use std::collections::BTreeSet;

use records::Value;

use super::lookup::record_of;
use crate::{Error, Node};

/// Every other name that was ever written for this person, such as 王金本 before the computer could write 王𬭊.
pub fn name_variants(node: &Node, person: &str) -> Result<Vec<String>, Error> {
    let Some(record) = record_of(node, "person", person)? else {
        return Ok(Vec::new());
    };
    let mut names = BTreeSet::new();
    for act in node.histories(&[&record])?.into_iter().flatten() {
        let of_name = act.fields.into_iter().filter(|(field, _, _)| field == "name");
        names.extend(of_name.flat_map(|(_, before, after)| before.into_iter().chain(after)));
    }
    Ok(names
        .iter()
        .filter_map(Value::as_text)
        .filter(|name| *name != record.text("name"))
        .map(str::to_owned)
        .collect())
}
