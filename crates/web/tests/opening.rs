//! Opening balances: a clerk copies an earlier year from paper, the county confirms or returns, the card counts.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office;
use support::{Browser, Page, Site, until};

const SOURCE: &str = "２０２５学年教师学分登记册第3页";

struct School {
    county: Site,
    site: Site,
    clerk: Browser,
    auditor: Browser,
    /// 王𬭊 and 㙇伟.
    persons: [String; 2],
}

fn school() -> School {
    let county = Site::county(true);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    for (name, code) in [("王𬭊", "YL001"), ("㙇伟", "YL002")] {
        let facts = [
            ("name", name),
            ("teacher_code", code),
            ("status", "serving"),
            ("post", "teacher"),
            ("from", "2024.9.1"),
        ];
        clerk.submit("/roster/new", "/roster/new", &facts).is(200);
    }
    let roster = office::roster(&site.node, &site.node.home_school().unwrap()).unwrap();
    let person = |name: &str| roster.iter().find(|t| t.name == name).unwrap().id.clone();
    let persons = [person("王𬭊"), person("㙇伟")];
    let auditor = county.signed_in("王审核员", Role::Auditor);
    School {
        county,
        site,
        clerk,
        auditor,
        persons,
    }
}

impl School {
    fn cell(&self, person: usize, cell: &str) -> String {
        format!("o-{}:{cell}", self.persons[person])
    }

    fn save(&self, source: &str, cells: &[(String, &str)]) -> Page {
        let mut fields = vec![
            ("year", "2025"),
            ("entered_on", "2026年9月5日"),
            ("source", source),
        ];
        fields.extend(cells.iter().map(|(name, value)| (name.as_str(), *value)));
        self.clerk.submit("/opening?year=2025", "/opening", &fields)
    }

    /// What stands on the auditor's page, as (id, value of its box).
    fn waiting(&self) -> Vec<String> {
        let page = self.auditor.get("/audit/opening");
        let boxes = page.body.split("name=\"opening\" value=\"").skip(1);
        boxes
            .map(|rest| rest.split_once('"').unwrap().0.to_owned())
            .collect()
    }

    fn decide(&self, boxes: &[String], verdict: &str, reason: &str) -> Page {
        let mut fields = vec![
            ("decided_on", "2026-09-10"),
            ("verdict", verdict),
            ("reason", reason),
        ];
        fields.extend(boxes.iter().map(|value| ("opening", value.as_str())));
        self.auditor.submit("/audit/opening", "/audit/opening", &fields)
    }

    fn total(&self, person: usize) -> i64 {
        let card = office::credit_card(&self.site.node, &self.persons[person])
            .unwrap()
            .unwrap();
        card.card.total_c
    }
}

const CITY_SKILL: &str = "knowledge_skill::city";
const SCHOOL_PRACTICE: &str = "practice::school";
const ETHICS: &str = "ethics_literacy:ethics:district";

#[test]
fn what_the_county_confirms_counts_in_its_own_year_and_names_its_paper() {
    let s = school();
    s.clerk.get("/claims").has("期初学分（以前学年）");
    // A fault stands at its field, and nothing of what was typed is lost.
    let cells = [(s.cell(0, CITY_SKILL), "２.５"), (s.cell(0, ETHICS), "很多")];
    let page = s.save(SOURCE, &cells);
    page.has("还没有保存")
        .has("value=\"很多\"")
        .has("value=\"２.５\"")
        .has("aria-invalid");
    s.save("", &cells[..1]).has("还没有保存").has("source-error");
    let cells = [
        (s.cell(0, CITY_SKILL), "２.５"),
        (s.cell(0, SCHOOL_PRACTICE), "2"),
        (s.cell(1, ETHICS), "1"),
        (s.cell(1, CITY_SKILL), ""),
    ];
    s.save(SOURCE, &cells)
        .has("已保存在本校：3 格")
        .has("待县核准")
        .has("value=\"2.5\"");
    // The same again changes nothing.
    s.save(SOURCE, &cells).has("已保存在本校：0 格");
    let card = format!("/teachers/{}", s.persons[0]);
    s.clerk.get(&card).has("不计：待县核准").has("登记册第3页");
    assert_eq!(s.total(0), 0);

    until(&s.auditor, "/audit/opening", "登记册第3页")
        .has("王𬭊")
        .has("2025");
    let boxes = s.waiting();
    assert_eq!(boxes.len(), 3);
    s.decide(&boxes, "returned", "").has("请写明理由");
    s.decide(&[], "approved", "").has("请先勾选");
    s.auditor.get("/audit/opening").has("师德").has("区（县）级");
    s.decide(&boxes, "approved", "").has("没有待核准的期初学分");
    let page = until(&s.clerk, &card, "2026-09-10");
    page.has("期初学分（2025-2026学年），依据：")
        .has("登记册第3页")
        .has("2026-09-10");
    assert_eq!((s.total(0), s.total(1)), (450, 100));
    let view = office::credit_card(&s.site.node, &s.persons[0]).unwrap().unwrap();
    let practice = view
        .card
        .requirements
        .iter()
        .find(|r| r.spans.len() == 5)
        .unwrap();
    let years: Vec<i64> = practice.spans.iter().map(|year| year.earned_c).collect();
    assert_eq!(years, [200, 0, 0, 0, 0], "{practice:?}");
    drop(s.county);
}

