//! The gateway's JSON: settings, inbound messages, outbound messages and answers.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    channel::{Receipt, SendFailure, SettingsError, Unreadable},
    domain::{
        http::HttpReply,
        id::{ChannelUserId, ProviderMessageId},
        message::{InboundContent, InboundEvent, MessageText},
    },
};

/// The object `sms` in a line's secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The brand's number or sender name, as the gateway wants it in `from`.
    pub from: String,
    /// Where outbound messages are posted: https, or http on loopback.
    pub send_url: Url,
    /// The token of outbound calls.
    pub bearer_token: SecretString,
    /// The key of the inbound signature.
    pub webhook_secret: SecretString,
}

impl Settings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// [`SettingsError`] names the field and never shows its value.
    pub fn read(settings: &serde_json::Value) -> Result<Self, SettingsError> {
        let settings: Self = crate::domain::settings::read("sms", settings)
            .map_err(|crate::domain::settings::WrongField { field, rule }| SettingsError { field, rule })?;
        let wrong = |field: &str, rule: &str| SettingsError { field: format!("sms.{field}"), rule: rule.to_owned() };
        if !crate::domain::settings::is_https_or_loopback(&settings.send_url) {
            return Err(wrong("send_url", "must be an https URL (http only for loopback)"));
        }
        if settings.from.is_empty() {
            return Err(wrong("from", "must not be empty"));
        }
        for (field, secret) in [("bearer_token", &settings.bearer_token), ("webhook_secret", &settings.webhook_secret)]
        {
            if crate::domain::settings::is_empty(secret) {
                return Err(wrong(field, "must not be empty"));
            }
        }
        Ok(settings)
    }
}

#[derive(Deserialize)]
struct Inbound {
    id: String,
    from: String,
    text: Option<String>,
    received_at: Option<String>,
}

/// Reads an inbound message: `{id, from, to, text, received_at}`.
///
/// Unknown fields are ignored. A message without a text (a picture, say) becomes a placeholder. A missing or unreadable
/// `received_at` counts as 1970: nothing is ordered by it.
///
/// # Errors
/// [`Unreadable`], when it is not JSON or has no id or sender.
pub fn read_inbound(body: &[u8]) -> Result<InboundEvent, Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let inbound: Inbound = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            unreadable("wants a JSON object with the strings id and from")
        } else {
            unreadable("not JSON")
        }
    })?;
    let content = match inbound.text {
        Some(text) if !text.trim().is_empty() => InboundContent::Text { text: MessageText::new(text) },
        _ => InboundContent::Unsupported { label: "message without text".to_owned() },
    };
    Ok(InboundEvent {
        id: ProviderMessageId::new(inbound.id).map_err(|_| unreadable("id: 1 to 256 characters"))?,
        user: ChannelUserId::new(inbound.from).map_err(|_| unreadable("from: 1 to 256 characters"))?,
        at: inbound.received_at.and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH),
        content,
    })
}

/// One outbound message.
#[derive(Serialize)]
pub(super) struct Outbound<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) text: &'a str,
    pub(super) client_reference: &'a str,
}

impl Outbound<'_> {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::json!({
            "from": self.from, "to": self.to, "text": self.text, "client_reference": self.client_reference,
        })
        .to_string()
        .into_bytes()
    }
}

#[derive(Deserialize)]
struct Accepted {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    code: String,
}

/// Reads the answer to a send. Any 2xx is acceptance, also when its body can't be read: repeating would double the message.
///
/// # Errors
/// [`SendFailure`] by status: 404, 405, 408, 410, 425, 429 and 5xx later, 401 and 403 credentials, 422 unreachable, other 4xx refused.
pub fn read_receipt(reply: &HttpReply) -> Result<Receipt, SendFailure> {
    let status = reply.status.as_u16();
    let code = || {
        serde_json::from_slice::<Refused>(&reply.body)
            .ok()
            .map(|refused| refused.error.code)
            // A code is a short word; anything else could be our own text, echoed.
            .filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)))
            .unwrap_or_else(|| "none".to_owned())
    };
    match status {
        200..=299 => Ok(Receipt {
            provider_id: serde_json::from_slice::<Accepted>(&reply.body).ok().and_then(|accepted| accepted.id),
        }),
        // A wrong address, or a gateway that is being deployed: no fault of the message, and mended within its hours.
        404 | 405 | 408 | 410 | 425 | 429 | 500..=599 => Err(SendFailure::Later { status, after: reply.retry_after }),
        401 | 403 => Err(SendFailure::Credentials { status }),
        422 => Err(SendFailure::Unreachable { status, code: code() }),
        400..=499 => Err(SendFailure::Refused { status, code: code() }),
        // Redirects are never followed: they could carry the token to another host.
        _ => Err(SendFailure::Refused { status, code: code() }),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn an_inbound_text_is_read_and_unknown_fields_are_ignored() {
        let event = read_inbound(
            r#"{"id":"mo-1","from":"+4915112345678","to":"+4930555123","text":"Grüße 😀","received_at":"2026-03-04T05:06:07Z","operator":"x"}"#
                .as_bytes(),
        )
        .unwrap();
        assert_eq!(event.id.as_str(), "mo-1");
        assert_eq!(event.user.as_str(), "+4915112345678");
        assert_eq!(event.at.as_second(), 1_772_600_767);
        assert_eq!(event.content, InboundContent::Text { text: MessageText::new("Grüße 😀") });
    }

    #[test]
    fn a_message_without_text_becomes_a_placeholder() {
        let event = read_inbound(br#"{"id":"mo-2","from":"+49"}"#).unwrap();
        assert!(matches!(event.content, InboundContent::Unsupported { .. }));
    }

    #[test]
    fn a_bad_body_is_named_without_its_words() {
        for body in ["", "not json", "[]", "{}", r#"{"id":5,"from":"+49 private"}"#, r#"{"id":"","from":"+49"}"#] {
            let error = read_inbound(body.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("private"), "{error}");
        }
    }

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        let reply = |status: u16, body: &str| HttpReply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(SignedDuration::from_secs(7)),
            body: body.to_owned().into(),
        };
        assert_eq!(
            read_receipt(&reply(201, r#"{"id":"mt-9","parts":1}"#)).unwrap().provider_id.as_deref(),
            Some("mt-9")
        );
        assert_eq!(read_receipt(&reply(202, "thanks")).unwrap().provider_id, None);
        assert_eq!(
            read_receipt(&reply(429, "")),
            Err(SendFailure::Later { status: 429, after: Some(SignedDuration::from_secs(7)) })
        );
        assert_eq!(read_receipt(&reply(401, "")), Err(SendFailure::Credentials { status: 401 }));
        assert_eq!(
            read_receipt(&reply(422, r#"{"error":{"code":"opted_out","message":"+49 private"}}"#)),
            Err(SendFailure::Unreachable { status: 422, code: "opted_out".to_owned() })
        );
        assert_eq!(
            read_receipt(&reply(400, r#"{"error":{"code":"text was: private words"}}"#)),
            Err(SendFailure::Refused { status: 400, code: "none".to_owned() })
        );
        assert!(matches!(read_receipt(&reply(302, "")), Err(SendFailure::Refused { .. })));
    }
}
