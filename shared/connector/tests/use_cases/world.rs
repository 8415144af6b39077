//! A connector with its accounts, lines and state in memory, and the two simulated other sides.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

use super::ports::{Crash, Ports};
pub(super) use super::{
    messages::{agent_says, change, conversation_change, conversation_id, event, from_channel, from_consumer},
    other_side::{Fault, OtherSide, TheirConversation, reply},
};
use connector::{
    app::{
        delivery::{Attempt, RetryLater, TimeScale},
        liveengage_client::LiveEngage,
        registry::{Accounts, Lines, Registry},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        worker::WorkerPorts,
    },
    domain::{
        conversation::{Consumer, Conversation},
        delivery::ConsumerRef,
        id::{LineId, Owner},
    },
    port::{Clock, Consumers, Http, Ledger, Messages, Tokens},
    queue_message::Received,
};
use connector_channels::id::ChannelUserId;
use connector_liveengage::id::AccountId;
use connector_testing::{MemoryQueue, MemorySecrets, MemoryStore, ScriptedHttp};

pub(super) const DOMAIN_API: &str = "LiveEngage Domain API";
pub(super) const SENTINEL: &str = "LiveEngage Sentinel";
pub(super) const CONVERSATION: &str = "LiveEngage CONVERSATION";
pub(super) const HISTORY: &str = "LiveEngage history events";
pub(super) const HISTORY_CONVERSATIONS: &str = "LiveEngage history conversations";
pub(super) const PROFILE: &str = "LiveEngage agent profile";
pub(super) const ENGAGEMENT: &str = "LiveEngage engagement";
pub(super) const SEND: &str = "LiveEngage SEND";
pub(super) const SMS: &str = "SMS gateway send";

/// Meta's id of the phone number of [`World::on_whatsapp`].
pub(super) const PHONE_NUMBER_ID: &str = "118240097715334";

/// The consumer of most tests.
pub(super) const ANNA: &str = "+491713920017";
/// Another consumer.
pub(super) const BEN: &str = "+491713920034";

pub(super) fn account() -> AccountId {
    AccountId::new("72419083").unwrap()
}
pub(super) fn line() -> LineId {
    LineId::new("sms-main").unwrap()
}
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}
pub(super) fn who(user: &str) -> ConsumerRef {
    ConsumerRef { line: line(), user: ChannelUserId::new(user).unwrap() }
}
pub(super) fn owner(name: impl std::fmt::Display) -> Owner {
    Owner::new(name.to_string()).unwrap()
}

/// Returns an attempt that begins at `second` and has 30 s.
pub(super) fn attempt(name: impl std::fmt::Display, second: i64) -> Attempt {
    Attempt {
        owner: owner(name),
        now: at(second),
        deadline: at(second + 30),
        received: 1,
        time_scale: TimeScale::TEMPLATE,
    }
}

/// The connector with its surroundings.
pub(super) struct World {
    pub(super) store: Arc<MemoryStore>,
    pub(super) http: Arc<ScriptedHttp>,
    pub(super) secrets: Arc<MemorySecrets>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) lines: Arc<Lines>,
    /// The messages that the workers send each other, over both queues.
    pub(super) news: Arc<MemoryQueue>,
    other: Arc<Mutex<OtherSide>>,
}

/// The two workers of one process.
pub(super) struct Workers {
    pub(super) to_liveengage: ToLiveEngageWorker,
    pub(super) to_channel: ToChannelWorker,
}

/// The worker to LiveEngage, which takes bodies of queue messages like its function.
#[derive(Debug)]
pub(super) struct ToLiveEngageWorker(DeliverToLiveEngage);

/// The worker to the channels, likewise.
#[derive(Debug)]
pub(super) struct ToChannelWorker(DeliverToChannel);

macro_rules! takes_bodies {
    ($($worker:ty),+) => {$(
        impl $worker {
            pub(super) async fn work(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
                self.0.work(&Received::one(body), attempt).await
            }

            pub(super) async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
                self.0.give_up(body, attempt).await
            }
        }
    )+};
}

