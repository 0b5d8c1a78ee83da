//! The first page: at a school what is to do next and how far the records have come, at the county
//! what came in and who has been silent.

use askama::Template;
use axum::response::Response;
use node::accounts::Role;
use node::office::{self, ClaimRow, SchoolRow, SessionRow, Years};
use node::{Node, Standing};

use crate::app::Desk;
use crate::fault::Fault;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::pages::claims::group;
use crate::pages::county;
use crate::pages::live::{self, Link};
use crate::pages::silence::{self, Cause};
use crate::who::{Ctx, Right};

/// One thing to do, in the order in which a clerk would do it.
pub(crate) struct Todo {
    pub(crate) text: String,
    pub(crate) hint: &'static str,
    pub(crate) href: String,
    pub(crate) action: &'static str,
}

#[derive(Default)]
pub(crate) struct Figures {
    teachers: usize,
    sessions: usize,
    claims: usize,
    given: usize,
    given_credits_c: i64,
}

#[derive(Template)]
#[template(path = "overview_school.html")]
struct SchoolPage {
    l: Lang,
    c: Chrome,
    read: bool,
    enter: bool,
    manage: bool,
    todo: Vec<Todo>,
    n: Figures,
    link: Link,
}

#[derive(Template)]
#[template(path = "overview_county.html")]
struct CountyPage {
    l: Lang,
    c: Chrome,
    read: bool,
    audit: bool,
    n: CountyFigures,
    /// The first schools with a device that were not in touch for a week, the longest silent first, with the likely cause.
    silent: Vec<(SchoolRow, String)>,
    /// How many such schools there are.
    silent_all: usize,
    wishes: usize,
    /// What is to be settled, at the schools or here.
    conflicts: usize,
    /// Schools where that is still to be looked for since something changed.
    unlooked: usize,
    /// Subjects of bulletins that are due: a person drafts and issues them.
    due: Vec<String>,
    /// The sessions with the latest dates, of all schools.
    recent: Vec<SessionRow>,
}

#[derive(Template)]
#[template(path = "overview_mentor.html")]
struct MentorPage {
    l: Lang,
    c: Chrome,
    read: bool,
    manage: bool,
    rows: Vec<MentorRow>,
    link: Link,
}

/// A school that a mentor was assigned to.
struct MentorRow {
    id: String,
    /// Name, empty before the registry has arrived.
    name: String,
    sessions: u64,
    teachers: u64,
    attendances: u64,
    /// Unix seconds when something of the school last came in, from whichever device.
    received: Option<i64>,
}

/// Sessions on the county's first page.
const RECENT: u32 = 8;

#[derive(Default)]
pub(crate) struct CountyFigures {
    schools: usize,
    town: usize,
    enrolled: usize,
    teachers: u64,
    town_teachers: u64,
    sessions: u64,
    attendances: u64,
    open: u64,
    decided: u64,
}

/// Silent schools on the county's first page.
const SILENT_LISTED: usize = 10;

/// `GET /`
pub(crate) async fn show(ctx: Ctx) -> Result<Response, Fault> {
    let account = &ctx.who.account;
    if let (Role::Teacher, Some(person)) = (account.role, &account.person) {
        return crate::pages::card::show(ctx.clone(), axum::extract::Path(person.clone())).await;
    }
    match ctx.app.desk() {
        Desk::County => county_page(ctx).await,
        Desk::Mentor => mentor(ctx).await,
        Desk::School | Desk::Open => school(ctx).await,
    }
}

