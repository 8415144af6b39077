//! A Lambda function that sends each event to a queue: the least that an entry point costs with this runtime and this SDK.
//!
//! Its SDK, HTTP client and settings are those of the connector's entry points.

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use connector_aws::{
    TimeoutProfile,
    lambda::config::{Environment as _, ProcessEnvironment},
    sdk_config,
};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

/// The variable with the URL of a FIFO queue.
const QUEUE_URL: &str = "BENCH_QUEUE_URL";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = ProcessEnvironment.get(QUEUE_URL).ok_or("BENCH_QUEUE_URL is missing")?;
    let (client, url) = (&Client::new(&sdk_config(TimeoutProfile::EntryPoint)?), url.as_str());
    run(service_fn(|event: LambdaEvent<Value>| async move {
        // The same body as a webhook's message has about, and always the same id: the queue keeps the first one.
        let body = event.payload.get("body").and_then(Value::as_str).unwrap_or("{}").to_owned();
        let entry = SendMessageBatchRequestEntry::builder()
            .id("0")
            .message_body(body)
            .message_group_id("one-call")
            .message_deduplication_id("one-call")
            .build()?;
        let sent = client.send_message_batch().queue_url(url).entries(entry).send().await?;
        let status = if sent.failed().is_empty() { 200 } else { 500 };
        Ok::<_, Error>(json!({ "statusCode": status }))
    }))
    .await
}
