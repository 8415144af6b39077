//! What travels through the two queues. The tag carries the version: a message outlives a deployment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::domain::digest::digest;
use crate::{
    domain::{
        code::Code,
        id::{
            AccountId, CallReference, ChannelUserId, ConversationId, CorrelationId, DialogId, LineId,
            ProviderMessageId, Sequence,
        },
        message::{InboundEvent, MessageText, ReportedStatus},
    },
    liveengage::notification::NotificationType,
    port::{QueueError, QueueMessage},
};

/// The largest task, in bytes: what SQS takes in every region, and less than the 400 KB of a table's item, in which it may be parked.
pub const LARGEST_TASK: usize = 256 * 1024;

/// The most bytes that are kept of something that nobody can read: in Base64, with what stands around it, it fits into a task.
pub(super) const MOST_OF_UNREADABLE: usize = LARGEST_TASK / 2;

/// A message of the queue to LiveEngage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum ToLiveEngage {
    /// Something a person did on a channel.
    #[serde(rename = "channel_event_v1")]
    ChannelEventV1 {
        /// The line it came in on.
        line: LineId,
        /// Follows it through the logs.
        correlation: CorrelationId,
        /// When the connector took it over.
        accepted_at: Timestamp,
        /// When it did so first, for one that is tried anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_accepted_at: Option<Timestamp>,
        /// What it was.
        event: InboundEvent,
    },
    /// What a channel reports of messages to one person, all of one status.
    #[serde(rename = "reports_v1")]
    ReportsV1 {
        /// The line that they went out on.
        line: LineId,
        /// The person that they were for.
        user: ChannelUserId,
        /// Follows the reports through the logs.
        correlation: CorrelationId,
        /// When the connector took them over.
        accepted_at: Timestamp,
        /// What became of the messages.
        status: ReportedStatus,
        /// The channel's ids of the messages, 100 at most.
        messages: Vec<ProviderMessageId>,
        /// The connector's own names for those of them that the channel gives one for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        references: Vec<(ProviderMessageId, CallReference)>,
        /// The connector's own names of further messages, for which the channel gives no id.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unnamed: Vec<CallReference>,
    },
    /// A person's message that the channel brought in a form that can't be read: the worker keeps it.
    #[serde(rename = "unreadable_message_v1")]
    UnreadableMessageV1(UnreadableMessage),
    /// An agent's message did not reach the person: the agent is to know.
    #[serde(rename = "undelivered_v1")]
    UndeliveredV1 {
        /// The line that it was for.
        line: LineId,
        /// The person that it was for.
        user: ChannelUserId,
        /// Follows the message through the logs.
        correlation: CorrelationId,
        /// When it was given up.
        accepted_at: Timestamp,
        /// The conversation that it was said in.
        conversation: ConversationId,
        /// The dialog that it was said in.
        dialog: DialogId,
        /// Its number, if it has one.
        sequence: Option<Sequence>,
        /// Why, as a sentence part for the agent.
        reason: String,
        /// Whether an attempt may have delivered it all the same.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        may_have_arrived: bool,
    },
}

/// A message of a channel that can't be read. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableMessage {
    /// The line it came in on.
    pub line: LineId,
    /// Follows it through the logs.
    pub correlation: CorrelationId,
    /// The message as it came, in Base64. Of one that is too large for a queue message, the beginning.
    pub body: String,
}

impl std::fmt::Debug for UnreadableMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnreadableMessage({} {})", self.line, self.correlation)
    }
}

impl UnreadableMessage {
    /// Its queue group, by which it is deduplicated, too: nothing waits for it.
    pub fn group(&self) -> String {
        digest([b"unreadable".as_slice(), self.line.as_str().as_bytes(), self.body.as_bytes()])
    }
}

