//! The state of a conversation: who is in it, what is open, who ended it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Change, UnreadableChange};
use crate::{
    domain::id::{ConversationId, DialogId, LpConsumerId},
    liveengage::tolerant,
};

/// The state of a conversation, whole in every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationChange {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whether all of it has ended (`stage`, else `state`, is `CLOSE` or `CLOSED`).
    pub closed: bool,
    /// Whether the main dialog is open: agents answer there. Never in a conversation that has ended.
    pub main_open: bool,
    /// The dialog of a survey that is running.
    pub survey: Option<DialogId>,
    /// Who ended the conversation or its main dialog, where that is said.
    pub closed_by: Option<ClosedBy>,
    /// Whether an agent is there.
    pub agent: AgentPresence,
    /// The skill, `None` for the account's default.
    pub skill: Option<String>,
    /// Whether the consumer has said how satisfied they are, fully or in part.
    pub csat_filled: bool,
    /// The consumer, as LivePerson names them, if the participants tell.
    pub consumer: Option<LpConsumerId>,
    /// LiveEngage's time of this state: a later one wins. 1970 where there is none.
    pub as_of: Timestamp,
}

/// Who ended a conversation (`closeReason`, `closedBy`). The documentation has no closed list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// An agent.
    Agent,
    /// The consumer.
    Consumer,
    /// LiveEngage itself: after a long silence, for example.
    System,
    /// Somebody or something else.
    Other,
}

/// Whether an agent is in the main dialog: the role `ASSIGNED_AGENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentPresence {
    /// None: the consumer waits in the queue.
    None,
    /// One has been asked and has not accepted yet (`SUGGESTED`).
    Suggested,
    /// One is there.
    Joined,
}

