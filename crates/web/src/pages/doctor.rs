//! 诊断: why other devices are not seen, and what to do. It looks only when asked, since it dials.

use askama::Template;
use axum::response::Response;
use node::doctor::{self, Finding, Setting, Severity, Sure};

use crate::fault::Fault;
use crate::lang::Lang;
use crate::page::{Chrome, html};
use crate::who::{Ctx, Post, Right};

#[derive(Template)]
#[template(path = "doctor.html")]
struct DoctorPage {
    l: Lang,
    c: Chrome,
    /// `None` before it was asked for.
    findings: Option<Vec<Finding>>,
}

impl DoctorPage {
    fn badge(&self, finding: &Finding) -> (&'static str, &'static str) {
        match finding.severity {
            Severity::Fault => ("rejected", self.l.t("故障", "Fault")),
            Severity::Warning => ("saved", self.l.t("注意", "Warning")),
            Severity::Fine => ("county", self.l.t("正常", "Fine")),
        }
    }

    fn sure(&self, finding: &Finding) -> &'static str {
        match finding.sure {
            Sure::Certain => self.l.t("确定", "certain"),
            Sure::Likely => self.l.t("很可能", "likely"),
            Sure::Possible => self.l.t("可能", "possible"),
        }
    }
}

/// `GET /doctor`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    page(&ctx, None)
}

/// `POST /doctor`: looks, which takes up to a quarter of a minute.
pub(crate) async fn run(Post { ctx, .. }: Post) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let node = &ctx.app.node;
    let setting = match node.running() {
        Some(running) => Setting::of(running),
        None => Setting {
            listen: node::NetworkConfig::default().listen,
            serving: false,
            mdns: true,
            no_tcp: None,
        },
    };
    let seen = doctor::examine(node, &setting).await?;
    page(&ctx, Some(doctor::judge(&seen)))
}

fn page(ctx: &Ctx, findings: Option<Vec<Finding>>) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let l = ctx.l;
    html(&DoctorPage {
        l,
        c: Chrome::new(ctx, l.t("诊断", "Diagnosis"), "sync"),
        findings,
    })
}
