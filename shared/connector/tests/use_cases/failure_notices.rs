//! The sender of a message that can't be delivered gets a notice: the agent in the conversation, the consumer on the phone.

use serde_json::{Value, json};

use super::{
    ports::Moment,
    world::{ANNA, Fault, SEND, SMS, World, agent_says, at, attempt, change, event, from_consumer, line_secret},
};
use connector::{app::delivery::Attempt, queue_message::Received};

const EVENTS: &str = "ms.MessagingEventNotification";

/// Returns the bodies of the SENDs so far, without the ids of the requests.
fn sends(world: &World) -> Vec<Value> {
    let calls = world.http.calls();
    calls
        .iter()
        .filter(|call| call.name == SEND)
        .map(|call| serde_json::from_slice::<Value>(&call.body).unwrap()["body"].take())
        .collect()
}

fn news(world: &World) -> Vec<String> {
    world.news.sent().into_iter().map(|message| message.body).collect()
}

/// The channel refuses an agent's message for good. Returns the notice to the agent.
async fn notice_of_a_refused_answer(world: &World) -> String {
    world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "opted_out"}})));
    let answer = agent_says("c1", 4, "are you there?");
    world.workers().to_channel.work(&answer, &attempt("a", 10)).await.unwrap();
    let mut news = news(world);
    assert_eq!((news.len(), world.store.parked().len()), (1, 1));
    news.remove(0)
}

#[tokio::test]
async fn an_agent_sees_that_and_why_a_message_did_not_reach_the_consumer() {
    let world = World::talking(ANNA).await;
    let notice = notice_of_a_refused_answer(&world).await;
    for process in ["b", "c"] {
        world.workers().to_liveengage.work(&notice, &attempt(process, 100)).await.unwrap();
    }
    let published = sends(&world).split_off(1);
    assert_eq!(
        published,
        [
            json!({"conversationId": "c1", "dialogId": "c1",
                "event": {"type": "AcceptStatusEvent", "status": "NACK", "sequenceList": [4]}}),
            json!({"conversationId": "c1", "dialogId": "c1", "event": {"type": "ContentEvent", "contentType": "text/plain",
                "message": "[Not delivered: the channel can't reach this person (HTTP 422, code opted_out)]"}}),
        ],
        "once, however often the news comes"
    );
}

/// Only one message may publish a reason within an hour. One that could not lets the next attempt do it.
#[tokio::test]
async fn a_reason_that_could_not_be_published_is_published_by_the_next_attempt() {
    let world = World::talking(ANNA).await;
    let notice = notice_of_a_refused_answer(&world).await;
    let worker = world.workers().to_liveengage;
    // The NACK passes, and the reason does not.
    world.fault(SEND, Fault::Nothing);
    world.fault(SEND, Fault::Answer(503, json!({})));
    worker.work(&notice, &attempt("b", 11)).await.unwrap_err();
    worker.work(&notice, &attempt("c", 16)).await.unwrap();
    let texts = world.other().texts.iter().filter(|(_, text)| text.starts_with("[Not delivered: ")).count();
    assert_eq!(texts, 1);
}

/// In the attempt after twelve hours, the table doesn't say whose conversation it is.
#[tokio::test]
async fn a_message_is_not_parked_before_it_is_known_whom_to_tell() {
    let world = World::talking(ANNA).await;
    let message = agent_says("c1", 4, "are you there?");
    let twelve_hours = 12 * 3600;
    for (number, second) in (0..6).chain([twelve_hours - 1]).enumerate() {
        world.fault(SMS, Fault::Answer(503, json!({})));
        let ports = world.ports(None);
        world.workers_with(&ports).to_channel.work(&message, &attempt(number, second)).await.unwrap_err();
    }
    let ports = world.ports(None);
    ports.fail("conversation_owner", Moment::Before);
    world.workers_with(&ports).to_channel.work(&message, &attempt("x", twelve_hours)).await.unwrap_err();
    assert_eq!((world.store.parked().len(), news(&world).len()), (0, 0));
    world.fault(SMS, Fault::Answer(503, json!({})));
    world.workers().to_channel.work(&message, &attempt("y", twelve_hours + 60)).await.unwrap();
    assert_eq!((world.store.parked().len(), news(&world).len()), (1, 1), "with a notice");
}

/// SQS may deliver a parked message again, and one that failed before it was started has no lease to check.
#[tokio::test]
async fn what_was_parked_before_it_was_begun_is_off_the_queue_when_it_comes_again() {
    let world = World::new().await;
    let task = from_consumer("mo-1", ANNA, "one").replace("sms-main", "sms-gone");
    for name in ["a", "b"] {
        let attempt = Attempt { received: 20, ..attempt(name, 13 * 3600) };
        world.workers().to_liveengage.work(&task, &attempt).await.unwrap();
    }
    assert_eq!(world.store.parked().len(), 1);
}

