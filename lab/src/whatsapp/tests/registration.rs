use secrecy::ExposeSecret as _;

use super::*;

async fn register(whatsapp: &WhatsApp, callback: &str, verify_token: &str) -> (u16, Value) {
    let configuration = json!({ "override_callback_uri": callback, "verify_token": verify_token });
    let body = json!({ "webhook_configuration": configuration });
    call_path(whatsapp, &format!("/v26.0/{NUMBER_ID}"), TOKEN, body.to_string()).await
}

#[tokio::test]
async fn an_address_of_the_number_gets_its_webhooks_after_the_handshake() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = WhatsApp::start(options()).await.unwrap();
    let token = options().verify_token.expose_secret().to_owned();
    whatsapp.consumer_sends(PHONE, "before").unwrap();
    let (status, answer) = register(&whatsapp, connector.url().as_str(), "another token").await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(2200)), "{answer}");
    assert_eq!(register(&whatsapp, connector.url().as_str(), &token).await, (200, json!({ "success": true })));
    assert_eq!(settled(&whatsapp, PHONE).await[0].state, MessageState::Delivered);
}

#[tokio::test]
async fn a_wrong_registration_is_refused() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = WhatsApp::start(options()).await.unwrap();
    let path = format!("/v26.0/{NUMBER_ID}");
    for (path, token, body, code) in [
        (path.as_str(), "stolen", "{}", 190),
        ("/v26.0/999", TOKEN, "{}", 100),
        (path.as_str(), TOKEN, "{", 100),
        (path.as_str(), TOKEN, "{}", 131_008),
    ] {
        let (_, answer) = call_path(&whatsapp, path, token, body).await;
        assert_eq!(answer["error"]["code"], code, "{path} {body}: {answer}");
    }
    let long = format!("{}?{}", connector.url(), "x".repeat(200));
    assert_eq!(register(&whatsapp, &long, "any").await.1["error"]["code"], 131_009);
}

#[tokio::test]
async fn an_app_is_subscribed_to_the_account() {
    let whatsapp = WhatsApp::start(options()).await.unwrap();
    let waba = options().waba_id;
    let subscribe = |id: &str| format!("/v26.0/{id}/subscribed_apps");
    assert_eq!(call_path(&whatsapp, &subscribe(&waba), TOKEN, "").await, (200, json!({ "success": true })));
    assert_eq!(call_path(&whatsapp, &subscribe("999"), TOKEN, "").await.0, 400);
}

#[tokio::test]
async fn only_a_consumers_own_message_is_edited_or_deleted() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    let own = whatsapp.consumer_sends(PHONE, "a mistaek").unwrap();
    let of_the_brand = send_accepted(&whatsapp, &text("hello")).await.id;
    whatsapp.consumer_edits(PHONE, &own, "a mistake").unwrap();
    whatsapp.consumer_deletes(PHONE, &own).unwrap();
    assert!(whatsapp.consumer_edits(PHONE, &of_the_brand, "no").is_err());
    assert!(whatsapp.consumer_deletes(PHONE, &of_the_brand).is_err());
    assert!(whatsapp.consumer_edits(PHONE, &own, " ").is_err());
    settled(&whatsapp, PHONE).await;
    let messages = connector.messages();
    assert_eq!(messages[1]["type"], "edit");
    let edited = json!({ "type": "text", "text": { "body": "a mistake" }, "context": { "id": own } });
    assert_eq!(messages[1]["edit"], json!({ "original_message_id": own, "message": edited }));
    assert_eq!(messages[2]["revoke"], json!({ "original_message_id": own }));
}
