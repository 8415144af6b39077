//! The web page: the consumer phone beside the agent desk, and the wire log below.
//!
//! One loopback server: the page itself (embedded files, nothing from elsewhere), a small JSON API, and Server-Sent Events. The page knows the two sides as [`Phones`], one for every channel, and [`Desk`] only.

mod api;
mod desk;
mod desk_actions;
mod events;
mod guard;
mod media;
mod phone_actions;
mod phones;
#[cfg(test)]
mod tests;
mod upload;
mod view;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use futures::{Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::journal::Journal;

pub use self::desk::{
    CardPartKind, CardPartView, ConversationState, Desk, DeskBubbleView, DeskConversationView, DialogKind, DialogView,
    RichMessage,
};
pub use self::phones::{PhoneChannel, PhoneFeatures, PhoneView, Phones, Place};
pub use self::view::{ActionError, AttachmentView, BubbleState, BubbleView, Link, Media, Side, UploadedFile};
use crate::loopback::LoopbackServer;

/// Only the page's own files, and no inline script or style: a text that got into the markup would still do nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The largest JSON body in bytes, but for files: a card with everything that its schema allows is far smaller.
const LARGEST_BODY: usize = 256 * 1024;

/// What the page shows and where.
pub struct PageOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The wire log.
    pub journal: Journal,
    /// The consumers' side, channel by channel: no two have the same name.
    pub phones: Vec<PhoneChannel>,
    /// The agents' side.
    pub desk: Arc<dyn Desk>,
    /// The addresses of the lab's parts, shown in the header.
    pub links: Vec<Link>,
}

impl fmt::Debug for PageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageOptions")
            .field("port", &self.port)
            .field("phones", &self.phones)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

/// The running page. It stops when it is dropped.
#[derive(Debug)]
pub struct Page {
    server: LoopbackServer,
    /// Turns the stream of changes into something that every browser can follow.
    _changes: JoinSet<()>,
}

/// What the request handlers share.
#[derive(Clone)]
struct Shared {
    channels: Arc<[PhoneChannel]>,
    desk: Arc<dyn Desk>,
    links: Arc<[Link]>,
    journal: Journal,
    changed: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    /// Tells a browser that reconnects after a restart that its wire log belongs to an earlier run.
    run: Arc<str>,
}

impl Page {
    /// Starts the page on a loopback port. Every item of `changes` makes the open browsers read the state again; a burst of
    /// items may be taken as one.
    ///
    /// # Errors
    /// The I/O error when the port cannot be opened.
    pub async fn start(
        options: PageOptions,
        changes: impl Stream<Item = ()> + Send + 'static,
    ) -> Result<Self, std::io::Error> {
        let (change, changed) = watch::channel(0_u64);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut changes = std::pin::pin!(changes);
            while changes.next().await.is_some() {
                change.send_modify(|revision| *revision = revision.wrapping_add(1));
            }
            // The browsers' event streams end with the page and not with its source of changes.
            change.closed().await;
        });
        let server = LoopbackServer::start(options.port, |stopped| {
            router(Shared {
                channels: options.phones.into(),
                desk: options.desk,
                links: options.links.into(),
                journal: options.journal,
                changed,
                stopped,
                run: Uuid::new_v4().to_string().into(),
            })
        })
        .await?;
        Ok(Self { server, _changes: tasks })
    }

    /// The address to open in a browser, for example `http://127.0.0.1:40123/`.
    pub fn url(&self) -> String {
        format!("{}/", self.server.url())
    }
}

/// The page's own files: path, content type and text.
const FILES: [(&str, &str, &str); 16] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("/page.js", SCRIPT, include_str!("page.js")),
    ("/dom.js", SCRIPT, include_str!("dom.js")),
    ("/actions.js", SCRIPT, include_str!("actions.js")),
    ("/bubbles.js", SCRIPT, include_str!("bubbles.js")),
    ("/attachments.js", SCRIPT, include_str!("attachments.js")),
    ("/state.js", SCRIPT, include_str!("state.js")),
    ("/phones.js", SCRIPT, include_str!("phones.js")),
    ("/desk.js", SCRIPT, include_str!("desk.js")),
    ("/files.js", SCRIPT, include_str!("files.js")),
    ("/replies.js", SCRIPT, include_str!("replies.js")),
    ("/cards.js", SCRIPT, include_str!("cards.js")),
    ("/wire_log.js", SCRIPT, include_str!("wire_log.js")),
    ("/card_templates.json", "application/json", include_str!("card_templates.json")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

fn router(shared: Shared) -> Router {
    Router::new()
        .merge(files())
        .route("/api/events", get(events::events))
        .merge(api::routes())
        .fallback(api::not_found)
        .layer(middleware::from_fn(guard::same_origin))
        .with_state(shared)
}

fn files() -> Router<Shared> {
    FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        router.route(path, get(move || async move { file(content_type, text) }))
    })
}

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the lab may run on the same port tomorrow.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (HEADERS, [(header::CONTENT_TYPE, content_type)], text)
}
