use super::*;

fn signature_of(body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_text_is_posted_as_meta_writes_it_with_a_signature_over_the_exact_body() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.set_profile_name(PHONE, "Ana Löwe").unwrap();
    let id = whatsapp.consumer_sends(PHONE, "Grüße 👋").unwrap();
    let on_phone = settled(&whatsapp, PHONE).await.remove(0);
    assert_eq!(on_phone.state, MessageState::Delivered);
    assert!(id.starts_with("wamid.") && id == on_phone.id);

    let (headers, body) = connector.calls.borrow()[0].clone();
    assert!(body.is_ascii());
    assert_eq!(headers["x-hub-signature-256"], signature_of(&body));
    assert_eq!(headers["content-type"], "application/json");
    let user_id = &connector.values()[0]["contacts"][0]["user_id"];
    assert!(user_id.is_string());
    assert_eq!(
        connector.bodies()[0],
        json!({
            "object": "whatsapp_business_account",
            "entry": [{ "id": "311900427715083", "changes": [{ "field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "493055501044", "phone_number_id": NUMBER_ID },
                "contacts": [{ "profile": { "name": "Ana Löwe" }, "wa_id": "12025550143", "user_id": user_id }],
                "messages": [{
                    "from": "12025550143", "from_user_id": user_id, "id": id, "timestamp": on_phone.at.as_second().to_string(),
                    "type": "text", "text": { "body": "Grüße 👋" },
                }],
            }}]}],
        })
    );
}

#[tokio::test]
async fn every_status_except_200_is_retried_with_the_same_body() {
    let connector = WhatsAppConnector::start(&[503, 429, 400, 201, 307]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    assert_eq!(settled(&whatsapp, PHONE).await[0].state, MessageState::Delivered);
    let calls = connector.calls.borrow().clone();
    assert_eq!(calls.len(), 6);
    assert!(calls.iter().all(|(_, body)| *body == calls[0].1));
}

#[tokio::test]
async fn after_the_last_retry_the_message_fails() {
    let connector = WhatsAppConnector::start(&[500; 40]).await;
    let mut options = options();
    options.retry_delay = Duration::ZERO;
    let whatsapp = WhatsApp::start(options).await.unwrap();
    whatsapp.subscribe_webhook(connector.url()).await.unwrap();
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    let failed = MessageState::Failed("given up after 17 tries: answered 500".to_owned());
    assert_eq!(settled(&whatsapp, PHONE).await[0].state, failed);
    assert_eq!(connector.calls.borrow().len(), 17);
}

#[tokio::test]
async fn a_timed_out_answer_is_retried() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.set_answer_timeout(Duration::from_millis(100));
    connector.hold.send_replace(true);
    let mut lines = whatsapp.account.options.journal.follow();
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    while !with_timeout(lines.recv()).await.unwrap().what.contains("no answer within 100ms") {}
    whatsapp.set_answer_timeout(Duration::from_secs(10));
    connector.hold.send_replace(false);
    assert_eq!(settled(&whatsapp, PHONE).await[0].state, MessageState::Delivered);
}

#[tokio::test]
async fn a_retried_webhook_is_overtaken_unless_order_is_kept() {
    for (in_line, expected) in [(false, ["one", "two", "one"]), (true, ["one", "one", "two"])] {
        let connector = WhatsAppConnector::start(&[500]).await;
        let mut options = options();
        options.retry_delay = Duration::from_secs(1);
        let whatsapp = WhatsApp::start(options).await.unwrap();
        whatsapp.set_retries_in_line(in_line);
        whatsapp.subscribe_webhook(connector.url()).await.unwrap();
        whatsapp.consumer_sends(PHONE, "one").unwrap();
        whatsapp.consumer_sends(PHONE, "two").unwrap();
        settled(&whatsapp, PHONE).await;
        assert_eq!(connector.texts(), expected);
    }
}

