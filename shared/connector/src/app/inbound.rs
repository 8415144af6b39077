//! Accepts a channel's webhooks: verifies, reads and queues them, and only then acknowledges them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    registry::{Lines, NotUsable, NotVerified, RegistryError, SignedWith},
    replay::is_too_old,
    settings::LineSettings,
};
use crate::{
    domain::{
        delivery::ConsumerRef,
        id::{CorrelationId, LineId},
    },
    log_event,
    port::{Queue, QueueMessage},
    queue_message::{ChannelEvent, Envelope, LARGEST_BODY, Message, Reports, UnreadableMessage, bundled},
};
use connector_channels::{
    AddressCounts, Answer, ChannelRequest, Reception, Unreadable, UnreadableEntry, VerifyError,
    left_out::LeftOut,
    message::{InboundContent, InboundEvent},
};

/// The outcome of a channel's request, from which its HTTP status follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundOutcome {
    /// Everything in it is queued or left out on purpose. The response is the channel's own acknowledgment.
    Accepted {
        /// The acknowledgment.
        answer: Answer,
        /// Events put into the queue.
        queued: usize,
        /// Events that were left out, by kind.
        left_out: LeftOut,
    },
    /// Some of its messages are for an address that no line has, or whose line has another secret. 404, so that the channel sends the
    /// request again until the lines are fixed. The rest of the request is queued: when it comes again, it is recognized as a repetition.
    Misdirected {
        /// The number of such messages.
        messages: usize,
    },
    /// There is no such line. 404.
    UnknownLine,
    /// It is not authentic. 401. If a message in it is too old, the rest of the request is queued all the same: when it comes again, that
    /// is recognized as a repetition.
    Refused(VerifyError),
    /// It is authentic, but not in the channel's format. 400.
    Unreadable(Unreadable),
    /// The secret of the line can't be used now, or that of another line to which a message may be addressed. 500, so that the channel sends
    /// it again.
    NotVerified(RegistryError),
    /// The queue did not accept all of it. 500, so that the channel sends it again.
    NotQueued(String),
}

impl InboundOutcome {
    /// Why the request is answered with an error, in words for a person; `None` for a success.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Accepted { .. } => None,
            Self::Misdirected { messages } => {
                Some(format!("{messages} of its messages are for the address of no line"))
            }
            Self::UnknownLine => Some("there is no line with the id in the path".to_owned()),
            Self::Refused(reason) => Some(reason.explanation().to_owned()),
            Self::Unreadable(reason) => Some(reason.to_string()),
            Self::NotVerified(error) => Some(format!("the line's secret can't be used: {error}")),
            Self::NotQueued(code) => Some(format!("the queue did not accept it: {code}")),
        }
    }
}

/// The use case of the function `inbound`.
#[derive(Clone, derive_more::Debug)]
#[debug("AcceptChannelRequest")]
pub struct AcceptChannelRequest {
    lines: Arc<Lines>,
    to_liveengage: Arc<dyn Queue>,
}

impl AcceptChannelRequest {
    /// Creates the use case for requests to `lines`, whose events go to `to_liveengage`.
    pub fn new(lines: Arc<Lines>, to_liveengage: Arc<dyn Queue>) -> Self {
        Self { lines, to_liveengage }
    }

