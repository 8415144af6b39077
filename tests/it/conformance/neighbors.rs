//! The payloads of the APIs that carry no message: history, profiles, login, app installs, sign-in and Monitoring.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use connector_liveengage::{
    LiveEngageError, agent_profile, app_install, history,
    id::{AccountId, AppInstallId, VisitorId},
    idp::window,
    login,
    monitoring::{
        self, App, Assurance, ClientProperties, EngagementAnswer, EntryPoint, Impression, ImpressionKind, Observation,
        Visit, VisitorIdentity,
    },
    notification::EventKind,
};
use connector_message::http::HttpReply;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::Sample;

type Check = fn(&Value) -> Result<(), String>;

const PAYLOADS: &[(&str, Check)] = &[
    ("app-install-record-list.json", installs),
    ("app-install-record.json", install),
    ("dc-history-content-response.json", history_events),
    ("dc-history-metadata-response.json", history_list),
    ("dc-login-response.json", session),
    ("dc-login-user-request.json", login_by_password),
    ("dc-logout-request.json", csrf),
    ("dc-monitoring-engagement-created-response.json", engagements),
    ("dc-monitoring-engagement-request.json", engagement_request),
    ("dc-monitoring-engagement-resume-response.json", engagements),
    ("dc-monitoring-engagement-unavailable-response.json", engagements),
    ("dc-monitoring-getting-started-response.json", engagements),
    ("dc-monitoring-imp-accept.json", impression),
    ("dc-monitoring-imp-close.json", impression),
    ("dc-monitoring-imp-display.json", impression),
    ("dc-monitoring-imp-timeout.json", impression),
    ("dc-monitoring-loading-account-response.json", loading),
    ("dc-monitoring-report-bad-request-response.json", bad_request),
    ("dc-monitoring-report-request.json", report_request),
    ("dc-monitoring-report-response.json", report),
    ("dc-refresh-csrf-error-response.json", wrong_csrf),
    ("dc-refresh-request.json", csrf),
    ("devhub-agent-profile-response.json", profile),
    ("pages-login-app-oauth2-request.json", login_by_application),
    ("seed3-ws-consumer-jwt-claims.json", window_token),
];

pub(super) fn files() -> Vec<&'static str> {
    PAYLOADS.iter().map(|(file, _)| *file).collect()
}

/// Checks a payload of these APIs. `None` for any other.
pub(super) fn check(sample: &Sample) -> Option<Result<(), String>> {
    let (_, check) = PAYLOADS.iter().find(|(file, _)| *file == sample.file)?;
    Some(check(&sample.json))
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn same(found: &Value, wanted: &Value) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{found} was read or built where {wanted} stands")) }
}

fn told(error: &LiveEngageError) -> String {
    error.to_string()
}

fn host() -> Url {
    "https://va.example.liveperson.net".parse().unwrap()
}

fn account() -> AccountId {
    AccountId::new("72419083").unwrap()
}

