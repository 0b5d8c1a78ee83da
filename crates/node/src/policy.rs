//! Where `records` and `sync` meet: the roles, and the table of documents with their writers and readers
//! (design.md §3). `sync` gets it as data and knows nothing of schools.

use std::fmt;

use sync::authority::{Access, Policy, PolicyRow};
use sync::roll::RoleCode;

/// What a device may be. The numbers stand in signed statements: never reuse one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// 县进修学校: registry and plan; reads all.
    County,
    /// 县级学分审核员: the ledger; reads all.
    Auditor,
    /// A school's PC; scope: the school.
    School,
    /// A visiting mentor's laptop; scope: `mentor/school`.
    Mentor,
    /// A mentor's reading right at a school; scope: the school.
    MentorReader,
    /// Host of a workshop, station or studio; scope: the group.
    Host,
}

impl Role {
    /// All, in the order of their numbers.
    pub const ALL: [Role; 6] = [
        Role::County,
        Role::Auditor,
        Role::School,
        Role::Mentor,
        Role::MentorReader,
        Role::Host,
    ];

    /// The number in statements.
    pub const fn code(self) -> RoleCode {
        match self {
            Role::County => 1,
            Role::Auditor => 2,
            Role::School => 3,
            Role::Mentor => 4,
            Role::MentorReader => 5,
            Role::Host => 6,
        }
    }

    /// The role of a number.
    pub fn of(code: RoleCode) -> Option<Role> {
        Role::ALL.into_iter().find(|r| r.code() == code)
    }

    /// Chinese and English names for people.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Role::County => ("县级管理员", "county office"),
            Role::Auditor => ("县级学分审核员", "county credit auditor"),
            Role::School => ("学校", "school"),
            Role::Mentor => ("送教/送培专家", "visiting mentor"),
            Role::MentorReader => ("送教/送培专家（查阅）", "visiting mentor (reader)"),
            Role::Host => ("坊主/主持人", "group host"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (zh, en) = self.names();
        write!(f, "{zh} ({en})")
    }
}

const ANY: &[usize] = &[];

fn access(role: Role, scope: &'static [usize]) -> Access {
    Access {
        role: role.code(),
        scope,
    }
}

/// The document table of design.md §3.
pub fn document_policy() -> Policy {
    let county = || vec![access(Role::County, ANY), access(Role::Auditor, ANY)];
    let members = || Role::ALL.into_iter().map(|r| access(r, ANY)).collect::<Vec<_>>();
    let school = |at| access(Role::School, at);
    let row = |kind: &'static str, segments: usize, write, read, priority| PolicyRow {
        kind,
        segments,
        // Registry and portfolios have no year; elsewhere it stands last.
        year: (kind != "registry" && kind != "portfolio").then_some(segments - 1),
        write,
        read,
        priority,
    };
    let with = |mut list: Vec<Access>, more: Access| {
        list.push(more);
        list
    };
    let at_school = || with(county(), access(Role::MentorReader, &[1]));
    Policy(vec![
        row("registry", 1, vec![access(Role::County, ANY)], members(), 0),
        row("plan", 2, vec![access(Role::County, ANY)], members(), 0),
        row(
            "ledger",
            3,
            vec![access(Role::Auditor, ANY)],
            with(county(), school(&[1])),
            1,
        ),
        row("base", 3, vec![school(&[1])], at_school(), 2),
        row("log", 3, vec![school(&[1])], at_school(), 2),
        row("portfolio", 3, vec![school(&[1])], county(), 3),
        row(
            "visits",
            4,
            vec![access(Role::Mentor, &[1, 2])],
            with(county(), school(&[2])),
            2,
        ),
        row("group", 3, vec![access(Role::Host, &[1])], members(), 3),
    ])
}

