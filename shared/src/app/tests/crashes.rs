//! A worker that is stopped at any of its outside calls, before or after the call's effect. Another one goes on once the lease has
//! run out. The message always arrives, and twice only when the death fell between the other side's acceptance and our note of it.

use std::collections::BTreeSet;

use futures::FutureExt;
use serde_json::{Value, json};

use super::{
    ports::{
        Death,
        Moment::{self, After, Before},
    },
    world::{
        ANNA, CONVERSATION, Fault, SEND, SMS, World, again, agent_says, attempt, conversation_change, conversation_id,
        from_channel, from_person,
    },
};

/// After the lease of a worker that died at second 0: it lasted until its deadline at 30.
pub(super) const LEASE_OVER: i64 = 31;

fn deaths() -> impl Iterator<Item = Death> {
    (0..).flat_map(|call| [Before, After].map(|moment| Death { call, moment }))
}

type DeadAt = BTreeSet<(&'static str, Moment)>;

/// When LiveEngage's notifications of the person's own messages come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echoes {
    /// Before the next attempt, as they do within a second.
    InTime,
    /// After it.
    Late,
}

/// Delivers `task` to LiveEngage with every death there is, and the echoes of what was published in time: nothing may be doubled.
/// Then the same with late echoes. Gives the deaths that doubled something then, and how many deaths there were.
async fn to_liveengage(make: impl AsyncFn() -> World, task: &str, expected: &[&str]) -> (DeadAt, usize) {
    let (doubled, _) = dying(&make, task, expected, Echoes::InTime).await;
    assert_eq!(doubled, DeadAt::new(), "although the echo has proved that it was published");
    dying(&make, task, expected, Echoes::Late).await
}

async fn dying(make: &impl AsyncFn() -> World, task: &str, expected: &[&str], echoes: Echoes) -> (DeadAt, usize) {
    let mut doubled = DeadAt::new();
    for (count, death) in deaths().enumerate() {
        let world = make().await;
        let ports = world.ports(Some(death));
        if world.mortal(&ports).to_liveengage.work(task, &attempt("victim", 0)).now_or_never().is_some() {
            return (doubled, count);
        }
        let died_at = (*ports.calls().last().unwrap(), death.moment);
        // While the lease lasts nobody else may touch the message, if the victim got that far.
        let early = world.workers().to_liveengage.work(task, &attempt("early", 29)).await;
        if died_at != ("acquire", Before) && died_at != ("complete", After) {
            assert_eq!(early, again(1), "{died_at:?}");
        }
        if echoes == Echoes::InTime {
            world.hear_echoes(30).await;
        }
        world.workers().insist(&world, task, LEASE_OVER).await;
        world.workers().to_liveengage.work(task, &attempt("repeat", 5000)).await.unwrap();

        let other = world.other();
        let texts: Vec<_> = other.texts.iter().map(|(_, text)| text.as_str()).collect();
        let mut distinct = texts.clone();
        distinct.dedup();
        assert_eq!(distinct, expected, "{died_at:?}: {texts:?}");
        if texts.len() > distinct.len() {
            doubled.insert(died_at);
        }
        assert!(world.store.parked().is_empty(), "{died_at:?}");
    }
    unreachable!("deaths() has no end")
}

#[tokio::test]
async fn a_first_message_survives_any_death() {
    let (doubled, deaths) = to_liveengage(World::new, &from_person("mo-1", ANNA, "one"), &["one"]).await;
    assert_eq!(doubled, DeadAt::from([(SEND, After), ("complete", Before)]));
    // Lease, consumer, hosts, token (4 calls), IDP, save, reserve, CONVERSATION, attach, SEND, finish.
    assert!(deaths >= 2 * 14, "{deaths}");
}

