//! What is put before a rule set, what of it counts, and why the rest does not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::check::MAX_AMOUNT;
use super::cycle::{CarryOver, Period, When};
use super::demand::{Filing, Gate};
use super::filter::{Place, Where};
use super::schema::*;

/// One thing that someone did: a session of learning with what was recognised for it, a lesson heard,
/// a day of shadowing, a mark of a point scheme. Amounts are in hundredths. The id makes it one: the
/// same id twice counts once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Id of the record behind it.
    pub id: String,
    /// What it is, where it is no credit (`listen`, `bulletin` …); `carry_over` is a surplus of the cycle before.
    pub activity: String,
    /// Category code.
    pub category: String,
    /// Sub-category code.
    pub sub: Option<String>,
    /// Channel code.
    pub channel: String,
    /// Course code.
    pub course: String,
    /// Form code of the session.
    pub form: String,
    /// Level code.
    pub level: String,
    /// Project of the session.
    pub program: String,
    /// The person's part in it.
    pub role: String,
    /// Mark of attendance.
    pub status: String,
    /// Team.
    pub team: String,
    /// Theme of the session.
    pub topic: String,
    /// Rule set and version under which its credits were recognised; empty means the one that is asked.
    pub rule_ref: String,
    /// Day on which it happened.
    pub date: Date,
    /// Class-hours.
    pub hours_c: i64,
    /// Credits.
    pub credits_c: i64,
    /// Days.
    pub days_c: i64,
    /// Points that someone gave.
    pub points_c: i64,
    /// Lessons, times or people; 0 means one.
    pub count: i64,
    /// Minutes of the session; 0 when not given.
    pub minutes: i64,
    /// Of these, minutes of lecture.
    pub lecture_minutes: i64,
    /// Whether the person was there for a part only.
    pub partial: bool,
    /// Id of the held session.
    pub session: String,
    /// The paper that it was taken from, where the school used no program yet (期初学分).
    pub source: String,
    /// Kinds of evidence that were accepted.
    pub evidence: BTreeSet<String>,
    /// What was confirmed: `debriefed`, `signed`, `both_records`.
    pub marks: BTreeSet<String>,
    /// Id of the decision that approved it (核准, 认定); empty while there is none.
    pub decision: String,
    /// Day of that decision.
    pub decided_on: Option<Date>,
    /// Whether who decided belongs to the person's own school.
    pub decided_at_own_school: bool,
    /// Id of the filing (备案) of its plan.
    pub plan_filed: String,
    /// Id of the filing of its result.
    pub result_filed: String,
}

/// Why an entry counts zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The same id, or the same session, came with different content: no silent choice, a person decides.
    Disputed,
    /// The same session is there already: an hour counts once.
    SameSession,
    /// Before or after the cycle.
    OutsideCycle,
    /// It happened after the cut-off.
    AfterCutOff,
    /// Activity, category, sub-category or channel that the rule set does not have.
    UnknownCode,
    /// Negative or absurdly large.
    OutOfRange,
    /// Surplus of the cycle before, which the rule set does not carry over.
    NotCarried,
    /// No held session and no accepted evidence is behind it.
    NoGround,
    /// It waits for approval.
    NotApproved,
    /// It waits for a filing.
    NotFiled,
    /// The decision came from the own school.
    SelfAward,
    /// Attended in part, where only the whole counts.
    Partial,
    /// It belongs to no course of the rule set.
    NoCourse,
}

