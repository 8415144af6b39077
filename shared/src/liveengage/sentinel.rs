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

/// The call's name.
pub(crate) const CALL: &str = "LiveEngage Sentinel";

/// How long before its end a token is renewed (Connector API, Authorization page: five minutes).
pub const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// The life of a token that doesn't tell its end: every documented one lives 60 minutes.
pub const DOCUMENTED_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The shortest and the longest life that a token is believed to have: one of seconds would be bought for every text.
const LIVES: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(1), SignedDuration::from_hours(24));

/// How far LivePerson's clock may be from ours for an instant of theirs to be taken as one of ours.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_secs(60);

/// How old a token is that has done its work, whoever has used it.
const PROVEN: SignedDuration = SignedDuration::from_mins(10);

/// A token and its end, by our own clock. `Debug` hides the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppJwt {
    token: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was received; not known of one that an older version has bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received_at: Option<Timestamp>,
    /// By how much LivePerson's clock was behind ours at the least when it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_behind: Option<SignedDuration>,
    /// How many tokens before it were refused one after the other without having been of any use.
    #[serde(default)]
    in_vain: u32,
}

impl AppJwt {
    /// A token with its end.
    pub fn new(token: impl Into<String>, expires_at: Timestamp) -> Self {
        Self { token: token.into(), expires_at, received_at: None, clock_behind: None, in_vain: 0 }
    }

    /// A token that was received at `now` and lives for `life` from then on.
    pub fn received(token: impl Into<String>, now: Timestamp, life: SignedDuration) -> Self {
        let expires_at = now.checked_add(life).unwrap_or(now);
        Self { received_at: Some(now), ..Self::new(token, expires_at) }
    }

    /// By how much LivePerson's clock is behind ours at the least, as its claim `iat` tells; zero where it is ahead or doesn't tell.
    pub fn clock_behind(&self) -> SignedDuration {
        self.clock_behind.unwrap_or(SignedDuration::ZERO)
    }

    /// The token, for the `Authorization` header only, and without `Bearer` there.
    pub fn secret(&self) -> SecretString {
        SecretString::from(self.token.as_str())
    }

    /// Whether it is to be renewed at `now`: five minutes before its end, and of a short life in the second half.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let half = self.received_at.map(|at| self.expires_at.duration_since(at) / 2);
        self.expires_at.duration_since(now) <= half.map_or(RENEW_BEFORE, |half| half.min(RENEW_BEFORE))
    }

    /// How much of an hour's life it has behind it at `now`, counted back from its end: what is left is what matters. Never negative.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        (DOCUMENTED_LIFE - self.expires_at.duration_since(now)).max(SignedDuration::ZERO)
    }

    /// Whether it is still good at `now`.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }

    /// Whether another one may be bought at `now` in place of this one, which was refused. The first time at once, and then less often,
    /// down to once a minute: LiveEngage may refuse every token there is, and each worker meets that with each message.
    pub fn may_be_replaced(&self, now: Timestamp) -> bool {
        let pause = match self.in_vain {
            0 => SignedDuration::ZERO,
            1 => SignedDuration::from_secs(15),
            _ => SignedDuration::from_mins(1),
        };
        // Another environment's clock may be ahead by seconds; one that is far ahead says nothing.
        self.received_at.is_none_or(|at| now.duration_since(at).abs() >= pause)
    }

    /// This one, bought at `now` in place of `refused`, which has been of use or not.
    #[must_use]
    pub fn in_place_of(self, refused: &Self, was_of_use: bool, now: Timestamp) -> Self {
        let proven = was_of_use || refused.received_at.is_none_or(|at| now.duration_since(at).abs() >= PROVEN);
        Self { in_vain: if proven { 0 } else { refused.in_vain.saturating_add(1) }, ..self }
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
    #[serde(default, deserialize_with = "super::tolerant::lenient_number")]
    iat: Option<i64>,
}

impl Claims {
    /// How long the token lives from `now`, when it came. By its own two instants: their clock and ours may differ by any time. If they
    /// agree, its end by their clock counts, too: it may have been made before it came.
    fn life(&self, now: Timestamp) -> Option<SignedDuration> {
        let from = |since: i64| self.exp.checked_sub(since).filter(|life| *life > 0).map(SignedDuration::from_secs);
        let Some(iat) = self.iat else {
            return from(now.as_second()).filter(|life| (RENEW_BEFORE..=LIVES.1).contains(life));
        };
        let agree = iat.abs_diff(now.as_second()) <= CLOCKS_AGREE.as_secs().unsigned_abs();
        from(iat).map(|life| if agree { from(now.as_second()).map_or(life, |left| left.min(life)) } else { life })
    }