#[tokio::test]
async fn no_death_opens_a_second_conversation() {
    let task = from_person("mo-1", ANNA, "one");
    for death in deaths() {
        let world = World::new().await;
        let ports = world.ports(Some(death));
        if world.mortal(&ports).to_liveengage.work(&task, &attempt("victim", 0)).now_or_never().is_some() {
            return;
        }
        world.workers().insist(&world, &task, LEASE_OVER).await;
        assert_eq!(world.other().conversations.len(), 1, "{death:?} at {:?}", ports.calls().last());
    }
}

#[tokio::test]
async fn a_message_in_an_open_conversation_survives_any_death() {
    let talking = async || World::talking(ANNA).await;
    let (doubled, _) = to_liveengage(talking, &from_person("mo-2", ANNA, "two"), &["two"]).await;
    assert_eq!(doubled, DeadAt::from([(SEND, After), ("complete", Before)]));
}

#[tokio::test]
async fn a_message_after_the_end_of_its_conversation_survives_any_death() {
    let ended = async || {
        let world = World::talking(ANNA).await;
        world.other().close("c1");
        world
    };
    let (doubled, _) = to_liveengage(ended, &from_person("mo-2", ANNA, "two"), &["two"]).await;
    // The first SEND is refused: a death after it doubles nothing, but the second one's does.
    assert_eq!(doubled, DeadAt::from([(SEND, After), ("complete", Before)]));
}

#[tokio::test]
async fn a_long_text_survives_any_death_and_goes_on_where_it_stopped() {
    let text = format!("{}{}", "a".repeat(3200), "b".repeat(20));
    let (doubled, _) = to_liveengage(
        async || World::talking(ANNA).await,
        &from_person("mo-2", ANNA, &text),
        &["a".repeat(3200).as_str(), "b".repeat(20).as_str()],
    )
    .await;
    assert_eq!(doubled, DeadAt::from([(SEND, After), ("step_done", Before), ("complete", Before)]));
}

#[tokio::test]
async fn an_agents_text_in_two_messages_survives_any_death() {
    let (first, second) = ("a".repeat(1520), "b".repeat(20));
    let task = agent_says("c1", 4, &format!("{first}{second}"));
    let mut doubled = DeadAt::new();
    for death in deaths() {
        let world = World::talking(ANNA).await;
        let ports = world.ports(Some(death));
        if world.mortal(&ports).to_channel.work(&task, &attempt("victim", 0)).now_or_never().is_some() {
            assert_eq!(doubled, DeadAt::from([(SMS, After), ("step_done", Before)]));
            return;
        }
        let died_at = (*ports.calls().last().unwrap(), death.moment);
        world.workers().to_channel.work(&task, &attempt("next", LEASE_OVER)).await.unwrap();
        world.workers().to_channel.work(&task, &attempt("repeat", 5000)).await.unwrap();
        let other = world.other();
        let texts = other.sms_texts();
        let mut distinct = texts.clone();
        distinct.dedup();
        assert_eq!(distinct, [first.as_str(), second.as_str()], "{died_at:?}");
        if texts.len() > distinct.len() {
            doubled.insert(died_at);
            // The gateway's reports can show it: both have one reference.
            let references: BTreeSet<_> = other.sms.iter().map(|(_, reference)| reference).collect();
            assert_eq!(references.len(), 2, "{died_at:?}");
        }
    }
}

#[tokio::test]
async fn the_news_of_a_conversation_survives_any_death() {
    for death in deaths() {
        let world = World::new().await;
        world.fault(CONVERSATION, Fault::LoseAnswer);
        let lost = world.workers().to_liveengage.work(&from_person("mo-1", ANNA, "one"), &attempt("lost", 0)).await;
        assert_eq!(lost, again(5));
        let news = world.other().news.remove(0);
        let ports = world.ports(Some(death));
        if world.mortal(&ports).to_channel.work(&news, &attempt("victim", 1)).now_or_never().is_some() {
            return;
        }
        world.workers().to_channel.work(&news, &attempt("next", LEASE_OVER)).await.unwrap();
        assert_eq!(world.consumer(ANNA).await.open_conversation(), Some(&conversation_id("c1")), "{death:?}");
    }
}

