//! Sentinel: AppJWTs for the client credentials of an app install.

use std::collections::HashMap;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::backend::{Backend, now_s};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;

/// `POST /sentinel/api/account/{account}/app/token`. The journal shows neither the secret nor the token.
pub(super) const TOKEN: Endpoint =
    Endpoint { service: Service::Sentinel, label: |_| "Sentinel token".to_owned(), shown: |_, _| None, answer: token };

fn token(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let form_typed = call
        .header(CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    // LivePerson's older page has all parameters in the query, and no body.
    if !(form_typed || call.body.is_empty()) || !call.has_query("v", "1.0") {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request");
    }
    if call.query.contains_key("client_secret") {
        let what = "warning: the client secret came in the URL. LivePerson's older page has it there, but URLs are \
                    written to access logs: send it in the form body";
        backend.journal.record("liveengage", "to-liveengage", what, None);
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| form.get(name).or_else(|| call.query.get(name)).map(String::as_str);
    match field("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => return refuse(StatusCode::BAD_REQUEST, "invalid_request"),
    }
    let (Some(client_id), Some(secret)) = (field("client_id"), field("client_secret")) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let account = backend
        .accounts
        .get(call.account_id())
        .filter(|account| account.client_id == client_id && backend.takes_client_secret(account, secret));
    let Some(account) = account.filter(|account| backend.webhooks.is_enabled(&account.account_id)) else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    match backend.tokens.app_token(&account.account_id, &account.client_id, now_s()) {
        Some(token) => ServiceAnswer::new(StatusCode::OK, json!({ "access_token": token, "token_type": "Bearer" })),
        None => ServiceAnswer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Sentinel's error bodies are not documented. This is the form of OAuth 2.0.
fn refuse(status: StatusCode, error: &str) -> ServiceAnswer {
    ServiceAnswer::new(status, json!({ "error": error }))
}