impl Reason {
    /// In Chinese.
    pub fn zh(self) -> &'static str {
        match self {
            Reason::Disputed => "同一登记有不同内容，待核",
            Reason::SameSession => "同一活动已计算，一个学时只计一次",
            Reason::OutsideCycle => "不在本周期内",
            Reason::AfterCutOff => "在数据截止日之后",
            Reason::UnknownCode => "类别或渠道不在规则中",
            Reason::OutOfRange => "学分数值不合理",
            Reason::NotCarried => "上一周期的结余不结转",
            Reason::NoGround => "没有实际举办的活动，也没有采信的佐证材料",
            Reason::NotApproved => "尚未核准（认定）",
            Reason::NotFiled => "方案或结果尚未备案",
            Reason::SelfAward => "不能由本校人员审核",
            Reason::Partial => "未全程参加",
            Reason::NoCourse => "不属于规则所列课程",
        }
    }

    /// In English.
    pub fn en(self) -> &'static str {
        match self {
            Reason::Disputed => "one claim with different content, pending check",
            Reason::SameSession => "the session counts already: an hour counts once",
            Reason::OutsideCycle => "outside the cycle",
            Reason::AfterCutOff => "after the cut-off",
            Reason::UnknownCode => "category or channel unknown to the rule set",
            Reason::OutOfRange => "amount out of range",
            Reason::NotCarried => "a surplus of the last cycle is not carried over",
            Reason::NoGround => "neither a held session nor accepted evidence behind it",
            Reason::NotApproved => "not approved yet",
            Reason::NotFiled => "plan or result not filed yet",
            Reason::SelfAward => "decided at the own school",
            Reason::Partial => "not attended in full",
            Reason::NoCourse => "belongs to no course of the rule set",
        }
    }
}

/// An entry that counts zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Excluded {
    /// Id of the entry.
    pub id: String,
    /// Why.
    pub reason: Reason,
    /// What the entry says, as it says it, where the rule set does not know a code; else empty.
    pub raw: String,
}

/// An entry that counts, with the place where it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) of: &'a Entry,
    pub(super) category: Option<&'a str>,
    pub(super) channel: Option<&'a str>,
    pub(super) in_total: bool,
    pub(super) gate: Gate,
}

impl Line<'_> {
    /// How much it is in a unit.
    pub(super) fn amount(&self, rules: &RuleSet, unit: Unit) -> i64 {
        let entry = self.of;
        match unit {
            Unit::Credit => credits(rules, entry),
            Unit::Hour => hours(rules, entry),
            Unit::Day => entry.days_c,
            Unit::Point => entry.points_c,
            Unit::Lesson | Unit::Time | Unit::Head => entry.count.max(1) * 100,
            Unit::Mixed => 0,
        }
    }
}

fn hours(rules: &RuleSet, entry: &Entry) -> i64 {
    match entry.hours_c {
        0 => entry.days_c * rules.convert.hours_per_day.0 / 100,
        hours_c => hours_c,
    }
}

/// Credits under this rule set. Those of another rule set or version go through class-hours: 36 credits
/// here and 360 there are the same hours, and must never be added up as they stand.
fn credits(rules: &RuleSet, entry: &Entry) -> i64 {
    let own = entry.rule_ref.is_empty() || entry.rule_ref == rules.reference();
    let same_rules = entry.rule_ref.split('/').next() == Some(rules.head.id.as_str());
    let as_recognised = rules.convert.other_version == OtherVersion::Recognised || entry.hours_c == 0;
    if own || (same_rules && as_recognised) {
        entry.credits_c
    } else {
        hours(rules, entry) * 100 / rules.convert.hours_per_credit.0.max(1)
    }
}

/// Sorts entries by id, drops repetitions, sets apart what counts zero and places the rest.
pub(super) fn settle<'a>(
    rules: &'a RuleSet,
    period: Option<&Period>,
    when: &When,
    entries: &'a [Entry],
) -> (Vec<Line<'a>>, Vec<Excluded>) {
    let mut by_id: BTreeMap<&str, (&Entry, bool)> = BTreeMap::new();
    for entry in entries {
        by_id
            .entry(entry.id.as_str())
            .and_modify(|(known, disputed)| *disputed |= *known != entry)
            .or_insert((entry, false));
    }
    let (mut lines, mut excluded) = (Vec::new(), Vec::new());
    for (id, (entry, disputed)) in by_id {
        let line = if disputed {
            Err(Reason::Disputed)
        } else {
            place(rules, period, when, entry)
        };
        match line {
            Ok(line) => lines.push(line),
            Err(reason) => excluded.push(zero(id, reason, entry, rules)),
        }
    }
    let twins = twins(&lines);
    lines.retain(|line| match twins.get(line.of.id.as_str()) {
        Some(reason) => {
            excluded.push(zero(&line.of.id, *reason, line.of, rules));
            false
        }
        None => true,
    });
    excluded.sort();
    (lines, excluded)
}

