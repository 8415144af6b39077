//! `cm.UpdateConversationField`: what a consumer can change about a conversation.

use serde_json::{Value, json};

use super::Envelope;
use super::refusal::{No, refuse};
use super::send::apply;
use crate::liveengage::conversation::{Closer, Conversation, Csat, Outgoing, TimeToRespond};
use crate::liveengage::endpoint::{Answer, Call};
use crate::liveengage::tokens::ConsumerIdentity;
use crate::liveengage::world::World;

/// A change that a consumer may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Update {
    /// Everything closes at once, without a survey.
    CloseAll,
    CloseDialog {
        dialog_id: String,
        cause: Option<String>,
    },
    Rate(Csat),
    SetTtr(TimeToRespond),
}

pub(super) fn update(world: &World, call: &Call, consumer: &ConsumerIdentity, envelope: &Envelope) -> Answer {
    // The connector pages have one object, other pages an array with that object in it.
    let field = match envelope.body.get("conversationField") {
        Some(Value::Array(fields)) if fields.len() == 1 => fields.first(),
        field => field,
    };
    let (Some(update), Some(conversation_id)) = (field.and_then(read), envelope.text("conversationId")) else {
        return refuse(envelope, No::Malformed);
    };
    if matches!(update, Update::Rate(_)) && !world.features(call.account_id()).legacy_csat {
        return refuse(envelope, No::Malformed);
    }
    apply(world, call, consumer, envelope, conversation_id, |conversation, now_ms| {
        let (message, out) = carry_out(conversation, update, now_ms)?;
        Ok((json!({ "msg": message }), out))
    })
}

/// `None` for what is malformed, unknown, or reserved for agents, such as transfers.
fn read(field: &Value) -> Option<Update> {
    let text = |pointer: &str| field.pointer(pointer).and_then(Value::as_str);
    match text("/field")? {
        "ConversationStateField" | "Stage" => (text("/conversationState")? == "CLOSE").then_some(Update::CloseAll),
        "DialogChange" => {
            (text("/type")? == "UPDATE" && text("/dialog/state")? == "CLOSE").then_some(Update::CloseDialog {
                dialog_id: text("/dialog/dialogId")?.to_owned(),
                cause: text("/dialog/closedCause").map(str::to_owned),
            })
        }
        "CSATRate" => serde_json::from_value(field.clone()).ok().filter(Csat::is_sound).map(Update::Rate),
        "TTRField" => {
            let seconds = field.get("value").and_then(Value::as_i64).filter(|seconds| *seconds > 0)?;
            let named = TimeToRespond::named(Some(text("/ttrType")?))?;
            Some(Update::SetTtr(TimeToRespond { seconds, ..named }))
        }
        _ => None,
    }
}

fn carry_out(
    conversation: &mut Conversation,
    update: Update,
    now_ms: i64,
) -> Result<(&'static str, Vec<Outgoing>), No> {
    const CLOSED: &str = "OK Conversation resolved successfully";
    // The answer to the other updates is not documented.
    const UPDATED: &str = "OK Conversation updated successfully";
    Ok(match update {
        Update::CloseAll => (CLOSED, vec![conversation.close_all(Closer::Consumer, None, now_ms)?]),
        Update::CloseDialog { dialog_id, cause } => {
            (CLOSED, conversation.close_dialog(&dialog_id, Closer::Consumer, cause, now_ms)?)
        }
        Update::Rate(csat) => (UPDATED, vec![conversation.rate(csat, now_ms)?]),
        Update::SetTtr(ttr) => (UPDATED, vec![conversation.set_ttr(ttr, now_ms)?]),
    })
}