#[tokio::test]
async fn held_webhooks_are_sent_in_one_batch() {
    let connector = WhatsAppConnector::start(&[503]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.hold_webhooks();
    for text in ["one", "two"] {
        whatsapp.consumer_sends(PHONE, text).unwrap();
    }
    whatsapp.consumer_sends(OTHER_PHONE, "three").unwrap();
    send_accepted(&whatsapp, &text("answer")).await;
    assert_eq!(whatsapp.held_webhooks(), 5);
    assert_eq!(whatsapp.post_batch(), 5);
    settled(&whatsapp, OTHER_PHONE).await;
    settled(&whatsapp, PHONE).await;

    let bodies = connector.bodies();
    assert_eq!(bodies.len(), 2, "the batch is posted again as a whole");
    assert_eq!(bodies[0], bodies[1]);
    let changes = bodies[0]["entry"][0]["changes"].as_array().unwrap();
    let counts: Vec<_> = changes
        .iter()
        .map(|change| ["messages", "statuses"].map(|list| change["value"][list].as_array().map_or(0, Vec::len)))
        .collect();
    assert_eq!(counts, [[2, 0], [1, 0], [0, 2]]);
    assert_eq!(connector.texts()[..3], ["one", "two", "three"]);
    assert_eq!(connector.status_names()[..2], ["sent", "delivered"]);

    whatsapp.consumer_sends(PHONE, "nothing is held any more").unwrap();
    settled(&whatsapp, PHONE).await;
    assert_eq!(connector.bodies().len(), 3);
}

#[tokio::test]
async fn held_webhooks_are_sent_reversed_in_parallel_or_in_order() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    let write = || {
        whatsapp.hold_webhooks();
        for text in ["one", "two", "three"] {
            whatsapp.consumer_sends(PHONE, text).unwrap();
        }
    };
    write();
    assert_eq!(whatsapp.post_reversed(), 3);
    settled(&whatsapp, PHONE).await;
    assert_eq!(connector.texts(), ["three", "two", "one"]);

    write();
    whatsapp.release_webhooks();
    settled(&whatsapp, PHONE).await;
    assert_eq!(connector.texts()[3..], ["one", "two", "three"]);

    write();
    connector.hold.send_replace(true);
    assert_eq!(whatsapp.post_at_once(), 3);
    with_timeout(connector.in_flight.subscribe().wait_for(|count| *count == 3)).await.unwrap();
    connector.hold.send_replace(false);
    settled(&whatsapp, PHONE).await;
    assert_eq!(connector.texts().len(), 9);
    assert_eq!(whatsapp.post_batch(), 0);
}

#[tokio::test]
async fn a_webhook_is_posted_again_unchanged() {
    let connector = WhatsAppConnector::start(&[200, 200, 500]).await;
    let whatsapp = simulator_with(&connector).await;
    let id = whatsapp.consumer_sends(PHONE, "once").unwrap();
    settled(&whatsapp, PHONE).await;
    let answers = with_timeout(whatsapp.post_again(&id, 2)).await.unwrap();
    assert_eq!(answers.len(), 2);
    assert!(answers.contains(&WebhookAnswer::Status(StatusCode::INTERNAL_SERVER_ERROR)), "there is no retry");
    let bodies = connector.bodies();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(whatsapp.transcript(PHONE)[0].state, MessageState::Delivered);

    let unknown = whatsapp.post_again("wamid.nobody", 1).await.unwrap_err();
    assert_eq!(unknown, WhatsAppConsumerError::UnknownMessage("wamid.nobody".to_owned()));
    let raw = json!({ "object": "page", "entry": [] });
    assert_eq!(with_timeout(whatsapp.post_raw(&raw, 1)).await, [WebhookAnswer::Status(StatusCode::OK)]);
    assert_eq!(connector.bodies()[3], raw);
    let (headers, body) = connector.calls.borrow()[3].clone();
    assert_eq!(headers["x-hub-signature-256"], signature_of(&body));
}

