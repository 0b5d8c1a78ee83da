//! Labels of codes. They come from the kinds (data), so a page never has a code table of its own.

use node::accounts::Role;
use records::Kinds;

use crate::app::Desk;
use crate::lang::Lang;

/// One option of a select or a row of radio buttons, in the page's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) code: String,
    pub(crate) label: String,
}

impl Choice {
    pub(crate) fn new(code: impl Into<String>, label: impl Into<String>) -> Choice {
        Choice {
            code: code.into(),
            label: label.into(),
        }
    }
}

/// The codes of a field, in the order of its kind.
pub(crate) fn choices(l: Lang, kind: &str, field: &str) -> Vec<Choice> {
    let field = Kinds::builtin().latest(kind).and_then(|k| k.field(field));
    let codes = field.map(|f| f.codes.as_slice()).unwrap_or_default();
    codes
        .iter()
        .map(|c| Choice::new(&c.id, l.pick(&c.zh, &c.en)))
        .collect()
}

/// The records of a share by kind.
pub(crate) fn records_of(l: &Lang, share: &node::held::Share) -> String {
    share.kinds_in((*l).into())
}

/// The label of one code; a code that the kind does not know is shown as it stands.
pub(crate) fn label(l: Lang, kind: &str, field: &str, code: &str) -> String {
    Kinds::builtin()
        .code_label(kind, field, code, l.into())
        .to_owned()
}

/// What a role is called. Whoever works with a node's records is the clerk of a school, or the mentor
/// whose laptop it is: the accounts have one code for both.
pub(crate) fn role(l: &Lang, role: &Role, desk: &Desk) -> &'static str {
    match role {
        Role::Clerk => match desk {
            Desk::Mentor => l.t("送教/送培专家", "Visiting mentor"),
            Desk::Open => l.t(
                "师训专管员，或送教/送培专家",
                "School training officer, or visiting mentor",
            ),
            Desk::School | Desk::County => l.t("师训专管员", "School training officer"),
        },
        Role::Auditor => l.t("县学分审核员", "County credit auditor"),
        Role::Admin => l.t("系统管理员（不看内容）", "Administrator (no records)"),
        Role::Teacher => l.t("教师（只看本人）", "Teacher (own card only)"),
        Role::Leader => l.t("校长、分管领导（只读）", "School leader (read only)"),
    }
}

/// The roles that an account on this node can have.
pub(crate) fn roles(l: Lang, desk: Desk) -> Vec<Choice> {
    let fitting: &[Role] = match desk {
        Desk::County => &[Role::Auditor, Role::Admin, Role::Leader],
        Desk::Mentor => &[Role::Clerk, Role::Admin],
        Desk::School | Desk::Open => &[Role::Clerk, Role::Leader, Role::Teacher, Role::Admin],
    };
    fitting
        .iter()
        .map(|r| Choice::new(r.code(), role(&l, r, &desk)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_from_the_kinds() {
        assert_eq!(label(Lang::Zh, "attendance", "status", "on_duty"), "公假");
        assert_eq!(label(Lang::En, "attendance", "status", "present"), "Present");
        assert_eq!(
            label(Lang::Zh, "attendance", "status", "unheard_of"),
            "unheard_of"
        );
        assert_eq!(
            choices(Lang::Zh, "decision", "verdict")
                .first()
                .map(|c| c.label.as_str()),
            Some("认定")
        );
        assert!(choices(Lang::Zh, "no_kind", "x").is_empty());
    }
}
