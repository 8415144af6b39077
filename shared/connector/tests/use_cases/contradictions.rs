//! Lost notifications, and answers of LiveEngage that contradict the connector's records. The connector finds out the true state, and the
//! consumer's messages arrive.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::FutureExt;
use serde_json::{Value, json};

use super::world::{
    ANNA, CONVERSATION, Fault, SEND, SMS, World, account, again, agent_says, at, attempt, change, conversation_change,
    event, from_channel, from_consumer, owner, reply,
};
use connector::{domain::conversation::MOST_OPENINGS, port::Tokens};
use connector_liveengage::sentinel;

fn texts(world: &World) -> Vec<(String, String)> {
    world.other().texts.clone()
}

fn sent_text(conversation: &str, text: &str) -> (String, String) {
    (conversation.to_owned(), text.to_owned())
}

/// A question of the survey's bot, accepted at `second`.
fn question(second: i64) -> String {
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Were we helpful?"});
    let mut asked = event("c1", 0, "AGENT_BOT", "ALL", &content);
    asked["dialogId"] = json!("s-9");
    asked["serverTimestamp"] = json!(at(second).as_millisecond());
    change("ms.MessagingEventNotification", second, &asked)
}

#[tokio::test]
async fn a_survey_of_which_only_the_question_came_gets_the_answer() {
    let world = World::talking(ANNA).await;
    world.other().begin_survey("c1", "s-9");
    world.workers().to_channel.work(&question(5), &attempt("q", 5)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["Were we helpful?"]);
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "yes"), &attempt("a", 9)).await.unwrap();
    let sent = world.other().requests.last().unwrap()["body"].clone();
    assert_eq!((&sent["conversationId"], &sent["dialogId"]), (&json!("c1"), &json!("s-9")));
    assert_eq!(texts(&world), [sent_text("c1", "yes")]);
}

#[tokio::test]
async fn the_question_is_also_learnt_from_when_the_conversation_was_found_closed() {
    let world = World::talking(ANNA).await;
    world.other().begin_survey("c1", "s-9");
    let task = from_consumer("mo-2", ANNA, "hello?");
    world.workers().to_liveengage.work(&task, &attempt("a", 3)).await.unwrap_err();
    world.workers().to_channel.work(&question(5), &attempt("q", 5)).await.unwrap();
    world.workers().to_liveengage.work(&task, &attempt("b", 8)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "hello?")]);
    assert_eq!(world.other().requests.last().unwrap()["body"]["dialogId"], "s-9");
}

#[tokio::test]
async fn an_old_question_of_a_conversation_that_has_ended_opens_nothing() {
    let world = World::talking(ANNA).await;
    let news = conversation_change("c1", None, "CLOSE", 30);
    world.workers().to_channel.work(&news, &attempt("news", 30)).await.unwrap();
    world.other().close("c1");
    world.workers().to_channel.work(&question(20), &attempt("q", 40)).await.unwrap();
    assert_eq!(world.consumer(ANNA).await.open_conversation(), None);
}

