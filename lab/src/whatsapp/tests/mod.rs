//! Tests the simulator with a small connector that records what it receives.

mod consumer;
mod errors;
mod faults;
mod files;
mod messages;
mod receipts;
mod registration;
mod webhooks;

use std::collections::HashMap;
use std::ops::Deref;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::*;
use crate::channel::test_receiver::WebhookReceiver;

const PHONE: &str = "+12025550143";
const OTHER_PHONE: &str = "+4915155500199";
const NUMBER_ID: &str = "208144710355012";
const TOKEN: &str = "lab-graph-token-6d1";
const SECRET: &str = "lab-app-secret-83";
const VERIFY: &str = "lab verify & token";

/// A connector with the route of the lab's WhatsApp line.
#[derive(Debug, Clone)]
struct WhatsAppConnector(WebhookReceiver);

impl Deref for WhatsAppConnector {
    type Target = WebhookReceiver;

    fn deref(&self) -> &WebhookReceiver {
        &self.0
    }
}

impl WhatsAppConnector {
    async fn start(script: &[u16]) -> Self {
        Self(WebhookReceiver::start("/channels/wa-lab", get(Self::handshake), script).await)
    }

    async fn handshake(Query(query): Query<HashMap<String, String>>) -> Response {
        if query["hub.mode"] == "subscribe" && query["hub.verify_token"] == VERIFY {
            query["hub.challenge"].clone().into_response()
        } else {
            StatusCode::FORBIDDEN.into_response()
        }
    }

    /// Waits for this number of calls.
    async fn called(&self, count: usize) {
        let mut calls = self.calls.subscribe();
        with_timeout(calls.wait_for(|calls| calls.len() >= count)).await.unwrap();
    }

    /// Every `value` in every webhook.
    fn values(&self) -> Vec<Value> {
        let changes = |body: &Value| body["entry"][0]["changes"].as_array().unwrap().clone();
        self.bodies().iter().flat_map(changes).map(|change| change["value"].clone()).collect()
    }

    fn items(&self, list: &str) -> Vec<Value> {
        self.values().iter().filter_map(|value| value[list].as_array().cloned()).flatten().collect()
    }

    fn messages(&self) -> Vec<Value> {
        self.items("messages")
    }

    fn texts(&self) -> Vec<String> {
        self.messages().iter().map(|message| message["text"]["body"].as_str().unwrap().to_owned()).collect()
    }

    fn statuses(&self) -> Vec<Value> {
        self.items("statuses")
    }

    fn status_names(&self) -> Vec<String> {
        self.statuses().iter().map(|status| status["status"].as_str().unwrap().to_owned()).collect()
    }
}

fn options() -> WhatsAppOptions {
    WhatsAppOptions {
        port: 0,
        phone_number_id: NUMBER_ID.to_owned(),
        display_phone_number: "493055501044".to_owned(),
        waba_id: "311900427715083".to_owned(),
        access_token: TOKEN.into(),
        app_secret: SECRET.into(),
        verify_token: VERIFY.into(),
        retry_delay: Duration::from_millis(10),
        journal: Journal::default(),
    }
}

async fn simulator() -> WhatsApp {
    WhatsApp::start(options()).await.unwrap()
}

async fn simulator_with(connector: &WhatsAppConnector) -> WhatsApp {
    let whatsapp = simulator().await;
    whatsapp.subscribe_webhook(connector.url()).await.unwrap();
    whatsapp
}

/// A simulator whose consumer has just written, so that the window is open.
async fn simulator_in_chat() -> WhatsApp {
    let whatsapp = simulator().await;
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    whatsapp
}

async fn with_timeout<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

/// Waits until no message on the phone is in transit.
async fn settled(whatsapp: &WhatsApp, phone: &str) -> Vec<PhoneMessage> {
    let is_settled = |messages: &[PhoneMessage]| messages.iter().all(|message| message.state != MessageState::Sent);
    with_timeout(whatsapp.wait_for(phone, is_settled)).await
}

async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

async fn call_path(whatsapp: &WhatsApp, path: &str, token: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let url = format!("{}{path}", whatsapp.url());
    let request =
        webhook_post::client(delivery::ANSWER_TIMEOUT).unwrap().post(url).header("content-type", "application/json");
    let response = request.bearer_auth(token).body(body).send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn call(whatsapp: &WhatsApp, body: &Value) -> (u16, Value) {
    call_path(whatsapp, &format!("/v26.0/{NUMBER_ID}/messages"), TOKEN, body.to_string()).await
}

/// A message to [`PHONE`] with these additional fields.
fn message(fields: Value) -> Value {
    let mut message = json!({ "messaging_product": "whatsapp", "recipient_type": "individual", "to": "12025550143" });
    message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    message
}

fn text(body: &str) -> Value {
    message(json!({ "type": "text", "text": { "body": body } }))
}

/// Sends a message that must be accepted, and returns it as it is on the phone.
async fn send_accepted(whatsapp: &WhatsApp, body: &Value) -> PhoneMessage {
    let (status, answer) = call(whatsapp, body).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["messages"][0]["id"].as_str().unwrap();
    whatsapp.transcript(PHONE).into_iter().find(|message| message.id == id).unwrap()
}
