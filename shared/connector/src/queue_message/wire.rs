//! The JSON of queue messages. The tag carries the version, because a message outlives a deployment.
//!
//! A field may be added with a default. Anything else is a new version of its kind: its struct is added beside the old one, and the old
//! one is read until no queue, table or dead-letter queue can hold it.

mod event;

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Announcement, ChannelEvent, Envelope, LiveEngageChange, Message, Notice, Reports, ToChannel, ToLiveEngage,
    Undelivered, UnreadableMessage, UnreadableNotification,
};
use crate::domain::{
    delivery::ConsumerRef,
    id::{CorrelationId, LineId},
};
use connector_channels::id::{CallReference, ChannelUserId, ProviderMessageId};
use connector_liveengage::messaging::DialogRef;
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, Sequence},
    notification::NotificationType,
};
use connector_message::MessageText;

use event::{EventV1, StatusV1};

/// The field with the kind and version of a queue message.
const TAG: &str = "task";

const ACCEPTED_AT: &str = "accepted_at";
const FIRST_ACCEPTED_AT: &str = "first_accepted_at";

/// Why a body can't be read as a message of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It has the connector's form, but a kind or version that this version doesn't know.
    OtherVersion,
    /// The connector has not queued it.
    Foreign,
}

/// The fields that every kind has.
#[derive(Serialize, Deserialize)]
struct EnvelopeV1 {
    correlation: CorrelationId,
    accepted_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_accepted_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct ConsumerV1 {
    line: LineId,
    user: ChannelUserId,
}

/// A queue message of either queue.
#[derive(Serialize, Deserialize)]
#[serde(tag = "task")]
enum MessageWire<'a> {
    #[serde(rename = "channel_event_v1")]
    ChannelEventV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        line: LineId,
        event: EventV1,
    },
    #[serde(rename = "reports_v1")]
    ReportsV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        #[serde(flatten)]
        consumer: ConsumerV1,
        status: StatusV1,
        messages: Vec<ProviderMessageId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        references: Vec<(ProviderMessageId, CallReference)>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unnamed: Vec<CallReference>,
    },
    #[serde(rename = "unreadable_message_v1")]
    UnreadableMessageV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        line: LineId,
        name: String,
        body: Base64V1,
    },
    #[serde(rename = "undelivered_v1")]
    UndeliveredV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        #[serde(flatten)]
        consumer: ConsumerV1,
        conversation: ConversationId,
        dialog: DialogId,
        sequence: Option<Sequence>,
        reason: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        may_have_arrived: bool,
    },
    #[serde(rename = "liveengage_change_v1")]
    LiveEngageChangeV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        account: AccountId,
        notification: NotificationType,
        change: Cow<'a, Value>,
    },
    #[serde(rename = "unreadable_notification_v1")]
    UnreadableNotificationV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        account: AccountId,
        name: String,
        body: Base64V1,
    },
    #[serde(rename = "announcement_v1")]
    AnnouncementV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        #[serde(flatten)]
        consumer: ConsumerV1,
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<(AccountId, ConversationId)>,
        text: MessageText,
    },
    #[serde(rename = "notice_v1")]
    NoticeV1 {
        #[serde(flatten)]
        envelope: EnvelopeV1,
        #[serde(flatten)]
        consumer: ConsumerV1,
        text: MessageText,
    },
}

/// Bytes that may be anything.
struct Base64V1(bytes::Bytes);

impl Serialize for Base64V1 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64V1 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(|bytes| Self(bytes.into())).map_err(|_| serde::de::Error::custom("not Base64"))
    }
}

impl From<&Envelope> for EnvelopeV1 {
    fn from(envelope: &Envelope) -> Self {
        let Envelope { correlation, accepted_at, first_accepted_at } = envelope.clone();
        Self { correlation, accepted_at, first_accepted_at }
    }
}

impl From<EnvelopeV1> for Envelope {
    fn from(EnvelopeV1 { correlation, accepted_at, first_accepted_at }: EnvelopeV1) -> Self {
        Self { correlation, accepted_at, first_accepted_at }
    }
}

impl From<&ConsumerRef> for ConsumerV1 {
    fn from(consumer: &ConsumerRef) -> Self {
        Self { line: consumer.line.clone(), user: consumer.user.clone() }
    }
}

impl From<ConsumerV1> for ConsumerRef {
    fn from(ConsumerV1 { line, user }: ConsumerV1) -> Self {
        Self { line, user }
    }
}

