//! Tests the simulator from outside, with raw HTTP requests and the tests' own webhook receiver.

mod app_install;
mod closing;
mod delivery;
mod desk;
mod files;
mod forms;
mod history;
mod install;
mod messaging_window;
mod neighbors;
mod ordering;
mod payloads;
mod rich;
mod rules;
mod send_api;
mod services;
mod staff;
mod survey;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::simulator::LiveEngageSimulator;
use super::webhooks::webhook_client;
use super::{AccountOptions, LiveEngageOptions, WebhookSettings};

const ACCOUNT: &str = "74120988";
const CLIENT_ID: &str = "0c9a7f0e-51d3-4d5c-9a55-6d2b8f1f7c10";
const SECRET: &str = "correct-horse-battery-staple";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn options() -> LiveEngageOptions {
    LiveEngageOptions { accounts: vec![AccountOptions::new(ACCOUNT, CLIENT_ID, SECRET)], ..Default::default() }
}

async fn simulator() -> LiveEngageSimulator {
    LiveEngageSimulator::start(options()).await.unwrap()
}

/// Sends a raw request. The answer's body is null if it is empty, and a string if it is not JSON.
async fn request(method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (u16, Value) {
    let mut request = webhook_client(Duration::from_secs(5)).unwrap().request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
    (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_else(|_| text()) })
}

async fn get(simulator: &LiveEngageSimulator, path: &str) -> (u16, Value) {
    request(Method::GET, &format!("{}{path}", simulator.base_url()), &[], "").await
}

async fn post(
    simulator: &LiveEngageSimulator,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    request(Method::POST, &format!("{}{path}", simulator.base_url()), headers, body).await
}

/// Requests an AppJWT.
async fn app_token(simulator: &LiveEngageSimulator, account: &str, client_id: &str, secret: &str) -> (u16, Value) {
    let path = format!("/sentinel/api/account/{account}/app/token?v=1.0&grant_type=client_credentials");
    post(simulator, &path, &[FORM], format!("client_id={client_id}&client_secret={secret}")).await
}

/// A consumer with both tokens, as a connector has them.
struct Consumer<'a> {
    simulator: &'a LiveEngageSimulator,
    app_token: String,
    consumer_token: String,
    /// The `Client-Properties` header of its calls.
    client_properties: Option<String>,
}

impl<'a> Consumer<'a> {
    async fn new(simulator: &'a LiveEngageSimulator, external_id: &str) -> Self {
        let (_, bought) = app_token(simulator, ACCOUNT, CLIENT_ID, SECRET).await;
        let app_token = bought["access_token"].as_str().unwrap().to_owned();
        let (status, named) = post(
            simulator,
            &format!("/api/account/{ACCOUNT}/consumer?v=1.0"),
            &[("authorization", &app_token)],
            json!({ "ext_consumer_id": external_id }).to_string(),
        )
        .await;
        assert_eq!(status, 201);
        let consumer_token = named["token"].as_str().unwrap().to_owned();
        Self { simulator, app_token, consumer_token, client_properties: None }
    }

    /// Declares these features from now on.
    fn declaring(mut self, features: &[&str]) -> Self {
        self.client_properties = Some(json!({ "type": ".ClientProperties", "features": features }).to_string());
        self
    }

    /// LivePerson's id of the consumer.
    fn id(&self) -> String {
        claims(&self.consumer_token)["lp_consumer_id"].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let mut headers =
            vec![("authorization", self.app_token.as_str()), ("x-lp-on-behalf", self.consumer_token.as_str())];
        headers.extend(self.client_properties.as_ref().map(|properties| ("client-properties", properties.as_str())));
        post(self.simulator, path, &headers, body.to_string()).await
    }

    async fn conversation(&self, body: &Value) -> (u16, Value) {
        self.post(&format!("/api/account/{ACCOUNT}/messaging/consumer/conversation?v=3"), body).await
    }

    async fn send(&self, body: &Value) -> (u16, Value) {
        self.post(&format!("/api/account/{ACCOUNT}/messaging/consumer/conversation/send?v=3"), body).await
    }

    /// Opens a conversation and returns its id.
    async fn open(&self) -> String {
        let (status, answers) = self.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await;
        assert_eq!(status, 200, "{answers}");
        answers[1]["body"]["conversationId"].as_str().unwrap().to_owned()
    }

    async fn publish(&self, conversation: &str, event: &Value) -> (u16, Value) {
        self.send(&publication(conversation, event)).await
    }

    async fn say(&self, conversation: &str, text: &str) -> (u16, Value) {
        self.publish(conversation, &text_event(text)).await
    }

    /// Publishes in a dialog other than the main one.
    async fn publish_in(&self, conversation: &str, dialog: &str, event: &Value, metadata: &Value) -> (u16, Value) {
        let mut request = publication(conversation, event);
        request["body"]["dialogId"] = json!(dialog);
        if !metadata.is_null() {
            request["metadata"] = metadata.clone();
        }
        self.send(&request).await
    }

    async fn update(&self, conversation: &str, field: &Value) -> (u16, Value) {
        self.send(&field_update(conversation, field)).await
    }

