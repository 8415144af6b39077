//! Sentinel: the AppJWT, which authenticates the connector (Connector API, Authorization page).
//!
//! A token is valid for an hour. There is no refresh token: the same call returns a new one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_with::serde_as;
use url::Url;

use super::{LiveEngageError, error::classify, tolerant::LenientNumber};
use crate::id::{AccountId, AppInstallId};
use connector_message::http::{HttpCall, HttpReply};

/// The name of the call in logs and errors.
pub const CALL: &str = "LiveEngage Sentinel";

/// How long before its expiry a token is renewed: five minutes (Connector API, Authorization page).
pub const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// The lifetime of a token without an expiry: 60 minutes, as in every sample of the documentation.
pub const DOCUMENTED_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The shortest and the longest accepted lifetime. Without the minimum, a token of a few seconds would be requested again for every text.
const LIFETIMES: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(1), SignedDuration::from_hours(24));

/// The largest difference of LivePerson's clock to the connector's at which their times can be compared.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// The age from which a token counts as accepted by LiveEngage, whoever used it.
const PROVEN_AGE: SignedDuration = SignedDuration::from_mins(10);

/// A token and its expiry. All times are by the connector's clock. `Debug` hides the token.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
#[debug("AppJwt(until {expires_at})")]
pub struct AppJwt {
    token: String,
    /// The expiry.
    pub expires_at: Timestamp,
    /// The time of receipt, if it is known.
    received_at: Option<Timestamp>,
    /// The least time by which LivePerson's clock was behind the connector's at receipt.
    clock_behind: Option<SignedDuration>,
    /// How many tokens before this one were rejected in a row without having been accepted once.
    rejected_in_a_row: u32,
}

/// All that is known of an AppJWT, for storing it. No `Debug`: it holds the token.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "it holds the token")]
pub struct AppJwtParts {
    /// The token.
    pub token: String,
    /// The expiry.
    pub expires_at: Timestamp,
    /// The time of receipt, if it is known.
    pub received_at: Option<Timestamp>,
    /// The least time by which LivePerson's clock was behind the connector's at receipt.
    pub clock_behind: Option<SignedDuration>,
    /// How many tokens before this one were rejected in a row without having been accepted once.
    pub rejected_in_a_row: u32,
}

impl From<AppJwtParts> for AppJwt {
    fn from(AppJwtParts { token, expires_at, received_at, clock_behind, rejected_in_a_row }: AppJwtParts) -> Self {
        Self { token, expires_at, received_at, clock_behind, rejected_in_a_row }
    }
}

impl AppJwt {
    /// Creates a token with its expiry.
    pub fn new(token: impl Into<String>, expires_at: Timestamp) -> Self {
        Self { token: token.into(), expires_at, received_at: None, clock_behind: None, rejected_in_a_row: 0 }
    }

    /// Creates a token that was received at `now` and is valid for `life` from then.
    pub fn received(token: impl Into<String>, now: Timestamp, life: SignedDuration) -> Self {
        let expires_at = now.checked_add(life).unwrap_or(now);
        Self { received_at: Some(now), ..Self::new(token, expires_at) }
    }

    /// All that is known of it, for storing it.
    pub fn to_parts(&self) -> AppJwtParts {
        let Self { token, expires_at, received_at, clock_behind, rejected_in_a_row } = self.clone();
        AppJwtParts { token, expires_at, received_at, clock_behind, rejected_in_a_row }
    }

    /// The least time by which LivePerson's clock is behind the connector's, from the claim `iat`. Zero if it is ahead or unknown.
    pub fn clock_behind(&self) -> SignedDuration {
        self.clock_behind.unwrap_or(SignedDuration::ZERO)
    }

    /// The token. Only for the `Authorization` header, without `Bearer`.
    pub fn secret(&self) -> SecretString {
        SecretString::from(self.token.as_str())
    }

    /// Whether to renew the token at `now`: from five minutes before its expiry, or from the middle of a lifetime shorter than ten minutes.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let half = self.received_at.map(|at| self.expires_at.duration_since(at) / 2);
        self.expires_at.duration_since(now) <= half.map_or(RENEW_BEFORE, |half| half.min(RENEW_BEFORE))
    }

    /// The age at `now` of a token with the documented lifetime and this expiry. Never negative. Computed from the expiry, because the
    /// remaining time matters.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        (DOCUMENTED_LIFE - self.expires_at.duration_since(now)).max(SignedDuration::ZERO)
    }

    /// Whether the token is valid at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }

    /// Whether to request another token at `now` in place of this one, which was rejected. The first time at once, then after 15 seconds,
    /// then once a minute: if LiveEngage rejects every token, every worker gets that error with every message.
    pub fn may_be_replaced(&self, now: Timestamp) -> bool {
        let pause = match self.rejected_in_a_row {
            0 => SignedDuration::ZERO,
            1 => SignedDuration::from_secs(15),
            _ => SignedDuration::from_mins(1),
        };
        // Absolute, because another environment's clock may be ahead: a receipt far in the future must not block a replacement.
        self.received_at.is_none_or(|at| now.duration_since(at).abs() >= pause)
    }

    /// Returns this token as the replacement of `rejected` at `now`. `was_accepted`: whether LiveEngage had accepted `rejected` before.
    #[must_use]
    pub fn replacing(self, rejected: &Self, was_accepted: bool, now: Timestamp) -> Self {
        let proven = was_accepted || rejected.received_at.is_none_or(|at| now.duration_since(at).abs() >= PROVEN_AGE);
        Self { rejected_in_a_row: if proven { 0 } else { rejected.rejected_in_a_row.saturating_add(1) }, ..self }
    }
}

