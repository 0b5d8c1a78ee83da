//! From recognised lines to the credit card.

use std::collections::{BTreeMap, BTreeSet};

use super::card::*;
use super::check::{MAX_AMOUNT, cell_id, in_cycle};
use super::explain::{self, Because};
use super::figures::{Figure, asked, reasons};
use super::person::PersonFacts;
use super::schema::*;
use crate::date::SchoolYear;

/// Works out a person's card from what was recognised. The order of `credited` and repeated equal
/// lines change nothing; the same id with *different* content counts zero until a person has chosen
/// (see [`Reason::Disputed`]), like any dispute.
pub fn credit_card(rules: &RuleSet, person: &PersonFacts, credited: &[Credited]) -> CreditCard {
    let asked = asked(rules, person);
    let (lines, excluded) = settle(rules, credited);
    let because = reasons(&asked.adjustments);
    let reading = &rules.reading;

    let requirements: Vec<Outcome> = asked
        .requirements
        .iter()
        .map(|(require, figure)| {
            let counted = select(&lines, &require.filter);
            let years = match figure.per_year_c {
                Some(min_c) => by_year(&counted, &asked.years, min_c),
                None => Vec::new(),
            };
            let years_fail = reading.per_year == Weight::Required && years.iter().any(|year| !year.met);
            let because = because
                .get(require.id.as_str())
                .map_or(Because::Nothing, |adjust| Because::Adjusted(adjust));
            let names = (require.id.clone(), require.zh.clone(), require.en.clone());
            judge(
                names,
                require.hard,
                *figure,
                &counted,
                years,
                years_fail,
                &because,
            )
        })
        .collect();
    let cells: Vec<Outcome> = asked
        .cells
        .iter()
        .map(|(cell, figure)| {
            let counted: Vec<&Line<'_>> = lines
                .iter()
                .filter(|line| {
                    line.category == Some(cell.category.as_str())
                        && line.channel == Some(cell.channel.as_str())
                })
                .filter(|line| cell.sub.is_none() || line.of.sub == cell.sub)
                .collect();
            let adjust = asked
                .adjustments
                .iter()
                .find(|each| each.waive_channels.contains(&cell.channel));
            let because = match adjust {
                Some(adjust) => Because::Adjusted(adjust),
                None if figure.waived => Because::ShortService,
                None => Because::Nothing,
            };
            let (zh, en) = cell_names(rules, cell);
            judge(
                (cell_id(cell), zh, en),
                reading.cells == Weight::Required,
                *figure,
                &counted,
                Vec::new(),
                false,
                &because,
            )
        })
        .collect();
    let limits: Vec<LimitOutcome> = rules
        .limits
        .iter()
        .map(|limit| judge_limit(rules, limit, &lines))
        .collect();

    let in_total: Vec<&Line<'_>> = lines.iter().filter(|line| line.in_total).collect();
    let total_requirement = asked
        .requirements
        .iter()
        .find(|(require, _)| require.filter.is_all())
        .map(|(require, _)| require.id.clone());
    let complete = requirements
        .iter()
        .chain(&cells)
        .all(|outcome| outcome.met || !outcome.hard)
        && limits.iter().all(|limit| limit.met || !limit.hard);
    CreditCard {
        rule_ref: rules.reference(),
        title_zh: rules.head.title_zh.clone(),
        title_en: rules.head.title_en.clone(),
        notice_zh: reading.notice_zh.clone(),
        notice_en: reading.notice_en.clone(),
        first_year: SchoolYear(rules.cycle.first_year),
        last_year: SchoolYear(rules.cycle.first_year + rules.cycle.years - 1),
        populations: asked
            .populations
            .iter()
            .map(|each| labelled(&each.id, &each.zh, &each.en, &each.note_zh, &each.note_en))
            .collect(),
        adjustments: asked
            .adjustments
            .iter()
            .map(|each| labelled(&each.population, &each.zh, &each.en, "", ""))
            .collect(),
        categories: rules
            .categories
            .iter()
            .map(|each| labelled(&each.id, &each.zh, &each.en, &each.def_zh, ""))
            .collect(),
        channels: rules
            .channels
            .iter()
            .map(|each| labelled(&each.id, &each.zh, &each.en, &each.selection_zh, ""))
            .collect(),
        matrix: matrix(rules, &lines),
        total_requirement,
        total_c: sum(&in_total),
        total_hours_c: in_total.iter().map(|line| line.of.hours_c).sum(),
        unplaced_c: lines
            .iter()
            .filter(|line| line.category.is_none() || line.channel.is_none())
            .map(|line| line.of.credits_c)
            .sum(),
        warnings: warnings(&requirements, &cells, &limits, &excluded),
        requirements,
        cells,
        limits,
        excluded,
        complete,
    }
}

/// A line that counts, with the place where it counts.
struct Line<'a> {
    of: &'a Credited,
    category: Option<&'a str>,
    channel: Option<&'a str>,
    in_total: bool,
}

