//! The Monitoring API (service `smt`; Monitoring API, developer center): which campaign and engagement fit a consumer now, and reports about
//! what the consumer does.
//!
//! A connector can ask it before it opens a conversation, so that the conversation counts for a campaign. The app install needs the
//! capability `engagement`, and the account a campaign with an engagement for it.
//!
//! ```
//! use connector_liveengage::{
//!     id::{AccountId, AppInstallId},
//!     monitoring::{App, EngagementAnswer, Observation, VisitorIdentity, engagement_answer, engagement_request},
//! };
//! use connector_message::http::HttpReply;
//!
//! let host = "https://va.smt.liveperson.net".parse()?;
//! let (account, app) = (AccountId::new("72419083")?, AppInstallId::new("0f6c2a9e")?);
//! let app = App { monitoring: &host, account: &account, app: &app };
//! let observation = Observation { identities: vec![VisitorIdentity::authenticated("e-1")], ..Observation::default() };
//! let call = engagement_request(app, None, None, &observation);
//! assert_eq!(call.url.path(), "/api/account/72419083/app/0f6c2a9e/engagement");
//!
//! let body = r#"{"sessionId": "s-1", "visitorId": "v-1", "pageId": "p-1", "engagementDetails": [
//!     {"campaignId": 11, "engagementId": 12, "engagementRevision": 3, "contextId": "1", "status": "expose"}]}"#;
//! let reply = HttpReply { status: http::StatusCode::CREATED, retry_after: None, body: body.into() };
//! let EngagementAnswer::Ready(found) = engagement_answer(&reply)? else { panic!() };
//! assert_eq!(found.engagements[0].campaign().ok_or("no campaign")?.campaign_id, "11");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;
use url::Url;

use crate::{
    LiveEngageError,
    error::classify,
    id::{AccountId, AppInstallId, ConversationId, VisitorId, VisitorSessionId},
    messaging::{Campaign, Interaction},
    tolerant::{Lenient, LenientNumber, LenientText},
};
use connector_message::{
    code::Code,
    http::{HttpCall, HttpReply},
    json as lenient_json,
};

mod observation;
#[cfg(test)]
mod tests;

pub use observation::{
    Assurance, ClientProperties, EntryPoint, Impression, ImpressionKind, InvalidEntryPoint, Observation,
    VisitorIdentity,
};

const ENGAGEMENT: &str = "LiveEngage engagement";
const REPORT: &str = "LiveEngage report";

/// The waits before each retry of an engagement after a 5xx. Then give up: open the conversation without a campaign.
pub const ENGAGEMENT_RETRIES: [SignedDuration; 3] =
    [SignedDuration::from_secs(10), SignedDuration::from_secs(30), SignedDuration::from_secs(90)];

/// The waits before each retry of a report after a 5xx. Then drop it.
pub const REPORT_RETRIES: [SignedDuration; 4] = [
    SignedDuration::from_secs(3),
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(30),
    SignedDuration::from_secs(90),
];

/// The longest life of a visitor's session.
pub const LONGEST_SESSION: SignedDuration = SignedDuration::from_hours(6);

/// The number of the reply that asks for the same call again: the account is not loaded yet.
const LOADING: i64 = 20;

/// Whose campaigns to ask for.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// The base URL of the service.
    pub monitoring: &'a Url,
    /// The account.
    pub account: &'a AccountId,
    /// The app install (`client_id`).
    pub app: &'a AppInstallId,
}

/// A visitor, and the session if it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The visitor (`vid`).
    pub visitor: VisitorId,
    /// The session (`sid`).
    pub session: Option<VisitorSessionId>,
}

/// Builds the request for the engagements that fit a consumer. The first call of a consumer is without a visit.
pub fn engagement_request(
    app: App<'_>,
    visit: Option<&Visit>,
    client: Option<&ClientProperties>,
    observation: &Observation,
) -> HttpCall {
    call((ENGAGEMENT, Method::POST), app, "engagement", visit, &observation.engagement_body(client))
}

