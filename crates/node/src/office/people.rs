//! One person under several ids: what the county has said of it, in its ledgers (transfers in effect) and in its
//! registry (同一人认定, alias → canonical).
//!
//! A school's record of a person never leaves the school, and no school can say that another's is the same. So a
//! person has a name inside each school, the pair of school and id; the county's acts join them, and everything
//! here is a pure function of those acts: in whatever order they came, every node that has them says the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::lookup::{Key, Row, any_of_school, key, words};
use crate::{Error, Node};

/// A transfer that the county has put into effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moved {
    /// 生效日期.
    on: String,
    /// 文号.
    order_no: String,
    from: Key,
    /// The person's id is empty where the new school has not said it.
    to: Key,
}

/// What the county has said about who is who.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    moves: BTreeSet<Moved>,
    /// Alias → canonical; several canonicals of one alias are all joined, and the least is kept.
    aliases: BTreeMap<Key, BTreeSet<Key>>,
    /// All names of each person who has several, under each of them.
    joined: HashMap<Key, Arc<BTreeSet<Key>>>,
}

/// The acts of a store, until one is added: a page of a county asks for them once for each teacher.
static PEOPLE: Mutex<BTreeMap<[u8; 16], Kept>> = Mutex::new(BTreeMap::new());

type Kept = (Stand, Arc<People>);

/// How far the views of ledgers and registry have come, and who is who on the roll.
type Stand = (i64, i64, [u8; 8]);

