//! After a call without an answer, or of a worker that was stopped, the next attempt checks whether it was carried out before repeating it.

use futures::FutureExt;
use serde_json::{Value, json};

use super::{
    ports::{Crash, Moment},
    world::{
        ANNA, CONVERSATION, Fault, SEND, SENTINEL, SMS, World, again, agent_says, at, attempt, change,
        conversation_change, event, from_channel, from_consumer,
    },
};
use connector::{
    app::{delivery::Attempt, policy::LAST_RECEIVE},
    queue_message::Received,
};

fn texts(world: &World) -> Vec<(String, String)> {
    world.other().texts.clone()
}

fn sent_text(conversation: &str, text: &str) -> (String, String) {
    (conversation.to_owned(), text.to_owned())
}

#[tokio::test]
async fn a_text_whose_answer_was_lost_is_not_sent_again_when_its_echo_has_come() {
    for fault in [Fault::LoseAnswer].into_iter().chain([408, 500, 502, 503, 504].map(Fault::CarryOutAndAnswer)) {
        let world = World::talking(ANNA).await;
        world.fault(SEND, fault);
        let task = from_consumer("mo-2", ANNA, "two");
        assert_eq!(world.workers().to_liveengage.work(&task, &attempt("a", 0)).await, again(5));
        world.receive_echoes(1).await;
        world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!(texts(&world), [sent_text("c1", "two")]);
    }
}

#[tokio::test]
async fn an_echo_is_proof_although_the_clock_of_the_environment_that_accepted_it_is_behind() {
    for (ahead, sends) in [(10, 1), (11, 2)] {
        let world = World::talking(ANNA).await;
        world.fault(SEND, Fault::LoseAnswer);
        // The echo is accepted at second 0.
        let task = from_channel("mo-2", ANNA, ahead, &json!({"kind": "text", "text": "two"}));
        assert_eq!(world.workers().to_liveengage.work(&task, &attempt("a", ahead)).await, again(5));
        world.receive_echoes(1).await;
        world.workers().to_liveengage.work(&task, &attempt("b", ahead + 5)).await.unwrap();
        assert_eq!(texts(&world).len(), sends, "{ahead} s ahead");
    }
}

#[tokio::test]
async fn without_the_echo_it_is_sent_again() {
    let world = World::talking(ANNA).await;
    world.fault(SEND, Fault::LoseAnswer);
    let task = from_consumer("mo-2", ANNA, "two");
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "two"), sent_text("c1", "two")]);
}

#[tokio::test]
async fn the_echo_of_an_equal_text_before_it_proves_nothing() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "hello?"), &attempt("a", 0)).await.unwrap();
    world.receive_echoes(1).await;
    // This one never arrives.
    world.fault(SEND, Fault::Answer(504, json!({})));
    let again = from_consumer("mo-3", ANNA, "hello?");
    workers.to_liveengage.work(&again, &attempt("b", 2)).await.unwrap_err();
    workers.to_liveengage.work(&again, &attempt("c", 7)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "hello?"), sent_text("c1", "hello?")], "both, each once");
}

#[tokio::test]
async fn each_of_two_equal_texts_finds_its_own_echo() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    for (id, second) in [("mo-2", 0), ("mo-3", 10), ("mo-4", 20)] {
        world.fault(SEND, Fault::LoseAnswer);
        let task = from_consumer(id, ANNA, "ok");
        workers.to_liveengage.work(&task, &attempt(id, second)).await.unwrap_err();
        world.receive_echoes(second + 1).await;
        workers.to_liveengage.work(&task, &attempt(id, second + 5)).await.unwrap();
    }
    assert_eq!(texts(&world), [sent_text("c1", "ok"), sent_text("c1", "ok"), sent_text("c1", "ok")]);
}

