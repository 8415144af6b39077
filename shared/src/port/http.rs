//! Outgoing HTTP.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::StatusCode;
use jiff::SignedDuration;

use crate::{
    channel::FileEnvelope,
    domain::http::{HttpCall, HttpFailure, HttpReply},
};

/// Makes calls. Implementations connect within 2 s, give up after 8 s in all, follow no redirect and read at most 1 MiB of an
/// answer; a file that is streamed may be larger.
#[async_trait]
pub trait Http: Send + Sync {
    /// Makes one call, once.
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure>;

    /// Makes one call whose answer is a file: the answer's beginning, and the rest as it comes.
    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure>;

    /// Makes one call whose body is a file, streamed while it is downloaded, between the bytes of `envelope`.
    async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure>;
}

/// How much of a file is read before its type is judged and the rest is streamed: file formats tell within the first bytes, and
/// an answer that is no file is read whole.
pub const HEAD: usize = 8 * 1024;

/// The answer to a call for a file.
pub struct Download {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After` in seconds, where the other side sent one in that form.
    pub retry_after: Option<SignedDuration>,
    /// The file's size as announced, in bytes.
    pub length: Option<u64>,
    /// The first bytes: [`HEAD`] at least, or all there are.
    pub head: Bytes,
    /// What comes behind the head.
    pub rest: BoxStream<'static, Result<Bytes, HttpFailure>>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Download({}, {:?} bytes)", self.status.as_u16(), self.length)
    }
}

impl Download {
    /// What is left of an answer that is no file: its status and its beginning.
    pub fn reply(&self) -> HttpReply {
        HttpReply { status: self.status, retry_after: self.retry_after, body: self.head.clone() }
    }
}

/// A file on its way through: never whole in memory.
pub struct StreamedFile {
    /// Its size in bytes. A stream that brings more or fewer fails the upload.
    pub size: u64,
    /// Its bytes.
    pub bytes: BoxStream<'static, Result<Bytes, HttpFailure>>,
}

impl fmt::Debug for StreamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamedFile({} bytes)", self.size)
    }
}
