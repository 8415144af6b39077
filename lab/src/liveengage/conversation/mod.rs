//! A conversation: its dialogs, participants and transcript, and the changes that webhooks report.

mod client_properties;
mod closing;
mod dialog;
mod notification_state;
mod participants;
mod publishing;
mod surveying;

use std::sync::Arc;

use serde_json::Value;

pub(super) use client_properties::DeclaredProperties;
pub(super) use dialog::{Dialog, Ended};
pub(super) use participants::{Participant, Staff};
pub use publishing::Receipt;
pub(super) use publishing::{Author, KeptEvent, Publication, TranscriptEntry};
pub use surveying::SurveyAnswer;
pub(super) use surveying::SurveyRun;

use super::event::{ChatState, Event, Role};
use super::features::Features;
pub(super) use super::notification::PendingNotification;
use super::notification::{Change, ConversationUpsert};
use super::survey::SurveyOptions;
use super::terms::WebhookEvent;
pub(super) use super::terms::{Closer, Csat, DialogKind};

/// The target time for an agent's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeToRespond {
    pub(super) kind: &'static str,
    pub(super) seconds: i64,
}

impl TimeToRespond {
    /// The type with this `ttrDefName`. The account's default applies without a name; an unknown name gives `None`. The
    /// seconds are those of documented payloads; real accounts configure their own.
    pub(super) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("PRIORITIZED") => Some(Self { kind: "PRIORITIZED", seconds: 600 }),
            Some("NORMAL") => Some(Self { kind: "NORMAL", seconds: 3600 }),
            Some("URGENT") => Some(Self { kind: "URGENT", seconds: 300 }),
            Some("CUSTOM") => Some(Self { kind: "CUSTOM", seconds: 600 }),
            Some(_) => None,
        }
    }
}

/// The parameters of a new conversation.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) account_id: String,
    pub(super) consumer_id: String,
    pub(super) external_id: Option<String>,
    pub(super) skill_id: String,
    pub(super) ttr: TimeToRespond,
    pub(super) campaign_info: Option<Value>,
    pub(super) context: Option<Value>,
    /// The client properties of the opening call.
    pub(super) client_properties: Option<Value>,
    /// The body of the request, unchanged.
    pub(super) request: Value,
    /// Whether another channel of the account opened it.
    pub(super) foreign: bool,
}

/// Why a conversation refuses an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConversationError {
    /// The conversation has no such dialog.
    UnknownDialog,
    /// The dialog or the whole conversation is closed.
    Closed,
    /// The conversation, or its main dialog, must be closed first.
    StillOpen,
    /// A receipt for an unused sequence number, a form that was not requested, or an event that surveys don't accept.
    Impossible,
}

/// A chat state of the consumer and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChatStateAt {
    pub(super) chat_state: ChatState,
    pub(super) at_ms: i64,
}

#[derive(Debug)]
pub(super) struct Conversation {
    /// The position in the order of opening.
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) opening: Opening,
    pub(super) first: bool,
    pub(super) skill_id: String,
    pub(super) ttr: TimeToRespond,
    pub(super) started_ms: i64,
    pub(super) updated_ms: i64,
    /// When its last dialog ended.
    pub(super) ended_ms: Option<i64>,
    pub(super) last_consumer_ms: i64,
    /// The main dialog comes first.
    pub(super) dialogs: Vec<Dialog>,
    pub(super) transcript: Vec<TranscriptEntry>,
    /// The events with a sequence number, in order, for websockets that subscribe later.
    pub(super) events: Vec<Change>,
    /// In the order in which they were accepted.
    pub(super) kept_events: Vec<KeptEvent>,
    pub(super) consumer_chat_states: Vec<ChatStateAt>,
    pub(super) declared: DeclaredProperties,
    /// Whether the consumer has called SEND for it.
    pub(super) has_been_sent_to: bool,
    pub(super) csat: Option<Csat>,
    /// The ids of the secure forms that the consumer was invited to fill in.
    form_invitations: Vec<String>,
    /// The survey that follows if all conditions are met.
    planned_survey: Option<Arc<SurveyOptions>>,
    pub(super) survey: Option<SurveyRun>,
}

