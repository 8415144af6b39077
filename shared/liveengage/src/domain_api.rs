//! The Domain API (CSDS): the hosts of an account's services (Domain API page of the developer center). Needs no authentication.

use std::collections::HashMap;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;
use url::Url;

use super::{LiveEngageError, error::classify, tolerant::LenientList};
use crate::id::AccountId;
use connector_message::{
    http::{HttpCall, HttpReply},
    settings::is_https_or_loopback,
};

/// The name of the call.
pub const CALL: &str = "LiveEngage Domain API";

/// The URL of LivePerson's public Domain API.
pub const PUBLIC: &str = "https://api.liveperson.net";

/// A LivePerson service. Names are case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The Send API: `asyncMessagingEnt`.
    Messaging,
    /// Issues AppJWTs: `sentinel`.
    Sentinel,
    /// Issues ConsumerJWSs: `idp`.
    Idp,
    /// The file storage: `swift`.
    Files,
    /// The histories of conversations: `msgHist`.
    History,
    /// The agents' public profiles: `acCdnDomain`.
    AgentProfiles,
    /// Reads and changes an account's configuration, such as its app installs: `accountConfigReadWrite`.
    Configuration,
    /// Logs users of LiveEngage in: `agentVep`.
    Login,
    /// The Monitoring API: `smt`.
    Monitoring,
}

impl Service {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messaging => "asyncMessagingEnt",
            Self::Sentinel => "sentinel",
            Self::Idp => "idp",
            Self::Files => "swift",
            Self::History => "msgHist",
            Self::AgentProfiles => "acCdnDomain",
            Self::Configuration => "accountConfigReadWrite",
            Self::Login => "agentVep",
            Self::Monitoring => "smt",
        }
    }
}

/// The base URLs of an account's services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory(HashMap<String, Url>);

impl Directory {
    /// The base URL of a service, without a path.
    ///
    /// # Errors
    /// [`LiveEngageError::NoService`] if the account doesn't have it.
    pub fn url(&self, service: Service) -> Result<&Url, LiveEngageError> {
        self.0.get(service.name()).ok_or(LiveEngageError::NoService { service: service.name() })
    }

    /// Reads a list of services that is part of another reply. Empty if it has another form.
    pub(crate) fn read(list: &Value) -> Self {
        ServiceList::deserialize(list).map_or_else(|_| Self::default(), |list| Self::of(list.entries))
    }

    /// Ignores an entry without a usable host.
    fn of(entries: Vec<ServiceEntry>) -> Self {
        let urls = entries.into_iter().filter_map(|entry| base_url(&entry.base_uri).map(|url| (entry.service, url)));
        Self(urls.collect())
    }
}

/// Builds the request for all services of `account`.
pub fn request(domain_api: &Url, account: &AccountId) -> HttpCall {
    let mut url = domain_api.clone();
    url.set_path(&format!("/api/account/{account}/service/baseURI.json"));
    url.set_query(Some("version=1.0"));
    HttpCall::new(CALL, Method::GET, url)
}

#[derive(Deserialize)]
struct ServiceEntry {
    service: String,
    #[serde(rename = "baseURI")]
    base_uri: String,
}

#[serde_as]
#[derive(Deserialize)]
struct ServiceList {
    #[serde_as(as = "LenientList")]
    #[serde(rename = "baseURIs")]
    entries: Vec<ServiceEntry>,
}

/// Reads the reply: the list, or the flat form of the call for one service. Ignores an entry without a usable host.
///
/// # Errors
/// [`LiveEngageError::UnknownAccount`] for 400 and 401, [`LiveEngageError::Unreadable`] for a body of another form, otherwise by the
/// status.
pub fn answer(reply: &HttpReply) -> Result<Directory, LiveEngageError> {
    if reply.status != StatusCode::OK {
        return Err(if reply.status == StatusCode::BAD_REQUEST || reply.status == StatusCode::UNAUTHORIZED {
            LiveEngageError::UnknownAccount { status: reply.status.as_u16() }
        } else {
            classify(CALL, reply, None)
        });
    }
    let entries = serde_json::from_slice::<ServiceList>(&reply.body)
        .map(|list| list.entries)
        .or_else(|_| serde_json::from_slice::<ServiceEntry>(&reply.body).map(|entry| vec![entry]))
        .map_err(|_| LiveEngageError::Unreadable { call: CALL, what: "neither a list nor an entry of base URIs" })?;
    Ok(Directory::of(entries))
}

/// Reads a base URI: a bare host means https. A URL with a scheme is accepted for https, and for http to a loopback address (the lab).
fn base_url(base_uri: &str) -> Option<Url> {
    let url: Url =
        if base_uri.contains("://") { base_uri.parse() } else { format!("https://{base_uri}").parse() }.ok()?;
    (is_https_or_loopback(&url) && url.path() == "/").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_owned().into() }
    }

    #[test]
    fn the_request_is_the_documented_one() {
        let call = request(&PUBLIC.parse().unwrap(), &AccountId::new("72419083").unwrap());
        assert_eq!(
            call.url.as_str(),
            "https://api.liveperson.net/api/account/72419083/service/baseURI.json?version=1.0"
        );
    }

    #[test]
    fn both_forms_of_the_reply_are_read() {
        let list = answer(&reply(
            200,
            r#"{"baseURIs":[{"service":"asyncMessagingEnt","account":"1","baseURI":"va.msg.liveperson.net"},{"service":"broken"},{"service":"sentinel","baseURI":"http://127.0.0.1:8123"}]}"#,
        ))
        .unwrap();
        assert_eq!(list.url(Service::Messaging).unwrap().as_str(), "https://va.msg.liveperson.net/");
        assert_eq!(list.url(Service::Sentinel).unwrap().as_str(), "http://127.0.0.1:8123/");
        assert_eq!(list.url(Service::Idp), Err(LiveEngageError::NoService { service: "idp" }));
        let single =
            answer(&reply(200, r#"{"service":"idp","account":"1","baseURI":"va.idp.liveperson.net"}"#)).unwrap();
        assert_eq!(single.url(Service::Idp).unwrap().as_str(), "https://va.idp.liveperson.net/");
        let bare = answer(&reply(200, r#"{"baseURIs":{"service":"idp","baseURI":"va.idp.liveperson.net"}}"#)).unwrap();
        assert!(bare.url(Service::Idp).is_ok());
        let files = r#"{"baseURIs":[{"service":"swift","baseURI":"va.objectstorage.liveperson.net"}]}"#;
        assert!(answer(&reply(200, files)).unwrap().url(Service::Files).is_ok());
    }

    #[test]
    fn plain_http_is_only_for_loopback() {
        let list =
            answer(&reply(200, r#"{"baseURIs":[{"service":"idp","baseURI":"http://idp.liveperson.net"}]}"#)).unwrap();
        assert!(list.url(Service::Idp).is_err());
    }

    #[test]
    fn an_unknown_account_is_not_a_token_error() {
        assert!(matches!(answer(&reply(401, "")), Err(LiveEngageError::UnknownAccount { status: 401 })));
        assert!(matches!(answer(&reply(500, "")), Err(LiveEngageError::Unavailable { .. })));
    }
}
