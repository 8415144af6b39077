//! A file of an agent on its way to a channel: streamed, never whole in memory.

use super::{Attempt, ConsumerRef, DeliverToChannel, DeliveryError, LineSettings};
use crate::{
    app::{
        delivery::FILE_TRANSFER,
        files::{Refusal, streamed},
        liveengage_client::Caller,
        task::digest,
    },
    channel::FileLimits,
    domain::{id::AccountId, message::OutboundFile},
    liveengage::files::{FileType, HostedFile},
    port::StreamedFile,
};

/// The largest document that is carried: LiveEngage's own limit is lower, but its storage may hold more for others.
const LARGEST: u64 = 16_000_000;

impl DeliverToChannel {
    /// Opens an agent's file, and says what it is to the channel.
    pub(super) async fn open_file(
        &self,
        settings: &LineSettings,
        account: &AccountId,
        consumer: &ConsumerRef,
        file: &HostedFile,
        attempt: &Attempt,
    ) -> Result<(OutboundFile, StreamedFile), DeliveryError> {
        let unsupported = |content: &str| DeliveryError::Unsupported { content: content.to_owned() };
        let limits = settings.line.capabilities().files.ok_or_else(|| unsupported("a file"))?;
        attempt.check_time(&*self.ports.clock, FILE_TRANSFER)?;
        let record = self.ports.consumers.consumer(consumer).await?;
        let identity = record.filter(|record| record.account == *account).and_then(|record| record.identity);
        let identity = identity.ok_or_else(|| unsupported("a file for a person who is not known any more"))?;
        let caller =
            Caller { account, owner: &attempt.owner, client_properties: &settings.client_properties, now: attempt.now };
        let mut request_id = digest([b"download".as_slice(), file.relative_path.as_str().as_bytes()]);
        request_id.truncate(32);
        let path = &file.relative_path;
        let download = self.liveengage.download(caller, &identity.token, &request_id, path).await?;
        // The bytes decide; a text file says nothing of itself.
        let file_type = FileType::sniff(&download.head).unwrap_or_else(|| file.file_type.clone());
        if file_type.content_type().is_none() {
            return Err(unsupported("a file of this type"));
        }
        let Some(largest) = largest(limits, &file_type) else { return Err(unsupported("a document")) };
        let stream = match streamed(download, largest).await {
            Ok(stream) => stream,
            Err(Refusal::TooLarge { largest }) => {
                return Err(unsupported(&format!("a file of more than {} MB", largest / 1_000_000)));
            }
            Err(Refusal::Empty) => return Err(unsupported("an empty file")),
            Err(Refusal::BrokenOff(failure)) => {
                return Err(DeliveryError::Http { call: "LiveEngage file download", failure });
            }
        };
        let about = outbound(&file_type, stream.size, file).ok_or_else(|| unsupported("a file of this type"))?;
        Ok((about, stream))
    }
}

/// The file as a channel sees it; `None` for a type that has no media type.
pub(super) fn outbound(file_type: &FileType, size: u64, file: &HostedFile) -> Option<OutboundFile> {
    Some(OutboundFile {
        content_type: file_type.content_type()?,
        name: format!("file.{}", file_type.name().to_lowercase()),
        caption: file.caption.clone(),
        size,
    })
}

fn largest(limits: FileLimits, file_type: &FileType) -> Option<u64> {
    let largest = if file_type.is_picture() { Some(limits.largest_picture) } else { limits.largest_document };
    largest.map(|largest| largest.min(LARGEST))
}
