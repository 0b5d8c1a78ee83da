//! What R5 asks of a visit: 送教下乡 over its year, 送培到校 over its six days (domain.md, R5 `[delivery]` and
//! `[school_delivery]`). Pure: what was recorded goes in, one finding for each question comes out, with its reason.
//!
//! The figures stand in the rule set ([`Asked::of`]), so that a county that publishes other ones is asked those. The
//! engine of [`crate::rules`] says the same of a finished project; here it is said while there is time to mend it:
//! what can still be done is 还缺, what cannot is 不符合.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use crate::fixed::show_hundredths;
use crate::rules::{RuleSet, Share};

/// The figures that a rule set has for visits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Rounds of delivery a year.
    pub rounds: i64,
    /// Days of each, in hundredths.
    pub round_days_c: i64,
    /// Days of all, in hundredths.
    pub year_days_c: i64,
    /// Days of training at a school, in hundredths.
    pub days_c: i64,
    /// Feedback lessons of the school's own teachers.
    pub feedback: i64,
    /// The weekday of these lessons, Monday = 1.
    pub feedback_weekday: i64,
    /// The weekday on which the leader comes.
    pub leader_weekday: i64,
    /// Months between the survey and the visit.
    pub survey_months: i64,
    /// Greatest share of local experts.
    pub local: Share,
}

impl Asked {
    /// Reads them; `None` for a rule set that says nothing about visits.
    pub fn of(rules: &RuleSet) -> Option<Asked> {
        let constant = |name: &str| rules.constants.get(name).copied();
        let least = |id: &str| Some(rules.requirement(id)?.min?.0);
        let local = rules.limits.iter().find(|limit| limit.id == "visit.local")?;
        Some(Asked {
            rounds: constant("rounds_per_year")?,
            round_days_c: constant("days_per_round")?.checked_mul(100)?,
            year_days_c: constant("days_per_year")?.checked_mul(100)?,
            days_c: least("visit.days")?,
            feedback: least("visit.feedback")? / 100,
            feedback_weekday: constant("friday")?,
            leader_weekday: constant("sunday")?,
            survey_months: constant("visit_lead_months")?,
            local: local.max_share?,
        })
    }
}

/// The stages of delivery, one a round: code, Chinese, English.
pub const STAGES: [(&str, &str, &str); 4] = [
    ("diagnose", "诊断示范", "diagnosis & demonstration"),
    ("polish", "研课磨课", "lesson study & polishing"),
    ("show", "成果展示", "results show"),
    ("review", "总结提升", "review & improvement"),
];

/// A visit as far as it is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Days of work in hundredths; those between first and last when not given.
    pub days_c: Option<i64>,
    /// Round of delivery.
    pub round: Option<i64>,
    /// Stage code.
    pub stage: String,
    /// When the leader came.
    pub leader_came: Option<Date>,
    /// Whether the leader stayed all the time.
    pub leader_stayed: bool,
    /// Day of the survey before it.
    pub survey: Option<Date>,
    /// The team: whether each is local.
    pub team: Vec<bool>,
    /// Feedback lessons: day, and whether a teacher of the school is named.
    pub feedback: Vec<(Date, bool)>,
}

impl Visit {
    /// Days of work, in hundredths.
    pub fn worked_c(&self) -> i64 {
        let between = self.from.until(self.to).map_or(0, |span| span.get_days());
        self.days_c
            .unwrap_or_else(|| i64::from(between.max(0)).saturating_add(1).saturating_mul(100))
    }
}

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// 符合.
    Met,
    /// 不符合.
    Broken,
    /// 还缺: not yet, or not recorded yet.
    Lacking,
}

/// One question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable name.
    pub id: &'static str,
    /// What is asked, in Chinese and English.
    pub label: [String; 2],
    /// The answer.
    pub fit: Fit,
    /// Why, in Chinese and English.
    pub why: [String; 2],
}

fn finding(id: &'static str, label: [String; 2], fit: Fit, zh: String, en: String) -> Finding {
    Finding {
        id,
        label,
        fit,
        why: [zh, en],
    }
}

fn pair(zh: impl Into<String>, en: impl Into<String>) -> [String; 2] {
    [zh.into(), en.into()]
}

/// What is asked of training at a school (送培到校).
pub fn at_school(asked: &Asked, visit: &Visit) -> Vec<Finding> {
    vec![
        survey(asked, visit),
        leader(asked, visit),
        local(asked, visit),
        days(asked, visit),
        feedback(asked, visit),
        feedback_day(asked, visit),
    ]
}

