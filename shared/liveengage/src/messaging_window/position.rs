//! Where to resume, and which events are copies.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{DialogId, Sequence};

/// The events that a client has seen, by dialog. After a reconnection it subscribes from [`resume_from`](Self::resume_from) on, and ignores
/// the copies.
///
/// Numbers may arrive out of order, and some never arrive: the consumer doesn't see agents' private messages. Then all that follows such a
/// gap is asked for again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialogPositions(BTreeMap<DialogId, Seen>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    /// All numbers below this one have arrived.
    next: u64,
    /// Later numbers that have arrived.
    ahead: BTreeSet<u64>,
}

impl DialogPositions {
    /// Records an event. Returns whether it is new.
    pub fn record(&mut self, dialog: &DialogId, Sequence(sequence): Sequence) -> bool {
        let seen = self.0.entry(dialog.clone()).or_default();
        if sequence < seen.next || !seen.ahead.insert(sequence) {
            return false;
        }
        while seen.ahead.remove(&seen.next) {
            seen.next = seen.next.saturating_add(1);
        }
        true
    }

    /// The number from which on the events of a dialog are still missing: `fromSeq` of the next subscription. 0 for a new dialog.
    pub fn resume_from(&self, dialog: &DialogId) -> Sequence {
        Sequence(self.0.get(dialog).map_or(0, |seen| seen.next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_is_asked_for_again_and_copies_are_known() {
        let dialog = DialogId::new("d-1").unwrap();
        let mut positions = DialogPositions::default();
        assert_eq!(positions.resume_from(&dialog), Sequence(0));
        assert!(positions.record(&dialog, Sequence(0)));
        assert!(positions.record(&dialog, Sequence(2)));
        assert_eq!(positions.resume_from(&dialog), Sequence(1));
        assert!(!positions.record(&dialog, Sequence(2)));
        assert!(positions.record(&dialog, Sequence(1)));
        assert_eq!(positions.resume_from(&dialog), Sequence(3));
        assert!(!positions.record(&dialog, Sequence(0)));
        let other = DialogId::new("survey").unwrap();
        assert!(positions.record(&other, Sequence(0)), "each dialog counts by itself");
    }

    proptest! {
        #[test]
        fn every_event_is_new_exactly_once_in_any_order(
            events in proptest::collection::vec(0..20_u64, 0..80),
        ) {
            let dialog = DialogId::new("d-1").unwrap();
            let mut positions = DialogPositions::default();
            let mut seen = BTreeSet::new();
            for sequence in events {
                prop_assert_eq!(positions.record(&dialog, Sequence(sequence)), seen.insert(sequence));
                let missing = (0..).find(|number| !seen.contains(number)).unwrap();
                prop_assert_eq!(positions.resume_from(&dialog), Sequence(missing));
            }
        }
    }
}
