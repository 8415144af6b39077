//! The agent's actions at the desk.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{Body, done, error};
use super::desk::{RichMessage, WebhooksChange};
use super::features::AccountFeatures;
use super::upload::{FileUpload, LARGEST_UPLOAD};
use super::{HandlerState, LARGEST_BODY};
use crate::action::ActionError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SayRequest {
    conversation: String,
    text: String,
}

/// A card in `content`, with or without `quick_replies`; or a `text` with `quick_replies`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SayRichRequest {
    conversation: String,
    content: Option<Value>,
    quick_replies: Option<Value>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SayFileRequest {
    conversation: String,
    file: FileUpload,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeskTypingRequest {
    conversation: String,
    typing: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferRequest {
    conversation: String,
    skill: String,
}

/// The conversation to mark as read, return to the queue, or close.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConversationRequest {
    conversation: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSurveyRequest {
    on: bool,
}

pub(super) fn routes() -> Router<HandlerState> {
    Router::new()
        .route("/api/desk/say", post(says))
        .route("/api/desk/say_rich", post(says_rich))
        .route("/api/desk/typing", post(types))
        .route("/api/desk/read", post(reads))
        .route("/api/desk/transfer", post(transfers))
        .route("/api/desk/leave", post(leaves))
        .route("/api/desk/close", post(closes))
        .route("/api/desk/survey", post(sets_survey))
        .route("/api/desk/expire_window_tokens", post(expires_window_tokens))
        .route("/api/webhooks", get(shows_webhooks).put(sets_webhooks))
        .route("/api/features", get(shows_features).put(sets_features))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .merge(Router::new().route("/api/desk/file", post(says_file)).layer(DefaultBodyLimit::max(LARGEST_UPLOAD)))
}

async fn says(
    State(shared): State<HandlerState>,
    Body(SayRequest { conversation, text }): Body<SayRequest>,
) -> Response {
    done(shared.desk.say(&conversation, &text).await)
}

async fn says_rich(State(shared): State<HandlerState>, Body(said): Body<SayRichRequest>) -> Response {
    let SayRichRequest { conversation, content, quick_replies, text } = said;
    let message = match (content, quick_replies, text) {
        (Some(content), quick_replies, None) => RichMessage::Card { content, quick_replies },
        (None, Some(quick_replies), Some(text)) => RichMessage::Text { text, quick_replies },
        _ => {
            return error(
                StatusCode::UNPROCESSABLE_ENTITY,
                "a structured message is a card in content, or a text with quick_replies, but not both",
            );
        }
    };
    done(shared.desk.say_rich(&conversation, message).await)
}

async fn says_file(
    State(shared): State<HandlerState>,
    Body(SayFileRequest { conversation, file }): Body<SayFileRequest>,
) -> Response {
    done(match file.into_file() {
        Ok(file) => shared.desk.say_file(&conversation, file).await,
        Err(error) => Err(error),
    })
}

async fn types(
    State(shared): State<HandlerState>,
    Body(DeskTypingRequest { conversation, typing }): Body<DeskTypingRequest>,
) -> Response {
    done(shared.desk.typing(&conversation, typing).await)
}

async fn reads(
    State(shared): State<HandlerState>,
    Body(ConversationRequest { conversation }): Body<ConversationRequest>,
) -> Response {
    done(shared.desk.read(&conversation).await)
}

async fn transfers(
    State(shared): State<HandlerState>,
    Body(TransferRequest { conversation, skill }): Body<TransferRequest>,
) -> Response {
    done(match skill.trim() {
        "" => Err(ActionError::Rejected("a transfer needs the id of a skill".to_owned())),
        skill => shared.desk.transfer(&conversation, skill).await,
    })
}

async fn leaves(
    State(shared): State<HandlerState>,
    Body(ConversationRequest { conversation }): Body<ConversationRequest>,
) -> Response {
    done(shared.desk.leave(&conversation).await)
}

async fn closes(
    State(shared): State<HandlerState>,
    Body(ConversationRequest { conversation }): Body<ConversationRequest>,
) -> Response {
    done(shared.desk.close(&conversation).await)
}

async fn expires_window_tokens(State(shared): State<HandlerState>) -> Response {
    done(shared.desk.expire_window_tokens().await)
}

async fn shows_webhooks(State(shared): State<HandlerState>) -> Response {
    shown(shared.desk.webhooks().await, "webhooks")
}

async fn shows_features(State(shared): State<HandlerState>) -> Response {
    shown(shared.desk.features().await, "features")
}

async fn sets_features(State(shared): State<HandlerState>, Body(features): Body<AccountFeatures>) -> Response {
    done(shared.desk.set_features(features).await)
}

/// A setting as JSON, or the answer of a desk without it.
fn shown(setting: Option<impl Serialize>, name: &str) -> Response {
    match setting {
        Some(setting) => ([(header::CACHE_CONTROL, "no-store")], Json(setting)).into_response(),
        None => done(Err(ActionError::unsupported("this desk", name))),
    }
}

async fn sets_webhooks(State(shared): State<HandlerState>, Body(change): Body<WebhooksChange>) -> Response {
    done(shared.desk.set_webhooks(change).await)
}

async fn sets_survey(
    State(shared): State<HandlerState>,
    Body(SetSurveyRequest { on }): Body<SetSurveyRequest>,
) -> Response {
    done(shared.desk.set_survey(on).await)
}
