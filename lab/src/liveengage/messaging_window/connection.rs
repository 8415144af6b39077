//! A connection: the token, the frames in both directions, and the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::sockets::{Command, Side, Socket, Subscriptions, TOKEN_EXPIRED, expiry_code};
use super::{brand, requests};
use crate::liveengage::backend::{Backend, now_s, wait};
use crate::liveengage::endpoint::ServiceCall;
use crate::liveengage::login;
use crate::liveengage::messaging::request_id;
use crate::liveengage::served_at::ServedAt;
use crate::liveengage::tokens::WindowConsumer;

/// How long the simulator waits for the first message of a client without a token in a header.
const FIRST_MESSAGE_WITHIN: Duration = Duration::from_secs(10);

type Parameters = HashMap<String, String>;

/// `GET /ws_api/account/{account}/messaging/consumer`, or `.../brand/{bearer}` for an agent, upgraded to a websocket. As at LivePerson, a connection with a
/// bad token is accepted and then closed.
pub(in crate::liveengage) async fn connect(
    State(backend): State<Arc<Backend>>,
    Extension(served_at): Extension<ServedAt>,
    (Path(path), Query(query)): (Path<Parameters>, Query<Parameters>),
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let call = ServiceCall { served_at, path, query, headers, body: Bytes::new() };
    upgrade.on_upgrade(async move |stream| Connection { backend, call, stream }.run().await)
}

/// Who has connected.
struct Identity {
    side: Side,
    participant_id: String,
    /// When the token expires, in seconds since the epoch.
    expires_s: Option<i64>,
    expired: bool,
}

/// A connection before and after its authentication.
struct Connection {
    backend: Arc<Backend>,
    /// The call that was upgraded. Each request is carried out as a call with the same headers.
    call: ServiceCall,
    stream: WebSocket,
}

impl Connection {
    async fn run(mut self) {
        let (side, participant_id, expires_s) = match self.authenticate().await {
            Some(Identity { expired: false, side, participant_id, expires_s }) => (side, participant_id, expires_s),
            Some(Identity { side, .. }) => return self.close(expiry_code(&side)).await,
            None => return self.close(TOKEN_EXPIRED).await,
        };
        let (commands, mut outgoing) = mpsc::unbounded_channel();
        let account_id = self.call.account_id().to_owned();
        let subscriptions = Mutex::new(Subscriptions::default());
        let socket = Arc::new(Socket { account_id, side, participant_id, commands, subscriptions });
        self.backend.sockets.add(&socket);
        self.record("connected");
        let lifetime = expires_s.map(|end| u64::try_from(end.saturating_sub(now_s())).unwrap_or_default());
        let mut expiry = std::pin::pin!(async {
            match lifetime {
                Some(seconds) => wait(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        });
        let mut end = self.backend.end.clone();
        loop {
            tokio::select! {
                _ = end.changed() => return,
                () = &mut expiry => return self.close(expiry_code(&socket.side)).await,
                command = outgoing.recv() => match command {
                    Some(Command::Send(frame)) => {
                        if self.stream.send(Message::text(frame.to_string())).await.is_err() {
                            return self.record("lost");
                        }
                    }
                    Some(Command::Close(code)) => return self.close(code).await,
                    Some(Command::Break) | None => return self.record("broken"),
                },
                message = self.stream.recv() => match message {
                    Some(Ok(Message::Text(text))) => {
                        match socket.side {
                            Side::Consumer { .. } => {
                                requests::answer(&self.backend, &self.call, &socket, text.as_str());
                            }
                            Side::Agent { .. } => brand::answer(&self.backend, &socket, text.as_str()),
                        }
                    }
                    // Pings are answered by the library.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return self.record("closed by the client"),
                },
            }
        }
    }

    /// The agent of the bearer in the path. Or the consumer of the token in the header, or else in the first message.
    async fn authenticate(&mut self) -> Option<Identity> {
        let account_id = self.call.account_id().to_owned();
        if let Some(bearer) = self.call.path.get("bearer") {
            let session = login::session_with(&self.backend, &account_id, bearer)?;
            let old_id = format!("{account_id}.{}", session.user_id);
            // A refresh extends the session, so the connection doesn't end by itself.
            let (participant_id, expires_s) = (session.agent_id, None);
            return Some(Identity { side: Side::Agent { old_id }, participant_id, expires_s, expired: false });
        }
        if !self.call.has_query("v", "3") {
            return None;
        }
        let token = match self.call.authorization() {
            Some(header) => header.strip_prefix("jwt ").unwrap_or(header).to_owned(),
            None => self.init_connection().await?,
        };
        let WindowConsumer { id, anonymous, expires_s, expired } =
            self.backend.tokens.window_identity(&token, &account_id, now_s())?;
        let (side, expires_s) = (Side::Consumer { anonymous }, Some(expires_s));
        Some(Identity { side, participant_id: id, expires_s, expired })
    }

    /// Reads the message `InitConnection` and answers it. Its client properties count as a header.
    async fn init_connection(&mut self) -> Option<String> {
        let first = tokio::time::timeout(FIRST_MESSAGE_WITHIN, self.stream.recv()).await.ok()??.ok()?;
        let message: Value = serde_json::from_str(first.to_text().ok()?).ok()?;
        if message.get("type")?.as_str()? != "InitConnection" {
            return None;
        }
        let headers = message.get("headers")?.as_array()?;
        let header = |name: &str| {
            headers
                .iter()
                .find(|header| header.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(name)))
        };
        if let Some(properties) = header("ClientProperties")
            && let Ok(value) = HeaderValue::from_str(&properties.to_string())
        {
            self.call.headers.insert("client-properties", value);
        }
        let token = header("ConsumerAuthentication")?.get("jwt")?.as_str()?.to_owned();
        let answer = json!({ "kind": "resp", "reqId": request_id(&message), "code": 200, "body": {} });
        self.stream.send(Message::text(answer.to_string())).await.ok()?;
        Some(token)
    }

    async fn close(mut self, code: u16) {
        self.record(&format!("closed with {code}"));
        // The client may be gone.
        let _ = self.stream.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
    }

    fn record(&self, what: &str) {
        let side = if self.call.path.contains_key("bearer") { "agent's" } else { "consumer's" };
        self.backend.journal.record("websocket", "liveengage", format!("{side} websocket {what}"), None);
    }
}
