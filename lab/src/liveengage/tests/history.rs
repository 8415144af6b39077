//! Tests of the Consumer Messaging History API.

use http::StatusCode;
use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, main_dialog_close, request, simulator};
use crate::liveengage::Service;
use crate::liveengage::simulator::LiveEngageSimulator;

const LIST: &str = "conversations/consumer/metadata/search";
const EVENTS: &str = "conversations/conversation/content/search";

async fn ask(consumer: &Consumer<'_>, path: &str, query: &str) -> (u16, Value) {
    with_token(consumer.simulator, &format!("Bearer {}", consumer.consumer_token), path, query).await
}

async fn with_token(simulator: &LiveEngageSimulator, token: &str, path: &str, query: &str) -> (u16, Value) {
    let url = format!("{}/messaging_history/api/account/{ACCOUNT}/{path}?{query}", simulator.base_url());
    request(http::Method::GET, &url, &[("authorization", token)], "").await
}

fn ids(list: &Value) -> Vec<&str> {
    let records = list["conversationHistoryMetadataRecords"].as_array().unwrap();
    records.iter().map(|record| record["convId"].as_str().unwrap()).collect()
}

/// Opens and closes a conversation.
async fn ended(consumer: &Consumer<'_>) -> String {
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Good morning").await;
    consumer.simulator.say(&conversation, "Good morning to you").unwrap();
    assert_eq!(consumer.close(&conversation).await.0, 200);
    conversation
}

#[tokio::test]
async fn the_list_has_the_consumers_own_conversations_that_have_ended() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    ended(&Consumer::new(&simulator, "phone-8").await).await;
    let first = ended(&consumer).await;
    simulator.set_legacy_csat(ACCOUNT, true);
    let rating = json!({ "field": "CSATRate", "csatRate": 4, "status": "FILLED" });
    assert_eq!(consumer.update(&first, &rating).await.0, 200);
    consumer.open().await;

    let (status, list) = ask(&consumer, LIST, "state=close,archive").await;
    assert_eq!((status, ids(&list)), (200, vec![first.as_str()]));
    assert_eq!(list["_responseMetadata"]["count"], 1);
    assert_eq!(list["_responseMetadata"]["shardsStatusResult"], json!({ "partialResult": false }));
    let record = &list["conversationHistoryMetadataRecords"][0];
    assert_eq!((&record["state"], &record["csat"]), (&json!("CLOSE"), &json!({ "csatRate": 4, "status": "FILLED" })));
    assert_eq!(record["participants"][0], json!({ "id": consumer.id(), "role": "CONSUMER" }));
    assert_eq!(record["participants"][1]["role"], "ASSIGNED_AGENT");
    assert!(record["endTs"].as_i64().unwrap() >= record["startTs"].as_i64().unwrap());
    // By default the list has what was archived, and the simulator archives nothing.
    assert_eq!(ids(&ask(&consumer, LIST, "").await.1), Vec::<&str>::new());
}

#[tokio::test]
async fn the_list_is_sorted_filtered_and_paged() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut id = ended(&consumer).await;
        // Two that start within the same millisecond have no order.
        let started = |id: &str| simulator.conversation(id).unwrap().started_at_ms;
        while all.last().is_some_and(|last: &String| started(last) == started(&id)) {
            id = ended(&consumer).await;
        }
        all.push(id);
    }
    let (_, ascending) = ask(&consumer, LIST, "state=close&sort=start:asc").await;
    let ascending: Vec<String> = ids(&ascending).into_iter().map(str::to_owned).collect();
    let (_, descending) = ask(&consumer, LIST, "state=close").await;
    assert!(ids(&descending).into_iter().eq(ascending.iter().rev().map(String::as_str)));
    let (_, second) = ask(&consumer, LIST, "state=close&sort=start:asc&offset=1&limit=1").await;
    assert_eq!(ids(&second), [ascending[1].as_str()]);
    assert_eq!(second["_responseMetadata"]["count"], ascending.len());
    let start = simulator.conversation(all.last().unwrap()).unwrap().started_at_ms;
    let (_, last) = ask(&consumer, LIST, &format!("state=close&startFrom={start}&startTo={start}")).await;
    assert_eq!(ids(&last), [all.last().unwrap()]);
}