/// A message of the queue to the channels.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task")]
pub enum ToChannel {
    /// One change of a LiveEngage notification, as it came.
    #[serde(rename = "liveengage_change_v1")]
    LiveEngageChangeV1 {
        /// The account.
        account: AccountId,
        /// Follows it through the logs.
        correlation: CorrelationId,
        /// When the connector took it over.
        accepted_at: Timestamp,
        /// The notification's type.
        notification: NotificationType,
        /// The change.
        change: Value,
    },
    /// A signed notification that can't be read: the worker keeps it for a person.
    #[serde(rename = "unreadable_notification_v1")]
    UnreadableNotificationV1 {
        /// The account.
        account: AccountId,
        /// Follows it through the logs.
        correlation: CorrelationId,
        /// The body in Base64: it may be anything. Of one that is too large for a queue message, the beginning.
        body: String,
    },
    /// Something that the connector itself says to a person.
    #[serde(rename = "said_v1")]
    SaidV1(Said),
    /// A person's message did not reach LiveEngage: the person is to know.
    #[serde(rename = "notice_v1")]
    NoticeV1 {
        /// The line that the person wrote to.
        line: LineId,
        /// The person.
        user: ChannelUserId,
        /// Follows the message through the logs.
        correlation: CorrelationId,
        /// When it was given up.
        accepted_at: Timestamp,
        /// What the person is told.
        text: MessageText,
    },
}

/// Something that the connector itself says to a person, in the line's words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The line.
    pub line: LineId,
    /// The person.
    pub user: ChannelUserId,
    /// Follows it through the logs.
    pub correlation: CorrelationId,
    /// When it was to be said.
    pub accepted_at: Timestamp,
    /// Names it, as a digest: it is said once.
    pub name: String,
    /// The text.
    pub text: MessageText,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Said({} {})", self.line, self.correlation)
    }
}

impl Said {
    /// The queue message, in this group.
    ///
    /// # Errors
    /// [`QueueError`], never for this type.
    pub fn message(self, group: String) -> Result<QueueMessage, QueueError> {
        let deduplication = digest([b"said".as_slice(), self.name.as_bytes()]);
        let body = to_body(&ToChannel::SaidV1(self)).map_err(|_| QueueError { code: Code::ours("unwritable") })?;
        Ok(QueueMessage { body, group, deduplication })
    }
}

impl std::fmt::Debug for ToChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LiveEngageChangeV1 { account, correlation, notification, .. } => {
                write!(f, "LiveEngageChangeV1({account} {correlation} {notification:?})")
            }
            Self::UnreadableNotificationV1 { account, correlation, .. } => {
                write!(f, "UnreadableNotificationV1({account} {correlation})")
            }
            Self::SaidV1(said) => said.fmt(f),
            Self::NoticeV1 { line, correlation, .. } => write!(f, "NoticeV1({line} {correlation})"),
        }
    }
}

/// A task as the body of a queue message. SQS refuses two characters that JSON allows, U+FFFE and U+FFFF; in JSON they can only
/// stand inside strings, where they can be escaped.
///
/// # Errors
/// Never for these types; the signature is serde's.
pub fn to_body(task: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(task)?.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
}

/// The queue group of what is said in one conversation.
pub fn conversation_group(account: &AccountId, conversation: &str) -> String {
    digest([account.as_str().as_bytes(), conversation.as_bytes()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wire_form_is_fixed_because_messages_outlive_a_deployment() {
        let inbound = json!({
            "task": "channel_event_v1", "line": "sms-main", "correlation": "r-1", "accepted_at": "2026-03-04T05:06:07Z",
            "event": {"id": "mo-1", "user": "+4915112345678", "at": "2026-03-04T05:06:06Z", "content": {"kind": "text", "text": "hi 😀"}},
        });
        let unreadable = json!({"task": "unreadable_message_v1", "line": "wa", "correlation": "r-3", "body": "e30="});
        for inbound in [inbound, unreadable] {
            let task: ToLiveEngage = serde_json::from_value(inbound.clone()).unwrap();
            assert_eq!(serde_json::to_value(&task).unwrap(), inbound);
        }
        let outbound = json!({
            "task": "liveengage_change_v1", "account": "72419083", "correlation": "r-2", "accepted_at": "2026-03-04T05:06:07Z",
            "notification": "ms.MessagingEventNotification", "change": {"sequence": 1, "event": {"type": "ContentEvent"}},
        });
        let task: ToChannel = serde_json::from_value(outbound.clone()).unwrap();
        assert_eq!(serde_json::to_value(&task).unwrap(), outbound);
    }

    #[test]
    fn characters_that_sqs_refuses_are_escaped() {
        let change = json!({"message": "a\u{fffe}b\u{ffff}c 😀"});
        let body = to_body(&change).unwrap();
        assert!(!body.contains(['\u{fffe}', '\u{ffff}']));
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), change);
    }
}
