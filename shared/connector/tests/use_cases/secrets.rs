//! Rotated, missing and invalid secrets, and how often they are read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::json;

use super::{
    out_of_time::slow,
    world::{
        ANNA, Fault, SMS, World, account, account_secret, agent_says, at, attempt, from_channel, line, line_secret,
    },
};
use connector::{
    app::{
        delivery::Attempt,
        registry::{Accounts, Lines},
    },
    port::{SecretVersions, Secrets, SecretsError},
};
use connector_liveengage::id::AccountId;
use connector_message::code::Code;
use connector_testing::MemorySecrets;

const NAME: &str = "connector/account/72419083";

/// A secret store that can stop answering.
#[derive(Default)]
struct Flaky {
    secrets: MemorySecrets,
    down: AtomicBool,
    asked: AtomicUsize,
}

#[async_trait]
impl Secrets for Flaky {
    async fn versions(&self, name: &str) -> Result<SecretVersions, SecretsError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(SecretsError::Unavailable {
                name: name.to_owned(),
                code: Code::internal("ThrottlingException"),
            });
        }
        self.secrets.versions(name).await
    }
}

#[tokio::test]
async fn a_secret_is_read_every_five_minutes_and_an_unknown_id_never() {
    let secrets = Arc::new(MemorySecrets::default());
    secrets.put(NAME, &account_secret("one"));
    let accounts =
        Accounts::load(Arc::<MemorySecrets>::clone(&secrets), "connector", &[account()], at(0)).await.unwrap();
    for (second, reads) in [(0, 1), (299, 1), (300, 2), (599, 2), (600, 3)] {
        assert!(accounts.get(&account(), at(second)).await.is_some());
        assert_eq!(secrets.reads(), reads, "at {second}");
    }
    let stranger = AccountId::new("99999999").unwrap();
    assert!(accounts.get(&stranger, at(601)).await.is_none());
    assert!(accounts.get_after_failure(&stranger, at(5000)).await.is_none());
    assert_eq!(secrets.reads(), 3);
}

#[tokio::test]
async fn while_secrets_cannot_be_read_the_last_good_version_serves_and_they_are_asked_once_a_minute() {
    let secrets = Arc::new(Flaky::default());
    secrets.secrets.put(NAME, &account_secret("one"));
    let accounts = Accounts::load(Arc::<Flaky>::clone(&secrets), "connector", &[account()], at(0)).await.unwrap();
    secrets.down.store(true, Ordering::SeqCst);
    // Many requests per second with wrong signatures.
    for second in [60, 60, 60, 61, 100, 119] {
        assert!(accounts.get_after_failure(&account(), at(second)).await.is_some());
    }
    assert_eq!(secrets.asked.load(Ordering::SeqCst), 2);
    // And requests of LiveEngage when the secret is due.
    for second in [400, 400, 401, 459] {
        assert!(accounts.get(&account(), at(second)).await.is_some());
        assert!(accounts.get_after_failure(&account(), at(second)).await.is_some());
    }
    assert_eq!(secrets.asked.load(Ordering::SeqCst), 3);
    secrets.down.store(false, Ordering::SeqCst);
    secrets.secrets.put(NAME, &account_secret("two"));
    let versions = accounts.get(&account(), at(460)).await.unwrap();
    assert!(versions.previous.is_some(), "read again as soon as it can be");
}

