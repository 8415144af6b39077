//! End-to-end tests in the lab, from phone to desk and back. Each test is named after what a person sees.

use connector_lab::{
    LINE, LabOptions, headless,
    liveengage::{AcceptStatus, Service, Speaker},
    sms_gateway::{MessageState, WebhookAnswer},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::silence::WatchedLab;
use crate::steps::{HELLO, PHONE, consumer_texts, desk, lab, opened, received, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_both_ways_and_after_a_close_the_next_text_opens_a_second_one() {
    let lab = lab().await;
    let report = headless::run(&lab).await;
    assert!(report.problems.is_empty(), "{:?}\n{}", report.problems, report.transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_as_well_when_webhooks_overtake_the_answers() {
    let lab = WatchedLab::start(LabOptions { webhooks_before_response: true, ..LabOptions::default() }).await;
    let report = headless::run(&lab).await;
    assert!(report.problems.is_empty(), "{:?}\n{}", report.problems, report.transcript);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_gateway_webhook_posted_three_times_appears_once() {
    let lab = lab().await;
    let answers = lab.gateway().post_raw("mo-77", PHONE, "only once, please", 3).await;
    assert!(answers.iter().all(|answer| *answer == WebhookAnswer::Status(StatusCode::OK)), "{answers:?}");
    soon("everything is delivered", lab.settled()).await;
    let conversations = lab.liveengage().conversations();
    assert_eq!(conversations.len(), 1);
    assert_eq!(consumer_texts(&conversations[0]), ["only once, please"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_texts_at_the_same_moment_give_one_conversation_with_both() {
    let lab = lab().await;
    lab.gateway().consumer_sends_at_once(PHONE, &["first?", "or first?"]).unwrap();
    soon("everything is delivered", async {
        desk(&lab, "both texts are at the desk", |all| {
            all.iter().map(|conversation| conversation.transcript.len()).sum::<usize>() >= 2
        })
        .await;
        lab.settled().await;
    })
    .await;
    let conversations = lab.liveengage().conversations();
    assert_eq!(conversations.len(), 1);
    let mut texts = consumer_texts(&conversations[0]);
    texts.sort_unstable();
    assert_eq!(texts, ["first?", "or first?"]);
    assert_eq!(lab.liveengage().calls().of(Service::Conversation), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_phones_keeps_every_texts_order() {
    let lab = lab().await;
    let phones: Vec<String> = (0..30).map(|n| format!("+49151552{n:02}")).collect();
    for number in 0..4 {
        for phone in &phones {
            lab.gateway().consumer_sends(phone, &format!("{phone} says {number}")).unwrap();
        }
    }
    let total = phones.len() * 4;
    desk(&lab, "every text is at the desk", |all| {
        all.iter().map(|conversation| conversation.transcript.len()).sum::<usize>() >= total
    })
    .await;
    for conversation in lab.liveengage().conversations() {
        for number in 0..3 {
            lab.liveengage().say(&conversation.id, &format!("answer {number}")).unwrap();
        }
    }
    for phone in &phones {
        assert_eq!(received(&lab, phone, 3).await, ["answer 0", "answer 1", "answer 2"], "{phone}");
    }
    soon("everything is delivered", lab.settled()).await;
    let conversations = lab.liveengage().conversations();
    assert_eq!(conversations.len(), phones.len());
    for conversation in &conversations {
        let texts = consumer_texts(conversation);
        let phone = texts[0].split(' ').next().unwrap();
        let wanted: Vec<String> = (0..4).map(|number| format!("{phone} says {number}")).collect();
        assert_eq!(texts, wanted);
    }
    for phone in &phones {
        assert_eq!(received(&lab, phone, 3).await.len(), 3, "nothing came twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_delivered_twice_shows_once_on_the_phone() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    lab.liveengage().say(&conversation, "once").unwrap();
    received(&lab, PHONE, 1).await;
    soon("all webhooks are delivered", lab.liveengage().webhooks_settled()).await;
    for number in 0..lab.liveengage().delivered_webhooks().len() {
        lab.liveengage().redeliver(number).unwrap();
    }
    soon("all of it again", lab.settled()).await;
    lab.liveengage().say(&conversation, "twice").unwrap();
    assert_eq!(received(&lab, PHONE, 2).await, ["once", "twice"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_notes_and_other_channels_conversations_never_reach_a_phone() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    lab.liveengage().say_privately(&conversation, "this one is difficult").unwrap();
    let lines = [(Speaker::Visitor, "hi from the web"), (Speaker::Agent, "hello web")];
    lab.liveengage().foreign_conversation(connector_lab::ACCOUNT, &lines).unwrap();
    lab.liveengage().say(&conversation, "we are looking into it").unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["we are looking into it"]);
    soon("everything is delivered", lab.settled()).await;
    assert_eq!(lab.gateway().phones(), [PHONE]);
    assert_eq!(received(&lab, PHONE, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_on_when_all_tokens_have_expired_and_one_new_one_is_bought() {
    let lab = lab().await;
    opened(&lab, PHONE).await;
    soon("everything is delivered", lab.settled()).await;
    let before = lab.liveengage().calls();
    lab.liveengage().expire_tokens();
    lab.gateway().consumer_sends(PHONE, "still there?").unwrap();
    desk(&lab, "the text is at the desk", |all| all[0].transcript.len() == 2).await;
    let after = lab.liveengage().calls();
    assert_eq!(after.of(Service::Sentinel), before.of(Service::Sentinel) + 1);
    assert_eq!(after.of(Service::Send), before.of(Service::Send) + 2, "refused, and repeated with the new token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_text_costs_one_call_to_liveengage() {
    let lab = lab().await;
    opened(&lab, PHONE).await;
    soon("everything is delivered", lab.settled()).await;
    let before = lab.liveengage().calls();
    lab.gateway().consumer_sends(PHONE, "and another thing").unwrap();
    desk(&lab, "the text is at the desk", |all| all[0].transcript.len() == 2).await;
    let after = lab.liveengage().calls();
    for service in [Service::Domain, Service::Sentinel, Service::Idp, Service::Conversation] {
        assert_eq!(after.of(service), before.of(service), "{service:?}");
    }
    assert_eq!(after.of(Service::Send), before.of(Service::Send) + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liveengage_outage_delays_texts_and_loses_none() {
    let lab = lab().await;
    lab.liveengage().fail_next(Service::Conversation, StatusCode::SERVICE_UNAVAILABLE, "");
    lab.liveengage().fail_next(Service::Send, StatusCode::TOO_MANY_REQUESTS, "");
    lab.gateway().consumer_sends(PHONE, "one").unwrap();
    lab.gateway().consumer_sends(PHONE, "two").unwrap();
    let conversations = desk(&lab, "both texts are at the desk", |all| {
        all.iter().map(|conversation| conversation.transcript.len()).sum::<usize>() == 2
    })
    .await;
    assert_eq!(consumer_texts(&conversations[0]), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_outage_delays_answers_and_loses_none() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    lab.gateway().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
    lab.liveengage().say(&conversation, "one").unwrap();
    lab.liveengage().say(&conversation, "two").unwrap();
    assert_eq!(received(&lab, PHONE, 2).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_gateway_refuses_is_marked_at_the_desk_and_does_not_hold_up_the_next_one() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), r#"{"error":{"code":"blocked_words"}}"#);
    lab.liveengage().say(&conversation, "refused").unwrap();
    lab.liveengage().say(&conversation, "next").unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["next"]);
    let conversations = desk(&lab, "the agent is told", |all| {
        consumer_texts(&all[0]).iter().any(|text| text.contains("Not delivered"))
    })
    .await;
    let told = "[Not delivered: the channel refuses the message (HTTP 400, code blocked_words)]";
    assert_eq!(consumer_texts(&conversations[0]), [HELLO, told]);
    let refused = conversations[0].transcript.iter().find(|line| line.text == "refused").unwrap();
    assert_eq!(refused.statuses, [AcceptStatus::Nack]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_liveengage_refuses_is_answered_on_the_phone() {
    let lab = lab().await;
    opened(&lab, PHONE).await;
    lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
    lab.gateway().consumer_sends(PHONE, "not for you").unwrap();
    let told = "Sorry, your message could not be delivered. Please try again later.";
    assert_eq!(received(&lab, PHONE, 1).await, [told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_arrives_whole_in_several_messages() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    let long = "Ein langer Satz mit Umlauten: äöü ß. ".repeat(60);
    lab.liveengage().say(&conversation, &long).unwrap();
    assert_eq!(received(&lab, PHONE, 2).await.concat(), long);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_the_documented_refusals_and_nothing_is_queued() {
    let lab = lab().await;
    let client = connector_aws::outgoing_http::client().unwrap();
    let channel = format!("{}/channels/{LINE}", lab.api_url());
    let webhook = format!("{}/webhooks/liveengage", lab.api_url());
    let body = r#"{"id":"x","from":"+4915155999","text":"let me in"}"#;
    for (url, body, status) in [
        (channel.clone(), body.to_owned(), 401),
        (format!("{}/channels/nobody", lab.api_url()), body.to_owned(), 404),
        (channel, "x".repeat(5 * 1024 * 1024), 413),
        (webhook.clone(), "{}".to_owned(), 401),
        (webhook, "x".repeat(5 * 1024 * 1024), 413),
    ] {
        let response = client.post(&url).body(body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{url}");
        assert_eq!(response.text().await.unwrap(), "", "{url}");
    }
    soon("nothing is on its way", lab.settled()).await;
    assert!(lab.liveengage().conversations().is_empty());
    assert!(lab.gateway().phones().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_to_a_closed_line_of_the_gateway_shows_as_failed_on_the_phone() {
    let lab = lab().await;
    lab.gateway().set_webhook_url(format!("{}/channels/nobody", lab.api_url()).parse().unwrap());
    lab.gateway().consumer_sends(PHONE, "anyone?").unwrap();
    let failed = |messages: &[connector_lab::sms_gateway::PhoneMessage]| {
        messages.iter().any(|message| matches!(message.state, MessageState::Failed(_)))
    };
    soon("the phone shows the failure", lab.gateway().wait_for(PHONE, failed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_replies_are_numbers_on_the_phone_and_a_click_at_the_desk() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    let reply = |title: &str, id: &str| {
        json!({"type": "button", "title": title, "click": {
            "actions": [{"type": "publishText", "text": format!("{title}!")}],
            "metadata": [{"type": "ExternalId", "id": id}]}})
    };
    let replies =
        json!({"type": "quickReplies", "itemsPerRow": 8, "replies": [reply("Yes", "y-1"), reply("No", "n-1")]});
    let asked = lab.liveengage().say_with_quick_replies(&conversation, "Again?", replies).unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["Again?\n\n1. Yes\n2. No\n\nReply with a number."]);
    soon("everything is delivered", lab.settled()).await;
    lab.gateway().consumer_sends(PHONE, "2").unwrap();
    let conversations = desk(&lab, "the answer is at the desk", |all| consumer_texts(&all[0]).contains(&"No!")).await;
    let metadata = Some(json!([{"type": "ExternalId", "id": "n-1"}]));
    let transcript = &conversations[0].transcript;
    assert_eq!(transcript.iter().find(|line| line.text == "No!").unwrap().metadata, metadata);
    let question = transcript.iter().find(|line| line.sequence == asked).unwrap();
    let clicks: Vec<_> = question.receipts.iter().filter(|receipt| receipt.status == AcceptStatus::Action).collect();
    assert_eq!(clicks.len(), 1);
    assert_eq!(clicks[0].metadata, metadata);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_arrives_as_text_with_all_that_it_says() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    let card = json!({"type": "vertical", "elements": [
        {"type": "text", "text": "Opening hours", "tag": "title"},
        {"type": "image", "url": "https://shop.example/front.jpg", "caption": "The shop"},
        {"type": "button", "title": "See the map", "click": {"actions": [{"type": "link", "uri": "https://shop.example/map"}]}},
    ]});
    lab.liveengage().say_rich(&conversation, card, None).unwrap();
    let shown = received(&lab, PHONE, 1).await.concat();
    for part in ["Opening hours", "The shop", "https://shop.example/front.jpg", "See the map: https://shop.example/map"]
    {
        assert!(shown.contains(part), "{shown}");
    }
}
