//! Sentinel: the AppJWT, which proves the connector. Lives an hour; there is no refresh token, the same call gives a new one.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{LiveEngageError, error::classify};
use crate::domain::{
    http::{HttpCall, HttpReply},
    id::{AccountId, AppInstallId},
};

const CALL: &str = "LiveEngage Sentinel";

/// How long before its end a token is renewed (Connector API, Authorization page: five minutes).
pub const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// The life of a token that doesn't tell its end: every documented one lives 60 minutes.
pub const DOCUMENTED_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// A token and its end. `Debug` hides the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppJwt {
    token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl AppJwt {
    /// A token with its end.
    pub fn new(token: impl Into<String>, expires_at: Timestamp) -> Self {
        Self { token: token.into(), expires_at }
    }

    /// The token, for the `Authorization` header only, and without `Bearer` there.
    pub fn secret(&self) -> SecretString {
        SecretString::from(self.token.as_str())
    }

    /// Whether it is to be renewed at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.duration_since(now) <= RENEW_BEFORE
    }

    /// How much of an hour's life it has behind it at `now`, counted back from its end: what is left is what matters, and the
    /// token doesn't say when it was made. Never negative.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        (DOCUMENTED_LIFE - self.expires_at.duration_since(now)).max(SignedDuration::ZERO)
    }

    /// Whether it is still good at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }
}

impl fmt::Debug for AppJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppJwt(until {})", self.expires_at)
    }
}

/// Asks for a token. Id and secret are in the form body: URLs end up in logs.
pub fn request(
    sentinel: &Url,
    account: &AccountId,
    client_id: &AppInstallId,
    client_secret: &SecretString,
) -> HttpCall {
    let mut url = sentinel.clone();
    url.set_path(&format!("/sentinel/api/account/{account}/app/token"));
    url.set_query(Some("v=1.0&grant_type=client_credentials"));
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", client_id.as_str())
        .append_pair("client_secret", client_secret.expose_secret())
        .finish();
    HttpCall::new(CALL, Method::POST, url).body("application/x-www-form-urlencoded", body)
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    #[serde(default, deserialize_with = "super::tolerant::lenient_number")]
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
}

/// Reads the answer. The end of the token's life is its `exp` claim, else `expires_in`, else an hour.
///
/// # Errors
/// [`LiveEngageError::CredentialsRefused`] for 400, 401 and 403.
pub fn answer(reply: &HttpReply, now: Timestamp) -> Result<AppJwt, LiveEngageError> {
    match reply.status {
        StatusCode::OK => {}
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(LiveEngageError::CredentialsRefused { call: CALL, status: reply.status.as_u16() });
        }
        _ => return Err(classify(CALL, reply, None)),
    }
    let token: Token = serde_json::from_slice(&reply.body)
        .map_err(|_| LiveEngageError::Unreadable { call: CALL, what: "no access_token" })?;
    let expires_at = claims::<Claims>(&token.access_token)
        .and_then(|claims| Timestamp::from_second(claims.exp).ok())
        .or_else(|| token.expires_in.and_then(|life| now.checked_add(SignedDuration::from_secs(life)).ok()))
        .or_else(|| now.checked_add(DOCUMENTED_LIFE).ok())
        .unwrap_or(now);
    Ok(AppJwt { token: token.access_token, expires_at })
}

/// The claims of a JWT, unverified: it came from LivePerson over TLS, and LivePerson verifies it when we show it.
pub(super) fn claims<T: serde::de::DeserializeOwned>(jwt: &str) -> Option<T> {
    let payload = jwt.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
pub(super) fn unsigned_jwt(claims: &serde_json::Value) -> String {
    let part = |value: &str| URL_SAFE_NO_PAD.encode(value);
    format!("{}.{}.c2ln", part(r#"{"typ":"JWT","alg":"RS256"}"#), part(&claims.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: serde_json::Value) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
    }

    #[test]
    fn the_secret_is_in_the_form_and_not_in_the_url() {
        let call = request(
            &"https://va.sentinel.liveperson.net".parse().unwrap(),
            &AccountId::new("72419083").unwrap(),
            &AppInstallId::new("0f6c2a9e-1d3b-4c55-9a77-b0d1e2f3a4b5").unwrap(),
            &SecretString::from("a&b=c+d"),
        );
        assert_eq!(
            call.url.as_str(),
            "https://va.sentinel.liveperson.net/sentinel/api/account/72419083/app/token?v=1.0&grant_type=client_credentials"
        );
        assert_eq!(call.headers.get("content-type").unwrap(), "application/x-www-form-urlencoded");
        assert_eq!(&call.body[..], b"client_id=0f6c2a9e-1d3b-4c55-9a77-b0d1e2f3a4b5&client_secret=a%26b%3Dc%2Bd");
    }

    #[test]
    fn the_end_is_read_from_the_claim_then_from_the_body_then_an_hour() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let end = |body| answer(&reply(200, body), now).unwrap().expires_at.as_second();
        let jwt = unsigned_jwt(&json!({"aud": "72419083", "exp": 1_001_234}));
        assert_eq!(end(json!({"access_token": jwt, "token_type": "Bearer", "expires_in": 99})), 1_001_234);
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": "99"})), 1_000_099);
        assert_eq!(end(json!({"access_token": "opaque"})), 1_003_600);
    }

    #[test]
    fn a_token_is_due_five_minutes_before_its_end() {
        let token = AppJwt::new("t", Timestamp::from_second(1000).unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!token.is_due(at(699)));
        assert!(token.is_due(at(700)));
        assert!(token.is_good(at(999)));
        assert!(!token.is_good(at(1000)));
        assert!(!format!("{:?}", AppJwt::new("s3cret", at(1))).contains("s3cret"));
    }

    #[test]
    fn refused_credentials_are_named_as_such() {
        for status in [400, 401, 403] {
            assert_eq!(
                answer(&reply(status, json!({"error": "invalid_client"})), Timestamp::UNIX_EPOCH),
                Err(LiveEngageError::CredentialsRefused { call: CALL, status })
            );
        }
        assert!(matches!(
            answer(&reply(200, json!({})), Timestamp::UNIX_EPOCH),
            Err(LiveEngageError::Unreadable { .. })
        ));
    }
}