/// A conversation was opened, and the worker was stopped before it was recorded. LiveEngage's clock is behind, so its notification looks older than
/// the conversation before it, which the connector opened.
#[tokio::test]
async fn a_conversation_whose_notification_looks_older_gets_the_texts_once_the_one_before_has_ended() {
    let world = World::talking(ANNA).await;
    let (ports, task) = (world.ports(None), from_consumer("mo-2", ANNA, "two"));
    world.other().close("c1");
    world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
    ports.crash_before("save_consumer");
    let stopped = world.workers_with(&ports).to_liveengage.work(&task, &attempt("a", 10)).now_or_never();
    assert!(stopped.is_none());
    let lp_id = world.consumer(ANNA).await.identity.unwrap().lp_consumer_id;
    let workers = world.workers();
    for (id, stage, second) in [("c2", "OPEN", -3000), ("c1", "CLOSE", -2999)] {
        let news = conversation_change(id, Some(lp_id.as_str()), stage, second);
        workers.to_channel.work(&news, &attempt(format!("news-{id}"), 12)).await.unwrap();
    }
    workers.to_liveengage.work(&task, &attempt("b", 100)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c2", "two")]);
}

/// Neither the notification nor a question came, so the survey's dialog is unknown.
#[tokio::test]
async fn a_survey_without_any_event_does_not_block_the_consumer() {
    let world = World::talking(ANNA).await;
    world.other().begin_survey("c1", "s-9");
    let second = world.workers().insist(&world, &from_consumer("mo-2", ANNA, "two"), 0).await;
    assert!(
        (25..120).contains(&second),
        "the notification gets half a minute, and the consumer waits two at most: {second}"
    );
    assert_eq!(texts(&world), [sent_text("c2", "two")]);
    // The next day everything is normal.
    world.workers().insist(&world, &from_consumer("mo-3", ANNA, "three"), 86_400).await;
    assert_eq!(texts(&world), [sent_text("c2", "two"), sent_text("c2", "three")]);
    assert!(world.store.parked().is_empty());
}

/// Another conversation is open, and stays open.
#[tokio::test]
async fn a_conversation_whose_news_is_late_is_not_closed_for_a_survey() {
    let world = World::talking(ANNA).await;
    world.other().close("c1");
    let news = conversation_change("c1", None, "CLOSE", 1);
    world.workers().to_channel.work(&news, &attempt("news", 1)).await.unwrap();
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(CONVERSATION, Fault::LoseAnswer);
    for (number, second) in [2, 7, 17, 32, 62].into_iter().enumerate() {
        world.workers().to_liveengage.work(&task, &attempt(format!("a{number}"), second)).await.unwrap_err();
    }
    world.receive_notification(70).await;
    world.workers().to_liveengage.work(&task, &attempt("b", 92)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c2", "two")]);
}

#[tokio::test]
async fn a_conversation_that_closes_at_once_is_opened_twice_and_then_the_consumer_is_notified() {
    let world = World::with(&json!({"not_delivered_notice": "Please try again."})).await;
    world.other().closes_at_once = true;
    world.workers().insist(&world, &from_consumer("mo-1", ANNA, "one"), 0).await;
    assert_eq!(world.other().conversations.len(), MOST_OPENINGS as usize);
    assert_eq!(world.store.parked().len(), 1);
    assert!(world.news.sent().iter().any(|news| news.body.contains("notice_v1")), "the consumer is notified");
    // The next message tries again.
    world.other().closes_at_once = false;
    world.workers().insist(&world, &from_consumer("mo-2", ANNA, "two"), 60).await;
    assert_eq!(texts(&world), [sent_text("c3", "two")]);
}

#[tokio::test]
async fn a_closed_conversation_is_detected_by_any_of_liveengages_answers() {
    for words in ["Bad Request, Conversation is close", "Bad Request", "nope"] {
        let world = World::talking(ANNA).await;
        world.other().close("c1");
        world.other().closed_words = Some(words);
        world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 5)).await.unwrap();
        assert_eq!((texts(&world), world.store.parked().len()), (vec![sent_text("c2", "two")], 0), "{words}");
    }
}

#[tokio::test]
async fn a_text_that_liveengage_rejects_in_an_open_conversation_is_parked_and_the_conversation_stays() {
    let world = World::talking(ANNA).await;
    world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 5)).await.unwrap();
    assert_eq!(world.store.parked().len(), 1);
    world.workers().to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("b", 9)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "three")]);
}

#[tokio::test]
async fn a_closing_word_into_a_conversation_that_had_ended_unnoticed_is_answered_and_learnt_from() {
    let settings = json!({"close_words": ["#end"], "nothing_to_close_notice": "There is nothing to end."});
    let world = World::talking_with(ANNA, &settings).await;
    world.other().close("c1");
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "#end"), &attempt("a", 5)).await.unwrap();
    assert_eq!(world.consumer(ANNA).await.open_conversation(), None);
    let announcements: Vec<_> =
        world.news.sent().into_iter().filter(|news| news.body.contains("nothing to end")).collect();
    assert_eq!(announcements.len(), 1);
}

#[tokio::test]
async fn an_agents_text_for_an_unknown_audience_is_parked_and_the_agent_is_notified() {
    let world = World::talking(ANNA).await;
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "for whom?"});
    let task = change("ms.MessagingEventNotification", 0, &event("c1", 4, "ASSIGNED_AGENT", "SUPERVISORS", &content));
    world.workers().to_channel.work(&task, &attempt("a", 1)).await.unwrap();
    assert_eq!((world.count(SMS), world.store.parked().len()), (0, 1));
    assert!(world.news.sent().iter().any(|news| news.body.contains("undelivered_v1")));
    // A private message stays private.
    let private = event("c1", 5, "ASSIGNED_AGENT", "AGENTS_AND_MANAGERS", &content);
    let private = change("ms.MessagingEventNotification", 0, &private);
    world.workers().to_channel.work(&private, &attempt("b", 2)).await.unwrap();
    assert_eq!((world.count(SMS), world.store.parked().len()), (0, 1));
}

