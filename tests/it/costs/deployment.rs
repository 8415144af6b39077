//! The connector with one line in the lab, one webhook at a time.
//!
//! The simulators post their webhooks to a gateway that accepts and holds them. The test passes each on to its function, and its message to
//! the worker, only when all work for the one before has ended. So a row's counts don't depend on what overtakes what, and every batch has
//! one message.

use std::{future::Future, sync::Arc};

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use connector::port::{Clock as _, Secrets as _};
use connector_aws::{
    SecretsManager, SystemClock,
    lambda::{self, InboundFunction, QueueFunction, WebhookFunction, config, gateway_event},
};
use connector_lab::{
    LINE, Lab, LabOptions, WHATSAPP_LINE,
    api_gateway::{ApiGateway, HttpFunction},
    aws::{TO_CHANNEL, TO_LIVEENGAGE, queue_service::QueueHandle},
    function::Function,
    liveengage::Service,
};
use connector_testing::fifo::{ReceiveOptions, ReceivedMessage};
use lambda_runtime::{Context, LambdaEvent, layers::trace::request_span};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::Instrument as _;

use super::{
    meter::Meter,
    usage::{Usage, Work},
};
use crate::{
    silence::{self, Recording, WatchedLab},
    steps::soon,
};

/// The only line of a deployment. With another one whose channel shows typing, an agent's typing would cost more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// SMS, without `sms.delivery_reports`.
    Sms,
    /// SMS, with `sms.delivery_reports`.
    SmsWithReports,
    WhatsApp,
}

impl Line {
    pub(super) const ALL: [Self; 3] = [Self::Sms, Self::SmsWithReports, Self::WhatsApp];

    /// The channel, as a line's secret names it.
    pub(super) const fn channel(self) -> &'static str {
        match self {
            Self::Sms | Self::SmsWithReports => "sms",
            Self::WhatsApp => "whatsapp",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Sms | Self::SmsWithReports => LINE,
            Self::WhatsApp => WHATSAPP_LINE,
        }
    }
}

/// The functions that handle messages, each in one environment.
struct Handlers {
    webhook: WebhookFunction,
    inbound: InboundFunction,
    to_liveengage: QueueFunction,
    to_channel: QueueFunction,
}

pub(super) struct Deployment {
    handlers: Handlers,
    lab: WatchedLab,
    meter: Meter,
    /// The webhooks that wait for the test, as the events of API Gateway.
    held: UnboundedReceiver<Value>,
    log: Recording,
    /// Whether the functions log at INFO. They write their metrics in any case.
    logs_info: bool,
    _gateway: ApiGateway,
}