    /// Accepts one request for the line in its path. Makes one outside call in the steady state: to the queue.
    pub async fn accept(
        &self,
        line: &str,
        request: &ChannelRequest,
        correlation: &CorrelationId,
        now: Timestamp,
    ) -> InboundOutcome {
        let Ok(line) = LineId::new(line) else { return InboundOutcome::UnknownLine };
        let settings = match self.verified(&line, request, now).await {
            Ok(settings) => settings,
            Err(NotVerified::Refused(refusal)) => return InboundOutcome::Refused(refusal),
            Err(NotVerified::NotUsable(NotUsable::NotConfigured)) => return InboundOutcome::UnknownLine,
            Err(NotVerified::NotUsable(NotUsable::Secret(error))) => return InboundOutcome::NotVerified(error),
        };
        let reception = match settings.line.receive(request) {
            Ok(reception) => reception,
            Err(error) => return InboundOutcome::Unreadable(error),
        };
        let answer = reception.answer.clone();
        let routed = self.routed((&line, &settings), request, reception, now).await;
        let (mut messages, mut left_out, mut replayed) = (Vec::new(), LeftOut::default(), 0);
        for mut part in routed.parts {
            left_out.extend(&part.reception.left_out);
            if !part.signs_time {
                let old = leave_out_old(&mut part.reception, now);
                left_out.add("old report or typing", old.indications);
                replayed += old.messages;
            }
            match queue_messages(&part.line, &part.reception, &Envelope::new(correlation, now)) {
                Ok(more) => messages.extend(more),
                Err(error) => return InboundOutcome::NotQueued(error.to_string()),
            }
        }
        let queued = messages.len();
        if queued > 0
            && let Err(error) = self.to_liveengage.send(bundled(messages, correlation)).await
        {
            return InboundOutcome::NotQueued(error.code.into());
        }
        if let (true, Some(error)) = (routed.unclaimed.messages > 0, routed.not_usable) {
            return InboundOutcome::NotVerified(error);
        }
        if routed.unclaimed.messages > 0 {
            return InboundOutcome::Misdirected { messages: routed.unclaimed.messages };
        }
        if replayed > 0 {
            return InboundOutcome::Refused(VerifyError::Stale);
        }
        left_out.add("report for an address of no line", routed.unclaimed.reports);
        InboundOutcome::Accepted { answer, queued, left_out }
    }

    /// Returns the line's settings if the request is signed with one of its secrets.
    async fn verified(
        &self,
        line: &LineId,
        request: &ChannelRequest,
        now: Timestamp,
    ) -> Result<Arc<LineSettings>, NotVerified<VerifyError>> {
        let check = |version: &LineSettings| version.line.verify(request, now);
        let may_pass = |refusal: &VerifyError| *refusal == VerifyError::Wrong;
        let (settings, signed_with) = self.lines.verified(line, now, check, may_pass).await?;
        if signed_with == SignedWith::Previous {
            // For the operator who rotates the secret: while this event is logged, the old secret must not be revoked.
            log_event!(SECRET_PREVIOUS_USED, %line);
        }
        Ok(settings)
    }

    /// Distributes the contents of a request among the lines: a channel may use one URL for several addresses of the brand, each of which
    /// is a line here. Another line gets the messages for its address only if the request is signed with that line's secret, too.
    async fn routed(
        &self,
        (line, settings): (&LineId, &LineSettings),
        request: &ChannelRequest,
        mut reception: Reception,
        now: Timestamp,
    ) -> Routed {
        let mut unclaimed = std::mem::take(&mut reception.elsewhere);
        reception.unreadable.append(&mut reception.unaddressed);
        let mut parts = vec![Part { line: line.clone(), signs_time: settings.line.signs_time(), reception }];
        let mut not_usable = None;
        for other in self.lines.ids().filter(|other| *other != line) {
            if unclaimed.is_empty() {
                break;
            }
            let candidate = match self.candidate(other, settings, request, now).await {
                Ok(Some(candidate)) => candidate,
                Ok(None) => continue,
                Err(error) => {
                    not_usable = Some(error);
                    continue;
                }
            };
            let Ok(mut reception) = candidate.line.receive(request) else { continue };
            if unclaimed.claim(&reception.elsewhere) {
                // The line in the path keeps the messages without an address.
                reception.unaddressed.clear();
                parts.push(Part { line: other.clone(), signs_time: candidate.line.signs_time(), reception });
            }
        }
        Routed { parts, unclaimed: unclaimed.total(), not_usable }
    }

    /// Returns another line's settings if it is of the same channel and the request is signed with its secret, too.
    async fn candidate(
        &self,
        other: &LineId,
        settings: &LineSettings,
        request: &ChannelRequest,
        now: Timestamp,
    ) -> Result<Option<Arc<LineSettings>>, RegistryError> {
        let is_same_channel = match self.lines.get(other, now).await {
            Ok(candidate) => candidate.channel() == settings.channel(),
            Err(NotUsable::NotConfigured) => false,
            Err(NotUsable::Secret(error)) => return Err(error),
        };
        if !is_same_channel {
            return Ok(None);
        }
        match self.verified(other, request, now).await {
            Ok(candidate) => Ok(Some(candidate)),
            Err(NotVerified::NotUsable(NotUsable::Secret(error))) => Err(error),
            Err(NotVerified::Refused(_) | NotVerified::NotUsable(NotUsable::NotConfigured)) => Ok(None),
        }
    }
}

