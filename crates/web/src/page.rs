//! What all pages share: the frame around them, badges, and how numbers and times are written.

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use node::accounts::Role;
use node::office::{ClaimRow, ClaimState, Stand, Waits};
use node::{Exchange, Way};
use records::Kinds;

use crate::app::{App, Desk};
use crate::assets;
use crate::fault::Fault;
use crate::lang::Lang;
use crate::pages::mine;
use crate::who::{Ctx, Right};

/// Renders a template into an answer.
pub(crate) fn html(template: &impl Template) -> Result<Response, Fault> {
    let body = template.render()?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response())
}

/// One entry of the navigation.
pub(crate) struct Nav {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) current: bool,
}

/// The frame of a page: title, navigation, who is signed in, and the note after an action.
pub(crate) struct Chrome {
    pub(crate) title: String,
    /// School, county or device name.
    pub(crate) place: String,
    pub(crate) county: bool,
    /// A mentor's laptop: it reads several schools, and no decisions.
    pub(crate) mentor: bool,
    pub(crate) who: Option<String>,
    pub(crate) csrf: String,
    pub(crate) nav: Vec<Nav>,
    pub(crate) path: String,
    /// What the last action did, said at the top of the page.
    pub(crate) note: Option<String>,
    /// Stands for what the page shows; the script asks whether it has moved.
    pub(crate) mark: String,
    /// This computer's clock, when it can be right; `None` puts a line on every page.
    pub(crate) clock: Option<i64>,
    /// The county is one to learn in: said at the top of every page and on every sheet.
    pub(crate) practice: bool,
    /// What is wrong with disk or database, said on every page.
    pub(crate) trouble: Option<&'static str>,
    /// Digest of the assets, so that a new version of the program is never shown with old styles.
    pub(crate) version: &'static str,
}

impl Chrome {
    /// The frame of pages without an account: sign-in, first account, faults.
    pub(crate) fn bare(app: &App, l: Lang, title: &str) -> Chrome {
        Chrome {
            title: title.to_owned(),
            place: place(app, l),
            county: app.county(),
            mentor: false,
            who: None,
            csrf: String::new(),
            nav: Vec::new(),
            path: "/".to_owned(),
            note: None,
            mark: String::new(),
            clock: app.node.clock_is_plausible().then(|| app.node.clock()),
            practice: app.node.practice(),
            trouble: (app.node.trouble().map(node::trouble_words)).map(|(zh, en)| l.t(zh, en)),
            version: assets::version(),
        }
    }

    /// The frame of a page for a signed-in person; `here` is the first segment of its path.
    pub(crate) fn new(ctx: &Ctx, title: &str, here: &str) -> Chrome {
        let note = ctx.path.split_once('?').and_then(|(_, query)| note(query, ctx.l));
        Chrome {
            who: Some(ctx.who.account.name.clone()),
            mentor: ctx.app.desk() == Desk::Mentor,
            csrf: ctx.who.csrf.clone(),
            nav: navigation(ctx, here),
            path: ctx.path.clone(),
            note,
            mark: ctx.mark.clone(),
            ..Chrome::bare(&ctx.app, ctx.l, title)
        }
    }

    /// Whether a record was made on a computer with a wrong clock.
    pub(crate) fn wrong_clock(&self, id: &str) -> bool {
        records::wrong_clock(id, self.clock)
    }
}

/// The name that stands in the head of every page.
pub(crate) fn place(app: &App, l: Lang) -> String {
    let node = &app.node;
    let county = node.county_name().unwrap_or_default();
    if app.county() {
        return if county.is_empty() {
            l.t("县级中心", "County centre").to_owned()
        } else {
            county
        };
    }
    app.label.clone()
}

