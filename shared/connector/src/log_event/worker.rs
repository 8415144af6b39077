//! The events of a message's delivery, in either direction.

use super::{Dimension, Metric, events};

const WORKERS: &[&str] = &["to-liveengage", "to-channel"];
const TO_CHANNEL: &[&str] = &["to-channel"];
const TO_LIVEENGAGE: &[&str] = &["to-liveengage"];

events! {
    WORKER_EVENTS:
    /// A message, a file, a channel's report or a failure notice reached the other side.
    MESSAGE_DELIVERED = INFO "message.delivered" "delivered" {
        functions: WORKERS, fields: ["correlation", "line", "conversation", "waited_ms", "attempt"],
        metrics: [
            Metric::records("Delivered", Dimension::LINE),
            Metric::sum("AgeAtDelivery", "waited_ms", "Milliseconds", Dimension::LINE),
        ]
    }
    /// There was nothing to deliver; `reason` says why, such as `echo`.
    MESSAGE_SKIPPED = DEBUG "message.skipped" "nothing to deliver" {
        functions: WORKERS, fields: ["correlation", "line", "conversation", "reason"]
    }
    /// The message was delivered or parked by an earlier attempt.
    MESSAGE_DUPLICATE = DEBUG "message.duplicate" "message already handled" {
        functions: WORKERS, fields: ["correlation", "line"]
    }
    /// The attempt failed, and another one follows in `retry_in_s` seconds.
    MESSAGE_RETRY_SCHEDULED = WARN "message.retry_scheduled" "not delivered yet: retry scheduled" {
        functions: WORKERS,
        fields: ["correlation", "line", "conversation", "error", "class", "attempt", "retry_in_s", "asked_s"],
        metrics: [Metric::records("Retries", Dimension::Field { name: "Class", field: "class", and_stack: false })]
    }
    /// Delivery was given up, and the message is kept in the table. Run `connector parked list`.
    MESSAGE_PARKED = ERROR "message.parked" "delivery given up: message parked" {
        functions: WORKERS, fields: ["correlation", "line", "conversation", "error"],
        metrics: [Metric::records("Parked", Dimension::LINE_AND_STACK)]
    }
    /// The table did not take the message that is to be parked. It stays in the queue and is tried again.
    MESSAGE_PARK_FAILED = ERROR "message.park_failed" "message not parked: it stays in the queue" {
        functions: WORKERS, fields: ["correlation", "line", "conversation", "error", "park_error"]
    }
    /// The queue did not take the notice about a message that is to be parked. The message stays in its queue and is tried again.
    NOTICE_NOT_QUEUED = ERROR "notice.not_queued" "failure notice not queued: message stays in the queue" {
        functions: WORKERS, fields: ["correlation", "line", "conversation", "error", "queue_error"]
    }
    /// Work on one message ended in a panic, which is a bug. The other messages of the batch go on. This one is tried again, and parked if it panics each time.
    MESSAGE_PANICKED = ERROR "message.panicked" "panic while working on a message" {
        functions: WORKERS, fields: ["correlation", "message_id"]
    }
    /// A newer version has put this message into the queue. It waits until that version works on it.
    MESSAGE_SCHEMA_UNKNOWN = WARN "message.schema_unknown" "queue message of an unknown schema version: waiting for a newer version" {
        functions: WORKERS, fields: ["correlation", "attempt", "retry_in_s"]
    }
    /// SQS did not set the time of the next attempt. The message comes when the queue's visibility timeout ends.
    MESSAGE_VISIBILITY_FAILED = WARN "message.visibility_failed" "time of the next attempt not set" {
        functions: WORKERS, fields: ["error"]
    }
    /// An earlier attempt reached LiveEngage, as its echo proves. The message isn't sent again.
    MESSAGE_FOUND_PUBLISHED = INFO "message.found_published" "earlier attempt reached LiveEngage: not sent again" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "conversation"]
    }
    /// An earlier attempt reached the channel, as its report proves. The message isn't sent again.
    MESSAGE_FOUND_ACCEPTED = INFO "message.found_accepted" "earlier attempt reached the channel: not sent again" {
        functions: TO_CHANNEL, fields: ["correlation", "line"]
    }
    /// The channel has reported on a message: `correlation` is the message's, `report` the report's.
    MESSAGE_REPORTED = INFO "message.reported" "channel reported on this message" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "status", "report"]
    }
    /// An event came late, and an earlier one of its dialog may still be on its way.
    EVENT_HELD_BACK = INFO "event.held_back" "event held back: an earlier one may still arrive" {
        functions: TO_CHANNEL, fields: ["correlation", "wait_ms"]
    }
    /// Calls of one kind fail for all consumers. They are held back, except for one trial at a time.
    BREAKER_OPENED = WARN "breaker.opened" "calls fail for everybody: held back" {
        functions: WORKERS, fields: ["key", "call"],
        metrics: [Metric::records("BreakerOpen", Dimension::Stack)]
    }
    /// Calls that were held back succeed again.
    BREAKER_CLOSED = INFO "breaker.closed" "calls succeed again: no longer held back" {
        functions: WORKERS, fields: ["key", "call"]
    }
    /// No table record says whose conversation this is. It is another channel's, and its texts aren't shown.
    CONVERSATION_NOT_OURS = WARN "conversation.not_ours" "conversation not ours: no owner recorded within 13 minutes" {
        functions: TO_CHANNEL, fields: ["correlation", "conversation"]
    }
    /// A conversation that was presumed to be another channel's is ours. The agent's texts in it until now were not delivered.
    CONVERSATION_FOUND_OURS = ERROR "conversation.found_ours" "conversation is ours after all: its texts so far were not delivered" {
        functions: TO_CHANNEL, fields: ["correlation", "line", "conversation"],
        // Those texts were dropped without any other notice.
        metrics: [Metric::records("Parked", Dimension::LINE_AND_STACK)]
    }
    /// Structured content holds elements that the connector doesn't know. Their texts were shown.
    STRUCTURED_CONTENT_UNKNOWN = WARN "structured_content.unknown" "unknown elements in structured content" {
        functions: TO_CHANNEL, fields: ["correlation", "count"]
    }
    /// A menu is too large for the consumer's record. The consumer's choice reaches LiveEngage as plain text.
    MENU_TOO_LARGE = WARN "menu.too_large" "menu too large to keep: answers are plain texts" {
        functions: TO_CHANNEL, fields: ["correlation"]
    }
    /// The name that an agent shows was not found out. The message was sent without it, or with the name from before. It is requested again
    /// after a minute.
    AGENT_NAME_UNKNOWN = INFO "agent_name.unknown" "agent's name not found out: message goes on without it" {
        functions: TO_CHANNEL, fields: ["account", "error"]
    }
    /// A typing indicator or a read receipt could not be shown to the consumer.
    INDICATION_FAILED = DEBUG "indication.failed" "indication not shown" {
        functions: TO_CHANNEL, fields: ["correlation", "error", "status"]
    }
}