#[tokio::test]
async fn an_uncertain_outcome_outlives_attempts_without_a_call_or_with_a_definite_rejection() {
    let world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    // The echo is late. LiveEngage doesn't answer at all, and then rejects the call.
    for fault in [Fault::NotSent, Fault::Answer(429, json!({})), Fault::Answer(503, json!({}))] {
        world.fault(SEND, fault);
        world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap_err();
    }
    world.receive_echoes(6).await;
    world.workers().to_liveengage.work(&task, &attempt("c", 30)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "two")]);
}

#[tokio::test]
async fn proof_is_looked_for_where_the_text_went_and_not_where_it_would_go_now() {
    let world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.receive_echoes(1).await;
    // The conversation ends before the next attempt.
    let news = conversation_change("c1", None, "CLOSE", 3);
    world.workers().to_channel.work(&news, &attempt("news", 3)).await.unwrap();
    world.other().close("c1");
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "two")]);
    assert_eq!(world.count(CONVERSATION), 1, "no conversation is opened for a text that was published");
    // The next one goes into a new conversation, as usual.
    world.workers().to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("c", 9)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "two"), sent_text("c2", "three")]);
}

/// Only the last number is known, and it is of the survey's dialog. For the main dialog the time decides.
#[tokio::test]
async fn an_answer_in_the_survey_is_not_taken_for_an_equal_text_before_it() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    let text =
        |id: &str, accepted, text: &str| from_channel(id, ANNA, accepted, &json!({"kind": "text", "text": text}));
    workers.to_liveengage.work(&text("mo-2", 1, "yes"), &attempt("a", 1)).await.unwrap();
    world.receive_echoes(2).await;
    let dialogs = json!([{"dialogId": "s-9", "dialogType": "POST_SURVEY", "state": "OPEN"},
        {"dialogId": "c1", "dialogType": "MAIN", "state": "CLOSE"}]);
    let details = json!({"participants": [], "stage": "OPEN", "dialogs": dialogs, "metaDataLastUpdateTs": at(20).as_millisecond()});
    let survey = json!({"type": "UPSERT", "result": {"convId": "c1", "conversationDetails": details}});
    let news = change("cqm.ExConversationChangeNotification", 20, &survey);
    world.other().begin_survey("c1", "s-9");
    workers.to_channel.work(&news, &attempt("news", 20)).await.unwrap();
    workers.to_liveengage.work(&text("mo-3", 30, "no"), &attempt("b", 30)).await.unwrap();
    // The second answer is not published.
    world.fault(SEND, Fault::Answer(504, json!({})));
    let second = text("mo-4", 40, "yes");
    workers.to_liveengage.work(&second, &attempt("c", 40)).await.unwrap_err();
    workers.to_liveengage.work(&second, &attempt("d", 45)).await.unwrap();
    let published: Vec<_> = texts(&world).into_iter().map(|(_, text)| text).collect();
    assert_eq!(published, ["yes", "no", "yes"]);
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_success() {
    let world = World::talking(ANNA).await;
    world.fault(SEND, Fault::Page);
    let task = from_consumer("mo-2", ANNA, "two");
    assert_eq!(world.workers().to_liveengage.work(&task, &attempt("a", 0)).await, again(5));
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "two")]);
}

#[tokio::test]
async fn the_second_piece_of_a_long_text_is_proved_by_its_own_echo() {
    let world = World::talking(ANNA).await;
    // Two parts with the same text.
    let piece = "a".repeat(3200);
    let task = from_consumer("mo-2", ANNA, &piece.repeat(2));
    world.fault(SEND, Fault::Nothing);
    world.fault(SEND, Fault::Answer(504, json!({})));
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.receive_echoes(1).await;
    assert_eq!(texts(&world).len(), 1);
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(texts(&world).len(), 2, "the first one's echo is not the second one's");
}

