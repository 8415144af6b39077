//! Whether a step of a message may be done although it isn't recorded, and whether the message is resent then.

use connector_liveengage::messaging::DialogRef;

/// Whether earlier attempts have done the next step already. It is uncertain after a call without an answer, and after an attempt that
/// was stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UncertainOutcome {
    /// How many attempts may have done it. 0 if none can have.
    pub attempts: u32,
    /// How many of them, since an operator resent the message, got an answer that hardly ever follows a call that was carried out.
    pub unlikely: u32,
    /// Where they were about to publish, as far as it is known. An attempt that was stopped has recorded nothing.
    pub dialogs: Vec<DialogRef>,
    /// How many of them happened before an operator resent the parked message.
    pub accepted: u32,
    /// How many steps were done before it. `None` if that isn't known.
    pub steps: Option<usize>,
}

/// How likely it is that a call was carried out although it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarriedOut {
    /// There was no answer, or the server failed.
    Possibly,
    /// The answer says that the request was not processed (503, 408). A proxy can give this answer after it has forwarded the request.
    Unlikely,
}

impl UncertainOutcome {
    /// The most attempts with an uncertain outcome, whatever the setting. A receiver that carries out every call and always fails to answer
    /// gets at most this many copies.
    pub const MOST_OPEN: u32 = 10;

    /// The most dialogs that are kept. Each is of one attempt, after which a new conversation was opened.
    const MOST_DIALOGS: usize = 8;

    /// Returns a certain outcome of the step after this many steps.
    pub fn none_after(steps: usize) -> Self {
        Self { steps: Some(steps), ..Self::default() }
    }

    /// Returns the outcome that is still uncertain when this many steps are recorded. A step can be recorded although the table's answer
    /// was lost. Then it is done, and the next one is certain.
    #[must_use]
    pub fn after(self, steps: usize) -> Self {
        if self.steps.is_some_and(|known| known != steps) { Self::default() } else { self }
    }

    /// Whether the outcome is uncertain.
    pub const fn exists(&self) -> bool {
        self.attempts > 0
    }

    /// Whether an operator has resent the message after it was parked with an uncertain outcome.
    pub const fn is_resent(&self) -> bool {
        self.accepted > 0
    }

    /// Returns the outcome for a message that is parked now: if it is delivered again, an operator wants that.
    #[must_use]
    pub fn parked(&self) -> Self {
        Self { accepted: self.attempts, unlikely: 0, ..self.clone() }
    }

    /// Adds an attempt that may have done it, in this dialog if that is known.
    pub fn add(&mut self, carried_out: CarriedOut, dialog: Option<DialogRef>) {
        self.attempts = self.attempts.saturating_add(1);
        self.unlikely = self.unlikely.saturating_add(u32::from(carried_out == CarriedOut::Unlikely));
        if let Some(dialog) = dialog
            && !self.dialogs.contains(&dialog)
            && self.dialogs.len() < Self::MOST_DIALOGS
        {
            self.dialogs.push(dialog);
        }
    }
}

/// What a line does about an [`UncertainOutcome`] without proof: the setting `on_uncertain`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUncertain {
    /// Resends the message, up to [`UncertainOutcome::MOST_OPEN`] times. For lines that prefer duplicates to losses.
    Repeat,
    /// Sends the message once more. If that is uncertain, too, the message is parked and its sender told. Attempts that were
    /// [hardly](CarriedOut::Unlikely) carried out count only towards [`UncertainOutcome::MOST_OPEN`].
    #[default]
    RepeatOnce,
    /// Parks the message with a notice to its sender. For lines that prefer losses to duplicates.
    Park,
}

impl OnUncertain {
    /// Whether the message may be resent.
    pub const fn repeats(self, uncertain: &UncertainOutcome) -> bool {
        let open = uncertain.attempts.saturating_sub(uncertain.accepted);
        match self {
            Self::Repeat => open < UncertainOutcome::MOST_OPEN,
            Self::RepeatOnce => open < UncertainOutcome::MOST_OPEN && open.saturating_sub(uncertain.unlikely) <= 1,
            Self::Park => open == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_liveengage::id::{ConversationId, DialogId};

    #[test]
    fn a_line_repeats_an_uncertain_message_as_often_as_its_setting_says() {
        let mut uncertain = UncertainOutcome::default();
        for (attempts, once, park) in [(0, true, true), (1, true, false), (2, false, false)] {
            assert_eq!(uncertain.attempts, attempts);
            assert!(OnUncertain::Repeat.repeats(&uncertain));
            assert_eq!(OnUncertain::RepeatOnce.repeats(&uncertain), once, "{attempts}");
            assert_eq!(OnUncertain::Park.repeats(&uncertain), park, "{attempts}");
            uncertain.add(CarriedOut::Possibly, None);
        }
        let mut parked = uncertain.parked();
        assert!(OnUncertain::Park.repeats(&parked), "an operator has decided");
        assert!(parked.exists(), "and proof still counts");
        parked.add(CarriedOut::Possibly, None);
        assert!(!OnUncertain::Park.repeats(&parked), "for once");
    }

    #[test]
    fn a_503_counts_only_toward_the_bound_of_every_setting() {
        let mut uncertain = UncertainOutcome::default();
        for open in 0..UncertainOutcome::MOST_OPEN {
            assert_eq!(uncertain.exists(), open > 0, "proof is looked for");
            assert!(OnUncertain::RepeatOnce.repeats(&uncertain), "{open}");
            assert_eq!(OnUncertain::Park.repeats(&uncertain), open == 0, "{open}");
            uncertain.add(CarriedOut::Unlikely, None);
        }
        for setting in [OnUncertain::Repeat, OnUncertain::RepeatOnce, OnUncertain::Park] {
            assert!(!setting.repeats(&uncertain), "{setting:?}");
            assert!(setting.repeats(&uncertain.parked()), "{setting:?}: an operator has decided");
        }
    }

    #[test]
    fn a_503_does_not_use_up_the_one_repetition() {
        let mut uncertain = UncertainOutcome::default();
        uncertain.add(CarriedOut::Unlikely, None);
        uncertain.add(CarriedOut::Possibly, None);
        uncertain.add(CarriedOut::Unlikely, None);
        assert!(OnUncertain::RepeatOnce.repeats(&uncertain));
        uncertain.add(CarriedOut::Possibly, None);
        assert!(!OnUncertain::RepeatOnce.repeats(&uncertain));
    }

    #[test]
    fn an_uncertain_outcome_stays_small_after_many_attempts() {
        let mut uncertain = UncertainOutcome::default();
        let place = |n: u32| {
            let name = format!("c{n}");
            DialogRef { conversation: ConversationId::new(&name).unwrap(), dialog: DialogId::new(&name).unwrap() }
        };
        for n in 0..200 {
            uncertain.add(CarriedOut::Possibly, Some(place(n)));
            uncertain.add(CarriedOut::Possibly, Some(place(n)));
        }
        assert_eq!((uncertain.attempts, uncertain.dialogs), (400, (0..8).map(place).collect::<Vec<_>>()));
    }
}