/// Builds the request that reports what a consumer does.
pub fn report_request(app: App<'_>, visit: &Visit, observation: &Observation) -> HttpCall {
    call((REPORT, Method::PUT), app, "report", Some(visit), &observation.report_body())
}

fn call(
    (name, method): (&'static str, Method),
    app: App<'_>,
    action: &str,
    visit: Option<&Visit>,
    body: &Value,
) -> HttpCall {
    let mut url = app.monitoring.clone();
    url.set_path(&format!("/api/account/{}/app", app.account));
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(app.app.as_str()).push(action);
    }
    url.set_query(Some("v=1.0"));
    if let Some(Visit { visitor, session }) = visit {
        let mut query = url.query_pairs_mut();
        query.append_pair("vid", visitor.as_str());
        if let Some(session) = session {
            query.append_pair("sid", session.as_str());
        }
    }
    HttpCall::new(name, method, url).body("application/json", body.to_string())
}

/// The reply to an engagement request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngagementAnswer {
    /// The engagements.
    Ready(Engagements),
    /// LivePerson is still loading the account. Send the same call again, with this visitor.
    Loading(Visit),
}

/// The engagements that fit a consumer now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engagements {
    /// The visitor and the session, for the next calls.
    pub visit: Visit,
    /// The page of this call. A report names it.
    pub page_id: Option<String>,
    /// Whether the session is new (201).
    pub is_new_session: bool,
    /// The engagements. Empty if no campaign fits.
    pub engagements: Vec<Engagement>,
}

impl Engagements {
    /// The interaction of a new conversation that follows from one of the engagements.
    pub fn interaction(&self, engagement: &Engagement) -> Interaction {
        Interaction {
            visitor: self.visit.visitor.clone(),
            session: self.visit.session.clone(),
            context_id: engagement.context_id.clone(),
        }
    }
}

/// An engagement of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engagement {
    /// The campaign's id.
    pub campaign_id: Option<String>,
    /// The engagement's id.
    pub engagement_id: Option<String>,
    /// The engagement's revision.
    pub revision: Option<i64>,
    /// The context of the interaction (`interactionContextId` of a conversation).
    pub context_id: Option<String>,
    /// The connector to the brand's identity provider.
    pub connector_id: Option<String>,
    /// The consumer's open conversation.
    pub conversation: Option<ConversationId>,
    /// What to do with it.
    pub status: EngagementStatus,
    /// The window's id.
    pub window_id: Option<String>,
    /// The language.
    pub language: Option<String>,
}

impl Engagement {
    /// The campaign of a new conversation. `None` without both ids.
    pub fn campaign(&self) -> Option<Campaign> {
        Some(Campaign { campaign_id: self.campaign_id.clone()?, engagement_id: self.engagement_id.clone()? })
    }
}

/// What to do with an engagement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EngagementStatus {
    /// `expose`: show it.
    Expose,
    /// `interaction`: the consumer has reacted to it.
    Interaction,
    /// `conversation`: the consumer has an open conversation.
    Conversation,
    /// Any other.
    #[default]
    Unknown,
}

#[serde_as]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VisitWire {
    visitor_id: VisitorId,
    #[serde_as(as = "Lenient")]
    #[serde(default)]
    session_id: Option<VisitorSessionId>,
    #[serde_as(as = "LenientText")]
    #[serde(default)]
    page_id: Option<String>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EngagementWire {
    #[serde_as(as = "LenientText")]
    campaign_id: Option<String>,
    #[serde_as(as = "LenientText")]
    engagement_id: Option<String>,
    #[serde_as(as = "LenientNumber")]
    engagement_revision: Option<i64>,
    #[serde_as(as = "LenientText")]
    context_id: Option<String>,
    #[serde_as(as = "LenientText")]
    connector_id: Option<String>,
    #[serde_as(as = "Lenient")]
    conversation_id: Option<ConversationId>,
    #[serde_as(as = "LenientText")]
    status: Option<String>,
    #[serde_as(as = "LenientText")]
    window_id: Option<String>,
    #[serde_as(as = "LenientText")]
    language: Option<String>,
}

