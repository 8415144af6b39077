//! Tests of structured content from agents and bots, and of the answers to it.

use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, Receiver, publication, simulator, text_event};
use crate::liveengage::conversation::Staff;
use crate::liveengage::{AcceptStatus, DeskError, LiveEngageSimulator, WebhookEvent, WebhookSettings};
use crate::page::{BubbleState, CardPartKind, Desk, DeskBubbleView, RichMessage};

fn replies() -> Value {
    let reply = |title: &str, id: &str| {
        let click = json!({
            "actions": [{ "type": "publishText", "text": title }],
            "metadata": [{ "type": "ExternalId", "id": id }],
        });
        json!({ "type": "button", "title": title, "click": click })
    };
    json!({ "type": "quickReplies", "itemsPerRow": 2, "replies": [reply("Sure", "sure-1"), reply("Never", "never-1")] })
}

fn card() -> Value {
    json!({ "type": "vertical", "elements": [{ "type": "text", "text": "Kayak" }, { "type": "button", "title": "Rent" }] })
}

/// A receipt of the consumer, with metadata unless it is null.
fn receipt(conversation: &str, status: &str, sequences: &[u64], metadata: &Value) -> Value {
    let event = json!({ "type": "AcceptStatusEvent", "status": status, "sequenceList": sequences });
    let mut receipt = publication(conversation, &event);
    if !metadata.is_null() {
        receipt["metadata"] = metadata.clone();
    }
    receipt
}

async fn bubbles(simulator: &LiveEngageSimulator, conversation: &str) -> Vec<DeskBubbleView> {
    simulator.transcript(conversation).await.unwrap()
}

#[tokio::test]
async fn cards_and_quick_replies_go_out_as_documented_and_are_in_the_transcript() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    assert_eq!(simulator.say_with_quick_replies(&conversation, "Fancy a trip?", replies()), Ok(0));
    assert_eq!(simulator.say_rich(&conversation, card(), Some(replies())), Ok(1));
    assert_eq!(simulator.say_rich(&conversation, card(), None), Ok(2));
    assert_eq!(simulator.say(&conversation, "Anything else?"), Ok(3));
    simulator.webhooks_settled().await;

    let mut with_replies = text_event("Fancy a trip?");
    with_replies["quickReplies"] = replies();
    let events: Vec<Value> = receiver.received().iter().map(|call| call.change()["event"].clone()).collect();
    assert_eq!(
        events,
        [
            with_replies,
            json!({ "type": "RichContentEvent", "content": card(), "quickReplies": replies() }),
            json!({ "type": "RichContentEvent", "content": card() }),
            text_event("Anything else?"),
        ]
    );
    for (number, call) in receiver.received().iter().enumerate() {
        assert_eq!(call.json()["type"], "ms.MessagingEventNotification");
        let change = call.change();
        assert_eq!((&change["sequence"], &change["messageAudience"]), (&json!(number), &json!("ALL")));
        let by = json!({ "id": Staff::Agent.id(ACCOUNT), "role": "ASSIGNED_AGENT" });
        assert_eq!(change["originatorMetadata"], by);
    }

    let lines = simulator.conversation(&conversation).unwrap().transcript;
    let lines: Vec<_> = lines.into_iter().map(|line| (line.text, line.rich)).collect();
    let expected: [(&str, Option<Value>); 4] = [
        ("Fancy a trip?", Some(json!({ "quickReplies": replies() }))),
        ("Kayak\n[Rent]\n[Sure]\n[Never]", Some(json!({ "content": card(), "quickReplies": replies() }))),
        ("Kayak\n[Rent]", Some(json!({ "content": card() }))),
        ("Anything else?", None),
    ];
    assert_eq!(lines, expected.map(|(text, rich)| (text.to_owned(), rich)));
}

#[tokio::test]
async fn cards_have_an_endpoint_of_their_own() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    let endpoint = |path: &str| receiver.url.join(path).unwrap();
    let mut settings = receiver.settings();
    settings.endpoints =
        [(WebhookEvent::Content, endpoint("/texts")), (WebhookEvent::RichContent, endpoint("/cards"))].into();
    simulator.set_webhooks(ACCOUNT, settings.clone());
    simulator.say_with_quick_replies(&conversation, "Fancy a trip?", replies()).unwrap();
    simulator.say_rich(&conversation, card(), None).unwrap();
    simulator.webhooks_settled().await;
    let paths = |receiver: &Receiver| receiver.received().into_iter().map(|call| call.path).collect::<Vec<_>>();
    assert_eq!(paths(&receiver), ["/texts", "/cards"]);
    assert_eq!(simulator.delivered_webhooks()[1].event, WebhookEvent::RichContent);

    settings.endpoints.remove(&WebhookEvent::RichContent);
    simulator.set_webhooks(ACCOUNT, settings);
    simulator.say_rich(&conversation, card(), None).unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(paths(&receiver).len(), 2, "an install without the key hears of no card");
    assert!(WebhookSettings::to(&receiver.url).endpoints.contains_key(&WebhookEvent::RichContent));
}

