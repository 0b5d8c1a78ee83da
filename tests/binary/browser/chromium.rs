//! A headless Chromium, spoken to over its own pipe in the DevTools protocol.
//!
//! `--remote-debugging-pipe` needs no port and no WebSocket: one JSON text after the other, each ended by a
//! zero byte. When the test ends, however it ends, the pipe closes and the browser with it.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use serde_json::{Value, json};

use super::support::PATIENCE;
use super::tab::Tab;

/// A running browser with a profile of its own.
pub struct Chromium {
    child: Child,
    to: RefCell<Option<ChildStdin>>,
    from: Receiver<Value>,
    next: Cell<u64>,
    /// Questions of the kind “leave this page?” that were answered with yes.
    pub asked_to_stay: Cell<usize>,
    _profile: tempfile::TempDir,
}

/// The program: `YANXIU_CHROMIUM`, or one of the names under which it is installed.
fn program() -> String {
    let named = std::env::var("YANXIU_CHROMIUM").ok();
    let names = ["chromium", "chromium-browser", "google-chrome"].map(str::to_string);
    let found = named.into_iter().chain(names).find(|name| {
        let version = Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        version.is_ok_and(|s| s.success())
    });
    found.expect("no Chromium on this computer: install it, or name it in YANXIU_CHROMIUM")
}

impl Chromium {
    pub fn start() -> Chromium {
        let profile = tempfile::tempdir().unwrap();
        // The browser reads orders from descriptor 3 and answers on 4: the shell puts our pipes there.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null",
                "sh",
                &program(),
            ])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-extensions",
            ])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answers = child.stdout.take().unwrap();
        let (into, from) = channel();
        std::thread::spawn(move || {
            for text in BufReader::new(answers).split(0).map_while(Result::ok) {
                if into.send(serde_json::from_slice(&text).unwrap()).is_err() {
                    return;
                }
            }
        });
        let to = RefCell::new(child.stdin.take());
        let browser = Chromium {
            child,
            to,
            from,
            next: Cell::new(1),
            asked_to_stay: Cell::new(0),
            _profile: profile,
        };
        browser.order(None, "Browser.getVersion", json!({})).unwrap();
        browser
            .order(None, "Browser.setDownloadBehavior", json!({"behavior": "deny"}))
            .unwrap();
        browser
    }

    /// A new window of a person who shares no cookies with the others.
    pub fn person(&self) -> Tab<'_> {
        let context = self.named("Target.createBrowserContext", json!({}), "browserContextId");
        self.window(&context)
    }

    /// A new window with the cookies of this context.
    pub(crate) fn window(&self, context: &str) -> Tab<'_> {
        let blank = json!({"url": "about:blank", "browserContextId": context});
        let target = self.named("Target.createTarget", blank, "targetId");
        let whole = json!({"targetId": target, "flatten": true});
        let session = self.named("Target.attachToTarget", whole, "sessionId");
        Tab::new(self, session, context.to_string())
    }

    /// The name that an order gives to what it made.
    fn named(&self, method: &str, params: Value, field: &str) -> String {
        let answer = self.order(None, method, params).unwrap();
        answer[field].as_str().unwrap().to_string()
    }

    fn send(&self, session: Option<&str>, method: &str, params: Value) -> u64 {
        let id = self.next.replace(self.next.get() + 1);
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        let mut to = self.to.borrow_mut();
        to.as_mut().unwrap().write_all(&bytes).unwrap();
        id
    }

    /// Gives an order and waits for the answer to it.
    pub fn order(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let id = self.send(session, method, params);
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let message = match self.from.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => panic!("Chromium does not answer to {method}"),
                Err(RecvTimeoutError::Disconnected) => panic!("Chromium has ended"),
            };
            if message["method"] == "Page.javascriptDialogOpening" {
                // Leaving a form that was typed into.
                self.asked_to_stay.set(self.asked_to_stay.get() + 1);
                let session = message["sessionId"].as_str();
                self.send(session, "Page.handleJavaScriptDialog", json!({"accept": true}));
            }
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(format!("{method}: {error}")),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The closed pipe ends it, and everything that it started.
        drop(self.to.borrow_mut().take());
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a base64 picture, as the browser sends it.
pub fn picture(base64: &str, path: &Path) {
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