/// Sorts lines by id, drops repetitions, sets apart what counts zero and places the rest.
fn settle<'a>(rules: &'a RuleSet, credited: &'a [Credited]) -> (Vec<Line<'a>>, Vec<Excluded>) {
    let mut by_id: BTreeMap<&str, Result<&Credited, Reason>> = BTreeMap::new();
    for line in credited {
        by_id
            .entry(line.id.as_str())
            .and_modify(|known| {
                if !matches!(known, Ok(same) if *same == line) {
                    *known = Err(Reason::Disputed);
                }
            })
            .or_insert(Ok(line));
    }
    let (mut lines, mut excluded) = (Vec::new(), Vec::new());
    for (id, line) in by_id {
        match line.and_then(|line| place(rules, line)) {
            Ok(line) => lines.push(line),
            Err(reason) => excluded.push(Excluded {
                id: id.to_owned(),
                reason,
            }),
        }
    }
    (lines, excluded)
}

fn place<'a>(rules: &'a RuleSet, line: &'a Credited) -> Result<Line<'a>, Reason> {
    if [line.credits_c, line.hours_c, line.minutes, line.lecture_minutes]
        .iter()
        .any(|amount| !(0..=MAX_AMOUNT).contains(amount))
    {
        return Err(Reason::OutOfRange);
    }
    if !in_cycle(rules, line.school_year) {
        return Err(Reason::OutsideCycle);
    }
    let category = rules.category(&line.category).ok_or(Reason::UnknownCode)?;
    let known_sub = line
        .sub
        .as_ref()
        .is_none_or(|sub| category.subs.iter().any(|known| known.id == *sub));
    if !known_sub || rules.channel(&line.channel).is_none() {
        return Err(Reason::UnknownCode);
    }
    let recorded = Line {
        of: line,
        category: Some(&line.category),
        channel: Some(&line.channel),
        in_total: true,
    };
    let placement = rules
        .reading
        .placements
        .iter()
        .find(|placement| fits(&placement.filter, &recorded));
    Ok(match placement {
        Some(placement) => Line {
            of: line,
            category: placed(&placement.category, &line.category),
            channel: placed(&placement.channel, &line.channel),
            in_total: placement.in_total,
        },
        None => recorded,
    })
}

fn placed<'a>(place: &'a Place, recorded: &'a str) -> Option<&'a str> {
    match place {
        Place::AsRecorded => Some(recorded),
        Place::None => None,
        Place::In(code) => Some(code),
    }
}

fn fits(filter: &Where, line: &Line<'_>) -> bool {
    filter.category.admits(line.category.unwrap_or(""))
        && filter.channel.admits(line.channel.unwrap_or(""))
        && filter.sub.admits(line.of.sub.as_deref().unwrap_or(""))
        && filter.form.admits(&line.of.form)
        && filter.topic.admits(&line.of.topic)
        && filter.program.admits(&line.of.program)
        && filter.team.0.is_empty()
}

/// The lines that a requirement counts. What a placement keeps out of the total counts only where it is named.
fn select<'a, 'b>(lines: &'b [Line<'a>], filter: &Where) -> Vec<&'b Line<'a>> {
    lines
        .iter()
        .filter(|line| fits(filter, line) && (line.in_total || !filter.is_all()))
        .collect()
}

