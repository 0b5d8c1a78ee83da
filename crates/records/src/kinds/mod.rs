//! Kinds: the schemas of records, as data.
//!
//! A file says which document holds the records, which fields there are, which of them decide what the record is
//! worth (`counts`), and the states with their steps. A field named [`BINDS`] is filled by the program.
//!
//! One TOML file per kind and version (`kinds/session.1.toml`); a version never changes once it is
//! out, a new wish is a new version. Nothing in this crate knows a kind by its name, so a county can
//! ship kinds of its own as further files ([`Kinds::with`]).

mod check;
mod personal;
mod schema;
mod sound;
mod states;
mod typed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

pub use check::FieldError;
pub use personal::{Personal, find_personal};
pub use schema::{
    Actor, Code, Elsewhere, Field, FieldType, Format, Kind, KindsError, Move, Need, Problem, States, View,
};
pub use states::{Related, Scene, Standing, Step};

use crate::lang::Lang;

/// Field names that every record may have besides those of its kind: `_kind` ("session/1"), `_by`
/// (label of the local account that typed it) and `_for` (id of the teacher it was typed for).
pub const RESERVED: [&str; 3] = ["_kind", "_by", "_for"];

macro_rules! files {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../../kinds/", $file)))),*]
    };
}

/// A field of this name takes the digest of the record that `about` names, as it was when this one was written
/// (a signature, the county's word). Nobody types it.
pub const BINDS: &str = "binds";

const BUILTIN: [(&str, &str); 81] = files![
    "assessment.1.toml",
    "attendance.1.toml",
    "attendance.2.toml",
    "bulletin.1.toml",
    "bulletin_read.1.toml",
    "bulletin_schedule.1.toml",
    "carried_credit.1.toml",
    "claim.1.toml",
    "contest.1.toml",
    "contest_entry.1.toml",
    "correction.1.toml",
    "course.1.toml",
    "credit_statement.1.toml",
    "decision.1.toml",
    "enrolment.1.toml",
    "enrolment.2.toml",
    "evidence.1.toml",
    "evidence.2.toml",
    "evidence.3.toml",
    "filing_decision.1.toml",
    "filing_package.1.toml",
    "finding.1.toml",
    "group.1.toml",
    "group.2.toml",
    "group_member.1.toml",
    "group_member.2.toml",
    "honour.1.toml",
    "inspection.1.toml",
    "lesson.1.toml",
    "lesson.2.toml",
    "notice.1.toml",
    "objection.1.toml",
    "observation.1.toml",
    "opening_balance.1.toml",
    "organisation.1.toml",
    "outside_hours.1.toml",
    "pair_act.1.toml",
    "pairing.1.toml",
    "person.1.toml",
    "person.2.toml",
    "personal_plan.1.toml",
    "personal_plan.2.toml",
    "programme.1.toml",
    "programme_step.1.toml",
    "published.1.toml",
    "question.1.toml",
    "research_project.1.toml",
    "same_person.1.toml",
    "series.1.toml",
    "series.2.toml",
    "session.1.toml",
    "session.2.toml",
    "session.3.toml",
    "session_part.1.toml",
    "settlement.1.toml",
    "signature.1.toml",
    "staff_fact.1.toml",
    "staff_fact.2.toml",
    "study_note.1.toml",
    "survey.1.toml",
    "training_group.1.toml",
    "training_group.2.toml",
    "transfer_accept.1.toml",
    "transfer_order.1.toml",
    "transfer_release.1.toml",
    "trip.1.toml",
    "tutor_duty.1.toml",
    "unlisted.1.toml",
    "unmet_need.1.toml",
    "visit.1.toml",
    "visit.2.toml",
    "visit_day.1.toml",
    "visit_member.1.toml",
    "visit_observation.1.toml",
    "visit_plan.1.toml",
    "visit_signature.1.toml",
    "visit_signature.2.toml",
    "visit_task.1.toml",
    "waiver.1.toml",
    "year_close.1.toml",
    "year_statement.1.toml",
];

/// Versions below this are the program's; those that a county publishes of the program's kinds begin here, so
/// that no later program can bring another content under the same name.
pub const COUNTY_VERSIONS: u32 = 100;

/// Ids of a county's own kinds begin with this, for the same reason.
pub const COUNTY_PREFIX: &str = "c_";

/// The file of one of the program's kinds, such as "lesson/1": a county begins with it to change the form.
pub fn builtin_text(reference: &str) -> Option<&'static str> {
    let file = format!("{}.toml", reference.replace('/', "."));
    BUILTIN
        .iter()
        .find(|(name, _)| *name == file)
        .map(|(_, text)| *text)
}

/// All kinds that a node knows, by id and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    kinds: BTreeMap<(String, u32), Kind>,
    /// Read, and written no more.
    retired: BTreeSet<(String, u32)>,
}

