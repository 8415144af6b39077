//! Rendering of agents' and bots' messages for consumers.

use serde_json::Value;

use super::{
    input::{canary, documents, hides, index, number, with_texts},
    limits::{TOKEN, goes_by_sms, goes_by_whatsapp, is_sound},
    line::{SMS, WHATSAPP},
};
use connector_channels::{
    Capabilities, ChoiceLimits, LinkLimits,
    choice::{Choice, match_answers},
    message::OutboundContent,
    plain_text::{self, Wording},
    rendering::{Rendering, render},
};
use connector_liveengage::structured_content::{self, MOST_DEPTH, MOST_ELEMENTS};
use connector_message::{
    MessageText,
    rich_content::{Element, RichContent},
};

const WORDS: &str = "\
    content quickReplies text type vertical horizontal carousel carouselSelect accordionSelect tabs list sectionList section \
    buttonList button submitButton image map linkPreview template keyValuePairList checklist checkbox elements replies title \
    subtitle caption tooltip alt url https://cdn.example/a.png http://shop.example la lo 52.5 resp key value name additional \
    titles selectMode multiple sectionID click actions metadata id link uri web ios publishText navigate datePicker class range \
    minDate maxDate dateFormat scheduleSlotList slots start end description imageUrl addToCart items productId quantity custom \
    data checked submitAsText Yes No 1 2 tel:+4930555123 javascript:alert(1) &amp; 1800000000";

const TEXTS: &str = "\
    text title subtitle caption tooltip alt url uri key value name additional description id productId publishText dateFormat";

/// Input: a document with `content`, `quickReplies` and `text`, as in an event, or the content alone.
///
/// Checks that reading keeps the size limits and gives the same result every time. Renders the content for any channel, and checks that
/// each part is within the channel's capabilities, and that the choices are the same on all channels. Checks that WhatsApp and SMS accept
/// what was rendered for them, and that `Debug` shows no text.
pub fn structured_content(data: &[u8]) {
    for document in documents(data, WORDS) {
        let Ok(document) = serde_json::from_slice::<Value>(&document) else { continue };
        is_shown(&document, number(data));
        let hidden = canary(data);
        let (content, rendering) = shown(&with_texts(&document, TEXTS, &hidden), &WHATSAPP.capabilities());
        hides(&format!("{content:?} {rendering:?}"), &hidden);
    }
}

fn shown(document: &Value, capabilities: &Capabilities) -> (RichContent, Rendering) {
    let is_event = document.get("content").is_some() || document.get("quickReplies").is_some();
    let content = if is_event { document.get("content").unwrap_or(&Value::Null) } else { document };
    let (content, ignored) = structured_content::read(content, document.get("quickReplies"));
    let again = structured_content::read(&content_of(document), document.get("quickReplies"));
    assert_eq!((&again.0, again.1), (&content, ignored));
    let text = document.get("text").and_then(Value::as_str).filter(|_| is_event).map(MessageText::new);
    let rendering = render(&content, text.as_ref(), capabilities, &Wording::default(), TOKEN);
    (content, rendering)
}

/// Returns the content as the history has it: as a string that holds the JSON. Changes only objects and lists.
fn content_of(document: &Value) -> Value {
    let is_event = document.get("content").is_some() || document.get("quickReplies").is_some();
    let content = if is_event { document.get("content").unwrap_or(&Value::Null) } else { document };
    if content.is_object() || content.is_array() { content.to_string().into() } else { content.clone() }
}

fn is_shown(document: &Value, number: u64) {
    let limits = |number: u64, most| ChoiceLimits { most: index(number, most), longest_title: index(number >> 8, 30) };
    let any = Capabilities {
        buttons: (number & 1 == 0).then(|| limits(number >> 3, 5)),
        list: (number & 2 == 0).then(|| limits(number >> 19, 14)),
        link_buttons: (number & 4 == 0).then(|| LinkLimits {
            most: index(number >> 51, 4),
            longest_title: index(number >> 35, 30),
            beside_choices: number >> 55 & 1 == 0,
        }),
        interactive_text: index(number >> 43, 200),
        pictures: number & 8 == 0,
        ..WHATSAPP.capabilities()
    };
    let (content, _) = shown(document, &any);
    let (mut elements, mut depth) = (0, 0);
    measure(&content.elements, 1, &mut elements, &mut depth);
    assert!(elements + content.quick_replies.len() <= MOST_ELEMENTS, "{elements}");
    assert!(depth <= MOST_DEPTH + 1, "{depth}");

    let floor = plain_text::render(&content, &Wording::default());
    for capabilities in [any, WHATSAPP.capabilities(), SMS.capabilities()] {
        let (_, rendering) = shown(document, &capabilities);
        assert_eq!(shown(document, &capabilities).1, rendering);
        is_sound(&rendering, &capabilities);
        let plain = |choice: &Choice| Choice { as_button: false, ..choice.clone() };
        assert_eq!(rendering.choices.iter().map(plain).collect::<Vec<_>>(), floor.choices);
        for choice in &rendering.choices {
            let chosen = match_answers(choice.title.as_str(), &rendering.choices);
            assert!(chosen.iter().all(|chosen| rendering.choices.contains(chosen)));
        }
        let Some(sent) = rendering.content() else { continue };
        if capabilities == SMS.capabilities() {
            assert!(matches!(&sent, OutboundContent::Text { text } if { goes_by_sms(text.as_str()); true }));
        } else if capabilities == WHATSAPP.capabilities() {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            let wanted: String = rendering
                .messages
                .iter()
                .filter_map(|message| message.text.as_ref())
                .map(|text| words(text.as_str()))
                .collect();
            assert_eq!(words(&goes_by_whatsapp(sent)), wanted);
        }
    }
}

fn measure(elements: &[Element], depth: usize, count: &mut usize, deepest: &mut usize) {
    *deepest = (*deepest).max(depth);
    for element in elements {
        *count += 1;
        if let Element::Container(container) = element {
            measure(&container.elements, depth + 1, count, deepest);
        }
    }
}

/// Input: a text.
///
/// Checks that the channel sends the whole text in order. SMS does not change it. WhatsApp leaves out the blank pieces that Meta refuses.
/// Every message is within the channel's limits.
pub fn outbound_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Repeat the text, so that few bytes give several messages.
    let long = text.repeat(1 + index(number(data), 40).min(4_000 / text.len().max(1)));
    for text in [text.as_ref(), &long] {
        goes_by_sms(text);
        let sent = goes_by_whatsapp(OutboundContent::Text { text: MessageText::new(text) });
        let words = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        assert_eq!(words(&sent), words(text));
    }
}
