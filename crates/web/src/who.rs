//! Who is asking: the signed-in account of a request, what its role may do, and the two
//! extractors that pages take ([`Ctx`] to show, [`Post`] to act).

use std::net::SocketAddr;

use axum::RequestExt;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use node::accounts::{self, AccessRow, Account, Role};
use node::office::By;
use node::{Node, Standing};
use subtle::ConstantTimeEq;

use crate::access::Trace;
use crate::app::App;
use crate::fault::Fault;
use crate::form::Form;
use crate::guard;
use crate::lang::Lang;
use crate::page;
use crate::pages::live;

/// What a page lets a person do. Which roles hold which right is decided in [`Who::may`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Read the records of this node: school pages at a school, all schools at the county.
    Read,
    /// Enter and change a school's records (师训专管员).
    Enter,
    /// Write what one heard in a lesson, and sign it (听评课): observers with the own account, the officer for any.
    Observe,
    /// Decide on claims (县级学分审核员).
    Audit,
    /// Keep the county's list of organisations (县级管理员).
    Registry,
    /// Devices, enrolment and accounts of this node (系统管理员).
    Manage,
    /// Recovery codes and handovers of accounts: whoever reads records here, but no bare administrator.
    Recover,
}

/// A signed-in account and the token that every form of its sign-in carries.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) account: Account,
    pub(crate) csrf: String,
}

impl Who {
    /// Roles and rights (domain.md §2.2, §2.3). Administrators have no say about content (R21), and
    /// a school's account never audits: the one who earns cannot award.
    pub(crate) fn may(&self, right: Right, county: bool) -> bool {
        match (self.account.role, right) {
            (Role::Clerk, Right::Read | Right::Enter | Right::Manage | Right::Recover) => !county,
            (Role::Leader, Right::Read) => true,
            (Role::Leader, Right::Recover) => !county,
            (Role::Clerk | Role::Leader | Role::Teacher, Right::Observe) => !county,
            (
                Role::Auditor,
                Right::Read | Right::Audit | Right::Registry | Right::Manage | Right::Recover,
            ) => county,
            (Role::Admin, Right::Manage) => true,
            (Role::Admin, Right::Registry) => county,
            _ => false,
        }
    }

    /// The label that records carry as `_by`.
    pub(crate) fn by(&self) -> By {
        By {
            account: self.account.name.clone(),
        }
    }
}

/// A request for a page: language, account if any, and the node.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) l: Lang,
    pub(crate) who: Option<Who>,
    /// Path with query, for the language switch and the way back after signing in.
    pub(crate) path: String,
    /// Address of the browser, for the access log.
    pub(crate) remote: String,
    /// What the node's views were like before the page was read (see `pages::live`).
    pub(crate) mark: String,
    /// The session token of the cookie, as sent.
    pub(crate) token: Option<String>,
    /// The token of forms shown before signing in (double-submit cookie), as sent.
    pub(crate) form_token: Option<String>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Visit, Fault> {
        let remote = match ConnectInfo::<SocketAddr>::from_request_parts(parts, app).await {
            Ok(ConnectInfo(address)) => address.ip().to_string(),
            Err(_) => String::new(),
        };
        let token = guard::cookie(&parts.headers, &app.cookie).map(str::to_owned);
        // Before anything is read: a change in between makes the page look old, never new.
        let mark = live::mark(app);
        let who = match token.clone() {
            Some(token) => {
                let found = app
                    .run(move |node| accounts::session(node, &token, page::now()))
                    .await?;
                found.map(|s| Who {
                    account: s.account,
                    csrf: s.csrf,
                })
            }
            None => None,
        };
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let form_cookie = format!("{}_form", app.cookie);
        Ok(Visit {
            app: app.clone(),
            l: guard::language(&parts.headers),
            who,
            path,
            remote,
            mark,
            token,
            form_token: guard::cookie(&parts.headers, &form_cookie).map(str::to_owned),
        })
    }
}

/// A request of a signed-in person.
#[derive(Clone)]
pub(crate) struct Ctx {
    pub(crate) app: App,
    pub(crate) l: Lang,
    pub(crate) who: Who,
    pub(crate) path: String,
    pub(crate) remote: String,
    pub(crate) mark: String,
    /// Tells the layer around the handler what became of the request.
    trace: Trace,
}

impl FromRequestParts<App> for Ctx {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Ctx, Fault> {
        let get = parts.method == axum::http::Method::GET;
        let visit = Visit::from_request_parts(parts, app).await?;
        match visit.who {
            Some(who) => {
                let Visit {
                    app,
                    l,
                    path,
                    remote,
                    mark,
                    ..
                } = visit;
                let trace = parts.extensions.get::<Trace>().cloned().unwrap_or_default();
                trace.set_who(&who.account.id, &who.account.name, &remote);
                Ok(Ctx {
                    trace,
                    app,
                    l,
                    who,
                    path,
                    remote,
                    mark,
                })
            }
            // A form cannot be replayed after signing in, so the way back is the overview.
            None => Err(Fault::SignIn(if get { visit.path } else { "/".to_owned() })),
        }
    }
}

impl Ctx {
    /// Refuses the request unless the account holds the right at this node.
    pub(crate) fn need(&self, right: Right) -> Result<(), Fault> {
        if self.may(right) {
            Ok(())
        } else {
            Err(Fault::Forbidden)
        }
    }

