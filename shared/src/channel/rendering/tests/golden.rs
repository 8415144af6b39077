//! The fixtures of the text floor, for a channel that takes what WhatsApp takes.

use super::*;
use crate::channel::plain_text::samples::every_template;

fn golden(name: &str, fixture: &str) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let text = fixture["content"].is_null().then_some("Shall I send it again?");
    let rendering = rendered(&fixture["content"], fixture.get("quickReplies"), text, &rich());
    let mut shown = drawn(&rendering);
    for (what, metadata) in [
        ("free answer", rendering.free_answer.as_ref().map(|free| &free.metadata)),
        ("submit", rendering.submit.as_ref()),
    ] {
        if let Some(metadata) = metadata {
            shown += &format!("\n----- {what} -----\n{}", metadata.as_value());
        }
    }
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, shown);
    });
}

macro_rules! golden {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            golden(stringify!($name), include_str!(concat!("../../plain_text/fixtures/", stringify!($name), ".json")));
        })+

        #[test]
        fn a_channel_with_nothing_but_text_gets_the_plain_text() {
            for fixture in [$(include_str!(concat!("../../plain_text/fixtures/", stringify!($name), ".json"))),+] {
                let fixture: Value = serde_json::from_str(fixture).unwrap();
                let (content, _) = structured_content::read(&fixture["content"], fixture.get("quickReplies"));
                let floor = plain_text::render(&content, &Wording::default());
                let rendering = render(&content, None, &text_only(), &Wording::default(), TOKEN);
                let text = OutboundContent::Text { text: MessageText::new(floor.text) };
                assert_eq!((rendering.content(), rendering.choices), (Some(text), floor.choices));
            }
        }
    };
}

every_template!(golden);
