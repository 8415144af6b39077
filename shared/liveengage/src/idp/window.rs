//! The tokens of the Messaging Window API: a consumer who speaks for himself, in a browser or an app.
//!
//! The flows are those of the Messaging Window API and of Connecting to Messaging (developer center). A connector doesn't use them: it
//! speaks for its consumers with a ConsumerJWS ([`crate::idp`]).
//!
//! ```
//! use connector_liveengage::{id::AccountId, idp::window::{SignIn, answer, request}};
//! use connector_message::http::HttpReply;
//!
//! let call = request(&"https://va.idp.liveperson.net".parse()?, &AccountId::new("72419083")?, SignIn::SignUp);
//! assert_eq!(call.url.path(), "/api/account/72419083/signup");
//!
//! let reply = HttpReply { status: http::StatusCode::OK, retry_after: None, body: r#"{"jwt": "a.b.c"}"#.into() };
//! let signed_in = answer(&reply, "2026-11-30T09:00:00Z".parse()?)?;
//! assert_eq!(signed_in.token.expose(), "a.b.c");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use serde_with::serde_as;
use url::Url;

use crate::{
    LiveEngageError,
    error::classify,
    id::{AccountId, IdentityConnectorId, LpConsumerId},
    identity::ConsumerToken,
    sentinel::claims,
    tolerant::{LenientNumber, LenientText},
};
use connector_message::http::{HttpCall, HttpReply};

/// The name of the call in logs and errors.
const CALL: &str = "LiveEngage IDP sign-in";

/// IDP's number for a token of the brand that it doesn't accept. It comes with HTTP 500.
const TOKEN_NOT_VALID: &str = "9007";

/// The life of an anonymous token. It can be extended, up to [`LONGEST_ANONYMOUS_LIFE`] in all.
pub const ANONYMOUS_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// The longest life of an anonymous identity, with all extensions: 730 hours.
pub const LONGEST_ANONYMOUS_LIFE: SignedDuration = SignedDuration::from_hours(730);

/// How a consumer signs in. `Debug` shows no token.
#[derive(Debug, Clone, Copy)]
pub enum SignIn<'a> {
    /// A new, unauthenticated consumer, by the older call.
    SignUp,
    /// A consumer whom the brand has authenticated, by the older call.
    AuthCode(
        /// The code of the brand's identity provider.
        &'a SecretString,
    ),
    /// An unauthenticated consumer, by the newer call.
    Anonymous {
        /// The consumer's last token, to extend its life. `None` for a new consumer.
        extends: Option<&'a SecretString>,
    },
    /// A consumer whom the brand has authenticated, by the newer call.
    Authenticated {
        /// The connector to the brand's identity provider, in the account's configuration.
        connector: &'a IdentityConnectorId,
        /// The brand's OpenID Connect token of the consumer.
        id_token: &'a SecretString,
    },
}

/// A consumer's token for the Messaging Window API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The token.
    pub token: ConsumerToken,
    /// The consumer: the originator of the consumer's events (claim `sub`). `None` for a token without readable claims.
    pub consumer: Option<LpConsumerId>,
    /// When the token expires, by the clock of the caller. `None` for a token that doesn't say.
    pub expires_at: Option<Timestamp>,
}

/// Builds the request for a consumer's token. Needs no `Authorization`.
pub fn request(idp: &Url, account: &AccountId, sign_in: SignIn<'_>) -> HttpCall {
    let mut url = idp.clone();
    let base = format!("/api/account/{account}");
    let body = match sign_in {
        SignIn::SignUp => {
            url.set_path(&format!("{base}/signup"));
            None
        }
        SignIn::AuthCode(code) => {
            url.set_path(&format!("{base}/authenticate"));
            Some(json!({"authCode": code.expose_secret()}))
        }
        SignIn::Anonymous { extends } => {
            url.set_path(&format!("{base}/anonymous/authorize"));
            extends.map(|token| json!({"id_token": token.expose_secret()}))
        }
        SignIn::Authenticated { connector, id_token } => {
            url.set_path(&format!("{base}/app"));
            if let Ok(mut path) = url.path_segments_mut() {
                path.push(connector.as_str()).push("authenticate");
            }
            Some(json!({"id_token": id_token.expose_secret()}))
        }
    };
    url.set_query(matches!(sign_in, SignIn::Authenticated { .. }).then_some("v=3.0"));
    let call = HttpCall::new(CALL, Method::POST, url);
    match body {
        Some(body) => call.body("application/json", body.to_string()),
        None => call,
    }
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    #[serde_as(as = "LenientText")]
    sub: Option<String>,
    #[serde_as(as = "LenientNumber")]
    exp: Option<i64>,
    #[serde_as(as = "LenientNumber")]
    iat: Option<i64>,
}

