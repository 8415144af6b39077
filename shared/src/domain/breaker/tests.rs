use proptest::prelude::*;

use super::*;

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn person(number: usize) -> Option<Who> {
    Some(Who::of(&number))
}

/// Opened at second 0 by as many people as it takes: 0, 1 and so on.
fn opened() -> Breaker {
    let mut breaker = Breaker::default();
    for number in 0..PEOPLE {
        assert_eq!(breaker.admit(person(number), at(0)), Ok(()));
        breaker.note(person(number), Ended::Failed, at(0));
    }
    assert!(breaker.is_open());
    breaker
}

fn seconds(seconds: i64) -> Result<(), SignedDuration> {
    Err(SignedDuration::from_secs(seconds))
}

#[test]
fn the_failures_of_four_people_open_nothing_however_often() {
    let mut breaker = Breaker::default();
    for second in 0..100 {
        for number in 1..PEOPLE {
            breaker.note(person(number), Ended::Failed, at(second));
        }
    }
    assert!(!breaker.is_open());
}

#[test]
fn a_success_between_the_failures_of_five_people_keeps_it_closed() {
    let mut breaker = Breaker::default();
    for round in 0..3 {
        for number in 1..PEOPLE {
            breaker.note(person(round * 10 + number), Ended::Failed, at(0));
        }
        breaker.note(person(999), Ended::Reached, at(0));
    }
    assert!(!breaker.is_open());
}

#[test]
fn it_opens_only_when_more_people_fail_than_have_just_got_through() {
    let mut breaker = Breaker::default();
    for number in 100..120 {
        breaker.note(person(number), Ended::Reached, at(0));
    }
    for number in 0..20 {
        breaker.note(person(number), Ended::Failed, at(30));
    }
    assert!(!breaker.is_open());
    breaker.note(person(20), Ended::Failed, at(30));
    assert!(breaker.is_open());
    // What was a minute ago tells nothing of now, and what failed long ago neither.
    let mut breaker = Breaker::default();
    breaker.note(person(100), Ended::Reached, at(0));
    for number in 0..PEOPLE {
        breaker.note(person(number), Ended::Failed, at(61 + 100 * number as i64));
    }
    assert!(!breaker.is_open());
    for number in 0..PEOPLE {
        breaker.note(person(number), Ended::Failed, at(600));
    }
    assert!(breaker.is_open());
}

#[test]
fn without_a_connection_it_is_nobodys_fault() {
    let mut breaker = Breaker::default();
    for _ in 1..PEOPLE {
        breaker.note(person(1), Ended::NoConnection, at(0));
    }
    assert!(!breaker.is_open());
    breaker.note(None, Ended::Failed, at(0));
    assert_eq!(breaker.admit(person(2), at(4)), seconds(6), "nobody is new to it");
    assert_eq!(breaker.admit(None, at(10)), Ok(()));
    breaker.note(None, Ended::Failed, at(10));
    assert_eq!(breaker.admit(None, at(11)), seconds(19), "twice as long");
}

#[test]
fn while_it_is_open_nothing_goes_through_and_then_one_call() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(person(0), at(4)), seconds(6));
    assert_eq!(breaker.admit(person(0), at(10)), Ok(()), "one may try");
    assert!(breaker.admit(person(1), at(10)).is_err(), "and no second one");
    breaker.note(person(0), Ended::Reached, at(11));
    assert_eq!(breaker.admit(person(1), at(11)), Ok(()));
}

#[test]
fn nobody_tries_twice_in_a_row_unless_nobody_else_comes() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(person(0), at(10)), Ok(()));
    breaker.note(person(0), Ended::Failed, at(10));
    assert_eq!(breaker.admit(person(0), at(30)), seconds(10));
    assert_eq!(breaker.admit(person(1), at(30)), Ok(()), "somebody else's turn");
    breaker.note(person(1), Ended::Failed, at(30));
    assert_eq!(breaker.admit(person(1), at(80)), Ok(()), "nobody else came");
}

#[test]
fn somebody_who_has_not_failed_tries_within_five_seconds_and_changes_nothing_for_the_others() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(person(77), at(3)), seconds(2));
    assert_eq!(breaker.admit(person(77), at(5)), Ok(()));
    assert_eq!(breaker.admit(person(78), at(6)), seconds(4), "one at a time");
    breaker.note(person(77), Ended::Failed, at(6));
    assert_eq!(breaker.admit(person(77), at(9)), seconds(1), "now one of the others");
    assert_eq!(breaker.admit(person(0), at(10)), Ok(()));
}

#[test]
fn who_failed_while_others_got_through_opens_nothing_again() {
    let mut breaker = opened();
    breaker.note(person(99), Ended::Reached, at(10));
    for second in 11..40 {
        for number in 0..PEOPLE {
            breaker.note(person(number), Ended::Failed, at(second));
        }
    }
    assert!(!breaker.is_open());
    // Until they get through themselves.
    for ended in [Ended::Reached, Ended::Failed] {
        for number in 0..PEOPLE {
            breaker.note(person(number), ended, at(50 + if ended == Ended::Failed { 70 } else { 0 }));
        }
    }
    assert!(breaker.is_open());
}

#[test]
fn a_side_that_refuses_everybody_opens_it_at_once_and_for_everybody() {
    let mut breaker = Breaker::default();
    breaker.trip(person(1), at(0));
    assert_eq!(breaker.admit(person(2), at(5)), seconds(5));
    assert_eq!(breaker.admit(person(2), at(10)), Ok(()));
    breaker.trip(person(2), at(10));
    assert_eq!(breaker.admit(person(3), at(20)), seconds(10));
    assert_eq!(breaker.admit(person(2), at(30)), seconds(10), "who tried last waits for somebody else");
}

