//! Content that consumers, agents and bots send.

use connector_lab::{
    LabOptions,
    action::UploadedFile,
    liveengage::{AcceptStatus, NewFile},
    phone::Location,
    whatsapp::{MediaFile, MediaKind, MessageContent},
};
use serde_json::{Value, json};

use crate::silence::WatchedLab;
use crate::steps::{
    HELLO, PHONE, consumer_texts, desk, lab, line, opened, opened_on_whatsapp, received, received_on_whatsapp, settled,
};

const PNG: &[u8] = b"\x89PNG\r\n\x1A\nnot much of a picture";
const PDF: &[u8] = b"%PDF-1.7 not much of a document";

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_from_the_phone_is_shown_at_the_desk_on_both_channels() {
    let lab = lab().await;
    lab.whatsapp().consumer_sends_image(PHONE, PNG, "image/png", Some("my broken shoe")).unwrap();
    let shown = line(&lab, "the picture of WhatsApp", |line| line.file.is_some()).await;
    let file = shown.file.unwrap();
    assert_eq!((file.file_type.as_str(), file.caption.as_deref()), ("PNG", Some("my broken shoe")));
    assert_eq!(lab.liveengage().stored_file(&file.relative_path).unwrap().bytes, PNG);

    let other = "+4915155002";
    lab.gateway().consumer_sends_picture(other, PNG, "image/png", Some("as an MMS")).unwrap();
    let shown = line(&lab, "the picture of the gateway", |line| line.text == "as an MMS").await;
    let file = shown.file.unwrap();
    assert_eq!(lab.liveengage().stored_file(&file.relative_path).unwrap().bytes, PNG);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_liveengage_cant_take_is_named_at_the_desk_and_its_sender_is_told() {
    let lab = lab().await;
    let mut large = PNG.to_vec();
    large.resize(3_000_001, 0);
    lab.whatsapp()
        .consumer_sends_document(PHONE, UploadedFile::new("bill.pdf", "application/pdf", PDF, Some("the bill")))
        .unwrap();
    lab.whatsapp().consumer_sends_image(PHONE, large, "image/png", None).unwrap();
    let all = desk(&lab, "the placeholders", |all| {
        all.first().is_some_and(|conversation| conversation.transcript.len() == 3)
    })
    .await;
    assert_eq!(
        consumer_texts(&all[0]),
        [
            "[document: files of this kind can't be shown here]",
            "the bill",
            "[picture: it is larger than 3 MB and can't be shown here]",
        ]
    );
    let told = received_on_whatsapp(&lab, PHONE, 2).await;
    assert!(told.iter().all(|message| message.text().starts_with("Sorry, we can't open this file.")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_shares_documents_gets_them() {
    let lab = WatchedLab::start(LabOptions { documents: true, ..LabOptions::default() }).await;
    lab.whatsapp().consumer_sends_document(PHONE, UploadedFile::new("bill.pdf", "application/pdf", PDF, None)).unwrap();
    let shown = line(&lab, "the document", |line| line.file.is_some()).await;
    let file = shown.file.unwrap();
    assert_eq!(lab.liveengage().stored_file(&file.relative_path).unwrap().bytes, PDF);
    let id = lab.liveengage().conversations()[0].id.clone();
    lab.liveengage().say_file(&id, NewFile::new("PDF", PDF).captioned("and the receipt")).unwrap();
    let messages = received_on_whatsapp(&lab, PHONE, 1).await;
    let MessageContent::Media(media) = &messages[0].content else { panic!("{messages:?}") };
    assert_eq!((media.kind, media.caption.as_deref()), (MediaKind::Document, Some("and the receipt")));
}

#[tokio::test(flavor = "multi_thread")]
async fn places_contacts_and_whatever_cant_be_shown_are_words_at_the_desk() {
    let lab = lab().await;
    let cathedral =
        Location { latitude: 50.9413, longitude: 6.9583, name: Some("Kölner Dom".to_owned()), address: None };
    lab.whatsapp().consumer_sends_location(PHONE, cathedral).unwrap();
    lab.whatsapp().consumer_sends_contact(PHONE, "Ben Beispiel", "+4915155099").unwrap();
    lab.whatsapp().consumer_sends_unsupported(PHONE, "poll_creation").unwrap();
    let all = desk(&lab, "all three", |all| all.first().is_some_and(|one| one.transcript.len() == 3)).await;
    let texts = consumer_texts(&all[0]);
    assert_eq!(texts[0], "[location]\nKölner Dom\nhttps://maps.google.com/?q=50.9413,6.9583");
    assert!(texts[1].starts_with("[contact]\nBen Beispiel"), "{texts:?}");
    assert!(texts[2].starts_with('[') && texts[2].ends_with("can't be shown here]"), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_with_emoji_arrives_whole_in_pieces_that_liveengage_takes() {
    let lab = lab().await;
    opened_on_whatsapp(&lab, PHONE).await;
    let long = "Eine lange Geschichte 👩‍👩‍👧 mit \"Anführungszeichen\" und\nZeilen. ".repeat(60);
    lab.whatsapp().consumer_sends(PHONE, long.trim()).unwrap();
    let all = desk(&lab, "the end of the story", |all| {
        consumer_texts(&all[0]).iter().skip(1).map(|text| text.len()).sum::<usize>() >= long.trim().len()
    })
    .await;
    assert_eq!(consumer_texts(&all[0])[1..].concat(), long.trim());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_picture_is_shown_on_whatsapp_and_not_carried_by_sms() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    lab.liveengage().say_file(&id, NewFile::new("PNG", PNG).captioned("like this one?")).unwrap();
    let messages = received_on_whatsapp(&lab, PHONE, 1).await;
    let MessageContent::Media(media) = &messages[0].content else { panic!("{messages:?}") };
    let MediaFile::Stored { bytes, mime_type, .. } = &media.file else { panic!("{media:?}") };
    assert_eq!((bytes.as_ref(), mime_type.as_str()), (PNG, "image/png"));
    assert_eq!(media.caption.as_deref(), Some("like this one?"));

    let other = "+4915155002";
    lab.gateway().consumer_sends(other, HELLO).unwrap();
    let all = desk(&lab, "both conversations", |all| all.len() == 2).await;
    let sms = all.iter().find(|one| one.id != id).unwrap().id.clone();
    lab.liveengage().say_file(&sms, NewFile::new("PNG", PNG)).unwrap();
    let told = line(&lab, "the agent is told", |line| line.text.contains("Not delivered")).await;
    assert_eq!(told.text, "[Not delivered: a file can't be carried to this channel]");
}

fn card() -> Value {
    let button = |title: &str, id: &str| {
        json!({"type": "button", "title": title, "click": {
            "actions": [{"type": "publishText", "text": format!("I take {title}")}],
            "metadata": [{"type": "ExternalId", "id": id}]}})
    };
    json!({"type": "vertical", "elements": [
        {"type": "image", "url": "https://shop.example/tent.png", "caption": "Tent"},
        {"type": "text", "text": "For two, 149 EUR"},
        button("green", "tent-g"), button("blue", "tent-b"),
    ]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_has_a_picture_and_buttons_on_whatsapp_and_a_tap_is_a_click_at_the_desk() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    let asked = lab.liveengage().say_rich(&id, card(), None).unwrap();
    let messages = received_on_whatsapp(&lab, PHONE, 1).await;
    let MessageContent::Buttons(shown) = &messages[0].content else { panic!("{messages:?}") };
    assert!(shown.header.is_some() && shown.body.contains("For two, 149 EUR"), "{shown:?}");
    let titles: Vec<_> = shown.buttons.iter().map(|button| button.title.as_str()).collect();
    assert_eq!(titles, ["green", "blue"]);
    settled(&lab).await;
    lab.whatsapp().consumer_taps(PHONE, &messages[0].id, &shown.buttons[1].id).unwrap();
    let answer = line(&lab, "the answer", |line| line.text == "I take blue").await;
    let metadata = Some(json!([{"type": "ExternalId", "id": "tent-b"}]));
    assert_eq!(answer.metadata, metadata);
    let conversation = lab.liveengage().conversation(&id).unwrap();
    let question = conversation.transcript.iter().find(|line| line.sequence == asked).unwrap();
    let clicks: Vec<_> = question.receipts.iter().filter(|receipt| receipt.status == AcceptStatus::Action).collect();
    assert_eq!((clicks.len(), &clicks[0].metadata), (1, &metadata));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_card_is_a_numbered_list_by_sms_and_a_number_is_the_same_click() {
    let lab = lab().await;
    let id = opened(&lab, PHONE).await;
    lab.liveengage().say_rich(&id, card(), None).unwrap();
    let shown = received(&lab, PHONE, 1).await.remove(0);
    for part in ["Tent: https://shop.example/tent.png", "For two, 149 EUR", "1. green", "2. blue"] {
        assert!(shown.contains(part), "{shown}");
    }
    settled(&lab).await;
    lab.gateway().consumer_sends(PHONE, "2").unwrap();
    let answer = line(&lab, "the answer", |line| line.text == "I take blue").await;
    assert_eq!(answer.metadata, Some(json!([{"type": "ExternalId", "id": "tent-b"}])));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_quick_replies_are_a_list_on_whatsapp_and_a_typed_title_counts_too() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    let reply = |number: usize| {
        json!({"type": "button", "title": format!("Day {number}"), "click": {
            "actions": [{"type": "publishText", "text": format!("day {number}, please")}],
            "metadata": [{"type": "ExternalId", "id": format!("d-{number}")}]}})
    };
    let replies = json!({"type": "quickReplies", "itemsPerRow": 8, "replies": (1..=5).map(reply).collect::<Vec<_>>()});
    lab.liveengage().say_with_quick_replies(&id, "When?", replies).unwrap();
    let messages = received_on_whatsapp(&lab, PHONE, 1).await;
    let MessageContent::List(shown) = &messages[0].content else { panic!("{messages:?}") };
    let rows: Vec<_> = shown.sections.iter().flat_map(|section| &section.rows).collect();
    assert_eq!((shown.body.as_str(), rows.len()), ("When?", 5));
    settled(&lab).await;
    lab.whatsapp().consumer_taps(PHONE, &messages[0].id, &rows[3].id).unwrap();
    line(&lab, "the row", |line| line.text == "day 4, please").await;
    lab.whatsapp().consumer_sends(PHONE, "day 2").unwrap();
    let typed = line(&lab, "the title", |line| line.text == "day 2, please").await;
    assert_eq!(typed.metadata, Some(json!([{"type": "ExternalId", "id": "d-2"}])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_menu_dies_with_a_newer_message() {
    let lab = lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    lab.liveengage().say_rich(&id, card(), None).unwrap();
    let messages = received_on_whatsapp(&lab, PHONE, 1).await;
    let MessageContent::Buttons(shown) = &messages[0].content else { panic!("{messages:?}") };
    lab.liveengage().say(&id, "never mind").unwrap();
    received_on_whatsapp(&lab, PHONE, 2).await;
    settled(&lab).await;
    lab.whatsapp().consumer_taps(PHONE, &messages[0].id, &shown.buttons[0].id).unwrap();
    let answer = line(&lab, "the title as a text", |line| line.text == "green").await;
    assert_eq!(answer.metadata, None);
}
