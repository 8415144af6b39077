#![doc = include_str!("../README.md")]

pub mod fifo;
pub mod fuzz;
mod log_lines;
mod memory_store;
pub mod simulation;
pub mod store_contract;

pub use log_lines::{ask_all_subscribers, logged};
pub use memory_store::MemoryStore;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::SecretString;

use connector::port::{
    Clock, Download, HEAD, Http, Queue, QueueError, QueueMessage, SecretVersion, Secrets, SecretsError, StreamedFile,
};
use connector_channels::FileEnvelope;
use connector_message::{
    code::Code,
    http::{HttpCall, HttpFailure, HttpReply},
};

/// A clock that moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Returns a clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock();
        *now = now.checked_add(by).unwrap_or(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// A queue that keeps the messages that it is sent. A test can make sends fail.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    sent: Mutex<Vec<QueueMessage>>,
    failing: Mutex<bool>,
}

impl MemoryQueue {
    /// Returns the messages sent so far, without deduplication.
    pub fn sent(&self) -> Vec<QueueMessage> {
        self.sent.lock().clone()
    }

    /// Sets whether sends fail from now on.
    pub fn fail(&self, failing: bool) {
        *self.failing.lock() = failing;
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        if *self.failing.lock() {
            return Err(QueueError { code: Code::internal("told_to_fail") });
        }
        self.sent.lock().extend(messages);
        Ok(())
    }
}

/// Secrets that a test stores and rotates.
#[derive(Debug, Default)]
pub struct MemorySecrets {
    /// The versions of each secret, the current one first.
    secrets: Mutex<std::collections::HashMap<String, Vec<SecretVersion>>>,
    reads: Mutex<usize>,
}

impl MemorySecrets {
    /// Stores a new version. The current one becomes the previous one.
    pub fn put(&self, name: &str, json: &serde_json::Value) {
        let version = SecretVersion { value: SecretString::from(json.to_string()), created_at: None };
        self.secrets.lock().entry(name.to_owned()).or_default().insert(0, version);
    }

    /// Sets the time of the current version of a secret.
    pub fn date(&self, name: &str, since: Timestamp) {
        if let Some(current) = self.secrets.lock().get_mut(name).and_then(|versions| versions.first_mut()) {
            current.created_at = Some(since);
        }
    }

    /// Returns how often the current version of any secret was read.
    pub fn reads(&self) -> usize {
        *self.reads.lock()
    }
}

#[async_trait]
impl Secrets for MemorySecrets {
    async fn current(&self, name: &str) -> Result<SecretVersion, SecretsError> {
        *self.reads.lock() += 1;
        let current = self.secrets.lock().get(name).and_then(|versions| versions.first().cloned());
        current.ok_or_else(|| SecretsError::Missing { name: name.to_owned(), region: None })
    }

    async fn previous(&self, name: &str) -> Result<Option<SecretVersion>, SecretsError> {
        Ok(self.secrets.lock().get(name).and_then(|versions| versions.get(1).cloned()))
    }
}

type Answer = dyn Fn(&HttpCall) -> Result<HttpReply, HttpFailure> + Send + Sync;

/// An HTTP port whose answers come from a test.
#[derive(derive_more::Debug)]
#[debug("ScriptedHttp({:?})", calls.lock())]
pub struct ScriptedHttp {
    answer: Box<Answer>,
    calls: Mutex<Vec<HttpCall>>,
}

impl ScriptedHttp {
    /// Returns a port that answers every call with `answer`.
    pub fn new(answer: impl Fn(&HttpCall) -> Result<HttpReply, HttpFailure> + Send + Sync + 'static) -> Self {
        Self { answer: Box::new(answer), calls: Mutex::default() }
    }

    /// Returns the calls so far.
    pub fn calls(&self) -> Vec<HttpCall> {
        self.calls.lock().clone()
    }
}

#[async_trait]
impl Http for ScriptedHttp {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        self.calls.lock().push(call.clone());
        (self.answer)(&call)
    }

    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        self.calls.lock().push(call.clone());
        (self.answer)(&call).map(downloaded)
    }

    /// Records the call with the whole file as its body, and answers it.
    async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure> {
        let call = with_file(call, file, envelope).await?;
        self.calls.lock().push(call.clone());
        (self.answer)(&call)
    }
}

/// Returns a reply as the download of its body.
pub(crate) fn downloaded(HttpReply { status, retry_after, body }: HttpReply) -> Download {
    let (head, rest) = (body.slice(..body.len().min(HEAD)), body.slice(body.len().min(HEAD)..));
    let rest = stream::iter((!rest.is_empty()).then_some(Ok(rest))).boxed();
    Download { status, retry_after, length: Some(body.len() as u64), head, rest }
}

/// Returns a call with the whole file in its envelope as its body.
pub(crate) async fn with_file(
    mut call: HttpCall,
    file: StreamedFile,
    envelope: FileEnvelope,
) -> Result<HttpCall, HttpFailure> {
    let mut body = envelope.before.to_vec();
    let chunks: Vec<_> = file.bytes.try_collect().await?;
    body.extend(chunks.concat());
    body.extend_from_slice(&envelope.after);
    call.body = body.into();
    Ok(call)
}
