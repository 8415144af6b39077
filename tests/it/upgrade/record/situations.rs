//! The situations: in each one a lab is interrupted in the middle of something.

use connector::{
    domain::{
        delivery::{Acquired, Lease},
        id::Owner,
    },
    port::{Clock, Consumers, Conversations, Messages, QueueMessage, Tokens},
    queue_message::{LiveEngageChange, MOST_OF_A_GROUP, Message, QueueIdentity, ToChannel, bundled, decode},
};
use connector_aws::{DynamoDbStore, SystemClock};
use connector_lab::{
    Lab, LabOptions,
    aws::{TO_CHANNEL, TO_LIVEENGAGE},
    liveengage::{NewFile, Service, SurveyOptions, SurveyQuestion},
};
use connector_liveengage::id::{AccountId, ConversationId};
use connector_testing::fifo::NewMessage;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use super::{
    all_sorts::all_sorts,
    failure::{AfterFirstStep, fail_gateway, fail_sends},
    snapshot::{Left, Recorded, queued, reached, record, record_now},
};
use crate::{
    silence::WatchedLab,
    steps::{PHONE, lab, lab_with, opened, opened_on_whatsapp, received, settled},
};

/// Somebody else than the person of most situations.
pub(super) const OTHER_PHONE: &str = "+4915155002";
/// A picture, as far as anybody looks.
pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1A\nnot much of a picture";

/// How long workers have a lease that die with it.
const LEASE: SignedDuration = SignedDuration::from_mins(1);

type Situation = fn() -> BoxFuture<'static, Recorded>;

/// All of them, by the names of their files.
pub(super) const ALL: [(&str, Situation); 16] = [
    ("all-sorts", || Box::pin(all_sorts())),
    ("answer-parked", || Box::pin(answer_parked())),
    ("answer-reported", || Box::pin(answer_reported())),
    ("answer-with-picture", || Box::pin(answer_with_picture())),
    ("answers-bundled", || Box::pin(answers_bundled())),
    ("dead-workers", || Box::pin(dead_workers())),
    ("first-text", || Box::pin(first_text())),
    ("half-sent-answer", || Box::pin(half_sent_answer())),
    ("half-sent-text", || Box::pin(half_sent_text())),
    ("menu-chosen", || Box::pin(menu_chosen())),
    ("menu-half-told", || Box::pin(menu_half_told())),
    ("picture-stored", || Box::pin(picture_stored())),
    ("satisfaction-asked", || Box::pin(satisfaction_asked())),
    ("survey-open", || Box::pin(survey_open())),
    ("text-parked", || Box::pin(text_parked())),
    ("texts-in-flight", || Box::pin(texts_in_flight())),
];

/// One message that is to come again.
const ONE_TO_LIVEENGAGE: Left = Left { to_liveengage: 1, to_channel: 0, tried: 1, noted: "" };
const ONE_TO_CHANNEL: Left = Left { to_liveengage: 0, to_channel: 1, tried: 1, noted: "" };
/// One message for each side that is to come again.
const ONE_EACH: Left = Left { to_liveengage: 1, to_channel: 1, tried: 2, noted: "" };

/// A conversation by SMS in which nothing is on its way.
async fn quiet(lab: &Lab) -> String {
    let id = opened(lab, PHONE).await;
    settled(lab).await;
    id
}

/// Texts and answers, one behind the other.
async fn texts_in_flight() -> Recorded {
    let lab = lab().await;
    let id = quiet(&lab).await;
    lab.liveengage().say(&id, "an answer of before").unwrap();
    received(&lab, PHONE, 1).await;
    settled(&lab).await;
    fail_sends(&lab);
    fail_gateway(&lab);
    lab.gateway().consumer_sends(PHONE, "a text in flight").unwrap();
    lab.liveengage().say(&id, "an answer in flight").unwrap();
    reached(&lab, ONE_EACH).await;
    lab.gateway().consumer_sends(PHONE, "a text behind it").unwrap();
    lab.liveengage().say(&id, "an answer behind it").unwrap();
    record(&lab, Left { to_liveengage: 2, to_channel: 2, ..ONE_EACH }).await
}

