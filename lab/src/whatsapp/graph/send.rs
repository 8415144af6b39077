//! `POST /{version}/{phone-number-id}/messages`: a message for a phone, or a receipt for a consumer's message.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use connector::port::Clock;
use connector_aws::SystemClock;
use serde_json::{Value, json};

use super::super::account::{BusinessAccount, new_message_id};
use super::super::phone::{self, is_window_open};
use super::request::SendRequest;
use super::{GraphAnswer, GraphCall, GraphError, GraphHandlers, Operation};
use crate::phone::{Direction, MessageContent, MessageState, PhoneMessage};

/// The recipient of a message.
struct Recipient {
    /// The phone's number with the plus.
    number: String,
    /// The recipient as named in the request: digits, or the user id.
    addressed_to: String,
    /// The answer's `contacts` entry.
    contact: Value,
}

pub(super) async fn post(
    State(graph): State<GraphHandlers>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = body.map_err(|error| GraphError::unreadable(error.status(), &error.body_text()));
    let read = body.and_then(|bytes| {
        serde_json::from_slice::<Value>(&bytes)
            .map_err(|error| GraphError::invalid_parameter(format_args!("The body is not JSON: {error}")))
    });
    let is_receipt = read.as_ref().is_ok_and(|body| body.get("status").is_some());
    let call = GraphCall {
        operation: if is_receipt { Operation::MarkRead } else { Operation::SendMessage },
        what: format!("POST /{version}/{id}/messages"),
        shown: read.as_ref().map_or(Value::Null, Value::clone),
    };
    graph
        .perform(call, |account| {
            account.authorize(&version, &headers)?;
            account.check_phone_number_id(&id)?;
            let body = read?;
            let answer = if is_receipt { account.take_receipt(body)? } else { account.take_message(body)? };
            Ok(GraphAnswer::json(StatusCode::OK, &answer))
        })
        .await
}

impl BusinessAccount {
    fn take_message(&self, body: Value) -> Result<Value, GraphError> {
        let mut request = SendRequest::read(body)?;
        let recipient = self.recipient(&request)?;
        let content = request.content(&self.media.lock())?;
        let quotes = self.check_chat(&recipient.number, &content, request.quoted())?;
        let id = new_message_id();
        let message = PhoneMessage {
            id: id.clone(),
            direction: Direction::ToPhone,
            content,
            at: SystemClock.now(),
            state: MessageState::Sent,
            quotes,
            addressed_to: Some(recipient.addressed_to),
            reference: request.biz_opaque_callback_data,
        };
        self.add_to_phone(&recipient.number, message);
        Ok(json!({
            "messaging_product": "whatsapp", "contacts": [recipient.contact], "messages": [{ "id": id }],
        }))
    }

    /// `to` takes precedence over `recipient`. The answer names the contact by the one that was used (Meta,
    /// "Business-scoped user IDs").
    fn recipient(&self, request: &SendRequest) -> Result<Recipient, GraphError> {
        let recipient = match (&request.to, &request.recipient) {
            (Some(to), _) => {
                let number = phone::normalized(to)
                    .ok_or_else(|| GraphError::invalid_value("to is not a phone number with its country code"))?;
                let digits = number.trim_start_matches('+').to_owned();
                let contact = json!({ "input": to, "wa_id": digits });
                Recipient { number, addressed_to: digits, contact }
            }
            (None, Some(user_id)) => {
                let number = phone::number_of(&self.phonebook(), user_id);
                let number = number.ok_or_else(|| {
                    GraphError::invalid_value("recipient is not the user id of a consumer of this business")
                })?;
                let contact = json!({ "input": user_id, "user_id": user_id });
                Recipient { number, addressed_to: user_id.clone(), contact }
            }
            (None, None) => return Err(GraphError::invalid_parameter("The parameter to is required.")),
        };
        if recipient.number.trim_start_matches('+') == self.options.display_phone_number {
            return Err(GraphError::new(131_021, "the recipient is the sender"));
        }
        let is_allowed =
            self.settings.lock().allowed.as_ref().is_none_or(|allowed| allowed.contains(&recipient.number));
        if is_allowed {
            Ok(recipient)
        } else {
            Err(GraphError::new(131_030, "add the recipient's number to the list of allowed recipients"))
        }
    }

    /// Whether the chat accepts this message now. Returns the message that it quotes. As documented, a quote of a
    /// message that the phone doesn't have is omitted.
    fn check_chat(
        &self,
        number: &str,
        content: &MessageContent,
        quoted: Option<&str>,
    ) -> Result<Option<String>, GraphError> {
        let fails_later = self.settings.lock().window_fails_later;
        let phonebook = self.phonebook();
        let phone = phonebook.get(number);
        if fails_later && phone.is_none() {
            return Ok(None);
        }
        let Some(phone) = phone.filter(|phone| fails_later || is_window_open(phone, SystemClock.now())) else {
            let details = "more than 24 hours have passed since the recipient last wrote to the sender's number";
            return Err(GraphError::new(131_047, details));
        };
        if let MessageContent::Reaction(reaction) = content
            && phone.message(&reaction.message_id).is_none()
        {
            return Err(GraphError::invalid_value("reaction['message_id'] is not a message of this chat"));
        }
        Ok(quoted.filter(|id| phone.message(id).is_some()).map(str::to_owned))
    }
}
