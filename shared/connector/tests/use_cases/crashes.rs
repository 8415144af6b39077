//! A worker is stopped at any of its outside calls, before or after the call's effect. Another one continues once the lease has expired.
//! The message always arrives, and arrives twice only if the crash was between the other side's acceptance and our record of it.

use std::collections::BTreeSet;

use futures::FutureExt;
use serde_json::{Value, json};

use super::{
    ports::{
        Crash,
        Moment::{self, After, Before},
    },
    world::{
        ANNA, CONVERSATION, Fault, SEND, SMS, World, again, agent_says, attempt, conversation_change, conversation_id,
        from_channel, from_consumer,
    },
};

/// A time after the lease of a worker that was stopped at second 0: the lease lasts until the deadline at 30.
pub(super) const LEASE_OVER: i64 = 31;

fn crashes() -> impl Iterator<Item = Crash> {
    (0..).flat_map(|call| [Before, After].map(|moment| Crash { call, moment }))
}

type CrashedAt = BTreeSet<(&'static str, Moment)>;

/// When LiveEngage's notifications of the consumer's own messages come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echoes {
    /// Before the next attempt, as they do within a second.
    InTime,
    /// After it.
    Late,
}

/// Delivers `task` to LiveEngage with every possible crash, and the echoes in time: nothing may be doubled. Then does the same with late
/// echoes. Returns the crashes that doubled something then, and the number of crashes.
async fn to_liveengage(make: impl AsyncFn() -> World, task: &str, expected: &[&str]) -> (CrashedAt, usize) {
    let (doubled, _) = run_with_crashes(&make, task, expected, Echoes::InTime).await;
    assert_eq!(doubled, CrashedAt::new(), "although the echo has proved that it was published");
    run_with_crashes(&make, task, expected, Echoes::Late).await
}

async fn run_with_crashes(
    make: &impl AsyncFn() -> World,
    task: &str,
    expected: &[&str],
    echoes: Echoes,
) -> (CrashedAt, usize) {
    let mut doubled = CrashedAt::new();
    for (count, crash) in crashes().enumerate() {
        let world = make().await;
        let ports = world.ports(Some(crash));
        if world.workers_with(&ports).to_liveengage.work(task, &attempt("stopped", 0)).now_or_never().is_some() {
            return (doubled, count);
        }
        let crashed_at = (ports.crashed_at().unwrap(), crash.moment);
        // While the lease lasts, no other worker may handle the message, if the stopped one got that far.
        let early = world.workers().to_liveengage.work(task, &attempt("early", 29)).await;
        if crashed_at != ("acquire", Before) && crashed_at != ("complete", After) {
            assert_eq!(early, again(1), "{crashed_at:?}");
        }
        if echoes == Echoes::InTime {
            world.receive_echoes(30).await;
        }
        world.workers().insist(&world, task, LEASE_OVER).await;
        world.workers().to_liveengage.work(task, &attempt("repeat", 5000)).await.unwrap();

        let other = world.other();
        let texts: Vec<_> = other.texts.iter().map(|(_, text)| text.as_str()).collect();
        let mut distinct = texts.clone();
        distinct.dedup();
        assert_eq!(distinct, expected, "{crashed_at:?}: {texts:?}");
        if texts.len() > distinct.len() {
            doubled.insert(crashed_at);
        }
        assert!(world.store.parked().is_empty(), "{crashed_at:?}");
    }
    unreachable!("crashes() is endless")
}

#[tokio::test]
async fn a_first_message_survives_a_crash_at_any_call() {
    let (doubled, crashes) = to_liveengage(World::new, &from_consumer("mo-1", ANNA, "one"), &["one"]).await;
    assert_eq!(doubled, CrashedAt::from([(SEND, After), ("complete", Before)]));
    // Lease, consumer, hosts, token (4 calls), IDP, save, reserve, CONVERSATION, attach, SEND, finish.
    assert!(crashes >= 2 * 14, "{crashes}");
}

#[tokio::test]
async fn no_crash_opens_a_second_conversation() {
    let task = from_consumer("mo-1", ANNA, "one");
    for crash in crashes() {
        let world = World::new().await;
        let ports = world.ports(Some(crash));
        if world.workers_with(&ports).to_liveengage.work(&task, &attempt("stopped", 0)).now_or_never().is_some() {
            return;
        }
        world.workers().insist(&world, &task, LEASE_OVER).await;
        assert_eq!(world.other().conversations.len(), 1, "{crash:?} at {:?}", ports.crashed_at());
    }
}

