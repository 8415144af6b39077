//! A message in a queue.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::{NewMessage, ReceivedMessage};

const FIRST_SEQUENCE_NUMBER: u128 = 18_850_000_000_000_000_000;
/// AWS's sequence numbers increase, but not by one, so that no caller can count with them.
const SEQUENCE_STEP: u128 = 256;

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) received_at: Timestamp,
    pub(super) visible_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) message_id: String,
    pub(super) message: NewMessage,
    pub(super) sent_at: Timestamp,
    pub(super) first_received_at: Option<Timestamp>,
    pub(super) receive_count: u32,
    pub(super) flight: Option<InFlight>,
    pub(super) dead_letter_source: Option<String>,
}

impl Stored {
    pub(super) fn shown(&self, position: u64, receipt_handle: String) -> ReceivedMessage {
        ReceivedMessage {
            message_id: self.message_id.clone(),
            receipt_handle,
            body: self.message.body.clone(),
            attributes: self.message.attributes.clone(),
            group: self.message.group.clone(),
            deduplication_id: self.message.deduplication_id.clone(),
            sequence_number: sequence_number(position),
            sent_at: self.sent_at,
            first_received_at: self.first_received_at.unwrap_or(self.sent_at),
            receive_count: self.receive_count,
            dead_letter_source: self.dead_letter_source.clone(),
        }
    }
}

pub(super) fn sequence_number(position: u64) -> String {
    (FIRST_SEQUENCE_NUMBER + u128::from(position) * SEQUENCE_STEP).to_string()
}

pub(super) fn receipt_handle(queue: &str, position: u64, receive_count: u32) -> String {
    URL_SAFE_NO_PAD.encode(format!("{queue} {position} {receive_count}"))
}

pub(super) fn parse_receipt_handle(queue: &str, handle: &str) -> Option<(u64, u32)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(handle).ok()?).ok()?;
    let mut parts = text.split(' ');
    let (name, position, receive_count) = (parts.next()?, parts.next()?, parts.next()?);
    if name != queue || parts.next().is_some() {
        return None;
    }
    Some((position.parse().ok()?, receive_count.parse().ok()?))
}
