//! A line's settings: its account, how its conversations are opened, and its texts.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{EngagementSettings, ProfileSettings, SatisfactionSettings, json, wrong};
use crate::domain::{id::LineId, uncertain::OnUncertain};
use connector_channels::{
    self as channel, Capabilities, Line, added_text::MessageTemplate, id::ChannelUserId, plain_text::Wording,
};
use connector_liveengage::{
    id::{AccountId, ExtConsumerId},
    messaging::{ClientProperties, Feature, Routing},
};
use connector_message::{
    MessageText,
    settings::{WrongField, read},
};

/// A line's settings, from the secret `<prefix>/line/<id>`.
#[derive(Debug)]
pub struct LineSettings {
    /// The line; the same as in the secret's name.
    pub id: LineId,
    /// The account to which its consumers' messages go.
    pub account: AccountId,
    /// How LiveEngage routes its new conversations.
    pub routing: Routing,
    /// How the campaign of a new conversation is found. `None`: it is the routing's.
    pub engagement: Option<EngagementSettings>,
    /// The text that a consumer receives if their message can't be delivered. `None`: no text.
    pub not_delivered_notice: Option<MessageText>,
    /// What to do with a message if it is uncertain whether an earlier attempt has delivered it.
    pub on_uncertain: OnUncertain,
    /// The connector's texts in a message with choices.
    pub wording: Wording,
    /// What the agent sees about a consumer.
    pub profile: ProfileSettings,
    /// Whether consumers of this line get the account's survey after a conversation.
    pub surveys: bool,
    /// The words with which a consumer ends the conversation, trimmed and in lower case.
    close_words: Vec<String>,
    /// The text that a consumer receives who ends a conversation when none is open. `None`: no text.
    pub nothing_to_close_notice: Option<MessageText>,
    /// The text that a consumer receives whose file can't be shown to the agent. `None`: no text.
    pub file_refused_notice: Option<MessageText>,
    /// The connector's questions after a conversation, for accounts without surveys.
    pub satisfaction: Option<SatisfactionSettings>,
    /// Whether documents are exchanged in addition to pictures. LivePerson must have enabled this for the account.
    pub documents: bool,
    /// How a message shows the name of the agent or bot that wrote it. `None`: it doesn't.
    pub sender: Option<MessageTemplate>,
    /// How an agent's or bot's message that is old when it is sent says so. `None`: it doesn't.
    pub late: Option<MessageTemplate>,
    /// The features of this line, which every call of the Send API names.
    pub client_properties: ClientProperties,
    /// The line's settings of its channel.
    pub line: Box<dyn Line>,
    channel: &'static str,
    consumer_id_key: SecretString,
}

#[derive(Deserialize)]
struct LineWire {
    line_id: LineId,
    account_id: AccountId,
    channel: String,
    consumer_id_key: SecretString,
    #[serde(default)]
    routing: Routing,
    #[serde(default)]
    engagement: Option<EngagementSettings>,
    #[serde(default)]
    not_delivered_notice: Option<String>,
    #[serde(default)]
    on_uncertain: OnUncertain,
    #[serde(default)]
    wording: Wording,
    #[serde(default)]
    profile: ProfileSettings,
    #[serde(default = "yes")]
    surveys: bool,
    #[serde(default)]
    close_words: Vec<String>,
    #[serde(default)]
    nothing_to_close_notice: Option<String>,
    #[serde(default)]
    file_refused_notice: Option<String>,
    #[serde(default)]
    satisfaction: Option<SatisfactionSettings>,
    #[serde(default)]
    documents: bool,
    #[serde(default)]
    auto_messages: bool,
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    late: Option<String>,
}

const fn yes() -> bool {
    true
}

/// The default of `nothing_to_close_notice`.
const NOTHING_TO_CLOSE: &str = "There is no open conversation.";

/// The default of `file_refused_notice`.
const FILE_REFUSED: &str = "Sorry, we can't open this file. Pictures (JPG, PNG, GIF) of up to 3 MB work best.";

