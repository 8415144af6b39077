//! Checks that the app install's manifest has every key that LivePerson's manifests of connectors have.

use connector_liveengage::manifest::{Indications, manifest};
use serde_json::Value;

use super::{
    Sample,
    difference::{
        Allowance,
        Kind::{self, Changed, LeftOut},
        differences,
    },
    unknown,
};

const BY_TIME: &str = "retention_time takes its place: LiveEngage keeps and repeats for three days";
const CONTENT_RETRIES: Allowance =
    (LeftOut, "/capabilities/webhooks/ms.MessagingEventNotification.ContentEvent/max_retries", BY_TIME);
const RICH_RETRIES: Allowance =
    (LeftOut, "/capabilities/webhooks/ms.MessagingEventNotification.RichContentEvent/max_retries", BY_TIME);
const ACCEPT_RETRIES: Allowance =
    (LeftOut, "/capabilities/webhooks/ms.MessagingEventNotification.AcceptStatusEvent/max_retries", BY_TIME);
const TYPING_RETRIES: Allowance = (
    Changed,
    "/capabilities/webhooks/ms.MessagingEventNotification.ChatStateEvent/max_retries",
    "0: typing that failed is dropped, and holds nothing else back",
);
const STATE_RETRIES: Allowance =
    (LeftOut, "/capabilities/webhooks/cqm.ExConversationChangeNotification/max_retries", BY_TIME);
const RETENTION: Allowance =
    (Changed, "/capabilities/webhooks/retry/retention_time", "the longest that LiveEngage offers");
const LOGO: Allowance = (LeftOut, "/logo_uri", "optional: the connector has no picture");

/// Every manifest, with the differences of the connector's manifest. Additional keys of the connector's manifest are not checked.
const MANIFESTS: &[(&str, &[Allowance])] = &[
    (
        "dc-app-install-connector-manifest.json",
        &[
            CONTENT_RETRIES,
            RICH_RETRIES,
            ACCEPT_RETRIES,
            LOGO,
            (Changed, "/display_name", "the connector has one name"),
            (Changed, "/quick_launch_enabled", "there is nothing to launch in the workspace"),
            (LeftOut, "/entry_uri", "there is nothing to launch in the workspace"),
            (LeftOut, "/redirect_uris", "for apps that people log in to"),
            (LeftOut, "/response_types", "for apps that people log in to"),
            (
                LeftOut,
                "/capabilities/webhooks/ms.MessagingEventNotification.ContentEvent/headers",
                "optional: the signature proves LiveEngage",
            ),
            (
                LeftOut,
                "/capabilities/webhooks/ms.MessagingEventNotification.RichContentEvent/headers",
                "optional: the signature proves LiveEngage",
            ),
        ],
    ),
    ("dc-getting-started-manifest.json", &[CONTENT_RETRIES, RICH_RETRIES, ACCEPT_RETRIES, LOGO]),
    ("dc-retry-numbers-config.json", &[CONTENT_RETRIES]),
    ("dc-retry-ttl-and-numbers-config.json", &[CONTENT_RETRIES, RETENTION]),
    ("dc-retry-ttl-config.json", &[RETENTION]),
    ("dc-retry-ttl-exempt-config.json", &[CONTENT_RETRIES, RETENTION]),
    ("qs-app-manifest.json", &[CONTENT_RETRIES, RICH_RETRIES, ACCEPT_RETRIES, TYPING_RETRIES, STATE_RETRIES]),
    // The connector's own sample.
    ("manifest.json", &[]),
];

pub(super) fn files() -> Vec<&'static str> {
    MANIFESTS.iter().map(|(file, _)| *file).collect()
}

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    let (_, allowed) = MANIFESTS.iter().find(|(file, _)| *file == sample.file).ok_or_else(unknown)?;
    let documented = &sample.json;
    let endpoint = documented
        .pointer("/capabilities/webhooks/ms.MessagingEventNotification.ContentEvent/endpoint")
        .and_then(Value::as_str)
        .ok_or("no endpoint")?;
    let text = |key: &str| documented[key].as_str().unwrap_or_default();
    let ours = manifest(&endpoint.parse().unwrap(), text("client_name"), text("description"), Indications::ALL)
        .map_err(|error| error.to_string())?;
    let found = differences(documented, &ours);
    let wrong: Vec<_> = found
        .iter()
        .filter(|((path, kind), _)| *kind != Kind::Added && !allowed.iter().any(|(k, p, _)| (k, *p) == (kind, path)))
        .map(|((path, kind), what)| format!("{kind:?} {path}: {what}"))
        .chain(
            allowed
                .iter()
                .filter(|(kind, path, _)| !found.contains_key(&((*path).to_owned(), *kind)))
                .map(|(kind, path, _)| format!("no longer {kind:?} {path}")),
        )
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}
