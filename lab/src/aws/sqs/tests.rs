//! Tests with the real SDK.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::aws::{AwsStandInOptions, AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE, TO_LIVEENGAGE_DEAD_LETTERS};

struct SqsFixture {
    aws: AwsStandIns,
    client: Client,
    url: String,
}

impl SqsFixture {
    async fn start() -> Self {
        Self::with(AwsStandInOptions::default()).await
    }

    async fn with(options: AwsStandInOptions) -> Self {
        let aws = AwsStandIns::start(options).await.unwrap();
        let client = Client::new(aws.sdk_config());
        let url = aws.queue_url(TO_LIVEENGAGE);
        Self { aws, client, url }
    }

    async fn send(&self, group: &str, body: &str) {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(group)
            .message_deduplication_id(body)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }

    async fn receive(&self, url: &str) -> Vec<Message> {
        self.client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap()
            .messages
            .unwrap_or_default()
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

#[tokio::test]
async fn a_message_keeps_its_attributes_and_digests() {
    let fixture = SqsFixture::start().await;
    let text = MessageAttributeValue::builder().data_type("String").string_value("c-1").build().unwrap();
    let binary = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([1, 2])).build().unwrap();
    let sent = fixture
        .client
        .send_message()
        .queue_url(&fixture.url)
        .message_group_id("line#user")
        .message_deduplication_id("m-1")
        .message_body("grüße")
        .message_attributes("correlation", text)
        .message_attributes("raw", binary)
        .send()
        .await
        .unwrap();
    let received = fixture.receive(&fixture.url).await.remove(0);
    assert_eq!(received.body(), Some("grüße"));
    assert_eq!(received.message_id(), sent.message_id());
    assert_eq!(received.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(received.md5_of_body(), Some("fee40dc24d0ad6a90c608052aa4e9e66"));
    assert_eq!(received.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let attributes = received.message_attributes().unwrap();
    assert_eq!(attributes["correlation"].string_value(), Some("c-1"));
    assert_eq!(attributes["raw"].binary_value(), Some(&Blob::new([1, 2])));
    let system = received.attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "line#user");
    assert_eq!(system[&MessageSystemAttributeName::MessageDeduplicationId], "m-1");
    assert_eq!(system[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert_eq!(Some(system[&MessageSystemAttributeName::SequenceNumber].as_str()), sent.sequence_number());
}

#[tokio::test]
async fn one_receive_gives_a_group_in_order_and_blocks_it() {
    let fixture = SqsFixture::start().await;
    for body in ["1", "2", "3"] {
        fixture.send("g", body).await;
    }
    let received = fixture.receive(&fixture.url).await;
    assert_eq!(bodies(&received), ["1", "2", "3"]);
    fixture.send("g", "4").await;
    assert!(fixture.receive(&fixture.url).await.is_empty());
    for message in &received {
        let handle = message.receipt_handle().unwrap();
        fixture.client.delete_message().queue_url(&fixture.url).receipt_handle(handle).send().await.unwrap();
    }
    assert_eq!(bodies(&fixture.receive(&fixture.url).await), ["4"]);
}

#[tokio::test]
async fn only_the_attributes_asked_for_are_given() {
    let fixture = SqsFixture::start().await;
    fixture.send("g", "1").await;
    let received =
        fixture.client.receive_message().queue_url(&fixture.url).send().await.unwrap().messages.unwrap().remove(0);
    assert!(received.attributes().is_none_or(std::collections::HashMap::is_empty));
    assert_eq!(received.md5_of_message_attributes(), None);
}

#[tokio::test]
async fn a_duplicate_returns_the_id_of_the_first_message() {
    let fixture = SqsFixture::start().await;
    let send = || {
        fixture
            .client
            .send_message()
            .queue_url(&fixture.url)
            .message_group_id("g")
            .message_deduplication_id("same")
            .message_body("text")
            .send()
    };
    let (first, second) = (send().await.unwrap(), send().await.unwrap());
    assert_eq!(first.message_id(), second.message_id());
    assert_eq!(first.sequence_number(), second.sequence_number());
    assert_eq!(fixture.aws.queue(TO_LIVEENGAGE).unwrap().counts().total(), 1);
}

#[tokio::test]
async fn a_batch_reports_the_result_of_each_entry() {
    let fixture = SqsFixture::start().await;
    let entry = |id: &str, group: Option<&str>| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(id)
            .message_deduplication_id(id)
            .set_message_group_id(group.map(str::to_owned))
            .build()
            .unwrap()
    };
    let sent = fixture
        .client
        .send_message_batch()
        .queue_url(&fixture.url)
        .entries(entry("a", Some("g")))
        .entries(entry("b", None))
        .entries(entry("c", Some("g")))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.successful().iter().map(|entry| entry.id()).collect::<Vec<_>>(), ["a", "c"]);
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("b", "MissingParameter", true));

    let received = fixture.receive(&fixture.url).await;
    assert_eq!(bodies(&received), ["a", "c"]);
    let handles: Vec<&str> = received.iter().map(|message| message.receipt_handle().unwrap()).collect();
    let visibility = |id: &str, handle: &str, timeout| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .visibility_timeout(timeout)
            .build()
            .unwrap()
    };
    let changed = fixture
        .client
        .change_message_visibility_batch()
        .queue_url(&fixture.url)
        .entries(visibility("ok", handles[1], 0))
        .entries(visibility("long", handles[0], 43_201))
        .send()
        .await
        .unwrap();
    assert_eq!(changed.successful()[0].id(), "ok");
    assert_eq!((changed.failed()[0].id(), changed.failed()[0].code()), ("long", "InvalidParameterValue"));

    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let deleted = fixture
        .client
        .delete_message_batch()
        .queue_url(&fixture.url)
        .entries(delete("held", handles[0]))
        .entries(delete("given-back", handles[1]))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful()[0].id(), "held");
    assert_eq!((deleted.failed()[0].id(), deleted.failed()[0].code()), ("given-back", "ReceiptHandleIsInvalid"));
}

