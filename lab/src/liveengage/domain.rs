//! The Domain API: where the services of an account live.

use http::StatusCode;
use serde_json::{Value, json};

use super::endpoint::{Answer, Call, Endpoint};
use super::fault::Service;
use super::world::World;

/// The services that the simulator plays, by their names in the Domain API.
const SERVICES: [&str; 4] = ["asyncMessagingEnt", "sentinel", "idp", "swift"];

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

fn all(world: &World, call: &Call) -> Answer {
    refusal(world, call).unwrap_or_else(|| {
        let entries: Vec<Value> = SERVICES.iter().map(|service| entry(world, call, service)).collect();
        Answer::new(StatusCode::OK, json!({ "baseURIs": entries }))
    })
}

fn one(world: &World, call: &Call) -> Answer {
    refusal(world, call).unwrap_or_else(|| {
        let service = service_name(call);
        if SERVICES.contains(&service) {
            Answer::new(StatusCode::OK, entry(world, call, service))
        } else {
            Answer::empty(StatusCode::NOT_FOUND)
        }
    })
}

/// The documented refusals have a status and no documented body.
fn refusal(world: &World, call: &Call) -> Option<Answer> {
    if !call.has_query("version", "1.0") {
        return Some(Answer::empty(StatusCode::BAD_REQUEST));
    }
    (!world.accounts.contains_key(call.account_id())).then(|| Answer::empty(StatusCode::UNAUTHORIZED))
}

/// LivePerson's base URIs are bare hosts, reached by HTTPS. A loopback simulator has no certificate, so it names its scheme.
fn entry(world: &World, call: &Call, service: &str) -> Value {
    json!({ "service": service, "account": call.account_id(), "baseURI": world.base_url })
}

fn service_name(call: &Call) -> &str {
    call.path.get("service").map_or("", String::as_str)
}

fn show_answer(_call: &Call, answer: Option<&Value>) -> Option<Value> {
    answer.cloned()
}
