//! IDP: the ConsumerJWS that identifies a consumer.

use http::StatusCode;
use serde_json::{Value, json};

use super::backend::{Backend, now_s};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;

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
