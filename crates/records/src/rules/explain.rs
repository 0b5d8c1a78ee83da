//! The sentences on a card.

use super::card::{LimitOutcome, YearOutcome};
use super::figures::Figure;
use super::schema::Adjust;
use crate::fixed::show_hundredths as show;

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
    figure: Figure,
    earned_c: i64,
    years: &[YearOutcome],
    because: &Because<'_>,
) -> (String, String) {
    let (why_zh, why_en) = match because {
        Because::Adjusted(adjust) => (format!("（{}）", adjust.zh), format!(" ({})", adjust.en)),
        Because::ShortService => (
            "（任职年限不足）".to_owned(),
            " (too few years in service)".to_owned(),
        ),
        Because::Nothing => (String::new(), String::new()),
    };
    let earned = show(earned_c);
    if figure.waived {
        return (
            format!("不作要求{why_zh}，已得 {earned} 学分"),
            format!("not required{why_en}; {earned} credits earned"),
        );
    }
    let min = show(figure.min_c);
    let (asked_zh, asked_en) = match figure.max_c {
        Some(max) if max == figure.min_c => (format!("应为 {min} 学分"), format!("exactly {min} credits")),
        Some(max) => (
            format!("应在 {min} 至 {} 学分之间", show(max)),
            format!("{min} to {} credits", show(max)),
        ),
        None => (format!("不少于 {min} 学分"), format!("at least {min} credits")),
    };
    let (gap, over) = (
        figure.min_c - earned_c,
        figure.max_c.map_or(0, |max| earned_c - max),
    );
    let (state_zh, state_en) = if gap > 0 {
        (format!("还差 {}", show(gap)), format!("{} missing", show(gap)))
    } else if over > 0 {
        (format!("超出 {}", show(over)), format!("{} above", show(over)))
    } else {
        ("已达到".to_owned(), "met".to_owned())
    };
    let mut zh = format!("{asked_zh}{why_zh}，已得 {earned}，{state_zh}");
    let mut en = format!("{asked_en}{why_en}; {earned} earned, {state_en}");
    let short: Vec<&YearOutcome> = years.iter().filter(|year| !year.met).collect();
    if let Some(first) = short.first() {
        let list = |name: fn(&YearOutcome) -> String, and: &str| {
            short.iter().map(|year| name(year)).collect::<Vec<_>>().join(and)
        };
        zh += &format!(
            "；每学年 {} 学分，未达到：{}",
            show(first.min_c),
            list(|year| year.year.zh(), "、")
        );
        en += &format!(
            "; {} credits every school year, missing in {}",
            show(first.min_c),
            list(|year| format!("{}-{}", year.year.0, year.year.0 + 1), ", ")
        );
    }
    (zh, en)
}

/// One sentence about a composition limit, Chinese and English.
pub(super) fn limit(outcome: &LimitOutcome) -> (String, String) {
    let percent = |share_bp: i64| format!("{}%", show(share_bp));
    let (share, max) = (percent(outcome.share_bp), percent(outcome.max_share_bp));
    (
        format!(
            "{}：{} 分钟，占 {} 分钟的 {share}，{}不超过 {max}",
            outcome.zh,
            outcome.part_minutes,
            outcome.whole_minutes,
            if outcome.hard { "应" } else { "一般" }
        ),
        format!(
            "{}: {} of {} minutes, {share}; {} at most {max}",
            outcome.en,
            outcome.part_minutes,
            outcome.whole_minutes,
            if outcome.hard { "must be" } else { "normally" }
        ),
    )
}