/// LiveEngage says that the consumer has an open conversation, and its notification is lost. An answer in it must not be dropped.
#[tokio::test]
async fn an_answer_in_a_conversation_that_may_be_ours_is_parked() {
    let world = World::new().await;
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let task = from_consumer("mo-1", ANNA, "one");
    for second in [0, 5, 15] {
        world.workers().to_liveengage.work(&task, &attempt(format!("a{second}"), second)).await.unwrap_err();
    }
    let answer = agent_says("c1", 0, "hello");
    world.workers().to_channel.work(&answer, &attempt("b", 20)).await.unwrap_err();
    world.workers().to_channel.work(&answer, &attempt("c", 20 + 900)).await.unwrap();
    assert_eq!(world.store.parked().len(), 1, "kept, and not taken for another channel's");
    // Long after the last such answer, the conversation can only be another channel's.
    let other = agent_says("foreign-1", 0, "hello");
    world.workers().to_channel.work(&other, &attempt("d", 10_000)).await.unwrap_err();
    world.workers().to_channel.work(&other, &attempt("e", 10_900)).await.unwrap();
    assert_eq!(world.store.parked().len(), 1);
}

/// An echo that names its sender only by id, while the consumer's token is being renewed.
#[tokio::test]
async fn an_own_echo_is_recognized_without_the_token() {
    let world = World::talking(ANNA).await;
    let lp = world.consumer(ANNA).await.identity.unwrap().lp_consumer_id;
    let refused = json!({"code": 401, "body": {"title": "Invalid ConsumerJWS", "errorCode": 40103}});
    world.fault(SEND, Fault::Answer(401, refused.clone()));
    world.fault("LiveEngage IDP", Fault::Answer(503, json!({})));
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 1)).await.unwrap_err();
    assert_eq!(world.consumer(ANNA).await.identity, None, "the token is gone");
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hello"});
    let mut echo: Value = event("c1", 1, "CONSUMER", "ALL", &content);
    echo["originatorMetadata"] = json!({"id": lp.as_str()});
    let task = change("ms.MessagingEventNotification", 0, &echo);
    world.workers().to_channel.work(&task, &attempt("b", 2)).await.unwrap();
    assert_eq!(world.count(SMS), 0, "the consumer does not get their own text");
}

fn click_question() -> String {
    let reply = json!({"type": "button", "title": "Yes", "click": {
        "actions": [{"type": "publishText", "text": "yes please"}], "metadata": [{"type": "ExternalId", "id": "y-1"}]}});
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Again?",
        "quickReplies": {"type": "quickReplies", "itemsPerRow": 8, "replies": [reply]}});
    change("ms.MessagingEventNotification", 0, &event("c1", 4, "ASSIGNED_AGENT", "ALL", &content))
}

/// Returns the clicks that were published.
fn clicks(world: &World) -> usize {
    world.other().requests.iter().filter(|request| request["body"]["event"]["status"] == "ACTION").count()
}

#[tokio::test]
async fn a_click_whose_answer_was_lost_is_not_published_again_once_its_echo_has_come() {
    for fault in [Fault::LoseAnswer, Fault::CarryOutAndAnswer(502), Fault::CarryOutAndAnswer(503)] {
        let world = World::talking(ANNA).await;
        world.workers().to_channel.work(&click_question(), &attempt("q", 0)).await.unwrap();
        let answer = from_channel("mo-2", ANNA, 0, &json!({"kind": "text", "text": "1"}));
        world.fault(SEND, fault);
        world.workers().to_liveengage.work(&answer, &attempt("a", 2)).await.unwrap_err();
        world.receive_echoes(3).await;
        world.workers().to_liveengage.work(&answer, &attempt("b", 7)).await.unwrap();
        assert_eq!((clicks(&world), texts(&world)), (1, vec![sent_text("c1", "yes please")]));
    }
}

#[tokio::test]
async fn a_click_without_proof_is_published_at_most_twice_and_its_text_arrives() {
    let world = World::talking(ANNA).await;
    world.workers().to_channel.work(&click_question(), &attempt("q", 1)).await.unwrap();
    let answer = from_channel("mo-2", ANNA, 2, &json!({"kind": "text", "text": "1"}));
    world.fault(SEND, Fault::LoseAnswer);
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().insist(&world, &answer, 2).await;
    assert_eq!((clicks(&world), texts(&world)), (2, vec![sent_text("c1", "yes please")]));
}

#[tokio::test]
async fn typing_whose_answer_was_lost_is_ended_all_the_same() {
    let world = World::talking(ANNA).await;
    let typing = from_channel("t-1", ANNA, 20, &json!({"kind": "typing", "typing": true}));
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().to_liveengage.work(&typing, &attempt("a", 20)).await.unwrap_err();
    world.workers().to_liveengage.work(&typing, &attempt("b", 30)).await.unwrap();
    let states: Vec<_> =
        world.other().requests.iter().map(|request| request["body"]["event"]["chatState"].clone()).collect();
    assert_eq!(states, [json!("COMPOSING"), json!("ACTIVE")]);
}

