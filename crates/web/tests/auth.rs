//! Who gets in: setup link, sign-in, tokens, host names, headers, languages.
#![allow(clippy::unwrap_used)]

mod support;

use node::accounts::{self, Role};
use support::{PIN, Site};

#[test]
fn the_setup_link_makes_one_account_and_no_second() {
    let site = Site::loose();
    let token = accounts::new_setup_token(&site.node, node::now()).unwrap();
    let link = format!("/setup/{token}");
    let browser = site.browser();
    browser.get("/login").has("还没有账号");
    browser
        .get("/setup/0000")
        .has("链接无效")
        .lacks("name=\"secret\"");

    let fields = |again| {
        [
            ("name", "王𬭊"),
            ("role", "clerk"),
            ("secret", PIN),
            ("again", again),
        ]
    };
    browser
        .submit(&link, &link, &fields("999999"))
        .has("两次输入不一样")
        .has("王𬭊")
        .lacks(PIN);
    browser
        .submit(
            &link,
            &link,
            &[
                ("name", "王𬭊"),
                ("role", "clerk"),
                ("secret", "123"),
                ("again", "123"),
            ],
        )
        .has("至少6位");
    browser
        .submit(
            &link,
            &link,
            &[
                ("name", "王𬭊"),
                ("role", "leader"),
                ("secret", PIN),
                ("again", PIN),
            ],
        )
        .has("请选择一项");
    let page = browser.submit(&link, &link, &fields(PIN));
    assert_eq!(page.path, "/login?fresh=1");
    browser.get(&link).has("链接无效").lacks("name=\"secret\"");

    let page = browser.submit("/login", "/login", &[("name", "王𬭊"), ("secret", "202603")]);
    page.is(200).has("总览").has("王𬭊");
    assert_eq!(accounts::list(&site.node).unwrap().len(), 1);
}

#[test]
fn sign_in_goes_back_to_the_page_asked_for_and_out_again() {
    let site = Site::loose();
    drop(site.signed_in("王𬭊", Role::Clerk));
    let browser = site.browser();
    let page = browser.get("/accounts?x=1");
    assert_eq!(page.path, "/login?next=/accounts%3Fx%3D1");
    let wrong = browser.submit(
        "/login?next=/accounts",
        "/login",
        &[("name", "王𬭊"), ("secret", "000000"), ("next", "/accounts")],
    );
    wrong
        .is(200)
        .has("姓名或密码不对")
        .has("value=\"王𬭊\"")
        .has("value=\"/accounts\"");
    let page = browser.submit(
        "/login",
        "/login",
        &[("name", "王𬭊"), ("secret", PIN), ("next", "/accounts")],
    );
    assert_eq!(page.path, "/accounts");
    page.has("登录失败");
    let page = browser.submit("/", "/logout", &[]);
    assert_eq!(page.path, "/login");
    assert_eq!(browser.get("/accounts").path, "/login?next=/accounts");
    // A way back that leads elsewhere is not taken.
    let page = browser.submit(
        "/login",
        "/login",
        &[("name", "王𬭊"), ("secret", PIN), ("next", "//evil.example/")],
    );
    assert_eq!(page.path, "/");
}

#[test]
fn five_wrong_pins_lock_the_account_for_the_right_one_too() {
    let site = Site::loose();
    drop(site.signed_in("王𬭊", Role::Clerk));
    let browser = site.browser();
    for _ in 0..5 {
        browser.submit("/login", "/login", &[("name", "王𬭊"), ("secret", "000000")]);
    }
    browser
        .submit("/login", "/login", &[("name", "王𬭊"), ("secret", PIN)])
        .has("输错次数太多");
    assert_eq!(browser.get("/").path, "/login?next=/");
}

#[test]
fn a_form_without_the_right_token_does_nothing() {
    let site = Site::loose();
    let browser = site.signed_in("王𬭊", Role::Clerk);
    let account = [("name", "㙇伟"), ("role", "clerk"), ("secret", PIN)];
    let with = |token: &str| {
        let mut all = vec![("csrf", token)];
        all.extend(account);
        browser.post("/accounts", &all)
    };
    browser.post("/accounts", &account).is(403).has("页面已过期");
    with("").is(403);
    with("00000000000000000000000000000000").is(403);
    // The token of somebody else's sign-in is not ours either.
    let other = site
        .signed_in("李专管员", Role::Clerk)
        .get("/accounts")
        .value("csrf");
    with(&other).is(403);
    assert_eq!(accounts::list(&site.node).unwrap().len(), 2);
    with(&browser.get("/accounts").value("csrf")).is(200).has("㙇伟");

    // Sign-in itself wants the token that its own page set.
    site.browser()
        .post("/login", &[("name", "王𬭊"), ("secret", PIN)])
        .is(403);
}

