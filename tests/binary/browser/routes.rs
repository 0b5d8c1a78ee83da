//! The forms that the pages take, read from where the router says so: a form that nobody tried is noticed.

use std::collections::{BTreeMap, BTreeSet};

const ROUTER: &str = include_str!("../../../crates/web/src/routes.rs");

/// Every address that takes a form, as the router names it.
pub fn forms() -> BTreeSet<&'static str> {
    let routes = ROUTER
        .split(".route(")
        .skip(1)
        .filter(|route| route.contains("post("));
    let forms: BTreeSet<&str> = routes.filter_map(|route| route.split('"').nth(1)).collect();
    assert_eq!(
        forms.len(),
        ROUTER.matches("post(").count(),
        "the router is read wrongly"
    );
    forms
}

/// The one among them that an address belongs to: of two that fit, that which says more.
pub fn form_of(address: &str) -> Option<&'static str> {
    let path = address.split('?').next().unwrap_or_default();
    let fits = |form: &&str| {
        let (form, path): (Vec<&str>, Vec<&str>) = (form.split('/').collect(), path.split('/').collect());
        form.len() == path.len()
            && form
                .iter()
                .zip(&path)
                .all(|(part, here)| part.starts_with('{') || part == here)
    };
    forms()
        .into_iter()
        .filter(fits)
        .min_by_key(|form| form.matches('{').count())
}

/// Why the walk through all forms does not try one.
pub enum Why {
    /// It has buttons alone: nothing is typed.
    Buttons,
    /// It has boxes and lists to choose from: nothing is typed.
    Choices,
    /// Another test tries it: its file, and its name.
    Elsewhere(&'static str, &'static str),
}

const HERE: &str = include_str!("../browser.rs");
const COURIER: &str = include_str!("../../../crates/web/tests/courier.rs");
const API: &str = include_str!("../../../crates/web/tests/api.rs");
const COUNTY: &str = include_str!("../../../crates/web/tests/conflicts_county.rs");
const RECOVERY: &str = include_str!("../../../crates/web/tests/recovery.rs");
const FIRST: &str = "a_wrong_pin_a_bad_first_account_and_a_bad_file_are_explained";

/// The forms that the walk does not try.
pub const NOT_TRIED: [(&str, Why); 21] = [
    (
        "/courier/upload",
        Why::Elsewhere(COURIER, "a_stick_and_a_file_travel_by_the_pages"),
    ),
    ("/devices/{id}/revoke", Why::Buttons),
    ("/doctor", Why::Buttons),
    ("/import", Why::Elsewhere(HERE, FIRST)),
    ("/import/confirm", Why::Buttons),
    ("/import/list", Why::Choices),
    (
        "/import/told",
        Why::Elsewhere(
            API,
            "hours_from_another_system_are_told_once_registered_by_the_school_and_decided_by_the_county",
        ),
    ),
    ("/login", Why::Elsewhere(HERE, FIRST)),
    ("/logout", Why::Buttons),
    (
        "/people/same",
        Why::Elsewhere(COUNTY, "the_county_decides_who_is_one_person_and_closes_the_year"),
    ),
    ("/photos/{id}/original", Why::Buttons),
    ("/quarantine/{id}/cut", Why::Choices),
    (
        "/recover",
        Why::Elsewhere(
            RECOVERY,
            "a_forgotten_pin_is_set_anew_from_paper_and_each_code_works_once",
        ),
    ),
    ("/recovery/{account}", Why::Buttons),
    ("/series/{id}/sessions", Why::Buttons),
    ("/sessions/{id}/attendance", Why::Choices),
    ("/sessions/{id}/end", Why::Buttons),
    ("/setup/{token}", Why::Elsewhere(HERE, FIRST)),
    ("/tokens/{id}/revoke", Why::Buttons),
    ("/unlisted/{id}", Why::Choices),
    ("/visits/sync", Why::Buttons),
];

/// Forms that take any words: what is wrong is to say nothing, and that comes first, for with words the act is done
/// and the form is gone.
pub const WORDS: [&str; 4] = [
    "/countersign/{id}",
    "/imports/{id}",
    "/observations/{id}/answer",
    "/records/{kind}/{id}/step",
];

/// The one among them that nobody need fill in.
const FREE: &str = "/observations/{id}/answer";

/// What is wrong with the walk: forms that were neither tried nor are let off, or both; forms that said nothing of
/// bad input; tests that are named and do not exist. `tried`: addresses with how many messages each got.
pub fn faults(tried: &BTreeMap<String, usize>) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut reached, mut explained) = (BTreeSet::new(), BTreeSet::new());
    for (address, messages) in tried {
        let Some(form) = form_of(address) else {
            faults.push(format!("the router takes no form at {address}"));
            continue;
        };
        reached.insert(form);
        if *messages > 0 {
            explained.insert(form);
        }
    }
    let let_off: BTreeSet<&str> = NOT_TRIED.iter().map(|(form, _)| *form).collect();
    for form in forms() {
        match (reached.contains(form), let_off.contains(form)) {
            (true, true) => faults.push(format!("{form} is tried now: take it off the list")),
            (false, false) => faults.push(format!("{form} was not tried, and nothing says why")),
            (true, false) if !explained.contains(form) && form != FREE => {
                faults.push(format!("{form} took nonsense and nothing at all without a word"));
            }
            _ => {}
        }
    }
    for (form, why) in &NOT_TRIED {
        if !forms().contains(form) {
            faults.push(format!("{form} is no form of the router's"));
        }
        if let Why::Elsewhere(file, test) = why
            && !file.contains(&format!("fn {test}("))
        {
            faults.push(format!("{form}: there is no test {test}"));
        }
    }
    faults
}
