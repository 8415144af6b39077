//! The state of a conversation in notifications.

use serde_json::json;
use uuid::Uuid;

use super::{Conversation, Dialog, DialogKind, Ended, Opening, Participant};
use crate::liveengage::notification::{
    ConversationDetails, ConversationResult, ConversationUpsert, DialogDetails, HandlerDetails, ParticipantDetails,
    ParticipantId,
};

impl ConversationUpsert {
    pub(super) fn of(conversation: &Conversation) -> Self {
        let opening = &conversation.opening;
        let main_ended = conversation.main_ended();
        // No answer is due after the main dialog has ended: LivePerson sends -1.
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
        // Only dialogs of surveys name the app install that runs them.
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
