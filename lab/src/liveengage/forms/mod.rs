//! The forms of LivePerson's answers and notifications.
//!
//! LivePerson's pages contradict each other, and its samples differ in age. A connector must understand all forms.
//!
//! The simulator writes the newest documented form. Each switch of [`Forms`] changes one property of the JSON of
//! answers and notifications when it is sent. It doesn't change the behavior of the simulator.

mod answer;
mod notification;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde_json::Value;

use super::fault::Service;

/// The form of answers and notifications. The default is [`Forms::newest`].
///
/// The form of the signature is a setting of the account: [`super::SignatureForm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forms {
    /// The Domain API's answer for one service.
    pub single_service: SingleService,
    /// Whether the Domain API's base URIs are bare hosts over plain HTTP, too, as LivePerson's are. A client that puts `https://` before them
    /// can't call that port. By default they have the scheme. Over TLS they are always bare.
    pub bare_hosts: bool,
    /// The `code` of the Send API's answers.
    pub answer_code: AnswerCode,
    /// Whether the Send API's answers have `kind` and `type`, as on the websocket.
    pub typed_answers: bool,
    /// Whether a body with only a message is a string instead of `{"msg": ...}`, as on the websocket.
    pub text_bodies: bool,
    /// Whether a missing AppJWT has the number 40104, as in the sample, instead of 40105, as in the table. The titles
    /// are the same.
    pub app_jwt_missing_is_40104: bool,
    /// The prefix of the type of a notification.
    pub type_prefix: TypePrefix,
    /// Whether the `type` of a notification is inside the body.
    pub type_in_body: bool,
    /// Whether a message notification also names its dialog outside the changes, as LivePerson's SDK does.
    pub dialog_beside_changes: bool,
    /// Whether conversation notifications have no `subscriptionId`.
    pub without_subscription_id: bool,
    /// Whether a single change is not in an array.
    pub bare_changes: bool,
    /// Whether a single participant is not in an array, in conversations, dialogs and lists by role.
    pub bare_participants: bool,
    /// Whether a single dialog is not in an array.
    pub bare_dialogs: bool,
    /// Whether a single metadata object is not in an array.
    pub bare_metadata: bool,
    /// How a message names its author.
    pub originator: Originator,
    /// Whether messages name only their dialog and not their conversation.
    pub without_conversation_id: bool,
    /// Whether messages for all omit the audience. Private ones always have it, because there was no audience before
    /// private messages existed.
    pub without_audience: bool,
    /// The value for the metadata of a message without metadata.
    pub no_metadata: NoMetadata,
    /// The member with the content of a `RichContentEvent`.
    pub rich_content: RichContent,
    /// How numeric ids are written: skill, campaign, engagement, and the context's interaction.
    pub ids: Ids,
    /// How a conversation lists its participants.
    pub participants: Participants,
    /// Whether the participants of a dialog have no state (active or suggested).
    pub without_participant_state: bool,
    /// Whether conversations don't list their dialogs.
    pub without_dialogs: bool,
    /// Whether conversations have a `state` and no `stage`. While a survey runs, the state is already closed.
    pub without_stage: bool,
    /// Whether closed objects have the state `CLOSED`, as in one table, instead of `CLOSE`, as in the payloads.
    pub closed_with_d: bool,
    /// Whether a closed conversation lists only the consumer, as in one table, instead of the agents too, as in the
    /// payloads.
    pub closed_drops_agents: bool,
    /// Whether all answers and notifications have additional unknown fields.
    pub unknown_fields: bool,
    /// Whether there is a participant, a dialog, an event and a time to respond of unknown kinds. Known values stay
    /// unchanged.
    pub unknown_values: bool,
}

impl Forms {
    /// The form of the newest pages and payloads.
    pub fn newest() -> Self {
        Self::default()
    }

    /// The form of the oldest pages and samples, as far as they are consistent.
    pub fn oldest() -> Self {
        Self {
            single_service: SingleService::List,
            // A connector couldn't call the simulator.
            bare_hosts: false,
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

    /// Converts the body of a service's answer to this form.
    pub(super) fn answer(&self, service: Service, body: Value) -> Value {
        answer::formed(self, service, body)
    }

    /// Converts a serialized notification to this form.
    pub(super) fn notification(&self, newest: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
        if *self == Self::newest() {
            return Ok(newest);
        }
        serde_json::to_vec(&notification::formed(self, serde_json::from_slice(&newest)?))
    }
}

/// A generation of LivePerson's pages, for those who try a connector with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generation {
    /// [`Forms::newest`].
    #[default]
    Newest,
    /// [`Forms::oldest`].
    Oldest,
}

/// The generation has another name than those of [`Generation::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the forms must be newest or oldest")]
pub struct UnknownGeneration;

impl FromStr for Generation {
    type Err = UnknownGeneration;

    fn from_str(name: &str) -> Result<Self, UnknownGeneration> {
        Self::ALL.into_iter().find(|generation| generation.name() == name).ok_or(UnknownGeneration)
    }
}

impl Generation {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Newest, Self::Oldest];

    /// The name in the lab's options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
        }
    }

    /// Its forms.
    pub fn forms(self) -> Forms {
        match self {
            Self::Newest => Forms::newest(),
            Self::Oldest => Forms::oldest(),
        }
    }

    /// The generation with exactly these forms.
    pub(super) fn of(forms: Forms) -> Option<Self> {
        Self::ALL.into_iter().find(|generation| generation.forms() == forms)
    }
}

/// The Domain API's answer for one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SingleService {
    /// The service's object.
    #[default]
    Flat,
    /// `{"baseURIs": [...]}` with the one service.
    List,
}

/// The `code` of the Send API's answers. Token errors have a number in every form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerCode {
    /// `"OK"` and `"BAD_REQUEST"`.
    #[default]
    Text,
    /// 200 and 400, as on the websocket.
    Number,
    /// Absent in successful answers. An error keeps its text.
    Absent,
}

/// The prefix of the type of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TypePrefix {
    /// None: `ms.MessagingEventNotification`.
    #[default]
    None,
    /// A dot: `.ms.MessagingEventNotification`.
    Dot,
    /// `.ams.ms.MessagingEventNotification`.
    Ams,
}

/// How a message names its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Originator {
    /// `originatorId` and `originatorMetadata` with the role.
    #[default]
    Metadata,
    /// `originatorId` only: no role, and no client properties.
    Id,
    /// `originatorPId` only.
    PId,
    /// `originatorPid` only.
    Pid,
}

/// The value for the metadata of a message without metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoMetadata {
    /// Absent.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// An empty array.
    Empty,
}

/// The member with the content of a `RichContentEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RichContent {
    /// An object in `content`: the webhooks' samples.
    #[default]
    ContentObject,
    /// A JSON string in `content`: the history.
    ContentText,
    /// An object in `message`: the schema.
    MessageObject,
    /// A JSON string in `message`.
    MessageText,
}

/// How numeric ids are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// Skills as strings, campaigns and engagements as numbers, the rest unchanged.
    #[default]
    Mixed,
    /// All as numbers.
    Numbers,
    /// All as strings.
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

/// Replaces an array of one element by that element. Other arrays stay.
fn bare(value: &mut Value) {
    if let Value::Array(entries) = value
        && entries.len() == 1
        && let Some(entry) = entries.pop()
    {
        *value = entry;
    }
}

/// Adds an unknown field to an object.
fn add_unknown_field(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert("introducedLater".to_owned(), serde_json::json!({ "type": "NotYetKnown", "values": [1, null] }));
    }
}
