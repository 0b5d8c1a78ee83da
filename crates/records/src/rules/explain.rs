//! The sentences on a card.

use super::card::{CourseOutcome, HeldBack, LimitOutcome, SpanOutcome};
use super::cycle::{Per, YearKind};
use super::demand::Adjust;
use super::entry::{Entry, Excluded};
use super::figures::{Each, Figure};
use super::formula::Verdict;
use super::schema::{RuleSet, Unit};
use crate::date::SchoolYear;
use crate::fixed::{Amount, show_hundredths};
use crate::kinds::Kinds;
use crate::lang::Lang;

/// Why a requirement differs for this person, in both languages.
pub(super) enum Because<'a> {
    /// An exemption of the rule set.
    Adjusted(&'a Adjust),
    /// Too few school years in service.
    ShortService,
    /// Nothing.
    Nothing,
}

/// One sentence about a requirement, Chinese and English.
pub(super) fn outcome(
    rules: &RuleSet,
    figure: Figure,
    earned_c: i64,
    spans: &[SpanOutcome],
    held_back: &[HeldBack],
    because: &Because<'_>,
) -> (String, String) {
    let unit = figure.unit;
    let (why_zh, why_en) = match because {
        Because::Adjusted(adjust) => (format!("（{}）", adjust.zh), format!(" ({})", adjust.en)),
        Because::ShortService => (
            "（任职年限不足）".to_owned(),
            " (too few years in service)".to_owned(),
        ),
        Because::Nothing => (String::new(), String::new()),
    };
    let earned = unit.show(earned_c);
    if figure.waived {
        return (
            format!("不作要求{why_zh}，已得 {earned} {}", unit.zh()),
            format!("not required{why_en}; {earned} {} earned", unit.en()),
        );
    }
    let (mut zh, mut en) = match figure.each {
        Some(each) if each.alone => {
            let (zh, en) = asked(unit, each.min_c, each.max_c);
            let (every_zh, every_en) = every(rules, each.per);
            let name = noun(rules, each.per);
            let met = spans.iter().filter(|span| span.met).count();
            (
                format!(
                    "{every_zh}{zh}{why_zh}，已得 {earned}，{} {name}中 {met} {name}达到",
                    spans.len()
                ),
                format!(
                    "{en} {every_en}{why_en}; {earned} earned, met in {met} of {}",
                    spans.len()
                ),
            )
        }
        _ => {
            let (zh, en) = asked(unit, figure.min_c, figure.max_c);
            let (gap, over) = (
                figure.min_c - earned_c,
                figure.max_c.map_or(0, |max| earned_c - max),
            );
            let (state_zh, state_en) = if gap > 0 {
                (
                    format!("还差 {}", unit.show(gap)),
                    format!("{} missing", unit.show(gap)),
                )
            } else if over > 0 {
                (
                    format!("超出 {}", unit.show(over)),
                    format!("{} above", unit.show(over)),
                )
            } else {
                ("已达到".to_owned(), "met".to_owned())
            };
            (
                format!("{zh}{why_zh}，已得 {earned}，{state_zh}"),
                format!("{en}{why_en}; {earned} earned, {state_en}"),
            )
        }
    };
    if let Some(each) = figure.each {
        let (short_zh, short_en) = short(rules, unit, each, spans);
        zh += &short_zh;
        en += &short_en;
    }
    if !held_back.is_empty() {
        let mut codes: Vec<&str> = held_back
            .iter()
            .flat_map(|each| each.missing.iter().map(String::as_str))
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let list = |lang: Lang, and: &str| {
            let names = codes.iter().map(|code| evidence_name(rules, code, lang));
            names.collect::<Vec<_>>().join(and)
        };
        zh += &format!("；{} 条因缺{}不计", held_back.len(), list(Lang::Zh, "、"));
        en += &format!(
            "; {} not counted for want of {}",
            held_back.len(),
            list(Lang::En, ", ")
        );
    }
    (zh, en)
}

fn asked(unit: Unit, min_c: i64, max_c: Option<i64>) -> (String, String) {
    let (min, zh, en) = (unit.show(min_c), unit.zh(), unit.en());
    match max_c {
        Some(max) if max == min_c => (format!("应为 {min} {zh}"), format!("exactly {min} {en}")),
        Some(max) => {
            let max = unit.show(max);
            (
                format!("应在 {min} 至 {max} {zh}之间"),
                format!("{min} to {max} {en}"),
            )
        }
        None => (format!("不少于 {min} {zh}"), format!("at least {min} {en}")),
    }
}

