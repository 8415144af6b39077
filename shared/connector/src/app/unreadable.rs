//! Queue messages that can't be worked on: those that can't be read, and those that crash the worker.
//!
//! A deployment or rollback replaces the functions one after the other, so an older worker can get what a newer entry point has queued.
//! Such a message waits for a worker that can read it, and is parked only after several attempts. Its group waits with it, so that nothing
//! overtakes it.

use super::{
    delivery::{Attempt, Begin, Delivered, Delivery, DeliveryContext, DeliveryPorts, RetryLater},
    error::DeliveryError,
    policy::{MOST_CRASHES, MOST_VERSION_RECEIVES, VERSION_RECEIVE_INTERVAL},
};
use crate::{
    domain::{message_key::MessageKey, retry::wait_after},
    log_event,
    queue_message::{Received, Unread},
};

const OTHER_FORM: &str = "a queue message of another form";

/// Fails a message that can't be read, unless it was parked before.
///
/// # Errors
/// [`DeliveryError::UnreadableTask`], by which it is parked.
pub(super) async fn park_unreadable(
    what: &'static str,
    delivery: &mut Delivery<'_>,
) -> Result<Delivered, DeliveryError> {
    match delivery.begin().await? {
        Begin::DoneBefore => Ok(Delivered::Nothing("parked before")),
        Begin::Started => Err(DeliveryError::UnreadableTask { what }),
    }
}

/// Handles a queue message that this version can't read. A message of another version waits. Anything else is parked at once.
///
/// # Errors
/// [`RetryLater`] until it is parked.
pub(super) async fn wait_or_park(
    ports: DeliveryPorts<'_>,
    received: &Received,
    attempt: &Attempt,
) -> Result<(), RetryLater> {
    let Received { body, message } = received;
    // A newer version may use a key for the message that this version can't compute. So this record is a different one.
    let key = MessageKey::of_bytes(body.as_bytes());
    let mut delivery = Delivery::new(ports, attempt, key, body, DeliveryContext::of_any(body));
    let waits = !matches!(message, Err(Unread::Foreign));
    let result = match delivery.begin().await {
        Ok(Begin::DoneBefore) => Ok(Delivered::Nothing("parked before")),
        Ok(Begin::Started) if waits && delivery.attempts() < MOST_VERSION_RECEIVES => {
            let (correlation, attempt) = (delivery.context.correlation_text(), delivery.attempts());
            log_event!(MESSAGE_SCHEMA_UNKNOWN, correlation, attempt, retry_in_s = VERSION_RECEIVE_INTERVAL.as_secs());
            return Err(delivery.postpone(VERSION_RECEIVE_INTERVAL).await);
        }
        Ok(Begin::Started) => Err(DeliveryError::UnreadableTask { what: OTHER_FORM }),
        Err(error) => Err(error),
    };
    delivery.end(result).await
}

/// Counts a crash, and parks the message at the last one. The count has a record of its own, because the crashed attempt holds the lease on
/// the message's record.
///
/// # Errors
/// [`RetryLater`] until it is parked.
pub(super) async fn park_panicking(ports: DeliveryPorts<'_>, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
    let mut delivery = Delivery::new(ports, attempt, MessageKey::of_crashes(body), body, DeliveryContext::of_any(body));
    let result = match delivery.begin().await {
        Ok(Begin::DoneBefore) => Ok(Delivered::Nothing("parked before")),
        Ok(Begin::Started) if delivery.attempts() < MOST_CRASHES => {
            let after = wait_after(delivery.attempts(), None);
            return Err(delivery.postpone(after).await);
        }
        Ok(Begin::Started) => Err(DeliveryError::UnreadableTask { what: "the message (every attempt crashes)" }),
        Err(error) => Err(error),
    };
    delivery.end(result).await
}