#[tokio::test]
async fn another_channels_echo_costs_one_read_and_is_not_kept() {
    let world = World::talking(ANNA).await;
    let ports = world.ports(None);
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "from the web"});
    let echo = change("ms.MessagingEventNotification", 0, &event("foreign-1", 4, "CONSUMER", "ALL", &content));
    world.workers_with(&ports).to_channel.work(&echo, &attempt("a", 1)).await.unwrap();
    assert_eq!(ports.calls(), ["conversation_owner"]);
}

#[tokio::test]
async fn an_own_echo_costs_two_calls_and_is_kept_however_its_sender_is_named() {
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "two"});
    let by_role = event("c1", 4, "CONSUMER", "ALL", &content);
    let mut by_id = by_role.clone();
    let world = World::talking(ANNA).await;
    let lp = world.consumer(ANNA).await.identity.unwrap().lp_consumer_id;
    by_id["originatorMetadata"] = json!({"id": lp.as_str()});
    for (echo, calls) in [
        (by_role, vec!["conversation_owner", "note_echo"]),
        (by_id, vec!["conversation_owner", "consumer_by_lp_id", "note_echo"]),
    ] {
        let ports = world.ports(None);
        let task = change("ms.MessagingEventNotification", 0, &echo);
        world.workers_with(&ports).to_channel.work(&task, &attempt("a", 1)).await.unwrap();
        assert_eq!(ports.calls(), calls);
    }
    assert_eq!(world.count(SMS), 0);
}

#[tokio::test]
async fn a_line_that_parks_uncertain_messages_parks_the_text_and_notifies_the_consumer() {
    let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
    let task = from_consumer("mo-2", ANNA, "two");
    // These are definite: nothing was published.
    for fault in [Fault::NotSent, Fault::Answer(404, json!({})), Fault::Answer(429, json!({}))] {
        world.fault(SEND, fault);
        world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    }
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().to_liveengage.work(&task, &attempt("b", 1)).await.unwrap_err();
    world.workers().to_liveengage.work(&task, &attempt("c", 30)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "two")], "once: the outcome is uncertain, and it is not repeated");
    assert_eq!(world.store.parked().len(), 1);
    let news = world.news.sent();
    assert!(news.iter().any(|message| message.body.contains("notice_v1")), "the consumer is notified");
}

#[tokio::test]
async fn a_line_that_parks_uncertain_messages_still_accepts_proof() {
    let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.receive_echoes(1).await;
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!((texts(&world), world.store.parked().len()), (vec![sent_text("c1", "two")], 0));
}

#[tokio::test]
async fn a_token_that_cannot_be_requested_leaves_no_uncertain_outcome() {
    let world = World::with(&json!({"on_uncertain": "park"})).await;
    world.fault(SENTINEL, Fault::LoseAnswer);
    let task = from_consumer("mo-1", ANNA, "one");
    let second = world.workers().insist(&world, &task, 0).await;
    assert!(second >= 5);
    assert_eq!((texts(&world), world.store.parked().len()), (vec![sent_text("c1", "one")], 0));
}

#[tokio::test]
async fn a_line_that_repeats_once_parks_at_the_second_uncertain_outcome() {
    let world = World::talking_with(ANNA, &json!({"on_uncertain": "repeat_once"})).await;
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(SEND, Fault::LoseAnswer);
    world.fault(SEND, Fault::LoseAnswer);
    for (name, second) in [("a", 0), ("b", 5)] {
        world.workers().to_liveengage.work(&task, &attempt(name, second)).await.unwrap_err();
    }
    world.workers().to_liveengage.work(&task, &attempt("c", 15)).await.unwrap();
    assert_eq!((texts(&world).len(), world.store.parked().len()), (2, 1));
}

fn report(world: &World, status: &str) -> String {
    let reference = world.other().sms.last().unwrap().1.clone();
    let id = format!("mt-{}", world.other().sms.len());
    json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-rep", "accepted_at": at(1),
        "status": {"status": status}, "messages": [id], "references": [[id, reference]],
    })
    .to_string()
}

