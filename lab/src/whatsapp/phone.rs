//! The phones and what is on them.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::content::MessageContent;

/// How long after the consumer's last message the connector may write: 24 hours (Meta, "customer service windows").
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The consumer wrote it.
    FromPhone,
    /// The connector sent it.
    ToPhone,
}

/// How far a message has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageState {
    /// One grey tick. From the phone: its webhook has not been answered 200 yet. To the phone: WhatsApp has taken it.
    Sent,
    /// Two grey ticks. From the phone: its webhook was answered 200. To the phone: it has arrived there.
    Delivered,
    /// Two blue ticks: the other side has read it.
    Read,
    /// It will not arrive; the reason is in plain words, with the error code of a message to the phone in front.
    Failed(String),
}

/// One message on a phone.
#[derive(Debug, Clone, PartialEq)]
pub struct PhoneMessage {
    /// WhatsApp's id of the message (`wamid.`...); never used twice.
    pub id: String,
    /// Which way it went.
    pub direction: Direction,
    /// What it is.
    pub content: MessageContent,
    /// When WhatsApp got it.
    pub at: Timestamp,
    /// How far it has come.
    pub state: MessageState,
    /// The message it answers, where it quotes one or is a tap on its buttons.
    pub quotes: Option<String>,
    /// Whom the connector named as the recipient: a phone number in digits or a user id. `None` for the consumer's own messages.
    pub addressed_to: Option<String>,
    /// The connector's `biz_opaque_callback_data`: two messages with the same one are a double.
    pub callback_data: Option<String>,
}

impl PhoneMessage {
    /// The words in it, see [`MessageContent::text`].
    pub fn text(&self) -> &str {
        self.content.text()
    }

    /// Moves on to a later state; an earlier one that comes late is dropped, and a failure only ends what hasn't arrived.
    pub(super) fn advance(&mut self, state: MessageState) -> bool {
        let allowed = match (&self.state, &state) {
            (MessageState::Sent, new) => *new != MessageState::Sent,
            (MessageState::Delivered, new) => *new == MessageState::Read,
            (MessageState::Read | MessageState::Failed(_), _) => false,
        };
        if allowed {
            self.state = state;
        }
        allowed
    }
}

/// Who the phone's owner is to the business.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) username: Option<String>,
    /// The business-scoped user id, for example `US.13491208655302741918`. Since April 2026 everybody has one.
    pub(super) user_id: Option<String>,
    /// Whether webhooks leave the number out.
    pub(super) is_number_hidden: bool,
}

/// One phone.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    /// In E.164 form with the plus.
    pub(super) number: String,
    pub(super) profile: Profile,
    pub(super) messages: Vec<PhoneMessage>,
    /// When the consumer last wrote.
    pub(super) last_written: Option<Timestamp>,
    pub(super) typing_until: Option<Timestamp>,
}

impl Phone {
    fn new(number: &str) -> Self {
        let last_digits: String = number.chars().skip(number.chars().count().saturating_sub(4)).collect();
        let profile = Profile {
            name: format!("Consumer {last_digits}"),
            username: None,
            user_id: Some(user_id_of(number)),
            is_number_hidden: false,
        };
        Self { number: number.to_owned(), profile, messages: Vec::new(), last_written: None, typing_until: None }
    }

    /// WhatsApp's id of the number: its digits.
    pub(super) fn wa_id(&self) -> &str {
        self.number.trim_start_matches('+')
    }

    /// Whether the connector may write without a template.
    pub(super) fn is_window_open(&self, now: Timestamp) -> bool {
        self.last_written.is_some_and(|written| now.duration_since(written) < WINDOW)
    }

    pub(super) fn message(&self, id: &str) -> Option<&PhoneMessage> {
        self.messages.iter().find(|message| message.id == id)
    }
}

/// All phones that the account knows, in the order in which they were first heard of.
#[derive(Debug, Default)]
pub(super) struct Phonebook {
    phones: Vec<Phone>,
}

impl Phonebook {
    pub(super) fn numbers(&self) -> Vec<String> {
        self.phones.iter().map(|phone| phone.number.clone()).collect()
    }

