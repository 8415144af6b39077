//! Sends messages of agents and bots in a form that the consumer's channel can show.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    DeliverToChannel, refuse,
    sending::{Outgoing, OutgoingContent},
};
use crate::{
    app::{
        delivery::{Delivered, Delivery},
        error::DeliveryError,
    },
    domain::{
        delivery::ConsumerRef,
        menu::{ANSWERED_WITHIN, Menu},
        receipt::MessagePosition,
    },
    log_event,
};
use connector_channels::{
    message::OutboundContent,
    rendering::{self, Rendering},
};
use connector_liveengage::{
    id::AccountId,
    messaging::DialogRef,
    notification::{DialogEvent, EventKind, Structured},
    structured_content,
};
use connector_message::{MessageText, code::Code};

/// The choices of a message. A message without choices replaces an older menu, too.
pub(super) struct Offer<'a> {
    pub(super) account: &'a AccountId,
    pub(super) event: &'a DialogEvent,
    pub(super) menu: Option<Menu>,
}

impl Offer<'_> {
    /// The dialog of the message.
    pub(super) fn dialog(&self) -> DialogRef {
        DialogRef { conversation: self.event.conversation.clone(), dialog: self.event.dialog.clone() }
    }

    /// The position of the message.
    pub(super) fn position(&self) -> Option<MessagePosition> {
        let DialogRef { conversation, dialog } = self.dialog();
        Some(MessagePosition { conversation, dialog, sequence: self.event.sequence? })
    }
}

impl DeliverToChannel {
    /// Sends a message of an agent or a bot.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn forward(
        &self,
        account: &AccountId,
        consumer: &ConsumerRef,
        event: &DialogEvent,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let without_menu = |content| Outgoing { content, offer: Some(Offer { account, event, menu: None }) };
        let (text, content) = match &event.kind {
            EventKind::Text(text) if event.quick_replies.is_none() => {
                let content = OutgoingContent::Message(OutboundContent::Text { text: text.clone() });
                return self.send(consumer, without_menu(content), delivery).await;
            }
            EventKind::Text(text) => (Some(text), Value::Null),
            EventKind::RichContent(Structured(content)) => (None, content.clone()),
            EventKind::File(file) => {
                let content = OutgoingContent::Hosted { account, file };
                return self.send(consumer, without_menu(content), delivery).await;
            }
            EventKind::OtherContent(content) => {
                return refuse(DeliveryError::Unsupported { content: content.clone() }, delivery).await;
            }
            EventKind::AcceptStatus { .. } | EventKind::ChatState(_) | EventKind::Unknown(_) => {
                return Ok(Delivered::Nothing("not content"));
            }
        };
        let rendering = self.rendering(consumer, event, (text, &content), delivery).await?;
        let outgoing = match (rendering.content(), text) {
            (Some(content), _) => content,
            // There is nothing to show of an empty text.
            (None, Some(text)) => OutboundContent::Text { text: text.clone() },
            (None, None) => {
                let content = Code::internal("structured content without any text");
                return refuse(DeliveryError::Unsupported { content }, delivery).await;
            }
        };
        let is_answerable = rendering.is_answerable();
        let menu = menu(event, rendering, delivery.attempt.now);
        if is_answerable && menu.is_none() {
            log_event!(MENU_TOO_LARGE, correlation = delivery.context.correlation_text());
        }
        let content = OutgoingContent::Message(outgoing);
        self.send(consumer, Outgoing { content, offer: Some(Offer { account, event, menu }) }, delivery).await
    }

    /// Converts structured content, or a text with quick replies, into what the channel can show.
    async fn rendering(
        &self,
        consumer: &ConsumerRef,
        event: &DialogEvent,
        (text, content): (Option<&MessageText>, &Value),
        delivery: &Delivery<'_>,
    ) -> Result<Rendering, DeliveryError> {
        let settings = &*self.worker.settings(&consumer.line, delivery.attempt).await?;
        let quick_replies = event.quick_replies.as_ref().map(|Structured(replies)| replies);
        let (content, ignored) = structured_content::read(content, quick_replies);
        if ignored.total() > 0 {
            let correlation = delivery.context.correlation_text();
            log_event!(STRUCTURED_CONTENT_UNKNOWN, correlation, count = ignored.total());
        }
        let token = event.sequence.map_or_else(String::new, |sequence| Menu::token(&event.dialog, sequence));
        let capabilities = settings.line.capabilities();
        Ok(rendering::render(&content, text, &capabilities, &settings.wording, &token))
    }
}

fn menu(event: &DialogEvent, rendering: Rendering, now: Timestamp) -> Option<Menu> {
    if !rendering.is_answerable() {
        return None;
    }
    Menu {
        conversation: event.conversation.clone(),
        dialog: event.dialog.clone(),
        sequence: event.sequence?,
        shown_at: now,
        until: now.checked_add(ANSWERED_WITHIN).unwrap_or(now),
        choices: rendering.choices,
        free_answer: rendering.free_answer,
        submit: rendering.submit,
    }
    .bounded()
}