async fn school(ctx: Ctx) -> Result<Response, Fault> {
    let l = ctx.l;
    // Before it is enrolled, and on a mentor's laptop, there are no records of a school.
    let own = ctx.app.node.home_school().is_some();
    let (read, enter) = (own && ctx.may(Right::Read), own && ctx.may(Right::Enter));
    let manage = ctx.may(Right::Manage);
    // Right after something was written both look at the whole year: side by side.
    let first = ctx.run(move |node| {
        let mut todo = Vec::new();
        standing(node, l, &mut todo);
        if read {
            conflicts(l, office::open_conflicts(node)?.len(), &mut todo);
            bulletins(l, &office::unread_bulletins(node)?, &mut todo);
        }
        Ok(todo)
    });
    let rest = ctx.run(move |node| {
        let link = live::link(node)?;
        let mut todo = Vec::new();
        let Some(school) = node.home_school().filter(|_| read) else {
            return Ok((Figures::default(), todo, link));
        };
        let teachers = office::roster(node, &school)?;
        let sessions = office::all_sessions(node, &school)?;
        let claims = office::all_claims(node, &school)?;
        let in_service = teachers.iter().filter(|t| t.in_service()).count();
        work(l, in_service, &sessions, &claims, &mut todo);
        unlisted(node, l, &school, &mut todo)?;
        recovery_codes(node, l, &mut todo)?;
        Ok((figures(in_service, &sessions, &claims), todo, link))
    });
    let (mut todo, (n, work, link)) = tokio::try_join!(first, rest)?;
    todo.extend(work);
    todo.retain(|t| t.href == "/sync" || enter);
    html(&SchoolPage {
        l,
        c: Chrome::new(&ctx, l.t("总览", "Overview"), ""),
        read,
        enter,
        manage,
        todo,
        n,
        link,
    })
}

/// A mentor's laptop: what has come from the schools it was assigned to.
async fn mentor(ctx: Ctx) -> Result<Response, Fault> {
    let l = ctx.l;
    let read = ctx.may(Right::Read);
    let assigned = ctx.app.mentored();
    let (rows, link) = ctx
        .run(move |node| {
            let schools = office::schools(node)?;
            let mut rows = Vec::new();
            for id in assigned {
                let known = schools.iter().find(|s| s.id == id);
                rows.push(MentorRow {
                    received: {
                        let here = office::taken_along(node, &id)?;
                        here.base.max(here.log)
                    },
                    name: known.map(|s| s.name.clone()).unwrap_or_default(),
                    sessions: known.map_or(0, |s| s.sessions),
                    teachers: known.map_or(0, |s| s.teachers),
                    attendances: known.map_or(0, |s| s.attendances),
                    id,
                });
            }
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            Ok((rows, live::link(node)?))
        })
        .await?;
    html(&MentorPage {
        l,
        c: Chrome::new(&ctx, l.t("总览", "Overview"), ""),
        read,
        manage: ctx.may(Right::Manage),
        rows,
        link,
    })
}

fn figures(teachers: usize, sessions: &Years<SessionRow>, claims: &Years<ClaimRow>) -> Figures {
    let given = claims.iter().filter(|c| group(c) == "given");
    let credits = given.clone().map(|c| match &c.state {
        office::ClaimState::Decided { credits_c, .. } => *credits_c,
        _ => 0,
    });
    Figures {
        teachers,
        sessions: sessions.iter().filter(|s| s.state != "void").count(),
        claims: claims.iter().count(),
        given: given.count(),
        given_credits_c: credits.sum(),
    }
}

/// Whether this node belongs to a county yet.
fn standing(node: &Node, l: Lang, todo: &mut Vec<Todo>) {
    let (text, hint) = match node.standing() {
        Standing::Member => return,
        Standing::Revoked => (
            l.t("本机已被县里撤销", "This computer was revoked by the county"),
            l.t(
                "新的记录不再计入。请联系县教师进修学校。",
                "New records count no longer. Please call the county centre.",
            ),
        ),
        _ => (
            l.t("先把本机加入本县", "First enrol this computer in the county"),
            l.t(
                "加入之后才能登记本校的记录。",
                "Records of the school can be entered afterwards.",
            ),
        ),
    };
    todo.push(Todo {
        text: text.to_owned(),
        hint,
        href: "/sync".to_owned(),
        action: l.t("去看看", "Open"),
    });
}

/// What two devices say differently, and a person settles.
fn conflicts(l: Lang, open: usize, todo: &mut Vec<Todo>) {
    if open > 0 {
        todo.push(Todo {
            text: l
                .pick(&format!("待核 {open} 处"), &format!("{open} to be settled"))
                .to_owned(),
            hint: l.t(
                "两处记录不一样，选定之前不计学分。",
                "Two records differ; they count nothing until one is chosen.",
            ),
            href: "/conflicts".to_owned(),
            action: l.t("去核对", "Settle"),
        });
    }
}

