//! Publishes events in a conversation and writes its transcript.

use serde::Serialize;
use serde_json::{Value, json};

use super::{ChatStateAt, Conversation, ConversationError, DialogKind, PendingNotification};
use crate::liveengage::event::{AcceptStatus, Audience, Content, Event, HostedFile, Role};
use crate::liveengage::notification::{Change, MessageChange};
use crate::liveengage::structured_content;

/// The author of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::liveengage) struct Author {
    pub(in crate::liveengage) id: String,
    pub(in crate::liveengage) role: Role,
}

/// An event to publish.
#[derive(Debug)]
pub(in crate::liveengage) struct Publication {
    pub(in crate::liveengage) dialog_id: String,
    pub(in crate::liveengage) author: Author,
    pub(in crate::liveengage) event: Event,
    pub(in crate::liveengage) audience: Audience,
    pub(in crate::liveengage) metadata: Option<Value>,
    pub(in crate::liveengage) client_properties: Option<Value>,
}

impl Publication {
    /// An event that is visible to all, without metadata.
    pub(in crate::liveengage) fn by(author: Author, dialog_id: String, event: Event) -> Self {
        Self { dialog_id, author, event, audience: Audience::All, metadata: None, client_properties: None }
    }
}

/// A message of the transcript.
#[derive(Debug)]
pub(in crate::liveengage) struct TranscriptEntry {
    pub(in crate::liveengage) dialog_id: String,
    pub(in crate::liveengage) sequence: u64,
    pub(in crate::liveengage) author: Author,
    pub(in crate::liveengage) text: String,
    pub(in crate::liveengage) at_ms: i64,
    pub(in crate::liveengage) audience: Audience,
    /// The quick replies, and the content of a card.
    pub(in crate::liveengage) rich: Option<Value>,
    pub(in crate::liveengage) file: Option<HostedFile>,
    pub(in crate::liveengage) metadata: Option<Value>,
    /// The other side's receipts for it.
    pub(in crate::liveengage) receipts: Vec<Receipt>,
}

/// An `AcceptStatusEvent` of the other side for a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The status.
    pub status: AcceptStatus,
    /// The receipt's own sequence number in the dialog.
    pub sequence: u64,
    /// The metadata of the receipt, a nonempty array. With `ACTION` it is that of the chosen element.
    pub metadata: Option<Value>,
    /// The time in milliseconds since the epoch.
    pub at_ms: i64,
}

/// An event as the history keeps it: all events but typing.
#[derive(Debug)]
pub(in crate::liveengage) struct KeptEvent {
    pub(in crate::liveengage) sequence: u64,
    pub(in crate::liveengage) author: Author,
    pub(in crate::liveengage) at_ms: i64,
    pub(in crate::liveengage) audience: Audience,
    pub(in crate::liveengage) event: Event,
}

impl TranscriptEntry {
    fn was_read(&self) -> bool {
        self.receipts.iter().any(|receipt| receipt.status == AcceptStatus::Read)
    }
}

/// How a transcript shows an event.
struct DisplayedContent {
    text: String,
    rich: Option<Value>,
    file: Option<HostedFile>,
}

impl DisplayedContent {
    fn text(text: String) -> Self {
        Self { text, rich: None, file: None }
    }
}

impl Conversation {
    /// Publishes an event: assigns its sequence number, updates the transcript, and returns the webhooks to send. Chat
    /// states have no number. Each answer of the consumer advances a survey.
    pub(in crate::liveengage) fn publish(
        &mut self,
        publication: Publication,
        now_ms: i64,
    ) -> Result<(Option<u64>, Vec<PendingNotification>), ConversationError> {
        let open = self.is_open();
        let dialog = self.dialog(&publication.dialog_id).ok_or(ConversationError::UnknownDialog)?;
        if !open || dialog.ended.is_some() {
            return Err(ConversationError::Closed);
        }
        let of_survey = dialog.kind == DialogKind::PostSurvey;
        let by_consumer = publication.author.role == Role::Consumer;
        let impossible = match &publication.event {
            Event::AcceptStatus { sequence_list, .. } => {
                sequence_list.is_empty() || !sequence_list.iter().all(|sequence| dialog.has_used(*sequence))
            }
            Event::ChatState { .. } => of_survey && by_consumer,
            Event::Content(Content::FormSubmission { message }) => {
                !self.form_invitations.contains(&message.invitation_id)
            }
            Event::Content(_) | Event::RichContent { .. } => false,
        };
        if impossible {
            return Err(ConversationError::Impossible);
        }
        let answer = match &publication.event {
            Event::Content(content) if of_survey && by_consumer => {
                Some((content.clone(), publication.metadata.clone()))
            }
            _ => None,
        };
        let (sequence, out) = self.append(publication, now_ms)?;
        let mut outgoing = vec![out];
        if let (Some((content, metadata)), Some(sequence)) = (answer, sequence) {
            outgoing.extend(self.survey_answered(sequence, &content, metadata.as_ref(), now_ms));
        }
        Ok((sequence, outgoing))
    }

