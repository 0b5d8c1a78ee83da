//! The county of the browser tests: a hub and a school as two processes, people with accounts, a roster with
//! rare characters; on wish a mentor's laptop and a term's records.

use std::path::Path;

use super::support::{Browser, Place, Server, digits, free_address, until};

/// Everybody's PIN.
pub const PIN: &str = "202603";
pub const CLERK: &str = "李专管员";
pub const AUDITOR: &str = "王审核员";
/// The teacher with an account of her own.
pub const TEACHER: &str = "欧阳㙇";
/// The mentor who visits.
pub const MENTOR: &str = "语文导师";
pub const SCHOOL: &str = "青石小学";

const SCHOOLS: &str = "学校名称,学校类别,城乡类型\n青石小学,完全小学,乡镇\n白沙小学,完全小学,村庄\n";
const TEACHERS: &str = "学校,姓名,教师编号,性别,出生年,岗位,职称,任教学科,学段\n\
    青石小学,欧阳㙇,T001,女,1985,专任教师,一级教师,语文,小学\n\
    青石小学,李𬭊,T002,男,1990,专任教师,二级教师,数学,小学\n\
    青石小学,王小兰,T003,女,1979,校长,高级教师,语文,小学\n\
    青石小学,赵一鸣,T004,男,1994,专任教师,二级教师,英语,小学\n\
    青石小学,阿依古丽·买买提,T005,女,1996,专任教师,三级教师,科学,小学\n";

/// The teachers of [`SCHOOL`].
pub const PEOPLE: usize = 5;

/// Hub and school, both running.
pub struct County {
    dir: tempfile::TempDir,
    hub_place: Place,
    address: String,
    pub hub: Option<Server>,
    pub school: Server,
    /// Further computers, with who works there: a mentor's laptop, two that do not belong to the county yet.
    pub others: Vec<(Server, Vec<&'static str>)>,
    /// Goes through forms without a browser, for what a test only needs to be there.
    pub quick: Browser,
}

impl County {
    /// Founds the county, enrols the school by file, reads the roster and makes the accounts.
    pub fn found() -> County {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let file = |name: &str, text: &str| {
            std::fs::write(root.join(name), text).unwrap();
            root.join(name).to_str().unwrap().to_string()
        };
        let (schools, teachers) = (file("学校.csv", SCHOOLS), file("教师.csv", TEACHERS));
        let hub_place = Place::init(root, "hub", &["--county", "云岭县"]);
        hub_place.ok(&["import", &schools, "--yes"]);
        let address = free_address();
        let hub = serve_hub(&hub_place, &address);
        let school_place = enrol(
            root,
            &hub_place,
            "school",
            "青石小学 办公室",
            &["--school", SCHOOL],
        );
        let school = school_place.serve(&["--listen", "127.0.0.1:0"]);
        until("the list of schools has come", || {
            school_place.count("schools") == 2
        });
        school_place.ok(&["import", &teachers, "--yes"]);
        let quick = Browser::new();
        quick.first_account(hub.setup.as_ref().unwrap(), AUDITOR, "auditor", PIN);
        quick.first_account(school.setup.as_ref().unwrap(), CLERK, "clerk", PIN);
        let county = County {
            dir,
            hub_place,
            address,
            hub: Some(hub),
            school,
            others: Vec::new(),
            quick,
        };
        let accounts = county.quick.open(&format!("{}/accounts", county.school.pages));
        let teacher = accounts.between("<option value=\"", "</option>");
        let teacher = teacher
            .iter()
            .find_map(|o| o.strip_suffix(&format!("\">{TEACHER}")))
            .unwrap();
        let pages = &county.school.pages;
        county.account(pages, TEACHER, "teacher", teacher);
        county
    }

    /// A mentor's laptop, with the account [`MENTOR`]; its pages.
    pub fn mentor(&mut self) -> String {
        let laptop = enrol(
            self.dir.path(),
            &self.hub_place,
            "mentor",
            "语文送教一组",
            &["--mentor", "zj01", "--schools", SCHOOL],
        );
        self.computer(&laptop, MENTOR);
        self.others[0].0.pages.clone()
    }

    /// A school's computer that has asked the county and waits, with an account; its pages.
    pub fn asking(&mut self) -> String {
        let asking = Place::init(self.dir.path(), "asking", &["--name", "白沙小学 办公室"]);
        asking.ok(&["enrol", "request", "--hub", &self.address]);
        self.computer(&asking, "白沙专管员");
        self.others.last().unwrap().0.pages.clone()
    }