#[tokio::test]
async fn an_agents_text_whose_answer_was_lost_is_not_sent_again_when_the_channel_has_reported_it() {
    let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    let (first, second) = ("a".repeat(1520), "b".repeat(20));
    let task = agent_says("c1", 4, &format!("{first}{second}"));
    world.fault(SMS, Fault::LoseAnswer);
    assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 0)).await, again(5));
    let early = report(&world, "delivered");
    // The report waits until its message is recorded, and proves that the channel accepted it.
    assert_eq!(world.workers().to_liveengage.work(&early, &attempt("r", 1)).await, again(1));
    world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(world.other().sms_texts(), [first.as_str(), second.as_str()]);
    // And LiveEngage gets the report once the message is recorded.
    world.workers().to_liveengage.work(&early, &Attempt { received: 2, ..attempt("r2", 6) }).await.unwrap();
    let last = report(&world, "delivered");
    world.workers().to_liveengage.work(&last, &attempt("r3", 7)).await.unwrap();
    let published: Vec<Value> = world.other().requests.iter().map(|request| request["body"]["event"].clone()).collect();
    assert_eq!(published, [json!({"type": "AcceptStatusEvent", "status": "ACCEPT", "sequenceList": [4]})]);
}

/// The table failed to record it, or the worker was stopped before.
#[tokio::test]
async fn a_report_proves_a_call_also_when_it_is_noted_only_when_the_report_comes_again() {
    for moment in [Moment::Before, Moment::After] {
        let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
        let task = agent_says("c1", 4, "hi");
        world.fault(SMS, Fault::LoseAnswer);
        world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
        let early = report(&world, "delivered");
        // The ledger is read first, by the id and by our reference, and then written.
        let crashing = world.ports(Some(Crash { call: 2, moment }));
        let first = world.workers_with(&crashing).to_liveengage.work(&early, &attempt("r", 1)).now_or_never();
        assert_eq!((first.is_none(), crashing.calls().last()), (true, Some(&"note_accepted")));
        let again = Attempt { received: 2, ..attempt("r2", 2) };
        world.workers().to_liveengage.work(&early, &again).await.unwrap_err();
        world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!(world.other().sms_texts(), ["hi"], "{moment:?}");
    }
}

#[tokio::test]
async fn a_report_that_waits_for_its_message_is_noted_once() {
    let world = World::talking(ANNA).await;
    let task = agent_says("c1", 4, "hi");
    world.fault(SMS, Fault::LoseAnswer);
    world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
    let early = report(&world, "delivered");
    let ports = world.ports(None);
    for (received, second) in (1..).zip([1, 2, 4, 8]) {
        let attempt = Attempt { received, ..attempt("r", second) };
        world.workers_with(&ports).to_liveengage.work(&early, &attempt).await.unwrap_err();
    }
    let noted = ports.calls().into_iter().filter(|call| *call == "note_accepted").count();
    assert_eq!(noted, 1);
}

#[tokio::test]
async fn an_uncertain_agents_text_is_repeated_or_parked_by_the_lines_setting() {
    for (policy, sent, parked) in [("repeat", 2, 0), ("repeat_once", 2, 0), ("park", 1, 1)] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": policy})).await;
        let task = agent_says("c1", 4, "hi");
        world.fault(SMS, Fault::LoseAnswer);
        world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
        world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!((world.other().sms.len(), world.store.parked().len()), (sent, parked), "{policy}");
        let notified = world.news.sent().iter().any(|message| message.body.contains("undelivered_v1"));
        assert_eq!(notified, parked == 1, "{policy}: the agent is notified");
    }
}

#[tokio::test]
async fn a_page_instead_of_the_gateways_answer_is_uncertain_and_not_a_success() {
    for (policy, sent, parked) in [("repeat", 1, 0), ("repeat_once", 1, 0), ("park", 0, 1)] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": policy})).await;
        let task = agent_says("c1", 4, "hi");
        world.fault(SMS, Fault::Page);
        assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 0)).await, again(5), "{policy}");
        world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!((world.other().sms.len(), world.store.parked().len()), (sent, parked), "{policy}");
    }
}

