//! A circuit breaker: while the other side is down, messages wait without a call for each of them.
//!
//! A side that fails for some consumers is not down. So the breaker counts the consumers whose calls fail and not the failures. It opens if
//! at least [`CONSUMERS`] of them fail, and more than have succeeded in the last minute. A consumer whose calls fail while others' succeed
//! says nothing about the side, and doesn't count again until their own call succeeds.
//!
//! While it is open, it admits one call at the end of each pause, of another consumer than the last time. A failure doubles the next pause.
//! A consumer whose calls have not failed yet doesn't wait for that: every [`NEWCOMER`] one such call is admitted. Any success closes the
//! breaker.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

use super::retry::LONGEST_WAIT;

/// How many consumers must fail in a row to open it. Fewer could be a short disturbance, or a few consumers for whom the other side fails.
pub const CONSUMERS: usize = 5;

/// The first pause: as long as the wait before the second retry in LivePerson's retry policy.
pub const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// The longest pause.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(50);

/// How much longer than the pause the consumer who tried last waits, so that another one can try.
///
/// Together with the longest pause it is a minute: the end of an outage is detected within it even if only one consumer is left.
pub const TURN: SignedDuration = SignedDuration::from_secs(10);

/// How often a call of a consumer is admitted whose calls have not failed yet.
pub const NEWCOMER: SignedDuration = SignedDuration::from_secs(5);

/// How long a failure counts.
const FAILURES_COUNT: SignedDuration = SignedDuration::from_mins(5);

/// How long a success counts.
const SUCCESSES_COUNT: SignedDuration = SignedDuration::from_mins(1);

/// How long the result of a consumer's last call is remembered: longer than the longest wait between two attempts.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);
const _: () = assert!(REMEMBERED.as_secs() > LONGEST_WAIT.as_secs(), "the next attempt must find it");

/// The most consumers that are remembered.
const MOST: usize = 256;

/// The consumer for whom a call is made, as a hash that doesn't reveal them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who(u64);

impl Who {
    /// Returns the consumer that `name` identifies.
    pub fn of(name: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The other side answered, even if it rejected the call.
    Reached,
    /// It answered with a server error, or not at all.
    Failed,
    /// There was no connection, for which the consumer can't be the cause.
    NoConnection,
}

/// The result of a consumer's last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastResult {
    Reached,
    Failed,
    /// It failed while other consumers' calls succeeded.
    FailedAlone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CallRecord {
    who: Who,
    at: Timestamp,
    last_result: LastResult,
}

/// The state of one other side, as one process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    /// Results by consumer, the most recent one last.
    records: Vec<CallRecord>,
    /// Failures in a row that have nothing to do with a consumer.
    unrelated: usize,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    pause: SignedDuration,
    /// When the next call is admitted.
    until: Timestamp,
    /// When the next call of a consumer is admitted whose calls have not failed yet. `None` if the failures have nothing to do with a
    /// consumer.
    newcomer: Option<Timestamp>,
    /// The consumer of the call that was admitted last.
    tried: Option<Who>,
}

impl Breaker {
    /// Admits a call at `now` or not. `who` is `None` for a call that is not made for a consumer. While the breaker is open, an admitted
    /// call is the only one until [`Breaker::note`] or the end of the next pause.
    ///
    /// # Errors
    /// How long to wait, at least a second.
    pub fn admit(&mut self, who: Option<Who>, now: Timestamp) -> Result<(), SignedDuration> {
        let has_failed = who.is_none_or(|who| !matches!(self.last_result(who), None | Some(LastResult::Reached)));
        let Some(open) = &mut self.open else { return Ok(()) };
        if let (Some(newcomer), false) = (open.newcomer, has_failed) {
            if now < newcomer {
                return Err(left(newcomer, now));
            }
            open.newcomer = Some(later(now, NEWCOMER));
            return Ok(());
        }
        let is_last = who.is_some() && open.tried == who;
        let turn = if is_last { later(open.until, TURN) } else { open.until };
        if now < turn {
            return Err(left(turn, now));
        }
        open.until = later(now, open.pause);
        open.tried = who;
        Ok(())
    }

