//! A request of a channel, and what was read from it.

use std::collections::BTreeMap;

use http::{HeaderMap, Method, StatusCode};

use crate::{left_out::LeftOut, message::InboundEvent};

/// An HTTP request to the inbound function.
#[derive(derive_more::Debug, Clone)]
#[debug("ChannelRequest({method} with {} bytes)", body.len())]
pub struct ChannelRequest {
    /// The method. Handshakes of several channels are GETs.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The decoded query parameters, in order.
    pub query: Vec<(String, String)>,
    /// The raw body, decoded from API Gateway's Base64 and otherwise unchanged.
    pub body: bytes::Bytes,
}

impl ChannelRequest {
    /// The value of a header. `None` unless the header occurs exactly once and its value is text. The case of the name doesn't matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The value of a query parameter. `None` unless it occurs exactly once.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut values = self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }
}

/// The content of a verified request.
#[derive(Debug)]
pub struct Reception {
    /// The events, in the channel's order. A webhook may have many.
    pub events: Vec<InboundEvent>,
    /// Messages of consumers to this line that can't be read. The worker parks them for an operator.
    pub unreadable: Vec<UnreadableEntry>,
    /// Messages without the address of the brand that they are for. They are parked for the line that received the request, because they
    /// may be for it.
    pub unaddressed: Vec<UnreadableEntry>,
    /// What is for other addresses of the brand, if the channel posts the messages of several addresses to one URL. The line with the
    /// address processes it. Without such a line, the request is rejected, so that the channel sends it again.
    pub elsewhere: OtherAddresses,
    /// The answer to send after everything is queued.
    pub answer: Answer,
    /// What the channel's code left out. Each kind is logged and counted. Expected parts without a use, such as a report that a message was
    /// queued, are not counted.
    pub left_out: LeftOut,
}

impl Reception {
    /// Creates a reception with only an answer.
    pub fn new(answer: Answer) -> Self {
        Self {
            events: vec![],
            unreadable: vec![],
            unaddressed: vec![],
            elsewhere: OtherAddresses::default(),
            answer,
            left_out: LeftOut::default(),
        }
    }
}

/// What a request contains for other addresses of the brand, by address. `Debug` shows only the number of addresses: an address can be a
/// phone number.
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq)]
#[debug("OtherAddresses({} addresses, {:?})", _0.len(), self.total())]
pub struct OtherAddresses(BTreeMap<String, AddressCounts>);

/// How much a request contains for one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddressCounts {
    /// The number of messages of consumers.
    pub messages: usize,
    /// The number of reports.
    pub reports: usize,
}

impl OtherAddresses {
    /// Adds to the counts of an address.
    pub fn add(&mut self, address: String, AddressCounts { messages, reports }: AddressCounts) {
        let counts = self.0.entry(address).or_default();
        counts.messages += messages;
        counts.reports += reports;
    }

    /// Removes the addresses that are not in `of_another_line`, the same request as read by another line: they belong to that line. Returns
    /// whether any were removed.
    pub fn claim(&mut self, of_another_line: &Self) -> bool {
        let before = self.0.len();
        self.0.retain(|address, _| of_another_line.0.contains_key(address));
        self.0.len() < before
    }

    /// Whether there are no addresses.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum of all counts.
    pub fn total(&self) -> AddressCounts {
        self.0.values().fold(AddressCounts::default(), |sum, counts| AddressCounts {
            messages: sum.messages + counts.messages,
            reports: sum.reports + counts.reports,
        })
    }
}

/// The bytes of an entry that can't be read. `Debug` shows only their number.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
#[debug("UnreadableEntry({} bytes)", _0.len())]
pub struct UnreadableEntry(pub Vec<u8>);

/// The answer to a channel's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `Content-Type` of the body, if there is a body.
    pub content_type: Option<&'static str>,
    /// The body. Usually empty; in a handshake, the challenge.
    pub body: String,
}

impl Answer {
    /// Creates an answer without a body.
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, body: String::new() }
    }
}

/// Why a request was rejected. The use case answers 401 with an empty body, and counts the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A signature header is missing or repeated.
    #[error("unsigned")]
    Unsigned,
    /// A signature header can't be read.
    #[error("signature unreadable")]
    Unreadable,
    /// The signature doesn't match the body with this secret.
    #[error("signature wrong")]
    Wrong,
    /// The signed time is too far in the past or in the future.
    #[error("stale")]
    Stale,
}

impl VerifyError {
    /// What is wrong, in words for a person who has sent the request.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned: a header of the signature is missing or repeated",
            Self::Unreadable => "a header of the signature can't be read",
            Self::Wrong => "the signature doesn't match the body: another key, or the body was changed",
            Self::Stale => "too old: the signature is correct, but its time or a message's time is too far from now",
        }
    }
}

/// A verified body that doesn't have the channel's form. Names the field, and never contains text of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body can't be read: {rule}")]
pub struct Unreadable {
    /// The rule that the body breaks, with the name of the field.
    pub rule: String,
}
