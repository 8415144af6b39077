//! Tests of closing, and of what may follow a close.

use serde_json::{Value, json};

use super::{ACCOUNT, BAD, CLOSED, Consumer, Receiver, main_dialog_close, publication, refusal, simulator, text_event};
use crate::liveengage::{Csat, CsatStatus, DeskError, LiveEngageSimulator};

fn rating(rate: &Value, confirmation: &Value, status: &str) -> Value {
    let mut field = json!({ "field": "CSATRate", "status": status });
    for (member, value) in [("csatRate", rate), ("csatResolutionConfirmation", confirmation)] {
        if !value.is_null() {
            field[member] = value.clone();
        }
    }
    field
}

async fn rated(simulator: &LiveEngageSimulator) -> (Consumer<'_>, String) {
    simulator.set_legacy_csat(ACCOUNT, true);
    let consumer = Consumer::new(simulator, "phone-7").await;
    let conversation = consumer.open().await;
    (consumer, conversation)
}

#[tokio::test]
async fn a_close_by_dialog_without_a_survey_closes_the_conversation() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&["MULTI_DIALOG"]);
    let conversation = consumer.open().await;
    simulator.join(&conversation).unwrap();
    assert_eq!(consumer.update(&conversation, &main_dialog_close(&conversation)).await.0, 200);
    let view = simulator.conversation(&conversation).unwrap();
    assert!(!view.open && !view.main_dialog_open && view.survey_dialog().is_none());
    assert_eq!(view.dialogs[0].closed_cause.as_deref(), Some("Closed by consumer"));
}

#[tokio::test]
async fn liveperson_closes_an_idle_conversation() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.system_close(&conversation).unwrap();
    assert_eq!(simulator.system_close(&conversation), Err(DeskError::Closed(conversation.clone())));
    simulator.webhooks_settled().await;
    let details = receiver.received()[0].details();
    assert_eq!((&details["stage"], &details["closeReason"]), (&json!("CLOSE"), &json!("SYSTEM")));
    assert_eq!(refusal(&consumer.say(&conversation, "Hello?").await), CLOSED);
}

#[tokio::test]
async fn a_text_sent_before_the_close_arrives_after_it() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.say(&conversation, "Hello").unwrap();
    assert_eq!(
        simulator.say_after_close(&conversation, "Bye"),
        Err(DeskError::StillOpen(conversation.clone())),
        "it is not closed yet"
    );
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.close(&conversation).unwrap();
    assert_eq!(simulator.say_after_close(&conversation, "Bye"), Ok(1));
    simulator.webhooks_settled().await;
    let received = receiver.received();
    assert_eq!(received[0].details()["stage"], "CLOSE");
    let last = received[1].change();
    assert_eq!((&last["event"], &last["sequence"]), (&text_event("Bye"), &json!(1)));
    assert_eq!(last["originatorMetadata"]["role"], "ASSIGNED_AGENT");
    assert_eq!(simulator.conversation(&conversation).unwrap().transcript.len(), 2);
}

#[tokio::test]
async fn an_account_without_surveys_can_be_rated_after_the_close() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let (consumer, conversation) = rated(&simulator).await;
    let full = rating(&json!(4), &json!(true), "FILLED");
    assert_eq!(refusal(&consumer.update(&conversation, &full).await), BAD, "not before the close");
    simulator.close(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    for field in [full.clone(), json!([full])] {
        assert_eq!(consumer.update(&conversation, &field).await.0, 200);
        let expected =
            Csat { csat_rate: Some(4), csat_resolution_confirmation: Some(true), status: CsatStatus::Filled };
        assert_eq!(simulator.conversation(&conversation).unwrap().csat, Some(expected));
    }
    for (rate, confirmation, status) in [
        (json!(null), json!(false), "PARTIALLY_FILLED"),
        (json!(1), json!(null), "PARTIALLY_FILLED"),
        (json!(null), json!(null), "SKIPPED"),
    ] {
        assert_eq!(consumer.update(&conversation, &rating(&rate, &confirmation, status)).await.0, 200, "{status}");
    }
    simulator.webhooks_settled().await;
    let told: Vec<Value> = receiver.received().iter().map(|call| call.details()["csat"].clone()).collect();
    assert_eq!(told[0], json!({ "csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED" }));
    assert_eq!(told[4], json!({ "status": "SKIPPED" }));
}

#[tokio::test]
async fn an_invalid_rating_is_refused() {
    let simulator = simulator().await;
    let (consumer, conversation) = rated(&simulator).await;
    simulator.close(&conversation).unwrap();
    for (rate, confirmation, status) in [
        (json!(0), json!(true), "FILLED"),
        (json!(6), json!(true), "FILLED"),
        (json!("5"), json!(true), "FILLED"),
        (json!(4.5), json!(true), "FILLED"),
        (json!(null), json!(true), "FILLED"),
        (json!(5), json!("yes"), "FILLED"),
        (json!(5), json!(true), "DONE"),
        (json!(null), json!(null), "PARTIALLY_FILLED"),
    ] {
        let field = rating(&rate, &confirmation, status);
        assert_eq!(refusal(&consumer.update(&conversation, &field).await), BAD, "{field}");
    }
    simulator.set_legacy_csat(ACCOUNT, false);
    let good = rating(&json!(5), &json!(true), "FILLED");
    assert_eq!(refusal(&consumer.update(&conversation, &good).await), BAD, "the account has surveys instead");
    assert_eq!(simulator.conversation(&conversation).unwrap().csat, None);
}

#[tokio::test]
async fn the_time_to_respond_can_be_changed_while_it_is_open() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let urgent = json!({ "field": "TTRField", "ttrType": "URGENT", "value": 120 });
    for field in [urgent.clone(), json!([urgent])] {
        assert_eq!(consumer.update(&conversation, &field).await.0, 200);
    }
    simulator.webhooks_settled().await;
    assert_eq!(receiver.received()[1].details()["ttr"], json!({ "ttrType": "URGENT", "value": 120 }));
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!((view.ttr_type.as_str(), view.ttr_seconds), ("URGENT", 120));

    for field in [
        json!({ "field": "TTRField", "ttrType": "WHENEVER", "value": 120 }),
        json!({ "field": "TTRField", "ttrType": "URGENT", "value": 0 }),
        json!({ "field": "TTRField", "ttrType": "URGENT" }),
        json!({ "field": "TTRField", "value": 120 }),
        json!([urgent, urgent]),
        // Only agents transfer conversations.
        json!({ "field": "Skill", "type": "UPDATE", "skill": "318" }),
        json!({ "field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT" }),
        json!({ "field": "Unheard" }),
    ] {
        assert_eq!(refusal(&consumer.update(&conversation, &field).await), BAD, "{field}");
    }
    simulator.close(&conversation).unwrap();
    assert_eq!(refusal(&consumer.update(&conversation, &urgent).await), CLOSED);
}

#[tokio::test]
async fn an_event_that_names_the_wrong_dialog_or_conversation_is_refused() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let other = Consumer::new(&simulator, "phone-8").await.open().await;
    let crossed = consumer.publish_in(&conversation, &other, &text_event("Hello"), &Value::Null).await;
    assert_eq!(refusal(&crossed), BAD);
    let mut nowhere = publication("nowhere", &text_event("Hello"));
    nowhere["body"].as_object_mut().unwrap().remove("conversationId");
    assert_eq!(refusal(&consumer.send(&nowhere).await), BAD);
    assert_eq!(refusal(&consumer.update(&conversation, &main_dialog_close(&other)).await), BAD);
}
