//! Errors of LiveEngage calls, and what to do about them.

use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;

use super::{
    messaging::SEND,
    messaging_window,
    tolerant::{self, Lenient, LenientText},
};
use connector_message::{
    Disposition,
    code::Code,
    http::{HttpReply, InvalidHeader},
};

/// A LiveEngage call that failed. Holds only codes, because LivePerson's messages can contain names of consumers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveEngageError {
    /// 401: the AppJWT is expired or invalid (code 40102, or a 401 without a code). Get a new one.
    #[error("{call}: LiveEngage rejects the AppJWT (HTTP 401)")]
    AppJwtRefused {
        /// The call's name.
        call: &'static str,
    },
    /// 401: the ConsumerJWS is invalid (code 40103) or missing (40104). Get a new one.
    #[error("{call}: LiveEngage rejects the ConsumerJWS (HTTP 401)")]
    ConsumerJwsRefused {
        /// The call's name.
        call: &'static str,
    },
    /// 400 "Conversation is close": the conversation has ended. Publish the text in a new one.
    #[error("{call}: the conversation is closed")]
    ConversationClosed {
        /// The call's name.
        call: &'static str,
    },
    /// 400 "already has open conversation". The reply doesn't have the id: only a webhook has it.
    #[error("{call}: the consumer already has an open conversation, and its id is not known yet")]
    AlreadyOpen {
        /// The call's name.
        call: &'static str,
    },
    /// Sentinel rejects the app install's client id or secret: an operator must correct the account's secret.
    #[error("{call}: Sentinel rejects the client id or secret (HTTP {status}): check the account's secret")]
    CredentialsRefused {
        /// The call's name.
        call: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// 401 of the Login Service: the user's name, password or app key is wrong, or the user may not log in.
    #[error("{call}: the Login Service rejects the user's name, password or key (HTTP 401)")]
    LoginRefused {
        /// The call's name.
        call: &'static str,
    },
    /// IDP doesn't accept the brand's code or token of a consumer. The same token would be refused again.
    #[error("{call}: IDP rejects the brand's token of the consumer")]
    IdentityRefused {
        /// The call's name.
        call: &'static str,
    },
    /// 401: the session of a login has ended, or its bearer or csrf token is wrong. Log in again.
    #[error("{call}: the session has ended, or its token is wrong (HTTP 401): log in again")]
    SessionRefused {
        /// The call's name.
        call: &'static str,
    },
    /// 412: somebody else has changed the record since it was read. Read it again, and repeat the change.
    #[error("{call}: the record was changed since it was read (HTTP 412)")]
    RevisionConflict {
        /// The call's name.
        call: &'static str,
    },
    /// The Domain API has no such account: an operator must correct the account's id.
    #[error("the Domain API has no such account (HTTP {status}): check the account's id")]
    UnknownAccount {
        /// The HTTP status.
        status: u16,
    },
    /// 429: too many calls.
    #[error("{call}: too many calls (HTTP 429)")]
    RateLimited {
        /// The call's name.
        call: &'static str,
        /// `Retry-After`, or one second if that is longer (Connector API, Retry Policy).
        after: SignedDuration,
    },
    /// 401 of the storage: a temporary URL expires after about one minute. Request another one.
    #[error("{call}: the temporary URL has expired (HTTP 401)")]
    UrlExpired {
        /// The call's name.
        call: &'static str,
    },
    /// 404 or 410 of the storage for a download: the file was deleted or never uploaded.
    #[error("{call}: the storage has no such file (HTTP {status})")]
    FileGone {
        /// The call's name.
        call: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// 451: LivePerson has blocked the caller. Contact LivePerson.
    #[error("{call}: LivePerson blocks the caller (HTTP 451): contact LivePerson")]
    Blocked {
        /// The call's name.
        call: &'static str,
    },
    /// Any other 4xx: the same call would fail again.
    #[error("{call}: refused (HTTP {status}, code {code})")]
    Refused {
        /// The call's name.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// LivePerson's error code. `none` if there is none.
        code: Code,
    },
    /// 404, 408, 5xx, or any undocumented status.
    #[error("{call}: unavailable (HTTP {status})")]
    Unavailable {
        /// The call's name.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// `Retry-After`, if the reply had it.
        after: Option<SignedDuration>,
    },
    /// A 2xx whose body doesn't have the documented form.
    #[error("{call}: the answer can't be read: {what}")]
    Unreadable {
        /// The call's name.
        call: &'static str,
        /// What is missing or wrong.
        what: &'static str,
    },
    /// The account's service list has no such service: LivePerson must enable it.
    #[error("the account has no service {service}: LivePerson must enable it")]
    NoService {
        /// The service's name.
        service: &'static str,
    },
    /// The request can't be built, for example because it is too long.
    #[error("{call}: {what}")]
    Unsendable {
        /// The call's name.
        call: &'static str,
        /// The reason, as part of a sentence.
        what: &'static str,
    },
    /// A token that can't be sent in a header.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
}

impl LiveEngageError {
    /// What to do with the message that was being delivered. Errors that a caller handles itself (tokens, a closed conversation) are
    /// retries here, for the case that handling them failed.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::AppJwtRefused { .. }
            | Self::ConsumerJwsRefused { .. }
            | Self::ConversationClosed { .. }
            | Self::AlreadyOpen { .. }
            | Self::SessionRefused { .. }
            | Self::RevisionConflict { .. }
            | Self::UrlExpired { .. } => Disposition::RETRY,
            // An operator can correct the configuration while the message is retried for hours.
            Self::CredentialsRefused { .. }
            | Self::LoginRefused { .. }
            | Self::UnknownAccount { .. }
            | Self::Blocked { .. }
            | Self::NoService { .. } => Disposition::RETRY,
            Self::RateLimited { after, .. } => Disposition::Retry { after: Some(*after) },
            Self::Unavailable { after, .. } => Disposition::Retry { after: *after },
            // For example a maintenance page. The caller must treat the delivery of a text as uncertain. A conversation that was opened
            // anyway is found by its webhook.
            Self::Unreadable { .. } => Disposition::RETRY,
            Self::FileGone { .. }
            | Self::IdentityRefused { .. }
            | Self::Refused { .. }
            | Self::Unsendable { .. }
            | Self::Header(_) => Disposition::Park,
        }
    }
}

