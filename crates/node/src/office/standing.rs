//! Where every teacher of the county stands in the cycle (F3): the figures of the card, kept in a table and computed
//! again for those alone whom a change touched. Which changes touch whom is said by triggers beside the rows
//! (`store/migrations/015_dashboard.sql`); the roll, the rules in use and the day touch everybody.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use records::date::parse_stored_date;
use records::{CreditCard, Date};
use serde::{Deserialize, Serialize};
use store::rusqlite::params;

use super::card::figures;
use super::claims::rules_in_use;
use super::lookup::{Key, key};
use super::people::People;
use super::roster::Teacher;
use crate::{Error, Node};

/// A person's line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Record id of the school where the person is now.
    pub school: String,
    /// Record id of the person there.
    pub person: String,
    /// 学科.
    pub subject: String,
    /// Code of the stage.
    pub stage: String,
    /// Code of the professional title.
    pub title: String,
    /// First year of teaching, if it is known.
    pub teaching_from: Option<i64>,
    /// Credits asked for in the cycle, after proration, in hundredths; zero where nothing is.
    pub asked_c: i64,
    /// Credits that count, in hundredths.
    pub total_c: i64,
    /// Of the table of the card: school, district (county) and city, in hundredths.
    pub by_channel_c: [i64; 3],
    /// 达标: everything that is hard is met.
    pub complete: bool,
    /// First and last day of the cycle, `YYYY-MM-DD`; for who began to teach in it, from then on. Empty: no cycle.
    pub cycle: [String; 2],
}

/// How a person stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// 达标.
    Complete,
    /// 按进度: at the pace since the beginning the credits asked for are there at the end.
    OnTrack,
    /// 落后.
    Short,
}

const CHANNELS: [&str; 3] = ["school", "district", "city"];

impl Standing {
    fn of(teacher: &Teacher, card: &CreditCard) -> Standing {
        let asked = card
            .total_requirement
            .as_ref()
            .and_then(|id| card.requirement(id));
        let of_channel = |channel: &str| {
            let cells = card.matrix.iter().filter(|cell| cell.channel == channel);
            cells.map(|cell| cell.earned_c).sum()
        };
        let cycle = card.period.as_ref().map(|period| {
            let from = teacher
                .teaching_from
                .and_then(|year| Date::new(i16::try_from(year).ok()?, 9, 1).ok());
            let first = from.map_or(period.first, |from| from.clamp(period.first, period.last));
            [first.to_string(), period.last.to_string()]
        });
        Standing {
            school: teacher.school.clone(),
            person: teacher.id.clone(),
            subject: teacher.subject.clone(),
            stage: teacher.stage.clone(),
            title: teacher.title.clone(),
            teaching_from: teacher.teaching_from,
            asked_c: asked.filter(|asked| !asked.waived).map_or(0, |asked| asked.min_c),
            total_c: card.total_c,
            by_channel_c: CHANNELS.map(of_channel),
            complete: card.complete,
            cycle: cycle.unwrap_or_default(),
        }
    }

    /// How the person stands on a day.
    pub fn pace(&self, on: Date) -> Pace {
        match (self.complete, self.forecast_c(on) >= self.asked_c) {
            (true, _) => Pace::Complete,
            (false, true) => Pace::OnTrack,
            (false, false) => Pace::Short,
        }
    }

    /// Credits at the end of the cycle, at the pace from its beginning to the day, in hundredths.
    pub fn forecast_c(&self, on: Date) -> i64 {
        let [first, last] = &self.cycle;
        let (Ok(first), Ok(last)) = (parse_stored_date(first), parse_stored_date(last)) else {
            return self.total_c;
        };
        let days = |to: Date| i64::from(first.until(to).map_or(0, |span| span.get_days())) + 1;
        let (all, past) = (days(last).max(1), days(on.clamp(first, last)).max(1));
        let forecast = i128::from(self.total_c) * i128::from(all) / i128::from(past);
        i64::try_from(forecast).unwrap_or(i64::MAX)
    }
}

/// Persons computed together.
const AT_ONCE: usize = 40;

/// Lines, or schools' conflicts, that a page computes at most where the running hub does of itself what is left: what
/// somebody has just decided is seen at once, and whoever looks while schools come waits neither for their people nor
/// for the disk.
pub(super) const PAGE_COMPUTES: usize = 8;

/// So long a page waits for lines to be computed, or for one, where the rest follows with what the running hub does of
/// itself.
const PAGE_WAITS: Duration = Duration::from_millis(40);

/// How long a page waits for what changes touch: for all of it where nobody does it of himself.
pub(super) fn page_waits(node: &Node) -> Duration {
    match node.0.following.load(Ordering::Relaxed) && keeps(node) {
        true => PAGE_WAITS,
        false => Duration::MAX,
    }
}