#[tokio::test]
async fn a_function_does_not_start_without_its_secrets_and_says_which() {
    let secrets = Arc::new(MemorySecrets::default());
    let load = async || Accounts::load(Arc::<MemorySecrets>::clone(&secrets), "connector", &[account()], at(0)).await;
    assert_eq!(load().await.unwrap_err().to_string(), format!("there is no secret named {NAME}"));
    for (field, value, error) in [
        ("client_secret", json!(null), "client_secret: has the wrong type or form"),
        ("domain_api", json!("ftp://canary"), "domain_api: must be an https URL (http only for loopback)"),
        ("clientsecret", json!("canary"), "clientsecret: unknown field `clientsecret`"),
    ] {
        let mut secret = account_secret("canary");
        secret[field] = value;
        secrets.put(NAME, &secret);
        let shown = load().await.unwrap_err().to_string();
        assert!(shown.starts_with(&format!("the secret {NAME}: {error}")), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    secrets.put(NAME, &json!({"account_id": "72419083", "client_id": "x"}));
    assert_eq!(
        load().await.unwrap_err().to_string(),
        format!("the secret {NAME}: the secret: missing field `client_secret`")
    );

    let mut secret = line_secret("canary");
    secret["sms"]["send_url"] = json!("http://gateway.example");
    secrets.put("connector/line/sms-main", &secret);
    let error = Lines::load(Arc::<MemorySecrets>::clone(&secrets), "connector", &[line()], at(0)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the secret connector/line/sms-main: sms.send_url: must be an https URL (http only for loopback)"
    );
}

/// The line's secret with a newer token for the channel.
fn newer_token(token: &str) -> serde_json::Value {
    let mut secret = line_secret("webhook-s3cret");
    secret["sms"]["bearer_token"] = json!(token);
    secret
}

/// How the calls of this name were authorized.
fn authorized(world: &World, name: &str) -> Vec<String> {
    let calls = world.http.calls().into_iter().filter(|call| call.name == name);
    calls.map(|call| call.headers["authorization"].to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_attempt_after_a_channel_rejected_a_token_uses_the_newer_one() {
    let world = World::talking(ANNA).await;
    world.secrets.put("connector/line/sms-main", &newer_token("bearer-two"));
    let reads = world.secrets.reads();
    world.fault(SMS, Fault::Answer(401, json!({})));
    let task = agent_says("c1", 4, "hi");
    world.workers().to_channel.work(&task, &attempt("a", 100)).await.unwrap_err();
    world.workers().to_channel.work(&task, &attempt("b", 105)).await.unwrap();
    assert_eq!(authorized(&world, SMS), ["Bearer bearer-t0k3n", "Bearer bearer-two"]);
    assert_eq!(world.secrets.reads(), reads + 1);
}

#[tokio::test]
async fn a_token_that_is_always_rejected_is_reread_once_a_minute() {
    let world = World::talking(ANNA).await;
    let reads = world.secrets.reads();
    for (number, second) in (4..).zip([100, 101, 130, 159, 160, 161]) {
        world.fault(SMS, Fault::Answer(401, json!({})));
        let task = agent_says("c1", number, "hi");
        world.workers().to_channel.work(&task, &attempt(second, second)).await.unwrap_err();
    }
    assert_eq!(world.secrets.reads(), reads + 2);
}

/// A function that is stopped while it rereads a secret leaves its lease behind, and with it an uncertain outcome of a call that was
/// rejected.
#[tokio::test]
async fn a_rejected_token_is_not_reread_if_too_little_time_is_left() {
    let world = World::talking(ANNA).await;
    let reads = world.secrets.reads();
    world.fault(SMS, Fault::Answer(401, json!({})));
    let task = agent_says("c1", 4, "hi");
    // The call takes twelve seconds.
    let soon_over = Attempt { deadline: at(120), ..attempt("a", 100) };
    slow(&world, 100).1.work(&task, &soon_over).await.unwrap_err();
    assert_eq!((world.count(SMS), world.secrets.reads()), (1, reads));
}

#[tokio::test]
async fn a_file_is_fetched_with_the_newer_token_after_the_channel_rejected_the_old_one() {
    const MEDIA: &str = "SMS gateway media";
    let world = World::talking(ANNA).await;
    world.other().files.insert("/media/1".to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
    world.secrets.put("connector/line/sms-main", &newer_token("bearer-two"));
    world.fault(MEDIA, Fault::Answer(401, json!({})));
    let media = json!({"kind": "media", "media": "picture", "reference": "https://gateway.example/media/1"});
    let task = from_channel("mo-2", ANNA, 100, &media);
    world.workers().to_liveengage.work(&task, &attempt("a", 100)).await.unwrap_err();
    world.workers().to_liveengage.work(&task, &attempt("b", 105)).await.unwrap();
    assert_eq!(authorized(&world, MEDIA), ["Bearer bearer-t0k3n", "Bearer bearer-two"]);
}
