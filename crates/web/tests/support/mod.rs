//! Real pages over a real socket: nodes in temporary directories, and a browser that keeps cookies.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use node::accounts::{self, NewAccount, Role};
use node::office::{self, By, OrganisationInput, SessionInput, TeacherInput};
use node::{Network, NetworkConfig, Node, Surroundings, enrol};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use ureq::Agent;
use web::{Serving, WebConfig};

pub const PIN: &str = "２０２６０３";

/// Listens, and dials the hub if there is one.
fn start(rt: &Runtime, node: &Node, hub: &str) -> Network {
    let config = NetworkConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        publish: None,
        mdns: false,
        keep_open: true,
        retry_min: Duration::from_millis(50),
        retry_max: Duration::from_millis(500),
        ..NetworkConfig::default()
    };
    if !hub.is_empty() {
        node.add_address(hub).unwrap();
    }
    rt.block_on(Network::start(node.clone(), config)).unwrap()
}

/// A node with its pages.
pub struct Site {
    pub node: Node,
    pub url: String,
    pub addr: SocketAddr,
    network: Option<Network>,
    _serving: Serving,
    rt: Runtime,
    _dir: TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(network) = self.network.take() {
            self.rt.block_on(network.stop());
        }
    }
}

impl Site {
    fn serve(dir: TempDir, node: Node, listen: Option<&str>) -> Site {
        let rt = Runtime::new().unwrap();
        let network = listen.map(|hub| start(&rt, &node, hub));
        let config = WebConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..WebConfig::default()
        };
        let serving = rt
            .block_on(web::serve(node.clone(), config, std::future::pending()))
            .unwrap();
        let url = serving.url().trim_end_matches('/').to_owned();
        Site {
            node,
            url,
            addr: serving.addr,
            network,
            _serving: serving,
            rt,
            _dir: dir,
        }
    }

    /// A school PC that nobody has enrolled.
    pub fn loose() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member(dir.path(), "青石镇中心小学 教务处").unwrap();
        Site::serve(dir, node, None)
    }

    /// A school PC with a network that knows no address yet.
    pub fn loose_far(&self) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member(dir.path(), "云岭县第一小学 教务处").unwrap();
        Site::serve(dir, node, Some(""))
    }

    /// A school PC that knows this county's address and nothing else.
    pub fn loose_near(&self) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member(dir.path(), "云岭县第一小学 教务处").unwrap();
        Site::serve(dir, node, self.hub().as_deref())
    }

    fn hub(&self) -> Option<String> {
        self.network.as_ref().map(|n| n.local_addr().to_string())
    }

    /// A county's hub with two schools in its registry; `network` also listens for schools.
    pub fn county(network: bool) -> Site {
        Site::county_named("云岭县教师进修学校", network)
    }

    /// The same under another name.
    pub fn county_named(name: &str, network: bool) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_county(dir.path(), name).unwrap();
        let school = |name: &str, code: &str, rural: &str| {
            let input = OrganisationInput {
                name: name.into(),
                short_name: String::new(),
                org_kind: "primary_school".into(),
                school_code: code.into(),
                division: "680123".into(),
                rural: rural.into(),
                parent: String::new(),
            };
            (None, input)
        };
        let list = vec![
            school("青石镇中心小学", "2168000001", "township"),
            school("云岭县第一小学", "2168000002", "county_town"),
        ];
        office::save_organisations(&node, &by("县管理员"), list).unwrap();
        Site::serve(dir, node, network.then_some(""))
    }

    /// Takes the link away.
    pub fn disconnect(&mut self) {
        if let Some(network) = self.network.take() {
            self.rt.block_on(network.stop());
        }
    }

    /// More schools in the county's registry.
    pub fn add_schools(&self, names: &[String]) {
        let input = |name: &String| OrganisationInput {
            name: name.clone(),
            org_kind: "primary_school".into(),
            rural: "village".into(),
            ..OrganisationInput::default()
        };
        let list = names.iter().map(|name| (None, input(name))).collect();
        office::save_organisations(&self.node, &by("县管理员"), list).unwrap();
    }

    /// Listens for others, and dials nobody.
    pub fn listen(&mut self) {
        let hub = self.node.addresses().unwrap();
        hub.iter().for_each(|a| self.node.remove_address(a).unwrap());
        self.network = Some(start(&self.rt, &self.node, ""));
    }

    /// Gives the link to the county back, or one to another site.
    pub fn connect(&mut self, county: &Site) {
        self.network = Some(start(&self.rt, &self.node, &county.hub().unwrap()));
    }

    pub fn school_id(&self, name: &str) -> String {
        office::organisations(&self.node)
            .unwrap()
            .into_iter()
            .find(|o| o.name == name)
            .unwrap()
            .id
    }

    /// Enrols a new school PC at this county, as two people would do with files.
    pub fn enrol_school(&self, name: &str) -> Site {
        self.enrol(name, &[(node::Role::School, self.school_id(name))])
    }

    /// Enrols a mentor's laptop for these schools.
    pub fn enrol_mentor(&self, code: &str, schools: &[&str]) -> Site {
        let mut grants = Vec::new();
        for name in schools {
            let school = self.school_id(name);
            grants.push((node::Role::Mentor, format!("{code}/{school}")));
            grants.push((node::Role::MentorReader, school));
        }
        self.enrol("送教笔记本", &grants)
    }

    /// Enrols a school PC whose clock stands at these unix milliseconds.
    pub fn enrol_school_of(&self, name: &str, clock: i64) -> Site {
        let around = Surroundings {
            clock: std::sync::Arc::new(move || clock),
            ..Surroundings::default()
        };
        self.enrol_in(name, &[(node::Role::School, self.school_id(name))], around)
    }

    /// Enrols a device with these rights.
    pub fn enrol(&self, name: &str, grants: &[(node::Role, String)]) -> Site {
        self.enrol_in(name, grants, Surroundings::default())
    }

    fn enrol_in(&self, name: &str, grants: &[(node::Role, String)], around: Surroundings) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::init_member_with(dir.path(), name, around).unwrap();
        let (device, label) = enrol::find_request(&self.node, &enrol::request_file(&node)).unwrap();
        let answer = enrol::approve(&self.node, &device, &label.unwrap(), grants).unwrap();
        enrol::accept(&node, &answer.text).unwrap();
        enrol::confirm(&node).unwrap();
        Site::serve(dir, node, self.hub().as_deref())
    }

    /// A browser with nobody signed in.
    pub fn browser(&self) -> Browser {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .user_agent("test")
            // A server that has answered before it read a whole body closes the connection.
            .max_idle_connections(0)
            .build();
        Browser {
            agent: config.new_agent(),
            base: self.url.clone(),
            language: None,
        }
    }

    /// A browser signed in as a new account.
    pub fn signed_in(&self, name: &str, role: Role) -> Browser {
        let new = NewAccount {
            name: name.into(),
            role,
            secret: PIN.into(),
            person: None,
        };
        accounts::create(&self.node, new, node::now()).unwrap();
        let browser = self.browser();
        let page = browser.submit("/login", "/login", &[("name", name), ("secret", PIN)]);
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains(name), "{}", page.body);
        browser
    }

    /// One raw request, for headers that no browser would send.
    pub fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A teacher on the roster of a site's own school since September 2025; the record id.
