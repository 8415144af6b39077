//! The consumer's websocket, with a client that only sends and receives JSON.

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::liveengage::{AcceptStatus, Role};

/// How a client shows its token.
#[derive(Clone, Copy)]
enum Auth<'a> {
    Header(&'a str),
    FirstMessage(&'a str),
    Nothing,
}

struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last: u64,
    /// Notifications that arrived while a response was awaited.
    notifications: Vec<Value>,
}

impl Socket {
    async fn open(simulator: &LiveEngageSimulator, auth: Auth<'_>) -> Self {
        let host = simulator.base_url().replace("http://", "ws://");
        let url = format!("{host}/ws_api/account/{ACCOUNT}/messaging/consumer?v=3");
        let mut request = url.into_client_request().unwrap();
        if let Auth::Header(value) = auth {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        let stream = connect_async(request).await.unwrap().0;
        let mut socket = Self { stream, last: 0, notifications: vec![] };
        if let Auth::FirstMessage(token) = auth {
            let message = json!({"kind": "req", "id": "0", "type": "InitConnection", "headers": [
                {"type": ".ams.headers.ClientProperties", "features": ["RICH_CONTENT"]},
                {"type": ".ams.headers.ConsumerAuthentication", "jwt": token}]});
            socket.stream.send(Message::text(message.to_string())).await.unwrap();
        }
        socket
    }

    /// The next frame: JSON, or the code of the close frame. `None` if the connection was lost.
    async fn next(&mut self) -> Option<Result<Value, CloseCode>> {
        loop {
            match self.stream.next().await?.ok()? {
                Message::Text(text) => return Some(Ok(serde_json::from_str(&text).unwrap())),
                Message::Close(frame) => return frame.map(|frame| Err(frame.code)),
                _ => {}
            }
        }
    }

    async fn closed_with(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await.unwrap() {
                return code.into();
            }
        }
    }

    async fn request(&mut self, kind: &str, body: Value) -> Value {
        self.last += 1;
        let id = self.last.to_string();
        let request = json!({"kind": "req", "id": id, "type": kind, "body": body});
        self.stream.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let frame = self.next().await.unwrap().unwrap();
            match frame["kind"].as_str() {
                Some("resp") if frame["reqId"] == json!(id) => return frame,
                Some("notification") => self.notifications.push(frame),
                _ => {}
            }
        }
    }

    async fn notification(&mut self) -> Value {
        if !self.notifications.is_empty() {
            return self.notifications.remove(0);
        }
        loop {
            let frame = self.next().await.unwrap().unwrap();
            if frame["kind"] == "notification" {
                return frame;
            }
        }
    }

    async fn open_conversation(&mut self) -> String {
        let opened = self.request("cm.ConsumerRequestConversation", json!({})).await;
        assert_eq!((&opened["code"], &opened["type"]), (&json!(200), &json!("cm.RequestConversationResponse")));
        opened["body"]["conversationId"].as_str().unwrap().to_owned()
    }

    async fn publish(&mut self, conversation: &str, event: Value) -> Value {
        self.request("ms.PublishEvent", json!({"dialogId": conversation, "event": event})).await
    }

    async fn subscribe(&mut self, conversation: &str, from: u64) -> Value {
        self.request("ms.SubscribeMessagingEvents", json!({"dialogId": conversation, "fromSeq": from})).await
    }
}

