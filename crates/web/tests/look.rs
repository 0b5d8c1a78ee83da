mod support;
use node::accounts::Role;
use node::office::{self, SessionInput};
use support::*;
#[test]
#[ignore]
fn look() {
    let county = Site::county(true);
    let auditor = county.signed_in("陈审核员", Role::Auditor);
    let sample = records::sample::County::generate(7);
    let book = web::sheet::write::county_roster(&sample).unwrap();
    let page = auditor.upload("云岭县花名册.xlsx", &book);
    let (csrf, token) = (page.value("csrf"), page.value("token"));
    auditor.post("/import/confirm", &[("csrf", &csrf), ("token", &token)]).is(200);
    let at = sample.schools.iter().position(|s| !s.in_county_town()).unwrap();
    let name = sample.schools[at].name.clone();
    let school = county.enrol_school(&name);
    let clerk = school.signed_in("李专管员", Role::Clerk);
    until(&clerk, "/sync", "在线");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let page = clerk.upload("云岭县花名册.xlsx", &book);
    let (csrf, token) = (page.value("csrf"), page.value("token"));
    std::fs::write("/tmp/preview.html", &page.body).unwrap();
    clerk.post("/import/confirm", &[("csrf", &csrf), ("token", &token)]).is(200);
    let id = school.node.home_school().unwrap();
    let who = by("李专管员");
    let roster = office::roster(&school.node, &id).unwrap();
    let own: Vec<usize> = sample.teachers_of(at).collect();
    for (n, s) in sample.term(at, 2025, 1).iter().enumerate() {
        let input = SessionInput { title: s.title.clone(), theme: s.theme.clone(), date: s.date.to_string(), place: s.place.clone(), form: s.form.into(), category: s.category.into(), sub: s.sub.into(), channel: s.channel.into(), hours_c: s.hours_c, lecturers: String::new(), minutes: Some(90), lecture_minutes: Some(10) };
        let sid = office::save_session(&school.node, &who, &id, None, input).unwrap();
        if n >= 19 { continue; }
        let marks: Vec<(String, String)> = s.marks.iter().filter_map(|m| { let t = own.iter().position(|x| *x == m.teacher)?; Some((roster.get(t)?.id.clone(), m.status.to_owned())) }).collect();
        office::mark_attendance(&school.node, &who, &sid, &marks).unwrap();
        if n >= 17 { continue; }
        office::end_session(&school.node, &who, &sid).unwrap();
        if n >= 16 { continue; }
        office::register_claims(&school.node, &who, &sid, &s.date.to_string()).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_secs(4));
    let queue = office::audit_queue(&county.node, 5000).unwrap();
    for (n, r) in queue.iter().enumerate().take(300) {
        let (v, c, why, note) = match n % 9 { 3 => ("reduced", Some(r.credits_c / 2), "lecture_share", "讲座超过一半"), 5 => ("returned", None, "no_evidence", "请补签到表照片"), 7 => ("rejected", None, "duplicate", ""), _ => ("recognised", None, "", "") };
        let _ = office::decide(&county.node, &by("陈审核员"), &r.id, v, c, why, note, "2026-01-10");
    }
    let loose = Site::loose();
    loose.node.add_address(&county_addr(&county)).unwrap();
    drop(loose.signed_in("赵老师", Role::Clerk));
    println!("COUNTY {}\nSCHOOL {}\nLOOSE {}", county.url, school.url, loose.url);
    std::fs::write("/tmp/look.json", format!("{{\"county\":\"{}\",\"school\":\"{}\",\"loose\":\"{}\",\"schoolId\":\"{id}\"}}", county.url, school.url, loose.url)).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3600));
}
fn county_addr(_c: &Site) -> String { "127.0.0.1:4433".into() }
