//! The two HTTP functions, from API Gateway's event to the queue.

use std::sync::{Arc, LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{
    input::{documents, flipped, number},
    line::{line_settings, now, sms_signature, whatsapp_signature},
    liveengage::CLIENT_SECRET,
};
use crate::{ManualClock, MemoryQueue, MemorySecrets};
use connector::{
    app::{
        inbound::AcceptChannelRequest,
        registry::{Accounts, Lines},
        webhook::AcceptWebhook,
    },
    domain::id::LineId,
    port::QueueMessage,
    queue_message::{Message, ToChannel, decode},
};
use connector_aws::lambda::{InboundFunction, WebhookFunction, gateway_event};
use connector_liveengage::{
    id::AccountId,
    notification::split,
    signature::{ACCOUNT_ID, CLIENT_ID, SIGNATURE},
};

const WORDS: &str = "\
    version 2.0 routeKey rawPath rawQueryString headers queryStringParameters hub.mode subscribe hub.verify_token v3rify-me \
    hub.challenge 1158201444 requestContext http method GET POST path /channels/sms-main protocol HTTP/1.1 requestId r-1 \
    pathParameters line sms-main whatsapp-main body isBase64Encoded eyJhIjoxfQ== cookies x-hub-signature-256 \
    x-liveperson-signature x-liveperson-account-id 72419083 x-liveperson-client-id 0f6c2a9e host a.example:99999 \
    x-forwarded-proto https,http domainName stage";

/// The maximum size of a queue message in bytes.
const MOST_BYTES: usize = 256 * 1024;

static ACCOUNTS: LazyLock<Arc<Accounts>> = LazyLock::new(|| {
    let secrets = MemorySecrets::default();
    let account = json!({"account_id": "72419083", "client_id": "0f6c2a9e", "client_secret": CLIENT_SECRET});
    secrets.put("c/account/72419083", &account);
    let ids = [AccountId::new("72419083").unwrap()];
    Arc::new(Accounts::new(Arc::new(secrets), "c", &ids))
});

static LINES: LazyLock<Arc<Lines>> = LazyLock::new(|| {
    let secrets = MemorySecrets::default();
    for channel in ["sms", "whatsapp"] {
        secrets.put(&format!("c/line/{channel}-main"), &line_settings(channel));
    }
    let ids = ["sms-main", "whatsapp-main"].map(|line| LineId::new(line).unwrap());
    Arc::new(Lines::new(Arc::new(secrets), "c", &ids))
});

/// The function that an event is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Webhook,
    Inbound,
}

/// Input: an event of API Gateway, or the body of signed events.
///
/// Checks that no unsigned event reaches a queue, and that every event of an HTTP API gets an answer. Checks that a signed event gets a
/// documented answer, the same in Base64 and as text, that the answer is a success only if the queue has accepted all messages, and that
/// the worker can read them. Checks that a request with a flipped bit is refused.
pub fn http_functions(data: &[u8]) {
    for event in documents(data, WORDS) {
        for function in [Function::Webhook, Function::Inbound] {
            let text = String::from_utf8_lossy(&event);
            let Some((status, queued)) = invoked(function, &text, false) else { continue };
            let is_handshake = function == Function::Inbound && text.contains("hub.verify_token");
            assert!(matches!(status, 400 | 401 | 404 | 413) || (status == 200 && is_handshake), "{status}");
            assert!(queued.is_empty());
        }
    }

    let mut mac = Hmac::<Sha1>::new_from_slice(CLIENT_SECRET.as_bytes()).unwrap();
    mac.update(data);
    let liveengage = json!({
        ACCOUNT_ID: "72419083", CLIENT_ID: "0f6c2a9e",
        SIGNATURE: format!("sha1={}", STANDARD.encode(mac.finalize().into_bytes())),
    });
    let queued = signed(Function::Webhook, "", &liveengage, data);
    for message in &queued {
        if let Message::ToChannel(ToChannel::Unreadable(unreadable)) = decode(&message.body).unwrap()
            && split(data).is_err()
        {
            assert_eq!((unreadable.bytes.as_ref(), queued.len()), (data, 1));
        }
    }
    assert!(split(data).is_ok() || queued.len() == 1, "what can't be read is kept");

    let sms = json!({
        "x-sinch-webhook-signature": sms_signature(data, "n-1", "1800000000"),
        "x-sinch-webhook-signature-nonce": "n-1", "x-sinch-webhook-signature-timestamp": "1800000000",
    });
    let whatsapp = json!({"X-Hub-Signature-256": whatsapp_signature(data)});
    for (line, headers) in [("sms-main", &sms), ("whatsapp-main", &whatsapp)] {
        for message in signed(Function::Inbound, line, headers, data) {
            assert!(matches!(decode(&message.body), Ok(Message::ToLiveEngage(_))));
        }
        assert_eq!(invoked(Function::Inbound, &event("fax-main", headers, data, true), false).unwrap().0, 404);
    }
}

