//! Builds outbound requests to the gateway, and reads its replies.

use serde::Deserialize;

use crate::{Receipt, SendFailure};
use connector_message::{code::Code, http::HttpReply, json};

/// An outbound message.
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
struct AcceptedReply {
    id: Option<String>,
}

#[derive(Deserialize)]
struct RefusedReply {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    code: Code,
}

/// Reads the reply to a send. A 2xx with any body means that the gateway accepted the message: a retry would send it twice. The exception
/// is an HTML page, which comes from a proxy.
///
/// # Errors
/// [`SendFailure::Unreadable`] for a 2xx with a page. Otherwise by status: [`SendFailure::Later`] for 404, 405, 408, 410, 425, 429 and 5xx,
/// [`SendFailure::Credentials`] for 401 and 403, [`SendFailure::Unreachable`] for 422, [`SendFailure::Refused`] for any other status.
pub(super) fn receipt(reply: &HttpReply) -> Result<Receipt, SendFailure> {
    let status = reply.status.as_u16();
    let code = || serde_json::from_slice::<RefusedReply>(&reply.body).map_or(Code::NONE, |refused| refused.error.code);
    match status {
        200..=299 => match json::read::<serde_json::Value>(&reply.body) {
            // Some gateways reply "OK" or "ID: 4711".
            Err(_) if reply.is_page() => Err(SendFailure::Unreadable { status }),
            body => {
                let accepted = body.ok().and_then(|body| serde_json::from_value::<AcceptedReply>(body).ok());
                Ok(Receipt { provider_id: accepted.and_then(|accepted| accepted.id), is_message: true })
            }
        },
        // A wrong URL or a gateway that is being deployed. The message is not the cause, and an operator can correct it while the message
        // is retried.
        404 | 405 | 408 | 410 | 425 | 429 | 500..=599 => Err(SendFailure::Later { status, after: reply.retry_after }),
        401 | 403 => Err(SendFailure::Credentials { status }),
        422 => Err(SendFailure::Unreachable { status, code: code() }),
        400..=499 => Err(SendFailure::Refused { status, code: code() }),
        // Redirects are not followed: they could send the token to another host.
        _ => Err(SendFailure::Refused { status, code: code() }),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn replies_are_classified() {
        let reply = |status: u16, body: &str| HttpReply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(SignedDuration::from_secs(7)),
            body: body.to_owned().into(),
        };
        assert_eq!(receipt(&reply(201, r#"{"id":"mt-9","parts":1}"#)).unwrap().provider_id.as_deref(), Some("mt-9"));
        for unnamed in ["", " \n", "{}", "[]", r#""ok""#] {
            assert_eq!(receipt(&reply(202, unnamed)).unwrap().provider_id, None, "{unnamed}");
        }
        // The connection broke during the reply: the gateway accepted the message.
        assert_eq!(receipt(&reply(201, r#"{"id":"mt-"#)).unwrap().provider_id, None);
        for said in ["OK", "ID: 4711", r#"{"id":"mt-9"} or so"#, "<response><id>1</id></response>"] {
            assert!(receipt(&reply(200, said)).is_ok(), "{said}");
        }
        for page in ["<html>Back soon</html>", "\n<!DOCTYPE HTML><title>Proxy</title>"] {
            assert_eq!(receipt(&reply(200, page)), Err(SendFailure::Unreadable { status: 200 }), "{page}");
        }
        assert_eq!(
            receipt(&reply(429, "")),
            Err(SendFailure::Later { status: 429, after: Some(SignedDuration::from_secs(7)) })
        );
        assert_eq!(receipt(&reply(401, "")), Err(SendFailure::Credentials { status: 401 }));
        assert_eq!(
            receipt(&reply(422, r#"{"error":{"code":"opted_out","message":"+49 private"}}"#)),
            Err(SendFailure::Unreachable { status: 422, code: Code::internal("opted_out") })
        );
        assert_eq!(
            receipt(&reply(400, r#"{"error":{"code":"text was: private words"}}"#)),
            Err(SendFailure::Refused { status: 400, code: Code::NONE })
        );
        assert!(matches!(receipt(&reply(302, "")), Err(SendFailure::Refused { .. })));
    }
}
