//! Who says what and when, before anything is started.

use std::time::Duration;

use super::dice::Dice;
use super::tag::{Destination, Piece, Tag};

/// How many of a thousand agents' texts are so long that the phone gets them in two messages.
const LONG_PER_MILLE: u16 = 40;
/// How many of a thousand agents' texts are the last before the agent closes the conversation.
const CLOSING_PER_MILLE: u16 = 60;
/// Longer than one SMS of the gateway can be, and shorter than two; and the same of messages on WhatsApp.
const LONG_TEXT: (usize, usize) = (2200, 4700);

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tag: Tag,
    /// When, counted from the start.
    pub(super) at: Duration,
    pub(super) text: String,
    /// How many messages the other side gets of it.
    pub(super) parts: u8,
    /// Whether the conversation is closed right after it.
    pub(super) then_close: bool,
}

/// All that is said, by conversation: what the person writes, and what the agent writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) conversations: Vec<(Vec<Line>, Vec<Line>)>,
}

/// Whether the person of a conversation writes on WhatsApp: every third one does.
pub(super) fn is_on_whatsapp(conversation: u16) -> bool {
    conversation % 3 == 2
}

impl Plan {
    /// Spreads the messages over the conversations and over the time.
    pub(super) fn new(dice: Dice, conversations: u16, messages: u32, time: Duration, closing: bool) -> Self {
        let mut plan = vec![(Vec::new(), Vec::new()); usize::from(conversations)];
        let per_way = messages.div_ceil(u32::from(conversations).max(1) * 2);
        let mut left = messages;
        for (index, (person, agent)) in plan.iter_mut().enumerate() {
            for (destination, lines) in [(Destination::ToDesk, &mut *person), (Destination::ToPhone, &mut *agent)] {
                let share = per_way.min(left);
                left -= share;
                let conversation = u16::try_from(index).unwrap_or(u16::MAX);
                for number in 0..u16::try_from(share).unwrap_or(u16::MAX) {
                    lines.push(line(dice, Tag { conversation, destination, number }, time, closing));
                }
                lines.sort_by_key(|line: &Line| line.at);
                // The first is said at once, so that there is a conversation to speak in, and the numbers follow the time.
                for (number, line) in lines.iter_mut().enumerate() {
                    let tag = Tag { number: u16::try_from(number).unwrap_or(u16::MAX), ..line.tag };
                    let at = if number == 0 && destination == Destination::ToDesk { Duration::ZERO } else { line.at };
                    (line.tag, line.at) = (tag, at);
                    (line.text, line.parts) = text(dice, tag);
                }
            }
            // Only another text of the person opens the next conversation.
            let last = person.last().map_or(Duration::ZERO, |line| line.at);
            agent.iter_mut().for_each(|line| line.then_close &= line.at < last);
        }
        Self { conversations: plan }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.conversations.iter().flat_map(|(person, agent)| person.iter().chain(agent))
    }
}

fn line(dice: Dice, tag: Tag, time: Duration, closing: bool) -> Line {
    let at = Duration::from_millis(dice.below(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), ("at", tag)));
    let then_close = closing && tag.destination == Destination::ToPhone && dice.hits(CLOSING_PER_MILLE, ("close", tag));
    Line { tag, at, text: String::new(), parts: 1, then_close }
}

fn text(dice: Dice, tag: Tag) -> (String, u8) {
    let mark = |part| Piece { tag, part }.mark();
    if tag.destination == Destination::ToPhone && dice.hits(LONG_PER_MILLE, ("long", tag)) {
        let length = if is_on_whatsapp(tag.conversation) { LONG_TEXT.1 } else { LONG_TEXT.0 };
        let filling = "Bitte lesen Sie das in Ruhe. ".repeat(length / 29);
        return (format!("{} {filling}{}", mark(0), mark(1)), 2);
    }
    let words = ["Grüße 📦", "one moment, please", "and then?", "ok"];
    let word = usize::try_from(dice.below(words.len() as u64, ("word", tag))).unwrap_or(0);
    (format!("{} {}", mark(0), words.get(word).copied().unwrap_or_default()), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::new(Dice::new(seed), 7, 200, Duration::from_secs(10), true)
    }

    #[test]
    fn the_same_seed_plans_the_same_and_as_much_as_asked() {
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        assert_eq!(plan(1).lines().count(), 200);
        assert_eq!(Plan::new(Dice::new(1), 30, 5, Duration::from_secs(1), true).lines().count(), 5);
    }

    #[test]
    fn every_text_has_its_own_marks_and_their_order_is_that_of_time() {
        let plan = plan(3);
        let marks: Vec<Piece> = plan.lines().flat_map(|line| Piece::find_all(line.text.as_bytes())).collect();
        let wanted: Vec<Piece> =
            plan.lines().flat_map(|line| (0..line.parts).map(|part| Piece { tag: line.tag, part })).collect();
        assert_eq!(marks, wanted);
        let distinct: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(distinct.len(), marks.len());
        for lines in plan.conversations.iter().flat_map(|(person, agent)| [person, agent]) {
            assert!(lines.iter().enumerate().all(|(number, line)| usize::from(line.tag.number) == number));
            assert!(lines.is_sorted_by_key(|line| line.at));
        }
    }
}
