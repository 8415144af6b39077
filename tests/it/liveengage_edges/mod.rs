//! Tests of the LiveEngage client with a real HTTP client and real sockets: which calls it makes when a service refuses, is slow, redirects
//! or is gone.

mod tokens;

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use connector::{
    app::{
        delivery::{Attempt, RetryLater, TimeScale},
        liveengage_client::{Keeper, LiveEngage},
        registry::{Accounts, Lines, Registry},
        to_liveengage::DeliverToLiveEngage,
        worker::WorkerPorts,
    },
    domain::id::{LineId, Owner},
    queue_message::Received,
};
use connector_aws::outgoing_http::{self, ReqwestHttp};
use connector_liveengage::id::AccountId;
use connector_testing::{ManualClock, MemoryQueue, MemorySecrets, MemoryStore};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{header, header_exists, method, path},
};

use crate::{
    events::{self, ACCOUNT, ANNA, CLIENT_SECRET, LINE},
    silence::{Kind, Watch},
};

const DOMAIN_API: &str = "/api/account/72419083/service/baseURI.json";
const SENTINEL: &str = "/sentinel/api/account/72419083/app/token";
const IDP: &str = "/api/account/72419083/consumer";
const CONVERSATION: &str = "/api/account/72419083/messaging/consumer/conversation";
const SEND: &str = "/api/account/72419083/messaging/consumer/conversation/send";

fn account() -> AccountId {
    AccountId::new(ACCOUNT).unwrap()
}

fn at(second: i64) -> Timestamp {
    events::now() + SignedDuration::from_secs(second)
}

fn attempt(name: &str, second: i64) -> Attempt {
    Attempt {
        owner: Owner::new(name).unwrap(),
        now: at(second),
        deadline: at(second + 60),
        received: 1,
        time_scale: TimeScale::TEMPLATE,
    }
}

fn again(seconds: i64) -> Result<(), RetryLater> {
    Err(RetryLater { after: SignedDuration::from_secs(seconds) })
}

fn task(id: &str) -> Received {
    let body = json!({
        "task": "channel_event_v1", "line": LINE, "correlation": "r", "accepted_at": at(0),
        "event": {"id": id, "part": 0, "user": ANNA, "at": at(0), "content": {"kind": "text", "text": id}},
    });
    Received::one(body.to_string())
}

fn refused_app_jwt() -> ResponseTemplate {
    ResponseTemplate::new(401).set_body_json(
        json!({"kind": "resp", "code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}, "type": ".ReqBody$ErrorResp"}),
    )
}

fn sent() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"reqId": "1", "code": "OK", "body": {"sequence": 1}}))
}

/// All services of LiveEngage on one port.
struct Services {
    server: MockServer,
    store: Arc<MemoryStore>,
    secrets: Arc<MemorySecrets>,
    accounts: Arc<Accounts>,
    lines: Arc<Lines>,
    _watch: Watch,
}

impl Services {
    /// Starts the services. None of them answers yet.
    async fn silent() -> Self {
        let watch = events::watch();
        watch.plant_all(Kind::Secret, ["jwt-1", "jwt-2"]);
        let server = MockServer::start().await;
        let secrets = Arc::new(MemorySecrets::default());
        secrets.put("connector/account/72419083", &account_secret(&server, CLIENT_SECRET));
        secrets.put("connector/line/sms-main", &events::line_secret());
        let as_port = || Arc::<MemorySecrets>::clone(&secrets);
        let accounts = Registry::new(as_port(), "connector", &[account()]);
        let lines = Registry::new(as_port(), "connector", &[LineId::new(LINE).unwrap()]);
        Self {
            server,
            store: Arc::default(),
            secrets,
            accounts: Arc::new(accounts),
            lines: Arc::new(lines),
            _watch: watch,
        }
    }

