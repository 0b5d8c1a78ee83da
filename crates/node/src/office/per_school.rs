//! What is computed from a school's documents as a whole and asked for often: kept until one of them changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use records::Kinds;
use store::rusqlite::OptionalExtension;

use super::lookup::Key;
use super::standing::PAGE_COMPUTES;
use crate::{Error, Node};

/// A document of a school: key, and how far its views have come; where it matters also what other stores have given
/// receipts for.
type Document = (String, i64, (i64, i64));

/// What an answer was computed from. The kinds say what counts; held here, their address is that of no later ones.
struct Stand {
    roll: [u8; 8],
    kinds: Arc<Kinds>,
    documents: Vec<Document>,
}

impl PartialEq for Stand {
    fn eq(&self, other: &Stand) -> bool {
        self.roll == other.roll && Arc::ptr_eq(&self.kinds, &other.kinds) && self.documents == other.documents
    }
}

/// By store, school (or names of a person) and school year (0: of all years).
type Kept<T> = BTreeMap<([u8; 16], String, i32), (Stand, T)>;

/// Answers by store and school. To look through a whole county takes seconds, through one school milliseconds, and
/// between two looks hardly any school has changed.
pub(super) struct PerSchool<T> {
    kept: Mutex<Kept<T>>,
    /// Answers that are kept at most.
    most: usize,
    /// A ledger says nothing about it: what the county decides leaves the answer as it is.
    entered: bool,
}

/// Rows of some school years: a school has a dozen, and a county goes through its schools one by one.
pub(super) type PerYear<T> = PerSchool<Arc<Vec<T>>>;

impl<T> PerYear<T> {
    /// The rows of each school year of a school that has a log. They say how far records have come, too. What is added
    /// to this year leaves those of earlier years as they are.
    pub(super) fn years(
        &self,
        node: &Node,
        school: &str,
        make: impl Fn(i32) -> Result<Vec<T>, Error>,
    ) -> Result<Years<T>, Error> {
        // At the county everything has arrived.
        let ways = !node.is_county() && !node.is_auditor();
        let mut found = documents(node, |one| one == school, ways)?;
        self.of_years(node, school, found.remove(school).unwrap_or_default(), make)
    }

    /// The same of all schools that `wanted` names, of what does not ask how far records have come.
    pub(super) fn all_years(
        &self,
        node: &Node,
        wanted: impl Fn(&str) -> bool,
        make: impl Fn(&str, i32) -> Result<Vec<T>, Error>,
    ) -> Result<Vec<Years<T>>, Error> {
        let schools = documents(node, wanted, false)?.into_iter();
        schools
            .map(|(school, documents)| self.of_years(node, &school, documents, |year| make(&school, year)))
            .collect()
    }

    fn of_years(
        &self,
        node: &Node,
        school: &str,
        all: Vec<Document>,
        make: impl Fn(i32) -> Result<Vec<T>, Error>,
    ) -> Result<Years<T>, Error> {
        // What stands in a base document, such as a name, is of all years.
        let yearly = |key: &str| {
            ["log/", "ledger/", "visits/"]
                .iter()
                .any(|sort| key.starts_with(sort))
        };
        let year = |document: &Document| {
            let (_, last) = document.0.rsplit_once('/').filter(|_| yearly(&document.0))?;
            last.parse::<i32>().ok()
        };
        let logs = all.iter().filter(|document| document.0.starts_with("log/"));
        let years: BTreeSet<i32> = logs.filter_map(year).collect();
        let of = |wanted: i32| {
            let stands = all
                .iter()
                .filter(|document| year(document).is_none_or(|year| year == wanted));
            let made = || Ok(Arc::new(make(wanted)?));
            let rows = self.kept(node, school, wanted, stands.cloned().collect(), made)?;
            Ok((wanted, rows))
        };
        Ok(Years(
            years.into_iter().rev().map(of).collect::<Result<_, Error>>()?,
        ))
    }
}

impl<T: Clone> PerSchool<T> {
    pub(super) const fn new(most: usize) -> PerSchool<T> {
        PerSchool {
            kept: Mutex::new(BTreeMap::new()),
            most,
            entered: false,
        }
    }

    /// Of what is computed from all but the county's ledgers.
    pub(super) const fn entered(most: usize) -> PerSchool<T> {
        PerSchool {
            kept: Mutex::new(BTreeMap::new()),
            most,
            entered: true,
        }
    }

    /// The answers of all schools that `wanted` names.
    pub(super) fn all(
        &self,
        node: &Node,
        wanted: impl Fn(&str) -> bool,
        make: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        Ok(self.all_within(node, wanted, make, Duration::MAX)?.0)
    }

