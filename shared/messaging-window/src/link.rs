//! When to connect, to ask whether the connection is alive, to get another token, and how long to pause.

use std::time::Duration;

use connector_liveengage::messaging_window::{CloseReason, KEEP_ALIVE, Reaction};
use jiff::{SignedDuration, Timestamp};

/// The times that a [`Link`] keeps.
#[derive(Debug, Clone)]
pub struct Policy {
    /// After this time without a frame, the client asks whether the connection is alive.
    pub keep_alive: Duration,
    /// If no frame arrives within this time after the question, the connection is dead.
    pub answer_within: Duration,
    /// The longest time for establishing a connection.
    pub connect_within: Duration,
    /// The pauses before the attempts to connect again. Each is longer than the one before. The last is repeated.
    pub pauses: Vec<Duration>,
}

impl Default for Policy {
    /// The keep-alive and the pauses that LivePerson documents (Retry and Keepalive page): 5, 10 and 15 s, then 2, 4 and 8 min. A dead
    /// connection is noticed after 50 s.
    fn default() -> Self {
        Self {
            keep_alive: KEEP_ALIVE,
            answer_within: Duration::from_secs(20),
            connect_within: Duration::from_secs(15),
            pauses: [5, 10, 15, 120, 240, 480].map(Duration::from_secs).to_vec(),
        }
    }
}

/// Which token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenNeed {
    /// The first one.
    First,
    /// Another one for the same consumer, because LiveEngage has rejected the one in use (close code 4401).
    Renew,
    /// The anonymous identity has expired: IDP must extend it (close code 4407).
    Extend,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Get a token, then report [`Link::token_received`] or [`Link::token_failed`].
    GetToken(TokenNeed),
    /// Connect, then report [`Link::connected`] or [`Link::ended`].
    Connect,
    /// Send `.GetClock`, to which LiveEngage answers.
    Ask,
    /// Drop the connection: it is dead. The link already counts it as lost.
    Drop,
    /// Nothing until this time, or until something arrives.
    Wait(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    NeedsToken(TokenNeed),
    NeedsConnection,
    Open { heard: Timestamp, asked: Option<Timestamp> },
    Pause { until: Timestamp, then: Reaction },
}

/// The state of the connection. It does no IO: ask [`Link::step`] what to do, do it, and report the result.
#[derive(Debug, Clone)]
pub struct Link {
    policy: Policy,
    phase: Phase,
    /// How many attempts in a row have failed.
    failures: usize,
    /// Whether the current token has been accepted by LiveEngage.
    accepted: bool,
}

