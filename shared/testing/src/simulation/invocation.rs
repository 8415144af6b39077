//! Lambda: execution environments, and the invocations of the functions in them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::{
    deployment,
    ports::Ports,
    queues::QueueName,
    truth::{Piece, Truth},
};
use crate::fifo::ReceivedMessage;
use connector::{
    app::{
        delivery::{Attempt, RetryLater},
        inbound::AcceptChannelRequest,
        liveengage_client::LiveEngage,
        reconcile::{Reconcile, ReconcilePorts},
        redrive::{Selection, WorkerQueues, plan_parked, redrive_parked},
        registry::{Accounts, Lines, Registry},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        token_refresh::RefreshTokens,
        webhook::AcceptWebhook,
        worker::WorkerPorts,
    },
    domain::order::Position,
    port::{Clock, ParkedMessages},
    queue_message::Received,
};
use connector_aws::lambda::{
    FunctionError, InboundFunction, QueueFunction, ReconcileFunction, TokenRefreshFunction, WebhookFunction,
    batch::Worker, gateway_event,
};

/// An invocation, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InvocationId(pub(super) u64);

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}

/// Why an invocation is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its time is over.
    Timeout,
    /// Its environment is killed.
    Killed,
}

/// The functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FunctionName {
    Webhook,
    Inbound,
    ToLiveEngage,
    ToChannel,
    TokenRefresh,
    Reconcile,
    /// Not a function: the operator's command that sends parked messages again.
    Operator,
}

impl FunctionName {
    /// The function's timeout (template.yaml).
    pub(super) const fn timeout(self) -> SignedDuration {
        match self {
            Self::Webhook | Self::Inbound => SignedDuration::from_secs(10),
            Self::ToLiveEngage | Self::ToChannel | Self::TokenRefresh => SignedDuration::from_secs(60),
            // Nothing stops the command but whoever started it.
            Self::Reconcile | Self::Operator => SignedDuration::from_mins(10),
        }
    }
}

impl From<QueueName> for FunctionName {
    fn from(queue: QueueName) -> Self {
        match queue {
            QueueName::ToLiveEngage => Self::ToLiveEngage,
            QueueName::ToChannel | QueueName::LineToChannel(_) => Self::ToChannel,
        }
    }
}

/// An execution environment.
pub(super) struct Environment {
    pub(super) name: FunctionName,
    /// How far its clock is ahead.
    pub(super) skew: SignedDuration,
    /// The version that it runs.
    pub(super) version: u64,
    pub(super) invocation: Option<InvocationId>,
    /// The function, once it has started.
    pub(super) function: Option<Function>,
}

/// A function that has started, with what it keeps in memory.
#[derive(Clone)]
pub(super) enum Function {
    Webhook(WebhookFunction),
    Inbound(InboundFunction),
    Queue(QueueFunction),
    TokenRefresh(TokenRefreshFunction),
    Reconcile(ReconcileFunction),
}

/// What an invocation works on.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// A batch of a queue. `is_repeat`: another invocation has it, too.
    Batch { queue: QueueName, messages: Vec<ReceivedMessage>, is_repeat: bool },
    /// A notification of LiveEngage.
    Notification(u64),
    /// A request of the gateway.
    Request(u64),
    /// The schedule.
    Refresh,
    /// The schedule of `reconcile`.
    Reconcile,
    /// An operator sends all parked messages again. `fresh`: as if they were new.
    Redrive { fresh: bool },
}

/// A running invocation, as far as the promises need it.
pub(super) struct Invocation {
    pub(super) environment: u64,
    pub(super) work: Work,
    /// When it began.
    began: Timestamp,
    /// Its attempts at messages, by their owner. A worker handles several side by side.
    attempts: BTreeMap<String, AttemptState>,
}

/// An attempt at a message, as far as the promises need it.
pub(super) struct AttemptState {
    /// The pieces that it has shown since its last write to the message's record.
    pub(super) unrecorded: Vec<Piece>,
    /// How many notices to senders it has queued since it acquired the message.
    pub(super) notices: u32,
    /// When it acquired the message.
    pub(super) began: Timestamp,
}

impl AttemptState {
    const fn new(began: Timestamp) -> Self {
        Self { unrecorded: Vec::new(), notices: 0, began }
    }

    /// It can't know any more what it has shown.
    pub(super) fn excuse(&mut self, id: InvocationId, truth: &mut Truth) {
        self.unrecorded.drain(..).for_each(|piece| truth.excuse(piece, id));
    }
}

impl Invocation {
    pub(super) const fn new(environment: u64, work: Work, now: Timestamp) -> Self {
        Self { environment, work, began: now, attempts: BTreeMap::new() }
    }

    /// The attempt that is running now.
    pub(super) fn attempt(&mut self) -> &mut AttemptState {
        let owner = OWNER.try_with(Clone::clone).unwrap_or_default();
        self.attempts.entry(owner).or_insert(AttemptState::new(self.began))
    }

