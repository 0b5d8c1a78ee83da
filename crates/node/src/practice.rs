//! A county to learn in (练习县): a county of its own, with a root of its own, so that no device of it is ever a
//! device of the real one; and a name that says so on every node that belongs to it.

use crate::Node;

/// What the name of a practice county begins with. No real county is called so.
const PRACTICE: &str = "练习";

impl Node {
    /// Whether this node belongs to a county to learn in.
    pub fn practice(&self) -> bool {
        self.county_name().is_some_and(|name| name.starts_with(PRACTICE))
    }
}
