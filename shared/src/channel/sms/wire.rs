//! The gateway's JSON: settings, inbound messages, outbound messages and answers.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    channel::{Receipt, SendFailure, SettingsError, Unreadable, UnreadableEntry},
    domain::{
        code::Code,
        http::HttpReply,
        id::{CallReference, ChannelUserId, ProviderMessageId},
        json,
        left_out::LeftOut,
        message::{InboundContent, InboundEvent, InboundMedia, MediaKind, MessageText, ReportedStatus},
    },
};

/// The object `sms` in a line's secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The brand's number or sender name, as the gateway wants it in `from`.
    pub from: String,
    /// Where outbound messages are posted: https, or http on loopback.
    pub send_url: Url,
    /// The token of outbound calls.
    pub bearer_token: SecretString,
    /// The key of the inbound signature.
    pub webhook_secret: SecretString,
    /// Whether the gateway reports what became of a message: `delivered`, `read` or `failed`.
    #[serde(default)]
    pub delivery_reports: bool,
    /// Further hosts that pictures of the gateway may be fetched from, beside the one of `send_url`. The bearer token goes there.
    #[serde(default)]
    pub media_hosts: Vec<String>,
}

impl Settings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`SettingsError`] names the field and never shows its value.
    pub fn read(settings: &serde_json::Value) -> Result<Self, SettingsError> {
        let settings: Self = crate::domain::settings::read("sms", settings)
            .map_err(|crate::domain::settings::WrongField { field, rule }| SettingsError { field, rule })?;
        let wrong = |field: &str, rule: &str| SettingsError { field: format!("sms.{field}"), rule: rule.to_owned() };
        if !crate::domain::settings::is_https_or_loopback(&settings.send_url) {
            return Err(wrong("send_url", "must be an https URL (http only for loopback)"));
        }
        if settings.from.is_empty() {
            return Err(wrong("from", "must not be empty"));
        }
        for (field, secret) in [("bearer_token", &settings.bearer_token), ("webhook_secret", &settings.webhook_secret)]
        {
            if crate::domain::settings::is_empty(secret) {
                return Err(wrong(field, "must not be empty"));
            }
        }
        for (index, host) in settings.media_hosts.iter().enumerate() {
            if url::Host::parse(host).is_err() {
                let field = format!("media_hosts[{index}]");
                return Err(wrong(&field, "must be a host name without scheme, port and path"));
            }
        }
        Ok(settings)
    }
}

#[derive(Deserialize)]
struct Inbound {
    id: Option<String>,
    from: Option<String>,
    text: Option<String>,
    // A gateway's own fields may have these names and other forms: they must not cost a message.
    #[serde(default, deserialize_with = "lenient")]
    received_at: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    to: Option<String>,
    #[serde(default)]
    media: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "lenient")]
    message_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "lenient")]
    client_reference: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    typing: Option<bool>,
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

impl Inbound {
    /// Whether it says that it is a message, or says nothing.
    fn is_message(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "message")
    }

    /// Whether it has a text where other gateways have it.
    fn has_other_text(&self) -> bool {
        let texts = OTHER_TEXTS.iter().filter_map(|field| self.other.get(*field)?.as_str());
        texts.map(str::trim).any(|text| !text.is_empty())
    }
}

fn lenient<'de, D: serde::Deserializer<'de>, T: serde::de::DeserializeOwned>(source: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(source)?;
    Ok(serde_json::from_value(value).ok())
}

#[derive(Deserialize)]
struct Media {
    url: String,
    #[serde(default, deserialize_with = "lenient")]
    content_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
}

/// What a body of the gateway brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inbox {
    /// The events, in order.
    pub events: Vec<InboundEvent>,
    /// The body, if it seems to be a person's message, but not of the documented form.
    pub unreadable: Vec<UnreadableEntry>,
    /// What is of a kind that the connector doesn't know.
    pub left_out: LeftOut,
}

