//! `cm.UpdateConversationField`: the changes of a conversation by a consumer.

use serde_json::{Value, json};

use super::Envelope;
use super::error::{RequestError, refuse};
use super::send::{Request, apply};
use crate::liveengage::backend::Backend;
use crate::liveengage::conversation::{Closer, Conversation, Csat, PendingNotification, TimeToRespond};
use crate::liveengage::endpoint::{ServiceAnswer, ServiceCall};
use crate::liveengage::tokens::ConsumerIdentity;

/// A change that a consumer may request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FieldUpdate {
    /// Closes everything at once, without a survey.
    CloseAll,
    CloseDialog {
        dialog_id: String,
        cause: Option<String>,
    },
    Rate(Csat),
    SetTtr(TimeToRespond),
}

pub(super) fn update(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    envelope: &Envelope,
) -> ServiceAnswer {
    // The connector pages have an object here, and other pages an array with that object.
    let field = match envelope.body.get("conversationField") {
        Some(Value::Array(fields)) if fields.len() == 1 => fields.first(),
        field => field,
    };
    let (Some(update), Some(conversation_id)) = (field.and_then(read), envelope.text("conversationId")) else {
        return refuse(envelope, RequestError::Malformed);
    };
    if matches!(update, FieldUpdate::Rate(_)) && !backend.features(call.account_id()).legacy_csat {
        return refuse(envelope, RequestError::Malformed);
    }
    apply(Request { backend, call, consumer, envelope }, conversation_id, |conversation, now_ms| {
        let (message, out) = carry_out(conversation, update, now_ms)?;
        Ok((json!({ "msg": message }), out))
    })
}

/// `None` for malformed, unknown and agent-only updates, such as transfers.
fn read(field: &Value) -> Option<FieldUpdate> {
    let text = |pointer: &str| field.pointer(pointer).and_then(Value::as_str);
    match text("/field")? {
        "ConversationStateField" | "Stage" => (text("/conversationState")? == "CLOSE").then_some(FieldUpdate::CloseAll),
        "DialogChange" => {
            (text("/type")? == "UPDATE" && text("/dialog/state")? == "CLOSE").then_some(FieldUpdate::CloseDialog {
                dialog_id: text("/dialog/dialogId")?.to_owned(),
                cause: text("/dialog/closedCause").map(str::to_owned),
            })
        }
        "CSATRate" => serde_json::from_value(field.clone()).ok().filter(Csat::is_valid).map(FieldUpdate::Rate),
        "TTRField" => {
            let seconds = field.get("value").and_then(Value::as_i64).filter(|seconds| *seconds > 0)?;
            let named = TimeToRespond::named(Some(text("/ttrType")?))?;
            Some(FieldUpdate::SetTtr(TimeToRespond { seconds, ..named }))
        }
        _ => None,
    }
}

fn carry_out(
    conversation: &mut Conversation,
    update: FieldUpdate,
    now_ms: i64,
) -> Result<(&'static str, Vec<PendingNotification>), RequestError> {
    const CLOSED: &str = "OK Conversation resolved successfully";
    // The answer to the other updates is not documented.
    const UPDATED: &str = "OK Conversation updated successfully";
    Ok(match update {
        FieldUpdate::CloseAll => (CLOSED, vec![conversation.close_all(Closer::Consumer, None, now_ms)?]),
        FieldUpdate::CloseDialog { dialog_id, cause } => {
            (CLOSED, conversation.close_dialog(&dialog_id, Closer::Consumer, cause, now_ms)?)
        }
        FieldUpdate::Rate(csat) => (UPDATED, vec![conversation.rate(csat, now_ms)?]),
        FieldUpdate::SetTtr(ttr) => (UPDATED, vec![conversation.set_ttr(ttr, now_ms)?]),
    })
}
