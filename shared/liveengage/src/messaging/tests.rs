//! Tests of the Send API: the documented requests, and replies in every documented form.

use http::StatusCode;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    files::{FileType, HostedFile, RelativePath},
    id::{ConversationId, DialogId, VisitorId, VisitorSessionId},
};
use connector_message::MessageText;

struct Sample {
    account: AccountId,
    app_jwt: AppJwt,
    consumer: ConsumerToken,
    client_properties: ClientProperties,
}

impl Sample {
    fn new() -> Self {
        Self {
            account: AccountId::new("72419083").unwrap(),
            app_jwt: AppJwt::new("app.jwt.x", Timestamp::UNIX_EPOCH),
            consumer: ConsumerToken::new("consumer.jws.y"),
            client_properties: ClientProperties::new(&[Feature::RichContent, Feature::AutoMessages]),
        }
    }
    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            account: &self.account,
            app_jwt: &self.app_jwt,
            consumer: &self.consumer,
            client_properties: &self.client_properties,
        }
    }
}

fn host() -> Url {
    "https://va.msg.liveperson.net".parse().unwrap()
}

fn body(call: &HttpCall) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn publish(event: Event<'_>, metadata: Option<&Value>) -> Result<HttpCall, LiveEngageError> {
    let conversation = ConversationId::new("c1").unwrap();
    let dialog = DialogId::new("d1").unwrap();
    let place = DialogRef { conversation: conversation.clone(), dialog: dialog.clone() };
    publish_request(&host(), Sample::new().credentials(), "r3", &place, Publication { event, metadata })
}

/// The body of the request that publishes `event`.
fn published(event: &Value) -> Value {
    json!({"kind": "req", "id": "r3", "type": "ms.PublishEvent",
        "body": {"dialogId": "d1", "conversationId": "c1", "event": event}})
}

#[test]
fn opening_is_the_documented_array_with_raw_tokens() {
    let routing = Routing {
        skill_id: Some("2187".to_owned()),
        campaign: Some(Campaign { campaign_id: "31".to_owned(), engagement_id: "57".to_owned() }),
        ttr: Some(TimeToRespond::Prioritized),
        language: Some("de-AT".to_owned()),
        interaction: None,
    };
    let profile = UserProfile { first_name: Some(MessageText::new("Ana")), ..UserProfile::default() };
    let call = open_request(&host(), Sample::new().credentials(), "r1", &routing, &profile).unwrap();
    assert_eq!(
        call.url.as_str(),
        "https://va.msg.liveperson.net/api/account/72419083/messaging/consumer/conversation?v=3"
    );
    assert_eq!(call.headers.get("authorization").unwrap(), "app.jwt.x");
    assert_eq!(call.headers.get("x-lp-on-behalf").unwrap(), "consumer.jws.y");
    assert_eq!(
        body(&call),
        json!([
            {"kind": "req", "id": "r1.1", "type": "userprofile.SetUserProfile", "body": {"firstName": "Ana"}},
            {"kind": "req", "id": "r1.2", "type": "cm.ConsumerRequestConversation", "body": {
                "ttrDefName": "PRIORITIZED", "channelType": "MESSAGING", "brandId": "72419083", "skillId": "2187",
                "campaignInfo": {"campaignId": "31", "engagementId": "57"},
                "conversationContext": {"type": "SharkContext", "lang": "de-AT"}}},
        ])
    );
    let sample = Sample::new();
    let bare = open_request(&host(), sample.credentials(), "r1", &Routing::default(), &UserProfile::default()).unwrap();
    assert_eq!(
        body(&bare),
        json!([
            {"kind": "req", "id": "r1.1", "type": "userprofile.SetUserProfile", "body": {}},
            {"kind": "req", "id": "r1.2", "type": "cm.ConsumerRequestConversation", "body": {
                "ttrDefName": "NORMAL", "channelType": "MESSAGING", "brandId": "72419083", "skillId": "-1"}},
        ])
    );
}

#[test]
fn a_profile_that_is_too_long_does_not_stop_the_conversation() {
    let profile = UserProfile { description: Some(MessageText::new("x".repeat(5000))), ..UserProfile::default() };
    let sample = Sample::new();
    let open = open_request(&host(), sample.credentials(), "r1", &Routing::default(), &profile).unwrap();
    assert_eq!(body(&open)[0]["body"], json!({}));
    assert!(matches!(
        profile_request(&host(), sample.credentials(), "r1", &profile),
        Err(LiveEngageError::Unsendable { .. })
    ));
}

