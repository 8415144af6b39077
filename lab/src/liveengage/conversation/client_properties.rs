//! The `Client-Properties` header of the consumer's calls.

use serde_json::Value;

/// The client properties that the calls of one conversation declared.
#[derive(Debug)]
pub(in crate::liveengage) struct DeclaredProperties {
    at_opening: Option<Value>,
    /// The properties of the last call.
    pub(in crate::liveengage) last: Option<Value>,
    /// Whether a call declared other properties than the one that opened the conversation.
    pub(in crate::liveengage) changed: bool,
    /// The features that every call has declared.
    features: Vec<String>,
}

impl DeclaredProperties {
    pub(super) fn at_opening(properties: Option<Value>) -> Self {
        Self {
            features: features(properties.as_ref()),
            last: properties.clone(),
            at_opening: properties,
            changed: false,
        }
    }

    /// Records another call of the conversation.
    pub(in crate::liveengage) fn record_call(&mut self, properties: Option<Value>) {
        let now = features(properties.as_ref());
        self.features.retain(|feature| now.contains(feature));
        self.changed |= properties != self.at_opening;
        self.last = properties;
    }

    /// Whether every call so far declared the feature. LivePerson requires it on all calls.
    pub(in crate::liveengage) fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|declared| declared == feature)
    }
}

fn features(properties: Option<&Value>) -> Vec<String> {
    let features = properties.and_then(|properties| properties.get("features")).and_then(Value::as_array);
    features.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
