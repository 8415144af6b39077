//! An agent's public profile (service `acCdnDomain`; Messaging Window API, developer center): the name and the picture that consumers may
//! see. Needs no authentication.
//!
//! ```
//! use connector_liveengage::{agent_profile::{answer, request}, id::{AccountId, AgentId}};
//! use connector_message::http::HttpReply;
//!
//! let agent = AgentId::new("5c2d7e90-1a2b-5c3d-8e4f-9a0b1c2d3e4f")?;
//! let call = request(&"https://accdn.lpsnmedia.net".parse()?, &AccountId::new("72419083")?, &agent);
//! let body = r#"{"nickname": "Ada", "fullName": "Ada Quist", "pictureUrl": ""}"#;
//! let reply = HttpReply { status: http::StatusCode::OK, retry_after: None, body: body.into() };
//! let profile = answer(&reply)?.ok_or("no such agent")?;
//! assert_eq!(profile.shown_name(), Some("Ada"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_with::serde_as;
use url::Url;

use crate::{
    LiveEngageError,
    error::classify,
    id::{AccountId, AgentId},
    tolerant::LenientText,
};
use connector_message::{
    http::{HttpCall, HttpReply},
    json,
};

/// The name of the call in logs and errors.
const CALL: &str = "LiveEngage agent profile";

/// What an account without employee ids has in their place.
const NO_EMPLOYEE_ID: &str = "Dont-Have-One";

/// What an agent shows to consumers. Every field may be missing. `Debug` hides them, because they are a person's.
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq)]
#[debug("AgentProfile(hidden)")]
pub struct AgentProfile {
    /// The name for consumers.
    pub nickname: Option<String>,
    /// The full name. Consumers see it only if there is no nickname.
    pub full_name: Option<String>,
    /// The picture, at an https address.
    pub picture: Option<Url>,
    /// The id in the brand's own systems.
    pub employee_id: Option<String>,
}

impl AgentProfile {
    /// The name to show to a consumer: the nickname, or else the full name.
    pub fn shown_name(&self) -> Option<&str> {
        self.nickname.as_deref().or(self.full_name.as_deref())
    }
}

/// Builds the request for an agent's profile.
pub fn request(profiles: &Url, account: &AccountId, agent: &AgentId) -> HttpCall {
    let mut url = profiles.clone();
    url.set_path(&format!("/api/account/{account}/configuration/le-users/users"));
    // The id is opaque: this escapes what a path can't carry.
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(agent.as_str());
    }
    url.set_query(None);
    HttpCall::new(CALL, Method::GET, url)
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ProfileWire {
    #[serde_as(as = "LenientText")]
    nickname: Option<String>,
    #[serde_as(as = "LenientText")]
    full_name: Option<String>,
    #[serde_as(as = "LenientText")]
    picture_url: Option<String>,
    #[serde_as(as = "LenientText")]
    employee_id: Option<String>,
}

/// Reads the reply. `None` for 404: the account has no agent with this id, or shows none.
///
/// # Errors
/// [`LiveEngageError::Unreadable`] for a 200 that is not a JSON object, otherwise by the status.
pub fn answer(reply: &HttpReply) -> Result<Option<AgentProfile>, LiveEngageError> {
    match reply.status {
        StatusCode::OK => {}
        // Only as JSON or without a body is it LivePerson's own: a page comes from a host that has moved.
        StatusCode::NOT_FOUND if !reply.is_page() => return Ok(None),
        _ => return Err(classify(CALL, reply, None)),
    }
    let wire: ProfileWire = json::read(&reply.body)
        .map_err(|_| LiveEngageError::Unreadable { call: CALL, what: "no profile of an agent" })?;
    let filled = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(Some(AgentProfile {
        nickname: filled(wire.nickname),
        full_name: filled(wire.full_name),
        picture: wire.picture_url.and_then(|url| url.parse().ok()).filter(|url: &Url| url.scheme() == "https"),
        employee_id: filled(wire.employee_id).filter(|id| id != NO_EMPLOYEE_ID),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_message::Disposition;

    fn read(status: u16, body: &str) -> Result<Option<AgentProfile>, LiveEngageError> {
        let status = StatusCode::from_u16(status).unwrap();
        answer(&HttpReply { status, retry_after: None, body: body.to_owned().into() })
    }

    #[test]
    fn the_request_has_no_token_and_escapes_the_id() {
        let call = |agent: &str| {
            let account = AccountId::new("72419083").unwrap();
            request(&"https://accdn.lpsnmedia.net".parse().unwrap(), &account, &AgentId::new(agent).unwrap())
        };
        let plain = call("5c2d7e90-1a2b-5c3d");
        assert_eq!(
            plain.url.as_str(),
            "https://accdn.lpsnmedia.net/api/account/72419083/configuration/le-users/users/5c2d7e90-1a2b-5c3d"
        );
        assert!(plain.headers.is_empty() && plain.body.is_empty());
        assert!(call("a/../b?c").url.path().ends_with("/users/a%2F..%2Fb%3Fc"));
    }

    #[test]
    fn the_documented_profile_is_read() {
        let profile = read(
            200,
            r#"{"pictureUrl":"https://pictures.example/ada.png","employeeId":"Dont-Have-One","nickname":"Ada","fullName":"Ada Quist","new":[1]}"#,
        );
        let profile = profile.unwrap().unwrap();
        assert_eq!((profile.shown_name(), profile.full_name.as_deref()), (Some("Ada"), Some("Ada Quist")));
        assert_eq!(profile.picture.as_ref().unwrap().as_str(), "https://pictures.example/ada.png");
        assert_eq!(profile.employee_id, None);
        assert!(!format!("{profile:?}").contains("Ada"));
    }

    #[test]
    fn every_field_can_be_missing_or_wrong() {
        assert_eq!(read(200, "{}").unwrap(), Some(AgentProfile::default()));
        let odd = r#"{"pictureUrl":"javascript:alert(1)","employeeId":4711,"nickname":"  ","fullName":"Ada Quist"}"#;
        let profile = read(200, odd).unwrap().unwrap();
        assert_eq!((profile.shown_name(), profile.picture.as_ref()), (Some("Ada Quist"), None));
        assert_eq!(profile.employee_id.as_deref(), Some("4711"));
        assert_eq!(read(200, r#"{"nickname":["x"],"pictureUrl":null}"#).unwrap(), Some(AgentProfile::default()));
    }

    #[test]
    fn an_unknown_agent_is_no_error() {
        assert_eq!(read(404, ""), Ok(None));
        assert_eq!(read(404, r#"{"error":"not found"}"#), Ok(None));
        assert!(matches!(read(404, "<html>moved"), Err(LiveEngageError::Unavailable { status: 404, .. })));
        assert!(matches!(read(200, "<html>"), Err(LiveEngageError::Unreadable { .. })));
        assert_eq!(read(500, "").unwrap_err().disposition(), Disposition::RETRY);
        assert!(matches!(read(429, ""), Err(LiveEngageError::RateLimited { .. })));
    }
}
