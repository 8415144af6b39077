//! In-memory ports for tests, and the contract that every store keeps. Behind the feature `testing`.

pub mod fuzz;
mod memory_store;
pub mod store_contract;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
pub use memory_store::MemoryStore;
use secrecy::SecretString;

use crate::{
    channel::FileEnvelope,
    domain::{
        code::Code,
        http::{HttpCall, HttpFailure, HttpReply},
    },
    port::{
        Clock, Download, HEAD, Http, Queue, QueueError, QueueMessage, SecretVersions, Secrets, SecretsError,
        StreamedFile,
    },
};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves it on.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue that keeps what it is sent, until it is told to fail.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    sent: Mutex<Vec<QueueMessage>>,
    failing: Mutex<bool>,
}

impl MemoryQueue {
    /// What was sent so far, without deduplication.
    pub fn sent(&self) -> Vec<QueueMessage> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether sends fail from now on.
    pub fn fail(&self, failing: bool) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = failing;
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        if *self.failing.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(QueueError { code: Code::ours("told_to_fail") });
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).extend(messages);
        Ok(())
    }
}

/// Secrets that a test puts in and rotates.
#[derive(Debug, Default)]
pub struct MemorySecrets {
    secrets: Mutex<std::collections::HashMap<String, SecretVersions>>,
    reads: Mutex<usize>,
}

impl MemorySecrets {
    /// Puts a new version: the current one becomes the previous one.
    pub fn put(&self, name: &str, json: &serde_json::Value) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = secrets.remove(name).map(|versions| versions.current);
        let current = SecretString::from(json.to_string());
        secrets.insert(name.to_owned(), SecretVersions { current, current_since: None, previous });
    }

    /// Dates the current version of a secret.
    pub fn date(&self, name: &str, since: Timestamp) {
        if let Some(versions) = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            versions.current_since = Some(since);
        }
    }

    /// How often any secret was read.
    pub fn reads(&self) -> usize {
        *self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Secrets for MemorySecrets {
    async fn versions(&self, name: &str) -> Result<SecretVersions, SecretsError> {
        *self.reads.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.get(name).cloned().ok_or_else(|| SecretsError::Missing { name: name.to_owned(), region: None })
    }
}

type Answer = dyn Fn(&HttpCall) -> Result<HttpReply, HttpFailure> + Send + Sync;

/// An HTTP port that a test answers.
pub struct ScriptedHttp {
    answer: Box<Answer>,
    calls: Mutex<Vec<HttpCall>>,
}

impl std::fmt::Debug for ScriptedHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptedHttp({:?})", self.calls())
    }
}

impl ScriptedHttp {
    /// Answers every call by `answer`.
    pub fn new(answer: impl Fn(&HttpCall) -> Result<HttpReply, HttpFailure> + Send + Sync + 'static) -> Self {
        Self { answer: Box::new(answer), calls: Mutex::default() }
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<HttpCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Http for ScriptedHttp {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        (self.answer)(&call)
    }

    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        let reply = (self.answer)(&call)?;
        let (head, rest) =
            (reply.body.slice(..reply.body.len().min(HEAD)), reply.body.slice(reply.body.len().min(HEAD)..));
        let rest = stream::iter((!rest.is_empty()).then_some(Ok(rest))).boxed();
        let (status, retry_after) = (reply.status, reply.retry_after);
        Ok(Download { status, retry_after, length: Some(reply.body.len() as u64), head, rest })
    }

    /// The call is noted and answered with the whole file as its body.
    async fn upload(
        &self,
        mut call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure> {
        let mut body = envelope.before.to_vec();
        let chunks: Vec<_> = file.bytes.try_collect().await?;
        body.extend(chunks.concat());
        body.extend_from_slice(&envelope.after);
        call.body = body.into();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        (self.answer)(&call)
    }
}