    /// The attempt that is running now has acquired a message.
    pub(super) fn acquired(&mut self, now: Timestamp) {
        *self.attempt() = AttemptState::new(now);
    }

    /// No attempt can know any more what it has shown.
    pub(super) fn excuse(&mut self, id: InvocationId, truth: &mut Truth) {
        self.attempts.values_mut().for_each(|attempt| attempt.excuse(id, truth));
    }
}

tokio::task_local! {
    /// The owner of the attempt that is running now. Empty outside of attempts.
    static OWNER: String;
}

/// A worker whose calls are known by the attempt that makes them.
struct ScopedWorker(Arc<dyn Worker>);

#[async_trait]
impl Worker for ScopedWorker {
    async fn work(&self, message: &Received, attempt: &Attempt) -> Result<(), RetryLater> {
        OWNER.scope(attempt.owner.as_str().to_owned(), self.0.work(message, attempt)).await
    }

    fn position(&self, message: &Received, received: u32) -> Option<Position> {
        self.0.position(message, received)
    }

    async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        OWNER.scope(attempt.owner.as_str().to_owned(), self.0.give_up(body, attempt)).await
    }
}

/// How an invocation ends by itself.
#[derive(Debug)]
pub(super) enum Ended {
    Batch(SqsBatchResponse),
    /// A request was answered with this status.
    Http(u16),
    Refreshed,
    /// The operator's command has handled this many messages.
    Redriven(usize),
    /// A function error.
    Error(String),
}

/// What a function is invoked with.
pub(super) enum Payload {
    Batch(LambdaEvent<SqsEvent>),
    /// API Gateway's event.
    Http(String),
    Schedule(LambdaEvent<Value>),
    /// The operator's command.
    Redrive {
        fresh: bool,
    },
}

/// Runs an invocation, after starting the function if its environment is new.
pub(super) async fn run(ports: Ports, known: Option<Function>, payload: Payload) -> Ended {
    if let Payload::Redrive { fresh } = payload {
        return redrive(&ports, fresh).await;
    }
    let function = match known {
        Some(function) => function,
        None => match start(&ports) {
            Ok(function) => function,
            Err(error) => return Ended::Error(error),
        },
    };
    let ended = match (&function, payload) {
        (Function::Queue(function), Payload::Batch(event)) => function.handle(event).await.map(Ended::Batch),
        (Function::TokenRefresh(function), Payload::Schedule(event)) => {
            function.handle(event).await.map(|()| Ended::Refreshed)
        }
        (Function::Reconcile(function), Payload::Schedule(event)) => {
            function.handle(event).await.map(|_| Ended::Refreshed)
        }
        (Function::Webhook(function), Payload::Http(event)) => {
            function.handle(gateway_event::request(&event).unwrap()).await.map(status)
        }
        (Function::Inbound(function), Payload::Http(event)) => {
            function.handle(gateway_event::request(&event).unwrap()).await.map(status)
        }
        _ => unreachable!("a function gets its own events"),
    };
    ports.keep(function);
    ended.unwrap_or_else(|error: FunctionError| Ended::Error(error.to_string()))
}

fn status<B>(answer: lambda_http::Response<B>) -> Ended {
    Ended::Http(answer.status().as_u16())
}

/// Sends all parked messages again, as `connector parked redrive` does.
async fn redrive(ports: &Ports, fresh: bool) -> Ended {
    let parked = match ParkedMessages::parked(ports).await {
        Ok(list) => list.messages,
        Err(error) => return Ended::Error(error.to_string()),
    };
    let plan = plan_parked(parked, &Selection::default());
    let (to_liveengage, to_channel) = (ports.queue(QueueName::ToLiveEngage), ports.queue(QueueName::ToChannel));
    let queues = WorkerQueues { to_liveengage: &to_liveengage, to_channel: &to_channel };
    Ended::Redriven(redrive_parked(&plan, ports, queues, fresh, ports.now()).await.len())
}

