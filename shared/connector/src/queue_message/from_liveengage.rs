//! Messages of the queue to the channels.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Envelope, QueueIdentity, beginning, from_channel::side_group, unreadable_key, unreadable_name, wire};
use crate::{
    domain::{delivery::ConsumerRef, digest::digest, message_key::MessageKey},
    port::QueueMessage,
};
use connector_liveengage::{
    id::{AccountId, ConversationId},
    notification::{self, Change, DialogEvent, EventKind, NotificationType, Role, UnreadableChange},
};
use connector_message::MessageText;

/// Returns the group of the messages of one conversation.
fn conversation_group(account: &AccountId, conversation: &ConversationId) -> String {
    digest([account.as_str().as_bytes(), conversation.as_str().as_bytes()])
}

/// One change of a LiveEngage notification, as JSON and parsed. It is parsed once, when the value is created.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("LiveEngageChange({account} {} {notification:?})", envelope.correlation)]
pub struct LiveEngageChange {
    envelope: Envelope,
    account: AccountId,
    notification: NotificationType,
    json: Value,
    read: Result<Change, UnreadableChange>,
}

impl LiveEngageChange {
    /// Parses a change of a notification of this type.
    pub fn new(envelope: Envelope, account: AccountId, notification: NotificationType, json: Value) -> Self {
        let read = notification::read(notification, &json);
        Self { envelope, account, notification, json, read }
    }

    /// Returns the account.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the notification's type.
    pub const fn notification(&self) -> NotificationType {
        self.notification
    }

    /// Returns the change as JSON.
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// Returns the parsed change. An error for a known type without a required field.
    pub const fn change(&self) -> &Result<Change, UnreadableChange> {
        &self.read
    }

    /// Returns the event, if the change is one.
    pub const fn event(&self) -> Option<&DialogEvent> {
        match &self.read {
            Ok(Change::Event(event)) => Some(event),
            _ => None,
        }
    }

    /// Returns the conversation of the change.
    pub const fn conversation(&self) -> Option<&ConversationId> {
        match &self.read {
            Ok(Change::Event(event)) => Some(&event.conversation),
            Ok(Change::Conversation(state)) => Some(&state.conversation),
            Ok(Change::Unknown) | Err(_) => None,
        }
    }

    /// Returns the same change with this conversation, for an event that names only its dialog. It then belongs to the conversation's
    /// group, after the messages there.
    pub fn moved_to(&self, conversation: &ConversationId) -> Self {
        let mut json = self.json.clone();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("conversationId".to_owned(), conversation.as_str().into());
        }
        Self::new(self.envelope.clone(), self.account.clone(), self.notification, json)
    }

    /// Returns the same event with a placeholder for its content, for content that is too large for the queue. The worker notifies the
    /// agent that it was not delivered. `None` for anything that isn't content.
    pub fn without_content(&self) -> Option<Self> {
        if !self.event()?.kind.is_content() {
            return None;
        }
        let mut fields = self.json.as_object()?.clone();
        let content = json!({"type": "ContentEvent", "contentType": notification::TOO_LARGE});
        fields.insert("event".to_owned(), content);
        let json = Value::Object(fields);
        Some(Self::new(self.envelope.clone(), self.account.clone(), self.notification, json))
    }

    /// Returns the change for its queue, as [`Message::queued`](super::Message::queued) does, which would take the change.
    ///
    /// # Errors
    /// Never for this type; the signature is serde's.
    pub fn queued(&self) -> Result<QueueMessage, serde_json::Error> {
        Ok(self.with_body(wire::encode_change(self)?))
    }

    fn digest_of_json(&self, label: &str) -> String {
        digest([self.account.as_str().as_bytes(), label.as_bytes(), self.json.to_string().as_bytes()])
    }

    /// Returns the deduplication id of typing. The same state of the same participant within five seconds has the same id.
    fn typing_id(&self, event: &DialogEvent) -> String {
        let slot = (self.envelope.accepted_at.as_second() / 5).to_be_bytes();
        digest([
            self.account.as_str().as_bytes(),
            b"chat state",
            event.conversation.as_str().as_bytes(),
            event.originator.as_deref().unwrap_or_default().as_bytes(),
            &[u8::from(event.kind.is_composing())],
            &slot,
        ])
    }
}

/// Returns the kind of an event for its deduplication id, because a text and a receipt for another text can have the same number.
const fn kind_name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Text(_) | EventKind::File(_) | EventKind::OtherContent(_) => "content",
        EventKind::RichContent(_) => "rich content",
        EventKind::AcceptStatus { .. } => "accept status",
        EventKind::ChatState(_) => "chat state",
        EventKind::Unknown(_) => "unknown",
    }
}

