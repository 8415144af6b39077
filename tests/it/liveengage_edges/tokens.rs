//! Tests of tokens and of the secret that buys them: how often the client calls Sentinel, and with which secret.

use std::time::Duration;

use connector::{app::liveengage_client::Keeper, domain::id::Owner, port::Tokens};
use connector_aws::outgoing_http;
use connector_liveengage::sentinel::AppJwt;
use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{body_string_contains, path},
};

use super::{SEND, SENTINEL, Services, account, account_secret, again, at, attempt, refused_app_jwt, task};
use crate::events::CLIENT_SECRET;

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_repeated_once() {
    let services = Services::new().await;
    let worker = services.worker();
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    services.once(SEND, refused_app_jwt()).await;
    services
        .once(SENTINEL, ResponseTemplate::new(200).set_body_json(json!({"access_token": "jwt-2", "expires_in": 3600})))
        .await;
    worker.work(&task("mo-2"), &attempt("b", 60)).await.unwrap();
    assert_eq!(services.counts().await, [1, 2, 1, 1, 3]);
    let used: Vec<_> = services.requests(SEND).await.iter().map(|send| send.headers["authorization"].clone()).collect();
    assert_eq!(used, ["jwt-1", "jwt-1", "jwt-2"]);
    let ids: Vec<Value> = services
        .requests(SEND)
        .await
        .iter()
        .map(|send| serde_json::from_slice::<Value>(&send.body).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids[1], ids[2], "the repeated request has the same id");
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_token_that_stays_refused_ends_the_attempt() {
    let services = Services::new().await;
    let worker = services.worker();
    worker.work(&task("mo-1"), &attempt("a", 0)).await.unwrap();
    // No call has succeeded for more than a minute. So the second refusal counts for everybody.
    services.once(SEND, refused_app_jwt()).await;
    services.once(SEND, refused_app_jwt()).await;
    assert_eq!(worker.work(&task("mo-2"), &attempt("b", 61)).await, again(5));
    assert_eq!(services.counts().await, [1, 2, 1, 1, 3]);
    // For a moment, no other message makes a call.
    worker.work(&task("mo-2"), &attempt("c", 66)).await.unwrap_err();
    assert_eq!(services.counts().await, [1, 2, 1, 1, 3]);
    worker.work(&task("mo-2"), &attempt("d", 71)).await.unwrap();
    assert_eq!(services.counts().await, [1, 2, 1, 1, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_workers_with_an_expired_token_ask_sentinel_once() {
    let services = Services::silent().await;
    services
        .once(
            SENTINEL,
            ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": "jwt-1", "expires_in": 3600}))
                .set_delay(Duration::from_millis(100)),
        )
        .await;
    services.good_day().await;
    let expired = AppJwt::new("jwt-0", at(-1));
    let first = Owner::new("yesterday").unwrap();
    assert!(services.store.lease_token(&account(), &first, at(-3600), at(-3590)).await.unwrap());
    services.store.save_token(&account(), &first, &expired).await.unwrap();

    // Each worker is a process. It tries again until it has a token, as with a queue.
    let http = outgoing_http::client().unwrap();
    let workers = (0..100).map(|number| {
        let client = services.client_over(http.clone());
        tokio::spawn(async move {
            let (account, owner) = (account(), Owner::new(format!("w{number}")).unwrap());
            let caller = Keeper { account: &account, owner: &owner, now: at(0) };
            for _ in 0..200 {
                match client.keep_token_fresh(caller, SignedDuration::ZERO).await {
                    Ok(token) => return token.expires_at,
                    Err(_) => {
                        tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.unwrap_err()
                    }
                };
            }
            panic!("no token");
        })
    });
    for ends in join_all(workers).await {
        assert_eq!(ends.unwrap(), at(3600));
    }
    assert_eq!(services.requests(SENTINEL).await.len(), 1);
}

/// Makes Sentinel accept one client secret and refuse every other.
async fn sentinel_taking(services: &Services, client_secret: &str) {
    Mock::given(path(SENTINEL))
        .and(body_string_contains(format!("client_secret={client_secret}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"access_token": "jwt-1", "expires_in": 3600})))
        .mount(&services.server)
        .await;
    let refused = ResponseTemplate::new(401).set_body_json(json!({"error": "invalid_client"}));
    Mock::given(path(SENTINEL)).respond_with(refused).mount(&services.server).await;
}

#[tokio::test]
async fn a_rotated_client_secret_is_found_when_sentinel_refuses_the_old_one() {
    let services = Services::silent().await;
    sentinel_taking(&services, "rotated").await;
    services.good_day().await;
    services.accounts.get(&account(), at(0)).await.unwrap();
    services.secrets.put("connector/account/72419083", &account_secret(&services.server, "rotated"));
    services.worker().work(&task("mo-1"), &attempt("a", 60)).await.unwrap();
    assert_eq!(services.counts().await, [1, 2, 1, 1, 1]);
}

#[tokio::test]
async fn the_previous_client_secret_is_used_while_sentinel_does_not_take_the_new_one_yet() {
    let services = Services::silent().await;
    sentinel_taking(&services, CLIENT_SECRET).await;
    services.good_day().await;
    services.secrets.put("connector/account/72419083", &account_secret(&services.server, "not-yet"));
    services.worker().work(&task("mo-1"), &attempt("a", 300)).await.unwrap();
    assert_eq!(services.counts().await, [1, 2, 1, 1, 1]);
}

#[tokio::test]
async fn a_client_secret_that_nobody_takes_is_tried_twice_an_attempt() {
    let services = Services::silent().await;
    sentinel_taking(&services, "another").await;
    services.good_day().await;
    services.secrets.put("connector/account/72419083", &account_secret(&services.server, "newer"));
    assert_eq!(services.worker().work(&task("mo-1"), &attempt("a", 300)).await, again(5));
    assert_eq!(services.counts().await, [1, 2, 0, 0, 0]);
}
