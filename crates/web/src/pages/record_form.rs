//! The form of any kind: drawn from the kind's file, with what is wrong beside its field and nothing typed lost.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, EntryInput};
use records::kinds::{BINDS, Field, FieldType};
use records::{Kind, Value};
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::Form;
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::records::{actor, may_enter};
use crate::pages::visits;
use crate::who::{Ctx, Post};

/// How a field is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Draw {
    Line,
    Long,
    Number,
    Date,
    Tick,
    Ticks,
    Select,
    /// What the record is about: shown, and sent along.
    Fixed,
}

/// One field of the form in the page's language.
struct Drawn {
    id: String,
    label: String,
    hint: String,
    required: bool,
    max_len: usize,
    draw: Draw,
    options: Vec<Choice>,
    /// What a fixed field names.
    named: String,
}

#[derive(Template)]
#[template(path = "record_form.html")]
struct FormPage {
    l: Lang,
    c: Chrome,
    f: Form,
    fields: Vec<Drawn>,
    /// Names of the fields shown, for the errors that have no field.
    shown: String,
    back: String,
    /// What the county's file says the form is, when it is newer than the record.
    version: String,
}

impl FormPage {
    fn ticked(&self, field: &str, code: &str) -> bool {
        self.f.all(field).any(|sent| sent == code)
    }
}

#[derive(Deserialize)]
pub(crate) struct Begin {
    #[serde(default)]
    about: String,
    /// A field and the value that it begins with: the word that a button stands for.
    #[serde(default)]
    set: String,
    #[serde(default)]
    to: String,
}

/// Says that a form is about one record from the beginning: another cannot be chosen in it.
const FIXED: &str = "_fixed";

/// `GET /records/{kind}/new`
pub(crate) async fn new(
    ctx: Ctx,
    Path(kind): Path<String>,
    Query(Begin { about, set, to }): Query<Begin>,
) -> Result<Response, Fault> {
    let form = form_of(&ctx, &kind)?;
    let mut pairs = vec![(set, to)];
    if let Some(field) = form.view.about.as_deref().filter(|_| !about.is_empty()) {
        pairs.push((field.to_owned(), about));
        pairs.push((FIXED.to_owned(), "1".to_owned()));
    }
    let today = form.view.date.iter().map(|field| (field.clone(), page::today()));
    pairs.extend(today);
    form_page(&ctx, &form, Form::new(pairs), None).await
}

/// The form of a new record that begins with these values.
pub(crate) async fn begin(ctx: &Ctx, kind: &str, pairs: Vec<(String, String)>) -> Result<Response, Fault> {
    let form = form_of(ctx, kind)?;
    form_page(ctx, &form, Form::new(pairs), None).await
}

/// The newest form of a kind that this account may enter here.
fn form_of(ctx: &Ctx, kind: &str) -> Result<Kind, Fault> {
    let kinds = ctx.app.node.kinds();
    let form = kinds.latest(kind).ok_or(Fault::NotFound)?;
    if !may_enter(ctx, form) {
        return Err(Fault::Forbidden);
    }
    Ok(form.clone())
}

/// `GET /records/{kind}/{id}/edit`
pub(crate) async fn edit(ctx: Ctx, Path((kind, id)): Path<(String, String)>) -> Result<Response, Fault> {
    let (form, pairs) = stored(&ctx, &kind, &id).await?;
    form_page(&ctx, &form, Form::new(pairs), Some(id)).await
}

/// The form of a record that stands, and its values as one would type them.
async fn stored(ctx: &Ctx, kind: &str, id: &str) -> Result<(Kind, Vec<(String, String)>), Fault> {
    let (wanted, of, by) = (id.to_owned(), kind.to_owned(), actor(ctx));
    let found = ctx.run(move |n| office::entry(n, by, &of, &wanted)).await?;
    let entry = found.ok_or(Fault::NotFound)?;
    let form = entry.kind.ok_or(Fault::NotFound)?;
    if !may_enter(ctx, &form) || !entry.editable {
        return Err(Fault::Forbidden);
    }
    let mut pairs = vec![(FIXED.to_owned(), "1".to_owned())];
    for field in &form.fields {
        let Some(value) = entry.record.fields.get(&field.id) else {
            continue;
        };
        let typed = field.typed(value);
        if field.field_type == FieldType::Codes {
            pairs.extend(typed.split(' ').map(|code| (field.id.clone(), code.to_owned())));
        } else {
            pairs.push((field.id.clone(), typed));
        }
    }
    Ok((form, pairs))
}

