//! Changes a consumer's record.

use crate::{
    app::{error::DeliveryError, policy::SAVE_ATTEMPTS},
    domain::{
        conversation::{Consumer, Mutation},
        delivery::ConsumerRef,
    },
    port::{Consumers, Saved},
};
use connector_liveengage::id::AccountId;

/// Changes the newest version of a consumer's record, and retries if another writer was faster.
///
/// # Errors
/// [`DeliveryError::Contended`] after five tries.
pub(in crate::app) async fn update(
    consumers: &dyn Consumers,
    who: &ConsumerRef,
    account: impl Fn() -> AccountId,
    change: impl Fn(&mut Consumer) -> Mutation,
) -> Result<Consumer, DeliveryError> {
    for _ in 0..SAVE_ATTEMPTS {
        let mut consumer = consumers
            .consumer(who)
            .await?
            .unwrap_or_else(|| Consumer::new(who.line.clone(), who.user.clone(), account()));
        if change(&mut consumer) == Mutation::Unchanged {
            return Ok(consumer);
        }
        if consumers.save_consumer(&consumer).await? == Saved::Saved {
            consumer.version += 1;
            return Ok(consumer);
        }
    }
    Err(DeliveryError::Contended)
}
