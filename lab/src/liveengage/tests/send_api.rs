//! Tests of CONVERSATION and SEND.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, field_update, opening, options, post, publication, simulator, text_event};
use crate::liveengage::AcceptStatus;
use crate::liveengage::options::LiveEngageOptions;
use crate::liveengage::simulator::LiveEngageSimulator;

fn bad_request(message: &str, id: &str) -> (u16, Value) {
    (400, json!({ "code": "BAD_REQUEST", "body": { "msg": message }, "reqId": id }))
}

fn token_error(title: &str, details: &str, code: u32) -> (u16, Value) {
    let body = json!({ "title": title, "details": details, "errorCode": code });
    (401, json!({ "kind": "resp", "code": 401, "body": body, "type": ".ReqBody$ErrorResp" }))
}

#[tokio::test]
async fn conversation_answers_by_position() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let (status, answers) = consumer.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await;
    assert_eq!(status, 200);
    let id = simulator.conversations()[0].id.clone();
    assert_eq!(
        answers,
        json!([
            { "code": "OK", "body": { "msg": "OK User Profile set successfully" }, "reqId": "profile" },
            { "code": "OK", "body": { "conversationId": id }, "reqId": "request" },
        ])
    );
}

#[tokio::test]
async fn both_calls_check_both_tokens_with_the_documented_errors() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let (app, jws) = (consumer.app_token.as_str(), consumer.consumer_token.as_str());
    let bearer = format!("Bearer {app}");
    let invalid_app = token_error("Invalid AppJWT", "AppJWT has expired or is invalid", 40102);
    let cases: [(&[(&str, &str)], _); 6] = [
        (&[("x-lp-on-behalf", jws)], token_error("AppJWT is missing", "AUTHORIZATION header is not present", 40105)),
        (&[("authorization", &bearer), ("x-lp-on-behalf", jws)], invalid_app.clone()),
        // A ConsumerJWS is signed with the same key, but is not an AppJWT.
        (&[("authorization", jws), ("x-lp-on-behalf", jws)], invalid_app),
        (&[("authorization", app)], token_error("ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present", 40104)),
        (
            &[("authorization", app), ("x-lp-on-behalf", "a.b.c")],
            token_error("Invalid ConsumerJWS", "ConsumerJWS is invalid", 40103),
        ),
        (
            &[("authorization", app), ("x-lp-on-behalf", app)],
            token_error("Invalid ConsumerJWS", "ConsumerJWS is invalid", 40103),
        ),
    ];
    for (headers, expected) in cases {
        for call in ["conversation", "conversation/send"] {
            let path = format!("/api/account/{ACCOUNT}/messaging/consumer/{call}?v=3");
            assert_eq!(post(&simulator, &path, headers, "[]").await, expected, "{call}");
        }
    }
    for call in ["conversation", "conversation/send"] {
        let path = format!("/api/account/{ACCOUNT}/messaging/consumer/{call}");
        let (status, refused) = consumer.post(&path, &json!([])).await;
        assert_eq!((status, &refused["body"]["errorCode"]), (400, &json!(40001)), "{call} without v=3");
    }
}

#[tokio::test]
async fn app_tokens_end_by_age_and_by_order() {
    let lifetime = LiveEngageOptions { app_token_lifetime: Duration::ZERO, ..options() };
    let stale = LiveEngageSimulator::start(lifetime).await.unwrap();
    let path = format!("/sentinel/api/account/{ACCOUNT}/app/token?v=1.0&grant_type=client_credentials");
    let body = format!("client_id={}&client_secret={}", super::CLIENT_ID, super::SECRET);
    let (_, bought) = post(&stale, &path, &[super::FORM], body).await;
    let send = format!("/api/account/{ACCOUNT}/messaging/consumer/conversation/send?v=3");
    let expired = token_error("Invalid AppJWT", "AppJWT has expired or is invalid", 40102);
    let token = bought["access_token"].as_str().unwrap();
    assert_eq!(post(&stale, &send, &[("authorization", token)], "{}").await, expired);

    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.expire_tokens();
    assert_eq!(consumer.say(&conversation, "Hello").await, expired);
    let renewed = Consumer::new(&simulator, "phone-7").await;
    assert_eq!(renewed.say(&conversation, "Hello").await.0, 200);
}

#[tokio::test]
async fn a_consumer_has_one_open_conversation() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let first = consumer.open().await;
    let message = format!(
        "Consumer request conversation failed: User {} already has open conversation. Can't open another one.",
        consumer.id()
    );
    assert_eq!(
        consumer.conversation(&opening(&json!({ "brandId": ACCOUNT }))).await,
        (
            400,
            json!([
                { "code": "OK", "body": { "msg": "OK User Profile set successfully" }, "reqId": "profile" },
                { "code": "BAD_REQUEST", "body": { "msg": message }, "reqId": "request" },
            ])
        )
    );
    // Another consumer may open one, and so may the first one after the close.
    Consumer::new(&simulator, "phone-8").await.open().await;
    consumer.close(&first).await;
    assert_ne!(consumer.open().await, first);
    assert_eq!(simulator.conversations().len(), 3);
}

