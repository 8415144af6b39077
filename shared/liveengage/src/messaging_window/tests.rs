use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    LiveEngageError,
    event::{AcceptStatus, ChatState},
    files::{FileType, RelativePath},
    id::{AccountId, ConversationId, DialogId, Sequence},
    messaging::{
        Close, CustomerSatisfaction, DialogRef, Event, Publication, Routing, SatisfactionRate, SatisfactionStatus,
    },
    notification::{Change, EventKind, Role},
    profile::UserProfile,
};

fn dialog() -> DialogRef {
    DialogRef { conversation: ConversationId::new("c-7").unwrap(), dialog: DialogId::new("d-7").unwrap() }
}

fn frame(request: Request<'_>, names: Names) -> Value {
    serde_json::from_str(&request.frame(&RequestId::numbered(4), names).unwrap()).unwrap()
}

fn check_both_generations(request: Request<'_>, name: &str, body: &Value) {
    let current = frame(request, Names::Current);
    assert_eq!(current, json!({"kind": "req", "id": "4", "type": name, "body": body}));
    let ams = frame(request, Names::Ams);
    assert_eq!(ams["body"], current["body"]);
    let older = ams["type"].as_str().unwrap();
    assert!(older.starts_with(".ams.") || older == ".GetClock", "{older}");
    for name in [name, older] {
        assert_eq!(RequestKind::from_name(name), Some(request.kind()), "{name}");
    }
}