#[tokio::test]
async fn a_message_in_an_open_conversation_survives_a_crash_at_any_call() {
    let talking = async || World::talking(ANNA).await;
    let (doubled, _) = to_liveengage(talking, &from_consumer("mo-2", ANNA, "two"), &["two"]).await;
    assert_eq!(doubled, CrashedAt::from([(SEND, After), ("complete", Before)]));
}

#[tokio::test]
async fn a_message_after_the_end_of_its_conversation_survives_a_crash_at_any_call() {
    let ended = async || {
        let world = World::talking(ANNA).await;
        world.other().close("c1");
        world
    };
    let (doubled, _) = to_liveengage(ended, &from_consumer("mo-2", ANNA, "two"), &["two"]).await;
    // The first SEND is rejected: a crash after it doubles nothing, but a crash after the second one does.
    assert_eq!(doubled, CrashedAt::from([(SEND, After), ("complete", Before)]));
}

#[tokio::test]
async fn a_long_text_survives_a_crash_at_any_call_and_goes_on_where_it_stopped() {
    let text = format!("{}{}", "a".repeat(3200), "b".repeat(20));
    let (doubled, _) = to_liveengage(
        async || World::talking(ANNA).await,
        &from_consumer("mo-2", ANNA, &text),
        &["a".repeat(3200).as_str(), "b".repeat(20).as_str()],
    )
    .await;
    assert_eq!(doubled, CrashedAt::from([(SEND, After), ("step_done", Before), ("complete", Before)]));
}

#[tokio::test]
async fn an_agents_text_in_two_messages_survives_a_crash_at_any_call() {
    let (first, second) = ("a".repeat(1520), "b".repeat(20));
    let task = agent_says("c1", 4, &format!("{first}{second}"));
    let mut doubled = CrashedAt::new();
    for crash in crashes() {
        let world = World::talking(ANNA).await;
        let ports = world.ports(Some(crash));
        if world.workers_with(&ports).to_channel.work(&task, &attempt("stopped", 0)).now_or_never().is_some() {
            assert_eq!(doubled, CrashedAt::from([(SMS, After), ("step_done", Before), ("complete", Before)]));
            return;
        }
        let crashed_at = (ports.crashed_at().unwrap(), crash.moment);
        world.workers().to_channel.work(&task, &attempt("next", LEASE_OVER)).await.unwrap();
        world.workers().to_channel.work(&task, &attempt("repeat", 5000)).await.unwrap();
        let other = world.other();
        let texts = other.sms_texts();
        let mut distinct = texts.clone();
        distinct.dedup();
        assert_eq!(distinct, [first.as_str(), second.as_str()], "{crashed_at:?}");
        if texts.len() > distinct.len() {
            doubled.insert(crashed_at);
            // The gateway's reports can show it, because both have the same reference.
            let references: BTreeSet<_> = other.sms.iter().map(|(_, reference)| reference).collect();
            assert_eq!(references.len(), 2, "{crashed_at:?}");
        }
    }
}

