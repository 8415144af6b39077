use serde_json::{Value, json};

use super::*;
use crate::{ChoiceLimits, LinkLimits};
use connector_liveengage::structured_content;

mod golden;
mod properties;

const TOKEN: &str = "a1b2c3d4e5";

/// The capabilities of WhatsApp.
fn rich() -> Capabilities {
    Capabilities {
        buttons: Some(ChoiceLimits { most: 3, longest_title: 20 }),
        list: Some(ChoiceLimits { most: 10, longest_title: 24 }),
        link_buttons: Some(LinkLimits { most: 1, longest_title: 20, beside_choices: false }),
        interactive_text: 1024,
        pictures: true,
        ..Capabilities::TEXT_ONLY
    }
}

fn rendered(content: &Value, replies: Option<&Value>, text: Option<&str>, capabilities: &Capabilities) -> Rendering {
    let (content, _) = structured_content::read(content, replies);
    render(&content, text.map(MessageText::new).as_ref(), capabilities, &Wording::default(), TOKEN)
}

/// The messages in a form for comparison.
fn drawn(rendering: &Rendering) -> String {
    let messages = rendering.messages.iter().map(|message| {
        let mut lines = Vec::new();
        lines.extend(message.picture.as_ref().map(|link| format!("<{}>", link.as_str())));
        lines.extend(message.text.as_ref().map(|text| text.as_str().to_owned()));
        let (left, right) = if message.as_list { ('{', '}') } else { ('[', ']') };
        lines.extend(
            message.choices.iter().map(|choice| format!("{left}{}{right} {}", choice.title.as_str(), choice.id)),
        );
        lines.extend(message.links.iter().map(|link| format!("({}) {}", link.title.as_str(), link.link.as_str())));
        lines.join("\n")
    });
    messages.collect::<Vec<_>>().join("\n----- message -----\n")
}

fn replies(titles: &[&str]) -> Value {
    titles.iter().map(|title| json!({"type": "button", "title": title})).collect()
}

fn link_to(title: &str, uri: &str) -> Value {
    json!({"type": "button", "title": title, "click": {"actions": [{"type": "link", "uri": uri}]}})
}

fn says(title: &str) -> Value {
    json!({"type": "button", "title": title, "click": {"actions": [{"type": "publishText", "text": title}]}})
}

