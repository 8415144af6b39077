use proptest::prelude::*;
use serde_json::json;

use super::*;
use connector_message::rich_content::{Action, Coordinates, Link, SlotTime};

fn only(content: Value) -> (Element, Ignored) {
    let (read, ignored) = read(&content, None);
    let [element] = read.elements.try_into().unwrap();
    (element, ignored)
}

fn texts(elements: &[Element]) -> Vec<&str> {
    elements
        .iter()
        .flat_map(|element| match element {
            Element::Text(text) => vec![text.text.as_str()],
            Element::Container(container) => texts(&container.elements),
            _ => vec![],
        })
        .collect()
}

fn depth(elements: &[Element]) -> usize {
    let inside = |element: &Element| match element {
        Element::Container(container) => depth(&container.elements),
        _ => 0,
    };
    elements.iter().map(|element| 1 + inside(element)).max().unwrap_or(0)
}

fn count(elements: &[Element]) -> usize {
    elements
        .iter()
        .map(|element| match element {
            Element::Container(container) => 1 + count(&container.elements),
            Element::Checklist { boxes } => 1 + boxes.len(),
            _ => 1,
        })
        .sum()
}

#[test]
fn an_element_and_its_click_are_read_with_nothing_ignored() {
    let metadata = json!([{"type": "ExternalId", "id": "b-1", "more": {"deep": [1, null]}}, {}]);
    let (element, ignored) = only(json!({
        "type": "button", "title": "Go", "subtitle": "now", "tooltip": "t", "rtl": true, "class": "text",
        "ref": {"name": "n", "type": "t"}, "style": {"bold": true},
        "click": {"metadata": metadata, "actions": [
            {"type": "publishText", "text": "go"},
            {"type": "link", "uri": "www.shop.example", "name": "shop", "target": "blank"},
            {"type": "navigate", "la": "52.5", "lo": 13},
            {"type": "addToCart", "items": [{"productId": "p", "quantity": 2}]},
        ]},
    }));
    assert_eq!(ignored, Ignored::default());
    let Element::Button(button) = element else { panic!("{element:?}") };
    let click = button.click.unwrap();
    assert_eq!(click.metadata.unwrap().as_value(), &metadata);
    assert_eq!(
        click.actions[..3],
        [
            Action::PublishText { text: MessageText::new("go") },
            Action::Link {
                uri: Link::parse("https://www.shop.example").unwrap(),
                name: Some(MessageText::new("shop"))
            },
            Action::Navigate { place: Coordinates::new(52.5, 13.0), name: None },
        ]
    );
}

#[test]
fn content_may_be_a_json_string_or_a_list() {
    let object = json!({"type": "text", "text": "hello"});
    for content in [object.clone(), json!(object.to_string()), json!([object]), json!(json!([object]).to_string())] {
        assert_eq!(texts(&read(&content, None).0.elements), ["hello"]);
    }
    let (words, ignored) = read(&json!("no JSON at all {"), None);
    assert_eq!((texts(&words.elements), ignored.types), (vec!["no JSON at all {"], 1));
}

#[test]
fn quick_replies_come_in_several_forms() {
    let reply = json!({"title": "yes", "click": {"actions": [{"type": "publishText", "text": "yep"}]}});
    for replies in [
        json!({"type": "quickReplies", "itemsPerRow": 8, "replies": [reply]}),
        json!({"replies": reply}),
        json!([reply]),
        reply.clone(),
        json!(json!({"replies": [reply]}).to_string()),
    ] {
        let (content, ignored) = read(&Value::Null, Some(&replies));
        assert_eq!((content.quick_replies.len(), ignored.total()), (1, 0), "{replies}");
    }
    for nothing in [json!({}), json!([]), json!(null)] {
        assert_eq!(read(&Value::Null, Some(&nothing)), Default::default());
    }
}

#[test]
fn an_unknown_element_keeps_its_texts_its_click_and_its_children() {
    let (content, ignored) = read(
        &json!({"type": "hologram", "title": "a", "text": "b", "alt": "c", "url": "www.shop.example", "watts": 3,
            "click": {"actions": [{"type": "publishText", "text": "d"}]},
            "parts": [{"type": "text", "text": "e"}, {"type": "button", "title": "f"}]}),
        None,
    );
    assert_eq!(texts(&content.elements), ["a", "b\nc\nhttps://www.shop.example", "e"]);
    assert!(matches!(&content.elements[0], Element::Text(Text { click: Some(_), .. })));
    assert!(matches!(&content.elements[3], Element::Button(_)));
    assert_eq!(ignored, Ignored { types: 1, ..Ignored::default() });
}

#[test]
fn unknown_members_and_actions_are_counted() {
    let (_, ignored) = only(json!({"type": "text", "text": "a", "volume": 11, "tooltip": {"x": 1},
        "click": {"actions": [{"type": "teleport"}, {"type": "publishText"}, 7]}}));
    assert_eq!(ignored, Ignored { members: 2, actions: 3, ..Ignored::default() });
}

#[test]
fn a_link_that_must_not_be_followed_leaves_its_title() {
    for uri in ["javascript:alert(1)", "data:text/html,x", "shopapp://x"] {
        let (element, ignored) = only(json!({"type": "button", "title": "Log in",
            "click": {"actions": [{"type": "link", "uri": uri}], "metadata": [{"id": "x"}]}}));
        let Element::Button(button) = element else { panic!("{element:?}") };
        assert_eq!((button.click, ignored.places), (None, 1));
    }
    let (element, _) = only(json!({"type": "button", "title": "App", "click": {"actions": [
        {"type": "link", "uri": "shopapp://x", "ios": {"uri": "https://apps.example/1"}}]}}));
    let Element::Button(button) = element else { panic!("{element:?}") };
    assert!(
        matches!(&button.click.unwrap().actions[..], [Action::Link { uri, .. }] if uri.as_str() == "https://apps.example/1")
    );
}

