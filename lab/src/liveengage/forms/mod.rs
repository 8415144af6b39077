//! The forms of what LivePerson sends. Its pages contradict each other, and its samples are of all ages; a connector has to
//! understand all of them.
//!
//! The simulator writes the newest documented form. Each switch of [`Forms`] changes one thing about the finished JSON of answers
//! and notifications on its way out, and nothing about what the simulator does.

mod answer;
mod notification;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::fault::Service;

/// How answers and notifications look. The default is [`Forms::newest`].
///
/// The signature's form belongs to the account: [`super::SignatureForm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forms {
    /// The Domain API's answer for one service.
    pub single_service: SingleService,
    /// The `code` of the Send API's answers.
    pub answer_code: AnswerCode,
    /// Whether the Send API's answers have `kind` and `type`, as on the websocket.
    pub typed_answers: bool,
    /// Whether a body that is only a message is that text instead of `{"msg": ...}`, as on the websocket.
    pub text_bodies: bool,
    /// Whether a missing AppJWT has the number 40104, as in the sample, instead of 40105, as in the table. The titles are the same.
    pub app_jwt_missing_is_40104: bool,
    /// What stands before the type of a notification.
    pub type_prefix: TypePrefix,
    /// Whether a notification has its `type` in the body instead of beside it.
    pub type_in_body: bool,
    /// Whether a message notification names its dialog beside the changes too, as LivePerson's SDK does.
    pub dialog_beside_changes: bool,
    /// Whether conversation notifications have no `subscriptionId`.
    pub without_subscription_id: bool,
    /// Whether a single change stands as it is instead of in an array.
    pub bare_changes: bool,
    /// Whether a single participant stands as it is instead of in an array, in conversations, dialogs and lists by role.
    pub bare_participants: bool,
    /// Whether a single dialog stands as it is instead of in an array.
    pub bare_dialogs: bool,
    /// Whether a single metadata object stands as it is instead of in an array.
    pub bare_metadata: bool,
    /// How a message says who wrote it.
    pub originator: Originator,
    /// Whether messages do not name their conversation, only their dialog.
    pub without_conversation_id: bool,
    /// Whether messages for all do not say so. Private ones always do: before they existed, nothing said who may see a message.
    pub without_audience: bool,
    /// What stands for the metadata of a message that has none.
    pub no_metadata: NoMetadata,
    /// How a `RichContentEvent` holds its content.
    pub rich_content: RichContent,
    /// How ids that are numbers are written: skill, campaign, engagement, and the context's interaction.
    pub ids: Ids,
    /// How a conversation lists its participants.
    pub participants: Participants,
    /// Whether the participants of a dialog have no state, active or suggested.
    pub without_participant_state: bool,
    /// Whether conversations do not list their dialogs.
    pub without_dialogs: bool,
    /// Whether conversations have a `state` and no `stage`. While a survey runs, the state is already closed.
    pub without_stage: bool,
    /// Whether what is closed has the state `CLOSED`, as in one table, instead of `CLOSE`, as in the payloads.
    pub closed_with_d: bool,
    /// Whether a closed conversation lists the consumer only, as in one table, instead of the agents too, as in the payloads.
    pub closed_drops_agents: bool,
    /// Whether fields that nobody knows yet stand in all answers and notifications.
    pub unknown_fields: bool,
    /// Whether there is a participant, a dialog, an event and a time to respond of kinds that nobody knows yet. What is known stays
    /// as it is.
    pub unknown_values: bool,
}

impl Forms {
    /// What the newest pages and payloads have.
    pub fn newest() -> Self {
        Self::default()
    }

    /// What the oldest pages and samples have, as far as it goes together.
    pub fn oldest() -> Self {
        Self {
            single_service: SingleService::List,
            answer_code: AnswerCode::Number,
            typed_answers: true,
            text_bodies: true,
            app_jwt_missing_is_40104: true,
            type_prefix: TypePrefix::Ams,
            type_in_body: true,
            dialog_beside_changes: true,
            without_subscription_id: true,
            bare_changes: true,
            bare_participants: true,
            bare_dialogs: true,
            bare_metadata: true,
            originator: Originator::Pid,
            without_conversation_id: true,
            without_audience: true,
            no_metadata: NoMetadata::Null,
            rich_content: RichContent::MessageText,
            ids: Ids::Numbers,
            participants: Participants::ByRole,
            without_participant_state: true,
            without_dialogs: true,
            without_stage: true,
            closed_with_d: true,
            closed_drops_agents: true,
            unknown_fields: false,
            unknown_values: false,
        }
    }

    /// The body of a service's answer in this form.
    pub(super) fn answer(&self, service: Service, body: Value) -> Value {
        answer::formed(self, service, body)
    }

    /// A written notification in this form.
    pub(super) fn notification(&self, newest: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
        if *self == Self::newest() {
            return Ok(newest);
        }
        serde_json::to_vec(&notification::formed(self, serde_json::from_slice(&newest)?))
    }
}

/// The Domain API's answer for one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SingleService {
    /// The service's object.
    #[default]
    Flat,
    /// `{"baseURIs": [...]}` with the one service in it.
    List,
}

/// The `code` of the Send API's answers. Token errors have a number in each form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerCode {
    /// `"OK"` and `"BAD_REQUEST"`.
    #[default]
    Text,
    /// 200 and 400, as on the websocket.
    Number,
    /// None where all is well; a refusal keeps its text.
    Absent,
}

/// What stands before the type of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TypePrefix {
    /// Nothing: `ms.MessagingEventNotification`.
    #[default]
    None,
    /// A dot: `.ms.MessagingEventNotification`.
    Dot,
    /// `.ams.ms.MessagingEventNotification`.
    Ams,
}

/// How a message says who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Originator {
    /// `originatorId` and `originatorMetadata` with the role.
    #[default]
    Metadata,
    /// `originatorId` only: no role, and nothing of the client.
    Id,
    /// `originatorPId` only.
    PId,
    /// `originatorPid` only.
    Pid,
}

/// What stands for the metadata of a message that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoMetadata {
    /// Nothing.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// An array with nothing in it.
    Empty,
}

/// How a `RichContentEvent` holds its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RichContent {
    /// An object in `content`: the webhooks' samples.
    #[default]
    ContentObject,
    /// A text of JSON in `content`: the history.
    ContentText,
    /// An object in `message`: the schema.
    MessageObject,
    /// A text of JSON in `message`.
    MessageText,
}

/// How ids that are numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// Skills as text, campaigns and engagements as numbers, the rest as it came.
    #[default]
    Mixed,
    /// All as numbers.
    Numbers,
    /// All as text.
    Text,
}

/// How a conversation lists its participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Participants {
    /// `participants`: ids with their roles.
    #[default]
    List,
    /// `participantsPId`: the ids of each role.
    ByRole,
}

/// A single entry of an array as it is; an array of none or several stays.
fn bare(value: &mut Value) {
    if let Value::Array(entries) = value
        && entries.len() == 1
        && let Some(entry) = entries.pop()
    {
        *value = entry;
    }
}

/// Adds what nobody knows yet to an object.
fn add_unknown_field(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert("introducedLater".to_owned(), serde_json::json!({ "type": "NotYetKnown", "values": [1, null] }));
    }
}
