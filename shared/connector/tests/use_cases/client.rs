//! The LiveEngage client: hosts and tokens while LivePerson's services fail.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::world::{
    ANNA, CONVERSATION, DOMAIN_API, Fault, SEND, SENTINEL, World, account, again, at, attempt, from_consumer, owner,
    reply,
};
use connector::{
    app::{
        error::DeliveryError,
        liveengage_client::{Keeper, LiveEngage},
    },
    domain::id::Owner,
    port::{Http, StoreError, Tokens},
};
use connector_liveengage::{id::AccountId, sentinel::AppJwt};
use connector_message::code::Code;
use connector_testing::{MemoryStore, ScriptedHttp};

/// A store in which another worker renews the token just before the lease on it is requested.
struct RenewedMeanwhile(Arc<MemoryStore>, AppJwt);

#[async_trait]
impl Tokens for RenewedMeanwhile {
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError> {
        self.0.token(account).await
    }
    async fn lease_token(
        &self,
        account: &AccountId,
        asking: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        assert!(self.0.lease_token(account, &owner("faster"), now, until).await?);
        self.0.save_token(account, &owner("faster"), &self.1).await?;
        self.0.lease_token(account, asking, now, until).await
    }
    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError> {
        self.0.save_token(account, owner, token).await
    }
    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError> {
        self.0.release_token(account, owner).await
    }
}

#[tokio::test]
async fn a_token_that_another_worker_has_just_renewed_is_not_renewed_again() {
    let world = World::new().await;
    let fresh = AppJwt::new("from-another-worker", at(3600));
    let store = Arc::new(RenewedMeanwhile(Arc::clone(&world.store), fresh.clone()));
    let client = LiveEngage::new(Arc::clone(&world.accounts), store, Arc::<ScriptedHttp>::clone(&world.http));
    let (account, me) = (account(), owner("slow"));
    let caller = Keeper { account: &account, owner: &me, now: at(0) };
    assert_eq!(client.keep_token_fresh(caller, SignedDuration::ZERO).await, Ok(fresh));
    assert_eq!(world.count(SENTINEL), 0);
    // The lease was released.
    assert!(world.store.lease_token(&account, &owner("next"), at(0), at(20)).await.unwrap());
}

/// A store that can't be read once the lease was taken.
struct UnreadableUnderLease(Arc<MemoryStore>);

#[async_trait]
impl Tokens for UnreadableUnderLease {
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError> {
        match self.0.lease_token(account, &owner("other"), at(0), at(1)).await? {
            true => {
                self.0.release_token(account, &owner("other")).await?;
                self.0.token(account).await
            }
            false => Err(StoreError::Unavailable { code: Code::internal("timeout") }),
        }
    }
    async fn lease_token(
        &self,
        account: &AccountId,
        owner: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.0.lease_token(account, owner, now, until).await
    }
    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError> {
        self.0.save_token(account, owner, token).await
    }
    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError> {
        self.0.release_token(account, owner).await
    }
}

#[tokio::test]
async fn a_renewal_that_cannot_read_the_table_gives_its_lease_back() {
    let world = World::new().await;
    let store = Arc::new(UnreadableUnderLease(Arc::clone(&world.store)));
    let client = LiveEngage::new(Arc::clone(&world.accounts), store, Arc::<ScriptedHttp>::clone(&world.http));
    let (account, me) = (account(), owner("a"));
    let caller = Keeper { account: &account, owner: &me, now: at(0) };
    assert!(matches!(client.keep_token_fresh(caller, SignedDuration::ZERO).await, Err(DeliveryError::Store(_))));
    assert!(world.store.lease_token(&account, &owner("next"), at(1), at(20)).await.unwrap());
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_call_repeated_once() {
    let world = World::talking(ANNA).await;
    world
        .fault(SEND, Fault::Answer(401, json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}})));
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 1)).await.unwrap();
    // One of each for the first message of the conversation.
    assert_eq!((world.count(SENTINEL), world.count(SEND)), (2, 3));
    assert_eq!(world.other().texts.len(), 1);
}

