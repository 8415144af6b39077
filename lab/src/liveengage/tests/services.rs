//! Tests of the Domain API, Sentinel and IDP, of counts, scripted answers and the journal.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    ACCOUNT, CLIENT_ID, Consumer, FORM, Receiver, SECRET, app_token, claims, get, options, part_of_token, post,
    simulator,
};
use crate::journal::Journal;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::liveengage::{AccountOptions, LiveEngageOptions, StartError};
use crate::liveengage::{CallCounts, Service};

/// Every service that LivePerson's pages and samples name.
const SERVICES: [&str; 23] = [
    "asyncMessagingEnt",
    "sentinel",
    "idp",
    "swift",
    "msgHist",
    "acCdnDomain",
    "accountConfigReadWrite",
    "agentVep",
    "smt",
    "accountConfigReadOnly",
    "mtlsGateway",
    "messagingRestApiDomain",
    "asyncMessaging",
    "visitorFeed",
    "etool",
    "liveEngageUI",
    "leDataReporting",
    "engHistDomain",
    "msgEwtAPI",
    "msdkgw",
    "pusher",
    "rtbf",
    "facadeMsg",
];

#[tokio::test]
async fn the_domain_api_names_every_service_in_both_forms() {
    let simulator = simulator().await;
    let entry = |service: &str| json!({ "service": service, "account": ACCOUNT, "baseURI": simulator.base_url() });
    let (status, list) = get(&simulator, &format!("/api/account/{ACCOUNT}/service/baseURI.json?version=1.0")).await;
    assert_eq!(status, 200);
    assert_eq!(list, json!({ "baseURIs": SERVICES.map(entry) }));
    for service in SERVICES {
        let path = format!("/api/account/{ACCOUNT}/service/{service}/baseURI.json?version=1.0");
        assert_eq!(get(&simulator, &path).await, (200, entry(service)));
    }
}

#[tokio::test]
async fn the_domain_api_refuses_what_it_does_not_know() {
    let simulator = simulator().await;
    let cases = [
        ("/api/account/99999/service/baseURI.json?version=1.0".to_owned(), 401),
        ("/api/account/99999/service/idp/baseURI.json?version=1.0".to_owned(), 401),
        (format!("/api/account/{ACCOUNT}/service/baseURI.json"), 400),
        // Service names are case sensitive.
        (format!("/api/account/{ACCOUNT}/service/IDP/baseURI.json?version=1.0"), 404),
        ("/api/nothing/here".to_owned(), 404),
    ];
    for (path, status) in cases {
        assert_eq!(get(&simulator, &path).await, (status, Value::Null), "{path}");
    }
}

#[tokio::test]
async fn sentinel_issues_an_app_jwt_for_one_hour() {
    let simulator = simulator().await;
    let (status, bought) = app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await;
    assert_eq!(status, 200);
    assert_eq!(bought.as_object().unwrap().len(), 2, "no expires_in: {bought}");
    assert_eq!(bought["token_type"], "Bearer");

    let token = bought["access_token"].as_str().unwrap();
    let header = part_of_token(token, 0);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    assert!(header["kid"].is_string());
    let claims = claims(token);
    assert_eq!(claims["aud"], ACCOUNT);
    assert_eq!(claims["azp"], CLIENT_ID);
    assert_eq!(claims["scope"], "msg.consumer");
    assert_eq!(claims["iss"], "Sentinel");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
}

