//! LiveEngage and both channels, as far as a recording needs them. They accept and record everything.
//!
//! The simulators know only their own conversations, and a recording names conversations that no simulator has.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

/// All other sides.
pub(super) struct Outside {
    server: MockServer,
}

struct Answers {
    url: String,
    next: Arc<AtomicU64>,
}

impl Respond for Answers {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let ok = |body: Value| ResponseTemplate::new(200).set_body_json(body);
        match (request.method.as_str(), request.url.path()) {
            ("GET", path) if path.ends_with("/service/baseURI.json") => {
                let entry = |service: &str| json!({"service": service, "baseURI": self.url});
                let services = ["asyncMessagingEnt", "sentinel", "idp", "swift"].map(entry);
                ok(json!({"baseURIs": services}))
            }
            ("POST", path) if path.starts_with("/sentinel/") => {
                ok(json!({"access_token": "a-new-app-jwt", "expires_in": 3600}))
            }
            ("POST", path) if path.ends_with("/consumer") => {
                let ext = body["ext_consumer_id"].as_str().unwrap_or_default();
                let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": format!("lp-{ext}")}).to_string());
                ok(json!({"token": format!("e30.{claims}.c2ln")}))
            }
            ("POST", path) if path.ends_with("/messaging/consumer/conversation") => {
                let conversation = json!({"conversationId": format!("conversation-{number}")});
                ok(json!([{"code": "OK", "body": {}}, {"code": "OK", "body": conversation}]))
            }
            ("POST", path) if path.ends_with("/conversation/send") => ok(match body["type"].as_str() {
                Some("ms.PublishEvent") => json!({"code": "OK", "body": {"sequence": 1000 + number}}),
                Some(kind) if kind.starts_with("ms.GenerateURLFor") => {
                    let path = body["body"]["relativePath"].as_str().unwrap_or("/v1/AUTH_async-images/new.png");
                    json!({"code": "OK", "body": {"relativePath": path, "queryParams": {"temp_url_sig": "sig", "temp_url_expires": "1"}}})
                }
                _ => json!({"code": "OK", "body": {}}),
            }),
            ("PUT", _) => ResponseTemplate::new(201),
            ("POST", "/sms/send") => ResponseTemplate::new(201).set_body_json(json!({"id": format!("mt-{number}")})),
            ("POST", path) if path.ends_with("/media") => ok(json!({"id": number.to_string()})),
            ("POST", path) if path.ends_with("/messages") => {
                ok(json!({"messages": [{"id": format!("wamid.{number}")}], "success": true}))
            }
            // A file, in any storage.
            ("GET", path) if path.contains("/AUTH_") || path.contains("/media/") || path.starts_with("/lookaside") => {
                ResponseTemplate::new(200).set_body_raw(b"\x89PNG\r\n\x1A\nnot much of a picture".to_vec(), "image/png")
            }
            ("GET", _) => {
                ok(json!({"url": format!("{}/lookaside/file", self.url), "mime_type": "image/png", "file_size": 29}))
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

impl Outside {
    pub(super) async fn start() -> Self {
        let server = MockServer::start().await;
        let answers = Answers { url: server.uri(), next: Arc::default() };
        Mock::given(any()).respond_with(answers).mount(&server).await;
        Self { server }
    }

    pub(super) fn url(&self) -> String {
        self.server.uri()
    }

    /// Returns the bodies of the calls whose path ends like this, in order.
    pub(super) async fn bodies(&self, path: &str) -> Vec<Value> {
        let calls = self.server.received_requests().await.unwrap();
        let wanted = calls.iter().filter(|call| call.url.path().ends_with(path));
        wanted.map(|call| serde_json::from_slice(&call.body).unwrap_or_default()).collect()
    }

    /// Returns what was published at LiveEngage: the requests' bodies, in order.
    pub(super) async fn published(&self) -> Vec<Value> {
        let sends = self.bodies("/conversation/send").await.into_iter();
        sends.filter(|send| send["type"] == "ms.PublishEvent").map(|send| send["body"].clone()).collect()
    }

    /// Returns the consumer's messages at the desk.
    pub(super) async fn desk(&self) -> Vec<String> {
        let published = self.published().await.into_iter();
        published.filter_map(|body| body["event"]["message"].as_str().map(str::to_owned)).collect()
    }

    /// Returns the messages on the SMS phone.
    pub(super) async fn phone(&self) -> Vec<String> {
        self.bodies("/sms/send").await.iter().map(|body| body["text"].as_str().unwrap().to_owned()).collect()
    }
}
