//! IDP: the ConsumerJWS that names a consumer.

use http::StatusCode;
use serde_json::{Value, json};

use super::endpoint::{Answer, Call, Endpoint};
use super::fault::Service;
use super::world::{World, now_s};

/// `POST /api/account/{account}/consumer`. The journal shows who was asked for, not the token.
pub(super) const CONSUMER: Endpoint = Endpoint {
    service: Service::Idp,
    label: |_| "IDP consumer".to_owned(),
    shown: |call, _| Some(json!({ "ext_consumer_id": external_id(call) })),
    answer: consumer,
};

/// IDP documents no error bodies for connectors, so refusals have none.
fn consumer(world: &World, call: &Call) -> Answer {
    if !call.has_query("v", "1.0") {
        return Answer::empty(StatusCode::BAD_REQUEST);
    }
    // The raw AppJWT: one with a "Bearer " before it is no token.
    let authorized = world.accounts.get(call.account_id()).is_some_and(|account| {
        call.authorization().is_some_and(|token| {
            world.tokens.app_token_is_valid(token, &account.account_id, &account.client_id, now_s())
        })
    });
    if !authorized {
        return Answer::empty(StatusCode::UNAUTHORIZED);
    }
    let Some(external_id) = external_id(call).filter(|id| !id.is_empty()) else {
        return Answer::empty(StatusCode::BAD_REQUEST);
    };
    match world.tokens.consumer_token(call.account_id(), &external_id) {
        Some(token) => Answer::new(StatusCode::CREATED, json!({ "token": token })),
        None => Answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn external_id(call: &Call) -> Option<String> {
    call.json()?.get("ext_consumer_id").and_then(Value::as_str).map(str::to_owned)
}