/// Starts a function as its `main` does.
fn start(ports: &Ports) -> Result<Function, String> {
    let ports = Arc::new(ports.clone());
    Ok(match ports.name() {
        FunctionName::Webhook => {
            let accept = AcceptWebhook::new(accounts(&ports), Arc::new(ports.queue(QueueName::ToChannel)));
            Function::Webhook(WebhookFunction::new(accept, ports))
        }
        FunctionName::Inbound => {
            let accept = AcceptChannelRequest::new(lines(&ports), Arc::new(ports.queue(QueueName::ToLiveEngage)));
            Function::Inbound(InboundFunction::new(accept, ports))
        }
        FunctionName::TokenRefresh => {
            let accounts = accounts(&ports);
            let liveengage =
                LiveEngage::new(Arc::clone(&accounts), Arc::<Ports>::clone(&ports), Arc::<Ports>::clone(&ports));
            Function::TokenRefresh(TokenRefreshFunction::new(RefreshTokens::new(accounts, Arc::new(liveengage)), ports))
        }
        FunctionName::Reconcile => {
            let accounts = accounts(&ports);
            let liveengage =
                LiveEngage::new(Arc::clone(&accounts), Arc::<Ports>::clone(&ports), Arc::<Ports>::clone(&ports));
            let workers = ReconcilePorts {
                conversations: Arc::<Ports>::clone(&ports),
                consumers: Arc::<Ports>::clone(&ports),
                messages: Arc::<Ports>::clone(&ports),
                ledger: Arc::<Ports>::clone(&ports),
                to_channel: Arc::new(ports.queue(QueueName::ToChannel)),
                clock: Arc::<Ports>::clone(&ports),
            };
            let reconcile = Reconcile::new(accounts, Arc::new(liveengage), workers);
            Function::Reconcile(ReconcileFunction::new(reconcile, ports))
        }
        FunctionName::Operator => return Err("the operator runs a command, and no function".to_owned()),
        name @ (FunctionName::ToLiveEngage | FunctionName::ToChannel) => {
            let (accounts, lines) = (accounts(&ports), lines(&ports));
            let liveengage =
                Arc::new(LiveEngage::new(accounts, Arc::<Ports>::clone(&ports), Arc::<Ports>::clone(&ports)));
            let workers = worker_ports(&ports);
            let (own, worker): (_, Arc<dyn Worker>) = if name == FunctionName::ToLiveEngage {
                (QueueName::ToLiveEngage, Arc::new(DeliverToLiveEngage::new(lines, liveengage, workers)))
            } else {
                (QueueName::ToChannel, Arc::new(DeliverToChannel::new(lines, liveengage, workers)))
            };
            Function::Queue(QueueFunction::new(Arc::new(ScopedWorker(worker)), Arc::new(ports.queue(own)), ports))
        }
    })
}

fn worker_ports(ports: &Arc<Ports>) -> WorkerPorts {
    WorkerPorts {
        consumers: Arc::<Ports>::clone(ports),
        messages: Arc::<Ports>::clone(ports),
        ledger: Arc::<Ports>::clone(ports),
        http: Arc::<Ports>::clone(ports),
        to_liveengage: Arc::new(ports.queue(QueueName::ToLiveEngage)),
        to_channel: Arc::new(ports.queue(QueueName::ToChannel)),
        clock: Arc::<Ports>::clone(ports),
    }
}

fn accounts(ports: &Arc<Ports>) -> Arc<Accounts> {
    Arc::new(Registry::new(Arc::<Ports>::clone(ports), PREFIX, &ports.shared().accounts))
}

fn lines(ports: &Arc<Ports>) -> Arc<Lines> {
    Arc::new(Registry::new(Arc::<Ports>::clone(ports), PREFIX, &ports.shared().lines))
}

/// The prefix of the secrets' names.
pub(super) const PREFIX: &str = "connector";

/// Returns the event of a batch, as this version of the function reads it.
pub(super) fn batch_event(id: InvocationId, messages: &[ReceivedMessage], version: u64, deadline_ms: i64) -> Payload {
    let records = messages.iter().map(|message| {
        let mut record = SqsMessage::default();
        record.message_id = Some(message.message_id.clone());
        record.receipt_handle = Some(message.receipt_handle.clone());
        record.body = Some(deployment::read(&message.body, version));
        record.attributes.insert("ApproximateReceiveCount".to_owned(), message.receive_count.to_string());
        record.attributes.insert("MessageGroupId".to_owned(), message.group.clone());
        record
    });
    let mut event = SqsEvent::default();
    event.records = records.collect();
    Payload::Batch(LambdaEvent::new(event, context(id, deadline_ms)))
}

/// Returns a schedule's event.
pub(super) fn schedule_event(id: InvocationId, deadline_ms: i64, event: Value) -> Payload {
    Payload::Schedule(LambdaEvent::new(event, context(id, deadline_ms)))
}

fn context(id: InvocationId, deadline_ms: i64) -> Context {
    let mut context = Context::default();
    context.request_id = format!("request-{}", id.0);
    context.deadline = u64::try_from(deadline_ms).unwrap_or_default();
    context
}

/// Returns API Gateway's event of a POST (payload format 2.0).
pub(super) fn http_event(
    id: InvocationId,
    line: Option<&str>,
    headers: &BTreeMap<&str, String>,
    body: &str,
) -> Payload {
    let path = line.map_or("/webhooks/liveengage".to_owned(), |line| format!("/channels/{line}"));
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1", "domainName": "c.example", "domainPrefix": "c",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "-"},
            "requestId": format!("request-{}", id.0), "routeKey": "$default", "stage": "$default",
            "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 1_800_000_000_000_i64,
        },
        "pathParameters": {"line": line.unwrap_or_default()}, "body": body, "isBase64Encoded": false,
    });
    Payload::Http(event.to_string())
}
