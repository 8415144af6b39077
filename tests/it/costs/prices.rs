//! AWS's prices, and what is assumed beside the counts.

use super::{
    rows::Row,
    template::Settings,
    usage::{Usage, Work},
};

/// The part of a bill, and its list price.
struct Price {
    part: &'static str,
    list: &'static str,
    dollars: f64,
}

const MILLIONTH: f64 = 1e-6;
/// The public list prices of us-east-1, without free tiers; Lambda on arm64.
const WEBHOOK: Price = Price { part: "API Gateway (HTTP API)", list: "$1.00 per million", dollars: MILLIONTH };
const INVOCATION: Price = Price { part: "Lambda, requests", list: "$0.20 per million", dollars: 0.20 * MILLIONTH };
const GB_SECOND: Price = Price { part: "Lambda, time", list: "$0.0000133334 per GB-s", dollars: 0.000_013_333_4 };
const QUEUE: Price = Price { part: "SQS FIFO", list: "$0.50 per million", dollars: 0.50 * MILLIONTH };
const WRITTEN: Price = Price { part: "DynamoDB, written", list: "$0.625 per million", dollars: 0.625 * MILLIONTH };
const READ: Price = Price { part: "DynamoDB, read", list: "$0.125 per million", dollars: 0.125 * MILLIONTH };
const LOGS: Price = Price { part: "CloudWatch Logs, ingested", list: "$0.50 per GB", dollars: 0.50e-9 };
const TRACE: Price = Price { part: "X-Ray, at most", list: "$5.00 per million traces", dollars: 5.0 * MILLIONTH };

/// The CPU time of an invocation, and of each call that it makes, in ms. Together they are never less than in the table "A message" of
/// docs/explanation/performance.md, and at most half more.
pub(super) const CPU_MS: f64 = 0.6;
pub(super) const CPU_MS_PER_CALL: f64 = 0.25;
/// How many times as long it takes on Lambda with TLS.
pub(super) const CPU_FACTOR: f64 = 2.0;
/// The memory with which Lambda gives a function one whole processor. With less it gives a part of one.
pub(super) const WHOLE_CPU_MB: f64 = 1769.0;
/// How long an invocation waits for a call, in ms.
pub(super) const AWS_CALL_MS: f64 = 10.0;
pub(super) const OUTSIDE_CALL_MS: f64 = 250.0;

/// The bytes that the functions log for a webhook: one that no worker logs anything about, a delivered message, and one with more to tell.
const LOGGED_QUIET: u64 = 800;
const LOGGED_DELIVERED: u64 = 1900;
const LOGGED_LONG: u64 = 2400;

/// What Lambda logs for an invocation at the level INFO, as its documentation of the Telemetry API shows it. At WARN it logs neither.
const PLATFORM_LOG: [&str; 2] = [
    r#"{"time":"2026-11-30T06:08:00.000Z","type":"platform.start","record":{"requestId":"8b0c5a31-7f1c-4a86-9d54-2f6f0f6a4c1e","version":"$LATEST"}}"#,
    r#"{"time":"2026-11-30T06:08:00.000Z","type":"platform.report","record":{"requestId":"8b0c5a31-7f1c-4a86-9d54-2f6f0f6a4c1e","metrics":{"durationMs":301.234,"billedDurationMs":302,"memorySizeMB":256,"maxMemoryUsedMB":34},"status":"success"}}"#,
];

/// The bytes that the functions log for a webhook, rounded up.
pub(super) const fn logged(row: Row) -> u64 {
    match row {
        Row::TextToLiveEngage | Row::TextToChannel | Row::PictureToLiveEngage => LOGGED_DELIVERED,
        Row::FirstTextOfNewPerson | Row::FirstTextOfKnownPerson | Row::ReportOfDelivery | Row::ReportOfReading => {
            LOGGED_LONG
        }
        Row::WholeConversation => LOGGED_LONG + 4 * LOGGED_QUIET,
        _ => LOGGED_QUIET,
    }
}

/// The bytes that Lambda logs for an invocation.
pub(super) fn logged_by_lambda(settings: &Settings) -> u64 {
    let bytes = PLATFORM_LOG.iter().map(|line| line.len()).sum::<usize>();
    if settings.logs_invocations { u64::try_from(bytes).unwrap() } else { 0 }
}

/// A line of a bill.
pub(super) struct Item {
    pub(super) part: &'static str,
    pub(super) list: &'static str,
    pub(super) counted: String,
    pub(super) dollars: f64,
}

#[expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]
fn item(price: &Price, count: u64) -> Item {
    Item { part: price.part, list: price.list, counted: count.to_string(), dollars: count as f64 * price.dollars }
}

/// What AWS bills. It has the same parts for all usages.
pub(super) fn bill(usage: &Usage, settings: &Settings) -> Vec<Item> {
    let work = usage.work();
    let seconds: f64 = usage.functions.iter().map(|(name, work)| gb_seconds(work, settings.memory[*name])).sum();
    let bytes = usage.log_bytes + usage.webhooks * settings.access_log + work.invocations * logged_by_lambda(settings);
    let mut items = vec![
        item(&WEBHOOK, usage.webhooks),
        item(&INVOCATION, work.invocations),
        Item { counted: format!("{seconds:.0} GB-s"), dollars: seconds * GB_SECOND.dollars, ..item(&GB_SECOND, 0) },
        item(&QUEUE, usage.queue_requests()),
        item(&WRITTEN, work.written),
        item(&READ, work.read),
        Item { counted: format!("{:.1} MB", megabytes(bytes)), ..item(&LOGS, bytes) },
    ];
    if settings.traces {
        items.push(item(&TRACE, usage.webhooks));
    }
    items
}

/// What a trace of each webhook costs in dollars.
pub(super) fn traced(usage: &Usage) -> f64 {
    item(&TRACE, usage.webhooks).dollars
}

/// The sum of a bill in dollars.
pub(super) fn total(usage: &Usage, settings: &Settings) -> f64 {
    bill(usage, settings).iter().map(|item| item.dollars).sum()
}

#[expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]
fn gb_seconds(work: &Work, memory_mb: u64) -> f64 {
    let memory_mb = memory_mb as f64;
    let cpu = (work.invocations as f64 * CPU_MS + work.calls() as f64 * CPU_MS_PER_CALL) * CPU_FACTOR;
    let share = (memory_mb / WHOLE_CPU_MB).min(1.0);
    let waiting = work.aws_calls() as f64 * AWS_CALL_MS + work.outside_calls as f64 * OUTSIDE_CALL_MS;
    (cpu / share + waiting) / 1000.0 * memory_mb / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "the counts are far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
