//! A page with two fake channels and a fake desk, tested over HTTP.

mod desk;
mod feed;
mod files;
mod guard;
mod phones;
mod state;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;
use crate::phone::Location;

const PHONE: &str = "+12025550143";
/// The channel that supports everything.
const CHAT: &str = "Chat";
/// The channel that supports texts only.
const PLAIN: &str = "Plain";
/// A picture that both sides have under its name.
const PICTURE: (&str, &[u8]) = ("picture", b"\x89PNG\r\n\x1a\n and so on");

/// Fakes both sides of the page: a text from a phone is in the conversation of the same name, and vice versa.
#[derive(Default)]
struct Fake {
    bubbles: Mutex<Vec<BubbleView>>,
    rich: Mutex<Vec<RichMessage>>,
    files: Mutex<Vec<UploadedFile>>,
    /// The other actions, in words.
    done: Mutex<Vec<String>>,
    closed: Mutex<bool>,
    survey: Mutex<bool>,
}

impl Fake {
    fn add(&self, side: Side, text: &str, attachments: Vec<AttachmentView>) {
        let mut bubbles = self.bubbles.lock();
        let sequence = Some(bubbles.len() as u64);
        let id = format!("m{}", bubbles.len());
        bubbles.push(BubbleView { sequence, attachments, ..BubbleView::text(id, side, text, 1) });
    }

    fn bubbles(&self) -> Vec<BubbleView> {
        self.bubbles.lock().clone()
    }

    fn note(&self, phone_or_conversation: &str, what: String) -> Result<(), ActionError> {
        if phone_or_conversation != PHONE && phone_or_conversation != "c1" {
            return Err(ActionError::NotFound(format!("there is no {phone_or_conversation}")));
        }
        self.done.lock().push(what);
        Ok(())
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.done.lock())
    }
}

fn media(id: &str) -> Option<Media> {
    let (content_type, bytes): (&str, &[u8]) = match id {
        "picture" => ("image/png", PICTURE.1),
        "picture/with parameters" => ("IMAGE/JPEG; q=1", b"\xff\xd8"),
        "drawing" => ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        "page" => ("text/html", b"<script>alert(1)</script>"),
        "odd" => ("not a type\r\nset-cookie: a=b", b"odd"),
        _ => return None,
    };
    Some(Media { content_type: content_type.to_owned(), bytes: Bytes::from_static(bytes) })
}

#[async_trait]
impl Phones for Fake {
    fn features(&self) -> PhoneFeatures {
        PhoneFeatures { longest_text: Some(40), files: true, places: true, read_receipts: true, typing: true }
    }

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
        self.add(Side::Consumer, text, Vec::new());
        Ok(())
    }

    async fn send_file(&self, phone: &str, file: UploadedFile) -> Result<(), ActionError> {
        self.note(phone, format!("phone sends {}", file.name))?;
        self.files.lock().push(file);
        Ok(())
    }

    async fn send_place(&self, phone: &str, place: Location) -> Result<(), ActionError> {
        self.note(phone, format!("{place:?}"))
    }

    async fn tap(&self, phone: &str, message: &str, choice: &str) -> Result<(), ActionError> {
        self.note(phone, format!("taps {choice} of {message}"))
    }

    async fn read(&self, phone: &str) -> Result<(), ActionError> {
        self.note(phone, "phone reads".to_owned())
    }

    async fn typing(&self, phone: &str, typing: bool) -> Result<(), ActionError> {
        self.note(phone, format!("phone types: {typing}"))
    }

    async fn brand_types_until(&self, phone: &str) -> Option<i64> {
        (phone == PHONE).then_some(1_780_000_000_000)
    }

    async fn media(&self, id: &str) -> Option<Media> {
        media(id)
    }
}

/// A channel and a desk that implement the required functions only.
struct MinimalChannel;

#[async_trait]
impl Phones for MinimalChannel {
    async fn phones(&self) -> Vec<PhoneView> {
        Vec::new()
    }

    async fn transcript(&self, _: &str) -> Option<Vec<BubbleView>> {
        None
    }

    async fn send(&self, _: &str, _: &str) -> Result<(), ActionError> {
        Ok(())
    }
}

