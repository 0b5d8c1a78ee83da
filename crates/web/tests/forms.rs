//! Forms of single rows of domain.md §1F through the general pages: what is entered, which steps are refused and for
//! want of what, who takes them, and where it is found again.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::Role;
use node::office::{self, SessionInput, TeacherInput};
use support::*;

const SCHOOL: &str = "青石镇中心小学";

struct School {
    _county: Site,
    site: Site,
    clerk: Browser,
    leader: Browser,
    persons: [String; 3],
}

fn school() -> School {
    let county = Site::county(false);
    let site = county.enrol_school(SCHOOL);
    let persons = [("欧阳㙇", 1979), ("王𬭊", 1996), ("石磊", 1999)].map(|(name, born)| {
        let input = TeacherInput {
            name: name.into(),
            sex: if name == "王𬭊" { "2" } else { "1" }.into(),
            birth_year: Some(born),
            status: "serving".into(),
            post: "teacher".into(),
            teaching_from: Some(born + 23),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        let school = site.node.home_school().unwrap();
        office::save_teacher(&site.node, &by("李专管员"), &school, None, input).unwrap()
    });
    School {
        clerk: site.signed_in("李专管员", Role::Clerk),
        leader: site.signed_in("周校长", Role::Leader),
        _county: county,
        site,
        persons,
    }
}

fn enter(who: &Browser, kind: &str, fields: &[(&str, &str)]) -> String {
    let new = format!("/records/{kind}/new");
    saved(&who.submit(&new, &new, fields))
}

fn edit(who: &Browser, record: &str, fields: &[(&str, &str)]) {
    let edit = format!("{record}/edit");
    saved(&who.submit(&edit, &edit, fields));
}

fn session(site: &Site, title: &str) -> String {
    let input = SessionInput {
        title: title.into(),
        date: "2025-10-22".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 100,
        ..SessionInput::default()
    };
    let school = site.node.home_school().unwrap();
    office::save_session(&site.node, &by("李专管员"), &school, None, input).unwrap()
}

fn step(who: &Browser, record: &str, to: &str) -> Page {
    who.submit(record, &format!("{record}/step"), &[("to", to)])
}

fn id(record: &str) -> &str {
    record.rsplit('/').next().unwrap()
}

/// B06, D07, E20: 师徒结对 is signed by both, does something, and is assessed.
#[test]
fn a_pair_is_signed_by_both_does_something_and_is_assessed() {
    let s = school();
    let [mentor, mentee, _] = &s.persons;
    let whole = [
        ("mentor", mentor.as_str()),
        ("mentee", mentee),
        ("pair_kind", "novice"),
        ("direction", "both_ways"),
        ("areas", "teaching"),
        ("areas", "homeroom"),
        ("areas", "ict"),
        ("from", "2025-9-1"),
        ("topic", "分数的意义怎样教"),
    ];
    let pair = enter(&s.clerk, "pairing", &whole);
    s.clerk
        .get(&pair)
        .has("教学、班主任、信息技术")
        .has("双向")
        .has("新教师结对");
    step(&s.clerk, &pair, "signed").has("师傅签字").has("徒弟签字");
    let sign = format!("/sign/{}", id(&pair));
    for (role, person) in [("mentor", mentor), ("mentee", mentee)] {
        s.clerk.get("/records/pairing?state=draft").has("王𬭊");
        let on = format!("on-{role}");
        let fields = [
            ("role", role),
            ("person", person),
            ("hand", "paper"),
            (&on, "2025-09-03"),
        ];
        s.clerk.submit(&sign, &sign, &fields).has("已签字");
    }
    // With the second signature it is signed.
    s.clerk.get("/records/pairing?state=draft").lacks("王𬭊");
    saved(&step(&s.clerk, &pair, "running"));
    // 考核 wants a review, a grade and at least one act, and is the leader's.
    step(&s.leader, &pair, "assessed")
        .has("还没有填“期末评语”")
        .has("至少一次带教活动");
    let act = [
        ("pairing", id(&pair)),
        ("date", "2025-10-09"),
        ("act", "listen_mentee"),
        ("topic", "听课《分数的意义》"),
    ];
    enter(&s.clerk, "pair_act", &act);
    let more = [("term_review", "进步明显"), ("grade", "excellent")];
    edit(&s.clerk, &pair, &[&whole[..], &more].concat());
    step(&s.clerk, &pair, "assessed").has("由校长、分管领导来做");
    saved(&step(&s.leader, &pair, "assessed"));
    s.leader.get(&pair).has("已考核").has("听课《分数的意义》");
    // Both sides see it on the card (F1).
    s.clerk
        .get(&format!("/print/card/{mentor}"))
        .has("师傅")
        .has("王𬭊");
    s.clerk
        .get(&format!("/print/card/{mentee}"))
        .has("徒弟")
        .has("欧阳㙇");
}

/// D08: 常规检查, its findings are put right and looked at again.
#[test]
fn what_an_inspection_finds_is_put_right_and_looked_at_again() {
    let s = school();
    let whole = [
        ("inspection_kind", "routine"),
        ("object", "新教师备课、作业批改"),
        ("person", s.persons[2].as_str()),
        ("date", "2025-10-20"),
        ("inspector", "教导处 王𬭊"),
        ("has_plan", "1"),
    ];
    let inspection = enter(&s.clerk, "inspection", &whole);
    let found = [
        ("inspection", id(&inspection)),
        ("text", "教案缺少反思"),
        ("due", "2025-11-03"),
    ];
    let finding = enter(&s.clerk, "finding", &found);
    step(&s.clerk, &finding, "fixed").has("还没有填“整改措施”");
    let done = [("measure", "补写三篇反思"), ("fixed_on", "2025-11-01")];
    edit(&s.clerk, &finding, &[&found[..], &done].concat());
    saved(&step(&s.clerk, &finding, "fixed"));
    step(&s.clerk, &finding, "rechecked").has("由校长、分管领导来做");
    saved(&step(&s.leader, &finding, "rechecked"));
    s.clerk.get(&inspection).has("教案缺少反思").has("复查通过");
    s.clerk.get("/records/inspection?q=石磊").has("新教师备课");
}

/// C17: no grade of a trip before 出勤、记录、心得 are handed in.
#[test]
fn a_trip_gets_no_grade_before_its_papers_are_handed_in() {
    let s = school();
    let session = session(&s.site, "跟岗学习汇报");
    let whole = [
        ("person", s.persons[0].as_str()),
        ("project", "省骨干教师跟岗学习"),
        ("place", "省城"),
        ("from", "2025-10-08"),
        ("to", "2025-10-12"),
        ("cover", "王𬭊代第3节"),
        ("report_back", session.as_str()),
        ("grade", "excellent"),
        ("attendance_given", "1"),
        ("record_given", "1"),
    ];
    let trip = enter(&s.clerk, "trip", &whole);
    saved(&step(&s.leader, &trip, "dispatched"));
    saved(&step(&s.clerk, &trip, "returned"));
    saved(&step(&s.clerk, &trip, "reported"));
    step(&s.leader, &trip, "assessed").has("还没有填“已交心得”");
    edit(
        &s.clerk,
        &trip,
        &[&whole[..], &[("reflection_given", "1")]].concat(),
    );
    saved(&step(&s.leader, &trip, "assessed"));
}

/// E16–E18, E21: platforms, the three tiers, the grade of a studio, the pools with their batches.
#[test]
fn a_studio_has_its_tiers_its_grade_and_the_pools_their_batches() {
    let s = school();
    let whole = [
        ("name", "㙇老师数学工作室"),
        ("group_kind", "studio"),
        ("from", "2025-09-01"),
        ("grade", "qualified"),
        ("graded_on", "2026-06-30"),
    ];
    let studio = enter(&s.clerk, "group", &whole);
    for (person, role) in s.persons.iter().zip(["host", "core", "developing"]) {
        let fields = [
            ("group", id(&studio)),
            ("person", person),
            ("member_role", role),
            ("from", "2025-09-01"),
        ];
        enter(&s.clerk, "group_member", &fields);
    }
    s.clerk
        .get(&studio)
        .has("主持人")
        .has("核心成员")
        .has("发展对象")
        .has("合格");
    let mut better = whole;
    better[3].1 = "model";
    edit(&s.clerk, &studio, &better);
    // The climb stays readable: what it was, and who changed it.
    s.clerk.get(&studio).has("<del>合格</del>").has("<ins>示范</ins>");
    let pool = enter(
        &s.clerk,
        "group",
        &[
            ("name", "人才库"),
            ("group_kind", "pool_potential"),
            ("from", "2025-09-01"),
        ],
    );
    let member = [
        ("group", id(&pool)),
        ("person", &s.persons[1]),
        ("member_role", "developing"),
        ("level", "school"),
        ("batch", "２"),
        ("from", "2025-09-01"),
    ];
    let member = enter(&s.clerk, "group_member", &member);
    s.clerk.get(&member).has("第几批").has("校级骨干");
    s.clerk
        .get("/records/group?q=人才库")
        .has("人才库</a>")
        .lacks("工作室");
}

/// E03, E06, E08, E10: recommended, looked into, recognised; a rung is found by its state.
#[test]
fn an_honour_goes_from_the_school_to_the_certificate() {
    let s = school();
    let whole = [
        ("person", s.persons[0].as_str()),
        ("honour_kind", "chief_teacher"),
        ("level", "county"),
        ("from", "2025-09-10"),
        ("benefits", "每年外出学习一次、参加校务会"),
    ];
    let honour = enter(&s.clerk, "honour", &whole);
    step(&s.clerk, &honour, "reviewed").has("还没有填“评议意见”");
    let review = [("review", "小组评议：全票")];
    edit(&s.clerk, &honour, &[&whole[..], &review].concat());
    saved(&step(&s.clerk, &honour, "reviewed"));
    step(&s.clerk, &honour, "recognised").has("还没有填“授予单位”");
    let issued = [("issuer", "云岭县教育局"), ("number", "云教证〔2025〕8号")];
    edit(&s.clerk, &honour, &[&whole[..], &review, &issued].concat());
    saved(&step(&s.clerk, &honour, "recognised"));
    s.clerk
        .get("/records/honour?state=recognised")
        .has("首席教师")
        .has("欧阳㙇");
    s.clerk.get("/records/honour?state=nominated").lacks("欧阳㙇");
    // Taken away only by the leader, with a reason.
    step(&s.clerk, &honour, "revoked").has("由校长、分管领导来做");
    let revoke = [("to", "revoked"), ("reason", "")];
    s.leader
        .submit(&honour, &format!("{honour}/step"), &revoke)
        .lacks("已保存在本机");
    // The ladder begins with a lower rung that is entered as it stands on paper.
    let rung = [
        ("person", s.persons[1].as_str()),
        ("honour_kind", "good_lesson"),
        ("level", "central_school"),
        ("from", "2025-03-10"),
        ("issuer", "中心校"),
        ("state", "recognised"),
    ];
    enter(&s.clerk, "honour", &rung);
    s.clerk.get("/records/honour").has("优秀课教师").has("首席教师");
}

/// A12: 立项 → 研究 → 结题, a 子课题 under its 课题.
#[test]
fn a_project_is_closed_with_its_result_and_names_its_parts() {
    let s = school();
    let fields = |title: &'static str| {
        [
            ("title", title),
            ("leader", s.persons[0].as_str()),
            ("level", "county"),
            ("from", "2024-09-01"),
        ]
    };
    let project = enter(&s.clerk, "research_project", &fields("小学数学错题资源化研究"));
    let part = [("parent", id(&project))];
    enter(
        &s.clerk,
        "research_project",
        &[&fields("错题本的使用")[..], &part].concat(),
    );
    s.clerk.get(&project).has("错题本的使用").has("已立项");
    saved(&step(&s.clerk, &project, "running"));
    step(&s.clerk, &project, "closed").has("还没有填“结题成果”");
    let end = [("to", "2026-06-30"), ("result", "论文两篇、案例集一册")];
    edit(
        &s.clerk,
        &project,
        &[&fields("小学数学错题资源化研究")[..], &end].concat(),
    );
    saved(&step(&s.clerk, &project, "closed"));
    s.clerk.get("/records/research_project?q=欧阳㙇").has("已结题");
}

