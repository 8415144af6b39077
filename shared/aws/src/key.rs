//! The keys of the table. Only this module builds and parses them, from typed ids.
//!
//! Parts are joined by `#`; a `#` or `%` inside a part is percent-encoded, so that no two records can share a key.

use sha2::{Digest, Sha256};

use crate::schema_version::ItemKind;

use connector::domain::{delivery::ConsumerRef, id::LineId, message_key::MessageKey, receipt::ReceiptName};
use connector_channels::id::{CallReference, ProviderMessageId};
use connector_liveengage::id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";

/// The index that finds consumers by the state of their conversation.
pub const CONVERSATIONS_INDEX: &str = "conversations";
/// The index's partition key, a string on a consumer's item: see [`conversations_pk`].
pub const CONVERSATION_STATE: &str = "conversation_state";
/// The index's sort key, a number on a consumer's item: when a closed conversation was closed, in milliseconds since the epoch.
pub const CONVERSATION_CLOSED_AT: &str = "conversation_closed_at";

/// A record of the table, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A consumer's record.
    Consumer(ConsumerRef),
    /// The owner of a conversation.
    Conversation(AccountId, ConversationId),
    /// The consumer with an `lp_consumer_id`.
    LpConsumer(AccountId, LpConsumerId),
    /// A message's lease and steps.
    Message(MessageKey),
    /// An account's AppJWT.
    Token(AccountId),
    /// Records that a consumer of an account has an open conversation whose id is not known.
    Unattached(AccountId),
    /// When an account's conversations were last compared with LiveEngage.
    Reconciled(AccountId),
    /// The message in LiveEngage that a channel's message belongs to.
    OutboundReceipt(LineId, ReceiptName),
    /// The channel's message that a consumer's message in LiveEngage came from, by its position there.
    InboundReceipt(AccountId, DialogId, Sequence),
    /// The consumer's last message that LiveEngage accepted.
    LastInbound(ConsumerRef),
    /// The channel's id for the message of a call.
    AcceptedCall(LineId, CallReference),
}

impl Key {
    /// Returns the partition key.
    pub fn pk(&self) -> String {
        match self {
            Self::Consumer(consumer) => join("CONS", &[consumer.line.as_str(), consumer.user.as_str()]),
            Self::Conversation(account, conversation) => join("LECONV", &[account.as_str(), conversation.as_str()]),
            Self::LpConsumer(account, id) => join("LECONS", &[account.as_str(), id.as_str()]),
            Self::Message(MessageKey::FromChannel { line, name }) => join("MSG", &["in", line.as_str(), name]),
            Self::Message(MessageKey::FromLiveEngage { account, dialog, sequence }) => {
                join("MSG", &["out", account.as_str(), dialog.as_str(), &sequence.0.to_string()])
            }
            Self::Message(MessageKey::ByDigest { digest }) => join("MSG", &["digest", digest]),
            Self::Token(account) => join("TOKEN", &[account.as_str()]),
            Self::Unattached(account) => join("UNATTACHED", &[account.as_str()]),
            Self::Reconciled(account) => join("RECONCILED", &[account.as_str()]),
            Self::OutboundReceipt(line, ReceiptName::Id(id)) => join("OUTBOUND", &[line.as_str(), id.as_str()]),
            Self::OutboundReceipt(line, ReceiptName::Reference(reference)) => {
                join("OUTBOUND", &["as", line.as_str(), reference.as_str()])
            }
            Self::InboundReceipt(account, dialog, sequence) => {
                join("INBOUND", &[account.as_str(), dialog.as_str(), &sequence.0.to_string()])
            }
            Self::AcceptedCall(line, reference) => join("ACCEPTED", &[line.as_str(), reference.as_str()]),
            Self::LastInbound(consumer) => join("LASTIN", &[consumer.line.as_str(), consumer.user.as_str()]),
        }
    }

