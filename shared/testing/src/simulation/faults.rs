//! What goes wrong, how often, and the course of each outside call.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::random::Random;

/// After this time the connector's HTTP client gives up.
const HTTP_TIMEOUT_MS: i64 = 8_000;

/// Longer than any function's timeout.
const STALLED_FOR: SignedDuration = SignedDuration::from_secs(100);

/// How often each fault happens: out of a thousand calls, unless it says otherwise.
///
/// Each seed draws its own: some faults are absent, others frequent, because a fault that is always there hides what happens without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// LiveEngage or a channel answers 429, and does nothing.
    pub throttled: u16,
    /// It answers 500, 502, 503 or 504, and does nothing.
    pub failed: u16,
    /// There is no connection.
    pub not_sent: u16,
    /// It does what it was asked, and no answer comes.
    pub unanswered: u16,
    /// It does what it was asked, and answers 408, 500, 502, 503 or 504.
    pub carried_out: u16,
    /// A proxy answers 200 with a page, and nothing is done.
    pub page: u16,
    /// The call takes up to eight seconds.
    pub slow: u16,
    /// LiveEngage rejects the AppJWT, however new it is.
    pub token_refused: u16,
    /// LiveEngage rejects the consumer's token, however new it is.
    pub consumer_refused: u16,
    /// A message is refused for good.
    pub refused: u16,
    /// The table throttles a call, and does nothing.
    pub table_throttled: u16,
    /// The table carries a call out, and answers with an error.
    pub table_unanswered: u16,
    /// A call of the table takes up to three seconds.
    pub table_slow: u16,
    /// A queue accepts nothing.
    pub queue_failed: u16,
    /// A queue accepts all messages, and answers with an error.
    pub queue_unanswered: u16,
    /// A queue accepts some messages of a call.
    pub queue_partial: u16,
    /// The wait of a message can't be set.
    pub postpone_failed: u16,
    /// A secret can't be read.
    pub secrets_failed: u16,
    /// Out of a thousand calls of the table: the environment is frozen after it until the function's time is over.
    pub stalled: u16,
    /// Out of a thousand invocations: the environment is killed.
    pub killed: u16,
    /// Out of a thousand batches: a second environment gets the batch, too.
    pub repeated: u16,
    /// Out of a thousand requests to the connector: its answer is lost.
    pub answer_lost: u16,
    /// Out of a thousand requests of a channel: it posts an accepted request again within six hours.
    pub posted_again: u16,
    /// Out of a thousand notifications: it is sent twice.
    pub notified_twice: u16,
    /// Out of a thousand notifications: it is up to two and a half seconds late.
    pub notified_late: u16,
    /// Out of a thousand notifications that a conversation is open: it is up to five minutes late.
    pub opening_late: u16,
    /// The most that the clock of an environment is ahead or behind.
    pub skew: SignedDuration,
    /// How far LiveEngage's clock is ahead. Negative if it is behind.
    pub liveengage_skew: SignedDuration,
    /// Out of ten times ten minutes: LiveEngage, the channels or both go down, or each of their calls takes up to eight seconds. Not while
    /// that lasts already.
    pub outages: u16,
    /// The longest outage.
    pub longest_outage: SignedDuration,
    /// Out of ten times ten minutes: an operator sends all parked messages again.
    pub redrives: u16,
    /// Out of ten times ten minutes: LiveEngage's client secret is rotated.
    pub rotations: u16,
    /// Out of a thousand notifications of events and of the end of a conversation: LiveEngage drops it after a failed post.
    pub notification_dropped: u16,
    /// Out of ten times ten minutes: something happens in a conversation of another channel.
    pub foreign: u16,
    /// Out of ten times ten minutes: another version is deployed.
    pub deployments: u16,
}

impl Faults {
    /// Returns no faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the faults that a seed draws.
    pub fn of_seed(seed: u64) -> Self {
        Self::drawn(&mut Random::new(seed))
    }

    /// Draws the faults of a seed.
    pub(super) fn drawn(random: &mut Random) -> Self {
        let mut rate = |most: u64| if random.hits(600) { 1 + random.below(most) as u16 } else { 0 };
        let mut faults = Self {
            throttled: rate(40),
            failed: rate(40),
            not_sent: rate(30),
            unanswered: rate(30),
            carried_out: rate(30),
            page: rate(10),
            slow: rate(30),
            token_refused: rate(10),
            consumer_refused: rate(10),
            refused: rate(20),
            table_throttled: rate(20),
            table_unanswered: rate(20),
            table_slow: rate(20),
            queue_failed: rate(30),
            queue_unanswered: rate(30),
            queue_partial: rate(30),
            postpone_failed: rate(60),
            secrets_failed: rate(100),
            stalled: rate(4),
            killed: rate(60),
            repeated: rate(40),
            answer_lost: rate(40),
            notified_twice: rate(60),
            notified_late: rate(100),
            skew: SignedDuration::from_millis(i64::from(rate(5000))),
            liveengage_skew: SignedDuration::from_secs(i64::from(rate(3600)) - i64::from(rate(3600))),
            outages: rate(3),
            longest_outage: SignedDuration::from_secs(i64::from(rate(43_200)).max(60)),
            redrives: rate(3),
            rotations: rate(2),
            notification_dropped: rate(200),
            foreign: rate(5),
            deployments: rate(4),
            posted_again: rate(20),
            opening_late: rate(100),
        };
        // In one of four seeds, outages may outlast the two retry limits, of 12 and 24 hours.
        if random.hits(250) {
            faults.longest_outage *= 4;
        }
        faults
    }
}

