//! The app install's manifest: what LivePerson needs to know of a deployment, for whoever enters it there.

use serde_json::{Value, json};
use url::Url;

/// The longest time for which LiveEngage keeps and repeats a failed notification: three days, in seconds (Connector API, Retry Policy).
/// Without it a notification that fails once is gone.
pub const RETENTION_SECONDS: u32 = 259_200;

/// The most characters of a client name and of a display name (Installing Conversational Cloud Applications).
pub const LONGEST_NAME: usize = 128;

/// The most characters of a description.
pub const LONGEST_DESCRIPTION: usize = 256;

/// Why there is no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// LiveEngage posts to https only.
    #[error("the webhook's address must be an https URL")]
    NotHttps,
    /// The name is empty or too long.
    #[error("the name must have 1 to {LONGEST_NAME} characters")]
    Name,
    /// The description is too long.
    #[error("the description must have at most {LONGEST_DESCRIPTION} characters")]
    Description,
}

/// What a campaign may ask of a visitor. Every documented manifest of a connector has all of them; a connector that doesn't use the
/// Monitoring API gives its campaign in the routing instead.
const VISITOR_BEHAVIOR: [&str; 10] = [
    "visited_location",
    "time_on_location",
    "flow",
    "engaged_in_session",
    "about_to_abandon",
    "cart_value",
    "cart_items",
    "visitor_error",
    "viewed_products",
    "service_activity",
];

/// Whom a campaign may be for, as every documented manifest of a connector has it.
const TARGET_AUDIENCE: [&str; 16] = [
    "external_referral",
    "search_keywords",
    "ip",
    "platform",
    "geo_location",
    "returning_visitors",
    "marketing_source",
    "customer_type",
    "age",
    "balance",
    "customer_id",
    "gender",
    "store_zip_code",
    "store_number",
    "company_size",
    "registration_date",
];

/// What a campaign may aim at, as every documented manifest of a connector has it.
const GOAL: [&str; 5] = ["url", "purchase_total", "num_of_pages", "lead", "service_activity"];

/// The manifest of a deployment whose webhook is at `webhook`.
///
/// All five event types go to one endpoint: LiveEngage keeps the order of a conversation's events only then. Typing has
/// `max_retries: 0`, so that a failed one is dropped and doesn't make LiveEngage hold back everything else.
///
/// # Errors
/// [`ManifestError`].
pub fn manifest(webhook: &Url, name: &str, description: &str) -> Result<Value, ManifestError> {
    if webhook.scheme() != "https" {
        return Err(ManifestError::NotHttps);
    }
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Err(ManifestError::Name);
    }
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(ManifestError::Description);
    }
    let endpoint = webhook.as_str();
    Ok(json!({
        "client_name": name,
        "display_name": name,
        "description": description,
        "grant_types": ["client_credentials"],
        "scope": "msg.consumer",
        "quick_launch_enabled": false,
        "capabilities": {
            "webhooks": {
                "retry": {"retention_time": RETENTION_SECONDS},
                "ms.MessagingEventNotification.ContentEvent": {"endpoint": endpoint},
                "ms.MessagingEventNotification.RichContentEvent": {"endpoint": endpoint},
                "ms.MessagingEventNotification.AcceptStatusEvent": {"endpoint": endpoint},
                "ms.MessagingEventNotification.ChatStateEvent": {"endpoint": endpoint, "max_retries": 0},
                "cqm.ExConversationChangeNotification": {"endpoint": endpoint},
            },
            // Lets campaigns choose the connector as a source, for routing and reporting. Consumers are known by their ids.
            "engagement": {
                "design_engagement": false,
                "design_window": false,
                "entry_point": ["section"],
                "visitor_behavior": VISITOR_BEHAVIOR,
                "target_audience": TARGET_AUDIENCE,
                "goal": GOAL,
                "consumer_identity": ["auth"],
                "language_selection": false,
            },
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Url {
        "https://x1.execute-api.eu-central-1.amazonaws.com/webhooks/liveengage".parse().unwrap()
    }

    #[test]
    fn every_event_type_goes_to_the_one_endpoint_and_only_typing_is_never_repeated() {
        let manifest = manifest(&webhook(), "SMS connector", "Texts to agents").unwrap();
        let webhooks = manifest["capabilities"]["webhooks"].as_object().unwrap();
        let mut events: Vec<_> = webhooks.keys().filter(|key| *key != "retry").map(String::as_str).collect();
        events.sort_unstable();
        assert_eq!(
            events,
            [
                "cqm.ExConversationChangeNotification",
                "ms.MessagingEventNotification.AcceptStatusEvent",
                "ms.MessagingEventNotification.ChatStateEvent",
                "ms.MessagingEventNotification.ContentEvent",
                "ms.MessagingEventNotification.RichContentEvent",
            ]
        );
        for event in events {
            assert_eq!(webhooks[event]["endpoint"], webhook().as_str());
            let retries = webhooks[event].get("max_retries").and_then(Value::as_u64);
            assert_eq!(retries, event.contains("ChatState").then_some(0), "{event}");
        }
        assert_eq!(webhooks["retry"]["retention_time"], 259_200);
        assert_eq!(manifest["scope"], "msg.consumer");
        assert_eq!(manifest["grant_types"], json!(["client_credentials"]));
    }

    #[test]
    fn campaigns_may_use_the_connector_as_a_source() {
        let manifest = manifest(&webhook(), "SMS connector", "").unwrap();
        let engagement = &manifest["capabilities"]["engagement"];
        assert_eq!(engagement["entry_point"], json!(["section"]));
        assert_eq!(engagement["consumer_identity"], json!(["auth"]));
        for (list, length) in [("visitor_behavior", 10), ("target_audience", 16), ("goal", 5)] {
            let words: std::collections::HashSet<_> =
                engagement[list].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
            assert_eq!(words.len(), length, "{list}");
        }
        for off in ["design_engagement", "design_window", "language_selection"] {
            assert_eq!(engagement[off], false, "{off}");
        }
    }

    #[test]
    fn what_liveperson_would_refuse_is_refused_here() {
        let http = "http://x1.example/webhooks/liveengage".parse().unwrap();
        assert_eq!(manifest(&http, "SMS", ""), Err(ManifestError::NotHttps));
        assert_eq!(manifest(&webhook(), "", ""), Err(ManifestError::Name));
        assert_eq!(manifest(&webhook(), &"n".repeat(129), ""), Err(ManifestError::Name));
        assert_eq!(manifest(&webhook(), "SMS", &"d".repeat(257)), Err(ManifestError::Description));
        assert!(manifest(&webhook(), &"n".repeat(128), &"d".repeat(256)).is_ok());
    }
}
