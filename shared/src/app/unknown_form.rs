//! A queue message of a form that this version doesn't know.
//!
//! Functions are replaced one after the other, and rolled back so: an older worker can get what a newer entry point has queued. It
//! waits for a worker that can read it before it is kept for a person. Its group waits with it, so that nothing overtakes it.

use jiff::SignedDuration;
use serde::Deserialize;

use super::{
    delivery::{Attempt, Delivered, DeliveryContext, RetryLater, acquire, end, park_unreadable},
    error::DeliveryError,
    task::digest,
};
use crate::{domain::delivery::MessageKey, port::Messages};

/// How often such a message is looked at: for 15 minutes at the least, longer than a deployment and its roll-back take.
const LOOKS: u32 = 16;

/// The time between two looks.
const BETWEEN: SignedDuration = SignedDuration::from_mins(1);

const WHAT: &str = "a queue message of another form";

/// What every queue message of the connector has, whatever its version.
#[derive(Deserialize)]
struct Tagged {
    #[expect(dead_code, reason = "that it is there is what counts")]
    task: String,
}

/// Works on a queue message that can't be read: one of the connector's own waits, anything else is parked at once.
///
/// # Errors
/// [`RetryLater`] until it is parked.
pub(super) async fn wait_or_park(messages: &dyn Messages, attempt: &Attempt, task: &str) -> Result<(), RetryLater> {
    let mut context = DeliveryContext::of_any(task);
    if serde_json::from_str::<Tagged>(task).is_err() {
        return park_unreadable(messages, attempt, task, WHAT, context).await;
    }
    // The record of a message that a newer version has begun under a name that this one can't know is another one.
    let key = MessageKey::ByDigest { digest: digest([task.as_bytes()]) };
    let result = match acquire(messages, key.clone(), attempt, &mut context).await {
        Ok(None) => Ok(Delivered::Nothing("parked before")),
        Ok(Some((lease, _))) if context.attempts.is_none_or(|attempts| attempts < LOOKS) => {
            // The lease runs out by itself should this fail.
            let _ = messages.release(&lease, true, &context.uncertain).await;
            tracing::warn!(
                correlation = context.correlation,
                attempt = context.attempts,
                retry_in_s = BETWEEN.as_secs(),
                count = 1,
                "a queue message of a form that this version doesn't know: it waits for one that does"
            );
            return Err(RetryLater { after: BETWEEN });
        }
        Ok(Some(_)) => Err(DeliveryError::UnreadableTask { what: WHAT }),
        Err(error) => Err(error),
    };
    end(messages, &key, attempt, &context, task, result, None).await
}
