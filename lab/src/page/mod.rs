//! The web page: the consumer's phone next to the agent's desk, and the wire log below.
//!
//! One loopback server provides the page itself (embedded files, nothing from elsewhere), a small JSON API, and
//! Server-Sent Events. The page depends only on [`Phones`], one for each channel, and [`Desk`].

mod api;
mod desk;
mod desk_actions;
mod events;
mod features;
mod guard;
mod media;
mod phone_actions;
mod phones;
mod simulated_phones;
#[cfg(test)]
mod tests;
mod upload;
mod view;

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
    CardPartKind, CardPartView, ConversationState, Desk, DeskBubbleView, DeskConversationView, DeskDialogView,
    DialogKindView, RichMessage, WebhooksChange, WebhooksView,
};
pub use self::features::{AccountFeatures, CampaignEngagement};
pub use self::phones::{PhoneChannel, PhoneView, Phones};
pub use self::simulated_phones::SimulatedPhones;
pub use self::view::{AttachmentView, BubbleState, BubbleView, Link, Side};
pub use crate::action::{ActionError, Media, UploadedFile};
pub use crate::channel::PhoneFeatures;
use crate::loopback::LoopbackServer;

/// Only the page's own files, and no inline script or style. So a text that was inserted as markup would have no
/// effect.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The largest JSON body in bytes, except for files. The largest card that its schema allows is far smaller.
const LARGEST_BODY: usize = 256 * 1024;

/// The options of the page.
#[derive(derive_more::Debug)]
pub struct PageOptions {
    /// The port on 127.0.0.1; 0 chooses a free port.
    pub port: u16,
    /// The wire log.
    #[debug(skip)]
    pub journal: Journal,
    /// The consumers' side, by channel. Names must be unique.
    pub phones: Vec<PhoneChannel>,
    /// The agents' side.
    #[debug(skip)]
    pub desk: Arc<dyn Desk>,
    /// The addresses of the lab's parts, shown in the header.
    pub links: Vec<Link>,
}

/// The running page. It stops when dropped.
#[derive(Debug)]
pub struct Page {
    server: LoopbackServer,
    /// Converts the stream of changes to a signal that every browser can follow.
    _changes: JoinSet<()>,
}

/// The shared state of the request handlers.
#[derive(Clone)]
struct HandlerState {
    channels: Arc<[PhoneChannel]>,
    desk: Arc<dyn Desk>,
    links: Arc<[Link]>,
    journal: Journal,
    changed: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    /// Identifies the run of the lab, so that a browser that reconnects after a restart discards its wire log.
    run: Arc<str>,
}

impl Page {
    /// Starts the page on a loopback port. Each item of `changes` makes the open browsers read the state again; several
    /// items may be combined.
    ///
    /// # Errors
    /// The I/O error when the port can't be opened.
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
            // The browsers' event streams end with the page, not with the source of changes.
            change.closed().await;
        });
        let server = LoopbackServer::start(options.port, |stopped| {
            router(HandlerState {
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

fn router(shared: HandlerState) -> Router {
    Router::new()
        .merge(files())
        .route("/api/events", get(events::events))
        .merge(api::routes())
        .fallback(api::not_found)
        .layer(middleware::from_fn(guard::same_origin))
        .with_state(shared)
}

fn files() -> Router<HandlerState> {
    FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        router.route(path, get(move || async move { file(content_type, text) }))
    })
}

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another version of the lab may use the same port later.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (HEADERS, [(header::CONTENT_TYPE, content_type)], text)
}
