//! Documented payloads that a connector of this kind neither sends nor receives.

const LOGIN: &str = "Login Service: a connector proves itself by its AppJWT and needs no agent's session";
const WEBSOCKET: &str = "a placeholder for any request of the websocket, or the claims of its token";
const MONITORING: &str =
    "Monitoring API: for engagements on web pages; this connector has its campaign in the settings";
const HISTORY: &str = "Consumer Messaging History: not on the way of a message, and not asked";
const INSTALL: &str =
    "a record of the app install's configuration: an operator enters the manifest, nothing reads the record";
const AGENT: &str = "an agent's request: a consumer can't transfer a conversation or bring in a manager";
const ATTRIBUTE: &str = "an engagement attribute for web tagging: SetUserProfile takes ctmrinfo and personal only";
const OTHER_APP: &str = "the manifest of another kind of app, without webhooks";

/// File and reason.
pub(super) const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("app-install-record-list.json", INSTALL),
    ("app-install-record.json", INSTALL),
    ("dc-app-install-web-manifest.json", OTHER_APP),
    (
        "dc-auth-appjwt-header.json",
        "the header of a token: LivePerson verifies its own tokens, the connector only carries them",
    ),
    ("dc-history-content-response.json", HISTORY),
    ("dc-history-metadata-response.json", HISTORY),
    ("dc-login-app-request.json", LOGIN),
    ("dc-login-response.json", LOGIN),
    ("dc-login-user-request.json", LOGIN),
    ("dc-logout-request.json", LOGIN),
    ("dc-monitoring-engagement-created-response.json", MONITORING),
    ("dc-monitoring-engagement-request.json", MONITORING),
    ("dc-monitoring-engagement-resume-response.json", MONITORING),
    ("dc-monitoring-engagement-unavailable-response.json", MONITORING),
    ("dc-monitoring-getting-started-response.json", MONITORING),
    ("dc-monitoring-imp-accept.json", MONITORING),
    ("dc-monitoring-imp-close.json", MONITORING),
    ("dc-monitoring-imp-display.json", MONITORING),
    ("dc-monitoring-imp-expanded.json", MONITORING),
    ("dc-monitoring-imp-timeout.json", MONITORING),
    ("dc-monitoring-loading-account-response.json", MONITORING),
    ("dc-monitoring-report-bad-request-response.json", MONITORING),
    ("dc-monitoring-report-request.json", MONITORING),
    ("dc-monitoring-report-response.json", MONITORING),
    ("dc-oauth2-base-manifest.json", OTHER_APP),
    ("dc-refresh-csrf-error-response.json", LOGIN),
    ("dc-refresh-request.json", LOGIN),
    ("dc-ttr-request.json", "the time to respond is said when a conversation opens, and not changed while it runs"),
    ("devhub-agent-profile-response.json", "an agent's public profile: persons are not shown who answers"),
    ("pages-login-app-oauth2-request.json", LOGIN),
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
    ("seed3-ws-consumer-jwt-claims.json", WEBSOCKET),
    ("seed3-ws-myrequest-response.json", WEBSOCKET),
    ("seed3-ws-myrequest.json", WEBSOCKET),
];
