//! Whether a kind makes sense in itself: what is asked of its file before anybody records with it.

use std::collections::BTreeSet;

use super::schema::{Field, FieldType, Kind, KindsError, Need, Problem, States};

type Checked = Result<(), KindsError>;

impl Kind {
    pub(super) fn self_check(&self) -> Checked {
        if !is_name(&self.id) {
            return self.wrong(
                "id 只能用小写字母、数字和下划线，并以字母开头",
                "the id must be lower-case letters, digits and _",
            );
        }
        if self.version == 0 {
            return self.wrong("version 从 1 起", "versions start at 1");
        }
        if self.zh.is_empty() || self.en.is_empty() {
            return self.wrong("中文名（zh）和英文名（en）都要写", "both labels are needed");
        }
        if !is_name(&self.document) {
            return self.wrong(
                "document 要写明放在哪类文档，如 log",
                "the document family is missing",
            );
        }
        if self.writers.is_empty() {
            return self.wrong("writers 要写明谁登记，如 school", "nobody may write it");
        }
        if self.fields.is_empty() {
            return self.wrong("至少要有一个栏目 [[field]]", "it has no fields");
        }
        let mut seen = BTreeSet::new();
        for field in &self.fields {
            if !seen.insert(field.id.as_str()) {
                return self.field_wrong(field, "这个 id 用了两次，请改一个", "is there twice");
            }
            self.check_field(field)?;
        }
        self.check_view()?;
        match &self.states {
            Some(states) => self.check_states(states),
            None => Ok(()),
        }
    }

    fn check_view(&self) -> Checked {
        let view = &self.view;
        for (column, wanted) in [
            (&view.person, &[FieldType::Ref][..]),
            (&view.about, &[FieldType::Ref]),
            (&view.date, &[FieldType::Date]),
            (&view.title, &[FieldType::Text, FieldType::Code, FieldType::Ref]),
        ] {
            if let Some(id) = column
                && self
                    .field(id)
                    .is_none_or(|field| !wanted.contains(&field.field_type))
            {
                return self.wrong(
                    "[view] 指的栏目不存在，或类型不对（person、about 要 ref，date 要 date）",
                    "a view column names no field of the right type",
                );
            }
        }
        Ok(())
    }

    fn check_states(&self, states: &States) -> Checked {
        let codes: BTreeSet<&str> = match self.field(&states.field) {
            Some(field) if field.field_type == FieldType::Code => {
                field.codes.iter().map(|code| code.id.as_str()).collect()
            }
            _ => {
                return self.wrong(
                    "[states] 的 field 要指一个 code 栏目",
                    "the state field is no code field",
                );
            }
        };
        let known = |state: &String| codes.contains(state.as_str());
        if states.initial.is_empty() || !states.initial.iter().all(known) {
            return self.wrong(
                "[states] 的 initial 没有写，或不在状态选项里",
                "an initial state is missing or unknown",
            );
        }
        if !states.closed.iter().all(known) {
            return self.wrong("[states] 的 closed 不在状态选项里", "a closed state is unknown");
        }
        let of_type = |id: &Option<String>, wanted| {
            id.as_ref()
                .is_none_or(|id| self.field(id).is_some_and(|field| field.field_type == wanted))
        };
        if !of_type(&states.reason, FieldType::Text) || !of_type(&states.round, FieldType::Int) {
            return self.wrong(
                "[states] 的 reason 要指一个 text 栏目，round 要指一个 int 栏目",
                "reason must name a text field and round an int field",
            );
        }
        for each in &states.moves {
            let from_known = each.from.iter().all(|from| from == "*" || known(from));
            if each.to.is_empty() || each.from.is_empty() || !from_known || !each.to.iter().all(known) {
                return self.wrong(
                    "[[states.move]] 的 from 或 to 不在状态选项里",
                    "a move names an unknown state",
                );
            }
            if (each.reason && states.reason.is_none()) || (each.again && states.round.is_none()) {
                return self.wrong(
                    "用 reason = true 要在 [states] 写明 reason 栏目，用 again = true 要写明 round 栏目",
                    "a move that takes a reason or counts a round needs the field for it in [states]",
                );
            }
            if !each.needs.iter().all(|need| self.is_sound(need)) {
                return self.wrong(
                    "[[states.move]] 的 needs 每项要么写 field（本表的栏目），要么写 record 和 zh、en",
                    "each need names a field of this kind, or a record with both labels",
                );
            }
        }
        Ok(())
    }

