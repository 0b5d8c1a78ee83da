//! A mentor's visits: what is to be done where, what is here before leaving, each visit with its team, days and
//! tasks, both signatures given on the spot. At a school and at the county the same pages are for reading.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use node::office::{self, Assignment, Hand, Part, Side, TakenAlong, Visit, VisitRow};
use node::{Node, PeerRow, Role};
use records::visits::Fit;
use serde::Deserialize;

use crate::app::Desk;
use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Badge, Chrome, UNSIGNED, html};
use crate::pages::record_form;
use crate::pages::records::{actor, may_enter};
use crate::who::{Ctx, Post, Right};

/// One school with its visits.
struct SchoolBox {
    id: String,
    /// Name, empty before the registry has arrived.
    name: String,
    /// What of it is here; only on a mentor's laptop.
    taken: Option<TakenAlong>,
    visits: Vec<VisitRow>,
    /// The school's devices, at a school those of its mentors, as far as they were met.
    peers: Vec<PeerRow>,
}

#[derive(Template)]
#[template(path = "visits.html")]
struct ListPage {
    l: Lang,
    c: Chrome,
    plan: Vec<Assignment>,
    schools: Vec<SchoolBox>,
    /// May enter visits here.
    enter: bool,
    /// May write the county's plan here.
    planning: bool,
}

impl ListPage {
    /// Kind of visit, round and stage of an assignment.
    fn what(&self, a: &Assignment) -> String {
        let said = |field: &str| a.shown.get(field).map(|[zh, en]| self.l.pick(zh, en));
        let round = said("round").map(|n| match self.l.zh() {
            true => format!("第 {n} 轮"),
            false => format!("round {n}"),
        });
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let all = [owned(said("visit_kind")), round, owned(said("stage"))];
        all.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[derive(Template)]
#[template(path = "visit.html")]
struct VisitPage {
    l: Lang,
    c: Chrome,
    f: Form,
    v: Visit,
    /// May edit and sign here.
    edit: bool,
    /// Who may sign for the school: its teachers.
    people: Vec<Choice>,
    mentor_as: Vec<Choice>,
    school_as: Vec<Choice>,
    today: String,
}

impl VisitPage {
    fn said(&self, part: &Part, field: &str) -> String {
        part.said(field, self.l.into()).to_owned()
    }

    /// What one side may sign as.
    fn capacities(&self, side: &Side) -> &[Choice] {
        match side.role == MENTOR {
            true => &self.mentor_as,
            false => &self.school_as,
        }
    }

    fn is_school(&self, side: &Side) -> bool {
        side.role != MENTOR
    }

    /// Names of a side's fields.
    fn field(&self, name: &str, side: &Side) -> String {
        format!("{name}-{}", side.role)
    }

    /// All of them, for the errors that have no field.
    fn names(&self) -> String {
        let of = |s: &Side| {
            let names = ["on", "as", "person", "name"].map(|name| format!("{name}-{}", s.role));
            names.join(" ")
        };
        self.v.signed.sides.iter().map(of).collect::<Vec<_>>().join(" ")
    }

    /// The expert's name of a day.
    fn expert(&self, day: &Part) -> String {
        let id = day.record.text("expert");
        let found = self.v.team.iter().find(|member| member.record.id == id);
        found.map_or_else(String::new, |member| member.record.text("name").to_owned())
    }
}

const MENTOR: &str = "mentor";

/// An answer of the rules as a coloured label.
pub(crate) fn fit(fit: &Fit) -> Badge {
    let (class, zh, en) = match fit {
        Fit::Met => ("recognised", "符合", "Met"),
        Fit::Broken => ("rejected", "不符合", "Not met"),
        Fit::Lacking => ("reduced", "还缺", "Lacking"),
    };
    Badge { class, zh, en }
}

/// `GET /visits`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let desk = ctx.app.desk();
    let mine: Vec<String> = match desk {
        Desk::Mentor => own_schools(&ctx.app.node),
        Desk::School => ctx.app.node.home_school().into_iter().collect(),
        Desk::County | Desk::Open => Vec::new(),
    };
    let (plan, schools) = ctx
        .run(move |n| {
            let all = office::visits(n, None)?;
            let names = office::organisations(n)?;
            let peers = n.peers()?;
            let mut wanted = mine;
            if desk == Desk::County {
                wanted.extend(all.iter().map(|visit| visit.entry.school.clone()));
                wanted.sort();
                wanted.dedup();
            }
            let mut boxes = Vec::new();
            for id in wanted {
                let taken = match desk {
                    Desk::Mentor => Some(office::taken_along(n, &id)?),
                    _ => None,
                };
                let met = devices(n, desk, &id);
                boxes.push(SchoolBox {
                    name: names
                        .iter()
                        .find(|o| o.id == id)
                        .map_or_else(String::new, |o| o.name.clone()),
                    taken,
                    visits: all.iter().filter(|v| v.entry.school == id).cloned().collect(),
                    peers: peers.iter().filter(|p| met.contains(&p.node)).cloned().collect(),
                    id,
                });
            }
            boxes.sort_by(|a, b| a.name.cmp(&b.name));
            Ok((office::assignments(n)?, boxes))
        })
        .await?;
    let l = ctx.l;
    let kinds = ctx.app.node.kinds();
    let may = |kind: &str| kinds.latest(kind).is_some_and(|kind| may_enter(&ctx, kind));
    html(&ListPage {
        l,
        c: Chrome::new(&ctx, l.t("送教送培", "Visits"), "visits"),
        plan,
        schools,
        enter: may("visit"),
        planning: may("visit_plan"),
    })
}

/// The schools that a mentor's laptop writes about.
fn own_schools(node: &Node) -> Vec<String> {
    let scopes = node.scopes(Role::Mentor).into_iter();
    let mut schools: Vec<String> = scopes
        .filter_map(|scope| scope.rsplit('/').next().map(str::to_owned))
        .collect();
    schools.sort();
    schools.dedup();
    schools
}

/// The devices at the other side of a school's visits.
fn devices(node: &Node, desk: Desk, school: &str) -> Vec<node::NodeId> {
    let all = node.devices().into_iter().filter(|device| !device.revoked);
    let other = all.filter(|device| match desk {
        Desk::Mentor => device.role == Role::School && device.scope == school,
        Desk::School => device.role == Role::Mentor && device.scope.rsplit('/').next() == Some(school),
        Desk::County | Desk::Open => false,
    });
    other.map(|device| device.node).collect()
}

/// `POST /visits/sync`: 现在同步.
pub(crate) async fn sync_now(Post { ctx, .. }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    ctx.app.node.sync_now();
    Ok(Redirect::to("/visits?done=dialled").into_response())
}

#[derive(Deserialize)]
pub(crate) struct Begin {
    /// The assignment that is carried out.
    #[serde(default)]
    plan: String,
    #[serde(default)]
    school: String,
}

/// `GET /visits/new`: the form of a visit, with what the county's plan says of it.
pub(crate) async fn new(ctx: Ctx, Query(begin): Query<Begin>) -> Result<Response, Fault> {
    let mut pairs = vec![
        ("host".to_owned(), begin.school),
        ("from".to_owned(), page::today()),
    ];
    if !begin.plan.is_empty() {
        let id = begin.plan.clone();
        let plan = ctx.run(move |n| n.record(&id)).await?;
        let plan = plan
            .filter(|plan| plan.kind == "visit_plan")
            .ok_or(Fault::NotFound)?;
        pairs = vec![("plan".to_owned(), begin.plan)];
        for (from, to) in [
            ("school", "host"),
            ("visit_kind", "visit_kind"),
            ("from", "from"),
            ("to", "to"),
            ("stage", "stage"),
            ("purpose", "theme"),
        ] {
            pairs.push((to.to_owned(), plan.text(from).to_owned()));
        }
        if plan.int("round") > 0 {
            pairs.push(("round".to_owned(), plan.int("round").to_string()));
        }
    }
    record_form::begin(&ctx, "visit", pairs).await
}

/// `POST /visits/new`
pub(crate) async fn create(post: Post) -> Result<Response, Fault> {
    record_form::create(Path("visit".to_owned()), post).await
}

/// `GET /visits/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    visit_page(&ctx, id, Form::default()).await
}

