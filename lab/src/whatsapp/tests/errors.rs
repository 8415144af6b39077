use super::*;

fn code_of(answer: &Value) -> i64 {
    let error = &answer["error"];
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    assert!(error["type"].is_string() && error["fbtrace_id"].is_string(), "{answer}");
    error["code"].as_i64().unwrap()
}

#[tokio::test]
async fn the_token_the_number_id_and_the_path_are_checked() {
    let whatsapp = simulator_in_chat().await;
    let path = format!("/v26.0/{NUMBER_ID}/messages");
    let body = text("hi").to_string();
    for token in ["", "wrong"] {
        let (status, answer) = call_path(&whatsapp, &path, token, body.clone()).await;
        assert_eq!((status, code_of(&answer)), (401, 190));
        assert_eq!(answer["error"]["type"], "OAuthException");
    }
    let (status, answer) = call_path(&whatsapp, "/v26.0/999/messages", TOKEN, body.clone()).await;
    assert_eq!((status, code_of(&answer), &answer["error"]["error_subcode"]), (400, 100, &33.into()));
    for path in [format!("/25/{NUMBER_ID}/messages"), "/v26.0/a/b/c".to_owned()] {
        let (status, answer) = call_path(&whatsapp, &path, TOKEN, body.clone()).await;
        assert_eq!((status, code_of(&answer)), (400, 2500), "{path}");
    }
    let response = webhook_post::client(delivery::ANSWER_TIMEOUT)
        .unwrap()
        .get(format!("{}{path}", whatsapp.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(code_of(&json_of(response).await), 100);
    assert_eq!(whatsapp.transcript(PHONE).len(), 1);
}

#[tokio::test]
async fn every_invalid_message_gets_its_error_code() {
    let whatsapp = simulator_in_chat().await;
    let typed = |kind: &str, fields: Value| message(json!({ "type": kind, kind: fields }));
    let without = |field: &str| {
        let mut body = text("hi");
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let with = |field: &str, value: Value| {
        let mut body = text("hi");
        body[field] = value;
        body
    };
    let cases = [
        (json!([]), 100),
        (without("messaging_product"), 100),
        (with("messaging_product", "sms".into()), 100),
        (with("recipient_type", "group".into()), 100),
        (without("to"), 100),
        (with("to", "US.7700481".into()), 131_009),
        (with("to", "493055501044".into()), 131_021),
        (with("recipent", "US.1".into()), 100),
        (with("biz_opaque_callback_data", "x".repeat(513).into()), 100),
        (with("type", "template".into()), 131_051),
        (with("type", "image".into()), 131_008),
        (typed("text", json!({ "body": "a".repeat(4097) })), 100),
        (typed("text", json!({ "body": " " })), 131_008),
        (typed("text", json!({ "text": "hi" })), 100),
        (typed("image", json!({})), 131_008),
        (typed("image", json!({ "id": "1", "link": "https://a.example/b" })), 100),
        (typed("image", json!({ "id": "1234567890123456" })), 100),
        (typed("image", json!({ "link": "ftp://a.example/b" })), 131_009),
        (typed("image", json!({ "link": "https://a.example/b", "caption": "c".repeat(1025) })), 100),
        (typed("image", json!({ "link": "https://a.example/b", "filename": "b.png" })), 100),
        (typed("audio", json!({ "link": "https://a.example/b", "caption": "c" })), 100),
        (typed("location", json!({ "latitude": 91, "longitude": 0 })), 131_009),
        (typed("location", json!({ "latitude": "north", "longitude": 0 })), 131_009),
        (typed("contacts", json!([])), 131_008),
        (typed("contacts", json!([{ "name": { "first_name": "A" } }])), 100),
        (typed("reaction", json!({ "message_id": "wamid.no", "emoji": "👍" })), 131_009),
    ];
    for (body, expected) in cases {
        let (status, answer) = call(&whatsapp, &body).await;
        assert_eq!((status, code_of(&answer)), (400, expected), "{body} {answer}");
    }
    let (status, answer) = call_path(&whatsapp, &format!("/v26.0/{NUMBER_ID}/messages"), TOKEN, "{").await;
    assert_eq!((status, code_of(&answer)), (400, 100));
    let huge = "a".repeat(140_000);
    let (status, answer) = call_path(&whatsapp, &format!("/v26.0/{NUMBER_ID}/messages"), TOKEN, huge).await;
    assert_eq!((status, code_of(&answer)), (413, 100));
    assert_eq!(whatsapp.transcript(PHONE).len(), 1);

    let longest = send_accepted(&whatsapp, &text(&"👋".repeat(4096))).await;
    assert_eq!(longest.text().chars().count(), 4096);
    send_accepted(&whatsapp, &with("biz_opaque_callback_data", "x".repeat(512).into())).await;
}

#[tokio::test]
async fn interactive_messages_have_limits() {
    let whatsapp = simulator_in_chat().await;
    let button = |id: &str, title: &str| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let buttons =
        |buttons: Vec<Value>| json!({ "type": "button", "body": { "text": "b" }, "action": { "buttons": buttons } });
    let with = |field: &str, value: Value| {
        let mut message = buttons(vec![button("1", "A")]);
        message[field] = value;
        message
    };
    let row = |id: &str| json!({ "id": id, "title": "t" });
    let list = |sections: Value| json!({ "type": "list", "body": { "text": "b" }, "action": { "button": "Open", "sections": sections } });
    let rows = |count: usize| (0..count).map(|number| row(&number.to_string())).collect::<Vec<_>>();
    let link = |text: &str, url: &str| {
        let parameters = json!({ "display_text": text, "url": url });
        json!({ "type": "cta_url", "body": { "text": "b" }, "action": { "name": "cta_url", "parameters": parameters } })
    };
    let long = |count: usize| Value::from("x".repeat(count));
    let mut list_with_image = list(json!([{ "rows": rows(1) }]));
    list_with_image["header"] = json!({ "type": "image", "image": { "link": "https://a.example/b" } });
    let mut long_list = list(json!([{ "rows": rows(1) }]));
    long_list["body"]["text"] = long(4097);
    let mut long_button = list(json!([{ "rows": rows(1) }]));
    long_button["action"]["button"] = long(21);
    let refused = [
        buttons(vec![]),
        buttons(["1", "2", "3", "4"].map(|id| button(id, id)).to_vec()),
        buttons(vec![button("1", &"x".repeat(21))]),
        buttons(vec![button("1", "")]),
        buttons(vec![button(&"x".repeat(257), "A")]),
        buttons(vec![button(" 1", "A")]),
        buttons(vec![button("1", "A"), button("1", "B")]),
        buttons(vec![button("1", "A"), button("2", "A")]),
        with("body", json!({ "text": long(1025) })),
        with("footer", json!({ "text": long(61) })),
        with("header", json!({ "type": "text", "text": long(61) })),
        with("header", json!({ "type": "audio" })),
        with("type", "product".into()),
        list(json!([])),
        list(json!([{ "rows": [] }])),
        list(json!([{ "rows": rows(11) }])),
        list(json!([{ "title": "a", "rows": rows(6) }, { "title": "b", "rows": rows(5) }])),
        list(json!([{ "rows": [row("1")] }, { "title": "b", "rows": [row("2")] }])),
        list(json!([{ "rows": [row("1"), row("1")] }])),
        list(json!([{ "title": long(25), "rows": rows(1) }])),
        list(json!([{ "rows": [{ "id": long(201), "title": "t" }] }])),
        list(json!([{ "rows": [{ "id": "1", "title": long(25) }] }])),
        list(json!([{ "rows": [{ "id": "1", "title": "t", "description": long(73) }] }])),
        list_with_image,
        long_list,
        long_button,
        link(&"x".repeat(21), "https://a.example"),
        link("Open", "not a link"),
    ];
    for interactive in refused {
        let body = message(json!({ "type": "interactive", "interactive": interactive }));
        let (status, answer) = call(&whatsapp, &body).await;
        assert_eq!((status, code_of(&answer)), (400, 131_009), "{body} {answer}");
        assert!(answer["error"]["error_data"]["details"].is_string());
    }
    let taken_to_the_limit = [
        buttons(vec![button(&"x".repeat(256), &"é".repeat(20)), button("2", "B"), button("3", "C")]),
        with("body", json!({ "text": long(1024) })),
        list(json!([{ "title": long(24), "rows": rows(10) }])),
        list(json!([{ "rows": [{ "id": long(200), "title": long(24), "description": long(72) }] }])),
    ];
    for interactive in taken_to_the_limit {
        send_accepted(&whatsapp, &message(json!({ "type": "interactive", "interactive": interactive }))).await;
    }
}

#[tokio::test]
async fn a_message_after_the_24_hour_window_is_refused() {
    let whatsapp = simulator_in_chat().await;
    send_accepted(&whatsapp, &text("in time")).await;
    whatsapp.close_window(PHONE);
    let (status, answer) = call(&whatsapp, &text("too late")).await;
    assert_eq!((status, code_of(&answer)), (400, 131_047));
    assert_eq!(answer["error"]["message"], "(#131047) Re-engagement message");
    assert_eq!(answer["error"]["error_data"]["messaging_product"], "whatsapp");
    whatsapp.consumer_sends(PHONE, "still here").unwrap();
    send_accepted(&whatsapp, &text("in time again")).await;

    let mut stranger = text("hi");
    stranger["to"] = OTHER_PHONE.into();
    assert_eq!(code_of(&call(&whatsapp, &stranger).await.1), 131_047, "who has never written has no window");
}

#[tokio::test]
async fn a_refusal_outside_the_window_may_come_as_a_report_later() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.set_window_fails_later(true);
    whatsapp.consumer_sends(PHONE, "hi").unwrap();
    send_accepted(&whatsapp, &text("in time")).await;
    whatsapp.close_window(PHONE);
    let id = send_accepted(&whatsapp, &text("too late")).await.id;
    let mut stranger = text("hi");
    stranger["to"] = OTHER_PHONE.into();
    assert_eq!(call(&whatsapp, &stranger).await.0, 200);
    connector.called(5).await;
    let values = connector.values();
    let of_it: Vec<_> = values
        .iter()
        .flat_map(|value| value["statuses"].as_array().cloned().unwrap_or_default())
        .filter(|status| status["id"] == id.as_str())
        .collect();
    assert_eq!(of_it.len(), 1, "{of_it:?}");
    assert_eq!((&of_it[0]["status"], &of_it[0]["errors"][0]["code"]), (&json!("failed"), &json!(131_047)));
}

#[tokio::test]
async fn a_test_number_sends_to_its_allowed_recipients_only() {
    let whatsapp = simulator_in_chat().await;
    whatsapp.set_allowed_recipients(Some(vec![OTHER_PHONE.to_owned()]));
    let (status, answer) = call(&whatsapp, &text("hi")).await;
    assert_eq!((status, code_of(&answer)), (400, 131_030));
    whatsapp.set_allowed_recipients(None);
    send_accepted(&whatsapp, &text("hi")).await;
}

#[tokio::test]
async fn a_user_id_must_be_a_known_one() {
    let whatsapp = simulator_in_chat().await;
    let mut body = text("hi");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = "US.404".into();
    let (status, answer) = call(&whatsapp, &body).await;
    assert_eq!((status, code_of(&answer)), (400, 131_009));
}