    /// Returns the sort key. Each of these partitions has one item.
    pub const fn sk(&self) -> &'static str {
        match self {
            Self::Consumer(_) => "CONS",
            Self::Conversation(..) => "LECONV",
            Self::LpConsumer(..) => "LECONS",
            Self::Message(_) => "MSG",
            Self::Token(_) => "TOKEN",
            Self::Unattached(_) => "UNATTACHED",
            Self::Reconciled(_) => "RECONCILED",
            Self::OutboundReceipt(..) => "OUTBOUND",
            Self::InboundReceipt(..) => "INBOUND",
            Self::LastInbound(_) => "LASTIN",
            Self::AcceptedCall(..) => "ACCEPTED",
        }
    }

    /// Returns the kind of the item with this key.
    pub(crate) const fn kind(&self) -> ItemKind {
        match self {
            Self::Consumer(_) => ItemKind::Consumer,
            Self::Conversation(..) | Self::LpConsumer(..) => ItemKind::Pointer,
            Self::Message(_) => ItemKind::Message,
            Self::Token(_) => ItemKind::Token,
            Self::Unattached(_) => ItemKind::Unattached,
            Self::Reconciled(_) => ItemKind::Reconciled,
            Self::OutboundReceipt(..) | Self::InboundReceipt(..) | Self::LastInbound(_) => ItemKind::Receipt,
            Self::AcceptedCall(..) => ItemKind::Proof,
        }
    }

    /// Parses a partition key. `None` for one that [`Key::pk`] does not build.
    pub fn parse(pk: &str) -> Option<Self> {
        let mut parts = pk.split('#');
        let kind = parts.next()?;
        let parts: Vec<String> = parts.map(decode).collect::<Option<_>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let key = match (kind, parts.as_slice()) {
            ("CONS", [line, user]) => Self::Consumer(ConsumerRef {
                line: LineId::new(*line).ok()?,
                user: connector_channels::id::ChannelUserId::new(*user).ok()?,
            }),
            ("LECONV", [account, id]) => {
                Self::Conversation(AccountId::new(*account).ok()?, ConversationId::new(*id).ok()?)
            }
            ("LECONS", [account, id]) => Self::LpConsumer(AccountId::new(*account).ok()?, LpConsumerId::new(*id).ok()?),
            ("MSG", ["in", line, name]) => {
                let name = ProviderMessageId::new(*name).ok()?.into();
                Self::Message(MessageKey::FromChannel { line: LineId::new(*line).ok()?, name })
            }
            ("MSG", ["out", account, dialog, sequence]) => Self::Message(MessageKey::FromLiveEngage {
                account: AccountId::new(*account).ok()?,
                dialog: DialogId::new(*dialog).ok()?,
                sequence: Sequence(sequence.parse().ok()?),
            }),
            ("MSG", ["digest", digest]) => Self::Message(MessageKey::ByDigest { digest: (*digest).to_owned() }),
            ("TOKEN", [account]) => Self::Token(AccountId::new(*account).ok()?),
            ("UNATTACHED", [account]) => Self::Unattached(AccountId::new(*account).ok()?),
            ("RECONCILED", [account]) => Self::Reconciled(AccountId::new(*account).ok()?),
            ("OUTBOUND", [line, id]) => {
                Self::OutboundReceipt(LineId::new(*line).ok()?, ReceiptName::Id(ProviderMessageId::new(*id).ok()?))
            }
            ("OUTBOUND", ["as", line, reference]) => {
                let name = ReceiptName::Reference(CallReference::new(*reference).ok()?);
                Self::OutboundReceipt(LineId::new(*line).ok()?, name)
            }
            ("INBOUND", [account, dialog, sequence]) => Self::InboundReceipt(
                AccountId::new(*account).ok()?,
                DialogId::new(*dialog).ok()?,
                Sequence(sequence.parse().ok()?),
            ),
            ("ACCEPTED", [line, reference]) => {
                Self::AcceptedCall(LineId::new(*line).ok()?, CallReference::new(*reference).ok()?)
            }
            ("LASTIN", [line, user]) => Self::LastInbound(ConsumerRef {
                line: LineId::new(*line).ok()?,
                user: connector_channels::id::ChannelUserId::new(*user).ok()?,
            }),
            _ => return None,
        };
        // Reject `+4`, `04` and `%41`, which are parsed, too: no two keys may mean the same record.
        (key.pk() == pk).then_some(key)
    }
}

