//! The Login Service (service `agentVep`; Login Service API, developer center): the session of a user of LiveEngage, whose bearer opens the
//! account's configuration.
//!
//! A connector doesn't need it to carry messages. An operator's tool needs it to register an app install ([`crate::app_install`]).
//!
//! ```
//! use connector_liveengage::{id::AccountId, login::{Credentials, answer, refresh_request, request}};
//! use connector_message::http::HttpReply;
//!
//! let (account, host) = (AccountId::new("72419083")?, "https://va.agentvep.liveperson.net".parse()?);
//! let credentials = Credentials::Application {
//!     user: "install-bot".to_owned(),
//!     client_id: "0f6c2a9e".to_owned(),
//!     client_secret: "the-secret".into(),
//! };
//! let call = request(&host, &account, &credentials);
//! assert_eq!(call.url.path(), "/api/account/72419083/login");
//!
//! // Send `call` with an HTTP client, and read the reply with its headers: the session's cookie is in one of them.
//! let body = r#"{"csrf": "c5rf", "bearer": "b34r3r", "sessionTTl": "28800000"}"#;
//! let reply = HttpReply { status: http::StatusCode::OK, retry_after: None, body: body.into() };
//! let headers = [(http::header::SET_COOKIE, "Session_id=s3ss10n; Secure; HttpOnly".parse()?)].into_iter().collect();
//! let session = answer(&reply, &headers, "2026-11-30T09:00:00Z".parse()?)?;
//! assert_eq!(session.ends_at, "2026-11-30T17:00:00Z".parse()?);
//! let call = refresh_request(&host, &account, &session)?;
//! assert_eq!(call.headers["cookie"], "Session_id=s3ss10n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::{
    HeaderMap, Method, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::{
    LiveEngageError,
    domain_api::Directory,
    error::classify,
    id::{AccountId, AgentId},
    tolerant,
};
use connector_message::{
    http::{HttpCall, HttpReply},
    json as lenient_json,
};

#[cfg(test)]
mod tests;

/// The name of the login in logs and errors.
pub const LOGIN: &str = "LiveEngage login";
const REFRESH: &str = "LiveEngage login refresh";
const LOGOUT: &str = "LiveEngage logout";

/// How often to refresh a session: LivePerson says every three to five minutes.
pub const REFRESH_EVERY: SignedDuration = SignedDuration::from_mins(4);

/// The least wait after a 429 of the login: five seconds (Retry Policy Recommendations).
pub const LEAST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// The life of a session whose reply doesn't say it: eight hours, as in the documentation's sample.
pub const DOCUMENTED_LIFE: SignedDuration = SignedDuration::from_hours(8);

/// The cookie that names a session.
const SESSION_COOKIE: &str = "Session_id";

/// Who logs in. No `Debug` of it shows a secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A user with a password. The account's rules apply, such as the password's expiry and single sign-on.
    User {
        /// The login name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A user of the type "Bot", by the OAuth 2.0 client credentials of an app install.
    Application {
        /// The login name.
        user: String,
        /// The app install's `client_id`.
        client_id: String,
        /// The app install's `client_secret`.
        client_secret: SecretString,
    },
    /// A user of the brand's own identity provider.
    Saml {
        /// The SAML assertion, in Base64.
        assertion: SecretString,
    },
}

/// A session of a user. Holds secrets, which `Debug` hides.
#[derive(Debug, Clone)]
pub struct Session {
    /// The token for `Authorization: Bearer`.
    pub bearer: SecretString,
    /// The token that refreshes and ends the session.
    pub csrf: SecretString,
    /// The value of the cookie `Session_id`.
    pub id: Option<SecretString>,
    /// When the session ends if it is not refreshed, by the clock of the caller.
    pub ends_at: Timestamp,
    /// The user's id in the account's configuration (`userId`).
    pub user_id: Option<String>,
    /// The user as a participant of conversations (`userPid`).
    pub agent: Option<AgentId>,
    /// Whether the user is an administrator.
    pub is_administrator: bool,
    /// The account's services, as from the Domain API. Empty if the reply has none.
    pub services: Directory,
}

/// Builds the request for a session. Names and secrets are in the JSON body.
pub fn request(login: &Url, account: &AccountId, credentials: &Credentials) -> HttpCall {
    let body = match credentials {
        Credentials::User { user, password } => json!({"username": user, "password": password.expose_secret()}),
        // The fields are those of the API keys of OAuth 1.0a, which LivePerson ended in 2026. The two tokens must be there, and mean nothing.
        Credentials::Application { user, client_id, client_secret } => json!({
            "username": user,
            "appKey": client_id,
            "secret": client_secret.expose_secret(),
            "accessToken": "dummy",
            "accessTokenSecret": "dummy",
        }),
        Credentials::Saml { assertion } => json!({"assertion": assertion.expose_secret()}),
    };
    call(LOGIN, login, account, "login", &body)
}

