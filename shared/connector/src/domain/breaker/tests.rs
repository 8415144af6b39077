use proptest::prelude::*;

use super::*;

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn consumer(number: usize) -> Option<Who> {
    Some(Who::of(&number))
}

/// Returns a breaker that was opened at second 0 by failures of the consumers 0 to `CONSUMERS - 1`.
fn opened() -> Breaker {
    let mut breaker = Breaker::default();
    for number in 0..CONSUMERS {
        assert_eq!(breaker.admit(consumer(number), at(0)), Ok(()));
        breaker.note(consumer(number), Ended::Failed, at(0));
    }
    assert!(breaker.is_open());
    breaker
}

fn seconds(seconds: i64) -> Result<(), SignedDuration> {
    Err(SignedDuration::from_secs(seconds))
}

#[test]
fn the_failures_of_four_consumers_never_open_it() {
    let mut breaker = Breaker::default();
    for second in 0..100 {
        for number in 1..CONSUMERS {
            breaker.note(consumer(number), Ended::Failed, at(second));
        }
    }
    assert!(!breaker.is_open());
}

#[test]
fn a_success_between_the_failures_of_five_consumers_keeps_it_closed() {
    let mut breaker = Breaker::default();
    for round in 0..3 {
        for number in 1..CONSUMERS {
            breaker.note(consumer(round * 10 + number), Ended::Failed, at(0));
        }
        breaker.note(consumer(999), Ended::Reached, at(0));
    }
    assert!(!breaker.is_open());
}

#[test]
fn it_opens_only_if_more_consumers_fail_than_have_just_succeeded() {
    let mut breaker = Breaker::default();
    for number in 100..120 {
        breaker.note(consumer(number), Ended::Reached, at(0));
    }
    for number in 0..20 {
        breaker.note(consumer(number), Ended::Failed, at(30));
    }
    assert!(!breaker.is_open());
    breaker.note(consumer(20), Ended::Failed, at(30));
    assert!(breaker.is_open());
    // Successes from a minute ago and old failures don't count.
    let mut breaker = Breaker::default();
    breaker.note(consumer(100), Ended::Reached, at(0));
    for number in 0..CONSUMERS {
        breaker.note(consumer(number), Ended::Failed, at(61 + 100 * number as i64));
    }
    assert!(!breaker.is_open());
    for number in 0..CONSUMERS {
        breaker.note(consumer(number), Ended::Failed, at(600));
    }
    assert!(breaker.is_open());
}

#[test]
fn failures_to_connect_count_without_regard_to_the_consumer() {
    let mut breaker = Breaker::default();
    for _ in 1..CONSUMERS {
        breaker.note(consumer(1), Ended::NoConnection, at(0));
    }
    assert!(!breaker.is_open());
    breaker.note(None, Ended::Failed, at(0));
    assert_eq!(breaker.admit(consumer(2), at(4)), seconds(6), "a newcomer waits, too");
    assert_eq!(breaker.admit(None, at(10)), Ok(()));
    breaker.note(None, Ended::Failed, at(10));
    assert_eq!(breaker.admit(None, at(11)), seconds(19), "twice as long");
}

#[test]
fn while_it_is_open_one_call_is_admitted_after_each_pause() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(consumer(0), at(4)), seconds(6));
    assert_eq!(breaker.admit(consumer(0), at(10)), Ok(()), "one call is admitted");
    assert!(breaker.admit(consumer(1), at(10)).is_err(), "and no second one");
    breaker.note(consumer(0), Ended::Reached, at(11));
    assert_eq!(breaker.admit(consumer(1), at(11)), Ok(()));
}

#[test]
fn a_consumer_tries_twice_in_a_row_only_if_no_other_comes() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(consumer(0), at(10)), Ok(()));
    breaker.note(consumer(0), Ended::Failed, at(10));
    assert_eq!(breaker.admit(consumer(0), at(30)), seconds(10));
    assert_eq!(breaker.admit(consumer(1), at(30)), Ok(()), "another consumer's turn");
    breaker.note(consumer(1), Ended::Failed, at(30));
    assert_eq!(breaker.admit(consumer(1), at(80)), Ok(()), "no other consumer came");
}

