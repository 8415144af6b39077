//! IDP: the ConsumerJWS, which authenticates a consumer (Connector API, Authorization page). It never expires: one request per consumer is
//! enough.

pub mod window;

use http::{Method, StatusCode, header::AUTHORIZATION};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{
    LiveEngageError,
    error::classify,
    sentinel::{AppJwt, claims},
};
use crate::{
    id::{AccountId, ExtConsumerId, LpConsumerId},
    identity::{ConsumerToken, Identity},
};
use connector_message::http::{HttpCall, HttpReply};

/// The name of the call in logs and errors.
const CALL: &str = "LiveEngage IDP";

/// Builds the request for a consumer's token. `Authorization` is the AppJWT without `Bearer`.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header.
pub fn request(
    idp: &Url,
    account: &AccountId,
    app_jwt: &AppJwt,
    consumer: &ExtConsumerId,
) -> Result<HttpCall, LiveEngageError> {
    let mut url = idp.clone();
    url.set_path(&format!("/api/account/{account}/consumer"));
    url.set_query(Some("v=1.0"));
    Ok(HttpCall::new(CALL, Method::POST, url)
        .body("application/json", json!({"ext_consumer_id": consumer.as_str()}).to_string())
        .secret_header(AUTHORIZATION, &app_jwt.secret())?)
}

#[derive(Deserialize)]
struct ConsumerJwsBody {
    token: String,
}

#[derive(Deserialize)]
struct ConsumerJwsClaims {
    lp_consumer_id: LpConsumerId,
}

/// Reads the reply: 201 (or 200) with a token, whose payload has LivePerson's id of the consumer.
///
/// # Errors
/// [`LiveEngageError::Unreadable`] for a reply without these, otherwise by the status.
pub fn answer(reply: &HttpReply, consumer: &ExtConsumerId) -> Result<Identity, LiveEngageError> {
    if reply.status != StatusCode::CREATED && reply.status != StatusCode::OK {
        return Err(classify(CALL, reply, None));
    }
    let token: ConsumerJwsBody = serde_json::from_slice(&reply.body)
        .map_err(|_| LiveEngageError::Unreadable { call: CALL, what: "no token" })?;
    let claims: ConsumerJwsClaims = claims(&token.token)
        .ok_or(LiveEngageError::Unreadable { call: CALL, what: "no lp_consumer_id in the token's payload" })?;
    Ok(Identity {
        ext_consumer_id: consumer.clone(),
        lp_consumer_id: claims.lp_consumer_id,
        token: ConsumerToken::new(token.token),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::sentinel::unsigned_jwt, *};

    #[test]
    fn the_authorization_is_the_token_without_a_prefix() {
        let consumer = ExtConsumerId::new("e1").unwrap();
        let call = request(
            &"https://va.idp.liveperson.net".parse().unwrap(),
            &AccountId::new("72419083").unwrap(),
            &AppJwt::new("app.jwt.x", Timestamp::UNIX_EPOCH),
            &consumer,
        )
        .unwrap();
        assert_eq!(call.url.as_str(), "https://va.idp.liveperson.net/api/account/72419083/consumer?v=1.0");
        assert_eq!(call.headers.get(AUTHORIZATION).unwrap(), "app.jwt.x");
        assert_eq!(&call.body[..], br#"{"ext_consumer_id":"e1"}"#);
    }

    #[test]
    fn the_identity_is_read_from_the_tokens_payload() {
        let consumer = ExtConsumerId::new("e1").unwrap();
        let lp = "5d41".repeat(16);
        let jws = unsigned_jwt(&json!({"account_id": "72419083", "ext_consumer_id": "e1", "lp_consumer_id": lp}));
        let reply = |status: u16, body: String| HttpReply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.into(),
        };
        let identity = answer(&reply(201, json!({"token": jws}).to_string()), &consumer).unwrap();
        assert_eq!(identity.lp_consumer_id.as_str(), lp);
        assert_eq!(identity.token.expose(), jws);
        assert!(!format!("{identity:?}").contains(&jws));
        assert!(matches!(
            answer(&reply(201, json!({"token": "opaque"}).to_string()), &consumer),
            Err(LiveEngageError::Unreadable { .. })
        ));
        assert!(matches!(answer(&reply(401, String::new()), &consumer), Err(LiveEngageError::AppJwtRefused { .. })));
        assert!(matches!(
            answer(&reply(500, json!({"internalErrorCode": "9007"}).to_string()), &consumer),
            Err(LiveEngageError::Unavailable { status: 500, .. })
        ));
    }
}
