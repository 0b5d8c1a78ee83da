//! Requests that came back on sticks, approved many at once. The county sees them in one list, each with its school and
//! the digits to compare, and approves all or some; what does not fit is named and holds up none of the others.
//!
//! A request belongs to the school that it names (by code, or else by its whole name), or to the one whose folder of the
//! kit it lies in ([`crate::kit`]); nothing is guessed from a part of a name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sync::NodeId;

use super::{REQUEST, approve, code_in, digits, line, may_have, read_request};
use crate::directory::file;
use crate::kit;
use crate::office::{self, Organisation};
use crate::policy::Role;
use crate::stick::FILES;
use crate::{Error, Node};

/// No request is longer: half a page of text.
const BYTES: u64 = 64 << 10;
/// Folders in folders that are looked into: stick, kit, school, device.
const DEPTH: usize = 4;

/// A device that may be approved as a school's PC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// The device.
    pub device: NodeId,
    /// What it calls itself.
    pub label: String,
    /// What both sides compare.
    pub digits: String,
    /// Record id of its school.
    pub school: String,
    /// The school's name.
    pub school_name: String,
    /// Its code, or empty.
    pub school_code: String,
    /// It is this school's PC already: its answer is written once more.
    pub known: bool,
    /// Other PCs that the school has.
    pub beside: Vec<String>,
    /// Other devices that ask for the same school here.
    pub rivals: usize,
    /// The files that say so.
    pub files: Vec<PathBuf>,
}

impl Asking {
    /// The first computer of its school, and the only one that asks: a request as a county expects it. Of any other a person
    /// has to know why there are two.
    pub fn is_expected(&self) -> bool {
        !self.known && self.beside.is_empty() && self.rivals == 0
    }
}

/// A request that cannot be approved.
#[derive(Debug)]
pub struct Turned {
    /// Its file.
    pub file: PathBuf,
    /// The device, if the request could be read.
    pub device: Option<NodeId>,
    /// What it calls itself, or empty.
    pub label: String,
    /// Why not.
    pub why: Error,
}

/// What lies on the sticks.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of the schools' names.
    pub asking: Vec<Asking>,
    /// In the order in which they were found.
    pub turned: Vec<Turned>,
    /// Text files that were not looked at: there are too many.
    pub passed_over: usize,
}

/// Reads the requests in these files and folders; nothing is approved.
pub fn find(node: &Node, places: &[PathBuf]) -> Result<Batch, Error> {
    super::officer(node)?;
    let schools = Schools::of(node)?;
    let mut batch = Batch::default();
    let mut found: BTreeMap<NodeId, Vec<(Asking, PathBuf)>> = BTreeMap::new();
    for path in files(places, &mut batch)? {
        let text = match read(&path) {
            Ok(text) => text.unwrap_or_default(),
            Err(why) => {
                batch.turn(path, None, String::new(), why);
                continue;
            }
        };
        // Other texts lie there as well; the letters of an invitation's long code may spell a request's prefix.
        if !code_in(&text).starts_with(REQUEST) && !places.contains(&path) {
            continue;
        }
        let (device, label) = match read_request(&text) {
            Ok((device, label)) => (device, label.unwrap_or_else(|| device.short())),
            Err(why) => {
                batch.turn(path, None, String::new(), why);
                continue;
            }
        };
        match schools.fit(node, device, &label, &text, &path) {
            Ok(asking) => found.entry(device).or_default().push((asking, path)),
            Err(why) => batch.turn(path, Some(device), label, why),
        }
    }
    for (device, all) in found {
        let wanted: BTreeMap<String, String> = (all.iter())
            .map(|(a, _)| (a.school.clone(), a.school_name.clone()))
            .collect();
        for (asking, path) in all {
            let other = wanted.iter().find(|(id, _)| **id != asking.school);
            let before = batch.asking.iter_mut().find(|a| a.device == device);
            match (other, before) {
                (Some((_, other)), _) => {
                    batch.turn(path, Some(device), asking.label, Error::TwoSchools(other.clone()));
                }
                (None, Some(before)) => before.files.push(path),
                (None, None) => batch.asking.push(Asking {
                    files: vec![path],
                    ..asking
                }),
            }
        }
    }
    let mut wanting: HashMap<String, usize> = HashMap::new();
    for asking in &batch.asking {
        *wanting.entry(asking.school.clone()).or_default() += 1;
    }
    for asking in &mut batch.asking {
        asking.rivals = wanting.get(&asking.school).map_or(0, |all| all - 1);
    }
    batch
        .asking
        .sort_by(|a, b| (&a.school_name, &a.label, a.device).cmp(&(&b.school_name, &b.label, b.device)));
    Ok(batch)
}

/// Approves these, and then writes the answer of each and what it begins with beside each of its requests: all of them
/// learn of one another. What fails of one stops none of the others. An approval stands also if its stick cannot be
/// written to: the same step again writes it.
pub fn approve_all<'a>(node: &Node, chosen: &[&'a Asking]) -> Vec<(&'a Asking, Result<Vec<PathBuf>, Error>)> {
    let approved: Vec<_> = chosen
        .iter()
        .map(|a| {
            (
                *a,
                approve(node, &a.device, &a.label, &[(Role::School, a.school.clone())]),
            )
        })
        .collect();
    let write = |asking: &Asking| {
        let places: BTreeSet<&Path> = asking.files.iter().filter_map(|f| f.parent()).collect();
        let folders = places
            .into_iter()
            .map(|place| kit::device(node, place, &asking.device));
        folders.map(|made| made.map(|folder| folder.path)).collect()
    };
    approved
        .into_iter()
        .map(|(asking, done)| (asking, done.and_then(|_| write(asking))))
        .collect()
}

