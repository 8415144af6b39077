//! Reading verified webhooks, and structured content.

use std::convert::Infallible;

use bytes::Bytes;
use connector_channels::ChannelRequest;
use connector_liveengage::{
    notification::{self, Change},
    structured_content,
};
use serde_json::Value;

use crate::{Benchmark, Prepared, input, work};

pub(crate) const ALL: &[Benchmark] = &[
    Benchmark { name: "read_liveengage_text", prepare: || liveengage(input::request(input::LIVEENGAGE_TEXT)?.body) },
    Benchmark { name: "read_liveengage_100_changes", prepare: || liveengage(hundred_changes()?) },
    Benchmark { name: "read_liveengage_256_kib", prepare: || liveengage(input::large_liveengage_text()?) },
    Benchmark { name: "read_sms_text", prepare: || channel("sms", input::request(input::SMS_TEXT)?) },
    Benchmark { name: "read_whatsapp_text", prepare: || channel("whatsapp", input::request(input::WHATSAPP_TEXT)?) },
    Benchmark { name: "read_whatsapp_100_texts", prepare: || channel("whatsapp", input::whatsapp_texts(100)?) },
    Benchmark { name: "read_card", prepare: || structured(input::card()?) },
    Benchmark { name: "read_carousel_10_cards", prepare: || structured(input::carousel(10)?) },
];

fn hundred_changes() -> Result<Bytes, Box<dyn std::error::Error>> {
    input::liveengage_texts(&vec![input::text(300); 100])
}

fn liveengage(body: Bytes) -> Prepared {
    work(body, read)
}

/// Reads all changes of a notification.
fn read(body: &Bytes) -> Result<Vec<Change>, Box<dyn std::error::Error>> {
    let (kind, changes) = notification::split(body)?;
    let kind = kind.ok_or("an unknown type")?;
    Ok(changes.iter().map(|change| notification::read(kind, change)).collect::<Result<_, _>>()?)
}

fn channel(name: &str, request: ChannelRequest) -> Prepared {
    work((input::line(name)?, request), |(line, request)| line.receive(request).map_err(|error| error.rule))
}

fn structured(content: Value) -> Prepared {
    work(content, |content| Ok::<_, Infallible>(structured_content::read(content, None)))
}