impl Conversation {
    /// Opens a conversation with its main dialog. An automatic message is sent at once.
    pub(super) fn open(
        (number, id): (usize, String),
        opening: Opening,
        first: bool,
        features: &Features,
        now_ms: i64,
    ) -> (Self, Vec<PendingNotification>) {
        let consumer = Participant::active(opening.consumer_id.clone(), Role::Consumer);
        let mut opened = Self {
            number,
            id: id.clone(),
            first,
            skill_id: opening.skill_id.clone(),
            ttr: opening.ttr,
            started_ms: now_ms,
            updated_ms: now_ms,
            ended_ms: None,
            last_consumer_ms: now_ms,
            dialogs: vec![Dialog::open(id, DialogKind::Main, vec![consumer], now_ms)],
            transcript: Vec::new(),
            events: Vec::new(),
            kept_events: Vec::new(),
            consumer_chat_states: Vec::new(),
            declared: DeclaredProperties::at_opening(opening.client_properties.clone()),
            has_been_sent_to: false,
            csat: None,
            form_invitations: Vec::new(),
            planned_survey: features.survey.clone(),
            survey: None,
            opening,
        };
        let mut outgoing = vec![opened.changed()];
        if let Some(text) = features.auto_messages.as_ref().filter(|_| opened.declared.has("AUTO_MESSAGES")) {
            let author = opened.staff(Staff::Controller, Role::Controller);
            let message = Publication::by(author, opened.id.clone(), Event::text(text));
            // Only closed dialogs refuse these, and this one is new.
            outgoing.extend(opened.add_participant(Staff::Controller, Role::Controller, now_ms).ok().flatten());
            outgoing.extend(opened.publish(message, now_ms).into_iter().flat_map(|(_, said)| said));
        }
        (opened, outgoing)
    }

    /// Whether any dialog is open: LivePerson's `stage`. Until then the consumer can't open another conversation.
    pub(super) fn is_open(&self) -> bool {
        self.ended_ms.is_none()
    }

    pub(super) fn main(&self) -> Option<&Dialog> {
        self.dialogs.first()
    }

    /// How the main dialog ended: LivePerson's `state`.
    pub(super) fn main_ended(&self) -> Option<&Ended> {
        self.main().and_then(|main| main.ended.as_ref())
    }

    pub(super) fn dialog(&self, id: &str) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.id == id)
    }

    /// The dialog that accepts texts, or the main one if none does.
    pub(super) fn current_dialog_id(&self) -> &str {
        self.dialogs.iter().find(|dialog| dialog.ended.is_none()).map_or(&self.id, |dialog| &dialog.id)
    }

    pub(super) fn consumer_is_typing(&self) -> bool {
        self.main_ended().is_none()
            && self.consumer_chat_states.last().is_some_and(|state| state.chat_state == ChatState::Composing)
    }

    pub(super) fn set_ttr(
        &mut self,
        ttr: TimeToRespond,
        now_ms: i64,
    ) -> Result<PendingNotification, ConversationError> {
        self.main_must_be_open()?;
        self.ttr = ttr;
        self.touch(now_ms);
        Ok(self.changed())
    }

    fn main_must_be_open(&self) -> Result<(), ConversationError> {
        if self.main_ended().is_none() { Ok(()) } else { Err(ConversationError::Closed) }
    }

    /// Sets the time of the last change. It always increases, so that the newest state can be identified.
    fn touch(&mut self, now_ms: i64) -> i64 {
        self.updated_ms = now_ms.max(self.updated_ms.saturating_add(1));
        self.updated_ms
    }

    pub(super) fn changed(&self) -> PendingNotification {
        PendingNotification {
            event: WebhookEvent::ExConversation,
            change: Change::Conversation(Box::new(ConversationUpsert::of(self))),
        }
    }
}
