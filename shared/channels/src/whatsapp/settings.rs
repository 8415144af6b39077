//! The settings of a line: the object `whatsapp` in its secret.

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{LONGEST_BUTTON_TITLE, graph::Graph};
use crate::{
    setting::{SecretPurpose, Setting, SettingValue, chosen_secret, vendor_secret},
    settings::Checks,
};
use connector_message::settings::{WrongField, is_https_or_loopback, read};

const CHECKS: Checks = Checks("whatsapp");

/// The description of the settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "phone_number_id",
        required: true,
        value: SettingValue::Text("118240097715334"),
        meaning: "Meta's id of the number (WhatsApp > API Setup). Digits. Not the number itself.",
    },
    Setting {
        name: "access_token",
        required: true,
        value: vendor_secret(SecretPurpose::BearerToken, "the token of a system user, from Meta"),
        meaning: "A system user's token with `whatsapp_business_messaging`. Use one that doesn't expire.",
    },
    Setting {
        name: "app_secret",
        required: true,
        value: vendor_secret(SecretPurpose::Proof, "the app's secret, from Meta under App settings > Basic"),
        meaning: "App settings > Basic. The key of the webhooks' signature.",
    },
    Setting {
        name: "verify_token",
        required: true,
        value: chosen_secret(SecretPurpose::Other, "enter it at Meta with the webhook's address"),
        meaning: "Any long random text. You enter the same at Meta.",
    },
    Setting {
        name: "business_account_id",
        required: false,
        value: SettingValue::Text("204871165530912"),
        meaning: "Meta's id of the WhatsApp Business account that has the number. Digits. Only \
                  `connector channel register` uses it.",
    },
    Setting {
        name: "list_button",
        required: false,
        value: SettingValue::Text(LIST_BUTTON),
        meaning: "The label of the button that opens a list, 1 to 20 characters. Default `Choose`.",
    },
    Setting {
        name: "api_version",
        required: false,
        value: SettingValue::Text(API_VERSION),
        meaning: "The version of the Graph API. Default `v26.0`.",
    },
    Setting {
        name: "api_base",
        required: false,
        value: SettingValue::Text(API_BASE),
        meaning: "Default `https://graph.facebook.com`. https, or http on loopback.",
    },
    Setting {
        name: "media_hosts",
        required: false,
        value: SettingValue::Texts(&[MEDIA_HOST]),
        meaning: "Hosts that consumers' files may be fetched from with the token, with their subdomains. Default \
                  `[\"lookaside.fbsbx.com\"]`.",
    },
];

/// Meta's Graph API.
const API_BASE: &str = "https://graph.facebook.com";
/// The default version of the Graph API, of 2026-07-29.
const API_VERSION: &str = "v26.0";
/// The host of the files that consumers send.
const MEDIA_HOST: &str = "lookaside.fbsbx.com";
/// The default title of the button that opens a list.
const LIST_BUTTON: &str = "Choose";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    phone_number_id: String,
    access_token: SecretString,
    app_secret: SecretString,
    verify_token: SecretString,
    business_account_id: Option<String>,
    api_base: Option<Url>,
    api_version: Option<String>,
    media_hosts: Option<Vec<String>>,
    list_button: Option<String>,
}

/// The settings of a line. Holds secrets.
#[derive(Debug)]
pub(super) struct WhatsAppSettings {
    /// The Graph API of this line: `phone_number_id`, `access_token`, `api_base` and `api_version`.
    pub(super) graph: Graph,
    /// The app secret: the key of the webhooks' signature.
    pub(super) app_secret: SecretString,
    /// The token in Meta's handshake.
    pub(super) verify_token: SecretString,
    /// The hosts from which a file may be fetched with the token, including their subdomains.
    pub(super) media_hosts: Vec<String>,
    /// Meta's id of the WhatsApp Business account, to subscribe the app to it.
    pub(super) business_account_id: Option<String>,
    /// The title of the button that opens a list. 1 to 20 characters.
    pub(super) list_button: String,
}

