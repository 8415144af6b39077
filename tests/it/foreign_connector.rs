//! A connector of somebody else is attached to the lab. It has its own requests, its own webhook server and its own check of signatures: it
//! uses nothing of this project.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use connector_lab::{
    ACCOUNT, Installation, LabOptions,
    liveengage::{SignatureForm, WebhookSettings},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;
use tokio::sync::watch;

use crate::{silence::WatchedLab, steps::soon};

const CLIENT_ID: &str = "9b1d6f52-6a0e-4c0e-8f8e-3f6a51c0d7aa";
const SECRET: &str = "foreign-secret-4c1b77";
const FORM: &str = "application/x-www-form-urlencoded";

/// A received webhook.
#[derive(Clone)]
struct Hook {
    headers: HeaderMap,
    body: Bytes,
    answered: StatusCode,
}

impl Hook {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text of the message, in the newest form.
    fn text(&self) -> Option<String> {
        Some(self.json().pointer("/body/changes/0/event/message")?.as_str()?.to_owned())
    }
}

/// The foreign connector's webhook server. It answers with these statuses first, and then with 200.
#[derive(Clone)]
struct Hooks {
    url: String,
    received: Arc<Mutex<Vec<Hook>>>,
    statuses: Arc<Mutex<Vec<StatusCode>>>,
    count: watch::Sender<usize>,
}

impl Hooks {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let hooks = Self { url, received: Arc::default(), statuses: Arc::default(), count: watch::Sender::new(0) };
        let server = Router::new().route("/events", post(take)).with_state(hooks.clone());
        tokio::spawn(async move { axum::serve(listener, server).await.unwrap() });
        hooks
    }

    fn fail_next(&self, status: u16) {
        self.statuses.lock().unwrap().push(StatusCode::from_u16(status).unwrap());
    }

    fn received(&self) -> Vec<Hook> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until the webhooks include one.
    async fn with(&self, what: &str, wanted: impl Fn(&Hook) -> bool) -> Hook {
        let mut count = self.count.subscribe();
        soon(what, async {
            loop {
                if let Some(hook) = self.received().into_iter().find(&wanted) {
                    return hook;
                }
                count.changed().await.unwrap();
            }
        })
        .await
    }

    async fn text(&self, text: &str) -> Hook {
        self.with(text, |hook| hook.text().as_deref() == Some(text) && hook.answered == StatusCode::OK).await
    }

    /// `capabilities.webhooks` with all events.
    fn webhooks(&self) -> Value {
        let hook = |max_retries: u8| json!({"endpoint": self.url, "max_retries": max_retries, "headers": []});
        json!({
            "ms.MessagingEventNotification.ContentEvent": hook(3),
            "ms.MessagingEventNotification.RichContentEvent": hook(3),
            "ms.MessagingEventNotification.AcceptStatusEvent": hook(3),
            "ms.MessagingEventNotification.ChatStateEvent": hook(0),
            "cqm.ExConversationChangeNotification": hook(3),
            "retry": {"retention_time": 3600},
        })
    }
}

async fn take(State(hooks): State<Hooks>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let answered = {
        let mut statuses = hooks.statuses.lock().unwrap();
        if statuses.is_empty() { StatusCode::OK } else { statuses.remove(0) }
    };
    hooks.received.lock().unwrap().push(Hook { headers, body, answered });
    hooks.count.send_modify(|count| *count += 1);
    answered
}

fn sha1(body: &[u8]) -> Vec<u8> {
    Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body).finalize().into_bytes().to_vec()
}

fn sha256(body: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body).finalize().into_bytes().to_vec()
}

/// A lab with the foreign connector's credentials and webhooks.
async fn lab(hooks: &Hooks) -> WatchedLab {
    let account = json!({"account_id": ACCOUNT, "client_id": CLIENT_ID, "client_secret": SECRET});
    let secrets = json!({format!("connector/account/{ACCOUNT}"): account});
    WatchedLab::start(LabOptions {
        installation: Some(Installation::read(&secrets.to_string()).unwrap()),
        liveengage_webhooks: Some(WebhookSettings::from_manifest(&hooks.webhooks()).unwrap()),
        webhook_signature: SignatureForm::Sha256Base64,
        ..LabOptions::default()
    })
    .await
}

/// The foreign connector's side of the Connector API.
struct Foreign {
    http: reqwest::Client,
    messaging: String,
    app_jwt: String,
    consumer_jws: String,
}

