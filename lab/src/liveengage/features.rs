//! The optional features of an account.

use std::sync::Arc;

use super::monitoring::EngagementOptions;
use super::survey::SurveyOptions;

/// The features that LivePerson has enabled for an account.
#[derive(Debug, Clone, Default)]
pub(super) struct Features {
    pub(super) survey: Option<Arc<SurveyOptions>>,
    pub(super) legacy_csat: bool,
    pub(super) file_sharing: bool,
    pub(super) auto_messages: Option<String>,
    pub(super) engagement: Option<EngagementOptions>,
}
