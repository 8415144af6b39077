//! Finds the campaign of a new conversation.

use std::borrow::Cow;

use super::ConsumerSession;
use crate::{
    app::{delivery::Delivery, error::DeliveryError},
    log_event,
};
use connector_liveengage::{
    messaging::Routing,
    monitoring::{EngagementStatus, Engagements},
};

impl<'a> ConsumerSession<'a> {
    /// Returns how LiveEngage routes a new conversation: as the line says, with the campaign and interaction that the Monitoring API names,
    /// if the line asks it. If it fails or is slow, the conversation is opened without.
    pub(super) async fn routing(&self, delivery: &Delivery<'_>) -> Cow<'a, Routing> {
        let routing = &self.settings.routing;
        match self.engagements().await {
            Ok(found) => found.and_then(|found| routed(routing, &found)).map_or(Cow::Borrowed(routing), Cow::Owned),
            Err(error) => {
                log_event!(CAMPAIGN_NOT_USED, correlation = delivery.context.correlation_text(), %error);
                Cow::Borrowed(routing)
            }
        }
    }

    async fn engagements(&self) -> Result<Option<Engagements>, DeliveryError> {
        // The line's own account is the only one that knows the consumer by this id.
        let Some(engagement) = self.settings.engagement.as_ref().filter(|_| self.settings.account == *self.account)
        else {
            return Ok(None);
        };
        let consumer = self.settings.ext_consumer_id(&self.consumer.user)?;
        self.liveengage.engagements(self.caller(), &engagement.observation(&consumer)).await
    }
}

/// Adds what the Monitoring API found: the first engagement of a campaign that isn't about an open conversation. `None` if there is none.
fn routed(routing: &Routing, found: &Engagements) -> Option<Routing> {
    let engagement = found
        .engagements
        .iter()
        .find(|engagement| engagement.status != EngagementStatus::Conversation && engagement.campaign().is_some())?;
    Some(Routing {
        campaign: engagement.campaign(),
        interaction: Some(found.interaction(engagement)),
        ..routing.clone()
    })
}

#[cfg(test)]
mod tests {
    use connector_liveengage::{
        id::{ConversationId, VisitorId},
        messaging::Campaign,
        monitoring::{Engagement, Visit},
    };

    use super::*;

    fn engagement(campaign: &str, status: EngagementStatus) -> Engagement {
        Engagement {
            campaign_id: Some(campaign.to_owned()),
            engagement_id: Some("12".to_owned()),
            context_id: Some("ctx-1".to_owned()),
            status,
            ..Engagement::default()
        }
    }

    fn found(engagements: Vec<Engagement>) -> Engagements {
        let visit = Visit { visitor: VisitorId::new("v-1").unwrap(), session: None };
        Engagements { visit, page_id: None, is_new_session: true, engagements }
    }

    fn line() -> Routing {
        let campaign = Campaign { campaign_id: "1".to_owned(), engagement_id: "2".to_owned() };
        Routing { skill_id: Some("7".to_owned()), campaign: Some(campaign), ..Routing::default() }
    }

    #[test]
    fn the_first_engagement_that_can_be_opened_is_taken() {
        let incomplete = Engagement { engagement_id: None, ..engagement("10", EngagementStatus::Expose) };
        let open = Engagement {
            conversation: ConversationId::new("c-1").ok(),
            ..engagement("11", EngagementStatus::Conversation)
        };
        let routing = routed(
            &line(),
            &found(vec![
                incomplete,
                open,
                engagement("13", EngagementStatus::Unknown),
                engagement("14", EngagementStatus::Expose),
            ]),
        )
        .unwrap();
        assert_eq!(routing.campaign.map(|campaign| campaign.campaign_id).as_deref(), Some("13"));
        assert_eq!(routing.skill_id.as_deref(), Some("7"), "the rest is the line's");
        let interaction = routing.interaction.unwrap();
        assert_eq!((interaction.visitor.as_str(), interaction.context_id.as_deref()), ("v-1", Some("ctx-1")));
    }

    #[test]
    fn without_one_the_line_s_own_campaign_stays() {
        for engagements in [vec![], vec![engagement("11", EngagementStatus::Conversation)]] {
            assert_eq!(routed(&line(), &found(engagements)), None);
        }
    }
}
