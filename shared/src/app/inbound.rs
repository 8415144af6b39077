//! A channel's webhooks come in: verify, read, queue, and only then acknowledge.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    registry::Lines,
    task::{ToLiveEngage, digest, to_body},
};
use crate::{
    channel::{Answer, ChannelRequest, Refusal, Unreadable},
    domain::{
        conversation::COMPOSING_EVERY,
        id::{ChannelUserId, CorrelationId, LineId, ProviderMessageId},
        message::{InboundContent, InboundEvent, ReportedStatus},
    },
    port::{Queue, QueueMessage},
};

/// What became of a channel's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything in it is safe: the channel's own acknowledgement.
    Accepted {
        /// The acknowledgement.
        answer: Answer,
        /// Events put into the queue.
        queued: usize,
        /// Entries of unknown kinds, left out.
        ignored: usize,
    },
    /// There is no such line. 404.
    UnknownLine,
    /// It is not believed. 401.
    Refused(Refusal),
    /// It is verified, and not the channel's format. 400.
    Unreadable(Unreadable),
    /// The queue did not take all of it. 500: the channel sends it again.
    NotQueued(String),
}

/// The use case.
#[derive(Clone)]
pub struct AcceptChannelRequest {
    lines: Arc<Lines>,
    to_liveengage: Arc<dyn Queue>,
}

impl std::fmt::Debug for AcceptChannelRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AcceptChannelRequest")
    }
}

impl AcceptChannelRequest {
    /// Accepts requests for `lines` and queues their events.
    pub fn new(lines: Arc<Lines>, to_liveengage: Arc<dyn Queue>) -> Self {
        Self { lines, to_liveengage }
    }

    /// Takes one request for the line that its path names. One outside call in all: the queue's.
    pub async fn accept(
        &self,
        line: &str,
        request: &ChannelRequest,
        correlation: &CorrelationId,
        now: Timestamp,
    ) -> Outcome {
        let Ok(line) = LineId::new(line) else { return Outcome::UnknownLine };
        let Some(versions) = self.lines.get(&line, now).await else { return Outcome::UnknownLine };
        let verified = |versions: &super::registry::Versions<super::settings::LineSettings>| {
            let mut refusal = Refusal::Wrong;
            for version in versions.all() {
                match version.line.verify(request, now) {
                    Ok(()) => return Ok(()),
                    // Another version's signature is wrong too: the reason is the one that isn't.
                    Err(Refusal::Wrong) => {}
                    Err(error) => refusal = error,
                }
            }
            Err(refusal)
        };
        let versions = match verified(&versions) {
            Ok(()) => versions,
            Err(Refusal::Wrong) => match self.lines.get_after_failure(&line, now).await {
                Some(newer) if verified(&newer).is_ok() => newer,
                _ => return Outcome::Refused(Refusal::Wrong),
            },
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let reception = match versions.current.line.receive(request) {
            Ok(reception) => reception,
            Err(error) => return Outcome::Unreadable(error),
        };
        let messages = queue_messages(&line, &reception.events, correlation, now);
        let messages = match messages {
            Ok(messages) => messages,
            Err(error) => return Outcome::NotQueued(error.to_string()),
        };
        let queued = messages.len();
        if queued > 0
            && let Err(error) = self.to_liveengage.send(messages).await
        {
            return Outcome::NotQueued(error.code);
        }
        Outcome::Accepted { answer: reception.answer, queued, ignored: reception.ignored }
    }
}

/// The queue group of one person on one line.
pub fn group(line: &LineId, user: &ChannelUserId) -> String {
    digest([line.as_str().as_bytes(), user.as_str().as_bytes()])
}

/// The most reports in one queue message: each is a read of the ledger.
const MOST_REPORTS: usize = 100;

fn queue_messages(
    line: &LineId,
    events: &[InboundEvent],
    correlation: &CorrelationId,
    now: Timestamp,
) -> Result<Vec<QueueMessage>, serde_json::Error> {
    let mut messages = Vec::new();
    // Reports of one status for one person are told LiveEngage in one request.
    let mut reports: Vec<(&ChannelUserId, &ReportedStatus, Vec<ProviderMessageId>)> = Vec::new();
    for event in events {
        let InboundContent::Report { message, status } = &event.content else {
            messages.push(queue_message(line, event, correlation, now)?);
            continue;
        };
        let known = reports
            .iter_mut()
            .find(|(user, known, messages)| *user == &event.user && *known == status && messages.len() < MOST_REPORTS);
        match known {
            Some((_, _, messages)) if messages.contains(message) => {}
            Some((_, _, messages)) => messages.push(message.clone()),
            None => reports.push((&event.user, status, vec![message.clone()])),
        }
    }
    for (user, status, ids) in reports {
        let (line_name, rank) = (line.as_str().as_bytes(), [status.rank()]);
        let names = ids.iter().map(|id| id.as_str().as_bytes());
        let deduplication = digest([b"reports".as_slice(), line_name, &rank].into_iter().chain(names));
        // A group of their own: a report that has to wait must not hold up a text.
        let group = digest([b"reports".as_slice(), line_name, user.as_str().as_bytes()]);
        let task = ToLiveEngage::ReportsV1 {
            line: line.clone(),
            user: user.clone(),
            correlation: correlation.clone(),
            accepted_at: now,
            status: status.clone(),
            messages: ids,
        };
        messages.push(QueueMessage { body: to_body(&task)?, group, deduplication });
    }
    Ok(messages)
}

fn queue_message(
    line: &LineId,
    event: &InboundEvent,
    correlation: &CorrelationId,
    now: Timestamp,
) -> Result<QueueMessage, serde_json::Error> {
    let task = ToLiveEngage::ChannelEventV1 {
        line: line.clone(),
        correlation: correlation.clone(),
        accepted_at: now,
        first_accepted_at: None,
        event: event.clone(),
    };
    let body = to_body(&task)?;
    let group = group(line, &event.user);
    let (line, user, id) = (line.as_str().as_bytes(), event.user.as_str().as_bytes(), event.id.as_str().as_bytes());
    if let InboundContent::Typing { typing } = event.content {
        // A beginning waits in the queue until it is over, and nothing may wait behind it. Channels repeat it every second or so:
        // one in five seconds is enough.
        let slot = now.as_second() / COMPOSING_EVERY.as_secs();
        let deduplication = digest([b"typing".as_slice(), line, user, &[u8::from(typing)], &slot.to_be_bytes()]);
        return Ok(QueueMessage { body, group: digest([b"typing".as_slice(), line, user, id]), deduplication });
    }
    Ok(QueueMessage { body, group, deduplication: digest([line, id]) })
}
