//! Calls the functions with the events of API Gateway, SQS and the scheduler, over in-memory ports.

mod inbound;
mod limits;
mod logs;
mod order;
mod replay;
mod webhook;
mod workers;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use connector::{
    app::{
        inbound::AcceptChannelRequest,
        liveengage_client::LiveEngage,
        reconcile::{Reconcile, ReconcilePorts},
        registry::{Accounts, Lines, Registry},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        token_refresh::RefreshTokens,
        webhook::AcceptWebhook,
        worker::WorkerPorts,
    },
    domain::id::LineId,
    port::{Postpone, QueueError},
};
use connector_aws::lambda::{InboundFunction, QueueFunction, ReconcileFunction, TokenRefreshFunction, WebhookFunction};
use connector_liveengage::id::AccountId;
use connector_message::http::{HttpCall, HttpFailure, HttpReply};
use connector_testing::{ManualClock, MemoryQueue, MemorySecrets, MemoryStore, ScriptedHttp};
use http::StatusCode;
use jiff::SignedDuration;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::{
    events::{self, ACCOUNT, LINE, LP_CONSUMER},
    silence::Watch,
};

const ACCOUNT_SECRET: &str = "connector/account/72419083";
const LINE_SECRET: &str = "connector/line/sms-main";

/// The calls to `Postpone`.
#[derive(Default)]
struct Postponed(Mutex<Vec<(String, i64)>>);

#[async_trait]
impl Postpone for Postponed {
    async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError> {
        self.0.lock().unwrap().extend(messages.into_iter().map(|(receipt, after)| (receipt, after.as_secs())));
        Ok(())
    }
}

/// The connector in one process, at the time of the recorded events.
struct Deployment {
    secrets: Arc<MemorySecrets>,
    clock: Arc<ManualClock>,
    queue: Arc<MemoryQueue>,
    store: Arc<MemoryStore>,
    http: Arc<ScriptedHttp>,
    postponed: Arc<Postponed>,
    accounts: Arc<Accounts>,
    lines: Arc<Lines>,
    _searched: Searched,
}

/// When this is dropped, it plants everything that went through the ports. Its watch searches the log after that.
struct Searched {
    queue: Arc<MemoryQueue>,
    http: Arc<ScriptedHttp>,
    watch: Watch,
}

impl Drop for Searched {
    fn drop(&mut self) {
        let tasks = self.queue.sent().into_iter().map(|message| message.body.into_bytes());
        let calls = self.http.calls().into_iter().map(|call| call.body.to_vec());
        for body in tasks.chain(calls) {
            self.watch.plant_json(&serde_json::from_slice(&body).unwrap_or_default());
        }
    }
}

impl Deployment {
    /// Creates a deployment whose LiveEngage and gateway accept everything.
    async fn new() -> Self {
        Self::answering(|call| Ok(accept(call))).await
    }

    async fn answering(answer: impl Fn(&HttpCall) -> Result<HttpReply, HttpFailure> + Send + Sync + 'static) -> Self {
        // Start the watch first, because the first log line may already contain a planted value.
        let watch = events::watch();
        let secrets = Arc::new(MemorySecrets::default());
        let (queue, http) = (Arc::<MemoryQueue>::default(), Arc::new(ScriptedHttp::new(answer)));
        secrets.put(ACCOUNT_SECRET, &events::account_secret());
        secrets.put(LINE_SECRET, &events::line_secret());
        secrets.put(&format!("connector/line/{}", events::WHATSAPP_LINE), &events::whatsapp_secret());
        let account = AccountId::new(ACCOUNT).unwrap();
        let lines = [LineId::new(LINE).unwrap(), LineId::new(events::WHATSAPP_LINE).unwrap()];
        let as_port = || Arc::<MemorySecrets>::clone(&secrets);
        Self {
            accounts: Arc::new(Registry::new(as_port(), "connector", &[account])),
            lines: Arc::new(Registry::new(as_port(), "connector", &lines)),
            secrets,
            clock: Arc::new(ManualClock::at(events::now())),
            _searched: Searched { queue: Arc::clone(&queue), http: Arc::clone(&http), watch },
            queue,
            store: Arc::default(),
            http,
            postponed: Arc::default(),
        }
    }

