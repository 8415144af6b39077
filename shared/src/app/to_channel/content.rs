//! What an agent or a bot said, in the form that the person's channel can show.

use serde_json::Value;

use super::{Attempt, ConsumerRef, DeliverToChannel, Delivered, DeliveryContext, DeliveryError, MessageKey, Outgoing};
use crate::{
    channel::rendering::{self, Rendering},
    domain::{
        code::Code,
        id::AccountId,
        menu::{ANSWERED_WITHIN, Menu},
        message::OutboundContent,
    },
    liveengage::{
        notification::{DialogEvent, EventKind, Structured},
        structured_content,
    },
};

/// What a message offers to choose: nothing, too, takes the place of an older menu.
pub(super) struct Offer<'a> {
    pub(super) event: &'a DialogEvent,
    pub(super) menu: Option<Menu>,
}

impl DeliverToChannel {
    /// Sends what was said.
    pub(super) async fn forward(
        &self,
        account: &AccountId,
        consumer: &ConsumerRef,
        event: &DialogEvent,
        key: &MessageKey,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let (text, content) = match &event.kind {
            EventKind::Text(text) if event.quick_replies.is_none() => {
                let offer = Some(Offer { event, menu: None });
                let content = Outgoing::Content(OutboundContent::Text { text: text.clone() });
                return self.send(consumer, content, offer, key, attempt, context).await;
            }
            EventKind::Text(text) => (Some(text), Value::Null),
            EventKind::RichContent(Structured(content)) => (None, content.clone()),
            EventKind::File(file) => {
                let file = Outgoing::Hosted { account, file };
                return self.send(consumer, file, Some(Offer { event, menu: None }), key, attempt, context).await;
            }
            EventKind::OtherContent(content) => {
                return self
                    .refuse(key, attempt, context, DeliveryError::Unsupported { content: content.clone() })
                    .await;
            }
            EventKind::AcceptStatus { .. } | EventKind::ChatState(_) | EventKind::Unknown(_) => {
                return Ok(Delivered::Nothing("not content"));
            }
        };
        let settings = self.settings(consumer, attempt).await?;
        let settings = &settings.current;
        let (content, ignored) =
            structured_content::read(&content, event.quick_replies.as_ref().map(|Structured(replies)| replies));
        if ignored.total() > 0 {
            tracing::warn!(
                correlation = context.correlation,
                count = ignored.total(),
                "parts of structured content are not known"
            );
        }
        let token = event.sequence.map_or_else(String::new, |sequence| Menu::token(&event.dialog, sequence));
        let capabilities = settings.line.capabilities();
        let rendering = rendering::render(&content, text, &capabilities, &settings.wording, &token);
        let outgoing = match rendering.content() {
            Some(content) => content,
            // An empty text: nobody would see anything, and there is nothing to see.
            None if text.is_some() => OutboundContent::Text { text: text.cloned().unwrap_or_else(empty) },
            None => {
                let error = DeliveryError::Unsupported { content: Code::ours("structured content without any text") };
                return self.refuse(key, attempt, context, error).await;
            }
        };
        let offered = rendering.is_answerable();
        let menu = menu(event, rendering, attempt);
        if offered && menu.is_none() {
            tracing::warn!(
                correlation = context.correlation,
                count = 1,
                "a menu is too large to be kept; answers are plain texts"
            );
        }
        self.send(consumer, Outgoing::Content(outgoing), Some(Offer { event, menu }), key, attempt, context).await
    }
}

fn empty() -> crate::domain::message::MessageText {
    crate::domain::message::MessageText::new("")
}

fn menu(event: &DialogEvent, rendering: Rendering, attempt: &Attempt) -> Option<Menu> {
    if !rendering.is_answerable() {
        return None;
    }
    Menu {
        conversation: event.conversation.clone(),
        dialog: event.dialog.clone(),
        sequence: event.sequence?,
        shown_at: attempt.now,
        until: attempt.now.checked_add(ANSWERED_WITHIN).unwrap_or(attempt.now),
        choices: rendering.choices,
        free_answer: rendering.free_answer,
        submit: rendering.submit,
    }
    .bounded()
}
