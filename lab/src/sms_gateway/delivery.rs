//! The delivery of texts to phones after the gateway accepted them, and the reports about it.

use std::collections::VecDeque;

use super::outbox::{PendingWebhook, WebhookPurpose};
use super::payload::{self, DeliveryReport};
use super::{GatewayAccount, SmsGateway};
use crate::phone::{Direction, MessageState, PhoneMessage};

/// How the next texts are delivered.
#[derive(Debug)]
pub(super) struct DeliveryReports {
    is_automatic: bool,
    /// The codes of the requested failures.
    failures: VecDeque<String>,
}

impl DeliveryReports {
    pub(super) fn new(is_automatic: bool) -> Self {
        Self { is_automatic, failures: VecDeque::new() }
    }
}

impl SmsGateway {
    /// Sets whether a text to a phone is delivered at once and reported as `delivered`. If not, it stays
    /// [`MessageState::Accepted`] until [`SmsGateway::phone_receives`]. The initial setting is
    /// [`super::SmsGatewayOptions::delivery_reports`].
    ///
    /// As with a real gateway, a report may overtake the answer to its `POST /v1/messages`.
    pub fn set_automatic_delivery(&self, delivers: bool) {
        self.account.delivery.lock().is_automatic = delivers;
    }

    /// Delivers the phone's accepted texts and reports them in order, as if the phone were online again. Returns how
    /// many.
    pub fn phone_receives(&self, phone: &str) -> usize {
        self.account.advance(phone, &MessageState::Accepted, &MessageState::Delivered, DeliveryReport::Delivered)
    }

    /// Marks the delivered texts as read and reports them in order, as if the consumer opened the chat. Returns how
    /// many.
    pub fn consumer_reads(&self, phone: &str) -> usize {
        self.account.advance(phone, &MessageState::Delivered, &MessageState::Read, DeliveryReport::Read)
    }

    /// Makes the next text that the gateway accepts fail: it becomes [`MessageState::Failed`] and a `failed` report has
    /// this code, whether delivery is automatic or not. Several calls queue up.
    pub fn fail_delivery_next(&self, code: impl Into<String>) {
        self.account.delivery.lock().failures.push_back(code.into());
    }
}

impl GatewayAccount {
    /// Delivers a text that the gateway has accepted.
    pub(super) fn send_to_phone(&self, phone: &str, mut message: PhoneMessage) {
        let (failure, is_automatic) = {
            let mut delivery = self.delivery.lock();
            (delivery.failures.pop_front(), delivery.is_automatic)
        };
        let report = match &failure {
            Some(code) => {
                message.state = MessageState::Failed(format!("not delivered: {code}"));
                Some(DeliveryReport::Failed(code))
            }
            None if is_automatic => {
                message.state = MessageState::Delivered;
                Some(DeliveryReport::Delivered)
            }
            None => None,
        };
        let webhook = report.map(|report| webhook(phone, &message, report));
        self.add(phone, message, webhook);
    }

    fn advance(&self, phone: &str, from: &MessageState, to: &MessageState, report: DeliveryReport<'_>) -> usize {
        let changed = {
            let mut phonebook = self.phonebook.lock();
            let messages = phonebook.get_mut(phone).into_iter().flat_map(|phone| &mut phone.messages);
            let mut changed = Vec::new();
            for message in messages.filter(|one| one.direction == Direction::ToPhone && one.state == *from) {
                message.state = to.clone();
                changed.push(message.clone());
            }
            // Under the lock, so that the reports of two callers are sent in the order of the states.
            for message in &changed {
                self.post_later(webhook(phone, message, report));
            }
            changed
        };
        if !changed.is_empty() {
            let (what, count) = (if *to == MessageState::Read { "reads" } else { "receives" }, changed.len());
            let text = if count == 1 { "text" } else { "texts" };
            self.options.journal.record("phone", "gateway", format!("{phone} {what} {count} {text}"), None);
        }
        for message in &changed {
            self.notify(phone, &message.id);
        }
        changed.len()
    }
}

fn webhook(phone: &str, message: &PhoneMessage, report: DeliveryReport<'_>) -> PendingWebhook {
    PendingWebhook {
        phone: phone.to_owned(),
        purpose: WebhookPurpose::Report,
        body: payload::report(phone, message, report),
    }
}
