//! What becomes of what was sent again.

use std::collections::HashMap;

use super::{ParkedPlan, RedriveOutcome, Redriven};
use crate::port::{ParkedMessages, StoreError};

/// Looks once at what has become of what was sent: each that a worker is through with is settled, or parked again.
///
/// # Errors
/// [`StoreError`]; what was learnt until then is noted.
pub async fn settle(
    plan: &ParkedPlan,
    redriven: &mut [Redriven],
    store: &dyn ParkedMessages,
) -> Result<(), StoreError> {
    let mut through = Vec::new();
    for (index, one) in redriven.iter().enumerate().filter(|(_, one)| one.outcome == RedriveOutcome::Sent) {
        let Some(planned) = plan.messages.iter().find(|planned| planned.id == one.id) else { continue };
        if store.is_settled(&planned.parked.message).await? {
            through.push((index, &planned.parked.message));
        }
    }
    if through.is_empty() {
        return Ok(());
    }
    // Read afterwards: parking a message settles it in one transaction.
    let parked = store.parked().await?.messages;
    let again: HashMap<_, _> = parked.iter().map(|item| (&item.message, &item.parked.reason)).collect();
    for (index, message) in through {
        if let Some(one) = redriven.get_mut(index) {
            let reason = again.get(message);
            one.outcome =
                reason.map_or(RedriveOutcome::Settled, |reason| RedriveOutcome::ParkedAgain((*reason).clone()));
        }
    }
    Ok(())
}
