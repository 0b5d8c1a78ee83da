//! 访问日志: who has signed in, looked, taken out, decided, approved and revoked, and what other systems have read.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use node::accounts::{self, AccessFilter, AccessRow};
use serde::Deserialize;

use crate::fault::Fault;
use crate::form::{self, Form};
use crate::labels::Choice;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Right};

/// Lines of one page.
const LINES: u32 = 200;

/// Sorts of acts: code, names, acts.
const SORTS: [(&str, &str, &str, &[&str]); 5] = [
    (
        "sign-in",
        "登录与账号",
        "Sign-ins and accounts",
        &[
            "login",
            "login_failed",
            "login_locked",
            "logout",
            "password",
            "account",
            "reset",
            "activate",
            "deactivate",
            "recover",
            "recover_failed",
            "recover_locked",
            "recovery_sheet",
            "recovery_code",
            "handover",
        ],
    ),
    (
        "look",
        "查看与导出",
        "Looks and exports",
        &[
            "look",
            "export",
            "print",
            "evidence",
            "bundle",
            "stick",
            "verify statement",
        ],
    ),
    (
        "api",
        "其他系统（接口）",
        "Other systems (API)",
        &["api", "api refused", "token", "token revoke"],
    ),
    (
        "decide",
        "审核与签发",
        "Decisions",
        &[
            "decide",
            "settle",
            "same person",
            "close year",
            "publish",
            "issue statement",
            "sign",
            "sign_failed",
            "sign_locked",
        ],
    ),
    (
        "device",
        "设备与撤销",
        "Devices and revocations",
        &[
            "approve",
            "revoke",
            "kit",
            "cut",
            "enrol",
            "courier-limit",
            "originals-removed",
        ],
    ),
];

/// What an act is called.
pub(crate) fn act(l: Lang, code: &str) -> &str {
    match code {
        "login" => l.t("登录", "signed in"),
        "login_failed" => l.t("登录失败", "sign-in failed"),
        "login_locked" => l.t("登录被锁", "sign-in locked"),
        "logout" => l.t("退出", "signed out"),
        "password" => l.t("改密码", "changed the PIN"),
        "look" => l.t("查看", "looked at"),
        "form" => l.t("填报或操作", "saved a form"),
        "decide" => l.t("审核学分", "decided on a claim"),
        "settle" => l.t("选定待核", "settled a conflict"),
        "close year" => l.t("学年结账", "closed a school year"),
        "same person" => l.t("认定同一人", "joined two entries of one person"),
        "publish" => l.t("发布表单或规则", "published a form or rules"),
        "issue statement" => l.t("签发学分证明", "issued a credit statement"),
        "verify statement" => l.t("核验学分证明", "checked a credit statement"),
        "sign" => l.t("签字", "signed"),
        "sign_failed" => l.t("签字失败", "signing failed"),
        "sign_locked" => l.t("签字被锁", "signing locked"),
        "import" => l.t("导入", "imported"),
        "undo" => l.t("撤销导入", "took an import back"),
        "export" => l.t("导出", "exported"),
        "print" => l.t("打印", "printed"),
        "account" => l.t("新建账号", "made an account"),
        "reset" => l.t("重设密码", "reset a PIN"),
        "activate" => l.t("启用账号", "enabled an account"),
        "deactivate" => l.t("停用账号", "disabled an account"),
        "approve" => l.t("批准设备", "approved a device"),
        "revoke" => l.t("撤销设备", "revoked a device"),
        "cut" => l.t("截断文档", "cut a device in a document"),
        "evidence" => l.t("下载证据", "downloaded evidence"),
        "recover" => l.t("用恢复码设新 PIN", "set a PIN with a recovery code"),
        "recover_failed" => l.t("恢复码不对", "wrong recovery code"),
        "recover_locked" => l.t("恢复码被锁", "recovery locked"),
        "recovery_sheet" => l.t("制作恢复码", "made recovery codes"),
        "recovery_code" => l.t("给恢复码", "gave a recovery code"),
        "handover" => l.t("账号交接", "handover of an account"),
        "stick" => l.t("U盘收发", "exchanged with a stick"),
        "bundle" => l.t("封数据包", "sealed a bundle"),
        "bundle-upload" => l.t("收下数据包", "took a bundle"),
        "courier-limit" => l.t("改捎带上限（MB）", "set the limit of what is carried (MB)"),
        "enrol" => l.t("加入本县", "joined the county"),
        "kit" => l.t("做入网U盘", "made an enrolment stick"),
        "originals-removed" => l.t(
            "删除县里没有的原图（张）",
            "removed originals that the county has not got",
        ),
        "api" => l.t("接口读取或送数", "called the API"),
        "api refused" => l.t("接口被拒绝", "was refused by the API"),
        "token" => l.t("生成接口令牌", "made an API token"),
        "token revoke" => l.t("撤销接口令牌", "took an API token back"),
        other => other,
    }
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    l: Lang,
    c: Chrome,
    f: Form,
    sorts: Vec<Choice>,
    rows: Vec<AccessRow>,
    /// Whether the reader may open what was looked at; a bare administrator may not.
    read: bool,
    /// Address of the older lines.
    older: Option<String>,
}