/// What is asked of one round of delivery (送教下乡) by itself.
pub fn of_round(asked: &Asked, visit: &Visit) -> Vec<Finding> {
    let label = pair("轮次与阶段", "Round and stage");
    let stage = STAGES.iter().find(|(code, _, _)| *code == visit.stage);
    let named = match (visit.round, stage) {
        (Some(round), Some((_, zh, en))) if (1..=asked.rounds).contains(&round) => finding(
            "round",
            label,
            Fit::Met,
            format!("第 {round} 轮，{zh}"),
            format!("round {round}, {en}"),
        ),
        (round, stage) => {
            let mut lacks = [Vec::new(), Vec::new()];
            if round.is_none_or(|round| !(1..=asked.rounds).contains(&round)) {
                lacks[0].push(format!("轮次（1–{}）", asked.rounds));
                lacks[1].push(format!("the round (1 to {})", asked.rounds));
            }
            if stage.is_none() {
                lacks[0].push("阶段".to_owned());
                lacks[1].push("the stage".to_owned());
            }
            finding(
                "round",
                label,
                Fit::Lacking,
                format!("还没有填{}", lacks[0].join("和")),
                format!("still empty: {}", lacks[1].join(" and ")),
            )
        }
    };
    vec![named, local(asked, visit)]
}

/// What is asked of a year of delivery at one place in one subject: the rounds of that year, in any order.
pub fn of_year(asked: &Asked, visits: &[Visit]) -> Vec<Finding> {
    let mut rounds: BTreeMap<i64, i64> = BTreeMap::new();
    let mut stages: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for visit in visits {
        let Some(round) = visit.round.filter(|round| (1..=asked.rounds).contains(round)) else {
            continue;
        };
        let days = rounds.entry(round).or_default();
        *days = days.saturating_add(visit.worked_c());
        if !visit.stage.is_empty() {
            stages.entry(visit.stage.as_str()).or_default().insert(round);
        }
    }
    vec![
        all_rounds(asked, &rounds),
        all_stages(&stages),
        round_days(asked, &rounds),
        year_days(asked, visits),
    ]
}

fn all_rounds(asked: &Asked, rounds: &BTreeMap<i64, i64>) -> Finding {
    let open: Vec<i64> = (1..=asked.rounds)
        .filter(|round| !rounds.contains_key(round))
        .collect();
    let label = pair(
        format!("全年 {} 轮", asked.rounds),
        format!("{} rounds a year", asked.rounds),
    );
    let (zh, en) = match open.is_empty() {
        true => (
            format!("{} 轮都已送教", rounds.len()),
            format!("all {} rounds held", rounds.len()),
        ),
        false => (
            format!("已送教 {} 轮，还缺第 {} 轮", rounds.len(), numbers(&open, "、")),
            format!("{} held; missing: round {}", rounds.len(), numbers(&open, ", ")),
        ),
    };
    finding("rounds", label, lacking(!open.is_empty()), zh, en)
}

fn all_stages(stages: &BTreeMap<&str, BTreeSet<i64>>) -> Finding {
    let label = pair("四个阶段，每轮一个", "Four stages, one a round");
    let mut of_round: BTreeMap<i64, usize> = BTreeMap::new();
    for round in stages.values().flatten() {
        *of_round.entry(*round).or_default() += 1;
    }
    let crowded = of_round.iter().find(|(_, stages)| **stages > 1);
    let twice = STAGES
        .iter()
        .find(|(code, _, _)| stages.get(code).is_some_and(|rounds| rounds.len() > 1));
    if let Some((code, zh, en)) = twice {
        let rounds: Vec<i64> = stages.get(code).into_iter().flatten().copied().collect();
        return finding(
            "stages",
            label,
            Fit::Broken,
            format!("“{zh}”做了不止一轮（第 {} 轮）", numbers(&rounds, "、")),
            format!(
                "“{en}” stands in more than one round ({})",
                numbers(&rounds, ", ")
            ),
        );
    }
    if let Some((round, several)) = crowded {
        return finding(
            "stages",
            label,
            Fit::Broken,
            format!("第 {round} 轮写了 {several} 个阶段，每轮只做一个"),
            format!("round {round} has {several} stages; each has one"),
        );
    }
    let open: Vec<_> = STAGES
        .iter()
        .filter(|(code, _, _)| !stages.contains_key(code))
        .collect();
    if open.is_empty() {
        let (zh, en) = ("四个阶段都已完成", "all four are done");
        return finding("stages", label, Fit::Met, zh.to_owned(), en.to_owned());
    }
    let names = |of: fn(&(&str, &'static str, &'static str)) -> &'static str, between: &str| {
        open.iter()
            .map(|stage| of(stage))
            .collect::<Vec<_>>()
            .join(between)
    };
    finding(
        "stages",
        label,
        Fit::Lacking,
        format!("还缺：{}", names(|(_, zh, _)| zh, "、")),
        format!("missing: {}", names(|(_, _, en)| en, ", ")),
    )
}

