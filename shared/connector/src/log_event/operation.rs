//! The events of the functions themselves, of secrets, tokens and hosts.

use super::{Dimension, Metric, events};

const ALL: &[&str] = &["webhook", "inbound", "to-liveengage", "to-channel", "token-refresh", "reconcile"];
const WORKERS: &[&str] = &["to-liveengage", "to-channel"];
const CALLERS: &[&str] = &["to-liveengage", "to-channel", "token-refresh", "reconcile"];
const TOKEN_REFRESH: &[&str] = &["token-refresh"];
const RECONCILE: &[&str] = &["reconcile"];

events! {
    OPERATION_EVENTS:
    /// The function has started.
    FUNCTION_READY = INFO "function.ready" "function ready" {
        functions: ALL, fields: ["function", "version"]
    }
    /// The function can't start. `error` names the environment variable.
    FUNCTION_START_FAILED = ERROR "function.start_failed" "function failed to start" {
        functions: ALL, fields: ["error"]
    }
    /// A panic, which is a bug. Its message isn't logged, because it can quote a message.
    FUNCTION_PANICKED = ERROR "function.panicked" "panic" {
        functions: ALL, fields: ["place"]
    }
    /// The function reads a secret for the first time.
    SECRET_LOADED = INFO "secret.loaded" "secret loaded" {
        functions: ALL, fields: ["secret", "since"]
    }
    /// The function uses a newer version of a secret.
    SECRET_REPLACED = INFO "secret.replaced" "newer version of a secret loaded" {
        functions: ALL, fields: ["secret", "since"]
    }
    /// Secrets Manager did not answer, or the new version is wrong. The last good version stays in use.
    SECRET_RELOAD_FAILED = ERROR "secret.reload_failed" "secret not read again: the last good version stays in use" {
        functions: ALL, fields: ["error"]
    }
    /// Secrets Manager did not answer, or the secret is wrong, and the function has no earlier version. `error` names the secret and its
    /// field. Requests to this account or line are answered 500, and its messages wait in their queues. All others work.
    SECRET_NOT_USABLE = ERROR "secret.not_usable" "secret can't be used" {
        functions: ALL, fields: ["error"]
    }
    /// Sentinel has issued a new AppJWT.
    APP_JWT_RENEWED = INFO "app_jwt.renewed" "AppJWT renewed" {
        functions: CALLERS, fields: ["account", "expires_at"]
    }
    /// The AppJWT is due, and Sentinel gives no new one. The old one is valid until `expires_at`.
    APP_JWT_RENEWAL_DEFERRED = WARN "app_jwt.renewal_deferred" "AppJWT not renewed: the old one is still valid" {
        functions: WORKERS, fields: ["account", "error", "expires_at"]
    }
    /// `token-refresh` could not renew an AppJWT. The invocation fails, and the schedule tries again.
    APP_JWT_RENEWAL_FAILED = ERROR "app_jwt.renewal_failed" "AppJWT not renewed" {
        functions: TOKEN_REFRESH, fields: ["account", "error"]
    }
    /// LiveEngage refused an AppJWT and then the one that replaced it. Check the app install's id and secret.
    APP_JWT_REPLACEMENT_REFUSED = WARN "app_jwt.replacement_refused" "LiveEngage refused the new AppJWT, too" {
        functions: WORKERS, fields: ["account", "call"]
    }
    /// The age of each AppJWT after a run of `token-refresh`.
    APP_JWT_AGE = INFO "app_jwt.age" "AppJWT age" {
        functions: TOKEN_REFRESH, fields: ["account", "age_s"],
        metrics: [Metric::sum("TokenAge", "age_s", "Seconds", Dimension::Stack)]
    }
    /// The table did not answer when `token-refresh` asked for an AppJWT's age.
    APP_JWT_AGE_UNKNOWN = WARN "app_jwt.age_unknown" "AppJWT age unknown" {
        functions: TOKEN_REFRESH, fields: ["account", "error"]
    }
    /// A run of `token-refresh` has ended. Every AppJWT stays valid until after the next two runs.
    APP_JWTS_FRESH = INFO "app_jwt.all_fresh" "all AppJWTs fresh" {
        functions: TOKEN_REFRESH, fields: ["accounts"]
    }
    /// A run of `reconcile` has compared an account's conversations with LiveEngage's history. `missing` events of agents and bots, and
    /// `closed` ends of conversations, are in the queue now: webhooks were lost. What `failed`, and what is `left`, is compared by the next
    /// run.
    ACCOUNT_RECONCILED = INFO "account.reconciled" "account reconciled" {
        functions: RECONCILE, fields: ["account", "compared", "missing", "closed", "failed", "left"],
        metrics: [Metric::sum("Recovered", "missing", "Count", Dimension::Stack)]
    }
    /// `reconcile` could not compare an account's conversations. The invocation fails, and the next run tries again.
    ACCOUNT_NOT_RECONCILED = ERROR "account.not_reconciled" "account not reconciled" {
        functions: RECONCILE, fields: ["account", "error"]
    }
    /// LiveEngage's history refuses the consumers' tokens. Lost webhooks of this account can't be recovered: ask LivePerson to open the
    /// history to the app install, or switch `reconcile` off.
    HISTORY_REFUSED = ERROR "history.refused" "LiveEngage's history refuses the consumers' tokens" {
        functions: RECONCILE, fields: ["account"]
    }
    /// A part of a conversation's history can't be read, or it isn't known to which dialog it belongs. The rest was compared.
    HISTORY_PART_IGNORED = WARN "history.part_ignored" "part of a conversation's history ignored" {
        functions: RECONCILE, fields: ["account", "conversation", "count"]
    }
    /// The webhooks of these events were lost. The events are in the queue now.
    EVENTS_RECOVERED = WARN "events.recovered" "lost events recovered from LiveEngage's history" {
        functions: RECONCILE, fields: ["account", "conversation", "count"]
    }
    /// One consumer's conversations could not be compared. The next run tries again.
    CONVERSATION_NOT_COMPARED = WARN "conversation.not_compared" "conversation not compared with LiveEngage's history" {
        functions: RECONCILE, fields: ["account", "error"]
    }
    /// LiveEngage's Domain API did not answer. The list of hosts that it gave before stays in use.
    DOMAIN_NOT_REFRESHED = WARN "domain.not_refreshed" "Domain API failed: the last list of hosts stays in use" {
        functions: CALLERS, fields: ["account", "error"]
    }
    /// A `Retry-After` header isn't a plausible number of seconds.
    RETRY_AFTER_IGNORED = WARN "retry_after.ignored" "Retry-After ignored: not a plausible number of seconds" {
        functions: CALLERS, fields: ["host", "asked_days"]
    }
    /// The host of a file has no public address. It isn't called, because a message could make the connector call hosts inside the VPC.
    FILE_HOST_NOT_PUBLIC = WARN "file_host.not_public" "file's host has no public address: not called" {
        functions: WORKERS, fields: []
    }
}
