//! The state of a conversation: its participants, its dialogs and who ended it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;

use super::{Change, UnreadableChange};
use crate::{
    id::{ConversationId, DialogId, LpConsumerId},
    tolerant::{Lenient, LenientList, LenientNumber, LenientText},
};

/// The state of a conversation. Every change has the complete state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationChange {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whether the whole conversation has ended: `stage`, or `state` without a `stage`, is `CLOSE` or `CLOSED`.
    pub closed: bool,
    /// Whether the main dialog is open, in which agents answer. False if the conversation has ended.
    pub main_open: bool,
    /// The dialog of the running survey.
    pub survey: Option<DialogId>,
    /// Who ended the conversation or its main dialog. `None` if the notification doesn't say.
    pub closed_by: Option<ClosedBy>,
    /// Whether an agent is in the main dialog.
    pub agent: AgentPresence,
    /// The skill id. `None` for the account's default skill.
    pub skill: Option<String>,
    /// Whether the consumer has rated the conversation, completely or partially.
    pub csat_filled: bool,
    /// LivePerson's id of the consumer, if the participants contain it.
    pub consumer: Option<LpConsumerId>,
    /// LiveEngage's time of this state. A later state replaces an earlier one. `None` if the notification has no time.
    pub as_of: Option<Timestamp>,
}

/// Who ended a conversation (`closeReason`, `closedBy`). The documentation has no complete list of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// An agent.
    Agent,
    /// The consumer.
    Consumer,
    /// LiveEngage, for example after a timeout.
    System,
    /// Any other value.
    Other,
}

/// Whether an agent (a participant with the role `ASSIGNED_AGENT`) is in the main dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentPresence {
    /// No agent: the consumer waits in the queue.
    None,
    /// An agent was suggested and has not accepted yet (`SUGGESTED`).
    Suggested,
    /// An agent has joined.
    Joined,
}

const AGENT: &str = "ASSIGNED_AGENT";

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConversationWire {
    #[serde_as(as = "Lenient")]
    conv_id: Option<ConversationId>,
    #[serde_as(as = "Lenient")]
    conversation_details: Option<DetailsWire>,
    #[serde_as(as = "LenientNumber")]
    last_update_time: Option<i64>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DetailsWire {
    #[serde_as(as = "LenientList")]
    participants: Vec<ParticipantWire>,
    #[serde_as(as = "Lenient")]
    #[serde(rename = "participantsPId")]
    participants_by_role: Option<ParticipantsByRole>,
    #[serde_as(as = "LenientList")]
    dialogs: Vec<DialogWire>,
    #[serde_as(as = "LenientText")]
    state: Option<String>,
    #[serde_as(as = "LenientText")]
    stage: Option<String>,
    #[serde_as(as = "LenientText")]
    close_reason: Option<String>,
    #[serde_as(as = "LenientText")]
    skill_id: Option<String>,
    #[serde_as(as = "Lenient")]
    csat: Option<CsatWire>,
    #[serde_as(as = "LenientNumber")]
    meta_data_last_update_ts: Option<i64>,
    #[serde_as(as = "LenientNumber")]
    start_ts: Option<i64>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct ParticipantWire {
    #[serde_as(as = "Lenient")]
    id: Option<LpConsumerId>,
    #[serde_as(as = "LenientText")]
    role: Option<String>,
    #[serde_as(as = "LenientText")]
    state: Option<String>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct ParticipantsByRole {
    #[serde_as(as = "LenientList")]
    #[serde(rename = "CONSUMER")]
    consumer: Vec<LpConsumerId>,
    // An `Option`, because `LenientList` would read `null` as a list of one `Value`.
    #[serde_as(as = "Option<LenientList>")]
    #[serde(rename = "ASSIGNED_AGENT")]
    agent: Option<Vec<Value>>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DialogWire {
    #[serde_as(as = "Lenient")]
    dialog_id: Option<DialogId>,
    #[serde_as(as = "LenientText")]
    dialog_type: Option<String>,
    #[serde_as(as = "LenientList")]
    participants_details: Vec<ParticipantWire>,
    #[serde_as(as = "LenientText")]
    state: Option<String>,
    #[serde_as(as = "LenientText")]
    closed_by: Option<String>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CsatWire {
    #[serde_as(as = "LenientText")]
    status: Option<String>,
    #[serde_as(as = "LenientNumber")]
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

/// An unknown value counts as open: treating an open conversation as closed would lose texts.
fn is_closed(state: Option<&str>) -> bool {
    matches!(state, Some("CLOSE" | "CLOSED"))
}

impl DetailsWire {
    fn main(&self, conversation: &ConversationId) -> Option<&DialogWire> {
        let of_type = |wanted: Option<&str>| self.dialogs.iter().find(|dialog| dialog.dialog_type.as_deref() == wanted);
        of_type(Some("MAIN")).or_else(|| {
            // Without types, the main dialog is the one with the conversation's id.
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
        // Only the dialog's participants have the state `SUGGESTED`. Older notifications have only the conversation's participants.
        let listed = main
            .map(|main| main.participants_details.as_slice())
            .filter(|participants| !participants.is_empty())
            .unwrap_or(&self.participants);
        let mut agents = listed.iter().filter(|participant| participant.role.as_deref() == Some(AGENT)).peekable();
        let mapped = self
            .participants_by_role
            .as_ref()
            .and_then(|roles| roles.agent.as_ref())
            .is_some_and(|agents| !agents.is_empty());
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
        // A DELETE change, for example, has no state.
        return Ok(Change::Unknown);
    };
    let wire: ConversationWire =
        ConversationWire::deserialize(result).map_err(|_| UnreadableChange { field: "result" })?;
    let details = wire.conversation_details.unwrap_or_default();
    let conversation = wire.conv_id.ok_or(UnreadableChange { field: "result.convId" })?;
    // `state` belongs to the main dialog: during a survey it is CLOSE while the conversation is still open.
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
            // Every documented sample has this time.
            .or(details.start_ts)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        skill: details.skill_id.filter(|skill| !matches!(skill.as_str(), "" | "-1")),
        conversation,
    }))
}
