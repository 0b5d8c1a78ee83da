//! The scenarios S1–S8 of domain.md §5.4: nodes that are really apart, then together, and at each step the words that
//! clerk, teacher, leader, mentor, host and auditor read on their pages.
#![allow(clippy::unwrap_used)]

mod apart;
mod bulletin;
mod common;
mod moving;
mod seats;
#[path = "../../../../tests/src/second_version.rs"]
mod second_version;
mod snow;
#[path = "../support/mod.rs"]
mod support;
mod versions;
mod visits;