#[tokio::test]
async fn an_agent_is_notified_of_an_unsupported_file() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    let file = json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {"relativePath": "/x"}});
    let task = change(EVENTS, 0, &event("c1", 6, "ASSIGNED_AGENT", "ALL", &file));
    workers.to_channel.work(&task, &attempt("a", 10)).await.unwrap();
    workers.to_liveengage.work(&news(&world)[0], &attempt("b", 11)).await.unwrap();
    let published = sends(&world).pop().unwrap();
    assert_eq!(published["event"]["message"], "[Not delivered: a file can't be carried to this channel]");
}

#[tokio::test]
async fn nothing_is_opened_to_tell_of_a_conversation_that_has_ended() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.fault(SMS, Fault::Answer(400, json!({})));
    workers.to_channel.work(&agent_says("c1", 4, "bye"), &attempt("a", 10)).await.unwrap();
    world.other().close("c1");
    workers.to_liveengage.work(&news(&world)[0], &attempt("b", 11)).await.unwrap();
    assert_eq!(world.count(super::world::CONVERSATION), 1);
}

#[tokio::test]
async fn a_consumer_receives_the_lines_notice_once() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 10)).await.unwrap();
    let news = news(&world);
    assert_eq!(news.len(), 1);
    for process in ["b", "c"] {
        workers.to_channel.work(&news[0], &attempt(process, 100)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["Sorry, your message could not be delivered. Please try again later."]);
}

#[tokio::test]
async fn a_line_can_choose_to_say_nothing() {
    let world = World::talking(ANNA).await;
    let mut secret = line_secret("webhook-s3cret");
    secret["not_delivered_notice"] = json!("");
    world.secrets.put("connector/line/sms-main", &secret);
    let workers = world.workers();
    world.fault(SEND, Fault::Answer(400, json!({})));
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 1000)).await.unwrap();
    assert!(news(&world).is_empty());
    assert_eq!(world.store.parked().len(), 1);
}

#[tokio::test]
async fn news_that_cannot_be_delivered_makes_no_news() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.fault(SMS, Fault::Answer(422, json!({})));
    workers.to_channel.work(&agent_says("c1", 4, "hello?"), &attempt("a", 10)).await.unwrap();
    for _ in 0..2 {
        world.fault(SEND, Fault::Answer(400, json!({})));
    }
    workers.to_liveengage.work(&news(&world)[0], &attempt("b", 11)).await.unwrap();
    assert_eq!(news(&world).len(), 1);
    assert_eq!(world.store.parked().len(), 2);
}

#[tokio::test]
async fn a_message_stays_in_the_queue_until_its_notice_is_queued() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.fault(SMS, Fault::Answer(422, json!({})));
    world.fault(SMS, Fault::Answer(422, json!({})));
    world.news.fail(true);
    let task = agent_says("c1", 4, "hello?");
    assert!(workers.to_channel.work(&task, &attempt("a", 10)).await.is_err());
    assert!(world.store.parked().is_empty());
    world.news.fail(false);
    workers.to_channel.work(&task, &attempt("b", 20)).await.unwrap();
    assert_eq!((world.store.parked().len(), news(&world).len()), (1, 1));
}

#[tokio::test]
async fn a_bot_that_answers_the_line_gets_no_second_one_within_the_hour() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    for sequence in [4, 9, 14] {
        world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "opted_out"}})));
        let task = agent_says("c1", sequence, "I did not get that");
        workers.to_channel.work(&task, &attempt(sequence, 10)).await.unwrap();
        workers.to_liveengage.work(news(&world).last().unwrap(), &attempt(format!("n{sequence}"), 11)).await.unwrap();
    }
    let published = sends(&world).split_off(1);
    let lines = published.iter().filter(|sent| sent["event"]["type"] == "ContentEvent").count();
    let marks = published.iter().filter(|sent| sent["event"]["status"] == "NACK").count();
    assert_eq!((lines, marks), (1, 3));
}

#[tokio::test]
async fn a_rejected_consumer_token_does_not_prevent_a_notice_to_the_agent() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.fault(SMS, Fault::Answer(422, json!({})));
    workers.to_channel.work(&agent_says("c1", 4, "hello?"), &attempt("a", 10)).await.unwrap();
    let refused = json!({"code": 401, "body": {"title": "Invalid ConsumerJWS", "errorCode": 40103}});
    world.fault(SEND, Fault::Answer(401, refused));
    workers.to_liveengage.work(&news(&world)[0], &attempt("b", 11)).await.unwrap();
    assert_eq!(sends(&world).len(), 4, "hello, the refused mark, the mark, and the line");
}

#[tokio::test]
async fn no_notice_is_sent_for_a_message_that_another_worker_has() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    let lease = connector::domain::delivery::Lease {
        message: Received::one(from_consumer("mo-2", ANNA, "two")).message.unwrap().identity().key(),
        owner: super::world::owner("somebody-else"),
    };
    let late = 13 * 60 * 60;
    let (now, until) = (at(late), at(late + 20));
    connector::port::Messages::acquire(&*world.store, &lease, now, until).await.unwrap();
    assert!(workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", late + 1)).await.is_err());
    assert!(news(&world).is_empty());
    assert!(world.store.parked().is_empty());
}
