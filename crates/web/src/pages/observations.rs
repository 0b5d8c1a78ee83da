//! 听评课: what an observer writes of a lesson (F7), whose sheets one may see, and the taught teacher's answer.
//! Signing is in `sign`, the paper in `print`.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::accounts::Role;
use node::office::{self, Observation, ObservationInput, ObservationRow, Signatures};
use records::{Kind, Kinds};
use serde::Deserialize;
use std::sync::Arc;

use crate::fault::Fault;
use crate::form::Form;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, UNSIGNED, html};
use crate::pages::record_form::read;
use crate::pages::records::actor;
use crate::pages::sessions::{Limit, more};
use crate::who::{Ctx, Post, Right};

/// Fields of the lesson that the form asks for; its date is the sheet's.
const LESSON: [&str; 9] = [
    "teacher",
    "date",
    "period",
    "class_label",
    "subject",
    "topic",
    "lesson_kind",
    "mode",
    "place",
];

/// Fields of the sheet in which something is written.
const SHEET: [&str; 16] = [
    "observer_role",
    "process",
    "strengths",
    "weaknesses",
    "advice",
    "score_goal",
    "score_content",
    "score_process",
    "score_method",
    "score_skill",
    "score_effect",
    "points",
    "overall",
    "debrief_by",
    "debrief_on",
    "debrief_place",
];

/// Parts of the score.
const SCORES: [&str; 7] = [
    "score_goal",
    "score_content",
    "score_process",
    "score_method",
    "score_skill",
    "score_effect",
    "points",
];

#[derive(Template)]
#[template(path = "observations.html")]
struct ListPage {
    l: Lang,
    c: Chrome,
    rows: Vec<ObservationRow>,
    /// Whether these are one person's own.
    own: bool,
    enter: bool,
    more: Option<String>,
}

#[derive(Template)]
#[template(path = "observation.html")]
struct SheetPage {
    l: Lang,
    c: Chrome,
    f: Form,
    o: Observation,
    signed: Signatures,
    kinds: Arc<Kinds>,
    /// May change the sheet.
    edit: bool,
    /// May sign, or hand the device to who does.
    sign: bool,
    /// Is the taught teacher.
    taught: bool,
    read: bool,
}

impl SheetPage {
    fn said(&self, field: &str) -> String {
        self.o.shown(&self.kinds, field, self.l.into())
    }

    fn label(&self, field: &str) -> String {
        label(self.l, field)
    }
}

/// What a field of lesson or sheet is called.
fn label(l: Lang, field: &str) -> String {
    let kinds = Kinds::builtin();
    let of = |kind: &str| kinds.latest(kind).and_then(|kind| kind.field(field));
    let found = of("observation").or_else(|| of("lesson"));
    found.map_or(field, |field| field.label(l.into())).to_owned()
}

#[derive(Template)]
#[template(path = "observation_form.html")]
struct FormPage {
    l: Lang,
    c: Chrome,
    f: Form,
    /// The sheet that is changed, empty for a new one.
    id: String,
    /// The lesson that stands already, in words.
    lesson: String,
    /// Its id; empty when the form describes it.
    lesson_id: String,
    teachers: Vec<Choice>,
    /// Who may be chosen as observer; empty: the own account's person.
    observers: Vec<Choice>,
    roles: Vec<Choice>,
    lesson_kinds: Vec<Choice>,
    modes: Vec<Choice>,
    grades: Vec<Choice>,
    /// Somebody has signed what stands there.
    signed: bool,
}

impl FormPage {
    fn back(&self) -> String {
        match self.id.is_empty() {
            true => "/observations".to_owned(),
            false => format!("/observations/{}", self.id),
        }
    }

    /// The fields that the page has.
    fn names(&self) -> String {
        let own = ["observer"].into_iter().chain(SHEET);
        let lesson = LESSON
            .into_iter()
            .filter(|field| self.lesson_id.is_empty() || *field == "date");
        own.chain(lesson).collect::<Vec<_>>().join(" ")
    }

    fn label(&self, field: &str) -> String {
        label(self.l, field)
    }
}

/// Refuses a sheet to those whom it does not concern: the school's officer and leaders see all of it, a teacher the
/// own sheets and those about the own lessons.
pub(crate) fn may_see(ctx: &Ctx, o: &Observation) -> Result<(), Fault> {
    if ctx.may(Right::Read) || o.concerns(person(ctx)) {
        Ok(())
    } else {
        Err(Fault::Forbidden)
    }
}

/// The person whose account is signed in, or "".
pub(crate) fn person(ctx: &Ctx) -> &str {
    ctx.who.account.person.as_deref().unwrap_or_default()
}

