//! What an agent's last message offered a person to choose, until a newer message takes its place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::{ConversationId, DialogId, Sequence};

mod answer;
mod choice;

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
    /// Until when an answer counts.
    pub until: Timestamp,
    /// What can be chosen.
    pub choices: Vec<Choice>,
}

/// What a person has chosen, as LiveEngage is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Menu {
    /// What `text` chooses in the conversation that is open at `now`; `None` for a text that is no choice, or too late.
    pub fn chosen(&self, text: &str, conversation: &ConversationId, now: Timestamp) -> Option<Chosen> {
        if self.conversation != *conversation || self.until <= now {
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
            metadata: (!metadata.is_empty()).then_some(Value::Array(metadata)),
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
        assert_eq!(menu().chosen("1", &there, at(0)), None);
    }
}