/// The default of `not_delivered_notice`.
const NOT_DELIVERED: &str = "Sorry, your message could not be delivered. Please try again later.";

/// The value of `sender` and `late` that switches them off.
const NOTHING: &str = "none";

/// The value of `sender` for the usual form.
const NICKNAME: &str = "nickname";

/// The usual form of `sender`.
const SENDER: &str = "{nickname}: {text}";

/// The default of `late`.
const LATE: &str = "(sent {age} ago) {text}";

const LINE_FIELDS: [&str; 19] = [
    "line_id",
    "account_id",
    "channel",
    "consumer_id_key",
    "routing",
    "engagement",
    "not_delivered_notice",
    "on_uncertain",
    "wording",
    "profile",
    "surveys",
    "close_words",
    "nothing_to_close_notice",
    "file_refused_notice",
    "satisfaction",
    "documents",
    "auto_messages",
    "sender",
    "late",
];

/// The shortest `consumer_id_key`, in characters: half of the 64 hex digits that `openssl rand -hex 32` prints.
const SHORTEST_KEY: usize = 32;

impl LineSettings {
    /// Parses and checks the secret of the line `id`.
    ///
    /// # Errors
    /// [`WrongField`] names the first invalid field, without its value.
    pub fn read(id: &LineId, secret: &SecretString) -> Result<Self, WrongField> {
        let value = json(secret)?;
        let wire: LineWire = read("", &value)?;
        if wire.line_id != *id {
            return Err(wrong("line_id", "must be the line id in the secret's name"));
        }
        if wire.consumer_id_key.expose_secret().len() < SHORTEST_KEY {
            return Err(wrong("consumer_id_key", "must have at least 32 characters, as of `openssl rand -hex 32`"));
        }
        let channel = channel::by_name(&wire.channel).ok_or_else(|| {
            let known: Vec<_> = channel::ALL.iter().map(|channel| channel.name()).collect();
            wrong("channel", &format!("must be one of: {}", known.join(", ")))
        })?;
        let settings = value
            .get(channel.name())
            .ok_or_else(|| wrong("the secret", &format!("missing field `{}`", channel.name())))?;
        if let Some(unknown) = value.as_object().and_then(|fields| {
            fields.keys().find(|field| !LINE_FIELDS.contains(&field.as_str()) && *field != channel.name())
        }) {
            return Err(wrong(unknown, "unknown field"));
        }
        let line = channel.line(settings).map_err(|error| WrongField { field: error.field, rule: error.rule })?;
        let close_words: Vec<_> = wire.close_words.iter().map(|word| normal(word)).collect();
        if close_words.iter().any(String::is_empty) {
            return Err(wrong("close_words", "must be words that a consumer can write"));
        }
        if let Some(satisfaction) = &wire.satisfaction {
            satisfaction.check()?;
        }
        let (sender, late) = (sender(wire.sender.as_deref())?, late(wire.late.as_deref())?);
        let client_properties = ClientProperties::new(&features(&line.capabilities(), &wire));
        Ok(Self {
            id: wire.line_id,
            account: wire.account_id,
            routing: wire.routing,
            engagement: wire.engagement,
            on_uncertain: wire.on_uncertain,
            not_delivered_notice: notice(wire.not_delivered_notice, NOT_DELIVERED),
            wording: wire.wording,
            profile: wire.profile,
            surveys: wire.surveys,
            close_words,
            nothing_to_close_notice: notice(wire.nothing_to_close_notice, NOTHING_TO_CLOSE),
            file_refused_notice: notice(wire.file_refused_notice, FILE_REFUSED),
            satisfaction: wire.satisfaction,
            documents: wire.documents,
            sender,
            late,
            client_properties,
            line,
            channel: channel.name(),
            consumer_id_key: wire.consumer_id_key,
        })
    }

    /// Whether a text is one of the line's words that end the conversation. The whole text must match, regardless of case and surrounding
    /// whitespace.
    pub fn closes(&self, text: &str) -> bool {
        !self.close_words.is_empty() && self.close_words.contains(&normal(text))
    }

