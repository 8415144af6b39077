//! What an agent's last message offered a person to choose, until a newer message takes its place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    id::{ConversationId, DialogId, Sequence},
    message::MessageText,
    rich_content::Metadata,
};

mod answer;
mod choice;
pub(crate) mod stored;
#[cfg(test)]
mod tests;

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
    /// Until when a written answer counts. A button counts for as long as the menu is kept.
    pub until: Timestamp,
    /// What can be chosen.
    pub choices: Vec<Choice>,
    /// What is asked for in the person's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_answer: Option<FreeAnswer>,
    /// What LiveEngage is told, beside the options themselves, about the button that would send the ticked options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit: Option<Metadata>,
}

/// An answer in the person's own words, such as a date: the next text is taken for it, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeAnswer {
    /// What LiveEngage is told about the click that opens the date picker.
    pub metadata: Metadata,
}

/// What a person has chosen, as LiveEngage is told it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The dialog of the message that offered it.
    pub dialog: DialogId,
    /// The number of that message.
    pub sequence: Sequence,
    /// What choosing it publishes.
    pub text: MessageText,
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

/// How many hex digits name a menu in a button's id. Two messages of one person share them once in a million million: no
/// secret, since only the person sees the button, and only the menu that is kept counts.
const TOKEN_DIGITS: usize = 10;

fn is_sendable(metadata: &Value) -> bool {
    metadata.to_string().encode_utf16().count() <= LONGEST_METADATA
}

impl Menu {
    /// Names the menu of a message in the ids of its buttons: 10 characters of `0-9` and `a-f`, the same at every attempt.
    ///
    /// A button's id is this, a dot, and the number of the choice.
    pub fn token(dialog: &DialogId, sequence: Sequence) -> String {
        let hash =
            Sha256::new().chain_update(sequence.0.to_be_bytes()).chain_update(dialog.as_str().as_bytes()).finalize();
        let mut token = hex::encode(hash);
        token.truncate(TOKEN_DIGITS);
        token
    }

    /// The menu as it can be kept: without metadata that could never be sent, and `None` if it is too large all the same.
    pub fn bounded(mut self) -> Option<Self> {
        for choice in &mut self.choices {
            choice.metadata = choice.metadata.take().filter(is_sendable);
        }
        self.free_answer = self.free_answer.take().filter(|free| is_sendable(free.metadata.as_value()));
        self.submit = self.submit.take().filter(|submit| is_sendable(submit.as_value()));
        let size = serde_json::to_string(&self).map_or(usize::MAX, |json| json.len());
        (size <= LARGEST_MENU).then_some(self)
    }

    /// What `text`, written at `written_at`, chooses in the conversation that is open; `None` for a text that is no choice, or that
    /// is from before the menu or after its time. However late the text is delivered, the answer is the same.
    ///
    /// A text that chooses nothing is the free answer, if one is asked for. After any answer [`Menu::answered`] has to follow, so
    /// that only one text is. `text` has to be the person's own: a placeholder for a picture is no date.
    pub fn chosen(&self, text: &str, conversation: &ConversationId, written_at: Timestamp) -> Option<Chosen> {
        if self.conversation != *conversation || written_at < self.shown_at || written_at >= self.until {
            return None;
        }
        let choices = match_answers(text, &self.choices);
        if !choices.is_empty() {
            return Some(self.choose(&choices));
        }
        let free = self.free_answer.as_ref().filter(|_| !text.trim().is_empty())?;
        Some(self.told(MessageText::new(text), Some(free.metadata.as_value().clone()).filter(is_sendable)))
    }

    /// What a button or a row of a list with this id chooses in the conversation that is open; `None` for those of another menu.
    ///
    /// However long ago it was shown: a number may mean something else by tomorrow, and a button can't. So it counts until a
    /// newer message has taken the menu's place. There is no look at when it was pressed, either: nobody can press it before
    /// it is shown.
    pub fn chosen_by_id(&self, id: &str, conversation: &ConversationId) -> Option<Chosen> {
        if self.conversation != *conversation {
            return None;
        }
        let (token, number) = id.split_once('.')?;
        if token != Self::token(&self.dialog, self.sequence) {
            return None;
        }
        // Compared as text: `1` is an id's number, and `01` or `+1` is none.
        let choice = self.choices.iter().find(|choice| choice.number.to_string() == number)?;
        Some(self.choose(&[choice]))
    }

    /// Takes away what this answer has used up, and says whether it took anything: then the record has to be stored.
    ///
    /// That is the free answer: whoever has chosen a date, or pressed `Skip` beside it, means the next text as a text. Choices stay
    /// until a newer message, since people correct themselves. The same answer again changes nothing, so that a delivery which
    /// was interrupted can call it again.
    pub fn answered(&mut self, chosen: &Chosen) -> bool {
        (&chosen.dialog, chosen.sequence) == (&self.dialog, self.sequence) && self.free_answer.take().is_some()
    }

    fn choose(&self, choices: &[&Choice]) -> Chosen {
        // LiveEngage takes one list of metadata for a click: several choices give theirs together.
        let of_choices: Vec<Value> =
            choices.iter().filter_map(|choice| choice.metadata.as_ref()).flat_map(entries).collect();
        let submit = self.submit.as_ref().filter(|_| choices.iter().any(|choice| choice.several));
        let mut all = of_choices.clone();
        all.extend(submit.iter().flat_map(|submit| entries(submit.as_value())));
        // What was ticked says more than the button that sent it.
        let metadata =
            [all, of_choices].into_iter().filter(|entries| !entries.is_empty()).map(Value::Array).find(is_sendable);
        self.told(MessageText::new(published(choices)), metadata)
    }

    fn told(&self, text: MessageText, metadata: Option<Value>) -> Chosen {
        Chosen { dialog: self.dialog.clone(), sequence: self.sequence, text, metadata }
    }
}

fn entries(metadata: &Value) -> Vec<Value> {
    metadata.as_array().cloned().unwrap_or_else(|| vec![metadata.clone()])
}
