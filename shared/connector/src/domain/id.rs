//! The connector's own ids.

use connector_message::id;

id!(shown
    /// The operator's name for a line: one address of the brand on a channel (a phone number, a page, a bot).
    ///
    /// Part of the webhook URL and of the secret's name. Unique within a deployment.
    LineId, "line id", id::is_name, id::NAME_RULE);

id!(shown
    /// Identifies one message in the logs of all functions: the entry point's request id.
    CorrelationId, "correlation id", id::is_opaque, id::OPAQUE_RULE);

id!(shown
    /// The owner of a lease: one record in one invocation. A repeated invocation is another owner.
    Owner, "owner", id::is_opaque, id::OPAQUE_RULE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_id_is_safe_in_a_path() {
        for bad in ["", "a/b", "..", "a b", "ü", &"x".repeat(65)] {
            assert!(LineId::new(bad).is_err(), "{bad}");
        }
        assert!(LineId::new("sms-main").is_ok());
    }

    #[test]
    fn ids_are_checked_when_they_are_read_back() {
        assert!(serde_json::from_str::<LineId>("\"sms-main\"").is_ok());
        assert!(serde_json::from_str::<LineId>("\"sms/main\"").is_err());
    }
}
