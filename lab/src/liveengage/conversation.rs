//! One conversation: its dialogs, participants and transcript, and the changes that webhooks tell of.

use serde_json::{Value, json};

use super::event::{AcceptStatus, Audience, ChatState, Event, Role};
use super::notification::{self, Change};
use super::options::WebhookEvent;
use super::structured_content;
use super::view::Receipt;

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
    /// The body of the request as it came.
    pub(super) request: Value,
    /// Whether another channel of the account opened it.
    pub(super) foreign: bool,
}

/// A dialog of a conversation. The main dialog has the conversation's id.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) ended: Option<Ended>,
    next_sequence: u64,
}

/// When, by whom and why a dialog or conversation ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) at_ms: i64,
    pub(super) by: &'static str,
    pub(super) cause: Option<String>,
}

/// One message of the transcript.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) dialog_id: String,
    pub(super) sequence: u64,
    pub(super) role: Role,
    pub(super) text: String,
    pub(super) at_ms: i64,
    pub(super) audience: Audience,
    /// The quick replies, and the content of a card.
    pub(super) rich: Option<Value>,
    pub(super) metadata: Option<Value>,
    /// What the other side said about it.
    pub(super) receipts: Vec<Receipt>,
}

impl Line {
    fn was_read(&self) -> bool {
        self.receipts.iter().any(|receipt| receipt.status == AcceptStatus::Read)
    }
}

/// An event on its way into a conversation.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) dialog_id: String,
    pub(super) role: Role,
    pub(super) event: Event,
    pub(super) audience: Audience,
    pub(super) metadata: Option<Value>,
    pub(super) client_properties: Option<Value>,
}

/// The dialog does not exist, or takes no more events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such dialog in this conversation.
    UnknownDialog,
    /// The dialog or the whole conversation is closed.
    Closed,
}

#[derive(Debug)]
pub(super) struct Conversation {
    /// The place in the order of opening.
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) opening: Opening,
    pub(super) first: bool,
    /// The agent who accepted it.
    pub(super) agent: Option<String>,
    pub(super) started_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) ended: Option<Ended>,
    pub(super) last_consumer_ms: i64,
    pub(super) dialogs: Vec<Dialog>,
    pub(super) transcript: Vec<Line>,
    pub(super) consumer_is_typing: bool,
}

impl Conversation {
    /// Opens a conversation with its main dialog.
    pub(super) fn open(number: usize, id: String, opening: Opening, first: bool, now_ms: i64) -> (Self, Outgoing) {
        let main = Dialog {
            id: id.clone(),
            kind: "MAIN",
            created_ms: now_ms,
            updated_ms: now_ms,
            ended: None,
            next_sequence: 0,
        };
        let opened = Self {
            number,
            id,
            opening,
            first,
            agent: None,
            started_ms: now_ms,
            updated_ms: now_ms,
            ended: None,
            last_consumer_ms: now_ms,
            dialogs: vec![main],
            transcript: Vec::new(),
            consumer_is_typing: false,
        };
        let created = opened.changed();
        (opened, created)
    }

    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// The agent accepts the conversation; nothing to tell if the agent has it already.
    pub(super) fn join(&mut self, agent_id: &str, now_ms: i64) -> Result<Option<Outgoing>, Refusal> {
        self.must_be_open()?;
        if self.agent.is_some() {
            return Ok(None);
        }
        self.agent = Some(agent_id.to_owned());
        self.touch(now_ms);
        Ok(Some(self.changed()))
    }

