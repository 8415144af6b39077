//! What is in transit between the phones and the desk.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::aws::{TO_CHANNEL, TO_LIVEENGAGE};
use crate::faults::{Destination, Piece, Tag};
use crate::lab::Lab;

/// The interval between reads.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The number of consecutive reads that must find nothing. A message can be between two queues during one read.
pub(super) const QUIET_POLLS: u32 = 5;

/// What one read found. Reports and the like are left out, because the score ignores them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Transit {
    /// The messages in the queues.
    pub(super) queued: BTreeSet<Tag>,
    /// Whether a queue contains a notice by the connector. Notices don't name the message.
    pub(super) has_notices: bool,
    /// Whether the connector has not accepted a webhook of a phone yet.
    pub(super) has_phone_webhooks: bool,
    /// Whether the connector has not accepted a webhook of LiveEngage yet.
    pub(super) has_desk_webhooks: bool,
}

impl Transit {
    /// Reads the webhooks, and then the queues, because messages move in this direction.
    pub(super) fn read(lab: &Lab) -> Self {
        let mut transit = Self {
            has_phone_webhooks: lab.has_pending_channel_webhooks(),
            has_desk_webhooks: lab.liveengage().has_pending_webhooks(),
            ..Self::default()
        };
        for (name, destination) in [(TO_LIVEENGAGE, Destination::ToDesk), (TO_CHANNEL, Destination::ToPhone)] {
            for message in lab.aws().queue(name).map(|queue| queue.peek()).unwrap_or_default() {
                transit.add(&message.body, destination);
            }
        }
        transit
    }

    /// Adds the messages for this destination in the body of a queue message, and the notice if it is one.
    fn add(&mut self, body: &str, destination: Destination) {
        let is_notice =
            ["undelivered_v1", "notice_v1", "announcement_v1"].iter().any(|task| body.contains(&format!("\"{task}\"")));
        self.has_notices |= is_notice;
        let tags = Piece::find_all(body.as_bytes()).into_iter().map(|piece| piece.tag);
        self.queued.extend(tags.filter(|tag| tag.destination == destination));
    }

    /// Whether this message may be in transit. `arrived` if the connector had accepted its webhook before the read.
    pub(super) fn may_hold(&self, tag: Tag, arrived: bool) -> bool {
        let has_webhooks = match tag.destination {
            Destination::ToDesk => self.has_phone_webhooks,
            Destination::ToPhone => self.has_desk_webhooks,
        };
        self.queued.contains(&tag) || has_webhooks && !arrived
    }
}

/// Waits until no webhook is in transit and no queue contains a message for a consumer or an agent.
pub(super) async fn wait_until_settled(lab: &Lab) {
    let mut quiet = 0;
    let mut polls = tokio::time::interval(POLL_INTERVAL);
    while quiet < QUIET_POLLS {
        polls.tick().await;
        lab.liveengage().webhooks_settled().await;
        quiet = if Transit::read(lab) == Transit::default() { quiet + 1 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(destination: Destination) -> Tag {
        Tag { conversation: 3, destination, number: 1 }
    }

    #[test]
    fn a_queue_message_names_the_messages_of_its_direction_and_a_notice_names_none() {
        let (text, answer) = (tag(Destination::ToDesk), tag(Destination::ToPhone));
        let mark = |tag| Piece { tag, part: 0 }.mark();
        let mut transit = Transit::default();
        transit.add(&format!("{{\"text\":\"{} {}\"}}", mark(text), mark(answer)), Destination::ToPhone);
        assert_eq!((transit.queued.clone(), transit.has_notices), (BTreeSet::from([answer]), false));
        transit.add("{\"task\":\"notice_v1\",\"text\":\"Sorry\"}", Destination::ToPhone);
        assert_eq!((transit.queued, transit.has_notices), (BTreeSet::from([answer]), true));
        let mut reports = Transit::default();
        reports.add("{\"task\":\"reports_v1\"}", Destination::ToDesk);
        assert_eq!(reports, Transit::default());
    }

    #[test]
    fn a_message_that_has_not_arrived_may_be_in_a_webhook_of_its_sender() {
        let (text, answer) = (tag(Destination::ToDesk), tag(Destination::ToPhone));
        let transit = Transit { has_phone_webhooks: true, ..Transit::default() };
        assert!(transit.may_hold(text, false));
        assert!(!transit.may_hold(text, true) && !transit.may_hold(answer, false));
        let transit = Transit { queued: BTreeSet::from([text]), ..Transit::default() };
        assert!(transit.may_hold(text, true) && !transit.may_hold(answer, true));
    }
}
