//! The app install: the manifest, and LiveEngage's behavior when an endpoint fails.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that the tests share may fail as loudly as a test"
)]

use std::{collections::BTreeMap, time::Duration};

use connector::{
    app::settings::LineSettings,
    domain::id::LineId,
    port::{Http as _, Secrets as _},
};
use connector_aws::{
    SecretsManager,
    outgoing_http::{self, ReqwestHttp},
};
use connector_channels::Registration;
use connector_lab::{
    ACCOUNT, LabOptions, WHATSAPP_LINE, headless,
    liveengage::{Forms, InstallState, WebhookEvent, WebhookSettings},
};
use connector_liveengage::manifest::{Indications, manifest};
use serde_json::Value;
use url::Url;

use crate::doors::listener;
use crate::silence::WatchedLab;
use crate::steps::{PHONE, desk, lab, opened, opened_on_whatsapp, received, settled, soon};

/// The webhooks as an administrator enters them from the manifest. Only the scheme differs, because the lab has no certificate.
fn from_manifest(webhook: &str) -> WebhookSettings {
    let https: Url = webhook.replace("http://", "https://").parse().unwrap();
    let manifest = manifest(&https, "SMS connector", "", Indications::ALL).unwrap();
    let webhooks = &manifest["capabilities"]["webhooks"];
    let key = |event: WebhookEvent| match event {
        WebhookEvent::Content => "ms.MessagingEventNotification.ContentEvent",
        WebhookEvent::RichContent => "ms.MessagingEventNotification.RichContentEvent",
        WebhookEvent::AcceptStatus => "ms.MessagingEventNotification.AcceptStatusEvent",
        WebhookEvent::ChatState => "ms.MessagingEventNotification.ChatStateEvent",
        WebhookEvent::ExConversation => "cqm.ExConversationChangeNotification",
    };
    let endpoint = |event: &WebhookEvent| -> Url {
        webhooks[key(*event)]["endpoint"].as_str().unwrap().replace("https://", "http://").parse().unwrap()
    };
    let once = |event: &WebhookEvent| webhooks[key(*event)].get("max_retries").and_then(Value::as_u64) == Some(0);
    WebhookSettings {
        endpoints: WebhookEvent::ALL.iter().map(|event| (*event, endpoint(event))).collect(),
        max_retries: WebhookEvent::ALL.into_iter().filter(once).map(|event| (event, 0)).collect(),
        retention: webhooks["retry"]["retention_time"].as_u64().map(Duration::from_secs),
        ..WebhookSettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_by_the_manifest_carries_a_conversation() {
    let lab = lab().await;
    let settings = from_manifest(&format!("{}/webhooks/liveengage", lab.api_url()));
    assert_eq!(settings.max_retries, BTreeMap::from([(WebhookEvent::ChatState, 0)]));
    assert_eq!(settings.retention, Some(Duration::from_secs(259_200)));
    lab.liveengage().set_webhooks(ACCOUNT, settings);
    let report = headless::run(&lab).await;
    assert!(report.problems.is_empty(), "{:?}\n{}", report.problems, report.transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_liveengage_held_back_while_an_endpoint_failed_arrives_in_order_and_once() {
    let lab = lab().await;
    let first = opened(&lab, PHONE).await;
    settled(&lab).await;
    let webhook: Url = format!("{}/webhooks/liveengage", lab.api_url()).parse().unwrap();
    let mut broken = WebhookSettings { first_retry_after: Duration::from_millis(200), ..WebhookSettings::to(&webhook) };
    broken.endpoints.insert(WebhookEvent::RichContent, "http://127.0.0.1:9/nobody".parse().unwrap());
    lab.liveengage().set_webhooks(ACCOUNT, broken.clone());
    let card = serde_json::json!({"type": "text", "text": "the card"});
    lab.liveengage().say(&first, "before").unwrap();
    received(&lab, PHONE, 1).await;
    lab.liveengage().say_rich(&first, card, None).unwrap();
    soon("the install has failed", async {
        while lab.liveengage().webhook_state(ACCOUNT) != Some(InstallState::Failed) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Healthy endpoints receive nothing, either.
    lab.liveengage().say(&first, "behind").unwrap();
    broken.endpoints.insert(WebhookEvent::RichContent, webhook);
    lab.liveengage().set_webhooks(ACCOUNT, broken);
    assert_eq!(received(&lab, PHONE, 3).await, ["before", "the card", "behind"]);
    settled(&lab).await;
    assert_eq!(received(&lab, PHONE, 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_well_in_the_oldest_forms_of_the_documentation() {
    for webhooks_before_response in [false, true] {
        let options = LabOptions { forms: Forms::oldest(), webhooks_before_response, ..LabOptions::default() };
        let lab = WatchedLab::start(options).await;
        let report = headless::run(&lab).await;
        assert!(report.problems.is_empty(), "{:?}\n{}", report.problems, report.transcript);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_and_values_of_tomorrow_change_nothing() {
    let forms = Forms { unknown_fields: true, unknown_values: true, ..Forms::newest() };
    let lab = WatchedLab::start(LabOptions { forms, ..LabOptions::default() }).await;
    let report = headless::run(&lab).await;
    assert!(report.problems.is_empty(), "{:?}\n{}", report.problems, report.transcript);
    desk(&lab, "two conversations", |all| all.len() == 2).await;
}

/// What `connector channel register` does with the line's secret.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_a_line_bring_its_webhooks_back_from_another_address() {
    let lab = lab().await;
    let elsewhere = listener().await;
    lab.whatsapp().subscribe_webhook(elsewhere.uri().parse().unwrap()).await.unwrap();
    let secrets = SecretsManager::new(aws_sdk_secretsmanager::Client::new(lab.aws().sdk_config()));
    let secret = secrets.current(&format!("connector/line/{WHATSAPP_LINE}")).await.unwrap().value;
    let line = LineSettings::read(&LineId::new(WHATSAPP_LINE).unwrap(), &secret).unwrap().line;
    let webhook = format!("{}/channels/{WHATSAPP_LINE}", lab.api_url()).parse().unwrap();
    let Registration::Calls(calls) = line.registration(&webhook) else { panic!("Meta has calls for it") };
    let http = ReqwestHttp::new(outgoing_http::client().unwrap());
    for call in calls {
        line.registered(&http.call(call).await.unwrap()).unwrap();
    }
    opened_on_whatsapp(&lab, PHONE).await;
    let posted = elsewhere.received_requests().await.unwrap();
    assert!(posted.iter().all(|request| request.method == "GET"), "only the handshake went there");
}
