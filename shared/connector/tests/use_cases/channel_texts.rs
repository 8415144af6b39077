//! Agents' messages reach the consumer once, and nothing else does.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::FutureExt;
use serde_json::json;

use super::world::{
    ANNA, BEN, CONVERSATION, Fault, SMS, World, account, again, agent_says, attempt, change, conversation_change,
    conversation_id, event, from_consumer, reply,
};
use connector::{
    app::policy::QUEUE_VISIBILITY,
    domain::delivery::ConversationOwner,
    port::{Consumers, Http},
};
use connector_testing::ScriptedHttp;

const EVENTS: &str = "ms.MessagingEventNotification";

fn content(text: &str) -> serde_json::Value {
    json!({"type": "ContentEvent", "contentType": "text/plain", "message": text})
}

#[tokio::test]
async fn an_agents_text_reaches_the_consumer_once() {
    let world = World::talking(ANNA).await;
    for process in 0..3 {
        world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt(process, process * 400)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["hi"]);
    let call = world.http.calls().into_iter().find(|call| call.name == SMS).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!((&body["to"], &body["from"]), (&json!(ANNA), &json!("+493023125042")));
}

#[tokio::test]
async fn private_messages_and_states_cost_no_outside_call() {
    let world = World::talking(ANNA).await;
    let ports = world.ports(None);
    let workers = world.workers_with(&ports);
    for change_of in [
        event("c1", 4, "CONSUMER", "ALL", &json!({"type": "AcceptStatusEvent", "status": "READ"})),
        event("c1", 5, "ASSIGNED_AGENT", "AGENTS_AND_MANAGERS", &content("a difficult one")),
        event("c1", 7, "ASSIGNED_AGENT", "ALL", &json!({"type": "AcceptStatusEvent", "status": "READ"})),
        event("c1", 8, "ASSIGNED_AGENT", "ALL", &json!({"type": "ChatStateEvent", "chatState": "COMPOSING"})),
        event("c1", 9, "ASSIGNED_AGENT", "ALL", &json!({"type": "HologramEvent"})),
    ] {
        workers.to_channel.work(&change(EVENTS, 0, &change_of), &attempt("a", 1)).await.unwrap();
    }
    assert_eq!(ports.calls(), [""; 0]);
}

#[tokio::test]
async fn bots_managers_and_unknown_roles_are_the_brand() {
    let world = World::talking(ANNA).await;
    for (sequence, role) in (4..).zip(["ASSIGNED_AGENT", "AGENT", "MANAGER", "CONTROLLER", "A_NEW_ROLE"]) {
        let task = change(EVENTS, 0, &event("c1", sequence, role, "ALL", &content(role)));
        world.workers().to_channel.work(&task, &attempt(role, 1)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["ASSIGNED_AGENT", "AGENT", "MANAGER", "CONTROLLER", "A_NEW_ROLE"]);
}

#[tokio::test]
async fn a_text_that_is_faster_than_its_conversation_waits_for_it() {
    let world = World::new().await;
    let workers = world.workers();
    let welcome = agent_says("c1", 0, "welcome");
    assert_eq!(workers.to_channel.work(&welcome, &attempt("early", 0)).await, again(1));
    assert_eq!(world.count(SMS), 0);
    workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 1)).await.unwrap();
    workers.to_channel.work(&welcome, &attempt("later", 2)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["welcome"]);
}

#[tokio::test]
async fn another_channels_conversation_is_marked_and_dropped() {
    let world = World::talking(ANNA).await;
    let ports = world.ports(None);
    let workers = world.workers_with(&ports);
    let foreign = conversation_id("web-1");
    // Its state was notified: it is known to be foreign at once.
    let state = conversation_change("web-1", Some("somebody-else"), "OPEN", 5);
    workers.to_channel.work(&state, &attempt("state", 5)).await.unwrap();
    assert_eq!(world.store.conversation_owner(&account(), &foreign).await.unwrap(), Some(ConversationOwner::Foreign));
    let before = ports.calls().len();
    workers.to_channel.work(&agent_says("web-1", 1, "not for us"), &attempt("text", 6)).await.unwrap();
    assert_eq!(ports.calls()[before..], ["conversation_owner"], "one read, no lease");

    // Its state was not notified: it is looked up at growing intervals, and presumed foreign after 13 minutes.
    let silent = agent_says("web-2", 1, "not for us either");
    for (second, after) in [(400, 1), (401, 1), (402, 2), (432, 32), (528, 120), (1179, 120)] {
        assert_eq!(workers.to_channel.work(&silent, &attempt("text", second)).await, again(after));
    }
    workers.to_channel.work(&silent, &attempt("text", 1180)).await.unwrap();
    assert_eq!(
        world.store.conversation_owner(&account(), &conversation_id("web-2")).await.unwrap(),
        Some(ConversationOwner::PresumedForeign)
    );
    assert_eq!(world.count(SMS), 0);
}

