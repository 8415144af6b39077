//! From an agent's message to the calls that send it: rendering, splitting, and the JSON of the calls.

use std::error::Error;

use connector_channels::{
    ChannelCall, Line, Receipt,
    id::ChannelUserId,
    message::{OutboundContent, OutboundMessage},
    plain_text::Wording,
    rendering::render,
};
use connector_liveengage::structured_content;
use connector_message::{MessageText, rich_content::RichContent};
use serde_json::Value;

use crate::{Benchmark, Prepared, input, work};

pub(crate) const ALL: &[Benchmark] = &[
    Benchmark { name: "send_text_sms", prepare: || text("sms", 200) },
    Benchmark { name: "send_text_whatsapp", prepare: || text("whatsapp", 200) },
    Benchmark { name: "send_text_10_kb_sms", prepare: || text("sms", 10_000) },
    Benchmark { name: "send_text_10_kb_whatsapp", prepare: || text("whatsapp", 10_000) },
    Benchmark { name: "send_card_sms", prepare: || structured("sms", &input::card()?) },
    Benchmark { name: "send_card_whatsapp", prepare: || structured("whatsapp", &input::card()?) },
    Benchmark { name: "send_carousel_10_cards_sms", prepare: || structured("sms", &input::carousel(10)?) },
    Benchmark { name: "send_carousel_10_cards_whatsapp", prepare: || structured("whatsapp", &input::carousel(10)?) },
];

fn text(channel: &str, bytes: usize) -> Prepared {
    let content = OutboundContent::Text { text: MessageText::new(input::text(bytes)) };
    work((input::line(channel)?, message(content)?), |(line, message)| calls(&**line, message))
}

fn structured(channel: &str, content: &Value) -> Prepared {
    let (content, _) = structured_content::read(content, None);
    work((input::line(channel)?, content), |(line, content)| {
        let content = rendered(&**line, content).ok_or("nothing to show")?;
        calls(&**line, &message(content)?)
    })
}

fn rendered(line: &dyn Line, content: &RichContent) -> Option<OutboundContent> {
    render(content, None, &line.capabilities(), &Wording::default(), "5e1c09a7b2").content()
}

fn message(content: OutboundContent) -> Result<OutboundMessage, Box<dyn Error>> {
    let reference = "7220c6e35e7770dd6142e90662aa3af7d5005f4336c21e61fc35bd68a09ab1db".to_owned();
    Ok(OutboundMessage { to: ChannelUserId::new("+491713920017")?, reference, content })
}

/// Returns all calls that send a message, each of them asked for with the receipts of the earlier ones, as the worker does.
fn calls(line: &dyn Line, message: &OutboundMessage) -> Result<Vec<ChannelCall>, Box<dyn Error>> {
    let (mut calls, mut receipts) = (Vec::new(), Vec::new());
    while let Some(call) = line.next_call(message, &receipts)? {
        calls.push(call);
        receipts.push(Receipt { provider_id: None, is_message: true });
    }
    Ok(calls)
}