pub fn teacher(site: &Site, name: &str, code: &str) -> String {
    teacher_since(site, name, code, "2025-09-01")
}

/// A teacher on the roster of a site's own school from a day on; the record id.
pub fn teacher_since(site: &Site, name: &str, code: &str, from: &str) -> String {
    let school = site.node.home_school().unwrap();
    let input = TeacherInput {
        teacher_code: code.into(),
        name: name.into(),
        birth_year: Some(1985),
        status: "serving".into(),
        post: "teacher".into(),
        title: "second".into(),
        subject: "数学".into(),
        stage: "primary".into(),
        from: from.into(),
        ..TeacherInput::default()
    };
    office::save_teacher(&site.node, &by("李专管员"), &school, None, input).unwrap()
}

/// A session that was held, with these people present and registered; the record id.
pub fn held(site: &Site, title: &str, date: &str, people: &[String]) -> String {
    let school = site.node.home_school().unwrap();
    let input = SessionInput {
        title: title.into(),
        date: date.into(),
        place: "会议室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 400,
        ..SessionInput::default()
    };
    let clerk = by("李专管员");
    let session = office::save_session(&site.node, &clerk, &school, None, input).unwrap();
    let marks: Vec<_> = people.iter().map(|p| (p.clone(), "present".to_owned())).collect();
    office::mark_attendance(&site.node, &clerk, &session, &marks).unwrap();
    office::end_session(&site.node, &clerk, &session).unwrap();
    office::register_claims(&site.node, &clerk, &session, date).unwrap();
    session
}

pub fn by(name: &str) -> By {
    By { account: name.into() }
}

