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
    let new = || Consumer::new(who.line.clone(), who.user.clone(), account());
    update_from(consumers.consumer(who).await?.unwrap_or_else(new), consumers, change).await
}

/// Like [`update`], for a record that was just read, or a new one.
///
/// # Errors
/// [`DeliveryError::Contended`] after five tries.
pub(in crate::app) async fn update_from(
    read: Consumer,
    consumers: &dyn Consumers,
    change: impl Fn(&mut Consumer) -> Mutation,
) -> Result<Consumer, DeliveryError> {
    let (line, user, account) = (read.line.clone(), read.user.clone(), read.account.clone());
    let who = ConsumerRef { line: line.clone(), user: user.clone() };
    let (mut read, mut consumer) = (read.clone(), read);
    for _ in 0..SAVE_ATTEMPTS {
        if change(&mut consumer) == Mutation::Unchanged {
            return Ok(consumer);
        }
        if consumers.save_consumer(&consumer, &consumer.pointers_beyond(&read)).await? == Saved::Saved {
            consumer.version += 1;
            return Ok(consumer);
        }
        let new = || Consumer::new(line.clone(), user.clone(), account.clone());
        read = consumers.consumer(&who).await?.unwrap_or_else(new);
        consumer.clone_from(&read);
    }
    Err(DeliveryError::Contended)
}