/// The first text of a person. LiveEngage knows them, and doesn't open a conversation.
async fn first_text() -> Recorded {
    let lab = lab().await;
    lab.liveengage().fail_next(Service::Conversation, StatusCode::SERVICE_UNAVAILABLE, "");
    lab.gateway().consumer_sends(PHONE, "the very first text").unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// An answer in several messages, of which the first one has arrived.
async fn half_sent_answer() -> Recorded {
    let second_step = AfterFirstStep::default();
    let lab = WatchedLab::start(second_step.options()).await;
    let id = quiet(&lab).await;
    second_step.fail_gateway(&lab);
    let paragraph = |number| format!("Paragraph {number}: {}", "We look for your parcel and write to you. ".repeat(20));
    let answer = (1..=7).map(paragraph).collect::<Vec<_>>().join("\n\n");
    lab.liveengage().say(&id, &answer).unwrap();
    record(&lab, ONE_TO_CHANNEL).await
}

/// A text that LiveEngage gets in pieces, of which the first one has arrived.
async fn half_sent_text() -> Recorded {
    let second_step = AfterFirstStep::default();
    let lab = WatchedLab::start(second_step.options()).await;
    opened_on_whatsapp(&lab, PHONE).await;
    settled(&lab).await;
    second_step.fail_sends(&lab);
    let sentence = |number| format!("Sentence {number}: \"once\" there was a parcel that didn't arrive 📦.");
    let text = (1..=60).map(sentence).collect::<Vec<_>>().join("\n");
    lab.whatsapp().consumer_sends(PHONE, &text).unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// A picture of a person is in LiveEngage's storage, and not in the conversation.
async fn picture_stored() -> Recorded {
    let second_step = AfterFirstStep::default();
    let lab = WatchedLab::start(second_step.options()).await;
    quiet(&lab).await;
    second_step.fail_sends(&lab);
    lab.gateway().consumer_sends_picture(PHONE, PNG, "image/png", Some("the dent in the box")).unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// A picture of an agent is at WhatsApp, and not on the phone.
async fn answer_with_picture() -> Recorded {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    settled(&lab).await;
    lab.whatsapp().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
    lab.liveengage().say_file(&id, NewFile::new("PNG", PNG).captioned("the new one")).unwrap();
    record(&lab, ONE_TO_CHANNEL).await
}

/// An answer that has arrived, and the gateway's answer to the call was a failure. Its report, which proves that it has, waits for it.
async fn answer_reported() -> Recorded {
    let lab = lab().await;
    let id = quiet(&lab).await;
    lab.gateway().accept_but_fail_next(StatusCode::BAD_GATEWAY, HeaderMap::new(), "");
    lab.liveengage().say(&id, "an answer without an answer").unwrap();
    record(&lab, Left { tried: 1, noted: "ACCEPTED#", ..ONE_EACH }).await
}

/// Two answers in one queue message, as it is made of a webhook with more than a hundred.
async fn answers_bundled() -> Recorded {
    let lab = lab().await;
    let id = quiet(&lab).await;
    let before = "an answer of before";
    lab.liveengage().say(&id, before).unwrap();
    received(&lab, PHONE, 1).await;
    settled(&lab).await;
    let messages = record_now(&lab).await.messages;
    let mut messages = messages.iter().map(|body| decode(&body.to_string()).unwrap());
    let change = messages.find_map(|message| match message {
        Message::ToChannel(ToChannel::Change(change)) if change.json()["event"]["message"] == before => Some(change),
        _ => None,
    });
    let change = change.unwrap();
    let answer = |number: usize| {
        let mut json = change.json().clone();
        json["sequence"] = (100 + number).into();
        json["event"]["message"] = format!("answer {number} of many").into();
        let (envelope, account) = (change.envelope().clone(), change.account().clone());
        Message::from(LiveEngageChange::new(envelope, account, change.notification(), json)).queued().unwrap()
    };
    let answers = (1..=MOST_OF_A_GROUP + 1).map(answer).collect();
    let QueueMessage { group, deduplication, body } = bundled(answers, &change.envelope().correlation).remove(0);
    fail_gateway(&lab);
    lab.aws().queue(TO_CHANNEL).unwrap().send(NewMessage::new(group, deduplication, body)).unwrap();
    record(&lab, ONE_TO_CHANNEL).await
}

/// The phone shows a menu.
async fn menu(lab: &Lab) {
    let id = quiet(lab).await;
    let reply = |title: &str, id: &str| {
        json!({"type": "button", "title": title, "click": {
            "actions": [{"type": "publishText", "text": format!("{title}, please")}],
            "metadata": [{"type": "ExternalId", "id": id}]}})
    };
    let replies = [reply("Morning", "m-1"), reply("Evening", "e-1")];
    let replies = json!({"type": "quickReplies", "itemsPerRow": 8, "replies": replies});
    lab.liveengage().say_with_quick_replies(&id, "When may we come?", replies).unwrap();
    received(lab, PHONE, 1).await;
    settled(lab).await;
}

/// A number that chooses from a menu. LiveEngage knows nothing of it.
async fn menu_chosen() -> Recorded {
    let lab = lab().await;
    menu(&lab).await;
    fail_sends(&lab);
    lab.gateway().consumer_sends(PHONE, "2").unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// A number that chooses from a menu. LiveEngage has been told of the click, and not of the text.
async fn menu_half_told() -> Recorded {
    let second_step = AfterFirstStep::default();
    let lab = WatchedLab::start(second_step.options()).await;
    menu(&lab).await;
    second_step.fail_sends(&lab);
    lab.gateway().consumer_sends(PHONE, "2").unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// The agent has said something, and closes the conversation.
async fn close(lab: &Lab) {
    let id = quiet(lab).await;
    lab.liveengage().say(&id, "goodbye then").unwrap();
    received(lab, PHONE, 1).await;
    settled(lab).await;
    lab.liveengage().close(&id).unwrap();
    received(lab, PHONE, 2).await;
    settled(lab).await;
}

/// The first answer to a survey of LiveEngage.
async fn survey_open() -> Recorded {
    let questions = vec![
        SurveyQuestion::with_replies("How was it, from 1 to 3?", &["1", "2", "3"]),
        SurveyQuestion::open("What could be better?"),
    ];
    let survey = SurveyOptions { greeting: None, questions, thanks: "Thank you!".to_owned() };
    let lab = WatchedLab::start(LabOptions { survey: Some(survey), ..LabOptions::default() }).await;
    close(&lab).await;
    fail_sends(&lab);
    lab.gateway().consumer_sends(PHONE, "3").unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// The second question of the line, after an answer to the first one.
async fn satisfaction_asked() -> Recorded {
    let lab = lab_with(json!({"satisfaction": {
        "question": "Are you content, from 1 to 5?", "resolved_question": "Is it settled?", "thanks": "We thank you!",
    }}))
    .await;
    close(&lab).await;
    fail_gateway(&lab);
    lab.gateway().consumer_sends(PHONE, "4").unwrap();
    record(&lab, ONE_TO_CHANNEL).await
}

/// An answer that the gateway refuses, and the agent has not been told.
async fn answer_parked() -> Recorded {
    let lab = lab().await;
    let id = quiet(&lab).await;
    let refusal = r#"{"error":{"code":"blocked_words"}}"#;
    lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), refusal);
    fail_sends(&lab);
    lab.liveengage().say(&id, "an answer that was refused").unwrap();
    record(&lab, ONE_TO_LIVEENGAGE).await
}

/// A text that LiveEngage refuses, and the person has not been told.
async fn text_parked() -> Recorded {
    let lab = lab().await;
    quiet(&lab).await;
    lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
    fail_gateway(&lab);
    lab.gateway().consumer_sends(PHONE, "a text that was refused").unwrap();
    record(&lab, ONE_TO_CHANNEL).await
}

/// Workers that died with their leases, taken through the store: no lab lets a worker die at an exact moment.
async fn dead_workers() -> Recorded {
    let lab = lab().await;
    let id = quiet(&lab).await;
    fail_sends(&lab);
    fail_gateway(&lab);
    lab.gateway().consumer_sends(PHONE, "a text in dead hands").unwrap();
    lab.liveengage().say(&id, "an answer in dead hands").unwrap();
    reached(&lab, ONE_EACH).await;

    let store = DynamoDbStore::new(aws_sdk_dynamodb::Client::new(lab.aws().sdk_config()), lab.aws().table_name());
    let (account, now) = (AccountId::new(connector_lab::ACCOUNT).unwrap(), SystemClock.now());
    for queue in [TO_LIVEENGAGE, TO_CHANNEL] {
        for message in queued(&lab, queue) {
            let message = decode(&message.body).unwrap().identity().key();
            let lease = Lease { message, owner: Owner::new("dead-worker").unwrap() };
            let acquired = store.acquire(&lease, now, now + LEASE).await.unwrap();
            assert!(matches!(acquired, Acquired::Started { .. }), "{acquired:?}");
        }
    }
    assert!(store.lease_token(&account, &Owner::new("dead-renewer").unwrap(), now, now + LEASE).await.unwrap());
    store.note_unattached(&account, now).await.unwrap();
    store.note_complete_run(&account, now).await.unwrap();
    store.presume_foreign(&account, &ConversationId::new("presumed").unwrap(), now).await.unwrap();
    record_now(&lab).await
}