    /// Records how a call ended.
    pub fn note(&mut self, who: Option<Who>, ended: Ended, now: Timestamp) {
        match ended {
            Ended::Reached => self.reached(who, now),
            Ended::Failed | Ended::NoConnection => self.failed(who, ended, now),
        }
    }

    /// Records that the other side rejects all callers: opens the breaker at once, or for longer. But if a call has succeeded within the
    /// last minute, only a part of the other side rejects calls, and this counts like any other failure.
    pub fn trip(&mut self, who: Option<Who>, now: Timestamp) {
        if self.open.is_none() && self.count(LastResult::Reached, SUCCESSES_COUNT, now) > 0 {
            return self.failed(who, Ended::Failed, now);
        }
        // Several calls that were in flight when the other side began to reject all of them are one event.
        if self.open.is_some_and(|open| now < open.until && open.tried != who) {
            return;
        }
        let (pause, tried) = self.open.map_or((FIRST_PAUSE, None), |open| (next(open.pause), open.tried));
        self.open = Some(Open { pause, until: later(now, pause), newcomer: None, tried });
    }

    /// Whether calls are held back.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn reached(&mut self, who: Option<Who>, now: Timestamp) {
        (self.open, self.unrelated) = (None, 0);
        for record in &mut self.records {
            if record.last_result == LastResult::Failed {
                record.last_result = LastResult::FailedAlone;
            }
        }
        if let Some(who) = who {
            self.remember(who, LastResult::Reached, now);
        }
    }

    fn failed(&mut self, who: Option<Who>, ended: Ended, now: Timestamp) {
        if ended == Ended::NoConnection || who.is_none() {
            self.unrelated = self.unrelated.saturating_add(1);
        }
        if let (Some(who), Ended::Failed) = (who, ended) {
            let alone = self.last_result(who) == Some(LastResult::FailedAlone);
            self.remember(who, if alone { LastResult::FailedAlone } else { LastResult::Failed }, now);
        }
        let is_down = self.is_unreachable() || self.is_down_for_most(now);
        match &mut self.open {
            // A call that was in flight when the breaker opened, or a newcomer's, doesn't prolong the pause.
            Some(open) if open.tried == who => {
                open.pause = next(open.pause);
                open.until = later(now, open.pause);
            }
            Some(_) => {}
            None if is_down => {
                let newcomer = (!self.is_unreachable()).then(|| later(now, NEWCOMER));
                self.open = Some(Open { pause: FIRST_PAUSE, until: later(now, FIRST_PAUSE), newcomer, tried: None });
            }
            None => {}
        }
    }

    const fn is_unreachable(&self) -> bool {
        self.unrelated >= CONSUMERS
    }

    fn is_down_for_most(&self, now: Timestamp) -> bool {
        let failed = self.count(LastResult::Failed, FAILURES_COUNT, now);
        failed >= CONSUMERS && failed > self.count(LastResult::Reached, SUCCESSES_COUNT, now)
    }

    /// Returns how many consumers' last call had this result `within` this time.
    fn count(&self, last_result: LastResult, within: SignedDuration, now: Timestamp) -> usize {
        let counts =
            |record: &&CallRecord| record.last_result == last_result && now.duration_since(record.at) <= within;
        self.records.iter().filter(counts).count()
    }

    fn last_result(&self, who: Who) -> Option<LastResult> {
        self.records.iter().find(|record| record.who == who).map(|record| record.last_result)
    }

    fn remember(&mut self, who: Who, last_result: LastResult, now: Timestamp) {
        self.records.retain(|record| record.who != who && now.duration_since(record.at) <= REMEMBERED);
        if self.records.len() >= MOST {
            // The oldest.
            self.records.remove(0);
        }
        self.records.push(CallRecord { who, at: now, last_result });
    }
}

fn next(pause: SignedDuration) -> SignedDuration {
    (pause * 2).min(LONGEST_PAUSE)
}

fn later(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn left(until: Timestamp, now: Timestamp) -> SignedDuration {
    until.duration_since(now).max(SignedDuration::from_secs(1))
}

#[cfg(test)]
mod tests;