fn round_days(asked: &Asked, rounds: &BTreeMap<i64, i64>) -> Finding {
    let least = show_hundredths(asked.round_days_c);
    let label = pair(format!("每轮 {least} 天"), format!("{least} days a round"));
    let short: Vec<_> = rounds
        .iter()
        .filter(|(_, days)| **days < asked.round_days_c)
        .collect();
    let said = |zh: bool| {
        let one = |(round, days): &(&i64, &i64)| match zh {
            true => format!("第 {round} 轮 {} 天", show_hundredths(**days)),
            false => format!("round {round}: {}", show_hundredths(**days)),
        };
        let all = if short.is_empty() {
            rounds.iter().collect()
        } else {
            short.clone()
        };
        let all: Vec<String> = all.iter().map(one).collect();
        all.join(if zh { "，" } else { ", " })
    };
    match rounds.is_empty() {
        true => finding(
            "round-days",
            label,
            Fit::Lacking,
            "还没有送教".to_owned(),
            "no round yet".to_owned(),
        ),
        false => finding(
            "round-days",
            label,
            lacking(!short.is_empty()),
            said(true),
            said(false),
        ),
    }
}

fn year_days(asked: &Asked, visits: &[Visit]) -> Finding {
    let days = visits
        .iter()
        .fold(0i64, |sum, v| sum.saturating_add(v.worked_c()));
    let (held, least) = (show_hundredths(days), show_hundredths(asked.year_days_c));
    let gap = show_hundredths(asked.year_days_c.saturating_sub(days).max(0));
    let label = pair(format!("全年 {least} 天"), format!("{least} days a year"));
    let (zh, en) = match days >= asked.year_days_c {
        true => (format!("共 {held} 天"), format!("{held} days")),
        false => (
            format!("共 {held} 天，还差 {gap} 天"),
            format!("{held} days, {gap} missing"),
        ),
    };
    finding("year-days", label, lacking(days < asked.year_days_c), zh, en)
}

fn survey(asked: &Asked, visit: &Visit) -> Finding {
    let label = pair(
        format!("提前 {} 个月训前调研", asked.survey_months),
        format!("Survey {} month(s) before", asked.survey_months),
    );
    let Some(on) = visit.survey else {
        return finding(
            "survey",
            label,
            Fit::Lacking,
            "还没有选训前调研表".to_owned(),
            "no survey is named".to_owned(),
        );
    };
    let due = on.checked_add(asked.survey_months.months());
    let early = due.is_ok_and(|due| due <= visit.from);
    let said = if early { Fit::Met } else { Fit::Broken };
    finding(
        "survey",
        label,
        said,
        format!("{on} 调研，{} 到校", visit.from),
        format!("surveyed on {on}, visited from {}", visit.from),
    )
}

fn leader(asked: &Asked, visit: &Visit) -> Finding {
    let label = pair("组长周日到校、全程驻校", "The leader comes on Sunday and stays");
    let Some(came) = visit.leader_came else {
        return finding(
            "leader",
            label,
            Fit::Lacking,
            "还没有填组长到校日期".to_owned(),
            "when the leader came is not said".to_owned(),
        );
    };
    let sunday = i64::from(came.weekday().to_monday_one_offset()) == asked.leader_weekday;
    // The Sunday with which the week of the visit begins, whether the sheet counts it as its first day or not.
    let before = visit.from.checked_sub(1.day()).unwrap_or(visit.from);
    let day = [weekday(came, true), weekday(came, false)];
    if !sunday || came < before || came > visit.from {
        return finding(
            "leader",
            label,
            Fit::Broken,
            format!("组长 {came}（{}）到校，送培从 {} 开始", day[0], visit.from),
            format!("came on {came} ({}), the visit began on {}", day[1], visit.from),
        );
    }
    let (fit, zh, en) = match visit.leader_stayed {
        true => (Fit::Met, "全程驻校", "stayed"),
        false => (
            Fit::Lacking,
            "还没有确认全程驻校",
            "that the leader stayed is not confirmed yet",
        ),
    };
    finding(
        "leader",
        label,
        fit,
        format!("{came}（{}）到校，{zh}", day[0]),
        format!("came on {came} ({}), {en}", day[1]),
    )
}