async fn token(simulator: &LiveEngageSimulator, flow: &str, body: Value) -> String {
    let (status, answer) = post(simulator, &format!("/api/account/{ACCOUNT}/{flow}"), &[], body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    answer.get("jwt").or_else(|| answer.get("token")).and_then(Value::as_str).unwrap().to_owned()
}

fn change(notification: &Value) -> &Value {
    &notification["body"]["changes"][0]
}

#[tokio::test]
async fn a_whole_conversation_over_the_websocket_is_at_the_desk() {
    let simulator = simulator().await;
    let jwt = token(&simulator, "signup", json!({})).await;
    let mut socket = Socket::open(&simulator, Auth::Header(&format!("jwt {jwt}"))).await;
    let id = claims(&jwt)["sub"].as_str().unwrap().to_owned();

    let filter = json!({"minLastUpdatedTime": 0, "convState": ["OPEN", "CLOSE"], "stage": ["OPEN", "CLOSE"]});
    let subscribed = socket.request("cqm.SubscribeExConversations", filter).await;
    let conversation = socket.open_conversation().await;
    let opened = socket.notification().await;
    assert_eq!(opened["type"], "cqm.ExConversationChangeNotification");
    assert_eq!(opened["body"]["subscriptionId"], subscribed["body"]["subscriptionId"]);
    assert_eq!(change(&opened)["result"]["convId"], json!(conversation));
    assert_eq!(socket.request("cm.ConsumerRequestConversation", json!({})).await["code"], 400);

    assert_eq!(socket.subscribe(&conversation, 0).await["type"], "GenericSubscribeResponse");
    assert_eq!(socket.publish(&conversation, text_event("Grüezi")).await["body"], json!({"sequence": 0}));
    let echo = socket.notification().await;
    assert_eq!((&change(&echo)["originatorId"], &change(&echo)["sequence"]), (&json!(id), &json!(0)));

    simulator.say(&conversation, "Guten Tag").unwrap();
    let joined = socket.notification().await;
    assert_eq!(joined["type"], "cqm.ExConversationChangeNotification");
    let said = socket.notification().await;
    assert_eq!((&change(&said)["event"]["message"], &change(&said)["sequence"]), (&json!("Guten Tag"), &json!(1)));
    simulator.say_privately(&conversation, "not for the consumer").unwrap();

    let read = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]});
    assert_eq!(socket.publish(&conversation, read).await["body"], json!({"sequence": 3}));
    let typing = json!({"type": "ChatStateEvent", "chatState": "COMPOSING"});
    assert_eq!(socket.publish(&conversation, typing).await["code"], 200);
    let seen = simulator.conversation(&conversation).unwrap();
    assert_eq!(seen.transcript[0].who, Role::Consumer);
    assert_eq!(seen.transcript[1].receipts[0].status, AcceptStatus::Read);
    assert!(seen.consumer_is_typing);

    let close = json!({"conversationId": conversation,
        "conversationField": [{"field": "ConversationStateField", "conversationState": "CLOSE"}]});
    let closed = socket.request("cm.UpdateConversationField", close).await;
    assert_eq!(closed["body"], "OK Conversation resolved successfully");
    assert!(!simulator.conversation(&conversation).unwrap().open);
    let told: Vec<Value> = std::mem::take(&mut socket.notifications);
    assert!(told.iter().all(|told| !told.to_string().contains("not for the consumer")), "{told:?}");
    assert_eq!(change(told.last().unwrap())["result"]["conversationDetails"]["stage"], "CLOSE");
    let refused = socket.publish(&conversation, text_event("too late")).await;
    assert_eq!(
        (&refused["code"], &refused["body"]["msg"]),
        (&json!(400), &json!("Bad Request, Conversation is close"))
    );
}

#[tokio::test]
async fn a_subscription_tells_what_was_missed() {
    let simulator = simulator().await;
    let jwt = token(&simulator, "signup", json!({})).await;
    let mut socket = Socket::open(&simulator, Auth::Header(&jwt)).await;
    let conversation = socket.open_conversation().await;
    for text in ["one", "two"] {
        socket.publish(&conversation, text_event(text)).await;
    }
    simulator.say(&conversation, "three").unwrap();

    let mut again = Socket::open(&simulator, Auth::FirstMessage(&jwt)).await;
    assert_eq!(again.subscribe(&conversation, 1).await["code"], 200);
    for (sequence, text) in [(1, "two"), (2, "three")] {
        let told = again.notification().await;
        assert_eq!((&change(&told)["sequence"], &change(&told)["event"]["message"]), (&json!(sequence), &json!(text)));
    }
    let open = again.request("cqm.SubscribeExConversations", json!({"convState": ["OPEN"]})).await;
    assert_eq!(open["code"], 200);
    assert_eq!(change(&again.notification().await)["type"], "UPSERT");
    simulator.close(&conversation).unwrap();
    assert_eq!(change(&again.notification().await)["type"], "DELETE");
    let subscription = json!({"subscriptionId": open["body"]["subscriptionId"]});
    assert_eq!(again.request("cqm.UnsubscribeExConversations", subscription).await["code"], 200);
}

