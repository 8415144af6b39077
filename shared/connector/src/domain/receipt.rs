//! The ledger: the other side's ids of messages, and proofs that a message was accepted.

use super::{
    delivery::ConsumerRef,
    id::{CorrelationId, LineId},
};
use connector_channels::id::{CallReference, ChannelUserId, ProviderMessageId};
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, Sequence},
    messaging::DialogRef,
};
use jiff::Timestamp;

/// The other side's id of a message. Written in the same transaction as the step that sent the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerEntry {
    /// A message that a channel accepted.
    OutboundReceipt(OutboundReceipt),
    /// A message that LiveEngage accepted.
    InboundReceipt(InboundReceipt),
}

/// The name by which a channel's reports refer to a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReceiptName {
    /// The channel's id.
    Id(ProviderMessageId),
    /// The connector's reference of the call, if the channel's answer had no id or was lost.
    Reference(CallReference),
}

impl ReceiptName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Reference(reference) => reference.as_str(),
        }
    }
}

/// A message that a channel accepted for a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundReceipt {
    /// The line.
    pub line: LineId,
    /// The name by which reports refer to it.
    pub name: ReceiptName,
    /// The consumer.
    pub user: ChannelUserId,
    /// Its position in LiveEngage. `None` for the connector's own announcements and notices.
    pub position: Option<MessagePosition>,
    /// Which part of the message it is, from 0.
    pub part: usize,
    /// Whether it is the last part. A long text is delivered with its last part, unless another part failed.
    pub last: bool,
    /// The highest rank that was reported to LiveEngage ([`connector_channels::message::ReportedStatus::rank`]), 0 for nothing.
    pub rank: u8,
    /// The message's correlation id, with which the channel's report is logged.
    pub correlation: Option<CorrelationId>,
    /// When it was sent.
    pub at: Timestamp,
}

/// The position of a message in LiveEngage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessagePosition {
    /// The conversation.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
    /// The order number.
    pub sequence: Sequence,
}

impl MessagePosition {
    /// The dialog.
    pub fn dialog(&self) -> DialogRef {
        DialogRef { conversation: self.conversation.clone(), dialog: self.dialog.clone() }
    }
}

/// A consumer's message that LiveEngage accepted.
///
/// A consumer's last one is found by the consumer, for typing indicators and to find out whether the next one was published. If the channel
/// can show that a message was read, each is also found by its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundReceipt {
    /// The account.
    pub account: AccountId,
    /// The dialog.
    pub dialog: DialogId,
    /// The order number.
    pub sequence: Sequence,
    /// Who sent it.
    pub consumer: ConsumerRef,
    /// The channel's id.
    pub id: ProviderMessageId,
    /// When it was accepted.
    pub at: Timestamp,
    /// Whether it is also found by its position, because the channel can show that an agent has read it.
    pub by_position: bool,
}

/// The echo of a consumer's own message in LiveEngage's webhooks. It proves that the message was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// Its order number in the dialog.
    pub sequence: Sequence,
    /// A digest of its content.
    pub digest: String,
    /// When the connector received it.
    pub at: Timestamp,
}

/// A call that a channel has accepted, as its report proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedCall {
    /// The channel's id of the message, if it has one.
    pub id: Option<ProviderMessageId>,
}
