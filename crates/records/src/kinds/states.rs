//! Where a record stands, which steps lead on from there, and why one is not allowed: one pure function for
//! every kind. The states, the steps and their conditions are data of the kind (domain.md §3.4).
//!
//! A record stands where its state field says, and further where the word of another authority has taken it: a
//! school hands in a filing package, and the county's record about it (which binds its content, see
//! [`crate::record_digest_with`]) makes it 已备案. Such a word holds as long as the content is the one it binds.

#[cfg(test)]
mod tests;

use super::schema::{Actor, Elsewhere, Kind, Move, Need, States};
use super::{BINDS, FieldError, Kinds};
use crate::digest::record_digest_with;
use crate::lang::Lang;
use crate::value::{Fields, Value};

/// The field of a word from elsewhere that takes its reason.
const REASON: &str = "reason";

/// A record that names the one in question in its `about` column.
#[derive(Debug, Clone, Copy)]
pub struct Related<'a> {
    /// Kind id.
    pub kind: &'a str,
    /// Its fields.
    pub fields: &'a Fields,
    /// Two devices say different things about it: it makes nothing true.
    pub disputed: bool,
}

/// A record with what stands around it.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// All kinds.
    pub kinds: &'a Kinds,
    /// The record's kind.
    pub kind: &'a Kind,
    /// Its fields.
    pub fields: &'a Fields,
    /// Whether it is in dispute.
    pub disputed: bool,
    /// The records about it.
    pub related: &'a [Related<'a>],
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The state's code.
    pub state: &'a str,
    /// The record in [`Scene::related`] whose word made the last step, if one did.
    pub by: Option<usize>,
    /// 审后改动: there is a word on it, but on other content.
    pub stale: bool,
    /// 待核: there are two different words on it; none holds.
    pub differ: bool,
    /// 已变更（待重签）: it came here by signatures, and they are on other content.
    pub unsigned: bool,
}

/// A step that leads on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// The state it leads to.
    pub to: &'a str,
    /// What it is called, in Chinese.
    pub zh: &'a str,
    /// The same in English.
    pub en: &'a str,
    /// Whether a reason must be given.
    pub reason: bool,
    /// The record elsewhere that makes it; such a step is never written here.
    pub elsewhere: Option<&'a Elsewhere>,
    /// Who may do it; empty: whoever may write the record.
    pub who: &'a [Actor],
    /// Why it is not allowed now; empty = it is.
    pub refused: Vec<FieldError>,
}

