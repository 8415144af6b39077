//! Runs the store contract on DynamoDB's protocol: the SDK with the embedded DynamoDB.

use std::sync::Arc;

use aws_sdk_dynamodb::{Client, config::Builder};
use connector::port::Consumers;
use connector_aws::DynamoDbStore;
use connector_lab::aws::{AwsStandInOptions, AwsStandIns};
use connector_liveengage::id::{AccountId, ConversationId};
use connector_testing::store_contract;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

#[tokio::test(flavor = "multi_thread")]
async fn the_dynamodb_store_keeps_the_contract() {
    let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
    let store = DynamoDbStore::new(Client::new(aws.sdk_config()), aws.table_name());
    store_contract::check(Arc::new(store)).await;
}

/// Checks that a table returns what an update asks for: only the changed ones of the updated attributes, or all attributes.
#[tokio::test]
async fn the_time_since_a_conversation_is_unknown_is_read_although_it_did_not_change() {
    let server = MockServer::start().await;
    let since = Timestamp::from_second(1_800_000_000).unwrap();
    let table = move |request: &Request| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let number = |value: i64| json!({"N": value.to_string()});
        let mut item = json!({"expires_at": number(1_800_086_400)});
        if asked["ReturnValues"] == "ALL_NEW" {
            item["unknown_since"] = number(since.as_millisecond());
        }
        ResponseTemplate::new(200).set_body_json(json!({"Attributes": item}))
    };
    Mock::given(any()).respond_with(table).mount(&server).await;
    let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
    let config = Builder::from(aws.sdk_config()).endpoint_url(server.uri()).build();
    let store = DynamoDbStore::new(Client::from_conf(config), "connector");
    let (account, id) = (AccountId::new("72419083").unwrap(), ConversationId::new("c1").unwrap());
    let now = since + SignedDuration::from_mins(4);
    assert_eq!(store.unknown_since(&account, &id, now).await, Ok(since));
}
