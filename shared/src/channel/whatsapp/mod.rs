//! WhatsApp by Meta's Cloud API: webhooks of the field `messages` in, the Graph API out.
//!
//! - [`signature`]: `X-Hub-Signature-256` of a webhook, and the handshake before the first one.
//! - `settings`: the object `whatsapp` in a line's secret.
//! - `address`: what a person's address is, and the field that an answer goes to.
//! - `wire_in` and `content`: webhooks: messages and what became of ours.
//! - `wire_out`: messages and indications.
//! - `media`: files in both directions.
//! - `graph`: where calls go.
//! - `answer`: what an answer means, by Meta's error codes.
//!
//! Facts: Meta's pages "messages webhook reference", "Messages API", "Business-scoped user IDs", "Error codes" and "Media", as of
//! August 2026.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{
    Answer, Capabilities, Channel, ChannelCall, ChannelRequest, ChoiceLimits, FileLimits, Line, MediaCall, Receipt,
    Reception, Repeat, SendFailure, SettingsError, TextLimit, Unreadable, VerifyError,
};
use crate::domain::{
    http::{HttpCall, HttpReply},
    id::ChannelUserId,
    message::{InboundMedia, Indication, OutboundMessage},
};

mod address;
mod answer;
mod content;
mod graph;
mod media;
mod settings;
pub mod signature;
#[cfg(test)]
mod tests;
mod wire_in;
mod wire_out;

/// The longest text of one message, in characters.
pub const LONGEST_TEXT: usize = 4096;
/// The longest text of a message with buttons, a list or a link button, in characters. Some versions take longer ones in lists.
pub const LONGEST_INTERACTIVE_TEXT: usize = 1024;
/// The longest text below a picture, a film or a document, in characters.
pub const LONGEST_CAPTION: usize = 1024;
/// Buttons below one message.
pub const BUTTONS: ChoiceLimits = ChoiceLimits { most: 3, longest_title: 20 };
/// Rows of one list.
pub const ROWS: ChoiceLimits = ChoiceLimits { most: 10, longest_title: 24 };
/// The longest title of the button that opens a page, or a list, in characters.
pub const LONGEST_BUTTON_TITLE: usize = 20;
/// The largest files. Meta says 5 MB and 100 MB, and not whether these are powers of two: the smaller reading is safe.
pub const FILES: FileLimits = FileLimits { largest_picture: 5_000_000, largest_document: Some(100_000_000) };
/// How long after a person's last message anything but a template may be sent to them.
pub const REPLY_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// How long a typing indicator stays on, unless a message comes first.
pub const TYPING_FOR: SignedDuration = SignedDuration::from_secs(25);

/// The channel `whatsapp`.
#[derive(Debug, Clone, Copy)]
pub struct WhatsApp;

impl Channel for WhatsApp {
    fn name(&self) -> &'static str {
        "whatsapp"
    }

    fn line(&self, settings: &serde_json::Value) -> Result<Box<dyn Line>, SettingsError> {
        let settings = settings::Settings::read(settings)?;
        Ok(Box::new(WhatsAppLine {
            graph: settings.graph,
            app_secret: settings.app_secret,
            verify_token: settings.verify_token,
            media_hosts: settings.media_hosts,
            list_button: settings.list_button,
        }))
    }
}

#[derive(Debug)]
struct WhatsAppLine {
    graph: graph::Graph,
    app_secret: SecretString,
    verify_token: SecretString,
    media_hosts: Vec<String>,
    list_button: String,
}

impl Line for WhatsAppLine {
    /// A GET is the handshake and is believed by its token. Everything else must be signed.
    fn verify(&self, request: &ChannelRequest, _now: Timestamp) -> Result<(), VerifyError> {
        if request.method == Method::GET {
            signature::verify_handshake(request, &self.verify_token)
        } else {
            signature::verify(request, &self.app_secret)
        }
    }

    fn signs_time(&self) -> bool {
        false
    }

    fn receive(&self, request: &ChannelRequest) -> Result<Reception, Unreadable> {
        match request.method {
            Method::GET => {
                let challenge = signature::challenge(request)?.to_owned();
                let answer = Answer { status: StatusCode::OK, content_type: Some("text/plain"), body: challenge };
                Ok(Reception::new(answer))
            }
            Method::POST => wire_in::read(&request.body, self.graph.phone_number_id()),
            _ => Err(Unreadable { rule: "wants a GET or a POST".to_owned() }),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            text: TextLimit::Characters(LONGEST_TEXT as u32),
            address_is_phone: true,
            buttons: Some(BUTTONS),
            list: Some(ROWS),
            link_button: Some(LONGEST_BUTTON_TITLE),
            interactive_text: LONGEST_INTERACTIVE_TEXT,
            pictures: true,
            files: Some(FILES),
            typing: Some(TYPING_FOR),
            mark_read: true,
            reports_delivery: true,
            reports_reading: true,
            reply_window: Some(REPLY_WINDOW),
            repeat: Repeat::MayDouble,
        }
    }

    fn next_call(&self, message: &OutboundMessage, done: &[Receipt]) -> Result<Option<ChannelCall>, SendFailure> {
        wire_out::next_call(&self.graph, &self.list_button, message, done)
    }

    fn receipt(&self, reply: &HttpReply) -> Result<Receipt, SendFailure> {
        answer::receipt(reply)
    }

    /// WhatsApp has no typing indicator without a read mark: both are one call, about the person's last message. So the person
    /// sees two blue ticks as soon as somebody types, even if LiveEngage hasn't reported the message as read.
    fn indicate(&self, _to: &ChannelUserId, indication: &Indication) -> Option<HttpCall> {
        wire_out::indicate(&self.graph, indication)
    }

    fn fetch(&self, media: &InboundMedia, asked: Option<&HttpReply>) -> Result<MediaCall, SendFailure> {
        media::fetch(&self.graph, &self.media_hosts, media, asked)
    }
}
