use serde_json::json;

use super::*;
use crate::manifest::{Indications, manifest};
use connector_message::Disposition;

fn host() -> Url {
    "https://va.acr.liveperson.net".parse().unwrap()
}

fn account() -> AccountId {
    AccountId::new("72419083").unwrap()
}

fn bearer() -> SecretString {
    "b34r3r".into()
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn revision(value: &'static str) -> HeaderMap {
    [(REVISION, HeaderValue::from_static(value))].into_iter().collect()
}

/// A record in the form of LivePerson's demo connector.
fn record() -> Value {
    json!({
        "client_name": "SMS connector", "description": "Texts to agents", "enabled": true,
        "grant_types": ["client_credentials"], "response_types": ["code", "token", "id_token"], "scope": "msg.consumer",
        "logo_uri": "/assets/app.png",
        "capabilities": {
            "engagement": {"design_engagement": false, "entry_point": ["section"]},
            "webhooks": {
                "ms.MessagingEventNotification.ContentEvent": {"headers": [], "endpoint": "https://old.example/hooks"},
                "ms.MessagingEventNotification.ChatStateEvent": {"headers": [], "endpoint": "https://old.example/hooks"},
                "retry": {"retention_time": 3600},
            },
            "broadcast": {"enabled": true},
        },
        "client_id_issued_at": 1_790_000_000, "client_secret_expires_at": 0,
        "client_id": "0f6c2a9e-1d3b", "client_secret": "t0psecret", "id": "3f1c-77aa", "deleted": false,
        "introduced_later": {"deep": [1, 2.50, null]},
    })
}

fn read() -> Installation {
    installation_answer(&reply(200, &record()), &revision("17")).unwrap()
}

#[test]
fn every_request_has_its_documented_form() {
    let base = "https://va.acr.liveperson.net/api/account/72419083/configuration/app-install/installations";
    let id = InstallationId::new("3f1c-77aa").unwrap();
    for (call, method, url) in [
        (list_request(&host(), &account(), &bearer()), "GET", format!("{base}?v=1.0")),
        (read_request(&host(), &account(), &bearer(), &id), "GET", format!("{base}/3f1c-77aa?v=1.0")),
        (
            create_request(&host(), &account(), &bearer(), &json!({"client_name": "SMS"})),
            "POST",
            format!("{base}?v=1.0"),
        ),
        (update_request(&host(), &account(), &bearer(), &read()), "PUT", format!("{base}/3f1c-77aa?v=1.0")),
        (delete_request(&host(), &account(), &bearer(), &read()), "DELETE", format!("{base}/3f1c-77aa?v=1.0")),
    ] {
        let call = call.unwrap();
        assert_eq!((call.method.as_str(), call.url.as_str()), (method, url.as_str()));
        assert_eq!(call.headers[AUTHORIZATION], "Bearer b34r3r");
        let changes = matches!(method, "PUT" | "DELETE");
        assert_eq!(call.headers.get(IF_MATCH).map(HeaderValue::as_bytes), changes.then_some(&b"17"[..]));
        assert_eq!(call.headers.contains_key(METHOD_OVERRIDE), method == "PUT");
        assert!(!format!("{call:?}").contains("b34r3r"));
    }
}

#[test]
fn the_record_is_read_and_its_secret_is_not_shown() {
    let installation = read();
    assert_eq!(installation.id().unwrap().as_str(), "3f1c-77aa");
    assert_eq!(installation.client_id().unwrap().as_str(), "0f6c2a9e-1d3b");
    assert_eq!(installation.client_secret().unwrap().expose_secret(), "t0psecret");
    assert_eq!(installation.name(), Some("SMS connector"));
    assert_eq!((installation.is_enabled(), installation.is_deleted()), (true, false));
    assert_eq!(installation.issued_at().unwrap().as_second(), 1_790_000_000);
    assert_eq!(installation.secret_expires_at(), None);
    assert_eq!(installation.revision.as_ref().unwrap().as_bytes(), b"17");
    let shown = format!("{installation:?}");
    assert!(shown.contains("0f6c2a9e-1d3b") && !shown.contains("t0psecret"), "{shown}");
}

#[test]
fn an_update_changes_the_manifest_and_keeps_all_else() {
    let mut installation = read();
    let webhook = "https://new.example/webhooks/liveengage".parse().unwrap();
    let indications = Indications { typing: false, read_marks: true };
    let manifest = manifest(&webhook, "SMS connector", "New words", indications).unwrap();
    installation.set_manifest(&manifest).unwrap();
    let call = update_request(&host(), &account(), &bearer(), &installation).unwrap();
    let sent: Value = serde_json::from_slice(&call.body).unwrap();
    let capabilities = &sent["capabilities"];
    let mut webhooks = manifest["capabilities"]["webhooks"].clone();
    webhooks["ms.MessagingEventNotification.ContentEvent"]["headers"] = json!([]);
    assert_eq!(capabilities["webhooks"], webhooks, "no webhook of the old manifest is left, and headers stay");
    assert_eq!(capabilities["broadcast"], record()["capabilities"]["broadcast"]);
    assert_eq!(sent["description"], "New words");
    for kept in [
        "id",
        "client_id",
        "client_secret",
        "logo_uri",
        "introduced_later",
        "response_types",
        "client_secret_expires_at",
    ] {
        assert_eq!(sent[kept], record()[kept], "{kept}");
    }
    assert_eq!(installation.set_manifest(&json!([])).unwrap_err().disposition(), Disposition::Park);
}

#[test]
fn a_limit_of_retries_is_removed_and_other_settings_of_webhooks_stay() {
    let content = "ms.MessagingEventNotification.ContentEvent";
    let mut installed = record();
    installed["capabilities"]["webhooks"][content]["max_retries"] = json!(0);
    installed["capabilities"]["webhooks"]["introduced_later"] = json!({"signed": true});
    installed["capabilities"]["webhooks"]["retry"]["jitter"] = json!(2);
    installed["capabilities"]["engagement"]["entry_point"] = json!(["url", "section"]);
    let mut installation = installation_answer(&reply(200, &installed), &revision("17")).unwrap();
    let wanted = json!({"capabilities": {
        "webhooks": {content: {"endpoint": "https://new.example/hooks"}, "retry": {"retention_time": 7}},
        "engagement": {"entry_point": ["section", "url"]},
    }});
    installation.set_manifest(&wanted).unwrap();
    let capabilities = &installation.record()["capabilities"];
    assert_eq!(
        capabilities["webhooks"],
        json!({
            content: {"headers": [], "endpoint": "https://new.example/hooks"},
            "retry": {"retention_time": 7, "jitter": 2},
            "introduced_later": {"signed": true},
        })
    );
    assert_eq!(capabilities["engagement"]["entry_point"], json!(["url", "section"]), "the order means nothing");
}

#[test]
fn nothing_is_changed_without_a_revision() {
    let unknown = installation_answer(&reply(200, &record()), &HeaderMap::new()).unwrap();
    assert!(matches!(
        update_request(&host(), &account(), &bearer(), &unknown),
        Err(LiveEngageError::Unsendable { .. })
    ));
    let nameless = installation_answer(&reply(200, &json!({"client_id": "x"})), &revision("17")).unwrap();
    assert!(matches!(
        delete_request(&host(), &account(), &bearer(), &nameless),
        Err(LiveEngageError::Unsendable { .. })
    ));
}

#[test]
fn a_list_has_all_records() {
    let list = |body: Value| list_answer(&reply(200, &body), &revision("18"));
    let read = list(json!([record(), {"id": "2", "deleted": true}])).unwrap();
    assert_eq!(read.iter().map(Installation::is_deleted).collect::<Vec<_>>(), [false, true]);
    assert!(read.iter().all(|one| one.revision == Revision::of(&revision("18"))));
    // A list of one can be a bare element.
    assert_eq!(list(record()).unwrap().len(), 1);
    assert_eq!(list(json!([])), Ok(vec![]));
    assert!(matches!(list(json!(["x"])), Err(LiveEngageError::Unreadable { .. })));
}

#[test]
fn errors_say_what_to_do() {
    let error = |status, body: &Value| installation_answer(&reply(status, body), &HeaderMap::new()).unwrap_err();
    assert_eq!(error(401, &json!({})), LiveEngageError::SessionRefused { call: READ });
    assert_eq!(error(412, &json!({})), LiveEngageError::RevisionConflict { call: READ });
    assert_eq!(error(412, &json!({})).disposition(), Disposition::RETRY);
    assert_eq!(error(404, &json!({})).disposition(), Disposition::Park);
    assert_eq!(error(403, &json!({})).disposition(), Disposition::Park);
    assert_eq!(error(503, &json!({})).disposition(), Disposition::RETRY);
    assert!(matches!(error(200, &json!("no record")), LiveEngageError::Unreadable { .. }));
    let page = HttpReply { status: StatusCode::NOT_FOUND, retry_after: None, body: "<html>".into() };
    assert!(matches!(delete_answer(&page), Err(LiveEngageError::Unavailable { .. })));
    assert_eq!(delete_answer(&reply(204, &Value::Null)), Ok(()));
    assert_eq!(delete_answer(&reply(412, &Value::Null)), Err(LiveEngageError::RevisionConflict { call: DELETE }));
}