/// E12, B03, A09, D15: a tutor's duty without a pupil's name; the notes of one teacher.
#[test]
fn a_tutor_has_a_duty_and_a_teacher_has_notes() {
    let s = school();
    let whole = [
        ("person", s.persons[1].as_str()),
        ("class_label", "五（2）班第三组"),
        ("pupils", "８"),
        ("from", "2025-09-01"),
    ];
    let duty = enter(&s.clerk, "tutor_duty", &whole);
    step(&s.clerk, &duty, "ended").has("还没有填“期末小结”");
    let end = [("to", "2026-01-20"), ("review", "谈心二十次，家访八户")];
    edit(&s.clerk, &duty, &[&whole[..], &end].concat());
    saved(&step(&s.clerk, &duty, "ended"));
    for (month, title) in [
        ("2025-09-20", "《给教师的建议》"),
        ("2025-10-20", "《陶行知文集》"),
    ] {
        let note = [
            ("person", s.persons[1].as_str()),
            ("note_kind", "reading"),
            ("date", month),
            ("title", title),
            ("time", "19:30–20:30"),
            ("gain", "备课要备学生"),
        ];
        enter(&s.clerk, "study_note", &note);
    }
    s.clerk
        .get("/records/study_note?q=王𬭊")
        .has("《给教师的建议》")
        .has("2025-10-20");
    s.clerk
        .get("/records/study_note?q=石磊")
        .lacks("《给教师的建议》");
}

