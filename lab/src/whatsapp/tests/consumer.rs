use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::action::UploadedFile;

/// The message that the connector receives after an action of the consumer.
async fn received(act: impl FnOnce(&WhatsApp)) -> (Value, PhoneMessage) {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    act(&whatsapp);
    let message = settled(&whatsapp, PHONE).await.remove(0);
    (connector.messages().remove(0), message)
}

#[tokio::test]
async fn files_are_named_by_id_with_their_hash() {
    let hash = STANDARD.encode(Sha256::digest(b"%PDF-1.7"));
    let (webhook, message) = received(|whatsapp| {
        let caption = Some("as agreed");
        whatsapp
            .consumer_sends_document(PHONE, UploadedFile::new("order 7.pdf", "application/pdf", "%PDF-1.7", caption))
            .unwrap();
    })
    .await;
    let MessageContent::Media(media) = &message.content else { panic!("{message:?}") };
    let MediaFile::Stored { id, bytes, .. } = &media.file else { panic!("{media:?}") };
    assert_eq!((message.content.kind(), message.text(), bytes.as_ref()), ("document", "as agreed", &b"%PDF-1.7"[..]));
    assert_eq!(webhook["type"], "document");
    assert_eq!(
        webhook["document"],
        json!({
            "id": id, "mime_type": "application/pdf", "sha256": hash, "filename": "order 7.pdf", "caption": "as agreed",
        })
    );

    let (webhook, _) = received(|whatsapp| {
        whatsapp.consumer_sends_image(PHONE, "png", "image/png", None).unwrap();
    })
    .await;
    assert_eq!(webhook["image"]["mime_type"], "image/png");
    assert_eq!(webhook["image"].get("caption"), None);
    let (webhook, message) = received(|whatsapp| {
        whatsapp.consumer_sends_audio(PHONE, "OggS", "audio/ogg; codecs=opus", true).unwrap();
    })
    .await;
    assert_eq!(
        (&webhook["audio"]["voice"], &webhook["audio"]["mime_type"]),
        (&true.into(), &"audio/ogg; codecs=opus".into())
    );
    assert!(matches!(message.content, MessageContent::Media(MediaMessage { voice: true, .. })));
    let (webhook, _) = received(|whatsapp| {
        whatsapp.consumer_sends_video(PHONE, "ftyp", "video/mp4", Some("look")).unwrap();
    })
    .await;
    assert_eq!(webhook["video"]["caption"], "look");
    let (webhook, _) = received(|whatsapp| {
        whatsapp.consumer_sends_sticker(PHONE, "RIFF").unwrap();
    })
    .await;
    assert_eq!((&webhook["type"], &webhook["sticker"]["animated"]), (&"sticker".into(), &false.into()));
}

#[tokio::test]
async fn locations_contacts_and_unsupported_messages_have_their_own_forms() {
    let (webhook, message) = received(|whatsapp| {
        whatsapp
            .consumer_sends_location(
                PHONE,
                Location { latitude: 52.5163, longitude: 13.3777, name: Some("Gate".to_owned()), address: None },
            )
            .unwrap();
    })
    .await;
    assert_eq!(webhook["location"], json!({ "latitude": 52.5163, "longitude": 13.3777, "name": "Gate" }));
    assert_eq!((message.content.kind(), message.text()), ("location", "Gate"));

    let (webhook, message) = received(|whatsapp| {
        whatsapp.consumer_sends_contact(PHONE, "Ben Okri", "+44 20 7946 0018").unwrap();
    })
    .await;
    assert_eq!(
        webhook["contacts"],
        json!([{
            "name": { "formatted_name": "Ben Okri", "first_name": "Ben" },
            "phones": [{ "phone": "+44 20 7946 0018", "type": "Mobile", "wa_id": "442079460018" }],
        }])
    );
    assert_eq!((message.content.kind(), message.text()), ("contacts", "Ben Okri"));

    let (webhook, message) = received(|whatsapp| {
        whatsapp.consumer_sends_unsupported(PHONE, "poll_creation").unwrap();
    })
    .await;
    assert_eq!((&webhook["type"], &webhook["errors"][0]["code"]), (&"unsupported".into(), &131_051.into()));
    assert_eq!(webhook["unsupported"]["type"], "poll_creation");
    assert_eq!(message.content, MessageContent::Unsupported("poll_creation".to_owned()));
}

