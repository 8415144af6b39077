//! CONVERSATION and SEND.

use connector_lab::liveengage::Role;
use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, Sample, minimal, publish};

/// The body of `cm.ConsumerRequestConversation` in a request with this profile.
fn request(profile: &Value, conversation: &Value) -> Value {
    json!([
        {"kind": "req", "id": "4f1d2c60-7a0b-4e0d-8d3b-1c2f6f0e9a11", "type": "userprofile.SetUserProfile", "body": profile},
        {"kind": "req", "id": "c0a8d6e4-2b7f-4a39-9d7e-55d0f1a3b722", "type": "cm.ConsumerRequestConversation",
            "body": conversation},
    ])
}

#[tokio::test]
async fn every_documented_request_opens_a_conversation() {
    let sample = Sample::start().await;
    let sdes = json!({"authenticatedData": {"lp_sdes": [
        {"type": "ctmrinfo", "info": {"socialId": "771029", "ctype": "vip", "companyBranch": "North"}},
        {"type": "personal", "personal": {"firstname": "Ines", "lastname": "Moreau", "gender": "FEMALE"}},
    ]}});
    let flat = json!({
        "firstName": "Ines", "lastName": "", "avatarUrl": "https://pictures.example/ines.png", "role": "consumer",
        "backgndImgUri": "https://pictures.example/back.png", "description": "A description",
        "privateData": {"mobileNum": "4930555017", "mail": "ines@example.com",
            "pushNotificationData": {"serviceName": "Service", "certName": "Certificate", "token": "T"}},
    });
    let context = json!({
        "visitorId": "Q5NmE2ZTk1", "sessionId": "u9wTqbEoSk", "interactionContextId": "2", "type": "SharkContext", "lang": "fr-FR",
    });
    let empty_context = json!({
        "visitorId": "", "sessionId": "", "interactionContextId": 2, "type": "SharkContext", "lang": "en-US", "features": [],
    });
    let campaign = |campaign: Value, engagement: Value| json!({"campaignId": campaign, "engagementId": engagement});
    for (name, profile, conversation, skill) in [
        ("channel", json!({}), json!({"channelType": "MESSAGING", "brandId": ACCOUNT}), "-1"),
        ("skill", json!({}), json!({"channelType": "MESSAGING", "brandId": ACCOUNT, "skillId": "902116"}), "902116"),
        (
            "full",
            sdes.clone(),
            json!({
                "ttrDefName": "NORMAL", "campaignInfo": campaign(json!("55120"), json!("55121")),
                "conversationContext": context, "channelType": "MESSAGING", "brandId": ACCOUNT, "skillId": "-1",
            }),
            "-1",
        ),
        (
            "demo connector",
            flat,
            json!({
                "ttrDefName": null, "campaignInfo": campaign(json!(3_160_221), json!(3_160_333)),
                "channelType": "MESSAGING", "brandId": ACCOUNT, "skillId": "-1", "conversationContext": empty_context,
            }),
            "-1",
        ),
    ] {
        let consumer = sample.consumer(name).await;
        let answers = consumer.conversation(&request(&profile, &conversation)).await.of_status(200);
        let id = answers[1]["body"]["conversationId"].as_str().unwrap().to_owned();
        let documented = json!([
            {"code": "OK", "body": {"msg": "OK User Profile set successfully"}, "reqId": "4f1d2c60-7a0b-4e0d-8d3b-1c2f6f0e9a11"},
            {"code": "OK", "body": {"conversationId": id}, "reqId": "c0a8d6e4-2b7f-4a39-9d7e-55d0f1a3b722"},
        ]);
        assert_eq!(answers, documented, "{name}");
        assert_eq!(sample.simulator.conversation(&id).unwrap().skill_id, skill, "{name}");
    }
}

#[tokio::test]
async fn a_second_conversation_is_refused_without_the_first_ones_id() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    consumer.open().await;
    let refused = format!(
        "Consumer request conversation failed: User {} already has open conversation. Can't open another one.",
        consumer.id()
    );
    let documented = json!([
        {"code": "OK", "body": {"msg": "OK User Profile set successfully"}, "reqId": "1,"},
        {"code": "BAD_REQUEST", "body": {"msg": refused}, "reqId": "2,"},
    ]);
    assert_eq!(consumer.conversation(&minimal()).await.of_status(400), documented);
}

#[tokio::test]
async fn a_request_without_brand_or_profile_is_refused() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let without_brand = consumer.conversation(&request(&json!({}), &json!({"channelType": "MESSAGING"}))).await;
    let error = without_brand.of_status(400);
    assert_eq!((&error["type"], &error["body"]["errorCode"]), (&json!(".ReqBody$ErrorResp"), &json!(40001)));
    let Value::Array(both) = minimal() else { unreachable!() };
    for wrong in [json!([both[1], both[0]]), json!([both[1]]), both[1].clone()] {
        assert_eq!(consumer.conversation(&wrong).await.status, 400, "{wrong}");
    }
}

