use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    line::labelled,
    samples::{any_json, button, every_template, tree},
    *,
};
use crate::liveengage::structured_content::{self, MOST_DEPTH, MOST_ELEMENTS};

fn floor_of(content: &Value, quick_replies: Option<&Value>) -> Floor {
    let (content, _) = structured_content::read(content, quick_replies);
    render(&content, &Wording::default())
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

every_template!(golden);

#[test]
fn our_own_words_cost_no_ucs_2() {
    let options = Wording::default();
    for words in serde_json::to_value(options).unwrap().as_object().unwrap().values() {
        assert!(words.as_str().unwrap().is_ascii(), "{words}");
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
    let options: Wording = serde_json::from_value(json!({"choose": "Bitte mit der Nummer antworten."})).unwrap();
    let floor = render(&content, &options);
    assert_eq!(floor.text, "1. Ja\n2. Nein\n\nBitte mit der Nummer antworten.");
    let silent = Wording { choose: String::new(), ..Wording::default() };
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
        let floor = render(&content, &Wording::default());
        numbers_run(&floor);
        prop_assert!(floor.choices.len() <= MOST_ELEMENTS);
    }
}
