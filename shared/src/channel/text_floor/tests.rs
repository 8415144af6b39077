use proptest::prelude::*;
use serde_json::{Value, json};

use super::{line::labelled, *};
use crate::liveengage::structured_content::{self, MOST_DEPTH, MOST_ELEMENTS};

fn floor_of(content: &Value, quick_replies: Option<&Value>) -> Floor {
    let (content, _) = structured_content::read(content, quick_replies);
    render(&content, &FloorOptions::default())
}

fn golden(name: &str, fixture: &str) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let floor = floor_of(&fixture["content"], fixture.get("quickReplies"));
    let choices = floor.choices.iter().map(|choice| {
        let title = choice.title.as_str();
        let publish = choice.publish.as_ref().map_or("nothing".to_owned(), |text| format!("{:?}", text.as_str()));
        let metadata = choice.metadata.as_ref().unwrap_or(&Value::Null);
        let several = if choice.several { ", with others" } else { "" };
        format!("{} {title:?} publishes {publish}, {metadata}{several}", choice.number)
    });
    let choices = choices.collect::<Vec<_>>().join("\n");
    let shown = format!("{}\n\n----- choices -----\n{choices}", floor.text);
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, shown);
    });
}

macro_rules! golden {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            golden(stringify!($name), include_str!(concat!("fixtures/", stringify!($name), ".json")));
        })+
    };
}

golden!(
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

#[test]
fn our_own_words_cost_no_ucs_2() {
    let options = FloorOptions::default();
    for words in [options.choose, options.choose_several, options.choose_by_title, options.date, options.dates] {
        assert!(words.is_ascii(), "{words}");
    }
    let floor = floor_of(
        &json!({"type": "button", "title": "When", "subtitle": "soon", "click": {"actions":
            [{"type": "datePicker", "class": "range", "title": "Day", "minDate": 1_775_001_600},
             {"type": "scheduleSlotList", "slots": [{"start": 1_772_697_600, "end": 1_772_703_000}]},
             {"type": "navigate", "la": 1, "lo": 2}]}}),
        None,
    );
    assert!(floor.text.is_ascii() && floor.choices.len() == 1, "{}", floor.text);
}

#[test]
fn a_brand_can_use_its_own_words() {
    let (content, _) = structured_content::read(&Value::Null, Some(&json!([{"title": "Ja"}, {"title": "Nein"}])));
    let options: FloorOptions = serde_json::from_value(json!({"choose": "Bitte mit der Nummer antworten."})).unwrap();
    let floor = render(&content, &options);
    assert_eq!(floor.text, "1. Ja\n2. Nein\n\nBitte mit der Nummer antworten.");
    let silent = FloorOptions { choose: String::new(), ..FloorOptions::default() };
    assert_eq!(render(&content, &silent).text, "1. Ja\n2. Nein");
}

#[test]
fn nothing_to_show_is_an_empty_text() {
    for content in [json!(null), json!({"type": "vertical", "elements": []}), json!({"type": "text", "text": " "})] {
        assert_eq!(floor_of(&content, None).text, "");
    }
}

#[test]
fn an_answer_finds_what_to_publish() {
    let floor = floor_of(
        &json!({"type": "button", "title": "Fish &amp; chips", "click":
            {"actions": [{"type": "publishText", "text": "dish 7"}], "metadata": [{"id": "d7"}]}}),
        None,
    );
    for answer in ["1", "fish & chips", "Dish 7"] {
        let choice = crate::domain::menu::match_answer(answer, &floor.choices).unwrap();
        assert_eq!(choice.publish.as_ref().unwrap().as_str(), "dish 7");
        assert_eq!(choice.metadata, Some(json!([{"id": "d7"}])));
    }
}

#[test]
fn a_label_gets_one_sign_before_its_value() {
    assert_eq!(labelled("Buy", "x"), "Buy: x");
    assert_eq!(labelled("Buy? ", "x"), "Buy? x");
    assert_eq!(labelled("x", "x"), "x");
    assert_eq!(labelled(" ", "x"), "x");
}

#[test]
fn debug_shows_no_text_and_no_metadata() {
    let floor = floor_of(
        &json!({"type": "button", "title": "secret", "click":
            {"actions": [{"type": "publishText", "text": "secret"}], "metadata": [{"id": "secret"}]}}),
        None,
    );
    let shown = format!("{floor:?} {:?}", floor.choices);
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn selections_inside_selections_take_no_exponential_time() {
    let mut content = json!({"type": "text", "text": "innermost"});
    for _ in 1..MOST_DEPTH {
        content = json!({"type": "accordionSelect", "titles": [{"name": "open"}], "elements": [content]});
    }
    assert!(floor_of(&content, None).text.contains("innermost"));
}

/// JSON of an element, and what a person must see of it.
type Sample = (Value, Vec<String>);

fn words() -> impl Strategy<Value = String> {
    "[A-Za-zäß👉][A-Za-z &]{0,12}[a-z]"
}

fn link() -> impl Strategy<Value = String> {
    "https://[a-z]{1,8}\\.example/[a-z]{0,5}"
}

fn button() -> impl Strategy<Value = Sample> {
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

fn tree() -> impl Strategy<Value = Sample> {
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

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
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
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        let keys = vec![
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
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(keys), inner, 0..7)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
        ]
    })
}

fn numbers_run(floor: &Floor) {
    let numbers: Vec<_> = floor.choices.iter().map(|choice| choice.number).collect();
    assert_eq!(numbers, (1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn everything_visible_is_in_the_text((json, seen) in tree(), replies in prop::collection::vec(button(), 0..4)) {
        let replies_json = json!({"type": "quickReplies", "replies": replies.iter().map(|(json, _)| json).collect::<Vec<_>>()});
        let floor = floor_of(&json, Some(&replies_json));
        for words in seen.iter().chain(replies.iter().flat_map(|(_, seen)| seen)) {
            prop_assert!(floor.text.contains(words.trim()), "{words:?} is not in {:?} of {json}", floor.text);
        }
        numbers_run(&floor);
        let mut rest = floor.text.as_str();
        for choice in &floor.choices {
            let line = format!("{}. {}", choice.number, choice.title.as_str());
            let found = rest.find(&line);
            prop_assert!(found.is_some(), "{line:?} is not in its place in {:?}", floor.text);
            rest = &rest[found.unwrap() + line.len()..];
        }
    }

    #[test]
    fn no_json_makes_it_panic(content in any_json(), replies in prop::option::of(any_json())) {
        let (content, _) = structured_content::read(&content, replies.as_ref());
        let floor = render(&content, &FloorOptions::default());
        numbers_run(&floor);
        prop_assert!(floor.choices.len() <= MOST_ELEMENTS);
    }
}
