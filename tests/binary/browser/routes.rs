//! The forms that the pages take, read from where the router says so: a form that nobody tried is noticed.

use std::collections::BTreeSet;

const ROUTER: &str = include_str!("../../../crates/web/src/routes.rs");

/// Every address that takes a form, as the router names it.
pub fn forms() -> BTreeSet<&'static str> {
    let routes = ROUTER.split(".route(").skip(1).filter(|route| route.contains("post("));
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
