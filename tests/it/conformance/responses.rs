//! Every response, and the connector's reaction to it.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use connector_liveengage::{
    LiveEngageError,
    domain_api::{self, Service},
    files,
    id::ExtConsumerId,
    idp, messaging, sentinel,
};
use connector_message::{Disposition, http::HttpReply};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{Sample, unknown};

/// The call that a response answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    DomainApi,
    Sentinel,
    Idp,
    Conversation,
    Send,
    FileUrl,
    Upload,
}

use Call::{Conversation, DomainApi, FileUrl, Idp, Send, Sentinel, Upload};

/// The connector's reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Continues with the response's values: hosts, a token, an identity, a conversation, a sequence, a URL.
    Use,
    /// Uses the open conversation as soon as a webhook names it.
    Adopt,
    /// Opens a new conversation and sends the message there.
    OpenAnew,
    /// Requests a new AppJWT from Sentinel and tries once more.
    NewAppJwt,
    /// Requests a new ConsumerJWS from IDP and tries once more.
    NewConsumerJws,
    /// Requests another temporary URL.
    AnotherUrl,
    /// Tries again until an operator has corrected the account's settings.
    Mend,
    /// Tries again later.
    Later,
    /// Parks the message.
    Park,
}

/// Every response, its call and the reaction.
const RESPONSES: &[(&str, Call, Action)] = &[
    ("app-send-response.json", Send, Action::Use),
    ("dc-auth-consumer-response.json", Idp, Action::Use),
    ("dc-auth-error-response.json", Send, Action::NewAppJwt),
    ("dc-auth-sentinel-token-response.json", Sentinel, Action::Use),
    ("dc-conversation-response.json", Conversation, Action::Use),
    ("dc-domain-response.json", DomainApi, Action::Use),
    ("dc-examples-download-url-response.json", FileUrl, Action::Use),
    ("dc-examples-upload-url-response.json", FileUrl, Action::Use),
    ("dc-filesharing-ws-upload-url-response.json", FileUrl, Action::Use),
    ("dc-pcs-chatstate-response.json", Send, Action::Use),
    ("dc-pcs-close-dialog-response.json", Send, Action::Use),
    ("dc-pcs-publish-response.json", Send, Action::Use),
    ("dc-send-response.json", Send, Action::Use),
    ("devhub-domain-single-response.json", DomainApi, Action::Use),
    ("old-create-three-part-response.json", Conversation, Action::Use),
    ("qs-close-response.json", Send, Action::Use),
    ("qs-consumer-jws-response.json", Idp, Action::Use),
    ("qs-conversation-already-open-response.json", Conversation, Action::Adopt),
    ("qs-conversation-response.json", Conversation, Action::Use),
    ("qs-send-text-response.json", Send, Action::Use),
    ("qs-send-to-closed-conversation-response.json", Send, Action::OpenAnew),
    ("qs-send-too-large-response.json", Send, Action::Park),
    ("qs-sentinel-token-response.json", Sentinel, Action::Use),
    ("seed2-domain-response.json", DomainApi, Action::Use),
    ("seed4-send-response.json", Send, Action::Use),
    // The connector's own samples.
    ("already-open-response.json", Conversation, Action::Adopt),
    ("blocked-response.json", Send, Action::Mend),
    ("closed-response.json", Send, Action::OpenAnew),
    ("consumer-response.json", Idp, Action::Use),
    ("consumer-token-response.json", Send, Action::NewConsumerJws),
    ("credentials-response.json", Sentinel, Action::Mend),
    ("domain-response.json", DomainApi, Action::Use),
    ("domain-single-response.json", DomainApi, Action::Use),
    ("expired-url-response.json", Upload, Action::AnotherUrl),
    ("forbidden-response.json", Send, Action::Park),
    ("idp-expired-response.json", Idp, Action::NewAppJwt),
    ("idp-failed-response.json", Idp, Action::Later),
    ("missing-parameter-response.json", Conversation, Action::Park),
    ("open-numbers-response.json", Conversation, Action::Use),
    ("open-response.json", Conversation, Action::Use),
    ("refused-in-success-response.json", Conversation, Action::NewAppJwt),
    ("send-response.json", Send, Action::Use),
    ("token-response.json", Sentinel, Action::Use),
    ("too-many-response.json", Send, Action::Later),
    ("unavailable-response.json", Conversation, Action::Later),
    ("unknown-account-response.json", DomainApi, Action::Mend),
    ("upload-url-response.json", FileUrl, Action::Use),
];

