//! Structured content in the connector's own terms: cards, carousels, lists, buttons and quick replies.
//!
//! Describes what an agent or a bot offers a consumer, without styles (colors, borders, sizes). The limits named here are LivePerson's
//! limits for senders (Rich Messaging pages and the JSON schemas of its validator). Nothing here enforces them.

use serde::{Deserialize, Serialize};

use crate::MessageText;

mod click;
mod coordinates;
mod link;

pub use click::{Action, CartItem, Click, DatePicker, Metadata, ScheduleSlot, ScheduleSlotList, SlotTime};
pub use coordinates::Coordinates;
pub use link::{InvalidLink, Link};

/// A structured message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichContent {
    /// The elements, in reading order.
    pub elements: Vec<Element>,
    /// Answers offered below the message until the next message. At most 24.
    pub quick_replies: Vec<Button>,
}

/// One part of a structured message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "element", rename_all = "snake_case")]
pub enum Element {
    /// A group of elements.
    Container(Container),
    /// A text.
    Text(Text),
    /// A button.
    Button(Button),
    /// A picture.
    Image(Image),
    /// A location on a map.
    Map(Map),
    /// A link with a preview of the page.
    LinkPreview(LinkPreview),
    /// A question with plain texts as answers.
    QuickReplyTemplate(QuickReplyTemplate),
    /// A table with two columns.
    KeyValuePairs {
        /// The rows. At most 50.
        pairs: Vec<KeyValue>,
    },
    /// Options of which the consumer may choose several.
    Checklist {
        /// The options. 2 to 256.
        boxes: Vec<Checkbox>,
    },
    /// The button that submits the checked options of the checklists.
    SubmitButton(Button),
}

/// A group of elements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// How the elements are arranged.
    pub layout: Layout,
    /// The heading.
    pub title: Option<MessageText>,
    /// The text to show if the container can't be shown. At most 2000 characters.
    pub alt: Option<MessageText>,
    /// The metadata of the container itself.
    pub metadata: Option<Metadata>,
    /// The elements, in reading order. At most 256.
    pub elements: Vec<Element>,
}

/// How the elements of a container are arranged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Layout {
    /// One below the other: a card.
    Vertical,
    /// Side by side.
    Horizontal,
    /// Cards to swipe through.
    Carousel,
    /// Cards of which the consumer chooses one or several.
    CarouselSelect {
        /// The sender's name of the selection.
        name: Option<MessageText>,
        /// Whether the consumer may choose several.
        several: bool,
    },
    /// Collapsible sections of which the consumer chooses one or several.
    AccordionSelect {
        /// The sender's name of the selection.
        name: Option<MessageText>,
        /// Whether the consumer may choose several.
        several: bool,
        /// The headings, one per element.
        titles: Vec<AccordionTitle>,
    },
    /// Pages in tabs.
    Tabs,
    /// A form: a text, sections with checklists, and the buttons that submit it.
    List,
    /// The sections of a list.
    SectionList,
    /// A section: a text and a checklist.
    Section {
        /// The sender's id of the section. At most 256 characters.
        id: Option<MessageText>,
    },
    /// The buttons of a list.
    ButtonList,
}

/// The heading of a collapsible section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccordionTitle {
    /// The heading.
    pub name: Option<MessageText>,
    /// The text beside the heading, for example a price.
    pub additional: Option<MessageText>,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The text. At most 5000 characters. May contain HTML entities.
    pub text: MessageText,
    /// The text shown when the mouse pointer is over the element.
    pub tooltip: Option<MessageText>,
    /// The text to show if the element can't be shown.
    pub alt: Option<MessageText>,
    /// What a click does.
    pub click: Option<Click>,
}

/// A button, or a quick reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// The label. At most 128 characters.
    pub title: Option<MessageText>,
    /// The second line of the label, in smaller letters.
    pub subtitle: Option<MessageText>,
    /// The text shown when the mouse pointer is over the element.
    pub tooltip: Option<MessageText>,
    /// What a click does.
    pub click: Option<Click>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The address. `None` if it is not a valid [`Link`].
    pub url: Option<Link>,
    /// The text below the picture. At most 128 characters.
    pub caption: Option<MessageText>,
    /// The text shown when the mouse pointer is over the element.
    pub tooltip: Option<MessageText>,
    /// The text to show if the element can't be shown.
    pub alt: Option<MessageText>,
    /// What a click does.
    pub click: Option<Click>,
}

/// A location on a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// The coordinates. `None` if they are out of range.
    pub place: Option<Coordinates>,
    /// The text shown when the mouse pointer is over the element.
    pub tooltip: Option<MessageText>,
    /// The text to show if the element can't be shown.
    pub alt: Option<MessageText>,
    /// What a click does. Usually [`Action::Navigate`] to the same location, with its name.
    pub click: Option<Click>,
}

/// A link with a preview of its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPreview {
    /// The page. `None` if its address is not a valid [`Link`].
    pub url: Option<Link>,
    /// The page's title. At most 128 characters.
    pub title: Option<MessageText>,
}

/// A question with plain texts as answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickReplyTemplate {
    /// The question. At most 5000 characters.
    pub title: Option<MessageText>,
    /// The answers: 1 to 32, of at most 128 characters each. An answer is shown and published unchanged.
    pub responses: Vec<MessageText>,
}

/// A row of a table, or an entry of a custom action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The name.
    pub key: MessageText,
    /// The value.
    pub value: Option<MessageText>,
}

/// An option of a checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkbox {
    /// The label. At most 5000 characters.
    pub text: MessageText,
    /// What checking the option does.
    pub click: Option<Click>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_holds_no_text_no_address_and_no_metadata() {
        let content = RichContent {
            elements: vec![Element::Button(Button {
                title: Some(MessageText::new("secret title")),
                click: Some(Click {
                    actions: vec![Action::Link { uri: Link::parse("https://secret.example").unwrap(), name: None }],
                    metadata: Metadata::new(&json!([{"id": "secret"}])),
                }),
                ..Button::default()
            })],
            quick_replies: vec![],
        };
        let shown = format!("{content:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
