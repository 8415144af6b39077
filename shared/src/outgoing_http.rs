//! Outgoing HTTP with reqwest: the only place that makes a client.

mod public_addresses;

use std::{
    fmt, io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;
use reqwest::{Body, Client, ClientBuilder, Response, dns::Resolve, redirect::Policy};

use self::public_addresses::{PublicAddresses, SystemNames};
use crate::{
    channel::FileEnvelope,
    domain::{
        http::{HttpCall, HttpFailure, HttpReply},
        retry::RetryAfter,
    },
    port::{Download, HEAD, Http, StreamedFile},
};

/// The longest answer that is read.
const LONGEST_REPLY: usize = 1024 * 1024;

/// What every call says of its caller.
pub const USER_AGENT: &str = concat!("liveengage-connector/", env!("CARGO_PKG_VERSION"));

/// Makes calls to LiveEngage and to channels.
#[derive(Clone)]
pub struct ReqwestHttp {
    client: Client,
    /// For files, whose addresses come with messages. Made when the first one is fetched: most functions never fetch any.
    files: OnceLock<Client>,
    /// Who looks names up for files.
    names: Arc<dyn Resolve>,
}

impl fmt::Debug for ReqwestHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestHttp").field("client", &self.client).field("files", &self.files).finish_non_exhaustive()
    }
}

/// A client that connects within 2 s, gives up after 8 s in all and follows no redirect: one could carry a token to
/// another host.
///
/// Idle connections are dropped after 20 s: a frozen function wakes up with dead ones.
///
/// # Errors
/// When the machine's TLS roots can't be used.
pub fn client() -> Result<Client, reqwest::Error> {
    builder().build()
}

#[expect(clippy::disallowed_methods, reason = "this is the one client that the ban points to")]
fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(8))
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(Policy::none())
}

impl ReqwestHttp {
    /// Calls with `client`.
    ///
    /// Files are fetched by a client of its own: a name that stands for a private address is not looked up for them.
    pub fn new(client: Client) -> Self {
        Self::with_names(client, Arc::new(SystemNames))
    }

    fn with_names(client: Client, names: Arc<dyn Resolve>) -> Self {
        Self { client, files: OnceLock::new(), names }
    }

    fn files(&self) -> Result<&Client, HttpFailure> {
        if let Some(client) = self.files.get() {
            return Ok(client);
        }
        let public = PublicAddresses(Arc::clone(&self.names));
        let made = builder().dns_resolver(Arc::new(public)).build().map_err(|_| HttpFailure::NotSent)?;
        Ok(self.files.get_or_init(|| made))
    }

    async fn send(client: &Client, call: HttpCall, body: Body) -> Result<Response, HttpFailure> {
        let sent = client.request(call.method, call.url).headers(call.headers).body(body).send().await;
        sent.map_err(|error| {
            // A request that can't be built was not sent either.
            if error.is_connect() || error.is_builder() { HttpFailure::NotSent } else { HttpFailure::Unanswered }
        })
    }
}

/// The wait that an answer asks for. What can't be a wait is left out, and the ladder decides.
fn retry_after(response: &Response) -> Option<SignedDuration> {
    let value = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    match RetryAfter::read(value) {
        RetryAfter::Wait(wait) => Some(wait),
        RetryAfter::NoWait { days } => {
            let host = response.url().host_str();
            tracing::warn!(
                host,
                asked_days = days,
                count = 1,
                "Retry-After is not a plausible number of seconds: ignored"
            );
            None
        }
        RetryAfter::Unread => None,
    }
}

async fn whole(mut response: Response) -> HttpReply {
    let (status, retry_after) = (response.status(), retry_after(&response));
    let mut body = BytesMut::new();
    // The status is the answer: a success whose body breaks off must not be taken for no answer and be repeated.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_REPLY {
            body.clear();
            break;
        }
    }
    HttpReply { status, retry_after, body: Bytes::from(body) }
}

#[async_trait]
impl Http for ReqwestHttp {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        let body = Body::from(call.body.clone());
        Ok(whole(Self::send(&self.client, call, body).await?).await)
    }

    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        let body = Body::from(call.body.clone());
        let mut response = Self::send(self.files()?, call, body).await?;
        let (status, retry_after, length) = (response.status(), retry_after(&response), response.content_length());
        let mut head = BytesMut::new();
        while head.len() < HEAD {
            match response.chunk().await {
                Ok(Some(chunk)) => head.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => return Err(HttpFailure::Unanswered),
            }
        }
        let rest = response.bytes_stream().map_err(|_| HttpFailure::Unanswered).boxed();
        Ok(Download { status, retry_after, length, head: head.freeze(), rest })
    }

    async fn upload(
        &self,
        mut call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure> {
        let around = (envelope.before.len() + envelope.after.len()) as u64;
        // Storage that checks a signed URL wants the length beforehand, and takes no chunks.
        call.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(file.size + around));
        let body = stream::iter([Ok(envelope.before)])
            .chain(exactly(file))
            .chain(stream::iter([Ok(envelope.after)]))
            .try_filter(|chunk| std::future::ready(!chunk.is_empty()));
        Ok(whole(Self::send(&self.client, call, Body::wrap_stream(body)).await?).await)
    }
}

/// The file's bytes, and an error instead of a body of another length than announced.
fn exactly(file: StreamedFile) -> impl Stream<Item = Result<Bytes, io::Error>> + Send {
    let broken = |why: &'static str| io::Error::new(io::ErrorKind::UnexpectedEof, why);
    stream::try_unfold((file.bytes, file.size), move |(mut bytes, left)| async move {
        match bytes.next().await {
            Some(Ok(chunk)) if chunk.len() as u64 <= left => {
                let left = left - chunk.len() as u64;
                Ok(Some((chunk, (bytes, left))))
            }
            Some(Ok(_)) => Err(broken("the file is longer than announced")),
            Some(Err(_)) => Err(broken("the file's download broke off")),
            None if left > 0 => Err(broken("the file is shorter than announced")),
            None => Ok(None),
        }
    })
}

#[cfg(test)]
mod tests;
