//! The agent's view of conversations.

use serde::Serialize;
use serde_json::Value;

use super::conversation::{Closer, Conversation, Csat, Dialog, DialogKind, Receipt, SurveyAnswer, TranscriptEntry};
use super::event::{AcceptStatus, Audience, ChatState, Role};
use super::files::FileView;
use super::terms::WebhookEvent;

/// A change of a conversation, which must be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskChange {
    /// The account of the conversation.
    pub account_id: String,
    /// The conversation.
    pub conversation_id: String,
    /// The event that the webhooks report.
    pub event: WebhookEvent,
}

/// A conversation as the agent sees it.
#[derive(Debug, Clone, Serialize)]
pub struct ConversationView {
    /// The conversation id, which is also the id of its main dialog.
    pub id: String,
    /// The account it belongs to.
    pub account_id: String,
    /// Whether any dialog is open, even if only the survey: LivePerson's `stage`. Until then the consumer can't open
    /// another conversation.
    pub open: bool,
    /// Whether the main dialog is open: LivePerson's `state`. While it is closed and [`Self::open`], a survey runs.
    pub main_dialog_open: bool,
    /// Who closed the main dialog, `AGENT`, `CONSUMER` or `SYSTEM`, once it is closed.
    pub closed_by: Option<String>,
    /// Its dialogs: the main one, and the survey if there is one.
    pub dialogs: Vec<DialogView>,
    /// Whether another channel of the account opened it, so that it is not the connector's.
    pub foreign: bool,
    /// The skill it is routed to; `-1` is the default skill.
    pub skill_id: String,
    /// The body of `cm.ConsumerRequestConversation`, unchanged: campaign, context, time to respond.
    pub request: Value,
    /// The consumer.
    pub consumer: ConsumerView,
    /// Whether an agent has accepted it.
    pub agent_joined: bool,
    /// All participants except the consumer, including invited ones.
    pub agents: Vec<ParticipantView>,
    /// The target time for an agent's answer: `NORMAL`, `URGENT`, `PRIORITIZED` or `CUSTOM`.
    pub ttr_type: String,
    /// This time in seconds.
    pub ttr_seconds: i64,
    /// Whether the consumer is typing.
    pub consumer_is_typing: bool,
    /// All chat states of the consumer, in order.
    pub consumer_chat_states: Vec<ChatStateView>,
    /// The last `Client-Properties` of the consumer's calls; `None` if the last call declared none, or no JSON object.
    pub client_properties: Option<Value>,
    /// Whether a call declared other client properties than the one that opened the conversation. They must not change.
    pub client_properties_changed: bool,
    /// The answers in the survey so far, in order; empty without a survey.
    pub survey_answers: Vec<SurveyAnswer>,
    /// The rating by `CSATRate`, which accounts without surveys use.
    pub csat: Option<Csat>,
    /// When it was opened, milliseconds since the epoch.
    pub started_at_ms: i64,
    /// When all of it was closed, milliseconds since the epoch.
    pub ended_at_ms: Option<i64>,
    /// All texts, in order.
    pub transcript: Vec<TranscriptLine>,
}

impl ConversationView {
    /// The dialog of the survey, open or closed.
    pub fn survey_dialog(&self) -> Option<&DialogView> {
        self.dialogs.iter().find(|dialog| dialog.kind == DialogKind::PostSurvey)
    }

    /// The last chat state of the consumer.
    pub fn consumer_chat_state(&self) -> Option<ChatState> {
        self.consumer_chat_states.last().map(|state| state.chat_state)
    }
}

/// A dialog of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DialogView {
    /// Its id. The main dialog has the conversation's id.
    pub id: String,
    /// Its kind.
    pub kind: DialogKind,
    /// Whether it is open.
    pub open: bool,
    /// Who closed it.
    pub closed_by: Option<Closer>,
    /// Why it was closed, for example `Closed by consumer`, or `Completed` for a survey.
    pub closed_cause: Option<String>,
}

/// A participant other than the consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParticipantView {
    /// The originator id in notifications.
    pub id: String,
    /// The role.
    pub role: Role,
    /// Invited, but not in the conversation yet.
    pub suggested: bool,
}

/// A chat state of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChatStateView {
    /// The state.
    pub chat_state: ChatState,
    /// The time in milliseconds since the epoch.
    pub at_ms: i64,
}