impl People {
    /// Reads the county's acts that stand here.
    pub(super) fn load(node: &Node) -> Result<Arc<People>, Error> {
        let (documents, viewed) = node.read(|conn| {
            let mut query = conn.prepare_cached(
                "SELECT COUNT(*), COALESCE(SUM(viewed), 0) FROM document
                 WHERE (key >= 'ledger/' AND key < 'ledger0') OR key = 'registry'",
            )?;
            Ok(query.query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?)
        })?;
        let stand = (documents, viewed, node.roll().digest());
        let store = node.store_id().0;
        let kept = || PEOPLE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, people)) = kept().get(&store).filter(|(of, _)| *of == stand) {
            return Ok(people.clone());
        }
        let people = Arc::new(People::read(node)?);
        kept().insert(store, (stand, people.clone()));
        Ok(people)
    }

    fn read(node: &Node) -> Result<People, Error> {
        let roll = node.roll();
        let (mut moves, mut aliases) = (BTreeSet::new(), BTreeMap::new());
        for order in words(node, "transfer_order")? {
            let (from, to) = (order.text("from"), order.text("to"));
            // An order stands in the ledger of one of its schools, and neither of them gives it.
            let named = [from, to].contains(&order.school.as_str());
            let own = [from, to]
                .iter()
                .any(|school| any_of_school(&roll, &order.writers, school));
            if in_force(&order, "effective") && named && !own {
                moves.insert(Moved {
                    on: order.text("effective").to_owned(),
                    order_no: order.text("order_no").to_owned(),
                    from: key(from, order.text("person")),
                    to: key(to, order.text("to_person")),
                });
            }
        }
        for act in words(node, "same_person")? {
            let alias = key(act.text("alias_school"), act.text("alias"));
            let canonical = key(act.text("canonical_school"), act.text("canonical"));
            if in_force(&act, "in_force") && alias != canonical {
                aliases
                    .entry(alias)
                    .or_insert_with(BTreeSet::new)
                    .insert(canonical);
            }
        }
        Ok(People::of(moves, aliases))
    }

    fn of(moves: BTreeSet<Moved>, aliases: BTreeMap<Key, BTreeSet<Key>>) -> People {
        let moved = moves.iter().map(|m| (&m.from, &m.to));
        let aliased = aliases
            .iter()
            .flat_map(|(alias, kept)| kept.iter().map(move |one| (alias, one)));
        let mut joined: HashMap<Key, Arc<BTreeSet<Key>>> = HashMap::new();
        for (one, other) in moved.chain(aliased) {
            let mut names = BTreeSet::new();
            for end in [one, other].into_iter().filter(|end| !end.1.is_empty()) {
                names.insert(end.clone());
                names.extend(
                    joined
                        .get(end)
                        .into_iter()
                        .flat_map(|known| known.iter().cloned()),
                );
            }
            let names = Arc::new(names);
            for name in names.iter() {
                joined.insert(name.clone(), names.clone());
            }
        }
        People {
            moves,
            aliases,
            joined,
        }
    }

    /// Every name that some act joins to another.
    pub(super) fn joined(&self) -> BTreeSet<Key> {
        self.joined.keys().cloned().collect()
    }

    /// All names of the person who is called `of` in one school; `of` is among them.
    pub(super) fn names(&self, of: &Key) -> BTreeSet<Key> {
        let known = self.joined.get(of);
        known.map_or_else(|| BTreeSet::from([of.clone()]), |names| (**names).clone())
    }

    /// The persons among these who have names at several schools, each once, with all names.
    pub(super) fn of_several_schools(&self, persons: impl IntoIterator<Item = Key>) -> Vec<BTreeSet<Key>> {
        let mut seen: BTreeSet<Key> = BTreeSet::new();
        let mut groups = Vec::new();
        for person in persons {
            if !self.joined.contains_key(&person) || seen.contains(&person) {
                continue;
            }
            let names = self.names(&person);
            seen.extend(names.iter().cloned());
            let schools: BTreeSet<&str> = names.iter().map(|(school, _)| school.as_str()).collect();
            if schools.len() > 1 {
                groups.push(names);
            }
        }
        groups
    }

    /// Where the person is, and from which day on, in the order of days. The first place has no beginning.
    pub(super) fn places(&self, of: &Key) -> Vec<(String, Key)> {
        let names = self.names(of);
        let mut places = vec![(String::new(), self.first(&names).unwrap_or_else(|| of.clone()))];
        // By effective date, then number: an order of their own, not that in which they came.
        for each in self.moves.iter().filter(|each| names.contains(&each.from)) {
            places.push((each.on.clone(), self.kept(&each.to)));
        }
        places
    }

    /// The name that the person has where the person is at last.
    pub(super) fn present(&self, of: &Key) -> Key {
        self.places(of).pop().map_or_else(|| of.clone(), |(_, name)| name)
    }

    /// The name under which the person stands on a day.
    pub(super) fn on(&self, of: &Key, day: &str) -> Key {
        let mut places = self.places(of);
        // Stored dates are `YYYY-MM-DD`, so text order is the order of days.
        places.retain(|(from, _)| from.as_str() <= day);
        places.pop().map_or_else(|| of.clone(), |(_, name)| name)
    }

    /// The days on which the person is at this school under this name: first day and the day after the last;
    /// empty text is open.
    pub(super) fn stays(&self, of: &Key) -> Vec<(String, String)> {
        let places = self.places(of);
        let ends = places.iter().skip(1).map(|(from, _)| from.clone());
        let ends: Vec<String> = ends.chain([String::new()]).collect();
        let stays = places.into_iter().zip(ends).filter(|((_, name), _)| name == of);
        stays.map(|((from, _), to)| (from, to)).collect()
    }

    /// The name that is kept for this one.
    pub(super) fn kept(&self, name: &Key) -> Key {
        let mut seen = BTreeSet::from([name.clone()]);
        let mut now = name;
        while let Some(next) = self.aliases.get(now).and_then(|kept| kept.first()) {
            // Two acts that point at one another: the lesser of the circle, on every node alike.
            if !seen.insert(next.clone()) {
                return seen.pop_first().unwrap_or_else(|| name.clone());
            }
            now = next;
        }
        now.clone()
    }

    /// The place that no transfer led to.
    fn first(&self, names: &BTreeSet<Key>) -> Option<Key> {
        let reached: BTreeSet<&Key> = self.moves.iter().map(|each| &each.to).collect();
        let begun = names.iter().filter(|name| !reached.contains(name));
        begun.map(|name| self.kept(name)).min().or_else(|| {
            // Somebody who came back to where the way began.
            let first = self.moves.iter().find(|each| names.contains(&each.from));
            first.map(|each| each.from.clone())
        })
    }
}