const AGENT: &str = "ASSIGNED_AGENT";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationWire {
    #[serde(default, deserialize_with = "tolerant::lenient")]
    conv_id: Option<ConversationId>,
    #[serde(default, deserialize_with = "tolerant::lenient")]
    conversation_details: Option<DetailsWire>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    last_update_time: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailsWire {
    #[serde(default, deserialize_with = "tolerant::one_or_many")]
    participants: Vec<ParticipantWire>,
    #[serde(default, rename = "participantsPId", deserialize_with = "tolerant::lenient")]
    participants_by_role: Option<ParticipantsByRole>,
    #[serde(default, deserialize_with = "tolerant::one_or_many")]
    dialogs: Vec<DialogWire>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    state: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    stage: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    close_reason: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    skill_id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient")]
    csat: Option<CsatWire>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    meta_data_last_update_ts: Option<i64>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    start_ts: Option<i64>,
}

#[derive(Deserialize)]
struct ParticipantWire {
    #[serde(default, deserialize_with = "tolerant::lenient")]
    id: Option<LpConsumerId>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    role: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    state: Option<String>,
}

#[derive(Deserialize)]
struct ParticipantsByRole {
    #[serde(default, rename = "CONSUMER", deserialize_with = "tolerant::one_or_many")]
    consumer: Vec<LpConsumerId>,
    #[serde(default, rename = "ASSIGNED_AGENT", deserialize_with = "tolerant::one_or_many")]
    agent: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DialogWire {
    #[serde(default, deserialize_with = "tolerant::lenient")]
    dialog_id: Option<DialogId>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    dialog_type: Option<String>,
    #[serde(default, deserialize_with = "tolerant::one_or_many")]
    participants_details: Vec<ParticipantWire>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    state: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    closed_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CsatWire {
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    csat_rate: Option<i64>,
}

impl CsatWire {
    fn is_filled(&self) -> bool {
        match self.status.as_deref() {
            Some("FILLED" | "PARTIALLY_FILLED") => true,
            Some(_) => false,
            None => self.csat_rate.is_some(),
        }
    }
}

/// An unknown value counts as open: closing what is open would lose texts.
fn is_closed(state: Option<&str>) -> bool {
    matches!(state, Some("CLOSE" | "CLOSED"))
}

impl DetailsWire {
    fn main(&self, conversation: &ConversationId) -> Option<&DialogWire> {
        let of_type = |wanted: Option<&str>| self.dialogs.iter().find(|dialog| dialog.dialog_type.as_deref() == wanted);
        of_type(Some("MAIN")).or_else(|| {
            // Where no type is said, the main dialog is the one with the conversation's id.
            self.dialogs.iter().find(|dialog| {
                dialog.dialog_type.is_none()
                    && dialog.dialog_id.as_ref().is_some_and(|id| id.as_str() == conversation.as_str())
            })
        })
    }

    fn survey(&self) -> Option<&DialogId> {
        self.dialogs
            .iter()
            .filter(|dialog| dialog.dialog_type.as_deref() == Some("POST_SURVEY"))
            .find(|dialog| !is_closed(dialog.state.as_deref()))?
            .dialog_id
            .as_ref()
    }

    fn agent(&self, main: Option<&DialogWire>) -> AgentPresence {
        // The dialog's own list tells who has not accepted yet; older notifications have only the conversation's.
        let listed = main
            .map(|main| main.participants_details.as_slice())
            .filter(|participants| !participants.is_empty())
            .unwrap_or(&self.participants);
        let mut agents = listed.iter().filter(|participant| participant.role.as_deref() == Some(AGENT)).peekable();
        let mapped = self.participants_by_role.as_ref().is_some_and(|roles| !roles.agent.is_empty());
        if agents.peek().is_none() {
            return if mapped && listed.is_empty() { AgentPresence::Joined } else { AgentPresence::None };
        }
        if agents.all(|agent| agent.state.as_deref() == Some("SUGGESTED")) {
            AgentPresence::Suggested
        } else {
            AgentPresence::Joined
        }
    }

    fn consumer(&self) -> Option<&LpConsumerId> {
        self.participants
            .iter()
            .find(|participant| participant.role.as_deref() == Some("CONSUMER"))
            .and_then(|participant| participant.id.as_ref())
            .or_else(|| self.participants_by_role.as_ref()?.consumer.first())
    }
}

pub(super) fn read(change: &Value) -> Result<Change, UnreadableChange> {
    let Some(result) = change.get("result") else {
        // DELETE changes and whatever else carries no state.
        return Ok(Change::Unknown);
    };
    let wire: ConversationWire =
        ConversationWire::deserialize(result).map_err(|_| UnreadableChange { field: "result" })?;
    let details = wire.conversation_details.unwrap_or_default();
    let conversation = wire.conv_id.ok_or(UnreadableChange { field: "result.convId" })?;
    // `state` is the main dialog's: with a survey running it is CLOSE while the conversation is still open.
    let closed = is_closed(details.stage.as_deref().or(details.state.as_deref()));
    let main = details.main(&conversation);
    let main_state = main.and_then(|main| main.state.as_deref()).or(details.state.as_deref());
    let closed_by = details.close_reason.as_deref().or_else(|| main?.closed_by.as_deref());
    Ok(Change::Conversation(ConversationChange {
        closed,
        main_open: !closed && !is_closed(main_state),
        survey: details.survey().filter(|_| !closed).cloned(),
        closed_by: closed_by.map(|who| match who {
            "AGENT" => ClosedBy::Agent,
            "CONSUMER" => ClosedBy::Consumer,
            "SYSTEM" => ClosedBy::System,
            _ => ClosedBy::Other,
        }),
        agent: details.agent(main),
        csat_filled: details.csat.as_ref().is_some_and(CsatWire::is_filled),
        consumer: details.consumer().cloned(),
        as_of: details
            .meta_data_last_update_ts
            .or(wire.last_update_time.filter(|ms| *ms > 0))
            // The only time that every documented sample has.
            .or(details.start_ts)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
        skill: details.skill_id.filter(|skill| !matches!(skill.as_str(), "" | "-1")),
        conversation,
    }))
}
