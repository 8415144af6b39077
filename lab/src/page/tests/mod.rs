use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;

const PHONE: &str = "+12025550143";

/// Both sides of the page in one: what a phone sends is in a conversation of the same name, and the other way round.
#[derive(Default)]
struct Fake {
    bubbles: Mutex<Vec<BubbleView>>,
    rich: Mutex<Vec<RichMessage>>,
    closed: Mutex<bool>,
}

impl Fake {
    fn add(&self, side: Side, text: &str) {
        let mut bubbles = self.bubbles.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("m{}", bubbles.len());
        let sequence = Some(bubbles.len() as u64);
        bubbles.push(BubbleView { id, side, text: text.to_owned(), at_ms: 1, sequence, state: None, note: None });
    }

    fn bubbles(&self) -> Vec<BubbleView> {
        self.bubbles.lock().unwrap().clone()
    }
}

#[async_trait]
impl Phones for Fake {
    async fn phones(&self) -> Vec<PhoneView> {
        vec![PhoneView { number: PHONE.to_owned(), messages: self.bubbles().len() }]
    }

    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>> {
        (phone == PHONE).then(|| self.bubbles())
    }

    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError> {
        if phone != PHONE {
            return Err(ActionError::Rejected("not a phone".to_owned()));
        }
        self.add(Side::Consumer, text);
        Ok(())
    }
}

#[async_trait]
impl Desk for Fake {
    async fn conversations(&self) -> Vec<DeskConversationView> {
        let state = if *self.closed.lock().unwrap() { ConversationState::Closed } else { ConversationState::Open };
        let last_text = self.bubbles().last().map(|bubble| bubble.text.clone());
        let (id, title) = ("c1".to_owned(), PHONE.to_owned());
        vec![DeskConversationView { id, title, state, opened_at_ms: 1, last_text, messages: self.bubbles().len() }]
    }

    async fn transcript(&self, conversation: &str) -> Option<Vec<DeskBubbleView>> {
        let part = |text: &str| CardPartView {
            kind: CardPartKind::QuickReply,
            text: format!("{text}?"),
            detail: None,
            tags: Vec::new(),
        };
        let bubble = |bubble: BubbleView| DeskBubbleView {
            card: vec![part(&bubble.text)],
            tags: vec!["ExternalId: 7".to_owned()],
            bubble,
        };
        (conversation == "c1").then(|| self.bubbles().into_iter().map(bubble).collect())
    }

    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError> {
        match conversation {
            "c1" => {
                self.add(Side::Agent, text);
                Ok(())
            }
            "broken" => Err(ActionError::Failed("the simulator is gone".to_owned())),
            _ => Err(ActionError::NotFound("no such conversation".to_owned())),
        }
    }

    async fn say_rich(&self, conversation: &str, message: RichMessage) -> Result<(), ActionError> {
        if conversation != "c1" {
            return Err(ActionError::NotFound("no such conversation".to_owned()));
        }
        self.rich.lock().unwrap().push(message);
        Ok(())
    }

    async fn close(&self, _: &str) -> Result<(), ActionError> {
        if std::mem::replace(&mut *self.closed.lock().unwrap(), true) {
            return Err(ActionError::Rejected("it is closed already".to_owned()));
        }
        Ok(())
    }
}

struct Lab {
    page: Page,
    fake: Arc<Fake>,
    journal: Journal,
    changes: mpsc::UnboundedSender<()>,
    client: Client,
}

impl Lab {
    async fn start() -> Self {
        let fake = Arc::new(Fake::default());
        let journal = Journal::default();
        let (changes, stream) = mpsc::unbounded_channel();
        let options = PageOptions {
            port: 0,
            journal: journal.clone(),
            phones: fake.clone(),
            desk: fake.clone(),
            links: vec![Link { name: "SMS gateway".to_owned(), url: "http://127.0.0.1:40111".to_owned() }],
        };
        let page = Page::start(options, UnboundedReceiverStream::new(stream)).await.unwrap();
        Self { page, fake, journal, changes, client: client() }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.page.url())).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.page.url())).header(CONTENT_TYPE, "application/json");
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn state(&self, query: &str) -> Value {
        let response = self.get(&format!("api/state{query}")).await;
        assert_eq!(response.status(), 200);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's client to a server on loopback")]
fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// The events of a feed, as (event, id, data).
struct Feed {
    response: Response,
    text: String,
}

impl Feed {
    async fn open(lab: &Lab, last_event_id: Option<&str>) -> Self {
        let mut request = lab.client.get(format!("{}api/events", lab.page.url()));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event, or `None` at the end of the feed.
    async fn next(&mut self) -> Option<(String, String, String)> {
        let event = loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                break event;
            }
            self.text.push_str(std::str::from_utf8(&self.response.chunk().await.unwrap()?).unwrap());
        };
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches(':').trim().to_owned()
        };
        Some((field("event"), field("id"), field("data")))
    }
}

