//! S2: one mentor, three schools, six days, no network.

use node::accounts::Role;

use crate::common::*;
use crate::support::*;

const SIGNED: &str = ">双方已签</span>";

/// A school that is visited: its computer and what stands there.
struct Host {
    name: &'static str,
    site: Site,
    clerk: Browser,
    leader: Browser,
    own: String,
    principal: String,
    /// The visit sheet at whoever has it.
    sheet: String,
}

#[test]
fn s2_a_mentor_signs_with_three_schools_in_six_days_and_brings_everything_home() {
    let mut county = Site::county(true);
    county.add_schools(&["石门村小".to_owned()]);
    let names = [QINGSHI, FIRST, "石门村小"];
    let mut mentor = county.enrol_mentor("zj-07", &names);
    let expert = mentor.signed_in("陈专家", Role::Clerk);
    let auditor = county.signed_in("王审核员", Role::Auditor);
    let mut hosts: Vec<Host> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let site = county.enrol_school(name);
            Host {
                name,
                clerk: site.signed_in("李专管员", Role::Clerk),
                leader: site.signed_in("周校长", Role::Leader),
                own: county.school_id(name),
                principal: teacher_since(&site, "周校长", &format!("T{n}01"), "2020-09-01"),
                sheet: String::new(),
                site,
            }
        })
        .collect();
    for host in &hosts {
        until(&host.clerk, "/", "全部已到县");
        until(&expert, "/", host.name);
    }
    // Who leaves for the mountains has no network; nor have the schools, nor is the county to be reached.
    mentor.disconnect();
    for host in &mut hosts {
        host.site.disconnect();
    }
    county.disconnect();

    for (n, host) in hosts.iter_mut().enumerate() {
        let [from, to] = [2 * n + 8, 2 * n + 9].map(|day| format!("2026-06-{day:02}"));
        let title = format!("送教下乡：分数的意义（{}）", host.name);
        hold(&host.clerk, &title, &from);
        host.clerk
            .get("/sessions")
            .has("已保存在本校")
            .lacks("导师已带走");
        host.site.listen();
        mentor.connect(&host.site);
        // The school sees that it is taken along, the mentor that it has come.
        until(&host.clerk, "/sessions", ">导师已带走</span>").lacks(">已到县</span>");
        host.clerk.get("/").lacks("全部已到县");
        until(&expert, &format!("/sessions?school={}", host.own), &title);
        // On the spot: the sheet, both signatures, and only then it counts as signed.
        host.sheet = saved(&expert.submit(
            "/visits/new",
            "/visits/new",
            &[
                ("host", &host.own),
                ("visit_kind", "delivery"),
                ("theme", "《分数的意义》研课磨课"),
                ("from", &from),
                ("to", &to),
                ("lessons", "６"),
                ("summary", "听课六节，逐一评议；反馈课一节。"),
            ],
        ));
        let sign =
            |fields: &[(&str, &str)]| expert.submit(&host.sheet, &format!("{}/sign", host.sheet), fields);
        sign(&[("role", "mentor"), ("on-mentor", &to), ("as-mentor", "expert")])
            .has("已签字，保存在这台笔记本")
            .lacks(SIGNED);
        let theirs = [
            ("role", "school"),
            ("on-school", to.as_str()),
            ("as-school", "principal"),
            ("person-school", &host.principal),
            ("name-school", "周校长"),
        ];
        let by_both = format!("周校长 · 校长 · {to}");
        sign(&theirs).has(SIGNED).has(&by_both);
        // The school has it before the mentor leaves.
        until(&host.clerk, &host.sheet, SIGNED)
            .has("听课六节")
            .has(&by_both);
        host.leader.get(&host.sheet).has(SIGNED).has(&by_both);
        wait("the mentor has all of the school", || {
            counts(&mentor, &host.own) == counts(&host.site, &host.own)
        });
        mentor.disconnect();
        host.site.disconnect();
        // A change after the mentor has left was not taken along.
        hold(&host.clerk, "导师走后的会", &to);
        let list = host.clerk.get("/sessions");
        assert_eq!(
            (badges(&list, "导师已带走"), badges(&list, "已保存在本校")),
            (1, 1)
        );
    }
    // Six days later the county still knows of nothing.
    auditor.get("/visits").lacks("研课磨课");
    auditor.get("/sessions").has("还没有活动");
    expert.get("/").has("批改动还没交给县里");

    county.listen();
    mentor.connect(&county);
    until(&expert, "/", "都已交到县里").lacks("批改动还没交给县里");
    until(&auditor, "/audit", "3 条待审");
    for host in &hosts {
        until(&auditor, &host.sheet, SIGNED).has(host.name);
        assert_eq!(equal(&mentor, &county, &host.own), [1, 1, 1, 1, 0, 1]);
        // At the school nobody can know yet.
        let list = host.clerk.get("/sessions");
        assert_eq!((badges(&list, "导师已带走"), badges(&list, "已到县")), (1, 0));
    }
    assert_eq!(recognise_all(&auditor, "2026-06-20"), 3);

    // The next contact brings the receipts and the decisions, and takes what was entered since.
    for host in &mut hosts {
        host.site.connect(&county);
        until(&host.clerk, "/", "全部已到县");
        let list = host.clerk.get("/sessions");
        assert_eq!((badges(&list, "导师已带走"), badges(&list, "已到县")), (0, 2));
        until(&host.clerk, "/claims", ">县已认定</span>");
        assert_eq!(equal(&host.site, &county, &host.own), [2, 2, 2, 1, 0, 1]);
        host.leader.get(&host.sheet).has(SIGNED);
    }
}
