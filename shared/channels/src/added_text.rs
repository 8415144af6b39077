//! Text that the connector adds around an agent's or bot's message: the name of who wrote it, or how long ago it was written.

use connector_message::MessageText;
use jiff::SignedDuration;

use crate::{
    Capabilities,
    message::{OutboundContent, RichMessage},
};

/// The placeholder of a template for the message itself.
const TEXT: &str = "{text}";

/// A template of a message: a text with `{text}` and one more placeholder, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTemplate {
    before: String,
    after: String,
    placeholder: &'static str,
}

impl MessageTemplate {
    /// Parses a template with `{text}` and `placeholder`, for example `{nickname}: {text}`. `None` unless each is in it once.
    pub fn parse(template: &str, placeholder: &'static str) -> Option<Self> {
        let (before, after) = template.split_once(TEXT)?;
        let is_complete = !after.contains(TEXT) && template.matches(placeholder).count() == 1;
        is_complete.then(|| Self { before: before.to_owned(), after: after.to_owned(), placeholder })
    }

    /// Returns what a message gets before and after its text, with `value` in place of the placeholder.
    pub fn filled(&self, value: &str) -> AddedText {
        let filled = |part: &str| MessageText::new(part.replacen(self.placeholder, value, 1));
        AddedText { before: filled(&self.before), after: filled(&self.after) }
    }
}

/// What the connector adds before and after the text of a message. `Debug` hides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedText {
    /// What comes before the text.
    pub before: MessageText,
    /// What comes after it.
    pub after: MessageText,
}

impl Default for AddedText {
    fn default() -> Self {
        Self { before: MessageText::new(""), after: MessageText::new("") }
    }
}

impl AddedText {
    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        self.before.as_str().is_empty() && self.after.as_str().is_empty()
    }

    /// Returns both additions in one, with `self` outside.
    pub fn around(&self, inner: &Self) -> Self {
        let joined =
            |first: &MessageText, second: &MessageText| MessageText::new([first.as_str(), second.as_str()].concat());
        Self { before: joined(&self.before, &inner.before), after: joined(&inner.after, &self.after) }
    }

    /// Adds it to the first text of a message. A blank text, a file, and a text of a message with a picture, buttons, a list or a link
    /// button that would become too long for the line stay as they are.
    pub fn apply(&self, content: OutboundContent, capabilities: &Capabilities) -> OutboundContent {
        match content {
            OutboundContent::Text { text } => OutboundContent::Text { text: self.with(&text) },
            OutboundContent::Rich { mut messages } => {
                if let Some(message) = messages.iter_mut().find(|message| message.text.is_some()) {
                    let text = message.text.as_ref().map(|text| self.with(text));
                    if is_plain(message) || text.as_ref().is_some_and(|text| fits(text, capabilities)) {
                        message.text = text;
                    }
                }
                OutboundContent::Rich { messages }
            }
            OutboundContent::File(file) => OutboundContent::File(file),
        }
    }

    fn with(&self, text: &MessageText) -> MessageText {
        if text.as_str().trim().is_empty() {
            return text.clone();
        }
        MessageText::new([self.before.as_str(), text.as_str(), self.after.as_str()].concat())
    }
}

/// Whether a message is only a text, which a line splits if it is too long.
const fn is_plain(message: &RichMessage) -> bool {
    message.picture.is_none() && message.choices.is_empty() && message.links.is_empty()
}

fn fits(text: &MessageText, capabilities: &Capabilities) -> bool {
    text.as_str().chars().count() <= capabilities.interactive_text
}

/// Returns an age for a person, rounded down: `45 min`, `3 h`, `2 d`. These unit symbols are the same in many languages.
pub fn age_text(age: SignedDuration) -> String {
    let minutes = age.as_mins().max(0);
    match minutes {
        0..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ShownChoice;
    use connector_message::rich_content::Link;

    const NICKNAME: &str = "{nickname}";

    fn added(template: &str, name: &str) -> AddedText {
        MessageTemplate::parse(template, NICKNAME).unwrap().filled(name)
    }

    fn text(text: &str) -> OutboundContent {
        OutboundContent::Text { text: MessageText::new(text) }
    }

    #[test]
    fn a_template_needs_each_placeholder_once() {
        for wrong in
            ["", "{text}", "{nickname}", "{text} {text} {nickname}", "{nickname}{nickname}: {text}", "{name}: {text}"]
        {
            assert_eq!(MessageTemplate::parse(wrong, NICKNAME), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_comes_before_or_after_a_text() {
        let shown = |template, name| added(template, name).apply(text("Hello"), &Capabilities::TEXT_ONLY);
        assert_eq!(shown("{nickname}: {text}", "Ada"), text("Ada: Hello"));
        assert_eq!(shown("{text}\n({nickname})", "Ada"), text("Hello\n(Ada)"));
        assert_eq!(shown("{nickname}: {text}", "{text}{nickname}"), text("{text}{nickname}: Hello"));
    }

    #[test]
    fn a_blank_text_stays_blank() {
        assert_eq!(added("{nickname}: {text}", "Ada").apply(text(" \n"), &Capabilities::TEXT_ONLY), text(" \n"));
    }

    #[test]
    fn one_addition_encloses_another() {
        let both = added("[{nickname}] {text}!", "late").around(&added("{nickname}: {text}?", "Ada"));
        assert_eq!(both.apply(text("Hello"), &Capabilities::TEXT_ONLY), text("[late] Ada: Hello?!"));
        assert!(!both.is_empty() && AddedText::default().is_empty());
        assert_eq!(AddedText::default().around(&both), both);
    }

    #[test]
    fn a_message_with_buttons_has_room_for_it_or_none() {
        let choice = ShownChoice { id: "a.1".to_owned(), title: MessageText::new("Yes") };
        let question = |shown: &str| OutboundContent::Rich {
            messages: vec![RichMessage {
                text: Some(MessageText::new(shown)),
                choices: vec![choice.clone()],
                ..RichMessage::default()
            }],
        };
        let shown = |longest| {
            let capabilities = Capabilities { interactive_text: longest, ..Capabilities::TEXT_ONLY };
            added("{nickname}: {text}", "Ada").apply(question("Yes?"), &capabilities)
        };
        assert_eq!(shown(9), question("Ada: Yes?"));
        assert_eq!(shown(8), question("Yes?"));
    }

    #[test]
    fn only_the_first_text_of_several_messages_gets_it() {
        let picture =
            || RichMessage { picture: Link::parse("https://pictures.example/a.png").ok(), ..RichMessage::default() };
        let plain = |text: &str| RichMessage { text: Some(MessageText::new(text)), ..RichMessage::default() };
        let shown = added("{nickname}: {text}", "Ada").apply(
            OutboundContent::Rich { messages: vec![picture(), plain("one"), plain("two")] },
            &Capabilities::TEXT_ONLY,
        );
        assert_eq!(shown, OutboundContent::Rich { messages: vec![picture(), plain("Ada: one"), plain("two")] });
    }

    #[test]
    fn an_age_is_short() {
        for (minutes, shown) in
            [(-5, "0 min"), (59, "59 min"), (60, "1 h"), (2879, "47 h"), (2880, "2 d"), (100_000, "69 d")]
        {
            assert_eq!(age_text(SignedDuration::from_mins(minutes)), shown);
        }
    }

    #[test]
    fn debug_hides_what_is_added() {
        assert!(!format!("{:?}", added("{nickname}: {text}", "Ada")).contains("Ada"));
    }
}