#[tokio::test]
async fn statuses_follow_a_message_and_carry_its_callback_data() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    settled(&whatsapp, PHONE).await;
    let mut body = text("answer");
    body["biz_opaque_callback_data"] = "outbox-17.0".into();
    let sent = send_accepted(&whatsapp, &body).await;
    assert_eq!((sent.state, sent.reference.as_deref()), (MessageState::Delivered, Some("outbox-17.0")));
    connector.called(3).await;
    assert_eq!(connector.status_names(), ["sent", "delivered"]);
    assert_eq!(whatsapp.consumer_reads(PHONE), 1);
    assert_eq!(whatsapp.consumer_reads(PHONE), 0, "it is read once");
    connector.called(4).await;
    assert_eq!(whatsapp.transcript(PHONE)[1].state, MessageState::Read);

    let statuses = connector.statuses();
    assert_eq!(connector.status_names(), ["sent", "delivered", "read"]);
    for status in &statuses {
        assert_eq!(status["id"], sent.id);
        assert_eq!(status["recipient_id"], "12025550143");
        assert_eq!(status["biz_opaque_callback_data"], "outbox-17.0");
        assert!(status["timestamp"].as_str().unwrap().parse::<i64>().unwrap() >= sent.at.as_second());
    }
    let priced: Vec<_> = statuses.iter().map(|status| status["pricing"].is_object()).collect();
    assert_eq!(priced, [true, true, false]);
    assert!(connector.values()[1..].iter().all(|value| value["contacts"][0]["user_id"].is_string()));
}

#[tokio::test]
async fn an_offline_phone_gets_its_messages_later() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    settled(&whatsapp, PHONE).await;
    whatsapp.set_automatic_delivery(false);
    let first = send_accepted(&whatsapp, &text("first")).await;
    assert_eq!(first.state, MessageState::Sent);
    assert_eq!(whatsapp.phone_receives(PHONE), 1);
    assert_eq!(whatsapp.transcript(PHONE)[1].state, MessageState::Delivered);
    send_accepted(&whatsapp, &text("second")).await;
    assert_eq!(whatsapp.consumer_reads(PHONE), 2);
    connector.called(6).await;
    assert_eq!(connector.status_names(), ["sent", "delivered", "sent", "read", "read"]);
    assert!(connector.statuses()[4]["pricing"].is_object(), "delivered was left out, so that read has the price");
}

#[tokio::test]
async fn a_delivery_can_be_made_to_fail() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.set_user_id(PHONE, "US.7700481").unwrap();
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    settled(&whatsapp, PHONE).await;
    whatsapp.fail_delivery_next(131_026, "Message undeliverable");
    let failed = send_accepted(&whatsapp, &text("lost")).await;
    assert_eq!(failed.state, MessageState::Failed("131026 Message undeliverable".to_owned()));
    let next = send_accepted(&whatsapp, &text("found")).await;
    assert_eq!(next.state, MessageState::Delivered);
    assert_eq!(whatsapp.consumer_reads(PHONE), 1, "what didn't arrive isn't read");

    connector.called(5).await;
    assert_eq!(connector.status_names(), ["failed", "sent", "delivered", "read"]);
    let status = &connector.statuses()[0];
    assert_eq!((&status["id"], &status["recipient_id"]), (&failed.id.into(), &"12025550143".into()));
    let error = &status["errors"][0];
    assert_eq!((&error["code"], &error["title"]), (&131_026.into(), &"Message undeliverable".into()));
    assert_eq!(status.get("recipient_user_id"), None);
    let values = connector.values();
    assert_eq!(values[1].get("contacts"), None, "a failure has no contacts");
    assert_eq!(values[2]["contacts"][0]["user_id"], "US.7700481");
}

