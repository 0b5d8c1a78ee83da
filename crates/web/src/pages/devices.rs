//! Devices of the county: who asks to join, approval after comparing digits, revocation.

use std::collections::HashMap;

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use node::enrol::{self, Answer, Pending};
use node::office::{self, Organisation};
use node::{Device, Node, Role};

use crate::fault::{Fault, said};
use crate::form::Form;
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Post, Right};

/// A device of the roll as the page shows it.
struct Row {
    device: Device,
    /// Names of the organisation of its scope, or what the scope says.
    place: String,
    seen_at: Option<i64>,
    connected: bool,
    own: bool,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    l: Lang,
    c: Chrome,
    f: Form,
    pending: Vec<Pending>,
    rows: Vec<Row>,
    roles: Vec<Choice>,
    schools: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "device_answer.html")]
struct AnswerPage {
    l: Lang,
    c: Chrome,
    answer: Answer,
    label: String,
}

#[derive(Template)]
#[template(path = "device_revoke.html")]
struct RevokePage {
    l: Lang,
    c: Chrome,
    row: Row,
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
fn grants(role: &str, school: &str, device: &str) -> Vec<(Role, String)> {
    match role {
        "school" => vec![(Role::School, school.to_owned())],
        // The mentor is named by the device: two mentors never share the sheets of a visit.
        "mentor" => {
            let mentor: String = device.chars().take(16).collect();
            vec![
                (Role::Mentor, format!("{mentor}/{school}")),
                (Role::MentorReader, school.to_owned()),
            ]
        }
        "auditor" => vec![(Role::Auditor, String::new())],
        "county" => vec![(Role::County, String::new())],
        _ => Vec::new(),
    }
}

/// `GET /devices`
pub(crate) async fn list(ctx: Ctx) -> Result<Response, Fault> {
    devices_page(&ctx, Form::default()).await
}

/// Only the hub gives devices their roles.
fn may(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Manage)?;
    if ctx.app.node.is_county() {
        Ok(())
    } else {
        Err(Fault::Forbidden)
    }
}

async fn devices_page(ctx: &Ctx, f: Form) -> Result<Response, Fault> {
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
    html(&DevicesPage {
        l,
        c: Chrome::new(ctx, l.t("设备", "Devices"), "devices"),
        f,
        pending,
        rows,
        roles: roles(l),
        schools,
    })
}

fn rows(n: &Node, l: Lang, organisations: &[Organisation]) -> Result<Vec<Row>, node::Error> {
    let names: HashMap<&str, &str> = organisations
        .iter()
        .map(|o| (o.id.as_str(), o.name.as_str()))
        .collect();
    let met: HashMap<_, _> = n
        .peers()?
        .into_iter()
        .map(|p| (p.node, (p.seen_at, p.connected)))
        .collect();
    let own = n.id();
    let row = |device: Device| {
        let school = device.scope.rsplit('/').next().unwrap_or_default();
        let place = match names.get(school) {
            Some(name) => (*name).to_owned(),
            None if device.scope.is_empty() => l.t("全县", "whole county").to_owned(),
            None => device.scope.clone(),
        };
        let (seen_at, connected) = met.get(&device.node).copied().unwrap_or_default();
        Row {
            place,
            seen_at,
            connected,
            own: device.node == own,
            device,
        }
    };
    Ok(n.devices().into_iter().map(row).collect())
}

/// `POST /devices`: approves a device.
pub(crate) async fn approve(Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    may(&ctx)?;
    let (request, role, school) = (form.text("request"), form.text("role"), form.text("school"));
    if request.is_empty() {
        form.fail(
            "request",
            "请粘贴申请码或申请文件的内容",
            "Paste the request code or the text of the request file",
        );
    }
    if grants(&role, "", "").is_empty() {
        form.fail("role", "请选择一项", "Please choose one");
    }
    if matches!(role.as_str(), "school" | "mentor") && school.is_empty() {
        form.fail("school", "请选择学校", "Choose the school");
    }
    if !form.has("compared") {
        form.fail(
            "compared",
            "请先和对方核对，再勾选",
            "Check with the other side first, then tick this",
        );
    }
    if !form.ok() {
        return devices_page(&ctx, form).await;
    }
    let label = form.text("label");
    let done = ctx
        .app
        .attempt(move |n| {
            let (device, asked) = enrol::find_request(n, &request)?;
            let name = Some(label)
                .filter(|t| !t.is_empty())
                .or(asked)
                .unwrap_or_default();
            let answer = enrol::approve(n, &device, &name, &grants(&role, &school, &device.to_string()))?;
            Ok((answer, name))
        })
        .await?;
    match done {
        Ok((answer, label)) => {
            ctx.log("approve", &answer.device.short()).await;
            let l = ctx.l;
            html(&AnswerPage {
                l,
                c: Chrome::new(&ctx, l.t("已批准", "Approved"), "devices"),
                answer,
                label,
            })
        }
        Err(error) => {
            let (zh, en) = said(error)?;
            form.fail("request", &zh, &en);
            devices_page(&ctx, form).await
        }
    }
}

/// `GET /devices/{id}/revoke`: asks first.
pub(crate) async fn ask_revoke(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let row = find(&ctx, id).await?;
    let l = ctx.l;
    html(&RevokePage {
        l,
        c: Chrome::new(&ctx, l.t("撤销这台设备？", "Revoke this device?"), "devices"),
        row,
    })
}

/// `POST /devices/{id}/revoke`
pub(crate) async fn revoke(Path(id): Path<String>, Post { ctx, .. }: Post) -> Result<Response, Fault> {
    let device = find(&ctx, id).await?.device.node;
    ctx.run(move |n| enrol::revoke(n, &device)).await?;
    ctx.log("revoke", &device.short()).await;
    Ok(Redirect::to("/devices?done=revoked").into_response())
}

/// A device of the roll that may be revoked here: any but this one.
async fn find(ctx: &Ctx, id: String) -> Result<Row, Fault> {
    may(ctx)?;
    let l = ctx.l;
    let found = ctx
        .run(move |n| {
            Ok(rows(n, l, &office::organisations(n)?)?
                .into_iter()
                .find(|r| r.device.node.to_string() == id))
        })
        .await?;
    let row = found.filter(|r| !r.device.revoked).ok_or(Fault::NotFound)?;
    if row.own { Err(Fault::Forbidden) } else { Ok(row) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_roles_give_grants() {
        assert_eq!(grants("school", "s1", "abc"), [(Role::School, "s1".to_owned())]);
        let mentor = grants("mentor", "s1", &"k".repeat(52));
        assert_eq!(
            mentor,
            [
                (Role::Mentor, format!("{}/s1", "k".repeat(16))),
                (Role::MentorReader, "s1".to_owned())
            ]
        );
        assert!(grants("officer", "s1", "abc").is_empty());
        assert!(grants("", "s1", "abc").is_empty());
    }
}
