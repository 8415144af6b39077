//! Answers of AWS that its local substitutes never give: a batch that was accepted in part, and conflicts of transactions.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::Arc,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{DynamoDbStore, SqsQueue};
use connector::{
    app::error::DeliveryError,
    domain::{
        conversation::Consumer,
        delivery::{ConsumerRef, Lease, Parked},
        id::{LineId, Owner},
        message_key::MessageKey,
        pointer::Pointer,
        progress::Step,
        receipt::{InboundReceipt, LedgerEntry},
        uncertain::UncertainOutcome,
    },
    port::{Consumers, Messages, Postpone, Queue, QueueError, QueueMessage, Saved, StoreError, Tokens},
};
use connector_channels::id::{ChannelUserId, ProviderMessageId};
use connector_liveengage::id::{AccountId, DialogId, LpConsumerId, Sequence};
use connector_message::{Disposition, code::Code};

/// A service that gives the same response to every request.
struct Service {
    sdk: SdkConfig,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Service {
    fn answering(status: u16, body: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} So\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let asked = Arc::<Mutex<Vec<Value>>>::default();
        let requests = Arc::clone(&asked);
        // The task ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut length = 0;
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap() > 2 {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                requests.lock().push(serde_json::from_slice(&body).unwrap());
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        let keys = Credentials::new("AKIACANARY", "canary-key", None, None, "test");
        let sdk = SdkConfig::builder()
            .http_client(crate::sdk_http_client().unwrap())
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-central-1"))
            .retry_config(RetryConfig::disabled())
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .endpoint_url(endpoint)
            .build();
        Self { sdk, asked }
    }

    fn queue(&self) -> SqsQueue {
        SqsQueue::new(aws_sdk_sqs::Client::new(&self.sdk), "http://sqs.example/111122223333/to-channel.fifo")
    }

    fn store(&self) -> DynamoDbStore {
        DynamoDbStore::new(aws_sdk_dynamodb::Client::new(&self.sdk), "connector")
    }

    fn asked(&self) -> usize {
        self.asked.lock().len()
    }
}

fn messages(groups: impl Iterator<Item = usize>) -> Vec<QueueMessage> {
    let message = |(n, group): (usize, usize)| QueueMessage {
        body: n.to_string(),
        group: group.to_string(),
        deduplication: n.to_string(),
    };
    groups.enumerate().map(message).collect()
}

fn taken(id: usize) -> Value {
    json!({"Id": id.to_string(), "MessageId": "m", "MD5OfMessageBody": "0"})
}

fn refused(id: usize) -> Value {
    json!({"Id": id.to_string(), "Code": "InternalError", "SenderFault": false, "Message": "no"})
}

#[tokio::test]
async fn a_batch_with_one_rejected_message_is_an_error() {
    let first_nine: Vec<_> = (0..9).map(taken).collect();
    let service = Service::answering(200, &json!({"Successful": first_nine, "Failed": [refused(9)]}));
    let sent = service.queue().send(messages(0..10)).await;
    assert_eq!(sent, Err(QueueError { code: Code::internal("InternalError") }));
    // And what comes behind it is not sent before it.
    let service = Service::answering(200, &json!({"Successful": [], "Failed": [refused(0)]}));
    assert!(service.queue().send(messages([1, 1, 1].into_iter())).await.is_err());
    assert_eq!(service.asked(), 1);
}

#[tokio::test]
async fn a_batch_with_one_unconfirmed_message_is_an_error() {
    let service = Service::answering(200, &json!({"Successful": [taken(0)], "Failed": []}));
    assert_eq!(service.queue().send(messages(0..1)).await, Ok(()));
    let sent = service.queue().send(messages(0..2)).await;
    assert_eq!(sent, Err(QueueError { code: Code::internal("not_all_confirmed") }));
}

#[tokio::test]
async fn a_postponement_that_was_rejected_for_one_message_is_an_error() {
    let done = json!({"Successful": [{"Id": "0"}], "Failed": [refused(1)]});
    let both = ["r0", "r1"].map(|receipt| (receipt.to_owned(), SignedDuration::from_secs(5)));
    let postponed = Service::answering(200, &done).queue().postpone(both.to_vec()).await;
    assert_eq!(postponed, Err(QueueError { code: Code::internal("InternalError") }));
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn line() -> LineId {
    LineId::new("sms-main").unwrap()
}

fn lease() -> Lease {
    let message = MessageKey::FromChannel { line: line(), name: "6d6f".repeat(16) };
    Lease { message, owner: Owner::new("me").unwrap() }
}

fn entry() -> LedgerEntry {
    LedgerEntry::InboundReceipt(InboundReceipt {
        account: AccountId::new("72419083").unwrap(),
        dialog: DialogId::new("c1").unwrap(),
        sequence: Sequence(2),
        consumer: ConsumerRef { line: line(), user: ChannelUserId::new("+4915112345678").unwrap() },
        id: ProviderMessageId::new("mo-1").unwrap(),
        at: at(0),
        by_position: false,
    })
}

fn parked() -> Parked {
    let body = "{}".to_owned();
    Parked { at: at(0), reason: "why".to_owned(), permanent: false, line: Some(line()), conversation: None, body }
}

/// Returns a DynamoDB that cancels a transaction for these reasons of its items, in order.
fn canceled(reasons: &[&str]) -> Service {
    let reasons: Vec<_> = reasons.iter().map(|code| json!({"Code": code, "Message": "of an item"})).collect();
    let name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Service::answering(400, &json!({"__type": name, "Message": "cancelled", "CancellationReasons": reasons}))
}

/// Returns the results of a message's writes if their transaction is canceled for these reasons.
async fn writes(reasons: &[&str]) -> [(&'static str, Result<(), StoreError>); 3] {
    let service = canceled(reasons);
    let (store, step) = (service.store(), Step::Published { sequence: Some(Sequence(2)) });
    [
        ("step_done", store.step_done(&lease(), 0, &step, Some(&entry())).await),
        ("complete", store.complete(&lease(), Some(&entry())).await),
        ("park", store.park(&lease(), &parked(), &UncertainOutcome::default()).await),
    ]
}

fn assert_retried(what: &str, result: Result<(), StoreError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{what}: {error}");
    assert!(matches!(DeliveryError::Store(error).disposition(), Disposition::Retry { .. }), "{what}");
}

#[tokio::test]
async fn a_transaction_conflict_is_retried_and_does_not_count_as_a_lost_lease() {
    for reasons in [
        ["TransactionConflict", "None"],
        ["None", "TransactionConflict"],
        ["TransactionConflict", "TransactionConflict"],
        ["ThrottlingError", "None"],
        ["ProvisionedThroughputExceeded", "TransactionConflict"],
    ] {
        for (what, result) in writes(&reasons).await {
            assert_retried(&format!("{what}: {reasons:?}"), result);
        }
    }
}

/// Only the message's own record has a condition. If it fails, another attempt has the lease, whatever the reasons of the other items are.
#[tokio::test]
async fn a_transaction_whose_condition_fails_is_a_lost_lease() {
    for reasons in [["ConditionalCheckFailed", "None"], ["ConditionalCheckFailed", "TransactionConflict"]] {
        for (what, result) in writes(&reasons).await {
            assert_eq!(result, Err(StoreError::LeaseLost), "{what}: {reasons:?}");
        }
    }
}

#[tokio::test]
async fn a_conflict_on_a_consumers_record_does_not_count_as_saved() {
    let user = ChannelUserId::new("+4915112345678").unwrap();
    let consumer = Consumer::new(line(), user, AccountId::new("72419083").unwrap());
    let new = [Pointer::LpConsumer(consumer.account.clone(), LpConsumerId::new("lp").unwrap())];
    for reasons in
        [["TransactionConflict", "None"], ["ConditionalCheckFailed", "None"], ["None", "TransactionConflict"]]
    {
        let saved = canceled(&reasons).store().save_consumer(&consumer, &new).await;
        assert_eq!(saved, Ok(Saved::Conflict), "{reasons:?}");
    }
    for name in ["TransactionConflictException", "ConditionalCheckFailedException"] {
        let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
        let service = Service::answering(400, &json!({"__type": name, "message": "another write was first"}));
        assert_eq!(service.store().save_consumer(&consumer, &[]).await, Ok(Saved::Conflict), "{name}");
    }
    assert_retried(
        "save_consumer",
        canceled(&["ThrottlingError", "None"]).store().save_consumer(&consumer, &new).await.map(drop),
    );
}

/// The answer to the first attempt was lost, and the SDK's second one fails because of the first.
#[tokio::test]
async fn a_save_that_finds_what_it_writes_counts_as_saved() {
    let user = ChannelUserId::new("+4915112345678").unwrap();
    let consumer = Consumer::new(line(), user, AccountId::new("72419083").unwrap());
    let accepting = Service::answering(200, &json!({}));
    assert_eq!(accepting.store().save_consumer(&consumer, &[]).await, Ok(Saved::Saved));
    let written = accepting.asked.lock()[0]["Item"].clone();
    let mut of_another = written.clone();
    of_another["record"]["M"]["account"] = json!({"S": "90000001"});
    for (found, saved) in [(written, Saved::Saved), (of_another, Saved::Conflict)] {
        let name = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        let failed = Service::answering(400, &json!({"__type": name, "message": "failed", "Item": found}));
        assert_eq!(failed.store().save_consumer(&consumer, &[]).await, Ok(saved));
    }
}

/// A write of a single item can conflict with a transaction, too.
#[tokio::test]
async fn a_conflict_of_a_single_write_is_retried_and_does_not_count_as_done() {
    let name = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
    let service = Service::answering(400, &json!({"__type": name, "message": "a transaction is under way"}));
    let (store, step) = (service.store(), Step::NackSent);
    assert_retried("acquire", store.acquire(&lease(), at(0), at(60)).await.map(drop));
    assert_retried("step_done", store.step_done(&lease(), 0, &step, None).await);
    assert_retried("complete", store.complete(&lease(), None).await);
    assert_retried("release", store.release(&lease(), true, &UncertainOutcome::default()).await);
    assert_retried("abandon", store.abandon(&lease()).await);
    let (account, owner) = (AccountId::new("72419083").unwrap(), Owner::new("me").unwrap());
    assert_retried("lease_token", store.lease_token(&account, &owner, at(0), at(20)).await.map(drop));
    assert_retried("release_token", store.release_token(&account, &owner).await);
}