/// The school and school year that a document key names, for views.
pub fn school_and_year(key: &sync::DocKey) -> (Option<String>, Option<i32>) {
    let segment = |i| key.segment(i).map(str::to_string);
    let year = |i| key.segment(i).and_then(|y| y.parse().ok());
    match key.segment(0) {
        Some("base" | "log" | "ledger") => (segment(1), year(2)),
        Some("portfolio") => (segment(1), None),
        Some("visits") => (segment(2), year(3)),
        Some("plan") => (None, year(1)),
        Some("group") => (None, year(2)),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_numbers_are_unique() {
        for role in Role::ALL {
            assert_eq!(Role::of(role.code()), Some(role));
        }
    }

    /// A store looks only under these beginnings: a key that may be read and is not there would never be sent.
    #[test]
    fn what_may_be_read_lies_under_the_prefixes_and_little_else() {
        use sync::authority::{may_read, prefixes};
        use sync::roll::{Body, Statement};
        use sync::{DeviceKey, DocKey, Roll};

        let (policy, root) = (document_policy(), DeviceKey::from_seed([0; 32]));
        let keys: Vec<DocKey> = ["registry", "plan/2025", "group/g/2025", "group/h/2025"]
            .into_iter()
            .map(str::to_string)
            .chain(["a", "ab", "b"].into_iter().flat_map(|s| {
                ["base", "log", "ledger", "portfolio"]
                    .map(|kind| format!("{kind}/{s}/2025"))
                    .into_iter()
                    .chain(["m", "n"].map(|m| format!("visits/{m}/{s}/2025")))
            }))
            .map(|k| DocKey::parse(&k).unwrap())
            .collect();
        let cases: [&[(Role, &str)]; 9] = [
            &[(Role::County, "")],
            &[(Role::Auditor, "")],
            &[(Role::School, "a")],
            &[(Role::School, "a"), (Role::Auditor, "")],
            &[(Role::Mentor, "m/a"), (Role::Mentor, "m/b")],
            &[(Role::Mentor, "m/a"), (Role::MentorReader, "a")],
            &[(Role::Host, "g")],
            &[(Role::School, ""), (Role::Mentor, "m"), (Role::School, "a/2025")],
            &[],
        ];
        for grants in cases {
            let device = DeviceKey::from_seed([9; 32]).id();
            let mut roll = Roll::new(root.id());
            roll.add_all(grants.iter().enumerate().map(|(i, (role, scope))| {
                let body = Body::Grant {
                    device,
                    role: role.code(),
                    scope: scope.to_string(),
                    label: String::new(),
                };
                Statement::sign(root.id(), &root, i as u64, body)
            }));
            let under = prefixes(&policy, &roll, &device);
            let is_under = |k: &DocKey| under.iter().any(|p| k.as_str().starts_with(p.as_str()));
            for k in &keys {
                assert!(
                    !may_read(&policy, &roll, &device, k) || is_under(k),
                    "{grants:?} {k}"
                );
            }
            for (i, p) in under.iter().enumerate() {
                assert!(
                    under
                        .iter()
                        .skip(i + 1)
                        .all(|q| q > p && !q.starts_with(p.as_str()))
                );
            }
            if grants == [(Role::School, "a")] {
                assert_eq!(
                    under,
                    [
                        "base/a/",
                        "group/",
                        "ledger/a/",
                        "log/a/",
                        "plan/",
                        "portfolio/a/",
                        "registry",
                        "visits/"
                    ]
                );
            }
            roll.add(Statement::sign(root.id(), &root, 99, Body::Revoke { device }));
            assert!(prefixes(&policy, &roll, &device).is_empty());
        }
    }

    #[test]
    fn every_document_has_a_writer_and_the_county_reads_it() {
        for row in document_policy().0 {
            assert!(!row.write.is_empty(), "{}", row.kind);
            let readers: Vec<_> = row.write.iter().chain(&row.read).map(|a| a.role).collect();
            assert!(readers.contains(&Role::County.code()), "{}", row.kind);
        }
    }
}
