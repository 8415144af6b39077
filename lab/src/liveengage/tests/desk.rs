//! Tests of the agent's desk.

use serde_json::json;

use super::{ACCOUNT, Consumer, Receiver, simulator};
use crate::liveengage::{AcceptStatus, Audience, DeskError, Role, WebhookEvent};

#[tokio::test]
async fn an_agent_joins_by_answering() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    consumer.say(&conversation, "Hello").await;
    assert!(!simulator.conversation(&conversation).unwrap().agent_joined);
    assert_eq!(simulator.say(&conversation, "Good morning"), Ok(1));
    assert_eq!(simulator.say_privately(&conversation, "A regular"), Ok(2));
    simulator.join(&conversation).unwrap();
    simulator.webhooks_settled().await;

    let view = simulator.conversation(&conversation).unwrap();
    assert!(view.agent_joined && view.open);
    let lines: Vec<_> =
        view.transcript.iter().map(|line| (line.who, line.sequence, line.text.as_str(), line.audience)).collect();
    assert_eq!(
        lines,
        [
            (Role::Consumer, 0, "Hello", Audience::All),
            (Role::AssignedAgent, 1, "Good morning", Audience::All),
            (Role::AssignedAgent, 2, "A regular", Audience::AgentsAndManagers),
        ]
    );
    let joins = receiver.received().iter().filter(|call| !call.change()["result"].is_null()).count();
    assert_eq!(joins, 1, "the agent joins once");
}

#[tokio::test]
async fn reading_reports_each_text_once() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    consumer.say(&conversation, "One").await;
    consumer.say(&conversation, "Two").await;
    assert_eq!(simulator.read(&conversation), Ok(vec![0, 1]));
    assert_eq!(simulator.read(&conversation), Ok(vec![]));
    assert_eq!(simulator.say(&conversation, "Three"), Ok(3), "one receipt took number 2");
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!(view.transcript[1].statuses, [AcceptStatus::Read]);
}

#[tokio::test]
async fn closed_and_unknown_conversations_are_refused() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.close(&conversation).unwrap();
    assert_eq!(simulator.conversation(&conversation).unwrap().closed_by.as_deref(), Some("AGENT"));
    let closed = DeskError::Closed(conversation.clone());
    assert_eq!(simulator.close(&conversation), Err(closed.clone()));
    assert_eq!(simulator.join(&conversation), Err(closed.clone()));
    assert_eq!(simulator.say(&conversation, "Late"), Err(closed.clone()));
    assert_eq!(simulator.typing(&conversation, true), Err(closed));

    let unknown = DeskError::UnknownConversation("nowhere".to_owned());
    assert_eq!(simulator.say("nowhere", "Hello"), Err(unknown.clone()));
    assert_eq!(simulator.conversation("nowhere").unwrap_err(), unknown);
    assert_eq!(simulator.foreign_conversation("99999", &[]), Err(DeskError::UnknownAccount("99999".to_owned())));
    assert_eq!(
        simulator.foreign_visitor_says(&conversation, "I am not one"),
        Err(DeskError::NotForeign(conversation.clone()))
    );
}

#[tokio::test]
async fn a_page_can_follow_and_show_the_conversations() {
    let simulator = simulator().await;
    let mut changes = simulator.subscribe();
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let first = consumer.open().await;
    let second = simulator.foreign_conversation(ACCOUNT, &[]).unwrap();
    consumer.say(&first, "Hello").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let change = changes.recv().await.unwrap();
        assert_eq!(change.account_id, ACCOUNT);
        seen.push((change.conversation_id, change.event));
    }
    assert_eq!(
        seen,
        [
            (first.clone(), WebhookEvent::ExConversation),
            (second.clone(), WebhookEvent::ExConversation),
            (first.clone(), WebhookEvent::Content),
        ]
    );
    let shown = serde_json::to_value(simulator.conversations()).unwrap();
    assert_eq!((&shown[0]["id"], &shown[1]["id"]), (&json!(first), &json!(second)));
    assert_eq!(shown[0]["transcript"][0]["who"], "CONSUMER");
}