/// Reads the reply, which was received at `now`: `{"jwt"}` of the older calls, or `{"token"}` of the newer ones.
///
/// # Errors
/// [`LiveEngageError::IdentityRefused`] if IDP doesn't accept the brand's code or token (401, or 500 with the number 9007),
/// [`LiveEngageError::Unreadable`] for a 2xx without a token, otherwise by the status.
pub fn answer(reply: &HttpReply, now: Timestamp) -> Result<SignedIn, LiveEngageError> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let number =
        body.get("internalErrorCode").map(|number| number.as_str().map_or_else(|| number.to_string(), str::to_owned));
    match reply.status {
        status if status.is_success() => {}
        StatusCode::UNAUTHORIZED => return Err(LiveEngageError::IdentityRefused { call: CALL }),
        _ if number.as_deref() == Some(TOKEN_NOT_VALID) => return Err(LiveEngageError::IdentityRefused { call: CALL }),
        _ => return Err(classify(CALL, reply, None)),
    }
    let mut tokens = ["token", "jwt"].into_iter().filter_map(|name| body.get(name)?.as_str());
    let token = tokens.find(|token| !token.is_empty());
    let token = token.ok_or(LiveEngageError::Unreadable { call: CALL, what: "no token" })?;
    let claims: Claims = claims(token).unwrap_or_default();
    let expires_at = match (claims.exp, claims.iat) {
        // The clocks may differ: only the difference of LivePerson's own times is certain.
        (Some(exp), Some(iat)) => {
            exp.checked_sub(iat).and_then(|life| now.checked_add(SignedDuration::from_secs(life)).ok())
        }
        (Some(exp), None) => Timestamp::from_second(exp).ok(),
        (None, _) => None,
    };
    Ok(SignedIn {
        token: ConsumerToken::new(token),
        consumer: claims.sub.and_then(|id| LpConsumerId::new(id).ok()),
        expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::unsigned_jwt;
    use connector_message::Disposition;

    fn reply(status: u16, body: &Value) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
    }

    fn read(status: u16, body: &Value) -> Result<SignedIn, LiveEngageError> {
        answer(&reply(status, body), Timestamp::from_second(1_000_000).unwrap())
    }

    #[test]
    fn each_flow_has_its_documented_request() {
        let secret = SecretString::from("br4nd.t0ken");
        let connector = IdentityConnectorId::new("2696029012/x").unwrap();
        let base = "https://va.idp.liveperson.net/api/account/72419083";
        for (sign_in, url, body) in [
            (SignIn::SignUp, format!("{base}/signup"), Value::Null),
            (SignIn::AuthCode(&secret), format!("{base}/authenticate"), json!({"authCode": "br4nd.t0ken"})),
            (SignIn::Anonymous { extends: None }, format!("{base}/anonymous/authorize"), Value::Null),
            (
                SignIn::Anonymous { extends: Some(&secret) },
                format!("{base}/anonymous/authorize"),
                json!({"id_token": "br4nd.t0ken"}),
            ),
            (
                SignIn::Authenticated { connector: &connector, id_token: &secret },
                format!("{base}/app/2696029012%2Fx/authenticate?v=3.0"),
                json!({"id_token": "br4nd.t0ken"}),
            ),
        ] {
            let account = AccountId::new("72419083").unwrap();
            let call = request(&"https://va.idp.liveperson.net".parse().unwrap(), &account, sign_in);
            assert_eq!((call.method.as_str(), call.url.as_str()), ("POST", url.as_str()));
            let sent = if call.body.is_empty() { Value::Null } else { serde_json::from_slice(&call.body).unwrap() };
            assert_eq!(sent, body);
            assert!(!format!("{sign_in:?} {call:?}").contains("br4nd"));
        }
    }

    #[test]
    fn the_token_is_read_from_both_forms_with_its_consumer_and_its_end() {
        let claims = json!({
            "sub": "3c1b7f20-5d6e-4f70-8192-a3b4c5d6e7f8", "aud": "acc:72419083", "iss": "https://idp.liveperson.net",
            "exp": 5600, "iat": 5000,
        });
        let jwt = unsigned_jwt(&claims);
        for name in ["jwt", "token"] {
            let signed_in = read(200, &json!({name: jwt})).unwrap();
            assert_eq!(signed_in.token.expose(), jwt);
            assert_eq!(signed_in.consumer.unwrap().as_str(), "3c1b7f20-5d6e-4f70-8192-a3b4c5d6e7f8");
            // LivePerson's clock is far behind: the token is still valid for ten minutes.
            assert_eq!(signed_in.expires_at.unwrap().as_second(), 1_000_600);
        }
        let only_end = read(201, &json!({"token": unsigned_jwt(&json!({"exp": "1000060"}))})).unwrap();
        assert_eq!((only_end.consumer, only_end.expires_at.unwrap().as_second()), (None, 1_000_060));
        let opaque = read(200, &json!({"jwt": "opaque"})).unwrap();
        assert_eq!((opaque.consumer, opaque.expires_at), (None, None));
        assert!(!format!("{:?}", read(200, &json!({"jwt": jwt}))).contains(&jwt));
    }

    #[test]
    fn a_token_of_the_brand_that_is_not_valid_is_not_sent_again() {
        for (status, body) in
            [(401, json!({})), (500, json!({"internalErrorCode": "9007"})), (500, json!({"internalErrorCode": 9007}))]
        {
            let error = read(status, &body).unwrap_err();
            assert_eq!(error, LiveEngageError::IdentityRefused { call: CALL });
            assert_eq!(error.disposition(), Disposition::Park);
        }
        assert_eq!(read(500, &json!({"internalErrorCode": "9001"})).unwrap_err().disposition(), Disposition::RETRY);
        assert!(matches!(read(429, &json!({})), Err(LiveEngageError::RateLimited { .. })));
        assert!(matches!(read(200, &json!({"jwt": ""})), Err(LiveEngageError::Unreadable { .. })));
        assert!(matches!(read(200, &json!("<html>")), Err(LiveEngageError::Unreadable { .. })));
    }
}