    /// The same for somebody who waits: where many schools have changed, or after so long, those answer as before, and
    /// those that were never looked at not at all. For how many schools that is so.
    pub(super) fn all_within(
        &self,
        node: &Node,
        wanted: impl Fn(&str) -> bool,
        make: impl Fn(&str) -> Result<T, Error>,
        within: Duration,
    ) -> Result<(Vec<T>, usize), Error> {
        let begun = Instant::now();
        let (mut answers, mut changed) = (Vec::new(), Vec::new());
        let schools = documents(node, wanted, false)?;
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            for (school, documents) in schools {
                let known = kept.get(&(node.store_id().0, school.clone(), 0));
                match known {
                    Some((of, answer)) if *of == self.stand(node, documents.clone()) => {
                        answers.push(answer.clone());
                    }
                    known => changed.push((school, documents, known.map(|(_, answer)| answer.clone()))),
                }
            }
        }
        let many = within < Duration::MAX && changed.len() > PAGE_COMPUTES;
        let mut left = 0;
        for (school, documents, before) in changed {
            if many || begun.elapsed() >= within {
                left += 1;
                answers.extend(before);
            } else {
                answers.push(self.kept(node, &school, 0, documents, || make(&school))?);
            }
        }
        Ok((answers, left))
    }

    /// An answer about the registry alone.
    pub(super) fn of_registry(&self, node: &Node, make: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let viewed = node.read(|conn| {
            let mut query = conn.prepare_cached("SELECT viewed FROM document WHERE key = 'registry'")?;
            Ok(query.query_row((), |row| row.get(0)).optional()?)
        })?;
        let stands = viewed.map(|viewed| ("registry".to_owned(), viewed, (0, 0)));
        self.kept(node, "", 0, stands.into_iter().collect(), make)
    }

    /// An answer about each group of names: kept until a document of one of the schools changes that have one.
    pub(super) fn groups(
        &self,
        node: &Node,
        groups: &[BTreeSet<Key>],
        make: impl Fn(&BTreeSet<Key>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let named: BTreeSet<&str> = groups
            .iter()
            .flatten()
            .map(|(school, _)| school.as_str())
            .collect();
        let schools = documents(node, |school| named.contains(school), false)?;
        let answer = |names: &BTreeSet<Key>| {
            let stands = names.iter().map(|(school, _)| school).collect::<BTreeSet<_>>();
            let stands = stands
                .into_iter()
                .filter_map(|school| schools.get(school))
                .flatten();
            let name: Vec<String> = names
                .iter()
                .map(|(school, id)| format!("{school}/{id}"))
                .collect();
            self.kept(node, &name.join(" "), 0, stands.cloned().collect(), || {
                make(names)
            })
        };
        groups.iter().map(answer).collect()
    }

    fn stand(&self, node: &Node, mut documents: Vec<Document>) -> Stand {
        documents.retain(|(key, ..)| !(self.entered && key.starts_with("ledger/")));
        Stand {
            roll: node.roll().digest(),
            kinds: node.kinds(),
            documents,
        }
    }

    fn kept(
        &self,
        node: &Node,
        school: &str,
        year: i32,
        documents: Vec<Document>,
        make: impl Fn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let all = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let stand = self.stand(node, documents);
        let key = (node.store_id().0, school.to_owned(), year);
        if let Some((_, answer)) = all().get(&key).filter(|(of, _)| *of == stand) {
            return Ok(answer.clone());
        }
        // Nobody waits meanwhile: whoever asks for another school has nothing to do with this one.
        let answer = make()?;
        let mut kept = all();
        if kept.len() >= self.most && !kept.contains_key(&key) {
            kept.pop_first();
        }
        kept.insert(key, (stand, answer.clone()));
        Ok(answer)
    }
}

/// Rows of a school by school year, in each newest first: for whatever adds them up, filters or prints them.
#[derive(Clone, Debug)]
pub struct Years<T>(Vec<(i32, Arc<Vec<T>>)>);

impl<T> Years<T> {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().flat_map(|(_, rows)| rows.iter())
    }

    /// Sets a mark of some rows, named by their place among all; a year in which nothing differs stays as it is kept.
    pub(super) fn change<M: PartialEq + Copy>(
        &mut self,
        marks: &[(usize, M)],
        marked: impl Fn(&T) -> M,
        mark: impl Fn(&mut T, M),
    ) where
        T: Clone,
    {
        let mut first = 0;
        for (_, rows) in &mut self.0 {
            let last = first + rows.len();
            for (at, wanted) in marks.iter().filter(|(at, _)| (first..last).contains(at)) {
                if rows.get(at - first).is_some_and(|row| marked(row) != *wanted)
                    && let Some(row) = Arc::make_mut(rows).get_mut(at - first)
                {
                    mark(row, *wanted);
                }
            }
            first = last;
        }
    }

    /// The school years that have any, the newest first, by the calendar year in which each begins.
    pub fn years(&self) -> Vec<i32> {
        let some = self.0.iter().filter(|(_, rows)| !rows.is_empty());
        some.map(|(year, _)| *year).collect()
    }

    /// Those of one school year.
    pub fn of_year(&self, year: i32) -> &[T] {
        let found = self.0.iter().find(|(of, _)| *of == year);
        found.map_or(&[], |(_, rows)| rows)
    }
}

/// The documents of each school.
fn documents(
    node: &Node,
    wanted: impl Fn(&str) -> bool,
    ways: bool,
) -> Result<BTreeMap<String, Vec<Document>>, Error> {
    node.read(|conn| {
        let mut schools: BTreeMap<String, Vec<Document>> = BTreeMap::new();
        let mut query = conn.prepare_cached(
            "SELECT key, viewed, id FROM document WHERE key LIKE 'log/%' OR key LIKE 'base/%'
             OR key LIKE 'ledger/%' OR key LIKE 'visits/%' OR key = 'registry' ORDER BY key",
        )?;
        let mut found = query.query(())?;
        let mut registry = 0;
        while let Some(row) = found.next()? {
            let (key, viewed): (String, i64) = (row.get(0)?, row.get(1)?);
            if key == "registry" {
                registry = viewed;
            }
            // A mentor's sheets about a school stand under the mentor's number.
            let at = if key.starts_with("visits/") { 2 } else { 1 };
            let Some(school) = key.split('/').nth(at).filter(|school| wanted(school)) else {
                continue;
            };
            let school = school.to_owned();
            let receipts = match ways {
                true => store::peers::receipts_stand(conn, row.get(2)?)?,
                false => (0, 0),
            };
            schools.entry(school).or_default().push((key, viewed, receipts));
        }
        for documents in schools.values_mut() {
            documents.push(("registry".to_owned(), registry, (0, 0)));
        }
        Ok(schools)
    })
}
