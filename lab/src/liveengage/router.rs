//! All services of LivePerson on one HTTP server.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::routing::{MethodFilter, get};
use axum::{Extension, Router};
use http::StatusCode;

use super::backend::Backend;
use super::endpoint::serve;
use super::served_at::ServedAt;
use super::{
    agent_profile, configuration, domain, history, idp, login, messaging, messaging_window, monitoring, sentinel,
    swift, window_identity,
};

/// All services on one host, because one host may be the base URI of several services.
pub(super) fn router(backend: Arc<Backend>, served_at: ServedAt) -> Router {
    neighbors()
        .route("/api/account/{account}/service/baseURI.json", serve(MethodFilter::GET, domain::ALL))
        .route("/api/account/{account}/service/{service}/baseURI.json", serve(MethodFilter::GET, domain::ONE))
        .route("/sentinel/api/account/{account}/app/token", serve(MethodFilter::POST, sentinel::TOKEN))
        .route("/api/account/{account}/consumer", serve(MethodFilter::POST, idp::CONSUMER))
        .route(
            "/api/account/{account}/messaging/consumer/conversation",
            serve(MethodFilter::POST, messaging::CONVERSATION),
        )
        .route(
            "/api/account/{account}/messaging/consumer/conversation/send",
            serve(MethodFilter::POST, messaging::SEND),
        )
        .route("/ws_api/account/{account}/messaging/consumer", get(messaging_window::connect))
        .route("/ws_api/account/{account}/messaging/brand/{bearer}", get(messaging_window::connect))
        .route(
            "/messaging_history/api/account/{account}/conversations/consumer/metadata/search",
            serve(MethodFilter::GET, history::CONVERSATIONS),
        )
        .route(
            "/messaging_history/api/account/{account}/conversations/conversation/content/search",
            serve(MethodFilter::GET, history::EVENTS),
        )
        .route(
            swift::PATH,
            serve(MethodFilter::PUT, swift::UPLOAD)
                .merge(serve(MethodFilter::GET, swift::DOWNLOAD))
                .layer(DefaultBodyLimit::max(swift::MAX_BODY_BYTES)),
        )
        .fallback(unknown)
        .layer(Extension(served_at))
        .with_state(backend)
}

/// The services that carry no message.
fn neighbors() -> Router<Arc<Backend>> {
    const INSTALLS: &str = "/api/account/{account}/configuration/app-install/installations";
    let post = |endpoint| serve(MethodFilter::POST, endpoint);
    Router::new()
        .route("/api/account/{account}/signup", post(window_identity::SIGN_UP))
        .route("/api/account/{account}/authenticate", post(window_identity::AUTHENTICATE))
        .route("/api/account/{account}/anonymous/authorize", post(window_identity::ANONYMOUS))
        .route("/api/account/{account}/app/{app}/authenticate", post(window_identity::CONNECTOR))
        .route("/api/account/{account}/app/{app}/engagement", post(monitoring::ENGAGEMENT))
        .route("/api/account/{account}/app/{app}/report", serve(MethodFilter::PUT, monitoring::REPORT))
        .route(
            "/api/account/{account}/configuration/le-users/users/{agent}",
            serve(MethodFilter::GET, agent_profile::PROFILE),
        )
        .route(INSTALLS, serve(MethodFilter::GET, configuration::LIST).merge(post(configuration::CREATE)))
        .route(
            &format!("{INSTALLS}/{{installation}}"),
            serve(MethodFilter::GET, configuration::READ)
                .merge(serve(MethodFilter::PUT, configuration::UPDATE))
                .merge(serve(MethodFilter::DELETE, configuration::DELETE)),
        )
        .route("/api/account/{account}/login", post(login::LOGIN))
        .route("/api/account/{account}/refresh", post(login::REFRESH))
        .route("/api/account/{account}/logout", post(login::LOGOUT))
}

async fn unknown(State(backend): State<Arc<Backend>>, request: Request) -> StatusCode {
    let what = format!("{} {} -> 404", request.method(), request.uri().path());
    backend.journal.record("to-liveengage", "liveengage", what, None);
    StatusCode::NOT_FOUND
}