fn history_list(json: &Value) -> Result<(), String> {
    let page = history::conversations_answer(&reply(200, json)).map_err(|error| told(&error))?;
    let records = json["conversationHistoryMetadataRecords"].as_array().unwrap();
    same(&json!((page.count, page.unreadable)), &json!((json["_responseMetadata"]["count"].as_u64(), 0)))?;
    for (read, wanted) in page.conversations.iter().zip(records) {
        same(&json!(read.id.as_str()), &wanted["convId"])?;
        same(&json!(read.started_at.map(Timestamp::as_millisecond)), &wanted["startTs"])?;
        same(&json!(read.ended_at.map(Timestamp::as_millisecond)), &wanted["endTs"])?;
        let ids: Vec<_> = read.participants.iter().map(|participant| json!(participant.id)).collect();
        same(&json!(ids), &wanted["participants"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect())?;
        let rate = read.satisfaction.and_then(|satisfaction| satisfaction.rate);
        same(&json!(rate.map(|rate| rate.points())), &wanted["csat"]["csatRate"])?;
    }
    Ok(())
}

fn history_events(json: &Value) -> Result<(), String> {
    let history = history::events_answer(&reply(200, json)).map_err(|error| told(&error))?;
    let records = json["messageEventRecords"].as_array().unwrap();
    same(&json!((history.events.len(), history.unreadable)), &json!((records.len(), 0)))?;
    let unknown = history.events.iter().any(|event| matches!(event.kind, EventKind::Unknown(_)));
    same(&json!(unknown), &json!(false))?;
    let mut numbers: Vec<_> = records.iter().filter_map(|record| record["sequence"].as_u64()).collect();
    let mut read: Vec<_> = history.events.iter().filter_map(|event| event.sequence.map(|number| number.0)).collect();
    numbers.sort_unstable();
    read.sort_unstable();
    same(&json!(read), &json!(numbers))
}

fn profile(json: &Value) -> Result<(), String> {
    let profile = agent_profile::answer(&reply(200, json)).map_err(|error| told(&error))?.ok_or("not found")?;
    same(&json!(profile.nickname), &json["nickname"])?;
    same(&json!(profile.full_name), &json["fullName"])?;
    same(&json!(profile.picture), &json["pictureUrl"])
}

fn install(json: &Value) -> Result<(), String> {
    let read = app_install::installation_answer(&reply(200, json), &HeaderMap::new()).map_err(|error| told(&error))?;
    same(&json!(read.record()), json)?;
    same(&json!(read.client_secret().map(|secret| secret.expose_secret().to_owned())), &json["client_secret"])?;
    same(&json!(read.issued_at().map(Timestamp::as_second)), &json["client_id_issued_at"])
}

fn installs(json: &Value) -> Result<(), String> {
    let read = app_install::list_answer(&reply(200, json), &HeaderMap::new()).map_err(|error| told(&error))?;
    let records: Vec<_> = read.iter().map(app_install::Installation::record).collect();
    same(&json!(records), json)
}

fn session(json: &Value) -> Result<(), String> {
    let read =
        login::answer(&reply(200, json), &HeaderMap::new(), Timestamp::UNIX_EPOCH).map_err(|error| told(&error))?;
    same(&json!(read.bearer.expose_secret()), &json["bearer"])?;
    same(&json!(read.csrf.expose_secret()), &json["csrf"])?;
    same(&json!(read.ends_at.as_millisecond().to_string()), &json["sessionTTl"])?;
    same(&json!(read.user_id), &json["config"]["userId"])?;
    same(&json!(read.is_administrator), &json["config"]["isAdmin"])
}

fn login_body(credentials: &login::Credentials) -> Value {
    serde_json::from_slice(&login::request(&host(), &account(), credentials).body).unwrap()
}

fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap().to_owned()
}

fn login_by_password(json: &Value) -> Result<(), String> {
    let password = text(json, "password").into();
    same(&login_body(&login::Credentials::User { user: text(json, "username"), password }), json)
}

fn login_by_application(json: &Value) -> Result<(), String> {
    let credentials = login::Credentials::Application {
        user: text(json, "username"),
        client_id: text(json, "appKey"),
        client_secret: text(json, "secret").into(),
    };
    same(&login_body(&credentials), json)
}

/// The body of a refresh and of a logout.
fn csrf(json: &Value) -> Result<(), String> {
    let body = json!({"bearer": "b", "csrf": json["csrf"]});
    let read = login::answer(&reply(200, &body), &HeaderMap::new(), Timestamp::UNIX_EPOCH);
    let session = read.map_err(|error| told(&error))?;
    for call in
        [login::refresh_request(&host(), &account(), &session), login::logout_request(&host(), &account(), &session)]
    {
        let body: Value = serde_json::from_slice(&call.map_err(|error| told(&error))?.body).unwrap();
        same(&body, json)?;
    }
    Ok(())
}

