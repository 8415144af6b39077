//! The fixtures of the plain text, rendered with the capabilities of WhatsApp.

use super::*;
use crate::plain_text::samples::every_template;

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
        fn a_channel_with_only_text_gets_the_plain_text() {
            for fixture in [$(include_str!(concat!("../../plain_text/fixtures/", stringify!($name), ".json"))),+] {
                let fixture: Value = serde_json::from_str(fixture).unwrap();
                let (content, _) = structured_content::read(&fixture["content"], fixture.get("quickReplies"));
                let plain_text = plain_text::render(&content, &Wording::default());
                let rendering = render(&content, None, &Capabilities::TEXT_ONLY, &Wording::default(), TOKEN);
                let text = OutboundContent::Text { text: MessageText::new(plain_text.text) };
                assert_eq!((rendering.content(), rendering.choices), (Some(text), plain_text.choices));
            }
        }
    };
}

every_template!(golden);