#[tokio::test]
async fn a_reply_and_a_reaction_name_their_message() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    let first = whatsapp.consumer_sends(PHONE, "one").unwrap();
    whatsapp.consumer_replies(PHONE, "two", &first).unwrap();
    whatsapp.consumer_reacts(PHONE, &first, Some("👍")).unwrap();
    whatsapp.consumer_reacts(PHONE, &first, None).unwrap();
    let messages = settled(&whatsapp, PHONE).await;
    assert_eq!(messages[1].quotes.as_deref(), Some(first.as_str()));
    assert_eq!((messages[2].content.kind(), messages[2].text()), ("reaction", "👍"));

    let webhooks = connector.messages();
    assert_eq!(webhooks[1]["context"], json!({ "from": "493055501044", "id": first }));
    assert_eq!(webhooks[2]["reaction"], json!({ "message_id": first, "emoji": "👍" }));
    assert_eq!(webhooks[3]["reaction"], json!({ "message_id": first }), "no emoji takes the reaction away");
    let unknown = Err(WhatsAppConsumerError::UnknownMessage("wamid.no".to_owned()));
    assert_eq!(whatsapp.consumer_reacts(PHONE, "wamid.no", Some("👍")), unknown);
    assert_eq!(whatsapp.consumer_replies(PHONE, "three", "wamid.no"), unknown);
    assert_eq!(
        whatsapp.consumer_replies(OTHER_PHONE, "three", &first),
        Err(WhatsAppConsumerError::UnknownMessage(first))
    );
}

#[tokio::test]
async fn a_tap_reports_the_choice_and_its_message() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    settled(&whatsapp, PHONE).await;
    let buttons = send_accepted(
        &whatsapp,
        &message(json!({ "type": "interactive", "interactive": {
            "type": "button", "body": { "text": "Which?" },
            "action": { "buttons": [{ "type": "reply", "reply": { "id": "m1.0", "title": "Red" } }] },
        }})),
    )
    .await;
    let list = send_accepted(
        &whatsapp,
        &message(json!({ "type": "interactive", "interactive": {
            "type": "list", "body": { "text": "Which?" },
            "action": { "button": "Sizes", "sections": [{ "rows": [
                { "id": "s", "title": "Small" }, { "id": "l", "title": "Large", "description": "44 and more" },
            ]}]},
        }})),
    )
    .await;
    whatsapp.consumer_taps(PHONE, &buttons.id, "m1.0").unwrap();
    whatsapp.consumer_taps(PHONE, &list.id, "l").unwrap();
    whatsapp.consumer_taps(PHONE, &list.id, "s").unwrap();
    let transcript = settled(&whatsapp, PHONE).await;
    assert_eq!(transcript[4].content.kind(), "list_reply");
    assert_eq!((transcript[3].text(), transcript[3].quotes.as_deref()), ("Red", Some(buttons.id.as_str())));

    let webhooks = connector.messages();
    assert_eq!(webhooks[1]["context"], json!({ "from": "493055501044", "id": buttons.id }));
    assert_eq!(
        webhooks[1]["interactive"],
        json!({ "type": "button_reply", "button_reply": { "id": "m1.0", "title": "Red" } })
    );
    assert_eq!(
        webhooks[2]["interactive"],
        json!({ "type": "list_reply", "list_reply": { "id": "l", "title": "Large", "description": "44 and more" } })
    );
    assert_eq!(webhooks[3]["interactive"]["list_reply"], json!({ "id": "s", "title": "Small" }));
    let unknown = Err(WhatsAppConsumerError::UnknownChoice("m1.1".to_owned()));
    assert_eq!(whatsapp.consumer_taps(PHONE, &buttons.id, "m1.1"), unknown);
    let no_buttons = transcript[0].id.clone();
    assert_eq!(
        whatsapp.consumer_taps(PHONE, &no_buttons, "m1.0"),
        Err(WhatsAppConsumerError::UnknownChoice("m1.0".to_owned()))
    );
    let elsewhere = whatsapp.consumer_taps(OTHER_PHONE, &buttons.id, "m1.0");
    assert_eq!(elsewhere, Err(WhatsAppConsumerError::UnknownMessage(buttons.id)));
}