/// As whom this account writes sheets: the officer for anybody (`None`), everybody else as the own person.
fn writes_as(ctx: &Ctx) -> Result<Option<String>, Fault> {
    ctx.need(Right::Observe)?;
    if ctx.who.account.role == Role::Clerk {
        return Ok(None);
    }
    match ctx.who.account.person.clone() {
        Some(person) => Ok(Some(person)),
        None => Err(Fault::Refused(
            "这个账号没有对应花名册上的教师，不能登记听评课。请专管员在“账号”页对上。",
            "This account stands for nobody on the roster. Ask the training officer to link it on the accounts page.",
        )),
    }
}

/// `GET /observations`
pub(crate) async fn list(ctx: Ctx, Query(limit): Query<Limit>) -> Result<Response, Fault> {
    ctx.need(Right::Observe)?;
    let school = ctx.school()?;
    let own = (!ctx.may(Right::Read)).then(|| person(&ctx).to_owned());
    let (all, limit) = (own.is_none(), limit.rows());
    let rows = ctx
        .run(move |n| office::observations(n, Some(&school), own.as_deref(), limit))
        .await?;
    let l = ctx.l;
    html(&ListPage {
        l,
        c: Chrome::new(&ctx, l.t("听评课", "Observations"), "observations"),
        more: all.then(|| more("/observations", rows.len(), limit)).flatten(),
        rows,
        own: !all,
        enter: writes_as(&ctx).is_ok(),
    })
}

/// `GET /observations/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    sheet_page(&ctx, id, Form::default()).await
}

async fn sheet_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let found = ctx
        .run(move |n| {
            let Some(o) = office::observation(n, &id)? else {
                return Ok(None);
            };
            Ok(Some((office::signatures(n, &id)?, o, n.kinds())))
        })
        .await?;
    let (signed, o, kinds) = found.ok_or(Fault::NotFound)?;
    may_see(ctx, &o)?;
    let home = ctx
        .app
        .node
        .home_school()
        .is_some_and(|school| school == o.row.entry.school);
    let observe = home && ctx.may(Right::Observe);
    let closed = o.row.entry.stand.as_ref().is_some_and(|stand| stand.closed);
    let title = if o.row.entry.title.is_empty() {
        ctx.l.t("听评课记录", "Observation").to_owned()
    } else {
        o.row.entry.title.clone()
    };
    let writes = writes_as(ctx).is_ok_and(|own| own.is_none_or(|own| own == o.row.observer));
    html(&SheetPage {
        l: ctx.l,
        c: Chrome::new(ctx, &title, "observations"),
        f,
        edit: observe && !closed && writes,
        sign: observe && !closed,
        taught: observe && !closed && !person(ctx).is_empty() && person(ctx) == o.row.teacher,
        read: ctx.may(Right::Read),
        o,
        signed,
        kinds,
    })
}

#[derive(Deserialize)]
pub(crate) struct Begin {
    /// A lesson that another observer has written about already.
    #[serde(default)]
    lesson: String,
}

/// `GET /observations/new`
pub(crate) async fn new(ctx: Ctx, Query(begin): Query<Begin>) -> Result<Response, Fault> {
    writes_as(&ctx)?;
    let today = page::today();
    let f = Form::filled([
        ("date", today),
        ("observer", person(&ctx).to_owned()),
        ("lesson", begin.lesson),
    ]);
    form_page(&ctx, String::new(), f).await
}

/// `GET /observations/{id}/edit`
pub(crate) async fn edit(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let o = own_sheet(&ctx, &id).await?;
    let kinds = ctx.app.node.kinds();
    let form = kinds.latest("observation").ok_or(Fault::NotFound)?;
    let typed = |field: &records::kinds::Field| {
        let value = o.record.fields.get(&field.id)?;
        Some((field.id.clone(), field.typed(value)))
    };
    let f = Form::new(form.fields.iter().filter_map(typed).collect());
    form_page(&ctx, id, f).await
}

/// A sheet that this account may change.
async fn own_sheet(ctx: &Ctx, id: &str) -> Result<Observation, Fault> {
    let own = writes_as(ctx)?;
    let wanted = id.to_owned();
    let found = ctx.run(move |n| office::observation(n, &wanted)).await?;
    let o = found.ok_or(Fault::NotFound)?;
    let home = ctx
        .app
        .node
        .home_school()
        .is_some_and(|school| school == o.row.entry.school);
    if !home || own.is_some_and(|own| own != o.row.observer) {
        return Err(Fault::Forbidden);
    }
    Ok(o)
}

