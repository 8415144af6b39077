//! Rotated, missing and invalid secrets, and how often they are read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    entry_points::{correlation, signed, signed_notification, sms, text},
    out_of_time::slow,
    world::{
        ANNA, Fault, SMS, World, account, account_secret, agent_says, at, attempt, from_channel, line, line_secret,
    },
};
use connector::{
    app::{
        delivery::Attempt,
        inbound::{AcceptChannelRequest, InboundOutcome},
        registry::{Accounts, Lines, NotUsable},
        webhook::{AcceptWebhook, WebhookOutcome},
    },
    domain::id::LineId,
    port::{SecretVersion, Secrets, SecretsError},
};
use connector_liveengage::{id::AccountId, signature};
use connector_message::code::Code;
use connector_testing::{MemoryQueue, MemorySecrets};

const NAME: &str = "connector/account/72419083";

/// A secret store that can stop answering.
#[derive(Default)]
struct Flaky {
    secrets: MemorySecrets,
    down: AtomicBool,
    asked: AtomicUsize,
}

impl Flaky {
    fn ask(&self, name: &str) -> Result<(), SecretsError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            let code = Code::internal("ThrottlingException");
            return Err(SecretsError::Unavailable { name: name.to_owned(), code });
        }
        Ok(())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Secrets for Flaky {
    async fn current(&self, name: &str) -> Result<SecretVersion, SecretsError> {
        tokio::task::yield_now().await;
        self.ask(name)?;
        self.secrets.current(name).await
    }

    async fn previous(&self, name: &str) -> Result<Option<SecretVersion>, SecretsError> {
        self.ask(name)?;
        self.secrets.previous(name).await
    }
}

/// The secret of an account, and the accounts that read it.
fn flaky(secret: &str) -> (Arc<Flaky>, Accounts) {
    let secrets = Arc::new(Flaky::default());
    secrets.secrets.put(NAME, &account_secret(secret));
    let accounts = Accounts::new(Arc::<Flaky>::clone(&secrets), "connector", &[account()]);
    (secrets, accounts)
}

#[tokio::test]
async fn a_secret_is_read_on_first_use_and_every_five_minutes_and_an_unknown_id_never() {
    let (secrets, accounts) = flaky("one");
    assert_eq!(secrets.asked(), 0);
    for (second, reads) in [(0, 1), (299, 1), (300, 2), (599, 2), (600, 3)] {
        accounts.get(&account(), at(second)).await.unwrap();
        assert_eq!(secrets.asked(), reads, "at {second}");
    }
    let stranger = AccountId::new("99999999").unwrap();
    assert_eq!(accounts.get(&stranger, at(601)).await.unwrap_err(), NotUsable::NotConfigured);
    assert_eq!(accounts.get_after_failure(&stranger, at(5000)).await.unwrap_err(), NotUsable::NotConfigured);
    assert_eq!(accounts.previous(&stranger, at(5000)).await.unwrap_err(), NotUsable::NotConfigured);
    assert_eq!(secrets.asked(), 3);
}