async fn visit_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    ctx.need(Right::Read)?;
    let (v, people) = ctx
        .run(move |n| {
            let Some(v) = office::visit(n, &id)? else {
                return Ok((None, Vec::new()));
            };
            let people = match v.own {
                true => office::roster(n, &v.row.entry.school)?,
                false => Vec::new(),
            };
            Ok((Some(v), people))
        })
        .await?;
    let v = v.ok_or(Fault::NotFound)?;
    let kinds = ctx.app.node.kinds();
    let may = kinds.latest("visit").is_some_and(|kind| may_enter(ctx, kind));
    let closed = v.row.entry.stand.as_ref().is_some_and(|stand| stand.closed);
    let all = labels::choices(ctx.l, "visit_signature", "sign_role");
    let of = |codes: &[&str]| {
        let fits = all.iter().filter(|choice| codes.contains(&choice.code.as_str()));
        fits.cloned().collect()
    };
    html(&VisitPage {
        l: ctx.l,
        c: Chrome::new(ctx, &v.row.entry.title, "visits"),
        f,
        edit: may && v.own && !closed,
        people: people
            .iter()
            .filter(|t| t.in_service())
            .map(|t| Choice::new(&t.id, &t.name))
            .collect(),
        mentor_as: of(&MENTOR_AS),
        school_as: of(&SCHOOL_AS),
        today: page::today(),
        v,
    })
}

