//! A teacher's own records with their history and a dispute of them; signing; the leaders' quota of lessons heard.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, NewAccount, Role};
use node::office::{self, EntryInput, TeacherInput};
use node::{Filter, Value};
use records::kinds::Actor;
use support::{Browser, PIN, Site, by};

struct School {
    _county: Site,
    site: Site,
    clerk: Browser,
}

fn school() -> School {
    let county = Site::county(false);
    let site = county.enrol_school("青石镇中心小学");
    let clerk = site.signed_in("李专管员", Role::Clerk);
    School {
        _county: county,
        site,
        clerk,
    }
}

impl School {
    fn id(&self) -> String {
        self.site.node.home_school().unwrap()
    }

    fn teacher(&self, name: &str, code: &str, post: &str) -> String {
        let input = TeacherInput {
            name: name.into(),
            teacher_code: code.into(),
            status: "serving".into(),
            post: post.into(),
            from: "2025-09-01".into(),
            ..TeacherInput::default()
        };
        office::save_teacher(&self.site.node, &by("李专管员"), &self.id(), None, input).unwrap()
    }

    /// A browser signed in as this person.
    fn as_person(&self, name: &str, role: Role, person: &str) -> Browser {
        let new = NewAccount {
            name: name.into(),
            role,
            secret: PIN.into(),
            person: Some(person.into()),
        };
        accounts::create(&self.site.node, new, node::now()).unwrap();
        let browser = self.site.browser();
        browser
            .submit("/login", "/login", &[("name", name), ("secret", PIN)])
            .is(200);
        browser
    }

    fn save(&self, kind: &str, id: Option<&str>, values: &[(&str, &str)]) -> String {
        let values = values
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Some(Value::from(*v))));
        let input = EntryInput {
            kind: kind.into(),
            id: id.map(str::to_owned),
            values: values.collect(),
        };
        office::save_entry(&self.site.node, &by("李专管员"), Actor::Clerk, input).unwrap()
    }

    fn lesson(&self, teacher: &str, date: &str) -> String {
        let lesson = [
            ("teacher", teacher),
            ("date", date),
            ("subject", "数学"),
            ("topic", "分数的意义"),
            ("lesson_kind", "walk_in"),
        ];
        self.save("lesson", None, &lesson)
    }

    fn observation(&self, lesson: &str, observer: &str, date: &str) -> String {
        let sheet = [
            ("lesson", lesson),
            ("observer", observer),
            ("observer_role", "leader_teaching"),
            ("date", date),
            ("strengths", "板书清楚"),
            ("debrief_by", "王𬭊"),
            ("debrief_on", date),
            ("debrief_place", "教研室"),
        ];
        self.save("observation", None, &sheet)
    }
}

#[test]
fn a_teacher_sees_the_own_records_with_their_history_and_objects() {
    let s = school();
    let (one, other) = (
        s.teacher("㙇伟", "YL002", "teacher"),
        s.teacher("张三", "YL003", "teacher"),
    );
    let fields = [
        ("title", "第３次研课磨课"),
        ("date", "2025年9月12日"),
        ("form", "school_based"),
        ("category", "practice"),
        ("channel", "school"),
        ("hours_c", "１.５"),
    ];
    let page = s.clerk.submit("/sessions/new", "/sessions/new", &fields);
    let here = page.path.split('?').next().unwrap().to_owned();
    let (first, second) = (format!("m-{one}"), format!("m-{other}"));
    let marks = [(first.as_str(), "absent"), (second.as_str(), "present")];
    s.clerk
        .submit(&here, &format!("{here}/attendance"), &marks)
        .has("考勤已保存");
    s.clerk
        .submit(&here, &format!("{here}/attendance"), &[(first.as_str(), "sick")]);

    let teacher = s.as_person("㙇伟", Role::Teacher, &one);
    teacher.get("/").has("href=\"/mine\"");
    let list = teacher.get("/mine");
    list.has("签到")
        .has("第3次研课磨课 · 病假")
        .has("2025-09-12")
        .lacks("张三");
    let mark = list.links("/mine/attendance/").remove(0);
    let page = teacher.get(&mark);
    page.has("李专管员").has("<del>缺席</del> → <ins>病假</ins>");
    // Somebody else's record is none of this person's.
    let school = s.id();
    let all = s
        .site
        .node
        .records(&Filter::kind("attendance").school(&school))
        .unwrap();
    let foreign = all.iter().find(|r| r.text("person") == other).unwrap();
    teacher.get(&format!("/mine/attendance/{}", foreign.id)).is(404);
    let act = format!("/mine/attendance/{}/dispute", foreign.id);
    teacher
        .submit(&mark, &act, &[("text", "不对"), ("date", "2025-09-15")])
        .lacks("<ins>");
    assert_eq!(s.site.node.count(&Filter::kind("objection")).unwrap(), 0);
    teacher.get("/roster").is(403);

    let act = format!("{mark}/dispute");
    teacher
        .submit(&mark, &act, &[("text", " "), ("date", "2025-09-15")])
        .has("请写明哪里不对");
    let kept = teacher.submit(&mark, &act, &[("text", "我到会了，有签到表"), ("date", "昨天")]);
    kept.has("我到会了，有签到表</textarea>").has("date-error");
    let typed = [("text", "我到会了，有签到表"), ("date", "２０２５年９月１５日")];
    teacher.submit(&mark, &act, &typed).has("我到会了").has("待处理");
    teacher.submit(&mark, &act, &typed).has("你对这条已提出异议");

    let leader = s.site.signed_in("周校长", Role::Leader);
    s.clerk.get("/countersign").is(403);
    let page = leader.get("/countersign");
    page.has("我到会了").has("㙇伟");
    let objection = s.site.node.records(&Filter::kind("objection")).unwrap().remove(0);
    let (act, field) = (
        format!("/countersign/{}", objection.id),
        format!("answer-{}", objection.id),
    );
    leader
        .submit("/countersign", &act, &[(&field, ""), ("to", "upheld")])
        .has("请写处理结果");
    leader
        .submit(
            "/countersign",
            &act,
            &[(&field, "已核对签到表，改为到"), ("to", "upheld")],
        )
        .has("没有待处理的异议");
    teacher.get(&mark).has("成立").has("已核对签到表");
    let own = teacher.get(&format!("/mine/objection/{}", objection.id));
    own.has("周校长").lacks("撤回异议");
}

