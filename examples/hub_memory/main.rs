//! What a hub costs that holds many documents: resident memory while 100 schools sync at once, and the time
//! of one session, beside a small hub. The hub is the real `yanxiu serve`; the schools are nodes of this process
//! on loopback, each with its own directory and keys. Linux (it reads /proc).
//!
//! `cargo build --release -p yanxiu && cargo run --release -p yanxiu-examples --example hub_memory`
//!
//! Its data is made up in a temporary directory (about 4 GB, removed afterwards): `county` says how. Arguments
//! choose other sizes: `hub_memory 1000x5 10x1`.

mod county;
mod measure;

use std::error::Error;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How large a county is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Schools, each with one device.
    pub schools: usize,
    /// School years, each with a log, a base and a ledger for every school.
    pub years: usize,
    /// Schools that are real nodes and sync at once.
    pub syncing: usize,
}

fn main() -> Result<()> {
    let shapes: Vec<String> = std::env::args().skip(1).collect();
    let wanted = if shapes.is_empty() {
        vec!["10x1".to_string(), "100x1".to_string(), "1000x5".to_string()]
    } else {
        shapes
    };
    let mut figures = Vec::new();
    for text in wanted {
        let (schools, years) = text.split_once('x').ok_or("sizes look like 1000x5")?;
        let schools: usize = schools.parse()?;
        let shape = Shape {
            schools,
            years: years.parse()?,
            syncing: schools.min(100),
        };
        let dir = tempfile::tempdir()?;
        let made = county::make(dir.path(), shape)?;
        figures.push(measure::run(dir.path(), shape, made)?);
    }
    measure::print(&figures);
    Ok(())
}