/// Whether an act of the county is undisputed and stands in this state.
fn in_force(act: &Row, state: &str) -> bool {
    !act.disputed && act.text("state") == state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Key {
        let (school, person) = text.split_once('/').unwrap_or((text, ""));
        key(school, person)
    }

    fn people(moves: &[(&str, &str, &str)], aliases: &[(&str, &str)]) -> People {
        let (mut moved, mut kept) = (BTreeSet::new(), BTreeMap::new());
        for (at, (on, from, to)) in moves.iter().enumerate() {
            moved.insert(Moved {
                on: (*on).into(),
                order_no: at.to_string(),
                from: name(from),
                to: name(to),
            });
        }
        for (alias, canonical) in aliases {
            let known: &mut BTreeSet<Key> = kept.entry(name(alias)).or_default();
            known.insert(name(canonical));
        }
        People::of(moved, kept)
    }

    #[test]
    fn a_person_of_whom_nothing_was_said_is_one_and_stays() {
        let nobody = people(&[], &[]);
        assert_eq!(nobody.names(&name("a/1")).len(), 1);
        assert_eq!(nobody.stays(&name("a/1")), [(String::new(), String::new())]);
    }

    #[test]
    fn the_effective_date_decides_the_school() {
        let moved = people(&[("2025-09-01", "a/1", "b/2"), ("2027-02-01", "b/2", "c/3")], &[]);
        for of in ["a/1", "b/2", "c/3"] {
            let of = name(of);
            assert_eq!(moved.names(&of).len(), 3);
            assert_eq!(moved.on(&of, "2025-08-31"), name("a/1"));
            assert_eq!(moved.on(&of, "2025-09-01"), name("b/2"));
            assert_eq!(moved.present(&of), name("c/3"));
        }
        let stay = |of: &str| moved.stays(&name(of));
        assert_eq!(stay("a/1"), [(String::new(), "2025-09-01".to_string())]);
        assert_eq!(
            stay("b/2"),
            [("2025-09-01".to_string(), "2027-02-01".to_string())]
        );
        assert_eq!(stay("c/3"), [("2027-02-01".to_string(), String::new())]);
    }

    #[test]
    fn who_comes_back_is_there_twice() {
        let back = people(&[("2025-09-01", "a/1", "b/2"), ("2026-09-01", "b/2", "a/1")], &[]);
        assert_eq!(
            back.stays(&name("a/1")),
            [
                (String::new(), "2025-09-01".to_string()),
                ("2026-09-01".to_string(), String::new())
            ]
        );
        assert_eq!(back.present(&name("b/2")), name("a/1"));
    }

    #[test]
    fn an_alias_is_on_no_strength_and_a_circle_has_one_answer() {
        let two = people(&[], &[("b/2", "a/1")]);
        assert!(two.stays(&name("b/2")).is_empty());
        assert_eq!(two.present(&name("b/2")), name("a/1"));
        // Two county staff, apart, each keep the other's.
        let circle = people(&[], &[("b/2", "a/1"), ("a/1", "b/2")]);
        assert_eq!(circle.present(&name("a/1")), name("a/1"));
        assert_eq!(circle.present(&name("b/2")), name("a/1"));
        // Whoever is kept may move on.
        let moved = people(&[("2025-09-01", "a/1", "c/3")], &[("b/2", "a/1")]);
        assert_eq!(moved.present(&name("b/2")), name("c/3"));
        assert_eq!(moved.on(&name("b/2"), "2025-01-01"), name("a/1"));
    }
}
