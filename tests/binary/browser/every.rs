//! Every page of every role: found by following links, so that a new page is looked at as soon as one leads
//! to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::chromium::Chromium;
use super::county::{AUDITOR, CLERK, County, PIN, TEACHER};
use super::routes;
use super::tab::{Tab, quoted};

/// Somebody with an account at one of the computers.
pub struct Role {
    pub pages: String,
    pub name: &'static str,
}

/// Everybody who can sign in anywhere in a busy county: who answers before who asks, and may take it back.
pub fn roles(county: &County) -> Vec<Role> {
    let hub = &county.hub().pages;
    let of = |pages: &str, names: &[&'static str]| -> Vec<Role> {
        let role = |name: &&'static str| Role {
            pages: pages.to_string(),
            name,
        };
        names.iter().map(role).collect()
    };
    let mut all = of(hub, &[AUDITOR, "周管理员", "郑局长"]);
    all.extend(of(&county.school.pages, &["王校长", CLERK, TEACHER, "赵管理员"]));
    for (server, names) in &county.others {
        all.extend(of(&server.pages, names));
    }
    all
}

/// Pages that differ in the record they show alone are looked at this often.
const OF_A_KIND: usize = 4;

/// Opens every page that links lead to, and the pages of somebody who is not signed in. A link that leads
/// nowhere is a fault.
pub fn every_page(tab: &Tab, role: &Role, faults: &mut Vec<String>, mut look: impl FnMut(&Tab, &str)) {
    // These are the same for everybody.
    for path in ["/login", "/setup/0", "/没有这一页"]
        .iter()
        .filter(|_| role.name == CLERK)
    {
        tab.open(&format!("{}{path}", role.pages));
        look(tab, path);
    }
    tab.sign_in(&role.pages, role.name, PIN);
    let mut seen = BTreeSet::from(["/".to_string()]);
    let mut often: BTreeMap<String, usize> = BTreeMap::new();
    let mut next = VecDeque::from(["/".to_string()]);
    while let Some(path) = next.pop_front() {
        if !tab.open(&format!("{}{path}", role.pages)) {
            continue; // a file
        }
        if status(tab) != 200 {
            let words = tab.words();
            faults.push(format!("{}: a link leads to {path}:\n{words}", role.name));
            continue;
        }
        let own = "[...document.querySelectorAll('a[href]')].filter(a => a.origin === location.origin)
                   .map(a => a.pathname + a.search)";
        for link in strings(&tab.js(own)) {
            let kind = kind(&link);
            let known = often.entry(kind.clone()).or_default();
            if kind.starts_with("/lang/") || *known >= OF_A_KIND || !seen.insert(link.clone()) {
                continue;
            }
            *known += 1;
            next.push_back(link);
        }
        look(tab, &path);
    }
    assert!(seen.len() > 1, "{} sees one page only", role.name);
}

/// The status that the page was answered with.
pub fn status(tab: &Tab) -> u64 {
    let status = tab.js("performance.getEntriesByType('navigation')[0].responseStatus");
    status.as_u64().unwrap()
}

/// An address without what names one record.
pub fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let part = |p: &str| {
        let id = p.len() >= 12 && p.bytes().any(|b| b.is_ascii_digit());
        if id { "{id}".to_string() } else { p.to_string() }
    };
    let path: Vec<String> = path.split('/').map(part).collect();
    let names: Vec<&str> = query.split('&').filter_map(|p| p.split('=').next()).collect();
    format!("{}?{}", path.join("/"), names.join("&"))
}

pub fn strings(list: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    list.as_array()
        .map(|l| l.iter().map(text).collect())
        .unwrap_or_default()
}

/// What stands out of the screen at the right, outside of boxes that scroll by themselves, if the page needs
/// scrolling to the side.
pub fn too_wide(tab: &Tab) -> Option<String> {
    let found = tab.text(
        "(() => {
           const width = screen.width;
           if (document.scrollingElement.scrollWidth <= width) return '';
           const out = [...document.querySelectorAll('main *, header *, nav *')].filter(e =>
             e.getBoundingClientRect().right > width + 0.5 && !e.parentElement.closest('.scroll, .rail ul'));
           return `${document.scrollingElement.scrollWidth} px: ` +
             out.slice(0, 5).map(e => e.outerHTML.slice(0, 160)).join('\\n');
         })()",
    );
    Some(found).filter(|f| !f.is_empty())
}

