//! The Login Service: sessions of the account's users, whose bearers open its configuration.

use http::StatusCode;
use http::header::{COOKIE, SET_COOKIE};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::backend::{Backend, now_ms};
use super::domain;
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;
use super::options::AccountOptions;

/// The life of a session without a refresh: 8 hours.
const LIFE_MS: i64 = 28_800_000;

/// A user of LiveEngage.
#[derive(Debug, Clone)]
pub struct UserOptions {
    /// The login name.
    pub name: String,
    /// How the user proves who it is.
    pub proof: UserProof,
    /// Whether it is an administrator, who may change the account's configuration.
    pub administrator: bool,
}

/// How a user proves who it is.
#[derive(Debug, Clone)]
pub enum UserProof {
    /// A person, with this password.
    Password(SecretString),
    /// A user of the type "Bot", with the client id and secret of the account's app install.
    AppInstall,
}

/// A session of a user.
#[derive(Debug, Clone)]
pub(super) struct Session {
    account_id: String,
    pub(super) administrator: bool,
    pub(super) user_id: String,
    /// The user's id in conversations.
    pub(super) agent_id: String,
    id: String,
    csrf: String,
    bearer: String,
    ends_ms: i64,
}

/// `POST /api/account/{account}/login`. The journal shows no body: all have secrets.
pub(super) const LOGIN: Endpoint =
    Endpoint { service: Service::Login, label: |_| "Login".to_owned(), shown: |_, _| None, answer: login };

/// `POST /api/account/{account}/refresh`
pub(super) const REFRESH: Endpoint =
    Endpoint { service: Service::Login, label: |_| "Login refresh".to_owned(), shown: |_, _| None, answer: refresh };

/// `POST /api/account/{account}/logout`
pub(super) const LOGOUT: Endpoint =
    Endpoint { service: Service::Login, label: |_| "Logout".to_owned(), shown: |_, _| None, answer: logout };

fn login(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let Some(body) = call.json().filter(|body| body.is_object() && has_version(call)) else {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let proves = |account: &AccountOptions, user: &UserOptions| match &user.proof {
        UserProof::Password(password) => text("password").is_some_and(|given| is_same(given, password.expose_secret())),
        UserProof::AppInstall => {
            text("appKey") == Some(&account.client_id)
                && text("secret").is_some_and(|secret| backend.takes_client_secret(account, secret))
                && text("accessToken").is_some()
                && text("accessTokenSecret").is_some()
        }
    };
    let is_login = text("assertion").is_some()
        || (text("username").is_some() && (text("password").is_some() || text("appKey").is_some()));
    if !is_login {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    }
    // The simulator has no identity provider of a brand, so it knows nobody by a SAML assertion.
    let found = backend.accounts.get(call.account_id()).and_then(|account| {
        let user = account.users.iter().find(|user| text("username") == Some(&user.name))?;
        proves(account, user).then_some(user)
    });
    let Some(user) = found else { return ServiceAnswer::empty(StatusCode::UNAUTHORIZED) };
    let secret = || Uuid::new_v4().simple().to_string();
    let account = call.account_id();
    let user_id = |kind: &str| Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{account} {kind} {}", user.name).as_bytes());
    let session = Session {
        account_id: account.to_owned(),
        administrator: user.administrator,
        user_id: user_id("user").as_u64_pair().0.to_string(),
        agent_id: user_id("agent").to_string(),
        id: secret(),
        csrf: secret(),
        bearer: secret(),
        ends_ms: now_ms().saturating_add(LIFE_MS),
    };
    let mut answer = ServiceAnswer::new(StatusCode::OK, session_answer(call, user, &session));
    if let Ok(cookie) = format!("Session_id={}; Path=/; Secure; HttpOnly", session.id).parse() {
        answer.headers.push((SET_COOKIE, cookie));
    }
    backend.state().sessions.push(session);
    answer
}

fn has_version(call: &ServiceCall) -> bool {
    ["1.1", "1.2", "1.3"].iter().any(|version| call.has_query("v", version))
}

fn is_same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}

fn session_answer(call: &ServiceCall, user: &UserOptions, session: &Session) -> Value {
    json!({
        "csrf": session.csrf,
        "wsuk": "700112233445566778",
        "config": {
            "loginName": user.name,
            "userId": session.user_id,
            "userPid": session.agent_id,
            "userPrivileges": [100, 101],
            "serverCurrentTime": now_ms(),
            "timeDiff": 0,
            "serverTimeZoneName": "Europe/Athens",
            "serverTimeGMTDiff": 10_800_000,
            "isLPA": false,
            "isAdmin": user.administrator,
            "accountTimeZoneId": "Europe/Athens",
        },
        "csdsCollectionResponse": domain::list(call),
        "accountData": { "agentGroupsData": { "items": [{ "id": -1, "deleted": false, "name": "Main Group" }], "revision": 1 } },
        // The name and the type are LivePerson's.
        "sessionTTl": LIFE_MS.to_string(),
        "bearer": session.bearer,
    })
}

fn refresh(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    in_session(backend, call, |sessions, place| {
        if let Some(session) = sessions.get_mut(place) {
            session.ends_ms = now_ms().saturating_add(LIFE_MS);
        }
    })
}

fn logout(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    in_session(backend, call, |sessions, place| {
        sessions.remove(place);
    })
}

/// Finds the session by the cookie, and checks the csrf token.
fn in_session(backend: &Backend, call: &ServiceCall, act: impl FnOnce(&mut Vec<Session>, usize)) -> ServiceAnswer {
    let Some(csrf) = call.json().and_then(|body| body.get("csrf")?.as_str().map(str::to_owned)) else {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    };
    let cookies = call.header(COOKIE).unwrap_or_default().split(';').filter_map(|pair| pair.trim().split_once('='));
    let id = cookies.filter(|(name, _)| *name == "Session_id").map(|(_, value)| value).next();
    let sessions = &mut backend.state().sessions;
    let is_it = |session: &Session| {
        Some(session.id.as_str()) == id && session.account_id == call.account_id() && session.ends_ms > now_ms()
    };
    let Some(place) = sessions.iter().position(is_it) else { return ServiceAnswer::empty(StatusCode::UNAUTHORIZED) };
    if sessions.get(place).is_none_or(|session| !is_same(&csrf, &session.csrf)) {
        return ServiceAnswer::new(
            StatusCode::UNAUTHORIZED,
            json!({ "error": {
                "time": "Sep 22, 2026 4:10:15 PM",
                "message": "CSRF token invalid! The CSRF token on request does not match the CSRF token on the session",
                "internalCode": 10,
                "responseStatus": "UNAUTHORIZED",
            } }),
        );
    }
    act(sessions, place);
    ServiceAnswer::empty(StatusCode::OK)
}

/// The session of a call with `Authorization: Bearer`, if it has not ended.
pub(super) fn session_of(backend: &Backend, call: &ServiceCall) -> Option<Session> {
    session_with(backend, call.account_id(), call.authorization()?.strip_prefix("Bearer ")?)
}

/// The session of this bearer in an account, if it has not ended.
pub(super) fn session_with(backend: &Backend, account_id: &str, bearer: &str) -> Option<Session> {
    let state = backend.state();
    let mut sessions = state.sessions.iter();
    let is_it = |session: &&Session| {
        is_same(bearer, &session.bearer) && session.account_id == account_id && session.ends_ms > now_ms()
    };
    sessions.find(is_it).cloned()
}