#[test]
fn each_request_has_its_type_beside_the_body_in_both_generations() {
    let (dialog, account) = (dialog(), AccountId::new("72419083").unwrap());
    let subscription = SubscriptionId::new("s-1").unwrap();
    let path = RelativePath::new("/v1/AUTH_async-images/x.PNG").unwrap();
    let (routing, profile) = (Routing::default(), UserProfile::default());
    let satisfaction = CustomerSatisfaction {
        rate: SatisfactionRate::new(4),
        resolved: Some(true),
        status: SatisfactionStatus::Filled,
    };
    let requests = [
        (Request::GetClock, ".GetClock", json!({})),
        (
            Request::RequestConversation(&account, &routing),
            "cm.ConsumerRequestConversation",
            json!({"ttrDefName": "NORMAL", "channelType": "MESSAGING", "brandId": "72419083", "skillId": "-1"}),
        ),
        (
            Request::Publish(&dialog, Event::Text("Grüezi").into()),
            "ms.PublishEvent",
            json!({"dialogId": "d-7", "conversationId": "c-7",
                "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "Grüezi"}}),
        ),
        (
            Request::Close(&dialog.conversation, Close::Conversation),
            "cm.UpdateConversationField",
            json!({"conversationId": "c-7",
                "conversationField": {"field": "ConversationStateField", "conversationState": "CLOSE"}}),
        ),
        (
            Request::Rate(&dialog.conversation, &satisfaction),
            "cm.UpdateConversationField",
            json!({"conversationId": "c-7", "conversationField":
                {"field": "CSATRate", "csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED"}}),
        ),
        (
            Request::SubscribeConversations(ConversationFilter::All),
            "cqm.SubscribeExConversations",
            json!({"minLastUpdatedTime": 0, "convState": ["OPEN", "CLOSE"], "stage": ["OPEN", "CLOSE"]}),
        ),
        (
            Request::UnsubscribeConversations(&subscription),
            "cqm.UnsubscribeExConversations",
            json!({"subscriptionId": "s-1"}),
        ),
        (
            Request::SubscribeEvents(&dialog, Sequence(3)),
            "ms.SubscribeMessagingEvents",
            json!({"dialogId": "d-7", "conversationId": "c-7", "fromSeq": 3}),
        ),
        (Request::SetUserProfile(&profile), "userprofile.SetUserProfile", json!({})),
        (
            Request::UploadUrl(2100, &FileType::Png),
            "ms.GenerateURLForUploadFile",
            json!({"fileSize": "2100", "fileType": "PNG"}),
        ),
        (
            Request::DownloadUrl(&path),
            "ms.GenerateURLForDownloadFile",
            json!({"relativePath": "/v1/AUTH_async-images/x.PNG"}),
        ),
    ];
    for (request, name, body) in requests {
        check_both_generations(request, name, &body);
    }
    assert_eq!(RequestKind::from_name(".ams.routing.SetAgentState"), None);
}

#[test]
fn metadata_is_beside_the_body_and_a_long_request_is_refused() {
    let (dialog, metadata) = (dialog(), json!([{"type": "ExternalId", "id": "yes"}]));
    let sequences = [Sequence(5)];
    let chosen = Publication { event: Event::Status(AcceptStatus::Action, &sequences), metadata: Some(&metadata) };
    let request = frame(Request::Publish(&dialog, chosen), Names::Current);
    assert_eq!(request["metadata"], metadata);
    assert_eq!(request["body"]["event"]["sequenceList"], json!([5]));
    let typing = frame(Request::Publish(&dialog, Event::ChatState(ChatState::Composing).into()), Names::Current);
    assert_eq!(typing.get("metadata"), None);

    let long = "x".repeat(5000);
    let error = Request::Publish(&dialog, Event::Text(&long).into())
        .frame(&RequestId::numbered(1), Names::Current)
        .unwrap_err();
    assert!(matches!(error, LiveEngageError::Unsendable { .. }));
}

fn response(text: &str) -> Response {
    match Frame::read(text) {
        Frame::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_are_read_whatever_their_type_is_called() {
    for (text, kind, answer) in [
        (
            r#"{"kind":"resp","reqId":"1","code":200,"body":{"conversationId":"5e0c"},"type":"cm.RequestConversationResponse"}"#,
            RequestKind::RequestConversation,
            Answer::Conversation(ConversationId::new("5e0c").unwrap()),
        ),
        (
            r#"{"kind":"resp","reqId":"1","code":200,"body":{"conversationId":"5e0c"},"type":".ams.cm.types.RequestConversation$Response"}"#,
            RequestKind::RequestConversation,
            Answer::Conversation(ConversationId::new("5e0c").unwrap()),
        ),
        (
            r#"{"kind":"resp","reqId":"1","code":"200","body":{"sequence":"6"},"type":"ms.PublishEventResponse"}"#,
            RequestKind::PublishEvent,
            Answer::Published(Some(Sequence(6))),
        ),
        (r#"{"reqId":1,"code":"OK","body":{}}"#, RequestKind::PublishEvent, Answer::Published(None)),
        (
            r#"{"kind":"resp","reqId":"1","code":200,"body":"OK Conversation resolved successfully","type":"StringResponse"}"#,
            RequestKind::UpdateConversation,
            Answer::Done,
        ),
        (
            r#"{"kind":"resp","reqId":"1","code":200,"body":{"subscriptionId":"s-9"}}"#,
            RequestKind::SubscribeConversations,
            Answer::Subscribed(Some(SubscriptionId::new("s-9").unwrap())),
        ),
        (
            r#"{"kind":"resp","reqId":"1","code":200,"body":{},"type":".ams.GenericSubscribe$Response"}"#,
            RequestKind::SubscribeEvents,
            Answer::Done,
        ),
        (
            r#"{"kind":"resp","reqId":"1","code":200,"body":{"currentTime":1790000000123}}"#,
            RequestKind::GetClock,
            Answer::Clock(Some(Timestamp::from_millisecond(1_790_000_000_123).unwrap())),
        ),
        (r#"{"kind":"resp","reqId":"1"}"#, RequestKind::GetClock, Answer::Clock(None)),
    ] {
        let response = response(text);
        assert_eq!(response.request, Some(RequestId::numbered(1)), "{text}");
        assert_eq!(response.answer(kind), Ok(answer), "{text}");
    }
    let lost = response(r#"{"kind":"resp","reqId":"1","code":200,"body":{}}"#);
    let error = lost.answer(RequestKind::RequestConversation).unwrap_err();
    assert!(matches!(error, LiveEngageError::Unreadable { .. }));
}

#[test]
fn errors_are_classified_by_code_and_message() {
    let call = CALL;
    let error = |body: &str, kind| response(body).answer(kind).unwrap_err();
    assert_eq!(
        error(
            r#"{"kind":"resp","reqId":"1","code":400,"body":"Bad Request, Conversation is close"}"#,
            RequestKind::PublishEvent
        ),
        LiveEngageError::ConversationClosed { call }
    );
    assert_eq!(
        error(
            r#"{"kind":"resp","reqId":"1","code":400,"body":{"msg":"User 7f already has open conversation. Can't open another one."}}"#,
            RequestKind::RequestConversation
        ),
        LiveEngageError::AlreadyOpen { call }
    );
    assert_eq!(
        error(
            r#"{"kind":"resp","reqId":"1","code":401,"body":{"title":"Unauthorized"},"type":".ReqBody$ErrorResp"}"#,
            RequestKind::PublishEvent
        ),
        LiveEngageError::ConsumerJwsRefused { call }
    );
    assert_eq!(
        error(r#"{"kind":"resp","reqId":"1","code":429,"body":{}}"#, RequestKind::PublishEvent),
        LiveEngageError::RateLimited { call, after: SignedDuration::from_secs(1) }
    );
    assert_eq!(
        error(r#"{"kind":"resp","reqId":"1","code":503,"body":{}}"#, RequestKind::PublishEvent),
        LiveEngageError::Unavailable { call, status: StatusCode::SERVICE_UNAVAILABLE.as_u16(), after: None }
    );
}

#[test]
fn a_temporary_url_is_at_the_storage() {
    let text = r#"{"kind":"resp","reqId":"3","code":200,"type":"ms.BaseGenerateURLResponse","body":{
        "relativePath":"/v1/AUTH_async-images/72419083/a.PNG",
        "queryParams":{"temp_url_sig":"5d41","temp_url_expires":"1790000060"}}}"#;
    let url = response(text).temporary_url(&"https://swift.example".parse().unwrap()).unwrap();
    assert_eq!(
        url.url.as_str(),
        "https://swift.example/v1/AUTH_async-images/72419083/a.PNG?temp_url_sig=5d41&temp_url_expires=1790000060"
    );
    assert!(!format!("{:?}", response(text)).contains("5d41"));
}

fn event(text: &str) -> crate::notification::DialogEvent {
    let Frame::Notification(changes) = Frame::read(text) else { panic!("{text}") };
    let [Ok(Change::Event(event))] = changes.as_slice() else { panic!("{changes:?}") };
    event.clone()
}

#[test]
fn notifications_of_both_generations_are_read_with_the_type_inside_or_beside_the_body() {
    let change = r#"{"sequence":2,"originatorId":"agent-5","serverTimestamp":1790000000000,"dialogId":"d-7",
        "event":{"type":"ContentEvent","contentType":"text/plain","message":"Your parcel is here."}}"#;
    let older = change.replace("originatorId", "originatorPid");
    for text in [
        format!(r#"{{"kind":"notification","type":"ms.MessagingEventNotification","body":{{"changes":[{change}]}}}}"#),
        format!(
            r#"{{"kind":"notification","type":".ams.ms.MessagingEventNotification","body":{{"changes":{older}}}}}"#
        ),
        format!(
            r#"{{"kind":"notification","body":{{"changes":[{older}],"type":".ams.ms.MessagingEventNotification"}}}}"#
        ),
        format!(r#"{{"kind":"notification","type":".ams.ms.OnlineEventDistribution","body":{older}}}"#),
    ] {
        let event = event(&text);
        assert_eq!((event.sequence, event.role), (Some(Sequence(2)), Role::Unknown), "{text}");
        assert_eq!(event.originator.as_deref(), Some("agent-5"), "{text}");
        assert!(matches!(&event.kind, EventKind::Text(said) if said.as_str() == "Your parcel is here."), "{text}");
    }
    for name in ["cqm.ExConversationChangeNotification", ".ams.aam.ExConversationChangeNotification"] {
        let text = format!(
            r#"{{"kind":"notification","type":"{name}","body":{{"subscriptionId":"s-9","changes":[{{"type":"UPSERT",
            "result":{{"convId":"c-7","conversationDetails":{{"state":"CLOSE","stage":"CLOSE"}}}}}}]}}}}"#
        );
        let Frame::Notification(changes) = Frame::read(&text) else { panic!("{text}") };
        assert!(matches!(changes.as_slice(), [Ok(Change::Conversation(change))] if change.closed));
    }
}

#[test]
fn what_cannot_be_used_is_a_value_and_no_error() {
    for text in ["", "pong", "[1]", "7", "{\"kind\":", "null"] {
        assert_eq!(Frame::read(text), Frame::NotJson, "{text}");
    }
    for (text, name) in [
        (
            r#"{"kind":"notification","type":"routing.RoutingTaskNotification","body":{}}"#,
            "routing.RoutingTaskNotification",
        ),
        (r#"{"kind":"gossip","type":"x.Y"}"#, "x.Y"),
        (r#"{"kind":"notification"}"#, "none"),
        ("{}", "none"),
    ] {
        let Frame::Unknown(code) = Frame::read(text) else { panic!("{text}") };
        assert_eq!(code.as_str(), name, "{text}");
    }
    // One unreadable change doesn't hide the others.
    let text = r#"{"kind":"notification","type":"ms.MessagingEventNotification","body":{"changes":[{"event":{}},
        {"dialogId":"d-7","event":{"type":"ChatStateEvent","chatState":"COMPOSING"}}]}}"#;
    let Frame::Notification(changes) = Frame::read(text) else { panic!() };
    assert!(matches!(changes.as_slice(), [Err(_), Ok(Change::Event(_))]), "{changes:?}");
}