    pub(super) fn get(&self, number: &str) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.number == number)
    }

    pub(super) fn get_mut(&mut self, number: &str) -> Option<&mut Phone> {
        self.phones.iter_mut().find(|phone| phone.number == number)
    }

    /// The phone, which comes into being when nobody has heard of it.
    pub(super) fn entry(&mut self, number: &str) -> &mut Phone {
        let index = self.phones.iter().position(|phone| phone.number == number).unwrap_or_else(|| {
            self.phones.push(Phone::new(number));
            self.phones.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the index was just found or made")]
        &mut self.phones[index]
    }

    /// The number of the phone whose owner has this business-scoped user id.
    pub(super) fn number_of(&self, user_id: &str) -> Option<String> {
        let owner = self.phones.iter().find(|phone| phone.profile.user_id.as_deref() == Some(user_id));
        owner.map(|phone| phone.number.clone())
    }

    /// The phone that has a message with this id.
    pub(super) fn with_message(&mut self, message_id: &str) -> Option<&mut Phone> {
        self.phones.iter_mut().find(|phone| phone.message(message_id).is_some())
    }
}

/// The number in E.164 form with the plus, from a form that Meta takes: with or without plus, spaces, hyphens, parentheses.
pub(super) fn normalized(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(|char| !matches!(char, ' ' | '-' | '(' | ')')).collect();
    let number = format!("+{}", digits.strip_prefix('+').unwrap_or(&digits));
    is_e164(&number).then_some(number)
}

/// `+`, no leading zero, and at most 15 digits (ITU-T E.164). WhatsApp has no accounts for short codes.
pub(super) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// A user id of the form that Meta gives, always the same for a number, and without its digits in it.
fn user_id_of(number: &str) -> String {
    format!("US.{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, number.as_bytes()).as_u128())
}

/// Two capital letters, a full stop, and 1 to 128 letters, digits and full stops (Meta, "Business-scoped user IDs").
pub(super) fn is_user_id(id: &str) -> bool {
    id.split_once('.').is_some_and(|(country, rest)| {
        country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=132).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(state: MessageState) -> PhoneMessage {
        PhoneMessage {
            id: "wamid.1".to_owned(),
            direction: Direction::ToPhone,
            content: MessageContent::Text("hello".to_owned()),
            at: Timestamp::UNIX_EPOCH,
            state,
            quotes: None,
            addressed_to: None,
            callback_data: None,
        }
    }

    #[test]
    fn a_state_never_goes_back() {
        use MessageState::{Delivered, Failed, Read, Sent};
        let failed = || Failed("131026 Message undeliverable".to_owned());
        for (from, to, moves) in [
            (Sent, Delivered, true),
            (Sent, Read, true),
            (Sent, failed(), true),
            (Delivered, Read, true),
            (Delivered, Sent, false),
            (Delivered, failed(), false),
            (Read, Delivered, false),
            (failed(), Delivered, false),
        ] {
            let mut message = message(from.clone());
            assert_eq!(message.advance(to.clone()), moves, "{from:?} to {to:?}");
            assert_eq!(message.state, if moves { to } else { from });
        }
    }

    #[test]
    fn the_window_is_open_for_24_hours_after_the_consumers_last_message() {
        let mut phone = Phone::new("+12025550143");
        let written = Timestamp::from_second(1_780_000_000).unwrap();
        assert!(!phone.is_window_open(written), "the consumer has never written");
        phone.last_written = Some(written);
        assert!(phone.is_window_open(written + SignedDuration::from_secs(86_399)));
        assert!(!phone.is_window_open(written + SignedDuration::from_secs(86_400)));
    }

    #[test]
    fn a_number_is_taken_in_the_forms_that_meta_takes() {
        for form in ["+12025550143", "12025550143", "+1 (202) 555-0143"] {
            assert_eq!(normalized(form).as_deref(), Some("+12025550143"), "{form}");
        }
        for form in ["", "US.17", "0202555014", "+1202555014x", "123456", "1234567890123456", "++12025550143"] {
            assert_eq!(normalized(form), None, "{form}");
        }
    }

    #[test]
    fn a_user_id_has_a_country_and_a_full_stop() {
        for id in ["US.13491208655302741918", "DE.a7", "US.ENT.118157"] {
            assert!(is_user_id(id), "{id}");
        }
        for id in ["", "US", "US.", "us.17", "USA.17", "12025550143", "US.1-2"] {
            assert!(!is_user_id(id), "{id}");
        }
    }
}
