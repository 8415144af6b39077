//! End-to-end tests of captured requests that are sent again, and of messages that are too large.

use connector::port::Clock;
use connector_aws::SystemClock;
use connector_lab::{
    ACCOUNT, LINE, WHATSAPP_LINE, channel::WebhookAnswer, liveengage::WebhookSettings, phone::PhoneMessage,
};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

use crate::{
    silence::{Kind, WatchedLab},
    steps::{HELLO, PHONE, consumer_texts, desk, lab, line, opened, opened_on_whatsapp, received, settled, soon},
};

/// Starts a server between a sender and the connector. It keeps every request and forwards none.
pub(crate) async fn listener() -> MockServer {
    let listener = MockServer::start().await;
    let challenge = |request: &Request| {
        let found =
            request.url.query_pairs().find(|(name, _)| name == "hub.challenge").map(|(_, value)| value.into_owned());
        ResponseTemplate::new(200).set_body_string(found.unwrap_or_default())
    };
    Mock::given(method("GET")).respond_with(challenge).mount(&listener).await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&listener).await;
    listener
}

/// Returns the first captured webhook that contains `text`.
async fn captured(listener: &MockServer, text: &str) -> Request {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    soon("a webhook comes by", async {
        loop {
            looks.tick().await;
            let requests = listener.received_requests().await.unwrap();
            let found = requests.into_iter().find(|request| String::from_utf8_lossy(&request.body).contains(text));
            if let Some(request) = found {
                return request;
            }
        }
    })
    .await
}

