//! A browser without a script engine: cookies, redirects, forms with their tokens.

use std::time::{Duration, Instant};

use ureq::Agent;

use super::PATIENCE;

/// Keeps cookies, as one browser on one computer: those of all ports of `127.0.0.1` together.
#[derive(Clone)]
pub struct Browser {
    agent: Agent,
}

/// An answer.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    /// The address that answered.
    pub url: String,
    pub body: String,
    /// The same as it came, for a file.
    pub bytes: Vec<u8>,
    /// Where it sends the browser next.
    pub location: Option<String>,
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

impl Browser {
    pub fn new() -> Browser {
        Browser::with_timeout(PATIENCE)
    }

    /// One that gives a request up after this time.
    pub fn with_timeout(timeout: Duration) -> Browser {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(timeout))
            .user_agent("yanxiu-test")
            .build();
        Browser {
            agent: config.new_agent(),
        }
    }

    /// One request, no redirect followed.
    pub fn try_get(&self, url: &str) -> Result<Page, ureq::Error> {
        read(url, self.agent.get(url).header("accept-language", "zh-CN").call())
    }

    /// One form, no redirect followed, with the headers by which a browser says where it was filled in.
    pub fn try_post(&self, url: &str, fields: &[(&str, &str)]) -> Result<Page, ureq::Error> {
        let request = self
            .agent
            .post(url)
            .header("origin", origin(url))
            .header("sec-fetch-site", "same-origin");
        read(url, request.send_form(fields.iter().copied()))
    }

    /// Opens a page, wherever it leads.
    pub fn open(&self, url: &str) -> Page {
        self.follow(self.try_get(url).unwrap())
    }

    /// Opens a page, fills in its form and sends it to `action`; the page that it leads to.
    pub fn submit(&self, url: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.open(url).value("csrf");
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        self.follow(self.try_post(&format!("{}{action}", origin(url)), &all).unwrap())
    }

    /// Uploads a file with the form of `/import`; the preview.
    pub fn upload(&self, pages: &str, name: &str, bytes: &[u8]) -> Page {
        self.upload_to(&format!("{pages}/import"), &[("year", "2025")], name, bytes)
    }

    /// Uploads a file with the form of a page; the preview.
    pub fn upload_to(&self, url: &str, fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> Page {
        let token = self.open(url).value("csrf");
        let mark = "----yanxiu-binary-test";
        let mut body = Vec::new();
        for (field, value) in fields.iter().copied().chain([("csrf", token.as_str())]) {
            let head =
                format!("--{mark}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        let head =
            format!("--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{mark}--\r\n").as_bytes());
        let request = self.agent.post(url).header("origin", origin(url));
        let request = request.header("content-type", format!("multipart/form-data; boundary={mark}"));
        self.follow(read(url, request.send(&body[..])).unwrap())
    }

    /// Makes the first account with the link that `serve` printed, and signs in.
    pub fn first_account(&self, link: &str, name: &str, role: &str, pin: &str) {
        let path = link.strip_prefix(origin(link)).unwrap();
        let fields = [("name", name), ("role", role), ("secret", pin), ("again", pin)];
        let page = self.submit(link, path, &fields);
        assert!(page.url.ends_with("/login?fresh=1"), "{page:?}");
        self.open(link).has("链接无效");
        self.sign_in(origin(link), name, pin);
    }

    pub fn sign_in(&self, pages: &str, name: &str, pin: &str) {
        let login = format!("{pages}/login");
        let page = self.submit(&login, "/login", &[("name", name), ("secret", pin)]);
        page.is(200).has(name).has("总览");
    }

    /// Opens a page again and again until it has the text.
    pub fn until(&self, url: &str, text: &str) -> Page {
        self.until_page(url, text, |page| page.body.contains(text))
    }

    /// Opens a page again and again until it is as wanted; `what` says how.
    pub fn until_page(&self, url: &str, what: &str, test: impl Fn(&Page) -> bool) -> Page {
        let begun = Instant::now();
        loop {
            let page = self.open(url);
            if test(&page) {
                return page;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{url} never had {what:?}:\n{}",
                page.body
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn follow(&self, mut page: Page) -> Page {
        for _ in 0..5 {
            let Some(location) = page.location.take() else {
                return page;
            };
            page = self.try_get(&format!("{}{location}", origin(&page.url))).unwrap();
        }
        panic!("redirects without end: {page:?}");
    }
}

/// `http://host:port` of an address.
fn origin(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    url.get(after..)
        .and_then(|rest| rest.find('/'))
        .map_or(url, |at| &url[..after + at])
}

fn read(url: &str, answer: Answer) -> Result<Page, ureq::Error> {
    let mut response = answer?;
    let location = response
        .headers()
        .get("location")
        .and_then(|v| v.to_str().ok())
        .map(str::to_string);
    let bytes = response.body_mut().read_to_vec()?;
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Page {
        status: response.status().as_u16(),
        url: url.to_string(),
        body,
        bytes,
        location,
    })
}

impl Page {
    pub fn is(&self, status: u16) -> &Page {
        assert_eq!(self.status, status, "{}:\n{}", self.url, self.body);
        self
    }

    pub fn has(&self, text: &str) -> &Page {
        assert!(
            self.body.contains(text),
            "{} has no {text:?}:\n{}",
            self.url,
            self.body
        );
        self
    }

    pub fn lacks(&self, text: &str) -> &Page {
        assert!(
            !self.body.contains(text),
            "{} has {text:?}:\n{}",
            self.url,
            self.body
        );
        self
    }

    /// How often a text stands on the page.
    pub fn count(&self, text: &str) -> usize {
        self.body.matches(text).count()
    }

    /// The value of the first field of this name, if there is one.
    pub fn field(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    /// The value of the first field of this name.
    pub fn value(&self, name: &str) -> String {
        self.field(name)
            .unwrap_or_else(|| panic!("{} has no field {name}:\n{}", self.url, self.body))
    }

    /// The values of all fields of this name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    /// Every text between `start` and the next `end`.
    pub fn between(&self, start: &str, end: &str) -> Vec<String> {
        let parts = self.body.split(start).skip(1);
        parts
            .filter_map(|rest| Some(rest.split_once(end)?.0.to_string()))
            .collect()
    }
}
