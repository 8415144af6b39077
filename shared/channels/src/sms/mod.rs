//! SMS through a generic HTTP gateway.
//!
//! JSON in both directions, in the connector's own form (docs/how-to/sms-gateway.md). Inbound requests are signed as in Sinch's Conversation
//! API, and outbound calls have a bearer token.
//!
//! - [`signature`]: HMAC-SHA256 over body, nonce and timestamp, which may differ by five minutes.
//! - `settings`: the object `sms` in a line's secret.
//! - `inbound`: messages, reports and typing.
//! - `outbound`: messages, and the gateway's replies.
//! - [`segment`]: counts and splits parts in GSM-7 and UCS-2.

use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use self::{inbound::Inbox, outbound::Outbound, settings::SmsSettings};
use super::{
    Answer, Capabilities, Channel, ChannelCall, ChannelRequest, Line, MediaCall, Receipt, Reception, Registration,
    SendFailure, Unreadable, VerifyError,
};
use crate::{
    id::CallReference,
    message::{InboundMedia, OutboundContent, OutboundMessage},
    setting::Setting,
};
use connector_message::{
    http::{HttpCall, HttpReply},
    settings::{WrongField, is_https_or_loopback},
};

mod inbound;
mod outbound;
pub mod segment;
mod settings;
pub mod signature;

/// The maximum number of concatenated parts in one SMS. A longer text becomes several messages. Gateways accept at least 10 parts.
pub const MOST_PARTS: usize = 10;

/// The channel `sms`.
#[derive(Debug, Clone, Copy)]
pub struct Sms;

impl Channel for Sms {
    fn name(&self) -> &'static str {
        "sms"
    }

    fn title(&self) -> &'static str {
        "SMS"
    }

    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }

    fn line(&self, settings: &serde_json::Value) -> Result<Box<dyn Line>, WrongField> {
        let settings = SmsSettings::read(settings)?;
        let authorization = settings.authorization()?;
        Ok(Box::new(SmsLine {
            from: settings.from,
            send_url: settings.send_url,
            authorization,
            webhook_secret: settings.webhook_secret,
            delivery_reports: settings.delivery_reports,
            media_hosts: settings.media_hosts,
        }))
    }
}

#[derive(Debug)]
struct SmsLine {
    from: String,
    send_url: Url,
    authorization: HeaderValue,
    webhook_secret: SecretString,
    delivery_reports: bool,
    media_hosts: Vec<String>,
}

impl SmsLine {
    fn text_call(&self, message: &OutboundMessage, text: &str, index: usize) -> ChannelCall {
        let reference = CallReference::of(&message.reference, index);
        let body = Outbound {
            from: &self.from,
            to: message.to.as_str(),
            text,
            client_reference: reference.as_ref().map_or(&message.reference, CallReference::as_str),
        };
        let call = HttpCall::new("SMS gateway send", Method::POST, self.send_url.clone())
            .body("application/json", body.to_json());
        ChannelCall::message(self.authorized(call), reference)
    }

    fn authorized(&self, mut call: HttpCall) -> HttpCall {
        call.headers.insert(http::header::AUTHORIZATION, self.authorization.clone());
        call
    }

    /// Whether the gateway's token may be sent to this URL: it is at the gateway's own host, or at one of the line's `media_hosts`.
    fn is_trusted(&self, url: &Url) -> bool {
        let own = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        let listed =
            url.host_str().is_some_and(|host| self.media_hosts.iter().any(|known| known.eq_ignore_ascii_case(host)));
        is_https_or_loopback(url) && (own(url) == own(&self.send_url) || listed)
    }
}

impl Line for SmsLine {
    fn verify(&self, request: &ChannelRequest, now: Timestamp) -> Result<(), VerifyError> {
        signature::verify(request, &self.webhook_secret, now)
    }

    fn signs_time(&self) -> bool {
        true
    }

    fn registration(&self, webhook: &Url) -> Registration {
        Registration::Manual {
            steps: vec![
                format!("Let the gateway, or the program between it and the connector, post messages to {webhook}."),
                "Let it sign each request with the setting webhook_secret.".to_owned(),
            ],
        }
    }