/// Makes LiveEngage reject every AppJWT.
fn refusing(world: &World) -> Arc<ScriptedHttp> {
    let behind = Arc::clone(&world.http);
    let refused = json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
    Arc::new(ScriptedHttp::new(move |call| match call.name {
        SEND | CONVERSATION | "LiveEngage IDP" => Ok(reply(401, &refused)),
        _ => behind.call(call.clone()).now_or_never().unwrap(),
    }))
}

#[tokio::test]
async fn while_every_token_is_rejected_one_is_requested_per_minute_and_few_calls_are_made() {
    let world = World::talking(ANNA).await;
    let http = refusing(&world);
    // Three environments, and twenty consumers who have written.
    let environments = [0, 1, 2].map(|_| {
        world.workers_over(Arc::<MemoryStore>::clone(&world.store), Arc::<ScriptedHttp>::clone(&http)).to_liveengage
    });
    let consumer = |number: usize| format!("+4917139400{number:02}");
    let mut due = [1_i64; 20];
    for second in 1..600 {
        for (number, due) in due.iter_mut().enumerate().filter(|(_, due)| **due <= second) {
            let task = from_consumer(&format!("mo-{number}"), &consumer(number), "hello");
            let worker = &environments[(number + second as usize) % 3];
            let name = format!("{number}-{second}");
            *due = second + worker.work(&task, &attempt(name, second)).await.unwrap_err().after.as_secs();
        }
    }
    let bought = world.count(SENTINEL) - 1;
    assert!((5..=12).contains(&bought), "{bought} tokens in ten minutes");
    let calls = http.calls().iter().filter(|call| call.name == "LiveEngage IDP").count();
    assert!(calls <= 120, "{calls} calls that were refused");
    // LiveEngage accepts them again.
    let worker = world.workers().to_liveengage;
    worker.work(&from_consumer("mo-0", &consumer(0), "hello"), &attempt("back", 660)).await.unwrap();
    assert_eq!(world.other().texts.len(), 1);
}

#[tokio::test]
async fn a_token_that_was_accepted_is_replaced_at_once_when_it_is_rejected() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    let refused = json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
    for (number, second) in (0..8).zip(100..) {
        world.fault(SEND, Fault::Answer(401, refused.clone()));
        worker.work(&from_consumer(&format!("mo-{number}"), ANNA, "hello"), &attempt(number, second)).await.unwrap();
    }
    assert_eq!(world.count(SENTINEL), 9);
}

#[tokio::test]
async fn a_clock_that_is_an_hour_off_causes_no_token_request_per_text() {
    for off in [-3600, -3590, 3600] {
        let world = World::talking(ANNA).await;
        let behind = Arc::clone(&world.http);
        let http = Arc::new(ScriptedHttp::new(move |call| match call.name {
            SENTINEL => {
                let iat = at(40_000).as_second() + off;
                let claims = URL_SAFE_NO_PAD.encode(json!({"iat": iat, "exp": iat + 3600}).to_string());
                Ok(reply(200, &json!({"access_token": format!("e30.{claims}.c2ln")})))
            }
            _ => behind.call(call.clone()).now_or_never().unwrap(),
        }));
        let environment =
            || world.workers_over(Arc::<MemoryStore>::clone(&world.store), Arc::<ScriptedHttp>::clone(&http));
        for (number, second) in (0..20).zip((40_000..).step_by(150)) {
            let task = from_consumer(&format!("mo-{number}"), ANNA, "hello");
            environment().to_liveengage.work(&task, &attempt(number, second)).await.unwrap();
        }
        assert_eq!(http.calls().iter().filter(|call| call.name == SENTINEL).count(), 1, "{off}");
    }
}