/// What the county told all schools and nobody here has read.
fn bulletins(l: Lang, unread: &[String], todo: &mut Vec<Todo>) {
    if !unread.is_empty() {
        let (zh, en) = (unread.join("、"), unread.join(", "));
        todo.push(Todo {
            text: l
                .pick(
                    &format!("情况通报未阅：{zh}"),
                    &format!("Bulletins not read: {en}"),
                )
                .to_owned(),
            hint: l.t(
                "读后点“已阅”，县里才知道本校看过。",
                "Say so when it was read: only then the county knows.",
            ),
            href: "/bulletins".to_owned(),
            action: l.t("去看看", "Open"),
        });
    }
}

/// Who took part and has no roster entry, or has one by now that nobody has said it is.
fn unlisted(node: &Node, l: Lang, school: &str, todo: &mut Vec<Todo>) -> Result<(), node::Error> {
    let waiting = office::unlisted(node, school, None)?;
    if waiting.is_empty() {
        return Ok(());
    }
    let n = waiting.len();
    let named = waiting.iter().any(|one| !one.same_name.is_empty());
    todo.push(Todo {
        text: l
            .pick(
                &format!("待登记 {n} 人次"),
                &format!("{n} attendances without a roster entry"),
            )
            .to_owned(),
        hint: match named {
            true => l.t(
                "花名册上已有同名的人，请核对是不是本人。",
                "The roster has somebody of that name: check whether it is the same person.",
            ),
            false => l.t(
                "加到花名册后，选定是哪一位，考勤才算数。",
                "Put them on the roster, then say who it is; only then the attendance counts.",
            ),
        },
        href: "/unlisted".to_owned(),
        action: l.t("去核对", "Check"),
    });
    Ok(())
}

/// Without codes on paper a forgotten PIN stops the office until the county comes.
fn recovery_codes(node: &Node, l: Lang, todo: &mut Vec<Todo>) -> Result<(), node::Error> {
    if node::accounts::recovery::sheet(node)?.left == 0 {
        todo.push(Todo {
            text: l.t("还没有恢复码", "There are no recovery codes").to_owned(),
            hint: l.t(
                "印在纸上交校长保管；忘了 PIN 或换人时，不用网络也能重设。",
                "Print them for the head of the school: a forgotten PIN or a handover then needs no network.",
            ),
            href: "/recovery".to_owned(),
            action: l.t("打印恢复码", "Print them"),
        });
    }
    Ok(())
}

