//! The life of a conversation.

use connector_lab::{LabOptions, liveengage::SpeakerRole};
use serde_json::json;

use crate::silence::WatchedLab;
use crate::steps::{HELLO, PHONE, consumer_texts, desk, lab, lab_with, opened, received, settled};

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_on_through_every_change_of_hands() {
    let lab = lab().await;
    let id = opened(&lab, PHONE).await;
    let desk_of = lab.liveengage();
    desk_of.suggest_agent(&id).unwrap();
    desk_of.say_as(&id, SpeakerRole::Controller, "An agent will be with you soon.").unwrap();
    desk_of.join(&id).unwrap();
    desk_of.say(&id, "I am the first.").unwrap();
    desk_of.leave(&id).unwrap();
    lab.gateway().consumer_sends(PHONE, "still in the queue?").unwrap();
    desk(&lab, "the text in the queue", |all| consumer_texts(&all[0]).len() == 2).await;
    desk_of.transfer_to_skill(&id, "3301").unwrap();
    desk_of.say(&id, "I am of another skill.").unwrap();
    desk_of.second_agent_joins(&id).unwrap();
    desk_of.say_as(&id, SpeakerRole::Agent, "We are two.").unwrap();
    desk_of.manager_joins(&id).unwrap();
    desk_of.say_privately(&id, "be careful with this one").unwrap();
    desk_of.say_as(&id, SpeakerRole::Manager, "And I am the manager.").unwrap();
    desk_of.say_as(&id, SpeakerRole::Reader, "I only look on.").unwrap();
    lab.gateway().consumer_sends(PHONE, "so many!").unwrap();
    let all = desk(&lab, "the last text", |all| consumer_texts(&all[0]).len() == 3).await;
    assert_eq!((all.len(), all[0].skill_id.as_str()), (1, "3301"));
    let wanted = [
        "An agent will be with you soon.",
        "I am the first.",
        "I am of another skill.",
        "We are two.",
        "And I am the manager.",
        "I only look on.",
    ];
    assert_eq!(received(&lab, PHONE, wanted.len()).await, wanted);
    settled(&lab).await;
    assert_eq!(received(&lab, PHONE, wanted.len()).await.len(), wanted.len(), "no private word");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_ends_the_conversation_with_the_lines_word() {
    let lab = lab_with(json!({"close_words": ["#end"]})).await;
    let id = opened(&lab, PHONE).await;
    lab.gateway().consumer_sends(PHONE, "#END").unwrap();
    let all = desk(&lab, "it is closed", |all| !all[0].open).await;
    assert_eq!(all[0].closed_by.as_deref(), Some("CONSUMER"));
    assert_eq!(consumer_texts(&all[0]), [HELLO, "#END"]);
    settled(&lab).await;
    lab.gateway().consumer_sends(PHONE, "#end").unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["There is no open conversation."]);
    lab.gateway().consumer_sends(PHONE, "something new").unwrap();
    let all = desk(&lab, "a second conversation", |all| all.len() == 2 && !all[1].transcript.is_empty()).await;
    assert!(all[1].id != id && consumer_texts(&all[1]) == ["something new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_after_a_close_arrive_and_the_next_text_opens_a_new_conversation() {
    for by_system in [true, false] {
        let lab = lab().await;
        let id = opened(&lab, PHONE).await;
        lab.liveengage().say(&id, "goodbye").unwrap();
        if by_system {
            lab.liveengage().system_close(&id).unwrap();
        } else {
            lab.liveengage().close(&id).unwrap();
        }
        lab.liveengage().say_after_close(&id, "and thank you").unwrap();
        assert_eq!(received(&lab, PHONE, 2).await, ["goodbye", "and thank you"]);
        lab.gateway().consumer_sends(PHONE, "one more thing").unwrap();
        let all = desk(&lab, "the second one", |all| all.len() == 2 && !all[1].transcript.is_empty()).await;
        assert_eq!(consumer_texts(&all[1]), ["one more thing"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controllers_welcome_reaches_the_phone() {
    let welcome = "Welcome! We answer from 9 to 5.";
    let lab = WatchedLab::start(LabOptions { auto_messages: Some(welcome.to_owned()), ..LabOptions::default() }).await;
    opened(&lab, PHONE).await;
    assert_eq!(received(&lab, PHONE, 1).await, [welcome]);
}