impl QueueIdentity for LiveEngageChange {
    fn group(&self) -> String {
        let beside = |conversation: &ConversationId, what: &str| {
            digest([self.account.as_str().as_bytes(), conversation.as_str().as_bytes(), what.as_bytes()])
        };
        match &self.read {
            Ok(Change::Event(event)) => match (&event.kind, event.role) {
                // It is best effort, and no message must wait behind it.
                (EventKind::ChatState(_), _) => beside(&event.conversation, "chat state"),
                // A worker may be waiting for this proof, so it must not wait behind agents' messages.
                (_, Role::Consumer) => beside(&event.conversation, "echo"),
                (_, Role::Brand | Role::Controller | Role::Unknown) => {
                    conversation_group(&self.account, &event.conversation)
                }
            },
            // Use a separate group, because an agent's text may be waiting in the conversation's group for this notification.
            Ok(Change::Conversation(state)) => beside(&state.conversation, "state"),
            Ok(Change::Unknown) | Err(_) => self.digest_of_json("unreadable"),
        }
    }

    fn deduplication_id(&self) -> String {
        match &self.read {
            Ok(Change::Event(event)) => match (&event.kind, event.sequence) {
                (EventKind::ChatState(_), _) => self.typing_id(event),
                (kind, Some(sequence)) => digest([
                    self.account.as_str().as_bytes(),
                    event.dialog.as_str().as_bytes(),
                    kind_name(kind).as_bytes(),
                    &sequence.0.to_be_bytes(),
                ]),
                (kind, None) => self.digest_of_json(kind_name(kind)),
            },
            Ok(Change::Conversation(_)) => self.digest_of_json("conversation"),
            Ok(Change::Unknown) | Err(_) => self.digest_of_json("unreadable"),
        }
    }

    fn key(&self) -> MessageKey {
        match &self.read {
            Ok(Change::Event(DialogEvent { dialog, sequence: Some(sequence), .. })) => MessageKey::FromLiveEngage {
                account: self.account.clone(),
                dialog: dialog.clone(),
                sequence: *sequence,
            },
            _ => MessageKey::of_parts([self.account.as_str().as_bytes(), self.json.to_string().as_bytes()]),
        }
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// A signed notification that can't be read. `Debug` shows none of its content.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("UnreadableNotification({account} {})", envelope.correlation)]
pub struct UnreadableNotification {
    /// The common fields.
    pub envelope: Envelope,
    /// The account.
    pub account: AccountId,
    /// A digest that identifies the whole notification.
    pub name: String,
    /// The unchanged bytes, which may be anything, or their beginning if they are too many for a queue message.
    pub bytes: Bytes,
}

impl UnreadableNotification {
    /// Creates it from a notification, with as much of it as fits into the queue.
    pub fn new(envelope: Envelope, account: AccountId, whole: &[u8]) -> Self {
        let name = unreadable_name(account.as_str(), whole);
        Self { envelope, account, name, bytes: beginning(whole) }
    }
}

impl QueueIdentity for UnreadableNotification {
    fn group(&self) -> String {
        self.name.clone()
    }

    fn deduplication_id(&self) -> String {
        self.name.clone()
    }

    fn key(&self) -> MessageKey {
        unreadable_key(&self.name, &self.envelope)
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// A text of the connector itself to a consumer, from the line's settings. `Debug` doesn't show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The common fields. The time is when the text was caused.
    pub envelope: Envelope,
    /// The consumer.
    pub consumer: ConsumerRef,
    /// A digest that identifies it, so that it is sent once.
    pub name: String,
    /// The conversation that it follows. It is sent after the agent's messages there.
    pub after: Option<(AccountId, ConversationId)>,
    /// The text.
    pub text: MessageText,
}

impl Announcement {
    /// Returns the name of the question that follows a conversation. It is asked once for each.
    pub fn question_name(conversation: &ConversationId) -> String {
        digest([b"satisfaction question".as_slice(), conversation.as_str().as_bytes()])
    }

    /// Returns the name of the reply to an answer to that question. It is sent once for each round.
    pub fn reply_name(conversation: &ConversationId, round: u8) -> String {
        digest([b"satisfaction".as_slice(), conversation.as_str().as_bytes(), &[round]])
    }
}

impl QueueIdentity for Announcement {
    fn group(&self) -> String {
        match &self.after {
            Some((account, conversation)) => conversation_group(account, conversation),
            None => side_group("said", &self.consumer),
        }
    }

    fn deduplication_id(&self) -> String {
        self.key().name()
    }

    fn key(&self) -> MessageKey {
        MessageKey::of_parts([b"said".as_slice(), self.name.as_bytes()])
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// A notice to a consumer that their message did not reach LiveEngage. `Debug` doesn't show its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The common fields. The time is when the message was given up.
    pub envelope: Envelope,
    /// The consumer, on the line that they wrote to.
    pub consumer: ConsumerRef,
    /// The text of the notice.
    pub text: MessageText,
}

impl QueueIdentity for Notice {
    fn group(&self) -> String {
        side_group("notice", &self.consumer)
    }

    fn deduplication_id(&self) -> String {
        self.key().name()
    }

    // At most one per hour and consumer: another machine may answer it, and after an outage there are many.
    fn key(&self) -> MessageKey {
        let hour = self.envelope.accepted_at.as_second() / 3600;
        let (line, user) = (self.consumer.line.as_str().as_bytes(), self.consumer.user.as_str().as_bytes());
        MessageKey::of_parts([b"notice".as_slice(), line, user, &hour.to_be_bytes()])
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}
