//! What the agent's desk shows.

use serde::Serialize;
use serde_json::Value;

use super::conversation::{Closer, Conversation, Csat, Dialog, DialogKind, Line, SurveyAnswer};
use super::event::{AcceptStatus, Audience, ChatState, Role};
use super::files::FileView;
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
    /// Whether anything of it is still open, be it the survey only: LivePerson's `stage`. The consumer cannot open another
    /// conversation before this is over.
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
    /// The body of `cm.ConsumerRequestConversation` as it came: campaign, context, time to respond.
    pub request: Value,
    /// The person who writes in.
    pub consumer: ConsumerView,
    /// Whether an agent has accepted it.
    pub agent_joined: bool,
    /// Everyone who takes part besides the consumer, and who was invited.
    pub agents: Vec<ParticipantView>,
    /// The time in which an agent should answer: `NORMAL`, `URGENT`, `PRIORITIZED` or `CUSTOM`.
    pub ttr_type: String,
    /// The same in seconds.
    pub ttr_seconds: i64,
    /// Whether the consumer is typing.
    pub consumer_is_typing: bool,
    /// All chat states of the consumer, in order.
    pub consumer_chat_states: Vec<ChatStateView>,
    /// The last `Client-Properties` that a call of the consumer declared; `None` if the last call declared none, or no JSON
    /// object.
    pub client_properties: Option<Value>,
    /// Whether a call declared other client properties than the one that opened the conversation. They must stay the same.
    pub client_properties_changed: bool,
    /// What was answered in the survey so far, in order; empty without a survey.
    pub survey_answers: Vec<SurveyAnswer>,
    /// The rating by `CSATRate`, which accounts without surveys use.
    pub csat: Option<Csat>,
    /// When it was opened, milliseconds since the epoch.
    pub started_at_ms: i64,
    /// When it was closed with everything in it, milliseconds since the epoch.
    pub ended_at_ms: Option<i64>,
    /// All texts, in order.
    pub transcript: Vec<TranscriptLine>,
}

impl ConversationView {
    /// The dialog of the survey, open or over.
    pub fn survey_dialog(&self) -> Option<&DialogView> {
        self.dialogs.iter().find(|dialog| dialog.kind == DialogKind::PostSurvey)
    }

    /// The last chat state of the consumer.
    pub fn consumer_chat_state(&self) -> Option<ChatState> {
        self.consumer_chat_states.last().map(|state| state.chat_state)
    }
}

/// One dialog of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DialogView {
    /// Its id; that of the main dialog is the conversation's.
    pub id: String,
    /// What it is for.
    pub kind: DialogKind,
    /// Whether it is open.
    pub open: bool,
    /// Who closed it.
    pub closed_by: Option<Closer>,
    /// Why it was closed, for example `Closed by consumer`, or `Completed` for a survey.
    pub closed_cause: Option<String>,
}

/// Somebody who takes part besides the consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParticipantView {
    /// The id that notifications have as the originator.
    pub id: String,
    /// The role.
    pub role: Role,
    /// Invited, and not yet in the conversation.
    pub suggested: bool,
}

/// A chat state of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChatStateView {
    /// The state.
    pub chat_state: ChatState,
    /// When it came, milliseconds since the epoch.
    pub at_ms: i64,
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
    /// The text; of a card, its parts in words, a line each; of a file, its caption, or else its type in brackets.
    pub text: String,
    /// When it was said, milliseconds since the epoch.
    pub at_ms: i64,
    /// Who may see it.
    pub audience: Audience,
    /// What was structured about it: `content` as it was sent if it is a card, and `quickReplies` if it has any.
    pub rich: Option<Value>,
    /// The file, if it is one.
    pub file: Option<FileView>,
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