#[tokio::test]
async fn conversation_refuses_what_is_not_the_documented_batch() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    for body in [json!({}), json!({ "brandId": "" })] {
        let (status, refused) = consumer.conversation(&opening(&body)).await;
        assert_eq!(status, 400);
        let missing = json!({ "title": "Missing parameter", "details": "Brand Id is missing", "errorCode": 40001 });
        assert_eq!(refused["body"], missing);
    }
    let good = opening(&json!({ "brandId": ACCOUNT }));
    let malformed = [
        json!([good[1], good[0]]),
        json!([good[1]]),
        good[1].clone(),
        opening(&json!({ "brandId": "55501" })),
        opening(&json!({ "brandId": ACCOUNT, "ttrDefName": "WHENEVER" })),
    ];
    for body in malformed {
        let (status, refused) = consumer.conversation(&body).await;
        assert_eq!((status, &refused["body"]["msg"]), (400, &json!("Bad Request")), "{body}");
    }
    assert!(simulator.conversations().is_empty());
}

#[tokio::test]
async fn the_conversation_keeps_what_it_was_requested_with() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let request = json!({
        "brandId": ACCOUNT, "channelType": "MESSAGING", "skillId": "318", "ttrDefName": "URGENT",
        "campaignInfo": { "campaignId": "4711", "engagementId": "4712" },
    });
    let personal = json!({ "type": "personal", "personal": { "firstname": "Ada", "lastname": "King" } });
    let mut batch = opening(&request);
    batch[0]["body"] = json!({ "authenticatedData": { "lp_sdes": [personal] } });
    assert_eq!(consumer.conversation(&batch).await.0, 200);

    let view = simulator.conversations().remove(0);
    assert_eq!((view.skill_id.as_str(), &view.request), ("318", &request));
    assert_eq!(view.consumer.external_id.as_deref(), Some("phone-7"));
    assert_eq!((view.consumer.id, view.consumer.name.as_deref()), (consumer.id(), Some("Ada King")));

    let renamed = json!({ "firstName": "Augusta", "lastName": "King" });
    let update = json!({ "kind": "req", "id": "p", "type": "userprofile.SetUserProfile", "body": renamed });
    let ok = json!({ "code": "OK", "body": { "msg": "OK User Profile set successfully" }, "reqId": "p" });
    assert_eq!(consumer.send(&update).await, (200, ok));
    assert_eq!(simulator.conversations()[0].consumer.name.as_deref(), Some("Augusta King"));
}

#[tokio::test]
async fn content_and_receipts_share_the_sequence_and_typing_takes_none() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let sequence =
        |answer: (u16, Value)| (answer.0, answer.1["code"].clone(), answer.1["body"]["sequence"].as_u64().unwrap());
    let ok = |number| (200, json!("OK"), number);
    let composing = json!({ "type": "ChatStateEvent", "chatState": "COMPOSING" });
    assert_eq!(sequence(consumer.say(&conversation, "One").await), ok(0));
    assert_eq!(simulator.say(&conversation, "Two"), Ok(1));
    let receipt = json!({ "type": "AcceptStatusEvent", "status": "ACCEPT", "sequenceList": [1] });
    assert_eq!(sequence(consumer.publish(&conversation, &receipt).await), ok(2));
    assert_eq!(sequence(consumer.publish(&conversation, &composing).await), ok(0));
    assert!(simulator.conversations()[0].consumer_is_typing);
    assert_eq!(sequence(consumer.say(&conversation, "Three").await), ok(3));

    let view = simulator.conversation(&conversation).unwrap();
    let lines: Vec<_> = view.transcript.iter().map(|line| (line.sequence, line.text.as_str())).collect();
    assert_eq!(lines, [(0, "One"), (1, "Two"), (3, "Three")]);
    assert_eq!(view.transcript[1].statuses, [AcceptStatus::Accept]);
    assert!(view.transcript[0].statuses.is_empty());
}