#[tokio::test]
async fn a_consumer_is_named_by_number_by_both_or_by_user_id_alone() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.forget_user_id(PHONE).unwrap();
    assert_eq!(whatsapp.hide_phone_number(PHONE), Err(WhatsAppConsumerError::NoUserId));
    whatsapp.consumer_sends(PHONE, "one").unwrap();
    whatsapp.set_user_id(PHONE, "US.7700481").unwrap();
    whatsapp.consumer_sends(PHONE, "two").unwrap();
    whatsapp.hide_phone_number(PHONE).unwrap();
    whatsapp.set_username(PHONE, Some("tidewater")).unwrap();
    whatsapp.consumer_sends(PHONE, "three").unwrap();
    settled(&whatsapp, PHONE).await;

    let named: Vec<_> = connector
        .values()
        .iter()
        .map(|value| {
            let (contact, message) = (&value["contacts"][0], &value["messages"][0]);
            [&contact["wa_id"], &contact["user_id"], &message["from"], &message["from_user_id"]].map(Value::clone)
        })
        .collect();
    let (number, user_id) = (Value::from("12025550143"), Value::from("US.7700481"));
    assert_eq!(
        named,
        [
            [number.clone(), Value::Null, number.clone(), Value::Null],
            [number.clone(), user_id.clone(), number, user_id.clone()],
            [Value::Null, user_id.clone(), Value::Null, user_id],
        ]
    );
    assert_eq!(
        connector.values()[2]["contacts"][0]["profile"],
        json!({ "name": "Consumer 0143", "username": "tidewater" })
    );
    let wrong = Err(WhatsAppConsumerError::NotAUserId("12025550143".to_owned()));
    assert_eq!(whatsapp.set_user_id(PHONE, "12025550143"), wrong);
}

#[tokio::test]
async fn every_consumer_has_a_unique_user_id() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    for phone in [PHONE, PHONE, OTHER_PHONE] {
        whatsapp.consumer_sends(phone, "hi").unwrap();
    }
    connector.called(3).await;
    let mut values = connector.values();
    values.sort_by_key(|value| value["contacts"][0]["wa_id"].to_string());
    let ids: Vec<_> = values.iter().map(|value| value["contacts"][0]["user_id"].as_str().unwrap()).collect();
    assert!(ids[0] == ids[1] && ids[0] != ids[2], "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("US.") && !id.contains("0143")), "{ids:?}");
    assert_eq!(values[0]["messages"][0]["from_user_id"], ids[0]);
}

#[tokio::test]
async fn texts_that_no_phone_can_send_are_refused() {
    let whatsapp = simulator().await;
    let too_long = |length, limit| Err(WhatsAppConsumerError::TextTooLong { length, limit });
    assert_eq!(
        whatsapp.consumer_sends("12025550143", "hi"),
        Err(WhatsAppConsumerError::NotAPhone("12025550143".to_owned()))
    );
    assert_eq!(whatsapp.consumer_sends(PHONE, " \n"), Err(WhatsAppConsumerError::EmptyText));
    assert_eq!(whatsapp.consumer_sends(PHONE, &"é".repeat(65_537)), too_long(65_537, 65_536));
    let caption = "c".repeat(1025);
    assert_eq!(whatsapp.consumer_sends_image(PHONE, "x", "image/png", Some(&caption)), too_long(1025, 1024));
    for (bytes, mime_type) in [(vec![], "image/png"), (vec![0; 5_300_000], "image/png"), (vec![1], "image/tiff")] {
        let refused = whatsapp.consumer_sends_image(PHONE, bytes, mime_type, None);
        assert!(matches!(refused, Err(WhatsAppConsumerError::Media(_))), "{refused:?}");
    }
    for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.1), (f64::NAN, 0.0)] {
        let refused =
            whatsapp.consumer_sends_location(PHONE, Location { latitude, longitude, name: None, address: None });
        assert!(matches!(refused, Err(WhatsAppConsumerError::NotAPlace { .. })), "{refused:?}");
    }
    assert_eq!(whatsapp.consumer_sends_contact(PHONE, "", "+442079460018"), Err(WhatsAppConsumerError::EmptyText));
    assert_eq!(whatsapp.phones(), Vec::<String>::new());
}

#[tokio::test]
async fn followers_see_every_change() {
    let whatsapp = simulator().await;
    let mut changes = whatsapp.subscribe();
    whatsapp.set_profile_name(PHONE, "Ana").unwrap();
    let id = whatsapp.consumer_sends(PHONE, "hello").unwrap();
    let change = |message_id| PhoneChange { phone: PHONE.to_owned(), message_id };
    assert_eq!(with_timeout(changes.recv()).await.unwrap(), change(None));
    assert_eq!(with_timeout(changes.recv()).await.unwrap(), change(Some(id)));
    assert_eq!((whatsapp.profile_name(PHONE).as_deref(), whatsapp.phones()), (Some("Ana"), vec![PHONE.to_owned()]));
    assert_eq!(whatsapp.profile_name(OTHER_PHONE), None);
}