impl Deployment {
    /// Starts it with a token in the table, as `token-refresh` puts it there.
    pub(super) async fn start(line: Line, logs_info: bool) -> Self {
        let (hold, held) = unbounded_channel();
        let gateway = ApiGateway::start(0, holding(&hold), holding(&hold)).await.unwrap();
        let options = LabOptions { functions_elsewhere: Some(gateway.url().parse().unwrap()), ..LabOptions::default() };
        let lab = WatchedLab::start(options).await;
        if line == Line::Sms {
            without_reports(&lab).await;
        }
        let meter = Meter::in_front_of(lab.aws().endpoints()).await;
        let variable = |name: &str| match name {
            config::LINES => Some(line.id().to_owned()),
            _ => lab.environment().iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
        };
        let aws = |function: Function| lab.aws().sdk_config_for(function.name(), meter.endpoints());
        let handlers = Handlers::start(&variable, &aws);
        let refresh = config::TokenRefreshConfig::read(&variable).unwrap();
        let refresh = lambda::token_refresh(&refresh, &aws(Function::TokenRefresh)).unwrap();
        refresh.handle(LambdaEvent::new(json!({}), context())).await.unwrap();
        Self { handlers, lab, meter, held, log: silence::record(), logs_info, _gateway: gateway }
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Does something at the desk or on a phone. Then handles the webhooks that follow, which must be of these kinds: the channel, or the
    /// event in LiveEngage's notification. Returns what each used.
    pub(super) async fn after<T>(&mut self, act: impl FnOnce(&Lab) -> T, kinds: &[&str]) -> Vec<Usage> {
        act(&self.lab);
        let mut usages = Vec::new();
        for expected in kinds {
            soon("nothing is under way", self.lab.settled()).await;
            // The simulator of WhatsApp doesn't say that it is about to post a report, so this waits for it.
            let event = soon(expected, self.held.recv()).await.unwrap();
            assert_eq!(kind(&event), *expected, "{kinds:?}");
            usages.push(self.handle(&event).await);
        }
        soon("nothing is under way", self.lab.settled()).await;
        assert!(self.held.is_empty(), "more webhooks than {kinds:?}");
        usages
    }

    /// Passes a webhook to its function, and its messages to their workers.
    async fn handle(&self, event: &Value) -> Usage {
        let mut usage = Usage { webhooks: 1, ..Usage::default() };
        let request = gateway_event::request(&event.to_string()).unwrap();
        let response = match is_of_channel(event) {
            true => self.metered(&mut usage, Function::Inbound, |_| self.handlers.inbound.handle(request)).await,
            false => self.metered(&mut usage, Function::Webhook, |_| self.handlers.webhook.handle(request)).await,
        };
        assert_eq!(response.unwrap().status(), 200);
        while let Some((function, queue, message)) = self.next_message() {
            usage.messages += 1;
            let worker = match function {
                Function::ToLiveEngage => &self.handlers.to_liveengage,
                _ => &self.handlers.to_channel,
            };
            let event = batch_of(&message);
            let work = |context| worker.handle(LambdaEvent::new(event, context));
            let failures = self.metered(&mut usage, function, work).await.unwrap().batch_item_failures;
            assert!(failures.is_empty(), "{function:?} wants a message again, which the row doesn't count");
            queue.delete(&message.receipt_handle).unwrap();
        }
        usage
    }

    fn next_message(&self) -> Option<(Function, QueueHandle, ReceivedMessage)> {
        let one = ReceiveOptions { max: 1, ..ReceiveOptions::default() };
        [(Function::ToLiveEngage, TO_LIVEENGAGE), (Function::ToChannel, TO_CHANNEL)].into_iter().find_map(
            |(function, queue)| {
                let queue = self.lab.aws().queue(queue).unwrap();
                let message = queue.receive(&one).unwrap().pop()?;
                Some((function, queue, message))
            },
        )
    }

    /// Invokes a function once, and adds what it used.
    async fn metered<F: Future>(
        &self,
        usage: &mut Usage,
        function: Function,
        invoke: impl FnOnce(Context) -> F,
    ) -> F::Output {
        let (logged, liveengage, channel) = (self.logged(), self.lab.liveengage().calls(), self.calls_to_the_channel());
        let context = context();
        let span = request_span(&context);
        let output = invoke(context).instrument(span).await;
        let channel = self.calls_to_the_channel() - channel;
        let mut work = Work { invocations: 1, outside_calls: channel, ..self.meter.take(function) };
        for (service, service_name) in SERVICES {
            let calls = self.lab.liveengage().calls().of(service) - liveengage.of(service);
            if calls > 0 {
                work.outside_calls += calls;
                *usage.liveengage.entry(service_name).or_default() += calls;
            }
        }
        usage.channel += channel;
        *usage.functions.entry(function.name()).or_default() += work;
        usage.log_bytes += self.logged() - logged;
        output
    }

    /// How many bytes the functions have logged at the template's level.
    fn logged(&self) -> u64 {
        let lines = self.log.lines().into_iter();
        let is_metric = |line: &str| line.contains(r#""_aws""#);
        let written = lines.filter(|line| self.logs_info || is_metric(line) || !line.contains(r#""level":"INFO""#));
        written.map(|line| u64::try_from(line.len()).unwrap()).sum()
    }

    fn calls_to_the_channel(&self) -> u64 {
        let entries = self.lab.journal().entries().unwrap().into_iter();
        let calls = entries
            .filter(|entry| entry.from.starts_with("to-") && matches!(entry.to.as_str(), "gateway" | "whatsapp"));
        u64::try_from(calls.count()).unwrap()
    }
}

/// LiveEngage's services, as the page names them.
const SERVICES: [(Service, &str); 7] = [
    (Service::Domain, "Domain API"),
    (Service::Sentinel, "Sentinel"),
    (Service::Idp, "IDP"),
    (Service::Conversation, "CONVERSATION"),
    (Service::Send, "SEND"),
    (Service::FileUpload, "upload"),
    (Service::FileDownload, "download"),
];

impl Handlers {
    fn start(variable: &impl config::Environment, aws: &impl Fn(Function) -> SdkConfig) -> Self {
        let webhook = config::WebhookConfig::read(variable).unwrap();
        let inbound = config::InboundConfig::read(variable).unwrap();
        let to_liveengage = config::ToLiveEngageConfig::read(variable).unwrap();
        let to_channel = config::ToChannelConfig::read(variable).unwrap();
        Self {
            webhook: lambda::webhook(&webhook, &aws(Function::Webhook)),
            inbound: lambda::inbound(&inbound, &aws(Function::Inbound)),
            to_liveengage: lambda::to_liveengage(&to_liveengage, &aws(Function::ToLiveEngage)).unwrap(),
            to_channel: lambda::to_channel(&to_channel, &aws(Function::ToChannel)).unwrap(),
        }
    }
}

/// Accepts every webhook and keeps it. Answers Meta's handshake.
fn holding(hold: &UnboundedSender<Value>) -> HttpFunction {
    let hold = hold.clone();
    Arc::new(move |event: Value| {
        let challenge = event["queryStringParameters"]["hub.challenge"].as_str().map(str::to_owned);
        if challenge.is_none() {
            hold.send(event).unwrap();
        }
        let body = lambda_http::Body::Text(challenge.unwrap_or_default());
        Box::pin(async { Ok(lambda_http::Response::new(body)) })
    })
}

/// Changes the secret of the SMS line. The lab's own line has reports.
async fn without_reports(lab: &Lab) {
    let name = format!("connector/line/{LINE}");
    let secrets = SecretsManager::new(aws_sdk_secretsmanager::Client::new(lab.aws().sdk_config()));
    let mut secret: Value = serde_json::from_str(secrets.current(&name).await.unwrap().value.expose_secret()).unwrap();
    secret["sms"]["delivery_reports"] = json!(false);
    lab.aws().rotate_secret(&name, &secret.to_string()).await.unwrap();
    lab.gateway().set_automatic_delivery(false);
}

fn is_of_channel(event: &Value) -> bool {
    event["rawPath"].as_str().unwrap().starts_with("/channels/")
}

/// The channel, or the event in a notification.
fn kind(event: &Value) -> String {
    if is_of_channel(event) {
        return "channel".to_owned();
    }
    let notification: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    let changes = notification["body"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "LiveEngage sends each change alone");
    match changes[0]["event"]["type"].as_str() {
        Some(kind) => kind.to_owned(),
        None => "ExConversationChangeNotification".to_owned(),
    }
}

fn batch_of(message: &ReceivedMessage) -> SqsEvent {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.message_id.clone());
    record.receipt_handle = Some(message.receipt_handle.clone());
    record.body = Some(message.body.clone());
    record.attributes = message.system_attributes().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut event = SqsEvent::default();
    event.records = vec![record];
    event
}

/// The context of an invocation, with ids as long as on Lambda, because they are in every record of the log.
fn context() -> Context {
    let mut context = Context::default();
    context.request_id = "8b0c5a31-7f1c-4a86-9d54-2f6f0f6a4c1e".to_owned();
    context.xray_trace_id = Some(
        "Root=1-6352a70e-1e2c502e358361800241fd45;Parent=35465b3a9e2f7c6a;Sampled=0;Lineage=1:5f7e1e6b:0".to_owned(),
    );
    context.deadline = u64::try_from(SystemClock.now().as_millisecond()).unwrap() + 60_000;
    context
}