/// What the mentor's side signs as, and the school's.
const MENTOR_AS: [&str; 2] = ["leader", "expert"];
const SCHOOL_AS: [&str; 3] = ["principal", "clerk", "teacher"];

/// `POST /visits/{id}/sign`: one side signs on this laptop, in presence of the other.
pub(crate) async fn sign(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    let kinds = ctx.app.node.kinds();
    if !kinds.latest("visit").is_some_and(|kind| may_enter(&ctx, kind)) {
        return Err(Fault::Forbidden);
    }
    let role = form.text("role");
    let field = |name: &str| format!("{name}-{role}");
    let (on_field, as_field, person_field, name_field) =
        (field("on"), field("as"), field("person"), field("name"));
    let on = form::date(&mut form, &on_field);
    let capacity = form.text(&as_field);
    let allowed: &[&str] = if role == MENTOR { &MENTOR_AS } else { &SCHOOL_AS };
    if !allowed.contains(&capacity.as_str()) {
        form.fail(&as_field, "请选择签字身份", "Choose what you sign as");
    }
    let person = form.text(&person_field);
    if role != MENTOR {
        let (wanted, typed) = (person.clone(), bare(&form.text(&name_field)));
        let found = ctx.run(move |n| office::teacher(n, &wanted)).await?;
        match found {
            None => form.fail(&person_field, "请选择签字人", "Choose who signs"),
            // The signer's own hand at the mentor's keyboard.
            Some(teacher) if bare(&teacher.name) != typed => form.fail(
                &name_field,
                "与所选签字人的姓名不一致；请签字人本人输入自己的姓名",
                "This is not the name of who was chosen; the signer types the own name",
            ),
            Some(_) => {}
        }
    }
    if !form.ok() {
        return visit_page(&ctx, id, form).await;
    }
    let (by, actor, about) = (ctx.who.by(), actor(&ctx), id.clone());
    let done = ctx
        .app
        .attempt(move |n| {
            let hand = Hand::Present { person, capacity };
            office::sign(n, &by, actor, &about, &role, &on, hand)
        })
        .await?;
    match done {
        Ok(_) => {
            ctx.log("sign", &format!("visit {id}")).await;
            Ok(Redirect::to(&format!("/visits/{id}?done=signed-here")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            for error in &errors {
                let field = match error.field.as_str() {
                    "person" => &person_field,
                    "signed_on" => &on_field,
                    other => other,
                };
                form.fail(field, &error.zh, &error.en);
            }
            visit_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// A name without the blanks that people put into one of two characters.
fn bare(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The page of a visit that a record of a mentor's document belongs to.
pub(crate) fn page_of(record: &node::Record) -> Option<String> {
    let visit = match record.kind.as_str() {
        "visit" => record.id.as_str(),
        "visit_signature" => record.text("about"),
        _ if record.doc.starts_with("visits/") => record.text("visit"),
        _ => "",
    };
    (!visit.is_empty()).then(|| format!("/visits/{visit}"))
}

/// What may be chosen in a form about visits, where that is less than everything: the assigned schools, one's own
/// assignments, the parts of the same visit.
pub(crate) fn choices(
    node: &Node,
    kind: &str,
    field: &str,
    about: &str,
) -> Result<Option<Vec<(String, String)>>, node::Error> {
    Ok(match (kind, field) {
        ("visit" | "survey", "host") => {
            let own = own_schools(node);
            let all = office::organisations(node)?.into_iter();
            Some(
                all.filter(|o| own.contains(&o.id))
                    .map(|o| (o.id, o.name))
                    .collect(),
            )
        }
        ("visit_plan", "school") => {
            let all = office::organisations(node)?.into_iter();
            Some(
                all.filter(|o| o.org_kind != "hub")
                    .map(|o| (o.id, o.name))
                    .collect(),
            )
        }
        ("visit", "plan") => {
            let all = office::assignments(node)?.into_iter();
            let named = |a: Assignment| {
                let name = format!("{} {} {}", a.entry.date, a.school_name, a.entry.title);
                (a.entry.id, name)
            };
            Some(all.map(named).collect())
        }
        ("visit_day", "expert") | ("visit_observation", "lesson") => {
            let Some(visit) = office::visit(node, about)? else {
                return Ok(Some(Vec::new()));
            };
            let parts = if field == "expert" { visit.team } else { visit.days };
            let named = |p: Part| (p.entry.id, format!("{} {}", p.entry.date, p.entry.title));
            Some(parts.into_iter().map(named).collect())
        }
        _ => None,
    })
}

/// The school whose roster and records a form about a visit offers.
pub(crate) fn school_of(node: &Node, about: &str, host: &str) -> Result<Option<String>, node::Error> {
    if !about.is_empty() {
        return Ok(node.record(about)?.and_then(|record| record.school));
    }
    Ok((!host.is_empty()).then(|| host.to_owned()))
}
