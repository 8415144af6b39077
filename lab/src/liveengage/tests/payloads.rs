//! Tests of the webhook payloads, member by member.

use http::StatusCode;
use serde_json::{Value, json};

use super::{ACCOUNT, CLIENT_ID, Consumer, Receiver, opening, post, publication, simulator, text_event};
use crate::liveengage::conversation::Staff;
use crate::liveengage::{Role, Speaker};

/// Replaces the times by "T" and returns those of a key, so that the rest can be compared.
fn without_times(payload: &mut Value) -> Vec<i64> {
    let mut times = Vec::new();
    match payload {
        Value::Object(members) => {
            for (key, value) in members {
                let is_time =
                    ["serverTimestamp", "creationTs", "startTs", "endTs", "metaDataLastUpdateTs", "effectiveTTR"]
                        .contains(&key.as_str());
                match value.as_i64().filter(|time| is_time && *time > 0) {
                    Some(time) => {
                        times.push(time);
                        *value = json!("T");
                    }
                    None => times.extend(without_times(value)),
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| times.extend(without_times(entry))),
        _ => {}
    }
    times
}

fn payload(receiver: &Receiver, number: usize) -> Value {
    let mut payload = receiver.received()[number].json();
    let times = without_times(&mut payload);
    // Milliseconds, not seconds: after September 2001 and before 2286.
    assert!(times.iter().all(|time| (1_000_000_000_000..10_000_000_000_000).contains(time)), "{times:?}");
    payload
}

/// The changes that report a conversation, with each time as `T`.
fn expected_changes(conversation: &str, consumer: &str, joined: bool, closed: bool) -> Value {
    let agent = Staff::Agent.id(ACCOUNT);
    let mut participants = vec![json!({ "id": consumer, "role": "CONSUMER" })];
    if joined {
        participants.push(json!({ "id": agent, "role": "ASSIGNED_AGENT" }));
    }
    let details: Vec<Value> = participants
        .iter()
        .map(|participant| json!({ "id": participant["id"], "role": participant["role"], "state": "ACTIVE" }))
        .collect();
    let state = if closed { "CLOSE" } else { "OPEN" };
    let mut dialog = json!({
        "dialogId": conversation, "participantsDetails": details, "dialogType": "MAIN", "channelType": "MESSAGING",
        "state": state, "creationTs": "T", "metaDataLastUpdateTs": "T",
    });
    let mut conversation_details = json!({
        "skillId": "318", "participants": participants, "brandId": ACCOUNT, "state": state, "stage": state,
        "startTs": "T", "metaDataLastUpdateTs": "T", "firstConversation": true,
        "ttr": { "ttrType": "NORMAL", "value": 3600 },
        "campaignInfo": { "campaignId": 4711, "engagementId": 4712 },
        "context": {
            "type": "SharkContext", "lang": "de-DE", "interactionContextId": "2",
            "clientProperties": { "type": ".ClientProperties", "features": ["MULTI_DIALOG"] },
        },
        "conversationHandlerDetails": { "accountId": ACCOUNT, "skillId": "318" },
    });
    if closed {
        dialog["endTs"] = json!("T");
        dialog["closedBy"] = json!("AGENT");
        conversation_details["endTs"] = json!("T");
        conversation_details["closeReason"] = json!("AGENT");
    }
    conversation_details["dialogs"] = json!([dialog]);
    let effective_ttr = if closed { json!(-1) } else { json!("T") };
    let result =
        json!({ "convId": conversation, "effectiveTTR": effective_ttr, "conversationDetails": conversation_details });
    json!([{ "type": "UPSERT", "result": result }])
}

#[tokio::test]
async fn an_ex_conversation_notification_carries_the_whole_state() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let request = json!({
        "brandId": ACCOUNT, "skillId": 318, "ttrDefName": "NORMAL",
        "campaignInfo": { "campaignId": "4711", "engagementId": 4712 },
        "conversationContext": { "type": "SharkContext", "lang": "de-DE", "interactionContextId": "2" },
    });
    let path = format!("/api/account/{ACCOUNT}/messaging/consumer/conversation?v=3");
    let headers = [
        ("authorization", consumer.app_token.as_str()),
        ("x-lp-on-behalf", consumer.consumer_token.as_str()),
        ("client-properties", r#"{"type":".ClientProperties","features":["MULTI_DIALOG"]}"#),
    ];
    let (status, answers) = post(&simulator, &path, &headers, opening(&request).to_string()).await;
    assert_eq!(status, 200);
    let conversation = answers[1]["body"]["conversationId"].as_str().unwrap().to_owned();
    simulator.join(&conversation).unwrap();
    simulator.close(&conversation).unwrap();
    simulator.webhooks_settled().await;

    let expected = |joined, closed| expected_changes(&conversation, &consumer.id(), joined, closed);
    let mut subscriptions = Vec::new();
    for (number, changes) in
        [expected(false, false), expected(true, false), expected(true, true)].into_iter().enumerate()
    {
        let payload = payload(&receiver, number);
        assert_eq!(payload["kind"], "notification");
        assert_eq!(payload["type"], "cqm.ExConversationChangeNotification");
        assert_eq!(payload["body"]["changes"], changes);
        subscriptions.push(payload["body"]["subscriptionId"].clone());
    }
    assert!(subscriptions[0].is_string() && subscriptions.iter().all(|id| *id == subscriptions[0]));

    let updated: Vec<i64> = receiver
        .received()
        .iter()
        .map(|call| call.change()["result"]["conversationDetails"]["metaDataLastUpdateTs"].as_i64().unwrap())
        .collect();
    assert!(updated.is_sorted_by(|earlier, later| earlier < later), "{updated:?}");
}

#[tokio::test]
async fn message_notifications_have_the_newest_form() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());

    let mut clicked = publication(&conversation, &text_event("Grüße 👋 \"q\" \\ /"));
    clicked["metadata"] = json!([{ "type": "ExternalId", "id": "yes-1" }]);
    consumer.send(&clicked).await;
    simulator.read(&conversation).unwrap();
    simulator.typing(&conversation, true).unwrap();
    simulator.say(&conversation, "Good morning\n").unwrap();
    simulator.say_privately(&conversation, "A regular").unwrap();
    simulator.typing(&conversation, false).unwrap();
    simulator.webhooks_settled().await;

    let agent = Staff::Agent.id(ACCOUNT);
    let message = |sequence: Option<u64>, (id, role): (&str, &str), event: Value, audience: &str, metadata: Value| {
        let mut change = json!({
            "originatorId": id, "originatorMetadata": { "id": id, "role": role }, "event": event,
            "conversationId": conversation, "dialogId": conversation, "messageAudience": audience,
        });
        if let Some(sequence) = sequence {
            change["sequence"] = json!(sequence);
            change["serverTimestamp"] = json!("T");
        }
        if !metadata.is_null() {
            change["metadata"] = metadata;
        }
        json!({ "kind": "notification", "body": { "changes": [change] }, "type": "ms.MessagingEventNotification" })
    };
    let (consumer_id, no) = (consumer.id(), Value::Null);
    let (by_consumer, by_agent) = ((consumer_id.as_str(), "CONSUMER"), (agent.as_str(), "ASSIGNED_AGENT"));
    let chat_state = |state: &str| json!({ "type": "ChatStateEvent", "chatState": state });
    let read = json!({ "type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0] });
    let text = |text| text_event(text);
    let expected = [
        message(
            Some(0),
            by_consumer,
            text("Grüße 👋 \"q\" \\ /"),
            "ALL",
            json!([{ "type": "ExternalId", "id": "yes-1" }]),
        ),
        message(Some(1), by_agent, read, "ALL", no.clone()),
        message(None, by_agent, chat_state("COMPOSING"), "ALL", no.clone()),
        message(Some(2), by_agent, text("Good morning\n"), "ALL", no.clone()),
        message(Some(3), by_agent, text("A regular"), "AGENTS_AND_MANAGERS", no.clone()),
        message(None, by_agent, chat_state("ACTIVE"), "ALL", no),
    ];
    assert_eq!(receiver.received().len(), expected.len());
    for (number, expected) in expected.into_iter().enumerate() {
        assert_eq!(payload(&receiver, number), expected, "number {number}");
    }
}

#[tokio::test]
async fn a_consumers_close_names_the_consumer_and_the_cause() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let dialog = json!({ "dialogId": conversation, "state": "CLOSE", "closedCause": "Closed by consumer" });
    let field = json!({ "field": "DialogChange", "type": "UPDATE", "dialog": dialog });
    consumer.send(&super::field_update(&conversation, &field)).await;
    simulator.webhooks_settled().await;
    let details = receiver.received()[0].change()["result"]["conversationDetails"].clone();
    assert_eq!((&details["stage"], &details["closeReason"]), (&json!("CLOSE"), &json!("CONSUMER")));
    assert_eq!(details["dialogs"][0]["closedBy"], "CONSUMER");
    assert_eq!(details["dialogs"][0]["closedCause"], "Closed by consumer");
}

#[tokio::test]
async fn conversations_of_other_channels_use_the_same_webhooks() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let lines = [(Speaker::Visitor, "Hello from the web"), (Speaker::Agent, "Hello visitor")];
    let foreign = simulator.foreign_conversation(ACCOUNT, &lines).unwrap();
    simulator.foreign_visitor_says(&foreign, "Thanks").unwrap();
    simulator.close(&foreign).unwrap();
    simulator.webhooks_settled().await;

    assert_eq!(receiver.texts(), ["Hello from the web", "Hello visitor", "Thanks"]);
    let received = receiver.received();
    assert_eq!(received.len(), 6, "created, text, joined, text, text, closed");
    let created = &received[0].change()["result"];
    assert_eq!(created["convId"], foreign.as_str());
    assert_eq!(created["conversationDetails"]["context"]["clientProperties"]["integration"], "WEB_SDK");
    let visitor = &created["conversationDetails"]["participants"][0]["id"];
    assert_eq!(received[1].change()["originatorMetadata"]["id"], *visitor);
    assert_eq!(received[1].change()["originatorMetadata"]["role"], "CONSUMER");
    assert_eq!(received[1].header("x-liveperson-client-id"), CLIENT_ID);

    let view = simulator.conversation(&foreign).unwrap();
    assert!(view.foreign && view.consumer.external_id.is_none());
    assert_eq!(
        view.transcript.iter().map(|line| line.who).collect::<Vec<_>>(),
        [Role::Consumer, Role::AssignedAgent, Role::Consumer]
    );
    assert!(receiver.received().iter().all(|call| call.answered == StatusCode::OK));
}
