//! The order of events where they come in another one: LiveEngage's by their numbers, a person's by the channel's time.
//!
//! LiveEngage sends the events of a conversation one after the other, but for the seconds in which an app install recovers from failed
//! webhooks: then a new event waits 4 s for the stored ones before it, and goes ahead of them after that (Connector API, Retry policy).
//! So an event that overtakes others is always late itself. One that is late waits for another moment, and what has come by then is
//! worked on by number. The wait is counted from when the event came and never from another one: it can't last.
//!
//! Channels number nothing, and promise no order (an album's pictures are several webhooks, on several environments). Nothing waits for
//! what may still come: only what is in one batch is worked on by its time.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use super::id::{DialogId, Sequence};

/// How old an event must be when it comes, to be one that may have overtaken others.
pub const LATE: SignedDuration = SignedDuration::from_secs(3);

/// How long such an event waits for those that it may have overtaken, counted from when it came.
pub const WAIT: SignedDuration = SignedDuration::from_secs(3);

/// Whether an event of this time, which came at `accepted_at`, is late by the two clocks alone: the event's own and ours.
pub fn looks_late(event_time: Option<Timestamp>, accepted_at: Timestamp, late: SignedDuration) -> bool {
    event_time.is_some_and(|at| accepted_at.duration_since(at) >= late)
}

/// How long an event of this time that came at `accepted_at` still has to wait at `now`; `None` when it may go.
///
/// `clock_behind` is how far the clock of the event's time is behind ours, at the least: so much of its age is none. An event that is
/// younger proves that this is wrong, and then it counts for nothing. An event without a time never waits. `paced` shortens [`LATE`] and [`WAIT`] for a lab that is faster.
pub fn wait(
    event_time: Option<Timestamp>,
    accepted_at: Timestamp,
    now: Timestamp,
    clock_behind: SignedDuration,
    paced: impl Fn(SignedDuration) -> SignedDuration,
) -> Option<SignedDuration> {
    let by_the_clocks = accepted_at.duration_since(event_time?);
    let age = if by_the_clocks >= clock_behind { by_the_clocks - clock_behind } else { by_the_clocks };
    let left = paced(WAIT) - now.duration_since(accepted_at);
    (age >= paced(LATE) && left > SignedDuration::ZERO).then_some(left.min(paced(WAIT)))
}

/// The place of an event: what is compared, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPosition {
    /// Numbers are compared within a dialog only.
    pub dialog: DialogId,
    /// The number.
    pub sequence: Sequence,
}

/// Where a message stands among those of its queue group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// By LiveEngage's number.
    Numbered(EventPosition),
    /// By the channel's time. One that was received more often comes first: it may be half sent, and what comes only now is not to be shown
    /// in the middle of it.
    Timed {
        /// When the person did it.
        at: Timestamp,
        /// How often the queue has given the message out.
        received: u32,
    },
}

impl Position {
    const fn dialog(&self) -> Option<&DialogId> {
        match self {
            Self::Numbered(place) => Some(&place.dialog),
            Self::Timed { .. } => None,
        }
    }

    fn rank(&self) -> (Reverse<u32>, i128) {
        match self {
            Self::Numbered(place) => (Reverse(0), place.sequence.0.into()),
            Self::Timed { at, received } => (Reverse(*received), at.as_nanosecond()),
        }
    }
}

