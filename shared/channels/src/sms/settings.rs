//! The settings of a line: the object `sms` in its secret.

use http::HeaderValue;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::{
    setting::{SecretPurpose, Setting, SettingValue, chosen_secret, vendor_secret},
    settings::Checks,
};
use connector_message::settings::{WrongField, is_https_or_loopback, read};

const CHECKS: Checks = Checks("sms");

/// The description of the settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "from",
        required: true,
        value: SettingValue::Text("+493055501"),
        meaning: "The number or sender name, as the gateway expects it in `from`.",
    },
    Setting {
        name: "send_url",
        required: true,
        value: SettingValue::Text("https://gateway.example/v1/messages"),
        meaning: "Where outbound messages are posted. https, or http on loopback.",
    },
    Setting {
        name: "bearer_token",
        required: true,
        value: vendor_secret(SecretPurpose::BearerToken, "the token of the gateway's API"),
        meaning: "The token of outbound calls, sent as `Authorization: Bearer ...`.",
    },
    Setting {
        name: "webhook_secret",
        required: true,
        value: chosen_secret(SecretPurpose::Proof, "the gateway signs with it"),
        meaning: "The key of the inbound signature. Not empty.",
    },
    Setting {
        name: "delivery_reports",
        required: false,
        value: SettingValue::Flag(false),
        meaning: "Whether the gateway posts delivery reports. Default `false`: reports are dropped after two minutes and counted. With \
                  `true` each message costs one table write more.",
    },
    Setting {
        name: "media_hosts",
        required: false,
        value: SettingValue::Texts(&["media.gateway.example"]),
        meaning: "Further hosts that pictures may be fetched from, with the bearer token. The host of `send_url` is always allowed. \
                  Host names only, without scheme and subdomains. A name must resolve to a public address. Write a private host as \
                  its IP address.",
    },
];

/// The settings of a line. Holds secrets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmsSettings {
    /// The brand's number or sender name, in the form that the gateway expects in `from`.
    pub(super) from: String,
    /// The URL for outbound messages: https, or http to a loopback address.
    pub(super) send_url: Url,
    /// The bearer token of outbound calls.
    pub(super) bearer_token: SecretString,
    /// The key of the signature of inbound requests.
    pub(super) webhook_secret: SecretString,
    /// Whether the gateway sends reports: `delivered`, `read` or `failed`.
    #[serde(default)]
    pub(super) delivery_reports: bool,
    /// Hosts, in addition to that of `send_url`, from which files may be fetched with the bearer token.
    #[serde(default)]
    pub(super) media_hosts: Vec<String>,
}

impl SmsSettings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`WrongField`] names the field and never contains its value.
    pub(super) fn read(settings: &serde_json::Value) -> Result<Self, WrongField> {
        let settings: Self = read("sms", settings)?;
        if !is_https_or_loopback(&settings.send_url) {
            return Err(CHECKS.wrong("send_url", "must be an https URL (http only for loopback)"));
        }
        if settings.from.is_empty() {
            return Err(CHECKS.wrong("from", "must not be empty"));
        }
        CHECKS.not_empty([("bearer_token", &settings.bearer_token), ("webhook_secret", &settings.webhook_secret)])?;
        CHECKS.hosts("media_hosts", &settings.media_hosts)?;
        Ok(settings)
    }

    /// The value of the `Authorization` header.
    ///
    /// # Errors
    /// [`WrongField`] for a token that can't be sent in a header.
    pub(super) fn authorization(&self) -> Result<HeaderValue, WrongField> {
        CHECKS.bearer("bearer_token", &self.bearer_token)
    }
}