fn sum(lines: &[&Line<'_>]) -> i64 {
    lines.iter().map(|line| line.of.credits_c).sum()
}

fn ids(lines: &[&Line<'_>]) -> Vec<String> {
    lines.iter().map(|line| line.of.id.clone()).collect()
}

fn by_year(lines: &[&Line<'_>], years: &[SchoolYear], min_c: i64) -> Vec<YearOutcome> {
    years
        .iter()
        .map(|year| {
            let lines: Vec<&Line<'_>> = lines
                .iter()
                .filter(|line| line.of.school_year == *year)
                .copied()
                .collect();
            let earned_c = sum(&lines);
            YearOutcome {
                year: *year,
                earned_c,
                min_c,
                gap_c: (min_c - earned_c).max(0),
                met: earned_c >= min_c,
                lines: ids(&lines),
            }
        })
        .collect()
}

fn judge(
    (id, zh, en): (String, String, String),
    hard: bool,
    figure: Figure,
    lines: &[&Line<'_>],
    years: Vec<YearOutcome>,
    years_fail: bool,
    because: &Because<'_>,
) -> Outcome {
    let earned_c = sum(lines);
    let gap_c = (figure.min_c - earned_c).max(0);
    let over_c = figure.max_c.map_or(0, |max| (earned_c - max).max(0));
    let (text_zh, text_en) = explain::outcome(figure, earned_c, &years, because);
    Outcome {
        id,
        zh,
        en,
        earned_c,
        min_c: figure.min_c,
        max_c: figure.max_c,
        gap_c: if figure.waived { 0 } else { gap_c },
        over_c: if figure.waived { 0 } else { over_c },
        met: figure.waived || (gap_c == 0 && !(over_c > 0 && figure.over_fails) && !years_fail),
        hard,
        waived: figure.waived,
        years,
        lines: ids(lines),
        text_zh,
        text_en,
    }
}

fn judge_limit(rules: &RuleSet, limit: &Limit, lines: &[Line<'_>]) -> LimitOutcome {
    let (mut part_minutes, mut whole_minutes, mut part_lines) = (0, 0, Vec::new());
    for line in select(lines, &limit.filter) {
        let minutes = match line.of.minutes {
            0 => line.of.hours_c * rules.convert.minutes_per_hour / 100,
            minutes => minutes,
        };
        let part = if fits(&limit.of, line) {
            minutes
        } else {
            line.of.lecture_minutes.min(minutes)
        };
        whole_minutes += minutes;
        part_minutes += part;
        if part > 0 {
            part_lines.push(line.of.id.clone());
        }
    }
    let max_share_bp = limit.max_share.0 * 100;
    let mut outcome = LimitOutcome {
        id: limit.id.clone(),
        zh: limit.zh.clone(),
        en: limit.en.clone(),
        part_minutes,
        whole_minutes,
        share_bp: (part_minutes * 10_000).checked_div(whole_minutes).unwrap_or(0),
        max_share_bp,
        // Compared as a product: the share itself would be rounded.
        met: part_minutes * 10_000 <= max_share_bp * whole_minutes,
        hard: limit.hard,
        lines: part_lines,
        text_zh: String::new(),
        text_en: String::new(),
    };
    (outcome.text_zh, outcome.text_en) = explain::limit(&outcome);
    outcome
}

fn matrix(rules: &RuleSet, lines: &[Line<'_>]) -> Vec<MatrixCell> {
    let mut cells = Vec::new();
    for category in &rules.categories {
        for channel in &rules.channels {
            let here: Vec<&Line<'_>> = lines
                .iter()
                .filter(|line| {
                    line.category == Some(category.id.as_str()) && line.channel == Some(channel.id.as_str())
                })
                .collect();
            let subs = category.subs.iter().map(|sub| SubAmount {
                sub: sub.id.clone(),
                earned_c: here
                    .iter()
                    .filter(|line| line.of.sub.as_ref() == Some(&sub.id))
                    .map(|line| line.of.credits_c)
                    .sum(),
            });
            cells.push(MatrixCell {
                category: category.id.clone(),
                channel: channel.id.clone(),
                earned_c: sum(&here),
                subs: subs.collect(),
                lines: ids(&here),
            });
        }
    }
    cells
}

fn warnings(
    requirements: &[Outcome],
    cells: &[Outcome],
    limits: &[LimitOutcome],
    excluded: &[Excluded],
) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = requirements
        .iter()
        .chain(cells)
        .filter(|outcome| outcome.over_c > 0)
        .map(|outcome| Warning {
            code: "over_max",
            about: outcome.id.clone(),
            zh: format!("{}：{}", outcome.zh, outcome.text_zh),
            en: format!("{}: {}", outcome.en, outcome.text_en),
            lines: outcome.lines.clone(),
        })
        .collect();
    warnings.extend(limits.iter().filter(|limit| !limit.met).map(|limit| Warning {
        code: "limit",
        about: limit.id.clone(),
        zh: limit.text_zh.clone(),
        en: limit.text_en.clone(),
        lines: limit.lines.clone(),
    }));
    let reasons: BTreeSet<Reason> = excluded.iter().map(|each| each.reason).collect();
    for reason in reasons {
        let lines: Vec<String> = excluded
            .iter()
            .filter(|each| each.reason == reason)
            .map(|each| each.id.clone())
            .collect();
        warnings.push(Warning {
            code: "excluded",
            about: format!("{reason:?}"),
            zh: format!("{} 条不计学分：{}", lines.len(), reason.zh()),
            en: format!("{} lines count zero: {}", lines.len(), reason.en()),
            lines,
        });
    }
    warnings
}

fn cell_names(rules: &RuleSet, cell: &Cell) -> (String, String) {
    let category = rules.category(&cell.category);
    let sub = cell
        .sub
        .as_ref()
        .and_then(|sub| category?.subs.iter().find(|known| known.id == *sub));
    let channel = rules.channel(&cell.channel);
    let name = |channel: Option<&str>, category: Option<&str>, sub: Option<&str>| {
        [channel, category, sub]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · ")
    };
    (
        name(
            channel.map(|each| each.zh.as_str()),
            category.map(|each| each.zh.as_str()),
            sub.map(|each| each.zh.as_str()),
        ),
        name(
            channel.map(|each| each.en.as_str()),
            category.map(|each| each.en.as_str()),
            sub.map(|each| each.en.as_str()),
        ),
    )
}

fn labelled(id: &str, zh: &str, en: &str, note_zh: &str, note_en: &str) -> Labelled {
    Labelled {
        id: id.to_owned(),
        zh: zh.to_owned(),
        en: en.to_owned(),
        note_zh: note_zh.to_owned(),
        note_en: note_en.to_owned(),
    }
}