fn zero(id: &str, reason: Reason, entry: &Entry, rules: &RuleSet) -> Excluded {
    let raw = match reason {
        Reason::UnknownCode => unknown_codes(rules, entry).join("，"),
        _ => String::new(),
    };
    Excluded {
        id: id.to_owned(),
        reason,
        raw,
    }
}

/// One session counts once for one person and activity, also when two devices that were apart each
/// registered it: equal entries as one, different ones not at all.
fn twins<'a>(lines: &[Line<'a>]) -> BTreeMap<&'a str, Reason> {
    let mut by_session: BTreeMap<(&str, &str, &str), Vec<&'a Entry>> = BTreeMap::new();
    for entry in lines
        .iter()
        .map(|line| line.of)
        .filter(|entry| !entry.session.is_empty())
    {
        let key = (
            entry.session.as_str(),
            entry.activity.as_str(),
            entry.role.as_str(),
        );
        by_session.entry(key).or_default().push(entry);
    }
    let content = |entry: &Entry| Entry {
        id: String::new(),
        decision: String::new(),
        decided_on: None,
        // Words of the county on it, as the decision is.
        plan_filed: String::new(),
        result_filed: String::new(),
        ..entry.clone()
    };
    let mut reasons = BTreeMap::new();
    for twins in by_session.into_values() {
        let Some((first, rest)) = twins.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            continue;
        };
        if rest.iter().all(|twin| content(twin) == content(first)) {
            reasons.extend(rest.iter().map(|twin| (twin.id.as_str(), Reason::SameSession)));
        } else {
            reasons.extend(twins.iter().map(|twin| (twin.id.as_str(), Reason::Disputed)));
        }
    }
    reasons
}

fn place<'a>(
    rules: &'a RuleSet,
    period: Option<&Period>,
    when: &When,
    entry: &'a Entry,
) -> Result<Line<'a>, Reason> {
    let amounts = [
        entry.credits_c,
        entry.hours_c,
        entry.days_c,
        entry.points_c,
        entry.count,
        entry.minutes,
        entry.lecture_minutes,
    ];
    if amounts.iter().any(|amount| !(0..=MAX_AMOUNT).contains(amount)) {
        return Err(Reason::OutOfRange);
    }
    let carried = entry.activity == CARRIED;
    if carried && rules.cycle.carry_over == CarryOver::None {
        return Err(Reason::NotCarried);
    }
    if !carried && !period.is_some_and(|period| in_time(rules, period, entry.date)) {
        return Err(Reason::OutsideCycle);
    }
    if when.as_of.is_some_and(|as_of| entry.date > as_of) {
        return Err(Reason::AfterCutOff);
    }
    if !carried && !unknown_codes(rules, entry).is_empty() {
        return Err(Reason::UnknownCode);
    }
    let category = rules
        .categories
        .iter()
        .find(|each| each.id == entry.category || each.also.contains(&entry.category));
    let channel = rules
        .channels
        .iter()
        .find(|each| each.id == entry.channel || each.also.contains(&entry.channel));
    let recorded = Line {
        of: entry,
        category: category.map(|each| each.id.as_str()),
        channel: channel.map(|each| each.id.as_str()),
        in_total: true,
        gate: Gate::None,
    };
    let placement = rules
        .reading
        .placements
        .iter()
        .find(|placement| fits(&placement.filter, &recorded));
    let mut line = match placement {
        Some(placement) => Line {
            category: placed(&placement.category, recorded.category),
            channel: placed(&placement.channel, recorded.channel),
            in_total: placement.in_total,
            ..recorded
        },
        None => recorded,
    };
    if !carried {
        line.gate = gate(rules, when, &recorded)?;
        in_course(rules, &line)?;
    }
    Ok(line)
}

/// The activity of a surplus of the cycle before.
const CARRIED: &str = "carry_over";

fn in_time(rules: &RuleSet, period: &Period, date: Date) -> bool {
    let grace = i32::max(rules.cycle.repair_days, 0);
    let last = period
        .last
        .checked_add(jiff::ToSpan::days(grace))
        .unwrap_or(period.last);
    period.first <= date && date <= last
}

