//! Makes queue messages of LiveEngage's notifications that fit into the queue.

use crate::{
    log_event,
    port::QueueMessage,
    queue_message::{Envelope, LARGEST_BODY, LiveEngageChange, Message, QueueIdentity, UnreadableNotification},
};
use connector_liveengage::id::AccountId;

/// Returns the queue message for an authentic body that can't be read, which the worker parks.
pub(super) fn unreadable(
    account: &AccountId,
    bytes: &[u8],
    envelope: Envelope,
) -> Result<QueueMessage, serde_json::Error> {
    let message = UnreadableNotification::new(envelope, account.clone(), bytes);
    if message.bytes.len() < bytes.len() {
        log_event!(WEBHOOK_TRUNCATED, correlation = %message.envelope.correlation, bytes = bytes.len());
    }
    Message::from(message).queued()
}

/// Returns the queue message for a change. A change that is too large for the queue goes without its content, or is parked: after a 500
/// LiveEngage would send it again for days and hold back every other event in the meantime, and it would never fit.
pub(super) fn fitting(change: &LiveEngageChange) -> Result<QueueMessage, serde_json::Error> {
    let queued = change.queued()?;
    if queued.body.len() <= LARGEST_BODY {
        return Ok(queued);
    }
    log_event!(CHANGE_TOO_LARGE, correlation = %change.envelope().correlation, bytes = queued.body.len());
    if let Some(smaller) = change.without_content() {
        // Keep the ids of the whole change, so that a repetition of it is recognized.
        let QueueMessage { body, .. } = smaller.queued()?;
        if body.len() <= LARGEST_BODY {
            return Ok(QueueMessage { body, ..queued });
        }
    }
    unreadable(change.account(), change.json().to_string().as_bytes(), change.envelope().clone())
}