#[tokio::test]
async fn sentinel_refuses_wrong_credentials_and_wrong_requests() {
    let simulator = simulator().await;
    let refused = |error: &str| json!({ "error": error });
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, "guessed").await, (401, refused("invalid_client")));
    assert_eq!(app_token(&simulator, ACCOUNT, "other-install", SECRET).await, (401, refused("invalid_client")));
    assert_eq!(app_token(&simulator, "99999", CLIENT_ID, SECRET).await, (401, refused("invalid_client")));

    let base = format!("/sentinel/api/account/{ACCOUNT}/app/token");
    let credentials = format!("client_id={CLIENT_ID}&client_secret={SECRET}");
    let cases = [
        ("?v=1.0&grant_type=password".to_owned(), FORM, credentials.clone(), "unsupported_grant_type"),
        ("?v=1.0".to_owned(), FORM, credentials.clone(), "invalid_request"),
        ("?grant_type=client_credentials".to_owned(), FORM, credentials.clone(), "invalid_request"),
        (
            "?v=1.0&grant_type=client_credentials".to_owned(),
            ("content-type", "application/json"),
            credentials.clone(),
            "invalid_request",
        ),
        (format!("?v=1.0&grant_type=client_credentials&client_id={CLIENT_ID}"), FORM, String::new(), "invalid_request"),
    ];
    for (query, content_type, body, error) in cases {
        assert_eq!(
            post(&simulator, &format!("{base}{query}"), &[content_type], body).await,
            (400, refused(error)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn sentinel_takes_the_credentials_in_the_query_as_on_livepersons_older_page() {
    let journal = Journal::default();
    let simulator =
        LiveEngageSimulator::start(LiveEngageOptions { journal: journal.clone(), ..options() }).await.unwrap();
    let url = |secret: &str| {
        let base = format!("/sentinel/api/account/{ACCOUNT}/app/token?v=1.0&grant_type=client_credentials");
        format!("{base}&client_id={CLIENT_ID}&client_secret={secret}")
    };
    for headers in [&[][..], &[FORM]] {
        let (status, answer) = post(&simulator, &url(SECRET), headers, String::new()).await;
        assert_eq!((status, answer["token_type"].as_str()), (200, Some("Bearer")));
    }
    assert_eq!(post(&simulator, &url("guessed"), &[], String::new()).await.0, 401);
    let shown = format!("{:?}", journal.entries().unwrap());
    assert!(shown.contains("Sentinel token") && !shown.contains(SECRET), "{shown}");
    let warned = |journal: &Journal| {
        let entries = journal.entries().unwrap();
        entries.iter().filter(|entry| entry.what.starts_with("warning: the client secret came in the URL")).count()
    };
    assert_eq!(warned(&journal), 3, "also when it is wrong");
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await.0, 200);
    assert_eq!(warned(&journal), 3, "not for a secret in the body");
}

#[tokio::test]
async fn idp_returns_the_same_id_for_the_same_consumer() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let claims = claims(&consumer.consumer_token);
    assert_eq!(part_of_token(&consumer.consumer_token, 0)["alg"], "RS256");
    assert_eq!(claims["account_id"], ACCOUNT);
    assert_eq!(claims["ext_consumer_id"], "phone-7");
    assert!(claims.get("exp").is_none(), "it never expires");
    let id = consumer.id();
    assert_eq!(id.len(), 64);
    assert!(id.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')));

    assert_eq!(Consumer::new(&simulator, "phone-7").await.id(), id);
    assert_ne!(Consumer::new(&simulator, "phone-8").await.id(), id);
}

#[tokio::test]
async fn idp_takes_the_raw_app_jwt_only() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let path = format!("/api/account/{ACCOUNT}/consumer?v=1.0");
    let body = json!({ "ext_consumer_id": "phone-7" }).to_string();
    let bearer = format!("Bearer {}", consumer.app_token);
    let refused = (401, Value::Null);
    assert_eq!(post(&simulator, &path, &[("authorization", &bearer)], body.clone()).await, refused);
    assert_eq!(post(&simulator, &path, &[], body.clone()).await, refused);
    let authorized = [("authorization", consumer.app_token.as_str())];
    assert_eq!(post(&simulator, &path, &authorized, "{}").await, (400, Value::Null));
    let unversioned = format!("/api/account/{ACCOUNT}/consumer");
    assert_eq!(post(&simulator, &unversioned, &authorized, body.clone()).await, (400, Value::Null));
    simulator.expire_tokens();
    assert_eq!(post(&simulator, &path, &authorized, body).await, refused);
}

#[tokio::test]
async fn the_tokens_of_one_account_are_invalid_in_another() {
    let mut options = options();
    options.accounts.push(AccountOptions::new("55501", "install-of-55501", "another-secret"));
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let body = json!({ "ext_consumer_id": "phone-7" }).to_string();
    let authorized = [("authorization", consumer.app_token.as_str())];
    assert_eq!(post(&simulator, "/api/account/55501/consumer?v=1.0", &authorized, body).await.0, 401);

    let path = "/api/account/55501/messaging/consumer/conversation/send?v=3";
    let (_, bought) = app_token(&simulator, "55501", "install-of-55501", "another-secret").await;
    let other = bought["access_token"].as_str().unwrap();
    let headers = [("authorization", other), ("x-lp-on-behalf", consumer.consumer_token.as_str())];
    let (status, refused) = post(&simulator, path, &headers, "{}").await;
    assert_eq!((status, &refused["body"]["errorCode"]), (401, &json!(40103)));
}

#[tokio::test]
async fn scripted_answers_come_in_order_then_the_service_again_and_all_are_counted() {
    let simulator = simulator().await;
    simulator.fail_next(Service::Sentinel, StatusCode::SERVICE_UNAVAILABLE, r#"{"down":true}"#);
    simulator.fail_next(Service::Sentinel, StatusCode::TOO_MANY_REQUESTS, "");
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await, (503, json!({ "down": true })));
    assert_eq!(get(&simulator, &format!("/api/account/{ACCOUNT}/service/baseURI.json?version=1.0")).await.0, 200);
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await, (429, Value::Null));
    assert_eq!(app_token(&simulator, ACCOUNT, CLIENT_ID, SECRET).await.0, 200);
    let calls = simulator.calls();
    assert_eq!((calls.of(Service::Sentinel), calls.of(Service::Domain), calls.of(Service::Send)), (3, 1, 0));
    assert_ne!(calls, CallCounts::default());
}

