//! Requests of the channels.

use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;

use super::{
    input::{changed, documents, line, number},
    line::{SMS, VERIFY_TOKEN, WHATSAPP, now, post, receive, sms_signature, whatsapp_signature},
};
use connector_channels::{
    ChannelRequest, VerifyError,
    message::InboundContent,
    sms::signature::{NONCE, SIGNATURE as SMS_SIGNATURE, TIMESTAMP, WINDOW},
    whatsapp::signature::SIGNATURE as HUB_SIGNATURE,
};

const SMS_WORDS: &str = "\
    id mo-1 from +4915112345678 to +4930555123 text received_at 2026-03-04T05:06:07Z type message report typing media url \
    https://gateway.example/m/1 https://evil.example/1 content_type image/png application/pdf name a.png message_id mt-1 status \
    delivered read failed code 31 true";

const SMS_TEXTS: &str = "text from to url name id message_id";

const WHATSAPP_WORDS: &str = "\
    object whatsapp_business_account entry changes value field messages metadata phone_number_id 118240097715334 contacts wa_id \
    user_id profile name username from from_user_id id wamid.A1 timestamp 1800000000 type text body image video audio voice \
    document sticker location interactive button reaction emoji revoke system unsupported edit message statuses status sent \
    delivered read played failed errors code recipient_id recipient_user_id group_id mime_type image/jpeg filename caption \
    latitude longitude address formatted_name phones phone emails email button_reply list_reply nfm_reply title 4915209988771 \
    DE.5520017734981";

const WHATSAPP_TEXTS: &str = "\
    body caption filename from from_user_id wa_id user_id recipient_id recipient_user_id name username formatted_name first_name \
    phone email address emoji title";

/// Input: a signature, a nonce and a time on a line each, and a body of the SMS gateway.
///
/// Checks that a request is accepted only if it was signed with the line's secret in the last five minutes. It is refused with a changed
/// bit, with another nonce or time, and with bytes cut off or added. An accepted request is read or refused without revealing its words.
pub fn sms_request(data: &[u8]) {
    let (signature, rest) = line(data);
    let (nonce, rest) = line(rest);
    let (timestamp, body) = line(rest);
    let headers = [(SMS_SIGNATURE, signature), (NONCE, nonce), (TIMESTAMP, timestamp)];
    let request = post(&headers, body);
    let header = |name: &str| request.header(name).unwrap_or_default();
    let (nonce, timestamp) = (header(NONCE), header(TIMESTAMP));
    let is_signed = [SMS_SIGNATURE, NONCE, TIMESTAMP].into_iter().all(|name| request.header(name).is_some())
        && header(SMS_SIGNATURE) == sms_signature(body, nonce, timestamp);
    let at = timestamp.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    let is_fresh = at.is_some_and(|at| now().duration_since(at).abs() <= WINDOW);
    assert_eq!(SMS.verify(&request, now()).is_ok(), is_signed && is_fresh);

    let timestamp = if is_fresh { timestamp } else { "1799999950" };
    let signature = sms_signature(body, nonce, timestamp);
    let signed = |signature: &str, nonce: &str, timestamp: &str, body: &[u8]| {
        let headers = [(SMS_SIGNATURE, signature), (NONCE, nonce), (TIMESTAMP, timestamp)];
        SMS.verify(&post(&headers.map(|(name, value)| (name, value.as_bytes())), body), now())
    };
    assert_eq!(signed(&signature, nonce, timestamp, body), Ok(()));
    assert_eq!(signed(&signature, nonce, timestamp, body), Ok(()));
    for other in changed(body, number(data)) {
        assert_eq!(signed(&signature, nonce, timestamp, &other), Err(VerifyError::Wrong));
    }
    assert_eq!(signed(&signature, &format!("{nonce}0"), timestamp, body), Err(VerifyError::Wrong));
    assert_eq!(signed(&signature, nonce, "1799999951", body), Err(VerifyError::Wrong));
    for other in changed(signature.as_bytes(), number(data)) {
        let other = String::from_utf8_lossy(&other);
        // The HTTP library removes a header's leading and trailing spaces, so they don't reach the connector.
        assert!(signed(&other, nonce, timestamp, body).is_err(), "{other}");
    }
    let stale = (now() - WINDOW).as_second() - 1;
    let stale = stale.to_string();
    assert_eq!(signed(&sms_signature(body, nonce, &stale), nonce, &stale, body), Err(VerifyError::Stale));

    for body in documents(body, SMS_WORDS) {
        let request = post(&[], &body);
        let Some(reception) = receive(&**SMS, &request, SMS_TEXTS) else { continue };
        assert_eq!(reception.answer.status, StatusCode::OK);
        // A message with several pictures gives one event for each.
        let taken = reception.events.len() + reception.unreadable.len() + reception.left_out.total();
        // Only a report that a message is on its way gives no event.
        assert!(taken >= 1 || String::from_utf8_lossy(&body).contains("report"));
        // The signature doesn't show where the body ends and the nonce begins. So no beginning of a body may be a valid body.
        for (at, _) in body.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
            let beginning = body.get(..at).unwrap_or_default();
            assert!(SMS.receive(&post(&[], beginning)).is_err());
        }
    }
}

