//! SEND of changes to a conversation: closing it, and the consumer's satisfaction with it.

use serde_json::{Value, json};
use url::Url;

use super::{Credentials, send};
use crate::{
    domain::{
        http::HttpCall,
        id::{ConversationId, DialogId},
    },
    liveengage::LiveEngageError,
};

/// What is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close<'a> {
    /// All dialogs at once: no survey follows.
    Conversation,
    /// The main dialog: the survey may begin, if the account has one; without one the conversation ends with its last dialog.
    /// Needs [`Feature::MultiDialog`](crate::liveengage::client_properties::Feature::MultiDialog).
    MainDialog(&'a DialogId),
}

/// What the main dialog says of its end, as in every sample of the documentation.
const CLOSED_CAUSE: &str = "Closed by consumer";

/// Closes a conversation for the consumer.
///
/// # Errors
/// [`LiveEngageError::Header`], [`LiveEngageError::Unsendable`].
pub fn close_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    conversation: &ConversationId,
    close: Close<'_>,
) -> Result<HttpCall, LiveEngageError> {
    let field = match close {
        Close::Conversation => json!({"field": "ConversationStateField", "conversationState": "CLOSE"}),
        Close::MainDialog(dialog) => json!({
            "field": "DialogChange", "type": "UPDATE",
            "dialog": {"dialogId": dialog.as_str(), "state": "CLOSE", "closedCause": CLOSED_CAUSE},
        }),
    };
    update(messaging, credentials, request_id, conversation, &field)
}

/// How many of five points a consumer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SatisfactionRate(u8);

impl SatisfactionRate {
    /// A rate from 1 (worst) to 5; `None` for any other number.
    pub fn new(points: u8) -> Option<Self> {
        (1..=5).contains(&points).then_some(Self(points))
    }

    /// The points, 1 to 5.
    pub const fn points(self) -> u8 {
        self.0
    }
}

/// How much of the two questions the consumer has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SatisfactionStatus {
    /// All that was asked.
    Filled,
    /// Some of it.
    PartiallyFilled,
    /// Nothing.
    Skipped,
}

impl SatisfactionStatus {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filled => "FILLED",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// What a consumer thinks of a conversation that has ended (the field `CSATRate`).
///
/// LivePerson calls this way of asking "legacy"; a survey dialog takes its place on newer accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerSatisfaction {
    /// The rate, if it was given.
    pub rate: Option<SatisfactionRate>,
    /// Whether the matter was resolved, if that was said (first contact resolution).
    pub resolved: Option<bool>,
    /// How much was answered.
    pub status: SatisfactionStatus,
}

/// Tells a consumer's satisfaction with a conversation, after its end.
///
/// # Errors
/// [`LiveEngageError::Header`], [`LiveEngageError::Unsendable`].
pub fn satisfaction_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    conversation: &ConversationId,
    satisfaction: &CustomerSatisfaction,
) -> Result<HttpCall, LiveEngageError> {
    let mut field = json!({"field": "CSATRate", "status": satisfaction.status.name()});
    if let Some(field) = field.as_object_mut() {
        if let Some(rate) = satisfaction.rate {
            field.insert("csatRate".to_owned(), json!(rate.points()));
        }
        if let Some(resolved) = satisfaction.resolved {
            field.insert("csatResolutionConfirmation".to_owned(), json!(resolved));
        }
    }
    update(messaging, credentials, request_id, conversation, &field)
}

/// The field is an object: the connector's pages show it so, only those for browsers and agents an array.
fn update(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    conversation: &ConversationId,
    field: &Value,
) -> Result<HttpCall, LiveEngageError> {
    let body = json!({
        "kind": "req", "id": request_id, "type": "cm.UpdateConversationField",
        "body": {"conversationId": conversation.as_str(), "conversationField": field},
    });
    send(messaging, credentials, &body)
}
