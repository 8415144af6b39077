//! WhatsApp through Meta's Cloud API: webhooks of the field `messages`, and calls to the Graph API.
//!
//! - [`signature`]: the signature of a webhook (`X-Hub-Signature-256`), and the handshake before the first webhook.
//! - `settings`: the object `whatsapp` in a line's secret.
//! - `address`: the address of a consumer.
//! - `inbound` and `content`: read webhooks with messages and reports.
//! - `outbound`: messages and indications.
//! - `media`: files in both directions.
//! - `graph`: calls to the Graph API.
//! - `reply`: reads replies, by Meta's error codes.
//!
//! Sources: Meta's pages "messages webhook reference", "Messages API", "Business-scoped user IDs", "Error codes" and "Media", as of August
//! 2026.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;

use super::{
    Answer, Capabilities, Channel, ChannelCall, ChannelRequest, ChoiceLimits, FileLimits, Line, LinkLimits, MediaCall,
    Receipt, Reception, Registration, Repeat, SendFailure, Unreadable, VerifyError,
};
use crate::{
    id::ChannelUserId,
    message::{InboundMedia, Indication, OutboundMessage},
    setting::Setting,
};
use connector_message::{
    http::{HttpCall, HttpReply},
    settings::WrongField,
};

mod address;
mod content;
mod graph;
mod inbound;
mod media;
mod outbound;
mod reply;
mod settings;
pub mod signature;
#[cfg(test)]
mod tests;

/// The longest text of one message, in characters.
pub const LONGEST_TEXT: usize = 4096;
/// The longest text of a message with buttons, a list or a link button, in characters. Some API versions accept longer texts with lists.
pub const LONGEST_INTERACTIVE_TEXT: usize = 1024;
/// The longest caption of a picture, a video or a document, in characters.
pub const LONGEST_CAPTION: usize = 1024;
/// The limits of the buttons below one message.
pub const BUTTONS: ChoiceLimits = ChoiceLimits { most: 3, longest_title: 20 };
/// The limits of the rows of one list.
pub const ROWS: ChoiceLimits = ChoiceLimits { most: 10, longest_title: 24 };
/// The longest title of a button that opens a page or a list, in characters.
pub const LONGEST_BUTTON_TITLE: usize = 20;
/// The limits of buttons that open a page.
pub const LINK_BUTTONS: LinkLimits = LinkLimits { most: 1, longest_title: LONGEST_BUTTON_TITLE, beside_choices: false };
/// The limits of files. Meta documents 5 MB and 100 MB. The smaller meaning of MB (1,000,000 bytes) is safe.
pub const FILES: FileLimits = FileLimits { largest_picture: 5_000_000, largest_document: Some(100_000_000) };
/// How long a typing indicator is shown, unless a message ends it.
pub const TYPING_FOR: SignedDuration = SignedDuration::from_secs(25);

/// The channel `whatsapp`.
#[derive(Debug, Clone, Copy)]
pub struct WhatsApp;

impl Channel for WhatsApp {
    fn name(&self) -> &'static str {
        "whatsapp"
    }

    fn title(&self) -> &'static str {
        "WhatsApp"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn line(&self, settings: &serde_json::Value) -> Result<Box<dyn Line>, WrongField> {
        let settings = settings::WhatsAppSettings::read(settings)?;
        Ok(Box::new(WhatsAppLine {
            graph: settings.graph,
            app_secret: settings.app_secret,
            verify_token: settings.verify_token,
            media_hosts: settings.media_hosts,
            business_account_id: settings.business_account_id,
            list_button: settings.list_button,
        }))
    }

    fn shows_typing(&self) -> bool {
        true
    }

    fn shows_read_marks(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct WhatsAppLine {
    graph: graph::Graph,
    app_secret: SecretString,
    verify_token: SecretString,
    media_hosts: Vec<String>,
    business_account_id: Option<String>,
    list_button: String,
}

impl Line for WhatsAppLine {
    /// A GET is the handshake, which has a token. Any other request must be signed.
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

    /// Subscribes the app to the account, if the line names it, and sends the number's webhooks to this URL ("Webhook overrides"). Meta makes
    /// the handshake before it answers.
    fn registration(&self, webhook: &Url) -> Registration {
        let subscribe = self.business_account_id.iter().map(|id| self.graph.subscribe(id));
        let override_url = self.graph.set_webhook(webhook, &self.verify_token);
        Registration::Calls(subscribe.chain([override_url]).collect())
    }

    fn registered(&self, reply: &HttpReply) -> Result<(), SendFailure> {
        if reply.status.is_success() { Ok(()) } else { Err(reply::failure(reply)) }
    }

    fn receive(&self, request: &ChannelRequest) -> Result<Reception, Unreadable> {
        match request.method {
            Method::GET => {
                let challenge = signature::challenge(request)?.to_owned();
                let answer = Answer { status: StatusCode::OK, content_type: Some("text/plain"), body: challenge };
                Ok(Reception::new(answer))
            }
            Method::POST => inbound::read(&request.body, self.graph.phone_number_id()),
            _ => Err(Unreadable { rule: "wants a GET or a POST".to_owned() }),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            address_is_phone: true,
            buttons: Some(BUTTONS),
            list: Some(ROWS),
            link_buttons: Some(LINK_BUTTONS),
            interactive_text: LONGEST_INTERACTIVE_TEXT,
            pictures: true,
            files: Some(FILES),
            typing: Some(TYPING_FOR),
            mark_read: true,
            reports_delivery: true,
            reports_reading: true,
            repeat: Repeat::MayDouble,
        }
    }

    fn next_call(&self, message: &OutboundMessage, done: &[Receipt]) -> Result<Option<ChannelCall>, SendFailure> {
        outbound::next_call(&self.graph, &self.list_button, message, done)
    }

    fn receipt(&self, reply: &HttpReply) -> Result<Receipt, SendFailure> {
        reply::receipt(reply)
    }

    /// WhatsApp has no typing indicator without a read mark: both are one call about the consumer's last message. The consumer sees two
    /// blue ticks as soon as an agent types, even if LiveEngage hasn't reported the message as read.
    fn indicate(&self, _to: &ChannelUserId, indication: &Indication) -> Option<HttpCall> {
        outbound::indicate(&self.graph, indication)
    }

    fn fetch(&self, media: &InboundMedia, asked: Option<&HttpReply>) -> Result<MediaCall, SendFailure> {
        media::fetch(&self.graph, &self.media_hosts, media, asked)
    }
}
