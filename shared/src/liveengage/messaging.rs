//! The Send API (service `asyncMessagingEnt`): CONVERSATION opens a conversation, SEND does everything else.

use http::{HeaderName, Method, header::AUTHORIZATION};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{LiveEngageError, error::classify, sentinel::AppJwt, tolerant};
use crate::domain::{
    conversation::ConsumerToken,
    http::{HttpCall, HttpReply},
    id::{AccountId, ConversationId, DialogId, Sequence},
    text::split,
};

const CONVERSATION: &str = "LiveEngage CONVERSATION";
const SEND: &str = "LiveEngage SEND";
const ON_BEHALF: HeaderName = HeaderName::from_static("x-lp-on-behalf");

/// The longest SEND request: 5000 characters of JSON, metadata included (Connector API Quickstart).
///
/// Above it LiveEngage answers the same "Bad Request" as for any other fault, so it is measured before sending.
pub const LONGEST_REQUEST: usize = 5000;

/// What the JSON around a text may take of that: ids are at most 256 characters each, and metadata of a choice at most 1000.
const AROUND_TEXT: usize = 1800;

/// Whom a call is for and what proves it.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Proves the connector.
    pub app_jwt: &'a AppJwt,
    /// Names the consumer.
    pub consumer: &'a ConsumerToken,
}

/// How a new conversation is routed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The skill, `None` for the account's default (`-1`).
    pub skill_id: Option<String>,
    /// The campaign and engagement, for reporting and routing.
    pub campaign: Option<Campaign>,
}

/// A campaign and one of its engagements, as the campaign builder's URL names them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// The campaign's id.
    pub campaign_id: String,
    /// The engagement's id.
    pub engagement_id: String,
}

fn call(
    name: &'static str,
    messaging: &Url,
    path: &str,
    credentials: Credentials<'_>,
    body: &Value,
) -> Result<HttpCall, LiveEngageError> {
    let mut url = messaging.clone();
    url.set_path(&format!("/api/account/{}/messaging/consumer/conversation{path}", credentials.account));
    url.set_query(Some("v=3"));
    Ok(HttpCall::new(name, Method::POST, url)
        .body("application/json", body.to_string())
        .secret_header(AUTHORIZATION, &credentials.app_jwt.secret())?
        .secret_header(ON_BEHALF, &SecretString::from(credentials.consumer.expose()))?)
}

/// Opens a conversation: `SetUserProfile` and `ConsumerRequestConversation` in one array, in this order.
/// `request_id` (at most 60 characters) names the two requests, with `.1` and `.2`.
///
/// # Errors
/// [`LiveEngageError::Header`].
pub fn open_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    routing: &Routing,
) -> Result<HttpCall, LiveEngageError> {
    let mut conversation = json!({
        "ttrDefName": "NORMAL",
        "channelType": "MESSAGING",
        "brandId": credentials.account.as_str(),
        "skillId": routing.skill_id.as_deref().unwrap_or("-1"),
    });
    if let (Some(campaign), Some(body)) = (&routing.campaign, conversation.as_object_mut()) {
        body.insert(
            "campaignInfo".to_owned(),
            json!({"campaignId": campaign.campaign_id, "engagementId": campaign.engagement_id}),
        );
    }
    let body = json!([
        {"kind": "req", "id": format!("{request_id}.1"), "type": "userprofile.SetUserProfile", "body": {}},
        {"kind": "req", "id": format!("{request_id}.2"), "type": "cm.ConsumerRequestConversation", "body": conversation},
    ]);
    call(CONVERSATION, messaging, "", credentials, &body)
}

#[derive(Deserialize)]
struct Element {
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    code: Option<String>,
    #[serde(default)]
    body: Value,
}

impl Element {
    /// `"OK"`, a number from 200 to 299, or nothing at all.
    fn is_ok(&self) -> bool {
        match self.code.as_deref() {
            None | Some("OK") => true,
            Some(code) => code.parse::<u16>().is_ok_and(|code| (200..300).contains(&code)),
        }
    }

