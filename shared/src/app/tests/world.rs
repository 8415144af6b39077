//! A connector with its accounts, lines and state in memory, and the two other sides that it talks to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ports::{Death, Ports};
use crate::{
    app::{
        delivery::{Attempt, RetryLater, TimeScale},
        liveengage_client::LiveEngage,
        registry::{Accounts, Lines, Registry},
        to_channel::DeliverToChannel,
        to_liveengage::{DeliverToLiveEngage, WorkerPorts},
    },
    domain::{
        conversation::{Consumer, Conversation},
        delivery::ConsumerRef,
        http::{HttpCall, HttpFailure, HttpReply},
        id::{AccountId, ChannelUserId, ConversationId, LineId, Owner},
    },
    port::{Clock, Consumers, Http, Ledger, Messages, Tokens},
    testing::{MemoryQueue, MemorySecrets, MemoryStore, ScriptedHttp},
};

pub(super) const DOMAIN_API: &str = "LiveEngage Domain API";
pub(super) const SENTINEL: &str = "LiveEngage Sentinel";
pub(super) const CONVERSATION: &str = "LiveEngage CONVERSATION";
pub(super) const SEND: &str = "LiveEngage SEND";
pub(super) const SMS: &str = "SMS gateway send";

/// Meta's id of the number of [`World::on_whatsapp`].
pub(super) const PHONE_NUMBER_ID: &str = "118240097715334";

/// The person of most tests.
pub(super) const ANNA: &str = "+491713920017";
/// Somebody else.
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

/// One attempt that begins at `second` and may take the 30 s of a worker.
pub(super) fn attempt(name: impl std::fmt::Display, second: i64) -> Attempt {
    Attempt {
        owner: owner(name),
        now: at(second),
        deadline: at(second + 30),
        received: 1,
        time_scale: TimeScale::TEMPLATE,
    }
}

/// What a call meets instead of a working other side.
pub(super) enum Fault {
    /// None: the call before the one with a fault.
    Nothing,
    /// An answer with this status and body; nothing is carried out.
    Answer(u16, Value),
    /// It is carried out, and the answer gets lost.
    LoseAnswer,
    /// It is carried out, and the answer has this status and says nothing.
    CarryOutAndAnswer(u16),
    /// Something in between answers 200 with a page of its own; nothing is carried out.
    Page,
    /// No connection.
    NotSent,
}

pub(super) struct TheirConversation {
    pub(super) id: String,
    consumer: String,
    open: bool,
    /// The dialog of the survey that runs in it: then the main dialog is closed.
    survey: Option<String>,
}

impl TheirConversation {
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }
}

/// LiveEngage and the SMS gateway.
#[derive(Default)]
pub(super) struct OtherSide {
    pub(super) conversations: Vec<TheirConversation>,
    /// Texts that LiveEngage published, with their conversations.
    pub(super) texts: Vec<(String, String)>,
    /// Texts that the gateway took, with their references.
    pub(super) sms: Vec<(String, String)>,
    pub(super) faults: Vec<(&'static str, Fault)>,
    /// Messages that WhatsApp took.
    pub(super) whatsapp: Vec<Value>,
    /// The requests of SEND, as they came.
    pub(super) requests: Vec<Value>,
    /// Files in LivePerson's storage and at the gateway, by path.
    pub(super) files: HashMap<String, Vec<u8>>,
    /// Notifications of conversations that LiveEngage has not sent yet.
    pub(super) news: Vec<String>,
    /// Notifications of the consumers' own messages that LiveEngage has not sent yet.
    pub(super) echoes: Vec<String>,
    /// What LiveEngage says of a closed conversation, where it is not what is documented.
    pub(super) closed_words: Option<&'static str>,
    /// Whether LiveEngage closes each conversation as soon as it is open.
    pub(super) closes_at_once: bool,
    /// How many events LiveEngage has published.
    published: u64,
    app_jwts: usize,
    consumers: HashMap<String, String>,
}

impl OtherSide {
    fn answer(&mut self, call: &HttpCall) -> Result<HttpReply, HttpFailure> {
        let fault = self.faults.iter().position(|(name, _)| *name == call.name).map(|at| self.faults.remove(at).1);
        match fault {
            Some(Fault::NotSent) => Err(HttpFailure::NotSent),
            Some(Fault::Answer(status, body)) => Ok(reply(status, &body)),
            Some(Fault::LoseAnswer) => {
                self.carry_out(call);
                Err(HttpFailure::Unanswered)
            }
            Some(Fault::Page) => Ok(HttpReply { body: "<html>Back soon</html>".into(), ..reply(200, &json!({})) }),
            Some(Fault::CarryOutAndAnswer(status)) => {
                self.carry_out(call);
                Ok(reply(status, &json!({})))
            }
            Some(Fault::Nothing) | None => Ok(self.carry_out(call)),
        }
    }

