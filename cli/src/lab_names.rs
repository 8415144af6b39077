//! The names of the lab's table and queues, for commands that target a running lab.
//!
//! These constants repeat those of the lab, because this binary can be built without it.

/// The table.
pub(crate) const TABLE: &str = "connector-lab";
/// The region that the lab pretends to be in.
pub(crate) const REGION: &str = "us-east-1";
/// The account id in every queue URL.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The queue for messages from channels.
pub(crate) const TO_LIVEENGAGE: &str = "to-liveengage.fifo";
/// Its dead-letter queue.
pub(crate) const TO_LIVEENGAGE_DEAD_LETTERS: &str = "to-liveengage-dead-letters.fifo";
/// The queue for messages from LiveEngage.
pub(crate) const TO_CHANNEL: &str = "to-channel.fifo";
/// Its dead-letter queue.
pub(crate) const TO_CHANNEL_DEAD_LETTERS: &str = "to-channel-dead-letters.fifo";
/// The function that recovers lost webhooks.
pub(crate) const RECONCILE: &str = "reconcile";

#[cfg(feature = "lab")]
#[cfg(test)]
mod tests {
    use connector_lab::{aws, lambda_api};

    #[test]
    fn the_names_match_the_lab() {
        let names = [
            super::REGION,
            super::ACCOUNT,
            super::TO_LIVEENGAGE,
            super::TO_LIVEENGAGE_DEAD_LETTERS,
            super::TO_CHANNEL,
            super::TO_CHANNEL_DEAD_LETTERS,
            super::RECONCILE,
        ];
        let of_the_lab = [
            aws::REGION,
            aws::ACCOUNT,
            aws::TO_LIVEENGAGE,
            aws::TO_LIVEENGAGE_DEAD_LETTERS,
            aws::TO_CHANNEL,
            aws::TO_CHANNEL_DEAD_LETTERS,
            lambda_api::RECONCILE,
        ];
        assert_eq!(names, of_the_lab);
    }
}
