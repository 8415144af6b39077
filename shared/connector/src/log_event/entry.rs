//! The events of the two functions that answer webhooks.

use super::{Dimension, Metric, events};

const WEBHOOK: &[&str] = &["webhook"];
const INBOUND: &[&str] = &["inbound"];
/// The functions that queue LiveEngage's events.
const READERS: &[&str] = &["webhook", "reconcile"];
const BOTH: &[&str] = &["webhook", "inbound"];

events! {
    ENTRY_EVENTS:
    /// The signature of LiveEngage's webhook is valid, and its events are in the queue, except those that are left out or not needed. LiveEngage
    /// was answered 200.
    WEBHOOK_ACCEPTED = INFO "webhook.accepted" "LiveEngage webhook accepted" {
        functions: WEBHOOK, fields: ["correlation", "queued", "left_out", "not_needed"],
        metrics: [Metric::records("Accepted", Dimension::function("webhook"))]
    }
    /// A request to the address of LiveEngage's webhook was answered 401, or 413 if it is too large.
    WEBHOOK_REFUSED = WARN "webhook.refused" "LiveEngage webhook refused" {
        functions: WEBHOOK, fields: ["correlation", "reason", "bytes"],
        metrics: [Metric::records("Refused", Dimension::REASON_AND_STACK)]
    }
    /// The signature is valid, and the body isn't JSON of a known shape. LiveEngage was answered 200, and the webhook is parked.
    WEBHOOK_UNREADABLE = ERROR "webhook.unreadable" "unreadable LiveEngage webhook: parked" {
        functions: WEBHOOK, fields: ["correlation", "reason"]
    }
    /// An unreadable webhook is too large for the queue. Only its beginning is parked.
    WEBHOOK_TRUNCATED = WARN "webhook.truncated" "unreadable webhook truncated before parking" {
        functions: READERS, fields: ["correlation", "bytes"]
    }
    /// SQS did not take the events. LiveEngage was answered 500, and sends the webhook again.
    WEBHOOK_NOT_QUEUED = ERROR "webhook.not_queued" "LiveEngage webhook not queued: LiveEngage will send it again" {
        functions: WEBHOOK, fields: ["correlation", "code"]
    }
    /// The account's secret can't be used, so the signature was not checked. LiveEngage was answered 500, and sends the webhook again.
    WEBHOOK_NOT_VERIFIED = ERROR "webhook.not_verified" "LiveEngage webhook not verified: LiveEngage will send it again" {
        functions: WEBHOOK, fields: ["correlation", "error"]
    }
    /// Part of a valid webhook has no meaning for the connector, such as an event of an unknown type. The rest was accepted.
    WEBHOOK_PART_IGNORED = WARN "webhook.part_ignored" "part of a LiveEngage webhook ignored" {
        functions: WEBHOOK, fields: ["correlation", "kind", "count"],
        metrics: [Metric::sum("LeftOut", "count", "Count", Dimension::Field { name: "Reason", field: "kind", and_stack: false })]
    }
    /// A change of a conversation is too large for the queue. A smaller form of it is queued; if there is none, its beginning is parked.
    CHANGE_TOO_LARGE = WARN "change.too_large" "conversation change too large for the queue" {
        functions: READERS, fields: ["correlation", "bytes"]
    }
    /// The signature of the channel's request is valid, and its messages are in the queue. The channel was answered with success.
    CHANNEL_REQUEST_ACCEPTED = INFO "channel_request.accepted" "channel request accepted" {
        functions: INBOUND, fields: ["correlation", "line", "queued", "left_out"],
        metrics: [Metric::records("Accepted", Dimension::function("inbound"))]
    }
    /// A request to the address of a line's webhook was answered 401, 404, or 413 if it is too large.
    CHANNEL_REQUEST_REFUSED = WARN "channel_request.refused" "channel request refused" {
        functions: INBOUND, fields: ["correlation", "line", "reason", "bytes"],
        metrics: [Metric::records("Refused", Dimension::REASON_AND_STACK)]
    }
    /// The signature is valid, and the request as a whole can't be used. It was answered 400; `reason` names the field.
    CHANNEL_REQUEST_UNREADABLE = WARN "channel_request.unreadable" "channel request unreadable" {
        functions: INBOUND, fields: ["correlation", "line", "reason"],
        // Use one reason for all, because the wording of each is different.
        metrics: [Metric::records("Refused", Dimension::Known { name: "Reason", value: "unreadable", and_stack: true })]
    }
    /// One message of a valid request can't be read, and is too large for the queue. Only its beginning is parked.
    CHANNEL_REQUEST_TRUNCATED = WARN "channel_request.truncated" "unreadable channel message truncated before parking" {
        functions: INBOUND, fields: ["correlation", "line", "bytes"]
    }
    /// SQS did not take the messages. The channel was answered 500, and sends the request again.
    CHANNEL_REQUEST_NOT_QUEUED = ERROR "channel_request.not_queued" "channel request not queued: the channel will send it again" {
        functions: INBOUND, fields: ["correlation", "line", "code"]
    }
    /// The line's secret can't be used, so the signature was not checked. The channel was answered 500, and sends the request again. Also if
    /// the request holds messages for an address of no usable line.
    CHANNEL_REQUEST_NOT_VERIFIED = ERROR "channel_request.not_verified" "channel request not verified: the channel will send it again" {
        functions: INBOUND, fields: ["correlation", "line", "error"]
    }
    /// Part of a valid request has no meaning for the connector, such as a message in a group. The rest was accepted.
    CHANNEL_REQUEST_PART_IGNORED = WARN "channel_request.part_ignored" "part of a channel request ignored" {
        functions: INBOUND, fields: ["correlation", "line", "kind", "count"],
        metrics: [Metric::sum("LeftOut", "count", "Count", Dimension::Field { name: "Reason", field: "kind", and_stack: false })]
    }
    /// The request holds messages for an address that no line has. It was refused, so that the channel sends it again; `line` is the line
    /// of the URL. Correct the address in the line's secret, or add the line.
    CHANNEL_REQUEST_MISDIRECTED = WARN "channel_request.misdirected" "channel request holds messages for an address that no line has" {
        functions: INBOUND, fields: ["correlation", "line", "messages"],
        metrics: [Metric::sum("Misdirected", "messages", "Count", Dimension::Stack)]
    }
    /// A consumer's message is too large for the queue. The agent sees a placeholder.
    MESSAGE_TOO_LARGE = WARN "message.too_large" "consumer's message too large for the queue: replaced by a placeholder" {
        functions: INBOUND, fields: ["correlation", "line", "bytes"]
    }
    /// A field of API Gateway's event can't be part of an HTTP request, and is left out. The rest is judged like any other request.
    GATEWAY_EVENT_PART_IGNORED = WARN "gateway_event.part_ignored" "part of an API Gateway event ignored" {
        functions: BOTH, fields: ["parts"]
    }
    /// The sender still signs with the previous secret. Finish the rotation only when this has stopped.
    SECRET_PREVIOUS_USED = INFO "secret.previous_used" "signature made with the previous secret" {
        functions: BOTH, fields: ["account", "line"]
    }
}
