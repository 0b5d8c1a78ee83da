//! One conflict laid out: every value with who said it, and the evidence beside it.

use std::collections::{BTreeSet, HashMap};

use records::{Kinds, Lang, Value, show_hundredths};

use super::find::content;
use super::settle::{BOTH, SAME, as_text, live_claims, marks_of};
use super::{Choice, Conflict, Found, Matter, Proof, Said};
use crate::office::claims::{Weighed, weigh};
use crate::office::entries::reference;
use crate::office::lookup::Row;
use crate::office::organisations::organisation_names;
use crate::office::titles::Titles;
use crate::{Act, Error, Filter, Node, Record};

/// An open conflict with all that a person needs to choose.
pub fn conflict(node: &Node, found: &Found) -> Result<Conflict, Error> {
    let mut one = conflicts(node, std::slice::from_ref(found))?;
    one.pop().ok_or_else(|| Error::Unreadable(found.name()))
}

/// The same of several, which cost little more than one where they stand in the same documents.
pub fn conflicts(node: &Node, found: &[Found]) -> Result<Vec<Conflict>, Error> {
    let kinds = node.kinds();
    let records: Vec<Vec<Record>> = found
        .iter()
        .map(|one| records_of(node, one))
        .collect::<Result<_, _>>()?;
    let all: Vec<&Record> = records.iter().flatten().collect();
    let pasts = node.histories(&all)?;
    let pasts: HashMap<&str, Vec<Act>> = all.iter().map(|record| record.id.as_str()).zip(pasts).collect();
    let names = organisation_names(node)?;
    let mut shown = Vec::new();
    for (found, records) in found.iter().zip(&records) {
        let mut view = View {
            titles: Titles::new(node, &kinds),
            node,
            kinds: &kinds,
            found,
            records,
            pasts: &pasts,
        };
        let mut evidence = Vec::new();
        for id in view.proved()? {
            for record in node.records(
                &Filter::kind("evidence")
                    .about(&id)
                    .school(&found.side(&id).school),
            )? {
                evidence.push(view.proof(&record)?);
            }
        }
        shown.push(Conflict {
            school_name: names.get(&found.school).cloned().unwrap_or_default(),
            title: view.title()?,
            why: match view.is_visit() {
                true => [
                    "送教专家的记录和本校的活动日期、主题相近，可能是同一件事；送教记录本身不给学分，不会重复计学时。",
                    "A mentor’s sheet and a session of the school: near in date and theme, perhaps the same work. The sheet gives no credit, so nothing counts twice.",
                ],
                false if found.there.is_some() => [
                    "两个名字下登记了同一时间的活动，两所学校互相看不到；选定之前只认定一场。如果时间其实不冲突，请学校补上开始和结束时间，这一条会自己消失。",
                    "Sessions of one time under two names of one person, at schools that do not read one another; until it is settled one is recognised. If the times do not collide, have the schools enter when each began and ended, and this goes away.",
                ],
                false => why(found.matter),
            }
            .map(str::to_owned),
            links: view.links()?,
            choices: view.choices()?,
            evidence,
            here: found.settled_here(node),
            found: found.clone(),
        });
    }
    Ok(shown)
}

/// The records that say what is in question.
fn records_of(node: &Node, found: &Found) -> Result<Vec<Record>, Error> {
    let mut named = Vec::new();
    match found.matter {
        Matter::Mark => return marks_of(node, found, &found.about),
        Matter::Claims => return live_claims(node, found),
        Matter::Decision => {
            return node.records(&Filter::kind("decision").about(&found.about).school(&found.school));
        }
        Matter::Value => named.push(&found.about),
        Matter::Duplicate | Matter::Overlap | Matter::Groups => named.extend([&found.about, &found.other]),
        Matter::Signature => {}
    }
    let mut records = Vec::new();
    for id in named {
        records.extend(node.record(id)?);
    }
    Ok(records)
}

