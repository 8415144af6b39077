//! DynamoDB: dynoxide on a loopback port, and the connector's table.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableStatus, TimeToLiveSpecification,
};
use connector_aws::key::{CONVERSATION_CLOSED_AT, CONVERSATION_STATE, CONVERSATIONS_INDEX};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::AwsStandInError;

/// The partition key's attribute, a string.
pub const PARTITION_KEY: &str = "pk";
/// The sort key's attribute, a string.
pub const SORT_KEY: &str = "sk";
/// The attribute with the time after which an item may be deleted, in seconds since the epoch. dynoxide never deletes
/// items, and AWS may take days, so readers compare the time.
pub const TTL_ATTRIBUTE: &str = "expires_at";

const ACTIVE_CHECKS: u32 = 100;
const ACTIVE_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Answers DynamoDB requests until the sender of `stop` is dropped.
pub(super) async fn serve(listener: TcpListener, database: dynoxide::Database, stop: oneshot::Receiver<()>) {
    let stopped = async move { drop(stop.await) };
    if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stopped).await {
        tracing::error!(%error, "the DynamoDB stand-in stopped");
    }
}

/// Creates the connector's table as in the stack's template, and returns when it is active. Works with the stand-in and
/// with AWS.
///
/// It has the keys `pk` and `sk`, the index of conversations, on-demand billing, and TTL on `expires_at`.
///
/// # Errors
/// [`AwsStandInError::Table`] if DynamoDB refuses it, for example because the table exists.
pub async fn create_table(client: &Client, name: &str) -> Result<(), AwsStandInError> {
    let failed = |reason: String| AwsStandInError::Table { name: name.to_owned(), reason };
    let attribute = |name: &str, attribute_type| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(attribute_type)
            .build()
            .map_err(|error| failed(error.to_string()))
    };
    let key = |name: &str, key_type| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(key_type)
            .build()
            .map_err(|error| failed(error.to_string()))
    };
    let conversations = GlobalSecondaryIndex::builder()
        .index_name(CONVERSATIONS_INDEX)
        .key_schema(key(CONVERSATION_STATE, KeyType::Hash)?)
        .key_schema(key(CONVERSATION_CLOSED_AT, KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    client
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute(PARTITION_KEY, ScalarAttributeType::S)?)
        .attribute_definitions(attribute(SORT_KEY, ScalarAttributeType::S)?)
        .attribute_definitions(attribute(CONVERSATION_STATE, ScalarAttributeType::S)?)
        .attribute_definitions(attribute(CONVERSATION_CLOSED_AT, ScalarAttributeType::N)?)
        .global_secondary_indexes(conversations)
        .key_schema(key(PARTITION_KEY, KeyType::Hash)?)
        .key_schema(key(SORT_KEY, KeyType::Range)?)
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await
        .map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
    wait_until_active(client, name).await?;
    let time_to_live = TimeToLiveSpecification::builder()
        .attribute_name(TTL_ATTRIBUTE)
        .enabled(true)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(time_to_live)
        .send()
        .await
        .map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "DynamoDB has no notification for an active table, so it is polled")]
async fn wait_until_active(client: &Client, name: &str) -> Result<(), AwsStandInError> {
    let failed = |reason: String| AwsStandInError::Table { name: name.to_owned(), reason };
    for _ in 0..ACTIVE_CHECKS {
        let described = client
            .describe_table()
            .table_name(name)
            .send()
            .await
            .map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
        if described.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(ACTIVE_CHECK_INTERVAL).await;
    }
    Err(failed("it did not become active in time".to_owned()))
}