    /// Whether the account holds the right at this node.
    pub(crate) fn may(&self, right: Right) -> bool {
        // A mentor's laptop belongs to no school whose records it could enter.
        let entering = matches!(right, Right::Enter | Right::Observe);
        (!entering || !self.app.schoolless()) && self.who.may(right, self.app.county())
    }

    /// The school of this node, for pages that only a school's node has.
    pub(crate) fn school(&self) -> Result<String, Fault> {
        let none = || match self.app.node.standing() {
            Standing::Member if self.app.county() => Fault::Forbidden,
            Standing::Member => Fault::Refused(
                "这台设备不是学校的电脑，没有本校的记录。",
                "This device is not a school's computer and has no records of a school of its own.",
            ),
            _ => node::Error::NotEnrolled.into(),
        };
        self.app.node.home_school().ok_or_else(none)
    }

    /// Refuses pages that only the county's node has.
    pub(crate) fn county(&self) -> Result<(), Fault> {
        if self.app.county() {
            Ok(())
        } else {
            Err(Fault::Forbidden)
        }
    }

    /// Blocking work on the node.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Node) -> Result<T, node::Error> + Send + 'static,
    ) -> Result<T, Fault> {
        self.app.run(work).await
    }

    /// Notes whose records were looked at: the address of the page.
    pub(crate) async fn look(&self, address: &str) {
        if self.app.looks.is_new(&self.who.account.id, address, page::now()) {
            self.log("look", address).await;
        }
    }

    /// Adds a line to the access log. The act stands even if the log cannot be written; the fault
    /// goes to the program's log.
    pub(crate) async fn log(&self, act: &'static str, object: &str) {
        self.trace.set_logged();
        let line = AccessRow {
            at: page::now(),
            account: self.who.account.id.clone(),
            name: self.who.account.name.clone(),
            act: act.to_owned(),
            object: object.to_owned(),
            remote: self.remote.clone(),
        };
        let wrote = self.run(move |n| accounts::log(n, line)).await;
        if let Err(Fault::Inside(text)) = wrote {
            tracing::error!(act, "access log: {text}");
        }
    }
}

/// A submitted form of a signed-in person whose token was checked.
pub(crate) struct Post {
    pub(crate) ctx: Ctx,
    pub(crate) form: Form,
}

impl FromRequest<App> for Post {
    type Rejection = Fault;

    async fn from_request(mut request: Request, app: &App) -> Result<Post, Fault> {
        let ctx: Ctx = request.extract_parts_with_state(app).await?;
        let form = read_form(request, app).await?;
        check_token(&ctx.who.csrf, form.raw("csrf"))?;
        Ok(Post { ctx, form })
    }
}

/// A form submitted before signing in (sign-in, first account): its token must equal its cookie.
pub(crate) struct OpenPost {
    pub(crate) visit: Visit,
    pub(crate) form: Form,
}

impl FromRequest<App> for OpenPost {
    type Rejection = Fault;

    async fn from_request(mut request: Request, app: &App) -> Result<OpenPost, Fault> {
        let visit: Visit = request.extract_parts_with_state(app).await?;
        let form = read_form(request, app).await?;
        check_token(visit.form_token.as_deref().unwrap_or_default(), form.raw("csrf"))?;
        Ok(OpenPost { visit, form })
    }
}

async fn read_form(request: Request, app: &App) -> Result<Form, Fault> {
    if !guard::same_origin(request.headers(), request.uri()) {
        return Err(Fault::Stale);
    }
    let pairs = axum::Form::<Vec<(String, String)>>::from_request(request, app).await;
    let axum::Form(pairs) = pairs.map_err(|_| {
        Fault::Unreadable(
            "表单没有完整传到，请再提交一次。",
            "The form did not arrive whole. Please submit it again.",
        )
    })?;
    Ok(Form::new(pairs))
}

/// Compares a form's token with the expected one without telling how much of it was right.
pub(crate) fn check_token(expected: &str, sent: &str) -> Result<(), Fault> {
    let equal = !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(sent.as_bytes()));
    if equal { Ok(()) } else { Err(Fault::Stale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(role: Role) -> Who {
        let account = Account {
            id: String::new(),
            name: "𬭊老师".into(),
            role,
            person: None,
            created_at: 0,
            locked_until: None,
            active: true,
        };
        Who {
            account,
            csrf: String::new(),
        }
    }

    #[test]
    fn no_school_account_audits_and_no_administrator_touches_content() {
        for role in Role::ALL {
            assert_eq!(
                who(role).may(Right::Audit, true),
                role == Role::Auditor,
                "{role:?}"
            );
            assert!(!who(role).may(Right::Audit, false), "{role:?}");
            assert_eq!(
                who(role).may(Right::Enter, false),
                role == Role::Clerk,
                "{role:?}"
            );
            assert!(!who(role).may(Right::Enter, true), "{role:?}");
        }
        // Whoever may give codes could take over an account with its rights.
        assert!(
            !who(Role::Admin).may(Right::Recover, false) && !who(Role::Teacher).may(Right::Recover, false)
        );
        assert!(who(Role::Leader).may(Right::Recover, false) && !who(Role::Leader).may(Right::Recover, true));
        assert!(!who(Role::Admin).may(Right::Read, false));
        assert!(!who(Role::Clerk).may(Right::Read, true));
        assert!(!who(Role::Teacher).may(Right::Read, false));
    }

    #[test]
    fn an_empty_token_never_matches() {
        assert!(check_token("", "").is_err());
        assert!(check_token("a", "").is_err());
        assert!(check_token("abc", "abd").is_err());
        assert!(check_token("abc", "abc").is_ok());
    }
}