/// C52, D12, E05: a contest with entrants, scores and prizes.
#[test]
fn a_contest_lists_who_entered_with_score_and_prize() {
    let s = school();
    let contest = [
        ("title", "三笔书法比赛"),
        ("contest_kind", "handwriting"),
        ("level", "school"),
        ("date", "2025-11-05"),
    ];
    let contest = enter(&s.clerk, "contest", &contest);
    for (person, score, prize) in [(0, "９２.5", "first"), (1, "88", "second")] {
        let entry = [
            ("contest", id(&contest)),
            ("person", &s.persons[person]),
            ("title", "硬笔作品"),
            ("date", "2025-11-05"),
            ("score_c", score),
            ("prize", prize),
        ];
        enter(&s.clerk, "contest_entry", &entry);
    }
    let page = s.clerk.get(&contest);
    page.has("欧阳㙇").has("王𬭊").lacks("石磊");
    s.clerk.get("/records/contest_entry?q=欧阳㙇").has("硬笔作品");
}

/// E01, C50: steps of a programme; a question that feeds a theme.
#[test]
fn a_programme_has_steps_and_a_theme_the_questions_that_fed_it() {
    let s = school();
    let programme = [("title", "三名工程"), ("from", "2025-09-01")];
    let programme = enter(&s.clerk, "programme", &programme);
    step(&s.clerk, &programme, "done").has("至少一步已完成");
    for (no, title, done) in [
        ("1", "理清思路", true),
        ("2", "搭建平台", true),
        ("3", "科学选拔", false),
    ] {
        let fields = [
            ("programme", id(&programme)),
            ("no", no),
            ("title", title),
            ("due", "2026-01-20"),
        ];
        let one = enter(&s.clerk, "programme_step", &fields);
        if done {
            edit(
                &s.clerk,
                &one,
                &[&fields[..], &[("done_on", "2025-12-20")]].concat(),
            );
            saved(&step(&s.clerk, &one, "done"));
        }
    }
    s.clerk.get(&programme).has("理清思路").has("未完成");
    s.clerk
        .get("/records/programme_step?state=done")
        .has("搭建平台")
        .lacks("科学选拔");

    let question = |title: &'static str, layer: &'static str| {
        [("title", title), ("layer", layer), ("date", "2025-09-12")]
    };
    let theme = enter(&s.clerk, "question", &question("怎样读懂学生的错误", "school"));
    let feeds = [("feeds", id(&theme)), ("person", &s.persons[1])];
    enter(
        &s.clerk,
        "question",
        &[&question("分数总是算错怎么办", "teacher")[..], &feeds].concat(),
    );
    s.clerk.get(&theme).has("分数总是算错怎么办");
}