/// The part of a request that goes to one line.
struct Part {
    line: LineId,
    signs_time: bool,
    reception: Reception,
}

/// The parts of a request by line, and the number of messages that no line has claimed.
struct Routed {
    parts: Vec<Part>,
    unclaimed: AddressCounts,
    /// Why a line is left out to which unclaimed messages may be addressed.
    not_usable: Option<RegistryError>,
}

/// The numbers of events in a request that are too old to be new ([`is_too_old`]).
#[derive(Default)]
struct Replayed {
    /// Messages. A request is not acknowledged if one of them was left out.
    messages: usize,
    /// Reports and typing, which can be dropped without harm.
    indications: usize,
}

fn leave_out_old(reception: &mut Reception, now: Timestamp) -> Replayed {
    let mut replayed = Replayed::default();
    reception.events.retain(|event| {
        let is_old = event.at.is_some_and(|at| is_too_old(at, now));
        match event.content {
            _ if !is_old => {}
            InboundContent::Report { .. } | InboundContent::Typing { .. } => replayed.indications += 1,
            _ => replayed.messages += 1,
        }
        !is_old
    });
    replayed
}

/// What the agent reads in place of a message that doesn't fit into a queue message.
const TOO_LARGE: &str = "message of more than 256 KB";

/// The most reports in one queue message, because the worker reads the ledger for each.
const MOST_REPORTS: usize = 100;

fn queue_messages(
    line: &LineId,
    reception: &Reception,
    envelope: &Envelope,
) -> Result<Vec<QueueMessage>, serde_json::Error> {
    let mut messages = Vec::new();
    // LiveEngage gets the reports of one status for one consumer in one request.
    let mut reports: Vec<Reports> = Vec::new();
    for event in &reception.events {
        let InboundContent::Report { message, status, reference } = &event.content else {
            messages.push(queue_message(line, event, envelope)?);
            continue;
        };
        let consumer = ConsumerRef { line: line.clone(), user: event.user.clone() };
        let fits = |known: &&mut Reports| {
            known.consumer == consumer && known.status == *status && known.count() < MOST_REPORTS
        };
        if let Some(known) = reports.iter_mut().find(fits) {
            known.add(message.as_ref(), reference.as_ref());
            continue;
        }
        let mut first = Reports {
            envelope: envelope.clone(),
            consumer,
            status: status.clone(),
            messages: vec![],
            references: vec![],
            unnamed: vec![],
        };
        first.add(message.as_ref(), reference.as_ref());
        reports.push(first);
    }
    for reports in reports {
        messages.push(Message::from(reports).queued()?);
    }
    for entry in &reception.unreadable {
        messages.push(unreadable_message(line, entry, envelope)?);
    }
    Ok(messages)
}

/// Returns the queue message for an entry that can't be read, which the worker parks.
fn unreadable_message(
    line: &LineId,
    UnreadableEntry(bytes): &UnreadableEntry,
    envelope: &Envelope,
) -> Result<QueueMessage, serde_json::Error> {
    let message = UnreadableMessage::new(envelope.clone(), line.clone(), bytes);
    if message.bytes.len() < bytes.len() {
        let correlation = &envelope.correlation;
        log_event!(CHANNEL_REQUEST_TRUNCATED, %correlation, %line, bytes = bytes.len());
    }
    Message::from(message).queued()
}

fn queue_message(line: &LineId, event: &InboundEvent, envelope: &Envelope) -> Result<QueueMessage, serde_json::Error> {
    let queued = |event: InboundEvent| {
        Message::from(ChannelEvent { envelope: envelope.clone(), line: line.clone(), event }).queued()
    };
    let whole = queued(event.clone())?;
    if whole.body.len() <= LARGEST_BODY {
        return Ok(whole);
    }
    // After a 500 the channel would send it again and again, and it would never fit. Queue a placeholder for the agent instead.
    let correlation = &envelope.correlation;
    log_event!(MESSAGE_TOO_LARGE, %correlation, %line, bytes = whole.body.len());
    let content = InboundContent::Unsupported { label: TOO_LARGE.to_owned() };
    queued(InboundEvent { content, profile: None, ..event.clone() })
}
