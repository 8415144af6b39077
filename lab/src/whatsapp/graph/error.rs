//! The errors of the Graph API, with the format and codes that Meta documents.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::GraphAnswer;
use crate::channel::SubscribeError;

/// Meta's title and HTTP status of each code ("Error codes" of the Cloud API). Callers depend on the code, because the
/// status of some codes differs between versions of that page.
const CODES: &[(u32, u16, &str)] = &[
    (0, 401, "AuthException"),
    (1, 400, "API Unknown"),
    (2, 503, "API Service"),
    (3, 500, "API Method"),
    (4, 429, "API Too Many Calls"),
    (10, 403, "Permission Denied"),
    (33, 400, "Parameter value is not valid"),
    (100, 400, "Invalid parameter"),
    (190, 401, "Access token has expired"),
    (200, 403, "API Permission"),
    (368, 403, "Temporarily blocked for policies violations"),
    (80_007, 429, "Rate limit issues"),
    (130_429, 429, "Rate limit hit"),
    (130_472, 400, "User's number is part of an experiment"),
    (131_000, 500, "Something went wrong"),
    (131_005, 403, "Access denied"),
    (131_008, 400, "Required parameter is missing"),
    (131_009, 400, "Parameter value is not valid"),
    (131_016, 503, "Service unavailable"),
    (131_021, 400, "Recipient cannot be sender"),
    (131_026, 400, "Message undeliverable"),
    (131_030, 400, "Recipient phone number not in allowed list"),
    (131_031, 403, "Account has been locked"),
    (131_042, 400, "Business eligibility payment issue"),
    (131_045, 500, "Incorrect certificate"),
    (131_047, 400, "Re-engagement message"),
    (131_048, 429, "Spam rate limit hit"),
    (131_049, 400, "This message was not delivered to maintain healthy ecosystem engagement"),
    (131_050, 400, "User has stopped receiving messages from this business"),
    (131_051, 400, "Unsupported message type"),
    (131_052, 400, "Media download error"),
    (131_053, 400, "Media upload error"),
    (131_056, 429, "(Business Account, Consumer Account) pair rate limit hit"),
    (131_057, 500, "Account in maintenance mode"),
    (133_004, 503, "Server temporarily unavailable"),
];

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::whatsapp) struct GraphError {
    status: StatusCode,
    kind: &'static str,
    code: u32,
    subcode: Option<u32>,
    message: String,
    details: Option<String>,
}

impl GraphError {
    /// An error of the Cloud API: the code with its title and status.
    pub(in crate::whatsapp) fn new(code: u32, details: impl Into<String>) -> Self {
        let known = CODES.iter().find(|(known, _, _)| *known == code);
        let (status, title) = known.map_or((400, "Unknown error"), |(_, status, title)| (*status, *title));
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            kind: "OAuthException",
            code,
            subcode: None,
            message: format!("(#{code}) {title}"),
            details: Some(details.into()),
        }
    }

    /// A field that is missing, unknown or malformed.
    pub(super) fn invalid_parameter(message: impl std::fmt::Display) -> Self {
        Self { message: format!("(#100) {message}"), details: None, ..Self::new(100, "") }
    }

    /// A field with an unsupported value.
    pub(super) fn invalid_value(details: impl Into<String>) -> Self {
        Self::new(131_009, details)
    }

    /// A field that this type of message requires.
    pub(super) fn missing(parameter: &str) -> Self {
        Self::new(131_008, format!("Parameter {parameter} is mandatory"))
    }

    pub(super) fn bad_token() -> Self {
        let message = "Invalid OAuth access token - Cannot parse access token".to_owned();
        Self { message, details: None, ..Self::new(190, "") }
    }

    /// An object that doesn't exist or belongs to another caller. Meta doesn't say which.
    pub(super) fn unknown_object(id: &str) -> Self {
        let message = format!(
            "Unsupported request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or does \
             not support this operation"
        );
        Self { kind: "GraphMethodException", subcode: Some(33), message, details: None, ..Self::new(100, "") }
    }

    pub(super) fn unknown_path(path: &str) -> Self {
        let message = format!("Unknown path components: {path}");
        Self { message, details: None, ..Self::new(2500, "") }
    }

    pub(super) fn unsupported_method(method: &Method, path: &str) -> Self {
        let message = format!("Unsupported {} request: {path}", method.as_str().to_ascii_lowercase());
        Self { kind: "GraphMethodException", message, details: None, ..Self::new(100, "") }
    }

    /// The body could not be read: it is too large, truncated, or doesn't have the declared format.
    pub(super) fn unreadable(status: StatusCode, reason: &str) -> Self {
        Self { status, ..Self::invalid_parameter(reason) }
    }

    /// The handshake with the new address of the webhook failed.
    pub(super) fn callback_not_verified(error: &SubscribeError) -> Self {
        let message = format!("(#2200) Callback verification failed: {error}");
        Self { message, details: None, ..Self::new(2200, "") }
    }

    /// The link to a file has expired or never existed. Meta answers 404, and the caller must request a new link.
    pub(super) fn link_ended() -> Self {
        let message = "The media URL has expired".to_owned();
        Self { status: StatusCode::NOT_FOUND, message, details: None, ..Self::new(100, "") }
    }

    pub(in crate::whatsapp) fn answer(&self) -> GraphAnswer {
        GraphAnswer::json(self.status, &self.body())
    }

    fn body(&self) -> Value {
        let trace = Uuid::new_v4().simple().to_string();
        let mut error = serde_json::Map::from_iter([
            ("message".to_owned(), self.message.as_str().into()),
            ("type".to_owned(), self.kind.into()),
            ("code".to_owned(), self.code.into()),
            ("fbtrace_id".to_owned(), format!("A{}", trace.get(..22).unwrap_or(&trace)).into()),
        ]);
        if let Some(subcode) = self.subcode {
            error.insert("error_subcode".to_owned(), subcode.into());
        }
        if let Some(details) = &self.details {
            let data = json!({ "messaging_product": "whatsapp", "details": details });
            error.insert("error_data".to_owned(), data);
        }
        json!({ "error": error })
    }
}
