//! Whatever a service replies, its reader returns a value or an error, and neither shows what stands in the reply.

use connector_liveengage::{agent_profile, app_install, history, idp::window, login, monitoring};
use connector_message::http::HttpReply;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A word of a reply that nothing printed may contain.
const HIDDEN: &str = "h1dden-w0rd";

/// The members that the readers look for.
const MEMBERS: [&str; 36] = [
    "_responseMetadata",
    "conversationHistoryMetadataRecords",
    "count",
    "shardsStatusResult",
    "partialResult",
    "convId",
    "participants",
    "role",
    "startTs",
    "csat",
    "csatRate",
    "messageEventRecords",
    "event",
    "type",
    "contentType",
    "message",
    "content",
    "originatorId",
    "serverTimestamp",
    "sequenceList",
    "nickname",
    "fullName",
    "pictureUrl",
    "csrf",
    "bearer",
    "sessionTTl",
    "config",
    "userId",
    "csdsCollectionResponse",
    "baseURIs",
    "token",
    "jwt",
    "visitorId",
    "engagementDetails",
    "internalCode",
    "capabilities",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(HIDDEN)),
        Just(json!(format!("Loading account: x, vid: {HIDDEN}"))),
        prop::sample::select(vec!["ContentEvent", "text/plain", "AcceptStatusEvent", "READ", "20", ""])
            .prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 48, 6, |inner| {
        let member = prop::sample::select(MEMBERS.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((member, inner), 0..8).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

/// What each reader makes of a reply, as printed.
fn printed(reply: &HttpReply) -> Vec<String> {
    let (none, now) = (HeaderMap::new(), Timestamp::UNIX_EPOCH);
    vec![
        format!("{:?}", history::conversations_answer(reply).map(|page| (page.count, page.unreadable))),
        format!("{:?}", history::events_answer(reply).map(|history| history.unreadable)),
        format!("{:?}", agent_profile::answer(reply)),
        format!("{:?}", login::answer(reply, &none, now).map(|session| (session.bearer, session.csrf, session.id))),
        format!("{:?}", login::refresh_answer(reply)),
        format!("{:?}", window::answer(reply, now).map(|signed_in| signed_in.token)),
        format!("{:?}", app_install::installation_answer(reply, &none).map(|one| one.client_secret())),
        format!("{:?}", app_install::list_answer(reply, &none).map(|all| all.len())),
        format!("{:?}", monitoring::engagement_answer(reply).map(|_| "the ids of a visitor are shown")),
        format!("{:?}", monitoring::report_answer(reply).map(|_| "so are they here")),
    ]
}

proptest! {
    #[test]
    fn every_json_is_read_or_refused_without_showing_it(body in document(), status in 100_u16..600) {
        let status = StatusCode::from_u16(status).unwrap();
        let reply = HttpReply { status, retry_after: None, body: body.to_string().into() };
        for text in printed(&reply) {
            prop_assert!(!text.contains(HIDDEN), "{text}");
        }
    }

    #[test]
    fn every_bytes_are_read_or_refused(body: Vec<u8>, success: bool) {
        let status = if success { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        let reply = HttpReply { status, retry_after: None, body: body.into() };
        prop_assert_eq!(printed(&reply).len(), 10);
    }
}