/// A05, D10: the county's catalogue; a session names its course.
#[test]
fn a_course_of_the_countys_catalogue_is_named_by_a_session() {
    let county = Site::county(true);
    let school = county.enrol_school(SCHOOL);
    let admin = county.signed_in("县管理员", Role::Admin);
    let course = enter(
        &admin,
        "course",
        &[
            ("title", "教师职业理想与道德"),
            ("code", "a"),
            ("family", "core_values"),
            ("block", "ethics"),
            ("hours_c", "6"),
            ("state", "draft"),
        ],
    );
    saved(&step(&admin, &course, "published"));
    // Who keeps the registry reads what is the county's own, and nothing that says something about persons.
    admin.get("/records/course").has("教师职业理想与道德");
    for kind in ["same_person", "bulletin", "lesson"] {
        admin.get(&format!("/records/{kind}")).is(403);
    }
    let clerk = school.signed_in("李专管员", Role::Clerk);
    until(&clerk, "/records/course", "教师职业理想与道德");
    // What the county keeps, no school enters.
    clerk.get("/records/course/new").is(403);
    let session = format!("/records/session/{}", session(&school, "师德专题"));
    let page = clerk.get(&format!("{session}/edit"));
    page.has("教师职业理想与道德");
    let whole = [
        ("title", "师德专题"),
        ("date", "2025-10-22"),
        ("host", &school.node.home_school().unwrap()),
        ("form", "school_based"),
        ("category", "ethics_literacy"),
        ("channel", "school"),
        ("hours_c", "2"),
        ("course", id(&course)),
    ];
    edit(&clerk, &session, &whole);
    clerk.get(&session).has("教师职业理想与道德");
}

