//! LivePerson's documented calls, one after the other as its samples make them, against the lab's simulator. The requests are written from the
//! documents and not by the connector's own client, and each answer is compared with its documented form.

mod conversation;
mod files;
mod life;
mod services;
mod tokens;

use connector_lab::liveengage::{
    AccountOptions, EngagementOptions, LiveEngageOptions, LiveEngageSimulator, UserOptions, UserProof,
};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

const ACCOUNT: &str = "31880742";
const CLIENT_ID: &str = "5f0d7c1e-93ab-4be2-8a5e-0c9be7d35a10";
const SECRET: &str = "7fq2vj0m4nd8sample";
const PASSWORD: &str = "a sample's password";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// An answer of the simulator.
struct Answer {
    status: u16,
    headers: HeaderMap,
    /// The JSON of the body; null if there is none.
    body: Value,
}

impl Answer {
    fn of_status(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

/// The simulator, and a client without knowledge of it.
struct Sample {
    simulator: LiveEngageSimulator,
    http: reqwest::Client,
}

impl Sample {
    async fn start() -> Self {
        let user = |name: &str, proof, administrator| UserOptions { name: name.to_owned(), proof, administrator };
        let users =
            vec![user("ada", UserProof::Password(PASSWORD.into()), true), user("bot", UserProof::AppInstall, false)];
        let account = AccountOptions { users, legacy_csat: true, ..AccountOptions::new(ACCOUNT, CLIENT_ID, SECRET) };
        let options = LiveEngageOptions { accounts: vec![account], ..LiveEngageOptions::default() };
        let simulator = LiveEngageSimulator::start(options).await.unwrap();
        let engagement = EngagementOptions { campaign_id: 3_160_221, engagement_id: 3_160_333 };
        simulator.set_engagement(ACCOUNT, Some(engagement));
        Self { simulator, http: connector_aws::outgoing_http::client().unwrap() }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut call = self.http.request(method, format!("{}{path}", self.simulator.base_url())).body(body);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        let answer = call.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
        Answer { status, headers, body }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, path, headers, "").await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.call(Method::POST, path, &headers, body.to_string()).await
    }

    async fn app_jwt(&self) -> String {
        let path = format!("/sentinel/api/account/{ACCOUNT}/app/token?v=1.0&grant_type=client_credentials");
        let body = format!("client_id={CLIENT_ID}&client_secret={SECRET}");
        let token = self.call(Method::POST, &path, &[FORM], body).await.of_status(200);
        token["access_token"].as_str().unwrap().to_owned()
    }

    async fn consumer(&self, external_id: &str) -> Consumer<'_> {
        let app_jwt = self.app_jwt().await;
        let path = format!("/api/account/{ACCOUNT}/consumer?v=1.0");
        let body = json!({"ext_consumer_id": external_id});
        let identity = self.post(&path, &[("authorization", &app_jwt)], &body).await.of_status(201);
        let jws = identity["token"].as_str().unwrap().to_owned();
        Consumer { sample: self, app_jwt, jws, client_properties: None }
    }

    /// The bearer of a user who has logged in.
    async fn bearer(&self) -> String {
        let body = json!({"username": "ada", "password": PASSWORD});
        let session = self.post(&format!("/api/account/{ACCOUNT}/login?v=1.3"), &[], &body).await.of_status(200);
        format!("Bearer {}", session["bearer"].as_str().unwrap())
    }
}

/// A consumer with both tokens.
struct Consumer<'a> {
    sample: &'a Sample,
    app_jwt: String,
    jws: String,
    client_properties: Option<&'static str>,
}

impl Consumer<'_> {
    /// LivePerson's id of the consumer.
    fn id(&self) -> String {
        claims(&self.jws)["lp_consumer_id"].as_str().unwrap().to_owned()
    }

    async fn call(&self, call: &str, body: &Value) -> Answer {
        let path = format!("/api/account/{ACCOUNT}/messaging/consumer/{call}?v=3");
        let mut headers = vec![("authorization", self.app_jwt.as_str()), ("x-lp-on-behalf", self.jws.as_str())];
        headers.extend(self.client_properties.map(|properties| ("client-properties", properties)));
        self.sample.post(&path, &headers, body).await
    }

    async fn conversation(&self, body: &Value) -> Answer {
        self.call("conversation", body).await
    }

    async fn send(&self, body: &Value) -> Answer {
        self.call("conversation/send", body).await
    }

    /// Opens a conversation with the minimal request, and returns its id.
    async fn open(&self) -> String {
        let answers = self.conversation(&minimal()).await.of_status(200);
        answers[1]["body"]["conversationId"].as_str().unwrap().to_owned()
    }

    async fn say(&self, dialog: &str, text: &str) -> Value {
        self.send(&publish(dialog, &json!({"type": "ContentEvent", "contentType": "text/plain", "message": text})))
            .await
            .of_status(200)
    }
}

/// The smallest documented request: both elements, in this order, with ids that end in a comma.
fn minimal() -> Value {
    json!([
        {"kind": "req", "id": "1,", "type": "userprofile.SetUserProfile", "body": {}},
        {"kind": "req", "id": "2,", "type": "cm.ConsumerRequestConversation", "body": {"brandId": ACCOUNT}},
    ])
}

fn publish(dialog: &str, event: &Value) -> Value {
    json!({"kind": "req", "id": "1", "type": "ms.PublishEvent", "body": {"dialogId": dialog, "event": event}})
}

/// The claims of a token.
fn claims(token: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
