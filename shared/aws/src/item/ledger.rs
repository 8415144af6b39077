//! Entries of the ledger.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Stored, message::DialogRefV1};
use connector::{
    domain::{
        delivery::ConsumerRef,
        id::{CorrelationId, LineId},
        receipt::{AcceptedCall, Echo, InboundReceipt, MessagePosition, OutboundReceipt, ReceiptName},
    },
    port::StoreError,
};
use connector_channels::id::{CallReference, ChannelUserId, ProviderMessageId};
use connector_liveengage::{
    id::{AccountId, DialogId, Sequence},
    messaging::DialogRef,
};

#[derive(Serialize, Deserialize)]
pub(crate) struct OutboundReceiptV1 {
    line: LineId,
    /// Either this or `reference` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<ProviderMessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<CallReference>,
    user: ChannelUserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<PositionV1>,
    part: usize,
    last: bool,
    rank: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<CorrelationId>,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct PositionV1 {
    #[serde(flatten)]
    dialog: DialogRefV1,
    sequence: Sequence,
}

impl Stored for OutboundReceipt {
    type Wire = OutboundReceiptV1;
    const WHAT: &'static str = "an entry of the ledger";

    fn to_wire(&self) -> Result<OutboundReceiptV1, StoreError> {
        let Self { line, name, user, position, part, last, rank, correlation, at } = self.clone();
        let (id, reference) = match name {
            ReceiptName::Id(id) => (Some(id), None),
            ReceiptName::Reference(reference) => (None, Some(reference)),
        };
        let position =
            position.map(|position| PositionV1 { dialog: (&position.dialog()).into(), sequence: position.sequence });
        Ok(OutboundReceiptV1 { line, id, reference, user, position, part, last, rank, correlation, at })
    }

    fn from_wire(wire: OutboundReceiptV1) -> Result<Self, StoreError> {
        let OutboundReceiptV1 { line, id, reference, user, position, part, last, rank, correlation, at } = wire;
        let name = id.map(ReceiptName::Id).or(reference.map(ReceiptName::Reference));
        let name = name.ok_or(StoreError::Unreadable { what: Self::WHAT })?;
        let position = position.map(|PositionV1 { dialog, sequence }| {
            let DialogRef { conversation, dialog } = dialog.into();
            MessagePosition { conversation, dialog, sequence }
        });
        Ok(Self { line, name, user, position, part, last, rank, correlation, at })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InboundReceiptV1 {
    account: AccountId,
    dialog: DialogId,
    sequence: Sequence,
    line: LineId,
    user: ChannelUserId,
    id: ProviderMessageId,
    at: Timestamp,
    by_position: bool,
}

impl Stored for InboundReceipt {
    type Wire = InboundReceiptV1;
    const WHAT: &'static str = "an entry of the ledger";

    fn to_wire(&self) -> Result<InboundReceiptV1, StoreError> {
        let Self { account, dialog, sequence, consumer: ConsumerRef { line, user }, id, at, by_position } =
            self.clone();
        Ok(InboundReceiptV1 { account, dialog, sequence, line, user, id, at, by_position })
    }

    fn from_wire(wire: InboundReceiptV1) -> Result<Self, StoreError> {
        let InboundReceiptV1 { account, dialog, sequence, line, user, id, at, by_position } = wire;
        Ok(Self { account, dialog, sequence, consumer: ConsumerRef { line, user }, id, at, by_position })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EchoV1 {
    sequence: Sequence,
    digest: String,
    at: Timestamp,
}

impl Stored for Echo {
    type Wire = EchoV1;
    const WHAT: &'static str = "an echo";

    fn to_wire(&self) -> Result<EchoV1, StoreError> {
        let Self { sequence, digest, at } = self.clone();
        Ok(EchoV1 { sequence, digest, at })
    }

    fn from_wire(EchoV1 { sequence, digest, at }: EchoV1) -> Result<Self, StoreError> {
        Ok(Self { sequence, digest, at })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct AcceptedCallV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<ProviderMessageId>,
}

impl Stored for AcceptedCall {
    type Wire = AcceptedCallV1;
    const WHAT: &'static str = "a call that was accepted";

    fn to_wire(&self) -> Result<AcceptedCallV1, StoreError> {
        Ok(AcceptedCallV1 { id: self.id.clone() })
    }

    fn from_wire(AcceptedCallV1 { id }: AcceptedCallV1) -> Result<Self, StoreError> {
        Ok(Self { id })
    }
}
