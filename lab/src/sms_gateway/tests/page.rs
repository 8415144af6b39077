//! Tests of the page's view of the gateway.

use super::*;
use crate::channel::ChannelSimulator;
use crate::page::{
    ActionError, AttachmentView, BubbleState, PhoneFeatures, PhoneView, Phones, Side, SimulatedPhones, UploadedFile,
};

#[tokio::test]
async fn the_page_lists_the_phones() {
    let connector = SmsConnector::start(&[403]).await;
    let gateway = gateway_with(&connector).await;
    let phones = SimulatedPhones(Arc::new(gateway.clone()));
    phones.send(PHONE, "question").await.unwrap();
    settled(&gateway, PHONE).await;
    call(&gateway, TOKEN, message("answer")).await;

    assert_eq!(phones.phones().await, [PhoneView { number: PHONE.to_owned(), messages: 2 }]);
    let bubbles = phones.transcript(PHONE).await.unwrap();
    assert_eq!(bubbles[0].side, Side::Consumer);
    assert_eq!(bubbles[0].state, Some(BubbleState::Failed));
    assert_eq!(bubbles[0].note.as_deref(), Some("refused with 403"));
    assert_eq!(bubbles[1].side, Side::Agent);
    assert_eq!(bubbles[1].text, "answer");
    assert_eq!(phones.transcript("+12125550100").await, None);
    let error = phones.send("ACME", "hi").await.unwrap_err();
    assert!(matches!(error, ActionError::Rejected(_)));
}

fn upload(name: &str, content_type: &str, caption: Option<&str>) -> UploadedFile {
    UploadedFile {
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        bytes: "bytes".into(),
        caption: caption.map(str::to_owned),
    }
}

#[tokio::test]
async fn the_page_shows_pictures_and_offers_other_files_for_download() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    let phones = SimulatedPhones(Arc::new(gateway.clone()));
    phones.send_file(PHONE, upload("cat.webp", "image/webp", Some("mine"))).await.unwrap();
    phones.send_file(PHONE, upload("plan.svg", "image/svg+xml", None)).await.unwrap();
    let error = phones.send_file(PHONE, upload("x", "nonsense", None)).await.unwrap_err();
    assert!(matches!(error, ActionError::Rejected(_)));

    let bubbles = phones.transcript(PHONE).await.unwrap();
    assert_eq!(bubbles.iter().map(|bubble| bubble.text.as_str()).collect::<Vec<_>>(), ["mine", ""]);
    let [AttachmentView::Picture { media, alt }] = &bubbles[0].attachments[..] else { panic!("{bubbles:?}") };
    assert_eq!(alt, "cat.webp");
    let stored = phones.media(media).await.unwrap();
    assert_eq!((stored.content_type.as_str(), &stored.bytes[..]), ("image/webp", &b"bytes"[..]));
    let [AttachmentView::File { media: Some(_), name, size: Some(5) }] = &bubbles[1].attachments[..] else {
        panic!("{bubbles:?}")
    };
    assert_eq!(name, "plan.svg");
    assert_eq!(phones.media("nothing").await, None);
}

#[tokio::test]
async fn the_page_shows_the_state_of_a_text() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = SmsGateway::start(SmsGatewayOptions { delivery_reports: true, ..options() }).await.unwrap();
    gateway.set_webhook_url(connector.url());
    let phones = SimulatedPhones(Arc::new(gateway.clone()));
    gateway.fail_delivery_next("absent");
    call(&gateway, TOKEN, message("one")).await;
    call(&gateway, TOKEN, message("two")).await;
    phones.read(PHONE).await.unwrap();
    gateway.set_automatic_delivery(false);
    call(&gateway, TOKEN, message("three")).await;
    gateway.set_automatic_delivery(true);
    call(&gateway, TOKEN, message("four")).await;

    let bubbles = phones.transcript(PHONE).await.unwrap();
    let states: Vec<_> = bubbles.iter().map(|bubble| bubble.state.unwrap()).collect();
    assert_eq!(states, [BubbleState::Failed, BubbleState::Read, BubbleState::Accepted, BubbleState::Delivered]);
    assert_eq!(bubbles[0].note.as_deref(), Some("not delivered: absent"));
}

#[tokio::test]
async fn the_page_offers_what_the_account_has() {
    let without = SmsGateway::start(options()).await.unwrap();
    let with = SmsGateway::start(SmsGatewayOptions { delivery_reports: true, ..options() }).await.unwrap();
    let features = PhoneFeatures { longest_text: Some(1600), files: true, typing: true, ..PhoneFeatures::default() };
    assert_eq!(without.features(), features);
    assert_eq!(with.features(), PhoneFeatures { read_receipts: true, ..features });

    call(&without, TOKEN, message("hi")).await;
    assert!(matches!(without.read(PHONE), Err(ActionError::Rejected(_))));
    assert!(matches!(with.read(PHONE), Err(ActionError::NotFound(_))));
    assert!(matches!(with.types(PHONE, true), Err(ActionError::NotFound(_))));

    let connector = SmsConnector::start(&[]).await;
    without.set_webhook_url(connector.url());
    without.types(PHONE, true).unwrap();
    with_timeout(without.webhooks_settled()).await;
    assert_eq!(connector.bodies()[0]["typing"], true);
}
