//! The store contract on DynamoDB's wire: the SDK against the embedded DynamoDB.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;

use connector::{aws::DynamoDbStore, testing::store_contract};
use connector_lab::aws::{AwsStandInOptions, AwsStandIns};

#[tokio::test(flavor = "multi_thread")]
async fn the_dynamodb_store_keeps_the_contract() {
    let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
    let store = DynamoDbStore::new(Client::new(aws.sdk_config()), aws.table_name());
    store_contract::check(Arc::new(store)).await;
}
