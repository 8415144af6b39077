//! A channel's webhooks come in: verify, read, queue, and only then acknowledge.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use super::{
    bundle::bundled,
    delivery::name_of,
    registry::{Lines, Versions},
    replay::is_too_old,
    settings::LineSettings,
    task::{LARGEST_TASK, MOST_OF_UNREADABLE, ToLiveEngage, UnreadableMessage, digest, to_body},
};
use crate::{
    channel::{Answer, ChannelRequest, Parcel, Reception, Unreadable, UnreadableEntry, VerifyError},
    domain::{
        conversation::COMPOSING_EVERY,
        id::{CallReference, ChannelUserId, CorrelationId, LineId, ProviderMessageId},
        left_out::LeftOut,
        message::{InboundContent, InboundEvent, ReportedStatus},
    },
    port::{Queue, QueueMessage},
};

/// What became of a channel's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundOutcome {
    /// Everything in it is safe: the channel's own acknowledgement.
    Accepted {
        /// The acknowledgement.
        answer: Answer,
        /// Events put into the queue.
        queued: usize,
        /// What was left out, by kind.
        left_out: LeftOut,
    },
    /// Some messages of it are for an address that no line has, or whose line has another secret. 404, so that the channel sends it
    /// again until somebody has mended the lines. Whatever else is in it is queued all the same: sent again, it is known.
    Misdirected {
        /// How many messages.
        messages: usize,
    },
    /// There is no such line. 404.
    UnknownLine,
    /// It is not believed. 401. Of a request with a message that is too old, whatever else is in it is queued all the same: the
    /// sender's next attempt brings nothing new.
    Refused(VerifyError),
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
    ) -> InboundOutcome {
        let Ok(line) = LineId::new(line) else { return InboundOutcome::UnknownLine };
        let versions = match self.verified(&line, request, now).await {
            Ok(versions) => versions,
            Err(outcome) => return outcome,
        };
        let reception = match versions.current.line.receive(request) {
            Ok(reception) => reception,
            Err(error) => return InboundOutcome::Unreadable(error),
        };
        let answer = reception.answer.clone();
        let routed = self.routed((&line, &versions.current), request, reception, now).await;
        let (mut messages, mut left_out, mut replayed) = (Vec::new(), LeftOut::default(), 0);
        for mut part in routed.parts {
            left_out.extend(&part.reception.left_out);
            if !part.signs_time {
                let old = leave_out_old(&mut part.reception, now);
                left_out.add("old report or typing", old.indications);
                replayed += old.messages;
            }
            match queue_messages(&part.line, &part.reception, correlation, now) {
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
        if routed.unclaimed.messages > 0 {
            return InboundOutcome::Misdirected { messages: routed.unclaimed.messages };
        }
        if replayed > 0 {
            return InboundOutcome::Refused(VerifyError::Stale);
        }
        left_out.add("report for an address of no line", routed.unclaimed.reports);
        InboundOutcome::Accepted { answer, queued, left_out }
    }

    /// The line, if the request is its channel's own.
    async fn verified(
        &self,
        line: &LineId,
        request: &ChannelRequest,
        now: Timestamp,
    ) -> Result<Arc<Versions<LineSettings>>, InboundOutcome> {
        let versions = self.lines.get(line, now).await.ok_or(InboundOutcome::UnknownLine)?;
        let (versions, index) = match verify(&versions, request, now) {
            Ok(index) => (versions, index),
            Err(VerifyError::Wrong) => {
                let newer = self.lines.get_after_failure(line, now).await;
                let newer = newer.ok_or(InboundOutcome::Refused(VerifyError::Wrong))?;
                match verify(&newer, request, now) {
                    Ok(index) => (newer, index),
                    Err(_) => return Err(InboundOutcome::Refused(VerifyError::Wrong)),
                }
            }
            Err(refusal) => return Err(InboundOutcome::Refused(refusal)),
        };
        if index > 0 {
            // For whoever rotates it: while this comes, the old secret must not be revoked.
            tracing::info!(%line, count = 1, "a channel request is signed with the previous secret");
        }
        Ok(versions)
    }

    /// Deals out what a request holds: a channel may have one URL for several addresses of the brand, each of which is a line here. A line
    /// gets what is for its address, if the request is signed with its own secret, too.
    async fn routed(
        &self,
        (line, settings): (&LineId, &LineSettings),
        request: &ChannelRequest,
        mut reception: Reception,
        now: Timestamp,
    ) -> Routed {
        let mut unclaimed = std::mem::take(&mut reception.elsewhere);
        reception.unreadable.append(&mut reception.unaddressed);
        let mut others = self.lines.ids();
        others.retain(|other| other != line);
        // Always the same one, should two lines have one address.
        others.sort_unstable();
        let mut parts = vec![Part { line: line.clone(), signs_time: settings.line.signs_time(), reception }];
        for other in others {
            if unclaimed.is_empty() {
                break;
            }
            let Some(versions) = self.lines.get(&other, now).await else { continue };
            let theirs = &versions.current;
            if theirs.channel() != settings.channel() || verify(&versions, request, now).is_err() {
                continue;
            }
            let Ok(mut reception) = theirs.line.receive(request) else { continue };
            if unclaimed.claim(&reception.elsewhere) {
                // The line of the path keeps those.
                reception.unaddressed.clear();
                parts.push(Part { line: other, signs_time: theirs.line.signs_time(), reception });
            }
        }
        Routed { parts, unclaimed: unclaimed.total() }
    }
}

/// What one line gets of a request.
struct Part {
    line: LineId,
    signs_time: bool,
    reception: Reception,
}

/// What the lines get of a request, and what is nobody's.
struct Routed {
    parts: Vec<Part>,
    unclaimed: Parcel,
}

/// Which version of a secret a request is signed with, from 0 for the current one.
fn verify(versions: &Versions<LineSettings>, request: &ChannelRequest, now: Timestamp) -> Result<usize, VerifyError> {
    let mut refusal = VerifyError::Wrong;
    for (index, version) in versions.all().enumerate() {
        match version.line.verify(request, now) {
            Ok(()) => return Ok(index),
            // Another version's signature is wrong too: the reason is the one that isn't.
            Err(VerifyError::Wrong) => {}
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// What a request holds that is too old to be new.
#[derive(Default)]
struct Replayed {
    /// What somebody said: nobody may take a request for accepted of which that is left out.
    messages: usize,
    /// Reports and typing, which nobody misses.
    indications: usize,
}

fn leave_out_old(reception: &mut Reception, now: Timestamp) -> Replayed {
    let mut replayed = Replayed::default();
    reception.events.retain(|event| {
        let is_old = is_too_old(event.at, now);
        match event.content {
            _ if !is_old => {}
            InboundContent::Report { .. } | InboundContent::Typing { .. } => replayed.indications += 1,
            _ => replayed.messages += 1,
        }
        !is_old
    });
    replayed
}

/// The queue group of one person on one line.
pub fn group(line: &LineId, user: &ChannelUserId) -> String {
    digest([line.as_str().as_bytes(), user.as_str().as_bytes()])
}

/// The queue group of a person's typing that came in at `now`, by which it is deduplicated, too. Channels repeat it every second or so: one
/// in five seconds is enough.
pub(super) fn typing_group(line: &LineId, user: &ChannelUserId, typing: bool, now: Timestamp) -> String {
    let slot = now.as_second() / COMPOSING_EVERY.as_secs();
    let (line, user) = (line.as_str().as_bytes(), user.as_str().as_bytes());
    digest([b"typing".as_slice(), line, user, &[u8::from(typing)], &slot.to_be_bytes()])
}

/// What an agent is shown of a message that fits into no queue.
const TOO_LARGE: &str = "message of more than 256 KB";

/// The most reports in one queue message: each is a read of the ledger.
const MOST_REPORTS: usize = 100;

fn queue_messages(
    line: &LineId,
    reception: &Reception,
    correlation: &CorrelationId,
    now: Timestamp,
) -> Result<Vec<QueueMessage>, serde_json::Error> {
    let mut messages = Vec::new();
    // Reports of one status for one person are told LiveEngage in one request.
    let mut reports: Vec<(&ChannelUserId, &ReportedStatus, Reported)> = Vec::new();
    for event in &reception.events {
        let InboundContent::Report { message, status, reference } = &event.content else {
            messages.push(queue_message(line, event, correlation, now)?);
            continue;
        };
        let known = reports
            .iter_mut()
            .find(|(user, known, reported)| *user == &event.user && *known == status && reported.len() < MOST_REPORTS);
        match known {
            Some((_, _, reported)) => reported.add(message.as_ref(), reference.as_ref()),
            None => {
                let mut reported = Reported::default();
                reported.add(message.as_ref(), reference.as_ref());
                reports.push((&event.user, status, reported));
            }
        }
    }
    for (user, status, reported) in reports {
        let line_name = line.as_str().as_bytes();
        // A group of their own: a report that has to wait must not hold up a text.
        let group = digest([b"reports".as_slice(), line_name, user.as_str().as_bytes()]);
        let rank = [status.rank()];
        let deduplication = digest([b"reports".as_slice(), line_name, &rank].into_iter().chain(reported.names()));
        let task = ToLiveEngage::ReportsV1 {
            line: line.clone(),
            user: user.clone(),
            correlation: correlation.clone(),
            accepted_at: now,
            status: status.clone(),
            messages: reported.messages,
            references: reported.references,
            unnamed: reported.unnamed,
        };
        messages.push(QueueMessage { body: to_body(&task)?, group, deduplication });
    }
    for entry in &reception.unreadable {
        messages.push(unreadable_message(line, entry, correlation)?);
    }
    Ok(messages)
}

/// Messages that are reported on.
#[derive(Default)]
struct Reported {
    messages: Vec<ProviderMessageId>,
    references: Vec<(ProviderMessageId, CallReference)>,
    unnamed: Vec<CallReference>,
}

impl Reported {
    /// One more message, once.
    fn add(&mut self, message: Option<&ProviderMessageId>, reference: Option<&CallReference>) {
        match (message, reference) {
            (Some(message), _) if self.messages.contains(message) => {}
            (Some(message), reference) => {
                self.messages.push(message.clone());
                self.references.extend(reference.map(|reference| (message.clone(), reference.clone())));
            }
            (None, Some(reference)) if !self.unnamed.contains(reference) => self.unnamed.push(reference.clone()),
            (None, _) => {}
        }
    }

    fn len(&self) -> usize {
        self.messages.len() + self.unnamed.len()
    }

    fn names(&self) -> impl Iterator<Item = &[u8]> {
        let unnamed = self.unnamed.iter().map(|reference| reference.as_str().as_bytes());
        self.messages.iter().map(|message| message.as_str().as_bytes()).chain(unnamed)
    }
}

/// The queue message of something that the worker can only keep for a person.
fn unreadable_message(
    line: &LineId,
    UnreadableEntry(bytes): &UnreadableEntry,
    correlation: &CorrelationId,
) -> Result<QueueMessage, serde_json::Error> {
    let kept = bytes.get(..MOST_OF_UNREADABLE).unwrap_or(bytes);
    if kept.len() < bytes.len() {
        tracing::warn!(%correlation, %line, bytes = bytes.len(), count = 1, "of an unreadable message the beginning is kept");
    }
    let message =
        UnreadableMessage { line: line.clone(), correlation: correlation.clone(), body: STANDARD.encode(kept) };
    let group = message.group();
    let body = to_body(&ToLiveEngage::UnreadableMessageV1(message))?;
    Ok(QueueMessage { body, deduplication: group.clone(), group })
}

fn queue_message(
    line: &LineId,
    event: &InboundEvent,
    correlation: &CorrelationId,
    now: Timestamp,
) -> Result<QueueMessage, serde_json::Error> {
    let task = |event: InboundEvent| {
        to_body(&ToLiveEngage::ChannelEventV1 {
            line: line.clone(),
            correlation: correlation.clone(),
            accepted_at: now,
            first_accepted_at: None,
            event,
        })
    };
    let mut body = task(event.clone())?;
    if body.len() > LARGEST_TASK {
        // A 500 would come again and again, and never fit. The agent is told instead.
        tracing::warn!(%correlation, %line, bytes = body.len(), count = 1, "a message is too large to be carried");
        let content = InboundContent::Unsupported { label: TOO_LARGE.to_owned() };
        body = task(InboundEvent { content, person: None, ..event.clone() })?;
    }
    let group = group(line, &event.user);
    if let InboundContent::Typing { typing } = event.content {
        // A group of its own for each five seconds: SQS knows a deduplication id in its group only, and a beginning waits in the queue until
        // it is over, so that nothing else may be in that group.
        let group = typing_group(line, &event.user, typing, now);
        return Ok(QueueMessage { body, deduplication: group.clone(), group });
    }
    Ok(QueueMessage { body, group, deduplication: name_of(&event.key(line)) })
}
