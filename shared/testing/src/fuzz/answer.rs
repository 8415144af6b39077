//! Answers of channels to a call.

use bytes::Bytes;
use http::StatusCode;

use super::{
    input::{canary, documents, hides, line, number, with_inside},
    line::{SMS, WHATSAPP, fetches_from_its_own_hosts, goes_by_https},
};
use connector_channels::{
    Line, MediaCall, SendFailure,
    message::{InboundMedia, MediaKind},
};
use connector_message::{MessageText, code::Code, http::HttpReply};

const WORDS: &str = "\
    id mt-9 messages wamid.A1 error code error_subcode is_transient true message opted_out 100 131056 131047 url \
    https://lookaside.fbsbx.com/f/1 https://graph.facebook.com/f https://evil.example/1 http://lookaside.fbsbx.com/1 mime_type";

/// Input: a status in digits, and a body.
///
/// Checks that every success status counts as a success whatever its body says, and that a failure has a class and a short code, but no
/// word of the body. Checks that the token is sent to the channel's own hosts only when a file is fetched, whatever the answer or the
/// message says.
pub fn channel_answer(data: &[u8]) {
    let (status, body) = line(data);
    let status = std::str::from_utf8(status).ok().and_then(|digits| digits.trim().parse().ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    let media = media(&String::from_utf8_lossy(body));
    for body in documents(body, WORDS) {
        let spoiled = with_inside(&body, number(&body), &canary(&body));
        for channel in [&**SMS, &**WHATSAPP] {
            is_judged(channel, &reply(status, &body), &canary(&body));
            is_judged(channel, &reply(status, &spoiled), &canary(&body));
            fetches_from_its_own_hosts(channel, &media);
        }
        if let Ok(MediaCall::Fetch(call)) = WHATSAPP.fetch(&media, Some(&reply(status, &body))) {
            assert!(status.is_success());
            goes_by_https(&call, &["lookaside.fbsbx.com", "graph.facebook.com"]);
        }
    }
}

fn reply(status: StatusCode, body: &[u8]) -> HttpReply {
    HttpReply { status, retry_after: None, body: Bytes::copy_from_slice(body) }
}

fn media(reference: &str) -> InboundMedia {
    InboundMedia {
        kind: MediaKind::Picture,
        reference: MessageText::new(reference),
        content_type: None,
        name: None,
        caption: None,
    }
}

fn is_judged(line: &dyn Line, reply: &HttpReply, canary: &str) {
    let judged = line.receipt(reply);
    // A success can come from a proxy. Only then it counts as unreadable.
    let unreadable = matches!(judged, Err(SendFailure::Unreadable { .. }));
    assert_eq!(judged.is_ok() || unreadable, reply.status.is_success());
    let Err(failure) = judged else { return };
    if let SendFailure::Unreachable { code, .. }
    | SendFailure::Refused { code, .. }
    | SendFailure::WindowClosed { code, .. } = &failure
    {
        assert_eq!(Code::of(code.as_str()), *code);
        // The code of the SMS gateway is one of its own words, so it may contain the canary.
        if code.as_str().contains(canary) {
            return;
        }
    }
    hides(&format!("{failure} {failure:?}"), canary);
}