impl AccessPage {
    fn act(&self, code: &str) -> String {
        act(self.l, code).to_owned()
    }

    /// What an address of a form was about, where a page shows it.
    fn link<'r>(&self, row: &'r AccessRow) -> Option<&'r str> {
        (self.read && row.act == "look").then_some(row.object.as_str())
    }
}

#[derive(Default, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    sort: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    before: Option<i64>,
}

/// `GET /access`
pub(crate) async fn show(ctx: Ctx, Query(search): Query<Search>) -> Result<Response, Fault> {
    ctx.need(Right::Manage)?;
    let mut f = Form::filled([
        ("sort", search.sort.clone()),
        ("who", search.who.clone()),
        ("from", search.from.clone()),
        ("until", search.until.clone()),
    ]);
    let acts = SORTS
        .iter()
        .find(|(code, ..)| *code == search.sort)
        .map(|(.., acts)| *acts);
    let filter = AccessFilter {
        acts: acts
            .unwrap_or_default()
            .iter()
            .map(|act| (*act).to_owned())
            .collect(),
        who: search.who.trim().to_owned(),
        from: moment(&mut f, "from", false),
        until: moment(&mut f, "until", true),
        before: search.before,
    };
    let mut lines = match f.ok() {
        true => {
            ctx.run(move |n| accounts::access_lines(n, &filter, LINES + 1))
                .await?
        }
        false => Vec::new(),
    };
    let more = lines.len() > LINES as usize;
    lines.truncate(LINES as usize);
    let older = lines.last().filter(|_| more).map(|(place, _)| {
        let asked = [
            ("sort", &search.sort),
            ("who", &search.who),
            ("from", &search.from),
            ("until", &search.until),
        ];
        let asked = asked.map(|(name, value)| format!("{name}={}&", crate::fault::encode(value)));
        format!("/access?{}before={place}", asked.concat())
    });
    let l = ctx.l;
    html(&AccessPage {
        l,
        c: Chrome::new(&ctx, l.t("谁看过、做过什么", "Access log"), "access"),
        f,
        sorts: SORTS
            .iter()
            .map(|(code, zh, en, _)| Choice::new(*code, l.t(zh, en)))
            .collect(),
        read: ctx.may(Right::Read),
        rows: lines.into_iter().map(|(_, row)| row).collect(),
        older,
    })
}

/// The first moment of a day that was typed, or of the one after it; `None` where nothing was.
fn moment(f: &mut Form, field: &str, after: bool) -> Option<i64> {
    if f.get(field).is_empty() {
        return None;
    }
    let day = form::date(f, field);
    let day: jiff::civil::Date = day.parse().ok()?;
    let day = if after { day.tomorrow().ok()? } else { day };
    let at = day.to_zoned(jiff::tz::TimeZone::system()).ok()?;
    Some(at.timestamp().as_second())
}
