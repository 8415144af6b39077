//! The dialogs of a conversation: the main dialog and the survey.

use super::{Closer, DialogKind, Participant};

/// A dialog of a conversation.
#[derive(Debug)]
pub(in crate::liveengage) struct Dialog {
    pub(in crate::liveengage) id: String,
    pub(in crate::liveengage) kind: DialogKind,
    pub(in crate::liveengage) participants: Vec<Participant>,
    pub(in crate::liveengage) created_ms: i64,
    pub(in crate::liveengage) updated_ms: i64,
    pub(in crate::liveengage) ended: Option<Ended>,
    next_sequence: u64,
}

/// When, by whom and why a dialog ended.
#[derive(Debug, Clone)]
pub(in crate::liveengage) struct Ended {
    pub(in crate::liveengage) at_ms: i64,
    pub(in crate::liveengage) by: Closer,
    pub(in crate::liveengage) cause: Option<String>,
}

impl Dialog {
    pub(super) fn open(id: String, kind: DialogKind, participants: Vec<Participant>, now_ms: i64) -> Self {
        Self { id, kind, participants, created_ms: now_ms, updated_ms: now_ms, ended: None, next_sequence: 0 }
    }

    pub(super) fn take_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(1);
        sequence
    }

    /// Whether the dialog has used this sequence number.
    pub(super) fn has_used(&self, sequence: u64) -> bool {
        sequence < self.next_sequence
    }

    /// Ends the dialog, unless it has ended.
    pub(super) fn end(&mut self, ended: Ended) {
        if self.ended.is_none() {
            self.updated_ms = ended.at_ms;
            self.ended = Some(ended);
        }
    }
}