fn call(name: &'static str, login: &Url, account: &AccountId, action: &str, body: &Value) -> HttpCall {
    let mut url = login.clone();
    url.set_path(&format!("/api/account/{account}/{action}"));
    url.set_query(Some("v=1.3"));
    HttpCall::new(name, Method::POST, url).body("application/json", body.to_string())
}

/// Reads the reply to [`request`], which was received at `now`.
///
/// # Errors
/// [`LiveEngageError::LoginRefused`] for 401, [`LiveEngageError::RateLimited`] for 429 with at least [`LEAST_WAIT`],
/// [`LiveEngageError::Blocked`] for 451, [`LiveEngageError::Unreadable`] for a 200 without a bearer and a csrf token, otherwise by the
/// status.
pub fn answer(reply: &HttpReply, headers: &HeaderMap, now: Timestamp) -> Result<Session, LiveEngageError> {
    match reply.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(LiveEngageError::LoginRefused { call: LOGIN }),
        _ => return Err(patiently(classify(LOGIN, reply, None))),
    }
    let unreadable = |what| LiveEngageError::Unreadable { call: LOGIN, what };
    let body: Value = lenient_json::read(&reply.body).map_err(|_| unreadable("it is not JSON"))?;
    let secret = |name: &str| body.get(name).and_then(Value::as_str).filter(|token| !token.is_empty());
    let bearer = secret("bearer").ok_or(unreadable("no bearer"))?;
    let csrf = secret("csrf").ok_or(unreadable("no csrf token"))?;
    // LivePerson writes `sessionTTl`, in milliseconds and as a string.
    let life = body.as_object().into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("sessionTTL"));
    let life = life.and_then(|(_, life)| tolerant::number(life)).filter(|life| *life > 0);
    let life = life.map_or(DOCUMENTED_LIFE, SignedDuration::from_millis);
    let config = |name: &str| body.get("config").and_then(|config| config.get(name));
    Ok(Session {
        bearer: bearer.into(),
        csrf: csrf.into(),
        id: session_cookie(headers).or_else(|| secret("sessionId").map(SecretString::from)),
        ends_at: now.checked_add(life).unwrap_or(Timestamp::MAX),
        user_id: config("userId").and_then(text),
        agent: config("userPid").and_then(text).and_then(|id| AgentId::new(id).ok()),
        is_administrator: config("isAdmin").and_then(Value::as_bool).unwrap_or(false),
        services: body.get("csdsCollectionResponse").map(Directory::read).unwrap_or_default(),
    })
}

/// An id in either form.
fn text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn session_cookie(headers: &HeaderMap) -> Option<SecretString> {
    let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs = cookies.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim() == SESSION_COOKIE).map(|(_, value)| value.trim());
    values.find(|value| !value.is_empty()).map(SecretString::from)
}

fn patiently(error: LiveEngageError) -> LiveEngageError {
    match error {
        LiveEngageError::RateLimited { call, after } => {
            LiveEngageError::RateLimited { call, after: after.max(LEAST_WAIT) }
        }
        other => other,
    }
}

/// Builds the request that keeps a session alive. Send it every [`REFRESH_EVERY`].
///
/// # Errors
/// [`LiveEngageError::Header`] for a session id that can't be sent in a header.
pub fn refresh_request(login: &Url, account: &AccountId, session: &Session) -> Result<HttpCall, LiveEngageError> {
    in_session(call(REFRESH, login, account, "refresh", &csrf(session)), session)
}

/// Reads the reply to [`refresh_request`].
///
/// # Errors
/// [`LiveEngageError::SessionRefused`] for 401, otherwise by the status.
pub fn refresh_answer(reply: &HttpReply) -> Result<(), LiveEngageError> {
    accepted(REFRESH, reply)
}

/// Builds the request that ends a session.
///
/// # Errors
/// [`LiveEngageError::Header`] for a session id that can't be sent in a header.
pub fn logout_request(login: &Url, account: &AccountId, session: &Session) -> Result<HttpCall, LiveEngageError> {
    in_session(call(LOGOUT, login, account, "logout", &csrf(session)), session)
}

/// Reads the reply to [`logout_request`].
///
/// # Errors
/// [`LiveEngageError::SessionRefused`] for 401: the session has ended already. Otherwise by the status.
pub fn logout_answer(reply: &HttpReply) -> Result<(), LiveEngageError> {
    accepted(LOGOUT, reply)
}

fn csrf(session: &Session) -> Value {
    json!({"csrf": session.csrf.expose_secret()})
}

fn in_session(call: HttpCall, session: &Session) -> Result<HttpCall, LiveEngageError> {
    let Some(id) = &session.id else { return Ok(call) };
    let cookie = SecretString::from(format!("{SESSION_COOKIE}={}", id.expose_secret()));
    Ok(call.secret_header(COOKIE, &cookie)?)
}

fn accepted(call: &'static str, reply: &HttpReply) -> Result<(), LiveEngageError> {
    match reply.status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED => Err(LiveEngageError::SessionRefused { call }),
        _ => Err(classify(call, reply, None)),
    }
}