#[test]
fn a_profile_alone_is_a_send() {
    let profile = UserProfile { email: Some("ana@mail.example".to_owned()), ..UserProfile::default() };
    let call = profile_request(&host(), Sample::new().credentials(), "r5", &profile).unwrap();
    assert!(call.url.path().ends_with("/conversation/send"));
    assert_eq!(
        body(&call),
        json!({"kind": "req", "id": "r5", "type": "userprofile.SetUserProfile",
            "body": {"privateData": {"mail": "ana@mail.example"}}})
    );
}

#[test]
fn every_call_carries_the_same_client_properties() {
    let sample = Sample::new();
    let credentials = sample.credentials();
    let conversation = ConversationId::new("c1").unwrap();
    let dialog = DialogId::main_of(&conversation);
    let place = DialogRef { conversation: conversation.clone(), dialog: dialog.clone() };
    let satisfaction = CustomerSatisfaction { rate: None, resolved: None, status: SatisfactionStatus::Skipped };
    let path = RelativePath::new("/v1/x.png").unwrap();
    let profile = UserProfile::default();
    for call in [
        open_request(&host(), credentials, "r", &Routing::default(), &profile),
        profile_request(&host(), credentials, "r", &profile),
        publish_request(&host(), credentials, "r", &place, Event::Text("x").into()),
        close_request(&host(), credentials, "r", &conversation, Close::Conversation),
        satisfaction_request(&host(), credentials, "r", &conversation, &satisfaction),
        crate::files::upload_url_request(&host(), credentials, "r", 1, &FileType::Png),
        crate::files::download_url_request(&host(), credentials, "r", &path),
    ] {
        let call = call.unwrap();
        assert_eq!(call.headers.get("client-properties").unwrap(), sample.client_properties.header_value());
        assert_eq!(call.headers.get("content-type").unwrap(), "application/json");
        assert_eq!(call.url.query(), Some("v=3"));
    }
}

#[test]
fn the_interaction_of_the_monitoring_api_is_the_context() {
    let context = |routing: &Routing| {
        let call = open_request(&host(), Sample::new().credentials(), "r1", routing, &UserProfile::default()).unwrap();
        body(&call)[1]["body"]["conversationContext"].clone()
    };
    let interaction = Interaction {
        visitor: VisitorId::new("v-1").unwrap(),
        session: Some(VisitorSessionId::new("s-1").unwrap()),
        context_id: Some("2".to_owned()),
    };
    let full =
        Routing { interaction: Some(interaction.clone()), language: Some("de".to_owned()), ..Routing::default() };
    assert_eq!(
        context(&full),
        json!({"type": "SharkContext", "lang": "de", "visitorId": "v-1", "sessionId": "s-1", "interactionContextId": "2"})
    );
    let visitor_only = Interaction { session: None, context_id: None, ..interaction };
    let least = Routing { interaction: Some(visitor_only), ..Routing::default() };
    assert_eq!(context(&least), json!({"type": "SharkContext", "visitorId": "v-1"}));
}