    fn carry_out(&mut self, call: &HttpCall) -> HttpReply {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let header = |name: &str| call.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        match call.name {
            DOMAIN_API => reply(200, &hosts()),
            SENTINEL => {
                self.app_jwts += 1;
                reply(200, &json!({"access_token": format!("app-jwt-{}", self.app_jwts), "expires_in": 36_000}))
            }
            "LiveEngage IDP" => {
                let ext = body["ext_consumer_id"].as_str().unwrap();
                let lp = format!("lp-{}", &ext[..16]);
                let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": lp}).to_string());
                let token = format!("e30.{claims}.c2ln");
                self.consumers.insert(token.clone(), lp);
                reply(201, &json!({"token": token}))
            }
            CONVERSATION => {
                let consumer = self.consumers[&header("x-lp-on-behalf").unwrap()].clone();
                if self.conversations.iter().any(|known| known.open && known.consumer == consumer) {
                    let refused = json!([
                        {"code": "OK", "body": {"msg": "OK User Profile set successfully"}},
                        {"code": "BAD_REQUEST", "body": {"msg": format!("User {consumer} already has open conversation")}},
                    ]);
                    return reply(400, &refused);
                }
                let id = format!("c{}", self.conversations.len() + 1);
                self.news.push(conversation_change(&id, Some(&consumer), "OPEN", 2));
                let open = !self.closes_at_once;
                self.conversations.push(TheirConversation { id: id.clone(), consumer, open, survey: None });
                reply(200, &json!([{"code": "OK", "body": {}}, {"code": "OK", "body": {"conversationId": id}}]))
            }
            SEND if body["type"] == "userprofile.SetUserProfile" => {
                self.requests.push(body);
                reply(200, &json!({"code": "OK", "body": {"msg": "OK User Profile set successfully"}}))
            }
            SEND if body["type"].as_str().is_some_and(|name| name.starts_with("ms.GenerateURLFor")) => {
                let path = body["body"]["relativePath"].as_str().unwrap_or("/v1/files/72419083/new").to_owned();
                self.requests.push(body);
                let query = json!({"temp_url_sig": "5167", "temp_url_expires": "1800000060"});
                reply(200, &json!({"code": "OK", "body": {"relativePath": path, "queryParams": query}}))
            }
            SEND if body["type"] == "cm.UpdateConversationField" => {
                let id = body["body"]["conversationId"].as_str().unwrap().to_owned();
                if body["body"]["conversationField"]["field"] != "CSATRate" {
                    self.close(&id);
                }
                self.requests.push(body);
                reply(200, &json!({"code": "OK", "body": {"msg": "OK Conversation resolved successfully"}}))
            }
            "LiveEngage file upload" => {
                assert_eq!(header("authorization"), None, "the storage must not see the token");
                self.files.insert(call.url.path().to_owned(), call.body.to_vec());
                reply(201, &json!({}))
            }
            "LiveEngage file download" | "SMS gateway media" => match self.files.get(call.url.path()) {
                Some(file) => HttpReply { body: file.clone().into(), ..reply(200, &json!({})) },
                None => reply(404, &json!({})),
            },
            SEND => {
                let id = body["body"]["conversationId"].as_str().unwrap().to_owned();
                self.requests.push(body.clone());
                let dialog = body["body"]["dialogId"].as_str().unwrap();
                let takes = |known: &TheirConversation| known.survey.as_deref().unwrap_or(&known.id) == dialog;
                if !self.conversations.iter().any(|known| known.open && known.id == id && takes(known)) {
                    let words = self.closed_words.unwrap_or("Bad Request, Conversation is close");
                    return reply(400, &json!({"code": "BAD_REQUEST", "body": {"msg": words}}));
                }
                if body["body"]["event"]["type"] == "ChatStateEvent" {
                    return reply(200, &json!({"code": "OK", "body": {"sequence": 0}}));
                }
                self.published += 1;
                let content = &body["body"]["event"];
                let echo = event(&id, self.published, "CONSUMER", "ALL", content);
                self.echoes.push(change("ms.MessagingEventNotification", 0, &echo));
                if let Some(text) = content["message"].as_str() {
                    self.texts.push((id, text.to_owned()));
                }
                reply(200, &json!({"code": "OK", "body": {"sequence": self.published}}))
            }
            SMS => {
                let field = |name: &str| body[name].as_str().unwrap().to_owned();
                self.sms.push((field("text"), field("client_reference")));
                reply(201, &json!({"id": format!("mt-{}", self.sms.len())}))
            }
            "WhatsApp upload" => reply(200, &json!({"id": "640011"})),
            "WhatsApp send" => {
                self.whatsapp.push(body);
                reply(200, &json!({"messages": [{"id": format!("wamid.OUT{}", self.whatsapp.len())}]}))
            }
            other => panic!("an unknown call: {other}"),
        }
    }

