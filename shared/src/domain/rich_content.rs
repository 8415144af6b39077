//! Structured content in the connector's own terms: cards, carousels, lists, buttons and quick replies.
//!
//! It says what an agent or a bot offers a person, and nothing about looks (colours, borders, sizes): those belong to channels
//! that draw. The sizes named here are those that LivePerson documents for senders; nothing here enforces them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::MessageText;

mod link;

pub use link::{Link, NotALink};

/// A structured message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RichContent {
    /// What is shown, in reading order.
    pub elements: Vec<Element>,
    /// Answers offered below the message, which go away with the next message. 24 at most.
    pub quick_replies: Vec<Button>,
}

/// One part of a structured message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "element", rename_all = "snake_case")]
pub enum Element {
    /// Elements that belong together.
    Container(Container),
    /// A text.
    Text(Text),
    /// A button.
    Button(Button),
    /// A picture.
    Image(Image),
    /// A place on a map.
    Map(Map),
    /// A link that channels show with a preview of the page.
    LinkPreview(LinkPreview),
    /// A question with answers that are texts and nothing else.
    QuickReplyTemplate(QuickReplyTemplate),
    /// A table of two columns.
    KeyValuePairs {
        /// The rows, 50 at most.
        pairs: Vec<KeyValue>,
    },
    /// Options of which several may be chosen.
    Checklist {
        /// The options, 2 to 256.
        boxes: Vec<Checkbox>,
    },
    /// The button that sends what was ticked in the checklists.
    SubmitButton(Button),
}

/// Elements that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// How they belong together.
    pub layout: Layout,
    /// A heading, where one is given.
    pub title: Option<MessageText>,
    /// What stands for the whole container where it can't be shown. At most 2000 characters.
    pub alt: Option<MessageText>,
    /// What names the container itself.
    pub metadata: Option<Metadata>,
    /// The elements, in reading order, 256 at most.
    pub elements: Vec<Element>,
}

/// How the elements of a container belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Layout {
    /// One below the other: a card.
    Vertical,
    /// Side by side.
    Horizontal,
    /// Cards to leaf through.
    Carousel,
    /// Cards of which one or several can be chosen.
    CarouselSelect {
        /// The name of the selection, for the sender's own use.
        name: Option<MessageText>,
        /// Whether several may be chosen.
        several: bool,
    },
    /// Sections that fold out and of which one or several can be chosen.
    AccordionSelect {
        /// The name of the selection, for the sender's own use.
        name: Option<MessageText>,
        /// Whether several may be chosen.
        several: bool,
        /// The headings, one for each element.
        titles: Vec<AccordionTitle>,
    },
    /// Pages behind tabs.
    Tabs,
    /// A form: a text, sections of checklists, and the buttons that send it.
    List,
    /// The sections of a list.
    SectionList,
    /// A section: a text and a checklist.
    Section {
        /// The sender's name of the section. At most 256 characters.
        id: Option<MessageText>,
    },
    /// The buttons of a list.
    ButtonList,
}

/// The heading of a section that folds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccordionTitle {
    /// The heading.
    pub name: Option<MessageText>,
    /// What stands beside it, for example a price.
    pub additional: Option<MessageText>,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The text. At most 5000 characters; may hold HTML entities.
    pub text: MessageText,
    /// What appears when a mouse rests on it.
    pub tooltip: Option<MessageText>,
    /// What stands for it where it can't be shown.
    pub alt: Option<MessageText>,
    /// What a click does.
    pub click: Option<Click>,
}

/// A button, or a quick reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What it says. At most 128 characters.
    pub title: Option<MessageText>,
    /// What it says in smaller letters.
    pub subtitle: Option<MessageText>,
    /// What appears when a mouse rests on it.
    pub tooltip: Option<MessageText>,
    /// What a click does.
    pub click: Option<Click>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it is; `None` for an address that no link can hold.
    pub url: Option<Link>,
    /// What stands below it. At most 128 characters.
    pub caption: Option<MessageText>,
    /// What appears when a mouse rests on it.
    pub tooltip: Option<MessageText>,
    /// What stands for it where it can't be shown.
    pub alt: Option<MessageText>,
    /// What a click does.
    pub click: Option<Click>,
}

/// A place on a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Map {
    /// The place; `None` where the coordinates were no place on earth.
    pub place: Option<Coordinates>,
    /// What appears when a mouse rests on it.
    pub tooltip: Option<MessageText>,
    /// What stands for it where it can't be shown.
    pub alt: Option<MessageText>,
    /// What a click does: mostly [`Action::Navigate`] to the same place, with its name.
    pub click: Option<Click>,
}

/// A link with a preview of its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPreview {
    /// The page; `None` for an address that no link can hold.
    pub url: Option<Link>,
    /// The page's title. At most 128 characters.
    pub title: Option<MessageText>,
}

/// A question with answers that are texts and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickReplyTemplate {
    /// The question. At most 5000 characters.
    pub title: Option<MessageText>,
    /// The answers, 1 to 32 of at most 128 characters: each is shown and published as it is.
    pub responses: Vec<MessageText>,
}

/// A row of a table, or an entry of a custom action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The name.
    pub key: MessageText,
    /// The value, if there is one.
    pub value: Option<MessageText>,
}

