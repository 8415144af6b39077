//! Restores the order of events: LiveEngage's by their numbers, a consumer's by the channel's time.
//!
//! LiveEngage sends the events of a conversation one after the other, except for the seconds in which an app install recovers from failed
//! webhooks: then a new event waits 4 s for the stored ones before it, and after that goes ahead of them (Connector API, Retry policy). So
//! an event that overtakes others is always late itself. A late event waits a little longer, and the events that have come by then are
//! handled by number. The wait starts when the event itself came, so later events can't prolong it.
//!
//! Channels don't number messages and guarantee no order: an album's pictures are several webhooks, handled by several environments. No
//! message waits for others that may still come. Only the messages of one batch are sorted by time.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use connector_liveengage::id::{DialogId, Sequence};

/// How old an event must be on arrival to count as one that may have overtaken others.
pub const LATE: SignedDuration = SignedDuration::from_secs(3);

/// How long such an event waits for those that it may have overtaken, from its arrival.
pub const WAIT: SignedDuration = SignedDuration::from_secs(3);

/// Whether an event with this time that came at `accepted_at` is late, without regard to the difference between LivePerson's clock and
/// ours.
pub fn looks_late(event_time: Option<Timestamp>, accepted_at: Timestamp, late: SignedDuration) -> bool {
    event_time.is_some_and(|at| accepted_at.duration_since(at) >= late)
}

/// Returns how long an event with this time that came at `accepted_at` must still wait at `now`. `None`: not at all.
///
/// `clock_behind` is the least time that the clock of the event's time is behind ours. It is subtracted from the event's age. An event that
/// is younger proves the value wrong, so then it is ignored. An event without a time never waits. `paced` shortens [`LATE`] and [`WAIT`]
/// for a lab with a faster time scale.
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

/// The position of an event in its dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPosition {
    /// The dialog. Numbers of different dialogs are not comparable.
    pub dialog: DialogId,
    /// The number.
    pub sequence: Sequence,
}

/// The position of a message among those of its queue group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// Unknown, because another version of the connector has queued the message. It can come before or after any other.
    OfOtherVersion,
    /// By LiveEngage's number.
    Numbered(EventPosition),
    /// By the channel's time. A message that was received more often comes first: it may be partly sent, and a new message must not appear
    /// in the middle of it.
    Timed {
        /// When the consumer sent it.
        at: Timestamp,
        /// How often the queue has delivered the message.
        received: u32,
    },
}

impl Position {
    const fn dialog(&self) -> Option<&DialogId> {
        match self {
            Self::Numbered(position) => Some(&position.dialog),
            Self::Timed { .. } | Self::OfOtherVersion => None,
        }
    }

    /// Returns the sort key within the dialog or among the consumer's messages. `None` if the message is not sorted.
    fn rank(&self) -> Option<(Reverse<u32>, i128)> {
        match self {
            Self::Numbered(position) => Some((Reverse(0), position.sequence.0.into())),
            Self::Timed { at, received } => Some((Reverse(*received), at.as_nanosecond())),
            Self::OfOtherVersion => None,
        }
    }
}

/// Returns the order in which to handle the messages of one queue group, as indices into `positions`.
///
/// The messages of one dialog are sorted by number and the consumer's by time, each within the slots that they occupy together. A message
/// without a position keeps its slot. A message of another version keeps it, too, and nothing is moved from one side of it to the other.
pub fn sorted(positions: &[Option<Position>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(positions.len());
    for run in positions.split_inclusive(|position| matches!(position, Some(Position::OfOtherVersion))) {
        let first = order.len();
        order.extend(sorted_run(run).into_iter().map(|index| first + index));
    }
    order
}

/// Returns the order of messages of which only the last can be of another version.
fn sorted_run(positions: &[Option<Position>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    let mut dialogs: Vec<Option<&DialogId>> = positions.iter().flatten().map(Position::dialog).collect();
    dialogs.sort_unstable();
    dialogs.dedup();
    for dialog in dialogs {
        let ranked = |index: usize| {
            let position = positions.get(index)?.as_ref().filter(|position| position.dialog() == dialog)?;
            Some((position.rank()?, index))
        };
        let slots: Vec<usize> = (0..positions.len()).filter(|index| ranked(*index).is_some()).collect();
        let mut sorted: Vec<_> = slots.iter().filter_map(|index| ranked(*index)).collect();
        sorted.sort_unstable();
        for (slot, (_, index)) in slots.into_iter().zip(sorted) {
            if let Some(entry) = order.get_mut(slot) {
                *entry = index;
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
            Just(Position::OfOtherVersion),
        ];
        proptest::collection::vec(proptest::option::weighted(0.8, position), 0..11)
    }

    #[test]
    fn a_consumers_messages_are_sorted_by_time_after_those_that_may_be_partly_sent() {
        let order = |positions: &[(i64, u32)]| {
            let timed = |(ms, received): &(i64, u32)| Some(Position::Timed { at: at(*ms), received: *received });
            sorted(&positions.iter().map(timed).collect::<Vec<_>>())
        };
        assert_eq!(order(&[(3, 1), (1, 1), (2, 1)]), [1, 2, 0]);
        assert_eq!(order(&[(1, 1), (1, 1)]), [0, 1], "at one time as they came");
        assert_eq!(order(&[(3, 2), (2, 2), (1, 1)]), [1, 0, 2], "the order of the first attempt stays");
    }

    #[test]
    fn each_dialog_is_sorted_by_itself() {
        let numbered = |(dialog, sequence): (&str, u64)| {
            let (dialog, sequence) = (DialogId::new(dialog).unwrap(), Sequence(sequence));
            Some(Position::Numbered(EventPosition { dialog, sequence }))
        };
        assert_eq!(sorted(&[("main", 9), ("survey", 2), ("main", 8), ("survey", 1)].map(numbered)), [2, 3, 0, 1]);
        let among_others =
            [numbered(("main", 9)), Some(Position::Timed { at: at(1), received: 1 }), numbered(("main", 8))];
        assert_eq!(sorted(&among_others), [2, 1, 0]);
    }

    proptest! {
        #[test]
        fn every_message_is_worked_on_once_each_dialog_by_number_and_the_rest_in_its_place(positions in positions()) {
            let order = sorted(&positions);
            let mut indices = order.clone();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..positions.len()).collect::<Vec<_>>());
            let is_barrier = |index: &usize| positions[*index] == Some(Position::OfOtherVersion);
            for (slot, index) in order.iter().enumerate() {
                // A dialog's events stay within the dialog's slots, and nothing else moves.
                let dialog = |at: usize| positions[at].as_ref().map(Position::dialog);
                prop_assert_eq!(dialog(slot), dialog(*index));
                prop_assert!(positions[slot].is_some() || slot == *index);
                let between = slot.min(*index)..=slot.max(*index);
                prop_assert!(slot == *index || !between.into_iter().any(|at| is_barrier(&at)), "moved past another version's");
            }
            for run in order.split(is_barrier) {
                for dialog in [None, Some("d0"), Some("d1"), Some("d2")] {
                    let dialog = dialog.map(|name| DialogId::new(name).unwrap());
                    let of_dialog = |index: &usize| {
                        let position = positions[*index].as_ref().filter(|position| position.dialog() == dialog.as_ref())?;
                        Some((position.rank()?, *index))
                    };
                    let numbers: Vec<_> = run.iter().filter_map(of_dialog).collect();
                    prop_assert!(numbers.is_sorted(), "equal numbers stay as they came: {:?}", numbers);
                }
            }
        }
    }
}