impl Inbox {
    fn of(events: Vec<InboundEvent>) -> Self {
        Self { events, ..Self::default() }
    }
}

/// Statuses on the way to one that counts: nobody waits for them.
const ON_ITS_WAY: [&str; 10] = [
    "accepted",
    "buffered",
    "dispatched",
    "enroute",
    "pending",
    "processing",
    "queued",
    "scheduled",
    "sent",
    "submitted",
];

/// Where gateways of other forms have a person's text.
const OTHER_TEXTS: [&str; 5] = ["body", "message", "content", "msg", "payload"];

/// Reads a body of the gateway, by its `type`: `message` (also without a type), `report`, `typing`.
///
/// - A message is `{id, from, to, text, received_at, media: [{url, content_type, name}]}`. With pictures, the text is the caption of
///   the first one, and every further one is an event of its own. A message without anything becomes a placeholder. A missing or
///   unreadable `received_at` counts as 1970: such a message keeps its place.
/// - A report is `{type, message_id, to, status, code, client_reference}`, with one of both names at least: `delivered`, `read` or
///   `failed`; other statuses are left out.
/// - Typing is `{type, id, from, typing}`, as RCS gateways report it.
///
/// Unknown fields are ignored. A body of another type counts as a message if it has a text or files. If it names a sender, or has a
/// text where other gateways have it (Sinch's `mo_text` has `body`), it is kept as it came; otherwise it is left out.
///
/// # Errors
/// [`Unreadable`], when it is not JSON or lacks an id or a person.
pub fn read_inbound(body: &[u8]) -> Result<Inbox, Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let inbound: Inbound = json::read(body).map_err(|error| {
        if error.is_data() { unreadable("wants a JSON object of the documented form") } else { unreadable("not JSON") }
    })?;
    let at = inbound.received_at.as_deref().and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let id = inbound.id.as_deref().unwrap_or_default();
    let from = inbound.from.as_deref();
    let event = |(id, part): (&str, u32), content| {
        Ok(InboundEvent {
            id: ProviderMessageId::new(id).map_err(|_| unreadable("id: 1 to 256 characters"))?,
            part: Some(part),
            user: ChannelUserId::new(from.unwrap_or_default()).map_err(|_| unreadable("from: 1 to 256 characters"))?,
            at,
            content,
            person: None,
        })
    };
    let text = inbound.text.as_deref().filter(|text| !text.trim().is_empty()).map(MessageText::new);
    let media = match &inbound.media {
        Some(serde_json::Value::Array(files)) => files.clone(),
        // Whoever wants to send one file may leave out the brackets.
        Some(file @ serde_json::Value::Object(_)) => vec![file.clone()],
        _ => vec![],
    };
    match inbound.kind.as_deref() {
        Some("report") => report(&inbound, at),
        Some("typing") => {
            let content = InboundContent::Typing { typing: inbound.typing.unwrap_or(true) };
            Ok(Inbox::of(vec![event((id, 0), content)?]))
        }
        // Whatever a gateway calls it: somebody wrote something.
        _ if text.is_some() || !media.is_empty() => {
            if media.is_empty()
                && let Some(text) = text
            {
                return Ok(Inbox::of(vec![event((id, 0), InboundContent::Text { text })?]));
            }
            let mut caption = text;
            let files = (0..).zip(media).map(|(index, media)| {
                let content = match (serde_json::from_value::<Media>(media), index, &caption) {
                    (Ok(media), _, _) => InboundContent::Media(InboundMedia {
                        kind: media_kind(media.content_type.as_deref()),
                        reference: MessageText::new(media.url),
                        content_type: media.content_type,
                        name: media.name.map(MessageText::new),
                        caption: caption.take(),
                    }),
                    // Its text is what can be read of it.
                    (Err(_), 0, Some(_)) => caption.take().map_or_else(nothing, |text| InboundContent::Text { text }),
                    (Err(_), _, _) => nothing(),
                };
                event((id, index), content)
            });
            Ok(Inbox::of(files.collect::<Result<_, _>>()?))
        }
        _ if inbound.has_other_text() || (from.is_some() && !inbound.is_message()) => {
            Ok(Inbox { unreadable: vec![UnreadableEntry(body.to_vec())], ..Inbox::default() })
        }
        None | Some("message") => Ok(Inbox::of(vec![event((id, 0), nothing())?])),
        Some(_) => Ok(Inbox { left_out: LeftOut::of("body of an unknown type", 1), ..Inbox::default() }),
    }
}