/// Builds the request for a token. The id and the secret are in the form body, because URLs are logged.
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

#[serde_as]
#[derive(Deserialize)]
struct AppJwtBody {
    access_token: String,
    #[serde_as(as = "LenientNumber")]
    #[serde(default)]
    expires_in: Option<i64>,
}

#[serde_as]
#[derive(Deserialize)]
struct AppJwtClaims {
    exp: i64,
    #[serde_as(as = "LenientNumber")]
    #[serde(default)]
    iat: Option<i64>,
}

impl AppJwtClaims {
    /// The lifetime of the token from `now`, its receipt: `exp` minus `iat`, because the two clocks may differ by any amount. If the clocks
    /// agree, at most until `exp`: the token may have been issued before it was received.
    fn life(&self, now: Timestamp) -> Option<SignedDuration> {
        let from = |since: i64| self.exp.checked_sub(since).filter(|life| *life > 0).map(SignedDuration::from_secs);
        let Some(iat) = self.iat else {
            return from(now.as_second()).filter(|life| (RENEW_BEFORE..=LIFETIMES.1).contains(life));
        };
        let agree = iat.abs_diff(now.as_second()) <= CLOCK_TOLERANCE.as_secs().unsigned_abs();
        from(iat).map(|life| if agree { from(now.as_second()).map_or(life, |left| left.min(life)) } else { life })
    }

    /// The least time by which their clock is behind: the token was issued after `now`, the start of the request, and `iat` has no
    /// fractions of a second.
    fn clock_behind(&self, now: Timestamp) -> Option<SignedDuration> {
        let issued_at = Timestamp::from_second(self.iat?.checked_add(1)?).ok()?;
        Some(now.duration_since(issued_at)).filter(|behind| *behind > SignedDuration::ZERO)
    }
}

/// Reads the reply.
///
/// The lifetime is the first of: `exp` minus `iat`, `expires_in`, the time until `exp` if that is plausible by the connector's clock, one
/// hour. It starts at `now`, and is at least a minute and at most 24 hours.
///
/// # Errors
/// [`LiveEngageError::CredentialsRefused`] for 400, 401 and 403, [`LiveEngageError::Unreadable`] for a 200 without a token, otherwise by
/// the status.
pub fn answer(reply: &HttpReply, now: Timestamp) -> Result<AppJwt, LiveEngageError> {
    match reply.status {
        StatusCode::OK => {}
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(LiveEngageError::CredentialsRefused { call: CALL, status: reply.status.as_u16() });
        }
        _ => return Err(classify(CALL, reply, None)),
    }
    let token: AppJwtBody = serde_json::from_slice(&reply.body)
        .map_err(|_| LiveEngageError::Unreadable { call: CALL, what: "no access_token" })?;
    let claims = claims::<AppJwtClaims>(&token.access_token);
    let clock_behind = claims.as_ref().and_then(|claims| claims.clock_behind(now));
    let by_itself = claims.as_ref().filter(|claims| claims.iat.is_some()).and_then(|claims| claims.life(now));
    let life = by_itself
        .or_else(|| token.expires_in.filter(|life| *life > 0).map(SignedDuration::from_secs))
        .or_else(|| claims.and_then(|claims| claims.life(now)))
        .unwrap_or(DOCUMENTED_LIFE);
    let received = AppJwt::received(token.access_token, now, life.clamp(LIFETIMES.0, LIFETIMES.1));
    Ok(AppJwt { clock_behind, ..received })
}

