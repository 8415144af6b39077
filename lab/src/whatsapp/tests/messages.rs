use super::*;

#[tokio::test]
async fn a_text_appears_on_the_phone_and_a_duplicate_appears_twice() {
    let whatsapp = simulator_in_chat().await;
    let (status, first) = call(&whatsapp, &text("Hello 👋")).await;
    assert_eq!(status, 200);
    let id = first["messages"][0]["id"].as_str().unwrap();
    assert_eq!(
        first,
        json!({
            "messaging_product": "whatsapp",
            "contacts": [{ "input": "12025550143", "wa_id": "12025550143" }],
            "messages": [{ "id": id }],
        })
    );
    let second = send_accepted(&whatsapp, &text("Hello 👋")).await;
    let transcript = whatsapp.transcript(PHONE);
    assert_eq!(transcript.len(), 3);
    assert_eq!((transcript[1].id.as_str(), &transcript[2]), (id, &second));
    assert_eq!(second.content, MessageContent::Text("Hello 👋".to_owned()));
    assert_eq!((second.direction, second.state), (Direction::ToPhone, MessageState::Delivered));
    assert_eq!(second.addressed_to.as_deref(), Some("12025550143"));
}

#[tokio::test]
async fn a_message_can_go_to_a_user_id_but_a_number_takes_precedence() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.set_user_id(PHONE, "US.7700481").unwrap();
    whatsapp.hide_phone_number(PHONE).unwrap();
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    settled(&whatsapp, PHONE).await;
    let mut body = text("to the user id");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = "US.7700481".into();
    let (status, answer) = call(&whatsapp, &body).await;
    assert_eq!((status, &answer["contacts"]), (200, &json!([{ "input": "US.7700481", "user_id": "US.7700481" }])));
    assert_eq!(whatsapp.transcript(PHONE)[1].addressed_to.as_deref(), Some("US.7700481"));
    connector.called(3).await;
    let values = connector.values();
    assert_eq!(values[1]["contacts"], json!([{ "profile": { "name": "Consumer 0143" }, "user_id": "US.7700481" }]));
    let status = &values[1]["statuses"][0];
    assert_eq!((status.get("recipient_id"), &status["recipient_user_id"]), (None, &"US.7700481".into()));

    body["to"] = "+1 202-555-0143".into();
    let (_, answer) = call(&whatsapp, &body).await;
    assert_eq!(answer["contacts"], json!([{ "input": "+1 202-555-0143", "wa_id": "12025550143" }]));
    connector.called(5).await;
    let status = connector.statuses().remove(2);
    assert_eq!((&status["recipient_id"], &status["recipient_user_id"]), (&"12025550143".into(), &"US.7700481".into()));
}

#[tokio::test]
async fn a_quote_is_kept_if_the_phone_has_the_message() {
    let whatsapp = simulator_in_chat().await;
    let asked = whatsapp.transcript(PHONE)[0].id.clone();
    let quoting = |id: &str| {
        let mut body = text("answer");
        body["context"] = json!({ "message_id": id });
        body
    };
    assert_eq!(send_accepted(&whatsapp, &quoting(&asked)).await.quotes, Some(asked));
    assert_eq!(send_accepted(&whatsapp, &quoting("wamid.gone")).await.quotes, None);
}