    pub(super) fn close(&mut self, id: &str) {
        for known in self.conversations.iter_mut().filter(|known| known.id == id) {
            known.open = false;
        }
    }

    /// The main dialog ends, and a survey begins in this one.
    pub(super) fn begin_survey(&mut self, id: &str, dialog: &str) {
        for known in self.conversations.iter_mut().filter(|known| known.id == id) {
            known.survey = Some(dialog.to_owned());
        }
    }

    pub(super) fn sms_texts(&self) -> Vec<&str> {
        self.sms.iter().map(|(text, _)| text.as_str()).collect()
    }
}

pub(super) fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

pub(super) fn hosts() -> Value {
    json!({"baseURIs": [
        {"service": "asyncMessagingEnt", "baseURI": "msg.liveengage.example"},
        {"service": "sentinel", "baseURI": "sentinel.liveengage.example"},
        {"service": "idp", "baseURI": "idp.liveengage.example"},
        {"service": "swift", "baseURI": "swift.liveengage.example"},
    ]})
}

/// The connector, and what is around it.
pub(super) struct World {
    pub(super) store: Arc<MemoryStore>,
    pub(super) http: Arc<ScriptedHttp>,
    pub(super) secrets: Arc<MemorySecrets>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) lines: Arc<Lines>,
    /// What the workers send each other, over both queues.
    pub(super) news: Arc<MemoryQueue>,
    other: Arc<Mutex<OtherSide>>,
}

/// The two workers, as one process has them.
pub(super) struct Workers {
    pub(super) to_liveengage: DeliverToLiveEngage,
    pub(super) to_channel: DeliverToChannel,
}

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

    /// A world whose line has these settings, too.
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
        let accounts = Registry::load(Arc::<MemorySecrets>::clone(&secrets), "connector", &[account()], at(0)).await;
        let lines = Registry::load(Arc::<MemorySecrets>::clone(&secrets), "connector", &[line()], at(0)).await;
        Self {
            store: Arc::default(),
            http: Arc::new(ScriptedHttp::new(move |call| answering.lock().unwrap().answer(call))),
            secrets,
            accounts: Arc::new(accounts.unwrap()),
            lines: Arc::new(lines.unwrap()),
            news: Arc::default(),
            other,
        }
    }

    /// A world whose line is one of WhatsApp.
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
        let lines = Registry::load(Arc::<MemorySecrets>::clone(&secrets), "connector", &[line()], at(0)).await;
        Self { secrets, lines: Arc::new(lines.unwrap()), ..Self::new().await }
    }

    pub(super) fn other(&self) -> MutexGuard<'_, OtherSide> {
        self.other.lock().unwrap()
    }

    pub(super) fn fault(&self, call: &'static str, fault: Fault) {
        self.other().faults.push((call, fault));
    }

    /// The names of the HTTP calls so far.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.http.calls().iter().map(|call| call.name).collect()
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.calls().iter().filter(|call| **call == name).count()
    }

    /// A process that has just been started.
    pub(super) fn workers(&self) -> Workers {
        self.workers_over(Arc::<MemoryStore>::clone(&self.store), Arc::<ScriptedHttp>::clone(&self.http))
    }

    /// A process whose outside calls go through `ports`.
    pub(super) fn mortal(&self, ports: &Arc<Ports>) -> Workers {
        self.workers_over(Arc::clone(ports), Arc::<Ports>::clone(ports))
    }

    pub(super) fn ports(&self, death: Option<Death>) -> Arc<Ports> {
        Arc::new(Ports::new(Arc::clone(&self.store), Arc::<ScriptedHttp>::clone(&self.http), death))
    }

    pub(super) fn workers_over<S>(&self, store: Arc<S>, http: Arc<dyn Http>) -> Workers
    where
        S: Consumers + Messages + Ledger + Tokens + 'static,
    {
        self.workers_at(store, http, early())
    }

    /// A process with these ports and this clock.
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
            to_liveengage: DeliverToLiveEngage::new(Arc::clone(&self.lines), Arc::clone(&liveengage), ports.clone()),
            to_channel: DeliverToChannel::new(Arc::clone(&self.lines), liveengage, ports),
        }
    }

    pub(super) async fn consumer(&self, user: &str) -> Consumer {
        self.store.consumer(&who(user)).await.unwrap().unwrap()
    }

    /// Lets LiveEngage send the notifications of conversations that it has not sent yet.
    pub(super) async fn hear_news(&self, second: i64) {
        let news = std::mem::take(&mut self.other().news);
        for task in news {
            self.workers().to_channel.work(&task, &attempt("news", second)).await.unwrap();
        }
    }

    /// Lets LiveEngage send the notifications of the consumers' own messages that it has not sent yet.
    pub(super) async fn hear_echoes(&self, second: i64) {
        let echoes = std::mem::take(&mut self.other().echoes);
        for task in echoes {
            self.workers().to_channel.work(&task, &attempt("echo", second)).await.unwrap();
        }
    }

    /// Makes the conversation `c1` of `user` by a first text, and forgets the calls' traces on the other side.
    pub(super) async fn talking(user: &str) -> Self {
        Self::talking_with(user, &json!({})).await
    }

    /// The same on a line that has these settings, too.
    pub(super) async fn talking_with(user: &str, settings: &Value) -> Self {
        let world = Self::with(settings).await;
        world
            .workers()
            .to_liveengage
            .work(&from_person("mo-hello", user, "hello"), &attempt("hello", 0))
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
    /// Works on a message to LiveEngage until it is off the queue, by the times that the attempts ask for. Between attempts
    /// LiveEngage gets its notifications through.
    pub(super) async fn insist(&self, world: &World, task: &str, mut second: i64) -> i64 {
        for received in 1..40 {
            let attempt = Attempt { received, ..attempt(format!("insist-{second}"), second) };
            match self.to_liveengage.work(task, &attempt).await {
                Ok(()) => return second,
                Err(RetryLater { after }) => second += after.as_secs().max(1),
            }
            world.hear_news(second).await;
        }
        panic!("not delivered in 40 attempts");
    }
}

