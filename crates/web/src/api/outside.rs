//! `POST /api/v1/outside-hours`: class-hours that teachers earned outside their school, from the system that knows them.
//! They go to the schools as lines to be registered; no credit is given by it.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use node::office::{self, By, OutsideInput, ToldHours};
use node::tokens::Scope;
use node::{Error, Filter, Node};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use super::Caller;
use super::problem::{Problem, Wrong};
use crate::page;

/// Rows of one call at most.
const ROWS: usize = 500;
/// Longest key, in characters.
const KEY_CHARS: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    key: String,
    rows: Vec<SentRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentRow {
    #[serde(default, deserialize_with = "present")]
    person: Option<String>,
    #[serde(default, deserialize_with = "present")]
    teacher_code: Option<String>,
    #[serde(default, deserialize_with = "present")]
    school: Option<String>,
    project: String,
    organiser: String,
    from: String,
    #[serde(default, deserialize_with = "present")]
    until: Option<String>,
    form: String,
    category: String,
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    channel: String,
    #[serde(deserialize_with = "whole")]
    hours_c: i64,
}

/// What is left out is absent; `null` is no text.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

/// A whole number, however JSON writes it: `150`, `150.0` and `1.5e2` are one.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let real = || number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15);
    let read = number.as_i64().or_else(|| real().map(|n| n as i64));
    read.ok_or_else(|| serde::de::Error::custom("a whole number is wanted"))
}

/// `POST /api/v1/outside-hours`
pub(super) async fn receive(
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    caller.need(Scope::WriteOutsideHours).await?;
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::media_type());
    }
    let body = body?;
    let sent: Sent = serde_json::from_slice(&body).map_err(|fault| {
        Problem::bad_request(
            format!("内容不是所要的 JSON：{fault}"),
            format!("The content is not the JSON that is wanted: {fault}"),
        )
    })?;
    let key = sent.key.trim().to_owned();
    let mut wrong = Vec::new();
    if key.is_empty() || key.chars().count() > KEY_CHARS || key.chars().any(char::is_control) {
        wrong.push(said(
            None,
            "key",
            "请给一个 1 到 100 字的键",
            "Give a key of 1 to 100 characters",
        ));
    }
    if !(1..=ROWS).contains(&sent.rows.len()) {
        wrong.push(said(None, "rows", "一次 1 到 500 行", "1 to 500 rows at a time"));
    }
    if !wrong.is_empty() {
        return Err(Problem::content(wrong));
    }
    let (digest, token, label) = (
        Sha256::digest(&body).to_vec(),
        caller.token.id.clone(),
        caller.token.label.clone(),
    );
    let done = caller
        .app
        .run(move |n| {
            if let Some((before, answer)) = node::tokens::answered(n, &token, &key)? {
                return Ok(Ok((before == digest, StatusCode::OK, answer)));
            }
            let rows = match resolve(n, sent.rows)? {
                Ok(rows) => rows,
                Err(wrong) => return Ok(Err(wrong)),
            };
            let by = By {
                account: format!("API：{label}"),
            };
            let new = match office::tell_outside(n, &by, &label, &rows) {
                Ok(new) => new,
                Err(Error::Invalid(faults)) => {
                    let wrong = faults.iter().map(|f| said(None, &f.field, &f.zh, &f.en));
                    return Ok(Err(wrong.collect()));
                }
                Err(other) => return Err(other),
            };
            let answer = serde_json::json!({
                "key": key, "received": rows.len(), "new": new, "already": rows.len() - new
            });
            node::tokens::note_answer(n, &token, &key, &digest, &answer.to_string(), page::now())?;
            Ok(Ok((true, StatusCode::CREATED, answer.to_string())))
        })
        .await?;
    match done {
        Err(wrong) => Err(Problem::content(wrong)),
        Ok((false, ..)) => Err(Problem::conflict(
            "这个键已经用过，内容不同；什么也没有写入。请换一个键",
            "This key was used with another content; nothing was written. Take another key",
        )),
        Ok((true, status, answer)) => {
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_default();
            Ok((status, Json(answer)).into_response())
        }
    }
}

fn said(row: Option<usize>, field: &str, zh: &str, en: &str) -> Wrong {
    Wrong {
        row,
        field: field.to_owned(),
        detail: en.to_owned(),
        detail_zh: zh.to_owned(),
    }
}

/// Whose each row is, and what it says; or all that is wrong with them.
fn resolve(node: &Node, sent: Vec<SentRow>) -> Result<Result<Vec<ToldHours>, Vec<Wrong>>, Error> {
    // (school, id) of everybody, by id and by code.
    let mut known: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for person in node.records(&Filter::kind("person"))? {
        let place = (person.school.clone().unwrap_or_default(), person.id.clone());
        let code = person.text("teacher_code");
        if !code.is_empty() {
            known
                .entry(format!("code {code}"))
                .or_default()
                .push(place.clone());
        }
        known.entry(format!("id {}", person.id)).or_default().push(place);
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for (at, row) in sent.into_iter().enumerate() {
        let mut fail = |field: &str, zh: &str, en: &str| wrong.push(said(Some(at), field, zh, en));
        let (field, name) = match (&row.person, &row.teacher_code) {
            (Some(id), None) => ("person", format!("id {id}")),
            (None, Some(code)) => ("teacher_code", format!("code {}", code.trim())),
            _ => {
                fail(
                    "person",
                    "person 和 teacher_code 写一个，只写一个",
                    "Give either person or teacher_code",
                );
                continue;
            }
        };
        let wanted = |place: &&(String, String)| row.school.as_ref().is_none_or(|school| place.0 == *school);
        let found: Vec<_> = known.get(&name).into_iter().flatten().filter(wanted).collect();
        let training = OutsideInput {
            project: row.project.trim().to_owned(),
            organiser: row.organiser.trim().to_owned(),
            from: row.from.trim().to_owned(),
            until: row.until.as_deref().unwrap_or_default().trim().to_owned(),
            form: row.form.clone(),
            category: row.category.clone(),
            sub: row.sub.clone().unwrap_or_default(),
            channel: row.channel.clone(),
            hours_c: row.hours_c,
        };
        match found.as_slice() {
            [place] => rows.push(ToldHours {
                school: place.0.clone(),
                person: place.1.clone(),
                training: training.clone(),
            }),
            [] => fail(field, "没有这位教师", "There is no such teacher"),
            _ => fail(
                field,
                "有几位教师符合，请写明 school",
                "Several teachers fit; give the school",
            ),
        }
        if training.hours_c <= 0 {
            fail("hours_c", "学时应大于 0", "Class-hours are above 0");
        }
        for fault in office::check_outside(&training) {
            // The form's own names of these two.
            let field = match fault.field.as_str() {
                "title" => "project",
                "date" => "from",
                other => other,
            };
            fail(field, &fault.zh, &fault.en);
        }
    }
    Ok(if wrong.is_empty() { Ok(rows) } else { Err(wrong) })
}