/// What the gateway reports of a message to a person, by its own id or by our reference: who answers a send without an id has no other.
fn report(inbound: &Inbound, at: Timestamp) -> Result<Inbox, Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let message = inbound.message_id.as_deref().and_then(|id| ProviderMessageId::new(id).ok());
    let reference = inbound.client_reference.as_deref().and_then(|reference| CallReference::new(reference).ok());
    let name = match (&message, &reference) {
        (Some(message), _) => message.as_str(),
        (None, Some(reference)) => reference.as_str(),
        (None, None) => return Err(unreadable("message_id: 1 to 256 characters, or client_reference as it was sent")),
    };
    let status = match inbound.status.as_deref() {
        Some("delivered") => ReportedStatus::Delivered,
        Some("read") => ReportedStatus::Read,
        Some("failed") => ReportedStatus::Failed { code: report_code(inbound.code.as_ref()) },
        Some(status) if ON_ITS_WAY.contains(&status) => return Ok(Inbox::default()),
        _ => return Ok(Inbox { left_out: LeftOut::of("report of an unknown status", 1), ..Inbox::default() }),
    };
    let id = format!("report.{name}.{}", status.rank());
    // The id of a report can be longer than that of its message.
    let id = if id.len() <= 256 { id } else { format!("report.{}", hex::encode(Sha256::digest(id))) };
    Ok(Inbox::of(vec![InboundEvent {
        id: ProviderMessageId::new(id).map_err(|_| unreadable("message_id: 1 to 256 characters"))?,
        part: Some(0),
        user: ChannelUserId::new(inbound.to.as_deref().unwrap_or_default())
            .map_err(|_| unreadable("to: 1 to 256 characters"))?,
        at,
        content: InboundContent::Report { message, status, reference },
        person: None,
    }]))
}

fn nothing() -> InboundContent {
    InboundContent::Unsupported { label: "message without text".to_owned() }
}

fn media_kind(content_type: Option<&str>) -> MediaKind {
    match content_type.and_then(|content_type| content_type.split('/').next()) {
        Some("image") => MediaKind::Picture,
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        _ => MediaKind::Document,
    }
}

/// A code is a short word or a number; anything else could be a text.
fn report_code(code: Option<&serde_json::Value>) -> Code {
    match code {
        Some(serde_json::Value::String(code)) => Code::of(code),
        Some(serde_json::Value::Number(code)) => Code::of(&code.to_string()),
        _ => Code::NONE,
    }
}

/// One outbound message.
#[derive(Serialize)]
pub(super) struct Outbound<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) text: &'a str,
    pub(super) client_reference: &'a str,
}

impl Outbound<'_> {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::json!({
            "from": self.from, "to": self.to, "text": self.text, "client_reference": self.client_reference,
        })
        .to_string()
        .into_bytes()
    }
}

#[derive(Deserialize)]
struct Accepted {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    code: Code,
}

