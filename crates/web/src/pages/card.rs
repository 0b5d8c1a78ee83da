//! A teacher's credit card (学分卡): the category × channel table, what is missing, and every line.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use node::accounts::Role;
use node::office::{self, CardView, ClaimRow, ClaimState, Difference, OpeningRow};
use records::rules::{Outcome, SpanOutcome};
use records::{CreditCard, Date, SchoolYear};

use crate::chart::Bar;
use crate::fault::Fault;
use crate::labels;
use crate::lang::Lang;
use crate::page::{self, Chrome, html};
use crate::who::{Ctx, Right};

#[derive(Template)]
#[template(path = "card.html")]
struct CardPage<'a> {
    l: Lang,
    c: Chrome,
    v: &'a CardView,
    /// What else the person was called.
    variants: String,
    /// The same claims under other rule sets.
    others: &'a [CreditCard],
    rows: &'a [ClaimRow],
    enter: bool,
    /// Whether this person issues credit statements.
    certify: bool,
    /// Whether this person may open the sessions; a teacher sees the own lines only.
    read: bool,
    printed: String,
    /// This computer's date: years that begin later are shown as not begun.
    today: Date,
}

impl CardPage<'_> {
    /// What one requirement was under the oldest version, and is under the newest.
    fn difference(&self, d: &Difference) -> String {
        let l = self.l;
        let side = |earned: Option<i64>, wanted: Option<i64>, met: Option<bool>| match (earned, wanted, met) {
            (Some(earned), Some(wanted), Some(met)) => format!(
                "{} / {} {}",
                page::amount(&earned),
                page::amount(&wanted),
                if met {
                    l.t("达到", "met")
                } else {
                    l.t("未达到", "not met")
                }
            ),
            _ => l.t("没有这一项", "not asked").to_owned(),
        };
        let [before, after] = [0, 1].map(|at| side(d.earned_c[at], d.wanted_c[at], d.met[at]));
        format!("{before} → {after}")
    }

    fn label(&self, kind: &str, field: &str, code: &str) -> String {
        labels::label(self.l, kind, field, code)
    }

    /// What is there against what is wanted, requirement by requirement; the total first.
    fn progress(&self) -> Vec<Bar> {
        let of = |o: &Outcome| {
            let (have, want) = (page::amount(&o.earned_c), page::amount(&o.min_c));
            let most = o.earned_c.max(o.min_c);
            let figures = match (o.met, self.l.zh()) {
                (true, true) => format!("{have} / {want} 达到"),
                (false, true) => format!("{have} / {want} 还差 {}", page::amount(&o.gap_c)),
                (true, false) => format!("{have} / {want} met"),
                (false, false) => format!("{have} / {want}, {} missing", page::amount(&o.gap_c)),
            };
            Bar::new(o.label(self.r()), figures, o.earned_c, Some(o.min_c), most)
        };
        let open = |o: &&Outcome| !o.waived && o.min_c > 0;
        self.v.card.requirements.iter().filter(open).map(of).collect()
    }

    /// The language as the rule engine names it, for its labels and sentences.
    fn r(&self) -> records::Lang {
        self.l.into()
    }

    /// The sentence of a requirement without the list of school years, which the page shows itself.
    fn text<'o>(&self, outcome: &'o Outcome) -> &'o str {
        let text = outcome.text(self.r());
        let listed = !outcome.waived && outcome.spans.iter().any(|y| !y.met);
        let mark = self.l.t("；", "; ");
        match text.rsplit_once(mark).filter(|_| listed) {
            Some((head, _)) => head,
            None => text,
        }
    }

    /// How each school year stands; one that has not begun is neither met nor missed.
    fn years(&self, outcome: &Outcome) -> String {
        let l = self.l;
        let line = |y: &SpanOutcome| {
            let state = match y {
                _ if y.met => l.t("达到", "met").to_owned(),
                _ if y.span.first > self.today => l.t("未开始", "not begun").to_owned(),
                _ => format!("{} {}", l.t("还差", "missing"), page::amount(&y.gap_c)),
            };
            format!("{}–{} {state}", y.span.first.year(), y.span.last.year())
        };
        let Some(first) = outcome.spans.first().filter(|_| !outcome.waived) else {
            return String::new();
        };
        let years: Vec<String> = outcome.spans.iter().map(line).collect();
        let every = if l.zh() {
            format!("每学年 {} 学分：", page::amount(&first.min_c))
        } else {
            format!("{} credits every school year: ", page::amount(&first.min_c))
        };
        format!("{every}{}", years.join(l.t("；", "; ")))
    }

    /// The warnings that no other part of the page says: limits stand there with their figures.
    fn warnings(&self) -> impl Iterator<Item = String> {
        let card = &self.v.card;
        let others = card.warnings.iter().filter(|w| w.code != "limit");
        others.map(|w| match card.requirement(&w.about) {
            Some(o) => format!("{}{}{}", o.label(self.r()), self.l.t("：", ": "), self.text(o)),
            None => self.l.pick(&w.zh, &w.en).to_owned(),
        })
    }

    /// Where a recognised claim counts, or why it counts zero; nothing for one that waits.
    fn counts(&self, row: &ClaimRow) -> String {
        let (l, card) = (self.l, &self.v.card);
        let Some(account) = card.account(&row.id) else {
            return String::new();
        };
        if let Some(reason) = account.reason {
            return format!(
                "{}{}",
                l.t("不计：", "counts zero: "),
                l.pick(reason.zh(), reason.en())
            );
        }
        let named = account.counts_in.iter().filter_map(|id| card.requirement(id));
        let named: Vec<&str> = named.map(|o| o.label(self.r())).collect();
        format!("{}{}", l.t("计入：", "counts in "), named.join(l.t("、", ", ")))
    }

    /// What a balance of an earlier year says, and what became of it.
    fn opening(&self, row: &OpeningRow) -> String {
        let (l, card) = (self.l, &self.v.card);
        if let Some(account) = card.account(&row.id) {
            return l.pick(&account.text_zh, &account.text_en).to_owned();
        }
        let year = SchoolYear(row.year);
        let state = match row.disputed {
            true => l.t("待核", "to be settled"),
            false => l.pick(&row.stand.zh, &row.stand.en),
        };
        format!(
            "{}{}{} {}{}{}",
            l.pick(&year.zh(), &year.en()),
            l.t("，", ", "),
            page::amount(&row.credits_c),
            l.t("学分；不计：", "credits; counts zero: "),
            state,
            match row.source.as_str() {
                "" => String::new(),
                source => format!("{}{source}", l.t("；依据：", "; from: ")),
            }
        )
    }

    /// The cycle of a card.
    fn period(&self, card: &CreditCard) -> String {
        let period = card.period.as_ref();
        period.map_or_else(String::new, |p| if self.l.zh() { p.zh() } else { p.en() })
    }

    fn cell(&self, category: &str, channel: &str) -> String {
        page::amount(
            &self
                .v
                .card
                .cell(category, channel)
                .map_or(0, |cell| cell.earned_c),
        )
    }

    fn category(&self, category: &str) -> String {
        page::amount(&self.v.card.category_c(category))
    }

    fn channel(&self, channel: &str) -> String {
        page::amount(&self.v.card.channel_c(channel))
    }
}