    /// Adds the people and records that make every page worth looking at.
    pub fn busy(mut self) -> County {
        let mentor = self.mentor();
        self.account(&mentor, "导师管理员", "admin", "");
        self.others[0].1.push("导师管理员");
        // One has just been unpacked; one has asked the county, which shows its digits.
        self.computer(
            &Place::init(self.dir.path(), "new", &["--name", "新电脑"]),
            "新专管员",
        );
        self.asking();
        let (school, hub) = (self.school.pages.clone(), self.hub().pages.clone());
        self.account(&school, "王校长", "leader", "");
        self.account(&school, "赵管理员", "admin", "");
        self.account(&hub, "周管理员", "admin", "");
        self.account(&hub, "郑局长", "leader", "");

        // A new role needs somebody here, who then walks all its pages.
        for (pages, known) in [
            (&school, "clerk,leader,teacher,admin"),
            (&hub, "auditor,admin,leader"),
            (&mentor, "clerk,admin"),
        ] {
            let page = self.quick.open(&format!("{pages}/accounts"));
            let roles = page.between("<select id=\"role\"", "</select>");
            let offered: Vec<&str> = roles[0].split("<option value=\"").skip(2).collect();
            let offered: Vec<&str> = offered.iter().filter_map(|o| o.split('"').next()).collect();
            assert_eq!(offered.join(","), known, "{pages}");
        }

        let credited = self.session("第三次校本研修：读懂学生的错误", "2025-10-16");
        self.claims(&credited);
        let long = self.session("高年级语文大单元教学设计与学习任务群的整体推进研讨", "2025-11-06");
        self.observation("李𬭊", TEACHER);
        let ended = self.session("集体备课", "2025-11-13");
        self.post(&school, &format!("{ended}/end"), &[]);
        let void = self.session("停电没有开成的讲座", "2025-11-20");
        self.quick
            .submit(
                &format!("{school}{void}/void"),
                &format!("{void}/void"),
                &[("reason", "停电没有开")],
            )
            .is(200);
        // The county recognises one claim, reduces one, returns one, and has two left.
        let audit = format!("{hub}/audit");
        let queue = self.quick.until(&audit, &format!("{PEOPLE} 条待审"));
        // The teacher who reads the own card is the one who gets all.
        let mut claims = queue.values("claim");
        let rows = queue.between("<tr", "</tr>");
        let hers = rows.iter().find(|row| row.contains(TEACHER)).expect("her claim");
        claims.sort_by_key(|claim| !hers.contains(claim.as_str()));
        for (claim, verdict, credits, reason) in [
            (&claims[0], "recognised", "", ""),
            (&claims[1], "reduced", "0.2", "over_cap"),
            (&claims[2], "returned", "", "no_evidence"),
        ] {
            let (id, seen) = claim.split_once(':').unwrap();
            let fields = [
                ("seen", seen),
                ("verdict", verdict),
                ("credits_c", credits),
                ("reason", reason),
                ("note", "签到表和登记的人数对不上，请核对后再报"),
                ("decided_on", "2025-10-20"),
            ];
            let page = self.quick.submit(&audit, &format!("/audit/{id}"), &fields);
            page.has("已审核 1 条");
        }
        for word in ["县已认定", "县已核减", "县退回"] {
            self.quick
                .until(&format!("{school}/claims"), &format!("{word}</span>"));
        }
        self.differ(&long);
        let hub = self.hub().pages.clone();
        self.quick.until(&format!("{mentor}/sessions"), "集体备课");
        self.quick.until(&format!("{hub}/devices"), "白沙小学 办公室");
        self.quick
            .until(&format!("{}/sync", self.others[2].0.pages), "还没有批准本机");
        // As if a peer had brought another change of the school under the same number.
        let database = rusqlite::Connection::open(self.hub_place.database()).unwrap();
        database.busy_timeout(super::support::PATIENCE).unwrap();
        let sql = "INSERT INTO quarantine (document, actor, fault, actor_seq, body, tip, from_peer, at)
                   SELECT d.key, c.actor, 'Equivocation', c.actor_seq, c.body, c.tip, NULL, 1760000000
                   FROM change c JOIN document d ON d.id = c.doc WHERE d.key LIKE 'log/%' LIMIT 1";
        assert_eq!(database.execute(sql, []).unwrap(), 1);
        self
    }