#[test]
fn a_consumer_who_has_not_failed_tries_within_five_seconds_without_delaying_the_others() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(consumer(77), at(3)), seconds(2));
    assert_eq!(breaker.admit(consumer(77), at(5)), Ok(()));
    assert_eq!(breaker.admit(consumer(78), at(6)), seconds(4), "one at a time");
    breaker.note(consumer(77), Ended::Failed, at(6));
    assert_eq!(breaker.admit(consumer(77), at(9)), seconds(1), "now one of the others");
    assert_eq!(breaker.admit(consumer(0), at(10)), Ok(()));
}

#[test]
fn consumers_who_failed_while_others_succeeded_do_not_open_it_again() {
    let mut breaker = opened();
    breaker.note(consumer(99), Ended::Reached, at(10));
    for second in 11..40 {
        for number in 0..CONSUMERS {
            breaker.note(consumer(number), Ended::Failed, at(second));
        }
    }
    assert!(!breaker.is_open());
    // They count again after a success of their own.
    for ended in [Ended::Reached, Ended::Failed] {
        for number in 0..CONSUMERS {
            breaker.note(consumer(number), ended, at(50 + if ended == Ended::Failed { 70 } else { 0 }));
        }
    }
    assert!(breaker.is_open());
}

#[test]
fn a_side_that_rejects_all_callers_opens_it_at_once() {
    let mut breaker = Breaker::default();
    breaker.trip(consumer(1), at(0));
    assert_eq!(breaker.admit(consumer(2), at(5)), seconds(5));
    assert_eq!(breaker.admit(consumer(2), at(10)), Ok(()));
    breaker.trip(consumer(2), at(10));
    assert_eq!(breaker.admit(consumer(3), at(20)), seconds(10));
    assert_eq!(breaker.admit(consumer(2), at(30)), seconds(10), "the consumer who tried last waits for another one");
}

/// A worker handles ten people at the same time.
#[test]
fn calls_that_were_in_flight_together_open_it_once() {
    let mut breaker = Breaker::default();
    for number in 0..10 {
        breaker.trip(consumer(number), at(0));
    }
    assert_eq!(breaker.admit(consumer(11), at(9)), seconds(1), "and not for the longest pause");
    assert_eq!(breaker.admit(consumer(11), at(10)), Ok(()));
}

#[test]
fn a_rejection_by_a_part_of_the_other_side_does_not_open_it() {
    let mut breaker = Breaker::default();
    for number in 0..CONSUMERS + 2 {
        breaker.note(consumer(number), Ended::Reached, at(0));
    }
    for number in 0..3 {
        breaker.trip(consumer(number), at(10));
    }
    assert!(!breaker.is_open(), "others get through");
    breaker.trip(consumer(9), at(71));
    assert!(breaker.is_open(), "no call has succeeded for a minute");
}

#[test]
fn a_trial_without_a_recorded_result_does_not_block_it_for_ever() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(consumer(0), at(10)), Ok(()));
    assert_eq!(breaker.admit(consumer(1), at(20)), Ok(()), "the function of the first may have been stopped");
}

#[test]
fn it_remembers_a_bounded_number_of_consumers() {
    let mut breaker = Breaker::default();
    for number in 0..10 * MOST {
        breaker.note(consumer(number), Ended::Failed, at(0));
    }
    assert_eq!(breaker.records.len(), MOST);
    breaker.note(consumer(0), Ended::Reached, at(3600));
    assert_eq!(breaker.records.len(), 1, "old results are forgotten");
}

/// Simulates consumers with a text each.
///
/// Calls of the first `failing` ones always fail, the others' never. A worker handles every text that is due.
struct Simulation {
    breaker: Breaker,
    failing: usize,
    /// For each waiting text: the consumer, when it is due and when it came (in seconds), and the number of failures.
    waiting: Vec<(usize, i64, i64, u32)>,
    /// The longest wait of the others, in seconds.
    longest: i64,
    calls: usize,
}