impl From<&ToLiveEngage> for MessageWire<'_> {
    fn from(message: &ToLiveEngage) -> Self {
        match message {
            ToLiveEngage::ChannelEvent(ChannelEvent { envelope, line, event }) => {
                Self::ChannelEventV1 { envelope: envelope.into(), line: line.clone(), event: event.into() }
            }
            ToLiveEngage::Reports(reports) => Self::ReportsV1 {
                envelope: (&reports.envelope).into(),
                consumer: (&reports.consumer).into(),
                status: (&reports.status).into(),
                messages: reports.messages.clone(),
                references: reports.references.clone(),
                unnamed: reports.unnamed.clone(),
            },
            ToLiveEngage::Unreadable(UnreadableMessage { envelope, line, name, bytes }) => Self::UnreadableMessageV1 {
                envelope: envelope.into(),
                line: line.clone(),
                name: name.clone(),
                body: Base64V1(bytes.clone()),
            },
            ToLiveEngage::Undelivered(undelivered) => Self::UndeliveredV1 {
                envelope: (&undelivered.envelope).into(),
                consumer: (&undelivered.consumer).into(),
                conversation: undelivered.dialog.conversation.clone(),
                dialog: undelivered.dialog.dialog.clone(),
                sequence: undelivered.sequence,
                reason: undelivered.reason.clone(),
                may_have_arrived: undelivered.may_have_arrived,
            },
        }
    }
}

impl<'a> From<&'a LiveEngageChange> for MessageWire<'a> {
    fn from(change: &'a LiveEngageChange) -> Self {
        Self::LiveEngageChangeV1 {
            envelope: super::QueueIdentity::envelope(change).into(),
            account: change.account().clone(),
            notification: change.notification(),
            change: Cow::Borrowed(change.json()),
        }
    }
}

impl<'a> From<&'a ToChannel> for MessageWire<'a> {
    fn from(message: &'a ToChannel) -> Self {
        match message {
            ToChannel::Change(change) => (&**change).into(),
            ToChannel::Unreadable(UnreadableNotification { envelope, account, name, bytes }) => {
                Self::UnreadableNotificationV1 {
                    envelope: envelope.into(),
                    account: account.clone(),
                    name: name.clone(),
                    body: Base64V1(bytes.clone()),
                }
            }
            ToChannel::Announcement(announcement) => Self::AnnouncementV1 {
                envelope: (&announcement.envelope).into(),
                consumer: (&announcement.consumer).into(),
                name: announcement.name.clone(),
                after: announcement.after.clone(),
                text: announcement.text.clone(),
            },
            ToChannel::Notice(Notice { envelope, consumer, text }) => {
                Self::NoticeV1 { envelope: envelope.into(), consumer: consumer.into(), text: text.clone() }
            }
        }
    }
}

impl From<MessageWire<'_>> for Message {
    fn from(wire: MessageWire<'_>) -> Self {
        match wire {
            MessageWire::ChannelEventV1 { envelope, line, event } => {
                ChannelEvent { envelope: envelope.into(), line, event: event.into() }.into()
            }
            MessageWire::ReportsV1 { envelope, consumer, status, messages, references, unnamed } => Reports {
                envelope: envelope.into(),
                consumer: consumer.into(),
                status: status.into(),
                messages,
                references,
                unnamed,
            }
            .into(),
            MessageWire::UnreadableMessageV1 { envelope, line, name, body } => {
                UnreadableMessage { envelope: envelope.into(), line, name, bytes: body.0 }.into()
            }
            MessageWire::UndeliveredV1 {
                envelope,
                consumer,
                conversation,
                dialog,
                sequence,
                reason,
                may_have_arrived,
            } => Undelivered {
                envelope: envelope.into(),
                consumer: consumer.into(),
                dialog: DialogRef { conversation, dialog },
                sequence,
                reason,
                may_have_arrived,
            }
            .into(),
            MessageWire::LiveEngageChangeV1 { envelope, account, notification, change } => {
                LiveEngageChange::new(envelope.into(), account, notification, change.into_owned()).into()
            }
            MessageWire::UnreadableNotificationV1 { envelope, account, name, body } => {
                UnreadableNotification { envelope: envelope.into(), account, name, bytes: body.0 }.into()
            }
            MessageWire::AnnouncementV1 { envelope, consumer, name, after, text } => {
                Announcement { envelope: envelope.into(), consumer: consumer.into(), name, after, text }.into()
            }
            MessageWire::NoticeV1 { envelope, consumer, text } => {
                Notice { envelope: envelope.into(), consumer: consumer.into(), text }.into()
            }
        }
    }
}

/// Returns a message as the body of a queue message.
///
/// # Errors
/// Never for these types; the signature is serde's.
pub fn encode(message: &Message) -> Result<String, serde_json::Error> {
    let wire = match message {
        Message::ToLiveEngage(message) => MessageWire::from(message),
        Message::ToChannel(message) => MessageWire::from(message),
    };
    to_body(&wire)
}

/// Returns a change as the body of a queue message, as [`encode`] does.
///
/// # Errors
/// Never for this type; the signature is serde's.
pub(super) fn encode_change(change: &LiveEngageChange) -> Result<String, serde_json::Error> {
    to_body(&MessageWire::from(change))
}