/// The codes of an entry that a rule set does not have, as they are written. What a rule set does not
/// list at all (a file without categories) does not matter to it.
fn unknown_codes(rules: &RuleSet, entry: &Entry) -> Vec<String> {
    let mut unknown = Vec::new();
    let activity = &entry.activity;
    if !activity.is_empty() && !rules.activities.iter().any(|each| each.id == *activity) {
        unknown.push(format!("活动“{activity}”"));
    }
    if !rules.categories.is_empty() && activity.is_empty() {
        let category = rules
            .categories
            .iter()
            .find(|each| each.id == entry.category || each.also.contains(&entry.category));
        match (category, &entry.sub) {
            (None, _) => unknown.push(format!("类别“{}”", entry.category)),
            (Some(category), Some(sub)) if !category.subs.iter().any(|known| known.id == *sub) => {
                unknown.push(format!("小类“{sub}”"));
            }
            _ => {}
        }
    }
    let known_channel = |each: &Channel| each.id == entry.channel || each.also.contains(&entry.channel);
    if !rules.channels.is_empty() && activity.is_empty() && !rules.channels.iter().any(known_channel) {
        unknown.push(format!("渠道“{}”", entry.channel));
    }
    unknown
}

/// What lets an entry count: the invariants of the rule set, then the gate of its workflow.
fn gate(rules: &RuleSet, when: &When, line: &Line<'_>) -> Result<Gate, Reason> {
    let entry = line.of;
    if rules.invariant.no_gift_credit && entry.session.is_empty() && entry.evidence.is_empty() {
        return Err(Reason::NoGround);
    }
    let decided = !entry.decision.is_empty()
        && when
            .as_of
            .is_none_or(|as_of| entry.decided_on.is_some_and(|day| day <= as_of));
    if rules.invariant.no_self_award && decided && entry.decided_at_own_school {
        return Err(Reason::SelfAward);
    }
    let workflow = rules.workflows.iter().find(|each| fits(&each.filter, line));
    let gate = workflow.map_or(rules.reading.ungated, |each| each.gate);
    match gate {
        Gate::None => {}
        Gate::Approve if decided => {}
        Gate::Approve => return Err(Reason::NotApproved),
        Gate::File => {
            let filings = workflow.map_or(&[][..], |each| each.filings.as_slice());
            let filed = filings.iter().all(|filing| match filing {
                Filing::Plan => !entry.plan_filed.is_empty(),
                Filing::Result => !entry.result_filed.is_empty(),
            });
            let covered = rules.reading.approval_covers_filing && decided;
            if !filed && !covered {
                return Err(Reason::NotFiled);
            }
        }
    }
    Ok(gate)
}

fn in_course(rules: &RuleSet, line: &Line<'_>) -> Result<(), Reason> {
    match rules.courses.iter().find(|each| fits(&each.filter, line)) {
        Some(course) if course.whole_attendance && line.of.partial => Err(Reason::Partial),
        None if !rules.courses.is_empty() && rules.reading.outside_courses == Counting::Zero => {
            Err(Reason::NoCourse)
        }
        _ => Ok(()),
    }
}

fn placed<'a>(place: &'a Place, recorded: Option<&'a str>) -> Option<&'a str> {
    match place {
        Place::AsRecorded => recorded,
        Place::None => None,
        Place::In(code) => Some(code),
    }
}

/// Whether a filter means a line.
pub(super) fn fits(filter: &Where, line: &Line<'_>) -> bool {
    let entry = line.of;
    (filter.any.is_empty() || filter.any.iter().any(|one| fits(one, line)))
        && filter.activity.admits(&entry.activity)
        && filter.category.admits(line.category.unwrap_or(""))
        && filter.channel.admits(line.channel.unwrap_or(""))
        && filter.sub.admits(entry.sub.as_deref().unwrap_or(""))
        && filter.course.admits(&entry.course)
        && filter.form.admits(&entry.form)
        && filter.level.admits(&entry.level)
        && filter.program.admits(&entry.program)
        && filter.role.admits(&entry.role)
        && filter.status.admits(&entry.status)
        && filter.team.admits(&entry.team)
        && filter.topic.admits(&entry.topic)
}