    fn webhook(&self) -> WebhookFunction {
        let queue = Arc::<MemoryQueue>::clone(&self.queue);
        WebhookFunction::new(
            AcceptWebhook::new(Arc::clone(&self.accounts), queue),
            Arc::<ManualClock>::clone(&self.clock),
        )
    }

    fn inbound(&self) -> InboundFunction {
        let queue = Arc::<MemoryQueue>::clone(&self.queue);
        InboundFunction::new(
            AcceptChannelRequest::new(Arc::clone(&self.lines), queue),
            Arc::<ManualClock>::clone(&self.clock),
        )
    }

    fn liveengage(&self) -> Arc<LiveEngage> {
        Arc::new(LiveEngage::new(
            Arc::clone(&self.accounts),
            Arc::<MemoryStore>::clone(&self.store),
            Arc::<ScriptedHttp>::clone(&self.http),
        ))
    }

    fn ports(&self) -> WorkerPorts {
        WorkerPorts {
            consumers: Arc::<MemoryStore>::clone(&self.store),
            messages: Arc::<MemoryStore>::clone(&self.store),
            ledger: Arc::<MemoryStore>::clone(&self.store),
            http: Arc::<ScriptedHttp>::clone(&self.http),
            to_liveengage: Arc::<MemoryQueue>::clone(&self.queue),
            to_channel: Arc::<MemoryQueue>::clone(&self.queue),
            clock: Arc::<ManualClock>::clone(&self.clock),
        }
    }

    fn queue_function<W: connector_aws::lambda::batch::Worker + 'static>(&self, worker: W) -> QueueFunction {
        QueueFunction::new(
            Arc::new(worker),
            Arc::<Postponed>::clone(&self.postponed),
            Arc::<ManualClock>::clone(&self.clock),
        )
    }

    fn to_liveengage(&self) -> QueueFunction {
        self.queue_function(DeliverToLiveEngage::new(Arc::clone(&self.lines), self.liveengage(), self.ports()))
    }

    fn to_channel(&self) -> QueueFunction {
        self.queue_function(DeliverToChannel::new(Arc::clone(&self.lines), self.liveengage(), self.ports()))
    }

    fn token_refresh(&self) -> TokenRefreshFunction {
        TokenRefreshFunction::new(
            RefreshTokens::new(Arc::clone(&self.accounts), self.liveengage()),
            Arc::<ManualClock>::clone(&self.clock),
        )
    }

    fn reconcile(&self) -> ReconcileFunction {
        let store = &self.store;
        let ports = ReconcilePorts {
            conversations: Arc::<MemoryStore>::clone(store),
            consumers: Arc::<MemoryStore>::clone(store),
            messages: Arc::<MemoryStore>::clone(store),
            ledger: Arc::<MemoryStore>::clone(store),
            to_channel: Arc::<MemoryQueue>::clone(&self.queue),
            clock: Arc::<ManualClock>::clone(&self.clock),
        };
        let reconcile = Reconcile::new(Arc::clone(&self.accounts), self.liveengage(), ports);
        ReconcileFunction::new(reconcile, Arc::<ManualClock>::clone(&self.clock))
    }

    /// Returns the status and the body of an HTTP event's answer.
    async fn call_webhook(&self, event: &Value) -> (u16, String) {
        answer(self.webhook().handle(request(event)).await.unwrap())
    }

    async fn call_inbound(&self, event: &Value) -> (u16, String) {
        answer(self.inbound().handle(request(event)).await.unwrap())
    }

    /// Returns the ids of a batch's messages that must come again.
    async fn run(&self, function: &QueueFunction, event: &Value) -> Vec<String> {
        let response = function
            .handle(LambdaEvent::new(serde_json::from_value(event.clone()).unwrap(), self.context()))
            .await
            .unwrap();
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// Returns an invocation with the 60 s of a worker.
    fn context(&self) -> Context {
        use connector::port::Clock;
        let mut context = Context::default();
        context.request_id = format!("invocation-{}", self.clock.now().as_second());
        context.deadline = u64::try_from(self.clock.now().as_millisecond() + 60_000).unwrap();
        context
    }

    fn postponed(&self) -> Vec<(String, i64)> {
        std::mem::take(&mut self.postponed.0.lock().unwrap())
    }

    fn calls(&self) -> Vec<&'static str> {
        self.http.calls().iter().map(|call| call.name).collect()
    }

    /// Returns the JSON bodies of the calls of this name.
    fn bodies(&self, name: &str) -> Vec<Value> {
        let calls = self.http.calls();
        calls.iter().filter(|call| call.name == name).map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
    }

    /// Returns the tasks in the queue.
    fn tasks(&self) -> Vec<Value> {
        self.queue.sent().iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }
}

