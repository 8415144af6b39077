use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::*;

async fn stand_ins() -> AwsStandIns {
    AwsStandIns::start(AwsStandInOptions::default()).await.unwrap()
}

#[tokio::test]
async fn the_table_has_keys_a_ttl_and_conditional_writes() {
    let aws = AwsStandIns::start(AwsStandInOptions { table_name: "lab-table".to_owned(), ..Default::default() })
        .await
        .unwrap();
    let client = aws_sdk_dynamodb::Client::new(aws.sdk_config());
    let table = client.describe_table().table_name("lab-table").send().await.unwrap().table.unwrap();
    let keys: Vec<_> = table.key_schema().iter().map(|key| (key.attribute_name(), key.key_type().as_str())).collect();
    assert_eq!(keys, [("pk", "HASH"), ("sk", "RANGE")]);
    let ttl = client.describe_time_to_live().table_name("lab-table").send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name(), Some("expires_at"));
    assert_eq!(ttl.time_to_live_status().unwrap().as_str(), "ENABLED");

    let item = HashMap::from([
        ("pk".to_owned(), AttributeValue::S("CONS#line#user".to_owned())),
        ("sk".to_owned(), AttributeValue::S("STATE".to_owned())),
    ]);
    let put = || {
        client
            .put_item()
            .table_name("lab-table")
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(pk)")
    };
    put().send().await.unwrap();
    let again = put().send().await.unwrap_err().into_service_error();
    assert!(again.is_conditional_check_failed_exception(), "{again:?}");
}

#[tokio::test]
async fn a_rotated_secret_has_a_current_and_a_previous_version() {
    let aws = stand_ins().await;
    let client = aws_sdk_secretsmanager::Client::new(aws.sdk_config());
    let read = async |stage: &str| {
        let version = client.get_secret_value().secret_id("connector/accounts/a1").version_stage(stage).send().await;
        version.map(|version| version.secret_string.unwrap())
    };
    aws.put_secret("connector/accounts/a1", r#"{"key":"first"}"#).await.unwrap();
    assert_eq!(read("AWSCURRENT").await.unwrap(), r#"{"key":"first"}"#);
    assert!(read("AWSPREVIOUS").await.unwrap_err().into_service_error().is_resource_not_found_exception());

    aws.rotate_secret("connector/accounts/a1", r#"{"key":"second"}"#).await.unwrap();
    assert_eq!(read("AWSCURRENT").await.unwrap(), r#"{"key":"second"}"#);
    assert_eq!(read("AWSPREVIOUS").await.unwrap(), r#"{"key":"first"}"#);

    aws.rotate_secret("connector/accounts/a1", r#"{"key":"third"}"#).await.unwrap();
    assert_eq!(read("AWSCURRENT").await.unwrap(), r#"{"key":"third"}"#);
    assert_eq!(read("AWSPREVIOUS").await.unwrap(), r#"{"key":"second"}"#);
}

#[tokio::test]
async fn secrets_that_cannot_be_stored_are_refused_without_their_value() {
    let aws = stand_ins().await;
    aws.put_secret("taken", "{}").await.unwrap();
    for (outcome, name) in [
        (aws.put_secret("taken", "{}").await, "taken"),
        (aws.put_secret("broken", "{hush").await, "broken"),
        (aws.rotate_secret("missing", "{}").await, "missing"),
    ] {
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains(name) && !text.contains("hush"), "{text}");
    }
    let client = aws_sdk_secretsmanager::Client::new(aws.sdk_config());
    let unknown = client.get_secret_value().secret_id("unknown").send().await.unwrap_err().into_service_error();
    assert!(unknown.is_resource_not_found_exception());
}

#[tokio::test]
async fn both_queues_and_their_dead_letter_queues_exist() {
    let aws = stand_ins().await;
    assert_eq!(aws.queues().names(), [TO_CHANNEL_DEAD_LETTERS, TO_CHANNEL, TO_LIVEENGAGE_DEAD_LETTERS, TO_LIVEENGAGE]);
    let client = aws_sdk_sqs::Client::new(aws.sdk_config());
    for (name, dead_letters) in [(TO_LIVEENGAGE, TO_LIVEENGAGE_DEAD_LETTERS), (TO_CHANNEL, TO_CHANNEL_DEAD_LETTERS)] {
        let found = client.get_queue_url().queue_name(name).send().await.unwrap();
        assert_eq!(found.queue_url(), Some(aws.queue_url(name).as_str()));
        let attributes = client
            .get_queue_attributes()
            .queue_url(aws.queue_url(name))
            .attribute_names("All".into())
            .send()
            .await
            .unwrap()
            .attributes
            .unwrap();
        assert_eq!(attributes[&"VisibilityTimeout".into()], "180");
        let policy = &attributes[&"RedrivePolicy".into()];
        assert!(policy.contains(&format!("arn:aws:sqs:us-east-1:000000000000:{dead_letters}")), "{policy}");
        assert!(policy.contains("\"maxReceiveCount\":200"), "{policy}");
    }
}

#[tokio::test]
async fn dropping_the_stand_ins_closes_every_port() {
    let aws = stand_ins().await;
    let endpoints = aws.endpoints().clone();
    let addresses: Vec<String> = [&endpoints.dynamodb, &endpoints.sqs, &endpoints.secrets]
        .map(|url| url.strip_prefix("http://").unwrap().to_owned())
        .to_vec();
    for address in &addresses {
        tokio::net::TcpStream::connect(address).await.unwrap();
    }
    drop(aws);
    for address in &addresses {
        let closed = async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap_or_else(|_| panic!("{address} is open"));
    }
}

#[tokio::test]
async fn a_used_port_and_an_out_of_range_policy_are_reported() {
    let taken = listener::bind(0).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = AwsStandIns::start(AwsStandInOptions { sqs_port: port, ..Default::default() }).await.unwrap_err();
    assert!(error.to_string().contains(&format!("SQS stand-in cannot listen on 127.0.0.1:{port}")), "{error}");
    let error = AwsStandIns::start(AwsStandInOptions { max_receive_count: 0, ..Default::default() }).await.unwrap_err();
    assert!(error.to_string().contains("to-liveengage.fifo"), "{error}");
}
