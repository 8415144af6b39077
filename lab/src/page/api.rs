//! The page's JSON API: one state to read, four things to do.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::view::{ActionError, BubbleView, DeskBubbleView, DeskConversationView, Link, PhoneView, RichMessage};

/// Which phone and which conversation the browser has open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    phone: Option<String>,
    conversation: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhoneSends {
    phone: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentSays {
    conversation: String,
    text: String,
}

/// A card in `content`, with `quick_replies` or without; or a `text` with `quick_replies`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentSaysRich {
    conversation: String,
    content: Option<Value>,
    quick_replies: Option<Value>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentCloses {
    conversation: String,
}

/// Everything the page draws beside the wire log.
#[derive(Serialize)]
struct PageState<'a> {
    links: &'a [Link],
    phones: Vec<PhoneView>,
    conversations: Vec<DeskConversationView>,
    /// The transcript of the phone that was asked for; `null` when it is unknown.
    phone: Option<Vec<BubbleView>>,
    /// The transcript of the conversation that was asked for; `null` when it is unknown.
    conversation: Option<Vec<DeskBubbleView>>,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/state", get(state))
        .route("/api/phones/send", post(phone_sends))
        .route("/api/desk/say", post(agent_says))
        .route("/api/desk/say_rich", post(agent_says_rich))
        .route("/api/desk/close", post(agent_closes))
}

async fn state(State(shared): State<Shared>, open: Result<Query<Open>, QueryRejection>) -> Response {
    let Query(open) = match open {
        Ok(open) => open,
        Err(rejection) => return error(rejection.status(), rejection.body_text()),
    };
    let phone = match open.phone {
        Some(phone) => shared.phones.transcript(&phone).await,
        None => None,
    };
    let conversation = match open.conversation {
        Some(conversation) => shared.desk.transcript(&conversation).await,
        None => None,
    };
    let state = PageState {
        links: &shared.links,
        phones: shared.phones.phones().await,
        conversations: shared.desk.conversations().await,
        phone,
        conversation,
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(state)).into_response()
}

async fn phone_sends(State(shared): State<Shared>, body: Result<Json<PhoneSends>, JsonRejection>) -> Response {
    match body {
        Ok(Json(PhoneSends { phone, text })) => done(shared.phones.send(&phone, &text).await),
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

async fn agent_says(State(shared): State<Shared>, body: Result<Json<AgentSays>, JsonRejection>) -> Response {
    match body {
        Ok(Json(AgentSays { conversation, text })) => done(shared.desk.say(&conversation, &text).await),
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

async fn agent_says_rich(State(shared): State<Shared>, body: Result<Json<AgentSaysRich>, JsonRejection>) -> Response {
    let Json(AgentSaysRich { conversation, content, quick_replies, text }) = match body {
        Ok(said) => said,
        Err(rejection) => return error(rejection.status(), rejection.body_text()),
    };
    let message = match (content, quick_replies, text) {
        (Some(content), quick_replies, None) => RichMessage::Card { content, quick_replies },
        (None, Some(quick_replies), Some(text)) => RichMessage::Text { text, quick_replies },
        _ => {
            return error(
                StatusCode::UNPROCESSABLE_ENTITY,
                "a structured message is a card in content, or a text with quick_replies, and not both",
            );
        }
    };
    done(shared.desk.say_rich(&conversation, message).await)
}

async fn agent_closes(State(shared): State<Shared>, body: Result<Json<AgentCloses>, JsonRejection>) -> Response {
    match body {
        Ok(Json(AgentCloses { conversation })) => done(shared.desk.close(&conversation).await),
        Err(rejection) => error(rejection.status(), rejection.body_text()),
    }
}

pub(super) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "there is nothing here; the page is at /")
}

fn done(outcome: Result<(), ActionError>) -> Response {
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
