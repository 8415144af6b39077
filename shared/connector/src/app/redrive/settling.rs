//! Finds out what happened to messages that were resent.

use std::collections::HashMap;

use super::{ParkedPlan, RedriveOutcome, Redriven};
use crate::port::{ParkedMessages, StoreError};

/// Checks once whether workers have finished with the messages that were sent, and updates their outcomes: settled or parked again.
///
/// # Errors
/// [`StoreError`].
pub async fn settle(
    plan: &ParkedPlan,
    redriven: &mut [Redriven],
    store: &dyn ParkedMessages,
) -> Result<(), StoreError> {
    let mut finished = Vec::new();
    for (index, one) in redriven.iter().enumerate().filter(|(_, one)| one.outcome == RedriveOutcome::Sent) {
        let Some(planned) = plan.messages.iter().find(|planned| planned.id == one.id) else { continue };
        if store.is_settled(&planned.parked.message).await? {
            finished.push((index, &planned.parked.message));
        }
    }
    if finished.is_empty() {
        return Ok(());
    }
    // Read the parked messages afterwards, because parking a message settles it in the same transaction.
    let parked = store.parked().await?.messages;
    let again: HashMap<_, _> = parked.iter().map(|item| (&item.message, &item.parked.reason)).collect();
    for (index, message) in finished {
        if let Some(one) = redriven.get_mut(index) {
            let reason = again.get(message);
            one.outcome =
                reason.map_or(RedriveOutcome::Settled, |reason| RedriveOutcome::ParkedAgain((*reason).clone()));
        }
    }
    Ok(())
}
