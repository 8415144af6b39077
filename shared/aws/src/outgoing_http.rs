//! Outgoing HTTP with reqwest. Only this module creates clients.

mod public_addresses;

use std::{
    io,
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::HeaderMap;
use jiff::SignedDuration;
use reqwest::{Body, Client, ClientBuilder, Response, dns::Resolve, redirect::Policy};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;

use self::public_addresses::{PublicAddresses, SystemNames};
use connector::{
    domain::retry::RetryAfter,
    log_event,
    port::{Download, HEAD, Http, StreamedFile},
};
use connector_channels::FileEnvelope;
use connector_message::http::{HttpCall, HttpFailure, HttpReply};

/// The longest response that is read, in bytes.
const LONGEST_REPLY: usize = 1024 * 1024;

/// The `User-Agent` of every call.
pub const USER_AGENT: &str = concat!("liveengage-connector/", env!("CARGO_PKG_VERSION"));

/// Makes calls to LiveEngage and to channels.
#[derive(Clone, derive_more::Debug)]
pub struct ReqwestHttp {
    client: Client,
    /// The client for files, whose URLs come with messages. It is created for the first file, because most functions never fetch one.
    files: OnceLock<Client>,
    /// The resolver for the hosts of files.
    #[debug(skip)]
    names: Arc<dyn Resolve>,
}

/// Why an HTTP client can't be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The machine's root certificates can't be read, or there are none.
    #[error("the root certificates can't be used: {0}")]
    Roots(rustls::Error),
    /// reqwest refused the settings, for example a proxy's address in the environment.
    #[error("the HTTP client can't be created: {0}")]
    Settings(#[from] reqwest::Error),
}

/// Creates a client that connects within 2 s, gives up after 8 s in total and follows no redirect, because a redirect could send a token to
/// another host.
///
/// It drops idle connections after 20 s, because they may be closed when a frozen function resumes.
///
/// # Errors
/// If the machine's root certificates can't be used.
pub fn client() -> Result<Client, ClientError> {
    Ok(builder()?.build()?)
}

/// Creates the client for calls to AWS. It connects within 1 s and has no other time limit, because the SDK has them.
///
/// It keeps idle connections for 90 s: the SDK repeats a call whose connection was closed.
pub(crate) fn aws_client() -> Result<Client, ClientError> {
    let idle = Duration::from_secs(90);
    Ok(bare_builder()?.connect_timeout(Duration::from_secs(1)).pool_idle_timeout(idle).build()?)
}

fn builder() -> Result<ClientBuilder, ClientError> {
    let builder = bare_builder()?.user_agent(USER_AGENT).connect_timeout(Duration::from_secs(2));
    Ok(builder.timeout(Duration::from_secs(8)).pool_idle_timeout(Duration::from_secs(20)))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that the ban points to")]
fn bare_builder() -> Result<ClientBuilder, ClientError> {
    let tls = TLS.as_ref().map_err(|error| ClientError::Roots(error.clone()))?;
    Ok(Client::builder().tls_backend_preconfigured(tls.clone()).redirect(Policy::none()))
}

/// The TLS settings of every client of the process.
static TLS: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
    let is_set = |name| std::env::var_os(name).is_some();
    match RootCertificates::of(is_set) {
        RootCertificates::BuiltIn => Ok(built_in_roots()),
        RootCertificates::Machine => ClientConfig::with_platform_verifier(),
    }
});

/// Which root certificates the clients trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RootCertificates {
    /// Mozilla's, as the crate `webpki-roots` has them. Reading a file with as many takes 16 million instructions, four fifths of a start.
    BuiltIn,
    /// Those of the machine, or of the file or folder that the environment names.
    Machine,
}

impl RootCertificates {
    /// A function has no others than those of its image, which are the same. A program of an operator trusts what their machine trusts, for
    /// example the authority of a proxy.
    fn of(is_set: impl Fn(&'static str) -> bool) -> Self {
        let named = is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR");
        if is_set("AWS_LAMBDA_FUNCTION_NAME") && !named { Self::BuiltIn } else { Self::Machine }
    }
}

fn built_in_roots() -> ClientConfig {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

impl ReqwestHttp {
    /// Creates it with `client`.
    ///
    /// Files are fetched with a separate client, which resolves names to public addresses only.
    pub fn new(client: Client) -> Self {
        Self::with_names(client, Arc::new(SystemNames))
    }

    fn with_names(client: Client, names: Arc<dyn Resolve>) -> Self {
        Self { client, files: OnceLock::new(), names }
    }

    /// Makes a call whose response has headers that the caller needs, such as a revision or a cookie. Otherwise as [`Http::call`].
    ///
    /// # Errors
    /// As [`Http::call`].
    pub async fn call_for_headers(&self, call: HttpCall) -> Result<(HttpReply, HeaderMap), HttpFailure> {
        let body = Body::from(call.body.clone());
        let response = Self::send(&self.client, call, body).await?;
        let headers = response.headers().clone();
        Ok((whole(response).await, headers))
    }

    fn files(&self) -> Result<&Client, HttpFailure> {
        if let Some(client) = self.files.get() {
            return Ok(client);
        }
        let public = PublicAddresses(Arc::clone(&self.names));
        let builder = builder().map_err(|_| HttpFailure::NotSent)?;
        let made = builder.dns_resolver(Arc::new(public)).build().map_err(|_| HttpFailure::NotSent)?;
        Ok(self.files.get_or_init(|| made))
    }

    async fn send(client: &Client, call: HttpCall, body: Body) -> Result<Response, HttpFailure> {
        let mut request = client.request(call.method, call.url).headers(call.headers).body(body);
        if let Some(limit) = call.limit {
            request = request.timeout(limit.unsigned_abs());
        }
        let sent = request.send().await;
        sent.map_err(|error| {
            // A request that can't be built was not sent.
            if error.is_connect() || error.is_builder() { HttpFailure::NotSent } else { HttpFailure::Unanswered }
        })
    }
}

/// Returns the wait that a response asks for. An implausible wait is ignored, and the connector's own schedule applies.
fn retry_after(response: &Response) -> Option<SignedDuration> {
    let value = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?;
    match RetryAfter::read(value) {
        RetryAfter::Wait(wait) => Some(wait),
        RetryAfter::NoWait { days } => {
            let host = response.url().host_str();
            log_event!(RETRY_AFTER_IGNORED, host, asked_days = days);
            None
        }
        RetryAfter::Unread => None,
    }
}

async fn whole(mut response: Response) -> HttpReply {
    let (status, retry_after) = (response.status(), retry_after(&response));
    let mut body = BytesMut::new();
    // The status counts even if the body breaks off: a success must not count as no answer and be repeated.
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
        // Storage that checks a signed URL requires the length in advance and accepts no chunked encoding.
        call.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(file.size + around));
        let body = stream::iter([Ok(envelope.before)])
            .chain(exactly(file))
            .chain(stream::iter([Ok(envelope.after)]))
            .try_filter(|chunk| std::future::ready(!chunk.is_empty()));
        Ok(whole(Self::send(&self.client, call, Body::wrap_stream(body)).await?).await)
    }
}

/// Returns the file's bytes, and an error if they are more or fewer than announced.
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
