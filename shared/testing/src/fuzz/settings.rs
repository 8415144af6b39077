//! The JSON of the secrets.

use std::{fmt::Write, sync::LazyLock};

use secrecy::SecretString;
use serde_json::{Value, json};

use super::input::{canary, documents, hides, number, with_one_text, with_texts};
use connector::{
    app::settings::{Account, LineSettings},
    domain::id::LineId,
};
use connector_channels::{id::ChannelUserId, setting::SettingValue};
use connector_liveengage::id::AccountId;
use connector_message::settings::{WrongField, is_https_or_loopback};

const WORDS: &str = "\
    account_id 72419083 client_id 0f6c2a9e client_secret webhook_signature any sha256 domain_api \
    https://api.example line_id sms-main channel sms whatsapp consumer_id_key \
    0123456789abcdef0123456789abcdef routing skill_id ttr URGENT language de-DE not_delivered_notice on_uncertain wording \
    choose choose_button profile send_address customer_type surveys close_words nothing_to_close_notice \
    file_refused_notice satisfaction question resolved_question yes no thanks documents auto_messages";

/// [`WORDS`], and the names and examples of all channels' settings.
static ALL_WORDS: LazyLock<String> = LazyLock::new(|| {
    let mut words = WORDS.to_owned();
    for setting in connector_channels::ALL.iter().flat_map(|channel| channel.settings()) {
        let example = setting.value.example();
        let example = example.as_str().filter(|text| !text.contains(' ')).unwrap_or_default();
        let _ = write!(words, " {} {example}", setting.name);
    }
    words
});

/// The fields that are secrets.
static SECRETS: LazyLock<String> = LazyLock::new(|| {
    let of_channels = connector_channels::ALL.iter().flat_map(|channel| channel.settings());
    let secrets = of_channels.filter(|setting| matches!(setting.value, SettingValue::Secret(_)));
    ["client_secret", "consumer_id_key"]
        .into_iter()
        .chain(secrets.map(|setting| setting.name))
        .collect::<Vec<_>>()
        .join(" ")
});

/// Input: the text of an account's or a line's secret.
///
/// Checks that it is read, or that the error names a field and shows no value. `Debug` of the settings shows no secret, and calls use
/// https.
pub fn settings(data: &[u8]) {
    for document in documents(data, &ALL_WORDS) {
        let text = String::from_utf8_lossy(&document);
        let _ = read_account(&text).map(|account| assert!(is_https_or_loopback(&account.domain_api)));
        let _ = read_line(&text).map(|line| uses(&line));
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            assert_eq!(read_account(&text).unwrap_err().rule, "is not JSON");
            assert_eq!(read_line(&text).unwrap_err().rule, "is not JSON");
            continue;
        };
        for value in [&value, &complete(&value)] {
            shows_no_value(value, number(&document));
        }
    }
}

/// Merges the document into a complete account or line, so that reading reaches the document's fields.
fn complete(value: &Value) -> Value {
    let mut whole = json!({
        "line_id": "sms-main", "account_id": "72419083", "channel": "sms", "consumer_id_key": "k".repeat(32),
        "sms": {
            "from": "+4930555123", "send_url": "https://gateway.example/v1/messages", "bearer_token": "b34rer",
            "webhook_secret": "wh-s3cret",
        },
    });
    let account = value.get("client_id").is_some() || value.get("client_secret").is_some();
    if account {
        whole = json!({"account_id": "72419083", "client_id": "0f6c2a9e", "client_secret": "cl13nt"});
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let whole = whole.as_object_mut().unwrap();
        match (whole.get_mut(name).and_then(Value::as_object_mut), value.as_object()) {
            (Some(known), Some(members)) => {
                known.extend(members.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            _ => drop(whole.insert(name.clone(), value.clone())),
        }
    }
    whole
}

fn shows_no_value(value: &Value, number: u64) {
    let canary = format!("{}-that-is-long-enough-to-be-a-key", canary(value.to_string().as_bytes()));
    let spoiled = with_one_text(value, number, &canary).to_string();
    let errors = [read_account(&spoiled).err(), read_line(&spoiled).err()];
    for error in errors.into_iter().flatten() {
        hides(&format!("{error} {error:?}"), &canary);
    }
    let secret = with_texts(value, &SECRETS, &canary).to_string();
    hides(&format!("{:?} {:?}", read_account(&secret), read_line(&secret)), &canary);
}

fn read_account(text: &str) -> Result<Account, WrongField> {
    Account::read(&AccountId::new("72419083").unwrap(), &SecretString::from(text))
}

fn read_line(text: &str) -> Result<LineSettings, WrongField> {
    LineSettings::read(&LineId::new("sms-main").unwrap(), &SecretString::from(text))
}

fn uses(line: &LineSettings) {
    assert!(!line.closes("") && !line.closes(" \n"));
    let user = ChannelUserId::new("+4915112345678").unwrap();
    let name = line.ext_consumer_id(&user).unwrap();
    assert_eq!((line.ext_consumer_id(&user).unwrap(), name.as_str().len()), (name.clone(), 64));
    let header: Value = serde_json::from_str(line.client_properties.header_value()).unwrap();
    assert!(header.is_object());
}
