//! People and agents do all that they can, and nothing fails: an item of nearly every kind.

use connector_lab::{
    ACCOUNT, Lab,
    liveengage::{AcceptStatus, Speaker},
    phone::Location,
    whatsapp::MessageContent,
};
use serde_json::json;

use super::{
    situations::{OTHER_PHONE, PNG},
    snapshot::{Left, Recorded, record},
};
use crate::steps::{PHONE, consumer_texts, desk, lab, line, opened_on_whatsapp, received_on_whatsapp, settled, soon};

pub(super) async fn all_sorts() -> Recorded {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    settled(&lab).await;
    agents_text(&lab, &id).await;
    persons_contents(&lab).await;
    failed_delivery(&lab, &id).await;
    choice(&lab, &id).await;
    let lines = [(Speaker::Visitor, "is this the web chat?"), (Speaker::Agent, "it is indeed")];
    lab.liveengage().foreign_conversation(ACCOUNT, &lines).unwrap();
    settled(&lab).await;
    other_person(&lab).await;
    record(&lab, Left::default()).await
}

/// The agent types, writes and reads, and the person reads.
async fn agents_text(lab: &Lab, id: &str) {
    lab.liveengage().join(id).unwrap();
    lab.liveengage().typing(id, true).unwrap();
    soon("the phone shows typing", lab.whatsapp().wait_for_typing(PHONE, true)).await;
    lab.liveengage().say(id, "one of many").unwrap();
    received_on_whatsapp(lab, PHONE, 1).await;
    settled(lab).await;
    lab.liveengage().read(id).unwrap();
    lab.whatsapp().consumer_reads(PHONE);
    desk(lab, "the text is read", |all| {
        let mut lines = all.iter().flat_map(|one| &one.transcript);
        lines.any(|line| line.text == "one of many" && line.statuses.contains(&AcceptStatus::Read))
    })
    .await;
    settled(lab).await;
}

/// The person sends a place, a contact, something that can't be shown, a text that is changed and deleted, and a picture.
async fn persons_contents(lab: &Lab) {
    let phone = lab.whatsapp();
    let square = Location { latitude: 52.5219, longitude: 13.4132, name: Some("The square".to_owned()), address: None };
    phone.consumer_sends_location(PHONE, square).unwrap();
    phone.consumer_sends_contact(PHONE, "Ben Example", "+4915155099").unwrap();
    phone.consumer_sends_unsupported(PHONE, "poll_creation").unwrap();
    let text = phone.consumer_sends(PHONE, "a text with a mistaek").unwrap();
    phone.consumer_edits(PHONE, &text, "a text without a mistake").unwrap();
    phone.consumer_deletes(PHONE, &text).unwrap();
    phone.consumer_sends_image(PHONE, PNG, "image/png", Some("look at this")).unwrap();
    line(lab, "the picture", |line| line.file.is_some()).await;
    settled(lab).await;
}

/// WhatsApp reports that an answer did not arrive.
async fn failed_delivery(lab: &Lab, id: &str) {
    lab.whatsapp().fail_delivery_next(131_026, "Message undeliverable");
    lab.liveengage().say(id, "one that fails later").unwrap();
    line(lab, "the agent is told", |line| line.text.starts_with("[Not delivered")).await;
    settled(lab).await;
}

/// The person taps on a button.
async fn choice(lab: &Lab, id: &str) {
    let card = json!({"type": "vertical", "elements": [
        {"type": "text", "text": "Take one"},
        {"type": "button", "title": "This", "click": {"actions": [{"type": "publishText", "text": "I take this one"}]}},
    ]});
    lab.liveengage().say_rich(id, card, None).unwrap();
    let messages = received_on_whatsapp(lab, PHONE, 3).await;
    let MessageContent::Buttons(shown) = &messages[2].content else { panic!("{messages:?}") };
    settled(lab).await;
    lab.whatsapp().consumer_taps(PHONE, &messages[2].id, &shown.buttons[0].id).unwrap();
    line(lab, "the choice", |line| line.text == "I take this one").await;
    settled(lab).await;
}

/// Another person types an SMS, and sends it.
async fn other_person(lab: &Lab) {
    let text = "hello, this is an SMS";
    lab.gateway().consumer_types(OTHER_PHONE, true).unwrap();
    lab.gateway().consumer_sends(OTHER_PHONE, text).unwrap();
    desk(lab, "the other person's text", |all| all.iter().any(|one| consumer_texts(one).contains(&text))).await;
    settled(lab).await;
}
