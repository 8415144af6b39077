//! Changing a consumer's record.

use crate::{
    app::error::DeliveryError,
    domain::{
        conversation::{Consumer, Mutation},
        delivery::ConsumerRef,
        id::AccountId,
    },
    port::{Consumers, Saved},
};

/// How often a save is tried when others write the same record: they are one webhook worker and one inbound worker at most.
pub(super) const SAVE_ATTEMPTS: usize = 5;

/// Changes a consumer's record over its newest version, again when somebody else was faster.
///
/// # Errors
/// [`DeliveryError::Contended`] after five times.
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
