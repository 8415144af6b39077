//! What becomes of a message that was not delivered: when it comes again, and when it is given up.
//!
//! Pure, and total over the kinds of failure. A queue hands a message out [`MOST_RECEIVES`] times and then makes it a dead letter, which
//! nobody is told of. So each wait grows with the number of receives ([`at_least`]): a message that fails all the time, for whatever
//! reason, lasts longer than a day, and is given up (parked, with its sender told) before the queue would do it.

use jiff::SignedDuration;

use super::error::{DeliveryError, Leased};
use crate::{
    domain::retry::{Disposition, RETRY_FOR, spread, wait_after},
    port::StoreError,
};

/// How often the queues hand out a message before it becomes a dead letter: `maxReceiveCount` in template.yaml.
pub const MOST_RECEIVES: u32 = 200;

/// The receive at which a message is given up whatever it waits for: the rest are for parking it.
pub const LAST_RECEIVE: u32 = 190;

/// How often a message is tried at the least, however old it is: two minutes' worth.
const LEAST_ATTEMPTS: u32 = 6;

/// How old a message can get that is only ever held back.
const LONGEST_HELD_BACK: SignedDuration = SignedDuration::from_hours(24);

/// The longest that a message waits at a time while the other side is down.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_mins(15);

/// A message's way so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Since when the connector has had it.
    pub age: SignedDuration,
    /// How often it was started. Waiting behind another message doesn't count.
    pub attempts: u32,
    /// How often the queue has handed it out, this time included.
    pub received: u32,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It comes again.
    Later {
        /// After this time.
        after: SignedDuration,
        /// Whether the attempt counts: waiting for something else is no failure of the message.
        counts: bool,
        /// Whether the message is somebody else's at the moment, so that nothing may be written to its record.
        elsewhere: bool,
    },
    /// Repeating can't help, or has gone on for too long: it is kept for an operator.
    GiveUp,
}

/// Decides after a failure. `seed` spreads messages that failed together; the same seed gives the same.
pub fn decide(error: &DeliveryError, history: &History, seed: u64) -> Decision {
    let History { age, attempts, received } = *history;
    let is_last = received >= LAST_RECEIVE;
    let (after, counts, elsewhere) = match (kind(error), error.disposition()) {
        // What becomes of it is the other one's to say.
        (Kind::Elsewhere, Disposition::Defer { after }) => (after, false, true),
        _ if is_last => return Decision::GiveUp,
        (Kind::HeldBack, Disposition::Defer { after })
            if age < RETRY_FOR || (attempts <= 3 && age < LONGEST_HELD_BACK) =>
        {
            // The longer it has waited, the less often it asks.
            (after.max((age / 10).min(LONGEST_HOLD)), false, false)
        }
        (Kind::Moment, Disposition::Defer { after }) => (after, false, false),
        // One that is old because nobody worked for hours gets its attempts too.
        (_, Disposition::Retry { after: asked }) if age < RETRY_FOR || attempts < LEAST_ATTEMPTS => {
            let wait = wait_after(attempts, asked);
            (if asked.is_some() { wait } else { spread(wait, seed) }, true, false)
        }
        // Being too old must not hit a message that is about to go.
        (Kind::Passing, Disposition::Defer { after }) if age < RETRY_FOR + SignedDuration::from_hours(1) => {
            (after, false, false)
        }
        (_, Disposition::Retry { .. } | Disposition::Defer { .. } | Disposition::Park) => return Decision::GiveUp,
    };
    Decision::Later { after: after.max(at_least(received)), counts, elsewhere }
}

/// The least wait after so many receives. With it, [`MOST_RECEIVES`] outlast a day whatever the message waits for.
///
/// Nothing at first, then from a second at the twentieth to a quarter of an hour at the hundredth.
pub fn at_least(received: u32) -> SignedDuration {
    match received.checked_sub(20) {
        None => SignedDuration::ZERO,
        Some(more) if more < 80 => SignedDuration::from_secs(1 << (more / 8)),
        Some(_) => SignedDuration::from_mins(15),
    }
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Somebody else has the message.
    Elsewhere,
    /// No call was made, because the other side is down or somebody else asks for what is needed.
    HeldBack,
    /// The moment, and not the message, however old it is.
    Moment,
    /// Something of this message that passes, or doesn't.
    Passing,
}