#[tokio::test]
async fn batches_beyond_the_limits_are_refused_whole() {
    let fixture = SqsFixture::start().await;
    let entry = |id: &str, size: usize| {
        SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body("x".repeat(size))
            .message_deduplication_id(id)
            .message_group_id("g")
            .build()
            .unwrap()
    };
    let outcome = async |entries: Vec<SendMessageBatchRequestEntry>| {
        let sent = fixture.client.send_message_batch().queue_url(&fixture.url).set_entries(Some(entries)).send().await;
        sent.map(drop).map_err(aws_sdk_sqs::error::SdkError::into_service_error)
    };
    assert!(outcome(Vec::new()).await.unwrap_err().is_empty_batch_request());
    let eleven = (0..11).map(|i| entry(&format!("e{i}"), 1)).collect();
    assert!(outcome(eleven).await.unwrap_err().is_too_many_entries_in_batch_request());
    assert!(outcome(vec![entry("a", 1), entry("a", 1)]).await.unwrap_err().is_batch_entry_ids_not_distinct());
    assert!(outcome(vec![entry("a b", 1)]).await.unwrap_err().is_invalid_batch_entry_id());
    let half = 512 * 1024;
    outcome(vec![entry("h1", half), entry("h2", half)]).await.unwrap();
    assert!(outcome(vec![entry("h3", half), entry("h4", half + 1)]).await.unwrap_err().is_batch_request_too_long());
    assert_eq!(fixture.aws.queue(TO_LIVEENGAGE).unwrap().counts().total(), 2);
}

#[tokio::test]
async fn long_polling_ends_with_the_message_and_not_with_the_wait() {
    let fixture = SqsFixture::start().await;
    let poll = fixture.client.receive_message().queue_url(&fixture.url).wait_time_seconds(20).send();
    let send = async {
        tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
        fixture.send("g", "late").await;
    };
    let (received, ()) =
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(poll, send) }).await.unwrap();
    assert_eq!(received.unwrap().messages.unwrap()[0].body(), Some("late"));
}

#[tokio::test]
async fn long_polling_ends_with_a_message_that_becomes_visible_by_itself() {
    let fixture = SqsFixture::start().await;
    fixture.send("g", "again").await;
    let poll = |visibility| {
        fixture
            .client
            .receive_message()
            .queue_url(&fixture.url)
            .visibility_timeout(visibility)
            .wait_time_seconds(20)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
    };
    poll(1).await.unwrap();
    let received = tokio::time::timeout(Duration::from_secs(10), poll(30)).await.unwrap().unwrap();
    let attributes = received.messages()[0].attributes().unwrap();
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "2");
}

#[tokio::test]
async fn the_dead_letter_queue_gets_a_message_received_too_often() {
    let fixture = SqsFixture::with(AwsStandInOptions { max_receive_count: 1, ..Default::default() }).await;
    fixture.send("g", "poison").await;
    let received = fixture.receive(&fixture.url).await;
    fixture
        .client
        .change_message_visibility()
        .queue_url(&fixture.url)
        .receipt_handle(received[0].receipt_handle().unwrap())
        .visibility_timeout(0)
        .send()
        .await
        .unwrap();
    assert!(fixture.receive(&fixture.url).await.is_empty());
    let dead = fixture.receive(&fixture.aws.queue_url(TO_LIVEENGAGE_DEAD_LETTERS)).await.remove(0);
    assert_eq!((dead.body(), dead.message_id()), (Some("poison"), received[0].message_id()));
    let system = dead.attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "g");
    assert!(system[&MessageSystemAttributeName::DeadLetterQueueSourceArn].ends_with(TO_LIVEENGAGE));
}