#[test]
fn what_is_changed_afterwards_waits_anew_and_what_is_returned_says_why() {
    let s = school();
    let cells = [(s.cell(0, CITY_SKILL), "3"), (s.cell(1, CITY_SKILL), "4")];
    s.save(SOURCE, &cells);
    until(&s.auditor, "/audit/opening", "㙇伟");
    let boxes = s.waiting();
    let of = |person: usize| {
        let rows = office::openings(&s.site.node, None).unwrap();
        let row = rows
            .iter()
            .find(|row| row.person == s.persons[person])
            .unwrap()
            .id
            .clone();
        boxes
            .iter()
            .find(|value| value.starts_with(&row))
            .unwrap()
            .clone()
    };
    s.decide(&[of(0)], "approved", "").has("㙇伟");
    s.decide(&[of(1)], "returned", "登记册上是 3.5")
        .has("没有待核准的期初学分");
    until(&s.clerk, "/opening?year=2025", "县退回：登记册上是 3.5").has("县已核准");
    assert_eq!((s.total(0), s.total(1)), (300, 0));

    // A decision taken on what was seen, after the school has changed it, decides nothing.
    s.save(
        "更正：登记册第4页",
        &[(s.cell(0, CITY_SKILL), "3.5"), (s.cell(1, CITY_SKILL), "3.5")],
    )
    .has("改后待县核准");
    assert_eq!(s.total(0), 0, "what the county has not seen counts zero");
    until(&s.auditor, "/audit/opening", "登记册第4页").has("上次核准后学校改过");
    s.decide(&boxes, "approved", "").has("学校刚改过，请再看一遍");
    let boxes = s.waiting();
    assert_eq!(boxes.len(), 2);
    s.decide(&boxes, "approved", "").has("没有待核准");
    until(&s.clerk, &format!("/teachers/{}", s.persons[1]), "登记册第4页");
    until(&s.clerk, "/opening?year=2025", "县已核准").lacks("改后待县核准");
    assert_eq!((s.total(0), s.total(1)), (350, 350));

    // A cell that is emptied is taken back.
    s.save("", &[(s.cell(1, CITY_SKILL), "")])
        .has("已保存在本校：1 格");
    assert_eq!(s.total(1), 0);
}

#[test]
fn only_a_clerk_enters_and_only_the_county_confirms() {
    let s = school();
    let leader = s.site.signed_in("周校长", Role::Leader);
    leader
        .get("/opening")
        .is(200)
        .lacks("<button class=\"main\">保存");
    leader.submit("/opening", "/opening", &[("year", "2025")]).is(403);
    s.clerk.get("/audit/opening").is(403);
    s.clerk.get("/opening?year=2031").is(404);
    let by = support::by("李专管员");
    let refused = office::decide_openings(&s.site.node, &by, &[], "approved", "", "2026-09-10");
    assert!(matches!(refused, Err(node::Error::Invalid(_))), "{refused:?}");
}