/// Everybody's line, brought up to date for as many persons as a page waits for, and for how many it is still to be
/// done.
///
/// # Errors
/// When the store cannot be read or written.
pub fn standings(node: &Node) -> Result<(Vec<Standing>, usize), Error> {
    let fresh = match for_page(node) {
        Ok(fresh) => fresh,
        // On a full disk nothing can be kept; what was kept before is shown.
        Err(error) => {
            tracing::warn!(%error, "the dashboard could not be brought up to date");
            Fresh {
                left: behind(node)?,
                ..Fresh::default()
            }
        }
    };
    let rows = node.read(|conn| {
        let mut query = conn.prepare_cached("SELECT row FROM standing ORDER BY school, person")?;
        let found = query.query_map((), |row| row.get::<_, String>(0))?;
        Ok(found.collect::<Result<Vec<_>, _>>()?)
    })?;
    // The table is ours and computed again at any time: a row that cannot be read is left out.
    let mut all: Vec<Standing> = rows
        .iter()
        .filter_map(|row| serde_json::from_str(row).ok())
        .collect();
    if !fresh.gone.is_empty() {
        all.retain(|one| !fresh.gone.contains(&key(&one.school, &one.person)));
        all.extend(fresh.lines);
        all.sort_by(|a, b| (&a.school, &a.person).cmp(&(&b.school, &b.person)));
    }
    Ok((all, fresh.left))
}

/// What a page computes for itself. Where the running hub keeps the lines, the page keeps none: it would wait for the
/// disk, in line with the schools that are just coming.
fn for_page(node: &Node) -> Result<Fresh, Error> {
    let within = page_waits(node);
    if within == Duration::MAX {
        let fresh = computed(node, within)?;
        keep(node, &fresh)?;
        return Ok(fresh);
    }
    if touch_all(node)? {
        node.0.changed.send_modify(|n| *n += 1);
    }
    match behind(node)? {
        left if left > PAGE_COMPUTES => Ok(Fresh {
            left,
            ..Fresh::default()
        }),
        _ => computed(node, within),
    }
}

/// The same with nothing left to be done: for a table that is taken along.
///
/// # Errors
/// When the store cannot be read or written.
pub fn all_standings(node: &Node) -> Result<Vec<Standing>, Error> {
    while freshen(node, Duration::MAX)? > 0 {}
    Ok(standings(node)?.0)
}

/// The hub's part after something has changed: all lines that it touched, some at a time, until there are none or
/// `stop` says so. How many times.
pub fn follow_standings(node: &Node, stop: impl Fn() -> bool) -> Result<usize, Error> {
    let mut times = 0;
    while keeps(node) && !stop() && is_behind(node)? {
        freshen(node, Duration::MAX)?;
        times += 1;
    }
    Ok(times)
}

/// Whether this node keeps the lines up of itself.
fn keeps(node: &Node) -> bool {
    node.is_county() || node.is_auditor()
}

fn is_behind(node: &Node) -> Result<bool, Error> {
    touch_all(node)?;
    Ok(behind(node)? > 0)
}

/// Lines that are still to be computed.
fn behind(node: &Node) -> Result<usize, Error> {
    node.read(|conn| {
        let mut query = conn.prepare_cached("SELECT COUNT(*) FROM stale")?;
        let all: i64 = query.query_row((), |row| row.get(0))?;
        Ok(usize::try_from(all).unwrap_or(0))
    })
}

/// A person whose line is to be computed, and the turn in which it became so.
type Stale = (Key, i64);

/// Lines that were computed and are not kept yet.
#[derive(Default)]
struct Fresh {
    /// For whom.
    of: Vec<Stale>,
    /// All their names; lines under these are no more.
    gone: BTreeSet<Key>,
    lines: Vec<Standing>,
    /// For how many persons it is still to be done.
    left: usize,
}

/// Computes and keeps the lines of some persons within about this time; how many are left.
fn freshen(node: &Node, within: Duration) -> Result<usize, Error> {
    let fresh = computed(node, within)?;
    keep(node, &fresh)?;
    Ok(fresh.left)
}

