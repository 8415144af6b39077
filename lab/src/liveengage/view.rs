//! What the agent's desk shows.

use serde::Serialize;
use serde_json::Value;

use super::conversation::{Conversation, Line};
use super::event::{AcceptStatus, Audience, Role};
use super::options::WebhookEvent;
use super::world::State;

/// Something happened in a conversation: read it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskChange {
    /// The account of the conversation.
    pub account_id: String,
    /// The conversation.
    pub conversation_id: String,
    /// What happened, by the event that the webhooks tell of it.
    pub event: WebhookEvent,
}

/// A conversation as the agent sees it.
#[derive(Debug, Clone, Serialize)]
pub struct ConversationView {
    /// The conversation id, which is also the id of its main dialog.
    pub id: String,
    /// The account it belongs to.
    pub account_id: String,
    /// Whether it is still open.
    pub open: bool,
    /// Who closed it, `AGENT` or `CONSUMER`, once it is closed.
    pub closed_by: Option<String>,
    /// Whether another channel of the account opened it, so that it is not the connector's.
    pub foreign: bool,
    /// The skill it is routed to; `-1` is the default skill.
    pub skill_id: String,
    /// The body of `cm.ConsumerRequestConversation` as it came: campaign, context, time to respond.
    pub request: Value,
    /// The person who writes in.
    pub consumer: ConsumerView,
    /// Whether the agent has accepted it.
    pub agent_joined: bool,
    /// Whether the consumer is typing.
    pub consumer_is_typing: bool,
    /// When it was opened, milliseconds since the epoch.
    pub started_at_ms: i64,
    /// When it was closed, milliseconds since the epoch.
    pub ended_at_ms: Option<i64>,
    /// All texts, in order.
    pub transcript: Vec<TranscriptLine>,
}

/// The person who writes in.
#[derive(Debug, Clone, Serialize)]
pub struct ConsumerView {
    /// LivePerson's id: 64 hexadecimal digits.
    pub id: String,
    /// The connector's id, unless another channel opened the conversation.
    pub external_id: Option<String>,
    /// First and last name from the user profile, if it has any.
    pub name: Option<String>,
    /// The body of the last `userprofile.SetUserProfile`.
    pub profile: Value,
}

/// One text of a conversation.
#[derive(Debug, Clone, Serialize)]
pub struct TranscriptLine {
    /// The dialog it was said in.
    pub dialog_id: String,
    /// Its number in the dialog. Receipts take numbers too, so there are gaps.
    pub sequence: u64,
    /// Who said it.
    pub who: Role,
    /// The text; of a card, its parts in words, a line each.
    pub text: String,
    /// When it was said, milliseconds since the epoch.
    pub at_ms: i64,
    /// Who may see it.
    pub audience: Audience,
    /// What was structured about it: `content` as it was sent if it is a card, and `quickReplies` if it has any.
    pub rich: Option<Value>,
    /// The metadata that came beside it, an array that is not empty.
    pub metadata: Option<Value>,
    /// What the other side said about it, each status once, in order.
    pub statuses: Vec<AcceptStatus>,
    /// The same with what came along: each receipt that names this line, in order.
    pub receipts: Vec<Receipt>,
}

/// One `AcceptStatusEvent` of the other side about a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// What it says.
    pub status: AcceptStatus,
    /// The receipt's own number in the dialog.
    pub sequence: u64,
    /// The metadata that came beside it, an array that is not empty: with `ACTION`, that of the element that was chosen.
    pub metadata: Option<Value>,
    /// When it came, milliseconds since the epoch.
    pub at_ms: i64,
}

impl ConversationView {
    pub(super) fn of(conversation: &Conversation, state: &State) -> Self {
        let opening = &conversation.opening;
        let profile = state.profiles.get(&(opening.account_id.clone(), opening.consumer_id.clone()));
        Self {
            id: conversation.id.clone(),
            account_id: opening.account_id.clone(),
            open: conversation.is_open(),
            closed_by: conversation.ended.as_ref().map(|ended| ended.by.to_owned()),
            foreign: opening.foreign,
            skill_id: opening.skill_id.clone(),
            request: opening.request.clone(),
            consumer: ConsumerView {
                id: opening.consumer_id.clone(),
                external_id: opening.external_id.clone(),
                name: profile.and_then(name),
                profile: profile.cloned().unwrap_or_default(),
            },
            agent_joined: conversation.agent.is_some(),
            consumer_is_typing: conversation.consumer_is_typing,
            started_at_ms: conversation.started_ms,
            ended_at_ms: conversation.ended.as_ref().map(|ended| ended.at_ms),
            transcript: conversation.transcript.iter().map(TranscriptLine::from).collect(),
        }
    }
}

impl From<&Line> for TranscriptLine {
    fn from(line: &Line) -> Self {
        let mut statuses = Vec::new();
        for receipt in &line.receipts {
            if !statuses.contains(&receipt.status) {
                statuses.push(receipt.status);
            }
        }
        Self {
            dialog_id: line.dialog_id.clone(),
            sequence: line.sequence,
            who: line.role,
            text: line.text.clone(),
            at_ms: line.at_ms,
            audience: line.audience,
            rich: line.rich.clone(),
            metadata: line.metadata.clone(),
            statuses,
            receipts: line.receipts.clone(),
        }
    }
}

/// The name from the `personal` engagement attribute, or else from the profile's own members.
fn name(profile: &Value) -> Option<String> {
    let text = |value: &Value, member: &str| {
        value.get(member).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let attributes = profile.pointer("/authenticatedData/lp_sdes").and_then(Value::as_array);
    let personal = attributes.into_iter().flatten().find_map(|attribute| attribute.get("personal"));
    let first = personal.and_then(|personal| text(personal, "firstname")).or_else(|| text(profile, "firstName"));
    let last = personal.and_then(|personal| text(personal, "lastname")).or_else(|| text(profile, "lastName"));
    let parts: Vec<String> = first.into_iter().chain(last).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
