//! The payloads of the consumer's websocket (Messaging Window API).

use connector_liveengage::{
    client_properties::ClientProperties,
    id::{AccountId, ConversationId, DialogId, Sequence},
    identity::ConsumerToken,
    messaging::{DialogRef, Routing},
    messaging_window::{
        Answer, ConversationFilter, Frame, Handshake, Names, Request, RequestId, RequestKind, SubscriptionId,
    },
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{
    Sample,
    difference::{
        Allowance,
        Kind::{Added, LeftOut, Prefixed},
        settle,
    },
    unknown,
};

const TYPE: Allowance = (Prefixed, "/type", "the older spelling of the type");
const SINCE: Allowance = (Added, "/body/minLastUpdatedTime", "optional: all conversations");
const STAGE: Allowance = (Added, "/body/stage", "the older page has only the state of the main dialog");
const OPENING: &str = "optional: what is known is said";
const DEVICE: &str = "optional: the device is not known";
const PROPERTIES: &str = "says who the client is, and what it can show";

/// Every request, with its allowed differences.
const REQUESTS: &[(&str, &[Allowance])] = &[
    ("dc-pcs-subscribe-exconversations.json", &[SINCE]),
    ("dc-pcs-subscribe-survey-request.json", &[]),
    (
        "devhub-ws-init-connection.json",
        &[
            (LeftOut, "/headers/0/deviceFamily", DEVICE),
            (LeftOut, "/headers/0/os", DEVICE),
            (Added, "/headers/0/appId", PROPERTIES),
            (Added, "/headers/0/appVersion", PROPERTIES),
            (Added, "/headers/0/features", PROPERTIES),
        ],
    ),
    ("devhub-ws-subscribe-exconversations.json", &[STAGE]),
    ("seed3-ws-getclock-request.json", &[]),
    (
        "seed3-ws-request-conversation.json",
        &[
            TYPE,
            (Added, "/body/brandId", OPENING),
            (Added, "/body/channelType", OPENING),
            (Added, "/body/skillId", OPENING),
            (Added, "/body/ttrDefName", OPENING),
        ],
    ),
    (
        "seed3-ws-subscribe-messaging-events-request.json",
        &[
            (LeftOut, "/body/type", "the sample has the type inside the body, and all others beside it"),
            (Added, "/type", "the same"),
            (Added, "/body/conversationId", "newer pages send it beside the dialogId"),
        ],
    ),
    // The connector's own samples.
    ("websocket-clock-request.json", &[]),
    ("websocket-init-connection.json", &[]),
    ("websocket-subscribe-conversations-request.json", &[]),
    ("websocket-subscribe-events-request.json", &[]),
];

/// Every response, with the request that it answers.
const RESPONSES: &[(&str, RequestKind)] = &[
    ("dc-pcs-request-conversation-response.json", RequestKind::RequestConversation),
    ("dc-pcs-subscribe-exconversations-response.json", RequestKind::SubscribeConversations),
    ("devhub-ws-request-conversation-response.json", RequestKind::RequestConversation),
    ("seed3-ws-request-conversation-response.json", RequestKind::RequestConversation),
    ("seed3-ws-subscribe-messaging-events-response.json", RequestKind::SubscribeEvents),
    // The connector's own samples.
    ("websocket-opened-response.json", RequestKind::RequestConversation),
    ("websocket-subscribed-response.json", RequestKind::SubscribeConversations),
];

pub(super) fn files() -> Vec<&'static str> {
    REQUESTS.iter().map(|(file, _)| *file).chain(RESPONSES.iter().map(|(file, _)| *file)).collect()
}

pub(super) fn knows(sample: &Sample) -> bool {
    files().contains(&sample.file.as_str())
}

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    if let Some((_, allowed)) = REQUESTS.iter().find(|(file, _)| *file == sample.file) {
        let (mut documented, mut ours) = (sample.json.clone(), rebuild(&sample.json)?);
        for request in [&mut documented, &mut ours] {
            request.as_object_mut().ok_or("no object")?.remove("id");
        }
        return settle(&documented, &ours, allowed);
    }
    let kind = RESPONSES.iter().find(|(file, _)| *file == sample.file).map(|(_, kind)| *kind).ok_or_else(unknown)?;
    check_response(&sample.json, kind)
}

/// The client's request with the values of the documented one.
fn rebuild(documented: &Value) -> Result<Value, String> {
    let body = &documented["body"];
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("no text");
    let name = text(documented.get("type").unwrap_or(&body["type"]))?;
    if name == "InitConnection" {
        let token = ConsumerToken::new(text(&documented["headers"][1]["jwt"])?);
        let messaging = "https://va.msg.example".parse().map_err(|_| "no URL")?;
        let account = AccountId::new("72419083").map_err(|error| error.to_string())?;
        let handshake = Handshake::new(&messaging, &account, token, ClientProperties::new(&[]));
        let handshake = handshake.map_err(|error| error.to_string())?;
        return serde_json::from_str(handshake.init_connection().expose_secret()).map_err(|error| error.to_string());
    }
    let account = AccountId::new("72419083").map_err(|error| error.to_string())?;
    let routing = Routing::default();
    let dialog = DialogRef {
        dialog: DialogId::new(body["dialogId"].as_str().unwrap_or("none")).map_err(|error| error.to_string())?,
        conversation: ConversationId::new(body["conversationId"].as_str().unwrap_or("none"))
            .map_err(|error| error.to_string())?,
    };
    let request = match RequestKind::from_name(&name) {
        Some(RequestKind::GetClock) => Request::GetClock,
        Some(RequestKind::RequestConversation) => Request::RequestConversation(&account, &routing),
        Some(RequestKind::SubscribeConversations) => {
            let all = body["convState"] == json!(["OPEN", "CLOSE"]);
            Request::SubscribeConversations(if all { ConversationFilter::All } else { ConversationFilter::Open })
        }
        Some(RequestKind::SubscribeEvents) => {
            Request::SubscribeEvents(&dialog, Sequence(body["fromSeq"].as_u64().unwrap_or_default()))
        }
        _ => return Err(format!("nobody builds {name}")),
    };
    let frame = request.frame(&RequestId::numbered(1), Names::Current).map_err(|error| error.to_string())?;
    serde_json::from_str(&frame).map_err(|error| error.to_string())
}

fn check_response(documented: &Value, kind: RequestKind) -> Result<(), String> {
    let Frame::Response(response) = Frame::read(&documented.to_string()) else { return Err("no response".to_owned()) };
    if response.request.as_ref().map(RequestId::as_str) != documented["reqId"].as_str() {
        return Err("answers another request".to_owned());
    }
    let body = |field: &str| documented["body"][field].as_str().unwrap_or_default();
    let expected = match kind {
        RequestKind::RequestConversation => {
            Answer::Conversation(ConversationId::new(body("conversationId")).map_err(|error| error.to_string())?)
        }
        RequestKind::SubscribeConversations => Answer::Subscribed(SubscriptionId::new(body("subscriptionId")).ok()),
        _ => Answer::Done,
    };
    match response.answer(kind) {
        Ok(answer) if answer == expected => Ok(()),
        other => Err(format!("{other:?} was read")),
    }
}