/// The worker that opened the conversation was stopped before it could record it, and so was the one with the notification. Their messages
/// come again when the queues' visibility timeout has passed.
#[tokio::test]
async fn a_text_waits_until_two_stopped_workers_have_retried() {
    let world = World::new().await;
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 0)).await.unwrap_err();
    let welcome = agent_says("c1", 0, "welcome");
    workers.to_channel.work(&welcome, &attempt("early", 1)).await.unwrap_err();
    let second_time = 2 * QUEUE_VISIBILITY.as_secs() + 60;
    assert_eq!(workers.to_channel.work(&welcome, &attempt("late", second_time)).await, again(120));
    world.receive_notification(second_time + 1).await;
    workers.to_channel.work(&welcome, &attempt("next", second_time + 121)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["(sent 15 min ago) welcome"]);
}

/// The table was down for a day. A text that waited this long must not count as another channel's before the notification next to it is
/// handled.
#[tokio::test]
async fn a_text_does_not_count_as_another_channels_while_the_owner_cannot_be_looked_up() {
    let world = World::new().await;
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 0)).await.unwrap_err();
    let welcome = agent_says("c1", 0, "welcome");
    let day = 86_400;
    assert_eq!(workers.to_channel.work(&welcome, &attempt("late", day)).await, again(1));
    assert!(world.store.parked().is_empty());
    world.receive_notification(day + 1).await;
    workers.to_channel.work(&welcome, &attempt("next", day + 1)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["(sent 24 h ago) welcome"]);
}

#[tokio::test]
async fn the_last_words_after_the_end_still_arrive() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&conversation_change("c1", None, "CLOSE", 9), &attempt("end", 9)).await.unwrap();
    workers.to_channel.work(&agent_says("c1", 8, "goodbye"), &attempt("text", 10)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["goodbye"]);
}

#[tokio::test]
async fn a_text_in_three_messages_goes_on_after_the_part_that_failed() {
    let world = World::talking(ANNA).await;
    let (first, second, third) = ("a".repeat(1520), "b".repeat(1520), "c".repeat(5));
    let task = agent_says("c1", 4, &format!("{first}{second}{third}"));
    let workers = world.workers();
    // The first part is sent. The gateway is down when the second one is.
    let http = Arc::new(ScriptedHttp::new({
        let behind = Arc::clone(&world.http);
        let calls = AtomicUsize::new(0);
        move |call| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => behind.call(call.clone()).now_or_never().unwrap(),
            _ => Ok(reply(503, &json!({}))),
        }
    }));
    let failing = world.workers_over(Arc::clone(&world.store), http);
    assert_eq!(failing.to_channel.work(&task, &attempt("a", 0)).await, again(5));
    assert_eq!(world.other().sms_texts(), [first.as_str()]);
    workers.to_channel.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(world.other().sms_texts(), [first.as_str(), &second, &third]);
    let references: Vec<_> = world.other().sms.iter().map(|(_, reference)| reference.clone()).collect();
    let (name, _) = references[0].split_once('.').unwrap();
    assert_eq!(references, [format!("{name}.0"), format!("{name}.1"), format!("{name}.2")]);
}

#[tokio::test]
async fn a_permanently_rejected_message_is_parked_and_the_next_one_is_delivered() {
    for (status, body, reason) in [
        (
            422,
            json!({"error": {"code": "opted_out"}}),
            "the channel can't reach this person (HTTP 422, code opted_out)",
        ),
        (400, json!({}), "the channel refuses the message (HTTP 400, code none)"),
        (302, json!({}), "the channel refuses the message (HTTP 302, code none)"),
    ] {
        let world = World::talking(ANNA).await;
        world.fault(SMS, Fault::Answer(status, body));
        let workers = world.workers();
        let refused = agent_says("c1", 4, "first");
        workers.to_channel.work(&refused, &attempt("a", 0)).await.unwrap();
        workers.to_channel.work(&agent_says("c1", 5, "second"), &attempt("b", 1)).await.unwrap();
        workers.to_channel.work(&refused, &attempt("c", 400)).await.unwrap();
        let parked = world.store.parked();
        assert_eq!(parked.len(), 1, "{status}");
        assert_eq!(parked[0].reason, reason);
        assert_eq!((&parked[0].body, parked[0].line.as_ref().unwrap().as_str()), (&refused, "sms-main"));
        assert_eq!(parked[0].conversation, Some(conversation_id("c1")));
        assert_eq!(world.other().sms_texts(), ["second"]);
    }
}