fn request(event: &Value) -> lambda_http::Request {
    connector_aws::lambda::gateway_event::request(&event.to_string()).unwrap()
}

fn answer(response: lambda_http::Response<lambda_http::Body>) -> (u16, String) {
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().as_ref().to_vec()).unwrap())
}

/// An answer without a body. A refusal reveals nothing.
fn empty(status: u16) -> (u16, String) {
    (status, String::new())
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

/// Answers like LiveEngage and the gateway without failures. Every consumer has Anna's id unless the request says otherwise.
fn accept(call: &HttpCall) -> HttpReply {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    match call.name {
        "LiveEngage Domain API" => reply(
            200,
            &json!({"baseURIs": [
                {"service": "asyncMessagingEnt", "baseURI": "msg.liveengage.example"},
                {"service": "sentinel", "baseURI": "sentinel.liveengage.example"},
                {"service": "idp", "baseURI": "idp.liveengage.example"},
            ]}),
        ),
        "LiveEngage Sentinel" => reply(200, &json!({"access_token": "events-app-jwt", "expires_in": 3600})),
        "LiveEngage IDP" => {
            let ext = body["ext_consumer_id"].as_str().unwrap();
            let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": format!("lp-{ext}")}).to_string());
            reply(201, &json!({"token": format!("e30.{claims}.c2ln")}))
        }
        "LiveEngage CONVERSATION" => {
            // Each consumer has one conversation. Its id follows from the token.
            let token = call.headers["x-lp-on-behalf"].to_str().unwrap();
            let id = format!("conversation-of-{}", &token[token.len() - 12..token.len() - 6]);
            reply(200, &json!([{"code": "OK", "body": {}}, {"code": "OK", "body": {"conversationId": id}}]))
        }
        "LiveEngage SEND" => reply(200, &json!({"code": "OK", "body": {"sequence": 1}})),
        "SMS gateway send" => reply(201, &json!({"id": "mt-1"})),
        other => panic!("an unknown call: {other}"),
    }
}

/// Stores Anna as the workers do before any conversation.
async fn know_anna(store: &MemoryStore) {
    use connector::{domain::conversation::Consumer, port::Consumers};
    use connector_channels::id::ChannelUserId;
    use connector_liveengage::{
        id::{ExtConsumerId, LpConsumerId},
        identity::{ConsumerToken, Identity},
    };
    let mut consumer = Consumer::new(
        LineId::new(LINE).unwrap(),
        ChannelUserId::new(events::ANNA).unwrap(),
        AccountId::new(ACCOUNT).unwrap(),
    );
    consumer.identity = Some(Identity {
        ext_consumer_id: ExtConsumerId::new("ext-anna").unwrap(),
        lp_consumer_id: LpConsumerId::new(LP_CONSUMER).unwrap(),
        token: ConsumerToken::new("events-consumer-jws"),
    });
    store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
}