fn navigation(ctx: &Ctx, here: &str) -> Vec<Nav> {
    let l = ctx.l;
    // Only the hub approves devices and keeps the registry; only a school has records of its own.
    let hub = ctx.app.node.is_county();
    let mentor = ctx.app.desk() == Desk::Mentor;
    let host = !ctx.app.node.scopes(node::Role::Host).is_empty();
    // Before a computer is enrolled it has no records either.
    let schoolless = ctx.app.schoolless() || ctx.app.desk() == Desk::Open;
    let fits = |href: &str, right: Right| match href {
        "/" => true,
        "/devices" | "/publishing" | "/tokens" => hub && ctx.may(right),
        "/sessions" | "/records" | "/visits" if mentor => ctx.may(right),
        "/records" if host => ctx.may(right),
        "/import" => (hub || !ctx.app.county()) && !schoolless && ctx.may(right),
        _ => ctx.may(right) && (!schoolless || right == Right::Manage),
    };
    let all: &[(&'static str, &'static str, Right)] = if ctx.app.county() {
        &[
            ("/", l.t("总览", "Overview"), Right::Manage),
            ("/schools", l.t("学校", "Schools"), Right::Read),
            ("/sessions", l.t("活动", "Sessions"), Right::Read),
            ("/audit", l.t("学分审核", "Audit"), Right::Audit),
            ("/visits", l.t("送教送培", "Visits"), Right::Read),
            ("/records", l.t("业务表单", "Forms"), Right::Read),
            ("/people", l.t("同一人", "Same person"), Right::Read),
            ("/closing", l.t("结账", "Closing"), Right::Read),
            ("/bulletins", l.t("通报", "Bulletins"), Right::Read),
            (
                "/statements/verify",
                l.t("核验证明", "Check statements"),
                Right::Read,
            ),
            (
                "/publishing",
                l.t("表单与规则", "Forms and rules"),
                Right::Registry,
            ),
            ("/devices", l.t("设备", "Devices"), Right::Manage),
            ("/tokens", l.t("接口令牌", "API tokens"), Right::Audit),
            ("/sync", l.t("同步", "Sync"), Right::Manage),
            ("/quarantine", l.t("隔离与截断", "Quarantine"), Right::Manage),
            ("/import", l.t("导入", "Import"), Right::Registry),
            ("/accounts", l.t("账号", "Accounts"), Right::Manage),
            ("/access", l.t("访问日志", "Access log"), Right::Manage),
            ("/recovery", l.t("恢复码与交接", "Recovery"), Right::Recover),
        ]
    } else {
        &[
            ("/", l.t("总览", "Overview"), Right::Manage),
            ("/sessions", l.t("活动", "Sessions"), Right::Read),
            ("/roster", l.t("花名册", "Roster"), Right::Read),
            ("/claims", l.t("学分登记", "Claims"), Right::Read),
            ("/observations", l.t("听评课", "Observations"), Right::Observe),
            ("/visits", l.t("送教送培", "Visits"), Right::Read),
            ("/records", l.t("业务表单", "Forms"), Right::Read),
            ("/closing", l.t("结账", "Closing"), Right::Read),
            ("/bulletins", l.t("通报", "Bulletins"), Right::Read),
            (
                "/statements/verify",
                l.t("核验证明", "Check statements"),
                Right::Read,
            ),
            ("/listening", l.t("听课定额", "Lessons heard"), Right::Read),
            ("/import", l.t("导入", "Import"), Right::Enter),
            ("/export", l.t("导出", "Export"), Right::Read),
            ("/sync", l.t("同步", "Sync"), Right::Manage),
            ("/accounts", l.t("账号", "Accounts"), Right::Manage),
            ("/recovery", l.t("恢复码与交接", "Recovery"), Right::Recover),
        ]
    };
    let own = [
        ("/mine", l.t("我的记录", "My records"), mine::has_own(ctx)),
        (
            "/countersign",
            l.t("待我审签", "To countersign"),
            ctx.who.account.role == Role::Leader && !ctx.app.county() && !schoolless,
        ),
    ];
    let own = own.into_iter().filter(|(_, _, shown)| *shown);
    all.iter()
        .filter(|(href, _, right)| fits(href, *right))
        .map(|&(href, label, _)| (href, label))
        .chain(own.map(|(href, label, _)| (href, label)))
        .map(|(href, label)| Nav {
            href,
            label,
            current: href.trim_start_matches('/') == here,
        })
        .collect()
}