/// Returns the messages that a signed body brings into the queue.
fn signed(function: Function, line: &str, headers: &Value, body: &[u8]) -> Vec<QueueMessage> {
    let (status, queued) = invoked(function, &event(line, headers, body, true), false).unwrap();
    // 404: a changed byte can turn a message into one for an address that no line has. Everything else in the request is still queued.
    let documented: &[u16] = if function == Function::Webhook { &[200, 401] } else { &[200, 400, 401, 404] };
    assert!(documented.contains(&status), "{status}");
    let told = |message: &QueueMessage| {
        let name =
            |name: &str| (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        name(&message.group) && name(&message.deduplication) && message.body.len() <= MOST_BYTES
    };
    assert!(queued.iter().all(told) && (status != 400 || queued.is_empty()));
    if let Ok(text) = std::str::from_utf8(body) {
        let (same, of_text) = invoked(function, &event(line, headers, text.as_bytes(), false), false).unwrap();
        assert_eq!((same, of_text.len()), (status, queued.len()));
    }
    let (failed, _) = invoked(function, &event(line, headers, body, true), true).unwrap();
    assert_eq!(failed, if queued.is_empty() { status } else { 500 });
    if let Some(other) = flipped(body, number(body)) {
        let (status, queued) = invoked(function, &event(line, headers, &other, true), false).unwrap();
        assert_eq!((status, queued.len()), (401, 0));
    }
    queued
}

/// An event of API Gateway's HTTP API, payload format 2.0.
fn event(line: &str, headers: &Value, body: &[u8], base64: bool) -> String {
    let body = if base64 { STANDARD.encode(body) } else { String::from_utf8_lossy(body).into_owned() };
    let path = if line.is_empty() { "/webhooks/liveengage".to_owned() } else { format!("/channels/{line}") };
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1", "domainName": "c.example", "domainPrefix": "c",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "-"},
            "requestId": "r-1", "routeKey": "$default", "stage": "$default", "time": "15/Jan/2027:08:00:00 +0000",
            "timeEpoch": 1_800_000_000_000_i64,
        },
        "pathParameters": {"line": line}, "body": body, "isBase64Encoded": base64,
    })
    .to_string()
}

/// Returns the status of an event's answer and the queued messages, or `None` if this is no event of an HTTP API.
fn invoked(function: Function, event: &str, is_queue_down: bool) -> Option<(u16, Vec<QueueMessage>)> {
    let request = gateway_event::request(event).ok()?;
    let (queue, clock) = (Arc::new(MemoryQueue::default()), Arc::new(ManualClock::at(now())));
    queue.fail(is_queue_down);
    let port = Arc::<MemoryQueue>::clone(&queue);
    let answer = match function {
        Function::Webhook => {
            let function = WebhookFunction::new(AcceptWebhook::new(Arc::clone(&ACCOUNTS), port), clock);
            function.handle(request).now_or_never()
        }
        Function::Inbound => {
            let function = InboundFunction::new(AcceptChannelRequest::new(Arc::clone(&LINES), port), clock);
            function.handle(request).now_or_never()
        }
    };
    Some((answer.unwrap().unwrap().status().as_u16(), queue.sent()))
}