#[tokio::test]
async fn the_page_is_self_contained_and_locked_down() {
    let lab = Lab::start().await;
    for (path, content_type) in [
        ("", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("dom.js", "text/javascript; charset=utf-8"),
        ("actions.js", "text/javascript; charset=utf-8"),
        ("bubbles.js", "text/javascript; charset=utf-8"),
        ("sides.js", "text/javascript; charset=utf-8"),
        ("cards.js", "text/javascript; charset=utf-8"),
        ("wire_log.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("card_templates.json", "application/json"),
    ] {
        let response = lab.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = response.text().await.unwrap().replace("http://www.w3.org/2000/svg", "");
        // The templates are data: the addresses in them go to the consumer, and the browser opens none.
        if path == "card_templates.json" {
            continue;
        }
        for foreign in ["http:", "https:", "//cdn", "innerHTML", "onclick=", "style=\"", "@import"] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    let page = lab.get("").await.text().await.unwrap();
    for id in ["phone-input", "phone-send", "desk-input", "desk-send", "desk-close", "phone-messages", "desk-messages"]
    {
        assert!(page.contains(&format!(r#"id="{id}" data-testid="{id}""#)), "{id}");
    }
    for id in ["conversations", "wire-log"] {
        assert!(page.contains(&format!(r#"id="{id}" data-testid="{id}""#)), "{id}");
    }
    assert_eq!(lab.get("nothing").await.status(), 404);
}

#[tokio::test]
async fn the_state_has_the_lists_and_the_open_transcripts() {
    let lab = Lab::start().await;
    assert_eq!(
        lab.post("api/phones/send", json!({ "phone": PHONE, "text": "<b>hi</b> 👋" })).await,
        (204, Value::Null)
    );
    assert_eq!(lab.post("api/desk/say", json!({ "conversation": "c1", "text": "hello" })).await, (204, Value::Null));

    let lists_only = lab.state("").await;
    assert_eq!(lists_only["phones"], json!([{ "number": PHONE, "messages": 2 }]));
    assert_eq!(
        lists_only["conversations"],
        json!([{ "id": "c1", "title": PHONE, "state": "open", "opened_at_ms": 1, "last_text": "hello", "messages": 2 }])
    );
    assert_eq!(lists_only["links"], json!([{ "name": "SMS gateway", "url": "http://127.0.0.1:40111" }]));
    assert_eq!((&lists_only["phone"], &lists_only["conversation"]), (&Value::Null, &Value::Null));

    let open = lab.state("?phone=%2B12025550143&conversation=c1").await;
    assert_eq!(
        open["phone"][0],
        json!({ "id": "m0", "side": "consumer", "text": "<b>hi</b> 👋", "at_ms": 1, "sequence": 0, "state": null, "note": null })
    );
    assert_eq!(open["conversation"][1]["side"], "agent");
    let choice = json!({ "kind": "quick_reply", "text": "hello?", "detail": null, "tags": [] });
    assert_eq!(open["conversation"][1]["card"], json!([choice]));
    assert_eq!(open["conversation"][1]["tags"], json!(["ExternalId: 7"]));
    assert_eq!(lab.state("?phone=%2B1&conversation=c9").await["phone"], Value::Null);
    assert_eq!(lab.get("api/state?fone=1").await.status(), 400);
}

#[tokio::test]
async fn the_agent_sends_a_card_or_a_text_with_choices_and_nothing_between() {
    let lab = Lab::start().await;
    let (card, replies) = (json!({ "type": "text", "text": "hi" }), json!({ "type": "quickReplies", "replies": [] }));
    let say = |body: Value| lab.post("api/desk/say_rich", body);
    for body in [
        json!({ "conversation": "c1", "content": card }),
        json!({ "conversation": "c1", "content": card, "quick_replies": replies, "text": null }),
        json!({ "conversation": "c1", "quick_replies": replies, "text": "Well?" }),
    ] {
        assert_eq!(say(body).await, (204, Value::Null));
    }
    let sent = [
        RichMessage::Card { content: card.clone(), quick_replies: None },
        RichMessage::Card { content: card.clone(), quick_replies: Some(replies.clone()) },
        RichMessage::Text { text: "Well?".to_owned(), quick_replies: replies.clone() },
    ];
    assert_eq!(*lab.fake.rich.lock().unwrap(), sent);

    for body in [
        json!({ "conversation": "c1" }),
        json!({ "conversation": "c1", "text": "only a text" }),
        json!({ "conversation": "c1", "quick_replies": replies }),
        json!({ "conversation": "c1", "content": card, "text": "both" }),
    ] {
        let (status, answer) = say(body).await;
        assert_eq!(status, 422);
        assert!(answer["error"]["message"].as_str().unwrap().contains("quick_replies"), "{answer}");
    }
    assert_eq!(say(json!({ "conversation": "c1", "content": card, "quickReplies": replies })).await.0, 422);
    assert_eq!(say(json!({ "conversation": "c9", "content": card })).await.0, 404);
    assert_eq!(lab.fake.rich.lock().unwrap().len(), sent.len());
}

#[tokio::test]
async fn the_agent_closes_once() {
    let lab = Lab::start().await;
    let close = json!({ "conversation": "c1" });
    assert_eq!(lab.post("api/desk/close", close.clone()).await.0, 204);
    assert_eq!(lab.state("").await["conversations"][0]["state"], "closed");
    let (status, body) = lab.post("api/desk/close", close).await;
    assert_eq!((status, body), (422, json!({ "error": { "message": "it is closed already" } })));
}

#[tokio::test]
async fn what_cannot_be_done_is_answered_in_words() {
    let lab = Lab::start().await;
    let say = |conversation: &str| json!({ "conversation": conversation, "text": "hi" });
    assert_eq!(lab.post("api/phones/send", json!({ "phone": "x", "text": "hi" })).await.0, 422);
    assert_eq!(lab.post("api/desk/say", say("c9")).await.0, 404);
    assert_eq!(lab.post("api/desk/say", say("broken")).await.0, 502);
    let (status, body) = lab.post("api/desk/say", json!({ "text": "hi" })).await;
    assert_eq!(status, 422);
    assert!(body["error"]["message"].as_str().unwrap().contains("conversation"), "{body}");
    assert_eq!(lab.get("api/desk/say").await.status(), 405);
    assert_eq!(lab.fake.bubbles(), []);
}

#[tokio::test]
async fn another_site_in_the_same_browser_is_kept_out() {
    let lab = Lab::start().await;
    let own = lab.page.url().trim_end_matches('/').to_owned();
    let send = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = lab.client.request(method, format!("{own}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = json!({ "phone": PHONE, "text": "hi" }).to_string();
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let json_type = (CONTENT_TYPE.as_str(), "application/json");
    let post = "/api/phones/send";
    assert_eq!(send(Method::POST, post, &[json_type, (ORIGIN.as_str(), "https://evil.example")]).await, 403);
    assert_eq!(send(Method::POST, post, &[json_type, (ORIGIN.as_str(), "http://127.0.0.1:1")]).await, 403);
    assert_eq!(send(Method::POST, post, &[json_type, ("sec-fetch-site", "cross-site")]).await, 403);
    // A form or a fetch without a preflight cannot claim to be JSON.
    assert_eq!(send(Method::POST, post, &[(CONTENT_TYPE.as_str(), "text/plain")]).await, 415);
    assert_eq!(send(Method::POST, post, &[json_type, (HOST.as_str(), "evil.example")]).await, 403);
    assert_eq!(send(Method::GET, "/api/state", &[(HOST.as_str(), "evil.example")]).await, 403);
    assert_eq!(lab.fake.bubbles(), []);
    assert_eq!(send(Method::POST, post, &[json_type, (ORIGIN.as_str(), &own)]).await, 204);
    assert_eq!(lab.fake.bubbles().len(), 1);
}

#[tokio::test]
async fn the_feed_has_the_past_the_present_and_the_changes() {
    let lab = Lab::start().await;
    lab.journal.record("phone", "gateway", "first", None);
    let mut feed = Feed::open(&lab, None).await;
    let (event, _, run) = feed.next().await.unwrap();
    assert_eq!(event, "hello");
    let (event, id, data) = feed.next().await.unwrap();
    assert_eq!((event.as_str(), id), ("journal", format!("{run}:0")));
    let entry: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&entry["number"], &entry["what"]), (&json!(0), &json!("first")));

    lab.changes.send(()).unwrap();
    assert_eq!(feed.next().await.unwrap().0, "changed");
    lab.journal.record("gateway", "inbound", "second\nline", Some(json!({ "text": "a\n\nb" })));
    let (_, id, data) = feed.next().await.unwrap();
    assert_eq!(id, format!("{run}:1"));
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["detail"]["text"], "a\n\nb");
}

#[tokio::test]
async fn a_browser_that_comes_back_gets_what_it_missed_and_after_a_restart_everything() {
    let lab = Lab::start().await;
    for line in ["zero", "one", "two"] {
        lab.journal.record("phone", "gateway", line, None);
    }
    let (_, _, run) = Feed::open(&lab, None).await.next().await.unwrap();
    for (last, next) in [(format!("{run}:1"), 2), ("another-run:1".to_owned(), 0), (format!("{run}:x"), 0)] {
        let mut feed = Feed::open(&lab, Some(&last)).await;
        assert_eq!(feed.next().await.unwrap().0, "hello");
        assert_eq!(feed.next().await.unwrap().1, format!("{run}:{next}"));
    }
}

#[tokio::test]
async fn the_feed_goes_on_without_a_source_of_changes_and_ends_with_the_page() {
    let Lab { page, journal, changes, client, fake } = Lab::start().await;
    drop(changes);
    let lab = Lab { page, journal, changes: mpsc::unbounded_channel().0, client, fake };
    let mut feed = Feed::open(&lab, None).await;
    assert_eq!(feed.next().await.unwrap().0, "hello");
    lab.journal.record("phone", "gateway", "still here", None);
    assert_eq!(feed.next().await.unwrap().0, "journal");
    let url = lab.page.url();
    drop(lab.page);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), feed.next()).await.unwrap(), None);
    assert!(lab.client.get(url).send().await.is_err());
}
