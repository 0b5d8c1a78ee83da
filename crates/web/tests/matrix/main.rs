//! Who may do what on the pages (domain.md §2.3): every address of the router, asked for by every account of every desk
//! and by nobody, with real records behind it. A refusal is a 403 (or the sign-in page) that changes nothing. An address
//! without a row in the table fails. Documents and devices stand in `tests/tests/access_matrix.rs`, tokens in `api.rs`.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;
mod table;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use node::accounts::{self, NewAccount, Role};
use node::office::ObservationInput;
use node::{Filter, Node, office};
use records::kinds::Actor;
use support::{Browser, PIN, Page, Site, held, teacher};
use table::TABLE;

/// The columns of the table: three desks with their accounts, and nobody at the school's.
const COLUMNS: [(&str, Role); 9] = [
    ("county", Role::Auditor),
    ("county", Role::Leader),
    ("county", Role::Admin),
    ("school", Role::Clerk),
    ("school", Role::Leader),
    ("school", Role::Teacher),
    ("school", Role::Admin),
    ("mentor", Role::Clerk),
    ("mentor", Role::Admin),
];
const NOBODY: usize = COLUMNS.len();

const ROUTER: &str = include_str!("../../src/routes.rs");

/// Addresses of the router with whether each is shown and takes a form.
fn routes() -> BTreeMap<&'static str, (bool, bool)> {
    let routes = ROUTER.split(".route(").skip(1).map(|route| {
        let address = route.split('"').nth(1).unwrap();
        (address, (route.contains("get("), route.contains("post(")))
    });
    let routes: BTreeMap<_, _> = routes.collect();
    let count = |of: &str| ROUTER.matches(of).count();
    let read = |of: fn(&(bool, bool)) -> bool| routes.values().filter(|route| of(route)).count();
    assert_eq!(
        (read(|r| r.0), read(|r| r.1)),
        (count("get("), count("post(")),
        "the router is read wrongly"
    );
    routes
}

/// Every address stands in the table once for each way in which it is asked, and nothing else does.
#[test]
fn every_address_of_the_router_has_a_row() {
    let mut rows: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for row in TABLE {
        let address = row.0.split('#').next().unwrap();
        let entry = rows.entry(address).or_default();
        *entry = (entry.0 || !row.2.is_empty(), entry.1 || !row.3.is_empty());
        for cells in [row.2, row.3] {
            let good = cells.is_empty() || cells.len() == COLUMNS.len() + 1;
            assert!(good && cells.chars().all(|c| "yn.".contains(c)), "{row:?}");
        }
    }
    assert_eq!(rows, routes());
}

/// Three desks with real records, without links, so that nothing moves but what is asked for.
struct World {
    sites: [(&'static str, Site); 3],
    /// Own person, another person, session, claim, school.
    own: String,
    other: String,
    session: String,
    claim: String,
    school: String,
    /// The school's computer.
    device: String,
    /// A lesson of the own person that another heard, and one with which the own person has nothing to do.
    sheets: [String; 2],
}

/// A sheet of a lesson of one person that another has heard (听评课); the record id.
fn heard(site: &Site, of: &str, by: &str) -> String {
    let values = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(field, value)| ((*field).to_owned(), Some((*value).into())));
        pairs.collect::<Vec<_>>()
    };
    let input = ObservationInput {
        lesson_values: values(&[
            ("teacher", of),
            ("date", "2025-10-15"),
            ("subject", "语文"),
            ("topic", "《秋天》"),
            ("lesson_kind", "open"),
        ]),
        values: values(&[
            ("observer", by),
            ("observer_role", "peer"),
            ("date", "2025-10-15"),
            ("debrief_by", "㙇伟"),
            ("debrief_on", "2025-10-15"),
            ("debrief_place", "语文组办公室"),
        ]),
        ..ObservationInput::default()
    };
    office::save_observation(&site.node, &support::by("李专管员"), Actor::Clerk, None, input).unwrap()
}

