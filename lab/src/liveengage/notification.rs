//! The webhook payloads, in the documented shapes.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::conversation::{Closer, Conversation, Csat, Dialog, DialogKind, Ended, Opening, Participant};
use super::event::{Audience, Event, Role};

/// One element of `body.changes`.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Change {
    Message(Box<MessageBody>),
    Conversation(Box<ConversationUpsert>),
}

/// What a message notification tells.
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

    pub(super) fn conversation(conversation: &Conversation) -> Self {
        Self::Conversation(Box::new(ConversationUpsert::of(conversation)))
    }

    /// The notification that carries these changes, all of one kind.
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

/// The whole state of a conversation: each notification carries all of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ConversationUpsert {
    #[serde(rename = "type")]
    kind: &'static str,
    result: ConversationResult,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationResult {
    conv_id: String,
    #[serde(rename = "effectiveTTR")]
    effective_ttr: i64,
    conversation_details: ConversationDetails,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationDetails {
    skill_id: String,
    participants: Vec<ParticipantId>,
    dialogs: Vec<DialogDetails>,
    brand_id: String,
    state: &'static str,
    stage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_reason: Option<Closer>,
    start_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_ts: Option<i64>,
    meta_data_last_update_ts: i64,
    first_conversation: bool,
    ttr: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    csat: Option<Csat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_info: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Value>,
    conversation_handler_details: HandlerDetails,
}

#[derive(Debug, Clone, Serialize)]
struct ParticipantId {
    id: String,
    role: Role,
}

#[derive(Debug, Clone, Serialize)]
struct ParticipantDetails {
    id: String,
    role: Role,
    state: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct DialogDetails {
    dialog_id: String,
    participants_details: Vec<ParticipantDetails>,
    dialog_type: DialogKind,
    channel_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta_data: Option<Value>,
    state: &'static str,
    creation_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_ts: Option<i64>,
    meta_data_last_update_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<Closer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_cause: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct HandlerDetails {
    account_id: String,
    skill_id: String,
}

impl ConversationUpsert {
    fn of(conversation: &Conversation) -> Self {
        let opening = &conversation.opening;
        let main_ended = conversation.main_ended();
        // A conversation whose main dialog is over owes no answer: LivePerson says so with -1.
        let effective_ttr = if main_ended.is_none() {
            conversation.last_consumer_ms.saturating_add(conversation.ttr.seconds.saturating_mul(1000))
        } else {
            -1
        };
        let details = ConversationDetails {
            skill_id: conversation.skill_id.clone(),
            participants: conversation.participants().into_iter().map(ParticipantId::of).collect(),
            dialogs: conversation.dialogs.iter().map(|dialog| DialogDetails::of(dialog, opening)).collect(),
            brand_id: opening.account_id.clone(),
            state: state(main_ended.is_none()),
            stage: state(conversation.is_open()),
            close_reason: main_ended.map(|ended| ended.by),
            start_ts: conversation.started_ms,
            end_ts: conversation.ended_ms,
            meta_data_last_update_ts: conversation.updated_ms,
            first_conversation: conversation.first,
            ttr: json!({ "ttrType": conversation.ttr.kind, "value": conversation.ttr.seconds }),
            csat: conversation.csat,
            campaign_info: opening.campaign_info.clone(),
            context: opening.context.clone(),
            conversation_handler_details: HandlerDetails {
                account_id: opening.account_id.clone(),
                skill_id: conversation.skill_id.clone(),
            },
        };
        let result =
            ConversationResult { conv_id: conversation.id.clone(), effective_ttr, conversation_details: details };
        Self { kind: "UPSERT", result }
    }
}

impl ParticipantId {
    fn of(participant: &Participant) -> Self {
        Self { id: participant.id.clone(), role: participant.role }
    }
}

impl DialogDetails {
    fn of(dialog: &Dialog, opening: &Opening) -> Self {
        let ended: Option<&Ended> = dialog.ended.as_ref();
        let participants_details = dialog.participants.iter().map(|participant| ParticipantDetails {
            id: participant.id.clone(),
            role: participant.role,
            state: if participant.suggested { "SUGGESTED" } else { "ACTIVE" },
        });
        // Only the dialogs of surveys name the app install that runs them.
        let survey_app = (dialog.kind == DialogKind::PostSurvey)
            .then(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{} survey app", opening.account_id).as_bytes()));
        Self {
            dialog_id: dialog.id.clone(),
            participants_details: participants_details.collect(),
            dialog_type: dialog.kind,
            channel_type: "MESSAGING",
            meta_data: survey_app.map(|id| json!({ "appInstallId": id.to_string() })),
            state: state(ended.is_none()),
            creation_ts: dialog.created_ms,
            end_ts: ended.map(|ended| ended.at_ms),
            meta_data_last_update_ts: dialog.updated_ms,
            closed_by: ended.map(|ended| ended.by),
            closed_cause: ended.and_then(|ended| ended.cause.clone()),
        }
    }
}

fn state(open: bool) -> &'static str {
    if open { "OPEN" } else { "CLOSE" }
}
