//! Which address leads to which page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::api;
use crate::app::App;
use crate::fault::{self, Fault};
use crate::pages::{
    access as access_page, accounts, audit, bulletins, card, claims, closing, conflicts, county, courier,
    devices, doctor, evidence, export, import, imports, listening, lists, live, mine, observations, opening,
    overview, people, places, print, projects, publishing, quarantine, record_form, records, recovery,
    roster, session_form, sessions, sign, sign_in, statements, statistics, sticks, storage, sync, tokens,
    told, unlisted, visits,
};
use crate::{access, assets, guard};

/// A form of 300 teachers' attendance is about 20 KB.
const FORM_BYTES: usize = 512 * 1024;

/// All pages of a node.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .merge(open())
        .merge(school())
        .merge(county())
        .merge(office())
        .merge(forms())
        .nest("/api/v1", api::router())
        .fallback(|| async { Fault::NotFound })
        .method_not_allowed_fallback(|| async { Fault::NotFound })
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(from_fn_with_state(app.clone(), access::note))
        .layer(from_fn_with_state(app.clone(), fault::show))
        .layer(from_fn_with_state(app.clone(), guard::protect))
        .layer(from_fn_with_state(app.clone(), crate::ops::time))
        .with_state(app)
}

/// Without an account.
fn open() -> Router<App> {
    Router::new()
        .route("/health", get(health))
        .route("/static/{name}", get(assets::serve))
        .route("/lang/{code}", get(sign_in::language))
        .route("/login", get(sign_in::login_form).post(sign_in::login))
        .route("/setup/{token}", get(sign_in::setup_form).post(sign_in::setup))
        .route("/recover", get(recovery::use_form).post(recovery::use_code))
        .route("/state.json", get(live::state))
}

async fn health() -> String {
    format!("ok yanxiu {}\n", env!("CARGO_PKG_VERSION"))
}

/// A school's work.
fn school() -> Router<App> {
    Router::new()
        .route("/roster", get(roster::list))
        .route("/roster/new", get(roster::new).post(roster::create))
        .route("/roster/{id}", get(roster::edit).post(roster::change))
        .route("/sessions/new", get(session_form::new).post(session_form::create))
        .route(
            "/sessions/{id}/edit",
            get(session_form::edit).post(session_form::change),
        )
        .route(
            "/sessions/{id}/void",
            get(session_form::ask_void).post(session_form::void),
        )
        .route("/sessions/{id}/attendance", post(sessions::mark))
        .route("/sessions/{id}/end", post(sessions::end))
        .route("/sessions/{id}/claims", post(sessions::register))
        .route("/sessions/{id}/unlisted", post(unlisted::add))
        .route("/unlisted", get(unlisted::show))
        .route("/unlisted/{id}", post(unlisted::link))
        .route("/mine", get(mine::list))
        .route("/mine/{kind}/{id}", get(mine::show))
        .route("/mine/{kind}/{id}/{act}", post(mine::act))
        .route("/countersign", get(mine::countersign))
        .route("/countersign/{id}", post(mine::answer))
        .route("/listening", get(listening::show))
        .route(
            "/sessions/{id}/import",
            get(lists::form)
                .post(lists::upload)
                .layer(DefaultBodyLimit::max(import::MAX_BYTES)),
        )
        .route(
            "/import/outside",
            get(lists::outside_form)
                .post(lists::outside_upload)
                .layer(DefaultBodyLimit::max(import::MAX_BYTES)),
        )
        .route("/import/told", get(told::show).post(told::register))
        .route("/import/list", post(lists::confirm))
        .route("/imports", get(imports::list))
        .route("/imports/{id}", get(imports::show).post(imports::undo))
        .route("/claims", get(claims::list))
        .route("/opening", get(opening::show).post(opening::save))
        .route("/export", get(export::form))
        .route("/export/{what}", get(export::download))
}

/// The county's work.
fn county() -> Router<App> {
    Router::new()
        .route("/schools", get(county::list))
        .route("/schools/{id}", get(county::show))
        .route("/schools/{id}/export/{what}", get(export::download_at_county))
        .route("/schools/export/{what}", get(export::download_dashboard))
        .route("/audit", get(audit::queue).post(audit::recognise))
        .route("/audit/opening", get(opening::queue).post(opening::decide))
        .route("/audit/{id}", get(audit::show).post(audit::decide))
        .route("/people", get(people::list))
        .route("/people/same", get(people::ask).post(people::decide))
        .route("/publishing", get(publishing::show).post(publishing::publish))
        .route("/publishing/{name}", get(publishing::begin))
        .route("/tokens", get(tokens::list).post(tokens::make))
        .route("/tokens/{id}/revoke", post(tokens::revoke))
        .route("/devices", get(devices::list).post(devices::approve))
        .route(
            "/devices/sticks",
            get(sticks::show)
                .post(sticks::act)
                .layer(DefaultBodyLimit::max(import::MAX_BYTES)),
        )
        .route("/devices/{id}", get(devices::show))
        .route(
            "/devices/{id}/revoke",
            get(devices::ask_revoke).post(devices::revoke),
        )
        .route(
            "/quarantine/{id}/cut",
            get(quarantine::ask_cut).post(quarantine::cut),
        )
}