impl Foreign {
    /// Looks up the hosts, and gets both tokens.
    async fn of(lab: &WatchedLab) -> Self {
        let http = connector_aws::outgoing_http::client().unwrap();
        let list = format!("{}/api/account/{ACCOUNT}/service/baseURI.json?version=1.0", lab.liveengage().base_url());
        let (_, list) = sent(http.get(list)).await;
        let host = |service: &str| {
            let entry = list["baseURIs"].as_array().unwrap().iter().find(|entry| entry["service"] == service);
            entry.unwrap()["baseURI"].as_str().unwrap().to_owned()
        };
        let url = format!("{}/sentinel/api/account/{ACCOUNT}/app/token?v=1.0", host("sentinel"));
        let form = format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={SECRET}");
        let (status, token) = sent(http.post(url).header("content-type", FORM).body(form)).await;
        assert_eq!(status, 200, "{token}");
        let app_jwt = token["access_token"].as_str().unwrap().to_owned();
        let url = format!("{}/api/account/{ACCOUNT}/consumer?v=1.0", host("idp"));
        let body = json!({"ext_consumer_id": "f3b0c1-a-user-of-the-foreign-channel"});
        let (status, consumer) = sent(http.post(url).header("authorization", &app_jwt).body(body.to_string())).await;
        assert_eq!(status, 201, "{consumer}");
        let consumer_jws = consumer["token"].as_str().unwrap().to_owned();
        Self { http, messaging: host("asyncMessagingEnt"), app_jwt, consumer_jws }
    }

    async fn call(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/account/{ACCOUNT}/messaging/consumer/{path}?v=3", self.messaging);
        let call = self.http.post(url).header("authorization", &self.app_jwt);
        let call = call.header("x-lp-on-behalf", &self.consumer_jws).header("content-type", "application/json");
        sent(call.body(body.to_string())).await
    }

    async fn open(&self) -> String {
        let request = json!([
            {"kind": "req", "id": "1,", "type": "userprofile.SetUserProfile", "body": {}},
            {"kind": "req", "id": "2,", "type": "cm.ConsumerRequestConversation", "body": {"brandId": ACCOUNT}},
        ]);
        let (status, answers) = self.call("conversation", &request).await;
        assert_eq!(status, 200, "{answers}");
        answers[1]["body"]["conversationId"].as_str().unwrap().to_owned()
    }

    async fn say(&self, dialog: &str, text: &str) {
        let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
        let body = json!({"dialogId": dialog, "event": event});
        let request = json!({"kind": "req", "id": "1", "type": "ms.PublishEvent", "body": body});
        let (status, answer) = self.call("conversation/send", &request).await;
        assert_eq!(status, 200, "{answer}");
    }
}