#[test]
fn a_part_of_the_other_side_that_refuses_holds_nobody_back() {
    let mut breaker = Breaker::default();
    for number in 0..PEOPLE + 2 {
        breaker.note(person(number), Ended::Reached, at(0));
    }
    for number in 0..3 {
        breaker.trip(person(number), at(10));
    }
    assert!(!breaker.is_open(), "others get through");
    breaker.trip(person(9), at(71));
    assert!(breaker.is_open(), "nobody has for a minute");
}

#[test]
fn a_trial_that_is_never_noted_does_not_close_it_for_ever() {
    let mut breaker = opened();
    assert_eq!(breaker.admit(person(0), at(10)), Ok(()));
    assert_eq!(breaker.admit(person(1), at(20)), Ok(()), "the function of the first may have been stopped");
}

#[test]
fn it_remembers_a_bounded_number_of_people() {
    let mut breaker = Breaker::default();
    for number in 0..10 * MOST {
        breaker.note(person(number), Ended::Failed, at(0));
    }
    assert_eq!(breaker.known.len(), MOST);
    breaker.note(person(0), Ended::Reached, at(3600));
    assert_eq!(breaker.known.len(), 1, "what is old is forgotten");
}

/// People with a text each. Those of `bad` are always failed, the others never; a worker takes whoever is due.
struct Town {
    breaker: Breaker,
    bad: usize,
    /// Who waits, until when, since when, and after how many failures.
    waiting: Vec<(usize, i64, i64, u32)>,
    /// The longest that one of the others waited.
    longest: i64,
    calls: usize,
}

impl Town {
    fn of(bad: usize) -> Self {
        let waiting = (0..bad).map(|number| (number, 0, 0, 0)).collect();
        Self { breaker: Breaker::default(), bad, waiting, longest: 0, calls: 0 }
    }

    fn second(&mut self, now: i64) {
        for (number, due, since, failures) in &mut self.waiting {
            if *due > now {
                continue;
            }
            match self.breaker.admit(person(*number), at(now)) {
                Err(wait) => *due = now + wait.as_secs(),
                Ok(()) if *number < self.bad => {
                    self.calls += 1;
                    self.breaker.note(person(*number), Ended::Failed, at(now));
                    *failures += 1;
                    *due = now + crate::domain::retry::wait_after(*failures, None).as_secs();
                }
                Ok(()) => {
                    self.calls += 1;
                    self.breaker.note(person(*number), Ended::Reached, at(now));
                    self.longest = self.longest.max(now - *since);
                    *due = i64::MAX;
                }
            }
        }
        self.waiting.retain(|(_, due, ..)| *due < i64::MAX);
        let longest = self.longest;
        let oldest = self.waiting.iter().filter(|(number, ..)| *number >= self.bad).map(|(_, _, since, _)| now - since);
        self.longest = oldest.max().unwrap_or(0).max(longest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The finding in one sentence: a part that fails is not an outage.
    #[test]
    fn people_whose_calls_always_fail_delay_nobody_else_for_long(
        bad in 0usize..40,
        texts in prop::collection::vec((0i64..1200, 100usize..110), 1..40),
    ) {
        let mut town = Town::of(bad);
        for now in 0..1500 {
            // First in the list is first at the breaker: the failing ones are.
            town.waiting.extend(texts.iter().filter(|(second, _)| *second == now).map(|(_, who)| (*who, now, now, 0)));
            town.second(now);
        }
        // At the worst each of the failing ones has to fail once more, five seconds after the other.
        let most = NEWCOMER.as_secs() * (bad as i64 + 1);
        prop_assert!(town.longest <= most, "{} of {most}", town.longest);
        prop_assert!(town.waiting.iter().all(|(number, ..)| *number < bad), "somebody's text is still there");
    }

    #[test]
    fn an_outage_that_is_over_is_noticed_within_a_minute_by_whoever_is_left(
        steps in prop::collection::vec((0usize..12, 0i64..40, 0u8..4), 0..120),
        left in 0usize..14,
    ) {
        let (mut breaker, mut now) = (Breaker::default(), 0);
        for (number, later, ended) in steps {
            now += later;
            match (breaker.admit(person(number), at(now)), ended) {
                (Ok(()), 0) => breaker.note(person(number), Ended::NoConnection, at(now)),
                (Ok(()), 1) => breaker.trip(person(number), at(now)),
                // The function was stopped.
                (Ok(()), 2) => {}
                (Ok(()), _) => breaker.note(person(number), Ended::Failed, at(now)),
                (Err(wait), _) => prop_assert!(wait <= MINUTE && wait >= SignedDuration::from_secs(1)),
            }
        }
        // It is over.
        let mut waited = SignedDuration::ZERO;
        while let Err(wait) = breaker.admit(person(left), at(now) + waited) {
            waited += wait;
        }
        prop_assert!(waited <= MINUTE, "{waited:?}");
        breaker.note(person(left), Ended::Reached, at(now) + waited);
        for number in 0..14 {
            prop_assert_eq!(breaker.admit(person(number), at(now) + waited), Ok(()));
        }
    }

    #[test]
    fn in_an_outage_a_call_is_made_every_five_seconds_at_most_and_in_the_end_two_a_minute(people in 6usize..60) {
        let mut town = Town::of(people);
        for now in 0..600 {
            town.second(now);
        }
        let calls = town.calls;
        // As many as opened it, each other one once, and one at the end of each pause.
        prop_assert!(calls <= people + 16, "{calls} of {people} people");
        for now in 600..1200 {
            town.second(now);
        }
        prop_assert!(town.calls - calls <= 20, "{}", town.calls - calls);
    }
}