    /// Makes the services answer without failures. Answers that a test mounted before have precedence.
    async fn good_day(&self) {
        let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": "lp-anna"}).to_string());
        let conversation = json!([{"code": "OK", "body": {}}, {"code": "OK", "body": {"conversationId": "c1"}}]);
        for (verb, at, answer) in [
            ("GET", DOMAIN_API, ResponseTemplate::new(200).set_body_json(self.hosts())),
            (
                "POST",
                SENTINEL,
                ResponseTemplate::new(200).set_body_json(json!({"access_token": "jwt-1", "expires_in": 3600})),
            ),
            ("POST", IDP, ResponseTemplate::new(201).set_body_json(json!({"token": format!("e30.{claims}.c2ln")}))),
            ("POST", CONVERSATION, ResponseTemplate::new(200).set_body_json(conversation)),
            ("POST", SEND, sent()),
        ] {
            self.mount(verb, at, answer).await;
        }
    }

    async fn new() -> Self {
        let services = Self::silent().await;
        services.good_day().await;
        services
    }

    async fn mount(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    /// Sets the answer to the next call. Later calls get the same answers as before.
    async fn once(&self, at: &str, answer: ResponseTemplate) {
        Mock::given(path(at)).respond_with(answer).up_to_n_times(1).with_priority(1).mount(&self.server).await;
    }

    fn hosts(&self) -> Value {
        let uri = self.server.uri();
        json!({"baseURIs": [
            {"service": "asyncMessagingEnt", "account": ACCOUNT, "baseURI": uri},
            {"service": "sentinel", "account": ACCOUNT, "baseURI": uri},
            {"service": "idp", "account": ACCOUNT, "baseURI": uri},
            {"service": "leDataReporting", "account": ACCOUNT, "baseURI": "va.data.example"},
        ]})
    }

    fn client(&self) -> Arc<LiveEngage> {
        self.client_over(outgoing_http::client().unwrap())
    }

    fn client_over(&self, client: reqwest::Client) -> Arc<LiveEngage> {
        let store = Arc::<MemoryStore>::clone(&self.store);
        Arc::new(LiveEngage::new(Arc::clone(&self.accounts), store, Arc::new(ReqwestHttp::new(client))))
    }

    fn worker(&self) -> DeliverToLiveEngage {
        self.worker_over(self.client())
    }

    fn worker_over(&self, client: Arc<LiveEngage>) -> DeliverToLiveEngage {
        let queue = Arc::new(MemoryQueue::default());
        let ports = WorkerPorts {
            consumers: Arc::<MemoryStore>::clone(&self.store),
            messages: Arc::<MemoryStore>::clone(&self.store),
            ledger: Arc::<MemoryStore>::clone(&self.store),
            http: Arc::new(ReqwestHttp::new(outgoing_http::client().unwrap())),
            to_liveengage: Arc::<MemoryQueue>::clone(&queue),
            to_channel: queue,
            clock: Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)),
        };
        DeliverToLiveEngage::new(Arc::clone(&self.lines), client, ports)
    }

    async fn requests(&self, at: &str) -> Vec<Request> {
        let requests = self.server.received_requests().await.unwrap();
        requests.into_iter().filter(|request| request.url.path() == at).collect()
    }

    /// Returns the numbers of calls: Domain API, Sentinel, IDP, CONVERSATION, SEND.
    async fn counts(&self) -> [usize; 5] {
        let mut counts = [0; 5];
        for (count, at) in counts.iter_mut().zip([DOMAIN_API, SENTINEL, IDP, CONVERSATION, SEND]) {
            *count = self.requests(at).await.len();
        }
        counts
    }
}

fn account_secret(server: &MockServer, client_secret: &str) -> Value {
    let mut secret = events::account_secret();
    secret["domain_api"] = json!(server.uri());
    secret["client_secret"] = json!(client_secret);
    secret
}