/// A gateway that answers with pages has accepted every message.
#[tokio::test]
async fn a_gateway_that_always_answers_with_a_page_gets_a_text_twice_at_the_most() {
    let world = World::talking(ANNA).await;
    let task = agent_says("c1", 4, "hi");
    for _ in 0..3 {
        world.fault(SMS, Fault::Page);
    }
    world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap_err();
    world.workers().to_channel.work(&task, &attempt("c", 15)).await.unwrap();
    assert_eq!((world.count(SMS), world.store.parked().len()), (2, 1));
}

#[tokio::test]
async fn a_resent_message_is_parked_again_if_an_echo_before_the_last_message_may_be_its() {
    // The second text is the same in one case. Its echo has the number that was recorded for it, so it is not taken for the first one's.
    for (is_published, second, parked) in [(true, "three", 2), (false, "two", 1)] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
        let task = from_consumer("mo-2", ANNA, "two");
        world.fault(SEND, if is_published { Fault::LoseAnswer } else { Fault::Page });
        let worker = world.workers().to_liveengage;
        worker.work(&task, &attempt("a", 0)).await.unwrap_err();
        worker.work(&task, &attempt("b", 5)).await.unwrap();
        worker.work(&from_consumer("mo-3", ANNA, second), &attempt("c", 6)).await.unwrap();
        world.receive_echoes(7).await;
        world.store.reopen(&Received::one(task.as_str()).message.unwrap().identity().key());
        worker.work(&task, &attempt("d", 100)).await.unwrap();
        assert_eq!(
            (texts(&world).len(), world.store.parked().len()),
            (2, parked),
            "{second}: neither sent twice nor lost"
        );
    }
}

/// The attempt that published it was stopped, so nothing says in which conversation. Later messages were recorded in another one.
#[tokio::test]
async fn a_resent_message_is_parked_again_if_its_echo_is_in_a_conversation_before_the_last_messages() {
    let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
    let task = from_consumer("mo-2", ANNA, "two");
    let crashing = world.ports(None);
    crashing.crash_before("complete");
    let first = world.workers_with(&crashing).to_liveengage.work(&task, &attempt("a", 0)).now_or_never();
    assert!(first.is_none(), "stopped");
    let workers = world.workers();
    let after_its_lease = 100;
    workers.to_liveengage.work(&task, &attempt("b", after_its_lease)).await.unwrap();
    assert_eq!((texts(&world).len(), world.store.parked().len()), (1, 1));
    world.receive_echoes(101).await;
    world.other().close("c1");
    workers.to_channel.work(&conversation_change("c1", None, "CLOSE", 102), &attempt("end", 102)).await.unwrap();
    workers.to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("c", 103)).await.unwrap();
    world.store.reopen(&Received::one(task.as_str()).message.unwrap().identity().key());
    workers.to_liveengage.work(&task, &attempt("d", 200)).await.unwrap();
    assert_eq!(texts(&world).iter().filter(|(_, text)| text == "two").count(), 1, "not sent again");
    assert_eq!(world.store.parked().len(), 2, "and not lost");
}