#[test]
fn a_response_goes_to_its_request_once() {
    let start = Timestamp::from_second(1_790_000_000).unwrap();
    let mut pending = PendingRequests::default();
    let first = pending.add("first", start);
    let second = pending.add("second", start + SignedDuration::from_secs(5));
    assert_eq!((first.as_str(), second.as_str()), ("1", "2"));
    assert_eq!(pending.oldest(), Some(start));
    let to = |id: &str| response(&format!(r#"{{"kind":"resp","reqId":{id},"code":200,"body":{{}}}}"#));
    assert_eq!(pending.take(&to("\"2\"")), Some("second"));
    for nobody in ["\"2\"", "\"9\"", "null", "{}", "\"\""] {
        assert_eq!(pending.take(&to(nobody)), None, "{nobody}");
    }
    let limit = SignedDuration::from_secs(10);
    assert!(pending.take_overdue(start + SignedDuration::from_secs(9), limit).is_empty());
    assert_eq!(pending.take_overdue(start + limit, limit), ["first"]);
    assert_eq!(pending.take(&to("1")), None, "too late");
    assert_eq!(pending.add("third", start).as_str(), "3", "no id is used twice");
    assert_eq!(pending.take_all(), ["third"]);
    assert_eq!(pending.oldest(), None);
}

proptest! {
    #[test]
    fn no_frame_is_fatal(text in "\\PC*", body in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        for frame in [text, format!("{{\"kind\":\"resp\",\"reqId\":\"1\",\"code\":200,\"body\":{body}}}")] {
            if let Frame::Response(response) = Frame::read(&frame) {
                for kind in RequestKind::ALL {
                    let _ = response.answer(kind);
                }
            }
        }
    }
}