/// Returns the content of a token's payload.
#[derive(Debug, Clone, Copy)]
enum Claims {
    AppJwt,
    ConsumerJws,
}

const CLAIMS: &[(&str, Claims)] = &[
    ("dc-auth-appjwt-claims.json", Claims::AppJwt),
    ("dc-auth-consumerjws-claims.json", Claims::ConsumerJws),
    ("appjwt-claims.json", Claims::AppJwt),
    ("consumerjws-claims.json", Claims::ConsumerJws),
];

pub(super) fn files() -> Vec<&'static str> {
    RESPONSES.iter().map(|(file, ..)| *file).chain(CLAIMS.iter().map(|(file, _)| *file)).collect()
}

fn action(error: &LiveEngageError) -> Action {
    match error {
        LiveEngageError::AppJwtRefused { .. } => Action::NewAppJwt,
        LiveEngageError::ConsumerJwsRefused { .. } => Action::NewConsumerJws,
        LiveEngageError::ConversationClosed { .. } => Action::OpenAnew,
        LiveEngageError::AlreadyOpen { .. } => Action::Adopt,
        LiveEngageError::UrlExpired { .. } => Action::AnotherUrl,
        LiveEngageError::CredentialsRefused { .. }
        | LiveEngageError::UnknownAccount { .. }
        | LiveEngageError::Blocked { .. }
        | LiveEngageError::NoService { .. } => Action::Mend,
        error => match error.disposition() {
            Disposition::Park => Action::Park,
            Disposition::Retry { .. } | Disposition::Defer { .. } => Action::Later,
        },
    }
}

fn reply(sample: &Sample) -> HttpReply {
    let status = sample.http.as_deref().and_then(|http| http.split([' ', '/']).next()?.parse().ok()).unwrap_or(200);
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: sample.json.to_string().into() }
}

fn same(found: &Value, wanted: Option<&Value>) -> Result<(), String> {
    let wanted = wanted.unwrap_or(&Value::Null);
    if found == wanted { Ok(()) } else { Err(format!("{found} was read where {wanted} stands")) }
}

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    let (_, call, wanted) = RESPONSES.iter().find(|(file, ..)| *file == sample.file).ok_or_else(unknown)?;
    let reply = reply(sample);
    let json = &sample.json;
    let swift: Url = "https://va.swift.liveperson.net".parse().unwrap();
    let used = match call {
        DomainApi => domain_api::answer(&reply).map(|directory| services(json, &directory)),
        Sentinel => {
            // A refusal has no such value.
            let claims = json["access_token"].as_str().map(payload).unwrap_or_default();
            sentinel::answer(&reply, issued_at(&claims))
                .map(|token| same(&json!(token.expires_at.as_second()), claims.get("exp")))
        }
        Idp => idp::answer(&reply, &ExtConsumerId::new("e1").unwrap()).map(|identity| {
            let claims = payload(json["token"].as_str().unwrap());
            same(&json!(identity.token.expose()), json.get("token"))?;
            same(&json!(identity.lp_consumer_id.as_str()), claims.get("lp_consumer_id"))
        }),
        Conversation => messaging::open_answer(&reply)
            .map(|conversation| same(&json!(conversation.as_str()), json.pointer("/1/body/conversationId"))),
        Send => messaging::send_answer(&reply)
            .map(|sequence| same(&json!(sequence.map(|sequence| sequence.0)), json.pointer("/body/sequence"))),
        FileUrl => files::temporary_url_answer(&reply, &swift).map(|url| {
            let body = &json["body"];
            same(&json!(url.relative_path.as_str()), body.get("relativePath"))?;
            let query: serde_json::Map<_, _> =
                url.url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect();
            same(&Value::Object(query), body.get("queryParams"))?;
            same(&json!(url.url.path()), body.get("relativePath"))
        }),
        Upload => files::uploaded(&reply).map(Ok),
    };
    match (used, wanted) {
        (Ok(found), Action::Use) => found,
        (Ok(_), wanted) => Err(format!("was used, and {wanted:?} is right")),
        (Err(error), wanted) if action(&error) == *wanted => Ok(()),
        (Err(error), wanted) => Err(format!("{error}: {:?} follows, and {wanted:?} is right", action(&error))),
    }
}

