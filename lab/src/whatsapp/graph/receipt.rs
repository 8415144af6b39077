//! Receipts for a consumer's message: read, or the business is typing.

use connector::port::Clock;
use connector_aws::SystemClock;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::TYPING_TIME;
use super::super::account::BusinessAccount;
use super::super::delivery::Job;
use super::GraphError;
use super::request::{check_product, part};
use crate::phone::{Direction, MessageState, PhoneMessage};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadRequest {
    messaging_product: Option<String>,
    status: String,
    message_id: Option<String>,
    typing_indicator: Option<TypingIndicator>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypingIndicator {
    #[serde(rename = "type")]
    kind: String,
}

impl BusinessAccount {
    /// Marks the message and all earlier ones of its chat as read, and shows the typing indicator if requested.
    pub(super) fn take_receipt(&self, body: Value) -> Result<Value, GraphError> {
        let request: ReadRequest = part("body", body)?;
        check_product(request.messaging_product.as_deref())?;
        if request.status != "read" {
            return Err(GraphError::invalid_value("status must be read"));
        }
        if request.typing_indicator.as_ref().is_some_and(|typing| typing.kind != "text") {
            return Err(GraphError::invalid_value("typing_indicator['type'] must be text"));
        }
        let message_id = request.message_id.ok_or_else(|| GraphError::missing("message_id"))?;
        let mut changes = Vec::new();
        let number = {
            let mut phonebook = self.phonebook();
            let phone = phonebook.with_message_mut(&message_id);
            let position = phone.as_ref().and_then(|phone| {
                let is_meant =
                    |message: &PhoneMessage| message.id == message_id && message.direction == Direction::FromPhone;
                phone.messages.iter().position(is_meant)
            });
            let (Some(phone), Some(position)) = (phone, position) else {
                return Err(GraphError::invalid_value("message_id is not a message that was received"));
            };
            for message in phone.messages.iter_mut().take(position + 1) {
                if message.direction == Direction::FromPhone && message.advance(MessageState::Read) {
                    changes.push(Some(message.id.clone()));
                }
            }
            if request.typing_indicator.is_some() {
                let until = SystemClock.now() + SignedDuration::try_from(TYPING_TIME).unwrap_or_default();
                phone.typing_until = Some(until);
                changes.push(None);
                self.start(Job::TypingEnds { phone: phone.number.clone(), at: until, after: TYPING_TIME });
            }
            phone.number.clone()
        };
        let what = format!("read by the business on {number}");
        self.options.journal.record(
            "whatsapp",
            "phone",
            what,
            Some(json!({ "typing": request.typing_indicator.is_some() })),
        );
        for message_id in changes {
            self.notify(&number, message_id);
        }
        Ok(json!({ "success": true }))
    }
}