    async fn close(&self, conversation: &str) -> (u16, Value) {
        let field = json!({ "field": "ConversationStateField", "conversationState": "CLOSE" });
        self.send(&field_update(conversation, &field)).await
    }
}

fn opening(request: &Value) -> Value {
    json!([
        { "kind": "req", "id": "profile", "type": "userprofile.SetUserProfile", "body": {} },
        { "kind": "req", "id": "request", "type": "cm.ConsumerRequestConversation", "body": request },
    ])
}

fn publication(conversation: &str, event: &Value) -> Value {
    let body = json!({ "dialogId": conversation, "conversationId": conversation, "event": event });
    json!({ "kind": "req", "id": "publish", "type": "ms.PublishEvent", "body": body })
}

fn text_event(text: &str) -> Value {
    json!({ "type": "ContentEvent", "contentType": "text/plain", "message": text })
}

fn field_update(conversation: &str, field: &Value) -> Value {
    let body = json!({ "conversationId": conversation, "conversationField": field });
    json!({ "kind": "req", "id": "update", "type": "cm.UpdateConversationField", "body": body })
}

/// Closes only the main dialog, so that a survey may follow.
fn main_dialog_close(conversation: &str) -> Value {
    let dialog = json!({ "dialogId": conversation, "state": "CLOSE", "closedCause": "Closed by consumer" });
    json!({ "field": "DialogChange", "type": "UPDATE", "dialog": dialog })
}

/// The status and message of an error of SEND.
fn refusal(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["body"]["msg"].as_str().unwrap_or("(no message)"))
}

const BAD: (u16, &str) = (400, "Bad Request");
const CLOSED: (u16, &str) = (400, "Bad Request, Conversation is close");

fn part_of_token(token: &str, part: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn claims(token: &str) -> Value {
    part_of_token(token, 1)
}

/// A received webhook call.
#[derive(Debug, Clone)]
struct ReceivedWebhook {
    path: String,
    headers: HeaderMap,
    body: Bytes,
    at: Instant,
    answered: StatusCode,
}

impl ReceivedWebhook {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The details of the conversation, if the notification has them.
    fn details(&self) -> Value {
        self.change()["result"]["conversationDetails"].clone()
    }

    fn change(&self) -> Value {
        self.json()["body"]["changes"][0].clone()
    }

    /// The text of each change that has one.
    fn texts(&self) -> Vec<String> {
        let changes = self.json()["body"]["changes"].as_array().unwrap().clone();
        changes.iter().filter_map(|change| change["event"]["message"].as_str().map(str::to_owned)).collect()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }
}

type Policy = dyn Fn(&[ReceivedWebhook], &Value) -> StatusCode + Send + Sync;

/// An HTTP server that receives webhooks. A policy decides the answer from the earlier calls and the body.
#[derive(Clone)]
struct Receiver {
    url: Url,
    inbox: Arc<Mutex<Vec<ReceivedWebhook>>>,
    grown: Arc<watch::Sender<usize>>,
    /// The time until it answers.
    answer_time: Arc<watch::Sender<Duration>>,
    /// Calls with these texts are not answered for now.
    held: Arc<watch::Sender<Vec<&'static str>>>,
    policy: Arc<Policy>,
}

impl Receiver {
    async fn accepting() -> Self {
        Self::answering(|_, _| StatusCode::OK).await
    }

    async fn answering(policy: impl Fn(&[ReceivedWebhook], &Value) -> StatusCode + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hooks", listener.local_addr().unwrap()).parse().unwrap(),
            inbox: Arc::default(),
            grown: Arc::new(watch::Sender::new(0)),
            answer_time: Arc::default(),
            held: Arc::default(),
            policy: Arc::new(policy),
        };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Settings that send everything here and retry at once.
    fn settings(&self) -> WebhookSettings {
        WebhookSettings { first_retry_after: Duration::from_millis(20), ..WebhookSettings::to(&self.url) }
    }

    fn received(&self) -> Vec<ReceivedWebhook> {
        self.inbox.lock().clone()
    }

    /// The calls that were answered with success.
    fn taken(&self) -> Vec<ReceivedWebhook> {
        self.received().into_iter().filter(|received| received.answered == StatusCode::OK).collect()
    }

    /// The texts that were accepted, in order of arrival.
    fn texts(&self) -> Vec<String> {
        self.taken().iter().flat_map(ReceivedWebhook::texts).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the receiver simulates a slow endpoint")]
async fn take_time(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn receive(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = serde_json::from_slice::<Value>(&body).unwrap().pointer("/body/changes/0/event/message").cloned();
    let answered = {
        let mut inbox = receiver.inbox.lock();
        let answered = (receiver.policy)(&inbox, &serde_json::from_slice(&body).unwrap());
        inbox.push(ReceivedWebhook { path: uri.path().to_owned(), headers, body, at: Instant::now(), answered });
        receiver.grown.send_replace(inbox.len());
        answered
    };
    let is_held = |held: &Vec<&str>| text.as_ref().is_some_and(|text| held.iter().any(|held| text == held));
    receiver.held.subscribe().wait_for(|held| !is_held(held)).await.unwrap();
    let answer_time = *receiver.answer_time.borrow();
    if !answer_time.is_zero() {
        take_time(answer_time).await;
    }
    (answered, [("location", "/elsewhere")]).into_response()
}
