//! The plan of a drill: who sends what and when.

use std::time::Duration;

use crate::channels;
use crate::faults::SeededRandom;
use crate::faults::{Destination, Piece, Tag};

/// How many of a thousand agents' texts are long enough for two messages on the phone.
const LONG_PER_MILLE: u16 = 40;
/// How many of a thousand agents' texts are the last one before the agent closes the conversation.
const CLOSING_PER_MILLE: u16 = 60;
/// The length of a long text beyond one message. It is less than two messages on every channel.
const LONG_TEXT_EXCESS: usize = 600;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedMessage {
    pub(super) tag: Tag,
    /// The time since the start.
    pub(super) at: Duration,
    pub(super) text: String,
    /// The number of messages that the recipient gets.
    pub(super) parts: u8,
    /// Whether the conversation is closed after it.
    pub(super) then_close: bool,
}

/// All messages by conversation: those of the consumer, and those of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) conversations: Vec<(Vec<PlannedMessage>, Vec<PlannedMessage>)>,
}

/// The index of the channel on which the consumer of a conversation writes. The first channel has twice as many
/// consumers as each of the others.
pub(super) fn channel_of(conversation: u16) -> usize {
    usize::from(conversation).checked_rem(channels::ALL.len() + 1).unwrap_or(0).saturating_sub(1)
}

/// The phone number of a conversation.
pub(super) fn phone(conversation: u16) -> String {
    format!("+49151700{conversation:05}")
}

impl Plan {
    /// Distributes the messages over the conversations and the time.
    pub(super) fn new(random: SeededRandom, conversations: u16, messages: u32, time: Duration, closing: bool) -> Self {
        let mut plan = vec![(Vec::new(), Vec::new()); usize::from(conversations)];
        let per_direction = messages.div_ceil(u32::from(conversations).max(1) * 2);
        let mut left = messages;
        for (index, (consumer, agent)) in plan.iter_mut().enumerate() {
            for (destination, planned) in [(Destination::ToDesk, &mut *consumer), (Destination::ToPhone, &mut *agent)] {
                let share = per_direction.min(left);
                left -= share;
                let conversation = u16::try_from(index).unwrap_or(u16::MAX);
                for number in 0..u16::try_from(share).unwrap_or(u16::MAX) {
                    planned.push(message(random, Tag { conversation, destination, number }, time, closing));
                }
                planned.sort_by_key(|message: &PlannedMessage| message.at);
                // The first message is sent at once to open a conversation. Numbers follow the time.
                for (number, message) in planned.iter_mut().enumerate() {
                    let tag = Tag { number: u16::try_from(number).unwrap_or(u16::MAX), ..message.tag };
                    let at =
                        if number == 0 && destination == Destination::ToDesk { Duration::ZERO } else { message.at };
                    (message.tag, message.at) = (tag, at);
                    (message.text, message.parts) = text(random, tag);
                }
            }
            // Only another text of the consumer opens the next conversation.
            let last = consumer.last().map_or(Duration::ZERO, |message| message.at);
            agent.iter_mut().for_each(|message| message.then_close &= message.at < last);
        }
        Self { conversations: plan }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &PlannedMessage> {
        self.conversations.iter().flat_map(|(consumer, agent)| consumer.iter().chain(agent))
    }
}

fn message(random: SeededRandom, tag: Tag, time: Duration, closing: bool) -> PlannedMessage {
    let at = Duration::from_millis(random.below(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), ("at", tag)));
    let then_close =
        closing && tag.destination == Destination::ToPhone && random.hits(CLOSING_PER_MILLE, ("close", tag));
    PlannedMessage { tag, at, text: String::new(), parts: 1, then_close }
}

fn text(random: SeededRandom, tag: Tag) -> (String, u8) {
    let mark = |part| Piece { tag, part }.mark();
    if tag.destination == Destination::ToPhone && random.hits(LONG_PER_MILLE, ("long", tag)) {
        let channel = channels::ALL.get(channel_of(tag.conversation));
        let length = channel.map_or(0, |channel| channel.profile().longest_text) + LONG_TEXT_EXCESS;
        let filling = "Bitte lesen Sie das in Ruhe. ".repeat(length / 29);
        return (format!("{} {filling}{}", mark(0), mark(1)), 2);
    }
    let words = ["Grüße 📦", "one moment, please", "and then?", "ok"];
    let word = usize::try_from(random.below(words.len() as u64, ("word", tag))).unwrap_or(0);
    (format!("{} {}", mark(0), words.get(word).copied().unwrap_or_default()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::new(SeededRandom::new(seed), 7, 200, Duration::from_secs(10), true)
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_of_the_requested_size() {
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        assert_eq!(plan(1).messages().count(), 200);
        assert_eq!(Plan::new(SeededRandom::new(1), 30, 5, Duration::from_secs(1), true).messages().count(), 5);
    }

    #[test]
    fn marks_are_unique_and_numbered_in_time_order() {
        let plan = plan(3);
        let marks: Vec<Piece> = plan.messages().flat_map(|message| Piece::find_all(message.text.as_bytes())).collect();
        let wanted: Vec<Piece> = plan
            .messages()
            .flat_map(|message| (0..message.parts).map(|part| Piece { tag: message.tag, part }))
            .collect();
        assert_eq!(marks, wanted);
        let distinct: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(distinct.len(), marks.len());
        for planned in plan.conversations.iter().flat_map(|(consumer, agent)| [consumer, agent]) {
            assert!(planned.iter().enumerate().all(|(number, message)| usize::from(message.tag.number) == number));
            assert!(planned.is_sorted_by_key(|message| message.at));
        }
    }
}