fn world() -> World {
    let mut county = Site::county(true);
    let mut school = county.enrol_school("青石镇中心小学");
    let [own, other] =
        [("王𬭊", "YL001"), ("㙇伟", "YL002")].map(|(name, code)| teacher(&school, name, code));
    let session = held(
        &school,
        "第３次研课磨课",
        "2025-09-12",
        &[own.clone(), other.clone()],
    );
    let third = teacher(&school, "欧阳若兰", "YL003");
    let sheets = [(&own, &other), (&other, &third)].map(|(of, by)| heard(&school, of, by));
    let arrived = |site: &Site| {
        let begun = std::time::Instant::now();
        let short = |kind: &str| site.node.count(&Filter::kind(kind)).unwrap() < 2;
        while short("claim") || short("observation") || site.node.views_behind().unwrap() > 0 {
            assert!(begun.elapsed().as_secs() < 40, "the records never arrived");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    arrived(&county);
    let mut mentor = county.enrol_mentor("mt-07", &["青石镇中心小学"]);
    arrived(&mentor);
    for site in [&mut county, &mut school, &mut mentor] {
        site.disconnect();
    }
    let claim = office::claims(&county.node, None, 10).unwrap().remove(0).id;
    let id = school.node.home_school().unwrap();
    let device = school.node.id().to_string();
    World {
        sites: [("county", county), ("school", school), ("mentor", mentor)],
        own,
        other,
        session,
        claim,
        school: id,
        device,
        sheets,
    }
}

impl World {
    fn site(&self, desk: &str) -> &Site {
        &self.sites.iter().find(|(name, _)| *name == desk).unwrap().1
    }

    /// An address of the router with real records in it.
    fn address(&self, row: &str) -> String {
        let (route, variant) = row.split_once('#').unwrap_or((row, ""));
        let person = if variant == "other" {
            &self.other
        } else {
            &self.own
        };
        let id = match route.split('/').nth(1).unwrap() {
            "roster" | "teachers" => person,
            "sessions" => &self.session,
            "audit" => &self.claim,
            "devices" => &self.device,
            "schools" => &self.school,
            "records" => &self.session,
            "observations" | "sign" if variant == "other" => &self.sheets[1],
            "observations" | "sign" => &self.sheets[0],
            "print" if route.contains("/observation/") => &self.sheets[usize::from(variant == "other")],
            "print" if route.contains("/card/") => person,
            "print" if route.contains("/sign-in/") => &self.session,
            // Nothing of this sort is there: who may ask is told so.
            _ => "01990000-0000-7000-8000-000000000000",
        };
        let what = match route {
            "/schools/export/{what}" => "dashboard.xlsx",
            "/sessions/{id}/export/{what}" => "signin.xlsx",
            _ => "roster.xlsx",
        };
        route
            .replace("{id}", id)
            .replace("{kind}", "session")
            .replace("{what}", what)
            .replace("{act}", "deactivate")
            .replace("{code}", "zh")
            .replace("{name}", "session--3")
            .replace("{account}", "01990000-0000-7000-8000-000000000000")
            .replace("{group}", "01990000-0000-7000-8000-000000000000")
            .replace("{token}", "00000000000000000000000000000000")
    }
}

/// A browser of this column; signed in anew each time it is asked for.
fn sign_in(world: &World, column: usize) -> Browser {
    let Some((desk, role)) = COLUMNS.get(column) else {
        return world.site("school").browser();
    };
    let site = world.site(desk);
    let name = format!("{desk}{role:?}");
    if !accounts::list(&site.node)
        .unwrap()
        .iter()
        .any(|account| account.name == name)
    {
        let new = NewAccount {
            name: name.clone(),
            role: *role,
            secret: PIN.into(),
            person: (*role == Role::Teacher).then(|| world.own.clone()),
        };
        accounts::create(&site.node, new, node::now()).unwrap();
    }
    let browser = site.browser();
    browser
        .submit("/login", "/login", &[("name", &name), ("secret", PIN)])
        .is(200);
    browser
}

/// All that the node keeps but who is signed in and what was noted of that.
fn content(node: &Node) -> u64 {
    const LEFT_OUT: [&str; 3] = ["web_session", "access_log", "sqlite_sequence"];
    node.read(|c| {
        let mut hash = DefaultHasher::new();
        let mut tables = c.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let names: Vec<String> = tables
            .query_map([], |row| row.get(0))?
            .map(Result::unwrap)
            .collect();
        for name in names.iter().filter(|name| !LEFT_OUT.contains(&name.as_str())) {
            let mut query = c.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns = query.column_count();
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                for at in 0..columns {
                    format!("{:?}", row.get_ref(at)?).hash(&mut hash);
                }
            }
        }
        Ok(hash.finish())
    })
    .unwrap()
}

/// What came of a request: `y` it was let in, `.` refused, `n` there is no such thing on this desk, `!` a fault inside.
fn mark(page: &Page, asked: &str) -> char {
    // Nobody is led to the sign-in page, which itself anybody may open, in the language of choice.
    let open = ["/login", "/lang/zh", "/logout"].contains(&asked);
    match page.status {
        _ if !open && page.path.starts_with("/login") => '.',
        _ if asked == "/logout" && page.path.contains("next=") => '.',
        403 => '.',
        409 => 'n',
        // Never wanted of anybody.
        500.. => '!',
        _ => 'y',
    }
}

fn ask(browser: &Browser, method: &str, address: &str, csrf: &str) -> Page {
    match method {
        "GET" => browser.get(address),
        _ => browser.post(address, &[("csrf", csrf)]),
    }
}

#[test]
fn every_account_of_every_desk_may_do_what_the_table_says_and_nothing_else() {
    let world = world();
    let show = std::env::var_os("YANXIU_MATRIX").is_some();
    let mut seen: BTreeMap<(&str, &str), String> = BTreeMap::new();
    let mut faults = Vec::new();
    // What is refused comes first, while nothing has changed yet; then what is let in.
    for let_in in [false, true] {
        for column in 0..=NOBODY {
            let nobody = column == NOBODY;
            let desk = COLUMNS.get(column).map_or("school", |c| c.0);
            let node = &world.site(desk).node;
            let mut browser = sign_in(&world, column);
            let token = |browser: &Browser| match nobody {
                true => browser.get("/login").value("csrf"),
                false => browser.get("/password").value("csrf"),
            };
            let mut csrf = token(&browser);
            let mut before = content(node);
            for (row, object, get, post) in TABLE {
                for (method, cells) in [("GET", get), ("POST", post)] {
                    let Some(wanted) = cells.chars().nth(column) else {
                        continue;
                    };
                    if !show && (wanted == 'y') != let_in || show && !let_in {
                        continue;
                    }
                    // It looks around for seconds, whoever asks.
                    if (*row, method) == ("/doctor", "POST") && let_in && !show && column > 0 {
                        continue;
                    }
                    let address = world.address(row);
                    let page = ask(&browser, method, &address, &csrf);
                    let found = mark(&page, &address);
                    seen.entry((row, method)).or_default().push(found);
                    if found != wanted {
                        faults.push(format!(
                            "{method} {row} ({object}): column {column} wants {wanted}, got {found} {}",
                            page.status
                        ));
                    }
                    if !let_in {
                        let after = content(node);
                        if after != before {
                            faults.push(format!(
                                "{method} {row}: column {column} was refused and changed something"
                            ));
                        }
                        before = after;
                    } else if ["/logout", "/password"].contains(row) {
                        browser = sign_in(&world, column);
                        csrf = token(&browser);
                    }
                }
            }
        }
    }
    if show {
        for ((row, method), cells) in &seen {
            println!("{method} {row} {cells}");
        }
        return;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whoever may read a record is let in to its steps; which step is whose says the form. A session is voided by its own
/// school's officer, whatever the others send.
#[test]
fn a_step_is_taken_by_whom_the_form_names_and_by_nobody_who_may_only_read() {
    let world = world();
    let address = world.address("/records/{kind}/{id}/step");
    let step = |column: usize| {
        let node = &world.site(COLUMNS[column].0).node;
        let browser = sign_in(&world, column);
        let csrf = browser.get("/password").value("csrf");
        let before = content(node);
        let fields = [("csrf", csrf.as_str()), ("to", "void"), ("reason", "重复登记")];
        let page = browser.post(&address, &fields);
        assert!(page.status < 500, "{}", page.body);
        before != content(node)
    };
    let readers: Vec<usize> = (0..COLUMNS.len())
        .filter(|column| ![3, 7].contains(column))
        .collect();
    for column in readers.into_iter().chain([7]) {
        assert!(!step(column), "{:?} has voided a session", COLUMNS[column]);
    }
    assert!(step(3), "the officer cannot void a session");
}

/// The denials that matter most, each by its own words: the one who earns does not decide, a school reads no other's
/// records, a bare administrator reads none.
#[test]
fn the_sentences_of_the_domain_stand_in_the_table() {
    let cells = |address: &str, post: bool| {
        let row = TABLE
            .iter()
            .find(|row| row.0 == address)
            .unwrap_or_else(|| panic!("{address}"));
        if post { row.3 } else { row.2 }
    };
    let may: fn(&str) -> BTreeSet<usize> = |cells| {
        cells
            .chars()
            .enumerate()
            .filter(|(_, c)| *c == 'y')
            .map(|(at, _)| at)
            .collect()
    };
    // 绝不自己给自己评分: the county's auditors alone decide, sign statements and give out tokens.
    for address in [
        "/audit",
        "/audit/{id}",
        "/audit/opening",
        "/teachers/{id}/statement",
        "/tokens",
    ] {
        assert_eq!(may(cells(address, true)), BTreeSet::from([0]), "{address}");
    }
    // 登分 is the school's officer's.
    for address in [
        "/sessions/{id}/claims",
        "/sessions/new",
        "/roster/new",
        "/opening",
        "/import/told",
    ] {
        assert_eq!(may(cells(address, true)), BTreeSet::from([3]), "{address}");
    }
    // 系统管理员 has no content.
    for address in [
        "/teachers/{id}",
        "/sessions",
        "/records",
        "/schools",
        "/roster",
        "/claims",
        "/export",
    ] {
        let admins = may(cells(address, false));
        assert!([2, 6, 8].iter().all(|admin| !admins.contains(admin)), "{address}");
    }
    // A teacher sees the own card and nobody else's.
    assert!(may(cells("/teachers/{id}", false)).contains(&5));
    assert!(!may(cells("/teachers/{id}#other", false)).contains(&5));
}
