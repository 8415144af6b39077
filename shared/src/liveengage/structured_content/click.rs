//! Clicks and their actions.

use jiff::Timestamp;
use serde_json::{Map as Object, Value};

use super::{Reader, listed};
use crate::domain::rich_content::{
    Action, CartItem, Click, DatePicker, KeyValue, ScheduleSlot, ScheduleSlotList, SlotTime,
};

/// Above this a time is in milliseconds: as seconds it would be in the year 5138.
const MOST_SECONDS: i64 = 100_000_000_000;

impl Reader {
    /// `None` for a click that does and says nothing, also when all it did was opening something that must not be opened:
    /// then its metadata would make a choice of what is none.
    pub(super) fn read_click(&mut self, click: &Object<String, Value>) -> Option<Click> {
        let wanted = listed(click.get("actions"));
        let mut actions = Vec::new();
        for action in wanted {
            if self.afford(action) {
                actions.extend(self.action(action));
            }
        }
        let metadata = self.metadata(click);
        let says_something = metadata.is_some() && wanted.is_empty();
        (!actions.is_empty() || says_something).then_some(Click { actions, metadata })
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
                earliest: object.get("minDate").and_then(moment),
                latest: object.get("maxDate").and_then(moment),
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

    /// The first of a link's addresses that can be followed; those for one kind of device stand in for the general one.
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
        for value in listed(object.get("slots")) {
            let Some(slot) = value.as_object() else {
                self.ignored.actions += 1;
                continue;
            };
            if self.afford(value) {
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
        match slot.get(key).and_then(moment) {
            Some(at) => Some(SlotTime::At(at)),
            None => self.text(slot, key).map(SlotTime::Said),
        }
    }

    fn cart(&mut self, object: &Object<String, Value>) -> Vec<CartItem> {
        let mut items = Vec::new();
        for value in listed(object.get("items")) {
            let item = value.as_object();
            if self.afford(value)
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
        for value in listed(object.get("data")) {
            let entry = value.as_object();
            if self.afford(value)
                && let Some(key) = entry.and_then(|entry| self.text(entry, "key"))
            {
                data.push(KeyValue { key, value: entry.and_then(|entry| self.text(entry, "value")) });
            }
        }
        data
    }
}

/// A time as seconds or milliseconds since 1970, in digits or as a number, or as RFC 3339 has it.
fn moment(value: &Value) -> Option<Timestamp> {
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
