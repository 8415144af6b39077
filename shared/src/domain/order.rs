//! The order of a dialog's events where they come in another one: by their numbers.
//!
//! LiveEngage sends the events of a conversation one after the other, but for the seconds in which an app install recovers from failed
//! webhooks: then a new event waits 4 s for the stored ones before it, and goes ahead of them after that (Connector API, Retry policy).
//! So an event that overtakes others is always late itself. One that is late waits for another moment, and what has come by then is
//! worked on by number. The wait is counted from when the event came and never from another one: it can't last.

use jiff::{SignedDuration, Timestamp};

use super::id::{DialogId, Sequence};

/// How old an event must be when it comes, to be one that may have overtaken others.
pub const LATE: SignedDuration = SignedDuration::from_secs(3);

/// How long such an event waits for those that it may have overtaken, counted from when it came.
pub const WAIT: SignedDuration = SignedDuration::from_secs(3);

/// How long an event of this time that came at `accepted_at` still has to wait at `now`; `None` when it may go.
///
/// An event without a time never waits. `paced` shortens [`LATE`] and [`WAIT`] for a lab that is faster.
pub fn wait(
    event_time: Option<Timestamp>,
    accepted_at: Timestamp,
    now: Timestamp,
    paced: impl Fn(SignedDuration) -> SignedDuration,
) -> Option<SignedDuration> {
    let age = accepted_at.duration_since(event_time?);
    let left = paced(WAIT) - now.duration_since(accepted_at);
    (age >= paced(LATE) && left > SignedDuration::ZERO).then_some(left.min(paced(WAIT)))
}

/// The place of an event: what is compared, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Numbers are compared within a dialog only.
    pub dialog: DialogId,
    /// The number.
    pub sequence: Sequence,
}

/// The order in which the messages of one queue group are worked on, as their present indices.
///
/// Those of one dialog go by number, on the places that they have together; whatever has no place stays where it is.
pub fn by_number(places: &[Option<Place>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    let mut dialogs: Vec<&DialogId> = places.iter().flatten().map(|place| &place.dialog).collect();
    dialogs.sort_unstable();
    dialogs.dedup();
    for dialog in dialogs {
        let numbered = |index: usize| {
            let place = places.get(index)?.as_ref().filter(|place| place.dialog == *dialog)?;
            Some((place.sequence, index))
        };
        let slots: Vec<usize> = (0..places.len()).filter(|index| numbered(*index).is_some()).collect();
        let mut sorted: Vec<_> = slots.iter().filter_map(|index| numbered(*index)).collect();
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
        let wait = |event, now| wait(Some(at(event)), at(10_000), at(now), |time| time);
        assert_eq!(wait(9_900, 10_001), None, "as ever");
        assert_eq!(wait(7_001, 10_001), None);
        assert_eq!(wait(7_000, 10_000), Some(SignedDuration::from_secs(3)));
        assert_eq!(wait(0, 12_999), Some(SignedDuration::from_millis(1)));
        assert_eq!(wait(0, 13_000), None);
        assert_eq!(super::wait(None, at(10_000), at(10_000), |time| time), None);
        assert_eq!(super::wait(Some(at(9_000)), at(10_000), at(10_000), |time| time / 3), Some(WAIT / 3));
        assert_eq!(wait(0, 0), Some(WAIT), "a clock that is behind makes it no longer");
    }

    fn places() -> impl Strategy<Value = Vec<Option<Place>>> {
        let place = (0..3u8, 0..12u64).prop_map(|(dialog, sequence)| Place {
            dialog: DialogId::new(format!("d{dialog}")).unwrap(),
            sequence: Sequence(sequence),
        });
        proptest::collection::vec(proptest::option::weighted(0.8, place), 0..11)
    }

    proptest! {
        #[test]
        fn every_message_is_worked_on_once_each_dialog_by_number_and_the_rest_in_its_place(places in places()) {
            let order = by_number(&places);
            let mut indices = order.clone();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..places.len()).collect::<Vec<_>>());
            for (slot, index) in order.iter().enumerate() {
                // A dialog's events take its own places only, and nothing else moves.
                let dialog = |at: usize| places[at].as_ref().map(|place| &place.dialog);
                prop_assert_eq!(dialog(slot), dialog(*index));
                prop_assert!(places[slot].is_some() || slot == *index);
            }
            for dialog in 0..3u8 {
                let name = format!("d{dialog}");
                let numbers: Vec<_> = order
                    .iter()
                    .filter_map(|index| places[*index].as_ref().filter(|place| place.dialog.as_str() == name).map(|place| (place.sequence, *index)))
                    .collect();
                prop_assert!(numbers.is_sorted(), "equal numbers stay as they came: {:?}", numbers);
            }
        }
    }
}
