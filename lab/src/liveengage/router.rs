//! All services of LivePerson on one HTTP server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::routing::{MethodFilter, get};
use http::StatusCode;

use super::backend::Backend;
use super::endpoint::serve;
use super::{domain, idp, messaging, messaging_window, sentinel, swift, window_identity};

/// All services on one host, because one host may be the base URI of several services.
pub(super) fn router(backend: Arc<Backend>) -> Router {
    Router::new()
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
        .route("/api/account/{account}/signup", serve(MethodFilter::POST, window_identity::SIGN_UP))
        .route("/api/account/{account}/anonymous/authorize", serve(MethodFilter::POST, window_identity::ANONYMOUS))
        .route("/api/account/{account}/authenticate", serve(MethodFilter::POST, window_identity::AUTHENTICATE))
        .route("/api/account/{account}/app/{app}/authenticate", serve(MethodFilter::POST, window_identity::CONNECTOR))
        .route("/ws_api/account/{account}/messaging/consumer", get(messaging_window::connect))
        .route(
            swift::PATH,
            serve(MethodFilter::PUT, swift::UPLOAD)
                .merge(serve(MethodFilter::GET, swift::DOWNLOAD))
                .layer(DefaultBodyLimit::max(swift::MAX_BODY_BYTES)),
        )
        .fallback(unknown)
        .with_state(backend)
}

async fn unknown(State(backend): State<Arc<Backend>>, request: Request) -> StatusCode {
    let what = format!("{} {} -> 404", request.method(), request.uri().path());
    backend.journal.record("to-liveengage", "liveengage", what, None);
    StatusCode::NOT_FOUND
}