impl Kinds {
    /// The kinds that the program brings along.
    pub fn builtin() -> &'static Kinds {
        static KINDS: OnceLock<Kinds> = OnceLock::new();
        KINDS.get_or_init(|| {
            Kinds::parse(BUILTIN).expect("embedded at build time and read by every test of this module")
        })
    }

    /// Reads kinds from TOML texts with their file names (for messages) and checks each and all together.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Kinds, KindsError> {
        Kinds::default().with(files)
    }

    /// These kinds and further ones. A known kind and version may come again only with the same content.
    pub fn with<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Kinds, KindsError> {
        let mut kinds = self.kinds.clone();
        for (file, text) in files {
            let kind = Kind::parse(file, text)?;
            let key = (kind.id.clone(), kind.version);
            if kinds.get(&key).is_some_and(|known| *known != kind) {
                return Err(KindsError::Changed {
                    kind: kind.reference(),
                });
            }
            kinds.insert(key, kind);
        }
        let kinds = Kinds {
            kinds,
            retired: self.retired.clone(),
        };
        for kind in kinds.iter() {
            for (field, target) in kind.targets() {
                if target != "*" && !kinds.has(target) {
                    return Err(KindsError::UnknownTarget {
                        kind: kind.reference(),
                        field: field.to_owned(),
                        target: target.to_owned(),
                    });
                }
            }
        }
        Ok(kinds)
    }

    /// These kinds and one that the county publishes: it takes no name of the program's, and a new version of
    /// a kind that pages of the program write keeps what they write.
    pub fn with_published(&self, file: &str, text: &str) -> Result<Kinds, KindsError> {
        let kind = Kind::parse(file, text)?;
        let wrong = |zh, en| {
            Err(KindsError::Kind {
                kind: kind.reference(),
                problem: Problem { zh, en },
            })
        };
        let of_program = Kinds::builtin().latest(&kind.id);
        if of_program.is_some() && kind.version < COUNTY_VERSIONS {
            return wrong(
                "这是程序自带的表单；县里改它，version 从 100 起",
                "this is a kind of the program; the county's versions of it begin at 100",
            );
        }
        if of_program.is_none() && !kind.id.starts_with(COUNTY_PREFIX) {
            return wrong(
                "县里自己的表单，id 以 c_ 开头，如 c_book_report",
                "the id of a county's own kind begins with c_, such as c_book_report",
            );
        }
        if let Some(before) = of_program {
            if before.document != kind.document || before.writers != kind.writers || before.view != kind.view
            {
                return wrong(
                    "document、writers 和 [view] 要与程序自带的版本一样",
                    "document, writers and view must be those of the program's version",
                );
            }
            for field in &before.fields {
                let kept = kind.field(&field.id).is_some_and(|now| {
                    now.field_type == field.field_type
                        && now.ref_kind == field.ref_kind
                        && field.codes.iter().all(|code| now.code(&code.id).is_some())
                });
                if !kept {
                    return Err(kind.field_error(
                        field,
                        "程序自带的栏目和选项不能删、不能改类型；只能改名称，或加新的",
                        "fields and codes of the program's version stay; labels may change and others be added",
                    ));
                }
            }
            let more = kind
                .fields
                .iter()
                .find(|f| f.required && before.field(&f.id).is_none_or(|b| !b.required));
            if let Some(field) = more {
                return Err(kind.field_error(
                    field,
                    "加的栏目不能设为必填：原有的页面不填它",
                    "must not be required: the pages that are there do not fill it",
                ));
            }
        }
        self.with([(file, text)])
    }

    /// The kind that a record names in `_kind`, for example "session/1".
    pub fn get(&self, reference: &str) -> Option<&Kind> {
        let (id, version) = split_reference(reference)?;
        self.kinds.get(&(id.to_owned(), version))
    }

    /// The newest version of a kind: the one that new records are written in.
    pub fn latest(&self, id: &str) -> Option<&Kind> {
        self.kinds
            .range((id.to_owned(), 0)..=(id.to_owned(), u32::MAX))
            .rfind(|(name, _)| !self.retired.contains(*name))
            .map(|(_, kind)| kind)
    }

    /// Whether any version of a kind is known.
    pub fn has(&self, id: &str) -> bool {
        let mut versions = self.kinds.range((id.to_owned(), 0)..=(id.to_owned(), u32::MAX));
        versions.next().is_some()
    }

    /// From now on no new records are written in this version; those that are there are read.
    pub fn retire(&mut self, reference: &str) {
        if let Some((id, version)) = split_reference(reference) {
            self.retired.insert((id.to_owned(), version));
        }
    }

    /// The newest version of each kind, by id.
    pub fn newest(&self) -> impl Iterator<Item = &Kind> {
        self.iter().filter(|kind| {
            self.latest(&kind.id)
                .is_some_and(|latest| latest.version == kind.version)
        })
    }

    /// All kinds, by id and version.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }

    /// Label of a code in the newest version of a kind; the code itself when it is unknown.
    pub fn code_label<'a>(&'a self, kind: &str, field: &str, code: &'a str, lang: Lang) -> &'a str {
        self.latest(kind)
            .map_or(code, |kind| kind.code_label(field, code, lang))
    }
}