fn every(rules: &RuleSet, per: Per) -> (&'static str, &'static str) {
    match per {
        Per::Year if rules.cycle.year_kind == YearKind::SchoolYear => ("每学年", "every school year"),
        Per::Year => ("每年", "every year"),
        Per::Semester => ("每学期", "every semester"),
        Per::Week => ("每周", "every week"),
    }
}

/// What is counted of years, semesters or weeks.
fn noun(rules: &RuleSet, per: Per) -> &'static str {
    every(rules, per).0.trim_start_matches('每')
}

/// The years, semesters or weeks that fall short; of many the first three and how many more.
fn short(rules: &RuleSet, unit: Unit, each: Each, spans: &[SpanOutcome]) -> (String, String) {
    let short: Vec<&SpanOutcome> = spans.iter().filter(|span| !span.met && !span.to_come).collect();
    if short.is_empty() {
        return (String::new(), String::new());
    }
    let shown = if short.len() > 5 { 3 } else { short.len() };
    let list = |name: fn(&SpanOutcome) -> &String, and: &str| {
        let names = short.iter().take(shown).map(|span| name(span).as_str());
        names.collect::<Vec<_>>().join(and)
    };
    let (mut zh, mut en) = (list(|span| &span.span.zh, "、"), list(|span| &span.span.en, ", "));
    if short.len() > shown {
        zh += &format!(" 等 {} {}", short.len(), noun(rules, each.per));
        en += &format!(" and {} more", short.len() - shown);
    }
    let (every_zh, every_en) = every(rules, each.per);
    if each.alone {
        return (format!("；未达到：{zh}"), format!("; missing in {en}"));
    }
    let min = unit.show(each.min_c);
    (
        format!("；{every_zh} {min} {}，未达到：{zh}", unit.zh()),
        format!("; {min} {} {every_en}, missing in {en}", unit.en()),
    )
}

/// One sentence about a composition limit, Chinese and English.
pub(super) fn limit(outcome: &LimitOutcome) -> (String, String) {
    let percent = |share_bp: i64| format!("{}%", show_hundredths(share_bp));
    let amount = |amount: i64| match outcome.unit {
        Some(unit) => unit.show(amount),
        None => amount.to_string(),
    };
    let (unit_zh, unit_en) = outcome
        .unit
        .map_or(("分钟", "minutes"), |unit| (unit.zh(), unit.en()));
    let (mut bounds_zh, mut bounds_en) = (Vec::new(), Vec::new());
    if let Some(least) = outcome.min_share_bp {
        bounds_zh.push(format!("不少于 {}", percent(least)));
        bounds_en.push(format!("at least {}", percent(least)));
    }
    if let Some(greatest) = outcome.max_share_bp {
        bounds_zh.push(format!("不超过 {}", percent(greatest)));
        bounds_en.push(format!("at most {}", percent(greatest)));
    }
    let (part, whole) = (amount(outcome.part), amount(outcome.whole));
    let share = percent(outcome.share_bp);
    (
        format!(
            "{}：{part} {unit_zh}，占 {whole} {unit_zh}的 {share}，{}{}",
            outcome.zh,
            if outcome.hard { "应" } else { "一般" },
            bounds_zh.join("、"),
        ),
        format!(
            "{}: {part} of {whole} {unit_en}, {share}; {} {}",
            outcome.en,
            if outcome.hard { "must be" } else { "normally" },
            bounds_en.join(" and "),
        ),
    )
}

