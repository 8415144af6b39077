//! Documented payloads that a connector of this kind neither sends nor receives.

const API_KEY: &str = "a login with an API key of OAuth 1.0a, which LivePerson has ended";
const WEBSOCKET: &str = "a placeholder for any request of the websocket";
const AGENT: &str = "an agent's request: a consumer can't transfer a conversation or bring in a manager";
const ATTRIBUTE: &str = "an engagement attribute for web tagging: SetUserProfile takes ctmrinfo and personal only";
const OTHER_APP: &str = "the manifest of another kind of app, without webhooks";

/// File and reason.
pub(super) const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("dc-app-install-web-manifest.json", OTHER_APP),
    (
        "dc-auth-appjwt-header.json",
        "the header of a token: LivePerson verifies its own tokens, the connector only carries them",
    ),
    ("dc-login-app-request.json", API_KEY),
    ("dc-monitoring-imp-expanded.json", "an impression with three fields that no page explains, all null"),
    ("dc-oauth2-base-manifest.json", OTHER_APP),
    ("dc-ttr-request.json", "the time to respond is said when a conversation opens, and not changed while it runs"),
    ("sde-cart.json", ATTRIBUTE),
    ("sde-error.json", ATTRIBUTE),
    ("sde-lead.json", ATTRIBUTE),
    ("sde-mrktinfo.json", ATTRIBUTE),
    ("sde-prodview.json", ATTRIBUTE),
    ("sde-purchase.json", ATTRIBUTE),
    ("sde-searchinfo.json", ATTRIBUTE),
    ("sde-service.json", ATTRIBUTE),
    ("sdk-agent-join-manager-request.json", AGENT),
    ("sdk-agent-transfer-agent-request.json", AGENT),
    ("sdk-agent-transfer-skill-request.json", AGENT),
    ("seed3-ws-agent-request-conversation.json", AGENT),
    ("seed3-ws-myrequest-response.json", WEBSOCKET),
    ("seed3-ws-myrequest.json", WEBSOCKET),
];