/// Sends a captured request to this path of the connector, with all its headers and these bytes.
async fn send(lab: &WatchedLab, path: &str, request: &Request, body: &[u8]) -> StatusCode {
    let mut headers = request.headers.clone();
    for own in [http::header::HOST, http::header::CONTENT_LENGTH] {
        headers.remove(own);
    }
    let client = connector_aws::outgoing_http::client().unwrap();
    let call = client.post(format!("{}{path}", lab.api_url())).headers(headers).body(body.to_vec());
    call.send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_sms_arrives_once_however_often_and_nowhere_else() {
    let lab = lab().await;
    let listener = listener().await;
    lab.gateway().set_webhook_url(listener.uri().parse().unwrap());
    lab.gateway().consumer_sends(PHONE, "only once, please").unwrap();
    let request = captured(&listener, "only once").await;
    let own = format!("/channels/{LINE}");
    for _ in 0..3 {
        assert_eq!(send(&lab, &own, &request, &request.body).await, 200);
    }
    settled(&lab).await;
    assert_eq!(send(&lab, &own, &request, &request.body).await, 200, "and after it has arrived");
    settled(&lab).await;
    for path in [format!("/channels/{WHATSAPP_LINE}"), "/webhooks/liveengage".to_owned()] {
        assert_eq!(send(&lab, &path, &request, &request.body).await, 401, "{path}");
    }
    let changed = String::from_utf8_lossy(&request.body).replace("only once", "only twice");
    assert_eq!(send(&lab, &own, &request, changed.as_bytes()).await, 401);
    let all = lab.liveengage().conversations();
    assert_eq!((all.len(), consumer_texts(&all[0])), (1, vec!["only once, please"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_notification_reaches_the_phone_once_however_often() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    settled(&lab).await;
    let listener = listener().await;
    let elsewhere = WebhookSettings::to(&listener.uri().parse().unwrap());
    lab.liveengage().set_webhooks(ACCOUNT, elsewhere);
    lab.liveengage().say(&conversation, "said once, to one person").unwrap();
    let request = captured(&listener, "said once").await;
    for _ in 0..3 {
        assert_eq!(send(&lab, "/webhooks/liveengage", &request, &request.body).await, 200);
        settled(&lab).await;
    }
    assert_eq!(send(&lab, &format!("/channels/{LINE}"), &request, &request.body).await, 401);
    let changed = String::from_utf8_lossy(&request.body).replace("said once", "said twice");
    assert_eq!(send(&lab, "/webhooks/liveengage", &request, changed.as_bytes()).await, 401);
    assert_eq!(received(&lab, PHONE, 1).await, ["said once, to one person"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_whatsapp_webhook_arrives_once_however_often() {
    let lab = lab().await;
    let listener = listener().await;
    lab.whatsapp().subscribe_webhook(listener.uri().parse().unwrap()).await.unwrap();
    lab.whatsapp().consumer_sends(PHONE, "only once, please").unwrap();
    let request = captured(&listener, "only once").await;
    let own = format!("/channels/{WHATSAPP_LINE}");
    for _ in 0..3 {
        assert_eq!(send(&lab, &own, &request, &request.body).await, 200);
        settled(&lab).await;
    }
    let changed = String::from_utf8_lossy(&request.body).replace("only once", "only twice");
    assert_eq!(send(&lab, &own, &request, changed.as_bytes()).await, 401);
    let all = lab.liveengage().conversations();
    assert_eq!((all.len(), consumer_texts(&all[0])), (1, vec!["only once, please"]));
}

/// Builds a webhook in Meta's form with these messages (id, text and age) and one report of this age.
fn webhook(lab: &WatchedLab, messages: &[(&str, &str, SignedDuration)], report: Option<SignedDuration>) -> Value {
    // The watch can't find these texts by itself, because they are on no phone.
    lab.watch().plant(Kind::Number, PHONE);
    lab.watch().plant_all(Kind::Text, messages.iter().map(|(_, text, _)| *text));
    let number = PHONE.trim_start_matches('+');
    let at = |age: SignedDuration| (SystemClock.now() - age).as_second().to_string();
    let messages: Vec<Value> = messages
        .iter()
        .map(|(id, text, age)| {
            json!({"from": number, "id": id, "timestamp": at(*age), "type": "text", "text": {"body": text}})
        })
        .collect();
    let statuses: Vec<Value> = report
        .map(|age| json!({"id": "wamid.OLD", "status": "read", "timestamp": at(age), "recipient_id": number}))
        .into_iter()
        .collect();
    let metadata = json!({
        "display_phone_number": lab.whatsapp().display_phone_number(), "phone_number_id": lab.whatsapp().phone_number_id(),
    });
    let contacts = json!([{"wa_id": number, "profile": {"name": "Ada Muster"}}]);
    let value = json!({
        "messaging_product": "whatsapp", "metadata": metadata, "contacts": contacts, "messages": messages, "statuses": statuses,
    });
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whatsapp_message_that_is_older_than_the_memory_of_it_is_refused() {
    let lab = lab().await;
    let post = async |messages: &[(&str, &str, SignedDuration)], report| match lab
        .whatsapp()
        .post_raw(&webhook(&lab, messages, report), 1)
        .await
        .remove(0)
    {
        WebhookAnswer::Status(status) => status.as_u16(),
        other => panic!("{other:?}"),
    };
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    // The connector doesn't know these messages. After fourteen days it would have forgotten them, too.
    assert_eq!(post(&[("wamid.A", "from a month ago", days(30))], None).await, 401);
    assert_eq!(post(&[("wamid.B", "from a fortnight ago", days(14))], Some(days(14))).await, 401);
    assert_eq!(post(&[], Some(days(30))).await, 200, "an old report alone is no news, and nobody misses it");
    settled(&lab).await;
    assert!(lab.liveengage().conversations().is_empty());

    // Meta repeats a webhook for seven days.
    assert_eq!(post(&[("wamid.C", "from a week ago", days(7))], None).await, 200);
    line(&lab, "the text of a week ago", |line| line.text == "from a week ago").await;
    // A new message beside an old one is no repetition.
    let both = [("wamid.D", "also from a month ago", days(30)), ("wamid.E", "from just now", days(0))];
    assert_eq!(post(&both, None).await, 401);
    line(&lab, "the new text", |line| line.text == "from just now").await;
    settled(&lab).await;
    let all = lab.liveengage().conversations();
    assert_eq!((all.len(), consumer_texts(&all[0])), (1, vec!["from a week ago", "from just now"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_messages_in_one_webhook_arrive_in_order() {
    let lab = lab().await;
    let texts: Vec<(String, String)> =
        (0..120).map(|n| (format!("wamid.M{n}"), format!("text number {n:03}"))).collect();
    let messages: Vec<_> = texts.iter().map(|(id, text)| (id.as_str(), text.as_str(), SignedDuration::ZERO)).collect();
    let body = webhook(&lab, &messages, None);
    let answer = lab.whatsapp().post_raw(&body, 1).await.remove(0);
    assert_eq!(answer, WebhookAnswer::Status(StatusCode::OK));
    settled(&lab).await;
    let all = lab.liveengage().conversations();
    assert_eq!(all.len(), 1);
    assert_eq!(consumer_texts(&all[0]), texts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_text_that_is_too_large_the_agent_sees_a_placeholder_and_the_next_one_arrives() {
    let lab = lab().await;
    let large = "All work and no play. ".repeat(15_000);
    let answers = lab.gateway().post_raw("mo-large", PHONE, &large, 1).await;
    assert_eq!(answers, [WebhookAnswer::Status(StatusCode::OK)]);
    lab.gateway().consumer_sends(PHONE, "and a short one").unwrap();
    let all = desk(&lab, "both are at the desk", |all| {
        all.first().is_some_and(|conversation| conversation.transcript.len() == 2)
    })
    .await;
    assert_eq!(consumer_texts(&all[0]), ["[message of more than 256 KB: can't be shown here]", "and a short one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_that_is_too_large_the_agent_is_told_and_the_next_one_arrives() {
    let lab = lab().await;
    let conversation = opened_on_whatsapp(&lab, PHONE).await;
    lab.liveengage().say(&conversation, &"All work and no play. ".repeat(15_000)).unwrap();
    lab.liveengage().say(&conversation, "and a short one").unwrap();
    let told = line(&lab, "the agent is told", |line| line.text.contains("Not delivered")).await;
    assert_eq!(told.text, "[Not delivered: content of more than 256 KB can't be carried to this channel]");
    let shown = crate::steps::received_on_whatsapp(&lab, PHONE, 1).await;
    assert_eq!(shown.iter().map(PhoneMessage::text).collect::<Vec<_>>(), ["and a short one"]);
    assert_eq!(consumer_texts(&lab.liveengage().conversations()[0])[0], HELLO);
}