    /// Adds what lets every form be offered to somebody: an opening balance and an objection that wait for an
    /// answer, a visit and an observation that wait for signatures, a table that may be taken back.
    pub fn waiting(self) -> County {
        let (school, hub) = (self.school.pages.clone(), self.hub().pages.clone());
        let opening = format!("{school}/opening");
        let page = self.quick.open(&opening);
        let cell = format!("o-{}", page.between("name=\"o-", "\"")[0]);
        let year = page.value("year");
        let fields = [
            (cell.as_str(), "1.5"),
            ("year", &year),
            ("source", "登记册第3页"),
            ("entered_on", "2025-10-20"),
        ];
        self.quick.submit(&opening, "/opening", &fields).is(200);
        self.quick.until(&format!("{hub}/audit/opening"), "登记册第3页");

        let bulletin = [
            ("no", "1"),
            ("bulletin_kind", "status"),
            ("topic", "网络研修进度"),
            ("cut_on", "2025-11-30"),
            ("issued_on", "2025-12-01"),
        ];
        let list = format!("{hub}/bulletins");
        let draft = self.quick.submit(&list, "/bulletins", &bulletin);
        let step = format!(
            "/records/bulletin/{}/step",
            draft.between("/records/bulletin/", "/step")[0]
        );
        self.quick.submit(&list, &step, &[("to", "issued")]).is(200);
        self.quick.until(&format!("{school}/bulletins"), "阅读日期");

        let hers = Browser::new();
        let login = format!("{school}/login");
        hers.submit(&login, "/login", &[("name", TEACHER), ("secret", PIN)])
            .is(200);
        let claim = format!(
            "/mine/claim/{}",
            hers.open(&format!("{school}/mine")).between("/mine/claim/", "\"")[0]
        );
        let fields = [("text", "学时少记了一个"), ("date", "2025-10-22")];
        let url = format!("{school}{claim}");
        hers.submit(&url, &format!("{claim}/dispute"), &fields)
            .has("待处理");

        let visit = format!("{}/visits/new", self.others[0].0.pages);
        let page = self.quick.open(&visit);
        let host = page.between("<select id=\"host\"", "</select>")[0]
            .rsplit("<option value=\"")
            .find_map(|option| {
                option
                    .split('"')
                    .next()
                    .filter(|id| id.len() == 36)
                    .map(str::to_string)
            })
            .expect("a school");
        let fields = [
            ("host", host.as_str()),
            ("visit_kind", "school_training"),
            ("theme", "四年级语文送培"),
            ("from", "2025-10-12"),
            ("to", "2025-10-17"),
            ("summary", "听诊四节，磨课三天"),
        ];
        self.quick
            .submit(&visit, "/visits/new", &fields)
            .has("四年级语文送培");

        // Heard in her lessons: she may answer, and sign. Leader and clerk make one each void before her.
        for observer in ["李𬭊", "王小兰", "赵一鸣"] {
            self.observation(TEACHER, observer);
        }
        let list = "学校,姓名,教师编号,性别,岗位\n青石小学,周㙇,T006,女,专任教师\n";
        let token = self
            .quick
            .upload(&school, "教师.csv", list.as_bytes())
            .value("token");
        self.quick
            .submit(
                &format!("{school}/import"),
                "/import/confirm",
                &[("token", &token)],
            )
            .has("已导入");
        self
    }

    /// A lesson that somebody heard and debriefed, which nobody has signed yet.
    fn observation(&self, teacher: &str, observer: &str) {
        let new = format!("{}/observations/new", self.school.pages);
        let form = self.quick.open(&new);
        let people = form.between("<option value=\"", "</option>");
        let person = |name: &str| {
            let found = people.iter().find_map(|o| o.strip_suffix(&format!("\">{name}")));
            found.unwrap().split('"').next().unwrap().to_string()
        };
        let (teacher, observer) = (person(teacher), person(observer));
        let fields = [
            ("teacher", teacher.as_str()),
            ("date", "2025-11-12"),
            ("topic", "分数的初步认识"),
            ("subject", "数学"),
            ("lesson_kind", "open"),
            ("observer", observer.as_str()),
            ("observer_role", "peer"),
            ("process", "8:05｜出示月饼图｜观察、说想法"),
            ("points", "88"),
            ("debrief_by", TEACHER),
            ("debrief_on", "2025-11-12"),
            ("debrief_place", "数学组办公室"),
        ];
        self.quick
            .submit(&new, "/observations/new", &fields)
            .has("已评课");
    }

