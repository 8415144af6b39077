//! What agents see of a consumer and of the line.

use connector_lab::liveengage::Service;
use serde_json::json;

use crate::steps::{PHONE, desk, lab_with, opened, opened_on_whatsapp, settled};

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