/// Where something is typed into.
const TYPED: &str = "input:not([type]), input[type=text], input[type=search], input[type=password], textarea";

/// What the scripts below share: a form by what it sends and where, and all that stands in it. What a
/// browser never shows again, a password and a file, is left out.
const FORMS: &str = r"
const sends = f => new URL(f.action).pathname + ' ' + [...f.elements].map(e => e.name)
  .filter((n, i, all) => n && all.indexOf(n) === i).join(',');
const holds = f => [...f.elements].filter(e => e.name && !['password', 'file', 'hidden', 'submit'].includes(e.type))
  .map(e => e.name + (['checkbox', 'radio'].includes(e.type) ? ' ' + e.value + ' ' + e.checked : ' = ' + e.value));
";

fn with_forms(tab: &Tab, expression: &str) -> Value {
    tab.js(&format!("(() => {{ {FORMS} return {expression}; }})()"))
}

/// Every form of the page that something is typed into: its place on the page, and what it sends where.
fn forms(tab: &Tab) -> Vec<(usize, String)> {
    let all = with_forms(
        tab,
        &format!(
            "[...document.forms].map((f, i) => [f, i]).filter(([f]) => f.method === 'post' && f.querySelector('{TYPED}'))
               .map(([f, i]) => i + ' ' + sends(f))"
        ),
    );
    let split = |text: String| {
        let (index, form) = text.split_once(' ').unwrap();
        (index.parse().unwrap(), form.to_string())
    };
    strings(&all).into_iter().map(split).collect()
}

/// What nobody means as a date, a number, an amount, a code or an address.
const NONSENSE: &str = "昨天㙇";

/// Fills every form of every page of a role with nonsense, ticks and chooses something everywhere, sends it,
/// and says what is wrong with the answer; then the same with nothing typed. Gives the forms that were tried,
/// with how many messages each got.
pub fn every_form(
    tab: &Tab,
    role: &Role,
    tried: &mut BTreeMap<String, usize>,
    faults: &mut Vec<String>,
    mut look: impl FnMut(&Tab, &str),
) {
    let mut pages = Vec::new();
    every_page(tab, role, faults, |tab, path| {
        for (index, form) in forms(tab) {
            pages.push((path.to_string(), index, form));
        }
    });
    let mut done = BTreeSet::new();
    for (path, index, form) in pages {
        let (to, fields) = form.split_once(' ').unwrap();
        let form = format!("{}{fields}", kind(to));
        if path.starts_with("/login") || !done.insert(form.clone()) {
            continue;
        }
        let words = routes::form_of(&form).is_some_and(|route| routes::WORDS.contains(&route));
        for typed in if words { ["", NONSENSE] } else { [NONSENSE, ""] } {
            tab.open(&format!("{}{path}", role.pages));
            // A reason may be any words: the step has been taken, and the form is no longer offered.
            if !forms(tab).contains(&(index, format!("{to} {fields}"))) {
                break;
            }
            let fill = format!(
                "(() => {{ const f = document.forms[{index}]; for (const e of f.elements) {{
                   if (e.matches('{TYPED}')) e.value = {0};
                   else if (e.type === 'select-one' && {0}) e.selectedIndex = e.options.length - 1;
                   else if (['checkbox', 'radio'].includes(e.type) && {0}) e.checked = !e.disabled;
                 }} return [sends(f), ...holds(f)]; }})()",
                quoted(typed)
            );
            let before = strings(&with_forms(tab, &fill));
            tab.submit_unchecked(index);
            let what = format!("{} {path} {form} with {typed:?}", role.name);
            *tried.entry(form.clone()).or_default() += answer(tab, &before, &what, faults);
            look(tab, &format!("{path} {typed:?}"));
        }
    }
}

