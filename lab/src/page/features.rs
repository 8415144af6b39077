//! What LivePerson enables for an account, as the page's API shows and sets it.

use serde::{Deserialize, Serialize};

/// The features of an account that somebody at LivePerson, or an administrator, must enable. The survey has its own switch on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFeatures {
    /// `messaging.file.sharing.enabled`: documents in addition to pictures, of up to 5 MB.
    pub file_sharing: bool,
    /// Whether conversations can be rated by `CSATRate`, as on accounts without surveys.
    pub legacy_csat: bool,
    /// The controller bot's message at the start of a conversation; `null` without its permission.
    pub auto_messages: Option<String>,
    /// The campaign's engagement that the Monitoring API offers; `null` without a campaign.
    pub engagement: Option<CampaignEngagement>,
}

/// An engagement of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignEngagement {
    /// The campaign's id.
    pub campaign_id: u64,
    /// The engagement's id.
    pub engagement_id: u64,
}