    /// Takes an event in: numbers it, writes the transcript, and says what the webhooks have to tell. Chat states take no
    /// number.
    pub(super) fn publish(
        &mut self,
        publication: Publication,
        now_ms: i64,
    ) -> Result<(Option<u64>, Outgoing), Refusal> {
        let open = self.is_open();
        let dialog =
            self.dialogs.iter_mut().find(|dialog| dialog.id == publication.dialog_id).ok_or(Refusal::UnknownDialog)?;
        if !open || dialog.ended.is_some() {
            return Err(Refusal::Closed);
        }
        let sequence = publication.event.takes_sequence().then(|| {
            let sequence = dialog.next_sequence;
            dialog.next_sequence += 1;
            sequence
        });
        self.note(&publication, sequence, now_ms);
        let change = Change::message(notification::MessageChange {
            sequence,
            originator_id: self.originator(publication.role),
            role: publication.role,
            client_properties: publication.client_properties,
            server_timestamp: sequence.map(|_| now_ms),
            event: publication.event.clone(),
            conversation_id: self.id.clone(),
            dialog_id: publication.dialog_id,
            audience: publication.audience,
            metadata: publication.metadata,
        });
        Ok((sequence, Outgoing { event: publication.event.webhook_event(), change }))
    }

    /// Closes the whole conversation with all its dialogs.
    pub(super) fn close(&mut self, by: Role, cause: Option<String>, now_ms: i64) -> Result<Outgoing, Refusal> {
        self.must_be_open()?;
        let now_ms = self.touch(now_ms);
        let by = match by {
            Role::Consumer => "CONSUMER",
            Role::AssignedAgent => "AGENT",
        };
        let ended = Ended { at_ms: now_ms, by, cause };
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.ended.is_none()) {
            dialog.ended = Some(ended.clone());
            dialog.updated_ms = now_ms;
        }
        self.ended = Some(ended);
        self.consumer_is_typing = false;
        Ok(self.changed())
    }

    /// The consumer's texts that the agent has not yet read.
    pub(super) fn unread_by_agent(&self) -> Vec<u64> {
        self.transcript
            .iter()
            .filter(|line| line.role == Role::Consumer && !line.was_read())
            .map(|line| line.sequence)
            .collect()
    }

    fn note(&mut self, publication: &Publication, sequence: Option<u64>, now_ms: i64) {
        match &publication.event {
            Event::Content { message, quick_replies, .. } => {
                let rich = quick_replies.as_ref().map(|replies| json!({ "quickReplies": replies }));
                self.add_line(publication, sequence, now_ms, message.clone(), rich);
            }
            Event::RichContent { content, quick_replies } => {
                let mut rich = json!({ "content": content });
                if let (Some(rich), Some(replies)) = (rich.as_object_mut(), quick_replies) {
                    rich.insert("quickReplies".to_owned(), replies.clone());
                }
                let text = structured_content::summary(content, quick_replies.as_ref());
                self.add_line(publication, sequence, now_ms, text, Some(rich));
            }
            Event::AcceptStatus { status, sequence_list } => {
                let meant = |line: &&mut Line| {
                    line.dialog_id == publication.dialog_id
                        && line.role != publication.role
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
                if publication.role == Role::Consumer {
                    self.consumer_is_typing = *chat_state == ChatState::Composing;
                }
            }
        }
    }

    fn add_line(
        &mut self,
        publication: &Publication,
        sequence: Option<u64>,
        now_ms: i64,
        text: String,
        rich: Option<Value>,
    ) {
        if publication.role == Role::Consumer {
            self.last_consumer_ms = now_ms;
        }
        let Some(sequence) = sequence else { return };
        self.transcript.push(Line {
            dialog_id: publication.dialog_id.clone(),
            sequence,
            role: publication.role,
            text,
            at_ms: now_ms,
            audience: publication.audience,
            rich,
            metadata: publication.metadata.clone(),
            receipts: Vec::new(),
        });
    }

    fn originator(&self, role: Role) -> String {
        match role {
            Role::Consumer => self.opening.consumer_id.clone(),
            Role::AssignedAgent => self.agent.clone().unwrap_or_default(),
        }
    }

    fn must_be_open(&self) -> Result<(), Refusal> {
        if self.is_open() { Ok(()) } else { Err(Refusal::Closed) }
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