/// The order in which the messages of one queue group are worked on, as their present indices.
///
/// Those of one dialog go by number, and those of a person by time, on the places that they have together; whatever has no position stays
/// where it is.
pub fn sorted(positions: &[Option<Position>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    let mut dialogs: Vec<Option<&DialogId>> = positions.iter().flatten().map(Position::dialog).collect();
    dialogs.sort_unstable();
    dialogs.dedup();
    for dialog in dialogs {
        let ranked = |index: usize| {
            let position = positions.get(index)?.as_ref().filter(|position| position.dialog() == dialog)?;
            Some((position.rank(), index))
        };
        let slots: Vec<usize> = (0..positions.len()).filter(|index| ranked(*index).is_some()).collect();
        let mut sorted: Vec<_> = slots.iter().filter_map(|index| ranked(*index)).collect();
        sorted.sort_unstable();
        for (slot, (_, index)) in slots.into_iter().zip(sorted) {
            if let Some(place) = order.get_mut(slot) {
                *place = index;
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn only_a_late_event_waits_and_three_seconds_at_the_most() {
        let wait = |event, now| wait(Some(at(event)), at(10_000), at(now), SignedDuration::ZERO, |time| time);
        assert_eq!(wait(9_900, 10_001), None, "as ever");
        assert_eq!(wait(7_001, 10_001), None);
        assert_eq!(wait(7_000, 10_000), Some(SignedDuration::from_secs(3)));
        assert_eq!(wait(0, 12_999), Some(SignedDuration::from_millis(1)));
        assert_eq!(wait(0, 13_000), None);
        let none = SignedDuration::ZERO;
        assert_eq!(super::wait(None, at(10_000), at(10_000), none, |time| time), None);
        assert_eq!(super::wait(Some(at(9_000)), at(10_000), at(10_000), none, |time| time / 3), Some(WAIT / 3));
        assert_eq!(wait(0, 0), Some(WAIT), "a clock that is behind makes it no longer");
    }

    #[test]
    fn what_only_looks_late_because_of_the_clock_does_not_wait() {
        let behind = SignedDuration::from_hours(1);
        let wait = |event: i64| wait(Some(at(event)), at(10_000), at(10_000), behind, |time| time);
        assert_eq!(wait(9_900 - 3_600_000), None, "as ever");
        assert_eq!(wait(7_000 - 3_600_000), Some(SignedDuration::from_secs(3)), "late by their clock, too");
        // Younger than their clock is behind: it isn't.
        assert_eq!(wait(9_900), None);
        assert_eq!(wait(5_000), Some(SignedDuration::from_secs(3)));
        assert!(looks_late(Some(at(0)), at(3_000), LATE) && !looks_late(Some(at(1)), at(3_000), LATE));
        assert!(!looks_late(None, at(3_000), LATE));
    }

    fn positions() -> impl Strategy<Value = Vec<Option<Position>>> {
        let place = (0..3u8, 0..12u64).prop_map(|(dialog, sequence)| EventPosition {
            dialog: DialogId::new(format!("d{dialog}")).unwrap(),
            sequence: Sequence(sequence),
        });
        let position = prop_oneof![
            place.prop_map(Position::Numbered),
            (0..6i64, 1..3u32).prop_map(|(ms, received)| Position::Timed { at: at(ms), received }),
        ];
        proptest::collection::vec(proptest::option::weighted(0.8, position), 0..11)
    }

    #[test]
    fn a_persons_messages_go_by_time_and_what_may_be_half_sent_goes_first() {
        let order = |positions: &[(i64, u32)]| {
            let timed = |(ms, received): &(i64, u32)| Some(Position::Timed { at: at(*ms), received: *received });
            sorted(&positions.iter().map(timed).collect::<Vec<_>>())
        };
        assert_eq!(order(&[(3, 1), (1, 1), (2, 1)]), [1, 2, 0]);
        assert_eq!(order(&[(1, 1), (1, 1)]), [0, 1], "at one time as they came");
        assert_eq!(order(&[(3, 2), (2, 2), (1, 1)]), [1, 0, 2], "the order of the first attempt stays");
    }

    proptest! {
        #[test]
        fn every_message_is_worked_on_once_each_dialog_by_number_and_the_rest_in_its_place(positions in positions()) {
            let order = sorted(&positions);
            let mut indices = order.clone();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..positions.len()).collect::<Vec<_>>());
            for (slot, index) in order.iter().enumerate() {
                // A dialog's events take its own places only, and nothing else moves.
                let dialog = |at: usize| positions[at].as_ref().map(Position::dialog);
                prop_assert_eq!(dialog(slot), dialog(*index));
                prop_assert!(positions[slot].is_some() || slot == *index);
            }
            for dialog in [None, Some("d0"), Some("d1"), Some("d2")] {
                let dialog = dialog.map(|name| DialogId::new(name).unwrap());
                let numbers: Vec<_> = order
                    .iter()
                    .filter_map(|index| positions[*index].as_ref().filter(|position| position.dialog() == dialog.as_ref()).map(|position| (position.rank(), *index)))
                    .collect();
                prop_assert!(numbers.is_sorted(), "equal numbers stay as they came: {:?}", numbers);
            }
        }
    }
}