/// Reads the reply to [`engagement_request`].
///
/// # Errors
/// [`LiveEngageError::Refused`] for 400, with LivePerson's number, [`LiveEngageError::Unreadable`] for a 2xx without a visitor, otherwise by
/// the status. For the waits, see [`ENGAGEMENT_RETRIES`].
pub fn engagement_answer(reply: &HttpReply) -> Result<EngagementAnswer, LiveEngageError> {
    if let Some(visitor) = loading(reply) {
        return Ok(EngagementAnswer::Loading(Visit { visitor, session: None }));
    }
    let (body, visit) = visit(ENGAGEMENT, reply)?;
    let details = lenient_json::one_or_many(body.get("engagementDetails")).iter();
    Ok(EngagementAnswer::Ready(Engagements {
        visit: Visit { visitor: visit.visitor_id, session: visit.session_id },
        page_id: visit.page_id,
        is_new_session: reply.status == StatusCode::CREATED,
        engagements: details.filter(|one| one.is_object()).map(engagement).collect(),
    }))
}

/// Reads the reply to [`report_request`]: the visit, whose session may be another one.
///
/// # Errors
/// As [`engagement_answer`]. For the waits, see [`REPORT_RETRIES`].
pub fn report_answer(reply: &HttpReply) -> Result<Visit, LiveEngageError> {
    let (_, visit) = visit(REPORT, reply)?;
    Ok(Visit { visitor: visit.visitor_id, session: visit.session_id })
}

fn visit(call: &'static str, reply: &HttpReply) -> Result<(Value, VisitWire), LiveEngageError> {
    let body: Value = lenient_json::read(&reply.body).unwrap_or_default();
    if !reply.status.is_success() {
        return Err(match (classify(call, reply, None), internal_code(&body)) {
            (LiveEngageError::Refused { call, status, .. }, Some(number)) => {
                LiveEngageError::Refused { call, status, code: Code::from(number) }
            }
            (other, _) => other,
        });
    }
    let visit = VisitWire::deserialize(&body).map_err(|_| LiveEngageError::Unreadable { call, what: "no visitor" })?;
    Ok((body, visit))
}

fn internal_code(body: &Value) -> Option<i64> {
    body.get("internalCode").and_then(crate::tolerant::number)
}

/// The visitor of a reply that says that the account is being loaded: only the message names it, as `..., vid: <visitor>`.
fn loading(reply: &HttpReply) -> Option<VisitorId> {
    if !reply.status.is_server_error() {
        return None;
    }
    let body: Value = lenient_json::read(&reply.body).ok()?;
    if internal_code(&body)? != LOADING {
        return None;
    }
    let (_, visitor) = body.get("message")?.as_str()?.rsplit_once("vid:")?;
    VisitorId::new(visitor.trim_start().split([' ', ',']).next()?).ok()
}

fn engagement(details: &Value) -> Engagement {
    let wire = EngagementWire::deserialize(details).unwrap_or_default();
    Engagement {
        campaign_id: wire.campaign_id,
        engagement_id: wire.engagement_id,
        revision: wire.engagement_revision,
        context_id: wire.context_id,
        connector_id: wire.connector_id,
        conversation: wire.conversation_id,
        status: match wire.status.as_deref() {
            Some("expose") => EngagementStatus::Expose,
            Some("interaction") => EngagementStatus::Interaction,
            Some("conversation") => EngagementStatus::Conversation,
            _ => EngagementStatus::Unknown,
        },
        window_id: wire.window_id,
        language: wire.language,
    }
}
