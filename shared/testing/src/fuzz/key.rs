//! The table's keys.

use connector::domain::{delivery::ConsumerRef, id::LineId, message_key::MessageKey, receipt::ReceiptName};
use connector_aws::key::{Key, parked_pk};
use connector_channels::id::{CallReference, ChannelUserId, ProviderMessageId};
use connector_liveengage::id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence};

/// Input: a text. It is read as a partition key, and used as an id inside a key.
///
/// Checks that a key that is read is built back into the same text. Checks that every key is read back as itself, fits into DynamoDB and
/// differs from every other key.
pub fn table_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(key) = Key::parse(&text) {
        assert_eq!(key.pk(), text, "{key:?}");
    }
    let keys = keys_around(&text);
    for key in &keys {
        let pk = key.pk();
        assert_eq!(Key::parse(&pk).as_ref(), Some(key));
        assert!((1..=2048).contains(&pk.len()), "{} bytes", pk.len());
        assert!(pk.starts_with(key.sk()), "{key:?}");
    }
    for (at, key) in keys.iter().enumerate() {
        assert!(keys.iter().skip(at + 1).all(|other| (other.pk(), other.sk()) != (key.pk(), key.sk())), "{key:?}");
    }
    if let Ok(line) = LineId::new(text.as_ref()) {
        assert_eq!(Key::parse(&parked_pk(Some(&line))), None);
    }
}

/// Returns one key of each kind with the text in it, if the text is a valid id.
fn keys_around(text: &str) -> Vec<Key> {
    let (line, account) = (LineId::new("sms-main").unwrap(), AccountId::new("72419083").unwrap());
    let mut keys = Vec::new();
    if let Ok(user) = ChannelUserId::new(text) {
        keys.push(Key::Consumer(ConsumerRef { line: line.clone(), user: user.clone() }));
        keys.push(Key::LastInbound(ConsumerRef { line: line.clone(), user }));
    }
    if let Ok(conversation) = ConversationId::new(text) {
        keys.push(Key::Conversation(account.clone(), conversation));
    }
    if let Ok(id) = LpConsumerId::new(text) {
        keys.push(Key::LpConsumer(account.clone(), id));
    }
    if let Ok(id) = ProviderMessageId::new(text) {
        keys.push(Key::Message(MessageKey::FromChannel { line: line.clone(), name: text.to_owned() }));
        keys.push(Key::OutboundReceipt(line.clone(), ReceiptName::Id(id)));
    }
    if let Ok(reference) = CallReference::new(text) {
        keys.push(Key::OutboundReceipt(line.clone(), ReceiptName::Reference(reference.clone())));
        keys.push(Key::AcceptedCall(line.clone(), reference));
    }
    if let Ok(dialog) = DialogId::new(text) {
        let sequence = Sequence(super::input::number(text.as_bytes()));
        let (first, second) = (account.clone(), dialog.clone());
        keys.push(Key::Message(MessageKey::FromLiveEngage { account: first, dialog: second, sequence }));
        keys.push(Key::InboundReceipt(account.clone(), dialog, sequence));
    }
    if let Ok(account) = AccountId::new(text) {
        keys.push(Key::Token(account));
    }
    keys
}
