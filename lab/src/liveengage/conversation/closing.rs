//! How a conversation ends, with or without a survey, and the rating that may follow.

use serde::{Deserialize, Serialize};

use super::{Closer, Conversation, Dialog, DialogKind, Ended, Outgoing, Refusal};

/// How far a rating was filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CsatStatus {
    /// Rated, and answered.
    Filled,
    /// One of the two.
    PartiallyFilled,
    /// The consumer would not say.
    Skipped,
}

/// The rating of a conversation in the way that surveys have replaced: `CSATRate` of `cm.UpdateConversationField`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Csat {
    /// The rating, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csat_rate: Option<u8>,
    /// Whether the matter was settled at the first contact (FCR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csat_resolution_confirmation: Option<bool>,
    /// How far it was filled in.
    pub status: CsatStatus,
}

impl Csat {
    /// Whether the members go together. What `PARTIALLY_FILLED` and `SKIPPED` may leave out is not documented: here
    /// `FILLED` needs a rating, and `PARTIALLY_FILLED` one of the two.
    pub(in crate::liveengage) fn is_sound(&self) -> bool {
        let in_range = self.csat_rate.is_none_or(|rate| (1..=5).contains(&rate));
        in_range
            && match self.status {
                CsatStatus::Filled => self.csat_rate.is_some(),
                CsatStatus::PartiallyFilled => self.csat_rate.is_some() || self.csat_resolution_confirmation.is_some(),
                CsatStatus::Skipped => true,
            }
    }
}

impl Conversation {
    /// Closes everything at once: no survey follows, and one that runs ends.
    pub(in crate::liveengage) fn close_all(
        &mut self,
        by: Closer,
        cause: Option<String>,
        now_ms: i64,
    ) -> Result<Outgoing, Refusal> {
        if !self.is_open() {
            return Err(Refusal::Closed);
        }
        let at_ms = self.touch(now_ms);
        for dialog in &mut self.dialogs {
            dialog.end(Ended { at_ms, by, cause: cause.clone() });
        }
        self.ended_ms = Some(at_ms);
        Ok(self.changed())
    }

    /// Closes one dialog. After the main one a survey may follow; with the last one the conversation closes.
    pub(in crate::liveengage) fn close_dialog(
        &mut self,
        dialog_id: &str,
        by: Closer,
        cause: Option<String>,
        now_ms: i64,
    ) -> Result<Vec<Outgoing>, Refusal> {
        let dialog = self.dialog(dialog_id).ok_or(Refusal::UnknownDialog)?;
        if !self.is_open() || dialog.ended.is_some() {
            return Err(Refusal::Closed);
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

    /// Takes the rating of a conversation that is over.
    pub(in crate::liveengage) fn rate(&mut self, csat: Csat, now_ms: i64) -> Result<Outgoing, Refusal> {
        if self.is_open() {
            return Err(Refusal::StillOpen);
        }
        self.csat = Some(csat);
        self.touch(now_ms);
        Ok(self.changed())
    }
}