#[tokio::test]
async fn a_due_token_outlives_a_failing_sentinel() {
    let world = World::talking(ANNA).await;
    // The token lives ten hours. Here it is due, and valid for two more minutes.
    let second = 36_000 - 120;
    world.fault(SENTINEL, Fault::NotSent);
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", second)).await.unwrap();
    assert_eq!(world.count(SENTINEL), 2);
    // Once it has expired, there is no token left.
    world.fault(SENTINEL, Fault::NotSent);
    let late = world.workers().to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("b", 36_001)).await;
    assert_eq!(late, again(5));
}

#[tokio::test]
async fn while_the_domain_api_is_down_the_last_hosts_are_used_and_it_is_asked_once_a_minute() {
    let world = World::new().await;
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 0)).await.unwrap();
    let down = || {
        for _ in 0..9 {
            world.fault(DOMAIN_API, Fault::NotSent);
        }
    };
    down();
    for (second, asked) in [(599, 1), (600, 2), (659, 2), (660, 3)] {
        let task = from_consumer(&format!("mo-{second}"), ANNA, "more");
        workers.to_liveengage.work(&task, &attempt(second, second)).await.unwrap();
        assert_eq!(world.count(DOMAIN_API), asked, "at {second}");
    }
    assert_eq!(world.other().texts.len(), 5);
}

#[tokio::test]
async fn an_answer_that_is_no_list_of_hosts_delays_the_message_and_does_not_park_it() {
    for (call, status, body) in [
        (DOMAIN_API, 200, json!("<html>maintenance</html>")),
        (DOMAIN_API, 404, json!({})),
        (SENTINEL, 200, json!("<html>maintenance</html>")),
        ("LiveEngage IDP", 201, json!({"token": "opaque"})),
        (CONVERSATION, 200, json!("<html>maintenance</html>")),
        (SEND, 404, json!("<html>moved</html>")),
    ] {
        let world = World::new().await;
        world.fault(call, Fault::Answer(status, body));
        let workers = world.workers();
        let task = from_consumer("mo-1", ANNA, "one");
        assert_eq!(workers.to_liveengage.work(&task, &attempt("a", 0)).await, again(5), "{call}");
        workers.insist(&world, &task, 5).await;
        assert_eq!(world.other().texts, [("c1".to_owned(), "one".to_owned())], "{call}");
        assert!(world.store.parked().is_empty(), "{call}");
    }
}

#[tokio::test]
async fn a_host_that_moved_is_found_again() {
    let world = World::new().await;
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 0)).await.unwrap();
    world.fault(SEND, Fault::NotSent);
    let task = from_consumer("mo-2", ANNA, "two");
    assert_eq!(workers.to_liveengage.work(&task, &attempt("b", 10)).await, again(5));
    assert_eq!(world.count(DOMAIN_API), 1);
    workers.to_liveengage.work(&task, &attempt("c", 15)).await.unwrap();
    assert_eq!(world.count(DOMAIN_API), 2);
}

#[tokio::test]
async fn a_service_that_the_account_does_not_have_is_named() {
    let world = World::new().await;
    world.fault(DOMAIN_API, Fault::Answer(200, json!({"service": "idp", "baseURI": "idp.liveengage.example"})));
    let workers = world.workers();
    let client = LiveEngage::new(
        Arc::clone(&world.accounts),
        Arc::<MemoryStore>::clone(&world.store),
        Arc::<ScriptedHttp>::clone(&world.http),
    );
    let (account, me) = (account(), owner("me"));
    let caller = Keeper { account: &account, owner: &me, now: at(0) };
    let error = client.keep_token_fresh(caller, SignedDuration::ZERO).await.unwrap_err();
    assert!(matches!(error, DeliveryError::LiveEngage(_)));
    assert_eq!(error.to_string(), "the account has no service sentinel: LivePerson must enable it");
    // An operator can have it enabled within the hours for which a message is retried.
    world.fault(DOMAIN_API, Fault::Answer(200, json!({"baseURIs": []})));
    assert_eq!(workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 0)).await, again(5));
}