#[tokio::test]
async fn errors_reach_the_sdk_as_its_own_types() {
    let fixture = SqsFixture::start().await;
    let client = &fixture.client;
    let elsewhere = fixture.url.replace(TO_LIVEENGAGE, "missing.fifo");
    let missing = client.receive_message().queue_url(&elsewhere).send().await.unwrap_err().into_service_error();
    assert!(missing.is_queue_does_not_exist(), "{missing:?}");
    let missing = client.get_queue_url().queue_name("missing.fifo").send().await.unwrap_err().into_service_error();
    assert!(missing.is_queue_does_not_exist(), "{missing:?}");

    let no_group =
        client.send_message().queue_url(&fixture.url).message_body("x").send().await.unwrap_err().into_service_error();
    assert_eq!(no_group.code(), Some("MissingParameter"));
    assert!(no_group.message().unwrap().contains("MessageGroupId"));

    let handle = client.delete_message().queue_url(&fixture.url).receipt_handle("nonsense").send().await;
    assert!(handle.unwrap_err().into_service_error().is_receipt_handle_is_invalid());

    fixture.send("g", "1").await;
    let stale = fixture.receive(&fixture.url).await[0].receipt_handle().unwrap().to_owned();
    let abandon = || {
        client.change_message_visibility().queue_url(&fixture.url).receipt_handle(&stale).visibility_timeout(0).send()
    };
    abandon().await.unwrap();
    let expired = abandon().await.unwrap_err().into_service_error();
    assert_eq!(expired.code(), Some("InvalidParameterValue"));
    assert!(expired.message().unwrap().contains("The receipt handle has expired"));

    client.purge_queue().queue_url(&fixture.url).send().await.unwrap();
    let purge = client.purge_queue().queue_url(&fixture.url).send().await.unwrap_err().into_service_error();
    assert!(purge.is_purge_queue_in_progress(), "{purge:?}");

    let too_many = client.receive_message().queue_url(&fixture.url).max_number_of_messages(11).send().await;
    assert_eq!(too_many.unwrap_err().into_service_error().code(), Some("InvalidParameterValue"));
    let unsupported = client.delete_queue().queue_url(&fixture.url).send().await.unwrap_err().into_service_error();
    assert!(unsupported.is_unsupported_operation(), "{unsupported:?}");
    let attribute = client
        .get_queue_attributes()
        .queue_url(&fixture.url)
        .attribute_names(QueueAttributeName::KmsMasterKeyId)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(attribute.is_invalid_attribute_name(), "{attribute:?}");
}

#[tokio::test]
async fn queues_are_created_as_on_aws_and_listed() {
    let fixture = SqsFixture::start().await;
    let client = &fixture.client;
    let arn = fixture.aws.queue(TO_LIVEENGAGE_DEAD_LETTERS).unwrap().arn();
    let create = |receives: &str| {
        let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{receives}"}}"#);
        client
            .create_queue()
            .queue_name("extra.fifo")
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::VisibilityTimeout, "45")
            .attributes(QueueAttributeName::RedrivePolicy, policy)
            .send()
    };
    let url = create("3").await.unwrap().queue_url.unwrap();
    assert_eq!(url, fixture.aws.queue_url("extra.fifo"));
    assert_eq!(create("3").await.unwrap().queue_url(), Some(url.as_str()));
    assert!(create("4").await.unwrap_err().into_service_error().is_queue_name_exists());
    let attributes = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::VisibilityTimeout)
        .send()
        .await
        .unwrap();
    assert_eq!(attributes.attributes().unwrap()[&QueueAttributeName::VisibilityTimeout], "45");

    let standard = client.create_queue().queue_name("standard").send().await.unwrap_err().into_service_error();
    assert!(standard.is_invalid_attribute_value(), "{standard:?}");
    let unknown = client
        .create_queue()
        .queue_name("other.fifo")
        .attributes(QueueAttributeName::FifoQueue, "true")
        .attributes(QueueAttributeName::KmsMasterKeyId, "key")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(unknown.is_invalid_attribute_name(), "{unknown:?}");

    let listed = client.list_queues().queue_name_prefix("to-channel").send().await.unwrap();
    assert_eq!(listed.queue_urls().len(), 2);
    assert!(listed.queue_urls().contains(&fixture.aws.queue_url(TO_CHANNEL)));
    let first = client.list_queues().max_results(3).send().await.unwrap();
    let rest = client.list_queues().max_results(3).set_next_token(first.next_token.clone()).send().await.unwrap();
    assert_eq!((first.queue_urls().len(), rest.queue_urls().len(), rest.next_token()), (3, 2, None));
}
