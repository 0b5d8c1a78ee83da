//! How far the county is in touch with its schools: until which day the records of each are complete here, and which
//! schools have what the county wrote (domain.md F4 未同步单位, §5.4 S8). Both are for people: nothing is decided by them.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use sync::NodeId;

use super::organisations::organisations;
use super::schools::NO_SCHOOL;
use crate::{Device, Error, Node, Role};

/// A device, and when it was met last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Who.
    pub node: NodeId,
    /// Its name.
    pub label: String,
    /// Unix seconds of the last contact, by this computer's clock.
    pub seen_at: Option<i64>,
    /// Whether it is in touch at this moment.
    pub connected: bool,
}

/// When every device was met last.
pub(super) struct AllMet {
    devices: HashMap<String, Vec<NodeId>>,
    /// As [`Node::met`] has it.
    met: HashMap<NodeId, (Option<i64>, bool)>,
    labels: HashMap<NodeId, String>,
}

impl AllMet {
    /// The devices of a school that are not revoked, the one met last first.
    pub(super) fn of_school(&self, school: &str) -> Vec<Met> {
        let mut all: Vec<Met> = self
            .devices
            .get(school)
            .into_iter()
            .flatten()
            .map(|d| self.met(d))
            .collect();
        all.sort_by(|a, b| (b.connected, b.seen_at, &b.label).cmp(&(a.connected, a.seen_at, &a.label)));
        all
    }

    /// One device, of whatever sort.
    pub(super) fn one(&self, node: &Node, device: &NodeId) -> Met {
        Met {
            label: node.device_label(device),
            ..self.met(device)
        }
    }

    fn met(&self, device: &NodeId) -> Met {
        let (seen_at, connected) = self.met.get(device).copied().unwrap_or_default();
        Met {
            node: *device,
            label: self.labels.get(device).cloned().unwrap_or_default(),
            seen_at,
            connected,
        }
    }
}

/// When every device was met last.
pub(super) fn met(node: &Node) -> Result<AllMet, Error> {
    let devices = devices(node);
    let labels = devices
        .values()
        .flatten()
        .map(|device| (*device, node.device_label(device)));
    Ok(AllMet {
        labels: labels.collect(),
        met: node.met()?,
        devices,
    })
}

/// When a school was in touch last, Unix seconds: `now` while it is; `None` if it never was.
pub fn last_contact(node: &Node, school: &str, now: i64) -> Result<Option<i64>, Error> {
    let last = met(node)?.of_school(school).into_iter().next();
    Ok(last.and_then(|met| if met.connected { Some(now) } else { met.seen_at }))
}

/// Until when a school's records are here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upto {
    /// No device of it was ever enrolled.
    NotEnrolled,
    /// Enrolled, and never heard to the end.
    Never,
    /// All that its best informed device had on this day, `YYYY-MM-DD`.
    Day(String),
    /// In touch at this moment.
    Now,
}

/// A figure's last part, where nothing written until the cut-off is missing.
pub(super) const COMPLETE: &str = "已同步";
/// The same where no device is enrolled.
pub(super) const NOT_ENROLLED: &str = "尚未入网";
/// The same where a device is enrolled and was never in step.
pub(super) const NEVER: &str = "从未同步";

impl Upto {
    /// What a bulletin with this cut-off says of it: [`COMPLETE`], or until when its data reach.
    pub(super) fn said(&self, cut_on: &str) -> String {
        match self {
            Upto::Now => COMPLETE.to_owned(),
            Upto::Day(day) if day.as_str() > cut_on => COMPLETE.to_owned(),
            Upto::Day(day) => day.clone(),
            Upto::Never => NEVER.to_owned(),
            Upto::NotEnrolled => NOT_ENROLLED.to_owned(),
        }
    }
}

