//! What LiveEngage's webhooks lost is found in its history.

#![expect(clippy::unwrap_used, reason = "a step that the tests share may fail as loudly as a test")]

use connector::port::Clock as _;
use connector_aws::SystemClock;
use connector_lab::{
    ACCOUNT, Lab,
    liveengage::{WebhookEvent, WebhookSettings},
};
use jiff::SignedDuration;
use serde_json::json;
use url::Url;

use crate::steps::{PHONE, age_last_text, consumer_texts, desk, lab, opened, received, settled};

/// Webhooks without retention or retries, to the connector or to nobody.
fn without_retries(endpoint: &str) -> WebhookSettings {
    let endpoint: Url = endpoint.parse().unwrap();
    let endpoints = WebhookEvent::ALL.iter().map(|event| (*event, endpoint.clone())).collect();
    WebhookSettings { endpoints, retention: None, ..WebhookSettings::default() }
}

/// From now on LiveEngage drops every webhook.
fn lose_webhooks(lab: &Lab) {
    lab.liveengage().set_webhooks(ACCOUNT, without_retries("http://127.0.0.1:9/nobody"));
}

/// From now on webhooks arrive again.
fn find_webhooks(lab: &Lab) {
    let webhook = format!("{}/webhooks/liveengage", lab.api_url());
    lab.liveengage().set_webhooks(ACCOUNT, without_retries(&webhook));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_wrote_while_webhooks_were_lost_arrives_once_and_in_order() {
    let lab = lab().await;
    let id = opened(&lab, PHONE).await;
    settled(&lab).await;
    lose_webhooks(&lab);
    lab.gateway().consumer_sends(PHONE, "where is my parcel?").unwrap();
    desk(&lab, "the text is at the desk", |all| consumer_texts(&all[0]).contains(&"where is my parcel?")).await;
    lab.liveengage().say(&id, "I look it up").unwrap();
    let card = json!({"type": "text", "text": "It is in Cologne"});
    lab.liveengage().say_rich(&id, card, None).unwrap();
    lab.liveengage().say(&id, "Tomorrow it is with you").unwrap();
    settled(&lab).await;
    assert_eq!(received(&lab, PHONE, 0).await, [""; 0]);

    // The scheduled look finds that the echo of the text is missing.
    lab.reconcile(json!({"scope": "suspicious"})).await.unwrap();
    settled(&lab).await;
    assert_eq!(received(&lab, PHONE, 0).await, [""; 0], "the echo may still come");
    age_last_text(&lab, PHONE).await;
    lab.reconcile(json!({"scope": "suspicious"})).await.unwrap();
    let all = ["I look it up", "It is in Cologne", "Tomorrow it is with you"];
    assert_eq!(received(&lab, PHONE, 3).await, all);

    find_webhooks(&lab);
    lab.liveengage().say(&id, "Anything else?").unwrap();
    received(&lab, PHONE, 4).await;
    lab.reconcile(json!({"scope": "recent"})).await.unwrap();
    settled(&lab).await;
    let shown = received(&lab, PHONE, 4).await;
    assert_eq!(shown.get(..3), Some(all.map(str::to_owned).as_slice()));
    assert_eq!(shown.get(3..), Some(["Anything else?".to_owned()].as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn last_words_of_which_the_webhook_was_lost_arrive_after_the_close() {
    let lab = lab().await;
    let id = opened(&lab, PHONE).await;
    settled(&lab).await;
    lose_webhooks(&lab);
    lab.liveengage().say(&id, "Good bye").unwrap();
    settled(&lab).await;
    find_webhooks(&lab);
    lab.liveengage().close(&id).unwrap();
    settled(&lab).await;
    let since = SystemClock.now() - SignedDuration::from_hours(1);
    lab.reconcile(json!({"since": since.to_string()})).await.unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["Good bye"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_none_of_the_forms_is_refused() {
    let lab = lab().await;
    let error = lab.reconcile(json!({"scope": "all"})).await.unwrap_err();
    assert_eq!(error.name(), "UnknownReconcileEvent");
}