#[tokio::test]
async fn a_secret_that_many_need_at_once_is_read_once() {
    let (secrets, accounts) = flaky("one");
    let (account, now) = (account(), at(0));
    for second in [0, 300] {
        let before = secrets.asked();
        let all = futures::future::join_all((0..10).map(|_| accounts.get(&account, at(second)))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(secrets.asked(), before + 1);
    }
    let all = futures::future::join_all((0..10).map(|_| accounts.previous(&account, now))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(secrets.asked(), 3);
}

#[tokio::test]
async fn while_secrets_cannot_be_read_the_last_good_version_serves_and_they_are_asked_once_a_minute() {
    let (secrets, accounts) = flaky("one");
    accounts.get(&account(), at(0)).await.unwrap();
    secrets.down.store(true, Ordering::SeqCst);
    // Many requests per second with wrong signatures.
    for second in [60, 60, 60, 61, 100, 119] {
        accounts.get_after_failure(&account(), at(second)).await.unwrap();
    }
    assert_eq!(secrets.asked(), 2);
    // And requests of LiveEngage when the secret is due.
    for second in [400, 400, 401, 459] {
        accounts.get(&account(), at(second)).await.unwrap();
        accounts.get_after_failure(&account(), at(second)).await.unwrap();
    }
    assert_eq!(secrets.asked(), 3);
    secrets.down.store(false, Ordering::SeqCst);
    secrets.secrets.put(NAME, &account_secret("two"));
    let newer = accounts.get(&account(), at(460)).await.unwrap();
    assert_eq!(newer.client_secret.expose_secret(), "two", "read again as soon as it can be");
}

#[tokio::test]
async fn a_secret_that_was_never_read_is_tried_again_after_seconds() {
    let (secrets, accounts) = flaky("one");
    secrets.down.store(true, Ordering::SeqCst);
    for (second, reads) in [(0, 1), (0, 1), (4, 1), (5, 2), (9, 2)] {
        let error = accounts.get(&account(), at(second)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the secret {NAME} can't be read: ThrottlingException"));
        assert_eq!(secrets.asked(), reads, "at {second}");
    }
    for (second, reads) in [(0, 3), (4, 3), (5, 4)] {
        accounts.previous(&account(), at(second)).await.unwrap_err();
        assert_eq!(secrets.asked(), reads, "the previous version at {second}");
    }
    secrets.down.store(false, Ordering::SeqCst);
    accounts.get(&account(), at(10)).await.unwrap();
    assert!(accounts.previous(&account(), at(10)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_previous_version_that_can_no_longer_be_read_stays_in_use() {
    let (secrets, accounts) = flaky("one");
    secrets.secrets.put(NAME, &account_secret("two"));
    let previous = async |second| {
        let previous = accounts.previous(&account(), at(second)).await.unwrap();
        previous.map(|account| account.client_secret.expose_secret().to_owned())
    };
    assert_eq!(previous(0).await.as_deref(), Some("one"));
    secrets.down.store(true, Ordering::SeqCst);
    for (second, reads) in [(59, 1), (60, 2), (61, 2), (119, 2), (120, 3)] {
        assert_eq!(previous(second).await.as_deref(), Some("one"));
        assert_eq!(secrets.asked(), reads, "at {second}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_named_with_its_field_and_without_its_value() {
    let secrets = Arc::new(MemorySecrets::default());
    let get = async || {
        let accounts = Accounts::new(Arc::<MemorySecrets>::clone(&secrets), "connector", &[account()]);
        accounts.get(&account(), at(0)).await.unwrap_err().to_string()
    };
    assert_eq!(get().await, format!("there is no secret named {NAME}"));
    for (field, value, error) in [
        ("client_secret", json!(null), "client_secret: has the wrong type or form"),
        ("domain_api", json!("ftp://canary"), "domain_api: must be an https URL (http only for loopback)"),
        ("clientsecret", json!("canary"), "clientsecret: unknown field `clientsecret`"),
    ] {
        let mut secret = account_secret("canary");
        secret[field] = value;
        secrets.put(NAME, &secret);
        let shown = get().await;
        assert!(shown.starts_with(&format!("the secret {NAME}: {error}")), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    secrets.put(NAME, &json!({"account_id": "72419083", "client_id": "x"}));
    assert_eq!(get().await, format!("the secret {NAME}: the secret: missing field `client_secret`"));
}

/// The secret of another line of the same deployment is wrong or missing.
#[tokio::test]
async fn a_broken_secret_harms_its_own_line_only() {
    let secrets = Arc::new(MemorySecrets::default());
    let other = LineId::new("sms-other").unwrap();
    secrets.put("connector/line/sms-main", &line_secret("webhook-s3cret"));
    let lines = Arc::new(Lines::new(Arc::<MemorySecrets>::clone(&secrets), "connector", &[line(), other.clone()]));
    let accept = AcceptChannelRequest::new(Arc::clone(&lines), Arc::new(MemoryQueue::default()));
    let post = async |line: &str, second| {
        let request = signed("webhook-s3cret", &sms("mo-1", ANNA, "hi"), at(second));
        accept.accept(line, &request, &correlation("r"), at(second)).await
    };
    let mut wrong = line_secret("webhook-s3cret");
    wrong["sms"]["send_url"] = json!("http://gateway.example");
    for (second, secret) in [(0, None), (100, Some(&wrong))] {
        if let Some(secret) = secret {
            secrets.put("connector/line/sms-other", secret);
        }
        assert!(matches!(post("sms-main", second).await, InboundOutcome::Accepted { queued: 1, .. }));
        assert!(matches!(post("sms-other", second).await, InboundOutcome::NotVerified(_)), "at {second}");
        assert_eq!(post("sms-none", second).await, InboundOutcome::UnknownLine);
    }
    let mut right = line_secret("webhook-s3cret");
    right["line_id"] = json!("sms-other");
    secrets.put("connector/line/sms-other", &right);
    assert!(matches!(post("sms-other", 105).await, InboundOutcome::Accepted { .. }));
}

/// An account's secret can't be read when its first webhook comes.
#[tokio::test]
async fn a_webhook_is_neither_accepted_nor_refused_while_its_secret_cannot_be_read() {
    let (secrets, accounts) = flaky("client-s3cret");
    let notification = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [text("c1", 1, "a")]}});
    let accept = AcceptWebhook::new(Arc::new(accounts), Arc::new(MemoryQueue::default()));
    let (headers, body) = signed_notification("client-s3cret", &notification);
    secrets.down.store(true, Ordering::SeqCst);
    let outcome = accept.accept(&headers, &body, &correlation("r"), at(0)).await;
    assert!(matches!(outcome, WebhookOutcome::NotVerified(_)), "{outcome:?}");
    // The current version can be read, and the previous one can't.
    secrets.down.store(false, Ordering::SeqCst);
    let outcome = accept.accept(&headers, &body, &correlation("r"), at(5)).await;
    assert!(matches!(outcome, WebhookOutcome::Accepted { .. }), "{outcome:?}");
    secrets.down.store(true, Ordering::SeqCst);
    let (headers, body) = signed_notification("another-s3cret", &notification);
    let outcome = accept.accept(&headers, &body, &correlation("r"), at(6)).await;
    assert!(matches!(outcome, WebhookOutcome::NotVerified(_)), "it may be signed with the previous one: {outcome:?}");
    secrets.down.store(false, Ordering::SeqCst);
    let outcome = accept.accept(&headers, &body, &correlation("r"), at(11)).await;
    assert_eq!(outcome, WebhookOutcome::Refused(signature::VerifyError::Wrong));
}

/// It is signed with a version that can't be read, and the versions in memory don't verify it.
#[tokio::test]
async fn a_webhook_is_not_refused_while_a_newer_secret_cannot_be_read() {
    let (secrets, accounts) = flaky("one");
    let notification = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [text("c1", 1, "a")]}});
    let accept = AcceptWebhook::new(Arc::new(accounts), Arc::new(MemoryQueue::default()));
    let post = async |secret: &str, second| {
        let (headers, body) = signed_notification(secret, &notification);
        accept.accept(&headers, &body, &correlation("r"), at(second)).await
    };
    // A stranger has made the function read both versions.
    assert_eq!(post("another", 0).await, WebhookOutcome::Refused(signature::VerifyError::Wrong));
    secrets.secrets.put(NAME, &account_secret("two"));
    secrets.down.store(true, Ordering::SeqCst);
    for second in [60, 61, 100] {
        let outcome = post("two", second).await;
        assert!(matches!(outcome, WebhookOutcome::NotVerified(_)), "at {second}: {outcome:?}");
        assert!(matches!(post("one", second).await, WebhookOutcome::Accepted { .. }));
    }
    secrets.down.store(false, Ordering::SeqCst);
    assert!(matches!(post("two", 120).await, WebhookOutcome::Accepted { .. }));
    assert!(matches!(post("one", 121).await, WebhookOutcome::Accepted { .. }), "the previous one");
    assert_eq!(post("another", 181).await, WebhookOutcome::Refused(signature::VerifyError::Wrong));
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