#[tokio::test]
async fn a_passing_failure_of_the_channel_is_tried_again() {
    for fault in
        [Fault::NotSent, Fault::Answer(500, json!({})), Fault::Answer(429, json!({})), Fault::Answer(401, json!({}))]
    {
        let world = World::talking(ANNA).await;
        world.fault(SMS, fault);
        let workers = world.workers();
        assert_eq!(workers.to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", 0)).await, again(5));
        workers.to_channel.work(&agent_says("c1", 4, "hi"), &attempt("b", 5)).await.unwrap();
        assert_eq!(world.other().sms_texts(), ["hi"]);
    }
}

#[tokio::test]
async fn a_senders_text_with_a_number_appears_in_no_reason() {
    let world = World::talking(ANNA).await;
    let refused = json!({"error": {"code": "unreachable_491713920017"}});
    world.fault(SMS, Fault::Answer(422, refused));
    world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", 0)).await.unwrap();
    let secret_form = json!({"type": "ContentEvent", "contentType": "call/491713920017", "message": "x"});
    let task = change(EVENTS, 0, &event("c1", 5, "ASSIGNED_AGENT", "ALL", &secret_form));
    world.workers().to_channel.work(&task, &attempt("b", 1)).await.unwrap();
    let reasons: Vec<_> = world.store.parked().into_iter().map(|parked| parked.reason).collect();
    assert_eq!(
        reasons,
        [
            "the channel can't reach this person (HTTP 422, code none)",
            "content of an unknown type can't be carried to this channel"
        ]
    );
    let notices: String = world.news.sent().into_iter().map(|message| message.body).collect();
    assert!(notices.contains("code none") && !notices.contains("unreachable"), "{notices}");
}

#[tokio::test]
async fn content_that_sms_does_not_support_is_parked() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    let picture = json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {"relativePath": "x"}});
    let card = json!({"type": "RichContentEvent", "content": {}});
    for (sequence, content) in (4..).zip([picture, card]) {
        let task = change(EVENTS, 0, &event("c1", sequence, "ASSIGNED_AGENT", "ALL", &content));
        workers.to_channel.work(&task, &attempt(sequence, 1)).await.unwrap();
    }
    let reasons: Vec<_> = world.store.parked().into_iter().map(|parked| parked.reason).collect();
    assert_eq!(
        reasons,
        [
            "hosted/file can't be carried to this channel",
            "structured content without any text can't be carried to this channel"
        ]
    );
    assert_eq!(world.count(SMS), 0);
}

#[tokio::test]
async fn a_change_that_cannot_be_read_is_kept_once() {
    let world = World::talking(ANNA).await;
    let broken = change(EVENTS, 0, &json!({"sequence": 3, "event": {"type": "ContentEvent", "message": "no dialog"}}));
    for process in 0..2 {
        world.workers().to_channel.work(&broken, &attempt(process, process * 100)).await.unwrap();
    }
    let reasons: Vec<_> = world.store.parked().into_iter().map(|parked| parked.reason).collect();
    assert_eq!(reasons, ["the change has no readable dialogId"]);
}

#[tokio::test]
async fn an_empty_text_sends_nothing_and_is_done() {
    let world = World::talking(ANNA).await;
    world.workers().to_channel.work(&agent_says("c1", 4, ""), &attempt("a", 0)).await.unwrap();
    assert_eq!((world.count(SMS), world.store.parked().len()), (0, 0));
}

#[tokio::test]
async fn each_consumer_gets_only_their_own_conversation() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-b", BEN, "ben here"), &attempt("b", 1)).await.unwrap();
    workers.to_channel.work(&agent_says("c2", 1, "for ben"), &attempt("c", 2)).await.unwrap();
    workers.to_channel.work(&agent_says("c1", 1, "for anna"), &attempt("d", 3)).await.unwrap();
    let sent: Vec<_> = world
        .http
        .calls()
        .iter()
        .filter(|call| call.name == SMS)
        .map(|call| {
            let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
            (body["to"].as_str().unwrap().to_owned(), body["text"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(sent, [(BEN.to_owned(), "for ben".to_owned()), (ANNA.to_owned(), "for anna".to_owned())]);
}

#[tokio::test]
async fn an_event_without_a_role_is_an_echo_when_the_consumer_is_its_originator() {
    let world = World::talking(ANNA).await;
    let consumer = world.consumer(ANNA).await.identity.unwrap().lp_consumer_id;
    for (sequence, originator) in (4..).zip([consumer.as_str(), "agent-1"]) {
        let mut message = event("c1", sequence, "", "ALL", &content(originator));
        message["originatorMetadata"] = json!({"id": originator});
        world.workers().to_channel.work(&change(EVENTS, 0, &message), &attempt(sequence, 1)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["agent-1"]);
}