    fn is_sound(&self, need: &Need) -> bool {
        match (&need.field, &need.record) {
            (Some(field), None) => self.field(field).is_some() && need.wanted.is_empty() && !need.binds,
            (None, Some(_)) => !need.zh.is_empty() && !need.en.is_empty(),
            _ => false,
        }
    }

    fn check_field(&self, field: &Field) -> Checked {
        let wrong = |zh, en| self.field_wrong(field, zh, en);
        if !is_name(&field.id) {
            return wrong(
                "id 只能用小写字母、数字和下划线，并以字母开头",
                "the id must be lower-case letters, digits and _, and begin with a letter",
            );
        }
        if field.zh.is_empty() || field.en.is_empty() {
            return wrong("中文名（zh）和英文名（en）都要写", "needs both labels");
        }
        let is_text = field.field_type == FieldType::Text;
        let is_number = matches!(field.field_type, FieldType::Int | FieldType::Hundredths);
        match (is_text, field.max_len) {
            (true, None) => return wrong("文字栏目要写 max_len（最多几个字）", "a text needs max_len"),
            (true, Some(max)) if max == 0 || max > MAX_LEN || max < field.min_len => {
                return wrong(
                    "max_len 应在 1 到 60000 之间，且不小于 min_len",
                    "max_len makes no sense",
                );
            }
            (false, Some(_)) => return wrong("max_len 只用于文字栏目", "max_len is for text"),
            _ => {}
        }
        if !is_text && (field.format.is_some() || field.min_len > 0) {
            return wrong(
                "format 和 min_len 只用于文字栏目",
                "format and min_len are for text",
            );
        }
        if !is_number && (field.max.is_some() || field.step.is_some()) {
            return wrong("max 和 step 只用于数字栏目", "max and step are for numbers");
        }
        if field.step.is_some_and(|step| step < 1) || field.max.is_some_and(|max| max < 1) {
            return wrong("max 和 step 应大于 0", "max and step must be above zero");
        }
        let coded = matches!(field.field_type, FieldType::Code | FieldType::Codes);
        if coded == field.codes.is_empty() {
            return wrong(
                "code、codes 类型要列出选项 codes，其他类型不能有",
                "a code field needs codes, and only a code field has them",
            );
        }
        let mut seen = BTreeSet::new();
        if field.codes.iter().any(|code| {
            code.id.is_empty()
                || code.id.contains(' ')
                || code.zh.is_empty()
                || code.en.is_empty()
                || !seen.insert(&code.id)
        }) {
            return wrong(
                "选项的 id、zh、en 都要写，id 不能重复，也不能有空格",
                "a code is empty, unlabelled or there twice",
            );
        }
        if (field.field_type == FieldType::Ref) == field.ref_kind.is_none() {
            return wrong(
                "ref 类型要写明 ref（引用哪种表单），其他类型不能有",
                "a ref field needs ref, and only a ref field has it",
            );
        }
        Ok(())
    }

    fn wrong(&self, zh: &'static str, en: &'static str) -> Checked {
        Err(KindsError::Kind {
            kind: self.reference(),
            problem: Problem { zh, en },
        })
    }

    fn field_wrong(&self, field: &Field, zh: &'static str, en: &'static str) -> Checked {
        Err(self.field_error(field, zh, en))
    }
}

/// Characters of the longest text: a published rule set.
const MAX_LEN: usize = 60_000;

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