    fn receive(&self, request: &ChannelRequest) -> Result<Reception, Unreadable> {
        if request.method != Method::POST {
            return Err(Unreadable { rule: "wants a POST".to_owned() });
        }
        let Inbox { events, unreadable, left_out } = inbound::read(&request.body)?;
        Ok(Reception { events, unreadable, left_out, ..Reception::new(Answer::empty(StatusCode::OK)) })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            address_is_phone: true,
            reports_delivery: self.delivery_reports,
            reports_reading: self.delivery_reports,
            ..Capabilities::TEXT_ONLY
        }
    }

    fn next_call(&self, message: &OutboundMessage, done: &[Receipt]) -> Result<Option<ChannelCall>, SendFailure> {
        let text = match &message.content {
            OutboundContent::Text { text } => text.as_str(),
            // Not within this line's capabilities.
            OutboundContent::Rich { .. } | OutboundContent::File(_) => {
                return Err(SendFailure::Impossible { why: "this channel carries texts only" });
            }
        };
        let piece = segment::messages(text, MOST_PARTS).nth(done.len());
        Ok(piece.map(|piece| self.text_call(message, piece, done.len())))
    }

    fn fetch(&self, media: &InboundMedia, _asked: Option<&HttpReply>) -> Result<MediaCall, SendFailure> {
        let url: Url = media
            .reference
            .as_str()
            .parse()
            .map_err(|_| SendFailure::Impossible { why: "the file's address is not a URL" })?;
        if !self.is_trusted(&url) {
            return Err(SendFailure::Impossible { why: "the file's host is not in the line's media_hosts" });
        }
        Ok(MediaCall::Fetch(self.authorized(HttpCall::new("SMS gateway media", Method::GET, url))))
    }

    fn receipt(&self, reply: &HttpReply) -> Result<Receipt, SendFailure> {
        outbound::receipt(reply)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::ChannelUserId;
    use connector_message::MessageText;

    fn line() -> Box<dyn Line> {
        Sms.line(&json!({
            "from": "+4930555123",
            "send_url": "https://gateway.example/v1/messages",
            "bearer_token": "b34rer",
            "webhook_secret": "wh-s3cret",
        }))
        .unwrap()
    }

    #[test]
    fn the_channel_shows_what_its_lines_show() {
        let capabilities = line().capabilities();
        assert_eq!(
            (Sms.shows_typing(), Sms.shows_read_marks()),
            (capabilities.typing.is_some(), capabilities.mark_read)
        );
    }

    fn message(text: &str) -> OutboundMessage {
        OutboundMessage {
            to: ChannelUserId::new("+4915112345678").unwrap(),
            reference: "0a1b2c".to_owned(),
            content: OutboundContent::Text { text: MessageText::new(text) },
        }
    }

    #[test]
    fn a_text_is_one_authorized_post_with_a_reference() {
        let call = line().next_call(&message("Good morning 🌞"), &[]).unwrap().unwrap().call;
        assert_eq!((call.method, call.url.as_str()), (Method::POST, "https://gateway.example/v1/messages"));
        assert_eq!(call.headers.get("authorization").unwrap(), "Bearer b34rer");
        assert!(call.headers.get("authorization").unwrap().is_sensitive());
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&call.body).unwrap(),
            json!({"from": "+4930555123", "to": "+4915112345678", "text": "Good morning 🌞", "client_reference": "0a1b2c.0"})
        );
    }

    #[test]
    fn a_long_text_is_several_posts_in_order_and_then_done() {
        let line = line();
        let text = "all work and no play ".repeat(200);
        let mut done = Vec::new();
        let mut joined = String::new();
        while let Some(call) = line.next_call(&message(&text), &done).unwrap() {
            let body: serde_json::Value = serde_json::from_slice(&call.call.body).unwrap();
            joined.push_str(body["text"].as_str().unwrap());
            assert_eq!(body["client_reference"], format!("0a1b2c.{}", done.len()));
            done.push(Receipt { provider_id: None, is_message: true });
        }
        assert_eq!(joined, text);
        assert!(done.len() >= 3);
    }

    #[test]
    fn only_a_post_is_read() {
        let request = |method| ChannelRequest {
            method,
            headers: http::HeaderMap::new(),
            query: vec![],
            body: r#"{"id":"mo-1","from":"+49","text":"Hi"}"#.into(),
        };
        assert_eq!(line().receive(&request(Method::POST)).unwrap().events.len(), 1);
        assert!(line().receive(&request(Method::PUT)).is_err());
    }

    #[test]
    fn the_token_goes_to_the_gateways_own_hosts_only() {
        let line = Sms
            .line(&json!({
                "from": "+4930555123", "send_url": "https://gateway.example/v1/messages", "bearer_token": "b34rer",
                "webhook_secret": "wh", "media_hosts": ["media.example"],
            }))
            .unwrap();
        let fetch = |address: &str| {
            let media = InboundMedia {
                kind: crate::message::MediaKind::Picture,
                reference: MessageText::new(address),
                content_type: None,
                name: None,
                caption: None,
            };
            line.fetch(&media, None)
        };
        for address in ["https://gateway.example/media/1?x=y", "https://media.example/2"] {
            let Ok(MediaCall::Fetch(call)) = fetch(address) else { panic!("{address}") };
            assert_eq!((call.method, call.url.as_str()), (Method::GET, address));
            assert_eq!(call.headers.get("authorization").unwrap(), "Bearer b34rer");
        }
        for address in [
            "https://evil.example/1",
            "http://gateway.example/media/1",
            "https://gateway.example:8443/media/1",
            "https://gateway.example.evil.example/1",
            "https://gateway.example@evil.example/1",
            "file:///etc/passwd",
            "not an address",
        ] {
            assert!(fetch(address).is_err(), "{address}");
        }
    }

    #[test]
    fn debug_of_a_line_holds_no_secret() {
        let shown = format!("{:?}", line());
        assert!(!shown.contains("b34rer") && !shown.contains("wh-s3cret"), "{shown}");
    }

    #[test]
    fn an_error_names_the_setting_without_its_value() {
        let error = |settings: serde_json::Value| Sms.line(&settings).unwrap_err().to_string();
        assert_eq!(error(json!({"from": "+49"})), "sms: missing field `send_url`");
        let mut settings = json!({"from": "+49", "send_url": "http://gateway.example", "bearer_token": "secret value", "webhook_secret": "x"});
        assert_eq!(error(settings.clone()), "sms.send_url: must be an https URL (http only for loopback)");
        settings["send_url"] = json!("https://gateway.example");
        settings["media_hosts"] = json!(["ok.example", "https://secret.example/"]);
        let rule = "sms.media_hosts[1]: must be a host name without scheme, port and path";
        assert_eq!(error(settings.clone()), rule);
        settings["send_url"] = json!({"secret": "value"});
        assert!(!error(settings.clone()).contains("value\""), "{}", error(settings));
    }
}