/// The consumer.
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

/// A message of a conversation.
#[derive(Debug, Clone, Serialize)]
pub struct TranscriptLine {
    /// Its dialog.
    pub dialog_id: String,
    /// Its sequence number in the dialog. Receipts have numbers too, so there are gaps.
    pub sequence: u64,
    /// The author.
    pub who: Role,
    /// The text; for a card, the texts of its parts, one per line; for a file, its caption, or else its type in
    /// brackets.
    pub text: String,
    /// The time in milliseconds since the epoch.
    pub at_ms: i64,
    /// Who may see it.
    pub audience: Audience,
    /// The structured part: `content` unchanged if it is a card, and `quickReplies` if it has any.
    pub rich: Option<Value>,
    /// The file, if it is one.
    pub file: Option<FileView>,
    /// The metadata, a nonempty array.
    pub metadata: Option<Value>,
    /// The other side's statuses for it, each once, in order.
    pub statuses: Vec<AcceptStatus>,
    /// The complete receipts that name this message, in order.
    pub receipts: Vec<Receipt>,
}

impl ConversationView {
    /// `profile` is the last user profile of its consumer.
    pub(super) fn of(conversation: &Conversation, profile: Option<&Value>) -> Self {
        let opening = &conversation.opening;
        Self {
            id: conversation.id.clone(),
            account_id: opening.account_id.clone(),
            open: conversation.is_open(),
            main_dialog_open: conversation.main_ended().is_none(),
            closed_by: conversation.main_ended().map(|ended| ended.by.name().to_owned()),
            dialogs: conversation.dialogs.iter().map(DialogView::from).collect(),
            foreign: opening.foreign,
            skill_id: conversation.skill_id.clone(),
            request: opening.request.clone(),
            consumer: ConsumerView {
                id: opening.consumer_id.clone(),
                external_id: opening.external_id.clone(),
                name: profile.and_then(name),
                profile: profile.cloned().unwrap_or_default(),
            },
            agent_joined: conversation.assigned_agent().is_some(),
            agents: agents(conversation),
            ttr_type: conversation.ttr.kind.to_owned(),
            ttr_seconds: conversation.ttr.seconds,
            consumer_is_typing: conversation.consumer_is_typing(),
            consumer_chat_states: conversation
                .consumer_chat_states
                .iter()
                .map(|state| ChatStateView { chat_state: state.chat_state, at_ms: state.at_ms })
                .collect(),
            client_properties: conversation.declared.last.clone(),
            client_properties_changed: conversation.declared.changed,
            survey_answers: conversation.survey.as_ref().map(|survey| survey.answers.clone()).unwrap_or_default(),
            csat: conversation.csat,
            started_at_ms: conversation.started_ms,
            ended_at_ms: conversation.ended_ms,
            transcript: conversation.transcript.iter().map(TranscriptLine::from).collect(),
        }
    }
}

impl From<&Dialog> for DialogView {
    fn from(dialog: &Dialog) -> Self {
        Self {
            id: dialog.id.clone(),
            kind: dialog.kind,
            open: dialog.ended.is_none(),
            closed_by: dialog.ended.as_ref().map(|ended| ended.by),
            closed_cause: dialog.ended.as_ref().and_then(|ended| ended.cause.clone()),
        }
    }
}

fn agents(conversation: &Conversation) -> Vec<ParticipantView> {
    let others = conversation.participants().into_iter().filter(|participant| participant.role != Role::Consumer);
    others
        .map(|participant| ParticipantView {
            id: participant.id.clone(),
            role: participant.role,
            suggested: participant.suggested,
        })
        .collect()
}

impl From<&TranscriptEntry> for TranscriptLine {
    fn from(line: &TranscriptEntry) -> Self {
        let mut statuses = Vec::new();
        for receipt in &line.receipts {
            if !statuses.contains(&receipt.status) {
                statuses.push(receipt.status);
            }
        }
        Self {
            dialog_id: line.dialog_id.clone(),
            sequence: line.sequence,
            who: line.author.role,
            text: line.text.clone(),
            at_ms: line.at_ms,
            audience: line.audience,
            rich: line.rich.clone(),
            file: line.file.as_ref().map(|file| FileView {
                relative_path: file.relative_path.clone(),
                file_type: file.file_type.clone(),
                caption: file.caption.clone(),
            }),
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