/// The note named in the query after a redirect: `done=<code>&n=<count>`. Texts are fixed here, so
/// that a crafted link cannot put words on the page.
fn note(query: &str, l: Lang) -> Option<String> {
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|p| p.split_once('='))
            .find(|(k, _)| *k == name)
            .map(|(_, v)| v)
    };
    let n: u32 = value("n").and_then(|n| n.parse().ok()).unwrap_or_default();
    Some(match value("done")? {
        "saved" => l.t("已保存在本校。", "Saved at this school.").to_owned(),
        "record" | "step" => l.t("已保存在本机。", "Saved on this computer.").to_owned(),
        "tidied" => l.t("已删除。", "Removed.").to_owned(),
        "settled" => l
            .t(
                "已选定并保存在本机；没选的那种说法留在历史里。",
                "Settled and saved here; what was not chosen stays in the history.",
            )
            .to_owned(),
        "signed-here" => l
            .t("已签字，保存在这台笔记本。", "Signed, and saved on this laptop.")
            .to_owned(),
        "dialled" => l
            .t(
                "正在联系能找到的设备，结果显示在下面。",
                "Contacting every device that can be found; see below.",
            )
            .to_owned(),
        "signed" => l
            .t("已签字，保存在本校。", "Signed, and saved at this school.")
            .to_owned(),
        "series" if l.zh() => format!("已登记 {n} 次活动（草稿）。"),
        "series" => format!("{n} sessions entered as drafts."),
        "published" => l
            .t(
                "已发布。各校下次与县里联系后自动使用。",
                "Published. Schools have it after their next contact.",
            )
            .to_owned(),
        "attendance" if l.zh() => format!("考勤已保存在本校：{n} 人。"),
        "attendance" => format!("Attendance saved at this school: {n} people."),
        "linked" => l
            .t(
                "已对上，这场的考勤记到这位教师名下。",
                "Linked: the attendance is this teacher's.",
            )
            .to_owned(),
        "ended" => l
            .t(
                "活动已结束，可以登分了。",
                "The session is ended; credits can be registered.",
            )
            .to_owned(),
        "opening" if l.zh() => format!("已保存在本校：{n} 格。县里核准后才计入。"),
        "opening" => {
            format!("Saved at this school: {n} cells. They count once the county has confirmed them.")
        }
        "claims" if l.zh() => format!("已登分 {n} 人。有网时会自动送到县里。"),
        "claims" => format!("Credits registered for {n} people. They go to the county when a link appears."),
        "imported" if l.zh() => format!("已导入 {n} 行。"),
        "imported" => format!("{n} rows imported."),
        "again" => l
            .t(
                "这份文件已经确认过，没有再次导入。",
                "This file was already confirmed; nothing was imported again.",
            )
            .to_owned(),
        "expired" => l
            .t(
                "这份预览已经失效（超过一小时、程序重新启动过，或不是你上传的），没有再次导入；需要时请重新上传同一个文件。",
                "This preview is no longer there (over an hour old, the program was restarted, or somebody else's); nothing was imported again. Upload the same file anew if it is wanted.",
            )
            .to_owned(),
        "undone" if l.zh() => format!("已撤销 {n} 条。"),
        "undone" => format!("{n} records taken back."),
        "decided" if l.zh() => format!("已审核 {n} 条。"),
        "decided" => format!("{n} claims decided."),
        "approved" => l.t("已批准这台设备。", "The device is approved.").to_owned(),
        "revoked" => l
            .t(
                "已撤销这台设备。它以前的记录仍然有效，以后的不再计入。",
                "The device is revoked. What it wrote before still counts; nothing after does.",
            )
            .to_owned(),
        "cut" => l
            .t(
                "已截断。各台设备收到后会自动改用同一份，重新计数。",
                "Cut. Every computer takes the same branch and counts anew once it has heard.",
            )
            .to_owned(),
        "enrolled" => l
            .t("本机已加入本县。", "This computer now belongs to the county.")
            .to_owned(),
        "issued" => l
            .t(
                "已签发，并记入该校的台账。请下载文件交给教师本人。",
                "Issued, and written into the ledger of the school. Download the file and give it to the teacher.",
            )
            .to_owned(),
        "account" => l.t("账号已保存。", "The account is saved.").to_owned(),
        _ => return None,
    })
}

/// A state as a coloured label; the text alone says everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) class: &'static str,
    pub(crate) zh: &'static str,
    pub(crate) en: &'static str,
}

const fn badge(class: &'static str, zh: &'static str, en: &'static str) -> Badge {
    Badge { class, zh, en }
}

/// The mark of a record whose counting fields have two values; it counts nothing until one is chosen.
pub(crate) const DISPUTED: Badge = badge("disputed", "待核", "To be settled");

