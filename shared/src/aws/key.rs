//! The keys of the table: built and read here only, from typed ids.
//!
//! Parts are joined by `#`; a `#` or `%` inside a part is percent-encoded, so that no two records can share a key.

use sha2::{Digest, Sha256};

use crate::domain::{
    delivery::{ConsumerRef, MessageKey, ReceiptName},
    id::{AccountId, CallReference, ConversationId, DialogId, LineId, LpConsumerId, ProviderMessageId, Sequence},
};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";

/// A record of the table, by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A consumer's record.
    Consumer(ConsumerRef),
    /// Whose a conversation is.
    Conversation(AccountId, ConversationId),
    /// Whose a `lp_consumer_id` is.
    LpConsumer(AccountId, LpConsumerId),
    /// A message's lease and steps.
    Message(MessageKey),
    /// An account's AppJWT.
    Token(AccountId),
    /// That a consumer of an account has an open conversation of which the id is not known.
    Unattached(AccountId),
    /// What a channel's message is at LiveEngage.
    OutboundReceipt(LineId, ReceiptName),
    /// What a person's message is at the channel, by its place in LiveEngage.
    InboundReceipt(AccountId, DialogId, Sequence),
    /// The person's last message that LiveEngage was told.
    LastHeard(ConsumerRef),
    /// What a channel calls the message of a call.
    AcceptedCall(LineId, CallReference),
}

impl Key {
    /// The partition key.
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
            Self::OutboundReceipt(line, ReceiptName::Id(id)) => join("SHOWN", &[line.as_str(), id.as_str()]),
            Self::OutboundReceipt(line, ReceiptName::Reference(reference)) => {
                join("SHOWN", &["as", line.as_str(), reference.as_str()])
            }
            Self::InboundReceipt(account, dialog, sequence) => {
                join("HEARD", &[account.as_str(), dialog.as_str(), &sequence.0.to_string()])
            }
            Self::AcceptedCall(line, reference) => join("TAKEN", &[line.as_str(), reference.as_str()]),
            Self::LastHeard(consumer) => join("LAST", &[consumer.line.as_str(), consumer.user.as_str()]),
        }
    }

    /// The sort key: each of these partitions has one item.
    pub const fn sk(&self) -> &'static str {
        match self {
            Self::Consumer(_) => "CONS",
            Self::Conversation(..) => "LECONV",
            Self::LpConsumer(..) => "LECONS",
            Self::Message(_) => "MSG",
            Self::Token(_) => "TOKEN",
            Self::Unattached(_) => "UNATTACHED",
            Self::OutboundReceipt(..) => "SHOWN",
            Self::InboundReceipt(..) => "HEARD",
            Self::LastHeard(_) => "LAST",
            Self::AcceptedCall(..) => "TAKEN",
        }
    }

    /// Reads a partition key; `None` for one that [`Key::pk`] does not build.
    pub fn parse(pk: &str) -> Option<Self> {
        let mut parts = pk.split('#');
        let kind = parts.next()?;
        let parts: Vec<String> = parts.map(decode).collect::<Option<_>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let key = match (kind, parts.as_slice()) {
            ("CONS", [line, user]) => Self::Consumer(ConsumerRef {
                line: LineId::new(*line).ok()?,
                user: crate::domain::id::ChannelUserId::new(*user).ok()?,
            }),
            ("LECONV", [account, id]) => {
                Self::Conversation(AccountId::new(*account).ok()?, ConversationId::new(*id).ok()?)
            }
            ("LECONS", [account, id]) => Self::LpConsumer(AccountId::new(*account).ok()?, LpConsumerId::new(*id).ok()?),
            ("MSG", ["in", line, name]) => {
                // A digest, or the channel's id as older versions named it.
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
            ("SHOWN", [line, id]) => {
                Self::OutboundReceipt(LineId::new(*line).ok()?, ReceiptName::Id(ProviderMessageId::new(*id).ok()?))
            }
            ("SHOWN", ["as", line, reference]) => {
                let name = ReceiptName::Reference(CallReference::new(*reference).ok()?);
                Self::OutboundReceipt(LineId::new(*line).ok()?, name)
            }
            ("HEARD", [account, dialog, sequence]) => Self::InboundReceipt(
                AccountId::new(*account).ok()?,
                DialogId::new(*dialog).ok()?,
                Sequence(sequence.parse().ok()?),
            ),
            ("TAKEN", [line, reference]) => {
                Self::AcceptedCall(LineId::new(*line).ok()?, CallReference::new(*reference).ok()?)
            }
            ("LAST", [line, user]) => Self::LastHeard(ConsumerRef {
                line: LineId::new(*line).ok()?,
                user: crate::domain::id::ChannelUserId::new(*user).ok()?,
            }),
            _ => return None,
        };
        // `+4`, `04` and `%41` would be read too: no two texts may be one record.
        (key.pk() == pk).then_some(key)
    }
}

/// The partition of the parked messages of one line, `-` for those of no known line.
pub fn parked_pk(line: Option<&LineId>) -> String {
    join("PARKED", &[line.map_or("-", LineId::as_str)])
}

/// The sort key of a parked message: by time, then by message.
pub fn parked_sk(at: jiff::Timestamp, message: &MessageKey) -> String {
    // Fixed width, so that the text order is the order of time; a digest, because a sort key has at most 1024 bytes.
    let name = Sha256::digest(Key::Message(message.clone()).pk());
    format!("{:015}#{}", at.as_millisecond(), hex::encode(name))
}

/// The partition of the echoes of one dialog.
pub fn echoes_pk(account: &AccountId, dialog: &DialogId) -> String {
    join("ECHO", &[account.as_str(), dialog.as_str()])
}

/// The sort key of an echo: of a fixed width, so that the text order is the order of the numbers.
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
    use crate::domain::id::ChannelUserId;

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
            (name, opaque()).prop_map(|(line, user)| Key::LastHeard(ConsumerRef {
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
    fn another_spelling_of_a_key_is_none() {
        assert!(Key::parse("MSG#out#72419083#6d1f#4").is_some());
        for pk in [
            "MSG#out#72419083#6d1f#+4",
            "MSG#out#72419083#6d1f#04",
            "TOKEN#%372419083",
            "CONS#sms-main#a%2c",
            "LAST#s#%",
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