impl WhatsAppSettings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`WrongField`] names the field and never contains its value.
    pub(super) fn read(settings: &serde_json::Value) -> Result<Self, WrongField> {
        let fields: Fields = read("whatsapp", settings)?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_id = |text: &str| text.len() <= 64 && digits(text);
        if !is_id(&fields.phone_number_id) {
            return Err(
                CHECKS.wrong("phone_number_id", "must be Meta's id of the number, all digits, and not the number")
            );
        }
        if fields.business_account_id.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(CHECKS.wrong("business_account_id", "must be Meta's id of the account, all digits"));
        }
        CHECKS.not_empty([
            ("access_token", &fields.access_token),
            ("app_secret", &fields.app_secret),
            ("verify_token", &fields.verify_token),
        ])?;
        let authorization = CHECKS.bearer("access_token", &fields.access_token)?;
        let version = fields.api_version.unwrap_or_else(|| API_VERSION.to_owned());
        if !version.strip_prefix('v').and_then(|v| v.split_once('.')).is_some_and(|(a, b)| digits(a) && digits(b)) {
            return Err(CHECKS.wrong("api_version", "must be a version of the Graph API, for example v26.0"));
        }
        let base = match fields.api_base {
            Some(base) => base,
            None => Url::parse(API_BASE).map_err(|_| CHECKS.wrong("api_base", "must be a URL"))?,
        };
        let bare = base.query().is_none() && base.fragment().is_none() && base.username().is_empty();
        if !is_https_or_loopback(&base) || !bare || base.password().is_some() {
            return Err(CHECKS
                .wrong("api_base", "must be an https URL (http only for loopback) without user, query and fragment"));
        }
        let media_hosts = match fields.media_hosts {
            Some(hosts) => CHECKS.hosts("media_hosts", &hosts)?,
            None => vec![MEDIA_HOST.to_owned()],
        };
        let list_button = fields.list_button.unwrap_or_else(|| LIST_BUTTON.to_owned());
        if list_button.trim().is_empty() || list_button.chars().count() > LONGEST_BUTTON_TITLE {
            return Err(CHECKS.wrong("list_button", "must be 1 to 20 characters"));
        }
        Ok(Self {
            graph: Graph::new(base, version, fields.phone_number_id, authorization),
            app_secret: fields.app_secret,
            verify_token: fields.verify_token,
            media_hosts,
            business_account_id: fields.business_account_id,
            list_button,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings() -> Value {
        json!({
            "phone_number_id": "118240097715334",
            "access_token": "EAAtok3n",
            "app_secret": "app-s3cret",
            "verify_token": "v3rify",
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut settings = settings();
        settings[field] = value;
        settings
    }

    #[test]
    fn four_fields_are_required() {
        let read = WhatsAppSettings::read(&settings()).unwrap();
        assert_eq!(read.graph.messages_url().as_str(), "https://graph.facebook.com/v26.0/118240097715334/messages");
        assert_eq!((read.media_hosts, read.list_button.as_str()), (vec!["lookaside.fbsbx.com".to_owned()], "Choose"));
    }

    #[test]
    fn the_api_base_can_have_a_path() {
        let mut settings = with("api_base", json!("http://127.0.0.1:4100/graph/"));
        settings["api_version"] = json!("v27.0");
        let read = WhatsAppSettings::read(&settings).unwrap();
        assert_eq!(read.graph.messages_url().as_str(), "http://127.0.0.1:4100/graph/v27.0/118240097715334/messages");
    }

    #[test]
    fn an_error_names_the_setting_without_its_value() {
        for (field, value, rule) in [
            ("phone_number_id", json!("+4930555123"), "must be Meta's id of the number"),
            ("phone_number_id", json!(""), "must be Meta's id of the number"),
            ("access_token", json!("a\nprivate"), "must be characters that an HTTP header can carry"),
            ("access_token", json!(""), "must not be empty"),
            ("app_secret", json!(""), "must not be empty"),
            ("verify_token", json!(""), "must not be empty"),
            ("verify_token", json!({"private": 1}), "has the wrong type or form"),
            ("api_base", json!("http://graph.private.example"), "must be an https URL"),
            ("api_base", json!("https://graph.example/?private=1"), "must be an https URL"),
            ("api_base", json!("https://u:private@graph.example/"), "must be an https URL"),
            ("api_base", json!("private"), "has the wrong type or form"),
            ("api_version", json!("26"), "must be a version of the Graph API"),
            ("api_version", json!("v26.0/../private"), "must be a version of the Graph API"),
            ("media_hosts", json!("private.example"), "has the wrong type or form"),
            ("list_button", json!("private words that are far too long"), "must be 1 to 20 characters"),
            ("list_button", json!(" "), "must be 1 to 20 characters"),
            ("business_account_id", json!("WABA private"), "must be Meta's id of the account"),
            ("acess_token", json!("private"), "unknown field `acess_token`"),
        ] {
            let error = WhatsAppSettings::read(&with(field, value)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("whatsapp.{field}: {rule}")), "{field}: {error}");
            assert!(!error.contains("private"), "{error}");
        }
        let error =
            WhatsAppSettings::read(&with("media_hosts", json!(["cdn.example", "https://cdn.example"]))).unwrap_err();
        assert_eq!(error.field, "whatsapp.media_hosts[1]");
        assert_eq!(
            WhatsAppSettings::read(&json!({})).unwrap_err().to_string(),
            "whatsapp: missing field `phone_number_id`"
        );
    }

    #[test]
    fn hosts_are_normalized_as_in_urls() {
        let read = WhatsAppSettings::read(&with("media_hosts", json!(["CDN.Example", "bücher.example"]))).unwrap();
        assert_eq!(read.media_hosts, ["cdn.example", "xn--bcher-kva.example"]);
    }

    #[test]
    fn debug_holds_no_secret() {
        let shown = format!("{:?}", WhatsAppSettings::read(&settings()).unwrap());
        for secret in ["EAAtok3n", "app-s3cret", "v3rify"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
