//! Rotates secrets under traffic in both directions. No request is refused unnecessarily, and nothing is lost or doubled.
//!
//! The code of `connector secret put` stores the secrets. The tests move the connector's own clock by the minutes after which a secret is
//! read again. Everything else uses the machine's time.

mod deployment;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use connector::{
    app::{
        inbound::AcceptChannelRequest,
        registry::{Accounts, FRESH_FOR, Lines, Registry},
        webhook::AcceptWebhook,
    },
    domain::id::LineId,
    port::Clock,
};
use connector_aws::lambda::{InboundFunction, WebhookFunction};
use connector_lab::{
    liveengage::{ConversationView, Role},
    sms_gateway, whatsapp,
};
use connector_liveengage::id::AccountId;
use connector_testing::{ManualClock, MemoryQueue, MemorySecrets};
use secrecy::SecretString;
use serde_json::json;
use tokio::task::JoinHandle;

use deployment::{ACCOUNT, Deployment, Keys, WHATSAPP};

use crate::{events, silence::Kind, steps::soon};

/// The phones that write by SMS and on WhatsApp.
const PHONES: [&str; 4] = ["+4915155701", "+4915155702", "+4915155703", "+4915155704"];

fn is_on_whatsapp(phone: &str) -> bool {
    phone > "+4915155702"
}

/// Continuous traffic: each consumer sends a text and each agent an answer, again and again, until this ends.
struct Traffic {
    deployment: Arc<Deployment>,
    /// How many texts each consumer and each agent has written.
    written: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Traffic {
    async fn start(deployment: &Arc<Deployment>) -> Self {
        for phone in PHONES {
            consumer_writes(deployment, phone, 0);
        }
        let mut changes = deployment.liveengage.subscribe();
        soon("all conversations are open", async {
            while conversations(deployment).len() < PHONES.len() {
                let _ = changes.recv().await;
            }
        })
        .await;
        let (written, ends) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicBool::new(false)));
        let task = tokio::spawn(write(Arc::clone(deployment), Arc::clone(&written), Arc::clone(&ends)));
        Self { deployment: Arc::clone(deployment), written, ends, task }
    }

    /// Waits until everybody has written some more.
    async fn flow(&self) {
        let wanted = self.written.load(Ordering::SeqCst) + 3;
        until("more is written", || self.written.load(Ordering::SeqCst) >= wanted).await;
    }

    /// Ends the traffic, waits until everything has arrived, and checks that nothing is lost, doubled or out of order.
    async fn end(self) {
        self.ends.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        let count = self.written.load(Ordering::SeqCst);
        let deployment = &self.deployment;
        let everything = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(200));
            let is_there = || {
                PHONES.iter().all(|phone| {
                    at_desk(deployment, phone).len() >= count && on_phone(deployment, phone).len() >= count - 1
                })
            };
            while !is_there() {
                ticks.tick().await;
            }
            deployment.settled().await;
        };
        if tokio::time::timeout(Duration::from_secs(120), everything).await.is_err() {
            let shown: Vec<_> = PHONES
                .iter()
                .map(|phone| (at_desk(deployment, phone).len(), on_phone(deployment, phone).len()))
                .collect();
            panic!("of {count} texts each way arrived {shown:?}");
        }
        for phone in PHONES {
            deployment.watch.plant(Kind::Number, phone);
            let said = [at_desk(deployment, phone), on_phone(deployment, phone)].concat();
            deployment.watch.plant_all(Kind::Text, said.iter().map(String::as_str));
            let texts =
                |of: &str, from| (from..count).map(|number| format!("{of} {phone} {number}")).collect::<Vec<_>>();
            assert_eq!(at_desk(deployment, phone), texts("from", 0));
            assert_eq!(on_phone(deployment, phone), texts("to", 1));
        }
    }
}

async fn write(deployment: Arc<Deployment>, written: Arc<AtomicUsize>, ends: Arc<AtomicBool>) {
    let ids: BTreeMap<_, _> = conversations(&deployment).into_iter().map(|(phone, view)| (phone, view.id)).collect();
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    while !ends.load(Ordering::SeqCst) {
        ticks.tick().await;
        let number = written.load(Ordering::SeqCst);
        for phone in PHONES {
            consumer_writes(&deployment, phone, number);
            deployment.liveengage.say(&ids[phone], &format!("to {phone} {number}")).unwrap();
        }
        written.store(number + 1, Ordering::SeqCst);
    }
}

