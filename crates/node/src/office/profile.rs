//! The dated facts of a person's work, each by its author (domain.md §3.5, no. 7): after a transfer both schools may
//! still write their own rows, and nothing is overwritten. Which row is in use on a day is decided by the school
//! where the person is on that day.

use records::date::parse_stored_date;
use records::{Date, Value};

use super::lookup::key;
use super::organisations::organisation_names;
use super::people::People;
use super::roster::Teacher;
use crate::{Error, Filter, Node, Record};

/// One dated row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRow {
    /// Name of the school that wrote it.
    pub school_name: String,
    /// Since when it holds, as it says, `YYYY-MM-DD`.
    pub from: String,
    /// Until when, as it says; empty = open.
    pub to: String,
    /// Code of the post.
    pub post: String,
    /// Code of the professional title.
    pub title: String,
    /// Subject taught.
    pub subject: String,
    /// The account that wrote it.
    pub by: String,
    /// Whether it is in use for some days; a row for days on which the person was elsewhere is kept and not used.
    pub used: bool,
}

/// A stored row, and the part of it that falls into a stay at its school.
struct Clipped {
    row: Record,
    /// First and last day; empty = open.
    days: Option<(String, String)>,
}

/// All rows under every name of the person that is read here, the oldest first.
fn rows(node: &Node, teacher: &Teacher) -> Result<Vec<Clipped>, Error> {
    let people = People::load(node)?;
    let mut rows = Vec::new();
    for name in people.names(&key(&teacher.school, &teacher.id)) {
        let stays = people.stays(&name);
        // Under a name that is not kept the facts are those of the school where the person is.
        let stays = match people.kept(&name) {
            kept if kept == name => stays,
            kept => people.stays(&kept),
        };
        for row in node.records(&Filter::kind("staff_fact").person(&name.1).school(&name.0))? {
            let (from, to) = (row.text("from").to_owned(), row.text("to").to_owned());
            let days = stays.iter().find_map(|(first, after)| {
                let begin = first.clone().max(from.clone());
                let end = match (day_before(after), to.is_empty()) {
                    (None, _) => to.clone(),
                    (Some(last), true) => last,
                    (Some(last), false) => last.min(to.clone()),
                };
                (end.is_empty() || begin <= end).then_some((begin, end))
            });
            rows.push(Clipped { row, days });
        }
    }
    rows.sort_by(|a, b| (a.row.text("from"), &a.row.id).cmp(&(b.row.text("from"), &b.row.id)));
    Ok(rows)
}

fn day_before(day: &str) -> Option<String> {
    let day: Date = parse_stored_date(day).ok()?;
    Some(day.yesterday().ok()?.to_string())
}

/// The rows that are in use, cut to the days on which the person is at their school.
pub(super) fn in_use(node: &Node, teacher: &Teacher) -> Result<Vec<Record>, Error> {
    let rows = rows(node, teacher)?.into_iter();
    Ok(rows
        .filter_map(|Clipped { mut row, days }| {
            let (from, to) = days?;
            row.fields.insert("from".into(), Value::from(from));
            if !to.is_empty() {
                row.fields.insert("to".into(), Value::from(to));
            }
            Some(row)
        })
        .collect())
}

/// Every row, for people.
pub(super) fn profile(node: &Node, teacher: &Teacher) -> Result<Vec<ProfileRow>, Error> {
    let schools = organisation_names(node)?;
    let rows = rows(node, teacher)?.into_iter();
    Ok(rows
        .map(|Clipped { row, days }| ProfileRow {
            school_name: schools
                .get(row.school.as_deref().unwrap_or_default())
                .cloned()
                .unwrap_or_default(),
            from: row.text("from").to_owned(),
            to: row.text("to").to_owned(),
            post: row.text("post").to_owned(),
            title: row.text("title").to_owned(),
            subject: row.text("subject").to_owned(),
            by: row.text("_by").to_owned(),
            used: days.is_some(),
        })
        .collect())
}
