//! Clicks, their actions and their metadata.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Coordinates, KeyValue, Link};
use crate::MessageText;

/// What a click does. Actions and metadata may each be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Click {
    /// The actions. A click performs all of them. At most 4.
    pub actions: Vec<Action>,
    /// The metadata that is sent to LiveEngage with the click. A bot recognizes the button by it.
    pub metadata: Option<Metadata>,
}

/// One action of a click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Publishes a text as the consumer.
    PublishText {
        /// The text. May differ from the button's title.
        text: MessageText,
    },
    /// Opens a page, a message to an address, or a phone call.
    Link {
        /// The target.
        uri: Link,
        /// The name of the link.
        name: Option<MessageText>,
    },
    /// Shows the way to a location.
    Navigate {
        /// The coordinates. `None` if they are out of range.
        place: Option<Coordinates>,
        /// The name of the location.
        name: Option<MessageText>,
    },
    /// Lets the consumer pick a date or a date range.
    DatePicker(DatePicker),
    /// Lets the consumer pick an appointment.
    ScheduleSlotList(ScheduleSlotList),
    /// Adds products to the shop's cart.
    AddToCart {
        /// The products. At most 10.
        items: Vec<CartItem>,
    },
    /// An action that only the brand's own software understands.
    Custom {
        /// The data. At most 10 entries.
        data: Vec<KeyValue>,
    },
    /// Checks an option of a checklist.
    Checked {
        /// The text that the option adds to the published text. At most 250 characters.
        publish: Option<MessageText>,
    },
    /// Publishes the checked options as one text, joined by commas.
    SubmitAsText,
    /// An action of an unknown type.
    Unknown,
}

/// A calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatePicker {
    /// Whether the consumer picks a range instead of one date.
    pub range: bool,
    /// The title. At most 40 characters.
    pub title: Option<MessageText>,
    /// An instant on the earliest date.
    pub earliest: Option<Timestamp>,
    /// An instant on the latest date.
    pub latest: Option<Timestamp>,
    /// The format of the date in the answer, for example `dd-MM-YYYY`.
    pub format: Option<MessageText>,
}

/// A list of appointments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSlotList {
    /// The title. At most 40 characters.
    pub title: Option<MessageText>,
    /// The appointments. At most 256.
    pub slots: Vec<ScheduleSlot>,
}

/// An appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSlot {
    /// The sender's id.
    pub id: Option<MessageText>,
    /// The start.
    pub start: Option<SlotTime>,
    /// The end.
    pub end: Option<SlotTime>,
    /// The title. At most 40 characters.
    pub title: Option<MessageText>,
    /// The description. At most 40 characters.
    pub description: Option<MessageText>,
    /// A picture.
    pub image: Option<Link>,
}

/// The start or end of an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotTime {
    /// An instant.
    At(Timestamp),
    /// The sender's text, if it can't be read as an instant.
    Said(MessageText),
}

/// A product for the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    /// The shop's id of the product.
    pub product: MessageText,
    /// The quantity.
    pub quantity: i64,
}

/// The metadata that LiveEngage expects back when an element is clicked: an array of objects. The connector passes it through unchanged.
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[debug("Metadata({} entries)", _0.as_array().map_or(0, Vec::len))]
#[serde(transparent)]
pub struct Metadata(Value);

impl Metadata {
    /// Wraps an array that is not empty, or a bare object as an array of one. `None` for any other value.
    pub fn new(value: &Value) -> Option<Self> {
        match value {
            Value::Array(entries) if !entries.is_empty() => Some(Self(value.clone())),
            Value::Object(_) => Some(Self(Value::Array(vec![value.clone()]))),
            _ => None,
        }
    }

    /// The array. Only for the wire format.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_is_an_array_and_is_not_changed() {
        let entries = json!([{"type": "ExternalId", "id": "x"}, {}]);
        assert_eq!(Metadata::new(&entries).unwrap().as_value(), &entries);
        assert_eq!(Metadata::new(&json!({"a": 1})).unwrap().as_value(), &json!([{"a": 1}]));
        for nothing in [json!([]), json!(null), json!("x")] {
            assert_eq!(Metadata::new(&nothing), None);
        }
    }
}
