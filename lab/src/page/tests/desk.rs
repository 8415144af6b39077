//! Tests of the agent's actions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[tokio::test]
async fn the_agent_sends_either_a_card_or_a_text_with_choices() {
    let lab = PageFixture::start().await;
    let (card, replies) = (json!({ "type": "text", "text": "hi" }), json!({ "type": "quickReplies", "replies": [] }));
    let say = |body: Value| lab.post("api/desk/say_rich", body);
    for body in [
        json!({ "conversation": "c1", "content": card }),
        json!({ "conversation": "c1", "content": card, "quick_replies": replies, "text": null }),
        json!({ "conversation": "c1", "quick_replies": replies, "text": "Well?" }),
    ] {
        assert_eq!(say(body).await, (204, Value::Null));
    }
    let sent = [
        RichMessage::Card { content: card.clone(), quick_replies: None },
        RichMessage::Card { content: card.clone(), quick_replies: Some(replies.clone()) },
        RichMessage::Text { text: "Well?".to_owned(), quick_replies: replies.clone() },
    ];
    assert_eq!(*lab.fake.rich.lock(), sent);

    for body in [
        json!({ "conversation": "c1" }),
        json!({ "conversation": "c1", "text": "only a text" }),
        json!({ "conversation": "c1", "quick_replies": replies }),
        json!({ "conversation": "c1", "content": card, "text": "both" }),
    ] {
        let (status, answer) = say(body).await;
        assert_eq!(status, 422);
        assert!(answer["error"]["message"].as_str().unwrap().contains("quick_replies"), "{answer}");
    }
    assert_eq!(say(json!({ "conversation": "c1", "content": card, "quickReplies": replies })).await.0, 422);
    assert_eq!(say(json!({ "conversation": "c9", "content": card })).await.0, 404);
    assert_eq!(lab.fake.rich.lock().len(), sent.len());
}

#[tokio::test]
async fn the_agent_closes_once() {
    let lab = PageFixture::start().await;
    let close = json!({ "conversation": "c1" });
    assert_eq!(lab.post("api/desk/close", close.clone()).await.0, 204);
    let conversation = &lab.state("").await["conversations"][0];
    assert_eq!(conversation["state"], "survey");
    assert_eq!(conversation["dialogs"][1], json!({ "id": "s1", "kind": "survey", "open": true }));
    let (status, body) = lab.post("api/desk/close", close).await;
    assert_eq!((status, body), (422, json!({ "error": { "message": "it is closed already" } })));
}

#[tokio::test]
async fn a_refused_action_is_explained() {
    let lab = PageFixture::start().await;
    let say = |conversation: &str| json!({ "conversation": conversation, "text": "hi" });
    assert_eq!(lab.post("api/desk/say", say("c9")).await.0, 404);
    assert_eq!(lab.post("api/desk/say", say("broken")).await.0, 502);
    let (status, body) = lab.post("api/desk/say", json!({ "text": "hi" })).await;
    assert_eq!(status, 422);
    assert!(body["error"]["message"].as_str().unwrap().contains("conversation"), "{body}");
    assert_eq!(lab.get("api/desk/say").await.status(), 405);
    assert_eq!(lab.fake.bubbles(), []);
}

#[tokio::test]
async fn the_agent_types_reads_transfers_and_returns_to_the_queue() {
    let lab = PageFixture::start().await;
    for (route, more, done) in [
        ("typing", json!({ "typing": true }), "desk types: true"),
        ("typing", json!({ "typing": false }), "desk types: false"),
        ("read", json!({}), "desk reads"),
        ("transfer", json!({ "skill": " 1202 " }), "to skill 1202"),
        ("leave", json!({}), "back to the queue"),
    ] {
        let act = async |conversation: &str| {
            let mut body = more.clone();
            body["conversation"] = conversation.into();
            lab.post(&format!("api/desk/{route}"), body).await
        };
        assert_eq!(act("c1").await, (204, Value::Null), "{route}");
        assert_eq!(lab.fake.done(), [done]);
        assert_eq!(act("c9").await.0, 404, "{route}");
        assert!(lab.fake.done().is_empty(), "{route}");
    }
    let (status, body) = lab.post("api/desk/transfer", json!({ "conversation": "c1", "skill": " " })).await;
    assert_eq!(status, 422);
    assert!(body["error"]["message"].as_str().unwrap().contains("skill"), "{body}");
}

#[tokio::test]
async fn the_agent_sends_a_file_with_a_caption() {
    let lab = PageFixture::start().await;
    let file = json!({
        "name": "label.png", "content_type": "image/png", "data": STANDARD.encode(PICTURE.1), "caption": "Your label",
    });
    let send = async |conversation: &str, file: &Value| {
        lab.post("api/desk/file", json!({ "conversation": conversation, "file": file })).await
    };
    assert_eq!(send("c1", &file).await, (204, Value::Null));
    let sent = lab.fake.files.lock().pop().unwrap();
    assert_eq!((sent.name.as_str(), sent.content_type.as_str()), ("label.png", "image/png"));
    assert_eq!((&sent.bytes[..], sent.caption.as_deref()), (PICTURE.1, Some("Your label")));
    assert_eq!(send("c9", &file).await.0, 404);
    let empty = json!({ "name": "label.png", "content_type": "image/png", "data": "" });
    let (status, body) = send("c1", &empty).await;
    assert_eq!((status, body), (422, json!({ "error": { "message": "the file is empty" } })));
}

#[tokio::test]
async fn a_survey_can_be_switched_on_and_off() {
    let lab = PageFixture::start().await;
    for on in [true, false] {
        assert_eq!(lab.post("api/desk/survey", json!({ "on": on })).await, (204, Value::Null));
        assert_eq!(lab.state("").await["survey"], on);
    }
}

const FEATURES: AccountFeatures =
    AccountFeatures { file_sharing: true, legacy_csat: false, auto_messages: None, engagement: None };

#[tokio::test]
async fn an_unsupported_desk_action_is_refused() {
    let file = || UploadedFile {
        name: "a.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        bytes: Bytes::from_static(b"a"),
        caption: None,
    };
    for (outcome, what) in [
        (Desk::say_file(&MinimalChannel, "c1", file()).await, "files"),
        (Desk::typing(&MinimalChannel, "c1", true).await, "typing indicators"),
        (Desk::read(&MinimalChannel, "c1").await, "read receipts"),
        (Desk::transfer(&MinimalChannel, "c1", "7").await, "skills"),
        (Desk::leave(&MinimalChannel, "c1").await, "returning to the queue"),
        (Desk::set_survey(&MinimalChannel, true).await, "surveys"),
        (Desk::expire_window_tokens(&MinimalChannel).await, "websockets"),
        (Desk::set_webhooks(&MinimalChannel, WebhooksChange::default()).await, "webhooks"),
        (Desk::set_features(&MinimalChannel, FEATURES).await, "features"),
    ] {
        assert_eq!(outcome, Err(ActionError::Rejected(format!("this desk doesn't support {what}"))));
    }
    assert_eq!((Desk::webhooks(&MinimalChannel).await, Desk::features(&MinimalChannel).await), (None, None));
    assert_eq!((Desk::survey(&MinimalChannel).await, Desk::media(&MinimalChannel, "picture").await), (None, None));
}
