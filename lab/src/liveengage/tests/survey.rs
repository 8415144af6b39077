//! Tests of the survey after a conversation.

use serde_json::{Value, json};

use super::{ACCOUNT, BAD, CLOSED, Consumer, Receiver, main_dialog_close, opening, refusal, simulator, text_event};
use crate::liveengage::conversation::Staff;
use crate::liveengage::{
    Closer, ConversationView, DeskError, DialogKind, LiveEngageSimulator, Speaker, SurveyOptions, SurveyQuestion,
};

const FEATURES: [&str; 3] = ["MULTI_DIALOG", "RICH_CONTENT", "QUICK_REPLIES"];

pub(super) fn survey() -> SurveyOptions {
    SurveyOptions {
        greeting: None,
        questions: vec![
            SurveyQuestion::with_replies("How was it?", &["Good", "Bad"]),
            SurveyQuestion::open("What should change?"),
        ],
        thanks: "Thanks for your answers".to_owned(),
    }
}

async fn with_survey() -> LiveEngageSimulator {
    let simulator = simulator().await;
    simulator.set_survey(ACCOUNT, Some(survey()));
    simulator
}

/// Opens a conversation that an agent has accepted.
async fn joined(simulator: &LiveEngageSimulator, consumer: &Consumer<'_>) -> String {
    let conversation = consumer.open().await;
    simulator.join(&conversation).unwrap();
    conversation
}

fn survey_dialog(view: &ConversationView) -> String {
    view.survey_dialog().unwrap().id.clone()
}

fn phase(view: &ConversationView) -> (bool, bool) {
    (view.main_dialog_open, view.open)
}