async fn form_page(ctx: &Ctx, form: &Kind, f: Form, id: Option<String>) -> Result<Response, Fault> {
    let l = ctx.l;
    let about = form.view.about.clone();
    let mut fields = Vec::new();
    for field in &form.fields {
        if field.id == BINDS || office::filled_by_program(form, &field.id) {
            continue;
        }
        let fixed = about.as_deref() == Some(&field.id) && !f.get(&field.id).is_empty() && f.has(FIXED);
        let named = if fixed {
            named(ctx, f.get(&field.id)).await?
        } else {
            String::new()
        };
        let about = about.as_deref().map_or("", |field| f.get(field));
        let options = options(ctx, form, field, fixed, about, f.get("host")).await?;
        fields.push(Drawn {
            id: field.id.clone(),
            label: field.label(l.into()).to_owned(),
            hint: l.pick(&field.hint_zh, &field.hint_en).to_owned(),
            required: field.required,
            max_len: field.max_len.unwrap_or(0),
            draw: match field.field_type {
                _ if fixed => Draw::Fixed,
                FieldType::Text if field.is_long() => Draw::Long,
                FieldType::Text => Draw::Line,
                FieldType::Int | FieldType::Hundredths | FieldType::Year => Draw::Number,
                FieldType::Date => Draw::Date,
                FieldType::Bool => Draw::Tick,
                FieldType::Codes => Draw::Ticks,
                FieldType::Code | FieldType::Ref => Draw::Select,
            },
            options,
            named,
        });
    }
    let label = form.label(l.into());
    let title = match (&id, l.zh()) {
        (None, true) => format!("登记：{label}"),
        (None, false) => format!("New: {label}"),
        (Some(_), true) => format!("修改：{label}"),
        (Some(_), false) => format!("Change: {label}"),
    };
    let back = match (&id, about.as_deref().map(|field| f.text(field))) {
        (Some(id), _) => format!("/records/{}/{id}", form.id),
        (None, Some(about)) if !about.is_empty() => {
            let found = ctx.run(move |n| n.record(&about)).await?;
            let page = |r: node::Record| {
                visits::page_of(&r).unwrap_or_else(|| format!("/records/{}/{}", r.kind, r.id))
            };
            found.map_or_else(|| "/records".to_owned(), page)
        }
        _ if form.id == "visit" => "/visits".to_owned(),
        _ => format!("/records/{}", form.id),
    };
    let shown: Vec<&str> = fields.iter().map(|field| field.id.as_str()).collect();
    html(&FormPage {
        l,
        c: Chrome::new(ctx, &title, "records"),
        shown: shown.join(" "),
        f,
        fields,
        back,
        version: form.reference(),
    })
}

async fn named(ctx: &Ctx, id: &str) -> Result<String, Fault> {
    let (id, by) = (id.to_owned(), actor(ctx));
    let found = ctx
        .run(move |n| {
            let Some(record) = n.record(&id)? else {
                return Ok(None);
            };
            office::entry(n, by, &record.kind, &id)
        })
        .await?;
    Ok(found.map_or_else(String::new, |entry| {
        let label = entry.kind.as_ref().map_or("", |kind| kind.label(ctx.l.into()));
        format!("{label} {} {}", entry.entry.date, entry.entry.title)
    }))
}

async fn options(
    ctx: &Ctx,
    form: &Kind,
    field: &Field,
    fixed: bool,
    about: &str,
    host: &str,
) -> Result<Vec<Choice>, Fault> {
    if field.field_type != FieldType::Ref {
        let codes = field.codes.iter();
        return Ok(codes
            .map(|code| Choice::new(&code.id, ctx.l.pick(&code.zh, &code.en)))
            .collect());
    }
    if fixed {
        return Ok(Vec::new());
    }
    let (field, kind) = (field.clone(), form.id.clone());
    let visiting = form.document == "visits";
    let (about, host) = (about.to_owned(), host.to_owned());
    let found = ctx
        .run(move |n| {
            if let Some(few) = visits::choices(n, &kind, &field.id, &about)? {
                return Ok(few);
            }
            let school = match n.home_school() {
                None if visiting => visits::school_of(n, &about, &host)?,
                home => home,
            };
            office::choices(n, &field, school.as_deref())
        })
        .await?;
    Ok(found
        .into_iter()
        .map(|(id, name)| Choice::new(id, name))
        .collect())
}

/// `POST /records/{kind}/new`
pub(crate) async fn create(Path(kind): Path<String>, Post { ctx, form }: Post) -> Result<Response, Fault> {
    let kind = form_of(&ctx, &kind)?;
    save(ctx, kind, form, None).await
}

/// `POST /records/{kind}/{id}/edit`
pub(crate) async fn change(
    Path((kind, id)): Path<(String, String)>,
    Post { ctx, form }: Post,
) -> Result<Response, Fault> {
    let (kind, _) = stored(&ctx, &kind, &id).await?;
    save(ctx, kind, form, Some(id)).await
}

/// What was typed into those fields of a form that are asked for; what is wrong stands beside its field.
pub(crate) fn read(
    kind: &Kind,
    asked: impl Fn(&str) -> bool,
    form: &mut Form,
) -> Vec<(String, Option<Value>)> {
    let mut values = Vec::new();
    let mut faults = Vec::new();
    let fields = kind
        .fields
        .iter()
        .filter(|f| !office::filled_by_program(kind, &f.id));
    for field in fields.filter(|f| asked(&f.id)) {
        let typed: Vec<&str> = match field.field_type {
            FieldType::Codes => form.all(&field.id).collect(),
            _ => vec![form.raw(&field.id)],
        };
        match field.read(&typed) {
            Ok(value) => {
                if value.is_none() && field.required {
                    faults.push(records::FieldError::new(
                        &field.id,
                        "必须填写",
                        "This is required",
                    ));
                }
                values.push((field.id.clone(), value));
            }
            Err(error) => faults.push(error),
        }
    }
    form.fail_all(&faults);
    values
}

async fn save(ctx: Ctx, kind: Kind, mut form: Form, id: Option<String>) -> Result<Response, Fault> {
    let values = read(&kind, |_| true, &mut form);
    if !form.ok() {
        return form_page(&ctx, &kind, form, id).await;
    }
    let (by, actor) = (ctx.who.by(), actor(&ctx));
    let input = EntryInput {
        kind: kind.id.clone(),
        id: id.clone(),
        values,
    };
    let saved = ctx
        .app
        .attempt(move |n| office::save_entry(n, &by, actor, input))
        .await?;
    match saved {
        Ok(saved) => {
            let of = saved.clone();
            let record = ctx.run(move |n| n.record(&of)).await?;
            let own = record.as_ref().and_then(visits::page_of);
            let page = own.unwrap_or_else(|| format!("/records/{}/{saved}", kind.id));
            Ok(Redirect::to(&format!("{page}?done=record")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            form_page(&ctx, &kind, form, id).await
        }
        Err(other) => Err(other.into()),
    }
}
