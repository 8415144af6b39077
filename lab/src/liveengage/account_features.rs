//! Shows and sets the features of the accounts, for the page's API.

use super::monitoring::EngagementOptions;
use super::simulator::LiveEngageSimulator;
use crate::page::{AccountFeatures, CampaignEngagement};

/// The features of the first account. A lab has only one.
pub(super) fn view(simulator: &LiveEngageSimulator) -> Option<AccountFeatures> {
    let backend = simulator.backend();
    let features = backend.features(backend.accounts.keys().min()?);
    Some(AccountFeatures {
        file_sharing: features.file_sharing,
        legacy_csat: features.legacy_csat,
        auto_messages: features.auto_messages,
        engagement: features
            .engagement
            .map(|EngagementOptions { campaign_id, engagement_id }| CampaignEngagement { campaign_id, engagement_id }),
    })
}

/// Sets the features of every account, for what happens from now on.
pub(super) fn set(simulator: &LiveEngageSimulator, features: &AccountFeatures) {
    let engagement = features
        .engagement
        .map(|CampaignEngagement { campaign_id, engagement_id }| EngagementOptions { campaign_id, engagement_id });
    for account_id in simulator.backend().accounts.keys() {
        simulator.set_file_sharing(account_id, features.file_sharing);
        simulator.set_legacy_csat(account_id, features.legacy_csat);
        simulator.set_auto_messages(account_id, features.auto_messages.as_deref());
        simulator.set_engagement(account_id, engagement);
    }
}