/// What contradicts what, and what it does to the totals meanwhile.
fn why(matter: Matter) -> [&'static str; 2] {
    match matter {
        Matter::Mark => [
            "同一个人的考勤有两种记录，选定之前不给学分。",
            "Two marks for one person; no credit before one is chosen.",
        ],
        Matter::Value => [
            "两台设备在同一栏写了不同内容，选定之前不计数。",
            "Two devices wrote different values in one field; it counts nothing before one is chosen.",
        ],
        Matter::Duplicate => [
            "同一天、参加人和名称都相近，可能是同一场活动登记了两次；选定之前同一个人只认定一场。",
            "One day, much the same people and title: perhaps one session entered twice. Until it is settled only one of them is recognised for a person.",
        ],
        Matter::Overlap => [
            "同一个人同一时间不能参加两场；选定之前只认定一场，另一场等审核。",
            "Nobody is at two places at one time; until it is settled one is recognised and the other waits.",
        ],
        Matter::Claims => [
            "同一个人同一场活动有两种登记，一个学时只能在一个渠道计一次；选定之前都不计。",
            "Two different claims for one person and session; an hour counts once, in one channel. None counts before one is chosen.",
        ],
        Matter::Decision => [
            "审核结论与现在的内容对不上（审后改动，或两位审核员结论不同），重新审核之前不计学分。",
            "The decision does not fit what stands there now (changed afterwards, or two auditors differ); no credit before it is renewed.",
        ],
        Matter::Signature => [
            "签字以后内容又改过，原来的签字不再有效（已变更，待重签）。旧内容在历史里可以查到。",
            "The content was changed after it was signed: the signatures are void until people sign anew. The old text stands in the history.",
        ],
        Matter::Groups => [
            "同一个人同时在两个培养团队（规则 R4：一般同时只在一个）；不影响其他记录。",
            "One person in two teams at a time (rule R4: one at a time as a rule); nothing else is held up.",
        ],
    }
}

struct View<'a> {
    node: &'a Node,
    kinds: &'a Kinds,
    titles: Titles<'a>,
    found: &'a Found,
    /// The records that say what is in question.
    records: &'a [Record],
    /// What was done to each of them.
    pasts: &'a HashMap<&'a str, Vec<Act>>,
}

/// The same in both languages.
fn labelled(label: impl Fn(Lang) -> String) -> [String; 2] {
    [Lang::Zh, Lang::En].map(label)
}

/// All values of a field of a record; `None` stands for an emptied field.
pub(super) fn values_of(record: &Record, field: &str) -> Vec<Option<Value>> {
    let winner = record.fields.get(field).cloned();
    let mut values: Vec<Option<Value>> = record
        .others
        .get(field)
        .into_iter()
        .flatten()
        .cloned()
        .map(Some)
        .collect();
    // An emptied field is not among them.
    if winner.is_none() || values.len() < 2 {
        values.push(None);
    }
    values.sort_by_key(|value| as_text(value.as_ref()));
    values.dedup();
    values
}

impl<'a> View<'a> {
    fn record(&self, id: &str) -> Result<Option<Record>, Error> {
        self.node.record(id)
    }

    fn name_of(&mut self, id: &str) -> Result<[String; 2], Error> {
        self.titles.named("*", id)
    }

    fn title(&mut self) -> Result<[String; 2], Error> {
        let found = self.found;
        let about = self.name_of(&found.about)?;
        let person = self.titles.named("person", &found.person)?;
        let record = self.record(&found.about)?;
        let kind = record
            .as_ref()
            .and_then(|record| self.kinds.get(&reference(record)));
        Ok(match found.matter {
            Matter::Value => {
                let field = kind.and_then(|kind| kind.field(&found.field));
                labelled(|lang| {
                    let form = kind.map_or("", |kind| kind.label(lang));
                    let label = field.map_or(found.field.as_str(), |field| field.label(lang));
                    format!("{form} {} · {label}", about[lang as usize])
                })
            }
            Matter::Duplicate => {
                let other = self.name_of(&found.other)?;
                labelled(|lang| format!("{} ／ {}", about[lang as usize], other[lang as usize]))
            }
            Matter::Decision => {
                let (person, session) = match &record {
                    Some(claim) => (
                        self.titles.named("person", claim.text("person"))?,
                        self.titles.named("session", claim.text("session"))?,
                    ),
                    None => Default::default(),
                };
                labelled(|lang| format!("{} · {}", person[lang as usize], session[lang as usize]))
            }
            Matter::Signature => labelled(|lang| {
                let form = kind.map_or("", |kind| kind.label(lang));
                format!("{form} {}", about[lang as usize])
            }),
            Matter::Groups => person,
            Matter::Mark | Matter::Overlap | Matter::Claims => {
                labelled(|lang| format!("{} · {}", person[lang as usize], about[lang as usize]))
            }
        })
    }

