//! Reads replies of the Graph API. Meta recommends to decide by `error.code`, not by the HTTP status or the text (Error codes page).

use jiff::SignedDuration;
use serde_json::Value;

use crate::{Receipt, SendFailure};
use connector_message::{code::Code, http::HttpReply, json};

/// The minimum wait after "too many messages to this consumer" (131056): the limit is one message in six seconds.
const PAIR_PAUSE: SignedDuration = SignedDuration::from_secs(6);

/// Reads the reply to a message or an upload. A 2xx with an empty or truncated body means that Meta accepted the call: a retry would send
/// the message twice.
///
/// # Errors
/// [`SendFailure::Unreadable`] for a 2xx with a body without an id, which is not from Meta. Otherwise as in [`failure`].
pub(super) fn receipt(reply: &HttpReply) -> Result<Receipt, SendFailure> {
    if !reply.status.is_success() {
        return Err(failure(reply));
    }
    let unreadable = SendFailure::Unreadable { status: reply.status.as_u16() };
    let body: Value = match json::read(&reply.body) {
        Ok(body) => body,
        Err(error) if error.is_eof() => return Ok(Receipt { provider_id: None, is_message: true }),
        Err(_) => return Err(unreadable),
    };
    let id = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).filter(|id| !id.is_empty());
    match (id("/messages/0/id"), id("/id")) {
        (Some(message), _) => Ok(Receipt { provider_id: Some(message.to_owned()), is_message: true }),
        (None, Some(upload)) => Ok(Receipt { provider_id: Some(upload.to_owned()), is_message: false }),
        (None, None) => Err(unreadable),
    }
}