#[test]
fn a_form_from_another_site_is_refused_even_with_the_token() {
    let site = Site::loose();
    let body = "csrf=0&name=x";
    let host = site.addr;
    let ask = |extra: &str| {
        site.raw(&format!(
            "POST /login HTTP/1.1\r\nHost: {host}\r\n{extra}Content-Type: application/x-www-form-urlencoded\r\n\
             Cookie: yanxiu_x=1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ))
    };
    for extra in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert!(ask(extra).starts_with("HTTP/1.1 403"), "{extra}");
    }
}

#[test]
fn a_foreign_host_name_is_refused() {
    let site = Site::loose();
    let ask = |host: &str| {
        site.raw(&format!(
            "GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
    };
    let port = site.addr.port();
    for good in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
    ] {
        let answer = ask(&good);
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("ok yanxiu"),
            "{good}: {answer}"
        );
    }
    for bad in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("10.0.0.7:{port}"),
    ] {
        let answer = ask(&bad);
        assert!(
            answer.starts_with("HTTP/1.1 421") && !answer.contains("ok yanxiu"),
            "{bad}: {answer}"
        );
    }
}

#[test]
fn every_answer_carries_the_security_headers() {
    let site = Site::loose();
    let browser = site.signed_in("王𬭊", Role::Clerk);
    for path in ["/", "/no-such-page", "/health", "/sync"] {
        let page = browser.get(path);
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        // Nothing inline that the policy would stop.
        for inline in ["<style", " style=", " onclick=", "<script>"] {
            assert!(!page.body.contains(inline), "{path} has {inline}");
        }
    }
    let style = browser.get("/static/app.css");
    assert!(style.header("cache-control").contains("max-age"));
    assert!(style.header("content-type").starts_with("text/css"));
}

#[test]
fn the_cookie_is_for_this_node_and_for_no_script() {
    let site = Site::loose();
    drop(site.signed_in("王𬭊", Role::Clerk));
    let page = site.raw(&format!(
        "GET /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        site.addr
    ));
    let cookie = page.lines().find(|l| l.starts_with("set-cookie: ")).unwrap();
    let (name, token) = cookie
        .trim_start_matches("set-cookie: ")
        .split(';')
        .next()
        .unwrap()
        .split_once('=')
        .unwrap();
    let body = format!("csrf={token}&name=%E7%8E%8B%F0%AC%AD%8A&secret=202603");
    let answer = site.raw(&format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nCookie: {name}={token}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        site.addr,
        body.len()
    ));
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer
        .lines()
        .find(|l| l.starts_with("set-cookie: yanxiu_"))
        .unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[test]
fn both_languages_by_header_and_by_switch() {
    let site = Site::loose();
    let mut browser = site.signed_in("王𬭊", Role::Clerk);
    browser
        .get("/sync")
        .has("<html lang=\"zh-CN\">")
        .has("加入本县")
        .lacks("Belonging to the county");
    browser.language = Some("en-GB,en;q=0.9");
    browser
        .get("/sync")
        .has("<html lang=\"en\">")
        .has("Belonging to the county")
        .lacks("加入本县");
    browser.get("/no-such-page").is(404).has("Page not found");
    let page = browser.get("/lang/zh?next=/sync");
    assert_eq!(page.path, "/sync");
    page.has("加入本县");
    browser.language = None;
    browser.get("/lang/en?next=//evil.example").has("Overview");
    browser.get("/sync").has("Belonging to the county");
    browser.get("/lang/xx").is(404);
}

#[test]
fn what_does_not_exist_is_said_in_words() {
    let site = Site::loose();
    let browser = site.signed_in("王𬭊", Role::Clerk);
    browser.get("/no-such-page").is(404).has("没有这一页");
    browser.get("/logout").is(404);
    browser.get("/static/none.js").is(404);
    browser.get("/state.json").is(200).has("\"mark\"");
    let token = browser.get("/accounts").value("csrf");
    browser.get("/state.json").has(&token);
    site.browser().get("/state.json").is(401).lacks(&token);
    // Without a county there is nothing to enter, and the page says where to go.
    for path in ["/sessions", "/roster", "/claims", "/import", "/export"] {
        browser.get(path).is(409).has("还没有加入本县");
    }
    browser.get("/").is(200).has("先把本机加入本县");
}

#[test]
fn a_stranger_sees_no_page_but_the_way_in() {
    let site = Site::loose();
    let browser = site.browser();
    for path in [
        "/",
        "/sessions",
        "/roster",
        "/claims",
        "/import",
        "/export",
        "/sync",
        "/accounts",
        "/password",
        "/schools",
        "/audit",
        "/devices",
        "/teachers/x",
    ] {
        assert!(browser.get(path).path.starts_with("/login?next="), "{path}");
    }
    browser.get("/health").is(200).has("ok yanxiu");
}
