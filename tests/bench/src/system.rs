//! The functions as processes, with the lab around them: what Lambda, API Gateway and the event source mappings do between them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_lambda_events::event::sqs::SqsEvent;
use connector_lab::{
    Lab, LabOptions,
    api_gateway::{ApiGateway, HttpAnswer, HttpFunction},
    aws::{TO_CHANNEL, TO_CHANNEL_DEAD_LETTERS, TO_LIVEENGAGE},
    event_source_mapping::{EventSourceMapping, Handler, MappingOptions},
    function::Function,
};
use lambda_http::Body;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    BenchError,
    aws_proxy::{AwsProxies, Calls, WriteUnits},
    process::FunctionProcess,
};

/// How long a function runs at most, as in the template.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One function: its process, and what it was invoked with.
#[derive(Default)]
struct Slot {
    process: Mutex<Option<Arc<FunctionProcess>>>,
    /// The last event that it got.
    event: Mutex<Option<Value>>,
    /// How many messages each invocation had, and how long it took.
    batches: Mutex<Vec<(usize, Duration)>>,
}

impl Slot {
    async fn invoke(&self, event: Value) -> Result<Value, String> {
        *self.event.lock() = Some(event.clone());
        let process = self.process.lock().clone().ok_or("the function is not running")?;
        process.invoke(event).await.map_err(|error| error.to_string())?
    }
}

/// The running system.
pub(crate) struct System {
    // Fields are dropped in this order: first what calls the functions.
    mappings: Vec<(Function, EventSourceMapping)>,
    _gateway: ApiGateway,
    slots: Slots,
    lab: Lab,
    proxies: AwsProxies,
    environment: Vec<(&'static str, String)>,
    programs: PathBuf,
}

/// The functions that handle messages.
#[derive(Default)]
struct Slots {
    webhook: Arc<Slot>,
    inbound: Arc<Slot>,
    to_liveengage: Arc<Slot>,
    to_channel: Arc<Slot>,
}

/// The functions that handle messages, in the order of a text's way and back.
pub(crate) const MESSAGE_FUNCTIONS: [Function; 4] =
    [Function::Inbound, Function::ToLiveEngage, Function::Webhook, Function::ToChannel];

impl Slots {
    fn of(&self, function: Function) -> Option<&Arc<Slot>> {
        match function {
            Function::Webhook => Some(&self.webhook),
            Function::Inbound => Some(&self.inbound),
            Function::ToLiveEngage => Some(&self.to_liveengage),
            Function::ToChannel => Some(&self.to_channel),
            Function::TokenRefresh | Function::Reconcile => None,
        }
    }
}

impl System {
    /// Starts the lab, and the functions from the programs in this folder.
    pub(crate) async fn start(programs: &Path) -> Result<Self, BenchError> {
        let slots = Slots::default();
        let gateway = ApiGateway::start(0, http_function(&slots.webhook), http_function(&slots.inbound)).await?;
        let options = LabOptions { functions_elsewhere: Some(gateway.url().parse()?), ..LabOptions::default() };
        let lab = Lab::start(options).await?;
        let mut proxies = AwsProxies::default();
        let mut environment = Vec::new();
        for (name, value) in lab.environment() {
            let is_address = name.starts_with("AWS_ENDPOINT_URL");
            environment.push((*name, if is_address { proxies.in_front_of(value).await? } else { value.clone() }));
        }
        // For `one-call`: a queue from which no function gets messages.
        environment.push(("BENCH_QUEUE_URL", lab.aws().queue_url(TO_CHANNEL_DEAD_LETTERS)));
        let mut system = Self {
            mappings: vec![],
            _gateway: gateway,
            slots,
            lab,
            proxies,
            environment,
            programs: programs.to_owned(),
        };
        for function in MESSAGE_FUNCTIONS {
            let process = system.process(function.name()).await?;
            process.start_up().await?;
            if let Some(slot) = system.slots.of(function) {
                *slot.process.lock() = Some(Arc::new(process));
            }
        }
        system.resume(Function::ToLiveEngage)?;
        system.resume(Function::ToChannel)?;
        Ok(system)
    }

    /// Starts one more process of a program, with the functions' environment.
    pub(crate) async fn process(&self, name: &str) -> Result<FunctionProcess, BenchError> {
        FunctionProcess::start(&self.programs.join(name), name, &self.environment).await
    }

