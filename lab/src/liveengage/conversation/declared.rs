//! What the consumer's calls declare of their client, in the `Client-Properties` header.

use serde_json::Value;

/// What was declared in the course of one conversation.
#[derive(Debug)]
pub(in crate::liveengage) struct Declared {
    at_opening: Option<Value>,
    /// What the last call declared.
    pub(in crate::liveengage) last: Option<Value>,
    /// Whether a call declared something else than the one that opened the conversation.
    pub(in crate::liveengage) changed: bool,
    /// The features that every call has declared.
    features: Vec<String>,
}

impl Declared {
    pub(super) fn at_opening(properties: Option<Value>) -> Self {
        Self {
            features: features(properties.as_ref()),
            last: properties.clone(),
            at_opening: properties,
            changed: false,
        }
    }

    /// One more call about the conversation.
    pub(in crate::liveengage) fn again(&mut self, properties: Option<Value>) {
        let now = features(properties.as_ref());
        self.features.retain(|feature| now.contains(feature));
        self.changed |= properties != self.at_opening;
        self.last = properties;
    }

    /// Whether every call so far has declared the feature: LivePerson documents that it is to be on all of them.
    pub(in crate::liveengage) fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|declared| declared == feature)
    }
}

fn features(properties: Option<&Value>) -> Vec<String> {
    let features = properties.and_then(|properties| properties.get("features")).and_then(Value::as_array);
    features.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