    /// The status that the element stands for when it is not OK: its numeric code, else 400.
    fn status(&self) -> http::StatusCode {
        self.code
            .as_deref()
            .and_then(|code| code.parse::<u16>().ok())
            .filter(|code| (400..600).contains(code))
            .and_then(|code| http::StatusCode::from_u16(code).ok())
            .unwrap_or(http::StatusCode::BAD_REQUEST)
    }

    fn message(&self) -> Option<&str> {
        self.body.get("msg").and_then(Value::as_str).or_else(|| self.body.as_str())
    }
}

/// Reads the answer to [`open_request`], by position: the second element is the conversation's.
///
/// # Errors
/// [`LiveEngageError`]; an element that is not OK counts as HTTP 400 with its message, also inside a 200. A profile that was not
/// set is no error when the conversation was opened: it would be lost.
pub fn open_answer(reply: &HttpReply) -> Result<ConversationId, LiveEngageError> {
    let elements: Vec<Element> = serde_json::from_slice(&reply.body).unwrap_or_default();
    let opened = elements
        .get(1)
        .filter(|element| reply.status.is_success() && element.is_ok())
        .and_then(|element| element.body.get("conversationId"))
        .and_then(Value::as_str)
        .and_then(|id| ConversationId::new(id).ok());
    if let Some(conversation) = opened {
        return Ok(conversation);
    }
    if let Some(failed) = elements.iter().find(|element| !element.is_ok())
        && (reply.status.is_success() || reply.status == http::StatusCode::BAD_REQUEST)
    {
        let mut reply = reply.clone();
        reply.status = failed.status();
        return Err(classify(CONVERSATION, &reply, Some(failed.message().unwrap_or_default())));
    }
    if !reply.status.is_success() {
        return Err(classify(CONVERSATION, reply, None));
    }
    Err(LiveEngageError::Unreadable { call: CONVERSATION, what: "no conversationId in the second element" })
}

/// Where an event is published.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The conversation.
    pub conversation: &'a ConversationId,
    /// The dialog in it.
    pub dialog: &'a DialogId,
}

/// What a connector publishes.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A text of the consumer.
    Text(&'a str),
    /// An agent's message did not reach the consumer (`NACK`).
    NotReceived(Sequence),
    /// The consumer has chosen something that an agent's message offered (`ACTION`).
    Chosen(Sequence),
}

/// Publishes an event. `request_id` is at most 64 characters; `metadata` stands beside the body: what belongs to the button that
/// the consumer chose.
///
/// # Errors
/// [`LiveEngageError::Unsendable`] when the whole JSON is longer than [`LONGEST_REQUEST`].
pub fn publish_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    place: Place<'_>,
    event: Event<'_>,
    metadata: Option<&Value>,
) -> Result<HttpCall, LiveEngageError> {
    let status = |status: &str, sequence: Sequence| json!({"type": "AcceptStatusEvent", "status": status, "sequenceList": [sequence.0]});
    let event = match event {
        Event::Text(text) => json!({"type": "ContentEvent", "contentType": "text/plain", "message": text}),
        Event::NotReceived(sequence) => status("NACK", sequence),
        Event::Chosen(sequence) => status("ACTION", sequence),
    };
    let mut body = json!({
        "kind": "req", "id": request_id, "type": "ms.PublishEvent",
        "body": {
            "dialogId": place.dialog.as_str(),
            "conversationId": place.conversation.as_str(),
            "event": event,
        },
    });
    if let (Some(metadata), Some(body)) = (metadata, body.as_object_mut()) {
        body.insert("metadata".to_owned(), metadata.clone());
    }
    let call = call(SEND, messaging, "/send", credentials, &body)?;
    if std::str::from_utf8(&call.body).map_or(0, |json| json.chars().count()) > LONGEST_REQUEST {
        return Err(LiveEngageError::Unsendable { call: SEND, what: "the request is longer than 5000 characters" });
    }
    Ok(call)
}

/// Splits a text so that each piece fits into a SEND request, after JSON's escaping, between graphemes.
pub fn text_pieces(text: &str) -> Vec<&str> {
    split(text, LONGEST_REQUEST - AROUND_TEXT, |piece| {
        piece
            .chars()
            .map(|c| match c {
                '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
                c if (c as u32) < 0x20 => 6,
                // Counted as UTF-16 units: which unit LiveEngage's "characters" are is not documented.
                c => c.len_utf16(),
            })
            .sum()
    })
}

