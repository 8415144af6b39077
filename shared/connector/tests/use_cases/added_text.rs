//! An agent's message shows who wrote it, if the line wants that, and that it is old.

use serde_json::{Value, json};

use super::world::{
    ANNA, Fault, PROFILE, SMS, World, account, agent_says, at, attempt, change, event, line, line_secret, owner,
};
use connector::{app::settings::LineSettings, port::Tokens};
use connector_channels::{
    Receipt,
    id::ChannelUserId,
    message::{OutboundContent, OutboundMessage},
};
use connector_liveengage::sentinel::{AppJwt, AppJwtParts};
use connector_message::MessageText;
use jiff::SignedDuration;
use secrecy::SecretString;

/// How long a name that could not be found out is not requested again.
const NOT_AGAIN_FOR: i64 = 60;

/// A world with a talking consumer, whose agent shows the name Ada.
async fn named(settings: &Value) -> World {
    let world = World::talking_with(ANNA, settings).await;
    world.other().profiles.insert("agent-1".to_owned(), json!({"nickname": "Ada", "fullName": "Ada Quist"}));
    world
}

/// A text that an SMS gateway gets in several parts.
fn long_text() -> String {
    (0..400).map(|number| format!("word{number} ")).collect()
}

/// Whether the line sends a text in two parts.
fn is_split(text: &str) -> bool {
    let secret = SecretString::from(line_secret("webhook-s3cret").to_string());
    let line = LineSettings::read(&line(), &secret).unwrap().line;
    let content = OutboundContent::Text { text: MessageText::new(text) };
    let message = OutboundMessage { to: ChannelUserId::new(ANNA).unwrap(), reference: "a1".to_owned(), content };
    let sent = Receipt { provider_id: None, is_message: true };
    line.next_call(&message, &[sent]).unwrap().is_some()
}

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

