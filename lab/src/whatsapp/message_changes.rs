//! What a consumer does to a message that exists: an emoji, an edit, a deletion.

use serde_json::json;

use super::WhatsApp;
use super::consumer::{WhatsAppConsumerError, check_text};
use crate::phone::{Direction, MessageContent, Reaction};

impl WhatsApp {
    /// Sets a consumer's emoji on a message of the chat, or removes it (`None`).
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when the number is not a phone's, or the message is not on the phone.
    pub fn consumer_reacts(
        &self,
        phone: &str,
        message_id: &str,
        emoji: Option<&str>,
    ) -> Result<String, WhatsAppConsumerError> {
        self.find(phone, message_id)?;
        let reaction = json!({ "message_id": message_id, "emoji": emoji });
        let content =
            MessageContent::Reaction(Reaction { message_id: message_id.to_owned(), emoji: emoji.map(str::to_owned) });
        self.send(phone, content, None, json!({ "type": "reaction", "reaction": reaction }))
    }

    /// Changes the text of a consumer's own message. The webhook has the type `edit`, with the whole new message.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when the message is not the consumer's or the text is empty or too long.
    pub fn consumer_edits(&self, phone: &str, message_id: &str, text: &str) -> Result<String, WhatsAppConsumerError> {
        check_text(text)?;
        self.find_own(phone, message_id)?;
        let edited = json!({ "type": "text", "text": { "body": text }, "context": { "id": message_id } });
        let edit = json!({ "original_message_id": message_id, "message": edited });
        let content = MessageContent::Edit { message_id: message_id.to_owned(), text: text.to_owned() };
        self.send(phone, content, None, json!({ "type": "edit", "edit": edit }))
    }

    /// Deletes a consumer's own message for everyone. The webhook has the type `revoke`.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when the message is not the consumer's.
    pub fn consumer_deletes(&self, phone: &str, message_id: &str) -> Result<String, WhatsAppConsumerError> {
        self.find_own(phone, message_id)?;
        let content = MessageContent::Deletion { message_id: message_id.to_owned() };
        self.send(phone, content, None, json!({ "type": "revoke", "revoke": { "original_message_id": message_id } }))
    }

    fn find_own(&self, phone: &str, message_id: &str) -> Result<(), WhatsAppConsumerError> {
        match self.find(phone, message_id)?.direction {
            Direction::FromPhone => Ok(()),
            Direction::ToPhone => Err(WhatsAppConsumerError::UnknownMessage(message_id.to_owned())),
        }
    }
}
