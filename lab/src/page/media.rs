//! The pictures and files of the transcripts. What is in them comes from anybody, so that nothing in them may act: pictures of
//! four raster types are shown, and everything else is a download.

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Shared;
use super::api::error;
use super::view::Media;

/// What the browser may draw itself. SVG is missing on purpose: it is a document with scripts.
const SHOWN: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnPhone {
    channel: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtDesk {
    id: String,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/api/phones/media", get(on_phone)).route("/api/desk/media", get(at_desk))
}

async fn on_phone(State(shared): State<Shared>, asked: Result<Query<OnPhone>, QueryRejection>) -> Response {
    match asked {
        Ok(Query(OnPhone { channel, id })) => match shared.channel(&channel) {
            Ok(channel) => answer(channel.phones.media(&id).await),
            Err(problem) => error(StatusCode::NOT_FOUND, problem.to_string()),
        },
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

async fn at_desk(State(shared): State<Shared>, asked: Result<Query<AtDesk>, QueryRejection>) -> Response {
    match asked {
        Ok(Query(AtDesk { id })) => answer(shared.desk.media(&id).await),
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

fn answer(media: Option<Media>) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        // Another site may neither frame it nor draw it.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let Some(Media { content_type, bytes }) = media else {
        return error(StatusCode::NOT_FOUND, "there is no such picture or file");
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let shown = SHOWN.into_iter().find(|shown| *shown == essence);
    let content_type = shown.map_or(HeaderValue::from_static("application/octet-stream"), HeaderValue::from_static);
    // Without a name: the one that the link on the page gives it then counts.
    let disposition = if shown.is_some() { "inline" } else { "attachment" };
    (HEADERS, [(header::CONTENT_DISPOSITION, disposition)], [(header::CONTENT_TYPE, content_type)], Body::from(bytes))
        .into_response()
}
