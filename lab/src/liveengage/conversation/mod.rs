//! One conversation: its dialogs, participants and transcript, and the changes that webhooks tell of.

mod closing;
mod declared;
mod dialog;
mod participants;
mod publishing;
mod surveying;

use std::sync::Arc;

use serde_json::Value;

pub use closing::{Csat, CsatStatus};
pub(super) use declared::Declared;
pub use dialog::{Closer, DialogKind};
pub(super) use dialog::{Dialog, Ended};
pub(super) use participants::{Participant, Staff};
pub(super) use publishing::{Author, Line, Publication};
pub use surveying::SurveyAnswer;
pub(super) use surveying::SurveyRun;

use super::event::{ChatState, Event, Role};
use super::notification::Change;
use super::options::{Features, WebhookEvent};
use super::survey::SurveyOptions;

/// A change that the account's app install is to hear of.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) event: WebhookEvent,
    pub(super) change: Change,
}

/// The time in which an agent should answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeToRespond {
    pub(super) kind: &'static str,
    pub(super) seconds: i64,
}

impl TimeToRespond {
    /// The type that a `ttrDefName` names; without a name the account's default applies. `None` is an unknown name.
    /// The seconds are those seen in documented payloads; accounts configure their own.
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

/// What opens a conversation.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) account_id: String,
    pub(super) consumer_id: String,
    pub(super) external_id: Option<String>,
    pub(super) skill_id: String,
    pub(super) ttr: TimeToRespond,
    pub(super) campaign_info: Option<Value>,
    pub(super) context: Option<Value>,
    /// What the opening call declared of its client.
    pub(super) client_properties: Option<Value>,
    /// The body of the request as it came.
    pub(super) request: Value,
    /// Whether another channel of the account opened it.
    pub(super) foreign: bool,
}

/// Why a conversation does not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such dialog in this conversation.
    UnknownDialog,
    /// The dialog or the whole conversation is closed.
    Closed,
    /// The conversation, or its main dialog, has to be closed first.
    StillOpen,
    /// A receipt names a number that the dialog has not given out, a form was never asked for, or a survey is sent what
    /// surveys do not take.
    Impossible,
}

/// A chat state of the consumer, when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChatStateAt {
    pub(super) chat_state: ChatState,
    pub(super) at_ms: i64,
}

#[derive(Debug)]
pub(super) struct Conversation {
    /// The place in the order of opening.
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) opening: Opening,
    pub(super) first: bool,
    pub(super) skill_id: String,
    pub(super) ttr: TimeToRespond,
    pub(super) started_ms: i64,
    pub(super) updated_ms: i64,
    /// When its last dialog ended, or all of them at once.
    pub(super) ended_ms: Option<i64>,
    pub(super) last_consumer_ms: i64,
    /// The main dialog comes first.
    pub(super) dialogs: Vec<Dialog>,
    pub(super) transcript: Vec<Line>,
    pub(super) consumer_chat_states: Vec<ChatStateAt>,
    pub(super) declared: Declared,
    /// Whether the consumer has called SEND about it.
    pub(super) has_been_sent_to: bool,
    pub(super) csat: Option<Csat>,
    /// The ids of the secure forms that the consumer was invited to fill in.
    form_invitations: Vec<String>,
    /// The survey that follows if everything allows it.
    planned_survey: Option<Arc<SurveyOptions>>,
    pub(super) survey: Option<SurveyRun>,
}

impl Conversation {
    /// Opens a conversation with its main dialog. The automatic message, if there is one, is said at once.
    pub(super) fn open(
        (number, id): (usize, String),
        opening: Opening,
        first: bool,
        features: &Features,
        now_ms: i64,
    ) -> (Self, Vec<Outgoing>) {
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
            consumer_chat_states: Vec::new(),
            declared: Declared::at_opening(opening.client_properties.clone()),
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
            // Only closed dialogs refuse these, and this one has just been opened.
            outgoing.extend(opened.joins(Staff::Controller, Role::Controller, now_ms).ok().flatten());
            outgoing.extend(opened.publish(message, now_ms).into_iter().flat_map(|(_, said)| said));
        }
        (opened, outgoing)
    }

    /// Whether anything of it is open: LivePerson's `stage`. The consumer can open another one only after that.
    pub(super) fn is_open(&self) -> bool {
        self.ended_ms.is_none()
    }

    pub(super) fn main(&self) -> Option<&Dialog> {
        self.dialogs.first()
    }

    /// How the main dialog ended, which is LivePerson's `state`.
    pub(super) fn main_ended(&self) -> Option<&Ended> {
        self.main().and_then(|main| main.ended.as_ref())
    }

    pub(super) fn dialog(&self, id: &str) -> Option<&Dialog> {
        self.dialogs.iter().find(|dialog| dialog.id == id)
    }

    /// The dialog that takes texts, or the main one if none does.
    pub(super) fn current_dialog_id(&self) -> &str {
        self.dialogs.iter().find(|dialog| dialog.ended.is_none()).map_or(&self.id, |dialog| &dialog.id)
    }

    pub(super) fn consumer_is_typing(&self) -> bool {
        self.main_ended().is_none()
            && self.consumer_chat_states.last().is_some_and(|state| state.chat_state == ChatState::Composing)
    }

    pub(super) fn set_ttr(&mut self, ttr: TimeToRespond, now_ms: i64) -> Result<Outgoing, Refusal> {
        self.main_must_be_open()?;
        self.ttr = ttr;
        self.touch(now_ms);
        Ok(self.changed())
    }

    fn main_must_be_open(&self) -> Result<(), Refusal> {
        if self.main_ended().is_none() { Ok(()) } else { Err(Refusal::Closed) }
    }

    /// Sets the time of the last change. It always grows, so that the newest state can be told from older ones.
    fn touch(&mut self, now_ms: i64) -> i64 {
        self.updated_ms = now_ms.max(self.updated_ms.saturating_add(1));
        self.updated_ms
    }

    fn changed(&self) -> Outgoing {
        Outgoing { event: WebhookEvent::ExConversation, change: Change::conversation(self) }
    }
}