#[tokio::test]
async fn the_handshake_must_echo_the_challenge() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator().await;
    let closed = LoopbackServer::start(0, |_| Router::new()).await.unwrap().url();
    let no_connection = SubscribeError::NoAnswer("no connection".to_owned());
    assert_eq!(whatsapp.subscribe_webhook(closed.parse().unwrap()).await, Err(no_connection));

    let router = Router::new().route("/other", get(|| async { "something else" }));
    let other = LoopbackServer::start(0, |_| router).await.unwrap();
    let url = |path: &str| format!("{}{path}", other.url()).parse().unwrap();
    assert_eq!(whatsapp.subscribe_webhook(url("/other")).await, Err(SubscribeError::WrongChallenge));
    let not_found = SubscribeError::Refused(StatusCode::NOT_FOUND);
    assert_eq!(whatsapp.subscribe_webhook(url("/none")).await, Err(not_found));

    let mut wrong_token = options();
    wrong_token.verify_token = "another".into();
    let stranger = WhatsApp::start(wrong_token).await.unwrap();
    let refused = SubscribeError::Refused(StatusCode::FORBIDDEN);
    assert_eq!(stranger.subscribe_webhook(connector.url()).await, Err(refused));

    // Webhooks that waited for an address are sent when there is one.
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    whatsapp.subscribe_webhook(connector.url()).await.unwrap();
    settled(&whatsapp, PHONE).await;
    assert_eq!(connector.texts(), ["hello"]);
}

#[tokio::test]
async fn the_wire_log_has_both_directions_and_no_secret() {
    let connector = WhatsAppConnector::start(&[503]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.consumer_sends(PHONE, "question").unwrap();
    settled(&whatsapp, PHONE).await;
    send_accepted(&whatsapp, &text("answer")).await;
    connector.called(4).await;
    call_path(&whatsapp, &format!("/v26.0/{NUMBER_ID}/messages"), "stolen-token", text("no").to_string()).await;

    let entries = whatsapp.account.options.journal.entries().unwrap();
    let lines: Vec<_> =
        entries.iter().map(|entry| (entry.from.as_str(), entry.to.as_str(), entry.what.as_str())).collect();
    assert_eq!(
        lines[..4],
        [
            ("whatsapp", "inbound", "GET /channels/wa-lab -> 200, the challenge came back"),
            ("phone", "whatsapp", "text from +12025550143"),
            ("whatsapp", "inbound", "POST /channels/wa-lab -> 503"),
            ("whatsapp", "inbound", "POST /channels/wa-lab -> 200 (try 2)"),
        ]
    );
    assert!(lines.contains(&("whatsapp", "phone", "text to +12025550143")));
    for outcome in ["200", "401"] {
        let line = format!("POST /v26.0/{NUMBER_ID}/messages -> {outcome}");
        assert!(lines.contains(&("to-channel", "whatsapp", line.as_str())), "{line}");
    }
    let log = serde_json::to_string(&entries).unwrap();
    let (headers, _) = connector.calls.borrow()[0].clone();
    let signature = headers["x-hub-signature-256"].to_str().unwrap();
    for secret in [TOKEN, SECRET, VERIFY, "stolen-token", signature, "Bearer"] {
        assert!(!log.contains(secret), "{secret}");
    }
    assert!(log.contains("question") && log.contains("answer"));
}

#[tokio::test]
async fn dropping_the_simulator_ends_its_tasks_and_its_server() {
    let connector = WhatsAppConnector::start(&[503; 3]).await;
    let mut options = options();
    options.retry_delay = Duration::from_secs(3600);
    let whatsapp = WhatsApp::start(options).await.unwrap();
    whatsapp.subscribe_webhook(connector.url()).await.unwrap();
    whatsapp.consumer_sends(PHONE, "hello").unwrap();
    connector.called(1).await;

    let account = Arc::downgrade(&whatsapp.account);
    let url = whatsapp.url();
    drop(whatsapp);
    with_timeout(async {
        while account.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let late = webhook_post::client(delivery::ANSWER_TIMEOUT).unwrap().get(format!("{url}/v26.0/1")).send().await;
    assert!(late.unwrap_err().is_connect());
}
