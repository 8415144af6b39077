//! The channels: they post what consumers write, and repeat a post until it is answered. Each channel's wire is in a file of its own.

use std::collections::{BTreeMap, VecDeque};

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    agenda::Event,
    faults::Condition,
    invariant::Invariant,
    invocation::InvocationId,
    notifications::FOREIGN,
    sms,
    truth::{MessageId, Piece, Writer},
    whatsapp,
    world::World,
};
use connector_message::http::{HttpCall, HttpReply};

/// How often a channel posts a request.
const MOST_POSTS: u32 = 40;

/// How long after its acceptance a request may be posted again. The queue recognizes a repetition for five minutes.
const POSTED_AGAIN_WITHIN: [SignedDuration; 3] =
    [SignedDuration::from_mins(10), SignedDuration::from_mins(40), SignedDuration::from_hours(6)];

/// A picture that passes through the connector: the beginning of a PNG file.
pub(super) const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";

/// The lines, one on each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Sms,
    WhatsApp,
}

impl Line {
    pub(super) const ALL: [Self; 2] = [Self::Sms, Self::WhatsApp];

    /// Returns the line that a consumer writes to.
    pub(super) const fn of(consumer: usize) -> Self {
        if consumer.is_multiple_of(2) { Self::Sms } else { Self::WhatsApp }
    }

    /// Returns the line's id.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Sms => "sms-main",
            Self::WhatsApp => "whatsapp-main",
        }
    }

    /// Whether a call goes to the line's channel.
    pub(super) fn gets(self, call: &HttpCall) -> bool {
        call.name.starts_with("SMS") == (self == Self::Sms)
    }

    /// Returns the line's secret.
    pub(super) fn secret(self) -> Value {
        match self {
            Self::Sms => sms::secret(),
            Self::WhatsApp => whatsapp::secret(),
        }
    }
}

/// What a consumer sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text,
    /// A picture whose caption is the text.
    Picture,
    /// A button with this id, whose title is the text.
    Button {
        id: String,
    },
}

/// A request that the connector has not accepted yet, or that is posted again.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) line: Line,
    body: String,
    attempts: u32,
    /// The consumer whose next message waits for this one.
    consumer: Option<usize>,
    /// Whether it was accepted before.
    pub(super) is_repeat: bool,
}

/// The channels.
#[derive(Debug, Default)]
pub(super) struct Channels {
    pub(super) condition: Condition,
    /// The line whose channel can't be reached.
    pub(super) down: Option<Line>,
    pub(super) requests: BTreeMap<u64, Request>,
    posted: u64,
    /// The requests of each consumer that wait for an earlier one: a channel keeps their order.
    waiting: BTreeMap<usize, VecDeque<u64>>,
    /// How many messages were sent.
    pub(super) sent: u64,
    /// The pieces of each of the connector's references.
    pub(super) references: BTreeMap<String, Vec<Piece>>,
}

/// Returns the consumer with this phone number.
pub(super) fn consumer(number: &str) -> Option<usize> {
    number.trim_start_matches('+').strip_prefix("4915170")?.parse().ok()
}

/// Returns the phone number of a consumer, without the plus sign.
pub(super) fn number(consumer: usize) -> String {
    format!("4915170{consumer:06}")
}

impl World {
    /// Carries out a call to a channel. Returns the answer, and the pieces that are shown to the consumer now.
    pub(super) fn channel_answers(&mut self, call: &HttpCall, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        if String::from_utf8_lossy(&call.body).contains(FOREIGN) {
            self.truth.broken(Invariant::Misdirected, format_args!("{by} sends a text of another channel"));
        }
        if call.name.starts_with("SMS") { self.sms_answers(call, by) } else { self.whatsapp_answers(call, by) }
    }

    /// A consumer has sent a message.
    pub(super) fn consumer_message(&mut self, consumer: usize, id: MessageId, text: &str, content: &Content) {
        let now = self.agenda.now();
        let (line, id) = (Line::of(consumer), format!("mo-{}", id.0));
        let body = match line {
            Line::Sms => sms::message(&number(consumer), &id, text, (content, now)),
            Line::WhatsApp => whatsapp::message(&number(consumer), &id, text, (content, now)),
        };
        self.post_later(line, &body, Some(consumer));
    }

    /// A message to a consumer was sent under this reference of the connector. Reports about it may follow.
    pub(super) fn sent(&mut self, reference: &str, pieces: &[Piece], by: InvocationId) {
        self.channels.references.insert(reference.to_owned(), pieces.to_vec());
        self.shown(pieces, by);
    }

    /// Posts a request soon. A consumer's requests keep their order.
    pub(super) fn post_later(&mut self, line: Line, body: &Value, consumer: Option<usize>) {
        let World { agenda, channels, .. } = self;
        channels.posted += 1;
        let number = channels.posted;
        channels
            .requests
            .insert(number, Request { line, body: body.to_string(), attempts: 0, consumer, is_repeat: false });
        let after = match consumer {
            // A report may overtake the answer to the call that it is about.
            None => agenda.random.millis(0, 4_000),
            Some(consumer) => {
                let waiting = channels.waiting.entry(consumer).or_default();
                waiting.push_back(number);
                if waiting.len() > 1 {
                    return;
                }
                SignedDuration::from_millis(20)
            }
        };
        agenda.after(after, Event::Post(number));
    }

    /// A post has ended with this status, or without an answer.
    pub(super) fn posted(&mut self, number: u64, status: Option<u16>) {
        let World { agenda, faults, channels, truth, .. } = self;
        let Some(request) = channels.requests.get_mut(&number) else { return };
        let is_accepted = status.is_some_and(|status| (200..300).contains(&status));
        let is_final = is_accepted || status.is_some_and(|status| status < 500 && status != 429);
        request.attempts += 1;
        if !is_final && request.attempts < MOST_POSTS {
            // From 5 s, doubling to five minutes.
            let doubled = SignedDuration::from_secs(5 << request.attempts.min(7).saturating_sub(1));
            agenda.after(doubled.min(SignedDuration::from_mins(5)), Event::Post(number));
            return;
        }
        let Some(request) = channels.requests.remove(&number) else { return };
        if is_accepted {
            for id in truth.named(Writer::Consumer, &request.body) {
                truth.acknowledged(id);
            }
        }
        let waiting = request.consumer.and_then(|consumer| channels.waiting.get_mut(&consumer));
        if let Some(waiting) = waiting {
            waiting.pop_front();
            if let Some(next) = waiting.front() {
                agenda.after(SignedDuration::from_millis(20), Event::Post(*next));
            }
        }
        if is_accepted && !request.is_repeat && agenda.random.hits(faults.posted_again) {
            // The consumer's later requests no longer wait for it.
            channels.requests.insert(number, Request { attempts: 0, consumer: None, is_repeat: true, ..request });
            let within = agenda.random.one_of(POSTED_AGAIN_WITHIN);
            let after = agenda.random.between(SignedDuration::ZERO, within);
            agenda.after(after, Event::Post(number));
            agenda.note(format_args!("the channel posts request {number} again in {} s", after.as_secs()));
        }
    }

    /// Returns the line, the headers and the body of a request's post.
    pub(super) fn signed_request(&self, number: u64) -> Option<(Line, BTreeMap<&'static str, String>, String)> {
        let Request { line, body, .. } = self.channels.requests.get(&number)?;
        let headers = match line {
            Line::Sms => sms::signed(body, number, self.agenda.now()),
            Line::WhatsApp => whatsapp::signed(body),
        };
        Some((*line, headers, body.clone()))
    }
}