/// One sentence about a course, Chinese and English.
pub(super) fn course(rules: &RuleSet, outcome: &CourseOutcome, least: Option<Amount>) -> (String, String) {
    let hours = show_hundredths(outcome.hours_c);
    if outcome.waived {
        return (
            format!("不作要求，已有 {hours} 学时"),
            format!("not required; {hours} class-hours"),
        );
    }
    let (mut zh, mut en) = match outcome.lines.len() {
        0 => ("没有记录".to_owned(), "nothing recorded".to_owned()),
        count => (
            format!("{count} 条记录，{hours} 学时"),
            format!("{count} entries, {hours} class-hours"),
        ),
    };
    if let Some(least) = least.filter(|least| outcome.hours_c < least.0) {
        zh += &format!("，不少于 {least} 学时");
        en += &format!(", at least {least} class-hours");
    }
    if !outcome.missing_in.is_empty() {
        let list = |name: fn(&super::cycle::Span) -> &String, and: &str| {
            let names = outcome.missing_in.iter().map(|span| name(span).as_str());
            names.collect::<Vec<_>>().join(and)
        };
        zh += &format!("；缺：{}", list(|span| &span.zh, "、"));
        en += &format!("; missing in {}", list(|span| &span.en, ", "));
    }
    if !outcome.missing_evidence.is_empty() {
        let list = |lang: Lang, and: &str| {
            let names = outcome.missing_evidence.iter();
            let names = names.map(|code| evidence_name(rules, code, lang));
            names.collect::<Vec<_>>().join(and)
        };
        zh += &format!("；缺材料：{}", list(Lang::Zh, "、"));
        en += &format!("; evidence missing: {}", list(Lang::En, ", "));
    }
    if outcome.met {
        zh += "，已达到";
        en += ", met";
    }
    (zh, en)
}

/// One sentence about a condition, Chinese and English.
pub(super) fn check(condition: &str, numbers: &str, verdict: &Verdict) -> (String, String) {
    let (state_zh, state_en) = match verdict {
        Verdict::Holds => ("符合".to_owned(), "holds".to_owned()),
        Verdict::Fails => ("不符合".to_owned(), "does not hold".to_owned()),
        Verdict::Open(missing) => (
            format!("缺数据：{}", missing.join("、")),
            format!("not known: {}", missing.join(", ")),
        ),
    };
    (
        format!("{condition}（{numbers}）：{state_zh}"),
        format!("{condition} ({numbers}): {state_en}"),
    )
}

/// One sentence about an entry: what it adds, where, and on what it rests; or why it counts zero.
pub(super) fn account(
    entry: &Entry,
    unit: Unit,
    amount_c: i64,
    places: &[(&str, &str, &str)],
    excluded: Option<&Excluded>,
) -> (String, String) {
    if let Some(excluded) = excluded {
        let (raw_zh, raw_en) = match excluded.raw.as_str() {
            "" => (String::new(), String::new()),
            raw => (format!("：{raw}"), format!(": {raw}")),
        };
        return (
            format!("不计：{}{raw_zh}", excluded.reason.zh()),
            format!("counts zero: {}{raw_en}", excluded.reason.en()),
        );
    }
    let (mut zh, mut en) = (entry.date.to_string(), entry.date.to_string());
    if unit != Unit::Mixed && amount_c > 0 {
        zh += &format!("，{} {}", unit.show(amount_c), unit.zh());
        en += &format!(", {} {}", unit.show(amount_c), unit.en());
    }
    if places.is_empty() {
        zh += "；未计入任何一项";
        en += "; counts in no requirement";
    } else {
        let zh_names: Vec<&str> = places.iter().map(|(_, zh, _)| *zh).collect();
        let en_names: Vec<&str> = places.iter().map(|(_, _, en)| *en).collect();
        zh += &format!("；计入：{}", zh_names.join("、"));
        en += &format!("; counts in {}", en_names.join(", "));
    }
    if !entry.session.is_empty() {
        zh += &format!("；活动 {}", entry.session);
        en += &format!("; session {}", entry.session);
    }
    if !entry.source.is_empty() {
        let year = SchoolYear::of(entry.date);
        zh += &format!("；期初学分（{}），依据：{}", year.zh(), entry.source);
        en += &format!("; opening balance of {}, from: {}", year.en(), entry.source);
    }
    if !entry.decision.is_empty() {
        let day = entry.decided_on.map_or_else(String::new, |day| format!(" {day}"));
        zh += &format!("；审核 {}{day}", entry.decision);
        en += &format!("; decision {}{day}", entry.decision);
    }
    (zh, en)
}

/// The name of a kind of evidence or of a mark; an unknown code as it is written.
fn evidence_name(rules: &RuleSet, code: &str, lang: Lang) -> String {
    if let Some(mark) = rules.marks.iter().find(|each| each.id == code) {
        return lang.pick(&mark.zh, &mark.en).to_owned();
    }
    let kind = Kinds::builtin().latest("evidence");
    let known = kind.and_then(|kind| kind.field("evidence_kind")?.code(code));
    known.map_or_else(
        || code.to_owned(),
        |known| lang.pick(&known.zh, &known.en).to_owned(),
    )
}