/// How one of the other sides is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Condition {
    #[default]
    Up,
    /// Each call takes seconds.
    Slow,
    /// No call is carried out.
    Down,
    /// No connection is made.
    Unreachable,
}

/// How an outside call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    /// The time until the other side carries it out, or fails.
    pub(super) before: SignedDuration,
    pub(super) fate: Fate,
    /// The time from then until the caller has the answer.
    pub(super) after: SignedDuration,
}

/// Whether a call is carried out, and how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is carried out and answered.
    CarriedOut,
    /// It is carried out, and fails for the caller.
    CarriedOutThen(Failure),
    /// It is not carried out.
    Fails(Failure),
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection is made.
    NotSent,
    /// The connection breaks.
    NoAnswer,
    /// An error is answered.
    Status(u16),
    /// A proxy answers with a page.
    Page,
}

impl Faults {
    /// Draws the course of a call over HTTP to a side in this condition.
    pub(super) fn http(&self, random: &mut Random, condition: Condition) -> Course {
        let (before, after) = (random.millis(10, 150), random.millis(10, 150));
        if condition == Condition::Down {
            let failure = if random.hits(500) { Failure::NotSent } else { Failure::Status(503) };
            return Course { before, fate: Fate::Fails(failure), after };
        }
        if condition == Condition::Unreachable {
            return Course { before, fate: Fate::Fails(Failure::NotSent), after };
        }
        let mut is = |rate| random.hits(rate);
        let fate = if is(self.throttled) {
            Fate::Fails(Failure::Status(429))
        } else if is(self.failed) {
            Fate::Fails(Failure::Status(random.one_of([500, 502, 503, 504])))
        } else if is(self.not_sent) {
            Fate::Fails(Failure::NotSent)
        } else if is(self.unanswered) {
            Fate::CarriedOutThen(Failure::NoAnswer)
        } else if is(self.carried_out) {
            Fate::CarriedOutThen(Failure::Status(random.one_of([408, 500, 502, 503, 504])))
        } else if is(self.page) {
            Fate::Fails(Failure::Page)
        } else {
            Fate::CarriedOut
        };
        if condition == Condition::Up && !random.hits(self.slow) {
            return Course { before, fate, after };
        }
        let (before, after) = (random.millis(0, HTTP_TIMEOUT_MS - 1), random.millis(0, HTTP_TIMEOUT_MS));
        let timeout = SignedDuration::from_millis(HTTP_TIMEOUT_MS);
        match (fate, before + after >= timeout) {
            (Fate::CarriedOut, true) => {
                Course { before, fate: Fate::CarriedOutThen(Failure::NoAnswer), after: timeout - before }
            }
            (fate, _) => Course { before, fate, after: after.min(timeout - before) },
        }
    }

    /// Draws the course of a call of the table.
    pub(super) fn table(&self, random: &mut Random) -> Course {
        let longest = if random.hits(self.table_slow) { 1_500 } else { 8 };
        let (before, after) = (random.millis(1, longest), random.millis(1, longest));
        let fate = if random.hits(self.table_throttled) {
            Fate::Fails(Failure::Status(400))
        } else if random.hits(self.table_unanswered) {
            Fate::CarriedOutThen(Failure::NoAnswer)
        } else {
            Fate::CarriedOut
        };
        let after = if random.hits(self.stalled) { STALLED_FOR } else { after };
        Course { before, fate, after }
    }

    /// Draws the course of sending `messages` to a queue, and how many of them it accepts if the call fails.
    pub(super) fn queue(&self, random: &mut Random, messages: usize) -> (Course, usize) {
        let (before, after) = (random.millis(2, 12), random.millis(2, 12));
        let (fate, accepted) = if random.hits(self.queue_failed) {
            (Fate::Fails(Failure::Status(500)), 0)
        } else if random.hits(self.queue_partial) {
            (Fate::Fails(Failure::Status(500)), random.index(messages))
        } else if random.hits(self.queue_unanswered) {
            (Fate::CarriedOutThen(Failure::NoAnswer), messages)
        } else {
            (Fate::CarriedOut, messages)
        };
        (Course { before, fate, after }, accepted)
    }
}
