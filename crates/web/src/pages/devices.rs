//! Devices of the county: who asks to join, approval after comparing digits, revocation.

use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::enrol::{self, Answer, Pending};
use node::held::{self, Held};
use node::office::{self, Organisation};
use node::{Device, Node, NodeId, Role};

use crate::fault::{Fault, said};
use crate::form::Form;
use crate::labels::{self, Choice};
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::qr;
use crate::who::{Ctx, Post, Right};

/// A device of the roll, with all its roles, as the page shows it.
struct Row {
    node: NodeId,
    label: String,
    revoked: bool,
    roles: Vec<&'static str>,
    /// Names of the organisations of its scopes, or what a scope says.
    places: Vec<String>,
    seen_at: Option<i64>,
    connected: bool,
    own: bool,
}

impl Row {
    fn roles(&self, l: &Lang) -> String {
        self.roles.join(l.t("、", ", "))
    }

    fn places(&self, l: &Lang) -> String {
        self.places.join(l.t("、", ", "))
    }
}

/// The device that a request names, with the digits to compare before it is approved.
struct Found {
    node: NodeId,
    label: String,
    digits: String,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    l: Lang,
    c: Chrome,
    f: Form,
    pending: Vec<Pending>,
    found: Option<Found>,
    rows: Vec<Row>,
    roles: Vec<Choice>,
    schools: Vec<Choice>,
    /// Devices whose place a new one may take.
    replaceable: Vec<Choice>,
}

impl DevicesPage {
    /// Whether a school of a mentor is ticked.
    fn ticked(&self, school: &str) -> bool {
        self.f.all("schools").any(|s| s == school)
    }
}

#[derive(Template)]
#[template(path = "device_answer.html")]
struct AnswerPage {
    l: Lang,
    c: Chrome,
    answer: Answer,
    label: String,
    /// The device whose place it takes.
    replaced: Option<String>,
    /// The answer as pictures, with what each says; none if it is too long.
    pictures: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "device_revoke.html")]
struct RevokePage {
    l: Lang,
    c: Chrome,
    row: Row,
    held: Held,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    l: Lang,
    c: Chrome,
    row: Row,
    held: Held,
}

/// The roles that the page gives.
fn roles(l: Lang) -> Vec<Choice> {
    let all = [
        ("school", Role::School),
        ("mentor", Role::Mentor),
        ("auditor", Role::Auditor),
        ("county", Role::County),
    ];
    all.map(|(code, role)| Choice::new(code, l.pick(role.names().0, role.names().1)))
        .to_vec()
}

/// What a role on the form means in the roll.
fn grants(role: &str, schools: &[String], mentor: &str) -> Vec<(Role, String)> {
    match role {
        "school" => schools.iter().map(|s| (Role::School, s.clone())).collect(),
        "mentor" => schools
            .iter()
            .flat_map(|s| {
                [
                    (Role::Mentor, format!("{mentor}/{s}")),
                    (Role::MentorReader, s.clone()),
                ]
            })
            .collect(),
        "auditor" => vec![(Role::Auditor, String::new())],
        "county" => vec![(Role::County, String::new())],
        _ => Vec::new(),
    }
}

/// A mentor's code as the county types it: letters, digits and hyphens, so that no name gets into
/// the roll, which every device receives.
fn mentor_code(typed: &str) -> Option<String> {
    let code = records::text::half_width(typed).trim().to_ascii_lowercase();
    let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (plain && (1..=24).contains(&code.len())).then_some(code)
}

/// `GET /devices`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    devices_page(&ctx, Form::default(), None).await
}

/// Only the hub gives devices their roles.
pub(crate) fn may(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Manage)?;
    if ctx.app.node.is_county() {
        Ok(())
    } else {
        Err(Fault::Forbidden)
    }
}

async fn devices_page(ctx: &Ctx, f: Form, found: Option<Found>) -> Result<Response, Fault> {
    may(ctx)?;
    let l = ctx.l;
    let (pending, rows, schools) = ctx
        .run(move |n| {
            let organisations = office::organisations(n)?;
            let rows = rows(n, l, &organisations)?;
            let schools = organisations
                .into_iter()
                .filter(|o| o.active)
                .map(|o| Choice::new(o.id, o.name));
            Ok((enrol::pending(n)?, rows, schools.collect()))
        })
        .await?;
    let may_go = rows.iter().filter(|r| !r.own && !r.revoked);
    let replaceable = may_go
        .map(|r| Choice::new(r.node.to_string(), format!("{} · {}", r.label, r.node.short())))
        .collect();
    html(&DevicesPage {
        l,
        c: Chrome::new(ctx, l.t("设备", "Devices"), "devices"),
        f,
        pending,
        found,
        rows,
        roles: roles(l),
        schools,
        replaceable,
    })
}