#[tokio::test]
async fn older_names_are_answered_with_older_names() {
    let simulator = simulator().await;
    let jwt = token(&simulator, "signup", json!({})).await;
    let mut socket = Socket::open(&simulator, Auth::Header(&jwt)).await;
    let opened = socket.request(".ams.cm.ConsumerRequestConversation", json!({})).await;
    assert_eq!(opened["type"], ".ams.cm.types.RequestConversation$Response");
    let conversation = opened["body"]["conversationId"].as_str().unwrap().to_owned();
    // The tutorial's sample has the type inside the body.
    let inside = json!({"kind": "req", "id": "22", "body":
        {"fromSeq": 0, "dialogId": conversation, "type": ".ams.ms.SubscribeMessagingEvents"}});
    socket.stream.send(Message::text(inside.to_string())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap()["reqId"], "22");
    simulator.say(&conversation, "Hallo").unwrap();
    assert_eq!(change(&socket.notification().await)["event"]["message"], "Hallo");
    let subscribed = socket.request(".ams.aam.SubscribeExConversations", json!({"convState": ["OPEN"]})).await;
    assert_eq!(subscribed["code"], 200);
    assert_eq!(socket.notification().await["type"], ".ams.aam.ExConversationChangeNotification");
    let clock = socket.request(".GetClock", json!({})).await;
    assert!(clock["body"]["currentTime"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn what_is_not_a_request_does_not_end_the_connection() {
    let simulator = simulator().await;
    let jwt = token(&simulator, "signup", json!({})).await;
    let mut socket = Socket::open(&simulator, Auth::Header(&jwt)).await;
    socket.stream.send(Message::text("no JSON")).await.unwrap();
    socket.stream.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(socket.request("cm.Unknown", json!({})).await["code"], 400);
    assert_eq!(socket.request("cm.Unknown", json!(7)).await["code"], 400);
    assert_eq!(socket.subscribe("no such dialog", 0).await["code"], 400);
    let stranger = socket.open_conversation().await;
    let other = token(&simulator, "signup", json!({})).await;
    let mut other = Socket::open(&simulator, Auth::Header(&other)).await;
    assert_eq!(other.subscribe(&stranger, 0).await["code"], 400, "another consumer's dialog");
    assert_eq!(other.publish(&stranger, text_event("let me in")).await["code"], 401);
}

#[tokio::test]
async fn a_bad_or_expired_token_closes_the_connection() {
    let simulator = simulator().await;
    for auth in [Auth::Header("jwt nonsense"), Auth::FirstMessage("nonsense")] {
        assert_eq!(Socket::open(&simulator, auth).await.closed_with().await, 4401);
    }
    let mut nothing = Socket::open(&simulator, Auth::Nothing).await;
    nothing.stream.send(Message::text(json!({"kind": "req", "type": ".GetClock"}).to_string())).await.unwrap();
    assert_eq!(nothing.closed_with().await, 4401);

    let code = json!({"authCode": "customer-5"});
    for (flow, body, code) in [("authenticate", code, 4401), ("anonymous/authorize", json!({}), 4407)] {
        let jwt = token(&simulator, flow, body.clone()).await;
        let mut socket = Socket::open(&simulator, Auth::Header(&jwt)).await;
        let conversation = socket.open_conversation().await;
        simulator.expire_window_tokens();
        assert_eq!(socket.closed_with().await, code, "{flow}");
        assert_eq!(Socket::open(&simulator, Auth::Header(&jwt)).await.closed_with().await, code, "{flow}, again");
        // The brand authenticates its consumer again, and IDP extends an anonymous identity.
        let renewal = if code == 4401 { body } else { json!({"id_token": jwt}) };
        let extended = token(&simulator, flow, renewal).await;
        assert_eq!(claims(&extended)["sub"], claims(&jwt)["sub"]);
        let mut back = Socket::open(&simulator, Auth::Header(&extended)).await;
        assert_eq!(back.publish(&conversation, text_event("back")).await["code"], 200, "{flow}");
    }
}

#[tokio::test]
async fn the_simulator_closes_by_itself_when_a_token_expires() {
    let options = LiveEngageOptions { anonymous_token_lifetime: Duration::from_secs(1), ..options() };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let jwt = token(&simulator, "anonymous/authorize", json!({})).await;
    assert_eq!(Socket::open(&simulator, Auth::Header(&jwt)).await.closed_with().await, 4407);
}

#[tokio::test]
async fn both_kinds_of_consumers_are_at_one_desk() {
    let simulator = simulator().await;
    let connector = Consumer::new(&simulator, "shared-desk").await;
    connector.open().await;
    let jwt = token(&simulator, "signup", json!({})).await;
    Socket::open(&simulator, Auth::Header(&jwt)).await.open_conversation().await;
    let origins: Vec<bool> = simulator.conversations().iter().map(|seen| seen.foreign).collect();
    assert_eq!(origins, [false, true]);
}