/// Returns the index's partition key of the consumers of an account with an open or with a closed conversation.
pub fn conversations_pk(account: &AccountId, is_open: bool) -> String {
    join(if is_open { "OPEN" } else { "CLOSED" }, &[account.as_str()])
}

/// Returns the partition key of one line's parked messages, with `-` for those without a known line.
pub fn parked_pk(line: Option<&LineId>) -> String {
    join("PARKED", &[line.map_or("-", LineId::as_str)])
}

/// Returns the sort key of a parked message, which sorts by time, then by message.
pub fn parked_sk(at: jiff::Timestamp, message: &MessageKey) -> String {
    // The time has a fixed width, so that the order of texts is the order of times. The key is hashed, because a sort key has at most 1024
    // bytes.
    let name = Sha256::digest(Key::Message(message.clone()).pk());
    format!("{:015}#{}", at.as_millisecond(), hex::encode(name))
}

/// Returns the partition key of the echoes of one dialog.
pub fn echoes_pk(account: &AccountId, dialog: &DialogId) -> String {
    join("ECHO", &[account.as_str(), dialog.as_str()])
}

/// Returns the sort key of an echo. It has a fixed width, so that the order of texts is the order of numbers.
pub fn echo_sk(sequence: Sequence) -> String {
    format!("{:020}", sequence.0)
}

fn join(kind: &str, parts: &[&str]) -> String {
    let mut key = kind.to_owned();
    for part in parts {
        key.push('#');
        key.push_str(&encode(part));
    }
    key
}

