use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    event::AcceptStatus,
    id::{ConversationId, LpConsumerId, Sequence},
    messaging::{SatisfactionRate, SatisfactionStatus},
    notification::{self, Audience, Change, EventKind, NotificationType, Role, Structured},
    structured_content,
};
use connector_message::Disposition;

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn host() -> Url {
    "https://va.msghist.liveperson.net".parse().unwrap()
}

fn account() -> AccountId {
    AccountId::new("72419083").unwrap()
}

fn token() -> ConsumerToken {
    ConsumerToken::new("consumer.jws")
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

fn list_call(search: &ConversationSearch) -> HttpCall {
    conversations_request(&host(), &account(), &token(), search).unwrap()
}

/// A page in the documented form.
fn page() -> Value {
    json!({
        "_responseMetadata": {
            "count": 2,
            "self": {"rel": "self", "href": "http://localhost:8080/messaging_history/api/account/72419083/conversations"},
            "shardsStatusResult": {"partialResult": false},
        },
        "conversationHistoryMetadataRecords": [
            {
                "convId": "71f0a9d2-0b1c-4c2d-9a3e-5f6a7b8c9d0e",
                "participants": [
                    {"id": "c0ffee".repeat(10), "role": "CONSUMER"},
                    {"id": "5c2d7e90-1a2b-5c3d-8e4f-9a0b1c2d3e4f", "role": "ASSIGNED_AGENT"},
                ],
                "state": "CLOSE",
                "startTs": 1_790_000_000_250_i64,
                "endTs": 1_790_000_090_500_i64,
                "csat": {"csatRate": 4, "csatResolutionConfirmation": true, "status": "PARTIALLY_FILLED"},
            },
            {"convId": "82a1bae3-1c2d-4d3e-8b4f-6a7b8c9d0e1f", "participants": [], "startTs": "1790000100000"},
        ],
    })
}

#[test]
fn the_list_is_asked_for_with_the_consumers_token() {
    let call = list_call(&ConversationSearch::default());
    assert_eq!((call.name, call.method.as_str()), ("LiveEngage history conversations", "GET"));
    assert_eq!(
        call.url.as_str(),
        "https://va.msghist.liveperson.net/messaging_history/api/account/72419083/conversations/consumer/metadata/search\
         ?state=close%2Carchive&offset=0&limit=100&sort=start%3Aasc"
    );
    let authorization = call.headers.get(AUTHORIZATION).unwrap();
    assert_eq!(authorization, "Bearer consumer.jws");
    assert!(authorization.is_sensitive());
    let unsendable = conversations_request(&host(), &account(), &ConsumerToken::new("a\nb"), &Default::default());
    assert!(matches!(unsendable, Err(LiveEngageError::Header(_))));
}

#[test]
fn a_range_is_sent_in_milliseconds_and_the_limit_is_never_more_than_liveperson_takes() {
    let range = (at(1_790_000_000_123), at(1_790_000_999_456));
    let query = |search: &ConversationSearch| list_call(search).url.query().unwrap().to_owned();
    let search = ConversationSearch::default().started_between(range.0, range.1).at_most(20);
    let expected =
        "state=close%2Carchive&startFrom=1790000000123&startTo=1790000999456&offset=0&limit=20&sort=start%3Aasc";
    assert_eq!(query(&search), expected);
    assert!(query(&ConversationSearch::default().at_most(0)).contains("&limit=1&"));
    assert!(query(&ConversationSearch::default().at_most(255)).contains("&limit=100&"));
}

#[test]
fn the_documented_page_is_read() {
    let page = conversations_answer(&reply(200, &page())).unwrap();
    assert_eq!((page.count, page.unreadable, page.is_partial), (Some(2), 0, false));
    let [rated, other] = page.conversations.try_into().unwrap();
    assert_eq!(rated.id.as_str(), "71f0a9d2-0b1c-4c2d-9a3e-5f6a7b8c9d0e");
    let roles: Vec<_> = rated.participants.iter().map(|participant| participant.role).collect();
    assert_eq!(roles, [Role::Consumer, Role::Brand]);
    assert_eq!(rated.participants[1].id, "5c2d7e90-1a2b-5c3d-8e4f-9a0b1c2d3e4f");
    assert_eq!(
        (rated.closed, rated.started_at, rated.ended_at),
        (Some(true), Some(at(1_790_000_000_250)), Some(at(1_790_000_090_500)))
    );
    let satisfaction = RecordedSatisfaction {
        rate: SatisfactionRate::new(4),
        resolved: Some(true),
        status: Some(SatisfactionStatus::PartiallyFilled),
    };
    assert_eq!(rated.satisfaction, Some(satisfaction));
    assert_eq!((other.closed, other.started_at, other.ended_at), (None, Some(at(1_790_000_100_000)), None));
    assert_eq!((other.participants, other.satisfaction), (vec![], None));
}

#[test]
fn a_page_is_read_whatever_else_is_in_it() {
    let records = json!([{"convId": "c-1", "participants": {"id": "p", "role": "BOSS"}, "csat": {"csatRate": 3.0, "status": "?"}}, {"state": "CLOSE"}, 7]);
    let body = json!({"conversationHistoryMetadataRecords": records, "_responseMetadata": {"count": "x", "shardsStatusResult": {"partialResult": true}}});
    let page = conversations_answer(&reply(200, &body)).unwrap();
    assert_eq!((page.conversations.len(), page.unreadable, page.count, page.is_partial), (1, 2, None, true));
    assert_eq!(page.conversations[0].participants[0].role, Role::Brand);
    let satisfaction = page.conversations[0].satisfaction.unwrap();
    assert_eq!((satisfaction.rate, satisfaction.status), (SatisfactionRate::new(3), None));
    // A list of one can be a bare element.
    let bare = json!({"conversationHistoryMetadataRecords": {"convId": "c-1", "csat": {"csatRate": 3.5}}});
    let page = conversations_answer(&reply(200, &bare)).unwrap();
    assert_eq!(page.conversations[0].satisfaction, Some(RecordedSatisfaction::default()));
}

proptest! {
    #[test]
    fn every_conversation_is_on_exactly_one_page(total in 0_usize..260, limit in 1_u8..120, counted: bool) {
        let ids: Vec<_> = (0..total).map(|number| format!("c-{number}")).collect();
        let (mut search, mut found, mut calls) = (Some(ConversationSearch::default().at_most(limit)), vec![], 0);
        while let Some(this) = search {
            let query: std::collections::HashMap<_, _> = list_call(&this).url.query_pairs().into_owned().collect();
            let number = |name: &str| query[name].parse::<usize>().unwrap();
            let records: Vec<_> =
                ids.iter().skip(number("offset")).take(number("limit")).map(|id| json!({"convId": id})).collect();
            let count = if counted { json!(total) } else { Value::Null };
            let body = json!({"_responseMetadata": {"count": count}, "conversationHistoryMetadataRecords": records});
            let page = conversations_answer(&reply(200, &body)).unwrap();
            found.extend(page.conversations.iter().map(|conversation| conversation.id.to_string()));
            search = this.next(&page);
            calls += 1;
            prop_assert!(calls <= total + 1);
        }
        prop_assert_eq!(found, ids);
    }
}

fn record(sequence: Option<u64>, originator: &str, at: i64, event: &Value) -> Value {
    let mut record = json!({"originatorId": originator, "serverTimestamp": at, "event": event});
    if let Some(sequence) = sequence {
        record["sequence"] = json!(sequence);
    }
    record
}

#[test]
fn one_conversation_is_asked_for_by_its_id() {
    let conversation = ConversationId::new("a b/c?d&e").unwrap();
    let call = events_request(&host(), &account(), &token(), &conversation).unwrap();
    assert_eq!(
        call.url.as_str(),
        "https://va.msghist.liveperson.net/messaging_history/api/account/72419083/conversations/conversation/content/search\
         ?conversationId=a+b%2Fc%3Fd%26e"
    );
    assert_eq!(call.headers.get(AUTHORIZATION).unwrap(), "Bearer consumer.jws");
}

/// One event of each documented type, not sorted.
fn events() -> Value {
    let card = json!({"type": "vertical", "elements": [{"type": "text", "text": "Blue, size 42"}]}).to_string();
    let file = json!({"caption": "", "relativePath": "/v1/AUTH_async-images/72419083/f.JPG", "fileType": "JPG", "preview": "data:image/jpeg;base64,AA=="});
    let content = |kind: &str, message: Value| json!({"type": "ContentEvent", "contentType": kind, "message": message});
    let status = |status: &str| json!({"type": "AcceptStatusEvent", "status": status, "sequenceList": [0]});
    json!({"messageEventRecords": [
        record(Some(6), "agent-7", 1_790_000_040_000, &content("hosted/file", file)),
        record(Some(0), "consumer-3", 1_790_000_000_000, &content("text/plain", json!("Where is my parcel?"))),
        record(None, "agent-7", 1_790_000_000_000, &status("ACCEPT")),
        record(Some(4), "agent-7", 1_790_000_030_000, &json!({"type": "RichContentEvent", "content": card})),
        record(Some(9), "agent-7", 1_790_000_050_000, &content("forms/secure-invitation", json!({"invitationId": "i-1", "title": "Card"}))),
        record(None, "agent-7", 1_790_000_010_000, &status("READ")),
    ]})
}

#[test]
fn the_events_are_read_in_the_order_of_their_time() {
    let history = events_answer(&reply(200, &events())).unwrap();
    assert_eq!(history.unreadable, 0);
    let sequences: Vec<_> = history.events.iter().map(|event| event.sequence.map(|sequence| sequence.0)).collect();
    assert_eq!(sequences, [Some(0), None, None, Some(4), Some(6), Some(9)]);
    let [text, accepted, read, card, file, form] = history.events.try_into().unwrap();
    assert!(matches!(&text.kind, EventKind::Text(text) if text.as_str() == "Where is my parcel?"));
    assert_eq!((text.at, text.dialog, text.audience), (Some(at(1_790_000_000_000)), None, Audience::All));
    for (event, expected) in [(accepted, AcceptStatus::Accept), (read, AcceptStatus::Read)] {
        assert_eq!(event.kind, EventKind::AcceptStatus { status: Some(expected), sequences: vec![Sequence(0)] });
    }
    let EventKind::RichContent(content) = card.kind else { panic!("{card:?}") };
    let (_, ignored) = structured_content::read(&content.0, None);
    assert_eq!(ignored, structured_content::Ignored::default());
    assert!(matches!(file.kind, EventKind::File(_)), "{file:?}");
    assert!(matches!(form.kind, EventKind::OtherContent(ref kind) if kind.as_str() == "forms/secure-invitation"));
}

#[test]
fn an_event_is_the_consumers_by_its_role_or_else_by_its_originator() {
    let consumer = LpConsumerId::new("consumer-3").unwrap();
    let text = json!({"type": "ContentEvent", "message": "hello"});
    let is_by = |record: Value| {
        let history = events_answer(&reply(200, &json!({"messageEventRecords": [record]}))).unwrap();
        history.events[0].is_by(&consumer)
    };
    assert!(is_by(record(Some(1), "consumer-3", 1, &text)));
    assert!(!is_by(record(Some(1), "agent-7", 1, &text)));
    let mut newer = record(Some(1), "consumer-3", 1, &text);
    newer["originatorMetadata"] = json!({"id": "x", "role": "CONSUMER"});
    assert!(is_by(newer.clone()));
    newer["originatorMetadata"]["role"] = json!("ASSIGNED_AGENT");
    assert!(!is_by(newer));
}

#[test]
fn a_record_that_cant_be_read_is_counted_and_hides_no_other() {
    let text = |message| json!({"type": "ContentEvent", "contentType": "text/plain", "message": message});
    let mut told = record(Some(2), "agent-7", 2, &text(json!("Good day")));
    told["dialogId"] = json!("d-2");
    told["messageAudience"] = json!("AGENTS_AND_MANAGERS");
    let new = record(Some(3), "agent-7", 3, &json!({"type": "VoiceEvent"}));
    let body =
        json!({"messageEventRecords": [told, 7, record(Some(1), "agent-7", 1, &text(json!(5))), {"event": {}}, new]});
    let history = events_answer(&reply(200, &body)).unwrap();
    assert_eq!((history.events.len(), history.unreadable), (2, 3));
    assert_eq!(history.events[0].dialog.as_ref().unwrap().as_str(), "d-2");
    assert_eq!(history.events[0].audience, Audience::Private);
    assert!(matches!(&history.events[1].kind, EventKind::Unknown(kind) if kind.as_str() == "VoiceEvent"));
    assert_eq!(
        events_answer(&reply(200, &json!({"messageEventRecords": []}))).unwrap(),
        ConversationHistory::default()
    );
}

#[test]
fn errors_say_what_to_do() {
    let both = |status, body: &Value| {
        let errors =
            [conversations_answer(&reply(status, body)).unwrap_err(), events_answer(&reply(status, body)).unwrap_err()];
        assert_eq!(errors[0].disposition(), errors[1].disposition());
        errors[0].clone()
    };
    // Whatever the title says, the consumer's token is the only one in the call.
    let invalid = json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
    for body in [json!({}), invalid] {
        assert!(matches!(both(401, &body), LiveEngageError::ConsumerJwsRefused { .. }));
    }
    assert!(matches!(both(200, &json!({"error": "none"})), LiveEngageError::Unreadable { .. }));
    assert!(matches!(both(200, &json!("<html>")), LiveEngageError::Unreadable { .. }));
    assert_eq!(both(400, &json!({})).disposition(), Disposition::Park);
    assert_eq!(both(403, &json!({})).disposition(), Disposition::Park);
    assert_eq!(both(500, &json!({})).disposition(), Disposition::RETRY);
    assert_eq!(both(429, &json!({})).disposition(), Disposition::Retry { after: Some(SignedDuration::from_secs(1)) });
    let page = HttpReply { status: StatusCode::OK, retry_after: None, body: "<html>".into() };
    assert!(matches!(events_answer(&page), Err(LiveEngageError::Unreadable { .. })));
}

#[test]
fn nothing_that_is_printed_has_a_text_or_a_token() {
    let history = events_answer(&reply(200, &events())).unwrap();
    let printed = format!("{history:?} {:?}", list_call(&ConversationSearch::default()));
    for secret in ["parcel", "size 42", "consumer.jws"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn an_event_of_the_history_is_read_like_one_of_a_webhook() {
    let (conversation, consumer) = (ConversationId::new("c-1").unwrap(), LpConsumerId::new("lp-1").unwrap());
    let reply = reply(
        200,
        &json!({"messageEventRecords": [
            {"sequence": 4, "originatorId": "agent-1", "serverTimestamp": 1_790_000_000_000_i64,
             "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "It has arrived."}},
            {"sequence": 2, "dialogId": "survey-1", "originatorId": "lp-1", "serverTimestamp": 1_790_000_000_001_i64,
             "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "5"}},
            {"sequence": 5, "originatorId": "bot-1", "serverTimestamp": 1_790_000_000_002_i64,
             "event": {"type": "RichContentEvent", "content": r#"{"type":"vertical","elements":[]}"#}},
        ]}),
    );
    let changes = events_answer(&reply).unwrap().events;
    let read: Vec<_> = changes
        .iter()
        .map(|event| {
            let change = event.as_change(&conversation, &consumer);
            match notification::read(NotificationType::MessagingEvent, &change).unwrap() {
                Change::Event(event) => event,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let facts: Vec<_> = read.iter().map(|event| (event.dialog.as_str(), event.sequence, event.role)).collect();
    let expected = [
        ("c-1", Some(Sequence(4)), Role::Unknown),
        ("survey-1", Some(Sequence(2)), Role::Consumer),
        ("c-1", Some(Sequence(5)), Role::Unknown),
    ];
    assert_eq!(facts, expected);
    assert!(read.iter().all(|event| event.conversation == conversation && event.audience == Audience::All));
    assert!(
        matches!(&read[2].kind, EventKind::RichContent(Structured(content)) if content.is_object() || content.is_string())
    );
}

#[test]
fn the_end_of_a_conversation_is_read_like_one_of_a_webhook() {
    let reply = reply(
        200,
        &json!({"conversationHistoryMetadataRecords": [
            {"convId": "c-1", "state": "CLOSE", "startTs": 1_790_000_000_000_i64, "endTs": 1_790_000_900_000_i64},
        ]}),
    );
    let record = &conversations_answer(&reply).unwrap().conversations[0];
    let consumer = LpConsumerId::new("lp-1").unwrap();
    match notification::read(NotificationType::ConversationChange, &record.as_end(&consumer)).unwrap() {
        Change::Conversation(change) => {
            assert_eq!((change.conversation.as_str(), change.closed, change.main_open), ("c-1", true, false));
            assert_eq!(change.as_of, Timestamp::from_millisecond(1_790_000_900_000).ok());
            assert_eq!(change.consumer, Some(consumer));
        }
        other => panic!("{other:?}"),
    }
}
