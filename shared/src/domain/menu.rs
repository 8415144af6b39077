//! What an agent's last message offered a person to choose, until a newer message takes its place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::{ConversationId, DialogId, Sequence};

mod answer;
mod choice;
pub(crate) mod stored;

pub use answer::{match_answer, match_answers, published};
pub(crate) use answer::{number, numbers_count};
pub use choice::Choice;

/// How long an answer is taken for a choice: a person may answer the next morning, and not next week.
pub const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// The menu of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Menu {
    /// The conversation of the message.
    pub conversation: ConversationId,
    /// Its dialog.
    pub dialog: DialogId,
    /// Its number, which LiveEngage is told when something is chosen.
    pub sequence: Sequence,
    /// When it was shown: what a person wrote before is no answer to it.
    pub shown_at: Timestamp,
    /// Until when an answer counts.
    pub until: Timestamp,
    /// What can be chosen.
    pub choices: Vec<Choice>,
}

/// What a person has chosen, as LiveEngage is told it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The dialog of the message that offered it.
    pub dialog: DialogId,
    /// The number of that message.
    pub sequence: Sequence,
    /// What choosing it publishes.
    pub text: super::message::MessageText,
    /// What belongs to the click, an array.
    pub metadata: Option<Value>,
}

impl std::fmt::Debug for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chosen").field("dialog", &self.dialog).field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// The longest metadata that goes with a choice, as JSON, in characters: LiveEngage takes 5000 for a whole request.
pub const LONGEST_METADATA: usize = 1000;

/// The largest menu that is kept, as JSON, in bytes. It is part of the consumer's record, and DynamoDB takes 400 KB for all of it.
pub const LARGEST_MENU: usize = 32 * 1024;

fn is_sendable(metadata: &Value) -> bool {
    metadata.to_string().encode_utf16().count() <= LONGEST_METADATA
}

impl Menu {
    /// The menu as it can be kept: without metadata that could never be sent, and `None` if it is too large all the same.
    pub fn bounded(mut self) -> Option<Self> {
        for choice in &mut self.choices {
            choice.metadata = choice.metadata.take().filter(is_sendable);
        }
        let size = serde_json::to_string(&self).map_or(usize::MAX, |json| json.len());
        (size <= LARGEST_MENU).then_some(self)
    }

    /// What `text`, written at `written_at`, chooses in the conversation that is open; `None` for a text that is no choice, or that
    /// is from before the menu or after its time. However late the text is delivered, the answer is the same.
    pub fn chosen(&self, text: &str, conversation: &ConversationId, written_at: Timestamp) -> Option<Chosen> {
        if self.conversation != *conversation || written_at < self.shown_at || written_at >= self.until {
            return None;
        }
        let choices = match_answers(text, &self.choices);
        if choices.is_empty() {
            return None;
        }
        // LiveEngage takes one list of metadata for a click: several choices give theirs together.
        let metadata: Vec<Value> = choices
            .iter()
            .filter_map(|choice| choice.metadata.as_ref())
            .flat_map(|metadata| metadata.as_array().cloned().unwrap_or_else(|| vec![metadata.clone()]))
            .collect();
        Some(Chosen {
            dialog: self.dialog.clone(),
            sequence: self.sequence,
            text: super::message::MessageText::new(published(&choices)),
            metadata: (!metadata.is_empty()).then_some(Value::Array(metadata)).filter(is_sendable),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::message::MessageText;

    fn menu() -> Menu {
        let choice = |number, title: &str, metadata| Choice {
            number,
            title: MessageText::new(title),
            publish: Some(MessageText::new(format!("{title}!"))),
            metadata,
            several: false,
        };
        Menu {
            conversation: ConversationId::new("c1").unwrap(),
            dialog: DialogId::new("c1").unwrap(),
            sequence: Sequence(4),
            shown_at: Timestamp::from_second(10).unwrap(),
            until: Timestamp::from_second(100).unwrap(),
            choices: vec![choice(1, "Yes", Some(json!([{"type": "ExternalId", "id": "y"}]))), choice(2, "No", None)],
        }
    }

    #[test]
    fn a_number_or_a_title_chooses_and_brings_the_metadata() {
        let (conversation, now) = (ConversationId::new("c1").unwrap(), Timestamp::from_second(99).unwrap());
        for answer in ["1", "yes", " YES "] {
            let chosen = menu().chosen(answer, &conversation, now).unwrap();
            assert_eq!((chosen.text.as_str(), chosen.sequence), ("Yes!", Sequence(4)), "{answer}");
            assert_eq!(chosen.metadata, Some(json!([{"type": "ExternalId", "id": "y"}])));
        }
        assert_eq!(menu().chosen("2", &conversation, now).unwrap().metadata, None);
        assert_eq!(menu().chosen("maybe", &conversation, now), None);
    }

    #[test]
    fn a_menu_is_for_its_conversation_and_its_time() {
        let (here, there) = (ConversationId::new("c1").unwrap(), ConversationId::new("c2").unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(menu().chosen("1", &here, at(99)).is_some());
        assert_eq!(menu().chosen("1", &here, at(100)), None);
        assert_eq!(menu().chosen("1", &there, at(50)), None);
        assert!(menu().chosen("1", &here, at(10)).is_some());
        assert_eq!(menu().chosen("1", &here, at(9)), None, "it was written before the menu was shown");
    }

    #[test]
    fn what_is_too_large_is_left_out() {
        let mut large = menu();
        large.choices[0].metadata = Some(json!(["x".repeat(1000)]));
        let kept = large.bounded().unwrap();
        assert_eq!(kept.choices[0].metadata, None);
        let mut huge = menu();
        huge.choices = vec![huge.choices[0].clone(); 1000];
        assert_eq!(huge.bounded(), None);
    }
}
