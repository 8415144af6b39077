//! Reads clicks and their actions.

use jiff::Timestamp;
use serde_json::{Map as Object, Value};

use super::Reader;
use connector_message::{
    json::one_or_many,
    rich_content::{Action, CartItem, Click, DatePicker, KeyValue, ScheduleSlot, ScheduleSlotList, SlotTime},
};

/// A time above this is in milliseconds: in seconds it would be in the year 5138.
const MOST_SECONDS: i64 = 100_000_000_000;

impl Reader {
    /// `None` for a click without actions and metadata. Also `None` if none of its actions could be read, for example a link with a
    /// forbidden scheme: with its metadata alone, the element would become a choice.
    pub(super) fn read_click(&mut self, click: &Object<String, Value>) -> Option<Click> {
        let values = one_or_many(click.get("actions"));
        let mut actions = Vec::new();
        for action in values {
            if self.take_from_budget(action) {
                actions.extend(self.action(action));
            }
        }
        let metadata = self.metadata(click);
        let has_only_metadata = metadata.is_some() && values.is_empty();
        (!actions.is_empty() || has_only_metadata).then_some(Click { actions, metadata })
    }

    fn action(&mut self, value: &Value) -> Option<Action> {
        let Some(object) = value.as_object() else {
            self.ignored.actions += 1;
            return None;
        };
        let read = match object.get("type").and_then(Value::as_str).unwrap_or_default() {
            "publishText" => self.text(object, "text").map(|text| Action::PublishText { text }),
            "link" => return self.link_action(object),
            "navigate" => Some(Action::Navigate { place: self.coordinates(object), name: self.text(object, "name") }),
            "datePicker" => Some(Action::DatePicker(DatePicker {
                range: object.get("class").and_then(Value::as_str) == Some("range"),
                title: self.text(object, "title"),
                earliest: object.get("minDate").and_then(timestamp),
                latest: object.get("maxDate").and_then(timestamp),
                format: self.text(object, "dateFormat"),
            })),
            "scheduleSlotList" => Some(self.slot_list(object)),
            "addToCart" => Some(Action::AddToCart { items: self.cart(object) }),
            "custom" => Some(Action::Custom { data: self.custom(object) }),
            "checked" => Some(Action::Checked { publish: self.text(object, "publishText") }),
            "submitAsText" => Some(Action::SubmitAsText),
            _ => None,
        };
        self.ignored.actions += u32::from(read.is_none());
        Some(read.unwrap_or(Action::Unknown))
    }

    /// Reads a link. If the general address is missing or invalid, uses the first valid address for a type of device.
    fn link_action(&mut self, object: &Object<String, Value>) -> Option<Action> {
        let mut uri = self.link(object, "uri");
        for device in ["web", "ios", "android"] {
            if uri.is_none()
                && let Some(device) = object.get(device).and_then(Value::as_object)
            {
                uri = self.link(device, "uri");
            }
        }
        if uri.is_none() && !object.contains_key("uri") {
            self.ignored.actions += 1;
        }
        let name = self.text(object, "name");
        uri.map(|uri| Action::Link { uri, name })
    }

    fn slot_list(&mut self, object: &Object<String, Value>) -> Action {
        let mut slots = Vec::new();
        for value in one_or_many(object.get("slots")) {
            let Some(slot) = value.as_object() else {
                self.ignored.actions += 1;
                continue;
            };
            if self.take_from_budget(value) {
                slots.push(ScheduleSlot {
                    id: self.text(slot, "id"),
                    start: self.slot_time(slot, "start"),
                    end: self.slot_time(slot, "end"),
                    title: self.text(slot, "title"),
                    description: self.text(slot, "description"),
                    image: self.link(slot, "imageUrl"),
                });
            }
        }
        Action::ScheduleSlotList(ScheduleSlotList { title: self.text(object, "title"), slots })
    }

    fn slot_time(&mut self, slot: &Object<String, Value>, key: &str) -> Option<SlotTime> {
        match slot.get(key).and_then(timestamp) {
            Some(at) => Some(SlotTime::At(at)),
            None => self.text(slot, key).map(SlotTime::Said),
        }
    }

    fn cart(&mut self, object: &Object<String, Value>) -> Vec<CartItem> {
        let mut items = Vec::new();
        for value in one_or_many(object.get("items")) {
            let item = value.as_object();
            if self.take_from_budget(value)
                && let Some(product) = item.and_then(|item| self.text(item, "productId"))
            {
                let quantity = item.and_then(|item| item.get("quantity")).and_then(Value::as_i64).unwrap_or(1);
                items.push(CartItem { product, quantity });
            }
        }
        items
    }

    fn custom(&mut self, object: &Object<String, Value>) -> Vec<KeyValue> {
        let mut data = Vec::new();
        for value in one_or_many(object.get("data")) {
            let entry = value.as_object();
            if self.take_from_budget(value)
                && let Some(key) = entry.and_then(|entry| self.text(entry, "key"))
            {
                data.push(KeyValue { key, value: entry.and_then(|entry| self.text(entry, "value")) });
            }
        }
        data
    }
}

/// Reads a time: seconds or milliseconds since 1970, as a number or as digits in a string, or RFC 3339.
fn timestamp(value: &Value) -> Option<Timestamp> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64)),
        Value::String(text) => match text.trim().parse() {
            Ok(number) => Some(number),
            Err(_) => return text.trim().parse().ok(),
        },
        _ => None,
    }?;
    if number.unsigned_abs() > MOST_SECONDS.unsigned_abs() {
        Timestamp::from_millisecond(number).ok()
    } else {
        Timestamp::from_second(number).ok()
    }
}