#[tokio::test]
async fn the_news_of_an_end_survives_any_death() {
    for death in deaths() {
        let world = World::talking(ANNA).await;
        let news = conversation_change("c1", None, "CLOSE", 9);
        let ports = world.ports(Some(death));
        if world.mortal(&ports).to_channel.work(&news, &attempt("victim", 10)).now_or_never().is_some() {
            return;
        }
        world.workers().to_channel.work(&news, &attempt("next", LEASE_OVER)).await.unwrap();
        assert_eq!(world.consumer(ANNA).await.open_conversation(), None, "{death:?}");
    }
}

/// Everything that was published or closed in the conversation, in order.
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

/// Delivers `task` with every death there is, and compares what LiveEngage was told in the end: with the echoes in time, each thing
/// once (but a close: LiveEngage takes it twice), and without them nothing else.
async fn told_after_any_death(make: impl AsyncFn() -> World, task: &str, expected: &[Value]) {
    for echoes in [Echoes::InTime, Echoes::Late] {
        told_after_deaths(&make, task, expected, echoes).await;
    }
}

async fn told_after_deaths(make: &impl AsyncFn() -> World, task: &str, expected: &[Value], echoes: Echoes) {
    for death in deaths() {
        let world = make().await;
        let ports = world.ports(Some(death));
        if world.mortal(&ports).to_liveengage.work(task, &attempt("victim", 0)).now_or_never().is_some() {
            assert_eq!(published(&world), expected);
            return;
        }
        if echoes == Echoes::InTime {
            world.hear_echoes(30).await;
        }
        world.workers().insist(&world, task, LEASE_OVER).await;
        world.workers().to_liveengage.work(task, &attempt("repeat", 5000)).await.unwrap();
        let mut told = published(&world);
        let repeatable = |thing: &Value| echoes == Echoes::Late || thing.get("field").is_some();
        told.dedup_by(|a, b| a == b && repeatable(a));
        assert_eq!(told, expected, "{death:?} at {:?}", ports.calls().last());
        assert!(world.store.parked().is_empty(), "{death:?}");
    }
}

fn picture(caption: &str) -> String {
    let media = json!({
        "kind": "media", "media": "picture", "reference": "https://gateway.example/media/1", "caption": caption,
    });
    from_channel("mo-2", ANNA, 0, &media)
}

#[tokio::test]
async fn a_picture_survives_any_death() {
    let talking = async || {
        let world = World::talking(ANNA).await;
        world.other().files.insert("/media/1".to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
        world
    };
    let file = |caption: &str| {
        json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {
            "relativePath": "/v1/files/72419083/new", "fileType": "PNG", "caption": caption}})
    };
    told_after_any_death(talking, &picture("look"), &[file("look")]).await;
}

#[tokio::test]
async fn a_file_that_cant_be_shown_survives_any_death_and_its_sender_is_told_once() {
    let talking = async || {
        let world = World::talking(ANNA).await;
        world.other().files.insert("/media/1".to_owned(), b"not a picture".to_vec());
        world
    };
    let text = |text: &str| json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    let placeholder = "[picture: files of this kind can't be shown here]";
    told_after_any_death(talking, &picture("look"), &[text(placeholder), text("look")]).await;
}

#[tokio::test]
async fn a_closing_word_survives_any_death() {
    let talking = async || World::talking_with(ANNA, &json!({"close_words": ["#end"], "surveys": false})).await;
    let word = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "#end"});
    let close = json!({"field": "ConversationStateField", "conversationState": "CLOSE"});
    told_after_any_death(talking, &from_person("mo-2", ANNA, "#end"), &[word, close]).await;
}

#[tokio::test]
async fn an_answer_about_satisfaction_survives_any_death() {
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
    told_after_any_death(asked, &answer, &[rate]).await;
}
