//! Outgoing HTTP.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::StatusCode;
use jiff::SignedDuration;

use connector_channels::FileEnvelope;
use connector_message::http::{HttpCall, HttpFailure, HttpReply};

/// Makes HTTP calls.
///
/// Implementations connect within 2 s, give up after 8 s in total or at the call's own [limit](HttpCall::limit), follow no redirect and read at
/// most 1 MiB of a response. A streamed file may be larger.
#[async_trait]
pub trait Http: Send + Sync {
    /// Makes one call, without retries.
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure>;

    /// Makes one call whose response is a file. Returns the beginning of the file and a stream of the rest.
    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure>;

    /// Makes one call whose body is a file, streamed while it is downloaded, enclosed in the bytes of `envelope`.
    async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure>;
}

/// How many bytes of a file are read before its type is checked and the rest is streamed. File formats differ within the first bytes, and
/// an error response is read whole.
pub const HEAD: usize = 8 * 1024;

/// The response to a call for a file.
#[derive(derive_more::Debug)]
#[debug("Download({}, {length:?} bytes)", status.as_u16())]
pub struct Download {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After`, if the other side sent one in seconds.
    pub retry_after: Option<SignedDuration>,
    /// The file's size as announced, in bytes.
    pub length: Option<u64>,
    /// The first bytes: at least [`HEAD`], or the whole body if it is shorter.
    pub head: Bytes,
    /// The bytes after `head`.
    pub rest: BoxStream<'static, Result<Bytes, HttpFailure>>,
}

impl Download {
    /// Returns a response that is not a file: its status and its beginning.
    pub fn reply(&self) -> HttpReply {
        HttpReply { status: self.status, retry_after: self.retry_after, body: self.head.clone() }
    }
}

/// A file that is streamed, never whole in memory.
#[derive(derive_more::Debug)]
#[debug("StreamedFile({size} bytes)")]
pub struct StreamedFile {
    /// Its size in bytes. The upload fails if the stream has more or fewer.
    pub size: u64,
    /// Its bytes.
    pub bytes: BoxStream<'static, Result<Bytes, HttpFailure>>,
}
