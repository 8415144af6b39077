//! Tests of delivery reports and typing.

use super::*;

async fn reporting(connector: &SmsConnector) -> SmsGateway {
    let gateway = SmsGateway::start(SmsGatewayOptions { delivery_reports: true, ..options() }).await.unwrap();
    gateway.set_webhook_url(connector.url());
    gateway
}

async fn sent(gateway: &SmsGateway, text: &str) -> String {
    let (status, _, answer) = call(gateway, TOKEN, message(text)).await;
    assert_eq!(status, 201);
    answer["id"].as_str().unwrap().to_owned()
}

fn states(gateway: &SmsGateway) -> Vec<MessageState> {
    gateway.transcript(PHONE).into_iter().map(|message| message.state).collect()
}

fn report(id: &str, status: &str) -> Value {
    json!({ "type": "report", "message_id": id, "to": PHONE, "status": status, "client_reference": "ref-1" })
}

#[tokio::test]
async fn an_accepted_text_is_delivered_and_reported_with_a_signature() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = reporting(&connector).await;
    let id = sent(&gateway, "hello").await;
    with_timeout(gateway.webhooks_settled()).await;
    assert_eq!(states(&gateway), [MessageState::Delivered]);
    assert_eq!(connector.bodies(), [report(&id, "delivered")]);
    let (headers, body) = connector.calls.borrow()[0].clone();
    assert_eq!(headers["x-sinch-webhook-signature"], signature_of(&headers, &body));
}

#[tokio::test]
async fn without_automatic_reports_a_report_is_posted_on_demand_only() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    let first = sent(&gateway, "one").await;
    assert_eq!(gateway.consumer_reads(PHONE), 0, "what is not delivered cannot be read");
    assert_eq!(states(&gateway), [MessageState::Accepted]);

    gateway.set_automatic_delivery(true);
    let second = sent(&gateway, "two").await;
    with_timeout(gateway.webhooks_settled()).await;
    assert_eq!(connector.bodies(), [report(&second, "delivered")]);
    assert_eq!(gateway.phone_receives(PHONE), 1);
    with_timeout(gateway.webhooks_settled()).await;
    assert_eq!(connector.bodies().last(), Some(&report(&first, "delivered")));
    assert_eq!(states(&gateway), [MessageState::Delivered, MessageState::Delivered]);
    assert_eq!((gateway.phone_receives(PHONE), gateway.phone_receives("+12125550100")), (0, 0));
}

#[tokio::test]
async fn the_consumer_reads_all_that_is_delivered_in_order_and_only_once() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = reporting(&connector).await;
    gateway.consumer_sends(PHONE, "from me").unwrap();
    let (first, second) = (sent(&gateway, "one").await, sent(&gateway, "two").await);
    settled(&gateway, PHONE).await;
    assert_eq!(gateway.consumer_reads(PHONE), 2);
    assert_eq!(gateway.consumer_reads(PHONE), 0);
    with_timeout(gateway.webhooks_settled()).await;
    assert_eq!(states(&gateway), [MessageState::Accepted, MessageState::Read, MessageState::Read]);
    let reports: Vec<_> = connector.bodies().into_iter().filter(|body| body["type"] == "report").collect();
    let wanted = [(&first, "delivered"), (&second, "delivered"), (&first, "read"), (&second, "read")];
    assert_eq!(reports, wanted.map(|(id, status)| report(id, status)));
}

#[tokio::test]
async fn an_ordered_failure_hits_the_next_accepted_text_with_its_code() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    gateway.fail_delivery_next("unknown_subscriber");
    assert_eq!(call(&gateway, TOKEN, message(" ")).await.0, 400, "the failure waits for a text that is accepted");
    let id = sent(&gateway, "lost").await;
    sent(&gateway, "not lost").await;
    with_timeout(gateway.webhooks_settled()).await;
    let failed = MessageState::Failed("not delivered: unknown_subscriber".to_owned());
    assert_eq!(states(&gateway), [failed, MessageState::Accepted]);
    let mut wanted = report(&id, "failed");
    wanted["code"] = "unknown_subscriber".into();
    assert_eq!(connector.bodies(), [wanted]);
    assert_eq!(gateway.phone_receives(PHONE), 1, "what has failed stays so");
}