#[tokio::test]
async fn a_text_shows_the_agents_name_and_it_is_requested_once() {
    let world = named(&json!({"sender": "nickname"})).await;
    let workers = world.workers();
    for (sequence, text) in [(4, "hi"), (6, "there")] {
        workers.to_channel.work(&agent_says("c1", sequence, text), &attempt(text, 1)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["Ada: hi", "Ada: there"]);
    assert_eq!(world.count(PROFILE), 1);
    let calls = world.http.calls();
    let call = calls.iter().find(|call| call.name == PROFILE).unwrap();
    assert_eq!(call.url.host_str(), Some("profiles.liveengage.example"));
    assert!(call.limit.is_some(), "no message waits for it for the usual time");
}

#[tokio::test]
async fn the_line_says_in_which_form() {
    for (setting, shown) in [("{text}\n- {nickname}", "hi\n- Ada"), ("none", "hi")] {
        let world = named(&json!({"sender": setting})).await;
        world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", 1)).await.unwrap();
        assert_eq!(world.other().sms_texts(), [shown]);
    }
}

#[tokio::test]
async fn without_the_setting_no_profile_is_requested() {
    let world = named(&json!({})).await;
    world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", 1)).await.unwrap();
    assert_eq!((world.other().sms_texts(), world.count(PROFILE)), (vec!["hi"], 0));
}

#[tokio::test]
async fn a_message_goes_without_a_name_that_is_not_found_out() {
    for fault in
        [Fault::NotSent, Fault::LoseAnswer, Fault::Page, Fault::Answer(500, json!({})), Fault::Answer(404, Value::Null)]
    {
        let world = named(&json!({"sender": "nickname"})).await;
        world.fault(PROFILE, fault);
        world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", 1)).await.unwrap();
        assert_eq!(world.other().sms_texts(), ["hi"]);
    }
}

#[tokio::test]
async fn a_name_is_requested_again_a_minute_after_a_failure() {
    let world = named(&json!({"sender": "nickname"})).await;
    world.fault(PROFILE, Fault::Answer(500, json!({})));
    let workers = world.workers();
    for (sequence, second) in [(4, 1), (6, NOT_AGAIN_FOR), (8, 1 + NOT_AGAIN_FOR)] {
        workers.to_channel.work(&agent_says("c1", sequence, "hi"), &attempt(second, second)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["hi", "hi", "Ada: hi"]);
    assert_eq!(world.count(PROFILE), 2);
}

#[tokio::test]
async fn a_known_name_is_used_while_a_new_one_can_not_be_read() {
    let world = named(&json!({"sender": "nickname"})).await;
    let workers = world.workers();
    workers.to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", 1)).await.unwrap();
    world.fault(PROFILE, Fault::NotSent);
    let later = change("ms.MessagingEventNotification", 4000, &text_of("ASSIGNED_AGENT", 6));
    workers.to_channel.work(&later, &attempt("b", 4000)).await.unwrap();
    assert_eq!((world.other().sms_texts(), world.count(PROFILE)), (vec!["Ada: hi", "Ada: hi"], 2));
}

#[tokio::test]
async fn liveengages_own_messages_have_no_name() {
    let world = named(&json!({"sender": "nickname"})).await;
    for (role, sequence) in [("CONTROLLER", 4), ("MANAGER", 6)] {
        let task = change("ms.MessagingEventNotification", 0, &text_of(role, sequence));
        world.workers().to_channel.work(&task, &attempt(role, 1)).await.unwrap();
    }
    assert_eq!(world.other().sms_texts(), ["hi", "Ada: hi"]);
}

fn text_of(role: &str, sequence: u64) -> Value {
    event("c1", sequence, role, "ALL", &json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hi"}))
}

/// The first part of a long text arrived, and its answer was lost. The gateway's report proves it. Were the next attempt to add something else,
/// it would be cut elsewhere, and the proof would be about another part.
#[tokio::test]
async fn a_text_of_several_parts_is_cut_at_every_attempt_as_at_the_first() {
    for (settings, name, second) in [
        (json!({"sender": "nickname"}), "Zo\u{eb} with a name that needs another encoding", 10),
        (json!({}), "Ada", 4_000),
    ] {
        let mut settings = settings;
        settings["sms"] = json!({"delivery_reports": true});
        let world = World::talking_with(ANNA, &settings).await;
        let task = agent_says("c1", 4, &long_text());
        world.fault(SMS, Fault::LoseAnswer);
        let workers = world.workers();
        assert!(workers.to_channel.work(&task, &attempt("first", 1)).await.is_err());
        let reference = world.other().sms[0].1.clone();
        let report = json!({
            "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-report", "accepted_at": at(2),
            "status": {"status": "delivered"}, "messages": [], "unnamed": [reference],
        });
        world.workers().to_liveengage.work(&report.to_string(), &attempt("report", 2)).await.unwrap_err();
        world.other().profiles.insert("agent-1".to_owned(), json!({"nickname": name}));
        world.workers().to_channel.work(&task, &attempt("second", second)).await.unwrap();
        let shown = world.other().sms_texts().concat();
        assert!(without_spaces(&shown) == without_spaces(&long_text()), "{name}: not the text, once");
    }
}

/// What is one call by itself, and would be two with its name, goes without.
#[tokio::test]
async fn a_text_gets_no_part_more_for_a_name() {
    let longest = (1..).map(|length| "w".repeat(length)).find(|text| is_split(text)).unwrap();
    let text = &longest[1..];
    let world = named(&json!({"sender": "nickname"})).await;
    world.workers().to_channel.work(&agent_says("c1", 4, text), &attempt("a", 1)).await.unwrap();
    assert_eq!(world.other().sms_texts(), [text]);
    world.workers().to_channel.work(&agent_says("c1", 6, &text[5..]), &attempt("b", 1)).await.unwrap();
    assert_eq!(world.other().sms_texts()[1], format!("Ada: {}", &text[5..]));
}

#[tokio::test]
async fn an_old_text_says_how_old_it_is() {
    for (settings, second, shown) in [
        (json!({}), 899, "hi"),
        (json!({}), 900, "(sent 15 min ago) hi"),
        (json!({}), 7300, "(sent 2 h ago) hi"),
        (json!({"late": "[vor {age}] {text}"}), 900, "[vor 15 min] hi"),
        (json!({"late": "none"}), 900, "hi"),
        (json!({"sender": "nickname"}), 900, "(sent 15 min ago) Ada: hi"),
    ] {
        let world = named(&settings).await;
        world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("a", second)).await.unwrap();
        assert_eq!(world.other().sms_texts(), [shown]);
    }
}

#[tokio::test]
async fn the_age_is_that_of_liveengages_time() {
    let world = named(&json!({})).await;
    let mut text = text_of("ASSIGNED_AGENT", 4);
    text["serverTimestamp"] = json!(at(100).as_millisecond());
    let task = change("ms.MessagingEventNotification", 4000, &text);
    world.workers().to_channel.work(&task, &attempt("a", 4010)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["(sent 1 h ago) hi"]);
}

/// LivePerson's clock is 20 minutes behind, so a new text looks old by its time.
#[tokio::test]
async fn a_clock_that_is_behind_makes_no_text_old() {
    let world = named(&json!({})).await;
    let token = AppJwt::from(AppJwtParts {
        token: "app-jwt".to_owned(),
        expires_at: at(36_000),
        received_at: None,
        clock_behind: Some(SignedDuration::from_mins(20)),
        rejected_in_a_row: 0,
    });
    let sentinel = owner("sentinel");
    world.store.lease_token(&account(), &sentinel, at(0), at(30)).await.unwrap();
    world.store.save_token(&account(), &sentinel, &token).await.unwrap();
    for (sequence, second, shown) in [(4, 1_400, "hi"), (6, 3_000, "(sent 26 min ago) hi")] {
        let mut text = text_of("ASSIGNED_AGENT", sequence);
        text["serverTimestamp"] = json!(at(200).as_millisecond());
        let task = change("ms.MessagingEventNotification", 1_400, &text);
        world.workers().to_channel.work(&task, &attempt(second, second)).await.unwrap();
        assert_eq!(world.other().sms_texts().last(), Some(&shown));
    }
}
