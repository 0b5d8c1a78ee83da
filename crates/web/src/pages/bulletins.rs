//! 情况通报: what the county tells all schools, with its cut-off; a later one names the one it replaces.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Bulletin, BulletinInput, Reach, Reading, Scheduled};
use records::date::parse_stored_date;
use records::visits::weekday;

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "bulletins.html")]
struct BulletinsPage {
    l: Lang,
    c: Chrome,
    f: Form,
    rows: Vec<Row>,
    kinds: Vec<Choice>,
    /// Those that a new one may replace.
    issued: Vec<Choice>,
    draft: bool,
    /// When the next one is due; only the county is told.
    schedules: Vec<Scheduled>,
    today: String,
}

/// One, and how far it has got; only the county is told of all schools.
struct Row {
    x: Bulletin,
    reach: Option<Reach>,
    /// Who at this school has read it.
    readings: Vec<Reading>,
    /// Whether the person asking may say so, and has not.
    unread: bool,
}

/// Whether bulletins that were replaced, dropped or not issued yet have anybody to reach.
fn reaches(x: &Bulletin) -> bool {
    x.state == "issued" && x.replaced_by.is_empty()
}

impl BulletinsPage {
    fn label(&self, field: &str, code: &str) -> String {
        labels::label(self.l, "bulletin", field, code)
    }

    /// The days of a week, as people write them.
    fn days(&self, codes: &str) -> String {
        let names = codes.split_whitespace();
        let names: Vec<String> = names
            .map(|code| labels::label(self.l, "bulletin_schedule", "days", code))
            .collect();
        names.join(self.l.t("、", ", "))
    }

    /// A day with its name.
    fn day(&self, day: &jiff::civil::Date) -> String {
        format!("{day} {}", weekday(*day, self.l.zh()))
    }

    /// Whether it was due before today.
    fn overdue(&self, due: &jiff::civil::Date) -> bool {
        parse_stored_date(&self.today).is_ok_and(|today| *due < today)
    }
}

/// The name of a column, for the stacked table of a phone.
fn head<'h>(heads: &[&'h str; 8], at: &usize) -> &'h str {
    heads.get(*at).copied().unwrap_or_default()
}

fn state(x: &Bulletin) -> page::Badge {
    page::bulletin(&x.state, x.in_force(), !x.replaced_by.is_empty())
}

/// `GET /bulletins`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    list_page(&ctx, blank()).await
}

/// The dates that most people want.
fn blank() -> Form {
    let today = page::today();
    Form::filled([("cut_on", today.clone()), ("issued_on", today)])
}

async fn list_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let draft = may(ctx);
    let county = ctx.app.county();
    let (today, account) = (page::today(), ctx.who.by().account);
    let now = today.clone();
    let (rows, schedules) = ctx
        .run(move |n| {
            let mut all = office::bulletins(n)?;
            // Schools read what was issued.
            all.retain(|x| county || x.state == "issued");
            let told: Vec<&str> = all
                .iter()
                .filter(|x| county && reaches(x))
                .map(|x| x.id.as_str())
                .collect();
            let mut found = office::reach(n, &told)?.into_iter();
            let home = n.home_school();
            let mut rows = Vec::new();
            for x in all {
                let reach = if county && reaches(&x) { found.next() } else { None };
                let readings = match &home {
                    Some(school) => office::readings(n, &x.id, school)?,
                    None => Vec::new(),
                };
                let unread = home.is_some() && reaches(&x) && readings.iter().all(|said| said.by != account);
                rows.push(Row {
                    x,
                    reach,
                    readings,
                    unread,
                });
            }
            let schedules = if county {
                office::schedules(n, &now)?
            } else {
                Vec::new()
            };
            Ok((rows, schedules))
        })
        .await?;
    let l = ctx.l;
    let standing = rows.iter().map(|row| &row.x).filter(|x| reaches(x));
    let issued = standing
        .map(|x| Choice::new(&x.id, format!("{} {}", x.no, x.topic)))
        .collect();
    html(&BulletinsPage {
        l,
        c: Chrome::new(ctx, l.t("情况通报", "Bulletins"), "bulletins"),
        f,
        rows,
        kinds: labels::choices(l, "bulletin", "bulletin_kind"),
        issued,
        draft,
        schedules,
        today,
    })
}

fn may(ctx: &Ctx) -> bool {
    ctx.may(Right::Registry) && ctx.may(Right::Read) && ctx.app.node.is_county()
}

/// `POST /bulletins`
pub(crate) async fn draft(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    if !may(&ctx) {
        return Err(Fault::Forbidden);
    }
    let cut_on = form::date(&mut form, "cut_on");
    let issued_on = form::date(&mut form, "issued_on");
    if !form.ok() {
        return list_page(&ctx, form).await;
    }
    let input = BulletinInput {
        no: form.text("no"),
        bulletin_kind: form.text("bulletin_kind"),
        topic: records::text::tidy(form.get("topic")),
        cut_on,
        issued_on,
        text: form.text("text"),
        replaces: [form.text("replaces"), form.text("replaces_also")],
    };
    let by = ctx.who.by();
    let done = ctx
        .app
        .attempt(move |n| office::draft_bulletin(n, &by, &input))
        .await?;
    match done {
        Ok(id) => Ok(Redirect::to(&format!("/records/bulletin/{id}?done=record")).into_response()),
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            list_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `POST /bulletins/{id}/read`: somebody at a school says that it was read there.
pub(crate) async fn read(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    if ctx.app.node.home_school().is_none() {
        return Err(Fault::Forbidden);
    }
    let read_on = form::date(&mut form, "read_on");
    if !form.ok() {
        return list_page(&ctx, form).await;
    }
    let (by, bulletin) = (ctx.who.by(), id.clone());
    let done = ctx
        .app
        .attempt(move |n| office::read_bulletin(n, &by, &bulletin, &read_on))
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/bulletins?done=record#b-{id}")).into_response()),
        Err(node::Error::Invalid(errors)) if errors.iter().any(|e| e.field == "bulletin") => {
            Err(Fault::NotFound)
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            list_page(&ctx, form).await
        }
        Err(other) => Err(other.into()),
    }
}