/// Whether this is the own card of the teacher who is signed in.
pub(crate) fn own(ctx: &Ctx, id: &str) -> bool {
    ctx.who.account.role == Role::Teacher && ctx.who.account.person.as_deref() == Some(id)
}

/// `GET /teachers/{id}`
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Fault> {
    let own = own(&ctx, &id);
    if !own {
        ctx.need(Right::Read)?;
    }
    let today = jiff::Zoned::now().date();
    let found = ctx.run(move |n| {
        let cards = office::credit_cards(n, &id, today)?;
        Ok((cards, office::name_variants(n, &id)?))
    });
    let (Some((view, others)), variants) = found.await? else {
        return Err(Fault::NotFound);
    };
    // Decisions do not go to a mentor's laptop: a card without them would say nothing was recognised.
    if ctx.app.schoolless() {
        return Err(Fault::Forbidden);
    }
    let home = ctx
        .app
        .node
        .home_school()
        .is_some_and(|school| school == view.teacher.school);
    if !own {
        ctx.look(&format!("/teachers/{}", view.teacher.id)).await;
    }
    html(&CardPage {
        l: ctx.l,
        c: Chrome::new(&ctx, &view.teacher.name, if own { "" } else { "roster" }),
        rows: &view.lines,
        enter: home && ctx.may(Right::Enter),
        read: ctx.may(Right::Read),
        certify: ctx.may(Right::Audit) && ctx.app.node.is_auditor(),
        printed: today.to_string(),
        today,
        v: &view,
        variants: variants.join(ctx.l.t("、", ", ")),
        others: &others,
    })
}