    /// Has two computers of the school, apart from one another, write different things about a session.
    pub fn differ(&mut self, session: &str) {
        let second = enrol(
            self.dir.path(),
            &self.hub_place,
            "second",
            "青石小学 教务处",
            &["--school", SCHOOL],
        );
        self.computer(&second, "教务员");
        // Who works there sees the same pages as the clerk.
        self.others.last_mut().unwrap().1.clear();
        let (first, second) = (
            self.school.pages.clone(),
            self.others.last().unwrap().0.pages.clone(),
        );
        self.quick.until(&format!("{second}{session}"), "实到 5");
        self.hub_stops();
        for (pages, status, hours) in [(&first, "sick", "3"), (&second, "absent", "5")] {
            let url = format!("{pages}{session}");
            let page = self.quick.open(&url);
            let name = page.between("name=\"m-", "\"")[0].clone();
            self.quick
                .submit(
                    &url,
                    &format!("{session}/attendance"),
                    &[(&format!("m-{name}"), status)],
                )
                .has("考勤已保存在本校");
            let edit = format!("{session}/edit");
            let form = self.quick.open(&format!("{pages}{edit}"));
            let mut fields = vec![
                ("form", "school_based"),
                ("category", "practice"),
                ("channel", "school"),
            ];
            let kept = ["title", "date", "place", "lecturers", "minutes"].map(|f| (f, form.value(f)));
            fields.extend(kept.iter().map(|(f, v)| (*f, v.as_str())));
            fields.push(("hours_c", hours));
            self.quick.submit(&url, &edit, &fields).has("已保存在本校。");
        }
        self.hub_comes_back();
        for pages in [first, second] {
            let page = self
                .quick
                .until(&format!("{pages}{session}"), "两台设备对这场活动的记录不一样");
            page.has("待核：两处记录不同");
        }
    }

    /// Starts a computer and makes its first account.
    fn computer(&mut self, place: &Place, name: &'static str) {
        let server = place.serve(&["--listen", "127.0.0.1:0"]);
        let link = server.setup.clone().unwrap();
        self.quick.first_account(&link, name, "clerk", PIN);
        self.others.push((server, vec![name]));
    }

    pub fn hub(&self) -> &Server {
        self.hub.as_ref().unwrap()
    }

    pub fn hub_stops(&mut self) {
        self.hub.take().unwrap().stop();
    }

    pub fn hub_comes_back(&mut self) {
        self.hub = Some(serve_hub(&self.hub_place, &self.address));
    }

    fn account(&self, pages: &str, name: &str, role: &str, person: &str) {
        let fields = [
            ("name", name),
            ("role", role),
            ("person", person),
            ("secret", PIN),
        ];
        self.post(pages, "/accounts", &fields);
    }

    fn post(&self, pages: &str, action: &str, fields: &[(&str, &str)]) {
        self.quick
            .submit(&format!("{pages}/password"), action, fields)
            .is(200);
    }

    /// A session of the school with everybody present; its path.
    pub fn session(&self, title: &str, date: &str) -> String {
        let pages = &self.school.pages;
        let fields = [
            ("title", title),
            ("date", date),
            ("place", "多媒体教室"),
            ("form", "school_based"),
            ("category", "practice"),
            ("channel", "school"),
            ("hours_c", "４"),
            ("lecturers", "教研组"),
            ("minutes", "180"),
        ];
        let page = self
            .quick
            .submit(&format!("{pages}/sessions/new"), "/sessions/new", &fields);
        page.has("已保存在本校");
        let path = page.url.strip_prefix(pages.as_str()).unwrap();
        let path = path.split('?').next().unwrap().to_string();
        let url = format!("{pages}{path}");
        let present = [("fill", "present")];
        self.quick
            .submit(&url, &format!("{path}/attendance"), &present)
            .has("考勤已保存在本校");
        path
    }

    /// Ends a session and registers credits for everybody.
    pub fn claims(&self, session: &str) {
        let url = format!("{}{session}", self.school.pages);
        self.quick
            .submit(&url, &format!("{session}/end"), &[])
            .has("活动已结束");
        let on = [("claimed_on", "2025-10-17")];
        let page = self.quick.submit(&url, &format!("{session}/claims"), &on);
        page.has(&format!("已登分 {PEOPLE} 人"));
    }
}

fn serve_hub(place: &Place, address: &str) -> Server {
    place.serve(&["--listen", address, "--publish", address])
}

/// A device enrolled by file.
fn enrol(root: &Path, hub: &Place, name: &str, label: &str, grant: &[&str]) -> Place {
    let place = Place::init(root, name, &["--name", label]);
    let path = |end: &str| root.join(format!("{name}.{end}")).to_str().unwrap().to_string();
    let (request, answer) = (path("request"), path("answer"));
    place.ok(&["enrol", "request", "--out", &request]);
    let approve = [&["enrol", "approve", &request, "--out", &answer], grant].concat();
    let shown = digits(&hub.refused(&approve, "数字不同"));
    hub.ok(&[&approve[..], &["--digits", &shown]].concat());
    place.ok(&["enrol", "accept", &answer, "--digits", &shown]);
    place
}