/// Reads the claims of a JWT without verifying it: it comes from LivePerson over TLS, and LivePerson verifies it when it is used.
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
    fn the_lifetime_is_read_from_the_claims_then_from_the_body_then_an_hour() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let end = |body| answer(&reply(200, body), now).unwrap().expires_at.as_second() - 1_000_000;
        let jwt = |claims| json!({"access_token": unsigned_jwt(&claims), "token_type": "Bearer", "expires_in": 99});
        assert_eq!(end(jwt(json!({"exp": 1_001_200, "iat": 1_000_000}))), 1200);
        // Without `iat`, the clock of `exp` is unknown.
        assert_eq!(end(jwt(json!({"aud": "72419083", "exp": 1_001_234}))), 99);
        let only = |exp: i64| json!({"access_token": unsigned_jwt(&json!({"exp": exp}))});
        assert_eq!(end(only(1_001_234)), 1234);
        assert_eq!([end(only(999_000)), end(only(1_000_200)), end(only(2_000_000))], [3600, 3600, 3600]);
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": "99"})), 99);
        assert_eq!(end(json!({"access_token": "opaque"})), 3600);
        // Implausible lifetimes are limited.
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": 2})), 60);
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": -2})), 3600);
        assert_eq!(end(jwt(json!({"exp": 900_000_000, "iat": 0}))), 24 * 3600);
        assert_eq!(end(jwt(json!({"exp": 1_000_000, "iat": 1_000_001}))), 99);
    }

    #[test]
    fn the_lifetime_is_correct_with_any_difference_of_the_clocks() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for ahead in [-7200, -3600, -3590, -300, 0, 30, 300, 3600, 7200] {
            let iat = 1_000_000 + ahead;
            let jwt = unsigned_jwt(&json!({"exp": iat + 3600, "iat": iat}));
            let token = answer(&reply(200, json!({"access_token": jwt})), now).unwrap();
            let end = token.expires_at.as_second() - 1_000_000;
            assert!((3600 - 60..=3600).contains(&end), "{ahead}: {end}");
            let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
            assert!(!token.is_due(at(2000)) && token.is_due(at(3300)), "{ahead}");
        }
        // Issued a minute before the receipt: the clocks agree.
        let jwt = unsigned_jwt(&json!({"exp": 1_003_540, "iat": 999_940}));
        assert_eq!(answer(&reply(200, json!({"access_token": jwt})), now).unwrap().expires_at.as_second(), 1_003_540);
    }

    #[test]
    fn only_a_clock_that_is_behind_is_measured() {
        let now = Timestamp::from_millisecond(1_000_000_900).unwrap();
        let behind = |claims| {
            let body = json!({"access_token": unsigned_jwt(&claims)});
            answer(&reply(200, body), now).unwrap().clock_behind().as_millis()
        };
        assert_eq!(behind(json!({"exp": 1_003_600, "iat": 1_000_000})), 0);
        assert_eq!(behind(json!({"exp": 1_003_597, "iat": 999_997})), 2900);
        assert_eq!(behind(json!({"exp": 1_000_000, "iat": 996_400})), 3_599_900);
        assert_eq!(behind(json!({"exp": 1_007_200, "iat": 1_003_600})), 0);
        assert_eq!(behind(json!({"exp": 1_003_600})), 0);
    }

    #[test]
    fn a_token_with_a_short_lifetime_is_not_due_at_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let token = AppJwt::received("t", at(0), SignedDuration::from_secs(99));
        assert!(!token.is_due(at(49)) && token.is_due(at(50)));
        let token = AppJwt::received("t", at(0), DOCUMENTED_LIFE);
        assert!(!token.is_due(at(3299)) && token.is_due(at(3300)));
    }

    #[test]
    fn rejected_tokens_are_replaced_once_a_minute() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let buy = |second| AppJwt::received(format!("t{second}"), at(second), DOCUMENTED_LIFE);
        let (mut token, mut bought) = (buy(0), vec![]);
        for second in 0..200 {
            if token.may_be_replaced(at(second)) {
                token = buy(second).replacing(&token, false, at(second));
                bought.push(second);
            }
        }
        assert_eq!(bought, [0, 15, 75, 135, 195]);
        // A token that was accepted or is old is replaced at once, and so is the next one.
        for good in [buy(200).replacing(&token, true, at(200)), buy(900).replacing(&token, false, at(900))] {
            assert!(good.may_be_replaced(good.received_at.unwrap()));
        }
        // A receipt far in the future doesn't block a replacement.
        assert!(token.may_be_replaced(at(0)));
        assert!(AppJwt::new("old form", at(9)).may_be_replaced(at(1)));
    }

    #[test]
    fn a_token_is_due_five_minutes_before_its_expiry() {
        let token = AppJwt::new("t", Timestamp::from_second(1000).unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!token.is_due(at(699)));
        assert!(token.is_due(at(700)));
        assert!(token.is_valid(at(999)));
        assert!(!token.is_valid(at(1000)));
        assert!(!format!("{:?}", AppJwt::new("s3cret", at(1))).contains("s3cret"));
    }

    #[test]
    fn rejected_credentials_are_an_error_of_their_own() {
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
