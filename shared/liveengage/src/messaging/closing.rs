//! SENDs that change a conversation: close it, and rate it (`cm.UpdateConversationField`; Connector API, Send API page).

use serde_json::{Value, json};
use url::Url;

use super::{Credentials, send};
use crate::{
    LiveEngageError,
    id::{ConversationId, DialogId},
};
use connector_message::http::HttpCall;

/// What to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close<'a> {
    /// All dialogs. No survey follows.
    Conversation,
    /// The main dialog. The account's survey may follow. Without a survey the conversation ends. Needs
    /// [`Feature::MultiDialog`](crate::client_properties::Feature::MultiDialog).
    MainDialog(&'a DialogId),
}

impl Close<'_> {
    /// The field of `cm.UpdateConversationField`.
    pub(crate) fn field(&self) -> Value {
        match self {
            Self::Conversation => json!({"field": "ConversationStateField", "conversationState": "CLOSE"}),
            Self::MainDialog(dialog) => json!({
                "field": "DialogChange", "type": "UPDATE",
                "dialog": {"dialogId": dialog.as_str(), "state": "CLOSE", "closedCause": CLOSED_CAUSE},
            }),
        }
    }
}

/// The reason of the main dialog's end, as in every sample of the documentation.
const CLOSED_CAUSE: &str = "Closed by consumer";

/// Builds the SEND that closes a conversation as the consumer.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header, [`LiveEngageError::Unsendable`] for a request that is too long.
pub fn close_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    conversation: &ConversationId,
    close: Close<'_>,
) -> Result<HttpCall, LiveEngageError> {
    update(messaging, credentials, request_id, conversation, &close.field())
}

/// A rating from 1 (worst) to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SatisfactionRate(u8);

impl SatisfactionRate {
    /// Checks a rating. `None` if it is not from 1 to 5.
    pub fn new(points: u8) -> Option<Self> {
        (1..=5).contains(&points).then_some(Self(points))
    }

    /// The points, 1 to 5.
    pub const fn points(self) -> u8 {
        self.0
    }
}

/// How many of the two questions the consumer answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SatisfactionStatus {
    /// All questions.
    Filled,
    /// Some questions.
    PartiallyFilled,
    /// No question.
    Skipped,
}

impl SatisfactionStatus {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filled => "FILLED",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Skipped => "SKIPPED",
        }
    }

    /// Reads a name. `None` if it is not documented.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Filled, Self::PartiallyFilled, Self::Skipped].into_iter().find(|status| status.name() == name)
    }
}

/// A consumer's rating of a conversation that has ended (the field `CSATRate`).
///
/// LivePerson calls this rating "legacy". Newer accounts use a survey dialog instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerSatisfaction {
    /// The rating.
    pub rate: Option<SatisfactionRate>,
    /// Whether the issue was resolved (first contact resolution).
    pub resolved: Option<bool>,
    /// How many questions were answered.
    pub status: SatisfactionStatus,
}

impl CustomerSatisfaction {
    /// The field of `cm.UpdateConversationField`.
    pub(crate) fn field(&self) -> Value {
        let mut field = json!({"field": "CSATRate", "status": self.status.name()});
        if let Some(field) = field.as_object_mut() {
            if let Some(rate) = self.rate {
                field.insert("csatRate".to_owned(), json!(rate.points()));
            }
            if let Some(resolved) = self.resolved {
                field.insert("csatResolutionConfirmation".to_owned(), json!(resolved));
            }
        }
        field
    }
}

/// Builds the SEND with a consumer's rating of a conversation. Send it after the conversation's end.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header, [`LiveEngageError::Unsendable`] for a request that is too long.
pub fn satisfaction_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    conversation: &ConversationId,
    satisfaction: &CustomerSatisfaction,
) -> Result<HttpCall, LiveEngageError> {
    update(messaging, credentials, request_id, conversation, &satisfaction.field())
}

/// The field is an object, as on the Connector API pages. The pages for web and agent clients have an array.
fn update(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    conversation: &ConversationId,
    field: &Value,
) -> Result<HttpCall, LiveEngageError> {
    let body = update_body(conversation, field);
    let request = json!({"kind": "req", "id": request_id, "type": "cm.UpdateConversationField", "body": body});
    send(messaging, credentials, &request)
}

/// The body of `cm.UpdateConversationField`.
pub(crate) fn update_body(conversation: &ConversationId, field: &Value) -> Value {
    json!({"conversationId": conversation.as_str(), "conversationField": field})
}
