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
        id::{ChannelUserId, CorrelationId, LineId},
        message::InboundEvent,
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
        let messages: Result<Vec<_>, _> =
            reception.events.iter().map(|event| queue_message(&line, event, correlation, now)).collect();
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
        event: event.clone(),
    };
    Ok(QueueMessage {
        body: to_body(&task)?,
        group: group(line, &event.user),
        deduplication: digest([line.as_str().as_bytes(), event.id.as_str().as_bytes()]),
    })
}
