//! The evidence that webhooks were lost: a consumer's message that LiveEngage accepted, and whose echo has not come.

use jiff::{SignedDuration, Timestamp};

use super::Reconcile;
use crate::{
    app::error::DeliveryError,
    domain::{
        delivery::ConsumerRef,
        receipt::{Echo, InboundReceipt},
    },
};
use connector_liveengage::id::AccountId;

/// How long an echo may take: LiveEngage's webhook, the queue, and a worker that is busy.
const ECHO_WITHIN: SignedDuration = SignedDuration::from_mins(3);

/// How long echoes are kept is a day. A message that is nearly as old may have had one.
const ECHO_KEPT_FOR: SignedDuration = SignedDuration::from_hours(23);

impl Reconcile {
    /// Whether the echo of one of these consumers' last messages is missing, and no run has looked since.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(super) async fn is_suspicious(
        &self,
        account: &AccountId,
        consumers: &[ConsumerRef],
        reconciled_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, DeliveryError> {
        let ledger = &self.ports.ledger;
        for consumer in consumers {
            let last = ledger.last_inbound(consumer).await?.filter(|last| last.account == *account);
            let Some(last) = last.filter(|last| is_due(last.at, reconciled_at, now)) else { continue };
            if is_missing(&last, &ledger.echoes(account, &last.dialog).await?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the echo of a message that was accepted at `at` would be evidence if it were missing: it should be here, it is still kept, and the
/// last run was too early for it.
fn is_due(at: Timestamp, reconciled_at: Option<Timestamp>, now: Timestamp) -> bool {
    let age = now.duration_since(at);
    let was_covered = reconciled_at.is_some_and(|run| run.duration_since(at) >= ECHO_WITHIN);
    age >= ECHO_WITHIN && age < ECHO_KEPT_FOR && !was_covered
}

/// Whether no echo of this message, or of a later one, is among those of its dialog.
fn is_missing(last: &InboundReceipt, echoes: &[Echo]) -> bool {
    !echoes.iter().any(|echo| echo.sequence >= last.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn an_echo_is_due_after_three_minutes_until_it_may_be_deleted_and_once_per_run() {
        for (accepted, reconciled, now, due) in [
            (0, None, 2, false),
            (0, None, 3, true),
            (0, None, 23 * 60 - 1, true),
            (0, None, 23 * 60, false),
            (0, Some(2), 20, true),
            (0, Some(3), 20, false),
            (10, Some(3), 20, true),
        ] {
            let is_due = is_due(at(accepted), reconciled.map(at), at(now));
            assert_eq!(is_due, due, "accepted {accepted}, reconciled {reconciled:?}, now {now}");
        }
    }
}
