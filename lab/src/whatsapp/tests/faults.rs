use super::*;

#[tokio::test]
async fn scripted_faults_come_in_turn() {
    let whatsapp = simulator_in_chat().await;
    let wait = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
    whatsapp.fail_next(StatusCode::SERVICE_UNAVAILABLE, wait, "<html>busy</html>");
    whatsapp.refuse_next(131_056, "too many messages to one consumer");
    whatsapp.accept_but_fail_next(StatusCode::BAD_GATEWAY, HeaderMap::new(), "bad gateway");

    assert_eq!(call(&whatsapp, &text("one")).await, (503, "<html>busy</html>".into()));
    let (status, answer) = call(&whatsapp, &text("one")).await;
    assert_eq!((status, answer["error"]["code"].as_i64()), (429, Some(131_056)));
    assert_eq!(answer["error"]["error_data"]["details"], "too many messages to one consumer");
    assert_eq!(whatsapp.transcript(PHONE).len(), 1);

    assert_eq!(call(&whatsapp, &text(" ")).await.0, 400, "the accepting fault waits for a valid message");
    assert_eq!(call(&whatsapp, &text("two")).await, (502, "bad gateway".into()));
    assert_eq!(whatsapp.transcript(PHONE)[1].text(), "two");
    assert_eq!(call(&whatsapp, &text("three")).await.0, 200);
}

#[tokio::test]
async fn a_message_can_be_accepted_without_an_answer() {
    let whatsapp = simulator_in_chat().await;
    whatsapp.accept_but_never_answer_next();
    let url = format!("{}/v26.0/{NUMBER_ID}/messages", whatsapp.url());
    let request = webhook_post::client(delivery::ANSWER_TIMEOUT)
        .unwrap()
        .post(url)
        .bearer_auth(TOKEN)
        .timeout(Duration::from_millis(300));
    let error = request.body(text("in silence").to_string()).send().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(whatsapp.transcript(PHONE)[1].text(), "in silence");
    assert_eq!(call(&whatsapp, &text("next")).await.0, 200);
    let lines = whatsapp.account.options.journal.entries().unwrap();
    assert!(lines.iter().any(|line| line.what.ends_with("/messages -> no answer")));
}

#[tokio::test]
async fn a_fault_waits_for_its_operation() {
    let whatsapp = simulator_in_chat().await;
    let asked = whatsapp.transcript(PHONE)[0].id.clone();
    let read = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": asked });
    whatsapp.fail_next_at(Operation::MarkRead, StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), "");
    whatsapp.fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
    assert_eq!(call(&whatsapp, &text("one")).await.0, 503);
    assert_eq!(call(&whatsapp, &text("one")).await.0, 200);
    assert_eq!(call(&whatsapp, &read).await.0, 500);
    assert_eq!(whatsapp.transcript(PHONE)[0].state, MessageState::Sent);
    assert_eq!(call(&whatsapp, &read).await.0, 200);
}