/// What the clerk should do next, most pressing first.
fn work(
    l: Lang,
    teachers: usize,
    sessions: &Years<SessionRow>,
    claims: &Years<ClaimRow>,
    todo: &mut Vec<Todo>,
) {
    let mut add = |zh: String,
                   en: String,
                   hint: (&'static str, &'static str),
                   href: String,
                   action: (&'static str, &'static str)| {
        todo.push(Todo {
            text: l.pick(&zh, &en).to_owned(),
            hint: l.t(hint.0, hint.1),
            href,
            action: l.t(action.0, action.1),
        });
    };
    if teachers == 0 {
        add(
            "花名册还是空的".into(),
            "The roster is empty".into(),
            (
                "导入县里发的表格，或一位一位添加。",
                "Import the county's table, or add teachers one by one.",
            ),
            "/import".into(),
            ("导入花名册", "Import the roster"),
        );
    }
    let returned = claims.iter().filter(|c| group(c) == "returned").count();
    if returned > 0 {
        add(
            format!("县退回 {returned} 条登记"),
            format!("{returned} claims were returned"),
            (
                "看退回的理由，改正后在活动页重新登分。",
                "Read the reason, correct it, and register again on the session's page.",
            ),
            "/claims?state=returned".into(),
            ("查看", "Open"),
        );
    }
    let disputed = claims.iter().filter(|c| c.disputed).count();
    if disputed > 0 {
        add(
            format!("{disputed} 条登分待核"),
            format!("{disputed} claims are to be settled"),
            (
                "所依据的活动或考勤有争议、已作废或已改，先不计学分。",
                "What they rest on is in dispute, void or changed; they count nothing meanwhile.",
            ),
            "/claims?state=disputed".into(),
            ("查看", "Open"),
        );
    }
    for s in sessions
        .iter()
        .filter(|s| matches!(s.state.as_str(), "draft" | "held"))
        .take(5)
    {
        let begun = s.state == "held";
        add(
            format!("{} {}", s.date, s.title),
            format!("{} {}", s.date, s.title),
            if begun {
                ("已记考勤，还没结束。", "Attendance is marked; not ended yet.")
            } else {
                ("还没记考勤。", "No attendance yet.")
            },
            format!("/sessions/{}", s.id),
            if begun {
                ("结束活动", "End it")
            } else {
                ("记考勤", "Mark attendance")
            },
        );
    }
    let unclaimed: Vec<&SessionRow> = sessions
        .iter()
        .filter(|s| s.state == "ended" && s.claims < s.present)
        .collect();
    for s in unclaimed.iter().take(5) {
        add(
            format!("{} {}", s.date, s.title),
            format!("{} {}", s.date, s.title),
            ("已结束，还没登完分。", "Ended; credits are not all registered."),
            format!("/sessions/{}", s.id),
            ("登分", "Register credits"),
        );
    }
}

async fn county_page(ctx: Ctx) -> Result<Response, Fault> {
    let l = ctx.l;
    let (read, manage) = (ctx.may(Right::Read), ctx.may(Right::Manage));
    let today = page::today();
    let (rows, recent, wishes, conflicts, causes, due) = ctx
        .run(move |node| {
            let rows = if read { county::rows(node)? } else { Vec::new() };
            let recent = if read {
                office::sessions(node, None, RECENT)?
            } else {
                Vec::new()
            };
            let asks = manage && node.is_county();
            let wishes = if asks {
                node::enrol::pending(node)?.len()
            } else {
                0
            };
            let conflicts = if read {
                office::count_conflicts(node)?
            } else {
                (0, 0)
            };
            let on = jiff::Zoned::now().date();
            let causes = silence::causes(node, &rows, &county::silent, on)?;
            let mut due = match manage && read {
                true => office::schedules(node, &today)?,
                false => Vec::new(),
            };
            due.retain(|s| s.standing.due.is_some());
            let due: Vec<String> = due.into_iter().map(|s| s.topic).collect();
            Ok((rows, recent, wishes, conflicts, causes, due))
        })
        .await?;
    let n = county_figures(&rows);
    let mut silent: Vec<SchoolRow> = rows.into_iter().filter(county::silent).collect();
    silent.sort_by_key(|s| s.last_contact);
    let silent_all = silent.len();
    silent.truncate(SILENT_LISTED);
    let with_cause = |s: SchoolRow| {
        let cause = causes
            .get(&s.id)
            .map_or_else(String::new, |cause: &Cause| cause.said(l));
        (s, cause)
    };
    let silent = silent.into_iter().map(with_cause).collect();
    html(&CountyPage {
        l,
        c: Chrome::new(&ctx, l.t("总览", "Overview"), ""),
        read,
        audit: ctx.may(Right::Audit),
        n,
        silent,
        silent_all,
        wishes,
        conflicts: conflicts.0,
        unlooked: conflicts.1,
        due,
        recent,
    })
}

fn county_figures(rows: &[SchoolRow]) -> CountyFigures {
    let mut n = CountyFigures {
        schools: rows.len(),
        ..CountyFigures::default()
    };
    for s in rows {
        let town = s.rural == "county_town";
        n.town += usize::from(town);
        n.town_teachers += if town { s.teachers } else { 0 };
        n.enrolled += usize::from(s.enrolled_devices > 0);
        n.teachers += s.teachers;
        n.sessions += s.sessions;
        n.attendances += s.attendances;
        n.open += s.open_claims;
        n.decided += s.decided_claims;
    }
    n
}
