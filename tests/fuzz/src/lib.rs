//! What the targets share: panics and memory under watch ([`guard`]), an input read as a small script
//! ([`script`]), and a county with devices, statements and changes ([`world`]).

pub mod guard;
pub mod memory;
pub mod script;
pub mod table;
pub mod world;
