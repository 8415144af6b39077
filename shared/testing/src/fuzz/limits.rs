//! Checks that every call to a channel is within the channel's limits.

use std::collections::HashSet;

use serde_json::Value;

use super::line::{SMS, WHATSAPP};
use connector_channels::{
    Capabilities, Line, Receipt,
    id::ChannelUserId,
    message::{OutboundContent, OutboundMessage},
    rendering::Rendering,
    sms::{MOST_PARTS, segment},
    whatsapp::{BUTTONS, LONGEST_BUTTON_TITLE, LONGEST_CAPTION, LONGEST_INTERACTIVE_TEXT, LONGEST_TEXT, ROWS},
};
use connector_message::MessageText;

/// The prefix of the ids of buttons and rows.
pub(super) const TOKEN: &str = "a1b2c3d4e5";

/// Checks that a line with these capabilities can show a rendering.
pub(super) fn is_sound(rendering: &Rendering, capabilities: &Capabilities) {
    let numbers = rendering.choices.iter().map(|choice| choice.number);
    assert!(numbers.eq(1..=u32::try_from(rendering.choices.len()).unwrap()));
    let mut ids = HashSet::new();
    for message in &rendering.messages {
        let text = message.text.as_ref().map_or("", MessageText::as_str);
        let limits = if message.as_list { capabilities.list } else { capabilities.buttons };
        let mut titles = HashSet::new();
        for choice in &message.choices {
            let limits = limits.unwrap();
            assert!(message.choices.len() <= limits.most);
            assert!(is_title(choice.title.as_str(), limits.longest_title));
            assert!(titles.insert(choice.title.as_str().to_lowercase()) && ids.insert(choice.id.clone()));
            assert!(choice.id.len() <= 64);
        }
        for button in &message.links {
            assert!(is_title(button.title.as_str(), capabilities.link_buttons.unwrap().longest_title));
            assert!(button.link.as_str().to_ascii_lowercase().starts_with("http"));
        }
        if let Some(picture) = &message.picture {
            assert!(capabilities.pictures && picture.as_str().to_ascii_lowercase().starts_with("https:"));
        }
        if !message.choices.is_empty() || !message.links.is_empty() {
            assert!(!text.trim().is_empty() && text.chars().count() <= capabilities.interactive_text);
        }
        if let (Some(links), false) = (capabilities.link_buttons, message.links.is_empty()) {
            let (beside, count) = (message.choices.len(), message.links.len());
            assert!(beside > 0 || count <= links.most);
            assert!(beside == 0 || (links.beside_choices && !message.as_list));
            assert!(beside == 0 || beside + count <= capabilities.buttons.unwrap().most);
        }
        assert!(!message.as_list || (message.picture.is_none() && !message.choices.is_empty()));
        assert!(message.picture.is_some() || !text.trim().is_empty(), "an empty message");
    }
    let as_buttons = rendering.choices.iter().filter(|choice| choice.as_button);
    assert_eq!(as_buttons.map(|choice| format!("{TOKEN}.{}", choice.number)).collect::<HashSet<_>>(), ids);
}

fn is_title(title: &str, longest: usize) -> bool {
    (1..=longest).contains(&title.chars().count()) && !title.trim().is_empty() && !title.contains('\n')
}

/// Returns the bodies of all calls of a message. Checks that every attempt makes the same calls, and that the calls end.
fn calls(line: &dyn Line, content: OutboundContent) -> Vec<Value> {
    let message =
        OutboundMessage { to: ChannelUserId::new("+4915112345678").unwrap(), reference: "0a1b2c".to_owned(), content };
    let mut bodies = Vec::new();
    loop {
        let done: Vec<_> = bodies.iter().map(|_| Receipt { provider_id: None, is_message: true }).collect();
        let Some(call) = line.next_call(&message, &done).unwrap() else { return bodies };
        if done.len() < 2 {
            let again = line.next_call(&message, &done).unwrap().unwrap();
            assert_eq!((&again.call.body, &again.call.url), (&call.call.body, &call.call.url));
        }
        assert!(call.file.is_none());
        bodies.push(serde_json::from_slice(&call.call.body).unwrap());
        assert!(bodies.len() < 10_000, "no end");
    }
}

fn text_at<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Sends a text by SMS. Checks that the messages together are the text, and that each has no more parts than a phone joins.
pub(super) fn goes_by_sms(text: &str) {
    let bodies = calls(&**SMS, OutboundContent::Text { text: MessageText::new(text) });
    assert_eq!(bodies.iter().map(|body| text_at(body, "/text")).collect::<String>(), text);
    for (number, body) in bodies.iter().enumerate() {
        let piece = text_at(body, "/text");
        assert!(!piece.is_empty() && segment::parts(piece) <= MOST_PARTS);
        assert_eq!(text_at(body, "/client_reference"), format!("0a1b2c.{number}"));
    }
}

/// Sends a message by WhatsApp. Checks that every call is within Meta's limits. Returns the texts in order.
pub(super) fn goes_by_whatsapp(content: OutboundContent) -> String {
    let mut written = String::new();
    for body in calls(&**WHATSAPP, content) {
        written += &match text_at(&body, "/type") {
            "text" => within(text_at(&body, "/text/body"), LONGEST_TEXT),
            "image" => {
                assert!(text_at(&body, "/image/link").to_ascii_lowercase().starts_with("https://"));
                match body.pointer("/image/caption") {
                    Some(caption) => within(caption.as_str().unwrap(), LONGEST_CAPTION),
                    None => String::new(),
                }
            }
            kind => {
                assert_eq!(kind, "interactive");
                tappable(body.get("interactive").unwrap());
                within(text_at(&body, "/interactive/body/text"), LONGEST_INTERACTIVE_TEXT)
            }
        };
    }
    written
}

fn within(text: &str, longest: usize) -> String {
    assert!(!text.trim().is_empty() && text.chars().count() <= longest);
    text.to_owned()
}

fn tappable(interactive: &Value) {
    let all = |pointer: &str| interactive.pointer(pointer).and_then(Value::as_array).unwrap().clone();
    let (choices, limits) = match text_at(interactive, "/type") {
        "button" => (
            all("/action/buttons").iter().map(|button| button.get("reply").unwrap().clone()).collect::<Vec<_>>(),
            BUTTONS,
        ),
        "list" => {
            assert!(is_title(text_at(interactive, "/action/button"), LONGEST_BUTTON_TITLE));
            (all("/action/sections/0/rows"), ROWS)
        }
        kind => {
            assert_eq!(kind, "cta_url");
            assert!(is_title(text_at(interactive, "/action/parameters/display_text"), LONGEST_BUTTON_TITLE));
            assert!(text_at(interactive, "/action/parameters/url").to_ascii_lowercase().starts_with("http"));
            return;
        }
    };
    assert!((1..=limits.most).contains(&choices.len()));
    let ids: HashSet<_> = choices.iter().map(|choice| text_at(choice, "/id")).collect();
    assert_eq!(ids.len(), choices.len());
    assert!(choices.iter().all(|choice| is_title(text_at(choice, "/title"), limits.longest_title)));
}
