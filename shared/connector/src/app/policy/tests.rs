use proptest::prelude::*;

use super::*;
use crate::{domain::id::LineId, port::QueueError};
use connector_channels::SendFailure;
use connector_liveengage::{LiveEngageError, id::AccountId, notification::UnreadableChange};
use connector_message::{code::Code, http::HttpFailure};

/// Returns one failure of every kind, with the shortest wait that it can ask for.
fn failures() -> Vec<DeliveryError> {
    let after = SignedDuration::from_secs(1);
    let call = "SEND";
    vec![
        DeliveryError::Store(StoreError::Unavailable { code: Code::internal("ThrottlingException") }),
        DeliveryError::Store(StoreError::Unreadable { what: "a lease" }),
        DeliveryError::Store(StoreError::LeaseLost),
        DeliveryError::Queue(QueueError { code: Code::internal("ServiceUnavailable") }),
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
        DeliveryError::Unsupported { content: Code::internal("a film") },
        DeliveryError::Uncertain,
        DeliveryError::PossiblyOurs,
        DeliveryError::ClosedAtOnce { count: 2 },
        DeliveryError::NoRecipient { code: Code::internal("1") },
    ]
}

proptest! {
    /// Holds for every mixture of failures, whether attempts count or not.
    #[test]
    fn a_message_outlasts_a_day_of_any_failure_or_is_given_up_before_the_queue_does_it(
        kinds in prop::collection::vec(0..failures().len(), 1..6), first in 0i64..100_000, sender_is_known: bool
    ) {
        let failures = failures();
        let (mut age, mut attempts) = (SignedDuration::from_secs(first), 1);
        let begun = age;
        for received in 1..=MOST_RECEIVES {
            let error = &failures[kinds[received as usize % kinds.len()]];
            match decide(error, &History { age, attempts, received, importance: Importance::Required, sender_is_known }, 0) {
                // It is parked for its failure, or because its receives are used up, which takes longer than a day.
                Decision::Park if received < LAST_RECEIVE => return Ok(()),
                Decision::Park => break,
                Decision::Done => panic!("a required message is not dropped"),
                Decision::RetryLater { after, lease } => {
                    age += after;
                    attempts += u32::from(lease == LeaseEnd::Release { counts: true });
                }
            }
        }
        prop_assert!(age - begun >= SignedDuration::from_hours(24), "a dead letter after {:?} of {kinds:?}", age - begun);
    }

    #[test]
    fn a_message_that_another_attempt_has_is_never_parked(age in 0i64..1_000_000, attempts in 1u32..100, received in 1u32..=MOST_RECEIVES) {
        let history = History { age: SignedDuration::from_secs(age), attempts, received, importance: Importance::Required, sender_is_known: true };
        let error = DeliveryError::Busy { what: Leased::Message, after: SignedDuration::from_secs(1) };
        let keeps = matches!(decide(&error, &history, 0), Decision::RetryLater { lease: LeaseEnd::Keep, .. });
        prop_assert!(keeps);
    }
}

#[test]
fn a_lasting_failure_parks_a_message_before_it_is_a_dead_letter() {
    let ends_by_itself = |error: &DeliveryError| kind(error) == Kind::LeasedElsewhere;
    for error in failures().iter().filter(|error| !ends_by_itself(error)) {
        let history = History {
            age: SignedDuration::from_secs(240),
            attempts: 1,
            received: LAST_RECEIVE,
            importance: Importance::Required,
            sender_is_known: true,
        };
        assert_eq!(decide(error, &history, 0), Decision::Park, "{error}");
    }
}

