//! The table's keys.

use crate::{
    aws::key::{Key, parked_pk},
    domain::{
        delivery::{ConsumerRef, MessageKey, ReceiptName},
        id::{
            AccountId, CallReference, ChannelUserId, ConversationId, DialogId, LineId, LpConsumerId, ProviderMessageId,
            Sequence,
        },
    },
};

/// A text, as a partition key and as an id inside one.
///
/// What is read as a key is built back into the same text; every key is read back as itself, fits into DynamoDB, and is no
/// other's.
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

/// One key of each kind that has the text in it, as far as the text can be its id.
fn keys_around(text: &str) -> Vec<Key> {
    let (line, account) = (LineId::new("sms-main").unwrap(), AccountId::new("72419083").unwrap());
    let mut keys = Vec::new();
    if let Ok(user) = ChannelUserId::new(text) {
        keys.push(Key::Consumer(ConsumerRef { line: line.clone(), user: user.clone() }));
        keys.push(Key::LastHeard(ConsumerRef { line: line.clone(), user }));
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
