//! The records of app installs in an account's configuration (service `accountConfigReadWrite`), as LivePerson's demo connector uses them.
//!
//! LivePerson doesn't document this API for the public. A record is therefore kept whole: what this crate doesn't know is sent back as it
//! came. Each change names the revision that it is based on, so that nobody's change is overwritten.
//!
//! All calls need the bearer of an administrator's session ([`crate::login`]). The replies have the revision in a header.
//!
//! ```
//! use connector_liveengage::{app_install::{create_request, installation_answer, update_request}, id::AccountId};
//! use connector_message::http::HttpReply;
//! use serde_json::json;
//!
//! let (account, host) = (AccountId::new("72419083")?, "https://va.acr.liveperson.net".parse()?);
//! let bearer = "b34r3r".into();
//! let call = create_request(&host, &account, &bearer, &json!({"client_name": "SMS", "scope": "msg.consumer"}))?;
//! assert_eq!(call.url.path(), "/api/account/72419083/configuration/app-install/installations");
//!
//! let body = r#"{"id": "i-1", "client_id": "0f6c2a9e", "client_secret": "s", "client_name": "SMS", "kept": [1]}"#;
//! let reply = HttpReply { status: http::StatusCode::CREATED, retry_after: None, body: body.into() };
//! let headers = [("ac-revision".parse()?, "17".parse()?)].into_iter().collect();
//! let mut installation = installation_answer(&reply, &headers)?;
//! assert_eq!(installation.client_id().ok_or("no id")?.as_str(), "0f6c2a9e");
//!
//! installation.set_manifest(&json!({"client_name": "SMS and WhatsApp"}))?;
//! let call = update_request(&host, &account, &bearer, &installation)?;
//! assert_eq!(call.headers["if-match"], "17");
//! assert!(String::from_utf8(call.body.to_vec())?.contains(r#""kept":[1]"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, IF_MATCH},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::{
    LiveEngageError,
    error::classify,
    id::{AccountId, InstallationId},
};
use connector_message::{
    http::{HttpCall, HttpReply},
    json,
};

mod record;
#[cfg(test)]
mod tests;

pub use record::Installation;

const LIST: &str = "LiveEngage app installs";
const READ: &str = "LiveEngage app install";
const CREATE: &str = "LiveEngage app install create";
const UPDATE: &str = "LiveEngage app install update";
const DELETE: &str = "LiveEngage app install delete";

/// The header of a reply that names the revision of what it has.
pub const REVISION: HeaderName = HeaderName::from_static("ac-revision");

/// The header that names the method to a proxy that lets only GET and POST through.
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// The revision of a record: opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(HeaderValue);

impl Revision {
    /// The revision that a reply names. `None` if it names none.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers.get(REVISION).filter(|value| !value.is_empty()).cloned().map(Self)
    }

    /// Returns the revision as it was sent.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn call(
    (name, method): (&'static str, Method),
    configuration: &Url,
    account: &AccountId,
    installation: Option<&InstallationId>,
    bearer: &SecretString,
) -> Result<HttpCall, LiveEngageError> {
    let mut url = configuration.clone();
    url.set_path(&format!("/api/account/{account}/configuration/app-install/installations"));
    if let (Some(id), Ok(mut path)) = (installation, url.path_segments_mut()) {
        path.push(id.as_str());
    }
    url.set_query(Some("v=1.0"));
    let bearer = SecretString::from(format!("Bearer {}", bearer.expose_secret()));
    Ok(HttpCall::new(name, method, url).secret_header(AUTHORIZATION, &bearer)?)
}

/// Builds the request for all app installs of an account.
///
/// # Errors
/// [`LiveEngageError::Header`] for a bearer that can't be sent in a header.
pub fn list_request(
    configuration: &Url,
    account: &AccountId,
    bearer: &SecretString,
) -> Result<HttpCall, LiveEngageError> {
    call((LIST, Method::GET), configuration, account, None, bearer)
}

/// Builds the request for one app install.
///
/// # Errors
/// [`LiveEngageError::Header`] for a bearer that can't be sent in a header.
pub fn read_request(
    configuration: &Url,
    account: &AccountId,
    bearer: &SecretString,
    installation: &InstallationId,
) -> Result<HttpCall, LiveEngageError> {
    call((READ, Method::GET), configuration, account, Some(installation), bearer)
}

