//! Reads inbound requests of the gateway: messages, reports and typing.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_with::{DefaultOnError, serde_as};
use sha2::{Digest, Sha256};

use crate::{
    Unreadable, UnreadableEntry,
    id::{CallReference, ChannelUserId, ProviderMessageId},
    left_out::LeftOut,
    message::{InboundContent, InboundEvent, InboundMedia, MediaKind, ReportedStatus, is_time},
};
use connector_message::{MessageText, code::Code, json};

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Inbound {
    id: Option<String>,
    from: Option<String>,
    text: Option<String>,
    // A gateway may use these names for fields of its own with other forms. They must not make a message unreadable.
    #[serde_as(as = "DefaultOnError")]
    received_at: Option<String>,
    #[serde_as(as = "DefaultOnError")]
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde_as(as = "DefaultOnError")]
    to: Option<String>,
    media: Option<Value>,
    #[serde_as(as = "DefaultOnError")]
    message_id: Option<String>,
    #[serde_as(as = "DefaultOnError")]
    status: Option<String>,
    code: Option<Value>,
    #[serde_as(as = "DefaultOnError")]
    client_reference: Option<String>,
    #[serde_as(as = "DefaultOnError")]
    typing: Option<bool>,
    #[serde(flatten)]
    other: serde_json::Map<String, Value>,
}

impl Inbound {
    /// Whether the type is `message` or missing.
    fn is_message(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "message")
    }

    /// Whether one of [`OTHER_TEXTS`] has a text.
    fn has_other_text(&self) -> bool {
        let texts = OTHER_TEXTS.iter().filter_map(|field| self.other.get(*field)?.as_str());
        texts.map(str::trim).any(|text| !text.is_empty())
    }
}

#[serde_as]
#[derive(Deserialize)]
struct Media {
    url: String,
    #[serde_as(as = "DefaultOnError")]
    #[serde(default)]
    content_type: Option<String>,
    #[serde_as(as = "DefaultOnError")]
    #[serde(default)]
    name: Option<String>,
}

/// The content of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Inbox {
    /// The events, in order.
    pub(super) events: Vec<InboundEvent>,
    /// The body, if it is probably a consumer's message of another form.
    pub(super) unreadable: Vec<UnreadableEntry>,
    /// Parts of an unknown kind.
    pub(super) left_out: LeftOut,
}

impl Inbox {
    fn of(events: Vec<InboundEvent>) -> Self {
        Self { events, ..Self::default() }
    }
}

/// Intermediate statuses, which are not used.
const INTERMEDIATE_STATUSES: [&str; 10] = [
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

/// Fields in which other gateways have the text.
const OTHER_TEXTS: [&str; 5] = ["body", "message", "content", "msg", "payload"];

/// Reads the body of a request by its `type`: `message` (the default), `report` or `typing`.
///
/// - A message is `{id, from, to, text, received_at, media: [{url, content_type, name}]}`. Each file is a separate event, and the text is
///   the caption of the first one. A message without text and files becomes a placeholder. A missing or unreadable `received_at` counts as
///   unknown.
/// - A report is `{type, message_id, to, status, code, client_reference}` with at least one of `message_id` and `client_reference`. The
///   status is `delivered`, `read` or `failed`. Other statuses are left out.
/// - Typing is `{type, id, from, typing}`, as RCS gateways report it.
///
/// Unknown fields are ignored. A body of another type counts as a message if it has a text or files. If it has a sender, or a text in a
/// field of other gateways (Sinch's `mo_text` has `body`), it is returned as unreadable, to be parked. Otherwise it is left out.
///
/// # Errors
/// [`Unreadable`] if the body is not JSON, or has no id or consumer.
pub(super) fn read(body: &[u8]) -> Result<Inbox, Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let inbound: Inbound = json::read(body).map_err(|error| {
        if error.is_data() { unreadable("wants a JSON object of the documented form") } else { unreadable("not JSON") }
    })?;
    let at = inbound.received_at.as_deref().and_then(|at| at.parse().ok()).filter(is_time);
    let id = inbound.id.as_deref().unwrap_or_default();
    let from = inbound.from.as_deref();
    let event = |(id, part): (&str, u32), content| {
        Ok(InboundEvent {
            id: ProviderMessageId::new(id).map_err(|_| unreadable("id: 1 to 256 characters"))?,
            part,
            user: ChannelUserId::new(from.unwrap_or_default()).map_err(|_| unreadable("from: 1 to 256 characters"))?,
            at,
            content,
            profile: None,
        })
    };
    let text = inbound.text.as_deref().filter(|text| !text.trim().is_empty()).map(MessageText::new);
    let media = match &inbound.media {
        Some(Value::Array(files)) => files.clone(),
        // A bare file counts as a list of one. Values of other types don't count as files.
        Some(file @ Value::Object(_)) => vec![file.clone()],
        _ => vec![],
    };
    match inbound.kind.as_deref() {
        Some("report") => report(&inbound, at),
        Some("typing") => {
            let content = InboundContent::Typing { typing: inbound.typing.unwrap_or(true) };
            Ok(Inbox::of(vec![event((id, 0), content)?]))
        }
        // A text or file makes it a message, whatever the type.
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
                    // The file is unreadable: forward the text.
                    (Err(_), 0, Some(_)) => {
                        caption.take().map_or_else(placeholder, |text| InboundContent::Text { text })
                    }
                    (Err(_), _, _) => placeholder(),
                };
                event((id, index), content)
            });
            Ok(Inbox::of(files.collect::<Result<_, _>>()?))
        }
        _ if inbound.has_other_text() || (from.is_some() && !inbound.is_message()) => {
            Ok(Inbox { unreadable: vec![UnreadableEntry(body.to_vec())], ..Inbox::default() })
        }
        None | Some("message") => Ok(Inbox::of(vec![event((id, 0), placeholder())?])),
        Some(_) => Ok(Inbox { left_out: LeftOut::of("body of an unknown type", 1), ..Inbox::default() }),
    }
}