/// Splits "session/1" into id and version.
pub fn split_reference(reference: &str) -> Option<(&str, u32)> {
    let (id, version) = reference.split_once('/')?;
    let plain =
        !id.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) && !version.starts_with('0');
    plain
        .then(|| version.parse().ok().map(|version| (id, version)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_there() {
        let kinds = Kinds::builtin();
        let ids: Vec<String> = kinds.iter().map(Kind::reference).collect();
        assert_eq!(
            ids,
            [
                "assessment/1",
                "attendance/1",
                "attendance/2",
                "bulletin/1",
                "bulletin_read/1",
                "bulletin_schedule/1",
                "carried_credit/1",
                "claim/1",
                "contest/1",
                "contest_entry/1",
                "correction/1",
                "course/1",
                "credit_statement/1",
                "decision/1",
                "enrolment/1",
                "enrolment/2",
                "evidence/1",
                "evidence/2",
                "evidence/3",
                "filing_decision/1",
                "filing_package/1",
                "finding/1",
                "group/1",
                "group/2",
                "group_member/1",
                "group_member/2",
                "honour/1",
                "inspection/1",
                "lesson/1",
                "lesson/2",
                "notice/1",
                "objection/1",
                "observation/1",
                "opening_balance/1",
                "organisation/1",
                "outside_hours/1",
                "pair_act/1",
                "pairing/1",
                "person/1",
                "person/2",
                "personal_plan/1",
                "personal_plan/2",
                "programme/1",
                "programme_step/1",
                "published/1",
                "question/1",
                "research_project/1",
                "same_person/1",
                "series/1",
                "series/2",
                "session/1",
                "session/2",
                "session/3",
                "session_part/1",
                "settlement/1",
                "signature/1",
                "staff_fact/1",
                "staff_fact/2",
                "study_note/1",
                "survey/1",
                "training_group/1",
                "training_group/2",
                "transfer_accept/1",
                "transfer_order/1",
                "transfer_release/1",
                "trip/1",
                "tutor_duty/1",
                "unlisted/1",
                "unmet_need/1",
                "visit/1",
                "visit/2",
                "visit_day/1",
                "visit_member/1",
                "visit_observation/1",
                "visit_plan/1",
                "visit_signature/1",
                "visit_signature/2",
                "visit_task/1",
                "waiver/1",
                "year_close/1",
                "year_statement/1",
            ]
        );
        for (file, _) in BUILTIN {
            let kind = kinds.get(&file.replace(".toml", "").replace('.', "/")).unwrap();
            assert_eq!(file, format!("{}.{}.toml", kind.id, kind.version));
        }
        assert_eq!(kinds.get("session/1").unwrap().label(Lang::Zh), "研修活动");
        assert_eq!(
            kinds.code_label("attendance", "status", "on_duty", Lang::Zh),
            "公假"
        );
        assert_eq!(kinds.code_label("attendance", "status", "gone", Lang::Zh), "gone");
        assert_eq!(
            kinds.code_label("decision", "verdict", "reduced", Lang::Zh),
            "核减"
        );
    }

    #[test]
    fn view_columns_are_data() {
        let view = |kind: &str| {
            let view = &Kinds::builtin().latest(kind).unwrap().view;
            (
                view.person.as_deref(),
                view.about.as_deref(),
                view.date.as_deref(),
            )
        };
        assert_eq!(view("attendance"), (Some("person"), Some("session"), None));
        assert_eq!(
            view("claim"),
            (Some("person"), Some("session"), Some("claimed_on"))
        );
        assert_eq!(view("decision"), (None, Some("claim"), Some("decided_on")));
        assert_eq!(view("evidence"), (Some("person"), Some("about"), Some("date")));
        assert_eq!(view("staff_fact"), (Some("person"), Some("person"), Some("from")));
        assert_eq!(view("session"), (None, None, Some("date")));
    }

    #[test]
    fn references_are_strict() {
        assert_eq!(split_reference("session/12"), Some(("session", 12)));
        for bad in [
            "session",
            "session/",
            "/1",
            "session/x",
            "session/01",
            "session/0",
            "session/+1",
            "session/99999999999",
        ] {
            assert_eq!(split_reference(bad), None, "{bad}");
        }
        assert!(Kinds::builtin().get("session/4").is_none());
    }

    #[test]
    fn a_county_ships_its_own_kind_and_versions_stay_as_they_are() {
        let own = "id='c_outing'\nversion=1\nzh='外出培训'\nen='Outing'\ndocument='log'\nwriters=['school']\n\
                   [[field]]\nid='place'\nzh='地点'\nen='Place'\ntype='text'\nmax_len=40\n\
                   [[field]]\nid='person'\nzh='人员'\nen='Person'\ntype='ref'\nref='person'\nrequired=true\n";
        let kinds = Kinds::builtin().with([("c_outing.1.toml", own)]).unwrap();
        assert_eq!(kinds.latest("c_outing").unwrap().label(Lang::Zh), "外出培训");
        // The same again is no change; other content under the same version is.
        assert!(kinds.with([("c_outing.1.toml", own)]).is_ok());
        let error = kinds
            .with([("c_outing.1.toml", own.replace("地点", "去处").as_str())])
            .unwrap_err();
        assert_eq!(
            error,
            KindsError::Changed {
                kind: "c_outing/1".into()
            }
        );
        // A second version stands beside the first.
        let second = kinds
            .with([("c_outing.2.toml", own.replace("version=1", "version=2").as_str())])
            .unwrap();
        assert_eq!(second.latest("c_outing").unwrap().version, 2);
        assert!(second.get("c_outing/1").is_some());
        // A reference to a kind that nobody knows is found.
        let dangling = own.replace("ref='person'", "ref='pupil'");
        assert!(matches!(
            Kinds::builtin().with([("x", dangling.as_str())]),
            Err(KindsError::UnknownTarget { .. })
        ));
    }

    const OWN: &str = "id='c_book'\nversion=1\nzh='读书报告'\nen='Book report'\ndocument='log'\nwriters=['school']\n\
                       [[field]]\nid='book'\nzh='书名'\nen='Book'\ntype='text'\nmax_len=40\n";

    #[test]
    fn what_a_county_publishes_never_takes_a_name_of_the_program() {
        let kinds = Kinds::builtin();
        assert!(kinds.with_published("c_book.1.toml", OWN).is_ok());
        let said = |text: &str| kinds.with_published("x.toml", text).unwrap_err().zh();
        assert_eq!(
            said(&OWN.replace("c_book", "book")),
            "表单“book/1”：县里自己的表单，id 以 c_ 开头，如 c_book_report"
        );
        let lesson = BUILTIN
            .iter()
            .find(|(file, _)| *file == "lesson.2.toml")
            .unwrap()
            .1;
        // The very file of the program says nothing new, but takes a number of the program's all the same.
        assert!(said(&lesson.replace("version = 2", "version = 3")).contains("从 100 起"));
        let more = lesson.replace("version = 2", "version = 100").replace(
            "[states]\n",
            "[[field]]\nid = \"c_board\"\nzh = \"板书\"\nen = \"Board\"\ntype = \"text\"\nmax_len = 200\n\n[states]\n",
        );
        let kinds = kinds.with_published("lesson.100.toml", &more).unwrap();
        assert_eq!(kinds.latest("lesson").unwrap().version, 100);
        assert!(
            kinds.get("lesson/1").is_some(),
            "what was recorded stays readable"
        );
        assert!(
            said(&more.replace("max_len = 200", "max_len = 200\nrequired = true")).contains("不能设为必填")
        );
        let fewer = more.replace(
            "  { id = \"polish\", zh = \"研磨课\", en = \"Polished lesson\" },\n",
            "",
        );
        let error = Kinds::builtin().with_published("x.toml", &fewer).unwrap_err();
        assert!(
            error.zh().contains("lesson_kind") && error.zh().contains("不能删"),
            "{}",
            error.zh()
        );
        assert!(said(&more.replace("document = \"log\"", "document = \"base\"")).contains("document"));
    }

    #[test]
    fn mistakes_in_a_file_are_told_in_chinese_with_their_line() {
        for (from, to, zh) in [
            (
                "max_len=40",
                "",
                "第 8 行，栏目“book”：文字栏目要写 max_len（最多几个字）",
            ),
            ("max_len=40", "max_lem=40", "第 12 行第 1 列：没有“max_lem”这一项"),
            ("zh='书名'\n", "", "缺少“zh”这一项，请补上"),
            ("type='text'", "type='words'", "“words”不能用在这里"),
            ("version=1", "version='1'", "第 2 行第 9 列：这一项的类型不对"),
            ("zh='书名'", "zh='书名", "写法不对"),
            (
                "type='text'\nmax_len=40",
                "type='ref'\nref='pupil'",
                "引用的表单“pupil”不存在",
            ),
        ] {
            let text = OWN.replacen(from, to, 1);
            let zh_said = Kinds::builtin()
                .with_published("c_book.1.toml", &text)
                .unwrap_err()
                .zh();
            assert!(zh_said.contains(zh), "{zh_said}");
        }
    }
}