/// Builds the request that registers an app with this manifest ([`crate::manifest`]).
///
/// A call that got no reply may have registered the app: list the installs before repeating it, because the name must be unique.
///
/// # Errors
/// [`LiveEngageError::Header`] for a bearer that can't be sent in a header.
pub fn create_request(
    configuration: &Url,
    account: &AccountId,
    bearer: &SecretString,
    manifest: &Value,
) -> Result<HttpCall, LiveEngageError> {
    let call = call((CREATE, Method::POST), configuration, account, None, bearer)?;
    Ok(call.body("application/json", manifest.to_string()))
}

/// Builds the request that replaces a record by `installation`, if nobody has changed it since.
///
/// # Errors
/// [`LiveEngageError::Header`] for a bearer that can't be sent in a header, [`LiveEngageError::Unsendable`] if the revision or the id is
/// not known: read the record first.
pub fn update_request(
    configuration: &Url,
    account: &AccountId,
    bearer: &SecretString,
    installation: &Installation,
) -> Result<HttpCall, LiveEngageError> {
    let call = change(UPDATE, Method::PUT, (configuration, account, bearer), installation)?;
    Ok(call
        .header(METHOD_OVERRIDE, HeaderValue::from_static("PUT"))
        .body("application/json", installation.record_json()))
}

/// Builds the request that removes an app install, if nobody has changed it since.
///
/// # Errors
/// As [`update_request`].
pub fn delete_request(
    configuration: &Url,
    account: &AccountId,
    bearer: &SecretString,
    installation: &Installation,
) -> Result<HttpCall, LiveEngageError> {
    change(DELETE, Method::DELETE, (configuration, account, bearer), installation)
}

fn change(
    name: &'static str,
    method: Method,
    (configuration, account, bearer): (&Url, &AccountId, &SecretString),
    installation: &Installation,
) -> Result<HttpCall, LiveEngageError> {
    let unsendable = |what| LiveEngageError::Unsendable { call: name, what };
    let id = installation.id().ok_or(unsendable("the record has no id"))?;
    let revision = installation.revision.clone().ok_or(unsendable("the revision of the record is not known"))?;
    let call = call((name, method), configuration, account, Some(&id), bearer)?;
    Ok(call.header(IF_MATCH, revision.0))
}

/// Reads the reply to [`list_request`]. Records without an id, and deleted ones, are included. All have the one revision of the
/// headers.
///
/// # Errors
/// [`LiveEngageError::SessionRefused`] for 401, [`LiveEngageError::Unreadable`] for a 200 that is no list, otherwise by the status.
pub fn list_answer(reply: &HttpReply, headers: &HeaderMap) -> Result<Vec<Installation>, LiveEngageError> {
    let body = document(LIST, reply)?;
    let revision = Revision::of(headers);
    let records = json::one_or_many(Some(&body)).iter();
    let installations = records.map(|record| Installation::read(record, revision.clone()));
    installations.collect::<Option<_>>().ok_or(LiveEngageError::Unreadable { call: LIST, what: "no list of records" })
}

/// Reads the reply to [`read_request`], [`create_request`] or [`update_request`]: the record, with the revision in the headers.
///
/// # Errors
/// [`LiveEngageError::SessionRefused`] for 401, [`LiveEngageError::RevisionConflict`] for 412, [`LiveEngageError::Unreadable`] for a 2xx
/// without a record, otherwise by the status. A record that doesn't exist (404) is [`LiveEngageError::Refused`].
pub fn installation_answer(reply: &HttpReply, headers: &HeaderMap) -> Result<Installation, LiveEngageError> {
    let body = document(READ, reply)?;
    Installation::read(&body, Revision::of(headers))
        .ok_or(LiveEngageError::Unreadable { call: READ, what: "no record of an app install" })
}

/// Reads the reply to [`delete_request`].
///
/// # Errors
/// As [`installation_answer`].
pub fn delete_answer(reply: &HttpReply) -> Result<(), LiveEngageError> {
    accepted(DELETE, reply)
}

fn document(call: &'static str, reply: &HttpReply) -> Result<Value, LiveEngageError> {
    accepted(call, reply)?;
    json::read(&reply.body).map_err(|_| LiveEngageError::Unreadable { call, what: "it is not JSON" })
}

fn accepted(call: &'static str, reply: &HttpReply) -> Result<(), LiveEngageError> {
    match reply.status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED => Err(LiveEngageError::SessionRefused { call }),
        StatusCode::PRECONDITION_FAILED => Err(LiveEngageError::RevisionConflict { call }),
        // The id is wrong, unless a page says that the host is.
        StatusCode::NOT_FOUND if !reply.is_page() => Err(LiveEngageError::Refused {
            call,
            status: StatusCode::NOT_FOUND.as_u16(),
            code: connector_message::code::Code::NONE,
        }),
        _ => Err(classify(call, reply, None)),
    }
}
