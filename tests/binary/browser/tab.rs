//! One person's window: opens addresses, presses keys, clicks, and reads what stands there.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chromium::{Chromium, picture};
use super::support::PATIENCE;

/// A window of one person. Everything goes through keys and mouse, so that a page works as for a person.
pub struct Tab<'a> {
    browser: &'a Chromium,
    session: String,
    context: String,
}

/// What the expressions below may use: how a page's parts are found as a person finds them.
const HELP: &str = r#"
const tidy = s => (s || '').replace(/\s+/g, ' ').trim();
const shown = e => e.checkVisibility({checkVisibilityCSS: true}) && e.getClientRects().length > 0;
const label = e => tidy(e.getAttribute('aria-label') || (e.labels?.length ? e.labels[0].innerText : '') || e.innerText);
const group = e => e.type === 'radio' ? tidy(e.closest('fieldset')?.querySelector('legend')?.innerText) + ' ' : '';
const name = e => group(e) + label(e);
const find = (kind, text) => {
  const all = [...document.querySelectorAll(kind)].filter(shown);
  return all.find(e => name(e) === text) || all.find(e => name(e).startsWith(text)) || all.find(e => name(e).includes(text));
};
"#;

impl<'a> Tab<'a> {
    pub(crate) fn new(browser: &'a Chromium, session: String, context: String) -> Tab<'a> {
        let tab = Tab {
            browser,
            session,
            context,
        };
        tab.order("Page.enable", json!({}));
        tab.order("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        tab.order("Network.enable", json!({}));
        tab.language("zh-CN");
        tab.size(1280, 800, false);
        tab
    }

    fn order(&self, method: &str, params: Value) -> Value {
        let answer = self.browser.order(Some(&self.session), method, params);
        answer.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Another window of the same person.
    pub fn another(&self) -> Tab<'a> {
        self.browser.window(&self.context)
    }

    /// The size of the screen; a phone has fingers.
    pub fn size(&self, width: u32, height: u32, phone: bool) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.order("Emulation.setDeviceMetricsOverride", screen);
        self.order("Emulation.setTouchEmulationEnabled", json!({"enabled": phone}));
    }

    /// The language that the browser asks for.
    pub fn language(&self, language: &str) {
        let headers = json!({"headers": {"Accept-Language": language}});
        self.order("Network.setExtraHTTPHeaders", headers);
    }

    /// A browser in which JavaScript is switched off.
    pub fn without_script(&self) {
        self.order("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    /// The value of an expression, which may use [`HELP`]; an error while the page is being replaced.
    fn try_js(&self, expression: &str) -> Result<Value, String> {
        let params = json!({
            "expression": format!("(async () => {{ {HELP} return ({expression}); }})()"),
            "returnByValue": true,
            "awaitPromise": true,
        });
        let answer = self
            .browser
            .order(Some(&self.session), "Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(fault) => Err(format!("{expression}: {fault}")),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    pub fn js(&self, expression: &str) -> Value {
        self.try_js(expression).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A text that an expression gives.
    pub fn text(&self, expression: &str) -> String {
        self.js(expression).as_str().unwrap_or_default().to_string()
    }

    /// Runs a script of our own in the page, which its content policy does not hinder.
    pub fn run(&self, script: &str) {
        let params = json!({"expression": script});
        self.order("Runtime.evaluate", params);
    }

    /// What stands on the page, hidden parts left out.
    pub fn words(&self) -> String {
        self.text("document.body.innerText")
    }

    /// Address with path and query.
    pub fn address(&self) -> String {
        self.text("location.href")
    }

    /// Opens an address. A download shows no page: then the answer is false.
    pub fn open(&self, address: &str) -> bool {
        let mut page = true;
        self.goes(|tab| {
            let answer = tab.order("Page.navigate", json!({"url": address}));
            let fault = answer["errorText"].as_str().unwrap_or_default();
            assert!(matches!(fault, "" | "net::ERR_ABORTED"), "{address}: {fault}");
            page = fault.is_empty() && answer["isDownload"] != true;
            page
        });
        page
    }

    /// Does what leads to another page, if it says so, and waits until that has been loaded.
    fn goes(&self, act: impl FnOnce(&Tab) -> bool) {
        self.js("window.before = true");
        let before = self.address();
        if !act(self) {
            return;
        }
        let begun = Instant::now();
        let loaded = "!window.before && document.readyState === 'complete'";
        while self.try_js(loaded) != Ok(Value::Bool(true)) {
            assert!(
                begun.elapsed() < PATIENCE,
                "nothing followed on {before}:\n{}",
                self.words()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until an expression holds, for what comes by itself.
    pub fn until(&self, what: &str, expression: &str) {
        let begun = Instant::now();
        while self.try_js(expression) != Ok(Value::Bool(true)) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} never came to {what}:\n{}",
                self.address(),
                self.words()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fails unless the text can be read on the page.
    pub fn has(&self, text: &str) -> &Tab<'a> {
        let words = self.words();
        assert!(
            words.contains(text),
            "{} has no {text:?}:\n{words}",
            self.address()
        );
        self
    }

    /// Fails if the text can be read on the page.
    pub fn lacks(&self, text: &str) -> &Tab<'a> {
        let words = self.words();
        assert!(!words.contains(text), "{} has {text:?}:\n{words}", self.address());
        self
    }

    // ---- the keyboard

    /// Presses one key.
    pub fn press(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            other => panic!("no such key here: {other}"),
        };
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        for kind in [kind, "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let key = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text});
            self.order("Input.dispatchKeyEvent", key);
        }
    }

    /// Presses a key that leads to another page.
    pub fn press_and_go(&self, key: &str) {
        self.goes(|tab| {
            tab.press(key);
            true
        });
    }

    /// Types into the field that has the focus, in place of what stands there.
    pub fn type_text(&self, text: &str) {
        self.js("document.activeElement.select?.()");
        self.order("Input.insertText", json!({"text": text}));
    }

    /// Presses Tab until the part of this kind and name has the focus. On the way the focus must always be
    /// seen: a ring around something that is on the screen and that nothing covers.
    pub fn tab_to(&self, kind: &str, text: &str) {
        let there = format!(
            "document.activeElement === find({}, {})",
            quoted(kind),
            quoted(text)
        );
        let exists = format!("!!find({}, {})", quoted(kind), quoted(text));
        assert_eq!(
            self.js(&exists),
            true,
            "no {kind} {text:?} on {}:\n{}",
            self.address(),
            self.words()
        );
        for _ in 0..400 {
            if self.js(&there) == true {
                return;
            }
            self.press("Tab");
            assert_eq!(
                self.focus_hidden(),
                "",
                "focus that cannot be seen on {}",
                self.address()
            );
        }
        panic!("Tab never comes to {kind} {text:?} on {}", self.address());
    }

    /// What is wrong with the ring around the part that has the focus; empty when it is seen.
    pub fn focus_hidden(&self) -> String {
        self.text(FOCUS_HIDDEN)
    }

    /// Chooses in the select that has the focus, by arrow keys.
    pub fn choose_by_key(&self, option: &str) {
        let now = "tidy(document.activeElement.selectedOptions?.[0]?.innerText)";
        for key in ["ArrowUp", "ArrowDown"] {
            for _ in 0..60 {
                if self.text(now) == option {
                    return;
                }
                self.press(key);
            }
        }
        panic!(
            "no option {option:?} in {}",
            self.text("name(document.activeElement)")
        );
    }

    /// Moves inside a group of choices by arrow keys until this one is chosen.
    pub fn arrow_to(&self, choice: &str) {
        let there = format!(
            "document.activeElement.checked && name(document.activeElement) === {}",
            quoted(choice)
        );
        for _ in 0..20 {
            if self.js(&there) == true {
                return;
            }
            self.press("ArrowRight");
        }
        panic!("arrow keys never come to {choice:?} on {}", self.address());
    }

    // ---- the mouse

    /// The middle of a part, scrolled to, in the window's coordinates.
    fn middle(&self, kind: &str, text: &str) -> (f64, f64) {
        let place = format!(
            "(() => {{ const e = find({}, {}); if (!e) return null; e.scrollIntoView({{block: 'center'}});
               const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            quoted(kind),
            quoted(text)
        );
        let at = self.js(&place);
        let number = |i: usize| {
            at[i]
                .as_f64()
                .unwrap_or_else(|| panic!("no {kind} {text:?} on {}:\n{}", self.address(), self.words()))
        };
        (number(0), number(1))
    }

    /// Clicks on what has this name: a link, a button, a label of a box.
    pub fn click(&self, kind: &str, text: &str) {
        let (x, y) = self.middle(kind, text);
        for act in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": act, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.order("Input.dispatchMouseEvent", event);
        }
    }

    /// Clicks on what leads to another page.
    pub fn click_and_go(&self, kind: &str, text: &str) {
        self.goes(|tab| {
            tab.click(kind, text);
            true
        });
    }

    /// Clicks into a field and types.
    pub fn fill(&self, label: &str, text: &str) {
        self.click("input, textarea", label);
        self.type_text(text);
    }

    /// Chooses in a select. Its list is drawn by the system, so keys choose, as they do for people too.
    pub fn choose(&self, label: &str, option: &str) {
        self.js(&format!("find('select', {}).focus()", quoted(label)));
        self.choose_by_key(option);
    }

    /// Chooses a file of this computer.
    pub fn choose_file(&self, field: &str, file: &Path) {
        let root = self.order("DOM.getDocument", json!({}))["root"]["nodeId"].clone();
        let found = self.order("DOM.querySelector", json!({"nodeId": root, "selector": field}));
        let files = json!({"nodeId": found["nodeId"], "files": [file]});
        self.order("DOM.setFileInputFiles", files);
    }

    /// Presses a form's button wherever it is, without the browser's own check of empty fields, as an old
    /// browser would: the page that follows.
    pub fn submit_unchecked(&self, form: usize) {
        self.goes(|tab| {
            let press = format!(
                "(() => {{ const f = document.forms[{form}]; f.noValidate = true;
                   const b = f.querySelector('button.main, button.danger') || f.querySelector('button');
                   b.click(); return true; }})()"
            );
            tab.js(&press);
            true
        });
    }

    /// A picture of the whole page.
    pub fn picture(&self, path: &Path) {
        let shot = self.order(
            "Page.captureScreenshot",
            json!({"format": "png", "captureBeyondViewport": true}),
        );
        picture(shot["data"].as_str().unwrap(), path);
    }

    /// Shows the page as it goes to paper, or as on a screen again.
    pub fn paper(&self, on: bool) {
        let media = if on { "print" } else { "" };
        self.order("Emulation.setEmulatedMedia", json!({"media": media}));
    }

    /// The page as a PDF, on the paper that it asks for.
    pub fn pdf(&self) -> Vec<u8> {
        let wishes = json!({"preferCSSPageSize": true, "printBackground": true});
        let pdf = self.order("Page.printToPDF", wishes);
        data_encoding::BASE64
            .decode(pdf["data"].as_str().unwrap().as_bytes())
            .unwrap()
    }

    /// Signs in by mouse and keys.
    pub fn sign_in(&self, pages: &str, who: &str, pin: &str) {
        self.open(&format!("{pages}/login"));
        self.fill("姓名", who);
        self.fill("PIN 或密码", pin);
        self.click_and_go("button", "登录");
        self.has(who).has("退出");
    }
}

/// A text as it stands in a script.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Says what is wrong with the ring around the part that has the focus; empty when it is seen.
const FOCUS_HIDDEN: &str = r#"(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return '';
  const at = e.getBoundingClientRect();
  const ringed = [e, e.nextElementSibling, e.parentElement].filter(Boolean).some(x => {
    const s = getComputedStyle(x);
    return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
  });
  const who = e.tagName + ' ' + name(e).slice(0, 40) + ' ' + (e.id || e.className);
  if (!ringed) return 'no ring: ' + who;
  const left = Math.max(0, at.left), right = Math.min(innerWidth, at.right);
  const top = Math.max(0, at.top), bottom = Math.min(innerHeight, at.bottom);
  if (right - left < 1 || bottom - top < 1) return 'outside of the window: ' + who;
  const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  const own = seen && (e.contains(seen) || seen.contains(e) && !seen.matches('.sticky') || [...(e.labels || [])].some(l => l.contains(seen)));
  return own ? '' : 'covered by ' + seen?.tagName + '.' + seen?.className + ': ' + who;
})()"#;
