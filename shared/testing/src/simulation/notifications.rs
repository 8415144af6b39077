//! LiveEngage's notifications: it posts them to the connector, late, twice or in another order as the faults say, until they are accepted.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha1::Sha1;

use super::{
    agenda::Event,
    liveengage::{ACCOUNT, Conversation, INSTALL, Role, Stage},
    truth::Writer,
    world::World,
};
use connector_liveengage::signature::{ACCOUNT_ID, CLIENT_ID, SIGNATURE};

/// A text of another channel's conversation, which no consumer of the connector may see.
pub(super) const FOREIGN: &str = "not for your phone";

/// How late the notification that a conversation was opened can be. An agent's text waits three times as long for it.
const OPENING_LATE_MS: i64 = 5 * 60 * 1000;

/// A notification that is not accepted yet.
#[derive(Debug)]
pub(super) struct Notification {
    body: String,
    attempts: u32,
    /// How many posts of it are still to be accepted.
    copies: u32,
    /// Whether LiveEngage may drop it after a failed post. It never drops that a conversation was opened: if the answer to the connector's
    /// call is lost, too, nothing tells whose the conversation is.
    may_be_dropped: bool,
}

impl World {
    /// Notifies the connector of an event in the open dialog of a conversation.
    pub(super) fn notify_event(&mut self, index: usize, role: Role, sequence: u64, event: &Value) {
        let now = self.liveengage_now();
        let conversation = &self.liveengage.conversations[index];
        let (originator, role) = match role {
            Role::Agent => (format!("{ACCOUNT}.agent"), "ASSIGNED_AGENT"),
            Role::Consumer => (conversation.consumer.clone(), "CONSUMER"),
        };
        let change = json!({
            "sequence": sequence, "originatorId": originator, "originatorMetadata": {"id": originator, "role": role},
            "serverTimestamp": now.as_millisecond(), "event": event, "conversationId": conversation.id,
            "dialogId": conversation.dialog(), "messageAudience": "ALL",
        });
        if let Some(loss) = &mut self.loss {
            loss.published(&change);
        }
        self.notify("ms.MessagingEventNotification", &change, true);
    }

    /// Notifies the connector of the state of a conversation.
    pub(super) fn notify_state(&mut self, index: usize) {
        let now = self.liveengage_now().as_millisecond();
        let conversation = &self.liveengage.conversations[index];
        let Conversation { id, consumer, stage, sequences, .. } = conversation;
        let state = |is_open| if is_open { "OPEN" } else { "CLOSE" };
        let (main, whole) = (state(*stage == Stage::Main), state(*stage != Stage::Closed));
        let mut dialogs =
            vec![json!({"dialogId": id, "dialogType": "MAIN", "channelType": "MESSAGING", "state": main})];
        if *stage == Stage::Survey || sequences[1] > 0 {
            let survey = state(*stage == Stage::Survey);
            dialogs.push(json!({"dialogId": conversation.survey(), "dialogType": "POST_SURVEY", "state": survey}));
        }
        let change = json!({"type": "UPSERT", "result": {"convId": id, "conversationDetails": {
            "skillId": "-1", "participants": [{"id": consumer, "role": "CONSUMER"}], "brandId": ACCOUNT,
            "dialogs": dialogs, "state": main, "stage": whole, "startTs": now, "metaDataLastUpdateTs": now,
        }}});
        let has_ended = *stage == Stage::Closed;
        self.notify("cqm.ExConversationChangeNotification", &change, has_ended);
    }

    /// An agent writes in a conversation of another channel.
    pub(super) fn foreign_event(&mut self) {
        let now = self.liveengage_now().as_millisecond();
        let id = format!("foreign-{}", self.agenda.random.below(5));
        let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": FOREIGN});
        let change = json!({
            "sequence": now, "originatorId": "a", "originatorMetadata": {"id": "a", "role": "ASSIGNED_AGENT"},
            "serverTimestamp": now, "event": event, "conversationId": id, "dialogId": id, "messageAudience": "ALL",
        });
        self.agenda.note(format_args!("an agent writes in {id}"));
        self.notify("ms.MessagingEventNotification", &change, true);
    }

    /// Schedules a notification, as the faults say. One that may not be dropped is of a conversation that was opened.
    fn notify(&mut self, kind: &str, change: &Value, may_be_dropped: bool) {
        let body = json!({"kind": "notification", "body": {"changes": [change]}, "type": kind}).to_string();
        if self.loss.as_ref().is_some_and(|loss| loss.is_on) {
            self.agenda.note(format_args!("LiveEngage drops a notification"));
            return;
        }
        let World { agenda, faults, liveengage, .. } = self;
        liveengage.notified += 1;
        let number = liveengage.notified;
        let copies = 1 + u32::from(agenda.random.hits(faults.notified_twice));
        for _ in 0..copies {
            let longest = if !may_be_dropped && agenda.random.hits(faults.opening_late) {
                OPENING_LATE_MS
            } else if agenda.random.hits(faults.notified_late) {
                2_500
            } else {
                40
            };
            let after = agenda.random.millis(10, longest);
            agenda.after(after, Event::Notify(number));
        }
        liveengage.notifications.insert(number, Notification { body, attempts: 0, copies, may_be_dropped });
    }

    /// A post of a notification has ended. Unless it was answered 200, LiveEngage tries again.
    pub(super) fn notified(&mut self, number: u64, is_accepted: bool) {
        let World { agenda, faults, liveengage, truth, .. } = self;
        let Some(notification) = liveengage.notifications.get_mut(&number) else { return };
        if is_accepted {
            for id in truth.named(Writer::Agent, &notification.body) {
                truth.acknowledged(id);
            }
            notification.copies -= 1;
            if notification.copies == 0 {
                liveengage.notifications.remove(&number);
            }
            return;
        }
        if notification.may_be_dropped && agenda.random.hits(faults.notification_dropped) {
            liveengage.notifications.remove(&number);
            agenda.note(format_args!("LiveEngage drops notification {number}"));
            return;
        }
        notification.attempts += 1;
        // From 4 s, doubling to a minute.
        let doubled = SignedDuration::from_secs(4 << notification.attempts.min(5).saturating_sub(1));
        agenda.after(doubled.min(SignedDuration::from_mins(1)), Event::Notify(number));
    }

    /// Returns the headers and the body of a notification's post.
    pub(super) fn signed_notification(&self, number: u64) -> Option<(BTreeMap<&'static str, String>, String)> {
        let body = self.liveengage.notifications.get(&number)?.body.clone();
        let mut mac = Hmac::<Sha1>::new_from_slice(self.liveengage.secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha1={}", STANDARD.encode(mac.finalize().into_bytes()));
        let headers = [(ACCOUNT_ID, ACCOUNT.to_owned()), (CLIENT_ID, INSTALL.to_owned()), (SIGNATURE, signature)];
        Some((headers.into(), body))
    }
}
