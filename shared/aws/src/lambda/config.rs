//! The configuration from environment variables. It is read once at the start. A function with a missing or invalid variable doesn't start.

use connector::domain::id::LineId;
use connector_liveengage::id::AccountId;

/// A missing or invalid variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} {rule}")]
pub struct ConfigError {
    /// The variable's name.
    pub variable: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// LiveEngage account ids, separated by commas.
pub const ACCOUNTS: &str = "CONNECTOR_ACCOUNTS";
/// Line ids, separated by commas.
pub const LINES: &str = "CONNECTOR_LINES";
/// The prefix of the secrets' names.
pub const SECRET_PREFIX: &str = "CONNECTOR_SECRET_PREFIX";
/// The table's name.
pub const TABLE: &str = "CONNECTOR_TABLE";
/// The URL of the queue to LiveEngage.
pub const TO_LIVEENGAGE_QUEUE_URL: &str = "CONNECTOR_TO_LIVEENGAGE_QUEUE_URL";
/// The URL of the queue to the channels.
pub const TO_CHANNEL_QUEUE_URL: &str = "CONNECTOR_TO_CHANNEL_QUEUE_URL";

/// The stack's name, which is a dimension of the metrics. Without it no metrics are written.
pub const STACK: &str = "CONNECTOR_STACK";

/// Reads variables.
pub trait Environment {
    /// Returns a variable's value if it is set.
    fn get(&self, variable: &str) -> Option<String>;
}

/// The environment of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the only place that may read the environment")]
    fn get(&self, variable: &str) -> Option<String> {
        std::env::var(variable).ok()
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn get(&self, variable: &str) -> Option<String> {
        self(variable)
    }
}

/// The secrets of all accounts or of all lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsConfig<Id> {
    /// The configured ids.
    pub ids: Vec<Id>,
    /// The prefix of the secrets' names.
    pub prefix: String,
}

/// The configuration of `webhook`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// The accounts whose webhooks are accepted.
    pub accounts: SecretsConfig<AccountId>,
    /// The URL of the queue to the channels, for their changes.
    pub to_channel_queue_url: String,
}

/// The configuration of `inbound`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundConfig {
    /// The lines whose requests are accepted.
    pub lines: SecretsConfig<LineId>,
    /// The URL of the queue to LiveEngage, for their events.
    pub to_liveengage_queue_url: String,
}

/// The configuration of `to-liveengage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToLiveEngageConfig {
    /// The accounts of the lines.
    pub accounts: SecretsConfig<AccountId>,
    /// The lines.
    pub lines: SecretsConfig<LineId>,
    /// The table's name.
    pub table: String,
    /// The URL of its own queue, for setting when a message is retried.
    pub to_liveengage_queue_url: String,
    /// The URL of the other queue, for notices to consumers about failed deliveries.
    pub to_channel_queue_url: String,
}

/// The configuration of `to-channel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToChannelConfig {
    /// The accounts. They are needed to fetch agents' files from LivePerson.
    pub accounts: SecretsConfig<AccountId>,
    /// The lines.
    pub lines: SecretsConfig<LineId>,
    /// The table's name.
    pub table: String,
    /// The URL of its own queue, for setting when a message is retried, and for the connector's own messages to consumers.
    pub to_channel_queue_url: String,
    /// The URL of the other queue, for notices to agents about failed deliveries.
    pub to_liveengage_queue_url: String,
}

/// The configuration of `token-refresh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRefreshConfig {
    /// The accounts whose tokens are renewed.
    pub accounts: SecretsConfig<AccountId>,
    /// The table's name.
    pub table: String,
}

/// The configuration of `reconcile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// The accounts whose conversations are compared with LiveEngage's history.
    pub accounts: SecretsConfig<AccountId>,
    /// The table's name.
    pub table: String,
    /// The URL of the queue to the channels, for what was missing.
    pub to_channel_queue_url: String,
}

impl ReconcileConfig {
    /// Reads the configuration from the variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid.
    pub fn read(environment: &impl Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            accounts: accounts(environment)?,
            table: variable(environment, TABLE)?,
            to_channel_queue_url: queue_url(environment, TO_CHANNEL_QUEUE_URL)?,
        })
    }
}

impl WebhookConfig {
    /// Reads the configuration from the variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid.
    pub fn read(environment: &impl Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            accounts: accounts(environment)?,
            to_channel_queue_url: queue_url(environment, TO_CHANNEL_QUEUE_URL)?,
        })
    }
}

impl InboundConfig {
    /// Reads the configuration from the variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid.
    pub fn read(environment: &impl Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            lines: lines(environment)?,
            to_liveengage_queue_url: queue_url(environment, TO_LIVEENGAGE_QUEUE_URL)?,
        })
    }
}

