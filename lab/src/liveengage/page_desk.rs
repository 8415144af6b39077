//! The agent's desk as the page shows it.

use async_trait::async_trait;

use crate::page::{ActionError, BubbleView, ConversationState, Desk, DeskConversationView, Side};

use super::desk::DeskError;
use super::event::Role;
use super::simulator::LiveEngageSimulator;
use super::view::{ConversationView, TranscriptLine};

#[async_trait]
impl Desk for LiveEngageSimulator {
    async fn conversations(&self) -> Vec<DeskConversationView> {
        LiveEngageSimulator::conversations(self).iter().rev().map(DeskConversationView::from).collect()
    }

    async fn transcript(&self, conversation: &str) -> Option<Vec<BubbleView>> {
        let conversation = self.conversation(conversation).ok()?;
        let mut bubbles: Vec<BubbleView> = conversation.transcript.iter().map(BubbleView::from).collect();
        if let Some(at_ms) = conversation.ended_at_ms {
            bubbles.push(BubbleView {
                id: "closed".to_owned(),
                side: Side::System,
                text: format!("Closed by {}", conversation.closed_by.as_deref().unwrap_or("SYSTEM").to_lowercase()),
                at_ms,
                sequence: None,
                state: None,
                note: None,
            });
        }
        Some(bubbles)
    }

    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError> {
        if text.trim().is_empty() {
            return Err(ActionError::Rejected("a message needs a text".to_owned()));
        }
        LiveEngageSimulator::say(self, conversation, text).map(drop).map_err(ActionError::from)
    }

    async fn close(&self, conversation: &str) -> Result<(), ActionError> {
        LiveEngageSimulator::close(self, conversation).map_err(ActionError::from)
    }
}

impl From<&ConversationView> for DeskConversationView {
    fn from(conversation: &ConversationView) -> Self {
        let short: String = conversation.consumer.id.chars().take(8).collect();
        Self {
            id: conversation.id.clone(),
            title: conversation.consumer.name.clone().unwrap_or_else(|| format!("Consumer {short}")),
            state: if conversation.open { ConversationState::Open } else { ConversationState::Closed },
            opened_at_ms: conversation.started_at_ms,
            last_text: conversation.transcript.last().map(|line| line.text.clone()),
            messages: conversation.transcript.len(),
        }
    }
}

impl From<&TranscriptLine> for BubbleView {
    fn from(line: &TranscriptLine) -> Self {
        Self {
            id: format!("{}/{}", line.dialog_id, line.sequence),
            side: if line.who == Role::Consumer { Side::Consumer } else { Side::Agent },
            text: line.text.clone(),
            at_ms: line.at_ms,
            sequence: Some(line.sequence),
            state: None,
            note: None,
        }
    }
}

impl From<DeskError> for ActionError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::UnknownConversation(_) | DeskError::UnknownAccount(_) => Self::NotFound(error.to_string()),
            DeskError::Closed(_) | DeskError::NotForeign(_) => Self::Rejected(error.to_string()),
        }
    }
}
