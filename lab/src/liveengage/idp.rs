//! IDP: the ConsumerJWS that identifies a connector's consumer, and the tokens of the Messaging Window API's consumers.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::backend::{Backend, now_s};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;
use super::tokens::WebFlow;

/// `POST /api/account/{account}/consumer`. The journal shows the consumer's external id, not the token.
pub(super) const CONSUMER: Endpoint = Endpoint {
    service: Service::Idp,
    label: |_| "IDP consumer".to_owned(),
    shown: |call, _| Some(json!({ "ext_consumer_id": external_id(call) })),
    answer: consumer,
};

/// IDP documents no error bodies for connectors, so errors have none.
fn consumer(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    if !call.has_query("v", "1.0") {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    }
    // The raw AppJWT: a value with "Bearer " is not a token.
    let authorized = backend.accounts.get(call.account_id()).is_some_and(|account| {
        call.authorization().is_some_and(|token| {
            backend.tokens.app_token_is_valid(token, &account.account_id, &account.client_id, now_s())
        })
    });
    if !authorized {
        return ServiceAnswer::empty(StatusCode::UNAUTHORIZED);
    }
    let Some(external_id) = external_id(call).filter(|id| !id.is_empty()) else {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    };
    match backend.tokens.consumer_token(call.account_id(), &external_id) {
        Some(token) => ServiceAnswer::new(StatusCode::CREATED, json!({ "token": token })),
        None => ServiceAnswer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn external_id(call: &ServiceCall) -> Option<String> {
    call.json()?.get("ext_consumer_id").and_then(Value::as_str).map(str::to_owned)
}

/// `POST /api/account/{account}/signup`: a new consumer who has not logged in. The journal doesn't show the token.
pub(super) const SIGN_UP: Endpoint = Endpoint {
    service: Service::Idp,
    label: |_| "IDP sign-up".to_owned(),
    shown: |_, _| None,
    answer: |backend, call| match web_token(backend, call, None, WebFlow::SignUp) {
        Ok(token) => ServiceAnswer::new(StatusCode::OK, json!({ "jwt": token })),
        Err(status) => ServiceAnswer::empty(status),
    },
};

/// `POST /api/account/{account}/anonymous/authorize`: a new consumer, or a later expiry for the consumer of the token
/// in the body. The journal doesn't show the tokens.
pub(super) const ANONYMOUS: Endpoint = Endpoint {
    service: Service::Idp,
    label: |_| "IDP anonymous".to_owned(),
    shown: |_, _| None,
    answer: |backend, call| match known_consumer(backend, call)
        .and_then(|known| web_token(backend, call, known, WebFlow::Anonymous))
    {
        Ok(token) => ServiceAnswer::new(StatusCode::OK, json!({ "token": token })),
        Err(status) => ServiceAnswer::empty(status),
    },
};

/// The consumer whose identity is extended, also if the token has expired.
fn known_consumer(backend: &Backend, call: &ServiceCall) -> Result<Option<String>, StatusCode> {
    let body = call.json();
    let Some(token) = body.as_ref().and_then(|body| body.get("id_token")) else { return Ok(None) };
    let known = token.as_str().and_then(|token| backend.tokens.web_consumer(token, call.account_id(), now_s()));
    known.map(|consumer| Some(consumer.id)).ok_or(StatusCode::UNAUTHORIZED)
}

fn web_token(
    backend: &Backend,
    call: &ServiceCall,
    known: Option<String>,
    flow: WebFlow,
) -> Result<String, StatusCode> {
    if !backend.accounts.contains_key(call.account_id()) {
        return Err(StatusCode::NOT_FOUND);
    }
    let consumer = known.unwrap_or_else(|| Uuid::new_v4().to_string());
    let lifetime = match flow {
        WebFlow::SignUp => backend.web_token_lifetimes.sign_up,
        WebFlow::Anonymous => backend.web_token_lifetimes.anonymous,
    };
    let lifetime_s = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    backend
        .tokens
        .web_token(call.account_id(), &consumer, flow, (now_s(), lifetime_s))
        .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}
