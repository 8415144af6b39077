//! The page's JSON API: its state, and the actions on phones and at the desk.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::desk::{DeskBubbleView, DeskConversationView};
use super::phones::{PhoneChannel, PhoneView};
use super::view::{BubbleView, Link};
use super::{HandlerState, desk_actions, media, phone_actions};
use crate::action::ActionError;
use crate::channel::PhoneFeatures;

/// The phone and the conversation that the browser has open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenTranscripts {
    channel: Option<String>,
    phone: Option<String>,
    conversation: Option<String>,
}

/// Everything that the page shows except the wire log.
#[derive(Serialize)]
struct PageState<'a> {
    links: &'a [Link],
    channels: Vec<ChannelState<'a>>,
    conversations: Vec<DeskConversationView>,
    /// Whether a survey follows new conversations; `null` if this can't be set.
    survey: Option<bool>,
    /// The transcript of the requested phone; `null` if it is unknown.
    phone: Option<Vec<BubbleView>>,
    /// Until when that phone shows that the other side is typing.
    brand_types_until_ms: Option<i64>,
    /// The transcript of the requested conversation; `null` if it is unknown.
    conversation: Option<Vec<DeskBubbleView>>,
}

#[derive(Serialize)]
struct ChannelState<'a> {
    name: &'a str,
    features: PhoneFeatures,
    phones: Vec<PhoneView>,
}

pub(super) fn routes() -> Router<HandlerState> {
    Router::new()
        .route("/api/state", get(state))
        .merge(phone_actions::routes())
        .merge(desk_actions::routes())
        .merge(media::routes())
}

async fn state(State(shared): State<HandlerState>, open: Result<Query<OpenTranscripts>, QueryRejection>) -> Response {
    let Query(open) = match open {
        Ok(open) => open,
        Err(rejection) => return error(rejection.status(), rejection.body_text()),
    };
    let (mut phone, mut brand_types_until_ms) = (None, None);
    if let (Some(channel), Some(number)) = (&open.channel, &open.phone)
        && let Ok(PhoneChannel { phones, .. }) = shared.channel(channel)
    {
        phone = phones.transcript(number).await;
        brand_types_until_ms = phones.brand_types_until(number).await;
    }
    let conversation = match open.conversation {
        Some(conversation) => shared.desk.transcript(&conversation).await,
        None => None,
    };
    let mut channels = Vec::with_capacity(shared.channels.len());
    for PhoneChannel { name, phones } in shared.channels.iter() {
        channels.push(ChannelState { name, features: phones.features(), phones: phones.phones().await });
    }
    let state = PageState {
        links: &shared.links,
        channels,
        conversations: shared.desk.conversations().await,
        survey: shared.desk.survey().await,
        phone,
        brand_types_until_ms,
        conversation,
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response()
}

impl HandlerState {
    pub(super) fn channel(&self, name: &str) -> Result<&PhoneChannel, ActionError> {
        self.channels
            .iter()
            .find(|channel| channel.name == name)
            .ok_or_else(|| ActionError::NotFound(format!("there is no channel {name:?}")))
    }
}

/// A JSON body. Anything else is refused with an error in the API's form.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(error(rejection.status(), rejection.body_text())),
        }
    }
}

pub(super) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "there is nothing here; the page is at /")
}

/// The answer to an action.
pub(super) fn done(outcome: Result<(), ActionError>) -> Response {
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(ActionError::NotFound(message)) => error(StatusCode::NOT_FOUND, message),
        Err(ActionError::Rejected(message)) => error(StatusCode::UNPROCESSABLE_ENTITY, message),
        Err(ActionError::Failed(message)) => error(StatusCode::BAD_GATEWAY, message),
    }
}

pub(super) fn error(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(json!({ "error": { "message": message.into() } }))).into_response()
}