/// The badge of a claim that is to be settled: why it counts zero, where that is one thing.
pub(crate) fn to_settle(claim: &ClaimRow) -> Badge {
    match claim.waits {
        Waits::SameTime => badge(
            "disputed",
            "待核：同一时间另一场已计",
            "To be settled: another session of that time counts",
        ),
        Waits::Twin => badge(
            "disputed",
            "重复：同一场已计",
            "Twice: the session counts already",
        ),
        Waits::No | Waits::Differ => DISPUTED,
    }
}

/// The mark of what came after its school year was closed.
pub(crate) const LATE: Badge = badge("reduced", "迟报", "Late");

/// A school year that was closed.
pub(crate) fn closing(reopened: bool, differ: bool) -> Badge {
    match (reopened, differ) {
        (true, _) => badge("reduced", "已重开", "Reopened"),
        (false, true) => DISPUTED,
        (false, false) => badge("recognised", "已结账", "Closed"),
    }
}

/// A bulletin: whether it is the one to go by.
pub(crate) fn bulletin(state: &str, in_force: bool, replaced: bool) -> Badge {
    match state {
        "issued" if in_force => badge("recognised", "有效", "In force"),
        "issued" if replaced => badge("rejected", "已被替代", "Replaced"),
        "issued" => DISPUTED,
        "dropped" => badge("rejected", "不签发", "Not issued"),
        _ => badge("saved", "草拟", "Draft"),
    }
}

/// The way of a record to the county, as receipts say it.
pub(crate) fn way(way: &Way) -> Badge {
    match way {
        Way::Saved => badge("saved", "已保存在本校", "Saved at school"),
        Way::Carried => badge("carried", "导师已带走", "Carried by a mentor"),
        Way::AtCounty => badge("county", "已到县", "At the county"),
        Way::Received => badge("county", "已收到", "Received"),
    }
}

/// The state of a claim.
pub(crate) fn claim(state: &ClaimState) -> Badge {
    match state {
        ClaimState::SavedAtSchool => way(&Way::Saved),
        ClaimState::Carried => way(&Way::Carried),
        ClaimState::AtCounty => way(&Way::AtCounty),
        ClaimState::ChangedAfterDecision => badge("changed", "审后改动", "Changed after decision"),
        ClaimState::Decided { verdict, .. } => match verdict.as_str() {
            "recognised" => badge("recognised", "县已认定", "Recognised"),
            "reduced" => badge("reduced", "县已核减", "Reduced"),
            "returned" => badge("returned", "县退回", "Returned"),
            _ => badge("rejected", "不予认定", "Rejected"),
        },
    }
}

/// The state of a session (domain.md §3.4).
pub(crate) fn session(state: &str) -> Badge {
    let coded = |class| {
        let code = Kinds::builtin().latest("session")?.field("state")?.code(state)?;
        Some(badge(class, &code.zh, &code.en))
    };
    let class = match state {
        "held" => "open",
        "returned" => "returned",
        "void" => "rejected",
        _ => "dull",
    };
    coded(class).unwrap_or(badge("disputed", "状态不明", "Unknown state"))
}

/// The county has decided on other content than stands here now.
pub(crate) const STALE: Badge = badge("changed", "审后改动", "Changed after decision");

/// Signatures are on other content than stands here now.
pub(crate) const UNSIGNED: Badge = badge("changed", "已变更（待重签）", "Changed: to be signed anew");

/// A record whose form has not arrived: shown raw, counting nothing.
pub(crate) const FORM_MISSING: Badge = badge("disputed", "表单未到", "Form not here yet");

/// Where a record of any kind stands: class of the label, and the state's names.
pub(crate) fn stand(stand: &Stand) -> (&'static str, &str, &str) {
    let class = match stand.code.as_str() {
        "void" | "withdrawn" | "revoked" | "rejected" => "rejected",
        "returned" | "objected" | "found" => "returned",
        "approved" | "filed" | "signed" | "clear" | "closed" | "effective" | "rechecked" => "recognised",
        _ if stand.closed => "dull",
        _ => "open",
    };
    (class, &stand.zh, &stand.en)
}

/// Hundredths of a class-hour or credit as people write them: 150 → `1.5`, 200 → `2.0`.
pub(crate) fn amount(hundredths: &i64) -> String {
    records::show_hundredths(*hundredths)
}

