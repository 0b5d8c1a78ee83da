//! What several observers say of one lesson. That they differ is no conflict: each opinion counts as one, and
//! nothing is averaged into a rank unless a rule set says so (domain.md §3.5, no. 9).

use records::kinds::FieldType;
use records::{Lang, Value};

use super::titles::Titles;
use crate::{Error, Filter, Node};

/// All opinions on a lesson, and what lies between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opinions {
    /// One for each observation that is not void, by its date.
    pub each: Vec<Opinion>,
    /// Mean of the points that were given, in hundredths, rounded down.
    pub mean_c: Option<i64>,
    /// The fewest and the most points.
    pub range: Option<(i64, i64)>,
}

/// One observer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Record id of the observation.
    pub id: String,
    /// 听课人.
    pub observer: String,
    /// 听课人身份, in Chinese and English.
    pub role: [String; 2],
    /// 总分.
    pub points: Option<i64>,
    /// 总评, in Chinese and English; empty when there is none.
    pub overall: [String; 2],
    /// 授课教师意见.
    pub response: String,
    /// 待核: two devices say different things about it; its points are in neither mean nor range.
    pub disputed: bool,
}

/// The opinions on a lesson, of its own school's observers.
pub fn opinions(node: &Node, lesson: &str) -> Result<Opinions, Error> {
    let kinds = node.kinds();
    let school = node
        .record(lesson)?
        .and_then(|lesson| lesson.school)
        .unwrap_or_default();
    let mut titles = Titles::new(node, &kinds);
    let mut all = Opinions::default();
    for record in node.records(&Filter::kind("observation").about(lesson).school(&school))? {
        if record.text("state") == "void" {
            continue;
        }
        let form = kinds.get(record.text("_kind"));
        let code = |field: &str| {
            let known = form
                .and_then(|form| form.field(field))
                .filter(|f| f.field_type == FieldType::Code);
            let value = record.fields.get(field);
            [Lang::Zh, Lang::En].map(|lang| match (known, value) {
                (Some(known), Some(value)) => known.show(value, lang),
                _ => value.map(Value::to_string).unwrap_or_default(),
            })
        };
        all.each.push(Opinion {
            id: record.id.clone(),
            observer: titles.named("person", record.text("observer"))?[0].clone(),
            role: code("observer_role"),
            points: record.fields.get("points").and_then(Value::as_int),
            overall: code("overall"),
            response: record.text("response").to_owned(),
            disputed: record.disputed,
        });
    }
    let points = || {
        all.each
            .iter()
            .filter(|one| !one.disputed)
            .filter_map(|one| one.points)
    };
    let (sum, many) = (points().sum::<i64>(), points().count() as i64);
    all.range = points().min().zip(points().max());
    all.mean_c = (many > 0).then(|| sum * 100 / many);
    Ok(all)
}