#[tokio::test]
async fn a_report_is_posted_again_until_it_is_accepted() {
    let connector = SmsConnector::start(&[503, 429]).await;
    let gateway = reporting(&connector).await;
    let id = sent(&gateway, "hello").await;
    with_timeout(gateway.webhooks_settled()).await;
    assert_eq!(connector.bodies(), vec![report(&id, "delivered"); 3]);
    assert_eq!(states(&gateway), [MessageState::Delivered]);
}

#[tokio::test]
async fn the_consumers_texts_do_not_wait_for_a_report() {
    let connector = SmsConnector::start(&[503]).await;
    let gateway = SmsGateway::start(SmsGatewayOptions {
        delivery_reports: true,
        retry_delay: Duration::from_secs(3600),
        ..options()
    })
    .await
    .unwrap();
    gateway.set_webhook_url(connector.url());
    sent(&gateway, "hello").await;
    with_timeout(connector.calls.subscribe().wait_for(|calls| calls.len() == 1)).await.unwrap();
    gateway.consumer_sends(PHONE, "meanwhile").unwrap();
    assert_eq!(settled(&gateway, PHONE).await[1].state, MessageState::Accepted);
    assert_eq!(connector.bodies()[1]["text"], "meanwhile");
}

#[tokio::test]
async fn a_text_with_a_lost_answer_is_still_reported() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = reporting(&connector).await;
    gateway.accept_but_fail_next(StatusCode::BAD_GATEWAY, HeaderMap::new(), "");
    assert_eq!(call(&gateway, TOKEN, message("hello")).await.0, 502);
    with_timeout(gateway.webhooks_settled()).await;
    assert_eq!(connector.bodies(), [report(&gateway.transcript(PHONE)[0].id, "delivered")]);
}

#[tokio::test]
async fn typing_is_posted_in_order_with_the_texts_and_not_retried() {
    let connector = SmsConnector::start(&[503, 503]).await;
    let gateway = gateway_with(&connector).await;
    gateway.consumer_types(PHONE, true).unwrap();
    gateway.consumer_sends(PHONE, "done").unwrap();
    gateway.consumer_types(PHONE, false).unwrap();
    with_timeout(gateway.webhooks_settled()).await;
    let bodies = connector.bodies();
    assert_eq!(bodies.len(), 4, "the text is tried twice, typing is not");
    let (first, last) = (bodies[0].as_object().unwrap(), bodies[3].as_object().unwrap());
    assert_eq!((&bodies[1]["text"], &bodies[2]["text"]), (&json!("done"), &json!("done")));
    for (body, typing) in [(first, true), (last, false)] {
        assert_eq!((body.len(), &body["type"], &body["from"]), (4, &json!("typing"), &json!(PHONE)));
        assert_eq!(body["typing"], typing);
    }
    assert_ne!(first["id"], last["id"]);
    assert_eq!(gateway.transcript(PHONE).len(), 1);
    assert_eq!(gateway.consumer_types("ACME", true), Err(SmsConsumerError::NotAPhone("ACME".to_owned())));
}

#[tokio::test]
async fn a_raw_body_is_posted_as_it_is() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    let body = json!({ "type": "report", "message_id": "mt-none", "to": PHONE, "status": "buffered" });
    assert_eq!(gateway.post_raw_body(&body, 2).await, vec![WebhookAnswer::Status(StatusCode::OK); 2]);
    assert_eq!(connector.bodies(), [body.clone(), body]);
    assert_eq!(gateway.phones(), Vec::<String>::new());
}
