//! Outgoing HTTP with reqwest: the only place that makes a client.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use jiff::SignedDuration;
use reqwest::{Client, redirect::Policy};

use crate::{
    domain::http::{HttpCall, HttpFailure, HttpReply},
    port::Http,
};

/// The longest answer that is read.
const LONGEST_REPLY: usize = 1024 * 1024;

/// Makes calls to LiveEngage and to channels.
#[derive(Debug, Clone)]
pub struct ReqwestHttp {
    client: Client,
}

/// A client that connects within 2 s, gives up after 8 s in all and follows no redirect: one could carry a token to
/// another host.
///
/// Idle connections are dropped after 20 s: a frozen function wakes up with dead ones.
///
/// # Errors
/// When the machine's TLS roots can't be used.
#[expect(clippy::disallowed_methods, reason = "this is the one client that the ban points to")]
pub fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(8))
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(Policy::none())
        .build()
}

impl ReqwestHttp {
    /// Calls with `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Http for ReqwestHttp {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        let sent = self.client.request(call.method, call.url).headers(call.headers).body(call.body).send().await;
        let mut response = sent.map_err(|error| {
            // A request that can't be built was not sent either.
            if error.is_connect() || error.is_builder() { HttpFailure::NotSent } else { HttpFailure::Unanswered }
        })?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.trim().parse::<u32>().ok())
            .map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
        let mut body = BytesMut::new();
        // The status is the answer: a success whose body breaks off must not be taken for no answer and be repeated.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_REPLY {
                body.clear();
                break;
            }
        }
        Ok(HttpReply { status, retry_after, body: Bytes::from(body) })
    }
}