/// LivePerson's clock is ten seconds behind, as the account's token shows.
#[tokio::test]
async fn an_agents_text_does_not_wait_because_liveengages_clock_is_behind() {
    let agent_event = |sequence: u64, second: i64, accepted: i64| {
        let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hi"});
        let mut message = event("c1", sequence, "ASSIGNED_AGENT", "ALL", &content);
        message["serverTimestamp"] = json!(at(second).as_millisecond());
        change("ms.MessagingEventNotification", accepted, &message)
    };
    for (behind, waits) in [(0, true), (10, false)] {
        let world = World::talking(ANNA).await;
        let issued_at = at(0).as_second() - behind;
        let claims = json!({"iat": issued_at, "exp": issued_at + 3600}).to_string();
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let token = sentinel::answer(&reply(200, &json!({"access_token": token})), at(0)).unwrap();
        let (account, other_worker) = (account(), owner("other"));
        assert!(world.store.lease_token(&account, &other_worker, at(100), at(200)).await.unwrap());
        world.store.save_token(&account, &other_worker, &token).await.unwrap();
        // It comes at once, with a time that is ten seconds before ours.
        let ports = world.ports(None);
        let worker = world.workers_with(&ports).to_channel;
        let first = worker.work(&agent_event(4, 10, 20), &attempt("a", 20)).await;
        assert_eq!(first, if waits { again(3) } else { Ok(()) }, "{behind}");
        // An event that is late by their clock, too, waits.
        assert_eq!(worker.work(&agent_event(5, 5, 20), &attempt("b", 20)).await, again(3), "{behind}");
        assert_eq!(ports.calls().iter().filter(|call| **call == "token").count(), 1, "it is read once");
    }
}

/// LiveEngage's error text is not documented, and by its clock the old conversation's last notification is two hours in the future.
#[tokio::test]
async fn the_new_conversation_counts_whatever_the_old_ones_time_is() {
    let world = World::talking(ANNA).await;
    let news = conversation_change("c1", None, "OPEN", 7200);
    world.workers().to_channel.work(&news, &attempt("news", 1)).await.unwrap();
    world.other().close("c1");
    world.other().closed_words = Some("nope");
    world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 5)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c2", "two")]);
    assert_eq!(world.count(CONVERSATION), 2);
    assert_eq!(world.consumer(ANNA).await.open_conversation().unwrap().as_str(), "c2");
}

#[tokio::test]
async fn a_text_is_not_parked_for_a_conversation_that_was_opened_without_an_answer() {
    let world = World::talking(ANNA).await;
    world.other().close("c1");
    world.other().closed_words = Some("nope");
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let task = from_consumer("mo-2", ANNA, "two");
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap_err();
    assert!(world.store.parked().is_empty());
    world.receive_notification(6).await;
    world.workers().to_liveengage.work(&task, &attempt("c", 15)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c2", "two")]);
}

/// The same if each conversation is known only from a webhook.
#[tokio::test]
async fn conversations_that_close_at_once_are_counted_by_answers_and_by_webhooks() {
    let world = World::new().await;
    world.other().closes_at_once = true;
    for _ in 0..100 {
        world.fault(CONVERSATION, Fault::CarryOutAndAnswer(502));
    }
    world.workers().insist(&world, &from_consumer("mo-1", ANNA, "one"), 0).await;
    let opened = world.other().conversations.len();
    assert!(opened <= MOST_OPENINGS as usize + 1, "{opened}");
    assert_eq!(world.store.parked().len(), 1);
}

#[tokio::test]
async fn a_survey_gets_its_half_minute_however_often_the_text_was_tried_before() {
    let world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "5");
    for (number, second) in [0, 5, 15].into_iter().enumerate() {
        world.fault(SEND, Fault::Answer(429, json!({})));
        world.workers().to_liveengage.work(&task, &attempt(format!("a{number}"), second)).await.unwrap_err();
    }
    world.other().begin_survey("c1", "s-9");
    world.workers().to_liveengage.work(&task, &attempt("b", 30)).await.unwrap_err();
    world.workers().to_channel.work(&question(31), &attempt("q", 31)).await.unwrap();
    world.workers().to_liveengage.work(&task, &attempt("c", 60)).await.unwrap();
    assert_eq!(texts(&world), [sent_text("c1", "5")], "into the survey, which is not closed for it");
}
