//! What the agent does at the desk.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::Value;

use super::api::{Body, done, error};
use super::desk::RichMessage;
use super::upload::{LARGEST_UPLOAD, Upload};
use super::view::ActionError;
use super::{LARGEST_BODY, Shared};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Says {
    conversation: String,
    text: String,
}

/// A card in `content`, with `quick_replies` or without; or a `text` with `quick_replies`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaysRich {
    conversation: String,
    content: Option<Value>,
    quick_replies: Option<Value>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaysFile {
    conversation: String,
    file: Upload,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Types {
    conversation: String,
    typing: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfers {
    conversation: String,
    skill: String,
}

/// Marks as read, goes back to the queue, or closes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acts {
    conversation: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetsSurvey {
    on: bool,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/desk/say", post(says))
        .route("/api/desk/say_rich", post(says_rich))
        .route("/api/desk/typing", post(types))
        .route("/api/desk/read", post(reads))
        .route("/api/desk/transfer", post(transfers))
        .route("/api/desk/leave", post(leaves))
        .route("/api/desk/close", post(closes))
        .route("/api/desk/survey", post(sets_survey))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .merge(Router::new().route("/api/desk/file", post(says_file)).layer(DefaultBodyLimit::max(LARGEST_UPLOAD)))
}

async fn says(State(shared): State<Shared>, Body(Says { conversation, text }): Body<Says>) -> Response {
    done(shared.desk.say(&conversation, &text).await)
}

async fn says_rich(State(shared): State<Shared>, Body(said): Body<SaysRich>) -> Response {
    let SaysRich { conversation, content, quick_replies, text } = said;
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

async fn says_file(State(shared): State<Shared>, Body(SaysFile { conversation, file }): Body<SaysFile>) -> Response {
    done(match file.into_file() {
        Ok(file) => shared.desk.say_file(&conversation, file).await,
        Err(error) => Err(error),
    })
}

async fn types(State(shared): State<Shared>, Body(Types { conversation, typing }): Body<Types>) -> Response {
    done(shared.desk.typing(&conversation, typing).await)
}

async fn reads(State(shared): State<Shared>, Body(Acts { conversation }): Body<Acts>) -> Response {
    done(shared.desk.read(&conversation).await)
}

async fn transfers(State(shared): State<Shared>, Body(Transfers { conversation, skill }): Body<Transfers>) -> Response {
    done(match skill.trim() {
        "" => Err(ActionError::Rejected("a transfer needs the id of a skill".to_owned())),
        skill => shared.desk.transfer(&conversation, skill).await,
    })
}

async fn leaves(State(shared): State<Shared>, Body(Acts { conversation }): Body<Acts>) -> Response {
    done(shared.desk.leave(&conversation).await)
}

async fn closes(State(shared): State<Shared>, Body(Acts { conversation }): Body<Acts>) -> Response {
    done(shared.desk.close(&conversation).await)
}

async fn sets_survey(State(shared): State<Shared>, Body(SetsSurvey { on }): Body<SetsSurvey>) -> Response {
    done(shared.desk.set_survey(on).await)
}