#[tokio::test]
async fn a_second_text_costs_one_call() {
    let services = Services::new().await;
    let worker = services.worker();
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    assert_eq!(services.counts().await, [1, 1, 1, 1, 1]);
    worker.work(&task("mo-2"), &attempt("b", 60)).await.unwrap();
    assert_eq!(services.counts().await, [1, 1, 1, 1, 2]);

    let send = &services.requests(SEND).await[1];
    assert_eq!(send.headers["authorization"], "jwt-1");
    assert!(send.headers["x-lp-on-behalf"].to_str().unwrap().starts_with("e30."));
    assert_eq!(send.url.query(), Some("v=3"));
    let body: Value = serde_json::from_slice(&send.body).unwrap();
    assert_eq!(body["body"]["event"]["message"], "mo-2");
    let sentinel = &services.requests(SENTINEL).await[0];
    assert!(!sentinel.url.as_str().contains(CLIENT_SECRET), "the secret is in the body only");
}

#[tokio::test]
async fn without_the_domain_api_the_last_hosts_are_used() {
    let services = Services::new().await;
    let worker = services.worker();
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    for status in [500, 200] {
        services.once(DOMAIN_API, ResponseTemplate::new(status).set_body_string("<html>maintenance</html>")).await;
    }
    worker.work(&task("mo-2"), &attempt("b", 600)).await.unwrap();
    worker.work(&task("mo-3"), &attempt("c", 700)).await.unwrap();
    assert_eq!(services.counts().await, [3, 1, 1, 1, 3]);

    // A process that has never received the hosts can't continue.
    services.once(DOMAIN_API, ResponseTemplate::new(500)).await;
    assert_eq!(services.worker().work(&task("mo-4"), &attempt("d", 701)).await, again(5));
}

