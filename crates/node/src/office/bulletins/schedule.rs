//! When the next bulletin is due (kind `bulletin_schedule`): on certain days of each week of a stage, at least two of
//! them in the online stage (domain.md C20). What is due is offered as a draft; a person drafts and issues it.

use records::date::parse_stored_date;
use records::rhythm::{Rhythm, Standing};

use super::{BulletinInput, KIND, in_force, same_subject};
use crate::{Error, Filter, Node, Record};

const SCHEDULE: &str = "bulletin_schedule";

/// Days after its end for which a schedule whose last bulletin is missing is still shown.
const AFTER: i32 = 14;

/// A schedule, and how it stands.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Record id.
    pub id: String,
    /// 通报事项.
    pub topic: String,
    /// First and last day, `YYYY-MM-DD`.
    pub stage: [String; 2],
    /// Codes of the days of the week, separated by spaces.
    pub days: String,
    /// What is due.
    pub standing: Standing,
    /// Number and record id of a draft that has the figures of the day that is due: it waits for being issued.
    pub draft: Option<(String, String)>,
    /// What a draft of the day that is due would say; `None` where none is due, or one is drafted.
    pub offered: Option<BulletinInput>,
}

/// The schedules that ask for something on `today` (`YYYY-MM-DD`) or later, the one with the earliest stage first.
pub fn schedules(node: &Node, today: &str) -> Result<Vec<Scheduled>, Error> {
    let Ok(day) = parse_stored_date(today) else {
        return Ok(Vec::new());
    };
    let planned = node.records(&Filter::kind(SCHEDULE))?;
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    let bulletins = node.records(&Filter::kind(KIND))?;
    let mut all = Vec::new();
    for record in &planned {
        let stage = [record.text("from"), record.text("to")];
        let (Ok(from), Ok(to)) = (parse_stored_date(stage[0]), parse_stored_date(stage[1])) else {
            continue;
        };
        let rhythm = Rhythm::new(from, to, record.text("days"));
        let own: Vec<&Record> = bulletins.iter().filter(|b| same_subject(b, record)).collect();
        let cut_offs: Vec<_> = (own.iter().filter(|b| b.text("state") == "issued"))
            .filter_map(|b| parse_stored_date(b.text("cut_on")).ok())
            .collect();
        let standing = rhythm.standing(&cut_offs, day);
        let over = day.since(to).map_or(0, |after| after.get_days()) > AFTER;
        if standing.next.is_none() && (standing.due.is_none() || over) {
            continue;
        }
        let due = standing.due.map(|due| due.to_string());
        let drafted = |due: &String| {
            let mut drafts = own.iter().filter(|b| b.text("state") == "draft");
            drafts.find(|b| b.text("cut_on") >= due.as_str())
        };
        let draft = due.as_ref().and_then(drafted);
        let offered = due.filter(|_| draft.is_none()).map(|due| BulletinInput {
            no: (own.len() + 1).to_string(),
            bulletin_kind: record.text("bulletin_kind").to_owned(),
            topic: record.text("topic").to_owned(),
            cut_on: due,
            issued_on: today.to_owned(),
            text: String::new(),
            replaces: replaced(&bulletins, &own),
        });
        all.push(Scheduled {
            id: record.id.clone(),
            topic: record.text("topic").to_owned(),
            stage: stage.map(str::to_owned),
            days: record.text("days").to_owned(),
            standing,
            draft: draft.map(|b| (b.text("no").to_owned(), b.id.clone())),
            offered,
        });
    }
    all.sort_by(|a, b| (&a.stage, &a.topic, &a.id).cmp(&(&b.stage, &b.topic, &b.id)));
    Ok(all)
}

/// The next one on a subject names those in force, which it replaces.
fn replaced(all: &[Record], own: &[&Record]) -> [String; 2] {
    let mut ids = own.iter().filter(|b| in_force(all, b)).map(|b| b.id.clone());
    [ids.next().unwrap_or_default(), ids.next().unwrap_or_default()]
}
