//! A conversation in which every function makes every kind of call to AWS that it can make.

use std::{num::NonZeroU16, sync::Arc};

use connector_lab::{
    ACCOUNT, LabOptions, headless,
    liveengage::{NewFile, Service, WebhookSettings},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::roles::Roles;
use crate::{
    silence::WatchedLab,
    steps::{
        PHONE, age_last_text, consumer_texts, desk, opened, opened_on_whatsapp, received, received_on_whatsapp,
        settled, soon,
    },
};

/// A second consumer.
pub(super) const OTHER_PHONE: &str = "+4915155002";

/// The beginning of a picture.
pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1A\na picture of nothing";

/// With these settings a line asks its own questions after a conversation, and `to-channel` sends to its own queue.
pub(super) fn with_questions() -> Value {
    json!({"satisfaction": {"question": "How was it, from 1 to 5?", "resolved_question": "Is it settled?", "thanks": "Thank you!"}})
}

/// Starts a lab behind the roles, with short waits between attempts.
pub(super) fn guarded(roles: &Arc<Roles>, line_settings: Value) -> LabOptions {
    LabOptions {
        authorizer: Some(Arc::clone(roles) as _),
        time_scale: NonZeroU16::new(12),
        line_settings,
        ..LabOptions::default()
    }
}

pub(super) fn refused_by_the_gateway() -> &'static str {
    r#"{"error":{"code":"blocked_words"}}"#
}

pub(super) async fn whole_conversation(roles: &Arc<Roles>) {
    // Texts in both directions, with a second conversation.
    let lab = WatchedLab::start(guarded(roles, Value::Null)).await;
    soon("the schedule has bought a token", roles.asked("token-refresh", "dynamodb:UpdateItem", true)).await;
    let report = headless::run(&lab).await;
    assert!(report.problems.is_empty(), "{:?}\n{:#?}\n{}", report.problems, roles.denied(), report.transcript);

    // Failures: both sides are down for a moment, and then refuse a message. The sender is told, and the message is parked.
    let lab = WatchedLab::start(guarded(roles, with_questions())).await;
    let id = opened(&lab, PHONE).await;
    settled(&lab).await;
    lab.liveengage().fail_next(Service::Send, StatusCode::SERVICE_UNAVAILABLE, "");
    lab.gateway().consumer_sends(PHONE, "anyone?").unwrap();
    settled(&lab).await;
    // An uncertain outcome: the worker looks for the echo before it sends the message again.
    lab.liveengage().fail_next(Service::Send, StatusCode::BAD_GATEWAY, "");
    lab.gateway().consumer_sends(PHONE, "hello again?").unwrap();
    lab.gateway().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
    lab.liveengage().say(&id, "here").unwrap();
    received(&lab, PHONE, 1).await;
    lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), refused_by_the_gateway());
    lab.liveengage().say(&id, "refused").unwrap();
    desk(&lab, "the agent is told", |all| consumer_texts(&all[0]).iter().any(|text| text.contains("Not delivered")))
        .await;
    settled(&lab).await;
    lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
    lab.gateway().consumer_sends(PHONE, "not for you").unwrap();
    received(&lab, PHONE, 2).await;
    settled(&lab).await;
    lab.liveengage().close(&id).unwrap();
    let told = received(&lab, PHONE, 3).await;
    assert_eq!(told[2], "How was it, from 1 to 5?");
    settled(&lab).await;

    // What webhooks lost: the echo of the last text is missing, and an answer.
    let id = opened(&lab, OTHER_PHONE).await;
    settled(&lab).await;
    lab.liveengage().say(&id, "one moment").unwrap();
    received(&lab, OTHER_PHONE, 1).await;
    settled(&lab).await;
    lab.liveengage().set_webhooks(ACCOUNT, WebhookSettings { retention: None, ..WebhookSettings::default() });
    lab.gateway().consumer_sends(OTHER_PHONE, "still there?").unwrap();
    desk(&lab, "the text is at the desk", |all| {
        all.iter().any(|conversation| consumer_texts(conversation).contains(&"still there?"))
    })
    .await;
    lab.liveengage().say(&id, "here it is").unwrap();
    settled(&lab).await;
    age_last_text(&lab, OTHER_PHONE).await;
    lab.reconcile(json!({"scope": "suspicious"})).await.unwrap();
    received(&lab, OTHER_PHONE, 2).await;
    settled(&lab).await;

    let lab = WatchedLab::start(guarded(roles, with_questions())).await;
    // An agent's file, which is fetched in the name of the account.
    let id = opened_on_whatsapp(&lab, PHONE).await;
    lab.liveengage().say_file(&id, NewFile::new("PNG", PNG)).unwrap();
    received_on_whatsapp(&lab, PHONE, 1).await;
    settled(&lab).await;
}