/// D09, D13: cohorts by sex, year of birth and service.
#[test]
fn the_roster_shows_a_cohort() {
    let s = school();
    let young = s.clerk.get("/roster?born_from=1990&service=3");
    young.has("王𬭊").has("石磊").lacks("欧阳㙇").has("2 人");
    s.clerk
        .get("/roster?sex=2&born_to=２０００")
        .has("王𬭊")
        .lacks("石磊");
    s.clerk.get("/roster?born_from=abc").has("没有找到");
}

/// A02, A04, A17, B12: what was held between two days, by form, method and group, and the hours of each person.
#[test]
fn what_was_held_is_counted_between_two_days() {
    let s = school();
    let host = s.site.node.home_school().unwrap();
    let group = [
        ("name", "数学教研组"),
        ("group_kind", "research"),
        ("from", "2025-09-01"),
    ];
    let group = enter(&s.clerk, "group", &group);
    for (title, day, present) in [
        ("研课", "2025-10-22", 2),
        ("磨课", "2025-11-05", 1),
        ("来年", "2026-03-01", 3),
    ] {
        let session = session(&s.site, title);
        let record = format!("/records/session/{session}");
        let whole = [
            ("title", title),
            ("date", day),
            ("host", host.as_str()),
            ("form", "school_based"),
            ("category", "practice"),
            ("channel", "school"),
            ("hours_c", "1.5"),
            ("methods", "case"),
            ("methods", "discussion"),
            ("group", id(&group)),
        ];
        edit(&s.clerk, &record, &whole);
        let marks: Vec<(String, String)> = (0..present)
            .map(|n| (s.persons[n].clone(), "present".to_owned()))
            .collect();
        office::mark_attendance(&s.site.node, &by("李专管员"), &session, &marks).unwrap();
        office::end_session(&s.site.node, &by("李专管员"), &session).unwrap();
    }
    let page = s.clerk.get("/statistics?first=2025-9-1&last=２０２６年1月20日");
    // 3 of 3 person-times of 1.5 hours each.
    page.has("已开活动 2 次，3 人次，3.0 学时")
        .has("按研修形式")
        .has("案例式")
        .has("研讨式")
        .has("数学教研组")
        .has("<td class=\"number\" data-label=\"人次学时\">4.5</td>")
        .has("欧阳㙇</th><td class=\"number\">3.0</td>")
        .has("王𬭊</th><td class=\"number\">1.5</td>")
        .lacks("石磊");
    s.clerk
        .get("/statistics?first=昨天")
        .has("id=\"first-error\"")
        .has("value=\"昨天\"");
    s.clerk
        .get("/statistics?first=2026-02-20&last=2026-07-10")
        .has("已开活动 1 次，3 人次");
    s.clerk
        .get("/statistics?first=2026-01-01&last=2025-01-01")
        .has("结束日期早于开始日期");
    s.clerk.get("/sessions").has("href=\"/statistics\"");
}

