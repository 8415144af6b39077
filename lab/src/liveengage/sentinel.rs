//! Sentinel: AppJWTs for the client credentials of an app install.

use std::collections::HashMap;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::endpoint::{Answer, Call, Endpoint};
use super::fault::Service;
use super::world::{World, now_s};

/// `POST /sentinel/api/account/{account}/app/token`. The journal shows neither the secret nor the token.
pub(super) const TOKEN: Endpoint =
    Endpoint { service: Service::Sentinel, label: |_| "Sentinel token".to_owned(), shown: |_, _| None, answer: token };

fn token(world: &World, call: &Call) -> Answer {
    let form_typed = call
        .header(CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !form_typed || !call.has_query("v", "1.0") {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    match call.query.get("grant_type").or_else(|| form.get("grant_type")).map(String::as_str) {
        Some("client_credentials") => {}
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => return refuse(StatusCode::BAD_REQUEST, "invalid_request"),
    }
    // LivePerson's older samples have the secret in the query, where every proxy logs it: refused here to be noticed.
    let (Some(client_id), Some(secret)) = (form.get("client_id"), form.get("client_secret")) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let account = world
        .accounts
        .get(call.account_id())
        .filter(|account| account.client_id == *client_id && world.takes_client_secret(account, secret));
    let Some(account) = account else { return refuse(StatusCode::UNAUTHORIZED, "invalid_client") };
    match world.tokens.app_token(&account.account_id, &account.client_id, now_s()) {
        Some(token) => Answer::new(StatusCode::OK, json!({ "access_token": token, "token_type": "Bearer" })),
        None => Answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Sentinel's error bodies are not documented; this is the form that OAuth 2.0 prescribes.
fn refuse(status: StatusCode, error: &str) -> Answer {
    Answer::new(status, json!({ "error": error }))
}