fn consumer_writes(deployment: &Deployment, phone: &str, number: usize) {
    let text = format!("from {phone} {number}");
    if is_on_whatsapp(phone) {
        deployment.whatsapp.consumer_sends(phone, &text).unwrap();
    } else {
        deployment.gateway.consumer_sends(phone, &text).unwrap();
    }
}

fn consumer_texts(view: &ConversationView) -> Vec<String> {
    view.transcript.iter().filter(|line| line.who == Role::Consumer).map(|line| line.text.clone()).collect()
}

/// Returns the conversations of the phones whose first text has arrived.
fn conversations(deployment: &Deployment) -> BTreeMap<&'static str, ConversationView> {
    let phone_of = |view: &ConversationView| {
        let first = consumer_texts(view).first().cloned()?;
        PHONES.into_iter().find(|phone| first.contains(phone))
    };
    let all = deployment.liveengage.conversations();
    all.into_iter().filter_map(|view| Some((phone_of(&view)?, view))).collect()
}

fn at_desk(deployment: &Deployment, phone: &str) -> Vec<String> {
    conversations(deployment).get(phone).map(consumer_texts).unwrap_or_default()
}

fn on_phone(deployment: &Deployment, phone: &str) -> Vec<String> {
    if is_on_whatsapp(phone) {
        let all = deployment.whatsapp.transcript(phone);
        let to_phone = all.iter().filter(|message| message.direction == whatsapp::Direction::ToPhone);
        to_phone.map(|message| message.text().to_owned()).collect()
    } else {
        let all = deployment.gateway.transcript(phone);
        let to_phone = all.into_iter().filter(|message| message.direction == sms_gateway::Direction::ToPhone);
        to_phone.map(|message| message.text().to_owned()).collect()
    }
}

