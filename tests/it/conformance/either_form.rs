//! Checks that the connector understands both forms if LivePerson's pages contradict each other.

use connector_liveengage::{
    LiveEngageError,
    domain_api::{self, Service},
    files,
    id::Sequence,
    messaging,
    notification::{self, Change, ConversationChange, DialogEvent, EventKind, NotificationType, Structured},
    signature::{self, Algorithms},
};
use connector_message::http::HttpReply;
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn event(change: &Value) -> DialogEvent {
    match notification::read(NotificationType::MessagingEvent, change) {
        Ok(Change::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

fn conversation(details: &Value) -> ConversationChange {
    let change = json!({"type": "UPSERT", "result": {"convId": "c1", "conversationDetails": details}});
    match notification::read(NotificationType::ConversationChange, &change) {
        Ok(Change::Conversation(conversation)) => conversation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_code_may_be_a_word_a_number_or_missing() {
    for code in [json!({"code": "OK"}), json!({"code": 200}), json!({"code": "201"}), json!({})] {
        let mut answer = code;
        answer["body"] = json!({"sequence": 4});
        assert_eq!(messaging::send_answer(&reply(200, &answer)), Ok(Some(Sequence(4))), "{answer}");
    }
    for code in [json!("BAD_REQUEST"), json!(400)] {
        let answer = json!({"code": code, "body": {"msg": "Bad Request"}});
        assert!(matches!(messaging::send_answer(&reply(200, &answer)), Err(LiveEngageError::Refused { .. })));
    }
}

#[test]
fn an_authentication_error_goes_by_its_title_and_then_by_its_code() {
    let answer = |title: &str, code: u32| {
        let body = json!({"kind": "resp", "code": 401, "body": {"title": title, "errorCode": code}});
        messaging::send_answer(&reply(401, &body)).unwrap_err()
    };
    for code in [40_104, 40_105] {
        assert!(matches!(answer("AppJWT is missing", code), LiveEngageError::AppJwtRefused { .. }));
        assert!(matches!(answer("ConsumerJWS is missing", code), LiveEngageError::ConsumerJwsRefused { .. }));
    }
    assert!(matches!(answer("", 40_104), LiveEngageError::ConsumerJwsRefused { .. }));
    assert!(matches!(answer("", 40_105), LiveEngageError::AppJwtRefused { .. }));
}

#[test]
fn one_service_comes_alone_or_in_a_list() {
    let entry = json!({"service": "swift", "account": "72419083", "baseURI": "va.swift.liveperson.net"});
    for body in [entry.clone(), json!({"baseURIs": [entry]}), json!({"baseURIs": entry})] {
        let directory = domain_api::answer(&reply(200, &body)).unwrap();
        assert_eq!(directory.url(Service::Files).unwrap().host_str(), Some("va.swift.liveperson.net"));
    }
}

#[test]
fn a_type_may_have_a_prefix_and_may_stand_inside_the_body() {
    let changes = json!([{"dialogId": "d"}]);
    for body in [
        json!({"type": "ms.MessagingEventNotification", "body": {"changes": changes}}),
        json!({"type": ".ams.ms.MessagingEventNotification", "body": {"changes": changes}}),
        json!({"body": {"type": ".MessagingEventNotification", "changes": changes}}),
        json!({"type": "ms.MessagingEventNotification", "body": {"changes": changes[0]}}),
    ] {
        let (kind, read) = notification::split(body.to_string().as_bytes()).unwrap();
        assert_eq!((kind, read.len()), (Some(NotificationType::MessagingEvent), 1), "{body}");
    }
    for name in
        ["cqm.ExConversationChangeNotification", "ms.MessagingEventNotification.ExConversationChangeNotification"]
    {
        assert_eq!(NotificationType::from_name(name), Some(NotificationType::ConversationChange), "{name}");
    }
}

#[test]
fn an_originator_has_four_spellings() {
    let chat_state = json!({"type": "ChatStateEvent", "chatState": "ACTIVE"});
    for spelling in ["originatorId", "originatorPId", "originatorPid"] {
        assert_eq!(
            event(&json!({"dialogId": "d", "event": chat_state, spelling: "p1"})).originator.as_deref(),
            Some("p1")
        );
    }
    let both = json!({"dialogId": "d", "event": chat_state, "originatorId": "89476943.28", "originatorMetadata": {"id": "p1"}});
    assert_eq!(event(&both).originator.as_deref(), Some("p1"));
}

#[test]
fn a_card_is_content_or_message_and_an_object_or_a_string() {
    let card = json!({"type": "text", "text": "hello"});
    for content in [card.clone(), json!(card.to_string())] {
        for field in ["content", "message"] {
            let read = event(&json!({"dialogId": "d", "event": {"type": "RichContentEvent", field: content}}));
            assert_eq!(read.kind, EventKind::RichContent(Structured(content.clone())));
        }
    }
}

#[test]
fn a_conversation_may_be_named_or_not() {
    let chat_state = json!({"type": "ChatStateEvent", "chatState": "ACTIVE"});
    let named = event(&json!({"conversationId": "c", "dialogId": "d", "event": chat_state}));
    assert_eq!((named.conversation.as_str(), named.has_conversation_id), ("c", true));
    let unnamed = event(&json!({"dialogId": "d", "event": chat_state}));
    assert_eq!((unnamed.conversation.as_str(), unnamed.has_conversation_id), ("d", false));
}

#[test]
fn a_chat_state_that_is_not_documented_is_not_typing() {
    for state in ["BACKGROUND", "ACTIVE"] {
        let read = event(&json!({"dialogId": "d", "event": {"type": "ChatStateEvent", "chatState": state}}));
        assert!(!read.kind.is_composing());
    }
}

#[test]
fn participants_are_a_list_or_a_map_or_one() {
    let consumer = json!({"id": "lp1", "role": "CONSUMER"});
    for details in [
        json!({"participants": [consumer]}),
        json!({"participants": consumer}),
        json!({"participantsPId": {"CONSUMER": ["lp1"]}}),
        json!({"participantsPId": {"CONSUMER": "lp1"}}),
    ] {
        assert_eq!(conversation(&details).consumer.unwrap().as_str(), "lp1", "{details}");
    }
}

#[test]
fn the_end_is_told_by_stage_or_by_state_in_two_words() {
    for (details, closed) in [
        (json!({"state": "CLOSE"}), true),
        (json!({"state": "CLOSED"}), true),
        (json!({"state": "CLOSE", "stage": "OPEN"}), false),
        (json!({"state": "OPEN", "stage": "CLOSE"}), true),
        (json!({"state": "CLOSE", "stage": "CLOSED"}), true),
        (json!({"state": "FROZEN"}), false),
    ] {
        assert_eq!(conversation(&details).closed, closed, "{details}");
    }
}

#[test]
fn numbers_come_as_digits_too() {
    let details = json!({"skillId": 2187, "metaDataLastUpdateTs": "1790000000000", "state": "OPEN"});
    let read = conversation(&details);
    assert_eq!((read.skill.as_deref(), read.as_of.unwrap().as_millisecond()), (Some("2187"), 1_790_000_000_000));
    let status = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": 6});
    let read = event(&json!({"sequence": "9", "dialogId": "d", "event": status}));
    assert_eq!(read.sequence, Some(Sequence(9)));
    assert!(matches!(read.kind, EventKind::AcceptStatus { sequences, .. } if sequences == [Sequence(6)]));
    let swift = "https://va.swift.liveperson.net".parse().unwrap();
    for expires in [json!("1790000000"), json!(1_790_000_000)] {
        let body = json!({"code": "OK", "body": {"relativePath": "/v1/x.PNG",
            "queryParams": {"temp_url_sig": "a1", "temp_url_expires": expires}}});
        let url = files::temporary_url_answer(&reply(200, &body), &swift).unwrap().url;
        assert_eq!(url.query(), Some("temp_url_sig=a1&temp_url_expires=1790000000"));
    }
}

#[test]
fn a_signature_is_base64_or_hexadecimal() {
    let secrets = [SecretString::from("own-client-secret")];
    for header in SIGNATURES {
        assert_eq!(signature::verify(header, SIGNED.as_bytes(), &secrets, Algorithms::Any), Ok(()), "{header}");
    }
}

const SIGNED: &str = r#"{"kind":"notification","note":"grüße 🛵"}"#;

/// Computed with a different implementation of HMAC (Python's).
const SIGNATURES: [&str; 4] = [
    "sha1=XBVxnT70jAmOS0+2AgiBa+gLOl4=",
    "sha1=5c15719d3ef48c098e4b4fb60208816be80b3a5e",
    "sha256=Uob+miPVT1nSBFEWhSjT/g9x2Kvz0ldIrauyhR14J4U=",
    "sha256=5286fe9a23d54f59d20451168528d3fe0f71d8abf3d25748adabb2851d782785",
];
