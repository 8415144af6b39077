//! Tests of agents who are invited, join, leave and transfer, and of other authors.

use serde_json::{Value, json};

use super::{ACCOUNT, Consumer, ReceivedWebhook, Receiver, simulator};
use crate::liveengage::conversation::Staff;
use crate::liveengage::{DeskError, ParticipantView, Role, SpeakerRole};

/// The role and state of each participant of the main dialog.
fn participants(call: &ReceivedWebhook) -> Vec<(String, String)> {
    let details = call.details()["dialogs"][0]["participantsDetails"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    details.as_array().unwrap().iter().map(|one| (text(&one["role"]), text(&one["state"]))).collect()
}

fn with_consumer(others: &[(&str, &str)]) -> Vec<(String, String)> {
    let consumer = [("CONSUMER", "ACTIVE")];
    consumer.iter().chain(others).map(|(role, state)| ((*role).to_owned(), (*state).to_owned())).collect()
}

#[tokio::test]
async fn a_suggested_agent_has_not_joined() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.suggest_agent(&conversation).unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    let agent = |suggested| ParticipantView { id: Staff::Agent.id(ACCOUNT), role: Role::AssignedAgent, suggested };
    assert_eq!((view.agent_joined, view.agents), (false, vec![agent(true)]));
    simulator.join(&conversation).unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!((view.agent_joined, view.agents), (true, vec![agent(false)]));
    simulator.webhooks_settled().await;
    let received = receiver.received();
    assert_eq!(participants(&received[0]), with_consumer(&[("ASSIGNED_AGENT", "SUGGESTED")]));
    assert_eq!(received[0].details()["participants"][1]["role"], "ASSIGNED_AGENT", "only the dialog tells the state");
    assert_eq!(participants(&received[1]), with_consumer(&[("ASSIGNED_AGENT", "ACTIVE")]));
}

#[tokio::test]
async fn an_agent_can_hand_over_to_a_colleague() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.say(&conversation, "Hello").unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.suggest_agent(&conversation).unwrap();
    simulator.say(&conversation, "I take over").unwrap();
    simulator.webhooks_settled().await;
    let received = receiver.received();
    assert_eq!(participants(&received[0]), with_consumer(&[("ASSIGNED_AGENT", "SUGGESTED")]));
    let said = received.last().unwrap().change();
    assert_eq!(said["originatorId"], Staff::Colleague.id(ACCOUNT));
}

#[tokio::test]
async fn an_agent_leaving_keeps_the_skill_and_a_transfer_changes_it() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.leave(&conversation).unwrap();
    assert!(!simulator.conversation(&conversation).unwrap().agent_joined);
    simulator.join(&conversation).unwrap();
    simulator.transfer_to_skill(&conversation, "9021").unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!((view.agent_joined, view.skill_id.as_str(), view.agents.len()), (false, "9021", 0));
    simulator.webhooks_settled().await;
    let received = receiver.received();
    let skills: Vec<Value> = received.iter().map(|call| call.details()["skillId"].clone()).collect();
    assert_eq!(skills, ["-1", "-1", "9021"]);
    assert_eq!(received[2].details()["conversationHandlerDetails"]["skillId"], "9021");
    let counts: Vec<usize> = received.iter().map(|call| participants(call).len()).collect();
    assert_eq!(counts, [1, 2, 1]);
}

#[tokio::test]
async fn others_join_once_in_addition_to_the_agent() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.second_agent_joins(&conversation).unwrap();
    simulator.second_agent_joins(&conversation).unwrap();
    simulator.manager_joins(&conversation).unwrap();
    simulator.webhooks_settled().await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    let all = [("ASSIGNED_AGENT", "ACTIVE"), ("AGENT", "ACTIVE"), ("MANAGER", "ACTIVE")];
    assert_eq!(participants(&received[1]), with_consumer(&all));
    let view = simulator.conversation(&conversation).unwrap();
    let roles: Vec<Role> = view.agents.iter().map(|agent| agent.role).collect();
    assert_eq!(roles, [Role::AssignedAgent, Role::Agent, Role::Manager]);
}

#[tokio::test]
async fn everyone_except_the_consumer_can_write_to_the_consumer() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let speakers = [
        (SpeakerRole::Agent, "AGENT"),
        (SpeakerRole::Manager, "MANAGER"),
        (SpeakerRole::AssignedManager, "ASSIGNED_MANAGER"),
        (SpeakerRole::AgentManager, "AGENT_MANAGER"),
        (SpeakerRole::Controller, "CONTROLLER"),
        (SpeakerRole::Reader, "READER"),
    ];
    for (number, (speaker, _)) in speakers.iter().enumerate() {
        assert_eq!(simulator.say_as(&conversation, *speaker, "Hello"), Ok(number as u64));
    }
    simulator.webhooks_settled().await;
    let said = receiver.received().into_iter().map(|call| call.change()).filter(|change| change["event"].is_object());
    let roles: Vec<Value> = said.map(|change| change["originatorMetadata"]["role"].clone()).collect();
    assert_eq!(roles, speakers.map(|(_, role)| role));
    let view = simulator.conversation(&conversation).unwrap();
    assert!(!view.agent_joined, "none of them is the assigned agent");
    simulator.leave(&conversation).unwrap();
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!(view.agents.iter().map(|one| one.role).collect::<Vec<_>>(), [Role::Controller]);
}

#[tokio::test]
async fn a_closed_conversation_refuses_staff_actions() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.close(&conversation).unwrap();
    let closed = Err(DeskError::Closed(conversation.clone()));
    assert_eq!(simulator.suggest_agent(&conversation), closed);
    assert_eq!(simulator.leave(&conversation), closed);
    assert_eq!(simulator.transfer_to_skill(&conversation, "9021"), closed);
    assert_eq!(simulator.second_agent_joins(&conversation), closed);
    assert_eq!(simulator.manager_joins(&conversation), closed);
    assert_eq!(
        simulator.say_as(&conversation, SpeakerRole::Manager, "Hello"),
        Err(DeskError::Closed(conversation.clone()))
    );
    assert_eq!(simulator.leave("nowhere"), Err(DeskError::UnknownConversation("nowhere".to_owned())));
    assert_eq!(simulator.conversation(&conversation).unwrap().skill_id, json!("-1"));
}