/// Looks at what a form with bad input was answered with: how many messages there are.
fn answer(tab: &Tab, before: &[String], what: &str, faults: &mut Vec<String>) -> usize {
    if status(tab) != 200 {
        faults.push(format!("{what}: answered with {}:\n{}", status(tab), tab.words()));
        return 0;
    }
    let messages = strings(
        &tab.js("[...document.querySelectorAll('main .error')].filter(shown).map(e => tidy(e.innerText))"),
    );
    if messages.is_empty() {
        if tab.words().contains("还没有保存") {
            faults.push(format!("{what}: no field says what is wrong"));
        }
        return 0;
    }
    for message in &messages {
        if !message.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) {
            faults.push(format!("{what}: a message without Chinese: {message}"));
        }
    }
    let loose = tab.js(
        "[...document.querySelectorAll('main .error[id]')].filter(shown).filter(e =>
           ![...document.querySelectorAll('[aria-describedby]')].some(f => shown(f) &&
             f.getAttribute('aria-describedby').split(' ').includes(e.id))).map(e => e.id + ' ' + tidy(e.innerText))",
    );
    for message in strings(&loose) {
        faults.push(format!("{what}: belongs to no field: {message}"));
    }
    // Chromium moves the cursor with its next picture, which on a busy machine comes after the page is loaded.
    let begun = Instant::now();
    let in_wrong_field = || tab.js("document.activeElement.getAttribute('aria-invalid')") == "true";
    while !in_wrong_field() && begun.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    if !in_wrong_field() {
        faults.push(format!("{what}: the cursor is not in a wrong field"));
    }
    let same = format!(
        "[...document.forms].filter(f => sends(f) === {}).flatMap(holds)",
        quoted(&before[0])
    );
    let after = strings(&with_forms(tab, &same));
    // Whoever says to have compared the digits must say so each time.
    let kept = before[1..].iter().filter(|held| !held.starts_with("compared "));
    for lost in kept.filter(|held| !after.contains(held)) {
        faults.push(format!("{what}: was lost: {lost}; there stands {after:?}"));
    }
    messages.len()
}

/// Presses Tab through the whole page: where the focus cannot be seen.
pub fn focus_hidden(tab: &Tab) -> Vec<String> {
    let count = "document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex]').length";
    let most = tab.js(count).as_u64().unwrap() + 2;
    let mut hidden = Vec::new();
    for _ in 0..most {
        tab.press("Tab");
        let fault = tab.focus_hidden();
        if !fault.is_empty() {
            hidden.push(fault);
        }
    }
    hidden
}

/// axe-core, read once.
pub struct Axe(String);

impl Axe {
    /// From the file that `YANXIU_AXE` names.
    pub fn read() -> Axe {
        let path = std::env::var("YANXIU_AXE").expect("YANXIU_AXE names no axe.min.js; .ci/run fetches one");
        Axe(std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")))
    }

    /// What is serious or critical on the page, one line each.
    pub fn faults(&self, tab: &Tab) -> Vec<String> {
        tab.run(&self.0);
        let found = tab.js(
            "(async () => {
               const all = await axe.run(document, {rules: {'target-size': {enabled: true}}});
               const looked = all.passes.concat(all.violations).some(r => r.id === 'color-contrast');
               return all.violations.filter(v => ['serious', 'critical'].includes(v.impact))
                 .flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 160)} — ${tidy(n.failureSummary).slice(0, 240)}`))
                 .concat(looked ? [] : ['axe has not looked at the contrast']);
             })()",
        );
        strings(&found)
    }
}

/// Keeps a picture of the page when `YANXIU_PICTURES` names a folder.
pub fn keep_picture(tab: &Tab, what: &str, folder: &str) {
    if let Ok(root) = std::env::var("YANXIU_PICTURES") {
        let name: String = what.replace(['/', '?', '"', ' '], "_").chars().take(60).collect();
        tab.picture(&PathBuf::from(root).join(folder).join(format!("{name}.png")));
    }
}

/// A window for every role of the county, one after the other.
pub fn each_role<'a>(browser: &'a Chromium, county: &County, mut act: impl FnMut(Tab<'a>, &Role)) {
    for role in roles(county) {
        act(browser.person(), &role);
    }
}