#[tokio::test]
async fn invalid_cards_are_refused() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let not_an_object = |part| Err(DeskError::NotAnObject(part));
    assert_eq!(simulator.say_rich(&conversation, json!("card"), None), not_an_object("content"));
    assert_eq!(simulator.say_rich(&conversation, card(), Some(json!([]))), not_an_object("quick_replies"));
    assert_eq!(simulator.say_with_quick_replies(&conversation, "Well?", Value::Null), not_an_object("quick_replies"));
    assert!(!simulator.conversation(&conversation).unwrap().agent_joined);

    let mut with_replies = text_event("Well?");
    with_replies["quickReplies"] = replies();
    for event in [with_replies, json!({ "type": "RichContentEvent", "content": card() })] {
        let (status, answer) = consumer.publish(&conversation, &event).await;
        assert_eq!((status, &answer["body"]["msg"]), (400, &json!("Bad Request")), "consumers send no cards");
    }
    assert!(simulator.conversation(&conversation).unwrap().transcript.is_empty());
    simulator.close(&conversation).unwrap();
    assert_eq!(simulator.say_rich(&conversation, card(), None), Err(DeskError::Closed(conversation)));
}

#[tokio::test]
async fn a_choice_returns_as_action_and_text_with_the_same_metadata() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.say_with_quick_replies(&conversation, "Fancy a trip?", replies()).unwrap();
    simulator.say(&conversation, "Or another day?").unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());

    let chosen = json!([{ "type": "ExternalId", "id": "sure-1" }]);
    assert_eq!(consumer.send(&receipt(&conversation, "ACTION", &[0], &chosen)).await.1["body"]["sequence"], 2);
    let mut said = publication(&conversation, &text_event("Sure"));
    said["metadata"] = chosen.clone();
    assert_eq!(consumer.send(&said).await.1["body"]["sequence"], 3);
    consumer.say(&conversation, "Sure").await;
    simulator.webhooks_settled().await;

    let echoes: Vec<Value> = receiver.received().iter().map(|call| call.change()["metadata"].clone()).collect();
    assert_eq!(echoes, [chosen.clone(), chosen.clone(), Value::Null]);
    let lines = simulator.conversation(&conversation).unwrap().transcript;
    assert_eq!(lines[0].statuses, [AcceptStatus::Action]);
    assert_eq!((lines[0].receipts[0].sequence, &lines[0].receipts[0].metadata), (2, &Some(chosen.clone())));
    assert!(lines[1].receipts.is_empty(), "only what the receipt names is answered");
    assert_eq!((lines[2].metadata.as_ref(), &lines[3].metadata), (Some(&chosen), &None));

    let bubbles = bubbles(&simulator, &conversation).await;
    assert_eq!(bubbles[0].bubble.state, Some(BubbleState::Read));
    assert_eq!(bubbles[0].bubble.note.as_deref(), Some("ACTION ExternalId: sure-1"));
    assert_eq!(bubbles[2].tags, ["ExternalId: sure-1"]);
    assert!(bubbles[3].tags.is_empty() && bubbles[3].bubble.state.is_none());
}

#[tokio::test]
async fn each_receipt_is_kept_and_shown_at_the_desk() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.say(&conversation, "One").unwrap();
    simulator.say_privately(&conversation, "A regular").unwrap();
    let reason = json!([{ "type": "ActionReason", "reason": "number unknown" }]);
    let state = async || {
        let bubble = bubbles(&simulator, &conversation).await.remove(0).bubble;
        (bubble.state.unwrap(), bubble.note)
    };
    assert_eq!(state().await, (BubbleState::Accepted, None));
    for (status, metadata, expected, note) in [
        ("ACCEPT", &Value::Null, BubbleState::Delivered, None),
        ("READ", &json!([]), BubbleState::Read, None),
        ("ACCEPT", &Value::Null, BubbleState::Read, None),
        ("NACK", &reason, BubbleState::Failed, Some("NACK ActionReason: number unknown")),
        ("ACCEPT", &Value::Null, BubbleState::Delivered, Some("NACK ActionReason: number unknown")),
        ("ACTION", &Value::Null, BubbleState::Read, Some("NACK ActionReason: number unknown · ACTION")),
    ] {
        assert_eq!(consumer.send(&receipt(&conversation, status, &[0], metadata)).await.0, 200);
        assert_eq!(state().await, (expected, note.map(str::to_owned)), "{status}");
    }
    let line = simulator.conversation(&conversation).unwrap().transcript.remove(0);
    use AcceptStatus::{Accept, Action, Nack, Read};
    assert_eq!(line.statuses, [Accept, Read, Nack, Action]);
    let receipts: Vec<_> = line.receipts.iter().map(|receipt| (receipt.status, receipt.sequence)).collect();
    assert_eq!(receipts, [(Accept, 2), (Read, 3), (Accept, 4), (Nack, 5), (Accept, 6), (Action, 7)]);
    assert_eq!(line.receipts[3].metadata, Some(reason));
    assert!(line.receipts[1].metadata.is_none(), "an empty array is no metadata");
    assert_eq!(bubbles(&simulator, &conversation).await[1].bubble.state, None, "nobody reports on private notes");
    let odd = json!({ "type": "ExternalId", "id": "no array" });
    assert_eq!(consumer.send(&receipt(&conversation, "ACTION", &[0], &odd)).await.0, 400);
}