/// Printed forms, and what people sign.
fn forms() -> Router<App> {
    Router::new()
        .route("/observations", get(observations::list))
        .route(
            "/observations/new",
            get(observations::new).post(observations::create),
        )
        .route("/observations/{id}", get(observations::show))
        .route(
            "/observations/{id}/edit",
            get(observations::edit).post(observations::change),
        )
        .route("/observations/{id}/answer", post(observations::answer))
        .route("/sign/{id}", get(sign::show).post(sign::act))
        .route("/visits", get(visits::list))
        .route("/visits/sync", post(visits::sync_now))
        .route("/visits/new", get(visits::new).post(visits::create))
        .route("/visits/{id}", get(visits::show))
        .route("/visits/{id}/sign", post(visits::sign))
        .route("/print/visit/{id}", get(print::visit))
        .route("/print/visit-days/{id}", get(print::visit_days))
        .route("/print/survey/{id}", get(print::survey))
        .route("/print/pairing/{id}", get(print::pairing))
        .route("/print/sign-in/{id}", get(print::sign_in))
        .route("/print/card/{id}", get(print::portfolio))
        .route("/print/observation/{id}", get(print::observation))
        .route("/print/filing/{id}", get(print::filing))
        .route("/print/register", get(print::register))
        .route("/print/statement/{id}", get(print::statement))
}

/// Of every node.
fn office() -> Router<App> {
    Router::new()
        .route("/", get(overview::show))
        .route("/sessions", get(sessions::list))
        .route("/statistics", get(statistics::show))
        .route("/projects", get(projects::show))
        .route("/sessions/{id}", get(sessions::show))
        .route(
            "/sessions/{id}/evidence",
            get(evidence::show)
                .post(evidence::add)
                .layer(DefaultBodyLimit::max(import::MAX_BYTES)),
        )
        .route("/photos/{id}", get(evidence::photo))
        .route("/photos/{id}/original", post(evidence::ask_original))
        .route("/sessions/{id}/export/{what}", get(export::download_sign_in))
        .route("/teachers/{id}", get(card::show))
        .route(
            "/teachers/{id}/statement",
            get(statements::list).post(statements::issue),
        )
        .route("/statements/{id}/file", get(statements::file))
        .route(
            "/statements/verify",
            get(statements::verify_form)
                .post(statements::verify)
                .layer(DefaultBodyLimit::max(node::credential::FILE_BYTES * 2)),
        )
        .route(
            "/import",
            get(import::form)
                .post(import::upload)
                .layer(DefaultBodyLimit::max(import::MAX_BYTES)),
        )
        .route("/storage", get(storage::show).post(storage::tidy))
        .route("/closing", get(closing::list).post(closing::close))
        .route("/closing/{id}", get(closing::show))
        .route("/bulletins", get(bulletins::list).post(bulletins::draft))
        .route("/bulletins/{id}/read", post(bulletins::read))
        .route("/places/{group}", get(places::show))
        .route("/records", get(records::kinds))
        .route("/records/{kind}", get(records::list))
        .route(
            "/records/{kind}/new",
            get(record_form::new).post(record_form::create),
        )
        .route("/records/{kind}/{id}", get(records::show))
        .route(
            "/records/{kind}/{id}/edit",
            get(record_form::edit).post(record_form::change),
        )
        .route("/series/{id}/sessions", post(records::enter_series))
        .route("/records/{kind}/{id}/step", post(records::step))
        .route("/conflicts", get(conflicts::list).post(conflicts::settle))
        .route("/import/confirm", post(import::confirm))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/{id}/evidence", get(quarantine::evidence))
        .route("/sync", get(sync::show).post(sync::act))
        .route("/courier", get(courier::show).post(courier::act))
        .route(
            "/courier/upload",
            get(courier::show)
                .post(courier::upload)
                .layer(DefaultBodyLimit::max(courier::MAX_BYTES)),
        )
        .route("/courier/file/{name}", get(courier::file))
        .route("/doctor", get(doctor::show).post(doctor::run))
        .route("/access", get(access_page::show))
        .route("/accounts", get(accounts::list).post(accounts::create))
        .route("/accounts/{id}/{act}", post(accounts::change))
        .route("/recovery", get(recovery::show).post(recovery::new_sheet))
        .route("/recovery/{account}", post(recovery::give))
        .route("/password", get(sign_in::password_form).post(sign_in::password))
        .route("/logout", post(sign_in::logout))
}