impl Batch {
    fn turn(&mut self, file: PathBuf, device: Option<NodeId>, label: String, why: Error) {
        self.turned.push(Turned {
            file,
            device,
            label,
            why,
        });
    }
}

/// The county's schools by what a request may call them.
struct Schools {
    all: Vec<Organisation>,
    /// PCs in force by school: the device and its name.
    devices: HashMap<String, Vec<(NodeId, String)>>,
}

impl Schools {
    fn of(node: &Node) -> Result<Schools, Error> {
        let mut devices: HashMap<String, Vec<(NodeId, String)>> = HashMap::new();
        let pcs = node.devices().into_iter();
        for d in pcs.filter(|d| d.role == Role::School && !d.revoked) {
            devices.entry(d.scope).or_default().push((d.node, d.label));
        }
        let all = office::organisations(node)?;
        Ok(Schools {
            all: all.into_iter().filter(Organisation::is_school).collect(),
            devices,
        })
    }

    fn one(&self, text: &str, of: impl Fn(&Organisation) -> bool) -> Result<Option<&Organisation>, Error> {
        let mut fitting = self.all.iter().filter(|o| of(o));
        match (fitting.next(), fitting.next()) {
            (Some(_), Some(_)) => Err(Error::ManySchools(text.to_string())),
            (one, _) => Ok(one),
        }
    }

    /// The school that a request is for.
    fn school(&self, text: &str, path: &Path) -> Result<&Organisation, Error> {
        let (name, code) = (line(text, "school:"), line(text, "school code:"));
        if !code.is_empty()
            && let Some(found) = self.one(&code, |o| o.school_code == code)?
        {
            return Ok(found);
        }
        if !name.is_empty() {
            let found = self.one(&name, |o| o.name == name)?;
            return found.ok_or(Error::NoSuchSchool(name));
        }
        if !code.is_empty() {
            return Err(Error::NoSuchSchool(code));
        }
        for folder in path.ancestors().skip(1).filter_map(Path::file_name).take(2) {
            let folder = folder.to_string_lossy();
            if let Some(found) = self.one(&folder, |o| kit::folder(&self.all, o) == folder)? {
                return Ok(found);
            }
        }
        Err(Error::NamesNoSchool)
    }

    fn fit(
        &self,
        node: &Node,
        device: NodeId,
        label: &str,
        text: &str,
        path: &Path,
    ) -> Result<Asking, Error> {
        let school = self.school(text, path)?;
        let root = node.county_root().ok_or(Error::NotTheCounty)?;
        let elsewhere = self
            .devices
            .iter()
            .find(|(at, all)| **at != school.id && all.iter().any(|(d, _)| *d == device));
        if let Some((at, _)) = elsewhere {
            let known = self.all.iter().find(|o| o.id == *at);
            return Err(Error::OtherSchool(
                known.map_or_else(|| at.clone(), |o| o.name.clone()),
            ));
        }
        let held = may_have(node, &device, &[(Role::School, school.id.clone())])?;
        let here = self.devices.get(&school.id).map_or(&[][..], Vec::as_slice);
        let beside = here.iter().filter(|(d, _)| *d != device);
        Ok(Asking {
            device,
            label: label.to_string(),
            digits: digits(&root, &device),
            school: school.id.clone(),
            school_name: school.name.clone(),
            school_code: school.school_code.clone(),
            known: held.iter().any(|(role, _)| *role == Role::School),
            beside: beside.map(|(_, label)| label.clone()).collect(),
            rivals: 0,
            files: Vec::new(),
        })
    }
}

/// The files that were named, and the texts in the folders that were.
fn files(places: &[PathBuf], batch: &mut Batch) -> Result<BTreeSet<PathBuf>, Error> {
    let mut all = BTreeSet::new();
    for place in places {
        match fs::metadata(place).map_err(file(place))?.is_dir() {
            true => walk(place, DEPTH, &mut all, &mut batch.passed_over),
            false => drop(all.insert(place.clone())),
        }
    }
    Ok(all)
}

fn walk(dir: &Path, depth: usize, all: &mut BTreeSet<PathBuf>, passed_over: &mut usize) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // A link could lead anywhere.
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        let text = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"));
        if kind.is_dir() && depth > 0 {
            walk(&path, depth - 1, all, passed_over);
        } else if kind.is_file() && text {
            match all.len() < FILES {
                true => drop(all.insert(path)),
                false => *passed_over += 1,
            }
        }
    }
}

/// The text of a file, as Windows' editor may have saved it; `None` if it is too long for a request.
fn read(path: &Path) -> Result<Option<String>, Error> {
    let mut bytes = Vec::new();
    let open = fs::File::open(path).map_err(file(path))?;
    open.take(BYTES + 1).read_to_end(&mut bytes).map_err(file(path))?;
    let whole = bytes.len() as u64 <= BYTES;
    Ok(whole.then(|| String::from_utf8_lossy(&bytes).into_owned()))
}
