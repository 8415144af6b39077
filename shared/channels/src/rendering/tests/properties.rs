//! For any content and any capabilities, nothing is lost and no limit is exceeded.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::plain_text::samples::{any_json, button, tree};

fn any_limits(most: usize) -> impl Strategy<Value = Option<ChoiceLimits>> {
    prop::option::of((0..most, 0_usize..30).prop_map(|(most, longest_title)| ChoiceLimits { most, longest_title }))
}

fn any_links() -> impl Strategy<Value = Option<LinkLimits>> {
    let limits = (0_usize..4, 0_usize..30, any::<bool>());
    prop::option::of(limits.prop_map(|(most, longest_title, beside_choices)| LinkLimits {
        most,
        longest_title,
        beside_choices,
    }))
}

fn any_capabilities() -> impl Strategy<Value = Capabilities> {
    (any_limits(5), any_limits(14), any_links(), 0_usize..200, any::<bool>()).prop_map(
        |(buttons, list, link_buttons, interactive_text, pictures)| Capabilities {
            buttons,
            list,
            link_buttons,
            interactive_text,
            pictures,
            ..Capabilities::TEXT_ONLY
        },
    )
}

/// Asserts the guarantees for every channel.
fn is_sound(rendering: &Rendering, capabilities: &Capabilities) {
    let numbers: Vec<_> = rendering.choices.iter().map(|choice| choice.number).collect();
    assert_eq!(numbers, (1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    let mut ids = HashSet::new();
    for message in &rendering.messages {
        let limits = if message.as_list { capabilities.list } else { capabilities.buttons };
        let mut titles = HashSet::new();
        for choice in &message.choices {
            let limits = limits.unwrap();
            assert!(message.choices.len() <= limits.most);
            assert!((1..=limits.longest_title).contains(&choice.title.as_str().chars().count()));
            assert!(titles.insert(choice.title.as_str()) && ids.insert(choice.id.clone()));
            assert!(choice.id.len() <= 64);
        }
        let text = message.text.as_ref().map_or("", MessageText::as_str);
        if !message.choices.is_empty() || !message.links.is_empty() {
            assert!(!text.trim().is_empty() && text.chars().count() <= capabilities.interactive_text);
        }
        links_are_sound(message, capabilities);
        assert!(!message.as_list || (message.picture.is_none() && !message.choices.is_empty()));
        assert!(message.picture.is_some() || !text.trim().is_empty(), "an empty message");
        assert!(message.picture.is_none() || capabilities.pictures);
    }
    let as_buttons = rendering.choices.iter().filter(|choice| choice.as_button);
    assert_eq!(as_buttons.map(|choice| format!("{TOKEN}.{}", choice.number)).collect::<HashSet<_>>(), ids);
}

fn links_are_sound(message: &RichMessage, capabilities: &Capabilities) {
    if message.links.is_empty() {
        return;
    }
    let limits = capabilities.link_buttons.unwrap();
    assert!(message.links.iter().all(|link| link.title.as_str().chars().count() <= limits.longest_title));
    if message.choices.is_empty() {
        assert!(message.links.len() <= limits.most);
    } else {
        assert!(limits.beside_choices && !message.as_list);
        assert!(message.links.len() + message.choices.len() <= capabilities.buttons.unwrap().most);
    }
}

proptest! {
    #[test]
    fn nothing_is_dropped(
        (json, seen) in tree(),
        replies in prop::collection::vec(button(), 0..4),
        text in prop::option::of("[a-z]{1,20}"),
        capabilities in any_capabilities(),
    ) {
        let replies_json = json!({"type": "quickReplies", "replies": replies.iter().map(|(json, _)| json).collect::<Vec<_>>()});
        let rendering = rendered(&json, Some(&replies_json), text.as_deref(), &capabilities);
        is_sound(&rendering, &capabilities);
        let shown = drawn(&rendering);
        let seen = seen.iter().chain(replies.iter().flat_map(|(_, seen)| seen)).chain(&text);
        for words in seen {
            prop_assert!(shown.contains(words.trim()), "{words:?} is not in {shown} of {json}");
        }
        for choice in &rendering.choices {
            let (title, number) = (choice.title.as_str(), choice.number);
            let found = if choice.as_button {
                let id = format!("{TOKEN}.{number}");
                rendering.messages.iter().flat_map(|message| &message.choices).any(|shown| shown.id == id && shown.title == choice.title)
            } else {
                let line = format!("{number}. {title}");
                rendering.messages.iter().filter_map(|message| message.text.as_ref()).any(|text| text.as_str().contains(&line))
            };
            prop_assert!(found, "choice {number} is not in {shown} of {json}");
        }
        let (content, _) = structured_content::read(&json, Some(&replies_json));
        let plain_text = plain_text::render(&content, &Wording::default());
        let same: Vec<_> = rendering.choices.into_iter().map(|choice| Choice { as_button: false, ..choice }).collect();
        prop_assert_eq!(same, plain_text.choices, "the choices don't depend on the channel");
    }

    #[test]
    fn no_json_causes_a_panic(
        content in any_json(),
        replies in prop::option::of(any_json()),
        text in prop::option::of("\\PC{0,12}"),
        capabilities in any_capabilities(),
    ) {
        is_sound(&rendered(&content, replies.as_ref(), text.as_deref(), &capabilities), &capabilities);
    }
}
