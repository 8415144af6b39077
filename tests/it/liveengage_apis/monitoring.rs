//! Campaigns for a consumer, before and during a conversation.

use connector_lab::liveengage::{EngagementOptions, Service as Simulated};
use connector_liveengage::{
    LiveEngageError,
    domain_api::Service,
    id::AppInstallId,
    monitoring::{
        App, EngagementAnswer, EngagementStatus, Engagements, Impression, ImpressionKind, Observation, Visit,
        VisitorIdentity, engagement_answer, engagement_request, report_answer, report_request,
    },
};
use http::StatusCode;

use super::{ACCOUNT, CLIENT_ID, Client};

fn observation(consumer: &str) -> Observation {
    Observation { identities: vec![VisitorIdentity::authenticated(consumer)], ..Observation::default() }
}

impl Client {
    async fn ask(&self, visit: Option<&Visit>, seen: &Observation) -> Result<EngagementAnswer, LiveEngageError> {
        let app = AppInstallId::new(CLIENT_ID).unwrap();
        let app = App { monitoring: self.host(Service::Monitoring), account: &self.account, app: &app };
        engagement_answer(&self.call(engagement_request(app, visit, None, seen)).await)
    }

    async fn engagements(&self, visit: Option<&Visit>, consumer: &str) -> Engagements {
        match self.ask(visit, &observation(consumer)).await.unwrap() {
            EngagementAnswer::Ready(found) => found,
            EngagementAnswer::Loading(visit) => panic!("{visit:?}"),
        }
    }

    async fn report(&self, visit: &Visit, seen: &Observation) -> Result<Visit, LiveEngageError> {
        let app = AppInstallId::new(CLIENT_ID).unwrap();
        let app = App { monitoring: self.host(Service::Monitoring), account: &self.account, app: &app };
        report_answer(&self.call(report_request(app, visit, seen)).await)
    }
}

#[tokio::test]
async fn a_campaign_is_found_reported_and_known_again_in_the_conversation() {
    let client = Client::new().await;
    assert!(client.engagements(None, "consumer-1").await.engagements.is_empty(), "the account has no campaign");
    let campaign = EngagementOptions { campaign_id: 3_115_000_001, engagement_id: 3_115_000_002 };
    client.simulator.set_engagement(ACCOUNT, Some(campaign));

    let first = client.engagements(None, "consumer-1").await;
    assert!(first.is_new_session);
    let [shown] = first.engagements.try_into().unwrap();
    assert_eq!((shown.status, shown.context_id.as_deref()), (EngagementStatus::Expose, Some("1")));
    assert_eq!(shown.campaign().unwrap().campaign_id, "3115000001");
    let again = client.engagements(Some(&first.visit), "consumer-1").await;
    assert_eq!((again.is_new_session, &again.visit), (false, &first.visit));

    let impression = Impression {
        kind: ImpressionKind::Display,
        campaign_id: 3_115_000_001,
        engagement_id: 3_115_000_002,
        revision: shown.revision.unwrap(),
        context_id: shown.context_id,
    };
    let seen = Observation { impressions: vec![impression], page_id: first.page_id, ..observation("consumer-1") };
    assert_eq!(client.report(&first.visit, &seen).await.unwrap(), first.visit);

    let conversation = client.consumer("consumer-1").await.open().await;
    let during = client.engagements(Some(&first.visit), "consumer-1").await;
    assert_eq!(during.engagements[0].status, EngagementStatus::Conversation);
    assert_eq!(during.engagements[0].conversation, Some(conversation));
    assert_eq!(client.engagements(None, "consumer-2").await.engagements[0].status, EngagementStatus::Expose);
}

#[tokio::test]
async fn an_account_that_is_loading_is_asked_again_with_its_visitor() {
    let client = Client::new().await;
    let loading = r#"{"time": 1790000000000, "message": "Loading account: ab, vid: v-7", "internalCode": 20}"#;
    client.simulator.fail_next(Simulated::Monitoring, StatusCode::INTERNAL_SERVER_ERROR, loading);
    let EngagementAnswer::Loading(visit) = client.ask(None, &observation("consumer-1")).await.unwrap() else {
        panic!("it is not loading")
    };
    let found = client.engagements(Some(&visit), "consumer-1").await;
    assert_eq!(found.visit.visitor, visit.visitor);
    assert!(found.is_new_session);
}

#[tokio::test]
async fn a_call_without_an_identity_is_refused_with_liveperson_s_number() {
    let client = Client::new().await;
    let refused = client.ask(None, &Observation::default()).await.unwrap_err();
    assert!(
        matches!(&refused, LiveEngageError::Refused { status: 400, code, .. } if code.as_str() == "5"),
        "{refused}"
    );
}
