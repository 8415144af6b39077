//! A breaker: while the other side is down, messages wait without a call being made for each of them.
//!
//! A side that fails for some people is not down. So it opens on the people whose calls fail, one after the other, and not on the
//! failures: at [`PEOPLE`] of them, and more than have got through in the last minute. Whoever failed while others got through tells
//! nothing of the side, and doesn't count again until they get through themselves.
//!
//! Open, it lets one call try at the end of each pause, of somebody else than the last time; a failure makes the next pause twice as long.
//! Whoever has not failed yet needn't wait for that: one of them may try every [`NEWCOMER`]. Any success closes it.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};

/// How many people's failures in a row open it: fewer would be one bad moment, or a few people whom the other side refuses badly.
pub const PEOPLE: usize = 5;

/// The first pause: as long as LivePerson's own second retry waits.
pub const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// The longest pause.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(50);

/// How much longer whoever tried last waits for somebody else to try. With the longest pause a minute: an outage that is over is found
/// out within it, whoever is left.
pub const TURN: SignedDuration = SignedDuration::from_secs(10);

/// How often somebody may try who has not failed yet.
pub const NEWCOMER: SignedDuration = SignedDuration::from_secs(5);

/// How long a failure counts.
const FAILURES_COUNT: SignedDuration = SignedDuration::from_mins(5);

/// How long a success counts.
const SUCCESSES_COUNT: SignedDuration = SignedDuration::from_mins(1);

/// How long it is remembered how somebody's last call ended: longer than the longest wait between two attempts.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);

/// The most people that are remembered.
const MOST: usize = 256;

/// Whose call it is, as a number that tells nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who(u64);

impl Who {
    /// Whoever this names.
    pub fn of(name: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The other side answered, be it with a refusal.
    Reached,
    /// It broke down at this call, or did not answer it.
    Failed,
    /// There was no connection, which can't be about whose call it is.
    NoConnection,
}

/// How somebody's last call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Reached,
    Failed,
    /// It failed, and others got through.
    FailedAlone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    who: Who,
    at: Timestamp,
    standing: Standing,
}

/// The state of one other side, as one process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breaker {
    /// The one whose call ended last is the last.
    known: Vec<Known>,
    /// Failures in a row that were nobody's.
    nobodys: usize,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    pause: SignedDuration,
    /// When the next one may try.
    until: Timestamp,
    /// When the next one may try who has not failed yet; `None` where the failures are nobody's.
    newcomer: Option<Timestamp>,
    /// Who tried last.
    tried: Option<Who>,
}

impl Breaker {
    /// Whether a call may be made at `now`; if not, how long to wait. `None` for a call that is nobody's. Whoever is let through is the
    /// only one until [`Breaker::note`] or the next pause is over.
    ///
    /// # Errors
    /// The time to wait, at least a second.
    pub fn admit(&mut self, who: Option<Who>, now: Timestamp) -> Result<(), SignedDuration> {
        let has_failed = who.is_none_or(|who| !matches!(self.standing(who), None | Some(Standing::Reached)));
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

    /// Notes how a call ended.
    pub fn note(&mut self, who: Option<Who>, ended: Ended, now: Timestamp) {
        match ended {
            Ended::Reached => self.reached(who, now),
            Ended::Failed | Ended::NoConnection => self.failed(who, ended, now),
        }
    }

    /// Notes that the other side refuses everybody, whoever comes: opens at once, or for longer. But if somebody has got through within the
    /// last minute, it is a part of the other side that refuses, and this is a failure as any other.
    pub fn trip(&mut self, who: Option<Who>, now: Timestamp) {
        if self.open.is_none() && self.count(Standing::Reached, SUCCESSES_COUNT, now) > 0 {
            return self.failed(who, Ended::Failed, now);
        }
        let (pause, tried) = self.open.map_or((FIRST_PAUSE, None), |open| (next(open.pause), open.tried));
        self.open = Some(Open { pause, until: later(now, pause), newcomer: None, tried });
    }

    /// Whether calls are held back at the moment.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn reached(&mut self, who: Option<Who>, now: Timestamp) {
        (self.open, self.nobodys) = (None, 0);
        for known in &mut self.known {
            if known.standing == Standing::Failed {
                known.standing = Standing::FailedAlone;
            }
        }
        if let Some(who) = who {
            self.remember(who, Standing::Reached, now);
        }
    }

    fn failed(&mut self, who: Option<Who>, ended: Ended, now: Timestamp) {
        if ended == Ended::NoConnection || who.is_none() {
            self.nobodys = self.nobodys.saturating_add(1);
        }
        if let (Some(who), Ended::Failed) = (who, ended) {
            let alone = self.standing(who) == Some(Standing::FailedAlone);
            self.remember(who, if alone { Standing::FailedAlone } else { Standing::Failed }, now);
        }
        let is_down = self.is_nobodys() || self.is_down_for_most(now);
        match &mut self.open {
            // A call that was under way when it opened, or a newcomer's, says nothing new.
            Some(open) if open.tried == who => {
                open.pause = next(open.pause);
                open.until = later(now, open.pause);
            }
            Some(_) => {}
            None if is_down => {
                let newcomer = (!self.is_nobodys()).then(|| later(now, NEWCOMER));
                self.open = Some(Open { pause: FIRST_PAUSE, until: later(now, FIRST_PAUSE), newcomer, tried: None });
            }
            None => {}
        }
    }

    const fn is_nobodys(&self) -> bool {
        self.nobodys >= PEOPLE
    }

    fn is_down_for_most(&self, now: Timestamp) -> bool {
        let failed = self.count(Standing::Failed, FAILURES_COUNT, now);
        failed >= PEOPLE && failed > self.count(Standing::Reached, SUCCESSES_COUNT, now)
    }

    /// How many people's last call ended so of late.
    fn count(&self, standing: Standing, within: SignedDuration, now: Timestamp) -> usize {
        let counts = |known: &&Known| known.standing == standing && now.duration_since(known.at) <= within;
        self.known.iter().filter(counts).count()
    }

    fn standing(&self, who: Who) -> Option<Standing> {
        self.known.iter().find(|known| known.who == who).map(|known| known.standing)
    }

    fn remember(&mut self, who: Who, standing: Standing, now: Timestamp) {
        self.known.retain(|known| known.who != who && now.duration_since(known.at) <= REMEMBERED);
        if self.known.len() >= MOST {
            // The oldest.
            self.known.remove(0);
        }
        self.known.push(Known { who, at: now, standing });
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
