//! The JSON API over a real socket: tokens and scopes, pages of lists, faults in RFC 9457, hours from another system
//! that a school registers and the county decides on.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use node::accounts::{self, Role};
use node::tokens::{self, Scope};
use node::{Filter, Node, office};
use serde_json::{Value, json};
use support::{Site, by, held, recognised, teacher, until};

const UNTIL: &str = "2027-06-30";

fn token(node: &Node, scopes: &[Scope]) -> String {
    tokens::make(node, &by("陈审核员"), "市人事系统", scopes, UNTIL, node::now())
        .unwrap()
        .1
}

/// Status, content type and body of a call.
struct Answer(u16, String, Value);

fn call(site: &Site, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .build();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}/api/v1{path}", site.url));
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let text = body.map(Value::to_string).unwrap_or_default();
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let mut answer = config.new_agent().run(request.body(text).unwrap()).unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let text = answer.body_mut().read_to_string().unwrap();
    Answer(
        answer.status().as_u16(),
        kind,
        serde_json::from_str(&text).unwrap_or(Value::Null),
    )
}

fn get(site: &Site, path: &str, token: &str) -> Answer {
    call(site, "GET", path, token, None)
}

impl Answer {
    fn is(self, status: u16) -> Value {
        assert_eq!(self.0, status, "{}", self.2);
        let wanted = if status < 400 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(self.1, wanted, "{}", self.2);
        if status >= 400 {
            assert_eq!(self.2["status"], status);
            assert!(
                self.2["detail"].is_string() && self.2["detail_zh"].is_string(),
                "{}",
                self.2
            );
        }
        self.2
    }
}