/// Reads the answer to a send. A 2xx is acceptance whatever its body says: repeating would double the message. But an HTML page is
/// not the gateway's.
///
/// # Errors
/// [`SendFailure::Unreadable`] for a 2xx with a page; otherwise by status: 404, 405, 408, 410, 425, 429 and 5xx later, 401 and 403 credentials, 422 unreachable, other 4xx refused.
pub fn read_receipt(reply: &HttpReply) -> Result<Receipt, SendFailure> {
    let status = reply.status.as_u16();
    let code = || serde_json::from_slice::<Refused>(&reply.body).map_or(Code::NONE, |refused| refused.error.code);
    match status {
        200..=299 => match json::read::<serde_json::Value>(&reply.body) {
            // Some gateways say "OK" or "ID: 4711". A page is nothing that a gateway says.
            Err(_) if is_page(&reply.body) => Err(SendFailure::Unreadable { status }),
            body => {
                let accepted = body.ok().and_then(|body| serde_json::from_value::<Accepted>(body).ok());
                Ok(Receipt { provider_id: accepted.and_then(|accepted| accepted.id), is_message: true })
            }
        },
        // A wrong address, or a gateway that is being deployed: no fault of the message, and mended within its hours.
        404 | 405 | 408 | 410 | 425 | 429 | 500..=599 => Err(SendFailure::Later { status, after: reply.retry_after }),
        401 | 403 => Err(SendFailure::Credentials { status }),
        422 => Err(SendFailure::Unreachable { status, code: code() }),
        400..=499 => Err(SendFailure::Refused { status, code: code() }),
        // Redirects are never followed: they could carry the token to another host.
        _ => Err(SendFailure::Refused { status, code: code() }),
    }
}