    /// The records whose evidence stands beside the numbers.
    fn proved(&self) -> Result<Vec<String>, Error> {
        let found = self.found;
        let mut ids = vec![found.about.clone()];
        if !found.other.is_empty() {
            ids.push(found.other.clone());
        }
        if let Some(record) = self.record(&found.about)?
            && matches!(record.kind.as_str(), "claim" | "attendance")
        {
            ids.push(record.text("session").to_owned());
        }
        Ok(ids)
    }

    fn links(&mut self) -> Result<Vec<(String, String)>, Error> {
        let mut links = Vec::new();
        for id in [&self.found.about, &self.found.other] {
            let Some(record) = self.record(id)? else {
                continue;
            };
            let (kind, at) = match record.kind.as_str() {
                "attendance" | "claim" => ("session", record.text("session").to_owned()),
                kind => (kind, record.id.clone()),
            };
            let address = match kind {
                "session" => format!("/sessions/{at}"),
                "person" => format!("/teachers/{at}"),
                kind => format!("/records/{kind}/{at}"),
            };
            links.push((address, self.name_of(&at)?[0].clone()));
        }
        links.dedup();
        Ok(links)
    }

    fn proof(&mut self, record: &Record) -> Result<Proof, Error> {
        let field = self
            .kinds
            .get(&reference(record))
            .and_then(|kind| kind.field("evidence_kind"));
        let label = match record.fields.get("evidence_kind") {
            Some(value) => self.titles.shown(field, value)?,
            None => Default::default(),
        };
        Ok(Proof {
            id: record.id.clone(),
            label,
            caption: record.text("caption").to_owned(),
            date: record.text("date").to_owned(),
            hash: record.text("hash").to_owned(),
        })
    }

    fn choices(&mut self) -> Result<Vec<Choice>, Error> {
        match self.found.matter {
            Matter::Mark => self.marks(),
            Matter::Value => self.values(),
            Matter::Duplicate if self.is_visit() => self.visit(),
            Matter::Duplicate | Matter::Overlap => self.sessions(),
            Matter::Claims => self.claims(),
            Matter::Decision => self.decisions(),
            Matter::Groups => self.groups(),
            Matter::Signature => Ok(Vec::new()),
        }
    }

    fn marks(&mut self) -> Result<Vec<Choice>, Error> {
        let mut choices: Vec<Choice> = Vec::new();
        for (mark, acts) in self.with_past() {
            let values = match mark.others.contains_key("status") {
                true => values_of(mark, "status"),
                false => vec![mark.fields.get("status").cloned()],
            };
            for value in values {
                self.add(&mut choices, mark, "status", value, acts)?;
            }
        }
        Ok(choices)
    }

    fn values(&mut self) -> Result<Vec<Choice>, Error> {
        let mut choices = Vec::new();
        for (record, acts) in self.with_past() {
            for value in values_of(record, &self.found.field) {
                self.add(&mut choices, record, &self.found.field, value, acts)?;
            }
        }
        Ok(choices)
    }

