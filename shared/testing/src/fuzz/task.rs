//! The messages in the queues.

use serde_json::Value;

use super::input::{canary, documents, hides, with_texts};
use connector::queue_message::wire::{decode, encode};

const WORDS: &str = "\
    task channel_event_v1 reports_v1 undelivered_v1 unreadable_message_v1 liveengage_change_v1 unreadable_notification_v1 announcement_v1 \
    notice_v1 line sms-main correlation r-1 accepted_at 2026-03-04T05:06:07Z first_accepted_at event id user \
    at content person kind text media location contact choice report typing unsupported status delivered \
    failed code messages conversation dialog sequence reason account notification \
    ms.MessagingEventNotification change body name reference content_type caption place latitude longitude \
    title message label phones";

/// The names of the fields with people's words.
const TEXTS: &str = "\
    text reference caption name user_name phone address title user body";

/// Input: the body of a queue message.
///
/// Checks that a message that was read is written and read back as itself, in characters that SQS accepts, and that its `Debug` shows no
/// text.
pub fn queue_task(data: &[u8]) {
    for document in documents(data, WORDS) {
        read_back(&String::from_utf8_lossy(&document));
    }
}

/// Checks one document.
pub(super) fn read_back(document: &str) {
    let Ok(message) = decode(document) else { return };
    let body = encode(&message).unwrap();
    assert!(!body.contains(['\u{fffe}', '\u{ffff}']));
    let again = decode(&body).unwrap();
    assert_eq!(again, message, "{body}");
    assert_eq!(encode(&again).unwrap(), body);
    let (identity, again) = (message.identity(), again.identity());
    assert_eq!(
        (identity.group(), identity.deduplication_id(), identity.key()),
        (again.group(), again.deduplication_id(), again.key())
    );

    let canary = canary(document.as_bytes());
    let spoiled = with_texts(&serde_json::from_str::<Value>(document).unwrap(), TEXTS, &canary);
    if let Ok(message) = decode(&spoiled.to_string()) {
        hides(&format!("{message:?}"), &canary);
    }
}
