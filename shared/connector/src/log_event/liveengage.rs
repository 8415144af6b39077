//! The events of calls to LiveEngage: conversations, files, clicks, notices.

use super::{Dimension, Metric, events};

const TO_LIVEENGAGE: &[&str] = &["to-liveengage"];

events! {
    LIVEENGAGE_EVENTS:
    /// A conversation was opened for a consumer.
    CONVERSATION_OPENED = INFO "conversation.opened" "conversation opened" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "conversation"]
    }
    /// The Monitoring API failed, or LiveEngage refused a conversation with the campaign that it named. The conversation is opened with the line's
    /// own campaign, if it has one.
    CAMPAIGN_NOT_USED = INFO "campaign.not_used" "conversation opens without a campaign of the Monitoring API" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// The consumer asked to close a conversation that had ended. The consumer receives the line's `nothing_to_close_notice`.
    CONVERSATION_ALREADY_CLOSED = WARN "conversation.already_closed" "conversation to close had already ended" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "conversation"]
    }
    /// A survey was open without an event for long. It was closed, so that the consumer's text opens a new conversation.
    SURVEY_CLOSED = WARN "survey.closed" "survey without events closed: the consumer has written" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "conversation"]
    }
    /// LiveEngage refused the rating of a survey.
    RATING_REFUSED = WARN "rating.refused" "LiveEngage refused a rating" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// The agent was told that a message did not arrive.
    NACK_SENT = INFO "nack.sent" "NACK: the agent was told that a message did not arrive" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "conversation"],
        metrics: [Metric::records("Nacked", Dimension::LINE)]
    }
    /// LiveEngage refused the NACK. The agent is told by a text only.
    NACK_REFUSED = WARN "nack.refused" "LiveEngage refused a NACK: the agent is told by a text" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// LiveEngage refused the channel's report of delivery or reading.
    REPORT_REFUSED = WARN "report.refused" "LiveEngage refused a channel's report" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// The channel reported on messages that the table doesn't know.
    REPORT_UNKNOWN_MESSAGE = WARN "report.unknown_message" "report on unknown messages" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "count"]
    }
    /// A report came before the table knew its message. It is tried again.
    REPORT_WAITING = DEBUG "report.waiting" "report waits for its message" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "error", "retry_in_s"]
    }
    /// A report came after the end of its conversation.
    REPORT_TOO_LATE = DEBUG "report.too_late" "report came after the end of its conversation" {
        functions: TO_LIVEENGAGE, fields: ["line", "error"]
    }
    /// LiveEngage refused the consumer's click on a button. Its text was sent.
    CLICK_REFUSED = WARN "click.refused" "LiveEngage refused a click: its text is sent" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// An earlier attempt may have sent the click. It isn't repeated; its text was sent.
    CLICK_NOT_REPEATED = WARN "click.not_repeated" "click may have been sent before: only its text is sent" {
        functions: TO_LIVEENGAGE, fields: ["correlation"]
    }
    /// What the channel says about the consumer was not stored at LiveEngage. The message was sent; the next one tries again.
    PROFILE_NOT_SENT = WARN "profile.not_sent" "consumer's profile not sent to LiveEngage" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// The consumer's typing reached LiveEngage.
    TYPING_SENT = DEBUG "typing.sent" "typing sent" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "typing"]
    }
    /// The consumer's typing, or its end, did not reach LiveEngage.
    TYPING_FAILED = DEBUG "typing.failed" "typing not sent" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "line", "error"]
    }
    /// The channel did not hand out a consumer's file. The agent sees a placeholder.
    FILE_NOT_FETCHED = WARN "file.not_fetched" "file not fetched from the channel" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error", "status"]
    }
    /// LiveEngage refused a consumer's file. The agent sees a placeholder.
    FILE_REFUSED = WARN "file.refused" "LiveEngage refused a file" {
        functions: TO_LIVEENGAGE, fields: ["correlation", "error"]
    }
    /// The account has no file storage. The agent sees a placeholder. Ask LivePerson to enable file sharing.
    FILE_STORAGE_MISSING = WARN "file.storage_missing" "account has no file storage" {
        functions: TO_LIVEENGAGE, fields: ["correlation"]
    }
}