async fn form_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    let l = ctx.l;
    let own = writes_as(ctx)?;
    let school = ctx.school()?;
    let (of, sheet) = (f.text("lesson"), id.clone());
    let (teachers, lesson, signed) = ctx
        .run(move |n| {
            let lesson = match of.is_empty() {
                true => None,
                false => n.record(&of)?.filter(|lesson| lesson.kind == "lesson"),
            };
            let teachers = office::roster(n, &school)?;
            let signed = match sheet.is_empty() {
                true => false,
                false => !office::signatures(n, &sheet)?.all.is_empty(),
            };
            Ok((teachers, lesson, signed))
        })
        .await?;
    let name = |id: &str| {
        let teacher = teachers.iter().find(|t| t.id == id);
        teacher.map_or_else(String::new, |t| t.name.clone())
    };
    let in_words = lesson.as_ref().map(|r| {
        let parts = [
            r.text("date"),
            &name(r.text("teacher")),
            r.text("subject"),
            r.text("topic"),
        ];
        parts.join(" ")
    });
    let people: Vec<Choice> = teachers
        .iter()
        .filter(|t| t.in_service())
        .map(|t| Choice::new(&t.id, &t.name))
        .collect();
    let title = match id.is_empty() {
        true => l.t("登记听评课", "New observation"),
        false => l.t("修改听评课", "Change the observation"),
    };
    html(&FormPage {
        l,
        c: Chrome::new(ctx, title, "observations"),
        f,
        id,
        lesson_id: lesson.map_or_else(String::new, |r| r.id),
        lesson: in_words.unwrap_or_default(),
        observers: if own.is_none() { people.clone() } else { Vec::new() },
        teachers: people,
        roles: labels::choices(l, "observation", "observer_role"),
        lesson_kinds: labels::choices(l, "lesson", "lesson_kind"),
        modes: labels::choices(l, "lesson", "mode"),
        grades: labels::choices(l, "observation", "overall"),
        signed,
    })
}

/// `POST /observations/new`
pub(crate) async fn create(Post { ctx, form }: Post) -> Result<Response, Fault> {
    save(ctx, form, None).await
}

/// `POST /observations/{id}/edit`
pub(crate) async fn change(Path(id): Path<String>, Post { ctx, form }: Post) -> Result<Response, Fault> {
    own_sheet(&ctx, &id).await?;
    save(ctx, form, Some(id)).await
}

async fn save(ctx: Ctx, mut form: Form, id: Option<String>) -> Result<Response, Fault> {
    let own = writes_as(&ctx)?;
    let kinds = ctx.app.node.kinds();
    let of = |kind: &str| kinds.latest(kind).ok_or(Fault::NotFound);
    let (lesson_form, sheet_form): (&Kind, &Kind) = (of("lesson")?, of("observation")?);
    let lesson = Some(form.text("lesson")).filter(|lesson| !lesson.is_empty());
    let clerk = own.is_none();
    let mut values = read(
        sheet_form,
        |field| SHEET.contains(&field) || field == "date" || (clerk && field == "observer"),
        &mut form,
    );
    let lesson_values = match (&lesson, &id) {
        (None, None) => read(lesson_form, |field| LESSON.contains(&field), &mut form),
        _ => Vec::new(),
    };
    let id_of = id.clone().unwrap_or_default();
    if !form.ok() {
        return form_page(&ctx, id_of, form).await;
    }
    // The debriefer is the observer unless another is named.
    if let Some((_, value)) = values.iter_mut().find(|(name, _)| name == "debrief_by")
        && value.is_none()
        && (form.has("debrief_on") || form.has("debrief_place"))
    {
        form.fail("debrief_by", "请写明评课人", "Say who debriefed");
        return form_page(&ctx, id_of, form).await;
    }
    let input = ObservationInput {
        id,
        lesson,
        lesson_values,
        values,
    };
    let (by, actor) = (ctx.who.by(), actor(&ctx));
    let saved = ctx
        .app
        .attempt(move |n| office::save_observation(n, &by, actor, own.as_deref(), input))
        .await?;
    match saved {
        Ok(id) => Ok(Redirect::to(&format!("/observations/{id}?done=saved")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            form_page(&ctx, id_of, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /observations/{id}/answer`: 授课教师意见.
pub(crate) async fn answer(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Observe)?;
    let (by, me, text, sheet) = (
        ctx.who.by(),
        person(&ctx).to_owned(),
        form.text("response"),
        id.clone(),
    );
    let done = ctx
        .app
        .attempt(move |n| office::answer_observation(n, &by, &me, &sheet, &text))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/observations/{id}?done=saved")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            sheet_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}