const fn kind(error: &DeliveryError) -> Kind {
    match error {
        DeliveryError::Busy { what: Leased::Message, .. } | DeliveryError::Store(StoreError::LeaseLost) => Kind::Elsewhere,
        DeliveryError::HeldBack { .. } | DeliveryError::Busy { what: Leased::AppJwt, .. } => Kind::HeldBack,
        DeliveryError::Busy { what: Leased::Conversation, .. }
        | DeliveryError::OutOfTime
        | DeliveryError::Contended
        // Counts for itself how long it has looked.
        | DeliveryError::ConversationUnknown { .. } => Kind::Moment,
        DeliveryError::Store(StoreError::Unavailable { .. } | StoreError::Unreadable { .. })
        | DeliveryError::Queue(_)
        | DeliveryError::LiveEngage(_)
        | DeliveryError::Channel(_)
        | DeliveryError::Http { .. }
        | DeliveryError::UnknownAccount { .. }
        | DeliveryError::UnknownLine { .. }
        | DeliveryError::Registry(_)
        | DeliveryError::Setting(_)
        | DeliveryError::MessageUnknown { .. }
        | DeliveryError::Unreadable(_)
        | DeliveryError::UnreadableTask { .. }
        | DeliveryError::Uncertain
        | DeliveryError::PerhapsOurs
        | DeliveryError::ClosedAtOnce { .. }
        | DeliveryError::NobodyToTell { .. }
        | DeliveryError::Unsupported { .. } => Kind::Passing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        channel::SendFailure,
        domain::{
            code::Code,
            http::HttpFailure,
            id::{AccountId, LineId},
        },
        liveengage::{LiveEngageError, notification::UnreadableChange},
        port::QueueError,
    };

    /// One failure of every kind, with the shortest wait that it can ask for.
    fn failures() -> Vec<DeliveryError> {
        let after = SignedDuration::from_secs(1);
        let call = "SEND";
        vec![
            DeliveryError::Store(StoreError::Unavailable { code: Code::ours("ThrottlingException") }),
            DeliveryError::Store(StoreError::Unreadable { what: "a lease" }),
            DeliveryError::Store(StoreError::LeaseLost),
            DeliveryError::Queue(QueueError { code: Code::ours("ServiceUnavailable") }),
            DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { call }),
            DeliveryError::LiveEngage(LiveEngageError::RateLimited { call, after }),
            DeliveryError::LiveEngage(LiveEngageError::Unavailable { call, status: 503, after: None }),
            DeliveryError::LiveEngage(LiveEngageError::Refused { call, status: 400, code: Code::NONE }),
            DeliveryError::Channel(SendFailure::Later { status: 429, after: Some(after) }),
            DeliveryError::Channel(SendFailure::Credentials { status: 401 }),
            DeliveryError::Channel(SendFailure::Unreadable { status: 200 }),
            DeliveryError::Http { call, failure: HttpFailure::Unanswered },
            DeliveryError::UnknownAccount { account: AccountId::new("72419083").unwrap() },
            DeliveryError::UnknownLine { line: LineId::new("sms-main").unwrap() },
            DeliveryError::Busy { what: Leased::Message, after },
            DeliveryError::Busy { what: Leased::Conversation, after },
            DeliveryError::Busy { what: Leased::AppJwt, after },
            DeliveryError::HeldBack { what: "LiveEngage", after },
            DeliveryError::OutOfTime,
            DeliveryError::Contended,
            DeliveryError::ConversationUnknown { after },
            DeliveryError::MessageUnknown { after },
            DeliveryError::Unreadable(UnreadableChange { field: "dialogId" }),
            DeliveryError::UnreadableTask { what: "it" },
            DeliveryError::Unsupported { content: Code::ours("a film") },
            DeliveryError::Uncertain,
            DeliveryError::PerhapsOurs,
            DeliveryError::ClosedAtOnce { count: 2 },
            DeliveryError::NobodyToTell { code: Code::ours("1") },
        ]
    }

    proptest! {
        /// In whatever mixture the failures come, and whether attempts count or not.
        #[test]
        fn a_message_outlasts_a_day_of_any_failure_or_is_given_up_before_the_queue_does_it(
            kinds in prop::collection::vec(0..failures().len(), 1..6), first in 0i64..100_000
        ) {
            let failures = failures();
            let (mut age, mut attempts) = (SignedDuration::from_secs(first), 1);
            let begun = age;
            for received in 1..=MOST_RECEIVES {
                let error = &failures[kinds[received as usize % kinds.len()]];
                match decide(error, &History { age, attempts, received }, 0) {
                    // For its own sake, or because its receives run out: then they have lasted.
                    Decision::GiveUp if received < LAST_RECEIVE => return Ok(()),
                    Decision::GiveUp => break,
                    Decision::Later { after, counts, .. } => {
                        age += after;
                        attempts += u32::from(counts);
                    }
                }
            }
            prop_assert!(age - begun >= SignedDuration::from_hours(24), "a dead letter after {:?} of {kinds:?}", age - begun);
        }

        #[test]
        fn nobody_gives_up_what_somebody_else_has(age in 0i64..1_000_000, attempts in 1u32..100, received in 1u32..=MOST_RECEIVES) {
            let history = History { age: SignedDuration::from_secs(age), attempts, received };
            let error = DeliveryError::Busy { what: Leased::Message, after: SignedDuration::from_secs(1) };
            let is_elsewhere = matches!(decide(&error, &history, 0), Decision::Later { elsewhere: true, .. });
            prop_assert!(is_elsewhere);
        }
    }

    #[test]
    fn whatever_lasts_is_given_up_before_it_is_a_dead_letter() {
        let ends_by_itself = |error: &DeliveryError| kind(error) == Kind::Elsewhere;
        for error in failures().iter().filter(|error| !ends_by_itself(error)) {
            let history = History { age: SignedDuration::from_secs(240), attempts: 1, received: LAST_RECEIVE };
            assert_eq!(decide(error, &history, 0), Decision::GiveUp, "{error}");
        }
    }

    #[test]
    fn what_passes_in_seconds_is_looked_at_every_second_at_first() {
        for received in 1..28 {
            let history = History { age: SignedDuration::from_secs(9), attempts: 1, received };
            let decision = decide(&DeliveryError::Contended, &history, 0);
            let after = SignedDuration::from_secs(1);
            assert_eq!(decision, Decision::Later { after, counts: false, elsewhere: false });
        }
    }

    #[test]
    fn the_queues_hand_out_a_message_as_often_as_is_counted_on() {
        let template = include_str!("../../../template.yaml");
        assert_eq!(template.matches(&format!("maxReceiveCount: {MOST_RECEIVES}")).count(), 2);
    }
}