impl Simulation {
    fn of(failing: usize) -> Self {
        let waiting = (0..failing).map(|number| (number, 0, 0, 0)).collect();
        Self { breaker: Breaker::default(), failing, waiting, longest: 0, calls: 0 }
    }

    fn second(&mut self, now: i64) {
        for (number, due, since, failures) in &mut self.waiting {
            if *due > now {
                continue;
            }
            match self.breaker.admit(consumer(*number), at(now)) {
                Err(wait) => *due = now + wait.as_secs(),
                Ok(()) if *number < self.failing => {
                    self.calls += 1;
                    self.breaker.note(consumer(*number), Ended::Failed, at(now));
                    *failures += 1;
                    *due = now + crate::domain::retry::wait_after(*failures, None).as_secs();
                }
                Ok(()) => {
                    self.calls += 1;
                    self.breaker.note(consumer(*number), Ended::Reached, at(now));
                    self.longest = self.longest.max(now - *since);
                    *due = i64::MAX;
                }
            }
        }
        self.waiting.retain(|(_, due, ..)| *due < i64::MAX);
        let longest = self.longest;
        let oldest =
            self.waiting.iter().filter(|(number, ..)| *number >= self.failing).map(|(_, _, since, _)| now - since);
        self.longest = oldest.max().unwrap_or(0).max(longest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A part of the other side that fails is not an outage.
    #[test]
    fn consumers_whose_calls_always_fail_delay_no_others_for_long(
        failing in 0usize..40,
        texts in prop::collection::vec((0i64..1200, 100usize..110), 1..40),
    ) {
        let mut simulation = Simulation::of(failing);
        for now in 0..1500 {
            // The failing consumers come first in the list, so their calls come first.
            simulation.waiting.extend(texts.iter().filter(|(second, _)| *second == now).map(|(_, who)| (*who, now, now, 0)));
            simulation.second(now);
        }
        // In the worst case each failing consumer must fail once more, five seconds after the one before.
        let most = NEWCOMER.as_secs() * (failing as i64 + 1);
        prop_assert!(simulation.longest <= most, "{} of {most}", simulation.longest);
        prop_assert!(simulation.waiting.iter().all(|(number, ..)| *number < failing), "a text is still waiting");
    }

    #[test]
    fn the_end_of_an_outage_is_detected_within_a_minute_by_any_remaining_consumer(
        steps in prop::collection::vec((0usize..12, 0i64..40, 0u8..4), 0..120),
        left in 0usize..14,
    ) {
        let (mut breaker, mut now) = (Breaker::default(), 0);
        for (number, later, ended) in steps {
            now += later;
            match (breaker.admit(consumer(number), at(now)), ended) {
                (Ok(()), 0) => breaker.note(consumer(number), Ended::NoConnection, at(now)),
                (Ok(()), 1) => breaker.trip(consumer(number), at(now)),
                // The function was stopped.
                (Ok(()), 2) => {}
                (Ok(()), _) => breaker.note(consumer(number), Ended::Failed, at(now)),
                (Err(wait), _) => prop_assert!(wait <= MINUTE && wait >= SignedDuration::from_secs(1)),
            }
        }
        // The outage is over.
        let mut waited = SignedDuration::ZERO;
        while let Err(wait) = breaker.admit(consumer(left), at(now) + waited) {
            waited += wait;
        }
        prop_assert!(waited <= MINUTE, "{waited:?}");
        breaker.note(consumer(left), Ended::Reached, at(now) + waited);
        for number in 0..14 {
            prop_assert_eq!(breaker.admit(consumer(number), at(now) + waited), Ok(()));
        }
    }

    #[test]
    fn an_outage_gets_a_call_every_five_seconds_at_first_and_two_a_minute_later(consumers in 6usize..60) {
        let mut simulation = Simulation::of(consumers);
        for now in 0..600 {
            simulation.second(now);
        }
        let calls = simulation.calls;
        // The calls that opened it, one of each other consumer, and one at the end of each pause.
        prop_assert!(calls <= consumers + 16, "{calls} calls for {consumers} consumers");
        for now in 600..1200 {
            simulation.second(now);
        }
        prop_assert!(simulation.calls - calls <= 20, "{}", simulation.calls - calls);
    }
}