#[tokio::test]
async fn the_journal_shows_calls_and_texts_but_no_token_and_no_secret() {
    let journal = Journal::default();
    let simulator =
        LiveEngageSimulator::start(LiveEngageOptions { journal: journal.clone(), ..options() }).await.unwrap();
    let receiver = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    get(&simulator, &format!("/api/account/{ACCOUNT}/service/idp/baseURI.json?version=1.0")).await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Is the shop open today?").await;
    simulator.fail_next(Service::Send, StatusCode::BAD_GATEWAY, "<html>proxy</html>");
    let path = format!("/api/account/{ACCOUNT}/messaging/consumer/conversation/send?v=3");
    assert_eq!(post(&simulator, &path, &[], "").await, (502, Value::String("<html>proxy</html>".to_owned())));
    simulator.webhooks_settled().await;

    let entries = journal.entries().unwrap();
    let calls: Vec<&str> =
        entries.iter().filter(|entry| entry.from == "to-liveengage").map(|entry| entry.what.as_str()).collect();
    assert_eq!(
        calls,
        [
            "Domain idp -> 200",
            "Sentinel token -> 200",
            "IDP consumer -> 201",
            "CONVERSATION -> 200",
            "SEND ContentEvent -> 200",
            "SEND (unreadable) -> 502 (scripted)",
        ]
    );
    let webhooks: Vec<&str> =
        entries.iter().filter(|entry| entry.to == "webhook").map(|entry| entry.what.as_str()).collect();
    assert_eq!(webhooks, ["POST ExConversationChange -> 200", "POST ContentEvent -> 200"]);
    let written = serde_json::to_string(&entries).unwrap();
    assert!(written.contains("Is the shop open today?"));
    for hidden in [SECRET, &consumer.app_token, &consumer.consumer_token, "eyJ"] {
        assert!(!written.contains(hidden), "{hidden} is in the journal");
    }
}

#[tokio::test]
async fn a_taken_port_and_a_doubled_account_are_named_at_the_start() {
    let simulator = simulator().await;
    let port = url::Url::parse(simulator.base_url()).unwrap().port().unwrap();
    let error = LiveEngageSimulator::start(LiveEngageOptions { port, ..options() }).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { port: taken, .. } if taken == port), "{error}");

    let account = AccountOptions::new(ACCOUNT, CLIENT_ID, SECRET);
    let twice = LiveEngageOptions { accounts: vec![account.clone(), account], ..Default::default() };
    let error = LiveEngageSimulator::start(twice).await.unwrap_err();
    assert!(matches!(&error, StartError::AccountTwice(id) if id == ACCOUNT), "{error}");
    assert!(!format!("{:?}", options()).contains(SECRET));
}

#[tokio::test]
async fn the_server_runs_until_the_last_handle_is_dropped() {
    let simulator = simulator().await;
    let clone = simulator.clone();
    let address = simulator.base_url().trim_start_matches("http://").to_owned();
    drop(simulator);
    assert_eq!(app_token(&clone, ACCOUNT, CLIENT_ID, SECRET).await.0, 200);
    drop(clone);
    let refused = async { while tokio::net::TcpStream::connect(&address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("the port is still served");
}
