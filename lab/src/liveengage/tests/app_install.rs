//! Tests of what a change of the app install's record changes: webhooks, tokens and engagements.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::neighbors::{bearer, with_administrator};
use super::{ACCOUNT, CLIENT_ID, Consumer, Receiver, SECRET, app_token, post, request};
use crate::liveengage::EngagementOptions;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::page::Desk;

const CONTENT: &str = "ms.MessagingEventNotification.ContentEvent";
const STATES: &str = "cqm.ExConversationChangeNotification";

/// The record of the account's own app install, as an administrator changes it.
struct Record<'a> {
    simulator: &'a LiveEngageSimulator,
    bearer: String,
}

impl Record<'_> {
    async fn of(simulator: &LiveEngageSimulator) -> Record<'_> {
        Record { simulator, bearer: bearer(simulator).await }
    }

    fn url(&self, id: &str) -> String {
        let base = self.simulator.base_url();
        format!("{base}/api/account/{ACCOUNT}/configuration/app-install/installations{id}?v=1.0")
    }

    async fn read(&self) -> Value {
        let (status, list) = request(Method::GET, &self.url(""), &[("authorization", &self.bearer)], "").await;
        assert_eq!(status, 200);
        list[0].clone()
    }

    /// Changes the record, from the revision of so many changes before. Returns the status.
    async fn change(&self, revision: u64, change: impl FnOnce(&mut Value)) -> u16 {
        let mut record = self.read().await;
        change(&mut record);
        let url = self.url(&format!("/{}", record["id"].as_str().unwrap()));
        let headers = [("authorization", self.bearer.as_str()), ("if-match", &revision.to_string())];
        request(Method::PUT, &url, &headers, record.to_string()).await.0
    }
}

#[tokio::test]
async fn the_manifests_endpoints_headers_and_retries_are_in_force_and_shown() {
    let simulator = with_administrator().await;
    let (record, receiver) = (Record::of(&simulator).await, Receiver::accepting().await);
    let header = json!([{ "header_name": "x-shared", "header_value": "of the manifest" }]);
    let webhooks = json!({
        CONTENT: { "endpoint": receiver.url.as_str(), "max_retries": 2, "headers": header },
        "retry": { "retention_time": 3600 },
        "not.yet.known": { "endpoint": "https://hooks.example" },
    });
    let put = |record: &mut Value| record["capabilities"]["webhooks"] = webhooks.clone();
    assert_eq!(record.change(1, put).await, 200);

    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Hello").await;
    simulator.webhooks_settled().await;
    let [call] = receiver.received().try_into().unwrap();
    assert_eq!((call.texts(), call.header("x-shared")), (vec!["Hello".to_owned()], "of the manifest"));
    assert_eq!(record.read().await["capabilities"]["webhooks"], webhooks, "unknown keys stay");
    let entries = simulator.backend().journal.entries().unwrap();
    assert!(entries.iter().any(|entry| entry.what.ends_with("the keys are unknown: not.yet.known")));

    simulator.set_webhooks(ACCOUNT, receiver.settings());
    assert_eq!(record.change(2, put).await, 412, "the record is another one than after the change");
    let shown = record.read().await;
    assert_eq!(shown["capabilities"]["webhooks"][STATES]["endpoint"], receiver.url.as_str(), "however they were set");
}