#[tokio::test]
async fn metadata_counts_in_the_length_of_a_request() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.say(&conversation, "Well?").unwrap();
    let with_id = |length: usize| {
        receipt(&conversation, "ACTION", &[0], &json!([{ "type": "ExternalId", "id": "x".repeat(length) }]))
    };
    let room = 5000 - with_id(0).to_string().len();
    assert_eq!(consumer.send(&with_id(room)).await.0, 200);
    assert_eq!(consumer.send(&with_id(room + 1)).await.0, 400);
}

#[tokio::test]
async fn the_desk_shows_a_card_in_its_parts() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let with_replies = RichMessage::Text { text: "Fancy a trip?".to_owned(), quick_replies: replies() };
    Desk::say_rich(&simulator, &conversation, with_replies).await.unwrap();
    let with_card = RichMessage::Card { content: card(), quick_replies: Some(replies()) };
    Desk::say_rich(&simulator, &conversation, with_card).await.unwrap();
    let no_text = RichMessage::Text { text: " ".to_owned(), quick_replies: replies() };
    assert!(Desk::say_rich(&simulator, &conversation, no_text).await.is_err());
    simulator.say(&conversation, "Well?").unwrap();

    let bubbles = bubbles(&simulator, &conversation).await;
    let parts = |number: usize| -> Vec<(CardPartKind, &str)> {
        bubbles[number].card.iter().map(|part| (part.kind, part.text.as_str())).collect()
    };
    let choices = [(CardPartKind::QuickReply, "Sure"), (CardPartKind::QuickReply, "Never")];
    assert_eq!(parts(0), [&[(CardPartKind::Text, "Fancy a trip?")], &choices[..]].concat());
    assert_eq!(parts(1), [&[(CardPartKind::Text, "Kayak"), (CardPartKind::Button, "Rent")], &choices[..]].concat());
    assert_eq!(bubbles[0].card[1].tags, ["ExternalId: sure-1"]);
    assert_eq!((parts(2), bubbles[2].bubble.text.as_str()), (Vec::new(), "Well?"));
}

#[tokio::test]
async fn the_pages_templates_can_be_sent_and_keep_to_the_documented_limits() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let templates: Vec<Value> = serde_json::from_str(include_str!("../../page/card_templates.json")).unwrap();
    let names: Vec<&str> = templates.iter().map(|template| template["name"].as_str().unwrap()).collect();
    assert_eq!(names[..6], ["Quick replies", "Card", "Carousel of three", "Map", "Checklist", "Date picker"]);
    for template in &templates {
        let message = template["message"].as_object().unwrap();
        let quick_replies = message.get("quick_replies").cloned();
        let message = match message.get("content").cloned() {
            Some(content) => RichMessage::Card { content, quick_replies },
            None => RichMessage::Text {
                text: message["text"].as_str().unwrap().to_owned(),
                quick_replies: quick_replies.unwrap(),
            },
        };
        Desk::say_rich(&simulator, &conversation, message).await.unwrap();
        let sent = bubbles(&simulator, &conversation).await.pop().unwrap();
        assert!(!sent.card.is_empty(), "{template}");
        assert!(sent.card.iter().all(|part| part.kind != CardPartKind::Other), "{template}");
        keeps_to_limits(&template["message"]);
    }
    let carousel = &templates[2]["message"]["content"]["elements"];
    assert_eq!(carousel.as_array().unwrap().len(), 3);
    let checklist = templates[4]["message"]["content"]["elements"].as_array().unwrap();
    let kinds: Vec<&str> = checklist.iter().map(|element| element["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "sectionList", "buttonList"]);
}

fn keeps_to_limits(value: &Value) {
    let length = |member: &str| value.get(member).and_then(Value::as_str).map_or(0, |text| text.chars().count());
    match value {
        Value::Object(members) => {
            let most_of_the_text = if value["type"] == "publishText" { 256 } else { 5000 };
            for (member, most) in [
                ("text", most_of_the_text),
                ("title", 128),
                ("tooltip", 256),
                ("caption", 128),
                ("url", 2048),
                ("id", 64),
            ] {
                assert!(length(member) <= most, "{member} of {value}");
            }
            assert!(value["click"]["actions"].as_array().is_none_or(|actions| actions.len() <= 4), "{value}");
            members.values().for_each(keeps_to_limits);
        }
        Value::Array(entries) => entries.iter().for_each(keeps_to_limits),
        _ => {}
    }
}
