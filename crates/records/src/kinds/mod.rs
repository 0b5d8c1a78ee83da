//! Kinds: the schemas of records, as data.
//!
//! One TOML file per kind and version (`kinds/session.1.toml`); a version never changes once it is
//! out, a new wish is a new version. Nothing in this crate knows a kind by its name, so a county can
//! ship kinds of its own as further files ([`Kinds::with`]).

mod check;
mod personal;
mod schema;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub use check::FieldError;
pub use personal::{Personal, find_personal};
pub use schema::{Code, Field, FieldType, Format, Kind, KindsError, Move, States, View};

use crate::lang::Lang;

/// Field names that every record may have besides those of its kind: `_kind` ("session/1"), `_by`
/// (label of the local account that typed it) and `_for` (id of the teacher it was typed for).
pub const RESERVED: [&str; 3] = ["_kind", "_by", "_for"];

const BUILTIN: [(&str, &str); 8] = [
    (
        "organisation.1.toml",
        include_str!("../../kinds/organisation.1.toml"),
    ),
    ("person.1.toml", include_str!("../../kinds/person.1.toml")),
    ("staff_fact.1.toml", include_str!("../../kinds/staff_fact.1.toml")),
    ("session.1.toml", include_str!("../../kinds/session.1.toml")),
    ("attendance.1.toml", include_str!("../../kinds/attendance.1.toml")),
    ("evidence.1.toml", include_str!("../../kinds/evidence.1.toml")),
    ("claim.1.toml", include_str!("../../kinds/claim.1.toml")),
    ("decision.1.toml", include_str!("../../kinds/decision.1.toml")),
];

/// All kinds that a node knows, by id and version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    kinds: BTreeMap<(String, u32), Kind>,
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
        let kinds = Kinds { kinds };
        for kind in kinds.iter() {
            for field in &kind.fields {
                if let Some(target) = field.ref_kind.as_deref()
                    && target != "*"
                    && kinds.latest(target).is_none()
                {
                    return Err(KindsError::UnknownTarget {
                        kind: kind.reference(),
                        field: field.id.clone(),
                        target: target.to_owned(),
                    });
                }
            }
        }
        Ok(kinds)
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
            .next_back()
            .map(|(_, kind)| kind)
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
    fn all_kinds_of_the_first_release_are_there() {
        let kinds = Kinds::builtin();
        let ids: Vec<String> = kinds.iter().map(Kind::reference).collect();
        assert_eq!(
            ids,
            [
                "attendance/1",
                "claim/1",
                "decision/1",
                "evidence/1",
                "organisation/1",
                "person/1",
                "session/1",
                "staff_fact/1"
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
        assert_eq!(view("evidence"), (None, Some("about"), Some("date")));
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
        assert!(Kinds::builtin().get("session/2").is_none());
    }

    #[test]
    fn a_county_ships_its_own_kind_and_versions_stay_as_they_are() {
        let own = "id='trip'\nversion=1\nzh='外出培训'\nen='Trip'\ndocument='log'\nwriters=['school']\n\
                   [[field]]\nid='place'\nzh='地点'\nen='Place'\ntype='text'\nmax_len=40\n\
                   [[field]]\nid='person'\nzh='人员'\nen='Person'\ntype='ref'\nref='person'\nrequired=true\n";
        let kinds = Kinds::builtin().with([("trip.1.toml", own)]).unwrap();
        assert_eq!(kinds.latest("trip").unwrap().label(Lang::Zh), "外出培训");
        // The same again is no change; other content under the same version is.
        assert!(kinds.with([("trip.1.toml", own)]).is_ok());
        let error = kinds
            .with([("trip.1.toml", own.replace("地点", "去处").as_str())])
            .unwrap_err();
        assert_eq!(
            error,
            KindsError::Changed {
                kind: "trip/1".into()
            }
        );
        // A second version stands beside the first.
        let second = kinds
            .with([("trip.2.toml", own.replace("version=1", "version=2").as_str())])
            .unwrap();
        assert_eq!(second.latest("trip").unwrap().version, 2);
        assert!(second.get("trip/1").is_some());
        // A reference to a kind that nobody knows is found.
        let dangling = own.replace("ref='person'", "ref='pupil'");
        assert!(matches!(
            Kinds::builtin().with([("x", dangling.as_str())]),
            Err(KindsError::UnknownTarget { .. })
        ));
    }
}