/// An earlier text is resent between two attempts at this one, and is recorded after it, in this conversation or in the next one.
#[tokio::test]
async fn a_text_is_not_sent_twice_because_a_resent_one_has_overtaken_it() {
    for is_closed in [false, true] {
        let world = World::talking(ANNA).await;
        let (workers, crashing) = (world.workers(), world.ports(None));
        let resent = from_consumer("mo-2", ANNA, "two");
        world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
        workers.to_liveengage.work(&resent, &attempt("a", 0)).await.unwrap();
        let task = from_consumer("mo-3", ANNA, "three");
        crashing.crash_before("complete");
        let first = world.workers_with(&crashing).to_liveengage.work(&task, &attempt("b", 1)).now_or_never();
        assert!(first.is_none(), "stopped");
        world.receive_echoes(2).await;
        if is_closed {
            world.other().close("c1");
            workers.to_channel.work(&conversation_change("c1", None, "CLOSE", 3), &attempt("end", 3)).await.unwrap();
        }
        world.store.reopen(&Received::one(resent.as_str()).message.unwrap().identity().key());
        workers.to_liveengage.work(&resent, &attempt("c", 4)).await.unwrap();
        workers.to_liveengage.work(&task, &attempt("d", 100)).await.unwrap();
        let sent: Vec<_> = texts(&world).into_iter().map(|(_, text)| text).collect();
        assert_eq!(sent, ["three", "two"], "closed: {is_closed}");
        assert_eq!(world.store.parked().len(), 2, "the sender is told that it may not have arrived");
    }
}

/// A batch was sorted by the channel's time, its worker was stopped after the first text, and the next batch had only later ones.
#[tokio::test]
async fn a_text_is_not_sent_twice_because_a_later_one_was_recorded_in_between() {
    let world = World::talking(ANNA).await;
    let (workers, crashing) = (world.workers(), world.ports(None));
    let task = from_consumer("mo-2", ANNA, "two");
    crashing.crash_before("complete");
    let first = world.workers_with(&crashing).to_liveengage.work(&task, &attempt("a", 0)).now_or_never();
    assert!(first.is_none(), "stopped");
    workers.to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("b", 1)).await.unwrap();
    world.receive_echoes(2).await;
    workers.to_liveengage.work(&task, &attempt("c", 100)).await.unwrap();
    let sent: Vec<_> = texts(&world).into_iter().map(|(_, text)| text).collect();
    assert_eq!(sent, ["two", "three"]);
    assert_eq!(world.store.parked().len(), 1, "the sender is told that it may not have arrived");
}

#[tokio::test]
async fn an_operator_resends_an_uncertain_message_unless_it_has_arrived() {
    for has_echo in [false, true] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
        let task = from_consumer("mo-2", ANNA, "two");
        world.fault(SEND, Fault::LoseAnswer);
        world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
        world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!(world.store.parked().len(), 1);
        if has_echo {
            world.receive_echoes(60).await;
        }
        world.store.reopen(&Received::one(task.as_str()).message.unwrap().identity().key());
        world.workers().to_liveengage.work(&task, &attempt("c", 100)).await.unwrap();
        assert_eq!(texts(&world).len(), if has_echo { 1 } else { 2 });
    }
}

/// Returns the reason of the only parked message.
fn parked_because(world: &World) -> String {
    let parked = world.store.parked();
    assert_eq!(parked.len(), 1);
    parked[0].reason.clone()
}

/// The last time that the queue delivers it.
fn last(name: &str, second: i64) -> Attempt {
    Attempt { received: LAST_RECEIVE, ..attempt(name, second) }
}

#[tokio::test]
async fn a_message_whose_last_call_got_no_answer_is_parked_as_uncertain() {
    let world = World::talking(ANNA).await;
    world.fault(SMS, Fault::LoseAnswer);
    world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &last("a", 2)).await.unwrap();
    assert!(parked_because(&world).contains("may have arrived"));
}

/// The attempt that parks it failed before it could read the message's record.
#[tokio::test]
async fn a_message_is_parked_as_uncertain_by_an_attempt_that_has_not_begun_it() {
    let world = World::talking(ANNA).await;
    let answer = agent_says("c1", 4, "hi");
    world.fault(SMS, Fault::LoseAnswer);
    world.workers().to_channel.work(&answer, &attempt("a", 2)).await.unwrap_err();
    let ports = world.ports(None);
    ports.fail("conversation_owner", Moment::Before);
    world.workers_with(&ports).to_channel.work(&answer, &last("b", 60)).await.unwrap();
    assert!(parked_because(&world).contains("may have arrived"));
}
