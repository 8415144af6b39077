//! How the campaign of a new conversation is found.

use serde::Deserialize;

use connector_liveengage::{
    id::ExtConsumerId,
    monitoring::{EntryPoint, Observation, VisitorIdentity},
};

/// Asks LiveEngage's Monitoring API, before a conversation is opened, which campaign and engagement fit the consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngagementSettings {
    /// Where the line's consumers come in, for the rules of the campaigns: the same for all of them.
    #[serde(default)]
    pub entry_points: Vec<EntryPoint>,
}

impl EngagementSettings {
    /// Returns what the Monitoring API is told about a consumer.
    pub fn observation(&self, consumer: &ExtConsumerId) -> Observation {
        Observation {
            identities: vec![VisitorIdentity::authenticated(consumer.as_str())],
            entry_points: self.entry_points.clone(),
            ..Observation::default()
        }
    }
}