#[tokio::test]
async fn the_events_are_those_of_the_dialogs_without_typing_and_private_notes() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Good morning").await;
    simulator.say_privately(&conversation, "a difficult one").unwrap();
    simulator.typing(&conversation, true).unwrap();
    simulator.read(&conversation).unwrap();
    let card = json!({ "type": "vertical", "elements": [{ "type": "text", "text": "Blue" }] });
    simulator.say_rich(&conversation, card.clone(), None).unwrap();

    let (status, events) = ask(&consumer, EVENTS, &format!("conversationId={conversation}")).await;
    let records = events["messageEventRecords"].as_array().unwrap();
    assert_eq!((status, records.len()), (200, 3), "{events}");
    assert_eq!(records[0]["event"]["message"], "Good morning");
    assert_eq!((&records[0]["originatorId"], &records[0]["sequence"]), (&json!(consumer.id()), &json!(0)));
    assert_eq!(serde_json::from_str::<Value>(records[1]["event"]["content"].as_str().unwrap()).unwrap(), card);
    assert_eq!(records[2]["event"], json!({ "type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0] }));
    assert!(records[2].get("sequence").is_none(), "only content has a number");
    assert!(records.iter().all(|record| record["serverTimestamp"].is_i64() && record.get("dialogId").is_none()));
}

#[tokio::test]
async fn nobody_sees_the_conversation_of_another() {
    let simulator = simulator().await;
    let (consumer, other) = (Consumer::new(&simulator, "phone-7").await, Consumer::new(&simulator, "phone-8").await);
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Good morning").await;
    let query = format!("conversationId={conversation}");
    let none = (200, json!({ "messageEventRecords": [] }));
    assert_eq!(ask(&other, EVENTS, &query).await, none);
    assert_ne!(ask(&consumer, EVENTS, &query).await, none);
    // LivePerson's pages show the token without `Bearer`.
    assert_ne!(with_token(&simulator, &consumer.consumer_token, EVENTS, &query).await, none);
    for token in ["", "Bearer", "Bearer a.b.c", &format!("Bearer {}", consumer.app_token)] {
        for path in [LIST, EVENTS] {
            assert_eq!(with_token(&simulator, token, path, &query).await, (401, Value::Null), "{token}");
        }
    }
}

#[tokio::test]
async fn a_query_that_is_not_documented_is_refused() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    for query in [
        "limit=101",
        "limit=0",
        "limit=x",
        "offset=-1",
        "state=open",
        "sort=start",
        "sort=csat:asc",
        "sort=end:up",
        "startFrom=1",
        "startTo=1",
    ] {
        assert_eq!(ask(&consumer, LIST, query).await, (400, Value::Null), "{query}");
    }
    assert_eq!(ask(&consumer, EVENTS, "").await, (400, Value::Null));
    assert_eq!(ask(&consumer, EVENTS, "conversationId=").await, (400, Value::Null));
    simulator.fail_next(Service::History, StatusCode::SERVICE_UNAVAILABLE, "");
    assert_eq!(ask(&consumer, LIST, "").await.0, 503);
}

#[tokio::test]
async fn a_survey_counts_from_zero_again() {
    let simulator = simulator().await;
    simulator.set_survey(ACCOUNT, Some(super::survey::survey()));
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&["MULTI_DIALOG"]);
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Good morning").await;
    simulator.say(&conversation, "Good morning to you").unwrap();
    assert_eq!(consumer.update(&conversation, &main_dialog_close(&conversation)).await.0, 200);
    let (_, events) = ask(&consumer, EVENTS, &format!("conversationId={conversation}")).await;
    let firsts = events["messageEventRecords"].as_array().unwrap().iter().filter(|record| record["sequence"] == 0);
    assert_eq!(firsts.count(), 2, "{events}");
}