#[tokio::test]
async fn the_bot_asks_its_questions_in_a_separate_dialog() {
    let simulator = with_survey().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&FEATURES);
    let conversation = joined(&simulator, &consumer).await;
    consumer.say(&conversation, "Hello").await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.close(&conversation).unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!((phase(&view), view.closed_by.as_deref()), ((false, true), Some("AGENT")));
    let dialog = survey_dialog(&view);
    assert_eq!((dialog.len(), view.survey_dialog().unwrap().kind), (22, DialogKind::PostSurvey));

    let questions = survey().questions;
    let answer = json!([{ "type": "Answer", "questionId": questions[0].id, "id": questions[0].replies[1].id, "provider": "AC" }]);
    let action = json!({ "type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [0] });
    let sequence = async |event: &Value, metadata: &Value| {
        let (status, answer) = consumer.publish_in(&conversation, &dialog, event, metadata).await;
        (status, answer["body"]["sequence"].as_u64().unwrap())
    };
    assert_eq!(sequence(&action, &answer).await, (200, 1), "the first question was number 0");
    assert_eq!(sequence(&text_event("Bad"), &answer).await, (200, 2));
    assert_eq!(phase(&simulator.conversation(&conversation).unwrap()), (false, true));
    // Number 3 is the bot's receipt, and 4 the second question.
    assert_eq!(sequence(&text_event("Shorter queues"), &Value::Null).await, (200, 5));

    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!(phase(&view), (false, false));
    let ended = view.survey_dialog().unwrap();
    assert_eq!(
        (ended.open, ended.closed_by, ended.closed_cause.as_deref()),
        (false, Some(Closer::Agent), Some("Completed"))
    );
    let answers: Vec<_> =
        view.survey_answers.iter().map(|answer| (answer.text.as_str(), answer.answer_id.as_deref())).collect();
    assert_eq!(answers, [("Bad", Some(questions[0].replies[1].id.as_str())), ("Shorter queues", None)]);

    simulator.webhooks_settled().await;
    let bot = Staff::SurveyBot.id(ACCOUNT);
    let said: Vec<Value> = receiver
        .received()
        .iter()
        .map(super::ReceivedWebhook::change)
        .filter(|change| change["originatorMetadata"]["role"] == "AGENT" && change["event"]["type"] == "ContentEvent")
        .collect();
    let texts: Vec<_> = said.iter().map(|change| change["event"]["message"].as_str().unwrap()).collect();
    assert_eq!(texts, ["How was it?", "What should change?", "Thanks for your answers"]);
    assert!(said.iter().all(|change| change["dialogId"] == dialog.as_str() && change["originatorId"] == bot.as_str()));
    let reply = &said[0]["event"]["quickReplies"]["replies"][1];
    assert_eq!(reply["click"]["metadata"], answer);
    assert_eq!(reply["click"]["actions"], json!([{ "type": "publishText", "text": "Bad" }]));
    assert_eq!(said[0]["metadata"][0]["type"], "Question");
    assert!(said[1]["event"].get("quickReplies").is_none());
}

#[tokio::test]
async fn notifications_report_the_start_and_end_of_a_survey() {
    let simulator = with_survey().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&FEATURES);
    let conversation = joined(&simulator, &consumer).await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    assert_eq!(consumer.update(&conversation, &main_dialog_close(&conversation)).await.0, 200);
    let dialog = survey_dialog(&simulator.conversation(&conversation).unwrap());
    for text in ["Good", "Nothing"] {
        consumer.publish_in(&conversation, &dialog, &text_event(text), &Value::Null).await;
    }
    simulator.webhooks_settled().await;
    let received = receiver.received();
    let details: Vec<Value> = received.iter().map(super::ReceivedWebhook::details).filter(Value::is_object).collect();
    assert_eq!(details.len(), 2);
    let [begun, ended] = [&details[0], &details[1]];
    assert_eq!(
        (&begun["state"], &begun["stage"], &begun["closeReason"]),
        (&json!("CLOSE"), &json!("OPEN"), &json!("CONSUMER"))
    );
    assert_eq!(received[0].change()["result"]["effectiveTTR"], -1);
    let dialogs = begun["dialogs"].as_array().unwrap();
    assert_eq!((dialogs.len(), &dialogs[0]["closedCause"]), (2, &json!("Closed by consumer")));
    assert_eq!((&dialogs[1]["dialogType"], &dialogs[1]["state"]), (&json!("POST_SURVEY"), &json!("OPEN")));
    assert!(dialogs[1]["metaData"]["appInstallId"].is_string() && dialogs[1]["dialogId"] == dialog.as_str());
    let roles: Vec<_> =
        dialogs[1]["participantsDetails"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect();
    assert_eq!(roles, ["CONSUMER", "AGENT", "READER"]);
    assert_eq!(
        (&ended["state"], &ended["stage"], &ended["closeReason"]),
        (&json!("CLOSE"), &json!("CLOSE"), &json!("CONSUMER"))
    );
    assert_eq!(
        (&ended["dialogs"][1]["closedBy"], &ended["dialogs"][1]["closedCause"]),
        (&json!("AGENT"), &json!("Completed"))
    );

    // For each question the bot types, asks, and stops typing.
    let states: Vec<_> = received
        .iter()
        .map(super::ReceivedWebhook::change)
        .filter_map(|change| change["event"]["chatState"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(states, ["COMPOSING", "ACTIVE", "COMPOSING", "ACTIVE", "COMPOSING", "ACTIVE"]);
}

#[tokio::test]
async fn a_greeting_comes_first_and_replies_only_to_clients_that_declare_them() {
    let simulator = simulator().await;
    let greeting = Some("One moment more, please".to_owned());
    simulator.set_survey(ACCOUNT, Some(SurveyOptions { greeting, ..survey() }));
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&["MULTI_DIALOG"]);
    let conversation = joined(&simulator, &consumer).await;
    simulator.close(&conversation).unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    let lines: Vec<_> = view.transcript.iter().map(|line| (line.sequence, line.text.as_str(), &line.rich)).collect();
    assert_eq!(lines, [(0, "One moment more, please", &None), (1, "How was it?", &None)]);
}

#[tokio::test]
async fn while_it_runs_the_conversation_is_open_and_the_main_dialog_is_not() {
    let simulator = with_survey().await;
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&FEATURES);
    let conversation = joined(&simulator, &consumer).await;
    simulator.close(&conversation).unwrap();
    assert_eq!(refusal(&consumer.say(&conversation, "One more thing").await), CLOSED);
    assert_eq!(refusal(&consumer.update(&conversation, &main_dialog_close(&conversation)).await), CLOSED);
    assert_eq!(consumer.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await.0, 400, "one at a time");
    assert_eq!(simulator.say(&conversation, "Bye"), Err(DeskError::Closed(conversation.clone())));
    assert_eq!(simulator.close(&conversation), Err(DeskError::Closed(conversation.clone())));

    let dialog = survey_dialog(&simulator.conversation(&conversation).unwrap());
    let composing = json!({ "type": "ChatStateEvent", "chatState": "COMPOSING" });
    assert_eq!(refusal(&consumer.publish_in(&conversation, &dialog, &composing, &Value::Null).await), BAD);
    // The conversation id may be omitted here too.
    let mut request = super::publication(&dialog, &text_event("Good"));
    request["body"].as_object_mut().unwrap().remove("conversationId");
    assert_eq!(consumer.send(&request).await.0, 200);
    assert_eq!(simulator.conversation(&conversation).unwrap().survey_answers.len(), 1);

    simulator.system_close(&conversation).unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!((phase(&view), view.survey_dialog().unwrap().closed_by), ((false, false), Some(Closer::System)));
    assert_eq!(view.closed_by.as_deref(), Some("AGENT"), "the main dialog was closed before");
    assert_ne!(consumer.open().await, conversation);
}

#[tokio::test]
async fn the_consumer_can_close_the_survey_or_everything() {
    let simulator = with_survey().await;
    for everything in [false, true] {
        let consumer = Consumer::new(&simulator, &format!("phone-{everything}")).await.declaring(&FEATURES);
        let conversation = joined(&simulator, &consumer).await;
        simulator.close(&conversation).unwrap();
        let dialog = survey_dialog(&simulator.conversation(&conversation).unwrap());
        let closed = if everything {
            consumer.close(&conversation).await
        } else {
            let mut field = main_dialog_close(&dialog);
            field["dialog"]["closedCause"] = json!("No time");
            consumer.update(&conversation, &field).await
        };
        assert_eq!(closed.0, 200);
        let view = simulator.conversation(&conversation).unwrap();
        assert_eq!((phase(&view), view.survey_dialog().unwrap().closed_by), ((false, false), Some(Closer::Consumer)));
        assert_eq!(
            refusal(&consumer.publish_in(&conversation, &dialog, &text_event("Good"), &Value::Null).await),
            CLOSED
        );
    }
}

#[tokio::test]
async fn no_survey_follows_a_conversation_that_does_not_qualify() {
    let simulator = with_survey().await;
    let number = std::cell::Cell::new(0);
    let consumer = async |features: &[&str]| {
        number.set(number.get() + 1);
        Consumer::new(&simulator, &format!("phone-{}", number.get())).await.declaring(features)
    };
    let closed = |conversation: &str| !simulator.conversation(conversation).unwrap().open;

    let unassigned = consumer(&FEATURES).await.open().await;
    simulator.close(&unassigned).unwrap();
    assert!(closed(&unassigned), "nobody had it");

    let undeclared = joined(&simulator, &consumer(&["QUICK_REPLIES"]).await).await;
    simulator.close(&undeclared).unwrap();
    assert!(closed(&undeclared), "the client cannot deal with a second dialog");

    let careless = consumer(&FEATURES).await;
    let conversation = joined(&simulator, &careless).await;
    let careless = careless.declaring(&[]);
    careless.say(&conversation, "Hello").await;
    simulator.close(&conversation).unwrap();
    assert!(closed(&conversation), "one call did not declare it");

    let skipping = consumer(&FEATURES).await;
    let skipped = joined(&simulator, &skipping).await;
    assert_eq!(skipping.close(&skipped).await.0, 200);
    assert!(closed(&skipped), "the consumer closed everything");

    let idle = joined(&simulator, &consumer(&FEATURES).await).await;
    simulator.system_close(&idle).unwrap();
    assert!(closed(&idle), "LivePerson closed it");

    let ready = joined(&simulator, &consumer(&FEATURES).await).await;
    simulator.close(&ready).unwrap();
    assert!(!closed(&ready));
}

#[tokio::test]
async fn visitors_of_other_channels_are_asked_too() {
    let simulator = with_survey().await;
    let foreign = simulator.foreign_conversation(ACCOUNT, &[(Speaker::Agent, "Hello visitor")]).unwrap();
    simulator.close(&foreign).unwrap();
    assert_eq!(simulator.foreign_visitor_says(&foreign, "Good"), Ok(1));
    simulator.foreign_visitor_says(&foreign, "Nothing").unwrap();
    let view = simulator.conversation(&foreign).unwrap();
    assert_eq!((view.survey_answers.len(), view.open), (2, false));
}