async fn sent(call: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = call.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

/// Changes the webhooks by the lab's own API.
async fn set_webhooks(lab: &WatchedLab, change: &Value) -> (u16, Value) {
    let http = connector_aws::outgoing_http::client().unwrap();
    let call = http.put(format!("{}api/webhooks", lab.page_url())).header("content-type", "application/json");
    sent(call.body(change.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_connector_talks_to_an_agent_and_verifies_every_webhook() {
    let hooks = Hooks::start().await;
    let lab = lab(&hooks).await;
    let foreign = Foreign::of(&lab).await;
    let conversation = foreign.open().await;
    foreign.say(&conversation, "Grüße 👋 from abroad").await;
    hooks.text("Grüße 👋 from abroad").await;
    lab.liveengage().say(&conversation, "Welcome").unwrap();
    let answer = hooks.text("Welcome").await;
    assert_eq!(answer.json()["body"]["changes"][0]["originatorMetadata"]["role"], "ASSIGNED_AGENT");
    hooks.with("the agent has joined", |hook| String::from_utf8_lossy(&hook.body).contains("ASSIGNED_AGENT")).await;

    for hook in hooks.received() {
        assert_eq!(hook.header("x-liveperson-signature"), format!("sha256={}", STANDARD.encode(sha256(&hook.body))));
        assert_eq!(hook.header("x-liveperson-account-id"), ACCOUNT);
        assert_eq!(hook.header("x-liveperson-client-id"), CLIENT_ID);
    }
    assert!(lab.aws().queue(connector_lab::aws::TO_CHANNEL).unwrap().counts().total() == 0, "none reaches our own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_answered_with_500_comes_again_in_order_while_the_manifest_has_a_retention_time() {
    let hooks = Hooks::start().await;
    let lab = lab(&hooks).await;
    let foreign = Foreign::of(&lab).await;
    let conversation = foreign.open().await;
    lab.liveengage().webhooks_settled().await;
    hooks.fail_next(500);
    foreign.say(&conversation, "first").await;
    foreign.say(&conversation, "second").await;
    let first = hooks.text("first").await;
    hooks.text("second").await;
    let texts: Vec<(String, u16)> =
        hooks.received().iter().filter_map(|hook| Some((hook.text()?, hook.answered.as_u16()))).collect();
    assert_eq!(texts, [("first".to_owned(), 500), ("first".to_owned(), 200), ("second".to_owned(), 200)]);
    let attempts = hooks.received().into_iter().filter(|hook| hook.body == first.body).count();
    assert_eq!(attempts, 2, "the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_signature_and_forms_are_changed_by_a_call_while_the_lab_runs() {
    let hooks = Hooks::start().await;
    let lab = lab(&hooks).await;
    let foreign = Foreign::of(&lab).await;
    let conversation = foreign.open().await;
    lab.liveengage().webhooks_settled().await;
    let content = "ms.MessagingEventNotification.ContentEvent";
    let shared = json!([{"header_name": "x-shared", "header_value": "of the manifest"}]);
    let webhooks = json!({content: {"endpoint": hooks.url, "headers": shared}});
    let change = json!({"webhooks": webhooks, "signature": "sha1-hex"});
    assert_eq!(set_webhooks(&lab, &change).await, (204, Value::Null));
    hooks.fail_next(500);
    foreign.say(&conversation, "lost").await;
    foreign.say(&conversation, "kept").await;
    let kept = hooks.text("kept").await;
    lab.liveengage().webhooks_settled().await;
    let hex: String = sha1(&kept.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(kept.header("x-liveperson-signature"), format!("sha1={hex}"));
    assert_eq!(kept.header("x-shared"), "of the manifest");
    let lost = hooks.received().iter().filter(|hook| hook.text().as_deref() == Some("lost")).count();
    assert_eq!(lost, 1, "without a retry the notification is dropped, as LivePerson documents");

    assert_eq!(set_webhooks(&lab, &json!({"forms": "oldest"})).await.0, 204);
    foreign.say(&conversation, "as in the old pages").await;
    let old = hooks.with("the old form", |hook| String::from_utf8_lossy(&hook.body).contains("old pages")).await.json();
    assert_eq!(old["body"]["type"], ".ams.ms.MessagingEventNotification");
    assert!(old["body"]["changes"]["originatorPid"].is_string(), "{old}");
    let (status, refused) = set_webhooks(&lab, &json!({"signature": "md5"})).await;
    assert_eq!(status, 422);
    assert!(refused["error"]["message"].as_str().unwrap().contains("sha256-hex"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_labs_administrator_reads_the_credentials_and_moves_the_endpoint() {
    let (hooks, elsewhere) = (Hooks::start().await, Hooks::start().await);
    let lab = lab(&hooks).await;
    let http = connector_aws::outgoing_http::client().unwrap();
    let base = lab.liveengage().base_url();
    let login = json!({"username": "lab-administrator", "password": "lab-administrator"}).to_string();
    let (status, session) = sent(http.post(format!("{base}/api/account/{ACCOUNT}/login?v=1.3")).body(login)).await;
    assert_eq!(status, 200);
    let bearer = format!("Bearer {}", session["bearer"].as_str().unwrap());
    let installs = format!("{base}/api/account/{ACCOUNT}/configuration/app-install/installations");
    let answer = http.get(format!("{installs}?v=1.0")).header("authorization", &bearer).send().await.unwrap();
    let revision = answer.headers()["ac-revision"].clone();
    let list: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let mut record = list[0].clone();
    assert_eq!((&record["client_id"], &record["client_secret"]), (&json!(CLIENT_ID), &json!(SECRET)));
    assert_eq!(record["capabilities"]["webhooks"]["retry"], json!({"retention_time": 3600}));

    record["capabilities"]["webhooks"] = elsewhere.webhooks();
    let put = http.put(format!("{installs}/{}?v=1.0", record["id"].as_str().unwrap()));
    let put = put.header("authorization", &bearer).header("if-match", revision);
    assert_eq!(sent(put.header("x-http-method-override", "PUT").body(record.to_string())).await.0, 200);
    let foreign = Foreign::of(&lab).await;
    foreign.say(&foreign.open().await, "to the new endpoint").await;
    elsewhere.text("to the new endpoint").await;
    assert!(hooks.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_liveperson_enables_for_an_account_is_changed_by_a_call() {
    let hooks = Hooks::start().await;
    let lab = lab(&hooks).await;
    let foreign = Foreign::of(&lab).await;
    let conversation = foreign.open().await;
    lab.liveengage().close(&conversation).unwrap();
    foreign.open().await;
    let upload = async |file_type: &str| {
        let body = json!({"fileSize": "2000", "fileType": file_type});
        let request = json!({"kind": "req", "id": "3", "type": "ms.GenerateURLForUploadFile", "body": body});
        foreign.call("conversation/send", &request).await.0
    };
    let rating = json!({"field": "CSATRate", "csatRate": 4, "status": "FILLED"});
    let body = json!({"conversationId": conversation, "conversationField": rating});
    let rate = json!({"kind": "req", "id": "4", "type": "cm.UpdateConversationField", "body": body});
    let url = format!("{}api/features", lab.page_url());
    let mut features = sent(foreign.http.get(&url)).await.1;
    let set = async |features: &Value| {
        let put = foreign.http.put(&url).header("content-type", "application/json");
        sent(put.body(features.to_string())).await.0
    };
    for enabled in [true, false] {
        (features["file_sharing"], features["legacy_csat"]) = (json!(enabled), json!(enabled));
        assert_eq!(set(&features).await, 204);
        assert_eq!(sent(foreign.http.get(&url)).await.1, features);
        let documents = if enabled { 200 } else { 400 };
        assert_eq!([upload("PDF").await, upload("PNG").await], [documents, 200]);
        assert_eq!(foreign.call("conversation/send", &rate).await.0, documents);
    }
    features["secure_forms"] = json!(true);
    assert_eq!(set(&features).await, 422, "an unknown feature is not silently ignored");
}

/// Signs a notification with one change of this age, and returns what the wire log says about it.
async fn refusal(lab: &WatchedLab, account: &str, secret_fits: bool, days: i64) -> (u16, Option<String>) {
    use connector::port::Clock as _;
    let at = connector_aws::SystemClock.now() - jiff::SignedDuration::from_hours(24 * days);
    let change = json!({
        "sequence": 4, "originatorId": "0b9c", "originatorMetadata": {"id": "0b9c", "role": "ASSIGNED_AGENT"},
        "serverTimestamp": at.as_millisecond(), "dialogId": "d-1", "conversationId": "d-1", "messageAudience": "ALL",
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "replayed"},
    });
    let body = json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {"changes": [change]}});
    let body = body.to_string();
    let signed = if secret_fits { body.clone() } else { format!("{body} ") };
    let before = lab.journal().entries().unwrap().len();
    let call = connector_aws::outgoing_http::client().unwrap().post(format!("{}/webhooks/liveengage", lab.api_url()));
    let call = call.header("x-liveperson-account-id", account).header("x-liveperson-client-id", CLIENT_ID);
    let signature = format!("sha1={}", STANDARD.encode(sha1(signed.as_bytes())));
    let (status, _) = sent(call.header("x-liveperson-signature", signature).body(body)).await;
    let entries = lab.journal().entries().unwrap();
    let own = entries.iter().skip(before).find(|entry| entry.from == "webhook" && entry.to == "sender");
    (status, own.map(|entry| entry.what.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wire_log_says_in_words_why_a_webhook_is_refused() {
    let hooks = Hooks::start().await;
    let lab = lab(&hooks).await;
    for (account, secret_fits, days, why) in [
        (
            ACCOUNT,
            true,
            20,
            "refused -> 401: too old: the signature is correct, but a message in it is more than 13 days old",
        ),
        (
            ACCOUNT,
            false,
            0,
            "refused -> 401: the signature doesn't match the body: another client secret, or the body was changed",
        ),
        ("99999", true, 0, "refused -> 401: the account id or the client id in the headers is not configured"),
    ] {
        assert_eq!(refusal(&lab, account, secret_fits, days).await, (401, Some(why.to_owned())));
    }
    assert_eq!(refusal(&lab, ACCOUNT, true, 0).await, (200, None));
}
