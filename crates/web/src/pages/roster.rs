//! The roster (花名册) of a school: list, search, add and change a teacher.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Teacher, TeacherInput};
use records::SchoolYear;
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, DISPUTED, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "roster.html")]
struct RosterPage {
    l: Lang,
    c: Chrome,
    search: Search,
    sexes: Vec<Choice>,
    all: usize,
    teachers: Vec<Teacher>,
    enter: bool,
}

impl RosterPage {
    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }
}

#[derive(Template)]
#[template(path = "teacher_form.html")]
struct TeacherPage {
    l: Lang,
    c: Chrome,
    f: Form,
    sexes: Vec<Choice>,
    statuses: Vec<Choice>,
    posts: Vec<Choice>,
    titles: Vec<Choice>,
    stages: Vec<Choice>,
    parts: Vec<Choice>,
}

/// What picks a cohort (青年教师升格, by age and service) besides a name.
#[derive(Deserialize, Default)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
    /// Code of GB/T 2261.1.
    #[serde(default)]
    sex: String,
    /// Born in this year or later.
    #[serde(default)]
    born_from: String,
    /// Born in this year or before.
    #[serde(default)]
    born_to: String,
    /// At least so many years since the first year of teaching.
    #[serde(default)]
    service: String,
}

impl Search {
    fn asks(&self) -> bool {
        [&self.q, &self.sex, &self.born_from, &self.born_to, &self.service]
            .iter()
            .any(|text| !text.trim().is_empty())
    }

    /// What was typed and is no year is told by finding nobody, not by finding all.
    fn has(&self, t: &Teacher, this_year: i64) -> bool {
        let number = |text: &str| records::text::half_width(text.trim()).parse::<i64>().ok();
        let holds = |typed: &str, test: &dyn Fn(i64) -> bool| {
            typed.trim().is_empty() || number(typed).is_some_and(test)
        };
        let wanted = records::text::person_name(&self.q).to_lowercase();
        let named = [&t.name, &t.teacher_code, &t.subject]
            .iter()
            .any(|text| text.to_lowercase().contains(&wanted));
        named
            && (self.sex.is_empty() || t.sex == self.sex)
            && holds(&self.born_from, &|year| {
                t.birth_year.is_some_and(|born| born >= year)
            })
            && holds(&self.born_to, &|year| {
                t.birth_year.is_some_and(|born| born <= year)
            })
            && holds(&self.service, &|years| {
                t.teaching_from.is_some_and(|from| this_year - from >= years)
            })
    }
}

/// `GET /roster`
pub(crate) async fn list(ctx: Ctx, Query(search): Query<Search>) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let school = ctx.school()?;
    let mut teachers = ctx.run(move |n| office::roster(n, &school)).await?;
    let all = teachers.len();
    let this_year = i64::from(SchoolYear::of(jiff::Zoned::now().date()).0);
    teachers.retain(|t| search.has(t, this_year));
    let l = ctx.l;
    html(&RosterPage {
        l,
        c: Chrome::new(&ctx, l.t("花名册", "Roster"), "roster"),
        sexes: labels::choices(l, "person", "sex"),
        search,
        all,
        teachers,
        enter: ctx.may(Right::Enter),
    })
}

/// `GET /roster/new`
pub(crate) async fn new(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    ctx.school()?;
    let values = [
        ("status", "serving".to_owned()),
        ("post", "teacher".to_owned()),
        ("from", page::today()),
    ];
    teacher_page(&ctx, Form::filled(values), String::new())
}

/// `GET /roster/{id}`
pub(crate) async fn edit(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let school = ctx.school()?;
    let wanted = id.clone();
    let found = ctx.run(move |n| office::teacher(n, &wanted)).await?;
    let Some(t) = found.filter(|t| t.school == school) else {
        return Err(Fault::NotFound);
    };
    let year = |y: Option<i64>| y.map(|y| y.to_string()).unwrap_or_default();
    let parts = t.parts.clone();
    let has = |part: &str| {
        parts
            .split(' ')
            .find(|p| *p == part)
            .map_or_else(String::new, |_| "1".into())
    };
    let f = Form::filled([
        ("name", t.name),
        ("teacher_code", t.teacher_code),
        ("sex", t.sex),
        ("birth_year", year(t.birth_year)),
        ("status", t.status),
        ("post", t.post),
        ("title", t.title),
        ("subject", t.subject),
        ("stage", t.stage),
        (
            "homeroom",
            if t.homeroom { "1".to_owned() } else { String::new() },
        ),
        ("town_backbone", has("town_backbone")),
        ("new_principal", has("new_principal")),
        ("reserve", has("reserve")),
        ("teaching_from", year(t.teaching_from)),
        ("from", if t.from.is_empty() { page::today() } else { t.from }),
    ]);
    teacher_page(&ctx, f, id)
}

fn teacher_page(ctx: &Ctx, f: Form, id: String) -> Result<Response, Fault> {
    let l = ctx.l;
    let title = if id.is_empty() {
        l.t("添加教师", "Add a teacher")
    } else {
        l.t("修改教师信息", "Change a teacher")
    };
    html(&TeacherPage {
        l,
        c: Chrome::new(ctx, title, "roster"),
        f,
        sexes: labels::choices(l, "person", "sex"),
        statuses: labels::choices(l, "person", "status"),
        posts: labels::choices(l, "staff_fact", "post"),
        titles: labels::choices(l, "staff_fact", "title"),
        stages: labels::choices(l, "staff_fact", "stage"),
        parts: labels::choices(l, "staff_fact", "parts"),
    })
}

/// `POST /roster/new`
pub(crate) async fn create(post: Post) -> Result<Response, Fault> {
    save(post, String::new()).await
}

/// `POST /roster/{id}`
pub(crate) async fn change(Path(id): Path<String>, post: Post) -> Result<Response, Fault> {
    save(post, id).await
}

async fn save(Post { ctx, mut form }: Post, id: String) -> Result<Response, Fault> {
    ctx.need(Right::Enter)?;
    let school = ctx.school()?;
    let input = read(&mut form);
    if !form.ok() {
        // Everything that is wrong at once, not one fault after the other.
        form.fail_all(&office::check_teacher(&input));
        return teacher_page(&ctx, form, id);
    }
    let (by, target) = (ctx.who.by(), (!id.is_empty()).then(|| id.clone()));
    let saved = ctx
        .app
        .attempt(move |n| office::save_teacher(n, &by, &school, target.as_deref(), input))
        .await?;
    match saved {
        Ok(_) => Ok(Redirect::to("/roster?done=saved").into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            teacher_page(&ctx, form, id)
        }
        Err(other) => Err(other.into()),
    }
}

/// 另任, as the rules name them.
const PARTS: [&str; 3] = ["town_backbone", "new_principal", "reserve"];

fn read(form: &mut Form) -> TeacherInput {
    TeacherInput {
        teacher_code: records::text::half_width(form.get("teacher_code")),
        name: records::text::person_name(form.get("name")),
        sex: form.text("sex"),
        birth_year: year(form, "birth_year"),
        status: form.text("status"),
        post: form.text("post"),
        title: form.text("title"),
        subject: records::text::tidy(form.get("subject")),
        stage: form.text("stage"),
        homeroom: form.has("homeroom"),
        parts: Some(
            PARTS
                .into_iter()
                .filter(|part| form.has(part))
                .collect::<Vec<_>>()
                .join(" "),
        ),
        teaching_from: year(form, "teaching_from"),
        from: form::date(form, "from"),
    }
}

fn year(form: &mut Form, field: &str) -> Option<i64> {
    form::optional_whole(form, field)
}