#[tokio::test]
async fn webhooks_set_by_the_page_raise_the_revision_and_keep_unknown_fields_of_the_record() {
    let simulator = with_administrator().await;
    let record = Record::of(&simulator).await;
    let own = json!({ CONTENT: { "endpoint": "https://hooks.example", "later": { "x": 1 } } });
    assert_eq!(record.change(1, |record| record["capabilities"]["webhooks"] = own.clone()).await, 200);
    assert_eq!(record.read().await["capabilities"]["webhooks"], own, "it is shown as it was written");

    let misspelled = "ms.MessagingEventNotification.AccpetStatusEvent";
    let change = json!({ "webhooks": { CONTENT: { "endpoint": "https://new.example/" }, misspelled: {} } });
    Desk::set_webhooks(&simulator, serde_json::from_value(change).unwrap()).await.unwrap();
    let entries = simulator.backend().journal.entries().unwrap();
    assert!(entries.iter().any(|entry| entry.what.ends_with(&format!("the keys are unknown: {misspelled}"))));
    let disable = |record: &mut Value| record["enabled"] = json!(false);
    assert_eq!(record.change(2, disable).await, 412, "the record was changed after that");
    let shown = &record.read().await["capabilities"]["webhooks"][CONTENT];
    assert_eq!(*shown, json!({ "endpoint": "https://new.example/", "later": { "x": 1 } }));
    assert_eq!(record.change(3, disable).await, 200);
}

#[tokio::test]
async fn webhooks_that_liveperson_would_refuse_are_refused_and_the_journal_says_why() {
    let simulator = with_administrator().await;
    let record = Record::of(&simulator).await;
    let before = record.read().await;
    for (webhooks, problem) in [
        (json!({ CONTENT: { "endpoint": "http://hooks.example" } }), "endpoint must be an address"),
        (json!({ CONTENT: { "endpoint": "https://hooks.example", "max_retries": 6 } }), "max_retries must be"),
        (json!({ "retry": { "retention_time": 1 } }), "retry.retention_time must be"),
        (json!("all"), "capabilities.webhooks must be an object"),
    ] {
        let put = |record: &mut Value| record["capabilities"]["webhooks"] = webhooks.clone();
        assert_eq!(record.change(1, put).await, 400, "{webhooks}");
        let entries = simulator.backend().journal.entries().unwrap();
        assert!(entries.iter().any(|entry| entry.what.contains("refused: ") && entry.what.contains(problem)));
    }
    assert_eq!(record.read().await, before);
}

#[tokio::test]
async fn a_disabled_or_deleted_install_gets_no_token_and_no_webhook() {
    let simulator = with_administrator().await;
    let (record, receiver) = (Record::of(&simulator).await, Receiver::accepting().await);
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.webhooks_settled().await;
    let so_far = receiver.received().len();

    assert_eq!(record.change(2, |record| record["enabled"] = json!(false)).await, 200);
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await.0, 401);
    simulator.say(&conversation, "to nobody").unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(receiver.received().len(), so_far);

    assert_eq!(record.change(3, |record| record["enabled"] = json!(true)).await, 200);
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await.0, 200);
    simulator.say(&conversation, "to the connector").unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["to the connector"]);

    let url = record.url(&format!("/{}", record.read().await["id"].as_str().unwrap()));
    let headers = [("authorization", record.bearer.as_str()), ("if-match", "4")];
    assert_eq!(request(Method::DELETE, &url, &headers, "").await.0, 200);
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await.0, 401);
}

#[tokio::test]
async fn engagements_need_the_capability_in_the_manifest() {
    let simulator = with_administrator().await;
    let record = Record::of(&simulator).await;
    simulator.set_engagement(ACCOUNT, Some(EngagementOptions { campaign_id: 5501, engagement_id: 5502 }));
    let path = format!("/api/account/{ACCOUNT}/app/{CLIENT_ID}/engagement?v=1.0");
    let body = json!({ "consumerId": "e-1" }).to_string();
    let details = async || {
        let (status, answer) = post(&simulator, &path, &[("content-type", "application/json")], body.clone()).await;
        assert_eq!(status, StatusCode::CREATED.as_u16());
        answer["engagementDetails"][0]["campaignId"].clone()
    };
    assert_eq!(details().await, 5501);
    let without = |record: &mut Value| drop(record["capabilities"].as_object_mut().unwrap().remove("engagement"));
    assert_eq!(record.change(1, without).await, 200);
    assert_eq!(details().await, Value::Null);
}