    /// The records with what was done to each.
    fn with_past(&self) -> impl Iterator<Item = (&'a Record, &'a [Act])> + use<'a> {
        let pasts = self.pasts;
        self.records.iter().map(|record| {
            let past = pasts.get(record.id.as_str()).map(Vec::as_slice);
            (record, past.unwrap_or_default())
        })
    }

    /// Adds a value of a field, or who else said it to the one that is there.
    fn add(
        &mut self,
        choices: &mut Vec<Choice>,
        record: &Record,
        field: &str,
        value: Option<Value>,
        acts: &[Act],
    ) -> Result<(), Error> {
        let wrote = |act: &&Act| {
            act.fields
                .iter()
                .any(|(name, _, after)| name == field && *after == value)
        };
        let said: Vec<Said> = acts.iter().rev().find(wrote).map(said).into_iter().collect();
        let text = as_text(value.as_ref());
        if let Some(known) = choices.iter_mut().find(|choice| choice.value == text) {
            known.said.extend(said);
            return Ok(());
        }
        let known = self
            .kinds
            .get(&reference(record))
            .and_then(|kind| kind.field(field));
        let label = match &value {
            Some(value) => self.titles.shown(known, value)?,
            None => ["（空）".to_owned(), "(empty)".to_owned()],
        };
        choices.push(Choice {
            value: text,
            label,
            note: Default::default(),
            said,
            reason: false,
        });
        Ok(())
    }

    /// Whether one side is a mentor's sheet.
    fn is_visit(&self) -> bool {
        self.records.iter().any(|record| record.kind == "visit")
    }

    fn visit(&mut self) -> Result<Vec<Choice>, Error> {
        let (mut lines, mut authors) = ([Vec::new(), Vec::new()], Vec::new());
        for (record, acts) in self.with_past() {
            let title = self.name_of(&record.id)?;
            for ((lines, title), lang) in lines.iter_mut().zip(title).zip([Lang::Zh, Lang::En]) {
                lines.push(match record.kind.as_str() {
                    "visit" => format!(
                        "{}“{title}” {}–{}",
                        lang.pick("送教记录", "visit sheet "),
                        record.text("from"),
                        record.text("to")
                    ),
                    _ => format!(
                        "{}“{title}” {} · {} {}",
                        lang.pick("活动", "session "),
                        record.text("date"),
                        show_hundredths(record.int("hours_c")),
                        lang.pick("学时", "class-hours")
                    ),
                });
            }
            authors.extend(acts.iter().find(|act| act.made).map(said));
        }
        let choice = |value: &str, label: [&str; 2], note, said, reason| Choice {
            value: value.to_owned(),
            label: label.map(str::to_owned),
            note,
            said,
            reason,
        };
        let same = [
            "是同一件事：学时按活动计一次，送教记录留作佐证",
            "The same work: the session counts, the sheet stays as its proof",
        ];
        let two = ["是两件不同的事", "Two different things"];
        Ok(vec![
            choice(SAME, same, lines.map(|lines| lines.join(" ／ ")), authors, false),
            choice(BOTH, two, Default::default(), Vec::new(), true),
        ])
    }

    fn sessions(&mut self) -> Result<Vec<Choice>, Error> {
        let found = self.found;
        let duplicate = found.matter == Matter::Duplicate;
        let mut choices = Vec::new();
        for (record, acts) in self.with_past() {
            let present = self.node.records(
                &Filter::kind("attendance")
                    .about(&record.id)
                    .school(&found.side(&record.id).school),
            )?;
            let title = self.name_of(&record.id)?;
            choices.push(Choice {
                value: record.id.clone(),
                label: labelled(|lang| {
                    let title = &title[lang as usize];
                    match (duplicate, lang) {
                        (true, Lang::Zh) => format!("是同一场，以“{title}”为准"),
                        (true, Lang::En) => format!("One session: keep “{title}”"),
                        (false, Lang::Zh) => format!("参加的是“{title}”"),
                        (false, Lang::En) => format!("Was at “{title}”"),
                    }
                }),
                note: self.session_line(record, present.len())?,
                said: acts.iter().find(|act| act.made).map(said).into_iter().collect(),
                reason: false,
            });
        }
        // The county cannot say what happened at the school.
        let home = self.node.home_school().as_deref() == Some(found.school.as_str());
        if home || duplicate {
            choices.push(Choice {
                value: BOTH.to_owned(),
                label: match duplicate {
                    true => ["是两场不同的活动", "Two different sessions"],
                    false => [
                        "两场都参加了（时间不冲突）",
                        "Was at both (the times do not collide)",
                    ],
                }
                .map(str::to_owned),
                note: Default::default(),
                said: Vec::new(),
                reason: true,
            });
        }
        Ok(choices)
    }

    /// Date, time, place, channel, class-hours and people of a session in one line.
    fn session_line(&mut self, record: &Record, marked: usize) -> Result<[String; 2], Error> {
        let host = self.titles.named("organisation", record.text("host"))?;
        let form = self.kinds.get(&reference(record));
        Ok(labelled(|lang| {
            let code = |field: &str| match form {
                Some(form) => form.code_label(field, record.text(field), lang).to_owned(),
                None => record.text(field).to_owned(),
            };
            let time = match (record.text("begins"), record.text("ends")) {
                ("", "") => String::new(),
                (begins, ends) => format!("{begins}–{ends}"),
            };
            let parts = [
                record.text("date").to_owned(),
                time,
                record.text("place").to_owned(),
                host[lang as usize].clone(),
                code("channel"),
                format!(
                    "{} {}",
                    show_hundredths(record.int("hours_c")),
                    lang.pick("学时", "class-hours")
                ),
                format!(
                    "{} {marked} {}",
                    lang.pick("签到", "marked"),
                    lang.pick("人", "people")
                ),
                code("state"),
            ];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join(" · ")
        }))
    }

    fn claims(&mut self) -> Result<Vec<Choice>, Error> {
        let weighed = weigh(self.node, self.records.iter().cloned().map(Row::from).collect())?;
        let mut choices: Vec<(Choice, [String; 6])> = Vec::new();
        for ((_, acts), weighed) in self.with_past().zip(&weighed) {
            let (same, said) = (content(weighed), acts.last().map(said));
            if let Some((known, _)) = choices.iter_mut().find(|(_, known)| *known == same) {
                known.said.extend(said);
                continue;
            }
            let choice = Choice {
                value: weighed.row.id.clone(),
                label: self.claim_line(weighed),
                note: Default::default(),
                said: said.into_iter().collect(),
                reason: false,
            };
            choices.push((choice, same));
        }
        let rules: BTreeSet<&String> = choices.iter().map(|(_, content)| &content[5]).collect();
        if rules.len() > 1 {
            for (choice, content) in &mut choices {
                choice.note = labelled(|lang| format!("{} {}", lang.pick("规则", "rules"), content[5]));
            }
        }
        Ok(choices.into_iter().map(|(choice, _)| choice).collect())
    }

    /// What a claim says, in one line.
    fn claim_line(&self, claim: &Weighed) -> [String; 2] {
        let (row, form) = (&claim.row, self.kinds.get(claim.claim.text("_kind")));
        labelled(|lang| {
            let code = |field: &str, code: &str| match form {
                Some(form) => form.code_label(field, code, lang).to_owned(),
                None => code.to_owned(),
            };
            format!(
                "{} · {} · {} {} · {} {}",
                code("channel", &row.channel),
                code("category", &row.category),
                show_hundredths(row.hours_c),
                lang.pick("学时", "class-hours"),
                show_hundredths(row.credits_c),
                lang.pick("学分", "credits"),
            )
        })
    }

    fn decisions(&mut self) -> Result<Vec<Choice>, Error> {
        let claim = self
            .record(&self.found.about)?
            .into_iter()
            .map(Row::from)
            .collect();
        let Some(weighed) = weigh(self.node, claim)?.pop() else {
            return Ok(Vec::new());
        };
        let now = self.claim_line(&weighed);
        let mut choices: Vec<Choice> = Vec::new();
        for (decision, acts) in self.with_past() {
            let form = self.kinds.get(&reference(decision));
            let renewed = !weighed.decisions_differ && decision.text("verdict") == "recognised";
            let label = labelled(|lang| {
                let verdict = decision.text("verdict");
                let verdict = form.map_or(verdict, |form| form.code_label("verdict", verdict, lang));
                let credits = show_hundredths(decision.int("credits_c"));
                let was = format!("{verdict} {credits} {}", lang.pick("学分", "credits"));
                // What is renewed covers what stands there now, whatever it was before.
                match renewed {
                    true => format!(
                        "{was} → {}{}",
                        lang.pick("按现在的内容认定：", "as it stands now: "),
                        now[lang as usize]
                    ),
                    false => was,
                }
            });
            let said = acts.last().map(said);
            if let Some(known) = choices.iter_mut().find(|choice| choice.label == label) {
                known.said.extend(said);
                continue;
            }
            choices.push(Choice {
                value: decision.id.clone(),
                label,
                note: [
                    format!(
                        "审核日期 {}；{}",
                        decision.text("decided_on"),
                        decision.text("note")
                    ),
                    format!(
                        "decided on {}; {}",
                        decision.text("decided_on"),
                        decision.text("note")
                    ),
                ],
                said: said.into_iter().collect(),
                reason: false,
            });
        }
        if self
            .records
            .iter()
            .all(|decision| decision.text("verdict") != "rejected")
        {
            choices.push(Choice {
                value: "rejected".to_owned(),
                label: ["不予认定", "Reject"].map(str::to_owned),
                note: Default::default(),
                said: Vec::new(),
                reason: true,
            });
        }
        Ok(choices)
    }

    fn groups(&mut self) -> Result<Vec<Choice>, Error> {
        let (mut all, mut authors) = ([Vec::new(), Vec::new()], Vec::new());
        for (record, acts) in self.with_past() {
            let group = self.titles.named("group", record.text("group"))?;
            for (names, name) in all.iter_mut().zip(group) {
                names.push(format!("{name}（{}）", record.text("from")));
            }
            authors.extend(acts.last().map(said));
        }
        Ok(vec![Choice {
            value: BOTH.to_owned(),
            label: ["两边都保留，属实", "Both stand: it is so"].map(str::to_owned),
            note: all.map(|names| names.join(" ／ ")),
            said: authors,
            reason: false,
        }])
    }
}

fn said(act: &Act) -> Said {
    Said {
        by: act.by.clone(),
        device: act.device_label.clone(),
        at: (act.at > 0).then_some(act.at),
    }
}