fn local(asked: &Asked, visit: &Visit) -> Finding {
    let most = percent(asked.local.num, asked.local.den);
    let label = pair(
        format!("本地专家不超过 {most}"),
        format!("Local experts at most {most}"),
    );
    let all = i64::try_from(visit.team.len()).unwrap_or(i64::MAX);
    let local = i64::try_from(visit.team.iter().filter(|local| **local).count()).unwrap_or(i64::MAX);
    if all == 0 {
        return finding(
            "local",
            label,
            Fit::Lacking,
            "还没有填送教团队".to_owned(),
            "the team is not entered yet".to_owned(),
        );
    }
    let kept = local.saturating_mul(asked.local.den) <= all.saturating_mul(asked.local.num);
    let share = percent(local, all);
    finding(
        "local",
        label,
        if kept { Fit::Met } else { Fit::Broken },
        format!("本地 {local} 人，共 {all} 人，占 {share}"),
        format!("{local} of {all} are local, {share}"),
    )
}

fn days(asked: &Asked, visit: &Visit) -> Finding {
    let (held, least) = (show_hundredths(visit.worked_c()), show_hundredths(asked.days_c));
    finding(
        "days",
        pair(format!("在校 {least} 天"), format!("{least} days at the school")),
        lacking(visit.worked_c() < asked.days_c),
        format!("{} 至 {}，{held} 天", visit.from, visit.to),
        format!("{} to {}, {held} days", visit.from, visit.to),
    )
}

fn feedback(asked: &Asked, visit: &Visit) -> Finding {
    let least = asked.feedback;
    let all = visit.feedback.len();
    let own = visit.feedback.iter().filter(|(_, named)| *named).count();
    let held = i64::try_from(own).unwrap_or(i64::MAX);
    let gap = least.saturating_sub(held).max(0);
    let unnamed = all - own;
    let mut zh = format!("{held} 节");
    let mut en = format!("{held} held");
    if gap > 0 {
        zh.push_str(&format!("，还差 {gap} 节"));
        en.push_str(&format!(", {gap} missing"));
    }
    if unnamed > 0 {
        zh.push_str(&format!("；另有 {unnamed} 节没有写本校授课教师，不算"));
        en.push_str(&format!(
            "; {unnamed} without a teacher of the school do not count"
        ));
    }
    finding(
        "feedback",
        pair(
            format!("本校教师反馈课不少于 {least} 节"),
            format!("At least {least} feedback lessons of the school’s teachers"),
        ),
        lacking(gap > 0),
        zh,
        en,
    )
}

fn feedback_day(asked: &Asked, visit: &Visit) -> Finding {
    let label = pair("反馈课在星期五", "Feedback lessons on Friday");
    let days: BTreeSet<Date> = visit.feedback.iter().map(|(day, _)| *day).collect();
    let wrong: Vec<Date> = days
        .iter()
        .copied()
        .filter(|day| i64::from(day.weekday().to_monday_one_offset()) != asked.feedback_weekday)
        .collect();
    if days.is_empty() {
        return finding(
            "feedback-day",
            label,
            Fit::Lacking,
            "还没有反馈课".to_owned(),
            "no feedback lesson yet".to_owned(),
        );
    }
    let (fit, shown) = match wrong.is_empty() {
        true => (Fit::Met, days.into_iter().collect()),
        false => (Fit::Broken, wrong),
    };
    let said = |zh: bool| {
        let one = |day: &Date| match zh {
            true => format!("{day}（{}）", weekday(*day, true)),
            false => format!("{day} ({})", weekday(*day, false)),
        };
        shown
            .iter()
            .map(one)
            .collect::<Vec<_>>()
            .join(if zh { "、" } else { ", " })
    };
    finding("feedback-day", label, fit, said(true), said(false))
}

fn lacking(lacks: bool) -> Fit {
    if lacks { Fit::Lacking } else { Fit::Met }
}