pub(super) fn again(seconds: i64) -> Result<(), RetryLater> {
    Err(RetryLater { after: SignedDuration::from_secs(seconds) })
}

/// A queue message with a person's text, taken over at second 0.
pub(super) fn from_person(id: &str, user: &str, text: &str) -> String {
    from_channel(id, user, 0, &json!({"kind": "text", "text": text}))
}

/// A queue message with what a channel brought, taken over at `accepted`.
pub(super) fn from_channel(id: &str, user: &str, accepted: i64, content: &Value) -> String {
    json!({
        "task": "channel_event_v1", "line": "sms-main", "correlation": format!("r-{id}"), "accepted_at": at(accepted),
        "event": {"id": id, "user": user, "at": at(0), "content": content},
    })
    .to_string()
}

/// A queue message with a change of LiveEngage, taken over at `accepted`.
pub(super) fn change(notification: &str, accepted: i64, change: &Value) -> String {
    json!({
        "task": "liveengage_change_v1", "account": "72419083", "correlation": "r-le", "accepted_at": at(accepted),
        "notification": notification, "change": change,
    })
    .to_string()
}

pub(super) fn event(conversation: &str, sequence: u64, role: &str, audience: &str, event: &Value) -> Value {
    json!({
        "sequence": sequence, "originatorMetadata": {"id": "agent-1", "role": role}, "event": event,
        "conversationId": conversation, "dialogId": conversation, "messageAudience": audience,
    })
}

/// An agent's text, taken over at second 0.
pub(super) fn agent_says(conversation: &str, sequence: u64, text: &str) -> String {
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    change("ms.MessagingEventNotification", 0, &event(conversation, sequence, "ASSIGNED_AGENT", "ALL", &content))
}

/// A clock before every deadline: these tests are not about running out of time.
fn early() -> Arc<dyn Clock> {
    Arc::new(crate::testing::ManualClock::at(Timestamp::UNIX_EPOCH))
}

/// The state of a conversation, as of `as_of`.
pub(super) fn conversation_change(id: &str, consumer: Option<&str>, stage: &str, as_of: i64) -> String {
    let participants: Vec<_> = consumer.iter().map(|id| json!({"id": id, "role": "CONSUMER"})).collect();
    let details =
        json!({"participants": participants, "stage": stage, "metaDataLastUpdateTs": at(as_of).as_millisecond()});
    let state = json!({"type": "UPSERT", "result": {"convId": id, "conversationDetails": details}});
    change("cqm.ExConversationChangeNotification", 0, &state)
}

pub(super) fn conversation_id(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}