    /// The same under Callgrind, which writes to `counts` when the process ends.
    pub(crate) async fn counted_process(&self, name: &str, counts: &Path) -> Result<FunctionProcess, BenchError> {
        FunctionProcess::start_counted(&self.programs.join(name), name, &self.environment, counts).await
    }

    /// The size of a program, in bytes.
    pub(crate) fn size(&self, name: &str) -> Result<u64, BenchError> {
        Ok(std::fs::metadata(self.programs.join(name))?.len())
    }

    /// The process of a function that handles messages.
    pub(crate) fn running(&self, function: Function) -> Result<Arc<FunctionProcess>, BenchError> {
        let process = self.slots.of(function).and_then(|slot| slot.process.lock().clone());
        process.ok_or(BenchError::NotRunning(function.name()))
    }

    /// The lab.
    pub(crate) const fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The AWS calls so far.
    pub(crate) fn calls(&self) -> Calls {
        self.proxies.calls()
    }

    /// Counts DynamoDB's write units from now on, or no more.
    pub(crate) fn count_units(&self, count: bool) {
        self.proxies.count_units(count);
    }

    /// The write units that were counted so far.
    pub(crate) fn written(&self) -> WriteUnits {
        self.proxies.written()
    }

    /// Delays every AWS call by this time from now on.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.proxies.set_delay(delay);
    }

    /// The last event that a function got.
    pub(crate) fn last_event(&self, function: Function) -> Result<Value, BenchError> {
        let event = self.slots.of(function).and_then(|slot| slot.event.lock().clone());
        event.ok_or(BenchError::NotRunning(function.name()))
    }

    /// Returns how many messages each invocation of a function had, and how long it took, and forgets it.
    pub(crate) fn take_batches(&self, function: Function) -> Vec<(usize, Duration)> {
        self.slots.of(function).map(|slot| std::mem::take(&mut *slot.batches.lock())).unwrap_or_default()
    }

    /// Ends a worker's event source mapping: its messages wait in the queue.
    pub(crate) fn pause(&mut self, function: Function) {
        self.mappings.retain(|(known, _)| *known != function);
    }

    /// Waits until this many messages wait for `to-liveengage`.
    pub(crate) async fn waiting(&self, messages: usize) -> Result<(), BenchError> {
        let queue = self.lab.aws().queue(TO_LIVEENGAGE).ok_or(BenchError::NotRunning(Function::ToLiveEngage.name()))?;
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let all = async {
            while queue.counts().total() < messages {
                pause.tick().await;
            }
        };
        tokio::time::timeout(TIMEOUT, all).await.map_err(|_| BenchError::NoAnswer)
    }

    /// Starts a worker's event source mapping. It invokes the function with up to ten messages at a time.
    pub(crate) fn resume(&mut self, function: Function) -> Result<(), BenchError> {
        let (queue, slot) = match function {
            Function::ToLiveEngage => (TO_LIVEENGAGE, &self.slots.to_liveengage),
            Function::ToChannel => (TO_CHANNEL, &self.slots.to_channel),
            other => return Err(BenchError::NotRunning(other.name())),
        };
        let queue = self.lab.aws().queue(queue).ok_or(BenchError::NotRunning(function.name()))?;
        let options = MappingOptions { concurrency: 1, function_timeout: TIMEOUT, ..MappingOptions::default() };
        self.mappings.push((function, EventSourceMapping::start(queue, options, worker(slot))?));
        Ok(())
    }
}

fn http_function(slot: &Arc<Slot>) -> HttpFunction {
    let slot = Arc::clone(slot);
    Arc::new(move |event| {
        let slot = Arc::clone(&slot);
        Box::pin(async move { response(&slot.invoke(event).await?) })
    })
}

/// Reads a function's answer of payload format 2.0.
fn response(answer: &Value) -> HttpAnswer {
    let status = answer.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let mut response = http::Response::builder().status(status.ok_or("the answer has no status")?);
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    response.body(Body::Text(body.to_owned())).map_err(|error| error.to_string())
}

fn worker(slot: &Arc<Slot>) -> Handler {
    let slot = Arc::clone(slot);
    Arc::new(move |event: SqsEvent| {
        let slot = Arc::clone(&slot);
        Box::pin(async move {
            let (messages, started) = (event.records.len(), Instant::now());
            let event = serde_json::to_value(&event).map_err(|error| error.to_string())?;
            let answer = slot.invoke(event).await?;
            slot.batches.lock().push((messages, started.elapsed()));
            serde_json::from_value(answer).map_err(|error| error.to_string())
        })
    })
}