/// Keeps cookies and follows redirects.
pub struct Browser {
    agent: Agent,
    base: String,
    pub language: Option<&'static str>,
}

#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub path: String,
    pub body: String,
    /// The same as it came, for a file.
    pub bytes: Vec<u8>,
    pub headers: Vec<(String, String)>,
}

impl Page {
    pub fn has(&self, text: &str) -> &Page {
        assert!(
            self.body.contains(text),
            "{} has no {text:?}:\n{}",
            self.path,
            self.body
        );
        self
    }

    pub fn lacks(&self, text: &str) -> &Page {
        assert!(
            !self.body.contains(text),
            "{} has {text:?}:\n{}",
            self.path,
            self.body
        );
        self
    }

    pub fn is(&self, status: u16) -> &Page {
        assert_eq!(self.status, status, "{}:\n{}", self.path, self.body);
        self
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(k, _)| k == name)
            .map_or("", |(_, v)| v)
    }

    /// The value of the first field of this name.
    pub fn value(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self
            .body
            .split_once(&start)
            .unwrap_or_else(|| panic!("no field {name}:\n{}", self.body))
            .1;
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Every href that begins with `prefix`.
    pub fn links(&self, prefix: &str) -> Vec<String> {
        let start = format!("href=\"{prefix}");
        let ends = self
            .body
            .split(&start)
            .skip(1)
            .filter_map(|rest| rest.split_once('"'));
        ends.map(|(end, _)| format!("{prefix}{end}")).collect()
    }

    fn read(mut response: ureq::http::Response<ureq::Body>) -> Page {
        use ureq::ResponseExt;
        let path = response
            .get_uri()
            .path_and_query()
            .map(|p| p.as_str().to_owned())
            .unwrap_or_default();
        let pairs = response.headers().iter();
        let headers = pairs
            .map(|(k, v)| (k.as_str().to_owned(), v.to_str().unwrap_or_default().to_owned()))
            .collect();
        let status = response.status().as_u16();
        let bytes = response.body_mut().read_to_vec().unwrap();
        Page {
            status,
            path,
            headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        }
    }
}

impl Browser {
    pub fn get(&self, path: &str) -> Page {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(language) = self.language {
            request = request.header("accept-language", language);
        }
        Page::read(request.call().unwrap())
    }

    /// Posts fields as they are.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(language) = self.language {
            request = request.header("accept-language", language);
        }
        Page::read(request.send_form(fields.iter().copied()).unwrap())
    }

    /// Opens a page, takes its form's token, and posts with it.
    pub fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(page).value("csrf");
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        self.post(action, &all)
    }

    /// Uploads a file with the form of `/import`.
    pub fn upload(&self, file_name: &str, bytes: &[u8]) -> Page {
        self.upload_to("/import", &[("year", "2025")], file_name, bytes)
    }

    /// Uploads a file with the form of a page.
    pub fn upload_to(&self, page: &str, fields: &[(&str, &str)], file_name: &str, bytes: &[u8]) -> Page {
        let token = self.get(page).value("csrf");
        let mark = "----yanxiu-test";
        let mut body = Vec::new();
        for (name, value) in fields.iter().copied().chain([("csrf", token.as_str())]) {
            write!(
                body,
                "--{mark}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .unwrap();
        }
        write!(
            body,
            "--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\r\n"
        )
        .unwrap();
        body.extend_from_slice(bytes);
        write!(body, "\r\n--{mark}--\r\n").unwrap();
        let request = self.agent.post(format!("{}{page}", self.base));
        let request = request.header("content-type", format!("multipart/form-data; boundary={mark}"));
        Page::read(request.send(&body[..]).unwrap())
    }
}

/// Opens a page again and again until it has the text, as the script of the page does.
pub fn until(browser: &Browser, path: &str, text: &str) -> Page {
    let begun = Instant::now();
    loop {
        let page = browser.get(path);
        if page.body.contains(text) {
            return page;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "{path} never had {text:?}:\n{}",
            page.body
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The auditor recognises the first claim of the queue once this person is on it; the claim.
pub fn recognised(auditor: &Browser, who: &str) -> String {
    let claim = until(auditor, "/audit", who).value("claim");
    auditor
        .submit(
            "/audit",
            "/audit",
            &[("claim", &claim), ("decided_on", "2025-09-20")],
        )
        .is(200);
    claim
}

/// The address of the record that a page after saving shows.
pub fn saved(page: &Page) -> String {
    page.is(200).has("已保存在本机");
    page.path.split('?').next().unwrap().to_owned()
}
