//! A person signed in at a node's pages, who measures how long each takes. Shared by `pages` and `years`.

use std::error::Error;
use std::time::{Duration, Instant};

use node::Node;
use node::accounts::{self, NewAccount, Role};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use web::{Serving, WebConfig};
use yanxiu_examples::visitor;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The pages of a node, and who looks at them.
pub struct SignedIn {
    base: String,
    agent: ureq::Agent,
    serving: Serving,
    stop: oneshot::Sender<()>,
}

/// A page as it came.
pub struct Page {
    /// From the request to the last byte.
    pub took: Duration,
    pub bytes: usize,
    /// The text of HTML, or nothing.
    pub html: String,
}

impl SignedIn {
    /// Serves the pages and signs in with this role.
    pub fn at(rt: &Runtime, node: &Node, role: Role) -> Result<SignedIn> {
        let (name, secret) = ("测量", "271828");
        let new = NewAccount {
            name: name.into(),
            role,
            secret: secret.into(),
            person: None,
        };
        if accounts::list(node)?.iter().all(|account| account.name != name) {
            accounts::create(node, new, node::now())?;
        }
        let config = WebConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            ..WebConfig::default()
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let serving = rt.block_on(web::serve(node.clone(), config, until))?;
        let base = serving.url().trim_end_matches('/').to_owned();
        let agent = visitor::signed_in(&base, name, secret)?;
        Ok(SignedIn {
            base,
            agent,
            serving,
            stop,
        })
    }

    /// Fetches a page; anything but 200 is an error.
    pub fn get(&self, path: &str) -> Result<Page> {
        let begun = Instant::now();
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call()?;
        let bytes = answer.body_mut().with_config().limit(1 << 28).read_to_vec()?;
        let took = begun.elapsed();
        if answer.status() != 200 {
            return Err(format!("{path}: {}", answer.status()).into());
        }
        let kind = answer.headers().get("content-type");
        let html = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        Ok(Page {
            took,
            bytes: bytes.len(),
            html: match html {
                true => String::from_utf8_lossy(&bytes).into_owned(),
                false => String::new(),
            },
        })
    }

    /// Stops serving.
    pub fn end(self, rt: &Runtime) -> Result<()> {
        let _ = self.stop.send(());
        rt.block_on(self.serving.wait())?;
        Ok(())
    }
}
