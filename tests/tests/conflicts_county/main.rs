//! Conflicts of domain.md §3.5 that the county settles, between nodes that were really apart: rows 3, 6, 7, 8, 13,
//! 15, 19, 21 and 23.

// Helpers outside #[test] functions unwrap as well: a failure is a failed test.
#![allow(clippy::unwrap_used)]

mod bulletins;
mod closing;
mod common;
mod moving;
mod seats;
mod signing;
mod visiting;
