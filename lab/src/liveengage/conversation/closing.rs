//! Closing a conversation, with or without a survey, and the rating after it.

use super::{Closer, Conversation, ConversationError, Csat, Dialog, DialogKind, Ended, PendingNotification};

impl Conversation {
    /// Closes everything at once. No survey follows, and a running one ends.
    pub(in crate::liveengage) fn close_all(
        &mut self,
        by: Closer,
        cause: Option<String>,
        now_ms: i64,
    ) -> Result<PendingNotification, ConversationError> {
        if !self.is_open() {
            return Err(ConversationError::Closed);
        }
        let at_ms = self.touch(now_ms);
        for dialog in &mut self.dialogs {
            dialog.end(Ended { at_ms, by, cause: cause.clone() });
        }
        self.ended_ms = Some(at_ms);
        Ok(self.changed())
    }

    /// Closes a dialog. A survey may follow the main dialog. Closing the last dialog closes the conversation.
    pub(in crate::liveengage) fn close_dialog(
        &mut self,
        dialog_id: &str,
        by: Closer,
        cause: Option<String>,
        now_ms: i64,
    ) -> Result<Vec<PendingNotification>, ConversationError> {
        let dialog = self.dialog(dialog_id).ok_or(ConversationError::UnknownDialog)?;
        if !self.is_open() || dialog.ended.is_some() {
            return Err(ConversationError::Closed);
        }
        let survey_follows = dialog.kind == DialogKind::Main && self.survey_may_follow();
        let at_ms = self.touch(now_ms);
        let closed = |dialog: &&mut Dialog| dialog.id == dialog_id;
        if let Some(dialog) = self.dialogs.iter_mut().find(closed) {
            dialog.end(Ended { at_ms, by, cause });
        }
        if survey_follows {
            return Ok(self.start_survey(at_ms));
        }
        self.ended_ms = Some(at_ms);
        Ok(vec![self.changed()])
    }

    /// Stores the rating of a closed conversation.
    pub(in crate::liveengage) fn rate(
        &mut self,
        csat: Csat,
        now_ms: i64,
    ) -> Result<PendingNotification, ConversationError> {
        if self.is_open() {
            return Err(ConversationError::StillOpen);
        }
        self.csat = Some(csat);
        self.touch(now_ms);
        Ok(self.changed())
    }
}