/// An option of a checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkbox {
    /// What it says. At most 5000 characters.
    pub text: MessageText,
    /// What ticking it means.
    pub click: Option<Click>,
}

/// What a click does. Either half may come without the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Click {
    /// What happens, all of it. 4 at most.
    pub actions: Vec<Action>,
    /// What LiveEngage is told about the click, so that a bot knows which button it was.
    pub metadata: Option<Metadata>,
}

/// One thing that a click does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Says something in the person's name.
    PublishText {
        /// What is said, which can differ from the button's title.
        text: MessageText,
    },
    /// Opens a page, or writes or calls somebody.
    Link {
        /// The target.
        uri: Link,
        /// What the link is called.
        name: Option<MessageText>,
    },
    /// Shows the way to a place.
    Navigate {
        /// The place; `None` where the coordinates were no place on earth.
        place: Option<Coordinates>,
        /// What the place is called.
        name: Option<MessageText>,
    },
    /// Lets a person pick a date, or a first and a last one.
    DatePicker(DatePicker),
    /// Lets a person pick an appointment.
    ScheduleSlotList(ScheduleSlotList),
    /// Puts something into the shop's cart.
    AddToCart {
        /// The products, 10 at most.
        items: Vec<CartItem>,
    },
    /// Something between the brand's own software at both ends.
    Custom {
        /// Its data, 10 entries at most.
        data: Vec<KeyValue>,
    },
    /// Ticks an option of a checklist.
    Checked {
        /// What the option adds to the text that is published. At most 250 characters.
        publish: Option<MessageText>,
    },
    /// Publishes the ticked options as one text, joined by commas.
    SubmitAsText,
    /// An action that the connector doesn't know.
    Unknown,
}

/// A calendar to pick from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatePicker {
    /// Whether a first and a last date are picked.
    pub range: bool,
    /// What it asks for. At most 40 characters.
    pub title: Option<MessageText>,
    /// The earliest date, as a moment of it.
    pub earliest: Option<Timestamp>,
    /// The latest date, as a moment of it.
    pub latest: Option<Timestamp>,
    /// How a date is written in the answer, for example `dd-MM-YYYY`.
    pub format: Option<MessageText>,
}

/// Appointments to pick from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSlotList {
    /// What it asks for. At most 40 characters.
    pub title: Option<MessageText>,
    /// The appointments, 256 at most.
    pub slots: Vec<ScheduleSlot>,
}

/// An appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSlot {
    /// The sender's name of it.
    pub id: Option<MessageText>,
    /// When it begins.
    pub start: Option<SlotTime>,
    /// When it ends.
    pub end: Option<SlotTime>,
    /// What it is. At most 40 characters.
    pub title: Option<MessageText>,
    /// More about it. At most 40 characters.
    pub description: Option<MessageText>,
    /// A picture of it.
    pub image: Option<Link>,
}

/// A time of an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotTime {
    /// A moment.
    At(Timestamp),
    /// Words that are no moment that the connector can read.
    Said(MessageText),
}

/// A product for the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    /// The shop's id of the product.
    pub product: MessageText,
    /// How many.
    pub quantity: i64,
}

/// What LiveEngage wants to hear again when an element is clicked: an array of objects that the connector never looks into.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Value);

impl Metadata {
    /// Takes an array as it is and a bare object as an array of one; `None` for whatever says nothing.
    pub fn new(value: &Value) -> Option<Self> {
        match value {
            Value::Array(entries) if !entries.is_empty() => Some(Self(value.clone())),
            Value::Object(_) => Some(Self(Value::Array(vec![value.clone()]))),
            _ => None,
        }
    }

    /// The array, for the wire only.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} entries)", self.0.as_array().map_or(0, Vec::len))
    }
}

/// A place on earth, to the centimetre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Ten-millionths of a degree, north positive.
    latitude: i64,
    /// Ten-millionths of a degree, east positive.
    longitude: i64,
}

impl Coordinates {
    const UNITS: f64 = 1e7;

    /// A place from degrees; `None` for what is no place on earth.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let units = |degrees: f64, most: f64| {
            // In range by then: nothing is cut off.
            (degrees.abs() <= most).then(|| (degrees * Self::UNITS).round() as i64)
        };
        Some(Self { latitude: units(latitude, 90.0)?, longitude: units(longitude, 180.0)? })
    }

    /// Degrees, north positive.
    pub fn latitude(self) -> f64 {
        self.latitude as f64 / Self::UNITS
    }

    /// Degrees, east positive.
    pub fn longitude(self) -> f64 {
        self.longitude as f64 / Self::UNITS
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_has_to_be_on_earth() {
        let place = Coordinates::new(52.520_008, -13.404_954).unwrap();
        assert_eq!((place.latitude(), place.longitude()), (52.520_008, -13.404_954));
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Coordinates::new(latitude, longitude), None);
        }
    }

    #[test]
    fn metadata_is_an_array_and_passes_unchanged() {
        let entries = json!([{"type": "ExternalId", "id": "x"}, {}]);
        assert_eq!(Metadata::new(&entries).unwrap().as_value(), &entries);
        assert_eq!(Metadata::new(&json!({"a": 1})).unwrap().as_value(), &json!([{"a": 1}]));
        for nothing in [json!([]), json!(null), json!("x")] {
            assert_eq!(Metadata::new(&nothing), None);
        }
    }

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