impl<'a> Scene<'a> {
    /// Where the record stands; `None` for a kind without states, or without a state in the record.
    pub fn standing(&self) -> Option<Standing<'a>> {
        let states = self.kind.states.as_ref()?;
        let mut standing = Standing {
            state: self.fields.get(&states.field)?.as_text()?,
            by: None,
            stale: false,
            differ: false,
            unsigned: false,
        };
        let digest = record_digest_with(self.kinds, self.fields);
        // Each step leads to a state that was not passed yet; a file with a circle ends here all the same.
        for _ in 0..=states.moves.len() {
            let mut made: Option<(usize, &str)> = None;
            for (at, word) in self.related.iter().enumerate() {
                let Some((to, _)) = self.made_by(states, standing.state, word) else {
                    continue;
                };
                if word.fields.get(BINDS).and_then(Value::as_text) != Some(digest.as_str()) {
                    standing.stale = true;
                } else if word.disputed || made.is_some_and(|(_, other)| other != to) {
                    standing.differ = true;
                } else {
                    made = Some((at, to));
                }
            }
            match made {
                Some((at, to)) if !standing.differ => {
                    standing = Standing {
                        state: to,
                        by: Some(at),
                        stale: false,
                        differ: false,
                        unsigned: false,
                    };
                }
                _ => break,
            }
        }
        standing.unsigned = self.lacks_signature(states, standing.state);
        Some(standing)
    }

    /// Whether every step that leads to this state asks for a signature, and none of them has all of its own on
    /// the present content.
    fn lacks_signature(&self, states: &States, state: &str) -> bool {
        let mut leading = states
            .moves
            .iter()
            .filter(|each| each.to.iter().any(|to| to == state))
            .peekable();
        let lacks = |each: &Move| each.needs.iter().any(|need| need.binds && !self.has(need));
        leading.peek().is_some() && leading.all(lacks)
    }

    /// The step that another record makes from a state, if it makes one.
    fn made_by(&self, states: &'a States, state: &str, word: &Related<'_>) -> Option<(&'a str, &'a Move)> {
        states.moves.iter().find_map(|each| {
            let by = each.by.as_ref()?;
            let says = by.kind == word.kind
                && word.fields.get(&by.field).and_then(Value::as_text) == Some(by.value.as_str());
            let to = each.to.iter().find(|to| each.leads(state, to))?;
            says.then_some((to.as_str(), each))
        })
    }

    /// Every step that leads on from where the record stands, with the reasons against it.
    pub fn steps(&self, actor: Actor) -> Vec<Step<'a>> {
        let (Some(states), Some(standing)) = (&self.kind.states, self.standing()) else {
            return Vec::new();
        };
        let mut steps: Vec<Step<'a>> = Vec::new();
        for each in &states.moves {
            for to in each.to.iter().filter(|to| each.leads(standing.state, to)) {
                if steps.iter().any(|step| step.to == to) {
                    continue;
                }
                let code = self.kind.field(&states.field).and_then(|field| field.code(to));
                let own = |own: &'a str, label: Option<&'a String>| match label {
                    Some(label) if own.is_empty() => label.as_str(),
                    _ => own,
                };
                steps.push(Step {
                    to,
                    zh: own(&each.zh, code.map(|code| &code.zh)),
                    en: own(&each.en, code.map(|code| &code.en)),
                    reason: each.reason,
                    elsewhere: each.by.as_ref(),
                    who: &each.who,
                    refused: self.against(states, each, &standing, actor),
                });
            }
        }
        steps
    }

    /// What a step writes into the record, or why it is not allowed. A reason that was typed is kept also
    /// where none is asked for; an old one does not stay behind.
    pub fn take(
        &self,
        actor: Actor,
        to: &str,
        reason: &str,
    ) -> Result<Vec<(String, Option<Value>)>, Vec<FieldError>> {
        let (Some(states), Some(standing)) = (&self.kind.states, self.standing()) else {
            let (zh, en) = ("这种记录没有状态", "Records of this kind have no states");
            return Err(vec![FieldError::new("state", zh, en)]);
        };
        let found = states.moves.iter().find(|each| each.leads(standing.state, to));
        let Some(step) = found.filter(|each| each.by.is_none()) else {
            let label = |code: &str, lang| self.kind.code_label(&states.field, code, lang).to_owned();
            return Err(vec![FieldError::new(
                &states.field,
                format!(
                    "现在是“{}”，不能改为“{}”；请刷新后再看",
                    label(standing.state, Lang::Zh),
                    label(to, Lang::Zh)
                ),
                format!(
                    "it stands at “{}”, from where no step here leads to “{}”; reload the page",
                    label(standing.state, Lang::En),
                    label(to, Lang::En)
                ),
            )]);
        };
        let mut refused = self.against(states, step, &standing, actor);
        let reason = reason.trim();
        if step.reason && reason.is_empty() {
            let (zh, en) = ("请写明理由", "Give a reason");
            refused.push(FieldError::new("reason", zh, en));
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        let mut edits = vec![(states.field.clone(), Some(Value::from(to)))];
        if let Some(field) = &states.reason {
            edits.push((field.clone(), (!reason.is_empty()).then(|| Value::from(reason))));
        }
        if let Some(field) = states.round.as_ref().filter(|_| step.again) {
            let round = self.fields.get(field).and_then(Value::as_int).unwrap_or(0);
            edits.push((field.clone(), Some(Value::from(round.saturating_add(1)))));
        }
        Ok(edits)
    }

    /// Whether the word of another authority may be said now: a record of `kind` about this one, with these
    /// fields. A kind that makes no step here may always be written.
    pub fn word(&self, actor: Actor, kind: &str, fields: &Fields) -> Result<(), Vec<FieldError>> {
        let (Some(states), Some(standing)) = (&self.kind.states, self.standing()) else {
            return Ok(());
        };
        let said = |by: &Elsewhere| fields.get(&by.field).and_then(Value::as_text) == Some(by.value.as_str());
        let words = || {
            let of_kind = |each: &&Move| each.by.as_ref().is_some_and(|by| by.kind == kind);
            states.moves.iter().filter(of_kind)
        };
        let Some(field) = words().find_map(|each| each.by.as_ref()).map(|by| &by.field) else {
            return Ok(());
        };
        let leads = |each: &&Move| each.to.iter().any(|to| each.leads(standing.state, to));
        let step = words().find(|each| leads(each) && each.by.as_ref().is_some_and(said));
        let Some(step) = step else {
            let at = self.kind.code_label(&states.field, standing.state, Lang::Zh);
            let en = self.kind.code_label(&states.field, standing.state, Lang::En);
            return Err(vec![FieldError::new(
                field,
                format!("“{}”现在是“{at}”，不能这样办", self.kind.zh),
                format!("{} stands at “{en}”; this cannot be said of it now", self.kind.en),
            )]);
        };
        let mut against = self.against(states, step, &standing, actor);
        against.iter_mut().for_each(|each| each.field.clone_from(field));
        let given = fields.get(REASON).and_then(Value::as_text);
        if step.reason && given.is_none_or(|reason| reason.trim().is_empty()) {
            against.push(FieldError::new(REASON, "请写明理由", "Give a reason"));
        }
        if against.is_empty() { Ok(()) } else { Err(against) }
    }

    fn against(
        &self,
        states: &States,
        step: &Move,
        standing: &Standing<'_>,
        actor: Actor,
    ) -> Vec<FieldError> {
        let mut against = Vec::new();
        let mut say = |field: &str, zh: String, en: String| against.push(FieldError::new(field, zh, en));
        if self.disputed || standing.differ {
            say(
                &states.field,
                "内容有两种说法（待核），先选定一种".into(),
                "two devices say different things; choose first".into(),
            );
        }
        if !step.who.is_empty() && !step.who.contains(&actor) {
            let names = |lang, between: &str| -> String {
                step.who
                    .iter()
                    .map(|who| who.label(lang))
                    .collect::<Vec<_>>()
                    .join(between)
            };
            say(
                &states.field,
                format!("由{}来做", names(Lang::Zh, "或")),
                format!("is done by {}", names(Lang::En, " or ")),
            );
        }
        for need in step.needs.iter().filter(|need| !self.has(need)) {
            match need.field.as_ref().and_then(|id| self.kind.field(id)) {
                Some(field) => say(
                    &field.id,
                    format!("还没有填“{}”", field.zh),
                    format!("“{}” is still empty", field.en),
                ),
                None => say(
                    &states.field,
                    format!("还没有：{}", need.zh),
                    format!("still missing: {}", need.en),
                ),
            }
        }
        against
    }

    /// Whether what a step needs is there.
    fn has(&self, need: &Need) -> bool {
        if let Some(field) = &need.field {
            return match self.fields.get(field) {
                Some(Value::Text(text)) => !text.trim().is_empty(),
                Some(Value::Bool(flag)) => *flag,
                Some(Value::Int(_)) => true,
                None => false,
            };
        }
        let digest = need.binds.then(|| record_digest_with(self.kinds, self.fields));
        self.related.iter().any(|record| {
            let says = |(field, value): (&String, &String)| {
                record
                    .fields
                    .get(field)
                    .is_some_and(|said| said.to_string() == *value)
            };
            Some(record.kind) == need.record.as_deref()
                && !record.disputed
                && need.wanted.iter().all(says)
                && (digest.is_none()
                    || record.fields.get(BINDS).and_then(Value::as_text) == digest.as_deref())
        })
    }
}
