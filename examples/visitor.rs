//! Somebody who reads pages.

use std::error::Error;
use std::time::Duration;

/// A browser's connections and cookies, signed in at the pages under `base`.
///
/// # Errors
/// The pages do not answer, or the name and secret are not taken.
pub fn signed_in(base: &str, name: &str, secret: &str) -> Result<ureq::Agent, Box<dyn Error>> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .build()
        .into();
    let page = agent
        .get(format!("{base}/login"))
        .call()?
        .body_mut()
        .read_to_string()?;
    let token = after(&page, "name=\"csrf\" value=\"").ok_or("no token")?;
    let form = [("csrf", token), ("name", name), ("secret", secret)];
    let mut answer = agent.post(format!("{base}/login")).send_form(form)?;
    if answer.body_mut().read_to_string()?.contains("name=\"secret\"") {
        return Err("not signed in".into());
    }
    Ok(agent)
}

/// What stands after a mark, up to the next quote.
pub fn after<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    text.split_once(mark)?.1.split('"').next()
}
