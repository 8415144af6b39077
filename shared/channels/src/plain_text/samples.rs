//! Samples of structured content for the tests of renderers.

use proptest::prelude::*;
use serde_json::{Value, json};

use connector_liveengage::structured_content::MOST_DEPTH;

/// Calls a macro with the names of the fixtures, one per template.
macro_rules! every_template {
    ($use:ident) => {
        $use!(
            text,
            button_link,
            button_publish,
            image,
            map,
            map_off_the_earth,
            quick_replies,
            survey_stars,
            survey_nps,
            card,
            carousel,
            checklist,
            checklist_sections,
            date_picker,
            date_picker_single,
            schedule_slots,
            carousel_select,
            accordion_select,
            tabs,
            key_value_pairs,
            link_preview,
            template,
            cart_and_custom,
            dangerous_link,
            unknown_elements,
            swapped_menu,
        );
    };
}
pub(crate) use every_template;

/// The JSON of an element, and the texts that must be visible.
pub(crate) type Sample = (Value, Vec<String>);

pub(crate) fn words() -> impl Strategy<Value = String> {
    "[A-Za-zäß👉][A-Za-z &]{0,12}[a-z]"
}

fn link() -> impl Strategy<Value = String> {
    "https://[a-z]{1,8}\\.example/[a-z]{0,5}"
}

pub(crate) fn button() -> impl Strategy<Value = Sample> {
    let action = prop_oneof![
        (words()).prop_map(|text| (json!({"type": "publishText", "text": text}), vec![])),
        (link(), words()).prop_map(|(uri, name)| (json!({"type": "link", "uri": uri, "name": name}), vec![uri])),
        Just((json!({"type": "navigate", "la": 1.5, "lo": -2.25}), vec!["q=1.5,-2.25".to_owned()])),
        words().prop_map(|title| (json!({"type": "datePicker", "class": "single", "title": title}), vec![title])),
        (words(), words(), words()).prop_map(|(title, slot, more)| {
            let slots = json!([{"type": "scheduleSlot", "title": slot, "description": more, "start": 1_772_697_600}]);
            let seen = vec![title.clone(), slot, more, "2026-03-05 08:00".to_owned()];
            (json!({"type": "scheduleSlotList", "title": title, "slots": slots}), seen)
        }),
        Just((json!({"type": "custom", "data": []}), vec![])),
        Just((json!({"type": "hologram"}), vec![])),
    ];
    let click = (prop::collection::vec(action, 0..3), any::<bool>());
    (words(), prop::option::of(words()), prop::option::of(click)).prop_map(|(title, subtitle, click)| {
        let mut json = json!({"type": "button", "title": title, "subtitle": subtitle});
        let mut seen = vec![title];
        seen.extend(subtitle);
        if let Some((actions, metadata)) = click {
            json["click"] = json!({"actions": actions.iter().map(|(json, _)| json).collect::<Vec<_>>()});
            if metadata {
                json["click"]["metadata"] = json!([{"type": "ExternalId", "id": "e"}]);
            }
            seen.extend(actions.into_iter().flat_map(|(_, seen)| seen));
        }
        (json, seen)
    })
}

pub(crate) fn tree() -> impl Strategy<Value = Sample> {
    let leaf = prop_oneof![
        words().prop_map(|text| (json!({"type": "text", "text": text}), vec![text])),
        (words(), link()).prop_map(|(text, uri)| {
            let click = json!({"actions": [{"type": "link", "uri": uri}]});
            (json!({"type": "text", "text": text, "click": click}), vec![text, uri])
        }),
        button(),
        (link(), words()).prop_map(|(url, caption)| {
            (json!({"type": "image", "url": url, "caption": caption}), vec![url, caption])
        }),
        words().prop_map(|name| {
            let click = json!({"actions": [{"type": "navigate", "name": name, "la": 3, "lo": 4}]});
            (json!({"type": "map", "la": 3, "lo": 4, "click": click}), vec![name, "q=3,4".to_owned()])
        }),
        (link(), words())
            .prop_map(|(url, title)| (json!({"type": "linkPreview", "url": url, "title": title}), vec![url, title])),
        (words(), prop::collection::vec(words(), 1..3)).prop_map(|(title, resp)| {
            let json = json!({"type": "template", "templateType": "quickReply", "title": title, "resp": resp});
            (json, [vec![title], resp].concat())
        }),
        (words(), words()).prop_map(|(key, value)| {
            (json!({"type": "keyValuePairList", "elements": [{"key": key, "value": value}]}), vec![key, value])
        }),
        prop::collection::vec(words(), 1..4).prop_map(|options| {
            let boxes: Vec<_> = options.iter().map(|text| json!({"type": "checkbox", "text": text})).collect();
            (json!({"type": "checklist", "elements": boxes}), options)
        }),
        words().prop_map(|title| (json!({"type": "submitButton", "title": title}), vec![title])),
        (words(), words(), link()).prop_map(|(title, text, url)| {
            (json!({"type": "hologram", "title": title, "text": text, "url": url}), vec![title, text, url])
        }),
    ];
    leaf.prop_recursive(MOST_DEPTH as u32 - 2, 60, 4, |inner| {
        let kinds = [
            "vertical",
            "horizontal",
            "carousel",
            "carouselSelect",
            "accordionSelect",
            "tabs",
            "list",
            "sectionList",
            "section",
            "buttonList",
            "hologram",
        ];
        (prop::sample::select(kinds.to_vec()), prop::collection::vec((inner, words()), 1..4)).prop_map(
            |(kind, children)| {
                let mut seen: Vec<String> = children.iter().flat_map(|((_, seen), _)| seen.clone()).collect();
                let elements: Vec<_> = children.iter().map(|((json, _), _)| json).collect();
                let mut json = json!({"type": kind, "elements": elements});
                if kind == "accordionSelect" {
                    json["titles"] = children.iter().map(|(_, name)| json!({"name": name})).collect();
                    seen.extend(children.into_iter().map(|(_, name)| name));
                }
                (json, seen)
            },
        )
    })
}

/// Strings with a meaning in structured content.
const STRINGS: &[&str] = &[
    "vertical",
    "carouselSelect",
    "accordionSelect",
    "list",
    "text",
    "button",
    "image",
    "map",
    "template",
    "keyValuePairList",
    "checklist",
    "checkbox",
    "submitButton",
    "publishText",
    "link",
    "navigate",
    "datePicker",
    "scheduleSlotList",
    "addToCart",
    "custom",
    "checked",
    "quickReplies",
    "javascript:x",
    "www.shop.example",
    "&#x1F449;",
    "&amp",
    "[{}]",
    "{\"type\":\"text\"}",
];

/// Members of structured content.
const KEYS: &[&str] = &[
    "type",
    "elements",
    "text",
    "title",
    "subtitle",
    "url",
    "uri",
    "caption",
    "alt",
    "tooltip",
    "click",
    "actions",
    "metadata",
    "la",
    "lo",
    "slots",
    "start",
    "end",
    "minDate",
    "maxDate",
    "dateFormat",
    "items",
    "data",
    "key",
    "value",
    "resp",
    "titles",
    "selectMode",
    "replies",
    "name",
    "web",
    "publishText",
];

/// Arbitrary JSON with members and strings of structured content.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(STRINGS).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(KEYS), inner, 0..7)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
        ]
    })
}
