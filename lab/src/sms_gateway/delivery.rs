//! What becomes of a text that the gateway has taken for a phone, and the reports about it.

use std::collections::VecDeque;

use super::outbox::{Posting, Purpose};
use super::payload::{self, Report};
use super::phone::{MessageState, PhoneMessage};
use super::{Account, SmsGateway, lock};

/// What the next texts can expect.
#[derive(Debug)]
pub(super) struct Delivery {
    is_automatic: bool,
    /// The codes of the failures that are ordered.
    failures: VecDeque<String>,
}

impl Delivery {
    pub(super) fn new(is_automatic: bool) -> Self {
        Self { is_automatic, failures: VecDeque::new() }
    }
}

impl SmsGateway {
    /// Whether a text to a phone is delivered at once and reported as `delivered`. Without, it stays
    /// [`MessageState::Accepted`] until [`SmsGateway::phone_receives`]. At first it is as
    /// [`super::SmsGatewayOptions::delivery_reports`] says.
    ///
    /// As at a real gateway, a report may overtake the answer to the `POST /v1/messages` that it is about.
    pub fn set_automatic_delivery(&self, delivers: bool) {
        lock(&self.account.delivery).is_automatic = delivers;
    }

    /// The phone is in reach (again): its accepted texts are delivered, and reported so in their order. Answers how many.
    pub fn phone_receives(&self, phone: &str) -> usize {
        self.account.advance(phone, &MessageState::Accepted, &MessageState::Delivered, Report::Delivered)
    }

    /// The consumer opens the chat: the delivered texts are read, and reported so in their order. Answers how many.
    pub fn consumer_reads(&self, phone: &str) -> usize {
        self.account.advance(phone, &MessageState::Delivered, &MessageState::Read, Report::Read)
    }

    /// The next text that the gateway accepts does not get to its phone: it becomes [`MessageState::Failed`] and a report says
    /// `failed` with this code, whether delivery is automatic or not. Several calls queue up.
    pub fn fail_delivery_next(&self, code: impl Into<String>) {
        lock(&self.account.delivery).failures.push_back(code.into());
    }
}

impl Account {
    /// A text for a phone that the gateway has accepted.
    pub(super) fn send_to_phone(&self, phone: &str, mut message: PhoneMessage) {
        let (failure, is_automatic) = {
            let mut delivery = lock(&self.delivery);
            (delivery.failures.pop_front(), delivery.is_automatic)
        };
        let report = match &failure {
            Some(code) => {
                message.state = MessageState::Failed(format!("not delivered: {code}"));
                Some(Report::Failed(code))
            }
            None if is_automatic => {
                message.state = MessageState::Delivered;
                Some(Report::Delivered)
            }
            None => None,
        };
        let posting = report.map(|report| posting(phone, &message, report));
        self.add(phone, message, posting);
    }

    fn advance(&self, phone: &str, from: &MessageState, to: &MessageState, report: Report<'_>) -> usize {
        let changed = {
            let mut phonebook = lock(&self.phonebook);
            let changed = phonebook.advance(phone, from, to);
            // Under the lock, so that two callers' reports leave in the order of the states.
            for message in &changed {
                self.post_later(posting(phone, message, report));
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

fn posting(phone: &str, message: &PhoneMessage, report: Report<'_>) -> Posting {
    Posting { phone: phone.to_owned(), purpose: Purpose::Report, body: payload::report(phone, message, report) }
}