#[test]
fn an_objection_is_withdrawn_by_who_raised_it_alone() {
    let s = school();
    let (one, other) = (
        s.teacher("㙇伟", "YL002", "teacher"),
        s.teacher("张三", "YL003", "teacher"),
    );
    let lesson = s.lesson(&one, "2025-10-14");
    let mine = s.as_person("㙇伟", Role::Teacher, &one);
    let page = format!("/mine/lesson/{lesson}");
    mine.submit(
        &page,
        &format!("{page}/dispute"),
        &[("text", "课题写错了"), ("date", "2025-10-20")],
    )
    .has("待处理");
    let objection = s
        .site
        .node
        .records(&Filter::kind("objection"))
        .unwrap()
        .remove(0)
        .id;
    let at = format!("/mine/objection/{objection}");
    let stranger = s.as_person("张三", Role::Teacher, &other);
    stranger
        .submit("/mine", &format!("{at}/withdraw"), &[("reason", "算了")])
        .is(404);
    mine.submit(&at, &format!("{at}/withdraw"), &[("reason", "")])
        .has("请写明理由");
    mine.submit(&at, &format!("{at}/withdraw"), &[("reason", "已当面改正")])
        .has("已撤回");
}

#[test]
fn a_lesson_heard_counts_in_its_week_when_both_have_signed_and_no_more_after_an_edit() {
    let s = school();
    let vice = s.teacher("王𬭊", "YL001", "vice_principal");
    let head = s.teacher("周校长", "YL009", "principal");
    let taught = s.teacher("㙇伟", "YL002", "teacher");
    let lesson = s.lesson(&taught, "2025-10-14");
    let sheet = s.observation(&lesson, &vice, "2025-10-14");
    let leader = s.as_person("王𬭊", Role::Leader, &vice);
    let week = "/listening?week=2025-10-15";
    let page = leader.get(week);
    page.has("2025-10-13")
        .has("2025-10-19")
        .has("听课（教学领导）")
        .has("听课（非教学领导）");
    page.has("5–10").has("3–5").lacks("㙇伟");
    page.has("2025-10-14 缺评课、授课教师签字（评课人、时间、地点）、双方评课记录");
    assert_eq!(counted(&s, &vice), 0);

    // The taught teacher confirms and writes the own record; then the observer signs.
    let teacher = s.as_person("㙇伟", Role::Teacher, &taught);
    let at = format!("/mine/observation/{sheet}");
    teacher.get(&at).has("授课教师签字").has("评课人").has("教研室");
    let signed = [
        ("response", "下次多留时间给学生说理"),
        ("signed_on", "2025.10.15"),
    ];
    teacher
        .submit(&at, &format!("{at}/sign"), &signed)
        .has("你已签字");
    assert_eq!(counted(&s, &vice), 0);
    leader.get(week).has("2025-10-14 缺授课教师签字");
    leader
        .submit(&at, &format!("{at}/sign"), &[("signed_on", "2025-10-15")])
        .has("双方已签");
    assert_eq!(counted(&s, &vice), 100);
    assert_eq!(counted(&s, &head), 0);
    leader.get(week).lacks("2025-10-14 缺").has("未达到");
    // The same lesson on a second sheet is the same lesson.
    s.observation(&lesson, &vice, "2025-10-14");
    assert_eq!(counted(&s, &vice), 100);
    // A principal signs nothing that was another's to sign.
    let head_browser = s.as_person("周校长", Role::Leader, &head);
    head_browser.get(&at).is(404);

    // An edit after signing makes the signatures void, and the lesson counts no more.
    s.save("observation", Some(&sheet), &[("advice", "增加板演")]);
    assert_eq!(counted(&s, &vice), 0);
    teacher.get(&at).has("内容已改，失效");
    teacher.submit(&at, &format!("{at}/sign"), &signed);
    leader.submit(&at, &format!("{at}/sign"), &[("signed_on", "2025-10-16")]);
    assert_eq!(counted(&s, &vice), 100);
}

/// What counts in the week of 13 October 2025, in hundredths.
fn counted(s: &School, person: &str) -> i64 {
    let day = |text: &str| records::date::parse_stored_date(text).unwrap();
    let all = office::listening(&s.site.node, &s.id(), day("2025-10-15"), day("2025-12-01")).unwrap();
    let own = all.leaders.iter().find(|x| x.teacher.id == person).unwrap();
    let week = own.weeks.iter().find(|w| w.span.has(day("2025-10-15"))).unwrap();
    week.earned_c
}