/// Parses a message from the body of a queue message.
///
/// # Errors
/// [`Unread`] for anything that this version doesn't know.
pub fn decode(body: &str) -> Result<Message, Unread> {
    match serde_json::from_str::<MessageWire<'_>>(body) {
        Ok(wire) => Ok(wire.into()),
        Err(_) => Err(match fields(body).as_ref().and_then(|fields| fields.get(TAG)).is_some_and(Value::is_string) {
            true => Unread::OtherVersion,
            false => Unread::Foreign,
        }),
    }
}

/// Returns JSON that SQS accepts. SQS rejects two characters that JSON allows, U+FFFE and U+FFFF. In JSON they occur only in strings, where
/// they can be escaped.
pub(super) fn to_body(json: &impl Serialize) -> Result<String, serde_json::Error> {
    let body = serde_json::to_string(json)?;
    // Nearly no text has them, and `replace` copies the whole body.
    if !body.contains('\u{fffe}') && !body.contains('\u{ffff}') {
        return Ok(body);
    }
    Ok(body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

fn fields(body: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(body).ok()
}

/// Returns the correlation id and the line of a queue message of any kind and version.
pub fn correlation_and_line(body: &str) -> (Option<CorrelationId>, Option<LineId>) {
    let fields = fields(body).unwrap_or_default();
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let correlation = text("correlation").and_then(|id| CorrelationId::new(id).ok());
    (correlation, text("line").and_then(|id| LineId::new(id).ok()))
}

/// Returns the body as if the message had been accepted at `now`, so that its 12 hours of retries begin again.
///
/// Unknown fields stay. A message without a time is unchanged, and so is a notice, whose id depends on the hour in which it was accepted.
pub fn renewed(body: &str, now: Timestamp) -> String {
    let Some(mut fields) = fields(body) else { return body.to_owned() };
    let Some(accepted_at) = fields.get(ACCEPTED_AT).cloned() else { return body.to_owned() };
    if fields.get(TAG).and_then(Value::as_str) == Some("notice_v1") {
        return body.to_owned();
    }
    fields.entry(FIRST_ACCEPTED_AT).or_insert(accepted_at);
    fields.insert(ACCEPTED_AT.to_owned(), Value::String(now.to_string()));
    to_body(&fields).unwrap_or_else(|_| body.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_is_fixed_because_messages_outlive_a_deployment() {
        let text = json!({
            "task": "channel_event_v1", "line": "sms-main", "correlation": "r-1", "accepted_at": "2026-03-04T05:06:07Z",
            "event": {"id": "mo-1", "part": 0, "user": "+4915112345678", "at": "2026-03-04T05:06:06Z", "content": {"kind": "text", "text": "hi 😀"}},
        });
        let unreadable = json!({
            "task": "unreadable_message_v1", "line": "wa", "correlation": "r-3", "accepted_at": "2026-03-04T05:06:07Z", "name": "ab",
            "body": "e30=",
        });
        let change = json!({
            "task": "liveengage_change_v1", "account": "72419083", "correlation": "r-2", "accepted_at": "2026-03-04T05:06:07Z",
            "first_accepted_at": "2026-03-03T05:06:07Z",
            "notification": "ms.MessagingEventNotification", "change": {"sequence": 1, "event": {"type": "ContentEvent"}},
        });
        let announcement = json!({
            "task": "announcement_v1", "line": "wa", "user": "4915", "correlation": "r-4", "accepted_at": "2026-03-04T05:06:07Z",
            "name": "ab", "after": ["72419083", "c-1"], "text": "How was it?",
        });
        for wire in [text, unreadable, change, announcement] {
            let body = wire.to_string();
            let message = decode(&body).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&encode(&message).unwrap()).unwrap(), wire);
        }
    }

    #[test]
    fn a_message_of_another_version_is_distinguished_from_a_foreign_one() {
        assert_eq!(decode(r#"{"task":"channel_event_v2","line":1}"#), Err(Unread::OtherVersion));
        for foreign in ["{}", "[]", "no JSON", r#"{"task":1}"#] {
            assert_eq!(decode(foreign), Err(Unread::Foreign), "{foreign}");
        }
    }

    #[test]
    fn correlation_and_line_of_any_version_are_known() {
        let known = |body: &str| {
            let (correlation, line) = correlation_and_line(body);
            (correlation.map(|id| id.as_str().to_owned()), line.map(|id| id.as_str().to_owned()))
        };
        let (correlation, line) = (Some("r-1".to_owned()), Some("sms-main".to_owned()));
        assert_eq!(known(r#"{"task":"text_v9","correlation":"r-1","line":"sms-main"}"#), (correlation.clone(), line));
        assert_eq!(known(r#"{"correlation":"r-1","line":7}"#), (correlation, None));
        assert_eq!(known("no JSON"), (None, None));
    }

    #[test]
    fn characters_that_sqs_rejects_are_escaped() {
        let change = json!({"message": "a\u{fffe}b\u{ffff}c 😀"});
        let body = to_body(&change).unwrap();
        assert!(!body.contains(['\u{fffe}', '\u{ffff}']));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), change);
    }
}
