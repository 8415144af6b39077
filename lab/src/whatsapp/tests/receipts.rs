use super::*;

fn read(message_id: &str, typing: bool) -> Value {
    let mut body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": message_id });
    if typing {
        body["typing_indicator"] = json!({ "type": "text" });
    }
    body
}

#[tokio::test]
async fn a_read_receipt_marks_the_message_and_all_earlier_ones() {
    let whatsapp = simulator().await;
    let ids: Vec<_> = ["one", "two", "three"].map(|text| whatsapp.consumer_sends(PHONE, text).unwrap()).into();
    let (status, answer) = call(&whatsapp, &read(&ids[1], false)).await;
    assert_eq!((status, answer), (200, json!({ "success": true })));
    let states: Vec<_> = whatsapp.transcript(PHONE).into_iter().map(|message| message.state).collect();
    assert_eq!(states, [MessageState::Read, MessageState::Read, MessageState::Sent]);
    assert_eq!(whatsapp.typing_until(PHONE), None);
}

#[tokio::test]
async fn typing_is_shown_for_25_seconds_or_until_the_next_message() {
    let whatsapp = simulator_in_chat().await;
    let asked = whatsapp.transcript(PHONE)[0].id.clone();
    let before = SystemClock.now();
    assert_eq!(call(&whatsapp, &read(&asked, true)).await.0, 200);
    with_timeout(whatsapp.wait_for_typing(PHONE, true)).await;
    let lasts = whatsapp.typing_until(PHONE).unwrap().duration_since(before).as_secs();
    assert!((25..45).contains(&lasts), "{lasts}");
    assert_eq!(whatsapp.transcript(PHONE)[0].state, MessageState::Read);
    send_accepted(&whatsapp, &text("here it is")).await;
    with_timeout(whatsapp.wait_for_typing(PHONE, false)).await;
}

#[tokio::test]
async fn a_renewed_typing_indicator_lasts_its_full_time() {
    let whatsapp = simulator_in_chat().await;
    let asked = whatsapp.transcript(PHONE)[0].id.clone();
    call(&whatsapp, &read(&asked, true)).await;
    let first = whatsapp.typing_until(PHONE).unwrap();
    call(&whatsapp, &read(&asked, true)).await;
    let renewed = whatsapp.typing_until(PHONE).unwrap();
    assert!(renewed > first);
    let mut changes = whatsapp.subscribe();
    whatsapp.account.end_typing(PHONE, first);
    assert_eq!(whatsapp.typing_until(PHONE), Some(renewed), "the older one's end is not the renewed one's");
    whatsapp.account.end_typing(PHONE, renewed);
    assert_eq!(whatsapp.typing_until(PHONE), None);
    let ended = PhoneChange { phone: PHONE.to_owned(), message_id: None };
    assert_eq!(with_timeout(changes.recv()).await.unwrap(), ended);
}

#[tokio::test]
async fn a_wrong_receipt_is_refused() {
    let whatsapp = simulator_in_chat().await;
    let asked = whatsapp.transcript(PHONE)[0].id.clone();
    let own = send_accepted(&whatsapp, &text("answer")).await.id;
    let with = |field: &str, value: Value| {
        let mut body = read(&asked, false);
        body[field] = value;
        body
    };
    for (body, expected) in [
        (read("wamid.no", false), 131_009),
        (read(&own, false), 131_009),
        (with("status", "delivered".into()), 131_009),
        (with("typing_indicator", json!({ "type": "audio" })), 131_009),
        (with("message_id", Value::Null), 131_008),
        (with("messaging_product", Value::Null), 100),
        (with("to", "12025550143".into()), 100),
    ] {
        let (status, answer) = call(&whatsapp, &body).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(expected)), "{body} {answer}");
    }
    assert_eq!(whatsapp.transcript(PHONE)[0].state, MessageState::Sent);
}
