//! The choices that an agent's last message offers a consumer, until a newer message replaces them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use connector_channels::choice::{Choice, FreeAnswer, match_answers, published};
use connector_liveengage::{
    id::{ConversationId, DialogId, Sequence},
    messaging::LONGEST_METADATA,
};
use connector_message::{MessageText, rich_content::Metadata};

#[cfg(test)]
mod tests;

/// How long a written answer counts as a choice. A consumer may answer the next morning, but not next week.
pub const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// The menu of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// The conversation of the message.
    pub conversation: ConversationId,
    /// Its dialog.
    pub dialog: DialogId,
    /// Its number, to which a click at LiveEngage refers.
    pub sequence: Sequence,
    /// When it was shown. A text from before is not an answer.
    pub shown_at: Timestamp,
    /// Until when a written answer counts. A button counts for as long as the menu is kept.
    pub until: Timestamp,
    /// The choices.
    pub choices: Vec<Choice>,
    /// The answer in the consumer's own words that is asked for, such as a date.
    pub free_answer: Option<FreeAnswer>,
    /// The metadata of the button that submits the ticked options. It goes to LiveEngage together with the options' own.
    pub submit: Option<Metadata>,
}

/// What a consumer has chosen, in LiveEngage's terms.
#[derive(Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The dialog of the message that offered it.
    pub dialog: DialogId,
    /// The number of that message.
    pub sequence: Sequence,
    /// The text that choosing it publishes.
    pub text: MessageText,
    /// The metadata of the click, an array.
    pub metadata: Option<Value>,
}

// By hand: it names the fields that are safe to show, so a field that is added later stays hidden.
impl std::fmt::Debug for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chosen").field("dialog", &self.dialog).field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// The largest menu that is kept, in bytes of JSON. It is part of the consumer's record, and a DynamoDB item has at most 400 KB.
pub const LARGEST_MENU: usize = 32 * 1024;

/// The most bytes of a menu's JSON besides its choices and metadata: ids of at most 256 characters each, and times.
const AROUND_MENU: usize = 1024;

/// The most bytes of a choice's JSON besides its texts and metadata.
const AROUND_CHOICE: usize = 100;

/// How many hex digits identify a menu in a button's id. Two messages of one consumer collide once in 10^12. The digits needn't be secret,
/// because only the consumer sees the button, and only the kept menu counts.
const TOKEN_DIGITS: usize = 10;

fn is_sendable(metadata: &Value) -> bool {
    metadata.to_string().encode_utf16().count() <= LONGEST_METADATA
}

impl Menu {
    /// Returns the token that identifies a message's menu in the ids of its buttons: 10 characters of `0-9` and `a-f`, the same at every
    /// attempt.
    ///
    /// A button's id is the token, a dot, and the number of the choice.
    pub fn token(dialog: &DialogId, sequence: Sequence) -> String {
        let hash =
            Sha256::new().chain_update(sequence.0.to_be_bytes()).chain_update(dialog.as_str().as_bytes()).finalize();
        let mut token = hex::encode(hash);
        token.truncate(TOKEN_DIGITS);
        token
    }

    /// Returns the menu in the form to keep: without metadata that is too large to send. `None` if it is larger than [`LARGEST_MENU`] even
    /// so.
    pub fn bounded(mut self) -> Option<Self> {
        for choice in &mut self.choices {
            choice.metadata = choice.metadata.take().filter(is_sendable);
        }
        self.free_answer = self.free_answer.take().filter(|free| is_sendable(free.metadata.as_value()));
        self.submit = self.submit.take().filter(|submit| is_sendable(submit.as_value()));
        (self.size() <= LARGEST_MENU).then_some(self)
    }

