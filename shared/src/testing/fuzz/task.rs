//! What travels through the queues.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::input::{canary, documents, hides, with_texts};
use crate::app::task::{ToChannel, ToLiveEngage, to_body};

const WORDS: &str = "\
    task channel_event_v1 reports_v1 undelivered_v1 unreadable_message_v1 liveengage_change_v1 unreadable_notification_v1 said_v1 \
    notice_v1 line sms-main correlation r-1 accepted_at 2026-03-04T05:06:07Z first_accepted_at event id user \
    at content person kind text media location contact choice report typing unsupported status delivered \
    failed code messages conversation dialog sequence reason account notification \
    ms.MessagingEventNotification change body name reference content_type caption place latitude longitude \
    title message label phones";

/// Where words of people are.
const TEXTS: &str = "\
    text reference caption name user_name phone address title user body";

/// The body of a queue message.
///
/// A task that was read is written and read back as itself, in characters that SQS takes, and its `Debug` shows no text.
pub fn queue_task(data: &[u8]) {
    for document in documents(data, WORDS) {
        read_back::<ToLiveEngage>(&document);
        read_back::<ToChannel>(&document);
    }
}

/// The same for one document, as a task of one queue.
pub(super) fn read_back<T: Serialize + DeserializeOwned + Debug + PartialEq>(document: &[u8]) {
    let Ok(task) = serde_json::from_slice::<T>(document) else { return };
    let body = to_body(&task).unwrap();
    assert!(!body.contains(['\u{fffe}', '\u{ffff}']));
    let again: T = serde_json::from_str(&body).unwrap();
    assert_eq!(again, task, "{body}");
    assert_eq!(to_body(&again).unwrap(), body);

    let canary = canary(document);
    let spoiled = with_texts(&serde_json::from_slice::<Value>(document).unwrap(), TEXTS, &canary);
    if let Ok(task) = serde_json::from_value::<T>(spoiled) {
        hides(&format!("{task:?}"), &canary);
    }
}
