//! The lease of something that isn't a queue message.

use super::{Attempt, DeliveryError};
use crate::{
    domain::{
        delivery::{Acquired, Lease},
        uncertain::UncertainOutcome,
    },
    port::Messages,
};

/// The lease of something that only one message may do within some time: asking a consumer for a rating, for example.
pub(in crate::app) struct Claim<'a> {
    pub(super) messages: &'a dyn Messages,
    pub(super) lease: Lease,
}

/// The result of [`Claim::acquire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Claimed {
    /// The caller has the lease and must do it.
    Ours,
    /// Another message is doing it, or has done it.
    Others,
}

impl Claim<'_> {
    /// Acquires the lease.
    ///
    /// # Errors
    /// [`DeliveryError::Store`]. Then the lease is not held.
    pub(in crate::app) async fn acquire(&self, attempt: &Attempt) -> Result<Claimed, DeliveryError> {
        match self.messages.acquire(&self.lease, attempt.now, attempt.deadline).await {
            Ok(Acquired::Started { .. }) => Ok(Claimed::Ours),
            Ok(Acquired::Done | Acquired::Busy { .. }) => Ok(Claimed::Others),
            Err(error) => {
                // The table may have given the lease. Then the next attempt would leave it to an attempt that has ended.
                let _ = self.messages.abandon(&self.lease).await;
                Err(error.into())
            }
        }
    }

    /// Records that it is done.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(in crate::app) async fn complete(&self) -> Result<(), DeliveryError> {
        Ok(self.messages.complete(&self.lease, None).await?)
    }

    /// Releases the lease, because it was not done. A failure is ignored: the lease ends by itself.
    pub(in crate::app) async fn release(&self) {
        let _ = self.messages.release(&self.lease, true, &UncertainOutcome::default()).await;
    }
}