    /// Publishes a text of an agent or bot in a main dialog that was closed while the text was in transit.
    pub(in crate::liveengage) fn publish_late(
        &mut self,
        publication: Publication,
        now_ms: i64,
    ) -> Result<(Option<u64>, PendingNotification), ConversationError> {
        let dialog = self.dialog(&publication.dialog_id).ok_or(ConversationError::UnknownDialog)?;
        if dialog.ended.is_none() {
            return Err(ConversationError::StillOpen);
        }
        self.append(publication, now_ms)
    }

    /// The consumer's texts in the main dialog that the agent has not read.
    pub(in crate::liveengage) fn unread_by_agent(&self) -> Vec<u64> {
        self.transcript
            .iter()
            .filter(|line| line.author.role == Role::Consumer && line.dialog_id == self.id && !line.was_read())
            .map(|line| line.sequence)
            .collect()
    }

    pub(super) fn append(
        &mut self,
        publication: Publication,
        now_ms: i64,
    ) -> Result<(Option<u64>, PendingNotification), ConversationError> {
        let dialog = self.dialogs.iter_mut().find(|dialog| dialog.id == publication.dialog_id);
        let dialog = dialog.ok_or(ConversationError::UnknownDialog)?;
        let sequence = publication.event.takes_sequence().then(|| dialog.take_sequence());
        self.append_to_transcript(&publication, sequence, now_ms);
        self.kept_events.extend(sequence.map(|sequence| KeptEvent {
            sequence,
            author: publication.author.clone(),
            at_ms: now_ms,
            audience: publication.audience,
            event: publication.event.clone(),
        }));
        let event = publication.event.webhook_event();
        let change = Change::message(MessageChange {
            sequence,
            originator_id: publication.author.id,
            role: publication.author.role,
            client_properties: publication.client_properties,
            server_timestamp: sequence.map(|_| now_ms),
            event: publication.event,
            conversation_id: self.id.clone(),
            dialog_id: publication.dialog_id,
            audience: publication.audience,
            metadata: publication.metadata,
        });
        if sequence.is_some() {
            self.events.push(change.clone());
        }
        Ok((sequence, PendingNotification { event, change }))
    }

    fn append_to_transcript(&mut self, publication: &Publication, sequence: Option<u64>, now_ms: i64) {
        match &publication.event {
            Event::Content(content) => {
                if let Content::FormInvitation { message } = content {
                    self.form_invitations.push(message.invitation_id.clone());
                }
                self.add_line(publication, sequence, now_ms, shown(content));
            }
            Event::RichContent { content, quick_replies } => {
                let mut rich = json!({ "content": content });
                if let (Some(rich), Some(replies)) = (rich.as_object_mut(), quick_replies) {
                    rich.insert("quickReplies".to_owned(), replies.clone());
                }
                let text = structured_content::summary(content, quick_replies.as_ref());
                self.add_line(publication, sequence, now_ms, DisplayedContent { text, rich: Some(rich), file: None });
            }
            Event::AcceptStatus { status, sequence_list } => {
                let by_consumer = publication.author.role == Role::Consumer;
                let meant = |line: &&mut TranscriptEntry| {
                    line.dialog_id == publication.dialog_id
                        && (line.author.role == Role::Consumer) != by_consumer
                        && sequence_list.contains(&line.sequence)
                };
                for line in self.transcript.iter_mut().filter(meant) {
                    line.receipts.push(Receipt {
                        status: *status,
                        sequence: sequence.unwrap_or_default(),
                        metadata: publication.metadata.clone(),
                        at_ms: now_ms,
                    });
                }
            }
            Event::ChatState { chat_state } => {
                if publication.author.role == Role::Consumer {
                    self.consumer_chat_states.push(ChatStateAt { chat_state: *chat_state, at_ms: now_ms });
                }
            }
        }
    }

    fn add_line(&mut self, publication: &Publication, sequence: Option<u64>, now_ms: i64, shown: DisplayedContent) {
        if publication.author.role == Role::Consumer {
            self.last_consumer_ms = now_ms;
        }
        let Some(sequence) = sequence else { return };
        self.transcript.push(TranscriptEntry {
            dialog_id: publication.dialog_id.clone(),
            sequence,
            author: publication.author.clone(),
            text: shown.text,
            at_ms: now_ms,
            audience: publication.audience,
            rich: shown.rich,
            file: shown.file,
            metadata: publication.metadata.clone(),
            receipts: Vec::new(),
        });
    }
}

fn shown(content: &Content) -> DisplayedContent {
    match content {
        Content::Text { message, quick_replies } => {
            let rich = quick_replies.as_ref().map(|replies| json!({ "quickReplies": replies }));
            DisplayedContent { text: message.clone(), rich, file: None }
        }
        Content::File { message } => {
            let caption = message.caption.clone().filter(|caption| !caption.is_empty());
            let text = caption.unwrap_or_else(|| format!("({} file)", message.file_type));
            DisplayedContent { text, rich: None, file: Some(message.clone()) }
        }
        Content::FormInvitation { message } => DisplayedContent::text(format!("(secure form: {})", message.title)),
        Content::FormSubmission { .. } => DisplayedContent::text("(secure form sent)".to_owned()),
    }
}