fn encode(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

fn decode(part: &str) -> Option<String> {
    percent_encoding::percent_decode_str(part).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use connector_channels::id::ChannelUserId;

    fn opaque() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z#%0-9]{1,12}", "\\PC{1,12}"]
    }

    fn key() -> impl Strategy<Value = Key> {
        let name = "[A-Za-z0-9_-]{1,8}";
        prop_oneof![
            (name, opaque()).prop_map(|(line, user)| Key::Consumer(ConsumerRef {
                line: LineId::new(line).unwrap(),
                user: ChannelUserId::new(user).unwrap(),
            })),
            (name, opaque())
                .prop_map(|(a, c)| Key::Conversation(AccountId::new(a).unwrap(), ConversationId::new(c).unwrap())),
            (name, opaque())
                .prop_map(|(a, c)| Key::LpConsumer(AccountId::new(a).unwrap(), LpConsumerId::new(c).unwrap())),
            (name, opaque())
                .prop_map(|(l, name)| Key::Message(MessageKey::FromChannel { line: LineId::new(l).unwrap(), name })),
            (name, opaque(), any::<u64>()).prop_map(|(a, d, s)| Key::Message(MessageKey::FromLiveEngage {
                account: AccountId::new(a).unwrap(),
                dialog: DialogId::new(d).unwrap(),
                sequence: Sequence(s),
            })),
            "[0-9a-f]{64}".prop_map(|digest| Key::Message(MessageKey::ByDigest { digest })),
            name.prop_map(|a| Key::Token(AccountId::new(a).unwrap())),
            name.prop_map(|a| Key::Unattached(AccountId::new(a).unwrap())),
            name.prop_map(|a| Key::Reconciled(AccountId::new(a).unwrap())),
            (name, opaque()).prop_map(|(l, id)| Key::OutboundReceipt(
                LineId::new(l).unwrap(),
                ReceiptName::Id(ProviderMessageId::new(id).unwrap())
            )),
            (name, "[0-9a-f]{32}", any::<u8>()).prop_map(|(line, reference, number)| Key::OutboundReceipt(
                LineId::new(line).unwrap(),
                ReceiptName::Reference(CallReference::of(&reference, number.into()).unwrap())
            )),
            (name, opaque(), any::<u64>()).prop_map(|(a, d, s)| Key::InboundReceipt(
                AccountId::new(a).unwrap(),
                DialogId::new(d).unwrap(),
                Sequence(s)
            )),
            (name, "[0-9a-f]{32}", any::<u8>()).prop_map(|(line, reference, number)| Key::AcceptedCall(
                LineId::new(line).unwrap(),
                CallReference::of(&reference, number.into()).unwrap()
            )),
            (name, opaque()).prop_map(|(line, user)| Key::LastInbound(ConsumerRef {
                line: LineId::new(line).unwrap(),
                user: ChannelUserId::new(user).unwrap(),
            })),
        ]
    }

    proptest! {
        #[test]
        fn every_key_is_read_back_as_itself(key in key()) {
            prop_assert_eq!(Key::parse(&key.pk()), Some(key));
        }

        /// DynamoDB refuses an item with an empty sort key.
        #[test]
        fn the_sort_key_is_the_kind_of_the_partition_key(key in key()) {
            let pk = key.pk();
            prop_assert_eq!(Some(key.sk()), pk.split('#').next());
        }

        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,40}") {
            let _ = Key::parse(&text);
        }

        #[test]
        fn parked_messages_sort_by_time(a in 0i64..4_000_000_000_000, b in 0i64..4_000_000_000_000) {
            let message = MessageKey::ByDigest { digest: "0".to_owned() };
            let sk = |ms| parked_sk(jiff::Timestamp::from_millisecond(ms).unwrap(), &message);
            prop_assert_eq!(a.cmp(&b), sk(a).cmp(&sk(b)));
        }
    }

    proptest! {
        #[test]
        fn echoes_sort_by_number(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(a.cmp(&b), echo_sk(Sequence(a)).cmp(&echo_sk(Sequence(b))));
        }
    }

    #[test]
    fn each_dialog_has_echoes_of_its_own() {
        let pk =
            |account: &str, dialog: &str| echoes_pk(&AccountId::new(account).unwrap(), &DialogId::new(dialog).unwrap());
        assert_eq!(pk("72419083", "d#1"), "ECHO#72419083#d%231");
        assert_ne!(pk("72419083", "d1"), pk("72419083", "d2"));
        assert_ne!(pk("72419083", "d1"), pk("72419084", "d1"));
    }

    #[test]
    fn another_spelling_of_a_key_is_none() {
        assert!(Key::parse("MSG#out#72419083#6d1f#4").is_some());
        for pk in [
            "MSG#out#72419083#6d1f#+4",
            "MSG#out#72419083#6d1f#04",
            "TOKEN#%372419083",
            "CONS#sms-main#a%2c",
            "LASTIN#s#%",
        ] {
            assert_eq!(Key::parse(pk), None, "{pk}");
        }
    }

    #[test]
    fn the_longest_sort_key_fits_into_dynamodbs_1024_bytes() {
        let message = MessageKey::FromChannel { line: LineId::new("l".repeat(64)).unwrap(), name: "#".repeat(256) };
        assert!(parked_sk(jiff::Timestamp::MAX, &message).len() <= 1024);
    }

    #[test]
    fn the_longest_key_fits_into_dynamodbs_2048_bytes() {
        let longest = Key::Consumer(ConsumerRef {
            line: LineId::new("l".repeat(64)).unwrap(),
            user: ChannelUserId::new("𝄞".repeat(256)).unwrap(),
        });
        assert!(longest.pk().len() <= 2048);
    }
}