takes_bodies!(ToLiveEngageWorker, ToChannelWorker);

pub(super) fn account_secret(client_secret: &str) -> Value {
    json!({"account_id": "72419083", "client_id": "5b8e1f40", "client_secret": client_secret})
}

pub(super) fn line_secret(webhook_secret: &str) -> Value {
    json!({
        "line_id": "sms-main", "account_id": "72419083", "channel": "sms", "consumer_id_key": "7c".repeat(32),
        "sms": {
            "from": "+493023125042", "send_url": "https://gateway.example/v1/messages",
            "bearer_token": "bearer-t0k3n", "webhook_secret": webhook_secret,
        },
    })
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(&json!({})).await
    }

    /// Creates a world whose line has these additional settings.
    pub(super) async fn with(settings: &Value) -> Self {
        let secrets = Arc::new(MemorySecrets::default());
        secrets.put("connector/account/72419083", &account_secret("client-s3cret"));
        let mut line_secret = line_secret("webhook-s3cret");
        for (field, value) in settings.as_object().unwrap() {
            match (value, &mut line_secret[field]) {
                (Value::Object(more), Value::Object(known)) => known.extend(more.clone()),
                (value, known) => *known = value.clone(),
            }
        }
        secrets.put("connector/line/sms-main", &line_secret);
        let other = Arc::<Mutex<OtherSide>>::default();
        let answering = Arc::clone(&other);
        let accounts = Registry::new(Arc::<MemorySecrets>::clone(&secrets), "connector", &[account()]);
        let lines = Registry::new(Arc::<MemorySecrets>::clone(&secrets), "connector", &[line()]);
        Self {
            store: Arc::default(),
            http: Arc::new(ScriptedHttp::new(move |call| answering.lock().answer(call))),
            secrets,
            accounts: Arc::new(accounts),
            lines: Arc::new(lines),
            news: Arc::default(),
            other,
        }
    }

    /// Creates a world with a line of WhatsApp.
    pub(super) async fn on_whatsapp() -> Self {
        let secrets = Arc::new(MemorySecrets::default());
        let secret = json!({
            "line_id": "sms-main", "account_id": "72419083", "channel": "whatsapp", "consumer_id_key": "7c".repeat(32),
            "whatsapp": {
                "phone_number_id": PHONE_NUMBER_ID, "access_token": "EAAtok3n", "app_secret": "app-s3cret",
                "verify_token": "v3rify",
            },
        });
        secrets.put("connector/line/sms-main", &secret);
        let lines = Registry::new(Arc::<MemorySecrets>::clone(&secrets), "connector", &[line()]);
        Self { secrets, lines: Arc::new(lines), ..Self::new().await }
    }

    pub(super) fn other(&self) -> MutexGuard<'_, OtherSide> {
        self.other.lock()
    }

    pub(super) fn fault(&self, call: &'static str, fault: Fault) {
        self.other().faults.push((call, fault));
    }

    /// Returns the names of the HTTP calls so far.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.http.calls().iter().map(|call| call.name).collect()
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.calls().iter().filter(|call| **call == name).count()
    }

    /// Creates the workers of a new process.
    pub(super) fn workers(&self) -> Workers {
        self.workers_over(Arc::<MemoryStore>::clone(&self.store), Arc::<ScriptedHttp>::clone(&self.http))
    }

    /// Creates the workers of a new process whose outside calls go through `ports`.
    pub(super) fn workers_with(&self, ports: &Arc<Ports>) -> Workers {
        self.workers_over(Arc::clone(ports), Arc::<Ports>::clone(ports))
    }

    pub(super) fn ports(&self, crash: Option<Crash>) -> Arc<Ports> {
        Arc::new(Ports::new(Arc::clone(&self.store), Arc::<ScriptedHttp>::clone(&self.http), crash))
    }

    pub(super) fn workers_over<S>(&self, store: Arc<S>, http: Arc<dyn Http>) -> Workers
    where
        S: Consumers + Messages + Ledger + Tokens + 'static,
    {
        self.workers_at(store, http, early())
    }

    /// Creates the workers of a new process with these ports and this clock.
    pub(super) fn workers_at<S>(&self, store: Arc<S>, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Workers
    where
        S: Consumers + Messages + Ledger + Tokens + 'static,
    {
        let liveengage =
            Arc::new(LiveEngage::new(Arc::clone(&self.accounts), Arc::<S>::clone(&store), Arc::clone(&http)));
        let ports = WorkerPorts {
            consumers: Arc::<S>::clone(&store),
            messages: Arc::<S>::clone(&store),
            ledger: store,
            http,
            to_liveengage: Arc::<MemoryQueue>::clone(&self.news),
            to_channel: Arc::<MemoryQueue>::clone(&self.news),
            clock,
        };
        Workers {
            to_liveengage: ToLiveEngageWorker(DeliverToLiveEngage::new(
                Arc::clone(&self.lines),
                Arc::clone(&liveengage),
                ports.clone(),
            )),
            to_channel: ToChannelWorker(DeliverToChannel::new(Arc::clone(&self.lines), liveengage, ports)),
        }
    }

    pub(super) async fn consumer(&self, user: &str) -> Consumer {
        self.store.consumer(&who(user)).await.unwrap().unwrap()
    }

    /// Delivers the notifications of conversations that LiveEngage has not sent yet.
    pub(super) async fn receive_notification(&self, second: i64) {
        let news = std::mem::take(&mut self.other().news);
        for task in news {
            self.workers().to_channel.work(&task, &attempt("news", second)).await.unwrap();
        }
    }

    /// Delivers the notifications of the consumers' own messages that LiveEngage has not sent yet.
    pub(super) async fn receive_echoes(&self, second: i64) {
        let echoes = std::mem::take(&mut self.other().echoes);
        for task in echoes {
            self.workers().to_channel.work(&task, &attempt("echo", second)).await.unwrap();
        }
    }

    /// Creates a world in which a first text of `user` has opened the conversation `c1`, and clears the records of those calls.
    pub(super) async fn talking(user: &str) -> Self {
        Self::talking_with(user, &json!({})).await
    }

    /// Like [`Self::talking`], with these additional settings of the line.
    pub(super) async fn talking_with(user: &str, settings: &Value) -> Self {
        let world = Self::with(settings).await;
        world
            .workers()
            .to_liveengage
            .work(&from_consumer("mo-hello", user, "hello"), &attempt("hello", 0))
            .await
            .unwrap();
        let consumer = world.consumer(user).await;
        assert!(matches!(consumer.conversation, Conversation::Open { .. }));
        let mut other = world.other();
        other.texts.clear();
        other.requests.clear();
        other.news.clear();
        other.echoes.clear();
        drop(other);
        world
    }
}

impl Workers {
    /// Retries a message to LiveEngage until it is off the queue, after the waits that the attempts ask for. Delivers LiveEngage's
    /// notifications between attempts.
    pub(super) async fn insist(&self, world: &World, task: &str, mut second: i64) -> i64 {
        for received in 1..40 {
            let attempt = Attempt { received, ..attempt(format!("insist-{second}"), second) };
            match self.to_liveengage.work(task, &attempt).await {
                Ok(()) => return second,
                Err(RetryLater { after }) => second += after.as_secs().max(1),
            }
            world.receive_notification(second).await;
        }
        panic!("not delivered in 40 attempts");
    }
}

pub(super) fn again(seconds: i64) -> Result<(), RetryLater> {
    Err(RetryLater { after: SignedDuration::from_secs(seconds) })
}

/// Returns a clock before every deadline, for tests that don't run out of time.
fn early() -> Arc<dyn Clock> {
    Arc::new(connector_testing::ManualClock::at(Timestamp::UNIX_EPOCH))
}