/// Returns the failure for a reply that is not a 2xx: by Meta's code, or by the HTTP status if the code is missing or unknown.
pub(super) fn failure(reply: &HttpReply) -> SendFailure {
    let status = reply.status.as_u16();
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let number = |pointer: &str| body.pointer(pointer).and_then(Value::as_i64);
    let code = number("/error/code");
    let code_text = || code.map_or(Code::NONE, Code::from);
    let later = SendFailure::Later { status, after: reply.retry_after };
    match (code, number("/error/error_subcode")) {
        (Some(131_056), _) => {
            SendFailure::Later { status, after: Some(reply.retry_after.unwrap_or(PAIR_PAUSE).max(PAIR_PAUSE)) }
        }
        // Throttled or temporarily unavailable.
        (Some(1 | 2 | 4 | 80_007 | 130_429 | 131_000 | 131_016 | 131_057 | 133_004), _) => later,
        // The token, its permissions, the registration of the number, or the payment. 100 with 33: the token has no access to the id in the
        // URL, so that one of the two is wrong.
        (Some(100), Some(33)) | (Some(0 | 3 | 10 | 33 | 190 | 200..=299 | 368), _) => {
            SendFailure::Credentials { status }
        }
        (Some(131_005 | 131_031 | 131_037 | 131_042 | 131_045 | 133_010), _) => SendFailure::Credentials { status },
        (Some(131_047), _) => SendFailure::WindowClosed { status, code: code_text() },
        // The consumer has opted out, Meta blocks messages to the consumer, or the consumer doesn't exist.
        (Some(131_048 | 131_049 | 131_050 | 130_472 | 130_497 | 131_021 | 131_026 | 131_030), _) => {
            SendFailure::Unreachable { status, code: code_text() }
        }
        // The parameters, a media file or a template.
        (Some(100 | 131_008 | 131_009 | 131_051 | 131_052 | 131_053 | 131_062 | 132_000..=132_999), _) => {
            SendFailure::Refused { status, code: code_text() }
        }
        _ if body.pointer("/error/is_transient") == Some(&Value::Bool(true)) => later,
        _ => match status {
            408 | 425 | 429 | 500..=599 => later,
            401 | 403 => SendFailure::Credentials { status },
            // Without a code the reply is not from Meta: the cause is a wrong URL or a proxy, and not the message.
            404 | 405 | 410 if code.is_none() => later,
            // Redirects are not followed: they could send the token to another host.
            _ => SendFailure::Refused { status, code: code_text() },
        },
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: impl ToString) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
    }

    fn class(status: u16, code: i64) -> &'static str {
        let body = json!({"error": {"message": "(#1) text of +4915209988771", "type": "OAuthException", "code": code}});
        match failure(&reply(status, body)) {
            SendFailure::Later { .. } => "later",
            SendFailure::Credentials { .. } => "credentials",
            SendFailure::Unreachable { code: shown, .. } if shown == Code::from(code) => "unreachable",
            SendFailure::WindowClosed { code: shown, .. } if shown == Code::from(code) => "window",
            SendFailure::Refused { code: shown, .. } if shown == Code::from(code) => "refused",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_documented_code_has_its_class_whatever_the_status() {
        for (expected, codes) in [
            ("later", &[1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057, 133004][..]),
            (
                "credentials",
                &[0, 3, 10, 33, 190, 200, 250, 299, 368, 131005, 131031, 131037, 131042, 131045, 133010][..],
            ),
            ("window", &[131047][..]),
            ("unreachable", &[131048, 131049, 131050, 130472, 130497, 131021, 131026, 131030][..]),
            ("refused", &[100, 131008, 131009, 131051, 131052, 131053, 131062, 132000, 132001, 132016][..]),
        ] {
            for &code in codes {
                for status in [400, 403, 404, 429, 500] {
                    assert_eq!(class(status, code), expected, "{code} with {status}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_code_is_classified_by_its_status() {
        for (status, expected) in [
            (400, "refused"),
            (401, "credentials"),
            (403, "credentials"),
            (404, "refused"),
            (429, "later"),
            (503, "later"),
        ] {
            assert_eq!(class(status, 987_654), expected, "{status}");
        }
        let transient = json!({"error": {"code": 987_654, "is_transient": true}});
        assert_eq!(failure(&reply(400, transient)), SendFailure::Later { status: 400, after: None });
    }

    #[test]
    fn a_reply_that_is_not_from_meta_is_classified_by_its_status() {
        for body in ["", "<html>", "[]", r#"{"error":"+4915209988771"}"#, r#"{"error":{"code":"private"}}"#] {
            assert_eq!(failure(&reply(400, body)), SendFailure::Refused { status: 400, code: Code::NONE });
            assert_eq!(failure(&reply(302, body)), SendFailure::Refused { status: 302, code: Code::NONE });
            assert_eq!(failure(&reply(404, body)), SendFailure::Later { status: 404, after: None });
            assert_eq!(failure(&reply(502, body)), SendFailure::Later { status: 502, after: None });
            assert_eq!(failure(&reply(401, body)), SendFailure::Credentials { status: 401 });
        }
    }

    #[test]
    fn after_too_many_messages_to_a_consumer_the_wait_is_at_least_six_seconds() {
        let mut reply = reply(400, json!({"error": {"code": 131_056}}));
        for (asked, expected) in [(None, 6), (Some(2), 6), (Some(40), 40)] {
            reply.retry_after = asked.map(SignedDuration::from_secs);
            let after = Some(SignedDuration::from_secs(expected));
            assert_eq!(failure(&reply), SendFailure::Later { status: 400, after });
        }
    }

    #[test]
    fn an_id_without_access_is_a_credentials_error() {
        let body = json!({"error": {"code": 100, "error_subcode": 33, "message": "Unsupported post request."}});
        assert_eq!(failure(&reply(400, body)), SendFailure::Credentials { status: 400 });
    }

    #[test]
    fn a_success_is_a_message_or_an_upload() {
        let read = |body: &str| receipt(&reply(200, body)).unwrap();
        let sent = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+4915209988771"}],"messages":[{"id":"wamid.A1"}]}"#;
        assert_eq!(read(sent), Receipt { provider_id: Some("wamid.A1".to_owned()), is_message: true });
        assert_eq!(
            read(r#"{"id":"77120035"}"#),
            Receipt { provider_id: Some("77120035".to_owned()), is_message: false }
        );
        // The connection broke during the reply: Meta accepted the message.
        for cut_off in ["", "\n", r#"{"messages":[{"id":"wam"#] {
            assert_eq!(read(cut_off), Receipt { provider_id: None, is_message: true }, "{cut_off}");
        }
        assert!(receipt(&reply(400, "")).is_err());
    }

    #[test]
    fn a_success_that_is_not_from_meta_is_unreadable() {
        for body in ["thanks", "<html>", "{}", "[]", r#"{"messages":[]}"#, r#"{"messages":[{"id":""}]}"#, r#"{"id":7}"#]
        {
            assert_eq!(receipt(&reply(200, body)), Err(SendFailure::Unreadable { status: 200 }), "{body}");
        }
    }
}