/// The devices of schools that are not revoked, by school.
fn devices(node: &Node) -> HashMap<String, Vec<NodeId>> {
    let mut all: HashMap<String, Vec<NodeId>> = HashMap::new();
    let own = |device: &Device| device.role == Role::School && !device.revoked;
    for device in node.devices().into_iter().filter(own) {
        all.entry(device.scope).or_default().push(device.node);
    }
    all
}

/// [`Upto`] of every school that has a device; of the others it is [`Upto::NotEnrolled`].
pub fn upto(node: &Node) -> Result<HashMap<String, Upto>, Error> {
    let connected: HashSet<NodeId> = node.0.outward.connected().keys().copied().collect();
    let mut known = HashMap::new();
    for peer in node.read(store::peers::list)? {
        let upto = match peer.in_sync_at {
            Some(_) if connected.contains(&peer.node) => Upto::Now,
            Some(at) => day_of(at).map_or(Upto::Never, Upto::Day),
            None => Upto::Never,
        };
        known.insert(peer.node, upto);
    }
    let best = |devices: Vec<NodeId>| {
        devices
            .iter()
            .filter_map(|device| known.get(device))
            .max()
            .cloned()
    };
    Ok(devices(node)
        .into_iter()
        .map(|(school, devices)| (school, best(devices).unwrap_or(Upto::Never)))
        .collect())
}

/// The day of a moment by this computer's calendar.
fn day_of(seconds: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?;
    Some(moment.to_zoned(TimeZone::system()).date().to_string())
}

/// How a record of the county that all schools may read stands with one of them. A school may have got it from a
/// neighbour: the county knows when they meet, or when the school says something about it.
pub(super) struct Delivery {
    /// Record id of the school.
    pub school: String,
    /// Its name.
    pub name: String,
    /// Whether a device of it has acknowledged what the record says now; `None`: it has no device.
    pub there: Option<bool>,
}

/// [`Delivery`] of each of these records to every school.
pub(super) fn deliveries(node: &Node, ids: &[&str]) -> Result<Vec<Vec<Delivery>>, Error> {
    let mut acked = HashMap::new();
    for peer in node.read(store::peers::list)? {
        acked.insert(peer.node, peer.acked.unwrap_or(0));
    }
    // Of each school up to which local sequence its best informed device has what it may read.
    let mut devices = devices(node);
    let mut schools = Vec::new();
    for school in organisations(node)? {
        let counted = school.active && !NO_SCHOOL.contains(&school.org_kind.as_str());
        let own = devices.remove(&school.id);
        if own.is_some() || counted {
            let best = |own: Vec<NodeId>| own.iter().filter_map(|d| acked.get(d)).max().copied();
            schools.push((school.id, school.name, own.map(|own| best(own).unwrap_or(0))));
        }
    }
    let mut all = Vec::new();
    for id in ids {
        let stands = node.stands_at(id)?;
        let of = |(school, name, upto): &(String, String, Option<u64>)| Delivery {
            school: school.clone(),
            name: name.clone(),
            there: upto.map(|upto| stands.is_none_or(|stands| upto >= stands)),
        };
        all.push(schools.iter().map(of).collect());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_before_the_cut_off_or_on_it_leaves_figures_incomplete() {
        let day = |day: &str| Upto::Day(day.into()).said("2025-10-20");
        assert_eq!(day("2025-10-19"), "2025-10-19");
        assert_eq!(day("2025-10-20"), "2025-10-20", "the rest of that day is missing");
        assert_eq!(day("2025-10-21"), COMPLETE);
        let other = [Upto::Now, Upto::Never, Upto::NotEnrolled].map(|upto| upto.said("2025-10-20"));
        assert_eq!(other, [COMPLETE, NEVER, NOT_ENROLLED]);
        // Of several computers of a school the best informed speaks.
        let best = [
            Upto::Never,
            Upto::Day("2025-10-19".into()),
            Upto::Day("2025-09-30".into()),
        ];
        assert_eq!(best.into_iter().max(), Some(Upto::Day("2025-10-19".into())));
    }
}
