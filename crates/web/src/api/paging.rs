//! Lists in pages: by school and record id, so that what is added meanwhile moves nothing.

use node::{Error, Node, office};
use records::Date;
use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// Rows of a page at most, and where nothing is asked.
pub(super) const MOST: u32 = 200;
const USUAL: u32 = 50;

/// Stands between the two parts of a cursor; it is in no id of an organisation, and needs no escape in an address.
const BETWEEN: char = '~';

/// A place in a list: school, and record there.
pub(super) type Place = (String, String);

/// What every list may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    limit: Option<u32>,
    cursor: Option<String>,
    /// Record id of a school.
    pub(super) school: Option<String>,
    /// Record id of a person.
    pub(super) person: Option<String>,
    /// First day of the session, `YYYY-MM-DD`.
    pub(super) from: Option<String>,
    /// Last day.
    pub(super) until: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Rows<T> {
    pub(super) items: Vec<T>,
    /// What the next page is asked with; `None` = there is none.
    pub(super) next: Option<String>,
}

impl Asked {
    /// Refuses what a list does not know: an address that is answered means what it says.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let asked = [
            ("school", self.school.is_some()),
            ("person", self.person.is_some()),
            ("from", self.from.is_some()),
            ("until", self.until.is_some()),
        ];
        match asked.iter().find(|(name, asked)| *asked && !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad_request(
                format!("这个列表没有参数 {name}"),
                format!("This list has no parameter {name}"),
            )),
        }
    }

    /// Rows of this page.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(USUAL) {
            limit @ 1..=MOST => Ok(limit as usize),
            _ => Err(Problem::bad_request(
                format!("limit 应在 1 到 {MOST} 之间"),
                format!("limit is between 1 and {MOST}"),
            )),
        }
    }

    /// The place after which this page begins; any text is one, for it is compared and not looked up.
    pub(super) fn after(&self) -> Place {
        let cursor = self.cursor.as_deref().unwrap_or_default();
        let (school, id) = cursor.split_once(BETWEEN).unwrap_or((cursor, ""));
        (school.to_owned(), id.to_owned())
    }

    /// The days asked for, both included.
    pub(super) fn days(&self) -> Result<(String, String), Problem> {
        let day = |name: &str, asked: &Option<String>, open: &str| match asked {
            None => Ok(open.to_owned()),
            // Any day of the calendar: before and after all records is a good question too.
            Some(day) => match day.parse::<Date>().ok().filter(|_| day.len() == 10) {
                Some(day) => Ok(day.to_string()),
                None => Err(Problem::bad_request(
                    format!("{name} 应是日期，如 2025-09-01"),
                    format!("{name} is a day such as 2025-09-01"),
                )),
            },
        };
        Ok((
            day("from", &self.from, "")?,
            day("until", &self.until, "9999-12-31")?,
        ))
    }
}

/// The cursor that begins after a place.
fn cursor((school, id): &Place) -> String {
    format!("{school}{BETWEEN}{id}")
}

/// The page after `after` of what `rows` gives for each school; a school's rows come in any order.
pub(super) fn page<T>(
    node: &Node,
    school: Option<&str>,
    after: &Place,
    limit: usize,
    rows: impl Fn(&str) -> Result<Vec<(String, T)>, Error>,
) -> Result<Rows<T>, Error> {
    let mut schools: Vec<String> = office::organisations(node)?.into_iter().map(|o| o.id).collect();
    schools.sort();
    schools.retain(|one| *one >= after.0 && school.is_none_or(|school| school == one));
    let mut items: Vec<(Place, T)> = Vec::new();
    for school in schools {
        let mut of_school = rows(&school)?;
        of_school.retain(|(id, _)| school != after.0 || *id > after.1);
        of_school.sort_by(|a, b| a.0.cmp(&b.0));
        of_school.dedup_by(|a, b| a.0 == b.0);
        items.extend(of_school.into_iter().map(|(id, row)| ((school.clone(), id), row)));
        // One more than is asked for tells that there is a next page.
        if items.len() > limit {
            break;
        }
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(place, _)| cursor(place));
    Ok(Rows {
        items: items.into_iter().map(|(_, row)| row).collect(),
        next,
    })
}

/// The page of a list that is short as a whole.
pub(super) fn whole<T>(all: Vec<(String, T)>, after: &Place, limit: usize) -> Rows<T> {
    let mut all: Vec<_> = all.into_iter().filter(|(id, _)| *id > after.1).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all
        .last()
        .filter(|_| more)
        .map(|(id, _)| cursor(&(String::new(), id.clone())));
    Rows {
        items: all.into_iter().map(|(_, row)| row).collect(),
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_whatever_the_size_of_a_page() {
        let all: Vec<(String, u32)> = (0..23).map(|n| (format!("{:02}", (n * 7) % 23), n)).collect();
        for limit in [1, 5, 22, 23, 24] {
            let (mut seen, mut asked) = (Vec::new(), Asked::default());
            loop {
                let rows = whole(all.clone(), &asked.after(), limit);
                assert!(rows.items.len() <= limit);
                seen.extend(rows.items);
                match rows.next {
                    Some(next) => asked.cursor = Some(next),
                    None => break,
                }
            }
            let mut wanted = all.clone();
            wanted.sort();
            assert_eq!(
                seen,
                wanted.into_iter().map(|(_, n)| n).collect::<Vec<_>>(),
                "{limit}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for limit in [0, MOST + 1, u32::MAX] {
            let asked = Asked {
                limit: Some(limit),
                ..Asked::default()
            };
            assert!(asked.limit().is_err());
        }
        let asked = Asked {
            from: Some("2025-02-30".into()),
            ..Asked::default()
        };
        assert!(asked.days().is_err() && asked.only(&["school"]).is_err());
    }
}
