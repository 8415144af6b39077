//! The key of a message. A repeated webhook gives the same key.

use super::{
    digest::digest,
    id::{CorrelationId, LineId},
};
use connector_channels::message::InboundEvent;
use connector_liveengage::id::{AccountId, ConversationId, DialogId, Sequence};

/// The length of a name that another system gets as the id of a request or a message, in characters.
const SHORT: usize = 32;

/// Identifies one message permanently. Leases, steps and parked messages are stored under it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MessageKey {
    /// A consumer's event.
    FromChannel {
        /// The line.
        line: LineId,
        /// A digest over line, consumer, the channel's id and the part, because one id of a gateway may mean messages of several consumers,
        /// and may look like the id of a part.
        name: String,
    },
    /// An event of LiveEngage, by its position in the dialog. Numbers are per dialog.
    FromLiveEngage {
        /// The account.
        account: AccountId,
        /// The dialog.
        dialog: DialogId,
        /// The number.
        sequence: Sequence,
    },
    /// Anything else, by a SHA-256 of what identifies it, in hex.
    ByDigest {
        /// The digest.
        digest: String,
    },
}

impl MessageKey {
    /// Returns the key of a channel's event on its line. Channels guarantee little about their ids: one id can come again for another
    /// consumer, and `4711.1` can be a message as well as a part of `4711`.
    pub fn of_channel_event(line: &LineId, event: &InboundEvent) -> Self {
        let name = digest([
            line.as_str().as_bytes(),
            event.user.as_str().as_bytes(),
            event.id.as_str().as_bytes(),
            event.part.to_be_bytes().as_slice(),
        ]);
        Self::FromChannel { line: line.clone(), name }
    }

    /// Returns the key of a queue message that this version can't read, from its bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_parts([bytes])
    }

    /// Returns the key under which the crashes of a queue message are counted. The crashed attempt holds the message's own record.
    pub fn of_crashes(body: &str) -> Self {
        Self::of_parts([b"panic".as_slice(), body.as_bytes()])
    }

    /// Returns the key of the notice that an agent's message did not reach the consumer, whether a failed call or a later report causes it.
    pub fn of_failure(line: &LineId, dialog: &DialogId, sequence: Sequence) -> Self {
        Self::of_news(line, dialog, &sequence.0.to_string())
    }

    /// Returns the same for a message without a number, from its correlation id.
    pub fn of_unnumbered_failure(line: &LineId, dialog: &DialogId, correlation: &CorrelationId) -> Self {
        Self::of_news(line, dialog, correlation.as_str())
    }

    fn of_news(line: &LineId, dialog: &DialogId, name: &str) -> Self {
        Self::of_parts([b"undelivered", line.as_str().as_bytes(), dialog.as_str().as_bytes(), name.as_bytes()])
    }

    /// Returns the key of publishing the status of these messages, with one rank, to LiveEngage.
    pub fn of_reports<'a>(rank: u8, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().map(str::as_bytes).collect();
        Self::of_parts([[rank].as_slice()].into_iter().chain(names))
    }

    /// Returns the key of publishing the reason for failures, once an hour in a conversation.
    pub fn of_failure_reason(conversation: &ConversationId, hour: i64) -> Self {
        Self::of_parts([b"undelivered line".as_slice(), conversation.as_str().as_bytes(), &hour.to_be_bytes()])
    }

    pub(crate) fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::ByDigest { digest: digest(parts) }
    }

    /// Returns the key as one text: 64 characters of hex, without personal data in clear.
    pub fn name(&self) -> String {
        match self {
            Self::FromLiveEngage { account, dialog, sequence } => {
                digest([account.as_str().as_bytes(), dialog.as_str().as_bytes(), &sequence.0.to_be_bytes()])
            }
            Self::FromChannel { line, name } => digest([line.as_str().as_bytes(), name.as_bytes()]),
            Self::ByDigest { digest } => digest.clone(),
        }
    }

    /// Returns the message's name for a channel's reference field: the same at every attempt, 32 characters of hex.
    pub fn reference(&self) -> String {
        let mut name = self.name();
        name.truncate(SHORT);
        name
    }

    /// Returns the id of a request to LiveEngage that is part of the message's delivery: the same at every attempt, 32 characters of hex
    /// (Send API: a request id has at most 60 characters).
    pub fn request_id(&self, request: &str) -> String {
        let mut id = digest([self.name().as_bytes(), request.as_bytes()]);
        id.truncate(SHORT);
        id
    }

    /// Returns the name of something that the message's delivery causes, for example a notice to the consumer, so that it is sent once.
    pub fn consequence(&self, what: &str) -> String {
        digest([what.as_bytes(), self.name().as_bytes()])
    }

    /// Returns a number that differs by message and attempt, to spread retries.
    pub fn seed(&self, attempts: u32) -> u64 {
        let digest = digest([self.name().as_bytes(), &attempts.to_be_bytes()]);
        u64::from_str_radix(digest.get(..15).unwrap_or_default(), 16).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_channels::{
        id::{ChannelUserId, ProviderMessageId},
        message::InboundContent,
    };

    #[test]
    fn a_key_differs_by_line_consumer_id_and_part() {
        let key = |line: &str, user: &str, id: &str, part| {
            let event = InboundEvent {
                id: ProviderMessageId::new(id).unwrap(),
                part,
                user: ChannelUserId::new(user).unwrap(),
                at: None,
                content: InboundContent::Typing { typing: true },
                profile: None,
            };
            MessageKey::of_channel_event(&LineId::new(line).unwrap(), &event)
        };
        let keys = [
            key("sms", "+491", "4711", 0),
            key("sms", "+491", "4711", 1),
            key("sms", "+491", "4711.1", 0),
            key("sms", "+492", "4711", 0),
            key("sms-2", "+491", "4711", 0),
        ];
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(key("sms", "+491", "4711", 0), keys[0], "a repeated webhook gives the same key");
    }

    #[test]
    fn seeds_differ_by_message_and_attempt() {
        let keys = [MessageKey::of_bytes(b"a"), MessageKey::of_bytes(b"b")];
        let seeds: std::collections::HashSet<_> =
            keys.iter().flat_map(|key| [1, 2].map(|attempt| key.seed(attempt))).collect();
        assert_eq!(seeds.len(), 4);
    }

    #[test]
    fn names_of_requests_are_short_and_differ_by_message_and_request() {
        let keys = [MessageKey::of_bytes(b"a"), MessageKey::of_bytes(b"b")];
        let ids: std::collections::HashSet<_> =
            keys.iter().flat_map(|key| [key.reference(), key.request_id("send 0"), key.request_id("close")]).collect();
        assert_eq!(ids.len(), 6);
        assert!(ids.iter().all(|id| id.len() == SHORT));
    }
}
