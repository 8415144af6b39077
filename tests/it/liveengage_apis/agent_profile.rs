//! An agent's public profile, for the name of who answers.

use connector_lab::liveengage::SpeakerRole;
use connector_liveengage::{
    agent_profile::{AgentProfile, answer, request},
    domain_api::Service,
    history::{events_answer, events_request},
    id::AgentId,
};

use super::Client;

impl Client {
    async fn profile(&self, agent: &str) -> Option<AgentProfile> {
        let agent = AgentId::new(agent).unwrap();
        let call = request(self.host(Service::AgentProfiles), &self.account, &agent);
        answer(&self.call(call).await).unwrap()
    }
}

#[tokio::test]
async fn whoever_answers_has_a_name_by_the_id_in_the_events() {
    let client = Client::new().await;
    let consumer = client.consumer("consumer-1").await;
    let conversation = consumer.open().await;
    client.simulator.say(conversation.as_str(), "Good morning").unwrap();
    client.simulator.say_as(conversation.as_str(), SpeakerRole::Controller, "Please wait").unwrap();
    let token = &consumer.identity.token;
    let call = events_request(client.host(Service::History), &client.account, token, &conversation).unwrap();
    let events = events_answer(&client.call(call).await).unwrap().events;
    let mut profiles = Vec::new();
    for event in events {
        profiles.push(client.profile(event.originator.as_deref().unwrap()).await.unwrap());
    }
    let names: Vec<_> = profiles.iter().map(|profile| profile.shown_name().unwrap()).collect();
    assert_eq!(names, ["Robin", "Controller"]);
    assert!(profiles[0].picture.is_some() && profiles[0].employee_id.is_none());
    assert_eq!(profiles[1].full_name, None);
}

#[tokio::test]
async fn nobody_else_has_a_profile() {
    let client = Client::new().await;
    for nobody in ["00000000-0000-0000-0000-000000000000", "a/b", "../../users"] {
        assert_eq!(client.profile(nobody).await, None, "{nobody}");
    }
}
