//! The Domain API: the base URIs of an account's services.

use http::StatusCode;
use serde_json::{Value, json};

use super::backend::Backend;
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;

/// The services of an account, by their names in the Domain API. First those that the simulator provides, then those that LivePerson's
/// answers list too: their base URI is the simulator's, which answers 404 to their calls.
const SERVICES: [&str; 23] = [
    "asyncMessagingEnt",
    "sentinel",
    "idp",
    "swift",
    "msgHist",
    "acCdnDomain",
    "accountConfigReadWrite",
    "agentVep",
    "smt",
    "accountConfigReadOnly",
    "mtlsGateway",
    "messagingRestApiDomain",
    "asyncMessaging",
    "visitorFeed",
    "etool",
    "liveEngageUI",
    "leDataReporting",
    "engHistDomain",
    "msgEwtAPI",
    "msdkgw",
    "pusher",
    "rtbf",
    "facadeMsg",
];

/// `GET /api/account/{account}/service/baseURI.json`
pub(super) const ALL: Endpoint =
    Endpoint { service: Service::Domain, label: |_| "Domain list".to_owned(), shown: show_answer, answer: all };

/// `GET /api/account/{account}/service/{service}/baseURI.json`
pub(super) const ONE: Endpoint = Endpoint {
    service: Service::Domain,
    label: |call| format!("Domain {}", service_name(call)),
    shown: show_answer,
    answer: one,
};

fn all(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    refusal(backend, call).unwrap_or_else(|| ServiceAnswer::new(StatusCode::OK, list(call)))
}

/// All services of the account in the path.
pub(super) fn list(call: &ServiceCall) -> Value {
    let entries: Vec<Value> = SERVICES.iter().map(|service| entry(call, service)).collect();
    json!({ "baseURIs": entries })
}

fn one(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    refusal(backend, call).unwrap_or_else(|| {
        let service = service_name(call);
        if SERVICES.contains(&service) {
            ServiceAnswer::new(StatusCode::OK, entry(call, service))
        } else {
            ServiceAnswer::empty(StatusCode::NOT_FOUND)
        }
    })
}

/// The documented error answers have a status and no documented body.
fn refusal(backend: &Backend, call: &ServiceCall) -> Option<ServiceAnswer> {
    if !call.has_query("version", "1.0") {
        return Some(ServiceAnswer::empty(StatusCode::BAD_REQUEST));
    }
    (!backend.accounts.contains_key(call.account_id())).then(|| ServiceAnswer::empty(StatusCode::UNAUTHORIZED))
}

/// All services are on the host that was called.
fn entry(call: &ServiceCall, service: &str) -> Value {
    json!({ "service": service, "account": call.account_id(), "baseURI": call.served_at.base_uri() })
}

fn service_name(call: &ServiceCall) -> &str {
    call.path.get("service").map_or("", String::as_str)
}

fn show_answer(_call: &ServiceCall, answer: Option<&Value>) -> Option<Value> {
    answer.cloned()
}