fn computed(node: &Node, within: Duration) -> Result<Fresh, Error> {
    let begun = Instant::now();
    touch_all(node)?;
    let all = behind(node)?;
    let mut stale: Vec<Stale> = node.read(|conn| {
        let mut query =
            conn.prepare_cached("SELECT school, person, turn FROM stale ORDER BY school, person LIMIT ?1")?;
        let found = query.query_map([AT_ONCE as i64], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    })?;
    if stale.is_empty() {
        return Ok(Fresh::default());
    }
    let people = People::load(node)?;
    let (mut gone, mut lines): (BTreeSet<Key>, Vec<Standing>) = (BTreeSet::new(), Vec::new());
    let mut done = 0;
    for ((school, person), _) in &stale {
        if done > 0 && begun.elapsed() >= within {
            break;
        }
        done += 1;
        let of = key(school, person);
        if gone.contains(&of) {
            continue;
        }
        // One line for whoever has several names, at the present place.
        gone.extend(people.names(&of));
        let present = people.present(&of);
        let known = figures(node, &present.1)?.filter(|(teacher, _)| teacher.school == present.0);
        lines.extend(
            known
                .filter(|(teacher, _)| teacher.in_service())
                .map(|(t, card)| Standing::of(&t, &card)),
        );
    }
    stale.truncate(done);
    Ok(Fresh {
        left: all.saturating_sub(stale.len()),
        of: stale,
        gone,
        lines,
    })
}

fn keep(node: &Node, fresh: &Fresh) -> Result<(), Error> {
    if fresh.of.is_empty() {
        return Ok(());
    }
    node.local(|conn| {
        for (school, person) in &fresh.gone {
            conn.prepare_cached("DELETE FROM standing WHERE school = ?1 AND person = ?2")?
                .execute((school, person))?;
        }
        for line in &fresh.lines {
            let row = serde_json::to_string(line).unwrap_or_default();
            conn.prepare_cached("INSERT OR REPLACE INTO standing VALUES (?1, ?2, ?3)")?
                .execute((&line.school, &line.person, row))?;
        }
        for ((school, person), turn) in &fresh.of {
            // Unless it was touched again meanwhile.
            conn.prepare_cached("DELETE FROM stale WHERE school = ?1 AND person = ?2 AND turn = ?3")?
                .execute(params![school, person, turn])?;
        }
        Ok(())
    })
}

/// Names each person where a whole school or everybody is touched; whether there was such a one.
fn touch_all(node: &Node) -> Result<bool, Error> {
    let rules = rules_in_use(node).reference();
    let day = day_of(node);
    let stand = format!("{rules} {:02x?} {day}", node.roll().digest());
    let (same, whole) = node.read(|conn| {
        let kept = store::meta(conn, STAND)?.is_some_and(|kept| kept == stand.as_bytes());
        let whole: bool = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM stale WHERE person = '')")?
            .query_row((), |row| row.get(0))?;
        Ok((kept, whole))
    })?;
    if same && !whole {
        return Ok(false);
    }
    node.local(|conn| {
        conn.prepare_cached(
            "INSERT INTO stale SELECT DISTINCT school, id, 0 FROM record
             WHERE kind = 'person' AND school IS NOT NULL AND (?1 OR EXISTS (
               SELECT 1 FROM stale s WHERE s.person = '' AND s.school IN ('', record.school)))
             ON CONFLICT DO UPDATE SET turn = turn + 1",
        )?
        .execute([!same])?;
        conn.prepare_cached("DELETE FROM stale WHERE person = ''")?
            .execute(())?;
        store::set_meta(conn, STAND, stand.as_bytes())?;
        Ok(())
    })?;
    Ok(true)
}

/// What everybody's line was computed with.
const STAND: &str = "standing";

/// Today by this computer's calendar, so that what no trigger names is at most a day old.
fn day_of(node: &Node) -> i64 {
    node.now().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_since_the_beginning_decides_who_is_short() {
        let on = |day: &str| parse_stored_date(day).unwrap();
        let mut of = Standing {
            asked_c: 3600,
            total_c: 700,
            cycle: ["2021-09-01".into(), "2026-08-31".into()],
            ..Standing::default()
        };
        // A fifth of the time, 7 of 36 credits.
        assert_eq!(of.pace(on("2022-08-31")), Pace::Short);
        assert_eq!(of.forecast_c(on("2022-08-31")), 700 * 1826 / 365);
        of.total_c = 730;
        assert_eq!(of.pace(on("2022-08-31")), Pace::OnTrack);
        // Whatever the pace says, something hard may be missing at the end.
        of.total_c = 3700;
        assert_eq!(of.pace(on("2026-08-31")), Pace::OnTrack);
        of.complete = true;
        assert_eq!(of.pace(on("2022-08-31")), Pace::Complete);
        // Before the cycle and after it nothing is divided by nothing.
        assert_eq!(of.forecast_c(on("2020-01-01")), 3700 * 1826);
        assert_eq!(of.forecast_c(on("2030-01-01")), 3700);
        of.cycle = Default::default();
        assert_eq!(of.forecast_c(on("2022-08-31")), 3700);
    }
}
