//! The agent's desk as the page shows it.

use async_trait::async_trait;

use crate::page::{
    ActionError, BubbleState, BubbleView, CardPartKind, CardPartView, ConversationState, Desk, DeskBubbleView,
    DeskConversationView, RichMessage, Side,
};

use super::desk::DeskError;
use super::event::{AcceptStatus, Audience, Role};
use super::simulator::LiveEngageSimulator;
use super::structured_content::{self, Part, PartKind};
use super::view::{ConversationView, Receipt, TranscriptLine};

#[async_trait]
impl Desk for LiveEngageSimulator {
    async fn conversations(&self) -> Vec<DeskConversationView> {
        LiveEngageSimulator::conversations(self).iter().rev().map(DeskConversationView::from).collect()
    }

    async fn transcript(&self, conversation: &str) -> Option<Vec<DeskBubbleView>> {
        let conversation = self.conversation(conversation).ok()?;
        let mut bubbles: Vec<DeskBubbleView> = conversation.transcript.iter().map(DeskBubbleView::from).collect();
        if let Some(at_ms) = conversation.ended_at_ms {
            let bubble = BubbleView {
                id: "closed".to_owned(),
                side: Side::System,
                text: format!("Closed by {}", conversation.closed_by.as_deref().unwrap_or("SYSTEM").to_lowercase()),
                at_ms,
                sequence: None,
                state: None,
                note: None,
            };
            bubbles.push(DeskBubbleView { bubble, card: Vec::new(), tags: Vec::new() });
        }
        Some(bubbles)
    }

    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError> {
        must_have_words(text)?;
        LiveEngageSimulator::say(self, conversation, text).map(drop).map_err(ActionError::from)
    }

    async fn say_rich(&self, conversation: &str, message: RichMessage) -> Result<(), ActionError> {
        let said = match message {
            RichMessage::Card { content, quick_replies } => {
                LiveEngageSimulator::say_rich(self, conversation, content, quick_replies)
            }
            RichMessage::Text { text, quick_replies } => {
                must_have_words(&text)?;
                self.say_with_quick_replies(conversation, &text, quick_replies)
            }
        };
        said.map(drop).map_err(ActionError::from)
    }

    async fn close(&self, conversation: &str) -> Result<(), ActionError> {
        LiveEngageSimulator::close(self, conversation).map_err(ActionError::from)
    }
}

fn must_have_words(text: &str) -> Result<(), ActionError> {
    if text.trim().is_empty() {
        return Err(ActionError::Rejected("a message needs a text".to_owned()));
    }
    Ok(())
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

impl From<&TranscriptLine> for DeskBubbleView {
    fn from(line: &TranscriptLine) -> Self {
        // The consumer's connector says nothing about private notes, which it must not pass on.
        let is_answer = line.who == Role::AssignedAgent && line.audience == Audience::All;
        let bubble = BubbleView {
            id: format!("{}/{}", line.dialog_id, line.sequence),
            side: if line.who == Role::Consumer { Side::Consumer } else { Side::Agent },
            text: line.text.clone(),
            at_ms: line.at_ms,
            sequence: Some(line.sequence),
            state: is_answer.then(|| progress(&line.receipts)),
            note: is_answer.then(|| remarks(&line.receipts)).flatten(),
        };
        Self {
            bubble,
            card: card(line),
            tags: line.metadata.as_ref().map(structured_content::tags).unwrap_or_default(),
        }
    }
}

/// How far an answer has come. A receipt that something was not received counts until a later one says otherwise.
fn progress(receipts: &[Receipt]) -> BubbleState {
    receipts.iter().fold(BubbleState::Accepted, |state, receipt| match receipt.status {
        AcceptStatus::Nack => BubbleState::Failed,
        AcceptStatus::Accept if state == BubbleState::Read => BubbleState::Read,
        AcceptStatus::Accept => BubbleState::Delivered,
        AcceptStatus::Read | AcceptStatus::Access | AcceptStatus::Action => BubbleState::Read,
    })
}

/// What the receipts say beyond delivered and read.
fn remarks(receipts: &[Receipt]) -> Option<String> {
    let remarks: Vec<String> = receipts
        .iter()
        .filter_map(|receipt| {
            let remark = match receipt.status {
                AcceptStatus::Accept | AcceptStatus::Read => return None,
                AcceptStatus::Access => "file opened",
                AcceptStatus::Nack => "NACK",
                AcceptStatus::Action => "ACTION",
            };
            let tags = receipt.metadata.as_ref().map(structured_content::tags).unwrap_or_default();
            Some(if tags.is_empty() { remark.to_owned() } else { format!("{remark} {}", tags.join(", ")) })
        })
        .collect();
    (!remarks.is_empty()).then(|| remarks.join(" · "))
}

/// A card with its text, if there is anything structured about the line.
fn card(line: &TranscriptLine) -> Vec<CardPartView> {
    let Some(rich) = &line.rich else { return Vec::new() };
    let content = rich.get("content");
    let text = content.is_none().then(|| CardPartView {
        kind: CardPartKind::Text,
        text: line.text.clone(),
        detail: None,
        tags: Vec::new(),
    });
    let parts = structured_content::parts(content, rich.get("quickReplies"));
    text.into_iter().chain(parts.into_iter().map(CardPartView::from)).collect()
}

impl From<Part> for CardPartView {
    fn from(part: Part) -> Self {
        let kind = match part.kind {
            PartKind::Heading => CardPartKind::Heading,
            PartKind::Text => CardPartKind::Text,
            PartKind::Media => CardPartKind::Media,
            PartKind::Button => CardPartKind::Button,
            PartKind::Checkbox => CardPartKind::Checkbox,
            PartKind::QuickReply => CardPartKind::QuickReply,
            PartKind::Other => CardPartKind::Other,
        };
        Self { kind, text: part.text, detail: part.detail, tags: part.tags }
    }
}

impl From<DeskError> for ActionError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::UnknownConversation(_) | DeskError::UnknownAccount(_) => Self::NotFound(error.to_string()),
            DeskError::Closed(_) | DeskError::NotForeign(_) | DeskError::NotAnObject(_) => {
                Self::Rejected(error.to_string())
            }
        }
    }
}
