use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    line::labelled,
    samples::{any_json, button, every_template, tree},
    *,
};
use connector_liveengage::structured_content::{self, MOST_DEPTH, MOST_ELEMENTS};

fn rendered(content: &Value, quick_replies: Option<&Value>) -> PlainText {
    let (content, _) = structured_content::read(content, quick_replies);
    render(&content, &Wording::default())
}

fn golden(name: &str, fixture: &str) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let rendered_text = rendered(&fixture["content"], fixture.get("quickReplies"));
    let choices = rendered_text.choices.iter().map(|choice| {
        let title = choice.title.as_str();
        let publish = choice.publish.as_ref().map_or("nothing".to_owned(), |text| format!("{:?}", text.as_str()));
        let metadata = choice.metadata.as_ref().unwrap_or(&Value::Null);
        let several = if choice.several { ", with others" } else { "" };
        format!("{} {title:?} publishes {publish}, {metadata}{several}", choice.number)
    });
    let choices = choices.collect::<Vec<_>>().join("\n");
    let shown = format!("{}\n\n----- choices -----\n{choices}", rendered_text.text);
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

every_template!(golden);

#[test]
fn the_connectors_own_texts_are_ascii() {
    let options = Wording::default();
    for words in serde_json::to_value(options).unwrap().as_object().unwrap().values() {
        assert!(words.as_str().unwrap().is_ascii(), "{words}");
    }
    let rendered_text = rendered(
        &json!({"type": "button", "title": "When", "subtitle": "soon", "click": {"actions":
            [{"type": "datePicker", "class": "range", "title": "Day", "minDate": 1_775_001_600},
             {"type": "scheduleSlotList", "slots": [{"start": 1_772_697_600, "end": 1_772_703_000}]},
             {"type": "navigate", "la": 1, "lo": 2}]}}),
        None,
    );
    assert!(rendered_text.text.is_ascii() && rendered_text.choices.len() == 1, "{}", rendered_text.text);
}

#[test]
fn a_brand_can_set_its_own_texts() {
    let (content, _) = structured_content::read(&Value::Null, Some(&json!([{"title": "Ja"}, {"title": "Nein"}])));
    let options: Wording = serde_json::from_value(json!({"choose": "Bitte mit der Nummer antworten."})).unwrap();
    let rendered_text = render(&content, &options);
    assert_eq!(rendered_text.text, "1. Ja\n2. Nein\n\nBitte mit der Nummer antworten.");
    let silent = Wording { choose: String::new(), ..Wording::default() };
    assert_eq!(render(&content, &silent).text, "1. Ja\n2. Nein");
}

#[test]
fn nothing_to_show_is_an_empty_text() {
    for content in [json!(null), json!({"type": "vertical", "elements": []}), json!({"type": "text", "text": " "})] {
        assert_eq!(rendered(&content, None).text, "");
    }
}

#[test]
fn an_answer_is_matched_to_its_published_text() {
    let rendered_text = rendered(
        &json!({"type": "button", "title": "Fish &amp; chips", "click":
            {"actions": [{"type": "publishText", "text": "dish 7"}], "metadata": [{"id": "d7"}]}}),
        None,
    );
    for answer in ["1", "fish & chips", "Dish 7"] {
        let choice = crate::choice::match_answer(answer, &rendered_text.choices).unwrap();
        assert_eq!(choice.publish.as_ref().unwrap().as_str(), "dish 7");
        assert_eq!(choice.metadata, Some(json!([{"id": "d7"}])));
    }
}

#[test]
fn a_label_has_one_punctuation_mark_before_its_value() {
    assert_eq!(labelled("Buy", "x"), "Buy: x");
    assert_eq!(labelled("Buy? ", "x"), "Buy? x");
    assert_eq!(labelled("x", "x"), "x");
    assert_eq!(labelled(" ", "x"), "x");
}

#[test]
fn debug_shows_no_text_and_no_metadata() {
    let rendered_text = rendered(
        &json!({"type": "button", "title": "secret", "click":
            {"actions": [{"type": "publishText", "text": "secret"}], "metadata": [{"id": "secret"}]}}),
        None,
    );
    let shown = format!("{rendered_text:?} {:?}", rendered_text.choices);
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn nested_selections_take_no_exponential_time() {
    let mut content = json!({"type": "text", "text": "innermost"});
    for _ in 1..MOST_DEPTH {
        content = json!({"type": "accordionSelect", "titles": [{"name": "open"}], "elements": [content]});
    }
    assert!(rendered(&content, None).text.contains("innermost"));
}

fn numbers_run(rendered_text: &PlainText) {
    let numbers: Vec<_> = rendered_text.choices.iter().map(|choice| choice.number).collect();
    assert_eq!(numbers, (1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn everything_visible_is_in_the_text((json, seen) in tree(), replies in prop::collection::vec(button(), 0..4)) {
        let replies_json = json!({"type": "quickReplies", "replies": replies.iter().map(|(json, _)| json).collect::<Vec<_>>()});
        let rendered_text = rendered(&json, Some(&replies_json));
        for words in seen.iter().chain(replies.iter().flat_map(|(_, seen)| seen)) {
            prop_assert!(rendered_text.text.contains(words.trim()), "{words:?} is not in {:?} of {json}", rendered_text.text);
        }
        numbers_run(&rendered_text);
        let mut rest = rendered_text.text.as_str();
        for choice in &rendered_text.choices {
            let line = format!("{}. {}", choice.number, choice.title.as_str());
            let found = rest.find(&line);
            prop_assert!(found.is_some(), "{line:?} is not in its place in {:?}", rendered_text.text);
            rest = &rest[found.unwrap() + line.len()..];
        }
    }

    #[test]
    fn no_json_causes_a_panic(content in any_json(), replies in prop::option::of(any_json())) {
        let (content, _) = structured_content::read(&content, replies.as_ref());
        let rendered_text = render(&content, &Wording::default());
        numbers_run(&rendered_text);
        prop_assert!(rendered_text.choices.len() <= MOST_ELEMENTS);
    }
}