impl Link {
    /// A link that has no token and no connection yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, phase: Phase::NeedsToken(TokenNeed::First), failures: 0, accepted: false }
    }

    /// What to do now.
    pub fn step(&mut self, now: Timestamp) -> Step {
        match self.phase {
            Phase::NeedsToken(need) => Step::GetToken(need),
            Phase::NeedsConnection => Step::Connect,
            Phase::Pause { until, then } if now >= until => {
                self.phase = match then {
                    Reaction::RenewToken => Phase::NeedsToken(TokenNeed::Renew),
                    Reaction::ExtendIdentity => Phase::NeedsToken(TokenNeed::Extend),
                    Reaction::Reconnect => Phase::NeedsConnection,
                };
                self.step(now)
            }
            Phase::Pause { until, .. } => Step::Wait(until),
            Phase::Open { heard, asked: None } => {
                let ask_at = after(heard, self.policy.keep_alive);
                if now < ask_at {
                    return Step::Wait(ask_at);
                }
                self.phase = Phase::Open { heard, asked: Some(now) };
                Step::Ask
            }
            Phase::Open { asked: Some(asked), .. } => {
                let dead_at = after(asked, self.policy.answer_within);
                if now < dead_at {
                    return Step::Wait(dead_at);
                }
                self.ended(CloseReason::Lost, now);
                Step::Drop
            }
        }
    }

    /// A token was received.
    pub fn token_received(&mut self) {
        self.accepted = false;
        self.phase = Phase::NeedsConnection;
    }

    /// No token was received. The same token is asked for again after a pause.
    pub fn token_failed(&mut self, need: TokenNeed, now: Timestamp) {
        let until = self.next_attempt(now);
        self.phase = match need {
            // There is no pause with this reaction: the first token is a renewal then, which gives a new one, too.
            TokenNeed::First | TokenNeed::Renew => Phase::Pause { until, then: Reaction::RenewToken },
            TokenNeed::Extend => Phase::Pause { until, then: Reaction::ExtendIdentity },
        };
    }

    /// The connection is open.
    pub fn connected(&mut self, now: Timestamp) {
        self.phase = Phase::Open { heard: now, asked: None };
    }

    /// A frame has arrived. Only an answer or a notification shows that LiveEngage has accepted the token: `is_content`.
    pub fn heard(&mut self, is_content: bool, now: Timestamp) {
        if let Phase::Open { .. } = self.phase {
            self.phase = Phase::Open { heard: now, asked: None };
            if is_content {
                self.failures = 0;
                self.accepted = true;
            }
        }
    }

    /// The connection has ended or was not established.
    ///
    /// The first time that an accepted token is rejected, another one is got at once: it has expired. A token that was never accepted is not
    /// replaced without a pause, so that a broken account doesn't cause a stream of calls.
    pub fn ended(&mut self, reason: CloseReason, now: Timestamp) {
        let then = reason.reaction();
        let expired = matches!(reason, CloseReason::TokenExpired | CloseReason::IdentityExpired);
        let until = if self.accepted && expired { now } else { self.next_attempt(now) };
        self.accepted = self.accepted && !expired;
        self.phase = Phase::Pause { until, then };
    }

    /// When the next attempt begins. `None` while there is a connection or an attempt.
    pub fn paused_until(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Pause { until, .. } => Some(until),
            Phase::NeedsToken(_) | Phase::NeedsConnection | Phase::Open { .. } => None,
        }
    }

    /// The longest time for establishing a connection.
    pub fn connect_within(&self) -> Duration {
        self.policy.connect_within
    }

    fn next_attempt(&mut self, now: Timestamp) -> Timestamp {
        let pause = self.policy.pauses.get(self.failures).or(self.policy.pauses.last()).copied().unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        after(now, pause)
    }
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    fn open() -> Link {
        let mut link = Link::new(Policy::default());
        assert_eq!(link.step(at(0)), Step::GetToken(TokenNeed::First));
        link.token_received();
        assert_eq!(link.step(at(0)), Step::Connect);
        link.connected(at(0));
        link.heard(true, at(0));
        link
    }

    /// Steps until the link wants to do something. Returns when, and what.
    fn next_action(link: &mut Link, mut now: Timestamp) -> (Timestamp, Step) {
        loop {
            match link.step(now) {
                Step::Wait(until) => {
                    assert!(until > now, "waits for a time that has passed");
                    now = until;
                }
                step => return (now, step),
            }
        }
    }

    #[test]
    fn a_silent_connection_is_asked_and_a_dead_one_noticed_within_70_seconds() {
        let mut link = open();
        assert_eq!(link.step(at(0)), Step::Wait(at(30)));
        link.heard(false, at(12));
        assert_eq!(next_action(&mut link, at(12)), (at(42), Step::Ask));
        link.heard(true, at(43));
        assert_eq!(next_action(&mut link, at(43)), (at(73), Step::Ask));
        let (dead_at, step) = next_action(&mut link, at(73));
        assert_eq!(step, Step::Drop);
        assert!(dead_at <= at(43 + 70), "{dead_at}");
        assert_eq!(next_action(&mut link, dead_at), (dead_at + SignedDuration::from_secs(5), Step::Connect));
    }

    #[test]
    fn pauses_grow_until_something_is_heard_again() {
        let mut link = open();
        let (mut now, mut pauses) = (at(0), Vec::new());
        for _ in 0..8 {
            link.ended(CloseReason::Lost, now);
            let (next, step) = next_action(&mut link, now);
            assert_eq!(step, Step::Connect);
            pauses.push(next.duration_since(now).as_secs());
            now = next;
            // An accepted connection alone proves nothing.
            link.connected(now);
        }
        assert_eq!(pauses, [5, 10, 15, 120, 240, 480, 480, 480]);
        link.heard(true, now);
        link.ended(CloseReason::Other(1000), now);
        assert_eq!(next_action(&mut link, now), (now + SignedDuration::from_secs(5), Step::Connect));
    }

    #[test]
    fn an_expired_token_is_replaced_at_once_and_a_rejected_one_after_a_pause() {
        for (reason, need) in
            [(CloseReason::TokenExpired, TokenNeed::Renew), (CloseReason::IdentityExpired, TokenNeed::Extend)]
        {
            let mut link = open();
            link.ended(reason, at(100));
            assert_eq!(link.step(at(100)), Step::GetToken(need));
            link.token_received();
            assert_eq!(link.step(at(101)), Step::Connect);
            link.connected(at(101));
            // The new token is rejected, too.
            link.ended(reason, at(102));
            assert_eq!(link.paused_until(), Some(at(107)));
            assert_eq!(next_action(&mut link, at(102)), (at(107), Step::GetToken(need)));
            link.token_failed(need, at(107));
            assert_eq!(next_action(&mut link, at(107)), (at(117), Step::GetToken(need)));
        }
    }

    #[test]
    fn a_server_error_counts_as_a_rejected_token_after_a_pause() {
        let mut link = open();
        link.ended(CloseReason::ServerError, at(10));
        assert_eq!(next_action(&mut link, at(10)), (at(15), Step::GetToken(TokenNeed::Renew)));
    }

    #[test]
    fn without_a_first_token_it_is_asked_for_again() {
        let mut link = Link::new(Policy::default());
        assert_eq!(link.step(at(0)), Step::GetToken(TokenNeed::First));
        link.token_failed(TokenNeed::First, at(0));
        assert_eq!(next_action(&mut link, at(0)), (at(5), Step::GetToken(TokenNeed::Renew)));
    }
}
