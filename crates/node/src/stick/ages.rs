//! How old the files of a stick are, in a file beside them: in the files themselves there is no room that their makers
//! have not signed.
//!
//! ```text
//! # anything            for people
//! name 64 | age | at    a file's name by its head; its age in seconds when this was written; unix seconds by the clock of
//!                       the computer that wrote it
//! ```
//! A program that does not know the file leaves it alone; what is not named in it counts as new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::directory::write_whole;
use crate::mail::{self, Item, age};
use crate::{Error, Node};

const FILE: &str = "在路上多久.txt";

/// The longest that is read: a line for each of [`super::FILES`], with room.
const LONGEST: u64 = 1 << 20;

/// Ages by name, and when they were that.
#[derive(Debug, Default)]
pub(super) struct Ages(BTreeMap<String, (i64, i64)>);

impl Ages {
    /// What the stick says; nothing, if it says nothing that can be read.
    pub(super) fn read(root: &Path) -> Ages {
        let path = root.join(FILE);
        let short = fs::metadata(&path).is_ok_and(|m| m.len() <= LONGEST);
        let text = short.then(|| fs::read_to_string(&path).ok()).flatten();
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words
                .next()
                .filter(|name| crate::bundle::hash_of(name).is_some())?;
            Some((
                name.to_owned(),
                (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
            ))
        };
        Ages(text.unwrap_or_default().lines().filter_map(line).collect())
    }

    /// The age of a file now: what the stick says, and the time since.
    pub(super) fn of(&self, node: &Node, name: &str) -> i64 {
        let Some((said, at)) = self.0.get(name) else {
            return 0;
        };
        let since = age::by_clocks(*at, node.now());
        said.max(&0).saturating_add(since.unwrap_or(age::NIGHT))
    }

    /// Says how old the files are that are on the stick and those that will be: the older of what it said and what is
    /// known here.
    pub(super) fn write(
        &self,
        node: &Node,
        root: &Path,
        there: &BTreeSet<&str>,
        items: &[Item],
    ) -> Result<(), Error> {
        let now = node.now();
        let mut all: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for name in there {
            all.insert(name, self.0.get(*name).copied().unwrap_or((0, now)));
        }
        for item in items {
            let here = mail::age_of(node, item)?;
            if !there.contains(item.name.as_str()) || here > self.of(node, &item.name) {
                all.insert(&item.name, (here, now));
            }
        }
        let mut text =
            String::from("# 研修程序用，请不要改动。For the program; please leave it as it is.\r\n");
        for (name, (age, at)) in all {
            text += &format!("{name} {age} {at}\r\n");
        }
        let path = root.join(FILE);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        write_whole(&path, "part", text.as_bytes())
    }
}
