//! The events of a conversation ("Conversations - Content").

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{call, document, records};
use crate::{
    LiveEngageError,
    id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence},
    identity::ConsumerToken,
    notification::{Audience, EventKind, EventParts, Role, Structured},
};
use connector_message::http::{HttpCall, HttpReply};

/// The name of the call in logs and errors.
const CALL: &str = "LiveEngage history events";

/// What LiveEngage has kept of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationHistory {
    /// The events in the order of their time, and of their sequence number at the same time. LivePerson doesn't sort them.
    pub events: Vec<HistoryEvent>,
    /// How many records can't be read.
    pub unreadable: usize,
}

/// An event in the history. It has fewer fields than the webhook's event: the documented record has neither a dialog, nor a role, nor an
/// audience. They are read if they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The sequence number in its dialog. Only content has one. An [`EventKind::AcceptStatus`] names the numbers of the content that it is
    /// about.
    pub sequence: Option<Sequence>,
    /// The dialog, if the record names it. A conversation with a survey has two dialogs, which both count from 0.
    pub dialog: Option<DialogId>,
    /// The participant id of who wrote it, or of who received or read the content.
    pub originator: Option<String>,
    /// The role of the originator, if the record names it.
    pub role: Role,
    /// When LiveEngage accepted the event.
    pub at: Option<Timestamp>,
    /// Who may see it.
    pub audience: Audience,
    /// The content, or the status of content. The history has no typing. The content of a card is JSON in a string.
    pub kind: EventKind,
    /// The quick replies, unread, if the record has them.
    pub quick_replies: Option<Structured>,
    /// The whole record, unread.
    record: Structured,
}

impl HistoryEvent {
    /// Whether the consumer wrote it, or received or read the content: by the role, or else by the id.
    pub fn is_by(&self, consumer: &LpConsumerId) -> bool {
        match self.role {
            Role::Consumer => true,
            Role::Brand | Role::Controller => false,
            Role::Unknown => self.originator.as_deref() == Some(consumer.as_str()),
        }
    }

    /// Returns the event as a change of a notification `ms.MessagingEventNotification`, so that it can be handled like one of a webhook. What
    /// the record lacks is filled in: the conversation, the dialog (the main one), and the originator, with a role only if it is this consumer:
    /// anybody else may be an agent or a bot, or the same consumer under an earlier id.
    pub fn as_change(&self, conversation: &ConversationId, consumer: &LpConsumerId) -> Value {
        let Structured(record) = &self.record;
        let mut change = record.as_object().cloned().unwrap_or_default();
        change.insert("conversationId".to_owned(), conversation.as_str().into());
        if self.dialog.is_none() {
            change.insert("dialogId".to_owned(), conversation.as_str().into());
        }
        if self.role == Role::Unknown {
            let role = self.is_by(consumer).then_some("CONSUMER");
            change.insert("originatorMetadata".to_owned(), json!({"id": self.originator, "role": role}));
        }
        Value::Object(change)
    }
}

/// Builds the request for the events of one of the consumer's conversations.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header.
pub fn events_request(
    history: &Url,
    account: &AccountId,
    consumer: &ConsumerToken,
    conversation: &ConversationId,
) -> Result<HttpCall, LiveEngageError> {
    let mut call = call(CALL, history, "conversation/content/search", account, consumer)?;
    call.url.query_pairs_mut().append_pair("conversationId", conversation.as_str());
    Ok(call)
}

/// Reads the reply to [`events_request`].
///
/// # Errors
/// [`LiveEngageError::ConsumerJwsRefused`] for 401, [`LiveEngageError::Unreadable`] for a 200 without a list, otherwise by the status.
pub fn events_answer(reply: &HttpReply) -> Result<ConversationHistory, LiveEngageError> {
    let document = document(CALL, reply)?;
    let Some(list) = document.get("messageEventRecords") else {
        return Err(LiveEngageError::Unreadable { call: CALL, what: "no list of events" });
    };
    let (mut events, unreadable) = records(Some(list), event);
    // At the same time, content comes before the status of content.
    events.sort_by_key(|event| (event.at, event.sequence.is_none(), event.sequence));
    Ok(ConversationHistory { events, unreadable })
}

fn event(record: &Value) -> Option<HistoryEvent> {
    let parts = EventParts::read(record).ok()?;
    Some(HistoryEvent {
        sequence: parts.sequence,
        dialog: parts.dialog,
        originator: parts.originator,
        role: parts.role,
        at: parts.at,
        audience: parts.audience,
        kind: parts.kind,
        quick_replies: parts.quick_replies,
        record: Structured(record.clone()),
    })
}