#[test]
fn routing_is_read_and_a_wrong_language_is_not_in_the_error() {
    let read = |value: Value| connector_message::settings::read::<Routing>("routing", &value);
    let routing = read(json!({"ttr": "URGENT", "language": "zh-Hant-TW"})).unwrap();
    assert_eq!((routing.ttr, routing.language.as_deref()), (Some(TimeToRespond::Urgent), Some("zh-Hant-TW")));
    assert_eq!(read(json!({})).unwrap(), Routing::default());
    assert_eq!(read(json!({"language": null})).unwrap(), Routing::default());
    for bad in ["", "d", "german language", "de_AT", "de-", "de-123456789", "12", "\u{e4}\u{f6}"] {
        let error = read(json!({"language": bad})).unwrap_err();
        assert_eq!(error.field, "routing.language");
        assert!(bad.is_empty() || !error.to_string().contains(&format!("`{bad}`")), "{error}");
    }
    assert_eq!(read(json!({"ttr": "SOON"})).unwrap_err().field, "routing.ttr");
    assert!(read(json!({"language": "de", "lang": "de"})).is_err());
    let error = serde_json::from_value::<Routing>(json!({"language": "s3cret!"})).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn the_conversation_is_found_by_position_and_not_by_request_id() {
    let answer = json!([
        {"code": "OK", "body": {"msg": "OK User Profile set successfully"}, "reqId": "same"},
        {"code": 200, "body": {"conversationId": "7d1e0c52-aaaa"}, "reqId": "same"},
    ]);
    assert_eq!(open_answer(&reply(200, &answer)).unwrap().as_str(), "7d1e0c52-aaaa");
}

#[test]
fn a_rejected_profile_is_not_an_error_if_the_conversation_was_opened() {
    let answer = json!([
        {"code": "BAD_REQUEST", "body": {"msg": "Set user profile failed"}, "reqId": "1"},
        {"code": "OK", "body": {"conversationId": "7d1e0c52-aaaa"}, "reqId": "2"},
    ]);
    assert_eq!(open_answer(&reply(200, &answer)).unwrap().as_str(), "7d1e0c52-aaaa");
}

#[test]
fn already_open_is_known_with_either_status() {
    let answer = json!([
        {"code": "OK", "body": {"msg": "OK User Profile set successfully"}, "reqId": "1"},
        {"code": "BAD_REQUEST", "body": {"msg": "Consumer request conversation failed: User 5d41 already has open conversation. Can't open another one."}, "reqId": "2"},
    ]);
    for status in [400, 200] {
        assert_eq!(open_answer(&reply(status, &answer)), Err(LiveEngageError::AlreadyOpen { call: CONVERSATION }));
    }
}

#[test]
fn the_status_of_an_element_inside_a_200_counts() {
    let answer = |code: u16| json!([{"code": 200, "body": {}}, {"code": code, "body": {"msg": "x"}}]);
    assert!(matches!(open_answer(&reply(200, &answer(503))), Err(LiveEngageError::Unavailable { status: 503, .. })));
    assert!(matches!(open_answer(&reply(200, &answer(429))), Err(LiveEngageError::RateLimited { .. })));
    let sent = json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
    assert!(matches!(send_answer(&reply(200, &sent)), Err(LiveEngageError::AppJwtRefused { .. })));
}

#[test]
fn opening_errors_are_classified() {
    let token = json!({"kind": "resp", "code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
    assert!(matches!(open_answer(&reply(401, &token)), Err(LiveEngageError::AppJwtRefused { .. })));
    let brand = json!({"code": 400, "body": {"title": "Missing parameter", "details": "Brand Id is missing", "errorCode": 40001}});
    assert!(matches!(
        open_answer(&reply(400, &brand)),
        Err(LiveEngageError::Refused { status: 400, code, .. }) if code.as_str() == "40001"
    ));
    assert!(matches!(open_answer(&reply(200, &json!([]))), Err(LiveEngageError::Unreadable { .. })));
    assert!(matches!(open_answer(&reply(502, &json!("x"))), Err(LiveEngageError::Unavailable { .. })));
}

#[test]
fn a_text_is_one_object_with_dialog_and_conversation() {
    let call = publish(Event::Text("Grüße 😀"), None).unwrap();
    assert_eq!(
        call.url.as_str(),
        "https://va.msg.liveperson.net/api/account/72419083/messaging/consumer/conversation/send?v=3"
    );
    let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Grüße 😀"});
    assert_eq!(body(&call), published(&event));
}

#[test]
fn a_file_is_published_with_its_path_and_without_a_preview() {
    let mut file = HostedFile {
        relative_path: RelativePath::new("/v1/AUTH_async-images/72419083/a.PNG").unwrap(),
        file_type: FileType::Png,
        caption: Some(MessageText::new("my hallway")),
    };
    assert_eq!(
        body(&publish(Event::File(&file), None).unwrap()),
        published(&json!({"type": "ContentEvent", "contentType": "hosted/file", "message":
            {"relativePath": "/v1/AUTH_async-images/72419083/a.PNG", "fileType": "PNG", "caption": "my hallway"}}))
    );
    file.caption = None;
    let bare = body(&publish(Event::File(&file), None).unwrap());
    assert_eq!(bare["body"]["event"]["message"].get("caption"), None);
}

#[test]
fn a_status_has_the_sequences_and_metadata_is_next_to_the_body() {
    let metadata = json!([{"type": "ExternalId", "id": "Yes-77"}]);
    for (status, word, metadata) in [
        (AcceptStatus::Accept, "ACCEPT", None),
        (AcceptStatus::Read, "READ", None),
        (AcceptStatus::Access, "ACCESS", None),
        (AcceptStatus::Nack, "NACK", None),
        (AcceptStatus::Action, "ACTION", Some(&metadata)),
    ] {
        let call = publish(Event::Status(status, &[Sequence(7), Sequence(9)]), metadata).unwrap();
        let mut expected = published(&json!({"type": "AcceptStatusEvent", "status": word, "sequenceList": [7, 9]}));
        if let Some(metadata) = metadata {
            expected["metadata"] = metadata.clone();
        }
        assert_eq!(body(&call), expected);
    }
}

#[test]
fn typing_is_a_chat_state() {
    for state in [ChatState::Active, ChatState::Inactive, ChatState::Gone, ChatState::Composing, ChatState::Pause] {
        let call = publish(Event::ChatState(state), None).unwrap();
        assert_eq!(body(&call), published(&json!({"type": "ChatStateEvent", "chatState": state.name()})));
    }
}

#[test]
fn closing_with_and_without_a_survey_are_two_fields() {
    let conversation = ConversationId::new("c1").unwrap();
    let dialog = DialogId::main_of(&conversation);
    for (close, field) in [
        (Close::Conversation, json!({"field": "ConversationStateField", "conversationState": "CLOSE"})),
        (
            Close::MainDialog(&dialog),
            json!({"field": "DialogChange", "type": "UPDATE",
                "dialog": {"dialogId": "c1", "state": "CLOSE", "closedCause": "Closed by consumer"}}),
        ),
    ] {
        let call = close_request(&host(), Sample::new().credentials(), "r6", &conversation, close).unwrap();
        assert_eq!(
            body(&call),
            json!({"kind": "req", "id": "r6", "type": "cm.UpdateConversationField",
                "body": {"conversationId": "c1", "conversationField": field}})
        );
    }
}

#[test]
fn a_rating_has_only_the_answers_that_were_given() {
    let conversation = ConversationId::new("c1").unwrap();
    for (rate, resolved, status, field) in [
        (
            SatisfactionRate::new(4),
            Some(true),
            SatisfactionStatus::Filled,
            json!({"field": "CSATRate", "csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED"}),
        ),
        (
            None,
            Some(false),
            SatisfactionStatus::PartiallyFilled,
            json!({"field": "CSATRate", "csatResolutionConfirmation": false, "status": "PARTIALLY_FILLED"}),
        ),
        (None, None, SatisfactionStatus::Skipped, json!({"field": "CSATRate", "status": "SKIPPED"})),
    ] {
        let satisfaction = CustomerSatisfaction { rate, resolved, status };
        let call =
            satisfaction_request(&host(), Sample::new().credentials(), "r7", &conversation, &satisfaction).unwrap();
        assert_eq!(body(&call)["body"], json!({"conversationId": "c1", "conversationField": field}));
        assert_eq!(body(&call)["type"], "cm.UpdateConversationField");
    }
    assert_eq!(SatisfactionRate::new(0), None);
    assert_eq!(SatisfactionRate::new(6), None);
}

#[test]
fn a_success_without_a_readable_body_is_a_success_without_a_sequence() {
    for sequence in [json!(3), json!("3")] {
        let answer = json!({"reqId": "1", "code": "OK", "body": {"sequence": sequence}});
        assert_eq!(send_answer(&reply(200, &answer)), Ok(Some(Sequence(3))));
        assert_eq!(send_answer(&reply(200, &json!([answer]))), Ok(Some(Sequence(3))));
    }
    for odd in [
        json!({"code": "OK", "body": "OK done"}),
        json!({"code": "OK", "body": {"msg": "OK Conversation resolved successfully"}}),
        json!({"code": "OK", "body": {"sequence": -1}}),
        json!("odd"),
        json!([]),
        json!(null),
    ] {
        assert_eq!(send_answer(&reply(201, &odd)), Ok(None), "{odd}");
    }
    for body in [json!({"msg": "Bad Request, Conversation is close"}), json!("Bad Request, Conversation is close")] {
        for status in [400, 200] {
            assert_eq!(
                send_answer(&reply(status, &json!({"code": "BAD_REQUEST", "body": body}))),
                Err(LiveEngageError::ConversationClosed { call: SEND })
            );
        }
    }
}

proptest! {
    #[test]
    fn every_piece_fits_into_a_request(text in "[a-z\"\\\\\u{1}\n😀 ]{0,9000}") {
        // The longest metadata of a choice.
        let metadata = json!(["m".repeat(LONGEST_METADATA - 4)]);
        let sample = Sample::new();
        let conversation = ConversationId::new("c".repeat(256)).unwrap();
        let pieces = text_pieces(&text);
        prop_assert_eq!(pieces.concat(), text.clone());
        for piece in pieces {
            let dialog = DialogId::main_of(&conversation);
            let place = DialogRef { conversation: conversation.clone(), dialog: dialog.clone() };
            let call = publish_request(&host(), sample.credentials(), &"r".repeat(64), &place, Publication { event: Event::Text(piece), metadata: Some(&metadata) });
            prop_assert!(call.is_ok());
        }
    }
}