#[test]
fn a_message_is_not_parked_for_its_age_before_it_is_known_whom_to_tell() {
    let code = Code::internal("ThrottlingException");
    let errors = [
        DeliveryError::Store(StoreError::Unavailable { code: code.clone() }),
        DeliveryError::Queue(QueueError { code }),
    ];
    let cases = [(true, 20, true), (false, 20, false), (false, LAST_RECEIVE, true)];
    for (error, (sender_is_known, received, is_parked)) in
        errors.iter().flat_map(|error| cases.map(|case| (error, case)))
    {
        let (age, importance) = (SignedDuration::from_hours(30), Importance::Required);
        let history = History { age, attempts: 12, received, importance, sender_is_known };
        assert_eq!(decide(error, &history, 0) == Decision::Park, is_parked, "{error}: {history:?}");
    }
}

#[test]
fn what_passes_in_seconds_is_looked_at_every_second_at_first() {
    for received in 1..28 {
        let history = History {
            age: SignedDuration::from_secs(9),
            attempts: 1,
            received,
            importance: Importance::Required,
            sender_is_known: true,
        };
        let decision = decide(&DeliveryError::Contended, &history, 0);
        let after = SignedDuration::from_secs(1);
        assert_eq!(decision, Decision::RetryLater { after, lease: LeaseEnd::Release { counts: false } });
    }
}

#[test]
fn the_queues_hand_out_a_message_as_often_as_is_counted_on() {
    let template = include_str!("../../../../../template.yaml");
    assert_eq!(template.matches(&format!("maxReceiveCount: {MOST_RECEIVES}")).count(), 2);
    assert_eq!(template.matches(&format!("VisibilityTimeout: {}\n", QUEUE_VISIBILITY.as_secs())).count(), 2);
    assert_eq!(template.matches(&format!("Threshold: {}\n", AGE_ALARM.as_secs())).count(), 2);
}
#[test]
fn a_dispensable_message_is_dropped_where_another_one_is_parked() {
    for error in failures() {
        let history = History {
            age: SignedDuration::from_hours(20),
            attempts: 9,
            received: 9,
            importance: Importance::Required,
            sender_is_known: true,
        };
        let best_effort = History { importance: Importance::BestEffort, ..history };
        match decide(&error, &history, 0) {
            Decision::Park if error.disposition() == Disposition::Park => {
                assert_eq!(decide(&error, &best_effort, 0), Decision::Done, "{error}");
            }
            decision => assert_eq!(decide(&error, &best_effort, 0), decision, "{error}"),
        }
    }
}

/// Returns whether a required message whose sender is known is parked at this age.
fn is_parked(error: &DeliveryError, age: SignedDuration, attempts: u32) -> bool {
    let (importance, sender_is_known) = (Importance::Required, true);
    decide(error, &History { age, attempts, received: 5, importance, sender_is_known }, 0) == Decision::Park
}

#[test]
fn a_message_that_is_held_back_gets_three_attempts_within_its_last_time() {
    let second = SignedDuration::from_secs(1);
    let held = DeliveryError::HeldBack { what: "LiveEngage", after: second };
    for (age, attempts, parked) in [
        (RETRY_FOR - second, 50, false),
        (RETRY_FOR, 3, false),
        (RETRY_FOR, 4, true),
        (LONGEST_HELD_BACK - second, 3, false),
        (LONGEST_HELD_BACK, 3, true),
    ] {
        assert_eq!(is_parked(&held, age, attempts), parked, "{age:?} {attempts}");
    }
}

#[test]
fn what_waits_for_something_that_comes_soon_has_an_hour_more() {
    let error = DeliveryError::MessageUnknown { after: SignedDuration::from_secs(1) };
    let most = RETRY_FOR + SignedDuration::from_hours(1);
    for (age, parked) in [(RETRY_FOR, false), (most - SignedDuration::from_secs(1), false), (most, true)] {
        assert_eq!(is_parked(&error, age, 99), parked, "{age:?}");
    }
}

#[test]
fn the_shortest_wait_grows_from_the_20th_receive_to_the_100th() {
    let waits = [1, 19, 20, 27, 28, 99, 100, 200].map(|received| minimum_wait(received).as_secs());
    assert_eq!(waits, [0, 0, 1, 1, 2, 512, 900, 900]);
}
