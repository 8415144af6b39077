//! Files that pass through the connector, in both directions.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use crate::port::{Download, StreamedFile};
use connector_message::http::HttpFailure;

/// Why a file is not sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileRejected {
    /// It is larger than this many bytes.
    TooLarge { largest: u64 },
    /// It is empty.
    Empty,
    /// The download failed before its end.
    BrokenOff(HttpFailure),
}

/// Returns a downloaded file as a file of known size, checked before any of it is sent on. The file is streamed. Only if the other side
/// doesn't announce its size, it is read first, up to `largest` bytes.
///
/// # Errors
/// [`FileRejected`].
pub(super) async fn streamed(download: Download, largest: u64) -> Result<StreamedFile, FileRejected> {
    let Download { length, head, rest, .. } = download;
    let too_large = FileRejected::TooLarge { largest };
    let (size, bytes) = match length {
        Some(length) if length > largest => return Err(too_large),
        Some(length) => (length, stream::iter([Ok(head)]).chain(rest).boxed()),
        None => {
            let mut whole = BytesMut::from(head.as_ref());
            let mut rest = rest;
            while let Some(chunk) = rest.try_next().await.map_err(FileRejected::BrokenOff)? {
                whole.extend_from_slice(&chunk);
                if whole.len() as u64 > largest {
                    return Err(too_large);
                }
            }
            let whole: Bytes = whole.freeze();
            (whole.len() as u64, stream::iter([Ok(whole)]).boxed())
        }
    };
    if size == 0 { Err(FileRejected::Empty) } else { Ok(StreamedFile { size, bytes }) }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use http::StatusCode;

    use super::*;

    fn download(length: Option<u64>, chunks: &[&'static [u8]]) -> Download {
        let mut chunks = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk)));
        Download {
            status: StatusCode::OK,
            retry_after: None,
            length,
            head: chunks.next().and_then(Result::ok).unwrap_or_default(),
            rest: stream::iter(chunks.collect::<Vec<_>>()).boxed(),
        }
    }

    async fn bytes(file: StreamedFile) -> Vec<u8> {
        file.bytes.try_collect::<Vec<_>>().await.unwrap().concat()
    }

    #[tokio::test]
    async fn a_file_passes_with_or_without_an_announced_size() {
        for length in [Some(6), None] {
            let file = streamed(download(length, &[b"abc", b"de", b"f"]), 6).await.unwrap();
            assert_eq!(file.size, 6);
            assert_eq!(bytes(file).await, b"abcdef");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_or_empty_is_rejected_before_it_is_sent_on() {
        let too_large = FileRejected::TooLarge { largest: 5 };
        assert_eq!(streamed(download(Some(6), &[b"abc"]), 5).await.unwrap_err(), too_large);
        assert_eq!(streamed(download(None, &[b"abc", b"def"]), 5).await.unwrap_err(), too_large);
        assert_eq!(streamed(download(Some(0), &[]), 5).await.unwrap_err(), FileRejected::Empty);
        assert_eq!(streamed(download(None, &[]), 5).await.unwrap_err(), FileRejected::Empty);
    }

    /// Only the limit ends this download: its size is not announced, and its stream is endless.
    #[tokio::test]
    async fn a_file_without_end_is_read_to_its_limit_and_no_further() {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let endless = stream::repeat_with(move || {
            counter.fetch_add(1000, Ordering::Relaxed);
            Ok(Bytes::from_static(&[0; 1000]))
        });
        let endless = Download { rest: endless.boxed(), ..download(None, &[b"abc"]) };
        let refusal = streamed(endless, 1_000_000).await.unwrap_err();
        assert_eq!(refusal, FileRejected::TooLarge { largest: 1_000_000 });
        assert!(read.load(Ordering::Relaxed) <= 1_001_000);
    }

    #[tokio::test]
    async fn a_download_that_breaks_off_is_rejected() {
        let rest = stream::iter([Err(HttpFailure::Unanswered)]).boxed();
        let broken = Download { rest, ..download(None, &[b"abc"]) };
        assert_eq!(streamed(broken, 5).await.unwrap_err(), FileRejected::BrokenOff(HttpFailure::Unanswered));
    }
}
