//! Tests of the older forms over HTTP.

use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, Receiver, get, opening, options, post, simulator};
use crate::liveengage::{AnswerCode, Forms, LiveEngageOptions, LiveEngageSimulator, SignatureForm, SingleService};

#[tokio::test]
async fn a_simulator_with_the_oldest_forms_uses_them() {
    let options = LiveEngageOptions { forms: Forms::oldest(), ..options() };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let (status, idp) = get(&simulator, &format!("/api/account/{ACCOUNT}/service/idp/baseURI.json?version=1.0")).await;
    let entry = json!({ "service": "idp", "account": ACCOUNT, "baseURI": simulator.base_url() });
    assert_eq!((status, idp), (200, json!({ "baseURIs": [entry] })));

    let consumer = Consumer::new(&simulator, "phone-7").await;
    let (status, opened) = consumer.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await;
    assert_eq!(status, 200);
    let text = ".ReqBody$StringResponse";
    let profile = json!({
        "kind": "resp", "code": 200, "body": "OK User Profile set successfully", "reqId": "profile", "type": text,
    });
    assert_eq!(opened[0], profile);
    let id = opened[1]["body"]["conversationId"].as_str().unwrap().to_owned();
    assert_eq!((&opened[1]["code"], &opened[1]["kind"]), (&json!(200), &json!("resp")));

    let (status, again) = consumer.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await;
    assert_eq!((status, &again[1]["code"]), (400, &json!(400)));
    assert!(again[1]["body"].as_str().unwrap().contains("already has open conversation"));
    let (_, sent) = consumer.say(&id, "Hello").await;
    assert_eq!((&sent["code"], &sent["body"]), (&json!(200), &json!({ "sequence": 0 })));

    let path = format!("/api/account/{ACCOUNT}/messaging/consumer/conversation/send?v=3");
    let (status, refused) = post(&simulator, &path, &[], "{}").await;
    let body = json!({
        "title": "AppJWT is missing", "details": "AUTHORIZATION header is not present", "errorCode": 40104,
    });
    assert_eq!((status, &refused["body"], &refused["code"]), (401, &body, &json!(401)));
}

#[tokio::test]
async fn answers_can_have_no_code_and_come_with_unknown_fields() {
    let simulator = simulator().await;
    let unknown_fields = true;
    simulator.set_forms(Forms { answer_code: AnswerCode::Absent, unknown_fields, ..Forms::newest() });
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let (status, opened) = consumer.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await;
    assert_eq!(status, 200);
    assert!(opened.as_array().unwrap().iter().all(|answer| answer.get("code").is_none()));
    assert!(opened.as_array().unwrap().iter().all(|answer| answer["introducedLater"].is_object()));
    let (_, refused) = consumer.send(&json!({})).await;
    assert_eq!(refused["code"], "BAD_REQUEST", "a refusal keeps its code");
}

#[tokio::test]
async fn base_uris_can_be_bare_hosts_in_both_forms() {
    let simulator = simulator().await;
    let host = simulator.base_url().trim_start_matches("http://");
    simulator.set_forms(Forms { bare_hosts: true, ..Forms::newest() });
    let entry = |service: &str| json!({ "service": service, "account": ACCOUNT, "baseURI": host });
    let (_, one) = get(&simulator, &format!("/api/account/{ACCOUNT}/service/agentVep/baseURI.json?version=1.0")).await;
    assert_eq!(one, entry("agentVep"));
    let (_, all) = get(&simulator, &format!("/api/account/{ACCOUNT}/service/baseURI.json?version=1.0")).await;
    let all = all["baseURIs"].as_array().unwrap();
    assert!(all.len() > 20 && all.iter().all(|one| one["baseURI"] == host), "{all:?}");
}

#[tokio::test]
async fn the_list_of_all_services_has_one_form_only() {
    let simulator = simulator().await;
    let path = format!("/api/account/{ACCOUNT}/service/baseURI.json?version=1.0");
    let (_, newest) = get(&simulator, &path).await;
    simulator.set_forms(Forms { single_service: SingleService::List, ..Forms::newest() });
    assert_eq!(get(&simulator, &path).await.1, newest);
}

#[tokio::test]
async fn a_notification_is_signed_as_sent_and_repeated_unchanged() {
    let receiver = Receiver::accepting().await;
    let mut options = options();
    options.accounts[0].signature = SignatureForm::Sha1Base64;
    let secret = options.accounts[0].client_secret.clone();
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.set_forms(Forms::oldest());
    simulator.say(&conversation, "Grüße 👋").unwrap();
    simulator.webhooks_settled().await;
    simulator.set_forms(Forms::newest());
    simulator.redeliver(0).unwrap();
    simulator.webhooks_settled().await;

    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].body, received[1].body);
    for call in &received {
        assert_eq!(call.header("x-liveperson-signature"), SignatureForm::Sha1Base64.sign(&secret, &call.body).unwrap());
    }
    let notification = received[0].json();
    assert_eq!(notification.get("type"), None);
    assert_eq!(notification["body"]["type"], ".ams.ms.MessagingEventNotification");
    let change = &notification["body"]["changes"];
    assert_eq!(change["event"]["message"], "Grüße 👋", "one change stands without its array");
    let names: Vec<&str> = change.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = ["dialogId", "event", "metadata", "originatorPid", "sequence", "serverTimestamp"];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(change["metadata"], Value::Null);
}

#[tokio::test]
async fn a_request_may_have_its_type_in_the_body_and_prefixed() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let id = consumer.open().await;
    let event = json!({ "type": "ContentEvent", "contentType": "text/plain", "message": "Hello" });
    let body = json!({ "type": ".ams.ms.PublishEvent", "dialogId": id, "conversationId": id, "event": event });
    let (status, sent) = consumer.send(&json!({ "kind": "req", "id": 5, "body": body })).await;
    assert_eq!((status, sent), (200, json!({ "code": "OK", "body": { "sequence": 0 }, "reqId": "5" })));
}
