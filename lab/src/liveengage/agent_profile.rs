//! The agents' public profiles: what consumers may see of the account's people and bots.

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::backend::Backend;
use super::conversation::Staff;
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;
use super::messaging::ON_BEHALF;

/// `GET /api/account/{account}/configuration/le-users/users/{agent}`
pub(super) const PROFILE: Endpoint = Endpoint {
    service: Service::AgentProfile,
    label: |_| "Agent profile".to_owned(),
    shown: |_, answer| answer.cloned(),
    answer: profile,
};

fn profile(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    // The profiles are public. A token that is sent there has leaked, and that must be reported.
    if call.headers.contains_key(AUTHORIZATION) || call.headers.contains_key(ON_BEHALF) {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    }
    let account = call.account_id();
    let found =
        call.path.get("agent").filter(|_| backend.accounts.contains_key(account)).and_then(|agent| {
            Staff::ALL.into_iter().find(|staff| staff.id(account) == *agent).and_then(public_profile)
        });
    match found {
        Some(profile) => ServiceAnswer::new(StatusCode::OK, profile),
        None => ServiceAnswer::empty(StatusCode::NOT_FOUND),
    }
}

/// Who only reads is not public. Bots have a nickname only.
fn public_profile(staff: Staff) -> Option<Value> {
    let person = |nickname: &str, full_name: &str| {
        let picture = format!("https://pictures.example/{}.png", nickname.to_lowercase());
        json!({
            "pictureUrl": picture, "employeeId": "Dont-Have-One", "nickname": nickname, "fullName": full_name,
        })
    };
    match staff {
        Staff::Agent => Some(person("Robin", "Robin Ek")),
        Staff::Colleague => Some(person("Sascha", "Sascha Lund")),
        Staff::Manager => Some(person("Kim", "Kim Oja")),
        Staff::Controller => Some(json!({ "nickname": "Controller" })),
        Staff::SurveyBot => Some(json!({ "nickname": "Survey" })),
        Staff::Reader => None,
    }
}