/// Reads a report about a message, by the gateway's id or by the connector's reference: a gateway may reply to a send without an id.
fn report(inbound: &Inbound, at: Option<Timestamp>) -> Result<Inbox, Unreadable> {
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
        Some(status) if INTERMEDIATE_STATUSES.contains(&status) => return Ok(Inbox::default()),
        _ => return Ok(Inbox { left_out: LeftOut::of("report of an unknown status", 1), ..Inbox::default() }),
    };
    let id = format!("report.{name}.{}", status.rank());
    // Shortens an id that is too long by hashing it: the report's id is longer than the message's.
    let id = if id.len() <= 256 { id } else { format!("report.{}", hex::encode(Sha256::digest(id))) };
    Ok(Inbox::of(vec![InboundEvent {
        id: ProviderMessageId::new(id).map_err(|_| unreadable("message_id: 1 to 256 characters"))?,
        part: 0,
        user: ChannelUserId::new(inbound.to.as_deref().unwrap_or_default())
            .map_err(|_| unreadable("to: 1 to 256 characters"))?,
        at,
        content: InboundContent::Report { message, status, reference },
        profile: None,
    }]))
}

/// The placeholder for a message without readable content.
fn placeholder() -> InboundContent {
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

/// Reads the error code of a report: a string or a number.
fn report_code(code: Option<&Value>) -> Code {
    match code {
        Some(Value::String(code)) => Code::of(code),
        Some(Value::Number(code)) => Code::of(&code.to_string()),
        _ => Code::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(body: &str) -> InboundEvent {
        let mut inbox = read(body.as_bytes()).unwrap();
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
        assert_eq!(event.at.unwrap().as_second(), 1_772_600_767);
        assert_eq!(event.content, InboundContent::Text { text: MessageText::new("Grüße 😀") });
    }

    #[test]
    fn a_message_without_text_becomes_a_placeholder() {
        let event = single(r#"{"id":"mo-2","from":"+49"}"#);
        assert!(matches!(event.content, InboundContent::Unsupported { .. }));
    }

    #[test]
    fn every_file_is_an_event_and_the_text_is_the_caption_of_the_first() {
        let inbox = read(
            br#"{"id":"mo-3","from":"+49","text":"look","media":[
                {"url":"https://mms.example/a","content_type":"image/png"},{"url":"https://mms.example/b","name":"b.pdf"}]}"#,
        )
        .unwrap();
        let ids: Vec<_> = inbox.events.iter().map(|event| (event.id.as_str(), event.part)).collect();
        assert_eq!(ids, [("mo-3", 0), ("mo-3", 1)], "the gateway's own id, and which file it is");
        let media = |index: usize| match &inbox.events[index].content {
            InboundContent::Media(media) => media.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((media(0).kind, media(0).caption), (MediaKind::Picture, Some(MessageText::new("look"))));
        assert_eq!((media(1).kind, media(1).caption), (MediaKind::Document, None));
        assert_eq!(media(1).name, Some(MessageText::new("b.pdf")));
    }

    #[test]
    fn a_report_has_the_message_and_its_status() {
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
            let status = ReportedStatus::Failed { code: Code::internal(read) };
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
    fn fields_of_another_form_dont_make_a_message_unreadable() {
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
        let events = read(body.as_bytes()).unwrap().events;
        assert!(matches!(events[0].content, InboundContent::Unsupported { .. }));
        assert!(matches!(events[1].content, InboundContent::Media(_)));
    }

    #[test]
    fn half_an_emoji_and_a_time_of_another_form_dont_cost_the_text() {
        let event = single(r#"{"id":"mo-1","from":"+49","text":"Gr\u00fc\u00dfe \ud83d","received_at":1772600767}"#);
        assert_eq!(event.content, InboundContent::Text { text: MessageText::new("Grüße \u{fffd}") });
        assert_eq!(event.at, None);
    }

    #[test]
    fn typing_is_read_and_other_statuses_and_types_are_left_out_by_kind() {
        let event = single(r#"{"type":"typing","id":"t-1","from":"+49","typing":false}"#);
        assert_eq!(event.content, InboundContent::Typing { typing: false });
        let intermediate = r#"{"type":"report","message_id":"mt-1","to":"+49","status":"buffered"}"#;
        assert_eq!(read(intermediate.as_bytes()).unwrap(), Inbox::default(), "intermediate statuses are not counted");
        for (body, kind) in [
            (r#"{"type":"report","message_id":"mt-1","to":"+49","status":"mislaid"}"#, "report of an unknown status"),
            (r#"{"type":"hologram","id":"x"}"#, "body of an unknown type"),
        ] {
            let expected = Inbox { left_out: LeftOut::of(kind, 1), ..Inbox::default() };
            assert_eq!(read(body.as_bytes()).unwrap(), expected, "{body}");
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
            let inbox = read(body.as_bytes()).unwrap();
            assert_eq!(inbox.unreadable, [UnreadableEntry(body.as_bytes().to_vec())], "{body}");
            assert_eq!((inbox.events.len(), inbox.left_out.total()), (0, 0), "{body}");
        }
    }

    #[test]
    fn an_error_contains_no_text_of_the_body() {
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
            let error = read(body.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("private"), "{error}");
        }
    }
}