#[async_trait]
impl Desk for MinimalChannel {
    async fn conversations(&self) -> Vec<DeskConversationView> {
        Vec::new()
    }

    async fn transcript(&self, _: &str) -> Option<Vec<DeskBubbleView>> {
        None
    }

    async fn say(&self, _: &str, _: &str) -> Result<(), ActionError> {
        Ok(())
    }

    async fn say_rich(&self, _: &str, _: RichMessage) -> Result<(), ActionError> {
        Ok(())
    }

    async fn close(&self, _: &str) -> Result<(), ActionError> {
        Ok(())
    }
}

#[async_trait]
impl Desk for Fake {
    async fn conversations(&self) -> Vec<DeskConversationView> {
        let closed = *self.closed.lock();
        let dialog = |id: &str, kind, open| DeskDialogView { id: id.to_owned(), kind, open };
        vec![DeskConversationView {
            id: "c1".to_owned(),
            title: PHONE.to_owned(),
            state: if closed { ConversationState::Survey } else { ConversationState::Open },
            opened_at_ms: 1,
            last_text: self.bubbles().last().map(|bubble| bubble.text.clone()),
            messages: self.bubbles().len(),
            skill: Some("1201".to_owned()),
            agent_joined: true,
            consumer_is_typing: false,
            dialogs: vec![dialog("c1", DialogKindView::Main, !closed), dialog("s1", DialogKindView::Survey, closed)],
            satisfaction: Some(4),
        }]
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
            dialog: DialogKindView::Survey,
            speaker: Some("Survey bot".to_owned()),
            private: false,
        };
        (conversation == "c1").then(|| self.bubbles().into_iter().map(bubble).collect())
    }

    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError> {
        match conversation {
            "c1" => {
                self.add(Side::Agent, text, Vec::new());
                Ok(())
            }
            "broken" => Err(ActionError::Failed("the simulator is gone".to_owned())),
            _ => Err(ActionError::NotFound("no such conversation".to_owned())),
        }
    }

    async fn say_rich(&self, conversation: &str, message: RichMessage) -> Result<(), ActionError> {
        self.note(conversation, "says more than a text".to_owned())?;
        self.rich.lock().push(message);
        Ok(())
    }

    async fn close(&self, _: &str) -> Result<(), ActionError> {
        if std::mem::replace(&mut *self.closed.lock(), true) {
            return Err(ActionError::Rejected("it is closed already".to_owned()));
        }
        Ok(())
    }

    async fn say_file(&self, conversation: &str, file: UploadedFile) -> Result<(), ActionError> {
        self.note(conversation, format!("desk sends {}", file.name))?;
        self.files.lock().push(file);
        Ok(())
    }

    async fn typing(&self, conversation: &str, typing: bool) -> Result<(), ActionError> {
        self.note(conversation, format!("desk types: {typing}"))
    }

    async fn read(&self, conversation: &str) -> Result<(), ActionError> {
        self.note(conversation, "desk reads".to_owned())
    }

    async fn transfer(&self, conversation: &str, skill: &str) -> Result<(), ActionError> {
        self.note(conversation, format!("to skill {skill}"))
    }

    async fn leave(&self, conversation: &str) -> Result<(), ActionError> {
        self.note(conversation, "back to the queue".to_owned())
    }

    async fn survey(&self) -> Option<bool> {
        Some(*self.survey.lock())
    }

    async fn set_survey(&self, on: bool) -> Result<(), ActionError> {
        *self.survey.lock() = on;
        Ok(())
    }

    async fn media(&self, id: &str) -> Option<Media> {
        media(id)
    }
}

struct PageFixture {
    page: Page,
    fake: Arc<Fake>,
    journal: Journal,
    changes: mpsc::UnboundedSender<()>,
    client: Client,
}

impl PageFixture {
    async fn start() -> Self {
        let fake = Arc::new(Fake::default());
        let journal = Journal::default();
        let (changes, stream) = mpsc::unbounded_channel();
        let options = PageOptions {
            port: 0,
            journal: journal.clone(),
            phones: vec![
                PhoneChannel { name: CHAT.to_owned(), phones: fake.clone() },
                PhoneChannel { name: PLAIN.to_owned(), phones: Arc::new(MinimalChannel) },
            ],
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
