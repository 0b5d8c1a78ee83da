//! Why a school may be silent: the likely cause from what the hub has seen, for whoever is going to call there. A guess,
//! and said as one.

use std::collections::{BTreeMap, HashMap};

use node::office::SchoolRow;
use node::{EventRow, Node, NodeId, Role};
use records::Date;

use crate::lang::Lang;
use crate::pages::board::{Areas, areas};

/// The cause that is likely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Approved, and never heard.
    Never,
    /// What went wrong with one of its computers last: Chinese and English.
    Trouble([String; 2]),
    /// So many schools of its area, all that there are, are silent.
    Area(usize),
    /// A holiday of schools.
    Holiday,
    /// Nothing is known.
    Unknown,
}

impl Cause {
    /// For a reader, with what to do.
    pub(crate) fn said(&self, l: Lang) -> String {
        let text = |zh: &str, en: &str| l.pick(zh, en).to_owned();
        match self {
            Cause::Never => text(
                "批准后从未联系：可能还没有导入批复，或县地址不对；请打电话核对",
                "never in touch since it was approved: the answer may not be imported, or the address is wrong; call",
            ),
            Cause::Trouble([zh, en]) => text(zh, en),
            Cause::Area(schools) => text(
                &format!("本片 {schools} 所学校都没有联系：可能停电或断网"),
                &format!("all {schools} schools of the area are silent: power or network may be out"),
            ),
            Cause::Holiday => text(
                "正值假期，电脑可能关着",
                "school holidays: the computer may be off",
            ),
            Cause::Unknown => text(
                "可能关机或没有网络；请打电话，或请去的人带 U 盘",
                "off, or without a network; call, or send a stick with somebody who goes there",
            ),
        }
    }
}

/// Newest events that are looked through.
const EVENTS: u32 = 500;

/// The likely cause of each silent school, by record id.
pub(crate) fn causes(
    node: &Node,
    all: &[SchoolRow],
    silent: &dyn Fn(&SchoolRow) -> bool,
    on: Date,
) -> Result<HashMap<String, Cause>, node::Error> {
    let devices = node
        .devices()
        .into_iter()
        .filter(|device| device.role == Role::School && !device.revoked);
    let schools: HashMap<NodeId, String> = devices.map(|device| (device.node, device.scope)).collect();
    let mut troubles: HashMap<&str, EventRow> = HashMap::new();
    for event in node.events(EVENTS)? {
        let school = event.peer.as_ref().and_then(|peer| schools.get(peer));
        if let Some(school) = school {
            // The newest come first.
            troubles.entry(school).or_insert(event);
        }
    }
    let areas = areas(node)?;
    let dark = dark(all, &areas, silent);
    Ok(all
        .iter()
        .filter(|school| silent(school))
        .map(|school| {
            let trouble = troubles
                .get(school.id.as_str())
                .filter(|event| event.at >= school.last_contact.unwrap_or(0));
            let area = areas.of(&school.id).and_then(|area| dark.get(area));
            let cause = match (school.last_contact, trouble, area) {
                (_, Some(event), _) => Cause::Trouble([event.text_zh.clone(), event.text_en.clone()]),
                (None, ..) => Cause::Never,
                (.., Some(schools)) => Cause::Area(*schools),
                _ if is_holiday(on) => Cause::Holiday,
                _ => Cause::Unknown,
            };
            (school.id.clone(), cause)
        })
        .collect())
}

/// Areas of several enrolled schools, all of them silent: how many.
fn dark<'a>(
    all: &[SchoolRow],
    areas: &'a Areas,
    silent: &dyn Fn(&SchoolRow) -> bool,
) -> BTreeMap<&'a str, usize> {
    let mut of: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for school in all.iter().filter(|school| school.enrolled_devices > 0) {
        if let Some(area) = areas.of(&school.id) {
            let counted = of.entry(area).or_default();
            counted.0 += 1;
            counted.1 += usize::from(silent(school));
        }
    }
    let dark = of
        .into_iter()
        .filter(|(_, (schools, silent))| *schools > 1 && schools == silent);
    dark.map(|(area, (schools, _))| (area, schools)).collect()
}

/// The usual holidays of winter and summer [assumption: the national calendar, give or take a week].
fn is_holiday(on: Date) -> bool {
    matches!(
        (on.month(), on.day()),
        (1, 20..) | (2, ..=20) | (7, 10..) | (8, ..=28)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holidays_are_those_of_schools() {
        let on = |day: &str| is_holiday(records::parse_stored_date(day).unwrap());
        assert_eq!(
            ["2026-01-25", "2026-02-20", "2026-07-10", "2026-08-15"].map(on),
            [true; 4]
        );
        assert_eq!(
            ["2026-01-10", "2026-02-25", "2026-07-01", "2026-09-01"].map(on),
            [false; 4]
        );
    }
}