fn wrong_csrf(json: &Value) -> Result<(), String> {
    match login::refresh_answer(&reply(401, json)) {
        Err(LiveEngageError::SessionRefused { .. }) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn window_token(json: &Value) -> Result<(), String> {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let token = format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(json));
    let read =
        window::answer(&reply(200, &json!({"jwt": token})), Timestamp::UNIX_EPOCH).map_err(|error| told(&error))?;
    same(&json!(read.consumer.map(|consumer| consumer.as_str().to_owned())), &json["sub"])?;
    let life = json["exp"].as_i64().unwrap() - json["iat"].as_i64().unwrap();
    same(&json!(read.expires_at.map(Timestamp::as_second)), &json!(life))
}

fn engagements(json: &Value) -> Result<(), String> {
    let found = match monitoring::engagement_answer(&reply(200, json)).map_err(|error| told(&error))? {
        EngagementAnswer::Ready(found) => found,
        EngagementAnswer::Loading(visit) => return Err(format!("{visit:?}")),
    };
    same(&json!(found.visit.visitor.as_str()), &json["visitorId"])?;
    same(&json!(found.visit.session.map(|session| session.as_str().to_owned())), &json["sessionId"])?;
    same(&json!(found.page_id), &json["pageId"])?;
    let wanted = json.get("engagementDetails").and_then(Value::as_array).cloned().unwrap_or_default();
    same(&json!(found.engagements.len()), &json!(wanted.len()))?;
    for (read, wanted) in found.engagements.iter().zip(&wanted) {
        same(&json!(read.campaign_id), &json!(wanted["campaignId"].to_string()))?;
        same(&json!(read.engagement_id), &json!(wanted["engagementId"].to_string()))?;
        same(&json!(read.context_id), wanted.get("contextId").unwrap_or(&Value::Null))?;
        let conversation = read.conversation.as_ref().map(|conversation| conversation.as_str());
        same(&json!(conversation), wanted.get("conversationId").unwrap_or(&Value::Null))?;
        if read.status == monitoring::EngagementStatus::Unknown {
            return Err("the status is not known".to_owned());
        }
    }
    Ok(())
}

fn loading(json: &Value) -> Result<(), String> {
    match monitoring::engagement_answer(&reply(500, json)) {
        Ok(EngagementAnswer::Loading(visit)) if text(json, "message").ends_with(visit.visitor.as_str()) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn bad_request(json: &Value) -> Result<(), String> {
    match monitoring::report_answer(&reply(400, json)) {
        Err(LiveEngageError::Refused { code, .. }) => {
            same(&json!(code.as_str()), &json!(json["internalCode"].to_string()))
        }
        other => Err(format!("{other:?}")),
    }
}

fn report(json: &Value) -> Result<(), String> {
    let visit = monitoring::report_answer(&reply(200, json)).map_err(|error| told(&error))?;
    same(&json!(visit.visitor.as_str()), &json["visitorId"])
}

/// What a documented request tells of a consumer.
fn observation(json: &Value) -> Observation {
    let identity = |one: &Value| VisitorIdentity {
        issuer: text(one, "iss"),
        subject: text(one, "sub"),
        assurance: if one["acr"] == "loa1" { Assurance::Authenticated } else { Assurance::Unauthenticated },
    };
    let entry_point = |one: &Value| {
        let (scheme, rest) = one.as_str().unwrap().split_once("://").unwrap();
        let rest_text = rest.to_owned();
        match scheme {
            "sec" => EntryPoint::Section(rest_text),
            "tel" => EntryPoint::Phone(rest_text),
            "lang" => EntryPoint::Language(rest_text),
            _ => EntryPoint::Page(one.as_str().unwrap().parse().unwrap()),
        }
    };
    let list = |name: &str| json.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    Observation {
        identities: list("identities").iter().map(identity).collect(),
        entry_points: list("entryPoints").iter().map(entry_point).collect(),
        attributes: list("engagementAttributes"),
        impressions: Vec::new(),
        page_id: json.get("pageId").and_then(Value::as_str).map(str::to_owned),
    }
}

/// The built body equals the documented one without its deprecated consumer id. A URL without a path has gained a slash.
fn same_body(built: &[u8], json: &Value) -> Result<(), String> {
    let mut wanted = json.clone();
    wanted.as_object_mut().unwrap().remove("consumerId");
    for point in wanted["entryPoints"].as_array_mut().unwrap() {
        let url: Url = point.as_str().unwrap().parse().unwrap();
        if url.scheme().starts_with("http") {
            *point = json!(url);
        }
    }
    same(&serde_json::from_slice(built).unwrap(), &wanted)
}

fn with_app<T>(then: impl FnOnce(App<'_>) -> T) -> T {
    let app = AppInstallId::new("0f6c2a9e").unwrap();
    then(App { monitoring: &host(), account: &account(), app: &app })
}

fn engagement_request(json: &Value) -> Result<(), String> {
    let client = json.get("clientProperties").map(|client| {
        let field = |name: &str| client.get(name).and_then(Value::as_str).map(str::to_owned);
        ClientProperties {
            os_name: field("osName"),
            os_version: field("osVersion"),
            app_version: field("appVersion"),
            device_family: field("deviceFamily"),
            ip_address: field("ipAddress"),
        }
    });
    let call = with_app(|app| monitoring::engagement_request(app, None, client.as_ref(), &observation(json)));
    same_body(&call.body, json)
}

fn visit() -> Visit {
    Visit { visitor: VisitorId::new("v").unwrap(), session: None }
}

fn report_request(json: &Value) -> Result<(), String> {
    let call = with_app(|app| monitoring::report_request(app, &visit(), &observation(json)));
    same_body(&call.body, json)
}

fn impression(json: &Value) -> Result<(), String> {
    let kinds = [ImpressionKind::Display, ImpressionKind::Accept, ImpressionKind::Close, ImpressionKind::Timeout];
    let kind = kinds.into_iter().find(|kind| json["type"] == kind.name()).ok_or("an unknown kind")?;
    let number = |name: &str| json[name].as_i64().unwrap();
    let impression = Impression {
        kind,
        campaign_id: number("campaign"),
        engagement_id: number("engId"),
        revision: number("revision"),
        context_id: json.pointer("/eContext/0/id").and_then(Value::as_str).map(str::to_owned),
    };
    let seen = Observation { impressions: vec![impression], ..Observation::default() };
    let call = with_app(|app| monitoring::report_request(app, &visit(), &seen));
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    same(&body["engagementAttributes"][0], json)
}
