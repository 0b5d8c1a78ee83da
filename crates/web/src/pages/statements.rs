//! 学分证明: an auditor issues them for a teacher; anybody with an account checks one that somebody brings.

use askama::Template;
use axum::RequestExt;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use node::credential::CreditStatement;
use node::office::{self, CheckedStatement, InLedger, IssuedStatement, StatementInput, Teacher};

use crate::app::App;
use crate::fault::{Fault, said};
use crate::form::{self, Form};
use crate::guard;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::import::read_upload;
use crate::who::{Ctx, Post, Right, check_token};

#[derive(Template)]
#[template(path = "statements.html")]
struct StatementsPage {
    l: Lang,
    c: Chrome,
    f: Form,
    teacher: Teacher,
    rows: Vec<IssuedStatement>,
}

#[derive(Template)]
#[template(path = "statement_verify.html")]
struct VerifyPage {
    l: Lang,
    c: Chrome,
    f: Form,
    checked: Option<CheckedStatement>,
    /// What the ledger says under the number of a QR picture.
    known: Option<IssuedStatement>,
}

impl VerifyPage {
    /// What the ledger here says of the file, in a sentence.
    fn ledger(&self, checked: &CheckedStatement) -> String {
        let l = self.l;
        match &checked.ledger {
            InLedger::Same => l
                .t(
                    "本机的台账里有这份证明，内容相同",
                    "the ledger here has it, with the same content",
                )
                .to_owned(),
            InLedger::Withdrawn(reason) => {
                format!("{}{reason}", l.t("县里已撤回：", "withdrawn by the county: "))
            }
            InLedger::Differs => l
                .t(
                    "台账里这个编号的内容不同",
                    "the ledger has another content under this number",
                )
                .to_owned(),
            InLedger::Absent => l
                .t(
                    "本机的台账里还没有（可能还没同步到）",
                    "not in the ledger here (it may not have arrived yet)",
                )
                .to_owned(),
            InLedger::NotRead => l
                .t(
                    "本机不读那所学校的台账",
                    "this computer does not read the ledger of that school",
                )
                .to_owned(),
        }
    }
}

/// Only an auditor's device signs, and only an auditor asks it to.
fn may_issue(ctx: &Ctx) -> Result<(), Fault> {
    ctx.need(Right::Audit)?;
    match ctx.app.node.is_auditor() {
        true => Ok(()),
        false => Err(Fault::Forbidden),
    }
}

/// `GET /teachers/{id}/statement`
pub(crate) async fn list(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    statements_page(&ctx, id, Form::filled([("issued_on", page::today())])).await
}

async fn statements_page(ctx: &Ctx, id: String, f: Form) -> Result<Response, Fault> {
    may_issue(ctx)?;
    let found = ctx.run(move |n| Ok((office::teacher(n, &id)?, office::issued_statements(n, &id)?)));
    let (teacher, rows) = found.await?;
    let l = ctx.l;
    html(&StatementsPage {
        l,
        c: Chrome::new(ctx, l.t("学分证明", "Credit statement"), "schools"),
        f,
        teacher: teacher.ok_or(Fault::NotFound)?,
        rows,
    })
}

/// `POST /teachers/{id}/statement`
pub(crate) async fn issue(Path(id): Path<String>, Post { ctx, mut form }: Post) -> Result<Response, Fault> {
    may_issue(&ctx)?;
    let day = |form: &mut Form, field: &str| match form.get(field).is_empty() {
        true => String::new(),
        false => form::date(form, field),
    };
    let input = StatementInput {
        person: id.clone(),
        from: day(&mut form, "from"),
        until: day(&mut form, "until"),
        purpose: form.text("purpose"),
        issued_on: form::date(&mut form, "issued_on"),
    };
    if !form.ok() {
        return statements_page(&ctx, id, form).await;
    }
    let by = ctx.who.by();
    match ctx
        .app
        .attempt(move |n| office::issue_statement(n, &by, &input))
        .await?
    {
        Ok((statement, _)) => {
            ctx.log("issue statement", &statement).await;
            Ok(Redirect::to(&format!("/teachers/{id}/statement?done=issued")).into_response())
        }
        Err(node::Error::Invalid(errors)) => {
            form.fail_all(&errors);
            statements_page(&ctx, id, form).await
        }
        Err(other) => Err(other.into()),
    }
}