fn card(elements: Value) -> Value {
    json!({"type": "vertical", "elements": elements})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn picture(url: &str) -> Value {
    json!({"type": "image", "url": url, "caption": "A lamp"})
}

#[test]
fn a_text_with_quick_replies_is_not_changed() {
    let (replies, said) = (replies(&["Yes", "No"]), "  Tea &amp; cake?\n");
    let whole = rendered(&Value::Null, Some(&replies), Some(said), &rich());
    assert_eq!(drawn(&whole), "  Tea &amp; cake?\n\n[Yes] a1b2c3d4e5.1\n[No] a1b2c3d4e5.2");
    let floor = rendered(&Value::Null, Some(&replies), Some(said), &Capabilities::TEXT_ONLY);
    assert_eq!(drawn(&floor), "  Tea &amp; cake?\n\n1. Yes\n2. No\n\nReply with a number.");
    for capabilities in [rich(), Capabilities::TEXT_ONLY] {
        let alone = rendered(&Value::Null, Some(&json!({})), Some(said), &capabilities);
        assert_eq!(alone.content(), Some(OutboundContent::Text { text: MessageText::new(said) }));
        let nothing = rendered(&Value::Null, None, None, &capabilities);
        assert_eq!((nothing.content(), nothing.is_answerable()), (None, false));
    }
}

#[test]
fn choices_are_buttons_then_a_list_then_numbers() {
    let form = |titles: &[&str]| {
        let rendering = rendered(&Value::Null, Some(&replies(titles)), Some("Well?"), &rich());
        assert_eq!(rendering.choices.len(), titles.len());
        let [message] = rendering.messages.as_slice() else { panic!("{rendering:?}") };
        match (message.choices.len(), message.as_list) {
            (0, false) => "numbers",
            (_, true) => "list",
            (_, false) => "buttons",
        }
    };
    assert_eq!(form(&["a", "b", "c"]), "buttons");
    assert_eq!(form(&["a", "b", "c", "d"]), "list");
    let eleven: Vec<_> = "a b c d e f g h i j k".split(' ').collect();
    assert_eq!((form(&eleven[..10]), form(&eleven)), ("list", "numbers"));
    assert_eq!((form(&[&"ä".repeat(20)]), form(&[&"ä".repeat(21)])), ("buttons", "list"));
    assert_eq!((form(&[&"ä".repeat(24)]), form(&[&"ä".repeat(25), "b"])), ("list", "numbers"));
    assert_eq!(form(&["Yes", "YES"]), "numbers", "nothing would tell them apart");
    assert_eq!(form(&["two\nlines"]), "numbers");
}

#[test]
fn only_numbered_choices_match_a_number() {
    let carousel = json!({"type": "carousel", "elements": [
        card(json!([text("Tea"), says("Tea, please")])),
        card(json!([text("Bread"), says("Bread with butter and honey")])),
    ]});
    let rendering = rendered(&carousel, None, None, &rich());
    assert_eq!(
        drawn(&rendering),
        "Tea\n[Tea, please] a1b2c3d4e5.1\n----- message -----\n\
         Bread\n2. Bread with butter and honey\n\nReply with a number."
    );
    let found = |text| crate::choice::match_answer(text, &rendering.choices).map(|choice| choice.number);
    assert_eq!((found("1"), found("2"), found("tea, please")), (None, Some(2), Some(1)));
}

#[test]
fn a_long_text_comes_before_its_buttons() {
    let long = "x".repeat(1025);
    let rendering = rendered(&Value::Null, Some(&replies(&["Yes"])), Some(&long), &rich());
    assert_eq!(drawn(&rendering), format!("{long}\n----- message -----\nPlease choose.\n[Yes] a1b2c3d4e5.1"));
    let fits = &long[1..];
    let rendering = rendered(&Value::Null, Some(&replies(&["Yes"])), Some(fits), &rich());
    assert_eq!(drawn(&rendering), format!("{fits}\n[Yes] a1b2c3d4e5.1"));
    let card = card(json!([picture("https://cdn.lamps.example/a.png"), text(&long), says("Yes")]));
    assert_eq!(
        drawn(&rendered(&card, None, None, &rich())),
        format!(
            "<https://cdn.lamps.example/a.png>\n----- message -----\nA lamp\n{long}\n----- message -----\n\
             Please choose.\n[Yes] a1b2c3d4e5.1"
        )
    );
}

#[test]
fn a_brand_can_set_the_text_above_buttons() {
    let (content, _) = structured_content::read(&Value::Null, Some(&replies(&["Ja"])));
    let prompt = |words: &str, capabilities: &Capabilities| {
        let options: Wording = serde_json::from_value(json!({"choose_button": words})).unwrap();
        drawn(&render(&content, None, capabilities, &options, TOKEN))
    };
    assert_eq!(prompt("Bitte wählen", &rich()), "Bitte wählen\n[Ja] a1b2c3d4e5.1");
    for unusable in ["", " ", &"x".repeat(1025)] {
        assert_eq!(prompt(unusable, &rich()), "Please choose.\n[Ja] a1b2c3d4e5.1");
    }
    let narrow = Capabilities { interactive_text: 13, ..rich() };
    assert_eq!(prompt("", &narrow), "1. Ja\n\nReply with a number.");
}

#[test]
fn a_single_link_button_is_a_button() {
    let shown = |elements: Value| drawn(&rendered(&card(elements), None, None, &rich()));
    let page = || link_to("Details", "https://shop.example/d");
    assert_eq!(shown(json!([text("A lamp"), page()])), "A lamp\n(Details) https://shop.example/d");
    assert_eq!(shown(json!([page()])), "Details\n(Details) https://shop.example/d");
    let two = json!([page(), link_to("More", "https://shop.example/m")]);
    assert_eq!(shown(two), "Details: https://shop.example/d\nMore: https://shop.example/m");
    assert_eq!(
        shown(json!([page(), says("Buy")])),
        "Details: https://shop.example/d\n[Buy] a1b2c3d4e5.1",
        "a message has buttons that answer or one that opens a page"
    );
    let call = "Call us: tel:+4930555123";
    assert_eq!(shown(json!([link_to("Call us", "tel:+4930555123")])), call, "that is no page");
    assert_eq!(
        shown(json!([link_to("What it looks like on", "https://shop.example/d")])),
        "What it looks like on: https://shop.example/d"
    );
    let mut described = page();
    described["subtitle"] = json!("with pictures");
    assert_eq!(shown(json!([described])), "Details - with pictures\n(Details) https://shop.example/d");
    let way =
        json!([{"type": "button", "title": "Way", "click": {"actions": [{"type": "navigate", "la": 1, "lo": 2}]}}]);
    assert_eq!(shown(way), "Way\n(Way) https://maps.google.com/?q=1,2");
    let long = "x".repeat(1025);
    assert_eq!(shown(json!([text(&long), page()])), format!("{long}\nDetails: https://shop.example/d"));
}

#[test]
fn the_text_after_a_title_stays_in_the_text() {
    let mut reply = says("Standard");
    reply["subtitle"] = json!("within three days");
    let shown = drawn(&rendered(&card(json!([text("Delivery"), reply, says("Express")])), None, None, &rich()));
    assert_eq!(shown, "Delivery\nStandard - within three days\n[Standard] a1b2c3d4e5.1\n[Express] a1b2c3d4e5.2");
}

#[test]
fn options_under_several_headings_stay_under_them() {
    let content = card(json!([text("Hot"), says("Tea"), text("Cold"), says("Milk")]));
    let shown = drawn(&rendered(&content, Some(&replies(&["Nothing"])), None, &rich()));
    assert_eq!(
        shown, "Hot\nTea\nCold\nMilk\n[Tea] a1b2c3d4e5.1\n[Milk] a1b2c3d4e5.2\n[Nothing] a1b2c3d4e5.3",
        "a quick reply belongs to no heading"
    );
}

#[test]
fn quick_replies_are_below_the_last_card() {
    let carousel = json!({"type": "carousel", "elements": [card(json!([text("Tea")])), card(json!([text("Milk")]))]});
    let inside = card(json!([text("Drinks:"), carousel]));
    let rendering = rendered(&inside, Some(&replies(&["Neither"])), None, &rich());
    assert_eq!(
        drawn(&rendering),
        "Drinks:\n----- message -----\nTea\n----- message -----\nMilk\n[Neither] a1b2c3d4e5.1"
    );
    assert_eq!(rendering.content(), Some(OutboundContent::Rich { messages: rendering.messages.clone() }));
}

#[test]
fn too_many_cards_are_one_message() {
    let carousel = |cards: usize| {
        let cards: Vec<_> = (0..cards).map(|at| text(&format!("card {at}"))).collect();
        rendered(&json!({"type": "carousel", "elements": cards}), None, None, &rich()).messages
    };
    assert_eq!(carousel(MOST_PARTS).len(), MOST_PARTS);
    assert_eq!(carousel(MOST_PARTS + 1).len(), 1);
}

#[test]
fn a_picture_that_cannot_be_shown_is_a_link() {
    let shown =
        |elements: Value, capabilities: &Capabilities| drawn(&rendered(&card(elements), None, None, capabilities));
    let (first, second) = ("https://cdn.lamps.example/1.png", "https://cdn.lamps.example/2.png");
    let two = json!([text("See"), picture(first), picture(second)]);
    assert_eq!(shown(two, &rich()), format!("<{first}>\nSee\nA lamp\nA lamp: {second}"));
    let insecure = json!([picture("http://cdn.lamps.example/1.png"), picture(second)]);
    assert_eq!(shown(insecure, &rich()), format!("<{second}>\nA lamp: http://cdn.lamps.example/1.png\nA lamp"));
    let none = Capabilities { pictures: false, ..rich() };
    assert_eq!(shown(json!([picture(first), says("Buy")]), &none), format!("A lamp: {first}\n[Buy] a1b2c3d4e5.1"));
    let list: Vec<_> = ["a", "b", "c", "d"].iter().map(|title| says(title)).collect();
    let listed = json!([picture(first), card(Value::from(list))]);
    assert_eq!(
        shown(listed, &rich()),
        format!(
            "<{first}>\n----- message -----\nA lamp\n{{a}} a1b2c3d4e5.1\n{{b}} a1b2c3d4e5.2\n{{c}} a1b2c3d4e5.3\n{{d}} a1b2c3d4e5.4"
        ),
        "a list that opens has no place for it"
    );
}

#[test]
fn a_date_with_metadata_is_a_free_answer_if_it_is_the_only_one() {
    let picker = |id: Option<&str>| {
        let mut button = json!({"type": "button", "title": "Day", "click": {"actions": [{"type": "datePicker"}]}});
        if let Some(id) = id {
            button["click"]["metadata"] = json!([{"type": "ExternalId", "id": id}]);
        }
        button
    };
    for (elements, id) in [
        (json!([picker(Some("day"))]), Some("day")),
        (json!([picker(Some("day")), says("Skip")]), Some("day")),
        (json!([picker(None)]), None),
        (json!([picker(Some("from")), picker(Some("to"))]), None),
        (json!([picker(Some("from")), picker(None)]), None),
    ] {
        for capabilities in [rich(), Capabilities::TEXT_ONLY] {
            let rendering = rendered(&card(elements.clone()), None, None, &capabilities);
            let found = rendering.free_answer.as_ref().map(|free| free.metadata.as_value()[0]["id"].as_str().unwrap());
            assert_eq!(found, id, "{elements}");
            assert_eq!(rendering.is_answerable(), id.is_some());
        }
    }
}

#[test]
fn a_submit_buttons_metadata_is_kept_if_it_is_the_only_one() {
    let submit = json!({"type": "submitButton", "title": "Send", "click":
        {"actions": [{"type": "submitAsText"}], "metadata": [{"type": "ExternalId", "id": "send"}]}});
    let boxes = json!({"type": "checklist", "elements": [{"type": "checkbox", "text": "Tea"}]});
    let submitted = |elements: Value| rendered(&card(elements), None, None, &rich()).submit;
    let metadata = Metadata::new(&json!([{"type": "ExternalId", "id": "send"}]));
    assert_eq!(submitted(json!([boxes, submit])), metadata);
    assert_eq!(submitted(json!([boxes, submit, boxes, submit])), None);
    assert_eq!(submitted(json!([submit])), None, "without boxes it is a button like others");
}

#[test]
fn debug_shows_no_text_and_no_metadata() {
    let click = json!({"actions": [{"type": "datePicker"}, {"type": "publishText", "text": "secret"}],
        "metadata": [{"id": "secret"}]});
    let elements = json!([picture("https://secret.example"), text("secret"), link_to("secret", "https://secret.example"),
        {"type": "button", "title": "secret", "click": click}]);
    let shown = format!("{:?}", rendered(&card(elements), None, Some("secret"), &rich()));
    assert!(!shown.contains("secret"), "{shown}");
}