fn numbers(all: &[i64], between: &str) -> String {
    all.iter().map(i64::to_string).collect::<Vec<_>>().join(between)
}

/// A share to one place: `66.6%`, rounded down so that no share looks kept that is not.
fn percent(part: i64, whole: i64) -> String {
    let tenths = part.saturating_mul(1000) / whole.max(1);
    match tenths % 10 {
        0 => format!("{}%", tenths / 10),
        rest => format!("{}.{rest}%", tenths / 10),
    }
}

/// 星期日 … of a day.
pub fn weekday(day: Date, zh: bool) -> &'static str {
    const NAMES: [(&str, &str); 7] = [
        ("星期一", "Monday"),
        ("星期二", "Tuesday"),
        ("星期三", "Wednesday"),
        ("星期四", "Thursday"),
        ("星期五", "Friday"),
        ("星期六", "Saturday"),
        ("星期日", "Sunday"),
    ];
    let at = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
    NAMES.get(at).map_or("", |(name, en)| if zh { name } else { en })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::r5;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn asked() -> Asked {
        Asked::of(r5()).unwrap()
    }

    /// 郴州's week: Sunday 12 May to Friday 17 May 2019.
    fn week() -> Visit {
        Visit {
            from: day("2019-05-12"),
            to: day("2019-05-17"),
            days_c: None,
            round: None,
            stage: String::new(),
            leader_came: Some(day("2019-05-12")),
            leader_stayed: true,
            survey: Some(day("2019-04-12")),
            team: vec![true, true, true, false, false],
            feedback: vec![(day("2019-05-17"), true), (day("2019-05-17"), true)],
        }
    }

    fn fit(all: &[Finding], id: &str) -> Fit {
        all.iter().find(|f| f.id == id).unwrap().fit
    }

    fn why<'a>(all: &'a [Finding], id: &str) -> &'a str {
        &all.iter().find(|f| f.id == id).unwrap().why[0]
    }

    #[test]
    fn the_figures_are_those_of_the_text() {
        let a = asked();
        assert_eq!((a.rounds, a.round_days_c, a.year_days_c), (4, 200, 800));
        assert_eq!((a.days_c, a.feedback, a.survey_months), (600, 2, 1));
        assert_eq!((a.feedback_weekday, a.leader_weekday), (5, 7));
        assert_eq!(a.local.num * 100, a.local.den * 60);
        assert_eq!(Asked::of(crate::rules::r1()), None);
    }

    #[test]
    fn a_week_that_keeps_to_everything() {
        let all = at_school(&asked(), &week());
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|f| f.fit == Fit::Met), "{all:#?}");
        // 3 of 5 are 60 % exactly.
        assert_eq!(why(&all, "local"), "本地 3 人，共 5 人，占 60%");
        assert_eq!(why(&all, "leader"), "2019-05-12（星期日）到校，全程驻校");
        assert_eq!(why(&all, "days"), "2019-05-12 至 2019-05-17，6.0 天");
    }

    #[test]
    fn each_question_falls_by_itself() {
        let ask = |change: fn(&mut Visit)| {
            let mut visit = week();
            change(&mut visit);
            at_school(&asked(), &visit)
        };
        // 4 of 6 are 66.6 %; no team is no fault yet.
        let all = ask(|v| v.team = vec![true, true, true, true, false, false]);
        assert_eq!(fit(&all, "local"), Fit::Broken);
        assert_eq!(why(&all, "local"), "本地 4 人，共 6 人，占 66.6%");
        assert_eq!(fit(&ask(|v| v.team.clear()), "local"), Fit::Lacking);
        // One month before 12 May is 12 April; the 13th is too late.
        let all = ask(|v| v.survey = Some(day("2019-04-13")));
        assert_eq!(
            (fit(&all, "survey"), fit(&all, "leader")),
            (Fit::Broken, Fit::Met)
        );
        assert_eq!(fit(&ask(|v| v.survey = None), "survey"), Fit::Lacking);
        // A Monday; another Sunday; Sunday, but nobody says that the leader stayed.
        let monday = ask(|v| v.leader_came = Some(day("2019-05-13")));
        assert!(why(&monday, "leader").contains("星期一"));
        assert_eq!(fit(&monday, "leader"), Fit::Broken);
        assert_eq!(
            fit(&ask(|v| v.leader_came = Some(day("2019-05-05"))), "leader"),
            Fit::Broken
        );
        assert_eq!(fit(&ask(|v| v.leader_stayed = false), "leader"), Fit::Lacking);
        // The sheet begins on Monday, the leader came the evening before.
        let all = ask(|v| v.from = day("2019-05-13"));
        assert_eq!((fit(&all, "leader"), fit(&all, "days")), (Fit::Met, Fit::Lacking));
        // One lesson names nobody of the school; one was on Thursday.
        let all = ask(|v| v.feedback[1].1 = false);
        assert_eq!(fit(&all, "feedback"), Fit::Lacking);
        assert_eq!(
            why(&all, "feedback"),
            "1 节，还差 1 节；另有 1 节没有写本校授课教师，不算"
        );
        let all = ask(|v| v.feedback[0].0 = day("2019-05-16"));
        assert_eq!(
            (fit(&all, "feedback"), fit(&all, "feedback-day")),
            (Fit::Met, Fit::Broken)
        );
        assert_eq!(why(&all, "feedback-day"), "2019-05-16（星期四）");
        assert_eq!(fit(&ask(|v| v.feedback.clear()), "feedback-day"), Fit::Lacking);
    }

    fn round(n: i64, stage: &str, from: &str, days_c: i64) -> Visit {
        Visit {
            from: day(from),
            to: day(from),
            days_c: Some(days_c),
            round: Some(n),
            stage: stage.into(),
            ..week()
        }
    }

    #[test]
    fn a_year_of_delivery_has_four_rounds_of_two_days_with_a_stage_each() {
        let mut year = vec![
            round(1, "diagnose", "2018-09-20", 200),
            round(2, "polish", "2018-11-08", 200),
            // A round in two halves is one round.
            round(3, "show", "2019-03-14", 100),
            round(3, "show", "2019-03-15", 100),
        ];
        let all = of_year(&asked(), &year);
        let fits: Vec<Fit> = all.iter().map(|f| f.fit).collect();
        assert_eq!(fits, [Fit::Lacking, Fit::Lacking, Fit::Met, Fit::Lacking]);
        assert_eq!(why(&all, "rounds"), "已送教 3 轮，还缺第 4 轮");
        assert_eq!(why(&all, "stages"), "还缺：总结提升");
        assert_eq!(why(&all, "year-days"), "共 6.0 天，还差 2.0 天");
        year.push(round(4, "review", "2019-05-09", 200));
        assert!(of_year(&asked(), &year).iter().all(|f| f.fit == Fit::Met));
        // The fourth round repeats a stage.
        year[4].stage = "show".into();
        let all = of_year(&asked(), &year);
        assert_eq!(
            (fit(&all, "rounds"), fit(&all, "stages")),
            (Fit::Met, Fit::Broken)
        );
        assert_eq!(why(&all, "stages"), "“成果展示”做了不止一轮（第 3、4 轮）");
        // One round of two stages; one of a day and a half.
        year[4] = round(3, "review", "2019-03-15", 150);
        assert!(why(&of_year(&asked(), &year), "stages").contains("第 3 轮写了 2 个阶段"));
        year[4] = round(4, "review", "2019-05-09", 150);
        let all = of_year(&asked(), &year);
        assert_eq!(why(&all, "round-days"), "第 4 轮 1.5 天");
        assert_eq!(why(&all, "year-days"), "共 7.5 天，还差 0.5 天");
        assert_eq!(fit(&of_year(&asked(), &[]), "round-days"), Fit::Lacking);
    }

    #[test]
    fn a_round_says_which_it_is() {
        let all = of_round(&asked(), &round(2, "polish", "2018-11-08", 200));
        assert_eq!(why(&all, "round"), "第 2 轮，研课磨课");
        let all = of_round(&asked(), &round(5, "", "2018-11-08", 200));
        assert_eq!(
            (fit(&all, "round"), why(&all, "round")),
            (Fit::Lacking, "还没有填轮次（1–4）和阶段")
        );
    }

    /// Hostile dates and amounts are answered like others.
    #[test]
    fn nothing_overflows() {
        let mut visit = week();
        (visit.from, visit.to) = (Date::MAX, Date::MIN);
        visit.survey = Some(Date::MAX);
        visit.leader_came = Some(Date::MIN);
        visit.days_c = Some(i64::MAX);
        visit.round = Some(1);
        assert_eq!(at_school(&asked(), &visit).len(), 6);
        assert_eq!(of_year(&asked(), &[visit.clone(), visit]).len(), 4);
    }
}