    /// Returns the name of the line's channel.
    pub const fn channel(&self) -> &'static str {
        self.channel
    }

    /// Returns the consumer's external id at LivePerson: an HMAC-SHA256 over channel, account, line and user id, in hex. Without the key,
    /// it can't be computed from a phone number or traced back to one. It covers the line because LiveEngage allows one open conversation
    /// per consumer, and two lines must not share it.
    pub fn ext_consumer_id(&self, user: &ChannelUserId) -> Result<ExtConsumerId, WrongField> {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.consumer_id_key.expose_secret().as_bytes())
            .map_err(|_| wrong("consumer_id_key", "can't be used as a key"))?;
        for part in [self.channel, self.account.as_str(), self.id.as_str(), user.as_str()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        ExtConsumerId::new(hex::encode(mac.finalize().into_bytes()))
            .map_err(|_| wrong("consumer_id_key", "can't be used as a key"))
    }
}

/// Every channel shows structured content and quick replies, if necessary as numbered text.
fn features(capabilities: &Capabilities, wire: &LineWire) -> Vec<Feature> {
    let mut features = vec![Feature::RichContent, Feature::QuickReplies];
    if wire.surveys {
        features.push(Feature::MultiDialog);
    }
    if wire.auto_messages {
        features.push(Feature::AutoMessages);
    }
    if let Some(files) = capabilities.files {
        features.push(Feature::PhotoSharing);
        if wire.documents && files.largest_document.is_some() {
            features.push(Feature::FileSharing);
        }
    }
    features
}

/// Returns the line's own text, or the default. `None` if the line's text is blank.
fn notice(own: Option<String>, default: &str) -> Option<MessageText> {
    Some(own.unwrap_or_else(|| default.to_owned())).filter(|notice| !notice.trim().is_empty()).map(MessageText::new)
}

/// Reads `sender`.
fn sender(setting: Option<&str>) -> Result<Option<MessageTemplate>, WrongField> {
    let template = match setting {
        None | Some(NOTHING) => return Ok(None),
        Some(NICKNAME) => SENDER,
        Some(template) => template,
    };
    let rule = "must be `none`, `nickname`, or a text with `{nickname}` and `{text}`, each once";
    MessageTemplate::parse(template, "{nickname}").map(Some).ok_or_else(|| wrong("sender", rule))
}

/// Reads `late`.
fn late(setting: Option<&str>) -> Result<Option<MessageTemplate>, WrongField> {
    let template = match setting {
        Some(NOTHING) => return Ok(None),
        template => template.unwrap_or(LATE),
    };
    let rule = "must be `none`, or a text with `{age}` and `{text}`, each once";
    MessageTemplate::parse(template, "{age}").map(Some).ok_or_else(|| wrong("late", rule))
}