#[test]
fn bad_coordinates_leave_the_name() {
    for (la, lo) in [(json!(91), json!(0)), (json!(0), json!(181)), (json!("x"), json!(1)), (json!(null), json!(1))] {
        let (element, ignored) = only(json!({"type": "map", "la": la, "lo": lo, "click": {"actions":
            [{"type": "navigate", "name": "Shop", "la": la, "lo": lo}]}}));
        let Element::Map(map) = element else { panic!("{element:?}") };
        assert_eq!((map.place, ignored.places), (None, 2));
        assert_eq!(
            map.click.unwrap().actions,
            [Action::Navigate { place: None, name: Some(MessageText::new("Shop")) }]
        );
    }
}

#[test]
fn times_come_as_seconds_milliseconds_or_text() {
    let start = |start: Value| {
        let (element, _) = only(json!({"type": "button", "title": "t", "click": {"actions":
            [{"type": "scheduleSlotList", "slots": [{"start": start}]}]}}));
        let Element::Button(button) = element else { panic!("{element:?}") };
        let Some(Action::ScheduleSlotList(list)) = button.click.unwrap().actions.pop() else { panic!() };
        list.slots[0].start.clone()
    };
    let at = Some(SlotTime::At("2026-03-05T08:00:00Z".parse().unwrap()));
    for time in
        [json!(1_772_697_600), json!("1772697600"), json!(1_772_697_600_000_i64), json!("2026-03-05T09:00:00+01:00")]
    {
        assert_eq!(start(time), at);
    }
    assert_eq!(start(json!("at noon")), Some(SlotTime::Said(MessageText::new("at noon"))));
    assert_eq!(start(json!(i64::MIN)), Some(SlotTime::Said(MessageText::new(i64::MIN.to_string()))));
}

#[test]
fn deeply_nested_elements_become_text() {
    let mut content = json!({"type": "vertical", "elements": [
        {"type": "text", "text": "a"},
        {"type": "button", "title": "b", "click": {"actions": [{"type": "link", "uri": "www.shop.example"}]}},
        {"type": "accordionSelect", "titles": [{"name": "c", "additional": "d"}, {"name": "e"}],
         "elements": [{"type": "keyValuePairList", "elements": [{"key": "f", "value": "g"}]}]},
    ]});
    for _ in 0..40 {
        content = json!({"type": "vertical", "elements": [content]});
    }
    let (content, ignored) = read(&content, None);
    assert_eq!(depth(&content.elements), MOST_DEPTH + 1);
    assert_eq!(texts(&content.elements), ["a\nb\nhttps://www.shop.example\nc: d\ne\nf: g"]);
    assert_eq!(ignored.cut, 1);
}

#[test]
fn a_depth_beyond_what_json_readers_allow_is_read() {
    let mut content = json!({"type": "text", "text": "bottom"});
    for _ in 0..1_000 {
        // Not by `json!`, which copies its parts recursively.
        content = Value::Object(Object::from_iter([("elements".to_owned(), Value::Array(vec![content]))]));
    }
    assert_eq!(texts(&read(&content, None).0.elements), ["bottom"]);
}

#[test]
fn surplus_elements_become_text() {
    let elements: Vec<_> = (0..3_000).map(|n| json!({"type": "text", "text": format!("line {n}")})).collect();
    let options: Vec<_> = (0..300).map(|n| json!({"type": "checkbox", "text": format!("option {n}")})).collect();
    let (content, ignored) = read(
        &json!([{"type": "checklist", "elements": options}, {"type": "vertical", "elements": elements}]),
        Some(&json!([{"title": "too late"}])),
    );
    assert_eq!(count(&content.elements), MOST_ELEMENTS);
    assert!(content.quick_replies.is_empty());
    let shown = texts(&content.elements).join("\n");
    let shown: Vec<_> = shown.lines().collect();
    assert_eq!((shown.len(), shown[2_999], shown[3_000]), (3_001, "line 2999", "too late"));
    assert_eq!(ignored.cut as usize, 3_001 - (MOST_ELEMENTS - 1 - 302));
}

fn nested() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!({"type": "text", "text": "x"}),
        json!({"type": "image", "url": "javascript:x"}),
        json!({"type": "hologram", "title": "x"}),
        json!(["x"]),
        json!(7),
    ]);
    let kinds = vec!["vertical", "tabs", "list", "hologram", "checklist", "keyValuePairList", "quickReplies"];
    leaf.prop_recursive(40, 120, 3, move |inner| {
        (prop::sample::select(kinds.clone()), prop::collection::vec(inner, 0..3))
            .prop_map(|(kind, elements)| json!({"type": kind, "elements": elements, "replies": elements}))
    })
}

proptest! {
    #[test]
    fn depth_and_size_are_bounded_and_the_store_gives_back_the_same(content in nested()) {
        let (content, _) = read(&content, None);
        prop_assert!(depth(&content.elements) <= MOST_DEPTH + 1);
        prop_assert!(count(&content.elements) + content.quick_replies.len() <= MOST_ELEMENTS);
        let stored = serde_json::to_string(&content).unwrap();
        prop_assert_eq!(serde_json::from_str::<RichContent>(&stored).unwrap(), content);
    }
}