/// `GET /statements/{id}/file`
pub(crate) async fn file(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let (_, file) = issued(&ctx, &id).await?;
    ctx.log("export", &format!("statement {id}")).await;
    let short: String = id.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    let headers = [
        (header::CONTENT_TYPE, "application/jwt".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"credit-statement-{short}.jwt\""),
        ),
    ];
    Ok((headers, file).into_response())
}

/// A statement of this computer, for who may hand it out: what the ledger says, and the file.
pub(crate) async fn issued(ctx: &Ctx, id: &str) -> Result<(IssuedStatement, String), Fault> {
    may_issue(ctx)?;
    let id = id.to_owned();
    let found = ctx.run(move |n| Ok((office::issued_statement(n, &id)?, office::statement_file(n, &id)?)));
    match found.await? {
        (Some(row), Some(file)) => Ok((row, file)),
        _ => Err(Fault::NotFound),
    }
}

/// What a file of this county says.
pub(crate) async fn content(ctx: &Ctx, file: String) -> Result<CreditStatement, Fault> {
    let checked = ctx.run(move |n| office::check_statement(n, &file)).await?;
    Ok(checked.verified.statement)
}

/// `GET /statements/verify`
pub(crate) async fn verify_form(ctx: Ctx) -> Result<Response, Fault> {
    verify_page(&ctx, Form::default(), None, None)
}

fn verify_page(
    ctx: &Ctx,
    f: Form,
    checked: Option<CheckedStatement>,
    known: Option<IssuedStatement>,
) -> Result<Response, Fault> {
    let l = ctx.l;
    html(&VerifyPage {
        l,
        c: Chrome::new(
            ctx,
            l.t("核验学分证明", "Check a credit statement"),
            "statements/verify",
        ),
        f,
        checked,
        known,
    })
}

/// `POST /statements/verify`: a file, the text in it, or the text of a QR picture.
pub(crate) async fn verify(State(app): State<App>, mut request: Request) -> Result<Response, Fault> {
    let ctx: Ctx = request.extract_parts_with_state(&app).await?;
    if !guard::same_origin(request.headers(), request.uri()) {
        return Err(Fault::Stale);
    }
    let (mut form, _, bytes) = read_upload(&app, request).await?;
    check_token(&ctx.who.csrf, form.raw("csrf"))?;
    let text = match bytes.is_empty() {
        true => form.text("text"),
        false => String::from_utf8_lossy(&bytes).into_owned(),
    };
    if text.trim().is_empty() {
        form.fail(
            "file",
            "请选择证明文件，或粘贴其中的文字",
            "Choose the file, or paste its text",
        );
        return verify_page(&ctx, form, None, None);
    }
    let done = ctx
        .app
        .attempt(move |n| match office::find_statement(n, &text)? {
            Some(known) => Ok(Err(known)),
            None => office::check_statement(n, &text).map(Ok),
        })
        .await?;
    let number = match &done {
        Ok(Ok(checked)) => checked.verified.statement.id.clone(),
        Ok(Err(Some(known))) => known.id.clone(),
        Ok(Err(None)) | Err(_) => "—".to_owned(),
    };
    ctx.log("verify statement", &number).await;
    match done {
        Ok(Ok(checked)) => verify_page(&ctx, form, Some(checked), None),
        Ok(Err(Some(known))) => verify_page(&ctx, form, None, Some(known)),
        Ok(Err(None)) => {
            form.fail(
                "text",
                "本机的台账里没有这个编号，或者摘要不同；请核验电子文件，或向县里核实",
                "The ledger here has no statement of this number and digest; check the file itself, or ask the county",
            );
            verify_page(&ctx, form, None, None)
        }
        Err(error) => {
            let (zh, en) = said(error)?;
            form.fail("file", &zh, &en);
            verify_page(&ctx, form, None, None)
        }
    }
}
