//! The Monitoring API: engagements that fit a consumer, and reports.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::backend::{Backend, now_ms};
use super::configuration::has_engagement;
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall, show_both};
use super::fault::Service;
use super::tokens::consumer_id;

/// The longest life of a session: 6 hours.
const SESSION_MS: i64 = 6 * 3_600_000;

/// A campaign with an engagement for the account's app install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EngagementOptions {
    /// The campaign's id.
    pub campaign_id: u64,
    /// The engagement's id.
    pub engagement_id: u64,
}

/// A visitor's session.
#[derive(Debug, Clone)]
pub(super) struct VisitorSession {
    account_id: String,
    visitor_id: String,
    session_id: String,
    page_id: String,
    started_ms: i64,
}

/// `POST /api/account/{account}/app/{app}/engagement`
pub(super) const ENGAGEMENT: Endpoint = Endpoint {
    service: Service::Monitoring,
    label: |_| "Monitoring engagement".to_owned(),
    shown: show_both,
    answer: engagement,
};

/// `PUT /api/account/{account}/app/{app}/report`
pub(super) const REPORT: Endpoint = Endpoint {
    service: Service::Monitoring,
    label: |_| "Monitoring report".to_owned(),
    shown: show_both,
    answer: report,
};

fn engagement(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let body = match checked(backend, call) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let (status, session) = visit(backend, call);
    let mut answer = session.answer();
    if let (Some(answer), Some(details)) = (answer.as_object_mut(), details(backend, call, &body)) {
        answer.insert("engagementDetails".to_owned(), json!([details]));
    }
    ServiceAnswer::new(status, answer)
}

fn report(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    if let Err(refusal) = checked(backend, call) {
        return refusal;
    }
    if !call.query.contains_key("vid") {
        return refuse("visitorId");
    }
    let (status, session) = visit(backend, call);
    ServiceAnswer::new(status, session.answer())
}

/// The body of a call for the account's app install, with at least one identity.
fn checked(backend: &Backend, call: &ServiceCall) -> Result<Value, ServiceAnswer> {
    let is_app = |client_id: &str| call.path.get("app").is_some_and(|app| app == client_id);
    if !backend.accounts.get(call.account_id()).is_some_and(|account| is_app(&account.client_id)) {
        return Err(ServiceAnswer::empty(StatusCode::NOT_FOUND));
    }
    let Some(body) = call.json().filter(|body| body.is_object() && call.has_query("v", "1.0")) else {
        return Err(refuse("body"));
    };
    if subjects(&body).is_empty() { Err(refuse("consumerId")) } else { Ok(body) }
}

fn refuse(field: &str) -> ServiceAnswer {
    let body = json!({ "time": now_ms(), "message": field, "internalCode": 5 });
    ServiceAnswer::new(StatusCode::BAD_REQUEST, body)
}

/// The consumer's ids at the brand, in both forms.
fn subjects(body: &Value) -> Vec<&str> {
    let identities = body.get("identities").and_then(Value::as_array).into_iter().flatten();
    let mut subjects: Vec<&str> = identities.filter_map(|identity| identity.get("sub")?.as_str()).collect();
    subjects.extend(body.get("consumerId").and_then(Value::as_str));
    subjects
}

/// The session that the call names, or a new one of its visitor, or of a new visitor.
fn visit(backend: &Backend, call: &ServiceCall) -> (StatusCode, VisitorSession) {
    let (visitor, session) = (call.query.get("vid"), call.query.get("sid"));
    let mut state = backend.state();
    let now = now_ms();
    let known = state.visits.iter().find(|known| {
        known.account_id == call.account_id()
            && Some(&known.visitor_id) == visitor
            && Some(&known.session_id) == session
            && now < known.started_ms.saturating_add(SESSION_MS)
    });
    if let Some(known) = known {
        return (StatusCode::OK, known.clone());
    }
    let new_id = || Uuid::new_v4().simple().to_string();
    let session = VisitorSession {
        account_id: call.account_id().to_owned(),
        visitor_id: visitor.cloned().unwrap_or_else(new_id),
        session_id: new_id(),
        page_id: new_id(),
        started_ms: now,
    };
    state.visits.push(session.clone());
    (StatusCode::CREATED, session)
}

impl VisitorSession {
    fn answer(&self) -> Value {
        json!({ "sessionId": self.session_id, "visitorId": self.visitor_id, "pageId": self.page_id })
    }
}

/// The account's engagement. A consumer with an open conversation is told its id instead of a context.
fn details(backend: &Backend, call: &ServiceCall, body: &Value) -> Option<Value> {
    let engagement = backend.features(call.account_id()).engagement?;
    let is_in_manifest = backend.state().installations.get(call.account_id()).is_some_and(has_engagement);
    if !is_in_manifest {
        return None;
    }
    let consumers: Vec<String> =
        subjects(body).into_iter().map(|subject| consumer_id(call.account_id(), subject)).collect();
    let state = backend.state();
    let open = state.conversations.values().find(|conversation| {
        let opening = &conversation.opening;
        conversation.is_open() && opening.account_id == call.account_id() && consumers.contains(&opening.consumer_id)
    });
    let mut details = json!({
        "campaignId": engagement.campaign_id,
        "engagementId": engagement.engagement_id,
        "engagementRevision": 1,
        "connectorId": 2_642_000_112_u64,
        "status": if open.is_some() { "conversation" } else { "expose" },
    });
    if let Some(details) = details.as_object_mut() {
        match open {
            Some(conversation) => details.insert("conversationId".to_owned(), json!(conversation.id)),
            None => details.insert("contextId".to_owned(), json!("1")),
        };
    }
    Some(details)
}
