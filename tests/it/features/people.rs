//! What agents see of a consumer and of the line.

use connector_lab::{
    ACCOUNT,
    liveengage::{EngagementOptions, Service},
};
use http::StatusCode;
use serde_json::json;

use crate::steps::{PHONE, desk, lab_with, opened, opened_on_whatsapp, received, settled};

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_sees_who_writes_and_a_new_name_when_there_is_one() {
    let lab = lab_with(json!({
        "routing": {
            "skill_id": "2187", "language": "de-DE", "ttr": "URGENT",
            "campaign": {"campaign_id": "31", "engagement_id": "57"},
        },
        "profile": {"customer_type": "messaging"},
    }))
    .await;
    lab.whatsapp().set_profile_name(PHONE, "Ada Muster").unwrap();
    let id = opened_on_whatsapp(&lab, PHONE).await;
    let conversation = lab.liveengage().conversation(&id).unwrap();
    assert_eq!(conversation.consumer.name.as_deref(), Some("Ada Muster"));
    assert_eq!(conversation.consumer.profile["privateData"]["mobileNum"], PHONE);
    let sdes = &conversation.consumer.profile["authenticatedData"]["lp_sdes"];
    assert_eq!(sdes[0]["info"]["ctype"], "messaging");
    assert_eq!(sdes[1]["personal"]["language"], "de-DE");
    assert_eq!((conversation.skill_id.as_str(), conversation.ttr_type.as_str()), ("2187", "URGENT"));
    assert_eq!(conversation.request["conversationContext"]["lang"], "de-DE");
    assert_eq!(conversation.request["campaignInfo"], json!({"campaignId": "31", "engagementId": "57"}));
    let features = conversation.client_properties.as_ref().unwrap()["features"].clone();
    assert_eq!(features, json!(["RICH_CONTENT", "QUICK_REPLIES", "MULTI_DIALOG", "PHOTO_SHARING"]));

    lab.whatsapp().set_profile_name(PHONE, "Ada Beispiel").unwrap();
    lab.whatsapp().consumer_sends(PHONE, "I have a new name").unwrap();
    let all = desk(&lab, "the new name", |all| all[0].consumer.name.as_deref() == Some("Ada Beispiel")).await;
    assert!(!all[0].client_properties_changed);
    settled(&lab).await;
    let sends = lab.liveengage().calls().of(Service::Send);
    lab.whatsapp().consumer_sends(PHONE, "the same as before").unwrap();
    desk(&lab, "the text", |all| all[0].transcript.len() == 3).await;
    assert_eq!(lab.liveengage().calls().of(Service::Send), sends + 1, "a name that is known costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sms_line_declares_less_and_shows_the_number() {
    let lab = lab_with(json!({"surveys": false})).await;
    let id = opened(&lab, PHONE).await;
    let conversation = lab.liveengage().conversation(&id).unwrap();
    assert_eq!(conversation.consumer.profile["privateData"]["mobileNum"], PHONE);
    assert_eq!(conversation.ttr_type, "NORMAL");
    let features = conversation.client_properties.unwrap()["features"].clone();
    assert_eq!(features, json!(["RICH_CONTENT", "QUICK_REPLIES"]));
}

/// The line asks for an engagement before it opens a conversation.
#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_counts_for_the_campaign_that_liveengage_names() {
    let lab = lab_with(json!({"engagement": {"entry_points": ["sec://parcels"]}})).await;
    let engagement = EngagementOptions { campaign_id: 4_410_023, engagement_id: 4_410_057 };
    lab.liveengage().set_engagement(ACCOUNT, Some(engagement));
    let id = opened(&lab, PHONE).await;
    let request = lab.liveengage().conversation(&id).unwrap().request;
    assert_eq!(request["campaignInfo"], json!({"campaignId": "4410023", "engagementId": "4410057"}));
    let context = &request["conversationContext"];
    assert_eq!(context["type"], "SharkContext");
    for id in ["visitorId", "sessionId", "interactionContextId"] {
        assert!(context[id].is_string(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_opens_without_a_campaign_that_can_not_be_found() {
    let lab = lab_with(json!({"engagement": {}})).await;
    lab.liveengage().fail_next(Service::Monitoring, StatusCode::SERVICE_UNAVAILABLE, "");
    let id = opened(&lab, PHONE).await;
    let request = lab.liveengage().conversation(&id).unwrap().request;
    assert_eq!((&request["campaignInfo"], &request["conversationContext"]), (&json!(null), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_who_writes() {
    let lab = lab_with(json!({"sender": "nickname"})).await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().join(&id).unwrap();
    lab.liveengage().say(&id, "hello").unwrap();
    lab.liveengage().say(&id, "how can I help?").unwrap();
    assert_eq!(received(&lab, PHONE, 2).await, ["Robin: hello", "Robin: how can I help?"]);
    assert_eq!(lab.liveengage().calls().of(Service::AgentProfile), 1);
}
