//! The marks that identify a drill's texts. They are unique and can be found in any payload that contains the text.

use std::fmt;

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// A consumer writes to the agent.
    ToDesk,
    /// An agent writes to the consumer.
    ToPhone,
}

/// One message of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The consumer, counted from 0.
    pub conversation: u16,
    /// The direction.
    pub destination: Destination,
    /// Its number among the conversation's messages of this direction, from 0.
    pub number: u16,
}

/// A part of a message that is sent separately: a long text is split into several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Piece {
    /// The message.
    pub tag: Tag,
    /// The part, from 0.
    pub part: u8,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let destination = match self.destination {
            Destination::ToDesk => 'u',
            Destination::ToPhone => 'a',
        };
        write!(f, "c{}{destination}{}", self.conversation, self.number)
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tag, self.part)
    }
}

impl Piece {
    /// The mark as it appears in a text.
    pub fn mark(&self) -> String {
        format!("#{self}#")
    }

    /// Every mark in a payload, in order. Anything else is ignored.
    pub fn find_all(payload: &[u8]) -> Vec<Self> {
        payload.split(|byte| *byte == b'#').filter_map(Self::read).collect()
    }

    fn read(mark: &[u8]) -> Option<Self> {
        let mark = std::str::from_utf8(mark).ok()?.strip_prefix('c')?;
        let (destination, (conversation, rest)) = match mark.split_once('u') {
            Some(parts) => (Destination::ToDesk, parts),
            None => (Destination::ToPhone, mark.split_once('a')?),
        };
        let (number, part) = rest.split_once('.')?;
        let tag = Tag { conversation: conversation.parse().ok()?, destination, number: number.parse().ok()? };
        Some(Self { tag, part: part.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_in_any_payload() {
        let first = Piece { tag: Tag { conversation: 7, destination: Destination::ToDesk, number: 12 }, part: 0 };
        let last = Piece { tag: Tag { conversation: 0, destination: Destination::ToPhone, number: 3 }, part: 1 };
        let payload = format!("{{\"text\":\"{} is # no #c1x2.0# {}\"}}", first.mark(), last.mark());
        assert_eq!(Piece::find_all(payload.as_bytes()), [first, last]);
        assert_eq!(Piece::find_all(b"nothing #here"), []);
    }
}