/// How long ago something was, by this computer's clock: for "last contact" lines only.
pub(crate) fn ago(l: &Lang, at: &Option<i64>) -> String {
    let Some(at) = *at else {
        return l.t("还没有", "never").to_owned();
    };
    let seconds = now() - at;
    match seconds {
        // The clock was put back since; an amount would be a guess.
        i64::MIN..=-60 => l
            .t("时间不明（本机时钟变过）", "unknown (the clock was changed)")
            .to_owned(),
        -59..60 => l.t("刚刚", "just now").to_owned(),
        60..3_600 => unit(l, seconds / 60, "分钟前", "min ago"),
        3_600..86_400 => unit(l, seconds / 3_600, "小时前", "h ago"),
        _ => unit(l, seconds / 86_400, "天前", "days ago"),
    }
}

/// [`ago`] for a device that may be in touch at this moment.
pub(crate) fn contact(l: &Lang, at: &Option<i64>, connected: &bool) -> String {
    if *connected {
        l.t("现在", "now").to_owned()
    } else {
        ago(l, at)
    }
}

/// An amount of data.
pub(crate) fn bytes(n: &u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{} KB", n / 1_024),
        _ => format!("{} MB", n / 1_048_576),
    }
}

/// What a contact moved: `36 条 · 12 KB · 约 4 秒`.
pub(crate) fn exchange(l: &Lang, e: &Exchange) -> String {
    let seconds = e.millis.div_ceil(1_000).max(1);
    let (changes, bytes) = (e.changes(), bytes(&e.bytes()));
    match l.zh() {
        true => format!("{changes} 条 · {bytes} · 约 {seconds} 秒"),
        false => format!("{changes} changes · {bytes} · about {seconds} s"),
    }
}

/// The same, each way by itself.
pub(crate) fn both_ways(l: &Lang, e: &Exchange) -> String {
    match l.zh() {
        true => format!("收到 {} 条，送出 {} 条", e.got, e.sent),
        false => format!("{} came, {} went", e.got, e.sent),
    }
}

/// [`ago`] for a moment that is known.
pub(crate) fn ago_at(l: &Lang, at: &i64) -> String {
    ago(l, &Some(*at))
}

fn unit(l: &Lang, n: i64, zh: &str, en: &str) -> String {
    format!("{n} {}", l.pick(zh, en))
}

/// Unix seconds by this computer's clock.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// Today's date as `YYYY-MM-DD`: only ever a suggestion in a form that a person sends.
pub(crate) fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// The day so many months before today, as `YYYY-MM-DD`.
pub(crate) fn months_ago(months: i32) -> String {
    let today = jiff::Zoned::now().date();
    today
        .checked_sub(jiff::Span::new().months(months))
        .map_or_else(|_| String::new(), |day| day.to_string())
}

/// A moment of the clock as `2026-03-05 17:02`, in the computer's time zone.
pub(crate) fn moment(at: &i64) -> String {
    match jiff::Timestamp::from_second(*at) {
        Ok(at) => at
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M")
            .to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// 32 hexadecimal digits that nobody can guess.
pub(crate) fn random_token() -> Result<String, Fault> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| Fault::Inside(format!("no randomness: {e}")))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

/// The page of a fault.
#[derive(Template)]
#[template(path = "fault.html")]
pub(crate) struct FaultPage<'a> {
    pub(crate) l: Lang,
    pub(crate) c: Chrome,
    pub(crate) what: &'a str,
    pub(crate) number: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_verdict_is_never_shown_as_recognised() {
        let decided = |v: &str| ClaimState::Decided {
            verdict: v.into(),
            credits_c: 0,
            hours_c: 0,
            reason: String::new(),
            note: String::new(),
            by: String::new(),
            on: String::new(),
        };
        assert_eq!(claim(&decided("recognised")).zh, "县已认定");
        assert_eq!(claim(&decided("returned")).zh, "县退回");
        assert_eq!(claim(&decided("other")).zh, "不予认定");
    }

    #[test]
    fn a_link_cannot_put_words_on_a_page() {
        assert!(note("done=<b>hi", Lang::Zh).is_none());
        assert!(note("n=12&done=claims", Lang::En).unwrap().contains("12"));
        assert!(note("done=claims&n=x", Lang::Zh).unwrap().contains('0'));
    }

    #[test]
    fn time_that_ran_backwards_is_not_invented() {
        assert_eq!(ago(&Lang::En, &None), "never");
        assert_eq!(ago(&Lang::En, &Some(now() - 90)), "1 min ago");
        assert!(ago(&Lang::En, &Some(now() + 10_000)).starts_with("unknown"));
    }
}