fn rows(n: &Node, l: Lang, organisations: &[Organisation]) -> Result<Vec<Row>, node::Error> {
    let names: HashMap<&str, &str> = organisations
        .iter()
        .map(|o| (o.id.as_str(), o.name.as_str()))
        .collect();
    let met = n.met()?;
    let own = n.id();
    let place = |scope: &str| {
        let (code, school) = scope.rsplit_once('/').unwrap_or_default();
        let school = if code.is_empty() { scope } else { school };
        match names.get(school) {
            Some(name) if code.is_empty() => (*name).to_owned(),
            Some(name) if l.zh() => format!("{name}（代号 {code}）"),
            Some(name) => format!("{name} (code {code})"),
            None if scope.is_empty() => l.t("全县", "whole county").to_owned(),
            None => scope.to_owned(),
        }
    };
    let mut rows: Vec<Row> = Vec::new();
    for Device {
        node,
        label,
        role,
        scope,
        revoked,
    } in n.devices()
    {
        let at = match rows.iter().position(|r| r.node == node) {
            Some(at) => at,
            None => {
                let (seen_at, connected) = met.get(&node).copied().unwrap_or_default();
                rows.push(Row {
                    node,
                    label: String::new(),
                    revoked,
                    roles: Vec::new(),
                    places: Vec::new(),
                    seen_at,
                    connected,
                    own: node == own,
                });
                rows.len() - 1
            }
        };
        let Some(row) = rows.get_mut(at) else { continue };
        if row.label.is_empty() {
            row.label = label;
        }
        // A mentor's reading right comes with the visit and says nothing more to a person.
        let visits = l.pick(Role::Mentor.names().0, Role::Mentor.names().1);
        if role == Role::MentorReader && row.roles.contains(&visits) {
            continue;
        }
        let (name, place) = (l.pick(role.names().0, role.names().1), place(&scope));
        if !row.roles.contains(&name) {
            row.roles.push(name);
        }
        if !row.places.contains(&place) {
            row.places.push(place);
        }
    }
    Ok(rows)
}

/// Finds the device of a request, and whether it asked over the network (then the page has shown its
/// digits already).
fn find_request(n: &Node, request: &str) -> Result<(Found, bool), node::Error> {
    let (device, label) = enrol::find_request(n, request)?;
    let root = n.county_root().ok_or(node::Error::NotTheCounty)?;
    let found = Found {
        node: device,
        label: label.unwrap_or_default(),
        digits: enrol::digits(&root, &device),
    };
    let asked = enrol::pending(n)?.iter().any(|p| p.node == device);
    Ok((found, asked))
}

/// `POST /devices`: approves a device.
pub(crate) async fn approve(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    let (request, role) = (form.text("request"), form.text("role"));
    let mut found = None;
    if request.is_empty() {
        form.fail(
            "request",
            "请粘贴申请码或申请文件的内容",
            "Paste the request code or the text of the request file",
        );
    }
    if !request.is_empty() {
        let typed = request.clone();
        match ctx.app.attempt(move |n| find_request(n, &typed)).await? {
            Ok((device, asked)) => {
                if !asked && form.get("shown") != device.node.to_string() && form.has("compared") {
                    form.fail(
                        "compared",
                        "核对数字刚列出来：请看过再勾选、再批准",
                        "The digits were not shown yet: look at them, then tick this and approve",
                    );
                }
                found = Some(device);
            }
            Err(error) => {
                let (zh, en) = said(error)?;
                form.fail("request", &zh, &en);
            }
        }
    }
    // Only the digits were asked for.
    if form.has("look") {
        return devices_page(&ctx, form, found).await;
    }
    let known: HashSet<String> = ctx
        .run(|n| Ok(office::organisations(n)?.into_iter().map(|o| o.id).collect()))
        .await?;
    let field = if role == "mentor" { "schools" } else { "school" };
    let schools: Vec<String> = form
        .all(field)
        .filter(|s| known.contains(*s))
        .map(str::to_owned)
        .collect();
    let mentor = mentor_code(form.get("mentor"));
    // In the place of another device it gets that one's roles, and nothing that is chosen besides.
    let replaces = form.text("replaces");
    let old = NodeId::parse(&replaces);
    if old.is_none() && !replaces.is_empty() {
        form.fail("replaces", "请选择一项", "Please choose one");
    }
    let chosen = old.is_none();
    if chosen && !roles(ctx.l).iter().any(|r| r.code == role) {
        form.fail("role", "请选择一项", "Please choose one");
    }
    if chosen && matches!(role.as_str(), "school" | "mentor") && schools.is_empty() {
        form.fail(field, "请选择学校", "Choose the school");
    }
    if chosen && role == "mentor" && mentor.is_none() {
        form.fail(
            "mentor",
            "请填专家代号：只用字母、数字和连字符，不写人名",
            "Give the mentor's code: letters, digits and hyphens, never a name",
        );
    }
    if !form.has("compared") {
        form.fail(
            "compared",
            "请先和对方核对，再勾选",
            "Check with the other side first, then tick this",
        );
    }
    let Some(device) = found.as_ref().filter(|_| form.ok()).map(|f| f.node) else {
        return devices_page(&ctx, form, found).await;
    };
    let asked = found.as_ref().map(|f| f.label.clone()).unwrap_or_default();
    let name = Some(form.text("label"))
        .filter(|t| !t.is_empty())
        .unwrap_or(asked);
    let given = grants(&role, &schools, &mentor.unwrap_or_default());
    let done = ctx
        .app
        .attempt(move |n| {
            let answer = match &old {
                Some(old) => enrol::replace(n, &device, &name, old)?,
                None => enrol::approve(n, &device, &name, &given)?,
            };
            Ok((answer, name, old.map(|old| (n.device_label(&old), old.short()))))
        })
        .await?;
    match done {
        Ok((answer, label, replaced)) => {
            ctx.log("approve", &answer.device.short()).await;
            if let Some((_, old)) = &replaced {
                ctx.log("revoke", old).await;
            }
            let l = ctx.l;
            html(&AnswerPage {
                l,
                c: Chrome::new(&ctx, l.t("已批准", "Approved"), "devices"),
                pictures: (enrol::parts(&answer.text).into_iter())
                    .map(|part| (qr::picture(&part), part))
                    .collect(),
                answer,
                label,
                replaced: replaced.map(|(label, _)| label),
            })
        }
        Err(error) => {
            let (zh, en) = said(error)?;
            form.fail("request", &zh, &en);
            devices_page(&ctx, form, found).await
        }
    }
}