/// Posts forged requests to both entry points until this is dropped.
struct Strangers {
    posted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Strangers {
    fn start(deployment: &Deployment) -> Self {
        let posted = Arc::new(AtomicUsize::new(0));
        let (api, count) = (deployment.api_url.clone(), Arc::clone(&posted));
        let task = tokio::spawn(async move {
            let client = connector_aws::outgoing_http::client().unwrap();
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                let webhook = client
                    .post(format!("{api}/webhooks/liveengage"))
                    .header("x-liveperson-account-id", ACCOUNT)
                    .header("x-liveperson-client-id", "c1d0f3a4-app")
                    .header("x-liveperson-signature", format!("sha1={}=", "A".repeat(27)));
                let meta = client
                    .post(format!("{api}/channels/{WHATSAPP}"))
                    .header("x-hub-signature-256", format!("sha256={}", "a".repeat(64)));
                for forged in [webhook, meta] {
                    assert_eq!(forged.body("{}").send().await.unwrap().status().as_u16(), 401);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { posted, task }
    }

    /// Waits until strangers have called both entry points with requests that began after this call.
    async fn call(&self) {
        let wanted = self.posted.load(Ordering::SeqCst) + 4;
        until("strangers call", || self.posted.load(Ordering::SeqCst) >= wanted).await;
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes the senders sign with other keys from now on.
fn sign_with(deployment: &Deployment, keys: &Keys) {
    deployment.liveengage.set_client_secret(ACCOUNT, keys.client_secret.clone());
    deployment.gateway.set_webhook_secret(keys.webhook_secret.clone());
    deployment.whatsapp.set_app_secret(keys.app_secret.clone());
}

/// Makes the called sides accept the tokens of these keys.
fn take(deployment: &Deployment, keys: &[&Keys]) {
    let all = |of: fn(&Keys) -> &SecretString| keys.iter().map(|keys| of(keys).clone()).collect();
    deployment.liveengage.set_client_secrets_at_sentinel(ACCOUNT, all(|keys| &keys.client_secret));
    deployment.gateway.set_api_tokens(all(|keys| &keys.bearer_token));
    deployment.whatsapp.set_access_tokens(all(|keys| &keys.access_token));
}

/// Returns the numbers of refused webhooks of LiveEngage, of the gateway and of WhatsApp.
fn refused_webhooks(deployment: &Deployment) -> [usize; 3] {
    [("liveengage", "webhook"), ("gateway", "inbound"), ("whatsapp", "inbound")]
        .map(|(from, to)| deployment.refused(from, to))
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    soon(what, async {
        while !is_so() {
            ticks.tick().await;
        }
    })
    .await;
}

/// Runs the functions over in-memory ports, on one thread.
#[tokio::test]
async fn the_log_says_when_a_newer_secret_is_in_use_and_who_still_signs_with_the_old_one() {
    let watch = crate::silence::Watch::begin();
    let secrets = Arc::new(MemorySecrets::default());
    secrets.put("connector/account/72419083", &events::account_secret());
    secrets.put("connector/line/sms-main", &events::line_secret());
    let (account, line) = (AccountId::new(events::ACCOUNT).unwrap(), LineId::new(events::LINE).unwrap());
    let port = || Arc::<MemorySecrets>::clone(&secrets);
    let (now, queue) = (events::now(), Arc::new(MemoryQueue::default()));
    let accounts: Arc<Accounts> = Arc::new(Registry::new(port(), "connector", std::slice::from_ref(&account)));
    let lines: Arc<Lines> = Arc::new(Registry::new(port(), "connector", std::slice::from_ref(&line)));
    let clock = Arc::new(ManualClock::at(now));
    let webhook = WebhookFunction::new(
        AcceptWebhook::new(Arc::clone(&accounts), Arc::<MemoryQueue>::clone(&queue)),
        Arc::<ManualClock>::clone(&clock),
    );
    let inbound =
        InboundFunction::new(AcceptChannelRequest::new(Arc::clone(&lines), queue), Arc::<ManualClock>::clone(&clock));
    accounts.get(&account, now).await.unwrap();
    lines.get(&line, now).await.unwrap();
    let (mut newer_account, mut newer_line) = (events::account_secret(), events::line_secret());
    newer_account["client_secret"] = json!("newer-client-secret-h5d2");
    newer_line["sms"]["webhook_secret"] = json!("newer-webhook-secret-n8w4");
    watch.plant_all(Kind::Secret, ["newer-client-secret-h5d2", "newer-webhook-secret-n8w4", events::CLIENT_SECRET]);
    watch.plant(Kind::Secret, events::WEBHOOK_SECRET);
    secrets.put("connector/account/72419083", &newer_account);
    secrets.put("connector/line/sms-main", &newer_line);
    clock.advance(FRESH_FOR);

    let logs = crate::silence::capture();
    let notification = events::body(&events::event("webhook-text.json"));
    let sms = events::body(&events::event("inbound-text.json"));
    let signed_at = Clock::now(&*clock);
    let counts = async |of_account: &str, of_line: &str| {
        let request =
            |event: serde_json::Value| connector_aws::lambda::gateway_event::request(&event.to_string()).unwrap();
        let answers = [
            webhook.handle(request(events::webhook_with(&notification, of_account))).await.unwrap().status(),
            inbound.handle(request(events::inbound_with(&sms, of_line, signed_at))).await.unwrap().status(),
        ];
        assert_eq!(answers.map(|status| status.as_u16()), [200, 200]);
        let text = logs.text();
        [("secret.replaced", ""), ("secret.previous_used", "\"account\""), ("secret.previous_used", "\"line\"")]
            .map(|(event, field)| text.lines().filter(|line| line.contains(event) && line.contains(field)).count())
    };
    assert_eq!(counts(events::CLIENT_SECRET, events::WEBHOOK_SECRET).await, [2, 1, 1]);
    assert_eq!(counts(events::CLIENT_SECRET, events::WEBHOOK_SECRET).await, [2, 2, 2]);
    assert_eq!(counts("newer-client-secret-h5d2", "newer-webhook-secret-n8w4").await, [2, 2, 2]);
}

async fn within<T>(limit: u64, test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(limit), test).await.expect("it takes too long")
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_connector_first_no_webhook_and_no_call_is_refused_in_a_rotation() {
    within(240, async {
        let (old, new) = (Keys::named("old"), Keys::named("new"));
        let deployment = Arc::new(Deployment::start(&old).await);
        let strangers = Strangers::start(&deployment);
        let traffic = Traffic::start(&deployment).await;
        traffic.flow().await;
        // The other side first accepts the new tokens, and later revokes the old ones.
        take(&deployment, &[&old, &new]);
        deployment.put(&new).await;
        strangers.call().await;
        traffic.flow().await;
        let at_first = deployment.reads();
        deployment.pass(300);
        traffic.flow().await;
        strangers.call().await;
        let again = deployment.reads();
        assert!(again[0] > at_first[0] && again[1] > at_first[1], "five minutes later they are read again");
        deployment.liveengage.expire_tokens();
        traffic.flow().await;
        sign_with(&deployment, &new);
        traffic.flow().await;
        take(&deployment, &[&new]);
        deployment.liveengage.expire_tokens();
        strangers.call().await;
        traffic.flow().await;
        traffic.end().await;
        assert_eq!(refused_webhooks(&deployment), [0, 0, 0]);
        assert_eq!((deployment.refused("to-channel", "gateway"), deployment.refused("to-channel", "whatsapp")), (0, 0));
        deployment.reads();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_switches_a_minute_after_the_put_is_not_refused_either() {
    within(240, async {
        let (old, new) = (Keys::named("old"), Keys::named("new"));
        let deployment = Arc::new(Deployment::start(&old).await);
        let strangers = Strangers::start(&deployment);
        let traffic = Traffic::start(&deployment).await;
        take(&deployment, &[&old, &new]);
        deployment.put(&new).await;
        traffic.flow().await;
        deployment.pass(60);
        strangers.call().await;
        traffic.flow().await;
        assert!(deployment.reads()[0] >= 2, "a stranger's signature makes it be read");
        sign_with(&deployment, &new);
        traffic.flow().await;
        traffic.end().await;
        assert_eq!(refused_webhooks(&deployment), [0, 0, 0]);
        assert!(deployment.reads()[1] >= 2, "where no stranger has called, the gateway's first one does");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_sender_first_its_webhooks_wait_for_the_put_and_nothing_is_lost_or_doubled() {
    within(240, async {
        let (old, new) = (Keys::named("old"), Keys::named("new"));
        let deployment = Arc::new(Deployment::start(&old).await);
        let traffic = Traffic::start(&deployment).await;
        traffic.flow().await;
        take(&deployment, &[&new]);
        let refused = |from, to| deployment.refused(from, to) > 0;
        until("both channels refuse the old token", || {
            refused("to-channel", "gateway") && refused("to-channel", "whatsapp")
        })
        .await;
        // The gateway doesn't repeat refused webhooks, so their key stays the same.
        deployment.liveengage.set_client_secret(ACCOUNT, new.client_secret.clone());
        deployment.whatsapp.set_app_secret(new.app_secret.clone());
        deployment.liveengage.expire_tokens();
        until("webhooks are refused", || refused("liveengage", "webhook") && refused("whatsapp", "inbound")).await;
        traffic.flow().await;
        deployment.put(&new).await;
        deployment.pass(300);
        traffic.flow().await;
        traffic.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_rolled_back_under_traffic_and_nothing_is_refused() {
    within(240, async {
        let (old, new) = (Keys::named("old"), Keys::named("new"));
        let deployment = Arc::new(Deployment::start(&old).await);
        let traffic = Traffic::start(&deployment).await;
        take(&deployment, &[&old, &new]);
        deployment.put(&new).await;
        deployment.pass(60);
        sign_with(&deployment, &new);
        traffic.flow().await;
        // As `connector secret rollback` does, store the previous version again.
        deployment.put(&old).await;
        deployment.pass(300);
        traffic.flow().await;
        sign_with(&deployment, &old);
        traffic.flow().await;
        take(&deployment, &[&old]);
        deployment.liveengage.expire_tokens();
        traffic.flow().await;
        traffic.end().await;
        assert_eq!(refused_webhooks(&deployment), [0, 0, 0]);
        assert_eq!((deployment.refused("to-channel", "gateway"), deployment.refused("to-channel", "whatsapp")), (0, 0));
    })
    .await;
}
