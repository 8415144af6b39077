//! The events of the functions themselves, of secrets, tokens and hosts.

use super::{Dimension, Metric, events};

const ALL: &[&str] = &["webhook", "inbound", "to-liveengage", "to-channel", "token-refresh"];
const WORKERS: &[&str] = &["to-liveengage", "to-channel"];
const CALLERS: &[&str] = &["to-liveengage", "to-channel", "token-refresh"];
const TOKEN_REFRESH: &[&str] = &["token-refresh"];

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
