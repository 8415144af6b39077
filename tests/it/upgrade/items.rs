//! The items of older versions in the table, one by one.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use connector::{
    domain::{
        delivery::{Acquired, Lease},
        id::Owner,
    },
    port::{Clock, Consumers, Conversations, Ledger, Messages, ParkedMessages, StoreError, Tokens},
};
use connector_aws::{DynamoDbStore, ParkedTable, SystemClock, key::Key};
use connector_lab::aws::{AwsStandInOptions, AwsStandIns};
use connector_liveengage::id::{AccountId, ConversationId, DialogId, Sequence};

use super::{
    ACCOUNT, Upgraded,
    recorded::{self, MOMENTS},
    store,
};
use crate::silence::Watch;

/// Reads one item through its port.
async fn read(store: &DynamoDbStore, key: Key) -> Result<bool, StoreError> {
    let (now, owner) = (SystemClock.now(), Owner::new("a reader").unwrap());
    Ok(match key {
        Key::Consumer(consumer) => store.consumer(&consumer).await?.is_some(),
        Key::Conversation(account, id) => store.conversation_owner(&account, &id).await?.is_some(),
        Key::LpConsumer(account, id) => store.consumer_by_lp_id(&account, &id).await?.is_some(),
        Key::Token(account) => store.token(&account).await?.is_some(),
        Key::Unattached(account) => store.unattached_at(&account).await?.is_some(),
        Key::Reconciled(account) => store.past_runs(&account).await?.complete.is_some(),
        Key::OutboundReceipt(line, id) => store.outbound_receipt(&line, &id).await?.is_some(),
        Key::InboundReceipt(account, dialog, sequence) => {
            store.inbound_receipt(&account, &dialog, sequence).await?.is_some()
        }
        Key::LastInbound(consumer) => store.last_inbound(&consumer).await?.is_some(),
        Key::AcceptedCall(line, reference) => store.accepted_call(&line, &reference).await?.is_some(),
        Key::Message(message) => {
            let acquire = store.acquire(&Lease { message, owner }, now, now + MOMENTS).await?;
            !matches!(acquire, Acquired::Started { attempts: 1, .. })
        }
    })
}

/// Reads one echo through the port for those of its dialog.
async fn read_echo(store: &DynamoDbStore, item: &HashMap<String, AttributeValue>) -> Result<bool, StoreError> {
    let key: Vec<_> = item["pk"].as_s().unwrap().split('#').collect();
    let &["ECHO", account, dialog] = key.as_slice() else { return Ok(false) };
    let (account, dialog) = (AccountId::new(account).unwrap(), DialogId::new(dialog).unwrap());
    let sequence = Sequence(item["sk"].as_s().unwrap().parse().unwrap());
    Ok(store.echoes(&account, &dialog).await?.iter().any(|echo| echo.sequence == sequence))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_read_by_its_port() {
    let mut kinds = BTreeSet::new();
    for recording in recorded::situations().iter().flat_map(|name| recorded::all(name)) {
        let watch = Watch::begin();
        let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
        let recording = recording.aged(MOMENTS);
        recording.load(&aws, &watch).await;
        let store = store(&aws);
        let mut parked = 0;
        for item in recording.items() {
            let pk = item["pk"].as_s().unwrap();
            kinds.insert(pk.split('#').next().unwrap().to_owned());
            match Key::parse(pk) {
                Some(key) => assert_eq!(read(&store, key).await, Ok(true), "{}", item["sk"].as_s().unwrap()),
                None if pk.starts_with("PARKED#") => parked += 1,
                None => assert_eq!(read_echo(&store, &item).await, Ok(true), "{pk}"),
            }
        }
        let list = ParkedTable::new(Client::new(aws.sdk_config()), aws.table_name()).parked().await.unwrap();
        assert_eq!((list.messages.len(), list.unreadable), (parked, 0));
    }
    let all = [
        "ACCEPTED",
        "CONS",
        "ECHO",
        "INBOUND",
        "LASTIN",
        "LECONS",
        "LECONV",
        "MSG",
        "OUTBOUND",
        "PARKED",
        "TOKEN",
        "UNATTACHED",
    ];
    assert!(all.iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
}

/// The same items as a newer version would write them.
#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_newer_version_is_left_alone_until_a_worker_comes_that_reads_it() {
    for recording in recorded::all("all-sorts").iter().chain(&recorded::all("texts-in-flight")) {
        let watch = Watch::begin();
        let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
        let recording = recording.aged(MOMENTS);
        recording.load(&aws, &watch).await;
        let client = Client::new(aws.sdk_config());
        let (store, now) = (store(&aws), SystemClock.now());
        for item in recording.items() {
            let mut newer = item.clone();
            newer.insert("schema_version".to_owned(), AttributeValue::N("2".to_owned()));
            client.put_item().table_name(aws.table_name()).set_item(Some(newer.clone())).send().await.unwrap();
            let newer_version = Err(StoreError::Unreadable { what: "it is of a newer version" });
            let Some(key) = Key::parse(item["pk"].as_s().unwrap()) else {
                assert_eq!(read_echo(&store, &item).await, newer_version);
                continue;
            };
            let is_done = item.get("status").is_some_and(|status| status.as_s().unwrap() == "done");
            // A message that is done stays done, whatever the version.
            let wanted = if is_done { Ok(true) } else { newer_version };
            assert_eq!(read(&store, key.clone()).await, wanted, "{}", item["sk"].as_s().unwrap());
            match key {
                Key::Conversation(account, id) => {
                    store.presume_foreign(&account, &id, now).await.unwrap();
                    store.mark_foreign(&account, &id, now).await.unwrap();
                    store.unknown_since(&account, &id, now).await.unwrap();
                }
                Key::Token(account) => {
                    let owner = Owner::new("an older worker").unwrap();
                    assert!(!store.lease_token(&account, &owner, now, now + MOMENTS).await.unwrap());
                }
                _ => {}
            }
            let get = client
                .get_item()
                .table_name(aws.table_name())
                .key("pk", item["pk"].clone())
                .key("sk", item["sk"].clone());
            assert_eq!(
                get.consistent_read(true).send().await.unwrap().item,
                Some(newer),
                "nothing was written over it"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_say_which_schema_version_they_have() {
    for recording in recorded::all("texts-in-flight").iter().chain(&recorded::all("dead-workers")) {
        let upgraded = Upgraded::from(recording).await;
        let (account, id) = (AccountId::new(ACCOUNT).unwrap(), ConversationId::new("nobodys").unwrap());
        store(&upgraded.aws).unknown_since(&account, &id, SystemClock.now()).await.unwrap();
        let scan =
            Client::new(upgraded.aws.sdk_config()).scan().table_name(upgraded.aws.table_name()).send().await.unwrap();
        for item in scan.items() {
            let version = item.get("schema_version");
            assert_eq!(version, Some(&AttributeValue::N("1".to_owned())), "{}", item["sk"].as_s().unwrap());
        }
    }
}
