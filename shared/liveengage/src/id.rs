//! LiveEngage's ids. All are opaque: no code interprets them. They are stored in DynamoDB keys and queue messages: their text form must not
//! change.

use connector_message::id;
use serde::{Deserialize, Serialize};

id!(shown
    /// A LiveEngage account (LivePerson also calls it brandId or siteId): digits, or letters and digits for test accounts.
    ///
    /// Unique at LivePerson. It is part of URL paths: only letters, digits, `-` and `_` are accepted.
    AccountId, "LiveEngage account id", id::is_name, id::NAME_RULE);

id!(shown
    /// The id of the connector's app install in one account (`client_id`). LivePerson issues it at registration.
    AppInstallId, "client id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// A LiveEngage conversation. Usually a UUID. Unique per account.
    ConversationId, "conversation id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// A dialog inside a conversation. The main dialog has the conversation's id; survey dialogs have ids of other forms.
    DialogId, "dialog id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// The connector's id of a consumer at LivePerson (`ext_consumer_id`).
    ///
    /// Derived with a key, so that nobody can compute it from a phone number. It must never change: LivePerson ties the consumer's identity
    /// and history to it.
    ExtConsumerId, "ext_consumer_id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// LivePerson's id of a consumer (`lp_consumer_id`, 64 hex digits). Webhooks use it as the consumer's participant id.
    LpConsumerId, "lp_consumer_id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// An agent, a bot or a manager in the events of a conversation: the participant id, usually a UUID.
    AgentId, "agent id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// The record of an app install in an account's configuration (`id`). Not its `client_id`, which is an [`AppInstallId`].
    InstallationId, "installation id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// A connector to a brand's identity provider, in the account's configuration. Part of IDP's paths.
    IdentityConnectorId, "identity connector id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// A visitor of the Monitoring API (`visitorId`, `vid`).
    VisitorId, "visitor id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// A visitor's session of the Monitoring API (`sessionId`, `sid`). It ends after at most six hours.
    VisitorSessionId, "visitor session id", id::is_opaque, id::OPAQUE_RULE);

impl DialogId {
    /// The main dialog of a conversation: it has the conversation's id (Connector API, Send API page).
    pub fn main_of(conversation: &ConversationId) -> Self {
        Self(conversation.0.clone())
    }
}

/// The sequence number of a content or status event: per dialog, from 0, with gaps between texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_safe_in_a_path() {
        for bad in ["", "a/b", "..", "a b", "ü", &"x".repeat(65)] {
            assert!(AccountId::new(bad).is_err(), "{bad}");
        }
        assert!(AccountId::new("le72419083").is_ok());
    }
}
