//! A small connector for the tests of the channels' simulators.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{MethodRouter, post};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use crate::loopback::LoopbackServer;

/// Records the webhooks that it receives, and answers as scripted, then 200.
#[derive(Debug, Clone)]
pub(crate) struct WebhookReceiver {
    pub(crate) calls: watch::Sender<Vec<(HeaderMap, Bytes)>>,
    pub(crate) script: Arc<Mutex<VecDeque<StatusCode>>>,
    pub(crate) in_flight: watch::Sender<usize>,
    pub(crate) hold: watch::Sender<bool>,
    path: &'static str,
    server: Option<Arc<LoopbackServer>>,
}

impl WebhookReceiver {
    /// Starts the receiver. `get` handles GET requests to the same path, such as a handshake.
    pub(crate) async fn start(path: &'static str, get: MethodRouter<Self>, script: &[u16]) -> Self {
        let mut receiver = Self {
            calls: watch::Sender::default(),
            script: Arc::new(Mutex::new(script.iter().map(|status| StatusCode::from_u16(*status).unwrap()).collect())),
            in_flight: watch::Sender::default(),
            hold: watch::Sender::default(),
            path,
            server: None,
        };
        let router = Router::new().route(path, get.merge(post(Self::receive))).with_state(receiver.clone());
        receiver.server = Some(Arc::new(LoopbackServer::start(0, |_| router).await.unwrap()));
        receiver
    }

    async fn receive(State(receiver): State<Self>, headers: HeaderMap, body: Bytes) -> StatusCode {
        receiver.in_flight.send_modify(|count| *count += 1);
        receiver.hold.subscribe().wait_for(|held| !held).await.unwrap();
        receiver.in_flight.send_modify(|count| *count -= 1);
        receiver.calls.send_modify(|calls| calls.push((headers, body)));
        receiver.script.lock().pop_front().unwrap_or(StatusCode::OK)
    }

    pub(crate) fn url(&self) -> Url {
        format!("{}{}", self.server.as_ref().unwrap().url(), self.path).parse().unwrap()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.calls.borrow().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }
}