    /// Returns an estimate of its size as JSON, in bytes.
    fn size(&self) -> usize {
        let metadata = |value: Option<&Value>| value.map_or(0, |value| value.to_string().len());
        let text = |text: &MessageText| serde_json::to_string(text.as_str()).map_or(0, |json| json.len());
        let choices = self.choices.iter().map(|choice| {
            AROUND_CHOICE
                + text(&choice.title)
                + choice.publish.as_ref().map_or(0, text)
                + metadata(choice.metadata.as_ref())
        });
        let free_answer = self.free_answer.as_ref().map(|free| free.metadata.as_value());
        AROUND_MENU
            + choices.sum::<usize>()
            + metadata(free_answer)
            + metadata(self.submit.as_ref().map(Metadata::as_value))
    }

    /// Returns what `text`, written at `written_at`, chooses in the open conversation. `None` for a text that is no choice, or that was
    /// written before the menu or after its time. The result doesn't depend on when the text is delivered.
    ///
    /// A text that matches no choice is the free answer if one is asked for. Call [`Menu::answered`] after any answer, so that only one
    /// text is. `text` must be the consumer's own: a placeholder for a picture is not a date.
    pub fn chosen(&self, text: &str, conversation: &ConversationId, written_at: Timestamp) -> Option<Chosen> {
        if self.conversation != *conversation || written_at < self.shown_at || written_at >= self.until {
            return None;
        }
        let choices = match_answers(text, &self.choices);
        if !choices.is_empty() {
            return Some(self.choose(&choices));
        }
        let free = self.free_answer.as_ref().filter(|_| !text.trim().is_empty())?;
        Some(self.chosen_with(MessageText::new(text), Some(free.metadata.as_value().clone()).filter(is_sendable)))
    }

    /// Returns what a button or a list row with this id chooses in the open conversation. `None` for the id of another menu.
    ///
    /// The menu's time limit doesn't apply: a written number may mean something else the next day, but a button's id is unambiguous. So it
    /// counts until a newer message replaces the menu. The time of the click isn't checked, because a button can't be pressed before it is
    /// shown.
    pub fn chosen_by_id(&self, id: &str, conversation: &ConversationId) -> Option<Chosen> {
        if self.conversation != *conversation {
            return None;
        }
        let (token, number) = id.split_once('.')?;
        if token != Self::token(&self.dialog, self.sequence) {
            return None;
        }
        // Compare as text, so that `01` or `+1` don't match `1`.
        let choice = self.choices.iter().find(|choice| choice.number.to_string() == number)?;
        Some(self.choose(&[choice]))
    }

    /// Removes what this answer has used up. Returns whether it removed anything, in which case the record must be saved.
    ///
    /// That is the free answer: after a consumer has entered a date, or pressed `Skip` instead, the next text is an ordinary text. Choices
    /// stay until a newer message, because consumers correct themselves. The same answer again changes nothing, so that an interrupted
    /// delivery can call this again.
    pub fn answered(&mut self, chosen: &Chosen) -> bool {
        (&chosen.dialog, chosen.sequence) == (&self.dialog, self.sequence) && self.free_answer.take().is_some()
    }

    fn choose(&self, choices: &[&Choice]) -> Chosen {
        // LiveEngage accepts one list of metadata per click, so join those of several choices.
        let of_choices: Vec<Value> =
            choices.iter().filter_map(|choice| choice.metadata.as_ref()).flat_map(entries).collect();
        let submit = self.submit.as_ref().filter(|_| choices.iter().any(|choice| choice.several));
        let mut all = of_choices.clone();
        all.extend(submit.iter().flat_map(|submit| entries(submit.as_value())));
        // If both don't fit, drop the button's: the ticked options matter more.
        let metadata =
            [all, of_choices].into_iter().filter(|entries| !entries.is_empty()).map(Value::Array).find(is_sendable);
        self.chosen_with(MessageText::new(published(choices)), metadata)
    }

    fn chosen_with(&self, text: MessageText, metadata: Option<Value>) -> Chosen {
        Chosen { dialog: self.dialog.clone(), sequence: self.sequence, text, metadata }
    }
}

fn entries(metadata: &Value) -> Vec<Value> {
    metadata.as_array().cloned().unwrap_or_else(|| vec![metadata.clone()])
}