/// Whether a body is an HTML page, as proxies and load balancers answer.
fn is_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes())))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use jiff::SignedDuration;

    use super::*;

    fn single(body: &str) -> InboundEvent {
        let mut inbox = read_inbound(body.as_bytes()).unwrap();
        assert_eq!((inbox.events.len(), inbox.unreadable.len(), inbox.left_out.total()), (1, 0, 0), "{body}");
        inbox.events.remove(0)
    }

    #[test]
    fn an_inbound_text_is_read_and_unknown_fields_are_ignored() {
        let event = single(
            r#"{"id":"mo-1","from":"+4915112345678","to":"+4930555123","text":"Grüße 😀","received_at":"2026-03-04T05:06:07Z","operator":"x"}"#,
        );
        assert_eq!(event.id.as_str(), "mo-1");
        assert_eq!(event.user.as_str(), "+4915112345678");
        assert_eq!(event.at.as_second(), 1_772_600_767);
        assert_eq!(event.content, InboundContent::Text { text: MessageText::new("Grüße 😀") });
    }

    #[test]
    fn a_message_without_text_becomes_a_placeholder() {
        let event = single(r#"{"id":"mo-2","from":"+49"}"#);
        assert!(matches!(event.content, InboundContent::Unsupported { .. }));
    }

    #[test]
    fn every_picture_is_an_event_and_the_text_is_the_first_ones_caption() {
        let inbox = read_inbound(
            br#"{"id":"mo-3","from":"+49","text":"look","media":[
                {"url":"https://mms.example/a","content_type":"image/png"},{"url":"https://mms.example/b","name":"b.pdf"}]}"#,
        )
        .unwrap();
        let ids: Vec<_> = inbox.events.iter().map(|event| (event.id.as_str(), event.part)).collect();
        assert_eq!(ids, [("mo-3", Some(0)), ("mo-3", Some(1))], "the gateway's own id, and which file it is");
        let media = |index: usize| match &inbox.events[index].content {
            InboundContent::Media(media) => media.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((media(0).kind, media(0).caption), (MediaKind::Picture, Some(MessageText::new("look"))));
        assert_eq!((media(1).kind, media(1).caption), (MediaKind::Document, None));
        assert_eq!(media(1).name, Some(MessageText::new("b.pdf")));
    }

    #[test]
    fn a_report_names_the_message_and_what_became_of_it() {
        let event = single(r#"{"type":"report","message_id":"mt-1","to":"+49","status":"delivered"}"#);
        let message = ProviderMessageId::new("mt-1").unwrap();
        assert_eq!((event.user.as_str(), event.id.as_str()), ("+49", "report.mt-1.2"));
        assert_eq!(
            event.content,
            InboundContent::Report {
                message: Some(message.clone()),
                status: ReportedStatus::Delivered,
                reference: None
            }
        );
        for (code, read) in [
            (r#""unknown_subscriber""#, "unknown_subscriber"),
            ("31", "31"),
            (r#""said: private""#, "none"),
            (r#""unreachable_491713920017""#, "none"),
            ("491713920017", "none"),
        ] {
            let event = single(&format!(
                r#"{{"type":"report","message_id":"mt-1","to":"+49","status":"failed","code":{code}}}"#
            ));
            let status = ReportedStatus::Failed { code: Code::ours(read) };
            assert_eq!(
                event.content,
                InboundContent::Report { message: Some(message.clone()), status, reference: None }
            );
        }
        for (given, read) in [("0a1b2c.1", CallReference::of("0a1b2c", 1)), ("whatever else", None)] {
            let event = single(&format!(
                r#"{{"type":"report","message_id":"mt-1","to":"+49","status":"read","client_reference":"{given}"}}"#
            ));
            let InboundContent::Report { reference, .. } = event.content else { panic!("{event:?}") };
            assert_eq!(reference, read);
        }
        for ours in [r#""client_reference":"0a1b2c.1""#, r#""client_reference":"0a1b2c.1","message_id":"""#] {
            let event = single(&format!(r#"{{"type":"report","to":"+49","status":"failed",{ours}}}"#));
            let expected = (None, CallReference::of("0a1b2c", 1));
            let InboundContent::Report { message, reference, .. } = event.content else { panic!("{event:?}") };
            assert_eq!((message, reference), expected, "{ours}");
        }
        let long = "m".repeat(256);
        let event = single(&format!(r#"{{"type":"report","message_id":"{long}","to":"+49","status":"read"}}"#));
        assert!(event.id.as_str().len() <= 256);
    }

    #[test]
    fn fields_of_a_gateways_own_form_dont_cost_the_message() {
        for body in [
            r#"{"id":"mo-1","from":"+49","text":"hi","type":"mo","status":7,"message_id":5,"to":49,"media":null}"#,
            r#"{"id":"mo-1","from":"+49","text":"hi","type":3,"media":"none","typing":"no"}"#,
            r#"{"id":"mo-1","from":"+49","text":"hi","media":[{"href":"https://x.example"}]}"#,
        ] {
            assert_eq!(single(body).content, InboundContent::Text { text: MessageText::new("hi") }, "{body}");
        }
        let bare = single(r#"{"id":"mo-1","from":"+49","text":"hi","media":{"url":"https://x.example"}}"#);
        assert!(matches!(bare.content, InboundContent::Media(_)));
        let body = r#"{"id":"mo-1","from":"+49","media":[7,{"url":"https://x.example"}]}"#;
        let events = read_inbound(body.as_bytes()).unwrap().events;
        assert!(matches!(events[0].content, InboundContent::Unsupported { .. }));
        assert!(matches!(events[1].content, InboundContent::Media(_)));
    }

    #[test]
    fn half_an_emoji_and_a_time_of_another_form_dont_cost_the_text() {
        let event = single(r#"{"id":"mo-1","from":"+49","text":"Gr\u00fc\u00dfe \ud83d","received_at":1772600767}"#);
        assert_eq!(event.content, InboundContent::Text { text: MessageText::new("Grüße \u{fffd}") });
        assert_eq!(event.at, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn typing_is_read_and_other_statuses_and_types_are_left_out_by_kind() {
        let event = single(r#"{"type":"typing","id":"t-1","from":"+49","typing":false}"#);
        assert_eq!(event.content, InboundContent::Typing { typing: false });
        let on_its_way = r#"{"type":"report","message_id":"mt-1","to":"+49","status":"buffered"}"#;
        assert_eq!(read_inbound(on_its_way.as_bytes()).unwrap(), Inbox::default(), "nobody waits for that");
        for (body, kind) in [
            (r#"{"type":"report","message_id":"mt-1","to":"+49","status":"mislaid"}"#, "report of an unknown status"),
            (r#"{"type":"hologram","id":"x"}"#, "body of an unknown type"),
        ] {
            let expected = Inbox { left_out: LeftOut::of(kind, 1), ..Inbox::default() };
            assert_eq!(read_inbound(body.as_bytes()).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn a_message_in_another_gateways_form_is_kept_as_it_came() {
        for body in [
            // Sinch's own form, and the same without a type.
            r#"{"type":"mo_text","id":"mo-1","from":"49171","to":"493055","body":"private","received_at":"2026-01-01T00:00:00Z"}"#,
            r#"{"id":"mo-1","from":"49171","body":"private"}"#,
            r#"{"type":"message","id":"mo-1","from":"49171","message":"private"}"#,
            r#"{"type":"inbound","from":"49171"}"#,
            r#"{"type":"inbound","msisdn":"49171","content":"private"}"#,
        ] {
            let inbox = read_inbound(body.as_bytes()).unwrap();
            assert_eq!(inbox.unreadable, [UnreadableEntry(body.as_bytes().to_vec())], "{body}");
            assert_eq!((inbox.events.len(), inbox.left_out.total()), (0, 0), "{body}");
        }
    }

    #[test]
    fn a_bad_body_is_named_without_its_words() {
        for body in [
            "",
            "not json",
            "[]",
            "{}",
            r#"{"id":5,"from":"+49 private"}"#,
            r#"{"id":"","from":"+49"}"#,
            r#"{"type":"report","to":"+49","status":"read"}"#,
            r#"{"type":"report","to":"+49","status":"read","client_reference":"private"}"#,
        ] {
            let error = read_inbound(body.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("private"), "{error}");
        }
    }

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        let reply = |status: u16, body: &str| HttpReply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(SignedDuration::from_secs(7)),
            body: body.to_owned().into(),
        };
        assert_eq!(
            read_receipt(&reply(201, r#"{"id":"mt-9","parts":1}"#)).unwrap().provider_id.as_deref(),
            Some("mt-9")
        );
        for unnamed in ["", " \n", "{}", "[]", r#""ok""#] {
            assert_eq!(read_receipt(&reply(202, unnamed)).unwrap().provider_id, None, "{unnamed}");
        }
        // The connection broke while the gateway was answering: it has taken the message.
        assert_eq!(read_receipt(&reply(201, r#"{"id":"mt-"#)).unwrap().provider_id, None);
        for said in ["OK", "ID: 4711", r#"{"id":"mt-9"} or so"#, "<response><id>1</id></response>"] {
            assert!(read_receipt(&reply(200, said)).is_ok(), "{said}");
        }
        for page in ["<html>Back soon</html>", "\n<!DOCTYPE HTML><title>Proxy</title>"] {
            assert_eq!(read_receipt(&reply(200, page)), Err(SendFailure::Unreadable { status: 200 }), "{page}");
        }
        assert_eq!(
            read_receipt(&reply(429, "")),
            Err(SendFailure::Later { status: 429, after: Some(SignedDuration::from_secs(7)) })
        );
        assert_eq!(read_receipt(&reply(401, "")), Err(SendFailure::Credentials { status: 401 }));
        assert_eq!(
            read_receipt(&reply(422, r#"{"error":{"code":"opted_out","message":"+49 private"}}"#)),
            Err(SendFailure::Unreachable { status: 422, code: Code::ours("opted_out") })
        );
        assert_eq!(
            read_receipt(&reply(400, r#"{"error":{"code":"text was: private words"}}"#)),
            Err(SendFailure::Refused { status: 400, code: Code::NONE })
        );
        assert!(matches!(read_receipt(&reply(302, "")), Err(SendFailure::Refused { .. })));
    }
}