/// `GET /devices/{id}/revoke`: asks first.
pub(crate) async fn ask_revoke(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let row = find(&ctx, id).await?;
    let (l, device) = (ctx.l, row.node);
    html(&RevokePage {
        l,
        c: Chrome::new(&ctx, l.t("撤销这台设备？", "Revoke this device?"), "devices"),
        row,
        held: ctx.run(move |n| held::at_most(n, &device)).await?,
    })
}

/// `GET /devices/{id}`: a device, and what it holds at most; for the day on which it is lost.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let row = any(&ctx, id).await?;
    let (l, device) = (ctx.l, row.node);
    html(&DevicePage {
        l,
        c: Chrome::new(&ctx, &row.label.clone(), "devices"),
        row,
        held: ctx.run(move |n| held::at_most(n, &device)).await?,
    })
}

/// `POST /devices/{id}/revoke`
pub(crate) async fn revoke(Path(id): Path<String>, Post { ctx, .. }: Post) -> Result<Response, Fault> {
    let device = find(&ctx, id).await?.node;
    ctx.run(move |n| enrol::revoke(n, &device)).await?;
    ctx.log("revoke", &device.short()).await;
    Ok(Redirect::to(&format!("/devices/{device}?done=revoked")).into_response())
}

/// A device of the roll that may be revoked here: any but this one.
async fn find(ctx: &Ctx, id: String) -> Result<Row, Fault> {
    let row = any(ctx, id).await?;
    match (row.revoked, row.own) {
        (true, _) => Err(Fault::NotFound),
        (false, true) => Err(Fault::Forbidden),
        (false, false) => Ok(row),
    }
}

/// A device of the roll.
async fn any(ctx: &Ctx, id: String) -> Result<Row, Fault> {
    may(ctx)?;
    let l = ctx.l;
    let found = ctx
        .run(move |n| {
            Ok(rows(n, l, &office::organisations(n)?)?
                .into_iter()
                .find(|r| r.node.to_string() == id))
        })
        .await?;
    found.ok_or(Fault::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_roles_give_grants() {
        let (one, two) = (["s1".to_owned()], ["s1".to_owned(), "s2".to_owned()]);
        assert_eq!(grants("school", &one, ""), [(Role::School, "s1".to_owned())]);
        assert_eq!(
            grants("mentor", &two, "m-07"),
            [
                (Role::Mentor, "m-07/s1".to_owned()),
                (Role::MentorReader, "s1".to_owned()),
                (Role::Mentor, "m-07/s2".to_owned()),
                (Role::MentorReader, "s2".to_owned())
            ]
        );
        assert!(grants("officer", &one, "abc").is_empty());
        assert!(grants("", &one, "abc").is_empty());
    }

    #[test]
    fn a_mentors_code_is_never_a_name_or_a_path() {
        assert_eq!(mentor_code(" ＭＴ-０７ ").as_deref(), Some("mt-07"));
        for bad in ["", "周专家", "m/07", "m 07", &"m".repeat(25)] {
            assert_eq!(mentor_code(bad), None, "{bad}");
        }
    }
}