impl ToLiveEngageConfig {
    /// Reads the configuration from the variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid.
    pub fn read(environment: &impl Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            accounts: accounts(environment)?,
            lines: lines(environment)?,
            table: variable(environment, TABLE)?,
            to_liveengage_queue_url: queue_url(environment, TO_LIVEENGAGE_QUEUE_URL)?,
            to_channel_queue_url: queue_url(environment, TO_CHANNEL_QUEUE_URL)?,
        })
    }
}

impl ToChannelConfig {
    /// Reads the configuration from the variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid.
    pub fn read(environment: &impl Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            accounts: accounts(environment)?,
            lines: lines(environment)?,
            table: variable(environment, TABLE)?,
            to_channel_queue_url: queue_url(environment, TO_CHANNEL_QUEUE_URL)?,
            to_liveengage_queue_url: queue_url(environment, TO_LIVEENGAGE_QUEUE_URL)?,
        })
    }
}

impl TokenRefreshConfig {
    /// Reads the configuration from the variables.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid.
    pub fn read(environment: &impl Environment) -> Result<Self, ConfigError> {
        Ok(Self { accounts: accounts(environment)?, table: variable(environment, TABLE)? })
    }
}

fn variable(environment: &impl Environment, variable: &'static str) -> Result<String, ConfigError> {
    match environment.get(variable) {
        Some(value) if !value.trim().is_empty() => Ok(value),
        _ => Err(ConfigError { variable, rule: "is not set" }),
    }
}

fn queue_url(environment: &impl Environment, name: &'static str) -> Result<String, ConfigError> {
    let url = variable(environment, name)?;
    if url.starts_with("http") && url.ends_with(".fifo") {
        Ok(url)
    } else {
        Err(ConfigError { variable: name, rule: "must be the URL of a FIFO queue, ending in .fifo" })
    }
}

fn accounts(environment: &impl Environment) -> Result<SecretsConfig<AccountId>, ConfigError> {
    secrets(environment, ACCOUNTS, "must be LiveEngage account ids, separated by commas", AccountId::new)
}

fn lines(environment: &impl Environment) -> Result<SecretsConfig<LineId>, ConfigError> {
    secrets(environment, LINES, "must be line ids (letters, digits, '-', '_'), separated by commas", LineId::new)
}

fn secrets<Id, E>(
    environment: &impl Environment,
    name: &'static str,
    rule: &'static str,
    read: impl Fn(String) -> Result<Id, E>,
) -> Result<SecretsConfig<Id>, ConfigError> {
    let ids = variable(environment, name)?
        .split(',')
        .map(|id| read(id.trim().to_owned()).map_err(|_| ConfigError { variable: name, rule }))
        .collect::<Result<_, _>>()?;
    Ok(SecretsConfig { ids, prefix: variable(environment, SECRET_PREFIX)? })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
        let map: HashMap<String, String> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        move |name| map.get(name).cloned()
    }

    #[test]
    fn ids_are_separated_by_commas() {
        let config = TokenRefreshConfig::read(&environment(&[
            (ACCOUNTS, "72419083, le555"),
            (SECRET_PREFIX, "connector"),
            (TABLE, "t"),
        ]))
        .unwrap();
        let ids: Vec<_> = config.accounts.ids.iter().map(AccountId::as_str).collect();
        assert_eq!(ids, ["72419083", "le555"]);
    }

    #[test]
    fn the_missing_variable_is_named() {
        let mut pairs = vec![];
        for (next, value) in [
            (ACCOUNTS, "72419083"),
            (SECRET_PREFIX, "connector"),
            (LINES, "sms-main"),
            (TABLE, "t"),
            (TO_LIVEENGAGE_QUEUE_URL, "https://sqs.eu-central-1.amazonaws.com/1/q.fifo"),
            (TO_CHANNEL_QUEUE_URL, "https://sqs.eu-central-1.amazonaws.com/1/r.fifo"),
        ] {
            let error = ToLiveEngageConfig::read(&environment(&pairs)).unwrap_err();
            assert_eq!(error.to_string(), format!("the environment variable {next} is not set"));
            pairs.push((next, value));
        }
        assert!(ToLiveEngageConfig::read(&environment(&pairs)).is_ok());
    }

    #[test]
    fn the_wrong_variable_is_named() {
        let error = |accounts, url| {
            let pairs = [(ACCOUNTS, accounts), (SECRET_PREFIX, "c"), (TO_CHANNEL_QUEUE_URL, url)];
            WebhookConfig::read(&environment(&pairs)).unwrap_err().variable
        };
        assert_eq!(error("7241,,9", "https://x/q.fifo"), ACCOUNTS);
        assert_eq!(error("7241/9", "https://x/q.fifo"), ACCOUNTS);
        assert_eq!(error("7241", "https://x/q"), TO_CHANNEL_QUEUE_URL);
    }
}