#[tokio::test]
async fn both_ways_of_closing_end_the_conversation_for_good() {
    let simulator = simulator().await;
    for (number, in_array) in [false, true].into_iter().enumerate() {
        for by_dialog in [false, true] {
            let consumer = Consumer::new(&simulator, &format!("phone-{number}-{by_dialog}")).await;
            let conversation = consumer.open().await;
            let field = if by_dialog {
                let dialog = json!({ "dialogId": conversation, "state": "CLOSE", "closedCause": "Closed by consumer" });
                json!({ "field": "DialogChange", "type": "UPDATE", "dialog": dialog })
            } else {
                json!({ "field": "ConversationStateField", "conversationState": "CLOSE" })
            };
            let update = field_update(&conversation, &if in_array { json!([field]) } else { field });
            let closed = json!({ "msg": "OK Conversation resolved successfully" });
            let ok = json!({ "code": "OK", "body": closed, "reqId": "update" });
            assert_eq!(consumer.send(&update).await, (200, ok));
            let view = simulator.conversation(&conversation).unwrap();
            assert!(!view.open);
            assert_eq!(view.closed_by.as_deref(), Some("CONSUMER"));

            assert_eq!(
                consumer.say(&conversation, "Wait").await,
                bad_request("Bad Request, Conversation is close", "publish")
            );
            assert_eq!(consumer.send(&update).await, bad_request("Bad Request, Conversation is close", "update"));
            assert!(simulator.conversation(&conversation).unwrap().transcript.is_empty());
        }
    }
}

#[tokio::test]
async fn a_conversation_that_the_agent_closed_takes_nothing_more() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.close(&conversation).unwrap();
    assert_eq!(consumer.say(&conversation, "Wait").await, bad_request("Bad Request, Conversation is close", "publish"));
    assert_ne!(consumer.open().await, conversation);
}

#[tokio::test]
async fn a_request_has_at_most_5000_characters() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let frame = publication(&conversation, &text_event("")).to_string().len();
    // Two bytes each in UTF-8: characters are counted, not bytes.
    let longest = "ü".repeat(5000 - frame);
    assert_eq!(consumer.say(&conversation, &longest).await.0, 200);
    let longer = format!("{longest}.");
    assert_eq!(consumer.say(&conversation, &longer).await, bad_request("Bad Request", "publish"));
    assert_eq!(simulator.conversation(&conversation).unwrap().transcript.len(), 1);
}

#[tokio::test]
async fn a_consumer_cannot_write_into_the_conversation_of_another() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let stranger = Consumer::new(&simulator, "phone-8").await;
    for answer in [stranger.say(&conversation, "Mine").await, stranger.close(&conversation).await] {
        assert_eq!((answer.0, &answer.1["type"]), (401, &json!(".ReqBody$ErrorResp")));
    }
    let foreign = simulator.foreign_conversation(ACCOUNT, &[]).unwrap();
    assert_eq!(stranger.say(&foreign, "Mine").await.0, 401);
    let view = simulator.conversation(&conversation).unwrap();
    assert!(view.open && view.transcript.is_empty());
}

#[tokio::test]
async fn send_refuses_malformed_requests_and_takes_the_tolerated_forms() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let good = publication(&conversation, &text_event("Hello"));
    let altered = |pointer: &str, value: Value| {
        let mut request = good.clone();
        *request.pointer_mut(pointer).unwrap() = value;
        request
    };
    let malformed = [
        json!([good]),
        altered("/type", json!("ms.Unheard")),
        altered("/kind", json!("resp")),
        altered("/id", json!("")),
        altered("/id", json!("x".repeat(65))),
        altered("/body/dialogId", Value::Null),
        altered("/body/dialogId", json!("no-such-dialog")),
        altered("/body/conversationId", json!("no-such-conversation")),
        altered("/body/event/type", json!("UnheardEvent")),
        altered("/body/event/contentType", json!("text/html")),
        altered("/body/event/message", json!(7)),
        publication(&conversation, &json!({ "type": "AcceptStatusEvent", "status": "MAYBE", "sequenceList": [0] })),
        publication(&conversation, &json!({ "type": "ChatStateEvent", "chatState": "DANCING" })),
        field_update(&conversation, &json!({ "field": "Stage", "conversationState": "AJAR" })),
    ];
    for request in malformed {
        let (status, refused) = consumer.send(&request).await;
        assert_eq!((status, &refused["body"]["msg"]), (400, &json!("Bad Request")), "{request}");
    }
    assert!(simulator.conversation(&conversation).unwrap().transcript.is_empty());

    let answer =
        |sequence: u64, id: &str| (200, json!({ "code": "OK", "body": { "sequence": sequence }, "reqId": id }));
    assert_eq!(consumer.send(&altered("/id", json!(3))).await, answer(0, "3"));
    assert_eq!(consumer.send(&altered("/type", json!(".ams.ms.PublishEvent"))).await, answer(1, "publish"));
    let mut without_conversation_id = good.clone();
    without_conversation_id["body"].as_object_mut().unwrap().remove("conversationId");
    assert_eq!(consumer.send(&without_conversation_id).await, answer(2, "publish"));
}