#[tokio::test]
async fn hosts_are_read_from_the_single_service_form_too() {
    let services = Services::silent().await;
    let single = json!({"service": "sentinel", "account": ACCOUNT, "baseURI": services.server.uri()});
    services.once(DOMAIN_API, ResponseTemplate::new(200).set_body_json(single)).await;
    services.good_day().await;
    let (account, owner) = (account(), Owner::new("me").unwrap());
    let caller = Keeper { account: &account, owner: &owner, now: at(0) };
    services.client().keep_token_fresh(caller, SignedDuration::ZERO).await.unwrap();
    assert_eq!(services.counts().await, [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_tokens() {
    let elsewhere = MockServer::start().await;
    let services = Services::new().await;
    let worker = services.worker();
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    for status in [302, 307, 308] {
        let location = format!("{}/collect", elsewhere.uri());
        services.once(SEND, ResponseTemplate::new(status).insert_header("location", location.as_str())).await;
        let task = task(&format!("mo-{status}"));
        assert_eq!(worker.work(&task, &attempt("b", 60)).await, again(5), "{status}");
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
    worker.work(&task("mo-2"), &attempt("c", 120)).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_comes_too_late_counts_as_none_and_the_text_is_tried_again() {
    let services = Services::new().await;
    #[expect(clippy::disallowed_methods, reason = "the real client waits for 8 s: this one is like it, and impatient")]
    let impatient = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let worker = services.worker_over(services.client_over(impatient));
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    services.once(SEND, sent().set_delay(Duration::from_secs(5))).await;
    assert_eq!(worker.work(&task("mo-2"), &attempt("b", 60)).await, again(5));
    worker.work(&task("mo-2"), &attempt("c", 65)).await.unwrap();
    assert_eq!(services.requests(SEND).await.len(), 3);
}

#[tokio::test]
async fn the_real_client_gives_up_after_eight_seconds() {
    use connector::port::Http;
    use connector_message::http::{HttpCall, HttpFailure};
    let server = MockServer::start().await;
    Mock::given(path("/slow")).respond_with(sent().set_delay(Duration::from_secs(60))).mount(&server).await;
    let http = ReqwestHttp::new(outgoing_http::client().unwrap());
    let call = |url: String| HttpCall::new("test", http::Method::POST, url.parse().unwrap());
    let began = tokio::time::Instant::now();
    let answer = http.call(call(format!("{}/slow", server.uri()))).await;
    let took = began.elapsed();
    assert_eq!(answer.unwrap_err(), HttpFailure::Unanswered);
    assert!(took >= Duration::from_millis(7500), "{took:?}");

    // No process listens on port 1, so this call was certainly not sent.
    let nobody = http.call(call("http://127.0.0.1:1/".to_owned())).await;
    assert_eq!(nobody.unwrap_err(), HttpFailure::NotSent);
}

/// `localhost.` represents any name whose owner makes it point into the brand's network.
#[tokio::test]
async fn a_file_is_not_fetched_from_a_name_of_an_inner_address() {
    use connector::port::Http;
    use connector_message::http::{HttpCall, HttpFailure};
    let server = MockServer::start().await;
    Mock::given(path("/file")).respond_with(ResponseTemplate::new(200).set_body_bytes("file")).mount(&server).await;
    let http = ReqwestHttp::new(outgoing_http::client().unwrap());
    let port = server.address().port();
    let call =
        |host: &str| HttpCall::new("test", http::Method::GET, format!("http://{host}:{port}/file").parse().unwrap());
    assert!(matches!(http.download(call("localhost.")).await, Err(HttpFailure::NotSent)));
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    // An operator may write such an address into the settings.
    assert_eq!(http.download(call("127.0.0.1")).await.unwrap().head, "file");
}

#[tokio::test]
async fn a_retry_after_is_kept_to() {
    let services = Services::new().await;
    let worker = services.worker();
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    for (number, (answer, wait)) in (2..).zip([
        (ResponseTemplate::new(429).insert_header("retry-after", "77"), 77),
        (ResponseTemplate::new(429).insert_header("retry-after", "1"), 5),
        (ResponseTemplate::new(429).insert_header("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), 5),
        (ResponseTemplate::new(429), 5),
        (ResponseTemplate::new(503).insert_header("retry-after", "120"), 120),
        (ResponseTemplate::new(503), 5),
        // A `Retry-After` delays a message by at most 15 minutes, and an instant is no wait.
        (ResponseTemplate::new(429).insert_header("retry-after", "43200"), 900),
        (ResponseTemplate::new(503).insert_header("retry-after", "1795903511"), 5),
    ]) {
        services.once(SEND, answer).await;
        let task = task(&format!("mo-{number}"));
        assert_eq!(worker.work(&task, &attempt("b", 60)).await, again(wait));
        worker.work(&task, &attempt("c", 1000)).await.unwrap();
    }
}

#[tokio::test]
async fn every_call_carries_what_it_must() {
    let services = Services::silent().await;
    for (at, needed) in [(IDP, vec!["authorization"]), (CONVERSATION, vec!["authorization", "x-lp-on-behalf"])] {
        // Without its headers the call gets only wiremock's 404.
        let mut mock = Mock::given(path(at)).and(header("content-type", "application/json"));
        for name in needed {
            mock = mock.and(header_exists(name));
        }
        let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": "lp-anna"}).to_string());
        let answer = if at == IDP {
            ResponseTemplate::new(201).set_body_json(json!({"token": format!("e30.{claims}.c2ln")}))
        } else {
            ResponseTemplate::new(200)
                .set_body_json(json!([{"code": "OK", "body": {}}, {"code": "OK", "body": {"conversationId": "c1"}}]))
        };
        mock.respond_with(answer).mount(&services.server).await;
    }
    services.mount("GET", DOMAIN_API, ResponseTemplate::new(200).set_body_json(services.hosts())).await;
    Mock::given(method("POST"))
        .and(path(SENTINEL))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"access_token": "jwt-1", "expires_in": 3600})))
        .mount(&services.server)
        .await;
    services.mount("POST", SEND, sent()).await;
    services.worker().work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    let open: Value = serde_json::from_slice(&services.requests(CONVERSATION).await[0].body).unwrap();
    assert_eq!(open[1]["body"]["skillId"], "2187", "the line's own routing");
    let consumer: Value = serde_json::from_slice(&services.requests(IDP).await[0].body).unwrap();
    assert!(!consumer.to_string().contains("4917"), "LivePerson never learns the phone number as a name");
}