/// C29, E14, D05: lessons of one topic stand together with how often they were heard; 分散 and 集中 are counted.
#[test]
fn lessons_of_one_topic_stand_together() {
    let s = school();
    let mut lessons = Vec::new();
    for (person, day, mode) in [
        (0, "2025-10-15", "concentrated"),
        (1, "2025-10-16", "concentrated"),
        (2, "2025-11-16", "dispersed"),
    ] {
        let set = if person < 2 { "分数的意义" } else { "" };
        let fields = [
            ("teacher", s.persons[person].as_str()),
            ("date", day),
            ("subject", "数学"),
            ("topic", "分数的意义（一）"),
            ("lesson_kind", "open"),
            ("level", "school"),
            ("mode", mode),
            ("lesson_set", set),
            ("state", "taught"),
        ];
        lessons.push(enter(&s.clerk, "lesson", &fields));
    }
    let sheet = [
        ("lesson", id(&lessons[1])),
        ("observer", &s.persons[0]),
        ("observer_role", "peer"),
        ("date", "2025-10-16"),
    ];
    enter(&s.clerk, "observation", &sheet);
    let page = s.clerk.get("/statistics?first=2025-09-01&last=2026-08-31");
    page.has("分数的意义：欧阳㙇《分数的意义（一）》；王𬭊")
        .has("（听课 1 人次）")
        .has("<li>集中：2</li>")
        .has("<li>分散：1</li>")
        .lacks("石磊《");
}

/// A07, D11: a research cycle tells which of its six steps were not held.
#[test]
fn a_research_cycle_tells_the_steps_that_are_not_held() {
    let s = school();
    let cycle = [
        ("title", "读懂学生的错误"),
        ("series_kind", "research_cycle"),
        ("from", "2025-10-01"),
        ("to", "2025-12-31"),
        ("every", "free"),
        ("form", "mutual_inquiry"),
        ("category", "practice"),
        ("hours_c", "1"),
    ];
    let cycle = enter(&s.clerk, "series", &cycle);
    s.clerk
        .get(&cycle)
        .has("六步中还没开的：定主题、备课说课、呈现、研讨、反思、改进");
    for (title, step) in [("定主题会", "topic"), ("研讨会", "discuss")] {
        let session = session(&s.site, title);
        let whole = [
            ("title", title),
            ("date", "2025-10-22"),
            ("host", &s.site.node.home_school().unwrap()),
            ("form", "school_based"),
            ("category", "practice"),
            ("channel", "school"),
            ("hours_c", "1"),
            ("series", id(&cycle)),
            ("cycle_step", step),
        ];
        edit(&s.clerk, &format!("/records/session/{session}"), &whole);
        if step == "topic" {
            let marks = [(s.persons[0].clone(), "present".to_owned())];
            office::mark_attendance(&s.site.node, &by("李专管员"), &session, &marks).unwrap();
            office::end_session(&s.site.node, &by("李专管员"), &session).unwrap();
        }
    }
    s.clerk
        .get(&cycle)
        .has("六步中还没开的：备课说课、呈现、研讨、反思、改进");
}