/// Sends an event, and returns the answer without its request id.
async fn published(consumer: &Consumer<'_>, conversation: &str, event: &Value) -> Value {
    let mut answer = consumer.send(&publish(conversation, event)).await.of_status(200);
    assert_eq!(answer["reqId"].take(), "1");
    answer.as_object_mut().unwrap().remove("reqId");
    answer
}

#[tokio::test]
async fn texts_typing_and_receipts_are_answered_with_their_sequence() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    let numbered = |sequence: u64| json!({"code": "OK", "body": {"sequence": sequence}});
    let text = |text: &str| json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    let receipt = |status: &str, of: u64| json!({"type": "AcceptStatusEvent", "status": status, "sequenceList": [of]});
    assert_eq!(published(&consumer, &conversation, &text("Do you ship to Lyon?")).await, numbered(0));
    for state in ["COMPOSING", "ACTIVE", "PAUSE", "INACTIVE", "GONE"] {
        let typing = json!({"type": "ChatStateEvent", "chatState": state});
        assert_eq!(published(&consumer, &conversation, &typing).await, numbered(0), "typing has no number");
    }
    assert_eq!(sample.simulator.say(&conversation, "Yes, we do"), Ok(1));
    for (place, status) in ["ACCEPT", "READ", "ACCESS", "NACK"].into_iter().enumerate() {
        let answer = published(&consumer, &conversation, &receipt(status, 1)).await;
        assert_eq!(answer, numbered(2 + place as u64), "receipts share the texts' counter");
    }
    assert_eq!(published(&consumer, &conversation, &text("Thank you")).await, numbered(6));
}

#[tokio::test]
async fn a_click_on_a_button_is_an_action_and_its_text_with_the_same_metadata() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    let click = json!({"actions": [{"type": "publishText", "text": "Lyon"}], "metadata": [{"type": "ExternalId", "id": "city-7"}]});
    let card = json!({"type": "vertical", "elements": [{"type": "button", "title": "Lyon", "click": click}]});
    let sequence = sample.simulator.say_rich(&conversation, card, None).unwrap();
    let action = json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [sequence]});
    let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Lyon"});
    for event in [action, text] {
        let mut request = publish(&conversation, &event);
        request["body"]["conversationId"] = json!(conversation);
        request["metadata"] = json!([{"type": "ExternalId", "id": "city-7"}]);
        assert_eq!(consumer.send(&request).await.of_status(200)["code"], "OK");
    }
    let shown = sample.simulator.conversation(&conversation).unwrap();
    let last = shown.transcript.last().unwrap();
    assert_eq!((last.who, last.text.as_str()), (Role::Consumer, "Lyon"));
}

#[tokio::test]
async fn a_number_as_id_comes_back_as_text_and_prefixes_of_types_are_ignored() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    for (place, kind) in ["ms.PublishEvent", ".ms.PublishEvent", ".ams.ms.PublishEvent"].into_iter().enumerate() {
        let mut request =
            publish(&conversation, &json!({"type": "ContentEvent", "contentType": "text/plain", "message": kind}));
        (request["id"], request["type"]) = (json!(3), json!(kind));
        let documented = json!({"code": "OK", "body": {"sequence": place}, "reqId": "3"});
        assert_eq!(consumer.send(&request).await.of_status(200), documented);
    }
}

#[tokio::test]
async fn what_is_too_large_and_what_comes_after_the_close_is_refused_in_the_documented_words() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    let text = |text: &str| {
        publish(&conversation, &json!({"type": "ContentEvent", "contentType": "text/plain", "message": text}))
    };
    let refused = |message: &str| json!({"code": "BAD_REQUEST", "body": {"msg": message}, "reqId": "1"});
    assert_eq!(consumer.send(&text(&"x".repeat(5000))).await.of_status(400), refused("Bad Request"));
    assert_eq!(consumer.send(&text(&"x".repeat(4500))).await.status, 200);
    sample.simulator.close(&conversation).unwrap();
    let closed = refused("Bad Request, Conversation is close");
    assert_eq!(consumer.send(&text("Are you still there?")).await.of_status(400), closed);
}

#[tokio::test]
async fn a_profile_may_be_changed_later_by_send() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    let personal = json!({"type": "personal", "personal": {"firstname": "Inès", "lastname": "Moreau"}});
    let body = json!({"authenticatedData": {"lp_sdes": [personal]}});
    let request = json!({"kind": "req", "id": "7", "type": "userprofile.SetUserProfile", "body": body});
    let documented = json!({"code": "OK", "body": {"msg": "OK User Profile set successfully"}, "reqId": "7"});
    assert_eq!(consumer.send(&request).await.of_status(200), documented);
    let shown = sample.simulator.conversation(&conversation).unwrap();
    assert_eq!(shown.consumer.name.as_deref(), Some("Inès Moreau"));
}
