//! The pictures and files of the transcripts.
//!
//! Anybody may have sent them, so they must not run scripts: pictures of four raster types are shown, and every other
//! file is a download.

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::HandlerState;
use super::api::error;
use crate::action::Media;

/// The types that the browser may draw. SVG is excluded, because it can contain scripts.
const SHOWN_TYPES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneMediaQuery {
    channel: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeskMediaQuery {
    id: String,
}

pub(super) fn routes() -> Router<HandlerState> {
    Router::new().route("/api/phones/media", get(on_phone)).route("/api/desk/media", get(at_desk))
}

async fn on_phone(
    State(shared): State<HandlerState>,
    asked: Result<Query<PhoneMediaQuery>, QueryRejection>,
) -> Response {
    match asked {
        Ok(Query(PhoneMediaQuery { channel, id })) => match shared.channel(&channel) {
            Ok(channel) => answer(channel.phones.media(&id).await),
            Err(problem) => error(StatusCode::NOT_FOUND, problem.to_string()),
        },
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

async fn at_desk(State(shared): State<HandlerState>, asked: Result<Query<DeskMediaQuery>, QueryRejection>) -> Response {
    match asked {
        Ok(Query(DeskMediaQuery { id })) => answer(shared.desk.media(&id).await),
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

fn answer(media: Option<Media>) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        // Another site may neither embed nor draw it.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let Some(Media { content_type, bytes }) = media else {
        return error(StatusCode::NOT_FOUND, "there is no such picture or file");
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let shown = SHOWN_TYPES.into_iter().find(|shown| *shown == essence);
    let content_type = shown.map_or(HeaderValue::from_static("application/octet-stream"), HeaderValue::from_static);
    // Without a name, so that the name in the page's link applies.
    let disposition = if shown.is_some() { "inline" } else { "attachment" };
    (HEADERS, [(header::CONTENT_DISPOSITION, disposition)], [(header::CONTENT_TYPE, content_type)], Body::from(bytes))
        .into_response()
}
