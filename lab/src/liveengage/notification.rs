//! The webhook payloads in their documented form.

use serde::Serialize;
use serde_json::Value;

use super::event::{Audience, Event, Role};
use super::terms::{Closer, Csat, DialogKind, WebhookEvent};

/// A change to report to the account's app install.
#[derive(Debug)]
pub(super) struct PendingNotification {
    pub(super) event: WebhookEvent,
    pub(super) change: Change,
}

/// An element of `body.changes`.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Change {
    Message(Box<MessageBody>),
    Conversation(Box<ConversationUpsert>),
}

/// The content of a message notification.
#[derive(Debug)]
pub(super) struct MessageChange {
    pub(super) sequence: Option<u64>,
    pub(super) originator_id: String,
    pub(super) role: Role,
    pub(super) client_properties: Option<Value>,
    pub(super) server_timestamp: Option<i64>,
    pub(super) event: Event,
    pub(super) conversation_id: String,
    pub(super) dialog_id: String,
    pub(super) audience: Audience,
    pub(super) metadata: Option<Value>,
}

impl Change {
    /// The dialog and the sequence number of an event that has one.
    pub(super) fn position(&self) -> Option<(&str, u64)> {
        match self {
            Self::Message(body) => Some((&body.dialog_id, body.sequence?)),
            Self::Conversation(_) => None,
        }
    }

    /// The dialog of an event that the consumer may see.
    pub(super) fn visible_in(&self) -> Option<&str> {
        match self {
            Self::Message(body) => (body.message_audience == Audience::All).then_some(body.dialog_id.as_str()),
            Self::Conversation(_) => None,
        }
    }

    pub(super) fn message(change: MessageChange) -> Self {
        Self::Message(Box::new(MessageBody {
            sequence: change.sequence,
            originator_id: change.originator_id.clone(),
            originator_metadata: OriginatorMetadata {
                id: change.originator_id,
                role: change.role,
                client_properties: change.client_properties.clone(),
            },
            originator_client_properties: change.client_properties,
            server_timestamp: change.server_timestamp,
            event: change.event,
            conversation_id: change.conversation_id,
            dialog_id: change.dialog_id,
            message_audience: change.audience,
            metadata: change.metadata,
        }))
    }

    /// The notification with these changes, all of one kind.
    pub(super) fn notification(changes: &[Self], subscription_id: &str) -> Result<Vec<u8>, serde_json::Error> {
        let about_conversations = matches!(changes.first(), Some(Self::Conversation(_)));
        serde_json::to_vec(&Notification {
            kind: "notification",
            body: NotificationBody { subscription_id: about_conversations.then_some(subscription_id), changes },
            kind_of_body: if about_conversations {
                "cqm.ExConversationChangeNotification"
            } else {
                "ms.MessagingEventNotification"
            },
        })
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    kind: &'static str,
    body: NotificationBody<'a>,
    #[serde(rename = "type")]
    kind_of_body: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a str>,
    changes: &'a [Change],
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    originator_id: String,
    originator_metadata: OriginatorMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator_client_properties: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_timestamp: Option<i64>,
    event: Event,
    conversation_id: String,
    dialog_id: String,
    message_audience: Audience,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct OriginatorMetadata {
    id: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_properties: Option<Value>,
}

/// The complete state of a conversation, which each notification contains.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ConversationUpsert {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) result: ConversationResult,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationResult {
    pub(super) conv_id: String,
    #[serde(rename = "effectiveTTR")]
    pub(super) effective_ttr: i64,
    pub(super) conversation_details: ConversationDetails,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationDetails {
    pub(super) skill_id: String,
    pub(super) participants: Vec<ParticipantId>,
    pub(super) dialogs: Vec<DialogDetails>,
    pub(super) brand_id: String,
    pub(super) state: &'static str,
    pub(super) stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) close_reason: Option<Closer>,
    pub(super) start_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_ts: Option<i64>,
    pub(super) meta_data_last_update_ts: i64,
    pub(super) first_conversation: bool,
    pub(super) ttr: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) csat: Option<Csat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign_info: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<Value>,
    pub(super) conversation_handler_details: HandlerDetails,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ParticipantId {
    pub(super) id: String,
    pub(super) role: Role,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ParticipantDetails {
    pub(super) id: String,
    pub(super) role: Role,
    pub(super) state: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DialogDetails {
    pub(super) dialog_id: String,
    pub(super) participants_details: Vec<ParticipantDetails>,
    pub(super) dialog_type: DialogKind,
    pub(super) channel_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta_data: Option<Value>,
    pub(super) state: &'static str,
    pub(super) creation_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_ts: Option<i64>,
    pub(super) meta_data_last_update_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed_by: Option<Closer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed_cause: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandlerDetails {
    pub(super) account_id: String,
    pub(super) skill_id: String,
}
