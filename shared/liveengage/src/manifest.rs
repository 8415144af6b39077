//! The manifest of the app install, which registers a deployment at LivePerson (Connector API, Installing Conversational Cloud
//! Applications).

use serde_json::{Map, Value, json};
use url::Url;

use connector_message::settings::is_https_or_loopback;

/// The longest time for which LiveEngage retries a failed notification: three days, in seconds (Connector API, Retry Policy). Without a
/// retention time, a notification that fails once is lost.
pub const RETENTION_SECONDS: u32 = 259_200;

/// The most characters of the client name and the display name (Installing Conversational Cloud Applications).
pub const LONGEST_NAME: usize = 128;

/// The most characters of the description.
pub const LONGEST_DESCRIPTION: usize = 256;

/// Why a manifest can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The webhook's URL is neither https nor http on loopback. LiveEngage posts only to https, a simulator on this machine to both.
    #[error("the webhook's address must be an https URL")]
    NotHttps,
    /// The name is empty or too long.
    #[error("the name must have 1 to {LONGEST_NAME} characters")]
    Name,
    /// The description is too long.
    #[error("the description must have at most {LONGEST_DESCRIPTION} characters")]
    Description,
}

/// The visitor behaviors that a campaign may use. Every documented manifest of a connector has all of them. A connector that doesn't use
/// the Monitoring API names its campaign in the routing instead.
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

/// The target audiences that a campaign may use, as in every documented manifest of a connector.
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

/// The goals that a campaign may use, as in every documented manifest of a connector.
const GOAL: [&str; 5] = ["url", "purchase_total", "num_of_pages", "lead", "service_activity"];

/// Which of the agents' indications the manifest asks for. An event that no channel can show costs its requests for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indications {
    /// `ChatStateEvent`: an agent is typing.
    pub typing: bool,
    /// `AcceptStatusEvent`: an agent has received or read a message.
    pub read_marks: bool,
}

impl Indications {
    /// All that LiveEngage has.
    pub const ALL: Self = Self { typing: true, read_marks: true };
}

/// Makes the manifest of a deployment whose webhook is at `webhook`.
///
/// All event types have one endpoint: only then does LiveEngage keep the order of a conversation's events. Typing has `max_retries:
/// 0`: LiveEngage drops a failed typing event instead of delaying all later events.
///
/// # Errors
/// [`ManifestError`] if the URL, the name or the description is not allowed.
pub fn manifest(
    webhook: &Url,
    name: &str,
    description: &str,
    indications: Indications,
) -> Result<Value, ManifestError> {
    if !is_https_or_loopback(webhook) {
        return Err(ManifestError::NotHttps);
    }
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        return Err(ManifestError::Name);
    }
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(ManifestError::Description);
    }
    Ok(json!({
        "client_name": name,
        "display_name": name,
        "description": description,
        "grant_types": ["client_credentials"],
        "scope": "msg.consumer",
        "quick_launch_enabled": false,
        "capabilities": {
            "webhooks": webhooks(webhook.as_str(), indications),
            // Lets campaigns select the connector as a source, for routing and reporting. Consumers are identified: `auth`.
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

fn webhooks(endpoint: &str, indications: Indications) -> Map<String, Value> {
    let (retried, once) = (json!({"endpoint": endpoint}), json!({"endpoint": endpoint, "max_retries": 0}));
    let settings = [
        ("retry", true, json!({"retention_time": RETENTION_SECONDS})),
        ("ms.MessagingEventNotification.ContentEvent", true, retried.clone()),
        ("ms.MessagingEventNotification.RichContentEvent", true, retried.clone()),
        ("ms.MessagingEventNotification.AcceptStatusEvent", indications.read_marks, retried.clone()),
        ("ms.MessagingEventNotification.ChatStateEvent", indications.typing, once),
        ("cqm.ExConversationChangeNotification", true, retried),
    ];
    let wanted = settings.into_iter().filter(|(_, is_wanted, _)| *is_wanted);
    wanted.map(|(name, _, settings)| (name.to_owned(), settings)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Url {
        "https://x1.execute-api.eu-central-1.amazonaws.com/webhooks/liveengage".parse().unwrap()
    }

    #[test]
    fn all_event_types_have_one_endpoint_and_only_typing_is_not_retried() {
        let manifest = manifest(&webhook(), "SMS connector", "Texts to agents", Indications::ALL).unwrap();
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
    fn only_the_indications_that_are_asked_for_are_sent() {
        let events = |indications| {
            let manifest = manifest(&webhook(), "SMS connector", "", indications).unwrap();
            let webhooks = manifest["capabilities"]["webhooks"].as_object().unwrap();
            ["ChatStateEvent", "AcceptStatusEvent"]
                .map(|event| webhooks.contains_key(&format!("ms.MessagingEventNotification.{event}")))
        };
        for (typing, read_marks) in [(true, true), (true, false), (false, true), (false, false)] {
            assert_eq!(events(Indications { typing, read_marks }), [typing, read_marks]);
        }
    }

    #[test]
    fn campaigns_may_use_the_connector_as_a_source() {
        let manifest = manifest(&webhook(), "SMS connector", "", Indications::ALL).unwrap();
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
    fn limits_of_liveperson_are_checked() {
        let http = "http://x1.example/webhooks/liveengage".parse().unwrap();
        assert_eq!(manifest(&http, "SMS", "", Indications::ALL), Err(ManifestError::NotHttps));
        assert_eq!(manifest(&webhook(), "", "", Indications::ALL), Err(ManifestError::Name));
        assert_eq!(manifest(&webhook(), &"n".repeat(129), "", Indications::ALL), Err(ManifestError::Name));
        assert_eq!(manifest(&webhook(), "SMS", &"d".repeat(257), Indications::ALL), Err(ManifestError::Description));
        assert!(manifest(&webhook(), &"n".repeat(128), &"d".repeat(256), Indications::ALL).is_ok());
    }
}
