//! `cm.UpdateConversationField`: closing, rating, time to respond; and the survey.

use connector_lab::liveengage::{SurveyOptions, SurveyQuestion};
use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, Sample, publish};

fn update(conversation: &str, field: &Value) -> Value {
    let body = json!({"conversationId": conversation, "conversationField": field});
    json!({"kind": "req", "id": "1b2c9c5e-0a1d-4f4b-8d43-9a7c0f2e6d33", "type": "cm.UpdateConversationField", "body": body})
}

async fn updated(consumer: &Consumer<'_>, conversation: &str, field: &Value) -> Value {
    consumer.send(&update(conversation, field)).await.of_status(200)
}

#[tokio::test]
async fn a_consumer_closes_by_each_documented_field_and_the_answer_is_the_documented_text() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    for (field, in_array) in [("ConversationStateField", false), ("ConversationStateField", true), ("Stage", false)] {
        let conversation = consumer.open().await;
        let close = json!({"field": field, "conversationState": "CLOSE"});
        let close = if in_array { json!([close]) } else { close };
        let documented = json!({
            "code": "OK", "body": {"msg": "OK Conversation resolved successfully"},
            "reqId": "1b2c9c5e-0a1d-4f4b-8d43-9a7c0f2e6d33",
        });
        assert_eq!(updated(&consumer, &conversation, &close).await, documented, "{field}");
        assert!(!sample.simulator.conversation(&conversation).unwrap().open);
    }
}

#[tokio::test]
async fn csat_and_fcr_are_set_after_the_close_as_object_or_array() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    for (rate, in_array) in [(5, false), (2, true)] {
        let conversation = consumer.open().await;
        sample.simulator.say(&conversation, "Goodbye").unwrap();
        sample.simulator.close(&conversation).unwrap();
        let field = json!({
            "field": "CSATRate", "csatRate": rate, "csatResolutionConfirmation": rate == 5, "status": "FILLED",
        });
        let field = if in_array { json!([field]) } else { field };
        assert_eq!(updated(&consumer, &conversation, &field).await["code"], "OK");
        let csat = sample.simulator.conversation(&conversation).unwrap().csat.unwrap();
        assert_eq!((csat.csat_rate, csat.csat_resolution_confirmation), (Some(rate), Some(rate == 5)));
    }
    // A newer account has surveys instead.
    sample.simulator.set_legacy_csat(ACCOUNT, false);
    let conversation = consumer.open().await;
    sample.simulator.close(&conversation).unwrap();
    let field = json!({"field": "CSATRate", "csatRate": 3, "status": "FILLED"});
    assert_eq!(consumer.send(&update(&conversation, &field)).await.status, 400);
}

#[tokio::test]
async fn the_time_to_respond_is_changed() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    let field = json!({"field": "TTRField", "ttrType": "URGENT", "value": 300});
    assert_eq!(updated(&consumer, &conversation, &field).await["code"], "OK");
    let shown = sample.simulator.conversation(&conversation).unwrap();
    assert_eq!((shown.ttr_type.as_str(), shown.ttr_seconds), ("URGENT", 300));
}

#[tokio::test]
async fn the_main_dialogs_close_starts_the_survey_whose_numbers_begin_again() {
    let sample = Sample::start().await;
    let question = SurveyQuestion::with_replies("How was it?", &["Good", "Bad"]);
    let survey = SurveyOptions { greeting: None, questions: vec![question], thanks: "Thanks".to_owned() };
    sample.simulator.set_survey(ACCOUNT, Some(survey));
    let mut consumer = sample.consumer("ines").await;
    consumer.client_properties =
        Some(r#"{"type":".ClientProperties","features":["MULTI_DIALOG","RICH_CONTENT","QUICK_REPLIES"]}"#);
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Hello").await;
    sample.simulator.say(&conversation, "Hello Ines").unwrap();
    let close = json!({
        "field": "DialogChange", "type": "UPDATE",
        "dialog": {"dialogId": conversation, "state": "CLOSE", "closedCause": "Closed by consumer"},
    });
    assert_eq!(updated(&consumer, &conversation, &close).await["code"], "OK");
    let shown = sample.simulator.conversation(&conversation).unwrap();
    assert!(shown.open && !shown.main_dialog_open, "state is CLOSE, stage is OPEN");
    let survey = shown.dialogs.iter().find(|dialog| dialog.id != conversation).unwrap().id.clone();
    let asked = shown.transcript.iter().find(|line| line.dialog_id == survey).unwrap();
    assert_eq!((asked.sequence, asked.text.as_str()), (0, "How was it?"));

    let metadata = asked.rich.as_ref().unwrap()["quickReplies"]["replies"][0]["click"]["metadata"].clone();
    assert_eq!(metadata[0]["type"], "Answer", "{metadata}");
    for event in [
        json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [0]}),
        json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Good"}),
    ] {
        let mut request = publish(&survey, &event);
        (request["body"]["conversationId"], request["metadata"]) = (json!(conversation), metadata.clone());
        assert_eq!(consumer.send(&request).await.of_status(200)["code"], "OK");
    }
    assert!(!sample.simulator.conversation(&conversation).unwrap().open, "the survey is completed");
}

#[tokio::test]
async fn automatic_messages_need_the_declared_feature_and_the_accounts_grant() {
    let sample = Sample::start().await;
    sample.simulator.set_auto_messages(ACCOUNT, Some("We answer within a minute."));
    for (id, properties, texts) in [
        ("declares", Some(r#"{"type":".ClientProperties","features":["AUTO_MESSAGES"]}"#), 1),
        ("declares nothing", None, 0),
    ] {
        let mut consumer = sample.consumer(id).await;
        consumer.client_properties = properties;
        let conversation = consumer.open().await;
        assert_eq!(sample.simulator.conversation(&conversation).unwrap().transcript.len(), texts, "{id}");
    }
    sample.simulator.set_auto_messages(ACCOUNT, None);
    let mut consumer = sample.consumer("without the grant").await;
    consumer.client_properties = Some(r#"{"type":".ClientProperties","features":["AUTO_MESSAGES"]}"#);
    let conversation = consumer.open().await;
    assert!(sample.simulator.conversation(&conversation).unwrap().transcript.is_empty());
}