/// All rows of a list, asked for in pages of `limit`.
fn all(site: &Site, list: &str, token: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(
            site,
            &format!(
                "{list}{}limit={limit}{cursor}",
                if list.contains('?') { '&' } else { '?' }
            ),
            token,
        )
        .is(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        rows.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

fn county_with_two_schools() -> (Site, Site, [String; 3]) {
    let county = Site::county(true);
    let school = county.enrol_school("青石镇中心小学");
    let people =
        [("王𬭊", "YL001"), ("㙇伟", "YL002"), ("欧阳若兰", "YL003")].map(|(n, c)| teacher(&school, n, c));
    held(&school, "第３次研课磨课", "2025-09-12", &people[..2]);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    recognised(&auditor, "㙇伟");
    (county, school, people)
}

#[test]
fn what_is_read_is_what_the_pages_say_in_pages_of_any_size() {
    let (county, school, people) = county_with_two_schools();
    let key = token(
        &county.node,
        &[Scope::ReadSchools, Scope::ReadPeople, Scope::ReadCredits],
    );
    let schools = all(&county, "/schools", &key, 1);
    let here = schools.iter().find(|s| s["name"] == "青石镇中心小学").unwrap();
    assert_eq!(
        (&here["teachers"], &here["sessions"], &here["open_claims"]),
        (&json!(3), &json!(1), &json!(1))
    );
    assert_eq!(here["in_step"], "now");
    let other = schools.iter().find(|s| s["name"] == "云岭县第一小学").unwrap();
    assert_eq!(
        (&other["in_step"], &other["complete_until"]),
        (&json!("not_enrolled"), &Value::Null)
    );
    assert_eq!(all(&county, "/organisations", &key, 200).len(), 2);

    let mut read: Vec<String> = Vec::new();
    for limit in [1, 2, 50] {
        read = all(&county, "/people", &key, limit)
            .iter()
            .map(|p| p["id"].as_str().unwrap().to_owned())
            .collect();
        let mut wanted = people.to_vec();
        wanted.sort();
        assert_eq!(read, wanted, "in pages of {limit}");
    }
    assert_eq!(read.len(), 3);
    let claims = all(&county, "/claims", &key, 1);
    let decided: Vec<&Value> = claims.iter().filter(|c| c["state"] == "decided").collect();
    assert_eq!((claims.len(), decided.len()), (2, 1));
    let person = decided[0]["person"].as_str().unwrap();
    assert_eq!(
        all(&county, &format!("/claims?person={person}"), &key, 10).len(),
        1
    );
    let sessions = all(&county, "/sessions?from=2025-09-01&until=2025-09-30", &key, 10);
    assert_eq!((sessions.len(), &sessions[0]["hours_c"]), (1, &json!(400)));
    assert!(all(&county, "/sessions?from=2025-10-01", &key, 10).is_empty());

    let card = office::credit_card(&county.node, person).unwrap().unwrap().card;
    assert!(card.total_c > 0);
    let credits = get(&county, &format!("/people/{person}/credits"), &key).is(200);
    assert_eq!(
        (&credits["total_c"], &credits["hours_c"]),
        (&json!(card.total_c), &json!(card.total_hours_c))
    );
    let school_id = school.node.home_school().unwrap();
    let totals = all(&county, &format!("/credits?school={school_id}"), &key, 2);
    let sum: i64 = totals.iter().map(|c| c["total_c"].as_i64().unwrap()).sum();
    assert_eq!((totals.len(), sum), (3, card.total_c));
    // Names stand under read:people alone.
    let credits = all(&county, "/credits", &key, 50);
    let texts = [json!(claims), json!(sessions), json!(credits)].map(|v| v.to_string());
    assert!(
        texts
            .iter()
            .all(|text| !text.contains("王𬭊") && !text.contains("㙇伟"))
    );
}

#[test]
fn nothing_is_read_without_a_good_token_of_that_scope_and_every_call_is_logged() {
    let (county, school, people) = county_with_two_schools();
    let lists = [
        ("/organisations", Scope::ReadSchools),
        ("/schools", Scope::ReadSchools),
        ("/people", Scope::ReadPeople),
        ("/sessions", Scope::ReadCredits),
        ("/claims", Scope::ReadCredits),
        ("/credits", Scope::ReadCredits),
    ];
    for scope in Scope::ALL {
        let key = token(&county.node, &[scope]);
        for (path, wanted) in &lists {
            get(&county, path, &key).is(if scope == *wanted { 200 } else { 403 });
        }
        let one = format!("/people/{}/credits", people[0]);
        get(&county, &one, &key).is(if scope == Scope::ReadCredits { 200 } else { 403 });
        let sent = call(
            &county,
            "POST",
            "/outside-hours",
            &key,
            Some(&json!({"key": "x", "rows": []})),
        );
        sent.is(if scope == Scope::WriteOutsideHours {
            422
        } else {
            403
        });
    }
    assert_eq!(county.node.count(&Filter::kind("outside_hours")).unwrap(), 0);
    let log = accounts::access_log(&county.node, 200).unwrap();
    let of = |act: &str| {
        log.iter()
            .filter(|row| row.act == act && row.name == "API：市人事系统")
            .count()
    };
    assert_eq!((of("api"), of("api refused")), (8, 24));
    assert!(
        log.iter()
            .any(|row| row.act == "api" && row.object == "GET /api/v1/people" && row.remote == "127.0.0.1")
    );

    for (path, _) in &lists {
        for bad in ["", "yxk_0000000000000000_00", "abc"] {
            get(&county, path, bad).is(401);
        }
    }
    let key = token(&county.node, &[Scope::ReadPeople]);
    get(&county, "/people", &key).is(200);
    let mut made = tokens::list(&county.node).unwrap();
    made.retain(|token| key.contains(&token.id));
    let made = made.remove(0);
    tokens::revoke(&county.node, &by("陈审核员"), &made.id, node::now()).unwrap();
    get(&county, "/people", &key).is(401);
    // A school's own node answers nobody.
    let raw = school.raw("GET /api/v1/people HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    assert!(
        raw.starts_with("HTTP/1.1 404") && raw.contains("application/problem+json"),
        "{raw}"
    );
    get(&county, "/openapi.json", "").is(200);
}

#[test]
fn what_cannot_be_read_is_answered_as_a_problem() {
    let (county, ..) = county_with_two_schools();
    let key = token(
        &county.node,
        &[
            Scope::ReadSchools,
            Scope::ReadPeople,
            Scope::ReadCredits,
            Scope::WriteOutsideHours,
        ],
    );
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "from=2025-02-30",
        "other=1",
        "limit=1&limit=2",
    ] {
        get(&county, &format!("/sessions?{bad}"), &key).is(400);
    }
    get(&county, "/people?from=2025-01-01", &key).is(400);
    get(&county, "/people/%E6%B2%A1%E6%9C%89/credits", &key).is(404);
    get(&county, "/nothing", &key).is(404);
    call(&county, "DELETE", "/people", &key, None).is(405);
    call(&county, "POST", "/outside-hours", &key, Some(&json!([]))).is(400);
    call(&county, "POST", "/outside-hours", &key, None).is(415);
    let long = json!({"key": "长".repeat(400_000), "rows": []});
    call(&county, "POST", "/outside-hours", &key, Some(&long)).is(413);
}

#[test]
fn hours_from_another_system_are_told_once_registered_by_the_school_and_decided_by_the_county() {
    let (county, school, people) = county_with_two_schools();
    let key = token(&county.node, &[Scope::WriteOutsideHours]);
    let row = |field: &str, who: &str, hours: i64| {
        json!({
            field: who, "project": "国培计划 乡村教师网络研修", "organiser": "省教师培训中心", "from": "2025-10-08",
            "until": "2025-10-20", "form": "online", "category": "knowledge_skill", "channel": "city", "hours_c": hours
        })
    };
    let send = |body: &Value| call(&county, "POST", "/outside-hours", &key, Some(body));
    // One wrong row, and nothing is written: every fault is named with its row.
    let wrong = send(&json!({"key": "2025-国培-1", "rows": [
        row("teacher_code", "YL001", 2000), row("teacher_code", "YL999", 2000), row("person", &people[1], 0)
    ]}))
    .is(422);
    let faults: Vec<(i64, &str)> = wrong["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["row"].as_i64().unwrap(), e["field"].as_str().unwrap()))
        .collect();
    assert!(
        faults.contains(&(1, "teacher_code")) && faults.contains(&(2, "hours_c")),
        "{faults:?}"
    );
    assert!(faults.iter().all(|(row, _)| *row != 0), "{faults:?}");
    assert_eq!(county.node.count(&Filter::kind("outside_hours")).unwrap(), 0);

    let good = json!({"key": "2025-国培-1", "rows": [row("teacher_code", "YL001", 2000), row("person", &people[1], 1500)]});
    let first = send(&good).is(201);
    assert_eq!((&first["received"], &first["new"]), (&json!(2), &json!(2)));
    assert_eq!(send(&good).is(200), first, "the same key with the same content");
    send(&json!({"key": "2025-国培-1", "rows": [row("teacher_code", "YL003", 2000)]})).is(409);
    // Under another key: the rows are known, a third is new.
    let again = json!({"key": "2025-国培-2", "rows": [row("person", &people[0], 2000), row("teacher_code", "YL003", 500)]});
    assert_eq!(send(&again).is(201)["new"], 1);
    assert_eq!(county.node.count(&Filter::kind("outside_hours")).unwrap(), 3);
    // No credit by it.
    let total = |site: &Site| {
        office::credit_card(&site.node, &people[0])
            .unwrap()
            .unwrap()
            .card
            .total_hours_c
    };
    let before = total(&county);

    let clerk = school.signed_in("李专管员", Role::Clerk);
    let page = until(&clerk, "/import/told", "欧阳若兰");
    page.has("国培计划 乡村教师网络研修")
        .has("市人事系统")
        .has("20.0");
    clerk
        .submit("/import/told", "/import/told", &[("on", "2025-10-25")])
        .has("请至少选一条");
    let told: Vec<String> = page
        .body
        .split("name=\"told\" value=\"")
        .skip(1)
        .map(|r| r.split('"').next().unwrap().to_owned())
        .collect();
    let mut fields: Vec<(&str, &str)> = told.iter().take(2).map(|id| ("told", id.as_str())).collect();
    fields.push(("on", "2025年10月25日"));
    let done = clerk.submit("/import/told", "/import/told", &fields);
    done.has("已登分 2 人");
    assert_eq!(done.body.matches("name=\"told\"").count(), 1);
    assert_eq!(total(&county), before, "nobody has decided yet");
    let auditor = county.browser();
    auditor.submit(
        "/login",
        "/login",
        &[("name", "陈审核员"), ("secret", support::PIN)],
    );
    until(&auditor, "/audit", "国培计划");
    // What a school registered is not told anew.
    assert_eq!(
        send(&json!({"key": "2025-国培-3", "rows": [row("person", &people[0], 2000)]})).is(201)["new"],
        0
    );
}

#[test]
fn tokens_are_made_and_taken_back_by_an_auditor_alone_and_shown_once() {
    let county = Site::county(false);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    auditor
        .submit("/tokens", "/tokens", &[("label", ""), ("until", "昨天")])
        .has("id=\"until-error\"")
        .has("id=\"scopes-error\"");
    let fields = [
        ("label", "市人事系统"),
        ("until", UNTIL),
        ("scopes", "read:schools"),
        ("scopes", "read:people"),
    ];
    let page = auditor.submit("/tokens", "/tokens", &fields);
    let secret = page
        .has("只显示这一次")
        .body
        .split("id=\"token\">")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    get(&county, "/people", &secret).is(200);
    get(&county, "/claims", &secret).is(403);
    auditor.get("/tokens").has("市人事系统").lacks(&secret);
    let id = tokens::list(&county.node).unwrap()[0].id.clone();
    let revoke = format!("/tokens/{id}/revoke");
    for role in [Role::Admin, Role::Leader] {
        let other = county.signed_in(&format!("何{role:?}"), role);
        other.get("/tokens").is(403);
        other.submit("/statements/verify", "/tokens", &fields).is(403);
        other.submit("/statements/verify", &revoke, &[]).is(403);
    }
    assert_eq!(tokens::list(&county.node).unwrap().len(), 1);
    get(&county, "/people", &secret).is(200);
    auditor.submit("/tokens", &revoke, &[]).is(200).has("已撤销");
    get(&county, "/people", &secret).is(401);
    auditor.submit("/tokens", &revoke, &[]).is(404);
    auditor.submit("/tokens", "/tokens/nothing/revoke", &[]).is(404);
}