#[derive(Default, Deserialize)]
struct SendAnswer {
    #[serde(default, deserialize_with = "tolerant::lenient")]
    body: Option<SendBody>,
}

#[derive(Deserialize)]
struct SendBody {
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    sequence: Option<i64>,
}

/// Reads the answer to a SEND of an event. Any 2xx whose element is OK is success: repeating it would double the text, so
/// a missing or odd body only costs the sequence.
///
/// # Errors
/// [`LiveEngageError`].
pub fn send_answer(reply: &HttpReply) -> Result<Option<Sequence>, LiveEngageError> {
    if !reply.status.is_success() {
        return Err(classify(SEND, reply, None));
    }
    if let Ok(element) = serde_json::from_slice::<Element>(&reply.body)
        && !element.is_ok()
    {
        let mut reply = reply.clone();
        reply.status = element.status();
        return Err(classify(SEND, &reply, element.message()));
    }
    let answer: SendAnswer = serde_json::from_slice(&reply.body).unwrap_or_default();
    Ok(answer.body.and_then(|body| body.sequence).and_then(|n| u64::try_from(n).ok()).map(Sequence))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    struct Sample {
        account: AccountId,
        app_jwt: AppJwt,
        consumer: ConsumerToken,
    }

    impl Sample {
        fn new() -> Self {
            Self {
                account: AccountId::new("72419083").unwrap(),
                app_jwt: AppJwt::new("app.jwt.x", Timestamp::UNIX_EPOCH),
                consumer: ConsumerToken::new("consumer.jws.y"),
            }
        }
        fn credentials(&self) -> Credentials<'_> {
            Credentials { account: &self.account, app_jwt: &self.app_jwt, consumer: &self.consumer }
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

    #[test]
    fn opening_is_the_documented_array_with_raw_tokens() {
        let routing = Routing {
            skill_id: Some("2187".to_owned()),
            campaign: Some(Campaign { campaign_id: "31".to_owned(), engagement_id: "57".to_owned() }),
        };
        let call = open_request(&host(), Sample::new().credentials(), "r1", &routing).unwrap();
        assert_eq!(
            call.url.as_str(),
            "https://va.msg.liveperson.net/api/account/72419083/messaging/consumer/conversation?v=3"
        );
        assert_eq!(call.headers.get("authorization").unwrap(), "app.jwt.x");
        assert_eq!(call.headers.get("x-lp-on-behalf").unwrap(), "consumer.jws.y");
        assert_eq!(
            body(&call),
            json!([
                {"kind": "req", "id": "r1.1", "type": "userprofile.SetUserProfile", "body": {}},
                {"kind": "req", "id": "r1.2", "type": "cm.ConsumerRequestConversation", "body": {
                    "ttrDefName": "NORMAL", "channelType": "MESSAGING", "brandId": "72419083", "skillId": "2187",
                    "campaignInfo": {"campaignId": "31", "engagementId": "57"}}},
            ])
        );
        let bare = open_request(&host(), Sample::new().credentials(), "r1", &Routing::default()).unwrap();
        assert_eq!(body(&bare)[1]["body"]["skillId"], "-1");
        assert_eq!(body(&bare)[1]["body"].get("campaignInfo"), None);
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
    fn an_opened_conversation_counts_also_when_the_profile_was_refused() {
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
    fn an_elements_own_number_counts_inside_a_200() {
        let answer = |code: u16| json!([{"code": 200, "body": {}}, {"code": code, "body": {"msg": "x"}}]);
        assert!(matches!(
            open_answer(&reply(200, &answer(503))),
            Err(LiveEngageError::Unavailable { status: 503, .. })
        ));
        assert!(matches!(open_answer(&reply(200, &answer(429))), Err(LiveEngageError::RateLimited { .. })));
        let sent = json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
        assert!(matches!(send_answer(&reply(200, &sent)), Err(LiveEngageError::AppJwtRefused { .. })));
    }

    #[test]
    fn opening_errors_are_sorted() {
        let token = json!({"kind": "resp", "code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
        assert!(matches!(open_answer(&reply(401, &token)), Err(LiveEngageError::AppJwtRefused { .. })));
        let brand = json!({"code": 400, "body": {"title": "Missing parameter", "details": "Brand Id is missing", "errorCode": 40001}});
        assert!(matches!(
            open_answer(&reply(400, &brand)),
            Err(LiveEngageError::Refused { status: 400, code, .. }) if code == "40001"
        ));
        assert!(matches!(open_answer(&reply(200, &json!([]))), Err(LiveEngageError::Unreadable { .. })));
        assert!(matches!(open_answer(&reply(502, &json!("x"))), Err(LiveEngageError::Unavailable { .. })));
    }

    #[test]
    fn a_text_is_one_object_with_dialog_and_conversation() {
        let conversation = ConversationId::new("c1").unwrap();
        let dialog = DialogId::main_of(&conversation);
        let place = Place { conversation: &conversation, dialog: &dialog };
        let call =
            publish_request(&host(), Sample::new().credentials(), "r2", place, Event::Text("Grüße 😀"), None).unwrap();
        assert_eq!(
            call.url.as_str(),
            "https://va.msg.liveperson.net/api/account/72419083/messaging/consumer/conversation/send?v=3"
        );
        assert_eq!(
            body(&call),
            json!({"kind": "req", "id": "r2", "type": "ms.PublishEvent", "body": {
                "dialogId": "c1", "conversationId": "c1",
                "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "Grüße 😀"}}})
        );
    }

    #[test]
    fn a_status_names_the_message_and_metadata_stand_beside_the_body() {
        let conversation = ConversationId::new("c1").unwrap();
        let dialog = DialogId::new("d1").unwrap();
        let place = Place { conversation: &conversation, dialog: &dialog };
        let metadata = json!([{"type": "ExternalId", "id": "Yes-77"}]);
        for (event, status, metadata) in
            [(Event::NotReceived(Sequence(7)), "NACK", None), (Event::Chosen(Sequence(7)), "ACTION", Some(&metadata))]
        {
            let sample = Sample::new();
            let call = publish_request(&host(), sample.credentials(), "r3", place, event, metadata).unwrap();
            let mut expected = json!({"kind": "req", "id": "r3", "type": "ms.PublishEvent", "body": {
                "dialogId": "d1", "conversationId": "c1",
                "event": {"type": "AcceptStatusEvent", "status": status, "sequenceList": [7]}}});
            if let Some(metadata) = metadata {
                expected["metadata"] = metadata.clone();
            }
            assert_eq!(body(&call), expected);
        }
    }

    #[test]
    fn the_answer_to_a_text_gives_its_sequence_and_an_odd_success_is_still_one() {
        assert_eq!(
            send_answer(&reply(200, &json!({"reqId": "1", "code": "OK", "body": {"sequence": 3}}))),
            Ok(Some(Sequence(3)))
        );
        assert_eq!(send_answer(&reply(200, &json!({"code": "OK", "body": "OK done"}))), Ok(None));
        assert_eq!(send_answer(&reply(201, &json!("odd"))), Ok(None));
        assert!(matches!(
            send_answer(&reply(
                400,
                &json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request, Conversation is close"}})
            )),
            Err(LiveEngageError::ConversationClosed { .. })
        ));
    }

    proptest! {
        #[test]
        fn every_piece_fits_into_a_request(text in "[a-z\"\\\\\u{1}\n😀 ]{0,9000}") {
            // The longest that a choice may bring along.
            let metadata = json!(["m".repeat(crate::domain::menu::LONGEST_METADATA - 4)]);
            let sample = Sample::new();
            let conversation = ConversationId::new("c".repeat(256)).unwrap();
            let pieces = text_pieces(&text);
            prop_assert_eq!(pieces.concat(), text.clone());
            for piece in pieces {
                let dialog = DialogId::main_of(&conversation);
                let place = Place { conversation: &conversation, dialog: &dialog };
                let call = publish_request(&host(), sample.credentials(), &"r".repeat(64), place, Event::Text(piece), Some(&metadata));
                prop_assert!(call.is_ok());
            }
        }
    }
}
