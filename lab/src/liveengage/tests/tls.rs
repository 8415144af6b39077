//! Tests of TLS, with a client that trusts the simulator's authority and no other.

use std::time::Duration;

use http::StatusCode;
use reqwest::{Certificate, Client, ClientBuilder};
use serde_json::{Value, json};

use super::{ACCOUNT, CLIENT_ID, SECRET, get, options, simulator};
use crate::journal::Journal;
use crate::liveengage::LiveEngageOptions;
use crate::liveengage::simulator::LiveEngageSimulator;

async fn tls_simulator(journal: &Journal) -> LiveEngageSimulator {
    let options = LiveEngageOptions { tls_port: Some(0), journal: journal.clone(), ..options() };
    LiveEngageSimulator::start(options).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a foreign client, with its own trust and no pinned settings")]
fn client() -> ClientBuilder {
    Client::builder().no_proxy().https_only(true).timeout(Duration::from_secs(20))
}

fn trusting(simulator: &LiveEngageSimulator) -> Client {
    let authority = Certificate::from_pem(simulator.tls().unwrap().authority_pem.as_bytes()).unwrap();
    client().tls_certs_only([authority]).build().unwrap()
}

/// Puts `https://` before a base URI, as LivePerson's clients do.
async fn base_uri(client: &Client, domain_api: &str, service: &str) -> String {
    let url = format!("https://{domain_api}/api/account/{ACCOUNT}/service/{service}/baseURI.json?version=1.0");
    let answer: Value = serde_json::from_slice(&client.get(url).send().await.unwrap().bytes().await.unwrap()).unwrap();
    answer["baseURI"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn over_tls_base_uris_are_bare_hosts_that_a_client_reaches_by_https() {
    let simulator = tls_simulator(&Journal::default()).await;
    let (client, host) = (trusting(&simulator), simulator.tls().unwrap().host.clone());
    assert!(host.starts_with("localhost:"), "{host}");
    let sentinel = base_uri(&client, &host, "sentinel").await;
    assert_eq!(sentinel, host);
    let token = client
        .post(format!("https://{sentinel}/sentinel/api/account/{ACCOUNT}/app/token?v=1.0"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={SECRET}"));
    assert_eq!(token.send().await.unwrap().status(), StatusCode::OK);
    let by_address = host.replace("localhost", "127.0.0.1");
    assert_eq!(base_uri(&client, &by_address, "idp").await, host, "the certificate is for the address, too");
}

#[tokio::test]
async fn plain_http_still_answers_with_the_scheme() {
    let simulator = tls_simulator(&Journal::default()).await;
    let path = format!("/api/account/{ACCOUNT}/service/idp/baseURI.json?version=1.0");
    let entry = json!({ "service": "idp", "account": ACCOUNT, "baseURI": simulator.base_url() });
    assert_eq!(get(&simulator, &path).await, (200, entry));
}

#[tokio::test]
async fn each_simulator_has_its_own_authority_and_the_journal_says_who_is_not_trusted() {
    let journal = Journal::default();
    let (simulator, other) = (tls_simulator(&journal).await, tls_simulator(&Journal::default()).await);
    let url = format!("https://{}/", simulator.tls().unwrap().host);
    let refused = trusting(&other).get(&url).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused}");
    let mut entries = journal.follow();
    // The alert may be read after the client has given up.
    while !journal.entries().unwrap().iter().any(|entry| entry.what.starts_with("TLS handshake failed: ")) {
        entries.recv().await.unwrap();
    }
    assert_eq!(trusting(&simulator).get(&url).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_tls_port_there_is_no_tls() {
    assert!(simulator().await.tls().is_none());
}
