//! IDP's sign-in of consumers who speak for themselves: tokens of the Messaging Window API.
//!
//! The simulator has no identity provider of a brand. It takes every code, and every OpenID Connect token with a subject, for the brand's
//! own, and doesn't check their signatures.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::backend::{Backend, now_s};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;

/// The life of a token whose consumer is authenticated, or has signed up by the older call. Not documented.
const LIFE_S: i64 = 3600;
/// The life of an anonymous identity with all extensions.
const LONGEST_ANONYMOUS_S: i64 = 730 * 3600;

/// `POST /api/account/{account}/signup`. The journal shows no token.
pub(super) const SIGN_UP: Endpoint = endpoint(|_| "IDP sign-up".to_owned(), sign_up);
/// `POST /api/account/{account}/authenticate`
pub(super) const AUTHENTICATE: Endpoint = endpoint(|_| "IDP authenticate".to_owned(), authenticate);
/// `POST /api/account/{account}/anonymous/authorize`
pub(super) const ANONYMOUS: Endpoint = endpoint(|_| "IDP anonymous".to_owned(), anonymous);
/// `POST /api/account/{account}/app/{app}/authenticate`
pub(super) const CONNECTOR: Endpoint = endpoint(|_| "IDP connector".to_owned(), connector);

const fn endpoint(label: fn(&ServiceCall) -> String, answer: fn(&Backend, &ServiceCall) -> ServiceAnswer) -> Endpoint {
    Endpoint { service: Service::WindowIdentity, label, shown: |_, _| None, answer }
}

fn sign_up(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    issue(backend, call, "jwt", &Uuid::new_v4().to_string(), LIFE_S)
}

fn authenticate(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    match member(call, "authCode") {
        Some(code) => issue(backend, call, "jwt", &consumer_of("code", &code), LIFE_S),
        None => ServiceAnswer::empty(StatusCode::BAD_REQUEST),
    }
}

fn connector(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    if !call.has_query("v", "3.0") {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    }
    let Some(id_token) = member(call, "id_token") else { return ServiceAnswer::empty(StatusCode::BAD_REQUEST) };
    match subject(&id_token) {
        Some(subject) => issue(backend, call, "token", &consumer_of("subject", &subject), LIFE_S),
        // Documented with this status.
        None => ServiceAnswer::new(StatusCode::INTERNAL_SERVER_ERROR, json!({ "internalErrorCode": "9007" })),
    }
}

/// A new consumer, or an extension of an anonymous one.
fn anonymous(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let now = now_s();
    let Some(last) = member(call, "id_token") else {
        return issue_anonymous(backend, call, &Uuid::new_v4().to_string(), now);
    };
    let claims = backend.tokens.window_claims(&last, call.account_id());
    let since = claims.as_ref().and_then(|claims| claims.get("since")?.as_i64());
    let consumer = claims.as_ref().and_then(|claims| claims.get("sub")?.as_str());
    match (consumer, since) {
        (Some(consumer), Some(since)) if now < since.saturating_add(LONGEST_ANONYMOUS_S) => {
            issue_anonymous(backend, call, consumer, since)
        }
        _ => ServiceAnswer::empty(StatusCode::UNAUTHORIZED),
    }
}

fn issue_anonymous(backend: &Backend, call: &ServiceCall, consumer: &str, since: i64) -> ServiceAnswer {
    let now = now_s();
    let life_s = i64::try_from(backend.anonymous_token_lifetime.as_secs()).unwrap_or(i64::MAX);
    let end = now.saturating_add(life_s).min(since.saturating_add(LONGEST_ANONYMOUS_S));
    let mut claims = claims(call, consumer, end);
    if let Some(claims) = claims.as_object_mut() {
        claims.insert("since".to_owned(), since.into());
    }
    answer(backend, call, "token", &claims)
}

fn issue(backend: &Backend, call: &ServiceCall, member: &str, consumer: &str, life_s: i64) -> ServiceAnswer {
    answer(backend, call, member, &claims(call, consumer, now_s().saturating_add(life_s)))
}

fn claims(call: &ServiceCall, consumer: &str, end: i64) -> Value {
    json!({
        "sub": consumer,
        "aud": format!("acc:{}", call.account_id()),
        "iss": "https://idp.liveperson.net",
        "exp": end,
        "iat": now_s(),
    })
}

fn answer(backend: &Backend, call: &ServiceCall, member: &str, claims: &Value) -> ServiceAnswer {
    if !backend.accounts.contains_key(call.account_id()) {
        return ServiceAnswer::empty(StatusCode::UNAUTHORIZED);
    }
    match backend.tokens.window_token(claims) {
        Some(token) => ServiceAnswer::new(StatusCode::OK, json!({ member: token })),
        None => ServiceAnswer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn member(call: &ServiceCall, name: &str) -> Option<String> {
    call.json()?.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The consumer of this code or subject: always the same one.
fn consumer_of(kind: &str, text: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{kind} {text}").as_bytes()).to_string()
}

fn subject(id_token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sub")?.as_str().filter(|subject| !subject.is_empty()).map(str::to_owned)
}