/// Input: a signature and a body of Meta's, or `GET` and the parameters of its handshake.
///
/// Checks that a body is accepted only if it is signed with the line's secret, and a handshake only with the line's token. An accepted
/// request is read or refused without revealing its words.
pub fn whatsapp_request(data: &[u8]) {
    if let Some(query) = data.strip_prefix(b"GET ") {
        return handshake(query);
    }
    let (signature, body) = line(data);
    let request = post(&[(HUB_SIGNATURE, signature)], body);
    let expected = whatsapp_signature(body);
    let is_signed = request.header(HUB_SIGNATURE).is_some_and(|header| {
        header.split_at_checked(7).is_some_and(|(prefix, digits)| {
            prefix == "sha256=" && format!("{prefix}{}", digits.to_ascii_lowercase()) == expected
        })
    });
    assert_eq!(WHATSAPP.verify(&request, now()).is_ok(), is_signed);

    let signed = |signature: &[u8], body: &[u8]| WHATSAPP.verify(&post(&[(HUB_SIGNATURE, signature)], body), now());
    assert_eq!(signed(expected.as_bytes(), body), Ok(()));
    assert_eq!(signed(expected.as_bytes(), body), Ok(()));
    for other in changed(body, number(data)) {
        assert_eq!(signed(expected.as_bytes(), &other), Err(VerifyError::Wrong));
    }
    for other in changed(expected.as_bytes(), number(data)) {
        // A flipped bit can turn a digit into its capital letter.
        let is_same = other.to_ascii_lowercase() == expected.as_bytes() && other.starts_with(b"sha256=");
        assert_eq!(signed(&other, body).is_ok(), is_same);
    }

    for body in documents(body, WHATSAPP_WORDS) {
        let Some(reception) = receive(&**WHATSAPP, &post(&[], &body), WHATSAPP_TEXTS) else { continue };
        assert_eq!(reception.answer.status, StatusCode::OK);
        assert!(reception.events.is_sorted_by_key(|event| event.at));
        for event in &reception.events {
            if let InboundContent::Unsupported { label } = &event.content {
                assert!((1..=60).contains(&label.chars().count()) && !label.chars().any(char::is_control));
            }
        }
    }
}

fn handshake(query: &[u8]) {
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query).into_owned().collect();
    let request = ChannelRequest { method: Method::GET, headers: HeaderMap::new(), query, body: bytes::Bytes::new() };
    let values = |wanted: &str| {
        request.query.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let is_metas = values("hub.verify_token") == [VERIFY_TOKEN] && values("hub.mode") == ["subscribe"];
    assert_eq!(WHATSAPP.verify(&request, now()).is_ok(), is_metas);
    if let Ok(reception) = WHATSAPP.receive(&request) {
        let answer = reception.answer;
        assert_eq!(values("hub.challenge"), [answer.body.as_str()]);
        assert!((1..=256).contains(&answer.body.len()) && answer.body.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!((answer.status, answer.content_type), (StatusCode::OK, Some("text/plain")));
        assert_eq!((reception.events.len(), reception.left_out.total()), (0, 0));
    }
    let posted = ChannelRequest { method: Method::POST, ..request };
    assert_eq!(WHATSAPP.verify(&posted, now()), Err(VerifyError::Unsigned), "the token is good for a GET only");
}
