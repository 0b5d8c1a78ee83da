//! What every request passes before a page sees it: the host name check and the security headers.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::lang::Lang;

/// No script, style or picture from anywhere else, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The cookie of the language switch; the same for all nodes on a machine.
pub(crate) const LANGUAGE_COOKIE: &str = "yanxiu_lang";

/// Layer: refuses a foreign `Host`, and sets the headers that every answer carries.
pub(crate) async fn protect(State(app): State<App>, request: Request, next: Next) -> Response {
    let allowed = match host(request.headers(), request.uri()) {
        Some(host) => host_allowed(host, app.config.lan, &app.config.names),
        None => false,
    };
    let mut response = if allowed {
        next.run(request).await
    } else {
        (
            StatusCode::MISDIRECTED_REQUEST,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            "请用 http://127.0.0.1 或配置里写明的名称打开本机页面。\n\
             Open this node's pages by http://127.0.0.1 or by a name given in its configuration.\n",
        )
            .into_response()
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    // `same-origin`, not `no-referrer`: with the latter browsers send `Origin: null` on our own forms.
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    set(header::CACHE_CONTROL, "no-store");
    response
}

/// The host that the client named, with its port.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    uri.host().or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// A page of ours may only be asked for under an address, `localhost` or a configured name.
/// A foreign name that resolves to this machine (DNS rebinding) would let a web page elsewhere read
/// records, so names that nobody configured are refused; addresses cannot be rebound.
fn host_allowed(host: &str, lan: bool, names: &[String]) -> bool {
    let bare = without_port(host);
    if bare.eq_ignore_ascii_case("localhost") || names.iter().any(|n| n.eq_ignore_ascii_case(bare)) {
        return true;
    }
    let address = bare
        .strip_prefix('[')
        .and_then(|b| b.strip_suffix(']'))
        .unwrap_or(bare);
    match address.parse::<IpAddr>() {
        Ok(address) => lan || address.is_loopback(),
        Err(_) => false,
    }
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').and_then(|end| host.get(..=end)).unwrap_or(host);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Whether a POST comes from a page of our own: browsers name the origin, and it must be the host
/// that they talk to. A client that sends neither header (curl) still needs the form's token.
pub(crate) fn same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok())
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    match headers.get(header::ORIGIN).and_then(|v| v.to_str().ok()) {
        None => true,
        Some(origin) => origin
            .strip_prefix("http://")
            .is_some_and(|from| host(headers, uri) == Some(from)),
    }
}

/// The value of a cookie of this request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(k, v)| (k == name).then_some(v))
}

/// The language of the answer to these headers.
pub(crate) fn language(headers: &HeaderMap) -> Lang {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    Lang::choose(cookie(headers, LANGUAGE_COOKIE), accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_configured_names_are_hosts() {
        let names = vec!["yanxiu.school.example".to_owned()];
        for good in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:1",
            "127.3.2.1",
            "[::1]:8080",
            "Yanxiu.School.Example:80",
        ] {
            assert!(host_allowed(good, false, &names), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8080",
            "192.168.1.4:8080",
            "localhost.evil.example",
            "",
            "[::1",
            "127.0.0.1.evil.example",
        ] {
            assert!(!host_allowed(bad, false, &names), "{bad}");
        }
        assert!(host_allowed("192.168.1.4:8080", true, &names));
        assert!(!host_allowed("evil.example:8080", true, &names));
    }

    #[test]
    fn a_form_from_another_site_is_seen() {
        let uri = Uri::from_static("/sessions");
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (k, v) in pairs {
                map.insert(*k, HeaderValue::from_static(v));
            }
            map
        };
        let own = ("host", "127.0.0.1:8080");
        assert!(same_origin(&headers(&[own]), &uri));
        assert!(same_origin(
            &headers(&[own, ("origin", "http://127.0.0.1:8080")]),
            &uri
        ));
        assert!(!same_origin(
            &headers(&[own, ("origin", "http://127.0.0.1:9090")]),
            &uri
        ));
        assert!(!same_origin(&headers(&[own, ("origin", "null")]), &uri));
        assert!(!same_origin(
            &headers(&[own, ("sec-fetch-site", "cross-site")]),
            &uri
        ));
        assert!(!same_origin(
            &headers(&[own, ("sec-fetch-site", "same-site")]),
            &uri
        ));
    }

    #[test]
    fn cookies_are_found_by_their_exact_name() {
        let mut map = HeaderMap::new();
        map.insert(
            header::COOKIE,
            HeaderValue::from_static("xyanxiu_lang=zh; yanxiu_lang=en; a"),
        );
        assert_eq!(cookie(&map, LANGUAGE_COOKIE), Some("en"));
        assert_eq!(cookie(&map, "a"), None);
    }
}