/// Checks that the connector finds every service that it needs if the service is listed, and that the error names a missing one.
fn services(json: &Value, directory: &domain_api::Directory) -> Result<(), String> {
    let listed: BTreeSet<_> = match json.get("baseURIs").and_then(Value::as_array) {
        Some(list) => list.iter().map(|entry| (entry["service"].as_str(), entry["baseURI"].as_str())).collect(),
        None => BTreeSet::from([(json["service"].as_str(), json["baseURI"].as_str())]),
    };
    for service in [Service::Messaging, Service::Sentinel, Service::Idp, Service::Files] {
        let host = listed.iter().find(|(name, _)| *name == Some(service.name())).and_then(|(_, host)| *host);
        match directory.url(service) {
            Ok(url) => same(&json!(url.host_str()), Some(&json!(host)))?,
            Err(error) if host.is_none() && action(&error) == Action::Mend => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn payload(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Returns when a token was issued, which is also its arrival, because our own clock counts its lifetime from then on. If the token doesn't
/// say, returns an hour before its end.
fn issued_at(claims: &Value) -> Timestamp {
    let second = |name: &str| claims.get(name).and_then(Value::as_i64);
    let at = second("iat").or_else(|| second("exp").map(|end| end - 3600));
    at.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn check_claims(sample: &Sample) -> Result<(), String> {
    let (_, claims) = CLAIMS.iter().find(|(file, _)| *file == sample.file).ok_or_else(unknown)?;
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let token = format!("{}.{}.c2ln", part(&json!({"typ": "JWT", "alg": "RS256"})), part(&sample.json));
    let reply = |status, body: Value| HttpReply { status, retry_after: None, body: body.to_string().into() };
    match claims {
        Claims::AppJwt => {
            let body = json!({"access_token": token, "token_type": "Bearer"});
            let token = sentinel::answer(&reply(StatusCode::OK, body), issued_at(&sample.json))
                .map_err(|error| error.to_string())?;
            same(&json!(token.expires_at.as_second()), sample.json.get("exp"))
        }
        Claims::ConsumerJws => {
            let consumer = ExtConsumerId::new("e1").unwrap();
            let identity = idp::answer(&reply(StatusCode::CREATED, json!({"token": token})), &consumer)
                .map_err(|error| error.to_string())?;
            same(&json!(identity.lp_consumer_id.as_str()), sample.json.get("lp_consumer_id"))
        }
    }
}

/// The codes of a table of authentication errors, and the reaction to each.
pub(super) fn check_error_table(table: &Value) -> Result<(), String> {
    for row in table.as_array().ok_or("no table")? {
        let code = row["errorCode"].as_u64().unwrap_or_default();
        let wanted = match code {
            40_001 => Action::Park,
            40_102 | 40_105 => Action::NewAppJwt,
            40_103 | 40_104 => Action::NewConsumerJws,
            code => return Err(format!("nobody knows the code {code}")),
        };
        let status = if code == 40_001 { 400 } else { 401 };
        let body = json!({"kind": "resp", "code": status, "type": ".ReqBody$ErrorResp", "body": row});
        let reply = HttpReply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.to_string().into(),
        };
        for error in [messaging::send_answer(&reply).map(drop), messaging::open_answer(&reply).map(drop)] {
            let found = error.map_or_else(|error| action(&error), |()| Action::Use);
            if found != wanted {
                return Err(format!("{found:?} follows from {code}, and {wanted:?} is right"));
            }
        }
    }
    Ok(())
}
