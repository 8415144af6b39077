//! The consumer's actions on a phone.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use super::api::{Body, done};
use super::upload::{FileUpload, LARGEST_UPLOAD};
use super::{HandlerState, LARGEST_BODY};
use crate::action::ActionError;
use crate::phone::Location;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendTextRequest {
    channel: String,
    phone: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendFileRequest {
    channel: String,
    phone: String,
    file: FileUpload,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendLocationRequest {
    channel: String,
    phone: String,
    latitude: f64,
    longitude: f64,
    name: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TapRequest {
    channel: String,
    phone: String,
    message: String,
    choice: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkReadRequest {
    channel: String,
    phone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneTypingRequest {
    channel: String,
    phone: String,
    typing: bool,
}

pub(super) fn routes() -> Router<HandlerState> {
    Router::new()
        .route("/api/phones/send", post(sends))
        .route("/api/phones/place", post(sends_place))
        .route("/api/phones/tap", post(taps))
        .route("/api/phones/read", post(reads))
        .route("/api/phones/typing", post(types))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .merge(Router::new().route("/api/phones/file", post(sends_file)).layer(DefaultBodyLimit::max(LARGEST_UPLOAD)))
}

async fn sends(
    State(shared): State<HandlerState>,
    Body(SendTextRequest { channel, phone, text }): Body<SendTextRequest>,
) -> Response {
    done(match shared.channel(&channel) {
        Ok(channel) => channel.phones.send(&phone, &text).await,
        Err(error) => Err(error),
    })
}

async fn sends_file(
    State(shared): State<HandlerState>,
    Body(SendFileRequest { channel, phone, file }): Body<SendFileRequest>,
) -> Response {
    done(match (shared.channel(&channel), file.into_file()) {
        (Ok(channel), Ok(file)) => channel.phones.send_file(&phone, file).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    })
}

async fn sends_place(State(shared): State<HandlerState>, Body(sends): Body<SendLocationRequest>) -> Response {
    let SendLocationRequest { channel, phone, latitude, longitude, name, address } = sends;
    let words = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    done(match shared.channel(&channel) {
        Ok(_) if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) => Err(
            ActionError::Rejected("a location has a latitude of -90 to 90 and a longitude of -180 to 180".to_owned()),
        ),
        Ok(channel) => {
            let place = Location { latitude, longitude, name: words(name), address: words(address) };
            channel.phones.send_place(&phone, place).await
        }
        Err(error) => Err(error),
    })
}

async fn taps(
    State(shared): State<HandlerState>,
    Body(TapRequest { channel, phone, message, choice }): Body<TapRequest>,
) -> Response {
    done(match shared.channel(&channel) {
        Ok(channel) => channel.phones.tap(&phone, &message, &choice).await,
        Err(error) => Err(error),
    })
}

async fn reads(
    State(shared): State<HandlerState>,
    Body(MarkReadRequest { channel, phone }): Body<MarkReadRequest>,
) -> Response {
    done(match shared.channel(&channel) {
        Ok(channel) => channel.phones.read(&phone).await,
        Err(error) => Err(error),
    })
}

async fn types(
    State(shared): State<HandlerState>,
    Body(PhoneTypingRequest { channel, phone, typing }): Body<PhoneTypingRequest>,
) -> Response {
    done(match shared.channel(&channel) {
        Ok(channel) => channel.phones.typing(&phone, typing).await,
        Err(error) => Err(error),
    })
}