    /// By how much their clock is behind ours at the least: the token was made after `now`, when the attempt to get it began, and `iat`
    /// leaves out fractions of a second.
    fn clock_behind(&self, now: Timestamp) -> Option<SignedDuration> {
        let made_at = Timestamp::from_second(self.iat?.checked_add(1)?).ok()?;
        Some(now.duration_since(made_at)).filter(|behind| *behind > SignedDuration::ZERO)
    }
}

/// Reads the answer. The token lives as long as between its claims `iat` and `exp`, else for `expires_in`, else until `exp` if that can
/// be by our clock, else an hour; all of it from when it came.
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
    let claims = claims::<Claims>(&token.access_token);
    let clock_behind = claims.as_ref().and_then(|claims| claims.clock_behind(now));
    let by_itself = claims.as_ref().filter(|claims| claims.iat.is_some()).and_then(|claims| claims.life(now));
    let life = by_itself
        .or_else(|| token.expires_in.filter(|life| *life > 0).map(SignedDuration::from_secs))
        .or_else(|| claims.and_then(|claims| claims.life(now)))
        .unwrap_or(DOCUMENTED_LIFE);
    let received = AppJwt::received(token.access_token, now, life.clamp(LIVES.0, LIVES.1));
    Ok(AppJwt { clock_behind, ..received })
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
    fn a_tokens_life_is_read_from_its_claims_then_from_the_body_then_an_hour() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let end = |body| answer(&reply(200, body), now).unwrap().expires_at.as_second() - 1_000_000;
        let jwt = |claims| json!({"access_token": unsigned_jwt(&claims), "token_type": "Bearer", "expires_in": 99});
        assert_eq!(end(jwt(json!({"exp": 1_001_200, "iat": 1_000_000}))), 1200);
        // Without `iat` nothing tells by which clock `exp` is.
        assert_eq!(end(jwt(json!({"aud": "72419083", "exp": 1_001_234}))), 99);
        let only = |exp: i64| json!({"access_token": unsigned_jwt(&json!({"exp": exp}))});
        assert_eq!(end(only(1_001_234)), 1234);
        assert_eq!([end(only(999_000)), end(only(1_000_200)), end(only(2_000_000))], [3600, 3600, 3600]);
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": "99"})), 99);
        assert_eq!(end(json!({"access_token": "opaque"})), 3600);
        // What nobody means: it would be bought for every text, or for ever be in use.
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": 2})), 60);
        assert_eq!(end(json!({"access_token": "opaque", "expires_in": -2})), 3600);
        assert_eq!(end(jwt(json!({"exp": 900_000_000, "iat": 0}))), 24 * 3600);
        assert_eq!(end(jwt(json!({"exp": 1_000_000, "iat": 1_000_001}))), 99);
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_by_our_clock_whatever_theirs_says() {
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
        // Made a minute before it came: that is by clocks that agree.
        let jwt = unsigned_jwt(&json!({"exp": 1_003_540, "iat": 999_940}));
        assert_eq!(answer(&reply(200, json!({"access_token": jwt})), now).unwrap().expires_at.as_second(), 1_003_540);
    }

    #[test]
    fn a_token_tells_by_how_much_their_clock_is_behind_and_nothing_of_one_that_is_ahead() {
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
    fn a_token_of_a_short_life_is_not_due_at_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let token = AppJwt::received("t", at(0), SignedDuration::from_secs(99));
        assert!(!token.is_due(at(49)) && token.is_due(at(50)));
        let token = AppJwt::received("t", at(0), DOCUMENTED_LIFE);
        assert!(!token.is_due(at(3299)) && token.is_due(at(3300)));
    }

    #[test]
    fn tokens_that_are_all_refused_are_bought_once_a_minute() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let buy = |second| AppJwt::received(format!("t{second}"), at(second), DOCUMENTED_LIFE);
        let (mut token, mut bought) = (buy(0), vec![]);
        for second in 0..200 {
            if token.may_be_replaced(at(second)) {
                token = buy(second).in_place_of(&token, false, at(second));
                bought.push(second);
            }
        }
        assert_eq!(bought, [0, 15, 75, 135, 195]);
        // One that was of use, or has been there for long, is replaced at once, and so is the next.
        for good in [buy(200).in_place_of(&token, true, at(200)), buy(900).in_place_of(&token, false, at(900))] {
            assert!(good.may_be_replaced(good.received_at.unwrap()));
        }
        // A clock that is far ahead of ours keeps nobody from a new one.
        assert!(token.may_be_replaced(at(0)));
        assert!(AppJwt::new("old form", at(9)).may_be_replaced(at(1)));
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
    fn a_token_that_an_older_version_has_stored_is_read() {
        let stored = r#"{"token": "t", "expires_at": "2026-11-21T05:41:45Z"}"#;
        let token: AppJwt = serde_json::from_str(stored).unwrap();
        assert_eq!(token, AppJwt::new("t", "2026-11-21T05:41:45Z".parse().unwrap()));
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