/// The forms of LivePerson's error bodies: `{"code", "body": {"msg"}}` of the Send API, the same with a bare string as the body, and
/// `.ReqBody$ErrorResp` of the authentication.
#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    #[serde_as(as = "Lenient")]
    body: Option<ErrorDetails>,
    #[serde_as(as = "LenientText")]
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorDetails {
    Message(String),
    Members(ErrorMembers),
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ErrorMembers {
    #[serde_as(as = "LenientText")]
    title: Option<String>,
    #[serde_as(as = "LenientText")]
    error_code: Option<String>,
    #[serde_as(as = "LenientText")]
    msg: Option<String>,
}

/// Returns the error for a reply that is not a success. `message` replaces the body's `msg`: CONVERSATION's replies have several elements.
pub(super) fn classify(call: &'static str, reply: &HttpReply, message: Option<&str>) -> LiveEngageError {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let mut body = tolerant::unwrap_single(body);
    // Serde would read a list as the members in their order, and so any text in it as a code.
    if let Some(list) = body.get_mut("body").filter(|inner| inner.is_array()) {
        list.take();
    }
    let body = if body.is_object() { ErrorBody::deserialize(body).unwrap_or_default() } else { ErrorBody::default() };
    let ErrorMembers { title, error_code, msg } = match body.body {
        Some(ErrorDetails::Members(members)) => members,
        Some(ErrorDetails::Message(message)) => ErrorMembers { msg: Some(message), ..ErrorMembers::default() },
        None => ErrorMembers::default(),
    };
    let message = message.map(str::to_owned).or(msg).unwrap_or_default();
    let title = title.unwrap_or_default();
    let code = error_code.or(body.code).map_or(Code::NONE, Code::from);
    match reply.status {
        StatusCode::UNAUTHORIZED => {
            // The title decides first: the documentation pairs titles and codes in two ways.
            let said = |token: &str| title.contains(token);
            let consumer = said("ConsumerJWS") || (!said("AppJWT") && matches!(code.as_str(), "40103" | "40104"));
            if consumer {
                LiveEngageError::ConsumerJwsRefused { call }
            } else {
                LiveEngageError::AppJwtRefused { call }
            }
        }
        status if is_closed_conversation(call, status, &message) => LiveEngageError::ConversationClosed { call },
        StatusCode::BAD_REQUEST if message.contains("already has open conversation") => {
            LiveEngageError::AlreadyOpen { call }
        }
        StatusCode::TOO_MANY_REQUESTS => LiveEngageError::RateLimited {
            call,
            after: reply.retry_after.unwrap_or_default().max(SignedDuration::from_secs(1)),
        },
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => LiveEngageError::Blocked { call },
        // The host may have moved or was too slow: neither means that this call is wrong.
        status @ (StatusCode::NOT_FOUND | StatusCode::REQUEST_TIMEOUT) => {
            LiveEngageError::Unavailable { call, status: status.as_u16(), after: reply.retry_after }
        }
        status if status.is_client_error() => LiveEngageError::Refused { call, status: status.as_u16(), code },
        status => LiveEngageError::Unavailable { call, status: status.as_u16(), after: reply.retry_after },
    }
}

/// Whether an error of SEND says that the conversation or its dialog is closed.
///
/// The documentation has only 400 "Bad Request, Conversation is close" (Connector API, Send API page), and LivePerson guarantees neither
/// the words nor the status. The words must be about the conversation: "Participant 5f does not exist in conversation" is about the
/// participant.
fn is_closed_conversation(call: &str, status: StatusCode, message: &str) -> bool {
    const STATUSES: [u16; 6] = [400, 403, 404, 409, 410, 422];
    const ENDS: [&str; 5] = ["close", "closed", "ended", "open", "exist"];
    // Words between "conversation" and its end.
    const BETWEEN: [&str; 9] = ["is", "was", "has", "been", "does", "not", "no", "longer", "doesn't"];
    if (call != SEND && call != messaging_window::CALL) || !STATUSES.contains(&status.as_u16()) {
        return false;
    }
    let message = message.to_lowercase();
    let words: Vec<&str> = message.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '-').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().filter(|(_, word)| ["conversation", "dialog"].contains(word)).any(|(index, _)| {
        let after = words.get(index + 1..).unwrap_or_default();
        // The id may follow.
        let skipped = usize::from(after.first().is_some_and(|word| word.bytes().any(|byte| byte.is_ascii_digit())));
        let after = after.get(skipped..).unwrap_or_default();
        let between = after.iter().take_while(|word| BETWEEN.contains(word)).count();
        let is_negated = after.iter().take(between).any(|word| ["not", "no", "doesn't"].contains(word));
        match after.get(between) {
            Some(&("open" | "exist")) => is_negated,
            Some(word) => ENDS.contains(word) && !is_negated,
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_owned().into() }
    }

    #[test]
    fn documented_errors_are_classified() {
        let classified = |status, body| classify(SEND, &reply(status, body), None);
        let call = SEND;
        for (body, expected) in [
            (
                r#"{"kind":"resp","code":401,"body":{"title":"Invalid AppJWT","details":"token has expired","errorCode":40102},"type":".ReqBody$ErrorResp"}"#,
                LiveEngageError::AppJwtRefused { call },
            ),
            (
                r#"{"code":401,"body":{"title":"Invalid ConsumerJWS","errorCode":"40103"}}"#,
                LiveEngageError::ConsumerJwsRefused { call },
            ),
            // The page pairs this title with 40104 in its sample and with 40105 in its table.
            (
                r#"{"code":401,"body":{"title":"AppJWT is missing","errorCode":40104}}"#,
                LiveEngageError::AppJwtRefused { call },
            ),
            (
                r#"{"code":401,"body":{"title":"ConsumerJWS is missing","errorCode":40104}}"#,
                LiveEngageError::ConsumerJwsRefused { call },
            ),
            // Without a title the code decides.
            (r#"{"code":401,"body":{"errorCode":40104}}"#, LiveEngageError::ConsumerJwsRefused { call }),
            (r#"{"code":401,"body":{"errorCode":40105}}"#, LiveEngageError::AppJwtRefused { call }),
            ("gateway says no", LiveEngageError::AppJwtRefused { call }),
        ] {
            assert_eq!(classified(401, body), expected, "{body}");
        }
        assert_eq!(
            classified(
                400,
                r#"{"code":"BAD_REQUEST","body":{"msg":"Bad Request, Conversation is close"},"reqId":"9"}"#
            ),
            LiveEngageError::ConversationClosed { call }
        );
        // The websocket's form, as a list of one.
        assert_eq!(
            classified(400, r#"[{"code":400,"body":"Bad Request, Conversation is close"}]"#),
            LiveEngageError::ConversationClosed { call }
        );
        assert_eq!(
            classified(400, r#"{"code":"BAD_REQUEST","body":{"msg":"Bad Request"},"reqId":"9"}"#),
            LiveEngageError::Refused { call, status: 400, code: Code::internal("BAD_REQUEST") }
        );
        assert_eq!(classified(429, ""), LiveEngageError::RateLimited { call, after: SignedDuration::from_secs(1) });
        assert_eq!(classified(451, ""), LiveEngageError::Blocked { call });
        assert_eq!(classified(503, "<html>"), LiveEngageError::Unavailable { call, status: 503, after: None });
        assert_eq!(classified(302, ""), LiveEngageError::Unavailable { call, status: 302, after: None });
        assert_eq!(classified(404, "<html>"), LiveEngageError::Unavailable { call, status: 404, after: None });
        assert_eq!(classified(403, ""), LiveEngageError::Refused { call, status: 403, code: Code::NONE });
    }

    #[test]
    fn a_closed_conversation_is_recognized_in_any_plausible_words() {
        let call = SEND;
        for (status, message) in [
            (400, "Bad Request, Conversation is close"),
            (400, "Bad Request, Conversation is closed"),
            (400, "conversation is CLOSED"),
            (409, "The dialog has been closed"),
            (404, "Conversation 4fe52a76 does not exist"),
            (410, "This conversation has ended"),
            (403, "Conversation is not open"),
        ] {
            let body = serde_json::json!({"code": "BAD_REQUEST", "body": {"msg": message}}).to_string();
            assert_eq!(
                classify(call, &reply(status, &body), None),
                LiveEngageError::ConversationClosed { call },
                "{message}"
            );
        }
        for (status, message) in [
            (400, "User 5f already has open conversation. Can't open another one."),
            (400, "Bad Request"),
            (404, "Not Found"),
            (503, "Conversation is close"),
            (400, "the request was closed"),
            (400, "Participant 5f does not exist in conversation"),
            (400, "Conversation is not closed"),
            (400, "Conversation is open"),
            (400, "conversation"),
        ] {
            let body = serde_json::json!({"code": "BAD_REQUEST", "body": {"msg": message}}).to_string();
            assert_ne!(
                classify(call, &reply(status, &body), None),
                LiveEngageError::ConversationClosed { call },
                "{message}"
            );
        }
    }

    #[test]
    fn no_message_of_liveperson_is_kept() {
        let error = classify(
            "SEND",
            &reply(400, r#"{"code":"call +4915112345678","body":{"msg":"User 15112345678 said: private words"}}"#),
            None,
        );
        assert!(!format!("{error} {error:?}").contains("1234"), "{error:?}");
    }
}
