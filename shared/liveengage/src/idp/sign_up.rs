//! Consumers who have not logged in anywhere: IDP gives each a new identity and a token for the Messaging Window API.
//!
//! There are two flows (Messaging Window API tutorial; IDP pages). The older one, sign-up, returns a token of a long life. The newer one
//! returns a token of ten minutes, which can be extended for up to a month.

use http::{Method, StatusCode};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use serde_with::serde_as;
use url::Url;

use crate::{
    LiveEngageError,
    error::classify,
    id::AccountId,
    sentinel::claims,
    tolerant::{Lenient, LenientNumber},
};
use connector_message::http::{HttpCall, HttpReply};

/// The name of both calls in logs and errors.
const CALL: &str = "LiveEngage IDP sign-up";

/// The token of a consumer on the Messaging Window API. Anybody who has it can write as this consumer: `Debug` hides it.
#[derive(derive_more::Debug, Clone)]
#[debug("ConsumerJwt(hidden)")]
pub struct ConsumerJwt {
    /// The token: a JWT.
    pub token: SecretString,
    /// LivePerson's id of the consumer (the claim `sub`): the originator of the consumer's own events.
    pub consumer: String,
    /// The expiry (the claim `exp`). `None` if the token doesn't have it.
    pub expires_at: Option<Timestamp>,
}

/// Builds the call of the older flow: `POST /api/account/{account}/signup`. It has no body and no token.
pub fn sign_up_request(idp: &Url, account: &AccountId) -> HttpCall {
    call(idp, &format!("/api/account/{account}/signup"))
}

/// Builds the call of the newer flow: `POST /api/account/{account}/anonymous/authorize`.
///
/// With `known`, IDP extends that consumer's identity and returns a token with a later expiry. Otherwise the consumer is new.
pub fn anonymous_request(idp: &Url, account: &AccountId, known: Option<&ConsumerJwt>) -> HttpCall {
    let call = call(idp, &format!("/api/account/{account}/anonymous/authorize"));
    match known {
        Some(known) => call.body("application/json", json!({"id_token": known.token.expose_secret()}).to_string()),
        None => call,
    }
}

fn call(idp: &Url, path: &str) -> HttpCall {
    let mut url = idp.clone();
    url.set_path(path);
    url.set_query(None);
    HttpCall::new(CALL, Method::POST, url).body("application/json", "{}")
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenBody {
    #[serde_as(as = "Lenient")]
    token: Option<String>,
    #[serde_as(as = "Lenient")]
    jwt: Option<String>,
}

#[serde_as]
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde_as(as = "LenientNumber")]
    #[serde(default)]
    exp: Option<i64>,
}

/// Reads the reply to either call: 200 or 201 with `token` (the newer flow) or `jwt` (sign-up).
///
/// # Errors
/// [`LiveEngageError::Unreadable`] for a reply without a token or a token without a `sub`, otherwise by the status.
pub fn consumer_jwt_answer(reply: &HttpReply) -> Result<ConsumerJwt, LiveEngageError> {
    if reply.status != StatusCode::CREATED && reply.status != StatusCode::OK {
        return Err(classify(CALL, reply, None));
    }
    let unreadable = |what| LiveEngageError::Unreadable { call: CALL, what };
    let body: TokenBody = serde_json::from_slice(&reply.body).unwrap_or_default();
    let token = body.token.or(body.jwt).ok_or(unreadable("no token"))?;
    let claims: Claims = claims(&token).ok_or(unreadable("no consumer in the token's payload"))?;
    Ok(ConsumerJwt {
        token: SecretString::from(token),
        consumer: claims.sub,
        expires_at: claims.exp.and_then(|seconds| Timestamp::from_second(seconds).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::unsigned_jwt;

    fn reply(status: u16, body: &serde_json::Value) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
    }

    fn jwt() -> String {
        unsigned_jwt(&json!({"sub": "b7c1-visitor", "aud": "acc:72419083", "exp": 1_790_000_600, "iat": 1_790_000_000}))
    }

    #[test]
    fn only_an_extension_sends_the_earlier_token() {
        let (idp, account) = ("https://va.idp.example".parse().unwrap(), AccountId::new("72419083").unwrap());
        let call = sign_up_request(&idp, &account);
        assert_eq!(call.url.as_str(), "https://va.idp.example/api/account/72419083/signup");
        let new = anonymous_request(&idp, &account, None);
        assert_eq!(new.url.as_str(), "https://va.idp.example/api/account/72419083/anonymous/authorize");
        assert_eq!((&new.method, &new.body[..]), (&Method::POST, &b"{}"[..]));
        let known = consumer_jwt_answer(&reply(200, &json!({"token": jwt()}))).unwrap();
        let extended = anonymous_request(&idp, &account, Some(&known));
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&extended.body).unwrap(), json!({"id_token": jwt()}));
        assert_eq!(extended.url, new.url);
    }

    #[test]
    fn the_token_names_the_consumer_and_its_expiry() {
        for body in [json!({"jwt": jwt()}), json!({"token": jwt(), "more": 1})] {
            let read = consumer_jwt_answer(&reply(200, &body)).unwrap();
            assert_eq!(read.consumer, "b7c1-visitor");
            assert_eq!(read.expires_at, Timestamp::from_second(1_790_000_600).ok());
            assert_eq!(read.token.expose_secret(), jwt());
            assert!(!format!("{read:?}").contains(&jwt()));
        }
        for body in [json!({}), json!({"jwt": "opaque"}), json!({"token": unsigned_jwt(&json!({"exp": 5}))}), json!([])]
        {
            let error = consumer_jwt_answer(&reply(200, &body)).unwrap_err();
            assert!(matches!(error, LiveEngageError::Unreadable { .. }), "{body}");
        }
        let error = consumer_jwt_answer(&reply(404, &json!({}))).unwrap_err();
        assert!(matches!(error, LiveEngageError::Unavailable { status: 404, .. }));
    }
}