#[tokio::test]
async fn a_conversations_state_survives_a_crash_at_any_call() {
    for crash in crashes() {
        let world = World::new().await;
        world.fault(CONVERSATION, Fault::LoseAnswer);
        let lost = world.workers().to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("lost", 0)).await;
        assert_eq!(lost, again(5));
        let news = world.other().news.remove(0);
        let ports = world.ports(Some(crash));
        if world.workers_with(&ports).to_channel.work(&news, &attempt("stopped", 1)).now_or_never().is_some() {
            return;
        }
        world.workers().to_channel.work(&news, &attempt("next", LEASE_OVER)).await.unwrap();
        assert_eq!(world.consumer(ANNA).await.open_conversation(), Some(&conversation_id("c1")), "{crash:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_conversation_survives_a_crash_at_any_call() {
    for crash in crashes() {
        let world = World::talking(ANNA).await;
        let news = conversation_change("c1", None, "CLOSE", 9);
        let ports = world.ports(Some(crash));
        if world.workers_with(&ports).to_channel.work(&news, &attempt("stopped", 10)).now_or_never().is_some() {
            return;
        }
        world.workers().to_channel.work(&news, &attempt("next", LEASE_OVER)).await.unwrap();
        assert_eq!(world.consumer(ANNA).await.open_conversation(), None, "{crash:?}");
    }
}

/// Returns everything that was published or closed in the conversation, in order.
fn published(world: &World) -> Vec<Value> {
    world
        .other()
        .requests
        .iter()
        .filter_map(|request| {
            let body = &request["body"];
            body.get("event").or_else(|| body.get("conversationField")).cloned()
        })
        .collect()
}

/// Delivers `task` with every possible crash, and compares what was published in the end. With the echoes in time, each event is there once
/// (except a close, which LiveEngage accepts twice). Without them, no other event is there.
async fn published_after_any_crash(make: impl AsyncFn() -> World, task: &str, expected: &[Value]) {
    for echoes in [Echoes::InTime, Echoes::Late] {
        published_after_crashes(&make, task, expected, echoes).await;
    }
}

async fn published_after_crashes(make: &impl AsyncFn() -> World, task: &str, expected: &[Value], echoes: Echoes) {
    for crash in crashes() {
        let world = make().await;
        let ports = world.ports(Some(crash));
        if world.workers_with(&ports).to_liveengage.work(task, &attempt("stopped", 0)).now_or_never().is_some() {
            assert_eq!(published(&world), expected);
            return;
        }
        if echoes == Echoes::InTime {
            world.receive_echoes(30).await;
        }
        world.workers().insist(&world, task, LEASE_OVER).await;
        world.workers().to_liveengage.work(task, &attempt("repeat", 5000)).await.unwrap();
        let mut published = published(&world);
        let repeatable = |thing: &Value| echoes == Echoes::Late || thing.get("field").is_some();
        published.dedup_by(|a, b| a == b && repeatable(a));
        assert_eq!(published, expected, "{crash:?} at {:?}", ports.crashed_at());
        assert!(world.store.parked().is_empty(), "{crash:?}");
    }
}

fn picture(caption: &str) -> String {
    let media = json!({
        "kind": "media", "media": "picture", "reference": "https://gateway.example/media/1", "caption": caption,
    });
    from_channel("mo-2", ANNA, 0, &media)
}

#[tokio::test]
async fn a_picture_survives_a_crash_at_any_call() {
    let talking = async || {
        let world = World::talking(ANNA).await;
        world.other().files.insert("/media/1".to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
        world
    };
    let file = |caption: &str| {
        json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {
            "relativePath": "/v1/files/72419083/new", "fileType": "PNG", "caption": caption}})
    };
    published_after_any_crash(talking, &picture("look"), &[file("look")]).await;
}

#[tokio::test]
async fn a_file_that_cant_be_shown_survives_a_crash_at_any_call_and_its_sender_is_notified_once() {
    let talking = async || {
        let world = World::talking(ANNA).await;
        world.other().files.insert("/media/1".to_owned(), b"not a picture".to_vec());
        world
    };
    let text = |text: &str| json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    let placeholder = "[picture: files of this kind can't be shown here]";
    published_after_any_crash(talking, &picture("look"), &[text(placeholder), text("look")]).await;
}

#[tokio::test]
async fn a_closing_word_survives_a_crash_at_any_call() {
    let talking = async || World::talking_with(ANNA, &json!({"close_words": ["#end"], "surveys": false})).await;
    let word = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "#end"});
    let close = json!({"field": "ConversationStateField", "conversationState": "CLOSE"});
    published_after_any_crash(talking, &from_consumer("mo-2", ANNA, "#end"), &[word, close]).await;
}

#[tokio::test]
async fn a_satisfaction_answer_survives_a_crash_at_any_call() {
    let asked = async || {
        let settings = json!({"satisfaction": {"question": "1 to 5?", "thanks": "Thank you."}});
        let world = World::talking_with(ANNA, &settings).await;
        let details = json!({
            "participants": [{"id": "agent-1", "role": "ASSIGNED_AGENT"}], "stage": "CLOSE",
            "metaDataLastUpdateTs": super::world::at(1).as_millisecond(),
        });
        let state = json!({"type": "UPSERT", "result": {"convId": "c1", "conversationDetails": details}});
        let news = super::world::change("cqm.ExConversationChangeNotification", 0, &state);
        world.workers().to_channel.work(&news, &attempt("news", 1)).await.unwrap();
        world.other().close("c1");
        world
    };
    let rate = json!({"field": "CSATRate", "csatRate": 4, "status": "FILLED"});
    let answer = from_channel("mo-2", ANNA, 2, &json!({"kind": "text", "text": "4"}));
    published_after_any_crash(asked, &answer, &[rate]).await;
}
