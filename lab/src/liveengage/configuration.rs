//! The account's configuration: the records of its app installs.
//!
//! LivePerson doesn't document this API for the public: the forms are those of its demo connector. Registering an app here doesn't give it
//! tokens or webhooks: those belong to the app install of [`super::AccountOptions`], which is the first record. A change of that record takes
//! effect at once: its endpoints, headers and retries, its `engagement`, and whether it is enabled. LivePerson needs up to two minutes.

use http::header::{HeaderName, IF_MATCH};
use http::{HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::backend::{Backend, now_s};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;
use super::login::session_of;
use super::options::AccountOptions;
use super::webhooks::WebhookSettings;

const REVISION: HeaderName = HeaderName::from_static("ac-revision");

/// The longest name of an app.
const LONGEST_NAME: usize = 128;

/// The records of an account, and the revision of all of them.
#[derive(Debug)]
pub(super) struct Installations {
    revision: u64,
    records: Vec<Map<String, Value>>,
}

impl Installations {
    /// The record of the account's own app install.
    pub(super) fn of(account: &AccountOptions) -> Self {
        let manifest = json!({
            "client_name": "Connector", "grant_types": ["client_credentials"], "scope": "msg.consumer",
            "capabilities": { "webhooks": {}, "engagement": { "consumer_identity": ["auth"] }, "broadcast": { "enabled": false } },
        });
        let mut record = manifest.as_object().cloned().unwrap_or_default();
        record.extend(issued(&account.client_id, account.client_secret.expose_secret()));
        show_in_force(&mut record, &account.webhooks);
        Self { revision: 1, records: vec![record] }
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.records.iter().position(|record| record.get("id").is_some_and(|own| own == id) && !is_deleted(record))
    }

    fn has_name(&self, name: &Value, except: Option<usize>) -> bool {
        let others = self.records.iter().enumerate().filter(|(place, _)| Some(*place) != except);
        others.into_iter().any(|(_, record)| !is_deleted(record) && record.get("client_name") == Some(name))
    }
}

/// Whether an app install may send engagements to a program: it is in its manifest (`capabilities.engagement`).
pub(super) fn has_engagement(installs: &Installations) -> bool {
    let own = installs.records.first().and_then(|record| record.get("capabilities")?.get("engagement"));
    own.is_some_and(|engagement| !engagement.is_null())
}

/// The account's own record shows the webhooks that are in force, however they were set. If they were not set by a change of the record,
/// that raises the revision: a change that is based on the record before is refused.
fn shown(backend: &Backend, account_id: &str, installs: &mut Installations) {
    let (settings, own) = (backend.webhooks.settings(account_id), installs.records.first_mut());
    if let (Some(settings), Some(own)) = (settings, own)
        && show_in_force(own, &settings)
    {
        installs.revision += 1;
    }
}

/// Writes webhooks into a record that sets other ones. Returns whether the record has changed.
fn show_in_force(record: &mut Map<String, Value>, settings: &WebhookSettings) -> bool {
    let Some(capabilities) = record.get_mut("capabilities").and_then(Value::as_object_mut) else { return false };
    let webhooks = capabilities.entry("webhooks").or_insert_with(|| json!({}));
    // What has the same meaning stays as it was written, for example an address without its last slash.
    if settings.is_manifest(webhooks) {
        return false;
    }
    let before = webhooks.clone();
    if let Some(webhooks) = webhooks.as_object_mut() {
        settings.write_manifest(webhooks);
    }
    *webhooks != before
}

/// Puts the account's own record into force.
fn apply(backend: &Backend, account_id: &str, record: &Map<String, Value>, manifest: WebhookSettings) {
    backend.webhooks.set_manifest(account_id, manifest);
    let enabled = record.get("enabled").is_none_or(|enabled| enabled != false) && !is_deleted(record);
    backend.webhooks.set_enabled(account_id, enabled);
}

fn webhooks_of(record: &Map<String, Value>) -> Option<&Value> {
    record.get("capabilities")?.get("webhooks").filter(|webhooks| !webhooks.is_null())
}

fn is_deleted(record: &Map<String, Value>) -> bool {
    record.get("deleted").is_some_and(|deleted| deleted == true)
}

/// What LivePerson adds to a manifest.
fn issued(client_id: &str, client_secret: &str) -> Map<String, Value> {
    let issued = json!({
        "client_id": client_id,
        "client_secret": client_secret,
        "client_id_issued_at": now_s(),
        "client_secret_expires_at": 0,
        "id": Uuid::new_v4().to_string(),
        "enabled": true,
        "deleted": false,
    });
    issued.as_object().cloned().unwrap_or_default()
}

/// `GET .../configuration/app-install/installations`. The journal shows no record: all have secrets.
pub(super) const LIST: Endpoint = endpoint(|_| "App installs".to_owned(), list);
/// `POST .../configuration/app-install/installations`
pub(super) const CREATE: Endpoint = endpoint(|_| "App install create".to_owned(), create);
/// `GET .../configuration/app-install/installations/{installation}`
pub(super) const READ: Endpoint = endpoint(|_| "App install".to_owned(), read);
/// `PUT .../configuration/app-install/installations/{installation}`
pub(super) const UPDATE: Endpoint = endpoint(|_| "App install update".to_owned(), update);
/// `DELETE .../configuration/app-install/installations/{installation}`
pub(super) const DELETE: Endpoint = endpoint(|_| "App install delete".to_owned(), delete);

const fn endpoint(label: fn(&ServiceCall) -> String, answer: fn(&Backend, &ServiceCall) -> ServiceAnswer) -> Endpoint {
    Endpoint { service: Service::Configuration, label, shown: |_, _| None, answer }
}

fn list(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    as_administrator(backend, call, |installs| Ok((StatusCode::OK, json!(installs.records))))
}

fn read(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    as_administrator(backend, call, |installs| {
        let place = installs.position(id(call)).ok_or(StatusCode::NOT_FOUND)?;
        Ok((StatusCode::OK, json!(installs.records.get(place))))
    })
}

fn create(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    as_administrator(backend, call, |installs| {
        let mut record = manifest(call, |name| installs.has_name(name, None))?;
        settings(backend, call, &record)?;
        record.extend(issued(&Uuid::new_v4().to_string(), &Uuid::new_v4().simple().to_string()));
        let answer = json!(record);
        installs.records.push(record);
        installs.revision += 1;
        Ok((StatusCode::CREATED, answer))
    })
}

/// The body replaces the whole record. It must have what LivePerson has issued, unchanged.
fn update(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    as_administrator(backend, call, |installs| {
        let place = installs.position(id(call)).ok_or(StatusCode::NOT_FOUND)?;
        based_on_this(call, installs)?;
        let new = manifest(call, |name| installs.has_name(name, Some(place)))?;
        let webhooks = settings(backend, call, &new)?;
        let record = installs.records.get_mut(place).ok_or(StatusCode::NOT_FOUND)?;
        if ["id", "client_id", "client_secret"].iter().any(|field| record.get(*field) != new.get(*field)) {
            return Err(StatusCode::BAD_REQUEST);
        }
        *record = new;
        if place == 0 {
            apply(backend, call.account_id(), record, webhooks);
        }
        let answer = json!(record);
        installs.revision += 1;
        Ok((StatusCode::OK, answer))
    })
}

fn delete(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    as_administrator(backend, call, |installs| {
        let place = installs.position(id(call)).ok_or(StatusCode::NOT_FOUND)?;
        based_on_this(call, installs)?;
        let record = installs.records.get_mut(place).ok_or(StatusCode::NOT_FOUND)?;
        record.insert("deleted".to_owned(), true.into());
        if place == 0 {
            backend.webhooks.set_enabled(call.account_id(), false);
        }
        let answer = json!(record);
        installs.revision += 1;
        Ok((StatusCode::OK, answer))
    })
}

fn id(call: &ServiceCall) -> &str {
    call.path.get("installation").map_or("", String::as_str)
}

fn based_on_this(call: &ServiceCall, installs: &Installations) -> Result<(), StatusCode> {
    let given = call.header(IF_MATCH).map(|revision| revision.trim_matches('"'));
    if given == Some(&installs.revision.to_string()) { Ok(()) } else { Err(StatusCode::PRECONDITION_FAILED) }
}

/// Reads the body, and checks the fields that every manifest must have.
fn manifest(call: &ServiceCall, is_taken: impl Fn(&Value) -> bool) -> Result<Map<String, Value>, StatusCode> {
    let Some(Value::Object(record)) = call.json() else { return Err(StatusCode::BAD_REQUEST) };
    let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
    let name_fits = (1..=LONGEST_NAME).contains(&text("client_name").chars().count());
    let has_grants = record.get("grant_types").and_then(Value::as_array).is_some_and(|grants| !grants.is_empty());
    let is_free = record.get("client_name").is_some_and(|name| !is_taken(name));
    if name_fits && has_grants && is_free && !text("scope").is_empty() {
        Ok(record)
    } else {
        Err(StatusCode::BAD_REQUEST)
    }
}

/// Reads the webhooks of a record. The journal says what is wrong with them: LivePerson documents no body of an error.
fn settings(backend: &Backend, call: &ServiceCall, record: &Map<String, Value>) -> Result<WebhookSettings, StatusCode> {
    let read = webhooks_of(record).map_or_else(|| Ok(WebhookSettings::none()), WebhookSettings::from_manifest);
    read.map_err(|error| {
        let what = format!("app install of {} refused: {error}", call.account_id());
        backend.journal.record("liveengage", "liveengage", what, None);
        StatusCode::BAD_REQUEST
    })
}

/// Lets an administrator see and change the records. Every answer names the revision.
fn as_administrator(
    backend: &Backend,
    call: &ServiceCall,
    act: impl FnOnce(&mut Installations) -> Result<(StatusCode, Value), StatusCode>,
) -> ServiceAnswer {
    let Some(session) = session_of(backend, call) else { return ServiceAnswer::empty(StatusCode::UNAUTHORIZED) };
    if !session.administrator {
        return ServiceAnswer::empty(StatusCode::FORBIDDEN);
    }
    if !call.has_query("v", "1.0") {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    }
    let mut state = backend.state();
    let Some(installs) = state.installations.get_mut(call.account_id()) else {
        return ServiceAnswer::empty(StatusCode::NOT_FOUND);
    };
    shown(backend, call.account_id(), installs);
    let done = act(installs);
    let mut answer = match done {
        Ok((status, body)) => ServiceAnswer::new(status, body),
        Err(status) => ServiceAnswer::empty(status),
    };
    answer.headers.push((REVISION, HeaderValue::from(installs.revision)));
    answer
}
