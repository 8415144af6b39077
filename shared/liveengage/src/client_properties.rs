//! The `Client-Properties` header: what the consumer's side of a conversation can show. It decides what agents, bots and the survey may
//! send.

use serde_json::json;

/// The connector's name in the header: at most 64 characters.
const APP_ID: &str = "liveengage-connector";

/// The version in the header: at most 32 characters. Not the connector's version: a release must not change the header of a running
/// conversation.
const APP_VERSION: &str = "1";

/// A feature of the client (Connector API, Send API examples; Messaging Window API, Client Properties).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// Automatic messages (welcome, off hours) arrive by webhook, from the controller. The account needs the controller bot, and the first
    /// SEND must follow CONVERSATION within ten seconds.
    AutoMessages,
    /// Structured content.
    RichContent,
    /// Quick replies.
    QuickReplies,
    /// Survey dialogs in addition to the main dialog.
    MultiDialog,
    /// The agent workspace allows pictures.
    PhotoSharing,
    /// The agent workspace allows documents.
    FileSharing,
}

impl Feature {
    /// All features, in the order of the header.
    pub const ALL: [Self; 6] = [
        Self::AutoMessages,
        Self::RichContent,
        Self::QuickReplies,
        Self::MultiDialog,
        Self::PhotoSharing,
        Self::FileSharing,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AutoMessages => "AUTO_MESSAGES",
            Self::RichContent => "RICH_CONTENT",
            Self::QuickReplies => "QUICK_REPLIES",
            Self::MultiDialog => "MULTI_DIALOG",
            Self::PhotoSharing => "PHOTO_SHARING",
            Self::FileSharing => "FILE_SHARING",
        }
    }
}

/// The value of the header. It must be the same on CONVERSATION and on every SEND of a conversation (Connector API, Send API examples):
/// equal features always give the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProperties(String);

impl ClientProperties {
    /// Creates the properties with these features. Order and repetitions don't matter.
    pub fn new(features: &[Feature]) -> Self {
        let names: Vec<_> =
            Feature::ALL.into_iter().filter(|feature| features.contains(feature)).map(Feature::name).collect();
        let value = json!({
            "type": ".ClientProperties",
            "appId": APP_ID,
            "appVersion": APP_VERSION,
            "features": names,
        });
        Self(value.to_string())
    }

    /// The value of the header `Client-Properties`: JSON in ASCII.
    pub fn header_value(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn features_are_sorted_and_without_repetitions() {
        let properties = ClientProperties::new(&[Feature::FileSharing, Feature::AutoMessages, Feature::FileSharing]);
        assert_eq!(properties, ClientProperties::new(&[Feature::AutoMessages, Feature::FileSharing]));
        let value: Value = serde_json::from_str(properties.header_value()).unwrap();
        assert_eq!(
            value,
            json!({"type": ".ClientProperties", "appId": "liveengage-connector", "appVersion": APP_VERSION,
                "features": ["AUTO_MESSAGES", "FILE_SHARING"]})
        );
        assert!(value["appVersion"].as_str().unwrap().len() <= 32);
        assert!(properties.header_value().is_ascii());
    }

    #[test]
    fn no_features_are_an_empty_list() {
        let value: Value = serde_json::from_str(ClientProperties::new(&[]).header_value()).unwrap();
        assert_eq!(value["features"], json!([]));
    }

    #[test]
    fn feature_names_are_unique() {
        let names: std::collections::HashSet<_> = Feature::ALL.map(Feature::name).into_iter().collect();
        assert_eq!(names.len(), Feature::ALL.len());
    }
}
