//! A school with two computers and its county, apart and together again: what the conflict scenarios share.

use std::collections::BTreeMap;

use node::Role;
use node::office::{self, Conflict, Found};

use crate::{Place, add_school, add_teacher, clerk, recognise, until};

/// The county's hub, and two computers of one school that do not hear of one another until they meet at the hub.
pub struct Apart {
    /// The hub.
    pub county: Place,
    /// 教务处.
    pub a: Place,
    /// 教研组.
    pub b: Place,
    /// Record id of the school.
    pub school: String,
    /// Its teachers: 欧阳㙇, 王𬭊 and 张三.
    pub people: Vec<String>,
}

impl Apart {
    /// Enrolled, with three teachers that both computers know.
    pub async fn new() -> Apart {
        let [a, b] = ["青石 教务处电脑", "青石 教研组电脑"].map(Place::device);
        Apart::of(a, b).await
    }

    /// The same with these two computers.
    pub async fn of(a: Place, b: Place) -> Apart {
        let county = Place::county();
        let school = add_school(&county, "青石小学");
        for place in [&a, &b] {
            place.enrol(&county, &[(Role::School, school.clone())]);
        }
        let people = [("欧阳㙇", "T001"), ("王𬭊", "T002"), ("张三", "T003")];
        let people = people.map(|(name, code)| add_teacher(&a, name, code)).to_vec();
        let mut all = Apart {
            county,
            a,
            b,
            school,
            people,
        };
        all.meet().await;
        all
    }

    /// All three go online, until they hold the same and show it, and part again.
    pub async fn meet(&mut self) {
        let Apart { county, a, b, .. } = self;
        county.up().await;
        for place in [&mut *a, &mut *b] {
            place.up().await;
            place.knows(county);
        }
        until("all three hold the same", 40, || same(&[county, a, b])).await;
        for place in [a, b, county] {
            place.down().await;
        }
    }

    /// What is open, which must be the same on all three.
    pub fn open(&self) -> Vec<Found> {
        let open = |place: &Place| office::open_conflicts(&place.node).expect("conflicts");
        let found = open(&self.county);
        assert_eq!(open(&self.a), found);
        assert_eq!(open(&self.b), found);
        found
    }

    /// The one conflict that is open, as a place shows it.
    pub fn only(&self, place: &Place) -> Conflict {
        let found = self.open();
        assert_eq!(found.len(), 1, "{found:#?}");
        office::conflict(&place.node, &found[0]).expect("a conflict")
    }

    /// Credits on a person's card, in hundredths, which must be the same on all three.
    pub fn total(&self, person: &str) -> i64 {
        let card = |place: &Place| {
            let card = office::credit_card(&place.node, person).expect("the store answers");
            card.expect("a card").card.total_c
        };
        let total = card(&self.county);
        assert_eq!([card(&self.a), card(&self.b)], [total, total]);
        total
    }

    /// The county recognises whatever waits and may be recognised; how many.
    pub fn recognise_all(&self, on: &str) -> usize {
        let queue = office::audit_queue(&self.county.node, 100).expect("a queue");
        let decide = |id: &str| recognise(&self.county, id, on).is_ok();
        queue.iter().filter(|claim| decide(&claim.id)).count()
    }
}

/// Marks people of a session.
pub fn mark(place: &Place, session: &str, marks: &[(&str, &str)]) {
    let marks: Vec<(String, String)> = marks
        .iter()
        .map(|(person, status)| (person.to_string(), status.to_string()))
        .collect();
    office::mark_attendance(&place.node, &clerk(), session, &marks).expect("marked");
}

/// The heads of all documents, by name.
pub fn heads(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let read = place.node.read(|c| {
        let mut query = c.prepare("SELECT key, heads FROM document WHERE length(heads) > 0")?;
        let rows = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.expect("the store answers")
}

/// Whether these places hold the same documents and have nothing left to show.
pub fn same(places: &[&Place]) -> bool {
    let first = heads(places[0]);
    places
        .iter()
        .all(|place| heads(place) == first && place.node.views_behind().expect("the store answers") == 0)
}
