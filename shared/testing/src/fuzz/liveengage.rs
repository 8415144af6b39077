//! LiveEngage's webhooks.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha1::Sha1;

use super::{
    input::{canary, changed, documents, hides, line, number, with_inside, with_texts},
    line::hmac_sha256,
};
use connector_liveengage::{
    notification::{Change, EventKind, NotificationType, read, split},
    signature::{Algorithms, VerifyError, verify},
};

/// The client secret of the account.
pub(super) const CLIENT_SECRET: &str = "cl13nt-s3cret";

const WORDS: &str = "\
    kind notification type ms.MessagingEventNotification cqm.ExConversationChangeNotification body changes dialogId \
    conversationId 6d1f-dialog sequence originatorId originatorMetadata id role CONSUMER ASSIGNED_AGENT messageAudience ALL \
    AGENTS_AND_MANAGERS event ContentEvent RichContentEvent AcceptStatusEvent ChatStateEvent contentType text/plain hosted/file \
    message relativePath /a/b.png fileType PNG caption content quickReplies status ACCEPT READ sequenceList chatState COMPOSING \
    result convId conversationDetails participants participantsPId state stage CLOSE OPEN dialogs dialogType MAIN POST_SURVEY \
    participantsDetails closeReason closedBy SYSTEM skillId csat FILLED csatRate metaDataLastUpdateTs lastUpdateTime startTs \
    1800000000000 originatorPId ams. UPSERT";

/// Input: a `x-liveperson-signature` and a body.
///
/// Checks that a body is accepted only if the header is one of the four forms of its signature with a live secret. It is refused with a
/// changed bit, with bytes cut off or added, with another secret, and with SHA-1 if SHA-1 is switched off.
pub fn liveengage_signature(data: &[u8]) {
    let (header, body) = line(data);
    let header = String::from_utf8_lossy(header);
    let (key, other) = (SecretString::from(CLIENT_SECRET), SecretString::from("an0ther-s3cret"));
    let mut mac = Hmac::<Sha1>::new_from_slice(CLIENT_SECRET.as_bytes()).unwrap();
    mac.update(body);
    let values = [("sha1", mac.finalize().into_bytes().to_vec()), ("sha256", hmac_sha256(CLIENT_SECRET, &[body]))];

    for algorithms in [Algorithms::Any, Algorithms::Sha256] {
        let believed = verify(&header, body, [&other, &key], algorithms).is_ok();
        let is_signature = header.trim().split_once('=').is_some_and(|(name, written)| {
            values.iter().any(|(algorithm, value)| {
                let base64 = STANDARD.encode(value);
                let forms = [base64.trim_end_matches('='), &base64];
                name.eq_ignore_ascii_case(algorithm)
                    && (*algorithm == "sha256" || algorithms == Algorithms::Any)
                    && (written.eq_ignore_ascii_case(&hex::encode(value)) || forms.contains(&written))
            })
        });
        assert_eq!(believed, is_signature, "{header}");
        assert!(verify(&header, body, [], algorithms).is_err());
    }

    for (algorithm, value) in &values {
        for written in [STANDARD.encode(value), hex::encode(value), hex::encode_upper(value)] {
            let header = format!("{algorithm}={written}");
            let check = |body: &[u8], secrets: &[&SecretString]| {
                verify(&header, body, secrets.iter().copied(), Algorithms::Any)
            };
            assert_eq!((check(body, &[&key]), check(body, &[&other, &key])), (Ok(()), Ok(())));
            assert_eq!((check(body, &[&other]), check(body, &[])), (Err(VerifyError::Wrong), Err(VerifyError::Wrong)));
            let sha1_off = verify(&header, body, [&key], Algorithms::Sha256);
            assert_eq!(sha1_off.is_ok(), *algorithm == "sha256");
            for body in changed(body, number(data)) {
                assert_eq!(check(&body, &[&key, &other]), Err(VerifyError::Wrong));
            }
        }
        for value in changed(value, number(data)) {
            let header = format!("{algorithm}={}", hex::encode(value));
            assert!(verify(&header, body, [&key], Algorithms::Any).is_err());
        }
    }
}

/// Input: a notification.
///
/// Checks that it is split or refused, and that each change is read or refused, without revealing their words. The result is the same every
/// time, and the same from the JSON in the queue. A single change without a list counts as a list of one.
pub fn liveengage_notification(data: &[u8]) {
    for body in documents(data, WORDS) {
        let hidden = canary(&body);
        let spoiled = split(&with_inside(&body, number(data), &hidden));
        if let Err(error) = spoiled {
            hides(&format!("{error} {error:?}"), &hidden);
        }
        let Ok((kind, changes)) = split(&body) else { continue };
        for change in &changes {
            is_read(kind.unwrap_or(NotificationType::MessagingEvent), change, &hidden);
            is_read(NotificationType::ConversationChange, change, &hidden);
        }
        if let [change] = changes.as_slice()
            && !change.is_array()
        {
            let name = "ms.MessagingEventNotification";
            let rest = json!({"type": name, "body": {"changes": change}}).to_string();
            let list = json!({"type": name, "body": {"changes": [change]}}).to_string();
            assert_eq!(split(rest.as_bytes()), split(list.as_bytes()));
        }
    }
}

fn is_read(kind: NotificationType, change: &Value, hidden: &str) {
    let outcome = read(kind, change);
    let carried: Value = serde_json::from_str(&change.to_string()).unwrap();
    assert_eq!(read(kind, &carried), outcome, "{change}");
    if let Err(error) = outcome {
        hides(&format!("{error} {error:?}"), hidden);
    }
    match read(kind, &with_texts(change, "message text caption relativePath title url", hidden)) {
        Ok(change) => hides(&format!("{change:?}"), hidden),
        Err(error) => hides(&format!("{error} {error:?}"), hidden),
    }
    if let Ok(Change::Event(event)) = outcome {
        assert!(event.has_conversation_id || event.conversation.as_str() == event.dialog.as_str());
        if let EventKind::AcceptStatus { sequences, .. } = &event.kind {
            let most = change.pointer("/event/sequenceList").and_then(Value::as_array).map_or(1, Vec::len);
            assert!(sequences.len() <= most);
        }
    } else if let Ok(Change::Conversation(state)) = outcome {
        assert!(!state.closed || (!state.main_open && state.survey.is_none()));
    }
}