#[tokio::test]
async fn interactive_messages_show_their_buttons_and_rows() {
    let whatsapp = simulator_in_chat().await;
    let interactive = |fields: Value| message(json!({ "type": "interactive", "interactive": fields }));
    let buttons = send_accepted(
        &whatsapp,
        &interactive(json!({
            "type": "button",
            "header": { "type": "image", "image": { "link": "https://shop.example/tent.jpg" } },
            "body": { "text": "Which colour?" },
            "footer": { "text": "Until Friday" },
            "action": { "buttons": [
                { "type": "reply", "reply": { "id": "a", "title": "Red" } },
                { "type": "reply", "reply": { "id": "b", "title": "Green" } },
                { "type": "reply", "reply": { "id": "c", "title": "12345678901234567890" } },
            ]},
        })),
    )
    .await;
    assert_eq!((buttons.content.kind(), buttons.text()), ("button", "Which colour?"));
    let MessageContent::Buttons(shown) = buttons.content else { panic!("{buttons:?}") };
    let link = MediaFile::Link("https://shop.example/tent.jpg".to_owned());
    assert_eq!(shown.header, Some(Header::Media { kind: MediaKind::Image, file: link }));
    assert_eq!(shown.footer.as_deref(), Some("Until Friday"));
    let titles: Vec<_> = shown.buttons.iter().map(|button| (button.id.as_str(), button.title.as_str())).collect();
    assert_eq!(titles, [("a", "Red"), ("b", "Green"), ("c", "12345678901234567890")]);

    let list = send_accepted(
        &whatsapp,
        &interactive(json!({
            "type": "list",
            "header": { "type": "text", "text": "Tents" },
            "body": { "text": "é".repeat(4096) },
            "action": { "button": "Choose", "sections": [
                { "title": "For two", "rows": [{ "id": "1", "title": "Small", "description": "2 kg" }] },
                { "title": "For four", "rows": [{ "id": "2", "title": "Large" }] },
            ]},
        })),
    )
    .await;
    let MessageContent::List(shown) = list.content else { panic!("{list:?}") };
    assert_eq!((shown.button.as_str(), shown.sections.len()), ("Choose", 2));
    assert_eq!(shown.sections[0].title.as_deref(), Some("For two"));
    assert_eq!(shown.sections[0].rows[0].description.as_deref(), Some("2 kg"));

    let link = send_accepted(
        &whatsapp,
        &interactive(json!({
            "type": "cta_url", "body": { "text": "Have a look" },
            "action": { "name": "cta_url", "parameters": { "display_text": "Open", "url": "https://shop.example/7" } },
        })),
    )
    .await;
    let expected = LinkMessage {
        header: None,
        body: "Have a look".to_owned(),
        footer: None,
        label: "Open".to_owned(),
        url: "https://shop.example/7".to_owned(),
    };
    assert_eq!(link.content, MessageContent::Link(expected));
}

#[tokio::test]
async fn linked_media_locations_contacts_and_reactions_appear() {
    let whatsapp = simulator_in_chat().await;
    let asked = whatsapp.transcript(PHONE)[0].id.clone();
    let document = json!({ "link": "https://shop.example/a.pdf", "caption": "Your label", "filename": "label.pdf" });
    let sent = send_accepted(&whatsapp, &message(json!({ "type": "document", "document": document }))).await;
    let expected = MediaMessage {
        kind: MediaKind::Document,
        file: MediaFile::Link("https://shop.example/a.pdf".to_owned()),
        caption: Some("Your label".to_owned()),
        filename: Some("label.pdf".to_owned()),
        voice: false,
    };
    assert_eq!((sent.text(), &sent.content), ("Your label", &MessageContent::Media(expected)));

    let place = json!({ "latitude": "52.5", "longitude": 13.25, "name": "Shop", "address": "Ring 1" });
    let sent = send_accepted(&whatsapp, &message(json!({ "type": "location", "location": place }))).await;
    let (name, address) = (Some("Shop".to_owned()), Some("Ring 1".to_owned()));
    assert_eq!(sent.content, MessageContent::Location(Location { latitude: 52.5, longitude: 13.25, name, address }));

    let contact =
        json!({ "name": { "formatted_name": "Help Desk", "first_name": "Help" }, "phones": [{ "phone": "+4930555" }] });
    let sent = send_accepted(&whatsapp, &message(json!({ "type": "contacts", "contacts": [contact] }))).await;
    let card = ContactCard { name: "Help Desk".to_owned(), phones: vec!["+4930555".to_owned()] };
    assert_eq!(sent.content, MessageContent::Contacts(vec![card]));

    let reaction = json!({ "message_id": asked, "emoji": "🙏" });
    let sent = send_accepted(&whatsapp, &message(json!({ "type": "reaction", "reaction": reaction }))).await;
    let emoji = Some("🙏".to_owned());
    assert_eq!(sent.content, MessageContent::Reaction(Reaction { message_id: asked, emoji }));
}