fn normal(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn line() -> Value {
        json!({
            "line_id": "sms-main", "account_id": "72419083", "channel": "sms", "consumer_id_key": "k".repeat(64),
            "routing": {"skill_id": "2187"},
            "sms": {"from": "+4930555123", "send_url": "https://gateway.example/v1/messages", "bearer_token": "b34rer", "webhook_secret": "wh"},
        })
    }

    fn read_line(value: &Value) -> Result<LineSettings, WrongField> {
        LineSettings::read(&LineId::new("sms-main").unwrap(), &SecretString::from(value.to_string()))
    }

    #[test]
    fn a_wrong_line_field_is_named() {
        assert!(read_line(&line()).is_ok());
        for (field, value, error) in [
            ("channel", json!("fax"), "channel: must be one of: sms"),
            (
                "consumer_id_key",
                json!("short"),
                "consumer_id_key: must have at least 32 characters, as of `openssl rand -hex 32`",
            ),
            ("routing", json!({"skil_id": "1"}), "routing.skil_id: unknown field `skil_id`"),
            (
                "routing",
                json!({"ttr": "SOON` secret"}),
                "routing.ttr: must be one of `NORMAL`, `URGENT`, `PRIORITIZED`",
            ),
            ("routing", json!({"language": "secret!"}), "routing.language: must be a BCP 47 language tag"),
            ("skill_id", json!("1"), "skill_id: unknown field"),
            (
                "engagement",
                json!({"entry_points": ["sec://shop", "secret"]}),
                "engagement.entry_points[1]: must be an entry point: `sec://SECTION`",
            ),
            ("sms", json!({}), "sms: missing field `from`"),
            ("close_words", json!([" "]), "close_words: must be words that a consumer can write"),
            ("close_words", json!("stop"), "close_words: has the wrong type or form"),
            ("surveys", json!("yes"), "surveys: has the wrong type or form"),
            ("profile", json!({"vip": true}), "profile.vip: unknown field `vip`"),
            ("satisfaction", json!({"question": ""}), "satisfaction.question: must not be empty"),
            (
                "sender",
                json!("agent"),
                "sender: must be `none`, `nickname`, or a text with `{nickname}` and `{text}`, each once",
            ),
            ("late", json!("late: {text}"), "late: must be `none`, or a text with `{age}` and `{text}`, each once"),
        ] {
            let mut secret = line();
            secret[field] = value;
            let shown = read_line(&secret).unwrap_err().to_string();
            assert!(shown.starts_with(error), "{shown} instead of {error}");
        }
    }

    #[test]
    fn a_line_declares_what_its_channel_and_its_settings_can() {
        let declared = |change: Value| {
            let mut secret = line();
            for (field, value) in change.as_object().unwrap() {
                secret[field] = value.clone();
            }
            let header: Value =
                serde_json::from_str(read_line(&secret).unwrap().client_properties.header_value()).unwrap();
            header["features"].clone()
        };
        assert_eq!(declared(json!({})), json!(["RICH_CONTENT", "QUICK_REPLIES", "MULTI_DIALOG"]));
        assert_eq!(
            declared(json!({"surveys": false, "auto_messages": true})),
            json!(["AUTO_MESSAGES", "RICH_CONTENT", "QUICK_REPLIES"])
        );
    }

    #[test]
    fn a_whole_text_ends_the_conversation_and_a_part_does_not() {
        assert!(!read_line(&line()).unwrap().closes(""));
        let mut secret = line();
        secret["close_words"] = json!(["#End", "TSCHÜSS"]);
        let line = read_line(&secret).unwrap();
        for (text, closes) in [("#end", true), (" Tschüss\n", true), ("#end it all", false), ("", false)] {
            assert_eq!(line.closes(text), closes, "{text}");
        }
    }

    #[test]
    fn the_notice_has_a_default_and_can_be_switched_off() {
        let notice = |secret: &Value| read_line(secret).unwrap().not_delivered_notice;
        assert_eq!(notice(&line()), Some(MessageText::new(NOT_DELIVERED)));
        let mut secret = line();
        secret["not_delivered_notice"] = json!("Leider nicht zugestellt.");
        assert_eq!(notice(&secret), Some(MessageText::new("Leider nicht zugestellt.")));
        secret["not_delivered_notice"] = json!(" ");
        assert_eq!(notice(&secret), None);
    }

    #[test]
    fn a_consumers_name_is_stable_and_differs_by_line_and_key() {
        let user = ChannelUserId::new("+4915112345678").unwrap();
        let name = |secret: &Value| read_line(secret).unwrap().ext_consumer_id(&user).unwrap();
        assert_eq!(name(&line()), name(&line()));
        assert_eq!(name(&line()).as_str().len(), 64);
        let mut other_key = line();
        other_key["consumer_id_key"] = json!("j".repeat(64));
        assert_ne!(name(&line()), name(&other_key));
        let mut other_routing = line();
        other_routing["routing"] = json!({});
        assert_eq!(name(&line()), name(&other_routing), "only what names the consumer may count");
        let mut other_line = line();
        other_line["line_id"] = json!("sms-two");
        let other =
            LineSettings::read(&LineId::new("sms-two").unwrap(), &SecretString::from(other_line.to_string())).unwrap();
        assert_ne!(name(&line()), other.ext_consumer_id(&user).unwrap());
    }
}
