//! Steps that the end-to-end tests share.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that the tests share may fail as loudly as a test")]

use std::{future::Future, time::Duration};

use connector::{
    domain::{
        delivery::{ConsumerRef, Lease},
        id::{LineId, Owner},
        message_key::MessageKey,
        receipt::{InboundReceipt, LedgerEntry},
    },
    port::{Ledger as _, Messages as _},
};
use connector_aws::DynamoDbStore;
use connector_channels::id::ChannelUserId;
use connector_lab::{
    LINE, Lab, LabOptions,
    liveengage::{ConversationView, Role, TranscriptLine},
    phone::{Direction, PhoneMessage},
};

use jiff::SignedDuration;

use crate::silence::WatchedLab;

/// The time limit of one step. It allows for one or two retries.
const PATIENCE: Duration = Duration::from_secs(60);
/// The consumer of most tests.
pub(crate) const PHONE: &str = "+4915155001";

/// The consumer's first text.
pub(crate) const HELLO: &str = "hello, is anybody there?";

pub(crate) async fn lab() -> WatchedLab {
    WatchedLab::start(LabOptions::default()).await
}

pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it didn't happen: {what}"))
}

/// Waits until `done` accepts what the desk shows.
pub(crate) async fn desk(lab: &Lab, what: &str, done: impl Fn(&[ConversationView]) -> bool) -> Vec<ConversationView> {
    let mut changes = lab.liveengage().subscribe();
    soon(what, async {
        loop {
            let conversations = lab.liveengage().conversations();
            if done(&conversations) {
                return conversations;
            }
            let _ = changes.recv().await;
        }
    })
    .await
}

pub(crate) fn consumer_texts(conversation: &ConversationView) -> Vec<&str> {
    conversation.transcript.iter().filter(|line| line.who == Role::Consumer).map(|line| line.text.as_str()).collect()
}

pub(crate) async fn received(lab: &Lab, phone: &str, count: usize) -> Vec<String> {
    let received = |messages: &[PhoneMessage]| {
        messages.iter().filter(|message| message.direction == Direction::ToPhone).count() >= count
    };
    let messages = soon("the phone shows the answers", lab.gateway().wait_for(phone, received)).await;
    messages
        .into_iter()
        .filter(|message| message.direction == Direction::ToPhone)
        .map(|message| message.text().to_owned())
        .collect()
}

/// Starts a lab with a conversation that has one text at the desk.
pub(crate) async fn opened(lab: &Lab, phone: &str) -> String {
    lab.gateway().consumer_sends(phone, HELLO).unwrap();
    let conversations = desk(lab, "the first text is at the desk", |all| {
        all.iter().any(|conversation| conversation.open && !conversation.transcript.is_empty())
    })
    .await;
    conversations.last().unwrap().id.clone()
}

/// Starts a lab with more fields in the secrets of its lines.
pub(crate) async fn lab_with(line_settings: serde_json::Value) -> WatchedLab {
    WatchedLab::start(LabOptions { line_settings, ..LabOptions::default() }).await
}

/// Starts a WhatsApp conversation with one text at the desk.
pub(crate) async fn opened_on_whatsapp(lab: &Lab, phone: &str) -> String {
    lab.whatsapp().consumer_sends(phone, HELLO).unwrap();
    let conversations = desk(lab, "the first text is at the desk", |all| {
        all.iter().any(|conversation| conversation.open && !conversation.transcript.is_empty())
    })
    .await;
    conversations.last().unwrap().id.clone()
}

/// Waits until the desk shows a message of the consumer that `wanted` accepts.
pub(crate) async fn line(lab: &Lab, what: &str, wanted: impl Fn(&TranscriptLine) -> bool) -> TranscriptLine {
    let is_wanted = |line: &&TranscriptLine| line.who == Role::Consumer && wanted(line);
    let all = desk(lab, what, |all| all.iter().flat_map(|one| &one.transcript).any(|line| is_wanted(&line))).await;
    all.iter().flat_map(|one| &one.transcript).find(is_wanted).unwrap().clone()
}

/// Waits until a WhatsApp phone has received this many messages.
pub(crate) async fn received_on_whatsapp(lab: &Lab, phone: &str, count: usize) -> Vec<PhoneMessage> {
    let to_phone = |message: &&PhoneMessage| message.direction == Direction::ToPhone;
    let wanted = |messages: &[PhoneMessage]| messages.iter().filter(to_phone).count() >= count;
    let messages = soon("the phone shows the answers", lab.whatsapp().wait_for(phone, wanted)).await;
    messages.iter().filter(to_phone).cloned().collect()
}

/// Waits until nothing is under way.
/// Makes the last text that LiveEngage accepted from this phone an hour old, so that its echo is overdue if it has not come.
pub(crate) async fn age_last_text(lab: &Lab, phone: &str) {
    let client = aws_sdk_dynamodb::Client::new(&lab.aws().sdk_config_for("test", lab.aws().endpoints()));
    let store = DynamoDbStore::new(client, lab.aws().table_name());
    let consumer = ConsumerRef { line: LineId::new(LINE).unwrap(), user: ChannelUserId::new(phone).unwrap() };
    let last = store.last_inbound(&consumer).await.unwrap().unwrap();
    let hour = SignedDuration::from_hours(1);
    let lease = Lease { message: MessageKey::of_bytes(phone.as_bytes()), owner: Owner::new("test").unwrap() };
    store.acquire(&lease, last.at, last.at + hour).await.unwrap();
    let older = InboundReceipt { at: last.at - hour, ..last };
    store.complete(&lease, Some(&LedgerEntry::InboundReceipt(older))).await.unwrap();
}

pub(crate) async fn settled(lab: &Lab) {
    soon("everything is delivered", lab.settled()).await;
}
